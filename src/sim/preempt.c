/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/bitmap.h"
#include "base/mem.h"

#include <string.h>

/*
 * A task may be switched out inside a flush, between two instructions of its hook, where its kernel's
 * preemption model allows that: the hook goes with the task and is resumed where the task runs next.
 * DSBs and single TLBIs are not interrupted. Source: docs/model.md, "Preemption".
 */

bool dvmi_hook_may_leave(const struct dvmi_cpu *c)
{
	const struct dvmi_hook_run *h = &c->hook;

	if (!c->task || c->after != DVMI_PHASE_RECORD || h->stage || h->irqs_off)
		return false;
	if (c->must_switch)
		return true;
	return c->guest->sched.rqs[c->vcpu].need != DVMI_SCHED_NEED_NONE &&
	       dvmi_sched_may_switch(&c->guest->sched, c->vcpu, DVMI_SCHED_AT_KERNEL);
}

/* ---- hooks put aside ---- */

static size_t mask_words(const struct dvm_sim *s)
{
	return (size_t)s->words.mask_words * DVMI_MASK_REGS;
}

static int more(struct dvm_sim *s)
{
	struct dvmi_saved_hooks *p = &s->saved;
	void *hooks = p->hooks, *masks = p->masks, *list = p->free;
	int ret = dvmi_grow(&hooks, &p->hooks_capacity, p->count + 1, sizeof(*p->hooks));

	p->hooks = hooks;
	if (!ret)
		ret = dvmi_grow(&masks, &p->masks_capacity, (p->count + 1) * mask_words(s),
				sizeof(*p->masks));
	p->masks = masks;
	if (!ret)
		ret = dvmi_grow(&list, &p->free_capacity, p->count + 1, sizeof(*p->free));
	p->free = list;
	if (!ret)
		p->free[p->free_count++] = (uint32_t)p->count++;
	return ret;
}

int dvmi_hook_save(struct dvm_sim *s, struct dvmi_cpu *c)
{
	struct dvmi_saved_hooks *p = &s->saved;
	struct dvmi_task *t = &s->tasks[c->task];
	const struct dvmi_insn *section;
	struct dvmi_hook_run *h = &c->hook;
	uint32_t i;

	if (!p->free_count && more(s))
		return -DVM_ENOMEM;
	i = p->free[--p->free_count];
	s->stats.preemptions_flush++;
	section = dvmi_frame_section(&h->frame, &h->env);
	if (section && section->flags != DVMI_SECTION_ON_MIGRATE &&
	    dvmi_frame_restart(&h->frame, &h->env)) {
		h->ops_begun = false;
		s->stats.restarts++;
	}
	if (h->locked) {
		t->lock_next = c->guest->lock_holders;
		c->guest->lock_holders = c->task;
	}
	p->hooks[i] = *h;
	memcpy(p->masks + i * mask_words(s), c->masks, mask_words(s) * sizeof(*p->masks));
	t->saved = i + 1;
	h->locked = h->irqs_off = false;
	return 0;
}

static void unlist_holder(struct dvm_sim *s, uint32_t task)
{
	uint32_t *at = &dvmi_guest_of_task(s, task)->lock_holders;

	while (*at != task)
		at = &s->tasks[*at].lock_next;
	*at = s->tasks[task].lock_next;
}

void dvmi_hook_restore(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_saved_hooks *p = &s->saved;
	struct dvmi_task *t = &s->tasks[c->task];
	struct dvmi_hook_run *h = &c->hook;
	uint32_t i = t->saved - 1;
	const struct dvmi_insn *section;
	bool moved;

	*h = p->hooks[i];
	memcpy(c->masks, p->masks + i * mask_words(s), mask_words(s) * sizeof(*p->masks));
	p->free[p->free_count++] = i;
	t->saved = 0;
	moved = h->env.self != c->vcpu;
	h->env.fields = h->fields;
	h->env.masks = c->masks;
	h->env.self = c->vcpu;
	h->fields[DVMI_CUR_IS_MM] = h->mm && c->mm == h->mm;
	h->fields[DVMI_ACTIVE_IS_MM] = h->mm && c->active_mm == h->mm;
	h->fields[DVMI_ENV_LAZY] = !c->mm && c->active_mm;
	h->fields[DVMI_ENV_TLB_FLUSHED] = 0;
	h->fields[DVMI_ENV_DVM_LOAD] = c->sync_ps / 1000;
	s->stats.migrations_flush += moved;
	section = dvmi_frame_section(&h->frame, &h->env);
	if (moved && section && section->flags == DVMI_SECTION_ON_MIGRATE &&
	    dvmi_frame_restart(&h->frame, &h->env)) {
		h->ops_begun = false;
		s->stats.restarts++;
	}
	if (h->locked)
		unlist_holder(s, c->task);
	h->insn_ps = now;
	c->after = DVMI_PHASE_RECORD;
	c->phase = DVMI_PHASE_HOOK;
}

void dvmi_saved_hooks_fini(struct dvm_sim *s)
{
	dvmi_free(s->saved.hooks);
	dvmi_free(s->saved.masks);
	dvmi_free(s->saved.free);
}

/* ---- protections ---- */

void dvmi_hook_protect(struct dvm_sim *s, struct dvmi_cpu *c, unsigned op, uint64_t now,
		       uint64_t *ps)
{
	struct dvmi_sched_enabled e;

	*ps = 0;
	if (!c->task || c->after != DVMI_PHASE_RECORD)
		return; /* the scheduler itself: interrupts are off */
	switch (op) {
	case DVMI_MIGRATE_DISABLE:
		dvmi_sched_migrate_disable(&c->guest->sched, dvmi_sched_id(s, c->task));
		break;
	case DVMI_MIGRATE_ENABLE:
		e = dvmi_sched_migrate_enable(&c->guest->sched, dvmi_sched_id(s, c->task), now);
		s->stats.migrate_slow += e.slow;
		c->must_switch |= e.resched;
		*ps = e.slow ? s->hw->kernel_migrate_slow_ps : 0;
		break;
	case DVMI_PREEMPT_DISABLE:
		dvmi_sched_preempt_disable(&c->guest->sched, dvmi_sched_id(s, c->task));
		break;
	case DVMI_PREEMPT_ENABLE:
		c->must_switch |= dvmi_sched_preempt_enable(&c->guest->sched, dvmi_sched_id(s, c->task));
		break;
	case DVMI_IRQ_DISABLE:
		c->hook.irqs_off = true;
		break;
	case DVMI_IRQ_ENABLE:
		c->hook.irqs_off = false;
		break;
	default:
		break;
	}
}

/* ---- the page-table lock ---- */

/* One lock for each last-level table: 512 entries of 8 bytes in a 4 KiB page. */
static bool same_table(const struct dvm_sim *s, uint64_t a, uint64_t b)
{
	unsigned shift = 2 * s->rules.page_shift - 3;

	return a >> shift == b >> shift;
}

/*
 * On RT the lock sleeps, and its holder may be switched out. Only such a holder keeps others waiting
 * here: how long a running one holds it is part of the recorded work.
 */
static uint32_t holder(const struct dvm_sim *s, uint32_t mm, uint64_t va)
{
	uint32_t t = dvmi_guest_of_mm(s, mm)->lock_holders;

	while (t) {
		const struct dvmi_hook_run *h = &s->saved.hooks[s->tasks[t].saved - 1];

		if (h->mm == mm && same_table(s, h->request.start, va))
			break;
		t = s->tasks[t].lock_next;
	}
	return t;
}

int dvmi_hook_lock(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_flush_call *f)
{
	uint32_t held_by;

	c->hook.irqs_off = c->hook.locked = false;
	if (!c->task || !(f->request.flags & DVMI_REQUEST_PTL))
		return 1;
	held_by = holder(s, f->mm, f->request.start);
	if (held_by) {
		s->tasks[c->task].lock_waiters = s->tasks[held_by].lock_waiters;
		s->tasks[held_by].lock_waiters = c->task;
		s->tasks[c->task].state = DVMI_TASK_BLOCKED;
		s->stats.lock_waits++;
		return 0;
	}
	dvmi_sched_lock(&c->guest->sched, dvmi_sched_id(s, c->task));
	c->hook.locked = true;
	return 1;
}

int dvmi_hook_unlock(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint32_t next = s->tasks[c->task].lock_waiters;
	uint64_t ps;
	int ret = 0;

	c->hook.locked = false;
	c->must_switch |= dvmi_sched_unlock(&c->guest->sched, dvmi_sched_id(s, c->task), now);
	s->tasks[c->task].lock_waiters = 0;
	while (next && !ret) {
		uint32_t task = next;

		next = s->tasks[task].lock_waiters;
		s->tasks[task].lock_waiters = 0;
		ret = dvmi_task_wake(s, task, c->id, c->task, 0, now, &ps);
	}
	return ret;
}
