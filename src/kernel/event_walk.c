/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

/* What all operations are made of: calls, mmu_gather, bounded changes of the address space. */

/* ---- calls ---- */

void dvmi_walk_emit(struct dvmi_walk *w, enum dvmi_row id, uint64_t first, uint64_t end)
{
	const struct dvmi_row_def *row = &dvmi_rows[id];
	unsigned shift = w->rules->flush.page_shift;
	struct dvmi_request *r = &w->call->request;

	if (row->call == DVMI_CALL_NONE)
		return;
	w->call->kind = (enum dvmi_call_kind)row->call;
	w->call->id = id;
	w->call->mm = w->e->o.mm;
	*r = (struct dvmi_request){ .kind = (enum dvmi_request_kind)row->kind,
				    .flags = row->flags, .start = first << shift,
				    .end = end << shift, .level = row->level,
				    .stride_shift = shift + (row->stride == DVMI_STRIDE_BLOCK ?
							     w->m->block_shift : 0) };
	if (row->kind == DVMI_REQUEST_ASID || row->call == DVMI_CALL_BATCH ||
	    row->call == DVMI_CALL_WALKERS)
		r->start = r->end = 0;
	if (w->e->o.foreign && row->call == DVMI_CALL_FLUSH)
		r->flags |= DVMI_REQUEST_FOREIGN;
	w->emitted = true;
}

/* Of two rows for one event, the one of this configuration. */
enum dvmi_row dvmi_walk_by_era(const struct dvmi_walk *w, enum dvmi_row one, enum dvmi_row other)
{
	return dvmi_era_holds((enum dvmi_era)dvmi_rows[one].era, w->rules) ? one : other;
}

/* ---- mmu_gather: asm-generic/tlb.h ---- */

void dvmi_walk_gather(struct dvmi_gather *g, uint64_t first, uint64_t end, unsigned level)
{
	if (!g->cleared || first < g->first)
		g->first = first;
	if (!g->cleared || end > g->end)
		g->end = end;
	g->cleared |= (uint8_t)(1u << level);
}

/* tlb_get_unmap_shift(): the smallest unit that was cleared. */
static unsigned gather_stride(const struct dvmi_walk *w, const struct dvmi_gather *g)
{
	unsigned shift = w->rules->flush.page_shift, smallest = g->cleared & 8 ? 3 :
							       g->cleared & 4 ? 2 : 1;

	return shift + (3 - smallest) * w->m->block_shift;
}

/* tlb_get_level() of arm64: a hint only when one kind of entry was cleared and no table freed. */
static unsigned gather_level(const struct dvmi_gather *g)
{
	if (g->freed)
		return DVMI_LEVEL_UNKNOWN;
	return g->cleared == 8 ? 3 : g->cleared == 4 ? 2 : g->cleared == 2 ? 1 :
							   DVMI_LEVEL_UNKNOWN;
}

/* tlb_flush_mmu_tlbonly(): nothing when nothing was cleared. The pages held back are kept. */
void dvmi_walk_gather_flush(struct dvmi_walk *w, enum dvmi_row id)
{
	struct dvmi_gather *g = &w->e->gather;
	struct dvmi_request *r = &w->call->request;

	if (!g->cleared)
		return;
	dvmi_walk_emit(w, id, g->first, g->end);
	r->stride_shift = gather_stride(w, g);
	r->level = gather_level(g);
	if (g->unshared && !g->freed)
		r->level = DVMI_LEVEL_UNKNOWN;
	g->cleared = 0;
	g->freed = g->unshared = false;
}

/* ---- pieces ---- */

bool dvmi_walk_reserve(struct dvmi_walk *w)
{
	if (!w->ret)
		w->ret = dvmi_mms_reserve(w->m);
	return !w->ret;
}

/* The mappings of these frames go. */
void dvmi_walk_unshare(struct dvmi_walk *w, uint64_t frame, uint64_t pages)
{
	while (pages && w->m->shared.root && dvmi_walk_reserve(w)) {
		uint64_t n = pages, count = dvmi_frames_count(w->m, frame, &n);

		if (count > 1)
			dvmi_frames_share(w->m, frame, n, -1);
		frame += n;
		pages -= n;
	}
}

void dvmi_walk_set_pages(struct dvmi_walk *w, const struct dvmi_extent *run, uint64_t first,
			 uint64_t end, uint32_t flags)
{
	if (dvmi_walk_reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, end, run->value + (first - run->first), flags);
}

/* The unit of @flags that holds @page becomes single entries; the call is emitted if it flushes. */
void dvmi_walk_break_up(struct dvmi_walk *w, uint64_t page, uint32_t flag)
{
	bool block = flag == DVMI_PAGE_BLOCK;
	uint64_t unit = block ? dvmi_block_pages(w->m) : dvmi_cont_pages(w->m);
	uint64_t at = dvmi_unit_down(page, unit), end = at + unit;
	struct dvmi_extent run;

	while (dvmi_mm_page(w->m, w->mm, at, end, &run) && !w->ret) {
		dvmi_walk_set_pages(w, &run, run.first, run.end, run.flags & ~flag);
		at = run.end;
	}
	dvmi_walk_emit(w, block ? DVMI_ROW_THP_SPLIT :
				  dvmi_walk_by_era(w, DVMI_ROW_CONTPTE, DVMI_ROW_CONTPTE_NONE),
		       end - unit, end);
}

/* [first, end) begins or ends within a unit of the run: it must be broken up first. */
bool dvmi_walk_cut_unit(struct dvmi_walk *w, const struct dvmi_extent *run, uint64_t first,
			uint64_t end)
{
	uint32_t flag = run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT);
	uint64_t unit = flag & DVMI_PAGE_BLOCK ? dvmi_block_pages(w->m) : dvmi_cont_pages(w->m);

	if (!flag)
		return false;
	if (dvmi_unit_down(run->first, unit) < first) {
		dvmi_walk_break_up(w, run->first, flag);
		return true;
	}
	if (dvmi_unit_up(run->end, unit) > end) {
		dvmi_walk_break_up(w, run->end - 1, flag);
		return true;
	}
	return false;
}

/* flush_tlb_batched_pending(): once per operation is enough, the batch is not ours. */
bool dvmi_walk_pending(struct dvmi_walk *w)
{
	if (!w->mm->batches || w->e->pending_seen)
		return false;
	w->e->pending_seen = true;
	dvmi_walk_emit(w, dvmi_walk_by_era(w, DVMI_ROW_PENDING_MM, DVMI_ROW_PENDING_DSB), 0, 0);
	return true;
}

/* On to the next VMA of the operation; false when there is none. */
bool dvmi_walk_next_vma(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent vma;

	if (!dvmi_mm_vma(w->m, w->mm, e->at, e->o.end, &vma))
		return false;
	e->at = vma.first;
	e->vma_end = vma.end;
	e->vma_flags = vma.flags;
	return true;
}
