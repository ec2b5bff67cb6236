/* SPDX-License-Identifier: MIT */
/*
 * The fast TLBs against the plain ones of ref_tlb.c: random geometries, tables, accesses, batches,
 * invalidations with timed delivery and watches on several CPUs. Levels, walk lengths, costs,
 * faults, statistics, stale uses and contents in LRU order must be equal.
 */
#include "base/rng.h"
#include "check_main.h"
#include "hw/tlb_impl.h"
#include "ref_tlb.h"

#include <string.h>

#define CPUS 8
#define SPACES 4 /* (asid, vmid) pairs */
#define VMIDS 2

struct world {
	struct dvmi_rng rng;
	struct dvmi_granule granule;
	struct dvmi_tlb_geometry geometry;
	struct dvmi_tlb_log *log;
	struct dvmi_tlb *fast[CPUS];
	struct ref_tlb *ref[CPUS];
	struct dvmi_ptable *lower[SPACES], *upper[VMIDS];
	struct ref_pt *ref_lower[SPACES], *ref_upper[VMIDS];
	struct dvmi_stage2 stage2[VMIDS];
	int nested[VMIDS]; /* its stage 2 is on */
	uint64_t now;
	uint32_t version;
	unsigned cpus, active, posts_percent;
	uint64_t seed;
	uint64_t last_record[CPUS];
	unsigned last_space[CPUS];
};

static const struct {
	uint16_t asid;
	uint8_t vmid;
} spaces[SPACES] = {{1, 0}, {2, 0}, {0xffff, 0}, {1, 31}};
static const uint8_t vmids[VMIDS] = {0, 31};

static unsigned below(struct world *w, unsigned n)
{
	return (unsigned)dvmi_rng_below(&w->rng, n);
}

static void random_geometry(struct world *w)
{
	static const int granules[] = {12, 14, 16},
			 l1[][2] = {{1, 0}, {4, 0}, {6, 0}, {8, 2}, {6, 1}};
	static const int l2[][2] = {{0, 0}, {8, 0}, {16, 4}, {24, 2}, {64, 4}, {48, 1}};
	unsigned i = below(w, 5), d = below(w, 5), two = below(w, 6);

	w->geometry = (struct dvmi_tlb_geometry){
		.granule_bits = granules[below(w, 3)],
		.va_bits = 48,
		.l1i_entries = l1[i][0],
		.l1i_ways = l1[i][1],
		.l1d_entries = l1[d][0],
		.l1d_ways = l1[d][1],
		.l2_entries = l2[two][0],
		.l2_ways = l2[two][1],
		.walk_cache_entries = (int)below(w, 7),
		.walkers = 1,
		.l2_hit_ps = below(w, 3) * 7,
		.walk_step_ps = below(w, 20),
	};
	ck_assert_int_eq(dvmi_granule_init(&w->granule, w->geometry.granule_bits, 48, NULL), 0);
}

/* In two worlds of three there is a stage 2, of one machine or both. */
static void random_stage2(struct world *w)
{
	static const int granules[] = {12, 14, 16};
	struct dvmi_stage2_shape shape = {.granule_bits = granules[below(w, 3)], .ipa_bits = 40};
	struct dvmi_granule g;

	if (!below(w, 3))
		return;
	w->geometry.stage2_granule_bits = shape.granule_bits;
	w->geometry.stage2_entries = (int)below(w, 12);
	ck_assert_int_eq(dvmi_granule_init(&g, shape.granule_bits, 48, NULL), 0);
	for (int i = 0; i < VMIDS; i++) {
		do
			shape.block_shift = g.cls[1 + below(w, g.classes)].shift;
		while (shape.block_shift > 30);
		shape.ipa_bits = 36 + 4 * (int)below(w, 4);
		shape.memory_bytes = UINT64_C(1) << (24 + below(w, 12));
		shape.run_shift = 12 + below(w, 10);
		ck_assert_int_eq(dvmi_stage2_init(&w->stage2[i], &shape, NULL), 0);
		w->nested[i] = i ? !w->nested[0] || below(w, 2) : (int)below(w, 2);
	}
}

static void setup(struct world *w, uint64_t seed, unsigned cpus)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	dvmi_rng_init(&w->rng, seed, 0);
	random_geometry(w);
	random_stage2(w);
	w->now = 1;
	w->cpus = cpus ? cpus : 1 + below(w, 3);
	/* In some worlds the last CPU hardly ever acts, and its backlog grows. */
	w->active = w->cpus > 1 && below(w, 2) ? w->cpus - 1 : w->cpus;
	w->posts_percent = below(w, 4) ? 10 : 60;
	ck_assert_int_eq(dvmi_tlb_log_new(&w->log, &w->granule, NULL), 0);
	for (unsigned c = 0; c < w->cpus; c++) {
		uint64_t hop = below(w, 30);

		ck_assert_int_eq(dvmi_tlb_new(&w->fast[c], &w->geometry, w->log, hop, NULL), 0);
		w->ref[c] = ref_tlb_new(&w->geometry, hop);
		/* Let the LRU clock wrap. */
		if (below(w, 2))
			w->fast[c]->clock = UINT32_MAX - below(w, 3000);
	}
	for (int i = 0; i < SPACES; i++) {
		ck_assert_int_eq(dvmi_ptable_new(&w->lower[i], &w->granule, 0, NULL), 0);
		w->ref_lower[i] = ref_pt_new(w->geometry.granule_bits, 0);
	}
	for (int i = 0; i < VMIDS; i++) {
		ck_assert_int_eq(dvmi_ptable_new(&w->upper[i], &w->granule, 1, NULL), 0);
		w->ref_upper[i] = ref_pt_new(w->geometry.granule_bits, 1);
	}
}

static void teardown(struct world *w)
{
	for (unsigned c = 0; c < w->cpus; c++) {
		dvmi_tlb_free(w->fast[c]);
		ref_tlb_free(w->ref[c]);
	}
	for (int i = 0; i < SPACES; i++) {
		dvmi_ptable_free(w->lower[i]);
		ref_pt_free(w->ref_lower[i]);
	}
	for (int i = 0; i < VMIDS; i++) {
		dvmi_ptable_free(w->upper[i]);
		ref_pt_free(w->ref_upper[i]);
	}
	dvmi_tlb_log_free(w->log);
}

/* Few places, near each other at every level, so that sizes meet and sets conflict. */
static uint64_t random_va(struct world *w)
{
	unsigned g = w->granule.bits;
	uint64_t va = (uint64_t)below(w, 6) << g;

	va += (uint64_t)below(w, 3) << w->granule.cls[2].shift;
	va += (uint64_t)below(w, 2) << w->granule.level_shift[2];
	if (!below(w, 8))
		va += UINT64_C(1) << w->granule.level_shift[1];
	if (!below(w, 16))
		va |= UINT64_C(0xfff) << 36;
	return (va + below(w, 1u << g)) & ((UINT64_C(1) << 48) - 1);
}

static unsigned vm_of(unsigned space)
{
	return spaces[space].vmid == vmids[0] ? 0 : 1;
}

static uint64_t random_record(struct world *w)
{
	uint64_t record = random_va(w);

	if (!below(w, 4))
		record |= DVMI_ACCESS_UPPER;
	if (!below(w, 3))
		return record | DVMI_ACCESS_FETCH;
	return below(w, 2) ? record : record | DVMI_ACCESS_WRITE;
}

static void same_result(const struct world *w, const struct dvmi_tlb_result *a,
			const struct dvmi_tlb_result *b)
{
	ck_assert_msg(a->level == b->level && a->flags == b->flags && a->fetches == b->fetches &&
			      a->cost_ps == b->cost_ps,
		      "seed %llu: level %d/%d flags %u/%u fetches %u/%u cost %llu/%llu",
		      (unsigned long long)w->seed, a->level, b->level, a->flags, b->flags,
		      a->fetches, b->fetches, (unsigned long long)a->cost_ps,
		      (unsigned long long)b->cost_ps);
}

static struct dvmi_tlb_context context_of(struct world *w, unsigned space)
{
	return (struct dvmi_tlb_context){.asid = spaces[space].asid,
					 .vmid = spaces[space].vmid,
					 .lower = w->lower[space],
					 .upper = w->upper[vm_of(space)],
					 .stage2 = w->nested[vm_of(space)] ?
							   &w->stage2[vm_of(space)] : NULL,
					 .space = space};
}

static void ref_access(struct world *w, unsigned cpu, unsigned space, uint64_t record, uint64_t now,
		       struct dvmi_tlb_result *result)
{
	struct dvmi_tlb_context c = context_of(w, space);
	struct ref_context context = {c.asid, c.vmid, w->ref_lower[space],
				      w->ref_upper[vm_of(space)], c.stage2,
				      c.stage2 ? c.stage2->version : 0, space};

	ref_tlb_access(w->ref[cpu], &context, record, now, result);
}

static void access_both(struct world *w, unsigned cpu, unsigned space, uint64_t record)
{
	struct dvmi_tlb_context context = context_of(w, space);
	struct dvmi_tlb_result a, b;

	dvmi_tlb_access(w->fast[cpu], &context, record, w->now, &a);
	ref_access(w, cpu, space, record, w->now, &b);
	same_result(w, &a, &b);
	w->last_record[cpu] = record;
	w->last_space[cpu] = space;
}

static void do_access(struct world *w, unsigned cpu)
{
	access_both(w, cpu, below(w, SPACES), random_record(w));
}

/* What dvmi_tlb_run() promises, record by record. */
static size_t ref_run(struct world *w, unsigned cpu, unsigned space, const uint64_t *records,
		      size_t n, struct dvmi_tlb_clock *clock, enum dvmi_tlb_stop *stop)
{
	struct dvmi_tlb_result r;

	for (size_t i = 0; i < n; i++) {
		*stop = DVMI_TLB_LIMIT;
		if (clock->now_ps >= clock->limit_ps)
			return i;
		clock->starts_ps += clock->now_ps;
		ref_access(w, cpu, space, records[i], clock->now_ps, &r);
		clock->now_ps += clock->access_ps + r.cost_ps;
		*stop = DVMI_TLB_FAULT;
		if (r.flags & (DVMI_TLB_READONLY | DVMI_TLB_UNMAPPED))
			return i;
		*stop = DVMI_TLB_USED_STALE;
		if (r.flags & DVMI_TLB_STALE)
			return i + 1;
	}
	*stop = DVMI_TLB_END;
	return n;
}

static void do_batch(struct world *w, unsigned cpu)
{
	uint64_t records[64];
	unsigned space = below(w, SPACES), n = below(w, 64);
	struct dvmi_tlb_clock clock = {w->now, w->now + below(w, 200), below(w, 4), 0}, ref_clock;
	struct dvmi_tlb_context context = context_of(w, space);
	enum dvmi_tlb_stop stop, ref_stop;
	size_t done, ref_done;

	if (!below(w, 3))
		clock.limit_ps = UINT64_MAX;
	for (unsigned i = 0; i < n; i++)
		records[i] = i && below(w, 2) ? records[i - 1] ^ below(w, 4096) : random_record(w);
	ref_clock = clock;
	done = dvmi_tlb_run(w->fast[cpu], &context, records, n, &clock, &stop);
	ref_done = ref_run(w, cpu, space, records, n, &ref_clock, &ref_stop);
	ck_assert_msg(done == ref_done && stop == ref_stop && clock.now_ps == ref_clock.now_ps &&
			      clock.starts_ps == ref_clock.starts_ps,
		      "seed %llu: batch", (unsigned long long)w->seed);
	w->now = clock.now_ps;
}

static struct dvmi_inval random_inval(struct world *w)
{
	static const enum dvmi_inval_kind kinds[] = {
		DVMI_INVAL_VA,	DVMI_INVAL_VA,	 DVMI_INVAL_VA,	  DVMI_INVAL_VA,    DVMI_INVAL_VAA,
		DVMI_INVAL_VAA, DVMI_INVAL_ASID, DVMI_INVAL_ASID, DVMI_INVAL_VMALL, DVMI_INVAL_ALL,
		DVMI_INVAL_VMALLS12};
	unsigned space = below(w, SPACES);
	struct dvmi_inval inval = {
		.kind = kinds[below(w, below(w, 8) ? 8 : 11)],
		.vmid = spaces[space].vmid,
		.asid = spaces[space].asid,
		.va = random_va(w) | (below(w, 4) ? 0 : UINT64_C(0xff) << 48),
		.pages = below(w, 2) ? below(w, 4) : 1 + below(w, 1u << below(w, 20)),
		.leaf_only = below(w, 2) != 0,
		.ttl = (int8_t)(below(w, 2) ? DVMI_TTL_NONE : (int)below(w, 4)),
	};

	if (w->nested[vm_of(space)] && !below(w, 3)) {
		const struct dvmi_stage2 *s = &w->stage2[vm_of(space)];

		inval.kind = DVMI_INVAL_IPA;
		inval.va = below(w, 2) ? dvmi_stage2_page(s, space, 0, random_va(w), w->granule.bits) :
					 dvmi_stage2_table(s, &w->granule, space, 0, random_va(w),
							   below(w, 4));
	}
	return inval;
}

static void do_post(struct world *w)
{
	struct dvmi_inval inval = random_inval(w);
	uint64_t base = w->now + 1 + below(w, 40);

	ck_assert_int_eq(dvmi_tlb_log_post(w->log, &inval, base, NULL), 0);
	for (unsigned c = 0; c < w->cpus; c++)
		ref_tlb_post(w->ref[c], &inval, base);
}

static void do_watch(struct world *w)
{
	struct dvmi_inval range = random_inval(w);
	uint64_t at = w->now + 1 + below(w, 40);

	range.ttl = DVMI_TTL_NONE;
	ck_assert_int_eq(dvmi_tlb_log_watch(w->log, &range, w->version, at, NULL), 0);
	for (unsigned c = 0; c < w->cpus; c++)
		ref_tlb_watch(w->ref[c], &range, w->version, at);
}

static void do_table(struct world *w)
{
	unsigned space = below(w, SPACES), g = w->granule.bits;
	int upper = !below(w, 4);
	unsigned class = below(w, w->granule.classes + 1u);
	struct dvmi_xlate x = {w->granule.cls[class].shift, below(w, 4) != 0,
			       (uint8_t)(upper ? below(w, 8) != 0 : below(w, 8) == 0)};
	uint64_t va = random_va(w) >> g << g, pages = 1 + below(w, 1u << below(w, 18));
	struct dvmi_ptable *pt = upper ? w->upper[vm_of(space)] : w->lower[space];
	struct ref_pt *ref = upper ? w->ref_upper[vm_of(space)] : w->ref_lower[space];

	/* Leave most of the space mapped. */
	if (!class && below(w, 4))
		x.size_bits = w->granule.bits;
	if (class && below(w, 2))
		va = va >> w->granule.cls[class].shift << w->granule.cls[class].shift;
	if (pages > ((UINT64_C(1) << 48) - va) >> g)
		pages = 1;
	ck_assert_int_eq(dvmi_ptable_set(pt, va, pages, x, NULL), 0);
	ref_pt_set(ref, va, pages, x);
	w->version++;
	w->stage2[below(w, VMIDS)].version = w->version;
	dvmi_ptable_change(pt, w->version);
	ref_pt_change(ref, w->version);
}

static int same_entry(const struct dvmi_tlb_entry *a, const struct dvmi_tlb_entry *b)
{
	return a->va == b->va && a->upper == b->upper && a->vmid == b->vmid &&
	       a->global == b->global && a->writable == b->writable && a->stale == b->stale &&
	       a->shift == b->shift && a->level == b->level && a->asid == b->asid &&
	       a->version == b->version && a->set == b->set &&
	       a->stage1_shift == b->stage1_shift;
}

static void compare(struct world *w, unsigned cpu)
{
	struct dvmi_tlb_entry a[128], b[128];
	const struct dvmi_tlb_stale *s = dvmi_tlb_stale(w->fast[cpu]), *t;
	size_t total = 0;

	for (int part = 0; part < DVMI_PARTS; part++) {
		size_t n = dvmi_tlb_dump(w->fast[cpu], (enum dvmi_tlb_part)part, a, 128);
		size_t m = ref_tlb_dump(w->ref[cpu], (enum dvmi_tlb_part)part, b, 128);

		total += n;
		ck_assert_msg(n == m, "seed %llu: part %d holds %zu, should %zu",
			      (unsigned long long)w->seed, part, n, m);
		for (size_t i = 0; i < n; i++)
			ck_assert_msg(same_entry(&a[i], &b[i]), "seed %llu: part %d entry %zu",
				      (unsigned long long)w->seed, part, i);
	}
	ck_assert_uint_eq(dvmi_tlb_entries(w->fast[cpu]), total);
	ck_assert_msg(!memcmp(dvmi_tlb_stats(w->fast[cpu]), ref_tlb_stats(w->ref[cpu]),
			      sizeof(struct dvmi_tlb_stats)),
		      "seed %llu: statistics", (unsigned long long)w->seed);
	t = ref_tlb_stale(w->ref[cpu]);
	ck_assert_msg(!s == !t && (!s || (s->va == t->va && s->asid == t->asid &&
					  s->vmid == t->vmid && s->walk == t->walk &&
					  s->stage2 == t->stage2 &&
					  s->version == t->version && s->time_ps == t->time_ps)),
		      "seed %llu: first stale use", (unsigned long long)w->seed);
}

/* Everybody up to the present, so that lazy and eager bookkeeping can be compared. */
static void compare_all(struct world *w)
{
	for (unsigned c = 0; c < w->cpus; c++) {
		dvmi_tlb_settle(w->fast[c], w->now);
		ref_tlb_settle(w->ref[c], w->now);
		compare(w, c);
	}
}

static void step(struct world *w)
{
	unsigned cpu = below(w, below(w, 400) ? w->active : w->cpus);
	unsigned what = below(w, 100);

	w->now += below(w, 6);
	if (below(w, 2))
		dvmi_tlb_log_horizon(w->log, w->now);
	if (what < w->posts_percent) {
		do_post(w);
	} else if (what < w->posts_percent + 3) {
		struct dvmi_inval inval = random_inval(w);

		/* A local operation of a CPU that acts now. */
		dvmi_tlb_settle(w->fast[cpu], w->now);
		ref_tlb_settle(w->ref[cpu], w->now);
		ck_assert_int_eq(dvmi_tlb_apply(w->fast[cpu], &inval), 0);
		ref_tlb_apply(w->ref[cpu], &inval);
	} else if (what < w->posts_percent + 6) {
		do_table(w);
	} else if (what < w->posts_percent + 8) {
		do_watch(w);
	} else if (what < w->posts_percent + 15) {
		do_batch(w, cpu);
	} else {
		do_access(w, cpu);
	}
}

#define SEEDS 150

static unsigned long total_stale, total_l2, total_readonly, total_unmapped, total_stage2_hits,
	total_stage2_walks;

START_TEST(fast_equals_plain)
{
	for (uint64_t seed = (uint64_t)_i * SEEDS; seed < (uint64_t)(_i + 1) * SEEDS; seed++) {
		struct world w;

		setup(&w, seed, 0);
		for (int i = 0; i < 1500; i++) {
			step(&w);
			if (i % 100 == 99)
				compare_all(&w);
		}
		for (unsigned c = 0; c < w.cpus; c++) {
			total_stale += dvmi_tlb_stats(w.fast[c])->stale_uses;
			total_l2 += dvmi_tlb_stats(w.fast[c])->l2_hits;
			total_readonly += dvmi_tlb_stats(w.fast[c])->writes_refused;
			total_unmapped += dvmi_tlb_stats(w.fast[c])->unmapped;
			total_stage2_hits += dvmi_tlb_stats(w.fast[c])->stage2_hits;
			total_stage2_walks += dvmi_tlb_stats(w.fast[c])->stage2_walks;
		}
		teardown(&w);
	}
	/* A comparison that never met these would prove little. */
	ck_assert(total_stale && total_l2 && total_readonly && total_unmapped);
	ck_assert(total_stage2_hits && total_stage2_walks);
}
END_TEST

/* An idle CPU behind more distinct operations than the log holds: the forced catch-up. */
START_TEST(a_backlog_larger_than_the_log_loses_nothing)
{
	struct world w;

	setup(&w, 1000 + (uint64_t)_i, _i % 4 ? CPUS : 2);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++)
			do_access(&w, below(&w, w.cpus));
		for (unsigned i = 0; i < 12000; i++) {
			struct dvmi_inval inval = {.kind = DVMI_INVAL_VA,
						   .asid = 7,
						   .va = (uint64_t)i << w.granule.bits,
						   .ttl = DVMI_TTL_NONE};

			if (i % 3 == 0 || (i % 100 == 50 && _i % 2))
				inval = random_inval(&w);
			/* Keep some entries alive through it all. */
			if (inval.kind == DVMI_INVAL_ALL || inval.kind == DVMI_INVAL_VMALL ||
			    (inval.kind == DVMI_INVAL_ASID && i % 5))
				inval.asid = 9, inval.kind = DVMI_INVAL_ASID;
			if (_i % 3)
				inval.va += (uint64_t)(1 + below(&w, 1u << 20)) << 30;
			w.now += 3;
			dvmi_tlb_log_horizon(w.log, w.now);
			ck_assert_int_eq(dvmi_tlb_log_post(w.log, &inval, w.now + 1, NULL), 0);
			for (unsigned c = 0; c < w.cpus; c++) {
				/* The reference may apply at once: nobody acts in between. */
				ref_tlb_post(w.ref[c], &inval, w.now + 1);
				ref_tlb_settle(w.ref[c], w.now + 100);
			}
			if (below(&w, 150))
				continue;
			/* One wakes up, so that the others lag by different amounts. */
			w.now += 100;
			for (unsigned c = below(&w, 2 * w.cpus), k = 0; c < w.cpus && k < 20; k++)
				do_access(&w, c);
		}
		/* Past 256 + 64 per TLB sleepers are served; the list grows by doubling. */
		ck_assert_uint_le(dvmi_tlb_log_records(w.log), 2 * (256 + 64 * w.cpus));
		w.now += 100;
		for (unsigned c = 0; c < w.cpus; c++)
			access_both(&w, c, w.last_space[c], w.last_record[c]);
		compare_all(&w);
	}
	teardown(&w);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "reference");

	tcase_add_loop_test(tc, fast_equals_plain, 0, 3);
	tcase_add_loop_test(tc, a_backlog_larger_than_the_log_loses_nothing, 0, 12);
}

CHECK_MAIN("hw_tlb_ref", add_cases)
