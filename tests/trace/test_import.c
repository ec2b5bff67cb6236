/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "import_stream.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
	tcase_add_test(tc, workloads_count_their_work);
	tcase_add_test(tc, accesses_are_gathered);
	tcase_add_test(tc, the_kernel_says_how_a_gather_is_laid_out);
	tcase_add_test(tc, import_is_fast);
	tcase_add_test(tc, a_stream_that_is_none_is_refused);
	tcase_add_test(tc, any_damaged_stream_is_survived);
}

CHECK_MAIN("trace import", add_cases)
