/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_RUN_H
#define DVMI_CHECK_RUN_H

#include "check/explore.h"
#include "check/litmus.h"
#include "check/symmetry.h"

#include <dvmsim/check.h>

/*
 * A litmus test made ready to be explored: the ways each thread can go, and the program of one
 * combination of them at a time.
 */
struct dvmi_run {
	const struct dvm_litmus *test;
	struct dvmi_program *prog;
	struct dvmi_paths paths[DVMI_PES_MAX];
	struct dvmi_built built[DVMI_PES_MAX];
	uint64_t *pred[DVMI_PES_MAX]; /* of each path's events, DVMI_EVENTS_MAX a path */
	struct dvmi_explorer ex;
	struct dvmi_symmetries sym; /* dvmi_run_open() sets none */
	struct dvmi_images images;  /* of the program, as far as dvmi_run_images() made them */
	unsigned threads;
	bool cut; /* a loop was followed to the unroll limit only */
	struct dvm_error *err;
};

/* @run is all zero before; dvmi_run_close() also after an error. */
int dvmi_run_open(struct dvmi_run *run, const struct dvm_litmus *test,
		  const struct dvm_check_options *options, struct dvm_error *err);
void dvmi_run_close(struct dvmi_run *run);

/* Make the program of this combination. 1: it contradicts itself. */
int dvmi_run_build(struct dvmi_run *run, const size_t *choice);
/* The next combination; false: that was the last. A test without any begins with false. */
bool dvmi_run_first(const struct dvmi_run *run, size_t *choice);
bool dvmi_run_next(const struct dvmi_run *run, size_t *choice);

/* Let the explorer take states for one that are images of each other under run->sym. */
void dvmi_run_images(struct dvmi_run *run, const size_t *choice);

/*
 * What a state, or its image under @g (NULL: itself), shows of each atom of the test; what is not
 * known yet is 0.
 */
void dvmi_run_show(const struct dvmi_run *run, const struct dvmi_state *st,
		   const struct dvmi_symmetry *g, uint64_t *shown);

#endif
