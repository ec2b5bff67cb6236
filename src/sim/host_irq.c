/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include "base/bitmap.h"
#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/*
 * Interrupts beneath and into virtual machines. One for a vCPU that is in the guest makes it exit, is
 * injected, and it enters again; one for a vCPU that is not waits for it, and wakes it when it is
 * blocked. An IPI's sender traps (a write of ICC_SGI1R_EL1) and spins until every target has handled
 * it, however long that one waits for a physical CPU.
 */

#define AFFINITY 16 /* KVM gives so many vCPUs one Aff1; one write of ICC_SGI1R_EL1 reaches them */

bool dvmi_host_interruptible(const struct dvm_sim *s, uint32_t p)
{
	const struct dvmi_pcpu *pc = &s->host->pcpus[p];
	const struct dvmi_cpu *c;

	if (pc->step != DVMI_PCPU_GUEST)
		return false;
	c = &s->cpus[pc->vcpu];
	/* It waits for its Sync, or for room for a TLBI, on this CPU. */
	return c->parked || c->spins || dvmi_evq_cpu_get(&s->evq, dvmi_slot(s, c)) != DVMI_NEVER;
}

/* ---- handlers of IPIs ---- */

static struct dvmi_cpu *sender_of(struct dvm_sim *s, const struct dvmi_event *ev)
{
	return &s->cpus[ev->data & UINT32_MAX];
}

static bool is_empty(const struct dvmi_event *ev)
{
	return ev->data >> 32;
}

static void acknowledge(struct dvm_sim *s, struct dvmi_cpu *sender, uint64_t now)
{
	if (--sender->ipi_left == 0)
		dvmi_cpu_resume(s, sender, now);
}

/* The vCPU's own action waits; the handler's instructions are the physical CPU's. */
static void begin_handler(struct dvm_sim *s, uint32_t p, struct dvmi_cpu *from, bool empty,
			  uint64_t at)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	const struct dvmi_cpu *c = &s->cpus[pc->vcpu];
	struct dvmi_cpu *self = &pc->handler;
	struct dvmi_hook_run *h = &self->hook;

	*self = (struct dvmi_cpu){ .id = c->id, .vcpu = c->vcpu, .pcpu = p, .guest = c->guest,
				   .mm = c->mm, .active_mm = c->active_mm, .copy = c->copy,
				   .phase = DVMI_PHASE_DONE, .after = DVMI_PHASE_DONE };
	pc->sender = from->id;
	pc->step = DVMI_PCPU_HANDLER;
	dvmi_evq_cpu_set(&s->evq, p, at);
	if (empty)
		return;
	self->phase = DVMI_PHASE_HOOK;
	self->hook = from->hook;
	dvmi_frame_start(&h->frame, h->program, DVMI_HOOK_IPI);
	h->frame.asid = from->hook.frame.asid;
	h->env.self = c->vcpu;
	h->env.fields = h->fields;
	h->fields[DVMI_IPI_ARG] = from->ipi_arg;
	h->stage = 0;
	h->ops_begun = h->locked = false;
	h->flush = NULL; /* the sender's; covered when the handler has completed its TLBIs */
	h->local = h->broadcast = h->ipi = h->completed = false;
	h->insn_ps = at;
}

static int end_handler(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	struct dvmi_cpu *from = &s->cpus[pc->sender], *c = &s->cpus[pc->vcpu];
	const struct dvmi_hook_run *h = &pc->handler.hook;
	int ret;

	if (h->completed && h->broadcast)
		dvmi_oracle_ipi_all(s->oracle, from->hook.flush);
	else if (h->completed)
		dvmi_oracle_ipi(s->oracle, from->hook.flush, p);
	pc->step = DVMI_PCPU_GUEST;
	dvmi_host_resume(s, c, now);
	acknowledge(s, from, now);
	ret = dvmi_host_inject(s, p, now);
	if (ret || pc->step != DVMI_PCPU_GUEST)
		return ret;
	/* It idles, and nothing has woken it. */
	if (c->parked)
		return dvmi_host_leave(s, p, DVMI_SCHED_SLEPT, now);
	return dvmi_host_resched(s, p, now);
}

int dvmi_host_handler(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_cpu *self = &s->host->pcpus[p].handler;
	uint64_t next = now;
	int ret;

	while (next == now && self->phase == DVMI_PHASE_HOOK) {
		ret = dvmi_hook_act(s, self, now, &next);
		if (ret)
			return ret;
	}
	if (self->phase != DVMI_PHASE_HOOK && next == now)
		return end_handler(s, p, now);
	if (next != DVMI_NEVER)
		dvmi_evq_cpu_set(&s->evq, p, next);
	return 0;
}

/* An IPI reaches a vCPU that is in the guest; @extra_ps: exit, injection, entry. */
static void handle_ipi(struct dvm_sim *s, uint32_t p, const struct dvmi_event *ev, uint64_t now,
		       uint64_t extra_ps)
{
	struct dvmi_cpu *c = &s->cpus[s->host->pcpus[p].vcpu];
	uint64_t at = now + extra_ps + s->hw->ipi_handle_ps;

	dvmi_host_suspend(s, c, now);
	begin_handler(s, p, sender_of(s, ev), is_empty(ev), at);
}

/* ---- into the guest ---- */

/* One interrupt of a vCPU that is in the guest, and can take it. */
static int deliver(struct dvm_sim *s, uint32_t p, const struct dvmi_event *ev, uint64_t now,
		   uint64_t extra_ps)
{
	struct dvmi_event at = *ev;
	int ret;

	at.time_ps = now;
	s->stats.vm_interrupts++;
	if (ev->kind == DVMI_EV_HOST_IPI) {
		handle_ipi(s, p, &at, now, extra_ps);
		return 0;
	}
	s->inject_ps = extra_ps;
	s->injecting = s->host->pcpus[p].vcpu;
	ret = dvmi_dispatch_message(s, &at);
	s->inject_ps = 0;
	s->injecting = DVMI_NONE32;
	return ret;
}

int dvmi_host_inject(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_vcpu *v = &s->host->vcpus[s->host->pcpus[p].vcpu];
	int ret = 0;

	while (!ret && v->pending_count && dvmi_host_interruptible(s, p)) {
		struct dvmi_event ev = v->pending[0].ev;

		v->pending_count--;
		memmove(v->pending, v->pending + 1, v->pending_count * sizeof(*v->pending));
		ret = deliver(s, p, &ev, now, s->cfg->vm_inject_ns * 1000);
	}
	if (v->pending_count && s->host->pcpus[p].step == DVMI_PCPU_GUEST)
		s->host->pcpus[p].late = true;
	return ret;
}

static int keep(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_event *ev)
{
	struct dvmi_vcpu *v = &s->host->vcpus[c->id];
	void *p = v->pending;

	if (dvmi_grow(&p, &v->pending_capacity, v->pending_count + 1, sizeof(*v->pending)))
		return -DVM_ENOMEM;
	v->pending = p;
	v->pending[v->pending_count++] = (struct dvmi_virq){ *ev };
	return 0;
}

static int interrupt(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_event *ev)
{
	struct dvmi_vcpu *v = &s->host->vcpus[c->id];
	uint64_t now = ev->time_ps;
	int ret;

	if (v->state == DVMI_VCPU_RUNS && !v->pending_count && dvmi_host_interruptible(s, c->pcpu)) {
		s->stats.vm_exits++;
		ret = deliver(s, c->pcpu, ev, now,
			      dvmi_host_trap_ps(s) + s->cfg->vm_inject_ns * 1000);
		if (ret || s->host->pcpus[c->pcpu].step != DVMI_PCPU_GUEST)
			return ret;
		return dvmi_host_resched(s, c->pcpu, now);
	}
	ret = keep(s, c, ev);
	s->stats.vm_interrupts_waited += v->state != DVMI_VCPU_RUNS;
	if (v->state == DVMI_VCPU_RUNS)
		s->host->pcpus[c->pcpu].late = true;
	if (!ret && v->state == DVMI_VCPU_BLOCKED && !v->boots)
		ret = dvmi_host_wake(s, c, now);
	return ret;
}

/* ---- the host's own ---- */

/* The interrupt took the vCPU on @p out of the guest for a while; or @p leaves it. */
static int host_interrupt(struct dvm_sim *s, uint32_t p, uint64_t now, uint64_t ps)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	int ret = dvmi_host_resched(s, p, now);

	if (!ret && pc->step == DVMI_PCPU_GUEST) {
		s->stats.vm_exits++;
		s->cpus[pc->vcpu].handler_lost_ps += dvmi_host_trap_ps(s) + ps;
	}
	return ret;
}

static int arm(struct dvm_sim *s, uint64_t *due, uint64_t at, unsigned message, uint32_t p)
{
	if (at >= *due)
		return 0;
	*due = at;
	return dvmi_evq_post(&s->evq, at, 0, message, p, at);
}

int dvmi_host_tick_arm(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	uint64_t hz = s->cfg->vm_move_hz, period;
	int ret = arm(s, &pc->tick_ps, dvmi_sched_next_tick_ps(&s->host->sched, p, now),
		      DVMI_EV_HOST_TICK, p);

	if (ret || !hz || pc->step == DVMI_PCPU_IDLE)
		return ret;
	/* CPUs take turns. */
	period = UINT64_C(1000000000000) / hz;
	now += period - (now + period - period * p / s->cpus_count) % period;
	return arm(s, &pc->move_ps, now, DVMI_EV_HOST_MOVE, p);
}

static int tell_moves(struct dvm_sim *s, uint64_t now)
{
	const struct dvmi_sched *sched = &s->host->sched;
	int ret = 0;

	for (uint32_t i = 0; i < sched->moves_count && !ret; i++)
		ret = dvmi_evq_post(&s->evq, now + s->hw->ipi_deliver_ps, 0, DVMI_EV_HOST_RESCHED,
				    sched->moves[i].to, 0);
	return ret;
}

static int tick(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	struct dvmi_sched_ticked t;
	int ret;

	pc->tick_ps = DVMI_NEVER;
	if (pc->step == DVMI_PCPU_IDLE)
		return 0;
	t = dvmi_sched_tick(&s->host->sched, p, now);
	ret = dvmi_host_note(s, &t.push, now);
	if (!ret && t.kick != DVMI_SCHED_NONE)
		ret = dvmi_evq_post(&s->evq, now + s->hw->ipi_deliver_ps + s->hw->kernel_idle_exit_ps,
				    0, DVMI_EV_HOST_KICK, t.kick, 0);
	if (!ret)
		ret = host_interrupt(s, p, now, s->hw->kernel_tick_ps +
						t.scanned * s->hw->kernel_scan_cpu_ps);
	return ret ? ret : dvmi_host_tick_arm(s, p, now + 1);
}

static int kick(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_sched_ticked t;
	int ret;

	if (s->host->pcpus[p].step != DVMI_PCPU_IDLE)
		return 0;
	t = dvmi_sched_nohz(&s->host->sched, p, now);
	ret = tell_moves(s, now);
	if (!ret && t.need != DVMI_SCHED_NEED_NONE)
		ret = dvmi_host_resched(s, p, now);
	return ret;
}

/* vm_move_hz: the vCPU on @p goes to another CPU, by a change of its thread's affinity. */
static int move(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	struct dvmi_sched_allowed a;
	struct dvmi_vcpu *v;
	uint32_t to;
	int ret;

	pc->move_ps = DVMI_NEVER;
	if (pc->vcpu == DVMI_NONE32 || s->cpus_count < 2)
		return 0;
	v = &s->host->vcpus[pc->vcpu];
	to = (p + 1 + (uint32_t)dvmi_rng_below(&s->host->move_rng, s->cpus_count - 1)) % s->cpus_count;
	if (!v->forced && v->state == DVMI_VCPU_RUNS) {
		a = dvmi_sched_set_allowed(&s->host->sched, pc->vcpu + 1, to, to, now);
		v->forced = true;
		ret = dvmi_host_note(s, &a.note, now);
		if (ret)
			return ret;
	}
	return dvmi_host_tick_arm(s, p, now + 1);
}

int dvmi_host_message(struct dvm_sim *s, const struct dvmi_event *ev)
{
	const struct dvmi_pcpu *pc = s->host->pcpus;
	uint64_t now = ev->time_ps;

	switch (ev->kind) {
	case DVMI_EV_HOST_RESCHED:
		return host_interrupt(s, ev->who, now, s->hw->ipi_handle_ps);
	case DVMI_EV_HOST_TICK:
		return ev->data == pc[ev->who].tick_ps ? tick(s, ev->who, now) : 0;
	case DVMI_EV_HOST_KICK:
		return kick(s, ev->who, now);
	case DVMI_EV_HOST_MOVE:
		return ev->data == pc[ev->who].move_ps ? move(s, ev->who, now) : 0;
	case DVMI_EV_HOST_BOOT:
		s->host->vcpus[ev->who].boots = false;
		return dvmi_host_wake(s, &s->cpus[ev->who], now);
	case DVMI_EV_QUARANTINE: /* no interrupt: pages may be reused */
		return dvmi_dispatch_message(s, ev);
	case DVMI_EV_TICK:
	case DVMI_EV_FORCE:
		/* Without a tick while it idles: nothing comes. */
		if (!s->cpus[ev->who].task || ev->data != (ev->kind == DVMI_EV_TICK ?
							   s->cpus[ev->who].tick_ps :
							   s->cpus[ev->who].force_ps))
			return dvmi_dispatch_message(s, ev);
		break;
	default:
		break;
	}
	return interrupt(s, &s->cpus[dvmi_interrupted_cpu(s, ev)], ev);
}

/* ---- sending ---- */

static int send_to(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_cpu *to, bool empty,
		   uint64_t now)
{
	bool runs = s->host->vcpus[to->id].state == DVMI_VCPU_RUNS;

	c->ipi_left++;
	return dvmi_evq_post(&s->evq, now + (runs ? s->hw->ipi_deliver_ps : 0), 0, DVMI_EV_HOST_IPI,
			     to->id, c->id | (uint64_t)empty << 32);
}

/* The vCPUs in s->targets[0 .. n - 1], ascending: a trap for each group that one write reaches. */
static int send_all(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t n, bool empty, uint64_t now,
		    uint64_t *next)
{
	uint64_t at = now;
	int ret = 0;

	c->ipi_left = 0;
	for (uint32_t i = 0; i < n && !ret; i++) {
		if (!i || s->targets[i] / AFFINITY != s->targets[i - 1] / AFFINITY) {
			at += dvmi_host_trap_ps(s) + s->hw->ipi_send_ps;
			s->stats.vm_exits++;
		}
		ret = send_to(s, c, &s->cpus[c->guest->first_cpu + s->targets[i]], empty, at);
	}
	c->spins = n;
	*next = n ? DVMI_NEVER : now;
	return ret;
}

int dvmi_host_interrupt_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t n, uint64_t now,
			     uint64_t *next)
{
	return send_all(s, c, n, true, now, next);
}

int dvmi_host_ipi(struct dvm_sim *s, struct dvmi_cpu *c, const uint64_t *mask, uint64_t arg,
		  uint64_t now, uint64_t *next)
{
	uint32_t n = 0;

	for (unsigned t = 0; t < c->guest->cpus_count; t++)
		if (t != c->vcpu && dvmi_bitmap_test(mask, t))
			s->targets[n++] = t;
	c->ipi_arg = arg;
	c->hook.ipi |= n;
	return send_all(s, c, n, false, now, next);
}
