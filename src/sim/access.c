/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

/*
 * A run of memory accesses, ahead of the other CPUs as far as none of them can affect it. What can:
 *  - a DVM message: work lost to snoops when its node begins, an invalidation after that;
 *  - an interrupt: from its arrival, work lost, what its handler invalidates, a switch to another task;
 *  - a tick, which another CPU may make necessary at any time;
 *  - the return of a flush: from then on older translations must not be used (tlbs.h);
 *  - any access of a CPU that shares the TLB, which it makes when it acts next.
 * Each is an event that is known, or comes from an act of a CPU, and then no sooner than
 * dvmi_reach_ps() after it unless that CPU is inside a flush. What a walk reads from the tables is
 * told by time (tlbs.h). So every access meets what it would meet if all accesses of all CPUs were
 * made one by one in the order of time, which is what strict_order does.
 */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The first step of whatever leads to an effect: a request to the DVM node, an interrupt, the call
 * of a flush, the switch to a task that has a batch flush to make (with or without __switch_to).
 */
uint64_t dvmi_reach_ps(const struct dvmi_hw *hw)
{
	uint64_t reach = least(hw->dvm_request_ps, hw->ipi_deliver_ps);

	reach = least(reach, hw->kernel_flush_call_ps);
	return least(reach, least(hw->kernel_context_switch_ps, hw->kernel_mm_switch_ps));
}

/* Has it a batch flush to make, or a flush to go on with that it was switched out of? */
static bool may_complete(const struct dvmi_task *t)
{
	return t->deferred || t->saved;
}

/* May the next act of @c be the return of a flush, or of the batch flush that completes some? */
static bool in_flush(const struct dvm_sim *s, const struct dvmi_cpu *c)
{
	if (c->phase == DVMI_PHASE_HOOK && c->after == DVMI_PHASE_RECORD)
		return true;
	/* The tasks it brings into being may have timers on other CPUs. */
	if (s->simulated && c->next < c->count)
		return true;
	return may_complete(&s->tasks[c->task]) ||
	       (c->phase != DVMI_PHASE_RECORD && may_complete(&s->tasks[c->in_task]));
}

uint64_t dvmi_cpu_reach(const struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t next)
{
	if (!s->tlbs)
		return next;
	/* After an interrupt it may leave its run (sim/dispatch.c). */
	if (!c->interrupted)
		next += c->accesses_left * s->access_ps;
	return in_flush(s, c) ? next : next + s->reach_ps;
}

/* CPUs tick at the same instants (dvmi_sched_next_tick_ps()). */
static uint64_t tick_after(const struct dvm_sim *s, uint64_t now)
{
	uint64_t tick = s->guests->sched.rules.tick_ns * 1000;

	return (now + tick - 1) / tick * tick;
}

/* When a CPU acts that shares the TLB of @c; who shares with a virtual machine's is not looked up. */
static uint64_t sharer_acts(const struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now)
{
	unsigned sharers = dvmi_tlb_sharers(s->hw, s->cfg), first = c->id - c->id % sharers;
	uint64_t next = DVMI_NEVER;

	if (sharers > 1 && c->guest->vmid)
		return now + 1;
	for (unsigned n = first; n < first + sharers && n < s->cpus_used; n++)
		if (n != c->id)
			next = least(next, dvmi_evq_cpu_get(&s->evq, n));
	return next;
}

/* No access at or after this: something may be felt by then. */
static uint64_t limit(const struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now)
{
	uint64_t felt;

	if (s->options.strict_order)
		return now + 1;
	felt = least(dvmi_evq_felt_ps(&s->evq, dvmi_slot(s, c)), sharer_acts(s, c, now));
	if (s->simulated)
		felt = least(felt, tick_after(s, now));
	return c->interrupts_count ? least(felt, c->interrupts[0].at_ps) : felt;
}

int dvmi_access_run(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now, uint64_t *next)
{
	uint32_t mm = r->mm ? dvmi_mm_id(s, c, r->mm) : c->mm;
	struct dvmi_tlbs_span span = {
		.accesses = s->accesses + r->va + c->accesses_done,
		.count = r->amount - c->accesses_done, .mm = mm, .cpu = c->pcpu,
		.asid = c->asid,
		.vmid = dvmi_cpu_vmid(c),
		.now_ps = now, .limit_ps = limit(s, c, now),
	};

	if (!c->stale)
		dvmi_tlbs_run(s->tlbs, &span);
	/* It fails in its turn: another CPU may fail before. */
	if (c->stale || (span.stale && span.done_ps == now))
		return dvmi_tlbs_stale(s->tlbs, c->pcpu, mm, s->err);
	c->stale = span.stale;
	c->starts_ps += span.starts_ps;
	s->stats.run_ps += span.done_ps - now;
	*next = span.done_ps;
	c->accesses_done += span.done;
	c->accesses_left = r->amount - c->accesses_done;
	c->again = c->accesses_left;
	if (!c->again)
		c->accesses_done = 0;
	return 0;
}
