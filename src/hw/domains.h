/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_DOMAINS_H
#define DVMI_HW_DOMAINS_H

#include "hw/topology.h"

/*
 * TLBI domains (FEAT_TLBID, Armv9.7): "the set of PEs is reduced to be PEs that are also within the
 * TLBI Domain specified in the TLBID field". How a PE gets into a domain, and what the numbers are,
 * is not in the public material; docs/model-hardware.md lists what is chosen here:
 *   - a domain is one unit (core, cluster, die, socket) of the topology. Number 0 of the operand
 *     means no restriction, for software that leaves the field 0 must reach every PE; so NIS bits
 *     number up to 2^NIS - 1 domains. More units than that: neighbours share a domain, evenly;
 *   - each PE is in one domain.
 * Here domains are counted from 0 and the operand is one more.
 */
struct dvmi_domains {
	uint32_t count;		   /* 0: without FEAT_TLBID */
	uint32_t units, unit_cpus; /* of the topology */
};

void dvmi_domains_init(struct dvmi_domains *d, const struct dvmi_hw *hw,
		       const struct dvmi_topology *topo);

/* The domain of @cpu; 0 where there are none. */
static inline uint32_t dvmi_domain_of(const struct dvmi_domains *d, uint32_t cpu)
{
	return (uint32_t)((uint64_t)(cpu / d->unit_cpus) * d->count / d->units);
}

/* Its CPUs are [*@first, *@end). */
void dvmi_domain_cpus(const struct dvmi_domains *d, uint32_t domain, uint32_t *first,
		      uint32_t *end);

#endif
