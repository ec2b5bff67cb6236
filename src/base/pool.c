/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <dvmsim/error.h>

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define THREADS_MAX 64

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next, count, failed; /* @failed: least job that failed */
	unsigned running;
	int code, stop;
	int (*job)(void *arg, size_t i);
	void *arg;
};

static void take_result(struct pool *p, size_t i, int code)
{
	if (code < 0 && (!p->code || i < p->failed)) {
		p->code = code;
		p->failed = i;
		p->stop = 1;
	}
}

static void *worker(void *arg)
{
	struct pool *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->next < p->count) {
		size_t i = p->next++;
		int code;

		pthread_mutex_unlock(&p->lock);
		code = p->job(p->arg, i);
		pthread_mutex_lock(&p->lock);
		take_result(p, i, code);
	}
	p->running--;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int run_here(struct pool *p, int (*tick)(void *arg))
{
	for (size_t i = 0; i < p->count; i++) {
		int code = p->job(p->arg, i);

		if (code < 0)
			return code;
		if (tick && tick(p->arg))
			return -DVM_EBUDGET;
	}
	return 0;
}

static void wait_all(struct pool *p, int (*tick)(void *arg), int *ticked)
{
	pthread_mutex_lock(&p->lock);
	while (p->running) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 200 * 1000 * 1000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
		pthread_mutex_unlock(&p->lock);
		if (tick && !*ticked && tick(p->arg))
			*ticked = 1;
		pthread_mutex_lock(&p->lock);
		p->stop |= *ticked;
	}
	pthread_mutex_unlock(&p->lock);
}

int dvmi_pool_run(unsigned threads, size_t count, int (*job)(void *arg, size_t i),
		  int (*tick)(void *arg), void *arg)
{
	struct pool p = { .count = count, .job = job, .arg = arg };
	pthread_t ids[THREADS_MAX];
	unsigned started = 0;
	int ticked = 0;

	if (threads > count)
		threads = (unsigned)count;
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	if (threads < 2)
		return run_here(&p, tick);
	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.changed, NULL);
	pthread_mutex_lock(&p.lock);
	while (started < threads && !pthread_create(&ids[started], NULL, worker, &p))
		started++;
	p.running = started;
	pthread_mutex_unlock(&p.lock);
	if (started)
		wait_all(&p, tick, &ticked);
	for (unsigned i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	pthread_cond_destroy(&p.changed);
	pthread_mutex_destroy(&p.lock);
	if (!started)
		return run_here(&p, tick);
	return p.code ? p.code : ticked ? -DVM_EBUDGET : 0;
}
