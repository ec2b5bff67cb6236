/* SPDX-License-Identifier: MIT */
/*
 * The stale use of an execution: an access whose descriptor had been overwritten when it happened. Each
 * TLBI that stood between the overwriting and the access is asked why it did not prevent it; the one
 * that came closest tells. All this is read off a state, so that a search can ask it of every state.
 */
#include "check/witness.h"

#include <string.h>

bool dvmi_witness_done(const struct dvm_witness *w, unsigned pe, unsigned ev)
{
	return w->end.done[pe] >> ev & 1;
}

/* ---- the use ---- */

/* The write that overwrote what walk @id returned; in memory, or (of a test from a strategy) to come. */
static bool overwriter(const struct dvm_witness *w, unsigned id, struct dvmi_use *u)
{
	const struct dvmi_program *prog = w->run.prog;
	uint8_t src = w->end.tsrc[id];

	for (unsigned i = src == DVMI_INIT ? 0 : w->end.pos[src] + 1u; i < w->end.order_len; i++) {
		const struct dvmi_ref *r = &prog->write[w->end.order[i]];

		if (w->end.wloc[w->end.order[i]] != w->end.tloc[id])
			continue;
		u->writer = r->pe;
		u->write = r->ev;
		return true;
	}
	for (unsigned i = 0; i < prog->writes && w->origins; i++) {
		const struct dvmi_ref *r = &prog->write[i];

		if (dvmi_witness_done(w, r->pe, r->ev) ||
		    !(prog->pe[r->pe].ev[r->ev].touches & dvmi_loc_class(w->end.tloc[id])))
			continue;
		u->writer = r->pe;
		u->write = r->ev;
		return true;
	}
	return false;
}

static void used(const struct dvm_witness *w, unsigned pe, unsigned ev, unsigned walk,
		 struct dvmi_use *u)
{
	const struct dvmi_ev *t = &w->run.prog->pe[pe].ev[walk];

	u->pe = pe;
	u->ev = ev;
	u->walk = walk;
	u->loc = w->end.tloc[t->id];
	u->asid = t->asid;
}

/* A walk that met two translations side by side, or found an entry of the mm before. */
static bool walk_uses(const struct dvm_witness *w, unsigned pe, unsigned ev, struct dvmi_use *u)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ev *t = &prog->pe[pe].ev[ev];
	uint16_t loc = w->end.tloc[t->id];

	if (loc == DVMI_LOC_NONE)
		return false;
	used(w, pe, ev, ev, u);
	u->foreign = prog->lefts && loc != dvmi_walk_desc(prog, t, dvmi_page_of_desc(prog, loc));
	u->clash = !u->foreign && (w->end.clash >> loc & 1) && overwriter(w, t->id, u);
	return u->foreign || u->clash;
}

/*
 * An access or a fault through a descriptor that is overwritten; in a test made from a strategy also
 * through one whose overwriting is under way, for the reuse has overtaken it.
 */
static bool access_uses(const struct dvm_witness *w, unsigned pe, unsigned ev, struct dvmi_use *u)
{
	const struct dvmi_ev *e = &w->run.prog->pe[pe].ev[ev], *t;

	if (e->pair == DVMI_NONE)
		return false;
	t = &w->run.prog->pe[pe].ev[e->pair];
	if (w->end.tloc[t->id] == DVMI_LOC_NONE ||
	    (e->kind == DVMI_EV_FAULT && t->outcome == DVMI_OUT_TRANSLATION) ||
	    !overwriter(w, t->id, u))
		return false;
	used(w, pe, ev, e->pair, u);
	u->fault = e->kind == DVMI_EV_FAULT;
	return true;
}

static bool find(const struct dvm_witness *w, struct dvmi_use *u)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned walks = 2; walks-- > 0;)
		for (unsigned p = prog->pes; p-- > 0;)
			for (unsigned i = prog->pe[p].events; i-- > 0;) {
				unsigned kind = prog->pe[p].ev[i].kind;

				if (!dvmi_witness_done(w, p, i))
					continue;
				if (walks && kind == DVMI_EV_WALK && walk_uses(w, p, i, u))
					return true;
				if (!walks &&
				    (kind == DVMI_EV_READ || kind == DVMI_EV_WRITE ||
				     kind == DVMI_EV_FAULT) &&
				    !(kind == DVMI_EV_WRITE && prog->pe[p].ev[i].walker) &&
				    access_uses(w, p, i, u))
					return true;
			}
	return false;
}

/* ---- TLBIs ---- */

/* Would TLBI @t hit if levels did not matter? */
static bool hits_but_level(const struct dvm_witness *w, const struct dvmi_use *u, unsigned t)
{
	struct dvmi_rules *on = &w->run.prog->rules;
	uint64_t off = on->off;
	bool hits;

	on->off |= UINT64_C(1) << DVMI_R_TLBI_LEVEL;
	hits = dvmi_tlbi_hits(w->run.prog, &w->end, t, w->run.prog->tlbi[t].pe, u->loc, u->asid);
	on->off = off;
	return hits;
}

/* Is TLBI @t for the translation at all, be it on some other CPU? */
static bool hits_somewhere(const struct dvm_witness *w, unsigned t, uint16_t loc, uint16_t asid)
{
	bool tlbid = w->run.prog->tlbid, hits;

	w->run.prog->tlbid = false;
	hits = dvmi_tlbi_hits(w->run.prog, &w->end, t, w->run.prog->tlbi[t].pe, loc, asid);
	w->run.prog->tlbid = tlbid;
	return hits;
}

bool dvmi_witness_other_domain(const struct dvm_witness *w, const struct dvmi_use *u, unsigned t)
{
	const struct dvmi_ref *r = &w->run.prog->tlbi[t];

	return w->run.prog->pe[r->pe].ev[r->ev].domain != DVMI_DOMAIN_NSH &&
	       hits_somewhere(w, t, u->loc, u->asid) &&
	       !dvmi_tlbi_hits(w->run.prog, &w->end, t, u->pe, u->loc, u->asid);
}

/*
 * Was TLBI @t complete before the page was reused, as far as the program's order says? The reuse is
 * the last write on the TLBI's PE, if it is there.
 */
static bool complete_before(const struct dvm_witness *w, unsigned t)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ref *r = &prog->tlbi[t];
	unsigned last = 0;

	for (unsigned e = 0; e < prog->pe[r->pe].events; e++)
		if (prog->pe[r->pe].ev[e].kind == DVMI_EV_WRITE)
			last = e;
	for (unsigned e = r->ev + 1u; e < prog->pe[r->pe].events; e++)
		if ((prog->completed_by[t] >> e & 1) && dvmi_witness_done(w, r->pe, e))
			return e < last || last < r->ev;
	return false;
}

static enum dvmi_reach reach(const struct dvm_witness *w, const struct dvmi_use *u, unsigned t)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ref *r = &prog->tlbi[t];
	const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);
	uint8_t overwrite = prog->pe[u->writer].ev[u->write].id;

	if (o && o->installs)
		return DVMI_REACH_NONE;
	if (!hits_somewhere(w, t, u->loc, u->asid) && w->origins && w->origins->kpti &&
	    hits_somewhere(w, t, u->loc, u->asid ^ 1))
		return DVMI_REACH_TWIN;
	if (!hits_somewhere(w, t, u->loc, u->asid))
		return hits_but_level(w, u, t) ? DVMI_REACH_LEVEL : DVMI_REACH_OTHER;
	if (!dvmi_tlbi_hits(prog, &w->end, t, u->pe, u->loc, u->asid))
		return DVMI_REACH_SCOPE;
	if (dvmi_witness_done(w, r->pe, r->ev) &&
	    (!dvmi_witness_done(w, u->writer, u->write) ||
	     w->end.pos[overwrite] >= w->end.snap[t]))
		return DVMI_REACH_EARLY;
	if (w->origins && w->origins->erratum && complete_before(w, t))
		return DVMI_REACH_DONE;
	return DVMI_REACH_LATE;
}

/* The TLBI that came closest; in a test made from a strategy, of the strategy's. */
static void closest(const struct dvm_witness *w, struct dvmi_use *u)
{
	for (unsigned t = 0; t < w->run.prog->tlbis; t++) {
		const struct dvmi_ref *r = &w->run.prog->tlbi[t];
		const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);
		enum dvmi_reach how = o && !o->line ? DVMI_REACH_NONE : reach(w, u, t);

		if (how > u->how) {
			u->how = how;
			u->tlbi = t;
		}
	}
}

bool dvmi_witness_use(const struct dvm_witness *w, struct dvmi_use *u)
{
	memset(u, 0, sizeof(*u));
	if (!find(w, u))
		return false;
	if (u->foreign)
		return true;
	closest(w, u);
	return true;
}
