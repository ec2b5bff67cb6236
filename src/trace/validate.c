/* SPDX-License-Identifier: MIT */
#include "trace/internal.h"

#include "base/mem.h"

#include <string.h>

#define NO_CPU UINT32_MAX
enum life { UNBORN, ALIVE, DEAD };

struct task {
	uint32_t mm, cpu, last_cpu; /* cpu: where it runs now; last_cpu: where it ran before */
	uint8_t life, depth, batch;
	uint8_t simulated; /* depth of the simulated operation under way */
	uint8_t ops[8];
	bool works;	     /* on some unit */
	uint64_t records, switched, got; /* own records so far; at the last switch, the last get */
	size_t batch_record; /* the first NOSYNC flush that waits for its BATCH_FLUSH */
};

struct cpu {
	uint64_t time_ns;
	uint32_t task;
	uint8_t begun; /* a record that is not INITIAL was seen */
};

struct wake {
	uint32_t task;
	uint8_t state; /* 0 unknown, 1 executed, 2 waited for */
};

struct state {
	const struct dvm_trace *trace;
	struct task *tasks;
	uint8_t *mms;
	struct cpu *cpus;
	struct wake *wakes;
	size_t nwakes;
};

static const char *check_own_task(const struct state *s, const struct dvm_trace_record *r)
{
	if (r->task != s->cpus[r->cpu].task)
		return "task: is not the one that runs on this CPU";
	return NULL;
}

static const char *check_task_new(struct state *s, const struct dvm_trace_record *r)
{
	struct task *t = &s->tasks[r->task];

	if (t->life != UNBORN)
		return "task: exists already; ids are never reused";
	if (r->mm && s->mms[r->mm] != ALIVE)
		return "mm: does not exist";
	if (r->flags & DVM_TRACE_F_KTHREAD && r->mm)
		return "mm: a kernel thread has none";
	*t = (struct task){ .mm = r->mm, .cpu = NO_CPU, .last_cpu = NO_CPU, .life = ALIVE };
	return NULL;
}

static const char *check_task_exit(struct state *s, const struct dvm_trace_record *r)
{
	const char *bad = check_own_task(s, r);

	if (bad)
		return bad;
	if (s->tasks[r->task].life != ALIVE)
		return "task: has ended before";
	s->tasks[r->task].life = DEAD;
	return NULL;
}

static const char *check_mm_new(struct state *s, const struct dvm_trace_record *r)
{
	if (s->mms[r->mm] != UNBORN)
		return "mm: exists already; ids are never reused";
	s->mms[r->mm] = ALIVE;
	return NULL;
}

static const char *check_mm_exit(struct state *s, const struct dvm_trace_record *r)
{
	if (s->mms[r->mm] != ALIVE)
		return "mm: does not exist";
	s->mms[r->mm] = DEAD;
	return NULL;
}

static const char *check_exec(struct state *s, const struct dvm_trace_record *r)
{
	const char *bad = check_own_task(s, r);

	if (bad)
		return bad;
	if (s->mms[r->mm] != ALIVE)
		return "mm: does not exist";
	s->tasks[r->task].mm = r->mm;
	return NULL;
}

static const char *check_wait(struct state *s, const struct dvm_trace_record *r)
{
	struct wake *w = &s->wakes[r->id];

	if (!r->id)
		return NULL;
	if (w->state == 0)
		return "id: no such wake-up precedes";
	if (w->state == 2)
		return "id: this wake-up was waited for before";
	if (w->task && w->task != r->task)
		return "id: this wake-up is of another task";
	w->state = 2;
	return NULL;
}

static const char *check_switch(struct state *s, const struct dvm_trace_record *r)
{
	struct task *t = &s->tasks[r->task];
	uint32_t out = s->cpus[r->cpu].task;
	const char *bad;

	if (r->task && t->life != ALIVE)
		return "task: does not exist, or has ended";
	if (r->task && t->cpu != NO_CPU)
		return t->cpu == r->cpu ? "task: runs here already" : "task: runs on another CPU";
	/* A task that has torn down its mm goes on as a kernel thread does. */
	if (r->task && r->mm != t->mm && (r->mm || s->mms[t->mm] != DEAD))
		return "mm: is not the task's";
	if (r->task && t->last_cpu != NO_CPU && t->last_cpu != r->cpu)
		return "cpu: the task ran on another CPU, and no migrate precedes";
	bad = check_wait(s, r);
	if (bad)
		return bad;
	if (out)
		s->tasks[out].cpu = NO_CPU;
	s->cpus[r->cpu].task = r->task;
	t->switched = t->records;
	if (r->task)
		t->cpu = t->last_cpu = r->cpu;
	return NULL;
}

static const char *check_migrate(struct state *s, const struct dvm_trace_record *r)
{
	struct task *t = &s->tasks[r->task];

	if (t->life != ALIVE)
		return "task: does not exist, or has ended";
	if (t->cpu != NO_CPU)
		return "task: runs now";
	if (t->last_cpu != NO_CPU && t->last_cpu != r->id)
		return "id: is not the CPU the task ran on";
	t->last_cpu = r->target;
	return NULL;
}

static const char *check_wake(struct state *s, const struct dvm_trace_record *r)
{
	if (s->wakes[r->id].state)
		return "id: this wake-up number is used already";
	if (r->task && s->tasks[r->task].life == UNBORN)
		return "task: does not exist";
	s->wakes[r->id] = (struct wake){ r->task, 1 };
	return NULL;
}

static const char *check_op(struct state *s, const struct dvm_trace_record *r)
{
	const char *bad = check_own_task(s, r);
	struct task *t = &s->tasks[r->task];

	if (bad && !(r->flags & DVM_TRACE_F_INITIAL))
		return bad;
	if (r->mm && s->mms[r->mm] == UNBORN)
		return "mm: does not exist";
	if (r->flags & DVM_TRACE_F_INITIAL)
		return NULL;
	if (r->kind == DVM_TRACE_OP_BEGIN) {
		if (t->simulated)
			return "an operation begins within a simulated one";
		if (t->depth == sizeof(t->ops))
			return "operations are nested deeper than 8";
		t->ops[t->depth++] = r->op;
		t->simulated = r->flags & DVM_TRACE_F_SIMULATED ? t->depth : 0;
		return NULL;
	}
	if (!t->depth || t->ops[t->depth - 1] != r->op)
		return "op: does not end the operation that began last";
	t->depth--;
	t->simulated = 0;
	return NULL;
}

static const char *check_flush(struct state *s, const struct dvm_trace_record *r, size_t index)
{
	const char *bad = check_own_task(s, r);
	struct task *t = &s->tasks[r->task];

	if (bad)
		return bad;
	if (t->simulated)
		return "its operation is simulated: it makes its flushes itself";
	if (r->mm && s->mms[r->mm] != ALIVE)
		return "mm: flushed, but does not exist (any more)";
	/* exec and exit tear down an mm that is no longer the task's */
	if (r->mm && r->mm != t->mm && !(r->flags & (DVM_TRACE_F_FOREIGN | DVM_TRACE_F_FULLMM)))
		return "mm: is not the task's, and the flag foreign is missing";
	if (r->flags & DVM_TRACE_F_NOSYNC && r->op != DVM_TRACE_OP_YOUNG_CLEAR && !t->batch) {
		t->batch = 1;
		t->batch_record = index;
	}
	return NULL;
}

static const char *check_batch(struct state *s, const struct dvm_trace_record *r)
{
	const char *bad = check_own_task(s, r);

	s->tasks[r->task].batch = 0;
	return bad;
}

/* A loop stays within one stay on a CPU, and waits somewhere. */
static const char *check_queueing(struct state *s, const struct dvm_trace_record *r)
{
	struct task *t = &s->tasks[r->task];
	const char *bad = check_own_task(s, r);

	if (bad)
		return bad;
	if (r->kind == DVM_TRACE_UNIT_BEGIN || r->kind == DVM_TRACE_GET)
		t->works = true;
	if ((r->kind == DVM_TRACE_UNIT_END || r->kind == DVM_TRACE_PUT) && !t->works)
		return "the task works on no unit: a unit-begin or a get must precede";
	if (r->kind == DVM_TRACE_GET)
		t->got = t->records;
	if (r->kind == DVM_TRACE_LOOP && r->amount >= t->records - t->switched)
		return "amount: goes back before the switch to the task";
	if (r->kind == DVM_TRACE_LOOP && (!t->got || t->records - r->amount > t->got))
		return "a loop without a get never ends";
	return NULL;
}

static const char *check_initial(struct state *s, const struct dvm_trace_record *r)
{
	struct cpu *c = &s->cpus[r->cpu];

	if (!(r->flags & DVM_TRACE_F_INITIAL))
		c->begun = 1;
	else if (c->begun)
		return "flags: initial, but other records of this CPU precede";
	if (r->time_ns < c->time_ns)
		return "time_ns: goes back on this CPU";
	c->time_ns = r->time_ns;
	return NULL;
}

static const char *check_record(struct state *s, const struct dvm_trace_record *r, size_t index)
{
	const char *bad = check_initial(s, r);

	if (bad)
		return bad;
	if (s->cpus[r->cpu].task)
		s->tasks[s->cpus[r->cpu].task].records++;
	switch (r->kind) {
	case DVM_TRACE_TASK_NEW: return check_task_new(s, r);
	case DVM_TRACE_TASK_EXIT: return check_task_exit(s, r);
	case DVM_TRACE_MM_NEW: return check_mm_new(s, r);
	case DVM_TRACE_MM_EXIT: return check_mm_exit(s, r);
	case DVM_TRACE_EXEC: return check_exec(s, r);
	case DVM_TRACE_SWITCH: return check_switch(s, r);
	case DVM_TRACE_MIGRATE: return check_migrate(s, r);
	case DVM_TRACE_WAKE: return check_wake(s, r);
	case DVM_TRACE_OP_BEGIN:
	case DVM_TRACE_OP_END: return check_op(s, r);
	case DVM_TRACE_FLUSH: return check_flush(s, r, index);
	case DVM_TRACE_BATCH_FLUSH: return check_batch(s, r);
	case DVM_TRACE_RUN:
	case DVM_TRACE_ACCESS_RUN: return check_own_task(s, r);
	case DVM_TRACE_THINK:
	case DVM_TRACE_UNIT_BEGIN:
	case DVM_TRACE_UNIT_END:
	case DVM_TRACE_PUT:
	case DVM_TRACE_GET:
	case DVM_TRACE_LOOP: return check_queueing(s, r);
	case DVM_TRACE_MARK: return r->task ? check_own_task(s, r) : NULL;
	default: return NULL;
	}
}

static int check_all(struct state *s, struct dvm_error *err)
{
	const struct dvm_trace *trace = s->trace;

	for (size_t i = 0; i < trace->nrecords; i++) {
		const char *bad = check_record(s, &trace->records[i], i);

		if (bad)
			return dvmi_error_record(err, DVM_EFORMAT, "trace", i, "%s: %s",
						 dvm_trace_kind_name(trace->records[i].kind), bad);
	}
	for (uint32_t i = 0; i <= trace->ids.tasks; i++)
		if (s->tasks[i].batch)
			return dvmi_error_record(err, DVM_EFORMAT, "trace",
						 s->tasks[i].batch_record,
						 "flush: nosync, and no batch-flush follows");
	return 0;
}

int dvm_trace_validate(const struct dvm_trace *trace, struct dvm_error *err)
{
	struct state s = { .trace = trace };
	int ret;

	for (size_t i = 0; i < trace->nrecords; i++)
		s.nwakes += trace->records[i].kind == DVM_TRACE_WAKE;
	/* Numbers from 1 up, so that an array indexed by them is as small as the trace. */
	for (size_t i = 0; i < trace->nrecords; i++) {
		const struct dvm_trace_record *r = &trace->records[i];

		if ((r->kind == DVM_TRACE_WAKE || r->kind == DVM_TRACE_SWITCH) && r->id > s.nwakes)
			return dvmi_error_record(err, DVM_EFORMAT, "trace", i,
						 "%s: id: larger than the number of wake-ups (%zu)",
						 dvm_trace_kind_name(r->kind), s.nwakes);
	}
	s.tasks = dvmi_calloc((size_t)trace->ids.tasks + 1, sizeof(*s.tasks));
	s.mms = dvmi_calloc((size_t)trace->ids.mms + 1, sizeof(*s.mms));
	s.cpus = dvmi_calloc(trace->header.env.ncpus, sizeof(*s.cpus));
	s.wakes = dvmi_calloc(s.nwakes + 1, sizeof(*s.wakes));
	if (!s.tasks || !s.mms || !s.cpus || !s.wakes)
		ret = dvmi_error_nomem(err);
	else
		ret = check_all(&s, err);
	dvmi_free(s.tasks);
	dvmi_free(s.mms);
	dvmi_free(s.cpus);
	dvmi_free(s.wakes);
	return ret;
}
