/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include <string.h>
#include <strings.h>

/*
 * TTHM=: hardware management of access flag and dirty state (FEAT_HAFDBS), for all threads or by
 * thread, as herd reads it. HD without HA means nothing, so HD is both.
 */
static bool feature(const char *word, uint8_t *hw)
{
	if (!strcasecmp(word, "HA"))
		*hw = DVMI_HW_AF;
	else if (!strcasecmp(word, "HD"))
		*hw = DVMI_HW_AF | DVMI_HW_DIRTY;
	else if (!strcasecmp(word, "SW"))
		*hw = 0;
	else
		return false;
	return true;
}

int dvmi_litmus_tthm(struct dvmi_litmus_parser *p, const char *list)
{
	while (*(list += strspn(list, ", \t"))) {
		size_t n = strcspn(list, ", \t");
		char word[16] = "";
		bool one;
		uint8_t hw;

		if (n < sizeof(word))
			memcpy(word, list, n);
		one = (word[0] == 'P' || word[0] == 'p') && word[1] >= '0' &&
		      word[1] < '0' + DVMI_PES_MAX && word[2] == ':';
		if (!feature(one ? word + 3 : word, &hw))
			return dvmi_lex_fail(&p->lex, "TTHM= takes HA, HD or SW, for all threads or "
						      "as in P0:HA P1:HD");
		for (int t = 0; t < DVMI_PES_MAX; t++)
			if (!one || t == word[1] - '0')
				p->test->thread[t].hw |= hw;
		list += n;
	}
	return 0;
}

static bool thread_holds(const struct dvmi_thread *t, uint64_t v)
{
	for (unsigned r = 0; r < DVMI_REGS; r++)
		if (t->reg[r] == v)
			return true;
	return false;
}

static bool memory_holds(const struct dvm_litmus *test, uint64_t v)
{
	for (unsigned l = DVMI_PAGES_MAX; l < DVMI_LOCS_MAX; l++)
		if (test->init[l] == v)
			return true;
	return false;
}

static unsigned writes(const struct dvmi_thread *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->insns; i++)
		n += t->insn[i].op == DVMI_OP_ST || t->insn[i].op == DVMI_OP_AMO ||
		     t->insn[i].op == DVMI_OP_CAS || t->insn[i].op == DVMI_OP_STX;
	return n;
}

/* A bound on early updates of one page's access flag, which keeps the search small. */
#define AGES_MAX 3

/*
 * How often the access flag of @page may be set early: there is nothing to set but at first and after
 * a write of the descriptor.
 */
static unsigned ages(const struct dvm_litmus *test, unsigned page)
{
	unsigned clear = 0;

	if ((test->init[page] & DVMI_DESC_VALID) && !(test->init[page] & DVMI_DESC_AF))
		clear = 1;
	for (unsigned i = 0; i < test->threads; i++) {
		const struct dvmi_thread *t = &test->thread[i];

		if (thread_holds(t, dvmi_pte(page)) || memory_holds(test, dvmi_pte(page)))
			clear += writes(t);
	}
	return clear < AGES_MAX ? clear : AGES_MAX;
}

static bool age(struct dvmi_thread *t, unsigned page)
{
	if (t->insns == sizeof(t->insn) / sizeof(t->insn[0]))
		return false;
	t->reg[page] = dvmi_va(page);
	t->insn[t->insns++] = (struct dvmi_insn){ .op = DVMI_OP_AGE,
						  .rd = DVMI_REG_NONE,
						  .rn = (uint8_t)page,
						  .rm = DVMI_REG_NONE,
						  .rs = DVMI_REG_NONE,
						  .width = 8,
						  .text = "(walk for no access)" };
	return true;
}

/*
 * Where a thread has HA, its table walker may set the access flag for an access that is never made:
 * one more thread, which is no column, does what all walkers may do so.
 */
int dvmi_litmus_age(struct dvmi_litmus_parser *p)
{
	struct dvm_litmus *test = p->test;
	struct dvmi_thread *t = &test->thread[test->threads];
	uint8_t hw = 0;

	for (unsigned i = 0; i < test->threads; i++)
		hw |= test->thread[i].hw;
	if (!hw)
		return 0;
	if (test->threads == DVMI_PES_MAX)
		return dvmi_lex_fail(&p->lex, "with TTHM= at most %d threads", DVMI_PES_MAX - 1);
	memset(t->reg, 0, sizeof(t->reg));
	t->hw = hw;
	t->el0 = false;
	for (unsigned i = 0; i < test->space.pages; i++)
		for (unsigned n = ages(test, i); n-- > 0;)
			if (!age(t, i))
				return dvmi_lex_fail(&p->lex, "TTHM=: too many variables");
	t->handler = t->insns;
	if (t->insns)
		test->threads++;
	return 0;
}
