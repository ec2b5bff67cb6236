/* SPDX-License-Identifier: MIT */
/* CPUs that run ahead of one another leave the same results as accesses made one by one in order. */
#include "check_main.h"
#include "random_run.h"

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

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "order"), running_ahead_changes_no_result);
}

CHECK_MAIN("sim_ahead", add_cases)
