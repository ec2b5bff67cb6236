/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include <dvmsim/trace.h>

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Two CPUs; task 1 with mm 1 on CPU 0, kernel thread 2, task 3 with mm 3, mm 4 without a task. */
#define START                                                                                      \
	"dvmsim-trace-text 1\n{\"format\":\"dvmsim.trace/1\",\"source\":\"t\",\"ncpus\":2,"        \
	"\"page_bytes\":4096,\"va_bits\":48,\"marks\":[\"work\"]}\nrecords\n"                      \
	"0 cpu0 mm-new mm=1 flags=initial\n0 cpu0 mm-new mm=3 flags=initial\n"                     \
	"0 cpu0 mm-new mm=4 flags=initial\n0 cpu0 task-new task=1 mm=1 flags=initial\n"            \
	"0 cpu0 task-new task=2 flags=initial+kthread\n"                                           \
	"0 cpu0 task-new task=3 mm=3 flags=initial\n"                                              \
	"0 cpu0 switch task=1 mm=1 flags=initial\n0 cpu1 switch flags=initial\n"
#define START_RECORDS 8
#define FLUSH " flush request=page va=0x1000 n=1 stride=12 level=3 op=munmap "

static struct dvm_trace *parse(const char *body)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *t = NULL;
	char text[4096];

	snprintf(text, sizeof(text), START "%saccesses\nend\n", body);
	ck_assert_msg(!dvm_trace_parse_text("t", text, strlen(text), &t, &err), "line %u: %s",
		      err.line, err.text);
	return t;
}

/* Each rule: a trace that keeps it, one that breaks it, which record breaks it, a word of why. */
static const struct {
	const char *good, *bad;
	unsigned record;
	const char *word;
} rules[] = {
	/* a flush belongs to a live mm */
	{ "1 cpu0" FLUSH "task=1 mm=1\n2 cpu0 mm-exit mm=1\n",
	  "1 cpu0 mm-exit mm=1\n2 cpu0" FLUSH "task=1 mm=1\n", 1, "does not exist" },
	/* a flush without "foreign" is of the task's own mm */
	{ "1 cpu0" FLUSH "task=1 mm=3 flags=foreign\n", "1 cpu0" FLUSH "task=1 mm=3\n", 0,
	  "foreign" },
	/* the task that flushes runs there */
	{ "1 cpu0" FLUSH "task=1 mm=1\n", "1 cpu1" FLUSH "task=1 mm=1\n", 0, "runs on this CPU" },
	{ "1 cpu0 run task=1 n=5\n", "1 cpu0 run task=3 n=5\n", 0, "runs on this CPU" },
	/* a task is on one CPU at a time */
	{ "1 cpu0 switch\n2 cpu1 migrate task=1 target=1\n2 cpu1 switch task=1 mm=1\n",
	  "2 cpu1 switch task=1 mm=1\n", 0, "another CPU" },
	/* a task does not change its CPU without a migrate */
	{ "1 cpu0 switch\n2 cpu1 migrate task=1 target=1\n2 cpu1 switch task=1 mm=1\n",
	  "1 cpu0 switch\n2 cpu1 switch task=1 mm=1\n", 1, "migrate" },
	{ "1 cpu0 switch\n2 cpu1 migrate task=1 target=1\n",
	  "2 cpu1 migrate task=1 target=1\n", 0, "runs now" },
	{ "1 cpu0 switch\n2 cpu1 migrate task=1 target=1\n",
	  "1 cpu0 switch\n2 cpu1 migrate task=1 id=1 target=1\n", 1, "ran on" },
	/* a switch names the task's mm */
	{ "1 cpu1 switch task=3 mm=3\n", "1 cpu1 switch task=3 mm=1\n", 0, "not the task's" },
	{ "1 cpu1 switch task=2\n", "1 cpu1 switch task=3\n", 0, "not the task's" },
	{ "1 cpu0 mm-exit mm=3\n1 cpu1 switch task=3\n", "1 cpu1 switch task=3\n", 0, "task's" },
	/* time does not go back on a CPU; other CPUs have their own */
	{ "5 cpu0 run task=1 n=1\n4 cpu1 sleep n=1\n",
	  "5 cpu0 run task=1 n=1\n4 cpu0 run task=1 n=1\n", 1, "goes back" },
	/* wake-ups */
	{ "1 cpu0 wake task=3 id=1 target=1\n2 cpu1 switch task=3 mm=3 id=1\n",
	  "2 cpu1 switch task=3 mm=3 id=1\n2 cpu0 wake task=3 id=1 target=1\n", 0, "precedes" },
	{ "1 cpu0 wake task=3 id=1\n1 cpu0 wake task=2 id=2\n",
	  "1 cpu0 wake task=3 id=1\n1 cpu0 wake task=2 id=1\n", 1, "used already" },
	{ "1 cpu0 wake task=3 id=1\n2 cpu1 switch task=3 mm=3 id=1\n",
	  "1 cpu0 wake task=2 id=1\n2 cpu1 switch task=3 mm=3 id=1\n", 1, "another task" },
	{ "1 cpu0 wake id=1\n2 cpu1 switch task=3 mm=3 id=1\n3 cpu1 switch\n"
	  "4 cpu1 switch task=3 mm=3\n",
	  "1 cpu0 wake id=1\n2 cpu1 switch task=3 mm=3 id=1\n3 cpu1 switch\n"
	  "4 cpu1 switch task=3 mm=3 id=1\n", 3, "before" },
	{ "1 cpu0 wake task=3 id=1\n", "1 cpu0 wake task=3 id=7\n", 0, "larger than" },
	/* births and deaths */
	{ "1 cpu0 task-new task=9 mm=1 flags=thread\n", "1 cpu0 task-new task=3 mm=1\n", 0,
	  "exists already" },
	{ "1 cpu0 task-new task=9 mm=4\n", "1 cpu0 task-new task=9 mm=5\n", 0, "does not exist" },
	{ "1 cpu0 task-new task=9 flags=kthread\n", "1 cpu0 task-new task=9 mm=1 flags=kthread\n",
	  0, "kernel thread" },
	{ "1 cpu0 mm-new mm=5\n", "1 cpu0 mm-new mm=1\n", 0, "exists already" },
	{ "1 cpu0 mm-exit mm=4\n", "1 cpu0 mm-exit mm=4\n2 cpu0 mm-exit mm=4\n", 1, "not exist" },
	{ "1 cpu0 exec task=1 mm=4\n2 cpu0" FLUSH "task=1 mm=4\n",
	  "1 cpu0" FLUSH "task=1 mm=4\n1 cpu0 exec task=1 mm=4\n", 0, "foreign" },
	{ "1 cpu0 task-exit task=1\n2 cpu0 switch\n",
	  "1 cpu0 task-exit task=1\n2 cpu0 switch\n3 cpu0 switch task=1 mm=1\n", 2, "has ended" },
	{ "1 cpu0 task-exit task=1\n", "1 cpu0 task-exit task=3\n", 0, "runs on this CPU" },
	/* operations nest */
	{ "1 cpu0 op-begin task=1 op=munmap\n1 cpu0 op-begin task=1 op=fault\n"
	  "2 cpu0 op-end task=1 op=fault\n2 cpu0 op-end task=1 op=munmap\n",
	  "1 cpu0 op-begin task=1 op=munmap\n1 cpu0 op-begin task=1 op=fault\n"
	  "2 cpu0 op-end task=1 op=munmap\n2 cpu0 op-end task=1 op=fault\n", 2, "began last" },
	{ "", "1 cpu0 op-end task=1 op=fault\n", 0, "began last" },
	/* a batch is completed, except that of page aging */
	{ "1 cpu0" FLUSH "task=1 mm=1 flags=nosync\n2 cpu0 batch-flush task=1 mm=1\n",
	  "1 cpu0" FLUSH "task=1 mm=1 flags=nosync\n", 0, "batch-flush" },
	{ "1 cpu0 flush request=page va=0x1000 n=1 stride=12 op=young-clear task=1 mm=1 "
	  "flags=nosync\n", "1 cpu0" FLUSH "task=1 mm=1 flags=nosync\n", 0, "batch-flush" },
	/* queues are used by the task that runs there, on a unit it has */
	{ "1 cpu0 get task=1 id=1\n1 cpu0 put task=1 id=2\n", "1 cpu0 put task=1 id=2\n", 0,
	  "unit-begin" },
	{ "1 cpu0 unit-begin task=1 id=1\n1 cpu0 unit-end task=1\n", "1 cpu0 unit-end task=1\n", 0,
	  "unit-begin" },
	{ "1 cpu0 think task=1 n=5\n", "1 cpu0 think task=3 n=5\n", 0, "runs on this CPU" },
	/* a loop waits, and stays within one stay on a CPU */
	{ "1 cpu0 get task=1 id=1\n1 cpu0 run task=1 n=1\n1 cpu0 loop task=1 n=2\n",
	  "1 cpu0 get task=1 id=1\n1 cpu0 run task=1 n=1\n1 cpu0 loop task=1 n=1\n", 2, "get" },
	{ "1 cpu0 get task=1 id=1\n1 cpu0 loop task=1 n=1\n",
	  "1 cpu0 get task=1 id=1\n1 cpu0 loop task=1 n=4\n", 1, "before the switch" },
	/* what existed at the start comes first */
	{ "1 cpu0 mm-new mm=5\n", "1 cpu0 run task=1\n1 cpu0 mm-new mm=5 flags=initial\n", 1,
	  "initial" },
};

START_TEST(a_trace_that_keeps_the_rule_is_valid)
{
	struct dvm_trace *t = parse(rules[_i].good);
	struct dvm_error err = { 0 };

	ck_assert_msg(!dvm_trace_validate(t, &err), "record %llu: %s",
		      (unsigned long long)err.record, err.text);
	dvm_trace_free(t);
}
END_TEST

START_TEST(a_trace_that_breaks_the_rule_is_not)
{
	struct dvm_trace *t = parse(rules[_i].bad);
	struct dvm_error err = { 0 };

	ck_assert_int_eq(dvm_trace_validate(t, &err), -DVM_EFORMAT);
	ck_assert_uint_eq(err.record, START_RECORDS + rules[_i].record);
	ck_assert_msg(strstr(err.text, rules[_i].word) != NULL, "%s", err.text);
	dvm_trace_free(t);
}
END_TEST

#define RECORD .kind = DVM_TRACE_FLUSH, .task = 1, .mm = 1
/* Records that are wrong by themselves: dvm_trace_append() refuses them. */
static const struct dvm_trace_record wrong[] = {
	{ 0 },
	{ .kind = DVM_TRACE_KINDS },
	{ .kind = DVM_TRACE_SWITCH, .cpu = 2 },
	{ .kind = DVM_TRACE_SWITCH, .amount = 1 },
	{ .kind = DVM_TRACE_SWITCH, .mm = 1 },
	{ .kind = DVM_TRACE_SWITCH, .flags = DVM_TRACE_F_LEAF },
	{ .kind = DVM_TRACE_SWITCH, .reserved = 1 },
	{ .kind = DVM_TRACE_SWITCH, .task = DVM_TRACE_MAX_TASKS + 1 },
	{ .kind = DVM_TRACE_SWITCH, .time_ns = UINT64_MAX },
	{ .kind = DVM_TRACE_TASK_NEW },
	{ .kind = DVM_TRACE_MM_NEW },
	{ .kind = DVM_TRACE_EXEC, .task = 1 },
	{ .kind = DVM_TRACE_WAKE, .task = 1 },
	{ .kind = DVM_TRACE_WAKE, .id = 1, .target = 2 },
	{ .kind = DVM_TRACE_MIGRATE, .task = 1, .target = 1 },
	{ .kind = DVM_TRACE_RUN, .amount = (UINT64_C(1) << 40) + 1 },
	{ .kind = DVM_TRACE_MARK, .id = 1 },
	{ .kind = DVM_TRACE_ACCESS_RUN, .amount = 1 },
	{ .kind = DVM_TRACE_GET, .task = 1 },
	{ .kind = DVM_TRACE_GET, .id = 1 },
	{ .kind = DVM_TRACE_PUT, .task = 1, .id = DVM_TRACE_MAX_QUEUES + 1 },
	{ .kind = DVM_TRACE_UNIT_END, .task = 1, .id = 1 },
	{ .kind = DVM_TRACE_ARRIVE, .id = 1 },
	{ .kind = DVM_TRACE_ARRIVE, .flags = DVM_TRACE_F_INITIAL },
	{ .kind = DVM_TRACE_THINK, .task = 1, .amount = (UINT64_C(1) << 40) + 1 },
	{ .kind = DVM_TRACE_LOOP, .task = 1 },
	{ .kind = DVM_TRACE_OP_BEGIN },
	{ .kind = DVM_TRACE_OP_BEGIN, .op = DVM_TRACE_OPS },
	{ .kind = DVM_TRACE_OP_BEGIN, .op = 1, .va = UINT64_MAX, .amount = 1 },
	{ RECORD },
	{ RECORD, .request = DVM_TRACE_REQ_ASID, .level = 3 },
	{ RECORD, .request = DVM_TRACE_REQ_ASID, .level = 4, .va = 4096 },
	{ RECORD, .request = DVM_TRACE_REQ_RANGE, .level = 4, .stride_shift = 12 },
	{ RECORD, .request = DVM_TRACE_REQ_RANGE, .level = 5, .stride_shift = 12, .amount = 1 },
	{ RECORD, .request = DVM_TRACE_REQ_RANGE, .level = 4, .stride_shift = 11, .amount = 1 },
	{ RECORD, .request = DVM_TRACE_REQ_RANGE, .level = 4, .stride_shift = 12, .amount = 1,
	  .va = 1 },
	{ RECORD, .request = DVM_TRACE_REQ_RANGE, .level = 4, .stride_shift = 12, .amount = 2,
	  .va = (UINT64_C(1) << 48) - 4096 },
	{ RECORD, .request = DVM_TRACE_REQ_PAGE, .level = 4, .stride_shift = 12, .amount = 2 },
	{ RECORD, .request = DVM_TRACE_REQ_KERNEL, .level = 4, .stride_shift = 12, .amount = 1 },
	{ .kind = DVM_TRACE_FLUSH, .request = DVM_TRACE_REQ_PAGE, .level = 4, .stride_shift = 12,
	  .amount = 1 },
};

START_TEST(a_record_that_is_wrong_by_itself_is_refused)
{
	struct dvm_trace *t = parse("");
	size_t before, after;

	dvm_trace_records(t, &before);
	ck_assert_int_eq(dvm_trace_append(t, &wrong[_i], 1, NULL), -DVM_EINVAL);
	dvm_trace_records(t, &after);
	ck_assert_uint_eq(before, after);
	dvm_trace_free(t);
}
END_TEST

/* mm 1 runs on CPU 0, then also on CPU 1; mm 3 only on CPU 1. */
START_TEST(info_counts_flushes_of_one_cpu_mms)
{
	struct dvm_trace *t = parse("1 cpu0" FLUSH "task=1 mm=1\n"	      /* one CPU so far */
				    "2 cpu1 switch task=3 mm=3\n"
				    "3 cpu1" FLUSH "task=3 mm=3\n"	      /* one CPU, ever */
				    "4 cpu1" FLUSH "task=3 mm=1 flags=foreign\n" /* not its own CPU */
				    "5 cpu0 switch\n"
				    "6 cpu1 switch\n"
				    "6 cpu1 migrate task=1 target=1\n"
				    "6 cpu1 switch task=1 mm=1\n"
				    "7 cpu1" FLUSH "task=1 mm=1\n"	      /* two CPUs */
				    "8 cpu1 flush task=1 request=all level=4\n"
				    "8 cpu1 run task=1 n=10\n8 cpu1 run task=1 n=7 flags=time\n"
				    "8 cpu1 sleep n=5\n9 cpu1 mark n=3\n");
	struct dvm_trace_info info;

	ck_assert_int_eq(dvm_trace_validate(t, NULL), 0);
	ck_assert_int_eq(dvm_trace_get_info(t, &info, NULL), 0);
	ck_assert_uint_eq(info.flushes, 4);
	ck_assert_uint_eq(info.one_cpu_so_far, 3);
	ck_assert_uint_eq(info.own_cpu_so_far, 2);
	ck_assert_uint_eq(info.one_cpu_ever, 1);
	ck_assert_uint_eq(info.foreign, 1);
	ck_assert_uint_eq(info.requests[DVM_TRACE_REQ_ALL], 1);
	ck_assert_uint_eq(info.causes[DVM_TRACE_OP_MUNMAP], 4);
	ck_assert_uint_eq(info.flushed_pages, 4);
	ck_assert_uint_eq(info.migrations, 1);
	ck_assert_uint_eq(info.switches, 4);
	ck_assert_uint_eq(info.tasks, 3);
	ck_assert_uint_eq(info.kthreads, 1);
	ck_assert_uint_eq(info.mms, 3);
	ck_assert_uint_eq(info.run_insns, 10);
	ck_assert_uint_eq(info.run_ns, 7);
	ck_assert_uint_eq(info.sleep_ns, 5);
	ck_assert_uint_eq(info.marks[0], 3);
	ck_assert_uint_eq(info.last_ns, 9);
	dvm_trace_free(t);
}
END_TEST

/* Three copies of a valid trace: valid, disjoint, three times the work, staggered. */
START_TEST(copies_are_disjoint_and_valid)
{
	struct dvm_trace *t = parse("1 cpu0 wake task=3 id=1 target=1\n"
				    "2 cpu1 switch task=3 mm=3 id=1\n3 cpu0 mark n=2\n"
				    "4 cpu0 switch\n5 cpu1 switch\n"
				    "5 cpu1 migrate task=1 target=1\n6 cpu1 switch task=1 mm=1\n"
				    "7 cpu1 mm-new mm=5 id=1\n8 cpu1 task-new task=4 mm=5 id=1\n");
	struct dvm_trace *c = NULL;
	struct dvm_error err = { 0 };
	struct dvm_trace_info a, b;

	ck_assert_int_eq(dvm_trace_replicate(t, 3, 100, &c, NULL), 0);
	ck_assert_msg(!dvm_trace_validate(c, &err), "record %llu: %s",
		      (unsigned long long)err.record, err.text);
	ck_assert_uint_eq(dvm_trace_get_env(c)->ncpus, 6);
	ck_assert_uint_eq(dvm_trace_get_ids(c).tasks, 12);
	ck_assert_uint_eq(dvm_trace_get_ids(c).mms, 15);
	ck_assert_uint_eq(dvm_trace_get_ids(c).wakes, 3);
	ck_assert_int_eq(dvm_trace_get_info(t, &a, NULL), 0);
	ck_assert_int_eq(dvm_trace_get_info(c, &b, NULL), 0);
	ck_assert_uint_eq(b.marks[0], 3 * a.marks[0]);
	ck_assert_uint_eq(b.tasks, 3 * a.tasks);
	/* 2 CPUs sleep 100 ns in copy 1 and 200 ns in copy 2. */
	ck_assert_uint_eq(b.sleep_ns, 2 * 100 + 2 * 200);
	dvm_trace_free(c);
	ck_assert_int_eq(dvm_trace_replicate(t, 0, 0, &c, NULL), -DVM_EINVAL);
	ck_assert_int_eq(dvm_trace_replicate(t, 4097, 0, &c, NULL), -DVM_ELIMIT);
	ck_assert_int_eq(dvm_trace_replicate(t, 2, UINT64_C(1) << 40, &c, NULL), -DVM_ELIMIT);
	ck_assert_int_eq(dvm_trace_replicate(t, 4096, 0, &c, NULL), 0);
	dvm_trace_free(c);
	dvm_trace_free(t);
}
END_TEST

static int all_of_it(const struct dvm_trace *t)
{
	struct dvm_trace *c = NULL;
	struct dvm_trace_info info;
	int ret = dvm_trace_validate(t, NULL);

	if (!ret)
		ret = dvm_trace_get_info(t, &info, NULL);
	if (!ret)
		ret = dvm_trace_replicate(t, 2, 1, &c, NULL);
	dvm_trace_free(c);
	return ret;
}

START_TEST(running_out_of_memory_is_an_error)
{
	struct dvm_trace *t = parse("1 cpu0 wake task=3 id=1\n");
	int ret = -1;

	for (unsigned long n = 1; ret; n++) {
		dvmi_mem_fail_at(n);
		ret = all_of_it(t);
		dvmi_mem_fail_at(0);
		ck_assert(!ret || ret == -DVM_ENOMEM);
	}
	dvm_trace_free(t);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "rules");

	tcase_add_loop_test(tc, a_trace_that_keeps_the_rule_is_valid, 0, COUNT(rules));
	tcase_add_loop_test(tc, a_trace_that_breaks_the_rule_is_not, 0, COUNT(rules));
	tcase_add_loop_test(tc, a_record_that_is_wrong_by_itself_is_refused, 0, COUNT(wrong));
	tcase_add_test(tc, info_counts_flushes_of_one_cpu_mms);
	tcase_add_test(tc, copies_are_disjoint_and_valid);
	tcase_add_test(tc, running_out_of_memory_is_an_error);
}

CHECK_MAIN("trace rules", add_cases)
