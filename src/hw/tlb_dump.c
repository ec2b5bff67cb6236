/* SPDX-License-Identifier: MIT */
#include "hw/tlb_impl.h"

static struct dvmi_tlb_entry entry_of(const struct dvmi_tlb *tlb, enum dvmi_tlb_part part,
				      uint32_t slot)
{
	const struct tlb_array *a = &tlb->part[part];
	uint64_t key = a->key[slot];
	unsigned class = key_class(key);
	unsigned whole = key_class(tlb_array_stage1_key(a, slot));

	return (struct dvmi_tlb_entry){
		.va = (key & KEY_VA) << 12,
		.upper = (key & KEY_UPPER) != 0,
		.vmid = (uint8_t)((key & KEY_VMID) >> KEY_VMID_SHIFT),
		.global = (key & KEY_GLOBAL) != 0,
		.writable = (key & KEY_WRITE) != 0,
		.stale = (key & KEY_STALE) != 0,
		.shift = (uint8_t)(a->shift[class] + 12),
		.stage1_shift = part == DVMI_PART_STAGE2 ? 0 : (uint8_t)(a->shift[whole] + 12),
		.level = part == DVMI_PART_WALK	  ? (uint8_t)(class - 1) :
			 part == DVMI_PART_STAGE2 ? tlb->stage2_granule.cls[class].level :
						    tlb->granule.cls[whole].level,
		.asid = (uint16_t)((key & KEY_ASID) >> KEY_ASID_SHIFT),
		.version = a->version[slot],
		.set = slot / a->ways,
	};
}

size_t dvmi_tlb_dump(const struct dvmi_tlb *tlb, enum dvmi_tlb_part part,
		     struct dvmi_tlb_entry *entries, size_t max)
{
	const struct tlb_array *a = &tlb->part[part];
	size_t n = 0;

	for (uint32_t set = 0; set < a->entries; set += a->ways) {
		uint32_t below = UINT32_MAX;

		/* Stamps of a set differ: take them in falling order. */
		for (;;) {
			uint32_t best = NO_SLOT;

			for (uint32_t i = set; i < set + a->ways; i++)
				if (a->key[i] && a->stamp[i] < below &&
				    (best == NO_SLOT || a->stamp[i] > a->stamp[best]))
					best = i;
			if (best == NO_SLOT)
				break;
			below = a->stamp[best];
			if (n < max)
				entries[n] = entry_of(tlb, part, best);
			n++;
		}
	}
	return n;
}
