/* SPDX-License-Identifier: MIT */
#include "hw/tlb_array.h"

static size_t up(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

size_t tlb_array_bytes(const struct tlb_shape *shape)
{
	size_t n = shape->entries;

	return 2 * up(n * sizeof(uint64_t)) + up(n * sizeof(uint32_t)) +
	       (shape->match ? n * sizeof(struct tlb_match) : 0) + (shape->whole ? up(n) : 0);
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
	a->version = (uint64_t *)(void *)memory;
	memory += up(n * sizeof(uint64_t));
	a->stamp = (uint32_t *)(void *)memory;
	memory += up(n * sizeof(uint32_t));
	if (shape->whole) {
		a->whole = (uint8_t *)memory;
		memory += up(n);
	}
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
	for (unsigned class = 1; a->used >> class; class++) {
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

static void count(struct tlb_array *a, uint64_t key, struct tlb_counts *counts, uint32_t by)
{
	unsigned class = key_class(key);
	uint16_t *near = &counts->near[tlb_near(a, key, class)];

	a->count[class][(key & KEY_GLOBAL) ? 1 : 0] += by;
	if (a->count[class][0] | a->count[class][1])
		a->used |= (uint8_t)(1u << class);
	else
		a->used &= (uint8_t)~(1u << class);
	counts->present[key_bucket(key)] += by;
	counts->present[BUCKET_ANY] += by;
	if (a->sets == 1)
		*near = (uint16_t)(*near + by);
}

/* The entry in @slot goes. */
static void count_splinter(struct tlb_array *a, uint32_t slot, uint32_t by)
{
	unsigned whole = a->whole[slot];

	if (whole == key_class(a->key[slot]))
		return;
	a->splinter_count[whole] += by;
	if (a->splinter_count[whole])
		a->splinters |= (uint8_t)(1u << whole);
	else
		a->splinters &= (uint8_t)~(1u << whole);
}

void tlb_array_set_whole(struct tlb_array *a, uint32_t slot, unsigned whole)
{
	if (!a->whole)
		return;
	a->whole[slot] = (uint8_t)whole;
	count_splinter(a, slot, 1);
}

uint64_t tlb_array_stage1_key(const struct tlb_array *a, uint32_t slot)
{
	uint64_t key = a->key[slot];
	unsigned whole;

	if (!a->whole || a->whole[slot] == key_class(key))
		return key;
	whole = a->whole[slot];
	key &= ~(KEY_CLASS | ((UINT64_C(1) << a->shift[whole]) - 1));
	return key | (uint64_t)whole << KEY_CLASS_SHIFT;
}

void tlb_array_drop(struct tlb_array *a, uint32_t slot, struct tlb_counts *counts)
{
	count(a, a->key[slot], counts, UINT32_MAX);
	if (a->whole) {
		count_splinter(a, slot, UINT32_MAX);
		a->whole[slot] = 0;
	}
	a->key[slot] = 0;
	a->stamp[slot] = 0;
	set_match(a, slot, 0);
}

void tlb_array_put(struct tlb_array *a, uint32_t slot, uint64_t key, uint64_t version,
		   uint32_t stamp, struct tlb_counts *counts)
{
	if (a->key[slot]) {
		count(a, a->key[slot], counts, UINT32_MAX);
		if (a->whole)
			count_splinter(a, slot, UINT32_MAX);
	}
	count(a, key, counts, 1);
	a->key[slot] = key;
	if (a->whole)
		a->whole[slot] = (uint8_t)key_class(key);
	a->version[slot] = version;
	a->stamp[slot] = stamp;
	set_match(a, slot, key);
}

/* Can any resident entry overlap @key? The larger ones of its ASID would have been hits. */
static int may_overlap(const struct tlb_array *a, uint64_t key)
{
	if (a->used & ((1u << key_class(key)) - 1))
		return 1;
	if (!(key & KEY_GLOBAL))
		return 0;
	for (unsigned c = key_class(key); c <= a->classes; c++)
		if (a->count[c][0])
			return 1;
	return 0;
}

void tlb_array_make_room(struct tlb_array *a, uint64_t key, struct tlb_counts *counts)
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
			tlb_array_drop(a, i, counts);
	}
}

struct visit {
	struct tlb_array *a;
	const struct tlb_op *op;
	struct tlb_counts *counts;
	uint64_t before; /* a watch's: entries of smaller versions; 0: no watch */
	uint64_t hits;
};

static inline void visit_slot(struct visit *v, uint32_t slot)
{
	struct tlb_array *a = v->a;

	if (!v->before) {
		tlb_array_drop(a, slot, v->counts);
		v->hits++;
	} else if (a->version[slot] < v->before) {
		a->key[slot] |= KEY_STALE;
		set_match(a, slot, a->key[slot]);
		v->hits++;
	}
}

static inline int splinter(const struct tlb_array *a, uint32_t slot)
{
	return a->whole && a->whole[slot] != key_class(a->key[slot]);
}

/* One unit of one class. */
static void visit_unit(struct visit *v, unsigned class, uint64_t unit)
{
	struct tlb_array *a = v->a;
	uint64_t va = unit << a->shift[class], want = va | (uint64_t)class << KEY_CLASS_SHIFT;
	uint32_t slot = tlb_array_set(a, va, class) * a->ways, end = slot + a->ways;

	if (a->sets == 1 && !v->counts->near[tlb_near(a, va, class)])
		return;
	for (; slot < end; slot++) {
		uint64_t key = a->key[slot];

		if ((key & (KEY_VA | KEY_CLASS)) == want && tlb_op_matches(v->op, key) &&
		    !splinter(a, slot))
			visit_slot(v, slot);
	}
}

static void visit_all(struct visit *v, unsigned classes)
{
	const struct tlb_array *a = v->a;
	const struct tlb_op *op = v->op;

	for (uint32_t i = 0; i < a->entries; i++) {
		uint64_t key = a->key[i], va = key & KEY_VA;
		unsigned class = key_class(key);

		if (!(classes >> class & 1) || !tlb_op_matches(op, key) || splinter(a, i))
			continue;
		if (va <= op->last && va + ((UINT64_C(1) << a->shift[class]) - 1) >= op->first)
			visit_slot(v, i);
	}
}

/* Splinters: their stage-1 leaf decides. */
static void visit_splinters(struct visit *v, unsigned classes)
{
	const struct tlb_array *a = v->a;
	const struct tlb_op *op = v->op;

	for (uint32_t i = 0; i < a->entries; i++) {
		uint64_t key, va;

		if (!a->key[i] || !splinter(a, i))
			continue;
		key = tlb_array_stage1_key(a, i);
		va = key & KEY_VA;
		if ((classes >> key_class(key) & 1) && tlb_op_matches(op, key) && va <= op->last &&
		    va + ((UINT64_C(1) << a->shift[key_class(key)]) - 1) >= op->first)
			visit_slot(v, i);
	}
}

uint64_t tlb_array_apply(struct tlb_array *a, const struct tlb_op *op, unsigned classes,
			 uint64_t before, struct tlb_counts *counts)
{
	struct visit v = { a, op, counts, before, 0 };
	uint64_t few = a->sets > 1 ? a->sets / 2 : 4;
	unsigned scan = 0;

	if (classes & a->splinters)
		visit_splinters(&v, classes);
	classes &= a->used;
	for (unsigned c = 1; classes >> c; c++) {
		uint64_t first = op->first >> a->shift[c], last = op->last >> a->shift[c];

		if (!(classes >> c & 1))
			continue;
		/* Unit by unit while that touches fewer slots than a sweep. */
		if (last - first >= few)
			scan |= 1u << c;
		else
			for (uint64_t unit = first; unit <= last; unit++)
				visit_unit(&v, c, unit);
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
