/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

/* Barriers on the timing machine. */

static enum dvmi_dsb_domain raise_domain(const struct dvm_sim *s, enum dvmi_dsb_domain domain)
{
	enum dvmi_dsb_domain least = DVMI_DSB_NSH;

	if (s->cfg->vm != DVMI_VM_GUEST)
		return domain;
	switch (s->cfg->vm_bsu) { /* HCR_EL2.BSU */
	case DVMI_BSU_IS:
		least = DVMI_DSB_ISH;
		break;
	case DVMI_BSU_OS:
		least = DVMI_DSB_OSH;
		break;
	case DVMI_BSU_SY:
		least = DVMI_DSB_SY;
		break;
	default:
		break;
	}
	return domain > least ? domain : least;
}

/*
 * What a kernel can know of the DVM fabric's load: how long its own barriers wait, by two reads of the
 * counter around them. A moving average in which the last one counts 1/8, as the scheduler's.
 */
static void note_sync(struct dvmi_cpu *c, uint64_t took_ps)
{
	if (!c->sync_ps)
		c->sync_ps = took_ps;
	else
		c->sync_ps = c->sync_ps - c->sync_ps / 8 + took_ps / 8;
}

enum { DSB_BEGIN, DSB_SYNCING, DSB_ENDS };

int dvmi_dsb_act(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
		 enum dvmi_dsb_domain domain, uint64_t now, unsigned *stage, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret;

	domain = raise_domain(s, domain);
	*next = now;
	if (*stage == DSB_BEGIN) {
		h->dsb_ps = now;
		h->dsb_waits_tlbi = type == DVMI_DSB_ALL && domain != DVMI_DSB_NSH &&
				    dvmi_fabric_pending(s->fabric, c->pcpu);
		ret = dvmi_core_dsb(&s->core, c->pcpu, now, type, domain, next);
		if (ret < 0)
			return ret;
		*stage = ret == DVMI_FABRIC_BLOCKED ? DSB_SYNCING : DSB_ENDS;
		if (ret == DVMI_FABRIC_BLOCKED)
			*next = DVMI_NEVER;
		if (*next != now)
			return 0;
	}
	if (*stage == DSB_SYNCING) {
		*next = dvmi_core_dsb_end(&s->core, c->pcpu, now);
		*stage = DSB_ENDS;
		if (*next != now)
			return 0;
	}
	*stage = DSB_BEGIN;
	if (h->dsb_waits_tlbi) {
		dvmi_latency_add(&s->dsb_latency, now - h->dsb_ps);
		note_sync(c, now - h->dsb_ps);
	}
	h->syncs += h->dsb_waits_tlbi;
	if (type == DVMI_DSB_ALL)
		dvmi_oracle_dsb(s->oracle, c->pcpu, domain != DVMI_DSB_NSH);
	return 0;
}

enum dvmi_dsb_type dvmi_insn_dsb_type(const struct dvmi_insn *i)
{
	return i->type == DVMI_BARRIER_ST ? DVMI_DSB_ST :
	       i->type == DVMI_BARRIER_LD ? DVMI_DSB_LD : DVMI_DSB_ALL;
}

enum dvmi_dsb_domain dvmi_insn_dsb_domain(const struct dvmi_insn *i)
{
	static const enum dvmi_dsb_domain domains[] = {
		[DVMI_DOMAIN_NSH] = DVMI_DSB_NSH, [DVMI_DOMAIN_ISH] = DVMI_DSB_ISH,
		[DVMI_DOMAIN_OSH] = DVMI_DSB_OSH, [DVMI_DOMAIN_SY] = DVMI_DSB_SY,
	};

	return domains[i->domain];
}

/* stage / 8: where in the sequence; stage % 8: where in its barrier. */
int dvmi_effect_dsb_in(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
			enum dvmi_dsb_domain domain, uint64_t now, uint64_t *next)
{
	unsigned sub = c->hook.stage % 8, at = c->hook.stage - sub;
	int ret = dvmi_dsb_act(s, c, type, domain, now, &sub, next);

	c->hook.stage = sub ? at + sub : at + 8;
	return ret;
}
