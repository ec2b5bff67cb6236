/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/rng.h"
#include "kernel/sched_world.h"

#include <dvmsim/error.h>

#include <stdio.h>
#include <string.h>

/*
 * Random calls in random order, on machines of several shapes, held against a plain account of who
 * runs where. After every call the scheduler's own invariants (dvmi_sched_check) hold as well.
 */

#define CPUS 16
#define TASKS 48

struct world {
	struct dvmi_sched s;
	struct dvmi_rng rng;
	uint64_t now_ps;
	uint32_t runs_on[TASKS + 1];  /* CPU + 1, while on its feet there; 0 */
	uint32_t leaving[CPUS];	      /* switched out, switched() not yet called; 0 */
	bool pinned_out[TASKS + 1];   /* switched out while pinned */
	uint32_t pin_cpu[TASKS + 1];
	uint32_t first[TASKS + 1], last[TASKS + 1];
	bool offline_began[CPUS];
	uint64_t picks, moves, wakes;
	const char *fault;
};

static const struct shape {
	const char *name;
	uint32_t smt, cluster, llc, node, cpus;
	enum dvmi_preempt preempt;
	bool delay;
} shapes[] = {
	{ "one cpu", 1, 1, 1, 1, 1, DVMI_PREEMPT_FULL, true },
	{ "flat", 1, 1, 16, 16, 16, DVMI_PREEMPT_FULL, false },
	{ "clusters", 1, 4, 8, 16, 16, DVMI_PREEMPT_LAZY, true },
	{ "smt, two nodes", 2, 4, 8, 8, 16, DVMI_PREEMPT_RT, true },
	{ "uneven", 1, 2, 4, 8, 14, DVMI_PREEMPT_NONE, true },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static uint32_t draw(struct world *w, uint32_t n)
{
	return (uint32_t)dvmi_rng_below(&w->rng, n);
}

static void fault(struct world *w, const char *text)
{
	if (!w->fault)
		w->fault = text;
}

static void new_task(struct world *w, uint32_t task)
{
	uint32_t cpus = w->s.rules.cpus, a = draw(w, cpus), b = draw(w, cpus);
	struct dvmi_sched_attr attr = {
		.nice = (int)draw(w, 40) - 20,
		.policy = draw(w, 8) ? DVMI_SCHED_FAIR : DVMI_SCHED_FIFO,
		.priority = 1 + draw(w, 99),
		.first_cpu = draw(w, 2) ? 0 : a < b ? a : b,
		.last_cpu = draw(w, 2) ? cpus - 1 : a < b ? b : a,
		.cpu = draw(w, cpus),
	};

	dvmi_sched_task_new(&w->s, task, &attr);
	w->first[task] = attr.first_cpu < attr.last_cpu ? attr.first_cpu : attr.last_cpu;
	w->last[task] = attr.last_cpu;
}

static bool init(struct world *w, const struct shape *shape, uint64_t seed, unsigned omit)
{
	struct dvmi_sched_rules rules = sched_rules(shape->smt, shape->cluster, shape->llc,
						    shape->node, shape->cpus);

	memset(w, 0, sizeof(*w));
	rules.preempt = shape->preempt;
	rules.delay_dequeue = shape->delay;
	rules.numa_balancing = true;
	rules.numa_scan_ns = 10000000;
	dvmi_rng_init(&w->rng, seed, 0);
	if (dvmi_sched_init(&w->s, &rules, TASKS))
		return false;
	w->s.omit = omit;
	for (uint32_t t = 1; t <= TASKS; t++)
		new_task(w, t);
	return true;
}

/* Nobody who is pinned, on its feet or not allowed there may have been moved. */
static void check_moves(struct world *w)
{
	for (uint32_t i = 0; i < w->s.moves_count; i++) {
		const struct dvmi_sched_move *m = &w->s.moves[i];
		const struct dvmi_sched_task *t = &w->s.tasks[m->task];

		w->moves++;
		if (t->migrate_disabled)
			fault(w, "a pinned task was moved");
		if (w->runs_on[m->task] && w->runs_on[m->task] != m->from + 1)
			fault(w, "a task was moved that is on its feet elsewhere");
		if (w->runs_on[m->task])
			fault(w, "a task was moved before it had left its CPU");
		if (m->to < t->first_cpu || m->to > t->last_cpu)
			fault(w, "a task was moved to where it may not run");
		if (!w->s.rqs[m->to].online)
			fault(w, "a task was moved to a CPU that is offline");
	}
}

static void schedule(struct world *w, uint32_t cpu, enum dvmi_sched_how how)
{
	uint32_t prev = dvmi_sched_current(&w->s, cpu);
	struct dvmi_sched_pick p;

	if (w->leaving[cpu])
		return;
	p = dvmi_sched_pick(&w->s, cpu, how, w->now_ps);
	w->picks++;
	if (p.task != prev && prev) {
		w->leaving[cpu] = prev;
		if (w->s.tasks[prev].migrate_disabled)
			w->pinned_out[prev] = true;
	}
	check_moves(w);
	if (!p.task)
		return;
	if (w->runs_on[p.task] && w->runs_on[p.task] != cpu + 1)
		fault(w, "a task runs on two CPUs");
	if (w->s.tasks[p.task].migrate_disabled && w->pin_cpu[p.task] != cpu)
		fault(w, "a task migrated inside migrate_disable");
	w->runs_on[p.task] = cpu + 1;
}

static void switched(struct world *w, uint32_t cpu)
{
	uint32_t prev = w->leaving[cpu];

	if (!prev)
		return;
	w->leaving[cpu] = 0;
	if (dvmi_sched_current(&w->s, cpu) != prev)
		w->runs_on[prev] = 0;
	dvmi_sched_switched(&w->s, cpu, prev, w->now_ps);
	check_moves(w);
}

static void wake(struct world *w, uint32_t task, uint32_t cpu)
{
	const struct dvmi_sched_task *t = &w->s.tasks[task];
	struct dvmi_sched_place p;
	bool fork = t->state == DVMI_SCHED_ABSENT;

	if (t->state > DVMI_SCHED_BLOCKED || (fork && w->runs_on[task]))
		return;
	if (fork) {
		new_task(w, task);
		p = dvmi_sched_place_fork(&w->s, task, cpu, w->now_ps);
	} else {
		p = dvmi_sched_place_wake(&w->s, task, cpu, draw(w, 4), w->now_ps);
	}
	w->wakes++;
	if (!p.queued && !t->migrate_disabled && p.reason != DVMI_SCHED_WAKE_ON_CPU &&
	    (p.cpu < t->first_cpu || p.cpu > t->last_cpu))
		fault(w, "a task was placed where it may not run");
	if (!w->s.rqs[p.cpu].online && !t->migrate_disabled && !p.queued &&
	    p.reason != DVMI_SCHED_WAKE_ON_CPU)
		fault(w, "a task was placed on a CPU that is offline");
	if (!p.queued)
		dvmi_sched_enqueue(&w->s, task, p.cpu, w->now_ps);
}

static void pin(struct world *w, uint32_t cpu)
{
	uint32_t task = dvmi_sched_current(&w->s, cpu);
	struct dvmi_sched_task *t = &w->s.tasks[task];
	struct dvmi_sched_enabled e;

	if (!task || (!t->migrate_disabled && draw(w, 4)))
		return;
	if (!t->migrate_disabled || (t->migrate_disabled < 4 && !draw(w, 4))) {
		if (dvmi_sched_migrate_disable(&w->s, task)) {
			w->pin_cpu[task] = cpu;
			w->pinned_out[task] = false;
		}
		return;
	}
	e = dvmi_sched_migrate_enable(&w->s, task, w->now_ps);
	if (e.outermost && w->pinned_out[task] && !e.slow)
		fault(w, "migrate_enable() is fast though its task was switched out");
	if (e.resched)
		schedule(w, cpu, DVMI_SCHED_PREEMPTED);
}

static void plug(struct world *w, uint32_t cpu)
{
	struct dvmi_sched_note note;
	uint32_t left;

	if (!w->s.rqs[cpu].online && draw(w, 4))
		dvmi_sched_online(&w->s, cpu, w->now_ps);
	else if (!draw(w, 4) && !dvmi_sched_offline(&w->s, cpu, w->now_ps, &left, &note))
		check_moves(w);
}

static void allow(struct world *w, uint32_t task)
{
	uint32_t cpus = w->s.rules.cpus, a = draw(w, cpus), b = draw(w, cpus);
	bool any = false;

	if (a > b || draw(w, 4)) {
		a = 0;
		b = cpus - 1;
	}
	for (uint32_t c = a; c <= b; c++)
		any |= w->s.rqs[c].online;
	if (!any)
		return;
	dvmi_sched_set_allowed(&w->s, task, a, b, w->now_ps);
	check_moves(w);
}

static void end_stint(struct world *w, uint32_t cpu)
{
	uint32_t task = dvmi_sched_current(&w->s, cpu);
	enum dvmi_sched_how how = (enum dvmi_sched_how)draw(w, 4);
	const struct dvmi_sched_task *t = &w->s.tasks[task];

	if (how == DVMI_SCHED_EXITED && (draw(w, 4) || t->migrate_disabled))
		how = DVMI_SCHED_SLEPT;
	schedule(w, cpu, how);
}

static void tick(struct world *w, uint32_t cpu)
{
	struct dvmi_sched_ticked t;

	if (!dvmi_sched_current(&w->s, cpu) || w->leaving[cpu])
		return;
	t = dvmi_sched_tick(&w->s, cpu, w->now_ps);
	check_moves(w);
	if (t.kick != DVMI_SCHED_NONE) {
		dvmi_sched_nohz(&w->s, t.kick, w->now_ps);
		check_moves(w);
	}
	if (dvmi_sched_may_switch(&w->s, cpu, DVMI_SCHED_AT_USER))
		schedule(w, cpu, DVMI_SCHED_PREEMPTED);
}

static void step(struct world *w)
{
	uint32_t cpu = draw(w, w->s.rules.cpus), task = 1 + draw(w, TASKS);

	w->now_ps += 1000 * (uint64_t)draw(w, draw(w, 8) ? 20000 : 4000000);
	switch (draw(w, 24)) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		wake(w, task, cpu);
		break;
	case 6:
	case 7:
	case 8:
		end_stint(w, cpu);
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		switched(w, cpu);
		break;
	case 13:
	case 14:
		tick(w, cpu);
		break;
	case 15:
	case 16:
	case 17:
		pin(w, cpu);
		break;
	case 18:
		if (!draw(w, 4))
			plug(w, cpu);
		break;
	case 19:
		if (!draw(w, 4))
			allow(w, task);
		break;
	case 20:
		dvmi_sched_place_exec(&w->s, cpu, w->now_ps);
		break;
	default:
		if (dvmi_sched_may_switch(&w->s, cpu, DVMI_SCHED_AT_USER))
			schedule(w, cpu, DVMI_SCHED_PREEMPTED);
	}
}

static uint64_t steps(uint64_t normal)
{
	const char *text = getenv("DVMSIM_SCHED_STEPS");

	return text ? strtoull(text, NULL, 10) : normal;
}

static const char *run(struct world *w, const struct shape *shape, uint64_t seed, unsigned omit,
		       uint64_t count, unsigned every)
{
	const char *found = NULL;

	ck_assert(init(w, shape, seed, omit));
	for (uint64_t i = 0; i < count && !found; i++) {
		step(w);
		if (i % every == 0 && !w->fault)
			w->fault = dvmi_sched_check(&w->s);
		found = w->fault;
	}
	return found;
}

START_TEST(random_steps_keep_every_rule)
{
	static struct world w;
	const char *found = run(&w, &shapes[_i], 1, 0, steps(200000), 7);

	ck_assert_msg(!found, "%s: %s", shapes[_i].name, found);
	ck_assert_uint_gt(w.picks, 1000);
	ck_assert(shapes[_i].cpus == 1 || w.moves > 100);
	dvmi_sched_fini(&w.s);
}
END_TEST

static const struct {
	unsigned omit;
	const char *found;
} mutants[] = {
	{ DVMI_SCHED_OMIT_ON_CPU, "a task was moved before it had left its CPU" },
	{ DVMI_SCHED_OMIT_PINNED, "a pinned task was moved" },
	{ DVMI_SCHED_OMIT_AFFINITY, "a task was moved to where it may not run" },
	{ DVMI_SCHED_OMIT_NARROW, "migrate_enable() is fast though its task was switched out" },
	{ DVMI_SCHED_OMIT_DEQUEUE, "a queue's counts are wrong" },
	{ DVMI_SCHED_OMIT_OFFLINE, NULL },
	{ DVMI_SCHED_OMIT_HEAP, "a subtree's least virtual time is wrong" },
	{ DVMI_SCHED_OMIT_COUNT, "a group's sums are wrong" },
	{ DVMI_SCHED_OMIT_PENDING, NULL },
};

START_TEST(a_line_left_out_is_noticed)
{
	static struct world w;
	const char *found = run(&w, &shapes[2], 1, mutants[_i].omit, 200000, 1);

	ck_assert_msg(found, "mutant %u was not noticed", mutants[_i].omit);
	if (mutants[_i].found)
		ck_assert_str_eq(found, mutants[_i].found);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(the_same_calls_give_the_same_answers)
{
	static struct world a, b;

	ck_assert_ptr_null(run(&a, &shapes[3], 7, 0, 20000, 1000));
	ck_assert_ptr_null(run(&b, &shapes[3], 7, 0, 20000, 1000));
	ck_assert_mem_eq(a.s.counts, b.s.counts, sizeof(a.s.counts));
	ck_assert_mem_eq(a.s.tasks, b.s.tasks, sizeof(*a.s.tasks) * (TASKS + 1));
	dvmi_sched_fini(&a.s);
	dvmi_sched_fini(&b.s);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "sched-random");

	tcase_add_loop_test(tc, random_steps_keep_every_rule, 0, (int)SHAPES);
	tcase_add_test(tc, the_same_calls_give_the_same_answers);
	tc = check_case(suite, "sched-mutants");
	tcase_add_loop_test(tc, a_line_left_out_is_noticed, 0,
			    (int)(sizeof(mutants) / sizeof(mutants[0])));
}

CHECK_MAIN("sched_random", add_cases)
