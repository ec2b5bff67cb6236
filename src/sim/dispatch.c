/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"

/*
 * The simulated schedule: a CPU takes the next step of its task's script, or asks the scheduler
 * (kernel/sched.h) for another task. Where the kernel would look at need_resched, this does: between
 * two steps, at the end of an interrupt in the midst of work (sim/interrupt.c), between two
 * instructions of a flush (sim/preempt.c).
 */

/* ---- __schedule() ---- */

static int leave(struct dvm_sim *s, struct dvmi_cpu *c, unsigned how)
{
	struct dvmi_task *t = &s->tasks[c->task];

	t->accesses_done = c->accesses_done;
	c->accesses_done = c->accesses_left = 0;
	c->stale = false;
	if (how != DVMI_SCHED_PREEMPTED)
		return 0;
	s->stats.preemptions++;
	return c->phase == DVMI_PHASE_HOOK ? dvmi_hook_save(s, c) : 0;
}

/* Nobody wants this CPU: it idles until an interrupt tells it otherwise. */
static void park(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	dvmi_cpu_set_idle(s, c, true, now);
	c->parked = true;
	*next = DVMI_NEVER;
}

int dvmi_dispatch_switch(struct dvm_sim *s, struct dvmi_cpu *c, unsigned how, uint64_t now,
			 uint64_t *next)
{
	struct dvmi_sched_pick p = dvmi_sched_pick(&c->guest->sched, c->vcpu,
						   (enum dvmi_sched_how)how, now);
	uint32_t task = dvmi_sched_task_of(s, c->guest, p.task);
	const struct dvmi_task *in = &s->tasks[task];
	int ret = 0;

	c->must_switch = false;
	*next = now + p.scanned * s->hw->kernel_scan_cpu_ps +
		(p.narrowed ? s->hw->kernel_migrate_slow_ps : 0);
	if (task == c->task) {
		if (!task)
			park(s, c, now, next);
		return 0;
	}
	if (c->task)
		ret = leave(s, c, how);
	dvmi_cpu_set_idle(s, c, false, now);
	c->in_waker = in->waker;
	c->in_waker_cpu = in->waker_cpu;
	dvmi_switch_begin(s, c, task, task ? in->mm : 0, false);
	return ret;
}

static int come(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_task *t = &s->tasks[c->task];
	int ret;

	c->copy = dvmi_copy_of(s, c->task);
	c->script = dvmi_script_of(s, c->task);
	c->accesses_done = t->accesses_done;
	c->used = true;
	if (t->woken_ps != DVMI_NEVER)
		dvmi_latency_add(&s->wake_latency, now - t->woken_ps);
	t->woken_ps = DVMI_NEVER;
	ret = dvmi_force_arrived(s, c, now);
	return ret ? ret : dvmi_tick_arm(s, c, now);
}

int dvmi_dispatch_switched(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t prev, uint64_t now)
{
	struct dvmi_sched_note note = dvmi_sched_switched(&c->guest->sched, c->vcpu,
							  dvmi_sched_id(s, prev), now);
	int ret = dvmi_dispatch_note(s, c->guest, &note, now);

	if (!ret && c->task)
		ret = come(s, c, now);
	return ret;
}

/* ---- steps ---- */

static bool exec_moves(struct dvmi_cpu *c, struct dvmi_task *t, uint64_t now)
{
	if (t->placed)
		return false;
	t->placed = true;
	return dvmi_sched_place_exec(&c->guest->sched, c->vcpu, now).cpu != c->vcpu;
}

/* Records that only a schedule of tasks knows. */
static int queueing(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_task *t,
		    const struct dvm_trace_record *r, uint64_t now, uint64_t *next)
{
	unsigned flags = dvmi_task_about_to_sleep(s, c->task) ? DVMI_SCHED_WAKE_SYNC : 0;
	uint32_t step = t->step++;

	switch (r->kind) {
	case DVM_TRACE_THINK:
		return dvmi_think(s, c, r, now);
	case DVM_TRACE_UNIT_BEGIN:
		t->unit_ps = now;
		t->unit_reply = r->id;
		return 0;
	case DVM_TRACE_UNIT_END:
		return dvmi_unit_end(s, c, r, now);
	case DVM_TRACE_PUT:
		return dvmi_queue_put(s, c, r, flags, now, next);
	case DVM_TRACE_GET:
		dvmi_queue_get(s, c, r);
		return 0;
	case DVM_TRACE_LOOP:
		t->step = step - (uint32_t)r->amount;
		return 0;
	default: /* ARRIVE: known since before the run */
		return 0;
	}
}

static int record(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_task *t,
		  const struct dvm_trace_record *r, uint64_t now, uint64_t *next)
{
	bool work = r->kind == DVM_TRACE_RUN || r->kind == DVM_TRACE_OP_BEGIN ||
		    r->kind == DVM_TRACE_OP_END;
	int ret;

	if (s->options.observer && !c->accesses_left)
		dvmi_observe(s, (struct dvm_sim_event){
			.kind = DVM_SIM_RECORD, .time_ps = now, .mm = c->mm, .task = c->task,
			.cpu = c->id, .record = (uint32_t)(r - s->records) });
	if (r->kind == DVM_TRACE_OP_BEGIN && r->op == DVM_TRACE_OP_EXEC &&
	    exec_moves(c, t, now))
		return dvmi_dispatch_switch(s, c, DVMI_SCHED_PREEMPTED, now, next);
	if (r->kind == DVM_TRACE_WAKE) {
		ret = dvmi_task_wakes(s, c, r, now, next);
		t->step++;
		return ret;
	}
	if (r->kind >= DVM_TRACE_THINK) {
		ret = queueing(s, c, t, r, now, next);
		if (!ret && t->state == DVMI_TASK_BLOCKED)
			return dvmi_dispatch_switch(s, c, DVMI_SCHED_SLEPT, now, next);
		return ret;
	}
	c->again = false;
	ret = dvmi_record_execute(s, c, r, now, next);
	t->step += !c->again;
	if (r->kind == DVM_TRACE_EXEC)
		t->placed = false;
	/* A flush call within an operation is no work that can be cut short. */
	c->running = work && *next != now && c->phase == DVMI_PHASE_RECORD;
	if (!ret && t->state == DVMI_TASK_BLOCKED)
		return dvmi_dispatch_switch(s, c, DVMI_SCHED_SLEPT, now, next);
	return ret;
}

static int step(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	const struct dvmi_script *script = c->script;
	struct dvmi_task *t = &s->tasks[c->task];
	uint64_t left = t->remaining_ps;
	uint32_t at;
	bool blocks;
	int ret;

	if (t->saved) {
		dvmi_hook_restore(s, c, now);
		return 0;
	}
	if (left) {
		t->remaining_ps = 0;
		c->running = true;
		return dvmi_run_rest(s, c, left, now, next);
	}
	at = t->step < script->end ? s->scripts.steps[t->step] : DVMI_STEP_KIND;
	if ((at & DVMI_STEP_KIND) == DVMI_STEP_RECORD)
		return record(s, c, t, &s->records[at], now, next);
	ret = dvmi_task_blocks(s, c->task, now, &blocks);
	if (ret)
		return ret;
	if (blocks && t->state == DVMI_TASK_BLOCKED)
		return dvmi_dispatch_switch(s, c, DVMI_SCHED_SLEPT, now, next);
	if (t->step < script->end)
		return 0;
	t->state = DVMI_TASK_OVER;
	return dvmi_dispatch_switch(s, c, DVMI_SCHED_EXITED, now, next);
}

/* What exists when the trace begins: each copy's first CPU brings it into being. */
static int boot(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	return dvmi_record_execute(s, c, &s->records[c->stream[c->next++]], now, next);
}

/*
 * Between two steps: on the way to user space, or at a point where the kernel may give way; but
 * between two accesses of a run only after an interrupt.
 */
static bool due(const struct dvm_sim *s, const struct dvmi_cpu *c)
{
	enum dvmi_sched_point point = DVMI_SCHED_AT_USER;

	if (c->guest->sched.rqs[c->vcpu].need == DVMI_SCHED_NEED_NONE ||
	    (c->accesses_left && !c->interrupted))
		return false;
	if (s->tasks[c->task].ops)
		point = s->cfg->preempt <= DVMI_PREEMPT_VOLUNTARY ? DVMI_SCHED_AT_COND :
								    DVMI_SCHED_AT_KERNEL;
	return dvmi_sched_may_switch(&c->guest->sched, c->vcpu, point);
}

int dvmi_dispatch_next(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	c->parked = false;
	if (c->next < c->count)
		return boot(s, c, now, next);
	if (!c->task || c->must_switch || due(s, c))
		return dvmi_dispatch_switch(s, c, DVMI_SCHED_PREEMPTED, now, next);
	c->interrupted = false;
	return step(s, c, now, next);
}

/* ---- the whole ---- */

static bool finished(const struct dvm_sim *s, uint32_t task)
{
	const struct dvmi_task *t = &s->tasks[task];

	/* A server that waits for work when no more can come. */
	return !t->exists || t->state == DVMI_TASK_OVER ||
	       (t->gets && dvmi_script_of(s, task)->loops);
}

int dvmi_dispatch_stuck(const struct dvm_sim *s, struct dvm_error *err)
{
	for (uint32_t task = 1; task < s->tasks_count; task++) {
		const struct dvmi_script *script = dvmi_script_of(s, task);
		const struct dvmi_task *t = &s->tasks[task];
		uint32_t at = t->step;

		if (finished(s, task))
			continue;
		if (t->gets)
			return dvmi_error_record(err, DVM_EFORMAT, "workload",
						 s->scripts.steps[at - 1] & DVMI_STEP_INDEX,
						 "task %u waits here for ever: nothing more is put into"
						 " queue %u", task,
						 s->records[s->scripts.steps[at - 1] &
							    DVMI_STEP_INDEX].id);
		while (at < script->end &&
		       (s->scripts.steps[at] & DVMI_STEP_KIND) != DVMI_STEP_RECORD)
			at++;
		return dvmi_error_record(err, DVM_EFORMAT, "workload",
					 at < script->end ? s->scripts.steps[at] : 0,
					 "task %u never gets here: the wake-up it needs never happens"
					 " ('dvmsim trace validate' may say more)", task);
	}
	return 0;
}

int dvmi_sim_schedule_init(struct dvm_sim *s, struct dvm_error *err)
{
	struct dvmi_sched_rules rules;
	int ret = dvmi_scripts_init(&s->scripts, s->options.trace, err);

	if (ret)
		return ret;
	dvmi_sched_rules_get(&rules, s->hw, s->cfg, s->cpus_count);
	if (s->cfg->vm_count)
		dvmi_sched_rules_flat(&rules, s->cfg, s->guests->cpus_count);
	for (unsigned n = 0; n < s->guests_count && !ret; n++)
		ret = dvmi_sched_init(&s->guests[n].sched, &rules,
				      (s->copies + s->guests_count - 1 - n) / s->guests_count *
				      s->ids.tasks);
	if (ret)
		return ret == -DVM_ENOMEM ? dvmi_error_nomem(err) :
			dvmi_error(err, -ret, "simulation", "the part's scheduling domains do not nest");
	dvmi_rng_init(&s->force_rng, s->options.seed, 3);
	for (unsigned n = 0; n < s->cpus_used; n++) {
		struct dvmi_cpu *c = &s->cpus[n];

		c->tick_ps = c->force_ps = DVMI_NEVER;
		c->stream = s->scripts.start;
		c->parked = true;
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), DVMI_NEVER);
	}
	for (unsigned k = 0; k < s->copies; k++) {
		struct dvmi_cpu *c = &s->cpus[dvmi_copy_cpu(s, k, 0)];

		c->count = s->scripts.start_count;
		c->parked = false;
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), c->start_ps);
	}
	for (uint32_t t = 0; t < s->tasks_count; t++)
		s->tasks[t].woken_ps = DVMI_NEVER;
	return dvmi_offline_arm(s);
}

void dvmi_sim_schedule_fini(struct dvm_sim *s)
{
	dvmi_saved_hooks_fini(s);
	for (unsigned n = 0; s->guests && n < s->guests_count; n++)
		dvmi_sched_fini(&s->guests[n].sched);
	dvmi_scripts_fini(&s->scripts);
}
