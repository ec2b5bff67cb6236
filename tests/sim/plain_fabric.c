/* SPDX-License-Identifier: MIT */
/* hw/fabric.h by tests/hw/ref_fabric.c: an event for each part of each snoop and each response. */
#include "hw/ref_fabric.h"

#include <dvmsim/error.h>
#include <stdlib.h>

struct dvmi_fabric {
	struct ref *ref;
	struct dvmi_domains domains;
	dvmi_delivery_fn deliver;
	void *arg;
};

/* One notice for each CPU, instead of one for each socket. */
static void delivered(void *arg, uint64_t tag, uint32_t cpu, uint64_t time_ps)
{
	struct dvmi_fabric *f = arg;
	struct dvmi_delivery d = { .tag = tag, .first_cpu = cpu, .end_cpu = cpu + 1,
				   .reach_first = cpu, .reach_end = cpu + 1,
				   .last_ps = time_ps };

	if (f->deliver)
		f->deliver(f->arg, f, &d);
}

/* The reference knows CPUs only. */
int dvmi_fabric_new_with(const struct dvmi_hw *hw, uint32_t extra, struct dvmi_evq *q,
			 struct dvmi_fabric **fabric)
{
	struct dvmi_fabric *f;

	if (extra)
		return -DVM_EINVAL;
	f = calloc(1, sizeof(*f));
	f->ref = ref_new(hw, delivered, f);
	ref_use_queue(f->ref, q);
	dvmi_domains_init(&f->domains, hw, ref_topology(f->ref));
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
	ref_free(f->ref);
	free(f);
}

const struct dvmi_topology *dvmi_fabric_topology(const struct dvmi_fabric *f)
{
	return ref_topology(f->ref);
}

const struct dvmi_domains *dvmi_fabric_domains(const struct dvmi_fabric *f)
{
	return &f->domains;
}

int dvmi_fabric_tlbi(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		     uint64_t *free_ps)
{
	return ref_tlbi(f->ref, cpu, now_ps, tag, free_ps);
}

int dvmi_fabric_tlbi_in(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps, uint64_t tag,
			uint32_t domain, uint64_t *free_ps)
{
	return ref_tlbi_in(f->ref, cpu, now_ps, tag, domain, free_ps);
}

int dvmi_fabric_sync(struct dvmi_fabric *f, uint32_t cpu, uint64_t now_ps)
{
	return ref_sync(f->ref, cpu, now_ps);
}

bool dvmi_fabric_pending(const struct dvmi_fabric *f, uint32_t cpu)
{
	return ref_pending(f->ref, cpu);
}

int dvmi_fabric_message(struct dvmi_fabric *f, const struct dvmi_event *ev)
{
	ref_message(f->ref, ev);
	return 0;
}

void dvmi_fabric_on_delivery(struct dvmi_fabric *f, dvmi_delivery_fn fn, void *arg)
{
	f->deliver = fn;
	f->arg = arg;
}

uint64_t dvmi_fabric_delivery_ps(const struct dvmi_fabric *f, const struct dvmi_delivery *d,
				 uint32_t cpu)
{
	(void)f;
	(void)cpu;
	return d->last_ps;
}

/* The reference has no filter of machines; nothing that uses one is compared with it. */
void dvmi_fabric_filter(struct dvmi_fabric *f, uint32_t cpu, const uint64_t *members)
{
	(void)f;
	(void)cpu;
	(void)members;
	abort();
}

void dvmi_fabric_set_idle(struct dvmi_fabric *f, uint32_t cpu, bool idle)
{
	ref_set_idle(f->ref, cpu, idle);
}

uint64_t dvmi_fabric_lost_ps(const struct dvmi_fabric *f, uint32_t cpu)
{
	return ref_lost_ps(f->ref, cpu);
}

void dvmi_fabric_get_stats(const struct dvmi_fabric *f, struct dvmi_fabric_stats *stats)
{
	*stats = *ref_stats(f->ref);
}

size_t dvmi_fabric_bytes(const struct dvmi_fabric *f)
{
	(void)f;
	return 0;
}
