/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SIM_RUN_H
#define DVMSIM_TESTS_SIM_RUN_H

#include "model/params.h"

#include <dvmsim/model.h>
#include <dvmsim/sim.h>
#include <dvmsim/strategy.h>
#include <dvmsim/trace.h>

/*
 * One simulation of a test: the teaching part and linux-7.1, changed as the test needs, a strategy
 * given as text, a workload as lines of records. Every step fails the test when it fails.
 */
struct run {
	struct dvm_model *hw, *kernel;
	struct dvm_strategy *strategy;
	struct dvm_trace *trace;
	struct dvm_sim *sim;
	const struct dvm_stats *stats;
	struct dvm_error err;
	int ret; /* of dvm_sim_run() */
	/* Options of the run, set before run_go(). */
	struct dvm_sim_options options;
};

void run_init(struct run *r);
void run_hw(struct run *r, const char *part);
void run_kernel(struct run *r, const char *kernel);
void run_set(struct run *r, const char *path, uint64_t value);        /* of the part */
void run_set_kernel(struct run *r, const char *path, uint64_t value);
void run_strategy(struct run *r, const char *text);
void run_shipped(struct run *r, const char *strategy);
void run_trace(struct run *r, unsigned ncpus, const struct dvm_trace_record *records, size_t count);
void run_load(struct run *r, const char *name); /* a shipped trace */
void run_workload(struct run *r, const char *spec);
void run_go(struct run *r, unsigned copies, uint64_t seed);
void run_fini(struct run *r);
const struct dvmi_hw *run_params(const struct run *r);

/* Records that workloads are made of; task n has mm n. */
#define MM(n) { .kind = DVM_TRACE_MM_NEW, .mm = (n), .flags = DVM_TRACE_F_INITIAL }
#define TASK(n) { .kind = DVM_TRACE_TASK_NEW, .task = (n), .mm = (n), .flags = DVM_TRACE_F_INITIAL }
#define ON(c, n) { .kind = DVM_TRACE_SWITCH, .cpu = (c), .task = (n), .mm = (n) }
#define IDLE(c) { .kind = DVM_TRACE_SWITCH, .cpu = (c) }
#define RUN(c, n, ns) { .kind = DVM_TRACE_RUN, .cpu = (c), .task = (n), .amount = (ns), \
			.flags = DVM_TRACE_F_TIME }
#define FLUSH_MM(c, n) { .kind = DVM_TRACE_FLUSH, .cpu = (c), .task = (n), .mm = (n), \
			 .request = DVM_TRACE_REQ_ASID, .level = 4, .op = DVM_TRACE_OP_FORK }
#define FLUSH_RANGE(c, n, pages, cause) \
	{ .kind = DVM_TRACE_FLUSH, .cpu = (c), .task = (n), .mm = (n), .op = (cause), \
	  .request = DVM_TRACE_REQ_RANGE, .level = 3, .va = 0x10000000, .amount = (pages), \
	  .stride_shift = 12, .flags = DVM_TRACE_F_LEAF }
#define MARK(c, n) { .kind = DVM_TRACE_MARK, .cpu = (c), .task = (n), .amount = 1 }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Strategies as short as can be. */
#define BROADCAST "strategy b\non flush:\n dsb ishst\n asid\n tlbi is\n sync ish\n ret\n"
#define LOCAL "strategy l\non flush:\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\n"

#endif
