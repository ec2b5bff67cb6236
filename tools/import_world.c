/* SPDX-License-Identifier: MIT */
#include "import_world.h"

#include <stdlib.h>
#include <string.h>

static void *must(struct world *w, void *p)
{
	if (!p)
		longjmp(*w->nomem, 1);
	return p;
}

static void grow(struct world *w, void *array, size_t *capacity, size_t need, size_t size)
{
	size_t n = *capacity ? *capacity : 64;
	void *p;

	if (need <= *capacity)
		return;
	while (n < need)
		n *= 2;
	memcpy(&p, array, sizeof(p));
	p = must(w, realloc(p, n * size));
	memcpy(array, &p, sizeof(p));
	*capacity = n;
}

/* Open addressing; kernel addresses are never 0. An address is never removed, only given anew. */
static size_t slot(const struct world_table *t, uint64_t key)
{
	size_t i = (size_t)((key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->size - 1);

	while (t->keys[i] && t->keys[i] != key)
		i = (i + 1) & (t->size - 1);
	return i;
}

static void *table_get(const struct world_table *t, uint64_t key)
{
	return t->size && key ? t->values[slot(t, key)] : NULL;
}

static void table_resize(struct world *w, struct world_table *t)
{
	struct world_table old = *t;

	t->size = old.size ? old.size * 2 : 256;
	t->keys = must(w, calloc(t->size, sizeof(*t->keys)));
	t->values = calloc(t->size, sizeof(*t->values));
	if (!t->values) {
		free(t->keys);
		*t = old;
		longjmp(*w->nomem, 1);
	}
	for (size_t i = 0; i < old.size; i++)
		if (old.keys[i]) {
			size_t j = slot(t, old.keys[i]);

			t->keys[j] = old.keys[i];
			t->values[j] = old.values[i];
		}
	free(old.keys);
	free(old.values);
}

static void table_put(struct world *w, struct world_table *t, uint64_t key, void *value)
{
	size_t i;

	if (!key)
		return;
	if (2 * (t->used + 1) > t->size)
		table_resize(w, t);
	i = slot(t, key);
	t->used += !t->keys[i];
	t->keys[i] = key;
	t->values[i] = value;
}

void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->ntasks; i++)
		free(w->tasks[i]);
	for (size_t i = 0; i < w->nmms; i++)
		free(w->mms[i]);
	free(w->tasks);
	free(w->mms);
	free(w->task_at.keys);
	free(w->task_at.values);
	free(w->mm_at.keys);
	free(w->mm_at.values);
	free(w->initial);
	free(w->records);
	free(w->accesses);
}

struct world_task *world_new_task(struct world *w, uint64_t address)
{
	struct world_task *t;

	grow(w, &w->tasks, &w->tasks_capacity, w->ntasks + 1, sizeof(struct world_task *));
	t = must(w, calloc(1, sizeof(*t)));
	w->tasks[w->ntasks++] = t;
	t->address = address;
	t->cpu = -1;
	t->try_at = t->wake_at = t->exit_at = NONE;
	t->born = w->active;
	table_put(w, &w->task_at, address, t);
	return t;
}

struct world_task *world_task(struct world *w, uint64_t address)
{
	struct world_task *t = table_get(&w->task_at, address);

	return t ? t : world_new_task(w, address);
}

void world_name_task(struct world *w, uint64_t address, struct world_task *t)
{
	table_put(w, &w->task_at, address, t);
}

struct world_mm *world_mm(struct world *w, uint64_t address)
{
	return table_get(&w->mm_at, address);
}

struct world_mm *world_new_mm(struct world *w, uint64_t address)
{
	struct world_mm *mm;

	grow(w, &w->mms, &w->mms_capacity, w->nmms + 1, sizeof(struct world_mm *));
	mm = must(w, calloc(1, sizeof(*mm)));
	w->mms[w->nmms++] = mm;
	mm->address = address;
	mm->born = w->active;
	table_put(w, &w->mm_at, address, mm);
	return mm;
}

static struct dvm_trace_record *push_initial(struct world *w, uint8_t kind)
{
	struct dvm_trace_record *r;

	grow(w, &w->initial, &w->initial_capacity, w->ninitial + 1, sizeof(*r));
	r = &w->initial[w->ninitial++];
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->flags = DVM_TRACE_F_INITIAL;
	return r;
}

uint32_t world_mm_id(struct world *w, struct world_mm *mm)
{
	if (!mm || !w->active)
		return 0;
	if (!mm->id) {
		mm->id = ++w->mm_ids;
		if (!mm->born)
			push_initial(w, DVM_TRACE_MM_NEW)->mm = mm->id;
	}
	return mm->id;
}

uint32_t world_task_id(struct world *w, struct world_task *t)
{
	struct dvm_trace_record *r;
	uint32_t mm;

	if (!t || t->idle || !w->active)
		return 0;
	if (!t->id) {
		t->id = ++w->task_ids;
		if (!t->born) {
			mm = world_mm_id(w, t->mm && !t->mm->dead ? t->mm : NULL);
			r = push_initial(w, DVM_TRACE_TASK_NEW);
			r->task = t->id;
			r->mm = mm;
			if (!t->mm)
				r->flags |= DVM_TRACE_F_KTHREAD;
			else if (mm && t->mm->has_initial_task)
				r->flags |= DVM_TRACE_F_THREAD;
			if (t->mm)
				t->mm->has_initial_task = true;
		}
	}
	return t->id;
}

static struct dvm_trace_record *push(struct world *w, unsigned cpu, uint8_t kind)
{
	struct dvm_trace_record *r;

	if (!w->active) {
		memset(&w->scratch, 0, sizeof(w->scratch));
		return &w->scratch;
	}
	grow(w, &w->records, &w->capacity, w->nrecords + 1, sizeof(*r));
	r = &w->records[w->nrecords++];
	memset(r, 0, sizeof(*r));
	r->time_ns = w->now;
	r->cpu = (uint16_t)cpu;
	r->kind = kind;
	return r;
}

static void push_accesses(struct world *w, unsigned cpu)
{
	struct world_cpu *c = &w->cpus[cpu];
	uint32_t task = world_task_id(w, c->current), mm = world_mm_id(w, c->current->mm);
	struct dvm_trace_record *r;

	grow(w, &w->accesses, &w->accesses_capacity, w->naccesses + c->npending,
	     sizeof(*w->accesses));
	memcpy(w->accesses + w->naccesses, c->pending, c->npending * sizeof(*w->accesses));
	r = push(w, cpu, DVM_TRACE_ACCESS_RUN);
	r->task = task;
	r->mm = mm;
	r->va = w->naccesses;
	r->amount = c->npending;
	w->naccesses += c->npending;
	c->npending = 0;
}

struct dvm_trace_record *world_emit(struct world *w, unsigned cpu, uint8_t kind)
{
	struct world_cpu *c = &w->cpus[cpu];
	uint64_t insns = c->insns - c->told;
	uint32_t task = world_task_id(w, c->current);
	struct dvm_trace_record *r;

	c->told = c->insns;
	if (task && insns) {
		r = push(w, cpu, DVM_TRACE_RUN);
		r->task = task;
		r->amount = insns;
		r->flags = w->timed ? DVM_TRACE_F_TIME : 0;
	}
	if (c->npending && w->active)
		push_accesses(w, cpu);
	return push(w, cpu, kind);
}

void world_access(struct world *w, unsigned cpu, uint64_t access)
{
	struct world_cpu *c = &w->cpus[cpu];

	if (!w->active || !c->current || c->current->idle || !c->current->mm ||
	    c->current->mm->dead)
		return;
	c->pending[c->npending++] = access;
	if (c->npending == WORLD_ACCESSES)
		world_emit(w, cpu, 0);
}

size_t world_last(const struct world *w)
{
	return w->active ? w->nrecords - 1 : NONE;
}

void world_op_begin(struct world *w, unsigned cpu, uint8_t op, struct world_mm *mm, uint64_t va,
		    uint64_t bytes)
{
	struct world_task *t = w->cpus[cpu].current;
	uint32_t task = world_task_id(w, t), mm_id = world_mm_id(w, mm);
	struct dvm_trace_record *r;

	if (!t || t->idle || t->depth == WORLD_OPS)
		return;
	r = world_emit(w, cpu, DVM_TRACE_OP_BEGIN);
	r->task = task;
	r->mm = mm_id;
	r->op = op;
	r->va = va;
	r->amount = bytes <= UINT64_MAX - va ? bytes : 0;
	t->ops[t->depth++] = (struct world_op){ op, world_last(w) };
}

void world_op_end(struct world *w, unsigned cpu, unsigned flags)
{
	struct world_task *t = w->cpus[cpu].current;
	struct world_op *op = &t->ops[t->depth - 1];
	struct dvm_trace_record *r;

	t->depth--;
	if (op->begin == NONE || !w->active) /* it began before the window */
		return;
	r = world_emit(w, cpu, DVM_TRACE_OP_END);
	r->task = t->id;
	r->mm = w->records[op->begin].mm;
	r->op = op->op;
	r->flags = (uint16_t)flags;
}

uint8_t world_op(const struct world_task *t)
{
	for (unsigned i = t->depth; i-- > 0;)
		if (t->ops[i].op < DVM_TRACE_OP_FAULT ||
		    t->ops[i].op > DVM_TRACE_OP_FAULT_SPURIOUS)
			return t->ops[i].op;
	return DVM_TRACE_OP_NONE;
}

/* Whether this wakes @t shows later, in world_woken(): until then the records are of no kind. */
void world_try_wake(struct world *w, unsigned cpu, struct world_task *t)
{
	t->try_at = NONE;
	if (!w->active)
		return;
	world_emit(w, cpu, 0);
	world_emit(w, cpu, 0);
	t->try_at = world_last(w);
	t->try_idle = w->cpus[cpu].current && w->cpus[cpu].current->idle;
}

void world_woken(struct world *w, struct world_task *t)
{
	struct dvm_trace_record *wake, *sleep;
	struct world_cpu *c;

	if (t->try_at == NONE)
		return;
	wake = &w->records[t->try_at];
	wake->kind = DVM_TRACE_WAKE;
	wake->id = t->wake = ++w->wake_ids;
	wake->target = wake->cpu;
	wake->task = world_task_id(w, t);
	sleep = wake - 1;
	c = &w->cpus[wake->cpu];
	/* An idle CPU that wakes somebody was itself woken by a timer or a device. */
	if (t->try_idle && wake->time_ns > c->idle_since) {
		sleep->kind = DVM_TRACE_SLEEP;
		sleep->amount = wake->time_ns - c->idle_since;
		c->idle_since = wake->time_ns;
	}
	t->wake_at = t->try_at;
	t->try_at = NONE;
}

static void leave(struct world *w, unsigned cpu, struct world_task *prev)
{
	struct dvm_trace_record *r;

	if (!prev->exiting || !w->active)
		return;
	/* The last of these is its end; the others are taken back when it runs again. */
	r = world_emit(w, cpu, DVM_TRACE_TASK_EXIT);
	r->task = prev->id;
	prev->exit_at = world_last(w);
}

static void enter(struct world *w, unsigned cpu, struct world_task *next)
{
	struct world_cpu *c = &w->cpus[cpu];
	struct dvm_trace_record *r;
	uint32_t task = world_task_id(w, next), mm = 0;

	if (next->exit_at != NONE)
		w->records[next->exit_at].kind = 0;
	next->exit_at = NONE;
	if (c->current && c->current->idle && !next->wake && w->now > c->idle_since) {
		r = world_emit(w, cpu, DVM_TRACE_SLEEP);
		r->amount = w->now - c->idle_since;
		r->flags = DVM_TRACE_F_INFERRED;
		c->idle_since = w->now;
	}
	if (next->cpu >= 0 && next->cpu != (int)cpu) {
		r = world_emit(w, cpu, DVM_TRACE_MIGRATE);
		r->task = task;
		r->id = (uint32_t)next->cpu;
		r->target = (uint16_t)cpu;
	}
	if (next->mm && !next->mm->dead)
		mm = world_mm_id(w, next->mm);
	r = world_emit(w, cpu, DVM_TRACE_SWITCH);
	r->task = task;
	r->mm = mm;
	r->id = next->wake;
	if (next->wake_at != NONE)
		w->records[next->wake_at].target = (uint16_t)cpu;
	next->wake = 0;
	next->wake_at = NONE;
	next->cpu = (int)cpu;
}

void world_switch(struct world *w, unsigned cpu, struct world_task *next)
{
	struct world_cpu *c = &w->cpus[cpu];

	if (c->current && !c->current->idle)
		leave(w, cpu, c->current);
	if (next->idle) {
		world_emit(w, cpu, DVM_TRACE_SWITCH);
		c->idle_since = w->now;
	} else {
		enter(w, cpu, next);
	}
	c->current = next;
	c->told = c->insns;
}

void world_begin(struct world *w)
{
	w->active = true;
	for (size_t i = 0; i < w->ntasks; i++) {
		w->tasks[i]->wake = 0;
		w->tasks[i]->try_at = w->tasks[i]->wake_at = w->tasks[i]->exit_at = NONE;
		w->tasks[i]->batch = false;
		w->tasks[i]->depth = 0;
	}
	/* Running tasks are numbered first, and so exist before the switches to them. */
	for (unsigned i = 0; i < w->ncpus; i++) {
		w->cpus[i].told = w->cpus[i].insns;
		w->cpus[i].idle_since = w->now;
		world_task_id(w, w->cpus[i].current);
	}
	for (unsigned i = 0; i < w->ncpus; i++) {
		struct world_task *t = w->cpus[i].current;
		struct dvm_trace_record *r = push(w, i, DVM_TRACE_SWITCH);

		r->flags = DVM_TRACE_F_INITIAL;
		r->task = world_task_id(w, t);
		if (r->task && t->mm && !t->mm->dead)
			r->mm = t->mm->id;
	}
}

/* RUN, and what followed it dropped, RUN: one RUN. */
static bool joins(const struct dvm_trace_record *last, const struct dvm_trace_record *r)
{
	return last && last->kind == DVM_TRACE_RUN && r->kind == DVM_TRACE_RUN &&
	       last->task == r->task;
}

void world_end(struct world *w)
{
	size_t last[WORLD_CPUS], n = 0;
	uint64_t start = w->nrecords ? w->records[0].time_ns : 0;

	w->active = false;
	for (size_t i = 0; i < WORLD_CPUS; i++)
		last[i] = NONE;
	for (size_t i = 0; i < w->nrecords; i++) {
		struct dvm_trace_record *r = &w->records[i];
		size_t before = last[r->cpu];

		if (!r->kind)
			continue;
		if (before != NONE && joins(&w->records[before], r)) {
			w->records[before].amount += r->amount;
			continue;
		}
		last[r->cpu] = n;
		w->records[n++] = *r;
	}
	w->nrecords = n;
	for (size_t i = 0; i < w->ninitial; i++)
		w->initial[i].time_ns = start;
}
