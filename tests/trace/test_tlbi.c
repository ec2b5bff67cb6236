/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "import_tlbi.h"

/*
 * Encodings: Arm ARM (DDI 0487), "TLBI" in the index of A64 system instructions. Word = SYS #op1, C8,
 * Cm, #op2, Xt = 0xd5080000 | op1 << 16 | 8 << 12 | CRm << 8 | op2 << 5 | Rt.
 */
#define SYS(op1, crm, op2, rt)                                                                     \
	(0xd5080000u | (op1) << 16 | 8u << 12 | (crm) << 8 | (op2) << 5 | (rt))
#define ALL TLBI_ALL
#define VA TLBI_VA
#define VAA TLBI_VA_ALL_ASIDS
#define NO TLBI_NOT_MODELLED

static const struct {
	const char *name;
	uint32_t word;
	enum tlbi_scope scope;
	bool local, leaf, range, dummy;
} instructions[] = {
	{ "vmalle1is", SYS(0, 3, 0, 31), ALL, false, false, false, false },
	{ "vae1is", SYS(0, 3, 1, 0), VA, false, false, false, false },
	{ "aside1is", SYS(0, 3, 2, 0), TLBI_ASID, false, false, false, false },
	{ "vaae1is", SYS(0, 3, 3, 0), VAA, false, false, false, false },
	{ "vale1is", SYS(0, 3, 5, 1), VA, false, true, false, false },
	{ "vaale1is", SYS(0, 3, 7, 0), VAA, false, true, false, false },
	{ "rvae1is", SYS(0, 2, 1, 0), VA, false, false, true, false },
	{ "rvaae1is", SYS(0, 2, 3, 0), VAA, false, false, true, false },
	{ "rvale1is", SYS(0, 2, 5, 0), VA, false, true, true, false },
	{ "rvaale1is", SYS(0, 2, 7, 0), VAA, false, true, true, false },
	{ "vmalle1os", SYS(0, 1, 0, 31), ALL, false, false, false, false },
	{ "vale1os", SYS(0, 1, 5, 0), VA, false, true, false, false },
	{ "rvale1os", SYS(0, 5, 5, 0), VA, false, true, true, false },
	{ "vmalle1", SYS(0, 7, 0, 31), ALL, true, false, false, false },
	{ "vale1", SYS(0, 7, 5, 0), VA, true, true, false, false },
	{ "rvale1", SYS(0, 6, 5, 0), VA, true, true, true, false },
	/* the second operation of the repeated-TLBI workaround */
	{ "vale1is xzr", SYS(0, 3, 5, 31), VA, false, true, false, true },
	{ "vae2is", SYS(4, 3, 1, 0), NO, false, false, false, false },
	{ "alle1is", SYS(4, 3, 4, 31), NO, false, false, false, false },
	{ "reserved", SYS(0, 3, 4, 0), NO, false, false, false, false },
	{ "reserved range", SYS(0, 2, 0, 0), NO, false, false, true, false },
};

START_TEST(an_instruction_is_decoded)
{
	struct tlbi t = tlbi_decode(instructions[_i].word, 0);

	ck_assert_msg(t.scope == instructions[_i].scope, "%s", instructions[_i].name);
	if (t.scope == TLBI_NOT_MODELLED)
		return;
	ck_assert_msg(t.local == instructions[_i].local && t.leaf == instructions[_i].leaf &&
		      t.range == instructions[_i].range && t.dummy == instructions[_i].dummy, "%s",
		      instructions[_i].name);
}
END_TEST

#define U(x) UINT64_C(x)
/* operand -> ASID, VA, bytes, level (4: no hint) */
static const struct {
	uint32_t word;
	uint64_t operand;
	unsigned asid;
	uint64_t va, bytes;
	unsigned level;
} operands[] = {
	/* the one in the capture notes: ASID 0x96, VA 0xffff98f56000 */
	{ SYS(0, 3, 5, 0), U(0x96000ffff98f56), 0x96, U(0xffff98f56000), 4096, 4 },
	/* TTL 0b0111: 4 KiB granule, level 3 */
	{ SYS(0, 3, 5, 0), U(0x1234) << 48 | U(7) << 44 | 0x10, 0x1234, 0x10000, 4096, 3 },
	/* TTL 0b0110: level 2 */
	{ SYS(0, 3, 1, 0), U(6) << 44 | 0x200, 0, 0x200000, 4096, 2 },
	/* a kernel address: bit 43 of the field is VA[55] */
	{ SYS(0, 3, 7, 0), U(0xfffffff0000), 0, U(0xfffffffff0000000), 4096, 4 },
	{ SYS(0, 3, 2, 0), U(0xffff) << 48, 0xffff, 0, 0, 4 },
	/* SCALE 0, NUM 0: 2 pages; TG 1, TTL 3 */
	{ SYS(0, 2, 5, 0), U(9) << 48 | U(1) << 46 | U(3) << 37 | 0x100, 9, 0x100000, 2 * 4096, 3 },
	/* SCALE 1, NUM 6: 7 << 6 = 448 pages; no hint */
	{ SYS(0, 2, 5, 0), U(1) << 46 | U(1) << 44 | U(6) << 39 | 1, 0, 0x1000, 448 * 4096, 4 },
	/* SCALE 3, NUM 31: 32 << 16 = 2,097,152 pages, the most there is */
	{ SYS(0, 2, 1, 0), U(1) << 46 | U(3) << 44 | U(31) << 39, 0, 0, U(2097152) * 4096, 4 },
	/* a kernel range: BaseADDR bit 36 is VA[48] */
	{ SYS(0, 2, 7, 0), U(1) << 46 | U(0x1fffffffff), 0, U(0xfffffffffffff000), 2 * 4096, 4 },
};

START_TEST(an_operand_is_decoded)
{
	struct tlbi t = tlbi_decode(operands[_i].word, operands[_i].operand);

	ck_assert_uint_eq(t.asid, operands[_i].asid);
	ck_assert_uint_eq(t.va, operands[_i].va);
	ck_assert_uint_eq(t.bytes, operands[_i].bytes);
	ck_assert_uint_eq(t.level, operands[_i].level);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "tlbi");

	tcase_add_loop_test(tc, an_instruction_is_decoded, 0, COUNT(instructions));
	tcase_add_loop_test(tc, an_operand_is_decoded, 0, COUNT(operands));
}

CHECK_MAIN("trace tlbi", add_cases)
