/* SPDX-License-Identifier: MIT */
/*
 * How long 'dvmsim trace import' takes for 500,000 kernel events: text as tracefs prints it (made up
 * here), or the files given (trace.dat). Three rounds; the best counts. The target is 2 s.
 */
#include "import.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 500000
#define ROUNDS 3

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Four CPUs; two events of each fault, a switch after every eighth event of a CPU. */
static void make(const char *path)
{
	FILE *f = fopen(path, "w");

	for (unsigned i = 0; f && i < EVENTS; i++) {
		unsigned cpu = i & 3, n = i >> 2, pid = 100 + cpu * 2 + (n >> 3 & 1), page = 0x5000 + i;

		fprintf(f, "    worker-%u     [%03u] d.... %5u.%06u: ", pid, cpu, 100 + i / 1000000,
			i % 1000000);
		if (n % 8 == 7)
			fprintf(f, "sched_switch: prev_comm=worker prev_pid=%u prev_prio=120 prev_state=S ==> "
				"next_comm=worker next_pid=%u next_prio=120\n", pid, pid ^ 1);
		else if (n & 1)
			fprintf(f, "vale1is_ptep_clear_flush_78: (ptep_clear_flush+0x78/0x138) op=0x%x0000000%05x\n",
				pid, page);
		else
			fprintf(f, "fault: (handle_mm_fault+0x0/0x2a0) mm=0xffff0000c17d%04x addr=0x%x000 "
				"flags=0x255\n", pid << 4, page);
	}
	if (f)
		fclose(f);
}

static int measure(const char *path, bool text)
{
	static const struct import_options opt = { 0 };
	double best = 1e9;
	size_t n = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct dvm_trace *trace = NULL;
		struct dvm_error err = { 0 };
		double t = now();

		if (import_ftrace(path, text, &opt, NULL, &trace, &err)) {
			fprintf(stderr, "%s: %s\n", path, err.text);
			return 1;
		}
		best = now() - t < best ? now() - t : best;
		dvm_trace_records(trace, &n);
		dvm_trace_free(trace);
	}
	printf("%s: %.2f s, %zu records\n", text ? "500000 events of text" : path, best, n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = "bench-import.txt";
	int ret = 0;

	for (int i = 1; i < argc && !ret; i++)
		ret = measure(argv[i], false);
	if (argc > 1)
		return ret;
	make(path);
	ret = measure(path, true);
	unlink(path);
	return ret;
}
