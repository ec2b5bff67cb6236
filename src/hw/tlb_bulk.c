/* SPDX-License-Identifier: MIT */
#include "hw/tlb_bulk.h"

#include "base/mem.h"

/*
 * Address ranges are cut into aligned blocks of 2^k units. For entries of a class that cover 2^s
 * units, a block is indexed at level max(k, s); an entry then asks for its own unit at each level
 * from s up that occurs. A slot keeps the newest operation, since a TLB wants to know whether one
 * exists at or after its cursor.
 *
 * Key: bits 36:0 level and prefix ((prefix * 2 + 1) << level); 41:37 kind (part, class, scope);
 * 42 half; 47:43 VMID; 63:48 ASID.
 */
enum scope { SCOPE_ASID, SCOPE_ANY, SCOPE_GLOBAL, SCOPES };

#define CLASS_IDS 9 /* leaf classes 1..6, then walk classes 1..3 */
#define KIND_WHOLE_ASID 31
#define SLOTS_MAX ((size_t)1 << 22)

struct slot {
	uint64_t key;	/* 0: free */
	uint64_t newer; /* position of the newest operation, + 1 */
};

struct tlb_bulk {
	struct slot *slots;
	size_t size, used;
	uint64_t levels[CLASS_IDS][SCOPES]; /* bit k: level k occurs */
	uint64_t all, vmall[DVMI_TLB_VMIDS]; /* position + 1 of the newest */
	/* Few operations name stage 2: they are applied one by one. */
	const struct tlb_op *ops;
	uint32_t *stage2; /* positions */
	size_t stage2_count, stage2_capacity;
	unsigned classes;		     /* bit id: some TLB holds such entries */
	unsigned globals;		     /* bit half: some TLB holds global ones */
	uint8_t shift[CLASS_IDS];
};

static uint64_t range_key(uint64_t unit, unsigned level, unsigned kind, uint64_t who)
{
	uint64_t key = ((unit >> level << 1 | 1) << level) | (uint64_t)kind << 37;

	key |= (who & KEY_UPPER) ? UINT64_C(1) << 42 : 0;
	key |= (who & KEY_VMID) >> KEY_VMID_SHIFT << 43;
	return key | (who & KEY_ASID) >> KEY_ASID_SHIFT << 48;
}

static struct slot *find(const struct tlb_bulk *b, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 32) & (b->size - 1);

	while (b->slots[i].key && b->slots[i].key != key)
		i = (i + 1) & (b->size - 1);
	return &b->slots[i];
}

static int double_size(struct tlb_bulk *b)
{
	struct tlb_bulk bigger = *b;

	bigger.size = 2 * b->size;
	if (bigger.size > SLOTS_MAX)
		return -DVM_ELIMIT;
	bigger.slots = dvmi_calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -DVM_ENOMEM;
	for (size_t i = 0; i < b->size; i++)
		if (b->slots[i].key)
			*find(&bigger, b->slots[i].key) = b->slots[i];
	dvmi_free(b->slots);
	*b = bigger;
	return 0;
}

/* Positions come in rising order: the last one put is the newest. */
static int put(struct tlb_bulk *b, uint64_t key, uint64_t newer)
{
	struct slot *slot = find(b, key);

	if (!slot->key) {
		if (2 * b->used >= b->size) {
			int ret = double_size(b);

			if (ret)
				return ret;
			slot = find(b, key);
		}
		slot->key = key;
		b->used++;
	}
	slot->newer = newer;
	return 0;
}

static int put_block(struct tlb_bulk *b, const struct tlb_op *op, uint64_t unit, unsigned level,
		     enum scope scope, uint64_t newer)
{
	unsigned ids = (unsigned)(op->leaf_classes >> 1 & 0x3f) |
		       (unsigned)(op->walk_classes >> 1 & 7) << 6;
	uint64_t who = scope == SCOPE_ASID ? op->want : op->want & ~KEY_ASID;
	int ret = 0;

	ids &= b->classes;
	for (unsigned id = 0; id < CLASS_IDS && !ret; id++) {
		unsigned at = level > b->shift[id] ? level : b->shift[id];

		if (!(ids >> id & 1))
			continue;
		b->levels[id][scope] |= UINT64_C(1) << at;
		ret = put(b, range_key(unit, at, id * SCOPES + scope, who), newer);
	}
	return ret;
}

/* An operation by address: the aligned blocks of its range, from left to right. */
static int put_range(struct tlb_bulk *b, const struct tlb_op *op, uint64_t newer)
{
	int global = op->hit_global && (b->globals >> ((op->want & KEY_UPPER) ? 1 : 0) & 1);
	int ret = 0;

	for (uint64_t unit = op->first; unit <= op->last && !ret;) {
		unsigned level = 0;

		while (level < 36 && !(unit >> level & 1) &&
		       unit + (UINT64_C(2) << level) - 1 <= op->last)
			level++;
		if (!op->asid_mask) {
			ret = put_block(b, op, unit, level, SCOPE_ANY, newer);
		} else {
			ret = put_block(b, op, unit, level, SCOPE_ASID, newer);
			if (!ret && global)
				ret = put_block(b, op, unit, level, SCOPE_GLOBAL, newer);
		}
		unit += UINT64_C(1) << level;
	}
	return ret;
}

static int put_stage2(struct tlb_bulk *b, uint64_t position)
{
	void *p = b->stage2;
	int ret = dvmi_grow(&p, &b->stage2_capacity, b->stage2_count + 1, sizeof(*b->stage2));

	if (ret)
		return ret;
	b->stage2 = p;
	b->stage2[b->stage2_count++] = (uint32_t)position;
	return 0;
}

static int put_op(struct tlb_bulk *b, const struct tlb_op *op, uint64_t newer)
{
	if (op->stage2_classes) {
		int ret = put_stage2(b, newer - 1);

		if (ret)
			return ret;
	}
	switch (op->kind) {
	case DVMI_INVAL_IPA:
		return 0;
	case DVMI_INVAL_ALL:
		b->all = newer;
		return 0;
	case DVMI_INVAL_VMALL:
	case DVMI_INVAL_VMALLS12:
		b->vmall[(op->want & KEY_VMID) >> KEY_VMID_SHIFT] = newer;
		return 0;
	case DVMI_INVAL_ASID:
		return put(b, range_key(0, 36, KIND_WHOLE_ASID, op->want), newer);
	default:
		return put_range(b, op, newer);
	}
}

static void see_tlb(struct tlb_bulk *b, const struct dvmi_tlb *tlb)
{
	const struct tlb_array *leaf = &tlb->part[DVMI_PART_L1D];
	const struct tlb_array *walk = &tlb->part[DVMI_PART_WALK];

	for (int part = 0; part < DVMI_PARTS; part++) {
		unsigned used = (unsigned)(tlb->part[part].used | tlb->part[part].splinters) >> 1;

		if (part == DVMI_PART_STAGE2)
			continue;
		b->classes |= part == DVMI_PART_WALK ? used << 6 : used;
	}
	for (unsigned half = 0; half < 2; half++)
		b->globals |= (tlb->counts.present[BUCKET_GLOBAL + half] ? 1u : 0u) << half;
	/* All TLBs of a log have one granule. */
	for (unsigned c = 1; c <= 6; c++)
		b->shift[c - 1] = leaf->shift[c];
	for (unsigned c = 1; c <= 3; c++)
		b->shift[5 + c] = walk->shift[c];
}

struct tlb_bulk *tlb_bulk_new(const struct tlb_op *ops, size_t from, size_t end,
			      const struct dvmi_tlb *tlbs)
{
	struct tlb_bulk *b = dvmi_zalloc(sizeof(*b));
	int ret = b ? 0 : -DVM_ENOMEM;

	if (ret)
		return NULL;
	b->ops = ops;
	b->size = 1024;
	b->slots = dvmi_calloc(b->size, sizeof(*b->slots));
	ret = b->slots ? 0 : -DVM_ENOMEM;
	for (; tlbs; tlbs = tlbs->next_attached)
		see_tlb(b, tlbs);
	for (size_t i = from; i < end && !ret; i++)
		ret = put_op(b, &ops[i], (uint64_t)i + 1);
	if (ret) {
		tlb_bulk_free(b);
		return NULL;
	}
	return b;
}

void tlb_bulk_free(struct tlb_bulk *b)
{
	if (!b)
		return;
	dvmi_free(b->slots);
	dvmi_free(b->stage2);
	dvmi_free(b);
}

/* Is an operation at or after @cursor indexed under @key? */
static int named(const struct tlb_bulk *b, uint64_t key, size_t cursor)
{
	const struct slot *slot = find(b, key);

	return slot->key && slot->newer > cursor;
}

static int named_in_range(const struct tlb_bulk *b, uint64_t entry, unsigned id, enum scope scope,
			  size_t cursor)
{
	uint64_t levels = b->levels[id][scope];
	uint64_t who = scope == SCOPE_ASID ? entry : entry & ~KEY_ASID;

	for (unsigned level = b->shift[id]; levels >> level; level++)
		if ((levels >> level & 1) &&
		    named(b, range_key(entry & KEY_VA, level, id * SCOPES + scope, who), cursor))
			return 1;
	return 0;
}

static int removed(const struct tlb_bulk *b, uint64_t entry, unsigned id, size_t cursor)
{
	int global = (entry & KEY_GLOBAL) != 0;

	if (b->all > cursor || b->vmall[(entry & KEY_VMID) >> KEY_VMID_SHIFT] > cursor)
		return 1;
	if (named_in_range(b, entry, id, global ? SCOPE_GLOBAL : SCOPE_ASID, cursor) ||
	    named_in_range(b, entry, id, SCOPE_ANY, cursor))
		return 1;
	return !global && named(b, range_key(0, 36, KIND_WHOLE_ASID, entry & ~KEY_UPPER), cursor);
}

void tlb_bulk_apply(const struct tlb_bulk *b, struct dvmi_tlb *tlb)
{
	uint64_t hits = 0;

	for (int part = 0; part < DVMI_PARTS; part++) {
		struct tlb_array *a = &tlb->part[part];
		unsigned first = part == DVMI_PART_WALK ? 5 : UINT32_MAX; /* id = class + first */

		for (uint32_t i = 0; i < a->entries && part != DVMI_PART_STAGE2; i++) {
			uint64_t key = tlb_array_stage1_key(a, i);

			if (!key || !removed(b, key, key_class(key) + first, tlb->cursor[OP_INVAL]))
				continue;
			tlb_array_drop(a, i, &tlb->counts);
			hits++;
		}
	}
	for (size_t i = 0; i < b->stage2_count; i++)
		if (b->stage2[i] >= tlb->cursor[OP_INVAL])
			hits += tlb_array_apply(&tlb->part[DVMI_PART_STAGE2], &b->ops[b->stage2[i]],
						0xfe, 0, &tlb->counts);
	if (!hits)
		return;
	memo_clear(tlb);
	tlb->stats.invalidated += hits;
}
