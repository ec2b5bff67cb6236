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
	struct dvmi_granule granule, stage2_granule;
	struct dvmi_tlb_geometry geometry;
	struct dvmi_tlb_stats stats;
	struct dvmi_tlb_stale stale;
	int has_stale;
	size_t bytes;

	struct dvmi_tlb_log *log;
	uint64_t hop_ps;
	uint32_t order, threads; /* of its first CPU; how many share it */
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

/* The classes of entries in @part that @op may concern. */
static inline unsigned tlb_op_classes(const struct tlb_op *op, int part)
{
	return part == DVMI_PART_STAGE2 ? op->stage2_classes :
	       part == DVMI_PART_WALK	? op->walk_classes :
					  op->leaf_classes;
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

/* The version of what is filled at @now_ps: of those that share a TLB, lower CPUs come first. */
static inline uint64_t tlb_time(const struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context,
				uint64_t now_ps)
{
	return now_ps * tlb->threads + context->thread;
}

enum tlb_use { TLB_USE_LEAF, TLB_USE_WALK, TLB_USE_STAGE2 };

/* A marked entry was used. */
void tlb_note_stale(struct dvmi_tlb *tlb, uint64_t record, uint64_t version, enum tlb_use use,
		    uint64_t now_ps);

/* What a new translation is made of. */
struct tlb_fill {
	uint64_t key, version;
	unsigned whole; /* class of the stage-1 leaf */
};

/* walk.c. Read the tables for @record, and let the caches of walks learn. 0: it is not mapped. */
int tlb_walk(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context, uint64_t record,
	     uint64_t query, uint64_t now_ps, struct tlb_fill *fill,
	     struct dvmi_tlb_result *result);

#endif
