/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TLB_IMPL_H
#define DVMI_HW_TLB_IMPL_H

#include "hw/tlb_array.h"

#define PREDICT_BITS 9

enum { OP_INVAL, OP_WATCH, OP_LISTS };

/* Sides of the L1: the fetch bit of a record. */
enum { SIDE_DATA, SIDE_FETCH, SIDES };

struct dvmi_tlb {
	/*
	 * The memo: the translation each side used last. It is the most recently used entry of its
	 * L1, so that using it again changes nothing. No record matches mask 0, memo 1.
	 */
	uint64_t memo[SIDES], memo_mask[SIDES];
	uint64_t who;	/* VMID and ASID the memos belong to */
	uint32_t clock; /* LRU stamps given so far */
	struct tlb_array part[DVMI_PARTS];
	struct tlb_counts counts;
	/* Where a page was last found; a guess that the entry's tag verifies. */
	uint16_t predict[SIDES][1 << PREDICT_BITS];
	struct dvmi_granule granule;
	struct dvmi_tlb_geometry geometry;
	struct dvmi_tlb_stats stats;
	struct dvmi_tlb_stale stale;
	int has_stale;
	size_t bytes;

	struct dvmi_tlb_log *log;
	uint64_t hop_ps;
	uint32_t order; /* of its CPU */
	/* Operations of its own still to come, by time. */
	struct tlb_op *own;
	size_t own_n, own_capacity;
	size_t cursor[OP_LISTS]; /* records of the log already applied */
	struct dvmi_tlb *next_attached;
};

static inline struct tlb_array *side_array(struct dvmi_tlb *tlb, unsigned side)
{
	return &tlb->part[side == SIDE_FETCH ? DVMI_PART_L1I : DVMI_PART_L1D];
}

static inline void memo_clear(struct dvmi_tlb *tlb)
{
	for (int side = 0; side < SIDES; side++) {
		tlb->memo_mask[side] = 0;
		tlb->memo[side] = 1;
	}
}

void tlb_op_apply(struct dvmi_tlb *tlb, const struct tlb_op *op, int watch);
/* Apply the TLB's own operations that are due; it has some. */
void tlb_own_settle(struct dvmi_tlb *tlb, uint64_t now_ps);

/* tlb_log.c */
int tlb_log_attach(struct dvmi_tlb_log *log, struct dvmi_tlb *tlb, struct dvm_error *err);
void tlb_log_detach(struct dvmi_tlb_log *log, struct dvmi_tlb *tlb);

/*
 * walk.c. Walk for @query to a leaf of @leaf_level and fill the walk cache with the table
 * descriptors read, unless @leaf_level is 0 (not mapped: charged as a walk to level 3, nothing
 * cached). *@stale: whether a marked walk-cache entry was used; then *@stale_version is its version.
 * Return: descriptors fetched.
 */
unsigned tlb_walk(struct dvmi_tlb *tlb, uint64_t query, unsigned leaf_level, int global,
		  uint64_t version, int *stale, uint64_t *stale_version);

#endif
