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
	const void *kind;       /* its own */
	uint64_t page_bytes;
	uint32_t next_task, next_mm, next_wake;
	uint32_t count; /* of records */
	bool sme;       /* new tasks use SME */
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
	unsigned ncpus;    /* of one copy; 0: parameter number 0 and extra_cpus */
	unsigned extra_cpus;
	const char *marks; /* JSON list of work-mark names */
	const void *kind;  /* for a write() that several share: what they differ in */
	void (*write)(struct dvmi_gen *g);
};

extern const struct dvmi_generator dvmi_gen_arrivals, dvmi_gen_clients,
	dvmi_gen_compaction, dvmi_gen_exec_storm, dvmi_gen_fork, dvmi_gen_gc,
	dvmi_gen_khugepaged, dvmi_gen_ksm, dvmi_gen_madvise, dvmi_gen_mmap, dvmi_gen_mprotect,
	dvmi_gen_mremap, dvmi_gen_numa_balance, dvmi_gen_oom_reap, dvmi_gen_process_madvise,
	dvmi_gen_ptrace, dvmi_gen_reclaim, dvmi_gen_redis, dvmi_gen_sva, dvmi_gen_thp_split,
	dvmi_gen_tlb_shootdown, dvmi_gen_writeback;

#define DVMI_GEN_VA UINT64_C(0xff8000000000) /* where regions begin; a whole PMD */

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
/* @t, which does not run, moves to @cpu. */
void dvmi_gen_migrate(struct dvmi_gen *g, struct dvmi_gen_task *t, unsigned cpu);
/* @t sleeps for @ns: a timer. */
void dvmi_gen_sleep(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns);
/* A new thread of @parent's process; a kernel thread that runs when the workload begins. */
struct dvmi_gen_task dvmi_gen_spawn(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
				     uint16_t cpu);
struct dvmi_gen_task dvmi_gen_kthread(struct dvmi_gen *g, uint16_t cpu);
/* What @t's address space holds when the workload begins: a VMA (enum dvm_trace_detail). */
void dvmi_gen_region(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages,
		     unsigned detail);

/*
 * Operations whose flushes the simulated kernel makes, by its configuration and by what the address
 * space holds then. on(): of another process's mm.
 */
void dvmi_gen_op(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op, uint64_t va,
		 uint64_t pages, unsigned detail);
void dvmi_gen_op_on(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mm, unsigned op,
		    uint64_t va, uint64_t pages, unsigned detail);
/* Each page is written (read): those whose entries do not permit it fault. */
void dvmi_gen_write(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages);
void dvmi_gen_read(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages);
/* fork(): a child that will run on @cpu once it is woken. */
struct dvmi_gen_task dvmi_gen_fork_child(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
					 uint16_t cpu);
/* execve() with a new, empty mm; the old one is torn down. */
void dvmi_gen_exec(struct dvmi_gen *g, struct dvmi_gen_task *t);
/* exit: the mm is torn down, then mm and task are gone. */
void dvmi_gen_exit(struct dvmi_gen *g, const struct dvmi_gen_task *t);
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
