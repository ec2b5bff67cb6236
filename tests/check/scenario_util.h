/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CHECK_SCENARIO_UTIL_H
#define TESTS_CHECK_SCENARIO_UTIL_H

#include "check_main.h"

#include <dvmsim/scenario.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *util_file(const char *path)
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

static inline char *util_strategy_text(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	return util_file(path);
}

static inline struct dvm_strategy *util_parse(const char *text)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char why[1024] = "";

	if (dvm_strategy_parse(text, "test", &s, &err))
		dvm_error_format(&err, why, sizeof(why));
	ck_assert_msg(s != NULL, "%s", why);
	return s;
}

static inline struct dvm_strategy *util_strategy(const char *name)
{
	char *text = util_strategy_text(name);
	struct dvm_strategy *s = util_parse(text);

	free(text);
	return s;
}

static inline unsigned util_scenario(const char *name)
{
	for (unsigned i = 0; i < dvm_scenarios(); i++)
		if (!strcmp(dvm_scenario_name(i), name))
			return i;
	ck_abort_msg("no scenario %s", name);
	return 0;
}

/* @text with the first @from replaced by @to. */
static inline char *util_replace(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out = calloc(1, strlen(text) + strlen(to) + 1);

	ck_assert_msg(at != NULL, "nothing to change: %s", from);
	memcpy(out, text, (size_t)(at - text));
	strcat(out, to);
	strcat(out, at + strlen(from));
	return out;
}

static const char util_letters[] = {[DVM_SCENARIO_SAFE] = 'S',
				    [DVM_SCENARIO_UNSAFE] = 'U',
				    [DVM_SCENARIO_INCONCLUSIVE] = '?',
				    [DVM_SCENARIO_UNSUPPORTED] = '-',
				    [DVM_SCENARIO_NOT_APPLICABLE] = 'n'};

static inline struct dvm_scenario_result *util_run(const struct dvm_strategy *s, unsigned scenario,
						   uint64_t without)
{
	struct dvm_check_options o = {.size = sizeof(o), .without = without};
	struct dvm_scenario_result *r;
	struct dvm_error err;

	ck_assert_int_eq(dvm_scenario_check(s, scenario, &o, &r, &err), 0);
	return r;
}

static inline char util_verdict(const struct dvm_strategy *s, unsigned scenario, bool prose)
{
	uint64_t without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	struct dvm_scenario_result *r = util_run(s, scenario, prose ? without : 0);
	char c = util_letters[dvm_scenario_verdict(r)];

	dvm_scenario_free(r);
	return c;
}

#endif
