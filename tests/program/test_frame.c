/* SPDX-License-Identifier: MIT */
/* The stepping interface, on programs built by hand: no parser is involved. */
#include "check_main.h"

#include "program/program.h"

#include <string.h>

#define REG(i) { .kind = DVMI_REG, .n = (i) }
#define IMM(v) { .kind = DVMI_IMM, .imm = (v) }
#define SELF { .kind = DVMI_SELF }
#define FIELD(i) { .kind = DVMI_FIELD, .n = (i) }
#define MASK(i) { .kind = DVMI_MASK, .n = (i) }

static uint64_t fields[DVMI_FIELDS], masks[2 * 2];

static struct dvmi_program *program(struct dvmi_insn *insns, unsigned count)
{
	static struct dvmi_program p;

	memset(&p, 0, sizeof(p));
	for (unsigned i = 0; i < DVMI_HOOKS; i++)
		p.hooks[i] = -1;
	p.hooks[DVMI_HOOK_FLUSH] = 0;
	p.insns = insns;
	p.insns_count = count;
	p.mask_regs_count = 2;
	for (unsigned i = 0; i < count; i++)
		dvmi_insn_classify(&insns[i]);
	return &p;
}

static struct dvmi_prog_env environment(const struct dvmi_program *p, unsigned self)
{
	return (struct dvmi_prog_env){ .program = p, .fields = fields, .masks = masks,
				       .mask_words = 2, .cpus = 70, .self = self };
}

/* if (active == self) tlbi local else tlbi is: which of the two is reached */
static const struct {
	uint64_t active;
	unsigned self, scope;
} sides[] = { { 3, 3, DVMI_TLBI_LOCAL }, { 4, 3, DVMI_TLBI_IS }, { UINT32_MAX, 0, DVMI_TLBI_IS } };

START_TEST(branch_compares_a_loaded_word_with_self)
{
	struct dvmi_insn insns[] = {
		{ .op = DVMI_LD, .dst = 0 },
		{ .op = DVMI_BNE, .src = { REG(0), SELF }, .target = 4 },
		{ .op = DVMI_TLBI, .scope = DVMI_TLBI_LOCAL },
		{ .op = DVMI_RET },
		{ .op = DVMI_TLBI, .scope = DVMI_TLBI_IS },
		{ .op = DVMI_RET },
	};
	struct dvmi_program *p = program(insns, 6);
	struct dvmi_prog_env env = environment(p, sides[_i].self);
	struct dvmi_frame f;
	const struct dvmi_insn *insn;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert_ptr_eq(dvmi_frame_next(&f, &env), &insns[0]);
	dvmi_frame_result(&f, sides[_i].active, &env);
	/* Sampling self stops the run: the task may be moved just before it. */
	ck_assert_ptr_eq(dvmi_frame_next(&f, &env), &insns[1]);
	ck_assert_ptr_eq(dvmi_frame_next(&f, &env), &insns[1]);
	dvmi_frame_result(&f, 99, &env);
	insn = dvmi_frame_next(&f, &env);
	ck_assert_ptr_nonnull(insn);
	ck_assert_uint_eq(insn->scope, sides[_i].scope);
	dvmi_frame_result(&f, 0, &env);
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	ck_assert_uint_eq(f.state, DVMI_RETURNED);
}
END_TEST

START_TEST(self_is_the_cpu_of_that_step)
{
	struct dvmi_insn insns[] = {
		{ .op = DVMI_MOV, .dst = 0, .src = { SELF } },
		{ .op = DVMI_MOV, .dst = 1, .src = { SELF } },
		{ .op = DVMI_RET },
	};
	struct dvmi_program *p = program(insns, 3);
	struct dvmi_prog_env env = environment(p, 5);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	dvmi_frame_next(&f, &env);
	dvmi_frame_result(&f, 0, &env);
	env.self = 6;
	dvmi_frame_next(&f, &env);
	dvmi_frame_result(&f, 0, &env);
	ck_assert_uint_eq(f.regs[0], 5);
	ck_assert_uint_eq(f.regs[1], 6);
}
END_TEST

static const struct {
	unsigned op;
	uint64_t a, b, result;
} sums[] = {
	{ DVMI_MOV, 7, 0, 7 },	 { DVMI_ADD, 7, 3, 10 },   { DVMI_SUB, 3, 7, UINT64_MAX - 3 },
	{ DVMI_AND, 6, 3, 2 },	 { DVMI_OR, 6, 3, 7 },	   { DVMI_XOR, 6, 3, 5 },
	{ DVMI_LSL, 1, 63, UINT64_C(1) << 63 },		   { DVMI_LSL, 1, 64, 0 },
	{ DVMI_LSR, 8, 3, 1 },	 { DVMI_LSR, 8, 200, 0 },
};

START_TEST(arithmetic_is_unsigned_and_wraps)
{
	struct dvmi_insn insns[] = {
		{ .op = (uint8_t)sums[_i].op, .dst = 2,
		  .src = { IMM(sums[_i].a), IMM(sums[_i].b) } },
		{ .op = DVMI_RET },
	};
	struct dvmi_program *p = program(insns, 2);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	ck_assert_uint_eq(f.regs[2], sums[_i].result);
}
END_TEST

static const struct {
	unsigned op;
	uint64_t a, b;
	bool taken;
} jumps[] = {
	{ DVMI_B, 0, 0, true },	     { DVMI_BEQ, 1, 1, true },	{ DVMI_BEQ, 1, 2, false },
	{ DVMI_BNE, 1, 2, true },    { DVMI_BNE, 1, 1, false }, { DVMI_BLT, 1, 2, true },
	{ DVMI_BLT, 2, 2, false },   { DVMI_BGE, 2, 2, true },	{ DVMI_BGE, 1, 2, false },
	{ DVMI_BLE, 2, 2, true },    { DVMI_BLE, 3, 2, false }, { DVMI_BGT, 3, 2, true },
	{ DVMI_BGT, 2, 2, false },   { DVMI_BIF, 2, 0, true },	{ DVMI_BIF, 0, 0, false },
	{ DVMI_BIFNOT, 0, 0, true }, { DVMI_BIFNOT, 2, 0, false },
	{ DVMI_BLT, UINT64_MAX, 1, false }, /* unsigned */
};

START_TEST(branch_is_taken_when_its_condition_holds)
{
	struct dvmi_insn insns[] = {
		{ .op = (uint8_t)jumps[_i].op, .src = { IMM(jumps[_i].a), IMM(jumps[_i].b) },
		  .target = 2 },
		{ .op = DVMI_MOV, .dst = 0, .src = { IMM(1) } },
		{ .op = DVMI_RET },
	};
	struct dvmi_program *p = program(insns, 3);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	dvmi_frame_next(&f, &env);
	ck_assert_uint_eq(f.regs[0], !jumps[_i].taken);
}
END_TEST

/* op, operand, word before -> does it write, what */
static const struct {
	unsigned op;
	uint64_t a, b, old;
	bool writes;
	uint64_t value;
} stores[] = {
	{ DVMI_ST, 5, 0, 1, true, 5 },	 { DVMI_XCHG, 5, 0, 1, true, 5 },
	{ DVMI_FADD, 5, 0, 1, true, 6 }, { DVMI_FADD, UINT64_MAX, 0, 1, true, 0 },
	{ DVMI_CAS, 1, 9, 1, true, 9 },	 { DVMI_CAS, 2, 9, 1, false, 0 },
	{ DVMI_LD, 0, 0, 1, false, 0 },
};

START_TEST(atomic_writes_what_its_definition_says)
{
	struct dvmi_insn insn = { .op = (uint8_t)stores[_i].op,
				  .src = { IMM(stores[_i].a), IMM(stores[_i].b) } };
	struct dvmi_program *p = program(&insn, 1);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;
	uint64_t value = 0;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert_int_eq(dvmi_frame_store(&f, &insn, stores[_i].old, &env, &value),
			 stores[_i].writes);
	ck_assert_uint_eq(value, stores[_i].value);
}
END_TEST

START_TEST(mask_registers_hold_cpus_beyond_64)
{
	struct dvmi_insn insns[] = {
		{ .op = DVMI_MASK_ALL, .src = { MASK(0) } },
		{ .op = DVMI_MASK_COUNT, .dst = 0, .src = { MASK(0) } }, /* 70 */
		{ .op = DVMI_MASK_NONE, .src = { MASK(1) } },
		{ .op = DVMI_MASK_SET, .src = { MASK(1), IMM(65) } },
		{ .op = DVMI_MASK_SET, .src = { MASK(1), IMM(70) } }, /* no such CPU: ignored */
		{ .op = DVMI_MASK_ONLY, .dst = 1, .src = { MASK(1), IMM(65) } },  /* 1 */
		{ .op = DVMI_MASK_NEXT, .dst = 2, .src = { MASK(1), IMM(0) } },	  /* 65 */
		{ .op = DVMI_MASK_NEXT, .dst = 3, .src = { MASK(1), IMM(66) } },  /* none: 70 */
		{ .op = DVMI_MASK_CLR, .src = { MASK(0), IMM(65) } },
		{ .op = DVMI_MASK_AND, .src = { MASK(1), MASK(0) } }, /* {} */
		{ .op = DVMI_MASK_COUNT, .dst = 4, .src = { MASK(1) } }, /* 0 */
		{ .op = DVMI_MASK_OR, .src = { MASK(1), MASK(0) } },
		{ .op = DVMI_MASK_COUNT, .dst = 5, .src = { MASK(1) } }, /* 69 */
		{ .op = DVMI_MASK_TEST, .dst = 6, .src = { MASK(1), IMM(69) } }, /* 1 */
		{ .op = DVMI_MASK_ONLY, .dst = 7, .src = { MASK(1), IMM(69) } }, /* 0 */
		{ .op = DVMI_RET },
	};
	static const uint64_t expected[] = { 70, 1, 65, 70, 0, 69, 1, 0 };
	struct dvmi_program *p = program(insns, sizeof(insns) / sizeof(insns[0]));
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	memset(masks, 0xff, sizeof(masks));
	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(f.regs[i], expected[i]);
}
END_TEST

START_TEST(endless_pure_loop_stops_as_runaway)
{
	struct dvmi_insn insns[] = { { .op = DVMI_B, .target = 0 } };
	struct dvmi_program *p = program(insns, 1);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	ck_assert_uint_eq(f.state, DVMI_RUNAWAY);
}
END_TEST

START_TEST(section_restarts_at_its_label_until_it_ends)
{
	struct dvmi_insn insns[] = {
		{ .op = DVMI_SECTION, .target = 1, .flags = DVMI_SECTION_ON_MIGRATE },
		{ .op = DVMI_LD, .dst = 0 },
		{ .op = DVMI_TLBI },
		{ .op = DVMI_SECTION_END },
		{ .op = DVMI_MOV, .dst = 1, .src = { FIELD(DVMI_RESTARTS) } },
		{ .op = DVMI_RET },
	};
	struct dvmi_program *p = program(insns, 6);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert(!dvmi_frame_restart(&f, &env));
	dvmi_frame_result(&f, 0, &env); /* arm */
	dvmi_frame_result(&f, 0, &env); /* ld */
	ck_assert_ptr_eq(dvmi_frame_section(&f, &env), &insns[0]);
	ck_assert(dvmi_frame_restart(&f, &env));
	ck_assert_ptr_eq(dvmi_frame_next(&f, &env), &insns[1]);
	dvmi_frame_result(&f, 0, &env);
	dvmi_frame_result(&f, 0, &env);
	dvmi_frame_result(&f, 0, &env); /* end */
	ck_assert(!dvmi_frame_restart(&f, &env));
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	ck_assert_uint_eq(f.regs[1], 1);
}
END_TEST

START_TEST(missing_hook_returns_at_once_and_batch_add_falls_back_to_flush)
{
	struct dvmi_insn insns[] = { { .op = DVMI_ISB }, { .op = DVMI_RET } };
	struct dvmi_program *p = program(insns, 2);
	struct dvmi_prog_env env = environment(p, 0);
	struct dvmi_frame f;

	dvmi_frame_start(&f, p, DVMI_HOOK_SWITCH_IN);
	ck_assert_ptr_null(dvmi_frame_next(&f, &env));
	dvmi_frame_start(&f, p, DVMI_HOOK_BATCH_ADD);
	ck_assert_ptr_eq(dvmi_frame_next(&f, &env), &insns[0]);
	ck_assert_uint_eq(dvmi_program_hooks(p), 1u << DVMI_HOOK_FLUSH);
}
END_TEST

START_TEST(cpu_index_out_of_range_is_refused)
{
	struct dvmi_insn insn = { .op = DVMI_LD, .base = DVMI_BASE_CPU, .index = IMM(70) };
	struct dvmi_program *p = program(&insn, 1);
	struct dvmi_prog_env env = environment(p, 3);
	struct dvmi_frame f;
	unsigned cpu = 0;

	dvmi_frame_start(&f, p, DVMI_HOOK_FLUSH);
	ck_assert(!dvmi_frame_cpu(&f, &insn, &env, &cpu));
	insn.index.imm = 69;
	ck_assert(dvmi_frame_cpu(&f, &insn, &env, &cpu));
	ck_assert_uint_eq(cpu, 69);
	insn.index.kind = DVMI_NONE;
	ck_assert(dvmi_frame_cpu(&f, &insn, &env, &cpu));
	ck_assert_uint_eq(cpu, 3);
}
END_TEST

#define ROWS(t) ((int)(sizeof(t) / sizeof((t)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "frame");

	tcase_add_loop_test(tc, branch_compares_a_loaded_word_with_self, 0, ROWS(sides));
	tcase_add_test(tc, self_is_the_cpu_of_that_step);
	tcase_add_loop_test(tc, arithmetic_is_unsigned_and_wraps, 0, ROWS(sums));
	tcase_add_loop_test(tc, branch_is_taken_when_its_condition_holds, 0, ROWS(jumps));
	tcase_add_loop_test(tc, atomic_writes_what_its_definition_says, 0, ROWS(stores));
	tcase_add_test(tc, mask_registers_hold_cpus_beyond_64);
	tcase_add_test(tc, endless_pure_loop_stops_as_runaway);
	tcase_add_test(tc, section_restarts_at_its_label_until_it_ends);
	tcase_add_test(tc, missing_hook_returns_at_once_and_batch_add_falls_back_to_flush);
	tcase_add_test(tc, cpu_index_out_of_range_is_refused);
}

CHECK_MAIN("program_frame", add_cases)
