/* SPDX-License-Identifier: MIT */
#include "check/machine.h"
#include "check/state_key.h"

#include <string.h>

/* ---- values ---- */

static uint64_t nzcv(uint64_t a, uint64_t b, unsigned width)
{
	unsigned top = width * 8 - 1;
	uint64_t r;

	if (width == 4) {
		a &= UINT32_MAX;
		b &= UINT32_MAX;
	}
	r = a - b;
	if (width == 4)
		r &= UINT32_MAX;
	return (r >> top & 1) << 3 | (uint64_t)(r == 0) << 2 | (uint64_t)(a >= b) << 1 |
	       (((a ^ b) & (a ^ r)) >> top & 1);
}

/* Arm ARM C1.2.4, condition codes 0 (EQ) to 14 (AL). */
static uint64_t condition(uint64_t flags, uint64_t code)
{
	bool n = flags >> 3 & 1, z = flags >> 2 & 1, c = flags >> 1 & 1, v = flags & 1, r = true;

	switch (code >> 1) {
	case 0:
		r = z;
		break;
	case 1:
		r = c;
		break;
	case 2:
		r = n;
		break;
	case 3:
		r = v;
		break;
	case 4:
		r = c && !z;
		break;
	case 5:
		r = n == v;
		break;
	case 6:
		r = n == v && !z;
		break;
	default:
		return 1;
	}
	return (code & 1) ? !r : r;
}

static uint64_t compute(const struct dvmi_node *n, uint64_t a, uint64_t b)
{
	unsigned bits = n->width * 8u, shift = (unsigned)(b & (bits - 1));

	if (n->width == 4 && n->kind != DVMI_N_COND) {
		a &= UINT32_MAX;
		b &= UINT32_MAX;
	}
	switch (n->kind) {
	case DVMI_N_ADD:
		return a + b;
	case DVMI_N_SUB:
		return a - b;
	case DVMI_N_AND:
		return a & b;
	case DVMI_N_ORR:
		return a | b;
	case DVMI_N_EOR:
		return a ^ b;
	case DVMI_N_BIC:
		return a & ~b;
	case DVMI_N_LSL:
		return a << shift;
	case DVMI_N_LSR:
		return a >> shift;
	case DVMI_N_ASR:
		if (n->width == 4)
			return (uint64_t)((int64_t)(int32_t)a >> shift);
		return (uint64_t)((int64_t)a >> shift);
	case DVMI_N_SXTW:
		return (uint64_t)(int64_t)(int32_t)a;
	case DVMI_N_UXTW:
		return a & UINT32_MAX;
	case DVMI_N_NZCV:
		return nzcv(a, b, n->width);
	case DVMI_N_COND:
		return condition(a, n->k);
	case DVMI_N_EQ:
		return a == b;
	default:
		return 0;
	}
}

bool dvmi_eval(const struct dvmi_program *prog, const struct dvmi_state *st, uint16_t node,
	       uint64_t *value)
{
	const struct dvmi_node *n = &prog->node[node];
	uint64_t a = 0, b = 0;

	if (n->kind == DVMI_N_CONST) {
		*value = n->k;
		return true;
	}
	if (n->kind == DVMI_N_READ) {
		const struct dvmi_ref *r = &prog->read[n->k];

		if (!st || !(st->done[r->pe] >> r->ev & 1))
			return false;
		*value = st->rval[n->k];
		return true;
	}
	/* Operands have smaller numbers than their node: this ends. */
	if (!dvmi_eval(prog, st, n->a, &a) ||
	    (n->b != DVMI_NO_NODE && !dvmi_eval(prog, st, n->b, &b)))
		return false;
	*value = compute(n, a, b);
	if (n->width == 4)
		*value &= UINT32_MAX;
	return true;
}

/* ---- what an event may touch ---- */

#define ALL_DESCS UINT64_C(0x00000000ffffffff)
#define ALL_PAGES UINT64_C(0xffffffff00000000)

static uint64_t oa_class(const struct dvmi_program *prog, uint64_t desc)
{
	uint16_t loc = dvmi_loc_of(desc & DVMI_DESC_OA_MASK, prog->pages);

	return loc == DVMI_LOC_NONE ? 0 : dvmi_loc_class(loc);
}

static const struct dvmi_ev *walk_of(const struct dvmi_pe *p, const struct dvmi_ev *e)
{
	for (const struct dvmi_ev *w = e; w >= p->ev && w->insn == e->insn; w--)
		if (w->kind == DVMI_EV_WALK)
			return w;
	return NULL;
}

/* Physical pages that descriptor @k may point to: its first value and constants stored to it. */
static uint64_t pages_of(const struct dvmi_program *prog, unsigned k)
{
	uint64_t pages = oa_class(prog, prog->init[k]), a, v;

	for (unsigned w = 0; w < prog->writes; w++) {
		const struct dvmi_ev *e = &prog->pe[prog->write[w].pe].ev[prog->write[w].ev];
		bool direct = dvmi_eval(prog, NULL, e->addr, &a);

		if (e->walker || (direct && dvmi_loc_of(a, prog->pages) != k))
			continue; /* the walker keeps the address; a virtual address never leads to a descriptor */
		if (!dvmi_eval(prog, NULL, e->data, &v))
			return ALL_PAGES;
		pages |= oa_class(prog, v);
	}
	return pages;
}

/* Descriptors that may translate page @k: its own, and that of the second mm. */
static uint64_t descs_of(const struct dvmi_program *prog, unsigned k)
{
	uint64_t set = UINT64_C(1) << k;

	if (prog->twin[k])
		set |= UINT64_C(1) << (prog->twin[k] - 1);
	return set;
}

static uint64_t touched_by(const struct dvmi_program *prog, const struct dvmi_pe *p,
			   const struct dvmi_ev *e)
{
	uint64_t a;

	if (e->kind != DVMI_EV_WALK && e->kind != DVMI_EV_READ && e->kind != DVMI_EV_WRITE)
		return 0;
	if (!dvmi_eval(prog, NULL, e->addr, &a))
		return e->kind == DVMI_EV_WALK || (e->kind == DVMI_EV_WRITE && e->walker) ? ALL_DESCS : UINT64_MAX;
	if (dvmi_is_va(a, prog->pages) && walk_of(p, e)) {
		unsigned page = dvmi_va_page(a);

		if (e->kind == DVMI_EV_WALK || (e->kind == DVMI_EV_WRITE && e->walker))
			return descs_of(prog, page);
		return pages_of(prog, page) |
		       (prog->twin[page] ? pages_of(prog, prog->twin[page] - 1u) : 0);
	}
	if (e->kind == DVMI_EV_WALK || dvmi_loc_of(a, prog->pages) == DVMI_LOC_NONE)
		return 0;
	return dvmi_loc_class(dvmi_loc_of(a, prog->pages));
}

static bool completes(const struct dvmi_program *prog, const struct dvmi_ev *dsb,
		      const struct dvmi_ev *tlbi)
{
	if (dvmi_rule_on(&prog->rules, DVMI_R_TLBI_TYPE) && dsb->barrier != DVMI_BARRIER_FULL)
		return false;
	return !dvmi_rule_on(&prog->rules, DVMI_R_TLBI_DOMAIN) || dsb->domain >= tlbi->domain;
}

/* TLBIs that DSB @i completes for the second time, after one more broadcast TLBI in between. */
static uint64_t repeats(const struct dvmi_program *prog, unsigned p, unsigned i)
{
	const struct dvmi_pe *pe = &prog->pe[p];
	uint64_t set = 0;

	for (unsigned t = 0; t < prog->tlbis; t++) {
		bool once = false;

		if (!(pe->ev[i].completes >> t & 1))
			continue;
		for (unsigned k = prog->tlbi[t].ev + 1u; k < i; k++) {
			const struct dvmi_ev *e = &pe->ev[k];

			once |= e->kind == DVMI_EV_DSB && (e->completes >> t & 1);
			if (once && e->kind == DVMI_EV_TLBI && e->domain != DVMI_DOMAIN_NSH &&
			    (pe->ev[i].completes >> e->id & 1))
				set |= UINT64_C(1) << t;
		}
	}
	return set;
}

void dvmi_program_prepare(struct dvmi_program *prog)
{
	for (unsigned p = 0; p < prog->pes; p++)
		dvmi_rules_apply(&prog->rules, &prog->pe[p]);
	dvmi_program_link(prog);
}

void dvmi_program_link(struct dvmi_program *prog)
{
	for (unsigned p = 0; p < prog->pes; p++) {
		struct dvmi_pe *pe = &prog->pe[p];

		for (unsigned i = 0; i < pe->events; i++) {
			struct dvmi_ev *e = &pe->ev[i];

			e->touches = touched_by(prog, pe, e);
			e->completes = 0;
			for (unsigned t = 0; t < prog->tlbis && e->kind == DVMI_EV_DSB; t++)
				if (prog->tlbi[t].pe == p && prog->tlbi[t].ev < i &&
				    completes(prog, e, &pe->ev[prog->tlbi[t].ev])) {
					e->completes |= UINT64_C(1) << t;
					prog->completed_by[t] |= UINT64_C(1) << i;
				}
			e->repeats = repeats(prog, p, i);
			e->ends_walks = false;
		}
	}
	for (unsigned l = 0; l < prog->lefts; l++)
		if (prog->left[l].until != DVMI_NONE)
			prog->pe[prog->left[l].pe].ev[prog->left[l].until].ends_walks = true;
	dvmi_state_layout(prog);
}

/* ---- reduction ---- */

static bool touched_later(const struct dvmi_program *prog, const struct dvmi_state *st,
			  uint64_t classes, unsigned kinds, unsigned pe, unsigned ev,
			  bool own_later)
{
	for (unsigned p = 0; p < prog->pes; p++)
		for (unsigned i = 0; i < prog->pe[p].events; i++) {
			const struct dvmi_ev *e = &prog->pe[p].ev[i];

			if ((st->done[p] >> i & 1) || !(kinds >> e->kind & 1) ||
			    (p == pe && (i == ev || (i > ev && !own_later && !e->walker))))
				continue;
			if (e->touches & classes)
				return true;
		}
	return false;
}

static bool walks_pending(const struct dvmi_program *prog, const struct dvmi_state *st)
{
	for (unsigned w = 0; w < prog->walks; w++)
		if (!(st->done[prog->walk[w].pe] >> prog->walk[w].ev & 1))
			return true;
	return false;
}

#define KIND(k) (1u << (k))

/*
 * Why each of these may go first is argued in docs/checker.md ("Reduction"). In short: the event
 * commutes with everything that can still happen, and what it may return now includes what it
 * may return later.
 */
bool dvmi_step_safe(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned ev)
{
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];

	switch (e->kind) {
	case DVMI_EV_DMB:
	case DVMI_EV_CSE:
	case DVMI_EV_FAULT:
	case DVMI_EV_TLBI:
		return true;
	case DVMI_EV_DSB:
		return (!e->completes && !e->ends_walks) || !walks_pending(prog, st);
	case DVMI_EV_WALK:
		/* No write of the descriptor is to come, except own later ones (walk-write, hw-walk). */
		return !touched_later(prog, st, e->touches, KIND(DVMI_EV_WRITE), pe, ev,
				      e->walker || !dvmi_rule_on(&prog->rules, DVMI_R_WALK_WRITE) ||
					      !dvmi_rule_on(&prog->rules, DVMI_R_HW_WALK));
	case DVMI_EV_READ:
		/* No write to the location is to come, except own later ones (coherence). */
		return !touched_later(prog, st, e->touches, KIND(DVMI_EV_WRITE), pe, ev,
				      e->walker || !dvmi_rule_on(&prog->rules, DVMI_R_COHERENCE_WRITE));
	case DVMI_EV_WRITE:
		/* Nobody else will see it; own later reads return it now or then (coWR). */
		return !(e->touches & ALL_DESCS) &&
		       !touched_later(prog, st, e->touches,
				      KIND(DVMI_EV_WRITE) | KIND(DVMI_EV_READ), pe, ev,
				      !dvmi_rule_on(&prog->rules, DVMI_R_COHERENCE_WR) ||
					      !dvmi_rule_on(&prog->rules, DVMI_R_COHERENCE_WRITE));
	default:
		return false;
	}
}
