/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SIM_RANDOM_TRACE_H
#define DVMSIM_TESTS_SIM_RANDOM_TRACE_H

#include "base/rng.h"

#include <dvmsim/trace.h>

#include <stdbool.h>

/*
 * A random workload that dvm_trace_validate() accepts: tasks with threads, migrations, wake-ups,
 * sleeps, forks, execs, exits, flushes of every kind with their batches, and memory accesses. The
 * order of its records is one in which they could have happened, so that no replay waits for ever.
 */
struct random_trace_size {
	unsigned cpus, mms, steps; /* mms: address spaces that exist when it begins */
	bool accesses;
	bool steady; /* CPUs seldom idle or switch */
};

struct dvm_trace *random_trace(struct dvmi_rng *rng, const struct random_trace_size *size);

#endif
