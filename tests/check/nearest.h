/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CHECK_NEAREST_H
#define TESTS_CHECK_NEAREST_H

#include "base/mem.h"
#include "check/witness.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The shortest way to a stale use, by breadth: shares only the machine's transitions. */

struct level {
	struct dvmi_state *st;
	size_t count, capacity;
};

static inline void keep(void *arg, const struct dvmi_state *st)
{
	struct level *l = arg;

	ck_assert_int_eq(dvmi_grow((void **)&l->st, &l->capacity, l->count + 1, sizeof(*l->st)), 0);
	l->st[l->count++] = *st;
}

static inline int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct dvmi_state));
}

static inline void unique(struct level *l)
{
	size_t kept = 0;

	if (l->count)
		qsort(l->st, l->count, sizeof(*l->st), by_bytes);
	for (size_t i = 0; i < l->count; i++)
		if (!kept || by_bytes(&l->st[kept - 1], &l->st[i]) != 0)
			l->st[kept++] = l->st[i];
	l->count = kept;
}

static inline void successors(const struct dvmi_program *prog, const struct dvmi_state *st,
		       struct level *next)
{
	for (unsigned p = 0; p < prog->pes; p++)
		for (unsigned e = 0; e < prog->pe[p].events; e++)
			(void)dvmi_step(prog, st, p, e, keep, next);
}

static inline bool can_end(const struct dvmi_program *prog, const struct dvmi_state *st)
{
	struct level next = {NULL, 0, 0};
	bool end = dvmi_state_final(prog, st);

	if (!end)
		successors(prog, st, &next);
	for (size_t i = 0; i < next.count && !end; i++)
		end = can_end(prog, &next.st[i]);
	dvmi_free(next.st);
	return end;
}

static inline bool decided(const struct dvmi_program *prog, const struct dvmi_state *st,
		    const uint64_t *need)
{
	for (unsigned p = 0; p < prog->pes; p++)
		if (need[p] & ~st->done[p])
			return false;
	return true;
}

/* The least number of steps, fewer than @below, after which the condition is shown; or @below. */
static inline unsigned nearest(struct dvm_witness *w, const uint64_t *need, unsigned rule,
			       unsigned below)
{
	const struct dvmi_run *r = &w->run;
	struct level now = {NULL, 0, 0}, next = {NULL, 0, 0}, swap;
	struct dvmi_state st;
	unsigned found = below;

	dvmi_state_init(r->prog, &st);
	keep(&now, &st);
	for (unsigned depth = 0; depth < found && now.count; depth++) {
		for (size_t i = 0; i < now.count && found == below; i++)
			if (decided(r->prog, &now.st[i], need) &&
			    dvmi_witness_wanted(r, &now.st[i]) &&
			    (!rule || (dvmi_witness_broken(w, &now.st[i]) >> rule & 1)) &&
			    can_end(r->prog, &now.st[i]))
				found = depth;
		next.count = 0;
		for (size_t i = 0; i < now.count && found == below; i++)
			successors(r->prog, &now.st[i], &next);
		unique(&next);
		swap = now;
		now = next;
		next = swap;
	}
	dvmi_free(now.st);
	dvmi_free(next.st);
	return found;
}

static inline unsigned nearest_of_all(const struct dvm_litmus *test,
				      const struct dvmi_origins *origins,
				      const struct dvm_check_options *o, unsigned rule,
				      unsigned below)
{
	struct dvm_witness *w = dvmi_zalloc(sizeof(*w));
	struct dvmi_run *r = &w->run;
	bool more;

	w->test = test;
	w->origins = origins;
	ck_assert_int_eq(dvmi_run_open(r, test, o, NULL), 0);
	for (more = dvmi_run_first(r, w->choice); more; more = dvmi_run_next(r, w->choice)) {
		uint64_t need[DVMI_PES_MAX];

		if (dvmi_run_build(r, w->choice))
			continue;
		(void)dvmi_witness_needed(r, need);
		below = nearest(w, need, rule, below);
	}
	dvm_witness_free(w);
	return below;
}

#endif
