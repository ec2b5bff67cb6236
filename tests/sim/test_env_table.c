/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "model/params.h"

#include <dvmsim/workload.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/*
 * The table "Environments" of docs/model.md names parameters and tests that exist, every kernel
 * parameter and every test of tests/sim/test_env_*.c.
 */

enum column { MECHANISM = 1, KEYS, WHAT, SOURCE, TESTS, COLUMNS };

static char page[1 << 18];

static const char *read_file(const char *path, char *text, size_t size)
{
	char full[512];
	FILE *f;
	size_t n;

	snprintf(full, sizeof(full), DVMSIM_SOURCE_DIR "/%s", path);
	f = fopen(full, "r");
	if (!f)
		return NULL;
	n = fread(text, 1, size - 1, f);
	fclose(f);
	ck_assert_msg(n < size - 1, "%s is too long for this test", path);
	text[n] = '\0';
	return text;
}

/* The table's text: from its head to the first line that is no row. */
static char *table(void)
{
	char *at, *end;

	ck_assert_ptr_nonnull(read_file("docs/model.md", page, sizeof(page)));
	at = strstr(page, "<a id=\"environments\"></a>");
	ck_assert_ptr_nonnull(at);
	at = strstr(at, "\n|---|");
	ck_assert_ptr_nonnull(at);
	at = strchr(at + 1, '\n') + 1;
	end = strstr(at, "\n\n");
	ck_assert_ptr_nonnull(end);
	end[1] = '\0';
	return at;
}

/* Do @check for each word between backticks in column @which of each row. Returns their number. */
static unsigned each_word(enum column which, void (*check)(const char *word))
{
	unsigned column = 0, count = 0;

	for (char *at = table(); *at; at++) {
		char *end;

		if (*at == '|')
			column = at[1] == '\n' ? 0 : column + 1;
		ck_assert_msg(column < COLUMNS, "a row has too many columns: %.60s", at);
		if (*at != '`')
			continue;
		end = strchr(at + 1, '`');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		if (column == which) {
			check(at + 1);
			count++;
		}
		at = end;
	}
	return count;
}

/* ---- keys ---- */

static bool in(const struct dvmi_param_def *defs, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(defs[i].path, path))
			return true;
	return false;
}

static bool generator(const char *name)
{
	const struct dvm_workload_info *info;

	for (size_t i = 0; (info = dvm_workload_get(i)); i++)
		if (!strcmp(info->name, name))
			return true;
	return false;
}

static void key_exists(const char *key)
{
	bool found = strchr(key, '.') ? in(dvmi_hw_defs, dvmi_hw_def_count, key) :
					in(dvmi_kernel_defs, dvmi_kernel_def_count, key) ||
					generator(key);

	ck_assert_msg(found, "docs/model.md, Environments: there is no parameter or generator '%s'",
		      key);
}

START_TEST(keys_of_the_table_exist)
{
	ck_assert_uint_gt(each_word(KEYS, key_exists), 30);
}
END_TEST

static const char *wanted;
static bool seen;

static void is_wanted(const char *word)
{
	seen |= !strcmp(word, wanted);
}

START_TEST(every_kernel_parameter_has_a_row)
{
	for (size_t i = 0; i < dvmi_kernel_def_count; i++) {
		wanted = dvmi_kernel_defs[i].path;
		seen = !strncmp(wanted, "sched_", 6);
		each_word(KEYS, is_wanted);
		ck_assert_msg(seen, "docs/model.md, Environments: no row for the kernel parameter '%s'",
			      wanted);
	}
}
END_TEST

/* ---- tests ---- */

/* "test_file.c:test" in one of the folders that test environments. */
static void test_exists(const char *word)
{
	static const char *const folders[] = { "sim", "kernel", "hw" };
	static char text[1 << 17];
	const char *name = strchr(word, ':');
	char path[256], start[256];
	bool found = false;

	ck_assert_msg(name, "docs/model.md, Environments: '%s' is not FILE:TEST", word);
	snprintf(start, sizeof(start), "START_TEST(%s)", name + 1);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "tests/%s/%.*s", folders[i], (int)(name - word), word);
		found |= read_file(path, text, sizeof(text)) && strstr(text, start);
	}
	ck_assert_msg(found, "docs/model.md, Environments: there is no test '%s'", word);
}

START_TEST(tests_of_the_table_exist)
{
	ck_assert_uint_gt(each_word(TESTS, test_exists), 30);
}
END_TEST

static void named(const char *file, const char *text)
{
	char word[256];

	for (const char *at = text; (at = strstr(at, "START_TEST(")); at++) {
		const char *name = strchr(at, '(') + 1;

		ck_assert_int_lt(snprintf(word, sizeof(word), "%s:%.*s", file,
					  (int)strcspn(name, ")"), name), (int)sizeof(word));
		wanted = word;
		seen = false;
		each_word(TESTS, is_wanted);
		ck_assert_msg(seen, "docs/model.md, Environments: no row names '%s'", word);
	}
}

START_TEST(every_environment_test_is_named)
{
	static char text[1 << 17];
	DIR *d = opendir(DVMSIM_SOURCE_DIR "/tests/sim");
	struct dirent *e;
	char path[300];

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		if (strncmp(e->d_name, "test_env_", 9) || !strcmp(e->d_name, "test_env_table.c"))
			continue;
		snprintf(path, sizeof(path), "tests/sim/%s", e->d_name);
		ck_assert_ptr_nonnull(read_file(path, text, sizeof(text)));
		named(e->d_name, text);
	}
	closedir(d);
}
END_TEST

/* Each row has all its columns, and a source. */
START_TEST(rows_are_whole)
{
	for (char *line = strtok(table(), "\n"); line; line = strtok(NULL, "\n")) {
		unsigned bars = 0;

		for (const char *at = line; *at; at++)
			bars += *at == '|';
		ck_assert_msg(bars == COLUMNS && !strstr(line, "|  |"),
			      "a row lacks a column: %.60s", line);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "table");

	tcase_add_test(tc, keys_of_the_table_exist);
	tcase_add_test(tc, every_kernel_parameter_has_a_row);
	tcase_add_test(tc, tests_of_the_table_exist);
	tcase_add_test(tc, every_environment_test_is_named);
	tcase_add_test(tc, rows_are_whole);
}

CHECK_MAIN("sim env table", add_cases)
