/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * ASIDs on the timing machine. teaching-4 has 8-bit ASIDs and four CPUs; the kernel hands out even
 * ones until the first rollover, so 127 address spaces fill the first generation.
 */
#define FIRST_GENERATION 127

/* ---- traces made here ---- */

struct lines {
	struct dvm_trace_record r[4000];
	size_t n;
};

static void add(struct lines *l, struct dvm_trace_record r)
{
	ck_assert_uint_lt(l->n, COUNT(l->r));
	l->r[l->n++] = r;
}

static void births(struct lines *l, uint32_t mms)
{
	memset(l, 0, sizeof(*l));
	for (uint32_t n = 1; n <= mms; n++) {
		add(l, (struct dvm_trace_record)MM(n));
		add(l, (struct dvm_trace_record)TASK(n));
	}
}

/* Address spaces @from .. @to run on CPU 0, one after the other. */
static void storm(struct lines *l, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n <= to; n++) {
		add(l, (struct dvm_trace_record)ON(0, n));
		add(l, (struct dvm_trace_record)RUN(0, n, 100));
	}
}

static void go(struct run *r, const struct lines *l, unsigned ncpus)
{
	run_trace(r, ncpus, l->r, l->n);
	run_go(r, 1, 1);
}

static uint64_t elapsed(const struct dvm_trace_record *switches, size_t n)
{
	struct lines l;
	struct run r;
	uint64_t ps;

	births(&l, 2);
	for (size_t i = 0; i < n; i++)
		add(&l, switches[i]);
	run_init(&r);
	run_strategy(&r, BROADCAST);
	go(&r, &l, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->asid_slow_paths, n < 2 ? n : 2);
	ps = r.stats->elapsed_ps;
	run_fini(&r);
	return ps;
}

/* ---- cost ---- */

/* The fast path is part of kernel.mm_switch; the slow path: the lock, a load, the release. */
START_TEST(slow_path_costs_its_lock_and_the_fast_path_nothing)
{
	const struct dvm_trace_record t[] = { ON(0, 1), ON(0, 2), ON(0, 1), ON(0, 2) };
	uint64_t e[5], held, anew;
	const struct dvmi_hw *hw;
	struct run r;

	run_init(&r);
	hw = run_params(&r);
	anew = hw->line_die_ps + hw->line_atomic_ps + 2 * hw->line_local_ps;
	held = hw->line_local_ps + hw->line_atomic_ps + 2 * hw->line_local_ps;
	for (size_t n = 1; n <= 4; n++)
		e[n] = elapsed(t, n);
	ck_assert_uint_eq(e[4] - e[3], e[3] - e[2]);
	ck_assert_uint_eq(e[1] - (e[3] - e[2]), anew);
	ck_assert_uint_eq(e[2] - e[1] - (e[3] - e[2]), held);
	run_fini(&r);
}
END_TEST

/* The hook runs under the lock, so four CPUs that want it at once run it one after the other. */
static uint64_t at_once(unsigned cpus, const struct dvmi_hw **hw, struct run *r)
{
	struct lines l;

	births(&l, cpus);
	for (uint16_t c = 0; c < cpus; c++)
		add(&l, (struct dvm_trace_record)ON(c, c + 1u));
	run_init(r);
	*hw = run_params(r);
	run_strategy(r, "strategy s\non flush:\n ret\non asid-alloc:\n dsb ish\n ret\n");
	go(r, &l, cpus);
	ck_assert_int_eq(r->ret, 0);
	ck_assert_uint_eq(r->stats->asid_slow_paths, cpus);
	return r->stats->elapsed_ps;
}

START_TEST(slow_paths_of_several_cpus_take_turns)
{
	const struct dvmi_hw *hw;
	uint64_t one, four, least;
	struct run r;

	one = at_once(1, &hw, &r);
	run_fini(&r);
	four = at_once(4, &hw, &r);
	least = hw->barrier_dsb_ish_ps + hw->line_local_ps + hw->line_cluster_ps +
		hw->line_atomic_ps; /* the hook, the release, the line to the next CPU */
	ck_assert_uint_ge(four, one + 3 * least);
	run_fini(&r);
}
END_TEST

/* ---- rollover ---- */

static const struct {
	uint32_t mms, rollovers;
} generations[] = {
	{ FIRST_GENERATION, 0 },
	{ FIRST_GENERATION + 1, 1 },
	/* Afterwards 255, less the one CPU 0 ran at the rollover and still has reserved. */
	{ FIRST_GENERATION + 254, 1 },
	{ FIRST_GENERATION + 255, 2 },
};

#define HOOKS "strategy h\nword rolls = 0\nword allocs = 0\nword flushed = 0\n" \
	"on flush:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n" \
	"on rollover:\n fadd _, rolls, 1\n ret\n" \
	"on asid-alloc:\n fadd _, allocs, 1\n ret\n" \
	"on switch-in:\n bifnot env.tlb_flushed, out\n fadd _, flushed, 1\nout:\n ret\n"

static uint64_t times(const struct run *r, const char *text)
{
	struct dvm_step step;

	for (size_t i = 0; !dvm_sim_step(r->sim, i, &step); i++)
		if (strstr(step.text, text))
			return step.count;
	return UINT64_MAX;
}

START_TEST(a_generation_ends_when_its_asids_are_used_up_and_hooks_run_there)
{
	struct lines l;
	struct run r;

	births(&l, generations[_i].mms);
	storm(&l, 1, generations[_i].mms);
	run_init(&r);
	run_strategy(&r, HOOKS);
	go(&r, &l, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->asid_rollovers, generations[_i].rollovers);
	ck_assert_uint_eq(r.stats->asid_flushes, generations[_i].rollovers);
	ck_assert_uint_eq(r.stats->asid_slow_paths, generations[_i].mms);
	ck_assert_uint_eq(times(&r, "rolls"), generations[_i].rollovers);
	ck_assert_uint_eq(times(&r, "allocs"), generations[_i].mms);
	ck_assert_uint_eq(times(&r, "flushed, 1"), generations[_i].rollovers);
	run_fini(&r);
}
END_TEST

static const char *const storms[] = {
	"active-cpu-dsb-ish", "active-cpu-v1", "active-cpu-v2", "active-cpu-v2-reset",
	"always-broadcast", "cpumask-ipi", "nr-active-v2", "nr-active-v2-dsb", "recheck",
	"restartable", "stale-mask-v1", "tlb-modes",
};

/* 600 forks: more address spaces than two generations have ASIDs. */
START_TEST(fork_storm_on_8_bits_rolls_over_and_passes_the_oracle)
{
	for (int kpti = 0; kpti < 2; kpti++) {
		struct run r;

		run_init(&r);
		run_set_kernel(&r, "kpti", (uint64_t)kpti);
		run_shipped(&r, storms[_i]);
		run_workload(&r, "fork:forks=600");
		run_go(&r, 1, 1);
		ck_assert_msg(r.ret == 0, "%s: %s", storms[_i], r.err.text);
		ck_assert_uint_gt(r.stats->mms, 600);
		/* KPTI: at most 127 in a generation, and at least 127 - CPUs. */
		ck_assert_uint_ge(r.stats->asid_rollovers, kpti ? 601 / 127 : 2);
		ck_assert_uint_le(r.stats->asid_rollovers, kpti ? 601 / 123 + 1 : 3);
		ck_assert_uint_ge(r.stats->asid_flushes, r.stats->asid_rollovers);
		run_fini(&r);
	}
}
END_TEST

START_TEST(rollovers_leave_results_deterministic)
{
	struct dvm_stats first;

	for (int i = 0; i < 2; i++) {
		struct run r;

		run_init(&r);
		run_shipped(&r, "active-cpu-v2-reset");
		run_workload(&r, "fork:forks=300");
		run_go(&r, 2, 7);
		ck_assert_int_eq(r.ret, 0);
		if (i)
			ck_assert_mem_eq(&first, r.stats, sizeof(first));
		first = *r.stats;
		run_fini(&r);
	}
}
END_TEST

/* ---- what a strategy may forget when an address space gets a new ASID ---- */

/*
 * mm 1 ran on two CPUs; a generation later it runs on CPU 0 only, and flushes there; then it goes
 * back to CPU 1, which holds its old translations until it flushes itself on the way.
 */
static void two_lives(struct run *r, const char *strategy)
{
	struct lines l;

	births(&l, FIRST_GENERATION + 10);
	add(&l, (struct dvm_trace_record)ON(0, 1));
	add(&l, (struct dvm_trace_record)RUN(0, 1, 1000));
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_WAKE, .task = 1, .id = 1, .target = 1 });
	add(&l, (struct dvm_trace_record)ON(0, 2));
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 1, .mm = 1,
					   .id = 1 });
	add(&l, (struct dvm_trace_record)RUN(1, 1, 1000));
	add(&l, (struct dvm_trace_record)ON(1, 3));
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_WAKE, .cpu = 1, .task = 3, .id = 2 });
	storm(&l, 4, FIRST_GENERATION + 10);
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .task = 1, .mm = 1, .id = 2 });
	add(&l, (struct dvm_trace_record)RUN(0, 1, 1000));
	add(&l, (struct dvm_trace_record)FLUSH_MM(0, 1));
	add(&l, (struct dvm_trace_record)RUN(0, 1, 1000));
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_WAKE, .task = 1, .id = 3, .target = 1 });
	add(&l, (struct dvm_trace_record)ON(0, 2));
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .cpu = 1, .task = 1, .mm = 1,
					   .id = 3 });
	add(&l, (struct dvm_trace_record)RUN(1, 1, 1000));
	run_init(r);
	run_shipped(r, strategy);
	go(r, &l, 2);
}

START_TEST(active_cpu_is_reset_when_the_mm_gets_a_new_asid)
{
	struct run r;

	two_lives(&r, "active-cpu-v2");
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->asid_rollovers, 1);
	ck_assert_uint_eq(r.stats->flushes, 1);
	ck_assert_uint_eq(r.stats->flushes_broadcast, 1);
	run_fini(&r);
	two_lives(&r, "active-cpu-v2-reset");
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->flushes_local, 1);
	run_fini(&r);
}
END_TEST

/*
 * mm 1 keeps running on CPU 1 through a rollover; a second thread of it then starts on CPU 0 and
 * flushes. That takes the reserved path: the ASID stays, and CPU 1 holds what it held.
 */
static void second_thread(struct run *r)
{
	struct lines l;

	births(&l, FIRST_GENERATION + 10);
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .task = 1000, .mm = 1,
					   .flags = DVM_TRACE_F_THREAD | DVM_TRACE_F_INITIAL });
	add(&l, (struct dvm_trace_record)ON(1, 1));
	add(&l, (struct dvm_trace_record)RUN(1, 1, 10000000));
	add(&l, (struct dvm_trace_record)RUN(1, 1, 1000));
	storm(&l, 2, FIRST_GENERATION + 10);
	add(&l, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .task = 1000, .mm = 1 });
	add(&l, (struct dvm_trace_record)RUN(0, 1000, 1000));
	add(&l, (struct dvm_trace_record)FLUSH_MM(0, 1));
	l.r[l.n - 1].task = 1000;
	go(r, &l, 2);
	ck_assert_uint_eq(r->stats->asid_rollovers, 1);
}

START_TEST(shipped_strategies_know_what_the_reserved_path_keeps)
{
	struct run r;

	run_init(&r);
	run_shipped(&r, storms[_i]);
	second_thread(&r);
	ck_assert_msg(r.ret == 0, "%s: %s", storms[_i], r.err.text);
	run_fini(&r);
}
END_TEST

/* active-cpu-v2-reset, but for one line. */
static const struct {
	const char *unless;
	int ret;
} resets[] = { { "PATH_RESERVED", 0 }, { "PATH_PINNED", -DVM_EUNSAFE } };

START_TEST(reset_on_the_reserved_path_is_caught)
{
	char text[1024];
	struct run r;

	snprintf(text, sizeof(text), "strategy s\nconst NONE = 0xffffffff\nword mm.seen = NONE\n"
		 "on switch-in:\n ld a, mm.seen\n beq a, NONE, mine\n beq a, self, out\n"
		 " st mm.seen, 0xfffffffe\n b out\nmine:\n st mm.seen, self\nout:\n ret\n"
		 "on asid-alloc:\n beq alloc.path, %s, keep\n st mm.seen, NONE\nkeep:\n ret\n"
		 "on flush:\n ld a, mm.seen\n asid\n beq a, self, local\n dsb ishst\n tlbi is\n"
		 " dsb ish\n ret\nlocal:\n dsb nshst\n tlbi local\n dsb nsh\n ret\n",
		 resets[_i].unless);
	run_init(&r);
	run_strategy(&r, text);
	second_thread(&r);
	ck_assert_int_eq(r.ret, resets[_i].ret);
	run_fini(&r);
}
END_TEST

/* ---- exact TLBs ---- */

#define ACCESS(n, first) { .kind = DVM_TRACE_ACCESS_RUN, .task = (n), .mm = (n), .va = (first), \
			   .amount = 1 }

/*
 * Even ASIDs first: mm 1 has 2. After the rollover every ASID is free but the one CPU 0 ran: mm 128
 * has 1 and mm 129 has 2. It must not hit what mm 1 left there.
 */
static void reuse(struct run *r, bool foreign_flush)
{
	const uint64_t accesses[] = { 0x10000000, 0x10000000, 0x10000000 };
	struct dvm_trace_record flush = FLUSH_RANGE(0, 129, 1, DVM_TRACE_OP_MPROTECT);
	struct lines l;
	size_t own;

	births(&l, 129);
	own = l.n;
	add(&l, (struct dvm_trace_record)ON(0, 1));
	add(&l, (struct dvm_trace_record)ACCESS(1, 0));
	storm(&l, 2, 128);
	add(&l, (struct dvm_trace_record)ON(0, 129));
	add(&l, (struct dvm_trace_record)ACCESS(129, 1));
	if (foreign_flush) {
		flush.mm = 1;
		flush.flags |= DVM_TRACE_F_FOREIGN;
		add(&l, flush);
		add(&l, (struct dvm_trace_record)ACCESS(129, 2));
	}
	run_init(r);
	run_strategy(r, "strategy n\non flush:\n ret\n");
	run_trace(r, 1, l.r, own);
	ck_assert_int_eq(dvm_trace_append_accesses(r->trace, accesses, 3, &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, l.r + own, l.n - own, &r->err), 0);
	run_go(r, 1, 1);
	ck_assert_uint_eq(r->stats->asid_rollovers, 1);
}

START_TEST(reused_asid_does_not_hit_what_its_last_owner_left)
{
	struct run r;

	reuse(&r, false);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_accesses, 2);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, 2);
	run_fini(&r);
}
END_TEST

START_TEST(flush_of_the_last_owner_does_not_judge_the_new_one)
{
	struct run r;

	reuse(&r, true);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->tlb_l2_misses, 2);
	run_fini(&r);
}
END_TEST

/* ---- limits ---- */

START_TEST(part_with_more_cpus_than_asids_is_refused)
{
	struct dvm_sim_options o = { .size = sizeof(o) };
	struct run r;

	run_init(&r);
	run_hw(&r, "neoverse-n1-128");
	run_set(&r, "feature.asid_bits", 8);
	run_strategy(&r, BROADCAST);
	run_workload(&r, "fork:forks=1");
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	ck_assert_int_eq(dvm_sim_new(&o, &r.sim, &r.err), -DVM_ELIMIT);
	ck_assert_ptr_nonnull(strstr(r.err.text, "ASIDs"));
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "asid");

	tcase_add_test(tc, slow_path_costs_its_lock_and_the_fast_path_nothing);
	tcase_add_test(tc, slow_paths_of_several_cpus_take_turns);
	tcase_add_loop_test(tc, a_generation_ends_when_its_asids_are_used_up_and_hooks_run_there, 0,
			    COUNT(generations));
	tcase_add_loop_test(tc, fork_storm_on_8_bits_rolls_over_and_passes_the_oracle, 0,
			    COUNT(storms));
	tcase_add_test(tc, rollovers_leave_results_deterministic);
	tcase_add_test(tc, active_cpu_is_reset_when_the_mm_gets_a_new_asid);
	tcase_add_loop_test(tc, shipped_strategies_know_what_the_reserved_path_keeps, 0,
			    COUNT(storms));
	tcase_add_loop_test(tc, reset_on_the_reserved_path_is_caught, 0, COUNT(resets));
	tcase_add_test(tc, reused_asid_does_not_hit_what_its_last_owner_left);
	tcase_add_test(tc, flush_of_the_last_owner_does_not_judge_the_new_one);
	tcase_add_test(tc, part_with_more_cpus_than_asids_is_refused);
}

CHECK_MAIN("sim asid", add_cases)
