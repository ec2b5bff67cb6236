/* SPDX-License-Identifier: MIT */
/* CPU masks in a test: three CPUs, so a mask is one word; and IPIs to the CPUs of a mask. */
#include "check/scenario.h"

#include <inttypes.h>
#include <stdio.h>

#define ALL ((UINT64_C(1) << DVMI_SCN_CPUS) - 1)
enum { X7 = DVMI_SCN_SCRATCH, X8 = DVMI_SCN_SCRATCH2 };

/* A CPU number that the translation needs to know. */
static bool cpu_number(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
		       const struct dvmi_insn *insn, const struct dvmi_operand *o, unsigned *cpu)
{
	uint64_t v;

	if (!dvmi_scn_known(x, s, o, &v) || v >= DVMI_SCN_CPUS) {
		dvmi_scn_unsupported(x->t, insn, "a CPU number that was loaded, or none of three");
		return false;
	}
	*cpu = (unsigned)v;
	return true;
}

static uint64_t count(uint64_t m)
{
	uint64_t n = 0;

	for (; m; m &= m - 1)
		n++;
	return n;
}

/* What is known at once; @b is a CPU number or the other mask. */
static uint64_t fold(unsigned op, uint64_t m, uint64_t b)
{
	uint64_t bit = b < DVMI_SCN_CPUS ? UINT64_C(1) << b : 0;

	switch (op) {
	case DVMI_MASK_NONE:
		return 0;
	case DVMI_MASK_ALL:
		return ALL;
	case DVMI_MASK_SET:
		return m | bit;
	case DVMI_MASK_CLR:
		return m & ~bit;
	case DVMI_MASK_AND:
		return m & b;
	case DVMI_MASK_OR:
		return m | b;
	case DVMI_MASK_TEST:
		return (m & bit) != 0;
	case DVMI_MASK_COUNT:
		return count(m);
	case DVMI_MASK_ONLY:
		return m == bit;
	default:
		while (b < DVMI_SCN_CPUS && !(m >> b & 1))
			b++;
		return b < DVMI_SCN_CPUS ? b : DVMI_SCN_CPUS;
	}
}

/* dst = bit @cpu of X@m */
static void bit_of(struct dvmi_scn_xlat *x, unsigned dst, unsigned m, unsigned cpu)
{
	dvmi_scn_line(x->t, x->column, "LSR X%u,X%u,#%u", dst, m, cpu);
	dvmi_scn_line(x->t, x->column, "AND X%u,X%u,#1", dst, dst);
}

static void emit_count(struct dvmi_scn_xlat *x, unsigned dst, unsigned m)
{
	bit_of(x, dst, m, 0);
	for (unsigned c = 1; c < DVMI_SCN_CPUS; c++) {
		bit_of(x, X7, m, c);
		dvmi_scn_line(x->t, x->column, "ADD X%u,X%u,X%u", dst, dst, X7);
	}
}

/* The least member from @from on: later CPUs first, each member replaces what was found. */
static void emit_next(struct dvmi_scn_xlat *x, unsigned dst, unsigned m, unsigned from)
{
	dvmi_scn_line(x->t, x->column, "MOV X%u,#%d", dst, DVMI_SCN_CPUS);
	for (unsigned c = DVMI_SCN_CPUS; c-- > from;) {
		bit_of(x, X7, m, c);
		dvmi_scn_line(x->t, x->column, "SUB X%u,XZR,X%u", X8, X7);
		dvmi_scn_line(x->t, x->column, "BIC X%u,X%u,X%u", dst, dst, X8);
		dvmi_scn_line(x->t, x->column, "AND X%u,X%u,#%u", X8, X8, c);
		dvmi_scn_line(x->t, x->column, "ORR X%u,X%u,X%u", dst, dst, X8);
	}
}

static void emit_query(struct dvmi_scn_xlat *x, const struct dvmi_insn *insn, unsigned m,
		       unsigned cpu)
{
	unsigned dst, c = x->column;

	if (insn->dst == DVMI_NOREG)
		return;
	dst = dvmi_scn_reg(x->t, c, insn->dst);
	switch (insn->op) {
	case DVMI_MASK_TEST:
		bit_of(x, dst, m, cpu);
		break;
	case DVMI_MASK_COUNT:
		emit_count(x, dst, m);
		break;
	case DVMI_MASK_ONLY: /* (m ^ bit) - 1 is negative only if they are equal */
		dvmi_scn_line(x->t, c, "EOR X%u,X%u,#%u", dst, m, 1u << cpu);
		dvmi_scn_line(x->t, c, "SUB X%u,X%u,#1", dst, dst);
		dvmi_scn_line(x->t, c, "LSR X%u,X%u,#63", dst, dst);
		break;
	default:
		emit_next(x, dst, m, cpu);
	}
}

void dvmi_scn_mask_reg(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		       const struct dvmi_insn *insn)
{
	unsigned slot = DVMI_SCN_MASK0 + insn->src[0].n, cpu = 0, m, other, c = x->column;
	bool query = insn->op >= DVMI_MASK_TEST, needs_cpu, sets;
	uint64_t a, b;

	sets = insn->op == DVMI_MASK_NONE || insn->op == DVMI_MASK_ALL;
	needs_cpu = !sets && insn->op != DVMI_MASK_COUNT && insn->op != DVMI_MASK_AND &&
		    insn->op != DVMI_MASK_OR;
	if ((dvmi_scn_known(x, s, &insn->src[0], &a) || sets) &&
	    dvmi_scn_known(x, s, &insn->src[1], &b)) {
		dvmi_scn_set_known(s, query ? insn->dst : slot, fold(insn->op, a, b));
		return;
	}
	if (needs_cpu && !cpu_number(x, s, insn, &insn->src[1], &cpu))
		return;
	m = dvmi_scn_reg(x->t, c, slot);
	if (dvmi_scn_known(x, s, &insn->src[0], &a))
		dvmi_scn_line(x->t, c, "MOV X%u,#%" PRIu64, m, a);
	if (query) {
		emit_query(x, insn, m, cpu);
		dvmi_scn_set_unknown(s, insn->dst);
		return;
	}
	if (insn->op == DVMI_MASK_AND || insn->op == DVMI_MASK_OR) {
		other = dvmi_scn_in_reg(x, s, &insn->src[1], X8);
		dvmi_scn_line(x->t, c, "%s X%u,X%u,X%u", insn->op == DVMI_MASK_AND ? "AND" : "ORR",
			      m, m, other);
	} else {
		dvmi_scn_line(x->t, c, "%s X%u,X%u,#%u", insn->op == DVMI_MASK_SET ? "ORR" : "BIC",
			      m, m, 1u << cpu);
	}
	dvmi_scn_set_unknown(s, slot);
}

static void atomic_bit(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		       const struct dvmi_insn *insn, unsigned reg, unsigned cpu)
{
	bool set = insn->op == DVMI_SETBIT || insn->op == DVMI_TSETBIT;
	bool old = insn->op == DVMI_TSETBIT || insn->op == DVMI_TCLRBIT;
	const char *order = insn->order == DVMI_ACQUIRE	  ? "A"
			    : insn->order == DVMI_RELEASE ? "L"
							  : "";
	unsigned c = x->column;

	dvmi_scn_line(x->t, c, "MOV X%u,#%u", X8, 1u << cpu);
	dvmi_scn_line(x->t, c, "%s%s X%u,%s,[X%u]", set ? "LDSET" : "LDCLR", order, X8,
		      old && insn->dst != DVMI_NOREG ? "X7" : "XZR", reg);
	if (old && insn->dst != DVMI_NOREG) {
		bit_of(x, dvmi_scn_reg(x->t, c, insn->dst), X7, cpu);
		dvmi_scn_set_unknown(s, insn->dst);
	}
}

void dvmi_scn_mask_memory(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
			  const struct dvmi_insn *insn, unsigned reg)
{
	const char *load = insn->order == DVMI_ACQUIRE ? "LDAR" : "LDR";
	const char *store = insn->order == DVMI_RELEASE ? "STLR" : "STR";
	unsigned c = x->column, cpu, slot = DVMI_SCN_MASK0 + insn->src[0].n;

	switch (insn->op) {
	case DVMI_LDMASK:
		dvmi_scn_line(x->t, c, "%s X%u,[X%u]", load, dvmi_scn_reg(x->t, c, slot), reg);
		dvmi_scn_set_unknown(s, slot);
		return;
	case DVMI_STMASK:
		dvmi_scn_line(x->t, c, "%s X%u,[X%u]", store,
			      dvmi_scn_in_reg(x, s, &insn->src[0], X8), reg);
		return;
	case DVMI_SETALL:
	case DVMI_CLRALL:
		dvmi_scn_line(x->t, c, "MOV X%u,#%u", X8,
			      insn->op == DVMI_SETALL ? (unsigned)ALL : 0);
		dvmi_scn_line(x->t, c, "%s X%u,[X%u]", store, X8, reg);
		return;
	default:
		break;
	}
	if (!cpu_number(x, s, insn, &insn->src[0], &cpu))
		return;
	if (insn->op != DVMI_TSTBIT) {
		atomic_bit(x, s, insn, reg, cpu);
		return;
	}
	dvmi_scn_line(x->t, c, "%s X%u,[X%u]", load, X7, reg);
	if (insn->dst != DVMI_NOREG)
		bit_of(x, dvmi_scn_reg(x->t, c, insn->dst), X7, cpu);
	dvmi_scn_set_unknown(s, insn->dst);
}

/* ---- IPIs ---- */

static void ipi_flag(struct dvmi_scn_test *t, unsigned column, const char *fmt, unsigned cpu,
		     const char *what)
{
	char name[16];

	snprintf(name, sizeof(name), fmt, cpu);
	dvmi_scn_line(t, column, what, dvmi_scn_loc(t, column, name, 0));
}

/* For each target: what it is sent, or what is waited for. Nothing if it is not in the mask. */
static void each_target(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
			const struct dvmi_insn *insn, bool wait)
{
	unsigned c = x->column, m = 0;
	uint64_t mask = 0;
	bool is_known = dvmi_scn_known(x, s, &insn->src[0], &mask);

	if (!is_known)
		m = dvmi_scn_in_reg(x, s, &insn->src[0], X8);
	for (unsigned cpu = 0; cpu < DVMI_SCN_CPUS; cpu++) {
		int skip = -1;

		if (cpu == x->h->cpu || !(x->t->ipi_cpus >> cpu & 1) ||
		    (is_known && !(mask >> cpu & 1)))
			continue;
		if (!is_known) {
			skip = dvmi_scn_new_label(x->t, c);
			bit_of(x, X7, m, cpu);
			dvmi_scn_use_label(x->t, c, skip);
			dvmi_scn_line(x->t, c, "CBZ X%u,L%d", X7, skip);
		}
		if (wait) {
			ipi_flag(x->t, c, "ack%u", cpu, "LDAR X8,[X%u]");
			/* Executions in which the wait does not end yet show nothing. */
			dvmi_scn_use_label(x->t, c, x->t->col[c].stop);
			dvmi_scn_line(x->t, c, "CBZ X8,L%d", x->t->col[c].stop);
		} else {
			dvmi_scn_line(x->t, c, "MOV X8,#1");
			ipi_flag(x->t, c, "ipi%u", cpu, "STR X8,[X%u]");
		}
		if (skip >= 0)
			dvmi_scn_put_label(x->t, c, skip);
	}
}

/*
 * gic_ipi_send_mask(): DSB ISHST, then the write that raises the interrupt; here a flag. Then the
 * wait for all, by acquire (csd_lock_wait()).
 */
void dvmi_scn_ipi(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	if (x->p->hooks[DVMI_HOOK_IPI] < 0 || !x->t->ipi_cpus)
		return;
	if (s->sent) {
		dvmi_scn_unsupported(x->t, insn, "a second IPI in one flush");
		return;
	}
	s->sent = 1;
	if (x->t->asid_in_memory) {
		struct dvmi_operand o = {.kind = DVMI_REG, .n = DVMI_SCN_ASID};

		dvmi_scn_line(x->t, x->column, "STR X%u,[X%u]", dvmi_scn_in_reg(x, s, &o, X8),
			      dvmi_scn_loc(x->t, x->column, "ipi_asid", DVMI_SCN_ASID_MM));
	}
	dvmi_scn_line(x->t, x->column, "DSB ISHST");
	each_target(x, s, insn, false);
	each_target(x, s, insn, true);
}
