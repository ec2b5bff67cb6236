/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include <string.h>

/* What one record does to the CPU that executes it; the contract is in <dvmsim/trace.h>. */

static int mm_new(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		  uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	uint32_t mm = dvmi_mm_id(s, c, r->mm);
	uint64_t ps;
	int ret = dvmi_operation_fork(s, dvmi_mm_id(s, c, r->id), mm, &ps);

	if (ret)
		return ret;

	dvmi_words_reset(&s->words, DVMI_BASE_MM, mm, c->pcpu);
	memset(&h->request, 0, sizeof(h->request));
	h->user = false;
	h->flush = NULL;
	h->mm = mm;
	h->prev = h->next = 0;
	dvmi_observe(s, (struct dvm_sim_event){ .kind = DVM_SIM_MM_NEW, .time_ps = now, .mm = mm,
						.parent = dvmi_mm_id(s, c, r->id), .task = c->task,
						.cpu = c->id });
	*next = now + ps;
	s->stats.run_ps += ps;
	dvmi_hook_begin(s, c, s->program, DVMI_HOOK_MM_NEW, *next, DVMI_PHASE_RECORD);
	return 0;
}

static int mm_exit(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now)
{
	dvmi_observe(s, (struct dvm_sim_event){ .kind = DVM_SIM_MM_EXIT, .time_ps = now,
						.mm = dvmi_mm_id(s, c, r->mm), .task = c->task,
						.cpu = c->id });
	return dvmi_operation_mm_exit(s, dvmi_mm_id(s, c, r->mm));
}

static int op_begin(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now, uint64_t *next)
{
	if (r->flags & DVM_TRACE_F_INITIAL)
		return 0; /* done when the simulation was set up */
	if (r->flags & DVM_TRACE_F_SIMULATED)
		return dvmi_operation(s, c, r, now, next);
	return r->flags & DVM_TRACE_F_MODELLED ? dvmi_run(s, c, dvmi_operation_ps(s, r), now, next) :
						 0;
}

static int task_new(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now)
{
	uint32_t task = dvmi_task_id(s, c, r->task);

	s->tasks[task].exists = true;
	s->tasks[task].sme = r->flags & DVM_TRACE_F_SME;
	s->tasks[task].mm = dvmi_mm_id(s, c, r->mm);
	dvmi_words_reset(&s->words, DVMI_BASE_TASK, task, c->pcpu);
	/* A new mm starts with one user. */
	if (r->flags & DVM_TRACE_F_THREAD)
		dvmi_words_mm_users(&s->words, s->tasks[task].mm, 1);
	if (s->simulated)
		return dvmi_task_born(s, c, task, r, now);
	dvmi_task_moved(s, task, now);
	return 0;
}

static void task_exit(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r)
{
	uint32_t mm = s->tasks[dvmi_task_id(s, c, r->task)].mm;

	if (mm)
		dvmi_words_mm_users(&s->words, mm, -1);
}

static void mark(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvm_trace_record *r,
		 uint64_t now)
{
	struct dvmi_work *w = &s->work[(size_t)c->copy * s->env->nmarks + r->id];

	w->count += r->amount;
	w->last_ps = now;
}

static int execute(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now, uint64_t *next)
{
	switch (r->kind) {
	case DVM_TRACE_RUN:
		return dvmi_run(s, c, dvmi_run_time(s, r), now, next);
	case DVM_TRACE_OP_BEGIN:
		return op_begin(s, c, r, now, next);
	case DVM_TRACE_OP_END:
		return r->flags & DVM_TRACE_F_SIMULATED ? dvmi_operation(s, c, r, now, next) : 0;
	case DVM_TRACE_ACCESS_RUN:
		return r->amount ? dvmi_access_run(s, c, r, now, next) : 0;
	case DVM_TRACE_FLUSH:
		dvmi_flush(s, c, r, now, next);
		return 0;
	case DVM_TRACE_BATCH_FLUSH:
		dvmi_batch_flush(s, c, now);
		return 0;
	case DVM_TRACE_MM_NEW:
		return mm_new(s, c, r, now, next);
	case DVM_TRACE_MM_EXIT:
		return mm_exit(s, c, r, now);
	case DVM_TRACE_TASK_NEW:
		return task_new(s, c, r, now);
	case DVM_TRACE_TASK_EXIT:
		task_exit(s, c, r);
		return 0;
	case DVM_TRACE_EXEC:
		dvmi_switch_begin(s, c, c->task, dvmi_mm_id(s, c, r->mm), true);
		return 0;
	case DVM_TRACE_MARK:
		mark(s, c, r, now);
		return 0;
	default:
		return 0; /* LOST takes no time; the rest is the schedule's */
	}
}

int dvmi_record_execute(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			uint64_t now, uint64_t *next)
{
	struct dvmi_task *t = &s->tasks[c->task];
	bool goes_on = t->operation;
	int ret = execute(s, c, r, now, next);

	/* An operation is under way from its first piece on. */
	if (r->kind == DVM_TRACE_OP_BEGIN && !(r->flags & DVM_TRACE_F_INITIAL))
		t->ops = (uint16_t)(t->ops + !goes_on);
	else if (r->kind == DVM_TRACE_OP_END && t->ops && !c->again)
		t->ops--;
	return ret;
}
