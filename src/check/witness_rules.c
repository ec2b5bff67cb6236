/* SPDX-License-Identifier: MIT */
/*
 * Which safety rule an execution broke. A stale use is an access whose descriptor had been
 * overwritten when it happened. Each TLBI that stood between the overwriting and the access is asked
 * why it did not prevent it; the one that came closest tells.
 */
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

/* The stale use, as the judge sees it. */
struct use {
	unsigned pe, ev, walk;	/* the access and the event of its walk */
	unsigned writer, write; /* PE and event of the store that made the translation stale */
	unsigned seen;		/* step of that store */
	uint16_t loc, asid;
	bool clash;   /* a walk used it while memory held another translation: break-before-make */
	bool foreign; /* it is of the mm that had the ASID before */
};

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

/* The write that overwrote what walk @id returned, and when; false: none before step @before. */
static bool overwriter(const struct dvm_witness *w, unsigned id, unsigned before, struct use *u)
{
	const struct dvmi_program *prog = w->run.prog;
	uint8_t src = w->end.tsrc[id];
	unsigned i = 0;

	if (src != DVMI_INIT)
		i = w->end.pos[src] + 1u;
	for (; i < w->end.order_len; i++) {
		const struct dvmi_ref *r = &prog->write[w->end.order[i]];

		if (w->end.wloc[w->end.order[i]] != w->end.tloc[id])
			continue;
		u->writer = r->pe;
		u->write = r->ev;
		u->seen = w->when[r->pe][r->ev];
		return u->seen < before;
	}
	return false;
}

/* A store to the descriptor that is still to come: the reuse overtook it. */
static bool pending(const struct dvm_witness *w, unsigned id, struct use *u)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned i = 0; i < prog->writes; i++) {
		const struct dvmi_ref *r = &prog->write[i];

		if (w->when[r->pe][r->ev] ||
		    !(prog->pe[r->pe].ev[r->ev].touches & dvmi_loc_class(w->end.tloc[id])))
			continue;
		u->writer = r->pe;
		u->write = r->ev;
		u->seen = 0;
		return w->origins != NULL;
	}
	return false;
}

/* The walk of an execution that met two translations side by side. */
static bool find_clash(const struct dvm_witness *w, struct use *u)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned i = w->way.bad; i-- > 0 && (w->end.clash & prog->watch);) {
		unsigned pe = w->way.step[i].pe, ev = w->way.step[i].ev;
		const struct dvmi_ev *t = &prog->pe[pe].ev[ev];

		if (t->kind != DVMI_EV_WALK || w->end.tloc[t->id] == DVMI_LOC_NONE ||
		    !(w->end.clash >> w->end.tloc[t->id] & 1) ||
		    !overwriter(w, t->id, i + 1, u))
			continue;
		u->pe = pe;
		u->ev = u->walk = ev;
		u->loc = w->end.tloc[t->id];
		u->asid = t->asid;
		u->clash = true;
		return true;
	}
	return false;
}

/* The access that went through an entry of the mm which had its ASID before. */
static bool find_foreign(const struct dvm_witness *w, struct use *u)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned i = w->way.bad; i-- > 0 && prog->lefts;) {
		unsigned pe = w->way.step[i].pe, ev = w->way.step[i].ev;
		const struct dvmi_ev *t = &prog->pe[pe].ev[ev];
		uint16_t loc = t->kind == DVMI_EV_WALK ? w->end.tloc[t->id] : DVMI_LOC_NONE;

		if (loc == DVMI_LOC_NONE ||
		    loc == dvmi_walk_desc(prog, t, dvmi_page_of_desc(prog, loc)))
			continue;
		u->pe = pe;
		u->ev = u->walk = ev;
		u->loc = loc;
		u->asid = t->asid;
		u->foreign = true;
		return true;
	}
	return false;
}

/*
 * The last access of the execution that went through an overwritten descriptor; or, in a test made
 * from a strategy, through one whose overwriting is under way.
 */
static bool find_use(const struct dvm_witness *w, struct use *u)
{
	const struct dvmi_program *prog = w->run.prog;

	for (unsigned i = w->way.bad; i-- > 0;) {
		unsigned pe = w->way.step[i].pe;
		const struct dvmi_ev *e = &prog->pe[pe].ev[w->way.step[i].ev], *t;

		if ((e->kind != DVMI_EV_READ && e->kind != DVMI_EV_WRITE) || e->pair == DVMI_NONE)
			continue;
		t = &prog->pe[pe].ev[e->pair];
		if (w->end.tloc[t->id] == DVMI_LOC_NONE ||
		    (!overwriter(w, t->id, i + 1, u) && !pending(w, t->id, u)))
			continue;
		u->pe = pe;
		u->ev = w->way.step[i].ev;
		u->walk = e->pair;
		u->loc = w->end.tloc[t->id];
		u->asid = t->asid;
		return true;
	}
	return false;
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
static const char *reused(const struct dvm_witness *w)
{
	if (w->end.clash)
		return "The page got another translation";
	return w->origins ? "The page was reused" : "The last access happened";
}

/* How far a TLBI came towards preventing the use; the higher the closer. */
enum reach {
	REACH_NONE,
	REACH_OTHER,
	REACH_TWIN, /* the other ASID of a KPTI pair */
	REACH_LEVEL,
	REACH_SCOPE,
	REACH_EARLY,
	REACH_LATE,
	REACH_DONE, /* complete, and yet: the erratum */
};

/* Would TLBI @t hit if levels did not matter? */
static bool hits_but_level(const struct dvm_witness *w, const struct use *u, unsigned t)
{
	struct dvmi_rules *on = &w->run.prog->rules;
	uint64_t off = on->off;
	bool hits;

	on->off |= UINT64_C(1) << DVMI_R_TLBI_LEVEL;
	hits = dvmi_tlbi_hits(w->run.prog, &w->end, t, w->run.prog->tlbi[t].pe, u->loc, u->asid);
	on->off = off;
	return hits;
}

static enum reach reach(const struct dvm_witness *w, const struct use *u, unsigned t)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ref *r = &prog->tlbi[t];
	const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);
	uint8_t overwrite = prog->pe[u->writer].ev[u->write].id;

	if (o && o->installs)
		return REACH_NONE;
	if (!w->when[r->pe][r->ev])
		return REACH_LATE; /* not even executed when the use happened */
	if (!dvmi_tlbi_hits(prog, &w->end, t, r->pe, u->loc, u->asid) && w->origins &&
	    w->origins->kpti && dvmi_tlbi_hits(prog, &w->end, t, r->pe, u->loc, u->asid ^ 1))
		return REACH_TWIN;
	if (!dvmi_tlbi_hits(prog, &w->end, t, r->pe, u->loc, u->asid))
		return hits_but_level(w, u, t) ? REACH_LEVEL : REACH_OTHER;
	if (!dvmi_tlbi_hits(prog, &w->end, t, u->pe, u->loc, u->asid))
		return REACH_SCOPE;
	if (!u->seen || w->end.pos[overwrite] >= w->end.snap[t])
		return REACH_EARLY;
	if (w->origins && w->origins->erratum &&
	    (w->end.done[r->pe] & prog->completed_by[t]) != 0)
		return REACH_DONE;
	return REACH_LATE;
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
	for (*pe = 0; *pe < prog->pes && w->when[r->pe][r->ev]; (*pe)++)
		for (*ev = 0; *pe != r->pe && *ev < prog->pe[*pe].events; (*ev)++)
			if (prog->pe[*pe].ev[*ev].kind == DVMI_EV_DSB &&
			    w->when[*pe][*ev] > w->when[r->pe][r->ev])
				return true;
	return false;
}

/* What the cause led to. */
static void consequence(struct dvm_witness *w, const struct use *u, unsigned rule, const char *text)
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
	broke(w, rule, "%s", text);
}

static void not_completed(struct dvm_witness *w, const struct use *u, unsigned t, const char *tlbi,
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
			 reused(w), cpu);
		broke(w, 4, "%s does not complete %s", dsb, tlbi);
	} else if (!w->when[r->pe][r->ev]) {
		snprintf(w->wrong, sizeof(w->wrong), "%s before the TLBI, %s, was even executed.",
			 reused(w), tlbi);
	} else {
		snprintf(w->wrong, sizeof(w->wrong),
			 "Nothing had waited for %s. %s while %s could still use the old "
			 "translation.",
			 tlbi, reused(w), cpu);
	}
	snprintf(text, sizeof(text), "reused before %s was complete", tlbi);
	consequence(w, u, 2, text);
}

static void blame(struct dvm_witness *w, const struct use *u, unsigned t, enum reach how)
{
	const struct dvmi_ref *r = &w->run.prog->tlbi[t];
	char tlbi[120], cpu[32], from[32], store[120], text[200];

	name(w, r->pe, r->ev, tlbi, sizeof(tlbi));
	name(w, u->writer, u->write, store, sizeof(store));
	dvmi_witness_cpu(w, u->pe, cpu, sizeof(cpu));
	dvmi_witness_cpu(w, r->pe, from, sizeof(from));
	switch (how) {
	case REACH_SCOPE:
		snprintf(w->wrong, sizeof(w->wrong),
			 "The flush ended with %s, which acts on %s only, but %s could hold the old "
			 "translation, and used it afterwards.",
			 tlbi, from, cpu);
		broke(w, w->origins && strstr(w->origins->title[u->pe], "SMMU") ? 10 : 5,
		      "%s on %s, while %s may hold the translation", tlbi, from, cpu);
		if (w->origins && w->origins->moves && r->pe != u->writer)
			broke(w, 11, "%s runs on %s after the task left the CPU it had sampled",
			      tlbi, from);
		break;
	case REACH_DONE:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s is complete, but on this part the completion does not wait for stores "
			 "of other CPUs that use the old translation, and it was not repeated: a "
			 "store of %s landed afterwards.",
			 tlbi, cpu);
		broke(w, 12, "%s is executed once", tlbi);
		break;
	case REACH_TWIN:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s is for one ASID of a KPTI pair; %s used the old translation of the "
			 "other.",
			 tlbi, cpu);
		broke(w, 8, "the twin of %s is missing", tlbi);
		break;
	case REACH_LEVEL:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s leaves the entry that %s used: %s.", tlbi, cpu,
			 w->run.prog->tables >> u->loc & 1
				 ? "it acts on last-level entries, and this is a table entry"
				 : "its level hint is not the level of the entry");
		broke(w, 7, "%s misses what %s may hold", tlbi, cpu);
		break;
	case REACH_EARLY:
		snprintf(w->wrong, sizeof(w->wrong),
			 "%s was executed before the store to the descriptor (%s) was in memory, so "
			 "it left %s with the old translation.",
			 tlbi, store, cpu);
		broke(w, 3, "no DSB orders the page-table store before %s", tlbi);
		break;
	case REACH_LATE:
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

/* The TLBI that came closest; @own: of the strategy's, the kernel's own ones left aside. */
static enum reach closest(const struct dvm_witness *w, const struct use *u, bool own, unsigned *tlbi)
{
	enum reach best = REACH_NONE;

	for (unsigned t = 0; t < w->run.prog->tlbis; t++) {
		const struct dvmi_ref *r = &w->run.prog->tlbi[t];
		const struct dvmi_origin *o = dvmi_witness_origin(w, r->pe, r->ev);
		enum reach how = own && o && !o->line ? REACH_NONE : reach(w, u, t);

		if (how > best) {
			best = how;
			*tlbi = t;
		}
	}
	return best;
}

/* Is there no invalid descriptor between the one that the walk used and the newest? */
static bool no_break(const struct dvm_witness *w, const struct use *u)
{
	for (unsigned i = 0; i < w->end.order_len; i++) {
		uint8_t n = w->end.order[i];
		const struct dvmi_ref *r = &w->run.prog->write[n];

		if (w->end.wloc[n] == u->loc && w->when[r->pe][r->ev] >= u->seen &&
		    !(w->end.wval[n] & DVMI_DESC_VALID))
			return false;
	}
	return true;
}

static void blame_reuse(struct dvm_witness *w, const struct use *u)
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

		if (!w->when[r->pe][r->ev] ||
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

static void blame_no_break(struct dvm_witness *w, const struct use *u)
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
	struct use u = {.clash = false};
	unsigned tlbi = 0;
	enum reach best;
	char cpu[32];

	if (find_foreign(w, &u)) {
		blame_reuse(w, &u);
		return;
	}
	if (find_clash(w, &u) && no_break(w, &u)) {
		blame_no_break(w, &u);
		return;
	}
	if (!u.clash && !find_use(w, &u)) {
		snprintf(w->wrong, sizeof(w->wrong), "The last step shows what the condition asks "
						     "for.");
		return;
	}
	best = closest(w, &u, true, &tlbi);
	if (best == REACH_NONE)
		best = closest(w, &u, false, &tlbi);
	if (best != REACH_NONE) {
		blame(w, &u, tlbi, best);
		return;
	}
	dvmi_witness_cpu(w, u.pe, cpu, sizeof(cpu));
	snprintf(w->wrong, sizeof(w->wrong),
		 "No TLBI was executed at all: %s went on using the old translation.", cpu);
	consequence(w, &u, 2, "reused without any TLBI");
}
