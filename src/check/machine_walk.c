/* SPDX-License-Identifier: MIT */
/* The machine: what a descriptor gives, and what a walk can return. */
#include "check/machine_step.h"

enum dvmi_outcome dvmi_outcome_of(uint64_t desc, unsigned flags)
{
	if (!(desc & DVMI_DESC_VALID))
		return DVMI_OUT_TRANSLATION;
	if (!(desc & DVMI_DESC_AF))
		return DVMI_OUT_ACCESS_FLAG;
	if (((flags & DVMI_F_WRITES) && (desc & DVMI_DESC_RDONLY)) ||
	    ((flags & DVMI_F_EL0) && !(desc & DVMI_DESC_EL0)))
		return DVMI_OUT_PERMISSION;
	return DVMI_OUT_OK;
}

enum dvmi_outcome dvmi_untranslated(uint64_t a, unsigned pages, bool el0)
{
	return el0 && dvmi_loc_of(a, pages) < DVMI_PAGES_MAX ? DVMI_OUT_PERMISSION : DVMI_OUT_OK;
}

uint64_t dvmi_hw_updated(uint64_t desc, unsigned flags, unsigned hw)
{
	if (!(hw & DVMI_HW_AF) || !(desc & DVMI_DESC_VALID))
		return desc;
	if ((flags & DVMI_F_WRITES) && (hw & DVMI_HW_DIRTY) && (desc & DVMI_DESC_DBM))
		desc &= ~DVMI_DESC_RDONLY;
	return desc | DVMI_DESC_AF;
}

bool dvmi_walk_fits(uint64_t desc, const struct dvmi_ev *e)
{
	uint64_t then = dvmi_hw_updated(desc, e->flags, e->hw);
	enum dvmi_outcome outcome = dvmi_outcome_of(then, e->flags);

	if (outcome != e->outcome)
		return false;
	return outcome != DVMI_OUT_OK || (then != desc) == ((e->hw & DVMI_HW_UPDATE) != 0);
}

struct walk_try {
	const struct dvmi_program *prog;
	const struct dvmi_state *st;
	struct dvmi_state next;
	unsigned pe, ev;
	uint16_t loc;
	dvmi_emit_fn *emit;
	void *arg;
	unsigned count;
	unsigned seen;
	uint64_t values[DVMI_WRITES_MAX + 1];
};

/* One candidate; an older one with the same value gives nothing that the newer does not. */
static void walk_takes(struct walk_try *try, uint8_t src, uint64_t value)
{
	const struct dvmi_ev *e = &try->prog->pe[try->pe].ev[try->ev];

	for (unsigned i = 0; i < try->seen; i++)
		if (try->values[i] == value)
			return;
	try->values[try->seen++] = value;
	try->next = *try->st;
	dvmi_finish(&try->next, try->pe, try->ev);
	try->next.tsrc[e->id] = src;
	try->next.tloc[e->id] = try->loc;
	try->next.tval[e->id] = value;
	if ((try->prog->watch >> try->loc & 1) &&
	    dvmi_clashes(try->prog, try->st, try->loc, value))
		try->next.clash |= UINT32_C(1) << try->loc;
	try->count++;
	try->emit(try->arg, &try->next);
}

static void walk_candidate(struct walk_try *try, uint8_t src, uint64_t value)
{
	const struct dvmi_ev *e = &try->prog->pe[try->pe].ev[try->ev];

	if (dvmi_walk_fits(value, e) &&
	    dvmi_walk_allowed(try->prog, try->st, try->pe, src, try->loc, e->asid))
		walk_takes(try, src, value);
}

/* Entries that mms before this one on the PE have left in the TLB under its ASID. */
static void walk_lefts(struct walk_try *try)
{
	const struct dvmi_program *prog = try->prog;
	const struct dvmi_state *st = try->st;
	const struct dvmi_ev *e = &prog->pe[try->pe].ev[try->ev];
	unsigned lefts = dvmi_lefts_of(prog, try->pe, try->ev);
	uint16_t loc = dvmi_other_desc(prog, try->loc);

	if (!lefts || loc == DVMI_LOC_NONE || (e->hw & DVMI_HW_UPDATE))
		return;
	try->loc = loc;
	try->seen = 0;
	for (unsigned i = st->order_len + 1; i-- > 0;) {
		uint8_t src = i ? st->order[i - 1] : DVMI_INIT;
		uint64_t v = i ? st->wval[src] : prog->init[loc];
		bool may = false;

		if ((i && st->wloc[src] != loc) || !(v & DVMI_DESC_VALID) ||
		    !(v & DVMI_DESC_AF) || !dvmi_walk_fits(v, e))
			continue;
		for (unsigned l = 0; l < prog->lefts; l++)
			may |= (lefts >> l & 1) && dvmi_left_allowed(prog, st, l, src, loc);
		if (may)
			walk_takes(try, src, v);
	}
}

/* With walk-memory off: own stores on their way are visible to walks. */
static void walk_forwards(struct walk_try *try)
{
	const struct dvmi_pe *p = &try->prog->pe[try->pe];
	uint64_t v;
	uint16_t loc;

	for (unsigned l = try->ev; l-- > 0;)
		if (p->ev[l].kind == DVMI_EV_WRITE && !p->ev[l].walker &&
		    !dvmi_done(try->st, try->pe, l) &&
		    dvmi_access_loc(try->prog, try->st, try->pe, &p->ev[l], &loc) &&
		    loc == try->loc && dvmi_eval(try->prog, try->st, p->ev[l].data, &v))
			walk_candidate(try, p->ev[l].id, v);
}

static unsigned step_walk(struct walk_try *try)
{
	const struct dvmi_program *prog = try->prog;
	const struct dvmi_state *st = try->st;
	const struct dvmi_ev *e = &prog->pe[try->pe].ev[try->ev];
	bool uncacheable = e->outcome == DVMI_OUT_TRANSLATION || e->outcome == DVMI_OUT_ACCESS_FLAG;
	bool newest_only = (uncacheable && dvmi_on(prog, DVMI_R_WALK_FRESH)) ||
			   /* Anything older could not be updated any more. */
			   ((e->hw & DVMI_HW_UPDATE) && dvmi_on(prog, DVMI_R_HW_ATOMIC));
	uint64_t va;

	if (!dvmi_eval(prog, st, e->addr, &va))
		return 0;
	if (!dvmi_is_va(va, prog->pages)) {
		if (e->outcome !=
			    dvmi_untranslated(va, prog->pages, (e->flags & DVMI_F_EL0) != 0) ||
		    (e->hw & DVMI_HW_UPDATE))
			return 0;
		try->next = *st;
		dvmi_finish(&try->next, try->pe, try->ev);
		try->next.tloc[e->id] = DVMI_LOC_NONE;
		try->emit(try->arg, &try->next);
		return 1;
	}
	try->loc = dvmi_walk_desc(prog, e, dvmi_va_page(va));
	if (dvmi_walk_late(prog, st, try->pe, try->ev))
		return 0;
	if (!dvmi_on(prog, DVMI_R_WALK_MEMORY))
		walk_forwards(try);
	for (unsigned i = st->order_len + 1; i-- > 0;) {
		uint8_t src = i ? st->order[i - 1] : DVMI_INIT;

		if (i && st->wloc[src] != try->loc)
			continue;
		walk_candidate(try, src, i ? st->wval[src] : prog->init[try->loc]);
		if (!dvmi_on(prog, DVMI_R_STALE) || newest_only)
			break;
	}
	if (prog->lefts && dvmi_on(prog, DVMI_R_STALE))
		walk_lefts(try);
	return try->count;
}

unsigned dvmi_step_walk(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	struct walk_try try;

	try.prog = prog;
	try.st = st;
	try.pe = pe;
	try.ev = ev;
	try.emit = emit;
	try.arg = arg;
	try.count = try.seen = 0;
	return step_walk(&try);
}
