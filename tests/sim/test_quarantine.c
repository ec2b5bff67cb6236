/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "run.h"

#include <stdio.h>

/*
 * Strategies whose flushes promise something later than at their return (docs/model.md, "The oracle"):
 * what a flush gives up is reused so many ticks after it returned. The tick is set to 1 ms here.
 */

#define THREAD(n, c) { .kind = DVM_TRACE_TASK_NEW, .cpu = (c), .task = (n), .mm = 1, \
		       .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD }
#define ON_MM1(c, n) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (n), .mm = 1 }
#define SLEEP(c, ns) { .kind = DVM_TRACE_SLEEP, .cpu = (c), .amount = (ns) }

static void add(struct run *r, const struct dvm_trace_record *t, size_t count)
{
	ck_assert_int_eq(dvm_trace_append(r->trace, t, count, &r->err), 0);
}

static void add_runs(struct run *r, uint16_t cpu, uint32_t task, unsigned tenths_of_ms)
{
	const struct dvm_trace_record t = RUN(cpu, task, 100000);

	for (unsigned i = 0; i < tenths_of_ms; i++)
		add(r, &t, 1);
}

/* Thread 1 of mm 1 on CPU 0 and thread 2 on CPU 1; each has run for 0.1 ms. */
static void begin(struct run *r)
{
	const struct dvm_trace_record t[] = { MM(1), TASK(1), THREAD(2, 1), ON_MM1(0, 1),
					      RUN(0, 1, 100000), ON_MM1(1, 2), RUN(1, 2, 100000) };

	run_set_kernel(r, "sched_tick_hz", 1000);
	run_trace(r, 2, t, COUNT(t));
	r->options.schedule = DVM_SIM_SIMULATED;
}

static void munmap_pages(struct run *r, uint64_t pages, uint8_t cause)
{
	const struct dvm_trace_record t[] = { FLUSH_RANGE(0, 1, pages, cause), RUN(0, 1, 1000) };

	add(r, t, COUNT(t));
}

/*
 * A strategy that never reaches CPU 1, so that only the quarantine excuses it: the flush returns at
 * 0.1 ms and a little, and thread 2 runs for so long.
 */
static const struct {
	unsigned ticks, tenths_of_ms;
	int ret;
} ends[] = {
	{ 1, 9, 0 }, { 1, 13, -DVM_EUNSAFE }, { 2, 19, 0 }, { 2, 23, -DVM_EUNSAFE },
	{ 5, 49, 0 }, { 5, 53, -DVM_EUNSAFE },
};

START_TEST(a_translation_may_be_used_until_its_quarantine_ends)
{
	char text[256];
	struct run r;

	snprintf(text, sizeof(text), "strategy t\nquarantine %u ticks\non tick:\n ret\non flush:\n"
		 " dsb ishst\n asid\n tlbi local\n dsb nsh\n ret\n", ends[_i].ticks);
	run_init(&r);
	run_strategy(&r, text);
	begin(&r);
	munmap_pages(&r, 1, DVM_TRACE_OP_MUNMAP);
	add_runs(&r, 1, 2, ends[_i].tenths_of_ms);
	run_go(&r, 1, 1);
	ck_assert_msg(r.ret == ends[_i].ret, "%s", r.err.text);
	run_fini(&r);
}
END_TEST

/*
 * The same with exact TLBs: single translations are judged. CPU 1 has used the page before, and uses it,
 * or another one that was not freed, so long after the flush; the quarantine lasts one tick.
 */
static const struct {
	unsigned tenths_of_ms;
	uint64_t va;
	int ret;
} accesses[] = {
	{ 7, 0x10000000, 0 }, { 13, 0x10000000, -DVM_EUNSAFE }, { 13, 0x10001000, 0 },
};

START_TEST(exact_tlbs_wait_for_the_quarantine_too)
{
	const uint64_t pages[] = { 0x10000000, 0x10001000, accesses[_i].va };
	const struct dvm_trace_record first = { .kind = DVM_TRACE_ACCESS_RUN, .cpu = 1, .task = 2,
						.mm = 1, .amount = 2 };
	const struct dvm_trace_record last = { .kind = DVM_TRACE_ACCESS_RUN, .cpu = 1, .task = 2,
					       .mm = 1, .va = 2, .amount = 1 };

	for (unsigned strict = 0; strict < 2; strict++) {
		struct run r;

		run_init(&r);
		run_strategy(&r, "strategy t\nquarantine 1 ticks\non tick:\n ret\non flush:\n"
				 " dsb ishst\n asid\n tlbi local\n dsb nsh\n ret\n");
		begin(&r);
		ck_assert_int_eq(dvm_trace_append_accesses(r.trace, pages, 3, &r.err), 0);
		add(&r, &first, 1);
		add_runs(&r, 0, 1, 2);
		munmap_pages(&r, 1, DVM_TRACE_OP_MUNMAP);
		add_runs(&r, 1, 2, 2 + accesses[_i].tenths_of_ms);
		add(&r, &last, 1);
		r.options.strict_order = strict;
		run_go(&r, 1, 1);
		ck_assert_msg(r.ret == accesses[_i].ret, "%s", r.err.text);
		run_fini(&r);
	}
}
END_TEST

/* latr drops them in time, where CPU 1 ticks; a tick that is stopped (nohz_full) drops nothing. */
START_TEST(a_cpu_without_ticks_keeps_its_entries)
{
	struct run r;

	run_init(&r);
	run_set_kernel(&r, "sched_nohz_full", (uint64_t)_i);
	run_shipped(&r, "latr");
	begin(&r);
	munmap_pages(&r, 1, DVM_TRACE_OP_MUNMAP);
	add_runs(&r, 1, 2, 40);
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, _i ? -DVM_EUNSAFE : 0);
	run_fini(&r);
}
END_TEST

/* An idle CPU has no ticks either: it must sweep when it comes back to the mm it kept. */
static const struct {
	const char *strategy;
	int ret;
} idlers[] = { { "latr", 0 }, { "selftest-no-sweep", -DVM_EUNSAFE } };

START_TEST(a_cpu_that_idled_through_the_quarantine_must_sweep)
{
	const struct dvm_trace_record t[] = { IDLE(1), SLEEP(1, 5000000), ON_MM1(1, 2),
					      RUN(1, 2, 100000), RUN(1, 2, 100000) };
	struct run r;

	run_init(&r);
	run_shipped(&r, idlers[_i].strategy);
	begin(&r);
	munmap_pages(&r, 1, DVM_TRACE_OP_MUNMAP);
	add_runs(&r, 0, 1, 80);
	add(&r, t, COUNT(t));
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, idlers[_i].ret);
	run_fini(&r);
}
END_TEST

/* Three munmaps of 5 pages within two ticks, then two more when these are over: 15 at most. */
START_TEST(pages_wait_for_their_quarantine)
{
	struct run r;

	run_init(&r);
	run_shipped(&r, "latr");
	begin(&r);
	for (unsigned i = 0; i < 3; i++)
		munmap_pages(&r, 5, DVM_TRACE_OP_MUNMAP);
	add_runs(&r, 0, 1, 30);
	for (unsigned i = 0; i < 2; i++)
		munmap_pages(&r, 5, DVM_TRACE_OP_MUNMAP);
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->quarantined, 5);
	ck_assert_uint_eq(r.stats->quarantine_pages, 15);
	run_fini(&r);
}
END_TEST

/*
 * Only what gives pages up may wait. Less permission, a copy, memory that moves must be known at once;
 * a recorded madvise() does not say which it was.
 */
static const struct {
	uint8_t cause;
	bool waits;
} causes[] = {
	{ DVM_TRACE_OP_MUNMAP, true },	  { DVM_TRACE_OP_OOM_REAP, true },
	{ DVM_TRACE_OP_MPROTECT, false }, { DVM_TRACE_OP_FAULT_COW, false },
	{ DVM_TRACE_OP_MREMAP, false },	  { DVM_TRACE_OP_MADVISE, false },
	{ DVM_TRACE_OP_FORK, false },
};

START_TEST(only_flushes_that_give_pages_up_wait)
{
	struct run r;

	run_init(&r);
	run_shipped(&r, "latr");
	begin(&r);
	munmap_pages(&r, 1, causes[_i].cause);
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_uint_eq(r.stats->quarantined, causes[_i].waits);
	ck_assert_uint_eq(r.stats->flushes_local, causes[_i].waits);
	ck_assert_uint_eq(r.stats->flushes_broadcast, !causes[_i].waits);
	run_fini(&r);
}
END_TEST

/* MADV_DONTNEED gives pages up, MADV_FREE only makes them clean: what is written then must be seen. */
START_TEST(madv_free_is_not_lazy)
{
	char spec[64];
	struct run r;

	run_init(&r);
	run_hw(&r, "phytium-ftc862-8");
	run_shipped(&r, "latr");
	snprintf(spec, sizeof(spec), "madvise:loops=20,free=%d", _i);
	run_workload(&r, spec);
	r.options.schedule = DVM_SIM_SIMULATED;
	run_go(&r, 1, 1);
	ck_assert_int_eq(r.ret, 0);
	ck_assert_int_eq(r.stats->quarantined > 0, !_i);
	run_fini(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "quarantine");

	tcase_add_loop_test(tc, a_translation_may_be_used_until_its_quarantine_ends, 0, COUNT(ends));
	tcase_add_loop_test(tc, exact_tlbs_wait_for_the_quarantine_too, 0, COUNT(accesses));
	tcase_add_loop_test(tc, a_cpu_without_ticks_keeps_its_entries, 0, 2);
	tcase_add_loop_test(tc, a_cpu_that_idled_through_the_quarantine_must_sweep, 0,
			    COUNT(idlers));
	tcase_add_test(tc, pages_wait_for_their_quarantine);
	tcase_add_loop_test(tc, only_flushes_that_give_pages_up_wait, 0, COUNT(causes));
	tcase_add_loop_test(tc, madv_free_is_not_lazy, 0, 2);
}

CHECK_MAIN("sim_quarantine", add_cases)
