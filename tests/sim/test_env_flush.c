/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "env.h"

/*
 * How many operations and barriers a flush takes, by part and kernel configuration. Expected values
 * are those of arch/arm64/include/asm/tlbflush.h; the teaching part has no range TLBI unless asked.
 */

enum what { A_PAGE, A_RANGE, THE_ASID, KERNEL_RANGE };

static void flush_once(struct run *r, enum what what, uint64_t pages_4k)
{
	struct dvm_trace_record flush = FLUSH_RANGE(0, 1, pages_4k, DVM_TRACE_OP_MPROTECT);
	const struct dvm_trace_record kernel = {
		.kind = DVM_TRACE_FLUSH, .task = 1, .op = DVM_TRACE_OP_KERNEL_MAP,
		.request = DVM_TRACE_REQ_KERNEL, .level = 4, .va = UINT64_C(0xffff800010000000),
		.amount = pages_4k, .stride_shift = 12 };
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000), flush };

	if (what == A_PAGE)
		t[4].request = DVM_TRACE_REQ_PAGE;
	else if (what == THE_ASID)
		t[4] = (struct dvm_trace_record)FLUSH_MM(0, 1);
	else if (what == KERNEL_RANGE)
		t[4] = kernel;
	run_strategy(r, BROADCAST);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s", r->err.text);
	ck_assert_uint_eq(r->stats->flushes + r->stats->flushes_kernel, 1);
}

/* ---- KPTI ---- */

/* Every user operation by VA or ASID is issued for both ASIDs; kernel ranges have one. */
static const struct {
	enum what what;
	uint64_t pages, ops, with_kpti;
} twins[] = {
	{ A_PAGE, 1, 1, 2 }, { A_RANGE, 9, 9, 18 }, { THE_ASID, 1, 1, 2 }, { A_RANGE, 512, 1, 2 },
	{ KERNEL_RANGE, 9, 9, 9 },
};

START_TEST(kpti_doubles_user_operations_and_no_barrier)
{
	for (uint64_t kpti = 0; kpti < 2; kpti++) {
		struct run r;

		run_init(&r);
		run_set_kernel(&r, "kpti", kpti);
		flush_once(&r, twins[_i].what, twins[_i].pages);
		ck_assert_uint_eq(r.stats->dvm_nonsyncs, kpti ? twins[_i].with_kpti : twins[_i].ops);
		ck_assert_uint_eq(r.stats->dvm_syncs, 1);
		run_fini(&r);
	}
}
END_TEST

/* ---- page sizes ---- */

/*
 * MAX_DVM_OPS is PTRS_PER_PTE = page / 8; a range of one page less is flushed page by page. Bytes of
 * the trace become pages of the kernel, rounded outwards.
 */
static const struct {
	uint64_t page, limit;
} granules[] = { { 4096, 512 }, { 16384, 2048 }, { 65536, 8192 } };

START_TEST(the_limit_is_a_table_of_entries_of_the_page_size)
{
	for (uint64_t less = 0; less < 2; less++) {
		uint64_t pages = granules[_i].limit - less;
		struct run r;

		run_init(&r);
		run_set_kernel(&r, "page_bytes", granules[_i].page);
		run_set_kernel(&r, "max_dvm_ops", granules[_i].page / 8);
		flush_once(&r, A_RANGE, pages * (granules[_i].page / 4096));
		ck_assert_uint_eq(r.stats->tlbi_broadcast, less ? pages : 1);
		run_fini(&r);
	}
}
END_TEST

START_TEST(shipped_configurations_have_the_limit_of_their_pages)
{
	static const char *const kernels[] = { "linux-6.6", "linux-6.6-64k", "linux-7.1",
					       "linux-7.1-16k", "linux-7.1-64k" };
	const struct dvmi_kernel_cfg *k;
	struct run r;

	run_init(&r);
	run_kernel(&r, kernels[_i]);
	k = dvmi_model_kernel(r.kernel);
	ck_assert_uint_eq(k->max_dvm_ops, k->page_bytes / 8);
	/* MAX_GATHER_BATCH_COUNT whole pages of pointers, and the bundle on the stack */
	ck_assert_uint_eq(k->gather_pages, 8 + 10000 / ((k->page_bytes - 16) / 8) *
			  ((k->page_bytes - 16) / 8));
	run_fini(&r);
}
END_TEST

START_TEST(larger_pages_take_fewer_operations_for_the_same_bytes)
{
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "page_bytes", granules[_i].page);
	flush_once(&r, A_RANGE, 256);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, 256 * UINT64_C(4096) / granules[_i].page);
	run_fini(&r);
}
END_TEST

/* ---- range TLBI ---- */

/* 511 pages: 448 + 62 + 1. Part and kernel must both have it. */
static const struct {
	uint64_t part, kernel, ascending, ops;
} ranges[] = {
	{ 0, 0, 0, 511 }, { 0, 1, 0, 511 }, { 1, 0, 0, 511 }, { 1, 1, 0, 3 }, { 1, 1, 1, 3 },
};

START_TEST(range_operations_need_part_and_kernel)
{
	struct run r;

	run_init(&r);
	run_set(&r, "feature.range_tlbi", ranges[_i].part);
	run_set_kernel(&r, "range_tlbi", ranges[_i].kernel);
	run_set_kernel(&r, "range_ascending", ranges[_i].ascending);
	flush_once(&r, A_RANGE, 511);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, ranges[_i].ops);
	run_fini(&r);
}
END_TEST

/*
 * Which operation comes first: from 6.9 on the largest block (e2768b798a19), before it the odd page.
 * With LPA2 a range operation starts at 64 KiB, so 17 pages from an aligned address are 16 + 1: the
 * loop upwards has taken the odd page first, is not aligned any more, and goes page by page to the
 * next 64 KiB.
 */
START_TEST(the_range_loop_begins_where_the_version_says)
{
	for (uint64_t up = 0; up < 2; up++) {
		struct run r;

		run_init(&r);
		run_set(&r, "feature.range_tlbi", 1);
		run_set_kernel(&r, "lpa2", 1);
		run_set_kernel(&r, "range_ascending", up);
		flush_once(&r, A_RANGE, 17);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, up ? 16 + 1 : 1 + 1);
		run_fini(&r);
	}
}
END_TEST

/* ---- limits as knobs ---- */

static const struct {
	const char *knob;
	uint64_t range, value, pages, ops;
} knobs[] = {
	{ "max_dvm_ops", 0, 33, 32, 32 }, { "max_dvm_ops", 0, 32, 32, 1 },
	{ "max_dvm_ops", 0, 1, 1, 1 },	  { "max_dvm_ops", 1, 1, 63, 2 }, /* not looked at */
	{ "range_limit_pages", 1, 62, 62, 1 }, { "range_limit_pages", 1, 63, 63, 2 },
	{ "range_limit_pages", 1, 62, 63, 1 }, { "range_limit_pages", 0, 1, 9, 9 },
};

/* Above the limit the whole ASID goes, in one operation. */
START_TEST(limits_are_knobs)
{
	struct run r;

	run_init(&r);
	run_set(&r, "feature.range_tlbi", knobs[_i].range);
	run_set_kernel(&r, knobs[_i].knob, knobs[_i].value);
	flush_once(&r, A_RANGE, knobs[_i].pages);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, knobs[_i].ops);
	run_fini(&r);
}
END_TEST

/* ---- contpte ---- */

/*
 * Entries of one block: CONT_PTES is 16, 128, 32. Folding and unfolding flush the block once, page by
 * page without range TLBIs; not with BBML2, where the kernel knows it; never without contpte.
 */
static const struct {
	uint64_t page, entries;
} blocks[] = { { 4096, 16 }, { 16384, 128 }, { 65536, 32 } };

static const struct {
	uint8_t op;
	uint64_t contpte, bbml2, knows, flushes, syncs;
} folds[] = {
	{ DVM_TRACE_OP_CONTPTE, 1, 0, 1, 1, 1 },     { DVM_TRACE_OP_CONTPTE, 1, 1, 0, 1, 1 },
	{ DVM_TRACE_OP_CONTPTE, 1, 1, 1, 0, 0 },     { DVM_TRACE_OP_CONTPTE, 0, 0, 0, 0, 0 },
	{ DVM_TRACE_OP_YOUNG_CLEAR, 1, 0, 1, 1, 0 }, { DVM_TRACE_OP_YOUNG_CLEAR, 1, 1, 1, 1, 0 },
};

static void one_block(struct run *r, size_t block, uint8_t op)
{
	uint64_t pages = blocks[block].entries * blocks[block].page / 4096;
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), ENV_HAS(1, 0, pages, DVM_TRACE_D_LARGE), ON(0, 1), RUN(0, 1, 10),
		ENV_OP(0, 1, 1, op, 0, pages, 0), ENV_END(0, 1, 1, op),
	};

	run_set_kernel(r, "page_bytes", blocks[block].page);
	run_set_kernel(r, "mglru", 0);
	run_strategy(r, ENV_KERNEL);
	run_trace(r, 1, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s", r->err.text);
}

START_TEST(contpte_blocks_are_flushed_whole)
{
	for (size_t b = 0; b < COUNT(blocks); b++) {
		struct run r;

		run_init(&r);
		run_set(&r, "feature.bbml2", folds[_i].bbml2);
		run_set_kernel(&r, "contpte", folds[_i].contpte);
		run_set_kernel(&r, "contpte_bbml2", folds[_i].knows);
		one_block(&r, b, folds[_i].op);
		ck_assert_uint_eq(r.stats->flushes, folds[_i].flushes);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, folds[_i].flushes * blocks[b].entries);
		ck_assert_uint_eq(r.stats->dvm_syncs, folds[_i].syncs);
		run_fini(&r);
	}
}
END_TEST

/* Without contpte each young page is an operation of its own: as many, in as many flushes. */
START_TEST(page_aging_without_contpte_goes_page_by_page)
{
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "contpte", 0);
	one_block(&r, (size_t)_i, DVM_TRACE_OP_YOUNG_CLEAR);
	ck_assert_uint_eq(r.stats->flushes, blocks[_i].entries);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, blocks[_i].entries);
	ck_assert_uint_eq(r.stats->dvm_syncs, 0);
	run_fini(&r);
}
END_TEST

/* MGLRU clears the access flag without a flush. */
START_TEST(page_aging_with_mglru_flushes_nothing)
{
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), ENV_HAS(1, 0, 8, 0), ON(0, 1), RUN(0, 1, 10),
		ENV_OP(0, 1, 1, DVM_TRACE_OP_YOUNG_CLEAR, 0, 8, 0),
		ENV_END(0, 1, 1, DVM_TRACE_OP_YOUNG_CLEAR),
	};
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "mglru", (uint64_t)_i);
	run_strategy(&r, ENV_KERNEL);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->flushes, _i ? 0 : 8);
	run_fini(&r);
}
END_TEST

/* ---- deferred batches ---- */

#define RECLAIM_PAGES 40

/* arch_tlbbatch: an operation per page, a barrier per batch; before 6.6 a barrier per page. */
static const struct {
	uint8_t op;
	const char *size;
	uint64_t deferred, batch, syncs;
} batches[] = {
	{ DVM_TRACE_OP_RECLAIM, "reclaim_batch", 1, 32, 2 },
	{ DVM_TRACE_OP_RECLAIM, "reclaim_batch", 1, 8, 5 },
	{ DVM_TRACE_OP_RECLAIM, "reclaim_batch", 0, 8, RECLAIM_PAGES },
	{ DVM_TRACE_OP_MIGRATE_PAGE, "migrate_batch", 1, 10, 4 },
	{ DVM_TRACE_OP_MIGRATE_PAGE, "migrate_batch", 1, 512, 1 },
	{ DVM_TRACE_OP_MIGRATE_PAGE, "migrate_batch", 0, 512, RECLAIM_PAGES },
};

START_TEST(deferred_batches_share_a_barrier)
{
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), ENV_HAS(1, 0, RECLAIM_PAGES, 0), ON(0, 1), RUN(0, 1, 10),
		ENV_OP(0, 1, 1, batches[_i].op, 0, RECLAIM_PAGES, 0),
		ENV_END(0, 1, 1, batches[_i].op),
	};
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "deferred_batch", batches[_i].deferred);
	run_set_kernel(&r, batches[_i].size, batches[_i].batch);
	run_strategy(&r, ENV_KERNEL);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, RECLAIM_PAGES);
	ck_assert_uint_eq(r.stats->dvm_syncs, batches[_i].syncs);
	run_fini(&r);
}
END_TEST

/* kswapd unmaps 32 pages of mm 1, whose own task drops another page after @wait_ns. */
static void meet_batch(struct run *r, uint64_t how, uint64_t wait_ns)
{
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), MM(2), TASK(2), ENV_HAS(1, 0, 64, 0), ON(0, 2), ON(1, 1),
		ENV_OP(0, 2, 1, DVM_TRACE_OP_RECLAIM, 0, 32, 0),
		ENV_END(0, 2, 1, DVM_TRACE_OP_RECLAIM), RUN(1, 1, wait_ns),
		ENV_OP(1, 1, 1, DVM_TRACE_OP_MADVISE, 48, 1, 0),
		ENV_END(1, 1, 1, DVM_TRACE_OP_MADVISE),
	};

	run_init(r);
	run_set(r, "dvm.idle_sync", 1); /* every DSB ISH sends a Sync: it can be counted */
	run_set_kernel(r, "batched_pending", how);
	run_strategy(r, ENV_KERNEL);
	run_trace(r, 2, t, COUNT(t));
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
}

/*
 * Who changes tables while a batch of the mm is open: flush_tlb_batched_pending() is a flush of the
 * ASID (an operation, its DSB ISH), in the first arm64 version the DSB ISH alone.
 */
START_TEST(who_meets_an_open_batch_flushes_or_waits)
{
	struct run open, over;

	meet_batch(&open, (uint64_t)_i, 4000);
	meet_batch(&over, (uint64_t)_i, 1000000);
	ck_assert_uint_eq(over.stats->tlbi_broadcast, 32 + 1);
	ck_assert_uint_eq(open.stats->tlbi_broadcast, 32 + 1 + (_i == DVMI_PENDING_MM));
	ck_assert_uint_eq(open.stats->dvm_syncs, over.stats->dvm_syncs + 1);
	run_fini(&open);
	run_fini(&over);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "env flush");

	tcase_add_loop_test(tc, kpti_doubles_user_operations_and_no_barrier, 0, COUNT(twins));
	tcase_add_loop_test(tc, the_limit_is_a_table_of_entries_of_the_page_size, 0, COUNT(granules));
	tcase_add_loop_test(tc, shipped_configurations_have_the_limit_of_their_pages, 0, 5);
	tcase_add_loop_test(tc, larger_pages_take_fewer_operations_for_the_same_bytes, 0,
			    COUNT(granules));
	tcase_add_loop_test(tc, range_operations_need_part_and_kernel, 0, COUNT(ranges));
	tcase_add_test(tc, the_range_loop_begins_where_the_version_says);
	tcase_add_loop_test(tc, limits_are_knobs, 0, COUNT(knobs));
	tcase_add_loop_test(tc, contpte_blocks_are_flushed_whole, 0, COUNT(folds));
	tcase_add_loop_test(tc, page_aging_without_contpte_goes_page_by_page, 0, COUNT(blocks));
	tcase_add_loop_test(tc, page_aging_with_mglru_flushes_nothing, 0, 2);
	tcase_add_loop_test(tc, deferred_batches_share_a_barrier, 0, COUNT(batches));
	tcase_add_loop_test(tc, who_meets_an_open_batch_flushes_or_waits, 0, 2);
}

CHECK_MAIN("sim env flush", add_cases)
