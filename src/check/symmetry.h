/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SYMMETRY_H
#define DVMI_CHECK_SYMMETRY_H

#include "check/litmus.h"
#include "check/state_key.h"

/*
 * Threads that are the same, or would be if variables changed names, can change places: what one
 * does in an execution the other does in another execution, which is as possible. docs/checker.md
 * ("Symmetry") says why that is exact.
 */
enum { DVMI_SYMMETRIES_MAX = DVMI_IMAGES_MAX };

/* Thread t of the image does what thread from[t] did, with variable page[k] where that has k. */
struct dvmi_symmetry {
	uint8_t from[DVMI_PES_MAX];
	uint8_t page[DVMI_PAGES_MAX];
};

/* A group: with two of them what one after the other does, and what undoes it. The first changes
 * nothing. */
struct dvmi_symmetries {
	unsigned threads, count;
	struct dvmi_symmetry one[DVMI_SYMMETRIES_MAX]; /* in lexical order */
};

/* No symmetry: each execution is its own image only. */
void dvmi_symmetries_none(unsigned threads, struct dvmi_symmetries *s);
/*
 * @paths: the ways of each thread, without those that contradict themselves; @rename: variables may
 * change names.
 */
void dvmi_symmetries_find(const struct dvm_litmus *test, const struct dvmi_paths *paths,
			  bool rename, struct dvmi_symmetries *s);
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

/* ---- symmetry_pages.c: variables that change names ---- */

/* What value @v is in the image; @pages: variables of the test. */
uint64_t dvmi_symmetry_value(const struct dvmi_symmetry *g, unsigned pages, uint64_t v);
/* The location that has become @loc. */
uint16_t dvmi_symmetry_loc_from(const struct dvmi_symmetry *g, uint16_t loc);

/* Is it certain that no value of the test depends on the place of a variable but those that name
 * it? */
bool dvmi_pages_may_move(const struct dvm_litmus *test);

/* Which variable becomes which, as far as that is settled. */
struct dvmi_pages {
	uint8_t to[DVMI_PAGES_MAX]; /* DVMI_NONE: not yet */
	uint32_t taken;
};

/* Settle what the first registers of a thread ask for, that it may become the other one. */
bool dvmi_pages_match(const struct dvm_litmus *test, const struct dvmi_thread *was,
		      const struct dvmi_thread *is, struct dvmi_pages *p);
/* Fill page of @g; false: first memory is not the same then. */
bool dvmi_pages_finish(const struct dvm_litmus *test, struct dvmi_pages *p,
		       struct dvmi_symmetry *g);

#endif
