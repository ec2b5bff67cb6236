/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* place -> how a message begins */
static const struct {
	unsigned line, column;
	uint64_t record;
	const char *text;
} places[] = {
	{ 3, 7, UINT64_MAX, "f:3:7: bad" },
	{ 3, 0, UINT64_MAX, "f:3: bad" },
	{ 0, 0, 12, "f: record 12: bad" },
	{ 0, 0, UINT64_MAX, "f: bad" },
};

START_TEST(error_names_the_place)
{
	struct dvm_error err = { .code = DVM_EFORMAT, .line = places[_i].line,
				 .column = places[_i].column, .record = places[_i].record,
				 .where = "f", .text = "bad" };
	char text[64];

	dvm_error_format(&err, text, sizeof(text));
	ck_assert_str_eq(text, places[_i].text);
}
END_TEST

START_TEST(error_is_optional)
{
	ck_assert_int_eq(dvmi_error(NULL, DVM_EIO, "x", "y"), -DVM_EIO);
}
END_TEST

static const char *word(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

START_TEST(suggestion_is_the_nearest_word_or_none)
{
	static const char *const words[] = { "dvm_hop_ps", "dsb_ish_ps", "tlbi_issue_ps", NULL };

	ck_assert_str_eq(dvmi_suggest("dvm_hop_pss", word, words), "dvm_hop_ps");
	ck_assert_str_eq(dvmi_suggest("dsb_is_ps", word, words), "dsb_ish_ps");
	ck_assert_ptr_null(dvmi_suggest("colour", word, words));
}
END_TEST

START_TEST(suggestion_takes_swapped_letters_for_one_edit)
{
	/* By single letters both are two edits away. */
	static const char *const words[] = { "list", "lint", NULL };

	ck_assert_str_eq(dvm_suggest("lnit", words), "lint");
	ck_assert_str_eq(dvm_suggest("lits", words), "list");
}
END_TEST

START_TEST(saved_file_is_whole_or_absent)
{
	char dir[] = "/tmp/dvmsim-test-XXXXXX", path[64];
	struct dvm_error err;
	char *data;
	size_t size;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	ck_assert_int_eq(dvmi_file_save(path, "abc", 3, &err), 0);
	ck_assert_int_eq(dvmi_file_load(path, 3, &data, &size, &err), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_str_eq(data, "abc");
	dvmi_free(data);
	ck_assert_int_eq(dvmi_file_load(path, 2, &data, &size, &err), -DVM_ELIMIT);
	unlink(path);
	ck_assert_int_eq(dvmi_file_load(path, 9, &data, &size, &err), -DVM_ENOENT);
	rmdir(dir);
	ck_assert_int_eq(dvmi_file_save(path, "abc", 3, &err), -DVM_EIO);
}
END_TEST

START_TEST(buffer_survives_failing_allocations)
{
	for (unsigned long n = 1; n < 4; n++) {
		struct dvmi_buf buf = { 0 };
		char *text = NULL;
		int ret;

		dvmi_mem_fail_at(n);
		for (int i = 0; i < 100; i++)
			dvmi_buf_printf(&buf, "%d,", i);
		ret = dvmi_buf_take(&buf, &text);
		dvmi_mem_fail_at(0);
		ck_assert(ret == -DVM_ENOMEM);
		dvmi_free(text);
	}
}
END_TEST

/* First outputs of SplitMix64 from state 0, from its authors' reference program. */
START_TEST(splitmix64_matches_its_reference)
{
	struct dvmi_rng rng = { 0 };

	ck_assert_uint_eq(dvmi_rng_next(&rng), UINT64_C(0xe220a8397b1dcdaf));
	ck_assert_uint_eq(dvmi_rng_next(&rng), UINT64_C(0x6e789e6aa1b965f4));
}
END_TEST

START_TEST(bounded_draws_stay_in_bounds)
{
	struct dvmi_rng rng;
	unsigned seen = 0;

	dvmi_rng_init(&rng, 1, 2);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = dvmi_rng_below(&rng, 7);

		ck_assert_uint_lt(x, 7);
		seen |= 1u << x;
	}
	ck_assert_uint_eq(seen, 0x7f);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "base");

	tcase_add_loop_test(tc, error_names_the_place, 0, 4);
	tcase_add_test(tc, error_is_optional);
	tcase_add_test(tc, suggestion_is_the_nearest_word_or_none);
	tcase_add_test(tc, suggestion_takes_swapped_letters_for_one_edit);
	tcase_add_test(tc, saved_file_is_whole_or_absent);
	tcase_add_test(tc, buffer_survives_failing_allocations);
	tcase_add_test(tc, splitmix64_matches_its_reference);
	tcase_add_test(tc, bounded_draws_stay_in_bounds);
}

CHECK_MAIN("base", add_cases)
