/* SPDX-License-Identifier: MIT */
/* The axioms: does a candidate execution satisfy them? */
#include "axioms_candidate.h"

#include <string.h>

static bool is_cyclic(const uint64_t *ob, unsigned n)
{
	uint64_t left = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;

	/* Take away what has no successor left; a rest is a cycle. */
	for (bool changed = true; changed;) {
		changed = false;
		for (unsigned a = 0; a < n; a++)
			if ((left >> a & 1) && !(ob[a] & left)) {
				left &= ~(UINT64_C(1) << a);
				changed = true;
			}
	}
	return left != 0;
}

/* ---- values ---- */

/* What the table walker makes of a descriptor (TTHM). */
static uint64_t updated(uint64_t d, const struct dvmi_ev *e)
{
	if (!(d & DVMI_DESC_VALID) || !(e->hw & DVMI_HW_AF))
		return d;
	d |= DVMI_DESC_AF;
	return (e->hw & DVMI_HW_DIRTY) && (e->flags & DVMI_F_WRITES) && (d & DVMI_DESC_DBM)
		       ? d & ~DVMI_DESC_RDONLY
		       : d;
}

static bool ok_outcome(uint64_t before, const struct dvmi_ev *e)
{
	uint64_t d = updated(before, e);
	unsigned o = !(d & DVMI_DESC_VALID) ? DVMI_OUT_TRANSLATION
		     : !(d & DVMI_DESC_AF)  ? DVMI_OUT_ACCESS_FLAG
		     : ((e->flags & DVMI_F_WRITES) && (d & DVMI_DESC_RDONLY)) ||
				     ((e->flags & DVMI_F_EL0) && !(d & DVMI_DESC_EL0))
			     ? DVMI_OUT_PERMISSION
			     : DVMI_OUT_OK;

	return o == e->outcome &&
	       (o != DVMI_OUT_OK || (d != before) == ((e->hw & DVMI_HW_UPDATE) != 0));
}

/* A write of the table walker. */
static bool is_update(const struct dvmi_ev *e)
{
	return e->kind == DVMI_EV_WRITE && e->walker;
}

/* An unprivileged access to a descriptor. */
static unsigned denied(const struct axioms *x, const struct dvmi_ev *e)
{
	uint64_t a = 0;
	bool descriptor = dvmi_eval(x->prog, &x->st, e->addr, &a) && a >= dvmi_pte(0) &&
			  a < dvmi_pte(x->prog->pages);

	return descriptor && (e->flags & DVMI_F_EL0) ? DVMI_OUT_PERMISSION : DVMI_OUT_OK;
}

static bool address(const struct axioms *x, unsigned pe, const struct dvmi_ev *e, uint16_t *loc)
{
	const struct dvmi_ev *w = e->pair == DVMI_NONE ? NULL : &x->prog->pe[pe].ev[e->pair];
	uint64_t a;

	if (!dvmi_eval(x->prog, &x->st, e->addr, &a))
		return false;
	if (e->kind == DVMI_EV_WALK || is_update(e)) {
		*loc = dvmi_is_va(a, x->prog->pages) ? (uint16_t)dvmi_va_page(a) : DVMI_LOC_NONE;
		return true;
	}
	if (w && dvmi_is_va(a, x->prog->pages)) {
		if (!(x->st.done[pe] >> e->pair & 1))
			return false;
		a = (x->st.tval[w->id] & DVMI_DESC_OA_MASK) | (a & 0xfff);
	}
	*loc = dvmi_loc_of(a, x->prog->pages);
	return true;
}

bool axioms_source_value(struct axioms *x, uint8_t src, uint16_t loc, uint64_t *v)
{
	const struct dvmi_ev *w;
	unsigned pe;

	if (src == DVMI_INIT) {
		*v = loc == DVMI_LOC_NONE ? 0 : x->prog->init[loc];
		return true;
	}
	w = event_of(x, at(x, x->prog->write[src]), &pe);
	if (is_update(w)) {
		const struct dvmi_ev *walk = &x->prog->pe[pe].ev[w->pair];

		*v = updated(x->st.tval[walk->id], walk);
		return (x->st.done[pe] >> w->pair & 1) != 0;
	}
	if (!dvmi_eval(x->prog, &x->st, w->data, v))
		return false;
	if (w->width == 4)
		*v &= UINT32_MAX;
	return true;
}

/* Follow values from sources to reads until nothing is open; false: values in a circle. */
bool axioms_solve(struct axioms *x)
{
	unsigned open;

	memset(&x->st, 0, sizeof(x->st));
	for (unsigned round = 0; round <= x->n; round++) {
		open = 0;
		for (unsigned e = 0; e < x->n; e++) {
			unsigned pe;
			const struct dvmi_ev *v = event_of(x, e, &pe);
			unsigned bit = e - x->first[pe];
			uint64_t value;
			bool walk = v->kind == DVMI_EV_WALK;

			if ((v->kind != DVMI_EV_READ && !walk) || (x->st.done[pe] >> bit & 1))
				continue;
			open++;
			if (!address(x, pe, v, &x->loc[e]) ||
			    !axioms_source_value(x, walk ? x->tsrc[v->id] : x->rsrc[v->id],
						 x->loc[e], &value))
				continue;
			if (walk)
				x->st.tval[v->id] = value;
			else
				x->st.rval[v->id] = v->width == 4 ? value & UINT32_MAX : value;
			x->st.done[pe] |= UINT64_C(1) << bit;
		}
		if (!open)
			return true;
	}
	return false;
}

bool axioms_consistent_values(struct axioms *x)
{
	for (unsigned e = 0; e < x->n; e++) {
		unsigned pe;
		const struct dvmi_ev *v = event_of(x, e, &pe);

		if (v->kind == DVMI_EV_WRITE || v->kind == DVMI_EV_READ ||
		    v->kind == DVMI_EV_WALK) {
			if (!address(x, pe, v, &x->loc[e]))
				return false;
			if (v->kind != DVMI_EV_WALK && x->loc[e] == DVMI_LOC_NONE)
				return false;
		}
		if (v->kind == DVMI_EV_WALK && x->loc[e] == DVMI_LOC_NONE &&
		    ((v->hw & DVMI_HW_UPDATE) || v->outcome != denied(x, v) ||
		     x->tsrc[v->id] != DVMI_INIT))
			return false;
		if (v->kind == DVMI_EV_WALK && x->loc[e] != DVMI_LOC_NONE &&
		    !ok_outcome(x->st.tval[v->id], v))
			return false;
	}
	for (unsigned e = 0; e < x->n; e++) {
		unsigned pe;
		const struct dvmi_ev *v = event_of(x, e, &pe);
		uint8_t src = v->kind == DVMI_EV_READ	? x->rsrc[v->id]
			      : v->kind == DVMI_EV_WALK ? x->tsrc[v->id]
							: DVMI_INIT;

		if (src != DVMI_INIT && x->loc[at(x, x->prog->write[src])] != x->loc[e])
			return false;
	}
	for (unsigned p = 0; p < x->prog->pes; p++)
		for (unsigned c = 0; c < x->prog->pe[p].checks; c++) {
			const struct dvmi_check *k = &x->prog->pe[p].check[c];
			uint64_t v;

			if (!dvmi_eval(x->prog, &x->st, k->node, &v) || (v != 0) != k->nonzero)
				return false;
		}
	return true;
}

/* ---- relations of a candidate ---- */

static bool co_after(const struct axioms *x, uint8_t src, unsigned w)
{
	unsigned e = at(x, x->prog->write[w]);

	if (src == DVMI_INIT)
		return true;
	return src != w && x->loc[e] == x->loc[at(x, x->prog->write[src])] &&
	       x->place[w] > x->place[src];
}

/* fr (or its likeness for walks): writes to the location of @e that come after its source. */
static bool from_read(const struct axioms *x, unsigned e, uint8_t src, unsigned w)
{
	return x->loc[at(x, x->prog->write[w])] == x->loc[e] && co_after(x, src, w);
}

static bool is_explicit(const struct dvmi_ev *e)
{
	return e->kind == DVMI_EV_READ || (e->kind == DVMI_EV_WRITE && !e->walker);
}

/* Is write @w of this PE's program: internal to it, not the walker's? */
static bool internal(const struct axioms *x, unsigned w, unsigned pe)
{
	unsigned other;

	return x->prog->write[w].pe == pe &&
	       !is_update(event_of(x, at(x, x->prog->write[w]), &other));
}

/* HU: after earlier walks of the page, and in coherence order. */
static void update_relations(struct axioms *x, unsigned e, unsigned pe)
{
	unsigned other;

	for (unsigned l = x->first[pe]; l < e; l++) {
		const struct dvmi_ev *v = event_of(x, l, &other);

		if (v->kind == DVMI_EV_WALK && !v->walker && x->loc[l] == x->loc[e])
			edge(x->ob, l, e);
	}
	for (unsigned w = 0; w < x->prog->writes; w++)
		if (x->place[w] > x->place[event_of(x, e, &other)->id] &&
		    x->loc[at(x, x->prog->write[w])] == x->loc[e])
			edge(x->ob, e, at(x, x->prog->write[w]));
}

/* Exp-obs, TTD-obs, lws, dob and aob through memory, Exp-haz-ob; false: an internal axiom fails. */
bool axioms_relations(struct axioms *x)
{
	const struct dvmi_program *prog = x->prog;

	memcpy(x->ob, x->base, sizeof(x->ob));
	for (unsigned e = 0; e < x->n; e++) {
		unsigned pe, other;
		const struct dvmi_ev *v = event_of(x, e, &pe);

		if (v->kind == DVMI_EV_WALK) {
			bool fresh = v->outcome == DVMI_OUT_TRANSLATION ||
				     v->outcome == DVMI_OUT_ACCESS_FLAG;

			if (x->tsrc[v->id] != DVMI_INIT)
				edge(x->ob, at(x, prog->write[x->tsrc[v->id]]), e);
			for (unsigned w = 0; w < prog->writes && fresh; w++)
				if (from_read(x, e, x->tsrc[v->id], w))
					edge(x->ob, e, at(x, prog->write[w]));
			continue;
		}
		if (is_update(v))
			update_relations(x, e, pe);
		if (!is_explicit(v))
			continue;
		if (v->kind == DVMI_EV_READ) {
			uint8_t src = x->rsrc[v->id];

			if (src != DVMI_INIT && !internal(x, src, pe))
				edge(x->ob, at(x, prog->write[src]), e);
			if (src != DVMI_INIT && internal(x, src, pe) &&
			    prog->write[src].ev > e - x->first[pe])
				return false; /* coRW1 */
			for (unsigned w = 0; w < prog->writes; w++)
				if (from_read(x, e, src, w)) {
					unsigned f = at(x, prog->write[w]);

					if (internal(x, w, pe) && f < e)
						return false; /* coWR */
					if (internal(x, w, pe))
						continue;
					edge(x->ob, e, f);
					for (unsigned r = x->first[pe]; r < e; r++)
						if (event_of(x, r, &other)->kind == DVMI_EV_READ &&
						    x->loc[r] == x->loc[e])
							edge(x->ob, r, f); /* Exp-haz-ob */
				}
		} else {
			for (unsigned w = 0; w < prog->writes; w++)
				if (w != v->id && x->loc[at(x, prog->write[w])] == x->loc[e] &&
				    x->place[w] > x->place[v->id]) {
					if (internal(x, w, pe) && at(x, prog->write[w]) < e)
						return false; /* coWW */
					edge(x->ob, e, at(x, prog->write[w]));
				}
		}
		for (unsigned l = e + 1; l < x->first[pe] + prog->pe[pe].events; l++) {
			const struct dvmi_ev *y = event_of(x, l, &other);

			if (!is_explicit(y) || x->loc[l] != x->loc[e])
				continue;
			if (y->kind == DVMI_EV_WRITE) {
				edge(x->ob, e, l); /* lws */
				if (v->kind == DVMI_EV_WRITE)
					break;
			} else if (v->kind == DVMI_EV_WRITE) { /* lrs */
				for (unsigned d = 0; d < 64; d++)
					if ((v->addr_reads | v->data_reads) >> d & 1)
						edge(x->ob, x->first[pe] + d, l);
				if ((v->flags & DVMI_F_RMW) &&
				    (y->flags & (DVMI_F_ACQ | DVMI_F_ACQPC)))
					edge(x->ob, x->first[pe] + v->rmw, l);
			}
		}
		/* lws goes past the first write too */
		for (unsigned l = e + 1; l < x->first[pe] + prog->pe[pe].events; l++)
			if (event_of(x, l, &other)->kind == DVMI_EV_WRITE &&
			    is_explicit(event_of(x, l, &other)) && x->loc[l] == x->loc[e])
				edge(x->ob, e, l);
	}
	return true;
}

bool axioms_atomics(const struct axioms *x)
{
	for (unsigned w = 0; w < x->prog->writes; w++) {
		struct dvmi_ref r = x->prog->write[w];
		const struct dvmi_ev *e = &x->prog->pe[r.pe].ev[r.ev];
		unsigned read = x->first[r.pe] + e->rmw;
		uint8_t src;

		if (is_update(e)) {
			src = x->tsrc[x->prog->pe[r.pe].ev[e->pair].id];
			for (unsigned o = 0; o < x->prog->writes; o++)
				if (o != w && from_read(x, at(x, r), src, o) &&
				    x->place[o] < x->place[w])
					return false;
			if (src != DVMI_INIT && x->place[src] > x->place[w])
				return false;
			continue;
		}
		if (!(e->flags & DVMI_F_RMW))
			continue;
		if (x->loc[read] != x->loc[at(x, r)])
			return false;
		src = x->rsrc[x->prog->pe[r.pe].ev[e->rmw].id];
		for (unsigned o = 0; o < x->prog->writes; o++)
			if (o != w && !internal(x, o, r.pe) && from_read(x, read, src, o) &&
			    x->place[o] < x->place[w])
				return false;
	}
	return true;
}

static bool same_address(const struct axioms *x, const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	uint64_t va, vb;

	return a->kind == DVMI_EV_WALK && a->outcome == DVMI_OUT_OK && b->outcome == DVMI_OUT_OK &&
	       dvmi_eval(x->prog, &x->st, a->addr, &va) &&
	       dvmi_eval(x->prog, &x->st, b->addr, &vb) && va == vb;
}

/* Walk @t before TLBI @c: TTD-read-ordered-before and TLBI-ob. */
static void before_tlbi(const struct axioms *x, uint64_t *ob, unsigned t, unsigned c)
{
	struct dvmi_ref rt = x->prog->walk[t], rc = x->prog->tlbi[c];
	const struct dvmi_pe *p = &x->prog->pe[rt.pe];

	for (unsigned d = 0; d < 64; d++) {
		unsigned dsb = x->first[rc.pe] + d;

		if (!(x->prog->completed_by[c] >> d & 1))
			continue;
		edge(ob, at(x, rt), dsb);
		for (unsigned l = 0; l < p->events && rt.pe != rc.pe; l++) {
			bool used = l > rt.ev && p->ev[l].insn == p->ev[rt.ev].insn &&
				    (is_explicit(&p->ev[l]) || p->ev[l].kind == DVMI_EV_FAULT);

			if (used || (l < rt.ev && same_address(x, &p->ev[l], &p->ev[rt.ev])))
				edge(ob, x->first[rt.pe] + l, dsb);
		}
	}
}

/* Try both orders of every walk and TLBI in its scope. */
bool axioms_tlbi_choices(struct axioms *x, const uint64_t *ob, unsigned pair)
{
	const struct dvmi_program *prog = x->prog;
	uint64_t next[AXIOMS_EVENTS_MAX];
	unsigned t, c;

	if (is_cyclic(ob, x->n))
		return false;
	if (pair == prog->walks * prog->tlbis)
		return true;
	t = pair % prog->walks;
	c = pair / prog->walks;
	if (!prog->completed_by[c] || x->loc[at(x, prog->walk[t])] == DVMI_LOC_NONE ||
	    !dvmi_tlbi_hits(prog, &x->st, c, prog->walk[t].pe, x->loc[at(x, prog->walk[t])],
			    prog->pe[prog->walk[t].pe].ev[prog->walk[t].ev].asid))
		return axioms_tlbi_choices(x, ob, pair + 1);
	memcpy(next, ob, sizeof(next));
	before_tlbi(x, next, t, c);
	if (axioms_tlbi_choices(x, next, pair + 1))
		return true;
	memcpy(next, ob, sizeof(next));
	for (unsigned w = 0; w < prog->writes; w++) /* TLBI-ca */
		if (from_read(x, at(x, prog->walk[t]), x->tsrc[t], w))
			edge(next, at(x, prog->tlbi[c]), at(x, prog->write[w]));
	return axioms_tlbi_choices(x, next, pair + 1);
}
