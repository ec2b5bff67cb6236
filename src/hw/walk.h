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

/*
 * Time for @misses independent walks of @walk_ps each on @walkers walkers: they go in
 * ceil(misses / walkers) rounds. Saturates at UINT64_MAX.
 */
uint64_t dvmi_walk_parallel_ps(uint64_t misses, unsigned walkers, uint64_t walk_ps);

#endif
