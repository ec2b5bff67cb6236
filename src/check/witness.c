/* SPDX-License-Identifier: MIT */
/* Finding the shortest execution that shows what a test asks for, over all ways its threads can go. */
#include "check/witness.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a limit of the caller's: a search for the shortest way visits more than a verdict needs. */
#define STATES_MAX 20000000

/* A combination that has such an execution at all, and the least steps it can take. */
struct candidate {
	size_t choice[DVMI_PES_MAX];
	unsigned bound;
	uint32_t order;
};

struct finder {
	struct dvm_witness *w;
	struct candidate *list;
	size_t count, capacity;
	bool seen;
	unsigned rule;	/* only executions that break it; 0: all; RULES: note what is broken */
	unsigned rules; /* broken so far, bit n for Rn */
};

#define RULES 31

bool dvmi_witness_wanted(const struct dvmi_run *r, const struct dvmi_state *st)
{
	const struct dvm_litmus *test = r->test;
	uint64_t shown[DVMI_ATOMS_MAX];

	dvmi_run_show(r, st, NULL, shown);
	if (test->filter >= 0 && !dvmi_cond_holds(test, test->filter, shown))
		return false;
	return dvmi_cond_holds(test, test->root, shown) == (test->quantifier != DVMI_FORALL);
}

static bool wanted_state(void *arg, const struct dvmi_state *st)
{
	struct finder *f = arg;

	return dvmi_witness_wanted(&f->w->run, st) &&
	       (!f->rule || (dvmi_witness_broken(f->w, st) >> f->rule & 1));
}

/* ---- events whose results decide the condition ---- */

static void need_node(const struct dvmi_run *r, unsigned pe, uint16_t node, uint64_t *need)
{
	need[pe] |= r->prog->node[node].reads;
}

static void need_writes(const struct dvmi_run *r, uint16_t loc, uint64_t *need)
{
	for (unsigned i = 0; i < r->prog->writes; i++) {
		const struct dvmi_ref *ref = &r->prog->write[i];

		if (r->prog->pe[ref->pe].ev[ref->ev].touches & dvmi_loc_class(loc))
			need[ref->pe] |= UINT64_C(1) << ref->ev;
	}
}

/* Walks of page @page, by whichever descriptor. */
static void need_walks(const struct dvmi_run *r, unsigned page, uint64_t *need)
{
	for (unsigned i = 0; i < r->prog->walks; i++) {
		const struct dvmi_ref *ref = &r->prog->walk[i];

		if (r->prog->pe[ref->pe].ev[ref->ev].touches & UINT64_C(1) << page)
			need[ref->pe] |= UINT64_C(1) << ref->ev;
	}
}

static void need_faults(const struct dvmi_run *r, unsigned pe, uint64_t *need)
{
	const struct dvmi_pe *p = &r->prog->pe[pe];

	for (unsigned e = 0; e < p->events; e++)
		if (p->ev[e].kind == DVMI_EV_FAULT)
			need[pe] |= UINT64_C(1) << e;
	for (unsigned i = 0; i < r->built[pe].faults; i++)
		need_node(r, pe, r->built[pe].fault[i].addr, need);
}

/* Only what the condition and the filter name; `locations` asks for more, to print it. */
static void need_cond(const struct dvmi_run *r, int cond, uint64_t *need)
{
	const struct dvmi_cond *c = &r->test->cond[cond];
	unsigned atoms[2] = {c->atom, c->other}, n = 0;

	switch (c->kind) {
	case DVMI_COND_NOT:
		need_cond(r, c->a, need);
		return;
	case DVMI_COND_AND:
	case DVMI_COND_OR:
	case DVMI_COND_IMPLIES:
		need_cond(r, c->a, need);
		need_cond(r, c->b, need);
		return;
	case DVMI_COND_EQ:
	case DVMI_COND_FAULT:
		n = 1;
		break;
	case DVMI_COND_ATOM_EQ:
		n = 2;
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct dvmi_atom *a = &r->test->atom[atoms[i]];

		if (a->kind == DVMI_ATOM_LOC)
			need_writes(r, a->loc, need);
		else if (a->kind == DVMI_ATOM_CLASH)
			need_walks(r, a->page, need);
		else if (a->kind == DVMI_ATOM_REG)
			need_node(r, a->thread, r->built[a->thread].reg[a->reg], need);
		else
			need_faults(r, a->thread, need);
	}
}

unsigned dvmi_witness_needed(const struct dvmi_run *r, uint64_t *need)
{
	memset(need, 0, DVMI_PES_MAX * sizeof(*need));
	need_cond(r, r->test->root, need);
	if (r->test->filter >= 0)
		need_cond(r, r->test->filter, need);
	return dvmi_shortest_bound(r->prog, need);
}

/* ---- combinations that have one ---- */

static int found_final(void *arg, const struct dvmi_program *prog, const struct dvmi_state *st)
{
	struct finder *f = arg;

	(void)prog;
	if (f->rule != RULES)
		return f->seen = wanted_state(f, st);
	if (dvmi_witness_wanted(&f->w->run, st))
		f->rules |= dvmi_witness_broken(f->w, st);
	return 0;
}

static int add_candidate(struct finder *f, const size_t *choice)
{
	struct candidate *c;
	uint64_t need[DVMI_PES_MAX];

	if (dvmi_grow((void **)&f->list, &f->capacity, f->count + 1, sizeof(*f->list)))
		return -DVM_ENOMEM;
	c = &f->list[f->count];
	memcpy(c->choice, choice, sizeof(c->choice));
	c->bound = dvmi_witness_needed(&f->w->run, need);
	c->order = (uint32_t)f->count++;
	return 0;
}

static int find_candidates(struct finder *f)
{
	struct dvmi_run *r = &f->w->run;
	size_t choice[DVMI_PES_MAX] = {0};
	bool more = dvmi_run_first(r, choice);
	int rc = 0;

	r->ex.final = found_final;
	r->ex.final_arg = f;
	while (more && rc >= 0) {
		f->seen = false;
		memcpy(f->w->choice, choice, sizeof(f->w->choice));
		rc = dvmi_run_build(r, choice);
		if (!rc)
			rc = dvmi_explore(&r->ex, r->prog);
		if (f->seen)
			rc = add_candidate(f, choice);
		more = dvmi_run_next(r, choice);
	}
	return rc < 0 ? rc : 0;
}

static int by_bound(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->bound != y->bound)
		return x->bound < y->bound ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- the shortest of all ---- */

static int shortest(struct finder *f)
{
	struct dvm_witness *w = f->w;
	struct dvmi_run *r = &w->run;
	struct dvmi_way *way = dvmi_alloc(sizeof(*way));
	const struct candidate *least = NULL;
	unsigned best = DVMI_WAY_MAX + 1;
	uint64_t states = 0;
	int rc = way ? 0 : -DVM_ENOMEM;

	for (size_t i = 0; i < f->count && rc >= 0 && f->list[i].bound < best; i++) {
		struct dvmi_shortest s = {.bad = wanted_state,
					  .arg = f,
					  .go_on = f->rule != 0,
					  .at_most = best - 1,
					  .max_states = r->ex.max_states - states,
					  .max_memory_bytes = r->ex.max_memory_bytes,
					  .stop = r->ex.stop,
					  .stop_arg = r->ex.stop_arg};

		memcpy(w->choice, f->list[i].choice, sizeof(w->choice));
		rc = dvmi_run_build(r, w->choice);
		if (rc)
			continue;
		(void)dvmi_witness_needed(r, s.need);
		rc = dvmi_shortest(r->prog, &s, way);
		states += s.states;
		if (rc <= 0)
			continue;
		best = way->bad;
		w->way = *way;
		least = &f->list[i];
		memcpy(w->need, s.need, sizeof(w->need));
	}
	dvmi_free(way);
	if (rc < 0)
		return rc;
	if (!least)
		return -DVM_ENOENT;
	memcpy(w->choice, least->choice, sizeof(w->choice));
	rc = dvmi_run_build(r, w->choice);
	return rc < 0 ? rc : 0;
}

static int fill(struct dvm_witness *w)
{
	if (!dvmi_way_replay(w->run.prog, w->way.step, w->way.bad, &w->end))
		return -DVM_EINVAL;
	for (unsigned i = 0; i < w->way.bad; i++)
		w->when[w->way.step[i].pe][w->way.step[i].ev] = i + 1;
	dvmi_witness_judge(w);
	return 0;
}

static int find(struct dvm_witness *w, unsigned rule, const struct dvm_check_options *options,
		struct dvm_error *err)
{
	struct finder f = {.w = w, .rule = rule};
	int rc = dvmi_run_open(&w->run, w->test, options, err);

	if (rc)
		return rc;
	if (!options || !options->max_states)
		w->run.ex.max_states = STATES_MAX;
	w->run.ex.each_tlbi = rule != 0;
	rc = find_candidates(&f);
	if (!rc && f.count) {
		qsort(f.list, f.count, sizeof(*f.list), by_bound);
		rc = shortest(&f);
	} else if (!rc) {
		rc = -DVM_ENOENT;
	}
	dvmi_free(f.list);
	if (!rc)
		rc = fill(w);
	if (rc == -DVM_ENOMEM)
		return dvmi_error_nomem(err);
	if (rc == -DVM_ENOENT)
		return dvmi_error(err, DVM_ENOENT, w->test->file,
				  "no execution shows what the condition asks for");
	if (rc == -DVM_EBUDGET)
		return dvmi_error(err, DVM_EBUDGET, w->test->file,
				  "a limit ended the search for the shortest execution");
	return rc;
}

int dvmi_witness_rules(const struct dvm_litmus *test, const struct dvmi_origins *origins,
		       const struct dvm_check_options *options, unsigned *rules)
{
	struct dvm_witness *w = dvmi_zalloc(sizeof(*w));
	struct finder f = {.w = w, .rule = RULES};
	int rc = w ? 0 : -DVM_ENOMEM;

	if (w) {
		w->test = test;
		w->origins = origins;
		rc = dvmi_run_open(&w->run, test, options, NULL);
		w->run.ex.each_tlbi = true;
		if (!rc)
			rc = find_candidates(&f);
		dvm_witness_free(w);
	}
	dvmi_free(f.list);
	*rules = f.rules; /* a limit: those that were met until then */
	return rc == -DVM_EBUDGET ? 0 : rc;
}

int dvmi_witness_find(const struct dvm_litmus *test, const struct dvmi_origins *origins,
		      unsigned rule, const struct dvm_check_options *options, struct dvm_witness **witness,
		      struct dvm_error *err)
{
	struct dvm_witness *w = dvmi_zalloc(sizeof(*w));
	int rc;

	if (!w)
		return dvmi_error_nomem(err);
	w->test = test;
	w->origins = origins;
	rc = find(w, rule, options, err);
	if (rc)
		dvm_witness_free(w);
	else
		*witness = w;
	return rc;
}

int dvm_litmus_witness(const struct dvm_litmus *test, const struct dvm_check_options *options,
		       struct dvm_witness **witness, struct dvm_error *err)
{
	return dvmi_witness_find(test, NULL, 0, options, witness, err);
}

int dvm_scenario_witness(const struct dvm_scenario_result *result, size_t index,
			 struct dvm_witness **witness, struct dvm_error *err)
{
	return dvm_scenario_witness_of(result, index, 0, witness, err);
}

int dvm_scenario_witness_of(const struct dvm_scenario_result *result, size_t index, unsigned rule,
			    struct dvm_witness **witness, struct dvm_error *err)
{
	const char *name = dvm_scenario_test_name(result, index);
	const char *text = dvm_scenario_test_text(result, index);
	struct dvm_check_options options;
	const struct dvmi_origins *origins = dvmi_scenario_origins(result, index, &options);
	struct dvm_litmus *test;
	int rc;

	if (!name)
		return dvmi_error(err, DVM_EINVAL, "witness", "there is no test %zu", index);
	if (rule && !dvm_safety_rule_text(rule))
		return dvmi_error(err, DVM_EINVAL, name, "there is no safety rule R%u", rule);
	if (!origins)
		return dvmi_error(err, DVM_ENOENT, name, "no stale use was found in this test");
	rc = dvm_litmus_parse(name, text, strlen(text), &test, err);
	if (rc)
		return rc;
	rc = dvmi_witness_find(test, origins, rule, &options, witness, err);
	if (rc)
		dvm_litmus_free(test);
	else
		(*witness)->owned = test;
	return rc;
}

void dvm_witness_free(struct dvm_witness *w)
{
	if (!w)
		return;
	dvmi_run_close(&w->run);
	dvm_litmus_free(w->owned);
	dvmi_free(w);
}

/* ---- questions ---- */

unsigned dvm_witness_steps(const struct dvm_witness *w)
{
	return w->way.bad;
}

const char *dvm_witness_wrong(const struct dvm_witness *w)
{
	return w->wrong;
}

unsigned dvm_witness_rules(const struct dvm_witness *w)
{
	return w->broken;
}

unsigned dvm_witness_rule(const struct dvm_witness *w, unsigned index)
{
	return index < w->broken ? w->broke[index].rule : 0;
}

const char *dvm_witness_rule_text(const struct dvm_witness *w, unsigned index)
{
	return index < w->broken ? w->broke[index].text : NULL;
}

int dvm_witness_replay(const struct dvm_witness *w)
{
	const struct dvmi_run *r = &w->run;
	struct dvmi_state st;

	if (!dvmi_way_replay(r->prog, w->way.step, w->way.bad, &st) || !dvmi_witness_wanted(r, &st))
		return -DVM_EINVAL;
	for (unsigned p = 0; p < r->prog->pes; p++)
		if (w->need[p] & ~st.done[p])
			return -DVM_EINVAL;
	if (!dvmi_way_replay(r->prog, w->way.step, w->way.length, &st) ||
	    !dvmi_state_final(r->prog, &st) || !dvmi_witness_wanted(r, &st))
		return -DVM_EINVAL;
	return 0;
}

/* ---- what the other files ask ---- */

const struct dvmi_insn *dvmi_witness_insn(const struct dvm_witness *w, unsigned pe, unsigned ev)
{
	const struct dvmi_path *path = &w->run.paths[pe].path[w->choice[pe]];

	return &w->test->thread[pe].insn[path->step[w->run.prog->pe[pe].ev[ev].insn].insn];
}

const struct dvmi_origin *dvmi_witness_origin(const struct dvm_witness *w, unsigned pe, unsigned ev)
{
	ptrdiff_t at = dvmi_witness_insn(w, pe, ev) - w->test->thread[pe].insn;

	if (!w->origins || pe >= w->origins->cols || at >= DVMI_ORIGIN_LINES)
		return NULL;
	return &w->origins->at[pe][at];
}

bool dvmi_witness_silent(const struct dvm_witness *w, unsigned pe, unsigned ev)
{
	const struct dvmi_program *prog = w->run.prog;
	const struct dvmi_ev *e = &prog->pe[pe].ev[ev];
	uint16_t loc = w->end.tloc[e->id];

	if (e->kind != DVMI_EV_WALK)
		return false;
	if (loc == DVMI_LOC_NONE)
		return true;
	if (prog->lefts && dvmi_other_desc(prog, loc) != DVMI_LOC_NONE)
		return false;
	for (unsigned i = 0; i < prog->writes; i++)
		if (prog->pe[prog->write[i].pe].ev[prog->write[i].ev].touches &
		    dvmi_loc_class(loc))
			return false;
	return true;
}

void dvmi_witness_cpu(const struct dvm_witness *w, unsigned pe, char *text, size_t size)
{
	int n = 0;

	/* Titles begin "CPU 1, ...". */
	if (w->origins && pe < w->origins->cols)
		while (w->origins->title[pe][n] && w->origins->title[pe][n] != ',')
			n++;
	if (n)
		snprintf(text, size, "%.*s", n, w->origins->title[pe]);
	else
		snprintf(text, size, "P%d", w->test->thread[pe].number);
}
