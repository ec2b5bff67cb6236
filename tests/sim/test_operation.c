/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <dvmsim/workload.h>

#include <stdio.h>
#include <string.h>

/* Operations whose flushes the simulated kernel makes, on the timing machine. */

#define VA UINT64_C(0x40000000)
#define OP(c, n, what, first, pages, more) \
	{ .kind = DVM_TRACE_OP_BEGIN, .cpu = (c), .task = (n), .mm = (n), .op = (what), \
	  .va = VA + (first) * 4096, .amount = (pages) * 4096, .id = (more), \
	  .flags = DVM_TRACE_F_SIMULATED | DVM_TRACE_F_MODELLED }
#define END(c, n, what) \
	{ .kind = DVM_TRACE_OP_END, .cpu = (c), .task = (n), .mm = (n), .op = (what) }
#define HAS(n, first, pages, more) \
	{ .kind = DVM_TRACE_OP_BEGIN, .mm = (n), .op = DVM_TRACE_OP_MMAP, .va = VA + (first) * 4096, \
	  .amount = (pages) * 4096, .id = DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE | (more), \
	  .flags = DVM_TRACE_F_SIMULATED | DVM_TRACE_F_INITIAL }

/* Local for own flushes, broadcast for foreign ones and batches: the counts tell them apart. */
#define BY_WHOM "strategy w\non flush:\n bif req.foreign, f\n dsb nshst\n asid\n tlbi local\n dsb nsh\n" \
	" ret\nf:\n dsb ishst\n asid\n tlbi is\n bif req.nosync, out\n sync ish\nout:\n ret\n"
/* Honours the request for a fix-up of this CPU only. */
#define FIXUP "strategy x\non flush:\n bif req.nobroadcast, l\n dsb ishst\n asid\n tlbi is\n sync ish\n" \
	" ret\nl:\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\n"

static void run_generated(struct run *r, const char *strategy, const char *spec, bool simulated)
{
	run_strategy(r, strategy);
	run_workload(r, spec);
	r->options.schedule = simulated ? DVM_SIM_SIMULATED : DVM_SIM_RECORDED;
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s: %s", spec, r->err.text);
}

/*
 * Per fork: the parent's ASID, a COW per page the child writes, the child's exit, a reuse per page the
 * parent writes then (nobody shares it any more), local since 6.19 only.
 */
START_TEST(fork_flushes_by_who_shares_a_page)
{
	struct run r;

	for (unsigned local = 0; local < 2; local++) {
		run_init(&r);
		run_set_kernel(&r, "spurious_local", local);
		run_generated(&r, FIXUP, "fork:forks=10,pages=64,child_cow=6,parent_cow=4", _i);
		ck_assert_uint_eq(r.stats->flushes, 10 * (1 + 6 + 1 + 4));
		ck_assert_uint_eq(r.stats->flushes_local, local ? 10 * 4 : 0);
		run_fini(&r);
	}
}
END_TEST

/* The child does not write: the parent's pages are still shared, if it is still there. */
START_TEST(whether_a_write_copies_is_decided_when_it_happens)
{
	static const unsigned cow[] = { 0, 1 };

	for (size_t i = 0; i < COUNT(cow); i++) {
		const struct dvm_trace_record records[] = {
			MM(1), TASK(1), HAS(1, 0, 4, 0), ON(0, 1),
			OP(0, 1, DVM_TRACE_OP_FORK, 0, 0, 0),
			{ .kind = DVM_TRACE_MM_NEW, .mm = 2, .id = 1 },
			{ .kind = DVM_TRACE_OP_END, .task = 1, .mm = 1, .op = DVM_TRACE_OP_FORK,
			  .flags = DVM_TRACE_F_SIMULATED },
			cow[i] ? (struct dvm_trace_record)RUN(0, 1, 10) :
				 (struct dvm_trace_record){ .kind = DVM_TRACE_MM_EXIT, .mm = 2 },
			OP(0, 1, DVM_TRACE_OP_FAULT, 0, 1, DVM_TRACE_D_WRITE),
			END(0, 1, DVM_TRACE_OP_FAULT),
		};
		struct run r;

		run_init(&r);
		run_strategy(&r, FIXUP);
		run_trace(&r, 1, records, COUNT(records));
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		ck_assert_uint_eq(r.stats->flushes, 2);
		ck_assert_uint_eq(r.stats->flushes_local, cow[i] ? 0 : 1);
		run_fini(&r);
	}
}
END_TEST

START_TEST(others_flushes_are_foreign_and_ones_own_are_not)
{
	static const struct {
		const char *spec;
		bool foreign;
	} rows[] = {
		{ "reclaim:victims=1,pages=64,rounds=2,batch=16,units=3,touch=0", true },
		{ "compaction:victims=1,pages=64,rounds=2,batch=16,units=3,touch=0", true },
		{ "ksm:victims=1,pages=64,rounds=1,batch=8,units=3,touch=0", true },
		{ "writeback:victims=1,pages=64,rounds=1,batch=8,units=3,touch=0", true },
		{ "process-madvise:victims=1,pages=64,rounds=1,batch=8,units=3,touch=0,pageout=0", true },
		{ "process-madvise:victims=1,pages=64,rounds=1,batch=8,units=3,touch=0", true },
		{ "oom-reap:victims=1,pages=64,rounds=1,batch=64,units=3,touch=0", true },
		{ "madvise:threads=1,pages=64,loops=3,change=8", false },
		{ "numa-balance:threads=1,pages=64,loops=3,change=8", false },
		{ "mremap:threads=1,pages=64,loops=3", false },
	};
	struct run r;

	run_init(&r);
	run_generated(&r, BY_WHOM, rows[_i / 2].spec, _i % 2);
	ck_assert_uint_gt(r.stats->flushes, 0);
	ck_assert_uint_eq(r.stats->flushes_local, rows[_i / 2].foreign ? 0 : r.stats->flushes);
	run_fini(&r);
}
END_TEST

/* 64 pages: without barriers of their own; 32 clean ones share a Sync, dirty ones and older kernels not. */
static const struct {
	const char *param;
	uint64_t value;
	unsigned dirty, syncs;
} reclaims[] = {
	{ "reclaim_batch", 32, 0, 2 }, { "reclaim_batch", 16, 0, 4 }, { "reclaim_batch", 32, 1, 64 },
	{ "deferred_batch", 0, 0, 64 },
};

START_TEST(reclaim_batches_its_barriers)
{
	char spec[128];
	struct run r;

	snprintf(spec, sizeof(spec),
		 "reclaim:victims=1,pages=64,rounds=1,batch=64,units=1,touch=0,dirty=%u",
		 reclaims[_i].dirty);
	run_init(&r);
	run_set_kernel(&r, "mglru", 1);
	run_set_kernel(&r, reclaims[_i].param, reclaims[_i].value);
	run_generated(&r, BY_WHOM, spec, false);
	ck_assert_uint_eq(r.stats->flushes, 64);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, 64);
	ck_assert_uint_eq(r.stats->dvm_syncs, reclaims[_i].syncs);
	run_fini(&r);
}
END_TEST

/* Limits are knobs: with max_dvm_ops = n a range of n pages is one operation on the ASID. */
START_TEST(a_range_of_max_dvm_ops_pages_flushes_the_asid)
{
	struct run r;

	for (unsigned pages = 63; pages <= 64; pages++) {
		const struct dvm_trace_record records[] = {
			MM(1), TASK(1), HAS(1, 0, 64, 0), HAS(1, 64, 1, DVM_TRACE_D_LARGE), ON(0, 1),
			OP(0, 1, DVM_TRACE_OP_MADVISE, 0, pages, 0), END(0, 1, DVM_TRACE_OP_MADVISE),
		};

		run_init(&r);
		run_set_kernel(&r, "max_dvm_ops", 64);
		run_strategy(&r, BROADCAST);
		run_trace(&r, 1, records, COUNT(records));
		run_go(&r, 1, 1);
		ck_assert_uint_eq(r.stats->tlbi_broadcast, pages < 64 ? pages : 1);
		run_fini(&r);
	}
}
END_TEST

/* An operation costs its own part, its pages and its flushes: here madvise of n pages. */
START_TEST(an_operation_costs_its_pages)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1), HAS(1, 0, 64, 0), ON(0, 1), OP(0, 1, DVM_TRACE_OP_MADVISE, 0, 24, 0),
		END(0, 1, DVM_TRACE_OP_MADVISE),
	};
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 1, records, COUNT(records));
	run_go(&r, 1, 1);
	hw = run_params(&r);
	ck_assert_uint_eq(r.stats->run_ps, hw->kernel_syscall_ps + hw->kernel_munmap_ps +
			  24 * hw->kernel_zap_page_ps);
	run_fini(&r);
}
END_TEST

/* khugepaged waits for an interrupt to every other CPU. */
START_TEST(collapse_interrupts_every_cpu)
{
	const struct dvm_trace_record records[] = {
		MM(1), TASK(1), HAS(1, 0, 512, 0), ON(0, 1),
		{ .kind = DVM_TRACE_MM_NEW, .cpu = 1, .mm = 2, .flags = DVM_TRACE_F_INITIAL },
		{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 2, .mm = 2, .flags = DVM_TRACE_F_INITIAL },
		ON(1, 2), RUN(1, 2, 10000000), OP(0, 1, DVM_TRACE_OP_THP_COLLAPSE, 0, 512, 0),
		END(0, 1, DVM_TRACE_OP_THP_COLLAPSE),
	};
	struct run r;

	run_init(&r);
	run_set(&r, "dvm.bystander_op_ps", 0);
	run_set(&r, "dvm.bystander_sync_ps", 0);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, records, COUNT(records));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->flushes, 1);
	ck_assert_uint_eq(r.stats->tlbi_broadcast, 1); /* 512 pages, no hint: the ASID */
	ck_assert_uint_eq(r.stats->bystander_ps, run_params(&r)->ipi_handle_ps);
	run_fini(&r);
}
END_TEST

/* Every generator's trace holds together and runs under both schedules, and nothing stale is used. */
static const char *const small[] = {
	"compaction:victims=2,pages=64,rounds=3,batch=16,units=5",
	"exec-storm:cpus=2,processes=3,pages=16,parent_pages=32",
	"fork:forks=5",
	"gc:threads=3,pages=64,loops=10,change=16",
	"khugepaged:victims=2,pages=512,rounds=2,units=5",
	"ksm:victims=2,pages=64,rounds=3,batch=16,units=5",
	"madvise:threads=2,pages=64,loops=10,change=16,free=1",
	"mmap:loops=5,move_every=2",
	"mprotect:loops=10,pages=600,bystander_units=5",
	"mremap:threads=2,pages=600,loops=4",
	"numa-balance:threads=2,pages=64,loops=5,change=32",
	"oom-reap:victims=2,pages=64,rounds=2,batch=32,units=5",
	"process-madvise:victims=2,pages=64,rounds=2,batch=16,units=5",
	"ptrace:victims=2,pages=64,rounds=4,units=5",
	"reclaim:victims=2,pages=64,rounds=2,batch=16,units=5",
	"redis:batches=30,pages=64,snapshot_every=10,snapshot_ns=100000",
	"sva:processes=2,pages=64,loops=5,change=16",
	"thp-split:threads=2,pages=1024,loops=5",
	"tlb-shootdown:cpus=3,loops=2,pages=64",
	"writeback:victims=2,pages=64,rounds=3,batch=16,units=5",
};

START_TEST(every_generator_runs_under_both_schedules)
{
	static const char *const strategies[] = { "always-broadcast", "active-cpu-v2" };
	struct run r;

	for (unsigned n = 0; n < 4; n++) {
		run_init(&r);
		run_shipped(&r, strategies[n / 2]);
		run_workload(&r, small[_i]);
		ck_assert_int_eq(dvm_trace_validate(r.trace, &r.err), 0);
		r.options.schedule = n % 2 ? DVM_SIM_SIMULATED : DVM_SIM_RECORDED;
		run_go(&r, 1, 1);
		ck_assert_msg(!r.ret, "%s, %s: %s", small[_i], strategies[n / 2], r.err.text);
		ck_assert_uint_gt(r.stats->flushes, 0);
		run_fini(&r);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "operation");

	tcase_add_loop_test(tc, fork_flushes_by_who_shares_a_page, 0, 2);
	tcase_add_test(tc, whether_a_write_copies_is_decided_when_it_happens);
	tcase_add_loop_test(tc, others_flushes_are_foreign_and_ones_own_are_not, 0, 20);
	tcase_add_loop_test(tc, reclaim_batches_its_barriers, 0, COUNT(reclaims));
	tcase_add_test(tc, a_range_of_max_dvm_ops_pages_flushes_the_asid);
	tcase_add_test(tc, an_operation_costs_its_pages);
	tcase_add_test(tc, collapse_interrupts_every_cpu);
	tcase_add_loop_test(tc, every_generator_runs_under_both_schedules, 0, COUNT(small));
}

CHECK_MAIN("sim operation", add_cases)
