/* SPDX-License-Identifier: MIT */
/*
 * R6 and R9: two mms under one ASID in a TLB, and a valid descriptor replaced without
 * break-before-make; and what the kernel's own order is for. Programs come in pairs that differ in one line, in the text of the strategy or in
 * what the kernel does; expected results follow from the architecture's rules (docs/checker.md).
 */
#include "litmus_util.h"
#include "scenario_util.h"

#include <dvmsim/witness.h>

/* A strategy that takes the flush of a rollover upon itself. */
#define ROLLOVER(flush)                                                                            \
	"strategy t\non flush:\n\tdsb ishst\n\tasid\n\ttlbi is\n\tsync ish\n\tret\n"              \
	"on rollover:\n" flush "\tret\n"
#define BROADCAST ROLLOVER("\ttlbi is all\n\tsync ish\n")

/* The first UNSAFE test's rules; none: SAFE. */
static const struct {
	const char *strategy; /* a name, or a text */
	const char *from, *to;
	const char *scenario;
	unsigned env;
	unsigned rules[3];
} pairs[] = {
	/* The kernel's pending flush is what keeps R6, whatever the strategy. */
	{"always-broadcast", NULL, NULL, "asid-reuse", 0, {0}},
	{"null", NULL, NULL, "asid-reuse", 0, {0}},
	{"null", NULL, NULL, "asid-reuse", DVM_SCENARIO_ENV_KPTI, {0}},
	{"always-broadcast", NULL, NULL, "asid-reuse", DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH, {6, 0}},
	{"null", NULL, NULL, "asid-reuse",
	 DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH | DVM_SCENARIO_ENV_KPTI, {6, 0}},
	/* Without it, a rollover hook has to reach every CPU, and to wait. */
	{BROADCAST, NULL, NULL, "asid-reuse", DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH, {0}},
	{BROADCAST, "tlbi is all", "tlbi local all", "asid-reuse",
	 DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH, {5, 6, 0}},
	{BROADCAST, "\tsync ish\n\tret\n", "\tdsb nsh\n\tret\n", "second-thread", 0, {4, 2, 0}},
	{ROLLOVER("\ttlbi is all\n\tdsb ishst\n"), NULL, NULL, "asid-reuse",
	 DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH, {6, 0}},
	/* Break-before-make with the strategy's flush between break and make, and without the break. */
	{"always-broadcast", NULL, NULL, "remap", 0, {0}},
	{"always-broadcast", NULL, NULL, "remap", DVM_SCENARIO_ENV_NO_BREAK, {9, 0}},
	{"active-cpu-v2", NULL, NULL, "remap", 0, {0}},
	{"active-cpu-v2", NULL, NULL, "remap", DVM_SCENARIO_ENV_NO_BREAK, {9, 0}},
	/* Stale entries of a CPU that does not run the mm go before it comes back. */
	{"stale-mask-v1", NULL, NULL, "remap", 0, {0}},
	{"null", NULL, NULL, "remap", 0, {9, 0}},
	{"selftest-no-pre", NULL, NULL, "remap", 0, {3, 9, 0}},
	{"always-broadcast", "sync    ish ", "dsb     ishst ", "remap", 0, {4, 9, 0}},
	{"always-broadcast", "tlbi    is", "tlbi    local", "remap", 0, {5, 9, 0}},
	{"selftest-no-twin", NULL, NULL, "remap", DVM_SCENARIO_ENV_KPTI, {8, 9, 0}},
	/* The comment of asm/mmu.h: "the dependency on CPU 1". A DMB orders no write of TTBR0. */
	{"always-broadcast", NULL, NULL, "new-asid", 0, {0}},
	{"always-broadcast", NULL, NULL, "new-asid", DVM_SCENARIO_ENV_NO_DEPENDENCY, {2, 0}},
	/* Its switch-in branches on a load before it, or has a DSB: TTBR0 waits for either. */
	{"active-cpu-v2", NULL, NULL, "new-asid", DVM_SCENARIO_ENV_NO_DEPENDENCY, {0}},
};
#define PAIRS ((int)(sizeof(pairs) / sizeof(pairs[0])))

START_TEST(a_program_and_its_twin_one_line_apart)
{
	struct dvm_check_options o = {.size = sizeof(o), .env = pairs[_i].env};
	bool inl = strchr(pairs[_i].strategy, '\n') != NULL;
	char *text = inl ? strdup(pairs[_i].strategy) : util_strategy_text(pairs[_i].strategy);
	char *changed = pairs[_i].from ? util_replace(text, pairs[_i].from, pairs[_i].to) : NULL;
	struct dvm_strategy *s = util_parse(changed ? changed : text);
	struct dvm_scenario_result *r;
	struct dvm_witness *w;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario(pairs[_i].scenario), &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r),
			 pairs[_i].rules[0] ? DVM_SCENARIO_UNSAFE : DVM_SCENARIO_SAFE);
	if (pairs[_i].rules[0]) {
		ck_assert_int_eq(dvm_scenario_witness(r, dvm_scenario_worst(r), &w, NULL), 0);
		ck_assert_int_eq(dvm_witness_replay(w), 0);
		for (unsigned k = 0; k < 3; k++)
			ck_assert_msg(dvm_witness_rule(w, k) == pairs[_i].rules[k], "%u: R%u\n%s", k,
				      dvm_witness_rule(w, k), dvm_witness_wrong(w));
		dvm_witness_free(w);
	}
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(changed);
	free(text);
}
END_TEST

/* ---- litmus tests ---- */

static bool about_these(const char *path)
{
	return strstr(path, "/asid-reuse") || strstr(path, "/clash") || strstr(path, "/bbm");
}

START_TEST(reduced_and_full_search_agree)
{
	size_t count, seen = 0;
	char **list = litmus_list(DVMSIM_SOURCE_DIR "/tests/litmus", &count);

	for (size_t i = 0; i < 2 * count; i++) {
		struct dvm_litmus_result *a, *b;
		struct dvm_litmus *test;

		if (!about_these(list[i / 2]))
			continue;
		test = litmus_load(list[i / 2]);
		a = litmus_run(test, (int)(i % 2), 0, 0, 0);
		b = litmus_run(test, (int)(i % 2), 0, 1, 0);
		ck_assert_uint_eq(dvm_litmus_outcomes(a), dvm_litmus_outcomes(b));
		for (size_t k = 0; k < dvm_litmus_outcomes(a); k++)
			ck_assert_str_eq(dvm_litmus_outcome(a, k), dvm_litmus_outcome(b, k));
		seen++;
		dvm_litmus_result_free(a);
		dvm_litmus_result_free(b);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(seen, 30);
	litmus_free_list(list, count);
}
END_TEST

static const struct {
	const char *test;
	bool flagged;
} flags[] = {
	{"bbm", false},	     {"bbm-no-break", true}, {"bbm-no-post", true}, {"bbm-no-pre", true},
	{"bbm-no-tlbi", true}, {"bbm-local", true},   {"clash", false},	    {"clash-no-break", true},
	{"flush-local", false},
};

START_TEST(the_flag_of_break_before_make)
{
	struct dvm_check_options o = {.size = sizeof(o)};
	char path[512], *text;
	struct dvm_litmus *test;
	struct dvm_litmus_result *r;

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/tests/litmus/%s.litmus", flags[_i].test);
	test = litmus_load(path);
	for (o.bbm = 0; o.bbm < 2; o.bbm++)
		for (o.threads = 1; o.threads < 3; o.threads++) {
			ck_assert_int_eq(dvm_litmus_run(test, &o, &r, NULL), 0);
			ck_assert_int_eq(dvm_litmus_result_text(r, &text), 0);
			ck_assert_int_eq(strstr(text, "\nFlag Warning-BBM-expected\n") != NULL,
					 o.bbm && flags[_i].flagged);
			dvm_free(text);
			dvm_litmus_result_free(r);
		}
	dvm_litmus_free(test);
}
END_TEST

START_TEST(a_header_that_names_no_pairs_is_an_error)
{
	static const char *const bad[] = {"x", "x:", "x:x", "x:y,x:z", "x:y;", ":y"};
	char text[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct dvm_litmus *test = NULL;
		struct dvm_error err;

		snprintf(text, sizeof(text), "AArch64 t\nSecond-mm=%s\n{ 0:X1=x; }\n P0 ;\n NOP ;\n"
					     "exists (0:X1=x)\n", bad[i]);
		ck_assert_int_eq(dvm_litmus_parse("t", text, strlen(text), &test, &err), -DVM_EFORMAT);
		ck_assert_uint_eq(err.line, 2);
	}
}
END_TEST

/* docs/checker.md states the model: every rule, and the source of each condition. */
START_TEST(every_rule_is_documented_with_its_source)
{
	char *doc = util_file(DVMSIM_SOURCE_DIR "/docs/checker.md"), text[512];
	bool condition = false;

	for (unsigned r = 0; r < dvm_check_rules(); r++) {
		const char *name = dvm_check_rule_name(r);

		condition |= !strcmp(name, "coherence-write"); /* the first that is no order */
		if (condition)
			snprintf(text, sizeof(text), "\n| `%s` | %s | ", name, dvm_check_rule_source(r));
		else
			snprintf(text, sizeof(text), "`%s`", name);
		ck_assert_msg(strstr(doc, text) != NULL, "docs/checker.md lacks %s", text);
	}
	ck_assert(condition);
	free(doc);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "monitors");

	tcase_add_loop_test(tc, a_program_and_its_twin_one_line_apart, 0, PAIRS);
	tcase_add_test(tc, reduced_and_full_search_agree);
	tcase_add_loop_test(tc, the_flag_of_break_before_make, 0,
			    (int)(sizeof(flags) / sizeof(flags[0])));
	tcase_add_test(tc, a_header_that_names_no_pairs_is_an_error);
	tcase_add_test(tc, every_rule_is_documented_with_its_source);
}

CHECK_MAIN("monitors", add_cases)
