/* SPDX-License-Identifier: MIT */
/* Weakening a strategy in one place at a time, and in as many as it bears. */
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "check/verdicts.h"
#include "program/parse.h"
#include "program/strategy.h"

#include <dvmsim/minimise.h>

#include <stdio.h>
#include <string.h>

enum how { DROP, AS_DMB, AS_ST, AS_LD, AS_NSH, LOCAL, RELAXED, UNPROTECT, UNSECTION };

struct weak {
	unsigned at;
	enum how how;
	unsigned line;
	char insn[72], change[48];
	enum dvm_need need;
	bool lost;
	enum dvm_scenario_verdict verdict[DVMI_VERDICTS_MAX];
};

struct dvm_minimal {
	struct weak *weak;
	size_t count, capacity;
	size_t scenarios;
	enum dvm_scenario_verdict base[DVMI_VERDICTS_MAX];
};

/* ---- one change ---- */

static void drop(struct dvmi_program *p, unsigned at)
{
	struct dvmi_insn nothing = {.op = DVMI_B,
				    .dst = DVMI_NOREG,
				    .target = (uint16_t)(at + 1),
				    .line = p->insns[at].line,
				    .column = p->insns[at].column};

	p->insns[at] = nothing;
}

static bool protects(const struct dvmi_insn *insn)
{
	return insn->op >= DVMI_MIGRATE_DISABLE && insn->op <= DVMI_IRQ_ENABLE;
}

/* The disable and the enable of one kind follow each other. */
static unsigned kind_of(const struct dvmi_insn *insn)
{
	return (unsigned)(insn->op - DVMI_MIGRATE_DISABLE) / 2;
}

static void drop_all(struct dvmi_program *p, unsigned at, enum how how)
{
	struct dvmi_insn like = p->insns[at];

	for (unsigned i = 0; i < p->insns_count; i++) {
		const struct dvmi_insn *insn = &p->insns[i];

		if (how == UNPROTECT ? protects(insn) && kind_of(insn) == kind_of(&like)
				     : insn->op == DVMI_SECTION || insn->op == DVMI_SECTION_END)
			drop(p, i);
	}
}

static void apply(struct dvmi_program *p, const struct weak *w)
{
	struct dvmi_insn *insn = &p->insns[w->at];

	switch (w->how) {
	case DROP:
		drop(p, w->at);
		break;
	case AS_DMB:
		insn->op = DVMI_DMB;
		break;
	case AS_ST:
	case AS_LD:
		insn->op = insn->op == DVMI_SYNC ? DVMI_DSB : insn->op;
		insn->type = w->how == AS_ST ? DVMI_BARRIER_ST : DVMI_BARRIER_LD;
		break;
	case AS_NSH:
		insn->op = insn->op == DVMI_SYNC ? DVMI_DSB : insn->op;
		insn->domain = DVMI_DOMAIN_NSH;
		break;
	case LOCAL:
		insn->scope = DVMI_TLBI_LOCAL;
		break;
	case RELAXED:
		insn->order = DVMI_RELAXED;
		break;
	default:
		drop_all(p, w->at, w->how);
	}
	dvmi_insn_classify(&p->insns[w->at]);
}

/* ---- which changes there are ---- */

static int add(struct dvm_minimal *m, const struct dvmi_program *p, unsigned at, enum how how)
{
	static const char *const plain[] = {
		[DROP] = "dropped",	    [LOCAL] = "as tlbi local",
		[RELAXED] = "without order", [UNPROTECT] = "all of its kind dropped",
		[UNSECTION] = "all sections dropped"};
	struct dvmi_program *one;
	struct dvmi_buf buf = {0};
	struct weak *w;

	if (dvmi_grow((void **)&m->weak, &m->capacity, m->count + 1, sizeof(*m->weak)))
		return -DVM_ENOMEM;
	w = &m->weak[m->count];
	memset(w, 0, sizeof(*w));
	w->at = at;
	w->how = how;
	w->line = p->insns[at].line;
	dvmi_insn_print(p, &p->insns[at], &buf);
	snprintf(w->insn, sizeof(w->insn), "%s", buf.data ? buf.data : "");
	dvmi_buf_fini(&buf);
	one = dvmi_program_clone(p);
	if (!one)
		return -DVM_ENOMEM;
	apply(one, w);
	if (how >= AS_DMB && how <= AS_NSH) {
		dvmi_insn_print(one, &one->insns[at], &buf);
		snprintf(w->change, sizeof(w->change), "as %s", buf.data ? buf.data : "");
		dvmi_buf_fini(&buf);
	} else {
		snprintf(w->change, sizeof(w->change), "%s", plain[how]);
	}
	/* What is no program any more (a register nobody sets) is not tried. */
	m->count += dvmi_program_check(one, "weakened", NULL) == 0;
	dvmi_program_free(one);
	return 0;
}

static int add_barrier(struct dvm_minimal *m, const struct dvmi_program *p, unsigned at)
{
	const struct dvmi_insn *insn = &p->insns[at];
	bool dmb = insn->op == DVMI_DMB, all = insn->type == DVMI_BARRIER_ALL;
	int rc = add(m, p, at, DROP);

	if (!rc && insn->op != DVMI_ISB && !dmb)
		rc = add(m, p, at, AS_DMB);
	if (!rc && insn->op != DVMI_ISB && all)
		rc = add(m, p, at, AS_ST);
	if (!rc && insn->op != DVMI_ISB && all)
		rc = add(m, p, at, AS_LD);
	/* The domain matters for TLBIs only, which no other type completes. */
	if (!rc && insn->op != DVMI_ISB && !dmb && all && insn->domain != DVMI_DOMAIN_NSH)
		rc = add(m, p, at, AS_NSH);
	return rc;
}

static int hook_of(const struct dvmi_program *p, unsigned at)
{
	int best = -1;

	for (unsigned h = 0; h < DVMI_HOOKS; h++)
		if (p->hooks[h] >= 0 && (unsigned)p->hooks[h] <= at && p->hooks[h] > best)
			best = p->hooks[h];
	return best;
}

/* A load of what the same hook has loaded before, into the same register: a second look. */
static bool second_look(const struct dvmi_program *p, unsigned at)
{
	const struct dvmi_insn *insn = &p->insns[at];
	int begin = hook_of(p, at);

	for (unsigned i = begin < 0 ? 0 : (unsigned)begin; i < at; i++)
		if (p->insns[i].op == DVMI_LD && p->insns[i].word == insn->word &&
		    p->insns[i].base == insn->base && p->insns[i].dst == insn->dst)
			return true;
	return false;
}

static bool first_of_kind(const struct dvmi_program *p, unsigned at)
{
	const struct dvmi_insn *insn = &p->insns[at];

	for (unsigned i = 0; i < at; i++)
		if (protects(insn) ? protects(&p->insns[i]) && kind_of(&p->insns[i]) == kind_of(insn)
				   : p->insns[i].op == insn->op)
			return false;
	return true;
}

static int add_all(struct dvm_minimal *m, const struct dvmi_program *p, unsigned at)
{
	const struct dvmi_insn *insn = &p->insns[at];
	int rc = 0;

	if (insn->op >= DVMI_DSB && insn->op <= DVMI_SYNC)
		return add_barrier(m, p, at);
	if (insn->op == DVMI_TLBI) {
		if (insn->scope == DVMI_TLBI_IS)
			rc = add(m, p, at, LOCAL);
		return rc ? rc : add(m, p, at, DROP);
	}
	if (protects(insn) && first_of_kind(p, at))
		return add(m, p, at, UNPROTECT);
	if (insn->op == DVMI_SECTION && first_of_kind(p, at))
		return add(m, p, at, UNSECTION);
	if (dvmi_op_is_memory(insn->op) && insn->order != DVMI_RELAXED)
		rc = add(m, p, at, RELAXED);
	if (!rc && insn->op == DVMI_LD && second_look(p, at))
		rc = add(m, p, at, DROP);
	return rc;
}

/* ---- what they do ---- */

/* Check @p with @w applied; @keep: it stays applied when no verdict gets worse. */
static int try_one(const struct dvmi_bench *b, const struct dvmi_program *p, const struct weak *w,
		   enum dvm_scenario_verdict *verdict, bool *same, struct dvmi_program **changed,
		   struct dvm_error *err)
{
	struct dvmi_program *one = dvmi_program_clone(p);
	struct dvm_strategy *s;
	int rc;

	if (!one)
		return dvmi_error_nomem(err);
	apply(one, w);
	if (dvmi_strategy_wrap(one, &s)) {
		dvmi_program_free(one);
		return dvmi_error_nomem(err);
	}
	rc = dvmi_bench_check(b, s, verdict, same, err);
	if (!rc && changed)
		*changed = dvmi_program_clone(one);
	if (!rc && changed && !*changed)
		rc = dvmi_error_nomem(err);
	dvm_strategy_free(s);
	return rc;
}

static enum dvm_need judge(const struct dvm_minimal *m, const enum dvm_scenario_verdict *verdict,
			   bool same)
{
	enum dvm_need need = same ? DVM_NEED_UNSEEN : DVM_NEED_LOSABLE;

	for (size_t i = 0; i < m->scenarios; i++) {
		if (m->base[i] != DVM_SCENARIO_UNSAFE && verdict[i] == DVM_SCENARIO_UNSAFE)
			return DVM_NEED_NEEDED;
		if (verdict[i] != m->base[i] && verdict[i] != DVM_SCENARIO_SAFE)
			need = DVM_NEED_UNKNOWN;
	}
	return need;
}

/* The strongest change of each instruction comes first; a second one of the same is not tried. */
static int lose(struct dvm_minimal *m, const struct dvmi_bench *b, const struct dvmi_program *p,
		struct dvm_error *err)
{
	struct dvmi_program *now = dvmi_program_clone(p), *next = NULL;
	unsigned gone = UINT32_MAX;
	int rc = now ? 0 : dvmi_error_nomem(err);

	for (size_t i = 0; i < m->count && !rc; i++) {
		enum dvm_scenario_verdict verdict[DVMI_VERDICTS_MAX];
		struct weak *w = &m->weak[i];
		bool same;

		if (w->need != DVM_NEED_LOSABLE || w->at == gone)
			continue;
		rc = try_one(b, now, w, verdict, &same, &next, err);
		if (rc)
			break;
		if (judge(m, verdict, false) == DVM_NEED_LOSABLE) {
			w->lost = true;
			gone = w->at;
			dvmi_program_free(now);
			now = next;
		} else {
			dvmi_program_free(next);
		}
		next = NULL;
	}
	dvmi_program_free(now);
	return rc;
}

int dvm_minimise(const struct dvm_strategy *s, const unsigned *scenarios, size_t count,
		 const struct dvm_check_options *options, struct dvm_minimal **minimal,
		 struct dvm_error *err)
{
	const struct dvmi_program *p = dvmi_strategy_program(s);
	struct dvm_minimal *m = dvmi_zalloc(sizeof(*m));
	struct dvmi_bench b;
	int rc;

	if (!m)
		return dvmi_error_nomem(err);
	rc = dvmi_bench_open(&b, s, scenarios, count, options, err);
	if (rc) {
		dvm_minimal_free(m);
		return rc;
	}
	m->scenarios = count;
	for (size_t i = 0; i < count; i++)
		m->base[i] = dvm_scenario_verdict(b.base[i]);
	for (unsigned at = 0; at < p->insns_count && !rc; at++)
		rc = add_all(m, p, at) ? dvmi_error_nomem(err) : 0;
	for (size_t i = 0; i < m->count && !rc; i++) {
		struct weak *w = &m->weak[i];
		bool same;

		rc = try_one(&b, p, w, w->verdict, &same, NULL, err);
		if (!rc)
			w->need = judge(m, w->verdict, same);
	}
	if (!rc)
		rc = lose(m, &b, p, err);
	dvmi_bench_close(&b);
	if (rc)
		dvm_minimal_free(m);
	else
		*minimal = m;
	return rc;
}

void dvm_minimal_free(struct dvm_minimal *m)
{
	if (!m)
		return;
	dvmi_free(m->weak);
	dvmi_free(m);
}

size_t dvm_minimal_count(const struct dvm_minimal *m)
{
	return m->count;
}

int dvm_minimal_get(const struct dvm_minimal *m, size_t index, struct dvm_weakening *w)
{
	if (index >= m->count || w->size != sizeof(*w))
		return -DVM_EINVAL;
	w->line = m->weak[index].line;
	w->insn = m->weak[index].insn;
	w->change = m->weak[index].change;
	w->need = m->weak[index].need;
	w->lost = m->weak[index].lost;
	return 0;
}

enum dvm_scenario_verdict dvm_minimal_verdict(const struct dvm_minimal *m, size_t index,
					      size_t scenario)
{
	if (scenario >= m->scenarios || (index >= m->count && index != SIZE_MAX))
		return DVM_SCENARIO_UNSUPPORTED;
	return index == SIZE_MAX ? m->base[scenario] : m->weak[index].verdict[scenario];
}

const char *dvm_need_name(enum dvm_need need)
{
	static const char *const names[] = {"needed", "can be lost", "not seen", "not known"};

	return names[need];
}
