/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_ASID_H
#define DVMI_KERNEL_ASID_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The arm64 kernel's ASID allocator: check_and_switch_context(), new_context() and flush_context()
 * of arch/arm64/mm/context.c, in the steps between which other CPUs can act. Time and the lock are
 * the caller's: what says "lock" below is called by the holder of cpu_asid_lock only.
 *
 *	dvmi_asid_read(a, mm, &try);                    fast path, no lock
 *	dvmi_asid_read_active(a, cpu, &try);
 *	if (dvmi_asid_current(a, try.id) && dvmi_asid_swap(a, cpu, &try))
 *		done;
 *	lock
 *	id = dvmi_asid_id(a, mm);
 *	if (!dvmi_asid_current(a, id)) {
 *		if (!dvmi_asid_find(a, mm, &id, &path)) {
 *			dvmi_asid_rollover(a);          or its four steps
 *			dvmi_asid_find_after(a, &id, &path);
 *		}
 *		dvmi_asid_write(a, mm, id);
 *	}
 *	if (dvmi_asid_take_flush(a, cpu))
 *		local_flush_tlb_all();
 *	dvmi_asid_activate(a, cpu, id);
 *	unlock
 *
 * A context id is generation | ASID; 0: never allocated. mm 0 is init_mm: ASID 0, never allocated.
 */

enum dvmi_asid_path { /* of new_context(); the values of enum dvmi_alloc_path */
	DVMI_ASID_RESERVED, /* was active in a rollover: keeps its ASID */
	DVMI_ASID_PINNED,
	DVMI_ASID_BIT_FREE, /* its old ASID was free in this generation */
	DVMI_ASID_FRESH,
	DVMI_ASID_ROLLOVER, /* fresh, after a rollover */
};

struct dvmi_asid_rules {
	unsigned bits; /* 8 or 16; less, from 3 up, makes rollovers frequent in tests */
	unsigned cpus; /* possible CPUs */
	bool kpti;     /* an mm has two ASIDs; the even one is handed out */
	bool kpti_at_boot; /* CONFIG_UNMAP_KERNEL_AT_EL0: as if KPTI were on until the first rollover */
};

/*
 * Lines of the allocator that a test can leave out, to see that the checker notices. No other code
 * sets dvmi_asids.omit.
 */
enum {
	DVMI_ASID_OMIT_XCHG = 1,	 /* a rollover leaves active_asids as they are */
	DVMI_ASID_OMIT_CARRY = 2,	 /* active is 0: forget what was reserved before */
	DVMI_ASID_OMIT_RESERVED_BIT = 4, /* do not take reserved ASIDs out of the new map */
	DVMI_ASID_OMIT_PENDING = 8,	 /* do not ask CPUs to flush themselves */
	DVMI_ASID_OMIT_RESERVED = 16,	 /* new_context() does not look at reserved_asids */
	DVMI_ASID_OMIT_ALL_COPIES = 32,	 /* it updates the first match only */
	DVMI_ASID_OMIT_CAS = 64,	 /* the fast path stores without comparing */
	DVMI_ASID_OMIT_PINNED_MAP = 128, /* a rollover frees pinned ASIDs */
};

struct dvmi_asid_mm { /* mm->context */
	uint64_t id;
	uint32_t pins;
};

struct dvmi_asids {
	struct dvmi_asid_rules rules;
	uint64_t generation;
	uint32_t count;	  /* 1 << bits */
	uint32_t cur_idx; /* where the search begins */
	uint32_t pinned, max_pinned;
	uint32_t mms_count;
	unsigned omit;
	uint64_t *map, *pinned_map; /* of ASIDs */
	uint64_t *flush_pending;    /* of CPUs */
	uint64_t *active, *reserved; /* per CPU: context id, or 0 */
	struct dvmi_asid_mm *mms;
};

/*
 * 0; -DVM_EINVAL: bits outside 3 .. 16, no CPU; -DVM_ELIMIT: not more ASIDs than CPUs, with which an
 * allocation after a rollover could fail (the kernel warns); -DVM_ENOMEM.
 */
int dvmi_asids_init(struct dvmi_asids *a, const struct dvmi_asid_rules *rules, uint32_t mms);
void dvmi_asids_fini(struct dvmi_asids *a);

static inline uint64_t dvmi_asid_id(const struct dvmi_asids *a, uint32_t mm)
{
	return a->mms[mm].id;
}

/* The ASID of a context id: what TTBR1_EL1 and a TLBI operand hold. */
static inline uint16_t dvmi_asid_number(const struct dvmi_asids *a, uint64_t id)
{
	return (uint16_t)(id & (a->count - 1));
}

/* asid_gen_match() */
static inline bool dvmi_asid_current(const struct dvmi_asids *a, uint64_t id)
{
	return !((id ^ a->generation) >> a->rules.bits);
}

/* ---- fast path ---- */

struct dvmi_asid_try {
	uint64_t id, active;
};

void dvmi_asid_read(const struct dvmi_asids *a, uint32_t mm, struct dvmi_asid_try *try);
void dvmi_asid_read_active(const struct dvmi_asids *a, unsigned cpu, struct dvmi_asid_try *try);
/* The CAS of active_asids; false: a rollover came in between, take the slow path. */
bool dvmi_asid_swap(struct dvmi_asids *a, unsigned cpu, const struct dvmi_asid_try *try);
/* All of it at once. */
bool dvmi_asid_fast(struct dvmi_asids *a, unsigned cpu, uint32_t mm);

/* ---- slow path, under the lock ---- */

/* new_context() up to the rollover; false: no ASID is free, roll over and then find_after(). */
bool dvmi_asid_find(struct dvmi_asids *a, uint32_t mm, uint64_t *id, enum dvmi_asid_path *path);
void dvmi_asid_find_after(struct dvmi_asids *a, uint64_t *id, enum dvmi_asid_path *path);

/* A new generation, and flush_context(); in steps: begin, one per CPU in ascending order, end. */
void dvmi_asid_rollover_begin(struct dvmi_asids *a);
void dvmi_asid_rollover_cpu(struct dvmi_asids *a, unsigned cpu);
void dvmi_asid_rollover_end(struct dvmi_asids *a);
void dvmi_asid_rollover(struct dvmi_asids *a);

void dvmi_asid_write(struct dvmi_asids *a, uint32_t mm, uint64_t id);
/* Test and clear: must this CPU run local_flush_tlb_all() now? */
bool dvmi_asid_take_flush(struct dvmi_asids *a, unsigned cpu);
void dvmi_asid_activate(struct dvmi_asids *a, unsigned cpu, uint64_t id);

/* ---- shared with devices (SVA), under the lock ---- */

/* arm64_mm_context_get(): the ASID, with bit 0 set under KPTI; 0: none may be pinned any more. */
uint16_t dvmi_asid_pin(struct dvmi_asids *a, uint32_t mm);
void dvmi_asid_unpin(struct dvmi_asids *a, uint32_t mm);

#endif
