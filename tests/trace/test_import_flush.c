/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "import_stream.h"

#include <string.h>

/* Which flush the operations and barriers of a stream are. */

/*
 * try_to_unmap_one() of another's page: the TLBI has no DSB of its own, the mm is not the task's, and
 * try_to_unmap_flush() completes it (mm/rmap.c, 6.12).
 */
START_TEST(reclaim_flushes_others_in_batches)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	for (uint64_t page = 5; page < 7; page++) {
		HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, page << 12, MM2);
		HOOK(BATCH_ADD, 1, 0, MM2);
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x12) << 48 | page, 0, VALE1IS);
	}
	HOOK(BATCH_FLUSH, 0, 0, 0);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(f[i]->op, DVM_TRACE_OP_RECLAIM);
		ck_assert_uint_eq(f[i]->va, (5 + i) << 12);
		ck_assert_uint_eq(f[i]->flags, DVM_TRACE_F_LEAF | DVM_TRACE_F_NOSYNC |
					       DVM_TRACE_F_FOREIGN);
	}
	dvm_trace_free(t);
}
END_TEST

/*
 * Before a dirty page is written, try_to_unmap_flush_dirty() completes the batch if it has a writable
 * entry; else it returns at once, and a later DSB is not its.
 */
START_TEST(a_batch_ends_before_dirty_pages_are_written)
{
	for (int writable = 0; writable < 2; writable++) {
		const struct dvm_trace_record *f[4];
		struct dvm_trace *t;
		size_t n;

		if (writable) {
			out = fopen(stream, "wb");
			now = 8000;
		}
		two_tasks();
		HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, 0x5000, MM2);
		HOOK(BATCH_ADD, 1, 0, MM2);
		put(1, UINT64_C(0x12) << 48 | 5, 0, VALE1IS);
		HOOK(BATCH_DIRTY, 0, 0, 0);
		if (writable)
			put(2, 0, 0, DSB_ISH);
		HOOK(ANON, 0, 0, 0);
		put(2, 0, 0, DSB_ISH);
		now += 1000;
		HOOK(BATCH_FLUSH, 0, 0, 0);
		t = import_all(DVM_TRACE_BATCH_FLUSH, f, 4, &n);
		ck_assert_uint_eq(n, 1);
		ck_assert(writable ? f[0]->time_ns < now - 1000 : f[0]->time_ns >= now - 100);
		dvm_trace_free(t);
	}
}
END_TEST

/*
 * tlb_finish_mmu() flushes everything when two gathers are under way on one mm, and says so with the
 * bit that an exit has (mm/mmu_gather.c, 6.12): the mm lives on.
 */
START_TEST(nested_gathers_are_no_exit)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(GATHER, 1, 4, 0x99, MM1, 0, 0, 1 | 1 << 2);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	HOOK(EXIT, 1, 0, 0);
	HOOK(EXIT_MMAP, 1, 0, MM1);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(f[0]->request, DVM_TRACE_REQ_ASID);
	ck_assert_uint_eq(f[0]->flags, DVM_TRACE_F_FREED_TABLES);
	ck_assert_uint_eq(f[1]->request, DVM_TRACE_REQ_ASID);
	ck_assert_uint_eq(f[1]->flags, DVM_TRACE_F_FULLMM);
	dvm_trace_free(t);
}
END_TEST

/*
 * An interrupt may take a task off its CPU between a TLBI and the next, or its DSB: the request is one
 * all the same, and what the other task does meanwhile is another.
 */
START_TEST(a_request_survives_a_switch)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	cpu = 0;
	switch_to(0x10, KTHREAD, 9);
	two_tasks();
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	put(2, 0, 0, DSB_ISHST);
	put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
	HOOK(SWITCH, 2, 0, PARENT, KTHREAD);
	put(5, 9, 0, CONTEXTIDR);
	put(2, 0, 0, DSB_ISH);
	HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, 0x9000, MM2);
	HOOK(BATCH_ADD, 1, 0, MM2);
	put(1, UINT64_C(0x12) << 48 | 9, 0, VALE1IS);
	HOOK(BATCH_FLUSH, 0, 0, 0);
	HOOK(SWITCH, 2, 0, KTHREAD, PARENT);
	put(5, 7, 0, CONTEXTIDR);
	put(2, 0, 0, DSB_ISH);
	put(1, UINT64_C(0x10) << 48 | 6, 0, VALE1IS);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	/* The DSB of the second switch is the task's first after its TLBI. */
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(f[0]->mm, f[2]->mm);
	ck_assert_uint_eq(f[0]->flags, DVM_TRACE_F_LEAF);
	ck_assert_uint_eq(f[0]->va, 0x5000);
	ck_assert_uint_eq(f[1]->op, DVM_TRACE_OP_RECLAIM);
	dvm_trace_free(t);
}
END_TEST

/* A DSB ISHST between two TLBIs is an interrupt's when the second goes on where the first ended. */
START_TEST(a_request_survives_an_interrupts_barrier)
{
	static const struct { uint64_t page; size_t requests; } cases[] = { { 6, 1 }, { 9, 2 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dvm_trace_record *f[4];
		struct dvm_trace *t;
		size_t n;

		if (i) {
			out = fopen(stream, "wb");
			now = 8000;
		}
		two_tasks();
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x10) << 48 | cases[i].page, 0, VALE1IS);
		put(2, 0, 0, DSB_ISH);
		t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
		ck_assert_uint_eq(n, cases[i].requests);
		ck_assert_uint_eq(f[0]->amount, n == 1 ? 2 : 1);
		dvm_trace_free(t);
	}
}
END_TEST

/* With page-table isolation each TLBI is issued for both ASIDs of the mm: one request. */
START_TEST(kpti_twins_are_one_request)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	put(2, 0, 0, DSB_ISHST);
	put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
	put(1, UINT64_C(0x11) << 48 | 5, 0, VALE1IS);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(f[0]->request, DVM_TRACE_REQ_PAGE);
	ck_assert(dvm_trace_get_env(t)->kpti);
	ck_assert(!dvm_trace_get_env(t)->tlbi_range);
	ck_assert(!dvm_trace_get_env(t)->repeat_tlbi);
	dvm_trace_free(t);
}
END_TEST

/* change_prot_numa() flushes a range for no system call; a later flush of the task is another's. */
START_TEST(numa_hints_are_a_cause)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(NUMA, 0, 0, 0);
	HOOK(GATHER, 1, 4, 0x99, MM1, 0x10000, 0x13000, 1 << 4);
	flush(RVALE1IS, UINT64_C(0x10) << 48 | UINT64_C(1) << 46 | UINT64_C(1) << 39 | 0x10);
	HOOK(USER, 0, 0, 0);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM1);
	HOOK(ANON, 0, 0, 0);
	HOOK(USER, 0, 0, 0);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM1);
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	flush(VALE1IS, UINT64_C(0x10) << 48 | 5);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(f[0]->op, DVM_TRACE_OP_NUMA_HINT);
	ck_assert_uint_eq(f[1]->op, DVM_TRACE_OP_FAULT_COW);
	dvm_trace_free(t);
	out = fopen(stream, "r+b");
	t = import_all(DVM_TRACE_OP_BEGIN, f, 4, &n);
	ck_assert_uint_eq(f[0]->op, DVM_TRACE_OP_FAULT_ANON);
	dvm_trace_free(t);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "import flush");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reclaim_flushes_others_in_batches);
	tcase_add_test(tc, a_batch_ends_before_dirty_pages_are_written);
	tcase_add_test(tc, nested_gathers_are_no_exit);
	tcase_add_test(tc, a_request_survives_a_switch);
	tcase_add_test(tc, a_request_survives_an_interrupts_barrier);
	tcase_add_test(tc, kpti_twins_are_one_request);
	tcase_add_test(tc, numa_hints_are_a_cause);
}

CHECK_MAIN("trace import flush", add_cases)
