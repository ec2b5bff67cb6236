/* SPDX-License-Identifier: MIT */
/*
 * The checker next to an enumeration that is as exhaustive: the axiomatic one of
 * tests/check/axioms.c, which tries every candidate execution. It is the project's own and is not
 * made to be fast. One line per group of tests of tests/litmus with as many accesses, then one per
 * program: axioms corpus accesses N tests N candidates C axioms_ms T machine_ms T ratio R
 * median_ratio R axioms program threads N rows N accesses N candidates C axioms_ms T machine_ms T
 * ratio R Accesses: explicit reads and writes of the longest way of each thread together. Both
 * sides begin with the parsed test and end with all final states. Processor time; of several runs
 * the fastest.
 */
#include "axioms.h"

#include <dvmsim/check.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DIR_LITMUS DVMSIM_SOURCE_DIR "/tests/litmus"
#define COST_MAX 2e7  /* candidates: a larger test is left out */
#define ENOUGH_MS 5.0 /* repeat short runs for so long */
#define ACCESSES_MAX 64u
#define TESTS_MAX 1024u

static struct dvm_error err;

static void must(int ret)
{
	char text[1024];

	if (!ret)
		return;
	dvm_error_format(&err, text, sizeof(text));
	fprintf(stderr, "bench_axioms: %s\n", text);
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

struct sizes {
	unsigned accesses;
	double cost;
	bool fits;
};

static void size_of(void *arg, const struct dvmi_program *prog)
{
	struct sizes *s = arg;

	if (prog->reads + prog->writes > s->accesses)
		s->accesses = prog->reads + prog->writes;
	s->cost += axioms_cost(prog);
	s->fits &= axioms_events(prog) <= AXIOMS_EVENTS_MAX;
}

static void enumerate(void *arg, const struct dvmi_program *prog)
{
	struct axioms_found found;

	axioms_enumerate(prog, &found);
	*(uint64_t *)arg += found.tried;
	axioms_free(&found);
}

struct pair {
	double axioms_ms, machine_ms;
	uint64_t tried;
};

static double axioms_once(const struct dvm_litmus *test, uint64_t *tried)
{
	double start = now_ms();

	*tried = 0;
	must(axioms_each_way(test, 0, enumerate, tried));
	return now_ms() - start;
}

static double machine_once(const struct dvm_litmus *test)
{
	struct dvm_litmus_result *res;
	double start = now_ms();

	must(dvm_litmus_run(test, NULL, &res, &err));
	dvm_litmus_result_free(res);
	return now_ms() - start;
}

static struct pair measure(const struct dvm_litmus *test)
{
	struct pair p = {.axioms_ms = 1e300, .machine_ms = 1e300};
	double end = now_ms() + ENOUGH_MS, ms;

	do {
		ms = axioms_once(test, &p.tried);
		p.axioms_ms = ms < p.axioms_ms ? ms : p.axioms_ms;
	} while (now_ms() < end);
	end = now_ms() + ENOUGH_MS;
	do {
		ms = machine_once(test);
		p.machine_ms = ms < p.machine_ms ? ms : p.machine_ms;
	} while (now_ms() < end);
	return p;
}

static struct sizes sizes(const struct dvm_litmus *test)
{
	struct sizes s = {.fits = true};

	must(axioms_each_way(test, 0, size_of, &s));
	return s;
}

/* ---- tests/litmus ---- */

static struct group {
	struct pair sum;
	double ratio[TESTS_MAX];
	unsigned tests;
} groups[ACCESSES_MAX];

static void one_of_corpus(const char *name)
{
	char path[4096];
	struct dvm_litmus *test;
	struct sizes s;

	snprintf(path, sizeof(path), "%s/%s", DIR_LITMUS, name);
	must(dvm_litmus_load(path, &test, &err));
	s = sizes(test);
	if (s.fits && s.cost <= COST_MAX && s.accesses < ACCESSES_MAX &&
	    groups[s.accesses].tests < TESTS_MAX) {
		struct group *g = &groups[s.accesses];
		struct pair p = measure(test);

		g->sum.axioms_ms += p.axioms_ms;
		g->sum.machine_ms += p.machine_ms;
		g->sum.tried += p.tried;
		g->ratio[g->tests++] = p.axioms_ms / p.machine_ms;
	} else {
		printf("axioms left-out %s\n", name);
	}
	dvm_litmus_free(test);
}

static void corpus(void)
{
	struct dirent *e;
	DIR *dir = opendir(DIR_LITMUS);

	while (dir && (e = readdir(dir)))
		if (strstr(e->d_name, ".litmus"))
			one_of_corpus(e->d_name);
	if (dir)
		closedir(dir);
	for (unsigned a = 0; a < ACCESSES_MAX; a++) {
		struct group *g = &groups[a];

		if (!g->tests)
			continue;
		qsort(g->ratio, g->tests, sizeof(g->ratio[0]), compare);
		printf("axioms corpus accesses %u tests %u candidates %" PRIu64
		       " axioms_ms %.3f machine_ms %.3f ratio %.1f median_ratio %.1f\n",
		       a, g->tests, g->sum.tried, g->sum.axioms_ms, g->sum.machine_ms,
		       g->sum.axioms_ms / g->sum.machine_ms, g->ratio[g->tests / 2]);
	}
}

/* ---- larger programs ---- */

static void one(const char *name, const char *text)
{
	struct dvm_litmus *test;
	struct sizes s;
	struct pair p;

	must(dvm_litmus_parse("bench", text, strlen(text), &test, &err));
	s = sizes(test);
	if (!s.fits || s.cost > COST_MAX) {
		printf("axioms left-out %s accesses %u candidates_at_most %.0f\n", name, s.accesses,
		       s.cost);
	} else {
		p = measure(test);
		printf("axioms program %s accesses %u candidates %" PRIu64
		       " axioms_ms %.3f machine_ms %.3f ratio %.1f\n",
		       name, s.accesses, p.tried, p.axioms_ms, p.machine_ms,
		       p.axioms_ms / p.machine_ms);
	}
	dvm_litmus_free(test);
}

/* Loads and stores to two locations, as in bench_check. */

static void program(unsigned threads, unsigned rows)
{
	char text[8192], name[64];
	size_t n = (size_t)snprintf(text, sizeof(text), "AArch64 bench\n{\n");

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
	snprintf(name, sizeof(name), "threads %u rows %u", threads, rows);
	one(name, text);
}

/* Break-before-make of one page while others load from it several times each. */
static void page_table(unsigned readers, unsigned loads)
{
	static const char *const writer[] = {"STR X2,[X1]", "DSB ISH", "TLBI VMALLE1IS", "DSB ISH",
					     "STR X3,[X1]"};
	char text[8192], name[64];
	size_t n = (size_t)snprintf(text, sizeof(text),
				    "AArch64 bench\n{ y=1; 0:X1=PTE(x); 0:X2=(oa:PA(x),valid:0); "
				    "0:X3=(oa:PA(y));\n");

	for (unsigned r = 1; r <= readers; r++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u:X1=x;\n", r);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "}\nP0");
	for (unsigned r = 1; r <= readers; r++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "|P%u", r);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ";\n");
	for (unsigned row = 0; row < 5 || row < loads; row++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", row < 5 ? writer[row] : "");
		for (unsigned r = 1; r <= readers; r++)
			n += row < loads ? (size_t)snprintf(text + n, sizeof(text) - n,
							    "|LDR W%u,[X1]", 2 + row)
					 : (size_t)snprintf(text + n, sizeof(text) - n, "|");
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";\n");
	}
	(void)snprintf(text + n, sizeof(text) - n, "exists (true)\n");
	snprintf(name, sizeof(name), "readers %u loads %u", readers, loads);
	one(name, text);
}

int main(void)
{
	corpus();
	for (unsigned rows = 2; rows <= 6; rows++)
		program(2, rows);
	for (unsigned rows = 1; rows <= 4; rows++)
		program(3, rows);
	for (unsigned rows = 1; rows <= 3; rows++)
		program(4, rows);
	for (unsigned readers = 1; readers <= 3; readers++)
		for (unsigned loads = 2; loads * readers <= 6; loads++)
			page_table(readers, loads);
	return 0;
}
