/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_PROGRAM_SCRIPT_H
#define DVMSIM_TESTS_PROGRAM_SCRIPT_H

#include "base/rng.h"

#include <dvmsim/strategy.h>

/*
 * A scripted world: loads and atomics read the values of a list, one after the other, and every
 * effect is written down as one word ("dsb.ishst", "R", "tlbi.local"), so that a run is a sentence.
 */
struct script {
	uint64_t values[16]; /* what reads return, in order; the last is repeated */
	unsigned reads;
	const char *fields; /* names of the fields that are 1, or name=value, separated by spaces */
	unsigned self;
	unsigned move_at, move_to; /* before effect number move_at (from 1) the task moves */
	unsigned restart_at;	   /* effect number that is answered with a restart */
	unsigned effects;
	uint64_t kind;
	struct dvmi_rng *rng; /* instead of values and fields: random ones */
	char text[4096];
};

/* All callbacks set to the script's; 8 CPUs. */
struct dvm_strategy_env script_env(struct script *s);

#endif
