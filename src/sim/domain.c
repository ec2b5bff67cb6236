/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include "base/error.h"
#include "base/mem.h"

#include <inttypes.h>

/*
 * TLBI domains (FEAT_TLBID) as a kernel sees them. On the part itself, the part's own. A guest names
 * virtual domains, which VTLBID<n>_EL2 translates where HCRX_EL2.VTLBIDEn is set: here the
 * hypervisor does that (vm_tlbid) for a guest whose vCPUs are the CPUs (no vm_count), and if
 * there are numbers for all domains (TLBIDIDR_EL1.NVIS); the virtual numbers are then the physical
 * ones. Any other guest has no domains.
 */
static bool has_domains(const struct dvm_sim *s, const struct dvmi_domains *d)
{
	if (!d->count || s->cfg->vm != DVMI_VM_GUEST)
		return d->count != 0;
	return s->cfg->vm_tlbid && !s->cfg->vm_count &&
	       d->count <= UINT32_C(1) << s->hw->tlbid_nvis;
}

int dvmi_sim_domains_init(struct dvm_sim *s)
{
	const struct dvmi_domains *d = dvmi_fabric_domains(s->fabric);

	if (!has_domains(s, d))
		return 0;
	s->domain_of = dvmi_calloc(s->cpus_count, sizeof(*s->domain_of));
	if (!s->domain_of)
		return -DVM_ENOMEM;
	s->domains_count = d->count;
	for (uint32_t c = 0; c < s->cpus_count; c++)
		s->domain_of[c] = (uint16_t)dvmi_domain_of(d, c);
	return 0;
}

int dvmi_sim_domain(const struct dvm_sim *s, const struct dvmi_hook_run *h,
		    const struct dvmi_insn *i, uint32_t *domain)
{
	uint64_t n;

	*domain = DVMI_NO_DOMAIN;
	if (i->src[0].kind == DVMI_NONE)
		return 0;
	n = dvmi_frame_value(&h->frame, &i->src[0], &h->env);
	if (n >= s->domains_count)
		return dvmi_error_at(s->err, DVM_EFORMAT, h->program->name, i->line, i->column,
				     "names TLBI domain %" PRIu64 " of %u", n, s->domains_count);
	*domain = (uint32_t)n;
	return 0;
}
