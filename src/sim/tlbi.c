/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

/*
 * One TLBI operation: its issue, and what it takes away. In a guest with HCR_EL2.FB set, local
 * operations act as broadcasts (Arm ARM DDI 0487, HCR_EL2.FB).
 */

static void note_refills(struct dvm_sim *s, const struct dvmi_cpu *c, const struct dvmi_hook_run *h,
			 const struct dvmi_tlbi_op *op, bool broadcast)
{
	bool whole = op->form == DVMI_FORM_ASID || op->form == DVMI_FORM_VMALL;
	uint64_t pages = op->pages < h->refill_pages ? op->pages : h->refill_pages;

	/* The KPTI twin removes the same translations under their other name. */
	if (op->user_twin || !h->mm)
		return;
	if (whole)
		pages = UINT64_MAX;
	if (broadcast)
		dvmi_workset_flush_all(s->workset, h->mm, pages);
	else
		dvmi_workset_flush_local(s->workset, c->id, h->mm, pages);
}

int dvmi_tlbi_issue(struct dvm_sim *s, struct dvmi_cpu *c, struct dvmi_hook_run *h,
		    const struct dvmi_tlbi_op *op, bool broadcast, uint64_t now, uint64_t *next)
{
	int ret;

	if (!broadcast && dvmi_sim_guest_fb(s))
		broadcast = true;
	if (broadcast) {
		ret = dvmi_core_tlbi_broadcast(&s->core, c->id, now, 0, next);
		if (ret == DVMI_FABRIC_BLOCKED)
			*next = DVMI_NEVER;
		if (ret)
			return ret < 0 ? ret : 0;
		s->stats.tlbi_broadcast++;
		h->broadcast = true;
		dvmi_oracle_broadcast(s->oracle, h->flush, c->id);
	} else {
		*next = dvmi_core_tlbi_local(&s->core, c->id, now);
		s->stats.tlbi_local++;
		h->local = true;
		dvmi_oracle_local(s->oracle, h->flush, c->id);
	}
	note_refills(s, c, h, op, broadcast);
	return 0;
}
