/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "study/stat.h"

#include <dvmsim/study.h>

#include <math.h>

/* Two-sided 5 % points of Student's t as printed in any statistics book, to three decimals. */
static const struct {
	unsigned df;
	double t;
} quantiles[] = {
	{ 1, 12.706 }, { 2, 4.303 },  { 3, 3.182 },  { 4, 2.776 },  { 5, 2.571 },   { 6, 2.447 },
	{ 7, 2.365 },  { 8, 2.306 },  { 9, 2.262 },  { 10, 2.228 }, { 15, 2.131 },  { 20, 2.086 },
	{ 29, 2.045 }, { 30, 2.042 }, { 40, 2.021 }, { 60, 2.000 }, { 120, 1.980 }, { 999, 1.962 },
};

START_TEST(t_quantile_is_the_published_one)
{
	ck_assert_double_eq_tol(dvmi_stat_t95(quantiles[_i].df), quantiles[_i].t, 0.0005001);
}
END_TEST

/* 1..5: mean 3, variance 10/4, standard error sqrt(2.5 / 5), t(4) = 2.776445. */
START_TEST(mean_and_interval_follow_the_formula)
{
	const double x[] = { 1, 2, 3, 4, 5 };
	struct dvmi_mean m = dvmi_stat_mean(x, 5);

	ck_assert_double_eq(m.mean, 3);
	ck_assert_double_eq_tol(m.ci95, 2.776445 * sqrt(0.5), 1e-6);
}
END_TEST

START_TEST(one_value_has_no_interval)
{
	const double x[] = { 42 };
	struct dvmi_mean m = dvmi_stat_mean(x, 1);

	ck_assert_double_eq(m.mean, 42);
	ck_assert_double_eq(m.ci95, 0);
}
END_TEST

START_TEST(equal_values_have_no_spread)
{
	const double x[] = { 0.1, 0.1, 0.1 };
	struct dvmi_mean m = dvmi_stat_mean(x, 3);

	ck_assert_double_eq(m.mean, 0.1);
	ck_assert_double_eq(m.ci95, 0);
}
END_TEST

/* The seeds differ by a factor of 4, the strategy always gains a tenth: pairing must see it. */
START_TEST(pairing_takes_out_what_seeds_share)
{
	const double base[] = { 100, 200, 400 }, x[] = { 110, 220, 440 };
	struct dvmi_mean change;

	ck_assert(dvmi_stat_change(x, base, 3, &change));
	ck_assert_double_eq_tol(change.mean, 10, 1e-12);
	ck_assert_double_lt(change.ci95, 1e-12);
	ck_assert_int_eq(dvmi_stat_verdict(x, base, 3, true), DVM_VERDICT_IMPROVED);
}
END_TEST

/* Changes of 1 % and 3 %: mean 2, half interval t(1) * sqrt(2) / sqrt(2) = 12.7062. */
START_TEST(interval_of_the_change_follows_the_formula)
{
	const double base[] = { 100, 100 }, x[] = { 101, 103 };
	struct dvmi_mean change;

	ck_assert(dvmi_stat_change(x, base, 2, &change));
	ck_assert_double_eq_tol(change.mean, 2, 1e-9);
	ck_assert_double_eq_tol(change.ci95, 12.706205, 1e-5);
}
END_TEST

/*
 * Two changes a > b > 0: the interval touches 0 when (a + b) / (a - b) = t(1) = 12.7062, for b = 1
 * when a = 1.170850. A hair on each side decides.
 */
static const struct {
	double base[2], x[2];
	bool higher;
	int verdict;
} verdicts[] = {
	{ { 100, 100 }, { 101, 101.1708 }, true, DVM_VERDICT_IMPROVED },
	{ { 100, 100 }, { 101, 101.1708 }, false, DVM_VERDICT_REGRESSED },
	{ { 100, 100 }, { 101, 101.1709 }, true, DVM_VERDICT_UNDECIDED },
	{ { 100, 100 }, { 99, 98.8292 }, true, DVM_VERDICT_REGRESSED },
	{ { 100, 100 }, { 99, 98.8292 }, false, DVM_VERDICT_IMPROVED },
	{ { 100, 100 }, { 99, 98.8291 }, false, DVM_VERDICT_UNDECIDED },
	{ { 100, 100 }, { 101, 99 }, true, DVM_VERDICT_UNDECIDED },
	{ { 100, 100 }, { 101, 101 }, true, DVM_VERDICT_IMPROVED }, /* no spread: the sign decides */
	{ { 100, 200 }, { 100, 200 }, true, DVM_VERDICT_UNCHANGED },
	{ { 0, 0 }, { 0, 0 }, true, DVM_VERDICT_UNCHANGED },
	{ { 0, 100 }, { 1, 100 }, true, DVM_VERDICT_NONE }, /* no percentage of nothing */
};

START_TEST(verdict_turns_where_the_interval_touches_zero)
{
	ck_assert_int_eq(dvmi_stat_verdict(verdicts[_i].x, verdicts[_i].base, 2, verdicts[_i].higher),
			 verdicts[_i].verdict);
}
END_TEST

/* One run each: no interval, so any difference counts, the last bit too, and only equal is equal. */
START_TEST(deterministic_cells_go_by_the_sign)
{
	const double base = 100, more = nextafter(100, 101), less = nextafter(100, 99);

	ck_assert_int_eq(dvmi_stat_verdict(&more, &base, 1, true), DVM_VERDICT_IMPROVED);
	ck_assert_int_eq(dvmi_stat_verdict(&less, &base, 1, true), DVM_VERDICT_REGRESSED);
	ck_assert_int_eq(dvmi_stat_verdict(&less, &base, 1, false), DVM_VERDICT_IMPROVED);
	ck_assert_int_eq(dvmi_stat_verdict(&base, &base, 1, true), DVM_VERDICT_UNCHANGED);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "stat");

	tcase_add_loop_test(tc, t_quantile_is_the_published_one, 0,
			    sizeof(quantiles) / sizeof(quantiles[0]));
	tcase_add_test(tc, mean_and_interval_follow_the_formula);
	tcase_add_test(tc, one_value_has_no_interval);
	tcase_add_test(tc, equal_values_have_no_spread);
	tcase_add_test(tc, pairing_takes_out_what_seeds_share);
	tcase_add_test(tc, interval_of_the_change_follows_the_formula);
	tcase_add_loop_test(tc, verdict_turns_where_the_interval_touches_zero, 0,
			    sizeof(verdicts) / sizeof(verdicts[0]));
	tcase_add_test(tc, deterministic_cells_go_by_the_sign);
}

CHECK_MAIN("stat", add_cases)
