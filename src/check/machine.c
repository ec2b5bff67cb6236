/* SPDX-License-Identifier: MIT */
#include "check/machine.h"

#include <string.h>

static bool on(const struct dvmi_program *prog, enum dvmi_rule rule)
{
	return dvmi_rule_on(&prog->rules, rule);
}

static bool done(const struct dvmi_state *st, unsigned pe, unsigned ev)
{
	return st->done[pe] >> ev & 1;
}

static bool write_done(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned w)
{
	return done(st, prog->write[w].pe, prog->write[w].ev);
}

void dvmi_state_init(const struct dvmi_program *prog, struct dvmi_state *st)
{
	(void)prog;
	memset(st, 0, sizeof(*st));
}

bool dvmi_state_final(const struct dvmi_program *prog, const struct dvmi_state *st)
{
	for (unsigned p = 0; p < prog->pes; p++) {
		unsigned n = prog->pe[p].events;
		uint64_t all = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;

		if (st->done[p] != all)
			return false;
	}
	return true;
}

/* The newest write to @loc that memory took, or DVMI_INIT. */
static uint8_t newest(const struct dvmi_state *st, uint16_t loc)
{
	for (unsigned i = st->order_len; i-- > 0;)
		if (st->wloc[st->order[i]] == loc)
			return st->order[i];
	return DVMI_INIT;
}

uint64_t dvmi_state_memory(const struct dvmi_program *prog, const struct dvmi_state *st,
			   uint16_t loc)
{
	uint8_t w = newest(st, loc);

	return w == DVMI_INIT ? prog->init[loc] : st->wval[w];
}

/* A write of another PE than @pe, or of a table walker, which is no part of any PE's program. */
static bool foreign(const struct dvmi_program *prog, unsigned w, unsigned pe)
{
	const struct dvmi_ref *r = &prog->write[w];

	return prog->pe[r->pe].ev[r->ev].walker || r->pe != pe;
}

/* Was a write to @loc taken after @src, before place @end of the order, by another PE than @but? */
static bool overwritten(const struct dvmi_program *prog, const struct dvmi_state *st, uint8_t src,
			uint16_t loc, unsigned end, unsigned but)
{
	unsigned i = 0;

	if (src != DVMI_INIT) {
		if (!write_done(prog, st, src))
			return false;
		i = st->pos[src] + 1u;
	}
	for (; i < end; i++)
		if (st->wloc[st->order[i]] == loc && foreign(prog, st->order[i], but))
			return true;
	return false;
}

/* Address of an access once translated; false while that is not known. */
static bool access_loc(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		       const struct dvmi_ev *e, uint16_t *loc)
{
	const struct dvmi_ev *walk = e->pair == DVMI_NONE ? NULL : &prog->pe[pe].ev[e->pair];
	uint64_t a;

	if (!dvmi_eval(prog, st, e->addr, &a))
		return false;
	if (walk) {
		if (!done(st, pe, (unsigned)(walk - prog->pe[pe].ev)))
			return false;
		if (st->tloc[walk->id] != DVMI_LOC_NONE)
			a = (st->tval[walk->id] & DVMI_DESC_OA_MASK) | (a & (DVMI_PAGE_BYTES - 1));
	}
	*loc = dvmi_loc_of(a, prog->pages);
	return true;
}

static bool explicit(const struct dvmi_ev *e)
{
	return (e->kind == DVMI_EV_READ || e->kind == DVMI_EV_WRITE) && !e->walker;
}

static uint64_t cut(uint64_t v, unsigned width)
{
	return width == 4 ? v & UINT32_MAX : v;
}

static void finish(struct dvmi_state *next, unsigned pe, unsigned ev)
{
	next->done[pe] |= UINT64_C(1) << ev;
}

/* ---- TLB maintenance ---- */

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
 * Last-level forms leave table entries (Tables= in a test). A level hint, TTL in bits [47:44] of the
 * operand ([38:37] of a range: the level alone; 0: none), is a promise: an entry of another level
 * need not go.
 */
static bool level_matches(const struct dvmi_program *prog, const struct dvmi_ev *e, uint64_t operand,
			  uint16_t page)
{
	bool table = prog->tables >> page & 1;
	uint64_t hint = e->range ? operand >> 37 & 3 : operand >> 44 & 15;

	if ((e->what != DVMI_TLBI_VA && e->what != DVMI_TLBI_VAA) || !on(prog, DVMI_R_TLBI_LEVEL))
		return true;
	if (table)
		return !e->leaf && !hint;
	return !hint || (hint & 3) == 3;
}

bool dvmi_tlbi_hits(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t,
		    unsigned pe, uint16_t loc, uint16_t asid)
{
	const struct dvmi_ev *e = &prog->pe[prog->tlbi[t].pe].ev[prog->tlbi[t].ev];
	uint64_t operand = 0;

	if (loc == DVMI_LOC_NONE)
		return false;
	if (e->domain == DVMI_DOMAIN_NSH && pe != prog->tlbi[t].pe && on(prog, DVMI_R_TLBI_LOCAL))
		return false;
	if (!on(prog, DVMI_R_TLBI_MATCH))
		return true;
	if (e->addr != DVMI_NO_NODE && !dvmi_eval(prog, st, e->addr, &operand))
		return false;
	return tlbi_matches(e->what, e->range, operand, loc, asid) &&
	       level_matches(prog, e, operand, loc);
}

static bool tlbi_complete(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t)
{
	unsigned pe = prog->tlbi[t].pe;

	return on(prog, DVMI_R_TLBI) && done(st, pe, prog->tlbi[t].ev) &&
	       (st->done[pe] & prog->completed_by[t]) != 0;
}

/* Did walk @w return something that TLBI @t removes: overwritten before @t was executed? */
static bool stale_for(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned w,
		      unsigned t)
{
	const struct dvmi_ref *r = &prog->walk[w];

	if (!done(st, r->pe, r->ev) || st->tloc[w] == DVMI_LOC_NONE)
		return false;
	return dvmi_tlbi_hits(prog, st, t, r->pe, st->tloc[w], prog->pe[r->pe].ev[r->ev].asid) &&
	       overwritten(prog, st, st->tsrc[w], st->tloc[w], st->snap[t], DVMI_NONE);
}

/* TLBI-coherence-after: may a walk of @pe still return @src of @loc? */
bool dvmi_walk_allowed(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		       uint8_t src, uint16_t loc, uint16_t asid)
{
	for (unsigned t = 0; t < prog->tlbis; t++)
		if (tlbi_complete(prog, st, t) && dvmi_tlbi_hits(prog, st, t, pe, loc, asid) &&
		    overwritten(prog, st, src, loc, st->snap[t], DVMI_NONE))
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

/*
 * A walk that comes after completion of another PE's TLBI, though a later access to the same
 * address used what that TLBI removed (TLBI-ob, the clause on the same address).
 */
static bool same_va_late(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			 unsigned ev)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	for (unsigned l = ev + 1; l < p->events && on(prog, DVMI_R_TLBI_SAME_VA); l++) {
		if (!done(st, pe, l) || !same_va(prog, st, pe, ev, l))
			continue;
		for (unsigned t = 0; t < prog->tlbis; t++)
			if (prog->tlbi[t].pe != pe && tlbi_complete(prog, st, t) &&
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
		if ((kinds >> p->ev[l].kind & 1) && !done(st, pe, l))
			return false;
	return true;
}

static bool same_va_pending(const struct dvmi_program *prog, const struct dvmi_state *st,
			    unsigned pe, unsigned ev)
{
	for (unsigned l = 0; l < ev && on(prog, DVMI_R_TLBI_SAME_VA); l++)
		if (!done(st, pe, l) && same_va(prog, st, pe, l, ev))
			return true;
	return false;
}

/*
 * TLBI-ob: what must have happened elsewhere before DSB @dsb completes TLBI @t. With the erratum
 * (tlbi-drain-write off) writes are left to a DSB that completes a later broadcast TLBI as well.
 */
static bool drained(const struct dvmi_program *prog, const struct dvmi_state *st,
		    const struct dvmi_ev *dsb, unsigned t)
{
	bool writes = on(prog, DVMI_R_TLBI_DRAIN_WRITE) || (dsb->repeats >> t & 1);
	unsigned kinds = KINDS(DVMI_EV_READ, DVMI_EV_FAULT);

	if (!done(st, prog->tlbi[t].pe, prog->tlbi[t].ev))
		return true;
	if (tlbi_complete(prog, st, t)) {
		if (!(dsb->repeats >> t & 1) || on(prog, DVMI_R_TLBI_DRAIN_WRITE))
			return true;
		kinds = 0;
	}
	if (writes)
		kinds |= 1u << DVMI_EV_WRITE;
	for (unsigned w = 0; w < prog->walks; w++) {
		const struct dvmi_ref *r = &prog->walk[w];

		if (r->pe == prog->tlbi[t].pe || !stale_for(prog, st, w, t))
			continue;
		if (on(prog, DVMI_R_TLBI_DRAIN) && !used_up(prog, st, r->pe, r->ev, kinds))
			return false;
		if (!tlbi_complete(prog, st, t) && same_va_pending(prog, st, r->pe, r->ev))
			return false;
	}
	return true;
}

/* ---- walks ---- */

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
static void walk_candidate(struct walk_try *try, uint8_t src, uint64_t value)
{
	const struct dvmi_ev *e = &try->prog->pe[try->pe].ev[try->ev];

	if (!dvmi_walk_fits(value, e) ||
	    !dvmi_walk_allowed(try->prog, try->st, try->pe, src, try->loc, e->asid))
		return;
	for (unsigned i = 0; i < try->seen; i++)
		if (try->values[i] == value)
			return;
	try->values[try->seen++] = value;
	try->next = *try->st;
	finish(&try->next, try->pe, try->ev);
	try->next.tsrc[e->id] = src;
	try->next.tloc[e->id] = try->loc;
	try->next.tval[e->id] = value;
	try->count++;
	try->emit(try->arg, &try->next);
}

/* With walk-memory off: own stores on their way are visible to walks. */
static void walk_forwards(struct walk_try *try)
{
	const struct dvmi_pe *p = &try->prog->pe[try->pe];
	uint64_t v;
	uint16_t loc;

	for (unsigned l = try->ev; l-- > 0;)
		if (p->ev[l].kind == DVMI_EV_WRITE && !p->ev[l].walker &&
		    !done(try->st, try->pe, l) &&
		    access_loc(try->prog, try->st, try->pe, &p->ev[l], &loc) && loc == try->loc &&
		    dvmi_eval(try->prog, try->st, p->ev[l].data, &v))
			walk_candidate(try, p->ev[l].id, v);
}

static unsigned step_walk(struct walk_try *try)
{
	const struct dvmi_program *prog = try->prog;
	const struct dvmi_state *st = try->st;
	const struct dvmi_ev *e = &prog->pe[try->pe].ev[try->ev];
	bool uncacheable = e->outcome == DVMI_OUT_TRANSLATION || e->outcome == DVMI_OUT_ACCESS_FLAG;
	bool newest_only = (uncacheable && on(prog, DVMI_R_WALK_FRESH)) ||
			   /* Anything older could not be updated any more. */
			   ((e->hw & DVMI_HW_UPDATE) && on(prog, DVMI_R_HW_ATOMIC));
	uint64_t va;

	if (!dvmi_eval(prog, st, e->addr, &va))
		return 0;
	if (!dvmi_is_va(va, prog->pages)) {
		/* Descriptors and physical addresses are reached without translation. */
		if (e->outcome != DVMI_OUT_OK || (e->hw & DVMI_HW_UPDATE))
			return 0;
		try->next = *st;
		finish(&try->next, try->pe, try->ev);
		try->next.tloc[e->id] = DVMI_LOC_NONE;
		try->emit(try->arg, &try->next);
		return 1;
	}
	try->loc = (uint16_t)dvmi_va_page(va);
	if (same_va_late(prog, st, try->pe, try->ev))
		return 0;
	if (!on(prog, DVMI_R_WALK_MEMORY))
		walk_forwards(try);
	for (unsigned i = st->order_len + 1; i-- > 0;) {
		uint8_t src = i ? st->order[i - 1] : DVMI_INIT;

		if (i && st->wloc[src] != try->loc)
			continue;
		walk_candidate(try, src, i ? st->wval[src] : prog->init[try->loc]);
		if (!on(prog, DVMI_R_STALE) || newest_only)
			break;
	}
	return try->count;
}

/* ---- explicit accesses ---- */

/* The last write of this PE before @ev, in program order, known to be to @loc. */
static const struct dvmi_ev *own_write(const struct dvmi_program *prog, const struct dvmi_state *st,
				       unsigned pe, unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint16_t other;

	for (unsigned l = ev; l-- > 0;)
		if (p->ev[l].kind == DVMI_EV_WRITE && !p->ev[l].walker &&
		    access_loc(prog, st, pe, &p->ev[l], &other) && other == loc)
			return &p->ev[l];
	return NULL;
}

/* Would this read, coming after a later read of the same location, see an older write? */
static bool breaks_rr(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		      unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	for (unsigned l = ev + 1; l < p->events; l++) {
		const struct dvmi_ev *e = &p->ev[l];

		if (!explicit(e) || !done(st, pe, l))
			continue;
		if (e->kind == DVMI_EV_WRITE) {
			if (st->wloc[e->id] == loc && on(prog, DVMI_R_COHERENCE_WRITE))
				return true;
		} else if (st->rloc[e->id] == loc && on(prog, DVMI_R_COHERENCE_RR) &&
			   overwritten(prog, st, st->rsrc[e->id], loc, st->order_len, pe)) {
			return true;
		}
	}
	return false;
}

static bool checks_hold(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			unsigned ev)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint64_t v;

	for (unsigned c = 0; c < p->checks; c++) {
		const struct dvmi_check *k = &p->check[c];

		if (!(k->reads >> ev & 1) || (k->reads & ~st->done[pe]))
			continue;
		if (dvmi_eval(prog, st, k->node, &v) && (v != 0) != k->nonzero)
			return false;
	}
	return true;
}

static unsigned read_from(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			  unsigned ev, uint16_t loc, uint8_t src, uint64_t value,
			  dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	struct dvmi_state next = *st;

	finish(&next, pe, ev);
	next.rsrc[e->id] = src;
	next.rloc[e->id] = loc;
	next.rval[e->id] = cut(value, e->width);
	if (!checks_hold(prog, &next, pe, ev))
		return 0;
	emit(arg, &next);
	return 1;
}

static unsigned step_read(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			  unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev], *own;
	unsigned count = 0;
	uint64_t v;
	uint16_t loc;
	uint8_t src;

	if (!access_loc(prog, st, pe, e, &loc) || loc == DVMI_LOC_NONE ||
	    (!e->walker && breaks_rr(prog, st, pe, ev, loc)))
		return 0;
	own = e->walker ? NULL : own_write(prog, st, pe, ev, loc);
	if (own && !done(st, pe, (unsigned)(own - prog->pe[pe].ev))) {
		bool waits = (e->flags & (DVMI_F_ACQ | DVMI_F_ACQPC)) &&
			     (own->flags & DVMI_F_RMW) && on(prog, DVMI_R_RMW_FORWARD) &&
			     !done(st, pe, own->rmw);

		if (on(prog, DVMI_R_FORWARD) && !waits && dvmi_eval(prog, st, own->data, &v))
			count = read_from(prog, st, pe, ev, loc, own->id, v, emit, arg);
		if (on(prog, DVMI_R_COHERENCE_WR))
			return count;
	}
	src = newest(st, loc);
	v = src == DVMI_INIT ? prog->init[loc] : st->wval[src];
	return count + read_from(prog, st, pe, ev, loc, src, v, emit, arg);
}

/* lws, coWR: the accesses of this PE that the write at @ev has to respect. */
static bool write_in_order(const struct dvmi_program *prog, const struct dvmi_state *st,
			   unsigned pe, unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint16_t other;

	for (unsigned l = 0; l < ev && on(prog, DVMI_R_COHERENCE_WRITE); l++)
		if (explicit(&p->ev[l]) && !done(st, pe, l) &&
		    access_loc(prog, st, pe, &p->ev[l], &other) && other == loc)
			return false;
	for (unsigned l = ev + 1; l < p->events; l++) {
		const struct dvmi_ev *e = &p->ev[l];

		if (!explicit(e) || !done(st, pe, l))
			continue;
		if (e->kind == DVMI_EV_WRITE) {
			if (st->wloc[e->id] == loc && on(prog, DVMI_R_COHERENCE_WRITE))
				return false;
		} else if (st->rloc[e->id] == loc && on(prog, DVMI_R_COHERENCE_WR)) {
			uint8_t src = st->rsrc[e->id];

			if (src == DVMI_INIT || foreign(prog, src, pe) ||
			    prog->write[src].ev < ev)
				return false;
		}
	}
	return true;
}

/* Exp-haz-ob: another PE read an older write, but an earlier read of the location is pending. */
static bool read_pending(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			 uint16_t loc)
{
	for (unsigned q = 0; q < prog->pes; q++) {
		const struct dvmi_pe *p = &prog->pe[q];
		bool pending = false;
		uint16_t other;

		for (unsigned l = 0; q != pe && l < p->events; l++) {
			const struct dvmi_ev *e = &p->ev[l];

			if (e->kind != DVMI_EV_READ || e->walker)
				continue;
			if (!done(st, q, l)) {
				if (access_loc(prog, st, q, e, &other) && other == loc)
					pending = true;
			} else if (pending && st->rloc[e->id] == loc &&
				   (st->rsrc[e->id] == DVMI_INIT ||
				    write_done(prog, st, st->rsrc[e->id]))) {
				return true;
			}
		}
	}
	return false;
}

static bool atomic(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		   const struct dvmi_ev *e, uint16_t loc)
{
	const struct dvmi_ev *r;

	if (!(e->flags & DVMI_F_RMW))
		return true;
	r = &prog->pe[pe].ev[e->rmw];
	if (!done(st, pe, e->rmw))
		return !on(prog, DVMI_R_COHERENCE_WRITE);
	if (st->rloc[r->id] != loc)
		return false;
	return !on(prog, DVMI_R_ATOMIC) ||
	       !overwritten(prog, st, st->rsrc[r->id], loc, st->order_len, pe);
}

/* Memory takes write @e. */
static void take(struct dvmi_state *next, unsigned pe, unsigned ev, const struct dvmi_ev *e,
		 uint16_t loc, uint64_t v)
{
	finish(next, pe, ev);
	next->wloc[e->id] = loc;
	next->wval[e->id] = cut(v, e->width);
	next->pos[e->id] = next->order_len;
	next->rank[e->id] = 1;
	for (unsigned i = next->order_len; i-- > 0;)
		if (next->wloc[next->order[i]] == loc) {
			next->rank[e->id] = (uint8_t)(next->rank[next->order[i]] + 1);
			break;
		}
	next->order[next->order_len++] = e->id;
}

/* [Imp & TTD & R]; (po & same-loc); [HU] */
static bool page_walk_pending(const struct dvmi_program *prog, const struct dvmi_state *st,
			      unsigned pe, unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint64_t va;

	for (unsigned l = 0; l < ev && on(prog, DVMI_R_HW_COHERENCE); l++)
		if (p->ev[l].kind == DVMI_EV_WALK && !p->ev[l].walker && !done(st, pe, l) &&
		    dvmi_eval(prog, st, p->ev[l].addr, &va) && dvmi_is_va(va, prog->pages) &&
		    dvmi_va_page(va) == loc)
			return true;
	return false;
}

/* The table walker sets AF or dirty state in the descriptor that the walk has read. */
static unsigned step_update(const struct dvmi_program *prog, const struct dvmi_state *st,
			    unsigned pe, unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev], *walk = &prog->pe[pe].ev[e->pair];
	uint16_t loc = st->tloc[walk->id];
	struct dvmi_state next;

	if (loc == DVMI_LOC_NONE ||
	    (on(prog, DVMI_R_HW_ATOMIC) && newest(st, loc) != st->tsrc[walk->id]) ||
	    page_walk_pending(prog, st, pe, ev, loc) ||
	    (on(prog, DVMI_R_COHERENCE_RR) && read_pending(prog, st, DVMI_NONE, loc)))
		return 0;
	next = *st;
	take(&next, pe, ev, e, loc, dvmi_hw_updated(st->tval[walk->id], walk->flags, walk->hw));
	emit(arg, &next);
	return 1;
}

static unsigned step_write(const struct dvmi_program *prog, const struct dvmi_state *st,
			   unsigned pe, unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	struct dvmi_state next;
	uint64_t v;
	uint16_t loc;

	if (!access_loc(prog, st, pe, e, &loc) || loc == DVMI_LOC_NONE ||
	    !dvmi_eval(prog, st, e->data, &v) || !write_in_order(prog, st, pe, ev, loc) ||
	    !atomic(prog, st, pe, e, loc) ||
	    (on(prog, DVMI_R_COHERENCE_RR) && read_pending(prog, st, pe, loc)))
		return 0;
	next = *st;
	take(&next, pe, ev, e, loc, v);
	emit(arg, &next);
	return 1;
}

/*
 * Walks are speculative: one that stands later in the program may be in progress already. A full
 * DSB waits for what it still has to read.
 */
static bool walker_busy(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			const struct dvmi_ev *dsb)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	if (dsb->barrier != DVMI_BARRIER_FULL || !on(prog, DVMI_R_DSB_WALKER))
		return false;
	for (unsigned l = 0; l < p->events; l++)
		if (p->ev[l].walker && p->ev[l].kind == DVMI_EV_READ && !done(st, pe, l) &&
		    p->ev[l].pair != DVMI_NONE && done(st, pe, p->ev[l].pair))
			return true;
	return false;
}

static unsigned step_plain(const struct dvmi_program *prog, const struct dvmi_state *st,
			   unsigned pe, unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	struct dvmi_state next;

	if (e->kind == DVMI_EV_DSB && walker_busy(prog, st, pe, e))
		return 0;
	if (e->kind == DVMI_EV_DSB)
		for (unsigned t = 0; t < prog->tlbis; t++)
			if ((e->completes >> t & 1) && !drained(prog, st, e, t))
				return 0;
	next = *st;
	finish(&next, pe, ev);
	if (e->kind == DVMI_EV_TLBI)
		next.snap[e->id] = st->order_len;
	emit(arg, &next);
	return 1;
}

unsigned dvmi_step(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		   unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	struct walk_try try;

	if (done(st, pe, ev) || (e->pred & ~st->done[pe]))
		return 0;
	switch (e->kind) {
	case DVMI_EV_WALK:
		try.prog = prog;
		try.st = st;
		try.pe = pe;
		try.ev = ev;
		try.emit = emit;
		try.arg = arg;
		try.count = try.seen = 0;
		return step_walk(&try);
	case DVMI_EV_READ:
		return step_read(prog, st, pe, ev, emit, arg);
	case DVMI_EV_WRITE:
		return e->walker ? step_update(prog, st, pe, ev, emit, arg)
				 : step_write(prog, st, pe, ev, emit, arg);
	default:
		return step_plain(prog, st, pe, ev, emit, arg);
	}
}
