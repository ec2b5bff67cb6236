/* SPDX-License-Identifier: MIT */
#include "kernel/mm.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#include <string.h>

/* The most changes of one call: one range in each of four trees, and frames. */
#define CHANGES 8

int dvmi_mms_init(struct dvmi_mms *m, uint32_t count, unsigned page_shift)
{
	memset(m, 0, sizeof(*m));
	m->mms = dvmi_calloc(count, sizeof(*m->mms));
	if (!m->mms)
		return -DVM_ENOMEM;
	m->count = count;
	m->next_frame = 1;
	m->block_shift = page_shift - 3; /* a table is one page of 8-byte entries */
	/* arch/arm64/include/asm/pgtable-hwdef.h: CONT_PTE_SHIFT is 16, 21, 21 */
	m->cont_shift = page_shift == 12 ? 4 : page_shift == 14 ? 7 : 5;
	for (uint32_t i = 0; i < count; i++)
		m->mms[i].pages.linear = true;
	return 0;
}

void dvmi_mms_fini(struct dvmi_mms *m)
{
	dvmi_extents_fini(&m->pool);
	dvmi_free(m->mms);
	memset(m, 0, sizeof(*m));
}

int dvmi_mms_reserve(struct dvmi_mms *m)
{
	return dvmi_extents_reserve(&m->pool, CHANGES * DVMI_EXTENT_NODES);
}

void dvmi_mm_map(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end, uint32_t vma)
{
	dvmi_extent_set(&m->pool, &mm->vmas, first, end, 0, vma);
}

uint64_t dvmi_mms_frames(struct dvmi_mms *m, uint64_t count)
{
	uint64_t frame = m->next_frame;

	m->next_frame += count;
	return frame;
}

static void need(struct dvmi_mms *m, struct dvmi_tree *tables, uint64_t first, uint64_t last)
{
	struct dvmi_extent e;

	if (!dvmi_extent_next(&m->pool, tables, first, &e) || e.first > first || e.end <= last)
		dvmi_extent_set(&m->pool, tables, first, last + 1, 0, 0);
}

void dvmi_mm_fill(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end,
		  uint64_t frame, uint32_t page)
{
	if (first >= end)
		return;
	dvmi_extent_set(&m->pool, &mm->pages, first, end, frame, page);
	if (!(page & DVMI_PAGE_BLOCK))
		need(m, &mm->ptes, first >> m->block_shift, (end - 1) >> m->block_shift);
	need(m, &mm->pmds, first >> 2 * m->block_shift, (end - 1) >> 2 * m->block_shift);
}

uint64_t dvmi_frames_count(const struct dvmi_mms *m, uint64_t frame, uint64_t *pages)
{
	struct dvmi_extent e;

	if (!dvmi_extent_next(&m->pool, &m->shared, frame, &e))
		return 1;
	if (e.first > frame) {
		if (e.first - frame < *pages)
			*pages = e.first - frame;
		return 1;
	}
	if (e.end - frame < *pages)
		*pages = e.end - frame;
	return e.value;
}

uint64_t dvmi_frames_share(struct dvmi_mms *m, uint64_t frame, uint64_t pages, int by)
{
	uint64_t count = dvmi_frames_count(m, frame, &pages) + (uint64_t)(int64_t)by;

	/* The last mapping's frames are nobody's; those with one are not kept. */
	if (count <= 1)
		dvmi_extent_clear(&m->pool, &m->shared, frame, frame + pages);
	else
		dvmi_extent_set(&m->pool, &m->shared, frame, frame + pages, count, 0);
	return pages;
}

bool dvmi_mm_page(const struct dvmi_mms *m, const struct dvmi_mm *mm, uint64_t at, uint64_t end,
		  struct dvmi_extent *run)
{
	return dvmi_extent_within(&m->pool, &mm->pages, at, end, run);
}

bool dvmi_mm_vma(const struct dvmi_mms *m, const struct dvmi_mm *mm, uint64_t at, uint64_t end,
		 struct dvmi_extent *vma)
{
	return dvmi_extent_within(&m->pool, &mm->vmas, at, end, vma);
}

/* ---- page tables ---- */

/*
 * mm/memory.c free_pgd_range(): of [first, end) and its surroundings up to the neighbouring VMAs,
 * the tables that map nothing else. @floor and @ceiling are the neighbours' end and start.
 */
static bool whole(uint64_t table, unsigned shift, uint64_t floor, uint64_t ceiling)
{
	return table << shift >= floor && (table + 1) << shift <= ceiling;
}

bool dvmi_mm_free_table(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end,
			unsigned level, uint64_t *at)
{
	struct dvmi_tree *tables = level == 2 ? &mm->ptes : &mm->pmds;
	unsigned shift = level == 2 ? m->block_shift : 2 * m->block_shift;
	struct dvmi_extent e;
	uint64_t floor = 0, ceiling = UINT64_MAX;
	uint64_t table = (*at > first ? *at : first) >> shift, last = (end - 1) >> shift;

	if (dvmi_extent_before(&m->pool, &mm->vmas, first, &e))
		floor = e.end;
	if (dvmi_extent_next(&m->pool, &mm->vmas, end, &e))
		ceiling = e.first;
	while (table <= last && dvmi_extent_within(&m->pool, tables, table, last + 1, &e)) {
		table = e.first;
		if (whole(table, shift, floor, ceiling)) {
			dvmi_extent_clear(&m->pool, tables, table, table + 1);
			*at = table << shift;
			return true;
		}
		table++;
	}
	return false;
}

bool dvmi_mm_has_tables(const struct dvmi_mm *mm)
{
	return mm->ptes.root || mm->pmds.root;
}

/* ---- fork ---- */

/* vma_needs_copy(): pages that a fault can find again in the page cache are not copied. */
static bool copies_pages(const struct dvmi_extent *vma)
{
	return !(vma->flags & DVMI_VMA_SHARED);
}

bool dvmi_mm_copy(struct dvmi_mms *m, struct dvmi_mm *from, struct dvmi_mm *to, uint64_t *at,
		  uint64_t *pages)
{
	struct dvmi_extent vma, run;
	uint64_t n;

	*pages = 0;
	if (!dvmi_mm_vma(m, from, *at, UINT64_MAX, &vma))
		return false;
	dvmi_mm_map(m, to, vma.first, vma.end, vma.flags);
	if (!copies_pages(&vma) || !dvmi_mm_page(m, from, vma.first, vma.end, &run)) {
		*at = vma.end;
		return true;
	}
	n = dvmi_frames_share(m, run.value, run.end - run.first, 1);
	run.end = run.first + n;
	run.flags &= ~(uint32_t)DVMI_PAGE_WRITE;
	dvmi_mm_fill(m, from, run.first, run.end, run.value, run.flags);
	dvmi_mm_fill(m, to, run.first, run.end, run.value, run.flags);
	*pages = n;
	*at = run.end;
	return true;
}

void dvmi_mm_drop(struct dvmi_mms *m, struct dvmi_mm *mm)
{
	dvmi_extent_drop(&m->pool, &mm->vmas);
	dvmi_extent_drop(&m->pool, &mm->pages);
	dvmi_extent_drop(&m->pool, &mm->ptes);
	dvmi_extent_drop(&m->pool, &mm->pmds);
}
