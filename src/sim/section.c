/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include <stdio.h>

/*
 * Stretches of TLB maintenance in which a CPU can not be preempted, or takes no interrupts: whoever
 * is woken there waits for their end. One counts when a TLBI was executed in it, by the strategy's
 * hooks, or a DSB that waited for TLBIs. Two kinds are followed side by side, since an interrupt is
 * kept out only by the second:
 *
 *   preemption is off  in all kernel code (NONE and VOLUNTARY), under a page-table lock that spins
 *                      (all but RT), after preempt_disable, while IPIs are sent and waited for
 *                      (kernel/smp.c on_each_cpu_cond_mask()), and where interrupts are off
 *   interrupts are off after irq_disable, in hooks of the scheduler, in handlers
 *
 * A flush that was called without preemption had lost it before the call, and regains it after its
 * return: what is measured is the flush's part. Source: docs/model.md, "Worst-case latency".
 */

void dvmi_section_open(struct dvmi_hook_run *h, struct dvmi_section *of, unsigned cause,
		       unsigned line, uint64_t now)
{
	if (of->depth++)
		return;
	of->since_ps = now;
	of->tlbis = h->tlbis;
	of->syncs = h->syncs;
	of->line = line;
	of->cause = (uint8_t)cause;
}

static void worst(struct dvm_section *w, const struct dvmi_cpu *c, const struct dvmi_section *of,
		  uint64_t now)
{
	const struct dvmi_hook_run *h = &c->hook;

	w->end_ps = now;
	w->tlbis = h->tlbis - of->tlbis;
	w->record = h->record;
	w->cause = of->cause;
	w->line = of->line;
	w->cpu = c->id;
	w->mm = h->mm;
	w->op = h->cause;
	snprintf(w->hook, sizeof(w->hook), "%s", dvmi_hook_names[h->frame.hook]);
}

static void shut(struct dvmi_cpu *c, struct dvmi_section *of, struct dvmi_sections *all,
		  uint64_t now)
{
	const struct dvmi_hook_run *h = &c->hook;

	if (--of->depth || (h->tlbis == of->tlbis && h->syncs == of->syncs))
		return;
	if (!all->lengths.count || now - of->since_ps > all->lengths.max_ps)
		worst(&all->worst, c, of, now);
	dvmi_latency_add(&all->lengths, now - of->since_ps);
}

/* Interrupts are never off with preemption on. */
static void close_all(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_hook_run *h = &c->hook;

	for (unsigned n = h->irqs.depth; n--; )
		shut(c, &h->irqs, &s->no_interrupts, now);
	for (unsigned n = h->preempt.depth; n--; )
		shut(c, &h->preempt, &s->no_preemption, now);
}

void dvmi_sections_begin(const struct dvm_sim *s, struct dvmi_hook_run *h, uint64_t now)
{
	bool flush = h->frame.hook == DVMI_HOOK_FLUSH || h->frame.hook == DVMI_HOOK_BATCH_ADD ||
		     h->frame.hook == DVMI_HOOK_BATCH_FLUSH;
	unsigned preempt = (unsigned)s->cfg->preempt;

	h->tlbis = h->syncs = 0;
	h->preempt.depth = h->irqs.depth = 0;
	if (!flush) {
		dvmi_section_open(h, &h->preempt, DVM_SECTION_HOOK, 0, now);
		dvmi_section_open(h, &h->irqs, DVM_SECTION_HOOK, 0, now);
	} else if (preempt == DVMI_PREEMPT_NONE || preempt == DVMI_PREEMPT_VOLUNTARY) {
		dvmi_section_open(h, &h->preempt, DVM_SECTION_KERNEL, 0, now);
	} else if ((h->request.flags & DVMI_REQUEST_PTL) && preempt != DVMI_PREEMPT_RT) {
		dvmi_section_open(h, &h->preempt, DVM_SECTION_LOCK, 0, now);
	}
}

void dvmi_sections_end(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	/* What stays outside the strategy is the same for all of them. */
	if (c->hook.program == s->program || c->hook.program == s->kernel_batch)
		close_all(s, c, now);
}

void dvmi_section_ipi_over(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	shut(c, &c->hook.preempt, &s->no_preemption, now);
}

/* From the end of the instruction that turns it off to the beginning of the one that turns it on. */
void dvmi_section_protect(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			  uint64_t now, uint64_t done)
{
	struct dvmi_hook_run *h = &c->hook;

	switch (i->op) {
	case DVMI_PREEMPT_DISABLE:
		dvmi_section_open(h, &h->preempt, DVM_SECTION_PREEMPT, i->line, done);
		break;
	case DVMI_IRQ_DISABLE:
		dvmi_section_open(h, &h->preempt, DVM_SECTION_IRQ, i->line, done);
		dvmi_section_open(h, &h->irqs, DVM_SECTION_IRQ, i->line, done);
		break;
	case DVMI_IRQ_ENABLE:
		shut(c, &h->irqs, &s->no_interrupts, now);
		shut(c, &h->preempt, &s->no_preemption, now);
		break;
	case DVMI_PREEMPT_ENABLE:
		shut(c, &h->preempt, &s->no_preemption, now);
		break;
	default:
		break;
	}
}

void dvmi_sections_summary(const struct dvm_sim *s, struct dvm_stats *st)
{
	st->no_preemption = s->no_preemption.worst;
	dvmi_latency_summary(&s->no_preemption.lengths, &st->no_preemption.length);
	st->no_interrupts = s->no_interrupts.worst;
	dvmi_latency_summary(&s->no_interrupts.lengths, &st->no_interrupts.length);
}

const char *dvm_section_cause_name(unsigned cause)
{
	static const char *const names[DVM_SECTION_CAUSES] = {
		[DVM_SECTION_KERNEL] = "kernel", [DVM_SECTION_LOCK] = "page-table-lock",
		[DVM_SECTION_PREEMPT] = "preempt_disable", [DVM_SECTION_IRQ] = "irq_disable",
		[DVM_SECTION_IPI] = "ipi", [DVM_SECTION_HOOK] = "irqs-off-hook",
	};

	return cause < DVM_SECTION_CAUSES ? names[cause] : NULL;
}
