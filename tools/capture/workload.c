/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The guest's own workloads; see usage(). Processes and threads begin on CPU 0, 1, 2, ... in turn and
 * may go where the scheduler wants from there. Work is counted by a prctl() that no kernel knows and
 * the plugin sees (tools/capture/hooks): the amount, and the mark's name in two registers.
 */
#define PAGE 4096u
#define HUGE_PAGE (2u << 20)
#define MARK_OPTION 0x44564d53 /* as in tools/import_plugin.h */

static size_t pages;
static int iterations;
static pthread_barrier_t barrier;

static void usage(void)
{
	fputs("usage: workload fork PROCESSES FORKS PAGES   fork; the child writes half of the pages\n"
	      "       workload exec PROCESSES EXECS         fork and exec /bin/true\n"
	      "       workload munmap THREADS N PAGES       map, read and write, unmap\n"
	      "       workload mprotect THREADS N PAGES     write-protect, allow again, write\n"
	      "       workload madvise THREADS N PAGES      write, MADV_DONTNEED\n"
	      "       workload pressure PROCESSES N PAGES   write all pages, N times\n"
	      "       workload thp PROCESSES N PAGES        write, wait, protect single pages\n"
	      "       workload numa THREADS N PAGES         write each other's pages\n"
	      "       workload repeat N COMMAND [ARGUMENT...]\n", stderr);
	exit(2);
}

static void *must(void *p)
{
	if (p == MAP_FAILED || !p) {
		perror("workload");
		exit(1);
	}
	return p;
}

static void mark(const char *name, unsigned long amount)
{
	unsigned long word[2] = { 0, 0 };

	memcpy(word, name, strnlen(name, sizeof(word)));
	prctl(MARK_OPTION, amount, word[0], word[1], 0);
}

/* Begin on CPU @n, then be free again. */
static void spread(int n)
{
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET((size_t)(n % CPU_COUNT(&all)), &one);
	sched_setaffinity(0, sizeof(one), &one);
	sched_setaffinity(0, sizeof(all), &all);
}

/* Reading first maps the zero page, and writing then replaces it: a copy-on-write flush. */
static void touch(volatile char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i * PAGE] = (char)(p[i * PAGE] + 1);
}

static void put(volatile char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i * PAGE] = 1;
}

static char *map(size_t bytes)
{
	return must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void fork_loop(char *p)
{
	for (int i = 0; i < iterations; i++) {
		pid_t pid = fork();

		if (!pid) {
			touch(p, pages / 2);
			_exit(0);
		}
		touch(p, pages / 4);
		waitpid(pid, NULL, 0);
	}
}

static void exec_loop(char *p)
{
	(void)p;
	for (int i = 0; i < iterations; i++) {
		pid_t pid = fork();

		if (!pid) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

/* The value is one per page and pass, so that compressed swap has nothing to do. */
static void pressure_loop(char *p)
{
	for (int i = 1; i <= iterations; i++) {
		for (size_t page = 0; page < pages; page++)
			memset(p + page * PAGE, i, PAGE);
		mark("passes", 1);
	}
}

/* khugepaged gathers what was written; protecting one page of it splits it again. */
static void thp_loop(char *unused)
{
	size_t bytes = pages * PAGE;
	char *p = map(bytes + HUGE_PAGE);

	(void)unused;
	p += HUGE_PAGE - (size_t)p % HUGE_PAGE;
	for (int i = 0; i < iterations; i++) {
		madvise(p, bytes, MADV_NOHUGEPAGE);
		put(p, pages);
		madvise(p, bytes, MADV_HUGEPAGE);
		for (int wait = 0; wait < 40; wait++) {
			usleep(10000);
			put(p, pages);
		}
		for (size_t at = 0; at < bytes; at += HUGE_PAGE)
			mprotect(p + at, PAGE, PROT_READ);
		munmap(p, bytes);
		p = must(mmap(p, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		mark("rounds", 1);
	}
}

static void processes(int n, void (*loop)(char *), size_t shared)
{
	char *p = map(pages * PAGE);

	touch(p, shared);
	for (int i = 0; i < n; i++)
		if (!fork()) {
			spread(i);
			loop(p);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

static void *munmap_loop(void *arg)
{
	spread((int)(size_t)arg);
	for (int i = 0; i < iterations; i++) {
		char *p = map(pages * PAGE);

		touch(p, pages);
		munmap(p, pages * PAGE);
	}
	return NULL;
}

static void *mprotect_loop(void *arg)
{
	char *p = map(pages * PAGE);

	spread((int)(size_t)arg);
	put(p, pages);
	for (int i = 0; i < iterations; i++) {
		mprotect(p, pages * PAGE, PROT_READ);
		mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE);
		put(p, pages);
	}
	return NULL;
}

static void *madvise_loop(void *arg)
{
	char *p = map(pages * PAGE);

	spread((int)(size_t)arg);
	for (int i = 0; i < iterations; i++) {
		put(p, pages);
		madvise(p, pages * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

/* Each thread writes its own part, then, in turn, those of the others: pages follow who uses them. */
static char *numa_pages;
static int numa_threads;

static void *numa_loop(void *arg)
{
	size_t self = (size_t)arg, part = pages / (size_t)numa_threads;

	spread((int)self);
	for (int i = 0; i < iterations; i++) {
		size_t whose = (self + (size_t)i / 8) % (size_t)numa_threads;

		for (int n = 0; n < 40; n++) {
			put(numa_pages + whose * part * PAGE, part);
			usleep(1000);
		}
		mark("passes", 1);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void threads(int n, void *(*loop)(void *))
{
	pthread_t id[64];

	if (n > 64)
		usage();
	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	numa_threads = n;
	for (int i = 0; i < n; i++)
		if (pthread_create(&id[i], NULL, loop, (void *)(size_t)i))
			exit(1);
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

static void repeat(int n, char **argv)
{
	while (n-- > 0) {
		pid_t pid = fork();

		if (!pid) {
			execvp(argv[0], argv);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
		mark("runs", 1);
	}
}

static int run(const char *what, int n)
{
	if (!strcmp(what, "fork"))
		processes(n, fork_loop, pages);
	else if (!strcmp(what, "exec"))
		processes(n, exec_loop, 0);
	else if (!strcmp(what, "pressure"))
		processes(n, pressure_loop, 0);
	else if (!strcmp(what, "thp"))
		processes(n, thp_loop, 0);
	else if (!strcmp(what, "munmap"))
		threads(n, munmap_loop);
	else if (!strcmp(what, "mprotect"))
		threads(n, mprotect_loop);
	else if (!strcmp(what, "madvise"))
		threads(n, madvise_loop);
	else if (!strcmp(what, "numa")) {
		numa_pages = map(pages * PAGE);
		threads(n, numa_loop);
	} else
		usage();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		usage();
	if (!strcmp(argv[1], "repeat")) {
		repeat(atoi(argv[2]), argv + 3);
		return 0;
	}
	iterations = atoi(argv[3]);
	pages = argc > 4 ? (size_t)atol(argv[4]) : 1;
	return run(argv[1], atoi(argv[2]));
}
