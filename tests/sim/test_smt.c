/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "sim/tlbs.h"
#include "sim/workset.h"

/*
 * Threads of a core and their TLBs: shared under CnP (FEAT_TTCNP), each with its share or all of it
 * without. Two threads of one process, or of two, on CPUs 0 and 1, which are one core's.
 */

#define PAGE UINT64_C(4096)
#define TASK2(m) { .kind = DVM_TRACE_TASK_NEW, .task = 2, .mm = (m), .flags = DVM_TRACE_F_INITIAL }
#define ON_MM(c, t, m) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (t), .mm = (m) }
#define WAIT(c, ns) { .kind = DVM_TRACE_SLEEP, .cpu = (c), .amount = (ns) }
#define TOUCH(c, t, m, first, n) \
	{ .kind = DVM_TRACE_ACCESS_RUN, .cpu = (c), .task = (t), .mm = (m), .va = (first), \
	  .amount = (n) }

enum { CNP, PARTITIONED, PRIVATE };

static void threads2(struct run *r, unsigned how, const char *strategy)
{
	run_init(r);
	run_set(r, "topology.threads", 2);
	run_set(r, "topology.cores", 2);
	run_set(r, "feature.cnp", 1);
	run_set(r, "tlb.smt", how == PRIVATE ? DVMI_SMT_PRIVATE : DVMI_SMT_PARTITIONED);
	run_set_kernel(r, "cnp", how == CNP);
	run_strategy(r, strategy);
}

static void go(struct run *r, const struct dvm_trace_record *t, size_t count, uint64_t pages)
{
	uint64_t accesses[4096];

	for (uint64_t i = 0; i < pages; i++)
		accesses[i] = 0x10000000 + i * PAGE;
	run_trace(r, 2, t, 3);
	if (pages)
		ck_assert_int_eq(dvm_trace_append_accesses(r->trace, accesses, pages, &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, t + 3, count - 3, &r->err), 0);
	run_go(r, 1, 1);
}

/* CPU 0 touches 8 pages; CPU 1, of the same process, touches them 100 us later. */
static const struct {
	unsigned how;
	uint64_t walks;
} fills[] = { { CNP, 8 }, { PARTITIONED, 16 }, { PRIVATE, 16 } };

START_TEST(under_cnp_what_one_thread_walked_for_serves_the_other)
{
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), TASK2(1), ON_MM(0, 1, 1), TOUCH(0, 1, 1, 0, 8),
		WAIT(1, 100000), ON_MM(1, 2, 1), TOUCH(1, 2, 1, 0, 8),
	};
	struct run r;

	threads2(&r, fills[_i].how, BROADCAST);
	go(&r, t, COUNT(t), 8);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, fills[_i].walks);
	run_fini(&r);
}
END_TEST

/* A part without FEAT_TTCNP does not care what the kernel asks for. */
START_TEST(cnp_needs_part_and_kernel)
{
	struct dvmi_hw hw = { .topology_threads = 4 };
	struct dvmi_kernel_cfg cfg = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		hw.feature_cnp = i & 1;
		cfg.cnp = i >> 1;
		ck_assert_uint_eq(dvmi_tlb_sharers(&hw, &cfg), i == 3 ? 4 : 1);
	}
}
END_TEST

/* Without CnP a thread has entries / threads, in whole sets, or all. */
static const struct {
	uint64_t threads, smt, cnp, entries, ways, has;
} shares[] = {
	{ 1, DVMI_SMT_PARTITIONED, 0, 48, 0, 48 },   { 2, DVMI_SMT_PARTITIONED, 0, 48, 0, 24 },
	{ 4, DVMI_SMT_PARTITIONED, 0, 1280, 5, 320 }, { 4, DVMI_SMT_PARTITIONED, 0, 40, 8, 8 },
	{ 8, DVMI_SMT_PARTITIONED, 0, 32, 8, 8 },    { 4, DVMI_SMT_PRIVATE, 0, 48, 0, 48 },
	{ 4, DVMI_SMT_PARTITIONED, 1, 48, 0, 48 },   { 4, DVMI_SMT_PARTITIONED, 0, 0, 0, 0 },
};

START_TEST(a_thread_has_its_share)
{
	struct dvmi_hw hw = { .topology_threads = shares[_i].threads, .feature_cnp = 1,
			      .tlb_smt = shares[_i].smt };
	struct dvmi_kernel_cfg cfg = { .cnp = shares[_i].cnp };

	ck_assert_uint_eq(dvmi_tlb_share_of(&hw, &cfg, shares[_i].entries, shares[_i].ways),
			  shares[_i].has);
}
END_TEST

/* As many pages as L2 has entries, twice, on one thread: with half of them, least recent use keeps none. */
static const struct {
	unsigned how;
	int fits;
} sizes[] = { { CNP, 1 }, { PRIVATE, 1 }, { PARTITIONED, 0 } };

START_TEST(a_partitioned_thread_misses_what_a_whole_tlb_holds)
{
	struct run r;
	uint64_t n;

	threads2(&r, sizes[_i].how, BROADCAST);
	n = run_params(&r)->tlb_l2_entries;
	ck_assert_uint_le(n, 4096);
	{
		const struct dvm_trace_record t[] = {
			MM(1), TASK(1), TASK2(1), ON_MM(0, 1, 1), TOUCH(0, 1, 1, 0, n),
			TOUCH(0, 1, 1, 0, n),
		};

		go(&r, t, COUNT(t), n);
	}
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, sizes[_i].fits ? n : 2 * n);
	run_fini(&r);
}
END_TEST

/*
 * Process 2 on CPU 1 fills 8 pages; process 1 on CPU 0 executes TLBI VMALLE1 for itself (its switch-in
 * hook); then process 2 goes on. Under CnP its translations went too.
 */
#define FLUSH_ALL "strategy a\non flush:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n" \
	"on switch-in:\n tlbi local all\n dsb nsh\n ret\n"

static const struct {
	unsigned how;
	uint64_t walks;
} victims[] = { { CNP, 16 }, { PARTITIONED, 8 }, { PRIVATE, 8 } };

START_TEST(under_cnp_a_local_flush_takes_the_siblings_translations)
{
	const struct dvm_trace_record t[] = {
		MM(1), MM(2), TASK(1), TASK2(2), WAIT(0, 100000), ON_MM(0, 1, 1), RUN(0, 1, 1000),
		ON_MM(1, 2, 2), TOUCH(1, 2, 2, 0, 8), RUN(1, 2, 200000), TOUCH(1, 2, 2, 0, 8),
	};
	struct run r;

	threads2(&r, victims[_i].how, FLUSH_ALL);
	go(&r, t, COUNT(t), 8);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, victims[_i].walks);
	run_fini(&r);
}
END_TEST

/*
 * A strategy that flushes locally, whoever else runs the process. The sibling uses the flushed page
 * afterwards: safe only where they share. CPU 2 is another core's: never safe.
 */
static const struct {
	unsigned how;
	uint16_t cpu;
	int ret;
} locals[] = {
	{ CNP, 1, 0 }, { PARTITIONED, 1, -DVM_EUNSAFE }, { PRIVATE, 1, -DVM_EUNSAFE },
	{ CNP, 2, -DVM_EUNSAFE },
};

START_TEST(a_local_flush_is_enough_for_a_sibling_under_cnp_only)
{
	uint16_t cpu = locals[_i].cpu;
	const struct dvm_trace_record exact[] = {
		MM(1), TASK(1), TASK2(1), ON_MM(cpu, 2, 1), TOUCH(cpu, 2, 1, 0, 1),
		RUN(cpu, 2, 200000), TOUCH(cpu, 2, 1, 0, 1), WAIT(0, 100000), ON_MM(0, 1, 1),
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
	};
	const struct dvm_trace_record sets[] = {
		MM(1), TASK(1), TASK2(1), ON_MM(cpu, 2, 1), RUN(cpu, 2, 200000),
		RUN(cpu, 2, 1000), WAIT(0, 100000), ON_MM(0, 1, 1),
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
	};
	struct run r;

	for (int accesses = 0; accesses < 2; accesses++) {
		struct dvm_trace_record t[COUNT(exact)];
		size_t n = accesses ? COUNT(exact) : COUNT(sets);

		for (size_t i = 0; i < n; i++) {
			t[i] = accesses ? exact[i] : sets[i];
			if (t[i].kind == DVM_TRACE_FLUSH)
				t[i].mm = 1;
		}
		threads2(&r, locals[_i].how, LOCAL);
		run_trace(&r, 3, t, 3);
		if (accesses) {
			uint64_t va = 0x10000000;

			ck_assert_int_eq(dvm_trace_append_accesses(r.trace, &va, 1, &r.err), 0);
		}
		ck_assert_int_eq(dvm_trace_append(r.trace, t + 3, n - 3, &r.err), 0);
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, locals[_i].ret);
		run_fini(&r);
	}
}
END_TEST

/* Without accesses: two threads of one process refill its 64 pages once under CnP, twice without. */
static const struct {
	unsigned how;
	uint64_t refills;
} refills[] = { { CNP, 64 }, { PARTITIONED, 128 }, { PRIVATE, 128 } };

START_TEST(sibling_threads_share_a_working_set_under_cnp)
{
	const struct dvm_trace_record t[] = {
		MM(1), TASK(1), TASK2(1), ON_MM(0, 1, 1), RUN(0, 1, 20000), WAIT(1, 100000),
		ON_MM(1, 2, 1), RUN(1, 2, 20000),
	};
	struct run r;

	threads2(&r, refills[_i].how, BROADCAST);
	go(&r, t, COUNT(t), 0);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_refills, refills[_i].refills);
	run_fini(&r);
}
END_TEST

/* The model alone: CPUs 0 and 1 are one TLB, 2 is the next. */
START_TEST(a_shared_working_set_is_flushed_for_all_who_share)
{
	struct dvmi_workset_rules rules = { .pages = 64, .period_ps = 1000, .capacity = 100,
					    .sharers = 2 };
	struct dvmi_workset *ws;

	ck_assert_int_eq(dvmi_workset_new(4, 3, &rules, &ws), 0);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 64);
	ck_assert_uint_eq(dvmi_workset_run(ws, 1, 1, 1000), 0);
	ck_assert_uint_eq(dvmi_workset_run(ws, 2, 1, 1000), 64);
	dvmi_workset_flush_local(ws, 1, 1, 10);
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 10);
	ck_assert_uint_eq(dvmi_workset_run(ws, 2, 1, 1000), 0);
	ck_assert_uint_eq(dvmi_workset_run(ws, 1, 2, 1000), 64); /* capacity is of both */
	ck_assert_uint_eq(dvmi_workset_run(ws, 0, 1, 1000), 28);
	dvmi_workset_free(ws);
}
END_TEST

/* One thread per core: the switch moves nothing. */
START_TEST(cnp_changes_nothing_without_threads)
{
	uint64_t elapsed[2];
	struct run r;

	for (int cnp = 0; cnp < 2; cnp++) {
		run_init(&r);
		run_set(&r, "feature.cnp", 1);
		run_set_kernel(&r, "cnp", (uint64_t)cnp);
		run_shipped(&r, "active-cpu-v2");
		run_workload(&r, "redis:batches=50");
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		elapsed[cnp] = r.stats->elapsed_ps + r.stats->refill_ps;
		run_fini(&r);
	}
	ck_assert_uint_eq(elapsed[0], elapsed[1]);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "threads");

	tcase_add_loop_test(tc, under_cnp_what_one_thread_walked_for_serves_the_other, 0,
			    (int)COUNT(fills));
	tcase_add_test(tc, cnp_needs_part_and_kernel);
	tcase_add_loop_test(tc, a_thread_has_its_share, 0, (int)COUNT(shares));
	tcase_add_loop_test(tc, a_partitioned_thread_misses_what_a_whole_tlb_holds, 0,
			    (int)COUNT(sizes));
	tcase_add_loop_test(tc, under_cnp_a_local_flush_takes_the_siblings_translations, 0,
			    (int)COUNT(victims));
	tcase_add_loop_test(tc, a_local_flush_is_enough_for_a_sibling_under_cnp_only, 0,
			    (int)COUNT(locals));
	tcase_add_loop_test(tc, sibling_threads_share_a_working_set_under_cnp, 0,
			    (int)COUNT(refills));
	tcase_add_test(tc, a_shared_working_set_is_flushed_for_all_who_share);
	tcase_add_test(tc, cnp_changes_nothing_without_threads);
}

CHECK_MAIN("sim_smt", add_cases)
