/* SPDX-License-Identifier: MIT */
/* Each rule of the TLBs alone, against the architecture's tables and closed formulas. */
#include "base/mem.h"
#include "tlb_rig.h"

#include <string.h>

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

	tc = check_case(suite, "limits");
	tcase_add_test(tc, a_cpu_takes_at_most_64_kib);
	tcase_add_loop_test(tc, impossible_geometries_are_refused, 0, N(refused));
	tcase_add_test(tc, every_allocation_may_fail);
}

CHECK_MAIN("hw_tlb", add_cases)
