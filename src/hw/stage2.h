/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_STAGE2_H
#define DVMI_HW_STAGE2_H

#include "hw/granule.h"

/*
 * Stage 2 of a virtual machine, as far as its TLBs care: how long a stage-2 walk is, how much one of
 * its leaves covers, and where in guest memory (which intermediate physical address, IPA) a page or
 * a page table of the guest lies.
 *
 * Every leaf has one size. Walks begin where the kernel's do: up to 16 tables are joined at the
 * start, which saves a level (Arm ARM DDI 0487, D8, "Concatenated translation tables";
 * arch/arm64/include/asm/stage2_pgtable.h, stage2_pgtable_levels()).
 *
 * Where things lie is a function of what they are, so that it depends on nobody's order (CPUs run
 * ahead of one another). Pages lie in runs of 2^run_shift bytes, or in one as large as their leaf;
 * each run lies at a place drawn by a hash of the address space and the run's number. Two runs may
 * fall on one place, as shared memory does. Page tables lie one by one in the first 64th of the
 * memory: a kernel keeps what it can not move together.
 */
struct dvmi_stage2 {
	uint8_t granule_bits;  /* of the hypervisor's tables: 12, 14, 16 */
	uint8_t block_shift;   /* log2 of the bytes that one leaf covers */
	uint8_t size_class;    /* of that leaf in the granule */
	uint8_t reads;	       /* descriptors of a stage-2 walk */
	uint8_t run_shift;
	uint64_t memory_bytes; /* of the guest */
	uint64_t version;      /* of the hypervisor's tables; as struct dvmi_ptable's */
};

struct dvmi_stage2_shape {
	int granule_bits, ipa_bits; /* 32..48 */
	unsigned block_shift, run_shift;
	uint64_t memory_bytes; /* at least 2^24, at most 2^ipa_bits */
};

/* 0, -DVM_EINVAL (@shape->block_shift is no leaf of the granule, a value is out of its range). */
int dvmi_stage2_init(struct dvmi_stage2 *s, const struct dvmi_stage2_shape *shape,
		     struct dvm_error *err);

/* Where what @va of address space @space (in its @upper half) is mapped to lies. */
uint64_t dvmi_stage2_page(const struct dvmi_stage2 *s, uint32_t space, int upper, uint64_t va,
			  unsigned leaf_shift);
/* Where the table lies that a walk for @va reads at @level; @g: of the guest. */
uint64_t dvmi_stage2_table(const struct dvmi_stage2 *s, const struct dvmi_granule *g,
			   uint32_t space, int upper, uint64_t va, unsigned level);

#endif
