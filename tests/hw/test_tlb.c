/* SPDX-License-Identifier: MIT */
/* Each rule of the TLBs alone, against the architecture's tables and closed formulas. */
#include "base/mem.h"
#include "check_main.h"
#include "hw/tlb.h"
#include "hw/walk.h"

#include <string.h>

#define K 1024ull
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

static void make(const struct dvmi_tlb_geometry *g, uint64_t hop_ps)
{
	ck_assert_int_eq(dvmi_granule_init(&granule, g->granule_bits, g->va_bits, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_new(&tlb_log, &granule, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_new(&tlb, g, tlb_log, hop_ps, NULL), 0);
	ck_assert_int_eq(dvmi_ptable_new(&table, &granule, 0, NULL), 0);
}

static void drop(void)
{
	dvmi_tlb_free(tlb);
	dvmi_tlb_log_free(tlb_log);
	dvmi_ptable_free(table);
}

static struct dvmi_tlb_result touch(const struct dvmi_tlb_context *c, uint64_t record)
{
	struct dvmi_tlb_result r;

	dvmi_tlb_access(tlb, c, record, 0, &r);
	return r;
}

static size_t count(enum dvmi_tlb_part part)
{
	return dvmi_tlb_dump(tlb, part, NULL, 0);
}

/* ---- walks ---- */

/* 48-bit addresses: 4 levels with 4K and 16K, 3 with 64K; a block saves its lower levels. */
static const struct {
	int granule, va_bits;
	unsigned size_bits, descriptors;
} walks[] = {
	{12, 48, 12, 4}, {12, 48, 16, 4}, {12, 48, 21, 3}, {12, 48, 25, 3}, {12, 48, 30, 2},
	{12, 48, 34, 2}, {14, 48, 14, 4}, {14, 48, 21, 4}, {14, 48, 25, 3}, {14, 48, 30, 3},
	{16, 48, 16, 3}, {16, 48, 21, 3}, {16, 48, 29, 2}, {16, 48, 34, 2}, {12, 39, 12, 3},
	{14, 47, 14, 3}, {16, 42, 16, 2},
};

START_TEST(a_cold_walk_reads_one_descriptor_per_level)
{
	struct dvmi_tlb_geometry g = small;
	struct dvmi_tlb_context c = {.asid = 1};
	struct dvmi_tlb_result r;
	unsigned class;

	g.granule_bits = walks[_i].granule;
	g.va_bits = walks[_i].va_bits;
	make(&g, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, UINT64_C(1) << (35 - walks[_i].granule),
					 (struct dvmi_xlate){(uint8_t)walks[_i].size_bits, 1, 0},
					 NULL),
			 0);
	r = touch(&c, 0x1000);
	ck_assert_uint_eq(r.fetches, walks[_i].descriptors);
	ck_assert_uint_eq(r.cost_ps, 100 + walks[_i].descriptors * 1000);
	class = dvmi_granule_class(&granule, walks[_i].size_bits);
	ck_assert_uint_ne(class, 0);
	ck_assert_uint_eq(dvmi_walk_descriptors(&granule, granule.cls[class].level),
			  walks[_i].descriptors);
	drop();
}
END_TEST

/* 4K, 48 bits: a table descriptor of level 2 covers 2M, level 1 1G, level 0 512G. */
static const struct {
	uint64_t va;
	unsigned fetches;
} warm[] = {
	{1ull << 12, 1}, {(1ull << 21) - 4096, 1}, {1ull << 21, 2}, {(1ull << 30) - 4096, 2},
	{1ull << 30, 3}, {(1ull << 39) - 4096, 3}, {1ull << 39, 4},
};

START_TEST(the_walk_cache_saves_the_levels_it_covers)
{
	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_uint_eq(touch(&mm1, warm[_i].va).fetches, warm[_i].fetches);
	drop();
}
END_TEST

START_TEST(the_walk_cache_does_not_serve_another_asid)
{
	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_uint_eq(touch(&mm2, 4096).fetches, 4);
	drop();
}
END_TEST

START_TEST(the_walk_cache_evicts_the_least_recently_used)
{
	struct dvmi_tlb_geometry g = small;

	g.walk_cache_entries = 3; /* one path */
	make(&g, 0);
	touch(&mm1, 0);
	touch(&mm1, 1ull << 39); /* replaces all three */
	ck_assert_uint_eq(touch(&mm1, 4096).fetches, 4);
	drop();
}
END_TEST

/* ceil(m / w) rounds. */
static const struct {
	uint64_t misses;
	unsigned walkers;
	uint64_t rounds;
} rounds[] = {{0, 2, 0}, {1, 1, 1}, {5, 1, 5}, {4, 2, 2},
	      {5, 2, 3}, {3, 4, 1}, {8, 4, 2}, {9, 4, 3}};

START_TEST(independent_misses_share_the_walkers)
{
	ck_assert_uint_eq(dvmi_walk_parallel_ps(rounds[_i].misses, rounds[_i].walkers, 700),
			  rounds[_i].rounds * 700);
}
END_TEST

START_TEST(a_walk_time_past_the_clock_saturates)
{
	ck_assert(dvmi_walk_parallel_ps(UINT64_MAX, 1, 2) == UINT64_MAX);
}
END_TEST

/* ---- coverage ---- */

/* Leaf sizes of DDI 0487 D8: page, contiguous groups, blocks. */
static const struct {
	int granule;
	unsigned size_bits;
} sizes[] = {
	{12, 12}, {12, 16}, {12, 21}, {12, 25}, {12, 30}, {12, 34}, {14, 14},
	{14, 21}, {14, 25}, {14, 30}, {16, 16}, {16, 21}, {16, 29}, {16, 34},
};

START_TEST(an_entry_covers_its_unit_and_no_more)
{
	struct dvmi_tlb_geometry g = small;
	struct dvmi_tlb_context c = {.asid = 1};
	uint64_t size = 1ull << sizes[_i].size_bits;

	g.granule_bits = sizes[_i].granule;
	make(&g, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 4 * size >> sizes[_i].granule,
					 (struct dvmi_xlate){(uint8_t)sizes[_i].size_bits, 1, 0},
					 NULL),
			 0);
	touch(&c, size + size / 2);
	ck_assert_int_eq(touch(&c, size).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&c, 2 * size - 1).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&c, size - 1).level, DVMI_TLB_WALK);
	ck_assert_int_eq(touch(&c, 2 * size).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

START_TEST(a_unit_that_sticks_out_of_its_range_is_mapped_smaller)
{
	struct dvmi_xlate x;

	make(&small, 0);
	/* 2M blocks wanted in [2M - 64K, 4M + 4K). */
	ck_assert_int_eq(dvmi_ptable_set(table, 2048 * K - 64 * K, 512 + 16 + 1,
					 (struct dvmi_xlate){21, 1, 0}, NULL),
			 0);
	x = dvmi_ptable_lookup(table, 2048 * K - 4096);
	ck_assert_uint_eq(x.size_bits, 16);
	x = dvmi_ptable_lookup(table, 2048 * K);
	ck_assert_uint_eq(x.size_bits, 21);
	x = dvmi_ptable_lookup(table, 4096 * K);
	ck_assert_uint_eq(x.size_bits, 12);
	/* A hole punched in the middle breaks the block around it. */
	ck_assert_int_eq(dvmi_ptable_set(table, 3072 * K, 1, (struct dvmi_xlate){0, 0, 0}, NULL),
			 0);
	ck_assert_uint_eq(dvmi_ptable_lookup(table, 3072 * K).size_bits, 0);
	ck_assert_uint_eq(dvmi_ptable_lookup(table, 2048 * K).size_bits, 16);
	ck_assert_uint_eq(dvmi_ptable_lookup(table, 3072 * K + 4096).size_bits, 12);
	drop();
}
END_TEST

START_TEST(bad_ranges_are_refused)
{
	make(&small, 0);
	ck_assert_int_eq(dvmi_ptable_set(table, 100, 1, (struct dvmi_xlate){12, 1, 0}, NULL),
			 -DVM_EINVAL);
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 0, (struct dvmi_xlate){12, 1, 0}, NULL),
			 -DVM_EINVAL);
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){14, 1, 0}, NULL),
			 -DVM_EINVAL);
	ck_assert_int_eq(
		dvmi_ptable_set(table, 4096, 1ull << 36, (struct dvmi_xlate){12, 1, 0}, NULL),
		-DVM_EINVAL);
	drop();
}
END_TEST

/* ---- keys ---- */

START_TEST(a_non_global_entry_serves_its_asid_and_vmid_only)
{
	const struct dvmi_tlb_context vm = {.asid = 1, .vmid = 1};

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(touch(&mm2, 0).level, DVMI_TLB_WALK);
	ck_assert_int_eq(touch(&vm, 0).level, DVMI_TLB_WALK);
	ck_assert_int_eq(touch(&mm1, DVMI_ACCESS_UPPER).level, DVMI_TLB_WALK);
	ck_assert_int_eq(touch(&mm1, 0).level, DVMI_TLB_L1);
	drop();
}
END_TEST

START_TEST(a_global_entry_serves_every_asid_of_its_vmid)
{
	const struct dvmi_tlb_context vm = {.asid = 1, .vmid = 1};

	make(&small, 0);
	touch(&mm1, DVMI_ACCESS_UPPER);
	ck_assert_int_eq(touch(&mm2, DVMI_ACCESS_UPPER).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&vm, DVMI_ACCESS_UPPER).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

START_TEST(fetches_and_data_have_their_own_l1_and_share_l2)
{
	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(touch(&mm1, DVMI_ACCESS_FETCH).level, DVMI_TLB_L2);
	ck_assert_int_eq(touch(&mm1, DVMI_ACCESS_FETCH).level, DVMI_TLB_L1);
	drop();
}
END_TEST

START_TEST(a_write_through_a_read_only_entry_faults_every_time)
{
	struct dvmi_tlb_context c = {.asid = 1};

	make(&small, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){12, 0, 0}, NULL), 0);
	ck_assert_uint_eq(touch(&c, 0).flags, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(touch(&c, DVMI_ACCESS_WRITE).flags, DVMI_TLB_READONLY);
	/* Made writable without a flush: the old entry still faults (the spurious fault). */
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){12, 1, 0}, NULL), 0);
	ck_assert_uint_eq(touch(&c, DVMI_ACCESS_WRITE).flags, DVMI_TLB_READONLY);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &(struct dvmi_inval){.kind = DVMI_INVAL_VA,
								  .asid = 1,
								  .ttl = 3,
								  .leaf_only = 1}),
			 0);
	ck_assert_uint_eq(touch(&c, DVMI_ACCESS_WRITE).flags, 0);
	drop();
}
END_TEST

START_TEST(a_fault_is_never_cached)
{
	struct dvmi_tlb_context c = {.asid = 1};

	make(&small, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){0, 0, 0}, NULL), 0);
	ck_assert_uint_eq(touch(&c, 0).flags, DVMI_TLB_UNMAPPED);
	ck_assert_uint_eq(dvmi_tlb_entries(tlb), 0);
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){12, 1, 0}, NULL), 0);
	ck_assert_uint_eq(touch(&c, 0).flags, 0);
	drop();
}
END_TEST

/* ---- LRU ---- */

START_TEST(the_least_recently_used_entry_goes_first)
{
	struct dvmi_tlb_geometry g = small;

	g.l2_entries = 0;
	make(&g, 0);
	for (uint64_t page = 0; page < 4; page++)
		touch(&mm1, page << 12);
	touch(&mm1, 0);		 /* order now 0 3 2 1 */
	touch(&mm1, 4ull << 12); /* evicts 1 */
	ck_assert_int_eq(touch(&mm1, 0).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&mm1, 2ull << 12).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&mm1, 3ull << 12).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&mm1, 1ull << 12).level, DVMI_TLB_WALK); /* evicts 4 */
	ck_assert_int_eq(touch(&mm1, 4ull << 12).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

/* n pages in a cycle through an LRU of n entries never miss again, n + 1 pages always do. */
START_TEST(a_cycle_one_page_too_long_misses_always)
{
	make(&small, 0);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(touch(&mm1, (uint64_t)(i % 4) << 12).level,
				 i < 4 ? DVMI_TLB_WALK : DVMI_TLB_L1);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_ne(touch(&mm1, (uint64_t)(8 + i % 5) << 12).level, DVMI_TLB_L1);
	drop();
}
END_TEST

/* 64 entries of 4 ways: 16 sets by the low page bits. Pages 16 apart share a set. */
START_TEST(an_l2_set_holds_its_ways)
{
	make(&small, 0);
	for (uint64_t i = 0; i < 5; i++)
		touch(&mm1, i << 16);
	for (uint64_t i = 1; i < 5; i++) /* push all out of the L1, elsewhere in the L2 */
		touch(&mm1, i << 12);
	ck_assert_int_eq(touch(&mm1, 1ull << 16).level, DVMI_TLB_L2);
	ck_assert_int_eq(touch(&mm1, 0).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

/* ---- invalidation scope ---- */

/* The table in Linux commit c2ff4764e03e and DDI 0487 C5.5: what goes (1) of a 2M block's or a
 * page's leaf and of the table descriptors of levels 0, 1, 2 above the page. Rows: operation,
 * leaf-only, TTL. */
static const struct {
	enum dvmi_inval_kind kind;
	int leaf_only, ttl;
	int page, block, level0, level1, level2;
} scopes[] = {
	{DVMI_INVAL_VA, 0, -1, 1, 1, 1, 1, 1}, /* VAE1IS, TTL 0: leaf and non-leaf */
	{DVMI_INVAL_VA, 0, 2, 0, 1, 1, 1, 0},  /* VAE1IS, TTL 2 */
	{DVMI_INVAL_VA, 0, 3, 1, 0, 1, 1, 1},
	{DVMI_INVAL_VA, 0, 1, 0, 0, 1, 0, 0},
	{DVMI_INVAL_VA, 0, 0, 1, 1, 1, 1, 1},  /* reserved at 4K: no hint */
	{DVMI_INVAL_VA, 1, -1, 1, 1, 0, 0, 0}, /* VALE1IS, TTL 0: any leaf */
	{DVMI_INVAL_VA, 1, 2, 0, 1, 0, 0, 0},  /* VALE1IS, TTL 2 */
	{DVMI_INVAL_VA, 1, 3, 1, 0, 0, 0, 0},
	{DVMI_INVAL_VA, 1, 1, 0, 0, 0, 0, 0}, /* wrong level: nothing */
	{DVMI_INVAL_VAA, 0, -1, 1, 1, 1, 1, 1},
	{DVMI_INVAL_VAA, 1, 2, 0, 1, 0, 0, 0},
	{DVMI_INVAL_ASID, 0, -1, 1, 1, 1, 1, 1},
	{DVMI_INVAL_VMALL, 0, -1, 1, 1, 1, 1, 1},
	{DVMI_INVAL_ALL, 0, -1, 1, 1, 1, 1, 1},
};

static int has(enum dvmi_tlb_part part, unsigned level)
{
	struct dvmi_tlb_entry e[64];
	size_t n = dvmi_tlb_dump(tlb, part, e, 64);

	for (size_t i = 0; i < n; i++)
		if (e[i].level == level)
			return 1;
	return 0;
}

START_TEST(an_operation_removes_what_its_form_and_hint_say)
{
	struct dvmi_tlb_context c = {.asid = 1};
	struct dvmi_inval inval = {.kind = scopes[_i].kind,
				   .asid = 1,
				   .va = 2048 * K,
				   .leaf_only = (uint8_t)scopes[_i].leaf_only,
				   .ttl = (int8_t)scopes[_i].ttl};

	for (int block = 0; block < 2; block++) {
		make(&small, 0);
		c.lower = table;
		if (block)
			ck_assert_int_eq(dvmi_ptable_set(table, 0, 2048,
							 (struct dvmi_xlate){21, 1, 0}, NULL),
					 0);
		touch(&c, 2048 * K);
		ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
		ck_assert_int_eq(!count(DVMI_PART_L1D), block ? scopes[_i].block : scopes[_i].page);
		ck_assert_uint_eq(count(DVMI_PART_L2), count(DVMI_PART_L1D));
		ck_assert_int_eq(!has(DVMI_PART_WALK, 0), scopes[_i].level0);
		ck_assert_int_eq(!has(DVMI_PART_WALK, 1), scopes[_i].level1);
		if (!block)
			ck_assert_int_eq(!has(DVMI_PART_WALK, 2), scopes[_i].level2);
		drop();
	}
}
END_TEST

/* Whose entry goes: same ASID, another ASID, global, another VMID (DDI 0487 C5.5). */
static const struct {
	enum dvmi_inval_kind kind;
	int own, other, global, vm;
} owners[] = {
	{DVMI_INVAL_VA, 1, 0, 1, 0},	{DVMI_INVAL_VAA, 1, 1, 1, 0}, {DVMI_INVAL_ASID, 1, 0, 0, 0},
	{DVMI_INVAL_VMALL, 1, 1, 1, 0}, {DVMI_INVAL_ALL, 1, 1, 1, 1},
};

START_TEST(an_operation_reaches_whom_its_form_names)
{
	const struct dvmi_tlb_context vm = {.asid = 1, .vmid = 1};
	struct dvmi_inval inval = {.kind = owners[_i].kind, .asid = 1, .ttl = DVMI_TTL_NONE};

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(!dvmi_tlb_entries(tlb), owners[_i].own);
	drop();

	make(&small, 0);
	touch(&mm2, 0);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(!dvmi_tlb_entries(tlb), owners[_i].other);
	drop();

	make(&small, 0);
	inval.va = UPPER_VA;
	touch(&mm1, DVMI_ACCESS_UPPER);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(!dvmi_tlb_entries(tlb), owners[_i].global);
	drop();

	make(&small, 0);
	inval.va = 0;
	touch(&vm, 0);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(!dvmi_tlb_entries(tlb), owners[_i].vm);
	drop();
}
END_TEST

/* Ranges as hardware gets them: (NUM + 1) << (5 * SCALE + 1) pages from the base (tlbflush.h). */
static const struct {
	uint64_t pages;
} ranges[] = {{1}, {2}, {62}, {64}, {448}, {2048}, {2097152}};

START_TEST(a_range_removes_its_pages_and_no_more)
{
	uint64_t start = 1ull << 34, bytes = ranges[_i].pages << 12;
	struct dvmi_inval inval = {.kind = DVMI_INVAL_VA,
				   .asid = 1,
				   .va = start,
				   .pages = ranges[_i].pages,
				   .leaf_only = 1,
				   .ttl = 3};

	make(&small, 0);
	touch(&mm1, start - 1);
	touch(&mm1, start);
	touch(&mm1, start + bytes - 1);
	touch(&mm1, start + bytes);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(touch(&mm1, start - 1).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&mm1, start + bytes).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&mm1, start).level, DVMI_TLB_WALK);
	ck_assert_int_eq(touch(&mm1, start + bytes - 1).level,
			 ranges[_i].pages > 1 ? DVMI_TLB_WALK : DVMI_TLB_L1);
	drop();
}
END_TEST

START_TEST(one_page_of_a_contiguous_group_removes_the_group)
{
	struct dvmi_tlb_context c = {.asid = 1};

	make(&small, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 32, (struct dvmi_xlate){16, 1, 0}, NULL), 0);
	touch(&c, 0);
	touch(&c, 64 * K);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &(struct dvmi_inval){.kind = DVMI_INVAL_VA,
								  .asid = 1,
								  .va = 60 * K,
								  .ttl = 3}),
			 0);
	ck_assert_int_eq(touch(&c, 64 * K).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(&c, 0).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

START_TEST(the_memo_does_not_survive_an_invalidation)
{
	struct dvmi_inval inval = {.kind = DVMI_INVAL_VA, .asid = 1, .ttl = DVMI_TTL_NONE};

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(touch(&mm1, 8).level, DVMI_TLB_L1);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
	ck_assert_int_eq(touch(&mm1, 16).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

START_TEST(the_memo_does_not_survive_a_switch_of_asid)
{
	make(&small, 0);
	touch(&mm1, 0);
	touch(&mm1, 8);
	ck_assert_int_eq(touch(&mm2, 16).level, DVMI_TLB_WALK);
	drop();
}
END_TEST

START_TEST(bad_operands_are_refused)
{
	make(&small, 0);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &(struct dvmi_inval){.vmid = 32}), -DVM_EINVAL);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &(struct dvmi_inval){.ttl = 4}), -DVM_EINVAL);
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &(struct dvmi_inval){.kind = (enum dvmi_inval_kind)9}),
			 -DVM_EINVAL);
	drop();
}
END_TEST

/* ---- delivery ---- */

START_TEST(a_broadcast_takes_effect_at_base_plus_hop_and_not_before)
{
	const struct dvmi_inval all = {.kind = DVMI_INVAL_ALL, .ttl = DVMI_TTL_NONE};
	struct dvmi_tlb_result r;

	make(&small, 30);
	touch(&mm1, 0);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 1000, NULL), 0);
	ck_assert_uint_eq(dvmi_tlb_next_due(tlb), 1030);
	dvmi_tlb_access(tlb, &mm1, 0, 1029, &r);
	ck_assert_int_eq(r.level, DVMI_TLB_L1);
	dvmi_tlb_access(tlb, &mm1, 0, 1030, &r);
	ck_assert_int_eq(r.level, DVMI_TLB_WALK);
	ck_assert(dvmi_tlb_next_due(tlb) == UINT64_MAX);
	drop();
}
END_TEST

START_TEST(a_batch_meets_operations_in_the_middle)
{
	const struct dvmi_inval all = {.kind = DVMI_INVAL_ALL, .ttl = DVMI_TTL_NONE};
	static const uint64_t records[10];
	struct dvmi_tlb_clock clock = {0, UINT64_MAX, 10, 0};
	enum dvmi_tlb_stop stop;

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 35, NULL), 0);
	ck_assert_uint_eq(dvmi_tlb_run(tlb, &mm1, records, 10, &clock, &stop), 10);
	ck_assert_int_eq(stop, DVMI_TLB_END);
	/* Records at 0, 10, 20, 30 hit; the one at 40 walks; the rest hit. */
	ck_assert_uint_eq(dvmi_tlb_stats(tlb)->walks, 2);
	ck_assert_uint_eq(clock.now_ps, 10 * 10 + 100 + 4 * 1000);
	drop();
}
END_TEST

/* Records start at 0, 10, 20, ...: those before the limit are done. */
static const struct {
	uint64_t limit, done;
} limits[] = {{0, 0}, {1, 1}, {10, 1}, {11, 2}, {90, 9}, {91, 10}, {1000, 10}};

START_TEST(a_batch_ends_at_its_limit)
{
	static const uint64_t records[10];
	struct dvmi_tlb_clock clock = {0, limits[_i].limit, 10, 0};
	enum dvmi_tlb_stop stop;

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_uint_eq(dvmi_tlb_run(tlb, &mm1, records, 10, &clock, &stop), limits[_i].done);
	ck_assert_int_eq(stop, limits[_i].done < 10 ? DVMI_TLB_LIMIT : DVMI_TLB_END);
	ck_assert_uint_eq(clock.now_ps, limits[_i].done * 10);
	drop();
}
END_TEST

START_TEST(a_post_in_a_tlbs_past_is_refused)
{
	const struct dvmi_inval all = {.kind = DVMI_INVAL_ALL, .ttl = DVMI_TTL_NONE};

	make(&small, 0);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 100, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 50, NULL), 0);
	dvmi_tlb_settle(tlb, 100);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 99, NULL), -DVM_EINVAL);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &all, 100, NULL), 0);
	drop();
}
END_TEST

/* An idle CPU: 64 recurring operations are remembered as 64, whatever the number of posts. */
START_TEST(the_log_forgets_what_a_later_record_repeats)
{
	make(&small, 0);
	touch(&mm1, 0);
	for (uint64_t i = 1; i <= 100000; i++) {
		struct dvmi_inval inval = {.kind = DVMI_INVAL_VA,
					   .asid = 1,
					   .va = (1 + i % 64) << 12,
					   .ttl = DVMI_TTL_NONE};

		ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &inval, i * 10, NULL), 0);
		dvmi_tlb_log_horizon(tlb_log, i * 10);
	}
	ck_assert_uint_le(dvmi_tlb_log_bytes(tlb_log), 64 * K);
	dvmi_tlb_settle(tlb, UINT64_MAX);
	ck_assert_int_eq(touch(&mm1, 0).level, DVMI_TLB_L1);
	drop();
}
END_TEST

/* Post until the log has been compacted several times; pages far from those of the tests. */
static void fill_log(int watches)
{
	for (uint64_t i = 1; i <= 5000; i++) {
		struct dvmi_inval inval = { .kind = DVMI_INVAL_VA, .asid = 1, .ttl = DVMI_TTL_NONE,
					    .va = (1ull << 40) + (i % 64 << 12) };

		if (watches)
			ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &inval, 1, 100 + i, NULL), 0);
		else
			ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &inval, 100 + i, NULL), 0);
		dvmi_tlb_log_horizon(tlb_log, 100 + i);
	}
}

/* ASIDE1 leaves global entries alone, so it must not make the log forget a VAE1 that does not. */
START_TEST(a_forgetting_log_still_removes_global_entries)
{
	struct dvmi_inval inval = { .kind = DVMI_INVAL_VA, .asid = 1, .ttl = DVMI_TTL_NONE };
	struct dvmi_tlb_context c = { .asid = 1 };

	make(&small, 0);
	c.lower = table;
	ck_assert_int_eq(dvmi_ptable_set(table, 0, 1, (struct dvmi_xlate){ 12, 1, 1 }, NULL), 0);
	touch(&c, 0);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &inval, 1, NULL), 0);
	inval.kind = DVMI_INVAL_ASID;
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &inval, 2, NULL), 0);
	fill_log(0);
	dvmi_tlb_settle(tlb, UINT64_MAX);
	ck_assert_uint_eq(dvmi_tlb_entries(tlb), 0);
	drop();
}
END_TEST

/* ---- the oracle ---- */

START_TEST(a_weaker_later_watch_does_not_replace_a_stronger_one)
{
	struct dvmi_inval page = { .kind = DVMI_INVAL_VA, .asid = 1, .leaf_only = 1, .ttl = 3 };
	struct dvmi_tlb_context c = { .asid = 1 };
	struct dvmi_tlb_result r;

	make(&small, 0);
	c.lower = table;
	dvmi_ptable_change(table, 5);
	touch(&c, 0);
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &page, 7, 1, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &page, 3, 2, NULL), 0);
	fill_log(1);
	dvmi_tlb_access(tlb, &c, 0, 1000000, &r);
	ck_assert_uint_eq(r.flags, DVMI_TLB_STALE);
	drop();
}
END_TEST

/* A pair that differs in one line: with the invalidation nothing is reported, without it the use
 * of the entry is. */
START_TEST(a_translation_older_than_a_completed_flush_is_reported_when_used)
{
	struct dvmi_inval page = {.kind = DVMI_INVAL_VA, .asid = 1, .leaf_only = 1, .ttl = 3};
	struct dvmi_tlb_context c = {.asid = 1};
	struct dvmi_tlb_result r;
	int flushed = _i;

	make(&small, 0);
	c.lower = table;
	touch(&c, 0);
	touch(&c, 4096);
	dvmi_ptable_change(table, 7);
	if (flushed)
		ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &page, 50, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &page, 7, 60, NULL), 0);
	dvmi_tlb_access(tlb, &c, 0, flushed ? 49 : 59, &r); /* before completion: allowed */
	ck_assert_uint_eq(r.flags, 0);
	dvmi_tlb_access(tlb, &c, 4096, 60, &r); /* not in the range */
	ck_assert_uint_eq(r.flags, 0);
	ck_assert_ptr_null(dvmi_tlb_stale(tlb));
	dvmi_tlb_access(tlb, &c, 8, 61, &r);
	ck_assert_uint_eq(r.flags, flushed ? 0 : DVMI_TLB_STALE);
	if (!flushed) {
		ck_assert_uint_eq(dvmi_tlb_stale(tlb)->va, 8);
		ck_assert_uint_eq(dvmi_tlb_stale(tlb)->version, 0);
		ck_assert_uint_eq(dvmi_tlb_stale(tlb)->time_ps, 61);
	}
	/* Filled after the change: not stale. */
	ck_assert_int_eq(dvmi_tlb_apply(tlb, &page), 0);
	dvmi_tlb_access(tlb, &c, 0, 62, &r);
	ck_assert_uint_eq(r.flags, 0);
	drop();
}
END_TEST

START_TEST(a_stale_copy_in_l2_is_reported_too)
{
	struct dvmi_inval page = {.kind = DVMI_INVAL_VA, .asid = 1, .leaf_only = 1, .ttl = 3};

	make(&small, 0);
	touch(&mm1, 0);
	for (uint64_t i = 1; i < 5; i++)
		touch(&mm1, i << 12); /* out of the L1 */
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &page, 1, 0, NULL), 0);
	ck_assert_uint_eq(touch(&mm1, 0).flags, DVMI_TLB_STALE);
	drop();
}
END_TEST

START_TEST(a_batch_stops_after_a_stale_use)
{
	struct dvmi_inval page = {.kind = DVMI_INVAL_VA, .asid = 1, .leaf_only = 1, .ttl = 3};
	static const uint64_t records[10];
	struct dvmi_tlb_clock clock = {0, UINT64_MAX, 10, 0};
	enum dvmi_tlb_stop stop;

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &page, 1, 35, NULL), 0);
	ck_assert_uint_eq(dvmi_tlb_run(tlb, &mm1, records, 10, &clock, &stop), 5);
	ck_assert_int_eq(stop, DVMI_TLB_USED_STALE);
	drop();
}
END_TEST

/* A freed table page: only a watch that looks at tables sees the walk cache. */
START_TEST(a_stale_table_descriptor_is_reported_when_walked_through)
{
	struct dvmi_inval range = {
		.kind = DVMI_INVAL_VA, .asid = 1, .ttl = DVMI_TTL_NONE, .leaf_only = (uint8_t)_i};
	struct dvmi_tlb_result r;

	make(&small, 0);
	touch(&mm1, 0);
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &range, 1, 0, NULL), 0);
	dvmi_tlb_settle(tlb, 0);
	r = touch(&mm1, 4096);
	ck_assert_int_eq(r.level, DVMI_TLB_WALK);
	ck_assert_uint_eq(r.flags, _i ? 0 : DVMI_TLB_STALE);
	drop();
}
END_TEST

/* ---- size and failure ---- */

START_TEST(a_cpu_takes_at_most_64_kib)
{
	struct dvmi_tlb_geometry g = small;
	size_t entries;

	g.l1i_entries = g.l1d_entries = 48;
	g.l2_entries = 2048;
	g.l2_ways = 8;
	g.walk_cache_entries = 64;
	make(&g, 0);
	/* 20 bytes an entry (key, version, stamp), 16 more in an L1 (match). */
	entries = 20 * (2048 + 64 + 96) + 16 * 96;
	ck_assert_uint_ge(dvmi_tlb_bytes(tlb), entries);
	ck_assert_uint_le(dvmi_tlb_bytes(tlb), entries + 12 * K);
	ck_assert_uint_le(dvmi_tlb_bytes(tlb), 64 * K);
	drop();
}
END_TEST

static const struct {
	int granule, va_bits, l1_entries, l1_ways, l2_entries, l2_ways, walkers, code;
} refused[] = {
	{12, 52, 4, 0, 8, 2, 1, -DVM_ELIMIT},	 {12, 20, 4, 0, 8, 2, 1, -DVM_EINVAL},
	{13, 48, 4, 0, 8, 2, 1, -DVM_EINVAL},	 {12, 48, 0, 0, 8, 2, 1, -DVM_ELIMIT},
	{12, 48, 9999, 0, 8, 2, 1, -DVM_ELIMIT}, {12, 48, 4, 3, 8, 2, 1, -DVM_EINVAL},
	{12, 48, 4, 0, 8, 3, 1, -DVM_EINVAL},	 {12, 48, 4, 0, -1, 2, 1, -DVM_ELIMIT},
	{12, 48, 4, 0, 8, 2, 0, -DVM_EINVAL},	 {12, 48, 4, 0, 8, -2, 1, -DVM_EINVAL},
};

START_TEST(impossible_geometries_are_refused)
{
	struct dvmi_tlb_geometry g = small;
	struct dvm_error err;

	g.granule_bits = refused[_i].granule;
	g.va_bits = refused[_i].va_bits;
	g.l1d_entries = refused[_i].l1_entries;
	g.l1d_ways = refused[_i].l1_ways;
	g.l2_entries = refused[_i].l2_entries;
	g.l2_ways = refused[_i].l2_ways;
	g.walkers = refused[_i].walkers;
	ck_assert_int_eq(dvmi_tlb_new(&tlb, &g, NULL, 0, &err), refused[_i].code);
	ck_assert_int_eq(err.code, -refused[_i].code);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	const struct dvmi_inval inval = {.kind = DVMI_INVAL_VA, .asid = 1, .ttl = DVMI_TTL_NONE};
	int done = 0;

	ck_assert_int_eq(dvmi_granule_init(&granule, 12, 48, NULL), 0);
	for (unsigned long n = 1; !done && n < 100; n++) {
		struct dvmi_tlb_log *l = NULL;
		struct dvmi_tlb *t = NULL;
		struct dvmi_ptable *pt = NULL;

		dvmi_mem_fail_at(n);
		done = !dvmi_tlb_log_new(&l, &granule, NULL) &&
		       !dvmi_tlb_new(&t, &small, l, 0, NULL) &&
		       !dvmi_ptable_new(&pt, &granule, 0, NULL) &&
		       !dvmi_ptable_set(pt, 0, 1, (struct dvmi_xlate){12, 1, 0}, NULL);
		for (uint64_t i = 0; done && i < 2000; i++)
			done = !dvmi_tlb_log_post(l, &inval, i, NULL);
		dvmi_mem_fail_at(0);
		dvmi_ptable_free(pt);
		dvmi_tlb_free(t);
		dvmi_tlb_log_free(l);
	}
	ck_assert(done);
}
END_TEST

#define N(table) (int)(sizeof(table) / sizeof(*(table)))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "walks");

	tcase_add_loop_test(tc, a_cold_walk_reads_one_descriptor_per_level, 0, N(walks));
	tcase_add_loop_test(tc, the_walk_cache_saves_the_levels_it_covers, 0, N(warm));
	tcase_add_test(tc, the_walk_cache_does_not_serve_another_asid);
	tcase_add_test(tc, the_walk_cache_evicts_the_least_recently_used);
	tcase_add_loop_test(tc, independent_misses_share_the_walkers, 0, N(rounds));
	tcase_add_test(tc, a_walk_time_past_the_clock_saturates);

	tc = check_case(suite, "entries");
	tcase_add_loop_test(tc, an_entry_covers_its_unit_and_no_more, 0, N(sizes));
	tcase_add_test(tc, a_unit_that_sticks_out_of_its_range_is_mapped_smaller);
	tcase_add_test(tc, bad_ranges_are_refused);
	tcase_add_test(tc, a_non_global_entry_serves_its_asid_and_vmid_only);
	tcase_add_test(tc, a_global_entry_serves_every_asid_of_its_vmid);
	tcase_add_test(tc, fetches_and_data_have_their_own_l1_and_share_l2);
	tcase_add_test(tc, a_write_through_a_read_only_entry_faults_every_time);
	tcase_add_test(tc, a_fault_is_never_cached);
	tcase_add_test(tc, the_least_recently_used_entry_goes_first);
	tcase_add_test(tc, a_cycle_one_page_too_long_misses_always);
	tcase_add_test(tc, an_l2_set_holds_its_ways);

	tc = check_case(suite, "invalidation");
	tcase_add_loop_test(tc, an_operation_removes_what_its_form_and_hint_say, 0, N(scopes));
	tcase_add_loop_test(tc, an_operation_reaches_whom_its_form_names, 0, N(owners));
	tcase_add_loop_test(tc, a_range_removes_its_pages_and_no_more, 0, N(ranges));
	tcase_add_test(tc, one_page_of_a_contiguous_group_removes_the_group);
	tcase_add_test(tc, the_memo_does_not_survive_an_invalidation);
	tcase_add_test(tc, the_memo_does_not_survive_a_switch_of_asid);
	tcase_add_test(tc, bad_operands_are_refused);

	tc = check_case(suite, "delivery");
	tcase_add_test(tc, a_broadcast_takes_effect_at_base_plus_hop_and_not_before);
	tcase_add_test(tc, a_batch_meets_operations_in_the_middle);
	tcase_add_loop_test(tc, a_batch_ends_at_its_limit, 0, N(limits));
	tcase_add_test(tc, a_post_in_a_tlbs_past_is_refused);
	tcase_add_test(tc, the_log_forgets_what_a_later_record_repeats);

	tcase_add_test(tc, a_forgetting_log_still_removes_global_entries);

	tc = check_case(suite, "oracle");
	tcase_add_test(tc, a_weaker_later_watch_does_not_replace_a_stronger_one);
	tcase_add_loop_test(tc, a_translation_older_than_a_completed_flush_is_reported_when_used, 0,
			    2);
	tcase_add_test(tc, a_stale_copy_in_l2_is_reported_too);
	tcase_add_test(tc, a_batch_stops_after_a_stale_use);
	tcase_add_loop_test(tc, a_stale_table_descriptor_is_reported_when_walked_through, 0, 2);

	tc = check_case(suite, "limits");
	tcase_add_test(tc, a_cpu_takes_at_most_64_kib);
	tcase_add_loop_test(tc, impossible_geometries_are_refused, 0, N(refused));
	tcase_add_test(tc, every_allocation_may_fail);
}

CHECK_MAIN("hw_tlb", add_cases)
