/* SPDX-License-Identifier: MIT */
/* Tasks, mms and operations of a kernel event trace: births, ends, what is going on. */
#include "import_ftrace.h"

#include <string.h>

#define CLONE_VM 0x100u
#define IDLE_KEY(cpu) ((UINT64_C(1) << 40 | (cpu)) << 4)
#define SHAPE_MM (UINT64_C(1) << 56)
#define NEW_MMS 256 /* that are between mm_init() and the birth of their task at a time */

/* ---- tasks and mms ---- */

struct world_mm *ft_mm(struct ft *ft, uint64_t address)
{
	struct world_mm *mm = address ? world_mm(&ft->world, address) : NULL;

	if (!address || (mm && !mm->dead))
		return mm;
	mm = world_new_mm(&ft->world, address);
	mm->born = false;
	return mm;
}

struct world_mm *ft_nameless_mm(struct ft *ft)
{
	return ft_mm(ft, SHAPE_MM | ++ft->last_mm << 4 | 8);
}

struct world_task *ft_task(struct ft *ft, int32_t pid, unsigned cpu)
{
	uint64_t key = pid > 0 ? FT_KEY(pid) : IDLE_KEY(cpu), address = 0;
	const struct ft_task *known = ft_learned(ft, pid);
	size_t before = ft->world.ntasks;
	struct world_task *t = world_task(&ft->world, key);

	if (ft->world.ntasks == before)
		return t;
	t->born = false;
	t->idle = pid <= 0;
	if (known && pid > 0)
		address = !ft->shape ? known->mm : !known->user ? 0 :
			SHAPE_MM | (uint32_t)(known->tgid > 0 ? known->tgid : pid) << 4;
	t->mm = ft_mm(ft, address);
	return t;
}

struct world_task *ft_current(struct ft *ft, unsigned cpu)
{
	return ft->world.cpus[cpu].current;
}

/* ---- operations ---- */

static bool is_fault(uint8_t op)
{
	return op >= DVM_TRACE_OP_FAULT && op <= DVM_TRACE_OP_FAULT_SPURIOUS;
}

/* Faults do not tell their ends: the next operation of the task ends them. */
static void end_faults(struct ft *ft, unsigned cpu)
{
	struct world_task *t = ft_current(ft, cpu);

	while (t && t->depth && is_fault(t->ops[t->depth - 1].op))
		world_op_end(&ft->world, cpu, DVM_TRACE_F_INFERRED);
}

void ft_end_all(struct ft *ft, unsigned cpu)
{
	struct world_task *t = ft_current(ft, cpu);

	while (t && t->depth)
		world_op_end(&ft->world, cpu, DVM_TRACE_F_INFERRED);
}

/* Ends @op and what began within it, when it is open. */
void ft_end_op(struct ft *ft, unsigned cpu, uint8_t op)
{
	struct world_task *t = ft_current(ft, cpu);
	unsigned open = 0;

	for (unsigned i = 0; t && i < t->depth; i++)
		if (t->ops[i].op == op)
			open = i + 1;
	while (open && t->depth >= open)
		world_op_end(&ft->world, cpu, t->depth > open ? DVM_TRACE_F_INFERRED : 0);
}

uint8_t ft_know_fault(struct ft *ft, struct world_task *t, uint8_t op)
{
	struct world_op *last = t->depth ? &t->ops[t->depth - 1] : NULL;

	if (last && last->op == DVM_TRACE_OP_FAULT && last->begin != NONE) {
		last->op = op;
		ft->world.records[last->begin].op = op;
	}
	return op;
}

void ft_count_work(struct ft *ft, unsigned cpu, uint32_t which, uint64_t amount)
{
	uint32_t task = world_task_id(&ft->world, ft_current(ft, cpu));
	struct dvm_trace_record *r = world_emit(&ft->world, cpu, DVM_TRACE_MARK);

	r->task = task;
	r->id = which;
	r->amount = amount;
}

void ft_begin_fault(struct ft *ft, unsigned cpu, struct world_mm *mm, uint64_t va, bool user)
{
	if (user)
		ft_end_all(ft, cpu);
	else
		end_faults(ft, cpu);
	world_op_begin(&ft->world, cpu, DVM_TRACE_OP_FAULT, mm, va & ~(ft->page - 1), ft->page);
}

void ft_begin_call(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu);

	ft_end_all(ft, e->cpu);
	world_op_begin(&ft->world, e->cpu, e->kind->op, t ? t->mm : NULL, e->v[0], e->v[1]);
}

/* ---- births and ends ---- */

static struct world_mm *new_mm(struct ft *ft, unsigned cpu, uint64_t address,
			       struct world_mm *parent)
{
	struct world_mm *mm = world_new_mm(&ft->world, address);
	uint32_t id = world_mm_id(&ft->world, mm), from = world_mm_id(&ft->world, parent);
	struct dvm_trace_record *r = world_emit(&ft->world, cpu, DVM_TRACE_MM_NEW);

	r->mm = id;
	r->id = from;
	return mm;
}

/* mm_init(mm, task): of a task that is being made (its mm is 0 then), or for an exec. */
void ft_on_mm_init(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu);
	bool fork = t && t->mm && !t->execing && !(e->has & 2 && e->v[1]);
	struct world_mm *mm;

	if (!e->v[0])
		return;
	if (fork && e->has & 2)
		world_op_begin(&ft->world, e->cpu, DVM_TRACE_OP_FORK, t->mm, 0, 0);
	mm = new_mm(ft, e->cpu, e->v[0], fork ? t->mm : NULL);
	mm->unborn = fork;
	mm->owner = t ? t->address : 0;
}

static struct world_mm *unborn_of(struct ft *ft, const struct world_task *parent)
{
	const struct world *w = &ft->world;

	for (size_t i = w->nmms; i-- > 0 && w->nmms - i <= NEW_MMS;)
		if (w->mms[i]->unborn && parent && w->mms[i]->owner == parent->address) {
			w->mms[i]->unborn = false;
			return w->mms[i];
		}
	return NULL;
}

/* The probe on the fork's flush may not have been taken; dup_mmap() always does it. */
static void fill_fork_flush(struct ft *ft, unsigned cpu, struct world_task *parent)
{
	struct dvm_trace_record *r;
	uint32_t task, mm;

	if (!ft->lacks || !strstr(ft->lacks, "/aside1is_dup_mm"))
		return;
	task = world_task_id(&ft->world, parent);
	mm = world_mm_id(&ft->world, parent->mm);
	r = world_emit(&ft->world, cpu, DVM_TRACE_FLUSH);
	r->task = task;
	r->mm = mm;
	r->op = DVM_TRACE_OP_FORK;
	r->request = DVM_TRACE_REQ_ASID;
	r->level = DVM_TRACE_LEVEL_UNKNOWN;
	r->flags = DVM_TRACE_F_INFERRED;
	ft->counts.filled += ft->world.active;
}

static void emit_task(struct ft *ft, unsigned cpu, struct world_task *t, struct world_task *parent,
		      bool fork)
{
	uint32_t from = world_task_id(&ft->world, parent), id = world_task_id(&ft->world, t);
	uint32_t mm = world_mm_id(&ft->world, t->mm);
	struct dvm_trace_record *r = world_emit(&ft->world, cpu, DVM_TRACE_TASK_NEW);

	r->task = id;
	r->mm = mm;
	r->id = from;
	r->flags = !t->mm ? DVM_TRACE_F_KTHREAD : fork ? 0 : DVM_TRACE_F_THREAD;
	world_try_wake(&ft->world, cpu, t);
	world_woken(&ft->world, t);
}

void ft_on_new_task(struct ft *ft, unsigned cpu, int32_t pid, unsigned flags)
{
	struct world_task *parent = ft_current(ft, cpu), *t;
	struct world_mm *mm = parent ? parent->mm : NULL;
	bool fork = !(flags & CLONE_VM) && mm;

	if (pid <= 0)
		return;
	if (fork) {
		struct world_mm *copy = unborn_of(ft, parent);

		mm = copy ? copy : new_mm(ft, cpu, SHAPE_MM | ++ft->last_mm << 4 | 8, mm);
		fill_fork_flush(ft, cpu, parent);
	}
	t = world_new_task(&ft->world, FT_KEY(pid));
	t->mm = mm && !mm->dead ? mm : NULL;
	if (t->mm)
		t->mm->users++;
	emit_task(ft, cpu, t, parent, fork);
	if (fork)
		ft_end_op(ft, cpu, DVM_TRACE_OP_FORK);
}

void ft_exec_to(struct ft *ft, unsigned cpu, struct world_mm *mm)
{
	struct world_task *t = ft_current(ft, cpu);
	uint32_t task = world_task_id(&ft->world, t), id = world_mm_id(&ft->world, mm);
	struct dvm_trace_record *r = world_emit(&ft->world, cpu, DVM_TRACE_EXEC);

	t->mm = mm;
	mm->users++;
	t->execing = false;
	r->task = task;
	r->mm = id;
}

static void end_mm(struct ft *ft, unsigned cpu, struct world_mm *mm)
{
	uint32_t id, task = world_task_id(&ft->world, ft_current(ft, cpu));
	struct dvm_trace_record *r;

	if (!mm || mm->dead)
		return;
	id = mm->id || mm->born ? world_mm_id(&ft->world, mm) : 0;
	mm->dead = true;
	if (!id)
		return;
	r = world_emit(&ft->world, cpu, DVM_TRACE_MM_EXIT);
	r->mm = id;
	r->task = task;
}

/* Without events that tell mms, an mm ends with the last task known to use it. */
static void leave_shape_mm(struct ft *ft, unsigned cpu, struct world_mm *mm)
{
	if (!ft->shape || !mm || !mm->born || (mm->users && --mm->users))
		return;
	end_mm(ft, cpu, mm);
}

void ft_on_exec(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu);

	if (t && ft->shape) {
		struct world_mm *old = t->mm;

		ft_exec_to(ft, e->cpu, new_mm(ft, e->cpu, SHAPE_MM | ++ft->last_mm << 4 | 8, NULL));
		leave_shape_mm(ft, e->cpu, old);
	}
	ft_end_op(ft, e->cpu, DVM_TRACE_OP_EXEC);
	if (t)
		t->execing = false;
}

void ft_on_exit(struct ft *ft, unsigned cpu)
{
	struct world_task *t = ft_current(ft, cpu);

	if (!t || t->idle || t->exiting)
		return;
	ft_end_all(ft, cpu);
	t->exiting = true;
	world_op_begin(&ft->world, cpu, DVM_TRACE_OP_EXIT, t->mm && !t->mm->dead ? t->mm : NULL, 0,
		       0);
	leave_shape_mm(ft, cpu, t->mm);
}

void ft_on_exit_mmap(struct ft *ft, const struct ft_event *e)
{
	struct world_task *t = ft_current(ft, e->cpu);

	struct world_mm *mm = world_mm(&ft->world, e->v[0]);

	if (!t || !e->v[0] || (mm && mm->dead))
		return;
	t->exit_mm = ft_mm(ft, e->v[0]);
	if (!t->execing && t->mm == t->exit_mm && !t->idle)
		ft_on_exit(ft, e->cpu);
}

void ft_on_exit_mmap_end(struct ft *ft, unsigned cpu)
{
	struct world_task *t = ft_current(ft, cpu);

	if (!t || !t->exit_mm)
		return;
	end_mm(ft, cpu, t->exit_mm);
	t->exit_mm = NULL;
	t->exit_ready = false;
}
