/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include "base/bitmap.h"
#include "base/error.h"

/*
 * A strategy's hook on the timing machine: what each instruction with an effect costs and does.
 * The effects are in effect_*.c. An
 * instruction is over when its frame has moved on; until then its function is entered again at the
 * time it asked for.
 */

static void fill_fields(struct dvm_sim *s, const struct dvmi_cpu *c, struct dvmi_hook_run *h)
{
	const struct dvmi_request *r = &h->request;
	uint64_t *f = h->fields;

	memset(f, 0, sizeof(h->fields));
	f[DVMI_REQ_NOSYNC] = !!(r->flags & DVMI_REQUEST_NOSYNC);
	f[DVMI_REQ_NOBROADCAST] = !!(r->flags & DVMI_REQUEST_NOBROADCAST);
	f[DVMI_REQ_NONOTIFY] = !!(r->flags & DVMI_REQUEST_NONOTIFY);
	f[DVMI_REQ_FOREIGN] = !!(r->flags & DVMI_REQUEST_FOREIGN);
	f[DVMI_REQ_FREED_TABLES] = !!(r->flags & DVMI_REQUEST_FREED_TABLES);
	f[DVMI_REQ_FULLASID] = r->kind == DVMI_REQUEST_ASID;
	f[DVMI_REQ_FREES] = h->frees;
	f[DVMI_REQ_KIND] = r->kind == DVMI_REQUEST_ASID ? DVMI_KIND_MM :
			   r->kind == DVMI_REQUEST_PAGE ? DVMI_KIND_PAGE : DVMI_KIND_RANGE;
	if (h->user) {
		struct dvmi_flush_rules once = s->rules;

		once.kpti = false;
		f[DVMI_REQ_OPS] = dvmi_request_ops(r, &once);
	}
	if (r->kind != DVMI_REQUEST_ASID)
		f[DVMI_REQ_PAGES] = (r->end - r->start) >> s->rules.page_shift;
	f[DVMI_CUR_IS_MM] = h->mm && c->mm == h->mm;
	f[DVMI_ACTIVE_IS_MM] = h->mm && c->active_mm == h->mm;
	f[DVMI_ENV_REPEAT_TLBI] = s->repeat_new || s->repeat_old;
	f[DVMI_ENV_SMMU_BTM] = h->mm && s->bound[h->mm] && s->cfg->smmu == DVMI_SMMU_BTM;
	f[DVMI_ENV_VM] = s->cfg->vm == DVMI_VM_GUEST;
	f[DVMI_ENV_KPTI] = s->rules.kpti;
	f[DVMI_ENV_LAZY] = !c->mm && c->active_mm;
	f[DVMI_ENV_IDLE] = h->frame.hook == DVMI_HOOK_IDLE && !c->in_task;
	f[DVMI_ENV_CPUS] = c->guest->cpus_count;
	f[DVMI_ENV_DOMAINS] = s->domains_count;
	f[DVMI_ENV_DVM_LOAD] = c->sync_ps / 1000;
	f[DVMI_ENV_TLB_FLUSHED] = c->tlb_flushed;
	f[DVMI_ALLOC_PATH] = c->asid_path; /* the same numbers */
}

void dvmi_hook_begin(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_program *program,
		     enum dvmi_hook hook, uint64_t now, enum dvmi_phase after)
{
	struct dvmi_hook_run *h = &c->hook;

	c->after = after;
	if (program->hooks[hook] < 0) {
		c->phase = after;
		return;
	}
	h->program = program;
	h->env = (struct dvmi_prog_env){ .program = program, .fields = h->fields,
					 .masks = c->masks, .cpus = c->guest->cpus_count, .self = c->vcpu,
					 .domain_of = s->domain_of,
					 .mask_words = s->words.mask_words };
	dvmi_frame_start(&h->frame, program, hook);
	fill_fields(s, c, h);
	h->stage = 0;
	h->ops_begun = false;
	h->irqs_off = false;
	h->begin_ps = h->insn_ps = now;
	h->local = h->broadcast = h->ipi = false;
	dvmi_sections_begin(s, h, now);
	c->phase = DVMI_PHASE_HOOK;
}

/* ---- protections ---- */

static uint64_t protect_ps(const struct dvm_sim *s, unsigned op)
{
	const struct dvmi_hw *hw = s->hw;
	uint64_t call = s->cfg->migrate_inline ? 0 : hw->kernel_migrate_call_ps;
	/* Without a counter preempt_disable() is a compiler barrier only. */
	bool counts = s->cfg->preempt_count || s->cfg->preempt >= DVMI_PREEMPT_LAZY;

	switch (op) {
	case DVMI_MIGRATE_DISABLE:
		return hw->kernel_migrate_disable_ps + call;
	case DVMI_MIGRATE_ENABLE:
		return hw->kernel_migrate_enable_ps + call;
	case DVMI_PREEMPT_DISABLE:
		return counts ? hw->kernel_preempt_disable_ps : 0;
	case DVMI_PREEMPT_ENABLE:
		return counts ? hw->kernel_preempt_enable_ps : 0;
	default:
		return 0;
	}
}

/* ---- the hook ---- */

static int effect(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		  uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	uint64_t extra = 0;
	int ret;

	*next = now;
	if (dvmi_op_is_memory(i->op) || i->op == DVMI_ASID)
		return dvmi_effect_memory(s, c, i, now, next);
	switch (i->op) {
	case DVMI_TLBI:
		return dvmi_effect_tlbi(s, c, i, now, next);
	case DVMI_SYNC:
		return dvmi_effect_sync(s, c, now, next);
	case DVMI_IPI:
		return dvmi_effect_ipi(s, c, i, now, next);
	case DVMI_NOTIFY:
		dvmi_effect_notify(s, c, now, next);
		return 0;
	case DVMI_DSB:
		ret = dvmi_dsb_act(s, c, dvmi_insn_dsb_type(i), dvmi_insn_dsb_domain(i), now,
				   &h->stage, next);
		if (ret || h->stage)
			return ret;
		h->completed |= i->type == DVMI_BARRIER_ALL && (h->local || h->broadcast);
		break;
	case DVMI_DMB:
		*next = dvmi_core_dmb(&s->core, now);
		break;
	case DVMI_ISB:
		*next = dvmi_core_isb(&s->core, now);
		break;
	default:
		if (s->simulated)
			dvmi_hook_protect(s, c, i->op, now, &extra);
		*next = now + protect_ps(s, i->op) + extra;
		dvmi_section_protect(s, c, i, now, *next);
		break;
	}
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}

static void count_flush(struct dvm_sim *s, const struct dvmi_cpu *c, uint64_t now)
{
	const struct dvmi_hook_run *h = &c->hook;

	s->stats.flushes++;
	s->stats.flush_ps += now - h->begin_ps;
	s->stats.flushes_local += h->local && !h->broadcast && !h->ipi;
	s->stats.flushes_broadcast += h->broadcast;
	s->stats.flushes_both += h->broadcast && h->local;
	s->stats.flushes_ipi += h->ipi;
	s->stats.flushes_none += !h->local && !h->broadcast && !h->ipi;
	s->stats.flushes_one_cpu += dvmi_oracle_only_cpu(s->oracle, h->mm, c->id);
	dvmi_latency_add(&s->flush_latency, now - h->begin_ps);
	dvmi_observe(s, (struct dvm_sim_event){
		.kind = DVM_SIM_MM_FLUSH, .time_ps = now, .took_ps = now - h->begin_ps,
		.mm = h->mm, .task = c->task, .cpu = c->id, .op = h->cause,
		.pages = h->request.kind == DVMI_REQUEST_ASID ? 0 :
			 (h->request.end - h->request.start) >> s->rules.page_shift,
		.tlbi = (h->local ? DVM_SIM_TLBI_LOCAL : 0u) |
			(h->broadcast ? DVM_SIM_TLBI_BROADCAST : 0u) |
			(h->ipi ? DVM_SIM_TLBI_IPI : 0u) });
}

/* The flush returned: its promise holds from now on, or from its batch flush on. */
static int promise(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_hook_run *h,
		   bool deferred, uint64_t now)
{
	if (!s->tlbs || !h->checked)
		return 0;
	if (!deferred)
		return dvmi_tlbs_complete(s->tlbs, &h->change, now, s->err);
	s->tasks[c->task].deferred = true;
	return dvmi_tlbs_defer(s->tlbs, c->task, &h->change);
}

static int hook_over(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_hook_run *h = &c->hook;
	bool deferred = h->request.flags & DVMI_REQUEST_NOSYNC;
	int ret = 0;

	c->phase = c->after;
	dvmi_sections_end(s, c, now);
	if (h->locked)
		ret = dvmi_hook_unlock(s, c, now);
	if (ret)
		return ret;
	switch (h->frame.hook) {
	case DVMI_HOOK_FLUSH:
	case DVMI_HOOK_BATCH_ADD:
		if (!h->user) {
			s->stats.flushes_kernel++;
			break;
		}
		count_flush(s, c, now);
		if (dvmi_quarantine_applies(s, h)) {
			ret = dvmi_quarantine_begin(s, h, now);
			h->flush = NULL;
			break;
		}
		if (deferred)
			dvmi_oracle_defer(s->oracle, h->flush, c->task);
		else
			dvmi_oracle_end(s->oracle, h->flush);
		h->flush = NULL;
		if (deferred)
			dvmi_sme_note(s, c, h->mm);
		ret = dvmi_oracle_device_use(s->oracle, s->err);
		if (!ret)
			ret = promise(s, c, h, deferred, now);
		break;
	case DVMI_HOOK_BATCH_FLUSH:
		s->stats.flush_ps += now - h->begin_ps;
		dvmi_oracle_batch(s->oracle, c->task);
		ret = dvmi_oracle_device_use(s->oracle, s->err);
		if (ret)
			break;
		if (s->tlbs)
			ret = dvmi_tlbs_batch(s->tlbs, c->task, now, s->err);
		s->tasks[c->task].deferred = false;
		break;
	case DVMI_HOOK_IPI: /* on top of a vCPU */
		break;
	default:
		if (h->program == s->program)
			s->stats.switch_ps += now - h->begin_ps;
		break;
	}
	return ret;
}

static void step_over(struct dvm_sim *s, const struct dvmi_hook_run *h, const struct dvmi_insn *i,
		      uint64_t until)
{
	if (h->program != s->program)
		return;
	s->steps[i - s->program->insns].count++;
	s->steps[i - s->program->insns].total_ps += until - h->insn_ps;
}

int dvmi_hook_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	const struct dvmi_insn *i = dvmi_frame_next(&h->frame, &h->env);
	uint16_t pc = h->frame.pc;
	int ret;

	*next = now;
	if (!i) {
		if (h->frame.state == DVMI_RUNAWAY)
			return dvmi_error(s->err, DVM_EBUDGET, h->program->name,
					  "the %s hook runs away: %u instructions without an"
					  " effect", dvmi_hook_names[h->frame.hook], DVMI_PURE_MAX);
		return hook_over(s, c, now);
	}
	ret = effect(s, c, i, now, next);
	if (ret)
		return ret;
	/* The frame has moved on, or has returned: the instruction is over at *next. */
	if (h->frame.pc != pc || h->frame.state != DVMI_RUNNING) {
		step_over(s, h, i, *next);
		h->insn_ps = *next;
	}
	return 0;
}
