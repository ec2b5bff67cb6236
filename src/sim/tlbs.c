/* SPDX-License-Identifier: MIT */
#include "sim/tlbs.h"

#include "base/error.h"
#include "base/mem.h"
#include "hw/tlb.h"
#include "sim/stage2.h"

#include <inttypes.h>

#define ASIDS 65536

struct vm {
	const struct dvmi_asids *asids; /* NULL: there is no such machine */
	uint32_t *owners;		/* per ASID: the mm that got it last */
};

/* A broadcast under way, until the last socket has heard of it. */
struct journey {
	struct dvmi_inval inval;
	uint32_t next_free;
};

struct deferred {
	uint32_t owner;
	struct dvmi_change change;
};

struct dvmi_tlbs {
	struct dvmi_granule granule;
	unsigned cpus, sockets, sharers; /* sharers: CPUs, in a row, that have one TLB together */
	struct dvmi_stage2 stage2;
	bool nested; /* the kernel that runs is a guest's, with a second stage */
	uint64_t access_ps;
	struct dvmi_tlb_log **logs; /* one per socket */
	struct dvmi_tlb **tlbs; /* per CPU */
	struct vm vms[DVMI_TLB_VMIDS];
	struct journey *journeys;
	size_t journeys_count, journeys_capacity;
	uint32_t free_journey; /* index + 1; 0: none */
	struct deferred *deferred;
	size_t deferred_count, deferred_capacity;
	int failed;
};

/* ---- making ---- */

static struct dvmi_tlb_geometry geometry_of(const struct dvmi_tlbs *a, const struct dvmi_hw *hw,
					    const struct dvmi_kernel_cfg *cfg, unsigned page_shift)
{
#define SHARE(entries, ways) ((int)dvmi_tlb_share_of(hw, cfg, entries, ways))
	return (struct dvmi_tlb_geometry){
		.stage2_entries = a->nested ? SHARE(hw->tlb_stage2_entries, 0) : 0,
		.stage2_granule_bits = a->nested ? a->stage2.granule_bits : 0,
		.granule_bits = (int)page_shift, .va_bits = 48,
		.l1i_entries = SHARE(hw->tlb_l1i_entries, hw->tlb_l1i_ways), .l1i_ways = (int)hw->tlb_l1i_ways,
		.l1d_entries = SHARE(hw->tlb_l1d_entries, hw->tlb_l1d_ways), .l1d_ways = (int)hw->tlb_l1d_ways,
		.l2_entries = SHARE(hw->tlb_l2_entries, hw->tlb_l2_ways), .l2_ways = (int)hw->tlb_l2_ways,
		.walk_cache_entries = SHARE(hw->tlb_walk_cache_entries, 0),
		.walkers = (int)hw->tlb_walkers,
		.l2_hit_ps = hw->tlb_l2_hit_ps, .walk_step_ps = hw->tlb_walk_step_ps,
	};
#undef SHARE
}

/* A socket hears of a broadcast; one to a domain is for the domain's CPUs alone. */
static int arrive(struct dvmi_tlbs *a, unsigned socket, const struct dvmi_inval *inval,
		  const struct dvmi_delivery *d)
{
	int ret = 0;

	dvmi_tlb_log_horizon(a->logs[socket], d->start_ps);
	if (d->reach_first == d->first_cpu && d->reach_end == d->end_cpu)
		return dvmi_tlb_log_post(a->logs[socket], inval, d->last_ps, NULL);
	for (unsigned c = d->reach_first; c < d->reach_end && c < a->cpus && !ret; c++)
		ret = dvmi_tlb_post(a->tlbs[c], inval, d->last_ps);
	return ret;
}

static void deliver(void *arg, const struct dvmi_fabric *f, const struct dvmi_delivery *d)
{
	struct dvmi_tlbs *a = arg;
	struct journey *j;
	unsigned socket;

	if (!d->tag)
		return;
	j = &a->journeys[d->tag - 1];
	socket = dvmi_cpu_socket(dvmi_fabric_topology(f), d->first_cpu);
	if (arrive(a, socket, &j->inval, d))
		a->failed = 1;
	if (!d->left)
		dvmi_tlbs_untag(a, d->tag);
}

static int make_tlbs(struct dvmi_tlbs *a, const struct dvmi_hw *hw,
		     const struct dvmi_kernel_cfg *cfg, unsigned page_shift,
		     const struct dvmi_topology *topology, struct dvm_error *err)
{
	struct dvmi_tlb_geometry g = geometry_of(a, hw, cfg, page_shift);
	int ret = 0;

	for (unsigned n = 0; n < a->sockets && !ret; n++)
		ret = dvmi_tlb_log_new(&a->logs[n], &a->granule, err);
	for (unsigned c = 0; c < a->cpus && !ret; c++) {
		if (c % a->sharers)
			a->tlbs[c] = a->tlbs[c - 1];
		else
			ret = dvmi_tlb_new(&a->tlbs[c], &g, a->logs[dvmi_cpu_socket(topology, c)],
					   0, err);
	}
	for (unsigned c = 0; c < a->cpus && !ret; c += a->sharers)
		dvmi_tlb_set_order(a->tlbs[c], c, a->sharers);
	return ret;
}

static unsigned page_shift_of(const struct dvmi_kernel_cfg *cfg)
{
	unsigned shift = 0;

	while (cfg->page_bytes >> shift > 1)
		shift++;
	return shift;
}

int dvmi_tlbs_vm(struct dvmi_tlbs *a, uint8_t vmid, const struct dvmi_asids *asids)
{
	struct vm *vm = &a->vms[vmid];

	if (!vm->owners)
		vm->owners = dvmi_calloc(ASIDS, sizeof(*vm->owners));
	if (!vm->owners)
		return -DVM_ENOMEM;
	vm->asids = asids;
	return 0;
}

int dvmi_tlbs_new(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
		  struct dvmi_fabric *fabric, unsigned cpus, const struct dvmi_asids *asids,
		  struct dvmi_tlbs **tlbs, struct dvm_error *err)
{
	const struct dvmi_topology *topology = dvmi_fabric_topology(fabric);
	unsigned page_shift = page_shift_of(cfg);
	struct dvmi_tlbs *a;
	int ret;

	a = dvmi_zalloc(sizeof(*a));
	if (!a)
		return dvmi_error_nomem(err);
	a->cpus = cpus;
	a->sharers = dvmi_tlb_sharers(hw, cfg);
	a->sockets = topology->sockets;
	a->access_ps = UINT64_C(1000000000) / hw->clock_core_khz;
	a->logs = dvmi_calloc(a->sockets, sizeof(struct dvmi_tlb_log *));
	a->tlbs = dvmi_calloc(cpus, sizeof(struct dvmi_tlb *));
	ret = dvmi_granule_init(&a->granule, (int)page_shift, 48, err);
	a->nested = cfg->vm_stage2;
	if (!ret && a->nested)
		ret = dvmi_sim_stage2(cfg, &a->stage2, err);
	if (!ret && (!a->logs || !a->tlbs || dvmi_tlbs_vm(a, 0, asids)))
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = make_tlbs(a, hw, cfg, page_shift, topology, err);
	if (ret) {
		dvmi_tlbs_free(a);
		return ret;
	}
	dvmi_fabric_on_delivery(fabric, deliver, a);
	*tlbs = a;
	return 0;
}

void dvmi_tlbs_free(struct dvmi_tlbs *a)
{
	if (!a)
		return;
	for (unsigned c = 0; a->tlbs && c < a->cpus; c += a->sharers)
		dvmi_tlb_free(a->tlbs[c]);
	for (unsigned n = 0; a->logs && n < a->sockets; n++)
		dvmi_tlb_log_free(a->logs[n]);
	dvmi_free(a->tlbs);
	dvmi_free(a->logs);
	for (unsigned v = 0; v < DVMI_TLB_VMIDS; v++)
		dvmi_free(a->vms[v].owners);
	dvmi_free(a->journeys);
	dvmi_free(a->deferred);
	dvmi_free(a);
}

/* ---- accesses ---- */

int dvmi_tlbs_stale(const struct dvmi_tlbs *a, unsigned cpu, uint32_t mm, struct dvm_error *err)
{
	const struct dvmi_tlb_stale *st = dvmi_tlb_stale(a->tlbs[cpu]);

	return dvmi_error(err, DVM_EUNSAFE, "stale",
			  "CPU %u used a translation of address space %u at VA 0x%" PRIx64
			  " that a completed flush was to remove: a stale translation is used",
			  cpu, mm, st ? st->va & ((UINT64_C(1) << 48) - 1) : 0);
}

void dvmi_tlbs_run(struct dvmi_tlbs *a, struct dvmi_tlbs_span *span)
{
	struct dvmi_tlb_context context = { .asid = span->asid, .vmid = span->vmid,
					    .thread = (uint8_t)(span->cpu % a->sharers),
					    .timed = true, .space = span->mm,
					    .stage2 = a->nested ? &a->stage2 : NULL };
	struct dvmi_tlb_clock clock = { .now_ps = span->now_ps, .limit_ps = span->limit_ps,
					.access_ps = a->access_ps };
	enum dvmi_tlb_stop stop;

	/* The first access is always made, so that a run with nothing before it makes progress. */
	if (clock.limit_ps <= clock.now_ps)
		clock.limit_ps = clock.now_ps + 1;
	span->done = dvmi_tlb_run(a->tlbs[span->cpu], &context, span->accesses, span->count,
				  &clock, &stop);
	span->done_ps = clock.now_ps;
	span->starts_ps = clock.starts_ps;
	span->stale = stop == DVMI_TLB_USED_STALE;
	if (span->stale) {
		span->done--;
		span->done_ps = dvmi_tlb_stale(a->tlbs[span->cpu])->time_ps;
	}
}

/* ---- page tables and flushes ---- */

static uint16_t asid_of(const struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm)
{
	const struct dvmi_asids *asids = a->vms[vmid].asids;

	return dvmi_asid_number(asids, dvmi_asid_id(asids, mm));
}

void dvmi_tlbs_assign(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm)
{
	a->vms[vmid].owners[asid_of(a, vmid, mm)] = mm;
}

static struct dvmi_inval range_of(const struct dvmi_tlbs *a, const struct dvmi_change *change)
{
	const struct dvmi_request *r = &change->request;

	return (struct dvmi_inval){
		.kind = r->kind == DVMI_REQUEST_ASID ? DVMI_INVAL_ASID : DVMI_INVAL_VA,
		.vmid = change->vmid,
		.asid = asid_of(a, change->vmid, change->mm), .va = r->start,
		.pages = (r->end - r->start) >> a->granule.bits,
		.leaf_only = !!(r->flags & DVMI_REQUEST_LEAF), .ttl = DVMI_TTL_NONE,
	};
}

int dvmi_tlbs_complete(struct dvmi_tlbs *a, const struct dvmi_change *change, uint64_t now_ps,
		       struct dvm_error *err)
{
	struct dvmi_inval range = range_of(a, change);
	int ret = 0;

	/* Whoever holds its translations flushes them before it runs the ASID's new owner. */
	if (a->vms[change->vmid].owners[range.asid] != change->mm)
		return 0;
	for (unsigned n = 0; n < a->sockets && !ret; n++) {
		dvmi_tlb_log_horizon(a->logs[n], now_ps);
		ret = dvmi_tlb_log_watch_by(a->logs[n], &range, change->ps, change->cpu, now_ps,
					    err);
	}
	return ret;
}

int dvmi_tlbs_defer(struct dvmi_tlbs *a, uint32_t owner, const struct dvmi_change *change)
{
	void *p = a->deferred;

	if (dvmi_grow(&p, &a->deferred_capacity, a->deferred_count + 1, sizeof(*a->deferred)))
		return -DVM_ENOMEM;
	a->deferred = p;
	a->deferred[a->deferred_count++] = (struct deferred){ owner, *change };
	return 0;
}

int dvmi_tlbs_batch(struct dvmi_tlbs *a, uint32_t owner, uint64_t now_ps,
		      struct dvm_error *err)
{
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < a->deferred_count && !ret; i++) {
		struct deferred *d = &a->deferred[i];

		if (d->owner == owner)
			ret = dvmi_tlbs_complete(a, &d->change, now_ps, err);
		else
			a->deferred[kept++] = *d;
	}
	a->deferred_count = kept;
	return ret;
}

/* ---- TLBIs ---- */

static struct dvmi_inval inval_of(uint8_t vmid, uint32_t mm, uint16_t asid,
				  const struct dvmi_tlbi_op *op)
{
	struct dvmi_inval v = { .vmid = vmid, .asid = asid, .va = op->start, .pages = op->pages,
				.leaf_only = op->leaf,
				.ttl = op->level == DVMI_LEVEL_UNKNOWN ? DVMI_TTL_NONE :
									 (int8_t)op->level };

	switch (op->form) {
	case DVMI_FORM_ASID:
		v.kind = DVMI_INVAL_ASID;
		break;
	case DVMI_FORM_VMALL:
		v.kind = DVMI_INVAL_VMALL;
		break;
	default:
		v.kind = mm ? DVMI_INVAL_VA : DVMI_INVAL_VAA;
		break;
	}
	return v;
}

int dvmi_tlbs_local(struct dvmi_tlbs *a, unsigned cpu, uint8_t vmid, uint32_t mm, uint16_t asid,
		    const struct dvmi_tlbi_op *op, uint64_t at_ps, uint64_t now_ps)
{
	struct dvmi_inval v = inval_of(vmid, mm, asid, op);

	if (cpu >= a->cpus || op->user_twin)
		return 0;
	/* What arrived before comes first. */
	dvmi_tlb_settle(a->tlbs[cpu], now_ps);
	return at_ps > now_ps ? dvmi_tlb_post(a->tlbs[cpu], &v, at_ps) :
				dvmi_tlb_apply(a->tlbs[cpu], &v);
}

int dvmi_tlbs_tag(struct dvmi_tlbs *a, uint8_t vmid, uint32_t mm, uint16_t asid,
		  const struct dvmi_tlbi_op *op, uint64_t *tag)
{
	void *p = a->journeys;
	uint32_t i;

	*tag = 0;
	if (op->user_twin)
		return 0;
	if (!a->free_journey) {
		if (dvmi_grow(&p, &a->journeys_capacity, a->journeys_count + 1,
			      sizeof(*a->journeys)))
			return -DVM_ENOMEM;
		a->journeys = p;
		a->journeys[a->journeys_count].next_free = 0;
		a->free_journey = (uint32_t)++a->journeys_count;
	}
	i = a->free_journey - 1;
	a->free_journey = a->journeys[i].next_free;
	a->journeys[i].inval = inval_of(vmid, mm, asid, op);
	*tag = i + 1;
	return 0;
}

void dvmi_tlbs_untag(struct dvmi_tlbs *a, uint64_t tag)
{
	if (!tag)
		return;
	a->journeys[tag - 1].next_free = a->free_journey;
	a->free_journey = (uint32_t)tag;
}

/* ---- totals ---- */

void dvmi_tlbs_totals(const struct dvmi_tlbs *a, struct dvmi_tlbs_totals *totals)
{
	*totals = (struct dvmi_tlbs_totals){ 0 };
	for (unsigned c = 0; c < a->cpus; c += a->sharers) {
		const struct dvmi_tlb_stats *st = dvmi_tlb_stats(a->tlbs[c]);

		totals->accesses += st->accesses;
		totals->l1_misses += st->l1i_misses + st->l1d_misses;
		totals->l2_misses += st->walks;
	}
}

int dvmi_tlbs_failed(const struct dvmi_tlbs *a)
{
	return a->failed;
}
