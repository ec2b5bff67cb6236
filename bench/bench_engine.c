/* SPDX-License-Identifier: MIT */
/*
 * The whole engine, through the public interface: host time per access, per flush, per record.
 * One line per point, fields separated by blanks:
 *   engine access ORDER every K cpus N M_accesses_per_s A
 *   engine flush CASE cpus N ns_per_flush T
 *   engine records SCHEDULE cpus N copies C M_records_per_s R M_events_per_s E
 *   engine operations SCHEDULE cpus N copies C M_records_per_s R M_events_per_s E
 *   engine tasks SCHEDULE tasks N ns_per_record T bytes_per_task B
 *   engine memory cpus N bytes_per_cpu B bytes_per_cpu_with_tlbs B
 * ORDER: "ahead", or "strict" with the accesses of all CPUs in the order of time. K: accesses between
 * two flushes of a CPU, 0: none. CASE "one": one CPU flushes, the others are idle; "all": every CPU
 * does. Each flush is a page flush by the shipped always-broadcast. Records are those of the captured
 * trace fork, operations those of the generator fork, copied until the part is full. The median of five
 * repetitions. With arguments, only the lines of these names ("access", "records", ...).
 * Bytes are what the heap grows by (glibc's mallinfo2()) per task or CPU more, the trace not included.
 */
#include <dvmsim/model.h>
#include <dvmsim/sim.h>
#include <dvmsim/strategy.h>
#include <dvmsim/trace.h>
#include <dvmsim/workload.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEATS 5
#define ACCESSES 20000000
#define STRICT_ACCESSES 2000000

static struct dvm_model *hw, *kernel;
static struct dvm_strategy *strategy;
static struct dvm_error err;
static bool strict;
static unsigned schedule;

static void must(int ret)
{
	char text[1024];

	if (!ret)
		return;
	dvm_error_format(&err, text, sizeof(text));
	fprintf(stderr, "bench_engine: %s\n", text);
	exit(2);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median host nanoseconds of a run of @trace in @copies copies; the last run's statistics. */
static double run(const struct dvm_trace *trace, unsigned copies, struct dvm_stats *stats)
{
	double ns[REPEATS];

	for (int i = 0; i < REPEATS; i++) {
		struct dvm_sim_options o = { .size = sizeof(o), .hw = hw, .kernel = kernel,
					     .strategy = strategy, .trace = trace,
					     .copies = copies, .strict_order = strict,
					     .schedule = schedule };
		struct dvm_sim *sim;
		double start;

		must(dvm_sim_new(&o, &sim, &err));
		start = now_ns();
		must(dvm_sim_run(sim, &err));
		ns[i] = now_ns() - start;
		*stats = *dvm_sim_stats(sim);
		dvm_sim_free(sim);
	}
	qsort(ns, REPEATS, sizeof(ns[0]), compare);
	return ns[REPEATS / 2];
}

/* The 80-CPU part, stretched: clusters of 8 cores. */
static void set_cpus(uint64_t cpus)
{
	must(dvm_model_set(hw, "topology.clusters", cpus / 8, &err));
	must(dvm_model_set(hw, "topology.cores", 8, &err));
}

static struct dvm_trace *new_trace(unsigned ncpus)
{
	struct dvm_trace *trace;
	char header[200];

	snprintf(header, sizeof(header),
		 "{\"format\":\"dvmsim.trace/1\",\"source\":\"bench\",\"ncpus\":%u,"
		 "\"page_bytes\":4096,\"va_bits\":48}", ncpus);
	must(dvm_trace_new(header, &trace, &err));
	return trace;
}

static void put(struct dvm_trace *trace, struct dvm_trace_record r)
{
	must(dvm_trace_append(trace, &r, 1, &err));
}

static void begin(struct dvm_trace *trace)
{
	put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_NEW, .mm = 1,
					      .flags = DVM_TRACE_F_INITIAL });
	put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .mm = 1, .task = 1,
					      .flags = DVM_TRACE_F_INITIAL });
	put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .mm = 1, .task = 1 });
}

static void put_flush(struct dvm_trace *trace)
{
	put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_FLUSH, .task = 1, .mm = 1,
					      .request = DVM_TRACE_REQ_PAGE, .level = 3,
					      .va = 0x1000, .amount = 1, .stride_shift = 12,
					      .flags = DVM_TRACE_F_LEAF,
					      .op = DVM_TRACE_OP_FAULT_COW });
}

/* Runs of 8 to 71 accesses within a page; 90 of 100 jumps go to 32 hot pages, the rest to 4,096. */
static void put_accesses(struct dvm_trace *trace, size_t count)
{
	uint64_t *a = malloc(count * sizeof(*a)), x = 1, page = 0, left = 0;

	if (!a)
		exit(2);
	for (size_t i = 0; i < count; i++) {
		if (!left--) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
			page = (x >> 33) % 100 < 90 ? (x >> 40) % 32 : (x >> 40) % 4096;
			left = 8 + (x >> 55) % 64;
		}
		a[i] = UINT64_C(0x10000000) + (page << 12) + i % 512 * 8;
	}
	must(dvm_trace_append_accesses(trace, a, count, &err));
	free(a);
}

static void bench_access(unsigned cpus, size_t every)
{
	size_t count = (strict ? STRICT_ACCESSES : ACCESSES) / cpus, run_of = every ? every : count;
	struct dvm_trace *trace = new_trace(1);
	struct dvm_stats stats;
	double ns;

	begin(trace);
	put_accesses(trace, count);
	for (size_t done = 0; done < count; done += run_of) {
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_ACCESS_RUN, .task = 1,
						      .mm = 1, .va = done,
						      .amount = count - done < run_of ?
								count - done : run_of });
		if (every)
			put_flush(trace);
	}
	ns = run(trace, cpus, &stats);
	printf("engine access %s every %zu cpus %u M_accesses_per_s %.0f\n",
	       strict ? "strict" : "ahead", every, cpus, (double)stats.tlb_accesses * 1e3 / ns);
	dvm_trace_free(trace);
}

static void bench_accesses(void)
{
	static const unsigned cpus[] = { 1, 16, 64, 128 };
	static const size_t every[] = { 0, 100000, 10000 };

	set_cpus(128);
	for (int order = 0; order < 2; order++) {
		strict = order == 1;
		for (size_t e = 0; e < sizeof(every) / sizeof(every[0]); e++)
			for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
				bench_access(cpus[i], every[e]);
	}
	strict = false;
}

static void bench_flush(uint64_t cpus, int all)
{
	unsigned flushes = all ? (unsigned)(400000 / cpus) : 50000;
	struct dvm_trace *trace = new_trace(1);
	struct dvm_stats stats;
	double ns;

	begin(trace);
	for (unsigned i = 0; i < flushes; i++) {
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_RUN, .task = 1,
						      .amount = 1000,
						      .flags = DVM_TRACE_F_TIME });
		put_flush(trace);
	}
	set_cpus(cpus);
	ns = run(trace, all ? 0 : 1, &stats);
	printf("engine flush %s cpus %llu ns_per_flush %.0f\n", all ? "all" : "one",
	       (unsigned long long)cpus, ns / (double)stats.flushes);
	dvm_trace_free(trace);
}

static const char *schedule_name(void)
{
	return schedule == DVM_SIM_SIMULATED ? "simulated" : "recorded";
}

/* @trace in as many copies as the part takes. */
static void bench_trace(const char *what, const struct dvm_trace *trace, uint64_t cpus)
{
	struct dvm_stats stats;
	size_t records;
	double ns;

	dvm_trace_records(trace, &records);
	set_cpus(cpus);
	ns = run(trace, 0, &stats);
	printf("engine %s %s cpus %llu copies %llu M_records_per_s %.1f M_events_per_s %.1f\n", what,
	       schedule_name(), (unsigned long long)cpus, (unsigned long long)stats.copies,
	       (double)records * (double)stats.copies * 1e3 / ns, (double)stats.events * 1e3 / ns);
}

/* A captured trace: the recorded flushes of forks on four CPUs. */
static void bench_records(void)
{
	struct dvm_trace *trace;

	must(dvm_trace_load(DVMSIM_SOURCE_DIR "/traces/fork.dvt", 0, &trace, &err));
	for (uint64_t cpus = 8; cpus <= 512; cpus *= 4)
		bench_trace("records", trace, cpus);
	dvm_trace_free(trace);
}

/* A generated one: a record is an operation whose flushes the simulated kernel makes. */
static void bench_operations(void)
{
	struct dvm_trace *trace;

	must(dvm_workload_generate("fork:forks=50", 1, &trace, &err));
	for (uint64_t cpus = 8; cpus <= 512; cpus *= 4)
		bench_trace("operations", trace, cpus);
	dvm_trace_free(trace);
}

/* ---- growth in tasks and CPUs ---- */

/* What a simulation holds before it runs; when it has run, if @go. */
static double heap_bytes(const struct dvm_trace *trace, unsigned copies, bool go)
{
	struct dvm_sim_options o = { .size = sizeof(o), .hw = hw, .kernel = kernel,
				     .strategy = strategy, .trace = trace, .copies = copies,
				     .schedule = schedule };
	struct mallinfo2 before = mallinfo2(), after;
	struct dvm_sim *sim;

	must(dvm_sim_new(&o, &sim, &err));
	if (go)
		must(dvm_sim_run(sim, &err));
	after = mallinfo2();
	dvm_sim_free(sim);
	return (double)(after.uordblks + after.hblkhd) -
	       (double)(before.uordblks + before.hblkhd);
}

/* @tasks threads of 64 processes on one CPU, one after the other: a microsecond and a flush each. */
static struct dvm_trace *tasks_trace(unsigned tasks, unsigned records)
{
	struct dvm_trace *trace = new_trace(1);

	for (unsigned mm = 1; mm <= 64; mm++)
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_NEW, .mm = mm,
						      .flags = DVM_TRACE_F_INITIAL });
	for (unsigned t = 1; t <= tasks; t++)
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .task = t,
						      .mm = 1 + t % 64,
						      .flags = DVM_TRACE_F_INITIAL });
	for (unsigned i = 0; i < records; i += 3) {
		unsigned t = 1 + i / 3 % tasks;

		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .task = t,
						      .mm = 1 + t % 64 });
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_RUN, .task = t,
						      .amount = 1000,
						      .flags = DVM_TRACE_F_TIME });
		put(trace, (struct dvm_trace_record){ .kind = DVM_TRACE_FLUSH, .task = t,
						      .mm = 1 + t % 64, .va = 0x1000,
						      .request = DVM_TRACE_REQ_PAGE, .level = 3,
						      .amount = 1, .stride_shift = 12,
						      .flags = DVM_TRACE_F_LEAF,
						      .op = DVM_TRACE_OP_FAULT_COW });
	}
	return trace;
}

static void bench_tasks(unsigned tasks)
{
	const unsigned records = 300000;
	struct dvm_trace *trace = tasks_trace(tasks, records);
	struct dvm_trace *more = tasks_trace(2 * tasks, records);
	struct dvm_stats stats;
	double ns, bytes;

	set_cpus(128);
	ns = run(trace, 1, &stats);
	bytes = heap_bytes(more, 1, true) - heap_bytes(trace, 1, true);
	printf("engine tasks %s tasks %u ns_per_record %.0f bytes_per_task %.0f\n",
	       schedule_name(), tasks, ns / records, bytes / tasks);
	dvm_trace_free(more);
	dvm_trace_free(trace);
}

static void bench_memory(unsigned cpus)
{
	struct dvm_trace *trace = new_trace(1);
	double with[2], without[2];

	begin(trace);
	for (int i = 0; i < 2; i++) {
		set_cpus(cpus << i);
		without[i] = heap_bytes(trace, cpus << i, false);
	}
	put_accesses(trace, 64);
	for (int i = 0; i < 2; i++) {
		set_cpus(cpus << i);
		with[i] = heap_bytes(trace, cpus << i, false);
	}
	printf("engine memory cpus %u bytes_per_cpu %.0f bytes_per_cpu_with_tlbs %.0f\n", cpus,
	       (without[1] - without[0]) / cpus, (with[1] - with[0]) / cpus);
	dvm_trace_free(trace);
}

static int want_argc;
static char **want_argv;

static int wanted(const char *name)
{
	for (int i = 1; i < want_argc; i++)
		if (!strcmp(want_argv[i], name))
			return 1;
	return want_argc < 2;
}

static void bench_flushes(void)
{
	for (int all = 0; all < 2; all++)
		for (uint64_t cpus = 8; cpus <= 1024; cpus *= 2)
			bench_flush(cpus, all);
}

static void bench_schedules(void)
{
	for (schedule = 0; schedule < 2; schedule++) {
		if (wanted("records"))
			bench_records();
		if (wanted("operations"))
			bench_operations();
		for (unsigned tasks = 64; wanted("tasks") && tasks <= 16384; tasks *= 16)
			bench_tasks(tasks);
	}
	schedule = 0;
}

int main(int argc, char **argv)
{
	want_argc = argc;
	want_argv = argv;
	must(dvm_model_find(DVM_MODEL_HW, "neoverse-n1-80", DVMSIM_SOURCE_DIR "/models", &hw,
			    &err));
	must(dvm_model_find(DVM_MODEL_KERNEL, "linux-7.1", DVMSIM_SOURCE_DIR "/models", &kernel,
			    &err));
	must(dvm_strategy_load(DVMSIM_SOURCE_DIR "/models/strategies/always-broadcast.strategy",
			       &strategy, &err));
	if (wanted("access"))
		bench_accesses();
	if (wanted("flush"))
		bench_flushes();
	bench_schedules();
	for (unsigned cpus = 8; wanted("memory") && cpus <= 512; cpus *= 4)
		bench_memory(cpus);
	dvm_strategy_free(strategy);
	dvm_model_free(kernel);
	dvm_model_free(hw);
	return 0;
}
