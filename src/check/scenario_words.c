/* SPDX-License-Identifier: MIT */
/* Words of a strategy in a test, their values before it begins, and which registers matter when. */
#include "check/scenario.h"

#include <stdio.h>
#include <string.h>

/* ---- words ---- */

uint64_t *dvmi_scn_word(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			const struct dvmi_insn *insn, unsigned cpu, char *name, size_t size)
{
	static const char *const mm_names[] = {"mm", "other"};
	const struct dvmi_word *w = &t->p->words[insn->word];
	unsigned mm = h->mm, i = insn->word;
	char place[16];
	uint64_t *at;

	switch (insn->base) {
	case DVMI_BASE_GLOBAL:
		snprintf(place, sizeof(place), "all");
		at = &t->words.global[i];
		break;
	case DVMI_BASE_CPU:
		snprintf(place, sizeof(place), "cpu%u", cpu);
		at = &t->words.cpu[cpu][i];
		break;
	case DVMI_BASE_TASK:
		snprintf(place, sizeof(place), "task%u", h->task);
		at = &t->words.task[h->task][i];
		break;
	default:
		if (h->hook == DVMI_HOOK_SWITCH_IN && insn->base == DVMI_BASE_PREV)
			mm = !mm;
		if (h->hook == DVMI_HOOK_SWITCH_OUT && insn->base == DVMI_BASE_NEXT)
			mm = !mm;
		snprintf(place, sizeof(place), "%s", mm_names[mm]);
		at = &t->words.mm[mm][i];
	}
	if (snprintf(name, size, "%s_%s", place, w->name) >= (int)size)
		snprintf(name, size, "%s_word%u", place, i);
	return at;
}

void dvmi_scn_words_init(const struct dvmi_program *p, struct dvmi_scn_words *w)
{
	for (unsigned i = 0; i < p->words_count; i++) {
		uint64_t v = p->words[i].init;

		w->mm[0][i] = w->mm[1][i] = w->global[i] = v;
		for (unsigned c = 0; c < DVMI_SCN_CPUS; c++)
			w->cpu[c][i] = v;
		for (unsigned k = 0; k <= DVMI_SCN_CPUS; k++)
			w->task[k][i] = v;
	}
}

/* ---- which registers matter ---- */

static uint16_t reads(const struct dvmi_insn *insn)
{
	uint16_t set = 0;

	for (unsigned i = 0; i < 2; i++)
		if (insn->src[i].kind == DVMI_REG)
			set |= (uint16_t)(1u << insn->src[i].n);
	if (insn->index.kind == DVMI_REG)
		set |= (uint16_t)(1u << insn->index.n);
	return set;
}

uint16_t dvmi_scn_live(const struct dvmi_program *p, unsigned pc)
{
	uint16_t live[DVMI_INSNS_MAX + 1] = {0};
	bool changed = true;

	while (changed) {
		changed = false;
		for (unsigned i = p->insns_count; i-- > 0;) {
			const struct dvmi_insn *insn = &p->insns[i];
			uint16_t out = insn->op == DVMI_RET || insn->op == DVMI_B ? 0 : live[i + 1];

			if (dvmi_op_is_branch(insn->op) || insn->op == DVMI_SECTION)
				out |= live[insn->target];
			if (insn->dst != DVMI_NOREG && insn->dst < DVMI_REGS)
				out &= (uint16_t) ~(1u << insn->dst);
			out |= reads(insn);
			changed |= out != live[i];
			live[i] = out;
		}
	}
	return live[pc];
}

/* ---- what happened before ---- */

static uint64_t carry_out(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			  const struct dvmi_frame *f, const struct dvmi_prog_env *env,
			  const struct dvmi_insn *insn)
{
	unsigned cpu = h->cpu;
	uint64_t *at, old, value;
	char name[32];

	if (insn->op < DVMI_LD || insn->op > DVMI_FADD) {
		if (dvmi_op_is_memory(insn->op) || insn->op == DVMI_PARK || insn->op == DVMI_IPI)
			dvmi_scn_unsupported(t, insn,
					     insn->op == DVMI_IPI ? "IPIs are not modelled"
					     : insn->op == DVMI_PARK
						     ? "the reserved table is not modelled"
						     : "CPU masks are not modelled");
		return 0;
	}
	if (t->p->words[insn->word].kernel)
		dvmi_scn_unsupported(t, insn, "words that the kernel keeps are not modelled");
	if (insn->base == DVMI_BASE_CPU && !dvmi_frame_cpu(f, insn, env, &cpu)) {
		dvmi_scn_unsupported(t, insn, "there is no such CPU here");
		return 0;
	}
	at = dvmi_scn_word(t, h, insn, cpu, name, sizeof(name));
	old = *at;
	if (dvmi_frame_store(f, insn, old, env, &value))
		*at = value;
	return old;
}

void dvmi_scn_before(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h)
{
	uint64_t masks[DVMI_MASK_REGS] = {0};
	struct dvmi_prog_env env = {.program = t->p,
				    .fields = h->fields,
				    .masks = masks,
				    .mask_words = 1,
				    .cpus = DVMI_SCN_CPUS,
				    .self = h->cpu};
	const struct dvmi_insn *insn;
	struct dvmi_frame f;
	unsigned steps = 0;

	if (t->p->hooks[h->hook] < 0)
		return;
	dvmi_frame_start(&f, t->p, h->hook);
	while (!t->why[0] && (insn = dvmi_frame_next(&f, &env))) {
		if (++steps > DVMI_SCN_STEPS)
			dvmi_scn_unsupported(t, insn, "a loop without end");
		dvmi_frame_result(&f, carry_out(t, h, &f, &env, insn), &env);
	}
	if (f.state == DVMI_RUNAWAY)
		dvmi_scn_unsupported(t, NULL, "it computes without end");
}
