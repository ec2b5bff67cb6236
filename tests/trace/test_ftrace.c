/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "ftrace_forms.h"
#include "import.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * What kernel events must become. A user task (pid 100, mm 0xa0, ASID 0x10) runs on CPU 0 and does one
 * of each thing; the expected records follow from docs/trace-format.md and from what the kernel does
 * at each event.
 */
#define A "0xffff000000000a00"
#define B "0xffff000000000b00"
#define C "0xffff000000000c00"
#define S(name, fields) "sched", name, fields
#define M(name, fields) "mmx", name, fields
#define T(name, fields) "tlbi", name, fields
#define CALL(name, fields) "tlbcall", name, fields
#define SYS(name, fields) "syscalls", name, fields

static char path[64];

static struct dvm_trace *import(enum form form, const struct form_event *events, size_t count,
				const struct import_options *opt)
{
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	int ret;

	form_write(path, form, events, count);
	ret = import_ftrace(path, form != FORM_DAT, opt, NULL, &trace, &err);
	ck_assert_msg(ret == 0, "form %d: %s", form, err.text);
	ret = dvm_trace_validate(trace, &err);
	ck_assert_msg(ret == 0, "form %d: record %llu: %s", form, (unsigned long long)err.record,
		      err.text);
	return trace;
}

/* The records as text: without times, RUN and SLEEP, which every case would repeat. */
static void print(const struct dvm_trace *trace, char *out, size_t size)
{
	struct dvm_error err = { 0 };
	char *text, *line, *save;
	size_t n = 0, length;

	ck_assert_int_eq(dvm_trace_print_text(trace, &text, &length, &err), 0);
	line = strstr(text, "\nrecords\n");
	ck_assert_ptr_nonnull(line);
	out[0] = '\0';
	for (line = strtok_r(line + 9, "\n", &save); line && strcmp(line, "end");
	     line = strtok_r(NULL, "\n", &save)) {
		const char *rest = strchr(line, ' ');

		if (!rest || strstr(rest, " run ") || strstr(rest, " sleep ") ||
		    strstr(rest, "initial"))
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s\n", rest + 1);
	}
	dvm_trace_text_free(text);
}

static const struct form_event begin[] = {
	{ 1000, 0, 0, S("sched_switch", "next_pid=100"), 0 },
	{ 1001, 0, 0, M("cpu_switch_mm", "mm=" A " ctx=0x10010"), 0 },
	{ 1002, 0, 0, M("switch", "pid=100 tgid=100 mm=" A), 0 },
	{ 1003, 1, 0, S("sched_waking", "pid=7 target_cpu=1"), 0 },
};
#define BEGIN 4
/* The switch and the wake-up that becomes nothing come before each. */
#define BEGUN "cpu0 switch task=1 mm=1\n"

static const struct {
	const char *name;
	struct form_event events[10];
	const char *expected;
} cases[] = {
	{ "a write fault's flush is of one page, by the ASID's mm; its KPTI twin is folded",
	  { { 1010, 0, 100, M("fault", "mm=" A " addr=0x5008 flags=0x255"), 0 },
	    { 1011, 0, 100, T("vale1is_ptep_clear_flush_78", "op=0x10000000000005"), 0 },
	    { 1012, 0, 100, T("vale1is_ptep_clear_flush_dc", "op=0x11000000000005"), 0 },
	    { 1013, 0, 100, M("fault", "mm=" A " addr=0x6008 flags=0x254"), 0 } },
	  "cpu0 op-begin task=1 mm=1 op=fault-cow va=0x5000 n=4096\n"
	  "cpu0 flush task=1 mm=1 op=fault-cow request=page va=0x5000 n=1 stride=12 level=4 flags=leaf\n"
	  "cpu0 op-end task=1 mm=1 op=fault-cow flags=inferred\n"
	  "cpu0 op-begin task=1 mm=1 op=fault va=0x6000 n=4096\n" },
	{ "two write faults on neighbouring pages are two requests",
	  { { 1010, 0, 100, T("vale1is___ptep_set_access_flags_90", "op=0x10000000000005"), 0 },
	    { 1011, 0, 100, T("vale1is___ptep_set_access_flags_90", "op=0x10000000000006"), 0 } },
	  "cpu0 flush task=1 mm=1 op=other request=page va=0x5000 n=1 stride=12 level=4 flags=leaf\n"
	  "cpu0 flush task=1 mm=1 op=other request=page va=0x6000 n=1 stride=12 level=4 flags=leaf\n" },
	{ "TLBIs of one loop are one request; the sites of one function count as one",
	  { { 1010, 0, 100, SYS("sys_enter_munmap", "addr=0x5000 len=0x3000"), 0 },
	    { 1011, 0, 100, T("vale1is_some_loop_10", "op=0x10000000000005"), 0 },
	    { 1012, 0, 100, T("vale1is_some_loop_20", "op=0x10000000000006"), 0 },
	    { 1013, 0, 100, T("vale1is_some_loop_20", "op=0x10000000000007"), 0 },
	    { 1014, 0, 100, SYS("sys_exit_munmap", "ret=0"), 0 } },
	  "cpu0 op-begin task=1 mm=1 op=munmap va=0x5000 n=12288\n"
	  "cpu0 flush task=1 mm=1 op=munmap request=range va=0x5000 n=3 stride=12 level=4 flags=leaf\n"
	  "cpu0 op-end task=1 mm=1 op=munmap\n" },
	{ "a range TLBI covers (NUM+1) << (5*SCALE+1) pages",
	  /* SCALE 0, NUM 3: 8 pages from 0x40 */
	  { { 1010, 0, 100, T("rvale1is_some_loop_10", "op=0x10018000000040"), 0 } },
	  "cpu0 flush task=1 mm=1 op=other request=range va=0x40000 n=8 stride=12 level=4 flags=leaf\n" },
	{ "mprotect's gather: entries of the last level only, no table freed",
	  { { 1010, 0, 100, SYS("sys_enter_mprotect", "start=0x5000 len=0x2000"), 0 },
	    { 1011, 0, 100, CALL("tf__change_protection_eec", "mm=" A " start=0x5000 end=0x7000 fullmm=0 "
	      "freed_tables=0 cleared_ptes=1 cleared_pmds=0 cleared_puds=0"), 0 } },
	  "cpu0 op-begin task=1 mm=1 op=mprotect va=0x5000 n=8192\n"
	  "cpu0 flush task=1 mm=1 op=mprotect request=range va=0x5000 n=2 stride=12 level=3 flags=leaf\n" },
	{ "freed tables: walk caches too, no hint",
	  { { 1011, 0, 100, CALL("tf__unmap_page_range_b50", "mm=" A " start=0x200000 end=0x600000 "
	      "fullmm=0 freed_tables=1 cleared_ptes=0 cleared_pmds=1 cleared_puds=0"), 0 } },
	  "cpu0 flush task=1 mm=1 op=other request=range va=0x200000 n=1024 stride=21 level=4 "
	  "flags=freed-tables\n" },
	{ "a batch's flush has no DSB of its own; try_to_unmap_flush() completes it",
	  { { 1010, 0, 100, "tlbi_nosync", "vale1is_set_tlb_ubc_flush_pending_6c", "op=0x10000000000005",
	      0 },
	    { 1011, 0, 100, M("batch_flush", ""), 0 } },
	  "cpu0 flush task=1 mm=1 op=reclaim request=page va=0x5000 n=1 stride=12 level=4 "
	  "flags=leaf+nosync\n"
	  "cpu0 batch-flush task=1 op=reclaim\n" },
	{ "fork: the child's mm comes from the parent's, which is flushed",
	  { { 1010, 0, 100, M("mm_init", "mm=" B " taskmm=0"), 0 },
	    { 1011, 0, 100, T("aside1is_copy_process_1528", "op=0x10000000000000"), 0 },
	    { 1012, 0, 100, "task", "task_newtask", "pid=101 clone_flags=1200000", 0 },
	    { 1013, 0, 100, M("new_task", "pid=101 tgid=101 mm=" B), 0 } },
	  "cpu0 op-begin task=1 mm=1 op=fork\n"
	  "cpu0 mm-new mm=2 id=1\n"
	  "cpu0 flush task=1 mm=1 op=fork request=asid level=4\n"
	  "cpu0 task-new task=2 mm=2 id=1\n"
	  "cpu0 wake task=2 id=1\n"
	  "cpu0 op-end task=1 mm=1 op=fork\n" },
	{ "a thread shares its parent's mm",
	  { { 1012, 0, 100, "task", "task_newtask", "pid=101 clone_flags=3d0f00", 0 } },
	  "cpu0 task-new task=2 mm=1 id=1 flags=thread\n"
	  "cpu0 wake task=2 id=1\n" },
	{ "a pid that comes again is another task",
	  { { 1010, 0, 100, "task", "task_newtask", "pid=101 clone_flags=3d0f00", 0 },
	    { 1011, 0, 100, "task", "task_newtask", "pid=101 clone_flags=3d0f00", 0 } },
	  "cpu0 task-new task=2 mm=1 id=1 flags=thread\n"
	  "cpu0 wake task=2 id=1\n"
	  "cpu0 task-new task=3 mm=1 id=1 flags=thread\n"
	  "cpu0 wake task=3 id=2\n" },
	{ "exit: the address space is flushed whole, then it is gone",
	  { { 1010, 0, 100, M("exit_mmap", "mm=" A), 0 },
	    { 1011, 0, 100, CALL("tf__tlb_finish_mmu_124", "mm=" A " start=0 end=0xffffffffffffffff "
	      "fullmm=1 freed_tables=1 cleared_ptes=1 cleared_pmds=1 cleared_puds=1"), 0 },
	    { 1012, 0, 100, M("exit_mmap_end", ""), 0 },
	    { 1013, 0, 100, S("sched_process_exit", "pid=100"), 0 },
	    { 1014, 0, 100, S("sched_switch", "next_pid=0"), 0 },
	    { 1015, 0, 100, M("switch", "pid=0 tgid=0 mm=0"), 0 } },
	  "cpu0 op-begin task=1 mm=1 op=exit\n"
	  "cpu0 flush task=1 mm=1 op=exit request=asid level=4 flags=fullmm\n"
	  "cpu0 mm-exit task=1 mm=1\n"
	  "cpu0 task-exit task=1\n"
	  "cpu0 switch\n" },
	{ "a whole address space whose tables stay needs no flush (asm/tlb.h)",
	  { { 1011, 0, 100, CALL("tf__tlb_finish_mmu_124", "mm=" A " start=0 end=0xffffffffffffffff "
	      "fullmm=1 freed_tables=0 cleared_ptes=1 cleared_pmds=1 cleared_puds=1"), 0 } },
	  "" },
	{ "exec goes on with the new mm",
	  { { 1010, 0, 100, M("mm_init", "mm=" C " taskmm=" A), 0 },
	    { 1011, 0, 100, M("exec_mm", "mm=" C), 0 },
	    { 1012, 0, 100, M("cpu_switch_mm", "mm=" C " ctx=0x10012"), 0 },
	    { 1013, 0, 100, S("sched_process_exec", "pid=100 old_pid=100"), 0 },
	    { 1014, 0, 100, T("vale1is___ptep_set_access_flags_90", "op=0x12000000000005"), 0 } },
	  "cpu0 mm-new mm=2\n"
	  "cpu0 op-begin task=1 mm=1 op=exec\n"
	  "cpu0 exec task=1 mm=2\n"
	  "cpu0 op-end task=1 mm=1 op=exec\n"
	  "cpu0 flush task=1 mm=2 op=other request=page va=0x5000 n=1 stride=12 level=4 flags=leaf\n" },
	{ "a thread that execs goes on with the pid of its process: no switch",
	  { { 1010, 0, 100, "task", "task_newtask", "pid=101 clone_flags=3d0f00", 0 },
	    { 1011, 0, 100, S("sched_process_exit", "pid=100"), 0 },
	    { 1012, 0, 100, S("sched_switch", "next_pid=101"), 0 },
	    { 1013, 0, 100, M("switch", "pid=101 tgid=100 mm=" A), 0 },
	    { 1014, 0, 101, M("mm_init", "mm=" C " taskmm=" A), 0 },
	    { 1015, 0, 101, M("exec_mm", "mm=" C), 0 },
	    { 1016, 0, 100, M("cpu_switch_mm", "mm=" C " ctx=0x10012"), 0 },
	    { 1017, 0, 100, S("sched_process_exec", "pid=100 old_pid=101"), 0 } },
	  "cpu0 task-new task=2 mm=1 id=1 flags=thread\n"
	  "cpu0 wake task=2 id=1\n"
	  "cpu0 op-begin task=1 mm=1 op=exit\n"
	  "cpu0 task-exit task=1\n"
	  "cpu0 switch task=2 mm=1 id=1\n"
	  "cpu0 mm-new mm=2\n"
	  "cpu0 op-begin task=2 mm=1 op=exec\n"
	  "cpu0 exec task=2 mm=2\n"
	  "cpu0 op-end task=2 mm=1 op=exec\n" },
	{ "a waker, a kernel thread that keeps the address space (lazy TLB), a move to another CPU",
	  { { 1010, 0, 100, S("sched_waking", "pid=55 target_cpu=0"), 0 },
	    { 1011, 0, 100, S("sched_wakeup", "pid=55 target_cpu=0"), 0 },
	    { 1012, 0, 100, S("sched_switch", "next_pid=55"), 0 },
	    { 1013, 0, 100, M("switch", "pid=55 tgid=55 mm=0"), 0 },
	    { 1014, 1, 0, S("sched_switch", "next_pid=100"), 0 },
	    { 1015, 1, 0, M("cpu_switch_mm", "mm=" A " ctx=0x10010"), 0 },
	    { 1016, 1, 0, M("switch", "pid=100 tgid=100 mm=" A), 0 } },
	  "cpu0 wake task=2 id=1\n"
	  "cpu0 switch task=2 id=1\n"
	  "cpu1 migrate task=1 target=1\n"
	  "cpu1 switch task=1 mm=1\n" },
	{ "another mm's page, flushed by a task that does not own it, is foreign",
	  { { 1010, 1, 0, S("sched_switch", "next_pid=200"), 0 },
	    { 1011, 1, 0, M("cpu_switch_mm", "mm=" B " ctx=0x10020"), 0 },
	    { 1012, 1, 0, M("switch", "pid=200 tgid=200 mm=" B), 0 },
	    { 1013, 0, 100, T("vale1is_ptep_clear_flush_78", "op=0x20000000000005"), 0 } },
	  "cpu1 switch task=2 mm=2\n"
	  "cpu0 flush task=1 mm=2 op=reclaim request=page va=0x5000 n=1 stride=12 level=4 "
	  "flags=leaf+foreign\n" },
	{ "an ASID that nobody was seen with is that of an mm that sleeps all the time",
	  { { 1010, 0, 100, "migrate", "mm_migrate_pages_start", "mode=0", 0 },
	    { 1011, 0, 100, "tlbi_nosync", "vale1is_set_tlb_ubc_flush_pending_6c", "op=0x30000000000005",
	      0 },
	    { 1012, 0, 100, M("batch_flush", ""), 0 },
	    { 1013, 0, 100, "migrate", "mm_migrate_pages", "mode=0", 0 } },
	  "cpu0 flush task=1 mm=2 op=migrate-page request=page va=0x5000 n=1 stride=12 level=4 "
	  "flags=leaf+nosync+foreign\n"
	  "cpu0 batch-flush task=1 op=migrate-page\n" },
	{ "an ASID whose owner runs later is the owner's, within a generation",
	  { { 1010, 0, 100, "migrate", "mm_migrate_pages_start", "mode=0", 0 },
	    { 1011, 0, 100, T("vale1is_ptep_clear_flush_78", "op=0x20000000000005"), 0 },
	    { 1012, 1, 0, S("sched_switch", "next_pid=200"), 0 },
	    { 1013, 1, 0, M("cpu_switch_mm", "mm=" B " ctx=0x10020"), 0 },
	    { 1014, 1, 0, M("switch", "pid=200 tgid=200 mm=" B), 0 } },
	  "cpu0 flush task=1 mm=2 op=migrate-page request=page va=0x5000 n=1 stride=12 level=4 "
	  "flags=leaf+foreign\n"
	  "cpu1 switch task=2 mm=2\n" },
	{ "kernel addresses belong to no mm; local TLBIs are no request",
	  { { 1010, 0, 100, T("vaale1is___set_fixmap_a8", "op=0xffffbfffe00"), 0 },
	    { 1011, 0, 100, T("vmalle1_check_and_switch_context_d0", ""), 0 } },
	  "cpu0 flush task=1 op=kernel-map request=kernel va=0xffffffbfffe00000 n=1 stride=12 level=4 "
	  "flags=leaf\n" },
	{ "an event that says another task runs: its switch was lost, and is inferred",
	  { { 1010, 0, 300, M("fault", "mm=" B " addr=0x5000 flags=0x255"), 0 } },
	  "cpu0 switch task=2 mm=2\n"
	  "cpu0 op-begin task=2 mm=2 op=fault va=0x5000 n=4096\n" },
	{ "what is not known is passed over",
	  { { 1010, 0, 100, "kmem", "rss_stat", "mm_id=5 curr=1", 0 } },
	  "" },
};

static size_t fill_case(int i, struct form_event *events)
{
	size_t n = BEGIN;

	memcpy(events, begin, sizeof(begin));
	for (size_t j = 0; j < 10 && cases[i].events[j].name; j++)
		events[n++] = cases[i].events[j];
	return n;
}

START_TEST(events_become_records_in_every_form)
{
	static const struct import_options opt = { 0 };
	struct form_event events[BEGIN + 10];
	char got[4096], expected[4096];
	size_t n = fill_case(_i, events);

	snprintf(expected, sizeof(expected), BEGUN "%s", cases[_i].expected);
	for (enum form form = 0; form < FORMS; form++) {
		struct dvm_trace *trace;

#ifndef DVMSIM_HAVE_TRACECMD
		if (form == FORM_DAT)
			continue;
#endif
		trace = import(form, events, n, &opt);
		print(trace, got, sizeof(got));
		ck_assert_msg(!strcmp(got, expected), "%s, form %d:\n%s\nexpected:\n%s", cases[_i].name,
			      (int)form, got, expected);
		dvm_trace_free(trace);
	}
}
END_TEST

/* ---- windows, marks, losses ---- */

START_TEST(a_window_is_between_two_marks)
{
	static const struct form_event events[] = {
		{ 1000, 0, 100, M("fault", "mm=" A " addr=0x5000 flags=0x255"), 0 },
		{ 1001, 0, 100, SYS("sys_enter_sethostname", "len=4"), 0 },
		{ 1002, 0, 100, M("fault", "mm=" A " addr=0x6000 flags=0x255"), 0 },
		{ 1003, 0, 100, SYS("sys_enter_sethostname", "len=4"), 0 },
		{ 1004, 0, 100, M("fault", "mm=" A " addr=0x7000 flags=0x255"), 0 },
	};
	static const struct import_options opt = { .from = 1, .to = 2 };
	struct dvm_trace *trace = import(FORM_PERF, events, 5, &opt);
	char got[4096];

	print(trace, got, sizeof(got));
	ck_assert_str_eq(got, "cpu0 op-begin task=1 mm=1 op=fault va=0x6000 n=4096\n");
	dvm_trace_free(trace);
}
END_TEST

START_TEST(an_event_counts_as_work_where_asked)
{
	static const struct form_event events[] = {
		{ 1000, 0, 100, SYS("sys_enter_epoll_pwait", "fd=3"), 0 },
		{ 1001, 0, 100, SYS("sys_enter_epoll_pwait", "fd=3"), 0 },
	};
	static const char *const works[] = { "batches=syscalls:sys_enter_epoll_pwait", NULL };
	static const struct import_options opt = { .works = works };
	struct dvm_trace *trace = import(FORM_PERF, events, 2, &opt);
	struct dvm_trace_info info;

	ck_assert_int_eq(dvm_trace_get_info(trace, &info, NULL), 0);
	ck_assert_str_eq(dvm_trace_mark_name(trace, 0), "batches");
	ck_assert_uint_eq(info.marks[0], 2);
	dvm_trace_free(trace);
}
END_TEST

START_TEST(a_program_marks_its_own_work)
{
	static const char text[] =
		"  task-100 [000] ..... 1.000001: tracing_mark_write: dvmsim: mark requests\n"
		"  task-100 [000] ..... 1.000002: tracing_mark_write: dvmsim: mark No Name\n"
		"  task-100 [000] ..... 1.000003: tracing_mark_write: dvmsim: mark requests\n";
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_trace_info info;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(import_ftrace(path, true, &opt, NULL, &trace, &err), 0);
	ck_assert_int_eq(dvm_trace_get_info(trace, &info, NULL), 0);
	ck_assert_str_eq(dvm_trace_mark_name(trace, 0), "requests");
	ck_assert_uint_eq(info.marks[0], 2);
	ck_assert_uint_eq(info.kinds[DVM_TRACE_MARK], 2);
	dvm_trace_free(trace);
}
END_TEST

/* The name's 16 bytes are in two registers: "work" is 0x6b726f77, little endian. */
START_TEST(a_program_counts_its_own_work_by_prctl)
{
	static const struct form_event events[] = {
		{ 1000, 0, 100, SYS("sys_enter_prctl", "option=0x44564d53 arg2=0x3 arg3=0x6b726f77 "
				    "arg4=0x0"), 0 },
		{ 1001, 0, 100, SYS("sys_enter_prctl", "option=0x44564d54 arg2=0x3 arg3=0x6b726f77 "
				    "arg4=0x0"), 0 },
	};
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = import(FORM_PERF, events, 2, &opt);
	struct dvm_trace_info info;

	ck_assert_int_eq(dvm_trace_get_info(trace, &info, NULL), 0);
	ck_assert_str_eq(dvm_trace_mark_name(trace, 0), "work");
	ck_assert_uint_eq(info.marks[0], 3);
	dvm_trace_free(trace);
}
END_TEST

START_TEST(lost_events_leave_a_record)
{
	static const struct form_event events[] = {
		{ 1000, 0, 100, M("fault", "mm=" A " addr=0x5000 flags=0x255"), 0 },
		{ 1001, 0, 100, M("fault", "mm=" A " addr=0x6000 flags=0x255"), 17 },
	};
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = import(FORM_TRACEFS, events, 2, &opt);
	struct dvm_trace_info info;

	ck_assert_int_eq(dvm_trace_get_info(trace, &info, NULL), 0);
	ck_assert_uint_eq(info.kinds[DVM_TRACE_LOST], 1);
	dvm_trace_free(trace);
}
END_TEST

/* The time between two events of a CPU is its task's: 1000 us in all here. */
START_TEST(runs_hold_the_time_between_events)
{
	static const struct form_event events[] = {
		{ 1000, 0, 100, M("fault", "mm=" A " addr=0x5000 flags=0x255"), 0 },
		{ 1400, 0, 100, M("fault", "mm=" A " addr=0x6000 flags=0x255"), 0 },
		{ 2000, 0, 100, M("fault", "mm=" A " addr=0x7000 flags=0x255"), 0 },
	};
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = import(FORM_TRACEFS, events, 3, &opt);
	struct dvm_trace_info info;

	ck_assert_int_eq(dvm_trace_get_info(trace, &info, NULL), 0);
	ck_assert_uint_eq(info.run_ns, 1000000);
	ck_assert_uint_eq(info.run_insns, 0);
	dvm_trace_free(trace);
}
END_TEST

/* dup_mmap() always flushes the parent; a recorder that could not probe it says so. */
START_TEST(a_forks_flush_is_filled_in_where_its_probe_lacks)
{
	static const char text[] =
		"  task-100 [000] ..... 1.000001: tracing_mark_write: dvmsim: lacks=probe "
		"tlbi/aside1is_dup_mmap_16c at dup_mmap+0x16c\n"
		"  task-100 [000] ..... 1.000001: fault: (x) mm=" A " addr=0x1000 flags=0x255\n"
		"  task-100 [000] ..... 1.000002: mm_init: (x) mm=" B " taskmm=0x0\n"
		"  task-100 [000] ..... 1.000003: task_newtask: pid=101 comm=x clone_flags=1200000\n";
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");
	char got[4096];

	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(import_ftrace(path, true, &opt, NULL, &trace, &err), 0);
	print(trace, got, sizeof(got));
	ck_assert_ptr_nonnull(strstr(got, "cpu0 flush task=1 mm=1 op=fork request=asid level=4 "
				     "flags=inferred\n"));
	dvm_trace_free(trace);
}
END_TEST

/* x86: a mm per thread group and fork; flush_tlb_mm_range() leaves one event of reason 3. */
START_TEST(x86_tracepoints_give_the_shape)
{
	static const char text[] =
		" a-100 (  100) [000] ..... 1.000001: page_fault_user: address=0x5000 ip=0x1 error_code=0x7\n"
		" a-100 (  100) [000] ..... 1.000002: tlb_flush: pages:1 reason:local mm shootdown (3)\n"
		" a-100 (  100) [000] ..... 1.000003: tlb_flush: pages:1 reason:remote shootdown (1)\n"
		" a-100 (  100) [000] ..... 1.000004: sys_mprotect(start: 7000, len: 2000, prot: 1)\n"
		" a-100 (  100) [000] ..... 1.000005: tlb_flush: pages:2 reason:local mm shootdown (3)\n"
		" a-100 (  100) [000] ..... 1.000006: sys_mprotect -> 0x0\n"
		" b-101 (  100) [001] ..... 1.000007: page_fault_user: address=0x9000 ip=0x1 error_code=0x7\n";
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");
	char got[4096];

	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(import_ftrace(path, true, &opt, NULL, &trace, &err), 0);
	ck_assert_int_eq(dvm_trace_validate(trace, &err), 0);
	print(trace, got, sizeof(got));
	ck_assert_str_eq(got,
		"cpu0 op-begin task=1 mm=1 op=fault va=0x5000 n=4096\n"
		"cpu0 flush task=1 mm=1 op=fault request=page va=0x5000 n=1 stride=12 level=4 flags=inferred\n"
		"cpu0 op-end task=1 mm=1 op=fault flags=inferred\n"
		"cpu0 op-begin task=1 mm=1 op=mprotect va=0x7000 n=8192\n"
		"cpu0 flush task=1 mm=1 op=mprotect request=range va=0x7000 n=2 stride=12 level=4 "
		"flags=inferred\n"
		"cpu0 op-end task=1 mm=1 op=mprotect\n"
		"cpu1 op-begin task=2 mm=1 op=fault va=0x9000 n=4096\n");
	dvm_trace_free(trace);
}
END_TEST

/* ---- what is no trace, or a damaged one ---- */

static const struct {
	const char *text, *error;
} wrong[] = {
	{ "", "holds no events" },
	{ "hello\n", "line 1 is not an event of perf script or tracefs" },
	{ "# only a comment\n", "holds no events" },
	{ "PERFILE2\n", "is a perf.data file; give the output of 'perf script'" },
	{ "cpus=4\n", "is the output of trace-cmd report; import the trace.dat itself, --from trace-cmd" },
	{ " a-1 [000] ..... 1.000001: print: dvmsim: page_bytes=4095\n", "says that pages have 4095 bytes" },
	/* beyond the number of CPUs a trace can have */
	{ " a-1 [8192] ..... 1.000001: fault: mm=1\n", "line 1 is not an event of perf script or tracefs" },
};

START_TEST(what_is_no_trace_is_refused_with_a_cure)
{
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");

	fputs(wrong[_i].text, f);
	fclose(f);
	ck_assert_int_lt(import_ftrace(path, true, &opt, NULL, &trace, &err), 0);
	ck_assert_str_eq(err.text, wrong[_i].error);
	ck_assert_ptr_null(trace);
}
END_TEST

static void poke(size_t at, int bits)
{
	FILE *f = fopen(path, "rb+");
	int c;

	fseek(f, (long)at, SEEK_SET);
	c = fgetc(f);
	fseek(f, (long)at, SEEK_SET);
	fputc(c ^ bits, f);
	fclose(f);
}

/* All cases, one after the other, are the input. */
static size_t all_cases(struct form_event *events)
{
	size_t n = 0;
	uint64_t us = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t more = fill_case((int)i, events + n);

		for (size_t j = n; j < n + more; j++)
			events[j].us = us += 10;
		n += more;
	}
	return n;
}

/* A result or an error with words; which of both depends on the place. Memory errors are for the
 * sanitizer to find. */
static void survive(enum form form)
{
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	int ret = import_ftrace(path, form != FORM_DAT, &opt, NULL, &trace, &err);

	ck_assert_int_le(ret, 1);
	ck_assert(ret < 0 ? err.text[0] != '\0' : trace != NULL);
	if (ret >= 0)
		(void)dvm_trace_validate(trace, &err);
	dvm_trace_free(trace);
}

START_TEST(any_damage_is_survived)
{
	static struct form_event events[sizeof(cases) / sizeof(cases[0]) * (BEGIN + 10)];
	enum form form = (enum form)_i;
	size_t n = all_cases(events), size = form_write(path, form, events, n);
	uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
	int rounds = form == FORM_DAT ? 150 : 400;

	for (int i = 0; i < rounds; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		poke(random % size, 1 << (random >> 40 & 7));
		survive(form);
		if (i % 4 == 3)
			form_write(path, form, events, n);
	}
	for (int i = 0; i < rounds / 4; i++) {
		form_write(path, form, events, n);
		ck_assert_int_eq(truncate(path, (off_t)(size * (size_t)i / (size_t)(rounds / 4))), 0);
		survive(form);
	}
}
END_TEST

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/dvmsim-ftrace-%d", (int)getpid());
}

static void teardown(void)
{
	unlink(path);
}

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "ftrace");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, events_become_records_in_every_form, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, a_window_is_between_two_marks);
	tcase_add_test(tc, an_event_counts_as_work_where_asked);
	tcase_add_test(tc, a_program_marks_its_own_work);
	tcase_add_test(tc, a_program_counts_its_own_work_by_prctl);
	tcase_add_test(tc, lost_events_leave_a_record);
	tcase_add_test(tc, runs_hold_the_time_between_events);
	tcase_add_test(tc, a_forks_flush_is_filled_in_where_its_probe_lacks);
	tcase_add_test(tc, x86_tracepoints_give_the_shape);
	tcase_add_loop_test(tc, what_is_no_trace_is_refused_with_a_cure, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
#ifdef DVMSIM_HAVE_TRACECMD
	tcase_add_loop_test(tc, any_damage_is_survived, 0, FORMS);
#else
	tcase_add_loop_test(tc, any_damage_is_survived, 0, FORM_DAT);
#endif
}

CHECK_MAIN("trace ftrace", add_cases)
