/* SPDX-License-Identifier: MIT */
/*
 * The checker: states a second, bytes a state, and time for the whole corpus.
 * One line per point, fields separated by blanks:
 *   check states threads N rows N states S M_states_per_s R bytes_per_state B
 *   check corpus tests N ms T slowest_ms T NAME
 *   check symmetry NAME states S without_symmetry S without_order S
 *   check scenarios strategy NAME scenarios N threads N states S wall_ms T
 * A "states" program has N threads of stores and loads to two locations. Processor time, the median
 * of five repetitions.
 */
#include <dvmsim/scenario.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEATS 5
#define UNREDUCED_MAX 3000000 /* states, in a search that is there for its number of states */
#define DIR_LITMUS DVMSIM_SOURCE_DIR "/tests/litmus"

static struct dvm_error err;

static void must(int ret)
{
	char text[1024];

	if (!ret)
		return;
	dvm_error_format(&err, text, sizeof(text));
	fprintf(stderr, "bench_check: %s\n", text);
	exit(2);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median milliseconds of exploring @test. */
static double explore(const struct dvm_litmus *test, uint64_t *states, uint64_t *bytes)
{
	double ms[REPEATS];

	for (int i = 0; i < REPEATS; i++) {
		struct dvm_litmus_result *res;
		double start = now_ms();

		must(dvm_litmus_run(test, NULL, &res, &err));
		ms[i] = now_ms() - start;
		*states = dvm_litmus_states(res);
		*bytes = dvm_litmus_memory(res);
		dvm_litmus_result_free(res);
	}
	qsort(ms, REPEATS, sizeof(ms[0]), compare);
	return ms[REPEATS / 2];
}

static void states(unsigned threads, unsigned rows)
{
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "AArch64 bench\n{\n");
	uint64_t count = 0, bytes = 0;
	struct dvm_litmus *test;
	double ms;

	for (unsigned t = 0; t < threads; t++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u:X1=x; %u:X2=y; %u:X3=%u;\n",
				      t, t, t, t + 1);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "}\n");
	for (unsigned r = 0; r <= rows; r++)
		for (unsigned t = 0; t < threads; t++) {
			const char *end = t + 1 < threads ? "|" : ";\n";

			if (!r)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "P%u %s", t, end);
			else if ((r + t) % 2)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "STR W3,[X%u] %s",
						      1 + r % 2, end);
			else
				n += (size_t)snprintf(text + n, sizeof(text) - n,
						      "LDR W%u,[X%u] %s", 3 + r, 2 - r % 2, end);
		}
	(void)snprintf(text + n, sizeof(text) - n, "exists (true)\n");
	must(dvm_litmus_parse("bench", text, strlen(text), &test, &err));
	ms = explore(test, &count, &bytes);
	printf("check states threads %u rows %u states %" PRIu64
	       " M_states_per_s %.2f bytes_per_state %.0f\n",
	       threads, rows, count, (double)count / ms * 1e-3, (double)bytes / (double)count);
	dvm_litmus_free(test);
}

/* ---- equal threads ---- */

static const struct {
	const char *name, *init, *code;
} equal[] = {
	{"SB", "0:X1=x; 0:X2=y; 1:X1=y; 1:X2=x; 0:X3=1; 1:X3=1;",
	 "P0|P1; STR W3,[X1]|STR W3,[X1]; LDR W4,[X2]|LDR W4,[X2];"},
	{"IRIW", "0:X1=x; 1:X1=y; 2:X1=x; 2:X2=y; 3:X1=y; 3:X2=x; 0:X3=1; 1:X3=1;",
	 "P0|P1|P2|P3; STR W3,[X1]|STR W3,[X1]|LDR W4,[X1]|LDR W4,[X1];"
	 "||LDR W5,[X2]|LDR W5,[X2];"},
	{"SB-ring-4",
	 "0:X1=w; 0:X2=x; 1:X1=x; 1:X2=y; 2:X1=y; 2:X2=z; 3:X1=z; 3:X2=w;"
	 "0:X3=1; 1:X3=1; 2:X3=1; 3:X3=1;",
	 "P0|P1|P2|P3; STR W3,[X1]|STR W3,[X1]|STR W3,[X1]|STR W3,[X1];"
	 "LDR W4,[X2]|LDR W4,[X2]|LDR W4,[X2]|LDR W4,[X2];"},
	{"SB-twice",
	 "0:X1=x; 0:X2=y; 1:X1=x; 1:X2=y; 2:X1=y; 2:X2=x; 3:X1=y; 3:X2=x;"
	 "0:X3=1; 1:X3=1; 2:X3=1; 3:X3=1;",
	 "P0|P1|P2|P3; STR W3,[X1]|STR W3,[X1]|STR W3,[X1]|STR W3,[X1];"
	 "LDR W4,[X2]|LDR W4,[X2]|LDR W4,[X2]|LDR W4,[X2];"},
	{"WRC-3-readers",
	 "0:X1=x; 0:X3=1; 1:X1=x; 1:X2=y; 2:X1=x; 2:X2=y; 3:X1=x; 3:X2=y;"
	 "1:X3=1; 2:X3=1; 3:X3=1;",
	 "P0|P1|P2|P3; STR W3,[X1]|LDR W4,[X1]|LDR W4,[X1]|LDR W4,[X1];"
	 "|STR W3,[X2]|STR W3,[X2]|STR W3,[X2]; |LDR W5,[X2]|LDR W5,[X2]|LDR W5,[X2];"},
	{"IRIW-equal-readers", "0:X1=x; 1:X1=y; 2:X1=x; 2:X2=y; 3:X1=x; 3:X2=y; 0:X3=1; 1:X3=1;",
	 "P0|P1|P2|P3; STR W3,[X1]|STR W3,[X1]|LDR W4,[X1]|LDR W4,[X1];"
	 "||LDR W5,[X2]|LDR W5,[X2];"},
	{"CAS-lock-4",
	 "0:X1=x; 1:X1=x; 2:X1=x; 3:X1=x; 0:X2=y; 1:X2=y; 2:X2=y; 3:X2=y;"
	 "0:X3=1; 1:X3=1; 2:X3=1; 3:X3=1;",
	 "P0|P1|P2|P3; CASA W4,W3,[X1]|CASA W4,W3,[X1]|CASA W4,W3,[X1]|CASA W4,W3,[X1];"
	 "LDR W5,[X2]|LDR W5,[X2]|LDR W5,[X2]|LDR W5,[X2];"
	 "STR W3,[X2]|STR W3,[X2]|STR W3,[X2]|STR W3,[X2];"},
	{"3-TLB-readers", "0:X1=x; 1:X1=x; 2:X1=x; 3:X5=PTE(x); 3:X6=(oa:PA(y));",
	 "P0|P1|P2|P3; LDR W2,[X1]|LDR W2,[X1]|LDR W2,[X1]|STR X6,[X5];"
	 "LDR W3,[X1]|LDR W3,[X1]|LDR W3,[X1]|DSB ISH; |||TLBI VMALLE1IS; |||DSB ISH;"},
};

/* States with these options; 0: more than the limit. */
static uint64_t states_of(const struct dvm_litmus *test, int unreduced, int without_symmetry)
{
	struct dvm_check_options o = {.size = sizeof(o),
				      .max_states = UNREDUCED_MAX,
				      .unreduced = unreduced,
				      .without_symmetry = without_symmetry};
	struct dvm_litmus_result *res;
	uint64_t n;

	must(dvm_litmus_run(test, &o, &res, &err));
	n = dvm_litmus_states(res);
	dvm_litmus_result_free(res);
	return n < UNREDUCED_MAX ? n : 0;
}

static void symmetry(unsigned i)
{
	struct dvm_litmus *test;
	char text[4096];

	snprintf(text, sizeof(text), "AArch64 %s\n{ %s }\n%s\nexists (true)\n", equal[i].name,
		 equal[i].init, equal[i].code);
	must(dvm_litmus_parse(equal[i].name, text, strlen(text), &test, &err));
	printf("check symmetry %s states %" PRIu64 " without_symmetry %" PRIu64
	       " without_order %" PRIu64 "\n",
	       equal[i].name, states_of(test, 0, 0), states_of(test, 0, 1), states_of(test, 1, 0));
	dvm_litmus_free(test);
}

static void corpus(void)
{
	double total = 0, slowest = 0;
	char slowest_name[256] = "-";
	unsigned tests = 0;
	struct dirent *e;
	DIR *dir = opendir(DIR_LITMUS);

	while (dir && (e = readdir(dir))) {
		char path[4096];
		struct dvm_litmus *test;
		uint64_t count, bytes;
		double ms;

		if (!strstr(e->d_name, ".litmus"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", DIR_LITMUS, e->d_name);
		must(dvm_litmus_load(path, &test, &err));
		ms = explore(test, &count, &bytes);
		dvm_litmus_free(test);
		total += ms;
		tests++;
		if (ms > slowest) {
			slowest = ms;
			snprintf(slowest_name, sizeof(slowest_name), "%.200s", e->d_name);
		}
	}
	if (dir)
		closedir(dir);
	printf("check corpus tests %u ms %.2f slowest_ms %.3f %s\n", tests, total, slowest,
	       slowest_name);
}

/* Wall time: threads are the question. */
static double wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void scenarios(const char *name, unsigned threads)
{
	struct dvm_scenario_job jobs[64];
	struct dvm_scenario_result *results[64];
	unsigned n = dvm_scenarios() < 64 ? dvm_scenarios() : 64;
	struct dvm_strategy *s;
	uint64_t count = 0;
	char path[4096];
	double start, ms;

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	must(dvm_strategy_load(path, &s, &err));
	for (unsigned i = 0; i < n; i++) {
		jobs[i].scenario = i;
		jobs[i].options = (struct dvm_check_options){.size = sizeof(jobs[i].options)};
	}
	start = wall_ms();
	must(dvm_scenario_check_many(s, jobs, n, threads, results, NULL, &err));
	ms = wall_ms() - start;
	for (unsigned i = 0; i < n; i++) {
		count += dvm_scenario_states(results[i]);
		dvm_scenario_free(results[i]);
	}
	printf("check scenarios strategy %s scenarios %u threads %u states %" PRIu64
	       " wall_ms %.0f\n",
	       name, n, threads, count, ms);
	dvm_strategy_free(s);
}

int main(void)
{
	states(2, 6);
	states(3, 4);
	states(3, 5);
	states(4, 3);
	states(4, 4);
	states(4, 5);
	for (unsigned i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
		symmetry(i);
	scenarios("active-cpu-v2", 1);
	scenarios("active-cpu-v2", 2);
	corpus();
	return 0;
}
