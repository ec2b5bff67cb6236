/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/*
 * Balancing: sched_balance_rq() and what calls it, at the tick, for idle CPUs and when a CPU is
 * about to idle. A group is compared by its counts of runnable tasks and their weights as they are
 * now; the kernel uses running averages of them.
 */

enum kind { TASKS, LOAD, UTIL }; /* what the imbalance is counted in: migrate_task, _load, _util */

struct env {
	uint32_t level, dst;	/* pulls to CPU dst */
	enum dvmi_sched_idle idle;
	enum dvmi_sched_reason reason;
	uint64_t now_ns, imbalance;
	enum kind kind;
	struct dvmi_sched_group local, busiest;
	uint32_t busiest_at;	/* first CPU of the group */
	uint32_t scanned;
	bool all_pinned;	/* LBF_ALL_PINNED: no task of the queue may run on dst */
	struct dvmi_sched_note push;
};

static uint64_t per_cpu(uint64_t load, const struct dvmi_sched_group *g)
{
	return g->online ? load * 1024 / g->online : 0;
}

/* ---- which group, and how much ---- */

/* update_sd_pick_busiest() */
static bool busier(const struct dvmi_sched_group *a, const struct dvmi_sched_group *b)
{
	enum dvmi_sched_fit fit = dvmi_sched_fit(a);

	if (fit != dvmi_sched_fit(b))
		return fit > dvmi_sched_fit(b);
	if (fit == DVMI_SCHED_HAS_SPARE)
		return a->idle != b->idle ? a->idle < b->idle : a->running > b->running;
	return per_cpu(a->load, a) > per_cpu(b->load, b);
}

/*
 * Groups of one CPU, seen from one that is idle: only those with two tasks or more can be busiest in
 * a way that matters, and the sums over the domain are not asked for. The same answer, sooner.
 */
static void find_busiest_cpu(const struct dvmi_sched *s, struct env *e, uint32_t first, uint32_t end)
{
	e->scanned += end - first;
	e->local = dvmi_sched_group_of(s, 0, e->dst);
	for (uint32_t c = dvmi_sched_next(s->overloaded, first, end); c != DVMI_SCHED_NONE;
	     c = dvmi_sched_next(s->overloaded, c + 1, end)) {
		struct dvmi_sched_group g = dvmi_sched_group_of(s, 0, c);

		if (c == e->dst || (e->busiest_at != DVMI_SCHED_NONE && !busier(&g, &e->busiest)))
			continue;
		e->busiest = g;
		e->busiest_at = c;
	}
}

static bool find_busiest_group(const struct dvmi_sched *s, struct env *e,
			       struct dvmi_sched_group *total)
{
	const struct dvmi_sched_level *l = &s->levels[e->level];
	uint32_t first, end;

	e->busiest_at = DVMI_SCHED_NONE;
	dvmi_sched_span(s, e->dst, l->span, &first, &end);
	if (l->child == 1 && !s->rqs[e->dst].seen_running && s->rqs[e->dst].online) {
		find_busiest_cpu(s, e, first, end);
		return e->busiest_at != DVMI_SCHED_NONE;
	}
	for (uint32_t c = first; c < end; c += l->child) {
		struct dvmi_sched_group g = dvmi_sched_group_of(s, e->level, c);

		e->scanned++;
		total->online += g.online;
		total->load += g.load;
		if (dvmi_sched_same(c, e->dst, l->child)) {
			e->local = g;
		} else if (g.running && (e->busiest_at == DVMI_SCHED_NONE ||
					 busier(&g, &e->busiest))) {
			e->busiest = g;
			e->busiest_at = c;
		}
	}
	return e->busiest_at != DVMI_SCHED_NONE;
}

static uint64_t more(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* calculate_imbalance() where the local group has spare CPUs. */
static void spread(const struct dvmi_sched *s, struct env *e)
{
	const struct dvmi_sched_level *l = &s->levels[e->level];

	if (dvmi_sched_fit(&e->busiest) == DVMI_SCHED_OVERLOADED && !l->share_llc) {
		e->kind = UTIL; /* as much as fits */
		e->imbalance = (uint64_t)1024 * more(e->local.online, e->local.running);
		return;
	}
	e->kind = TASKS;
	if (e->busiest.online == 1 || l->prefer_sibling)
		e->imbalance = e->idle == DVMI_SCHED_BUSY ?
				       0 : more(e->busiest.running, e->local.running);
	else
		e->imbalance = more(e->local.idle, e->busiest.idle);
	/* adjust_numa_imbalance(): nodes need not be even while little runs. */
	if (l->kind == DVMI_SCHED_SYSTEM && e->busiest.running <= l->imb_numa && e->imbalance <= 2)
		e->imbalance = 0;
	e->imbalance /= 2;
}

/* ... and where it has none: weights are evened out over the domain. */
static void even_out(struct env *e, const struct dvmi_sched_group *total)
{
	uint64_t avg = per_cpu(total->load, total), local = per_cpu(e->local.load, &e->local);
	uint64_t busiest = per_cpu(e->busiest.load, &e->busiest), out, in;

	e->kind = LOAD;
	e->imbalance = 0;
	if (local >= busiest || local >= avg)
		return;
	out = more(busiest, avg) * e->busiest.online;
	in = (avg - local) * e->local.online;
	e->imbalance = (out < in ? out : in) / 1024;
}

/* sched_balance_find_src_group(): false when the domain is balanced enough. */
static bool find_imbalance(const struct dvmi_sched *s, struct env *e)
{
	const struct dvmi_sched_level *l = &s->levels[e->level];
	struct dvmi_sched_group total = { 0 };
	enum dvmi_sched_fit local, busiest;

	if (!find_busiest_group(s, e, &total))
		return false;
	local = dvmi_sched_fit(&e->local);
	busiest = dvmi_sched_fit(&e->busiest);
	if (local > busiest)
		return false;
	if (local == DVMI_SCHED_OVERLOADED) {
		uint64_t here = per_cpu(e->local.load, &e->local);
		uint64_t there = per_cpu(e->busiest.load, &e->busiest);

		if (here >= there || here >= per_cpu(total.load, &total) ||
		    100 * there <= l->imbalance_pct * here)
			return false;
	} else if (!(l->prefer_sibling && local == DVMI_SCHED_HAS_SPARE &&
		     e->idle != DVMI_SCHED_BUSY && e->busiest.running > e->local.running + 1) &&
		   busiest != DVMI_SCHED_OVERLOADED) {
		if (e->idle == DVMI_SCHED_BUSY || e->busiest.running == 1 ||
		    (e->busiest.online > 1 && e->local.idle <= e->busiest.idle + 1))
			return false;
	}
	if (local == DVMI_SCHED_HAS_SPARE)
		spread(s, e);
	else
		even_out(e, &total);
	return e->imbalance != 0;
}

/* ---- which queue, and which tasks ---- */

#define TRIED_MAX 8

/* What can be taken off it, in the units of the imbalance; 0: nothing. */
static uint64_t queue_size(const struct dvmi_sched *s, const struct env *e, uint32_t cpu)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint32_t runnable = rq->nr_fair - rq->nr_delayed;

	if (runnable == 1 && (e->kind == UTIL || (e->kind == LOAD && rq->load > e->imbalance)))
		return 0;
	return e->kind == LOAD && runnable ? rq->load : runnable;
}

/* sched_balance_find_src_rq(), without those that were tried in vain. */
static uint32_t find_busiest_queue(const struct dvmi_sched *s, struct env *e,
				   const uint32_t *tried, unsigned tried_count)
{
	uint32_t first, end, next, best = DVMI_SCHED_NONE;
	uint64_t most = 0;

	dvmi_sched_span(s, e->busiest_at, s->levels[e->level].child, &first, &end);
	for (uint32_t c = first; c < end; c++) {
		uint64_t x;

		/* A CPU about to idle does not push, so a queue of one is of no use to it. */
		next = e->idle == DVMI_SCHED_NEWLY_IDLE ? dvmi_sched_next(s->overloaded, c, end) : c;
		e->scanned += (next == DVMI_SCHED_NONE ? end - 1 : next) - c + 1;
		if (next == DVMI_SCHED_NONE)
			break;
		c = next;
		x = queue_size(s, e, c);
		for (unsigned i = 0; i < tried_count; i++)
			x = tried[i] == c ? 0 : x;
		if (x <= most)
			continue;
		most = x;
		best = c;
	}
	return best;
}

/* can_migrate_task() */
static bool can_move(const struct dvmi_sched *s, struct env *e, uint32_t task)
{
	const struct dvmi_sched_task *t = &s->tasks[task];
	const struct dvmi_sched_level *l = &s->levels[e->level];
	uint32_t node = s->rules.span[DVMI_SCHED_NODE];
	uint32_t failed = s->domains[(size_t)e->dst * s->levels_count + e->level].failed;
	bool hot;

	if (t->state == DVMI_SCHED_QUEUED && !t->migrate_disabled &&
	    dvmi_sched_may_run(s, t, e->dst))
		e->all_pinned = false;
	if (t->state != DVMI_SCHED_QUEUED || t->delayed)
		return false;
	if (t->migrate_disabled && !(s->omit & DVMI_SCHED_OMIT_PINNED))
		return false;
	if (!dvmi_sched_may_run(s, t, e->dst) && !(s->omit & DVMI_SCHED_OMIT_AFFINITY))
		return false;
	if (t->on_cpu && !(s->omit & DVMI_SCHED_OMIT_ON_CPU))
		return false;
	/* task_hot(); migrate_degrades_locality() */
	hot = t->ran_ns && e->now_ns - t->ran_ns < s->rules.migration_cost_ns &&
	      l->kind != DVMI_SCHED_SMT;
	if (s->rules.numa_balancing && t->home_cpu != UINT16_MAX &&
	    !dvmi_sched_same(t->cpu, e->dst, node))
		hot = dvmi_sched_same(t->cpu, t->home_cpu, node);
	return !hot || failed > l->nice_tries;
}

/* What moving @t takes off the imbalance; 0: too much. */
static uint64_t share(const struct dvmi_sched *s, const struct env *e,
		      const struct dvmi_sched_task *t)
{
	uint32_t failed = s->domains[(size_t)e->dst * s->levels_count + e->level].failed;
	uint64_t x = 1;

	if (e->kind == LOAD)
		x = dvmi_sched_weight(t);
	else if (e->kind == UTIL) /* its share of the CPU it waits for */
		x = 1024 / dvmi_sched_running(&s->rqs[t->cpu]);
	if (e->kind != TASKS && x >> (failed < 31 ? failed : 31) > e->imbalance)
		return 0;
	return x;
}

/* detach_tasks(), attach_tasks(): from the one that was picked longest ago on. */
static uint32_t move_tasks(struct dvmi_sched *s, struct env *e, uint32_t src)
{
	struct dvmi_sched_rq *rq = &s->rqs[src];
	uint32_t left = rq->nr_fair < s->rules.nr_migrate ? rq->nr_fair : s->rules.nr_migrate;
	uint32_t task = rq->newest ? s->tasks[rq->newest].newer : 0, moved = 0;

	e->all_pinned = dvmi_sched_running(rq) > 1;
	while (left-- && dvmi_sched_running(rq) > 1 && s->moves_count < DVMI_SCHED_MOVES_MAX) {
		uint32_t newer = s->tasks[task].newer;
		uint64_t x = can_move(s, e, task) ? share(s, e, &s->tasks[task]) : 0;

		if (x) {
			dvmi_sched_move(s, task, e->dst, e->reason, e->now_ns);
			e->imbalance -= x < e->imbalance ? x : e->imbalance;
			moved++;
			/* The CPU that is about to idle is not to be kept waiting. */
			if (e->idle == DVMI_SCHED_NEWLY_IDLE || !e->imbalance)
				break;
		}
		task = newer;
	}
	return moved;
}

/* need_active_balance(): push the task that runs. */
static bool push_running(struct dvmi_sched *s, struct env *e, uint32_t src,
			 const struct dvmi_sched_domain *d)
{
	struct dvmi_sched_rq *rq = &s->rqs[src];
	const struct dvmi_sched_task *t = &s->tasks[rq->current];

	if (e->idle == DVMI_SCHED_NEWLY_IDLE || e->kind != TASKS ||
	    d->failed <= s->levels[e->level].nice_tries + 2)
		return false;
	if (!rq->current || rq->push_task || t->policy != DVMI_SCHED_FAIR || t->migrate_disabled ||
	    !dvmi_sched_may_run(s, t, e->dst))
		return false;
	e->push = dvmi_sched_push(s, src, e->dst, DVMI_SCHED_ACTIVE);
	return true;
}

/* should_we_balance(): one CPU of each group does it, an idle one if there is any. */
static bool is_our_turn(const struct dvmi_sched *s, const struct env *e)
{
	uint32_t first, end, c;

	if (e->idle == DVMI_SCHED_NEWLY_IDLE)
		return true;
	dvmi_sched_span(s, e->dst, s->levels[e->level].child, &first, &end);
	c = dvmi_sched_next(s->idle, first, end);
	for (uint32_t i = first; c == DVMI_SCHED_NONE && i < end; i++)
		c = s->rqs[i].online ? i : c;
	return c == e->dst;
}

static void interval_grows(const struct dvmi_sched *s, struct env *e, struct dvmi_sched_domain *d)
{
	uint64_t most = 2 * s->rules.min_interval_ns * s->levels[e->level].span;

	if (e->idle != DVMI_SCHED_NEWLY_IDLE && d->interval_ns < most)
		d->interval_ns *= 2;
}

/* sched_balance_rq(): how many tasks came. */
static uint32_t balance(struct dvmi_sched *s, struct env *e)
{
	struct dvmi_sched_domain *d = dvmi_sched_domain(s, e->dst, e->level);
	uint64_t least = s->rules.min_interval_ns * s->levels[e->level].span;
	uint32_t tried[TRIED_MAX], moved = 0, src = DVMI_SCHED_NONE;
	unsigned n = 0;

	if (!is_our_turn(s, e))
		return 0;
	if (!find_imbalance(s, e)) {
		d->failed = 0;
		interval_grows(s, e, d);
		return 0;
	}
	/* A queue of which nothing may run here is left out, and the next one tried. */
	e->all_pinned = true;
	while (!moved && e->all_pinned && n < TRIED_MAX) {
		src = find_busiest_queue(s, e, tried, n);
		if (src == DVMI_SCHED_NONE)
			break;
		tried[n++] = src;
		moved = move_tasks(s, e, src);
	}
	if (moved) {
		d->failed = 0;
		d->interval_ns = least;
		return moved;
	}
	if (e->idle == DVMI_SCHED_NEWLY_IDLE || !n)
		return 0;
	d->failed++;
	if (push_running(s, e, tried[0], d)) {
		d->failed = s->levels[e->level].nice_tries + 1;
		d->interval_ns = least;
	}
	return 0;
}

/* ---- newly idle ---- */

/* One per cent a second, roughly: 253 / 256 of it is left. */
static void newidle_decay(struct dvmi_sched_domain *d, uint64_t now_ns)
{
	if (now_ns < d->decayed_ns + UINT64_C(1000000000))
		return;
	d->newidle_ns = d->newidle_ns * 253 / 256;
	d->decayed_ns = now_ns;
}

uint32_t dvmi_sched_newidle(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns, uint32_t *scanned)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t cost_ns = 0;
	uint32_t pulled = 0;

	/* rd->overloaded: nobody has anything to give. */
	if (!s->overloaded_count)
		return 0;
	for (uint32_t l = 0; l < s->levels_count && !pulled; l++) {
		struct dvmi_sched_domain *d = dvmi_sched_domain(s, cpu, l);
		struct env e = { .level = l, .dst = cpu, .idle = DVMI_SCHED_NEWLY_IDLE,
				 .reason = DVMI_SCHED_NEWIDLE, .now_ns = now_ns };
		uint64_t ns;

		newidle_decay(d, now_ns);
		/* Not worth it, if the CPU usually idles for less than the search takes. */
		if (rq->avg_idle_ns < cost_ns + d->newidle_ns)
			break;
		pulled = balance(s, &e);
		ns = e.scanned * s->rules.balance_cpu_ns;
		cost_ns += ns;
		*scanned += e.scanned;
		if (ns > d->newidle_ns)
			d->newidle_ns = ns;
	}
	return pulled;
}

/* ---- periodic ---- */

/* update_idle_cpu_scan(): SIS_UTIL; the more of a cache is used, the fewer CPUs a wake-up looks at. */
static void idle_scan(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	uint64_t sum = 0, x, y, pct = s->rules.imbalance_pct;
	uint32_t first, end;

	dvmi_sched_span(s, cpu, s->llc, &first, &end);
	for (uint32_t c = first; c < end; c++)
		sum += dvmi_sched_util_avg(s, c, now_ns);
	x = sum / (end - first);
	y = x * x * pct * pct / (10000 * 1024);
	y = 1024 - (y < 1024 ? y : 1024);
	s->idle_scan[cpu / s->llc] = (uint32_t)(y * (end - first) / 1024);
}

/* sched_balance_domains(): each level whose time has come. */
static uint32_t balance_domains(struct dvmi_sched *s, uint32_t cpu, enum dvmi_sched_idle idle,
				enum dvmi_sched_reason reason, uint64_t now_ns, uint32_t *scanned,
				struct dvmi_sched_note *push)
{
	uint64_t next = UINT64_MAX;
	uint32_t pulled = 0;

	for (uint32_t l = 0; l < s->levels_count; l++) {
		struct dvmi_sched_domain *d = dvmi_sched_domain(s, cpu, l);
		struct env e = { .level = l, .dst = cpu, .idle = pulled ? DVMI_SCHED_BUSY : idle,
				 .reason = reason, .now_ns = now_ns,
				 .push = { .cpu = DVMI_SCHED_NONE } };

		newidle_decay(d, now_ns);
		if (now_ns >= d->next_ns) {
			if (s->levels[l].span == s->llc)
				idle_scan(s, cpu, now_ns);
			pulled += balance(s, &e);
			*scanned += e.scanned;
			if (e.push.cpu != DVMI_SCHED_NONE)
				*push = e.push;
			d->next_ns = now_ns + d->interval_ns *
					(e.idle == DVMI_SCHED_BUSY ? s->rules.busy_factor : 1);
		}
		if (d->next_ns < next)
			next = d->next_ns;
	}
	s->rqs[cpu].next_balance_ns = next;
	return pulled;
}

void dvmi_sched_domains_init(struct dvmi_sched *s)
{
	for (uint32_t cpu = 0; cpu < s->rules.cpus; cpu++) {
		for (uint32_t l = 0; l < s->levels_count; l++) {
			struct dvmi_sched_domain *d = dvmi_sched_domain(s, cpu, l);

			d->interval_ns = s->rules.min_interval_ns * s->levels[l].span;
			d->next_ns = d->interval_ns;
		}
		s->rqs[cpu].next_balance_ns =
			s->levels_count ? dvmi_sched_domain(s, cpu, 0)->next_ns : UINT64_MAX;
	}
}

/* nohz_balancer_kick(): an idle CPU is to balance for all that are idle. */
static uint32_t kick(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns)
{
	uint32_t first, end, busy = 0;

	if (!s->idle_count || now_ns < s->nohz_next_ns)
		return DVMI_SCHED_NONE;
	dvmi_sched_span(s, cpu, s->llc, &first, &end);
	for (uint32_t c = first; c < end && busy < 2; c++)
		busy += s->rqs[c].online && !dvmi_sched_is_idle(s, c);
	/* More than one task here, or, between caches, more than one busy CPU in this one. */
	if (dvmi_sched_running(&s->rqs[cpu]) < 2 && (busy < 2 || s->llc >= s->rules.cpus))
		return DVMI_SCHED_NONE;
	s->nohz_next_ns = now_ns + s->rules.tick_ns;
	return dvmi_sched_next(s->idle, 0, s->rules.cpus);
}

/* task_numa_migrate(), with the node on which a task first ran for the node of its memory. */
static void numa(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns, struct dvmi_sched_note *push)
{
	struct dvmi_sched_task *t = &s->tasks[s->rqs[cpu].current];
	uint32_t node = s->rules.span[DVMI_SCHED_NODE], first, end, c;

	if (!s->rules.numa_balancing || node >= s->rules.cpus || t->policy != DVMI_SCHED_FAIR ||
	    now_ns < t->numa_ns)
		return;
	t->numa_ns = now_ns + s->rules.numa_scan_ns;
	if (dvmi_sched_same(t->home_cpu, cpu, node) || t->migrate_disabled || s->rqs[cpu].push_task)
		return;
	dvmi_sched_span(s, t->home_cpu, node, &first, &end);
	for (c = dvmi_sched_next(s->idle, first, end); c != DVMI_SCHED_NONE;
	     c = dvmi_sched_next(s->idle, c + 1, end)) {
		if (dvmi_sched_may_run(s, t, c)) {
			*push = dvmi_sched_push(s, cpu, c, DVMI_SCHED_NUMA);
			return;
		}
	}
}

struct dvmi_sched_ticked dvmi_sched_tick(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps)
{
	struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t now_ns = now_ps / 1000;
	struct dvmi_sched_ticked r = { .push = { .cpu = DVMI_SCHED_NONE }, .kick = DVMI_SCHED_NONE };

	s->moves_count = 0;
	if (!rq->current)
		return r;
	/* sched_tick(): what was put off in the lazy model is due now. */
	if (rq->need == DVMI_SCHED_NEED_LAZY)
		rq->need = DVMI_SCHED_NEED_NOW;
	if ((dvmi_sched_update_curr(s, rq, now_ns) || dvmi_sched_protection_over(s, rq)) &&
	    rq->nr_fair > 1)
		dvmi_sched_resched(s, cpu, true);
	numa(s, cpu, now_ns, &r.push);
	if (now_ns >= rq->next_balance_ns && rq->online) {
		r.pulled = balance_domains(s, cpu, DVMI_SCHED_BUSY, DVMI_SCHED_PERIODIC, now_ns,
					   &r.scanned, &r.push);
		for (uint32_t i = 0; i < s->moves_count; i++)
			dvmi_sched_preempts(s, cpu, s->moves[i].task, now_ns);
	}
	r.kick = kick(s, cpu, now_ns);
	r.need = (enum dvmi_sched_need)rq->need;
	return r;
}

uint64_t dvmi_sched_next_tick_ps(const struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps)
{
	const struct dvmi_sched_rq *rq = &s->rqs[cpu];
	uint64_t now_ns = (now_ps + 999) / 1000, at_ns = rq->next_balance_ns, tick = s->rules.tick_ns;

	if (!rq->current)
		return UINT64_MAX;
	/* Every tick counts while others wait, or a reschedule is put off, or idle CPUs may pull. */
	if (rq->nr_fair + rq->nr_rt > 1 || rq->need != DVMI_SCHED_NEED_NONE ||
	    (s->idle_count && s->llc < s->rules.cpus))
		at_ns = now_ns;
	if (s->rules.numa_balancing && s->rules.span[DVMI_SCHED_NODE] < s->rules.cpus &&
	    s->tasks[rq->current].numa_ns < at_ns)
		at_ns = s->tasks[rq->current].numa_ns;
	if (at_ns < now_ns)
		at_ns = now_ns;
	if (at_ns > UINT64_MAX / 1000 - tick)
		return UINT64_MAX;
	return (at_ns + tick - 1) / tick * tick * 1000;
}

struct dvmi_sched_ticked dvmi_sched_nohz(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ps)
{
	uint64_t now_ns = now_ps / 1000, next = UINT64_MAX;
	struct dvmi_sched_ticked r = { .push = { .cpu = DVMI_SCHED_NONE }, .kick = DVMI_SCHED_NONE };

	s->moves_count = 0;
	/* All others first; the one that was interrupted last (_nohz_idle_balance()). */
	for (uint32_t n = 0; n < s->rules.cpus; n++) {
		uint32_t c = (cpu + 1 + n) % s->rules.cpus;

		if (!dvmi_sched_is_idle(s, c))
			continue;
		if (now_ns >= s->rqs[c].next_balance_ns)
			r.pulled += balance_domains(s, c, DVMI_SCHED_IDLE, DVMI_SCHED_NOHZ, now_ns,
						    &r.scanned, &r.push);
		if (s->rqs[c].next_balance_ns < next)
			next = s->rqs[c].next_balance_ns;
	}
	if (next != UINT64_MAX && next > s->nohz_next_ns)
		s->nohz_next_ns = next;
	for (uint32_t i = 0; i < s->moves_count; i++)
		dvmi_sched_preempts(s, s->moves[i].to, s->moves[i].task, now_ns);
	r.need = (enum dvmi_sched_need)s->rqs[cpu].need;
	return r;
}

/* ---- real-time ---- */

uint32_t dvmi_sched_rt_pull(struct dvmi_sched *s, uint32_t cpu, uint64_t now_ns, uint32_t *scanned)
{
	uint32_t best = 0;

	for (uint32_t c = dvmi_sched_next(s->rt_overloaded, 0, s->rules.cpus); c != DVMI_SCHED_NONE;
	     c = dvmi_sched_next(s->rt_overloaded, c + 1, s->rules.cpus)) {
		uint32_t task = dvmi_sched_tree_first(s, s->rqs[c].rt);
		const struct dvmi_sched_task *t = &s->tasks[task];

		++*scanned;
		if (c == cpu || !task || t->on_cpu || t->migrate_disabled ||
		    !dvmi_sched_may_run(s, t, cpu))
			continue;
		if (!best || t->priority > s->tasks[best].priority)
			best = task;
	}
	if (!best)
		return 0;
	dvmi_sched_move(s, best, cpu, DVMI_SCHED_RT_PULL, now_ns);
	return 1;
}
