/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_TLBS_H
#define DVMI_SIM_TLBS_H

#include "hw/fabric.h"
#include "kernel/asid.h"
#include "kernel/request.h"
#include "model/params.h"

#include <dvmsim/error.h>

/*
 * Workloads that carry memory accesses: every CPU of the workload has its TLBs, simulated exactly
 * (hw/tlb.h), and the oracle judges each translation instead of sets of CPUs. A page-table change
 * is remembered by its time; a flush that returns puts a watch on what it flushed: a
 * translation in that range, older than the change, must not be used any more. What is older is told
 * by time, since CPUs run ahead of one another (access.c). TLBs and operations know VMIDs and ASIDs
 * only; a watch is on the ASID that the address space has when the flush returns, and is not needed
 * when the ASID has been given to another since (kernel/asid.h).
 *
 * VMID 0 is the kernel that the machine runs. Virtual machines with VMIDs of their own can share the
 * TLBs: each has its allocator of ASIDs, and every call about an address space says whose it is.
 *
 * A broadcast takes effect on all CPUs of a socket when the last of that socket's snoops has
 * arrived, which is before its Sync is answered. The operations' second twin under KPTI names the
 * same translations and is timed only.
 */
struct dvmi_tlbs;

/* How many threads of a core share its TLB: all, or none with another, by FEAT_TTCNP and TTBR.CnP. */
static inline unsigned dvmi_tlb_sharers(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg)
{
	return hw->feature_cnp && cfg->cnp ? (unsigned)hw->topology_threads : 1;
}

/* What one TLB has of the core's @entries, whole sets of @ways (0: any number). */
static inline uint64_t dvmi_tlb_share_of(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
					 uint64_t entries, uint64_t ways)
{
	uint64_t part = entries / hw->topology_threads, least = ways ? ways : 1;

	if (hw->topology_threads == 1 || dvmi_tlb_sharers(hw, cfg) > 1 ||
	    hw->tlb_smt == DVMI_SMT_PRIVATE || !entries)
		return entries;
	part -= part % least;
	return part ? part : least;
}

/* @cpus: of the part that have TLBs; @asids: those of VMID 0 (borrowed). */
int dvmi_tlbs_new(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
		  struct dvmi_fabric *fabric, unsigned cpus, const struct dvmi_asids *asids,
		  struct dvmi_tlbs **tlbs, struct dvm_error *err);
void dvmi_tlbs_free(struct dvmi_tlbs *a);

/* There is a virtual machine @vmid (1..31), whose ASIDs come from @asids (borrowed). -DVM_ENOMEM. */
int dvmi_tlbs_vm(struct dvmi_tlbs *a, uint8_t vmid, const struct dvmi_asids *asids);

/* @mm.context.id was written. */
void dvmi_tlbs_assign(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm);

struct dvmi_tlbs_span {
	const uint64_t *accesses;
	size_t count;
	uint32_t mm;               /* whose guest memory it is, with a second stage */
	unsigned cpu;
	uint16_t asid;             /* in TTBR */
	uint8_t vmid;              /* in VTTBR; 0: no virtual machine */
	uint64_t now_ps, limit_ps; /* no access begins at or after the limit */
	uint64_t done_ps;          /* out: when the last one made is over */
	size_t done;               /* out: accesses made */
	uint64_t starts_ps;        /* out: the sum of their starting times, modulo 2^64 */
	bool stale;                /* out: the next one uses a stale translation, at done_ps */
};

void dvmi_tlbs_run(struct dvmi_tlbs *a, struct dvmi_tlbs_span *span);
/* That use is a failure: -DVM_EUNSAFE. */
int dvmi_tlbs_stale(const struct dvmi_tlbs *a, unsigned cpu, uint32_t mm, struct dvm_error *err);

/* Page tables were changed at @ps by @cpu, and the flush of @request is to make it known. */
struct dvmi_change {
	uint64_t ps;
	uint32_t cpu, mm;
	uint8_t vmid;
	struct dvmi_request request;
};

/* That flush returned at @now_ps. */
int dvmi_tlbs_complete(struct dvmi_tlbs *a, const struct dvmi_change *change, uint64_t now_ps,
		       struct dvm_error *err);
/* Completion is left to a later batch flush by @owner; and that batch flush. */
int dvmi_tlbs_defer(struct dvmi_tlbs *a, uint32_t owner, const struct dvmi_change *change);
int dvmi_tlbs_batch(struct dvmi_tlbs *a, uint32_t owner, uint64_t now_ps,
		      struct dvm_error *err);

/* A local operation takes effect on @cpu at @at_ps: now, or later when an IPI's handler executes it. */
int dvmi_tlbs_local(struct dvmi_tlbs *a, unsigned cpu, uint8_t vmid, uint32_t mm, uint16_t asid,
		    const struct dvmi_tlbi_op *op, uint64_t at_ps, uint64_t now_ps);
/* The tag under which a broadcast travels the fabric; -DVM_ENOMEM. Give it back if it was not issued. */
int dvmi_tlbs_tag(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm, uint16_t asid,
		  const struct dvmi_tlbi_op *op, uint64_t *tag);
void dvmi_tlbs_untag(struct dvmi_tlbs *a, uint64_t tag);

struct dvmi_tlbs_totals {
	uint64_t accesses, l1_misses, l2_misses;
};
void dvmi_tlbs_totals(const struct dvmi_tlbs *a, struct dvmi_tlbs_totals *totals);
/* A delivery could not be recorded (out of memory); checked once, at the end. */
int dvmi_tlbs_failed(const struct dvmi_tlbs *a);

#endif
