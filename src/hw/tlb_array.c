/* SPDX-License-Identifier: MIT */
#include "hw/tlb_array.h"

static size_t up(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

size_t tlb_array_bytes(const struct tlb_shape *shape)
{
	size_t n = shape->entries;

	return up(n * sizeof(uint64_t)) + 2 * up(n * sizeof(uint32_t)) +
	       (shape->match ? n * sizeof(struct tlb_match) : 0);
}

/* Never equal to a query, whose class bits are 0. */
static const struct tlb_match no_match = { KEY_CLASS, KEY_CLASS };

void tlb_array_init(struct tlb_array *a, const struct tlb_shape *shape, char *memory)
{
	size_t n = shape->entries;

	a->entries = shape->entries;
	a->ways = shape->ways ? shape->ways : shape->entries;
	a->sets = n ? a->entries / a->ways : 1;
	a->set_mask = (a->sets & (a->sets - 1)) ? 0 : a->sets - 1;
	a->key = (uint64_t *)(void *)memory;
	memory += up(n * sizeof(uint64_t));
	a->stamp = (uint32_t *)(void *)memory;
	memory += up(n * sizeof(uint32_t));
	a->version = (uint32_t *)(void *)memory;
	memory += up(n * sizeof(uint32_t));
	if (!shape->match)
		return;
	a->match = (struct tlb_match *)(void *)memory;
	for (size_t i = 0; i < n; i++)
		a->match[i] = no_match;
}

uint32_t tlb_array_find_class(const struct tlb_array *a, uint64_t query, unsigned class, int global)
{
	uint64_t want;
	uint32_t slot, end;

	if (!a->count[class][global])
		return NO_SLOT;
	want = tlb_key(a, query, class, global);
	slot = tlb_array_set(a, query, class) * a->ways;
	for (end = slot + a->ways; slot < end; slot++)
		if ((a->key[slot] & ~(KEY_WRITE | KEY_STALE)) == want)
			return slot;
	return NO_SLOT;
}

uint32_t tlb_array_find(const struct tlb_array *a, uint64_t query)
{
	for (unsigned class = 1; class <= a->classes; class++) {
		for (int global = 0; global < 2; global++) {
			uint32_t slot = tlb_array_find_class(a, query, class, global);

			if (slot != NO_SLOT)
				return slot;
		}
	}
	return NO_SLOT;
}

uint32_t tlb_array_victim(const struct tlb_array *a, uint64_t key)
{
	uint32_t first = tlb_array_set(a, key, key_class(key)) * a->ways, best = 0;
	const uint32_t *stamp = a->stamp + first;
	uint32_t least = stamp[0];

	/* The minimum first: a reduction the compiler vectorises. */
	for (uint32_t i = 1; i < a->ways; i++)
		least = stamp[i] < least ? stamp[i] : least;
	while (stamp[best] != least)
		best++;
	return first + best;
}

static void set_match(struct tlb_array *a, uint32_t slot, uint64_t key)
{
	struct tlb_match m = no_match;
	unsigned class = key_class(key);

	if (!a->match)
		return;
	if (class) {
		/* STALE is compared, so that the fast path never uses a marked entry. */
		m.mask = KEY_UPPER | KEY_VMID | KEY_STALE |
			 (KEY_VA >> a->shift[class] << a->shift[class]);
		if (!(key & KEY_GLOBAL))
			m.mask |= KEY_ASID;
		if (!(key & KEY_WRITE))
			m.mask |= KEY_WRITE;
		m.match = key & m.mask;
	}
	a->match[slot] = m;
}

static void count(struct tlb_array *a, uint64_t key, uint32_t *present, uint32_t by)
{
	a->count[key_class(key)][(key & KEY_GLOBAL) ? 1 : 0] += by;
	present[key_bucket(key)] += by;
	present[BUCKET_ANY] += by;
}

void tlb_array_drop(struct tlb_array *a, uint32_t slot, uint32_t *present)
{
	count(a, a->key[slot], present, UINT32_MAX);
	a->key[slot] = 0;
	a->stamp[slot] = 0;
	set_match(a, slot, 0);
}

void tlb_array_put(struct tlb_array *a, uint32_t slot, uint64_t key, uint32_t version,
		   uint32_t stamp, uint32_t *present)
{
	if (a->key[slot])
		count(a, a->key[slot], present, UINT32_MAX);
	count(a, key, present, 1);
	a->key[slot] = key;
	a->version[slot] = version;
	a->stamp[slot] = stamp;
	set_match(a, slot, key);
}

/* Can any resident entry overlap @key? The larger ones of its ASID would have been hits. */
static int may_overlap(const struct tlb_array *a, uint64_t key)
{
	for (unsigned c = 1; c < key_class(key); c++)
		if (a->count[c][0] || a->count[c][1])
			return 1;
	if (!(key & KEY_GLOBAL))
		return 0;
	for (unsigned c = key_class(key); c <= a->classes; c++)
		if (a->count[c][0])
			return 1;
	return 0;
}

void tlb_array_make_room(struct tlb_array *a, uint64_t key, uint32_t *present)
{
	if (!may_overlap(a, key))
		return;
	for (uint32_t i = 0; i < a->entries; i++) {
		uint64_t other = a->key[i], differ = key ^ other;
		uint8_t shift = a->shift[key_class(key)], theirs = a->shift[key_class(other)];

		if (!other || (differ & (KEY_UPPER | KEY_VMID)))
			continue;
		if ((differ & KEY_ASID) && !((key | other) & KEY_GLOBAL))
			continue;
		if (!((differ & KEY_VA) >> (shift > theirs ? shift : theirs)))
			tlb_array_drop(a, i, present);
	}
}

struct visit {
	struct tlb_array *a;
	const struct tlb_op *op;
	uint32_t *present;
	int watch;
	uint64_t hits;
};

static inline void visit_slot(struct visit *v, uint32_t slot)
{
	struct tlb_array *a = v->a;

	if (!v->watch) {
		tlb_array_drop(a, slot, v->present);
		v->hits++;
	} else if (a->version[slot] < v->op->version) {
		a->key[slot] |= KEY_STALE;
		set_match(a, slot, a->key[slot]);
		v->hits++;
	}
}

/* The units of one class, set by set. */
static void visit_units(struct visit *v, unsigned class, uint64_t first, uint64_t last)
{
	struct tlb_array *a = v->a;

	for (uint64_t unit = first; unit <= last; unit++) {
		uint64_t va = unit << a->shift[class];
		uint32_t slot = tlb_array_set(a, va, class) * a->ways, end = slot + a->ways;

		for (; slot < end; slot++) {
			uint64_t key = a->key[slot];

			if ((key & KEY_VA) == va && key_class(key) == class &&
			    tlb_op_matches(v->op, key))
				visit_slot(v, slot);
		}
	}
}

static void visit_all(struct visit *v, unsigned classes)
{
	const struct tlb_array *a = v->a;
	const struct tlb_op *op = v->op;

	for (uint32_t i = 0; i < a->entries; i++) {
		uint64_t key = a->key[i], va = key & KEY_VA;
		unsigned class = key_class(key);

		if (!(classes >> class & 1) || !tlb_op_matches(op, key))
			continue;
		if (va <= op->last && va + ((UINT64_C(1) << a->shift[class]) - 1) >= op->first)
			visit_slot(v, i);
	}
}

uint64_t tlb_array_apply(struct tlb_array *a, const struct tlb_op *op, unsigned classes, int watch,
			 uint32_t *present)
{
	struct visit v = { a, op, present, watch, 0 };
	unsigned scan = 0;

	for (unsigned c = 1; c <= a->classes; c++) {
		uint64_t first = op->first >> a->shift[c], last = op->last >> a->shift[c];

		if (!(classes >> c & 1) || !(a->count[c][0] + a->count[c][1]))
			continue;
		/* Sets one by one while that touches fewer slots than a sweep. */
		if (last - first < a->sets / 2)
			visit_units(&v, c, first, last);
		else
			scan |= 1u << c;
	}
	if (scan)
		visit_all(&v, scan);
	return v.hits;
}

void tlb_array_restamp(struct tlb_array *a)
{
	for (uint32_t set = 0; set < a->entries; set += a->ways) {
		uint32_t *stamp = a->stamp + set, done = 0;

		/* Ranks from the least up; stamps differ, so a rank never exceeds its stamp. */
		for (uint32_t rank = 1; rank <= a->ways; rank++) {
			uint32_t best = NO_SLOT;

			for (uint32_t i = 0; i < a->ways; i++)
				if (stamp[i] > done && (best == NO_SLOT || stamp[i] < stamp[best]))
					best = i;
			if (best == NO_SLOT)
				break;
			done = stamp[best];
			stamp[best] = rank;
		}
	}
}
