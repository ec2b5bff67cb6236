/* SPDX-License-Identifier: MIT */
/* The machine: TLB maintenance, what it removes and when it is complete. */
#include "check/machine_step.h"

static bool tlbi_matches(uint8_t what, uint8_t range, uint64_t operand, uint16_t loc, uint16_t asid)
{
	uint64_t vpn = DVMI_VA_BASE / DVMI_PAGE_BYTES + loc, first, pages = 1;

	if (what == DVMI_TLBI_ALL)
		return true;
	if (what == DVMI_TLBI_ASID)
		return operand >> 48 == asid;
	if (what == DVMI_TLBI_VA && operand >> 48 != asid)
		return false;
	/* herd also takes the address itself, not shifted: no page number is that large. */
	if (!range && dvmi_is_va(operand, DVMI_PAGES_MAX))
		return operand / DVMI_PAGE_BYTES == vpn;
	if (range) {
		/* Arm ARM C5.5: BaseADDR, NUM [43:39], SCALE [45:44], 4 KB granule. */
		first = operand & UINT64_C(0x1fffffffff);
		pages = ((operand >> 39 & 0x1f) + 1) << (5 * (operand >> 44 & 3) + 1);
	} else {
		first = operand & UINT64_C(0xfffffffffff);
	}
	return vpn >= first && vpn - first < pages;
}

/*
 * Last-level forms leave table entries (Tables= in a test). A level hint, TTL in bits [47:44] of
 * the operand ([38:37] of a range: the level alone; 0: none), is a promise: an entry of another
 * level need not go.
 */
static bool level_matches(const struct dvmi_program *prog, const struct dvmi_ev *e,
			  uint64_t operand, uint16_t page)
{
	bool table = prog->tables >> page & 1;
	uint64_t hint = e->range ? operand >> 37 & 3 : operand >> 44 & 15;

	if ((e->what != DVMI_TLBI_VA && e->what != DVMI_TLBI_VAA) ||
	    !dvmi_on(prog, DVMI_R_TLBI_LEVEL))
		return true;
	if (table)
		return !e->leaf && !hint;
	return !hint || (hint & 3) == 3;
}

/*
 * FEAT_TLBID: broadcasts by ASID and of all have a domain number in bits [15:0] of the operand. 0, which
 * software that knows of no domains leaves there, is everybody. (Where exactly the field is, and what
 * other values mean, is not public: docs/checker.md.)
 */
static bool in_domain(const struct dvmi_program *prog, const struct dvmi_ev *e, uint64_t operand,
		      unsigned pe)
{
	unsigned domain = operand & 0xffff;

	if (!prog->tlbid || !domain || e->domain == DVMI_DOMAIN_NSH)
		return true;
	return (e->what != DVMI_TLBI_ALL && e->what != DVMI_TLBI_ASID) ||
	       prog->tlbi_domain[pe] == domain;
}

bool dvmi_tlbi_hits(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t,
		    unsigned pe, uint16_t loc, uint16_t asid)
{
	const struct dvmi_ev *e = &prog->pe[prog->tlbi[t].pe].ev[prog->tlbi[t].ev];
	uint64_t operand = 0;

	if (loc == DVMI_LOC_NONE)
		return false;
	if (e->domain == DVMI_DOMAIN_NSH && pe != prog->tlbi[t].pe &&
	    dvmi_on(prog, DVMI_R_TLBI_LOCAL))
		return false;
	if (!dvmi_on(prog, DVMI_R_TLBI_MATCH) && !prog->tlbid)
		return true;
	if (e->addr != DVMI_NO_NODE && !dvmi_eval(prog, st, e->addr, &operand))
		return false;
	if (!in_domain(prog, e, operand, pe))
		return false;
	if (!dvmi_on(prog, DVMI_R_TLBI_MATCH))
		return true;
	return tlbi_matches(e->what, e->range, operand, dvmi_page_of_desc(prog, loc), asid) &&
	       level_matches(prog, e, operand, loc);
}

bool dvmi_tlbi_complete(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t)
{
	unsigned pe = prog->tlbi[t].pe;

	return dvmi_on(prog, DVMI_R_TLBI) && dvmi_done(st, pe, prog->tlbi[t].ev) &&
	       (st->done[pe] & prog->completed_by[t]) != 0;
}

/* Did walk @w return an entry of an address space that its PE has left? */
static bool of_left(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned w)
{
	const struct dvmi_ref *r = &prog->walk[w];
	uint16_t loc = st->tloc[w];

	return loc != dvmi_walk_desc(prog, &prog->pe[r->pe].ev[r->ev], dvmi_page_of_desc(prog, loc));
}

/* Did walk @w return something that TLBI @t removes: overwritten before @t was executed? */
static bool stale_for(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned w,
		      unsigned t)
{
	const struct dvmi_ref *r = &prog->walk[w];

	if (!dvmi_done(st, r->pe, r->ev) || st->tloc[w] == DVMI_LOC_NONE)
		return false;
	if (!dvmi_tlbi_hits(prog, st, t, r->pe, st->tloc[w], prog->pe[r->pe].ev[r->ev].asid))
		return false;
	if (dvmi_overwritten(prog, st, st->tsrc[w], st->tloc[w], st->snap[t], DVMI_NONE))
		return true;
	/* Entries of an mm that was left do not come back. */
	return prog->lefts && of_left(prog, st, w) &&
	       !(dvmi_lefts_of(prog, r->pe, r->ev) & ~(unsigned)st->shut[t]);
}

/* TLBI-coherence-after: may a walk of @pe still return @src of @loc? */
bool dvmi_walk_allowed(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		       uint8_t src, uint16_t loc, uint16_t asid)
{
	for (unsigned t = 0; t < prog->tlbis; t++)
		if (dvmi_tlbi_complete(prog, st, t) && dvmi_tlbi_hits(prog, st, t, pe, loc, asid) &&
		    dvmi_overwritten(prog, st, src, loc, st->snap[t], DVMI_NONE))
			return false;
	return true;
}

/* Both walks are for accesses that go ahead, to the same virtual address. */
static bool same_va(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned a, unsigned b)
{
	const struct dvmi_ev *x = &prog->pe[pe].ev[a], *y = &prog->pe[pe].ev[b];
	uint64_t va, vb;

	return x->kind == DVMI_EV_WALK && y->kind == DVMI_EV_WALK && x->outcome == DVMI_OUT_OK &&
	       y->outcome == DVMI_OUT_OK && dvmi_eval(prog, st, x->addr, &va) &&
	       dvmi_eval(prog, st, y->addr, &vb) && va == vb;
}

bool dvmi_walk_late(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned ev)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	for (unsigned l = ev + 1; l < p->events && dvmi_on(prog, DVMI_R_TLBI_SAME_VA); l++) {
		if (!dvmi_done(st, pe, l) || !same_va(prog, st, pe, ev, l))
			continue;
		for (unsigned t = 0; t < prog->tlbis; t++)
			if (prog->tlbi[t].pe != pe && dvmi_tlbi_complete(prog, st, t) &&
			    stale_for(prog, st, p->ev[l].id, t))
				return true;
	}
	return false;
}

#define KINDS(a, b) (1u << (a) | 1u << (b))

/* Is what the walk at @ev was for done, as far as it is of one of these kinds? */
static bool used_up(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned ev, unsigned kinds)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	for (unsigned l = ev + 1; l < p->events && p->ev[l].insn == p->ev[ev].insn; l++)
		if ((kinds >> p->ev[l].kind & 1) && !dvmi_done(st, pe, l))
			return false;
	return true;
}

static bool same_va_pending(const struct dvmi_program *prog, const struct dvmi_state *st,
			    unsigned pe, unsigned ev)
{
	for (unsigned l = 0; l < ev && dvmi_on(prog, DVMI_R_TLBI_SAME_VA); l++)
		if (!dvmi_done(st, pe, l) && same_va(prog, st, pe, l, ev))
			return true;
	return false;
}

bool dvmi_tlbi_drained(const struct dvmi_program *prog, const struct dvmi_state *st,
		       const struct dvmi_ev *dsb, unsigned t)
{
	bool writes = dvmi_on(prog, DVMI_R_TLBI_DRAIN_WRITE) || (dsb->repeats >> t & 1);
	unsigned kinds = KINDS(DVMI_EV_READ, DVMI_EV_FAULT);

	if (!dvmi_done(st, prog->tlbi[t].pe, prog->tlbi[t].ev))
		return true;
	if (dvmi_tlbi_complete(prog, st, t)) {
		if (!(dsb->repeats >> t & 1) || dvmi_on(prog, DVMI_R_TLBI_DRAIN_WRITE))
			return true;
		kinds = 0;
	}
	if (writes)
		kinds |= 1u << DVMI_EV_WRITE;
	for (unsigned w = 0; w < prog->walks; w++) {
		const struct dvmi_ref *r = &prog->walk[w];

		if (r->pe == prog->tlbi[t].pe || !stale_for(prog, st, w, t))
			continue;
		if (dvmi_on(prog, DVMI_R_TLBI_DRAIN) && !used_up(prog, st, r->pe, r->ev, kinds))
			return false;
		if (!dvmi_tlbi_complete(prog, st, t) && same_va_pending(prog, st, r->pe, r->ev))
			return false;
	}
	return true;
}
