/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <dvmsim/witness.h>

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct cli_option options[] = {
	{"ets2", 0, NULL, "FEAT_ETS2 is implemented: faults are ordered after earlier accesses.",
	 false},
	{"dsb-domain", 0, NULL,
	 "A DSB NSH does not complete a broadcast TLBI (the published model has no domains).",
	 false},
	{"bbm", 0, NULL,
	 "Flag tests in which an access can meet two translations of a page that need "
	 "break-before-make.",
	 false},
	{"without", 0, "RULE", "Switch a rule of the model off; 'list' prints them all.", true},
	{"unreduced", 0, NULL, "Search without any reduction, partial-order or symmetry.", false},
	{"without-symmetry", 0, NULL, "Explore equal threads as if they were different.", false},
	{"unroll", 0, "N", "Rounds of a loop to follow, 1 to 8; default 2.", false},
	{"threads", 'T', "N", "Threads that explore a test; default 1. Changes no result.", false},
	{"max-states", 0, "N", "Stop after N states (verdict: Inconclusive).", false},
	{"max-memory", 0, "MIB", "Stop when the states fill MIB mebibytes; default 1024.", false},
	{"timeout", 0, "SECONDS", "Stop a test after SECONDS.", false},
	{"witness", 0, NULL,
	 "Show the steps of the shortest execution that the condition asks for, if there is one.",
	 false},
	{"json", 'j', NULL, "Print one JSON document.", false},
	{NULL, 0, NULL, NULL, false},
};

static int list_rules(void)
{
	for (unsigned r = 0; r < dvm_check_rules(); r++)
		printf("%-16s %s\n%-16s %s\n", dvm_check_rule_name(r), dvm_check_rule_text(r), "",
		       dvm_check_rule_source(r));
	return CLI_OK;
}

static bool read_options(const struct cli_args *args, struct dvm_check_options *o,
			 struct cli_clock *clock)
{
	unsigned long long unroll = 0, threads = 0, states = 0, memory = 0, seconds = 0;

	o->size = sizeof(*o);
	o->ets2 = cli_flag(args, "ets2");
	o->dsb_domain = cli_flag(args, "dsb-domain");
	o->bbm = cli_flag(args, "bbm");
	o->unreduced = cli_flag(args, "unreduced");
	o->without_symmetry = o->unreduced || cli_flag(args, "without-symmetry");
	for (const char **rule = cli_values(args, "without"); *rule; rule++) {
		int n = dvm_check_rule_find(*rule);

		if (n < 0) {
			cli_usage(
				"--without: no rule '%s'; dvmsim litmus --without list prints them",
				*rule);
			return false;
		}
		o->without |= UINT64_C(1) << n;
	}
	if (!cli_number(args, "unroll", 1, 8, &unroll) ||
	    !cli_number(args, "threads", 1, 64, &threads) ||
	    !cli_number(args, "max-states", 1, 1ULL << 40, &states) ||
	    !cli_number(args, "max-memory", 1, 1ULL << 20, &memory) ||
	    !cli_number(args, "timeout", 1, 1000000, &seconds))
		return false;
	o->unroll = (unsigned)unroll;
	o->threads = (unsigned)threads;
	o->max_states = states;
	o->max_memory_bytes = memory << 20;
	clock->limit = (double)seconds;
	o->stop = cli_clock_expired;
	o->stop_arg = clock;
	return true;
}

static void add_json(cJSON *tests, const struct dvm_litmus *test, const char *file,
		     const struct dvm_litmus_result *res, double seconds)
{
	static const char *const words[] = {"Never", "Sometimes", "Always", "Inconclusive"};
	cJSON *t = cJSON_CreateObject(), *states = cJSON_CreateArray();

	for (size_t i = 0; i < dvm_litmus_outcomes(res); i++)
		cJSON_AddItemToArray(states, cJSON_CreateString(dvm_litmus_outcome(res, i)));
	cJSON_AddStringToObject(t, "name", dvm_litmus_name(test));
	cJSON_AddStringToObject(t, "file", file);
	cJSON_AddStringToObject(t, "observation", words[dvm_litmus_verdict(res)]);
	cJSON_AddBoolToObject(t, "ok", dvm_litmus_ok(res));
	cJSON_AddItemToObject(t, "states", states);
	cJSON_AddNumberToObject(t, "explored_states", (double)dvm_litmus_states(res));
	cJSON_AddNumberToObject(t, "seconds", seconds);
	cJSON_AddItemToArray(tests, t);
}

static int print_text(const struct dvm_litmus *test, const struct dvm_litmus_result *res,
		      double seconds)
{
	char *text;

	if (dvm_litmus_result_text(res, &text))
		return cli_usage("out of memory");
	printf("%sTime %s %.2f\n\n", text, dvm_litmus_name(test), seconds);
	dvm_free(text);
	return CLI_OK;
}

/* The witness as text, or into the test's JSON object; none is no error. */
static int show_witness(const struct dvm_litmus *test, const struct dvm_check_options *o,
			cJSON *json)
{
	struct dvm_witness *w;
	struct dvm_error err;
	char *text;
	int rc = dvm_litmus_witness(test, o, &w, &err);

	if (rc == -DVM_ENOENT || rc == -DVM_EBUDGET)
		return CLI_OK;
	if (rc)
		return cli_fail(&err);
	rc = json ? dvm_witness_json(w, &text) : dvm_witness_text(w, &text);
	dvm_witness_free(w);
	if (rc)
		return cli_usage("out of memory");
	if (json)
		cJSON_AddItemToObject(cJSON_GetArrayItem(json, cJSON_GetArraySize(json) - 1),
				      "witness", cJSON_Parse(text));
	else
		printf("Witness %s\n%s\n", dvm_litmus_name(test), text);
	dvm_free(text);
	return CLI_OK;
}

static int one_test(const char *file, const struct dvm_check_options *o, struct cli_clock *clock,
		    bool witness, cJSON *json)
{
	struct dvm_litmus_result *res;
	struct dvm_litmus *test;
	struct dvm_error err;
	double seconds;
	int rc;

	cli_clock_start(clock);
	if (dvm_litmus_load(file, &test, &err))
		return cli_fail(&err);
	if (dvm_litmus_run(test, o, &res, &err)) {
		dvm_litmus_free(test);
		return cli_fail(&err);
	}
	seconds = cli_clock_seconds(clock);
	if (json) {
		add_json(json, test, file, res, seconds);
		rc = CLI_OK;
	} else {
		rc = print_text(test, res, seconds);
	}
	if (rc == CLI_OK && witness)
		rc = show_witness(test, o, json);
	if (rc == CLI_OK && dvm_litmus_verdict(res) == DVM_CHECK_INCONCLUSIVE)
		rc = CLI_PARTIAL;
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
	return rc;
}

static int print_json(cJSON *tests)
{
	cJSON *doc = cJSON_CreateObject();
	char *text;

	cJSON_AddItemToObject(doc, "tests", tests);
	text = cJSON_Print(doc);
	cJSON_Delete(doc);
	if (!text)
		return cli_usage("out of memory");
	puts(text);
	cJSON_free(text);
	return CLI_OK;
}

static int run(const struct cli_args *args)
{
	struct dvm_check_options o = {0};
	struct cli_clock clock = {.limit = 0};
	cJSON *json = NULL;
	int rc = CLI_OK;

	for (const char **rule = cli_values(args, "without"); *rule; rule++)
		if (!strcmp(*rule, "list"))
			return list_rules();
	if (!read_options(args, &o, &clock))
		return CLI_USAGE;
	if (!args->count)
		return cli_usage("litmus: which FILE? See dvmsim litmus --help");
	if (cli_flag(args, "json"))
		json = cJSON_CreateArray();
	for (size_t i = 0; i < args->count; i++) {
		int one = one_test(args->operands[i], &o, &clock, cli_flag(args, "witness"), json);

		/* Bad input is reported, the other tests still run. */
		if (one > rc || one == CLI_USAGE)
			rc = one;
	}
	if (json && print_json(json) != CLI_OK)
		rc = CLI_USAGE;
	return rc;
}

const struct cli_command cmd_litmus = {
	.name = "litmus",
	.operands = "FILE...",
	.summary = "Explore litmus tests under the Arm memory model with virtual memory",
	.details = "Reads tests in herd's .litmus syntax for AArch64 with page-table descriptors, "
		   "explores every execution the model allows, and prints the final states in "
		   "herd's line grammar. The model follows Arm's published cat model; "
		   "docs/checker.md states it rule by rule.\n\n"
		   "The status is 0 when every test was explored to the end, whatever it showed, 3 "
		   "when a limit ended one, 2 for a file that can not be read.",
	.examples = "  dvmsim litmus tests/litmus/flush-local.litmus\n"
		    "  dvmsim litmus --ets2 --without dsb-st tests/litmus/*.litmus\n",
	.options = options,
	.min_operands = 0,
	.max_operands = SIZE_MAX,
	.run = run,
};
