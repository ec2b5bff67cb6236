/* SPDX-License-Identifier: MIT */
/*
 * dvmsim-measure: what a hardware model needs, measured on the machine it runs on, as CSV for
 * `dvmsim calibrate`. User space only: no module, no privileges, no counters. Each number is the
 * median of several rounds; other load on the machine goes into it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15
#define CPUS_MAX 4096

static const char *program, *platform, *source;
static int cpus[CPUS_MAX], ncpus; /* those this process may use */
static long page;

static _Noreturn void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("can not run on CPU %d: %s", cpu, strerror(errno));
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), order);
	return v[n / 2];
}

/* A field of CSV. */
static void field(const char *text)
{
	if (!strpbrk(text, "\",\n")) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++)
		printf(*text == '"' ? "\"\"" : "%c", *text == '\n' ? ' ' : *text);
	putchar('"');
}

static void row(const char *id, const char *workload, const char *metric, long x, double ns)
{
	printf("%s,", id);
	field(platform);
	putchar(',');
	field(workload);
	putchar(',');
	field(metric);
	printf(",%ld,%.1f,ns,B,R,", x, ns > 0 ? ns : 0.1);
	field(source);
	putchar('\n');
	fflush(stdout);
}

static char *map(long pages)
{
	char *p = mmap(NULL, (size_t)(pages * page), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %ld pages: %s", pages, strerror(errno));
	madvise(p, (size_t)(pages * page), MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		*(volatile char *)(p + i * page) = 1;
}

/* ---- M1: system call, fault ---- */

static void measure_kernel(void)
{
	double v[ROUNDS];
	char *p;

	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begin = now_ns();

		for (int i = 0; i < 10000; i++)
			syscall(SYS_getppid);
		v[r] = (double)(now_ns() - begin) / 10000;
	}
	row("M1", "getppid", "per call", 1, median(v, ROUNDS));
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begin;

		p = map(512);
		begin = now_ns();
		touch(p, 512);
		v[r] = (double)(now_ns() - begin) / 512;
		munmap(p, (size_t)(512 * page));
	}
	row("M1", "first write of an anonymous page", "per fault, page cleared", 1, median(v, ROUNDS));
}

/* ---- M2: one call over a range, with bystanders of the same process ---- */

static atomic_bool stop;

static void *spin(void *arg)
{
	pin(*(int *)arg);
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		;
	return NULL;
}

enum call { MPROTECT, MUNMAP, DONTNEED };
static const char *const call_names[] = { "mprotect", "munmap", "madvise" };

static double one_call(enum call call, long pages)
{
	size_t len = (size_t)(pages * page);
	char *p = map(pages);
	uint64_t begin, end;
	int ret;

	touch(p, pages);
	begin = now_ns();
	if (call == MPROTECT)
		ret = mprotect(p, len, PROT_READ);
	else if (call == MUNMAP)
		ret = munmap(p, len);
	else
		ret = madvise(p, len, MADV_DONTNEED);
	end = now_ns();
	if (ret)
		die("%s of %ld pages: %s", call_names[call], pages, strerror(errno));
	if (call != MUNMAP)
		munmap(p, len);
	return (double)(end - begin);
}

static void measure_ranges(int bystanders)
{
	static const long sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 511, 512, 1024, 4096 };
	pthread_t threads[CPUS_MAX];
	char name[64];

	atomic_store(&stop, false);
	for (int i = 0; i < bystanders; i++)
		if (pthread_create(&threads[i], NULL, spin, &cpus[i + 1]))
			die("can not start a thread");
	for (enum call call = MPROTECT; call <= DONTNEED; call++) {
		snprintf(name, sizeof(name), "%s%s", call_names[call],
			 bystanders ? " with bystanders" : "");
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			double v[ROUNDS * 4];

			for (int r = 0; r < ROUNDS * 4; r++)
				v[r] = one_call(call, sizes[s]);
			row("M2", name, "per call vs pages", sizes[s], median(v, ROUNDS * 4));
		}
	}
	atomic_store(&stop, true);
	for (int i = 0; i < bystanders; i++)
		pthread_join(threads[i], NULL);
}

/* ---- M3: processes that change one page's protection at the same time ---- */

enum { LOOPS = 20000 };

static void loop(const atomic_int *go)
{
	char *p = map(1);

	touch(p, 1);
	while (!atomic_load(go))
		;
	for (int i = 0; i < LOOPS; i++) {
		mprotect(p, (size_t)page, PROT_READ);
		mprotect(p, (size_t)page, PROT_READ | PROT_WRITE);
		touch(p, 1);
	}
}

static void measure_issuers(int processes)
{
	atomic_int *go = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t begin;
	int status;

	if (go == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	atomic_store(go, 0);
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid) {
			pin(cpus[i]);
			loop(go);
			_exit(0);
		}
	}
	usleep(20000);
	begin = now_ns();
	atomic_store(go, 1);
	for (int i = 0; i < processes; i++)
		if (wait(&status) < 0 || status)
			die("a child failed");
	row("M3", "mprotect of one page by processes at once", "per pair of calls vs processes",
	    processes, (double)(now_ns() - begin) / LOOPS);
	munmap(go, (size_t)page);
}

/* ---- M4: fork ---- */

static void measure_fork(long pages)
{
	double v[ROUNDS];
	char *p = map(pages);

	touch(p, pages);
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t begin = now_ns();
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid)
			_exit(0);
		v[r] = (double)(now_ns() - begin);
		waitpid(pid, NULL, 0);
	}
	row("M4", "fork", "per call vs pages written", pages, median(v, ROUNDS));
	munmap(p, (size_t)(pages * page));
}

/* ---- M5: context switch, through two pipes on one CPU ---- */

enum { SWITCHES = 5000 };

static void partner(int in, int out)
{
	char c;

	for (int i = 0; i < SWITCHES; i++)
		if (read(in, &c, 1) != 1 || write(out, "x", 1) != 1)
			return;
}

struct ends {
	int in, out;
};

static void *partner_thread(void *arg)
{
	const struct ends *e = arg;

	partner(e->in, e->out);
	return NULL;
}

static void measure_switch(bool threads)
{
	int to[2], from[2], fail = 0;
	struct ends ends;
	pthread_t thread;
	uint64_t begin;
	pid_t pid = 0;
	char c;

	if (pipe(to) || pipe(from))
		die("pipe: %s", strerror(errno));
	ends = (struct ends){ to[0], from[1] };
	if (threads) {
		if (pthread_create(&thread, NULL, partner_thread, &ends))
			die("can not start a thread");
	} else {
		pid = fork();
		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid) {
			partner(to[0], from[1]);
			_exit(0);
		}
	}
	begin = now_ns();
	for (int i = 0; i < SWITCHES; i++)
		fail |= write(to[1], "x", 1) != 1 || read(from[0], &c, 1) != 1;
	row("M5", threads ? "switch between threads" : "switch between processes",
	    "per switch, pipe included", 2, (double)(now_ns() - begin) / SWITCHES / 2);
	if (threads)
		pthread_join(thread, NULL);
	else
		waitpid(pid, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
	if (fail)
		die("a pipe failed");
}

/* ---- M6: a cache line between two CPUs ---- */

static _Alignas(256) atomic_uint ball;

enum { THROWS = 20000 };

static void *catch(void *arg)
{
	pin(*(int *)arg);
	for (unsigned i = 0; i < THROWS; i++) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 1)
			;
		atomic_store_explicit(&ball, 2 * i + 2, memory_order_release);
	}
	return NULL;
}

static void measure_line(int a, int b)
{
	char name[64];
	pthread_t thread;
	uint64_t begin;

	atomic_store(&ball, 0);
	pin(a);
	if (pthread_create(&thread, NULL, catch, &b))
		die("can not start a thread");
	begin = now_ns();
	for (unsigned i = 0; i < THROWS; i++) {
		atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 2)
			;
	}
	snprintf(name, sizeof(name), "line from CPU %d", a);
	row("M6", name, "one way vs CPU", b, (double)(now_ns() - begin) / THROWS / 2);
	pthread_join(thread, NULL);
	pin(cpus[0]);
}

/* ---- the machine ---- */

static void find_cpus(void)
{
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);

	if (!set || sched_getaffinity(0, size, set))
		die("sched_getaffinity: %s", strerror(errno));
	for (int c = 0; c < CPUS_MAX; c++)
		if (CPU_ISSET_S((size_t)c, size, set))
			cpus[ncpus++] = c;
	CPU_FREE(set);
}

static const char usage[] =
"usage: dvmsim-measure [PLATFORM]\n"
"\n"
"Measure this machine for a hardware model: system calls, faults, mprotect, munmap\n"
"and madvise by range and with bystanders, processes flushing at once, fork, context\n"
"switches, cache-line transfers. Prints CSV for 'dvmsim calibrate --data FILE\n"
"--model MODEL'. Takes about 10 s; leave the machine alone meanwhile.\n"
"\n"
"PLATFORM names the machine in the CSV (default: architecture and CPU count).\n";

int main(int argc, char **argv)
{
	static char name[128], from[256];
	struct utsname u;

	program = "dvmsim-measure";
	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "dvmsim-measure: one operand at most, the platform's name\n");
		return 2;
	}
	page = sysconf(_SC_PAGESIZE);
	find_cpus();
	uname(&u);
	snprintf(name, sizeof(name), "%.32s with %d CPUs", u.machine, ncpus);
	snprintf(from, sizeof(from), "dvmsim-measure on Linux %.64s %.32s, median of %d", u.release,
		 u.machine, ROUNDS);
	platform = argc == 2 ? argv[1] : name;
	source = from;
	printf("id,platform,workload,metric,x,value,unit,grade,origin,source\n");
	pin(cpus[0]);
	measure_kernel();
	measure_ranges(0);
	if (ncpus > 1)
		measure_ranges(ncpus - 1);
	for (int n = 1; n <= ncpus; n = n < ncpus && 2 * n > ncpus ? ncpus : 2 * n)
		measure_issuers(n);
	for (long pages = 64; pages <= 16384; pages *= 4)
		measure_fork(pages);
	measure_switch(false);
	measure_switch(true);
	for (int i = 1; i < ncpus; i++)
		measure_line(cpus[0], cpus[i]);
	if (fflush(stdout) || ferror(stdout))
		die("writing the results: %s", strerror(errno));
	return 0;
}
