/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "hw/tlb_impl.h"

#include <string.h>

#define VA_UPPER (UINT64_C(1) << 55)
#define VA_MASK ((UINT64_C(1) << 48) - 1)

/* The VA forms: addresses, and what level the TTL hint leaves. */
static void va_form(struct tlb_op *op, const struct dvmi_granule *g, const struct dvmi_inval *inval)
{
	unsigned unit = g->bits - 12u;
	uint64_t granule = (inval->va & VA_MASK) >> g->bits, end = (KEY_VA >> unit) + 1;
	uint64_t pages = inval->pages ? inval->pages : 1;
	int hint = inval->ttl;

	if (hint >= 0 && !(g->ttl_levels >> hint & 1))
		hint = DVMI_TTL_NONE;
	if (pages > end - granule)
		pages = end - granule;
	op->first = granule << unit;
	op->last = ((granule + pages) << unit) - 1;
	op->leaf_classes = 0;
	for (unsigned c = 1; c <= g->classes; c++)
		if (hint < 0 || g->cls[c].level == hint)
			op->leaf_classes |= (uint8_t)(1u << c);
	op->walk_classes = 0;
	for (int level = g->start_level; level < 3 && !inval->leaf_only; level++)
		if (hint < 0 || level < hint)
			op->walk_classes |= (uint8_t)(2u << level);
	op->fixed = KEY_VMID | KEY_UPPER;
	if (inval->va & VA_UPPER)
		op->want |= KEY_UPPER;
}

static void ipa_form(struct tlb_op *op, const struct dvmi_inval *inval)
{
	uint64_t pages = inval->pages ? inval->pages : 1;

	op->first = (inval->va & VA_MASK) >> 12;
	if (pages > KEY_VA + 1 - op->first)
		pages = KEY_VA + 1 - op->first;
	op->last = op->first + pages - 1;
	op->leaf_classes = op->walk_classes = 0;
	op->stage2_classes = 0xfe;
}

int tlb_op_init(struct tlb_op *op, const struct dvmi_granule *g, const struct dvmi_inval *inval,
		struct dvm_error *err)
{
	uint64_t who = (uint64_t)inval->vmid << KEY_VMID_SHIFT |
		       (uint64_t)inval->asid << KEY_ASID_SHIFT;

	if (inval->vmid >= DVMI_TLB_VMIDS || inval->ttl < DVMI_TTL_NONE || inval->ttl > 3)
		return dvmi_error(err, DVM_EINVAL, "tlbi", "VMID not below %d, or TTL not in -1..3",
				  DVMI_TLB_VMIDS);
	*op = (struct tlb_op){ .want = who,
			       .fixed = KEY_VMID,
			       .last = KEY_VA,
			       .kind = (uint8_t)inval->kind,
			       .leaf_classes = 0xfe,
			       .walk_classes = 0xfe,
			       .hit_global = 1,
			       .bucket = { BUCKET_ANY, BUCKET_NONE } };
	switch (inval->kind) {
	case DVMI_INVAL_ALL:
		op->want = op->fixed = 0;
		op->stage2_classes = 0xfe;
		return 0;
	case DVMI_INVAL_VMALL:
		op->want &= KEY_VMID;
		return 0;
	case DVMI_INVAL_VMALLS12:
		op->want &= KEY_VMID;
		op->stage2_classes = 0xfe;
		return 0;
	case DVMI_INVAL_IPA:
		op->want &= KEY_VMID;
		ipa_form(op, inval);
		return 0;
	case DVMI_INVAL_ASID:
		op->asid_mask = KEY_ASID;
		op->hit_global = 0;
		op->bucket[0] = (uint16_t)key_bucket(who);
		return 0;
	case DVMI_INVAL_VA:
		va_form(op, g, inval);
		op->asid_mask = KEY_ASID;
		op->bucket[0] = (uint16_t)key_bucket(who);
		op->bucket[1] = (uint16_t)key_bucket(KEY_GLOBAL | op->want);
		return 0;
	case DVMI_INVAL_VAA:
		op->want &= KEY_VMID;
		va_form(op, g, inval);
		return 0;
	}
	return dvmi_error(err, DVM_EINVAL, "tlbi", "unknown operation %d", (int)inval->kind);
}

/*
 * Which versions a watch judges: those below this. Of versions that are times: an entry filled at the
 * instant of the change by a CPU that comes first is older than the change (tlb_time()).
 */
static uint64_t judged(const struct dvmi_tlb *tlb, const struct tlb_op *op)
{
	uint64_t first = op->by > tlb->order ? op->by - tlb->order : 0;

	return op->version * tlb->threads + (first < tlb->threads ? first : tlb->threads);
}

void tlb_op_apply(struct dvmi_tlb *tlb, const struct tlb_op *op, int watch)
{
	uint64_t before = watch ? judged(tlb, op) : 0, hits = 0;

	if (watch && !before)
		return;
	if (!(tlb->counts.present[op->bucket[0]] | tlb->counts.present[op->bucket[1]]))
		return;
	for (int part = 0; part < DVMI_PARTS; part++) {
		hits += tlb_array_apply(&tlb->part[part], op, tlb_op_classes(op, part), before,
					&tlb->counts);
	}
	if (!hits)
		return;
	memo_clear(tlb);
	if (!watch)
		tlb->stats.invalidated += hits;
}

int dvmi_tlb_apply(struct dvmi_tlb *tlb, const struct dvmi_inval *inval)
{
	struct tlb_op op;
	int ret = tlb_op_init(&op, &tlb->granule, inval, NULL);

	if (!ret)
		tlb_op_apply(tlb, &op, 0);
	return ret;
}

int dvmi_tlb_post(struct dvmi_tlb *tlb, const struct dvmi_inval *inval, uint64_t at_ps)
{
	struct tlb_op op;
	size_t at = tlb->own_n;
	int ret = tlb_op_init(&op, &tlb->granule, inval, NULL);

	if (!ret)
		ret = dvmi_grow((void **)&tlb->own, &tlb->own_capacity, at + 1, sizeof(*tlb->own));
	if (ret)
		return ret;
	op.base_ps = at_ps;
	for (; at > 0 && tlb->own[at - 1].base_ps > at_ps; at--)
		tlb->own[at] = tlb->own[at - 1];
	tlb->own[at] = op;
	tlb->own_n++;
	return 0;
}

void tlb_own_settle(struct dvmi_tlb *tlb, uint64_t now_ps)
{
	size_t n = 0;

	for (; n < tlb->own_n && tlb->own[n].base_ps <= now_ps; n++)
		tlb_op_apply(tlb, &tlb->own[n], 0);
	tlb->own_n -= n;
	memmove(tlb->own, tlb->own + n, tlb->own_n * sizeof(*tlb->own));
}
