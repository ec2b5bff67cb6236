/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_CMD_CHECK_H
#define DVMSIM_TOOLS_CMD_CHECK_H

#include "cli.h"

#include <dvmsim/minimise.h>
#include <dvmsim/scenario.h>

#include <cjson/cJSON.h>

/* What --minimise and --diff (check_weaken.c) take from the command line (cmd_check.c). */
struct weaken {
	const struct dvm_check_options *model;
	const unsigned *scenarios; /* chosen ones */
	size_t count;
	const char *reading;
	cJSON *json; /* array to add to; NULL: print */
};

int check_minimise(const struct weaken *how, const struct dvm_strategy *s);
int check_diff(const struct weaken *how, const struct dvm_strategy *a, const struct dvm_strategy *b);

/* ---- check_witness.c ---- */

enum witness { WITNESS_SHORT, WITNESS_ALL, WITNESS_NONE };
#define WITNESS_RULES 0x1ffeu /* R1 to R12, bit n for Rn */
struct witnesses {
	enum witness which;
	unsigned rules; /* of which the shortest are asked for; 0: any */
};

/* Safety rules that the stale uses of a scenario break. */
unsigned witness_rules(const struct dvm_scenario_result *res);
/* " R1 R5" */
void witness_print_rules(unsigned rules);
cJSON *witness_rules_json(unsigned rules);
/*
 * The test whose witness is shown: the one with the fewest steps to a stale use that breaks one of
 * @rules (0: any), the first of these. The number of tests: there is none.
 */
size_t witness_shortest(const struct dvm_scenario_result *res, unsigned rules);
int witness_print(const struct witnesses *how, const struct dvm_scenario_result *res);
/* Into a test's JSON object. Without a witness within the limits there is none. */
void witness_add(cJSON *o, const struct dvm_scenario_result *res, size_t test, unsigned rules);

#endif
