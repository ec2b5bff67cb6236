/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_POOL_H
#define DVMI_BASE_POOL_H

#include <stddef.h>

/*
 * Run job(arg, i) for every i below @count on @threads threads, i in ascending order of start. A job
 * that returns a negative code, or a tick that returns other than 0, stops the handing out; what has
 * started ends first. Jobs write only what belongs to their i, so results do not depend on @threads.
 *
 * tick(arg) is called from the calling thread a few times a second, and after every job when there is
 * one thread. Returns 0; the code of the failed job with the least i; -DVM_EBUDGET after a tick.
 */
int dvmi_pool_run(unsigned threads, size_t count, int (*job)(void *arg, size_t i),
		  int (*tick)(void *arg), void *arg);

#endif
