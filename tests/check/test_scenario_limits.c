/* SPDX-License-Identifier: MIT */
/* What surrounds a strategy under the checker, what its tests are made from, limits and misuse. */
#include "check_main.h"
#include "scenario_util.h"

#include "base/mem.h"
#include "check/scenario.h"
#include "program/strategy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was not explored is never SAFE. */
START_TEST(a_limit_a_loop_and_what_can_not_be_translated_are_not_safe)
{
	static const char head[] = "strategy t\n";
	static const struct {
		const char *body;
		char want;
	} rows[] = {
		{"word mm.w = 0\non flush:\nagain:\n\tld a, mm.w\n\tbne a, 1, again\n\tdsb "
		 "ishst\n\tasid\n\ttlbi is\n"
		 "\tsync ish\n\tret\n",
		 '?'}, /* waits for what nobody writes */
		{"on flush:\n\tbifnot env.domains, out\n\tdsb ishst\n\tasid\n"
		 "\ttlbi is asid domain 7\nout:\n\tdsb ishst\n\tasid\n\ttlbi is\n\tsync ish\n\tret\n",
		 '-'}, /* no machine of a scenario has so many domains */
		/* Which CPU's bit is known at run time only. */
		{"word mm.w = 0\nmask mm.m = none\non flush:\n\tld a, mm.w\n\tsetbit mm.m, a\n\tret\n",
		 '-'},
	};
	struct dvm_check_options o = {.size = sizeof(o), .max_states = 1};
	struct dvm_scenario_result *r;
	struct dvm_strategy *s;
	char text[512];
	char *safe;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head, rows[i].body);
		s = util_parse(text);
		ck_assert_msg(util_verdict(s, util_scenario("stay"), false) == rows[i].want, "row %zu: %c", i,
			      util_verdict(s, util_scenario("stay"), false));
		dvm_strategy_free(s);
	}
	safe = util_strategy_text("always-broadcast");
	s = util_parse(safe);
	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("stay"), &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(safe);
}
END_TEST

/* What surrounds a strategy, and what that makes of it. */
static const struct {
	const char *strategy, *scenario;
	unsigned preempt, env;
	char want;
} surroundings[] = {
	/* Flush routines do not sleep. */
	{"active-cpu-v2", "migrate", DVM_PREEMPT_NONE, 0, 'n'},
	{"active-cpu-v2", "preempted", DVM_PREEMPT_VOLUNTARY, 0, 'n'},
	{"recheck", "foreign-migrate", DVM_PREEMPT_NONE, 0, 'n'},
	{"recheck", "foreign-migrate", DVM_PREEMPT_LAZY, 0, 'U'},
	/* Moved between add and flush, recheck fails; staying, it does not. */
	{"recheck", "batch", DVM_PREEMPT_FULL, 0, 'U'},
	{"recheck", "batch", DVM_PREEMPT_NONE, 0, 'S'},
	/* Under the page-table lock: PREEMPT_RT switches out, nobody migrates. */
	{"recheck", "foreign-migrate", DVM_PREEMPT_RT, DVM_SCENARIO_ENV_PTL, 'n'},
	{"always-broadcast", "preempted", DVM_PREEMPT_RT, DVM_SCENARIO_ENV_PTL, 'S'},
	{"always-broadcast", "preempted", DVM_PREEMPT_FULL, DVM_SCENARIO_ENV_PTL, 'n'},
	{"selftest-no-twin", "second-thread", 0, 0, 'S'},
	{"selftest-no-twin", "second-thread", 0, DVM_SCENARIO_ENV_KPTI, 'U'},
	{"active-cpu-v1", "second-thread", 0, 0, 'S'},
	{"active-cpu-v1", "second-thread", 0, DVM_SCENARIO_ENV_ERRATUM, 'U'},
	{"active-cpu-v2", "second-thread", 0, DVM_SCENARIO_ENV_ERRATUM, 'S'},
	/* A device needs a broadcast; in a guest with FB every TLBI is one. */
	{"active-cpu-v2", "smmu-btm", 0, 0, 'U'},
	{"active-cpu-v2", "smmu-btm", 0, DVM_SCENARIO_ENV_VM, 'S'},
};

START_TEST(surroundings_decide_what_can_happen)
{
	struct dvm_check_options o = {.size = sizeof(o),
				      .preempt = surroundings[_i].preempt,
				      .env = surroundings[_i].env};
	struct dvm_strategy *s = util_strategy(surroundings[_i].strategy);
	struct dvm_scenario_result *r;
	char got;

	ck_assert_int_eq(
		dvm_scenario_check(s, util_scenario(surroundings[_i].scenario), &o, &r, NULL), 0);
	got = util_letters[dvm_scenario_verdict(r)];
	ck_assert_msg(got == surroundings[_i].want, "%c", got);
	ck_assert_int_eq(dvm_scenario_reason(r) != NULL, got == 'n');
	ck_assert_int_eq(dvm_scenario_tests(r) == 0, got == 'n');
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

/* A strategy with words per CPU and per mm, in scenarios in which the mm is left for another. */
static const struct {
	const char *strategy, *scenario;
} folding[] = {
	{"active-cpu-v2", "return"},	{"active-cpu-v2", "tables"}, {"stale-mask-v1", "return"},
	{"nr-active-v2", "tables"},	{"nr-active-v2", "lazy"},    {"nr-active-v2-dsb", "tables"},
	{"nr-active-v2-dsb", "return"}, {"ipi-always", "return"},
};

struct said {
	enum dvm_check_verdict of[256];
	unsigned count;
	uint64_t states;
};

static int explore(void *arg, const struct dvmi_scn_test *t)
{
	struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
	struct dvm_litmus_result *res;
	struct dvm_litmus *test;
	struct said *said = arg;
	char *text;

	ck_assert_msg(!t->why[0], "%s", t->why);
	ck_assert_int_eq(dvmi_scn_text(t, &text), 0);
	ck_assert_int_eq(dvm_litmus_parse("t", text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_run(test, &o, &res, NULL), 0);
	ck_assert_uint_lt(said->count, 256);
	said->of[said->count++] = dvm_litmus_verdict(res);
	said->states += dvm_litmus_states(res);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
	dvm_free(text);
	return 0;
}

START_TEST(words_that_one_cpu_reads_may_be_folded_or_memory)
{
	struct dvm_strategy *s = util_strategy(folding[_i].strategy);
	struct dvmi_scn_choice choice = {.unfolded = true};
	struct dvmi_scn_test *t = calloc(1, sizeof(*t));
	struct said memory = {.count = 0}, folded = {.count = 0};
	unsigned scenario = util_scenario(folding[_i].scenario);
	const struct dvmi_program *p = dvmi_strategy_program(s);
	const char *why;

	ck_assert_int_eq(dvmi_scn_make(p, scenario, &choice, t, explore, &memory, &why), 0);
	choice.unfolded = false;
	ck_assert_int_eq(dvmi_scn_make(p, scenario, &choice, t, explore, &folded, &why), 0);
	ck_assert_uint_eq(memory.count, folded.count);
	for (unsigned i = 0; i < memory.count; i++)
		ck_assert_int_eq(memory.of[i], folded.of[i]);
	ck_assert_uint_lt(folded.states, memory.states);
	free(t);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(budgets_and_the_first_unsafe_test_end_a_scenario)
{
	struct dvm_check_options o = {.size = sizeof(o), .total_states = 20};
	struct dvm_strategy *good = util_strategy("always-broadcast"), *bad = util_strategy("null");
	unsigned arrive = util_scenario("arrive");
	struct dvm_scenario_result *r;

	ck_assert_int_eq(dvm_scenario_check(good, arrive, &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	ck_assert_ptr_nonnull(dvm_scenario_reason(r));
	dvm_scenario_free(r);
	o.total_states = 0;
	o.first_unsafe = 1;
	ck_assert_int_eq(dvm_scenario_check(bad, arrive, &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_UNSAFE);
	ck_assert_uint_eq(dvm_scenario_tests(r), 1);
	dvm_scenario_free(r);
	o.preempt = DVM_PREEMPT_NONE + 1;
	ck_assert_int_eq(dvm_scenario_check(bad, arrive, &o, &r, NULL), -DVM_EINVAL);
	dvm_strategy_free(good);
	dvm_strategy_free(bad);
}
END_TEST

/* Counts how often it was asked; says "stop" from the @from-th time on. */
struct stopper {
	unsigned asked, from;
};

static int stops(void *arg)
{
	struct stopper *s = arg;

	return ++s->asked >= s->from;
}

/* The time may be up between two tests (small ones), or within one; something says so each time. */
static const struct {
	const char *strategy, *scenario;
	unsigned from;
	bool within;
} stopped[] = {
	{"active-cpu-v2", "arrive", 1, false},
	{"active-cpu-v2", "arrive", 2, false},
	{"nr-active-v2", "rollover", 40, true},
};

START_TEST(a_scenario_that_time_ended_says_so)
{
	struct stopper stopper = {.from = stopped[_i].from};
	struct dvm_check_options o = {.size = sizeof(o), .stop = stops, .stop_arg = &stopper};
	struct dvm_strategy *s = util_strategy(stopped[_i].strategy);
	struct dvm_scenario_result *r;
	const char *why;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario(stopped[_i].scenario), &o, &r, NULL), 0);
	ck_assert_uint_ge(stopper.asked, stopper.from);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	why = stopped[_i].within ? dvm_scenario_test_why(r, dvm_scenario_worst(r))
				 : dvm_scenario_reason(r);
	ck_assert(why && why[0]);
	ck_assert_int_eq(dvm_scenario_reason(r) == NULL, stopped[_i].within);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(misuse_and_lack_of_memory_are_errors)
{
	char *text = util_strategy_text("null");
	struct dvm_strategy *s = util_parse(text);
	struct dvm_check_options small = {.size = 1};
	struct dvm_scenario_result *r = NULL;
	struct dvm_error err;
	unsigned long n = 1;
	int rc;

	ck_assert_ptr_null(dvm_scenario_name(dvm_scenarios()));
	ck_assert_ptr_null(dvm_scenario_text(dvm_scenarios()));
	ck_assert_int_eq(dvm_scenario_check(s, dvm_scenarios(), NULL, &r, &err), -DVM_EINVAL);
	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("stay"), &small, &r, &err), -DVM_EINVAL);
	do {
		dvmi_mem_fail_at(n++);
		rc = dvm_scenario_check(s, util_scenario("stay"), NULL, &r, NULL);
		dvmi_mem_fail_at(0);
		/* The search itself may say that it had no room: a limit, not an error. */
		ck_assert(rc == 0 || rc == -DVM_ENOMEM);
		if (rc == 0 && dvm_scenario_verdict(r) != DVM_SCENARIO_UNSAFE) {
			dvm_scenario_free(r);
			rc = 1;
		}
	} while (rc);
	ck_assert_uint_gt(n, 3);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "scenario limits");

	tcase_add_test(tc, a_limit_a_loop_and_what_can_not_be_translated_are_not_safe);
	tcase_add_loop_test(tc, surroundings_decide_what_can_happen, 0,
			    (int)(sizeof(surroundings) / sizeof(surroundings[0])));
	tcase_add_loop_test(tc, words_that_one_cpu_reads_may_be_folded_or_memory, 0,
			    (int)(sizeof(folding) / sizeof(folding[0])));
	tcase_add_test(tc, budgets_and_the_first_unsafe_test_end_a_scenario);
	tcase_add_loop_test(tc, a_scenario_that_time_ended_says_so, 0,
			    sizeof(stopped) / sizeof(stopped[0]));
	tcase_add_test(tc, misuse_and_lack_of_memory_are_errors);
}

CHECK_MAIN("scenario limits", add_cases)
