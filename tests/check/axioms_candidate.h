/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_AXIOMS_CANDIDATE_H
#define DVMSIM_TESTS_AXIOMS_CANDIDATE_H

#include "axioms.h"

/* One candidate execution: who reads whom, and the order of writes. */
struct axioms {
	const struct dvmi_program *prog;
	unsigned first[DVMI_PES_MAX], n; /* events of all PEs in one numbering */
	struct dvmi_state st;		 /* values of the candidate */
	uint8_t rsrc[DVMI_READS_MAX], tsrc[DVMI_WALKS_MAX];
	uint16_t loc[AXIOMS_EVENTS_MAX]; /* of explicit accesses and walks */
	uint8_t co[DVMI_WRITES_MAX], place[DVMI_WRITES_MAX];
	uint64_t base[AXIOMS_EVENTS_MAX], ob[AXIOMS_EVENTS_MAX];
	struct axioms_found found;
};

static inline const struct dvmi_ev *event_of(const struct axioms *x, unsigned e, unsigned *pe)
{
	*pe = 0;
	while (*pe + 1 < x->prog->pes && e >= x->first[*pe + 1])
		(*pe)++;
	return &x->prog->pe[*pe].ev[e - x->first[*pe]];
}

static inline unsigned at(const struct axioms *x, struct dvmi_ref r)
{
	return x->first[r.pe] + r.ev;
}

static inline void edge(uint64_t *ob, unsigned a, unsigned b)
{
	ob[a] |= UINT64_C(1) << b;
}

/* ---- axioms_judge.c ---- */
/* Follow values from sources to reads until nothing is open; false: values in a circle. */
bool axioms_solve(struct axioms *x);
/* Are values and locations what the ways and the sources say? */
bool axioms_consistent_values(struct axioms *x);
/* The value of write @src, or the initial one of @loc; false: not known yet. */
bool axioms_source_value(struct axioms *x, uint8_t src, uint16_t loc, uint64_t *v);
/* Fill ob; false: an internal axiom fails. */
bool axioms_relations(struct axioms *x);
bool axioms_atomics(const struct axioms *x);
/* Is there an order of walks and TLBIs, from @pair on, in which @ob has no cycle? */
bool axioms_tlbi_choices(struct axioms *x, const uint64_t *ob, unsigned pair);

#endif
