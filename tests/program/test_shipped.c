/* SPDX-License-Identifier: MIT */
/* Every program in models/strategies is read without complaint, is named after its file, and its
 * canonical text means the same. */
#include "check_main.h"

#include "base/file.h"
#include "base/mem.h"
#include "program/parse.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define DIR_NAME DVMSIM_SOURCE_DIR "/models/strategies"
#define SUFFIX ".strategy"

static char names[128][DVMI_NAME];
static int count;

static void list(void)
{
	DIR *dir = opendir(DIR_NAME);
	struct dirent *e;

	while (dir && count < 128 && (e = readdir(dir))) {
		const char *dot = strstr(e->d_name, SUFFIX);

		if (dot && dot - e->d_name < DVMI_NAME)
			snprintf(names[count++], DVMI_NAME, "%.*s", (int)(dot - e->d_name), e->d_name);
	}
	if (dir)
		closedir(dir);
}

static struct dvmi_program *parse(const char *text, size_t len, const char *where)
{
	struct dvmi_program *p = NULL;
	struct dvm_error err;
	char message[800];

	if (dvmi_program_parse(text, len, where, &p, &err)) {
		dvm_error_format(&err, message, sizeof(message));
		ck_abort_msg("%s", message);
	}
	return p;
}

static char *print(const struct dvmi_program *p)
{
	struct dvmi_buf buf = { 0 };
	char *text;

	dvmi_program_print(p, &buf);
	ck_assert_int_eq(dvmi_buf_take(&buf, &text), 0);
	return text;
}

/* Instructions are compared but for their place in the text and constants' order. */
static void same_insns(const struct dvmi_program *a, const struct dvmi_program *b)
{
	ck_assert_uint_eq(a->insns_count, b->insns_count);
	ck_assert_mem_eq(a->hooks, b->hooks, sizeof(a->hooks));
	for (unsigned i = 0; i < a->insns_count; i++) {
		struct dvmi_insn x = a->insns[i], y = b->insns[i];

		ck_assert_uint_eq(x.op, y.op);
		ck_assert_uint_eq(x.dst, y.dst);
		ck_assert_uint_eq(x.base, y.base);
		ck_assert_uint_eq(x.order, y.order);
		ck_assert_uint_eq(x.type, y.type);
		ck_assert_uint_eq(x.domain, y.domain);
		ck_assert_uint_eq(x.scope, y.scope);
		ck_assert_uint_eq(x.what, y.what);
		ck_assert_uint_eq(x.flags, y.flags);
		ck_assert_uint_eq(x.pure, y.pure);
		ck_assert_uint_eq(x.word, y.word);
		ck_assert_uint_eq(x.target, y.target);
		for (unsigned s = 0; s < 2; s++) {
			ck_assert_uint_eq(x.src[s].kind, y.src[s].kind);
			ck_assert_uint_eq(x.src[s].imm, y.src[s].imm);
		}
	}
}

START_TEST(shipped_program_is_read_and_round_trips)
{
	char path[512], *text, *canonical, *again;
	struct dvmi_program *p, *q;
	size_t size;

	snprintf(path, sizeof(path), DIR_NAME "/%s" SUFFIX, names[_i]);
	ck_assert_int_eq(dvmi_file_load(path, DVMI_TEXT_MAX, &text, &size, NULL), 0);
	p = parse(text, size, path);
	ck_assert_str_eq(p->name, names[_i]);
	ck_assert_str_ne(p->summary, "");
	ck_assert_str_ne(p->source, "");
	ck_assert_str_eq(p->text, text);
	canonical = print(p);
	q = parse(canonical, strlen(canonical), "canonical text");
	again = print(q);
	ck_assert_str_eq(canonical, again);
	same_insns(p, q);
	dvmi_program_free(p);
	dvmi_program_free(q);
	dvmi_free(text);
	dvmi_free(canonical);
	dvmi_free(again);
}
END_TEST

/* Issue 2, section 3: the strategies that a comparison needs. */
static const char *const needed[] = {
	"always-broadcast", "active-cpu-v1", "active-cpu-v2", "active-cpu-v2-plain-load",
	"active-cpu-dsb-ish", "active-cpu-preempt-disable", "recheck", "recheck-own", "null",
};

START_TEST(needed_program_is_shipped)
{
	bool found = false;

	for (int i = 0; i < count; i++)
		found |= !strcmp(names[i], needed[_i]);
	ck_assert_msg(found, "%s is missing", needed[_i]);
}
END_TEST

/* The worked examples of the language reference, between ```strategy and ```. */
START_TEST(documented_example_is_read)
{
	char *text, *p;
	size_t size;
	int examples = 0;

	ck_assert_int_eq(dvmi_file_load(DVMSIM_SOURCE_DIR "/docs/strategy-author.md", 1 << 20,
					&text, &size, NULL), 0);
	for (p = text; (p = strstr(p, "```strategy\n")); examples++) {
		char *end = strstr(p += strlen("```strategy\n"), "```");

		ck_assert_ptr_nonnull(end);
		dvmi_program_free(parse(p, (size_t)(end - p), "docs/strategy-author.md"));
		p = end + 3;
	}
	ck_assert_int_ge(examples, 1);
	dvmi_free(text);
}
END_TEST

/* "## name", or "- `name`:" in a list. */
static bool is_described(const char *text, const char *name)
{
	char item[64];
	const char *p;

	snprintf(item, sizeof(item), "\n- `%.31s`:", name);
	if (strstr(text, item))
		return true;
	snprintf(item, sizeof(item), "\n## %.31s", name);
	for (p = text; (p = strstr(p, item)); p++)
		if (strchr(" \n", p[strlen(item)]))
			return true;
	return false;
}

/* The reference lists every hook, field and instruction; the second page every strategy. */
START_TEST(documentation_is_complete)
{
	char *text, quoted[64 + DVMI_NAME];
	size_t size;

	ck_assert_int_eq(dvmi_file_load(DVMSIM_SOURCE_DIR "/docs/strategy-author.md", 1 << 20,
					&text, &size, NULL), 0);
	for (unsigned i = 0; i < DVMI_HOOKS; i++) {
		snprintf(quoted, sizeof(quoted), "| `%s` |", dvmi_hook_names[i]);
		ck_assert_msg(strstr(text, quoted) != NULL, "%s", quoted);
	}
	for (unsigned i = 0; i < DVMI_FIELDS; i++) {
		snprintf(quoted, sizeof(quoted), "| `%s` |", dvmi_field_names[i]);
		ck_assert_msg(strstr(text, quoted) != NULL, "%s", quoted);
	}
	for (unsigned i = 0; i < DVMI_OPS; i++) {
		snprintf(quoted, sizeof(quoted), "`%s", dvmi_op_names[i]);
		ck_assert_msg(strstr(text, quoted) != NULL, "%s", quoted);
	}
	dvmi_free(text);
	ck_assert_int_eq(dvmi_file_load(DVMSIM_SOURCE_DIR "/docs/strategies.md", 1 << 20, &text,
					&size, NULL), 0);
	for (int i = 0; i < count; i++) {
		ck_assert_msg(is_described(text, names[i]), "%s", names[i]);
	}
	dvmi_free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "shipped");

	list();
	tcase_add_loop_test(tc, shipped_program_is_read_and_round_trips, 0, count);
	tcase_add_loop_test(tc, needed_program_is_shipped, 0,
			    (int)(sizeof(needed) / sizeof(needed[0])));
	tcase_add_test(tc, documented_example_is_read);
	tcase_add_test(tc, documentation_is_complete);
}

CHECK_MAIN("program_shipped", add_cases)
