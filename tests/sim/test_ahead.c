/* SPDX-License-Identifier: MIT */
/* CPUs that run ahead of one another leave the same results as accesses made one by one in order. */
#include "check_main.h"
#include "random_run.h"
#include "run.h"

#include "sim/engine.h"

#include <stdlib.h>
#include <string.h>

/* Sanitizers are slow, and the same seeds run without them. */
#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 60
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEEDS 60
#endif
#endif
#ifndef SEEDS
#define SEEDS 400
#endif

/* The long test asks for more. */
static uint64_t seeds(void)
{
	const char *text = getenv("DVMSIM_SEEDS");

	return text ? strtoull(text, NULL, 10) : SEEDS;
}

START_TEST(running_ahead_changes_no_result)
{
	static char ahead[RANDOM_RUN_TEXT], strict[RANDOM_RUN_TEXT];

	uint64_t count = seeds();

	for (uint64_t seed = 0; seed < count; seed++) {
		random_run(seed, false, true, ahead);
		random_run(seed, true, true, strict);
		ck_assert_msg(!strcmp(ahead, strict), "%s: ahead\n%s\nin order\n%s",
			      random_run_about(), ahead, strict);
	}
}
END_TEST

/* Every way from CPU to CPU bounds how far one may run ahead. */
START_TEST(the_shortest_way_counts)
{
	struct dvmi_hw hw = { .dvm_request_ps = 90, .ipi_deliver_ps = 91, .kernel_flush_call_ps = 92,
			      .kernel_context_switch_ps = 93, .kernel_mm_switch_ps = 94 };
	uint64_t *const ways[] = { &hw.dvm_request_ps, &hw.ipi_deliver_ps, &hw.kernel_flush_call_ps,
				   &hw.kernel_context_switch_ps, &hw.kernel_mm_switch_ps };

	ck_assert_uint_eq(dvmi_reach_ps(&hw), 90);
	*ways[_i] = 7;
	ck_assert_uint_eq(dvmi_reach_ps(&hw), 7);
	*ways[_i] = 0;
	ck_assert_uint_eq(dvmi_reach_ps(&hw), 0);
}
END_TEST

/* ---- a batch whose completion takes no time ---- */

/* Its adds miss CPU 1; from the batch flush on, which is over at once, an access there is stale. */
#define AT_ONCE \
	"strategy o\non flush:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n" \
	"on batch-add:\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\non batch-flush:\n ret\n"
#define ACCESSES_MAX 30000

/* CPU 1 makes @accesses to one page, one per nanosecond; CPU 0 flushes it after about 5 us. */
static int complete_at_once(size_t accesses, bool strict, bool switched)
{
	static uint64_t page[ACCESSES_MAX];
	struct dvm_trace_record add = FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_RECLAIM);
	const struct dvm_trace_record begin[] = {
		MM(1), TASK(1), MM(3), TASK(3),
		{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .mm = 1,
		  .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD },
		{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 2, .mm = 1 },
		{ .kind = DVM_TRACE_ACCESS_RUN, .cpu = 1, .task = 2, .mm = 1, .amount = accesses },
		ON(0, 1), RUN(0, 1, 2000),
	};
	const struct dvm_trace_record away[] = { ON(0, 3), RUN(0, 3, 1000), ON(0, 1) };
	const struct dvm_trace_record end[] = {
		{ .kind = DVM_TRACE_BATCH_FLUSH, .task = 1 }, RUN(0, 1, 100),
	};
	const struct dvm_trace_record stay[] = { RUN(0, 1, 2000) };
	struct run r;
	int ret;

	add.flags |= DVM_TRACE_F_NOSYNC;
	for (size_t i = 0; i < ACCESSES_MAX; i++)
		page[i] = add.va;
	run_init(&r);
	run_strategy(&r, AT_ONCE);
	run_trace(&r, 2, NULL, 0);
	ck_assert_int_eq(dvm_trace_append_accesses(r.trace, page, accesses, &r.err), 0);
	ck_assert_int_eq(dvm_trace_append(r.trace, begin, COUNT(begin), &r.err), 0);
	ck_assert_int_eq(dvm_trace_append(r.trace, &add, 1, &r.err), 0);
	ret = switched ? dvm_trace_append(r.trace, away, COUNT(away), &r.err) :
			 dvm_trace_append(r.trace, stay, COUNT(stay), &r.err);
	ck_assert_int_eq(ret, 0);
	ck_assert_int_eq(dvm_trace_append(r.trace, end, COUNT(end), &r.err), 0);
	r.options.strict_order = strict;
	run_go(&r, 1, 1);
	ret = r.ret;
	run_fini(&r);
	return ret;
}

/* The least number of accesses of which one is stale. */
static size_t first_stale(bool strict, bool switched)
{
	size_t low = 0, high = ACCESSES_MAX;

	ck_assert_int_eq(complete_at_once(high, strict, switched), -DVM_EUNSAFE);
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (complete_at_once(middle, strict, switched))
			high = middle;
		else
			low = middle;
	}
	return high;
}

/*
 * Whose task has a batch to complete gets no credit, nor who switches to such a task: the completion
 * may be its next act.
 */
START_TEST(a_batch_that_completes_at_once_is_met_in_time)
{
	ck_assert_uint_eq(first_stale(false, _i), first_stale(true, _i));
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "order");

	tcase_add_test(tc, running_ahead_changes_no_result);
	tcase_add_loop_test(tc, the_shortest_way_counts, 0, 5);
	tcase_add_loop_test(tc, a_batch_that_completes_at_once_is_met_in_time, 0, 2);
}

CHECK_MAIN("sim_ahead", add_cases)
