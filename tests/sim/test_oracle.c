/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

/*
 * Pairs that differ in one line: the good one runs to its end, the bad one is caught. In each, mm 1
 * ran on CPU 1 before it flushes on CPU 0, and runs on both afterwards.
 */
#define HEAD "strategy s\non flush:\n"

static const struct {
	const char *what, *good, *bad;
} pairs[] = {
	{ "scope", HEAD " dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n",
	  HEAD " dsb ishst\n asid\n tlbi local\n dsb ish\n ret\n" },
	{ "completing barrier", HEAD " dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n",
	  HEAD " dsb ishst\n asid\n tlbi is\n ret\n" },
	{ "its type", HEAD " dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n",
	  HEAD " dsb ishst\n asid\n tlbi is\n dsb ishst\n ret\n" },
	{ "its domain", HEAD " dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n",
	  HEAD " dsb ishst\n asid\n tlbi is\n dsb nsh\n ret\n" },
	{ "the TLBI", HEAD " dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n",
	  HEAD " dsb ishst\n dsb ish\n ret\n" },
};

/* Task 1 runs on CPU 1, moves to CPU 0, flushes, moves back. */
static const struct dvm_trace_record moved[] = {
	{ .kind = DVM_TRACE_MM_NEW, .cpu = 1, .mm = 1, .flags = DVM_TRACE_F_INITIAL },
	{ .kind = DVM_TRACE_TASK_NEW, .cpu = 1, .task = 1, .mm = 1, .flags = DVM_TRACE_F_INITIAL },
	ON(1, 1), RUN(1, 1, 1000),
	{ .kind = DVM_TRACE_WAKE, .cpu = 1, .task = 1, .id = 1, .target = 0 },
	IDLE(1),
	{ .kind = DVM_TRACE_SWITCH, .cpu = 0, .task = 1, .mm = 1, .id = 1 },
	RUN(0, 1, 1000), FLUSH_MM(0, 1), RUN(0, 1, 1000),
	{ .kind = DVM_TRACE_WAKE, .cpu = 0, .task = 1, .id = 2, .target = 1 },
	IDLE(0),
	{ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 1, .mm = 1, .id = 2 },
	RUN(1, 1, 1000),
};

static int outcome(const char *strategy, struct dvm_error *err)
{
	struct run r;
	int ret;

	run_init(&r);
	run_strategy(&r, strategy);
	run_trace(&r, 2, moved, COUNT(moved));
	run_go(&r, 1, 1);
	ret = r.ret;
	*err = r.err;
	run_fini(&r);
	return ret;
}

START_TEST(one_wrong_line_is_caught_and_the_right_one_passes)
{
	struct dvm_error err;
	char text[1024];

	ck_assert_msg(outcome(pairs[_i].good, &err) == 0, "%s: good", pairs[_i].what);
	ck_assert_msg(outcome(pairs[_i].bad, &err) == -DVM_EUNSAFE, "%s: bad", pairs[_i].what);
	dvm_error_format(&err, text, sizeof(text));
	ck_assert_msg(strstr(text, "stale") != NULL, "%s", text);
}
END_TEST

START_TEST(local_flush_is_enough_where_the_mm_ran_on_one_cpu)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000), FLUSH_MM(0, 1),
					RUN(0, 1, 1000) };
	struct run r;

	run_init(&r);
	run_strategy(&r, LOCAL);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	run_fini(&r);
}
END_TEST

/* A TLBI left without its DSB is completed by the DSB ISH of __switch_to on the same CPU. */
START_TEST(context_switch_completes_a_deferred_flush)
{
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_RECLAIM),
		IDLE(0), ON(0, 1), RUN(0, 1, 10),
	};
	struct run r;

	run_init(&r);
	run_strategy(&r, "strategy s\non flush:\n dsb ishst\n asid\n tlbi is\n ret\n");
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	run_fini(&r);
}
END_TEST

/* NOSYNC: no promise until the batch flush; then it must hold. */
START_TEST(batch_is_judged_when_it_is_flushed)
{
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1), RUN(0, 1, 1000),
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_RECLAIM), RUN(0, 1, 1000),
		{ .kind = DVM_TRACE_BATCH_FLUSH, .cpu = 0, .task = 1 }, RUN(0, 1, 1000),
	};
	static const char *const batch[] = { " dsb ish\n", " dsb ishst\n" };
	char text[256];
	struct run r;

	t[4].flags |= DVM_TRACE_F_NOSYNC;
	snprintf(text, sizeof(text), "strategy s\non flush:\n dsb ishst\n asid\n tlbi is\n"
		 " bif req.nosync, out\n dsb ish\nout:\n ret\non batch-flush:\n%s ret\n",
		 batch[_i]);
	run_init(&r);
	run_strategy(&r, text);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, _i ? -DVM_EUNSAFE : 0);
	run_fini(&r);
}
END_TEST

/* Workloads with accesses: the page that was flushed, and only that page, may not hit. */
static void with_accesses(struct run *r, const char *strategy, uint64_t later)
{
	const uint64_t accesses[] = { 0x10000000, 0x10001000, later };
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1),
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 0, .amount = 2 },
		FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT),
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 2, .amount = 1 },
	};

	run_init(r);
	run_set(r, "feature.ttl", 1);
	run_strategy(r, strategy);
	run_trace(r, 1, t, 3);
	ck_assert_int_eq(dvm_trace_append_accesses(r->trace, accesses, 3, &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, t + 3, 3, &r->err), 0);
	run_go(r, 1, 1);
}

#define NOTHING "strategy n\non flush:\n ret\n"

START_TEST(exact_tlbs_judge_single_translations)
{
	struct run r;

	with_accesses(&r, NOTHING, 0x10000000);
	ck_assert_int_eq(r.ret, -DVM_EUNSAFE);
	run_fini(&r);
	with_accesses(&r, NOTHING, 0x10001000);
	ck_assert_int_eq(r.ret, 0);
	run_fini(&r);
	with_accesses(&r, LOCAL, 0x10000000);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_accesses, 3);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, 3);
	run_fini(&r);
	with_accesses(&r, BROADCAST, 0x10001000);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, 2);
	run_fini(&r);
}
END_TEST

/* A huge page's one operation, at its level, takes away all of it; with a wrong hint, nothing. */
START_TEST(exact_tlbs_take_blocks_away_whole)
{
	static const struct { const char *strategy; int ret; } cases[] = {
		{ BROADCAST, 0 }, { LOCAL, 0 }, { NOTHING, -DVM_EUNSAFE },
		{ "strategy t\non flush:\n dsb nshst\n asid\n tlbi local badttl\n dsb nsh\n ret\n",
		  -DVM_EUNSAFE },
	};
	const uint64_t accesses[] = { 0x10003000, 0x10003000 };
	struct dvm_trace_record t[] = {
		MM(1), TASK(1), ON(0, 1),
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 0, .amount = 1 },
		{ .kind = DVM_TRACE_FLUSH, .task = 1, .mm = 1, .op = DVM_TRACE_OP_THP_SPLIT,
		  .request = DVM_TRACE_REQ_RANGE, .va = 0x10000000, .amount = 512,
		  .stride_shift = 21, .level = 2 },
		{ .kind = DVM_TRACE_ACCESS_RUN, .task = 1, .mm = 1, .va = 1, .amount = 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct run r;

		run_init(&r);
		run_set(&r, "feature.ttl", 1);
		run_strategy(&r, cases[i].strategy);
		run_trace(&r, 1, t, 3);
		ck_assert_int_eq(dvm_trace_append_accesses(r.trace, accesses, 2, &r.err), 0);
		ck_assert_int_eq(dvm_trace_append(r.trace, t + 3, 3, &r.err), 0);
		run_go(&r, 1, 1);
		ck_assert_msg(r.ret == cases[i].ret, "case %d: %d", (int)i, r.ret);
		run_fini(&r);
	}
}
END_TEST

/* A hint one level off removes nothing where the part has FEAT_TTL (commit c2ff4764e03e's table). */
START_TEST(exact_tlbs_catch_a_wrong_level_hint)
{
	struct run r;

	with_accesses(&r, "strategy t\non flush:\n dsb nshst\n asid\n tlbi local badttl\n"
		      " dsb nsh\n ret\n", 0x10000000);
	ck_assert_int_eq(r.ret, -DVM_EUNSAFE);
	run_fini(&r);
}
END_TEST

/*
 * Every shipped strategy on every generator: the ones of the review thread and their kin run to the
 * end. null is caught everywhere, selftest-no-post too. The other self-tests break rules whose
 * consequence needs reordering, wrong levels or KPTI; the checker is for them.
 */
static const char *const passing[] = {
	"active-cpu-dsb-ish", "active-cpu-preempt-disable", "active-cpu-skip-unused",
	"active-cpu-v1", "active-cpu-v2", "active-cpu-v2-plain-load", "active-cpu-v2-reset",
	"always-broadcast", "cpumask-ipi", "global-asid", "hybrid-cost", "ipi-always",
	"ipi-switch",
	"nr-active-v2", "nr-active-v2-dsb", "x86-generations",
	"recheck", "recheck-optimistic", "recheck-own", "restartable", "stale-mask-v1", "tlb-modes",
	"latr", "tlbi-domains", "hybrid-load",
};
static const char *const caught[] = { "null", "selftest-no-post" };
static const char *const workloads[] = {
	"fork:forks=20", "mmap:loops=20,move_every=7", "mprotect:loops=20,bystander_units=20",
	"redis:batches=60,snapshot_every=20,pages=64", "tlb-shootdown:loops=3",
};

static void on_all_workloads(const char *strategy, int expected)
{
	for (size_t w = 0; w < COUNT(workloads); w++) {
		struct run r;

		run_init(&r);
		run_hw(&r, "phytium-ftc862-8");
		run_shipped(&r, strategy);
		run_workload(&r, workloads[w]);
		if (!strcmp(strategy, "latr")) /* it has ticks */
			r.options.schedule = DVM_SIM_SIMULATED;
		run_go(&r, 1, 1);
		ck_assert_msg(r.ret == expected, "%s: %s", strategy, workloads[w]);
		run_fini(&r);
	}
}

START_TEST(shipped_strategy_runs_every_workload_to_its_end)
{
	on_all_workloads(passing[_i], 0);
}
END_TEST

START_TEST(flushing_nothing_or_not_waiting_is_caught_on_every_workload)
{
	on_all_workloads(caught[_i], -DVM_EUNSAFE);
}
END_TEST

/* An interrupt flushes what its handler flushes and completes, and nothing else. */
static const struct {
	const char *handler;
	int ret;
} handlers[] = {
	{ " dsb nshst\n tlbi local\n dsb nsh\n ret\n", 0 },
	{ " ret\n", -DVM_EUNSAFE },
	{ " dsb nshst\n tlbi local\n ret\n", -DVM_EUNSAFE },
	{ " dsb nsh\n tlbi local\n ret\n", -DVM_EUNSAFE },
};

START_TEST(an_interrupt_counts_for_what_its_handler_does)
{
	char text[512];
	struct run r;

	snprintf(text, sizeof(text),
		 "strategy t\nmask mm.ran = none\non switch-in:\n setbit next.ran, self\n ret\n"
		 "on flush:\n dsb ish\n asid\n ldmask m, mm.ran\n ipi m\n dsb nshst\n tlbi local\n"
		 " dsb nsh\n ret\non ipi:\n%s", handlers[_i].handler);
	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_strategy(&r, text);
	run_workload(&r, "mmap:loops=20,move_every=1");
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, handlers[_i].ret);
	run_fini(&r);
}
END_TEST

/*
 * The first flush forgets CPU 1. A broadcast of another page does not make up for it; one of the
 * whole ASID does.
 */
static const struct {
	uint8_t request;
	int ret;
} later[] = {
	{ DVM_TRACE_REQ_RANGE, -DVM_EUNSAFE },
	{ DVM_TRACE_REQ_ASID, 0 },
};

START_TEST(a_later_flush_of_another_page_excuses_nothing)
{
	static const char text[] =
		"strategy first\nword mm.seen = 0\non flush:\n ld n, mm.seen\n bne n, 0, wide\n"
		" st mm.seen, 1\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\n"
		"wide:\n dsb ishst\n asid\n tlbi is\n dsb ish\n ret\n";
	struct dvm_trace_record page = FLUSH_RANGE(0, 1, 1, DVM_TRACE_OP_MPROTECT);
	struct dvm_trace_record t[COUNT(moved) + 1];
	size_t at = 0;
	struct run r;

	while (moved[at].kind != DVM_TRACE_FLUSH)
		at++;
	memcpy(t, moved, at * sizeof(t[0]));
	t[at] = page;
	t[at + 1] = page;
	t[at + 1].va += 0x100000;
	if (later[_i].request == DVM_TRACE_REQ_ASID)
		t[at + 1] = moved[at];
	memcpy(t + at + 2, moved + at + 1, (COUNT(moved) - at - 1) * sizeof(t[0]));
	run_init(&r);
	run_strategy(&r, text);
	run_trace(&r, 2, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, later[_i].ret);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "oracle");

	tcase_add_loop_test(tc, one_wrong_line_is_caught_and_the_right_one_passes, 0, COUNT(pairs));
	tcase_add_loop_test(tc, an_interrupt_counts_for_what_its_handler_does, 0, COUNT(handlers));
	tcase_add_loop_test(tc, a_later_flush_of_another_page_excuses_nothing, 0, COUNT(later));
	tcase_add_test(tc, local_flush_is_enough_where_the_mm_ran_on_one_cpu);
	tcase_add_test(tc, context_switch_completes_a_deferred_flush);
	tcase_add_loop_test(tc, batch_is_judged_when_it_is_flushed, 0, 2);
	tcase_add_test(tc, exact_tlbs_judge_single_translations);
	tcase_add_test(tc, exact_tlbs_take_blocks_away_whole);
	tcase_add_test(tc, exact_tlbs_catch_a_wrong_level_hint);
	tcase_add_loop_test(tc, shipped_strategy_runs_every_workload_to_its_end, 0, COUNT(passing));
	tcase_add_loop_test(tc, flushing_nothing_or_not_waiting_is_caught_on_every_workload, 0,
			    COUNT(caught));
}

CHECK_MAIN("sim oracle", add_cases)
