/* SPDX-License-Identifier: MIT */
#include "program/checker.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint8_t enter, leave;
} pairs[] = {
	{ DVMI_MIGRATE_DISABLE, DVMI_MIGRATE_ENABLE },
	{ DVMI_PREEMPT_DISABLE, DVMI_PREEMPT_ENABLE },
	{ DVMI_IRQ_DISABLE, DVMI_IRQ_ENABLE },
};

enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]), DEPTH_MAX = 8 };

int dvmi_check_fail(const struct dvmi_checker *c, const struct dvmi_insn *insn, const char *fmt,
		    ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dvmi_error_at(c->err, DVM_EFORMAT, c->where, insn->line, insn->column, "%s", text);
}

/* Registers an operand reads. */
static void reads_of(const struct dvmi_operand *v, uint32_t *regs, uint32_t *masks)
{
	if (v->kind == DVMI_REG)
		*regs |= 1u << v->n;
	else if (v->kind == DVMI_MASK)
		*masks |= 1u << v->n;
}

static bool sets_mask(unsigned op)
{
	return op == DVMI_MASK_NONE || op == DVMI_MASK_ALL || op == DVMI_LDMASK;
}

static void reads(const struct dvmi_insn *insn, uint32_t *regs, uint32_t *masks)
{
	*regs = *masks = 0;
	if (!sets_mask(insn->op))
		reads_of(&insn->src[0], regs, masks);
	reads_of(&insn->src[1], regs, masks);
	reads_of(&insn->index, regs, masks);
}

static const char *first_name(const char (*names)[DVMI_NAME], uint32_t set)
{
	unsigned i = 0;

	while (!(set >> i & 1))
		i++;
	return names[i];
}

static int check_reads(const struct dvmi_checker *c, const struct dvmi_insn *insn,
		       const struct dvmi_flow *flow)
{
	uint32_t regs, masks;

	reads(insn, &regs, &masks);
	regs &= ~flow->regs;
	masks &= ~flow->masks;
	if (regs || masks)
		return dvmi_check_fail(c, insn, "register '%s' may not be set on every path from "
				       "'on %s:' to here; set it first",
				       regs ? first_name(c->p->regs, regs) :
					      first_name(c->p->mask_regs, masks),
				       dvmi_hook_names[c->hook]);
	if (insn->op == DVMI_TLBI && insn->what != DVMI_TLBI_ALL && !flow->asid)
		return dvmi_check_fail(c, insn, "no ASID was read on some path from 'on %s:' to "
				       "here; write asid after the barrier and before the TLBI",
				       dvmi_hook_names[c->hook]);
	return 0;
}

/* Pairs and sections: may this instruction run in this state? */
static int check_nesting(const struct dvmi_checker *c, const struct dvmi_insn *insn,
			 const struct dvmi_flow *flow)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		if (insn->op == pairs[i].leave && !flow->depth[i])
			return dvmi_check_fail(c, insn, "%s without %s before it; remove it or add "
					       "the other", dvmi_op_names[pairs[i].leave],
					       dvmi_op_names[pairs[i].enter]);
		if (insn->op == pairs[i].enter && flow->depth[i] == DEPTH_MAX)
			return dvmi_check_fail(c, insn, "%s is nested more than %d deep; add the "
					       "missing %s", dvmi_op_names[pairs[i].enter],
					       DEPTH_MAX, dvmi_op_names[pairs[i].leave]);
		if (insn->op == DVMI_RET && flow->depth[i])
			return dvmi_check_fail(c, insn, "the hook returns after %s; write %s "
					       "before ret", dvmi_op_names[pairs[i].enter],
					       dvmi_op_names[pairs[i].leave]);
	}
	if (insn->op == DVMI_SECTION && flow->section)
		return dvmi_check_fail(c, insn, "a section begins inside a section; end the first "
				       "with section_end");
	if (insn->op == DVMI_SECTION_END && !flow->section)
		return dvmi_check_fail(c, insn, "section_end without section before it; remove it "
				       "or begin one");
	if (insn->op == DVMI_RET && flow->section)
		return dvmi_check_fail(c, insn, "the hook returns inside a section; write "
				       "section_end before ret");
	return 0;
}

static void apply(const struct dvmi_checker *c, const struct dvmi_insn *insn,
		  struct dvmi_flow *flow)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		flow->depth[i] = (uint8_t)(flow->depth[i] + (insn->op == pairs[i].enter));
		flow->depth[i] = (uint8_t)(flow->depth[i] - (insn->op == pairs[i].leave));
	}
	if (insn->dst != DVMI_NOREG)
		flow->regs |= 1u << insn->dst;
	if (sets_mask(insn->op))
		flow->masks |= 1u << insn->src[0].n;
	if (insn->op == DVMI_ASID)
		flow->asid = 1;
	if (insn->op == DVMI_SECTION)
		flow->section = (uint16_t)(insn - c->p->insns + 1);
	else if (insn->op == DVMI_SECTION_END)
		flow->section = 0;
}

static int unbalanced(const struct dvmi_checker *c, const struct dvmi_insn *insn,
		      const struct dvmi_insn *from, unsigned pair, bool this_is_deeper)
{
	const char *enter = dvmi_op_names[pairs[pair].enter];

	return dvmi_check_fail(c, insn, this_is_deeper ?
			       "the path from line %u comes here after one %s more than another "
			       "path; balance it with %s" :
			       "the path from line %u comes here after one %s less than another "
			       "path; balance that with %s",
			       from->line, enter, dvmi_op_names[pairs[pair].leave]);
}

/* Two paths meet: protections must agree, of the rest only what both know remains. */
static int join(struct dvmi_checker *c, const struct dvmi_insn *from, unsigned to,
		const struct dvmi_flow *flow)
{
	struct dvmi_flow *old = &c->flow[to];
	struct dvmi_flow new = *flow;

	if (old->reached) {
		for (unsigned i = 0; i < PAIRS; i++)
			if (old->depth[i] != flow->depth[i])
				return unbalanced(c, &c->p->insns[to], from, i,
						  flow->depth[i] > old->depth[i]);
		if (old->section != flow->section)
			return dvmi_check_fail(c, &c->p->insns[to], "one path comes here inside a "
					       "section and another (from line %u) not; end the "
					       "section on both", from->line);
		new.regs &= old->regs;
		new.masks &= old->masks;
		new.asid &= old->asid;
		if (new.regs == old->regs && new.masks == old->masks && new.asid == old->asid)
			return 0;
	}
	new.reached = 1;
	*old = new;
	c->seen[to] = 1;
	if (!c->queued[to]) {
		c->queued[to] = 1;
		c->work[c->work_count++] = (uint16_t)to;
	}
	return 0;
}

static int go(struct dvmi_checker *c, const struct dvmi_insn *from, unsigned to,
	      const struct dvmi_flow *flow)
{
	if (to < c->first || to >= c->end)
		return dvmi_check_fail(c, from, "a path runs past the end of hook '%s'; end it "
				       "with ret", dvmi_hook_names[c->hook]);
	return join(c, from, to, flow);
}

static int visit(struct dvmi_checker *c, unsigned i)
{
	const struct dvmi_insn *insn = &c->p->insns[i];
	struct dvmi_flow flow = c->flow[i];
	int rc;

	/* A restart goes from any place in the section to its label, the section still armed. */
	if (flow.section) {
		rc = go(c, insn, c->p->insns[flow.section - 1].target, &flow);
		if (rc)
			return rc;
	}
	rc = check_nesting(c, insn, &flow);
	if (rc || insn->op == DVMI_RET)
		return rc;
	apply(c, insn, &flow);
	if (insn->op == DVMI_SECTION) {
		rc = go(c, insn, insn->target, &flow);
		if (rc)
			return rc;
	}
	if (dvmi_op_is_branch(insn->op)) {
		rc = go(c, insn, insn->target, &flow);
		if (rc || insn->op == DVMI_B)
			return rc;
	}
	return go(c, insn, i + 1, &flow);
}

static unsigned body_end(const struct dvmi_program *p, unsigned first)
{
	unsigned end = p->insns_count;

	for (unsigned h = 0; h < DVMI_HOOKS; h++)
		if (p->hooks[h] > (int)first && (unsigned)p->hooks[h] < end)
			end = (unsigned)p->hooks[h];
	return end;
}

static int check_hook(struct dvmi_checker *c, enum dvmi_hook hook)
{
	struct dvmi_flow start = { .asid = hook == DVMI_HOOK_IPI };
	int rc;

	c->hook = hook;
	c->first = (unsigned)c->p->hooks[hook];
	c->end = body_end(c->p, c->first);
	if (c->first >= c->p->insns_count)
		return dvmi_error_at(c->err, DVM_EFORMAT, c->where, c->p->hook_lines[hook], 1,
				     "hook '%s' is empty; write ret in it", dvmi_hook_names[hook]);
	memset(c->flow, 0, c->p->insns_count * sizeof(*c->flow));
	rc = join(c, &c->p->insns[c->first], c->first, &start);
	while (!rc && c->work_count) {
		unsigned i = c->work[--c->work_count];

		c->queued[i] = 0;
		rc = visit(c, i);
	}
	for (unsigned i = c->first; !rc && i < c->end; i++) {
		if (!c->flow[i].reached)
			continue;
		rc = check_reads(c, &c->p->insns[i], &c->flow[i]);
		if (!rc)
			rc = dvmi_check_context(c, &c->p->insns[i]);
	}
	return rc;
}

/* The successor of @i that is still in question (dead[] = 0), or -1. */
static int live_successor(const struct dvmi_program *p, const uint8_t *dead, unsigned i)
{
	const struct dvmi_insn *insn = &p->insns[i];

	if (!dvmi_op_is_computed(insn->op) || insn->op == DVMI_RET)
		return -1;
	if (dvmi_op_is_branch(insn->op) && !dead[insn->target])
		return insn->target;
	if (insn->op != DVMI_B && i + 1 < p->insns_count && !dead[i + 1])
		return (int)i + 1;
	return -1;
}

/*
 * A loop of computed instructions only: nothing any other CPU does can end it. Strike out, until
 * nothing changes, every instruction with an effect or with no successor left; what remains leads
 * into such a loop.
 */
static int pure_loop(struct dvmi_checker *c)
{
	const struct dvmi_program *p = c->p;
	uint8_t *dead = c->queued;
	bool again = true;
	unsigned i = 0;

	memset(dead, 0, p->insns_count);
	while (again) {
		again = false;
		for (i = p->insns_count; i-- > 0;)
			if (!dead[i] && live_successor(p, dead, i) < 0)
				dead[i] = again = true;
	}
	for (i = 0; i < p->insns_count && dead[i]; i++)
		;
	if (i == p->insns_count)
		return 0;
	/* After as many steps as there are instructions we are in the loop; find its way back. */
	for (unsigned n = 0; n < p->insns_count || live_successor(p, dead, i) > (int)i; n++)
		i = (unsigned)live_successor(p, dead, i);
	return dvmi_check_fail(c, &p->insns[i], "this loop only computes and may never end; load a "
			       "word in it or unroll it");
}

static int unreachable(const struct dvmi_checker *c)
{
	for (unsigned i = 0; i < c->p->insns_count; i++)
		if (!c->seen[i])
			return dvmi_check_fail(c, &c->p->insns[i], "no path leads to this "
					       "instruction; remove it or branch to it");
	return 0;
}

static int never_read(const struct dvmi_checker *c)
{
	uint32_t regs, masks, all_regs = 0, all_masks = 0;

	for (unsigned i = 0; i < c->p->insns_count; i++) {
		reads(&c->p->insns[i], &regs, &masks);
		all_regs |= regs;
		all_masks |= masks;
	}
	for (unsigned i = 0; i < c->p->insns_count; i++) {
		const struct dvmi_insn *insn = &c->p->insns[i];

		if (insn->dst != DVMI_NOREG && !(all_regs >> insn->dst & 1))
			return dvmi_check_fail(c, insn, "register '%s' is set and never read; "
					       "write _ in its place", c->p->regs[insn->dst]);
		if (sets_mask(insn->op) && !(all_masks >> insn->src[0].n & 1))
			return dvmi_check_fail(c, insn, "mask register '%s' is set and never read; "
					       "remove the instruction",
					       c->p->mask_regs[insn->src[0].n]);
	}
	return 0;
}

/* A part without FEAT_TLBID has no domains, a guest may have none: the program must ask. */
static int asks_for_domains(const struct dvmi_checker *c)
{
	const struct dvmi_insn *needs = NULL;

	for (unsigned i = 0; i < c->p->insns_count; i++) {
		const struct dvmi_insn *insn = &c->p->insns[i];

		for (unsigned k = 0; k < 2; k++)
			if (insn->src[k].kind == DVMI_FIELD && insn->src[k].n == DVMI_ENV_DOMAINS)
				return 0;
		if (!needs && insn->op == DVMI_TLBI && insn->src[0].kind != DVMI_NONE)
			needs = insn;
	}
	return !needs ? 0 : dvmi_check_fail(c, needs, "a part without FEAT_TLBID has no TLBI domains; "
					    "branch on env.domains and write tlbi is where it is 0");
}

/* What a mask register holds, by the masks and IPIs it meets: CPUs or TLBI domains. */
static int check_mask_kinds(const struct dvmi_checker *c)
{
	uint8_t kind[DVMI_MASK_REGS] = {0};

	for (unsigned i = 0; i < c->p->insns_count; i++) {
		const struct dvmi_insn *insn = &c->p->insns[i];
		unsigned r = insn->src[0].n;
		uint8_t k = 1;

		if (insn->op == DVMI_LDMASK || insn->op == DVMI_STMASK)
			k = c->p->words[insn->word].domains ? 2 : 1;
		else if (insn->op != DVMI_IPI)
			continue;
		if (kind[r] && kind[r] != k)
			return dvmi_check_fail(c, insn, "mask register '%s' holds %s elsewhere and "
					       "%s here; use another register",
					       c->p->mask_regs[r], k == 1 ? "TLBI domains" : "CPUs",
					       k == 1 ? "CPUs" : "TLBI domains");
		kind[r] = k;
	}
	return 0;
}

static int check_hooks(struct dvmi_checker *c)
{
	const struct dvmi_program *p = c->p;
	int rc = 0;

	if (p->hooks[DVMI_HOOK_FLUSH] < 0)
		return dvmi_error(c->err, DVM_EFORMAT, c->where, "the strategy has no flush hook; "
				  "write on flush: and what a flush does");
	if (p->hooks[DVMI_HOOK_BATCH_ADD] >= 0 && p->hooks[DVMI_HOOK_BATCH_FLUSH] < 0)
		return dvmi_error_at(c->err, DVM_EFORMAT, c->where,
				     p->hook_lines[DVMI_HOOK_BATCH_ADD], 1,
				     "nothing completes what batch-add begins; write on "
				     "batch-flush:");
	for (unsigned h = 0; h < DVMI_HOOKS && !rc; h++)
		if (p->hooks[h] >= 0)
			rc = check_hook(c, (enum dvmi_hook)h);
	if (!rc)
		rc = unreachable(c);
	if (!rc)
		rc = never_read(c);
	if (!rc)
		rc = asks_for_domains(c);
	if (!rc)
		rc = check_mask_kinds(c);
	return rc ? rc : pure_loop(c);
}

int dvmi_program_check(const struct dvmi_program *program, const char *where,
		       struct dvm_error *err)
{
	size_t n = program->insns_count + 1;
	struct dvmi_checker c = { .p = program, .where = where, .err = err };
	int rc;

	c.flow = dvmi_calloc(n, sizeof(*c.flow));
	c.work = dvmi_calloc(n, sizeof(*c.work));
	c.queued = dvmi_calloc(n, 1);
	c.seen = dvmi_calloc(n, 1);
	if (c.flow && c.work && c.queued && c.seen)
		rc = check_hooks(&c);
	else
		rc = dvmi_error_nomem(err);
	dvmi_free(c.flow);
	dvmi_free(c.work);
	dvmi_free(c.queued);
	dvmi_free(c.seen);
	return rc;
}
