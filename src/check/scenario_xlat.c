/* SPDX-License-Identifier: MIT */
/*
 * One hook of a strategy into AArch64: the ways through it. A branch on something that was loaded
 * stays a branch, others are folded. Points that branches lead to are translated once for each set of
 * known values. Single instructions are in scenario_insn.c.
 */
#include "check/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SCRATCH = DVMI_SCN_SCRATCH, SCRATCH2 = DVMI_SCN_SCRATCH2 };

/* ---- flow ---- */

/* States that differ only in what nobody reads any more are one. */
static void forget_dead(const struct dvmi_scn_xlat *x, struct dvmi_scn_state *s)
{
	uint32_t live = dvmi_scn_live(x->p, s->pc);

	if (s->section) /* a restart reads what it reads from its label on */
		live |= dvmi_scn_live(x->p, x->p->insns[s->section - 1].target);
	for (unsigned slot = 0; slot < DVMI_SCN_SLOTS; slot++)
		if (!(live >> slot & 1))
			dvmi_scn_set_unknown(s, slot);
}

static struct dvmi_scn_point *find_point(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s)
{
	unsigned i = 0;

	forget_dead(x, s);
	while (i < x->points && memcmp(&x->point[i].state, s, sizeof(*s)) != 0)
		i++;
	if (i == DVMI_SCN_POINTS) {
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

static void go_to(struct dvmi_scn_xlat *x, int label)
{
	dvmi_scn_use_label(x->t, x->column, label);
	dvmi_scn_line(x->t, x->column, "B L%d", label);
}

/* A branch on values of the test's run: CMP, B.cond to the taken side. */
static void emit_branch(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
			const struct dvmi_insn *insn)
{
	static const char *const cond[] = {[DVMI_BEQ] = "EQ", [DVMI_BNE] = "NE", [DVMI_BLT] = "CC",
					   [DVMI_BGE] = "CS", [DVMI_BLE] = "LS", [DVMI_BGT] = "HI"};
	struct dvmi_scn_state to = *s;
	unsigned a = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH), b;
	struct dvmi_scn_point *p;

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
	b = dvmi_scn_in_reg(x, s, &insn->src[1], SCRATCH2);
	dvmi_scn_line(x->t, x->column, "CMP X%u,X%u", a, b);
	dvmi_scn_line(x->t, x->column, "B.%s L%d", cond[insn->op], p->label);
}

/*
 * The least member of a mask that was loaded, from a known CPU on: a branch for each, so that which
 * one it is is known from there on (the domain of a TLBI, the CPU of cpu[r].x). true: it is done.
 */
static bool branch_next(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
			const struct dvmi_insn *insn)
{
	uint64_t mask, from;
	unsigned reg;

	if (insn->op != DVMI_MASK_NEXT || insn->dst == DVMI_NOREG ||
	    dvmi_scn_known(x, s, &insn->src[0], &mask) ||
	    !dvmi_scn_known(x, s, &insn->src[1], &from))
		return false;
	reg = dvmi_scn_in_reg(x, s, &insn->src[0], SCRATCH);
	s->pc++;
	for (uint64_t cpu = from; cpu < DVMI_SCN_CPUS && !x->t->why[0]; cpu++) {
		struct dvmi_scn_state to = *s;
		struct dvmi_scn_point *p;

		dvmi_scn_set_known(&to, insn->dst, cpu);
		p = find_point(x, &to);
		if (!p)
			break;
		dvmi_scn_line(x->t, x->column, "LSR X%d,X%u,#%u", SCRATCH, reg, (unsigned)cpu);
		dvmi_scn_line(x->t, x->column, "AND X%d,X%d,#1", SCRATCH, SCRATCH);
		dvmi_scn_use_label(x->t, x->column, p->label);
		dvmi_scn_line(x->t, x->column, "CBNZ X%d,L%d", SCRATCH, p->label);
	}
	dvmi_scn_set_known(s, insn->dst, DVMI_SCN_CPUS);
	return true;
}

/*
 * A register whose value must be known, and is not after a move: the domain of a TLBI, where
 * mask.next begins. Go on from here once for each value it may have. true: done.
 */
static bool branch_values(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
			  const struct dvmi_insn *insn)
{
	const struct dvmi_operand *o = insn->op == DVMI_TLBI ? &insn->src[0] : &insn->src[1];
	uint64_t value, values = insn->op == DVMI_TLBI ? x->t->env.domains : DVMI_SCN_CPUS + 1;
	unsigned reg;

	if ((insn->op != DVMI_TLBI && insn->op != DVMI_MASK_NEXT) || o->kind != DVMI_REG ||
	    !values || dvmi_scn_known(x, s, o, &value))
		return false;
	reg = dvmi_scn_in_reg(x, s, o, SCRATCH);
	for (value = 0; value + 1 < values && !x->t->why[0]; value++) {
		struct dvmi_scn_state to = *s;
		struct dvmi_scn_point *p;

		dvmi_scn_set_known(&to, o->n, value);
		p = find_point(x, &to);
		if (!p)
			break;
		dvmi_scn_line(x->t, x->column, "CMP X%u,#%u", reg, (unsigned)value);
		dvmi_scn_use_label(x->t, x->column, p->label);
		dvmi_scn_line(x->t, x->column, "B.EQ L%d", p->label);
	}
	dvmi_scn_set_known(s, o->n, value);
	return true;
}

/* The first pass over a move: what is known whichever way it was reached. */
static void reached(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s)
{
	struct dvmi_scn_move *move = x->h->move;

	if (!move->reached) {
		move->state = *s;
		move->hook = x->h->number;
		move->reached = true;
		return;
	}
	if (move->state.section != s->section || move->state.restarts != s->restarts ||
	    memcmp(move->state.pinned, s->pinned, sizeof(s->pinned)) != 0 ||
	    move->hook != x->h->number)
		dvmi_scn_unsupported(x->t, &x->p->insns[s->pc],
				     "it is reached with different sections or protections");
	move->state.sent |= s->sent;
	for (unsigned r = 0; r < DVMI_SCN_SLOTS; r++)
		if (!(s->known >> r & 1) || !(move->state.known >> r & 1) ||
		    s->value[r] != move->state.value[r])
			move->state.known &= ~(1u << r);
}

static void saved_name(char *name, size_t size, const struct dvmi_scn_move *move, unsigned slot)
{
	snprintf(name, size, "saved%u_%u", move->number, slot);
}

/* Registers that are not the same on every way go through memory. */
static void leave(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s)
{
	const struct dvmi_scn_move *move = x->h->move;

	for (unsigned r = 0; r < DVMI_SCN_SLOTS; r++) {
		unsigned reg = SCRATCH2, at;
		char name[48];

		if (!(move->save >> r & 1))
			continue;
		saved_name(name, sizeof(name), move, r);
		at = dvmi_scn_loc(x->t, x->column, name, 0);
		if (s->known >> r & 1)
			dvmi_scn_line(x->t, x->column, "MOV X%u,#%" PRIu64, reg, s->value[r]);
		else
			reg = dvmi_scn_reg(x->t, x->column, r);
		dvmi_scn_line(x->t, x->column, "STR X%u,[X%u]", reg, at);
	}
}

static bool moves_here(const struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s)
{
	const struct dvmi_scn_move *move = x->h->move;

	if (!move || s->pc != move->at)
		return false;
	if (move->kind == DVMI_SCN_HOST)
		return true;
	return !s->pinned[1] && !s->pinned[2] && (move->kind == DVMI_SCN_PREEMPTED || !s->pinned[0]);
}

/* Translate from @s on, up to a return, a move or a point that is translated already. */
static void straight(struct dvmi_scn_xlat *x, struct dvmi_scn_state s, int moved)
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
			struct dvmi_scn_point *p = find_point(x, &s);

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
			x->t->unfold |= x->ended &&
					memcmp(x->folded, s.folded, sizeof(s.folded)) != 0;
			memcpy(x->folded, s.folded, sizeof(s.folded));
			x->ended = true;
			go_to(x, x->end);
			return;
		}
		if (branch_values(x, &s, insn) || branch_next(x, &s, insn))
			continue;
		if (!dvmi_op_is_branch(insn->op)) {
			dvmi_scn_effect(x, &s, insn);
		} else if (dvmi_scn_known(x, &s, &insn->src[0], &a) && dvmi_scn_known(x, &s, &insn->src[1], &b)) {
			s.pc = dvmi_op_taken(insn->op, a, b) ? insn->target : (uint16_t)(s.pc + 1);
		} else {
			emit_branch(x, &s, insn);
			s.pc++;
		}
	}
}

/* Does the kernel restart the armed section? A host that moves the vCPU knows of none. */
static bool restarts(const struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
		     const struct dvmi_scn_move *move)
{
	if (!s->section || move->kind == DVMI_SCN_HOST)
		return false;
	return move->kind == DVMI_SCN_MIGRATES ||
	       x->p->insns[s->section - 1].flags == DVMI_SECTION_ON_SWITCH;
}

static void resume(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s)
{
	const struct dvmi_scn_move *move = x->h->from_move;

	*s = move->state;
	if (restarts(x, s, move)) {
		s->pc = x->p->insns[s->section - 1].target;
		s->restarts++;
	}
	for (unsigned r = 0; r < DVMI_SCN_SLOTS; r++) {
		char name[48];
		unsigned at;

		if (!(s->known >> r & 1))
			s->value[r] = 0;
		if (!(move->save >> r & 1))
			continue;
		saved_name(name, sizeof(name), move, r);
		at = dvmi_scn_loc(x->t, x->column, name, 0);
		dvmi_scn_line(x->t, x->column, "LDR X%u,[X%u]",
			      dvmi_scn_reg(x->t, x->column, r), at);
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

/* The handler of an IPI works with the ASID that the sender has sampled. */
static void sent_asid(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s)
{
	if (!x->t->asid_in_memory) {
		dvmi_scn_set_known(s, DVMI_SCN_ASID, DVMI_SCN_ASID_MM);
		return;
	}
	dvmi_scn_line(x->t, x->column, "LDR X%u,[X%u]",
		      dvmi_scn_reg(x->t, x->column, DVMI_SCN_ASID),
		      dvmi_scn_loc(x->t, x->column, "ipi_asid", DVMI_SCN_ASID_MM));
	dvmi_scn_set_unknown(s, DVMI_SCN_ASID);
}

/* Private words have the values that the story before, or the column so far, gave them. */
static void begin_folding(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			  struct dvmi_scn_state *s)
{
	struct dvmi_scn_column *c = &t->col[h->column];

	for (unsigned o = 0; o < t->cols; o++) /* one vCPU on two CPUs, or two on one */
		t->unfold |= o == h->column ? c->cpu >= 0 && c->cpu != (int)h->cpu
					    : t->col[o].cpu == (int)h->cpu;
	for (unsigned i = 0; i < DVMI_SCN_FOLDED && c->cpu < 0; i++)
		c->folded[i] = t->p->words[i].base == DVMI_BASE_CPU
				       ? t->words.cpu[h->cpu][i]
				       : t->words.mm[DVMI_SCN_OTHER_MM][i];
	c->cpu = (int)h->cpu;
	memcpy(s->folded, c->folded, sizeof(s->folded));
}

void dvmi_scn_hook(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h)
{
	struct dvmi_scn_xlat x = {.t = t, .h = h, .p = t->p, .column = h->column};
	int entry = t->p->hooks[h->hook];
	struct dvmi_scn_state s;

	if (entry < 0 && h->hook == DVMI_HOOK_BATCH_ADD)
		entry = t->p->hooks[DVMI_HOOK_FLUSH];
	if (entry < 0 || t->why[0])
		return;
	x.end = dvmi_scn_new_label(t, h->column);
	memset(&s, 0, sizeof(s));
	s.known = (1u << DVMI_SCN_SLOTS) - 1;
	s.pc = (uint16_t)entry;
	if (h->hook == DVMI_HOOK_IPI)
		sent_asid(&x, &s);
	if (h->from_move)
		resume(&x, &s);
	begin_folding(t, h, &s);
	straight(&x, s, h->moved_label);
	for (unsigned i = 0; i < x.points && !t->why[0]; i++)
		if (!x.point[i].done)
			straight(&x, x.point[i].state, h->moved_label);
	t->origin = 0;
	if (x.ended)
		memcpy(t->col[h->column].folded, x.folded, sizeof(x.folded));
	fall_through(&t->col[h->column], x.end);
	dvmi_scn_put_label(t, h->column, x.end);
}
