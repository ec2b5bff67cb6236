/* SPDX-License-Identifier: MIT */
#include "check/symmetry.h"

#include <string.h>

/* ---- which threads are the same ---- */

/* An instruction whose result is an address of the thread's own code: no two threads have the same.
 */
static bool knows_place(const struct dvmi_insn *in)
{
	return in->op == DVMI_OP_ADR ||
	       ((in->op == DVMI_OP_MRS || in->op == DVMI_OP_MSR) && in->sysreg == DVMI_REG_ELR);
}

static bool observed_place(const struct dvm_litmus *test, unsigned t)
{
	for (unsigned i = 0; i < test->atoms; i++)
		if (test->atom[i].kind == DVMI_ATOM_REG && test->atom[i].thread == t &&
		    test->atom[i].reg == DVMI_REG_ELR)
			return true;
	return false;
}

static bool is_branch(const struct dvmi_insn *in)
{
	return in->op == DVMI_OP_B || in->op == DVMI_OP_BCC || in->op == DVMI_OP_CBZ ||
	       in->op == DVMI_OP_CBNZ;
}

static bool same_insn(const struct dvmi_thread *t, const struct dvmi_thread *u, unsigned i)
{
	const struct dvmi_insn *a = &t->insn[i], *b = &u->insn[i];

	if (is_branch(a) && is_branch(b) && t->label[a->target].at != u->label[b->target].at)
		return false;
	return a->op == b->op && a->alu == b->alu && a->rd == b->rd && a->rn == b->rn &&
	       a->rm == b->rm && a->rs == b->rs && a->width == b->width && a->flags == b->flags &&
	       a->ext == b->ext && a->shift_kind == b->shift_kind && a->shift == b->shift &&
	       a->barrier == b->barrier && a->domain == b->domain && a->what == b->what &&
	       a->range == b->range && a->leaf == b->leaf && a->cond == b->cond &&
	       a->sysreg == b->sysreg && a->imm == b->imm && !knows_place(a);
}

static bool same_paths(const struct dvmi_paths *a, const struct dvmi_paths *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->path[i].length != b->path[i].length)
			return false;
		for (unsigned k = 0; k < a->path[i].length; k++) {
			const struct dvmi_path_step *x = &a->path[i].step[k],
						    *y = &b->path[i].step[k];

			if (x->insn != y->insn || x->outcome != y->outcome ||
			    x->update != y->update || x->taken != y->taken)
				return false;
		}
	}
	return true;
}

/* Registers apart: dvmi_pages_match() compares these. */
static bool same_code(const struct dvm_litmus *test, const struct dvmi_paths *paths, unsigned a,
		      unsigned b)
{
	const struct dvmi_thread *t = &test->thread[a], *u = &test->thread[b];

	if (t->el0 != u->el0 || t->hw != u->hw || t->insns != u->insns ||
	    t->has_handler != u->has_handler || t->handler != u->handler ||
	    observed_place(test, a) || observed_place(test, b))
		return false;
	for (unsigned i = 0; i < t->insns; i++)
		if (!same_insn(t, u, i))
			return false;
	return same_paths(&paths[a], &paths[b]);
}

/* ---- the group ---- */

struct maker {
	const struct dvm_litmus *test;
	struct dvmi_symmetries *s;
	bool same[DVMI_PES_MAX][DVMI_PES_MAX];
	unsigned moving; /* threads from this one on stay where they are */
	struct dvmi_symmetry now;
	bool full;
};

/* All ways to fill from[t] and what follows, the least first. */
static void fill(struct maker *m, unsigned t, unsigned used, const struct dvmi_pages *pages)
{
	struct dvmi_pages now = *pages;

	if (t == m->s->threads) {
		if (!dvmi_pages_finish(m->test, &now, &m->now))
			return;
		m->full = m->s->count == DVMI_SYMMETRIES_MAX;
		if (!m->full)
			m->s->one[m->s->count++] = m->now;
		return;
	}
	for (unsigned u = 0; u < m->s->threads && !m->full; u++) {
		if ((used >> u & 1) || !m->same[t][u] || (t >= m->moving && u != t))
			continue;
		now = *pages;
		if (!dvmi_pages_match(m->test, &m->test->thread[u], &m->test->thread[t], &now))
			continue;
		m->now.from[t] = (uint8_t)u;
		fill(m, t + 1, used | 1u << u, &now);
	}
}

void dvmi_symmetries_none(unsigned threads, struct dvmi_symmetries *s)
{
	s->threads = threads;
	s->count = 1;
	for (unsigned t = 0; t < DVMI_PES_MAX; t++)
		s->one[0].from[t] = (uint8_t)t;
	for (unsigned k = 0; k < DVMI_PAGES_MAX; k++)
		s->one[0].page[k] = (uint8_t)k;
}

void dvmi_symmetries_find(const struct dvm_litmus *test, const struct dvmi_paths *paths,
			  bool rename, struct dvmi_symmetries *s)
{
	struct maker m = {.test = test, .s = s, .moving = test->threads};
	struct dvmi_pages pages = {.taken = 0};

	memset(pages.to, DVMI_NONE, sizeof(pages.to));
	if (!rename || !dvmi_pages_may_move(test)) {
		for (unsigned k = 0; k < DVMI_PAGES_MAX; k++)
			pages.to[k] = (uint8_t)k;
		pages.taken = UINT32_MAX;
	}
	for (unsigned t = 0; t < test->threads; t++)
		for (unsigned u = 0; u < test->threads; u++)
			m.same[t][u] = t == u || same_code(test, paths, t, u);
	/* A group that is too large: that of fewer threads is a group as well. */
	do {
		dvmi_symmetries_none(test->threads, s);
		m.now = s->one[0];
		s->count = 0;
		m.full = false;
		fill(&m, 0, 0, &pages);
		m.moving--;
	} while (m.full);
}

static int compare(const struct dvmi_symmetries *s, const struct dvmi_symmetry *g,
		   const size_t *choice)
{
	for (unsigned t = 0; t < s->threads; t++)
		if (choice[g->from[t]] != choice[t])
			return choice[g->from[t]] < choice[t] ? -1 : 1;
	return 0;
}

bool dvmi_symmetries_least(const struct dvmi_symmetries *s, const size_t *choice)
{
	for (unsigned g = 1; g < s->count; g++)
		if (compare(s, &s->one[g], choice) < 0)
			return false;
	return true;
}

/* ---- images of states ---- */

static void map(const struct dvmi_program *prog, const struct dvmi_symmetry *g,
		const struct dvmi_ref *refs, unsigned count, uint8_t *from)
{
	for (unsigned i = 0; i < count; i++)
		from[i] = prog->pe[g->from[refs[i].pe]].ev[refs[i].ev].id;
}

void dvmi_images_find(const struct dvmi_symmetries *s, const size_t *choice,
		      const struct dvmi_program *prog, struct dvmi_images *images)
{
	images->count = 0;
	for (unsigned g = 0; g < s->count; g++) {
		struct dvmi_image *im = &images->one[images->count];

		if (compare(s, &s->one[g], choice) != 0)
			continue;
		images->count++;
		im->symmetry = (uint8_t)g;
		memcpy(im->pe, s->one[g].from, sizeof(im->pe));
		map(prog, &s->one[g], prog->read, prog->reads, im->read);
		map(prog, &s->one[g], prog->write, prog->writes, im->write);
		map(prog, &s->one[g], prog->walk, prog->walks, im->walk);
		map(prog, &s->one[g], prog->tlbi, prog->tlbis, im->tlbi);
		for (unsigned w = 0; w < prog->writes; w++)
			im->write_to[im->write[w]] = (uint8_t)w;
	}
}

/* Does @f before @g make a symmetry that comes before @g itself? Both lead to one image if @f
 * changes nothing. */
static bool earlier(const struct dvmi_symmetries *s, const struct dvmi_symmetry *g,
		    const struct dvmi_symmetry *f)
{
	for (unsigned t = 0; t < s->threads; t++)
		if (f->from[g->from[t]] != g->from[t])
			return f->from[g->from[t]] < g->from[t];
	return false;
}

unsigned dvmi_images_of(const struct dvmi_symmetries *s, const struct dvmi_images *images,
			const struct dvmi_program *prog, const struct dvmi_state *st,
			uint8_t *which)
{
	unsigned char key[DVMI_KEY_MAX], image[DVMI_KEY_MAX];
	uint8_t fixes[DVMI_SYMMETRIES_MAX];
	unsigned fixing = 0, n = 0;
	size_t size = dvmi_state_key(prog, st, key);

	for (unsigned i = 1; i < images->count; i++) {
		(void)dvmi_state_image_key(prog, st, &images->one[i], image);
		if (!memcmp(key, image, size))
			fixes[fixing++] = images->one[i].symmetry;
	}
	for (unsigned g = 0; g < s->count; g++) {
		bool first = true;

		for (unsigned f = 0; f < fixing && first; f++)
			first = !earlier(s, &s->one[g], &s->one[fixes[f]]);
		if (first)
			which[n++] = (uint8_t)g;
	}
	return n;
}
