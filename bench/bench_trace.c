/* SPDX-License-Identifier: MIT */
/*
 * How fast traces are read and written: the redis trace, copied to fill 512 CPUs. Three rounds; the
 * best counts, as other programs disturb.
 */
#include <dvmsim/trace.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define COPIES 128
#define ROUNDS 3

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report(const char *what, double best, size_t records)
{
	printf("%-10s %6.1f M records/s (%.0f ns per record)\n", what,
	       (double)records / best / 1e6, best / (double)records * 1e9);
}

int main(void)
{
	const char *file = "bench-trace.dvt";
	struct dvm_trace *one = NULL, *all = NULL, *again = NULL;
	double save = 1e9, load = 1e9, check = 1e9, t;
	size_t n;

	if (dvm_trace_load(DVMSIM_SOURCE_DIR "/traces/redis.dvt", 0, &one, NULL) ||
	    dvm_trace_replicate(one, COPIES, 0, &all, NULL))
		return 1;
	dvm_trace_records(all, &n);
	for (int i = 0; i < ROUNDS; i++) {
		t = now();
		if (dvm_trace_save(all, file, NULL))
			return 1;
		save = now() - t < save ? now() - t : save;
		t = now();
		if (dvm_trace_load(file, 0, &again, NULL))
			return 1;
		load = now() - t < load ? now() - t : load;
		dvm_trace_free(again);
		t = now();
		if (dvm_trace_validate(all, NULL))
			return 1;
		check = now() - t < check ? now() - t : check;
	}
	unlink(file);
	printf("%zu records\n", n);
	report("save", save, n);
	report("load", load, n);
	report("validate", check, n);
	dvm_trace_free(one);
	dvm_trace_free(all);
	return 0;
}
