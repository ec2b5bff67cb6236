/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"
#include "sim/host.h"

/*
 * Interrupts of the simulated schedule: reschedule requests, ends of sleeps, ticks, kicks of the
 * balancer. An interrupt of an idle CPU takes effect once that has left idle; on a busy one its
 * handler delays the task, and when it ends the task may be switched out.
 */

static struct dvmi_cpu *cpu_of(struct dvm_sim *s, uint32_t cpu)
{
	return &s->cpus[cpu];
}

/* ---- telling a CPU ---- */

static int send(struct dvm_sim *s, uint32_t cpu, unsigned message, uint64_t now)
{
	uint64_t at = now + s->hw->ipi_deliver_ps;

	if (s->host) /* which says what it takes to get there */
		at = s->host->vcpus[cpu].state == DVMI_VCPU_RUNS ? at : now;
	else if (cpu_of(s, cpu)->idle)
		at += s->hw->kernel_idle_exit_ps;
	return dvmi_evq_post(&s->evq, at, 0, message, cpu, 0);
}

static void unpark(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t at)
{
	if (!c->parked)
		return;
	c->parked = false;
	dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), at + s->inject_ps);
}

int dvmi_dispatch_note(struct dvm_sim *s, const struct dvmi_guest *g,
		       const struct dvmi_sched_note *note, uint64_t now)
{
	if (note->cpu == DVMI_SCHED_NONE || note->need == DVMI_SCHED_NEED_NONE || !note->ipi)
		return 0;
	/* A vCPU that takes an interrupt looks itself when its handler ends. */
	if (s->host && g->first_cpu + note->cpu == s->injecting) {
		unpark(s, &s->cpus[s->injecting], now);
		return 0;
	}
	s->stats.reschedules++;
	return send(s, g->first_cpu + note->cpu, DVMI_EV_RESCHED, now);
}

/* The queues that balancing has just filled. */
static int tell_moves(struct dvm_sim *s, const struct dvmi_guest *g, uint64_t now)
{
	int ret = 0;

	for (uint32_t i = 0; i < g->sched.moves_count && !ret; i++)
		ret = send(s, g->first_cpu + g->sched.moves[i].to, DVMI_EV_RESCHED, now);
	return ret;
}

/* ---- the end of an interrupt ---- */

/* Take @c's task off the rest of its work; it acts once the handler is over. */
static void cut(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t handler_ps)
{
	struct dvmi_task *t = &s->tasks[c->task];

	t->remaining_ps = c->run_end_ps - now + dvmi_cpu_take_lost(s, c, now);
	c->running = false;
	dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), now + handler_ps);
}

static void handled(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t handler_ps)
{
	enum dvmi_sched_point point;

	if (c->parked) {
		unpark(s, c, now);
		return;
	}
	if (!c->task)
		return;
	handler_ps += s->inject_ps;
	s->stats.interrupt_ps += handler_ps;
	c->interrupted = true;
	point = s->tasks[c->task].ops ? DVMI_SCHED_AT_KERNEL : DVMI_SCHED_AT_USER;
	if (c->phase == DVMI_PHASE_RECORD && c->running && c->run_end_ps > now &&
	    dvmi_sched_may_switch(&c->guest->sched, c->vcpu, point))
		cut(s, c, now, handler_ps);
	else
		c->handler_lost_ps += handler_ps;
	/* It may leave a run of accesses before its end: what it does then is felt sooner. */
	if (c->accesses_left)
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), dvmi_evq_cpu_get(&s->evq, dvmi_slot(s, c)));
}

/* ---- ticks ---- */

static uint64_t next_tick(const struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now)
{
	uint64_t tick = c->guest->sched.rules.tick_ns * 1000;

	if (s->program->hooks[DVMI_HOOK_TICK] < 0)
		return dvmi_sched_next_tick_ps(&c->guest->sched, c->vcpu, now);
	return c->task ? (now + tick - 1) / tick * tick : DVMI_NEVER;
}

static int arm(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t *due, uint64_t at,
	       unsigned message)
{
	if (at >= *due)
		return 0;
	*due = at;
	return dvmi_evq_post(&s->evq, at, 0, message, c->id, at);
}

int dvmi_tick_arm(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t hz = s->options.forced_migrations_hz, period;
	int ret = arm(s, c, &c->tick_ps, next_tick(s, c, now), DVMI_EV_TICK);

	if (ret || !hz || !c->task)
		return ret;
	/* CPUs take turns, so that they do not all move at once. */
	period = UINT64_C(1000000000000) / hz;
	now += period - (now + period - period * c->id / s->cpus_used) % period;
	return arm(s, c, &c->force_ps, now, DVMI_EV_FORCE);
}

/* The strategy's hook, on the interrupted CPU: to its end at once, as an IPI's handler. */
static int tick_hook(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now, uint64_t *end)
{
	struct dvmi_cpu self = { .id = c->id, .vcpu = c->vcpu, .pcpu = c->pcpu, .guest = c->guest,
				 .task = c->task, .mm = c->mm, .active_mm = c->active_mm,
				 .masks = s->tick_masks };

	*end = now;
	if (s->program->hooks[DVMI_HOOK_TICK] < 0 || !c->active_mm)
		return 0;
	/* tick_nohz_full_stop_tick() */
	if (s->cfg->sched_nohz_full && c->guest->sched.rqs[c->vcpu].seen_running < 2)
		return 0;
	self.hook.mm = c->active_mm;
	self.hook.record = UINT64_MAX;
	dvmi_hook_begin(s, &self, s->program, DVMI_HOOK_TICK, now, DVMI_PHASE_RECORD);
	return dvmi_handler_run(s, &self, now, end);
}

static int tick(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_sched_ticked t;
	uint64_t end;
	int ret;

	c->tick_ps = DVMI_NEVER;
	if (!c->task)
		return 0;
	s->stats.ticks++;
	t = dvmi_sched_tick(&c->guest->sched, c->vcpu, now);
	ret = dvmi_dispatch_note(s, c->guest, &t.push, now);
	if (!ret && t.kick != DVMI_SCHED_NONE)
		ret = send(s, c->guest->first_cpu + t.kick, DVMI_EV_KICK, now);
	if (!ret)
		ret = tick_hook(s, c, now, &end);
	if (ret)
		return ret;
	s->stats.switch_ps += end - now;
	handled(s, c, now, s->hw->kernel_tick_ps + t.scanned * s->hw->kernel_scan_cpu_ps + end - now);
	return dvmi_tick_arm(s, c, now + 1);
}

/* ---- sleeps, kicks ---- */

static int timer(struct dvm_sim *s, uint32_t task, uint64_t now)
{
	struct dvmi_task *t = &s->tasks[task];
	struct dvmi_cpu *c = cpu_of(s, dvmi_guest_of_task(s, task)->first_cpu +
				       dvmi_sched_entry(s, task)->cpu);
	bool blocks;
	uint64_t ps;
	int ret = dvmi_task_blocks(s, task, now, &blocks);

	if (ret || blocks)
		return ret;
	ret = dvmi_task_wake(s, task, c->id, 0, t->fresh ? 0 : DVMI_SCHED_WAKE_IRQ, now, &ps);
	if (!c->idle)
		handled(s, c, now, s->hw->ipi_handle_ps + ps);
	return ret;
}

static int arrive(struct dvm_sim *s, const struct dvmi_event *ev)
{
	struct dvmi_cpu *c;
	uint64_t ps;
	int ret = dvmi_queue_arrive(s, ev->who, (uint32_t)ev->data, ev->time_ps, &c, &ps);

	if (!ret && !c->idle)
		handled(s, c, ev->time_ps, s->hw->ipi_handle_ps + ps);
	return ret;
}

/* An idle CPU balances for all that are idle. */
static int kick(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_sched_ticked t;
	int ret;

	if (c->task)
		return 0;
	t = dvmi_sched_nohz(&c->guest->sched, c->vcpu, now);
	ret = tell_moves(s, c->guest, now);
	if (!ret && t.need != DVMI_SCHED_NEED_NONE)
		handled(s, c, now, 0);
	return ret;
}

/* ---- experiments: forced migrations, a CPU that goes ---- */

static int force(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_task *t = &s->tasks[c->task];
	unsigned cpus = c->guest->cpus_count;
	struct dvmi_sched_allowed a;
	uint32_t to;
	int ret;

	c->force_ps = DVMI_NEVER;
	if (!c->task || cpus < 2)
		return 0;
	to = (c->vcpu + 1 + (uint32_t)dvmi_rng_below(&s->force_rng, cpus - 1)) % cpus;
	if (!t->forced && t->state == DVMI_TASK_READY && t->on_cpu == c->id &&
	    dvmi_script_of(s, c->task)->bound == DVMI_SCRIPT_ANY && c->guest->sched.rqs[to].online) {
		a = dvmi_sched_set_allowed(&c->guest->sched, dvmi_sched_id(s, c->task), to, to, now);
		t->forced = true;
		ret = dvmi_dispatch_note(s, c->guest, &a.note, now);
		if (ret)
			return ret;
		if (a.note.cpu == c->vcpu)
			handled(s, c, now, s->hw->ipi_handle_ps);
	}
	return dvmi_tick_arm(s, c, now + 1);
}

int dvmi_force_arrived(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_sched_allowed a;

	if (!s->tasks[c->task].forced || dvmi_sched_entry(s, c->task)->first_cpu != c->vcpu)
		return 0;
	s->tasks[c->task].forced = false;
	a = dvmi_sched_set_allowed(&c->guest->sched, dvmi_sched_id(s, c->task), 0,
				   c->guest->cpus_count - 1, now);
	return dvmi_dispatch_note(s, c->guest, &a.note, now);
}

int dvmi_offline_arm(struct dvm_sim *s)
{
	if (!s->options.offline_ps)
		return 0;
	return dvmi_evq_post(&s->evq, s->options.offline_ps, 0, DVMI_EV_OFFLINE,
			     s->options.offline_cpu, 0);
}

/* Until its last task has left: one that is pinned keeps the CPU. */
static int offline(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_sched_note note;
	uint32_t left = 0;
	int ret = dvmi_sched_offline(&c->guest->sched, c->vcpu, now, &left, &note);

	if (ret)
		return ret;
	ret = tell_moves(s, c->guest, now);
	if (!ret)
		ret = dvmi_dispatch_note(s, c->guest, &note, now);
	handled(s, c, now, 0);
	if (!ret && left)
		ret = dvmi_evq_post(&s->evq, now + s->hw->ipi_deliver_ps + 1, 0, DVMI_EV_OFFLINE,
				    c->id, 0);
	return ret;
}

unsigned dvmi_interrupted_cpu(const struct dvm_sim *s, const struct dvmi_event *ev)
{
	if (ev->kind == DVMI_EV_TIMER)
		return dvmi_guest_of_task(s, ev->who)->first_cpu +
		       dvmi_sched_entry(s, ev->who)->cpu;
	if (ev->kind == DVMI_EV_ARRIVE)
		return dvmi_copy_cpu(s, ev->who, s->records[s->queues.arrivals[ev->data].record].cpu);
	return ev->who;
}

int dvmi_dispatch_message(struct dvm_sim *s, const struct dvmi_event *ev)
{
	bool of_cpu = ev->kind != DVMI_EV_TIMER && ev->kind != DVMI_EV_ARRIVE;
	struct dvmi_cpu *c = cpu_of(s, of_cpu ? ev->who : 0);

	switch (ev->kind) {
	case DVMI_EV_TIMER:
		return timer(s, ev->who, ev->time_ps);
	case DVMI_EV_ARRIVE:
		return arrive(s, ev);
	case DVMI_EV_RESCHED:
		handled(s, c, ev->time_ps, s->hw->ipi_handle_ps);
		return 0;
	case DVMI_EV_TICK:
		return ev->data == c->tick_ps ? tick(s, c, ev->time_ps) : 0;
	case DVMI_EV_KICK:
		return kick(s, c, ev->time_ps);
	case DVMI_EV_QUARANTINE:
		return dvmi_quarantine_over(s, ev->time_ps);
	case DVMI_EV_FORCE:
		return ev->data == c->force_ps ? force(s, c, ev->time_ps) : 0;
	default:
		return offline(s, c, ev->time_ps);
	}
}
