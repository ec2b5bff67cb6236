/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "sim/engine.h"

#include <stdio.h>
#include <string.h>

/* Flushes that their task is switched out of, and moved in the midst of, where the kernel lets it. */

#define FLUSHERS 8
#define FLUSHES 40
#define FLUSHER_RECORDS (3 + 2 * FLUSHES)

/* Processes that do nothing but flush: nearly every moment is inside a hook. */
static size_t flushers(struct dvm_trace_record *t)
{
	size_t n = 0;

	for (uint32_t p = 1; p <= FLUSHERS; p++) {
		t[n++] = (struct dvm_trace_record)MM(p);
		t[n++] = (struct dvm_trace_record)TASK(p);
	}
	for (uint16_t p = 1; p <= FLUSHERS; p++) {
		t[n++] = (struct dvm_trace_record)ON(p - 1, p);
		for (int i = 0; i < FLUSHES; i++) {
			t[n++] = (struct dvm_trace_record)FLUSH_RANGE(p - 1, p, 8,
								      DVM_TRACE_OP_MUNMAP);
			t[n++] = (struct dvm_trace_record)RUN(p - 1, p, 50);
		}
	}
	return n;
}

/*
 * active_cpu as in version 2 of the series, its protection left open. It says itself, by a DMB, when
 * it has moved between its sample of the CPU number and the end of its protection.
 */
#define GUARDED                                                                                    \
	"strategy t\nword mm.on = 0xffff\non switch-in:\n ld a, mm.on\n beq a, self, out\n"         \
	" bne a, 0xffff, many\n st mm.on, self\n b done\nmany:\n st mm.on, 0xfffe\n"                \
	"done:\n dsb ish\nout:\n ret\n"                                                            \
	"on flush:\n %s\n mov s, self\n dsb ish\n ld a, mm.on\n asid\n bne a, s, wide\n dsb ish\n"  \
	" tlbi local\n dsb nsh\n b end\nwide:\n tlbi is\n sync ish\nend:\n beq s, self, stayed\n"   \
	" dmb ish\nstayed:\n %s\n ret\n"

static const struct {
	const char *kernel, *on, *off;
	bool moved, slow;
} guards[] = {
	{ "linux-7.1-preempt-full", "isb", "isb", true, false },
	{ "linux-7.1-preempt-full", "migrate_disable", "migrate_enable", false, true },
	{ "linux-7.1-preempt-full", "preempt_disable", "preempt_enable", false, false },
	{ "linux-7.1-preempt-full", "irq_disable", "irq_enable", false, false },
	{ "linux-7.1-preempt-rt", "isb", "isb", true, false },
	{ "linux-7.1-preempt-rt", "migrate_disable", "migrate_enable", false, true },
	{ "linux-6.6", "isb", "isb", false, false },
};

static uint64_t steps(const struct run *r, const char *text)
{
	struct dvm_step step;
	uint64_t count = 0;

	for (size_t i = 0; !dvm_sim_step(r->sim, i, &step); i++)
		if (!strcmp(step.text, text))
			count += step.count;
	return count;
}

START_TEST(a_flush_moves_only_where_it_may_and_the_oracle_sees_it)
{
	struct dvm_trace_record t[FLUSHERS * FLUSHER_RECORDS];
	char text[1024];
	struct run r;

	snprintf(text, sizeof(text), GUARDED, guards[_i].on, guards[_i].off);
	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_kernel(&r, guards[_i].kernel);
	run_strategy(&r, text);
	run_trace(&r, FLUSHERS, t, flushers(t));
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = 100000;
	/* A stale use needs an unlucky moment; some seed has one. */
	for (uint64_t seed = 1; seed <= 40 && (seed == 1 || (guards[_i].moved && !r.ret)); seed++) {
		dvm_sim_free(r.sim);
		r.sim = NULL;
		run_go(&r, 1, seed);
	}
	ck_assert_int_eq(r.ret, guards[_i].moved ? -DVM_EUNSAFE : 0);
	ck_assert_int_eq(steps(&r, "dmb ish") > 0, guards[_i].moved);
	ck_assert_int_eq(r.stats->migrate_slow > 0, guards[_i].slow);
	ck_assert_uint_gt(r.stats->moves[DVM_SIM_AFFINITY], 0);
	run_fini(&r);
}
END_TEST

/* NONE and VOLUNTARY never leave a flush, whatever it says. */
START_TEST(kernels_without_preemption_do_not_leave_a_flush)
{
	struct dvm_trace_record t[FLUSHERS * FLUSHER_RECORDS];
	struct run r;

	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_set_kernel(&r, "preempt", (uint64_t)_i);
	run_strategy(&r, BROADCAST);
	run_trace(&r, FLUSHERS, t, flushers(t));
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = 100000;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_gt(r.stats->preemptions, 0);
	ck_assert_int_eq(r.stats->preemptions_flush > 0, _i > DVMI_PREEMPT_VOLUNTARY);
	run_fini(&r);
}
END_TEST

START_TEST(a_section_restarts_when_its_task_was_switched_out)
{
	struct dvm_trace_record t[FLUSHERS * FLUSHER_RECORDS];
	struct run r;

	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_kernel(&r, "linux-7.1-preempt-full");
	run_shipped(&r, "restartable");
	run_trace(&r, FLUSHERS, t, flushers(t));
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = 50000;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_gt(r.stats->restarts, 0);
	ck_assert_uint_le(r.stats->restarts, r.stats->preemptions_flush);
	run_fini(&r);
}
END_TEST

/*
 * Moved every 10 us, a flush whose operations take 64 us can never end its section; after 8 restarts
 * it broadcasts outside of it.
 */
START_TEST(a_section_that_never_ends_is_given_up)
{
	struct dvm_trace_record t[FLUSHERS * FLUSHER_RECORDS];
	size_t n = flushers(t);
	struct run r;

	for (size_t i = 0; i < n; i++)
		if (t[i].kind == DVM_TRACE_FLUSH)
			t[i].amount = 64;
	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_set(&r, "feature.range_tlbi", 0);
	run_set(&r, "tlbi.issue_local_ps", 1000000);
	run_set(&r, "tlbi.issue_broadcast_ps", 1000000);
	run_kernel(&r, "linux-7.1-preempt-full");
	run_shipped(&r, "restartable");
	run_trace(&r, FLUSHERS, t, n);
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = 100000;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->flushes, FLUSHERS * FLUSHES);
	ck_assert_uint_gt(r.stats->restarts, 7 * r.stats->flushes);
	ck_assert_uint_le(r.stats->restarts, 8 * r.stats->flushes);
	ck_assert_uint_gt(r.stats->flushes_broadcast, 0);
	run_fini(&r);
}
END_TEST

/* The page-table lock: not left unless it can sleep, and then not for another CPU. */
START_TEST(a_flush_under_the_page_table_lock_does_not_move)
{
	static const char *const kernels[] = { "linux-7.1-preempt-full", "linux-7.1-preempt-rt" };
	struct dvm_trace_record t[FLUSHERS * FLUSHER_RECORDS];
	size_t n = flushers(t);
	struct run r;

	for (size_t i = 0; i < n; i++)
		if (t[i].kind == DVM_TRACE_FLUSH)
			t[i].op = DVM_TRACE_OP_MREMAP;
	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_kernel(&r, kernels[_i]);
	run_strategy(&r, BROADCAST);
	run_trace(&r, FLUSHERS, t, n);
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = 300000;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->migrations_flush, 0);
	ck_assert_uint_gt(r.stats->moves[DVM_SIM_AFFINITY], 0);
	run_fini(&r);
}
END_TEST

/* Three tasks for each CPU, in a flush under the lock nearly all the time: ticks part them. */
static void in_flushes(struct run *r, uint64_t preempt, bool one_mm)
{
	static const struct dvm_trace_record flush = FLUSH_RANGE(0, 0, 8, DVM_TRACE_OP_MREMAP);
	struct dvm_trace_record t[4000];

	run_init(r);
	run_set_kernel(r, "preempt", preempt);
	run_strategy(r, BROADCAST);
	run_trace(r, 4, NULL, 0);
	for (uint16_t p = 1; p <= 12; p++) {
		struct dvm_trace_record begin[] = { MM(p), TASK(p), ON((uint16_t)((p - 1) % 4), p) };
		size_t skip = one_mm && p > 1;

		if (one_mm)
			begin[0].mm = begin[1].mm = begin[2].mm = 1;
		if (skip)
			begin[1].flags |= DVM_TRACE_F_THREAD;
		for (size_t i = 0; i < COUNT(t); i++) {
			t[i] = flush;
			t[i].cpu = (uint16_t)((p - 1) % 4);
			t[i].task = p;
			t[i].mm = one_mm ? 1 : p;
		}
		ck_assert_int_eq(dvm_trace_append(r->trace, begin + skip, COUNT(begin) - skip,
						  &r->err), 0);
		ck_assert_int_eq(dvm_trace_append(r->trace, t, COUNT(t), &r->err), 0);
	}
	r->options.schedule = DVM_SIM_SIMULATED;
	run_go(r, 1, 1);
	ck_assert_int_eq(r->ret, 0);
	ck_assert_uint_gt(r->stats->preemptions, 0);
	ck_assert_uint_eq(r->stats->migrations_flush, 0);
}

START_TEST(only_rt_leaves_a_flush_under_the_lock)
{
	struct run r;

	in_flushes(&r, (uint64_t)_i, false);
	ck_assert_int_eq(r.stats->preemptions_flush > 0, _i == DVMI_PREEMPT_RT);
	ck_assert_uint_eq(r.stats->lock_waits, 0);
	run_fini(&r);
}
END_TEST

START_TEST(who_wants_the_lock_of_a_task_that_is_out_waits)
{
	struct run r;

	in_flushes(&r, (uint64_t)_i, true);
	ck_assert_int_eq(r.stats->lock_waits > 0, _i == DVMI_PREEMPT_RT);
	ck_assert_uint_eq(r.stats->flushes, 12 * 4000);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "preemption");

	tcase_add_loop_test(tc, a_flush_moves_only_where_it_may_and_the_oracle_sees_it, 0,
			    COUNT(guards));
	tcase_add_loop_test(tc, kernels_without_preemption_do_not_leave_a_flush, 0,
			    DVMI_PREEMPT_RT + 1);
	tcase_add_test(tc, a_section_restarts_when_its_task_was_switched_out);
	tcase_add_test(tc, a_section_that_never_ends_is_given_up);
	tcase_add_loop_test(tc, a_flush_under_the_page_table_lock_does_not_move, 0, 2);
	tcase_add_loop_test(tc, only_rt_leaves_a_flush_under_the_lock, 0,
			    DVMI_PREEMPT_RT + 1);
	tcase_add_loop_test(tc, who_wants_the_lock_of_a_task_that_is_out_waits, 0,
			    DVMI_PREEMPT_RT + 1);
}

CHECK_MAIN("sim schedule preempt", add_cases)
