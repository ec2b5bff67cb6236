/* SPDX-License-Identifier: MIT */
/* Which safety rules an execution broke, and what went wrong in one sentence. */
#include "check/witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const rules[] = {
	"an access uses a translation that was changed, though the flush of it has completed",
	"a page is reused before the flush of it has completed on every CPU whose TLB may hold it",
	"a TLBI has no DSB before it that orders the page-table store before it",
	"a TLBI is completed by a DSB of the wrong type, of too small a domain, or of another CPU",
	"a local TLBI is the whole flush while another CPU's TLB may hold the translation",
	"two address spaces share an ASID in one TLB",
	"a TLBI's level hint or last-level form misses the level of an entry that may be cached",
	"the other ASID of a KPTI pair is not flushed",
	"a valid descriptor is changed into another without break-before-make",
	"an SMMU that listens to broadcasts is neither reached by one nor notified",
	"the task moved to another CPU between sampling its CPU and its last local TLBI",
	"a TLBI that an erratum demands twice is executed once",
};

const char *dvm_safety_rule_text(unsigned rule)
{
	return rule >= 1 && rule <= sizeof(rules) / sizeof(rules[0]) ? rules[rule - 1] : NULL;
}

static void broke(struct dvm_witness *w, unsigned rule, const char *fmt, ...) DVMI_PRINTF(3, 4);

static void broke(struct dvm_witness *w, unsigned rule, const char *fmt, ...)
{
	struct dvmi_broken *b = &w->broke[w->broken];
	va_list ap;

	/* A litmus test asks a question; nobody promised anything. */
	if (w->broken == DVMI_BROKEN_MAX || !w->origins)
		return;
	b->rule = rule;
	va_start(ap, fmt);
	vsnprintf(b->text, sizeof(b->text), fmt, ap);
	va_end(ap);
	w->broken++;
}

/* "'tlbi local' (line 51)", "'TLBI VAE1,X9'". */
static void name(const struct dvm_witness *w, unsigned pe, unsigned ev, char *text, size_t size)
{
	const struct dvmi_origin *o = dvmi_witness_origin(w, pe, ev);

	if (o && o->line)
		snprintf(text, size, "'%s' (line %u)", o->source, o->line);
	else if (o && o->note)
		snprintf(text, size, "'%s'", o->note);
	else
		snprintf(text, size, "'%s'", dvmi_witness_insn(w, pe, ev)->text);
}

/* In a test made from a strategy the reuse of the page is what makes a late access an error. */
static const char *reused(const struct dvm_witness *w, const struct dvmi_use *u)
{
	if (u->fault)
		return "The access was tried again";
	if (w->end.clash)
		return "The page got another translation";
	return w->origins ? "The page was reused" : "The last access happened";
}

/* Does the event wait, by a branch, for something that @pe has written? */
static bool waits_for(const struct dvm_witness *w, const struct dvmi_ref *r, unsigned pe)
{
	const struct dvmi_pe *p = &w->run.prog->pe[r->pe];

	for (unsigned e = 0; e < r->ev; e++) {
		uint8_t src = p->ev[e].kind == DVMI_EV_READ ? w->end.rsrc[p->ev[e].id] : DVMI_INIT;

		if ((p->ev[r->ev].ctrl_reads >> e & 1) && src != DVMI_INIT &&
		    w->run.prog->write[src].pe == pe)
			return true;
	}
	return false;
}

/* A DSB after TLBI @t that looks as if it completed it: on its PE, or after a move on another. */
static bool weak_dsb(const struct dvm_witness *w, unsigned t, unsigned *pe, unsigned *ev)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ref *r = &prog->tlbi[t];

	for (unsigned e = r->ev + 1; e < prog->pe[r->pe].events; e++) {
		if (prog->pe[r->pe].ev[e].kind != DVMI_EV_DSB)
			continue;
		*pe = r->pe;
		*ev = e;
		return !(prog->pe[r->pe].ev[e].completes >> t & 1);
	}
	if (!dvmi_witness_done(w, r->pe, r->ev) || !w->origins || !w->origins->moves)
		return false;
	/* The flusher came here from where the TLBI waits for something: that was before. */
	for (*pe = 0; *pe < prog->pes; (*pe)++)
		for (*ev = 0; *pe != r->pe && !waits_for(w, r, *pe) && *ev < prog->pe[*pe].events;
		     (*ev)++) {
			const struct dvmi_origin *o = dvmi_witness_origin(w, *pe, *ev);

			if (prog->pe[*pe].ev[*ev].kind == DVMI_EV_DSB && o && o->line &&
			    dvmi_witness_done(w, *pe, *ev))
				return true;
		}
	return false;
}

/* What the cause led to. */
static void consequence(struct dvm_witness *w, const struct dvmi_use *u, unsigned rule, const char *text)
{
	char cpu[32], store[120];

	dvmi_witness_cpu(w, u->pe, cpu, sizeof(cpu));
	if (u->clash) {
		unsigned i = w->end.order_len;

		while (i-- > 0 && w->end.wloc[w->end.order[i]] != u->loc)
			;
		name(w, w->run.prog->write[w->end.order[i]].pe, w->run.prog->write[w->end.order[i]].ev,
		     store, sizeof(store));
		broke(w, 9, "%s: %s may hold the old and the new translation side by side", store, cpu);
		return;
	}
	if (u->fault)
		broke(w, 1, "%s faulted on the old translation after the fix-up", cpu);
	else
		broke(w, rule, "%s", text);
}

static void not_completed(struct dvm_witness *w, const struct dvmi_use *u, unsigned t, const char *tlbi,
			  const char *cpu)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ref *r = &prog->tlbi[t];
	unsigned pe, ev;
	char dsb[120], text[200];

	if (weak_dsb(w, t, &pe, &ev)) {
		const struct dvmi_ev *e = &prog->pe[pe].ev[ev];

		name(w, pe, ev, dsb, sizeof(dsb));
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s does not complete %s: it %s. %s while %s could still use the old "
			 "translation.",
			 dsb, tlbi,
			 pe != r->pe			       ? "runs on another CPU"
			 : e->barrier != DVMI_BARRIER_FULL     ? "does not wait for TLBIs"
							       : "has too small a domain",
			 reused(w, u), cpu);
		broke(w, 4, "%s does not complete %s", dsb, tlbi);
	} else if (!dvmi_witness_done(w, r->pe, r->ev)) {
		snprintf(w->wrong, sizeof(w->wrong), "%s before the TLBI, %s, was even executed.",
			 reused(w, u), tlbi);
	} else {
		snprintf(w->wrong, sizeof(w->wrong),
			 "Nothing had waited for %s. %s while %s could still use the old "
			 "translation.",
			 tlbi, reused(w, u), cpu);
	}
	snprintf(text, sizeof(text), "reused before %s was complete", tlbi);
	consequence(w, u, 2, text);
}

static void blame(struct dvm_witness *w, const struct dvmi_use *u, unsigned t, enum dvmi_reach how)
{
	const struct dvmi_ref *r = &w->run.prog->tlbi[t];
	char tlbi[120], cpu[32], from[32], store[120], text[200];

	name(w, r->pe, r->ev, tlbi, sizeof(tlbi));
	name(w, u->writer, u->write, store, sizeof(store));
	dvmi_witness_cpu(w, u->pe, cpu, sizeof(cpu));
	dvmi_witness_cpu(w, r->pe, from, sizeof(from));
	switch (how) {
	case DVMI_REACH_SCOPE:
		if (dvmi_witness_other_domain(w, u, t)) {
			snprintf(w->wrong, sizeof(w->wrong),
				 "%s acts on a TLBI domain that %s is not in, yet %s could hold the old "
				 "translation, and used it afterwards.",
				 tlbi, cpu, cpu);
			broke(w, 5, "%s is for another TLBI domain than that of %s", tlbi, cpu);
			break;
		}
		snprintf(w->wrong, sizeof(w->wrong),
			 "The flush ended with %s, which acts on %s only, but %s could hold the old "
			 "translation, and used it afterwards.",
			 tlbi, from, cpu);
		broke(w, w->origins && strstr(w->origins->title[u->pe], "SMMU") ? 10 : 5,
		      "%s on %s, while %s may hold the translation", tlbi, from, cpu);
		if (w->origins && w->origins->sampled && w->origins->moves && r->pe != u->writer)
			broke(w, 11, "%s runs on %s after the task left the CPU it had sampled in line "
				     "%u", tlbi, from, w->origins->sampled);
		break;
	case DVMI_REACH_DONE:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s is complete, but on this part the completion does not wait for stores "
			 "of other CPUs that use the old translation, and it was not repeated: a "
			 "store of %s landed afterwards.",
			 tlbi, cpu);
		broke(w, 12, "%s is executed once", tlbi);
		break;
	case DVMI_REACH_TWIN:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s is for one ASID of a KPTI pair; %s used the old translation of the "
			 "other, ASID %u.",
			 tlbi, cpu, u->asid);
		broke(w, 8, "the twin of %s is missing", tlbi);
		break;
	case DVMI_REACH_LEVEL:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s leaves the entry that %s used: %s.", tlbi, cpu,
			 w->run.prog->tables >> u->loc & 1
				 ? "it acts on last-level entries, and this is a table entry"
				 : "its level hint is not the level of the entry");
		broke(w, 7, "%s misses what %s may hold", tlbi, cpu);
		break;
	case DVMI_REACH_EARLY:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s was executed before the store to the descriptor (%s) was in memory, so "
			 "it left %s with the old translation.",
			 tlbi, store, cpu);
		broke(w, 3, "no DSB orders the page-table store before %s", tlbi);
		break;
	case DVMI_REACH_LATE:
		not_completed(w, u, t, tlbi, cpu);
		return;
	default:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s is not for the translation that %s used: it names another ASID or "
			 "another page.",
			 tlbi, cpu);
		snprintf(text, sizeof(text), "reused without a flush of what %s may hold", cpu);
		consequence(w, u, 2, text);
		return;
	}
	snprintf(text, sizeof(text), "%s used the old translation after the flush", cpu);
	consequence(w, u, 1, text);
}

/* Is there no invalid descriptor between the one that the walk used and the newest? */
static bool no_break(const struct dvm_witness *w, const struct dvmi_use *u)
{
	uint8_t first = w->run.prog->pe[u->writer].ev[u->write].id;

	for (unsigned i = 0; i < w->end.order_len; i++) {
		uint8_t n = w->end.order[i];

		if (w->end.wloc[n] == u->loc && i >= w->end.pos[first] &&
		    !(w->end.wval[n] & DVMI_DESC_VALID))
			return false;
	}
	return true;
}

static void blame_reuse(struct dvm_witness *w, const struct dvmi_use *u)
{
	const struct dvmi_program *prog = w->run.prog;
	char cpu[32], from[32], tlbi[120];

	dvmi_witness_cpu(w, u->pe, cpu, sizeof(cpu));
	snprintf(w->wrong, sizeof(w->wrong),
		 "%s used an entry of the mm that had the ASID before: nothing removed it between the "
		 "end of that mm's walks and the arrival of the second.",
		 cpu);
	for (unsigned t = 0; t < prog->tlbis; t++) {
		const struct dvmi_ref *r = &prog->tlbi[t];

		if (!dvmi_witness_done(w, r->pe, r->ev) ||
		    !dvmi_tlbi_hits(prog, &w->end, t, r->pe, u->loc, u->asid))
			continue;
		name(w, r->pe, r->ev, tlbi, sizeof(tlbi));
		dvmi_witness_cpu(w, r->pe, from, sizeof(from));
		if (!dvmi_tlbi_hits(prog, &w->end, t, u->pe, u->loc, u->asid)) {
			snprintf(w->wrong, sizeof(w->wrong),
				 "%s, which should have removed the first mm's entries, acts on %s "
				 "only; %s kept them, and used one for the second mm.",
				 tlbi, from, cpu);
			broke(w, 5, "%s on %s, while %s may hold entries of the first mm", tlbi,
			      from, cpu);
		} else {
			snprintf(w->wrong, sizeof(w->wrong),
				 "%s came too early, or was not complete: %s had the first mm's "
				 "entries again, or still, and used one for the second mm.",
				 tlbi, cpu);
		}
		break;
	}
	broke(w, 6, "%s found the entry of another mm under its ASID", cpu);
}

static void blame_no_break(struct dvm_witness *w, const struct dvmi_use *u)
{
	char cpu[32], store[120];

	dvmi_witness_cpu(w, u->pe, cpu, sizeof(cpu));
	name(w, u->writer, u->write, store, sizeof(store));
	snprintf(w->wrong, sizeof(w->wrong),
		 "%s replaces a valid descriptor by another: no invalid one and no flush came between, "
		 "and %s may hold both translations.",
		 store, cpu);
	consequence(w, u, 9, "");
}

void dvmi_witness_judge(struct dvm_witness *w)
{
	struct dvmi_use u;
	char cpu[32];

	w->broken = 0;
	if (!dvmi_witness_use(w, &u)) {
		snprintf(w->wrong, sizeof(w->wrong), "The last step shows what the condition asks "
						     "for.");
	} else if (u.foreign) {
		blame_reuse(w, &u);
	} else if (u.clash && no_break(w, &u)) {
		blame_no_break(w, &u);
	} else if (u.how != DVMI_REACH_NONE) {
		blame(w, &u, u.tlbi, u.how);
	} else {
		dvmi_witness_cpu(w, u.pe, cpu, sizeof(cpu));
		snprintf(w->wrong, sizeof(w->wrong),
			 "The flush had executed no TLBI: %s went on using the old translation.", cpu);
		consequence(w, &u, 2, "reused without any TLBI");
	}
}

unsigned dvmi_witness_broken(struct dvm_witness *w, const struct dvmi_state *st)
{
	unsigned set = 0;

	w->end = *st;
	dvmi_witness_judge(w);
	for (unsigned i = 0; i < w->broken; i++)
		set |= 1u << w->broke[i].rule;
	return set;
}
