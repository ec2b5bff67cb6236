/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "kernel/sched_driver.h"

/* The scheduler against its rules, one at a time: virtual time, preemption, pinning. */

/* ---- virtual time ---- */

static const struct {
	int nice[4];
	unsigned weight[4]; /* sched_prio_to_weight[], kernel/sched/core.c */
	unsigned count;
} shares[] = {
	{ { 0, 0 }, { 1024, 1024 }, 2 },
	{ { 0, 5 }, { 1024, 335 }, 2 },
	{ { 0, 0, 0, -5 }, { 1024, 1024, 1024, 3121 }, 4 },
	{ { 19, 10, 0 }, { 15, 110, 1024 }, 3 },
};

/* Each gets its weight's share of the CPU, to within two slices and a tick (EEVDF's bound on lag). */
START_TEST(cpu_time_is_shared_by_weight)
{
	uint64_t total = 0, all = 20000 * MS, slack = 8 * MS;
	static struct driver w;

	init(&w, sched_rules(1, 1, 1, 1, 1));
	for (unsigned i = 0; i < shares[_i].count; i++) {
		add(&w, i + 1, shares[_i].nice[i], 0);
		force(&w, i + 1, 0);
		total += shares[_i].weight[i];
	}
	settle(&w);
	run(&w, 20000);
	for (unsigned i = 0; i < shares[_i].count; i++) {
		uint64_t due = all / total * shares[_i].weight[i];

		ck_assert_uint_le(w.ran_ps[i + 1], due + slack);
		ck_assert_uint_le(due, w.ran_ps[i + 1] + slack);
	}
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(time_that_is_not_accounted_is_noticed)
{
	static struct driver w;

	init(&w, sched_rules(1, 1, 1, 1, 1));
	w.s.omit = DVMI_SCHED_OMIT_ACCOUNT;
	for (uint32_t t = 1; t <= 2; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	run(&w, 1000);
	ck_assert_uint_ne(w.ran_ps[1], w.ran_ps[2]);
	ck_assert(!w.ran_ps[1] || !w.ran_ps[2]);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* RUN_TO_PARITY: two equals alternate by slices of 3 ticks; without it, by ticks. */
static const struct {
	bool parity;
	uint64_t stints;
} parities[] = { { true, 20 }, { false, 60 } };

START_TEST(a_slice_is_used_up_before_the_next_one)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 1, 1, 1);
	static struct driver w;
	uint32_t before = 0;
	uint64_t stints = 0;

	rules.run_to_parity = parities[_i].parity;
	init(&w, rules);
	for (uint32_t t = 1; t <= 2; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	run(&w, 60);
	before = 0;
	for (int i = 0; i < 60; i++) {
		run(&w, 1);
		stints += dvmi_sched_current(&w.s, 0) != before;
		before = dvmi_sched_current(&w.s, 0);
	}
	ck_assert_uint_le(stints, parities[_i].stints + 2);
	ck_assert_uint_ge(stints, parities[_i].stints - 2);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* A sleeper is owed no more than it was when it went, however long it slept. */
START_TEST(sleep_earns_nothing)
{
	static struct driver w;
	uint64_t before;

	init(&w, sched_rules(1, 1, 1, 1, 1));
	for (uint32_t t = 1; t <= 2; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	run(&w, 30);
	while (dvmi_sched_current(&w.s, 0) != 1)
		run(&w, 1);
	schedule(&w, 0, DVMI_SCHED_SLEPT);
	run(&w, 10000);
	before = w.ran_ps[2];
	force(&w, 1, 0);
	settle(&w);
	run(&w, 60);
	/* Half of 60, and its bounded lag of at most a slice and a tick either way. */
	ck_assert_uint_ge(w.ran_ps[2] - before, (30 - 4) * MS);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(who_yields_goes_behind_the_others)
{
	static struct driver w;
	uint32_t first;

	init(&w, sched_rules(1, 1, 1, 1, 1));
	for (uint32_t t = 1; t <= 3; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	for (int i = 0; i < 6; i++) {
		first = dvmi_sched_current(&w.s, 0);
		schedule(&w, 0, DVMI_SCHED_YIELDED);
		ck_assert_uint_ne(dvmi_sched_current(&w.s, 0), first);
	}
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(real_time_comes_before_fair_and_by_priority)
{
	static struct driver w;
	struct dvmi_sched_attr a = { .policy = DVMI_SCHED_FIFO, .last_cpu = UINT32_MAX };

	init(&w, sched_rules(1, 1, 1, 1, 1));
	add(&w, 1, -20, 0);
	force(&w, 1, 0);
	settle(&w);
	for (uint32_t t = 2; t <= 4; t++) {
		a.priority = t * 10;
		dvmi_sched_task_new(&w.s, t, &a);
		force(&w, t, 0);
		settle(&w);
		ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), t);
	}
	run(&w, 100); /* FIFO: no slice */
	ck_assert_uint_eq(w.ran_ps[4], 100 * MS);
	for (uint32_t t = 4; t >= 1; t--) {
		ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), t);
		schedule(&w, 0, DVMI_SCHED_SLEPT);
	}
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* With DELAY_DEQUEUE, who sleeps while ahead of the others stays queued, and wakes where it is. */
START_TEST(a_sleeper_that_is_ahead_stays_queued)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 2, 2, 2);
	struct dvmi_sched_place p;
	static struct driver w;

	rules.delay_dequeue = _i;
	init(&w, rules);
	for (uint32_t t = 1; t <= 2; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	schedule(&w, 0, DVMI_SCHED_PREEMPTED);
	w.now_ps += MS; /* the running one is now ahead */
	schedule(&w, 0, DVMI_SCHED_SLEPT);
	dvmi_sched_wake(&w.s, 1, 0, 0, w.now_ps, &p);
	ck_assert_int_eq(p.reason, _i ? DVMI_SCHED_WAKE_QUEUED : DVMI_SCHED_IDLE_SIBLING);
	ck_assert_uint_eq(p.cpu, _i ? 0 : 1);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* ---- preemption ---- */

#define N DVMI_SCHED_NEED_NOW
#define L DVMI_SCHED_NEED_LAZY
/* kernel.md 12.2: user, kernel, cond_resched, might_sleep; the last column with a count. */
static const struct {
	enum dvmi_preempt model;
	enum dvmi_sched_need need;
	bool may[4];
} models[] = {
	{ DVMI_PREEMPT_NONE, N, { 1, 0, 1, 0 } },
	{ DVMI_PREEMPT_VOLUNTARY, N, { 1, 0, 1, 1 } },
	{ DVMI_PREEMPT_LAZY, L, { 1, 0, 0, 0 } },
	{ DVMI_PREEMPT_LAZY, N, { 1, 1, 1, 1 } },
	{ DVMI_PREEMPT_FULL, N, { 1, 1, 1, 1 } },
	{ DVMI_PREEMPT_RT, N, { 1, 1, 1, 1 } },
};
#undef N
#undef L

START_TEST(where_a_task_may_be_switched_out)
{
	for (int point = 0; point < 4; point++) {
		enum dvmi_sched_point at = (enum dvmi_sched_point)point;

		ck_assert_int_eq(dvmi_sched_rule(models[_i].model, models[_i].need, at, false),
				 models[_i].may[point]);
		ck_assert_int_eq(dvmi_sched_rule(models[_i].model, models[_i].need, at, true),
				 point == DVMI_SCHED_AT_USER);
		ck_assert(!dvmi_sched_rule(models[_i].model, DVMI_SCHED_NEED_NONE, at, false));
	}
}
END_TEST

/* Lazy: a fair wake-up is put off, without an interrupt, until the tick; a real-time one is not. */
static const struct {
	enum dvmi_preempt model;
	enum dvmi_sched_policy policy;
	enum dvmi_sched_need need;
	bool ipi;
} wakeups[] = {
	{ DVMI_PREEMPT_LAZY, DVMI_SCHED_FAIR, DVMI_SCHED_NEED_LAZY, false },
	{ DVMI_PREEMPT_LAZY, DVMI_SCHED_FIFO, DVMI_SCHED_NEED_NOW, true },
	{ DVMI_PREEMPT_FULL, DVMI_SCHED_FAIR, DVMI_SCHED_NEED_NOW, true },
	{ DVMI_PREEMPT_NONE, DVMI_SCHED_FAIR, DVMI_SCHED_NEED_NOW, true },
};

START_TEST(a_wake_up_preempts_as_the_model_says)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 1, 1, 1);
	struct dvmi_sched_attr a = { .policy = wakeups[_i].policy, .priority = 50 };
	struct dvmi_sched_note note;
	static struct driver w;

	rules.preempt = wakeups[_i].model;
	rules.run_to_parity = false;
	init(&w, rules);
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	w.now_ps += 2 * MS;
	dvmi_sched_task_new(&w.s, 2, &a);
	note = dvmi_sched_wake(&w.s, 2, 0, 0, w.now_ps, NULL);
	ck_assert_int_eq(note.need, wakeups[_i].need);
	ck_assert_int_eq(note.ipi, wakeups[_i].ipi);
	ck_assert_int_eq(dvmi_sched_may_switch(&w.s, 0, DVMI_SCHED_AT_KERNEL),
			 note.need == DVMI_SCHED_NEED_NOW && rules.preempt != DVMI_PREEMPT_NONE);
	ck_assert_int_eq(dvmi_sched_tick(&w.s, 0, w.now_ps).need, DVMI_SCHED_NEED_NOW);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(preempt_disable_nests_and_the_last_enable_reschedules)
{
	struct dvmi_sched_attr rt = { .policy = DVMI_SCHED_FIFO, .priority = 50 };
	static struct driver w;

	init(&w, sched_rules(1, 1, 1, 1, 1));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	dvmi_sched_preempt_disable(&w.s, 1);
	dvmi_sched_preempt_disable(&w.s, 1);
	dvmi_sched_task_new(&w.s, 2, &rt);
	dvmi_sched_wake(&w.s, 2, 0, 0, w.now_ps, NULL);
	ck_assert(!dvmi_sched_may_switch(&w.s, 0, DVMI_SCHED_AT_KERNEL));
	ck_assert(!dvmi_sched_preempt_enable(&w.s, 1));
	ck_assert(dvmi_sched_preempt_enable(&w.s, 1));
	schedule(&w, 0, DVMI_SCHED_PREEMPTED);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 2);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* kernel.md 12.1: the slow path only after having been switched out; nesting only counts. */
START_TEST(migrate_enable_is_slow_only_after_a_switch)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 2, 2, 2);
	static struct driver w;

	init(&w, rules);
	add(&w, 1, 0, 0);
	add_bound(&w, 2, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	ck_assert(dvmi_sched_migrate_disable(&w.s, 1));
	ck_assert(!dvmi_sched_migrate_disable(&w.s, 1));
	ck_assert_uint_eq(w.s.rqs[0].nr_pinned, 1);
	ck_assert(!dvmi_sched_migrate_enable(&w.s, 1, w.now_ps).outermost);
	ck_assert(!dvmi_sched_migrate_enable(&w.s, 1, w.now_ps).slow);
	dvmi_sched_migrate_disable(&w.s, 1);
	schedule(&w, 0, DVMI_SCHED_SLEPT);
	force(&w, 2, 0);
	settle(&w);
	/* CPU 1 is idle, and still it comes back here. */
	dvmi_sched_wake(&w.s, 1, 1, 0, w.now_ps, NULL);
	ck_assert_uint_eq(w.s.tasks[1].cpu, 0);
	schedule(&w, 0, DVMI_SCHED_SLEPT);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 1);
	ck_assert(dvmi_sched_migrate_enable(&w.s, 1, w.now_ps).slow);
	ck_assert_uint_eq(w.s.rqs[0].nr_pinned, 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(a_change_of_affinity_waits_for_migrate_enable)
{
	static struct driver w;
	struct dvmi_sched_enabled e;

	init(&w, sched_rules(1, 1, 2, 2, 2));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	dvmi_sched_migrate_disable(&w.s, 1);
	ck_assert(dvmi_sched_set_allowed(&w.s, 1, 1, 1, w.now_ps).waits);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 1);
	e = dvmi_sched_migrate_enable(&w.s, 1, w.now_ps);
	ck_assert(e.slow && e.resched);
	schedule(&w, 0, DVMI_SCHED_PREEMPTED);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 1), 1);
	ck_assert_int_eq(dvmi_sched_reason(&w.s, 1), DVMI_SCHED_AFFINITY);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* On RT a spinlock pins instead of keeping off others, and its owner may be switched out. */
START_TEST(a_spinlock_pins_on_rt_and_stops_preemption_elsewhere)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 1, 1, 1);
	static struct driver w;

	rules.preempt = _i ? DVMI_PREEMPT_RT : DVMI_PREEMPT_FULL;
	init(&w, rules);
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	dvmi_sched_lock(&w.s, 1);
	ck_assert_uint_eq(w.s.tasks[1].migrate_disabled, (unsigned)_i);
	ck_assert_uint_eq(w.s.tasks[1].preempt_count, (unsigned)!_i);
	ck_assert_int_eq(dvmi_sched_lock_sleeps(&w.s), _i);
	dvmi_sched_unlock(&w.s, 1, w.now_ps);
	ck_assert_uint_eq(w.s.tasks[1].migrate_disabled + w.s.tasks[1].preempt_count, 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "virtual time");

	tcase_add_loop_test(tc, cpu_time_is_shared_by_weight, 0, 4);
	tcase_add_test(tc, time_that_is_not_accounted_is_noticed);
	tcase_add_loop_test(tc, a_slice_is_used_up_before_the_next_one, 0, 2);
	tcase_add_test(tc, sleep_earns_nothing);
	tcase_add_test(tc, who_yields_goes_behind_the_others);
	tcase_add_test(tc, real_time_comes_before_fair_and_by_priority);
	tcase_add_loop_test(tc, a_sleeper_that_is_ahead_stays_queued, 0, 2);
	tc = check_case(suite, "preemption");
	tcase_add_loop_test(tc, where_a_task_may_be_switched_out, 0, 6);
	tcase_add_loop_test(tc, a_wake_up_preempts_as_the_model_says, 0, 4);
	tcase_add_test(tc, preempt_disable_nests_and_the_last_enable_reschedules);
	tcase_add_test(tc, migrate_enable_is_slow_only_after_a_switch);
	tcase_add_test(tc, a_change_of_affinity_waits_for_migrate_enable);
	tcase_add_loop_test(tc, a_spinlock_pins_on_rt_and_stops_preemption_elsewhere, 0, 2);
}

CHECK_MAIN("sched", add_cases)
