/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_ORIGIN_H
#define DVMI_CHECK_ORIGIN_H

#include <dvmsim/scenario.h>

#include <stdbool.h>

/* Where the instructions of a test made from a strategy come from. */
enum { DVMI_ORIGIN_CPUS = 4, DVMI_ORIGIN_LINES = 128 };
struct dvmi_origin {
	unsigned line;	     /* of the strategy; 0: a step of the kernel or of the user */
	char source[72];     /* the strategy's instruction */
	const char *note;    /* what a kernel step stands for; NULL: see the instruction */
	bool installs;	     /* a TLBI that stands for the write of TTBR0_EL1 */
};
struct dvmi_origins {
	unsigned cols;
	bool moves; /* the flusher changes CPUs */
	unsigned sampled; /* line in which the flush first asks for its CPU; 0: nowhere */
	bool kpti, erratum;
	const char *title[DVMI_ORIGIN_CPUS];
	bool away[DVMI_ORIGIN_CPUS]; /* the mm is never installed on this CPU */
	struct dvmi_origin at[DVMI_ORIGIN_CPUS][DVMI_ORIGIN_LINES];
};

/* Of test @index, which is UNSAFE (else NULL), and how it was checked. */
const struct dvmi_origins *dvmi_scenario_origins(const struct dvm_scenario_result *r, size_t index,
						 struct dvm_check_options *options);

/* witness.c: the safety rules that the executions which a test asks for break: bit n for Rn. */
int dvmi_witness_rules(const struct dvm_litmus *test, const struct dvmi_origins *origins,
		       const struct dvm_check_options *options, unsigned *rules);

#endif
