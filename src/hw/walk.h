/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_WALK_H
#define DVMI_HW_WALK_H

#include "hw/granule.h"

#include <stdint.h>

/*
 * A walk reads one descriptor per level, from the start level down to the leaf. The walk cache
 * holds table descriptors (levels above the leaf): the deepest one that covers the address saves
 * everything down to and including its own level.
 */

/* Descriptors of a walk to @leaf_level (start level..3) that finds nothing cached. */
unsigned dvmi_walk_descriptors(const struct dvmi_granule *g, unsigned leaf_level);

/* The same with @n1 descriptors of stage 1 and @n2 of stage 2, which is in force. */
static inline unsigned dvmi_walk_nested(unsigned n1, unsigned n2)
{
	return (n1 + 1) * (n2 + 1) - 1;
}

/*
 * Time for @misses independent walks of @walk_ps each on @walkers walkers: they go in
 * ceil(misses / walkers) rounds. Saturates at UINT64_MAX.
 */
uint64_t dvmi_walk_parallel_ps(uint64_t misses, unsigned walkers, uint64_t walk_ps);

#endif
