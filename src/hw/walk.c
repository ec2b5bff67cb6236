/* SPDX-License-Identifier: MIT */
#include "hw/walk.h"

#include "hw/tlb_impl.h"

unsigned dvmi_walk_descriptors(const struct dvmi_granule *g, unsigned leaf_level)
{
	return leaf_level < g->start_level ? 0 : leaf_level - g->start_level + 1;
}

uint64_t dvmi_walk_parallel_ps(uint64_t misses, unsigned walkers, uint64_t walk_ps)
{
	uint64_t rounds;

	if (!walkers)
		walkers = 1;
	rounds = misses / walkers + (misses % walkers != 0);
	if (walk_ps && rounds > UINT64_MAX / walk_ps)
		return UINT64_MAX;
	return rounds * walk_ps;
}

/* Level l is class l + 1 of the walk cache; the deepest entry wins, non-global before global. */
static uint32_t find_deepest(const struct tlb_array *wc, uint64_t query, unsigned leaf_level,
			     unsigned start_level)
{
	for (unsigned level = leaf_level; level-- > start_level;) {
		for (int global = 0; global < 2; global++) {
			uint32_t slot = tlb_array_find_class(wc, query, level + 1, global);

			if (slot != NO_SLOT)
				return slot;
		}
	}
	return NO_SLOT;
}

unsigned tlb_walk(struct dvmi_tlb *tlb, uint64_t query, unsigned leaf_level, int global,
		  uint64_t version, int *stale, uint64_t *stale_version)
{
	struct tlb_array *wc = &tlb->part[DVMI_PART_WALK];
	unsigned target = leaf_level ? leaf_level : 3, level = tlb->granule.start_level;
	unsigned fetches;
	uint32_t slot = find_deepest(wc, query, target, level);

	*stale = 0;
	if (slot != NO_SLOT) {
		wc->stamp[slot] = ++tlb->clock;
		level = key_class(wc->key[slot]); /* its level + 1: the first to be read */
		*stale = (wc->key[slot] & KEY_STALE) != 0;
		*stale_version = wc->version[slot];
	}
	fetches = target - level + 1;
	if (!wc->entries || !leaf_level)
		return fetches;
	for (; level < leaf_level; level++) {
		uint64_t key = tlb_key(wc, query, level + 1, global);

		slot = tlb_array_victim(wc, key);
		tlb_array_put(wc, slot, key, version, ++tlb->clock, &tlb->counts);
	}
	return fetches;
}
