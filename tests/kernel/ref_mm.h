/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_KERNEL_REF_MM_H
#define DVMSIM_TESTS_KERNEL_REF_MM_H

#include "kernel/event.h"

/*
 * The plain page table: one array element per page, one flag per table, 4 KiB pages, small pages
 * only, no batch limits reached. Page numbers [first, first + span).
 */
struct ref_call {
	bool batch;
	enum dvmi_request_kind kind;
	unsigned flags, stride, level;
	uint64_t first, end;
};

struct ref_calls {
	size_t count;
	struct ref_call call[8192];
};

struct ref_mm;

struct ref_mm *ref_mm_new(uint64_t first, uint64_t span);
void ref_mm_free(struct ref_mm *ref);
/* FORK shares all pages with a child (the one before is gone), OTHER ends the child. */
void ref_mm_do(struct ref_mm *ref, unsigned op, uint64_t first, uint64_t pages, uint32_t detail,
	       struct ref_calls *calls);
void ref_mm_assert_equal(const struct ref_mm *ref, const struct dvmi_mms *mms, uint32_t mm);

#endif
