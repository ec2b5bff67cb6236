/* SPDX-License-Identifier: MIT */
#include "check/visited.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#include <string.h>

#define SLOTS_MIN 1024u

void dvmi_visited_fini(struct dvmi_visited *set)
{
	dvmi_free(set->slots);
	dvmi_free(set->bytes);
	memset(set, 0, sizeof(*set));
}

void dvmi_visited_clear(struct dvmi_visited *set)
{
	/* A table that one large search left behind is not worth clearing for many small ones. */
	if (set->slots && set->mask >= 65536 && set->count < set->mask / 64) {
		dvmi_free(set->slots);
		set->slots = NULL;
	}
	set->count = set->least = 0;
	if (set->slots)
		memset(set->slots, 0, (set->mask + 1) * sizeof(*set->slots));
}

/* What the entries take, whatever earlier searches left of capacity: a limit must not depend on them. */
size_t dvmi_visited_memory(const struct dvmi_visited *set)
{
	return set->least * sizeof(*set->slots) + set->count * set->size;
}

static uint64_t hash(const unsigned char *key, size_t size)
{
	uint64_t h = size * UINT64_C(0x9e3779b97f4a7c15);

	while (size >= 8) {
		uint64_t v;

		memcpy(&v, key, 8);
		h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
		key += 8;
		size -= 8;
	}
	while (size--)
		h = (h ^ *key++) * UINT64_C(0x100000001b3);
	h ^= h >> 33;
	return h * UINT64_C(0xc4ceb9fe1a85ec53);
}

/* The slot of a string, or the free one where it belongs. Whole strings decide, not hashes. */
static size_t find(const struct dvmi_visited *set, const unsigned char *key, size_t size,
		   uint64_t h)
{
	size_t i = (uint32_t)h & set->mask;

	for (; set->slots[i]; i = (i + 1) & set->mask) {
		size_t e = (set->slots[i] & UINT32_MAX) - 1;

		if (((set->slots[i] ^ (h << 32)) >> 32) == 0 &&
		    !memcmp(set->bytes + e * size, key, size))
			break;
	}
	return i;
}

static uint64_t slot_of(uint64_t h, size_t entry)
{
	return h << 32 | (uint32_t)(entry + 1);
}

static int enlarge(struct dvmi_visited *set)
{
	size_t old = set->slots ? set->mask + 1 : 0, slots = old ? old * 2 : SLOTS_MIN;
	uint64_t *fresh;

	if (slots > UINT32_MAX || !(fresh = dvmi_calloc(slots, sizeof(*fresh))))
		return -DVM_ENOMEM;
	/* A slot has the bits of the hash that its place is made from. */
	for (size_t o = 0; o < old; o++) {
		size_t i = (size_t)(set->slots[o] >> 32) & (slots - 1);

		if (!set->slots[o])
			continue;
		while (fresh[i])
			i = (i + 1) & (slots - 1);
		fresh[i] = set->slots[o];
	}
	dvmi_free(set->slots);
	set->slots = fresh;
	set->mask = slots - 1;
	return 0;
}

int dvmi_visited_add(struct dvmi_visited *set, const unsigned char *key, size_t size)
{
	uint64_t h = hash(key, size);
	size_t slot;

	if (!set->count)
		set->size = size;
	if ((!set->slots || set->count * 8 >= set->mask * 7) && enlarge(set))
		return -DVM_ENOMEM;
	slot = find(set, key, size, h);
	if (set->slots[slot])
		return 0;
	/* One byte more, so that an empty string has an address too. */
	if (dvmi_grow((void **)&set->bytes, &set->bytes_capacity, (set->count + 1) * size + 1, 1))
		return -DVM_ENOMEM;
	memcpy(set->bytes + set->count * size, key, size);
	set->slots[slot] = slot_of(h, set->count++);
	if (!set->least)
		set->least = SLOTS_MIN;
	else if (set->count * 8 >= set->least * 7)
		set->least *= 2;
	return 1;
}
