/* SPDX-License-Identifier: MIT */
/* dvmsim check --minimise and --diff: which part of a strategy makes its verdicts. */
#include "cmd_check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *scenario(const struct weaken *how, size_t i)
{
	return dvm_scenario_name(how->scenarios[i]);
}

static int failed(int rc, const struct dvm_error *err)
{
	return rc == -DVM_EBUDGET ? (cli_fail(err), CLI_PARTIAL) : cli_fail(err);
}

/* ---- --minimise ---- */

enum { LISTED = 3 }; /* scenarios that are named; the JSON names all */

/* "; UNSAFE in arrive, foreign", or nothing when no verdict changed. */
static void print_changes(const struct weaken *how, const struct dvm_minimal *m, size_t index)
{
	for (int v = 0; v <= DVM_SCENARIO_NOT_APPLICABLE; v++) {
		unsigned n = 0;

		for (size_t i = 0; i < how->count; i++) {
			if (dvm_minimal_verdict(m, index, i) != (enum dvm_scenario_verdict)v ||
			    dvm_minimal_verdict(m, SIZE_MAX, i) == (enum dvm_scenario_verdict)v)
				continue;
			if (!n)
				printf("; %s in ",
				       dvm_scenario_verdict_name((enum dvm_scenario_verdict)v));
			if (n < LISTED)
				printf("%s%s", n ? ", " : "", scenario(how, i));
			n++;
		}
		if (n > LISTED)
			printf(" and %u more", n - LISTED);
	}
	putchar('\n');
}

static void print_minimal(const struct weaken *how, const struct dvm_strategy *s,
			  const struct dvm_minimal *m)
{
	struct dvm_weakening w = {.size = sizeof(w)};
	bool any = false;

	printf("%s, reading %s: each weakening alone\n\n", dvm_strategy_name(s), how->reading);
	printf("%5s  %-28s %-24s %s\n", "line", "instruction", "weakened", "what that shows");
	for (size_t i = 0; !dvm_minimal_get(m, i, &w); i++) {
		printf("%5u  %-28s %-24s %s", w.line, w.insn, w.change, dvm_need_name(w.need));
		print_changes(how, m, i);
	}
	printf("\nTogether, without a verdict getting worse:\n");
	for (size_t i = 0; !dvm_minimal_get(m, i, &w); i++) {
		if (!w.lost)
			continue;
		printf("%5u  %-28s %s\n", w.line, w.insn, w.change);
		any = true;
	}
	if (!any)
		printf("       none\n");
	putchar('\n');
}

static void add_verdicts(const struct weaken *how, const struct dvm_minimal *m, size_t index,
			 cJSON *o)
{
	cJSON *v = cJSON_AddObjectToObject(o, "verdicts");

	for (size_t i = 0; i < how->count; i++)
		cJSON_AddStringToObject(v, scenario(how, i),
					dvm_scenario_verdict_name(dvm_minimal_verdict(m, index, i)));
}

static void add_minimal(const struct weaken *how, const struct dvm_strategy *s,
			const struct dvm_minimal *m)
{
	cJSON *o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	struct dvm_weakening w = {.size = sizeof(w)};

	cJSON_AddStringToObject(o, "strategy", dvm_strategy_name(s));
	cJSON_AddStringToObject(o, "reading", how->reading);
	add_verdicts(how, m, SIZE_MAX, o);
	for (size_t i = 0; !dvm_minimal_get(m, i, &w); i++) {
		cJSON *e = cJSON_CreateObject();

		cJSON_AddNumberToObject(e, "line", w.line);
		cJSON_AddStringToObject(e, "instruction", w.insn);
		cJSON_AddStringToObject(e, "weakened", w.change);
		cJSON_AddStringToObject(e, "shows", dvm_need_name(w.need));
		cJSON_AddBoolToObject(e, "lost_together", w.lost);
		add_verdicts(how, m, i, e);
		cJSON_AddItemToArray(list, e);
	}
	cJSON_AddItemToObject(o, "weakenings", list);
	cJSON_AddItemToArray(how->json, o);
}

int check_minimise(const struct weaken *how, const struct dvm_strategy *s)
{
	struct dvm_minimal *m;
	struct dvm_error err;
	int rc = dvm_minimise(s, how->scenarios, how->count, how->model, &m, &err);

	if (rc)
		return failed(rc, &err);
	if (how->json)
		add_minimal(how, s, m);
	else
		print_minimal(how, s, m);
	dvm_minimal_free(m);
	return CLI_OK;
}

/* ---- --diff ---- */

static bool changes(const struct weaken *how, const struct dvm_difference *d, size_t index)
{
	for (size_t i = 0; i < how->count; i++)
		if (dvm_diff_verdict(d, index, i) != dvm_diff_verdict(d, SIZE_MAX, i))
			return true;
	return false;
}

static void print_verdicts(const struct weaken *how, const struct dvm_difference *d, size_t index,
			   const char *name)
{
	const char *sep = "";

	printf("%s: ", name);
	for (size_t i = 0; i < how->count; i++) {
		enum dvm_scenario_verdict v = dvm_diff_verdict(d, index, i);

		if (v == dvm_diff_verdict(d, SIZE_MAX, i))
			continue;
		printf("%s%s becomes %s", sep, scenario(how, i), dvm_scenario_verdict_name(v));
		sep = ", ";
	}
	printf("%s\n", sep[0] ? "" : "no verdict changes");
}

static void print_diff(const struct weaken *how, const struct dvm_strategy *a,
		       const struct dvm_strategy *b, const struct dvm_difference *d)
{
	char name[600];
	size_t first = 0, last = 0;

	printf("From %s to %s, reading %s\n\n", dvm_strategy_name(a), dvm_strategy_name(b),
	       how->reading);
	print_verdicts(how, d, SIZE_MAX - 1, "all differences together");
	for (size_t i = 0; i < dvm_diff_count(d); i++) {
		printf("\ndifference %zu, line %u of %s:\n%s", i + 1, dvm_diff_line(d, i),
		       dvm_strategy_name(a), dvm_diff_text(d, i));
		dvm_diff_with(d, i, &first, &last);
		if (first == last)
			snprintf(name, sizeof(name), "  alone");
		else
			snprintf(name, sizeof(name), "  with %zu to %zu (alone: %s)", first + 1,
				 last + 1, dvm_diff_why(d, i));
		print_verdicts(how, d, i, name);
	}
	putchar('\n');
}

static void add_diff_verdicts(const struct weaken *how, const struct dvm_difference *d, size_t index,
			      const char *name, cJSON *o)
{
	cJSON *v = cJSON_AddObjectToObject(o, name);

	for (size_t i = 0; i < how->count; i++)
		cJSON_AddStringToObject(v, scenario(how, i),
					dvm_scenario_verdict_name(dvm_diff_verdict(d, index, i)));
}

static void add_diff(const struct weaken *how, const struct dvm_strategy *a,
		     const struct dvm_strategy *b, const struct dvm_difference *d)
{
	cJSON *o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	size_t first = 0, last = 0;

	cJSON_AddStringToObject(o, "from", dvm_strategy_name(a));
	cJSON_AddStringToObject(o, "to", dvm_strategy_name(b));
	cJSON_AddStringToObject(o, "reading", how->reading);
	add_diff_verdicts(how, d, SIZE_MAX, "from_verdicts", o);
	add_diff_verdicts(how, d, SIZE_MAX - 1, "to_verdicts", o);
	for (size_t i = 0; i < dvm_diff_count(d); i++) {
		cJSON *e = cJSON_CreateObject();

		cJSON_AddNumberToObject(e, "line", dvm_diff_line(d, i));
		cJSON_AddStringToObject(e, "text", dvm_diff_text(d, i));
		dvm_diff_with(d, i, &first, &last);
		cJSON_AddNumberToObject(e, "first", (double)first + 1);
		cJSON_AddNumberToObject(e, "last", (double)last + 1);
		cJSON_AddStringToObject(e, "why_not_alone", dvm_diff_why(d, i));
		cJSON_AddBoolToObject(e, "changes_a_verdict", changes(how, d, i));
		add_diff_verdicts(how, d, i, "verdicts", e);
		cJSON_AddItemToArray(list, e);
	}
	cJSON_AddItemToObject(o, "differences", list);
	cJSON_AddItemToArray(how->json, o);
}

int check_diff(const struct weaken *how, const struct dvm_strategy *a, const struct dvm_strategy *b)
{
	struct dvm_difference *d;
	struct dvm_error err;
	int rc = dvm_diff(a, b, how->scenarios, how->count, how->model, &d, &err);

	if (rc)
		return failed(rc, &err);
	if (how->json)
		add_diff(how, a, b, d);
	else
		print_diff(how, a, b, d);
	dvm_diff_free(d);
	return CLI_OK;
}
