/* SPDX-License-Identifier: MIT */
/*
 * The engine against the reference engine (plain.c) on random workloads of both schedules: every
 * statistic and what the observer was told, bit for bit. Only the number of events is another one:
 * the plain fabric has one for each part of a snoop.
 */
#include "check_main.h"
#include "random_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers are slow, and the same seeds run without them. */
#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 30
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEEDS 30
#endif
#endif
#ifndef SEEDS
#define SEEDS 200
#endif

/* The long test asks for more. */
static uint64_t seeds(void)
{
	const char *text = getenv("DVMSIM_SEEDS");

	return text ? strtoull(text, NULL, 10) : SEEDS;
}

/* The next outcome that the reference engine prints. */
static void read_plain(FILE *f, char text[RANDOM_RUN_TEXT])
{
	size_t n = 0;

	for (;;) {
		int c = fgetc(f);

		ck_assert_msg(c != EOF && n < RANDOM_RUN_TEXT - 1, "sim_plain ended early");
		if (c == ';')
			break;
		text[n++] = (char)c;
	}
	text[n] = '\0';
	fgetc(f);
}

START_TEST(engine_and_reference_engine_agree)
{
	static char fast[RANDOM_RUN_TEXT], plain[RANDOM_RUN_TEXT];
	uint64_t count = seeds(), compared = 0;
	char command[500];
	FILE *f;

	snprintf(command, sizeof(command), "%s 0 %llu", SIM_PLAIN, (unsigned long long)count);
	f = popen(command, "r");
	ck_assert_ptr_nonnull(f);
	for (uint64_t seed = 0; seed < count; seed++) {
		random_run(seed, false, false, fast);
		read_plain(f, plain);
		/* Interrupts without end: events are what runs out. */
		if (strstr(fast, "budget") || strstr(plain, "budget"))
			continue;
		ck_assert_msg(!strcmp(fast, plain), "%s: engine\n%s\nreference\n%s",
			      random_run_about(), fast, plain);
		compared++;
	}
	ck_assert_int_eq(pclose(f), 0);
	ck_assert_uint_gt(compared, count * 9 / 10);
}
END_TEST

static void add_cases(Suite *suite)
{
	tcase_add_test(check_case(suite, "reference"), engine_and_reference_engine_agree);
}

CHECK_MAIN("sim_ref", add_cases)
