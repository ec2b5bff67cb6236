/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SHORTEST_H
#define DVMI_CHECK_SHORTEST_H

#include "check/machine.h"

/* One step of an execution: event @ev of @pe happens, in the @way-th of the ways it can. */
struct dvmi_way_step {
	uint8_t pe, ev, way;
};

#define DVMI_WAY_MAX ((unsigned)DVMI_PES_MAX * DVMI_EVENTS_MAX)

/* An execution from the initial state: @bad steps to the state asked for, the rest to the end. */
struct dvmi_way {
	unsigned length, bad;
	struct dvmi_way_step step[DVMI_WAY_MAX];
};

struct dvmi_shortest {
	uint64_t need[DVMI_PES_MAX]; /* events that must have happened for @bad to be known */
	/* is this state, in which they have, one that is looked for? */
	bool (*bad)(void *arg, const struct dvmi_state *st);
	void *arg;
	bool go_on; /* a known state that is not bad may become bad */
	unsigned at_most;    /* steps to it; longer ways are not looked for */
	uint64_t max_states; /* 0: no limit */
	size_t max_memory_bytes;
	int (*stop)(void *arg);
	void *stop_arg;
	uint64_t states; /* out: explored */
};

/* The least number of steps a way to such a state can have. Closes need[] under what comes before. */
unsigned dvmi_shortest_bound(const struct dvmi_program *prog, uint64_t *need);

/*
 * The shortest way to a state that is looked for and from which the execution can go on to its
 * end. No reduction on the way there. Among equally short ways always the same one.
 * 1: found; 0: none within at_most; -DVM_EBUDGET, -DVM_ENOMEM.
 */
int dvmi_shortest(const struct dvmi_program *prog, struct dvmi_shortest *s, struct dvmi_way *way);

/* The state after @steps steps; false when one of them can not happen. */
bool dvmi_way_replay(const struct dvmi_program *prog, const struct dvmi_way_step *step,
		     unsigned steps, struct dvmi_state *st);

#endif
