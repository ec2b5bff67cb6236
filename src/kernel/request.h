/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_REQUEST_H
#define DVMI_KERNEL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

/*
 * From a flush request to the TLBI operations that arm64 Linux issues for it.
 * Source: arch/arm64/include/asm/tlbflush.h; 6.9 to 7.x has the loop of commit e2768b798a19.
 */

enum dvmi_request_kind {
	DVMI_REQUEST_ASID,  /* flush_tlb_mm */
	DVMI_REQUEST_RANGE, /* __flush_tlb_range */
	DVMI_REQUEST_PAGE,  /* flush_tlb_page: one address, last level only, level 3 */
};

/* The tlbf_t flags of 7.x, and what the caller knows beside them. */
enum {
	DVMI_REQUEST_LEAF = 1u << 0,        /* NOWALKCACHE */
	DVMI_REQUEST_NOSYNC = 1u << 1,
	DVMI_REQUEST_NONOTIFY = 1u << 2,
	DVMI_REQUEST_NOBROADCAST = 1u << 3,
	DVMI_REQUEST_FREED_TABLES = 1u << 4,
	DVMI_REQUEST_FOREIGN = 1u << 5,     /* the caller is not a thread of the mm */
	DVMI_REQUEST_PERMISSIVE = 1u << 6,  /* the PTE became more permissive: a stale entry only
					       costs one more fault */
	DVMI_REQUEST_PTL = 1u << 7,         /* the caller holds a page-table lock */
};

#define DVMI_LEVEL_UNKNOWN 4

struct dvmi_request {
	enum dvmi_request_kind kind;
	unsigned flags;
	uint64_t start, end; /* bytes; whole strides after dvmi_request_normalise() */
	unsigned stride_shift;
	unsigned level; /* of the leaves, 0..3, or DVMI_LEVEL_UNKNOWN */
};

/* What part and kernel together allow. */
struct dvmi_flush_rules {
	unsigned page_shift;
	bool range;                 /* FEAT_TLBIRANGE is there and used */
	bool ascending;             /* the loop before 6.9: an odd page first, then scale 0 to 3 */
	bool ttl;                   /* FEAT_TTL */
	bool kpti;                  /* every user operation twice: ASID and ASID | 1 */
	bool lpa2;                  /* range operations need 64 KiB alignment */
	uint64_t max_dvm_ops;       /* without range operations: from here on, the whole ASID */
	uint64_t range_limit_pages; /* with them: above this, the whole ASID */
};

enum dvmi_op_form {
	DVMI_FORM_VA,
	DVMI_FORM_RANGE,
	DVMI_FORM_ASID,
	DVMI_FORM_VMALL,
};

struct dvmi_tlbi_op {
	enum dvmi_op_form form;
	bool leaf;
	bool user_twin;   /* the second operation under KPTI, for ASID | 1 */
	unsigned level;   /* the TTL hint, or DVMI_LEVEL_UNKNOWN */
	uint64_t start;   /* VA and RANGE: first byte */
	uint64_t pages;   /* VA: 1; RANGE: (NUM + 1) << (5 * SCALE + 1) */
};

/* One request's operations, one at a time; no array, whatever the request's length. */
struct dvmi_expansion {
	struct dvmi_request request;
	struct dvmi_flush_rules rules;
	uint64_t addr;
	int scale;
	bool done, twin_due;
	struct dvmi_tlbi_op last;
};

/*
 * Round to strides and fall back to the whole ASID above the limit, as the kernel does, before any
 * flag is looked at: the fall-back broadcasts, drops walk caches, waits and notifies.
 */
void dvmi_request_normalise(struct dvmi_request *request, const struct dvmi_flush_rules *rules);

void dvmi_expand(struct dvmi_expansion *x, const struct dvmi_request *request,
		 const struct dvmi_flush_rules *rules);
bool dvmi_expand_next(struct dvmi_expansion *x, struct dvmi_tlbi_op *op);
/* How many operations a request takes; the closed form of the tests. */
uint64_t dvmi_request_ops(const struct dvmi_request *request, const struct dvmi_flush_rules *rules);

#endif
