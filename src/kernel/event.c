/* SPDX-License-Identifier: MIT */
#include "kernel/event.h"

#include <dvmsim/trace.h>

#include <string.h>

/*
 * Operations, one at a time, each a walk that stops at every flush call. What another CPU changes in
 * between is seen when the walk goes on, as in the kernel where a lock is dropped; the locks
 * themselves (mmap_lock, the PTL) are not taken here. A step makes one bounded change, after
 * dvmi_mms_reserve().
 */

struct walk {
	struct dvmi_mm_event *e;
	struct dvmi_mms *m;
	struct dvmi_mm *mm;
	const struct dvmi_event_rules *rules;
	struct dvmi_call *call;
	bool emitted, over;
	int ret;
};

enum { STAGE_FIRST, STAGE_TABLES_PTE, STAGE_TABLES_PMD, STAGE_LAST, STAGE_OVER };

/* ---- calls ---- */

static void emit(struct walk *w, enum dvmi_row id, uint64_t first, uint64_t end)
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
static enum dvmi_row by_era(const struct walk *w, enum dvmi_row one, enum dvmi_row other)
{
	return dvmi_era_holds((enum dvmi_era)dvmi_rows[one].era, w->rules) ? one : other;
}

/* ---- mmu_gather: asm-generic/tlb.h ---- */

static void gather_add(struct dvmi_gather *g, uint64_t first, uint64_t end, unsigned level)
{
	if (!g->cleared || first < g->first)
		g->first = first;
	if (!g->cleared || end > g->end)
		g->end = end;
	g->cleared |= (uint8_t)(1u << level);
}

/* tlb_get_unmap_shift(): the smallest unit that was cleared. */
static unsigned gather_stride(const struct walk *w, const struct dvmi_gather *g)
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
static void gather_flush(struct walk *w, enum dvmi_row id)
{
	struct dvmi_gather *g = &w->e->gather;
	struct dvmi_request *r = &w->call->request;

	if (!g->cleared)
		return;
	emit(w, id, g->first, g->end);
	r->stride_shift = gather_stride(w, g);
	r->level = gather_level(g);
	if (g->unshared && !g->freed)
		r->level = DVMI_LEVEL_UNKNOWN;
	g->cleared = 0;
	g->freed = g->unshared = false;
}

/* ---- pieces ---- */

static bool reserve(struct walk *w)
{
	if (!w->ret)
		w->ret = dvmi_mms_reserve(w->m);
	return !w->ret;
}

/* The mappings of these frames go. */
static void unshare(struct walk *w, uint64_t frame, uint64_t pages)
{
	while (pages && w->m->shared.root && reserve(w)) {
		uint64_t n = pages, count = dvmi_frames_count(w->m, frame, &n);

		if (count > 1)
			dvmi_frames_share(w->m, frame, n, -1);
		frame += n;
		pages -= n;
	}
}

static void set_pages(struct walk *w, const struct dvmi_extent *run, uint64_t first, uint64_t end,
		      uint32_t flags)
{
	if (reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, end, run->value + (first - run->first), flags);
}

static uint64_t down(uint64_t page, uint64_t unit)
{
	return page & ~(unit - 1);
}

static uint64_t up(uint64_t page, uint64_t unit)
{
	return down(page + unit - 1, unit);
}

/* The unit of @flags that holds @page becomes single entries; the call is emitted if it flushes. */
static void break_up(struct walk *w, uint64_t page, uint32_t flag)
{
	bool block = flag == DVMI_PAGE_BLOCK;
	uint64_t unit = block ? dvmi_block_pages(w->m) : dvmi_cont_pages(w->m);
	uint64_t at = down(page, unit), end = at + unit;
	struct dvmi_extent run;

	while (dvmi_mm_page(w->m, w->mm, at, end, &run) && !w->ret) {
		set_pages(w, &run, run.first, run.end, run.flags & ~flag);
		at = run.end;
	}
	emit(w, block ? DVMI_ROW_THP_SPLIT : by_era(w, DVMI_ROW_CONTPTE, DVMI_ROW_CONTPTE_NONE),
	     end - unit, end);
}

/* [first, end) begins or ends within a unit of the run: it must be broken up first. */
static bool cut_unit(struct walk *w, const struct dvmi_extent *run, uint64_t first, uint64_t end)
{
	uint32_t flag = run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT);
	uint64_t unit = flag & DVMI_PAGE_BLOCK ? dvmi_block_pages(w->m) : dvmi_cont_pages(w->m);

	if (!flag)
		return false;
	if (down(run->first, unit) < first) {
		break_up(w, run->first, flag);
		return true;
	}
	if (up(run->end, unit) > end) {
		break_up(w, run->end - 1, flag);
		return true;
	}
	return false;
}

/* flush_tlb_batched_pending(): once per operation is enough, the batch is not ours. */
static bool pending(struct walk *w)
{
	if (!w->mm->batches || w->e->pending_seen)
		return false;
	w->e->pending_seen = true;
	emit(w, by_era(w, DVMI_ROW_PENDING_MM, DVMI_ROW_PENDING_DSB), 0, 0);
	return true;
}

static unsigned level_of(const struct dvmi_extent *run)
{
	return run->flags & DVMI_PAGE_BLOCK ? 2 : 3;
}

/* On to the next VMA of the operation; false when there is none. */
static bool next_vma(struct walk *w)
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

static void leave_vma(struct dvmi_mm_event *e)
{
	e->at = e->vma_end;
	e->vma_end = 0;
}

/* ---- zap: unmap_page_range() ---- */

static uint64_t table_end(const struct walk *w, uint64_t page)
{
	return down(page, dvmi_block_pages(w->m)) + dvmi_block_pages(w->m);
}

static void zap_run(struct walk *w, struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t room = w->rules->gather_pages - e->gather.pages;

	if (!(run->flags & DVMI_PAGE_BLOCK)) {
		if (run->end > table_end(w, run->first))
			run->end = table_end(w, run->first);
		if (run->end - run->first > room && e->o.op != DVM_TRACE_OP_EXIT)
			run->end = run->first + room;
	}
	if (!reserve(w))
		return;
	dvmi_extent_clear(&w->m->pool, &w->mm->pages, run->first, run->end);
	unshare(w, run->value, run->end - run->first);
	gather_add(&e->gather, run->first, run->end, level_of(run));
	e->gather.pages += run->flags & DVMI_PAGE_BLOCK ?
		(run->end - run->first) >> w->m->block_shift : run->end - run->first;
	e->dirty |= (run->flags & (DVMI_PAGE_FILE | DVMI_PAGE_DIRTY)) ==
		    (DVMI_PAGE_FILE | DVMI_PAGE_DIRTY) && !(run->flags & DVMI_PAGE_BLOCK);
	w->call->work.zapped += run->end - run->first;
	e->at = run->end;
}

/* What is gathered must go before the PTL is dropped, or there is no room for more. */
static bool forced(struct walk *w)
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
				    run.first < table_end(w, e->at - 1))))
		return false;
	gather_flush(w, e->dirty ? DVMI_ROW_ZAP_DIRTY : DVMI_ROW_ZAP_FULL);
	e->dirty = false;
	e->gather.pages = 0;
	return true;
}

/* Huge page tables that processes share: huge_pmd_unshare(), whole PUD units of shared VMAs. */
static bool unshares(const struct walk *w)
{
	uint64_t unit = UINT64_C(1) << 2 * w->m->block_shift;
	uint32_t both = DVMI_VMA_HUGETLB | DVMI_VMA_SHARED;

	return (w->e->vma_flags & both) == both && w->e->o.op == DVM_TRACE_OP_MUNMAP &&
	       up(w->e->at, unit) + unit <= w->e->vma_end;
}

static enum dvmi_row zap_row(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->gather.unshared)
		return by_era(w, DVMI_ROW_HUGETLB_UNSHARE, DVMI_ROW_HUGETLB_UNSHARE_LEAF);
	if (e->gather.freed)
		return DVMI_ROW_ZAP_FREES;
	return e->o.op == DVM_TRACE_OP_OOM_REAP ? DVMI_ROW_OOM_REAP : DVMI_ROW_ZAP;
}

/* MADV_DONTNEED of whole tables frees them, where the kernel does that. */
static void reclaim_tables(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t shift = w->m->block_shift, first = up(w->e->o.first, dvmi_block_pages(w->m)) >> shift;
	uint64_t end = e->vma_end >> shift;
	struct dvmi_extent tables;

	if (!w->rules->pt_reclaim || e->o.op != DVM_TRACE_OP_MADVISE || !e->gather.cleared)
		return;
	while (dvmi_extent_within(&w->m->pool, &w->mm->ptes, first, end, &tables) && reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->ptes, tables.first, tables.end);
		for (uint64_t t = tables.first; t < tables.end; t++)
			gather_add(&e->gather, t << shift, (t << shift) + 1, 2);
		e->gather.freed = true;
		first = tables.end;
	}
}

static void zap_step(struct walk *w, unsigned next_stage)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;

	if (!e->vma_end) {
		if (!next_vma(w))
			e->stage = (uint8_t)next_stage;
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->vma_end, &run)) {
		reclaim_tables(w);
		if (e->o.op != DVM_TRACE_OP_EXIT) /* tlb_end_vma() */
			gather_flush(w, zap_row(w));
		leave_vma(e);
		return;
	}
	if (pending(w) || cut_unit(w, &run, e->o.first, e->o.end))
		return;
	if (unshares(w) && !e->gather.unshared) {
		uint64_t unit = UINT64_C(1) << 2 * w->m->block_shift;

		gather_add(&e->gather, up(e->at, unit), down(e->vma_end, unit), 2);
		e->gather.unshared = true;
	}
	zap_run(w, &run);
	forced(w);
}

/* free_pgtables(): all PTE tables, then all PMD tables; one flush at tlb_finish_mmu(). */
static void tables_step(struct walk *w, enum dvmi_row id)
{
	struct dvmi_mm_event *e = w->e;
	unsigned level = e->stage == STAGE_TABLES_PTE ? 2 : 1;
	uint64_t at = e->at;

	if (!reserve(w))
		return;
	if (dvmi_mm_free_table(w->m, w->mm, e->o.first, e->o.end, level, &at)) {
		/* pte_free_tlb(), pmd_free_tlb(): one page at the table's first address */
		gather_add(&e->gather, at, at + 1, level);
		e->gather.freed = true;
		e->at = at + 1;
		return;
	}
	e->at = 0;
	e->stage++;
	if (e->stage == STAGE_LAST)
		gather_flush(w, id);
}

static void munmap_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->stage == STAGE_FIRST) {
		zap_step(w, STAGE_TABLES_PTE);
		if (e->stage == STAGE_FIRST || !reserve(w))
			return;
		dvmi_extent_clear(&w->m->pool, &w->mm->vmas, e->o.first, e->o.end);
		e->at = 0;
	} else if (e->stage < STAGE_LAST) {
		tables_step(w, DVMI_ROW_TABLES);
	} else {
		w->over = true;
	}
}

static void exit_step(struct walk *w)
{
	if (w->e->stage == STAGE_FIRST) {
		zap_step(w, STAGE_LAST);
		return;
	}
	w->over = true;
	if (w->e->stage == STAGE_LAST && dvmi_mm_has_tables(w->mm)) {
		emit(w, DVMI_ROW_EXIT, 0, 0);
		w->over = false;
	}
	w->e->stage = STAGE_OVER;
	dvmi_mm_drop(w->m, w->mm);
}

/* ---- changes of entries that stay: mprotect and its kin ---- */

struct change {
	enum dvmi_row row;
	uint32_t set, clear;
	bool invalid_too; /* an entry that is not valid changes as well, without a flush */
};

/* mprotect: which entries become writable again (can_change_pte_writable()). */
static bool becomes_writable(const struct walk *w, struct dvmi_extent *run)
{
	uint64_t n = run->end - run->first;
	bool sole;

	if (run->flags & DVMI_PAGE_FILE)
		return w->e->vma_flags & DVMI_VMA_SHARED && run->flags & DVMI_PAGE_DIRTY;
	sole = dvmi_frames_count(w->m, run->value, &n) == 1;
	run->end = run->first + n;
	return sole && run->flags & DVMI_PAGE_DIRTY;
}

static struct change change_of(const struct walk *w)
{
	struct change c = { .row = DVMI_ROW_MPROTECT };

	switch (w->e->o.op) {
	case DVM_TRACE_OP_NUMA_HINT:
		return (struct change){ .row = DVMI_ROW_NUMA, .set = DVMI_PAGE_NONE };
	case DVM_TRACE_OP_UFFD_WP:
		return (struct change){ .row = DVMI_ROW_UFFD_WP, .clear = DVMI_PAGE_WRITE };
	case DVM_TRACE_OP_MADVISE: /* the entries stay; they become old, MADV_FREE's clean too */
		c.row = w->e->o.detail & DVM_TRACE_D_FREE ? DVMI_ROW_MADV_FREE : DVMI_ROW_MADV_COLD;
		c.clear = w->e->o.detail & DVM_TRACE_D_FREE ? DVMI_PAGE_DIRTY : 0;
		return c;
	default:
		break;
	}
	if (w->e->o.detail & DVM_TRACE_D_NONE) {
		c.set = DVMI_PAGE_NONE;
	} else {
		c.invalid_too = true;
		c.clear = DVMI_PAGE_NONE;
		if (w->e->o.detail & DVM_TRACE_D_WRITE)
			c.set = DVMI_PAGE_WRITE;
		else
			c.clear |= DVMI_PAGE_WRITE;
	}
	return c;
}

static uint32_t vma_protection(const struct dvmi_operation *o, uint32_t flags)
{
	flags &= ~(uint32_t)(DVMI_VMA_WRITE | DVMI_VMA_NONE);
	return flags | (o->detail & DVM_TRACE_D_NONE ? DVMI_VMA_NONE :
			o->detail & DVM_TRACE_D_WRITE ? DVMI_VMA_WRITE : 0);
}

/* mprotect_fixup(): a VMA that has the protection already is passed over. */
static bool enter_vma(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint32_t flags;

	if (!next_vma(w))
		return false;
	if (e->o.op != DVM_TRACE_OP_MPROTECT)
		return true;
	flags = vma_protection(&e->o, e->vma_flags);
	if (flags == e->vma_flags)
		e->at = e->vma_end;
	else if (reserve(w))
		dvmi_mm_map(w->m, w->mm, e->at, e->vma_end, flags);
	e->vma_flags = flags;
	return true;
}

static void change_run(struct walk *w, struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	struct change c = change_of(w);
	bool valid = !(run->flags & DVMI_PAGE_NONE), always = e->o.op == DVM_TRACE_OP_MADVISE;
	uint32_t flags = run->flags & ~c.clear;

	e->at = run->end;
	if (!valid && !c.invalid_too)
		return;
	if (c.set == DVMI_PAGE_WRITE && !becomes_writable(w, run))
		c.set = 0;
	e->at = run->end;
	flags |= c.set;
	w->call->work.ptes += run->end - run->first;
	if (flags != run->flags)
		set_pages(w, run, run->first, run->end, flags);
	if (valid && (always || flags != run->flags))
		gather_add(&e->gather, run->first, run->end, level_of(run));
}

/* Before PTE batching, mprotect() took the entries of a contpte block one by one. */
static bool unfolds(struct walk *w, const struct dvmi_extent *run)
{
	if (w->rules->contpte_batch || w->e->o.op == DVM_TRACE_OP_MADVISE ||
	    !(run->flags & DVMI_PAGE_CONT))
		return false;
	break_up(w, run->first, DVMI_PAGE_CONT);
	return true;
}

static void change_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;

	if (!e->vma_end) {
		if (!enter_vma(w))
			w->over = true;
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->vma_end, &run)) {
		gather_flush(w, change_of(w).row);
		leave_vma(e);
		return;
	}
	e->at = run.first;
	if (pending(w) || cut_unit(w, &run, e->o.first, e->o.end) || unfolds(w, &run))
		return;
	change_run(w, &run);
}

/* ---- mremap ---- */

/* move_page_tables(): at most to the end of the PMD, in both places. */
static uint64_t move_extent(const struct walk *w, uint64_t from, uint64_t to)
{
	uint64_t n = table_end(w, from) - from, m = table_end(w, to) - to;

	n = n < m ? n : m;
	return n < w->e->o.end - from ? n : w->e->o.end - from;
}

static void move_pages(struct walk *w, uint64_t from, uint64_t to, uint64_t n)
{
	struct dvmi_extent run;
	uint64_t at = from;

	while (dvmi_mm_page(w->m, w->mm, at, from + n, &run) && reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->pages, run.first, run.end);
		if (reserve(w))
			dvmi_mm_fill(w->m, w->mm, run.first - from + to, run.end - from + to,
				     run.value, run.flags & ~(uint32_t)DVMI_PAGE_CONT);
		w->call->work.ptes += run.end - run.first;
		at = run.end;
	}
}

static void mremap_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run, vma;
	uint64_t to, n;

	if (e->stage != STAGE_FIRST) {
		munmap_step(w);
		return;
	}
	if (!e->walked) { /* the new VMA */
		e->walked = true;
		e->at = e->o.first;
		if (dvmi_mm_vma(w->m, w->mm, e->o.first, e->o.end, &vma) && reserve(w))
			dvmi_mm_map(w->m, w->mm, e->o.to, e->o.to + (e->o.end - e->o.first),
				    vma.flags);
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->o.end, &run)) {
		e->stage = STAGE_TABLES_PTE;
		e->at = 0;
		e->walked = false;
		if (reserve(w))
			dvmi_extent_clear(&w->m->pool, &w->mm->vmas, e->o.first, e->o.end);
		return;
	}
	if (run.first > e->at)
		e->at = down(run.first, dvmi_block_pages(w->m)) > e->at ?
			down(run.first, dvmi_block_pages(w->m)) : e->at;
	if (pending(w))
		return;
	to = e->o.to + (e->at - e->o.first);
	n = move_extent(w, e->at, to);
	if (run.flags & DVMI_PAGE_BLOCK && n < dvmi_block_pages(w->m)) {
		break_up(w, run.first, DVMI_PAGE_BLOCK);
		return;
	}
	if (dvmi_mm_page(w->m, w->mm, e->at, e->at + n, &run)) {
		move_pages(w, e->at, to, n);
		emit(w, DVMI_ROW_MREMAP, e->at, e->at + n);
	}
	e->at += n;
}

/* ---- faults ---- */

static void map_new(struct walk *w, const struct dvmi_extent *vma, bool write)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t unit = 1, first, end;
	bool file = vma->flags & DVMI_VMA_FILE;
	uint32_t flags = file ? DVMI_PAGE_FILE : 0;
	struct dvmi_extent run, table;

	if (vma->flags & (DVMI_VMA_THP | DVMI_VMA_HUGETLB)) {
		unit = dvmi_block_pages(w->m);
		flags |= DVMI_PAGE_BLOCK;
	} else if (vma->flags & DVMI_VMA_LARGE && w->rules->contpte) {
		unit = dvmi_cont_pages(w->m);
		flags |= DVMI_PAGE_CONT;
	}
	first = down(e->at, unit);
	end = first + unit;
	/* A unit must fit the VMA, and nothing may be there already: no table for a block. */
	if (unit > 1 && (first < vma->first || end > vma->end ||
			 dvmi_mm_page(w->m, w->mm, first, end, &run) ||
			 (flags & DVMI_PAGE_BLOCK && !(vma->flags & DVMI_VMA_HUGETLB) &&
			  dvmi_extent_within(&w->m->pool, &w->mm->ptes, first >> w->m->block_shift,
					     (first >> w->m->block_shift) + 1, &table)))) {
		flags &= DVMI_PAGE_FILE;
		first = e->at;
		end = first + 1;
	}
	if (write && file && !(vma->flags & DVMI_VMA_SHARED))
		flags &= ~(uint32_t)DVMI_PAGE_FILE; /* do_cow_fault(): a copy at once */
	if (write)
		flags |= DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY;
	if (reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, end, dvmi_mms_frames(w->m, end - first), flags);
	w->call->work.faults++;
	w->call->work.filled += end - first;
	e->at = end;
}

/* The entry that maps the first page of @run, with all pages it maps; the walk goes on after it. */
static void set_unit(struct walk *w, const struct dvmi_extent *run, uint32_t flags)
{
	uint64_t unit = run->flags & DVMI_PAGE_BLOCK ? dvmi_block_pages(w->m) :
			run->flags & DVMI_PAGE_CONT ? dvmi_cont_pages(w->m) : 1;
	uint64_t first = down(run->first, unit);
	struct dvmi_extent all;

	w->e->at = first + unit;
	for (uint64_t at = first; dvmi_mm_page(w->m, w->mm, at, w->e->at, &all) && !w->ret; at = all.end)
		set_pages(w, &all, all.first, all.end, flags);
}

/* The run begins at the page that is written, and its entry does not allow it. */
static void write_protected(struct walk *w, const struct dvmi_extent *vma,
			    const struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t n = 1;
	bool shared_file = vma->flags & DVMI_VMA_SHARED;
	bool copy = run->flags & DVMI_PAGE_FILE ? !shared_file :
		    dvmi_frames_count(w->m, run->value, &n) > 1;
	uint32_t flags = (run->flags & DVMI_PAGE_FILE) | DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY;

	/* The fault is taken once, whatever its handling breaks up first. */
	if (run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT) &&
	    (copy || run->flags & DVMI_PAGE_CONT)) {
		break_up(w, run->first,
			 run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT));
		return;
	}
	w->call->work.faults++;
	if (copy) {
		unshare(w, run->value, 1);
		if (reserve(w))
			dvmi_mm_fill(w->m, w->mm, run->first, run->first + 1,
				     dvmi_mms_frames(w->m, 1), DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY);
		w->call->work.filled++;
		emit(w, DVMI_ROW_COW, run->first, run->first + 1);
		e->at = run->first + 1;
		return;
	}
	if (run->flags & DVMI_PAGE_BLOCK)
		flags |= DVMI_PAGE_BLOCK;
	set_unit(w, run, flags);
	emit(w, by_era(w, DVMI_ROW_REUSE_LOCAL, DVMI_ROW_REUSE_BROADCAST), run->first,
	     run->first + 1);
}

/* Each page of the range is read or written; those whose entries do not permit it fault. */
static void fault_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint32_t op = e->o.op;
	bool write = e->o.detail & DVM_TRACE_D_WRITE || op == DVM_TRACE_OP_FAULT_COW ||
		     op == DVM_TRACE_OP_FAULT_WP_REUSE || op == DVM_TRACE_OP_FAULT_ANON ||
		     op == DVM_TRACE_OP_PTRACE;
	struct dvmi_extent vma, run;

	if (e->at >= e->o.end || !dvmi_mm_vma(w->m, w->mm, e->at, e->o.end, &vma)) {
		w->over = true;
		return;
	}
	e->at = vma.first;
	if (!dvmi_extent_next(&w->m->pool, &w->mm->vmas, e->at, &vma))
		return;
	/* No permission: a signal, which is not simulated. A debugger may (FOLL_FORCE). */
	if (op != DVM_TRACE_OP_PTRACE &&
	    (vma.flags & DVMI_VMA_NONE || (write && !(vma.flags & DVMI_VMA_WRITE)))) {
		e->at = vma.end;
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->at + 1, &run)) {
		map_new(w, &vma, write);
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->o.end < vma.end ? e->o.end : vma.end, &run))
		return;
	if (run.flags & DVMI_PAGE_NONE) { /* a NUMA hint: invalid to valid */
		set_unit(w, &run, run.flags & ~(uint32_t)DVMI_PAGE_NONE);
		w->call->work.faults++;
		if (write && !(run.flags & DVMI_PAGE_WRITE))
			e->at = run.first;
		return;
	}
	if (write && !(run.flags & DVMI_PAGE_WRITE))
		write_protected(w, &vma, &run);
	else
		e->at = run.end;
	if (write && run.flags & DVMI_PAGE_WRITE && !(run.flags & DVMI_PAGE_DIRTY))
		set_pages(w, &run, run.first, run.end, run.flags | DVMI_PAGE_DIRTY);
}

static void spurious_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;

	w->over = e->stage != STAGE_FIRST;
	if (w->over)
		return;
	e->stage = STAGE_OVER;
	w->call->work.faults++;
	emit(w, by_era(w, DVMI_ROW_SPURIOUS_LOCAL, DVMI_ROW_SPURIOUS_NONE), e->o.first,
	     e->o.first + 1);
}

/* ---- one page after the other, through the reverse map ---- */

/* The next page the operation is about; false when there is none. */
static bool next_page(struct walk *w, struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;

	if (e->at >= e->o.end || !dvmi_mm_page(w->m, w->mm, e->at, e->o.end, run))
		return false;
	e->at = run->first;
	run->end = run->first + 1;
	return true;
}

static bool whole_unit_only(struct walk *w, const struct dvmi_extent *run)
{
	uint32_t flag = run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT);

	if (flag)
		break_up(w, run->first, flag);
	return flag;
}

/* Migration: the frames of what the batch unmapped are new ones. */
static void move_frames(struct walk *w)
{
	struct dvmi_extent run;
	uint64_t at = w->e->batch_first;

	while (dvmi_mm_page(w->m, w->mm, at, w->e->at, &run) && !w->ret) {
		uint64_t n = run.end - run.first;

		unshare(w, run.value, n);
		if (reserve(w))
			dvmi_mm_fill(w->m, w->mm, run.first, run.end, dvmi_mms_frames(w->m, n),
				     run.flags);
		w->call->work.filled += n;
		at = run.end;
	}
}

static void batch_done(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->o.op == DVM_TRACE_OP_MIGRATE_PAGE)
		move_frames(w);
	if (e->batch && w->mm->batches)
		w->mm->batches--;
	if (e->batch)
		emit(w, DVMI_ROW_BATCH_SYNC, 0, 0);
	e->batch = 0;
	e->batch_first = e->at;
}

/* try_to_unmap_one(), try_to_migrate_one(). */
static void unmap_one(struct walk *w, const struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	bool valid = !(run->flags & DVMI_PAGE_NONE); /* pte_accessible() */
	enum dvmi_row row = by_era(w, DVMI_ROW_BATCH_ADD, DVMI_ROW_UNBATCHED);

	e->at = run->end;
	w->call->work.rmaps++;
	if (e->o.op != DVM_TRACE_OP_MIGRATE_PAGE && reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->pages, run->first, run->end);
		unshare(w, run->value, 1);
	}
	e->walked = e->o.detail & DVM_TRACE_D_DIRTY; /* to be written out: not before the sync */
	if (!valid)
		return;
	if (row == DVMI_ROW_BATCH_ADD && !e->batch++)
		w->mm->batches++;
	emit(w, row, run->first, run->end);
}

static void reclaim_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;
	bool migrate = e->o.op == DVM_TRACE_OP_MIGRATE_PAGE;
	uint64_t most = migrate ? w->rules->migrate_batch : w->rules->reclaim_batch;

	if (e->batch >= most || (e->batch && e->walked)) {
		batch_done(w);
		return;
	}
	if (!next_page(w, &run)) {
		w->over = !e->batch;
		batch_done(w);
		return;
	}
	if (!whole_unit_only(w, &run))
		unmap_one(w, &run);
	if (migrate && !w->rules->batch)
		batch_done(w);
}

static void young_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;
	uint64_t first;

	if (!next_page(w, &run)) {
		w->over = true;
		return;
	}
	e->at = run.end;
	w->call->work.rmaps++;
	if (run.flags & DVMI_PAGE_NONE)
		return;
	if (run.flags & DVMI_PAGE_CONT) {
		first = down(run.first, dvmi_cont_pages(w->m));
		e->at = first + dvmi_cont_pages(w->m);
		emit(w, by_era(w, DVMI_ROW_YOUNG_CONT, DVMI_ROW_YOUNG_NONE), first, e->at);
	} else {
		emit(w, by_era(w, DVMI_ROW_YOUNG, DVMI_ROW_YOUNG_NONE), run.first, run.end);
	}
}

static void mkclean_step(struct walk *w)
{
	uint32_t both = DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY;
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;

	if (!next_page(w, &run)) {
		w->over = true;
		return;
	}
	if (!(run.flags & both)) {
		e->at = run.end;
		return;
	}
	if (whole_unit_only(w, &run))
		return;
	e->at = run.end;
	w->call->work.rmaps++;
	set_pages(w, &run, run.first, run.end, run.flags & ~both);
	emit(w, DVMI_ROW_MKCLEAN, run.first, run.end);
}

/* All pages of the range become one KSM page each, shared with the stable tree. */
static void ksm_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;
	uint64_t frame;

	if (!next_page(w, &run)) {
		w->over = true;
		return;
	}
	if (whole_unit_only(w, &run))
		return;
	if (run.flags & DVMI_PAGE_WRITE) {
		set_pages(w, &run, run.first, run.end, run.flags & ~(uint32_t)DVMI_PAGE_WRITE);
		emit(w, DVMI_ROW_KSM_PROTECT, run.first, run.end);
		return;
	}
	e->at = run.end;
	w->call->work.rmaps++;
	unshare(w, run.value, 1);
	frame = dvmi_mms_frames(w->m, 1);
	if (reserve(w))
		dvmi_frames_share(w->m, frame, 1, 1);
	if (reserve(w))
		dvmi_mm_fill(w->m, w->mm, run.first, run.end, frame, 0);
	emit(w, DVMI_ROW_KSM_REPLACE, run.first, run.end);
}

/* ---- huge pages ---- */

static void split_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;
	uint32_t flag = e->o.op == DVM_TRACE_OP_CONTPTE ? DVMI_PAGE_CONT : DVMI_PAGE_BLOCK;
	uint64_t unit = flag == DVMI_PAGE_CONT ? dvmi_cont_pages(w->m) : dvmi_block_pages(w->m);

	if (!next_page(w, &run)) {
		w->over = true;
		return;
	}
	if (run.flags & flag) {
		break_up(w, run.first, flag);
		e->at = down(run.first, unit) + unit;
		w->call->work.ptes += unit;
		return;
	}
	/* On to the next unit; nothing here to break up. */
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->o.end, &run))
		return;
	e->at = run.end;
}

static void collapse_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t unit = dvmi_block_pages(w->m), first;
	struct dvmi_extent run, vma;

	if (e->walked) {
		e->walked = false;
		emit(w, DVMI_ROW_WALKERS, 0, 0);
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, up(e->at, unit), e->o.end, &run) ||
	    down(run.first, unit) + unit > e->o.end) {
		w->over = true;
		return;
	}
	first = down(run.first, unit);
	e->at = first + unit;
	if (run.flags & DVMI_PAGE_BLOCK || !dvmi_mm_vma(w->m, w->mm, first, e->at, &vma) ||
	    vma.first > first || vma.end < e->at)
		return;
	for (uint64_t at = first; dvmi_mm_page(w->m, w->mm, at, e->at, &run) && !w->ret; at = run.end)
		unshare(w, run.value, run.end - run.first);
	if (reserve(w))
		dvmi_extent_clear(&w->m->pool, &w->mm->ptes, first >> w->m->block_shift,
				  (first >> w->m->block_shift) + 1);
	if (reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, e->at, dvmi_mms_frames(w->m, unit),
			     DVMI_PAGE_BLOCK | DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY);
	w->call->work.filled += unit;
	e->walked = true;
	emit(w, DVMI_ROW_THP_COLLAPSE, first, e->at);
}

/* ---- the rest ---- */

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
static void mmap_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t faults = w->call->work.faults;

	if (e->stage < STAGE_LAST) {
		munmap_step(w);
		return;
	}
	if (e->stage == STAGE_LAST) {
		e->stage = STAGE_OVER;
		e->at = e->o.first;
		if (reserve(w))
			dvmi_mm_map(w->m, w->mm, e->o.first, e->o.end, vma_flags(e->o.detail));
	}
	if (e->o.detail & DVM_TRACE_D_POPULATE)
		fault_step(w);
	else
		w->over = true;
	w->call->work.faults = faults; /* in one system call */
}

static void whole_step(struct walk *w, enum dvmi_row id)
{
	w->over = w->e->stage != STAGE_FIRST;
	if (w->over)
		return;
	w->e->stage = STAGE_OVER;
	emit(w, id, w->e->o.first, w->e->o.end);
}

/* setup_arg_pages(): the stack moves down by a random amount, before anything has run. */
static void exec_step(struct walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (!(e->o.detail & DVM_TRACE_D_SHIFT) || !e->o.ending) {
		w->over = true;
		return;
	}
	switch (e->stage++) {
	case 0:
		emit(w, DVMI_ROW_EXEC_STACK, e->o.first, e->o.first + 1);
		break;
	case 1:
		gather_add(&e->gather, e->o.first, e->o.first + 1, 2);
		e->gather.freed = true;
		gather_flush(w, DVMI_ROW_EXEC_STACK_TABLES);
		break;
	default:
		w->over = true;
		break;
	}
}

static void step(struct walk *w)
{
	uint32_t detail = w->e->o.detail;

	switch (w->e->o.op) {
	case DVM_TRACE_OP_MMAP:
		mmap_step(w);
		break;
	case DVM_TRACE_OP_MUNMAP:
	case DVM_TRACE_OP_BRK:
		munmap_step(w);
		break;
	case DVM_TRACE_OP_MREMAP:
		mremap_step(w);
		break;
	case DVM_TRACE_OP_EXIT:
		exit_step(w);
		break;
	case DVM_TRACE_OP_EXEC:
		exec_step(w);
		break;
	case DVM_TRACE_OP_FORK:
		if (w->e->o.ending)
			whole_step(w, DVMI_ROW_FORK);
		else
			w->over = true;
		break;
	case DVM_TRACE_OP_MADVISE:
		if (detail & DVM_TRACE_D_PAGEOUT) {
			reclaim_step(w);
		} else if (detail & (DVM_TRACE_D_FREE | DVM_TRACE_D_COLD)) {
			change_step(w);
		} else {
			if (w->e->stage == STAGE_FIRST)
				zap_step(w, STAGE_OVER);
			else
				w->over = true;
		}
		break;
	case DVM_TRACE_OP_OOM_REAP:
		if (w->e->stage == STAGE_FIRST)
			zap_step(w, STAGE_OVER);
		else
			w->over = true;
		break;
	case DVM_TRACE_OP_MPROTECT:
	case DVM_TRACE_OP_NUMA_HINT:
	case DVM_TRACE_OP_UFFD_WP:
		change_step(w);
		break;
	case DVM_TRACE_OP_CLEAR_REFS:
		whole_step(w, DVMI_ROW_CLEAR_REFS);
		break;
	case DVM_TRACE_OP_FAULT_SPURIOUS:
		spurious_step(w);
		break;
	case DVM_TRACE_OP_FAULT:
	case DVM_TRACE_OP_FAULT_ANON:
	case DVM_TRACE_OP_FAULT_FILE:
	case DVM_TRACE_OP_FAULT_COW:
	case DVM_TRACE_OP_FAULT_WP_REUSE:
	case DVM_TRACE_OP_PTRACE:
		fault_step(w);
		break;
	case DVM_TRACE_OP_RECLAIM:
	case DVM_TRACE_OP_MIGRATE_PAGE:
		reclaim_step(w);
		break;
	case DVM_TRACE_OP_YOUNG_CLEAR:
		young_step(w);
		break;
	case DVM_TRACE_OP_MKCLEAN:
		mkclean_step(w);
		break;
	case DVM_TRACE_OP_KSM:
		ksm_step(w);
		break;
	case DVM_TRACE_OP_THP_SPLIT:
	case DVM_TRACE_OP_CONTPTE:
		split_step(w);
		break;
	case DVM_TRACE_OP_THP_COLLAPSE:
		collapse_step(w);
		break;
	case DVM_TRACE_OP_KERNEL_MAP:
		whole_step(w, DVMI_ROW_KERNEL);
		break;
	default:
		w->over = true;
		break;
	}
}

void dvmi_mm_event_begin(struct dvmi_mm_event *e, const struct dvmi_operation *o)
{
	memset(e, 0, sizeof(*e));
	e->o = *o;
	if (o->op == DVM_TRACE_OP_EXIT) {
		e->o.first = 0;
		e->o.end = UINT64_MAX;
	}
	e->at = e->batch_first = e->o.first;
	e->on = true;
}

int dvmi_mm_event_next(struct dvmi_mm_event *e, struct dvmi_mms *m, const struct dvmi_event_rules *rules,
		    struct dvmi_call *call)
{
	struct walk w = { .e = e, .m = m, .mm = &m->mms[e->o.mm], .rules = rules, .call = call };

	memset(call, 0, sizeof(*call));
	while (e->on && !w.emitted && !w.over && !w.ret)
		step(&w);
	if (w.over)
		e->on = false;
	return w.ret;
}

int dvmi_mm_event_dup(struct dvmi_mms *m, uint32_t parent, uint32_t child, uint64_t *pages)
{
	uint64_t at = 0, n;

	*pages = 0;
	do {
		int ret = dvmi_mms_reserve(m);

		if (ret)
			return ret;
		if (!dvmi_mm_copy(m, &m->mms[parent], &m->mms[child], &at, &n))
			return 0;
		*pages += n;
	} while (true);
}

int dvmi_mm_event_drop(struct dvmi_mms *m, uint32_t mm)
{
	struct dvmi_operation o = { .op = DVM_TRACE_OP_EXIT, .mm = mm };
	struct dvmi_event_rules rules = { 0 };
	struct dvmi_mm_event e;
	struct dvmi_call call;
	int ret;

	dvmi_mm_event_begin(&e, &o);
	do
		ret = dvmi_mm_event_next(&e, m, &rules, &call);
	while (!ret && call.kind != DVMI_CALL_NONE);
	return ret;
}
