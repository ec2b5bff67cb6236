/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TLB_H
#define DVMI_HW_TLB_H

#include "hw/granule.h"
#include "hw/ptable.h"
#include "hw/stage2.h"
#include "hw/tlb_log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The TLBs of one CPU: L1 instruction, L1 data, unified L2, a walk cache, and for virtual machines a
 * cache of stage-2 translations; exact, with true LRU.
 *
 * Rules (each has a test, and tests/hw/ref_tlb.c is the same rules written plainly):
 *  - An entry is keyed by VMID, ASID (unless global), half of the address space (VA bit 55) and
 *    its naturally aligned unit. A global entry serves every ASID of its VMID.
 *  - An access looks in its L1, then in L2, then walks. An L2 hit fills the L1; a walk fills both.
 *    Levels are neither inclusive nor exclusive. The victim is an invalid slot, else the least
 *    recently used of the set.
 *  - The set is (VA / size of the entry) mod sets. The ASID is not hashed into it.
 *  - An L1 holds at most one translation for an address: a fill drops what it overlaps (the
 *    architecture lets any entry go at any time). L2 may hold several sizes after a change without
 *    break-before-make; the smallest size wins, non-global before global.
 *  - A write through a read-only entry is a permission fault; it counts as a use of the entry.
 *  - Cost: what the caller charges per access; + l2_hit_ps when L1 missed; + walk_step_ps for
 *    each descriptor fetched when L2 missed. Walks of one instruction stream do not overlap; see
 *    dvmi_walk_parallel_ps() for independent misses.
 *
 * With a second stage (context.stage2):
 *  - Entries hold both stages in one (Arm ARM DDI 0487, D8, "Use of ASIDs and VMIDs"; "Caching of
 *    translation table entries"): an entry covers the smaller of what the two leaves cover. Where
 *    that is the stage-2 leaf, a large page of the guest takes many entries, and an operation by
 *    address still removes all of them: it names the stage-1 leaf, whose size and level count.
 *  - A walk translates the address of each table that it reads by stage 2, and the address that
 *    the leaf gives. A walk-cache entry has the next table's address translated already.
 *  - A stage-2 translation is served by the stage-2 cache, else it reads stage2.reads descriptors.
 *    With n1 and n2 descriptors and nothing cached, (n1 + 1) * (n2 + 1) - 1 are read.
 *  - Stage-1 operations leave the stage-2 cache alone, stage-2 operations by address leave combined
 *    entries alone (DDI 0487: a stage-1 operation must follow).
 */
struct dvmi_tlb_geometry {
	int granule_bits; /* 12, 14, 16 */
	int va_bits;	  /* 36..48 */
	int l1i_entries, l1i_ways; /* ways 0: fully associative */
	int l1d_entries, l1d_ways;
	int l2_entries, l2_ways; /* 0 entries: no L2 */
	int walk_cache_entries; /* fully associative; 0: none */
	int walkers;
	int stage2_entries; /* stage-2 translations, fully associative; 0: none are kept */
	int stage2_granule_bits; /* of the hypervisor's tables; 0: there is no stage 2 */
	uint64_t l2_hit_ps, walk_step_ps;
};

/* Limits of the packed key. */
#define DVMI_TLB_VMIDS 32
#define DVMI_TLB_L1_MAX 1024
#define DVMI_TLB_L2_MAX 32768
#define DVMI_TLB_WALK_MAX 1024

struct dvmi_tlb;

/*
 * What the CPU has installed. The tables are borrowed and may be NULL: all base pages, writable,
 * global in the upper half only, version 0. With @timed the version of an entry is not its table's
 * but the time of the access that filled it: a CPU that runs ahead of the CPU that changes a table
 * can not know the table's version yet, but it knows the time.
 */
struct dvmi_tlb_context {
	uint16_t asid;
	uint8_t vmid;
	uint8_t thread; /* of those that share the TLB, from 0 */
	bool timed;
	const struct dvmi_ptable *lower, *upper;
	/* In a virtual machine whose stage 2 is on, else NULL; and the address space's number there. */
	const struct dvmi_stage2 *stage2;
	uint32_t space;
};

/* One access in a batch: VA[47:0] and these. */
#define DVMI_ACCESS_WRITE (UINT64_C(1) << 48)
#define DVMI_ACCESS_FETCH (UINT64_C(1) << 49)
#define DVMI_ACCESS_UPPER (UINT64_C(1) << 50) /* VA bit 55: the TTBR1 half */

enum dvmi_tlb_level { DVMI_TLB_L1, DVMI_TLB_L2, DVMI_TLB_WALK };

/* What an access met besides a translation. */
#define DVMI_TLB_STALE 1u    /* used an entry a completed flush should have removed */
#define DVMI_TLB_READONLY 2u /* permission fault: a write through a read-only entry */
#define DVMI_TLB_UNMAPPED 4u /* translation fault; nothing is cached */

struct dvmi_tlb_result {
	enum dvmi_tlb_level level;
	unsigned flags;
	unsigned fetches; /* descriptors read by the walk, of both stages */
	uint64_t cost_ps; /* beyond the caller's own cost of an access */
};

struct dvmi_tlb_stats {
	uint64_t accesses, writes_refused, unmapped;
	uint64_t l1i_misses, l1d_misses, l2_hits, walks, descriptors;
	uint64_t stage2_hits, stage2_walks; /* of walks' stage-2 translations */
	uint64_t invalidated; /* entries removed by invalidations, walk-cache entries included */
	uint64_t stale_uses;
};

/* The first use of a stale entry since the TLB was made. */
struct dvmi_tlb_stale {
	uint64_t va; /* bits 47:0, DVMI_ACCESS_* as in a record */
	uint16_t asid;
	uint8_t vmid;
	bool walk;   /* a walk-cache entry, not a translation */
	bool stage2; /* a stage-2 translation */
	uint64_t version; /* of the entry */
	uint64_t time_ps;
};

/*
 * @log: where this CPU's broadcasts are posted (borrowed, must outlive the TLB); NULL: none.
 * @hop_ps: an operation of base time b takes effect here at b + @hop_ps.
 * Return: 0, -DVM_EINVAL, -DVM_ELIMIT, -DVM_ENOMEM.
 */
int dvmi_tlb_new(struct dvmi_tlb **out, const struct dvmi_tlb_geometry *geometry,
		 struct dvmi_tlb_log *log, uint64_t hop_ps, struct dvm_error *err);
void dvmi_tlb_free(struct dvmi_tlb *tlb);

/*
 * The place of this TLB's CPU in the order of what happens at one instant; 0 unless set. @threads
 * CPUs, this and the next ones, may share it (FEAT_TTCNP): then an access says by context.thread which
 * of them makes it. What one filled serves all, a local operation of one acts on all.
 */
void dvmi_tlb_set_order(struct dvmi_tlb *tlb, uint32_t order, unsigned threads);

/* One access at @now_ps, after settling up to it. @record as in a batch. */
void dvmi_tlb_access(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context, uint64_t record,
		     uint64_t now_ps, struct dvmi_tlb_result *result);

enum dvmi_tlb_stop {
	DVMI_TLB_END,	/* all records done */
	DVMI_TLB_LIMIT, /* the next record would start at or after the limit */
	DVMI_TLB_FAULT, /* the record at the returned index faulted; mend the table, then resume there */
	DVMI_TLB_USED_STALE, /* the record before the returned index used a stale entry */
};

struct dvmi_tlb_clock {
	uint64_t now_ps;    /* in and out */
	uint64_t limit_ps;  /* no record starts at or after this; UINT64_MAX: none */
	uint64_t access_ps; /* charged for each record */
	uint64_t starts_ps; /* in and out: the sum of all starting times, modulo 2^64, for tests */
};

/*
 * Replay @n records. Operations due in between take effect at their time, as if the records were
 * given one by one to dvmi_tlb_access(). Return: records completed; *@stop says why it ended.
 */
size_t dvmi_tlb_run(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context,
		    const uint64_t *records, size_t n, struct dvmi_tlb_clock *clock,
		    enum dvmi_tlb_stop *stop);

/* Apply an operation to this TLB alone, now: the local TLBI. 0 or -DVM_EINVAL (bad operand). */
int dvmi_tlb_apply(struct dvmi_tlb *tlb, const struct dvmi_inval *inval);

/*
 * The same at @at_ps: a TLBI that an interrupt handler of this CPU will execute then. Not before
 * what has been settled. 0, -DVM_EINVAL or -DVM_ENOMEM.
 */
int dvmi_tlb_post(struct dvmi_tlb *tlb, const struct dvmi_inval *inval, uint64_t at_ps);

/* Apply what is due by @now_ps. O(1) when nothing is; an empty TLB skips its backlog. */
void dvmi_tlb_settle(struct dvmi_tlb *tlb, uint64_t now_ps);

/* When the next posted operation takes effect here; UINT64_MAX: none is posted. */
uint64_t dvmi_tlb_next_due(const struct dvmi_tlb *tlb);

const struct dvmi_tlb_stats *dvmi_tlb_stats(const struct dvmi_tlb *tlb);
/* NULL when no stale entry was used. */
const struct dvmi_tlb_stale *dvmi_tlb_stale(const struct dvmi_tlb *tlb);
/* All heap bytes of this TLB (its log not included). */
size_t dvmi_tlb_bytes(const struct dvmi_tlb *tlb);
/* Valid entries, walk cache included. */
size_t dvmi_tlb_entries(const struct dvmi_tlb *tlb);

/* For tests and reports: contents, set by set, most recently used first. */
enum dvmi_tlb_part {
	DVMI_PART_L1I,
	DVMI_PART_L1D,
	DVMI_PART_L2,
	DVMI_PART_WALK,
	DVMI_PART_STAGE2,
	DVMI_PARTS
};
struct dvmi_tlb_entry {
	uint64_t va;	     /* bits 47:0, first byte covered; of stage 2: the IPA */
	uint8_t upper, vmid, global, writable, stale;
	uint8_t shift, level; /* log2 of the bytes covered; level of the descriptor */
	uint8_t stage1_shift; /* log2 of what the stage-1 descriptor covers; of stage 2: 0 */
	uint16_t asid;	     /* 0 when global */
	uint32_t set;
	uint64_t version;
};
/* Writes at most @max, returns how many there are. */
size_t dvmi_tlb_dump(const struct dvmi_tlb *tlb, enum dvmi_tlb_part part,
		     struct dvmi_tlb_entry *entries, size_t max);

#endif
