/* SPDX-License-Identifier: MIT */
#include "check/explore.h"

#include "base/mem.h"

#include <string.h>

#define STOP_EVERY 4096

static bool over_limit(const struct dvmi_explorer *ex)
{
	if (ex->max_states && ex->states >= ex->max_states)
		return true;
	if (ex->max_memory_bytes &&
	    dvmi_visited_memory(&ex->visited) + ex->depth * sizeof(*ex->stack) >
		    ex->max_memory_bytes)
		return true;
	return ex->stop && ex->states % STOP_EVERY == 0 && ex->stop(ex->stop_arg);
}

struct search {
	struct dvmi_explorer *ex;
	const struct dvmi_program *prog;
};

static void push(void *arg, const struct dvmi_state *next)
{
	struct search *s = arg;
	struct dvmi_explorer *ex = s->ex;
	unsigned char key[DVMI_KEY_MAX];
	int rc;

	ex->steps++;
	if (ex->failed)
		return;
	rc = dvmi_visited_add(&ex->visited, key, dvmi_state_least_key(s->prog, next, ex->images, key));
	if (rc == 0)
		return;
	if (rc > 0)
		rc = dvmi_grow((void **)&ex->stack, &ex->stack_capacity, ex->depth + 1,
			       sizeof(*ex->stack));
	if (rc) {
		ex->failed = rc;
		return;
	}
	ex->states++;
	ex->stack[ex->depth++] = *next;
	if (over_limit(ex))
		ex->failed = -DVM_EBUDGET;
}

/* The reduction takes TLBIs and what completes them as early as can be; is that not wanted? */
static bool kept_back(const struct search *s, const struct dvmi_ev *e)
{
	return s->ex->each_tlbi && (e->kind == DVMI_EV_TLBI || e->completes);
}

/* An event that can go first alone, if there is one. */
static bool step_safe_one(struct search *s, const struct dvmi_state *st)
{
	for (unsigned p = 0; p < s->prog->pes; p++)
		for (unsigned e = 0; e < s->prog->pe[p].events; e++) {
			uint64_t done = st->done[p];

			if ((done >> e & 1) || (s->prog->pe[p].ev[e].pred & ~done) ||
			    kept_back(s, &s->prog->pe[p].ev[e]) ||
			    !dvmi_step_safe(s->prog, st, p, e))
				continue;
			if (dvmi_step(s->prog, st, p, e, push, s))
				return true;
		}
	return false;
}

static int visit(struct search *s, const struct dvmi_state *st)
{
	if (dvmi_state_final(s->prog, st))
		return s->ex->final(s->ex->final_arg, s->prog, st);
	if (!s->ex->full && step_safe_one(s, st))
		return 0;
	for (unsigned p = 0; p < s->prog->pes; p++)
		for (unsigned e = 0; e < s->prog->pe[p].events; e++)
			(void)dvmi_step(s->prog, st, p, e, push, s);
	return 0;
}

int dvmi_explore(struct dvmi_explorer *ex, const struct dvmi_program *prog)
{
	struct search s = {.ex = ex, .prog = prog};
	struct dvmi_state st;

	dvmi_visited_clear(&ex->visited);
	ex->depth = 0;
	ex->failed = 0;
	dvmi_state_init(prog, &st);
	push(&s, &st);
	while (ex->depth && !ex->failed) {
		int rc;

		st = ex->stack[--ex->depth];
		rc = visit(&s, &st);
		if (rc)
			return rc;
	}
	return ex->failed;
}

void dvmi_explorer_fini(struct dvmi_explorer *ex)
{
	dvmi_visited_fini(&ex->visited);
	dvmi_free(ex->stack);
	ex->stack = NULL;
	ex->stack_capacity = ex->depth = 0;
}
