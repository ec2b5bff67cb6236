/* SPDX-License-Identifier: MIT */
#include "hw/domains.h"

void dvmi_domains_init(struct dvmi_domains *d, const struct dvmi_hw *hw,
		       const struct dvmi_topology *topo)
{
	const uint32_t cpus[] = {
		[DVMI_TLBID_CORE] = topo->core_cpus, [DVMI_TLBID_CLUSTER] = topo->cluster_cpus,
		[DVMI_TLBID_DIE] = topo->die_cpus, [DVMI_TLBID_SOCKET] = topo->socket_cpus,
	};
	uint32_t numbers = (UINT32_C(1) << hw->tlbid_nis) - 1;

	d->unit_cpus = cpus[hw->tlbid_unit];
	d->units = topo->cpus / d->unit_cpus;
	d->count = numbers < d->units ? numbers : d->units;
}

void dvmi_domain_cpus(const struct dvmi_domains *d, uint32_t domain, uint32_t *first,
		      uint32_t *end)
{
	/* The units u with u * count / units == domain. */
	uint64_t from = ((uint64_t)domain * d->units + d->count - 1) / d->count;
	uint64_t to = ((uint64_t)(domain + 1) * d->units + d->count - 1) / d->count;

	*first = (uint32_t)from * d->unit_cpus;
	*end = (uint32_t)to * d->unit_cpus;
}
