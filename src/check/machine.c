/* SPDX-License-Identifier: MIT */
/* The machine: states, and one step of any kind. */
#include "check/machine_step.h"

#include <string.h>

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

uint64_t dvmi_state_memory(const struct dvmi_program *prog, const struct dvmi_state *st,
			   uint16_t loc)
{
	uint8_t w = dvmi_newest(st, loc);

	return w == DVMI_INIT ? prog->init[loc] : st->wval[w];
}

bool dvmi_overwritten(const struct dvmi_program *prog, const struct dvmi_state *st, uint8_t src,
		      uint16_t loc, unsigned end, unsigned but)
{
	unsigned i = 0;

	if (src != DVMI_INIT) {
		if (!dvmi_write_done(prog, st, src))
			return false;
		i = st->pos[src] + 1u;
	}
	for (; i < end; i++)
		if (st->wloc[st->order[i]] == loc && dvmi_foreign(prog, st->order[i], but))
			return true;
	return false;
}

bool dvmi_access_loc(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		     const struct dvmi_ev *e, uint16_t *loc)
{
	const struct dvmi_ev *walk = e->pair == DVMI_NONE ? NULL : &prog->pe[pe].ev[e->pair];
	uint64_t a;

	if (!dvmi_eval(prog, st, e->addr, &a))
		return false;
	if (walk) {
		if (!dvmi_done(st, pe, (unsigned)(walk - prog->pe[pe].ev)))
			return false;
		if (st->tloc[walk->id] != DVMI_LOC_NONE)
			a = (st->tval[walk->id] & DVMI_DESC_OA_MASK) | (a & (DVMI_PAGE_BYTES - 1));
	}
	*loc = dvmi_loc_of(a, prog->pages);
	return true;
}

/* ---- steps ---- */

/*
 * Walks are speculative: one that stands later in the program may be in progress already. A full
 * DSB waits for what it still has to read.
 */
static bool walker_busy(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
			const struct dvmi_ev *dsb)
{
	const struct dvmi_pe *p = &prog->pe[pe];

	if (dsb->barrier != DVMI_BARRIER_FULL || !dvmi_on(prog, DVMI_R_DSB_WALKER))
		return false;
	for (unsigned l = 0; l < p->events; l++)
		if (p->ev[l].walker && p->ev[l].kind == DVMI_EV_READ && !dvmi_done(st, pe, l) &&
		    p->ev[l].pair != DVMI_NONE && dvmi_done(st, pe, p->ev[l].pair))
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
			if ((e->completes >> t & 1) && !dvmi_tlbi_drained(prog, st, e, t))
				return 0;
	next = *st;
	dvmi_finish(&next, pe, ev);
	if (e->kind == DVMI_EV_TLBI) {
		next.snap[e->id] = st->order_len;
		next.shut[e->id] = dvmi_shut_now(prog, st);
	}
	emit(arg, &next);
	return 1;
}

unsigned dvmi_step(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		   unsigned ev, dvmi_emit_fn *emit, void *arg)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];

	if (dvmi_done(st, pe, ev) || (e->pred & ~st->done[pe]))
		return 0;
	switch (e->kind) {
	case DVMI_EV_WALK:
		return dvmi_step_walk(prog, st, pe, ev, emit, arg);
	case DVMI_EV_READ:
		return dvmi_step_read(prog, st, pe, ev, emit, arg);
	case DVMI_EV_WRITE:
		return e->walker ? dvmi_step_update(prog, st, pe, ev, emit, arg)
				 : dvmi_step_write(prog, st, pe, ev, emit, arg);
	default:
		return step_plain(prog, st, pe, ev, emit, arg);
	}
}
