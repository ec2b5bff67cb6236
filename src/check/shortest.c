/* SPDX-License-Identifier: MIT */
#include "check/shortest.h"

#include "base/mem.h"
#include "check/state_key.h"
#include "check/visited.h"

#include <dvmsim/error.h>

#include <string.h>

/*
 * Every step makes one event happen, so a state with n events done is n steps from the start,
 * whatever the order. A way to a bad state takes at least the events that are needed for it, so a
 * state's estimate is the number of events that are done or needed: it grows by one with each step
 * that is not needed, and never falls. States are visited in the order of their estimate, depth
 * first among equal ones; the first bad state is a nearest one. (A* with a consistent estimate.)
 */

struct node {
	uint32_t parent; /* itself: the start */
	struct dvmi_way_step by;
};

struct held {
	uint32_t node;
	struct dvmi_state st;
};

struct space {
	struct dvmi_visited visited;
	struct node *node;
	size_t nodes;
	struct held *stack;
	size_t depth, stack_capacity;
	size_t node_capacity;
};

struct search {
	const struct dvmi_program *prog;
	struct dvmi_shortest *s;
	struct space to, from; /* on the way to a bad state; from bad states to the end */
	uint32_t *later;       /* states whose estimate is one more */
	size_t laters, later_capacity;
	/* the state being left */
	struct space *space;
	uint32_t parent;
	struct dvmi_way_step by;
	bool needed; /* the event is among the needed ones */
	struct held *next;
	size_t nexts, next_capacity;
	int failed;
};

static unsigned bits(uint64_t v)
{
	unsigned n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}

unsigned dvmi_shortest_bound(const struct dvmi_program *prog, uint64_t *need)
{
	unsigned n = 0;

	for (unsigned p = 0; p < prog->pes; p++) {
		/* pred names earlier events only: one pass from the last to the first closes it. */
		for (unsigned e = prog->pe[p].events; e-- > 0;)
			if (need[p] >> e & 1)
				need[p] |= prog->pe[p].ev[e].pred;
		n += bits(need[p]);
	}
	return n;
}

static size_t memory_of(const struct space *sp)
{
	return dvmi_visited_memory(&sp->visited) + sp->nodes * sizeof(*sp->node) +
	       sp->depth * sizeof(*sp->stack);
}

static size_t memory(const struct search *s)
{
	return memory_of(&s->to) + memory_of(&s->from) + s->laters * sizeof(*s->later) +
	       s->nexts * sizeof(*s->next);
}

static int add_node(struct search *s, struct space *sp, const struct dvmi_state *st)
{
	unsigned char key[DVMI_KEY_MAX];
	int rc = dvmi_visited_add(&sp->visited, key, dvmi_state_key(s->prog, st, key));

	if (rc <= 0)
		return rc;
	if (sp->nodes == UINT32_MAX ||
	    dvmi_grow((void **)&sp->node, &sp->node_capacity, sp->nodes + 1, sizeof(*sp->node)))
		return -DVM_ENOMEM;
	sp->node[sp->nodes].parent = s->parent;
	sp->node[sp->nodes++].by = s->by;
	s->s->states++;
	if (s->s->max_states && s->s->states > s->s->max_states)
		return -DVM_EBUDGET;
	if (s->s->max_memory_bytes && memory(s) > s->s->max_memory_bytes)
		return -DVM_EBUDGET;
	if (s->s->stop && s->s->states % 4096 == 0 && s->s->stop(s->s->stop_arg))
		return -DVM_EBUDGET;
	return 1;
}

static int hold(struct held **list, size_t *count, size_t *capacity, uint32_t node,
		const struct dvmi_state *st)
{
	if (dvmi_grow((void **)list, capacity, *count + 1, sizeof(**list)))
		return -DVM_ENOMEM;
	(*list)[*count].node = node;
	(*list)[(*count)++].st = *st;
	return 0;
}

static int postpone(struct search *s, uint32_t node)
{
	if (dvmi_grow((void **)&s->later, &s->later_capacity, s->laters + 1, sizeof(*s->later)))
		return -DVM_ENOMEM;
	s->later[s->laters++] = node;
	return 0;
}

static void emit(void *arg, const struct dvmi_state *st)
{
	struct search *s = arg;
	int rc = s->failed ? 0 : add_node(s, s->space, st);

	if (rc > 0) {
		uint32_t node = (uint32_t)(s->space->nodes - 1);

		rc = s->needed ? hold(&s->next, &s->nexts, &s->next_capacity, node, st)
			       : postpone(s, node);
	}
	if (rc < 0)
		s->failed = rc;
	s->by.way++;
}

static unsigned step(struct search *s, const struct dvmi_state *st, unsigned pe, unsigned ev)
{
	s->by = (struct dvmi_way_step){.pe = (uint8_t)pe, .ev = (uint8_t)ev, .way = 0};
	s->needed = s->space == &s->from || (s->s->need[pe] >> ev & 1);
	return dvmi_step(s->prog, st, pe, ev, emit, s);
}

/* An event that can go first alone, as in the reduced search. */
static bool step_safe_one(struct search *s, const struct dvmi_state *st)
{
	for (unsigned p = 0; p < s->prog->pes; p++)
		for (unsigned e = 0; e < s->prog->pe[p].events; e++) {
			uint64_t done = st->done[p];

			if ((done >> e & 1) || (s->prog->pe[p].ev[e].pred & ~done) ||
			    !dvmi_step_safe(s->prog, st, p, e))
				continue;
			if (step(s, st, p, e))
				return true;
		}
	return false;
}

/* All successors; first those of the PE that acted last, in program order: they read best. */
static void leave(struct search *s, struct space *sp, const struct held *h)
{
	unsigned last = sp->node[h->node].by.pe;

	s->space = sp;
	s->parent = h->node;
	s->nexts = 0;
	if (sp != &s->from || !step_safe_one(s, &h->st))
		for (unsigned i = 0; i < s->prog->pes; i++)
			for (unsigned p = (last + i) % s->prog->pes, e = 0;
			     e < s->prog->pe[p].events; e++)
				(void)step(s, &h->st, p, e);
	while (s->nexts && !s->failed) {
		const struct held *n = &s->next[--s->nexts];

		s->failed = hold(&sp->stack, &sp->depth, &sp->stack_capacity, n->node, &n->st);
	}
}

static int begin(struct search *s, struct space *sp, const struct dvmi_state *st)
{
	int rc;

	s->parent = (uint32_t)sp->nodes; /* itself */
	s->by = (struct dvmi_way_step){0, 0, 0};
	rc = add_node(s, sp, st);
	if (rc > 0)
		rc = hold(&sp->stack, &sp->depth, &sp->stack_capacity, (uint32_t)(sp->nodes - 1),
			  st);
	else if (!rc)
		return 0; /* known, and leads nowhere */
	return rc ? rc : 1;
}

static unsigned way_to(const struct space *sp, uint32_t node, struct dvmi_way_step *step)
{
	unsigned n = 0;

	for (uint32_t i = node; sp->node[i].parent != i; i = sp->node[i].parent)
		n++;
	for (unsigned k = n; k-- > 0; node = sp->node[node].parent)
		step[k] = sp->node[node].by;
	return n;
}

/* Can the execution go on from here to its end? Appends the steps. */
static int ends(struct search *s, const struct dvmi_state *st, struct dvmi_way *way)
{
	struct space *sp = &s->from;
	int rc;

	sp->depth = 0;
	rc = begin(s, sp, st);
	while (rc > 0 && sp->depth) {
		struct held h = sp->stack[--sp->depth];

		if (dvmi_state_final(s->prog, &h.st)) {
			way->length += way_to(sp, h.node, way->step + way->length);
			return 1;
		}
		leave(s, sp, &h);
		if (s->failed)
			rc = s->failed;
	}
	return rc < 0 ? rc : 0;
}

static bool known(const struct search *s, const struct dvmi_state *st)
{
	for (unsigned p = 0; p < s->prog->pes; p++)
		if (s->s->need[p] & ~st->done[p])
			return false;
	return true;
}

/* All states with one estimate that can be reached from those on the stack. */
static int level(struct search *s, struct dvmi_way *way)
{
	struct space *sp = &s->to;

	while (sp->depth) {
		struct held h = sp->stack[--sp->depth];

		if (known(s, &h.st)) {
			int rc = 0;

			if (s->s->bad(s->s->arg, &h.st)) {
				way->length = way->bad = way_to(sp, h.node, way->step);
				rc = ends(s, &h.st, way);
			}
			if (rc)
				return rc;
			if (!s->s->go_on)
				continue; /* what follows shows the same, and is further away */
		}
		leave(s, sp, &h);
		if (s->failed)
			return s->failed;
	}
	return 0;
}

/* Go on from the states that were left for later, one after the other, in their order. */
static int next_level(struct search *s, struct dvmi_way *way)
{
	struct space *sp = &s->to;
	struct dvmi_way_step path[DVMI_WAY_MAX];
	uint32_t *roots = s->later;
	size_t count = s->laters;
	struct dvmi_state st;
	int rc = 0;

	s->later = NULL;
	s->laters = s->later_capacity = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		(void)dvmi_way_replay(s->prog, path, way_to(sp, roots[i], path), &st);
		rc = hold(&sp->stack, &sp->depth, &sp->stack_capacity, roots[i], &st);
		if (!rc)
			rc = level(s, way);
	}
	dvmi_free(roots);
	return rc;
}

static void free_space(struct space *sp)
{
	dvmi_visited_fini(&sp->visited);
	dvmi_free(sp->node);
	dvmi_free(sp->stack);
}

int dvmi_shortest(const struct dvmi_program *prog, struct dvmi_shortest *task, struct dvmi_way *way)
{
	struct search s = {.prog = prog, .s = task};
	unsigned bound = dvmi_shortest_bound(prog, task->need);
	struct dvmi_state st;
	int rc;

	dvmi_state_init(prog, &st);
	s.space = &s.to;
	rc = bound > task->at_most ? 0 : begin(&s, &s.to, &st);
	if (rc > 0)
		rc = level(&s, way);
	while (!rc && ++bound <= task->at_most && s.laters)
		rc = next_level(&s, way);
	free_space(&s.to);
	free_space(&s.from);
	dvmi_free(s.later);
	dvmi_free(s.next);
	return rc;
}

struct one_way {
	struct dvmi_state st;
	unsigned left;
	bool found;
};

static void pick(void *arg, const struct dvmi_state *st)
{
	struct one_way *o = arg;

	if (o->left-- == 0) {
		o->st = *st;
		o->found = true;
	}
}

bool dvmi_way_replay(const struct dvmi_program *prog, const struct dvmi_way_step *step,
		     unsigned steps, struct dvmi_state *st)
{
	dvmi_state_init(prog, st);
	for (unsigned i = 0; i < steps; i++) {
		struct one_way o = {.left = step[i].way};

		if (step[i].pe >= prog->pes || step[i].ev >= prog->pe[step[i].pe].events)
			return false;
		(void)dvmi_step(prog, st, step[i].pe, step[i].ev, pick, &o);
		if (!o.found)
			return false;
		*st = o.st;
	}
	return true;
}
