/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

#include <dvmsim/trace.h>

/* Faults: what maps a page, copies it, or makes its entry writable. */

static void map_new(struct dvmi_walk *w, const struct dvmi_extent *vma, bool write)
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
	first = dvmi_unit_down(e->at, unit);
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
	if (dvmi_walk_reserve(w))
		dvmi_mm_fill(w->m, w->mm, first, end, dvmi_mms_frames(w->m, end - first), flags);
	w->call->work.faults++;
	w->call->work.filled += end - first;
	e->at = end;
}

/* The entry that maps the first page of @run, with all pages it maps; the walk goes on after it. */
static void set_unit(struct dvmi_walk *w, const struct dvmi_extent *run, uint32_t flags)
{
	uint64_t unit = run->flags & DVMI_PAGE_BLOCK ? dvmi_block_pages(w->m) :
			run->flags & DVMI_PAGE_CONT ? dvmi_cont_pages(w->m) : 1;
	uint64_t first = dvmi_unit_down(run->first, unit);
	struct dvmi_extent all;

	w->e->at = first + unit;
	for (uint64_t at = first; dvmi_mm_page(w->m, w->mm, at, w->e->at, &all) && !w->ret;
	     at = all.end)
		dvmi_walk_set_pages(w, &all, all.first, all.end, flags);
}

/* The run begins at the page that is written, and its entry does not allow it. */
static void write_protected(struct dvmi_walk *w, const struct dvmi_extent *vma,
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
		dvmi_walk_break_up(w, run->first,
			 run->flags & (DVMI_PAGE_BLOCK | DVMI_PAGE_CONT));
		return;
	}
	w->call->work.faults++;
	if (copy) {
		dvmi_walk_unshare(w, run->value, 1);
		if (dvmi_walk_reserve(w))
			dvmi_mm_fill(w->m, w->mm, run->first, run->first + 1,
				     dvmi_mms_frames(w->m, 1), DVMI_PAGE_WRITE | DVMI_PAGE_DIRTY);
		w->call->work.filled++;
		dvmi_walk_emit(w, DVMI_ROW_COW, run->first, run->first + 1);
		e->at = run->first + 1;
		return;
	}
	if (run->flags & DVMI_PAGE_BLOCK)
		flags |= DVMI_PAGE_BLOCK;
	set_unit(w, run, flags);
	dvmi_walk_emit(w, dvmi_walk_by_era(w, DVMI_ROW_REUSE_LOCAL, DVMI_ROW_REUSE_BROADCAST),
		       run->first, run->first + 1);
}

/* Each page of the range is read or written; those whose entries do not permit it fault. */
void dvmi_fault_step(struct dvmi_walk *w)
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
		dvmi_walk_set_pages(w, &run, run.first, run.end, run.flags | DVMI_PAGE_DIRTY);
}

void dvmi_spurious_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;

	w->over = e->stage != DVMI_STAGE_FIRST;
	if (w->over)
		return;
	e->stage = DVMI_STAGE_OVER;
	w->call->work.faults++;
	dvmi_walk_emit(w, dvmi_walk_by_era(w, DVMI_ROW_SPURIOUS_LOCAL, DVMI_ROW_SPURIOUS_NONE),
		       e->o.first, e->o.first + 1);
}
