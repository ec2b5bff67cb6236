/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_GRANULE_H
#define DVMI_HW_GRANULE_H

#include "base/error.h"

#include <stdint.h>

/*
 * The VMSAv8-64 shapes of one translation granule, for addresses of at most 48 bits. 52-bit
 * addresses (LVA, LPA2) are refused: they move the start level and add block sizes.
 *
 * A size class is an index from 1 into @cls: what one leaf TLB entry can cover. A contiguous group
 * has the level of its members. Arm ARM DDI 0487, D8, "Translation granules", "The Contiguous
 * bit".
 */
#define DVMI_LEAF_CLASSES_MAX 6

struct dvmi_granule {
	uint8_t bits;	     /* 12, 14 or 16 */
	uint8_t start_level; /* where a walk begins: 0 or more */
	uint8_t classes;     /* valid classes are 1..classes */
	uint8_t ttl_levels;  /* bit L set: a TTL hint of level L is not reserved */
	struct {
		uint8_t shift; /* log2 of the bytes covered */
		uint8_t level; /* 1..3 */
	} cls[DVMI_LEAF_CLASSES_MAX + 1];
	uint8_t level_shift[4]; /* log2 of the bytes one descriptor of this level maps */
};

/* @granule_bits 12, 14, 16; @va_bits 36..48. 0, or -DVM_EINVAL / -DVM_ELIMIT (52-bit). */
int dvmi_granule_init(struct dvmi_granule *g, int granule_bits, int va_bits, struct dvm_error *err);

/* The class that covers 2^@shift bytes, or 0. */
unsigned dvmi_granule_class(const struct dvmi_granule *g, unsigned shift);

#endif
