/* SPDX-License-Identifier: MIT */
/* The witnesses of dvmsim check: which are shown, and how. */
#include "cmd_check.h"

#include <dvmsim/witness.h>

#include <stdio.h>

enum { TRIED = 8, RULE_MAX = 12 };

unsigned witness_rules(const struct dvm_scenario_result *res)
{
	unsigned rules = 0;

	for (size_t i = 0; i < dvm_scenario_tests(res); i++)
		rules |= dvm_scenario_test_rules(res, i);
	return rules;
}

void witness_print_rules(unsigned rules)
{
	for (unsigned n = 1; n <= RULE_MAX; n++)
		if (rules >> n & 1)
			printf(" R%u", n);
}

cJSON *witness_rules_json(unsigned rules)
{
	cJSON *list = cJSON_CreateArray();
	char name[8];

	for (unsigned n = 1; n <= RULE_MAX; n++) {
		if (!(rules >> n & 1))
			continue;
		snprintf(name, sizeof(name), "R%u", n);
		cJSON_AddItemToArray(list, cJSON_CreateString(name));
	}
	return list;
}

/* The shortest of one test that breaks one of @rules; 0: any. NULL: none within the limits. */
static struct dvm_witness *of_test(const struct dvm_scenario_result *res, size_t test,
				   unsigned rules, int *rc, struct dvm_error *err)
{
	struct dvm_witness *best = NULL, *w;

	*rc = -DVM_ENOENT;
	if (!rules) {
		*rc = dvm_scenario_witness(res, test, &best, err);
		return *rc ? NULL : best;
	}
	rules &= dvm_scenario_test_rules(res, test);
	for (unsigned n = 1; n <= RULE_MAX; n++) {
		int one = rules >> n & 1 ? dvm_scenario_witness_of(res, test, n, &w, err)
					 : -DVM_ENOENT;

		if (one) {
			*rc = *rc && one != -DVM_ENOENT ? one : *rc;
			continue;
		}
		*rc = 0;
		if (best && dvm_witness_steps(best) <= dvm_witness_steps(w)) {
			dvm_witness_free(w);
			continue;
		}
		dvm_witness_free(best);
		best = w;
	}
	return best;
}

size_t witness_shortest(const struct dvm_scenario_result *res, unsigned rules)
{
	size_t best = dvm_scenario_tests(res), tried = 0;
	unsigned steps = 0;
	int rc;

	/* Tests that are UNSAFE for one reason come by the dozen: the first of them will do. */
	for (size_t i = 0; i < dvm_scenario_tests(res) && tried < TRIED; i++) {
		struct dvm_witness *w;

		if (dvm_scenario_test_verdict(res, i) != DVM_SCENARIO_UNSAFE ||
		    (rules && !(dvm_scenario_test_rules(res, i) & rules)))
			continue;
		tried++;
		w = of_test(res, i, rules, &rc, NULL);
		if (w && (best == dvm_scenario_tests(res) || dvm_witness_steps(w) < steps)) {
			best = i;
			steps = dvm_witness_steps(w);
		}
		dvm_witness_free(w);
	}
	return best;
}

/* The safety rules that one witness breaks. */
static unsigned broken_by(const struct dvm_witness *w)
{
	unsigned set = 0;

	for (unsigned i = 0; i < dvm_witness_rules(w); i++)
		set |= 1u << dvm_witness_rule(w, i);
	return set;
}

static int print_one(const struct dvm_scenario_result *res, size_t test, unsigned rules,
		     unsigned *broken)
{
	struct dvm_error err;
	struct dvm_witness *w;
	char *text;
	int rc;

	*broken = 0;
	w = of_test(res, test, rules, &rc, &err);
	if (rc == -DVM_EBUDGET) {
		printf("\n%s: a limit ended the search for the shortest steps\n",
		       dvm_scenario_test_name(res, test));
		return CLI_OK;
	}
	if (!w)
		return cli_fail(&err);
	*broken = broken_by(w);
	rc = dvm_witness_text(w, &text);
	dvm_witness_free(w);
	if (rc)
		return cli_usage("out of memory");
	printf("\nWitness: %s", dvm_scenario_test_name(res, test));
	if (rules) {
		printf(", the shortest for");
		witness_print_rules(rules);
	}
	printf("\n%s.\n\n%s\n", dvm_scenario_test_what(res, test), text);
	dvm_free(text);
	return CLI_OK;
}

/* For each rule the shortest of the scenario. */
static int print_by_rule(unsigned rules, const struct dvm_scenario_result *res)
{
	int rc = CLI_OK;

	for (unsigned n = 1; n <= RULE_MAX && !rc; n++) {
		unsigned broken;

		if (rules & witness_rules(res) & 1u << n)
			rc = print_one(res, witness_shortest(res, 1u << n), 1u << n, &broken);
	}
	return rc;
}

int witness_print(const struct witnesses *how, const struct dvm_scenario_result *res)
{
	size_t tests = dvm_scenario_tests(res), best;
	unsigned broken, rest;
	int rc = CLI_OK;

	if (how->which == WITNESS_NONE)
		return CLI_OK;
	for (size_t i = 0; i < tests && how->which == WITNESS_ALL && !rc; i++)
		if (dvm_scenario_test_verdict(res, i) == DVM_SCENARIO_UNSAFE &&
		    (!how->rules || (dvm_scenario_test_rules(res, i) & how->rules)))
			rc = print_one(res, i, how->rules, &broken);
	if (how->which == WITNESS_ALL)
		return rc;
	if (how->rules)
		return print_by_rule(how->rules, res);
	best = witness_shortest(res, 0);
	if (best == tests)
		return CLI_OK;
	rc = print_one(res, best, 0, &broken);
	rest = witness_rules(res) & ~broken;
	if (!rc && rest) {
		printf("Other stale uses of this scenario break");
		witness_print_rules(rest);
		printf("; --rule all shows the shortest for each rule.\n\n");
	}
	return rc;
}

void witness_add(cJSON *o, const struct dvm_scenario_result *res, size_t test, unsigned rules)
{
	struct dvm_witness *w;
	char *json;
	int rc;

	w = of_test(res, test, rules, &rc, NULL);
	if (!w)
		return;
	if (!dvm_witness_json(w, &json)) {
		cJSON_AddItemToObject(o, "witness", cJSON_Parse(json));
		dvm_free(json);
	}
	dvm_witness_free(w);
}
