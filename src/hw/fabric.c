/* SPDX-License-Identifier: MIT */
#include "hw/fabric_impl.h"

#include "base/mem.h"

#include <dvmsim/error.h>
#include <string.h>

#define NONE UINT32_MAX

/*
 * Messages of one instant: those of others, with priority 0, first; then entries are freed before
 * they are asked for, and a node that is free begins before anything else arrives.
 */
enum { PRIO_DONE = 1, PRIO_START, PRIO_ARRIVE, PRIO_COMP };

/* ---- requests ---- */

static int op_new(struct dvmi_fabric *f, uint32_t cpu, uint64_t tag, bool sync, uint32_t *index)
{
	uint32_t i = f->op_free, n = f->topo.sockets;

	if (i == NONE) {
		i = f->op_count;
		if (dvmi_grow((void **)&f->ops, &f->op_capacity, i + 1, sizeof(*f->ops)) ||
		    dvmi_grow((void **)&f->place, &f->place_capacity, ((size_t)i + 1) * n,
			      sizeof(*f->place)) ||
		    (f->set_words && dvmi_grow((void **)&f->sets, &f->set_capacity,
					       ((size_t)i + 1) * f->set_words, sizeof(*f->sets))))
			return -DVM_ENOMEM;
		f->op_count++;
	} else {
		f->op_free = f->ops[i].cpu;
	}
	f->ops[i] = (struct op){.tag = tag, .members = f->cpus[cpu].members, .cpu = cpu,
				.parts_left = (uint16_t)n, .domain = DVMI_NO_DOMAIN,
				.sync = sync, .refs = 2};
	*index = i;
	return 0;
}

static void op_put(struct dvmi_fabric *f, uint32_t i)
{
	if (--f->ops[i].refs)
		return;
	f->ops[i].cpu = f->op_free;
	f->op_free = i;
}

static void fifo_push(struct dvmi_fabric *f, struct fifo *fifo, uint32_t node, uint32_t i)
{
	uint32_t n = f->topo.sockets;

	f->place[(size_t)i * n + node].next = NONE;
	if (fifo->head == NONE)
		fifo->head = i;
	else
		f->place[(size_t)fifo->tail * n + node].next = i;
	fifo->tail = i;
}

static uint32_t fifo_pop(struct dvmi_fabric *f, struct fifo *fifo, uint32_t node)
{
	uint32_t i = fifo->head;

	if (i != NONE)
		fifo->head = f->place[(size_t)i * f->topo.sockets + node].next;
	return i;
}

static int post(struct dvmi_fabric *f, uint64_t time_ps, uint32_t prio, uint32_t kind, uint32_t cpu,
		uint32_t node, uint32_t op)
{
	/* Equal times: by kind of message, then by CPU, so that the order is a rule. */
	return dvmi_evq_post(f->q, time_ps, prio << 16 | cpu, kind, node, op);
}

/* The node is on the first die of its socket: @cpu's way to or from it. */
static uint64_t cpu_hop_ps(const struct dvmi_fabric *f, uint32_t cpu)
{
	uint32_t unit = cpu / f->unit_cpus;

	return f->nodes[unit / f->socket_units].targets.hop[unit % f->socket_units];
}

static int request(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		   uint32_t domain, bool sync)
{
	uint64_t t = now_ps + f->hw.dvm_request_ps + cpu_hop_ps(f, cpu);
	uint32_t op;
	int ret = op_new(f, cpu, tag, sync, &op);

	if (ret)
		return ret;
	fabric_direct(f, op, domain);
	ret = post(f, t, PRIO_ARRIVE, DVMI_EV_FABRIC_ARRIVE, cpu, dvmi_cpu_socket(&f->topo, cpu),
		   op);
	if (ret) {
		f->ops[op].refs = 1;
		op_put(f, op);
	}
	return ret;
}

/* ---- distribution ---- */

/* Of the units up to @unit that are snooped: the one told last, which is also farthest away. */
static uint32_t last_snooped(const struct dvmi_fabric *f, uint32_t node, uint32_t skip,
			     uint32_t unit)
{
	const struct dvmi_targets *t = &f->nodes[node].targets;

	while (unit && (unit == skip || t->spared[unit]))
		unit--;
	return unit;
}

static void tell(struct dvmi_fabric *f, uint32_t node, const struct op *op, uint64_t now_ps,
		 const struct dvmi_distribution *dist, uint32_t skip)
{
	uint64_t accepted = now_ps + f->hw.dvm_node_op_ps;
	uint32_t cpus = f->topo.socket_cpus;
	struct dvmi_delivery d = {
		.tag = op->tag,
		.start_ps = now_ps,
		.first_ps = accepted,
		.last_ps = accepted,
		.from = op->cpu,
		.first_cpu = node * cpus,
		.end_cpu = (node + 1) * cpus,
		.left = op->parts_left - 1u,
		.skip = skip,
	};

	fabric_reach(f, op, &d);
	d.first = (d.reach_first - d.first_cpu) / f->unit_cpus;
	if (dist->snooped)
		d.last_ps = dist->free_ps + f->hw.dvm_snoop_ps +
			    f->nodes[node].targets.hop[last_snooped(
				    f, node, skip, (d.reach_end - 1 - d.first_cpu) / f->unit_cpus)];
	if (f->deliver)
		f->deliver(f->arg, f, &d);
}

uint64_t dvmi_fabric_delivery_ps(const struct dvmi_fabric *f, const struct dvmi_delivery *d,
				 uint32_t cpu)
{
	uint64_t accepted = d->start_ps + f->hw.dvm_node_op_ps;
	uint32_t target = (cpu - d->first_cpu) / f->unit_cpus;
	const struct dvmi_targets *t = &f->nodes[d->first_cpu / f->topo.socket_cpus].targets;

	if (target == d->skip || t->spared[target])
		return accepted;
	return accepted + t->step * (dvmi_targets_rank(t, d->first, target, d->skip) + 1) +
	       t->snoop + t->hop[target];
}

static void note_wait(struct dvmi_fabric_stats *s, uint64_t wait_ps)
{
	uint64_t ns = wait_ps / 1000;
	unsigned bucket = wait_ps ? 1 : 0;

	for (; ns > 1 && bucket < DVMI_FABRIC_HIST - 1; ns >>= 1)
		bucket++;
	s->queue_wait_hist[bucket]++;
	s->queue_wait_ps += wait_ps;
	if (wait_ps > s->queue_wait_max_ps)
		s->queue_wait_max_ps = wait_ps;
}

/* Every socket has begun: all responses are known. */
static int answered(struct dvmi_fabric *f, uint32_t i)
{
	const struct op *op = &f->ops[i];
	uint32_t home = dvmi_cpu_socket(&f->topo, op->cpu);
	uint64_t comp = op->resp_ps + f->hw.dvm_comp_ps + cpu_hop_ps(f, op->cpu);
	int ret = post(f, op->resp_ps, PRIO_DONE, DVMI_EV_FABRIC_DONE, op->cpu, home, i);

	if (!ret && (op->sync || !f->hw.dvm_early_comp))
		ret = post(f, comp, PRIO_COMP, DVMI_EV_FABRIC_COMP, op->cpu, home, i);
	return ret;
}

static int forward(struct dvmi_fabric *f, uint32_t i, uint64_t now_ps, uint32_t home)
{
	uint64_t t = now_ps + f->hw.dvm_socket_link_ps;
	uint32_t cpu = f->ops[i].cpu;

	for (uint32_t n = 0; n < f->topo.sockets; n++) {
		int ret;

		if (n == home || !fabric_takes_part(f, i, n))
			continue;
		ret = post(f, t, PRIO_ARRIVE, DVMI_EV_FABRIC_ARRIVE, cpu, n, i);
		if (ret)
			return ret;
		f->stats.forwards++;
	}
	return 0;
}

/* To all units of the node, or to those in the request's set. Counts who is answered for. */
static struct dvmi_distribution send(struct dvmi_fabric *f, uint32_t n, uint32_t i, uint64_t begin,
				     uint32_t skip)
{
	struct dvmi_targets *t = &f->nodes[n].targets;
	const struct op *op = &f->ops[i];
	struct dvmi_distribution d;
	uint32_t spared;

	if (op->directed) {
		d = dvmi_targets_some(t, begin, skip, set_of(f, i, n), op->sync, &spared);
	} else {
		d = op->sync ? dvmi_targets_sync(t, begin, skip) : dvmi_targets_op(t, begin, skip);
		spared = t->spared_count - (skip != DVMI_TARGET_NONE && t->spared[skip]);
	}
	f->stats.snoops += d.snooped;
	f->stats.spared += spared;
	return d;
}

/* The node begins with request @i at @now_ps: everything about its targets is then known. */
static int distribute(struct dvmi_fabric *f, uint32_t n, uint32_t i, uint64_t now_ps)
{
	struct node *node = &f->nodes[n];
	struct dvmi_targets *t = &node->targets;
	struct op *op = &f->ops[i];
	bool sync = op->sync, home = dvmi_cpu_socket(&f->topo, op->cpu) == n;
	uint32_t skip = home ? op->cpu / f->unit_cpus % f->socket_units : DVMI_TARGET_NONE;
	uint64_t begin = now_ps + (sync ? f->hw.dvm_node_sync_ps : f->hw.dvm_node_op_ps);
	uint64_t lost = sync ? f->hw.dvm_bystander_sync_ps : f->hw.dvm_bystander_op_ps;
	const uint64_t *members = op->members;
	struct dvmi_distribution d;
	uint64_t answer;

	fabric_hide(f, n, members);
	d = send(f, n, i, begin, skip);
	answer = d.answer_ps + (home ? 0 : f->hw.dvm_socket_link_ps);
	node->free_ps = d.free_ps;
	/* Nothing passes a Sync: the node serves in order, one Sync per target at a time. */
	if (sync && d.snooped && node->free_ps < now_ps + f->sync_slot_ps)
		node->free_ps = now_ps + f->sync_slot_ps;
	note_wait(&f->stats, now_ps - f->place[(size_t)i * f->topo.sockets + n].arrive_ps);
	f->stats.node_busy_ps += node->free_ps - now_ps;
	f->stats.sync_waits += sync && d.free_ps > begin + t->step * d.snooped;
	if (op->directed) {
		fabric_charge_some(f, n, op->cpu, set_of(f, i, n), lost);
	} else {
		fabric_charge(f, n, op->cpu, home, lost);
		if (members)
			fabric_compensate(f, n, op, lost);
	}
	if (!sync)
		tell(f, n, op, now_ps, &d, skip);
	fabric_unhide(f, n, members);
	if (answer > op->resp_ps)
		op->resp_ps = answer;
	if (home && f->topo.sockets > 1) {
		int ret = forward(f, i, begin, n);

		if (ret)
			return ret;
	}
	return --op->parts_left ? 0 : answered(f, i);
}

/* ---- events ---- */

static int start_later(struct dvmi_fabric *f, uint32_t n)
{
	struct node *node = &f->nodes[n];

	if (node->start_posted || node->ready.head == NONE)
		return 0;
	node->start_posted = true;
	return post(f, node->free_ps, PRIO_START, DVMI_EV_FABRIC_START, 0, n, 0);
}

static int on_start(struct dvmi_fabric *f, uint32_t n, uint64_t now_ps)
{
	struct node *node = &f->nodes[n];
	int ret = distribute(f, n, fifo_pop(f, &node->ready, n), now_ps);

	node->start_posted = false;
	return ret ? ret : start_later(f, n);
}

/* The request is in the node and will be served in its turn. */
static int accept(struct dvmi_fabric *f, uint32_t n, uint32_t i, uint64_t now_ps)
{
	struct node *node = &f->nodes[n];
	const struct op *op = &f->ops[i];

	if (dvmi_cpu_socket(&f->topo, op->cpu) == n) {
		node->entries++;
		if (f->hw.dvm_early_comp && !op->sync) {
			uint64_t t = now_ps + f->hw.dvm_comp_ps + cpu_hop_ps(f, op->cpu);
			int ret = post(f, t, PRIO_COMP, DVMI_EV_FABRIC_COMP, op->cpu, n, i);

			if (ret)
				return ret;
		}
	}
	if (node->ready.head == NONE && !node->start_posted && node->free_ps <= now_ps)
		return distribute(f, n, i, now_ps);
	fifo_push(f, &node->ready, n, i);
	return start_later(f, n);
}

static int on_arrive(struct dvmi_fabric *f, uint32_t n, uint32_t i, uint64_t now_ps)
{
	struct node *node = &f->nodes[n];
	bool home = dvmi_cpu_socket(&f->topo, f->ops[i].cpu) == n;

	f->place[(size_t)i * f->topo.sockets + n].arrive_ps = now_ps;
	/* A forwarded request has its entry at home; a second one could deadlock two sockets. */
	if (home && node->entries >= f->hw.dvm_node_entries) {
		f->stats.retries++;
		fifo_push(f, &node->retry, n, i);
		return 0;
	}
	return accept(f, n, i, now_ps);
}

static int on_done(struct dvmi_fabric *f, uint32_t n, uint32_t i, uint64_t now_ps)
{
	struct node *node = &f->nodes[n];
	uint32_t next = fifo_pop(f, &node->retry, n);

	node->entries--;
	op_put(f, i);
	return next == NONE ? 0 : accept(f, n, next, now_ps);
}

static int on_comp(struct dvmi_fabric *f, uint32_t i, uint64_t now_ps)
{
	uint32_t cpu = f->ops[i].cpu;
	struct cpu *c = &f->cpus[cpu];
	bool sync = f->ops[i].sync;

	op_put(f, i);
	if (sync) {
		c->pending = c->pending_all = 0;
		if (f->set_words)
			memset(pending_set(f, cpu), 0, f->set_words * sizeof(uint64_t));
	} else {
		c->outstanding--;
		if (c->wait == WAIT_OPS && !c->outstanding) {
			c->wait = WAIT_SYNC;
			f->stats.syncs++;
			return request(f, cpu, now_ps, 0, DVMI_NO_DOMAIN, true);
		}
		if (c->wait != WAIT_SLOT)
			return 0;
	}
	fabric_cpu_state(f, cpu, WAIT_NONE, c->idle);
	dvmi_evq_cpu_set(f->q, cpu, now_ps);
	return 0;
}

int dvmi_fabric_message(struct dvmi_fabric *f, const struct dvmi_event *ev)
{
	uint32_t op = (uint32_t)ev->data;

	switch (ev->kind) {
	case DVMI_EV_FABRIC_ARRIVE:
		return on_arrive(f, ev->who, op, ev->time_ps);
	case DVMI_EV_FABRIC_START:
		return on_start(f, ev->who, ev->time_ps);
	case DVMI_EV_FABRIC_DONE:
		return on_done(f, ev->who, op, ev->time_ps);
	case DVMI_EV_FABRIC_COMP:
		return on_comp(f, op, ev->time_ps);
	default:
		return -DVM_EINVAL;
	}
}

/* ---- the PE's side ---- */

int dvmi_fabric_tlbi(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		     uint64_t *free_ps)
{
	return dvmi_fabric_tlbi_in(f, cpu, now_ps, tag, DVMI_NO_DOMAIN, free_ps);
}

int dvmi_fabric_tlbi_in(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
			uint32_t domain, uint64_t *free_ps)
{
	struct cpu *c = &f->cpus[cpu];
	uint64_t issued = now_ps + f->hw.tlbi_issue_broadcast_ps;
	int ret;

	if (c->outstanding >= f->hw.tlbi_post_depth) {
		f->stats.issue_blocks++;
		fabric_cpu_state(f, cpu, WAIT_SLOT, c->idle);
		return DVMI_FABRIC_BLOCKED;
	}
	ret = request(f, cpu, issued, tag, domain, false);
	if (ret)
		return ret;
	if (domain == DVMI_NO_DOMAIN)
		c->pending_all = 1;
	else
		fabric_add_domain(f, pending_set(f, cpu), domain);
	c->outstanding++;
	c->pending++;
	f->stats.ops++;
	*free_ps = issued;
	return DVMI_FABRIC_DONE;
}

int dvmi_fabric_sync(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps)
{
	struct cpu *c = &f->cpus[cpu];
	int ret;

	if (!c->pending && !f->hw.dvm_idle_sync)
		return DVMI_FABRIC_DONE;
	/* gem5: a Sync goes out once the list of own Non-Syncs without Comp is empty. */
	if (c->outstanding && !f->hw.dvm_early_comp) {
		fabric_cpu_state(f, cpu, WAIT_OPS, c->idle);
		return DVMI_FABRIC_BLOCKED;
	}
	ret = request(f, cpu, now_ps, 0, DVMI_NO_DOMAIN, true);
	if (ret)
		return ret;
	f->stats.syncs++;
	fabric_cpu_state(f, cpu, WAIT_SYNC, c->idle);
	return DVMI_FABRIC_BLOCKED;
}

bool dvmi_fabric_pending(const struct dvmi_fabric *f, uint32_t cpu)
{
	return f->cpus[cpu].pending != 0;
}

void dvmi_fabric_on_delivery(struct dvmi_fabric *f, dvmi_delivery_fn fn, void *arg)
{
	f->deliver = fn;
	f->arg = arg;
}

void dvmi_fabric_get_stats(const struct dvmi_fabric *f, struct dvmi_fabric_stats *stats)
{
	*stats = f->stats;
}

const struct dvmi_topology *dvmi_fabric_topology(const struct dvmi_fabric *f)
{
	return &f->topo;
}

const struct dvmi_domains *dvmi_fabric_domains(const struct dvmi_fabric *f)
{
	return &f->domains;
}

size_t dvmi_fabric_bytes(const struct dvmi_fabric *f)
{
	return sizeof(*f) + f->topo.sockets * sizeof(*f->nodes) + f->topo.cpus * sizeof(*f->cpus) +
	       f->topo.clusters * sizeof(*f->cluster_running) +
	       f->topo.sockets * dvmi_targets_bytes(&f->nodes[0].targets) +
	       f->op_capacity * sizeof(*f->ops) + f->place_capacity * sizeof(*f->place) +
	       (f->set_capacity + (size_t)f->topo.cpus * f->set_words) * sizeof(uint64_t);
}

/* ---- life ---- */

static int tables(struct dvmi_fabric *f)
{
	uint32_t die_units = f->topo.die_cpus / f->unit_cpus;

	f->nodes = dvmi_calloc(f->topo.sockets, sizeof(*f->nodes));
	f->cpus = dvmi_calloc(f->topo.cpus, sizeof(*f->cpus));
	f->cluster_running = dvmi_calloc(f->topo.clusters, sizeof(*f->cluster_running));
	f->hidden = dvmi_calloc(f->socket_units, 1);
	if (!f->nodes || !f->cpus || !f->cluster_running || !f->hidden)
		return -DVM_ENOMEM;
	f->pending_sets = f->set_words ? dvmi_calloc((size_t)f->topo.cpus * f->set_words,
						     sizeof(*f->pending_sets)) : NULL;
	if (f->set_words && !f->pending_sets)
		return -DVM_ENOMEM;
	for (uint32_t n = 0; n < f->topo.sockets; n++) {
		struct node *node = &f->nodes[n];
		int ret = dvmi_targets_init(&node->targets, &f->hw,
					    f->socket_units + (n ? 0 : f->extra), die_units);

		if (ret)
			return ret;
		node->ready.head = node->retry.head = NONE;
	}
	for (uint32_t c = 0; c < f->topo.cpus; c++)
		f->cpus[c].idle = 1;
	if (f->hw.dvm_filter == DVMI_FILTER_IDLE_CLUSTER)
		for (uint32_t c = 0; c < f->topo.clusters; c++)
			fabric_spare_cluster(f, c, true);
	return 0;
}

int dvmi_fabric_new_with(const struct dvmi_hw *hw, uint32_t extra, struct dvmi_evq *q,
			 struct dvmi_fabric **fabric)
{
	struct dvmi_fabric *f = dvmi_zalloc(sizeof(*f));
	int ret;

	if (!f)
		return -DVM_ENOMEM;
	f->hw = *hw;
	f->q = q;
	f->extra = extra;
	f->op_free = NONE;
	ret = dvmi_topology_init(&f->topo, hw);
	if (!ret) {
		f->unit_cpus = hw->dvm_snoop_unit == DVMI_SNOOP_CLUSTER ? f->topo.cluster_cpus
									: f->topo.core_cpus;
		f->socket_units = f->topo.socket_cpus / f->unit_cpus;
		dvmi_domains_init(&f->domains, hw, &f->topo);
		if (f->domains.count) /* targets that are no CPUs have bits too, never set */
			f->socket_words = (uint32_t)dvmi_bitmap_words(f->socket_units + extra);
		f->set_words = f->socket_words * f->topo.sockets;
		f->sync_slot_ps = hw->dvm_snoop_ps + hw->dvm_target_sync_ps + hw->dvm_response_ps;
		ret = tables(f);
	}
	if (ret) {
		dvmi_fabric_free(f);
		return ret;
	}
	*fabric = f;
	return 0;
}

int dvmi_fabric_new(const struct dvmi_hw *hw, struct dvmi_evq *q, struct dvmi_fabric **fabric)
{
	return dvmi_fabric_new_with(hw, 0, q, fabric);
}

void dvmi_fabric_free(struct dvmi_fabric *f)
{
	if (!f)
		return;
	for (uint32_t n = 0; f->nodes && n < f->topo.sockets; n++)
		dvmi_targets_fini(&f->nodes[n].targets);
	dvmi_free(f->nodes);
	dvmi_free(f->cpus);
	dvmi_free(f->cluster_running);
	dvmi_free(f->hidden);
	dvmi_free(f->ops);
	dvmi_free(f->place);
	dvmi_free(f->sets);
	dvmi_free(f->pending_sets);
	dvmi_free(f);
}
