/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

/*
 * What the part says the kernel's own work costs, and whom it delays. Each test compares two runs
 * that differ in one record or one parameter, so that nothing else is in the difference.
 */

#define PAGES 10
#define OP(cause) \
	{ .kind = DVM_TRACE_OP_BEGIN, .task = 1, .mm = 1, .op = (cause), .va = 0x10000000, \
	  .amount = PAGES * 4096, .flags = DVM_TRACE_F_MODELLED }, \
	{ .kind = DVM_TRACE_OP_END, .task = 1, .mm = 1, .op = (cause) }

static const struct {
	uint8_t op;
	const char *once[2], *per_page; /* parameters charged */
} operations[] = {
	{ DVM_TRACE_OP_FORK, { "syscall", "fork" }, "fork_page" },
	{ DVM_TRACE_OP_EXEC, { "syscall", "exec" }, NULL },
	{ DVM_TRACE_OP_EXIT, { "syscall", "exit" }, "zap_page" },
	{ DVM_TRACE_OP_MMAP, { "syscall", "mmap" }, NULL },
	{ DVM_TRACE_OP_BRK, { "syscall", "mmap" }, NULL },
	{ DVM_TRACE_OP_MUNMAP, { "syscall", "munmap" }, "zap_page" },
	{ DVM_TRACE_OP_MADVISE, { "syscall", "munmap" }, "zap_page" },
	{ DVM_TRACE_OP_MREMAP, { "syscall", "munmap" }, "zap_page" },
	{ DVM_TRACE_OP_MPROTECT, { "syscall", "mprotect" }, "pte" },
	{ DVM_TRACE_OP_FAULT_ANON, { "fault", NULL }, "page_fill" },
	{ DVM_TRACE_OP_FAULT_COW, { "fault", NULL }, "page_fill" },
	{ DVM_TRACE_OP_FAULT_FILE, { "fault", NULL }, NULL },
	{ DVM_TRACE_OP_FAULT_WP_REUSE, { "fault", NULL }, NULL },
};

static const char *const costs[] = { "syscall", "fork", "fork_page", "exec", "exit", "zap_page",
				     "mmap", "munmap", "mprotect", "pte", "fault", "page_fill" };

/* A sum of costs with different digits names its terms. */
static uint64_t cost(const char *name)
{
	uint64_t ps = 1000;

	for (size_t i = 0; name && i < COUNT(costs); i++, ps = ps * 3 + 1)
		if (!strcmp(costs[i], name))
			return ps;
	return 0;
}

START_TEST(operation_costs_what_the_part_says)
{
	uint8_t op = operations[_i].op;
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000), OP(op) };
	uint64_t want = 1000000 + cost(operations[_i].once[0]) + cost(operations[_i].once[1]) +
			PAGES * cost(operations[_i].per_page);
	char path[64];
	struct run r;

	run_init(&r);
	for (size_t i = 0; i < COUNT(costs); i++) {
		snprintf(path, sizeof(path), "kernel.%s_ps", costs[i]);
		run_set(&r, path, cost(costs[i]));
	}
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->run_ps, want);
	run_fini(&r);
}
END_TEST

/* Simulated time of @t when parameter @path of the part is @value. */
static uint64_t elapsed(const char *path, uint64_t value, unsigned ncpus,
			const struct dvm_trace_record *t, size_t count)
{
	uint64_t ps;
	struct run r;

	run_init(&r);
	run_set(&r, path, value);
	run_strategy(&r, BROADCAST);
	run_trace(&r, ncpus, t, count);
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ps = r.stats->elapsed_ps;
	run_fini(&r);
	return ps;
}

/* Lazy TLB: idle keeps the tables of task 1, which need not be installed again. */
static const struct {
	const char *path;
	uint64_t times;
} switches[] = {
	{ "kernel.context_switch_ps", 5 },
	{ "kernel.mm_switch_ps", 3 },
};

START_TEST(switch_is_charged_always_and_tables_when_they_change)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), MM(2), TASK(2),
					ON(0, 1), RUN(0, 1, 1000), IDLE(0), ON(0, 1), RUN(0, 1, 1000),
					ON(0, 2), RUN(0, 2, 1000), ON(0, 1), RUN(0, 1, 1000) };
	uint64_t less = elapsed(switches[_i].path, 1000000, 1, t, COUNT(t));
	uint64_t more = elapsed(switches[_i].path, 1000700, 1, t, COUNT(t));

	ck_assert_uint_eq(more - less, 700 * switches[_i].times);
}
END_TEST

/* CPU 1 works while CPU 0 flushes once, and ends that much later. */
static const struct {
	const char *path;
	uint64_t times;
} losses[] = {
	{ "dvm.bystander_op_ps", 2 },
	{ "dvm.bystander_sync_ps", 1 },
};

START_TEST(bystander_ends_later_by_what_it_lost)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, 2, DVM_TRACE_OP_MPROTECT),
					{ .kind = DVM_TRACE_MM_NEW, .cpu = 1, .mm = 2,
					  .flags = DVM_TRACE_F_INITIAL },
					{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 2, .mm = 2,
					  .flags = DVM_TRACE_F_INITIAL },
					ON(1, 2), RUN(1, 2, 100000), MARK(1, 2) };
	uint64_t less = elapsed(losses[_i].path, 0, 2, t, COUNT(t));
	uint64_t more = elapsed(losses[_i].path, 90000, 2, t, COUNT(t));

	ck_assert_uint_eq(more - less, 90000 * losses[_i].times);
}
END_TEST

/* The time of the @index-th line of @text in one flush, on @cpus CPUs. */
static uint64_t step(const char *text, size_t index, uint64_t cpus)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
					FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT) };
	struct dvm_step s;
	struct run r;

	run_init(&r);
	run_set(&r, "feature.asid_bits", 16); /* more CPUs than 8 bits have ASIDs for */
	run_set(&r, "topology.clusters", cpus / 2);
	run_strategy(&r, text);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_int_eq(dvm_sim_step(r.sim, index, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	run_fini(&r);
	return s.total_ps;
}

/* A line has 64 bytes: the bits of 512 CPUs. */
START_TEST(mask_is_read_line_by_line)
{
	static const char text[] = "strategy m\nmask mm.ran = none\non flush:\n ldmask m, mm.ran\n mask.count n, m\n bgt n, 9, out\n"
				   "out:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n";
	uint64_t one = step(text, 0, 512);

	ck_assert_uint_gt(one, 0);
	ck_assert_uint_eq(step(text, 0, 514), 2 * one);
	ck_assert_uint_eq(step(text, 0, 1026), 3 * one);
}
END_TEST

/* A full atomic has a DMB ISH before and after it. */
START_TEST(full_atomic_costs_two_barriers_more)
{
	static const char relaxed[] = "strategy m\nword mm.w = 0\non flush:\n fadd _, mm.w, 1\n"
				      " dsb ishst\n asid\n tlbi is\n sync ish\n ret\n";
	static const char full[] = "strategy m\nword mm.w = 0\non flush:\n fadd.full _, mm.w, 1\n"
				   " dsb ishst\n asid\n tlbi is\n sync ish\n ret\n";
	struct run r;

	run_init(&r);
	ck_assert_uint_gt(run_params(&r)->barrier_dmb_ps, 0);
	ck_assert_uint_eq(step(full, 0, 4), step(relaxed, 0, 4) +
			  2 * run_params(&r)->barrier_dmb_ps);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "kernel work");

	tcase_add_loop_test(tc, operation_costs_what_the_part_says, 0, COUNT(operations));
	tcase_add_loop_test(tc, switch_is_charged_always_and_tables_when_they_change, 0,
			    COUNT(switches));

	tc = check_case(suite, "delays");
	tcase_add_loop_test(tc, bystander_ends_later_by_what_it_lost, 0, COUNT(losses));

	tc = check_case(suite, "lines");
	tcase_add_test(tc, mask_is_read_line_by_line);
	tcase_add_test(tc, full_atomic_costs_two_barriers_more);
}

CHECK_MAIN("sim work", add_cases)
