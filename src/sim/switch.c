/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include <string.h>

/*
 * A context switch in the kernel's order: switch_mm with the ASID and the strategy's switch-in hook
 * before TTBR0 is written; then __switch_to with its DSB ISH; then the previous task may run
 * elsewhere. Source: kernel/sched/core.c context_switch(), arch/arm64/mm/context.c
 * check_and_switch_context(), arch/arm64/kernel/process.c __switch_to().
 */
enum {
	SWITCH_COST,
	SWITCH_ASID,
	SWITCH_MM,
	SWITCH_INSTALL,
	SWITCH_OUT,
	SWITCH_BARRIER = 8, /* and the stages of its DSB */
	SWITCH_END = 16,
};

static void join(struct dvmi_cpu *c, uint32_t *waiters)
{
	c->next_waiter = *waiters;
	*waiters = c->id;
}

/* An idle CPU is told by an interrupt. */
static void wake_all(struct dvm_sim *s, uint32_t *waiters, unsigned from, uint64_t interrupt_ps,
		     uint64_t now)
{
	uint32_t cpu = *waiters;

	*waiters = DVMI_NONE32;
	while (cpu != DVMI_NONE32) {
		uint32_t next = s->cpus[cpu].next_waiter;

		dvmi_evq_cpu_set(&s->evq, cpu, now + (cpu == from ? 0 : interrupt_ps));
		cpu = next;
	}
}

int dvmi_switch_may_begin(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r)
{
	uint32_t task = r->task ? c->copy * s->ids.tasks + r->task : 0;
	struct dvmi_wake *wake = NULL;

	if (r->id)
		wake = &s->wakes[(size_t)c->copy * s->ids.wakes + r->id];
	if (wake && !wake->done) {
		join(c, &wake->waiters);
		return 0;
	}
	c->in_waker = wake ? wake->task : 0;
	c->in_waker_cpu = wake ? wake->cpu : 0;
	if (!task)
		return 1;
	if (!s->tasks[task].exists || s->tasks[task].stints != s->stints[r - s->records] ||
	    (s->tasks[task].on_cpu != DVMI_NONE32 && s->tasks[task].on_cpu != c->id)) {
		join(c, &s->tasks[task].waiters);
		return 0;
	}
	return 1;
}

void dvmi_task_moved(struct dvm_sim *s, uint32_t task, uint64_t now)
{
	wake_all(s, &s->tasks[task].waiters, DVMI_NONE32, 0, now);
}

void dvmi_wake_done(struct dvm_sim *s, struct dvmi_wake *wake, const struct dvmi_cpu *c,
		    uint64_t now)
{
	wake->done = true;
	wake->task = c->task;
	wake->cpu = c->id;
	wake_all(s, &wake->waiters, c->id, s->hw->ipi_deliver_ps, now);
}

void dvmi_switch_begin(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t task, uint32_t mm, bool exec)
{
	c->in_task = task;
	c->in_mm = mm;
	c->exec = exec;
	c->stage = SWITCH_COST;
	c->phase = DVMI_PHASE_SWITCH;
	if (task && !exec) {
		s->tasks[task].on_cpu = c->id;
		s->tasks[task].stints++;
	}
}

void dvmi_switch_hook(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_program *program,
		      enum dvmi_hook hook, uint32_t mm, uint64_t now)
{
	struct dvmi_hook_run *h = &c->hook;

	memset(&h->request, 0, sizeof(h->request));
	h->user = false;
	h->flush = NULL;
	h->mm = mm;
	h->prev = c->active_mm;
	h->next = c->in_mm;
	h->cause = DVM_TRACE_OP_NONE;
	h->record = UINT64_MAX;
	h->frees = false;
	dvmi_hook_begin(s, c, program, hook, now, DVMI_PHASE_SWITCH);
}

static void begin_mm_hook(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_hook hook, uint32_t mm,
			  uint64_t now)
{
	dvmi_switch_hook(s, c, s->program, hook, mm, now);
}

/* switch_mm(): which hook, if any. Idle and kernel threads keep the mm (lazy TLB). */
static void switch_mm(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	if (!c->in_mm) {
		c->stage = SWITCH_BARRIER;
		if (c->active_mm)
			begin_mm_hook(s, c, DVMI_HOOK_IDLE, c->active_mm, now);
	} else if (c->in_mm == c->active_mm) {
		c->stage = SWITCH_BARRIER;
		/* Only coming back from idle or a kernel thread calls switch_mm() at all. */
		if (!c->mm)
			begin_mm_hook(s, c, DVMI_HOOK_SWITCH_SAME, c->in_mm, now);
	} else {
		c->stage = SWITCH_INSTALL;
		begin_mm_hook(s, c, DVMI_HOOK_SWITCH_IN, c->in_mm, now);
	}
}

/* The new mm's tables are installed, and the walker may use them. */
static int install(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	unsigned before = dvmi_oracle_cpus_of(s->oracle, c->in_mm);

	s->stats.mm_switches++;
	if (!s->mm_ran[c->in_mm]) {
		s->mm_ran[c->in_mm] = true;
		s->stats.mms++;
	}
	dvmi_oracle_install(s->oracle, c->pcpu, c->in_mm);
	dvmi_oracle_ran(s->oracle, c->id, c->in_mm);
	if (before == 1 && dvmi_oracle_cpus_of(s->oracle, c->in_mm) == 2)
		s->stats.lost[dvmi_sim_reason(s, c->in_task)]++;
	dvmi_observe(s, (struct dvm_sim_event){
		.kind = DVM_SIM_MM_INSTALL, .time_ps = now, .mm = c->in_mm, .task = c->in_task,
		.cpu = c->id, .first = dvmi_oracle_cpus_of(s->oracle, c->in_mm) != before,
		.from_cpu = c->exec ? UINT32_MAX : s->tasks[c->in_task].last_cpu,
		.waker = c->exec ? 0 : c->in_waker, .waker_cpu = c->in_waker_cpu,
		.reason = dvmi_sim_reason(s, c->in_task) });
	return dvmi_switch_ttbr(s, c);
}

static int end(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint32_t prev = c->task;
	struct dvmi_task *in = &s->tasks[c->in_task];

	c->phase = DVMI_PHASE_RECORD;
	c->task = c->in_task;
	c->mm = c->in_mm;
	if (c->in_task) {
		in->mm = c->in_mm;
		if (in->last_cpu != DVMI_NONE32 && in->last_cpu != c->id) {
			s->stats.migrations++;
			s->stats.moves[dvmi_sim_reason(s, c->in_task)]++;
		}
		in->last_cpu = c->id;
	}
	dvmi_cpu_set_idle(s, c, !c->task, now);
	if (prev && prev != c->task) {
		s->tasks[prev].on_cpu = DVMI_NONE32;
		dvmi_task_moved(s, prev, now);
	}
	return s->simulated && !c->exec ? dvmi_dispatch_switched(s, c, prev, now) : 0;
}

int dvmi_switch_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	uint32_t left;
	unsigned sub;
	int ret = 0;

	*next = now;
	switch (c->stage) {
	case SWITCH_COST:
		c->stage = SWITCH_ASID;
		if (!c->exec) {
			s->stats.switches++;
			*next = now + s->hw->kernel_context_switch_ps;
		}
		return 0;
	case SWITCH_ASID:
		ret = dvmi_switch_asid(s, c, now, next);
		if (ret <= 0)
			return ret;
		c->stage = SWITCH_MM;
		return 0;
	case SWITCH_MM:
		switch_mm(s, c, now);
		return 0;
	case SWITCH_INSTALL:
		c->stage = SWITCH_OUT;
		*next = now + s->hw->kernel_mm_switch_ps;
		return install(s, c, now);
	case SWITCH_OUT:
		c->stage = SWITCH_BARRIER;
		left = c->active_mm;
		if (left)
			begin_mm_hook(s, c, DVMI_HOOK_SWITCH_OUT, left, now);
		c->active_mm = c->in_mm;
		return 0;
	case SWITCH_END:
		return end(s, c, now);
	default:
		break;
	}
	if (c->exec) { /* exec_mmap() stays on the task: no __switch_to() */
		c->stage = SWITCH_END;
		return 0;
	}
	sub = c->stage - SWITCH_BARRIER;
	ret = dvmi_dsb_act(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, &sub, next);
	c->stage = sub ? SWITCH_BARRIER + sub : SWITCH_END;
	return ret;
}
