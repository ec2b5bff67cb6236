/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "run.h"

#include <dvmsim/workload.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * Queues of work against closed formulas, on a machine whose kernel costs nothing, so that only
 * waiting and work take time.
 */
static void free_kernel(struct run *r)
{
	static const char *const costs[] = {
		"kernel.context_switch_ps", "kernel.mm_switch_ps", "kernel.wakeup_ps",
		"kernel.scan_cpu_ps", "kernel.idle_exit_ps", "kernel.tick_ps", "ipi.deliver_ps",
		"ipi.handle_ps", "barrier.dsb_ish_ps", "tlb.walk_step_ps", "line.local_ps",
		"line.cluster_ps", "line.die_ps", "line.atomic_ps", "barrier.isb_ps",
	};

	for (size_t i = 0; i < COUNT(costs); i++)
		run_set(r, costs[i], 0);
}

static void go(struct run *r, unsigned copies)
{
	struct dvm_sim_options o = { .size = sizeof(o), .hw = r->hw, .kernel = r->kernel,
				     .strategy = r->strategy, .trace = r->trace, .copies = copies,
				     .seed = 1, .schedule = DVM_SIM_SIMULATED };
	char text[256] = "";
	int ret = dvm_sim_new(&o, &r->sim, &r->err);

	if (!ret)
		ret = dvm_sim_run(r->sim, &r->err);
	if (ret)
		dvm_error_format(&r->err, text, sizeof(text));
	ck_assert_msg(!ret, "%s", text);
	r->stats = dvm_sim_stats(r->sim);
}

static struct dvm_work measure(const char *spec, unsigned copies, bool costs)
{
	struct dvm_work w;
	struct run r;

	run_init(&r);
	if (!costs)
		free_kernel(&r);
	run_strategy(&r, BROADCAST);
	run_workload(&r, spec);
	go(&r, copies);
	ck_assert_int_eq(dvm_trace_validate(r.trace, NULL), 0);
	ck_assert_int_eq(dvm_sim_work(r.sim, 0, &w), 0);
	run_fini(&r);
	return w;
}

static void near(double value, double want, double percent)
{
	ck_assert_msg(fabs(value - want) <= want * percent / 100, "%g, not %g", value, want);
}

/*
 * A closed network with one server: N clients that think for Z and need S of it. Deterministic, it
 * serves min(N / (Z + S), 1 / S); once saturated, latency = N * S - Z (Little's law).
 */
static const struct {
	unsigned clients, threads;
	double think_us, service_us;
} closed[] = {
	{ 1, 1, 90, 10 },  { 2, 1, 90, 10 }, { 5, 1, 90, 10 },	{ 10, 1, 90, 10 },
	{ 20, 1, 90, 10 }, { 3, 1, 0, 10 },  { 24, 2, 100, 20 },
};

START_TEST(a_closed_loop_serves_what_the_formula_says)
{
	double n = closed[_i].clients, z = closed[_i].think_us, s = closed[_i].service_us;
	double rate = n / (z + s), most = closed[_i].threads / s;
	struct dvm_work w;
	char spec[256];

	snprintf(spec, sizeof(spec),
		 "clients:clients=%u,threads=%u,requests=400,think_ns=%.0f,service_ns=%.0f,"
		 "client_ns=0,jitter=0,purge_every=0", closed[_i].clients, closed[_i].threads,
		 z * 1000, s * 1000);
	w = measure(spec, 1, false);
	rate = rate < most ? rate : most;
	near(w.per_second, rate * 1e6, 1);
	ck_assert_uint_eq(w.latency.units, 400 * closed[_i].clients);
	ck_assert_uint_eq(w.latency.count, w.latency.units - 2 * (w.latency.units / 10));
	/* Little: what is in the system is what comes per second times how long it stays. */
	near((double)w.latency.total_ps / (double)w.latency.count / 1e6, n / rate - z, 2);
	ck_assert_uint_eq(w.latency.unstable, 0);
	ck_assert_uint_le(w.latency.p50_ps, w.latency.p99_ps);
	ck_assert_uint_le(w.latency.p99_ps, w.latency.p999_ps);
	ck_assert_uint_le(w.latency.p999_ps, w.latency.max_ps);
}
END_TEST

/* D/D/1: below a load of 1 nobody waits, and each latency is the service time exactly. */
START_TEST(even_arrivals_below_capacity_do_not_wait)
{
	struct dvm_work w = measure("arrivals:threads=1,cpus=1,requests=2000,gap_ns=12500,random=0,"
				    "service_ns=10000,jitter=0,purge_every=0", 1, false);

	ck_assert_uint_eq(w.latency.p50_ps, 10000000);
	ck_assert_uint_eq(w.latency.max_ps, 10000000);
	near(w.per_second, 80000, 0.1);
	ck_assert_uint_eq(w.latency.unstable, 0);
	ck_assert_uint_le(w.latency.backlog, 1);
}
END_TEST

/* M/D/1 (Pollaczek and Khinchine): mean wait = load * S / (2 * (1 - load)). */
static const unsigned loads[] = { 30, 50, 70, 80 };

START_TEST(random_arrivals_wait_as_m_d_1_does)
{
	double load = loads[_i] / 100.0, s = 10, wait = load * s / (2 * (1 - load));
	struct dvm_work w;
	char spec[256];

	snprintf(spec, sizeof(spec),
		 "arrivals:threads=1,cpus=1,requests=60000,gap_ns=%.0f,random=1,service_ns=10000,"
		 "jitter=0,purge_every=0", s * 1000 / load);
	w = measure(spec, 1, false);
	near((double)w.latency.total_ps / (double)w.latency.count / 1e6, s + wait, 5);
	near(w.per_second, load / s * 1e6, 2);
	ck_assert_uint_eq(w.latency.unstable, 0);
}
END_TEST

/* At a load above 1 the backlog grows with (1 - 1 / load) of what arrives, and that is said. */
static const struct {
	unsigned gap_ns, random, unstable;
} rates[] = {
	{ 12500, 0, 0 }, { 12500, 1, 0 }, { 10100, 0, 0 }, { 9000, 0, 1 }, { 9000, 1, 1 },
	{ 5000, 1, 1 },	 { 9700, 0, 1 },
};

START_TEST(a_saturated_run_says_unstable)
{
	double load = 10000.0 / rates[_i].gap_ns;
	struct dvm_work w;
	char spec[256];

	snprintf(spec, sizeof(spec),
		 "arrivals:threads=1,cpus=1,requests=8000,gap_ns=%u,random=%u,service_ns=10000,"
		 "jitter=0,purge_every=0", rates[_i].gap_ns, rates[_i].random);
	w = measure(spec, 1, false);
	ck_assert_uint_eq(w.latency.unstable, rates[_i].unstable);
	if (rates[_i].unstable && !rates[_i].random)
		near((double)w.latency.backlog, 8000 * (1 - 1 / load), 2);
	/* The server is busy all the time. */
	if (rates[_i].unstable)
		near(w.per_second, 100000, 1);
}
END_TEST

/* A closed loop is never unstable, however many clients wait. */
START_TEST(a_saturated_closed_loop_is_stable)
{
	struct dvm_work w = measure("clients:clients=64,threads=1,requests=100,think_ns=0,"
				    "service_ns=10000,client_ns=0,jitter=0,purge_every=0", 1, false);

	ck_assert_uint_eq(w.latency.unstable, 0);
	near((double)w.latency.p50_ps, 64 * 10e6, 3);
}
END_TEST

/* Latency counts from the arrival, not from when a worker looks: no coordinated omission. */
START_TEST(latency_includes_the_wait_in_the_queue)
{
	struct dvm_work w = measure("arrivals:threads=1,cpus=1,requests=100,gap_ns=1,random=0,"
				    "service_ns=10000,jitter=0,purge_every=0", 1, false);

	/* Unit n of 100 is done after n services; the window is units 11 to 90. */
	near((double)w.latency.p50_ps, 50 * 10e6, 1);
	near((double)w.latency.max_ps, 90 * 10e6, 1);
}
END_TEST

/* Copies have queues of their own; what they do adds up. */
START_TEST(copies_serve_their_own_clients)
{
	struct dvm_work one = measure("clients:cpus=1,clients=4,threads=1,requests=100,"
				      "think_ns=100000,purge_every=0", 1, false);
	struct dvm_work four = measure("clients:cpus=1,clients=4,threads=1,requests=100,"
				       "think_ns=100000,purge_every=0", 4, false);

	ck_assert_uint_eq(four.latency.units, 4 * one.latency.units);
	near(four.per_second, 4 * one.per_second, 10);
}
END_TEST

/* With what the kernel costs, and flushes: more of both, and all of it still comes to an end. */
START_TEST(costs_slow_the_loop_down)
{
	const char *spec = "clients:clients=8,requests=100,purge_every=8";
	struct dvm_work free = measure(spec, 1, false), real = measure(spec, 1, true);

	ck_assert(real.per_second < free.per_second);
	ck_assert_uint_gt(real.latency.p50_ps, free.latency.p50_ps);
	ck_assert_uint_eq(real.latency.units, 800);
}
END_TEST

/*
 * Copies on 8 to 1,024 CPUs that share one DVM node: each serves all its requests; together they
 * serve no more than as many alone would, and the same again from the same seed.
 */
static const unsigned machines[] = { 8, 64, 256, 1024 };

static struct dvm_work replicate(unsigned cpus)
{
	struct dvm_work w;
	struct run r;

	run_init(&r);
	run_set(&r, "topology.clusters", cpus / 2);
	run_set(&r, "feature.asid_bits", 16);
	run_strategy(&r, BROADCAST);
	run_workload(&r, "clients:cpus=8,clients=12,threads=3,requests=10,purge_every=2");
	go(&r, cpus / 8);
	ck_assert_int_eq(dvm_sim_work(r.sim, 0, &w), 0);
	run_fini(&r);
	return w;
}

START_TEST(copies_fill_a_machine_and_share_its_fabric)
{
	unsigned copies = machines[_i] / 8;
	struct dvm_work one = replicate(8), all = replicate(machines[_i]);
	struct dvm_work again = replicate(machines[_i]);

	ck_assert_uint_eq(all.latency.units, 120 * copies);
	ck_assert(all.per_second <= one.per_second * copies * 1.1);
	ck_assert_mem_eq(&all.latency, &again.latency, sizeof(all.latency));
	/* More CPUs to snoop, more issuers at the node: nobody is served faster. */
	if (copies > 1)
		ck_assert_uint_gt(all.latency.p50_ps, one.latency.p50_ps);
}
END_TEST

/* ---- what is refused, what is stuck ---- */

#define REC(k, t, i, n) { .kind = (k), .task = (t), .id = (i), .amount = (n) }

START_TEST(a_recorded_schedule_refuses_queues)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1), ON(0, 1), REC(DVM_TRACE_THINK, 1, 0, 5),
	};
	struct dvm_sim *sim;
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, records, COUNT(records));
	struct dvm_sim_options o = { .size = sizeof(o), .hw = r.hw, .kernel = r.kernel,
				     .strategy = r.strategy, .trace = r.trace, .copies = 1 };
	ck_assert_int_eq(dvm_sim_new(&o, &sim, &r.err), -DVM_EINVAL);
	ck_assert_ptr_nonnull(strstr(r.err.text, "--schedule simulated"));
	run_fini(&r);
}
END_TEST

START_TEST(a_get_that_nobody_serves_is_named)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 10), REC(DVM_TRACE_GET, 1, 7, 0),
	};
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, records, COUNT(records));
	struct dvm_sim_options o = { .size = sizeof(o), .hw = r.hw, .kernel = r.kernel,
				     .strategy = r.strategy, .trace = r.trace, .copies = 1,
				     .schedule = DVM_SIM_SIMULATED };
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), -DVM_EFORMAT);
	ck_assert_ptr_nonnull(strstr(r.err.text, "queue 7"));
	run_fini(&r);
}
END_TEST

START_TEST(an_answer_to_nobody_is_named)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1), ON(0, 1), REC(DVM_TRACE_UNIT_BEGIN, 1, 0, 0),
		REC(DVM_TRACE_PUT, 1, 0, 0),
	};
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, records, COUNT(records));
	struct dvm_sim_options o = { .size = sizeof(o), .hw = r.hw, .kernel = r.kernel,
				     .strategy = r.strategy, .trace = r.trace, .copies = 1,
				     .schedule = DVM_SIM_SIMULATED };
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), -DVM_EFORMAT);
	ck_assert_ptr_nonnull(strstr(r.err.text, "answer"));
	run_fini(&r);
}
END_TEST

/* A think time frees the CPU: two tasks that think and work in turn share one CPU without loss. */
START_TEST(who_thinks_leaves_the_cpu_to_others)
{
	struct dvm_trace_record records[6 + 2 * 40] = { MM(1), MM(2), TASK(1), TASK(2) };
	size_t n = 4;
	struct run r;

	for (uint32_t t = 1; t <= 2; t++) {
		records[n++] = (struct dvm_trace_record)ON(0, t);
		for (int i = 0; i < 20; i++) {
			records[n++] = (struct dvm_trace_record)RUN(0, t, 1000);
			records[n++] = (struct dvm_trace_record)REC(DVM_TRACE_THINK, t, 0, 1000);
		}
	}
	run_init(&r);
	free_kernel(&r);
	run_strategy(&r, BROADCAST);
	run_set(&r, "topology.clusters", 1);
	run_set(&r, "topology.cores", 1);
	run_trace(&r, 1, records, n);
	go(&r, 1);
	/* 20 rounds of 2 us each, the second task half a round behind. */
	ck_assert_uint_ge(r.stats->elapsed_ps, 40 * UINT64_C(1000000));
	ck_assert_uint_le(r.stats->elapsed_ps, 42 * UINT64_C(1000000));
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "queues");

	tcase_add_loop_test(tc, a_closed_loop_serves_what_the_formula_says, 0,
			    (int)COUNT(closed));
	tcase_add_test(tc, even_arrivals_below_capacity_do_not_wait);
	tcase_add_loop_test(tc, random_arrivals_wait_as_m_d_1_does, 0, (int)COUNT(loads));
	tcase_add_loop_test(tc, a_saturated_run_says_unstable, 0, (int)COUNT(rates));
	tcase_add_test(tc, a_saturated_closed_loop_is_stable);
	tcase_add_test(tc, latency_includes_the_wait_in_the_queue);
	tcase_add_test(tc, copies_serve_their_own_clients);
	tcase_add_test(tc, costs_slow_the_loop_down);
	tcase_add_loop_test(tc, copies_fill_a_machine_and_share_its_fabric, 0,
			    (int)COUNT(machines));
	tcase_add_test(tc, a_recorded_schedule_refuses_queues);
	tcase_add_test(tc, a_get_that_nobody_serves_is_named);
	tcase_add_test(tc, an_answer_to_nobody_is_named);
	tcase_add_test(tc, who_thinks_leaves_the_cpu_to_others);
}

CHECK_MAIN("queues", add_cases)
