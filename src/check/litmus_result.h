/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_LITMUS_RESULT_H
#define DVMI_CHECK_LITMUS_RESULT_H

#include "check/litmus.h"

#include <dvmsim/check.h>

/* A final state, as the test sees it, and how many executions end in one. */
struct dvmi_outcome_line {
	uint64_t shown[DVMI_ATOMS_MAX];
	uint64_t count;
	char *line;
};

struct dvm_litmus_result {
	char name[128];
	uint8_t quantifier;
	char *condition;
	bool narrow_domain, cut, incomplete;
	bool bbm, clash; /* the flag is asked for; there is reason for it */
	struct dvmi_outcome_line *outcome;
	size_t outcomes, capacity;
	uint64_t positive, negative; /* executions with and without the proposition */
	uint64_t states, memory;
};

/* @count more executions end in a final state that shows this. */
int dvmi_litmus_result_add(struct dvm_litmus_result *res, unsigned atoms, const uint64_t *shown,
			   uint64_t count);
/* Print and sort what was added. */
int dvmi_litmus_result_finish(struct dvm_litmus_result *res, const struct dvm_litmus *test);

#endif
