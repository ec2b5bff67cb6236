/* SPDX-License-Identifier: MIT */
/* The public interface: build a strategy in C, look at it, run it on one's own world. */
#include "check_main.h"

#include "script.h"

#include <stdio.h>
#include <string.h>

/* A small strategy: count the flushes, take the branch that the count says. */
static int build(struct dvm_strategy **s, struct dvm_error *err)
{
	struct dvm_strategy_builder *b = dvm_strategy_builder_new("built");

	dvm_strategy_builder_summary(b, "Every other flush is local.");
	dvm_strategy_builder_source(b, "a test");
	dvm_strategy_builder_const(b, "ONE", 1);
	dvm_strategy_builder_word(b, "mm.flushes", 0);
	dvm_strategy_builder_mask(b, "mm.ran_on", true);
	dvm_strategy_builder_hook(b, "flush");
	dvm_strategy_builder_emit(b, "fadd n, mm.flushes, %s", "ONE");
	dvm_strategy_builder_emit(b, "setbit mm.ran_on, self");
	dvm_strategy_builder_emit(b, "asid");
	dvm_strategy_builder_emit(b, "and n, n, %d", 1);
	dvm_strategy_builder_emit(b, "bif n, odd");
	dvm_strategy_builder_emit(b, "tlbi is");
	dvm_strategy_builder_emit(b, "ret");
	dvm_strategy_builder_label(b, "odd");
	dvm_strategy_builder_emit(b, "tlbi local");
	dvm_strategy_builder_emit(b, "ret");
	return dvm_strategy_builder_finish(b, s, err);
}

/* What the word holds -> the run */
static const struct {
	uint64_t flushes;
	const char *effects;
} runs[] = {
	{ 0, "FADD:mm.flushes+1 BIT:mm.ran_on[3]=1 asid tlbi.is" },
	{ 1, "FADD:mm.flushes+1 BIT:mm.ran_on[3]=1 asid tlbi.local" },
	{ 2, "FADD:mm.flushes+1 BIT:mm.ran_on[3]=1 asid tlbi.is" },
};

START_TEST(built_strategy_runs_like_a_written_one)
{
	struct script script = { .self = 3, .values = { runs[_i].flushes } };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL;

	ck_assert_int_eq(build(&s, NULL), 0);
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), 0);
	ck_assert_str_eq(script.text, runs[_i].effects);
	dvm_strategy_free(s);
}
END_TEST

/* A strategy with a parameter: what is set, and what the result is called and does. */
#define WITH_PARAMS                                                                               \
	"# a comment\nstrategy p # more\nparam T = 4 # T\nparam LONG_NAME_OF_A_PARAMETER = 0x10\n"    \
	"const C = 9\nword mm.x = C\non flush:\n mov a, T\n add a, a, LONG_NAME_OF_A_PARAMETER\n"     \
	" st mm.x, a\n ret\n"

static const struct {
	const char *settings;
	int ret;
	const char *name, *effects; /* or NULL, what the error says */
} settings[] = {
	{ "T=8", 0, "p-T8", "W:mm.x=24" },
	{ "T=0x8", 0, "p-T0x8", "W:mm.x=24" },
	{ "LONG_NAME_OF_A_PARAMETER=1,T=2", 0, NULL, "W:mm.x=3" },
	{ "", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "C=1", -DVM_EINVAL, NULL, "it has T, LONG_NAME_OF_A_PARAMETER" },
	{ "t=1", -DVM_EINVAL, NULL, "has no parameter 't'" },
	{ "T", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "T=", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "=1", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "T=1,,T=2", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "T=-1", -DVM_EINVAL, NULL, "NAME=NUMBER" },
	{ "T=1x", -DVM_EFORMAT, NULL, "not a number" },
	{ "T=18446744073709551616", -DVM_EFORMAT, NULL, "not a number" },
};

START_TEST(parameters_can_be_set_and_nothing_else)
{
	struct script script = { .self = 0 };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL, *set = NULL;
	struct dvm_error err;

	ck_assert_int_eq(dvm_strategy_parse(WITH_PARAMS, "test", &s, NULL), 0);
	ck_assert_int_eq(dvm_strategy_set(s, settings[_i].settings, &set, &err), settings[_i].ret);
	if (settings[_i].ret) {
		ck_assert_ptr_null(set);
		ck_assert_msg(strstr(err.text, settings[_i].effects) != NULL, "%s", err.text);
	} else {
		if (settings[_i].name)
			ck_assert_str_eq(dvm_strategy_name(set), settings[_i].name);
		ck_assert_int_eq(dvm_strategy_run(set, "flush", &env, 0, 100, NULL), 0);
		ck_assert_str_eq(script.text, settings[_i].effects);
		ck_assert_uint_ne(dvm_strategy_hash(s), dvm_strategy_hash(set));
	}
	dvm_strategy_free(set);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(strategy_tells_what_it_is)
{
	struct dvm_strategy_word w;
	struct dvm_strategy_line l;
	struct dvm_strategy *s = NULL, *t = NULL;
	char *text;

	ck_assert_int_eq(build(&s, NULL), 0);
	ck_assert_str_eq(dvm_strategy_name(s), "built");
	ck_assert_str_eq(dvm_strategy_summary(s), "Every other flush is local.");
	ck_assert_str_eq(dvm_strategy_source(s), "a test");
	ck_assert_uint_eq(dvm_strategy_words(s), 2);
	ck_assert_int_eq(dvm_strategy_get_word(s, 1, &w), 0);
	ck_assert_str_eq(w.name, "mm.ran_on");
	ck_assert(w.mask && w.init == 1);
	ck_assert_int_eq(dvm_strategy_get_word(s, 2, &w), -DVM_EINVAL);
	ck_assert_uint_eq(dvm_strategy_lines(s), 9);
	ck_assert_int_eq(dvm_strategy_get_line(s, 4, &l), 0);
	ck_assert_str_eq(l.text, "bif n, odd");
	ck_assert_str_eq(l.hook, "flush");
	ck_assert_int_eq(l.target, 7);
	ck_assert(l.pure);
	ck_assert_int_eq(dvm_strategy_get_line(s, 7, &l), 0);
	ck_assert_str_eq(l.label, "odd");
	ck_assert_str_eq(l.text, "tlbi local");
	ck_assert_int_eq(l.target, -1);
	ck_assert(!l.pure);
	ck_assert_int_eq(dvm_strategy_get_line(s, 9, &l), -DVM_EINVAL);
	/* The text it was built from is a strategy file; one hash, one text. */
	ck_assert_int_eq(dvm_strategy_parse(dvm_strategy_text(s), "t", &t, NULL), 0);
	ck_assert_uint_eq(dvm_strategy_hash(s), dvm_strategy_hash(t));
	dvm_strategy_free(t);
	ck_assert_int_eq(dvm_strategy_print(s, &text, NULL), 0);
	ck_assert_ptr_nonnull(strstr(text, "on flush:\n\tfadd n, mm.flushes, ONE\n"));
	dvm_free(text);
	dvm_strategy_free(s);
	dvm_strategy_free(NULL);
}
END_TEST

START_TEST(builder_passes_the_same_checks_as_the_parser)
{
	struct dvm_strategy_builder *b = dvm_strategy_builder_new("x");
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char text[300];

	dvm_strategy_builder_hook(b, "flush");
	dvm_strategy_builder_emit(b, "migrate_disable");
	dvm_strategy_builder_emit(b, "ret");
	ck_assert_int_eq(dvm_strategy_builder_finish(b, &s, &err), -DVM_EFORMAT);
	ck_assert_uint_eq(err.line, 4);
	ck_assert_ptr_nonnull(strstr(err.text, "migrate_enable"));
	ck_assert_int_eq(dvm_strategy_builder_finish(NULL, &s, NULL), -DVM_ENOMEM);
	/* An instruction that would be cut is an error, not another instruction. */
	memset(text, ' ', sizeof(text));
	memcpy(text, "ret", 3);
	text[299] = '\0';
	b = dvm_strategy_builder_new("x");
	dvm_strategy_builder_hook(b, "flush");
	dvm_strategy_builder_emit(b, "%s", text);
	ck_assert_int_eq(dvm_strategy_builder_finish(b, &s, NULL), -DVM_EFORMAT);
}
END_TEST

static int parse(const char *body, struct dvm_strategy **s)
{
	char text[1024];

	snprintf(text, sizeof(text), "strategy x\nmask mm.m\nword cpu.w\non flush:\n%s"
				     "\tsetbit mm.m, self\n\tst cpu.w, 0\n\tret\non ipi:\n\tret\n",
		 body);
	return dvm_strategy_parse(text, "x", s, NULL);
}

/* what a run can end with besides 0 */
static const struct {
	const char *hook, *body;
	unsigned cpus;
	uint64_t max_steps;
	int code;
} ends[] = {
	{ "flush", "", 8, 2, 0 },
	{ "flush", "", 8, 1, -DVM_EBUDGET },
	{ "flsh", "", 8, 100, -DVM_ENOENT },
	{ "flush", "", 0, 100, -DVM_EINVAL },
	{ "flush", "", 4097, 100, -DVM_EINVAL },
	{ "flush", "", 3, 100, -DVM_EINVAL },		 /* the script's CPU 3 of 3 */
	{ "flush", "\tst cpu[8].w, 1\n", 8, 100, -DVM_EFORMAT },
	{ "flush", "\tst cpu[7].w, 1\n", 8, 100, 0 },
	{ "switch-in", "", 8, 0, 0 }, /* no such hook in it: nothing to do */
};

START_TEST(run_ends_with_a_reason)
{
	struct script script = { .self = 3 };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL;

	env.cpus = ends[_i].cpus;
	ck_assert_int_eq(parse(ends[_i].body, &s), 0);
	ck_assert_int_eq(dvm_strategy_run(s, ends[_i].hook, &env, 0, ends[_i].max_steps, NULL),
			 ends[_i].code);
	dvm_strategy_free(s);
}
END_TEST

static int refuse(void *arg, const struct dvm_strategy_ref *ref, unsigned bit, int set, bool *old)
{
	(void)arg;
	(void)ref;
	(void)bit;
	(void)set;
	(void)old;
	return -77;
}

START_TEST(callback_stops_the_run_with_its_code)
{
	struct script script = { .self = 3 };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL;

	ck_assert_int_eq(parse("", &s), 0);
	env.bit = refuse;
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), -77);
	env.bit = NULL;
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), -DVM_EINVAL);
	env = script_env(&script);
	env.size = 8;
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), -DVM_EINVAL);
	dvm_strategy_free(s);
}
END_TEST

/* Effect number -> the effects when the task is switched out before that one (once) */
static const struct {
	unsigned restart_at;
	const char *effects;
} restarts[] = {
	{ 0, "section R:mm.x tlbi.local.all section_end dsb.nsh" },
	{ 1, "section R:mm.x tlbi.local.all section_end dsb.nsh" },	   /* not armed yet */
	{ 2, "section R:mm.x tlbi.local.all section_end dsb.nsh" },
	{ 3, "section R:mm.x R:mm.x tlbi.local.all section_end dsb.nsh" }, /* between the two */
	{ 4, "section R:mm.x tlbi.local.all R:mm.x tlbi.local.all section_end dsb.nsh" },
	{ 5, "section R:mm.x tlbi.local.all section_end dsb.nsh" },	   /* ended */
};

START_TEST(section_restarts_only_inside)
{
	struct script script = { .self = 3, .restart_at = restarts[_i].restart_at };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL;

	ck_assert_int_eq(dvm_strategy_parse("strategy x\nword mm.x\non flush:\n\tsection go\n"
					    "go:\n\tld _, mm.x\n\ttlbi local all\n"
					    "\tsection_end\n\tdsb nsh\n\tret\n", "x", &s, NULL), 0);
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), 0);
	ck_assert_str_eq(script.text, restarts[_i].effects);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(ipi_leaves_out_the_sender)
{
	/* setbit and the rest follow; mask {0,1,2,3} without CPU 3 */
	struct script script = { .self = 3, .values = { 0xf } };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *s = NULL;

	ck_assert_int_eq(parse("\tldmask m, mm.m\n\tipi m\n", &s), 0);
	ck_assert_int_eq(dvm_strategy_run(s, "flush", &env, 0, 100, NULL), 0);
	ck_assert_str_eq(script.text, "RM:mm.m ipi:7 BIT:mm.m[3]=1 W:cpu.w=0");
	dvm_strategy_free(s);
}
END_TEST

START_TEST(missing_file_is_an_input_error)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;

	ck_assert_int_eq(dvm_strategy_load("/nonexistent.strategy", &s, &err), -DVM_ENOENT);
	ck_assert_str_eq(err.where, "/nonexistent.strategy");
}
END_TEST

#define ROWS(t) ((int)(sizeof(t) / sizeof((t)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "api");

	tcase_add_loop_test(tc, built_strategy_runs_like_a_written_one, 0, ROWS(runs));
	tcase_add_loop_test(tc, parameters_can_be_set_and_nothing_else, 0,
			    sizeof(settings) / sizeof(settings[0]));
	tcase_add_test(tc, strategy_tells_what_it_is);
	tcase_add_test(tc, builder_passes_the_same_checks_as_the_parser);
	tcase_add_loop_test(tc, run_ends_with_a_reason, 0, ROWS(ends));
	tcase_add_test(tc, callback_stops_the_run_with_its_code);
	tcase_add_loop_test(tc, section_restarts_only_inside, 0, ROWS(restarts));
	tcase_add_test(tc, ipi_leaves_out_the_sender);
	tcase_add_test(tc, missing_file_is_an_input_error);
}

CHECK_MAIN("program_api", add_cases)
