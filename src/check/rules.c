/* SPDX-License-Identifier: MIT */
#include "check/rules.h"

#include "check/machine.h"

#include <dvmsim/check.h>

#include <string.h>

/*
 * The local ordering rules: is event @a ordered before event @b, which comes later in program
 * order (or later within the same instruction)? Barriers are events, so "X before DSB before Y"
 * is two applications of one rule. Relation names in the table are those of Arm's cat model
 * (herdtools7 herd/libdir/aarch64.cat and aarch64hwreqs.cat; Arm ARM DDI 0487 B2.3).
 */
static bool is(const struct dvmi_ev *e, enum dvmi_ev_kind kind)
{
	return e->kind == kind;
}

/* What the table walker reads on its way is no explicit access. */
static bool explicit(const struct dvmi_ev *e)
{
	return (is(e, DVMI_EV_READ) || is(e, DVMI_EV_WRITE)) && !e->walker;
}

static bool explicit_write(const struct dvmi_ev *e)
{
	return is(e, DVMI_EV_WRITE) && !e->walker;
}

/* The walker's own store of AF or dirty state (HU in the cat model). */
static bool hw_update(const struct dvmi_ev *e)
{
	return is(e, DVMI_EV_WRITE) && e->walker;
}

static bool walk(const struct dvmi_ev *e)
{
	return is(e, DVMI_EV_WALK) || (is(e, DVMI_EV_READ) && e->walker);
}

static bool access_or_fault(const struct dvmi_ev *e)
{
	return explicit(e) || is(e, DVMI_EV_FAULT);
}

static bool barrier(const struct dvmi_ev *e, enum dvmi_ev_kind kind, enum dvmi_barrier type)
{
	return e->kind == kind && e->barrier == type;
}

static bool read_ret(const struct dvmi_ev *e)
{
	return is(e, DVMI_EV_READ) && !e->walker && !(e->flags & DVMI_F_NORET);
}

/* Everything after a DSB except walks and their updates; a CSE is left to its own rule. */
static bool after_dsb(const struct dvmi_ev *e)
{
	return !walk(e) && !hw_update(e) && !is(e, DVMI_EV_CSE);
}

static bool dsb_full(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DSB, DVMI_BARRIER_FULL))
		return explicit(a) || (is(a, DVMI_EV_WALK) && !a->walker) || is(a, DVMI_EV_TLBI);
	return barrier(a, DVMI_EV_DSB, DVMI_BARRIER_FULL) && after_dsb(b);
}

static bool dsb_ld(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DSB, DVMI_BARRIER_LD))
		return read_ret(a);
	return barrier(a, DVMI_EV_DSB, DVMI_BARRIER_LD) && after_dsb(b);
}

/* Reads after a DSB ST are a rule of their own: the prose can be read without it. */
static bool dsb_st(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DSB, DVMI_BARRIER_ST))
		return explicit_write(a);
	return barrier(a, DVMI_EV_DSB, DVMI_BARRIER_ST) && after_dsb(b) && !is(b, DVMI_EV_READ);
}

static bool dsb_st_read(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return barrier(a, DVMI_EV_DSB, DVMI_BARRIER_ST) && is(b, DVMI_EV_READ) && !b->walker;
}

static bool dsb_walk(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_DSB) && (walk(b) || hw_update(b));
}

/* A walk in progress, and what it still has to read. */
static bool dsb_walker(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return barrier(b, DVMI_EV_DSB, DVMI_BARRIER_FULL) && walk(a) && a->walker;
}

static bool cse_dsb(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_DSB) && is(b, DVMI_EV_CSE);
}

static bool cse_walk(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_WALK) && !a->walker && is(b, DVMI_EV_CSE);
}

static bool cse_later(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	(void)b;
	return is(a, DVMI_EV_CSE);
}

static bool dmb_full(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DMB, DVMI_BARRIER_FULL))
		return explicit(a);
	return barrier(a, DVMI_EV_DMB, DVMI_BARRIER_FULL) && access_or_fault(b);
}

static bool dmb_ld(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DMB, DVMI_BARRIER_LD))
		return read_ret(a);
	return barrier(a, DVMI_EV_DMB, DVMI_BARRIER_LD) && access_or_fault(b);
}

static bool dmb_st(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	if (barrier(b, DVMI_EV_DMB, DVMI_BARRIER_ST))
		return explicit_write(a);
	return barrier(a, DVMI_EV_DMB, DVMI_BARRIER_ST) &&
	       (explicit_write(b) || is(b, DVMI_EV_FAULT));
}

static bool acquire(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_READ) && (a->flags & (DVMI_F_ACQ | DVMI_F_ACQPC)) &&
	       access_or_fault(b);
}

static bool release(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return explicit(a) && is(b, DVMI_EV_WRITE) && (b->flags & DVMI_F_REL);
}

static bool release_acquire(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_WRITE) && (a->flags & DVMI_F_REL) && is(b, DVMI_EV_READ) &&
	       (b->flags & DVMI_F_ACQ);
}

static bool amo_full(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	const unsigned both = DVMI_F_ACQ | DVMI_F_REL | DVMI_F_AMO;

	return is(a, DVMI_EV_WRITE) && (a->flags & both) == both && access_or_fault(b);
}

static bool walk_write(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_WALK) && !a->walker && explicit_write(b);
}

static bool hw_walk(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return is(a, DVMI_EV_WALK) && !a->walker && hw_update(b) && a->insn != b->insn;
}

static bool ets_fault(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return explicit(a) && is(b, DVMI_EV_WALK) &&
	       (b->outcome == DVMI_OUT_TRANSLATION || b->outcome == DVMI_OUT_ACCESS_FLAG);
}

static bool hw_dsb(const struct dvmi_ev *a, const struct dvmi_ev *b)
{
	return hw_update(a) && barrier(b, DVMI_EV_DSB, DVMI_BARRIER_FULL);
}

/* The dependency rules need the reads a later event depends on, by their bit. */
static bool in(uint64_t reads, unsigned a)
{
	return reads >> a & 1;
}

struct rule_info {
	const char *name, *source, *text;
	bool (*orders)(const struct dvmi_ev *a, const struct dvmi_ev *b);
	bool ets2; /* only with FEAT_ETS2 */
};

static const struct rule_info rules[DVMI_RULES] = {
	[DVMI_R_DSB_FULL] =
		{"dsb-full", "DSB-ob",
		 "a full DSB orders every earlier access, walk and TLBI before everything later "
		 "except walks",
		 dsb_full, false},
	[DVMI_R_DSB_LD] = {"dsb-ld", "DSB-ob",
			   "a DSB LD orders earlier reads before everything later except walks",
			   dsb_ld, false},
	[DVMI_R_DSB_ST] = {"dsb-st", "DSB-ob",
			   "a DSB ST orders earlier writes before everything later except walks "
			   "and reads",
			   dsb_st, false},
	[DVMI_R_DSB_ST_READ] = {"dsb-st-read", "DSB-ob",
				"a DSB ST also orders earlier writes before later reads (the prose "
				"of the instruction can be read without this, and then without "
				"dsb-walk for them)",
				dsb_st_read, false},
	[DVMI_R_DSB_WALK] = {"dsb-walk", "DSB-ob, FEAT_ETS2",
			     "with FEAT_ETS2 a DSB also orders later walks", dsb_walk, true},
	[DVMI_R_DSB_WALKER] =
		{"dsb-walker", "DSB-ob, implicit memory events; 20200401003203.GA12536@redhat.com",
		 "a full DSB waits for table walks in progress, which nothing else does: neither a "
		 "context synchronisation event nor a DMB",
		 dsb_walker, false},
	[DVMI_R_CSE_DSB] = {"cse-dsb", "IFB-ob",
			    "a context synchronisation event waits for earlier DSBs", cse_dsb,
			    false},
	[DVMI_R_CSE_CTRL] =
		{"cse-ctrl", "IFB-ob",
		 "a context synchronisation event waits for reads that earlier branches depend on",
		 NULL, false},
	[DVMI_R_CSE_ADDR] =
		{"cse-addr", "IFB-ob",
		 "a context synchronisation event waits for reads that addresses of earlier "
		 "accesses depend on",
		 NULL, false},
	[DVMI_R_CSE_WALK] =
		{"cse-walk", "IFB-ob",
		 "a context synchronisation event waits for the walks of earlier accesses",
		 cse_walk, false},
	[DVMI_R_CSE_LATER] =
		{"cse-later", "IFB-ob",
		 "everything after a context synchronisation event, walks included, comes after it",
		 cse_later, false},
	[DVMI_R_DMB_FULL] =
		{"dmb-full", "bob",
		 "a full DMB orders explicit accesses (and faults after it), never walks or TLBIs",
		 dmb_full, false},
	[DVMI_R_DMB_LD] = {"dmb-ld", "bob",
			   "a DMB LD orders earlier reads before later accesses and faults", dmb_ld,
			   false},
	[DVMI_R_DMB_ST] = {"dmb-st", "bob",
			   "a DMB ST orders earlier writes before later writes and faults", dmb_st,
			   false},
	[DVMI_R_ACQUIRE] = {"acquire", "bob",
			    "an acquire read comes before later accesses and faults", acquire,
			    false},
	[DVMI_R_RELEASE] = {"release", "bob", "a release write comes after earlier accesses",
			    release, false},
	[DVMI_R_RELEASE_ACQUIRE] = {"release-acquire", "bob",
				    "a release write comes before a later acquire read",
				    release_acquire, false},
	[DVMI_R_AMO_FULL] =
		{"amo-full", "bob",
		 "the write of an acquire-release atomic comes before later accesses and faults",
		 amo_full, false},
	[DVMI_R_DEP_CTRL] = {"dep-ctrl", "dob",
			     "a write or TLBI waits for reads that earlier branches depend on",
			     NULL, false},
	[DVMI_R_DEP_ADDR_PO] =
		{"dep-addr-po", "dob",
		 "a write waits for reads that addresses of earlier accesses depend on", NULL,
		 false},
	[DVMI_R_WALK_WRITE] =
		{"walk-write", "dob: [Imp & TTD & R]; tr-ib; [Exp & M]; po; [Exp & W]",
		 "a write waits for the walks of earlier accesses: one of them might fault",
		 walk_write, false},
	[DVMI_R_HW_WALK] = {"hw-walk", "dob: [Imp & TTD & R]; tr-ib; [Exp & M]; po; [HU]",
			    "the update for an access waits for the walks of earlier accesses",
			    hw_walk, false},
	[DVMI_R_ETS_FAULT] = {"ets-fault", "local-hw-reqs, FEAT_ETS2",
			      "with FEAT_ETS2 a walk that ends in a translation or access flag "
			      "fault comes after "
			      "all earlier accesses",
			      ets_fault, true},
	[DVMI_R_HW_DSB] = {"hw-dsb", "DSB-ob: [M]; po; [dsb.full]",
			   "a full DSB waits for the table walker's updates of descriptors for earlier "
			   "accesses, which no other barrier does",
			   hw_dsb, false},
	[DVMI_R_HW_CTRL] = {"hw-ctrl", "local-hw-reqs: [Exp & R]; ctrl; [HU]",
			    "the update for an access waits for reads that earlier branches depend on",
			    NULL, false},
	[DVMI_R_HW_ADDR_PO] = {"hw-addr-po", "local-hw-reqs: [Exp & R]; addr; [Exp]; po; [HU]",
			       "the update for an access waits for reads that addresses of earlier "
			       "accesses depend on",
			       NULL, false},
	[DVMI_R_COHERENCE_WRITE] = {"coherence-write", "lws; aob: rmw; coWW, coRW1",
				    "a write comes after earlier accesses of its PE to the same "
				    "location, so also after "
				    "the read of its atomic or exclusive pair",
				    NULL, false},
	[DVMI_R_COHERENCE_WR] = {"coherence-wr", "coWR-Exp",
				 "a read returns nothing older than an earlier write of its PE",
				 NULL, false},
	[DVMI_R_COHERENCE_RR] = {"coherence-rr", "Exp-haz-ob",
				 "two reads of one PE and location see writes in coherence order",
				 NULL, false},
	[DVMI_R_FORWARD] =
		{"forward", "rf & int is not in ob",
		 "a read may take its value from an earlier write of its PE that memory has not "
		 "seen yet",
		 NULL, false},
	[DVMI_R_RMW_FORWARD] =
		{"rmw-forward", "aob: rmw; lrs; [A], [Q]",
		 "an acquire read takes nothing from an atomic whose read is not done", NULL,
		 false},
	[DVMI_R_ATOMIC] = {"atomic", "atomic",
			   "nothing of another PE comes between the two halves of an atomic", NULL,
			   false},
	[DVMI_R_WALK_MEMORY] = {"walk-memory", "TTD-obs: rf; [Imp & TTD]",
				"a walk reads memory, never a write that is still on its way", NULL,
				false},
	[DVMI_R_WALK_FRESH] =
		{"walk-fresh", "TTD-obs: TLBuncacheable-ca",
		 "a descriptor that gives a translation or access flag fault is not cached: such a "
		 "walk reads the newest value",
		 NULL, false},
	[DVMI_R_STALE] = {"stale", "[Imp & TTD & R]; ca is not in ob",
			  "a TLB may keep any cacheable descriptor that memory ever held", NULL,
			  false},
	[DVMI_R_TLBI] = {"tlbi", "TTD-obs: TLBI-ca; TLBI-ob",
			 "after a TLBI is complete no walk in its scope returns what was "
			 "overwritten before "
			 "it",
			 NULL, false},
	[DVMI_R_TLBI_TYPE] = {"tlbi-type", "C_TLBI, DSB-ob",
			      "only a full DSB completes a TLBI, not DSB LD or DSB ST", NULL,
			      false},
	[DVMI_R_TLBI_DOMAIN] = {"tlbi-domain", "Arm ARM D8, \"Ordering and completion of TLB maintenance instructions\"",
				"a DSB NSH does not complete a broadcast TLBI (off in litmus: the "
				"cat model has no "
				"domains)",
				NULL, false},
	[DVMI_R_TLBI_LOCAL] = {"tlbi-local", "inv-scope",
			       "a TLBI without IS or OS acts on its own PE only", NULL, false},
	[DVMI_R_TLBI_MATCH] = {"tlbi-match", "inv-scope",
			       "a TLBI by address or ASID acts on that address or ASID only", NULL,
			       false},
	[DVMI_R_TLBI_LEVEL] =
		{"tlbi-level", "Arm ARM C5.5, TLBI VALE1 and the like: TTL, last-level forms",
		 "a TLBI of the last level leaves table entries, and a level hint (TTL) that is not "
		 "the entry's leaves the entry",
		 NULL, false},
	[DVMI_R_TLBI_DRAIN] =
		{"tlbi-drain", "TLBI-ob: tr-ib^-1; TTD-read-ordered-before & ext",
		 "completion waits for accesses and faults of other PEs that used what the TLBI "
		 "removes",
		 NULL, false},
	[DVMI_R_TLBI_DRAIN_WRITE] =
		{"tlbi-drain-write", "TLBI-ob; not so with erratum 4118414 (Linux cfd391e74134)",
		 "the first completion of a broadcast TLBI waits for writes too; on parts with the "
		 "erratum only that of a second broadcast TLBI does",
		 NULL, false},
	[DVMI_R_TLBI_SAME_VA] =
		{"tlbi-same-va", "TLBI-ob, same address",
		 "completion also waits for walks of accesses to the same address before such an "
		 "access",
		 NULL, false},
	[DVMI_R_HW_ATOMIC] = {"hw-atomic", "[Imp & TTD & R]; rmw; [HU]; atomic",
			      "the table walker reads a descriptor and updates it at once: no other "
			      "write to it comes in between",
			      NULL, false},
	[DVMI_R_HW_AF_EARLY] =
		{"hw-af-early", "Arm ARM D8, \"Hardware management of the Access flag\"; herd: spurious_setaf",
		 "with TTHM=HA the access flag of a page may be set early, for an access that never "
		 "happens",
		 NULL, false},
	[DVMI_R_HW_DIRTY_LATE] =
		{"hw-dirty-late", "Arm ARM D8, \"Hardware management of dirty state\"; herd: none for DB",
		 "the dirty state is set only for a store that happens, never early", NULL, false},
};

static bool depends(enum dvmi_rule rule, const struct dvmi_pe *pe, unsigned a, unsigned b)
{
	const struct dvmi_ev *later = &pe->ev[b];

	switch (rule) {
	case DVMI_R_CSE_CTRL:
		return is(later, DVMI_EV_CSE) && in(later->ctrl_reads, a);
	case DVMI_R_CSE_ADDR:
		return is(later, DVMI_EV_CSE) && in(later->addrpo_reads, a);
	case DVMI_R_DEP_CTRL:
		return (explicit_write(later) || is(later, DVMI_EV_TLBI)) &&
		       in(later->ctrl_reads, a);
	case DVMI_R_DEP_ADDR_PO:
		return explicit_write(later) && in(later->addrpo_reads, a);
	case DVMI_R_HW_CTRL:
		return hw_update(later) && in(later->ctrl_reads, a);
	case DVMI_R_HW_ADDR_PO:
		return hw_update(later) && in(later->addrpo_reads, a);
	default:
		return false;
	}
}

/*
 * Not rules but how instructions work (tr-ib, addr, data): an access follows its walk, a walk its
 * address, a write its data. A machine without these could not even run.
 */
static bool intrinsic(const struct dvmi_pe *pe, unsigned a, unsigned b)
{
	const struct dvmi_ev *later = &pe->ev[b];

	if (is(&pe->ev[a], DVMI_EV_WALK) && pe->ev[a].insn == later->insn)
		return true;
	return in(later->addr_reads, a) || in(later->data_reads, a);
}

/* A load that need not wait for a DSB ST (dsb-st-read off) need not wait with its walk either. */
static bool exempt(const struct dvmi_rules *on, enum dvmi_rule rule, const struct dvmi_ev *a,
		   const struct dvmi_ev *b)
{
	return rule == DVMI_R_DSB_WALK && !dvmi_rule_on(on, DVMI_R_DSB_ST_READ) &&
	       a->barrier == DVMI_BARRIER_ST && !(b->flags & DVMI_F_WRITES);
}

void dvmi_rules_apply(const struct dvmi_rules *on, struct dvmi_pe *pe)
{
	for (unsigned b = 0; b < pe->events; b++) {
		pe->ev[b].pred = 0;
		for (unsigned a = 0; a < b; a++) {
			bool ordered = intrinsic(pe, a, b);

			for (unsigned r = 0; r < DVMI_RULES_ORDER && !ordered; r++) {
				if (!dvmi_rule_on(on, (enum dvmi_rule)r) ||
				    (rules[r].ets2 && !on->ets2) ||
				    exempt(on, (enum dvmi_rule)r, &pe->ev[a], &pe->ev[b]))
					continue;
				ordered = rules[r].orders ? rules[r].orders(&pe->ev[a], &pe->ev[b])
							  : depends((enum dvmi_rule)r, pe, a, b);
			}
			if (ordered)
				pe->ev[b].pred |= UINT64_C(1) << a;
		}
	}
}

unsigned dvm_check_rules(void)
{
	return DVMI_RULES;
}

const char *dvm_check_rule_name(unsigned rule)
{
	return rule < DVMI_RULES ? rules[rule].name : NULL;
}

const char *dvm_check_rule_source(unsigned rule)
{
	return rule < DVMI_RULES ? rules[rule].source : NULL;
}

const char *dvm_check_rule_text(unsigned rule)
{
	return rule < DVMI_RULES ? rules[rule].text : NULL;
}

int dvm_check_rule_find(const char *name)
{
	for (unsigned r = 0; r < DVMI_RULES; r++)
		if (!strcmp(rules[r].name, name))
			return (int)r;
	return -DVM_ENOENT;
}
