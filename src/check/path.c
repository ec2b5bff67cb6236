/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include "base/mem.h"

#include <string.h>

/*
 * The ways a thread can go: each branch taken or not, each access with each outcome its walk may
 * have, each exclusive and compare with success or failure. The machine runs one choice at a time
 * and drops it when a value contradicts it.
 */

#define PATHS_MAX 20000
#define STEPS_MAX 2000000 /* instructions on all of them, those that are cut short too */

/* Values known without running: enough to follow ERET and to see what an address maps. */
struct known {
	uint64_t value[DVMI_REGS];
	bool is[DVMI_REGS];
};

struct walker {
	const struct dvm_litmus *test;
	const struct dvmi_thread *t;
	unsigned unroll;
	unsigned char visits[DVMI_INSNS_MAX * 2];
	uint8_t outcomes_page[DVMI_PAGES_MAX]; /* possible outcome bits of reads, by page */
	uint8_t outcomes_page_w[DVMI_PAGES_MAX];
	struct dvmi_path now;
	unsigned steps;
	bool update; /* the next step's walk is one that updates */
	struct dvmi_paths *out;
	struct dvm_error *err;
};

/* ---- which outcomes can happen at all ---- */

#define UPDATE_BIT (1u << DVMI_OUT_COUNT) /* goes on, having set AF or dirty state */

static uint8_t one_bit(uint64_t desc, const struct dvmi_thread *t, bool write)
{
	unsigned flags = (write ? DVMI_F_WRITES : 0u) | (t->el0 ? DVMI_F_EL0 : 0u);
	uint64_t then = dvmi_hw_updated(desc, flags, t->hw);
	enum dvmi_outcome o = dvmi_outcome_of(then, flags);

	return (uint8_t)(o == DVMI_OUT_OK && then != desc ? UPDATE_BIT : 1u << o);
}

/* What an access of @t gets from @desc, or from what table walkers make of it. */
static uint8_t outcome_bit(const struct dvm_litmus *test, uint64_t desc,
			   const struct dvmi_thread *t, bool write)
{
	uint8_t bits = one_bit(desc, t, write);

	for (unsigned i = 0; i < test->threads; i++) {
		uint8_t hw = test->thread[i].hw;

		bits |= one_bit(dvmi_hw_updated(desc, 0, hw), t, write);
		bits |= one_bit(dvmi_hw_updated(desc, DVMI_F_WRITES, hw), t, write);
	}
	return bits;
}

/* Registers of @t that may hold a descriptor made by arithmetic, and whether one is stored. */
static bool computes_descriptors(const struct dvmi_thread *t)
{
	bool may[DVMI_REGS] = {false}, made[DVMI_REGS] = {false}, changed = true;

	for (unsigned r = 0; r < DVMI_REGS; r++)
		may[r] = dvmi_is_desc(t->reg[r]);
	while (changed) {
		changed = false;
		for (unsigned i = 0; i < t->insns; i++) {
			const struct dvmi_insn *in = &t->insn[i];
			bool from_load = in->op == DVMI_OP_LD || in->op == DVMI_OP_WALK || in->op == DVMI_OP_LDX ||
					 in->op == DVMI_OP_AMO || in->op == DVMI_OP_CAS;
			uint8_t rd = in->op == DVMI_OP_CAS ? in->rs : in->rd;
			bool operand = (in->rn < DVMI_REGS && (may[in->rn] || made[in->rn])) ||
				       (in->rm < DVMI_REGS && (may[in->rm] || made[in->rm]));
			bool alu = in->op == DVMI_OP_ALU && operand &&
				   !(in->alu == DVMI_N_EOR && in->rn == in->rm);

			if (rd >= DVMI_REGS || rd == DVMI_REG_ZR)
				continue;
			if ((from_load ||
			     ((in->op == DVMI_OP_MOV || in->op == DVMI_OP_CSEL) && operand)) &&
			    !may[rd])
				may[rd] = changed = true;
			if (alu && !made[rd])
				made[rd] = changed = true;
		}
	}
	for (unsigned i = 0; i < t->insns; i++) {
		const struct dvmi_insn *in = &t->insn[i];

		if (in->op == DVMI_OP_AMO && in->alu != DVMI_AMO_SWP)
			return true;
		if (((in->op == DVMI_OP_ST || in->op == DVMI_OP_STX || in->op == DVMI_OP_CAS) &&
		     in->rd < DVMI_REGS && made[in->rd]) ||
		    (in->op == DVMI_OP_AMO && in->rs < DVMI_REGS && made[in->rs]))
			return true;
	}
	return false;
}

static bool stores(const struct dvmi_thread *t)
{
	for (unsigned i = 0; i < t->insns; i++)
		if (t->insn[i].op == DVMI_OP_ST || t->insn[i].op == DVMI_OP_STX ||
		    t->insn[i].op == DVMI_OP_AMO || t->insn[i].op == DVMI_OP_CAS)
			return true;
	return false;
}

static void find_outcomes(struct walker *w, unsigned thread)
{
	const struct dvm_litmus *test = w->test;
	const struct dvmi_thread *me = &test->thread[thread];
	bool any = false;
	uint8_t read = 0, write = 0;

	for (unsigned t = 0; t < test->threads; t++) {
		if (computes_descriptors(&test->thread[t]))
			read = write = (uint8_t)((1u << DVMI_OUT_COUNT) - 1 + (me->hw ? UPDATE_BIT : 0));
		any |= stores(&test->thread[t]);
	}
	/* Descriptors that a register or a data word holds may be stored to any descriptor. */
	for (unsigned t = 0; t < test->threads && any; t++)
		for (unsigned r = 0; r < DVMI_REGS; r++)
			if (dvmi_is_desc(test->thread[t].reg[r])) {
				read |= outcome_bit(test, test->thread[t].reg[r], me, false);
				write |= outcome_bit(test, test->thread[t].reg[r], me, true);
			}
	for (unsigned l = 0; l < DVMI_LOCS_MAX && any; l++)
		if (l >= DVMI_PAGES_MAX && dvmi_is_desc(test->init[l])) {
			read |= outcome_bit(test, test->init[l], me, false);
			write |= outcome_bit(test, test->init[l], me, true);
		}
	for (unsigned p = 0; p < test->space.pages; p++) {
		w->outcomes_page[p] = read | outcome_bit(test, test->init[p], me, false);
		w->outcomes_page_w[p] = write | outcome_bit(test, test->init[p], me, true);
	}
	for (unsigned p = 0; p < test->space.pages; p++)
		if (test->twin[p]) {
			w->outcomes_page[p] |= w->outcomes_page[test->twin[p] - 1];
			w->outcomes_page_w[p] |= w->outcomes_page_w[test->twin[p] - 1];
		}
}

static uint8_t outcomes_of(const struct walker *w, const struct dvmi_insn *in,
			   const struct known *k)
{
	bool write = in->op != DVMI_OP_LD && in->op != DVMI_OP_LDX && in->op != DVMI_OP_WALK &&
		     in->op != DVMI_OP_AGE;
	const uint8_t *table = write ? w->outcomes_page_w : w->outcomes_page;
	uint8_t all = 1u << DVMI_OUT_OK;

	if (k->is[in->rn] && in->rm == DVMI_REG_NONE) {
		uint64_t a = k->value[in->rn] + (uint64_t)in->imm;

		if (dvmi_is_va(a, w->test->space.pages))
			return table[dvmi_va_page(a)];
		return (uint8_t)(1u << dvmi_untranslated(a, w->test->space.pages, w->t->el0));
	}
	if (w->t->el0)
		all |= 1u << DVMI_OUT_PERMISSION;
	for (unsigned p = 0; p < w->test->space.pages; p++)
		all |= table[p];
	return all;
}

/* ---- following the instructions ---- */

static int emit_path(struct walker *w)
{
	struct dvmi_paths *out = w->out;

	if (out->count == PATHS_MAX)
		return dvmi_error(w->err, DVM_ELIMIT, w->test->file,
				  "P%d can go more than %d ways; make it shorter", w->t->number,
				  PATHS_MAX);
	if (dvmi_grow((void **)&out->path, &out->capacity, out->count + 1, sizeof(*out->path)))
		return dvmi_error_nomem(w->err);
	out->path[out->count++] = w->now;
	return 0;
}

static int go(struct walker *w, unsigned pc, struct known k);

static void set(struct known *k, uint8_t r, bool is, uint64_t v)
{
	if (r >= DVMI_REGS || r == DVMI_REG_ZR)
		return;
	k->is[r] = is;
	k->value[r] = v;
}

static void learn(struct known *k, const struct walker *w, const struct dvmi_insn *in)
{
	uint64_t v = 0;
	bool is = false;

	switch (in->op) {
	case DVMI_OP_MOV:
		is = in->rn == DVMI_REG_NONE || k->is[in->rn];
		v = in->rn == DVMI_REG_NONE ? (uint64_t)in->imm : k->value[in->rn];
		break;
	case DVMI_OP_ALU:
		is = k->is[in->rn] && in->rm == DVMI_REG_NONE &&
		     (in->alu == DVMI_N_ADD || in->alu == DVMI_N_SUB);
		v = in->alu == DVMI_N_ADD ? k->value[in->rn] + (uint64_t)in->imm
					  : k->value[in->rn] - (uint64_t)in->imm;
		break;
	case DVMI_OP_ADR:
		is = true;
		v = DVMI_CODE_BASE + ((uint64_t)w->t->number << 20) + 0x1000 +
		    4 * (uint64_t)w->t->label[in->target].at;
		break;
	case DVMI_OP_MRS:
		is = k->is[in->sysreg];
		v = k->value[in->sysreg];
		break;
	case DVMI_OP_MSR:
		set(k, in->sysreg, k->is[in->rn], k->value[in->rn]);
		return;
	case DVMI_OP_CAS:
	case DVMI_OP_STX:
		set(k, in->rs, false, 0);
		return;
	case DVMI_OP_ST:
	case DVMI_OP_CMP:
	case DVMI_OP_TLBI:
		return;
	default:
		break;
	}
	if (in->width == 4)
		v &= UINT32_MAX;
	set(k, in->rd, is, v);
}

/* Take instruction @pc with this choice, then go on at @next. */
static int take(struct walker *w, unsigned pc, uint8_t outcome, bool taken, unsigned next,
		const struct known *k)
{
	struct known later = *k;
	int rc;

	if (++w->steps > STEPS_MAX)
		return dvmi_error(w->err, DVM_ELIMIT, w->test->file,
				  "following the ways P%d can go takes more than %d steps; make it "
				  "shorter, or unroll its loops less",
				  w->t->number, STEPS_MAX);
	w->now.step[w->now.length].insn = (uint8_t)pc;
	w->now.step[w->now.length].outcome = outcome;
	w->now.step[w->now.length].taken = taken;
	w->now.step[w->now.length].update = w->update;
	w->update = false;
	w->now.length++;
	if (outcome == DVMI_OUT_OK)
		learn(&later, w, &w->t->insn[pc]);
	else
		set(&later, DVMI_REG_ELR, true,
		    DVMI_CODE_BASE + ((uint64_t)w->t->number << 20) + 0x1000 + 4 * pc);
	rc = go(w, next, later);
	w->now.length--;
	return rc;
}

static unsigned end_of(const struct walker *w)
{
	return w->t->insns;
}

static int access(struct walker *w, unsigned pc, const struct dvmi_insn *in, const struct known *k)
{
	uint8_t possible = outcomes_of(w, in, k);
	int rc = 0;

	/* A store-exclusive that fails does nothing at all. */
	if (in->op == DVMI_OP_STX)
		rc = take(w, pc, DVMI_OUT_OK, false, pc + 1, k);
	for (unsigned u = 0; u < 2 && !rc; u++) {
		if (!(possible & (u ? UPDATE_BIT : 1u << DVMI_OUT_OK)))
			continue;
		w->update = u;
		if (in->op == DVMI_OP_CAS)
			rc = take(w, pc, DVMI_OUT_OK, false, pc + 1, k);
		w->update = u;
		if (!rc)
			rc = take(w, pc, DVMI_OUT_OK, true, pc + 1, k);
	}
	for (unsigned o = DVMI_OUT_OK + 1; o < DVMI_OUT_COUNT && !rc; o++) {
		unsigned next = w->t->has_handler && pc < w->t->handler ? w->t->handler
				: w->test->skip				? pc + 1
									: end_of(w);

		if (possible & 1u << o)
			rc = take(w, pc, (uint8_t)o, true, next, k);
	}
	return rc;
}

static int eret(struct walker *w, unsigned pc, const struct known *k)
{
	uint64_t base = DVMI_CODE_BASE + ((uint64_t)w->t->number << 20) + 0x1000;
	uint64_t to = k->value[DVMI_REG_ELR];

	if (!k->is[DVMI_REG_ELR] || to < base || (to - base) / 4 > w->t->insns)
		return dvmi_error_at(
			w->err, DVM_EFORMAT, w->test->file, w->t->insn[pc].line, 1,
			"where this ERET returns to can not be known; set ELR_EL1 from "
			"ADR, a label or its own value");
	return take(w, pc, DVMI_OUT_OK, true, (unsigned)((to - base) / 4), k);
}

static int instruction(struct walker *w, unsigned pc, const struct known *k)
{
	const struct dvmi_insn *in = &w->t->insn[pc];
	unsigned target;
	int rc;

	switch (in->op) {
	case DVMI_OP_LD:
	case DVMI_OP_ST:
	case DVMI_OP_AMO:
	case DVMI_OP_CAS:
	case DVMI_OP_LDX:
	case DVMI_OP_STX:
		return access(w, pc, in, k);
	case DVMI_OP_AGE: /* there is such a walk, or none */
		w->update = true;
		rc = take(w, pc, DVMI_OUT_OK, true, pc + 1, k);
		return rc ? rc : take(w, pc, DVMI_OUT_OK, false, pc + 1, k);
	case DVMI_OP_CBZ:
	case DVMI_OP_CBNZ:
	case DVMI_OP_BCC:
		target = (unsigned)w->t->label[in->target].at;
		rc = take(w, pc, DVMI_OUT_OK, true, target, k);
		return rc ? rc : take(w, pc, DVMI_OUT_OK, false, pc + 1, k);
	case DVMI_OP_WALK: /* it reads, or there is no such walk */
	case DVMI_OP_CSEL:
	case DVMI_OP_MSR:
		/* CSEL: either value. MSR TTBR0: in force at once, or from the next CSE. */
		rc = take(w, pc, DVMI_OUT_OK, true, pc + 1, k);
		if (rc || (in->op == DVMI_OP_MSR && in->sysreg != DVMI_REG_TTBR))
			return rc;
		return take(w, pc, DVMI_OUT_OK, false, pc + 1, k);
	case DVMI_OP_B:
		return take(w, pc, DVMI_OUT_OK, true, (unsigned)w->t->label[in->target].at, k);
	case DVMI_OP_ERET:
		return eret(w, pc, k);
	default:
		return take(w, pc, DVMI_OUT_OK, true, pc + 1, k);
	}
}

static int go(struct walker *w, unsigned pc, struct known k)
{
	int rc;

	if (pc == w->t->handler && w->now.length &&
	    w->now.step[w->now.length - 1].outcome == DVMI_OUT_OK &&
	    w->now.step[w->now.length - 1].insn < w->t->handler)
		return emit_path(w); /* ran off the end of the thread, not into its handler */
	if (pc >= w->t->insns)
		return emit_path(w);
	if (w->visits[pc] == w->unroll || w->now.length == DVMI_PATH_MAX) {
		w->out->cut = true;
		return 0;
	}
	w->visits[pc]++;
	rc = instruction(w, pc, &k);
	w->visits[pc]--;
	return rc;
}

int dvmi_paths_enumerate(const struct dvm_litmus *test, unsigned t, unsigned unroll,
			 struct dvmi_paths *paths, struct dvm_error *err)
{
	struct walker *w = dvmi_zalloc(sizeof(*w));
	struct known k;
	int rc;

	if (!w)
		return dvmi_error_nomem(err);
	w->test = test;
	w->t = &test->thread[t];
	w->unroll = unroll;
	w->out = paths;
	w->err = err;
	for (unsigned r = 0; r < DVMI_REGS; r++) {
		k.is[r] = true;
		k.value[r] = w->t->reg[r];
	}
	find_outcomes(w, t);
	rc = w->t->handler ? go(w, 0, k) : emit_path(w);
	dvmi_free(w);
	return rc;
}

void dvmi_paths_fini(struct dvmi_paths *paths)
{
	dvmi_free(paths->path);
	memset(paths, 0, sizeof(*paths));
}
