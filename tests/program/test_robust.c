/* SPDX-License-Identifier: MIT */
/* Bad luck and bad input: memory that runs out at every place, texts with random damage. */
#include "check_main.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "script.h"

#include <stdio.h>
#include <string.h>

static const char *const files[] = {
	DVMSIM_SOURCE_DIR "/models/strategies/active-cpu-v2.strategy",
	DVMSIM_SOURCE_DIR "/models/strategies/recheck-own.strategy",
	DVMSIM_SOURCE_DIR "/models/strategies/always-broadcast.strategy",
	DVMSIM_SOURCE_DIR "/tests/program/valid/everything.strategy",
};

#define ROWS(t) ((int)(sizeof(t) / sizeof((t)[0])))

static const char *const hooks[] = { "flush",  "batch-add", "batch-flush", "switch-in",
				     "switch-out", "idle",  "asid-alloc",  "rollover", "ipi" };

/* Everything a caller can do with one file; returns the first failure. */
static int use(const char *path)
{
	struct script script = { .self = 3, .values = { 3, 3, 3 } };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy_line line;
	struct dvm_strategy *s;
	char *text;
	int rc = dvm_strategy_load(path, &s, NULL);

	if (rc)
		return rc;
	rc = dvm_strategy_print(s, &text, NULL);
	if (!rc)
		dvm_free(text);
	for (size_t i = 0; !rc && i < dvm_strategy_lines(s); i++)
		rc = dvm_strategy_get_line(s, i, &line);
	if (!rc)
		rc = dvm_strategy_run(s, "flush", &env, 0, 1000, NULL);
	dvm_strategy_free(s);
	return rc;
}

START_TEST(running_out_of_memory_anywhere_is_reported)
{
	unsigned long n = 0;
	int rc;

	do {
		dvmi_mem_fail_at(++n);
		rc = use(files[_i]);
		ck_assert_msg(!rc || rc == -DVM_ENOMEM, "allocation %lu: %d", n, rc);
	} while (rc && n < 10000);
	dvmi_mem_fail_at(0);
	ck_assert_uint_gt(n, 10);
	ck_assert_int_eq(rc, 0);
}
END_TEST

START_TEST(running_out_of_memory_while_building_is_reported)
{
	unsigned long n = 0;
	int rc;

	do {
		struct dvm_strategy_builder *b;
		struct dvm_strategy *s = NULL;

		dvmi_mem_fail_at(++n);
		b = dvm_strategy_builder_new("x");
		dvm_strategy_builder_hook(b, "flush");
		dvm_strategy_builder_emit(b, "ret");
		rc = dvm_strategy_builder_finish(b, &s, NULL);
		ck_assert_msg(!rc || rc == -DVM_ENOMEM, "allocation %lu: %d", n, rc);
		dvm_strategy_free(s);
	} while (rc && n < 1000);
	dvmi_mem_fail_at(0);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_gt(n, 3);
}
END_TEST

/* One random edit: change, insert or remove a byte, cut a line, copy from elsewhere. */
static size_t damage(char *text, size_t size, size_t max, struct dvmi_rng *rng)
{
	static const char bytes[] = "abeilmnrst_.,:=[]\"#\n\t -0123456789\\x\x01\x80\xff";
	size_t at = dvmi_rng_below(rng, size), n;
	char c = bytes[dvmi_rng_below(rng, sizeof(bytes) - 1)];

	switch (dvmi_rng_below(rng, 5)) {
	case 0:
		text[at] = c;
		break;
	case 1:
		if (size + 1 < max) {
			memmove(text + at + 1, text + at, size - at);
			text[at] = c;
			size++;
		}
		break;
	case 2:
		memmove(text + at, text + at + 1, size - at - 1);
		size--;
		break;
	case 3: /* remove to the end of the line */
		for (n = 0; at + n < size && text[at + n] != '\n'; n++)
			;
		memmove(text + at, text + at + n, size - at - n);
		size -= n;
		break;
	default: /* copy a piece over another */
		n = dvmi_rng_below(rng, 24);
		if (at + n < size) {
			size_t from = dvmi_rng_below(rng, size - n);

			memmove(text + at, text + from, n);
		}
	}
	return size ? size : 1;
}

/* An accepted text prints to one that is accepted, and its hooks run to an end or a budget. */
static void accepted(struct dvm_strategy *s, struct dvmi_rng *rng)
{
	struct script script = { .rng = rng };
	struct dvm_strategy_env env = script_env(&script);
	struct dvm_strategy *again = NULL;
	struct dvm_error err;
	char *text;

	ck_assert_int_eq(dvm_strategy_print(s, &text, NULL), 0);
	ck_assert_msg(!dvm_strategy_parse(text, "printed", &again, &err), "%u:%u %s in\n%s",
		      err.line, err.column, err.text, text);
	ck_assert_uint_eq(dvm_strategy_lines(s), dvm_strategy_lines(again));
	dvm_strategy_free(again);
	dvm_free(text);
	for (int h = 0; h < ROWS(hooks); h++) {
		int rc = dvm_strategy_run(s, hooks[h], &env, 42, 200, &err);

		/* EFORMAT: cpu[r] with an r that names no CPU. */
		ck_assert_msg(!rc || rc == -DVM_EBUDGET || rc == -DVM_EFORMAT, "%d", rc);
	}
}

START_TEST(damaged_text_is_refused_with_a_place_or_is_sound)
{
	enum { ROUNDS = 4000, MAX = 16384 };
	unsigned good = 0, bad = 0;
	struct dvmi_rng rng;
	char *original, *text = malloc(MAX);
	size_t length;

	ck_assert_int_eq(dvmi_file_load(files[_i], MAX / 2, &original, &length, NULL), 0);
	dvmi_rng_init(&rng, 1, (uint64_t)_i);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t edits = 1 + dvmi_rng_below(&rng, 3);
		struct dvm_strategy *s = NULL;
		size_t size = length, lines = 1;
		struct dvm_error err = { 0 };
		int rc;

		memcpy(text, original, length);
		while (edits--)
			size = damage(text, size, MAX - 1, &rng);
		text[size] = '\0';
		for (size_t i = 0; i < size; i++)
			lines += text[i] == '\n';
		rc = dvm_strategy_parse(text, "damaged", &s, &err);
		if (!rc) {
			good++;
			accepted(s, &rng);
			dvm_strategy_free(s);
			continue;
		}
		bad++;
		ck_assert_msg(rc == -DVM_EFORMAT || rc == -DVM_ELIMIT, "%d", rc);
		ck_assert_uint_le(err.line, lines);
		ck_assert_msg(err.text[0], "no message");
	}
	/* Comments can take damage, code can not: both ways must have been tried. */
	ck_assert_uint_gt(good, 20);
	ck_assert_uint_gt(bad, 500);
	free(text);
	dvmi_free(original);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "robust");

	tcase_add_loop_test(tc, running_out_of_memory_anywhere_is_reported, 0, ROWS(files));
	tcase_add_test(tc, running_out_of_memory_while_building_is_reported);
	tcase_add_loop_test(tc, damaged_text_is_refused_with_a_place_or_is_sound, 0, ROWS(files));
}

CHECK_MAIN("program_robust", add_cases)
