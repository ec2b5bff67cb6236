/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "env.h"

/*
 * Flushes of another process's address space. Its owner runs on CPU 1, the flusher on CPU 0. A
 * strategy that keeps flushes local for an mm that ran on one CPU only has to broadcast every one of
 * them; the same operation by the owner stays local.
 */
#define PAGES 8

static const struct {
	const char *who;
	uint8_t op;
	uint32_t has, how; /* the region; the operation's details */
	unsigned pages, flushes, batches;
} rows[] = {
	{ "kswapd", DVM_TRACE_OP_RECLAIM, 0, 0, PAGES, PAGES, 1 },
	{ "kswapd, aging", DVM_TRACE_OP_YOUNG_CLEAR, 0, 0, PAGES, PAGES, 0 },
	{ "kcompactd", DVM_TRACE_OP_MIGRATE_PAGE, 0, 0, PAGES, PAGES, 1 },
	{ "khugepaged", DVM_TRACE_OP_THP_COLLAPSE, 0, 0, 512, 1, 0 },
	{ "ksmd: protect, replace", DVM_TRACE_OP_KSM, 0, 0, PAGES, 2 * PAGES, 0 },
	{ "ptrace: writes to a text page", DVM_TRACE_OP_PTRACE, DVM_TRACE_D_FILE, 0, 1, 1, 0 },
	{ "process_madvise, dropping", DVM_TRACE_OP_MADVISE, 0, 0, PAGES, 1, 0 },
	{ "process_madvise, paging out", DVM_TRACE_OP_MADVISE, 0, DVM_TRACE_D_PAGEOUT, PAGES, PAGES, 1 },
	{ "write-back", DVM_TRACE_OP_MKCLEAN, DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED, 0, PAGES, PAGES, 0 },
	{ "oom reaper", DVM_TRACE_OP_OOM_REAP, 0, 0, PAGES, 1, 0 },
	{ "clear_refs", DVM_TRACE_OP_CLEAR_REFS, 0, 0, PAGES, 1, 0 },
};

/* @strategy NULL: active-cpu-v2. */
static void flush_pages_of(struct run *r, int row, bool own, const char *strategy)
{
	uint8_t op = rows[row].op;
	uint16_t cpu = own;
	uint32_t task = own ? 1 : 2;
	struct dvm_trace_record has = ENV_HAS(1, 0, rows[row].pages, rows[row].has);
	const struct dvm_trace_record begin[] = { MM(1), TASK(1), MM(2), TASK(2) };
	const struct dvm_trace_record t[] = {
		ON(1, 1), ON(0, 2), RUN(1, 1, 1000), RUN(0, 2, 5000),
		ENV_OP(cpu, task, 1, op, 0, rows[row].pages, rows[row].how),
		ENV_END(cpu, task, 1, op), RUN(1, 1, 1000000),
	};

	if (op == DVM_TRACE_OP_PTRACE)
		has.id &= ~(uint32_t)DVM_TRACE_D_WRITE;
	run_init(r);
	run_set_kernel(r, "mglru", 0);
	if (strategy)
		run_strategy(r, strategy);
	else
		run_shipped(r, "active-cpu-v2");
	run_trace(r, 2, begin, COUNT(begin));
	ck_assert_int_eq(dvm_trace_append(r->trace, &has, 1, &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, t, COUNT(t), &r->err), 0);
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s: %s", rows[row].who, r->err.text);
}

START_TEST(a_foreign_flush_is_broadcast_and_ones_own_is_not)
{
	for (int own = 0; own < 2; own++) {
		struct run r;

		flush_pages_of(&r, _i, own, NULL);
		ck_assert_uint_eq(r.stats->flushes, rows[_i].flushes);
		ck_assert_uint_eq(r.stats->flushes_local, own ? rows[_i].flushes : 0);
		ck_assert_uint_eq(r.stats->flushes_broadcast, own ? 0 : rows[_i].flushes);
		run_fini(&r);
	}
}
END_TEST

/* The request says whose it is: here the answer alone decides. */
#define BY_WHOM \
	"strategy w\non flush:\non batch-add:\n bif req.foreign, f\n dsb nshst\n asid\n tlbi local\n" \
	" dsb nsh\n ret\nf:\n dsb ishst\n asid\n tlbi is\n bif req.nosync, out\n sync ish\nout:\n ret\n" \
	"on batch-flush:\n sync ish\n ret\n"

START_TEST(a_foreign_request_says_so)
{
	for (int own = 0; own < 2; own++) {
		struct run r;

		flush_pages_of(&r, _i, own, BY_WHOM);
		ck_assert_uint_eq(r.stats->flushes, rows[_i].flushes);
		ck_assert_uint_eq(r.stats->flushes_local, own ? rows[_i].flushes : 0);
		run_fini(&r);
	}
}
END_TEST

/* A broadcast for each flush waits for its Sync, or leaves that to the batch; aging to nobody. */
START_TEST(a_foreign_flusher_waits_once_per_flush_or_batch)
{
	bool nosync = rows[_i].batches || rows[_i].op == DVM_TRACE_OP_YOUNG_CLEAR;
	struct run r;

	flush_pages_of(&r, _i, false, NULL);
	ck_assert_uint_eq(r.stats->dvm_syncs, nosync ? rows[_i].batches : rows[_i].flushes);
	run_fini(&r);
}
END_TEST

/* khugepaged also waits for an interrupt to every other CPU, the idle ones included. */
START_TEST(only_khugepaged_interrupts_the_owner)
{
	bool interrupts = rows[_i].op == DVM_TRACE_OP_THP_COLLAPSE;
	struct run r;
	uint64_t lost;

	flush_pages_of(&r, _i, false, NULL);
	lost = r.stats->dvm_nonsyncs * run_params(&r)->dvm_bystander_op_ps +
	       r.stats->dvm_syncs * run_params(&r)->dvm_bystander_sync_ps;
	ck_assert_uint_eq(r.stats->bystander_ps,
			  lost + (interrupts ? run_params(&r)->ipi_handle_ps : 0));
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "env foreign");

	tcase_add_loop_test(tc, a_foreign_flush_is_broadcast_and_ones_own_is_not, 0, COUNT(rows));
	tcase_add_loop_test(tc, a_foreign_request_says_so, 0, COUNT(rows));
	tcase_add_loop_test(tc, a_foreign_flusher_waits_once_per_flush_or_batch, 0, COUNT(rows));
	tcase_add_loop_test(tc, only_khugepaged_interrupts_the_owner, 0, COUNT(rows));
}

CHECK_MAIN("sim env foreign", add_cases)
