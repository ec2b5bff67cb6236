/* SPDX-License-Identifier: MIT */
/* Nested walks, combined entries and stage-2 maintenance, against the architecture's formulas. */
#include "check_main.h"
#include "hw/tlb.h"
#include "hw/walk.h"

#define G1 (UINT64_C(1) << 30)

static const struct dvmi_tlb_geometry plain = {
	.granule_bits = 12, .va_bits = 48, .l1i_entries = 4, .l1d_entries = 4, .l2_entries = 1024,
	.walkers = 1, .walk_step_ps = 1000, .stage2_granule_bits = 12,
};

static struct dvmi_tlb *tlb;
static struct dvmi_tlb_log *tlb_log;
static struct dvmi_ptable *table;
static struct dvmi_granule granule;
static struct dvmi_stage2 stage2;
static struct dvmi_tlb_context vm1, vm2;

static void make(const struct dvmi_tlb_geometry *g, int ipa_bits, unsigned block_shift)
{
	struct dvmi_stage2_shape shape = { .granule_bits = g->stage2_granule_bits,
					   .ipa_bits = ipa_bits, .block_shift = block_shift,
					   .run_shift = 12, .memory_bytes = G1 };

	ck_assert_int_eq(dvmi_granule_init(&granule, g->granule_bits, g->va_bits, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_new(&tlb_log, &granule, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_new(&tlb, g, tlb_log, 0, NULL), 0);
	ck_assert_int_eq(dvmi_ptable_new(&table, &granule, 0, NULL), 0);
	ck_assert_int_eq(dvmi_stage2_init(&stage2, &shape, NULL), 0);
	vm1 = (struct dvmi_tlb_context){ .asid = 1, .vmid = 1, .lower = table, .stage2 = &stage2,
					 .space = 7 };
	vm2 = vm1;
	vm2.vmid = 2;
}

static void drop(void)
{
	dvmi_tlb_free(tlb);
	dvmi_tlb_log_free(tlb_log);
	dvmi_ptable_free(table);
}

static unsigned fetches(const struct dvmi_tlb_context *c, uint64_t va)
{
	struct dvmi_tlb_result r;

	dvmi_tlb_access(tlb, c, va, 0, &r);
	ck_assert_uint_eq(r.cost_ps - (r.level == DVMI_TLB_L1 ? 0 : plain.l2_hit_ps),
			  r.fetches * plain.walk_step_ps);
	return r.fetches;
}

static void apply(enum dvmi_inval_kind kind, uint64_t va, uint64_t pages, int ttl)
{
	struct dvmi_inval inval = { .kind = kind, .vmid = 1, .asid = 1, .va = va, .pages = pages,
				    .ttl = (int8_t)ttl };

	ck_assert_int_eq(dvmi_tlb_apply(tlb, &inval), 0);
}

static void map(uint64_t pages, unsigned size_bits)
{
	struct dvmi_xlate x = { (uint8_t)size_bits, 1, 0 };

	ck_assert_int_eq(dvmi_ptable_set(table, 0, pages, x, NULL), 0);
}

static size_t count(enum dvmi_tlb_part part)
{
	return dvmi_tlb_dump(tlb, part, NULL, 0);
}

static uint64_t ipa_of(uint64_t va)
{
	return dvmi_stage2_page(&stage2, vm1.space, 0, va, 12);
}

/*
 * n1: levels of stage 1 to the leaf, 48 bits: 4 for 4 KiB, 3 for 2 MiB, 2 for 1 GiB; 64K granule: 3.
 * n2: of stage 2, whose start level is 4 - (ipa_bits - 8) / (granule_bits - 3): joined tables save one.
 */
static const struct {
	int g1, g2, ipa_bits;
	unsigned leaf, block, n1, n2;
} walks[] = {
	{ 12, 12, 48, 12, 12, 4, 4 }, { 12, 12, 40, 12, 12, 4, 3 }, { 12, 12, 40, 12, 21, 4, 2 },
	{ 12, 12, 40, 12, 30, 4, 1 }, { 12, 12, 40, 21, 21, 3, 2 }, { 12, 12, 40, 30, 12, 2, 3 },
	{ 14, 14, 40, 14, 14, 4, 2 }, { 16, 16, 40, 16, 16, 3, 2 }, { 12, 16, 40, 12, 29, 4, 1 },
	{ 16, 12, 48, 16, 21, 3, 3 }, { 12, 12, 36, 12, 12, 4, 3 }, { 12, 12, 34, 12, 12, 4, 2 },
};

START_TEST(with_nothing_cached_a_walk_reads_the_product_of_both_stages)
{
	struct dvmi_tlb_geometry g = plain;
	unsigned n1 = walks[_i].n1, n2 = walks[_i].n2;

	g.granule_bits = walks[_i].g1;
	g.stage2_granule_bits = walks[_i].g2;
	make(&g, walks[_i].ipa_bits, walks[_i].block);
	map(UINT64_C(1) << (31 - walks[_i].g1), walks[_i].leaf);
	ck_assert_uint_eq(stage2.reads, n2);
	ck_assert_uint_eq(fetches(&vm1, 0x1234), (n1 + 1) * (n2 + 1) - 1);
	ck_assert_uint_eq(dvmi_walk_nested(n1, n2), (n1 + 1) * (n2 + 1) - 1);
	drop();
}
END_TEST

START_TEST(without_stage_2_a_walk_reads_stage_1_alone)
{
	make(&plain, 40, 12);
	vm1.stage2 = NULL;
	ck_assert_uint_eq(fetches(&vm1, 0), 4);
	drop();
}
END_TEST

/* 4K, level 3 leaf: what a walk-cache entry of the level above leaves is one table at a known place. */
START_TEST(a_walk_cache_entry_knows_where_the_next_table_is)
{
	struct dvmi_tlb_geometry g = plain;

	g.walk_cache_entries = 16;
	make(&g, 40, 12);
	ck_assert_uint_eq(fetches(&vm1, 0), 5 * 4 - 1);
	ck_assert_uint_eq(fetches(&vm1, 4096), 1 + 3);		      /* level 2 cached */
	ck_assert_uint_eq(fetches(&vm1, 1ull << 21), 1 + (3 + 1) + 3); /* level 1 cached */
	ck_assert_uint_eq(fetches(&vm1, 1ull << 30), 1 + 2 * (3 + 1) + 3);
	drop();
}
END_TEST

/* One 1-GiB leaf holds the whole guest: after its first use every stage-2 translation hits. */
START_TEST(the_stage_2_cache_saves_the_stage_2_part)
{
	struct dvmi_tlb_geometry g = plain;

	g.stage2_entries = 1;
	make(&g, 40, 30);
	ck_assert_uint_eq(fetches(&vm1, 0), 4 + 1);
	ck_assert_uint_eq(fetches(&vm1, 1ull << 40), 4);
	ck_assert_uint_eq(dvmi_tlb_stats(tlb)->stage2_walks, 1);
	ck_assert_uint_eq(dvmi_tlb_stats(tlb)->stage2_hits, 4 + 5);
	ck_assert_uint_eq(fetches(&vm2, 0), 4 + 1); /* another machine's are other ones */
	ck_assert_uint_eq(fetches(&vm1, 1ull << 41), 4 + 1); /* and pushed the first one out */
	drop();
}
END_TEST

/* Who removes what: combined entries, the stage-2 cache, the other machine's. */
static const struct {
	enum dvmi_inval_kind kind;
	int combined, stage2, other;
} scopes[] = {
	{ DVMI_INVAL_VA, 1, 0, 0 },	{ DVMI_INVAL_VAA, 1, 0, 0 }, { DVMI_INVAL_ASID, 1, 0, 0 },
	{ DVMI_INVAL_VMALL, 1, 0, 0 },	{ DVMI_INVAL_IPA, 0, 1, 0 },
	{ DVMI_INVAL_VMALLS12, 1, 1, 0 }, { DVMI_INVAL_ALL, 1, 1, 1 },
};

START_TEST(an_operation_reaches_its_stage_and_its_machine_only)
{
	struct dvmi_tlb_geometry g = plain;
	unsigned left;

	g.stage2_entries = 64;
	make(&g, 40, 30);
	fetches(&vm1, 0);
	fetches(&vm2, 0);
	apply(scopes[_i].kind, scopes[_i].kind == DVMI_INVAL_IPA ? ipa_of(0) : 0, 1, DVMI_TTL_NONE);
	ck_assert_uint_eq(count(DVMI_PART_L2), 2u - (unsigned)scopes[_i].combined -
						       (unsigned)scopes[_i].other);
	ck_assert_uint_eq(count(DVMI_PART_STAGE2), 2u - (unsigned)scopes[_i].stage2 -
							   (unsigned)scopes[_i].other);
	left = scopes[_i].combined ? 4 + (scopes[_i].stage2 ? 1 : 0) : 0;
	ck_assert_uint_eq(fetches(&vm1, 0), left);
	ck_assert_uint_eq(fetches(&vm2, 0), scopes[_i].other ? 5 : 0);
	drop();
}
END_TEST

START_TEST(an_ipa_range_removes_the_leaves_it_touches)
{
	struct dvmi_tlb_geometry g = plain;
	uint64_t ipa;

	g.stage2_entries = 64;
	make(&g, 40, 16);
	fetches(&vm1, 0);
	ipa = ipa_of(0) >> 16 << 16;
	ck_assert_uint_eq(count(DVMI_PART_STAGE2), 5); /* 4 tables, 1 page: five places */
	apply(DVMI_INVAL_IPA, ipa + (1u << 16), 1, DVMI_TTL_NONE);
	ck_assert_uint_eq(count(DVMI_PART_STAGE2), 5);
	apply(DVMI_INVAL_IPA, ipa + (1u << 16) - 4096, 1, DVMI_TTL_NONE);
	ck_assert_uint_eq(count(DVMI_PART_STAGE2), 4);
	apply(DVMI_INVAL_IPA, 0, G1 >> 12, DVMI_TTL_NONE);
	ck_assert_uint_eq(count(DVMI_PART_STAGE2), 0);
	drop();
}
END_TEST

/* The hypervisor's sequence: only both steps take the guest's translation away. */
START_TEST(a_stage_2_unmap_needs_a_stage_1_operation_too)
{
	struct dvmi_tlb_geometry g = plain;

	g.stage2_entries = 64;
	make(&g, 40, 30);
	fetches(&vm1, 0);
	apply(DVMI_INVAL_IPA, ipa_of(0), 1, DVMI_TTL_NONE);
	ck_assert_uint_eq(fetches(&vm1, 0), 0);
	apply(DVMI_INVAL_VMALL, 0, 0, DVMI_TTL_NONE);
	ck_assert_uint_eq(fetches(&vm1, 0), 4 + 1);
	drop();
}
END_TEST

/* The smaller leaf decides what an entry covers. */
static const struct {
	unsigned leaf, block, entry;
} sizes[] = {
	{ 12, 12, 12 }, { 12, 21, 12 }, { 21, 12, 12 }, { 21, 21, 21 }, { 21, 30, 21 },
	{ 30, 21, 21 }, { 16, 12, 12 }, { 16, 16, 16 }, { 25, 21, 21 }, { 30, 25, 25 },
};

START_TEST(an_entry_covers_the_smaller_of_both_leaves)
{
	struct dvmi_tlb_entry e;

	make(&plain, 40, sizes[_i].block);
	map(G1 >> 12, sizes[_i].leaf);
	fetches(&vm1, 0x123456);
	ck_assert_uint_eq(dvmi_tlb_dump(tlb, DVMI_PART_L2, &e, 1), 1);
	ck_assert_uint_eq(e.shift, sizes[_i].entry);
	ck_assert_uint_eq(e.stage1_shift, sizes[_i].leaf);
	ck_assert_uint_eq(e.va, 0x123456ull >> e.shift << e.shift);
	drop();
}
END_TEST

/* A 2-MiB page over 4-KiB leaves: 512 entries, gone with one operation on any address of it. */
static const struct {
	uint64_t va;
	int ttl, gone;
} splinters[] = {
	{ 0, DVMI_TTL_NONE, 1 }, { 0x1ff000, DVMI_TTL_NONE, 1 }, { 0, 2, 1 },
	{ 0, 3, 0 },		 { 0x200000, DVMI_TTL_NONE, 0 },
};

START_TEST(one_operation_removes_all_splinters_of_a_large_page)
{
	make(&plain, 40, 12);
	map(G1 >> 12, 21);
	for (uint64_t va = 0; va < 1u << 21; va += 4096)
		ck_assert_uint_eq(fetches(&vm1, va), (3 + 1) * (3 + 1) - 1);
	ck_assert_uint_eq(count(DVMI_PART_L2), 512);
	apply(DVMI_INVAL_VA, splinters[_i].va, 1, splinters[_i].ttl);
	ck_assert_uint_eq(count(DVMI_PART_L2), splinters[_i].gone ? 0 : 512);
	drop();
}
END_TEST

START_TEST(a_broadcast_removes_splinters_too)
{
	struct dvmi_inval inval = { .kind = DVMI_INVAL_VA, .vmid = 1, .asid = 1, .va = 0x5000,
				    .ttl = DVMI_TTL_NONE };

	make(&plain, 40, 12);
	map(G1 >> 12, 21);
	fetches(&vm1, 0x1000);
	ck_assert_int_eq(dvmi_tlb_log_post(tlb_log, &inval, 5, NULL), 0);
	dvmi_tlb_settle(tlb, 5);
	ck_assert_uint_eq(dvmi_tlb_entries(tlb), 0);
	drop();
}
END_TEST

START_TEST(a_stage_2_translation_older_than_its_flush_is_reported)
{
	struct dvmi_tlb_geometry g = plain;
	struct dvmi_inval range = { .kind = DVMI_INVAL_IPA, .vmid = 1, .ttl = DVMI_TTL_NONE,
				    .pages = G1 >> 12 };
	struct dvmi_tlb_result r;

	g.stage2_entries = 64;
	make(&g, 40, 30);
	dvmi_tlb_access(tlb, &vm1, 0, 1, &r);
	stage2.version = 3;
	ck_assert_int_eq(dvmi_tlb_log_watch(tlb_log, &range, 3, 10, NULL), 0);
	dvmi_tlb_access(tlb, &vm1, 1u << 30, 9, &r);
	ck_assert_uint_eq(r.flags, 0);
	dvmi_tlb_access(tlb, &vm1, 2u << 30, 10, &r);
	ck_assert_uint_eq(r.flags, DVMI_TLB_STALE);
	ck_assert(dvmi_tlb_stale(tlb)->stage2);
	ck_assert_uint_eq(dvmi_tlb_stale(tlb)->time_ps, 10);
	drop();
}
END_TEST

/* Where things lie: in the memory, runs in one piece, leaves aligned; tables in the first 64th. */
START_TEST(guest_memory_is_laid_out_by_runs)
{
	struct dvmi_stage2_shape shape = { .granule_bits = 12, .ipa_bits = 40, .block_shift = 12,
					   .run_shift = 16, .memory_bytes = G1 };
	unsigned far = 0;

	ck_assert_int_eq(dvmi_stage2_init(&stage2, &shape, NULL), 0);
	ck_assert_int_eq(dvmi_granule_init(&granule, 12, 48, NULL), 0);
	for (uint64_t va = 0; va < 64u << 16; va += 4096) {
		uint64_t ipa = dvmi_stage2_page(&stage2, 3, 0, va, 12);
		uint64_t next = dvmi_stage2_page(&stage2, 3, 0, va + 4096, 12);

		ck_assert_uint_lt(ipa, G1);
		if ((va + 4096) % 65536)
			ck_assert_uint_eq(next, ipa + 4096);
		else
			far += next != ipa + 4096;
		ck_assert_uint_eq(dvmi_stage2_page(&stage2, 3, 0, va, 21) % (1u << 21), va % (1u << 21));
		ck_assert_uint_lt(dvmi_stage2_table(&stage2, &granule, 3, 0, va, 3), G1 / 64);
	}
	ck_assert_uint_ge(far, 60); /* of 64 runs, hardly any follows its neighbour */
	/* One table serves 2 MiB. */
	ck_assert_uint_eq(dvmi_stage2_table(&stage2, &granule, 3, 0, 0, 3),
			  dvmi_stage2_table(&stage2, &granule, 3, 0, 0x1ff000, 3));
	ck_assert_uint_ne(dvmi_stage2_table(&stage2, &granule, 3, 0, 0, 3),
			  dvmi_stage2_table(&stage2, &granule, 3, 0, 0x200000, 3));
}
END_TEST

static const struct dvmi_stage2_shape refused[] = {
	{ 13, 40, 12, 12, G1 }, { 12, 31, 12, 12, G1 }, { 12, 49, 12, 12, G1 }, { 12, 40, 13, 12, G1 },
	{ 12, 40, 12, 11, G1 }, { 12, 40, 12, 12, 1 },	{ 12, 32, 12, 12, G1 * 8 },
	{ 14, 40, 12, 12, G1 }, { 12, 34, 30, 12, G1 },
};

START_TEST(a_stage_2_that_can_not_be_is_refused)
{
	struct dvm_error err;

	ck_assert_int_eq(dvmi_stage2_init(&stage2, &refused[_i], &err), -DVM_EINVAL);
}
END_TEST

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "stage 2");

	tcase_add_loop_test(tc, with_nothing_cached_a_walk_reads_the_product_of_both_stages, 0,
			    ROWS(walks));
	tcase_add_test(tc, without_stage_2_a_walk_reads_stage_1_alone);
	tcase_add_test(tc, a_walk_cache_entry_knows_where_the_next_table_is);
	tcase_add_test(tc, the_stage_2_cache_saves_the_stage_2_part);
	tcase_add_loop_test(tc, an_operation_reaches_its_stage_and_its_machine_only, 0, ROWS(scopes));
	tcase_add_test(tc, an_ipa_range_removes_the_leaves_it_touches);
	tcase_add_test(tc, a_stage_2_unmap_needs_a_stage_1_operation_too);
	tcase_add_loop_test(tc, an_entry_covers_the_smaller_of_both_leaves, 0, ROWS(sizes));
	tcase_add_loop_test(tc, one_operation_removes_all_splinters_of_a_large_page, 0,
			    ROWS(splinters));
	tcase_add_test(tc, a_broadcast_removes_splinters_too);
	tcase_add_test(tc, a_stage_2_translation_older_than_its_flush_is_reported);
	tcase_add_test(tc, guest_memory_is_laid_out_by_runs);
	tcase_add_loop_test(tc, a_stage_2_that_can_not_be_is_refused, 0, ROWS(refused));
}

CHECK_MAIN("hw_stage2", add_cases)
