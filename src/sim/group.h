/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_GROUP_H
#define DVMI_SIM_GROUP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The address spaces of one kernel, or virtual machine: copies of a workload have `per_copy` numbers
 * each, from 1 on, and are dealt to `groups` kernels in turn. What a TLB tags with a VMID.
 */
struct dvmi_mm_group {
	uint32_t per_copy, groups, which;
};

static inline bool dvmi_mm_in_group(const struct dvmi_mm_group *g, uint32_t mm)
{
	return g->groups == 1 || (mm && (mm - 1) / g->per_copy % g->groups == g->which);
}

#endif
