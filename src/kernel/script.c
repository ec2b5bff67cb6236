/* SPDX-License-Identifier: MIT */
#include "kernel/script.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

/* Where the pass over the trace stands: per CPU, per task, per wake-up. */
struct cpu {
	uint32_t task, last;          /* on it now; on it last, other than idle */
	uint64_t slept_ns;            /* asleep since it became idle, or its last wake-up */
	uint64_t idle_ns;             /* asleep since it became idle */
	bool inferred;                /* all of it */
};

struct task {
	uint64_t out_ns;              /* when it left its CPU */
	uint16_t cpu;                 /* which */
	bool moved;
};

struct wake {
	uint64_t time_ns, slept_ns;
	bool idle;                    /* made by an idle CPU */
};

struct list {
	uint32_t *of, *step;
	size_t count, of_capacity, step_capacity;
};

struct pass {
	struct dvmi_scripts *s;
	struct cpu *cpus;
	struct task *tasks;
	struct wake *wakes;
	struct list list;
	size_t sleeps_capacity, start_capacity;
	uint64_t first_ns;
	int ret;
};

static void emit(struct pass *p, uint32_t task, uint32_t step)
{
	struct list *l = &p->list;
	void *of = l->of, *steps = l->step;

	if (p->ret)
		return;
	p->ret = dvmi_grow(&of, &l->of_capacity, l->count + 1, sizeof(*l->of));
	l->of = of;
	if (!p->ret)
		p->ret = dvmi_grow(&steps, &l->step_capacity, l->count + 1, sizeof(*l->step));
	l->step = steps;
	if (p->ret)
		return;
	l->of[l->count] = task;
	l->step[l->count++] = step;
	p->s->tasks[task].end++;
}

static void emit_sleep(struct pass *p, uint32_t task, uint64_t ns)
{
	void *sleeps = p->s->sleeps;

	if (!ns || p->ret)
		return;
	p->ret = dvmi_grow(&sleeps, &p->sleeps_capacity, (size_t)p->s->sleeps_count + 1,
			   sizeof(*p->s->sleeps));
	p->s->sleeps = sleeps;
	if (p->ret)
		return;
	p->s->sleeps[p->s->sleeps_count] = ns;
	emit(p, task, DVMI_STEP_SLEEP | p->s->sleeps_count++);
}

static void at_start(struct pass *p, uint32_t record)
{
	void *start = p->s->start;

	if (p->ret)
		return;
	p->ret = dvmi_grow(&start, &p->start_capacity, (size_t)p->s->start_count + 1,
			   sizeof(*p->s->start));
	p->s->start = start;
	if (!p->ret)
		p->s->start[p->s->start_count++] = record;
}

/* What kept @r->task from running until this SWITCH. */
static void emit_block(struct pass *p, const struct dvm_trace_record *r)
{
	const struct cpu *c = &p->cpus[r->cpu];
	const struct task *t = &p->tasks[r->task];
	const struct wake *w = &p->wakes[r->id];

	if (r->id && w->idle) {
		/* A source without a clock says only how long its CPU slept. */
		if (w->time_ns > t->out_ns)
			emit_sleep(p, r->task, w->time_ns - t->out_ns);
		else if (w->time_ns == p->first_ns)
			emit_sleep(p, r->task, w->slept_ns);
	} else if (r->id) {
		emit(p, r->task, DVMI_STEP_WAIT | r->id);
	} else if (!c->task && c->slept_ns &&
		   !(c->inferred && p->s->tasks[r->task].ran && t->cpu != r->cpu)) {
		emit_sleep(p, r->task, c->slept_ns);
	}
}

static void leave(struct pass *p, const struct dvm_trace_record *r)
{
	struct cpu *c = &p->cpus[r->cpu];

	if (c->task) {
		p->tasks[c->task].out_ns = r->time_ns;
		p->tasks[c->task].cpu = r->cpu;
		c->last = c->task;
	}
	c->slept_ns = c->task ? 0 : c->slept_ns;
	c->idle_ns = c->task ? 0 : c->idle_ns;
	c->inferred = c->task ? true : c->inferred;
}

static void switch_to(struct pass *p, const struct dvm_trace_record *r)
{
	struct dvmi_script *s = &p->s->tasks[r->task];
	struct cpu *c = &p->cpus[r->cpu];

	leave(p, r);
	if (r->task) {
		emit_block(p, r);
		if (!s->ran)
			s->cpu = r->cpu;
		else if (s->cpu != r->cpu)
			p->tasks[r->task].moved = true;
		s->running |= r->flags & DVM_TRACE_F_INITIAL;
		s->ran = true;
		c->slept_ns = c->idle_ns = 0;
		c->inferred = true;
	}
	c->task = r->task;
}

static void sleeps(struct pass *p, const struct dvm_trace_record *r)
{
	struct cpu *c = &p->cpus[r->cpu];

	if (c->task) {
		emit_sleep(p, c->task, r->amount);
		return;
	}
	c->slept_ns += r->amount;
	c->idle_ns += r->amount;
	c->inferred &= !!(r->flags & DVM_TRACE_F_INFERRED);
}

static void born(struct pass *p, const struct dvm_trace_record *r)
{
	struct dvmi_script *s = &p->s->tasks[r->task];

	s->initial = r->flags & DVM_TRACE_F_INITIAL;
	s->kthread = !r->mm;
}

static void take(struct pass *p, const struct dvm_trace_record *r, uint32_t index)
{
	struct cpu *c = &p->cpus[r->cpu];

	if (r->kind == DVM_TRACE_TASK_NEW)
		born(p, r);
	if (r->kind == DVM_TRACE_LOOP)
		p->s->tasks[r->task].loops = true;
	if (r->kind == DVM_TRACE_SWITCH)
		switch_to(p, r);
	else if (r->kind == DVM_TRACE_SLEEP)
		sleeps(p, r);
	else if (r->kind == DVM_TRACE_ARRIVE)
		return; /* not a task's; the engine knows them all from the start */
	else if (r->kind == DVM_TRACE_MIGRATE || (r->kind == DVM_TRACE_RUN && !c->task))
		return; /* the scheduler's own business; an interrupt in idle */
	else if (r->flags & DVM_TRACE_F_INITIAL &&
		 (r->kind == DVM_TRACE_MM_NEW || r->kind == DVM_TRACE_TASK_NEW ||
		  r->kind == DVM_TRACE_OP_BEGIN))
		at_start(p, index);
	else if (c->task)
		emit(p, c->task, DVMI_STEP_RECORD | index);
	else if (r->kind == DVM_TRACE_WAKE) {
		p->wakes[r->id] = (struct wake){ r->time_ns, c->idle_ns, true };
		c->slept_ns = 0;
	} else if (c->last)
		emit(p, c->last, DVMI_STEP_RECORD | index);
	else
		at_start(p, index);
}

/* From one list in the trace's order to one after the other by task. */
static int sort(struct pass *p)
{
	struct dvmi_scripts *s = p->s;
	uint32_t at = 0;

	s->steps_count = (uint32_t)p->list.count;
	s->steps = dvmi_calloc(p->list.count + 1, sizeof(*s->steps));
	if (!s->steps)
		return -DVM_ENOMEM;
	for (uint32_t t = 0; t < s->count; t++) {
		uint32_t n = s->tasks[t].end;

		s->tasks[t].begin = s->tasks[t].end = at;
		at += n;
		s->tasks[t].bound = s->tasks[t].kthread && s->tasks[t].ran &&
				    !p->tasks[t].moved ? s->tasks[t].cpu : DVMI_SCRIPT_ANY;
	}
	for (size_t i = 0; i < p->list.count; i++)
		s->steps[s->tasks[p->list.of[i]].end++] = p->list.step[i];
	return 0;
}

static int pass(struct pass *p, const struct dvm_trace *trace)
{
	struct dvm_trace_ids ids = dvm_trace_get_ids(trace);
	size_t count;
	const struct dvm_trace_record *records = dvm_trace_records(trace, &count);

	p->s->count = ids.tasks + 1;
	p->s->tasks = dvmi_calloc(p->s->count, sizeof(*p->s->tasks));
	p->cpus = dvmi_calloc(dvm_trace_get_env(trace)->ncpus, sizeof(*p->cpus));
	p->tasks = dvmi_calloc(p->s->count, sizeof(*p->tasks));
	p->wakes = dvmi_calloc((size_t)ids.wakes + 1, sizeof(*p->wakes));
	if (!p->s->tasks || !p->cpus || !p->tasks || !p->wakes)
		return -DVM_ENOMEM;
	p->first_ns = count ? records[0].time_ns : 0;
	for (uint32_t c = 0; c < dvm_trace_get_env(trace)->ncpus; c++)
		p->cpus[c].inferred = true;
	for (uint32_t t = 0; t < p->s->count; t++)
		p->tasks[t].out_ns = p->first_ns;
	for (size_t i = 0; i < count && !p->ret; i++)
		take(p, &records[i], (uint32_t)i);
	return p->ret ? p->ret : sort(p);
}

int dvmi_scripts_init(struct dvmi_scripts *s, const struct dvm_trace *trace, struct dvm_error *err)
{
	struct pass p = { .s = s };
	size_t count;
	int ret;

	memset(s, 0, sizeof(*s));
	dvm_trace_records(trace, &count);
	if (count > DVMI_STEP_INDEX)
		return dvmi_error(err, DVM_ELIMIT, "simulation", "too many records");
	ret = pass(&p, trace);
	dvmi_free(p.cpus);
	dvmi_free(p.tasks);
	dvmi_free(p.wakes);
	dvmi_free(p.list.of);
	dvmi_free(p.list.step);
	if (ret)
		dvmi_scripts_fini(s);
	return ret ? dvmi_error_nomem(err) : 0;
}

void dvmi_scripts_fini(struct dvmi_scripts *s)
{
	dvmi_free(s->tasks);
	dvmi_free(s->steps);
	dvmi_free(s->sleeps);
	dvmi_free(s->start);
	memset(s, 0, sizeof(*s));
}
