/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "base/pool.h"

#include <dvmsim/error.h>

#include <stdatomic.h>
#include <string.h>

#define JOBS 200

struct work {
	unsigned char seen[JOBS];
	_Atomic unsigned ran;
	size_t fail_from;
	unsigned ticks_left;
};

static int job(void *arg, size_t i)
{
	struct work *w = arg;

	w->seen[i]++;
	w->ran++;
	return i >= w->fail_from ? -(int)i : 0;
}

static int tick(void *arg)
{
	struct work *w = arg;

	return w->ticks_left-- == 0;
}

static const unsigned threads[] = { 1, 2, 4, 64 };

START_TEST(every_job_runs_once)
{
	struct work w = { .fail_from = JOBS };

	ck_assert_int_eq(dvmi_pool_run(threads[_i], JOBS, job, NULL, &w), 0);
	for (size_t i = 0; i < JOBS; i++)
		ck_assert_uint_eq(w.seen[i], 1);
}
END_TEST

/* Jobs start in order, so the first that fails has always started: its code is the one returned. */
START_TEST(first_failure_is_returned)
{
	struct work w = { .fail_from = 17 };

	ck_assert_int_eq(dvmi_pool_run(threads[_i], JOBS, job, NULL, &w), -17);
	ck_assert_uint_lt(w.ran, JOBS);
}
END_TEST

START_TEST(a_tick_stops_the_rest)
{
	struct work w = { .fail_from = JOBS, .ticks_left = 3 };

	ck_assert_int_eq(dvmi_pool_run(1, JOBS, job, tick, &w), -DVM_EBUDGET);
	ck_assert_uint_eq(w.ran, 4);
}
END_TEST

START_TEST(nothing_to_do_is_done)
{
	struct work w = { 0 };

	ck_assert_int_eq(dvmi_pool_run(threads[_i], 0, job, NULL, &w), 0);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "pool");
	int n = sizeof(threads) / sizeof(threads[0]);

	tcase_add_loop_test(tc, every_job_runs_once, 0, n);
	tcase_add_loop_test(tc, first_failure_is_returned, 0, n);
	tcase_add_test(tc, a_tick_stops_the_rest);
	tcase_add_loop_test(tc, nothing_to_do_is_done, 0, n);
}

CHECK_MAIN("pool", add_cases)
