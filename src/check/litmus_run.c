/* SPDX-License-Identifier: MIT */
#include "check/run.h"

#include "base/mem.h"
#include "base/pool.h"
#include "check/litmus_result.h"

#include <string.h>

/* Run a litmus test: every combination of paths, every state of each, the final states together. */

struct run {
	struct dvmi_run r;
	struct dvm_litmus_result *res;
};

/* ---- one final state ---- */

static uint64_t image_of(const struct dvmi_run *r, const struct dvmi_symmetry *g, uint64_t v)
{
	return g ? dvmi_symmetry_value(g, r->prog->pages, v) : v;
}

static bool fault_shown(const struct dvmi_run *r, const struct dvmi_state *st,
			const struct dvmi_atom *a, const struct dvmi_symmetry *g, unsigned from,
			uint64_t *kind)
{
	const struct dvmi_built *b = &r->built[from];
	const struct dvmi_thread *t = &r->test->thread[a->thread];

	for (unsigned i = 0; i < b->faults; i++) {
		bool at = !a->label[0];
		uint64_t va;

		for (unsigned l = 0; l < t->labels && !at; l++)
			at = t->label[l].at == b->fault[i].insn &&
			     !strcmp(t->label[l].name, a->label);
		if (!at || (a->fault && a->fault != b->fault[i].outcome) ||
		    !dvmi_eval(r->prog, st, b->fault[i].addr, &va))
			continue;
		va = image_of(r, g, va);
		if (a->page != DVMI_NONE && (a->desc ? va != dvmi_pte(a->page) :
						       !dvmi_is_va(va, r->prog->pages) ||
							       dvmi_va_page(va) != a->page))
			continue;
		*kind = b->fault[i].outcome;
		return true;
	}
	return false;
}

void dvmi_run_show(const struct dvmi_run *r, const struct dvmi_state *st,
		   const struct dvmi_symmetry *g, uint64_t *shown)
{
	for (unsigned i = 0; i < r->test->atoms; i++) {
		const struct dvmi_atom *a = &r->test->atom[i];
		unsigned from = g && a->kind != DVMI_ATOM_LOC ? g->from[a->thread] : a->thread;

		shown[i] = 0;
		if (a->kind == DVMI_ATOM_LOC)
			shown[i] = dvmi_state_memory(r->prog, st,
						     g ? dvmi_symmetry_loc_from(g, a->loc) : a->loc);
		else if (a->kind == DVMI_ATOM_REG)
			(void)dvmi_eval(r->prog, st, r->built[from].reg[a->reg], &shown[i]);
		else if (a->kind == DVMI_ATOM_CLASH)
			shown[i] = st->clash >> a->page & 1;
		else
			(void)fault_shown(r, st, a, g, from, &shown[i]);
		if (a->kind == DVMI_ATOM_LOC || a->kind == DVMI_ATOM_REG)
			shown[i] = image_of(r, g, shown[i]);
	}
}

static int count_state(struct run *r, const uint64_t *shown)
{
	const struct dvm_litmus *test = r->r.test;

	if (test->filter >= 0 && !dvmi_cond_holds(test, test->filter, shown))
		return 0;
	if (dvmi_cond_holds(test, test->root, shown))
		r->res->positive++;
	else
		r->res->negative++;
	return dvmi_litmus_result_add(r->res, test->atoms, shown, 1);
}

/* A final state stands for all its images: those of combinations that are not explored, too. */
static int final_state(void *arg, const struct dvmi_program *prog, const struct dvmi_state *st)
{
	struct run *r = arg;
	uint8_t which[DVMI_SYMMETRIES_MAX] = {0};
	unsigned images = 1;
	int rc = 0;

	r->res->clash |= st->clash != 0;
	if (r->r.sym.count > 1)
		images = dvmi_images_of(&r->r.sym, &r->r.images, prog, st, which);
	for (unsigned i = 0; i < images && !rc; i++) {
		uint64_t shown[DVMI_ATOMS_MAX];

		dvmi_run_show(&r->r, st, &r->r.sym.one[which[i]], shown);
		rc = count_state(r, shown);
	}
	return rc;
}

/* ---- all paths ---- */

static void empty_program(struct dvmi_program *prog)
{
	prog->pes = prog->nodes = prog->reads = prog->writes = prog->walks = prog->tlbis = 0;
	prog->lefts = 0;
	memset(prog->completed_by, 0, sizeof(prog->completed_by));
}

int dvmi_run_build(struct dvmi_run *r, const size_t *choice)
{
	empty_program(r->prog);
	for (unsigned t = 0; t < r->test->threads; t++) {
		int rc = dvmi_path_build(r->test, t, &r->paths[t].path[choice[t]], r->prog,
					 &r->built[t], r->err);

		if (rc)
			return rc;
		for (unsigned e = 0; e < r->prog->pe[t].events; e++)
			r->prog->pe[t].ev[e].pred = r->pred[t][choice[t] * DVMI_EVENTS_MAX + e];
	}
	dvmi_program_link(r->prog);
	return 0;
}

/*
 * Drop paths that contradict themselves whatever the other threads do, and note for the others in
 * what order their events may happen: that is the same in all combinations.
 */
static int sift(struct dvmi_run *r, unsigned t)
{
	struct dvmi_paths *p = &r->paths[t];
	size_t kept = 0;

	r->pred[t] = dvmi_calloc(p->count * DVMI_EVENTS_MAX + 1, sizeof(*r->pred[t]));
	if (!r->pred[t])
		return -DVM_ENOMEM;

	for (size_t i = 0; i < p->count; i++) {
		int rc;

		empty_program(r->prog);
		rc = dvmi_path_build(r->test, t, &p->path[i], r->prog, &r->built[t], r->err);
		if (rc < 0)
			return rc;
		if (rc)
			continue;
		dvmi_rules_apply(&r->prog->rules, &r->prog->pe[0]);
		for (unsigned e = 0; e < r->prog->pe[0].events; e++)
			r->pred[t][kept * DVMI_EVENTS_MAX + e] = r->prog->pe[0].ev[e].pred;
		p->path[kept++] = p->path[i];
	}
	p->count = kept;
	return 0;
}

#define COMBINATIONS_MAX 4000000

static int count_combinations(struct dvmi_run *r)
{
	uint64_t n = 1;

	for (unsigned t = 0; t < r->test->threads; t++) {
		n *= r->paths[t].count;
		if (n > COMBINATIONS_MAX)
			return dvmi_error(r->err, DVM_ELIMIT, r->test->file,
					  "branches and faults can combine in more than %d ways; "
					  "make the test smaller",
					  COMBINATIONS_MAX);
	}
	return 0;
}

bool dvmi_run_first(const struct dvmi_run *r, size_t *choice)
{
	for (unsigned t = 0; t < r->test->threads; t++) {
		choice[t] = 0;
		if (!r->paths[t].count)
			return false;
	}
	return true;
}

bool dvmi_run_next(const struct dvmi_run *r, size_t *choice)
{
	for (unsigned t = 0; t < r->test->threads; t++) {
		if (++choice[t] < r->paths[t].count)
			return true;
		choice[t] = 0;
	}
	return false;
}

void dvmi_run_images(struct dvmi_run *r, const size_t *choice)
{
	r->ex.images = NULL;
	if (r->sym.count == 1)
		return;
	dvmi_images_find(&r->sym, choice, r->prog, &r->images);
	r->ex.images = &r->images;
}

/* Every @step-th combination, from the @first on; of those that are images of each other, one. */
static int run_some(struct run *run, uint64_t first, uint64_t step)
{
	struct dvmi_run *r = &run->r;
	size_t choice[DVMI_PES_MAX] = {0};
	uint64_t n = 0;

	for (bool more = dvmi_run_first(r, choice); more; more = dvmi_run_next(r, choice)) {
		int rc;

		if (!dvmi_symmetries_least(&r->sym, choice) || n++ % step != first)
			continue;
		rc = dvmi_run_build(r, choice);
		/* Combinations that contradict themselves have no states at which to ask. */
		if (!rc && (n - 1) / step % 256 == 255 && r->ex.stop && r->ex.stop(r->ex.stop_arg))
			rc = -DVM_EBUDGET;
		if (!rc) {
			dvmi_run_images(r, choice);
			rc = dvmi_explore(&r->ex, r->prog);
		}
		if (dvmi_visited_memory(&r->ex.visited) > run->res->memory)
			run->res->memory = dvmi_visited_memory(&r->ex.visited);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- several threads ---- */

struct team {
	struct run *all;
	struct run **part;
	unsigned threads;
};

static void free_part(struct run *part)
{
	if (!part)
		return;
	dvmi_explorer_fini(&part->r.ex);
	dvmi_free(part->r.prog);
	dvm_litmus_result_free(part->res);
	dvmi_free(part);
}

/* A run of its own: paths and their order are shared, and only read. */
static struct run *new_part(const struct run *all)
{
	struct run *part = dvmi_zalloc(sizeof(*part));

	if (!part)
		return NULL;
	part->r = all->r;
	part->r.prog = dvmi_alloc(sizeof(*part->r.prog));
	part->res = dvmi_zalloc(sizeof(*part->res));
	part->r.ex.final_arg = part;
	part->r.err = NULL;
	if (part->r.prog)
		memcpy(part->r.prog, all->r.prog, sizeof(*part->r.prog));
	if (part->r.prog && part->res)
		return part;
	free_part(part);
	return NULL;
}

static int run_part(void *arg, size_t i)
{
	struct team *team = arg;

	team->part[i] = new_part(team->all);
	return team->part[i] ? run_some(team->part[i], i, team->threads) : -DVM_ENOMEM;
}

/* Sums and sets: their order does not matter. */
static int merge(struct run *all, const struct run *part)
{
	const struct dvm_litmus_result *res = part->res;
	int rc = 0;

	all->res->positive += res->positive;
	all->res->negative += res->negative;
	all->res->clash |= res->clash;
	all->r.ex.states += part->r.ex.states;
	if (res->memory > all->res->memory)
		all->res->memory = res->memory;
	for (size_t i = 0; i < res->outcomes && !rc; i++)
		rc = dvmi_litmus_result_add(all->res, all->r.test->atoms, res->outcome[i].shown,
					    res->outcome[i].count);
	return rc;
}

/*
 * The combinations dealt out to threads. 1: a limit may have been met; where exactly is for one
 * thread to say, so nothing is kept.
 */
static int run_team(struct run *all, unsigned threads)
{
	struct team team = {.all = all, .threads = threads};
	uint64_t states = 0;
	int rc;

	team.part = dvmi_calloc(threads, sizeof(*team.part));
	if (!team.part)
		return -DVM_ENOMEM;
	rc = dvmi_pool_run(threads, threads, run_part, NULL, &team);
	for (unsigned i = 0; i < threads; i++)
		states += team.part[i] ? team.part[i]->r.ex.states : 0;
	if (rc == -DVM_EBUDGET || states >= all->r.ex.max_states)
		rc = 1;
	for (unsigned i = 0; i < threads; i++) {
		if (!rc)
			rc = merge(all, team.part[i]);
		free_part(team.part[i]);
	}
	dvmi_free(team.part);
	return rc;
}

static int run_all(struct run *run)
{
	int rc = 1;

	if (run->r.threads > 1)
		rc = run_team(run, run->r.threads);
	return rc > 0 ? run_some(run, 0, 1) : rc;
}

static int set_options(struct dvmi_run *r, const struct dvm_check_options *o, unsigned *unroll)
{
	static const struct dvm_check_options defaults = {.size = sizeof(defaults)};

	if (!o)
		o = &defaults;
	if (o->size != sizeof(*o) || o->unroll > 8 || (o->without >> dvm_check_rules()) != 0)
		return dvmi_error(r->err, DVM_EINVAL, r->test->file,
				  "options: unknown size, unroll above 8 or unknown rule");
	r->prog->rules.ets2 = o->ets2 != 0;
	r->prog->rules.off = o->without;
	if (!o->dsb_domain)
		r->prog->rules.off |= UINT64_C(1) << DVMI_R_TLBI_DOMAIN;
	if (r->test->erratum)
		r->prog->rules.off |= UINT64_C(1) << DVMI_R_TLBI_DRAIN_WRITE;
	r->ex.full = o->unreduced != 0;
	r->ex.max_states = o->max_states ? o->max_states : 50000000;
	r->ex.max_memory_bytes =
		o->max_memory_bytes ? (size_t)o->max_memory_bytes : (size_t)1 << 30;
	r->ex.stop = o->stop;
	r->ex.stop_arg = o->stop_arg;
	r->threads = o->threads > 64 ? 64 : o->threads;
	*unroll = o->unroll ? o->unroll : 2;
	return 0;
}

int dvmi_run_open(struct dvmi_run *r, const struct dvm_litmus *test,
		  const struct dvm_check_options *options, struct dvm_error *err)
{
	unsigned unroll = 2;
	int rc;

	r->test = test;
	r->err = err;
	r->prog = dvmi_zalloc(sizeof(*r->prog));
	if (!r->prog)
		return dvmi_error_nomem(err);
	rc = set_options(r, options, &unroll);
	for (unsigned t = 0; t < test->threads && !rc; t++) {
		rc = dvmi_paths_enumerate(test, t, unroll, &r->paths[t], err);
		r->cut |= r->paths[t].cut;
		if (!rc && !r->paths[t].count)
			rc = dvmi_error(err, DVM_ELIMIT, test->file,
					"P%u never ends within %u rounds of its loops", t, unroll);
	}
	if (rc)
		return rc;
	r->prog->pages = test->space.pages;
	r->prog->tables = test->tables;
	r->prog->watch = test->watch;
	if (options && options->bbm)
		r->prog->watch = (UINT32_C(1) << test->space.pages) - 1;
	for (unsigned k = 0; k < test->space.pages; k++)
		if (test->twin[k]) {
			r->prog->twin[k] = test->twin[k];
			r->prog->home[test->twin[k] - 1] = (uint8_t)(k + 1);
		}
	r->prog->tlbid = test->tlbid;
	memcpy(r->prog->tlbi_domain, test->domain, sizeof(r->prog->tlbi_domain));
	for (unsigned t = 0; t < test->threads && !rc; t++)
		rc = sift(r, t);
	if (rc == -DVM_ENOMEM)
		return dvmi_error_nomem(err);
	if (!rc)
		rc = count_combinations(r);
	dvmi_symmetries_none(test->threads, &r->sym);
	if (!rc)
		memcpy(r->prog->init, test->init, sizeof(r->prog->init));
	return rc;
}

void dvmi_run_close(struct dvmi_run *r)
{
	for (unsigned t = 0; t < DVMI_PES_MAX; t++) {
		dvmi_paths_fini(&r->paths[t]);
		dvmi_free(r->pred[t]);
	}
	dvmi_explorer_fini(&r->ex);
	dvmi_free(r->prog);
	r->prog = NULL;
}

static int run_test(struct run *r)
{
	int rc;

	r->res->cut = r->r.cut;
	r->r.ex.final = final_state;
	r->r.ex.final_arg = r;
	rc = run_all(r);
	r->res->states = r->r.ex.states;
	if (rc == -DVM_EBUDGET) {
		r->res->incomplete = true;
		rc = 0;
	}
	if (!rc)
		rc = dvmi_litmus_result_finish(r->res, r->r.test);
	return rc == -DVM_ENOMEM ? dvmi_error_nomem(r->r.err) : rc;
}

int dvm_litmus_run(const struct dvm_litmus *test, const struct dvm_check_options *options,
		   struct dvm_litmus_result **result, struct dvm_error *err)
{
	struct run *r = dvmi_zalloc(sizeof(*r));
	int rc = -DVM_ENOMEM;

	if (!r)
		return dvmi_error_nomem(err);
	r->res = dvmi_zalloc(sizeof(*r->res));
	if (r->res) {
		memcpy(r->res->name, test->name, sizeof(r->res->name));
		r->res->quantifier = test->quantifier;
		r->res->narrow_domain = test->narrow_domain;
		r->res->bbm = options && options->bbm;
		rc = dvmi_run_open(&r->r, test, options, err);
		if (!rc && !(options && options->without_symmetry) && !test->second_mm)
			dvmi_symmetries_find(test, r->r.paths, !r->r.prog->watch, &r->r.sym);
		if (!rc)
			rc = run_test(r);
	} else {
		dvmi_error_nomem(err);
	}
	dvmi_run_close(&r->r);
	if (rc)
		dvm_litmus_result_free(r->res);
	else
		*result = r->res;
	dvmi_free(r);
	return rc;
}
