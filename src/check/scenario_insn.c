/* SPDX-License-Identifier: MIT */
/*
 * One instruction of a strategy into AArch64: arithmetic, accesses, barriers, TLBIs. What is known
 * when the test is made (fields, self, what was computed from them) is folded.
 */
#include "check/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SCRATCH = DVMI_SCN_SCRATCH, SCRATCH2 = DVMI_SCN_SCRATCH2 };

/* ---- values ---- */

bool dvmi_scn_known(const struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
		    const struct dvmi_operand *o, uint64_t *value)
{
	unsigned slot = o->kind == DVMI_MASK ? DVMI_SCN_MASK0 + o->n : o->n;

	switch (o->kind) {
	case DVMI_REG:
	case DVMI_MASK:
		*value = s->value[slot];
		return s->known >> slot & 1;
	case DVMI_SELF:
		*value = x->h->cpu;
		return true;
	case DVMI_FIELD:
		*value = o->n == DVMI_RESTARTS ? s->restarts : x->h->fields[o->n];
		return true;
	default:
		*value = o->kind == DVMI_IMM ? o->imm : 0;
		return true;
	}
}

unsigned dvmi_scn_in_reg(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
			 const struct dvmi_operand *o, unsigned scratch)
{
	uint64_t v;

	if (!dvmi_scn_known(x, s, o, &v))
		return dvmi_scn_reg(x->t, x->column,
				    o->kind == DVMI_MASK ? DVMI_SCN_MASK0 + o->n : o->n);
	dvmi_scn_line(x->t, x->column, "MOV X%u,#%" PRIu64, scratch, v);
	return scratch;
}

static unsigned target_reg(struct dvmi_scn_xlat *x, const struct dvmi_insn *insn)
{
	return insn->dst == DVMI_NOREG ? SCRATCH : dvmi_scn_reg(x->t, x->column, insn->dst);
}

void dvmi_scn_set_known(struct dvmi_scn_state *s, unsigned slot, uint64_t value)
{
	if (slot >= DVMI_SCN_SLOTS)
		return;
	s->value[slot] = value;
	s->known |= 1u << slot;
}

void dvmi_scn_set_unknown(struct dvmi_scn_state *s, unsigned slot)
{
	if (slot >= DVMI_SCN_SLOTS)
		return;
	s->value[slot] = 0; /* equal states compare equal */
	s->known &= ~(1u << slot);
}

/* ---- instructions ---- */

unsigned dvmi_scn_domain(const struct dvmi_scn_test *t, unsigned cpu)
{
	return t->env.domains < 2 ? 0 : cpu;
}

static void cpu_domain(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		       const struct dvmi_insn *insn)
{
	uint64_t cpu;

	if (!dvmi_scn_known(x, s, &insn->src[0], &cpu) || cpu >= DVMI_SCN_CPUS)
		dvmi_scn_unsupported(x->t, insn, "a CPU number that was loaded, or none of three");
	else
		dvmi_scn_set_known(s, insn->dst, dvmi_scn_domain(x->t, (unsigned)cpu));
}

static void arithmetic(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	static const char *const names[] = {
		[DVMI_ADD] = "ADD", [DVMI_SUB] = "SUB", [DVMI_AND] = "AND", [DVMI_OR] = "ORR",
		[DVMI_XOR] = "EOR", [DVMI_LSL] = "LSL", [DVMI_LSR] = "LSR"};
	uint64_t a, b;
	bool all = dvmi_scn_known(x, s, &insn->src[0], &a);
	unsigned ra, rb;

	all &= dvmi_scn_known(x, s, &insn->src[1], &b);
	if (all) {
		dvmi_scn_set_known(s, insn->dst, dvmi_op_compute(insn->op, a, b));
		return;
	}
	if ((insn->op == DVMI_LSL || insn->op == DVMI_LSR) &&
	    (!dvmi_scn_known(x, s, &insn->src[1], &b) || b > 63)) {
		dvmi_scn_unsupported(x->t, insn, "a shift by a loaded value");
		return;
	}
	ra = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH);
	if (insn->op == DVMI_MOV) {
		dvmi_scn_line(x->t, x->column, "MOV X%u,X%u", target_reg(x, insn), ra);
	} else {
		rb = dvmi_scn_in_reg(x, s, &insn->src[1], SCRATCH2);
		dvmi_scn_line(x->t, x->column, "%s X%u,X%u,X%u", names[insn->op], target_reg(x, insn),
			      ra, rb);
	}
	dvmi_scn_set_unknown(s, insn->dst);
}

static const char *suffix(const struct dvmi_insn *insn)
{
	return insn->order == DVMI_ACQUIRE ? "A" : insn->order == DVMI_RELEASE ? "L" : "";
}

/* Does this access a word that only this CPU reads: of the other mm, or its own? */
static bool is_private(const struct dvmi_scn_xlat *x, const struct dvmi_insn *insn)
{
	bool swap = (x->h->hook == DVMI_HOOK_SWITCH_IN && insn->base == DVMI_BASE_PREV) ||
		    (x->h->hook == DVMI_HOOK_SWITCH_OUT && insn->base == DVMI_BASE_NEXT);

	if (x->t->unfolded || insn->word >= DVMI_SCN_FOLDED || x->p->words[insn->word].kernel)
		return false;
	if (insn->base == DVMI_BASE_CPU)
		return true;
	return insn->base >= DVMI_BASE_MM && insn->base <= DVMI_BASE_NEXT &&
	       (x->h->mm == DVMI_SCN_OTHER_MM) != swap;
}

/*
 * Nobody else reads these: what the accesses return is known, and leaving them out only takes order
 * away. false: something about them is not known.
 */
static bool fold_access(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
			const struct dvmi_insn *insn)
{
	uint64_t a, b, old = s->folded[insn->word], *now = &s->folded[insn->word], bit;
	const bool all = dvmi_scn_known(x, s, &insn->src[0], &a);

	if (insn->index.kind != DVMI_NONE) /* cpu[r].x: then others read them too */
		return false;
	if (insn->op == DVMI_LDMASK) {
		dvmi_scn_set_known(s, DVMI_SCN_MASK0 + insn->src[0].n, old);
		return true;
	}
	if (!all || !dvmi_scn_known(x, s, &insn->src[1], &b))
		return false;
	bit = UINT64_C(1) << (a & 63);
	switch (insn->op) {
	case DVMI_LD:
		break;
	case DVMI_ST:
	case DVMI_XCHG:
	case DVMI_STMASK:
		*now = a;
		break;
	case DVMI_FADD:
		*now += a;
		break;
	case DVMI_CAS:
		*now = old == a ? b : old;
		break;
	case DVMI_SETALL:
	case DVMI_CLRALL:
		*now = insn->op == DVMI_SETALL ? (1u << DVMI_SCN_CPUS) - 1 : 0;
		break;
	default:
		if (insn->op == DVMI_SETBIT || insn->op == DVMI_TSETBIT)
			*now |= bit;
		else if (insn->op != DVMI_TSTBIT)
			*now &= ~bit;
		old = (old & bit) != 0;
	}
	if (insn->dst != DVMI_NOREG)
		dvmi_scn_set_known(s, insn->dst, old);
	return true;
}

static void access(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	struct dvmi_scn_test *t = x->t;
	unsigned dst, c = x->column, reg, reg_old, a;
	uint64_t cpu = x->h->cpu, *init;
	char name[32];

	if (is_private(x, insn)) {
		if (insn->order == DVMI_FULL)
			dvmi_scn_line(t, c, "DMB ISH");
		t->unfold |= !fold_access(x, s, insn);
		return;
	}
	if (insn->index.kind != DVMI_NONE &&
	    (!dvmi_scn_known(x, s, &insn->index, &cpu) || cpu >= DVMI_SCN_CPUS)) {
		dvmi_scn_unsupported(t, insn, "a CPU number that was loaded, or none of three");
		return;
	}
	init = dvmi_scn_word(t, x->h, insn, (unsigned)cpu, name, sizeof(name));
	reg = dvmi_scn_loc(t, c, name, *init);
	if (insn->order == DVMI_FULL)
		dvmi_scn_line(t, c, "DMB ISH");
	if (insn->op > DVMI_FADD) {
		dvmi_scn_mask_memory(x, s, insn, reg);
		if (insn->order == DVMI_FULL)
			dvmi_scn_line(t, c, "DMB ISH");
		return;
	}
	dst = target_reg(x, insn);
	switch (insn->op) {
	case DVMI_LD:
		dvmi_scn_line(t, c, "%s X%u,[X%u]", insn->order == DVMI_ACQUIRE ? "LDAR" : "LDR",
			      dst, reg);
		break;
	case DVMI_ST:
		a = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH2);
		dvmi_scn_line(t, c, "%s X%u,[X%u]", insn->order == DVMI_RELEASE ? "STLR" : "STR", a,
			      reg);
		break;
	case DVMI_CAS:
		a = dvmi_scn_in_reg(x, s, &insn->src[1], SCRATCH2);
		reg_old = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH);
		if (reg_old != SCRATCH)
			dvmi_scn_line(t, c, "MOV X%u,X%u", SCRATCH, reg_old);
		dvmi_scn_line(t, c, "CAS%s X%u,X%u,[X%u]", suffix(insn), SCRATCH, a, reg);
		if (dst != SCRATCH)
			dvmi_scn_line(t, c, "MOV X%u,X%u", dst, SCRATCH);
		break;
	default:
		a = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH2);
		if (insn->op == DVMI_FADD && insn->dst == DVMI_NOREG)
			dvmi_scn_line(t, c, "LDADD%s X%u,XZR,[X%u]", suffix(insn), a, reg);
		else
			dvmi_scn_line(t, c, "%s%s X%u,X%u,[X%u]",
				      insn->op == DVMI_FADD ? "LDADD" : "SWP", suffix(insn), a, dst,
				      reg);
	}
	if (insn->order == DVMI_FULL)
		dvmi_scn_line(t, c, "DMB ISH");
	if (insn->op != DVMI_ST)
		dvmi_scn_set_unknown(s, insn->dst);
}

/* HCR_EL2.BSU = inner shareable: what a guest executes has at least that domain. */
static unsigned domain(const struct dvmi_scn_xlat *x, unsigned d)
{
	return x->t->env.fb && d == DVMI_DOMAIN_NSH ? DVMI_DOMAIN_ISH : d;
}

static void barrier(struct dvmi_scn_xlat *x, const struct dvmi_insn *insn)
{
	static const char *const names[3][4] = {
		[DVMI_BARRIER_ALL] = {"NSH", "ISH", "OSH", "SY"},
		[DVMI_BARRIER_ST] = {"NSHST", "ISHST", "OSHST", "ST"},
		[DVMI_BARRIER_LD] = {"NSHLD", "ISHLD", "OSHLD", "LD"},
	};

	if (insn->op == DVMI_ISB)
		dvmi_scn_line(x->t, x->column, "ISB");
	else
		dvmi_scn_line(x->t, x->column, "%s %s", insn->op == DVMI_DMB ? "DMB" : "DSB",
			      names[insn->type][domain(x, insn->domain)]);
}

void dvmi_scn_sync(struct dvmi_scn_test *t, unsigned column)
{
	dvmi_scn_line(t, column, "DSB ISH");
	if (!t->env.erratum)
		return;
	dvmi_scn_line(t, column, "TLBI VALE1IS,XZR"); /* Linux commit a8f78680ee6b */
	dvmi_scn_line(t, column, "DSB ISH");
}

/* ---- TLBIs ---- */

/* By address; @hint goes into the operand too. */
static void tlbi_va(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s, const char *op,
		    unsigned asid_or, uint64_t hint)
{
	uint64_t bits = (s->value[DVMI_SCN_ASID] | asid_or) << 48 | hint;
	unsigned c = x->column;

	if (!(s->known >> DVMI_SCN_ASID & 1)) {
		dvmi_scn_line(x->t, c, "LSL X%d,X%u,#48", SCRATCH2,
			      dvmi_scn_reg(x->t, c, DVMI_SCN_ASID));
		if (hint) {
			dvmi_scn_line(x->t, c, "MOV X%d,#%" PRIu64, SCRATCH, hint);
			dvmi_scn_line(x->t, c, "ORR X%d,X%d,X%d", SCRATCH2, SCRATCH2, SCRATCH);
		}
		dvmi_scn_line(x->t, c, "ORR X%d,X%d,X%d", SCRATCH2, SCRATCH2, DVMI_SCN_PAGE_X);
		dvmi_scn_line(x->t, c, "TLBI %s,X%d", op, SCRATCH2);
		return;
	}
	if (!bits) {
		dvmi_scn_line(x->t, c, "TLBI %s,X%d", op, DVMI_SCN_PAGE_X);
		return;
	}
	dvmi_scn_line(x->t, c, "MOV X%d,#%" PRIu64, SCRATCH2, bits);
	dvmi_scn_line(x->t, c, "ORR X%d,X%d,X%d", SCRATCH2, SCRATCH2, DVMI_SCN_PAGE_X);
	dvmi_scn_line(x->t, c, "TLBI %s,X%d", op, SCRATCH2);
}

/* @domain: number in the operand, 0 for none. */
static void tlbi_asid(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s, const char *is,
		      unsigned asid_or, uint64_t domain)
{
	if (s->known >> DVMI_SCN_ASID & 1) {
		dvmi_scn_line(x->t, x->column, "MOV X%d,#%" PRIu64, SCRATCH2,
			      (s->value[DVMI_SCN_ASID] | asid_or) << 48 | domain);
	} else {
		dvmi_scn_line(x->t, x->column, "LSL X%d,X%u,#48", SCRATCH2,
			      dvmi_scn_reg(x->t, x->column, DVMI_SCN_ASID));
		if (domain)
			dvmi_scn_line(x->t, x->column, "ADD X%d,X%d,#%" PRIu64, SCRATCH2, SCRATCH2,
				      domain);
	}
	dvmi_scn_line(x->t, x->column, "TLBI ASIDE1%s,X%d", is, SCRATCH2);
}

/*
 * One operation on the page. Where tables were freed x stands for a table entry. The right hint
 * (level 3) changes nothing, so it is left out; the wrong one is TTL 0b0110: 4 KB, level 2.
 */
static void tlbi_page(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s, const struct dvmi_insn *insn,
		      const char *is, unsigned asid_or)
{
	bool all = x->h->fields[DVMI_REQ_FREED_TABLES] && !(insn->flags & DVMI_TLBI_LEAF);
	uint64_t hint = insn->flags & DVMI_TLBI_BADTTL ? UINT64_C(6) << 44 : 0;
	char op[16];

	snprintf(op, sizeof(op), "%s%s", all ? "VAE1" : "VALE1", is);
	tlbi_va(x, s, op, asid_or, hint);
}

static void tlbi(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	const char *is = insn->scope == DVMI_TLBI_IS || x->t->env.fb ? "IS" : "";
	bool twin = x->t->env.kpti && !(insn->flags & DVMI_TLBI_NOTWIN);
	bool page = insn->what == DVMI_TLBI_REQUEST && !x->h->whole_mm;
	uint64_t domain = 0;

	if (insn->src[0].kind != DVMI_NONE) {
		if (!dvmi_scn_known(x, s, &insn->src[0], &domain) || domain >= x->t->env.domains) {
			dvmi_scn_unsupported(x->t, insn, "a domain number that was loaded, or of no domain");
			return;
		}
		domain++; /* in the operand 0 is everybody */
		x->t->domains = true;
	}
	if (insn->what == DVMI_TLBI_ALL && domain) {
		dvmi_scn_line(x->t, x->column, "MOV X%d,#%" PRIu64, SCRATCH2, domain);
		dvmi_scn_line(x->t, x->column, "TLBI VMALLE1%s,X%d", is, SCRATCH2);
	} else if (insn->what == DVMI_TLBI_ALL) {
		dvmi_scn_line(x->t, x->column, "TLBI VMALLE1%s", is);
	} else {
		for (unsigned k = 0; k <= twin; k++)
			if (page)
				tlbi_page(x, s, insn, is, k);
			else
				tlbi_asid(x, s, is, k, domain);
	}
}

/* mm->context.id; it stays what it is, except where the allocator is part of the test. */
static void sample_asid(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	unsigned mm = x->h->mm;

	if ((x->h->hook == DVMI_HOOK_SWITCH_IN && insn->base == DVMI_BASE_PREV) ||
	    (x->h->hook == DVMI_HOOK_SWITCH_OUT && insn->base == DVMI_BASE_NEXT))
		mm = !mm;
	if (mm == DVMI_SCN_OTHER_MM) {
		dvmi_scn_set_known(s, DVMI_SCN_ASID, DVMI_SCN_ASID_OTHER);
	} else if (!x->t->asid_in_memory) {
		dvmi_scn_set_known(s, DVMI_SCN_ASID, DVMI_SCN_ASID_MM);
	} else {
		unsigned at = dvmi_scn_loc(x->t, x->column, "mm_id", DVMI_SCN_ASID_MM);

		dvmi_scn_line(x->t, x->column, "LDR X%u,[X%u]",
			      dvmi_scn_reg(x->t, x->column, DVMI_SCN_ASID), at);
		dvmi_scn_set_unknown(s, DVMI_SCN_ASID);
	}
}

/*
 * The notifier of an SMMU with a context of its own (upstream SVA): commands that invalidate it
 * and a CMD_SYNC. The driver's barriers order them after earlier stores and wait for them.
 */
static void notify(struct dvmi_scn_xlat *x)
{
	unsigned c = x->column;

	if (!x->t->env.sva)
		return;
	dvmi_scn_line(x->t, c, "DSB ISHST");
	dvmi_scn_line(x->t, c, "MOV X%d,#%" PRIu64, SCRATCH2, (uint64_t)DVMI_SCN_ASID_SMMU << 48);
	dvmi_scn_line(x->t, c, "TLBI ASIDE1IS,X%d", SCRATCH2);
	dvmi_scn_line(x->t, c, "DSB ISH");
}

static void protection(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	unsigned n = insn->op - DVMI_MIGRATE_DISABLE;
	uint8_t *depth = &s->pinned[n / 2];

	if (n % 2 == 0 && *depth < 255)
		(*depth)++;
	else if (n % 2 && *depth)
		(*depth)--;
	else
		dvmi_scn_unsupported(x->t, insn, "protections do not pair");
}

void dvmi_scn_effect(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		     const struct dvmi_insn *insn)
{
	if (insn->op == DVMI_CPU_DOMAIN) {
		cpu_domain(x, s, insn);
	} else if (insn->op >= DVMI_MASK_NONE && insn->op <= DVMI_MASK_NEXT) {
		dvmi_scn_mask_reg(x, s, insn);
	} else if (insn->op <= DVMI_LSR) {
		arithmetic(x, s, insn);
	} else if (dvmi_op_is_memory(insn->op)) {
		access(x, s, insn);
	} else if (insn->op == DVMI_SYNC) {
		dvmi_scn_sync(x->t, x->column);
	} else if (insn->op >= DVMI_DSB && insn->op <= DVMI_ISB) {
		barrier(x, insn);
	} else if (insn->op == DVMI_ASID) {
		sample_asid(x, s, insn);
	} else if (insn->op == DVMI_TLBI) {
		tlbi(x, s, insn);
	} else if (insn->op == DVMI_IPI) {
		dvmi_scn_ipi(x, s, insn);
	} else if (insn->op == DVMI_NOTIFY) {
		notify(x);
	} else if (insn->op == DVMI_PARK) {
		/* A walk may be in progress when TTBR0 becomes the reserved table. */
		if (x->h->walker) {
			dvmi_scn_line(x->t, x->column, "WALK X4,[X1]");
			x->t->col[x->column].line[x->t->col[x->column].lines - 1].origin = 0;
			dvmi_scn_note(x->t, x->column,
				      "table walker: at work for the mm when the CPU is parked");
		}
	} else if (insn->op >= DVMI_MIGRATE_DISABLE && insn->op <= DVMI_IRQ_ENABLE) {
		protection(x, s, insn);
	} else if (insn->op == DVMI_SECTION) {
		s->section = (uint16_t)(s->pc + 1);
	} else if (insn->op == DVMI_SECTION_END) {
		s->section = 0;
	}
	s->pc++;
}
