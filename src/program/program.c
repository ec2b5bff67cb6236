/* SPDX-License-Identifier: MIT */
#include "program/program.h"

#include "base/mem.h"

#include <string.h>

const char *const dvmi_hook_names[DVMI_HOOKS] = {
	[DVMI_HOOK_FLUSH] = "flush",
	[DVMI_HOOK_BATCH_ADD] = "batch-add",
	[DVMI_HOOK_BATCH_FLUSH] = "batch-flush",
	[DVMI_HOOK_SWITCH_IN] = "switch-in",
	[DVMI_HOOK_SWITCH_OUT] = "switch-out",
	[DVMI_HOOK_SWITCH_SAME] = "switch-same",
	[DVMI_HOOK_IDLE] = "idle",
	[DVMI_HOOK_MM_NEW] = "mm-new",
	[DVMI_HOOK_ASID_ALLOC] = "asid-alloc",
	[DVMI_HOOK_ROLLOVER] = "rollover",
	[DVMI_HOOK_TICK] = "tick",
	[DVMI_HOOK_IPI] = "ipi",
};

const char *const dvmi_base_names[DVMI_BASE_TASK + 1] = {
	[DVMI_BASE_GLOBAL] = "",    [DVMI_BASE_MM] = "mm",   [DVMI_BASE_PREV] = "prev",
	[DVMI_BASE_NEXT] = "next", [DVMI_BASE_CPU] = "cpu", [DVMI_BASE_TASK] = "task",
};

const char *const dvmi_field_names[DVMI_FIELDS] = {
	[DVMI_REQ_NOSYNC] = "req.nosync",
	[DVMI_REQ_NOBROADCAST] = "req.nobroadcast",
	[DVMI_REQ_NONOTIFY] = "req.nonotify",
	[DVMI_REQ_FOREIGN] = "req.foreign",
	[DVMI_REQ_FULLASID] = "req.fullasid",
	[DVMI_REQ_FREED_TABLES] = "req.freed_tables",
	[DVMI_REQ_PAGES] = "req.pages",
	[DVMI_REQ_OPS] = "req.ops",
	[DVMI_REQ_FREES] = "req.frees",
	[DVMI_REQ_KIND] = "req.kind",
	[DVMI_CUR_IS_MM] = "cur_is_mm",
	[DVMI_ACTIVE_IS_MM] = "active_is_mm",
	[DVMI_ENV_REPEAT_TLBI] = "env.repeat_tlbi",
	[DVMI_ENV_SMMU_BTM] = "env.smmu_btm",
	[DVMI_ENV_VM] = "env.vm",
	[DVMI_ENV_KPTI] = "env.kpti",
	[DVMI_ENV_LAZY] = "env.lazy",
	[DVMI_ENV_IDLE] = "env.idle",
	[DVMI_ENV_TLB_FLUSHED] = "env.tlb_flushed",
	[DVMI_ENV_CPUS] = "env.cpus",
	[DVMI_ENV_DOMAINS] = "env.domains",
	[DVMI_ENV_DVM_LOAD] = "env.dvm_load",
	[DVMI_ALLOC_PATH] = "alloc.path",
	[DVMI_IPI_ARG] = "ipi.arg",
	[DVMI_RESTARTS] = "restarts",
};

const char *const dvmi_op_names[DVMI_OPS] = {
	[DVMI_MOV] = "mov",
	[DVMI_ADD] = "add",
	[DVMI_SUB] = "sub",
	[DVMI_AND] = "and",
	[DVMI_OR] = "or",
	[DVMI_XOR] = "xor",
	[DVMI_LSL] = "lsl",
	[DVMI_LSR] = "lsr",
	[DVMI_B] = "b",
	[DVMI_BEQ] = "beq",
	[DVMI_BNE] = "bne",
	[DVMI_BLT] = "blt",
	[DVMI_BGE] = "bge",
	[DVMI_BLE] = "ble",
	[DVMI_BGT] = "bgt",
	[DVMI_BIF] = "bif",
	[DVMI_BIFNOT] = "bifnot",
	[DVMI_RET] = "ret",
	[DVMI_CPU_DOMAIN] = "domain",
	[DVMI_MASK_NONE] = "mask.none",
	[DVMI_MASK_ALL] = "mask.all",
	[DVMI_MASK_SET] = "mask.set",
	[DVMI_MASK_CLR] = "mask.clr",
	[DVMI_MASK_AND] = "mask.and",
	[DVMI_MASK_OR] = "mask.or",
	[DVMI_MASK_TEST] = "mask.test",
	[DVMI_MASK_COUNT] = "mask.count",
	[DVMI_MASK_ONLY] = "mask.only",
	[DVMI_MASK_NEXT] = "mask.next",
	[DVMI_LD] = "ld",
	[DVMI_ST] = "st",
	[DVMI_CAS] = "cas",
	[DVMI_XCHG] = "xchg",
	[DVMI_FADD] = "fadd",
	[DVMI_LDMASK] = "ldmask",
	[DVMI_STMASK] = "stmask",
	[DVMI_SETBIT] = "setbit",
	[DVMI_CLRBIT] = "clrbit",
	[DVMI_TSTBIT] = "tstbit",
	[DVMI_TSETBIT] = "tsetbit",
	[DVMI_TCLRBIT] = "tclrbit",
	[DVMI_SETALL] = "setall",
	[DVMI_CLRALL] = "clrall",
	[DVMI_DSB] = "dsb",
	[DVMI_DMB] = "dmb",
	[DVMI_ISB] = "isb",
	[DVMI_SYNC] = "sync",
	[DVMI_ASID] = "asid",
	[DVMI_TLBI] = "tlbi",
	[DVMI_IPI] = "ipi",
	[DVMI_NOTIFY] = "notify",
	[DVMI_PARK] = "park",
	[DVMI_MIGRATE_DISABLE] = "migrate_disable",
	[DVMI_MIGRATE_ENABLE] = "migrate_enable",
	[DVMI_PREEMPT_DISABLE] = "preempt_disable",
	[DVMI_PREEMPT_ENABLE] = "preempt_enable",
	[DVMI_IRQ_DISABLE] = "irq_disable",
	[DVMI_IRQ_ENABLE] = "irq_enable",
	[DVMI_SECTION] = "section",
	[DVMI_SECTION_END] = "section_end",
};

void dvmi_program_free(struct dvmi_program *program)
{
	if (!program)
		return;
	dvmi_free(program->name);
	dvmi_free(program->summary);
	dvmi_free(program->source);
	dvmi_free(program->text);
	dvmi_free(program->labels);
	dvmi_free(program->insns);
	dvmi_free(program);
}

static void *copy(const void *data, size_t count, size_t size)
{
	void *p = dvmi_calloc(count + 1, size);

	if (p && count)
		memcpy(p, data, count * size);
	return p;
}

struct dvmi_program *dvmi_program_clone(const struct dvmi_program *program)
{
	struct dvmi_program *p = copy(program, 1, sizeof(*p));

	if (!p)
		return NULL;
	p->name = dvmi_strdup(program->name);
	p->summary = dvmi_strdup(program->summary);
	p->source = dvmi_strdup(program->source);
	p->text = copy(program->text, program->text_len, 1);
	p->labels = copy(program->labels, program->labels_count, sizeof(*p->labels));
	p->insns = copy(program->insns, program->insns_count, sizeof(*p->insns));
	if (p->name && p->summary && p->source && p->text && p->labels && p->insns)
		return p;
	dvmi_program_free(p);
	return NULL;
}

unsigned dvmi_program_hooks(const struct dvmi_program *program)
{
	unsigned set = 0;

	for (unsigned i = 0; i < DVMI_HOOKS; i++)
		if (program->hooks[i] >= 0)
			set |= 1u << i;
	return set;
}

int dvmi_program_word(const struct dvmi_program *program, enum dvmi_base base, const char *name)
{
	for (unsigned i = 0; i < program->words_count; i++)
		if (program->words[i].base == base && !strcmp(program->words[i].name, name))
			return (int)i;
	return -1;
}

static bool samples_self(const struct dvmi_insn *insn)
{
	return insn->src[0].kind == DVMI_SELF || insn->src[1].kind == DVMI_SELF;
}

void dvmi_insn_classify(struct dvmi_insn *insn)
{
	insn->pure = dvmi_op_is_computed(insn->op) && !samples_self(insn);
}
