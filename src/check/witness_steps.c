/* SPDX-License-Identifier: MIT */
/* The steps of a witness in words, and what each TLB may hold after each. */
#include "check/witness.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct teller {
	const struct dvm_witness *w;
	unsigned shown[DVMI_WAY_MAX + 1]; /* machine step, from 1: its number as printed; 0: silent */
};

static void say(char *text, size_t size, const char *fmt, ...) DVMI_PRINTF(3, 4);

static void say(char *text, size_t size, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, size - n, fmt, ap);
	va_end(ap);
}

/* A value the way herd writes it; too long ones are cut. Out of memory prints as nothing. */
static void say_value(const struct dvm_witness *w, char *text, size_t size, uint64_t v)
{
	struct dvmi_buf buf = {0};

	if (dvmi_is_desc(v) && !(v & DVMI_DESC_VALID)) {
		say(text, size, "invalid");
		return;
	}
	dvmi_space_print(&buf, &w->test->space, v);
	say(text, size, "%s", buf.data ? buf.data : "");
	dvmi_buf_fini(&buf);
}

static void say_loc(const struct dvm_witness *w, char *text, size_t size, uint16_t loc)
{
	struct dvmi_buf buf = {0};

	dvmi_space_print_loc(&buf, &w->test->space, loc);
	say(text, size, "%s", buf.data ? buf.data : "");
	dvmi_buf_fini(&buf);
}

/* ---- what a TLB may hold ---- */

static bool written_somewhere(const struct dvm_witness *w, unsigned page)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned i = 0; i < prog->writes; i++)
		if (prog->pe[prog->write[i].pe].ev[prog->write[i].ev].touches &
		    dvmi_loc_class((uint16_t)page))
			return true;
	return false;
}

/*
 * A TLBI that stands for the write of TTBR0: before it nothing of the mm is here; after it, what
 * was overwritten earlier can not come in any more.
 */
static bool installed(const struct dvm_witness *w, const struct dvmi_state *st, unsigned pe,
		      uint8_t src, uint16_t loc)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned t = 0; t < prog->tlbis; t++) {
		const struct dvmi_ref *r = &prog->tlbi[t];
		const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);
		unsigned i = src == DVMI_INIT ? 0 : st->pos[src] + 1u;

		if (r->pe != pe || !o || !o->installs)
			continue;
		if (!(st->done[pe] >> r->ev & 1))
			return false;
		for (; i < st->snap[t]; i++)
			if (st->wloc[st->order[i]] == loc)
				return false;
	}
	return true;
}

/* The walk with which this PE looks up its next translation, or looked up its last; NULL: none. */
static const struct dvmi_ev *walk_of(const struct dvm_witness *w, const struct dvmi_state *st,
				     unsigned pe)
{
	const struct dvmi_pe *p = &w->run.prog->pe[pe];
	const struct dvmi_ev *walk = NULL;

	for (unsigned e = 0; e < p->events; e++) {
		if (p->ev[e].kind != DVMI_EV_WALK)
			continue;
		walk = &p->ev[e];
		if (!(st->done[pe] >> e & 1))
			break;
	}
	return walk;
}

static uint16_t asid_of(const struct dvm_witness *w, const struct dvmi_state *st, unsigned pe)
{
	const struct dvmi_ev *walk = walk_of(w, st, pe);

	return walk ? walk->asid : (uint16_t)(w->test->thread[pe].reg[DVMI_REG_TTBR] >> 48);
}

static void say_entries(const struct dvm_witness *w, const struct dvmi_state *st, unsigned pe,
			uint16_t page, char *text, size_t size)
{
	const struct dvmi_program *prog = w->run.prog;
	uint16_t asid = asid_of(w, st, pe);

	for (unsigned i = 0; i <= st->order_len; i++) {
		uint8_t src = i ? st->order[i - 1] : DVMI_INIT;
		uint64_t v = i ? st->wval[src] : prog->init[page];

		if ((i && st->wloc[src] != page) || !(v & DVMI_DESC_VALID) || !(v & DVMI_DESC_AF) ||
		    !dvmi_walk_allowed(prog, st, pe, src, page, asid) ||
		    !installed(w, st, pe, src, page))
			continue;
		say(text, size, "%s%s=", text[0] ? ", " : "", w->test->space.names[page]);
		say_value(w, text, size, v);
		if (w->origins && w->origins->kpti)
			say(text, size, " of ASID %u", asid);
	}
}

/* Entries of mms that this PE has left, which its next walk could use. */
static void say_lefts(const struct dvm_witness *w, const struct dvmi_state *st, unsigned pe,
		      char *text, size_t size)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ev *walk = walk_of(w, st, pe);
	unsigned lefts = walk ? dvmi_lefts_of(prog, pe, (unsigned)(walk - prog->pe[pe].ev)) : 0;

	for (unsigned k = 0; k < prog->pages; k++)
		for (unsigned l = 0; l < prog->lefts && prog->twin[k]; l++) {
			uint16_t loc = (uint16_t)(prog->left[l].mm ? prog->twin[k] - 1u : k);

			if (!(lefts >> l & 1) ||
			    !dvmi_left_allowed(prog, st, l, DVMI_INIT, loc))
				continue;
			say(text, size, "%s%s=", text[0] ? ", " : "", w->test->space.names[k]);
			say_value(w, text, size, prog->init[loc]);
			say(text, size, " of the first mm");
		}
}

static void say_tlb(const struct dvm_witness *w, const struct dvmi_state *st, unsigned pe,
		    char *text, size_t size)
{
	text[0] = 0;
	if (w->origins && pe < w->origins->cols && w->origins->away[pe])
		return;
	for (unsigned k = 0; k < w->run.prog->pages; k++)
		if (written_somewhere(w, k))
			say_entries(w, st, pe, (uint16_t)k, text, size);
	say_lefts(w, st, pe, text, size);
}

/* ---- one event ---- */

static unsigned step_of(const struct teller *t, unsigned pe, unsigned ev)
{
	return t->shown[t->w->when[pe][ev]];
}

static void tell_source(const struct dvm_witness *w, unsigned pe, unsigned ev, char *text,
			size_t size)
{
	const struct dvmi_origin *o = dvmi_witness_origin(w, pe, ev);

	text[0] = 0;
	if (o && o->line)
		say(text, size, "line %u: %s", o->line, o->source);
	else if (o && o->note)
		say(text, size, "%s", o->note);
	else
		say(text, size, "%s", dvmi_witness_insn(w, pe, ev)->text);
}

/* The first instruction before @ev, in program order, that it overtakes. */
static void say_overtaken(const struct teller *t, const struct dvmi_state *before, unsigned pe,
			  unsigned ev, char *text, size_t size)
{
	const struct dvmi_pe *p = &t->w->run.prog->pe[pe];

	for (unsigned e = 0; e < ev; e++) {
		char source[96];

		if ((before->done[pe] >> e & 1) || p->ev[e].insn == p->ev[ev].insn)
			continue;
		tell_source(t->w, pe, e, source, sizeof(source));
		say(text, size, "%searly: '%s' has not happened yet", text[0] ? "; " : "", source);
		return;
	}
}

/* TLBIs that are issued and have not stopped a walk of @pe from using an old entry. */
static void tell_arrival(const struct teller *t, const struct dvmi_state *before, unsigned pe,
			 const struct dvmi_ev *e, uint16_t loc, char *text, size_t size)
{
	const struct dvmi_program *prog = t->w->run.prog;

	for (unsigned i = 0; i < prog->tlbis; i++) {
		const struct dvmi_ref *r = &prog->tlbi[i];
		const struct dvmi_origin *o = dvmi_witness_origin(t->w, r->pe, r->ev);

		if (!(before->done[r->pe] >> r->ev & 1) || (o && o->installs))
			continue;
		if (dvmi_tlbi_hits(prog, before, i, pe, loc, e->asid))
			say(text, size, "; the TLBI of step %u has not arrived here",
			    step_of(t, r->pe, r->ev));
		else if (dvmi_tlbi_hits(prog, before, i, r->pe, loc, e->asid))
			say(text, size, "; the TLBI of step %u does not come here",
			    step_of(t, r->pe, r->ev));
	}
}

static void tell_walk(const struct teller *t, const struct dvmi_state *before,
		      const struct dvmi_state *after, unsigned pe, const struct dvmi_ev *e,
		      char *text, size_t size)
{
	const struct dvm_witness *w = t->w;
	uint16_t loc = after->tloc[e->id];
	uint64_t v = after->tval[e->id], now = dvmi_state_memory(w->run.prog, before, loc);
	uint8_t src = after->tsrc[e->id];
	unsigned since = 0;

	for (unsigned i = src == DVMI_INIT ? 0 : before->pos[src] + 1u;
	     i < before->order_len && !since; i++) {
		const struct dvmi_ref *r = &w->run.prog->write[before->order[i]];

		if (before->wloc[before->order[i]] == loc)
			since = step_of(t, r->pe, r->ev);
	}
	say(text, size, w->run.prog->tables >> loc & 1 ? "reads table entry %s: " : "translates %s: ",
	    w->test->space.names[dvmi_page_of_desc(w->run.prog, loc)]);
	if (loc != dvmi_walk_desc(w->run.prog, e, dvmi_page_of_desc(w->run.prog, loc))) {
		say(text, size, "uses the TLB entry ");
		say_value(w, text, size, v);
		say(text, size, " of the mm that had this ASID before");
		return;
	}
	if (v == now && !since) {
		say(text, size, "walk finds ");
		say_value(w, text, size, v);
	} else {
		say(text, size, "uses the TLB entry ");
		say_value(w, text, size, v);
		say(text, size, ", filled before step %u", since);
		tell_arrival(t, before, pe, e, loc, text, size);
	}
}

static void tell_read(const struct teller *t, const struct dvmi_state *before,
		      const struct dvmi_state *after, const struct dvmi_ev *e, char *text,
		      size_t size)
{
	const struct dvm_witness *w = t->w;
	uint8_t src = after->rsrc[e->id];

	say(text, size, "reads ");
	say_loc(w, text, size, after->rloc[e->id]);
	say(text, size, " = ");
	say_value(w, text, size, after->rval[e->id]);
	if (src == DVMI_INIT) {
		say(text, size, " (initial value)");
	} else {
		const struct dvmi_ref *r = &w->run.prog->write[src];

		if (before->done[r->pe] >> r->ev & 1)
			say(text, size, " (of step %u)", step_of(t, r->pe, r->ev));
		else
			say(text, size, " (its own store, not visible to others yet)");
	}
}

static void tell_write(const struct teller *t, const struct dvmi_state *after,
		       const struct dvmi_ev *e, char *text, size_t size)
{
	const struct dvm_witness *w = t->w;

	say_loc(w, text, size, after->wloc[e->id]);
	say(text, size, " becomes ");
	say_value(w, text, size, after->wval[e->id]);
	say(text, size, ", visible to all");
}

static void tell_dsb(const struct teller *t, const struct dvmi_state *before, unsigned pe,
		     const struct dvmi_ev *e, char *text, size_t size)
{
	const struct dvmi_program *prog = t->w->run.prog;
	const char *sep = "completes the TLBI of step ";

	for (unsigned i = 0; i < prog->tlbis; i++) {
		const struct dvmi_ref *r = &prog->tlbi[i];
		const struct dvmi_origin *o = dvmi_witness_origin(t->w, r->pe, r->ev);

		if (!(e->completes >> i & 1) || (before->done[pe] & prog->completed_by[i]) ||
		    (o && o->installs))
			continue;
		say(text, size, "%s%u", sep, step_of(t, r->pe, r->ev));
		sep = ", ";
	}
}

static void tell_tlbi(const struct dvm_witness *w, unsigned pe, const struct dvmi_ev *e, char *text,
		      size_t size)
{
	const struct dvmi_origin *o =
		dvmi_witness_origin(w, pe, (unsigned)(e - w->run.prog->pe[pe].ev));

	if (o && o->installs)
		say(text, size, "walks of this mm may begin here");
	else
		say(text, size, "issued; %s",
		    e->domain == DVMI_DOMAIN_NSH
			    ? "acts on this CPU only, some time before a DSB completes it"
			    : "arrives at each CPU at its own time, before a DSB completes it");
}

static void tell(const struct teller *t, const struct dvmi_state *before,
		 const struct dvmi_state *after, unsigned pe, unsigned ev, char *text, size_t size)
{
	static const char *const faults[] = {"", "translation fault", "access flag fault",
					     "permission fault"};
	const struct dvmi_ev *e = &t->w->run.prog->pe[pe].ev[ev];

	switch (e->kind) {
	case DVMI_EV_WALK:
		tell_walk(t, before, after, pe, e, text, size);
		break;
	case DVMI_EV_READ:
		tell_read(t, before, after, e, text, size);
		break;
	case DVMI_EV_WRITE:
		tell_write(t, after, e, text, size);
		break;
	case DVMI_EV_FAULT:
		say(text, size, "%s", faults[t->w->run.prog->pe[pe].ev[e->pair].outcome]);
		break;
	case DVMI_EV_DSB:
		tell_dsb(t, before, pe, e, text, size);
		break;
	case DVMI_EV_TLBI:
		tell_tlbi(t->w, pe, e, text, size);
		break;
	default: /* a barrier or a context synchronisation event: it has waited */
		break;
	}
	say_overtaken(t, before, pe, ev, text, size);
}

/* ---- all of them ---- */

static void look(const struct dvm_witness *w, const struct dvmi_state *st,
		 struct dvmi_witness_row *row, const struct dvmi_witness_row *last)
{
	for (unsigned p = 0; p < w->run.prog->pes; p++) {
		say_tlb(w, st, p, row->tlb[p], sizeof(row->tlb[p]));
		if (last ? strcmp(row->tlb[p], last->tlb[p]) != 0 : row->tlb[p][0] != 0)
			row->tlb_changed |= 1u << p;
	}
}

int dvmi_witness_rows(const struct dvm_witness *w, struct dvmi_witness_row **rows, unsigned *count)
{
	struct dvmi_witness_row *row = dvmi_calloc(w->way.bad + 1, sizeof(*row));
	struct teller *t = dvmi_zalloc(sizeof(*t));
	struct dvmi_state st, next;
	unsigned n = 0;

	if (!row || !t) {
		dvmi_free(row);
		dvmi_free(t);
		return -DVM_ENOMEM;
	}
	t->w = w;
	dvmi_state_init(w->run.prog, &st);
	look(w, &st, &row[n++], NULL);
	for (unsigned i = 0; i < w->way.bad; i++) {
		unsigned pe = w->way.step[i].pe, ev = w->way.step[i].ev;
		struct dvmi_witness_row *r = &row[n];

		if (!dvmi_way_replay(w->run.prog, w->way.step, i + 1, &next))
			break; /* can not be: it was found by these steps */
		if (!dvmi_witness_silent(w, pe, ev)) {
			t->shown[i + 1] = r->step = n++;
			r->pe = pe;
			r->ev = ev;
			tell_source(w, pe, ev, r->source, sizeof(r->source));
			tell(t, &st, &next, pe, ev, r->effect, sizeof(r->effect));
			look(w, &next, r, r - 1);
		}
		st = next;
	}
	dvmi_free(t);
	*rows = row;
	*count = n;
	return 0;
}
