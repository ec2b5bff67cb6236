/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

#include <dvmsim/error.h>

/* set_cpus_allowed_ptr(), sched_cpu_deactivate(), balance_push(). */

static const struct dvmi_sched_note nobody = { DVMI_SCHED_NONE, DVMI_SCHED_NEED_NONE, false };

/* One allowed CPU, the nearest idle one if there is any. */
static uint32_t destination(struct dvmi_sched *s, struct dvmi_sched_task *t)
{
	for (uint32_t c = dvmi_sched_next(s->idle, t->first_cpu, (uint32_t)t->last_cpu + 1);
	     c != DVMI_SCHED_NONE; c = dvmi_sched_next(s->idle, c + 1, (uint32_t)t->last_cpu + 1))
		if (dvmi_sched_may_run(s, t, c))
			return c;
	return dvmi_sched_fallback(s, t, t->cpu);
}

struct dvmi_sched_allowed dvmi_sched_set_allowed(struct dvmi_sched *s, uint32_t task,
						 uint32_t first, uint32_t last, uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	struct dvmi_sched_allowed r = { .note = nobody };
	uint32_t to;

	s->moves_count = 0;
	if (t->migrate_disabled && !(s->omit & DVMI_SCHED_OMIT_PENDING)) {
		t->want_first = (uint16_t)first;
		t->want_last = (uint16_t)last;
		t->waits = true;
		r.waits = true;
		return r;
	}
	t->first_cpu = (uint16_t)first;
	t->last_cpu = (uint16_t)last;
	t->bound = first == last;
	if (dvmi_sched_may_run(s, t, t->cpu) || t->state == DVMI_SCHED_BLOCKED ||
	    t->state == DVMI_SCHED_ABSENT)
		return r; /* a blocked one is placed when it wakes */
	to = destination(s, t);
	if (t->state == DVMI_SCHED_RUNNING || t->on_cpu) {
		if (t->state == DVMI_SCHED_RUNNING)
			r.note = dvmi_sched_push(s, t->cpu, to, DVMI_SCHED_AFFINITY);
	} else if (t->state == DVMI_SCHED_QUEUED) {
		dvmi_sched_move(s, task, to, DVMI_SCHED_AFFINITY, now_ps / 1000);
		r.note = dvmi_sched_preempts(s, to, task, now_ps / 1000);
	}
	return r;
}

static bool may_leave(const struct dvmi_sched_task *t)
{
	return t->state == DVMI_SCHED_QUEUED && !t->migrate_disabled && !t->on_cpu;
}

static uint32_t leaves_tree(const struct dvmi_sched *s, uint32_t node)
{
	uint32_t found = 0;

	if (!node)
		return 0;
	if (may_leave(&s->tasks[node]))
		return node;
	found = leaves_tree(s, s->tasks[node].left);
	return found ? found : leaves_tree(s, s->tasks[node].right);
}

/* A waiting task of @rq that may go; 0: none. */
static uint32_t leaves(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	uint32_t task = leaves_tree(s, rq->rt);

	return task ? task : leaves_tree(s, rq->fair);
}

int dvmi_sched_offline(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps, uint32_t *left,
		       struct dvmi_sched_note *note)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t now_ns = now_ps / 1000;
	uint32_t online = 0, task;

	s->moves_count = 0;
	for (uint32_t c = 0; c < s->rules.cpus; c++)
		online += s->rqs[c].online && c != cpu;
	if (!online)
		return -DVM_EINVAL;
	rq->online = false;
	dvmi_sched_refresh(s, cpu, now_ns);
	while (s->moves_count < DVMI_SCHED_MOVES_MAX && (task = leaves(s, rq))) {
		struct dvmi_sched_task *t = &s->tasks[task];
		uint32_t to = destination(s, t);

		dvmi_sched_move(s, task, to, DVMI_SCHED_HOTPLUG, now_ns);
		dvmi_sched_preempts(s, to, task, now_ns);
	}
	*note = rq->current ? dvmi_sched_resched(s, cpu, false) : nobody;
	*left = dvmi_sched_running(rq) + rq->coming + rq->nr_pinned;
	return 0;
}

void dvmi_sched_online(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];

	s->moves_count = 0;
	rq->online = true;
	rq->avg_idle_ns = 2 * s->rules.migration_cost_ns;
	rq->idle_since_ns = now_ps / 1000;
	dvmi_sched_refresh(s, cpu, now_ps / 1000);
}
