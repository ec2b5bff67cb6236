/* SPDX-License-Identifier: MIT */
#include "check_main.h"
#include "gen.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define HEAD "{\"format\":\"dvmsim.trace/1\",\"source\":\"t\",\"ncpus\":4,\"page_bytes\":4096,\"va_bits\":48"
#define TEXT(body) "dvmsim-trace-text 1\n" HEAD "}\nrecords\n" body

START_TEST(text_round_trips)
{
	struct dvm_trace *a = gen_trace((uint64_t)_i, 400), *b = NULL;
	struct dvm_error err = { 0 };
	char *text, *again;
	size_t size, size2;

	ck_assert_int_eq(dvm_trace_print_text(a, &text, &size, NULL), 0);
	ck_assert_msg(!dvm_trace_parse_text("t", text, size, &b, &err), "line %u: %s", err.line,
		      err.text);
	ck_assert(gen_equal(a, b));
	ck_assert_int_eq(dvm_trace_print_text(b, &again, &size2, NULL), 0);
	ck_assert(size == size2 && !memcmp(text, again, size));
	dvm_trace_text_free(text);
	dvm_trace_text_free(again);
	dvm_trace_free(a);
	dvm_trace_free(b);
}
END_TEST

/* text -> line and column of the error, and a word of it */
static const struct {
	const char *text;
	unsigned line, column;
	const char *word;
} errors[] = {
	{ "", 1, 1, "dvmsim-trace-text 1" },
	{ "dvmsim-trace-text 2\n", 1, 1, "dvmsim-trace-text 1" },
	{ "dvmsim-trace-text 1\n{}\n", 2, 1, "records" },
	{ TEXT(""), 3, 1, "end" },
	{ TEXT("accesses\n"), 4, 1, "end" },
	{ TEXT("accesses\nend\nx\n"), 6, 1, "follows" },
	{ TEXT("x cpu0 switch\n"), 4, 1, "time" },
	{ TEXT("1 cpu switch\n"), 4, 2, "cpuN" },
	{ TEXT("1 cpu70000 switch\n"), 4, 2, "cpuN" },
	{ TEXT("1 cpu4 switch\n"), 4, 1, "ncpus" },
	{ TEXT("1 cpu0 swich\n"), 4, 7, "\"switch\"" },
	{ TEXT("1 cpu0 switch tsk=1\n"), 4, 14, "\"task\"" },
	{ TEXT("1 cpu0 switch task=1 task=1\n"), 4, 21, "twice" },
	{ TEXT("1 cpu0 switch task=4294967296\n"), 4, 14, "too large" },
	{ TEXT("1 cpu0 switch task=-1\n"), 4, 14, "not a number" },
	{ TEXT("1 cpu0 switch task=1 flags=initail\n"), 4, 21, "\"initial\"" },
	{ TEXT("1 cpu0 op-begin task=1 op=munmp\n"), 4, 23, "\"munmap\"" },
	{ TEXT("1 cpu0 switch task\n"), 4, 14, "KEY=VALUE" },
	{ TEXT("accesses\n0x1000000000000 r\nend\n"), 5, 1, "48-bit" },
	{ TEXT("accesses\n0x1000 q\nend\n"), 5, 9, "r, w, f, fw" },
	{ TEXT("accesses\n0x1000 r r\nend\n"), 5, 11, "r, w, f, fw" },
};

START_TEST(errors_name_line_column_and_cure)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *t = NULL;
	int ret = dvm_trace_parse_text("f", errors[_i].text, strlen(errors[_i].text), &t, &err);

	ck_assert_int_eq(ret, -DVM_EFORMAT);
	ck_assert_ptr_null(t);
	ck_assert_uint_eq(err.line, errors[_i].line);
	ck_assert_uint_eq(err.column, errors[_i].column);
	ck_assert_msg(strstr(err.text, errors[_i].word) != NULL, "%s", err.text);
}
END_TEST

/* what is added to a minimal header -> a word of the error; NULL: it is right */
static const struct {
	const char *more, *word;
} headers[] = {
	{ "", NULL },
	{ ",\"marks\":[\"forks\"]", NULL },
	{ ",\"features\":{\"kpti\":true}", NULL },
	{ ",\"machin\":\"x\"", "did you mean \"machine\"" },
	{ ",\"ncpus\":4", "duplicate" },
	{ ",\"machine\":1", "must be a text" },
	{ ",\"marks\":[1]", "must be texts" },
	{ ",\"marks\":[\"A\"]", "a-z" },
	{ ",\"marks\":[\"a\",\"a\"]", "twice" },
	{ ",\"features\":{\"ktpi\":true}", "did you mean \"kpti\"" },
	{ ",\"features\":{\"kpti\":1}", "true or false" },
	{ ",\"not_recorded\":[{\"what\":\"x\"}]", "\"filled\"" },
	{ ",", "key" },
	{ "}x{", "after the end" },
};

START_TEST(header_is_read_strictly)
{
	struct dvm_error err = { 0 };
	struct dvm_trace *t = NULL;
	char json[512];
	int ret;

	snprintf(json, sizeof(json), HEAD "%s}", headers[_i].more);
	ret = dvm_trace_new(json, &t, &err);
	ck_assert_int_eq(ret, headers[_i].word ? -DVM_EFORMAT : 0);
	if (headers[_i].word)
		ck_assert_msg(strstr(err.text, headers[_i].word) != NULL, "%s", err.text);
	dvm_trace_free(t);
}
END_TEST

/* ncpus, page_bytes, va_bits -> right? */
static const struct {
	const char *ncpus, *page, *va;
	int ok;
} numbers[] = {
	{ "1", "4096", "36", 1 },  { "8192", "65536", "52", 1 }, { "0", "4096", "48", 0 },
	{ "8193", "4096", "48", 0 }, { "4", "8192", "48", 0 },	 { "4", "4096", "35", 0 },
	{ "4", "4096", "53", 0 },  { "1.5", "4096", "48", 0 },	 { "1e400", "4096", "48", 0 },
	{ "-1", "4096", "48", 0 },
};

START_TEST(header_numbers_are_bounded)
{
	struct dvm_trace *t = NULL;
	char json[256];

	snprintf(json, sizeof(json), "{\"format\":\"dvmsim.trace/1\",\"source\":\"t\",\"ncpus\":%s,"
		 "\"page_bytes\":%s,\"va_bits\":%s}", numbers[_i].ncpus, numbers[_i].page,
		 numbers[_i].va);
	ck_assert_int_eq(dvm_trace_new(json, &t, NULL), numbers[_i].ok ? 0 : -DVM_EFORMAT);
	dvm_trace_free(t);
}
END_TEST

START_TEST(every_prefix_of_a_text_is_handled)
{
	struct dvm_trace *a = gen_trace(3, 8), *b = NULL;
	char *text;
	size_t size;

	ck_assert_int_eq(dvm_trace_print_text(a, &text, &size, NULL), 0);
	/* The very last byte is the newline after "end". */
	for (size_t i = 0; i < size - 1; i++)
		ck_assert_int_lt(dvm_trace_parse_text("t", text, i, &b, NULL), 0);
	dvm_trace_text_free(text);
	dvm_trace_free(a);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
	struct dvm_trace *a = gen_trace(5, 40), *b = NULL;
	char *text = NULL;
	size_t size = 0;
	int ret = -1;

	for (unsigned long n = 1; ret; n++) {
		dvmi_mem_fail_at(n);
		ret = dvm_trace_print_text(a, &text, &size, NULL);
		dvmi_mem_fail_at(0);
		ck_assert(!ret || ret == -DVM_ENOMEM);
	}
	ret = -1;
	for (unsigned long n = 1; ret; n++) {
		dvmi_mem_fail_at(n);
		ret = dvm_trace_parse_text("t", text, size, &b, NULL);
		dvmi_mem_fail_at(0);
		ck_assert(!ret || ret == -DVM_ENOMEM);
	}
	dvm_trace_text_free(text);
	dvm_trace_free(a);
	dvm_trace_free(b);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "text");

	tcase_add_loop_test(tc, text_round_trips, 0, 8);
	tcase_add_loop_test(tc, errors_name_line_column_and_cure, 0, COUNT(errors));
	tcase_add_loop_test(tc, header_is_read_strictly, 0, COUNT(headers));
	tcase_add_loop_test(tc, header_numbers_are_bounded, 0, COUNT(numbers));
	tcase_add_test(tc, every_prefix_of_a_text_is_handled);
	tcase_add_test(tc, running_out_of_memory_is_an_error);
}

CHECK_MAIN("trace text", add_cases)
