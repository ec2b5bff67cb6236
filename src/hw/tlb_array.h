/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TLB_ARRAY_H
#define DVMI_HW_TLB_ARRAY_H

#include "hw/tlb.h"

/*
 * The packed key of an entry: 48-bit addresses, 16-bit ASIDs, 32 VMIDs. A record of a batch,
 * shifted right by 12, has its address, write and half bits in place. In a query WRITE says "this
 * is a write", in an entry "writes are allowed".
 */
#define KEY_VA ((UINT64_C(1) << 36) - 1)
#define KEY_WRITE (UINT64_C(1) << 36)
#define KEY_GLOBAL (UINT64_C(1) << 37)
#define KEY_UPPER (UINT64_C(1) << 38)
#define KEY_ASID_SHIFT 39
#define KEY_ASID (UINT64_C(0xffff) << KEY_ASID_SHIFT)
#define KEY_VMID_SHIFT 55
#define KEY_VMID (UINT64_C(0x1f) << KEY_VMID_SHIFT)
#define KEY_CLASS_SHIFT 60
#define KEY_CLASS (UINT64_C(7) << KEY_CLASS_SHIFT) /* 0: the slot is free */
#define KEY_STALE (UINT64_C(1) << 63)
#define KEY_QUERY (KEY_VA | KEY_WRITE | KEY_UPPER)

static inline unsigned key_class(uint64_t key)
{
	return (unsigned)(key >> KEY_CLASS_SHIFT) & 7;
}

/*
 * Presence: how many entries each (VMID, ASID) has, hashed; global entries are counted by half. An
 * operation looks at two counters before anything else.
 */
#define BUCKETS 512
#define BUCKET_GLOBAL 508 /* + half */
#define BUCKET_NONE 510	  /* always 0 */
#define BUCKET_ANY 511	  /* all entries */

static inline unsigned key_bucket(uint64_t key)
{
	uint64_t who = (key & (KEY_ASID | KEY_VMID)) >> KEY_ASID_SHIFT;

	if (key & KEY_GLOBAL)
		return BUCKET_GLOBAL + ((key & KEY_UPPER) ? 1 : 0);
	return (unsigned)(who % BUCKET_GLOBAL);
}

/*
 * Entries of the fully associative arrays, counted by a hash of what they cover, so that most
 * addresses are known to be absent without a sweep.
 */
#define NEAR_BITS 10

struct tlb_counts {
	uint32_t present[BUCKETS];
	uint16_t near[1 << NEAR_BITS];
};

/* An entry of an L1 as the fast path compares it: (query & mask) == match. */
struct tlb_match {
	uint64_t mask, match;
};

/* A set-associative array with LRU stamps; the least stamp is the victim, 0 marks a free slot. */
struct tlb_array {
	uint32_t entries, ways, sets;
	uint32_t set_mask; /* sets - 1 when that is a power of two, else 0 */
	uint8_t shift[8];  /* by class: log2 of the 4-KiB units covered */
	uint8_t classes;   /* valid: 1..classes */
	uint8_t table;	   /* 1: the walk cache, 2: stage 2: other shifts, other hashes */
	uint8_t used;	   /* bit c: count[c] is not 0 */
	uint32_t count[8][2]; /* by class, global */
	uint64_t *key;
	uint64_t *version;
	uint32_t *stamp;
	struct tlb_match *match; /* L1 only, else NULL */
	/*
	 * With a second stage, of leaf arrays: the class of the stage-1 leaf that an entry was made
	 * from, which is larger than its own where stage 2 splinters it. Else NULL.
	 */
	uint8_t *whole;
	uint8_t splinters; /* bit c: splinters[c] is not 0 */
	uint32_t splinter_count[8]; /* entries smaller than their stage-1 leaf, by its class */
};

/* An operation in the form that is applied. */
struct tlb_op {
	uint64_t want, fixed;  /* (key ^ want) & fixed must be 0 */
	uint64_t asid_mask;    /* the same for non-global keys; KEY_ASID or 0 */
	uint64_t first, last;  /* 4-KiB units, inclusive */
	uint64_t base_ps;
	uint64_t version;      /* watches: entries older than this, */
	uint32_t by;	       /* and as old ones of CPUs that come before this one */
	uint16_t bucket[2];
	uint8_t kind;
	uint8_t leaf_classes, walk_classes; /* bit c: entries of class c may match */
	uint8_t stage2_classes;
	uint8_t hit_global;
};

#define NO_SLOT UINT32_MAX

struct tlb_shape {
	uint32_t entries, ways;
	int match; /* an L1 */
	int whole; /* entries may be splinters */
};

size_t tlb_array_bytes(const struct tlb_shape *shape);
/* @memory: tlb_array_bytes() zeroed bytes, aligned to 16. */
void tlb_array_init(struct tlb_array *a, const struct tlb_shape *shape, char *memory);

static inline uint32_t tlb_array_set(const struct tlb_array *a, uint64_t key, unsigned class)
{
	uint64_t unit = (key & KEY_VA) >> a->shift[class];

	return (uint32_t)(a->set_mask || a->sets == 1 ? unit & a->set_mask : unit % a->sets);
}

static inline unsigned tlb_near(const struct tlb_array *a, uint64_t va, unsigned class)
{
	uint64_t unit = (va & KEY_VA) >> a->shift[class];

	unit |= (uint64_t)(class + 8u * a->table) << 40;
	/* Two rounds: one is linear, and ranges would fall on each other. */
	unit = (unit ^ unit >> 11) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(((unit ^ unit >> 32) * UINT64_C(0xbf58476d1ce4e5b9)) >> (64 - NEAR_BITS));
}

/* The entry of @class, global or not, that serves @query; NO_SLOT. */
uint32_t tlb_array_find_class(const struct tlb_array *a, uint64_t query, unsigned class,
			      int global);
/* The same over all classes: smallest first, non-global before global. */
uint32_t tlb_array_find(const struct tlb_array *a, uint64_t query);
/* The slot a new entry @key goes to. */
uint32_t tlb_array_victim(const struct tlb_array *a, uint64_t key);
/* Replace @slot. @counts: the TLB's. */
void tlb_array_put(struct tlb_array *a, uint32_t slot, uint64_t key, uint64_t version,
		   uint32_t stamp, struct tlb_counts *counts);
/* The entry in @slot, just put, is made from a stage-1 leaf of class @whole. */
void tlb_array_set_whole(struct tlb_array *a, uint32_t slot, unsigned whole);
/* The key that the stage-1 leaf of the entry in @slot would have. */
uint64_t tlb_array_stage1_key(const struct tlb_array *a, uint32_t slot);
void tlb_array_drop(struct tlb_array *a, uint32_t slot, struct tlb_counts *counts);
/* Drop what the new @key would overlap (L1). */
void tlb_array_make_room(struct tlb_array *a, uint64_t key, struct tlb_counts *counts);
/*
 * Apply @op to entries of @classes: drop (returns how many) or, for a watch, mark those of a version
 * before @before; 0: no watch.
 */
uint64_t tlb_array_apply(struct tlb_array *a, const struct tlb_op *op, unsigned classes,
			 uint64_t before, struct tlb_counts *counts);
/* Make the stamps small again, in the same order. */
void tlb_array_restamp(struct tlb_array *a);

/* The key of the entry of @class that would serve @query. */
static inline uint64_t tlb_key(const struct tlb_array *a, uint64_t query, unsigned class,
			       int global)
{
	uint64_t key = query & (KEY_UPPER | KEY_VMID | (global ? 0 : KEY_ASID));

	key |= (query & KEY_VA) >> a->shift[class] << a->shift[class];
	return key | ((uint64_t)class << KEY_CLASS_SHIFT) | (global ? KEY_GLOBAL : 0);
}

/* Compile; -DVM_EINVAL for operands out of range. */
int tlb_op_init(struct tlb_op *op, const struct dvmi_granule *g, const struct dvmi_inval *inval,
		struct dvm_error *err);

static inline int tlb_op_matches(const struct tlb_op *op, uint64_t key)
{
	if ((key ^ op->want) & op->fixed)
		return 0;
	if (key & KEY_GLOBAL)
		return op->hit_global;
	return !((key ^ op->want) & op->asid_mask);
}

#endif
