/* SPDX-License-Identifier: MIT */
#include "import_plugin.h"

#include <inttypes.h>
#include <string.h>

#define KPTI_BIT (UINT64_C(1) << 48)

/* TLBIs and barriers of the stream, gathered into the flush requests they belong to. */

struct world_task *import_current(struct import *im, unsigned cpu)
{
	return im->world.cpus[cpu].current;
}

/* ---- flushes ---- */

static uint8_t fault_cause(const struct world_task *t)
{
	return t->depth ? t->ops[t->depth - 1].op : DVM_TRACE_OP_NONE;
}

/* A fault whose kind has become known: its OP_BEGIN says so, and its OP_END will. */
uint8_t import_know_fault(struct import *im, struct world_task *t, uint8_t op)
{
	struct world_op *last = t->depth ? &t->ops[t->depth - 1] : NULL;

	if (last && last->op == DVM_TRACE_OP_FAULT && last->begin != NONE) {
		last->op = op;
		im->world.records[last->begin].op = op;
	}
	return op;
}

static uint8_t cause_of(struct import *im, struct world_task *t, const struct group *g)
{
	uint8_t op;

	if (g->scope == TLBI_VA_ALL_ASIDS)
		return DVM_TRACE_OP_KERNEL_MAP;
	op = world_op(t);
	switch (t->about.what) {
	case ABOUT_CLEAR_FLUSH:
		return t->purpose ? t->purpose : import_know_fault(im, t, DVM_TRACE_OP_FAULT_COW);
	case ABOUT_ACCESS:
		return import_know_fault(im, t, DVM_TRACE_OP_FAULT_WP_REUSE);
	case ABOUT_PMD:
		return t->splitting || (!op && !t->purpose) ? DVM_TRACE_OP_THP_SPLIT :
		       t->purpose ? t->purpose : op;
	case ABOUT_COLLAPSE:
		return DVM_TRACE_OP_THP_COLLAPSE;
	case ABOUT_YOUNG:
		return DVM_TRACE_OP_YOUNG_CLEAR;
	case ABOUT_CONTPTE:
		return DVM_TRACE_OP_CONTPTE;
	case ABOUT_BATCH:
		return t->purpose ? t->purpose : DVM_TRACE_OP_RECLAIM;
	default:
		break;
	}
	if (t->purpose)
		return t->purpose;
	if (!op)
		op = fault_cause(t);
	return op ? op : DVM_TRACE_OP_OTHER;
}

static struct world_mm *mm_of(struct import *im, const struct world_task *t,
			      const struct group *g)
{
	struct world_mm *by_asid = im->asids[g->asid], *by_hook = NULL;

	if (t->about.mm)
		by_hook = world_mm(&im->world, t->about.mm);
	if (by_hook && by_asid && g->asid && by_hook != by_asid)
		im->counts.disagree += im->world.active;
	return by_hook ? by_hook : g->asid ? by_asid : NULL;
}

/* A mmu_gather knows exactly what was asked for; otherwise it is what the operands cover. */
static void fill_range(const struct import *im, const struct world_task *t,
		       const struct group *g, struct dvm_trace_record *r)
{
	uint64_t low = g->low, high = g->high;

	r->stride_shift = t->about.what == ABOUT_PMD ? 21 : 12;
	if (t->about.what == ABOUT_GATHER) {
		uint64_t levels = im->old_gather ? t->about.bits << 1 : t->about.bits;

		low = t->about.start;
		high = t->about.end;
		r->stride_shift = levels & GATHER_PTES ? 12 : levels & GATHER_PMDS ? 21 :
				  levels & GATHER_PUDS ? 30 : 12;
	}
	if (t->about.what == ABOUT_PMD)
		high = low + (UINT64_C(1) << 21);
	low &= ~(PAGE - 1);
	high = (high + PAGE - 1) & ~(PAGE - 1);
	r->va = low;
	r->amount = high > low ? (high - low) / PAGE : 1;
	r->request = r->amount == 1 && t->about.what != ABOUT_GATHER ? DVM_TRACE_REQ_PAGE :
								  DVM_TRACE_REQ_RANGE;
	r->level = g->level;
}

static void fill_flush(struct import *im, struct world_task *t, const struct group *g,
		       struct dvm_trace_record *r)
{
	struct world_mm *mm = mm_of(im, t, g);
	bool gather = t->about.what == ABOUT_GATHER;
	/* Also of a gather that found another one on the same mm (tlb_finish_mmu()). */
	bool whole = gather && t->about.bits & GATHER_FULLMM;

	r->kind = DVM_TRACE_FLUSH;
	r->task = world_task_id(&im->world, t);
	r->op = cause_of(im, t, g);
	r->level = DVM_TRACE_LEVEL_UNKNOWN;
	im->counts.requests++;
	if (g->leaf)
		r->flags |= DVM_TRACE_F_LEAF;
	if (g->scope == TLBI_ALL || g->scope == TLBI_VA_ALL_ASIDS) {
		r->request = DVM_TRACE_REQ_ALL;
		if (g->scope == TLBI_VA_ALL_ASIDS) {
			fill_range(im, t, g, r);
			r->request = DVM_TRACE_REQ_KERNEL;
		}
		return;
	}
	im->counts.user_cause += r->op != DVM_TRACE_OP_OTHER ? g->count : 0;
	if (!mm || mm->dead) {
		r->kind = 0; /* the report says how many */
		return;
	}
	im->counts.user_mm += g->count;
	r->mm = world_mm_id(&im->world, mm);
	if (mm == t->exit_mm && (whole || g->asid_wide))
		r->flags |= DVM_TRACE_F_FULLMM;
	else if (mm != t->mm)
		r->flags |= DVM_TRACE_F_FOREIGN;
	if (gather && t->about.bits & GATHER_FREED_TABLES)
		r->flags |= DVM_TRACE_F_FREED_TABLES;
	/* A range too long for single operations is flushed by ASID; what was asked for is the range. */
	if (g->asid_wide && (!gather || whole))
		r->request = DVM_TRACE_REQ_ASID;
	else
		fill_range(im, t, g, r);
}

void import_group_close(struct import *im, unsigned cpu, bool synced)
{
	struct group *g = &im->cpus[cpu].group;
	struct world_task *t = g->task;
	struct dvm_trace_record *r;

	if (!g->open)
		return;
	g->open = false;
	if (im->world.active && g->at != NONE) {
		struct dvm_trace_record filled = im->world.records[g->at];

		/* Ids given here must not move the record under our feet. */
		fill_flush(im, t, g, &filled);
		r = &im->world.records[g->at];
		if (!synced && filled.kind) {
			filled.flags |= DVM_TRACE_F_NOSYNC;
			if (t->about.what != ABOUT_BATCH)
				filled.op = DVM_TRACE_OP_YOUNG_CLEAR;
			else
				t->batch = true;
		}
		*r = filled;
	}
	t->splitting = false;
	t->about = t->outer;
	t->outer = (struct world_about){ 0 };
}

void import_group_hold(struct import *im, unsigned cpu)
{
	struct group *g = &im->cpus[cpu].group;

	if (!g->open)
		return;
	if (im->nheld == HELD) {
		import_group_close(im, cpu, false);
		return;
	}
	im->held[im->nheld++] = *g;
	g->open = false;
}

void import_group_resume(struct import *im, unsigned cpu, const struct world_task *task)
{
	for (unsigned i = 0; i < im->nheld; i++)
		if (im->held[i].task == task) {
			im->cpus[cpu].group = im->held[i];
			im->held[i] = im->held[--im->nheld];
			return;
		}
}

/* Interrupt handlers have barriers of their own (gic_ipi_send_mask()). */
static bool continues(const struct group *g, const struct event *e, const struct tlbi *op)
{
	bool twin = (g->operand ^ e->value) == KPTI_BIT;

	return twin || ((g->asid | 1) == (op->asid | 1) && op->va == g->high);
}

void import_tlbi(struct import *im, const struct event *e)
{
	struct tlbi op = tlbi_decode(e->word, e->value);
	struct group *g = &im->cpus[e->cpu].group;
	bool user = op.scope == TLBI_ASID || op.scope == TLBI_VA;
	struct world_task *t = import_current(im, e->cpu);

	if (im->world.active) {
		im->counts.tlbis++;
		im->counts.dummies += op.dummy;
		im->counts.local += !op.dummy && op.local;
		im->counts.other += op.scope == TLBI_NOT_MODELLED;
		im->counts.user += !op.dummy && user;
		im->counts.kernel += !op.dummy && !user && op.scope != TLBI_NOT_MODELLED;
	}
	im->range |= op.range;
	im->repeat |= op.dummy;
	if (op.dummy || op.local || op.scope == TLBI_NOT_MODELLED || !t)
		return;
	/* The kernel's half of the tables and the user's have ASIDs that differ in one bit. */
	im->kpti |= g->open && user && (g->operand ^ e->value) == KPTI_BIT;
	if (g->open && (g->scope != op.scope || (g->fenced && !continues(g, e, &op))))
		import_group_close(im, e->cpu, false);
	g->fenced = false;
	if (!g->open) {
		*g = (struct group){ .open = true, .leaf = op.leaf, .scope = op.scope, .task = t,
				     .asid = op.asid, .level = op.level, .low = UINT64_MAX };
		world_emit(&im->world, e->cpu, 0);
		g->at = world_last(&im->world);
	}
	g->count++;
	g->operand = e->value;
	g->asid_wide = op.scope == TLBI_ASID;
	g->leaf &= op.leaf;
	if (op.level != g->level)
		g->level = DVM_TRACE_LEVEL_UNKNOWN;
	if (op.va < g->low)
		g->low = op.va;
	if (op.va + op.bytes > g->high)
		g->high = op.va + op.bytes;
}

void import_dsb(struct import *im, const struct event *e)
{
	struct world_task *t = import_current(im, e->cpu);

	if (e->word != DSB_ISH && e->word != DSB_ISHST)
		return;
	if (e->word == DSB_ISH || (t && (t->about.what == ABOUT_YOUNG || t->about.what == ABOUT_BATCH)))
		import_group_close(im, e->cpu, e->word == DSB_ISH);
	else
		im->cpus[e->cpu].group.fenced = true;
	if (e->word == DSB_ISH && t && t->flushing_dirty) {
		t->flushing_dirty = false;
		import_batch_flush(im, e->cpu);
	}
}
