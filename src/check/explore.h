/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_EXPLORE_H
#define DVMI_CHECK_EXPLORE_H

#include "check/machine.h"
#include "check/state_key.h"
#include "check/visited.h"

/* Depth-first search of all states of a program. */
struct dvmi_explorer {
	/* limits, 0: none */
	uint64_t max_states;
	size_t max_memory_bytes;
	int (*stop)(void *arg); /* asked every few thousand states; nonzero ends the search */
	void *stop_arg;
	bool full; /* without partial-order reduction */
	bool each_tlbi; /* TLBIs at every moment, not first: final states differ in what they found */
	/* states that are images of each other are one, the first that is met; NULL: none are */
	const struct dvmi_images *images;
	/* called for each final state; nonzero ends the search with that value */
	int (*final)(void *arg, const struct dvmi_program *prog, const struct dvmi_state *st);
	void *final_arg;
	/* results, summed over calls */
	uint64_t states, steps;
	/* working memory, kept between calls */
	struct dvmi_visited visited;
	struct dvmi_state *stack;
	size_t depth, stack_capacity;
	int failed;
};

/* 0, what @final returned, -DVM_EBUDGET (a limit), -DVM_ENOMEM. */
int dvmi_explore(struct dvmi_explorer *ex, const struct dvmi_program *prog);
void dvmi_explorer_fini(struct dvmi_explorer *ex);

#endif
