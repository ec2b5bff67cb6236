/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include <dvmsim/model.h>
#include <dvmsim/report.h>
#include <dvmsim/strategy.h>
#include <dvmsim/study.h>

#include <stdio.h>
#include <string.h>

/*
 * A comparison repeats the checker's verdicts. The expected ones are those of docs/strategies.md,
 * which tests/check/test_scenario.c derives by hand.
 */
static const struct {
	const char *strategy, *line;
} lines[] = {
	{ "always-broadcast", "  always-broadcast          cat: SAFE; prose: UNSAFE in new-asid\n" },
	{ "recheck", "  recheck                   cat: UNSAFE in foreign-migrate, batch; prose: UNSAFE in "
		     "foreign-migrate, batch, new-asid\n" },
	{ "active-cpu-v2-plain-load",
	  "  active-cpu-v2-plain-load  cat: SAFE; prose: UNSAFE in arrive, foreign, fork, reuse, rollover, "
	  "new-asid, remap\n" },
	{ "null", "  null                      UNSAFE in every scenario\n" },
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static void must(int ret)
{
	ck_assert_int_eq(ret, 0);
}

static void fill(struct dvm_study *study)
{
	struct dvm_strategy *strategy;
	struct dvm_model *model;
	char path[512];

	must(dvm_model_find(DVM_MODEL_HW, "teaching-4", DVMSIM_SOURCE_DIR "/models", &model, NULL));
	must(dvm_study_take_model(study, model, NULL));
	must(dvm_model_find(DVM_MODEL_KERNEL, "linux-7.1", DVMSIM_SOURCE_DIR "/models", &model,
			    NULL));
	must(dvm_study_take_model(study, model, NULL));
	for (size_t i = 0; i < LINES; i++) {
		snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy",
			 lines[i].strategy);
		must(dvm_strategy_load(path, &strategy, NULL));
		must(dvm_study_take_strategy(study, strategy, NULL));
	}
	must(dvm_study_add_workload(study, "fork:forks=2", NULL));
}

START_TEST(comparison_says_what_the_checker_found)
{
	struct dvm_study_options options = { .size = sizeof(options), .seeds = 1, .copies = 1,
					     .sensitivity = DVM_SENSITIVITY_OFF };
	struct dvm_report_options how = { .size = sizeof(how) };
	struct dvm_study *study;
	char *text;

	must(dvm_study_new(&options, &study, NULL));
	fill(study);
	must(dvm_study_run(study, NULL));
	must(dvm_report_text(study, &how, &text, NULL));
	for (size_t i = 0; i < LINES; i++)
		ck_assert_msg(strstr(text, lines[i].line) != NULL, "%s", lines[i].strategy);
	dvm_free(text);
	dvm_study_free(study);
}
END_TEST

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "safety"), comparison_says_what_the_checker_found);
}

CHECK_MAIN("report safety", add_cases)
