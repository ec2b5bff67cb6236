/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_REF_TLB_H
#define DVMSIM_TESTS_REF_TLB_H

#include "hw/tlb.h"

/*
 * The rules of src/hw/tlb.h written plainly: every array is one list from most to least recently
 * used, every operation looks at every entry, every TLB has its own list of pending operations.
 * Shares types with the engine, no code and no tables.
 */
struct ref_pt;
struct ref_pt *ref_pt_new(int granule_bits, int upper);
void ref_pt_free(struct ref_pt *pt);
void ref_pt_set(struct ref_pt *pt, uint64_t va, uint64_t pages, struct dvmi_xlate x);
void ref_pt_change(struct ref_pt *pt, uint64_t version);
struct dvmi_xlate ref_pt_lookup(const struct ref_pt *pt, uint64_t va);

struct ref_tlb;
struct ref_tlb *ref_tlb_new(const struct dvmi_tlb_geometry *geometry, uint64_t hop_ps);
void ref_tlb_free(struct ref_tlb *tlb);
struct ref_context {
	uint16_t asid;
	uint8_t vmid;
	const struct ref_pt *lower, *upper;
	const struct dvmi_stage2 *stage2; /* NULL: none */
	uint64_t stage2_version;
	uint32_t space;
};
void ref_tlb_access(struct ref_tlb *tlb, const struct ref_context *context, uint64_t record,
		    uint64_t now_ps, struct dvmi_tlb_result *result);
void ref_tlb_apply(struct ref_tlb *tlb, const struct dvmi_inval *inval);
void ref_tlb_post(struct ref_tlb *tlb, const struct dvmi_inval *inval, uint64_t base_ps);
void ref_tlb_watch(struct ref_tlb *tlb, const struct dvmi_inval *range, uint64_t version,
		   uint64_t at_ps);
void ref_tlb_settle(struct ref_tlb *tlb, uint64_t now_ps);
const struct dvmi_tlb_stats *ref_tlb_stats(const struct ref_tlb *tlb);
const struct dvmi_tlb_stale *ref_tlb_stale(const struct ref_tlb *tlb);
size_t ref_tlb_dump(const struct ref_tlb *tlb, enum dvmi_tlb_part part,
		    struct dvmi_tlb_entry *entries, size_t max);

#endif
