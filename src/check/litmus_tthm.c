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

static bool holds(const struct dvm_litmus *test, uint64_t v)
{
	for (unsigned t = 0; t < test->threads; t++)
		for (unsigned r = 0; r < DVMI_REGS; r++)
			if (test->thread[t].reg[r] == v)
				return true;
	for (unsigned l = DVMI_PAGES_MAX; l < DVMI_LOCS_MAX; l++)
		if (test->init[l] == v)
			return true;
	return false;
}

/*
 * Where a thread has HA, its table walker may set the access flag for an access that is never made:
 * one more thread, which is no column, may do so once for each page whose flag may be clear.
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
	for (unsigned i = 0; i < test->space.pages; i++) {
		bool clear = (test->init[i] & DVMI_DESC_VALID) && !(test->init[i] & DVMI_DESC_AF);

		if (!clear && !holds(test, dvmi_pte(i)))
			continue;
		t->reg[t->insns] = dvmi_va(i);
		t->insn[t->insns] = (struct dvmi_insn){.op = DVMI_OP_AGE,
						       .rd = DVMI_REG_NONE,
						       .rn = (uint8_t)t->insns,
						       .rm = DVMI_REG_NONE,
						       .rs = DVMI_REG_NONE,
						       .width = 8,
						       .text = "(walk for no access)"};
		t->insns++;
	}
	t->handler = t->insns;
	if (t->insns)
		test->threads++;
	return 0;
}
