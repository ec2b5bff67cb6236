/* SPDX-License-Identifier: MIT */
/*
 * Two things a TLB must not hold together: entries of two address spaces under one ASID, and two
 * translations of one page of which the second should have come by break-before-make.
 */
#include "check/machine_step.h"

/* ---- a second mm ---- */

uint16_t dvmi_walk_desc(const struct dvmi_program *prog, const struct dvmi_ev *walk, unsigned page)
{
	return (uint16_t)(walk->mm && prog->twin[page] ? prog->twin[page] - 1u : page);
}

uint16_t dvmi_page_of_desc(const struct dvmi_program *prog, uint16_t loc)
{
	return (uint16_t)(loc < DVMI_PAGES_MAX && prog->home[loc] ? prog->home[loc] - 1u : loc);
}

uint16_t dvmi_other_desc(const struct dvmi_program *prog, uint16_t loc)
{
	if (loc < DVMI_PAGES_MAX && prog->home[loc])
		return (uint16_t)(prog->home[loc] - 1u);
	if (loc < DVMI_PAGES_MAX && prog->twin[loc])
		return (uint16_t)(prog->twin[loc] - 1u);
	return DVMI_LOC_NONE;
}

unsigned dvmi_lefts_of(const struct dvmi_program *prog, unsigned pe, unsigned ev)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	unsigned set = 0;

	for (unsigned l = 0; l < prog->lefts; l++)
		if (prog->left[l].pe == pe && prog->left[l].at <= ev &&
		    prog->left[l].asid == e->asid && prog->left[l].mm != e->mm)
			set |= 1u << l;
	return set;
}

bool dvmi_left_allowed(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned l,
		       uint8_t src, uint16_t loc)
{
	const struct dvmi_left *left = &prog->left[l];

	for (unsigned t = 0; t < prog->tlbis; t++)
		if (dvmi_tlbi_complete(prog, st, t) &&
		    dvmi_tlbi_hits(prog, st, t, left->pe, loc, left->asid) &&
		    ((st->shut[t] >> l & 1) ||
		     dvmi_overwritten(prog, st, src, loc, st->snap[t], DVMI_NONE)))
			return false;
	return true;
}

uint8_t dvmi_shut_now(const struct dvmi_program *prog, const struct dvmi_state *st)
{
	unsigned set = 0;

	for (unsigned l = 0; l < prog->lefts; l++)
		if (prog->left[l].until != DVMI_NONE &&
		    (st->done[prog->left[l].pe] >> prog->left[l].until & 1))
			set |= 1u << l;
	return (uint8_t)set;
}

/* ---- break-before-make ---- */

static bool cacheable(uint64_t desc)
{
	return (desc & DVMI_DESC_VALID) && (desc & DVMI_DESC_AF);
}

/* Do the physical pages that two descriptors point to hold the same? */
static bool same_contents(const struct dvmi_program *prog, const struct dvmi_state *st, uint64_t a,
			  uint64_t b)
{
	uint16_t x = dvmi_loc_of(a & DVMI_DESC_OA_MASK, prog->pages);
	uint16_t y = dvmi_loc_of(b & DVMI_DESC_OA_MASK, prog->pages);

	if (x == DVMI_LOC_NONE || y == DVMI_LOC_NONE)
		return false;
	for (unsigned i = 0; i < DVMI_CELLS; i++)
		if (dvmi_state_memory(prog, st, (uint16_t)(x + i)) !=
		    dvmi_state_memory(prog, st, (uint16_t)(y + i)))
			return false;
	return true;
}

/*
 * aarch64bbm.cat: another memory type, shareability or cacheability (attributes are one field here);
 * another output address if one of the two is writable or the contents differ.
 */
static bool needs_break(const struct dvmi_program *prog, const struct dvmi_state *st, uint64_t a,
			uint64_t b)
{
	if ((a ^ b) & DVMI_DESC_ATTR_MASK)
		return true;
	if (!((a ^ b) & DVMI_DESC_OA_MASK))
		return false;
	return !(a & b & DVMI_DESC_RDONLY) || !same_contents(prog, st, a, b);
}

bool dvmi_clashes(const struct dvmi_program *prog, const struct dvmi_state *st, uint16_t loc,
		  uint64_t value)
{
	uint64_t now = dvmi_state_memory(prog, st, loc);

	return cacheable(value) && cacheable(now) && needs_break(prog, st, value, now);
}
