/* SPDX-License-Identifier: MIT */
#include "check/space.h"

#include <inttypes.h>

uint16_t dvmi_loc_of(uint64_t a, unsigned pages)
{
	if (a >= DVMI_PTE_BASE && a < DVMI_PTE_BASE + pages * 8 && a % 8 == 0)
		return (uint16_t)((a - DVMI_PTE_BASE) / 8);
	if (a >= DVMI_PA_BASE && a < DVMI_PA_BASE + pages * DVMI_PAGE_BYTES) {
		uint64_t off = a % DVMI_PAGE_BYTES, page = (a - DVMI_PA_BASE) / DVMI_PAGE_BYTES;

		if (off % 4 == 0 && off / 4 < DVMI_CELLS)
			return (uint16_t)(DVMI_PAGES_MAX + page * DVMI_CELLS + off / 4);
	}
	return DVMI_LOC_NONE;
}

uint64_t dvmi_loc_class(uint16_t loc)
{
	if (loc < DVMI_PAGES_MAX)
		return UINT64_C(1) << loc;
	return UINT64_C(1) << (32 + (loc - DVMI_PAGES_MAX) / DVMI_CELLS);
}

static void print_desc(struct dvmi_buf *buf, const struct dvmi_space *space, uint64_t v)
{
	uint64_t oa = v & DVMI_DESC_OA_MASK;
	unsigned page = (unsigned)((oa - DVMI_PA_BASE) / DVMI_PAGE_BYTES);
	unsigned set = (unsigned)((v & DVMI_DESC_ATTR_MASK) >> DVMI_DESC_ATTR_SHIFT);

	if (oa >= DVMI_PA_BASE && page < space->pages)
		dvmi_buf_printf(buf, "(oa:PA(%s)", space->names[page]);
	else
		dvmi_buf_printf(buf, "(oa:0x%" PRIx64, oa);
	/* Fields with their default value are left out, as herd does. */
	if (!(v & DVMI_DESC_AF))
		dvmi_buf_puts(buf, ", af:0");
	if (v & DVMI_DESC_RDONLY)
		dvmi_buf_puts(buf, ", db:0");
	if (v & DVMI_DESC_DBM)
		dvmi_buf_puts(buf, ", dbm:1");
	if (!(v & DVMI_DESC_VALID))
		dvmi_buf_puts(buf, ", valid:0");
	if (!(v & DVMI_DESC_EL0))
		dvmi_buf_puts(buf, ", el0:0");
	if (set)
		dvmi_buf_printf(buf, ", attrs:(%s)", space->attrs[set]);
	dvmi_buf_puts(buf, ")");
}

static bool print_place(struct dvmi_buf *buf, const struct dvmi_space *space, uint64_t v,
			uint64_t base, uint64_t stride, const char *open, const char *close)
{
	uint64_t k = (v - base) / stride, off = (v - base) % stride;

	if (v < base || k >= space->pages)
		return false;
	dvmi_buf_printf(buf, "%s%s%s", open, space->names[k], close);
	if (off)
		dvmi_buf_printf(buf, "+%" PRIu64, off);
	return true;
}

void dvmi_space_print(struct dvmi_buf *buf, const struct dvmi_space *space, uint64_t v)
{
	if (dvmi_is_desc(v)) {
		print_desc(buf, space, v);
		return;
	}
	if (print_place(buf, space, v, DVMI_VA_BASE, DVMI_PAGE_BYTES, "", "") ||
	    print_place(buf, space, v, DVMI_PTE_BASE, 8, "PTE(", ")") ||
	    print_place(buf, space, v, DVMI_PA_BASE, DVMI_PAGE_BYTES, "PA(", ")"))
		return;
	dvmi_buf_printf(buf, "%" PRId64, (int64_t)v);
}

void dvmi_space_print_loc(struct dvmi_buf *buf, const struct dvmi_space *space, uint16_t loc)
{
	if (loc < DVMI_PAGES_MAX) {
		dvmi_buf_printf(buf, "[PTE(%s)]", space->names[loc]);
		return;
	}
	loc = (uint16_t)(loc - DVMI_PAGES_MAX);
	if (loc % DVMI_CELLS)
		dvmi_buf_printf(buf, "[%s+%u]", space->names[loc / DVMI_CELLS],
				loc % DVMI_CELLS * 4);
	else
		dvmi_buf_printf(buf, "[%s]", space->names[loc / DVMI_CELLS]);
}
