/* SPDX-License-Identifier: MIT */
/*
 * sim/tlbs.h by tests/hw/ref_tlb.c: each CPU's TLBs are lists, each has its own list of operations
 * to come, and an access is made by itself.
 */
#include "sim/tlbs.h"

#include "base/error.h"
#include "hw/ref_tlb.h"
#include "sim/stage2.h"

#include <inttypes.h>
#include <stdlib.h>

#define SOCKETS 16

struct journey {
	struct dvmi_inval inval;
	unsigned arrived[SOCKETS]; /* CPUs of the socket that it has reached */
	uint64_t last_ps[SOCKETS];
};

struct deferred {
	uint32_t owner;
	struct dvmi_change change;
};

struct dvmi_tlbs {
	const struct dvmi_topology *topology;
	const struct dvmi_asids *asids[32]; /* by VMID */
	unsigned cpus, page_shift, threads; /* threads: CPUs that have one TLB together */
	struct dvmi_stage2 stage2;
	bool nested;
	uint64_t access_ps;
	struct ref_tlb **tlbs;
	struct ref_pt *lower, *upper;
	uint32_t owners[32][65536];
	struct journey *journeys;
	size_t journeys_count;
	struct deferred *deferred;
	size_t deferred_count;
};

/* On all CPUs of a socket, when the last of them has heard of it. */
static void deliver(void *arg, const struct dvmi_fabric *f, const struct dvmi_delivery *d)
{
	struct dvmi_tlbs *a = arg;
	unsigned socket = dvmi_cpu_socket(a->topology, d->first_cpu);
	struct journey *j;

	(void)f;
	if (!d->tag)
		return;
	j = &a->journeys[d->tag - 1];
	if (d->last_ps > j->last_ps[socket])
		j->last_ps[socket] = d->last_ps;
	if (++j->arrived[socket] < a->topology->socket_cpus)
		return;
	for (unsigned c = 0; c < a->cpus; c += a->threads)
		if (dvmi_cpu_socket(a->topology, c) == socket)
			ref_tlb_post(a->tlbs[c], &j->inval, j->last_ps[socket]);
}

int dvmi_tlbs_vm(struct dvmi_tlbs *a, uint8_t vmid, const struct dvmi_asids *asids)
{
	a->asids[vmid] = asids;
	return 0;
}

int dvmi_tlbs_new(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
		  struct dvmi_fabric *fabric, unsigned cpus, const struct dvmi_asids *asids,
		  struct dvmi_tlbs **tlbs, struct dvm_error *err)
{
	unsigned page_shift = cfg->page_bytes == 4096 ? 12 : cfg->page_bytes == 16384 ? 14 : 16;
#define SHARE(entries, ways) ((int)dvmi_tlb_share_of(hw, cfg, entries, ways))
	struct dvmi_tlb_geometry g = {
		.granule_bits = (int)page_shift, .va_bits = 48,
		.l1i_entries = SHARE(hw->tlb_l1i_entries, hw->tlb_l1i_ways), .l1i_ways = (int)hw->tlb_l1i_ways,
		.l1d_entries = SHARE(hw->tlb_l1d_entries, hw->tlb_l1d_ways), .l1d_ways = (int)hw->tlb_l1d_ways,
		.l2_entries = SHARE(hw->tlb_l2_entries, hw->tlb_l2_ways), .l2_ways = (int)hw->tlb_l2_ways,
		.walk_cache_entries = SHARE(hw->tlb_walk_cache_entries, 0),
		.walkers = (int)hw->tlb_walkers,
		.l2_hit_ps = hw->tlb_l2_hit_ps, .walk_step_ps = hw->tlb_walk_step_ps,
	};
	struct dvmi_tlbs *a = calloc(1, sizeof(*a));

	a->threads = dvmi_tlb_sharers(hw, cfg);
	a->nested = cfg->vm_stage2;
	if (a->nested) {
		dvmi_sim_stage2(cfg, &a->stage2, err);
		g.stage2_entries = SHARE(hw->tlb_stage2_entries, 0);
		g.stage2_granule_bits = a->stage2.granule_bits;
	}
	a->topology = dvmi_fabric_topology(fabric);
	a->asids[0] = asids;
	a->cpus = cpus;
	a->page_shift = page_shift;
	a->access_ps = UINT64_C(1000000000) / hw->clock_core_khz;
	a->tlbs = calloc(cpus, sizeof(struct ref_tlb *));
	for (unsigned c = 0; c < cpus; c++)
		a->tlbs[c] = c % a->threads ? a->tlbs[c - 1] : ref_tlb_new(&g, 0);
	a->lower = ref_pt_new((int)page_shift, 0);
	a->upper = ref_pt_new((int)page_shift, 1);
	dvmi_fabric_on_delivery(fabric, deliver, a);
	*tlbs = a;
	return 0;
}

void dvmi_tlbs_free(struct dvmi_tlbs *a)
{
	if (!a)
		return;
	for (unsigned c = 0; c < a->cpus; c += a->threads)
		ref_tlb_free(a->tlbs[c]);
	ref_pt_free(a->lower);
	ref_pt_free(a->upper);
	free(a->tlbs);
	free(a->journeys);
	free(a->deferred);
	free(a);
}

static uint16_t asid_of(const struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm)
{
	return dvmi_asid_number(a->asids[vmid], dvmi_asid_id(a->asids[vmid], mm));
}

void dvmi_tlbs_assign(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm)
{
	a->owners[vmid][asid_of(a, vmid, mm)] = mm;
}

/* ---- accesses ---- */

void dvmi_tlbs_run(struct dvmi_tlbs *a, struct dvmi_tlbs_span *span)
{
	uint64_t now = span->now_ps;

	span->done = 0;
	span->stale = false;
	span->starts_ps = 0;
	do {
		struct ref_context context = { .asid = span->asid, .vmid = span->vmid,
					       .lower = a->lower, .upper = a->upper,
					       .stage2 = a->nested ? &a->stage2 : NULL,
					       .stage2_version = now * a->threads +
							 span->cpu % a->threads, .space = span->mm };
		struct dvmi_tlb_result r;

		/* What it walks for is as old as this moment. */
		ref_pt_change(a->lower, now * a->threads + span->cpu % a->threads);
		ref_tlb_access(a->tlbs[span->cpu], &context, span->accesses[span->done], now, &r);
		span->starts_ps += now;
		span->stale = r.flags & DVMI_TLB_STALE;
		if (span->stale)
			break;
		span->done++;
		now += a->access_ps + r.cost_ps;
	} while (span->done < span->count && now < span->limit_ps);
	span->done_ps = now;
}

int dvmi_tlbs_stale(const struct dvmi_tlbs *a, unsigned cpu, uint32_t mm, struct dvm_error *err)
{
	const struct dvmi_tlb_stale *st = ref_tlb_stale(a->tlbs[cpu]);

	return dvmi_error(err, DVM_EUNSAFE, "stale",
			  "CPU %u used a translation of address space %u at VA 0x%" PRIx64
			  " that a completed flush was to remove: a stale translation is used",
			  cpu, mm, st->va & ((UINT64_C(1) << 48) - 1));
}

/* ---- flushes ---- */

int dvmi_tlbs_complete(struct dvmi_tlbs *a, const struct dvmi_change *change, uint64_t now_ps,
		       struct dvm_error *err)
{
	const struct dvmi_request *r = &change->request;
	struct dvmi_inval range = {
		.kind = r->kind == DVMI_REQUEST_ASID ? DVMI_INVAL_ASID : DVMI_INVAL_VA,
		.vmid = change->vmid,
		.asid = asid_of(a, change->vmid, change->mm), .va = r->start,
		.pages = (r->end - r->start) >> a->page_shift,
		.leaf_only = (r->flags & DVMI_REQUEST_LEAF) != 0, .ttl = DVMI_TTL_NONE,
	};

	(void)err;
	if (a->owners[change->vmid][range.asid] != change->mm)
		return 0;
	/* Filled before the change: earlier, or by a CPU that comes first at that instant. */
	for (unsigned c = 0; c < a->cpus; c += a->threads) {
		uint64_t version = change->ps * a->threads;

		for (unsigned n = c; n < c + a->threads; n++)
			version += n < change->cpu;
		ref_tlb_watch(a->tlbs[c], &range, version, now_ps);
	}
	return 0;
}

int dvmi_tlbs_defer(struct dvmi_tlbs *a, uint32_t owner, const struct dvmi_change *change)
{
	a->deferred = realloc(a->deferred, (a->deferred_count + 1) * sizeof(*a->deferred));
	a->deferred[a->deferred_count++] = (struct deferred){ owner, *change };
	return 0;
}

int dvmi_tlbs_batch(struct dvmi_tlbs *a, uint32_t owner, uint64_t now_ps, struct dvm_error *err)
{
	for (size_t i = 0; i < a->deferred_count; i++) {
		if (a->deferred[i].owner != owner)
			continue;
		dvmi_tlbs_complete(a, &a->deferred[i].change, now_ps, err);
		a->deferred[i].owner = UINT32_MAX;
	}
	return 0;
}

/* ---- TLBIs ---- */

static struct dvmi_inval inval_of(uint8_t vmid, uint32_t mm, uint16_t asid,
				  const struct dvmi_tlbi_op *op)
{
	struct dvmi_inval v = { .vmid = vmid, .asid = asid, .va = op->start, .pages = op->pages,
				.leaf_only = op->leaf, .ttl = DVMI_TTL_NONE };

	if (op->level != DVMI_LEVEL_UNKNOWN)
		v.ttl = (int8_t)op->level;
	if (op->form == DVMI_FORM_ASID)
		v.kind = DVMI_INVAL_ASID;
	else if (op->form == DVMI_FORM_VMALL)
		v.kind = DVMI_INVAL_VMALL;
	else
		v.kind = mm ? DVMI_INVAL_VA : DVMI_INVAL_VAA;
	return v;
}

int dvmi_tlbs_local(struct dvmi_tlbs *a, unsigned cpu, uint8_t vmid, uint32_t mm, uint16_t asid,
		    const struct dvmi_tlbi_op *op, uint64_t at_ps, uint64_t now_ps)
{
	struct dvmi_inval v = inval_of(vmid, mm, asid, op);

	(void)now_ps;
	if (cpu < a->cpus && !op->user_twin)
		ref_tlb_post(a->tlbs[cpu], &v, at_ps);
	return 0;
}

int dvmi_tlbs_tag(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm, uint16_t asid,
		  const struct dvmi_tlbi_op *op, uint64_t *tag)
{
	*tag = 0;
	if (op->user_twin)
		return 0;
	a->journeys = realloc(a->journeys, (a->journeys_count + 1) * sizeof(*a->journeys));
	a->journeys[a->journeys_count++] = (struct journey){ .inval = inval_of(vmid, mm, asid, op) };
	*tag = a->journeys_count;
	return 0;
}

void dvmi_tlbs_untag(struct dvmi_tlbs *a, uint64_t tag)
{
	(void)a;
	(void)tag;
}

void dvmi_tlbs_totals(const struct dvmi_tlbs *a, struct dvmi_tlbs_totals *totals)
{
	*totals = (struct dvmi_tlbs_totals){ 0 };
	for (unsigned c = 0; c < a->cpus; c += a->threads) {
		const struct dvmi_tlb_stats *st = ref_tlb_stats(a->tlbs[c]);

		totals->accesses += st->accesses;
		totals->l1_misses += st->l1i_misses + st->l1d_misses;
		totals->l2_misses += st->walks;
	}
}

int dvmi_tlbs_failed(const struct dvmi_tlbs *a)
{
	(void)a;
	return 0;
}
