/* SPDX-License-Identifier: MIT */
/* A plain machine: one hook, run to its end on the caller's callbacks. */
#include "program/strategy.h"

#include "base/error.h"
#include "base/mem.h"
#include "program/parse.h"

#include <inttypes.h>
#include <string.h>

struct run {
	const struct dvm_strategy_env *env;
	struct dvmi_prog_env pe;
	struct dvmi_frame f;
	struct dvm_error *err;
	uint64_t fields[DVMI_FIELDS];
};

static int missing(const struct run *r, const struct dvmi_insn *insn)
{
	return dvmi_error_at(r->err, DVM_EINVAL, r->pe.program->name, insn->line, insn->column,
			     "the environment has no callback for '%s'; set it",
			     dvmi_op_names[insn->op]);
}

static int reference(const struct run *r, const struct dvmi_insn *insn,
		     struct dvm_strategy_ref *ref)
{
	ref->place = dvmi_base_names[insn->base];
	ref->name = r->pe.program->words[insn->word].name;
	ref->order = (enum dvm_order)insn->order;
	ref->cpu = 0;
	if (insn->base == DVMI_BASE_CPU && !dvmi_frame_cpu(&r->f, insn, &r->pe, &ref->cpu))
		return dvmi_error_at(r->err, DVM_EFORMAT, r->pe.program->name, insn->line,
				     insn->column, "cpu[...] names CPU %" PRIu64 " of %u",
				     dvmi_frame_value(&r->f, &insn->index, &r->pe), r->pe.cpus);
	return 0;
}

static int scalar(struct run *r, const struct dvmi_insn *insn, uint64_t *old)
{
	const struct dvm_strategy_env *e = r->env;
	struct dvm_strategy_ref ref;
	uint64_t a = dvmi_frame_value(&r->f, &insn->src[0], &r->pe);
	uint64_t b = dvmi_frame_value(&r->f, &insn->src[1], &r->pe);
	int rc = reference(r, insn, &ref);

	if (rc)
		return rc;
	switch (insn->op) {
	case DVMI_LD:
		return e->load ? e->load(e->arg, &ref, old) : missing(r, insn);
	case DVMI_ST:
		return e->store ? e->store(e->arg, &ref, a) : missing(r, insn);
	case DVMI_CAS:
		return e->cas ? e->cas(e->arg, &ref, a, b, old) : missing(r, insn);
	case DVMI_XCHG:
		return e->xchg ? e->xchg(e->arg, &ref, a, old) : missing(r, insn);
	default:
		return e->fadd ? e->fadd(e->arg, &ref, a, old) : missing(r, insn);
	}
}

static int bit(struct run *r, const struct dvmi_insn *insn, const struct dvm_strategy_ref *ref,
	       uint64_t *value)
{
	uint64_t n = dvmi_frame_value(&r->f, &insn->src[0], &r->pe);
	int set = insn->op == DVMI_TSTBIT			       ? -1 :
		  insn->op == DVMI_SETBIT || insn->op == DVMI_TSETBIT ? 1 : 0;
	bool old = false;
	int rc;

	if (!r->env->bit)
		return missing(r, insn);
	/* No such CPU or domain: reads 0, writes nothing, as in mask registers. */
	if (n >= (r->pe.program->words[insn->word].domains ? r->fields[DVMI_ENV_DOMAINS] :
							     r->pe.cpus)) {
		*value = 0;
		return 0;
	}
	rc = r->env->bit(r->env->arg, ref, (unsigned)n, set, &old);
	*value = old;
	return rc;
}

static int fill(struct run *r, const struct dvmi_insn *insn, const struct dvm_strategy_ref *ref)
{
	uint64_t words[DVMI_CPUS_MAX / 64] = { 0 };
	uint64_t n = r->pe.program->words[insn->word].domains ? r->fields[DVMI_ENV_DOMAINS] :
								 r->pe.cpus;

	if (insn->op == DVMI_SETALL)
		for (unsigned c = 0; c < n; c++)
			words[c / 64] |= UINT64_C(1) << c % 64;
	return r->env->mask_store(r->env->arg, ref, words, r->pe.mask_words);
}

static int mask(struct run *r, const struct dvmi_insn *insn, uint64_t *value)
{
	const struct dvm_strategy_env *e = r->env;
	struct dvm_strategy_ref ref;
	int rc = reference(r, insn, &ref);

	if (rc)
		return rc;
	switch (insn->op) {
	case DVMI_LDMASK:
		return e->mask_load ? e->mask_load(e->arg, &ref,
						   dvmi_frame_mask(&insn->src[0], &r->pe),
						   r->pe.mask_words) : missing(r, insn);
	case DVMI_STMASK:
		return e->mask_store ? e->mask_store(e->arg, &ref,
						     dvmi_frame_mask(&insn->src[0], &r->pe),
						     r->pe.mask_words) : missing(r, insn);
	case DVMI_SETALL:
	case DVMI_CLRALL:
		return e->mask_store ? fill(r, insn, &ref) : missing(r, insn);
	default:
		return bit(r, insn, &ref, value);
	}
}

static int barrier(struct run *r, const struct dvmi_insn *insn)
{
	enum dvm_barrier_kind kind = insn->op == DVMI_DSB ? DVM_BARRIER_DSB :
				     insn->op == DVMI_DMB ? DVM_BARRIER_DMB :
				     insn->op == DVMI_ISB ? DVM_BARRIER_ISB : DVM_BARRIER_SYNC;

	if (!r->env->barrier)
		return missing(r, insn);
	return r->env->barrier(r->env->arg, kind, kind == DVM_BARRIER_ISB ?
			       "" : dvmi_barrier_names[insn->type][insn->domain]);
}

static int tlbi(struct run *r, const struct dvmi_insn *insn)
{
	static const char *const what[] = { "request", "asid", "all" };
	struct dvm_strategy_tlbi t = {
		.broadcast = insn->scope == DVMI_TLBI_IS,
		.what = what[insn->what],
		.asid = r->f.asid,
		.has_domain = insn->src[0].kind != DVMI_NONE,
		.domain = dvmi_frame_value(&r->f, &insn->src[0], &r->pe),
		.no_twin = insn->flags & DVMI_TLBI_NOTWIN,
		.leaf = insn->flags & DVMI_TLBI_LEAF,
		.bad_ttl = insn->flags & DVMI_TLBI_BADTTL,
	};

	return r->env->tlbi ? r->env->tlbi(r->env->arg, &t) : missing(r, insn);
}

static int ipi(struct run *r, const struct dvmi_insn *insn)
{
	uint64_t targets[DVMI_CPUS_MAX / 64];

	if (!r->env->ipi)
		return missing(r, insn);
	memcpy(targets, dvmi_frame_mask(&insn->src[0], &r->pe),
	       r->pe.mask_words * sizeof(*targets));
	targets[r->pe.self / 64] &= ~(UINT64_C(1) << r->pe.self % 64);
	return r->env->ipi(r->env->arg, targets, r->pe.mask_words,
			   dvmi_frame_value(&r->f, &insn->src[1], &r->pe), r->f.asid);
}

static int other(struct run *r, const struct dvmi_insn *insn, uint64_t *value)
{
	const struct dvm_strategy_env *e = r->env;

	switch (insn->op) {
	case DVMI_ASID:
		return e->asid ? e->asid(e->arg, dvmi_base_names[insn->base], value) :
				 missing(r, insn);
	case DVMI_TLBI:
		return tlbi(r, insn);
	case DVMI_IPI:
		return ipi(r, insn);
	case DVMI_NOTIFY:
		return e->notify ? e->notify(e->arg) : 0;
	case DVMI_PARK:
		return e->park ? e->park(e->arg) : 0;
	case DVMI_SECTION:
	case DVMI_SECTION_END:
		return e->section ? e->section(e->arg, insn->op == DVMI_SECTION,
					       insn->flags == DVMI_SECTION_ON_MIGRATE) : 0;
	default:
		if (!e->protect)
			return 0;
		return e->protect(e->arg, (enum dvm_protection)
				  ((insn->op - DVMI_MIGRATE_DISABLE) / 2),
				  (insn->op - DVMI_MIGRATE_DISABLE) % 2 == 0);
	}
}

static int effect(struct run *r, const struct dvmi_insn *insn, uint64_t *value)
{
	if (dvmi_op_is_computed(insn->op))
		return 0; /* samples self; dvmi_frame_result() does the rest */
	if (insn->op >= DVMI_LD && insn->op <= DVMI_FADD)
		return scalar(r, insn, value);
	if (dvmi_op_is_memory(insn->op))
		return mask(r, insn, value);
	if (insn->op >= DVMI_DSB && insn->op <= DVMI_SYNC)
		return barrier(r, insn);
	return other(r, insn, value);
}

static int sample_cpu(struct run *r)
{
	r->pe.self = r->env->cpu ? r->env->cpu(r->env->arg) : 0;
	if (r->pe.self < r->pe.cpus)
		return 0;
	return dvmi_error(r->err, DVM_EINVAL, r->pe.program->name, "the environment says CPU %u "
			  "of %u", r->pe.self, r->pe.cpus);
}

static int steps(struct run *r, uint64_t max_steps)
{
	const struct dvmi_insn *insn;
	int rc = sample_cpu(r);

	while (!rc && (insn = dvmi_frame_next(&r->f, &r->pe))) {
		uint64_t value = 0;

		if (!max_steps--)
			return dvmi_error_at(r->err, DVM_EBUDGET, r->pe.program->name, insn->line,
					     insn->column, "still running after the allowed "
					     "number of steps");
		rc = sample_cpu(r);
		if (!rc)
			rc = effect(r, insn, &value);
		if (rc == DVM_STRATEGY_RESTART) {
			dvmi_frame_restart(&r->f, &r->pe);
			rc = 0;
		} else if (!rc) {
			dvmi_frame_result(&r->f, value, &r->pe);
		}
	}
	if (!rc && r->f.state == DVMI_RUNAWAY)
		rc = dvmi_error(r->err, DVM_EBUDGET, r->pe.program->name, "it computes without end");
	return rc;
}

static int find_hook(const char *name)
{
	for (int h = 0; h < DVMI_HOOKS; h++)
		if (!strcmp(name, dvmi_hook_names[h]))
			return h;
	return -1;
}

int dvm_strategy_run(const struct dvm_strategy *s, const char *hook,
		     const struct dvm_strategy_env *env, uint64_t asid, uint64_t max_steps,
		     struct dvm_error *err)
{
	const struct dvmi_program *p = dvmi_strategy_program(s);
	struct run r = { .env = env, .err = err };
	int h = find_hook(hook), rc;

	if (h < 0)
		return dvmi_error(err, DVM_ENOENT, p->name, "unknown hook '%s'", hook);
	if (env->size < sizeof(*env) || !env->cpus || env->cpus > DVMI_CPUS_MAX)
		return dvmi_error(err, DVM_EINVAL, p->name, "the environment's size or number of "
				  "CPUs is out of range; set size, and cpus to 1 .. %d",
				  DVMI_CPUS_MAX);
	r.pe = (struct dvmi_prog_env){ .program = p, .fields = r.fields, .cpus = env->cpus,
				       .mask_words = (env->cpus + 63) / 64,
				       .domain_of = env->domain_of };
	r.pe.masks = dvmi_calloc((size_t)p->mask_regs_count * r.pe.mask_words + 1,
				 sizeof(*r.pe.masks));
	if (!r.pe.masks)
		return dvmi_error_nomem(err);
	for (unsigned i = 0; i < DVMI_FIELDS && env->field; i++)
		r.fields[i] = env->field(env->arg, dvmi_field_names[i]);
	if (r.fields[DVMI_ENV_DOMAINS] > env->cpus)
		r.fields[DVMI_ENV_DOMAINS] = env->cpus; /* each has a CPU */
	dvmi_frame_start(&r.f, p, (enum dvmi_hook)h);
	if (h == DVMI_HOOK_IPI)
		r.f.asid = asid;
	rc = steps(&r, max_steps);
	dvmi_free(r.pe.masks);
	return rc;
}
