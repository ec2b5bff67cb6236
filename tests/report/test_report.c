/* SPDX-License-Identifier: MIT */
/* Numbers and tables as people read them. */
#include "check_main.h"
#include "base/mem.h"
#include "report/num.h"
#include "report/table.h"
#include "report/text.h"

#include <string.h>

static const struct {
	double ps;
	const char *text;
} times[] = {
	{ 0, "0" },		 { 1, "1 ps" },		  { 850, "850 ps" },	{ 1.5, "1.50 ps" },
	{ 999, "999 ps" },	 { 1000, "1.00 ns" },	  { 5500, "5.50 ns" },	{ 90300, "90.3 ns" },
	{ 748900, "749 ns" },	 { 999499, "999 ns" },	  { 999600, "1.00 us" },
	{ 1.02e6, "1.02 us" },	 { 1.6949e10, "16.9 ms" }, { 2.5e12, "2.50 s" },
	{ 3.6e15, "3600 s" },
};

START_TEST(times_have_three_digits_and_a_unit)
{
	char buf[DVMI_NUM_MAX];

	ck_assert_str_eq(dvmi_num_time(buf, times[_i].ps), times[_i].text);
}
END_TEST

static const struct {
	uint64_t n;
	const char *text;
} counts[] = {
	{ 0, "0" }, { 999, "999" }, { 1000, "1,000" }, { 9060, "9,060" }, { 99999, "99,999" },
	{ 100000, "100 k" }, { 1234567, "1.23 M" }, { 10100000, "10.1 M" },
	{ UINT64_C(2500000000), "2.50 G" },
};

START_TEST(counts_are_exact_while_they_are_short)
{
	char buf[DVMI_NUM_MAX];

	ck_assert_str_eq(dvmi_num_count(buf, counts[_i].n), counts[_i].text);
}
END_TEST

/* The last digit is worth about a tenth of the uncertainty; a change never looks like none. */
static const struct {
	double pct, uncertainty;
	const char *text;
} changes[] = {
	{ 3.254, 0, "+3.25 %" },    { -1.1, 0.05, "-1.10 %" }, { 3.254, 1, "+3.3 %" },
	{ 3.254, 9.9, "+3.3 %" },   { 3.254, 10, "+3 %" },     { 0.3, 20, "+0.3 %" },
	{ 0.03, 20, "+0.03 %" },    { 1278.4, 0, "+1278 %" },  { 0, 0, "+0.00 %" },
	{ 0.001, 0, "<+0.01 %" },   { -0.001, 0, ">-0.01 %" },
};

START_TEST(changes_are_not_more_precise_than_they_deserve)
{
	char buf[DVMI_NUM_MAX];

	ck_assert_str_eq(dvmi_num_change(buf, changes[_i].pct, changes[_i].uncertainty),
			 changes[_i].text);
}
END_TEST

static const struct {
	double part, whole;
	const char *text;
} shares[] = {
	{ 0, 0, "-" }, { 0, 10, "0 %" }, { 10, 10, "100 %" }, { 1, 3, "33.3 %" },
	{ 1, 100000, "<0.1 %" }, { 99999, 100000, ">99.9 %" }, { 1, 1000, "0.1 %" },
};

START_TEST(shares_tell_little_from_nothing)
{
	char buf[DVMI_NUM_MAX];

	ck_assert_str_eq(dvmi_num_share(buf, shares[_i].part, shares[_i].whole), shares[_i].text);
}
END_TEST

static const struct {
	const char *at, *text;
} places[] = {
	{ "barrier.dsb_nsh_ps=200000", "barrier.dsb_nsh = 200 ns" },
	{ "kpti=1", "kpti = 1" },
	{ "all estimates high", "all estimates high" },
	{ "", "" },
};

START_TEST(places_have_units)
{
	char buf[64];

	ck_assert_str_eq(dvmi_place_text(buf, sizeof(buf), places[_i].at), places[_i].text);
	ck_assert_uint_lt(strlen(dvmi_place_text(buf, 8, places[_i].at)), 8);
}
END_TEST

static void fill(struct dvmi_table *t)
{
	dvmi_table_right(t, 1);
	dvmi_table_add(t, "a");
	dvmi_table_add(t, "%s", "head");
	dvmi_table_rule(t, true);
	dvmi_table_add(t, "bcd");
	dvmi_table_add(t, "%d", 1);
}

START_TEST(grid_is_drawn_as_on_the_list)
{
	struct dvmi_buf out = { 0 };
	struct dvmi_table t;
	char *text;

	dvmi_table_init(&t, 2, true);
	fill(&t);
	dvmi_table_print(&t, "", &out);
	dvmi_table_fini(&t);
	ck_assert_int_eq(dvmi_buf_take(&out, &text), 0);
	ck_assert_str_eq(text, "+-----+------+\n"
			       "| a   | head |\n"
			       "+=====+======+\n"
			       "| bcd |    1 |\n"
			       "+-----+------+\n");
	dvmi_free(text);
}
END_TEST

START_TEST(plain_table_is_aligned)
{
	struct dvmi_buf out = { 0 };
	struct dvmi_table t;
	char *text;

	dvmi_table_init(&t, 2, false);
	fill(&t);
	dvmi_table_print(&t, "  ", &out);
	dvmi_table_fini(&t);
	ck_assert_int_eq(dvmi_buf_take(&out, &text), 0);
	ck_assert_str_eq(text, "  a    head\n"
			       "  ===  ====\n"
			       "  bcd     1\n");
	dvmi_free(text);
}
END_TEST

START_TEST(lost_memory_fails_the_table)
{
	struct dvmi_buf out;
	struct dvmi_table t;
	unsigned long n, count;
	char *text;

	for (n = 0, count = 1; n <= count; n++) {
		memset(&out, 0, sizeof(out));
		dvmi_mem_fail_at(n);
		dvmi_table_init(&t, 2, true);
		fill(&t);
		dvmi_table_print(&t, "", &out);
		dvmi_table_fini(&t);
		if (n) {
			ck_assert_int_eq(dvmi_buf_take(&out, &text), -DVM_ENOMEM);
			continue;
		}
		ck_assert_int_eq(dvmi_buf_take(&out, &text), 0);
		count = dvmi_mem_count();
		dvmi_free(text);
	}
	dvmi_mem_fail_at(0);
}
END_TEST

/* What the mark of a cell is: an interval alone does not earn one. */
static const struct {
	int status, verdict;
	bool examined, holds;
	const char *stale_at;
	enum dvmi_mark mark;
} marks[] = {
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, true, true, NULL, DVMI_MARK_IMPROVED },
	{ DVM_RUN_OK, DVM_VERDICT_REGRESSED, true, true, NULL, DVMI_MARK_REGRESSED },
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, true, false, NULL, DVMI_MARK_SIGN },
	{ DVM_RUN_OK, DVM_VERDICT_REGRESSED, true, false, NULL, DVMI_MARK_SIGN },
	{ DVM_RUN_OK, DVM_VERDICT_UNDECIDED, true, false, NULL, DVMI_MARK_NONE },
	{ DVM_RUN_OK, DVM_VERDICT_UNCHANGED, true, true, NULL, DVMI_MARK_NONE },
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, false, false, NULL, DVMI_MARK_IMPROVED },
	{ DVM_RUN_OK, DVM_VERDICT_IMPROVED, true, true, "x=1", DVMI_MARK_STALE },
	{ DVM_RUN_STALE, DVM_VERDICT_NONE, false, false, NULL, DVMI_MARK_STALE },
	{ DVM_RUN_IMPOSSIBLE, DVM_VERDICT_NONE, false, false, NULL, DVMI_MARK_MISSING },
	{ DVM_RUN_OK, DVM_VERDICT_NONE, false, false, NULL, DVMI_MARK_MISSING },
};

START_TEST(mark_says_what_is_known)
{
	struct dvm_cell c = { .status = marks[_i].status };
	struct dvm_metric m = { .verdict = marks[_i].verdict, .change_pct = 1 };

	m.ranges.examined = marks[_i].examined;
	m.ranges.holds = marks[_i].holds;
	m.ranges.stale_at = marks[_i].stale_at;
	ck_assert_int_eq(dvmi_mark_of(&c, &m), marks[_i].mark);
}
END_TEST

START_TEST(what_shows_as_nothing_gets_no_mark)
{
	struct dvm_cell c = { .status = DVM_RUN_OK };
	struct dvm_metric m = { .verdict = DVM_VERDICT_IMPROVED, .change_pct = 0.005 };

	ck_assert_int_eq(dvmi_mark_of(&c, &m), DVMI_MARK_IMPROVED);
	m.change_pct = 0.0049;
	ck_assert_int_eq(dvmi_mark_of(&c, &m), DVMI_MARK_NONE);
}
END_TEST

/* A latency that falls by 20 % is an improvement of 20 %, and its ranges turn with it. */
START_TEST(positive_is_better_whatever_the_metric)
{
	struct dvm_cell c = { .status = DVM_RUN_OK };
	struct dvm_metric m = { .name = "flush", .unit = "ps", .n = 1, .change_pct = -20,
				.verdict = DVM_VERDICT_IMPROVED };
	char buf[96];

	ck_assert_str_eq(dvmi_change_text(buf, &c, &m), "(I) +20.00 %");
	m.ranges = (struct dvm_ranges){ .examined = true, .holds = false, .runs = 2,
					.lo_pct = -24, .hi_pct = 6 };
	ck_assert_str_eq(dvmi_change_text(buf, &c, &m), "(?) +20 %");
	ck_assert_str_eq(dvmi_ranges_text(buf, &m), "-6 .. +24 %");
}
END_TEST

START_TEST(interval_is_shown_with_the_digits_of_the_change)
{
	struct dvm_cell c = { .status = DVM_RUN_OK };
	struct dvm_metric m = { .name = "jobs", .unit = "/s", .higher_is_better = true, .n = 5,
				.change_pct = -1.104, .change_ci95 = 0.456,
				.verdict = DVM_VERDICT_REGRESSED };
	char buf[96];

	ck_assert_str_eq(dvmi_change_text(buf, &c, &m), "(R) -1.10 % +-0.46");
	m.change_ci95 = 0.001;
	ck_assert_str_eq(dvmi_change_text(buf, &c, &m), "(R) -1.10 %");
}
END_TEST

#define LOOP(test, rows) tcase_add_loop_test(tc, test, 0, sizeof(rows) / sizeof(rows[0]))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "report");

	LOOP(times_have_three_digits_and_a_unit, times);
	LOOP(counts_are_exact_while_they_are_short, counts);
	LOOP(changes_are_not_more_precise_than_they_deserve, changes);
	LOOP(shares_tell_little_from_nothing, shares);
	LOOP(places_have_units, places);
	LOOP(mark_says_what_is_known, marks);
	tcase_add_test(tc, what_shows_as_nothing_gets_no_mark);
	tcase_add_test(tc, grid_is_drawn_as_on_the_list);
	tcase_add_test(tc, plain_table_is_aligned);
	tcase_add_test(tc, lost_memory_fails_the_table);
	tcase_add_test(tc, positive_is_better_whatever_the_metric);
	tcase_add_test(tc, interval_is_shown_with_the_digits_of_the_change);
}

CHECK_MAIN("report", add_cases)
