/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

/* The recorded schedule: each CPU executes its own records, in the order they have in the trace. */

/* The record can not be executed yet: the CPU idles until it is told to try again. */
static void wait_here(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	c->waiting = true;
	c->again = true;
	dvmi_cpu_set_idle(s, c, true, now);
	*next = DVMI_NEVER;
}

static int switch_record(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			 uint64_t now, uint64_t *next)
{
	if (!dvmi_switch_may_begin(s, c, r)) {
		wait_here(s, c, now, next);
		return 0;
	}
	dvmi_cpu_set_idle(s, c, false, now);
	dvmi_switch_begin(s, c, dvmi_task_id(s, c, r->task), dvmi_mm_id(s, c, r->mm), false);
	return 0;
}

static void sleep_record(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
			 uint64_t now, uint64_t *next)
{
	dvmi_cpu_set_idle(s, c, true, now);
	*next = now + r->amount * 1000;
}

static int execute(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvm_trace_record *r,
		   uint64_t now, uint64_t *next)
{
	if (c->idle && c->task)
		dvmi_cpu_set_idle(s, c, false, now);
	switch (r->kind) {
	case DVM_TRACE_SWITCH:
		return switch_record(s, c, r, now, next);
	case DVM_TRACE_SLEEP:
		sleep_record(s, c, r, now, next);
		return 0;
	case DVM_TRACE_WAKE:
		dvmi_wake_done(s, &s->wakes[(size_t)c->copy * s->ids.wakes + r->id], c, now);
		return 0;
	default: /* MIGRATE is said again by its SWITCH */
		return dvmi_record_execute(s, c, r, now, next);
	}
}

int dvmi_replay_next(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	int ret;

	c->waiting = false;
	if (c->next == c->count) {
		c->phase = DVMI_PHASE_DONE;
		dvmi_cpu_set_idle(s, c, true, now);
		*next = DVMI_NEVER;
		return 0;
	}
	c->again = false;
	ret = execute(s, c, &s->records[c->stream[c->next]], now, next);
	c->next += !c->again;
	return ret;
}
