/* SPDX-License-Identifier: MIT */
/* The axioms: all candidate executions of a program, one after the other. */
#include "axioms_candidate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void axioms_remember(struct axioms_found *f, const char *text)
{
	for (size_t i = 0; i < f->count; i++)
		if (!strcmp(f->text[i], text))
			return;
	f->text = realloc(f->text, (f->count + 1) * sizeof(*f->text));
	f->text[f->count++] = strdup(text);
}

void axioms_describe(const struct dvmi_program *prog, const uint64_t *rval, const uint64_t *mem,
		     char *text, size_t size)
{
	size_t n = 0;

	for (unsigned r = 0; r < prog->reads; r++)
		n += (size_t)snprintf(text + n, size - n, "%llx ", (unsigned long long)rval[r]);
	for (unsigned l = 0; l < DVMI_LOCS_MAX; l++)
		if (mem[l] != prog->init[l])
			n += (size_t)snprintf(text + n, size - n, "%u:%llx ", l,
					      (unsigned long long)mem[l]);
	text[n] = '\0';
}

static void accept(struct axioms *x)
{
	uint64_t mem[DVMI_LOCS_MAX], v;
	char text[4096];

	memcpy(mem, x->prog->init, sizeof(mem));
	for (unsigned i = 0; i < x->prog->writes; i++) {
		(void)axioms_source_value(x, x->co[i], 0, &v);
		mem[x->loc[at(x, x->prog->write[x->co[i]])]] = v;
	}
	axioms_describe(x->prog, x->st.rval, mem, text, sizeof(text));
	axioms_remember(&x->found, text);
}

static uint16_t location(const struct axioms *x, unsigned w)
{
	return x->loc[at(x, x->prog->write[w])];
}

static void try_orders(struct axioms *x, unsigned k)
{
	if (k == x->prog->writes) {
		x->found.tried++;
		for (unsigned i = 0; i < k; i++)
			x->place[x->co[i]] = (uint8_t)i;
		if (axioms_relations(x) && axioms_atomics(x) && axioms_tlbi_choices(x, x->ob, 0))
			accept(x);
		return;
	}
	for (unsigned i = k; i < x->prog->writes; i++) {
		uint8_t swap = x->co[k];

		/* Location by location: the order of different ones is nothing. */
		if (k && location(x, x->co[i]) < location(x, x->co[k - 1]))
			continue;
		x->co[k] = x->co[i];
		x->co[i] = swap;
		try_orders(x, k + 1);
		swap = x->co[k];
		x->co[k] = x->co[i];
		x->co[i] = swap;
	}
}

static bool may_read(const struct dvmi_program *prog, struct dvmi_ref me, unsigned w)
{
	return (prog->pe[me.pe].ev[me.ev].touches &
		prog->pe[prog->write[w].pe].ev[prog->write[w].ev].touches) != 0;
}

static void try_sources(struct axioms *x, unsigned i)
{
	const struct dvmi_program *prog = x->prog;
	bool walk = i >= prog->reads;
	struct dvmi_ref me;

	if (i == prog->reads + prog->walks) {
		if (!axioms_solve(x) || !axioms_consistent_values(x)) {
			x->found.tried++;
			return;
		}
		for (unsigned w = 0; w < prog->writes; w++)
			x->co[w] = (uint8_t)w;
		try_orders(x, 0);
		return;
	}
	me = walk ? prog->walk[i - prog->reads] : prog->read[i];
	for (unsigned w = 0; w <= prog->writes; w++) {
		uint8_t src = w == prog->writes ? DVMI_INIT : (uint8_t)w;

		if (src != DVMI_INIT && !may_read(prog, me, w))
			continue;
		if (walk)
			x->tsrc[i - prog->reads] = src;
		else
			x->rsrc[i] = src;
		try_sources(x, i + 1);
	}
}

double axioms_cost(const struct dvmi_program *prog)
{
	double c = 1;

	for (unsigned i = 0; i < prog->reads + prog->walks; i++) {
		double sources = 1;

		for (unsigned w = 0; w < prog->writes; w++)
			sources += may_read(
				prog, i < prog->reads ? prog->read[i] : prog->walk[i - prog->reads],
				w);
		c *= sources;
	}
	for (unsigned w = 2; w <= prog->writes; w++)
		c *= w;
	return c;
}

unsigned axioms_events(const struct dvmi_program *prog)
{
	unsigned n = 0;

	for (unsigned p = 0; p < prog->pes; p++)
		n += prog->pe[p].events;
	return n;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void axioms_sort(struct axioms_found *f)
{
	if (f->count)
		qsort(f->text, f->count, sizeof(*f->text), by_text);
}

void axioms_free(struct axioms_found *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->text[i]);
	free(f->text);
	memset(f, 0, sizeof(*f));
}

void axioms_enumerate(const struct dvmi_program *prog, struct axioms_found *found)
{
	struct axioms *x = calloc(1, sizeof(*x));

	x->prog = prog;
	for (unsigned p = 0; p < prog->pes; p++) {
		x->first[p] = x->n;
		for (unsigned e = 0; e < prog->pe[p].events; e++, x->n++)
			for (unsigned a = 0; a < e; a++)
				if (prog->pe[p].ev[e].pred >> a & 1)
					edge(x->base, x->first[p] + a, x->n);
	}
	try_sources(x, 0);
	*found = x->found;
	free(x);
}

/* ---- all ways of a test ---- */

static int build_way(const struct dvm_litmus *test, const struct dvmi_paths *paths,
		     const size_t *choice, int ets2, struct dvmi_program *prog)
{
	struct dvmi_built built;
	int rc = 0;

	memset(prog, 0, sizeof(*prog));
	prog->pages = test->space.pages;
	memcpy(prog->init, test->init, sizeof(prog->init));
	prog->rules.ets2 = ets2 != 0;
	prog->rules.off = UINT64_C(1) << DVMI_R_TLBI_DOMAIN;
	for (unsigned t = 0; t < test->threads && !rc; t++)
		rc = dvmi_path_build(test, t, &paths[t].path[choice[t]], prog, &built, NULL);
	if (!rc)
		dvmi_program_prepare(prog);
	return rc;
}

int axioms_each_way(const struct dvm_litmus *test, int ets2, axioms_way_fn *way, void *arg)
{
	struct dvmi_paths paths[DVMI_PES_MAX] = {0};
	size_t choice[DVMI_PES_MAX] = {0};
	struct dvmi_program *prog = malloc(sizeof(*prog));
	unsigned t;
	int rc = 0;

	for (t = 0; t < test->threads && !rc; t++)
		rc = dvmi_paths_enumerate(test, t, 2, &paths[t], NULL);
	for (bool more = !rc; more;) {
		if (!build_way(test, paths, choice, ets2, prog))
			way(arg, prog);
		for (t = 0; t < test->threads; t++) {
			if (++choice[t] < paths[t].count)
				break;
			choice[t] = 0;
		}
		more = t < test->threads;
	}
	for (t = 0; t < test->threads; t++)
		dvmi_paths_fini(&paths[t]);
	free(prog);
	return rc;
}
