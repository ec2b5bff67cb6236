/* SPDX-License-Identifier: MIT */
/* TLBIs and calls of flush functions in a kernel event trace, made into the requests they belong to. */
#include "import_ftrace.h"

#include <string.h>

#define STRIDE_MAX (UINT64_C(1) << 30)

static uint8_t stride_shift(const struct ft *ft, uint64_t stride)
{
	unsigned shift = ft->page_shift;

	while (shift < 39 && UINT64_C(1) << shift < stride)
		shift++;
	return (uint8_t)shift;
}

/* ---- causes ---- */

static bool in_fault(const struct world_task *t)
{
	return t->depth && t->ops[t->depth - 1].op >= DVM_TRACE_OP_FAULT &&
	       t->ops[t->depth - 1].op <= DVM_TRACE_OP_FAULT_SPURIOUS;
}

static uint8_t cause_in_progress(const struct world_task *t)
{
	uint8_t op = world_op(t);

	if (in_fault(t) || !op)
		op = t->depth ? t->ops[t->depth - 1].op : DVM_TRACE_OP_NONE;
	if (!op && t->exiting)
		op = DVM_TRACE_OP_EXIT;
	return op ? op : DVM_TRACE_OP_OTHER;
}

/* What the function says, where what the task is doing does not contradict it. */
static uint8_t cause_of(struct ft *ft, struct world_task *t, const struct ft_kind *k, bool foreign)
{
	switch (k->op) {
	case DVM_TRACE_OP_FAULT_COW:
		if (t->migrating)
			return DVM_TRACE_OP_MIGRATE_PAGE;
		if (in_fault(t) && !foreign)
			return ft_know_fault(ft, t, k->op);
		return foreign ? DVM_TRACE_OP_RECLAIM : cause_in_progress(t);
	case DVM_TRACE_OP_FAULT_WP_REUSE:
		return in_fault(t) ? ft_know_fault(ft, t, k->op) : cause_in_progress(t);
	case DVM_TRACE_OP_RECLAIM:
		return t->migrating ? DVM_TRACE_OP_MIGRATE_PAGE : k->op;
	case DVM_TRACE_OP_NONE:
		return cause_in_progress(t);
	default:
		return k->op;
	}
}

/* ---- requests ---- */

static bool fits(const struct ft *ft, uint64_t va, uint64_t bytes)
{
	uint64_t top = UINT64_C(1) << ft->va_bits;

	return va < top && bytes <= top - va;
}

static void put_range(const struct ft *ft, struct dvm_trace_record *r, uint64_t low, uint64_t high)
{
	low &= ~(ft->page - 1);
	high = (high + ft->page - 1) & ~(ft->page - 1);
	r->va = low;
	r->amount = high > low ? (high - low) / ft->page : 1;
	if (r->amount > UINT64_C(1) << 40 ||
	    (r->request != DVM_TRACE_REQ_KERNEL && !fits(ft, low, high - low)))
		r->kind = 0; /* a damaged operand; the report counts what is attributed */
}

static void put_mm(struct ft *ft, const struct world_task *t, struct world_mm *mm,
		   struct dvm_trace_record *r)
{
	r->mm = world_mm_id(&ft->world, mm);
	if (mm != t->mm && !(r->flags & DVM_TRACE_F_FULLMM))
		r->flags |= DVM_TRACE_F_FOREIGN;
}

/* A record to be filled when the request is whole; NONE outside the window. */
static size_t reserve(struct ft *ft, unsigned cpu)
{
	world_emit(&ft->world, cpu, 0);
	return world_last(&ft->world);
}

/* Whether @mm may have @asid: its own is not known, now or later in the recording. */
static bool may_have(struct ft *ft, struct world_mm *mm, uint16_t asid)
{
	if (!mm || mm->dead || mm->context)
		return false;
	for (unsigned i = 0; i < 65536; i++)
		if (ft->owners[i] == mm->address)
			return false;
	mm->context = asid;
	return true;
}

static struct world_mm *mm_of_asid(struct ft *ft, const struct ft_group *g, uint64_t told,
				   struct dvm_trace_record *r)
{
	uint16_t asid = ft->asids[g->asid] || ft->owners[g->asid] ? g->asid : g->asid & 0xfffe;
	struct world_task *t = g->task;

	if (told) { /* the recorder told the mm beside it */
		ft->asids[asid] = ft_mm(ft, told);
	} else if (!ft->asids[asid] && ft->owners[asid] && !ft->counts.rollovers) {
		/* it will be seen to run, with this ASID, which is nobody else's in this generation */
		ft->asids[asid] = ft_mm(ft, ft->owners[asid]);
	} else if (!ft->asids[asid]) {
		/* Nobody was seen with it: the task's own, or that of an mm that sleeps all the time. */
		if (!t->migrating && !g->kind->nosync && may_have(ft, t->mm, asid)) {
			r->flags |= DVM_TRACE_F_INFERRED;
			return ft->asids[asid] = t->mm;
		}
		ft->asids[asid] = ft_nameless_mm(ft);
	}
	return ft->asids[asid] && !ft->asids[asid]->dead ? ft->asids[asid] : NULL;
}

static void fill(struct ft *ft, struct ft_group *g, uint64_t told, struct dvm_trace_record *r)
{
	struct world_task *t = g->task;

	r->kind = DVM_TRACE_FLUSH;
	r->task = world_task_id(&ft->world, t);
	r->level = DVM_TRACE_LEVEL_UNKNOWN;
	if (g->scope == TLBI_ALL || g->scope == TLBI_VA_ALL_ASIDS) {
		r->op = DVM_TRACE_OP_KERNEL_MAP;
		r->request = g->scope == TLBI_ALL ? DVM_TRACE_REQ_ALL : DVM_TRACE_REQ_KERNEL;
		if (g->scope == TLBI_ALL)
			return;
		r->flags |= g->leaf ? DVM_TRACE_F_LEAF : 0;
		r->stride_shift = stride_shift(ft, g->step);
		r->level = g->level;
		put_range(ft, r, g->low, g->high);
		return;
	}
	g->mm = mm_of_asid(ft, g, told, r);
	r->op = cause_of(ft, t, g->kind, g->mm && g->mm != t->mm);
	ft->counts.user_cause += r->op != DVM_TRACE_OP_OTHER ? g->count : 0;
	if (!g->mm) {
		r->kind = 0; /* the report says how many */
		return;
	}
	ft->counts.user_mm += g->count;
	ft->counts.inferred_mm += r->flags & DVM_TRACE_F_INFERRED ? g->count : 0;
	put_mm(ft, t, g->mm, r);
	if (g->scope == TLBI_ASID) {
		r->request = DVM_TRACE_REQ_ASID;
		return;
	}
	r->flags |= g->leaf ? DVM_TRACE_F_LEAF : 0;
	r->level = g->level;
	r->stride_shift = stride_shift(ft, g->step);
	put_range(ft, r, g->low, g->high);
	r->request = r->amount == 1 ? DVM_TRACE_REQ_PAGE : DVM_TRACE_REQ_RANGE;
}

static void set_nosync(struct world_task *t, const struct ft_kind *k,
		       struct dvm_trace_record *r)
{
	if (!k->nosync || !r->mm)
		return;
	r->flags |= DVM_TRACE_F_NOSYNC;
	if (k->op == DVM_TRACE_OP_RECLAIM)
		t->batch = true;
	else
		r->op = DVM_TRACE_OP_YOUNG_CLEAR;
}

void ft_close_group(struct ft *ft, unsigned cpu)
{
	struct ft_group *g = &ft->cpus[cpu].group;
	struct dvm_trace_record filled;
	uint64_t told = ft->cpus[cpu].about_mm;

	if (!g->open)
		return;
	g->open = false;
	ft->cpus[cpu].about_mm = 0;
	if (!ft->world.active || g->at == NONE)
		return;
	filled = ft->world.records[g->at];
	fill(ft, g, told, &filled);
	if (filled.kind) {
		ft->counts.requests++;
		set_nosync(g->task, g->kind, &filled);
	}
	ft->world.records[g->at] = filled;
}

static void count(struct ft *ft, const struct tlbi *op)
{
	ft->counts.tlbis++;
	ft->counts.local += op->local;
	if (op->scope == TLBI_ASID || op->scope == TLBI_VA)
		ft->counts.user += !op->local;
	else
		ft->counts.kernel += !op->local;
}

static bool continues(const struct ft_group *g, const struct ft_event *e, const struct tlbi *op)
{
	uint64_t step = op->va - g->last;

	return g->open && !g->kind->single && !op->local && op->scope == g->scope &&
	       (op->scope == TLBI_VA || op->scope == TLBI_VA_ALL_ASIDS) && op->asid == g->asid &&
	       e->kind->function == g->kind->function && op->va > g->last && step <= STRIDE_MAX &&
	       (op->va == g->high || step == g->step || (g->count == 1 && !(step & (step - 1))));
}

static void extend(struct ft_group *g, const struct tlbi *op)
{
	if (op->va != g->high)
		g->step = op->va - g->last;
	g->count++;
	g->last = op->va;
	g->high = op->va + op->bytes;
	g->leaf &= op->leaf;
	if (op->level != g->level)
		g->level = DVM_TRACE_LEVEL_UNKNOWN;
}

void ft_tlbi(struct ft *ft, const struct ft_event *e)
{
	struct ft_group *g = &ft->cpus[e->cpu].group;
	struct tlbi op = tlbi_decode(e->kind->word, e->v[0]);
	struct world_task *t = ft->world.cpus[e->cpu].current;

	if (op.range)
		op.va <<= ft->page_shift - 12;
	op.bytes <<= ft->page_shift - 12;
	if (ft->world.active)
		count(ft, &op);
	/* KPTI: each user operand a second time, for the ASID of the other half */
	if (g->open && op.asid & 1 && op.scope == g->scope && e->kind->function == g->kind->function &&
	    e->v[0] == (g->operand | UINT64_C(1) << 48)) {
		ft->counts.folded += ft->world.active;
		ft->counts.user -= ft->world.active;
		ft->kpti = 1;
		return;
	}
	if (op.range)
		ft->tlbi_range = 1;
	if (op.local || !t) {
		ft_close_group(ft, e->cpu);
		return;
	}
	if (continues(g, e, &op)) {
		extend(g, &op);
		g->operand = e->v[0];
		return;
	}
	ft_close_group(ft, e->cpu);
	*g = (struct ft_group){ .open = true, .leaf = op.leaf, .scope = op.scope, .kind = e->kind,
				.low = op.va, .high = op.va + op.bytes, .last = op.va, .step = ft->page,
				.operand = e->v[0], .count = 1, .asid = op.asid, .level = op.level,
				.task = t };
	g->at = reserve(ft, e->cpu);
}

/* ---- calls of functions that take no probe ---- */

/* struct mmu_gather of 6.12, the word after start and end: captures made without BTF. */
static bool bit(const struct ft_event *e, unsigned field, unsigned place)
{
	return e->has >> field & 1 ? e->v[field] & 1 : e->v[8] >> place & 1;
}

static bool fill_gather(struct ft *ft, const struct ft_event *e, struct dvm_trace_record *r)
{
	bool fullmm = bit(e, 3, 0), tables = bit(e, 4, 2);

	if (fullmm) { /* arch/arm64/include/asm/tlb.h: nothing to do unless tables were freed */
		r->flags |= DVM_TRACE_F_FULLMM;
		r->request = DVM_TRACE_REQ_ASID;
		return tables;
	}
	r->flags |= tables ? DVM_TRACE_F_FREED_TABLES : DVM_TRACE_F_LEAF;
	r->stride_shift = bit(e, 5, 4) ? (uint8_t)ft->page_shift :
			  bit(e, 6, 5) ? (uint8_t)(2 * ft->page_shift - 3) :
			  bit(e, 7, 6) ? (uint8_t)(3 * ft->page_shift - 6) : (uint8_t)ft->page_shift;
	/* tlb_get_level(): a hint only when entries of one level were cleared and no table freed */
	if (!tables)
		r->level = bit(e, 5, 4) + bit(e, 6, 5) + bit(e, 7, 6) != 1 ? 4 :
			   bit(e, 5, 4) ? 3 : bit(e, 6, 5) ? 2 : 1;
	r->request = DVM_TRACE_REQ_RANGE;
	put_range(ft, r, e->v[1], e->v[2]);
	return true;
}

static void fill_range(struct ft *ft, const struct ft_event *e, struct dvm_trace_record *r)
{
	uint64_t start = e->has & 2 ? e->v[1] : e->v[5], end = e->has & 4 ? e->v[2] : e->v[6];
	uint64_t stride = e->has & 8 ? e->v[3] : e->v[7];

	if (e->kind->op == DVM_TRACE_OP_THP_SPLIT || e->kind->op == DVM_TRACE_OP_THP_COLLAPSE)
		end = start + (ft->page << (ft->page_shift - 3)); /* flush_pmd_tlb_range() */
	if (stride < ft->page || stride > STRIDE_MAX || stride & (stride - 1))
		stride = e->kind->level == 2 ? ft->page << (ft->page_shift - 3) : ft->page;
	r->stride_shift = stride_shift(ft, stride);
	r->flags |= e->kind->leaf ? DVM_TRACE_F_LEAF : 0;
	r->level = e->kind->level;
	r->request = DVM_TRACE_REQ_RANGE;
	put_range(ft, r, start, end);
	if (r->amount == 1)
		r->request = DVM_TRACE_REQ_PAGE;
}

/* The first argument is a vma or an mm; what is known as an mm decides. */
static struct world_mm *mm_of_range(struct ft *ft, const struct ft_event *e,
				    const struct world_task *t)
{
	struct world_mm *mm = e->v[0] ? world_mm(&ft->world, e->v[0]) : NULL;

	if (!mm && e->v[4])
		mm = world_mm(&ft->world, e->v[4]);
	if (!mm && !(e->has & 16)) /* captures without BTF */
		mm = t->mm;
	return mm;
}

void ft_call(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft->world.cpus[e->cpu].current;
	struct dvm_trace_record r = { 0 };
	struct world_mm *mm;
	bool gather = e->kind->id == FT_GATHER;
	size_t at;

	if (!ft->world.active || !t)
		return;
	ft->counts.calls++;
	mm = gather ? ft_mm(ft, e->v[0]) : mm_of_range(ft, e, t);
	at = reserve(ft, e->cpu);
	r = ft->world.records[at];
	r.kind = DVM_TRACE_FLUSH;
	r.level = DVM_TRACE_LEVEL_UNKNOWN;
	if (gather && !fill_gather(ft, e, &r)) {
		ft->counts.calls--; /* it issues no TLBI */
		return;
	}
	if (!gather)
		fill_range(ft, e, &r);
	r.op = cause_of(ft, t, e->kind, mm && mm != t->mm);
	ft->counts.user++;
	ft->counts.user_cause += r.op != DVM_TRACE_OP_OTHER;
	if (!mm || mm->dead || !r.kind)
		return;
	ft->counts.user_mm++;
	ft->counts.requests++;
	r.task = world_task_id(&ft->world, t);
	put_mm(ft, t, mm, &r);
	set_nosync(t, e->kind, &r);
	ft->world.records[at] = r;
}

/* ---- x86: the shape of a workload ---- */

/*
 * tlb:tlb_flush of reason 3 (local mm shootdown): flush_tlb_mm_range() of the mm that runs here. Pages
 * are told, the range is not: the operation's address stands for it.
 */
void ft_x86_flush(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft->world.cpus[e->cpu].current;
	const struct world_op *op = t && t->depth ? &t->ops[t->depth - 1] : NULL;
	struct dvm_trace_record r;
	size_t at;

	if (!ft->world.active)
		return;
	ft->counts.x86++;
	if (e->v[1] != 3 || !t || !t->mm || t->mm->dead || !e->v[0])
		return;
	at = reserve(ft, e->cpu);
	r = ft->world.records[at];
	r.kind = DVM_TRACE_FLUSH;
	r.flags = DVM_TRACE_F_INFERRED;
	r.level = DVM_TRACE_LEVEL_UNKNOWN;
	r.op = cause_in_progress(t);
	r.request = DVM_TRACE_REQ_ASID;
	if ((int64_t)e->v[0] > 0) {
		if (!op || op->begin == NONE || !ft->world.records[op->begin].va)
			return;
		r.request = e->v[0] == 1 ? DVM_TRACE_REQ_PAGE : DVM_TRACE_REQ_RANGE;
		r.stride_shift = (uint8_t)ft->page_shift;
		put_range(ft, &r, ft->world.records[op->begin].va,
			  ft->world.records[op->begin].va + e->v[0] * ft->page);
	}
	if (!r.kind)
		return;
	r.task = world_task_id(&ft->world, t);
	r.mm = world_mm_id(&ft->world, t->mm);
	ft->counts.x86_used++;
	ft->counts.requests++;
	ft->world.records[at] = r;
}
