/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* One CPU acts: whatever its phase says, until that takes time or must wait. */

/* So many actions without time passing can only be a program that loops. */
#define INSTANT_MAX 1000000

void dvmi_cpu_set_idle(struct dvm_sim *s, struct dvmi_cpu *c, bool idle, uint64_t now)
{
	if (idle == c->idle)
		return;
	if (idle)
		c->idle_since_ps = now;
	else
		s->stats.idle_ps += now - c->idle_since_ps;
	c->idle = idle;
	if (!s->host) /* whose idle CPUs are its own */
		dvmi_fabric_set_idle(s->fabric, c->pcpu, idle);
}

/* ---- losses ---- */

/* What arrives at an instant comes before what CPUs do then. */
static void enter_handlers(struct dvmi_cpu *c, uint64_t now)
{
	size_t n = 0;

	for (; n < c->interrupts_count && c->interrupts[n].at_ps <= now; n++)
		c->handler_lost_ps += c->interrupts[n].lost_ps;
	if (!n)
		return;
	c->interrupts_count -= n;
	memmove(c->interrupts, c->interrupts + n, c->interrupts_count * sizeof(*c->interrupts));
}

int dvmi_cpu_interrupt(const struct dvm_sim *s, struct dvmi_cpu *c, uint64_t at_ps,
		       uint64_t lost_ps)
{
	void *p = c->interrupts;
	size_t at;

	/* So that a CPU that sleeps does not collect them. */
	enter_handlers(c, s->stats.elapsed_ps);
	if (dvmi_grow(&p, &c->interrupts_capacity, c->interrupts_count + 1, sizeof(*c->interrupts)))
		return -DVM_ENOMEM;
	c->interrupts = p;
	for (at = c->interrupts_count; at > 0 && c->interrupts[at - 1].at_ps > at_ps; at--)
		c->interrupts[at] = c->interrupts[at - 1];
	c->interrupts[at] = (struct dvmi_interrupt){ at_ps, lost_ps };
	c->interrupts_count++;
	return 0;
}

static uint64_t lost_so_far(const struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	if (c->interrupts_count)
		enter_handlers(c, now);
	return dvmi_fabric_lost_ps(s->fabric, c->pcpu) + c->handler_lost_ps;
}

/*
 * Work lost to snoops and interrupts since the CPU last acted delays what it does next. An idle CPU,
 * or one that waits, had nothing to lose.
 */
uint64_t dvmi_cpu_take_lost(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t lost = lost_so_far(s, c, now), debt = lost - c->lost_seen_ps;

	c->lost_seen_ps = lost;
	if (c->idle || c->waiting)
		return 0;
	s->stats.bystander_ps += debt;
	return debt;
}

/* The next record, or what the scheduler lets run. */
static int go_on(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	return s->simulated ? dvmi_dispatch_next(s, c, now, next) :
			      dvmi_replay_next(s, c, now, next);
}

static int hook(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	if (s->simulated && dvmi_hook_may_leave(c))
		return dvmi_dispatch_switch(s, c, DVMI_SCHED_PREEMPTED, now, next);
	return dvmi_hook_act(s, c, now, next);
}

int dvmi_cpu_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t next = now + dvmi_cpu_take_lost(s, c, now);
	int ret = 0;

	c->running = c->running && next != now;
	for (unsigned i = 0; next == now; i++) {
		if (i == INSTANT_MAX)
			return dvmi_error(s->err, DVM_EBUDGET, s->program->name,
					  "CPU %u executed %u steps without time passing", c->id,
					  INSTANT_MAX);
		if (c->phase == DVMI_PHASE_HOOK)
			ret = hook(s, c, now, &next);
		else if (c->phase == DVMI_PHASE_SWITCH)
			ret = dvmi_switch_act(s, c, now, &next);
		else
			ret = go_on(s, c, now, &next);
		if (ret)
			return ret;
	}
	c->run_end_ps = next;
	if (next != DVMI_NEVER)
		dvmi_evq_cpu_set_reach(&s->evq, dvmi_slot(s, c), next, dvmi_cpu_reach(s, c, next));
	return 0;
}

int dvmi_cpu_stuck(const struct dvm_sim *s, struct dvm_error *err)
{
	for (unsigned n = 0; n < s->cpus_used; n++) {
		const struct dvmi_cpu *c = &s->cpus[n];

		if (c->phase != DVMI_PHASE_DONE)
			return dvmi_error_record(err, DVM_EFORMAT, "workload",
						 c->next < c->count ? c->stream[c->next] : 0,
						 "CPU %u waits here for ever: the wake-up, the birth or"
						 " the switch-out it needs never happens ('dvmsim trace"
						 " validate' may say more)", c->id);
	}
	return 0;
}
