/* SPDX-License-Identifier: MIT */
/* What invalidations remove and when, and the uses of what they should have removed. */
#include "base/mem.h"
#include "tlb_rig.h"

#include <string.h>

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

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "invalidation");

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
}

CHECK_MAIN("hw_tlb_inval", add_cases)
