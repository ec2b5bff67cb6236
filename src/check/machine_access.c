/* SPDX-License-Identifier: MIT */
/* The machine: reads, writes and the table walker's updates. */
#include "check/machine_step.h"

/* The last write of this PE before @ev, in program order, known to be to @loc. */
static const struct dvmi_ev *own_write(const struct dvmi_program *prog, const struct dvmi_state *st,
				       unsigned pe, unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint16_t other;

	for (unsigned l = ev; l-- > 0;)
		if (p->ev[l].kind == DVMI_EV_WRITE && !p->ev[l].walker &&
		    dvmi_access_loc(prog, st, pe, &p->ev[l], &other) && other == loc)
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

		if (!dvmi_explicit(e) || !dvmi_done(st, pe, l))
			continue;
		if (e->kind == DVMI_EV_WRITE) {
			if (st->wloc[e->id] == loc && dvmi_on(prog, DVMI_R_COHERENCE_WRITE))
				return true;
		} else if (st->rloc[e->id] == loc && dvmi_on(prog, DVMI_R_COHERENCE_RR) &&
			   dvmi_overwritten(prog, st, st->rsrc[e->id], loc, st->order_len, pe)) {
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

	dvmi_finish(&next, pe, ev);
	next.rsrc[e->id] = src;
	next.rloc[e->id] = loc;
	next.rval[e->id] = dvmi_cut(value, e->width);
	if (!checks_hold(prog, &next, pe, ev))
		return 0;
	emit(arg, &next);
	return 1;
}

unsigned dvmi_step_read(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev], *own;
	unsigned count = 0;
	uint64_t v;
	uint16_t loc;
	uint8_t src;

	if (!dvmi_access_loc(prog, st, pe, e, &loc) || loc == DVMI_LOC_NONE ||
	    (!e->walker && breaks_rr(prog, st, pe, ev, loc)))
		return 0;
	own = e->walker ? NULL : own_write(prog, st, pe, ev, loc);
	if (own && !dvmi_done(st, pe, (unsigned)(own - prog->pe[pe].ev))) {
		bool waits = (e->flags & (DVMI_F_ACQ | DVMI_F_ACQPC)) &&
			     (own->flags & DVMI_F_RMW) && dvmi_on(prog, DVMI_R_RMW_FORWARD) &&
			     !dvmi_done(st, pe, own->rmw);

		if (dvmi_on(prog, DVMI_R_FORWARD) && !waits && dvmi_eval(prog, st, own->data, &v))
			count = read_from(prog, st, pe, ev, loc, own->id, v, emit, arg);
		if (dvmi_on(prog, DVMI_R_COHERENCE_WR))
			return count;
	}
	src = dvmi_newest(st, loc);
	v = src == DVMI_INIT ? prog->init[loc] : st->wval[src];
	return count + read_from(prog, st, pe, ev, loc, src, v, emit, arg);
}

/* lws, coWR: the accesses of this PE that the write at @ev has to respect. */
static bool write_in_order(const struct dvmi_program *prog, const struct dvmi_state *st,
			   unsigned pe, unsigned ev, uint16_t loc)
{
	const struct dvmi_pe *p = &prog->pe[pe];
	uint16_t other;

	for (unsigned l = 0; l < ev && dvmi_on(prog, DVMI_R_COHERENCE_WRITE); l++)
		if (dvmi_explicit(&p->ev[l]) && !dvmi_done(st, pe, l) &&
		    dvmi_access_loc(prog, st, pe, &p->ev[l], &other) && other == loc)
			return false;
	for (unsigned l = ev + 1; l < p->events; l++) {
		const struct dvmi_ev *e = &p->ev[l];

		if (!dvmi_explicit(e) || !dvmi_done(st, pe, l))
			continue;
		if (e->kind == DVMI_EV_WRITE) {
			if (st->wloc[e->id] == loc && dvmi_on(prog, DVMI_R_COHERENCE_WRITE))
				return false;
		} else if (st->rloc[e->id] == loc && dvmi_on(prog, DVMI_R_COHERENCE_WR)) {
			uint8_t src = st->rsrc[e->id];

			if (src == DVMI_INIT || dvmi_foreign(prog, src, pe) ||
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
			if (!dvmi_done(st, q, l)) {
				if (dvmi_access_loc(prog, st, q, e, &other) && other == loc)
					pending = true;
			} else if (pending && st->rloc[e->id] == loc &&
				   (st->rsrc[e->id] == DVMI_INIT ||
				    dvmi_write_done(prog, st, st->rsrc[e->id]))) {
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
	if (!dvmi_done(st, pe, e->rmw))
		return !dvmi_on(prog, DVMI_R_COHERENCE_WRITE);
	if (st->rloc[r->id] != loc)
		return false;
	return !dvmi_on(prog, DVMI_R_ATOMIC) ||
	       !dvmi_overwritten(prog, st, st->rsrc[r->id], loc, st->order_len, pe);
}

/* Memory takes write @e. */
static void take(struct dvmi_state *next, unsigned pe, unsigned ev, const struct dvmi_ev *e,
		 uint16_t loc, uint64_t v)
{
	dvmi_finish(next, pe, ev);
	next->wloc[e->id] = loc;
	next->wval[e->id] = dvmi_cut(v, e->width);
	next->pos[e->id] = next->order_len;
	next->rank[e->id] = 1;
	for (unsigned i = next->order_len; i-- > 0;)
		if (next->wloc[next->order[i]] == loc) {
			next->rank[e->id] = (uint8_t)(next->rank[next->order[i]] + 1);
			break;
		}
	next->order[next->order_len++] = e->id;
}

/* The table walker sets AF or dirty state in the descriptor that the walk has read. */
unsigned dvmi_step_update(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			  unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev], *walk = &prog->pe[pe].ev[e->pair];
	uint16_t loc = st->tloc[walk->id];
	struct dvmi_state next;

	if (loc == DVMI_LOC_NONE ||
	    (dvmi_on(prog, DVMI_R_HW_ATOMIC) && dvmi_newest(st, loc) != st->tsrc[walk->id]) ||
	    (dvmi_on(prog, DVMI_R_COHERENCE_RR) && read_pending(prog, st, DVMI_NONE, loc)))
		return 0;
	next = *st;
	take(&next, pe, ev, e, loc, dvmi_hw_updated(st->tval[walk->id], walk->flags, walk->hw));
	emit(arg, &next);
	return 1;
}

unsigned dvmi_step_write(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			 unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	struct dvmi_state next;
	uint64_t v;
	uint16_t loc;

	if (!dvmi_access_loc(prog, st, pe, e, &loc) || loc == DVMI_LOC_NONE ||
	    !dvmi_eval(prog, st, e->data, &v) || !write_in_order(prog, st, pe, ev, loc) ||
	    !atomic(prog, st, pe, e, loc) ||
	    (dvmi_on(prog, DVMI_R_COHERENCE_RR) && read_pending(prog, st, pe, loc)))
		return 0;
	next = *st;
	take(&next, pe, ev, e, loc, v);
	emit(arg, &next);
	return 1;
}
