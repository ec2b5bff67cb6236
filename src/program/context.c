/* SPDX-License-Identifier: MIT */
#include "program/checker.h"

/* What each hook offers; the contract is in program.h. */
enum {
	MM = 1,	     /* mm, and cur_is_mm, active_is_mm, asid */
	REQUEST = 2, /* req.*, tlbi request, notify */
	SWITCH = 4,  /* prev and next */
	ALLOC = 8,
	IPI = 16,
	IDLE = 32,
	IRQ_OFF = 64, /* runs with interrupts off: can not wait for other CPUs */
};

static const unsigned offers[DVMI_HOOKS] = {
	[DVMI_HOOK_FLUSH] = MM | REQUEST,
	[DVMI_HOOK_BATCH_ADD] = MM | REQUEST,
	[DVMI_HOOK_BATCH_FLUSH] = 0,
	[DVMI_HOOK_SWITCH_IN] = MM | SWITCH | IRQ_OFF,
	[DVMI_HOOK_SWITCH_OUT] = MM | SWITCH | IRQ_OFF,
	[DVMI_HOOK_SWITCH_SAME] = MM | IRQ_OFF,
	[DVMI_HOOK_IDLE] = MM | IDLE | IRQ_OFF,
	[DVMI_HOOK_MM_NEW] = MM,
	[DVMI_HOOK_ASID_ALLOC] = MM | ALLOC | IRQ_OFF,
	[DVMI_HOOK_ROLLOVER] = IRQ_OFF,
	[DVMI_HOOK_TICK] = MM | IRQ_OFF,
	[DVMI_HOOK_IPI] = MM | REQUEST | IPI | IRQ_OFF,
};

static unsigned field_needs(unsigned field)
{
	if (field <= DVMI_REQ_KIND)
		return REQUEST;
	switch (field) {
	case DVMI_CUR_IS_MM:
	case DVMI_ACTIVE_IS_MM:
		return MM;
	case DVMI_ENV_IDLE:
		return IDLE;
	case DVMI_ENV_TLB_FLUSHED:
		return SWITCH;
	case DVMI_ALLOC_PATH:
		return ALLOC;
	case DVMI_IPI_ARG:
		return IPI;
	default:
		return 0;
	}
}

static int check_operand(const struct dvmi_checker *c, const struct dvmi_insn *insn,
			 const struct dvmi_operand *v)
{
	unsigned has = offers[c->hook];

	if (v->kind == DVMI_FIELD && (field_needs(v->n) & ~has))
		return dvmi_check_fail(c, insn, "hook '%s' has no %s; ask for it in a hook that "
				       "has it", dvmi_hook_names[c->hook], dvmi_field_names[v->n]);
	return 0;
}

static int check_base(const struct dvmi_checker *c, const struct dvmi_insn *insn)
{
	unsigned has = offers[c->hook];

	if (!dvmi_op_is_memory(insn->op) && insn->op != DVMI_ASID)
		return 0;
	if ((insn->base == DVMI_BASE_PREV || insn->base == DVMI_BASE_NEXT) && !(has & SWITCH))
		return dvmi_check_fail(c, insn, "hook '%s' has no prev and next mm; they exist in "
				       "switch-in and switch-out", dvmi_hook_names[c->hook]);
	if (insn->base == DVMI_BASE_MM && !(has & MM))
		return dvmi_check_fail(c, insn, "hook '%s' is about no mm; use words of cpu, task "
				       "or the system", dvmi_hook_names[c->hook]);
	return 0;
}

static int check_ipi(const struct dvmi_checker *c, const struct dvmi_insn *insn)
{
	if (c->p->hooks[DVMI_HOOK_IPI] < 0)
		return dvmi_check_fail(c, insn, "nothing says what the targets do; write on ipi:");
	if ((offers[c->hook] & IRQ_OFF) || c->flow[insn - c->p->insns].depth[2])
		return dvmi_check_fail(c, insn, "waiting for other CPUs with interrupts off can "
				       "deadlock; send the IPI where they are on");
	return 0;
}

int dvmi_check_context(const struct dvmi_checker *c, const struct dvmi_insn *insn)
{
	unsigned has = offers[c->hook];
	int rc = check_base(c, insn);

	if (!rc)
		rc = check_operand(c, insn, &insn->src[0]);
	if (!rc)
		rc = check_operand(c, insn, &insn->src[1]);
	if (!rc)
		rc = check_operand(c, insn, &insn->index);
	if (rc)
		return rc;
	switch (insn->op) {
	case DVMI_TLBI:
		if (insn->what == DVMI_TLBI_REQUEST && !(has & REQUEST))
			return dvmi_check_fail(c, insn, "hook '%s' has no request to expand; write "
					       "tlbi %s asid or tlbi %s all",
					       dvmi_hook_names[c->hook],
					       insn->scope == DVMI_TLBI_IS ? "is" : "local",
					       insn->scope == DVMI_TLBI_IS ? "is" : "local");
		return 0;
	case DVMI_NOTIFY:
		if (!(has & REQUEST))
			return dvmi_check_fail(c, insn, "hook '%s' has no request to notify of; "
					       "remove it", dvmi_hook_names[c->hook]);
		return 0;
	case DVMI_PARK:
		if (!(has & IDLE))
			return dvmi_check_fail(c, insn, "TTBR0 can be parked in the idle hook "
					       "only; move it there");
		return 0;
	case DVMI_IPI:
		return check_ipi(c, insn);
	default:
		return 0;
	}
}
