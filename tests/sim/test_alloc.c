/* SPDX-License-Identifier: MIT */
/*
 * No allocation per event: a workload of four times the length needs no more memory blocks, but for
 * arrays that double, and one for each address space and task more: who shares its words' cache line.
 */
#include "check_main.h"
#include "run.h"

#include "base/mem.h"

#include <stdio.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static const struct {
	const char *workload, *strategy;
	unsigned schedule, copies;
} cases[] = {
	{ "fork:forks=%u", "active-cpu-v2", DVM_SIM_RECORDED, 1 },
	{ "fork:forks=%u", "nr-active-v2", DVM_SIM_SIMULATED, 16 },
	{ "mprotect:loops=%u", "always-broadcast", DVM_SIM_RECORDED, 16 },
	{ "mprotect:loops=%u,bystander_units=100", "cpumask-ipi", DVM_SIM_SIMULATED, 4 },
	{ "mmap:loops=%u,move_every=3", "cpumask-ipi", DVM_SIM_RECORDED, 16 },
	{ "tlb-shootdown:loops=%u", "active-cpu-v2", DVM_SIM_RECORDED, 4 },
	{ "clients:requests=%u", "active-cpu-v2", DVM_SIM_SIMULATED, 2 },
};

struct outcome {
	uint64_t allocations, events, mms;
};

static struct outcome run_for(unsigned length, int i)
{
	struct dvm_sim_options o = { .size = sizeof(o), .schedule = cases[i].schedule,
				     .copies = cases[i].copies };
	struct outcome out;
	char spec[80];
	struct run r;

	snprintf(spec, sizeof(spec), cases[i].workload, length);
	run_init(&r);
	run_hw(&r, "neoverse-n1-80");
	run_shipped(&r, cases[i].strategy);
	run_workload(&r, spec);
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), 0);
	out.allocations = dvmi_mem_count();
	out.events = dvm_sim_stats(r.sim)->events;
	out.mms = dvm_sim_stats(r.sim)->mms;
	run_fini(&r);
	return out;
}

START_TEST(four_times_the_events_need_no_more_blocks)
{
	struct outcome one = run_for(40, _i), four = run_for(160, _i);

	ck_assert_uint_gt(2 * four.events, 5 * one.events);
	/* Arrays double twice. */
	ck_assert_msg(four.allocations <= one.allocations + 24 + 2 * (four.mms - one.mms),
		      "%llu allocations in %llu events, %llu in %llu",
		      (unsigned long long)one.allocations, (unsigned long long)one.events,
		      (unsigned long long)four.allocations, (unsigned long long)four.events);
}
END_TEST

/* Accesses, with a flush between any two runs of them, on four CPUs. */
static uint64_t allocations_of_accesses(unsigned rounds, uint64_t *events)
{
	struct dvm_sim_options o = { .size = sizeof(o), .copies = 4 };
	uint64_t accesses[256], count;
	struct run r;

	run_init(&r);
	run_shipped(&r, "always-broadcast");
	run_trace(&r, 1, (const struct dvm_trace_record[]){ MM(1), TASK(1), ON(0, 1) }, 3);
	for (size_t i = 0; i < 256; i++)
		accesses[i] = 0x10000000 + i * 4096;
	ck_assert_int_eq(dvm_trace_append_accesses(r.trace, accesses, 256, NULL), 0);
	for (unsigned i = 0; i < rounds; i++) {
		const struct dvm_trace_record two[] = {
			{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .amount = 256 },
			FLUSH_RANGE(0, 1, 4, DVM_TRACE_OP_MPROTECT),
		};

		ck_assert_int_eq(dvm_trace_append(r.trace, two, 2, NULL), 0);
	}
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), 0);
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(dvm_sim_run(r.sim, &r.err), 0);
	count = dvmi_mem_count();
	*events = dvm_sim_stats(r.sim)->events;
	run_fini(&r);
	return count;
}

START_TEST(accesses_and_their_invalidations_need_no_more_blocks)
{
	uint64_t events[2], one = allocations_of_accesses(250, &events[0]),
			    four = allocations_of_accesses(1000, &events[1]);

	ck_assert_uint_gt(events[1], 3 * events[0]);
	ck_assert_msg(four <= one + 24, "%llu allocations, %llu", (unsigned long long)one,
		      (unsigned long long)four);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "memory");

	tcase_add_loop_test(tc, four_times_the_events_need_no_more_blocks, 0, COUNT(cases));
	tcase_add_test(tc, accesses_and_their_invalidations_need_no_more_blocks);
}

CHECK_MAIN("sim_alloc", add_cases)
