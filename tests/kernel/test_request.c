/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/rng.h"
#include "kernel/request.h"

#include <string.h>

static struct dvmi_flush_rules rules(bool range, bool kpti)
{
	return (struct dvmi_flush_rules){ .page_shift = 12, .range = range, .ttl = true,
					  .kpti = kpti, .max_dvm_ops = 512,
					  .range_limit_pages = 2097152 };
}

static struct dvmi_request range(uint64_t start, uint64_t pages)
{
	return (struct dvmi_request){ .kind = DVMI_REQUEST_RANGE, .start = start,
				      .end = start + (pages << 12), .stride_shift = 12,
				      .level = 3 };
}

/*
 * Operations at 4 KiB pages. With FEAT_TLBIRANGE the loop takes blocks of n << (5 * scale + 1)
 * pages from scale 3 down, then one single operation for an odd page (tlbflush.h, e2768b798a19).
 */
static const struct {
	uint64_t pages;
	bool range;
	unsigned ops;
} counts[] = {
	{ 1, true, 1 },   { 2, true, 1 },    { 3, true, 2 },     { 63, true, 2 },
	{ 64, true, 1 },  { 511, true, 3 },  { 512, true, 1 },   { 2097152, true, 1 },
	{ 1, false, 1 },  { 32, false, 32 }, { 511, false, 511 },
};

START_TEST(operations_follow_the_decomposition_loop)
{
	struct dvmi_flush_rules r = rules(counts[_i].range, false);
	struct dvmi_request q = range(0x10000000, counts[_i].pages);

	dvmi_request_normalise(&q, &r);
	ck_assert_uint_eq(q.kind, DVMI_REQUEST_RANGE);
	ck_assert_uint_eq(dvmi_request_ops(&q, &r), counts[_i].ops);
	r.kpti = true;
	ck_assert_uint_eq(dvmi_request_ops(&q, &r), 2 * counts[_i].ops);
}
END_TEST

/* The last page count that is flushed by address, for each way of limiting. */
static const struct {
	bool range;
	unsigned stride_shift;
	uint64_t last_pages;
} limits[] = {
	{ false, 12, 511 },
	{ false, 21, 511 * 512 }, /* MAX_DVM_OPS counts strides */
	{ true, 12, 2097152 },
};

START_TEST(above_the_limit_the_whole_asid_goes_and_flags_are_dropped)
{
	struct dvmi_flush_rules r = rules(limits[_i].range, false);
	uint64_t stride_pages = UINT64_C(1) << (limits[_i].stride_shift - 12);
	struct dvmi_request q = range(0, limits[_i].last_pages);

	q.stride_shift = limits[_i].stride_shift;
	q.flags = DVMI_REQUEST_LEAF | DVMI_REQUEST_NOSYNC | DVMI_REQUEST_NOBROADCAST |
		  DVMI_REQUEST_FOREIGN;
	dvmi_request_normalise(&q, &r);
	ck_assert_uint_eq(q.kind, DVMI_REQUEST_RANGE);
	q.end += stride_pages << 12;
	dvmi_request_normalise(&q, &r);
	ck_assert_uint_eq(q.kind, DVMI_REQUEST_ASID);
	ck_assert_uint_eq(q.flags, DVMI_REQUEST_FOREIGN);
	ck_assert_uint_eq(dvmi_request_ops(&q, &r), 1);
}
END_TEST

START_TEST(ends_are_rounded_to_the_stride)
{
	struct dvmi_flush_rules r = rules(false, false);
	struct dvmi_request q = { .kind = DVMI_REQUEST_RANGE, .start = 0x200fff, .end = 0x201001,
				  .stride_shift = 12, .level = 3 };

	dvmi_request_normalise(&q, &r);
	ck_assert_uint_eq(q.start, 0x200000);
	ck_assert_uint_eq(q.end, 0x202000);
}
END_TEST

START_TEST(page_flush_is_one_leaf_operation)
{
	struct dvmi_flush_rules r = rules(true, true);
	struct dvmi_request q = { .kind = DVMI_REQUEST_PAGE, .start = 0x123456, .level = 3 };
	struct dvmi_expansion x;
	struct dvmi_tlbi_op op;

	dvmi_request_normalise(&q, &r);
	dvmi_expand(&x, &q, &r);
	ck_assert(dvmi_expand_next(&x, &op));
	ck_assert_uint_eq(op.form, DVMI_FORM_VA);
	ck_assert(op.leaf && !op.user_twin);
	ck_assert_uint_eq(op.start, 0x123000);
	ck_assert_uint_eq(op.level, 3);
	ck_assert(dvmi_expand_next(&x, &op));
	ck_assert(op.user_twin);
	ck_assert(!dvmi_expand_next(&x, &op));
}
END_TEST

/* 15 single operations to reach 64 KiB alignment, 4 range operations, 1 odd page. */
START_TEST(lpa2_worst_case_is_twenty_operations)
{
	struct dvmi_flush_rules r = rules(true, false);
	struct dvmi_request q = range(0x1000, 0);

	r.lpa2 = true;
	q.end = 0x10000 + ((((1u << 16) | (1u << 11) | (1u << 6) | 2u) + 1ull) << 12);
	dvmi_request_normalise(&q, &r);
	ck_assert_uint_eq(dvmi_request_ops(&q, &r), 20);
}
END_TEST

/* Before 6.9: the odd page first, then 2, 64, 2048 pages and so on (tlbflush.h of 5.10 to 6.8). */
START_TEST(old_loop_goes_up_from_an_odd_page)
{
	static const struct {
		uint64_t page, pages;
		unsigned form;
	} ops[] = {
		{ 0, 1, DVMI_FORM_VA },
		{ 1, 62, DVMI_FORM_RANGE },
		{ 63, 448, DVMI_FORM_RANGE },
	};
	struct dvmi_flush_rules r = rules(true, false);
	struct dvmi_request q = range(0, 511);
	struct dvmi_expansion x;
	struct dvmi_tlbi_op op;

	r.ascending = true;
	dvmi_expand(&x, &q, &r);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(dvmi_expand_next(&x, &op));
		ck_assert_uint_eq(op.form, ops[i].form);
		ck_assert_uint_eq(op.start >> 12, ops[i].page);
		ck_assert_uint_eq(op.pages, ops[i].pages);
	}
	ck_assert(!dvmi_expand_next(&x, &op));
}
END_TEST

/* single: hint only with FEAT_TTL; range: level 0 has no code */
static const struct {
	bool ttl, range;
	unsigned asked, hint;
} hints[] = {
	{ true, false, 3, 3 },
	{ true, false, 0, 0 },
	{ false, false, 3, DVMI_LEVEL_UNKNOWN },
	{ false, true, 2, 2 },
	{ true, true, 0, DVMI_LEVEL_UNKNOWN },
	{ true, true, DVMI_LEVEL_UNKNOWN, DVMI_LEVEL_UNKNOWN },
};

START_TEST(level_hint_is_written_as_the_form_allows)
{
	struct dvmi_flush_rules r = rules(hints[_i].range, false);
	struct dvmi_request q = range(0, 2);
	struct dvmi_expansion x;
	struct dvmi_tlbi_op op;

	r.ttl = hints[_i].ttl;
	q.level = hints[_i].asked;
	dvmi_expand(&x, &q, &r);
	ck_assert(dvmi_expand_next(&x, &op));
	ck_assert_uint_eq(op.level, hints[_i].hint);
}
END_TEST

START_TEST(operations_cover_the_range_once_and_in_order)
{
	struct dvmi_rng rng;

	dvmi_rng_init(&rng, 1, 1);
	for (int i = 0; i < 2000; i++) {
		struct dvmi_flush_rules r = rules(i & 1, false);
		struct dvmi_request q = range(dvmi_rng_below(&rng, 1 << 20) << 12,
					      1 + dvmi_rng_below(&rng, i & 1 ? 2097152 : 511));
		struct dvmi_expansion x;
		struct dvmi_tlbi_op op;
		uint64_t at = q.start, n = 0;

		r.ascending = i & 4;
		r.lpa2 = i & 2 && !r.ascending; /* LPA2 came with the new loop */
		if (r.ascending && q.end - q.start > UINT64_C(2097151) << 12)
			continue; /* 31 << 16 pages are the old loop's largest block */
		dvmi_expand(&x, &q, &r);
		while (dvmi_expand_next(&x, &op)) {
			ck_assert_uint_eq(op.start, at);
			at += op.pages << 12;
			n++;
		}
		ck_assert_uint_eq(at, q.end);
		if (i & 1)
			ck_assert_uint_le(n, 20);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "request");

	tcase_add_loop_test(tc, operations_follow_the_decomposition_loop, 0,
			    sizeof(counts) / sizeof(counts[0]));
	tcase_add_loop_test(tc, above_the_limit_the_whole_asid_goes_and_flags_are_dropped, 0,
			    sizeof(limits) / sizeof(limits[0]));
	tcase_add_test(tc, ends_are_rounded_to_the_stride);
	tcase_add_test(tc, page_flush_is_one_leaf_operation);
	tcase_add_test(tc, lpa2_worst_case_is_twenty_operations);
	tcase_add_test(tc, old_loop_goes_up_from_an_odd_page);
	tcase_add_loop_test(tc, level_hint_is_written_as_the_form_allows, 0,
			    sizeof(hints) / sizeof(hints[0]));
	tcase_add_test(tc, operations_cover_the_range_once_and_in_order);
}

CHECK_MAIN("kernel", add_cases)
