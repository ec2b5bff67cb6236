/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "import.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Memory accesses of one program: what is kept, what is left out, and what is refused. */
#define W DVM_TRACE_ACCESS_WRITE
#define F DVM_TRACE_ACCESS_FETCH
#define RUN(n) (UINT64_C(0x8000) << 48 | (n))
#define CPU(n) (UINT64_C(0x8100) << 48 | (n))
#define THREAD(n) (UINT64_C(0x8200) << 48 | (n))

static char path[64];

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/dvmsim-access-%d", (int)getpid());
}

static void teardown(void)
{
	unlink(path);
}

static void write_words(const uint64_t *words, size_t count, size_t bytes)
{
	FILE *f = fopen(path, "wb");

	for (size_t i = 0; i < 8 * count && i < bytes; i++)
		fputc((int)(words[i / 8] >> 8 * (i % 8) & 255), f);
	fclose(f);
}

/* The text of records and accesses, without times (which count accesses). */
static void print(const struct dvm_trace *trace, char *out, size_t size)
{
	struct dvm_error err = { 0 };
	char *text, *line, *save;
	size_t n = 0, length;

	ck_assert_int_eq(dvm_trace_validate(trace, &err), 0);
	ck_assert_int_eq(dvm_trace_print_text(trace, &text, &length, &err), 0);
	line = strstr(text, "\nrecords\n");
	out[0] = '\0';
	for (line = strtok_r(line + 9, "\n", &save); line && strcmp(line, "end");
	     line = strtok_r(NULL, "\n", &save)) {
		const char *rest = strstr(line, " cpu");

		n += (size_t)snprintf(out + n, size - n, "%s\n", rest ? rest + 1 : line);
	}
	dvm_trace_text_free(text);
}

#define HEAD "cpu0 mm-new mm=1 flags=initial\ncpu0 task-new task=1 mm=1 flags=thread\n" \
	"cpu0 switch task=1 mm=1\n"

START_TEST(lackeys_lines_become_accesses)
{
	static const char text[] =
		"==123== Lackey, an example Valgrind tool\n"
		"I  04001000,3\n L 1ffe5008,8\n" /* a fetch, a read */
		"I  04001003,3\n L 1ffe5010,8\n" /* both pages again */
		"I  04002000,4\n S 1ffe5018,8\n" /* another page of code; a write to the page read */
		" M 1ffe6000,4\n"; /* load and store: one write */
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");
	char got[2048];

	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(import_lackey(path, &opt, NULL, &trace, &err), 0);
	print(trace, got, sizeof(got));
	ck_assert_str_eq(got, HEAD
		"cpu0 run task=1 n=3\ncpu0 access-run task=1 mm=1 n=5\naccesses\n"
		"0x4001000 f\n0x1ffe5008 r\n0x4002000 f\n0x1ffe5018 w\n0x1ffe6000 w\n");
	dvm_trace_free(trace);
}
END_TEST

static const struct {
	const char *rule;
	uint64_t words[12];
	const char *expected;
} cases[] = {
	{ "one CPU and one thread unless said", { 0x5000, 0x6000 | W },
	  HEAD "cpu0 access-run task=1 mm=1 n=2\naccesses\n0x5000 r\n0x6000 w\n" },
	{ "instructions stand before the accesses that follow them", { RUN(7), 0x5000 | F, RUN(3) },
	  HEAD "cpu0 run task=1 n=10\ncpu0 access-run task=1 mm=1 n=1\naccesses\n0x5000 f\n" },
	{ "a page read again is left out, a page written after it was read is kept",
	  { 0x5000, 0x5ff8, 0x5008 | W, 0x5010 },
	  HEAD "cpu0 access-run task=1 mm=1 n=2\naccesses\n0x5000 r\n0x5008 w\n" },
	{ "a thread on another CPU", { THREAD(1), 0x5000, CPU(1), THREAD(2), 0x5000 },
	  HEAD "cpu0 access-run task=1 mm=1 n=1\ncpu1 task-new task=2 mm=1 flags=thread\n"
	  "cpu1 switch task=2 mm=1\ncpu1 access-run task=2 mm=1 first=1 n=1\naccesses\n"
	  "0x5000 r\n0x5000 r\n" },
	{ "a thread that moves leaves its CPU first",
	  { THREAD(1), 0x5000, CPU(1), THREAD(1), 0x6000 },
	  HEAD "cpu0 access-run task=1 mm=1 n=1\ncpu0 switch\ncpu1 migrate task=1 target=1\n"
	  "cpu1 switch task=1 mm=1\ncpu1 access-run task=1 mm=1 first=1 n=1\naccesses\n"
	  "0x5000 r\n0x6000 r\n" },
};

START_TEST(words_become_accesses)
{
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	char got[2048];
	size_t n = 0;

	while (n < 12 && cases[_i].words[n])
		n++;
	write_words(cases[_i].words, n, SIZE_MAX);
	ck_assert_int_eq(import_accesses(path, &opt, NULL, &trace, &err), 0);
	print(trace, got, sizeof(got));
	ck_assert_msg(!strcmp(got, cases[_i].expected), "%s:\n%s", cases[_i].rule, got);
	dvm_trace_free(trace);
}
END_TEST

static const struct {
	uint64_t words[3];
	size_t bytes;
	const char *error;
} wrong[] = {
	{ { 0 }, 0, "holds no accesses" },
	{ { 0x5000 }, 7, "word 0: the file ends within it" },
	{ { 0x5000, UINT64_C(1) << 50 }, 16, "word 1: bits 50 to 62 of an access must be 0" },
	{ { UINT64_C(0x8300) << 48 }, 8, "word 0: a control word of an unknown kind" },
	{ { CPU(1024) }, 8, "word 0: a CPU number above 1023" },
	{ { THREAD(0) }, 8, "word 0: a thread number that is not from 1 to 4095" },
};

START_TEST(wrong_words_are_refused_by_number)
{
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };

	write_words(wrong[_i].words, 3, wrong[_i].bytes);
	ck_assert_int_lt(import_accesses(path, &opt, NULL, &trace, &err), 0);
	ck_assert_str_eq(err.text, wrong[_i].error);
}
END_TEST

START_TEST(text_that_is_not_lackeys_is_refused)
{
	static const struct import_options opt = { 0 };
	struct dvm_trace *trace = NULL;
	struct dvm_error err = { 0 };
	FILE *f = fopen(path, "w");

	fputs("I\n L\n X 5000,8\n L zz,8\n L 5000\n L ffffffffffffffff,8\n", f);
	fclose(f);
	ck_assert_int_eq(import_lackey(path, &opt, NULL, &trace, &err), -DVM_EFORMAT);
}
END_TEST

/* Any bytes: an error with words or a valid trace. */
START_TEST(any_bytes_are_survived)
{
	static const struct import_options opt = { 0 };
	uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */

	for (int i = 0; i < 300; i++) {
		struct dvm_trace *trace = NULL;
		struct dvm_error err = { 0 };
		uint64_t words[8];
		int ret;

		for (int j = 0; j < 8; j++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* mostly accesses and small control words, so that some files are good */
			words[j] = random & 3 ? random >> 20 & DVM_TRACE_ACCESS_VA :
				   (0x8000 | (random >> 8 & 3) << 8) << 48 | (random >> 60);
			if (i % 3 == 0)
				words[j] = random;
		}
		write_words(words, 8, (size_t)(i % 65));
		ret = (i & 1 ? import_accesses : import_lackey)(path, &opt, NULL, &trace, &err);
		ck_assert(ret ? err.text[0] != '\0' : dvm_trace_validate(trace, &err) == 0);
		dvm_trace_free(trace);
	}
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "access");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, lackeys_lines_become_accesses);
	tcase_add_loop_test(tc, words_become_accesses, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, wrong_words_are_refused_by_number, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, text_that_is_not_lackeys_is_refused);
	tcase_add_test(tc, any_bytes_are_survived);
}

CHECK_MAIN("trace access", add_cases)
