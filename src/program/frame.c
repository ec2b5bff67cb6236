/* SPDX-License-Identifier: MIT */
#include "program/program.h"

#include <string.h>

_Static_assert(sizeof(struct dvmi_frame) == 8 * (DVMI_REGS + 1) + 8,
	       "a frame is hashed as bytes: no padding");

void dvmi_frame_start(struct dvmi_frame *f, const struct dvmi_program *program,
		      enum dvmi_hook hook)
{
	int first = program->hooks[hook];

	if (first < 0 && hook == DVMI_HOOK_BATCH_ADD)
		first = program->hooks[DVMI_HOOK_FLUSH];
	memset(f, 0, sizeof(*f));
	f->hook = (uint8_t)hook;
	f->pc = first < 0 ? 0 : (uint16_t)first;
	f->state = (uint8_t)(first < 0 ? DVMI_RETURNED : DVMI_RUNNING);
}

uint64_t dvmi_frame_value(const struct dvmi_frame *f, const struct dvmi_operand *operand,
			  const struct dvmi_prog_env *env)
{
	switch (operand->kind) {
	case DVMI_REG:
		return f->regs[operand->n];
	case DVMI_IMM:
		return operand->imm;
	case DVMI_SELF:
		return env->self;
	case DVMI_FIELD:
		return operand->n == DVMI_RESTARTS ? f->restarts :
		       operand->n == DVMI_ENV_CPUS ? env->cpus : env->fields[operand->n];
	default:
		return 0;
	}
}

uint64_t *dvmi_frame_mask(const struct dvmi_operand *operand, const struct dvmi_prog_env *env)
{
	return env->masks + (size_t)operand->n * env->mask_words;
}

bool dvmi_frame_cpu(const struct dvmi_frame *f, const struct dvmi_insn *insn,
		    const struct dvmi_prog_env *env, unsigned *cpu)
{
	uint64_t n = insn->index.kind == DVMI_NONE ? env->self :
						     dvmi_frame_value(f, &insn->index, env);

	if (n >= env->cpus)
		return false;
	*cpu = (unsigned)n;
	return true;
}

bool dvmi_frame_store(const struct dvmi_frame *f, const struct dvmi_insn *insn, uint64_t old,
		      const struct dvmi_prog_env *env, uint64_t *value)
{
	uint64_t a = dvmi_frame_value(f, &insn->src[0], env);

	switch (insn->op) {
	case DVMI_ST:
	case DVMI_XCHG:
		*value = a;
		return true;
	case DVMI_FADD:
		*value = old + a;
		return true;
	case DVMI_CAS:
		if (old != a)
			return false;
		*value = dvmi_frame_value(f, &insn->src[1], env);
		return true;
	default:
		return false;
	}
}

static unsigned popcount(uint64_t x)
{
	unsigned n = 0;

	for (; x; x &= x - 1)
		n++;
	return n;
}

static uint64_t mask_count(const uint64_t *m, const struct dvmi_prog_env *env)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < env->mask_words; i++)
		n += popcount(m[i]);
	return n;
}

static bool mask_test(const uint64_t *m, uint64_t cpu, const struct dvmi_prog_env *env)
{
	return cpu < env->cpus && (m[cpu / 64] >> cpu % 64 & 1);
}

static uint64_t mask_next(const uint64_t *m, uint64_t from, const struct dvmi_prog_env *env)
{
	while (from < env->cpus && !mask_test(m, from, env))
		from++;
	return from < env->cpus ? from : env->cpus;
}

static void mask_fill(uint64_t *m, const struct dvmi_prog_env *env)
{
	memset(m, 0xff, env->mask_words * sizeof(*m));
	if (env->cpus % 64)
		m[env->mask_words - 1] = (UINT64_C(1) << env->cpus % 64) - 1;
}

static void set(struct dvmi_frame *f, const struct dvmi_insn *insn, uint64_t value)
{
	if (insn->dst != DVMI_NOREG)
		f->regs[insn->dst] = value;
}

static void run_mask(struct dvmi_frame *f, const struct dvmi_insn *insn,
		     const struct dvmi_prog_env *env)
{
	uint64_t *m = dvmi_frame_mask(&insn->src[0], env), x = 0;
	const uint64_t *other = m;

	if (insn->src[1].kind == DVMI_MASK)
		other = dvmi_frame_mask(&insn->src[1], env);
	else
		x = dvmi_frame_value(f, &insn->src[1], env);
	switch (insn->op) {
	case DVMI_MASK_NONE:
		memset(m, 0, env->mask_words * sizeof(*m));
		break;
	case DVMI_MASK_ALL:
		mask_fill(m, env);
		break;
	case DVMI_MASK_SET:
		if (x < env->cpus)
			m[x / 64] |= UINT64_C(1) << x % 64;
		break;
	case DVMI_MASK_CLR:
		if (x < env->cpus)
			m[x / 64] &= ~(UINT64_C(1) << x % 64);
		break;
	case DVMI_MASK_AND:
		for (unsigned i = 0; i < env->mask_words; i++)
			m[i] &= other[i];
		break;
	case DVMI_MASK_OR:
		for (unsigned i = 0; i < env->mask_words; i++)
			m[i] |= other[i];
		break;
	case DVMI_MASK_TEST:
		set(f, insn, mask_test(m, x, env));
		break;
	case DVMI_MASK_COUNT:
		set(f, insn, mask_count(m, env));
		break;
	case DVMI_MASK_ONLY:
		set(f, insn, mask_test(m, x, env) && mask_count(m, env) == 1);
		break;
	case DVMI_MASK_NEXT:
		set(f, insn, mask_next(m, x, env));
		break;
	default:
		break;
	}
}

uint64_t dvmi_op_compute(unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case DVMI_ADD:
		return a + b;
	case DVMI_SUB:
		return a - b;
	case DVMI_AND:
		return a & b;
	case DVMI_OR:
		return a | b;
	case DVMI_XOR:
		return a ^ b;
	case DVMI_LSL:
		return b < 64 ? a << b : 0;
	case DVMI_LSR:
		return b < 64 ? a >> b : 0;
	default:
		return a; /* mov */
	}
}

bool dvmi_op_taken(unsigned op, uint64_t a, uint64_t b)
{
	switch (op) {
	case DVMI_BEQ:
		return a == b;
	case DVMI_BNE:
		return a != b;
	case DVMI_BLT:
		return a < b;
	case DVMI_BGE:
		return a >= b;
	case DVMI_BLE:
		return a <= b;
	case DVMI_BGT:
		return a > b;
	case DVMI_BIF:
		return a != 0;
	case DVMI_BIFNOT:
		return a == 0;
	default:
		return true; /* b */
	}
}

static uint64_t domain_of(const struct dvmi_prog_env *env, uint64_t cpu)
{
	return env->domain_of && cpu < env->cpus ? env->domain_of[cpu] : 0;
}

static void compute(struct dvmi_frame *f, const struct dvmi_insn *insn,
		    const struct dvmi_prog_env *env)
{
	uint64_t a, b;

	if (insn->op == DVMI_RET) {
		f->state = DVMI_RETURNED;
		return;
	}
	f->pc++;
	if (insn->op >= DVMI_MASK_NONE) {
		run_mask(f, insn, env);
		return;
	}
	a = dvmi_frame_value(f, &insn->src[0], env);
	b = dvmi_frame_value(f, &insn->src[1], env);
	if (insn->op == DVMI_CPU_DOMAIN)
		set(f, insn, domain_of(env, a));
	else if (!dvmi_op_is_branch(insn->op))
		set(f, insn, dvmi_op_compute(insn->op, a, b));
	else if (dvmi_op_taken(insn->op, a, b))
		f->pc = insn->target;
}

const struct dvmi_insn *dvmi_frame_peek(const struct dvmi_frame *f, const struct dvmi_prog_env *env)
{
	if (f->state != DVMI_RUNNING || f->pc >= env->program->insns_count)
		return NULL;
	return &env->program->insns[f->pc];
}

const struct dvmi_insn *dvmi_frame_next(struct dvmi_frame *f, const struct dvmi_prog_env *env)
{
	const struct dvmi_insn *insn;
	unsigned steps = 0;

	while ((insn = dvmi_frame_peek(f, env))) {
		if (!insn->pure)
			return insn;
		if (++steps > DVMI_PURE_MAX)
			break;
		compute(f, insn, env);
	}
	if (f->state == DVMI_RUNNING)
		f->state = DVMI_RUNAWAY;
	return NULL;
}

void dvmi_frame_result(struct dvmi_frame *f, uint64_t value, const struct dvmi_prog_env *env)
{
	const struct dvmi_insn *insn = dvmi_frame_peek(f, env);

	if (!insn)
		return;
	if (dvmi_op_is_computed(insn->op)) {
		compute(f, insn, env);
		return;
	}
	if (insn->op == DVMI_ASID)
		f->asid = value;
	else if (insn->op == DVMI_SECTION)
		f->section = (uint16_t)(f->pc + 1);
	else if (insn->op == DVMI_SECTION_END)
		f->section = 0;
	else if (dvmi_op_is_memory(insn->op))
		set(f, insn, value);
	f->pc++;
}

const struct dvmi_insn *dvmi_frame_section(const struct dvmi_frame *f,
					   const struct dvmi_prog_env *env)
{
	return f->section ? &env->program->insns[f->section - 1] : NULL;
}

bool dvmi_frame_restart(struct dvmi_frame *f, const struct dvmi_prog_env *env)
{
	const struct dvmi_insn *section = dvmi_frame_section(f, env);

	if (!section || f->state != DVMI_RUNNING)
		return false;
	f->pc = section->target;
	if (f->restarts < UINT16_MAX)
		f->restarts++;
	return true;
}
