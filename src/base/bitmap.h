/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_BITMAP_H
#define DVMI_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sets of CPUs: arrays of 64-bit words, all of one length that the owner knows. */

static inline size_t dvmi_bitmap_words(size_t bits)
{
	return (bits + 63) / 64;
}

static inline bool dvmi_bitmap_test(const uint64_t *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void dvmi_bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void dvmi_bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static inline size_t dvmi_bitmap_count(const uint64_t *map, size_t words)
{
	size_t n = 0;

	for (size_t i = 0; i < words; i++)
		n += (size_t)__builtin_popcountll(map[i]);
	return n;
}

#endif
