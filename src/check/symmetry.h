/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SYMMETRY_H
#define DVMI_CHECK_SYMMETRY_H

#include "check/litmus.h"
#include "check/state_key.h"

/*
 * Threads that are the same can change places: what one does in an execution the other does in
 * another execution, which is as possible. docs/checker.md ("Symmetry") says why that is exact.
 */
enum { DVMI_SYMMETRIES_MAX = DVMI_IMAGES_MAX };

/* Thread t of the image does what thread from[t] did. */
struct dvmi_symmetry {
	uint8_t from[DVMI_PES_MAX];
};

/* A group: with two of them what one after the other does, and what undoes it. The first changes
 * nothing. */
struct dvmi_symmetries {
	unsigned threads, count;
	struct dvmi_symmetry one[DVMI_SYMMETRIES_MAX]; /* in lexical order */
};

/* No symmetry: each execution is its own image only. */
void dvmi_symmetries_none(unsigned threads, struct dvmi_symmetries *s);
/* @paths: the ways of each thread, without those that contradict themselves. */
void dvmi_symmetries_find(const struct dvm_litmus *test, const struct dvmi_paths *paths,
			  struct dvmi_symmetries *s);
/* Is this combination of ways the least among its images? Only these need exploring. */
bool dvmi_symmetries_least(const struct dvmi_symmetries *s, const size_t *choice);

/* The symmetries of the program of combination @choice: those that lead to the same combination. */
void dvmi_images_find(const struct dvmi_symmetries *s, const size_t *choice,
		      const struct dvmi_program *prog, struct dvmi_images *images);

/*
 * Which of all symmetries lead from @st of this program to different pairs of a combination and a
 * state: for each pair the first. Returns how many; @which holds DVMI_SYMMETRIES_MAX.
 */
unsigned dvmi_images_of(const struct dvmi_symmetries *s, const struct dvmi_images *images,
			const struct dvmi_program *prog, const struct dvmi_state *st,
			uint8_t *which);

#endif
