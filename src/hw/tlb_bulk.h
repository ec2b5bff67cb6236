/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TLB_BULK_H
#define DVMI_HW_TLB_BULK_H

#include "hw/tlb_impl.h"

/*
 * Many invalidations against many TLBs that slept through them. Instead of each operation looking
 * at each TLB, the operations go into one index, and each entry of each TLB asks once whether one
 * of them names it: the cost per TLB is that of its entries, not of the operations.
 */
struct tlb_bulk;

/* Index @ops[@from..@end) for the @tlbs linked by next_attached. NULL: no memory, or too large. */
struct tlb_bulk *tlb_bulk_new(const struct tlb_op *ops, size_t from, size_t end,
			      const struct dvmi_tlb *tlbs);
void tlb_bulk_free(struct tlb_bulk *bulk);

/* What applying operations from the TLB's cursor on, one by one, would do. */
void tlb_bulk_apply(const struct tlb_bulk *bulk, struct dvmi_tlb *tlb);

#endif
