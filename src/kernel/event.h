/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_EVENT_H
#define DVMI_KERNEL_EVENT_H

#include "kernel/mm.h"
#include "kernel/request.h"
#include "model/params.h"

/*
 * What the memory-management code does to TLBs: for each event the flush calls it makes, by kernel
 * configuration. The table (event_table.c) says it in data, one row per kind of call; an operation
 * walks the address space and makes the calls (event*.c).
 */
enum dvmi_row {
	DVMI_ROW_ZAP,		/* munmap, brk, MADV_DONTNEED, truncate */
	DVMI_ROW_ZAP_FULL,
	DVMI_ROW_ZAP_DIRTY,
	DVMI_ROW_ZAP_FREES,	/* MADV_DONTNEED that frees the empty table */
	DVMI_ROW_TABLES,
	DVMI_ROW_HUGETLB_UNSHARE,
	DVMI_ROW_HUGETLB_UNSHARE_LEAF,
	DVMI_ROW_MADV_FREE,
	DVMI_ROW_MADV_COLD,
	DVMI_ROW_OOM_REAP,
	DVMI_ROW_EXIT,
	DVMI_ROW_EXIT_EMPTY,
	DVMI_ROW_EXEC_STACK,
	DVMI_ROW_EXEC_STACK_TABLES,
	DVMI_ROW_FORK,
	DVMI_ROW_FAULT_MAP,
	DVMI_ROW_COW,
	DVMI_ROW_REUSE_LOCAL,
	DVMI_ROW_REUSE_BROADCAST,
	DVMI_ROW_SPURIOUS_LOCAL,
	DVMI_ROW_SPURIOUS_NONE,
	DVMI_ROW_MPROTECT,
	DVMI_ROW_NUMA,
	DVMI_ROW_UFFD_WP,
	DVMI_ROW_CLEAR_REFS,
	DVMI_ROW_MREMAP,
	DVMI_ROW_BATCH_ADD,
	DVMI_ROW_BATCH_SYNC,
	DVMI_ROW_UNBATCHED,
	DVMI_ROW_PENDING_MM,
	DVMI_ROW_PENDING_DSB,
	DVMI_ROW_YOUNG,
	DVMI_ROW_YOUNG_CONT,
	DVMI_ROW_YOUNG_NONE,
	DVMI_ROW_MKCLEAN,
	DVMI_ROW_KSM_PROTECT,
	DVMI_ROW_KSM_REPLACE,
	DVMI_ROW_THP_SPLIT,
	DVMI_ROW_THP_COLLAPSE,
	DVMI_ROW_WALKERS,
	DVMI_ROW_CONTPTE,
	DVMI_ROW_CONTPTE_NONE,
	DVMI_ROW_KERNEL,
	DVMI_ROWS
};

enum dvmi_call_kind {
	DVMI_CALL_NONE,	   /* no flush */
	DVMI_CALL_FLUSH,   /* of the user mappings of an mm */
	DVMI_CALL_BATCH,   /* the deferred batch's barrier */
	DVMI_CALL_KERNEL,  /* of kernel mappings */
	DVMI_CALL_WALKERS, /* tlb_remove_table_sync_one(): an interrupt to every other CPU */
};

/* When a row holds. */
enum dvmi_era {
	DVMI_ERA_ALWAYS,
	DVMI_ERA_SPURIOUS_LOCAL,
	DVMI_ERA_SPURIOUS_BROADCAST,
	DVMI_ERA_BATCH,
	DVMI_ERA_NO_BATCH,
	DVMI_ERA_PENDING_MM,
	DVMI_ERA_PENDING_DSB,
	DVMI_ERA_PT_RECLAIM,
	DVMI_ERA_UNSHARED_WALK,
	DVMI_ERA_UNSHARED_LEAF,
	DVMI_ERA_MGLRU,
	DVMI_ERA_NO_MGLRU,
	DVMI_ERA_CONTPTE_FLUSH,
	DVMI_ERA_CONTPTE_SKIP,
	DVMI_ERAS
};

#define DVMI_STRIDE_GATHER 0xff /* what mmu_gather saw: smallest unit, level if all are alike */
enum { DVMI_STRIDE_PAGE, DVMI_STRIDE_BLOCK };

struct dvmi_row_def {
	const char *event;
	uint8_t call;	 /* enum dvmi_call_kind */
	uint8_t kind;	 /* enum dvmi_request_kind */
	uint16_t flags;	 /* DVMI_REQUEST_*, PTL included */
	uint8_t stride;	 /* DVMI_STRIDE_* */
	uint8_t level;	 /* 0 to 3, or DVMI_LEVEL_UNKNOWN; gathered rows: see stride */
	uint8_t era;	 /* enum dvmi_era */
	bool read;	 /* the source was read for this row; else it is recalled */
	const char *source;
};

extern const struct dvmi_row_def dvmi_rows[DVMI_ROWS];

/* What the rows depend on. */
struct dvmi_event_rules {
	struct dvmi_flush_rules flush;
	bool spurious_local, batch, pending_mm, pt_reclaim, unshared_walk, mglru;
	bool contpte, contpte_skip, contpte_batch;
	uint64_t gather_pages, reclaim_batch, migrate_batch;
};

void dvmi_event_rules(struct dvmi_event_rules *rules, const struct dvmi_flush_rules *flush,
		      const struct dvmi_kernel_cfg *cfg, const struct dvmi_hw *hw);
bool dvmi_era_holds(enum dvmi_era era, const struct dvmi_event_rules *rules);
const char *dvmi_era_text(enum dvmi_era era);

/* One operation, as a trace's OP_BEGIN (enum dvm_trace_op, enum dvm_trace_detail) says it. */
struct dvmi_operation {
	uint32_t op, mm, detail;
	uint64_t first, end; /* pages */
	uint64_t to;	     /* mremap: the first page of the new place */
	bool foreign;
	bool ending;	     /* the part that comes at OP_END: fork's flush, exec's stack */
};

/* Work done since the call before, for its price. */
struct dvmi_event_work {
	uint64_t faults, filled, copied, zapped, ptes, rmaps;
};

struct dvmi_call {
	enum dvmi_call_kind kind; /* NONE: the operation is over */
	enum dvmi_row id;
	uint32_t mm;
	struct dvmi_request request; /* not normalised */
	struct dvmi_event_work work;
};

struct dvmi_gather {
	uint64_t first, end;
	uint64_t pages;	     /* held back until the flush */
	uint8_t cleared;     /* bit l: entries of level l */
	bool freed, unshared;
};

/* An operation on its way; plain data. */
struct dvmi_mm_event {
	struct dvmi_operation o;
	struct dvmi_gather gather;
	uint64_t at, vma_end, batch_first;
	uint32_t vma_flags, batch;
	uint8_t stage;
	bool walked, dirty, pending_seen, on;
};

void dvmi_mm_event_begin(struct dvmi_mm_event *e, const struct dvmi_operation *o);
/*
 * On to the next call; the changes to the address space before it are made. Returns 0,
 * -DVM_ENOMEM or -DVM_ELIMIT.
 */
int dvmi_mm_event_next(struct dvmi_mm_event *e, struct dvmi_mms *m, const struct dvmi_event_rules *rules,
		    struct dvmi_call *call);

/* Fork: @child gets what @parent has; *@pages: entries copied. Errors as above. */
int dvmi_mm_event_dup(struct dvmi_mms *m, uint32_t parent, uint32_t child, uint64_t *pages);
/* The mm is gone. */
int dvmi_mm_event_drop(struct dvmi_mms *m, uint32_t mm);

#endif
