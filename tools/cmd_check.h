/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_CMD_CHECK_H
#define DVMSIM_TOOLS_CMD_CHECK_H

#include "cli.h"

#include <dvmsim/minimise.h>

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

#endif
