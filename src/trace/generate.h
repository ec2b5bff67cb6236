/* SPDX-License-Identifier: MIT */
#ifndef DVMI_TRACE_GENERATE_H
#define DVMI_TRACE_GENERATE_H

#include "base/error.h"
#include "base/rng.h"

#include <dvmsim/trace.h>
#include <dvmsim/workload.h>

/*
 * How generators write: each gen_*.c describes one workload with these verbs, one per thing a
 * kernel does. The kernel's own work in an operation is not written as instructions but left to the
 * part's kernel costs (DVM_TRACE_F_MODELLED), so that the same workload fits every part. A failed
 * append is remembered and reported once, by dvm_workload_generate().
 */
struct dvmi_gen {
	struct dvm_trace *trace;
	struct dvmi_rng rng;
	const uint64_t *values; /* of the parameters, in the order of the generator's table */
	uint64_t page_bytes;
	uint32_t next_task, next_mm, next_wake;
	uint32_t count; /* of records */
	struct dvm_error *err;
	int ret;
};

/* A user process on one CPU: what most verbs need to know. */
struct dvmi_gen_task {
	uint32_t task, mm;
	uint16_t cpu;
};

struct dvmi_generator {
	struct dvm_workload_info info;
	unsigned ncpus;    /* of one copy; 0: given by parameter number 0 */
	const char *marks; /* JSON list of work-mark names */
	void (*write)(struct dvmi_gen *g);
};

extern const struct dvmi_generator dvmi_gen_arrivals, dvmi_gen_clients, dvmi_gen_fork, dvmi_gen_mmap, dvmi_gen_mprotect, dvmi_gen_redis,
	dvmi_gen_tlb_shootdown;

/* A new process, its mm copied from @parent, to run on @cpu; the records stand on @parent's CPU. */
struct dvmi_gen_task dvmi_gen_process(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
				      uint16_t cpu);
/* A process that exists when the workload begins, to begin on @cpu; a thread of @process, likewise. */
struct dvmi_gen_task dvmi_gen_present(struct dvmi_gen *g, uint16_t cpu);
struct dvmi_gen_task dvmi_gen_thread(struct dvmi_gen *g, const struct dvmi_gen_task *process,
				     uint16_t cpu);
/* A process that exists, and runs, when the workload begins. */
struct dvmi_gen_task dvmi_gen_initial(struct dvmi_gen *g, uint16_t cpu);
void dvmi_gen_run(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns);
/* @t's CPU switches to @t, after wake-up @wake (0: at once); to idle. */
void dvmi_gen_switch(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t wake);
void dvmi_gen_idle(struct dvmi_gen *g, uint16_t cpu);
/* @t wakes @target, which has yet to wait; returns the wake-up's number. */
uint32_t dvmi_gen_wake(struct dvmi_gen *g, const struct dvmi_gen_task *t,
		       const struct dvmi_gen_task *target);
/* An operation whose work the part's kernel costs charge for @pages pages. */
void dvmi_gen_op_begin(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op, uint64_t va,
		       uint64_t pages);
void dvmi_gen_op_end(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op);
void dvmi_gen_flush_mm(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op,
		       unsigned flags);
/* munmap, mprotect, madvise: the operation around one range flush. */
void dvmi_gen_range_op(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op, uint64_t va,
		       uint64_t pages);
/* A fault: copy-on-write or reuse of an exclusive page, with a page flush; anonymous, with none. */
void dvmi_gen_fault(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op, uint64_t va);
/* exit: the last flush of the mm, then mm and task are gone. */
void dvmi_gen_exit(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t pages);
/*
 * Queues of work. All records of a task follow its switch, one task after the other: the scheduler
 * of the simulation makes a schedule of them.
 */
void dvmi_gen_think(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns);
void dvmi_gen_unit_begin(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t reply);
void dvmi_gen_unit_end(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mark);
void dvmi_gen_put(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t queue);
void dvmi_gen_get(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t queue);
void dvmi_gen_arrive(struct dvmi_gen *g, uint16_t cpu, uint32_t queue, uint64_t ns);
/* Back to where the generator was when @count was g->count, with no record of others since. */
void dvmi_gen_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t count);
/* Uniform in [mean - spread, mean + spread], with spread @percent of it; exponential. */
uint64_t dvmi_gen_spread(struct dvmi_gen *g, uint64_t mean, uint64_t percent);
uint64_t dvmi_gen_exponential(struct dvmi_gen *g, uint64_t mean);
void dvmi_gen_mark(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mark);

#endif
