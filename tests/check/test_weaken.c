/* SPDX-License-Identifier: MIT */
/*
 * Which part of a strategy is needed. The expected answers are the arguments of the review thread
 * and of the protocols' descriptions, not the program's output: version 2 needs DSB ISHST after its
 * store (TTBR0 is a system register, which no DMB orders), its second load (the first may be early),
 * its full DSB NSH (nothing less completes a TLBI); its upgrade to DSB ISH may be DSB ISHST where
 * that orders loads, which is what the reviewers disagreed about.
 */
#include "scenario_util.h"

#include "base/mem.h"

#include <dvmsim/minimise.h>

#include <stdint.h>

static struct dvm_check_options options(bool prose)
{
	struct dvm_check_options o = {.size = sizeof(o)};

	if (prose)
		o.without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	return o;
}

static const struct {
	const char *strategy, *insn, *change;
	unsigned which; /* of the instructions that read so, from 0 */
	const char *scenario;
	bool prose;
	enum dvm_need need;
} known[] = {
	/* WR 5 */
	{"active-cpu-v2", "dsb ishst", "dropped", 0, "arrive", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "dsb ishst", "as dmb ishst", 0, "arrive", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "dsb ishst", "dropped", 0, "stay", false, DVM_NEED_UNSEEN},
	/* PRE2 4, 5 */
	{"active-cpu-v2", "dsb ish", "dropped", 0, "arrive", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "dsb ish", "as dsb ishst", 0, "arrive", false, DVM_NEED_LOSABLE},
	{"active-cpu-v2", "dsb ish", "as dsb ishst", 0, "arrive", true, DVM_NEED_NEEDED},
	{"active-cpu-v2", "dsb ish", "as dsb ishld", 0, "arrive", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "ld a, mm.active_cpu", "dropped", 0, "arrive", false, DVM_NEED_NEEDED},
	/* Nobody moves here; where somebody does is tested below. */
	{"active-cpu-v2", "migrate_disable", "all of its kind dropped", 0, "arrive", false,
	 DVM_NEED_LOSABLE},
	/* completion of the local TLBI */
	{"active-cpu-v2", "dsb nsh", "as dsb nshst", 0, "stay", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "dsb nsh", "as dmb nsh", 0, "stay", false, DVM_NEED_NEEDED},
	/* the wide path */
	{"active-cpu-v2", "tlbi is", "as tlbi local", 0, "second-thread", false, DVM_NEED_NEEDED},
	{"active-cpu-v2", "sync ish", "as dsb nsh", 0, "second-thread", false, DVM_NEED_NEEDED},
	/* one CPU: a local flush is enough, and a broadcast is not seen there */
	{"always-broadcast", "tlbi is", "as tlbi local", 0, "stay", false, DVM_NEED_LOSABLE},
	{"always-broadcast", "sync ish", "dropped", 0, "stay", false, DVM_NEED_NEEDED},
};

static size_t find(const struct dvm_minimal *m, const char *insn, const char *change, unsigned which)
{
	struct dvm_weakening w = {.size = sizeof(w)};
	size_t i = 0;

	for (; !dvm_minimal_get(m, i, &w); i++)
		if (!strcmp(w.insn, insn) && !strcmp(w.change, change) && which-- == 0)
			break;
	ck_assert_msg(i < dvm_minimal_count(m), "no '%s' %s", insn, change);
	return i;
}

START_TEST(what_the_argument_needs_is_needed)
{
	struct dvm_strategy *s = util_strategy(known[_i].strategy);
	unsigned scenario = util_scenario(known[_i].scenario);
	struct dvm_check_options o = options(known[_i].prose);
	struct dvm_weakening w = {.size = sizeof(w)};
	struct dvm_minimal *m;
	size_t i;

	ck_assert_int_eq(dvm_minimise(s, &scenario, 1, &o, &m, NULL), 0);
	i = find(m, known[_i].insn, known[_i].change, known[_i].which);
	ck_assert_int_eq(dvm_minimal_get(m, i, &w), 0);
	ck_assert_msg(w.need == known[_i].need, "line %u, %s: %s", w.line, w.insn,
		      dvm_need_name(w.need));
	ck_assert_int_eq(dvm_minimal_verdict(m, SIZE_MAX, 0), DVM_SCENARIO_SAFE);
	ck_assert_int_eq(dvm_minimal_verdict(m, i, 0) == DVM_SCENARIO_UNSAFE,
			 known[_i].need == DVM_NEED_NEEDED);
	dvm_minimal_free(m);
	dvm_strategy_free(s);
}
END_TEST

/*
 * Two barriers of which either is enough: each can be lost, not both. The first DSB is for the store,
 * and a second one right after it does the same.
 */
START_TEST(what_can_be_lost_alone_may_not_be_lost_together)
{
	static const char text[] = "strategy t\non flush:\n\tdsb ishst\n\tdsb ishst\n\tasid\n"
				   "\ttlbi is\n\tsync ish\n\tret\n";
	struct dvm_check_options o = options(false);
	unsigned scenario = util_scenario("stay");
	struct dvm_strategy *s = util_parse(text);
	struct dvm_weakening w = {.size = sizeof(w)};
	struct dvm_minimal *m;
	int lost = 0;

	ck_assert_int_eq(dvm_minimise(s, &scenario, 1, &o, &m, NULL), 0);
	for (size_t i = 0; !dvm_minimal_get(m, i, &w); i++)
		if (!strcmp(w.insn, "dsb ishst") && !strcmp(w.change, "dropped")) {
			ck_assert_int_eq(w.need, DVM_NEED_LOSABLE);
			lost += w.lost;
		}
	ck_assert_int_eq(lost, 1);
	dvm_minimal_free(m);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(the_difference_that_changes_a_verdict_is_found)
{
	static const char *const names[] = {"arrive", "stay"};
	struct dvm_strategy *a = util_strategy("active-cpu-v2-plain-load");
	struct dvm_strategy *b = util_strategy("active-cpu-v2");
	unsigned scenarios[2] = {util_scenario(names[0]), util_scenario(names[1])};
	struct dvm_check_options o = options(true);
	struct dvm_difference *d;
	size_t first, last;

	ck_assert_int_eq(dvm_diff(a, b, scenarios, 2, &o, &d, NULL), 0);
	ck_assert_uint_eq(dvm_diff_count(d), 2);
	ck_assert_int_eq(dvm_diff_verdict(d, SIZE_MAX, 0), DVM_SCENARIO_UNSAFE);
	ck_assert_int_eq(dvm_diff_verdict(d, SIZE_MAX - 1, 0), DVM_SCENARIO_SAFE);
	/* A branch and its label: neither is a program without the other. */
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(dvm_diff_with(d, i, &first, &last), 0);
		ck_assert(first == 0 && last == 1);
		ck_assert_str_ne(dvm_diff_why(d, i), "");
		ck_assert_int_eq(dvm_diff_verdict(d, i, 0), DVM_SCENARIO_SAFE);
		ck_assert_int_eq(dvm_diff_verdict(d, i, 1), DVM_SCENARIO_SAFE);
	}
	ck_assert_ptr_nonnull(strstr(dvm_diff_text(d, 1), "+ dsb     ish\n"));
	ck_assert_ptr_null(dvm_diff_text(d, 2));
	dvm_diff_free(d);
	ck_assert_int_eq(dvm_diff(a, a, scenarios, 2, &o, &d, NULL), 0);
	ck_assert_uint_eq(dvm_diff_count(d), 0);
	dvm_diff_free(d);
	dvm_strategy_free(a);
	dvm_strategy_free(b);
}
END_TEST

/* Two differences, one of which matters. */
START_TEST(each_difference_is_tried_alone)
{
	char *text = util_strategy_text("always-broadcast");
	char *b1 = util_replace(text, "dsb     ishst ", "dsb     ish ");
	char *b2 = util_replace(b1, "sync    ish ", "dsb     nsh ");
	struct dvm_strategy *a = util_parse(text), *b = util_parse(b2);
	unsigned scenario = util_scenario("second-thread");
	struct dvm_check_options o = options(false);
	struct dvm_difference *d;

	ck_assert_int_eq(dvm_diff(a, b, &scenario, 1, &o, &d, NULL), 0);
	ck_assert_uint_eq(dvm_diff_count(d), 2);
	ck_assert_int_eq(dvm_diff_verdict(d, 0, 0), DVM_SCENARIO_SAFE);
	ck_assert_int_eq(dvm_diff_verdict(d, 1, 0), DVM_SCENARIO_UNSAFE);
	ck_assert_str_eq(dvm_diff_why(d, 0), "");
	ck_assert_str_eq(dvm_diff_text(d, 0), "- dsb     ishst\n+ dsb     ish\n");
	ck_assert_uint_eq(dvm_diff_line(d, 0), 10);
	dvm_diff_free(d);
	dvm_strategy_free(a);
	dvm_strategy_free(b);
	free(b2);
	free(b1);
	free(text);
}
END_TEST

static int stop(void *arg)
{
	(void)arg;
	return 1;
}

START_TEST(misuse_budgets_and_lack_of_memory_are_errors)
{
	struct dvm_strategy *s = util_strategy("null");
	struct dvm_check_options o = options(false), small = {.size = 1};
	unsigned scenario = util_scenario("stay");
	struct dvm_weakening w = {.size = 1};
	struct dvm_difference *d = NULL;
	struct dvm_minimal *m = NULL;
	unsigned long n = 1;
	int rc;

	ck_assert_int_eq(dvm_minimise(s, &scenario, 0, &o, &m, NULL), -DVM_EINVAL);
	ck_assert_int_eq(dvm_minimise(s, &scenario, 1, &small, &m, NULL), -DVM_EINVAL);
	scenario = dvm_scenarios();
	ck_assert_int_eq(dvm_diff(s, s, &scenario, 1, &o, &d, NULL), -DVM_EINVAL);
	scenario = util_scenario("stay");
	o.stop = stop;
	ck_assert_int_eq(dvm_diff(s, s, &scenario, 1, &o, &d, NULL), -DVM_EBUDGET);
	do {
		dvmi_mem_fail_at(n++);
		rc = dvm_minimise(s, &scenario, 1, NULL, &m, NULL);
		dvmi_mem_fail_at(0);
		ck_assert(rc == 0 || rc == -DVM_ENOMEM);
	} while (rc);
	ck_assert_uint_gt(n, 5);
	ck_assert_int_eq(dvm_minimal_get(m, 0, &w), -DVM_EINVAL);
	dvm_minimal_free(m);
	dvm_minimal_free(NULL);
	dvm_diff_free(NULL);
	dvm_strategy_free(s);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "weakening");

	tcase_add_loop_test(tc, what_the_argument_needs_is_needed, 0,
			    (int)(sizeof(known) / sizeof(known[0])));
	tcase_add_test(tc, what_can_be_lost_alone_may_not_be_lost_together);
	tcase_add_test(tc, the_difference_that_changes_a_verdict_is_found);
	tcase_add_test(tc, each_difference_is_tried_alone);
	tcase_add_test(tc, misuse_budgets_and_lack_of_memory_are_errors);
}

CHECK_MAIN("weaken", add_cases)
