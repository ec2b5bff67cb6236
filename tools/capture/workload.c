/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The guest's workloads:
 *   workload fork PROCESSES FORKS PAGES     each process forks, child writes half of the pages
 *   workload munmap THREADS ITERATIONS PAGES
 */
static size_t pages;
static int iterations;

static void touch(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i * 4096]++;
}

static char *map(void)
{
	char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	touch(p, pages);
	return p;
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
	_exit(0);
}

static void *munmap_loop(void *arg)
{
	(void)arg;
	for (int i = 0; i < iterations; i++)
		munmap(map(), pages * 4096);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	int n;

	if (argc != 5)
		return 2;
	n = atoi(argv[2]);
	iterations = atoi(argv[3]);
	pages = (size_t)atoi(argv[4]);
	if (!strcmp(argv[1], "fork")) {
		char *p = map();

		for (int i = 0; i < n; i++)
			if (!fork())
				fork_loop(p);
		while (wait(NULL) > 0)
			;
		return 0;
	}
	for (int i = 0; i < n && i < 64; i++)
		pthread_create(&threads[i], NULL, munmap_loop, NULL);
	for (int i = 0; i < n && i < 64; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
