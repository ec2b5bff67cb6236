/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

#include <dvmsim/trace.h>

/* Mappings come, go and move: mmap, munmap, brk, madvise, exit, mremap. */

/* ---- zap: unmap_page_range() ---- */

static void zap_run(struct dvmi_walk *w, struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t room = w->rules->gather_pages - e->gather.pages;

	if (!(run->flags & DVMI_PAGE_BLOCK)) {
		if (run->end > dvmi_walk_table_end(w, run->first))
			run->end = dvmi_walk_table_end(w, run->first);
		if (run->end - run->first > room && e->o.op != DVM_TRACE_OP_EXIT)
			run->end = run->first + room;
	}
	if (!dvmi_walk_reserve(w))
		return;
	dvmi_extent_clear(&w->m->pool, &w->mm->pages, run->first, run->end);
	dvmi_walk_unshare(w, run->value, run->end - run->first);
	dvmi_walk_gather(&e->gather, run->first, run->end, dvmi_run_level(run));
	e->gather.pages += run->flags & DVMI_PAGE_BLOCK ?
		(run->end - run->first) >> w->m->block_shift : run->end - run->first;
	e->dirty |= (run->flags & (DVMI_PAGE_FILE | DVMI_PAGE_DIRTY)) ==
		    (DVMI_PAGE_FILE | DVMI_PAGE_DIRTY) && !(run->flags & DVMI_PAGE_BLOCK);
	w->call->work.zapped += run->end - run->first;
	e->at = run->end;
}

/* What is gathered must go before the PTL is dropped, or there is no room for more. */
static bool forced(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;
	bool full = e->gather.pages >= w->rules->gather_pages;

	if (e->o.op == DVM_TRACE_OP_EXIT) { /* fullmm: tlb_flush() does nothing */
		e->dirty = false;
		e->gather.pages = 0;
		return false;
	}
	if (!full && (!e->dirty || (dvmi_mm_page(w->m, w->mm, e->at, e->vma_end, &run) &&
				    run.first < dvmi_walk_table_end(w, e->at - 1))))
		return false;
	dvmi_walk_gather_flush(w, e->dirty ? DVMI_ROW_ZAP_DIRTY : DVMI_ROW_ZAP_FULL);
	e->dirty = false;
	e->gather.pages = 0;
	return true;
}

/* Huge page tables that processes share: huge_pmd_unshare(), whole PUD units of shared VMAs. */
static bool unshares(const struct dvmi_walk *w)
{
	uint64_t unit = UINT64_C(1) << 2 * w->m->block_shift;
	uint32_t both = DVMI_VMA_HUGETLB | DVMI_VMA_SHARED;

	return (w->e->vma_flags & both) == both && w->e->o.op == DVM_TRACE_OP_MUNMAP &&
	       dvmi_unit_up(w->e->at, unit) + unit <= w->e->vma_end;
}

static enum dvmi_row zap_row(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->gather.unshared)
		return dvmi_walk_by_era(w, DVMI_ROW_HUGETLB_UNSHARE, DVMI_ROW_HUGETLB_UNSHARE_LEAF);
	if (e->gather.freed)
		return DVMI_ROW_ZAP_FREES;
	return e->o.op == DVM_TRACE_OP_OOM_REAP ? DVMI_ROW_OOM_REAP : DVMI_ROW_ZAP;
}

/* MADV_DONTNEED of whole tables frees them, where the kernel does that. */
static void reclaim_tables(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t shift = w->m->block_shift;
	uint64_t first = dvmi_unit_up(w->e->o.first, dvmi_block_pages(w->m)) >> shift;
	uint64_t end = e->vma_end >> shift;
	struct dvmi_extent tables;

	if (!w->rules->pt_reclaim || e->o.op != DVM_TRACE_OP_MADVISE || !e->gather.cleared)
		return;
	while (dvmi_extent_within(&w->m->pool, &w->mm->ptes, first, end, &tables) &&
	       dvmi_walk_reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->ptes, tables.first, tables.end);
		for (uint64_t t = tables.first; t < tables.end; t++)
			dvmi_walk_gather(&e->gather, t << shift, (t << shift) + 1, 2);
		e->gather.freed = true;
		first = tables.end;
	}
}

void dvmi_zap_step(struct dvmi_walk *w, unsigned next_stage)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;

	if (!e->vma_end) {
		if (!dvmi_walk_next_vma(w))
			e->stage = (uint8_t)next_stage;
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->vma_end, &run)) {
		reclaim_tables(w);
		if (e->o.op != DVM_TRACE_OP_EXIT) /* tlb_end_vma() */
			dvmi_walk_gather_flush(w, zap_row(w));
		dvmi_walk_leave_vma(e);
		return;
	}
	if (dvmi_walk_pending(w) || dvmi_walk_cut_unit(w, &run, e->o.first, e->o.end))
		return;
	if (unshares(w) && !e->gather.unshared) {
		uint64_t unit = UINT64_C(1) << 2 * w->m->block_shift;

		dvmi_walk_gather(&e->gather, dvmi_unit_up(e->at, unit),
				 dvmi_unit_down(e->vma_end, unit), 2);
		e->gather.unshared = true;
	}
	zap_run(w, &run);
	forced(w);
}

/* free_pgtables(): all PTE tables, then all PMD tables; one flush at tlb_finish_mmu(). */
static void tables_step(struct dvmi_walk *w, enum dvmi_row id)
{
	struct dvmi_mm_event *e = w->e;
	unsigned level = e->stage == DVMI_STAGE_TABLES_PTE ? 2 : 1;
	uint64_t at = e->at;

	if (!dvmi_walk_reserve(w))
		return;
	if (dvmi_mm_free_table(w->m, w->mm, e->o.first, e->o.end, level, &at)) {
		/* pte_free_tlb(), pmd_free_tlb(): one page at the table's first address */
		dvmi_walk_gather(&e->gather, at, at + 1, level);
		e->gather.freed = true;
		e->at = at + 1;
		return;
	}
	e->at = 0;
	e->stage++;
	if (e->stage == DVMI_STAGE_LAST)
		dvmi_walk_gather_flush(w, id);
}

void dvmi_munmap_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->stage == DVMI_STAGE_FIRST) {
		dvmi_zap_step(w, DVMI_STAGE_TABLES_PTE);
		if (e->stage == DVMI_STAGE_FIRST || !dvmi_walk_reserve(w))
			return;
		dvmi_extent_clear(&w->m->pool, &w->mm->vmas, e->o.first, e->o.end);
		e->at = 0;
	} else if (e->stage < DVMI_STAGE_LAST) {
		tables_step(w, DVMI_ROW_TABLES);
	} else {
		w->over = true;
	}
}

void dvmi_exit_step(struct dvmi_walk *w)
{
	if (w->e->stage == DVMI_STAGE_FIRST) {
		dvmi_zap_step(w, DVMI_STAGE_LAST);
		return;
	}
	w->over = true;
	if (w->e->stage == DVMI_STAGE_LAST && dvmi_mm_has_tables(w->mm)) {
		dvmi_walk_emit(w, DVMI_ROW_EXIT, 0, 0);
		w->over = false;
	}
	w->e->stage = DVMI_STAGE_OVER;
	dvmi_mm_drop(w->m, w->mm);
}

/* ---- mremap ---- */

/* move_page_tables(): at most to the end of the PMD, in both places. */
static uint64_t move_extent(const struct dvmi_walk *w, uint64_t from, uint64_t to)
{
	uint64_t n = dvmi_walk_table_end(w, from) - from, m = dvmi_walk_table_end(w, to) - to;

	n = n < m ? n : m;
	return n < w->e->o.end - from ? n : w->e->o.end - from;
}

static void move_pages(struct dvmi_walk *w, uint64_t from, uint64_t to, uint64_t n)
{
	struct dvmi_extent run;
	uint64_t at = from;

	while (dvmi_mm_page(w->m, w->mm, at, from + n, &run) && dvmi_walk_reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->pages, run.first, run.end);
		if (dvmi_walk_reserve(w))
			dvmi_mm_fill(w->m, w->mm, run.first - from + to, run.end - from + to,
				     run.value, run.flags & ~(uint32_t)DVMI_PAGE_CONT);
		w->call->work.ptes += run.end - run.first;
		at = run.end;
	}
}

void dvmi_mremap_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run, vma;
	uint64_t to, n;

	if (e->stage != DVMI_STAGE_FIRST) {
		dvmi_munmap_step(w);
		return;
	}
	if (!e->walked) { /* the new VMA */
		e->walked = true;
		e->at = e->o.first;
		if (dvmi_mm_vma(w->m, w->mm, e->o.first, e->o.end, &vma) && dvmi_walk_reserve(w))
			dvmi_mm_map(w->m, w->mm, e->o.to, e->o.to + (e->o.end - e->o.first),
				    vma.flags);
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->o.end, &run)) {
		e->stage = DVMI_STAGE_TABLES_PTE;
		e->at = 0;
		e->walked = false;
		if (dvmi_walk_reserve(w))
			dvmi_extent_clear(&w->m->pool, &w->mm->vmas, e->o.first, e->o.end);
		return;
	}
	if (run.first > e->at)
		e->at = dvmi_unit_down(run.first, dvmi_block_pages(w->m)) > e->at ?
			dvmi_unit_down(run.first, dvmi_block_pages(w->m)) : e->at;
	if (dvmi_walk_pending(w))
		return;
	to = e->o.to + (e->at - e->o.first);
	n = move_extent(w, e->at, to);
	if (run.flags & DVMI_PAGE_BLOCK && n < dvmi_block_pages(w->m)) {
		dvmi_walk_break_up(w, run.first, DVMI_PAGE_BLOCK);
		return;
	}
	if (dvmi_mm_page(w->m, w->mm, e->at, e->at + n, &run)) {
		move_pages(w, e->at, to, n);
		dvmi_walk_emit(w, DVMI_ROW_MREMAP, e->at, e->at + n);
	}
	e->at += n;
}

/* ---- mmap ---- */

static uint32_t vma_flags(uint32_t detail)
{
	static const struct {
		uint32_t detail, vma;
	} map[] = {
		{ DVM_TRACE_D_WRITE, DVMI_VMA_WRITE },	   { DVM_TRACE_D_NONE, DVMI_VMA_NONE },
		{ DVM_TRACE_D_FILE, DVMI_VMA_FILE },	   { DVM_TRACE_D_SHARED, DVMI_VMA_SHARED },
		{ DVM_TRACE_D_HUGETLB, DVMI_VMA_HUGETLB }, { DVM_TRACE_D_THP, DVMI_VMA_THP },
		{ DVM_TRACE_D_LARGE, DVMI_VMA_LARGE },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		flags |= detail & map[i].detail ? map[i].vma : 0;
	return flags;
}

/* mmap: what was there goes first (MAP_FIXED); MAP_POPULATE touches every page. */
void dvmi_mmap_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t faults = w->call->work.faults;

	if (e->stage < DVMI_STAGE_LAST) {
		dvmi_munmap_step(w);
		return;
	}
	if (e->stage == DVMI_STAGE_LAST) {
		e->stage = DVMI_STAGE_OVER;
		e->at = e->o.first;
		if (dvmi_walk_reserve(w))
			dvmi_mm_map(w->m, w->mm, e->o.first, e->o.end, vma_flags(e->o.detail));
	}
	if (e->o.detail & DVM_TRACE_D_POPULATE)
		dvmi_fault_step(w);
	else
		w->over = true;
	w->call->work.faults = faults; /* in one system call */
}
