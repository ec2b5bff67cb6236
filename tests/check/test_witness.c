/* SPDX-License-Identifier: MIT */
/*
 * Witnesses: that their steps can be executed again and lead to what was asked for; that no execution
 * gets there in fewer steps, by a breadth-first search that shares only the machine's transitions;
 * and that each broken program breaks the rule it was made to break.
 */
#include "litmus_util.h"
#include "nearest.h"
#include "scenario_util.h"

#include "base/mem.h"
#include "check/witness.h"

static struct dvm_scenario_result *check(const struct dvm_strategy *s, const char *scenario,
					 bool prose)
{
	struct dvm_check_options o = {.size = sizeof(o)};
	struct dvm_scenario_result *r;
	struct dvm_error err;

	if (prose)
		o.without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	ck_assert_int_eq(dvm_scenario_check(s, util_scenario(scenario), &o, &r, &err), 0);
	return r;
}

/* ---- steps ---- */

static const struct {
	const char *strategy, *scenario;
	bool prose;
} unsafe[] = {
	{"null", "arrive", false},
	{"null", "second-thread", false},
	{"null", "stay", false},
	{"null", "migrate", false},
	{"null", "foreign", false},
	{"null", "foreign-migrate", false},
	{"selftest-no-pre", "arrive", false},
	{"selftest-no-post", "second-thread", false},
	{"recheck", "foreign-migrate", false},
	{"active-cpu-v2-plain-load", "arrive", true},
	{"restartable", "foreign", true},
};
#define UNSAFE ((int)(sizeof(unsafe) / sizeof(unsafe[0])))

START_TEST(every_unsafe_test_has_steps_that_replay_to_the_stale_use)
{
	struct dvm_strategy *s = util_strategy(unsafe[_i].strategy);
	struct dvm_scenario_result *r = check(s, unsafe[_i].scenario, unsafe[_i].prose);
	unsigned seen = 0;

	for (size_t i = 0; i < dvm_scenario_tests(r); i++) {
		bool stale = dvm_scenario_test_verdict(r, i) == DVM_SCENARIO_UNSAFE;
		struct dvm_witness *w = NULL;
		char *text, *json;

		ck_assert_int_eq(dvm_scenario_witness(r, i, &w, NULL), stale ? 0 : -DVM_ENOENT);
		if (!stale)
			continue;
		seen++;
		ck_assert_int_eq(dvm_witness_replay(w), 0);
		ck_assert_uint_gt(dvm_witness_rules(w), 0);
		ck_assert_ptr_nonnull(dvm_safety_rule_text(dvm_witness_rule(w, 0)));
		ck_assert_int_eq(dvm_witness_text(w, &text), 0);
		ck_assert_int_eq(dvm_witness_json(w, &json), 0);
		ck_assert_ptr_nonnull(strstr(text, "\n    1  "));
		ck_assert_ptr_nonnull(strstr(text, "What went wrong: "));
		ck_assert_ptr_nonnull(strstr(text, "user: "));
		ck_assert_ptr_nonnull(strstr(json, "\"step\": 1, \"cpu\": "));
		dvm_free(text);
		dvm_free(json);
		/* A path that leaves out a step is none: the machine refuses what it skips to. */
		w->way.step[0] = w->way.step[w->way.bad - 1];
		ck_assert_int_eq(dvm_witness_replay(w), -DVM_EINVAL);
		dvm_witness_free(w);
	}
	ck_assert_uint_gt(seen, 0);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

/* ---- shortest ---- */

static const char *const litmus[] = {
	/* store buffering by way of a TLB; a local flush without its pieces; two and three PEs */
	"flush-local-no-post", "flush-local-pre-dmb-full", "flush-foreign-dsb-elsewhere",
	"mp-ctrl",
};

START_TEST(no_execution_of_a_litmus_test_is_shorter)
{
	char path[512], *text;
	struct dvm_litmus *test;
	struct dvm_witness *w;
	unsigned steps;

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/tests/litmus/%s.litmus", litmus[_i]);
	text = util_file(path);
	ck_assert_int_eq(dvm_litmus_parse(path, text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_witness(test, NULL, &w, NULL), 0);
	steps = dvm_witness_steps(w);
	ck_assert_int_eq(dvm_witness_replay(w), 0);
	ck_assert_uint_eq(nearest_of_all(test, NULL, NULL, 0, steps), steps);
	/* The search by breadth does find the one there is. */
	ck_assert_uint_eq(nearest_of_all(test, NULL, NULL, 0, steps + 1), steps);
	dvm_witness_free(w);
	dvm_litmus_free(test);
	free(text);
}
END_TEST

static const struct {
	const char *strategy, *scenario, *test;
} short_ones[] = {
	{"null", "arrive", "arrive-page-load"},
	{"null", "second-thread", "second-thread-mm-store"},
	{"selftest-no-pre", "second-thread", "second-thread-page-load"},
	{"selftest-no-pre", "stay", "stay-page-own-load"},
	{"selftest-no-post", "second-thread", "second-thread-page-store"},
};
#define SHORT_ONES ((int)(sizeof(short_ones) / sizeof(short_ones[0])))

START_TEST(no_stale_use_is_shorter)
{
	struct dvm_strategy *s = util_strategy(short_ones[_i].strategy);
	struct dvm_scenario_result *r = check(s, short_ones[_i].scenario, false);
	struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
	struct dvm_witness *w;
	size_t i = 0;

	while (strcmp(dvm_scenario_test_name(r, i), short_ones[_i].test) != 0)
		i++;
	ck_assert_int_eq(dvm_scenario_witness(r, i, &w, NULL), 0);
	ck_assert_uint_eq(nearest_of_all(w->test, NULL, &o, 0, dvm_witness_steps(w) + 1),
			  dvm_witness_steps(w));
	dvm_witness_free(w);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

/* ---- rules ---- */

/* Section 22 of the protocols says by which rule each program is to be caught. */
static const struct {
	const char *strategy, *from, *to, *scenario;
	unsigned rules[3]; /* all of the first UNSAFE test's */
	const char *line;  /* what is blamed */
} caught[] = {
	{"null", NULL, NULL, "second-thread", {2, 0, 0}, "no TLBI"},
	{"null", NULL, NULL, "stay", {2, 0, 0}, "no TLBI"},
	{"selftest-no-pre", NULL, NULL, "second-thread", {3, 1, 0}, "'tlbi is' (line 11)"},
	{"selftest-no-post", NULL, NULL, "second-thread", {2, 0, 0}, "'tlbi is' (line 12)"},
	{"selftest-bad-ttl", NULL, NULL, "second-thread", {7, 1, 0}, "level hint"},
	{"selftest-leaf-after-free", NULL, NULL, "tables", {7, 1, 0}, "last-level"},
	{"selftest-no-twin", NULL, NULL, "kpti", {8, 1, 0}, "KPTI"},
	/* A local flush reaches no SMMU; without the repeat a store is left behind. */
	{"active-cpu-v2", NULL, NULL, "smmu-btm", {10, 1, 0}, "SMMU"},
	{"nr-active-v2", NULL, NULL, "erratum", {12, 1, 0}, "repeated"},
	/* The ASID is read before the unmapping is seen: the flush is of the old one. */
	{"nr-active-v2", NULL, NULL, "new-asid", {2, 0, 0}, "another ASID"},
	/* The decision is carried out on the CPU that the task moved to. */
	{"recheck", NULL, NULL, "foreign-migrate", {5, 11, 1}, "'tlbi local' (line 41)"},
	/* A store-type DSB waits for no TLBI; a local one for no broadcast. */
	{"always-broadcast", "sync    ish ", "dsb     ishst ", "stay", {4, 2, 0}, "'dsb ishst'"},
	{"always-broadcast", "sync    ish ", "dsb     nsh ", "second-thread", {4, 2, 0}, "'dsb nsh'"},
	{"always-broadcast", "tlbi    is", "tlbi    local", "second-thread", {5, 1, 0}, "'tlbi local'"},
	/* CPU 1 walks before its switch-in can be seen. */
	{"active-cpu-v2", "publish:\n\tdsb     ishst", "publish:", "arrive", {5, 1, 0}, "'tlbi local'"},
};

START_TEST(a_broken_program_is_caught_by_the_rule_it_breaks)
{
	char *text = util_strategy_text(caught[_i].strategy), *changed = NULL;
	struct dvm_scenario_result *r;
	struct dvm_strategy *s;
	struct dvm_witness *w;

	if (caught[_i].from)
		changed = util_replace(text, caught[_i].from, caught[_i].to);
	s = util_parse(changed ? changed : text);
	r = check(s, caught[_i].scenario, false);
	ck_assert_int_eq(dvm_scenario_witness(r, dvm_scenario_worst(r), &w, NULL), 0);
	for (unsigned k = 0; k < 3; k++)
		ck_assert_msg(dvm_witness_rule(w, k) == caught[_i].rules[k], "rule %u: R%u\n%s", k,
			      dvm_witness_rule(w, k), dvm_witness_wrong(w));
	ck_assert_msg(strstr(dvm_witness_wrong(w), caught[_i].line) != NULL, "%s",
		      dvm_witness_wrong(w));
	ck_assert_ptr_null(dvm_witness_rule_text(w, dvm_witness_rules(w)));
	dvm_witness_free(w);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(changed);
	free(text);
}
END_TEST

/* ---- threads ---- */

/* Verdict, states and steps of every scenario, as one text. */
static char *everything(const struct dvm_strategy *s, unsigned threads)
{
	static const char *const names[] = {"arrive",  "second-thread", "stay",
					    "migrate", "foreign",	"foreign-migrate"};
	struct dvm_scenario_job jobs[12];
	struct dvm_scenario_result *r[12];
	char *all = calloc(1, 1 << 20), *at = all;
	double seconds[12];

	for (unsigned i = 0; i < 12; i++) {
		jobs[i].scenario = util_scenario(names[i % 6]);
		jobs[i].options = (struct dvm_check_options){.size = sizeof(jobs[i].options)};
		if (i >= 6)
			jobs[i].options.without = UINT64_C(1)
						  << dvm_check_rule_find("dsb-st-read");
	}
	ck_assert_int_eq(dvm_scenario_check_many(s, jobs, 12, threads, r, seconds, NULL), 0);
	for (unsigned i = 0; i < 12; i++) {
		struct dvm_witness *w;
		char *text;

		at += sprintf(at, "%d %llu\n", (int)dvm_scenario_verdict(r[i]),
			      (unsigned long long)dvm_scenario_states(r[i]));
		ck_assert(seconds[i] >= 0);
		if (!dvm_scenario_witness(r[i], dvm_scenario_worst(r[i]), &w, NULL)) {
			ck_assert_int_eq(dvm_witness_text(w, &text), 0);
			at += sprintf(at, "%s", text);
			dvm_free(text);
			dvm_witness_free(w);
		}
		dvm_scenario_free(r[i]);
	}
	return all;
}

START_TEST(verdicts_and_witnesses_do_not_depend_on_the_number_of_threads)
{
	struct dvm_strategy *s = util_strategy("restartable");
	char *one = everything(s, 1), *four = everything(s, 4);

	ck_assert_str_eq(one, four);
	ck_assert_ptr_nonnull(strstr(one, "What went wrong"));
	free(one);
	free(four);
	dvm_strategy_free(s);
}
END_TEST

static void same_on_threads(const struct dvm_litmus *test, uint64_t max_states)
{
	struct dvm_check_options o = {.size = sizeof(o), .max_states = max_states};
	struct dvm_litmus_result *r[2];
	char *text[2];

	for (unsigned i = 0; i < 2; i++) {
		o.threads = i ? 3 : 1;
		ck_assert_int_eq(dvm_litmus_run(test, &o, &r[i], NULL), 0);
		ck_assert_int_eq(dvm_litmus_result_text(r[i], &text[i]), 0);
	}
	ck_assert_str_eq(text[0], text[1]);
	ck_assert_uint_eq(dvm_litmus_states(r[0]), dvm_litmus_states(r[1]));
	ck_assert_uint_eq(dvm_litmus_memory(r[0]), dvm_litmus_memory(r[1]));
	for (unsigned i = 0; i < 2; i++) {
		dvm_free(text[i]);
		dvm_litmus_result_free(r[i]);
	}
}

/* Also where a limit ends the search: what was seen until then is the same. */
START_TEST(a_litmus_test_shows_the_same_on_one_thread_and_on_three)
{
	size_t count;
	char **list = litmus_list(DVMSIM_SOURCE_DIR "/tests/litmus", &count);

	for (size_t i = 0; i < count; i += 5) {
		struct dvm_litmus *test = litmus_load(list[i]);

		same_on_threads(test, 0);
		same_on_threads(test, 20);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(count, 100);
	litmus_free_list(list, count);
}
END_TEST

START_TEST(a_bad_job_fails_all_and_leaves_no_result)
{
	struct dvm_strategy *s = util_strategy("null");
	struct dvm_scenario_job jobs[3];
	struct dvm_scenario_result *r[3];
	struct dvm_error err;

	for (unsigned i = 0; i < 3; i++) {
		jobs[i].scenario = i == 1 ? dvm_scenarios() : 0;
		jobs[i].options = (struct dvm_check_options){.size = sizeof(jobs[i].options)};
	}
	for (unsigned threads = 1; threads < 4; threads++) {
		ck_assert_int_eq(dvm_scenario_check_many(s, jobs, 3, threads, r, NULL, &err),
				 -DVM_EINVAL);
		ck_assert_int_eq(err.code, DVM_EINVAL);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_ptr_null(r[i]);
	}
	ck_assert_int_eq(dvm_scenario_check_many(s, jobs, 0, 0, r, NULL, &err), 0);
	dvm_strategy_free(s);
}
END_TEST

/* ---- limits ---- */

START_TEST(what_has_no_witness_or_no_room_for_one_is_an_error)
{
	char *text = util_file(DVMSIM_SOURCE_DIR "/tests/litmus/flush-local.litmus");
	struct dvm_check_options one = {.size = sizeof(one), .max_states = 1};
	struct dvm_check_options small = {.size = 1};
	struct dvm_scenario_result *r;
	struct dvm_strategy *s;
	struct dvm_litmus *test;
	struct dvm_witness *w = NULL;
	unsigned long n = 1;
	int rc;

	ck_assert_int_eq(dvm_litmus_parse("t", text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_witness(test, NULL, &w, NULL), -DVM_ENOENT);
	ck_assert_int_eq(dvm_litmus_witness(test, &one, &w, NULL), -DVM_EBUDGET);
	ck_assert_int_eq(dvm_litmus_witness(test, &small, &w, NULL), -DVM_EINVAL);
	dvm_litmus_free(test);
	s = util_strategy("null");
	r = check(s, "stay", false);
	ck_assert_int_eq(dvm_scenario_witness(r, dvm_scenario_tests(r), &w, NULL), -DVM_EINVAL);
	do {
		char *out = NULL;

		dvmi_mem_fail_at(n++);
		rc = dvm_scenario_witness(r, 0, &w, NULL);
		if (!rc) {
			rc = dvm_witness_text(w, &out);
			dvm_free(out);
			dvmi_mem_fail_at(0);
			dvm_witness_free(w);
		}
		dvmi_mem_fail_at(0);
		ck_assert(rc == 0 || rc == -DVM_ENOMEM);
	} while (rc);
	ck_assert_uint_gt(n, 5);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	dvm_witness_free(NULL);
	free(text);
}
END_TEST

/* Two million ways to go round: an error at once, not a search without end. */
START_TEST(a_thread_that_can_go_too_many_ways_is_refused)
{
	static const char text[] = "AArch64 loop\n{ 0:X1=x; }\n P0 ;\n L0: LDR W3,[X1] ;\n"
				   "L1: CBZ W3,L0 ;\n L2: CBZ W3,L1 ;\n L3: CBZ W3,L0 ;\n"
				   "L4: CBZ W3,L2 ;\n L5: CBZ W3,L1 ;\n L6: CBZ W3,L3 ;\n"
				   "L7: CBZ W3,L2 ;\n L8: CBZ W3,L5 ;\n B L0 ;\nexists (0:X3=1)\n";
	struct dvm_check_options o = {.size = sizeof(o), .unroll = 8};
	struct dvm_litmus_result *r = NULL;
	struct dvm_litmus *test;
	struct dvm_error err;

	ck_assert_int_eq(dvm_litmus_parse("t", text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_run(test, &o, &r, &err), -DVM_ELIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "unroll"));
	dvm_litmus_free(test);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "witnesses");

	tcase_add_loop_test(tc, every_unsafe_test_has_steps_that_replay_to_the_stale_use, 0, UNSAFE);
	tcase_add_loop_test(tc, no_execution_of_a_litmus_test_is_shorter, 0,
			    (int)(sizeof(litmus) / sizeof(litmus[0])));
	tcase_add_loop_test(tc, no_stale_use_is_shorter, 0, SHORT_ONES);
	tcase_add_loop_test(tc, a_broken_program_is_caught_by_the_rule_it_breaks, 0,
			    (int)(sizeof(caught) / sizeof(caught[0])));
	tcase_add_test(tc, verdicts_and_witnesses_do_not_depend_on_the_number_of_threads);
	tcase_add_test(tc, a_litmus_test_shows_the_same_on_one_thread_and_on_three);
	tcase_add_test(tc, a_bad_job_fails_all_and_leaves_no_result);
	tcase_add_test(tc, a_thread_that_can_go_too_many_ways_is_refused);
	tcase_add_test(tc, what_has_no_witness_or_no_room_for_one_is_an_error);
}

CHECK_MAIN("witness", add_cases)
