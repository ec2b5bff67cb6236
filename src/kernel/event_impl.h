/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_EVENT_IMPL_H
#define DVMI_KERNEL_EVENT_IMPL_H

#include "kernel/event.h"

/* For event*.c only: one step of an operation. */

struct dvmi_walk {
	struct dvmi_mm_event *e;
	struct dvmi_mms *m;
	struct dvmi_mm *mm;
	const struct dvmi_event_rules *rules;
	struct dvmi_call *call;
	bool emitted, over;
	int ret;
};

enum {
	DVMI_STAGE_FIRST,
	DVMI_STAGE_TABLES_PTE,
	DVMI_STAGE_TABLES_PMD,
	DVMI_STAGE_LAST,
	DVMI_STAGE_OVER,
};

/* ---- event_walk.c ---- */
/* The call of row @id for pages [first, end), if it makes one: the step ends there. */
void dvmi_walk_emit(struct dvmi_walk *w, enum dvmi_row id, uint64_t first, uint64_t end);
/* Of two rows for one event, the one of this configuration. */
enum dvmi_row dvmi_walk_by_era(const struct dvmi_walk *w, enum dvmi_row one, enum dvmi_row other);
/* Entries of @level were cleared; and what was gathered is flushed, as row @id. */
void dvmi_walk_gather(struct dvmi_gather *g, uint64_t first, uint64_t end, unsigned level);
void dvmi_walk_gather_flush(struct dvmi_walk *w, enum dvmi_row id);
/* Room for one change; false: stop, w->ret says why. */
bool dvmi_walk_reserve(struct dvmi_walk *w);
/* The mappings of these frames go. */
void dvmi_walk_unshare(struct dvmi_walk *w, uint64_t frame, uint64_t pages);
void dvmi_walk_set_pages(struct dvmi_walk *w, const struct dvmi_extent *run, uint64_t first,
			 uint64_t end, uint32_t flags);
/* The unit of @flags that holds @page becomes single entries. */
void dvmi_walk_break_up(struct dvmi_walk *w, uint64_t page, uint32_t flag);
/* [first, end) begins or ends within a unit of the run: it is broken up first. */
bool dvmi_walk_cut_unit(struct dvmi_walk *w, const struct dvmi_extent *run, uint64_t first,
			uint64_t end);
/* flush_tlb_batched_pending(): a deferred batch holds the mm. */
bool dvmi_walk_pending(struct dvmi_walk *w);
/* On to the next VMA of the operation; false when there is none. */
bool dvmi_walk_next_vma(struct dvmi_walk *w);

/* ---- event_zap.c ---- */
void dvmi_zap_step(struct dvmi_walk *w, unsigned next_stage);
void dvmi_munmap_step(struct dvmi_walk *w);
void dvmi_exit_step(struct dvmi_walk *w);
void dvmi_mremap_step(struct dvmi_walk *w);
void dvmi_mmap_step(struct dvmi_walk *w);

/* ---- event_change.c ---- */
void dvmi_change_step(struct dvmi_walk *w);

/* ---- event_fault.c ---- */
void dvmi_fault_step(struct dvmi_walk *w);
void dvmi_spurious_step(struct dvmi_walk *w);

/* ---- event_page.c ---- */
void dvmi_reclaim_step(struct dvmi_walk *w);
void dvmi_young_step(struct dvmi_walk *w);
void dvmi_mkclean_step(struct dvmi_walk *w);
void dvmi_ksm_step(struct dvmi_walk *w);
void dvmi_split_step(struct dvmi_walk *w);
void dvmi_collapse_step(struct dvmi_walk *w);

static inline uint64_t dvmi_unit_down(uint64_t page, uint64_t unit)
{
	return page & ~(unit - 1);
}

static inline uint64_t dvmi_unit_up(uint64_t page, uint64_t unit)
{
	return dvmi_unit_down(page + unit - 1, unit);
}

static inline unsigned dvmi_run_level(const struct dvmi_extent *run)
{
	return run->flags & DVMI_PAGE_BLOCK ? 2 : 3;
}

static inline void dvmi_walk_leave_vma(struct dvmi_mm_event *e)
{
	e->at = e->vma_end;
	e->vma_end = 0;
}

static inline uint64_t dvmi_walk_table_end(const struct dvmi_walk *w, uint64_t page)
{
	return dvmi_unit_down(page, dvmi_block_pages(w->m)) + dvmi_block_pages(w->m);
}

#endif
