/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

#include <dvmsim/trace.h>

/* One page or huge page after the other: reclaim, migration, aging, write-back, KSM, THP. */

/* ---- one page after the other, through the reverse map ---- */

/* The next page the operation is about; false when there is none. */
static bool next_page(struct dvmi_walk *w, struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;

	if (e->at >= e->o.end || !dvmi_mm_page(w->m, w->mm, e->at, e->o.end, run))
		return false;
	e->at = run->first;
	run->end = run->first + 1;
	return true;
}

static bool whole_unit_only(struct dvmi_walk *w, const struct dvmi_extent *run)
{
	uint32_t flag = run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT);

	if (flag)
		dvmi_walk_break_up(w, run->first, flag);
	return flag;
}

/* Migration: the frames of what the batch unmapped are new ones. */
static void move_frames(struct dvmi_walk *w)
{
	struct dvmi_extent run;
	uint64_t at = w->e->batch_first;

	while (dvmi_mm_page(w->m, w->mm, at, w->e->at, &run) && !w->ret) {
		uint64_t n = run.end - run.first;

		dvmi_walk_unshare(w, run.value, n);
		if (dvmi_walk_reserve(w))
			dvmi_mm_fill(w->m, w->mm, run.first, run.end, dvmi_mms_frames(w->m, n),
				     run.flags);
		w->call->work.filled += n;
		at = run.end;
	}
}

static void batch_done(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;

	if (e->o.op == DVM_TRACE_OP_MIGRATE_PAGE)
		move_frames(w);
	if (e->batch && w->mm->batches)
		w->mm->batches--;
	if (e->batch)
		dvmi_walk_emit(w, DVMI_ROW_BATCH_SYNC, 0, 0);
	e->batch = 0;
	e->batch_first = e->at;
}

/* try_to_unmap_one(), try_to_migrate_one(). */
static void unmap_one(struct dvmi_walk *w, const struct dvmi_extent *run)
{
	struct dvmi_mm_event *e = w->e;
	bool valid = !(run->flags & DVMI_PAGE_NONE); /* pte_accessible() */
	enum dvmi_row row = dvmi_walk_by_era(w, DVMI_ROW_BATCH_ADD, DVMI_ROW_UNBATCHED);

	e->at = run->end;
	w->call->work.rmaps++;
	if (e->o.op != DVM_TRACE_OP_MIGRATE_PAGE && dvmi_walk_reserve(w)) {
		dvmi_extent_clear(&w->m->pool, &w->mm->pages, run->first, run->end);
		dvmi_walk_unshare(w, run->value, 1);
	}
	e->walked = e->o.detail & DVM_TRACE_D_DIRTY; /* to be written out: not before the sync */
	if (!valid)
		return;
	if (row == DVMI_ROW_BATCH_ADD && !e->batch++)
		w->mm->batches++;
	dvmi_walk_emit(w, row, run->first, run->end);
}

void dvmi_reclaim_step(struct dvmi_walk *w)
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

void dvmi_young_step(struct dvmi_walk *w)
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
		first = dvmi_unit_down(run.first, dvmi_cont_pages(w->m));
		e->at = first + dvmi_cont_pages(w->m);
		dvmi_walk_emit(w, dvmi_walk_by_era(w, DVMI_ROW_YOUNG_CONT, DVMI_ROW_YOUNG_NONE),
			       first, e->at);
	} else {
		dvmi_walk_emit(w, dvmi_walk_by_era(w, DVMI_ROW_YOUNG, DVMI_ROW_YOUNG_NONE),
			       run.first, run.end);
	}
}

void dvmi_mkclean_step(struct dvmi_walk *w)
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
	dvmi_walk_set_pages(w, &run, run.first, run.end, run.flags & ~both);
	dvmi_walk_emit(w, DVMI_ROW_MKCLEAN, run.first, run.end);
}

/* All pages of the range become one KSM page each, shared with the stable tree. */
void dvmi_ksm_step(struct dvmi_walk *w)
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
		dvmi_walk_set_pages(w, &run, run.first, run.end,
				    run.flags & ~(uint32_t)DVMI_PAGE_WRITE);
		dvmi_walk_emit(w, DVMI_ROW_KSM_PROTECT, run.first, run.end);
		return;
	}
	e->at = run.end;
	w->call->work.rmaps++;
	dvmi_walk_unshare(w, run.value, 1);
	frame = dvmi_mms_frames(w->m, 1);
	if (dvmi_walk_reserve(w))
		dvmi_frames_share(w->m, frame, 1, 1);
	if (dvmi_walk_reserve(w))
		dvmi_mm_fill(w->m, w->mm, run.first, run.end, frame, 0);
	dvmi_walk_emit(w, DVMI_ROW_KSM_REPLACE, run.first, run.end);
}

/* ---- huge pages ---- */

void dvmi_split_step(struct dvmi_walk *w)
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
		dvmi_walk_break_up(w, run.first, flag);
		e->at = dvmi_unit_down(run.first, unit) + unit;
		w->call->work.ptes += unit;
		return;
	}
	/* On to the next unit; nothing here to break up. */
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->o.end, &run))
		return;
	e->at = run.end;
}

void dvmi_collapse_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint64_t unit = dvmi_block_pages(w->m), first;
	struct dvmi_extent run, vma;

	if (e->walked) {
		e->walked = false;
		dvmi_walk_emit(w, DVMI_ROW_WALKERS, 0, 0);
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, dvmi_unit_up(e->at, unit), e->o.end, &run) ||
	    dvmi_unit_down(run.first, unit) + unit > e->o.end) {
		w->over = true;
		return;
	}
	first = dvmi_unit_down(run.first, unit);
	e->at = first + unit;
	if (run.flags & DVMI_PAGE_BLOCK || !dvmi_mm_vma(w->m, w->mm, first, e->at, &vma) ||
	    vma.first > first || vma.end < e->at)
		return;
	for (uint64_t at = first; dvmi_mm_page(w->m, w->mm, at, e->at, &run) && !w->ret;
	     at = run.end)
		dvmi_walk_unshare(w, run.value, run.end - run.first);
	if (dvmi_walk_reserve(w))
		dvmi_extent_clear(&w->m->pool, &w->mm->ptes, first >> w->m->block_shift,
				  (first >> w->m->block_shift) + 1);
	if (dvmi_walk_reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, e->at, dvmi_mms_frames(w->m, unit),
			     DVMI_PAGE_BLOCK | DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY);
	w->call->work.filled += unit;
	e->walked = true;
	dvmi_walk_emit(w, DVMI_ROW_THP_COLLAPSE, first, e->at);
}
