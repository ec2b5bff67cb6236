/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_IMPORT_WORLD_H
#define DVMSIM_TOOLS_IMPORT_WORLD_H

#include <dvmsim/trace.h>

#include <setjmp.h>

/*
 * The captured system as an importer knows it: its tasks, mms and CPUs by their kernel addresses,
 * which are reused, and the records made of what they did. Importers feed it from the beginning of
 * a stream; records are kept between world_begin() and world_end().
 */
#define WORLD_CPUS DVM_TRACE_MAX_CPUS
#define WORLD_OPS 6 /* deepest nesting of operations that is kept */
#define NONE SIZE_MAX

struct world_mm {
	uint64_t address;
	struct world_mm *parent;
	uint64_t owner; /* address of the task it was made for */
	unsigned users; /* tasks, as far as the importer counts them */
	uint64_t context; /* its context.id, which ends in the ASID; 0: not known */
	uint32_t id;	/* in the trace; 0: not seen in the window */
	bool born, dead, unborn; /* unborn: of a task that is being made */
	bool has_initial_task; /* further ones that exist when the window begins are threads */
};

struct world_op {
	uint8_t op;
	size_t begin; /* its OP_BEGIN, to give a fault its kind afterwards */
};

/* What the flush that comes next is about; see import_plugin.c. */
struct world_about {
	int what;
	uint64_t mm, start, end, bits;
};

struct world_task {
	uint64_t address;
	struct world_task *parent;
	struct world_mm *mm, *exit_mm;
	uint32_t id, wake; /* wake: the wake-up its next switch-in waits for */
	int cpu;	   /* it ran on last, or -1 */
	bool born, idle, exiting, execing, migrating, batch, exit_ready, try_idle, splitting;
	bool flushing_dirty; /* a DSB that comes next completes its batch */
	uint8_t purpose; /* the operation in which it takes pages from page tables, or 0 */
	size_t try_at, wake_at, exit_at; /* records that may yet be made good, or not */
	struct world_op ops[WORLD_OPS];
	unsigned depth;
	char comm[16];
	struct world_about about, outer; /* outer: resumed when the inner one was flushed */
};

#define WORLD_ACCESSES 64 /* that are made one record */

struct world_cpu {
	struct world_task *current;
	uint64_t insns, told;	 /* executed; of them, told in RUN records (or not to be) */
	uint64_t idle_since;	 /* time up to which idle is explained */
	uint64_t pending[WORLD_ACCESSES]; /* accesses since the last record */
	unsigned npending;
};

struct world {
	struct world_cpu cpus[WORLD_CPUS];
	unsigned ncpus;
	uint64_t now;
	bool active;
	bool timed; /* insns counts nanoseconds */
	struct world_task **tasks;
	struct world_mm **mms;
	struct world_table { uint64_t *keys; void **values; size_t size, used; } task_at, mm_at;
	size_t ntasks, nmms, tasks_capacity, mms_capacity;
	uint32_t task_ids, mm_ids, wake_ids;
	struct dvm_trace_record *initial, *records, scratch;
	size_t ninitial, initial_capacity, nrecords, capacity;
	uint64_t *accesses;
	size_t naccesses, accesses_capacity;
	jmp_buf *nomem;
};

/* All functions below leave through world.nomem when memory runs out. */
void world_fini(struct world *w);

struct world_task *world_task(struct world *w, uint64_t address); /* made when not known */
struct world_task *world_new_task(struct world *w, uint64_t address);
void world_name_task(struct world *w, uint64_t address, struct world_task *t); /* from here on */
struct world_mm *world_mm(struct world *w, uint64_t address); /* NULL when not known */
struct world_mm *world_new_mm(struct world *w, uint64_t address);

/* Numbers in the trace; given at first use. */
uint32_t world_task_id(struct world *w, struct world_task *t);
uint32_t world_mm_id(struct world *w, struct world_mm *mm);

/* A new record of @cpu, after a RUN for what the CPU executed since the last one; valid until the
 * next call. Outside the window it goes nowhere. */
struct dvm_trace_record *world_emit(struct world *w, unsigned cpu, uint8_t kind);
size_t world_last(const struct world *w); /* the index of that record, or NONE */

void world_op_begin(struct world *w, unsigned cpu, uint8_t op, struct world_mm *mm, uint64_t va,
		    uint64_t bytes);
void world_op_end(struct world *w, unsigned cpu, unsigned flags);
/* The innermost operation of @t that is not a fault; DVM_TRACE_OP_NONE when there is none. */
uint8_t world_op(const struct world_task *t);

/* @access as struct dvm_trace has it; of the task that runs there, if it has an mm */
void world_access(struct world *w, unsigned cpu, uint64_t access);

void world_try_wake(struct world *w, unsigned cpu, struct world_task *t);
void world_woken(struct world *w, struct world_task *t);
void world_switch(struct world *w, unsigned cpu, struct world_task *next);

void world_begin(struct world *w);
/* Put INITIAL records first, drop those not made good, join RUNs; records and ninitial+nrecords. */
void world_end(struct world *w);

#endif
