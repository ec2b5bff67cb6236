/* SPDX-License-Identifier: MIT */
/*
 * Every safety rule has its own shortest witness. What a broken program can break follows from the
 * rules' definitions (docs/checker-scenarios.md, "Witnesses"); the searches for one rule are compared
 * with a breadth-first one.
 */
#include "nearest.h"
#include "scenario_util.h"

#include <dvmsim/witness.h>

#define R(n) (1u << (n))
#define FLUSH(body) "strategy t\non flush:\n" body "\tret\n"

/* All rules that the stale uses of a scenario break. */
static const struct {
	const char *strategy; /* a name, or a text */
	const char *scenario;
	unsigned env, rules;
} rows[] = {
	{"null", "second-thread", 0, R(2)},
	{"null", "fixup", 0, R(1)},
	{"null", "remap", 0, R(9)},
	{"selftest-no-post", "second-thread", 0, R(2)},
	{"selftest-no-post", "migrate-twice", 0, R(2)},
	{"selftest-no-pre", "second-thread", 0, R(1) | R(3)},
	/* Neither: the TLBI may be early, or late. */
	{FLUSH("\tasid\n\ttlbi is\n"), "second-thread", 0, R(1) | R(2) | R(3)},
	/* A local one misses the other CPU however well it is ordered; it may be early for its own. */
	{FLUSH("\tasid\n\ttlbi local\n\tdsb nsh\n"), "second-thread", 0, R(1) | R(5)},
	{FLUSH("\tasid\n\ttlbi local\n\tdsb nsh\n"), "stay", 0, R(1) | R(3)},
	/* The wrong type, and the right one on the CPU the task has moved to. */
	{FLUSH("\tdsb ishst\n\tasid\n\ttlbi is\n\tdsb ishst\n"), "second-thread", 0, R(2) | R(4)},
	{"active-cpu-v2", "smmu-btm", 0, R(1) | R(10)},
	{"recheck", "foreign-migrate", 0, R(1) | R(5) | R(11)},
	{"selftest-bad-ttl", "second-thread", 0, R(1) | R(7)},
	{"selftest-no-twin", "kpti", 0, R(1) | R(8)},
	{"nr-active-v2", "erratum", 0, R(1) | R(12)},
	{"always-broadcast", "asid-reuse", DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH, R(6)},
	{"always-broadcast", "remap", DVM_SCENARIO_ENV_NO_BREAK, R(9)},
};
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static struct dvm_strategy *strategy(const char *s)
{
	return strchr(s, '\n') ? util_parse(s) : util_strategy(s);
}

/* The shortest of a test for one rule: it replays, breaks that rule, and is not shorter than any. */
static void shortest_for(const struct dvm_scenario_result *r, size_t i, unsigned rule, unsigned any)
{
	struct dvm_witness *w;
	bool broken = false;

	ck_assert_int_eq(dvm_scenario_witness_of(r, i, rule, &w, NULL), 0);
	ck_assert_int_eq(dvm_witness_replay(w), 0);
	for (unsigned k = 0; k < dvm_witness_rules(w); k++)
		broken |= dvm_witness_rule(w, k) == rule;
	ck_assert(broken);
	ck_assert_uint_ge(dvm_witness_steps(w), any);
	dvm_witness_free(w);
}

static unsigned first_broken(const struct dvm_scenario_result *r, size_t i, unsigned *steps)
{
	struct dvm_witness *w;
	unsigned rule;

	ck_assert_int_eq(dvm_scenario_witness(r, i, &w, NULL), 0);
	*steps = dvm_witness_steps(w);
	rule = dvm_witness_rule(w, 0);
	dvm_witness_free(w);
	return rule;
}

START_TEST(a_scenario_breaks_these_rules_and_no_others)
{
	struct dvm_check_options o = {.size = sizeof(o), .env = rows[_i].env};
	struct dvm_strategy *s = strategy(rows[_i].strategy);
	struct dvm_scenario_result *r;
	struct dvm_witness *w;
	unsigned all = 0, tried = 0;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario(rows[_i].scenario), &o, &r, NULL), 0);
	for (size_t i = 0; i < dvm_scenario_tests(r); i++) {
		unsigned rules = dvm_scenario_test_rules(r, i), steps;
		bool stale = dvm_scenario_test_verdict(r, i) == DVM_SCENARIO_UNSAFE;

		ck_assert_int_eq(rules != 0, stale);
		all |= rules;
		if (!stale || tried++ > 3)
			continue;
		ck_assert_uint_ne(rules & R(first_broken(r, i, &steps)), 0);
		for (unsigned n = 1; n <= 12; n++) {
			if (rules & R(n))
				shortest_for(r, i, n, steps);
			else if (n % 4 == 1)
				ck_assert_int_eq(dvm_scenario_witness_of(r, i, n, &w, NULL),
						 -DVM_ENOENT);
		}
		ck_assert_int_eq(dvm_scenario_witness_of(r, i, 13, &w, NULL), -DVM_EINVAL);
	}
	ck_assert_msg(all == rows[_i].rules, "%x, not %x", all, rows[_i].rules);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(every_rule_has_a_witness_here)
{
	unsigned all = 0;

	for (int i = 0; i < ROWS; i++)
		all |= rows[i].rules;
	ck_assert_uint_eq(all, 0x1ffe);
}
END_TEST

/* With each rule of the program that is neither ordered before nor after. */
START_TEST(no_execution_breaks_a_rule_in_fewer_steps)
{
	struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
	struct dvm_strategy *s = strategy(FLUSH("\tasid\n\ttlbi is\n"));
	struct dvm_scenario_result *r;
	struct dvm_witness *w;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("second-thread"), NULL, &r, NULL), 0);
	for (unsigned rule = 1; rule <= 3; rule++) {
		ck_assert_int_eq(dvm_scenario_witness_of(r, (size_t)_i, rule, &w, NULL), 0);
		ck_assert_uint_eq(nearest_of_all(w->test, w->origins, &o, rule,
						 dvm_witness_steps(w) + 1),
				  dvm_witness_steps(w));
		dvm_witness_free(w);
	}
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

/* Whoever wants the verdict only is not made to wait for the rules. */
START_TEST(the_first_unsafe_test_alone_is_not_asked)
{
	struct dvm_check_options o = {.size = sizeof(o), .first_unsafe = 1};
	struct dvm_strategy *s = util_strategy("null");
	struct dvm_scenario_result *r;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("stay"), &o, &r, NULL), 0);
	ck_assert_uint_eq(dvm_scenario_test_rules(r, 0), 0);
	ck_assert_uint_eq(dvm_scenario_test_rules(r, 99), 0);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "rules");

	tcase_add_loop_test(tc, a_scenario_breaks_these_rules_and_no_others, 0, ROWS);
	tcase_add_test(tc, every_rule_has_a_witness_here);
	tcase_add_loop_test(tc, no_execution_breaks_a_rule_in_fewer_steps, 0, 2);
	tcase_add_test(tc, the_first_unsafe_test_alone_is_not_asked);
}

CHECK_MAIN("rules", add_cases)
