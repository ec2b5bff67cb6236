/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/*
 * Earliest eligible virtual deadline first, as kernel/sched/fair.c has it since 6.6 (Stoica and
 * Abdel-Wahab, 1995). A task's virtual time passes at 1024 / weight of real time. V is the average
 * virtual time of the queue, weighted; a task is eligible while it is not ahead of V; of those, the
 * one with the earliest deadline runs, where deadline = vruntime at the slice's begin + slice *
 * 1024 / weight. What a task is owed (its lag, V - vruntime) it keeps over a sleep.
 */

/* sched_prio_to_weight[] of kernel/sched/core.c: nice -20 .. 19, a factor of 1.25 each. */
static const uint32_t weights[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
	1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
	110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
};

uint64_t dvmi_sched_weight(const struct dvmi_sched_task *t)
{
	return weights[t->nice + 20];
}

/* calc_delta_fair() */
static int64_t virtual_ns(uint64_t ns, const struct dvmi_sched_task *t)
{
	return (int64_t)(ns * 1024 / dvmi_sched_weight(t));
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The fair task that runs, or NULL: it is in no tree. */
static struct dvmi_sched_task *running(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	struct dvmi_sched_task *t = &s->tasks[rq->current];

	return rq->current && t->policy == DVMI_SCHED_FAIR ? t : NULL;
}

static void sums(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq, int64_t *sum,
		 int64_t *weight)
{
	const struct dvmi_sched_task *t = running(s, rq);

	*sum = rq->sum;
	*weight = rq->sum_weight;
	if (t) {
		int64_t w = (int64_t)dvmi_sched_weight(t);

		*sum += w * (t->vruntime_ns - rq->zero_ns);
		*weight += w;
	}
}

int64_t dvmi_sched_avg_vruntime(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	int64_t sum, weight;

	sums(s, rq, &sum, &weight);
	return rq->zero_ns + (weight ? floor_div(sum, weight) : 0);
}

/* vruntime <= V, without the division's rounding. */
bool dvmi_sched_eligible(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq, int64_t vruntime)
{
	int64_t sum, weight;

	sums(s, rq, &sum, &weight);
	return sum >= (vruntime - rq->zero_ns) * weight;
}

/* Measure from V, so that the sums stay small. */
static void rebase(struct dvmi_sched_rq *rq)
{
	int64_t d;

	if (!rq->sum_weight)
		return;
	d = floor_div(rq->sum, rq->sum_weight);
	rq->zero_ns += d;
	rq->sum -= d * rq->sum_weight;
}

static void sums_add(struct dvmi_sched_rq *rq, const struct dvmi_sched_task *t)
{
	int64_t w = (int64_t)dvmi_sched_weight(t);

	rq->sum += w * (t->vruntime_ns - rq->zero_ns);
	rq->sum_weight += w;
	rebase(rq);
}

static void sums_del(struct dvmi_sched_rq *rq, const struct dvmi_sched_task *t)
{
	int64_t w = (int64_t)dvmi_sched_weight(t);

	rq->sum -= w * (t->vruntime_ns - rq->zero_ns);
	rq->sum_weight -= w;
	if (!rq->sum_weight)
		rq->sum = 0;
	rebase(rq);
}

bool dvmi_sched_update_curr(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[rq->current];
	uint64_t ran;

	if (!rq->current || now_ns <= t->ran_ns)
		return false;
	ran = now_ns - t->ran_ns;
	t->ran_ns = now_ns;
	if (t->policy != DVMI_SCHED_FAIR || s->omit & DVMI_SCHED_OMIT_ACCOUNT)
		return false;
	t->vruntime_ns += virtual_ns(ran, t);
	if (!rq->sum_weight)
		rq->zero_ns = t->vruntime_ns;
	if (t->vruntime_ns < t->deadline_ns)
		return false;
	t->deadline_ns = t->vruntime_ns + virtual_ns(s->rules.base_slice_ns, t);
	return true;
}

/* place_entity() */
static void place(struct dvmi_sched *s, const struct dvmi_sched_rq *rq, struct dvmi_sched_task *t)
{
	int64_t slice = virtual_ns(s->rules.base_slice_ns, t), lag = t->lag_ns, sum, load;

	sums(s, rq, &sum, &load);
	if (!load)
		lag = 0;
	else /* joining moves V: what it is owed afterwards is to be what it was owed before */
		lag = floor_div(lag * (load + (int64_t)dvmi_sched_weight(t)), load);
	t->vruntime_ns = dvmi_sched_avg_vruntime(s, rq) - lag;
	if (t->relative) /* it moves: the slice goes on */
		t->deadline_ns += t->vruntime_ns;
	else
		t->deadline_ns = t->vruntime_ns + (t->fresh ? slice / 2 : slice);
	t->relative = t->fresh = false;
}

/* The ring of a CPU's fair tasks, in the order in which they were last picked (rq->cfs_tasks). */
static void ring_add(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task], *newest = &s->tasks[rq->newest];

	if (!rq->newest) {
		t->newer = t->older = task;
	} else { /* the newest one's newer is the oldest */
		t->older = rq->newest;
		t->newer = newest->newer;
		s->tasks[newest->newer].older = task;
		newest->newer = task;
	}
	rq->newest = task;
}

static void ring_del(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	s->tasks[t->older].newer = t->newer;
	s->tasks[t->newer].older = t->older;
	if (rq->newest == task)
		rq->newest = t->older == task ? 0 : t->older;
	t->newer = t->older = 0;
}

void dvmi_sched_fair_add(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];

	dvmi_sched_update_curr(s, rq, now_ns);
	place(s, rq, t);
	sums_add(rq, t);
	dvmi_sched_tree_add(s, &rq->fair, task);
	ring_add(s, rq, task);
	rq->nr_fair++;
	rq->load += dvmi_sched_weight(t);
}

void dvmi_sched_fair_del(struct dvmi_sched *s, uint32_t cpu, uint32_t task, bool sleep,
			 uint64_t now_ns)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	struct dvmi_sched_task *t = &s->tasks[task];
	/* entity_lag(): what can be made good within a slice and a tick. */
	int64_t limit = virtual_ns(s->rules.base_slice_ns + s->rules.tick_ns, t), lag;

	dvmi_sched_update_curr(s, rq, now_ns);
	lag = dvmi_sched_avg_vruntime(s, rq) - t->vruntime_ns;
	if (task == rq->current) {
		rq->zero_ns = rq->sum_weight ? rq->zero_ns : t->vruntime_ns;
		rq->current = 0;
	} else {
		dvmi_sched_tree_del(s, &rq->fair, task);
		sums_del(rq, t);
	}
	t->lag_ns = lag > limit ? limit : lag < -limit ? -limit : lag;
	if (t->delayed) {
		/* DELAY_ZERO: it has waited its debt off, and gains nothing by that. */
		t->lag_ns = t->lag_ns > 0 ? 0 : t->lag_ns;
		t->delayed = false;
		rq->nr_delayed--;
	} else {
		rq->load -= dvmi_sched_weight(t);
	}
	t->relative = !sleep;
	if (!sleep)
		t->deadline_ns -= t->vruntime_ns;
	ring_del(s, rq, task);
	rq->nr_fair--;
}

void dvmi_sched_fair_put(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task)
{
	rq->current = 0;
	sums_add(rq, &s->tasks[task]);
	dvmi_sched_tree_add(s, &rq->fair, task);
}

/*
 * set_protect_slice(): with RUN_TO_PARITY the slice is used up before anybody else gets the CPU, but
 * for one that is not eligible any more when it is asked; without, the least quantum is.
 */
static void protect(const struct dvmi_sched *s, struct dvmi_sched_rq *rq,
		    const struct dvmi_sched_task *t)
{
	int64_t quantum = t->vruntime_ns + virtual_ns(s->rules.quantum_ns, t);

	rq->protect_ns = t->deadline_ns;
	if (!s->rules.run_to_parity && quantum < rq->protect_ns)
		rq->protect_ns = quantum;
}

bool dvmi_sched_protection_over(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	const struct dvmi_sched_task *t = running(s, rq);

	return t && t->vruntime_ns >= rq->protect_ns;
}

void dvmi_sched_fair_set(struct dvmi_sched *s, struct dvmi_sched_rq *rq, uint32_t task,
			 uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	dvmi_sched_tree_del(s, &rq->fair, task);
	sums_del(rq, t);
	ring_del(s, rq, task);
	ring_add(s, rq, task);
	rq->current = task;
	protect(s, rq, t);
	t->ran_ns = now_ns;
	if (!rq->sum_weight)
		rq->zero_ns = t->vruntime_ns;
}

/* The waiting eligible task with the earliest deadline. */
static uint32_t best_waiting(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	uint32_t node = rq->fair;

	while (node) {
		const struct dvmi_sched_task *t = &s->tasks[node];

		if (t->left && dvmi_sched_eligible(s, rq, s->tasks[t->left].min_vruntime_ns)) {
			node = t->left;
			continue;
		}
		if (dvmi_sched_eligible(s, rq, t->vruntime_ns))
			return node;
		node = t->right;
	}
	return 0;
}

uint32_t dvmi_sched_fair_pick(const struct dvmi_sched *s, const struct dvmi_sched_rq *rq)
{
	const struct dvmi_sched_task *current = running(s, rq);
	uint32_t best;

	if (current && !dvmi_sched_eligible(s, rq, current->vruntime_ns))
		current = NULL;
	if (current && current->vruntime_ns < rq->protect_ns)
		return rq->current;
	best = best_waiting(s, rq);
	if (current && (!best || current->deadline_ns < s->tasks[best].deadline_ns))
		return rq->current;
	return best ? best : rq->current && running(s, rq) ? rq->current : 0;
}

void dvmi_sched_fair_requeue(struct dvmi_sched *s, uint32_t cpu, uint32_t task, uint64_t now_ns)
{
	dvmi_sched_fair_del(s, cpu, task, true, now_ns);
	dvmi_sched_fair_add(s, cpu, task, now_ns);
}
