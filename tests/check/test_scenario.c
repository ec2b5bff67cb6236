/* SPDX-License-Identifier: MIT */
/*
 * Strategies under the checker. The expected verdicts were derived by hand from the protocols
 * (docs/checker-scenarios.md gives the arguments), not taken from a run.
 */
#include "check_main.h"

#include "base/mem.h"

#include <dvmsim/scenario.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRIVE, SECOND, STAY, MIGRATE, FOREIGN, FOREIGN_MIGRATE, SCENARIOS };

/* S safe, U unsafe, - not supported; in the order above. Prose: DSB ST orders no loads. */
static const struct {
	const char *strategy, *cat, *prose;
} shipped[] = {
	/* Decides by a load after a full DSB: no reading of DSB ST matters. */
	{"active-cpu-dsb-ish", "SSSSSS", "SSSSSS"},
	{"active-cpu-preempt-disable", "SSSSSS", "SSSSSS"},
	/* DSB ISHST, then the load: the load may be early under prose, and misses the arrival. */
	{"active-cpu-skip-unused", "SSSSSS", "USSSUS"},
	{"active-cpu-v1", "SSSSSS", "SSSSSS"},
	{"active-cpu-v2", "SSSSSS", "SSSSSS"},
	{"active-cpu-v2-plain-load", "SSSSSS", "USSSUS"},
	{"active-cpu-v2-reset", "SSSSSS", "SSSSSS"},
	{"always-broadcast", "SSSSSS", "SSSSSS"},
	{"cpumask-ipi", "------", "------"},
	{"ipi-always", "------", "------"},
	{"nr-active-v2", "------", "------"},
	{"nr-active-v2-dsb", "------", "------"},
	/* Section 22 of the protocols: must be caught wherever the mm was installed. */
	{"null", "UUUUUU", "UUUUUU"},
	/* A kernel thread moves, the mm does not: the word still names the old CPU. */
	{"recheck", "SSSSSU", "SSSSSU"},
	{"recheck-optimistic", "SSSSSU", "SSSSSU"},
	{"recheck-own", "SSSSSS", "SSSSSS"},
	{"restartable", "SSSSSS", "USSSUS"},
	{"selftest-bad-ttl", "------", "------"},
	{"selftest-leaf-after-free", "------", "------"},
	{"selftest-no-post", "UUUUUU", "UUUUUU"},
	{"selftest-no-pre", "UUUUUU", "UUUUUU"},
	{"selftest-no-twin", "------", "------"},
	{"stale-mask-v1", "------", "------"},
	{"tlb-modes", "------", "------"},
};
#define SHIPPED (sizeof(shipped) / sizeof(shipped[0]))

static const char letters[] = {[DVM_SCENARIO_SAFE] = 'S',
			       [DVM_SCENARIO_UNSAFE] = 'U',
			       [DVM_SCENARIO_INCONCLUSIVE] = '?',
			       [DVM_SCENARIO_UNSUPPORTED] = '-'};

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static char *strategy_text(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	return read_text(path);
}

static struct dvm_strategy *parse(const char *text)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char why[1024] = "";

	if (dvm_strategy_parse(text, "test", &s, &err))
		dvm_error_format(&err, why, sizeof(why));
	ck_assert_msg(s != NULL, "%s", why);
	return s;
}

static struct dvm_scenario_result *run(const struct dvm_strategy *s, unsigned scenario,
				       uint64_t without)
{
	struct dvm_check_options o = {.size = sizeof(o), .without = without};
	struct dvm_scenario_result *r;
	struct dvm_error err;

	ck_assert_int_eq(dvm_scenario_check(s, scenario, &o, &r, &err), 0);
	return r;
}

static char verdict(const struct dvm_strategy *s, unsigned scenario, bool prose)
{
	uint64_t without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	struct dvm_scenario_result *r = run(s, scenario, prose ? without : 0);
	char c = letters[dvm_scenario_verdict(r)];

	dvm_scenario_free(r);
	return c;
}

/* The line that dvmsim check --markdown --reading all prints. */
static void add_cell(char *row, size_t size, char cat, char prose)
{
	static const char *const words[] = {"SAFE", "UNSAFE", "INCONCLUSIVE", "UNSUPPORTED"};
	const char *a = words[strchr("SU?-", cat) - "SU?-"];
	size_t n = strlen(row);

	if (cat == prose)
		snprintf(row + n, size - n, " %s |", a);
	else
		snprintf(row + n, size - n, " %s, prose: %s |", a,
			 words[strchr("SU?-", prose) - "SU?-"]);
}

START_TEST(shipped_strategies_have_the_verdicts_derived_by_hand_and_documented)
{
	char *text = strategy_text(shipped[_i].strategy), row[512], cat[8] = "", prose[8] = "";
	char *doc = read_text(DVMSIM_SOURCE_DIR "/docs/strategies.md");
	struct dvm_strategy *s = parse(text);

	snprintf(row, sizeof(row), "\n| %s |", shipped[_i].strategy);
	for (unsigned i = 0; i < SCENARIOS; i++) {
		cat[i] = verdict(s, i, false);
		prose[i] = verdict(s, i, true);
		add_cell(row, sizeof(row), cat[i], prose[i]);
	}
	strcat(row, "\n");
	ck_assert_msg(!strcmp(cat, shipped[_i].cat) && !strcmp(prose, shipped[_i].prose),
		      "%s: cat %s, prose %s", shipped[_i].strategy, cat, prose);
	ck_assert_msg(strstr(doc, row) != NULL, "docs/strategies.md lacks%s", row);
	dvm_strategy_free(s);
	free(doc);
	free(text);
}
END_TEST

/* FEAT_ETS2 orders walks after a DSB; a load that hits the TLB has none to wait for. */
START_TEST(ets2_does_not_change_what_prose_says_of_a_load)
{
	static const char *const names[] = {"active-cpu-v2-plain-load", "active-cpu-v2"};
	struct dvm_check_options o = {.size = sizeof(o), .ets2 = 1};

	o.without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	for (unsigned i = 0; i < 2; i++) {
		char *text = strategy_text(names[i]);
		struct dvm_strategy *s = parse(text);
		struct dvm_scenario_result *r;

		ck_assert_int_eq(dvm_scenario_check(s, ARRIVE, &o, &r, NULL), 0);
		ck_assert_int_eq(dvm_scenario_verdict(r),
				 i ? DVM_SCENARIO_SAFE : DVM_SCENARIO_UNSAFE);
		dvm_scenario_free(r);
		dvm_strategy_free(s);
		free(text);
	}
}
END_TEST

/* One change to a safe strategy, the scenario it breaks, and one it does not (if there is one). */
static const struct {
	const char *strategy, *from, *to;
	unsigned broken, intact;
} mutants[] = {
	/* The word is not ordered before TTBR0: the flusher may miss a CPU that walks already. */
	{"active-cpu-v2", "publish:\n\tdsb     ishst", "publish:", ARRIVE, STAY},
	/* A DMB orders neither the write of TTBR0 nor walks. */
	{"active-cpu-v2", "publish:\n\tdsb     ishst", "publish:\n\tdmb     ish", ARRIVE, STAY},
	/* The decision stays with the load that came before the barrier. */
	{"active-cpu-v2",
	 "\tld      a, mm.active_cpu\n\tbne     a, cpu_now, wide                # PRE2 5\n", "",
	 ARRIVE, STAY},
	/* A DMB of stores orders the page-table store before neither load nor TLBI. */
	{"active-cpu-v2", "upgrade:\n\tdsb     ish ", "upgrade:\n\tdmb     ishst ", STAY, SECOND},
	/* DSB ST completes no TLBI. */
	{"active-cpu-v2", "local_quiet:\n\tbif     req.nosync, local_done\n\tdsb     nsh ",
	 "local_quiet:\n\tbif     req.nosync, local_done\n\tdsb     nshst ", STAY, SECOND},
	/* Nothing keeps the task on the CPU that it sampled. */
	{"active-cpu-v2", "migrate_", NULL, MIGRATE, ARRIVE},
	/* Protected, but not up to the TLBI. */
	{"active-cpu-v2-plain-load", "cpu_now, wide\n\n\tasid",
	 "cpu_now, wide\n\tmigrate_enable\n\tmigrate_disable\n\tasid", MIGRATE, ARRIVE},
	/* Without restart the decision of one CPU is carried out on another. */
	{"restartable", "section", NULL, MIGRATE, ARRIVE},
	/* A DSB of the local domain does not complete a broadcast. */
	{"always-broadcast", "sync    ish", "dsb     nsh", SECOND, SCENARIOS},
	/* Always local. */
	{"always-broadcast", "tlbi    is", "tlbi    local", SECOND, STAY},
};

/* @text with all of @from replaced; @to NULL: all lines with it removed. */
static char *mutate(const char *text, const char *from, const char *to)
{
	char *out = calloc(1, 1 << 20), *o = out;
	bool changed = false;

	while (*text) {
		const char *eol = strchr(text, '\n'), *at = strstr(text, from);

		eol = eol ? eol + 1 : text + strlen(text);
		if (to && at == text) {
			o += sprintf(o, "%s", to);
			text += strlen(from);
			changed = true;
		} else if (!to && at && at < eol && text[0] == '\t') {
			text = eol;
			changed = true;
		} else if (to) {
			*o++ = *text++;
		} else {
			memcpy(o, text, (size_t)(eol - text));
			o += eol - text;
			text = eol;
		}
	}
	ck_assert_msg(changed, "nothing to change: %s", from);
	return out;
}

START_TEST(a_weakened_strategy_fails_where_its_argument_breaks)
{
	char *text = strategy_text(mutants[_i].strategy);
	char *weak = mutate(text, mutants[_i].from, mutants[_i].to);
	struct dvm_strategy *s = parse(weak);

	ck_assert_int_eq(verdict(s, mutants[_i].broken, false), 'U');
	if (mutants[_i].intact < SCENARIOS)
		ck_assert_int_eq(verdict(s, mutants[_i].intact, false), 'S');
	dvm_strategy_free(s);
	free(weak);
	free(text);
}
END_TEST

START_TEST(every_unsafe_test_names_its_final_state_and_says_the_same_as_a_litmus_file)
{
	char *text = strategy_text("recheck");
	struct dvm_strategy *s = parse(text);
	struct dvm_scenario_result *r = run(s, FOREIGN_MIGRATE, 0);
	size_t unsafe = 0;

	for (size_t i = 0; i < dvm_scenario_tests(r); i++) {
		const char *litmus = dvm_scenario_test_text(r, i);
		bool stale = dvm_scenario_test_verdict(r, i) == DVM_SCENARIO_UNSAFE;
		struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
		struct dvm_litmus_result *res;
		struct dvm_litmus *test;

		ck_assert_int_eq(dvm_litmus_parse("t", litmus, strlen(litmus), &test, NULL), 0);
		ck_assert_int_eq(dvm_litmus_run(test, &o, &res, NULL), 0);
		ck_assert_int_eq(dvm_litmus_verdict(res) == DVM_CHECK_SOMETIMES, stale);
		ck_assert_int_eq(strstr(dvm_scenario_test_why(r, i), "final state") != NULL, stale);
		unsafe += stale;
		dvm_litmus_result_free(res);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(unsafe, 0);
	ck_assert_int_eq(dvm_scenario_test_verdict(r, dvm_scenario_worst(r)), DVM_SCENARIO_UNSAFE);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(text);
}
END_TEST

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
		{"on flush:\n\tdsb ishst\n\tasid\n\ttlbi is leaf\n\tsync ish\n\tret\n", '-'},
		{"on flush:\n\tdsb ishst\n\tasid\n\ttlbi is notwin\n\tsync ish\n\tret\n", '-'},
	};
	struct dvm_check_options o = {.size = sizeof(o), .max_states = 1};
	struct dvm_scenario_result *r;
	struct dvm_strategy *s;
	char text[512];
	char *safe;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head, rows[i].body);
		s = parse(text);
		ck_assert_msg(verdict(s, STAY, false) == rows[i].want, "row %zu: %c", i,
			      verdict(s, STAY, false));
		dvm_strategy_free(s);
	}
	safe = strategy_text("always-broadcast");
	s = parse(safe);
	ck_assert_int_eq(dvm_scenario_check(s, STAY, &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(safe);
}
END_TEST

START_TEST(misuse_and_lack_of_memory_are_errors)
{
	char *text = strategy_text("null");
	struct dvm_strategy *s = parse(text);
	struct dvm_check_options small = {.size = 1};
	struct dvm_scenario_result *r = NULL;
	struct dvm_error err;
	unsigned long n = 1;
	int rc;

	ck_assert_ptr_null(dvm_scenario_name(dvm_scenarios()));
	ck_assert_ptr_null(dvm_scenario_text(dvm_scenarios()));
	ck_assert_uint_eq(dvm_scenarios(), SCENARIOS);
	ck_assert_int_eq(dvm_scenario_check(s, SCENARIOS, NULL, &r, &err), -DVM_EINVAL);
	ck_assert_int_eq(dvm_scenario_check(s, STAY, &small, &r, &err), -DVM_EINVAL);
	do {
		dvmi_mem_fail_at(n++);
		rc = dvm_scenario_check(s, STAY, NULL, &r, NULL);
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
	TCase *tc = check_case(suite, "scenarios");

	tcase_add_loop_test(tc, shipped_strategies_have_the_verdicts_derived_by_hand_and_documented,
			    0, (int)SHIPPED);
	tcase_add_test(tc, ets2_does_not_change_what_prose_says_of_a_load);
	tcase_add_loop_test(tc, a_weakened_strategy_fails_where_its_argument_breaks, 0,
			    (int)(sizeof(mutants) / sizeof(mutants[0])));
	tcase_add_test(tc,
		       every_unsafe_test_names_its_final_state_and_says_the_same_as_a_litmus_file);
	tcase_add_test(tc, a_limit_a_loop_and_what_can_not_be_translated_are_not_safe);
	tcase_add_test(tc, misuse_and_lack_of_memory_are_errors);
}

CHECK_MAIN("scenario", add_cases)
