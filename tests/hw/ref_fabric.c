/* SPDX-License-Identifier: MIT */
#include "ref_fabric.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 256
#define MAX_SOCKETS 16
#define LIST 4096

/* Order of the events of one instant; what CPUs do comes last. */
enum kind { RESPONSE, SNOOP, STEP, ARRIVE, COMP, ACT };

struct op {
	uint64_t tag;
	uint32_t cpu;
	bool sync;
	bool directed;		  /* to these domains only */
	bool domain[MAX_CPUS];
	int answers[MAX_SOCKETS]; /* responses still missing at each node */
	int nodes;		  /* nodes that have not answered as a whole */
	uint64_t arrive_ps[MAX_SOCKETS];
};

struct event {
	struct event *next;
	uint64_t time_ps, order;
	enum kind kind;
	uint32_t where; /* node, target or CPU */
	struct op *op;
};

struct list {
	struct op *op[LIST];
	int head, tail;
};

struct target {
	uint64_t busy_ps;
	struct op *sync; /* the one outstanding */
};

struct node {
	struct list ready, retry;
	struct op *now; /* being distributed */
	uint64_t begin_ps, wait_ps;
	bool forwarded;
	bool waiting, waited; /* for the Sync slot of todo[next] */
	uint32_t todo[MAX_CPUS];
	int next, count, parts;
	uint64_t entries;
};

enum wait { RUNS, FOR_ROOM, FOR_OPS, FOR_SYNC };

struct cpu {
	bool idle;
	enum wait wait;
	uint32_t outstanding, pending;
	bool pending_all, pending_domain[MAX_CPUS];
	uint64_t lost_ps;
};

struct ref {
	struct dvmi_hw hw;
	struct dvmi_topology topo;
	struct event *events;
	struct node node[MAX_SOCKETS];
	struct target target[MAX_CPUS];
	struct cpu cpu[MAX_CPUS];
	uint32_t unit_cpus;
	uint64_t seq;
	struct dvmi_fabric_stats stats;
	ref_deliver_fn deliver;
	void *arg;
	struct op **ops; /* all, for freeing */
	size_t op_count, op_capacity;
	struct dvmi_evq *q; /* takes the events, when there is one */
};

static void post(struct ref *r, uint64_t time_ps, enum kind kind, uint32_t cpu, uint32_t where,
		 struct op *op)
{
	struct event *ev = malloc(sizeof(*ev)), **at = &r->events;

	if (r->q) {
		/* Also in the list, so that what is left over when a run ends is freed. */
		*ev = (struct event){r->events, time_ps, 0, kind, where, op};
		r->events = ev;
		if (dvmi_evq_post(r->q, time_ps, ((uint32_t)kind + 1) << 16 | cpu,
				  DVMI_EV_FABRIC_ARRIVE, 0, (uint64_t)(uintptr_t)ev))
			abort();
		return;
	}

	/* By kind, then by the CPU that asked, then as posted. */
	*ev = (struct event){NULL, time_ps, (uint64_t)kind << 56 | (uint64_t)cpu << 40 | r->seq++,
			     kind, where,   op};
	while (*at && ((*at)->time_ps < time_ps ||
		       ((*at)->time_ps == time_ps && (*at)->order < ev->order)))
		at = &(*at)->next;
	ev->next = *at;
	*at = ev;
}

static void push(struct list *l, struct op *op)
{
	l->op[l->tail++ % LIST] = op;
}

static struct op *pop(struct list *l)
{
	return l->head == l->tail ? NULL : l->op[l->head++ % LIST];
}

static uint32_t home_of(const struct ref *r, const struct op *op)
{
	return dvmi_cpu_socket(&r->topo, op->cpu);
}

/* Crossing to another die of the socket; the node is on the first. */
static uint64_t hop(const struct ref *r, uint32_t cpu)
{
	uint32_t first = cpu - cpu % r->topo.socket_cpus;

	return dvmi_distance(&r->topo, cpu, first) == DVMI_SAME_SOCKET ? r->hw.dvm_die_link_ps : 0;
}

static bool cluster_idle(const struct ref *r, uint32_t cpu)
{
	uint32_t first = cpu - cpu % r->topo.cluster_cpus;

	for (uint32_t c = first; c < first + r->topo.cluster_cpus; c++)
		if (!r->cpu[c].idle)
			return false;
	return true;
}

/* CPUs of one domain: as many as there are numbers for, 0 being everybody. */
static uint32_t domain_unit(const struct ref *r)
{
	return r->hw.tlbid_unit == DVMI_TLBID_CORE      ? r->topo.core_cpus
	       : r->hw.tlbid_unit == DVMI_TLBID_CLUSTER ? r->topo.cluster_cpus
	       : r->hw.tlbid_unit == DVMI_TLBID_DIE     ? r->topo.die_cpus
							: r->topo.socket_cpus;
}

uint32_t ref_domains(const struct ref *r)
{
	uint32_t units = r->topo.cpus / domain_unit(r), numbers = (1u << r->hw.tlbid_nis) - 1;

	return units < numbers ? units : numbers;
}

uint32_t ref_domain_of(const struct ref *r, uint32_t cpu)
{
	return cpu / domain_unit(r) * ref_domains(r) / (r->topo.cpus / domain_unit(r));
}

static bool in_domain(const struct ref *r, const struct op *op, uint32_t cpu)
{
	return !op->directed || op->domain[ref_domain_of(r, cpu)];
}

static bool unit_asked(const struct ref *r, const struct op *op, uint32_t unit)
{
	for (uint32_t c = 0; c < r->unit_cpus; c++)
		if (in_domain(r, op, unit * r->unit_cpus + c))
			return true;
	return false;
}

static bool socket_asked(const struct ref *r, const struct op *op, uint32_t socket)
{
	for (uint32_t c = 0; c < r->topo.socket_cpus; c++)
		if (in_domain(r, op, socket * r->topo.socket_cpus + c))
			return true;
	return false;
}

static void deliver(struct ref *r, struct op *op, uint32_t unit, uint64_t time_ps)
{
	if (!op->sync)
		for (uint32_t c = unit * r->unit_cpus; c < (unit + 1) * r->unit_cpus; c++)
			if (in_domain(r, op, c))
				r->deliver(r->arg, op->tag, c, time_ps);
}

static void note_wait(struct ref *r, uint64_t wait_ps)
{
	int bucket = 0;

	if (wait_ps)
		bucket = 1;
	for (uint64_t limit = 2000; bucket && wait_ps >= limit && bucket < DVMI_FABRIC_HIST - 1;
	     limit *= 2)
		bucket++;
	r->stats.queue_wait_hist[bucket]++;
	r->stats.queue_wait_ps += wait_ps;
	if (r->stats.queue_wait_max_ps < wait_ps)
		r->stats.queue_wait_max_ps = wait_ps;
}

static void node_answered(struct ref *r, struct op *op, uint64_t now_ps);
static void begin(struct ref *r, uint32_t n, uint64_t now_ps);

/* All targets of node @n have answered. */
static void socket_answered(struct ref *r, uint32_t n, struct op *op, uint64_t now_ps)
{
	if (n == home_of(r, op))
		node_answered(r, op, now_ps);
	else /* the aggregated response: "where" beyond the targets */
		post(r, now_ps + r->hw.dvm_socket_link_ps, RESPONSE, op->cpu, MAX_CPUS, op);
}

static void accept(struct ref *r, uint32_t n, struct op *op, uint64_t now_ps)
{
	if (n == home_of(r, op)) {
		r->node[n].entries++;
		if (r->hw.dvm_early_comp && !op->sync)
			post(r, now_ps + r->hw.dvm_comp_ps + hop(r, op->cpu), COMP, op->cpu,
			     op->cpu, op);
	}
	push(&r->node[n].ready, op);
	begin(r, n, now_ps);
}

/* A node, or a socket's aggregated response: the last one completes the request. */
static void node_answered(struct ref *r, struct op *op, uint64_t now_ps)
{
	uint32_t home = home_of(r, op);
	struct op *next;

	if (--op->nodes)
		return;
	if (op->sync || !r->hw.dvm_early_comp)
		post(r, now_ps + r->hw.dvm_comp_ps + hop(r, op->cpu), COMP, op->cpu, op->cpu, op);
	r->node[home].entries--;
	next = pop(&r->node[home].retry);
	if (next)
		accept(r, home, next, now_ps);
}

/* The node takes its next request, when it is free. */
static void begin(struct ref *r, uint32_t n, uint64_t now_ps)
{
	struct node *node = &r->node[n];
	uint32_t units = r->topo.socket_cpus / r->unit_cpus;
	uint64_t lost;
	struct op *op;

	if (node->now || !(op = pop(&node->ready)))
		return;
	node->now = op;
	node->begin_ps = now_ps;
	node->next = node->count = node->parts = 0;
	node->waited = node->forwarded = false;
	note_wait(r, now_ps - op->arrive_ps[n]);
	for (uint32_t u = n * units; u < (n + 1) * units; u++) {
		bool spared = r->hw.dvm_filter == DVMI_FILTER_IDLE_CLUSTER &&
			      cluster_idle(r, u * r->unit_cpus);

		if (!unit_asked(r, op, u))
			continue;
		if (n == home_of(r, op) && u == op->cpu / r->unit_cpus) {
			deliver(r, op, u, now_ps + r->hw.dvm_node_op_ps);
		} else if (spared) {
			r->stats.spared++;
			deliver(r, op, u, now_ps + r->hw.dvm_node_op_ps);
		} else {
			node->todo[node->count++] = u;
		}
	}
	op->answers[n] = node->count;
	lost = op->sync ? r->hw.dvm_bystander_sync_ps : r->hw.dvm_bystander_op_ps;
	for (uint32_t c = n * r->topo.socket_cpus; c < (n + 1) * r->topo.socket_cpus; c++)
		if (!r->cpu[c].idle && r->cpu[c].wait == RUNS && unit_asked(r, op, c / r->unit_cpus) &&
		    dvmi_distance(&r->topo, c, op->cpu) != DVMI_SAME_CORE)
			r->cpu[c].lost_ps += lost;
	post(r, now_ps + (op->sync ? r->hw.dvm_node_sync_ps : r->hw.dvm_node_op_ps), STEP, op->cpu,
	     n, op);
}

/* The distributor has time: forward once, then a part at a time, two per target. */
static void step(struct ref *r, uint32_t n, struct op *op, uint64_t now_ps)
{
	struct node *node = &r->node[n];
	uint64_t part = r->hw.dvm_snoop_part_ps;

	if (!node->forwarded && n == home_of(r, op)) {
		node->forwarded = true;
		for (uint32_t other = 0; other < r->topo.sockets; other++) {
			if (other == n || !socket_asked(r, op, other))
				continue;
			r->stats.forwards++;
			post(r, now_ps + r->hw.dvm_socket_link_ps, ARRIVE, op->cpu, other, op);
		}
	}
	if (node->parts == 2) {
		uint32_t u = node->todo[node->next];

		/* The target has one Sync at a time: this one's second part waits for its answer.
		 */
		if (op->sync && r->target[u].sync) {
			if (!node->waited)
				node->wait_ps = 0;
			node->waited = node->waiting = true;
			node->wait_ps -= now_ps; /* the answer adds its time */
			return;
		}
		if (op->sync)
			r->target[u].sync = op;
		/* Snoops of one instant keep the order in which the node sent them. */
		post(r, now_ps + r->hw.dvm_snoop_ps + hop(r, u * r->unit_cpus), SNOOP, 0, u, op);
		r->stats.snoops++;
		node->parts = 0;
		node->next++;
	}
	if (node->next == node->count) {
		uint64_t held = node->begin_ps + r->hw.dvm_snoop_ps + r->hw.dvm_target_sync_ps +
				r->hw.dvm_response_ps;

		/* Nothing passes a Sync before a target can have answered it. */
		if (op->sync && node->count && now_ps < held) {
			post(r, held, STEP, op->cpu, n, op);
			return;
		}
		r->stats.node_busy_ps += now_ps - node->begin_ps;
		r->stats.sync_waits += node->waited && node->wait_ps;
		node->now = NULL;
		if (!node->count)
			socket_answered(r, n, op, now_ps);
		begin(r, n, now_ps);
		return;
	}
	node->parts++;
	post(r, now_ps + part, STEP, op->cpu, n, op);
}

static void snoop(struct ref *r, uint32_t u, struct op *op, uint64_t now_ps)
{
	struct target *t = &r->target[u];
	uint64_t done = now_ps > t->busy_ps ? now_ps : t->busy_ps;

	deliver(r, op, u, now_ps);
	if (op->sync)
		done += r->hw.dvm_target_sync_ps;
	else
		t->busy_ps = done += r->hw.dvm_target_op_ps;
	post(r, done + r->hw.dvm_response_ps + hop(r, u * r->unit_cpus), RESPONSE, op->cpu, u, op);
}

static void response(struct ref *r, uint32_t u, struct op *op, uint64_t now_ps)
{
	uint32_t n;

	if (u == MAX_CPUS) {
		node_answered(r, op, now_ps);
		return;
	}
	n = dvmi_cpu_socket(&r->topo, u * r->unit_cpus);
	if (op->sync) {
		struct node *node = &r->node[n];

		r->target[u].sync = NULL;
		if (node->waiting && node->todo[node->next] == u) {
			node->waiting = false;
			node->wait_ps += now_ps;
			post(r, now_ps, STEP, node->now->cpu, n, node->now);
		}
	}
	if (!--op->answers[n])
		socket_answered(r, n, op, now_ps);
}

static void arrive(struct ref *r, uint32_t n, struct op *op, uint64_t now_ps)
{
	op->arrive_ps[n] = now_ps;
	if (n == home_of(r, op) && r->node[n].entries == r->hw.dvm_node_entries) {
		r->stats.retries++;
		push(&r->node[n].retry, op);
	} else {
		accept(r, n, op, now_ps);
	}
}

static void request(struct ref *r, uint32_t cpu, uint64_t now_ps, uint64_t tag, uint32_t domain,
		    bool sync)
{
	struct op *op = calloc(1, sizeof(*op));
	struct cpu *c = &r->cpu[cpu];

	op->tag = tag;
	op->cpu = cpu;
	op->sync = sync;
	if (sync && r->hw.tlbid_sync == DVMI_TLBID_SYNC_DOMAINS && c->pending && !c->pending_all) {
		op->directed = true;
		memcpy(op->domain, c->pending_domain, sizeof(op->domain));
	} else if (!sync && domain != DVMI_NO_DOMAIN) {
		op->directed = op->domain[domain] = true;
	}
	for (uint32_t n = 0; n < r->topo.sockets; n++)
		op->nodes += n == dvmi_cpu_socket(&r->topo, cpu) || socket_asked(r, op, n);
	if (r->op_count == r->op_capacity) {
		r->op_capacity = 2 * r->op_capacity + 64;
		r->ops = realloc(r->ops, r->op_capacity * sizeof(struct op *));
	}
	r->ops[r->op_count++] = op;
	if (sync)
		r->stats.syncs++;
	post(r, now_ps + r->hw.dvm_request_ps + hop(r, cpu), ARRIVE, cpu, home_of(r, op), op);
}

static void comp(struct ref *r, struct op *op, uint64_t now_ps)
{
	struct cpu *c = &r->cpu[op->cpu];

	if (op->sync) {
		c->pending = 0;
		c->pending_all = false;
		memset(c->pending_domain, 0, sizeof(c->pending_domain));
	} else {
		c->outstanding--;
		if (c->wait == FOR_OPS && !c->outstanding) {
			c->wait = FOR_SYNC;
			request(r, op->cpu, now_ps, 0, DVMI_NO_DOMAIN, true);
		}
		if (c->wait != FOR_ROOM)
			return;
	}
	c->wait = RUNS;
	ref_cpu_at(r, op->cpu, now_ps);
}

static void handle(struct ref *r, const struct event *ev)
{
	switch (ev->kind) {
	case RESPONSE:
		response(r, ev->where, ev->op, ev->time_ps);
		break;
	case SNOOP:
		snoop(r, ev->where, ev->op, ev->time_ps);
		break;
	case STEP:
		step(r, ev->where, ev->op, ev->time_ps);
		break;
	case ARRIVE:
		arrive(r, ev->where, ev->op, ev->time_ps);
		break;
	default:
		comp(r, ev->op, ev->time_ps);
		break;
	}
}

bool ref_next(struct ref *r, uint32_t *cpu, uint64_t *now_ps)
{
	while (r->events) {
		struct event ev = *r->events;

		free(r->events);
		r->events = ev.next;
		if (ev.kind == ACT) {
			*cpu = ev.where;
			*now_ps = ev.time_ps;
			return true;
		}
		handle(r, &ev);
	}
	return false;
}

void ref_use_queue(struct ref *r, struct dvmi_evq *q)
{
	r->q = q;
}

void ref_message(struct ref *r, const struct dvmi_event *message)
{
	struct event *ev = (struct event *)(uintptr_t)message->data, copy = *ev;
	struct event **at = &r->events;

	while (*at != ev)
		at = &(*at)->next;
	*at = ev->next;
	free(ev);
	handle(r, &copy);
}

bool ref_pending(const struct ref *r, uint32_t cpu)
{
	return r->cpu[cpu].pending;
}

const struct dvmi_topology *ref_topology(const struct ref *r)
{
	return &r->topo;
}

void ref_cpu_at(struct ref *r, uint32_t cpu, uint64_t time_ps)
{
	if (r->q) {
		dvmi_evq_cpu_set(r->q, cpu, time_ps);
		return;
	}
	post(r, time_ps, ACT, cpu, cpu, NULL);
}

int ref_tlbi(struct ref *r, uint32_t cpu, uint64_t now_ps, uint64_t tag, uint64_t *free_ps)
{
	return ref_tlbi_in(r, cpu, now_ps, tag, DVMI_NO_DOMAIN, free_ps);
}

int ref_tlbi_in(struct ref *r, uint32_t cpu, uint64_t now_ps, uint64_t tag, uint32_t domain,
		uint64_t *free_ps)
{
	struct cpu *c = &r->cpu[cpu];

	if (c->outstanding == r->hw.tlbi_post_depth) {
		r->stats.issue_blocks++;
		c->wait = FOR_ROOM;
		return DVMI_FABRIC_BLOCKED;
	}
	c->outstanding++;
	c->pending++;
	r->stats.ops++;
	*free_ps = now_ps + r->hw.tlbi_issue_broadcast_ps;
	if (domain == DVMI_NO_DOMAIN)
		c->pending_all = true;
	else
		c->pending_domain[domain] = true;
	request(r, cpu, *free_ps, tag, domain, false);
	return DVMI_FABRIC_DONE;
}

int ref_sync(struct ref *r, uint32_t cpu, uint64_t now_ps)
{
	struct cpu *c = &r->cpu[cpu];

	if (!c->pending && !r->hw.dvm_idle_sync)
		return DVMI_FABRIC_DONE;
	c->wait = c->outstanding && !r->hw.dvm_early_comp ? FOR_OPS : FOR_SYNC;
	if (c->wait == FOR_SYNC)
		request(r, cpu, now_ps, 0, DVMI_NO_DOMAIN, true);
	return DVMI_FABRIC_BLOCKED;
}

void ref_set_idle(struct ref *r, uint32_t cpu, bool idle)
{
	r->cpu[cpu].idle = idle;
}

uint64_t ref_lost_ps(const struct ref *r, uint32_t cpu)
{
	return r->cpu[cpu].lost_ps;
}

const struct dvmi_fabric_stats *ref_stats(const struct ref *r)
{
	return &r->stats;
}

struct ref *ref_new(const struct dvmi_hw *hw, ref_deliver_fn deliver_fn, void *arg)
{
	struct ref *r = calloc(1, sizeof(*r));

	r->hw = *hw;
	r->deliver = deliver_fn;
	r->arg = arg;
	if (dvmi_topology_init(&r->topo, hw) || r->topo.cpus > MAX_CPUS)
		abort();
	r->unit_cpus =
		hw->dvm_snoop_unit == DVMI_SNOOP_CLUSTER ? r->topo.cluster_cpus : r->topo.core_cpus;
	for (uint32_t c = 0; c < r->topo.cpus; c++)
		r->cpu[c].idle = true;
	return r;
}

void ref_free(struct ref *r)
{
	for (size_t i = 0; i < r->op_count; i++)
		free(r->ops[i]);
	free(r->ops);
	while (r->events) {
		struct event *ev = r->events;

		r->events = ev->next;
		free(ev);
	}
	free(r);
}
