/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "kernel/sched_driver.h"

#include "base/rng.h"

/* The scheduler against its rules: placement, balancing, hotplug. */

static struct driver w;

/* A busy CPU: a task that stays. Ids from the top, so that tests have the low ones. */
static void busy(uint32_t cpu)
{
	add_bound(&w, TASKS_MAX - cpu, cpu, cpu);
	force(&w, TASKS_MAX - cpu, cpu);
	settle(&w);
}

static struct dvmi_sched_place wake_from(uint32_t task, uint32_t cpu, unsigned flags)
{
	return dvmi_sched_place_wake(&w.s, task, cpu, flags, w.now_ps);
}

/*
 * select_task_rq_fair() on 16 CPUs, caches of 8, clusters of 4: where a task of CPU prev is put that
 * CPU waker wakes, with these CPUs busy beside the waker's.
 */
static const struct {
	const char *rule;
	uint32_t prev, waker;
	unsigned flags;
	uint64_t busy;
	uint32_t cpu;
	enum dvmi_sched_reason reason;
} places[] = {
	{ "an idle previous CPU is kept", 1, 0, 0, 0x0001, 1, DVMI_SCHED_WAKE_PREV },
	{ "also across caches", 9, 0, 0, 0x0001, 9, DVMI_SCHED_WAKE_PREV },
	{ "sync: the waker's, it is about to sleep", 9, 0, DVMI_SCHED_WAKE_SYNC, 0x0201, 1,
	  DVMI_SCHED_IDLE_SIBLING },
	{ "a busy previous CPU: an idle one of its cluster", 1, 9, 0, 0x0202, 2,
	  DVMI_SCHED_IDLE_SIBLING },
	{ "a busy cluster: an idle one of its cache", 1, 9, 0, 0x020f, 4, DVMI_SCHED_IDLE_SIBLING },
	{ "a full cache: no idle CPU of another one is looked for", 1, 2, 0, 0x00ff, 1,
	  DVMI_SCHED_WAKE_PREV },
	{ "an idle waker (interrupt) that shares the cache: prev if idle", 1, 3, DVMI_SCHED_WAKE_IRQ,
	  0x0000, 1, DVMI_SCHED_WAKE_PREV },
	{ "an idle waker (interrupt) that shares the cache: there if prev is busy", 1, 3,
	  DVMI_SCHED_WAKE_IRQ, 0x0002, 3, DVMI_SCHED_WAKE_AFFINE },
};

START_TEST(a_wake_up_goes_where_the_rule_says)
{
	struct dvmi_sched_place p;

	init(&w, sched_rules(1, 4, 8, 16, 16));
	for (uint32_t c = 0; c < 16; c++)
		if (places[_i].busy >> c & 1)
			busy(c);
	add(&w, 1, 0, places[_i].prev);
	/* Long enough for the averages of load to be those of the tasks. */
	w.now_ps += 10000 * MS;
	p = wake_from(1, places[_i].waker, places[_i].flags);
	ck_assert_msg(p.cpu == places[_i].cpu && p.reason == places[_i].reason,
		      "%s: CPU %u, %s", places[_i].rule, p.cpu, dvmi_sched_reason_names[p.reason]);
	ck_assert_uint_eq(p.from, places[_i].prev);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(threads_of_a_busy_core_come_last)
{
	/* 4 cores of 2 threads; a thread of cores 0 and 1 is busy. */
	init(&w, sched_rules(2, 2, 8, 8, 8));
	busy(0);
	busy(2);
	add(&w, 1, 0, 0);
	w.now_ps += 10000 * MS;
	ck_assert_uint_eq(wake_from(1, 2, 0).cpu, 4);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(only_allowed_cpus_are_looked_at)
{
	static struct dvmi_sched_place p;

	init(&w, sched_rules(1, 1, 16, 16, 16));
	for (uint32_t c = 0; c < 8; c++)
		busy(c);
	add_bound(&w, 1, 4, 9);
	p = wake_from(1, 0, 0);
	ck_assert_uint_eq(p.cpu, 8);
	dvmi_sched_enqueue(&w.s, 1, p.cpu, w.now_ps);
	add_bound(&w, 2, 3, 3);
	p = wake_from(2, 12, 0);
	ck_assert_uint_eq(p.cpu, 3);
	ck_assert_int_eq(p.reason, DVMI_SCHED_WAKE_BOUND);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* One that wakes many tasks in turn, which wake many too, is not pulled to (wake_wide()). */
START_TEST(a_wide_waker_does_not_pull)
{
	init(&w, sched_rules(1, 1, 2, 4, 4));
	busy(0);
	busy(2);
	busy(3);
	add(&w, 1, 0, 2);
	w.s.tasks[TASKS_MAX].flips = 6;
	w.s.tasks[1].flips = 2;
	w.now_ps += 100 * MS;
	ck_assert_uint_eq(wake_from(1, 0, DVMI_SCHED_WAKE_SYNC).cpu, 2);
	w.s.tasks[1].state = DVMI_SCHED_BLOCKED;
	w.s.rqs[2].coming = 0;
	w.s.tasks[1].flips = 1; /* slave < llc: not wide; sync pulls to CPU 0's cache */
	ck_assert_uint_eq(wake_from(1, 0, DVMI_SCHED_WAKE_SYNC).cpu, 1);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(one_still_switching_out_waits_where_it_is)
{
	struct dvmi_sched_place p;

	init(&w, sched_rules(1, 1, 2, 2, 2));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	dvmi_sched_pick(&w.s, 0, DVMI_SCHED_SLEPT, w.now_ps);
	p = wake_from(1, 1, 0);
	ck_assert_uint_eq(p.cpu, 0);
	ck_assert_int_eq(p.reason, DVMI_SCHED_WAKE_ON_CPU);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* n tasks forked by one CPU's task fill n CPUs; no cache has two more than another. */
START_TEST(forks_spread_over_the_machine)
{
	uint32_t tasks = 4u << _i, least = UINT32_MAX, most = 0;

	init(&w, sched_rules(1, 1, 4, 8, 16));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	for (uint32_t t = 2; t <= tasks; t++) {
		struct dvmi_sched_place p;

		add(&w, t, 0, 0);
		p = dvmi_sched_place_fork(&w.s, t, 0, w.now_ps);
		dvmi_sched_enqueue(&w.s, t, p.cpu, w.now_ps);
		settle(&w);
	}
	for (uint32_t c = 0; c < 16; c++)
		ck_assert_uint_le(w.s.rqs[c].nr_fair, tasks <= 16 ? 1 : 3);
	for (uint32_t c = 0; c < 16; c += 4) {
		uint32_t n = 0;

		for (uint32_t i = c; i < c + 4; i++)
			n += w.s.rqs[i].nr_fair;
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	/* Within a node evenly; between nodes an eighth of a node may stay (2 caches: 2 tasks). */
	ck_assert_uint_le(most, least + (tasks < 8 ? 4 : 2));
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(exec_moves_to_an_idle_cpu_only_when_it_must_share)
{
	struct dvmi_sched_place p;

	init(&w, sched_rules(1, 1, 4, 4, 4));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_place_exec(&w.s, 0, w.now_ps).cpu, 0);
	add_bound(&w, 2, 0, 0);
	force(&w, 2, 0);
	p = dvmi_sched_place_exec(&w.s, 0, w.now_ps);
	ck_assert_uint_ne(p.cpu, 0);
	schedule(&w, 0, DVMI_SCHED_PREEMPTED);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 2);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, p.cpu), 1);
	ck_assert_int_eq(dvmi_sched_reason(&w.s, 1), DVMI_SCHED_EXEC);
	dvmi_sched_fini(&w.s);
}
END_TEST

/*
 * A closed system of pairs that wake one another, each step's place held against the rule that can
 * be said from outside: the place is the previous CPU if that is idle; otherwise, if any CPU of the
 * previous or the waker's cache is idle, an idle one; never a CPU of a third cache.
 */
START_TEST(places_of_random_wake_ups_obey_the_rule)
{
	uint64_t kept = 0, idle = 0, none = 0;
	struct dvmi_rng rng;

	init(&w, sched_rules(1, 1, 4, 16, 16));
	dvmi_rng_init(&rng, 5, 0);
	for (uint32_t t = 1; t <= 24; t++)
		add(&w, t, 0, (uint32_t)dvmi_rng_below(&rng, 16));
	for (int i = 0; i < 20000; i++) {
		uint32_t t = 1 + (uint32_t)dvmi_rng_below(&rng, 24);
		uint32_t cpu = (uint32_t)dvmi_rng_below(&rng, 16), prev = w.s.tasks[t].cpu;
		bool prev_idle = w.s.idle[0] >> prev & 1, near = false;
		struct dvmi_sched_place p;

		w.now_ps += 50 * US;
		if (w.s.tasks[t].state != DVMI_SCHED_BLOCKED) {
			if (dvmi_sched_current(&w.s, cpu))
				schedule(&w, cpu, DVMI_SCHED_SLEPT);
			continue;
		}
		for (uint32_t c = 0; c < 16; c++)
			near |= c / 4 == prev / 4 && w.s.idle[0] >> c & 1;
		p = wake_from(t, cpu, 0);
		ck_assert(p.cpu / 4 == prev / 4 || p.cpu / 4 == cpu / 4);
		if (prev_idle) {
			ck_assert(p.cpu == prev || p.cpu / 4 == cpu / 4);
			kept += p.cpu == prev;
		} else if (p.cpu / 4 == prev / 4 && near && p.cpu != prev) {
			idle++;
		} else {
			none++;
		}
		dvmi_sched_enqueue(&w.s, t, p.cpu, w.now_ps);
		settle(&w);
	}
	ck_assert_uint_gt(kept, 1000);
	ck_assert_uint_gt(idle, 100);
	ck_assert_uint_gt(none, 10);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* ---- balancing ---- */

static const struct {
	uint32_t smt, cluster, llc, node, cpus, tasks;
} machines[] = {
	{ 1, 1, 4, 4, 4, 8 }, { 1, 4, 8, 16, 16, 32 }, { 2, 4, 8, 8, 16, 16 }, { 1, 1, 16, 32, 64, 128 },
};

static void spread_of(uint32_t *least, uint32_t *most)
{
	*least = UINT32_MAX;
	*most = 0;
	for (uint32_t c = 0; c < w.s.rules.cpus; c++) {
		uint32_t n = w.s.rqs[c].nr_fair;

		*least = n < *least ? n : *least;
		*most = n > *most ? n : *most;
	}
}

/* All on one CPU: within 200 ms every CPU has work; no CPU keeps more than its share and one. */
START_TEST(balancing_converges_from_one_cpu)
{
	uint32_t least, most, share = machines[_i].tasks / machines[_i].cpus;
	uint32_t settled;

	init(&w, sched_rules(machines[_i].smt, machines[_i].cluster, machines[_i].llc,
			     machines[_i].node, machines[_i].cpus));
	for (uint32_t t = 1; t <= machines[_i].tasks; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	run(&w, 3000);
	spread_of(&least, &most);
	ck_assert_uint_ge(least, 1);
	ck_assert_uint_le(most, share + 1);
	/*
	 * And then it is calm. What is within 117 per cent stays uneven, and a task too many may go
	 * round in its domain, but by far not once in a CPU's second.
	 */
	settled = w.migrations;
	run(&w, 1000);
	ck_assert_uint_lt(w.migrations - settled, machines[_i].cpus);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(a_cpu_about_to_idle_pulls)
{
	init(&w, sched_rules(1, 1, 2, 2, 2));
	busy(1);
	for (uint32_t t = 1; t <= 3; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	w.now_ps += 10 * MS; /* nobody is cache-hot */
	schedule(&w, 1, DVMI_SCHED_SLEPT);
	ck_assert_uint_ne(dvmi_sched_current(&w.s, 1), 0);
	ck_assert_int_eq(dvmi_sched_reason(&w.s, dvmi_sched_current(&w.s, 1)), DVMI_SCHED_NEWIDLE);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* Not worth it: the CPU usually idles for less than the search costs. */
START_TEST(a_cpu_that_idles_briefly_does_not_search)
{
	struct dvmi_sched_pick p;

	init(&w, sched_rules(1, 1, 2, 2, 2));
	busy(1);
	for (uint32_t t = 1; t <= 3; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
	}
	settle(&w);
	w.now_ps += 10 * MS;
	dvmi_sched_pick(&w.s, 0, DVMI_SCHED_PREEMPTED, w.now_ps);
	w.s.domains[1 * w.s.levels_count].newidle_ns = 20;
	w.s.domains[1 * w.s.levels_count].decayed_ns = w.now_ps / 1000;
	w.s.rqs[1].avg_idle_ns = 19;
	p = dvmi_sched_pick(&w.s, 1, DVMI_SCHED_SLEPT, w.now_ps);
	ck_assert_uint_eq(p.scanned, 0);
	ck_assert_uint_eq(p.task, 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* task_hot(): at the migration cost it stays, a nanosecond later it may go. */
START_TEST(a_task_that_just_ran_is_left_alone)
{
	uint64_t hot = 500 * US;

	init(&w, sched_rules(1, 1, 2, 2, 2));
	add(&w, 1, 0, 0);
	add(&w, 2, 0, 0);
	force(&w, 1, 0);
	force(&w, 2, 0);
	settle(&w);
	busy(1);
	w.now_ps += 3 * MS;
	schedule(&w, 0, DVMI_SCHED_YIELDED); /* the one that waits now has just run */
	w.now_ps += _i ? hot : hot - 1000;
	schedule(&w, 1, DVMI_SCHED_SLEPT);
	ck_assert_int_eq(dvmi_sched_current(&w.s, 1) != 0, _i);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(balancing_skips_the_pinned)
{
	init(&w, sched_rules(1, 1, 2, 2, 2));
	busy(1);
	for (uint32_t t = 1; t <= 2; t++) {
		add(&w, t, 0, 0);
		force(&w, t, 0);
		settle(&w);
		while (dvmi_sched_current(&w.s, 0) != t)
			run(&w, 1);
		dvmi_sched_migrate_disable(&w.s, t);
	}
	schedule(&w, 1, DVMI_SCHED_SLEPT);
	run(&w, 500);
	ck_assert_uint_eq(w.s.rqs[0].nr_fair, 2);
	ck_assert_uint_eq(w.s.rqs[1].nr_fair, 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(a_task_returns_to_the_node_of_its_memory)
{
	struct dvmi_sched_rules rules = sched_rules(1, 1, 2, 2, 4);

	rules.numa_balancing = _i;
	rules.numa_scan_ns = 50000000;
	init(&w, rules);
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	schedule(&w, 0, DVMI_SCHED_SLEPT);
	force(&w, 1, 2);
	settle(&w);
	run(&w, 200);
	ck_assert_uint_eq(w.s.tasks[1].cpu / 2, _i ? 0 : 1);
	if (_i)
		ck_assert_int_eq(dvmi_sched_reason(&w.s, 1), DVMI_SCHED_NUMA);
	dvmi_sched_fini(&w.s);
}
END_TEST

/* ---- hotplug ---- */

START_TEST(a_cpu_that_goes_down_is_emptied_and_stays_so)
{
	struct dvmi_sched_note note;
	uint32_t left;

	init(&w, sched_rules(1, 1, 4, 4, 4));
	for (uint32_t t = 1; t <= 8; t++) {
		add(&w, t, 0, 1);
		force(&w, t, 1);
	}
	add_bound(&w, 9, 1, 1); /* allowed nowhere else */
	force(&w, 9, 1);
	settle(&w);
	ck_assert_int_eq(dvmi_sched_offline(&w.s, 1, w.now_ps, &left, &note), 0);
	ck_assert_uint_eq(left, 1);
	ck_assert_uint_eq(note.cpu, 1);
	settle(&w);
	ck_assert_int_eq(dvmi_sched_offline(&w.s, 1, w.now_ps, &left, &note), 0);
	ck_assert_uint_eq(left, 0);
	run(&w, 300);
	ck_assert_uint_eq(w.s.rqs[1].nr_fair, 0);
	for (uint32_t t = 1; t <= 9; t++)
		ck_assert_uint_gt(w.ran_ps[t], 10 * MS);
	dvmi_sched_online(&w.s, 1, w.now_ps);
	run(&w, 300);
	ck_assert_uint_gt(w.s.rqs[1].nr_fair, 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

START_TEST(a_pinned_task_keeps_its_cpu_up)
{
	struct dvmi_sched_note note;
	uint32_t left;

	init(&w, sched_rules(1, 1, 2, 2, 2));
	add(&w, 1, 0, 0);
	force(&w, 1, 0);
	settle(&w);
	dvmi_sched_migrate_disable(&w.s, 1);
	dvmi_sched_offline(&w.s, 0, w.now_ps, &left, &note);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 0), 1);
	ck_assert(dvmi_sched_migrate_enable(&w.s, 1, w.now_ps).resched);
	schedule(&w, 0, DVMI_SCHED_PREEMPTED);
	settle(&w);
	ck_assert_uint_eq(dvmi_sched_current(&w.s, 1), 1);
	ck_assert_int_eq(dvmi_sched_reason(&w.s, 1), DVMI_SCHED_HOTPLUG);
	ck_assert_int_lt(dvmi_sched_offline(&w.s, 1, w.now_ps, &left, &note), 0);
	dvmi_sched_fini(&w.s);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "placement");

	tcase_add_loop_test(tc, a_wake_up_goes_where_the_rule_says, 0,
			    (int)(sizeof(places) / sizeof(places[0])));
	tcase_add_test(tc, threads_of_a_busy_core_come_last);
	tcase_add_test(tc, only_allowed_cpus_are_looked_at);
	tcase_add_test(tc, a_wide_waker_does_not_pull);
	tcase_add_test(tc, one_still_switching_out_waits_where_it_is);
	tcase_add_loop_test(tc, forks_spread_over_the_machine, 0, 4);
	tcase_add_test(tc, exec_moves_to_an_idle_cpu_only_when_it_must_share);
	tcase_add_test(tc, places_of_random_wake_ups_obey_the_rule);
	tc = check_case(suite, "balancing");
	tcase_add_loop_test(tc, balancing_converges_from_one_cpu, 0, 4);
	tcase_add_test(tc, a_cpu_about_to_idle_pulls);
	tcase_add_test(tc, a_cpu_that_idles_briefly_does_not_search);
	tcase_add_loop_test(tc, a_task_that_just_ran_is_left_alone, 0, 2);
	tcase_add_test(tc, balancing_skips_the_pinned);
	tcase_add_loop_test(tc, a_task_returns_to_the_node_of_its_memory, 0, 2);
	tc = check_case(suite, "hotplug");
	tcase_add_test(tc, a_cpu_that_goes_down_is_emptied_and_stays_so);
	tcase_add_test(tc, a_pinned_task_keeps_its_cpu_up);
}

CHECK_MAIN("sched_place", add_cases)
