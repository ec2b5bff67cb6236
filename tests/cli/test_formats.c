/* SPDX-License-Identifier: MIT */
/* The pages on file formats name everything that the formats know, and their example works. */
#include "check_main.h"
#include "run_command.h"

#include "program/parse.h"
#include "program/program.h"

#include <dvmsim/model.h>
#include <dvmsim/strategy.h>
#include <dvmsim/trace.h>

/* A page without its roff: no escapes, no font or macro names. */
static struct run page(const char *path)
{
	struct run run = run_shell("sed -e 's/^\\.[A-Z][A-Z]* *//' -e 's/\\\\f[BIPR]//g' -e 's/\\\\-/-/g' "
				   "-e 's/[\",]/ /g' '%s'", path);

	ck_assert_msg(run.status == 0 && run.out[0], "%s: %s", path, run.err);
	return run;
}

/* Whether @name stands in @text as a word of its own. */
static bool has_word(const char *text, const char *name)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p++) {
		bool begins = p == text || !strchr(inside, p[-1]);
		const char *after = p + len;

		/* A full stop may end the sentence. */
		if (begins && (!strchr(inside, *after) || !*after ||
			       (*after == '.' && (!after[1] || strchr(" \n", after[1])))))
			return true;
	}
	return false;
}

static void assert_named(const struct run *run, const char *what, const char *name)
{
	ck_assert_msg(has_word(run->out, name), "the page does not name %s %s", what, name);
}

START_TEST(strategy_page_names_the_whole_language)
{
	struct run run = page(DVMSIM_SOURCE_DIR "/docs/man/dvmsim-strategy.5");

	for (unsigned i = 0; i < DVMI_OPS; i++)
		assert_named(&run, "instruction", dvmi_op_names[i]);
	for (unsigned i = 0; i < DVMI_FIELDS; i++)
		assert_named(&run, "field", dvmi_field_names[i]);
	for (unsigned i = 0; i < DVMI_HOOKS; i++)
		assert_named(&run, "hook", dvmi_hook_names[i]);
	for (unsigned i = 0; i < 12; i++)
		assert_named(&run, "barrier", dvmi_barrier_names[i / 4][i % 4]);
	run_free(&run);
}
END_TEST

START_TEST(strategy_page_shows_a_program_that_is_one)
{
	struct run run = run_shell("sed -n '/^strategy mine/,/^\\.fi/p' '%s' | grep -v '^\\.fi'",
				   DVMSIM_SOURCE_DIR "/docs/man/dvmsim-strategy.5");
	struct dvm_strategy *s;
	struct dvm_error err;

	ck_assert_msg(!dvm_strategy_parse(run.out, "example", &s, &err), "%u: %s", err.line,
		      err.text);
	dvm_strategy_free(s);
	run_free(&run);
}
END_TEST

START_TEST(trace_page_names_the_whole_format)
{
	struct run run = page(DVMSIM_SOURCE_DIR "/docs/man/dvmsim-trace.5");
	const char *name;

	for (unsigned i = 1; i < DVM_TRACE_KINDS; i++)
		assert_named(&run, "record", dvm_trace_kind_name(i));
	for (unsigned i = 0; i < DVM_TRACE_REQUESTS; i++)
		assert_named(&run, "request", dvm_trace_request_name(i));
	for (unsigned i = 0; i < DVM_TRACE_OPS; i++)
		assert_named(&run, "operation", dvm_trace_op_name(i));
	for (unsigned i = 0; (name = dvm_trace_flag_name(i)); i++)
		assert_named(&run, "flag", name);
	run_free(&run);
}
END_TEST

/* The parameters are generated; the keys around them are held against the published schema. */
START_TEST(model_page_names_every_parameter_and_key)
{
	static const struct {
		enum dvm_model_kind kind;
		const char *name;
	} models[] = { { DVM_MODEL_HW, "teaching-4" }, { DVM_MODEL_KERNEL, "linux-6.12" } };
	struct run run = page(DVMSIM_BINARY_DIR "/generated/man/dvmsim-model.5"), keys;
	char *save, *key;

	for (size_t i = 0; i < 2; i++) {
		struct dvm_param p = { .size = sizeof(p) };
		struct dvm_model *model;

		ck_assert_int_eq(dvm_model_find(models[i].kind, models[i].name,
						DVMSIM_SOURCE_DIR "/models", &model, NULL), 0);
		for (size_t n = 0; !dvm_model_param(model, n, &p); n++)
			assert_named(&run, "parameter", p.path);
		dvm_model_free(model);
	}
	/* Two tabs: keys of the model. Four under $defs: keys of a parameter. */
	keys = run_shell("dvmsim model schema hw | sed -n -e 's/^\t\t\"\\([a-z_]*\\)\":.*/\\1/p' "
			 "-e '/^\t\"\\$defs\"/,$s/^\t\t\t\t\"\\([a-z_]*\\)\":.*/\\1/p'");
	ck_assert_int_eq(keys.status, 0);
	ck_assert_msg(strstr(keys.out, "formula") && strstr(keys.out, "calibrated_by"), "%s",
		      keys.out);
	for (key = strtok_r(keys.out, "\n", &save); key; key = strtok_r(NULL, "\n", &save)) {
		if (strcmp(key, "leaf") != 0)
			assert_named(&run, "key", key);
	}
	run_free(&keys);
	run_free(&run);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "file formats");

	tcase_add_test(tc, strategy_page_names_the_whole_language);
	tcase_add_test(tc, strategy_page_shows_a_program_that_is_one);
	tcase_add_test(tc, trace_page_names_the_whole_format);
	tcase_add_test(tc, model_page_names_every_parameter_and_key);
}

CHECK_MAIN("cli_formats", add_cases)
