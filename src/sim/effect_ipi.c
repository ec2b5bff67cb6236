/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"
#include "sim/host.h"

#include "base/bitmap.h"
#include "base/error.h"

/* IPIs that run the strategy's ipi hook on other CPUs. */

/* A handler touches only its own CPU's TLB, and words, so it runs to its end at once. */
int dvmi_handler_run(struct dvm_sim *s, struct dvmi_cpu *self, uint64_t now, uint64_t *end)
{
	struct dvmi_hook_run *h = &self->hook;
	const struct dvmi_insn *i;
	uint64_t t = now;

	while ((i = dvmi_frame_next(&h->frame, &h->env))) {
		uint64_t next = t;
		int ret = 0;

		if (dvmi_op_is_memory(i->op) || i->op == DVMI_ASID) {
			ret = dvmi_effect_memory(s, self, i, t, &next);
		} else if (i->op == DVMI_TLBI && i->scope == DVMI_TLBI_LOCAL) {
			ret = dvmi_effect_tlbi(s, self, i, t, &next);
		} else if (i->op == DVMI_DSB && i->domain == DVMI_DOMAIN_NSH) {
			ret = dvmi_core_dsb(&s->core, self->pcpu, t, dvmi_insn_dsb_type(i),
					    DVMI_DSB_NSH, &next);
			if (i->type == DVMI_BARRIER_ALL) {
				dvmi_oracle_dsb(s->oracle, self->pcpu, false);
				h->completed = h->local;
			}
			dvmi_frame_result(&h->frame, 0, &h->env);
		} else if (i->op == DVMI_DMB) {
			next = dvmi_core_dmb(&s->core, t);
			dvmi_frame_result(&h->frame, 0, &h->env);
		} else if (dvmi_op_is_computed(i->op)) {
			dvmi_frame_result(&h->frame, 0, &h->env);
		} else {
			return dvmi_error_at(s->err, DVM_EFORMAT, h->program->name, i->line,
					     i->column, "an ipi or tick hook may use words, local TLBIs, DMB"
					     " and DSB NSH only");
		}
		if (ret < 0)
			return ret;
		t = next == DVMI_NEVER ? t : next;
	}
	dvmi_sections_end(s, self, t);
	*end = t;
	return 0;
}

/* One target's handler; *@flushed: it executed the local TLBIs and a DSB after them. */
static int run_handler(struct dvm_sim *s, struct dvmi_cpu *from, unsigned target, uint64_t arrive,
		       uint64_t arg, bool *flushed, uint64_t *end)
{
	struct dvmi_cpu self = { .id = target, .vcpu = target, .pcpu = target,
				 .guest = from->guest, .hook = from->hook };
	struct dvmi_hook_run *h = &self.hook;
	int ret;

	dvmi_frame_start(&h->frame, h->program, DVMI_HOOK_IPI);
	h->frame.asid = from->hook.frame.asid;
	h->env.self = target;
	h->env.fields = h->fields;
	h->fields[DVMI_IPI_ARG] = arg;
	h->stage = 0;
	h->ops_begun = false;
	h->flush = NULL; /* the sender's; covered when the handler has completed its TLBIs */
	h->local = h->completed = false;
	dvmi_sections_begin(s, h, arrive - s->hw->ipi_handle_ps);
	ret = dvmi_handler_run(s, &self, arrive, end);
	*flushed = h->completed;
	return ret;
}

int dvmi_effect_ipi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
	       uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	const uint64_t *mask = dvmi_frame_mask(&i->src[0], &h->env);
	uint64_t arg = i->src[1].kind == DVMI_NONE ? 0 :
		       dvmi_frame_value(&h->frame, &i->src[1], &h->env);
	uint64_t last = now;

	if (s->host) {
		if (!h->stage) {
			h->stage = 1;
			return dvmi_host_ipi(s, c, mask, arg, now, next);
		}
		h->stage = 0;
		*next = now;
		dvmi_frame_result(&h->frame, 0, &h->env);
		return 0;
	}
	if (dvmi_sim_guest_fb(s))
		return dvmi_error_at(s->err, DVM_EINVAL, h->program->name, i->line, i->column,
				     "IPIs are not modelled in a guest whose local TLBIs are"
				     " broadcast (vm_fb), unless there is a host: set vm_count");
	/* A handler runs to its end at once: it can not wait for the Sync of the DSB ISH in the old
	   form of the erratum workaround. */
	if (s->repeat_old && s->hw->dvm_idle_sync)
		return dvmi_error_at(s->err, DVM_EINVAL, h->program->name, i->line, i->column,
				     "IPIs are not modelled where TLBIs are repeated in the old"
				     " form and every DSB sends a Sync (dvm.idle_sync)");
	dvmi_section_open(h, &h->preempt, DVM_SECTION_IPI, i->line, now);
	for (unsigned t = 0; t < c->guest->cpus_count; t++) {
		struct dvmi_ipi_times times;
		uint64_t arrive, end;
		bool flushed;
		int ret;

		if (t == c->vcpu || !dvmi_bitmap_test(mask, t))
			continue;
		times = dvmi_ipi_send(&s->ipi, now, &t, 1, &arrive);
		now = times.sent_ps;
		ret = run_handler(s, c, t, times.done_ps, arg, &flushed, &end);
		if (ret)
			return ret;
		if (t < s->cpus_used)
			ret = dvmi_cpu_interrupt(s, &s->cpus[t], arrive,
						 s->hw->ipi_handle_ps + end - times.done_ps);
		if (ret)
			return ret;
		if (flushed)
			dvmi_oracle_ipi(s->oracle, h->flush, t);
		last = end > last ? end : last;
		h->ipi = true;
		h->syncs += flushed;
	}
	*next = last > now ? last : now;
	dvmi_section_ipi_over(s, c, *next);
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}
