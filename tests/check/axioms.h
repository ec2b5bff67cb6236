/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_AXIOMS_H
#define DVMSIM_TESTS_AXIOMS_H

#include "check/litmus.h"
#include "check/machine.h"

/*
 * Slow and plain next to fast: the machine's programs judged the axiomatic way. Every choice of who
 * reads whom, of coherence, and of each walk before or after each TLBI is tried, and kept when
 * Ordered-before has no cycle and the internal axioms hold, relation by relation as Arm's cat
 * model states them. The machine must find exactly the same executions' values. Only the order
 * that barriers and dependencies give (rules.c) is shared. Nothing in it is made to be fast but
 * that a read's source must be a write that may touch its location.
 */
enum { AXIOMS_EVENTS_MAX = 64 };

/* What executions show, each once. */
struct axioms_found {
	char **text;
	size_t count;
	uint64_t tried; /* candidates */
};

void axioms_remember(struct axioms_found *f, const char *text);
void axioms_sort(struct axioms_found *f);
void axioms_free(struct axioms_found *f);
/* What an execution shows: every value read, and memory at the end. */
void axioms_describe(const struct dvmi_program *prog, const uint64_t *rval, const uint64_t *mem,
		     char *text, size_t size);

unsigned axioms_events(const struct dvmi_program *prog);
/* How many candidates there are at most. */
double axioms_cost(const struct dvmi_program *prog);
/* All executions of a program of at most AXIOMS_EVENTS_MAX events. */
void axioms_enumerate(const struct dvmi_program *prog, struct axioms_found *found);

/* The program of each combination of ways that @test can go and that does not contradict itself. */
typedef void axioms_way_fn(void *arg, const struct dvmi_program *prog);
int axioms_each_way(const struct dvm_litmus *test, int ets2, axioms_way_fn *way, void *arg);

#endif
