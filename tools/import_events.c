/* SPDX-License-Identifier: MIT */
#include "import_plugin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Switches, wake-ups, lives and operations: what the hooked functions mean. */

#define NEW_MMS 256 /* that are between mm_init() and wake_up_new_task() at a time */

/* The mm is gone once the task goes on to something else. */
static void finish_exit(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);
	struct dvm_trace_record *r;
	uint32_t mm, task;

	if (!t || !t->exit_ready || !t->exit_mm)
		return;
	mm = t->exit_mm->id || t->exit_mm->born ? world_mm_id(&im->world, t->exit_mm) : 0;
	task = world_task_id(&im->world, t);
	if (mm) {
		r = world_emit(&im->world, cpu, DVM_TRACE_MM_EXIT);
		r->mm = mm;
		r->task = task;
	}
	t->exit_mm->dead = true;
	t->exit_mm = NULL;
	t->exit_ready = false;
}

/* CONTEXTIDR_EL1 is written with the PID inside __switch_to(): 0 is idle. */
static void on_contextidr(struct import *im, const struct event *e)
{
	struct world_task *next = im->cpus[e->cpu].switch_to;

	im->cpus[e->cpu].switch_to = NULL;
	if (!next)
		return;
	if (!e->value)
		next->idle = true;
	world_switch(&im->world, e->cpu, next);
	import_group_resume(im, e->cpu, next);
}

void import_msr(struct import *im, const struct event *e)
{
	struct world_mm *mm = im->cpus[e->cpu].installing;
	unsigned crn = e->word >> 12 & 15, op2 = e->word >> 5 & 7;

	im->cnp |= crn == 2 && e->value & 1;
	if (crn == 13)
		on_contextidr(im, e);
	else if (op2 == 1 && mm) { /* TTBR1_EL1 holds the ASID (TCR_EL1.A1) */
		im->asids[e->value >> 48] = mm;
		im->cpus[e->cpu].installing = NULL;
	}
}

static void on_mm_switch(struct import *im, unsigned cpu, uint64_t address)
{
	struct world_task *t = import_current(im, cpu);
	struct world_mm *mm = world_mm(&im->world, address);
	struct dvm_trace_record *r;
	uint32_t task, id;

	im->cpus[cpu].installing = mm;
	if (!mm || !t || !t->execing || mm->owner != t->address || mm == t->mm)
		return;
	t->execing = false;
	task = world_task_id(&im->world, t);
	id = world_mm_id(&im->world, mm);
	t->mm = mm;
	r = world_emit(&im->world, cpu, DVM_TRACE_EXEC);
	r->task = task;
	r->mm = id;
}

/* mm_init(mm, task): of a task that is being made (fork), or of the task itself (exec). */
static void on_new_mm(struct import *im, unsigned cpu, uint64_t address, uint64_t owner)
{
	struct world_task *t = import_current(im, cpu);
	struct world_mm *mm = world_new_mm(&im->world, address), *parent = NULL;
	struct dvm_trace_record *r;
	uint32_t id, from;

	mm->owner = owner;
	if (t && t->address != owner) {
		parent = t->mm;
		mm->unborn = true;
		world_op_begin(&im->world, cpu, DVM_TRACE_OP_FORK, parent, 0, 0);
	}
	id = world_mm_id(&im->world, mm);
	from = world_mm_id(&im->world, parent);
	r = world_emit(&im->world, cpu, DVM_TRACE_MM_NEW);
	r->mm = id;
	r->id = from;
}

/* Work marks are numbered in the order in which they first occur. */
static void mark(struct import *im, unsigned cpu, const char *name, uint64_t amount)
{
	uint32_t task = world_task_id(&im->world, import_current(im, cpu)), which = 0;
	struct dvm_trace_record *r;

	while (which < im->nmarks && strcmp(im->mark_names[which], name) != 0)
		which++;
	if (which == MARKS)
		return;
	if (which == im->nmarks)
		snprintf(im->mark_names[im->nmarks++], MARK_NAME, "%s", name);
	r = world_emit(&im->world, cpu, DVM_TRACE_MARK);
	r->task = task;
	r->id = which;
	r->amount = amount;
}

/* prctl(MARK_OPTION, amount, name, name) */
static void on_work(struct import *im, unsigned cpu)
{
	char name[MARK_NAME] = "";

	if (im->memory[0] != MARK_OPTION || !im->memory[1] || im->memory[1] >> 32)
		return;
	memcpy(name, &im->memory[2], MARK_NAME - 1);
	for (const char *p = name; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && *p != '_' && *p != '-')
			return;
	if (*name)
		mark(im, cpu, name, im->memory[1]);
}

/* The mm made last for a task that did not exist yet; a thread has its parent's. */
static struct world_mm *mm_of_new_task(struct import *im, uint64_t address,
				       const struct world_task *parent, bool *fork)
{
	const struct world *w = &im->world;

	for (size_t i = w->nmms; i-- > 0 && w->nmms - i <= NEW_MMS;) {
		struct world_mm *mm = w->mms[i];

		if (mm->owner != address || !mm->unborn)
			continue;
		mm->unborn = false;
		*fork = true;
		return mm;
	}
	*fork = false;
	return parent ? parent->mm : NULL;
}

static void on_new_task(struct import *im, unsigned cpu, uint64_t address)
{
	struct world_task *parent = import_current(im, cpu), *t;
	struct dvm_trace_record *r;
	uint32_t id, from, mm;
	bool fork;

	t = world_new_task(&im->world, address);
	t->mm = mm_of_new_task(im, address, parent, &fork);
	if (parent)
		memcpy(t->comm, parent->comm, sizeof(t->comm));
	from = world_task_id(&im->world, parent);
	id = world_task_id(&im->world, t);
	mm = world_mm_id(&im->world, t->mm);
	r = world_emit(&im->world, cpu, DVM_TRACE_TASK_NEW);
	r->task = id;
	r->mm = mm;
	r->id = from;
	r->flags = !t->mm ? DVM_TRACE_F_KTHREAD : fork ? 0 : DVM_TRACE_F_THREAD;
	world_try_wake(&im->world, cpu, t);
	world_woken(&im->world, t);
	if (fork && parent && parent->mm)
		mark(im, cpu, "forks", 1);
	if (fork && parent && parent->depth &&
	    parent->ops[parent->depth - 1].op == DVM_TRACE_OP_FORK)
		world_op_end(&im->world, cpu, 0);
}

static bool is_fault(uint8_t op)
{
	return op >= DVM_TRACE_OP_FAULT && op <= DVM_TRACE_OP_FAULT_SPURIOUS;
}

/* A fault taken by the kernel itself does not return to user mode: the next event ends it. */
static void end_fault(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);

	while (t && t->depth && is_fault(t->ops[t->depth - 1].op))
		world_op_end(&im->world, cpu, DVM_TRACE_F_INFERRED);
}

static void on_user(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);

	if (!t)
		return;
	t->about = t->outer = (struct world_about){ 0 };
	t->purpose = 0;
	t->splitting = false;
	while (t->depth)
		world_op_end(&im->world, cpu, 0);
}

static void on_fault(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);

	end_fault(im, cpu);
	if (t)
		t->purpose = 0;
	world_op_begin(&im->world, cpu, DVM_TRACE_OP_FAULT, world_mm(&im->world, im->memory[0]),
		       im->args[1] & ~(PAGE - 1), PAGE);
}

static void on_syscall(struct import *im, unsigned cpu, uint8_t op)
{
	struct world_task *t = import_current(im, cpu);

	end_fault(im, cpu);
	world_op_begin(&im->world, cpu, op, t ? t->mm : NULL, im->memory[0], im->memory[1]);
}

static void about(struct import *im, unsigned cpu, int what, uint64_t mm)
{
	struct world_task *t = import_current(im, cpu);

	import_group_close(im, cpu, false);
	if (!t)
		return;
	/* Contiguous entries are taken apart inside the others. */
	t->outer = what == ABOUT_CONTPTE ? t->about : (struct world_about){ 0 };
	t->about = (struct world_about){ what, mm, im->memory[1], im->memory[2], im->memory[3] };
}

void import_batch_flush(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);
	struct dvm_trace_record *r;
	uint32_t task;
	uint8_t op;

	import_group_close(im, cpu, false);
	if (!t)
		return;
	op = t->purpose ? t->purpose : DVM_TRACE_OP_RECLAIM;
	t->purpose = 0;
	if (!t->batch)
		return;
	t->batch = false;
	task = world_task_id(&im->world, t);
	r = world_emit(&im->world, cpu, DVM_TRACE_BATCH_FLUSH);
	r->task = task;
	r->op = op;
}

static void on_exit_task(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);

	if (!t)
		return;
	end_fault(im, cpu);
	t->exiting = true;
	world_op_begin(&im->world, cpu, DVM_TRACE_OP_EXIT, t->mm, 0, 0);
}

static void on_mark(struct import *im)
{
	im->marks++;
	if (im->marks == im->opt->from)
		world_begin(&im->world);
	if (im->opt->to && im->marks == im->opt->to)
		im->world.active = false;
}

static void on_comm(struct import *im)
{
	struct world_task *t = world_task(&im->world, im->args[0]);

	memcpy(t->comm, im->memory, sizeof(t->comm));
	t->comm[sizeof(t->comm) - 1] = '\0';
}

static void on_epoll(struct import *im, unsigned cpu)
{
	const struct world_task *t = import_current(im, cpu);

	if (t && !strcmp(t->comm, "redis-server"))
		mark(im, cpu, "redis_batches", 1);
}

static void set_purpose(struct import *im, unsigned cpu, uint8_t op)
{
	struct world_task *t = import_current(im, cpu);

	if (t)
		t->purpose = op;
}

static void on_exec(struct import *im, unsigned cpu)
{
	struct world_task *t = import_current(im, cpu);

	if (!t)
		return;
	end_fault(im, cpu);
	t->execing = true;
	world_op_begin(&im->world, cpu, DVM_TRACE_OP_EXEC, t->mm, 0, 0);
	mark(im, cpu, "execs", 1);
}

/* Hooks that can fire in an interrupt say nothing about what the task is doing. */
static bool from_interrupt(enum hook hook)
{
	return hook == HOOK_TRY_WAKE || hook == HOOK_WOKEN || hook == HOOK_OTHER;
}

void import_hook(struct import *im, unsigned cpu, enum hook hook)
{
	struct world_task *t = import_current(im, cpu);

	if (hook != HOOK_FLUSH && !from_interrupt(hook))
		finish_exit(im, cpu);
	if (t && !from_interrupt(hook))
		t->flushing_dirty = false;
	switch (hook) {
	case HOOK_MARK: on_mark(im); break;
	case HOOK_SWITCH:
		import_group_hold(im, cpu);
		im->cpus[cpu].switch_to = world_task(&im->world, im->args[1]);
		break;
	case HOOK_MM_SWITCH: on_mm_switch(im, cpu, im->args[0]); break;
	case HOOK_TRY_WAKE:
		world_try_wake(&im->world, cpu, world_task(&im->world, im->args[0]));
		break;
	case HOOK_WOKEN: world_woken(&im->world, world_task(&im->world, im->args[1])); break;
	case HOOK_NEW_TASK: on_new_task(im, cpu, im->args[0]); break;
	case HOOK_NEW_MM: on_new_mm(im, cpu, im->args[0], im->args[1]); break;
	case HOOK_EXEC: on_exec(im, cpu); break;
	case HOOK_COMM: on_comm(im); break;
	case HOOK_EXIT: on_exit_task(im, cpu); break;
	case HOOK_EXIT_MMAP:
		if (t)
			t->exit_mm = world_mm(&im->world, im->args[0]);
		break;
	case HOOK_FINISH:
		if (t && t->exit_mm)
			t->exit_ready = true;
		break;
	case HOOK_USER: import_group_close(im, cpu, false); on_user(im, cpu); break;
	case HOOK_FAULT: on_fault(im, cpu); break;
	case HOOK_CLEAR_FLUSH: about(im, cpu, ABOUT_CLEAR_FLUSH, im->memory[0]); break;
	case HOOK_ACCESS: about(im, cpu, ABOUT_ACCESS, im->memory[0]); break;
	case HOOK_PMD: about(im, cpu, ABOUT_PMD, im->memory[0]); break;
	case HOOK_CONTPTE: about(im, cpu, ABOUT_CONTPTE, im->args[0]); break;
	case HOOK_FLUSH: about(im, cpu, ABOUT_GATHER, im->memory[0]); break;
	case HOOK_BATCH_ADD: about(im, cpu, ABOUT_BATCH, im->args[0]); break;
	case HOOK_BATCH_FLUSH: import_batch_flush(im, cpu); break;
	case HOOK_BATCH_DIRTY: /* completes the batch, or does nothing: a DSB tells */
		import_group_close(im, cpu, false);
		if (t)
			t->flushing_dirty = t->batch;
		break;
	case HOOK_YOUNG: about(im, cpu, ABOUT_YOUNG, im->memory[0]); break;
	case HOOK_COLLAPSE: about(im, cpu, ABOUT_COLLAPSE, im->memory[0]); break;
	case HOOK_SPLIT:
		if (t)
			t->splitting = true;
		break;
	case HOOK_UNMAP_ONE: set_purpose(im, cpu, DVM_TRACE_OP_RECLAIM); break;
	case HOOK_MIGRATE_ONE: set_purpose(im, cpu, DVM_TRACE_OP_MIGRATE_PAGE); break;
	case HOOK_CLEAN_ONE: set_purpose(im, cpu, DVM_TRACE_OP_OTHER); break;
	case HOOK_NUMA: set_purpose(im, cpu, DVM_TRACE_OP_NUMA_HINT); break;
	case HOOK_FAULT_ANON:
	case HOOK_FAULT_FILE:
		if (t)
			import_know_fault(im, t, hook == HOOK_FAULT_ANON ? DVM_TRACE_OP_FAULT_ANON :
									   DVM_TRACE_OP_FAULT_FILE);
		break;
	case HOOK_WORK: on_work(im, cpu); break;
	case HOOK_MMAP: on_syscall(im, cpu, DVM_TRACE_OP_MMAP); break;
	case HOOK_MUNMAP:
		on_syscall(im, cpu, DVM_TRACE_OP_MUNMAP);
		mark(im, cpu, "munmaps", 1);
		break;
	case HOOK_MPROTECT:
		on_syscall(im, cpu, DVM_TRACE_OP_MPROTECT);
		mark(im, cpu, "mprotects", 1);
		break;
	case HOOK_MADVISE:
		on_syscall(im, cpu, DVM_TRACE_OP_MADVISE);
		mark(im, cpu, "madvises", 1);
		break;
	case HOOK_MREMAP: on_syscall(im, cpu, DVM_TRACE_OP_MREMAP); break;
	case HOOK_BRK: im->memory[1] = 0; on_syscall(im, cpu, DVM_TRACE_OP_BRK); break;
	case HOOK_EPOLL: on_epoll(im, cpu); break;
	default: break;
	}
}
