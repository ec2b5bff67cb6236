/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_MACHINE_STEP_H
#define DVMI_CHECK_MACHINE_STEP_H

#include "check/machine.h"

/* What the files with the machine's transitions share: questions about a state, and the steps. */

static inline bool dvmi_on(const struct dvmi_program *prog, enum dvmi_rule rule)
{
	return dvmi_rule_on(&prog->rules, rule);
}

static inline bool dvmi_done(const struct dvmi_state *st, unsigned pe, unsigned ev)
{
	return st->done[pe] >> ev & 1;
}

static inline bool dvmi_write_done(const struct dvmi_program *prog, const struct dvmi_state *st,
				   unsigned w)
{
	return dvmi_done(st, prog->write[w].pe, prog->write[w].ev);
}

/* The newest write to @loc that memory took, or DVMI_INIT. */
static inline uint8_t dvmi_newest(const struct dvmi_state *st, uint16_t loc)
{
	for (unsigned i = st->order_len; i-- > 0;)
		if (st->wloc[st->order[i]] == loc)
			return st->order[i];
	return DVMI_INIT;
}

/* A write of another PE than @pe, or of a table walker, which is no part of any PE's program. */
static inline bool dvmi_foreign(const struct dvmi_program *prog, unsigned w, unsigned pe)
{
	const struct dvmi_ref *r = &prog->write[w];

	return prog->pe[r->pe].ev[r->ev].walker || r->pe != pe;
}

static inline bool dvmi_explicit(const struct dvmi_ev *e)
{
	return (e->kind == DVMI_EV_READ || e->kind == DVMI_EV_WRITE) && !e->walker;
}

static inline uint64_t dvmi_cut(uint64_t v, unsigned width)
{
	return width == 4 ? v & UINT32_MAX : v;
}

static inline void dvmi_finish(struct dvmi_state *next, unsigned pe, unsigned ev)
{
	next->done[pe] |= UINT64_C(1) << ev;
}

/* ---- machine.c ---- */

/* Was a write to @loc taken after @src, before place @end of the order, by another PE than @but? */
bool dvmi_overwritten(const struct dvmi_program *prog, const struct dvmi_state *st, uint8_t src,
		      uint16_t loc, unsigned end, unsigned but);
/* Address of an access once translated; false while that is not known. */
bool dvmi_access_loc(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		     const struct dvmi_ev *e, uint16_t *loc);

/* ---- machine_tlb.c ---- */

bool dvmi_tlbi_complete(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t);
/*
 * A walk that comes after completion of another PE's TLBI, though a later access to the same
 * address used what that TLBI removed (TLBI-ob, the clause on the same address).
 */
bool dvmi_walk_late(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned ev);
/*
 * TLBI-ob: what must have happened elsewhere before DSB @dsb completes TLBI @t. With the erratum
 * (tlbi-drain-write off) writes are left to a DSB that completes a later broadcast TLBI as well.
 */
bool dvmi_tlbi_drained(const struct dvmi_program *prog, const struct dvmi_state *st,
		       const struct dvmi_ev *dsb, unsigned t);

/* ---- the ways an event can happen: as dvmi_step() ---- */

/* machine_walk.c */
unsigned dvmi_step_walk(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			unsigned ev, dvmi_emit_fn *emit, void *arg);
/* machine_access.c; an update is the table walker's write of a descriptor */
unsigned dvmi_step_read(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			unsigned ev, dvmi_emit_fn *emit, void *arg);
unsigned dvmi_step_update(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			  unsigned ev, dvmi_emit_fn *emit, void *arg);
unsigned dvmi_step_write(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			 unsigned ev, dvmi_emit_fn *emit, void *arg);

#endif
