/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include "base/error.h"

/*
 * One TLBI operation: its issue, and what it takes away. In a guest with HCR_EL2.FB set, local
 * operations act as broadcasts (Arm ARM DDI 0487, HCR_EL2.FB); with HCRX_EL2.FnB broadcasts act locally.
 */

/* Whom one operation reaches. */
struct reach {
	bool broadcast;
	uint32_t domain;     /* of a broadcast, or DVMI_NO_DOMAIN */
	uint32_t first, end; /* its CPUs */
};

static void tell_domain(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_hook_run *h,
			const struct dvmi_tlbi_op *op, const struct reach *to)
{
	if (h->flush)
		dvmi_oracle_broadcast_to(s->oracle, h->flush, c->pcpu, to->first, to->end);
	else if (h->mm && !op->user_twin)
		dvmi_oracle_whole_to(s->oracle, h->mm, c->pcpu, to->first, to->end);
}

static void tell_oracle(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_hook_run *h,
			const struct dvmi_tlbi_op *op, bool broadcast)
{
	bool whole = op->form == DVMI_FORM_ASID || op->form == DVMI_FORM_VMALL;

	/* What is removed beyond the request counts for other flushes of the address space. */
	if (h->mm && whole && !op->user_twin && (!h->flush || !broadcast))
		dvmi_oracle_whole(s->oracle, h->mm, c->pcpu, broadcast);
	if (!h->flush)
		return;
	if (broadcast)
		dvmi_oracle_broadcast(s->oracle, h->flush, c->pcpu);
	else
		dvmi_oracle_local(s->oracle, h->flush, c->pcpu);
}

static void note_refills(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_hook_run *h,
			 const struct dvmi_tlbi_op *op, const struct reach *to)
{
	uint64_t pages = op->pages < h->refill_pages ? op->pages : h->refill_pages;
	struct dvmi_mm_group group = dvmi_guest_mms(s, c->guest);

	if (op->form == DVMI_FORM_VMALL) {
		for (unsigned n = to->first; n < to->end; n++)
			dvmi_workset_flush_cpu(s->workset, n, &group);
		return;
	}
	/* The KPTI twin removes the same translations under their other name. */
	if (op->user_twin || !h->mm || s->tlbs)
		return;
	if (op->form == DVMI_FORM_ASID)
		pages = UINT64_MAX;
	if (to->broadcast && to->domain == DVMI_NO_DOMAIN) {
		dvmi_workset_flush_all(s->workset, h->mm, pages);
		return;
	}
	for (unsigned n = to->first; n < to->end; n++)
		dvmi_workset_flush_local(s->workset, n, h->mm, pages);
}

/*
 * The exact TLBs hold last-level pages only: a trace's accesses do not say how their pages are mapped.
 * So an operation on a block (stride and level hint of a table entry above the last level) takes
 * away the pages of the block, as it does from a TLB that holds a block in pieces.
 */
static struct dvmi_tlbi_op on_pages(const struct dvm_sim *s, const struct dvmi_hook_run *h,
				    const struct dvmi_tlbi_op *op)
{
	unsigned page = s->rules.page_shift, stride = h->request.stride_shift;
	unsigned up = stride > page ? (stride - page) / (page - 3) : 0;
	struct dvmi_tlbi_op pages = *op;

	if (!up || up > 3)
		return pages;
	if (op->form == DVMI_FORM_VA)
		pages.pages = UINT64_C(1) << (stride - page);
	if (op->level == 3 - up)
		pages.level = 3;
	return pages;
}

static int reach_of(const struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_insn *i,
		    struct reach *to)
{
	int ret = dvmi_sim_domain(s, &c->hook, i, &to->domain);

	to->broadcast = i->scope == DVMI_TLBI_IS;
	if (dvmi_sim_guest_fb(s))
		to->broadcast = true;
	else if (s->cfg->vm_fnb)
		to->broadcast = false;
	to->first = to->broadcast ? 0 : c->pcpu;
	to->end = to->broadcast ? s->cpus_count : c->pcpu + 1;
	if (!ret && to->domain != DVMI_NO_DOMAIN)
		dvmi_domain_cpus(dvmi_fabric_domains(s->fabric), to->domain, &to->first, &to->end);
	return ret;
}

static int issue(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_hook_run *h,
		 const struct dvmi_tlbi_op *op, const struct dvmi_insn *i, uint64_t now,
		 uint64_t *next)
{
	const struct dvmi_tlbi_op pages = on_pages(s, h, op);
	struct reach to;
	uint64_t tag = 0;
	int ret = reach_of(s, c, i, &to);

	if (ret)
		return ret;
	if (to.broadcast) {
		if (s->tlbs)
			ret = dvmi_tlbs_tag(s->tlbs, dvmi_cpu_vmid(c), h->mm,
					    (uint16_t)h->frame.asid, &pages, &tag);
		if (!ret)
			ret = dvmi_core_tlbi_in(&s->core, c->pcpu, now, tag, to.domain, next);
		if (ret == DVMI_FABRIC_BLOCKED) {
			dvmi_tlbs_untag(s->tlbs, tag);
			*next = DVMI_NEVER;
		}
		if (ret)
			return ret < 0 ? ret : 0;
		s->stats.tlbi_broadcast++;
		h->broadcast = true;
	} else {
		*next = dvmi_core_tlbi_local(&s->core, c->pcpu, now);
		if (s->tlbs)
			ret = dvmi_tlbs_local(s->tlbs, c->pcpu, dvmi_cpu_vmid(c), h->mm,
					      (uint16_t)h->frame.asid, &pages, now,
					      s->stats.elapsed_ps);
		if (ret == -DVM_ENOMEM)
			return ret;
		if (ret)
			return dvmi_error(s->err, DVM_EINVAL, h->program->name,
					  "a TLBI operand names no address");
		s->stats.tlbi_local++;
		h->local = true;
	}
	h->tlbis++;
	if (to.domain != DVMI_NO_DOMAIN)
		tell_domain(s, c, h, op, &to);
	else
		tell_oracle(s, c, h, op, to.broadcast);
	note_refills(s, c, h, op, &to);
	return 0;
}

/* Set out the operations of one `tlbi`. */
static void begin_ops(const struct dvm_sim *s, struct dvmi_hook_run *h, const struct dvmi_insn *i)
{
	struct dvmi_request r = h->request;
	struct dvmi_flush_rules rules = s->rules;

	if (i->what != DVMI_TLBI_REQUEST)
		r.kind = DVMI_REQUEST_ASID;
	if (i->flags & DVMI_TLBI_LEAF)
		r.flags |= DVMI_REQUEST_LEAF;
	if ((i->flags & DVMI_TLBI_BADTTL) && r.level < DVMI_LEVEL_UNKNOWN)
		r.level = r.level ? r.level - 1 : 1;
	/* Kernel mappings and VMALLE1 have no user-side twin. */
	if (!h->mm || i->what == DVMI_TLBI_ALL || (i->flags & DVMI_TLBI_NOTWIN))
		rules.kpti = false;
	dvmi_expand(&h->ops, &r, &rules);
}

enum { OP_NEXT, OP_ISSUE, OP_REPEAT_DSB = 8, OP_REPEAT = 16, OP_OVER = 24 };

/*
 * Each operation in turn. The old form of the erratum workaround makes it TLBI; DSB ISH; TLBI,
 * local ones too (kernels before 7.0).
 */
int dvmi_effect_tlbi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret = 0;

	*next = now;
	if (h->stage == OP_NEXT) {
		if (!h->ops_begun)
			begin_ops(s, h, i);
		h->ops_begun = true;
		h->stage = dvmi_expand_next(&h->ops, &h->op) ? OP_ISSUE : OP_OVER;
		if (i->what == DVMI_TLBI_ALL)
			h->op.form = DVMI_FORM_VMALL;
	}
	if (h->stage == OP_ISSUE) {
		ret = issue(s, c, h, &h->op, i, now, next);
		if (!ret && *next != DVMI_NEVER)
			h->stage = s->repeat_old ? OP_REPEAT_DSB : OP_NEXT;
		return ret;
	}
	if (h->stage >= OP_REPEAT_DSB && h->stage < OP_REPEAT) {
		ret = dvmi_effect_dsb_in(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < OP_REPEAT)
			return ret;
	}
	if (h->stage == OP_REPEAT) {
		ret = issue(s, c, h, &h->op, i, now, next);
		if (!ret && *next != DVMI_NEVER)
			h->stage = OP_NEXT;
		return ret;
	}
	if (h->stage == OP_OVER) {
		h->ops_begun = false;
		h->stage = 0;
		dvmi_frame_result(&h->frame, 0, &h->env);
	}
	return 0;
}

enum { SYNC_DSB = 0, SYNC_REPEAT = 8, SYNC_REPEAT_DSB = 16, SYNC_SME = 24, SYNC_OVER };

/*
 * The kernel's sync: DSB ISH; on affected parts one more TLBI VALE1IS, XZR with its DSB; on others an
 * interrupt to the CPUs that are in user mode with SME state.
 */
int dvmi_effect_sync(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret;

	*next = now;
	if (h->stage < SYNC_REPEAT) {
		ret = dvmi_effect_dsb_in(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < SYNC_REPEAT)
			return ret;
		if (!s->repeat_new)
			h->stage = SYNC_SME;
	}
	if (h->stage == SYNC_REPEAT && s->cfg->vm_fnb) {
		*next = dvmi_core_tlbi_local(&s->core, c->pcpu, now);
		s->stats.tlbi_local++;
		h->stage = SYNC_REPEAT_DSB;
		if (*next != now)
			return 0;
	}
	if (h->stage == SYNC_REPEAT) {
		ret = dvmi_core_tlbi_broadcast(&s->core, c->pcpu, now, 0, next);
		if (ret == DVMI_FABRIC_BLOCKED)
			*next = DVMI_NEVER;
		if (ret)
			return ret < 0 ? ret : 0;
		s->stats.tlbi_broadcast++;
		h->tlbis++;
		h->stage = SYNC_REPEAT_DSB;
		if (*next != now)
			return 0;
	}
	if (h->stage >= SYNC_REPEAT_DSB && h->stage < SYNC_SME) {
		ret = dvmi_effect_dsb_in(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < SYNC_SME)
			return ret;
	}
	if (h->stage == SYNC_SME) {
		ret = dvmi_sme_wait(s, c, now, next);
		if (ret)
			return ret;
	}
	h->stage = 0;
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}
