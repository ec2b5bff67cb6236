/* SPDX-License-Identifier: MIT */
#include "random_trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS 512
#define CPUS 64
#define POOL 4096
#define STORM_MMS 100
#define BASE UINT64_C(0x10000000)
#define NO_CPU UINT32_MAX

struct task {
	uint32_t mm, cpu, last_cpu, wake;
	bool alive, batch;
};

struct world {
	struct dvmi_rng *rng;
	struct dvm_trace *trace;
	struct random_trace_size size;
	struct task task[TASKS];
	uint32_t tasks, mms, wakes, users[TASKS];
	bool mm_dead[TASKS];
	uint32_t running[CPUS];
	unsigned pages; /* that accesses and flushes are about */
};

static uint32_t below(struct world *w, uint64_t n)
{
	return (uint32_t)dvmi_rng_below(w->rng, n);
}

static void put(struct world *w, struct dvm_trace_record r)
{
	struct dvm_error err = { 0 };
	char text[500];

	if (!dvm_trace_append(w->trace, &r, 1, &err))
		return;
	dvm_error_format(&err, text, sizeof(text));
	fprintf(stderr, "random_trace: %s\n", text);
	abort();
}

/* ---- life ---- */

static uint32_t new_mm(struct world *w, uint32_t cpu, uint32_t parent, unsigned flags)
{
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_NEW, .cpu = (uint16_t)cpu,
					  .mm = ++w->mms, .id = parent, .flags = (uint16_t)flags });
	return w->mms;
}

static void new_task(struct world *w, uint32_t cpu, uint32_t mm, uint32_t parent, unsigned flags)
{
	uint32_t t = ++w->tasks;

	w->task[t] = (struct task){ .mm = mm, .cpu = NO_CPU, .last_cpu = NO_CPU, .alive = true };
	w->users[mm]++;
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .cpu = (uint16_t)cpu,
					  .task = t, .mm = mm, .id = parent,
					  .flags = (uint16_t)flags });
}

static bool room(const struct world *w)
{
	return w->tasks + 2 < TASKS && w->mms + 2 < TASKS;
}

static void fork_one(struct world *w, uint32_t cpu, uint32_t t)
{
	uint32_t mm = w->task[t].mm;

	if (!mm || !room(w))
		return;
	if (below(w, 2))
		new_task(w, cpu, mm, t, DVM_TRACE_F_THREAD);
	else
		new_task(w, cpu, new_mm(w, cpu, mm, 0), t, 0);
}

/* The last user leaves: the whole of it is flushed, then it is gone. */
static void drop_mm(struct world *w, uint32_t cpu, uint32_t t, uint32_t mm)
{
	if (!mm || --w->users[mm])
		return;
	put(w, (struct dvm_trace_record){
		.kind = DVM_TRACE_FLUSH, .cpu = (uint16_t)cpu, .task = t, .mm = mm, .level = 4,
		.request = DVM_TRACE_REQ_ASID, .op = DVM_TRACE_OP_EXIT,
		.flags = DVM_TRACE_F_FULLMM | DVM_TRACE_F_FREED_TABLES });
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_EXIT, .cpu = (uint16_t)cpu,
					  .mm = mm });
	w->mm_dead[mm] = true;
}

static void exec_one(struct world *w, uint32_t cpu, uint32_t t)
{
	uint32_t old = w->task[t].mm, mm;

	if (!old || !room(w))
		return;
	mm = new_mm(w, cpu, 0, 0);
	w->users[mm]++;
	w->task[t].mm = mm;
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_EXEC, .cpu = (uint16_t)cpu, .task = t,
					  .mm = mm });
	drop_mm(w, cpu, t, old);
}

/* ---- switches ---- */

static void switch_to(struct world *w, uint32_t cpu, uint32_t t)
{
	uint32_t out = w->running[cpu];
	struct task *in = &w->task[t];

	if (t && in->last_cpu != NO_CPU && in->last_cpu != cpu)
		put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_MIGRATE, .cpu = (uint16_t)cpu,
						  .task = t, .id = in->last_cpu,
						  .target = (uint16_t)cpu });
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .cpu = (uint16_t)cpu,
					  .task = t, .mm = t ? in->mm : 0,
					  .id = t ? in->wake : 0 });
	if (out)
		w->task[out].cpu = NO_CPU;
	w->running[cpu] = t;
	if (!t)
		return;
	in->wake = 0;
	in->cpu = in->last_cpu = cpu;
}

/* A live task that runs nowhere, or 0. */
static uint32_t pick_task(struct world *w)
{
	for (int i = 0; i < 8; i++) {
		uint32_t t = 1 + below(w, w->tasks);

		if (w->task[t].alive && w->task[t].cpu == NO_CPU)
			return t;
	}
	return 0;
}

static void switch_one(struct world *w, uint32_t cpu)
{
	uint32_t t = w->size.steady || below(w, 5) ? pick_task(w) : 0;

	if (t || w->running[cpu])
		switch_to(w, cpu, t);
}

static void exit_one(struct world *w, uint32_t cpu, uint32_t t)
{
	struct task *task = &w->task[t];

	if (task->batch || w->tasks < 4)
		return;
	drop_mm(w, cpu, t, task->mm);
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_EXIT, .cpu = (uint16_t)cpu,
					  .task = t });
	task->alive = false;
	switch_to(w, cpu, pick_task(w));
}

/* Its next stay anywhere waits for this. */
static void wake_one(struct world *w, uint32_t cpu)
{
	uint32_t t = pick_task(w);

	if (!t || w->task[t].wake)
		return;
	w->task[t].wake = ++w->wakes;
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_WAKE, .cpu = (uint16_t)cpu, .task = t,
					  .id = w->wakes, .target = (uint16_t)cpu });
}

/* ---- work ---- */

static void access_one(struct world *w, uint32_t cpu, uint32_t t)
{
	uint64_t amount = 1 + below(w, below(w, 4) ? 40 : 400);

	if (!w->size.accesses || !w->task[t].mm)
		return;
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_ACCESS_RUN, .cpu = (uint16_t)cpu,
					  .task = t, .mm = w->task[t].mm,
					  .va = below(w, POOL - amount), .amount = amount });
}

static void run_one(struct world *w, uint32_t cpu, uint32_t t)
{
	bool time = below(w, 2);

	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_RUN, .cpu = (uint16_t)cpu, .task = t,
					  .amount = 1 + below(w, time ? 2000 : 5000),
					  .flags = time ? DVM_TRACE_F_TIME : 0 });
}

static void operation(struct world *w, uint32_t cpu, uint32_t t)
{
	static const uint8_t ops[] = { DVM_TRACE_OP_MMAP, DVM_TRACE_OP_BRK, DVM_TRACE_OP_FAULT_ANON,
				       DVM_TRACE_OP_FAULT };
	/* Those whose flushes the simulated kernel makes. */
	static const uint8_t simulated[] = {
		DVM_TRACE_OP_MMAP, DVM_TRACE_OP_MUNMAP, DVM_TRACE_OP_MPROTECT,
		DVM_TRACE_OP_MADVISE, DVM_TRACE_OP_FAULT_ANON, DVM_TRACE_OP_FAULT_COW,
		DVM_TRACE_OP_RECLAIM,
	};
	struct dvm_trace_record r = { .kind = DVM_TRACE_OP_BEGIN, .cpu = (uint16_t)cpu, .task = t,
				      .mm = w->task[t].mm, .va = BASE, .amount = 4096,
				      .op = ops[below(w, sizeof(ops))],
				      .flags = DVM_TRACE_F_MODELLED };

	if (w->task[t].mm && below(w, 2)) {
		r.op = simulated[below(w, sizeof(simulated))];
		r.va = BASE + (uint64_t)below(w, w->pages) * 4096;
		r.amount = 4096 * (1 + (uint64_t)below(w, 16));
		r.flags = DVM_TRACE_F_SIMULATED;
	}
	put(w, r);
	r.kind = DVM_TRACE_OP_END;
	r.va = r.amount = r.flags = 0;
	put(w, r);
}

static void kernel_flush(struct world *w, uint32_t cpu, uint32_t t)
{
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_FLUSH, .cpu = (uint16_t)cpu, .task = t,
					  .request = DVM_TRACE_REQ_KERNEL, .level = 4,
					  .va = UINT64_C(0xffff800000000000),
					  .amount = 1 + below(w, 5), .stride_shift = 12,
					  .op = DVM_TRACE_OP_KERNEL_MAP });
}

/* Its own address space, or another's. */
static void flush_one(struct world *w, uint32_t cpu, uint32_t t)
{
	static const uint8_t causes[] = {
		DVM_TRACE_OP_MUNMAP, DVM_TRACE_OP_MPROTECT, DVM_TRACE_OP_MADVISE, DVM_TRACE_OP_FORK,
		DVM_TRACE_OP_FAULT_COW, DVM_TRACE_OP_FAULT_WP_REUSE, DVM_TRACE_OP_FAULT_SPURIOUS,
		DVM_TRACE_OP_RECLAIM, DVM_TRACE_OP_YOUNG_CLEAR, DVM_TRACE_OP_MREMAP,
	};
	struct dvm_trace_record r = { .kind = DVM_TRACE_FLUSH, .cpu = (uint16_t)cpu, .task = t,
				      .mm = w->task[t].mm, .op = causes[below(w, sizeof(causes))],
				      .level = 3, .stride_shift = 12, .amount = 1,
				      .request = (uint8_t)(DVM_TRACE_REQ_ASID + below(w, 3)) };

	if (!r.mm || !below(w, 6)) {
		r.mm = 1 + below(w, w->mms);
		r.flags |= DVM_TRACE_F_FOREIGN;
	}
	if (w->mm_dead[r.mm] || !w->users[r.mm])
		return;
	if (r.request == DVM_TRACE_REQ_ASID) {
		r.amount = r.stride_shift = 0;
		r.level = 4;
	} else {
		r.va = BASE + (uint64_t)below(w, w->pages) * 4096;
	}
	if (r.request == DVM_TRACE_REQ_RANGE)
		r.amount = 1 + below(w, below(w, 8) ? 8 : 600);
	if (below(w, 2) && r.amount)
		r.flags |= DVM_TRACE_F_LEAF;
	else if (!below(w, 3))
		r.flags |= DVM_TRACE_F_FREED_TABLES;
	if (!below(w, 4) && r.op != DVM_TRACE_OP_YOUNG_CLEAR) {
		r.flags |= DVM_TRACE_F_NOSYNC;
		w->task[t].batch = true;
	}
	put(w, r);
}

static void batch_one(struct world *w, uint32_t cpu, uint32_t t)
{
	put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_BATCH_FLUSH, .cpu = (uint16_t)cpu,
					  .task = t });
	w->task[t].batch = false;
}

static void idle_step(struct world *w, uint32_t cpu)
{
	if (below(w, 3) || w->size.steady)
		switch_one(w, cpu);
	else if (below(w, 2))
		wake_one(w, cpu);
	else
		put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_SLEEP, .cpu = (uint16_t)cpu,
						  .amount = 1 + below(w, 5000) });
}

static void step(struct world *w)
{
	uint32_t cpu = below(w, w->size.cpus), t = w->running[cpu], dice = below(w, 100);

	if (!t)
		idle_step(w, cpu);
	else if (dice < 35)
		access_one(w, cpu, t);
	else if (dice < 45)
		run_one(w, cpu, t);
	else if (dice < 68)
		flush_one(w, cpu, t);
	else if (dice < 73)
		batch_one(w, cpu, t);
	else if (dice < 75)
		kernel_flush(w, cpu, t);
	else if (dice < 78)
		wake_one(w, cpu);
	else if (dice < 80)
		fork_one(w, cpu, t);
	else if (dice < 81)
		exec_one(w, cpu, t);
	else if (dice < 82)
		exit_one(w, cpu, t);
	else if (dice < 84)
		operation(w, cpu, t);
	else if (dice < 88)
		put(w, (struct dvm_trace_record){ .kind = DVM_TRACE_MARK, .cpu = (uint16_t)cpu,
						  .task = t, .amount = 1 });
	else if (w->size.steady && below(w, 10))
		access_one(w, cpu, t);
	else
		switch_one(w, cpu);
}

/* Every batch is completed, by its own task. */
static void finish(struct world *w)
{
	for (uint32_t t = 1; t <= w->tasks; t++) {
		uint32_t cpu = w->task[t].cpu;

		if (!w->task[t].batch || !w->task[t].alive)
			continue;
		if (cpu == NO_CPU) {
			cpu = below(w, w->size.cpus);
			switch_to(w, cpu, t);
		}
		batch_one(w, cpu, t);
		access_one(w, cpu, t);
	}
}

/* Every task runs somewhere, so that ASIDs are used up. */
static void storm(struct world *w)
{
	for (uint32_t t = 1; t <= w->tasks; t++) {
		uint32_t cpu = below(w, w->size.cpus);

		if (w->task[t].cpu != NO_CPU || !w->task[t].alive)
			continue;
		switch_to(w, cpu, t);
		access_one(w, cpu, t);
		if (!below(w, 4))
			flush_one(w, cpu, t);
	}
}

static void put_accesses(struct world *w)
{
	uint64_t a[POOL], page = 0;

	for (unsigned i = 0; i < POOL; i++) {
		if (!below(w, 3))
			page = below(w, w->pages);
		a[i] = BASE + page * 4096 + below(w, 4096);
		if (!below(w, 3))
			a[i] |= DVM_TRACE_ACCESS_WRITE;
		else if (!below(w, 4))
			a[i] |= DVM_TRACE_ACCESS_FETCH;
	}
	if (dvm_trace_append_accesses(w->trace, a, POOL, NULL))
		abort();
}

struct dvm_trace *random_trace(struct dvmi_rng *rng, const struct random_trace_size *size)
{
	struct world w = { .rng = rng, .size = *size };
	char header[200];

	if (size->cpus > CPUS || size->mms * 2 + 4 > TASKS)
		abort();
	snprintf(header, sizeof(header),
		 "{\"format\":\"dvmsim.trace/1\",\"source\":\"random\",\"ncpus\":%u,"
		 "\"page_bytes\":4096,\"va_bits\":48,\"marks\":[\"done\"]}", size->cpus);
	if (dvm_trace_new(header, &w.trace, NULL))
		abort();
	w.pages = 4 + below(&w, 60);
	if (size->accesses)
		put_accesses(&w);
	for (unsigned i = 0; i < size->mms; i++)
		new_task(&w, 0, new_mm(&w, 0, 0, DVM_TRACE_F_INITIAL), 0, DVM_TRACE_F_INITIAL);
	for (unsigned i = 0; i < size->mms / 4 + 1; i++)
		new_task(&w, 0, 1 + below(&w, size->mms), 0,
			 DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD);
	for (unsigned i = 0; i < size->steps; i++) {
		if (size->mms >= STORM_MMS && i % 100 == 50)
			storm(&w);
		step(&w);
	}
	finish(&w);
	return w.trace;
}
