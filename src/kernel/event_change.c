/* SPDX-License-Identifier: MIT */
#include "kernel/event_impl.h"

#include <dvmsim/trace.h>

/* Entries that stay and change: mprotect, NUMA hints, userfaultfd, MADV_FREE and MADV_COLD. */

struct change {
	enum dvmi_row row;
	uint32_t set, clear;
	bool invalid_too; /* an entry that is not valid changes as well, without a flush */
};

/* mprotect: which entries become writable again (can_change_pte_writable()). */
static bool becomes_writable(const struct dvmi_walk *w, struct dvmi_extent *run)
{
	uint64_t n = run->end - run->first;
	bool sole;

	if (run->flags & DVMI_PAGE_FILE)
		return w->e->vma_flags & DVMI_VMA_SHARED && run->flags & DVMI_PAGE_DIRTY;
	sole = dvmi_frames_count(w->m, run->value, &n) == 1;
	run->end = run->first + n;
	return sole && run->flags & DVMI_PAGE_DIRTY;
}

static struct change change_of(const struct dvmi_walk *w)
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
static bool enter_vma(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	uint32_t flags;

	if (!dvmi_walk_next_vma(w))
		return false;
	if (e->o.op != DVM_TRACE_OP_MPROTECT)
		return true;
	flags = vma_protection(&e->o, e->vma_flags);
	if (flags == e->vma_flags)
		e->at = e->vma_end;
	else if (dvmi_walk_reserve(w))
		dvmi_mm_map(w->m, w->mm, e->at, e->vma_end, flags);
	e->vma_flags = flags;
	return true;
}

static void change_run(struct dvmi_walk *w, struct dvmi_extent *run)
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
		dvmi_walk_set_pages(w, run, run->first, run->end, flags);
	if (valid && (always || flags != run->flags))
		dvmi_walk_gather(&e->gather, run->first, run->end, dvmi_run_level(run));
}

/* Before PTE batching, mprotect() took the entries of a contpte block one by one. */
static bool unfolds(struct dvmi_walk *w, const struct dvmi_extent *run)
{
	if (w->rules->contpte_batch || w->e->o.op == DVM_TRACE_OP_MADVISE ||
	    !(run->flags & DVMI_PAGE_CONT))
		return false;
	dvmi_walk_break_up(w, run->first, DVMI_PAGE_CONT);
	return true;
}

void dvmi_change_step(struct dvmi_walk *w)
{
	struct dvmi_mm_event *e = w->e;
	struct dvmi_extent run;

	if (!e->vma_end) {
		if (!enter_vma(w))
			w->over = true;
		return;
	}
	if (!dvmi_mm_page(w->m, w->mm, e->at, e->vma_end, &run)) {
		dvmi_walk_gather_flush(w, change_of(w).row);
		dvmi_walk_leave_vma(e);
		return;
	}
	e->at = run.first;
	if (dvmi_walk_pending(w) || dvmi_walk_cut_unit(w, &run, e->o.first, e->o.end) ||
	    unfolds(w, &run))
		return;
	change_run(w, &run);
}
