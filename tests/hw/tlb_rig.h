/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_HW_TLB_RIG_H
#define DVMSIM_TESTS_HW_TLB_RIG_H

#include "check_main.h"
#include "hw/tlb.h"
#include "hw/walk.h"

/* One small TLB, its log and a page table, for the tests of single rules. */

#define K 1024ull
#define N(table) (int)(sizeof(table) / sizeof(*(table)))
#define UPPER_VA (UINT64_C(0xffff) << 48)

static const struct dvmi_tlb_geometry small = {
	.granule_bits = 12,
	.va_bits = 48,
	.l1i_entries = 4,
	.l1d_entries = 4,
	.l2_entries = 64,
	.l2_ways = 4,
	.walk_cache_entries = 16,
	.walkers = 1,
	.l2_hit_ps = 100,
	.walk_step_ps = 1000,
};

static struct dvmi_tlb *tlb;
static struct dvmi_tlb_log *tlb_log;
static struct dvmi_ptable *table;
static struct dvmi_granule granule;
static const struct dvmi_tlb_context mm1 = {.asid = 1}, mm2 = {.asid = 2};

static inline void make(const struct dvmi_tlb_geometry *g, uint64_t hop_ps)
{
	ck_assert_int_eq(dvmi_granule_init(&granule, g->granule_bits, g->va_bits, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_new(&tlb_log, &granule, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_new(&tlb, g, tlb_log, hop_ps, NULL), 0);
	ck_assert_int_eq(dvmi_ptable_new(&table, &granule, 0, NULL), 0);
}

static inline void drop(void)
{
	dvmi_tlb_free(tlb);
	dvmi_tlb_log_free(tlb_log);
	dvmi_ptable_free(table);
}

static inline struct dvmi_tlb_result touch(const struct dvmi_tlb_context *c, uint64_t record)
{
	struct dvmi_tlb_result r;

	dvmi_tlb_access(tlb, c, record, 0, &r);
	return r;
}

static inline size_t count(enum dvmi_tlb_part part)
{
	return dvmi_tlb_dump(tlb, part, NULL, 0);
}

#endif
