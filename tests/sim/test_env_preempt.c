/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "env.h"

#include <stdio.h>

/*
 * Preemption models on a part with one CPU: two tasks, each with work of its own, ticks 4 ms apart
 * (sched_tick_hz 250). Task 2 gets the CPU where the model lets it. The scheduler's own costs are 0.
 */
#define TICK_PS UINT64_C(4000000000)

/* How late a switch may be: the instruction under way, and ticks' remainders. */
#define SLACK_PS UINT64_C(200000000)

static void one_cpu(struct run *r, uint64_t preempt)
{
	static const char *const none[] = { "kernel.tick_ps", "kernel.context_switch_ps",
					    "kernel.mm_switch_ps", "kernel.scan_cpu_ps",
					    "kernel.wakeup_ps", "tlb.walk_step_ps",
					    "kernel.migrate_slow_ps" };

	run_init(r);
	run_set(r, "topology.clusters", 1);
	run_set(r, "topology.cores", 1);
	for (size_t i = 0; i < COUNT(none); i++)
		run_set(r, none[i], 0);
	run_set_kernel(r, "preempt", preempt);
	run_set_kernel(r, "sched_tick_hz", 250);
	r->options.schedule = DVM_SIM_SIMULATED;
}

/* When task 2 first runs, while task 1 does @t, which takes longer than 20 ms. */
static uint64_t first_turn(struct run *r, const char *strategy, const struct dvm_trace_record *t,
			   size_t count)
{
	const struct dvm_trace_record begin[] = { MM(1), TASK(1), MM(2), TASK(2), ON(0, 1) };
	const struct dvm_trace_record end[] = { IDLE(0), ON(0, 2), RUN(0, 2, 1000) };

	run_strategy(r, strategy);
	run_trace(r, 1, begin, COUNT(begin));
	ck_assert_int_eq(dvm_trace_append(r->trace, t, count, &r->err), 0);
	ck_assert_int_eq(dvm_trace_append(r->trace, end, COUNT(end), &r->err), 0);
	run_go(r, 1, 1);
	ck_assert_msg(!r->ret, "%s", r->err.text);
	return r->stats->wake_latency.max_ps;
}

static void check_turn(uint64_t ps, uint64_t want_ps)
{
	ck_assert_msg(ps >= want_ps && ps <= want_ps + SLACK_PS,
		      "task 2 runs after %llu ps, not %llu", (unsigned long long)ps,
		      (unsigned long long)want_ps);
}

/* ---- where kernel code gives way ---- */

enum place { USER, SYSCALL, FLUSH, PLACES };

/*
 * Work of 30 ms: in user mode; in a system call in pieces of 10 ms; in a flush of 300 operations
 * of 100 us. The tick at 4 ms asks for a switch, that at 8 ms insists (lazy).
 */
#define AT_TICK TICK_PS
#define AT_SECOND_TICK (2 * TICK_PS)
#define AT_PIECE UINT64_C(10000000000)
#define AT_END UINT64_C(30000000000)

static const struct {
	uint64_t preempt;
	uint64_t want_ps[PLACES];
} models[] = {
	{ DVMI_PREEMPT_NONE, { AT_TICK, AT_PIECE, AT_END } },
	{ DVMI_PREEMPT_VOLUNTARY, { AT_TICK, AT_PIECE, AT_END } },
	{ DVMI_PREEMPT_LAZY, { AT_TICK, AT_SECOND_TICK, AT_SECOND_TICK } },
	{ DVMI_PREEMPT_FULL, { AT_TICK, AT_TICK, AT_TICK } },
	{ DVMI_PREEMPT_RT, { AT_TICK, AT_TICK, AT_TICK } },
};

static uint64_t turn_at(uint64_t preempt, enum place place)
{
	static const struct dvm_trace_record work[PLACES][5] = {
		{ RUN(0, 1, 30000000) },
		{ { .kind = DVM_TRACE_OP_BEGIN, .task = 1, .mm = 1, .op = DVM_TRACE_OP_OTHER },
		  RUN(0, 1, 10000000), RUN(0, 1, 10000000), RUN(0, 1, 10000000),
		  { .kind = DVM_TRACE_OP_END, .task = 1, .mm = 1, .op = DVM_TRACE_OP_OTHER } },
		{ FLUSH_RANGE(0, 1, 300, DVM_TRACE_OP_MUNMAP) },
	};
	struct run r;
	uint64_t ps;

	one_cpu(&r, preempt);
	run_set(&r, "tlbi.issue_local_ps", 100000000);
	ps = first_turn(&r, LOCAL, work[place], place == SYSCALL ? 5 : 1);
	run_fini(&r);
	return ps;
}

START_TEST(each_model_gives_way_where_it_says)
{
	for (unsigned place = 0; place < PLACES; place++)
		check_turn(turn_at(models[_i].preempt, (enum place)place),
			   models[_i].want_ps[place]);
}
END_TEST

/* ---- protections, under full preemption ---- */

static const struct {
	const char *on, *off;
	uint8_t cause;
	uint64_t preempt, want_ps;
} guards[] = {
	{ "isb", "isb", DVM_TRACE_OP_MUNMAP, DVMI_PREEMPT_FULL, AT_TICK },
	{ "migrate_disable", "migrate_enable", DVM_TRACE_OP_MUNMAP, DVMI_PREEMPT_FULL, AT_TICK },
	{ "preempt_disable", "preempt_enable", DVM_TRACE_OP_MUNMAP, DVMI_PREEMPT_FULL, AT_END },
	{ "preempt_disable", "preempt_enable", DVM_TRACE_OP_MUNMAP, DVMI_PREEMPT_RT, AT_END },
	{ "irq_disable", "irq_enable", DVM_TRACE_OP_MUNMAP, DVMI_PREEMPT_FULL, AT_END },
	/* under the page-table lock, which sleeps on RT only */
	{ "isb", "isb", DVM_TRACE_OP_MREMAP, DVMI_PREEMPT_FULL, AT_END },
	{ "isb", "isb", DVM_TRACE_OP_MREMAP, DVMI_PREEMPT_RT, AT_TICK },
};

START_TEST(a_protected_flush_keeps_the_others_waiting)
{
	const struct dvm_trace_record flush = FLUSH_RANGE(0, 1, 300, guards[_i].cause);
	char text[256];
	struct run r;

	snprintf(text, sizeof(text), "strategy g\non flush:\n %s\n dsb nshst\n asid\n tlbi local\n"
		 " dsb nsh\n %s\n ret\n", guards[_i].on, guards[_i].off);
	one_cpu(&r, guards[_i].preempt);
	run_set(&r, "tlbi.issue_local_ps", 100000000);
	check_turn(first_turn(&r, text, &flush, 1), guards[_i].want_ps);
	run_fini(&r);
}
END_TEST

/* ---- the slow path ---- */

#define MIGRATE "strategy m\non flush:\n dsb nshst\n asid\n migrate_disable\n tlbi local\n dsb nsh\n" \
		" migrate_enable\n ret\n"

static uint64_t elapsed(uint64_t preempt, uint64_t slow_ps, struct dvm_stats *stats)
{
	static const struct dvm_trace_record t[] = {
		MM(1), TASK(1), MM(2), TASK(2), ON(0, 1), FLUSH_RANGE(0, 1, 300, DVM_TRACE_OP_MUNMAP),
		IDLE(0), ON(0, 2), RUN(0, 2, 30000000),
	};
	struct run r;
	uint64_t ps;

	one_cpu(&r, preempt);
	run_set(&r, "tlbi.issue_local_ps", 100000000);
	run_set(&r, "kernel.migrate_slow_ps", slow_ps);
	run_strategy(&r, MIGRATE);
	run_trace(&r, 1, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	*stats = *r.stats;
	ps = r.stats->elapsed_ps;
	run_fini(&r);
	return ps;
}

/*
 * migrate_disable_switch() narrows the mask when the task is first switched out, migrate_enable() gives
 * it back: one slow path each way for a flush that was left, however often (942b8db96500). The CPU is
 * never idle, so each makes the whole run longer by itself.
 */
START_TEST(the_slow_path_is_taken_by_who_was_switched_out)
{
	bool leaves = _i >= DVMI_PREEMPT_LAZY;
	struct dvm_stats stats;
	uint64_t without = elapsed((uint64_t)_i, 0, &stats);
	uint64_t with = elapsed((uint64_t)_i, 1000, &stats);

	ck_assert_int_eq(stats.preemptions_flush > 1, leaves);
	ck_assert_uint_eq(stats.migrate_slow, leaves);
	ck_assert_uint_eq(with - without, leaves ? 2 * 1000 : 0);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "env preempt");

	tcase_add_loop_test(tc, each_model_gives_way_where_it_says, 0, COUNT(models));
	tcase_add_loop_test(tc, a_protected_flush_keeps_the_others_waiting, 0, COUNT(guards));
	tcase_add_loop_test(tc, the_slow_path_is_taken_by_who_was_switched_out, 0,
			    DVMI_PREEMPT_RT + 1);
}

CHECK_MAIN("sim env preempt", add_cases)
