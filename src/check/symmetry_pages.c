/* SPDX-License-Identifier: MIT */
/*
 * Symmetries that rename variables as well: the two threads of SB are the same if x and y change
 * names. A value that names a page is renamed wherever it is, so renaming must not be able to
 * change what a value that does not name one comes to: dvmi_pages_may_move() says for which tests
 * that is certain. There, values are only moved about, never computed.
 */
#include "check/symmetry.h"

#include <string.h>

/* ---- values that name a page ---- */

enum kind { PLAIN, VA, PTE, PA, DESC };

/* @rest: what is left of the value without the page. */
static enum kind kind_of(uint64_t v, unsigned pages, unsigned *page, uint64_t *rest)
{
	uint64_t oa = v & DVMI_DESC_OA_MASK;
	bool pa = oa >= DVMI_PA_BASE && oa < DVMI_PA_BASE + pages * DVMI_PAGE_BYTES;

	if (dvmi_is_va(v, pages)) {
		*page = dvmi_va_page(v);
		*rest = v % DVMI_PAGE_BYTES;
		return VA;
	}
	if (v >= DVMI_PTE_BASE && v < DVMI_PTE_BASE + pages * 8) {
		*page = (unsigned)((v - DVMI_PTE_BASE) / 8);
		*rest = v % 8;
		return PTE;
	}
	if (!pa)
		return PLAIN;
	*page = (unsigned)((oa - DVMI_PA_BASE) / DVMI_PAGE_BYTES);
	*rest = v & ~DVMI_DESC_OA_MASK;
	return dvmi_is_desc(v) ? DESC : PA;
}

uint64_t dvmi_symmetry_value(const struct dvmi_symmetry *g, unsigned pages, uint64_t v)
{
	unsigned page = 0;
	uint64_t rest = 0;

	switch (kind_of(v, pages, &page, &rest)) {
	case VA:
		return dvmi_va(g->page[page]) + rest;
	case PTE:
		return dvmi_pte(g->page[page]) + rest;
	case PA:
	case DESC:
		return dvmi_pa(g->page[page]) | rest;
	default:
		return v;
	}
}

uint16_t dvmi_symmetry_loc_from(const struct dvmi_symmetry *g, uint16_t loc)
{
	unsigned page = loc < DVMI_PAGES_MAX ? loc : (loc - DVMI_PAGES_MAX) / DVMI_CELLS, was = 0;

	while (g->page[was] != page)
		was++;
	return (uint16_t)(loc < DVMI_PAGES_MAX ? was : loc + (was - page) * DVMI_CELLS);
}

/* ---- where values may go ---- */

struct flow {
	const struct dvm_litmus *test;
	bool names[DVMI_PES_MAX][DVMI_REGS]; /* the register may hold a value that names a page */
	bool words;			     /* so may a word of memory that is no descriptor */
	bool changed;
};

static bool names_page(const struct flow *f, uint64_t v)
{
	unsigned page;
	uint64_t rest;

	return kind_of(v, f->test->space.pages, &page, &rest) != PLAIN;
}

/* The register that an instruction writes; DVMI_REG_NONE: none. */
static uint8_t written(const struct dvmi_insn *in)
{
	switch (in->op) {
	case DVMI_OP_MOV:
	case DVMI_OP_ALU:
	case DVMI_OP_LD:
	case DVMI_OP_WALK:
	case DVMI_OP_AMO:
	case DVMI_OP_LDX:
	case DVMI_OP_CSEL:
		return in->rd;
	case DVMI_OP_CAS:
	case DVMI_OP_STX:
		return in->rs;
	default:
		return DVMI_REG_NONE;
	}
}

static bool is_access(const struct dvmi_insn *in)
{
	return in->op == DVMI_OP_LD || in->op == DVMI_OP_ST || in->op == DVMI_OP_AMO ||
	       in->op == DVMI_OP_CAS || in->op == DVMI_OP_LDX || in->op == DVMI_OP_STX ||
	       in->op == DVMI_OP_WALK;
}

/* Is it a register that gives 0 only: for a dependency? */
static bool makes_zero(const struct dvmi_insn *in)
{
	return in->op == DVMI_OP_ALU && in->alu == DVMI_N_EOR && in->rn == in->rm && !in->shift &&
	       in->ext == DVMI_EXT_NONE;
}

static bool always_zero(const struct dvmi_thread *t, uint8_t r)
{
	if (r == DVMI_REG_ZR)
		return true;
	if (r >= DVMI_REGS || t->reg[r])
		return false;
	for (unsigned i = 0; i < t->insns; i++)
		if (written(&t->insn[i]) == r && !makes_zero(&t->insn[i]))
			return false;
	return true;
}

static bool constant(const struct dvmi_thread *t, uint8_t r)
{
	for (unsigned i = 0; i < t->insns; i++)
		if (written(&t->insn[i]) == r)
			return false;
	return r < DVMI_REG_ZR;
}

/* An access by the first value of a register, to the page that this names. */
static bool plain_address(const struct flow *f, const struct dvmi_thread *t,
			  const struct dvmi_insn *in, bool *descriptor)
{
	unsigned page;
	uint64_t rest = 0, end;
	enum kind kind;

	if (in->rn >= DVMI_REGS || !constant(t, in->rn) ||
	    (in->rm != DVMI_REG_NONE && !always_zero(t, in->rm)))
		return false;
	kind = kind_of(t->reg[in->rn], f->test->space.pages, &page, &rest);
	*descriptor = kind == PTE;
	if (kind == PTE)
		return !rest && !in->imm;
	end = rest + (uint64_t)in->imm;
	return (kind == VA || kind == PA) && rest < DVMI_PAGE_BYTES && in->imm >= 0 &&
	       end < DVMI_PAGE_BYTES;
}

static void may_name(struct flow *f, unsigned t, uint8_t r)
{
	if (r >= DVMI_REGS || r == DVMI_REG_ZR || f->names[t][r])
		return;
	f->names[t][r] = f->changed = true;
}

static bool holds(const struct flow *f, unsigned t, uint8_t r)
{
	return r < DVMI_REGS && r != DVMI_REG_ZR && f->names[t][r];
}

/* What an access moves; false: half of a value that may name a page. */
static bool moves(struct flow *f, unsigned t, const struct dvmi_insn *in, bool descriptor)
{
	bool loads = in->op != DVMI_OP_ST && in->op != DVMI_OP_STX;
	uint8_t stored = in->op == DVMI_OP_AMO ? in->rs
			 : in->op == DVMI_OP_LD || in->op == DVMI_OP_LDX || in->op == DVMI_OP_WALK
				 ? DVMI_REG_NONE
				 : in->rd;
	bool stores_name = holds(f, t, stored), loads_name = loads && (descriptor || f->words);

	if (in->width != 8 && (stores_name || loads_name || descriptor))
		return false;
	if (stores_name && !descriptor && !f->words)
		f->words = f->changed = true;
	if (loads_name)
		may_name(f, t, written(in));
	return true;
}

/* TLBI by a register that names the page: by address, as herd takes it. */
static bool plain_tlbi(const struct flow *f, const struct dvmi_thread *t,
		       const struct dvmi_insn *in)
{
	uint64_t v = in->rn == DVMI_REG_NONE ? 0 : t->reg[in->rn];

	if (in->rn == DVMI_REG_NONE || in->what == DVMI_TLBI_ALL)
		return true;
	if (!constant(t, in->rn) || in->range)
		return false;
	return in->what == DVMI_TLBI_ASID ? !names_page(f, v) : dvmi_is_va(v, f->test->space.pages);
}

/* Values are moved, compared with 0 or used as addresses; nothing is computed from one that names a
 * page. */
static bool plain_insn(struct flow *f, unsigned t, const struct dvmi_insn *in)
{
	const struct dvmi_thread *th = &f->test->thread[t];
	bool descriptor = false;

	if (is_access(in)) {
		if (in->op == DVMI_OP_AMO && in->alu != DVMI_AMO_SWP)
			return false;
		return plain_address(f, th, in, &descriptor) && moves(f, t, in, descriptor);
	}
	switch (in->op) {
	case DVMI_OP_NOP:
	case DVMI_OP_B:
	case DVMI_OP_BCC:
	case DVMI_OP_DMB:
	case DVMI_OP_DSB:
	case DVMI_OP_ISB:
	case DVMI_OP_ERET:
		return true;
	case DVMI_OP_MOV:
		if (in->rn == DVMI_REG_NONE)
			return !names_page(f, (uint64_t)in->imm);
		if (holds(f, t, in->rn))
			may_name(f, t, in->rd);
		return in->width == 8 || !holds(f, t, in->rn);
	case DVMI_OP_ALU:
		return makes_zero(in);
	case DVMI_OP_CMP:
		return !holds(f, t, in->rn) && !holds(f, t, in->rm);
	case DVMI_OP_CBZ:
	case DVMI_OP_CBNZ:
		return !holds(f, t, in->rn);
	case DVMI_OP_TLBI:
		return plain_tlbi(f, th, in);
	case DVMI_OP_MSR:
		return in->sysreg == DVMI_REG_TTBR && constant(th, in->rn) &&
		       !names_page(f, th->reg[in->rn]);
	default:
		return false;
	}
}

bool dvmi_pages_may_move(const struct dvm_litmus *test)
{
	struct flow f = {.test = test, .changed = true};

	if (test->second_mm || test->watch)
		return false;
	for (unsigned t = 0; t < test->threads; t++) {
		if (test->thread[t].hw)
			return false;
		for (unsigned r = 0; r < DVMI_REGS; r++)
			f.names[t][r] = names_page(&f, test->thread[t].reg[r]);
	}
	for (unsigned l = DVMI_PAGES_MAX; l < DVMI_LOCS_MAX; l++)
		f.words |= names_page(&f, test->init[l]);
	while (f.changed) {
		f.changed = false;
		for (unsigned t = 0; t < test->threads; t++)
			for (unsigned i = 0; i < test->thread[t].insns; i++)
				if (!plain_insn(&f, t, &test->thread[t].insn[i]))
					return false;
	}
	return true;
}

/* ---- which variable becomes which ---- */

/* Let @page become @to; false: it is another already, or @to is taken. */
static bool becomes(struct dvmi_pages *p, unsigned page, unsigned to)
{
	if (p->to[page] == to)
		return true;
	if (p->to[page] != DVMI_NONE || (p->taken >> to & 1))
		return false;
	p->to[page] = (uint8_t)to;
	p->taken |= UINT32_C(1) << to;
	return true;
}

bool dvmi_pages_match(const struct dvm_litmus *test, const struct dvmi_thread *was,
		      const struct dvmi_thread *is, struct dvmi_pages *p)
{
	for (unsigned r = 0; r < DVMI_REGS; r++) {
		unsigned page = 0, to = 0;
		uint64_t rest = was->reg[r], other = is->reg[r];
		enum kind kind = kind_of(was->reg[r], test->space.pages, &page, &rest);

		if (kind_of(is->reg[r], test->space.pages, &to, &other) != kind || rest != other ||
		    (kind != PLAIN && !becomes(p, page, to)))
			return false;
	}
	return true;
}

bool dvmi_pages_finish(const struct dvm_litmus *test, struct dvmi_pages *p, struct dvmi_symmetry *g)
{
	/* Pages that no register names stay. */
	for (unsigned k = 0; k < DVMI_PAGES_MAX; k++)
		if (p->to[k] == DVMI_NONE && !becomes(p, k, k))
			return false;
	memcpy(g->page, p->to, sizeof(g->page));
	for (unsigned k = 0; k < test->space.pages; k++)
		if ((test->tables >> k & 1) != (test->tables >> g->page[k] & 1))
			return false;
	for (unsigned l = 0; l < DVMI_LOCS_MAX; l++) {
		uint64_t v = test->init[dvmi_symmetry_loc_from(g, (uint16_t)l)];

		if (dvmi_symmetry_value(g, test->space.pages, v) != test->init[l])
			return false;
	}
	return true;
}
