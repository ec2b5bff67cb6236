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

/* One walk on its way. */
struct walk {
	struct dvmi_tlb *tlb;
	const struct dvmi_tlb_context *context;
	uint64_t record, query, version, now_ps;
	struct dvmi_tlb_result *result;
};

static void use_stale(const struct walk *w, uint64_t version, enum tlb_use use)
{
	w->result->flags |= DVMI_TLB_STALE;
	tlb_note_stale(w->tlb, w->record, version, use, w->now_ps);
}

/* Translate @ipa by stage 2. Return: descriptors fetched. */
static unsigned stage2(const struct walk *w, uint64_t ipa)
{
	const struct dvmi_stage2 *s = w->context->stage2;
	struct dvmi_tlb *tlb = w->tlb;
	struct tlb_array *a = &tlb->part[DVMI_PART_STAGE2];
	uint64_t query = (ipa >> 12 & KEY_VA) | (tlb->who & KEY_VMID), key;
	uint32_t slot = NO_SLOT;

	if (a->entries && tlb->counts.near[tlb_near(a, query, s->size_class)])
		slot = tlb_array_find_class(a, query, s->size_class, 0);
	if (slot != NO_SLOT) {
		tlb->stats.stage2_hits++;
		a->stamp[slot] = ++tlb->clock;
		if (a->key[slot] & KEY_STALE)
			use_stale(w, a->version[slot], TLB_USE_STAGE2);
		return 0;
	}
	tlb->stats.stage2_walks++;
	if (a->entries) {
		key = tlb_key(a, query, s->size_class, 0);
		tlb_array_put(a, tlb_array_victim(a, key), key,
			      w->context->timed ? w->version : s->version, ++tlb->clock,
			      &tlb->counts);
	}
	return s->reads;
}

static unsigned stage2_of_table(const struct walk *w, unsigned level)
{
	if (!w->context->stage2)
		return 0;
	return stage2(w, dvmi_stage2_table(w->context->stage2, &w->tlb->granule, w->context->space,
					   (w->record & DVMI_ACCESS_UPPER) != 0, w->record, level));
}

/*
 * Down to a leaf of @leaf_level, filling the walk cache with the table descriptors read; 0: not
 * mapped, which is found out at level 3, and nothing is kept. Return: descriptors fetched.
 */
static unsigned stage1(const struct walk *w, unsigned leaf_level, int global)
{
	struct dvmi_tlb *tlb = w->tlb;
	struct tlb_array *wc = &tlb->part[DVMI_PART_WALK];
	unsigned target = leaf_level ? leaf_level : 3, level = tlb->granule.start_level, fetches;
	uint32_t slot = find_deepest(wc, w->query, target, level);

	if (slot != NO_SLOT) {
		wc->stamp[slot] = ++tlb->clock;
		level = key_class(wc->key[slot]); /* its level + 1: the first to be read */
		if (wc->key[slot] & KEY_STALE)
			use_stale(w, wc->version[slot], TLB_USE_WALK);
		fetches = 1;
	} else {
		fetches = 1 + stage2_of_table(w, level);
	}
	for (; level < target; level++) {
		fetches += 1 + stage2_of_table(w, level + 1);
		if (wc->entries && leaf_level) {
			uint64_t key = tlb_key(wc, w->query, level + 1, global);

			slot = tlb_array_victim(wc, key);
			tlb_array_put(wc, slot, key, w->version, ++tlb->clock, &tlb->counts);
		}
	}
	return fetches;
}

/* The class of the entry: what both leaves cover. */
static unsigned combined(const struct dvmi_tlb *tlb, const struct dvmi_stage2 *s, unsigned class)
{
	while (s && class > 1 && tlb->granule.cls[class].shift > s->block_shift)
		class--;
	return class;
}

int tlb_walk(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context, uint64_t record,
	     uint64_t query, uint64_t now_ps, struct tlb_fill *fill,
	     struct dvmi_tlb_result *result)
{
	const struct dvmi_ptable *pt = record & DVMI_ACCESS_UPPER ? context->upper : context->lower;
	const struct dvmi_stage2 *s2 = context->stage2;
	const struct dvmi_granule *g = &tlb->granule;
	struct dvmi_xlate x = { g->bits, 1, record & DVMI_ACCESS_UPPER ? 1 : 0 };
	struct walk w = { tlb, context, record, query, 0, now_ps, result };
	int upper = (record & DVMI_ACCESS_UPPER) != 0;
	unsigned class;

	if (pt) {
		x = dvmi_ptable_lookup(pt, record);
		w.version = dvmi_ptable_version(pt);
	}
	if (context->timed)
		w.version = tlb_time(tlb, context, now_ps);
	class = x.size_bits ? dvmi_granule_class(g, x.size_bits) : 0;
	result->level = DVMI_TLB_WALK;
	result->fetches = stage1(&w, g->cls[class].level, x.global);
	if (s2 && class)
		result->fetches += stage2(&w, dvmi_stage2_page(s2, context->space, upper, record,
							       x.size_bits));
	result->cost_ps += result->fetches * tlb->geometry.walk_step_ps;
	tlb->stats.walks++;
	tlb->stats.descriptors += result->fetches;
	if (!class)
		return 0;
	fill->version = w.version;
	fill->whole = class;
	fill->key = tlb_key(&tlb->part[DVMI_PART_L1D], query, combined(tlb, s2, class), x.global) |
		    (x.writable ? KEY_WRITE : 0);
	return 1;
}
