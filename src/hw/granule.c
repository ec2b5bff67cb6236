/* SPDX-License-Identifier: MIT */
#include "hw/granule.h"

/*
 * Contiguous groups: 4K: 16 entries at levels 3, 2, 1; 16K: 128 at level 3, 32 at level 2; 64K: 32
 * at levels 3 and 2. Blocks: 4K at 2 and 1; 16K and 64K at 2 only, as level-1 blocks need 52-bit
 * output addresses. Reserved TTL hints act as "no hint" (TLBI VAE1 page): level 0 in all granules,
 * and level 1 of 16K, without LPA2.
 */
static const struct dvmi_granule shapes[] = {
	{ 12, 0, 6, 0xe, { { 0, 0 }, { 12, 3 }, { 16, 3 }, { 21, 2 }, { 25, 2 }, { 30, 1 }, { 34, 1 } },
	  { 39, 30, 21, 12 } },
	{ 14, 0, 4, 0xc, { { 0, 0 }, { 14, 3 }, { 21, 3 }, { 25, 2 }, { 30, 2 } }, { 47, 36, 25, 14 } },
	{ 16, 0, 4, 0xe, { { 0, 0 }, { 16, 3 }, { 21, 3 }, { 29, 2 }, { 34, 2 } }, { 55, 42, 29, 16 } },
};

int dvmi_granule_init(struct dvmi_granule *g, int granule_bits, int va_bits, struct dvm_error *err)
{
	if (va_bits > 48)
		return dvmi_error(err, DVM_ELIMIT, "va_bits",
				  "%d-bit addresses are not simulated; use 48 or fewer", va_bits);
	if (va_bits < 36)
		return dvmi_error(err, DVM_EINVAL, "va_bits", "%d is not in 36..48", va_bits);
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		if (shapes[i].bits != granule_bits)
			continue;
		*g = shapes[i];
		/* Each level resolves (granule bits - 3) bits, as a descriptor has 8 bytes. */
		g->start_level = (uint8_t)(4 - (va_bits - 4) / (granule_bits - 3));
		return 0;
	}
	return dvmi_error(err, DVM_EINVAL, "granule_bits", "%d is none of 12, 14, 16 (4K, 16K, 64K)",
			  granule_bits);
}

unsigned dvmi_granule_class(const struct dvmi_granule *g, unsigned shift)
{
	for (unsigned c = 1; c <= g->classes; c++)
		if (g->cls[c].shift == shift)
			return c;
	return 0;
}
