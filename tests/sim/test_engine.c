/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "base/mem.h"
#include "base/rng.h"
#include "sim/latency.h"
#include "sim/workset.h"

#include <string.h>

/* ---- replay ---- */

START_TEST(wake_up_orders_two_cpus)
{
	/* CPU 1 may start task 2 only after CPU 0 has run 5 us and woken it. */
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 5000),
		{ .kind = DVM_TRACE_WAKE, .cpu = 0, .task = 2, .id = 1, .target = 1 },
		{ .kind = DVM_TRACE_MM_NEW, .cpu = 1, .mm = 2, .flags = DVM_TRACE_F_INITIAL },
		{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 2, .mm = 2,
		  .flags = DVM_TRACE_F_INITIAL },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 2, .mm = 2, .id = 1 },
		RUN(1, 2, 1000), MARK(1, 2),
	};
	struct dvm_work w;
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_ge(r.stats->elapsed_ps, 6000000);
	ck_assert_int_eq(dvm_sim_work(r.sim, 0, &w), 0);
	ck_assert_str_eq(w.name, "done");
	ck_assert_uint_eq(w.count, 1);
	ck_assert_int_eq(dvm_sim_work(r.sim, 1, &w), -DVM_ENOENT);
	run_fini(&r);
}
END_TEST

START_TEST(task_is_never_on_two_cpus)
{
	/* CPU 1 wants task 1 at once; it gets it when CPU 0, after 3 us, has switched it out. */
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 3000), IDLE(0),
		{ .kind = DVM_TRACE_SLEEP, .cpu = 1, .amount = 1000 }, ON(1, 1), RUN(1, 1, 1000),
	};
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_ge(r.stats->elapsed_ps, 4000000);
	ck_assert_uint_eq(r.stats->migrations, 1);
	run_fini(&r);
}
END_TEST

START_TEST(workload_that_waits_for_itself_is_refused_with_its_record)
{
	struct dvm_trace_record t[] = {
		MM(1), TASK(1),
		{ .kind = DVM_TRACE_SWITCH, .cpu = 0, .task = 1, .mm = 1, .id = 1 },
		{ .kind = DVM_TRACE_WAKE, .cpu = 0, .task = 1, .id = 1, .target = 0 },
	};
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, -DVM_EFORMAT);
	ck_assert_uint_eq(r.err.record, 2);
	run_fini(&r);
}
END_TEST

/* Instructions cost cpi_milli / 1000 cycles of the core clock each. */
START_TEST(instructions_take_their_cycles)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1234567) };
	const struct dvmi_hw *hw;
	struct run r;

	t[3].flags = 0;
	run_init(&r);
	hw = run_params(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_uint_eq(r.stats->run_ps, 1234567 *
			  (hw->clock_cpi_milli * 1000000000 / hw->clock_core_khz) / 1000);
	run_fini(&r);
}
END_TEST

struct seen {
	struct dvm_sim_event events[16];
	unsigned count;
};

static void see(void *arg, const struct dvm_sim_event *e)
{
	struct seen *seen = arg;

	if (seen->count < COUNT(seen->events))
		seen->events[seen->count++] = *e;
}

/* mm 1 begins, is installed on CPU 0, flushed there, moves to CPU 1 because task 2 wakes it there. */
START_TEST(observer_is_told_the_life_of_an_address_space)
{
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000), FLUSH_MM(0, 1), IDLE(0),
		{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 2,
		  .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_KTHREAD },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 2 }, RUN(1, 2, 5000),
		{ .kind = DVM_TRACE_WAKE, .cpu = 1, .task = 1, .id = 1, .target = 1 },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 1, .mm = 1, .id = 1 },
		FLUSH_RANGE(1, 1, 3, DVM_TRACE_OP_MPROTECT),
		{ .kind = DVM_TRACE_MM_EXIT, .cpu = 1, .mm = 1 },
	};
	static const uint32_t kinds[] = { DVM_SIM_MM_NEW, DVM_SIM_MM_INSTALL, DVM_SIM_MM_FLUSH,
					  DVM_SIM_MM_INSTALL, DVM_SIM_MM_FLUSH, DVM_SIM_MM_EXIT };
	struct dvm_sim_options o = { .size = sizeof(o), .copies = 1, .observer = see };
	struct seen seen = { .count = 0 };
	struct run r;

	run_init(&r);
	run_shipped(&r, "active-cpu-v2");
	run_trace(&r, 2, t, COUNT(t));
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	o.observer_arg = &seen;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), 0);
	ck_assert_uint_eq(seen.count, COUNT(kinds));
	for (unsigned i = 0; i < seen.count; i++)
		ck_assert_uint_eq(seen.events[i].kind, kinds[i]);
	ck_assert_uint_eq(seen.events[1].from_cpu, UINT32_MAX);
	ck_assert_uint_eq(seen.events[2].tlbi, DVM_SIM_TLBI_LOCAL);
	ck_assert_uint_eq(seen.events[2].op, DVM_TRACE_OP_FORK);
	ck_assert_uint_eq(seen.events[2].pages, 0);
	ck_assert_uint_eq(seen.events[3].from_cpu, 0);
	ck_assert_uint_eq(seen.events[3].waker, 2);
	ck_assert_uint_eq(seen.events[3].waker_cpu, 1);
	ck_assert_uint_eq(seen.events[3].cpus, 2);
	ck_assert_uint_eq(seen.events[3].first, 1);
	ck_assert_uint_eq(seen.events[4].tlbi, DVM_SIM_TLBI_BROADCAST);
	ck_assert_uint_eq(seen.events[4].pages, 3);
	ck_assert_uint_eq(dvm_sim_stats(r.sim)->flushes, 2);
	ck_assert_uint_eq(dvm_sim_stats(r.sim)->flushes_one_cpu, 1);
	run_fini(&r);
}
END_TEST

/* ---- options and limits ---- */

static const struct {
	const char *workload;
	unsigned copies;
} misfits[] = {
	{ "tlb-shootdown:cpus=5", 1 }, /* teaching-4 has 4 CPUs */
	{ "fork", 3 },
};

START_TEST(workload_that_does_not_fit_is_refused)
{
	struct dvm_sim_options o = { .size = sizeof(o) };
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_workload(&r, misfits[_i].workload);
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	o.copies = misfits[_i].copies;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), -DVM_EINVAL);
	o.copies = 1;
	o.hw = r.kernel;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), -DVM_EINVAL);
	run_fini(&r);
}
END_TEST

START_TEST(event_budget_stops_a_run)
{
	struct dvm_sim_options o = { .size = sizeof(o), .copies = 1, .max_events = 10 };
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_workload(&r, "fork");
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), -DVM_EBUDGET);
	run_fini(&r);
}
END_TEST

START_TEST(program_that_spins_is_stopped)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), FLUSH_MM(0, 1) };
	struct run r;

	run_init(&r);
	run_set(&r, "line.local_ps", 0);
	run_strategy(&r, "strategy s\nword mm.x = 0\non flush:\nagain:\n ld a, mm.x\n"
		     " beq a, 0, again\n ret\n");
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, -DVM_EBUDGET);
	run_fini(&r);
}
END_TEST

START_TEST(every_failing_allocation_is_reported)
{
	struct run r;
	unsigned long n = 1;
	int ret;

	run_init(&r);
	run_shipped(&r, "active-cpu-v2");
	run_workload(&r, "fork:forks=2");
	do {
		struct dvm_sim_options o = { .size = sizeof(o), .hw = r.hw, .kernel = r.kernel,
					     .strategy = r.strategy, .trace = r.trace,
					     .copies = 1 };
		struct dvm_sim *sim = NULL;

		dvmi_mem_fail_at(n++);
		ret = dvm_sim_new(&o, &sim, &r.err);
		if (!ret)
			ret = dvm_sim_run(sim, &r.err);
		dvmi_mem_fail_at(0);
		ck_assert(ret == 0 || ret == -DVM_ENOMEM);
		dvm_sim_free(sim);
	} while (ret);
	ck_assert_uint_gt(n, 20);
	run_fini(&r);
}
END_TEST

/* ---- determinism ---- */

START_TEST(same_seed_gives_the_same_statistics_bit_for_bit)
{
	struct run a, b, c;

	run_init(&a);
	run_init(&b);
	run_init(&c);
	for (struct run *r = &a; r; r = r == &a ? &b : r == &b ? &c : NULL) {
		run_hw(r, "phytium-ftc862-8");
		run_shipped(r, "always-broadcast");
		run_workload(r, "fork:forks=20");
		run_go(r, 4, r == &c ? 2 : 1);
		ck_assert_int_eq(r->ret, 0);
		ck_assert(dvm_sim_is_random(r->sim));
	}
	ck_assert_mem_eq(a.stats, b.stats, sizeof(*a.stats));
	ck_assert_mem_ne(a.stats, c.stats, sizeof(*a.stats));
	run_fini(&a);
	run_fini(&b);
	run_fini(&c);
}
END_TEST

/* The time of all steps is the time inside hooks. */
START_TEST(steps_add_up_to_the_hooks)
{
	uint64_t sum = 0, calls;
	struct dvm_step step;
	struct run r;

	run_init(&r);
	run_shipped(&r, "active-cpu-v2");
	run_workload(&r, "fork:forks=10");
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	for (size_t i = 0; !dvm_sim_step(r.sim, i, &step); i++)
		sum += step.total_ps;
	calls = r.stats->flushes * run_params(&r)->kernel_flush_call_ps;
	ck_assert_uint_eq(sum + calls, r.stats->flush_ps + r.stats->switch_ps);
	run_fini(&r);
}
END_TEST

/* ---- latency histogram ---- */

START_TEST(quantiles_are_within_a_sixty_fourth)
{
	static struct dvmi_latency h;
	struct dvmi_rng rng;

	memset(&h, 0, sizeof(h));
	dvmi_rng_init(&rng, 3, 3);
	for (uint64_t i = 1; i <= 100000; i++)
		dvmi_latency_add(&h, i * 1000);
	ck_assert_uint_eq(h.max_ps, 100000000);
	ck_assert_uint_ge(dvmi_latency_quantile(&h, 500), 50000000);
	ck_assert_uint_le(dvmi_latency_quantile(&h, 500), 50000000 + 50000000 / 64);
	ck_assert_uint_ge(dvmi_latency_quantile(&h, 990), 99000000);
	ck_assert_uint_le(dvmi_latency_quantile(&h, 990), 100000000);
	ck_assert_uint_eq(dvmi_latency_quantile(&h, 1000), 100000000);
}
END_TEST

START_TEST(small_values_are_exact_and_none_is_zero)
{
	static struct dvmi_latency h;

	memset(&h, 0, sizeof(h));
	ck_assert_uint_eq(dvmi_latency_quantile(&h, 500), 0);
	for (uint64_t i = 0; i < 100; i++)
		dvmi_latency_add(&h, i);
	ck_assert_uint_eq(dvmi_latency_quantile(&h, 500), 49);
	dvmi_latency_add(&h, UINT64_MAX / 2);
	ck_assert_uint_eq(dvmi_latency_quantile(&h, 1000), UINT64_MAX / 2);
}
END_TEST

/* ---- working sets ---- */

START_TEST(working_set_is_walked_for_once_per_period_and_after_flushes)
{
	struct dvmi_workset_rules rules = { .pages = 64, .period_ps = 1000, .capacity = 100 };
	struct dvmi_workset *ws;

	ck_assert_int_eq(dvmi_workset_new(2, 3, &rules, &ws), 0);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 500), 32); /* half a period: half the set */
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 32);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 0);
	dvmi_workset_flush_local(ws, 1, 1, UINT64_MAX);         /* another CPU's: no effect here */
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 0);
	dvmi_workset_flush_local(ws, 0, 1, 10);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 10);
	dvmi_workset_flush_all(ws, 1, 3);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 3);
	dvmi_workset_flush_all(ws, 1, UINT64_MAX);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 64);
	/* 64 + 64 > 100: mm 2 pushes 28 of mm 1 out. */
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 2, 1000), 64);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 28);
	dvmi_workset_free(ws);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "engine");

	tcase_add_test(tc, wake_up_orders_two_cpus);
	tcase_add_test(tc, task_is_never_on_two_cpus);
	tcase_add_test(tc, workload_that_waits_for_itself_is_refused_with_its_record);
	tcase_add_test(tc, instructions_take_their_cycles);
	tcase_add_test(tc, observer_is_told_the_life_of_an_address_space);
	tcase_add_loop_test(tc, workload_that_does_not_fit_is_refused, 0, COUNT(misfits));
	tcase_add_test(tc, event_budget_stops_a_run);
	tcase_add_test(tc, program_that_spins_is_stopped);
	tcase_add_test(tc, every_failing_allocation_is_reported);
	tcase_add_test(tc, same_seed_gives_the_same_statistics_bit_for_bit);
	tcase_add_test(tc, steps_add_up_to_the_hooks);
	tcase_add_test(tc, quantiles_are_within_a_sixty_fourth);
	tcase_add_test(tc, small_values_are_exact_and_none_is_zero);
	tcase_add_test(tc, working_set_is_walked_for_once_per_period_and_after_flushes);
}

CHECK_MAIN("sim engine", add_cases)
