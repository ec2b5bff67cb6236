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

void dvmi_scn_words_init(const struct dvmi_program *p, unsigned users, struct dvmi_scn_words *w)
{
	for (unsigned i = 0; i < p->words_count; i++) {
		uint64_t v = p->words[i].init;

		if (p->words[i].kernel) /* mm_users: the only one */
			v = users;
		else if (p->words[i].mask)
			v = v ? (1u << DVMI_SCN_CPUS) - 1 : 0;

		w->mm[0][i] = w->mm[1][i] = w->global[i] = v;
		for (unsigned c = 0; c < DVMI_SCN_CPUS; c++)
			w->cpu[c][i] = v;
		for (unsigned k = 0; k <= DVMI_SCN_CPUS; k++)
			w->task[k][i] = v;
	}
}

/* ---- which registers matter ---- */

static uint32_t slot_bit(const struct dvmi_operand *o)
{
	if (o->kind == DVMI_REG)
		return 1u << o->n;
	return o->kind == DVMI_MASK ? 1u << (DVMI_SCN_MASK0 + o->n) : 0;
}

/* A mask register that is set without being read. */
static bool sets_mask(const struct dvmi_insn *insn)
{
	return insn->op == DVMI_MASK_NONE || insn->op == DVMI_MASK_ALL || insn->op == DVMI_LDMASK;
}

static uint32_t reads(const struct dvmi_insn *insn)
{
	uint32_t set = slot_bit(&insn->index) | slot_bit(&insn->src[1]);

	if (!sets_mask(insn))
		set |= slot_bit(&insn->src[0]);
	if (insn->op == DVMI_TLBI || insn->op == DVMI_IPI)
		set |= 1u << DVMI_SCN_ASID;
	return set;
}

static uint32_t writes(const struct dvmi_insn *insn)
{
	uint32_t set = insn->dst < DVMI_REGS ? 1u << insn->dst : 0;

	if (sets_mask(insn))
		set |= slot_bit(&insn->src[0]);
	if (insn->op == DVMI_ASID)
		set |= 1u << DVMI_SCN_ASID;
	return set;
}

uint32_t dvmi_scn_live(const struct dvmi_program *p, unsigned pc)
{
	uint32_t live[DVMI_INSNS_MAX + 1] = {0};
	bool changed = true;

	while (changed) {
		changed = false;
		for (unsigned i = p->insns_count; i-- > 0;) {
			const struct dvmi_insn *insn = &p->insns[i];
			uint32_t out = insn->op == DVMI_RET || insn->op == DVMI_B ? 0 : live[i + 1];

			if (dvmi_op_is_branch(insn->op) || insn->op == DVMI_SECTION)
				out |= live[insn->target];
			out = (out & ~writes(insn)) | reads(insn);
			changed |= out != live[i];
			live[i] = out;
		}
	}
	return live[pc];
}

/* ---- what happened before ---- */

/* Masks: what a single access reads, and what it leaves. */
static uint64_t mask_access(const struct dvmi_frame *f, const struct dvmi_prog_env *env,
			    const struct dvmi_insn *insn, uint64_t *at)
{
	uint64_t v = dvmi_frame_value(f, &insn->src[0], env), old = *at;
	uint64_t bit = UINT64_C(1) << (v & 63);

	switch (insn->op) {
	case DVMI_LDMASK:
		*dvmi_frame_mask(&insn->src[0], env) = old;
		return old;
	case DVMI_STMASK:
		*at = *dvmi_frame_mask(&insn->src[0], env);
		return old;
	case DVMI_SETALL:
		*at = (1u << DVMI_SCN_CPUS) - 1;
		return old;
	case DVMI_CLRALL:
		*at = 0;
		return old;
	case DVMI_SETBIT:
	case DVMI_TSETBIT:
		*at |= bit;
		break;
	case DVMI_CLRBIT:
	case DVMI_TCLRBIT:
		*at &= ~bit;
		break;
	default:
		break;
	}
	return (old & bit) != 0;
}

static uint64_t carry_out(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			  const struct dvmi_frame *f, const struct dvmi_prog_env *env,
			  const struct dvmi_insn *insn)
{
	unsigned cpu = h->cpu;
	uint64_t *at, old, value;
	char name[32];

	if (!dvmi_op_is_memory(insn->op))
		return 0; /* the story before the test has no races: order, TLBs and ASIDs are settled */
	if (insn->base == DVMI_BASE_CPU && !dvmi_frame_cpu(f, insn, env, &cpu)) {
		dvmi_scn_unsupported(t, insn, "there is no such CPU here");
		return 0;
	}
	at = dvmi_scn_word(t, h, insn, cpu, name, sizeof(name));
	if (insn->op > DVMI_FADD)
		return mask_access(f, env, insn, at);
	old = *at;
	if (dvmi_frame_store(f, insn, old, env, &value))
		*at = value;
	return old;
}

void dvmi_scn_before(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h)
{
	uint64_t masks[DVMI_MASK_REGS] = {0};
	uint16_t domain_of[DVMI_SCN_CPUS];
	struct dvmi_prog_env env = {.program = t->p,
				    .fields = h->fields,
				    .masks = masks,
				    .mask_words = 1,
				    .domain_of = domain_of,
				    .cpus = DVMI_SCN_CPUS,
				    .self = h->cpu};
	const struct dvmi_insn *insn;
	struct dvmi_frame f;
	unsigned steps = 0;

	if (t->p->hooks[h->hook] < 0)
		return;
	for (unsigned c = 0; c < DVMI_SCN_CPUS; c++)
		domain_of[c] = (uint16_t)dvmi_scn_domain(t, c);
	dvmi_frame_start(&f, t->p, h->hook);
	while (!t->why[0] && (insn = dvmi_frame_next(&f, &env))) {
		if (++steps > DVMI_SCN_STEPS)
			dvmi_scn_unsupported(t, insn, "a loop without end");
		dvmi_frame_result(&f, carry_out(t, h, &f, &env, insn), &env);
	}
	if (f.state == DVMI_RUNAWAY)
		dvmi_scn_unsupported(t, NULL, "it computes without end");
}
