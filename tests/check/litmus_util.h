/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_LITMUS_UTIL_H
#define DVMSIM_TESTS_LITMUS_UTIL_H

#include <dvmsim/check.h>

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline struct dvm_litmus_result *litmus_run(const struct dvm_litmus *test, int ets2,
						   uint64_t without, int unreduced, int dsb_domain)
{
	struct dvm_check_options o = {.size = sizeof(o),
				      .ets2 = ets2,
				      .without = without,
				      .unreduced = unreduced,
				      .without_symmetry = unreduced,
				      .dsb_domain = dsb_domain};
	struct dvm_litmus_result *res = NULL;
	struct dvm_error err;
	char text[1024] = "";

	if (dvm_litmus_run(test, &o, &res, &err))
		dvm_error_format(&err, text, sizeof(text));
	ck_assert_msg(res != NULL, "%s: %s", dvm_litmus_name(test), text);
	return res;
}

static inline enum dvm_check_verdict litmus_verdict(const struct dvm_litmus *test, int ets2,
						    uint64_t without)
{
	struct dvm_litmus_result *res = litmus_run(test, ets2, without, 0, 0);
	enum dvm_check_verdict v = dvm_litmus_verdict(res);

	dvm_litmus_result_free(res);
	return v;
}

static inline struct dvm_litmus *litmus_load(const char *path)
{
	struct dvm_litmus *test = NULL;
	struct dvm_error err;
	char text[1024] = "";

	if (dvm_litmus_load(path, &test, &err))
		dvm_error_format(&err, text, sizeof(text));
	ck_assert_msg(test != NULL, "%s", text);
	return test;
}

static inline int litmus_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Paths of the .litmus files in @dir, sorted; freed with litmus_free_list(). */
static inline char **litmus_list(const char *dir, size_t *count)
{
	char **list = NULL;
	struct dirent *e;
	DIR *d = opendir(dir);

	*count = 0;
	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		char path[4096];

		if (n < 8 || strcmp(e->d_name + n - 7, ".litmus") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		list = realloc(list, (*count + 1) * sizeof(*list));
		list[(*count)++] = strdup(path);
	}
	if (d)
		closedir(d);
	if (list)
		qsort(list, *count, sizeof(*list), litmus_by_name);
	return list;
}

static inline void litmus_free_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

#endif
