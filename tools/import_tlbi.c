/* SPDX-License-Identifier: MIT */
#include "import_tlbi.h"

#define PAGE_SHIFT 12
#define LEVEL_UNKNOWN 4

static uint64_t sign_extend(uint64_t value, unsigned bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);

	value &= (sign << 1) - 1;
	return (value ^ sign) - sign;
}

/* ASID [63:48], TTL [47:44] (granule [47:46], level [45:44]; 0b00xx: no hint), VA[55:12] [43:0] */
static void decode_va(struct tlbi *t, uint64_t operand)
{
	t->asid = (uint16_t)(operand >> 48);
	t->level = operand >> 46 & 3 ? operand >> 44 & 3 : LEVEL_UNKNOWN;
	t->va = sign_extend(operand, 44) << PAGE_SHIFT;
	t->bytes = UINT64_C(1) << PAGE_SHIFT;
}

/* ASID [63:48], TG [47:46], SCALE [45:44], NUM [43:39], TTL [38:37], BaseADDR [36:0] */
static void decode_range(struct tlbi *t, uint64_t operand)
{
	unsigned scale = operand >> 44 & 3, num = operand >> 39 & 31;

	t->asid = (uint16_t)(operand >> 48);
	t->level = operand >> 37 & 3 ? operand >> 37 & 3 : LEVEL_UNKNOWN;
	t->va = sign_extend(operand, 37) << PAGE_SHIFT;
	t->bytes = (uint64_t)(num + 1) << (5 * scale + 1 + PAGE_SHIFT);
}

/* CRm: 1 OS, 2 range IS, 3 IS, 5 range OS, 6 range, 7 local; others are not EL1 operations. */
static bool decode_crm(struct tlbi *t, unsigned crm)
{
	if (crm != 1 && crm != 2 && crm != 3 && crm != 5 && crm != 6 && crm != 7)
		return false;
	t->range = crm == 2 || crm == 5 || crm == 6;
	t->local = crm == 6 || crm == 7;
	return true;
}

struct tlbi tlbi_decode(uint32_t word, uint64_t operand)
{
	unsigned op1 = word >> 16 & 7, crm = word >> 8 & 15, op2 = word >> 5 & 7;
	struct tlbi t = { .level = LEVEL_UNKNOWN };

	if (op1 != 0 || !decode_crm(&t, crm))
		return t;
	/* op2: 0 VMALL, 1 VA, 2 ASID, 3 VAA, 5 VAL, 7 VAAL; ranges have the odd ones only */
	if (t.range ? !(op2 & 1) : op2 == 4 || op2 == 6)
		return t;
	t.scope = op2 == 0 ? TLBI_ALL : op2 == 2 ? TLBI_ASID :
		  op2 & 2 ? TLBI_VA_ALL_ASIDS : TLBI_VA;
	t.leaf = op2 & 4;
	t.dummy = (word & 31) == 31 && t.scope != TLBI_ALL;
	if (t.scope == TLBI_ASID)
		t.asid = (uint16_t)(operand >> 48);
	else if (t.scope != TLBI_ALL && t.range)
		decode_range(&t, operand);
	else if (t.scope != TLBI_ALL)
		decode_va(&t, operand);
	return t;
}
