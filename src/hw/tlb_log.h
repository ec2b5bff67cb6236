/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TLB_LOG_H
#define DVMI_HW_TLB_LOG_H

#include "base/error.h"
#include "hw/granule.h"

#include <stddef.h>
#include <stdint.h>

/*
 * TLB maintenance operations, and the log through which a broadcast reaches many TLBs at O(1) cost:
 * a post appends one record; each CPU applies the records that are due when it next acts.
 *
 * A log belongs to one DVM node. An operation posted with base time b takes effect on CPU c at
 * b + hop(c), hop being fixed when the TLB is attached; a system of several nodes has a log each
 * and posts a broadcast once in every one, at that node's time.
 */
enum dvmi_inval_kind {
	DVMI_INVAL_ALL,	  /* ALLE1: everything, both stages, all VMIDs */
	DVMI_INVAL_VMALL, /* VMALLE1: all of the VMID, global entries too; stage 2 stays */
	DVMI_INVAL_ASID,  /* ASIDE1: non-global entries of the ASID, leaf and intermediate */
	DVMI_INVAL_VA,	  /* VAE1, VALE1, RVAE1, RVALE1: entries of the ASID, and global ones */
	DVMI_INVAL_VAA,	  /* VAAE1, VAALE1, RVAAE1, RVAALE1: of any ASID */
	DVMI_INVAL_IPA,	  /* IPAS2E1, IPAS2LE1, their range forms: of stage 2 alone */
	DVMI_INVAL_VMALLS12, /* VMALLS12E1: all of the VMID, both stages */
};

#define DVMI_TTL_NONE (-1)

struct dvmi_inval {
	enum dvmi_inval_kind kind;
	uint8_t vmid;
	uint16_t asid;
	uint64_t va;	/* VA forms: bits 47:0 and 55 count; rounded down to the granule. IPA: the IPA */
	uint64_t pages; /* VA forms: granules from @va; 0 counts as 1; cut off at the half's end.
			   IPA: pages of 4 KiB, whatever the granule */
	uint8_t leaf_only; /* VA forms: the walk cache keeps its entries */
	int8_t ttl; /* VA forms: level hint 0..3 or DVMI_TTL_NONE; reserved levels are no hint. IPA: not
		       looked at */
};

struct dvmi_tlb_log;

/* @g: granule of every TLB that will be attached. */
int dvmi_tlb_log_new(struct dvmi_tlb_log **out, const struct dvmi_granule *g,
		     struct dvm_error *err);
/* After all its TLBs. */
void dvmi_tlb_log_free(struct dvmi_tlb_log *log);

/*
 * Post a broadcast. Posts normally come in time order; an earlier @base_ps is accepted as long as
 * no attached TLB has already applied a later record.
 * Return: 0; -DVM_EINVAL (in some TLB's past, bad operand); -DVM_ELIMIT (2^24 records not due);
 * -DVM_ENOMEM.
 */
int dvmi_tlb_log_post(struct dvmi_tlb_log *log, const struct dvmi_inval *inval, uint64_t base_ps,
		      struct dvm_error *err);

/*
 * The oracle. A flush of @range completed at @at_ps: from then on a translation in it that was
 * filled before version @version (struct dvmi_ptable) must not be used by any CPU. Whoever still
 * holds one then has it marked; its next use reports DVMI_TLB_STALE. Marked entries leave the fast
 * path, so nothing is paid per access, watch or no watch. Kinds: DVMI_INVAL_VA matches the ASID's
 * non-global entries (global ones carry versions of the other table), DVMI_INVAL_VAA all,
 * DVMI_INVAL_ASID the ASID's; DVMI_INVAL_IPA and _VMALLS12 those of stage 2. With leaf_only 0
 * walk-cache entries are judged too: for flushes
 * after which table pages are freed. Takes effect everywhere at @at_ps, without a hop.
 */
int dvmi_tlb_log_watch(struct dvmi_tlb_log *log, const struct dvmi_inval *range, uint64_t version,
		       uint64_t at_ps, struct dvm_error *err);
/*
 * The same for versions that are times (struct dvmi_tlb_context): the change was made at @version by
 * CPU @by; what CPUs before it in the order of an instant (dvmi_tlb_set_order()) filled at that
 * very time is older than the change.
 */
int dvmi_tlb_log_watch_by(struct dvmi_tlb_log *log, const struct dvmi_inval *range,
			  uint64_t version, uint32_t by, uint64_t at_ps, struct dvm_error *err);

/*
 * Promise that no attached TLB acts before @horizon_ps. Lets the log forget: without it the log
 * grows with every post. Never goes down.
 */
void dvmi_tlb_log_horizon(struct dvmi_tlb_log *log, uint64_t horizon_ps);

size_t dvmi_tlb_log_bytes(const struct dvmi_tlb_log *log);
/* Records held now, invalidations and watches. */
size_t dvmi_tlb_log_records(const struct dvmi_tlb_log *log);

#endif
