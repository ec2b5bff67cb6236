/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "import.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A small stream, written as tools/capture/plugin.c would, and what must become of it. */
enum { MARK, SWITCH, NEW_MM, NEW_TASK, COPY, MM_SWITCH, FAULT, CLEAR, USER, EXIT, EXIT_MMAP,
       FINISH, GATHER, TRY, WOKEN, WORK, UNMAP_ONE, BATCH_ADD, BATCH_FLUSH, NUMA, ANON,
       BATCH_DIRTY };
static const char hooks_text[] =
	"1 __arm64_sys_sethostname 0\n2 __switch_to 2\n3 mm_init 2\n4 wake_up_new_task 1\n"
	"5 copy_page_range 2\n6 check_and_switch_context 1\n7 handle_mm_fault 3 0+16\n"
	"8 ptep_clear_flush 2 0+16\n9 ret_to_user 0\na do_exit 1\nb exit_mmap 1\n"
	"c tlb_finish_mmu 1\nd tlb_flush 1 0+0 0+16 0+24 0+32\ne try_to_wake_up 1\n"
	"f ttwu_do_activate 2\n10 __arm64_sys_prctl 0 0+0 0+8 0+16 0+24\n"
	"11 try_to_unmap_one 3 1+16\n12 set_tlb_ubc_flush_pending 1\n13 try_to_unmap_flush 0\n"
	"14 change_prot_numa 0\n15 do_anonymous_page 0\n16 try_to_unmap_flush_dirty 0\n";

#define VALE1IS 0xd50883a0u
#define ASIDE1IS 0xd5088340u
#define DUMMY 0xd50883bfu
#define RVALE1IS 0xd50882a0u
#define DSB_ISH 0xd5033b9fu
#define DSB_ISHST 0xd5033a9fu
#define CONTEXTIDR 0xd518d020u
#define TTBR1 0xd5182020u

static char stream[64], hooks[64];
static FILE *out;
static uint64_t now;
static unsigned cpu;

static void put(unsigned kind, uint64_t value, unsigned arg, uint32_t word)
{
	uint64_t words[4] = { now, now / 8, 0, value };
	unsigned char r[40];

	for (int i = 0; i < 32; i++)
		r[i] = (unsigned char)(words[i / 8] >> 8 * (i % 8));
	r[32] = (unsigned char)kind;
	r[33] = 0;
	r[34] = (unsigned char)cpu;
	r[35] = (unsigned char)arg;
	for (int i = 0; i < 4; i++)
		r[36 + i] = (unsigned char)(word >> 8 * i);
	ck_assert_uint_eq(fwrite(r, 1, sizeof(r), out), sizeof(r));
	now += 80;
}

/* @args registers, then @memory words */
static void hook(unsigned number, unsigned args, const uint64_t *values, unsigned memory)
{
	for (unsigned i = 0; i < args + memory; i++) {
		unsigned arg = i < args ? i : 16 + i - args;

		put(6, values[i], arg, number << 8 | arg);
	}
	if (!args && !memory)
		put(6, 0, 255, number << 8 | 255);
}
#define HOOK(number, args, memory, ...) hook(number, args, (const uint64_t[]){ __VA_ARGS__ }, memory)

static void switch_to(uint64_t from, uint64_t task, uint64_t pid)
{
	HOOK(SWITCH, 2, 0, from, task);
	put(5, pid, 0, CONTEXTIDR);
}

static void install(uint64_t mm, uint64_t asid)
{
	HOOK(MM_SWITCH, 1, 0, mm);
	put(5, asid << 48, 0, TTBR1);
}

static void flush(uint32_t op, uint64_t operand)
{
	put(2, 0, 0, DSB_ISHST);
	put(1, operand, 0, op);
	put(2, 0, 0, DSB_ISH);
	put(1, 0, 0, DUMMY);
	put(2, 0, 0, DSB_ISH);
}

#define IDLE0 0xffff000000000100u
#define IDLE1 0xffff000000000200u
#define PARENT 0xffff000000000300u
#define CHILD 0xffff000000000400u
#define MM1 0xffff000000001000u
#define MM2 0xffff000000002000u
#define VMA 0xffff000000003000u
#define KTHREAD 0xffff000000000500u

/* Before the window: a task with an mm. In it: fork, flush, COW fault, munmap-like range, exit. */
static void write_stream(void)
{
	cpu = 1;
	switch_to(0x10, IDLE1, 0);
	cpu = 0;
	switch_to(0x10, IDLE0, 0);
	HOOK(NEW_MM, 2, 0, MM1, PARENT);
	HOOK(NEW_TASK, 1, 0, PARENT);
	install(MM1, 0x10);
	switch_to(IDLE0, PARENT, 7);
	HOOK(MARK, 0, 0, 0);
	HOOK(NEW_MM, 2, 0, MM2, CHILD);
	HOOK(COPY, 2, 0, VMA, VMA);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	HOOK(NEW_TASK, 1, 0, CHILD);
	HOOK(USER, 0, 0, 0);
	cpu = 1;
	install(MM2, 0x12);
	switch_to(IDLE1, CHILD, 8);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM2);
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM2);
	flush(VALE1IS, UINT64_C(0x12) << 48 | 5);
	HOOK(USER, 0, 0, 0);
	HOOK(GATHER, 1, 4, 0x99, MM2, 0x10000, 0x13000, 1 << 4 | 1 << 2);
	flush(RVALE1IS, UINT64_C(0x12) << 48 | UINT64_C(1) << 46 | UINT64_C(1) << 39 | 0x10);
	HOOK(EXIT, 1, 0, 0);
	HOOK(EXIT_MMAP, 1, 0, MM2);
	HOOK(FINISH, 1, 0, 0x99);
	HOOK(GATHER, 1, 4, 0x99, MM2, 0, 0, 1);
	flush(ASIDE1IS, UINT64_C(0x12) << 48);
	HOOK(TRY, 1, 0, PARENT);
	switch_to(CHILD, IDLE1, 0);
	HOOK(MARK, 0, 0, 0);
}

static void setup(void)
{
	FILE *f;

	snprintf(stream, sizeof(stream), "trace-import-%d.bin", (int)getpid());
	snprintf(hooks, sizeof(hooks), "trace-import-%d.txt", (int)getpid());
	f = fopen(hooks, "w");
	ck_assert(f && fputs(hooks_text, f) >= 0 && !fclose(f));
	out = fopen(stream, "wb");
	ck_assert_ptr_nonnull(out);
	now = 8000;
	cpu = 0;
}

static void teardown(void)
{
	unlink(stream);
	unlink(hooks);
}

/* Everything but times and instruction counts, in order. */
static const char *const expected[] = {
	"cpu0 mm-new mm=1 flags=initial",
	"cpu0 task-new task=1 mm=1 flags=initial",
	"cpu0 switch task=1 mm=1 flags=initial",
	"cpu1 switch flags=initial",
	"cpu0 op-begin task=1 mm=1 op=fork",
	"cpu0 mm-new mm=2 id=1",
	"cpu0 flush task=1 mm=1 op=fork request=asid level=4",
	"cpu0 task-new task=2 mm=2 id=1",
	"cpu0 wake task=2 id=1 target=1",
	"cpu0 mark task=1",
	"cpu0 op-end task=1 mm=1 op=fork",
	"cpu1 switch task=2 mm=2 id=1",
	"cpu1 op-begin task=2 mm=2 op=fault-cow va=0x5000",
	"cpu1 flush task=2 mm=2 op=fault-cow request=page va=0x5000 stride=12 level=4 flags=leaf",
	"cpu1 op-end task=2 mm=2 op=fault-cow",
	("cpu1 flush task=2 mm=2 op=other request=range va=0x10000 stride=12 level=4 "
	 "flags=leaf+freed-tables"),
	"cpu1 op-begin task=2 mm=2 op=exit",
	"cpu1 flush task=2 mm=2 op=exit request=asid level=4 flags=fullmm",
	"cpu1 mm-exit task=2 mm=2",
	"cpu1 task-exit task=2",
	"cpu1 switch",
};

/* "TIME cpuN kind ... n=N ..." without the time and without n= */
static void strip(char *line, char *to)
{
	char *word = strtok(line, " "), *sep = "";

	*to = '\0';
	for (word = strtok(NULL, " "); word; word = strtok(NULL, " "), sep = " ")
		if (strncmp(word, "n=", 2) != 0)
			to += sprintf(to, "%s%s", sep, word);
}

static struct dvm_trace *import(unsigned from, unsigned to, struct dvm_error *err)
{
	struct import_options opt = { .hooks = hooks, .from = from, .to = to };
	struct dvm_trace *t = NULL;

	return import_plugin(stream, &opt, NULL, &t, err) ? NULL : t;
}

START_TEST(a_stream_becomes_a_trace)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *t;
	char *text, *p, *end, got[512];
	size_t size, n = 0;

	write_stream();
	ck_assert_int_eq(fclose(out), 0);
	t = import(1, 2, &err);
	ck_assert_msg(t != NULL, "%s", err.text);
	ck_assert_msg(!dvm_trace_validate(t, &err), "record %d: %s", (int)err.record, err.text);
	ck_assert_ptr_nonnull(strstr(dvm_trace_header(t), "an mm: 4 (100.00 %)"));
	ck_assert_ptr_nonnull(strstr(dvm_trace_header(t), "4 dummies"));
	ck_assert_int_eq(dvm_trace_print_text(t, &text, &size, NULL), 0);
	p = strstr(text, "\nrecords\n") + 9;
	for (; strncmp(p, "accesses", 8) != 0; p = end + 1) {
		end = strchr(p, '\n');
		*end = '\0';
		if (strstr(p, " run "))
			continue;
		strip(p, got);
		ck_assert_uint_lt(n, sizeof(expected) / sizeof(expected[0]));
		ck_assert_str_eq(got, expected[n]);
		n++;
	}
	ck_assert_uint_eq(n, sizeof(expected) / sizeof(expected[0]));
	dvm_trace_text_free(text);
	dvm_trace_free(t);
}
END_TEST

/* The range comes from the gather (3 pages), not from the operand (4 pages). */
START_TEST(a_gather_says_what_was_asked_for)
{
	const struct dvm_trace_record *r;
	struct dvm_error err;
	struct dvm_trace *t;
	size_t n, found = 0;

	write_stream();
	ck_assert_int_eq(fclose(out), 0);
	t = import(1, 2, &err);
	ck_assert_ptr_nonnull(t);
	r = dvm_trace_records(t, &n);
	for (size_t i = 0; i < n; i++)
		if (r[i].kind == DVM_TRACE_FLUSH && r[i].request == DVM_TRACE_REQ_RANGE) {
			ck_assert_uint_eq(r[i].amount, 3);
			found++;
		}
	ck_assert_uint_eq(found, 1);
	dvm_trace_free(t);
}
END_TEST

/* Instructions: one per 8 ns in this stream; all that tasks executed is in RUN. */
START_TEST(runs_add_up_to_what_was_executed)
{
	struct dvm_trace_info info;
	struct dvm_error err;
	struct dvm_trace *t;
	uint64_t begin, end;

	cpu = 0;
	switch_to(0x10, IDLE0, 0);
	HOOK(NEW_TASK, 1, 0, PARENT);
	switch_to(IDLE0, PARENT, 7);
	begin = now / 8;
	HOOK(MARK, 0, 0, 0);
	now += 80000;
	HOOK(USER, 0, 0, 0);
	HOOK(TRY, 1, 0, CHILD);
	now += 8000;
	HOOK(SWITCH, 2, 0, PARENT, IDLE0);
	end = now / 8;
	put(5, 0, 0, CONTEXTIDR);
	ck_assert_int_eq(fclose(out), 0);
	t = import(1, 0, &err);
	ck_assert_msg(t != NULL, "%s", err.text);
	ck_assert_int_eq(dvm_trace_get_info(t, &info, NULL), 0);
	ck_assert_uint_eq(info.run_insns, end - begin);
	dvm_trace_free(t);
}
END_TEST

/* Two CPUs, each with a task, an mm and an ASID, when the window begins. */
static void two_tasks(void)
{
	cpu = 1;
	switch_to(0x10, IDLE1, 0);
	HOOK(NEW_MM, 2, 0, MM2, CHILD);
	HOOK(NEW_TASK, 1, 0, CHILD);
	install(MM2, 0x12);
	switch_to(IDLE1, CHILD, 8);
	cpu = 0;
	switch_to(0x10, IDLE0, 0);
	HOOK(NEW_MM, 2, 0, MM1, PARENT);
	HOOK(NEW_TASK, 1, 0, PARENT);
	install(MM1, 0x10);
	switch_to(IDLE0, PARENT, 7);
	HOOK(MARK, 0, 0, 0);
}

/* The records of @kind in the trace of what was written; the trace is the caller's. */
static struct dvm_trace *import_all(uint8_t kind, const struct dvm_trace_record **found, size_t room,
				    size_t *n)
{
	const struct dvm_trace_record *r;
	struct dvm_error err;
	struct dvm_trace *t;
	size_t count;

	ck_assert_int_eq(fclose(out), 0);
	t = import(1, 0, &err);
	ck_assert_msg(t != NULL, "%s", err.text);
	ck_assert_msg(!dvm_trace_validate(t, &err), "record %d: %s", (int)err.record, err.text);
	r = dvm_trace_records(t, &count);
	*n = 0;
	for (size_t i = 0; i < count; i++)
		if (r[i].kind == kind && *n < room)
			found[(*n)++] = &r[i];
	return t;
}

/*
 * try_to_unmap_one() of another's page: the TLBI has no DSB of its own, the mm is not the task's, and
 * try_to_unmap_flush() completes it (mm/rmap.c, 6.12).
 */
START_TEST(reclaim_flushes_others_in_batches)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	for (uint64_t page = 5; page < 7; page++) {
		HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, page << 12, MM2);
		HOOK(BATCH_ADD, 1, 0, MM2);
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x12) << 48 | page, 0, VALE1IS);
	}
	HOOK(BATCH_FLUSH, 0, 0, 0);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(f[i]->op, DVM_TRACE_OP_RECLAIM);
		ck_assert_uint_eq(f[i]->va, (5 + i) << 12);
		ck_assert_uint_eq(f[i]->flags, DVM_TRACE_F_LEAF | DVM_TRACE_F_NOSYNC |
					       DVM_TRACE_F_FOREIGN);
	}
	dvm_trace_free(t);
}
END_TEST

/*
 * Before a dirty page is written, try_to_unmap_flush_dirty() completes the batch if it has a writable
 * entry; else it returns at once, and a later DSB is not its.
 */
START_TEST(a_batch_ends_before_dirty_pages_are_written)
{
	for (int writable = 0; writable < 2; writable++) {
		const struct dvm_trace_record *f[4];
		struct dvm_trace *t;
		size_t n;

		if (writable) {
			out = fopen(stream, "wb");
			now = 8000;
		}
		two_tasks();
		HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, 0x5000, MM2);
		HOOK(BATCH_ADD, 1, 0, MM2);
		put(1, UINT64_C(0x12) << 48 | 5, 0, VALE1IS);
		HOOK(BATCH_DIRTY, 0, 0, 0);
		if (writable)
			put(2, 0, 0, DSB_ISH);
		HOOK(ANON, 0, 0, 0);
		put(2, 0, 0, DSB_ISH);
		now += 1000;
		HOOK(BATCH_FLUSH, 0, 0, 0);
		t = import_all(DVM_TRACE_BATCH_FLUSH, f, 4, &n);
		ck_assert_uint_eq(n, 1);
		ck_assert(writable ? f[0]->time_ns < now - 1000 : f[0]->time_ns >= now - 100);
		dvm_trace_free(t);
	}
}
END_TEST

/*
 * tlb_finish_mmu() flushes everything when two gathers are under way on one mm, and says so with the
 * bit that an exit has (mm/mmu_gather.c, 6.12): the mm lives on.
 */
START_TEST(nested_gathers_are_no_exit)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(GATHER, 1, 4, 0x99, MM1, 0, 0, 1 | 1 << 2);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	HOOK(EXIT, 1, 0, 0);
	HOOK(EXIT_MMAP, 1, 0, MM1);
	flush(ASIDE1IS, UINT64_C(0x10) << 48);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(f[0]->request, DVM_TRACE_REQ_ASID);
	ck_assert_uint_eq(f[0]->flags, DVM_TRACE_F_FREED_TABLES);
	ck_assert_uint_eq(f[1]->request, DVM_TRACE_REQ_ASID);
	ck_assert_uint_eq(f[1]->flags, DVM_TRACE_F_FULLMM);
	dvm_trace_free(t);
}
END_TEST

/*
 * An interrupt may take a task off its CPU between a TLBI and the next, or its DSB: the request is one
 * all the same, and what the other task does meanwhile is another.
 */
START_TEST(a_request_survives_a_switch)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	cpu = 0;
	switch_to(0x10, KTHREAD, 9);
	two_tasks();
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	put(2, 0, 0, DSB_ISHST);
	put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
	HOOK(SWITCH, 2, 0, PARENT, KTHREAD);
	put(5, 9, 0, CONTEXTIDR);
	put(2, 0, 0, DSB_ISH);
	HOOK(UNMAP_ONE, 3, 1, 0x77, VMA, 0x9000, MM2);
	HOOK(BATCH_ADD, 1, 0, MM2);
	put(1, UINT64_C(0x12) << 48 | 9, 0, VALE1IS);
	HOOK(BATCH_FLUSH, 0, 0, 0);
	HOOK(SWITCH, 2, 0, KTHREAD, PARENT);
	put(5, 7, 0, CONTEXTIDR);
	put(2, 0, 0, DSB_ISH);
	put(1, UINT64_C(0x10) << 48 | 6, 0, VALE1IS);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	/* The DSB of the second switch is the task's first after its TLBI. */
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(f[0]->mm, f[2]->mm);
	ck_assert_uint_eq(f[0]->flags, DVM_TRACE_F_LEAF);
	ck_assert_uint_eq(f[0]->va, 0x5000);
	ck_assert_uint_eq(f[1]->op, DVM_TRACE_OP_RECLAIM);
	dvm_trace_free(t);
}
END_TEST

/* A DSB ISHST between two TLBIs is an interrupt's when the second goes on where the first ended. */
START_TEST(a_request_survives_an_interrupts_barrier)
{
	static const struct { uint64_t page; size_t requests; } cases[] = { { 6, 1 }, { 9, 2 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dvm_trace_record *f[4];
		struct dvm_trace *t;
		size_t n;

		if (i) {
			out = fopen(stream, "wb");
			now = 8000;
		}
		two_tasks();
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
		put(2, 0, 0, DSB_ISHST);
		put(1, UINT64_C(0x10) << 48 | cases[i].page, 0, VALE1IS);
		put(2, 0, 0, DSB_ISH);
		t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
		ck_assert_uint_eq(n, cases[i].requests);
		ck_assert_uint_eq(f[0]->amount, n == 1 ? 2 : 1);
		dvm_trace_free(t);
	}
}
END_TEST

/* With page-table isolation each TLBI is issued for both ASIDs of the mm: one request. */
START_TEST(kpti_twins_are_one_request)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	put(2, 0, 0, DSB_ISHST);
	put(1, UINT64_C(0x10) << 48 | 5, 0, VALE1IS);
	put(1, UINT64_C(0x11) << 48 | 5, 0, VALE1IS);
	put(2, 0, 0, DSB_ISH);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(f[0]->request, DVM_TRACE_REQ_PAGE);
	ck_assert(dvm_trace_get_env(t)->kpti);
	ck_assert(!dvm_trace_get_env(t)->tlbi_range);
	ck_assert(!dvm_trace_get_env(t)->repeat_tlbi);
	dvm_trace_free(t);
}
END_TEST

/* change_prot_numa() flushes a range for no system call; a later flush of the task is another's. */
START_TEST(numa_hints_are_a_cause)
{
	const struct dvm_trace_record *f[4];
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	HOOK(NUMA, 0, 0, 0);
	HOOK(GATHER, 1, 4, 0x99, MM1, 0x10000, 0x13000, 1 << 4);
	flush(RVALE1IS, UINT64_C(0x10) << 48 | UINT64_C(1) << 46 | UINT64_C(1) << 39 | 0x10);
	HOOK(USER, 0, 0, 0);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM1);
	HOOK(ANON, 0, 0, 0);
	HOOK(USER, 0, 0, 0);
	HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM1);
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	flush(VALE1IS, UINT64_C(0x10) << 48 | 5);
	t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(f[0]->op, DVM_TRACE_OP_NUMA_HINT);
	ck_assert_uint_eq(f[1]->op, DVM_TRACE_OP_FAULT_COW);
	dvm_trace_free(t);
	out = fopen(stream, "r+b");
	t = import_all(DVM_TRACE_OP_BEGIN, f, 4, &n);
	ck_assert_uint_eq(f[0]->op, DVM_TRACE_OP_FAULT_ANON);
	dvm_trace_free(t);
}
END_TEST

/* prctl(MARK_OPTION, amount, name, name), name packed low byte first; other calls are no marks. */
START_TEST(workloads_count_their_work)
{
	const struct dvm_trace_record *m[4];
	uint64_t name[2] = { 0, 0 };
	struct dvm_trace *t;
	size_t n;

	two_tasks();
	for (unsigned i = 0; i < 8; i++)
		name[0] |= (uint64_t)(unsigned char)"requests"[i] << 8 * i;
	HOOK(WORK, 0, 4, 0x44564d53, 100, name[0], name[1]);
	HOOK(WORK, 0, 4, 15, 100, name[0], name[1]);
	HOOK(WORK, 0, 4, 0x44564d53, 0, name[0], name[1]);
	HOOK(WORK, 0, 4, 0x44564d53, 1, '"', 0);
	HOOK(WORK, 0, 4, 0x44564d53, 50, name[0], name[1]);
	t = import_all(DVM_TRACE_MARK, m, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(m[0]->amount, 100);
	ck_assert_uint_eq(m[1]->amount, 50);
	ck_assert_str_eq(dvm_trace_mark_name(t, m[0]->id), "requests");
	dvm_trace_free(t);
}
END_TEST

/* Accesses belong to the task that runs; they stand before what the CPU does next. */
START_TEST(accesses_are_gathered)
{
	const struct dvm_trace_record *r[4];
	const uint64_t *a;
	struct dvm_trace *t;
	size_t n, count;

	two_tasks();
	put(7, 0x5008, 0, 0x99);
	put(7, 0x6010, 1, 0x9a);
	put(7, UINT64_C(1) << 60, 1, 0);
	cpu = 1;
	put(7, 0x400004, 2, 0);
	cpu = 0;
	HOOK(USER, 0, 0, 0);
	HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
	flush(VALE1IS, UINT64_C(0x10) << 48 | 5);
	cpu = 1;
	switch_to(CHILD, IDLE1, 0);
	put(7, 0x400004, 2, 0);
	put(9, 0, 0, 0);
	t = import_all(DVM_TRACE_ACCESS_RUN, r, 4, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(r[0]->amount, 2);
	ck_assert_uint_eq(r[1]->amount, 1);
	ck_assert_uint_eq(r[1]->cpu, 1);
	a = dvm_trace_accesses(t, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(a[0], 0x5000);
	ck_assert_uint_eq(a[1], 0x6000 | DVM_TRACE_ACCESS_WRITE);
	ck_assert_uint_eq(a[2], 0x400000 | DVM_TRACE_ACCESS_FETCH);
	ck_assert_ptr_nonnull(strstr(dvm_trace_header(t), "2 records of unknown kind"));
	dvm_trace_free(t);
}
END_TEST

/* Before 6.2 struct mmu_gather has no delayed_rmap, and what follows it is one bit lower. */
START_TEST(the_kernel_says_how_a_gather_is_laid_out)
{
	static const struct { const char *kernel; uint64_t pmds; } cases[] = {
		{ "kernel 6.12\n", 1 << 5 }, { "kernel 6.1\n", 1 << 4 }, { "", 1 << 5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dvm_trace_record *f[4];
		FILE *h = fopen(hooks, "w");
		struct dvm_trace *t;
		size_t n;

		ck_assert(h && fprintf(h, "%s%s", cases[i].kernel, hooks_text) > 0 && !fclose(h));
		if (i) {
			out = fopen(stream, "wb");
			now = 8000;
		}
		two_tasks();
		HOOK(GATHER, 1, 4, 0x99, MM1, 0x200000, 0x400000, cases[i].pmds);
		flush(VALE1IS, UINT64_C(0x10) << 48 | 0x200);
		t = import_all(DVM_TRACE_FLUSH, f, 4, &n);
		ck_assert_uint_eq(n, 1);
		ck_assert_uint_eq(f[0]->stride_shift, 21);
		dvm_trace_free(t);
	}
}
END_TEST

/* Half a million events in less than two seconds of CPU time. */
START_TEST(import_is_fast)
{
	struct dvm_error err;
	struct dvm_trace *t;
	clock_t begin;

	two_tasks();
	for (unsigned i = 0; i < 50000; i++) {
		HOOK(FAULT, 3, 1, VMA, 0x5010, 1, MM1);
		HOOK(CLEAR, 2, 1, VMA, 0x5000, MM1);
		flush(VALE1IS, UINT64_C(0x10) << 48 | 5);
		HOOK(USER, 0, 0, 0);
	}
	ck_assert_int_ge(ftell(out), 500000 * 40);
	ck_assert_int_eq(fclose(out), 0);
	begin = clock();
	t = import(1, 0, &err);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_lt(clock() - begin, 2 * CLOCKS_PER_SEC);
	dvm_trace_free(t);
}
END_TEST

START_TEST(a_stream_that_is_none_is_refused)
{
	struct dvm_error err;

	write_stream();
	now -= 4000; /* time goes back */
	put(2, 0, 0, DSB_ISH);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_ptr_null(import(1, 0, &err));
	ck_assert_int_eq(err.code, DVM_EFORMAT);
	ck_assert_ptr_null(import(9, 0, &err));
	ck_assert_int_eq(truncate(stream, 40 * 30 + 7), 0);
	ck_assert_ptr_null(import(1, 0, &err));
	ck_assert_ptr_nonnull(strstr(err.text, "middle of a record"));
	ck_assert_int_eq(unlink(stream), 0);
	ck_assert_ptr_null(import(1, 0, &err));
	ck_assert_int_eq(err.code, DVM_ENOENT);
}
END_TEST

START_TEST(any_damaged_stream_is_survived)
{
	struct dvm_error err;
	long size;

	write_stream();
	size = ftell(out);
	ck_assert_int_eq(fclose(out), 0);
	for (long at = 0; at < size; at += 7) {
		FILE *f = fopen(stream, "r+b");
		int old;

		ck_assert(f && !fseek(f, at, SEEK_SET));
		old = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(old ^ (1 << at % 8), f);
		fclose(f);
		dvm_trace_free(import(1, 2, &err));
		f = fopen(stream, "r+b");
		fseek(f, at, SEEK_SET);
		fputc(old, f);
		fclose(f);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "import");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_stream_becomes_a_trace);
	tcase_add_test(tc, a_gather_says_what_was_asked_for);
	tcase_add_test(tc, runs_add_up_to_what_was_executed);
	tcase_add_test(tc, reclaim_flushes_others_in_batches);
	tcase_add_test(tc, a_batch_ends_before_dirty_pages_are_written);
	tcase_add_test(tc, a_request_survives_a_switch);
	tcase_add_test(tc, a_request_survives_an_interrupts_barrier);
	tcase_add_test(tc, nested_gathers_are_no_exit);
	tcase_add_test(tc, kpti_twins_are_one_request);
	tcase_add_test(tc, numa_hints_are_a_cause);
	tcase_add_test(tc, workloads_count_their_work);
	tcase_add_test(tc, accesses_are_gathered);
	tcase_add_test(tc, the_kernel_says_how_a_gather_is_laid_out);
	tcase_add_test(tc, import_is_fast);
	tcase_add_test(tc, a_stream_that_is_none_is_refused);
	tcase_add_test(tc, any_damaged_stream_is_survived);
}

CHECK_MAIN("trace import", add_cases)
