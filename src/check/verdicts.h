/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_VERDICTS_H
#define DVMI_CHECK_VERDICTS_H

#include <dvmsim/scenario.h>

#include <stdbool.h>

enum { DVMI_VERDICTS_MAX = 64 }; /* scenarios of one call */

/* The scenarios that a strategy and its variants are checked in, and the tests of the former. */
struct dvmi_bench {
	const unsigned *scenarios;
	size_t count;
	struct dvm_check_options options;
	struct dvm_scenario_result *base[DVMI_VERDICTS_MAX]; /* of the strategy as it is */
};

int dvmi_bench_open(struct dvmi_bench *b, const struct dvm_strategy *s, const unsigned *scenarios,
		    size_t count, const struct dvm_check_options *options, struct dvm_error *err);
void dvmi_bench_close(struct dvmi_bench *b);
/* @same: no test has another text than the strategy's own. */
int dvmi_bench_check(const struct dvmi_bench *b, const struct dvm_strategy *s,
		     enum dvm_scenario_verdict *verdict, bool *same, struct dvm_error *err);

#endif
