/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SCHED_DRIVER_H
#define DVMSIM_TESTS_SCHED_DRIVER_H

#include "kernel/sched_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/*
 * CPUs run their current task tick by tick; a switch takes no time. "ran" is counted here, not by
 * the scheduler.
 */
#define TASKS_MAX 256

struct driver {
	struct dvmi_sched s;
	uint64_t now_ps;
	uint64_t ran_ps[TASKS_MAX + 1];
	uint32_t migrations;
	uint16_t on[TASKS_MAX + 1];
};

static inline void init(struct driver *w, struct dvmi_sched_rules rules)
{
	memset(w, 0, sizeof(*w));
	w->now_ps = MS;
	ck_assert_int_eq(dvmi_sched_init(&w->s, &rules, TASKS_MAX), 0);
}

static inline void add(struct driver *w, uint32_t task, int nice, uint32_t cpu)
{
	struct dvmi_sched_attr a = { .nice = nice, .last_cpu = UINT32_MAX, .cpu = cpu };

	dvmi_sched_task_new(&w->s, task, &a);
}

static inline void add_bound(struct driver *w, uint32_t task, uint32_t first, uint32_t last)
{
	struct dvmi_sched_attr a = { .first_cpu = first, .last_cpu = last, .cpu = first };

	dvmi_sched_task_new(&w->s, task, &a);
}

static inline void schedule(struct driver *w, uint32_t cpu, enum dvmi_sched_how how)
{
	uint32_t prev = dvmi_sched_current(&w->s, cpu);
	struct dvmi_sched_pick p = dvmi_sched_pick(&w->s, cpu, how, w->now_ps);

	if (p.task && w->on[p.task] != cpu + 1) {
		w->migrations += w->on[p.task] != 0;
		w->on[p.task] = (uint16_t)(cpu + 1);
	}
	dvmi_sched_switched(&w->s, cpu, prev == p.task ? 0 : prev, w->now_ps);
}

/* Everybody who is told to, does. */
static inline void settle(struct driver *w)
{
	for (uint32_t c = 0; c < w->s.rules.cpus; c++)
		if (dvmi_sched_may_switch(&w->s, c, DVMI_SCHED_AT_USER))
			schedule(w, c, DVMI_SCHED_PREEMPTED);
}

/* Put @task on the queue of @cpu, wherever placement would have it. */
static inline void force(struct driver *w, uint32_t task, uint32_t cpu)
{
	uint16_t first = w->s.tasks[task].first_cpu, last = w->s.tasks[task].last_cpu;

	w->s.tasks[task].first_cpu = w->s.tasks[task].last_cpu = (uint16_t)cpu;
	w->s.tasks[task].cpu = (uint16_t)cpu;
	dvmi_sched_wake(&w->s, task, cpu, DVMI_SCHED_WAKE_IRQ, w->now_ps, NULL);
	w->s.tasks[task].first_cpu = first;
	w->s.tasks[task].last_cpu = last;
}

static inline void run(struct driver *w, uint64_t ticks)
{
	uint64_t tick = w->s.rules.tick_ns * 1000;

	while (ticks--) {
		for (uint32_t c = 0; c < w->s.rules.cpus; c++)
			w->ran_ps[dvmi_sched_current(&w->s, c)] += tick;
		w->now_ps += tick;
		for (uint32_t c = 0; c < w->s.rules.cpus; c++) {
			struct dvmi_sched_ticked t = dvmi_sched_tick(&w->s, c, w->now_ps);

			if (t.kick != DVMI_SCHED_NONE)
				dvmi_sched_nohz(&w->s, t.kick, w->now_ps);
		}
		settle(w);
		ck_assert_ptr_null(dvmi_sched_check(&w->s));
	}
}

#endif
