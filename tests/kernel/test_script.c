/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "kernel/script.h"

#include <string.h>

/*
 * What lies between two stints of a task on CPUs, by the table of kernel/script.h. Task 1 runs on
 * CPU 0, task 2 on CPU 1; a case is what happens between two RUN records of task 2.
 */

#define AT(ns) .time_ns = (ns)
#define ON(c, n) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (n), AT(1000) }
#define ON_WAKE(c, n, w) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (n), .id = (w), AT(1000) }
#define IDLE(c) { .kind = DVM_TRACE_SWITCH, .cpu = (c), AT(1000) }
#define RUN(c, n) { .kind = DVM_TRACE_RUN, .cpu = (c), .task = (n), .amount = 5, AT(1000) }
#define SLEEP(c, ns, f) { .kind = DVM_TRACE_SLEEP, .cpu = (c), .amount = (ns), .flags = (f), \
			  AT(1000) }
#define WAKE_AT(c, n, w, ns) { .kind = DVM_TRACE_WAKE, .cpu = (c), .task = (n), .id = (w), \
			       AT(ns), .target = 1 }
#define INFERRED DVM_TRACE_F_INFERRED
#define BETWEEN 5

static const struct {
	struct dvm_trace_record between[BETWEEN];
	char want[8]; /* steps of task 2: r(ecord), w(ait), s(leep) */
	uint64_t sleep_ns;
} cases[] = {
	/* Preempted by nobody, by another task, pulled to another CPU: nothing. */
	{ { ON(1, 3), ON(1, 2), RUN(1, 2) }, "rr", 0 },
	{ { IDLE(1), ON(1, 2), RUN(1, 2) }, "rr", 0 },
	{ { ON(1, 3), SLEEP(2, 700, INFERRED), ON(2, 2), RUN(2, 2) }, "rr", 0 },
	/* A task woke it, before or after it left its CPU. */
	{ { IDLE(1), WAKE_AT(0, 2, 1, 1000), ON_WAKE(1, 2, 1), RUN(1, 2) }, "rwr", 0 },
	{ { WAKE_AT(0, 2, 1, 1000), IDLE(1), ON_WAKE(1, 2, 1), RUN(1, 2) }, "rwr", 0 },
	/* A timer: the idle CPU sleeps and goes on with it, or wakes it. */
	{ { IDLE(1), SLEEP(1, 700, 0), ON(1, 2), RUN(1, 2) }, "rsr", 700 },
	{ { IDLE(1), SLEEP(1, 700, INFERRED), ON(1, 2), RUN(1, 2) }, "rsr", 700 },
	{ { IDLE(1), SLEEP(1, 300, 0), SLEEP(1, 400, 0), ON(1, 2), RUN(1, 2) }, "rsr", 700 },
	{ { IDLE(1), WAKE_AT(1, 2, 1, 1700), ON_WAKE(1, 2, 1), RUN(1, 2) }, "rsr", 700 },
	{ { IDLE(1), WAKE_AT(2, 2, 1, 1700), ON_WAKE(1, 2, 1), RUN(1, 2) }, "rsr", 700 },
	/* The timer fired before it slept. */
	{ { WAKE_AT(2, 2, 1, 900), IDLE(1), ON_WAKE(1, 2, 1), RUN(1, 2) }, "rr", 0 },
	/* A sleep of a CPU whose task stays. */
	{ { SLEEP(1, 700, 0), RUN(1, 2) }, "rsr", 700 },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct dvm_trace_record before[] = {
	{ .kind = DVM_TRACE_TASK_NEW, .task = 1, .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_KTHREAD },
	{ .kind = DVM_TRACE_TASK_NEW, .task = 2, .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_KTHREAD },
	{ .kind = DVM_TRACE_TASK_NEW, .task = 3, .flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_KTHREAD },
	{ .kind = DVM_TRACE_SWITCH, .cpu = 0, .task = 1, .flags = DVM_TRACE_F_INITIAL },
	ON(1, 2), RUN(0, 1), RUN(1, 2),
};

static struct dvm_trace *make(const struct dvm_trace_record *between)
{
	static const char header[] = "{\"format\":\"dvmsim.trace/1\",\"source\":\"test\",\"ncpus\":3,"
				     "\"page_bytes\":4096,\"va_bits\":48}";
	struct dvm_trace *trace = NULL;
	size_t n = 0;

	while (n < BETWEEN && between[n].kind)
		n++;
	ck_assert_int_eq(dvm_trace_new(header, &trace, NULL), 0);
	ck_assert_int_eq(dvm_trace_append(trace, before, COUNT(before), NULL), 0);
	ck_assert_int_eq(dvm_trace_append(trace, between, n, NULL), 0);
	return trace;
}

START_TEST(what_lies_between_two_stints)
{
	struct dvm_trace *trace = make(cases[_i].between);
	struct dvmi_scripts s;
	const struct dvmi_script *t;
	uint64_t slept = 0;
	char got[8] = "";
	size_t n = 0;

	ck_assert_int_eq(dvmi_scripts_init(&s, trace, NULL), 0);
	t = &s.tasks[2];
	for (uint32_t i = t->begin; i < t->end && n < sizeof(got) - 1; i++) {
		uint32_t kind = s.steps[i] & DVMI_STEP_KIND, index = s.steps[i] & DVMI_STEP_INDEX;

		got[n++] = kind == DVMI_STEP_RECORD ? 'r' : kind == DVMI_STEP_WAIT ? 'w' : 's';
		slept += kind == DVMI_STEP_SLEEP ? s.sleeps[index] : 0;
	}
	ck_assert_str_eq(got, cases[_i].want);
	ck_assert_uint_eq(slept, cases[_i].sleep_ns);
	dvmi_scripts_fini(&s);
	dvm_trace_free(trace);
}
END_TEST

START_TEST(a_kernel_thread_that_never_moved_is_bound)
{
	static const struct dvm_trace_record moved[BETWEEN] = { IDLE(1), ON(2, 2), RUN(2, 2) };
	struct dvm_trace *trace = make(moved);
	struct dvmi_scripts s;

	ck_assert_int_eq(dvmi_scripts_init(&s, trace, NULL), 0);
	ck_assert_uint_eq(s.tasks[1].bound, 0);
	ck_assert_uint_eq(s.tasks[2].bound, DVMI_SCRIPT_ANY);
	ck_assert_uint_eq(s.tasks[3].bound, DVMI_SCRIPT_ANY);
	ck_assert(s.tasks[1].running && !s.tasks[2].running && !s.tasks[3].ran);
	ck_assert_uint_eq(s.start_count, 3);
	dvmi_scripts_fini(&s);
	dvm_trace_free(trace);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "scripts");

	tcase_add_loop_test(tc, what_lies_between_two_stints, 0, COUNT(cases));
	tcase_add_test(tc, a_kernel_thread_that_never_moved_is_bound);
}

CHECK_MAIN("kernel script", add_cases)
