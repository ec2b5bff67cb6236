/* SPDX-License-Identifier: MIT */
/* CPUs that run ahead of one another leave the same results as accesses made one by one in order. */
#include "check_main.h"
#include "random_run.h"

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

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "order");

	tcase_add_test(tc, running_ahead_changes_no_result);
	tcase_add_loop_test(tc, the_shortest_way_counts, 0, 5);
}

CHECK_MAIN("sim_ahead", add_cases)
