/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include "sim/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The simulated schedule, seen from outside: what each task did in which order, and what the
 * scheduler may and may not do to it. The scheduler's own rules are tested in tests/kernel.
 */

/* ---- order ---- */

/* Records of each task of the trace, in the order of the trace; and what a run makes of them. */
struct order {
	struct run *run;
	uint32_t *want, *begin, *seen; /* begin[task]: its first in want; seen[task]: how many came */
	uint64_t *at_ps;               /* per record and copy */
	uint32_t tasks, records, *on;
	uint64_t count;
};

static bool is_step(const struct dvm_trace_record *r, uint32_t current)
{
	bool initial = r->flags & DVM_TRACE_F_INITIAL &&
		       (r->kind == DVM_TRACE_MM_NEW || r->kind == DVM_TRACE_TASK_NEW ||
			r->kind == DVM_TRACE_OP_BEGIN);

	return current && !initial && r->kind != DVM_TRACE_SWITCH && r->kind != DVM_TRACE_MIGRATE &&
	       r->kind != DVM_TRACE_SLEEP;
}

static void order_init(struct order *o, struct run *r, unsigned copies)
{
	size_t count;
	const struct dvm_trace_record *t = dvm_trace_records(r->trace, &count);
	uint32_t current[64] = { 0 };

	memset(o, 0, sizeof(*o));
	o->run = r;
	o->tasks = dvm_trace_get_ids(r->trace).tasks;
	o->records = (uint32_t)count;
	o->want = calloc(count + 1, sizeof(*o->want));
	o->begin = calloc(o->tasks + 2, sizeof(*o->begin));
	o->seen = calloc((size_t)o->tasks * copies + 1, sizeof(*o->seen));
	o->at_ps = calloc(count * copies, sizeof(*o->at_ps));
	o->on = calloc(count, sizeof(*o->on));
	for (size_t i = 0; i < count; i++) {
		if (t[i].kind == DVM_TRACE_SWITCH)
			current[t[i].cpu] = t[i].task;
		if (is_step(&t[i], current[t[i].cpu])) {
			o->on[i] = current[t[i].cpu];
			o->begin[o->on[i] + 1]++;
		}
	}
	for (uint32_t n = 1; n <= o->tasks + 1; n++)
		o->begin[n] += o->begin[n - 1];
	for (size_t i = 0; i < count; i++)
		if (o->on[i])
			o->want[o->begin[o->on[i]] + o->seen[o->on[i]]++] = (uint32_t)i;
	memset(o->seen, 0, (o->tasks + 1) * sizeof(*o->seen));
}

static void order_fini(struct order *o)
{
	free(o->want);
	free(o->begin);
	free(o->seen);
	free(o->at_ps);
	free(o->on);
}

static void order_event(void *arg, const struct dvm_sim_event *e)
{
	struct order *o = arg;
	const struct dvm_sim *s = o->run->sim;
	uint32_t task = (e->task - 1) % o->tasks + 1, copy = (e->task - 1) / o->tasks, at;
	unsigned here = 0;

	if (e->kind != DVM_SIM_RECORD)
		return;
	for (unsigned c = 0; c < s->cpus_used; c++)
		here += s->cpus[c].task == e->task;
	ck_assert_msg(here == 1, "task %u is on %u CPUs", e->task, here);
	at = o->begin[task] + o->seen[e->task];
	/* A record may begin again: it waited for a lock, or went to another CPU for exec. */
	if (o->seen[e->task] && o->want[at - 1] == e->record)
		return;
	ck_assert_msg(at < o->begin[task + 1] && o->want[at] == e->record,
		      "task %u executes record %u", e->task, e->record);
	o->seen[e->task]++;
	o->at_ps[(size_t)copy * o->records + e->record] = e->time_ps;
	o->count++;
}

/* Every task executed all its records; whoever waited for a wake-up began after it. */
static void check_order(const struct order *o, unsigned copies)
{
	size_t count;
	const struct dvm_trace_record *t = dvm_trace_records(o->run->trace, &count);
	struct dvm_trace_ids ids = dvm_trace_get_ids(o->run->trace);
	size_t *wakes = calloc(ids.wakes + 1, sizeof(*wakes));

	for (uint32_t task = 1; task <= o->tasks * copies; task++) {
		uint32_t n = (task - 1) % o->tasks + 1;

		ck_assert_uint_eq(o->seen[task], o->begin[n + 1] - o->begin[n]);
	}
	for (size_t i = 0; i < count; i++) {
		if (t[i].kind == DVM_TRACE_WAKE)
			wakes[t[i].id] = i;
		if (t[i].kind != DVM_TRACE_SWITCH || !t[i].task || !t[i].id || !o->on[wakes[t[i].id]])
			continue;
		for (uint32_t at = o->begin[t[i].task]; at < o->begin[t[i].task + 1]; at++) {
			if (o->want[at] < i)
				continue;
			for (unsigned k = 0; k < copies; k++)
				ck_assert_uint_ge(o->at_ps[(size_t)k * count + o->want[at]],
						  o->at_ps[(size_t)k * count + wakes[t[i].id]]);
			break;
		}
	}
	free(wakes);
}

static const struct {
	const char *trace, *workload, *part, *kernel, *strategy;
	unsigned copies;
	uint64_t migrations;
} orders[] = {
	{ "fork", NULL, "teaching-4", "linux-6.12-debian", "always-broadcast", 1, 0 },
	{ "munmap", NULL, "teaching-4", "linux-6.12-debian", "always-broadcast", 1, 0 },
	{ "redis", NULL, "teaching-4", "linux-6.12-debian", "always-broadcast", 1, 0 },
	{ "redis", NULL, "phytium-ftc862-8", "linux-7.1-preempt-full", "active-cpu-v2", 2, 1000 },
	{ "fork", NULL, "phytium-ftc862-8", "linux-7.1-preempt-rt", "recheck", 2, 1000 },
	{ NULL, "fork:forks=50", "neoverse-n1-80", "linux-7.1", "active-cpu-v2", 40, 0 },
	{ NULL, "redis:batches=50", "neoverse-n1-128", "linux-6.6", "cpumask-ipi", 42, 0 },
	{ NULL, "tlb-shootdown:cpus=4,loops=5", "teaching-4", "linux-7.1", "restartable", 1, 5000 },
	{ NULL, "mmap:loops=20", "teaching-4", "linux-7.1", "tlb-modes", 2, 5000 },
};

START_TEST(tasks_keep_their_own_order_and_that_of_wake_ups)
{
	struct order o;
	struct run r;

	run_init(&r);
	run_hw(&r, orders[_i].part);
	run_kernel(&r, orders[_i].kernel);
	run_shipped(&r, orders[_i].strategy);
	if (orders[_i].trace)
		run_load(&r, orders[_i].trace);
	else
		run_workload(&r, orders[_i].workload);
	order_init(&o, &r, orders[_i].copies);
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.forced_migrations_hz = orders[_i].migrations;
	r.options.observer = order_event;
	r.options.observer_arg = &o;
	run_go(&r, orders[_i].copies, 1);
	ck_assert_msg(!r.ret, "%s", r.err.text);
	check_order(&o, orders[_i].copies);
	ck_assert_uint_gt(o.count, 0);
	ck_assert_ptr_null(dvmi_sched_check(&r.sim->guests->sched));
	order_fini(&o);
	run_fini(&r);
}
END_TEST

/* ---- everything comes to its end ---- */

static const char *const parts[] = { "teaching-4", "phytium-ftc862-8", "neoverse-n1-80",
				     "neoverse-n1-128" };
static const char *const safe[] = {
	"active-cpu-dsb-ish", "active-cpu-preempt-disable", "active-cpu-skip-unused", "active-cpu-v1",
	"active-cpu-v2", "active-cpu-v2-plain-load", "active-cpu-v2-reset", "always-broadcast",
	"cpumask-ipi", "ipi-always", "nr-active-v2", "nr-active-v2-dsb", "recheck",
	"recheck-optimistic", "recheck-own", "restartable", "stale-mask-v1", "tlb-modes",
};
static const char *const small[] = {
	"fork:forks=4", "mmap:loops=4", "mprotect:loops=4", "redis:batches=4,snapshot_every=2",
	"tlb-shootdown:cpus=4,loops=2",
};
static const char *const shipped[] = {
	"build", "compact", "exec", "fork", "idle", "java", "madvise", "mprotect", "munmap", "numa",
	"redis", "redis-1-5", "redis-5-1", "redis-accesses", "redis-snapshots", "sort",
	"sort-accesses", "sqlite", "sqlite-accesses", "stress-tlb", "stress-vm", "swap", "thp",
};

/* Recheck loses its bet only if it is moved inside a flush; here nobody forces it. */
static void ends(size_t part, size_t strategy, const char *workload, const char *trace)
{
	static const char *const kernels[] = { "linux-6.6", "linux-7.1", "linux-7.1-preempt-full",
					       "linux-7.1-preempt-rt" };
	struct run r;

	run_init(&r);
	run_hw(&r, parts[part]);
	run_kernel(&r, kernels[(part + strategy) % COUNT(kernels)]);
	run_shipped(&r, safe[strategy]);
	if (trace)
		run_load(&r, trace);
	else
		run_workload(&r, workload);
	r.options.schedule = DVM_SIM_SIMULATED;
	run_go(&r, trace ? 1 : 0, 1);
	ck_assert_msg(!r.ret, "%s, %s, %s: %s", safe[strategy], parts[part],
		      trace ? trace : workload, r.err.text);
	run_fini(&r);
}

START_TEST(every_generator_ends_under_every_strategy_on_every_part)
{
	for (size_t part = 0; part < COUNT(parts); part++)
		for (size_t w = 0; w < COUNT(small); w++)
			ends(part, (size_t)_i, small[w], NULL);
}
END_TEST

/* One trace under each strategy; all of them with DVMSIM_LONG. */
START_TEST(every_trace_ends_under_every_strategy)
{
	for (size_t n = 0; n < COUNT(shipped); n++)
		if (n % COUNT(safe) == (size_t)_i || getenv("DVMSIM_LONG"))
			ends(1 + (n + (size_t)_i) % (COUNT(parts) - 1), (size_t)_i, NULL, shipped[n]);
}
END_TEST

/* ---- costs ---- */

#define WAKE(c, n, to, w) { .kind = DVM_TRACE_WAKE, .cpu = (c), .task = (to), .id = (w), .target = (n) }
#define ON_WAKE(c, n, w) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (n), .mm = (n), .id = (w) }

/* Task 1 wakes task 2, which sleeps on an idle CPU. */
static const struct dvm_trace_record waking[] = {
	MM(1), TASK(1), MM(2), TASK(2), ON(0, 1), RUN(0, 1, 50000), WAKE(0, 1, 2, 1),
	RUN(0, 1, 100000), ON_WAKE(1, 2, 1), RUN(1, 2, 10000),
};

static uint64_t wake_latency(const char *path, uint64_t more)
{
	uint64_t ps;
	struct run r;

	run_init(&r);
	run_set(&r, path, 3000000 + more);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, waking, COUNT(waking));
	r.options.schedule = DVM_SIM_SIMULATED;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	/* Task 1 itself was runnable at once: its wait depends on nothing that changes here. */
	ck_assert_uint_eq(r.stats->wakeups, 2);
	ps = r.stats->wake_latency.max_ps;
	run_fini(&r);
	return ps;
}

static const char *const wake_costs[] = { "ipi.deliver_ps", "kernel.idle_exit_ps", "kernel.wakeup_ps",
					  "kernel.context_switch_ps", "kernel.mm_switch_ps" };

START_TEST(a_wake_up_costs_its_way_to_the_idle_cpu)
{
	ck_assert_uint_eq(wake_latency(wake_costs[_i], 70000),
			  wake_latency(wake_costs[_i], 0) + 70000);
}
END_TEST

/* ---- ticks ---- */

START_TEST(the_tick_hook_runs_at_every_tick)
{
	struct dvm_trace_record t[] = { MM(1), TASK(1), ON(0, 1), RUN(0, 1, 40500000) };
	struct run r;

	run_init(&r);
	run_strategy(&r, "strategy b\nword cpu.n = 0\non flush:\n dsb ishst\n asid\n tlbi is\n"
			 " sync ish\n ret\non tick:\n ld a, cpu.n\n add a, a, 1\n st cpu.n, a\n ret\n");
	run_trace(&r, 1, t, COUNT(t));
	r.options.schedule = DVM_SIM_SIMULATED;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	/* 4 ms each, within 40.5 ms. */
	ck_assert_uint_eq(r.stats->ticks, 10);
	/* Each adds to a word of its CPU: there is no other hook that counts as book-keeping. */
	ck_assert_uint_ge(r.stats->switch_ps, 10 * 2 * run_params(&r)->line_local_ps);
	run_fini(&r);
}
END_TEST

/* ---- a CPU goes ---- */

struct offline {
	uint32_t cpu;
	uint64_t last_ps, count;
};

static void offline_event(void *arg, const struct dvm_sim_event *e)
{
	struct offline *o = arg;

	if (e->kind != DVM_SIM_RECORD || e->cpu != o->cpu)
		return;
	o->count++;
	o->last_ps = e->time_ps;
}

START_TEST(nothing_runs_on_a_cpu_that_has_gone)
{
	struct offline o = { .cpu = 1 };
	struct run r;

	run_init(&r);
	run_shipped(&r, "active-cpu-v2");
	run_workload(&r, "tlb-shootdown:cpus=4");
	r.options.schedule = DVM_SIM_SIMULATED;
	r.options.offline_cpu = 1;
	r.options.offline_ps = UINT64_C(2000000000);
	r.options.observer = offline_event;
	r.options.observer_arg = &o;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_gt(o.count, 0);
	/* Within an operation's time of the order to go. */
	ck_assert_uint_lt(o.last_ps, UINT64_C(2200000000));
	ck_assert_uint_gt(r.stats->elapsed_ps, UINT64_C(2500000000));
	ck_assert_uint_gt(r.stats->moves[DVM_SIM_HOTPLUG], 0);
	run_fini(&r);
}
END_TEST

/* ---- the same again ---- */

static const char *const repeated[] = { "redis:batches=60", "fork:forks=40", "tlb-shootdown:cpus=4" };

START_TEST(the_same_options_give_the_same_statistics)
{
	struct dvm_stats first;
	struct run r;

	for (int i = 0; i < 2; i++) {
		run_init(&r);
		run_hw(&r, "neoverse-n1-80");
		run_shipped(&r, "active-cpu-v2");
		run_workload(&r, repeated[_i]);
		r.options.schedule = DVM_SIM_SIMULATED;
		r.options.forced_migrations_hz = 2000;
		run_go(&r, 5, 7);
		ck_assert_int_eq(r.ret, 0);
		if (!i)
			first = *r.stats;
		ck_assert_mem_eq(&first, r.stats, sizeof(first));
		run_fini(&r);
	}
}
END_TEST

/* ---- running ahead ---- */

#define READERS 6
#define ACCESSES 3000

static void add_accesses(struct run *r)
{
	uint64_t a[ACCESSES];

	for (uint64_t i = 0; i < ACCESSES; i++)
		a[i] = 0x10000000 + i * 7919 % 997 * 4096;
	ck_assert_int_eq(dvm_trace_append_accesses(r->trace, a, ACCESSES, &r->err), 0);
}

START_TEST(running_ahead_changes_nothing)
{
	struct dvm_stats strict;
	struct run r;

	for (int i = 0; i < 2; i++) {
		run_init(&r);
		run_kernel(&r, "linux-7.1-preempt-full");
		run_shipped(&r, "active-cpu-v2");
		run_trace(&r, READERS, NULL, 0);
		add_accesses(&r);
		for (uint16_t p = 1; p <= READERS; p++) {
			struct dvm_trace_record t[] = {
				MM(p), TASK(p), ON((uint16_t)(p - 1), p),
				FLUSH_RANGE((uint16_t)(p - 1), p, 20, DVM_TRACE_OP_MUNMAP),
				{ .kind = DVM_TRACE_ACCESS_RUN, .cpu = (uint16_t)(p - 1), .task = p,
				  .mm = p, .va = 0, .amount = ACCESSES },
				FLUSH_RANGE((uint16_t)(p - 1), p, 3, DVM_TRACE_OP_MUNMAP),
				{ .kind = DVM_TRACE_ACCESS_RUN, .cpu = (uint16_t)(p - 1), .task = p,
				  .mm = p, .va = p * 100u, .amount = ACCESSES - p * 200u },
			};

			ck_assert_int_eq(dvm_trace_append(r.trace, t, COUNT(t), &r.err), 0);
		}
		r.options.schedule = DVM_SIM_SIMULATED;
		r.options.forced_migrations_hz = 50000;
		r.options.strict_order = !i;
		run_hw(&r, "phytium-ftc862-8");
		run_go(&r, 1, 1);
		ck_assert_int_eq(r.ret, 0);
		if (!i)
			strict = *r.stats;
		ck_assert_mem_eq(&strict, r.stats, sizeof(strict));
		ck_assert_uint_gt(r.stats->moves[DVM_SIM_AFFINITY], 0);
		run_fini(&r);
	}
}
END_TEST

/* ---- what is refused ---- */

START_TEST(options_that_mean_nothing_are_refused)
{
	struct dvm_sim_options o = { .size = sizeof(o), .copies = 1 };
	struct dvm_sim *sim = NULL;
	struct run r;

	run_init(&r);
	run_strategy(&r, BROADCAST);
	run_trace(&r, 2, waking, COUNT(waking));
	o.hw = r.hw;
	o.kernel = r.kernel;
	o.strategy = r.strategy;
	o.trace = r.trace;
	o.forced_migrations_hz = 5;
	ck_assert_int_eq(dvm_sim_new(&o, &sim, NULL), -DVM_EINVAL);
	o.schedule = DVM_SIM_SIMULATED;
	o.forced_migrations_hz = 1000001;
	ck_assert_int_eq(dvm_sim_new(&o, &sim, NULL), -DVM_EINVAL);
	o.forced_migrations_hz = 0;
	o.offline_ps = 1;
	o.offline_cpu = 4;
	ck_assert_int_eq(dvm_sim_new(&o, &sim, NULL), -DVM_EINVAL);
	o.offline_ps = 0;
	o.schedule = DVM_SIM_SIMULATED + 1;
	ck_assert_int_eq(dvm_sim_new(&o, &sim, NULL), -DVM_EINVAL);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "order");

	tcase_add_loop_test(tc, tasks_keep_their_own_order_and_that_of_wake_ups, 0, COUNT(orders));
	tcase_add_loop_test(tc, the_same_options_give_the_same_statistics, 0, COUNT(repeated));
	tcase_add_test(tc, running_ahead_changes_nothing);

	tc = check_case(suite, "ends");
	tcase_add_loop_test(tc, every_generator_ends_under_every_strategy_on_every_part, 0,
			    COUNT(safe));
	tcase_add_loop_test(tc, every_trace_ends_under_every_strategy, 0, COUNT(safe));

	tc = check_case(suite, "moments");
	tcase_add_loop_test(tc, a_wake_up_costs_its_way_to_the_idle_cpu, 0, COUNT(wake_costs));
	tcase_add_test(tc, the_tick_hook_runs_at_every_tick);
	tcase_add_test(tc, nothing_runs_on_a_cpu_that_has_gone);
	tcase_add_test(tc, options_that_mean_nothing_are_refused);
}

CHECK_MAIN("sim schedule", add_cases)
