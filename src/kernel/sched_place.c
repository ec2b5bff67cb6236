/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/*
 * Where a task goes when it is woken, forked or executes a new program: select_task_rq_fair(),
 * select_idle_sibling(), sched_balance_find_dst_cpu(), select_task_rq_rt().
 */

static bool idle_and_allowed(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			     uint32_t cpu)
{
	return dvmi_sched_is_idle(s, cpu) && dvmi_sched_may_run(s, t, cpu);
}

static bool share_cache(const struct dvmi_sched *s, uint32_t a, uint32_t b)
{
	return dvmi_sched_same(a, b, s->llc);
}

/* ---- does the waker pull? ---- */

/* record_wakee(): how often the waker changes whom it wakes, halved every second. */
static void record_wakee(struct dvmi_sched *s, uint32_t waker, uint32_t wakee, uint64_t now_ns)
{
	struct dvmi_sched_task *w = &s->tasks[waker];
	uint32_t now_s = (uint32_t)(now_ns / UINT64_C(1000000000));

	if (!waker)
		return;
	if (now_s > w->flip_s) {
		w->flips /= 2;
		w->flip_s = now_s;
	}
	if (w->last_wakee != wakee) {
		w->last_wakee = wakee;
		w->flips = (uint16_t)(w->flips + (w->flips != UINT16_MAX));
	}
}

/* wake_wide(): one that wakes many, who wake others themselves, would only crowd its cache. */
static bool wake_wide(const struct dvmi_sched *s, uint32_t waker, uint32_t wakee)
{
	uint32_t master = s->tasks[waker].flips, slave = s->tasks[wakee].flips, t;

	if (master < slave) {
		t = master;
		master = slave;
		slave = t;
	}
	return slave >= s->llc && master >= slave * s->llc;
}

/* wake_affine(): the waker's CPU or the previous one, to search near. */
static uint32_t wake_affine(struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu,
			    uint32_t prev, bool sync, uint64_t now_ns)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t here, there, task = dvmi_sched_weight(t), waker;

	if (dvmi_sched_is_idle(s, cpu) && share_cache(s, cpu, prev))
		return dvmi_sched_is_idle(s, prev) ? prev : cpu;
	if (sync && dvmi_sched_running(rq) == 1)
		return cpu;
	if (dvmi_sched_is_idle(s, prev))
		return prev;
	/* wake_affine_weight() */
	here = dvmi_sched_load_avg(s, cpu, now_ns);
	if (sync && rq->current) {
		waker = dvmi_sched_weight(&s->tasks[rq->current]);
		if (waker > here)
			return cpu;
		here -= waker;
	}
	there = dvmi_sched_load_avg(s, prev, now_ns);
	there -= there < task ? there : task;
	here = (here + task) * 100;
	there = there * (100 + (s->rules.imbalance_pct - 100) / 2) + sync;
	return here < there ? cpu : prev;
}

/* ---- an idle CPU near the target ---- */

/* A core all of whose threads are idle, in the target's cache, from the target on. */
static uint32_t idle_core(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			  uint32_t target, uint32_t *scanned)
{
	uint32_t smt = s->rules.span[DVMI_SCHED_SMT], first, end, at = target / smt * smt;

	dvmi_sched_span(s, target, s->llc, &first, &end);
	for (uint32_t n = 0; n < (end - first + smt - 1) / smt; n++) {
		uint32_t left = 0, found = DVMI_SCHED_NONE;

		for (uint32_t c = at; c < at + smt && c < end; c++) {
			left += !dvmi_sched_is_idle(s, c);
			if (found == DVMI_SCHED_NONE && dvmi_sched_may_run(s, t, c))
				found = c;
		}
		++*scanned;
		if (!left && found != DVMI_SCHED_NONE)
			return found;
		at = at + smt < end ? at + smt : first;
	}
	return DVMI_SCHED_NONE;
}

/* The first idle allowed CPU of [first, end), searched from the target round; at most *@budget. */
static uint32_t idle_in(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			uint32_t target, uint32_t first, uint32_t end, uint32_t *budget,
			uint32_t *scanned)
{
	uint32_t from[2] = { target + 1, first }, to[2] = { end, target };

	for (int part = 0; part < 2; part++) {
		uint32_t cpu = from[part], stop = to[part];

		if (stop > cpu && stop - cpu > *budget)
			stop = cpu + *budget;
		while (cpu < stop) {
			uint32_t next = dvmi_sched_next(s->idle, cpu, stop);
			uint32_t seen = (next == DVMI_SCHED_NONE ? stop : next + 1) - cpu;

			*budget -= seen;
			*scanned += seen;
			if (next == DVMI_SCHED_NONE)
				break;
			if (dvmi_sched_may_run(s, t, next))
				return next;
			cpu = next + 1;
		}
	}
	return DVMI_SCHED_NONE;
}

static uint32_t idle_smt(const struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu)
{
	uint32_t smt = s->rules.span[DVMI_SCHED_SMT], first, end;

	dvmi_sched_span(s, cpu, smt, &first, &end);
	for (uint32_t c = first; c < end; c++)
		if (c != cpu && idle_and_allowed(s, t, c))
			return c;
	return DVMI_SCHED_NONE;
}

/* select_idle_cpu(): the cluster first, then the rest of the cache; SIS_UTIL bounds the search. */
static uint32_t idle_cpu(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			 uint32_t target, uint32_t prev, uint32_t *scanned)
{
	uint32_t budget = s->idle_scan[target / s->llc] + 1, first, end, found;

	if (s->rules.span[DVMI_SCHED_SMT] > 1) {
		found = idle_core(s, t, target, scanned);
		if (found != DVMI_SCHED_NONE)
			return found;
		if (share_cache(s, prev, target)) {
			found = idle_smt(s, t, prev);
			if (found != DVMI_SCHED_NONE)
				return found;
		}
	}
	if (budget == 1) /* the cache is overloaded */
		return DVMI_SCHED_NONE;
	if (s->cluster > s->rules.span[DVMI_SCHED_SMT] && s->cluster < s->llc) {
		dvmi_sched_span(s, target, s->cluster, &first, &end);
		found = idle_in(s, t, target, first, end, &budget, scanned);
		if (found != DVMI_SCHED_NONE)
			return found;
	}
	dvmi_sched_span(s, target, s->llc, &first, &end);
	return idle_in(s, t, target, first, end, &budget, scanned);
}

/* select_idle_sibling() */
static uint32_t idle_sibling(const struct dvmi_sched *s, struct dvmi_sched_task *t, uint32_t target,
			     uint32_t prev, const struct dvmi_sched_task *waker, uint32_t cpu,
			     uint32_t *scanned)
{
	bool clustered = s->cluster > 1 && s->cluster < s->llc;
	uint32_t recent = t->recent_cpu, second = DVMI_SCHED_NONE, found;

	++*scanned;
	if (idle_and_allowed(s, t, target))
		return target;
	if (prev != target && share_cache(s, prev, target) && idle_and_allowed(s, t, prev)) {
		if (!clustered || dvmi_sched_same(prev, target, s->cluster))
			return prev;
		second = prev;
	}
	/* A per-CPU kernel thread wakes whom it did work for; it is about to sleep. */
	if (waker && waker->bound && prev == cpu && dvmi_sched_running(&s->rqs[cpu]) <= 1)
		return prev;
	t->recent_cpu = (uint16_t)prev;
	if (recent != prev && recent != target && share_cache(s, recent, target) &&
	    idle_and_allowed(s, t, recent)) {
		if (!clustered || dvmi_sched_same(recent, target, s->cluster))
			return recent;
		second = second == DVMI_SCHED_NONE ? recent : second;
	}
	found = idle_cpu(s, t, target, prev, scanned);
	if (found != DVMI_SCHED_NONE)
		return found;
	return second != DVMI_SCHED_NONE ? second : target;
}

/* ---- the least busy CPU ---- */

static uint32_t idlest_cpu(struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t first,
			   uint32_t end, uint32_t near, uint64_t now_ns, uint32_t *scanned)
{
	uint32_t idle = DVMI_SCHED_NONE, least = DVMI_SCHED_NONE;
	uint64_t least_load = UINT64_MAX;

	for (uint32_t c = first; c < end; c++) {
		const struct dvmi_sched_rq *rq = &s->rqs[c];
		uint64_t load;

		if (!dvmi_sched_may_run(s, t, c))
			continue;
		++*scanned;
		if (dvmi_sched_is_idle(s, c)) { /* the one that went idle last is the warmest */
			if (idle == DVMI_SCHED_NONE ||
			    rq->idle_since_ns > s->rqs[idle].idle_since_ns)
				idle = c;
			continue;
		}
		load = dvmi_sched_load_avg(s, c, now_ns);
		if (idle == DVMI_SCHED_NONE && (load < least_load || (load == least_load && c == near))) {
			least = c;
			least_load = load;
		}
	}
	return idle != DVMI_SCHED_NONE ? idle : least;
}

static bool any_allowed(const struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t first,
			uint32_t end)
{
	if (end <= t->first_cpu || first > t->last_cpu)
		return false;
	for (uint32_t c = first > t->first_cpu ? first : t->first_cpu; c < end && c <= t->last_cpu; c++)
		if (s->rqs[c].online)
			return true;
	return false;
}

/* Is @a a better place for one task more than @b? */
static bool less_busy(const struct dvmi_sched_group *a, const struct dvmi_sched_group *b)
{
	if (dvmi_sched_fit(a) != dvmi_sched_fit(b))
		return dvmi_sched_fit(a) < dvmi_sched_fit(b);
	if (dvmi_sched_fit(a) == DVMI_SCHED_HAS_SPARE)
		return a->idle > b->idle;
	return a->load * b->online < b->load * a->online;
}

/* The group as it would be without @t, which runs there. */
static void without(const struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t first,
		    uint32_t span, struct dvmi_sched_group *g)
{
	if (t->state != DVMI_SCHED_RUNNING || !dvmi_sched_same(t->cpu, first, span))
		return;
	g->running--;
	g->load -= dvmi_sched_weight(t);
	g->idle += s->rqs[t->cpu].seen_running == 1;
}

/* sched_balance_find_dst_group(): the group's first CPU, or NONE to stay in the local one. */
static uint32_t idlest_group(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			     uint32_t level, uint32_t cpu, uint32_t *scanned)
{
	const struct dvmi_sched_level *l = &s->levels[level];
	struct dvmi_sched_group local = { 0 }, best = { 0 };
	uint32_t first, end, at = DVMI_SCHED_NONE;
	bool here = false;

	dvmi_sched_span(s, cpu, l->span, &first, &end);
	for (uint32_t c = first; c < end; c += l->child) {
		struct dvmi_sched_group g = dvmi_sched_group_of(s, level, c);
		uint32_t stop = c + l->child < end ? c + l->child : end;

		++*scanned;
		if (!g.online || !any_allowed(s, t, c, stop))
			continue;
		without(s, t, c, l->child, &g);
		if (dvmi_sched_same(c, cpu, l->child)) {
			local = g;
			here = true;
		} else if (at == DVMI_SCHED_NONE || less_busy(&g, &best)) {
			best = g;
			at = c;
		}
	}
	if (at == DVMI_SCHED_NONE || !here)
		return at;
	if (dvmi_sched_fit(&local) != dvmi_sched_fit(&best))
		return dvmi_sched_fit(&local) < dvmi_sched_fit(&best) ? DVMI_SCHED_NONE : at;
	if (dvmi_sched_fit(&local) == DVMI_SCHED_HAS_SPARE) {
		/* Between nodes, a few tasks may stay together (allow_numa_imbalance()). */
		if (l->kind == DVMI_SCHED_SYSTEM && local.running + 1 <= l->imb_numa)
			return DVMI_SCHED_NONE;
		return local.idle >= best.idle ? DVMI_SCHED_NONE : at;
	}
	/* Staying is better unless the other is clearly less loaded. */
	if (100 * local.load * best.online <= l->imbalance_pct * best.load * local.online)
		return DVMI_SCHED_NONE;
	return at;
}

uint32_t dvmi_sched_idlest(struct dvmi_sched *s, const struct dvmi_sched_task *t, uint32_t cpu,
			   uint64_t now_ns, uint32_t *scanned)
{
	for (uint32_t l = s->levels_count; l-- > 0;) {
		uint32_t at = idlest_group(s, t, l, cpu, scanned), first, end, best;

		if (at == DVMI_SCHED_NONE)
			continue;
		dvmi_sched_span(s, at, s->levels[l].child, &first, &end);
		best = idlest_cpu(s, t, first, end, cpu, now_ns, scanned);
		if (best != DVMI_SCHED_NONE)
			cpu = best;
	}
	return cpu;
}

/* ---- real-time tasks ---- */

/* Fair or idle is 0; cpupri_find() looks for the lowest below the task's. */
static unsigned rt_priority(const struct dvmi_sched *s, uint32_t cpu)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint32_t first = dvmi_sched_tree_first(s, rq->rt), current = rq->current;
	unsigned a = 0, b = 0;

	if (current && s->tasks[current].policy == DVMI_SCHED_FIFO)
		a = s->tasks[current].priority;
	if (first)
		b = s->tasks[first].priority;
	return a > b ? a : b;
}

uint32_t dvmi_sched_rt_lowest(const struct dvmi_sched *s, const struct dvmi_sched_task *t,
			      uint32_t near)
{
	uint32_t best = DVMI_SCHED_NONE;
	unsigned least = 0;
	int nearness = 0;

	for (uint32_t c = t->first_cpu; c <= t->last_cpu; c++) {
		unsigned p = rt_priority(s, c);
		int n = c == near ? 3 : share_cache(s, c, near) ? 2 : 1;

		if (!s->rqs[c].online || p >= t->priority)
			continue;
		if (best == DVMI_SCHED_NONE || p < least || (p == least && n > nearness)) {
			best = c;
			least = p;
			nearness = n;
		}
	}
	return best;
}

/* select_task_rq_rt(): elsewhere only if a real-time task would be in the way here. */
static uint32_t select_rt(const struct dvmi_sched *s, const struct dvmi_sched_task *t)
{
	const struct dvmi_sched_task *current = &s->tasks[s->rqs[t->cpu].current];
	uint32_t cpu;

	if (!s->rqs[t->cpu].current || current->policy != DVMI_SCHED_FIFO ||
	    (!current->bound && current->priority < t->priority && !current->migrate_disabled))
		return t->cpu;
	cpu = dvmi_sched_rt_lowest(s, t, t->cpu);
	return cpu != DVMI_SCHED_NONE ? cpu : t->cpu;
}

/* ---- the three occasions ---- */

static void coming(struct dvmi_sched *s, uint32_t task, struct dvmi_sched_place *p, uint64_t now_ns)
{
	struct dvmi_sched_task *t = &s->tasks[task];

	/* One that is still on its CPU is seen to when it has left it. */
	if (!dvmi_sched_may_run(s, t, p->cpu) && !t->migrate_disabled && !t->on_cpu) {
		p->cpu = dvmi_sched_fallback(s, t, p->cpu);
		p->reason = s->rqs[t->cpu].online ? DVMI_SCHED_AFFINITY : DVMI_SCHED_HOTPLUG;
	}
	t->state = DVMI_SCHED_WAKING;
	t->reason = (uint8_t)p->reason;
	s->counts[p->reason] += p->cpu != p->from;
	t->cpu = (uint16_t)p->cpu;
	s->rqs[p->cpu].coming++;
	dvmi_sched_refresh(s, p->cpu, now_ns);
}

static enum dvmi_sched_reason why(uint32_t found, uint32_t target, uint32_t prev, uint32_t cpu)
{
	if (found == prev)
		return DVMI_SCHED_WAKE_PREV;
	return found == target && found == cpu ? DVMI_SCHED_WAKE_AFFINE : DVMI_SCHED_IDLE_SIBLING;
}

struct dvmi_sched_place dvmi_sched_place_wake(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					      unsigned flags, uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	uint64_t now_ns = now_ps / 1000;
	uint32_t waker = flags & DVMI_SCHED_WAKE_IRQ ? 0 : s->rqs[cpu].current;
	uint32_t runs = s->rqs[cpu].current, prev = t->cpu, target = prev;
	struct dvmi_sched_place p = { .cpu = prev, .from = prev, .reason = DVMI_SCHED_WAKE_BOUND };

	s->moves_count = 0;
	if (t->delayed && !dvmi_sched_may_run(s, t, prev) && !t->migrate_disabled && !t->on_cpu) {
		dvmi_sched_fair_del(s, prev, task, true, now_ns);
		dvmi_sched_refresh(s, prev, now_ns);
	}
	if (t->delayed) { /* ttwu_runnable() */
		dvmi_sched_fair_requeue(s, prev, task, now_ns);
		t->state = DVMI_SCHED_QUEUED;
		dvmi_sched_refresh(s, prev, now_ns);
		p.reason = DVMI_SCHED_WAKE_QUEUED;
		t->reason = (uint8_t)p.reason;
		p.queued = true;
		return p;
	}
	if (t->on_cpu) {
		p.reason = DVMI_SCHED_WAKE_ON_CPU;
	} else if (t->migrate_disabled || t->first_cpu == t->last_cpu) {
		p.scanned = 0;
	} else if (t->policy == DVMI_SCHED_FIFO) {
		p.cpu = select_rt(s, t);
		p.reason = p.cpu == prev ? DVMI_SCHED_WAKE_PREV : DVMI_SCHED_RT_PUSH;
	} else {
		/* The kernel records the interrupted task as the waker, so it counts here too. */
		record_wakee(s, runs, task, now_ns);
		if (!wake_wide(s, runs, task) && dvmi_sched_may_run(s, t, cpu) && cpu != prev)
			target = wake_affine(s, t, cpu, prev, flags & DVMI_SCHED_WAKE_SYNC, now_ns);
		p.cpu = idle_sibling(s, t, target, prev, waker ? &s->tasks[waker] : NULL, cpu,
				     &p.scanned);
		p.reason = why(p.cpu, target, prev, cpu);
	}
	coming(s, task, &p, now_ns);
	return p;
}

struct dvmi_sched_place dvmi_sched_place_fork(struct dvmi_sched *s, uint32_t task, uint32_t cpu,
					      uint64_t now_ps)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	struct dvmi_sched_place p = { .cpu = cpu, .from = cpu, .reason = DVMI_SCHED_FORK };

	s->moves_count = 0;
	t->fresh = true;
	if (t->first_cpu == t->last_cpu)
		p.cpu = t->first_cpu;
	else if (t->policy == DVMI_SCHED_FAIR)
		p.cpu = dvmi_sched_idlest(s, t, cpu, now_ps / 1000, &p.scanned);
	t->recent_cpu = t->cpu = (uint16_t)p.cpu;
	coming(s, task, &p, now_ps / 1000);
	return p;
}

struct dvmi_sched_place dvmi_sched_place_exec(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps)
{
	uint32_t task = s->rqs[cpu].current;
	struct dvmi_sched_task *t = &s->tasks[task];
	struct dvmi_sched_place p = { .cpu = cpu, .from = cpu, .reason = DVMI_SCHED_EXEC };

	s->moves_count = 0;
	if (!task || t->policy != DVMI_SCHED_FAIR || t->migrate_disabled ||
	    t->first_cpu == t->last_cpu || dvmi_sched_running(&s->rqs[cpu]) == 0)
		return p;
	p.cpu = dvmi_sched_idlest(s, t, cpu, now_ps / 1000, &p.scanned);
	if (p.cpu != cpu)
		dvmi_sched_push(s, cpu, p.cpu, DVMI_SCHED_EXEC);
	return p;
}
