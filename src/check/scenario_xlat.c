/* SPDX-License-Identifier: MIT */
/*
 * One hook of a strategy into AArch64. What is known when the test is made (fields, self, what was
 * computed from them) is folded; a branch on something that was loaded stays a branch. Points that
 * branches lead to are translated once for each set of known values.
 */
#include "check/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POINTS_MAX = 48, SCRATCH = 7, SCRATCH2 = 8, PAGE_REG = 9 };

struct xlat {
	struct dvmi_scn_test *t;
	const struct dvmi_scn_hook *h;
	const struct dvmi_program *p;
	unsigned column;
	int end; /* label after the hook */
	struct point {
		struct dvmi_scn_state state;
		int label;
		bool done;
	} point[POINTS_MAX];
	unsigned points, steps;
};

/* ---- values ---- */

static bool known(const struct xlat *x, const struct dvmi_scn_state *s,
		  const struct dvmi_operand *o, uint64_t *value)
{
	switch (o->kind) {
	case DVMI_REG:
		*value = s->value[o->n];
		return s->known >> o->n & 1;
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

/* The X register that holds an operand; @scratch is loaded when it is a known value. */
static unsigned in_reg(struct xlat *x, const struct dvmi_scn_state *s, const struct dvmi_operand *o,
		       unsigned scratch)
{
	uint64_t v;

	if (!known(x, s, o, &v))
		return DVMI_SCN_FIRST_REG + o->n;
	dvmi_scn_line(x->t, x->column, "MOV X%u,#%" PRIu64, scratch, v);
	return scratch;
}

static unsigned target_reg(const struct dvmi_insn *insn)
{
	return insn->dst == DVMI_NOREG ? SCRATCH : DVMI_SCN_FIRST_REG + insn->dst;
}

static void set_known(struct dvmi_scn_state *s, const struct dvmi_insn *insn, uint64_t value)
{
	if (insn->dst == DVMI_NOREG)
		return;
	s->value[insn->dst] = value;
	s->known |= (uint16_t)(1u << insn->dst);
}

static void set_unknown(struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	if (insn->dst == DVMI_NOREG)
		return;
	s->value[insn->dst] = 0; /* equal states compare equal */
	s->known &= (uint16_t) ~(1u << insn->dst);
}

/* ---- instructions ---- */

static void arithmetic(struct xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	static const char *const names[] = {
		[DVMI_ADD] = "ADD", [DVMI_SUB] = "SUB", [DVMI_AND] = "AND", [DVMI_OR] = "ORR",
		[DVMI_XOR] = "EOR", [DVMI_LSL] = "LSL", [DVMI_LSR] = "LSR"};
	uint64_t a, b;
	bool all = known(x, s, &insn->src[0], &a);
	unsigned ra, rb;

	all &= known(x, s, &insn->src[1], &b);
	if (all) {
		set_known(s, insn, dvmi_op_compute(insn->op, a, b));
		return;
	}
	if ((insn->op == DVMI_LSL || insn->op == DVMI_LSR) &&
	    (!known(x, s, &insn->src[1], &b) || b > 63)) {
		dvmi_scn_unsupported(x->t, insn, "a shift by a loaded value");
		return;
	}
	ra = in_reg(x, s, &insn->src[0], SCRATCH);
	if (insn->op == DVMI_MOV) {
		dvmi_scn_line(x->t, x->column, "MOV X%u,X%u", target_reg(insn), ra);
	} else {
		rb = in_reg(x, s, &insn->src[1], SCRATCH2);
		dvmi_scn_line(x->t, x->column, "%s X%u,X%u,X%u", names[insn->op], target_reg(insn),
			      ra, rb);
	}
	set_unknown(s, insn);
}

static const char *suffix(const struct dvmi_insn *insn)
{
	return insn->order == DVMI_ACQUIRE ? "A" : insn->order == DVMI_RELEASE ? "L" : "";
}

static void access(struct xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	struct dvmi_scn_test *t = x->t;
	unsigned dst = target_reg(insn), c = x->column, reg, reg_old, a;
	uint64_t cpu = x->h->cpu, *init;
	char name[32];

	if (t->p->words[insn->word].kernel) {
		dvmi_scn_unsupported(t, insn, "words that the kernel keeps are not modelled");
		return;
	}
	if (insn->index.kind != DVMI_NONE &&
	    (!known(x, s, &insn->index, &cpu) || cpu >= DVMI_SCN_CPUS)) {
		dvmi_scn_unsupported(t, insn, "a CPU number that was loaded, or none of three");
		return;
	}
	init = dvmi_scn_word(t, x->h, insn, (unsigned)cpu, name, sizeof(name));
	reg = dvmi_scn_loc(t, c, name, *init);
	if (insn->order == DVMI_FULL)
		dvmi_scn_line(t, c, "DMB ISH");
	switch (insn->op) {
	case DVMI_LD:
		dvmi_scn_line(t, c, "%s X%u,[X%u]", insn->order == DVMI_ACQUIRE ? "LDAR" : "LDR",
			      dst, reg);
		break;
	case DVMI_ST:
		a = in_reg(x, s, &insn->src[0], SCRATCH2);
		dvmi_scn_line(t, c, "%s X%u,[X%u]", insn->order == DVMI_RELEASE ? "STLR" : "STR", a,
			      reg);
		break;
	case DVMI_CAS:
		a = in_reg(x, s, &insn->src[1], SCRATCH2);
		reg_old = in_reg(x, s, &insn->src[0], SCRATCH);
		if (reg_old != SCRATCH)
			dvmi_scn_line(t, c, "MOV X%u,X%u", SCRATCH, reg_old);
		dvmi_scn_line(t, c, "CAS%s X%u,X%u,[X%u]", suffix(insn), SCRATCH, a, reg);
		if (dst != SCRATCH)
			dvmi_scn_line(t, c, "MOV X%u,X%u", dst, SCRATCH);
		break;
	default:
		a = in_reg(x, s, &insn->src[0], SCRATCH2);
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
		set_unknown(s, insn);
}

static void barrier(struct xlat *x, const struct dvmi_insn *insn)
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
			      names[insn->type][insn->domain]);
}

static void tlbi(struct xlat *x, const struct dvmi_insn *insn)
{
	const char *is = insn->scope == DVMI_TLBI_IS ? "IS" : "";

	if (insn->flags)
		dvmi_scn_unsupported(x->t, insn,
				     "levels, walk caches and KPTI twins are not "
				     "modelled");
	else if (insn->src[0].kind != DVMI_NONE)
		dvmi_scn_unsupported(x->t, insn, "TLBI domains are not modelled");
	else if (insn->what == DVMI_TLBI_ALL)
		dvmi_scn_line(x->t, x->column, "TLBI VMALLE1%s", is);
	else if (insn->what == DVMI_TLBI_REQUEST && !x->h->whole_mm)
		dvmi_scn_line(x->t, x->column, "TLBI VALE1%s,X%d", is, PAGE_REG);
	else {
		dvmi_scn_line(x->t, x->column, "MOV X%d,#0", SCRATCH2); /* all run with ASID 0 */
		dvmi_scn_line(x->t, x->column, "TLBI ASIDE1%s,X%d", is, SCRATCH2);
	}
}

static void protection(struct xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
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

static void effect(struct xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn)
{
	if (insn->op >= DVMI_MASK_NONE && insn->op <= DVMI_MASK_NEXT) {
		dvmi_scn_unsupported(x->t, insn, "CPU masks are not modelled");
	} else if (insn->op <= DVMI_LSR) {
		arithmetic(x, s, insn);
	} else if (insn->op >= DVMI_LD && insn->op <= DVMI_FADD) {
		access(x, s, insn);
	} else if (dvmi_op_is_memory(insn->op)) {
		dvmi_scn_unsupported(x->t, insn, "CPU masks are not modelled");
	} else if (insn->op == DVMI_SYNC) {
		dvmi_scn_line(x->t, x->column, "DSB ISH"); /* no erratum, no SME */
	} else if (insn->op >= DVMI_DSB && insn->op <= DVMI_ISB) {
		barrier(x, insn);
	} else if (insn->op == DVMI_TLBI) {
		tlbi(x, insn);
	} else if (insn->op == DVMI_IPI) {
		dvmi_scn_unsupported(x->t, insn, "IPIs are not modelled");
	} else if (insn->op == DVMI_PARK) {
		dvmi_scn_unsupported(x->t, insn, "the reserved table is not modelled");
	} else if (insn->op >= DVMI_MIGRATE_DISABLE && insn->op <= DVMI_IRQ_ENABLE) {
		protection(x, s, insn);
	} else if (insn->op == DVMI_SECTION) {
		s->section = (uint16_t)(s->pc + 1);
	} else if (insn->op == DVMI_SECTION_END) {
		s->section = 0;
	}
	/* asid: one mm, one ASID. notify: no secondary TLB. Neither leaves a trace here. */
	s->pc++;
}

/* ---- flow ---- */

static struct point *find_point(struct xlat *x, const struct dvmi_scn_state *s)
{
	unsigned i = 0;

	while (i < x->points && memcmp(&x->point[i].state, s, sizeof(*s)) != 0)
		i++;
	if (i == POINTS_MAX) {
		dvmi_scn_unsupported(x->t, NULL, "more than 48 branch targets in a hook");
		return NULL;
	}
	if (i == x->points) {
		x->point[i].state = *s;
		x->point[i].label = dvmi_scn_new_label(x->t, x->column);
		x->point[i].done = false;
		x->points++;
	}
	return &x->point[i];
}

static bool is_target(const struct dvmi_program *p, unsigned pc)
{
	for (unsigned i = 0; i < p->insns_count; i++)
		if (dvmi_op_is_branch(p->insns[i].op) && p->insns[i].target == pc)
			return true;
	return false;
}

static void go_to(struct xlat *x, int label)
{
	dvmi_scn_use_label(x->t, x->column, label);
	dvmi_scn_line(x->t, x->column, "B L%d", label);
}

/* A branch on values of the test's run: CMP, B.cond to the taken side. */
static void emit_branch(struct xlat *x, const struct dvmi_scn_state *s,
			const struct dvmi_insn *insn)
{
	static const char *const cond[] = {[DVMI_BEQ] = "EQ", [DVMI_BNE] = "NE", [DVMI_BLT] = "CC",
					   [DVMI_BGE] = "CS", [DVMI_BLE] = "LS", [DVMI_BGT] = "HI"};
	struct dvmi_scn_state to = *s;
	unsigned a = in_reg(x, s, &insn->src[0], SCRATCH), b;
	struct point *p;

	to.pc = insn->target;
	p = find_point(x, &to);
	if (!p)
		return;
	dvmi_scn_use_label(x->t, x->column, p->label);
	if (insn->op == DVMI_BIF || insn->op == DVMI_BIFNOT) {
		dvmi_scn_line(x->t, x->column, "%s X%u,L%d", insn->op == DVMI_BIF ? "CBNZ" : "CBZ",
			      a, p->label);
		return;
	}
	b = in_reg(x, s, &insn->src[1], SCRATCH2);
	dvmi_scn_line(x->t, x->column, "CMP X%u,X%u", a, b);
	dvmi_scn_line(x->t, x->column, "B.%s L%d", cond[insn->op], p->label);
}

/* The first pass over a move: what is known whichever way it was reached. */
static void reached(struct xlat *x, const struct dvmi_scn_state *s)
{
	struct dvmi_scn_move *move = x->h->move;

	if (!move->reached) {
		move->state = *s;
		move->reached = true;
		return;
	}
	if (move->state.section != s->section || move->state.restarts != s->restarts)
		dvmi_scn_unsupported(x->t, &x->p->insns[s->pc],
				     "it is reached with different sections armed");
	for (unsigned r = 0; r < DVMI_REGS; r++)
		if ((s->known >> r & 1) && (move->state.known >> r & 1) &&
		    s->value[r] == move->state.value[r])
			continue;
		else
			move->state.known &= (uint16_t) ~(1u << r);
}

/* Registers that are not the same on every way go through memory. */
static void leave(struct xlat *x, const struct dvmi_scn_state *s)
{
	const struct dvmi_scn_move *move = x->h->move;

	for (unsigned r = 0; r < DVMI_REGS; r++) {
		struct dvmi_operand o = {.kind = DVMI_REG, .n = (uint8_t)r};
		char name[48];
		unsigned reg;

		if (!(move->save >> r & 1))
			continue;
		snprintf(name, sizeof(name), "saved_X%u", DVMI_SCN_FIRST_REG + r);
		reg = dvmi_scn_loc(x->t, x->column, name, 0);
		dvmi_scn_line(x->t, x->column, "STR X%u,[X%u]", in_reg(x, s, &o, SCRATCH2), reg);
	}
}

static bool moves_here(const struct xlat *x, const struct dvmi_scn_state *s)
{
	return x->h->move && s->pc == x->h->move->at && !s->pinned[0] && !s->pinned[1] &&
	       !s->pinned[2];
}

/* Translate from @s on, up to a return, a move or a point that is translated already. */
static void straight(struct xlat *x, struct dvmi_scn_state s, int moved)
{
	bool first = true;

	while (!x->t->why[0]) {
		const struct dvmi_insn *insn = &x->p->insns[s.pc];
		uint64_t a, b;

		x->t->origin = (uint16_t)(s.pc + 1);
		if (++x->steps > DVMI_SCN_STEPS) {
			dvmi_scn_unsupported(x->t, insn, "a loop that is too long to unfold");
			return;
		}
		if (first || is_target(x->p, s.pc)) {
			struct point *p = find_point(x, &s);

			if (!p)
				return;
			if (p->done) {
				go_to(x, p->label);
				return;
			}
			p->done = true;
			dvmi_scn_put_label(x->t, x->column, p->label);
			first = false;
		}
		if (moves_here(x, &s)) {
			reached(x, &s);
			leave(x, &s);
			go_to(x, moved);
			return;
		}
		if (insn->op == DVMI_RET) {
			go_to(x, x->end);
			return;
		}
		if (!dvmi_op_is_branch(insn->op)) {
			effect(x, &s, insn);
		} else if (known(x, &s, &insn->src[0], &a) && known(x, &s, &insn->src[1], &b)) {
			s.pc = dvmi_op_taken(insn->op, a, b) ? insn->target : (uint16_t)(s.pc + 1);
		} else {
			emit_branch(x, &s, insn);
			s.pc++;
		}
	}
}

static void resume(struct xlat *x, struct dvmi_scn_state *s)
{
	const struct dvmi_scn_move *move = x->h->from_move;

	*s = move->state;
	if (s->section) {
		s->pc = x->p->insns[s->section - 1].target;
		s->restarts++;
	}
	for (unsigned r = 0; r < DVMI_REGS; r++) {
		char name[48];
		unsigned reg;

		if (!(s->known >> r & 1))
			s->value[r] = 0;
		if (!(move->save >> r & 1))
			continue;
		snprintf(name, sizeof(name), "saved_X%u", DVMI_SCN_FIRST_REG + r);
		reg = dvmi_scn_loc(x->t, x->column, name, 0);
		dvmi_scn_line(x->t, x->column, "LDR X%u,[X%u]", DVMI_SCN_FIRST_REG + r, reg);
	}
}

/* A branch to the line that follows is none. */
static void fall_through(struct dvmi_scn_column *c, int end)
{
	char text[16];
	struct dvmi_scn_line *last;

	snprintf(text, sizeof(text), "B L%d", end);
	if (!c->lines)
		return;
	last = &c->line[c->lines - 1];
	if (strcmp(last->text, text) != 0)
		return;
	if (last->label >= 0 && c->used[last->label])
		snprintf(last->text, sizeof(last->text), "NOP");
	else
		c->lines--;
}

void dvmi_scn_hook(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h)
{
	struct xlat x = {.t = t, .h = h, .p = t->p, .column = h->column};
	struct dvmi_scn_state s;

	if (t->p->hooks[h->hook] < 0 || t->why[0])
		return;
	x.end = dvmi_scn_new_label(t, h->column);
	memset(&s, 0, sizeof(s));
	s.known = (1u << DVMI_REGS) - 1;
	s.pc = (uint16_t)t->p->hooks[h->hook];
	if (h->from_move)
		resume(&x, &s);
	straight(&x, s, h->moved_label);
	for (unsigned i = 0; i < x.points && !t->why[0]; i++)
		if (!x.point[i].done)
			straight(&x, x.point[i].state, h->moved_label);
	t->origin = 0;
	fall_through(&t->col[h->column], x.end);
	dvmi_scn_put_label(t, h->column, x.end);
}
