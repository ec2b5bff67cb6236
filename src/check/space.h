/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SPACE_H
#define DVMI_CHECK_SPACE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The address space of a small program, as plain 64-bit numbers: every variable has one page of
 * virtual memory, one page of physical memory and one descriptor, each at a fixed place. Addresses
 * and descriptors are ordinary values, so instructions compute on them with ordinary arithmetic.
 */
#define DVMI_PAGES_MAX 24u
#define DVMI_PAGE_BYTES UINT64_C(4096)
#define DVMI_VA_BASE UINT64_C(0x1000000000)
#define DVMI_PTE_BASE UINT64_C(0x2000000000)
#define DVMI_CODE_BASE UINT64_C(0x3000000000)
#define DVMI_PA_BASE UINT64_C(0x800000000000)

/* VMSAv8-64 stage 1 page descriptor, Arm ARM (DDI 0487) D8.3; the mark is a software-use bit. */
#define DVMI_DESC_MARK (UINT64_C(1) << 58)
#define DVMI_DESC_VALID (UINT64_C(1) << 0)
#define DVMI_DESC_EL0 (UINT64_C(1) << 6)    /* AP[1] */
#define DVMI_DESC_RDONLY (UINT64_C(1) << 7) /* AP[2]: herd's db is its complement */
#define DVMI_DESC_AF (UINT64_C(1) << 10)
#define DVMI_DESC_DBM (UINT64_C(1) << 51)
#define DVMI_DESC_OA_MASK UINT64_C(0x0000fffffffff000)
#define DVMI_DESC_ATTR_SHIFT 2 /* three bits of a table of attribute sets (as AttrIndx) */
#define DVMI_DESC_ATTR_MASK (UINT64_C(7) << DVMI_DESC_ATTR_SHIFT)
#define DVMI_DESC_DEFAULT (DVMI_DESC_MARK | DVMI_DESC_VALID | DVMI_DESC_EL0 | DVMI_DESC_AF)

/*
 * A location is what coherence is kept for: a descriptor, or four bytes' worth of a physical page.
 * Locations are numbered: descriptors first (0..DVMI_PAGES_MAX-1), then DVMI_CELLS for each page.
 */
#define DVMI_CELLS 16u
#define DVMI_LOCS_MAX (DVMI_PAGES_MAX * (1 + DVMI_CELLS))
#define DVMI_LOC_NONE UINT16_MAX

static inline uint64_t dvmi_va(unsigned page)
{
	return DVMI_VA_BASE + page * DVMI_PAGE_BYTES;
}

static inline uint64_t dvmi_pa(unsigned page)
{
	return DVMI_PA_BASE + page * DVMI_PAGE_BYTES;
}

static inline uint64_t dvmi_pte(unsigned page)
{
	return DVMI_PTE_BASE + page * 8;
}

static inline bool dvmi_is_va(uint64_t v, unsigned pages)
{
	return v >= DVMI_VA_BASE && v < DVMI_VA_BASE + pages * DVMI_PAGE_BYTES;
}

static inline bool dvmi_is_desc(uint64_t v)
{
	return (v & DVMI_DESC_MARK) != 0;
}

static inline unsigned dvmi_va_page(uint64_t va)
{
	return (unsigned)((va - DVMI_VA_BASE) / DVMI_PAGE_BYTES);
}

/* Location of descriptor address or physical address @a; DVMI_LOC_NONE when it is neither. */
uint16_t dvmi_loc_of(uint64_t a, unsigned pages);
/* "Class" of a location: bit k for descriptor k, bit 32+k for physical page k. */
uint64_t dvmi_loc_class(uint16_t loc);

/* Names for printing. */
struct dvmi_space {
	unsigned pages;
	char *names[DVMI_PAGES_MAX];
	unsigned attr_sets; /* set 0 is "no attributes given" */
	char *attrs[8];
};

/* @v the way herd writes it: 1, x, PTE(x), PA(x), (oa:PA(x), valid:0). */
void dvmi_space_print(struct dvmi_buf *buf, const struct dvmi_space *space, uint64_t v);
/* A location the way herd writes it: [x], [x+8], [PTE(x)]. */
void dvmi_space_print_loc(struct dvmi_buf *buf, const struct dvmi_space *space, uint16_t loc);

#endif
