/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/* Preemption models, and what keeps a task on its CPU. */

/*
 * kernel/Kconfig.preempt, kernel/entry/common.c. A return to user space always reschedules. In the
 * kernel: none waits for cond_resched(), voluntary for might_sleep() as well; full and rt at once
 * where the count is 0; lazy so for what may not wait, and not at all for the rest.
 */
bool dvmi_sched_rule(enum dvmi_preempt model, enum dvmi_sched_need need,
		     enum dvmi_sched_point point, bool counted)
{
	if (need == DVMI_SCHED_NEED_NONE)
		return false;
	if (point == DVMI_SCHED_AT_USER)
		return true;
	if (counted)
		return false;
	switch (model) {
	case DVMI_PREEMPT_NONE:
		return point == DVMI_SCHED_AT_COND;
	case DVMI_PREEMPT_VOLUNTARY:
		return point == DVMI_SCHED_AT_COND || point == DVMI_SCHED_AT_MIGHT_SLEEP;
	case DVMI_PREEMPT_LAZY:
		return need == DVMI_SCHED_NEED_NOW;
	default:
		return true;
	}
}

bool dvmi_sched_may_switch(const struct dvmi_sched *s, uint32_t cpu, enum dvmi_sched_point point)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];

	if (!rq->current)
		return rq->need != DVMI_SCHED_NEED_NONE || dvmi_sched_running(rq) > 0;
	return dvmi_sched_rule(s->rules.preempt, (enum dvmi_sched_need)rq->need, point,
			       s->tasks[rq->current].preempt_count != 0);
}

void dvmi_sched_preempt_disable(struct dvmi_sched *s, uint32_t task)
{
	s->tasks[task].preempt_count++;
}

bool dvmi_sched_preempt_enable(struct dvmi_sched *s, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	if (--t->preempt_count || t->state != DVMI_SCHED_RUNNING)
		return false;
	return dvmi_sched_may_switch(s, t->cpu, DVMI_SCHED_AT_KERNEL);
}

bool dvmi_sched_migrate_disable(struct dvmi_sched *s, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	if (t->migrate_disabled++)
		return false;
	s->rqs[t->cpu].nr_pinned++;
	return true;
}

struct dvmi_sched_enabled dvmi_sched_migrate_enable(struct dvmi_sched *s, uint32_t task,
						    uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	struct dvmi_sched_enabled r = { 0 };

	(void)now_ps;
	if (--t->migrate_disabled)
		return r;
	s->rqs[t->cpu].nr_pinned--;
	r.outermost = true;
	r.slow = t->narrowed;
	t->narrowed = false;
	if (t->waits) {
		t->first_cpu = t->want_first;
		t->last_cpu = t->want_last;
		t->bound = t->first_cpu == t->last_cpu;
		t->waits = false;
	}
	if (!dvmi_sched_may_run(s, t, t->cpu)) {
		r.slow = true;
		if (t->state == DVMI_SCHED_RUNNING)
			dvmi_sched_push(s, t->cpu, dvmi_sched_fallback(s, t, t->cpu),
					s->rqs[t->cpu].online ? DVMI_SCHED_AFFINITY :
								DVMI_SCHED_HOTPLUG);
		r.resched = true;
	}
	return r;
}

void dvmi_sched_lock(struct dvmi_sched *s, uint32_t task)
{
	if (dvmi_sched_lock_sleeps(s))
		dvmi_sched_migrate_disable(s, task);
	else
		dvmi_sched_preempt_disable(s, task);
}

bool dvmi_sched_unlock(struct dvmi_sched *s, uint32_t task, uint64_t now_ps)
{
	if (dvmi_sched_lock_sleeps(s))
		return dvmi_sched_migrate_enable(s, task, now_ps).resched;
	return dvmi_sched_preempt_enable(s, task);
}
