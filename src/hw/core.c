/* SPDX-License-Identifier: MIT */
#include "hw/core.h"

#include "base/mem.h"

#include <dvmsim/error.h>

int dvmi_core_init(struct dvmi_core *core, const struct dvmi_hw *hw, struct dvmi_fabric *fabric)
{
	struct dvmi_core_cpu *cpus = dvmi_calloc(dvmi_fabric_topology(fabric)->cpus, sizeof(*cpus));

	if (!cpus)
		return -DVM_ENOMEM;
	*core = (struct dvmi_core){hw, fabric, cpus};
	return 0;
}

void dvmi_core_fini(struct dvmi_core *core)
{
	dvmi_free(core->cpus);
	core->cpus = NULL;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void dvmi_core_store(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps)
{
	dvmi_core_store_until(core, cpu, now_ps + core->hw->barrier_store_drain_ps);
}

void dvmi_core_store_until(struct dvmi_core *core, uint32_t cpu, uint64_t done_ps)
{
	struct dvmi_core_cpu *c = &core->cpus[cpu];

	c->stores_ps = later(c->stores_ps, done_ps);
}

void dvmi_core_load_until(struct dvmi_core *core, uint32_t cpu, uint64_t done_ps)
{
	struct dvmi_core_cpu *c = &core->cpus[cpu];

	c->loads_ps = later(c->loads_ps, done_ps);
}

uint64_t dvmi_core_tlbi_local(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps)
{
	core->cpus[cpu].local = true;
	return now_ps + core->hw->tlbi_issue_local_ps;
}

int dvmi_core_tlbi_broadcast(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, uint64_t tag,
			     uint64_t *free_ps)
{
	return dvmi_fabric_tlbi(core->fabric, cpu, now_ps, tag, free_ps);
}

int dvmi_core_tlbi_in(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		      uint32_t domain, uint64_t *free_ps)
{
	return dvmi_fabric_tlbi_in(core->fabric, cpu, now_ps, tag, domain, free_ps);
}

int dvmi_core_dsb(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, enum dvmi_dsb_type type,
		  enum dvmi_dsb_domain domain, uint64_t *done_ps)
{
	const struct dvmi_hw *hw = core->hw;
	struct dvmi_core_cpu *c = &core->cpus[cpu];
	uint64_t t = now_ps;
	int ret;

	/* DSB ST and LD complete no TLBI, whatever their domain. */
	if (type != DVMI_DSB_ALL) {
		t = later(t, type == DVMI_DSB_ST ? c->stores_ps : c->loads_ps);
		*done_ps = t + hw->barrier_dsb_st_ps;
		return DVMI_FABRIC_DONE;
	}
	t = later(t, later(c->stores_ps, c->loads_ps));
	if (domain == DVMI_DSB_NSH) {
		c->local = false;
		*done_ps = t + hw->barrier_dsb_nsh_ps;
		return DVMI_FABRIC_DONE;
	}
	if (c->local)
		t += hw->barrier_dsb_nsh_ps;
	ret = dvmi_fabric_sync(core->fabric, cpu, now_ps);
	if (ret < 0)
		return ret;
	c->local = false;
	c->dsb_ps = t;
	if (ret == DVMI_FABRIC_DONE)
		*done_ps = dvmi_core_dsb_end(core, cpu, now_ps);
	return ret;
}

uint64_t dvmi_core_dsb_end(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps)
{
	return later(now_ps, core->cpus[cpu].dsb_ps) + core->hw->barrier_dsb_ish_ps;
}

uint64_t dvmi_core_dmb(const struct dvmi_core *core, uint64_t now_ps)
{
	return now_ps + core->hw->barrier_dmb_ps;
}

uint64_t dvmi_core_isb(const struct dvmi_core *core, uint64_t now_ps)
{
	return now_ps + core->hw->barrier_isb_ps;
}
