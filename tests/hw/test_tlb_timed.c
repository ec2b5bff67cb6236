/* SPDX-License-Identifier: MIT */
/* Versions that are times, and operations of one CPU to come: what running ahead rests on. */
#include "check_main.h"

#include "hw/tlb.h"

static const struct dvmi_tlb_geometry small = {
	.granule_bits = 12, .va_bits = 48, .l1i_entries = 4, .l1d_entries = 4, .l2_entries = 16,
	.l2_ways = 4, .walk_cache_entries = 4, .walkers = 1, .l2_hit_ps = 10, .walk_step_ps = 100,
};
static const struct dvmi_tlb_context timed = { .asid = 1, .timed = true };
static const struct dvmi_inval page = { .kind = DVMI_INVAL_VA, .asid = 1, .va = 0x1000, .pages = 1,
					.leaf_only = 1, .ttl = DVMI_TTL_NONE };

static struct dvmi_tlb_result touch(struct dvmi_tlb *tlb, uint64_t now_ps)
{
	struct dvmi_tlb_result r;

	dvmi_tlb_access(tlb, &timed, 0x1000, now_ps, &r);
	return r;
}

/* The entry is filled at 100 by the CPU whose place is 1; the table is changed at @ps by @by. */
static const struct {
	uint64_t ps;
	uint32_t by;
	bool stale;
} changes[] = {
	{ 99, 0, false },  { 99, 2, false }, { 100, 0, false },
	{ 100, 1, false }, { 100, 2, true }, { 101, 0, true },
};

START_TEST(a_fill_is_older_than_a_change_that_comes_later_in_time_and_order)
{
	struct dvmi_granule granule;
	struct dvmi_tlb_log *log;
	struct dvmi_tlb *tlb;

	ck_assert_int_eq(dvmi_granule_init(&granule, 12, 48, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_new(&log, &granule, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_new(&tlb, &small, log, 0, NULL), 0);
	dvmi_tlb_set_order(tlb, 1, 1);
	touch(tlb, 100);
	ck_assert_int_eq(dvmi_tlb_log_watch_by(log, &page, changes[_i].ps, changes[_i].by, 150,
					       NULL), 0);
	ck_assert_uint_eq(touch(tlb, 149).flags, 0);
	ck_assert_uint_eq(touch(tlb, 150).flags, changes[_i].stale ? DVMI_TLB_STALE : 0);
	dvmi_tlb_free(tlb);
	dvmi_tlb_log_free(log);
}
END_TEST

/* CPUs 4 and 5 share a TLB; @thread fills at 100; the table is changed at @ps by @by. */
static const struct {
	uint8_t thread;
	uint64_t ps;
	uint32_t by;
	bool stale;
} shared[] = {
	{ 0, 100, 3, false }, { 0, 100, 4, false }, { 0, 100, 5, true }, { 0, 100, 9, true },
	{ 1, 100, 4, false }, { 1, 100, 5, false }, { 1, 100, 6, true }, { 1, 101, 0, true },
	{ 1, 99, 9, false },
};

START_TEST(of_those_that_share_a_tlb_the_lower_cpu_comes_first)
{
	struct dvmi_tlb_context context = timed;
	struct dvmi_granule granule;
	struct dvmi_tlb_log *log;
	struct dvmi_tlb_result r;
	struct dvmi_tlb *tlb;

	ck_assert_int_eq(dvmi_granule_init(&granule, 12, 48, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_log_new(&log, &granule, NULL), 0);
	ck_assert_int_eq(dvmi_tlb_new(&tlb, &small, log, 0, NULL), 0);
	dvmi_tlb_set_order(tlb, 4, 2);
	context.thread = shared[_i].thread;
	dvmi_tlb_access(tlb, &context, 0x1000, 100, &r);
	ck_assert_int_eq(dvmi_tlb_log_watch_by(log, &page, shared[_i].ps, shared[_i].by, 150, NULL),
			 0);
	context.thread = !shared[_i].thread;
	dvmi_tlb_access(tlb, &context, 0x1000, 150, &r);
	ck_assert_int_eq(r.level, DVMI_TLB_L1);
	ck_assert_uint_eq(r.flags, shared[_i].stale ? DVMI_TLB_STALE : 0);
	dvmi_tlb_free(tlb);
	dvmi_tlb_log_free(log);
}
END_TEST

START_TEST(an_operation_to_come_takes_effect_at_its_time)
{
	struct dvmi_tlb *tlb;

	ck_assert_int_eq(dvmi_tlb_new(&tlb, &small, NULL, 0, NULL), 0);
	touch(tlb, 10);
	ck_assert_int_eq(dvmi_tlb_post(tlb, &page, 60), 0);
	ck_assert_int_eq(dvmi_tlb_post(tlb, &page, 50), 0);
	ck_assert_uint_eq(dvmi_tlb_next_due(tlb), 50);
	ck_assert_int_eq(touch(tlb, 49).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(tlb, 50).level, DVMI_TLB_WALK);
	ck_assert_uint_eq(dvmi_tlb_next_due(tlb), 60);
	ck_assert_int_eq(touch(tlb, 59).level, DVMI_TLB_L1);
	ck_assert_int_eq(touch(tlb, 60).level, DVMI_TLB_WALK);
	ck_assert_uint_eq(dvmi_tlb_next_due(tlb), UINT64_MAX);
	dvmi_tlb_free(tlb);
}
END_TEST

/* In a batch too: 5 accesses of 10 ps from 0 on, the page goes at 25. */
START_TEST(a_batch_meets_an_operation_to_come)
{
	const uint64_t records[5] = { 0x1000, 0x1000, 0x1000, 0x1000, 0x1000 };
	struct dvmi_tlb_clock clock = { .now_ps = 1000, .limit_ps = UINT64_MAX, .access_ps = 10 };
	enum dvmi_tlb_stop stop;
	struct dvmi_tlb *tlb;

	ck_assert_int_eq(dvmi_tlb_new(&tlb, &small, NULL, 0, NULL), 0);
	touch(tlb, 10);
	ck_assert_int_eq(dvmi_tlb_post(tlb, &page, 1025), 0);
	ck_assert_uint_eq(dvmi_tlb_run(tlb, &timed, records, 5, &clock, &stop), 5);
	/* The fourth misses: L2, and one descriptor, as the tables above stay in the walk cache. */
	ck_assert_uint_eq(clock.now_ps, 1000 + 5 * 10 + 10 + 100);
	ck_assert_uint_eq(clock.starts_ps, 1000 + 1010 + 1020 + 1030 + 1150);
	dvmi_tlb_free(tlb);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "time");

	tcase_add_loop_test(tc, a_fill_is_older_than_a_change_that_comes_later_in_time_and_order, 0,
			    (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_loop_test(tc, of_those_that_share_a_tlb_the_lower_cpu_comes_first, 0,
			    (int)(sizeof(shared) / sizeof(shared[0])));
	tcase_add_test(tc, an_operation_to_come_takes_effect_at_its_time);
	tcase_add_test(tc, a_batch_meets_an_operation_to_come);
}

CHECK_MAIN("hw_tlb_timed", add_cases)
