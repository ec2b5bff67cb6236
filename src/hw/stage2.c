/* SPDX-License-Identifier: MIT */
#include "hw/stage2.h"

#define VA_MASK ((UINT64_C(1) << 48) - 1)
#define TABLES_PART 64 /* the memory's first 64th holds page tables */

int dvmi_stage2_init(struct dvmi_stage2 *s, const struct dvmi_stage2_shape *shape,
		     struct dvm_error *err)
{
	struct dvmi_granule g;
	unsigned class;
	int ret, levels;

	if (shape->ipa_bits < 32 || shape->ipa_bits > 48)
		return dvmi_error(err, DVM_EINVAL, "ipa_bits", "%d is not in 32..48",
				  shape->ipa_bits);
	ret = dvmi_granule_init(&g, shape->granule_bits, 48, err);
	if (ret)
		return ret;
	/* Joined tables take the place of a level that would resolve 4 bits or less. */
	levels = (shape->ipa_bits - 8) / (shape->granule_bits - 3);
	class = dvmi_granule_class(&g, shape->block_shift);
	if (!class)
		return dvmi_error(err, DVM_EINVAL, "stage 2",
				  "2^%u bytes is no leaf size of this granule", shape->block_shift);
	if (g.cls[class].level < 4 - levels)
		return dvmi_error(err, DVM_EINVAL, "stage 2",
				  "%d-bit addresses have no leaves of 2^%u bytes", shape->ipa_bits,
				  shape->block_shift);
	if (shape->memory_bytes >> 24 == 0 || shape->memory_bytes > UINT64_C(1) << shape->ipa_bits)
		return dvmi_error(err, DVM_EINVAL, "stage 2",
				  "guest memory is between 16 MiB and what %d bits address",
				  shape->ipa_bits);
	if (shape->run_shift < 12 || shape->run_shift > 34)
		return dvmi_error(err, DVM_EINVAL, "stage 2", "runs of 2^%u bytes: not in 12..34",
				  shape->run_shift);
	*s = (struct dvmi_stage2){
		.granule_bits = g.bits,
		.block_shift = (uint8_t)shape->block_shift,
		.size_class = (uint8_t)class,
		.reads = (uint8_t)(g.cls[class].level - (4 - levels) + 1),
		.run_shift = (uint8_t)shape->run_shift,
		.memory_bytes = shape->memory_bytes,
	};
	return 0;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* @kind 0: pages, 1 + level: tables. */
static uint64_t place(uint32_t space, int upper, unsigned kind, uint64_t unit, uint64_t places)
{
	uint64_t who = (uint64_t)space << 8 | (uint64_t)(upper ? 128 : 0) | kind;

	return places ? mix(mix(who) ^ unit) % places : 0;
}

uint64_t dvmi_stage2_page(const struct dvmi_stage2 *s, uint32_t space, int upper, uint64_t va,
			  unsigned leaf_shift)
{
	unsigned shift = leaf_shift > s->run_shift ? leaf_shift : s->run_shift;

	va &= VA_MASK;
	return (place(space, upper, 0, va >> shift, s->memory_bytes >> shift) << shift) |
	       (va & ((UINT64_C(1) << shift) - 1));
}

uint64_t dvmi_stage2_table(const struct dvmi_stage2 *s, const struct dvmi_granule *g,
			   uint32_t space, int upper, uint64_t va, unsigned level)
{
	/* A table is what one descriptor of the level above maps; the first is there once. */
	uint64_t unit = level > g->start_level ? (va & VA_MASK) >> g->level_shift[level - 1] : 0;

	return place(space, upper, 1 + level, unit, s->memory_bytes / TABLES_PART >> g->bits)
	       << g->bits;
}
