/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_MM_H
#define DVMI_KERNEL_MM_H

#include "kernel/extent.h"

/*
 * Address spaces as far as TLB flushes need them: VMAs, which pages have an entry and what it
 * permits, which page tables exist, which frames are shared. Addresses are page numbers here. The
 * plain second implementation is tests/kernel/ref_mm.c, one array element per page.
 */

enum { /* of a VMA */
	DVMI_VMA_WRITE = 1u << 0,
	DVMI_VMA_NONE = 1u << 1,   /* PROT_NONE */
	DVMI_VMA_FILE = 1u << 2,
	DVMI_VMA_SHARED = 1u << 3,
	DVMI_VMA_HUGETLB = 1u << 4,
	DVMI_VMA_THP = 1u << 5,	   /* faults map whole PMD blocks where they fit */
	DVMI_VMA_LARGE = 1u << 6,  /* faults map large folios: one contpte block each */
};

enum { /* of a page that has an entry */
	DVMI_PAGE_WRITE = 1u << 0,
	DVMI_PAGE_DIRTY = 1u << 1,
	DVMI_PAGE_FILE = 1u << 2,  /* a page-cache page, else anonymous */
	DVMI_PAGE_NONE = 1u << 3,  /* present, not valid: PROT_NONE or a NUMA hint; no TLB holds it */
	DVMI_PAGE_BLOCK = 1u << 4, /* part of a PMD block */
	DVMI_PAGE_CONT = 1u << 5,  /* part of a folded contpte block */
};

struct dvmi_mm {
	struct dvmi_tree vmas, pages;
	struct dvmi_tree ptes, pmds; /* PTE and PMD tables, by the number of what one maps */
	uint32_t batches;	     /* deferred batches that hold flushes of it */
};

struct dvmi_mms {
	struct dvmi_extents pool;
	struct dvmi_tree shared; /* frames mapped more than once: how often */
	struct dvmi_mm *mms;
	uint32_t count;
	uint64_t next_frame;
	unsigned block_shift;	 /* log2 of the pages of a PMD block: 9, 11, 13 */
	unsigned cont_shift;	 /* of a contpte block: 4, 7, 5 */
};

/* For pages of 1 << @page_shift bytes. Returns 0 or -DVM_ENOMEM. */
int dvmi_mms_init(struct dvmi_mms *m, uint32_t count, unsigned page_shift);
void dvmi_mms_fini(struct dvmi_mms *m);
/* Make room for one change. Returns 0, -DVM_ENOMEM or -DVM_ELIMIT. */
int dvmi_mms_reserve(struct dvmi_mms *m);

static inline uint64_t dvmi_block_pages(const struct dvmi_mms *m)
{
	return UINT64_C(1) << m->block_shift;
}

static inline uint64_t dvmi_cont_pages(const struct dvmi_mms *m)
{
	return UINT64_C(1) << m->cont_shift;
}

/* Each of these makes a bounded number of changes; dvmi_mms_reserve() before each. */
void dvmi_mm_map(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end,
		 uint32_t vma);
/* Entries for [first, end), one run of frames beginning with @frame; makes the tables. */
void dvmi_mm_fill(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end,
		  uint64_t frame, uint32_t page);
uint64_t dvmi_mms_frames(struct dvmi_mms *m, uint64_t count);
/* Frames [frame, frame + pages) are mapped @by times more; one run of equal counts at a time. */
uint64_t dvmi_frames_share(struct dvmi_mms *m, uint64_t frame, uint64_t pages, int by);
/* How many mappings share @frame (from 1), and for how many of @pages frames that holds. */
uint64_t dvmi_frames_count(const struct dvmi_mms *m, uint64_t frame, uint64_t *pages);

/* The next run of pages with entries in [at, end). */
bool dvmi_mm_page(const struct dvmi_mms *m, const struct dvmi_mm *mm, uint64_t at, uint64_t end,
		  struct dvmi_extent *run);
bool dvmi_mm_vma(const struct dvmi_mms *m, const struct dvmi_mm *mm, uint64_t at, uint64_t end,
		 struct dvmi_extent *vma);

/*
 * free_pgtables() for [first, end), whose VMAs are gone already: the next table at or after *@at
 * that no neighbouring VMA needs. @level is what its entry is at: 2 for a PTE table, 1 for a PMD
 * table. Returns its first page number in *@at; false when there is none. The table is gone then.
 */
bool dvmi_mm_free_table(struct dvmi_mms *m, struct dvmi_mm *mm, uint64_t first, uint64_t end,
			unsigned level, uint64_t *at);
bool dvmi_mm_has_tables(const struct dvmi_mm *mm);

/*
 * dup_mmap() in pieces: copy what begins at *@at from @from to @to (reserve before each call);
 * false when all is done. Private pages are write-protected in both. *@pages: entries copied.
 */
bool dvmi_mm_copy(struct dvmi_mms *m, struct dvmi_mm *from, struct dvmi_mm *to, uint64_t *at,
		  uint64_t *pages);
void dvmi_mm_drop(struct dvmi_mms *m, struct dvmi_mm *mm);

#endif
