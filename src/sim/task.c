/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include <assert.h>

/* Tasks of the simulated schedule: births, sleeps, wake-ups. Where they go is kernel/sched.h's. */

static_assert(sizeof(struct dvmi_task) + sizeof(struct dvmi_sched_task) <= 200,
	      "a task takes at most 200 bytes");

static uint32_t first_cpu(const struct dvm_sim *s, uint32_t task)
{
	const struct dvmi_script *script = dvmi_script_of(s, task);

	return dvmi_copy_of(s, task) / s->guests_count * s->env->ncpus + script->cpu;
}

/* Of a task that nobody forks on the timing machine, or of a child of @cpu. */
static void tell_sched(struct dvm_sim *s, uint32_t task, uint32_t cpu)
{
	struct dvmi_sched_attr attr = { .cpu = cpu };
	struct dvmi_guest *g = dvmi_guest_of_task(s, task);

	attr.last_cpu = g->cpus_count - 1;

	if (dvmi_script_of(s, task)->bound != DVMI_SCRIPT_ANY)
		attr.first_cpu = attr.last_cpu = attr.cpu = first_cpu(s, task);
	dvmi_sched_task_new(&g->sched, dvmi_sched_id(s, task), &attr);
}

/*
 * A task that exists when the trace begins is where it first runs; the first wake-up of another is
 * wake_up_new_task(), by its parent.
 */
int dvmi_task_born(struct dvm_sim *s, struct dvmi_cpu *c, uint32_t task,
		   const struct dvm_trace_record *r, uint64_t now)
{
	const struct dvmi_script *script = dvmi_script_of(s, task);
	bool initial = r->flags & DVM_TRACE_F_INITIAL;
	struct dvmi_task *t = &s->tasks[task];
	uint32_t cpu = initial ? first_cpu(s, task) : c->vcpu;
	bool blocks;
	uint64_t ps;
	int ret;

	t->step = script->begin;
	t->state = DVMI_TASK_BLOCKED;
	t->fresh = !initial;
	if (t->step == script->end) {
		t->state = DVMI_TASK_OVER;
		return 0;
	}
	tell_sched(s, task, cpu);
	if (initial)
		t->last_cpu = c->guest->first_cpu + dvmi_sched_entry(s, task)->cpu;
	ret = dvmi_task_blocks(s, task, now, &blocks);
	if (ret || blocks)
		return ret;
	return dvmi_task_wake(s, task, c->guest->first_cpu + cpu, initial ? 0 : c->task,
			      initial ? DVMI_SCHED_WAKE_IRQ : 0, now, &ps);
}

static struct dvmi_wake *wake_of(struct dvm_sim *s, uint32_t task, uint32_t wake)
{
	return &s->wakes[(size_t)dvmi_copy_of(s, task) * s->ids.wakes + wake];
}

int dvmi_task_blocks(struct dvm_sim *s, uint32_t task, uint64_t now, bool *blocks)
{
	const struct dvmi_script *script = dvmi_script_of(s, task);
	struct dvmi_task *t = &s->tasks[task];

	*blocks = true;
	while (t->step < script->end) {
		uint32_t step = s->scripts.steps[t->step], index = step & DVMI_STEP_INDEX;

		if ((step & DVMI_STEP_KIND) == DVMI_STEP_RECORD)
			break;
		t->step++;
		if ((step & DVMI_STEP_KIND) == DVMI_STEP_SLEEP) {
			t->state = DVMI_TASK_BLOCKED;
			return dvmi_evq_post(&s->evq, now + s->scripts.sleeps[index] * 1000, 0,
					     DVMI_EV_TIMER, task, 0);
		}
		if (!wake_of(s, task, index)->done) {
			t->state = DVMI_TASK_BLOCKED;
			wake_of(s, task, index)->waiters = task;
			return 0;
		}
	}
	*blocks = false;
	return 0;
}

/* The cost is the waker's; the CPU that is chosen hears of it when the interrupt gets there. */
int dvmi_task_wake(struct dvm_sim *s, uint32_t task, unsigned cpu, uint32_t waker, unsigned flags,
		   uint64_t now, uint64_t *ps)
{
	struct dvmi_task *t = &s->tasks[task];
	struct dvmi_guest *g = dvmi_guest_of_task(s, task);
	unsigned from = s->cpus[cpu].vcpu, id = dvmi_sched_id(s, task);
	struct dvmi_sched_place place;
	struct dvmi_sched_note note;
	int ret;

	if (t->fresh) {
		place = dvmi_sched_place_fork(&g->sched, id, from, now);
		note = dvmi_sched_enqueue(&g->sched, id, place.cpu, now);
	} else {
		note = dvmi_sched_wake(&g->sched, id, from, flags, now, &place);
	}
	t->state = DVMI_TASK_READY;
	t->fresh = false;
	t->waker = waker;
	t->waker_cpu = cpu;
	t->woken_ps = now;
	s->stats.wakeups++;
	*ps = s->hw->kernel_wakeup_ps + place.scanned * s->hw->kernel_scan_cpu_ps;
	/* The sender's write of ICC_SGI1R_EL1 traps. */
	if (s->host && note.cpu != DVMI_SCHED_NONE && note.ipi && g->first_cpu + note.cpu != s->injecting)
		*ps += dvmi_host_trap_ps(s);
	ret = dvmi_dispatch_note(s, g, &note, now + *ps);
	if (!ret && place.cpu < g->cpus_count)
		ret = dvmi_tick_arm(s, &s->cpus[g->first_cpu + place.cpu], now);
	return ret;
}

static unsigned kind_at(const struct dvm_sim *s, uint32_t step)
{
	return s->records[s->scripts.steps[step] & DVMI_STEP_INDEX].kind;
}

bool dvmi_task_about_to_sleep(const struct dvm_sim *s, uint32_t task)
{
	const struct dvmi_script *script = dvmi_script_of(s, task);
	uint32_t at = s->tasks[task].step + 1;

	if (at < script->end && (s->scripts.steps[at] & DVMI_STEP_KIND) == DVMI_STEP_RECORD &&
	    kind_at(s, at) == DVM_TRACE_RUN)
		at++;
	if (at == script->end)
		return false;
	return (s->scripts.steps[at] & DVMI_STEP_KIND) != DVMI_STEP_RECORD ||
	       kind_at(s, at) == DVM_TRACE_GET || kind_at(s, at) == DVM_TRACE_THINK;
}

int dvmi_task_wakes(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		    uint64_t now, uint64_t *next)
{
	struct dvmi_wake *wake = wake_of(s, c->task, r->id);
	uint32_t task = wake->waiters;
	unsigned flags = dvmi_task_about_to_sleep(s, c->task) ? DVMI_SCHED_WAKE_SYNC : 0;
	bool blocks;
	uint64_t ps;
	int ret;

	wake->done = true;
	wake->task = c->task;
	wake->cpu = c->id;
	if (task == DVMI_NONE32)
		return 0;
	wake->waiters = DVMI_NONE32;
	ret = dvmi_task_blocks(s, task, now, &blocks);
	if (ret || blocks)
		return ret;
	ret = dvmi_task_wake(s, task, c->id, c->task, flags, now, &ps);
	*next = now + ps;
	return ret;
}
