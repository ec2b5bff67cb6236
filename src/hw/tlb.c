/* SPDX-License-Identifier: MIT */
#include "hw/tlb.h"

#include "base/mem.h"
#include "hw/tlb_impl.h"

#include <string.h>

static int check_array(const char *name, int entries, int ways, int max, int min,
		       struct dvm_error *err)
{
	if (entries < min || entries > max)
		return dvmi_error(err, DVM_ELIMIT, name, "%d entries: not in %d..%d", entries, min,
				  max);
	if (ways < 0 || (ways && entries % ways))
		return dvmi_error(err, DVM_EINVAL, name,
				  "%d entries do not divide into sets of %d ways", entries, ways);
	return 0;
}

static int check(const struct dvmi_tlb_geometry *g, struct dvm_error *err)
{
	int ret = check_array("l1i", g->l1i_entries, g->l1i_ways, DVMI_TLB_L1_MAX, 1, err);

	if (!ret)
		ret = check_array("l1d", g->l1d_entries, g->l1d_ways, DVMI_TLB_L1_MAX, 1, err);
	if (!ret)
		ret = check_array("l2", g->l2_entries, g->l2_ways, DVMI_TLB_L2_MAX, 0, err);
	if (!ret)
		ret = check_array("walk cache", g->walk_cache_entries, 0, DVMI_TLB_WALK_MAX, 0, err);
	if (!ret)
		ret = check_array("stage 2", g->stage2_entries, 0, DVMI_TLB_WALK_MAX, 0, err);
	if (!ret && g->walkers < 1)
		ret = dvmi_error(err, DVM_EINVAL, "walkers", "a CPU has at least one");
	return ret;
}

static void set_shapes(struct tlb_shape shape[DVMI_PARTS], const struct dvmi_tlb_geometry *g)
{
	int whole = g->stage2_granule_bits > 0;

	shape[DVMI_PART_L1I] = (struct tlb_shape){ (uint32_t)g->l1i_entries,
						   (uint32_t)g->l1i_ways, 1, whole };
	shape[DVMI_PART_L1D] = (struct tlb_shape){ (uint32_t)g->l1d_entries,
						   (uint32_t)g->l1d_ways, 1, whole };
	shape[DVMI_PART_L2] = (struct tlb_shape){ (uint32_t)g->l2_entries, (uint32_t)g->l2_ways, 0,
						  whole };
	shape[DVMI_PART_WALK] = (struct tlb_shape){ (uint32_t)g->walk_cache_entries, 0, 0, 0 };
	shape[DVMI_PART_STAGE2] = (struct tlb_shape){ (uint32_t)g->stage2_entries, 0, 0, 0 };
}

/* What the entries of the classes cover. */
static void set_classes(struct tlb_array *a, int part, const struct dvmi_granule *g)
{
	a->table = part == DVMI_PART_STAGE2 ? 2 : part == DVMI_PART_WALK;
	a->classes = part == DVMI_PART_WALK ? 3 : g->classes;
	for (unsigned c = 1; c <= a->classes; c++)
		a->shift[c] = (uint8_t)((part == DVMI_PART_WALK ? g->level_shift[c - 1] :
								  g->cls[c].shift) -
					12);
}

int dvmi_tlb_new(struct dvmi_tlb **out, const struct dvmi_tlb_geometry *g,
		 struct dvmi_tlb_log *log, uint64_t hop_ps, struct dvm_error *err)
{
	struct tlb_shape shape[DVMI_PARTS];
	struct dvmi_granule granule, stage2;
	struct dvmi_tlb *tlb;
	size_t bytes = (sizeof(*tlb) + 15) & ~(size_t)15;
	char *memory;
	int ret = check(g, err);

	if (!ret)
		ret = dvmi_granule_init(&granule, g->granule_bits, g->va_bits, err);
	if (!ret)
		ret = dvmi_granule_init(&stage2,
					g->stage2_granule_bits ? g->stage2_granule_bits :
								 g->granule_bits,
					48, err);
	if (ret)
		return ret;
	set_shapes(shape, g);
	for (int i = 0; i < DVMI_PARTS; i++)
		bytes += tlb_array_bytes(&shape[i]);
	tlb = dvmi_zalloc(bytes);
	if (!tlb)
		return dvmi_error_nomem(err);
	tlb->bytes = bytes;
	tlb->granule = granule;
	tlb->stage2_granule = stage2;
	tlb->geometry = *g;
	tlb->hop_ps = hop_ps;
	tlb->threads = 1;
	memory = (char *)tlb + ((sizeof(*tlb) + 15) & ~(size_t)15);
	for (int i = 0; i < DVMI_PARTS; i++) {
		tlb_array_init(&tlb->part[i], &shape[i], memory);
		memory += tlb_array_bytes(&shape[i]);
		set_classes(&tlb->part[i], i, i == DVMI_PART_STAGE2 ? &stage2 : &granule);
	}
	memo_clear(tlb);
	if (log) {
		ret = tlb_log_attach(log, tlb, err);
		if (ret) {
			dvmi_free(tlb);
			return ret;
		}
	}
	*out = tlb;
	return 0;
}

void dvmi_tlb_free(struct dvmi_tlb *tlb)
{
	if (!tlb)
		return;
	if (tlb->log)
		tlb_log_detach(tlb->log, tlb);
	dvmi_free(tlb->own);
	dvmi_free(tlb);
}

void dvmi_tlb_set_order(struct dvmi_tlb *tlb, uint32_t order, unsigned threads)
{
	tlb->order = order;
	tlb->threads = threads;
}

/* Fibonacci hashing; the query includes ASID and VMID. */
static inline unsigned predict_hash(uint64_t query)
{
	return (unsigned)((query * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - PREDICT_BITS));
}

static inline uint64_t query_of(uint64_t who, uint64_t record)
{
	return ((record >> 12) & KEY_QUERY) | who;
}

/*
 * Records that hit an L1 at the memo or at the predicted slot. Returns the index of the first one
 * that does not (nothing was done for it yet).
 */
static size_t run_fast(struct dvmi_tlb *tlb, const uint64_t *records, size_t n)
{
	const struct tlb_match *match[SIDES];
	uint32_t *stamp[SIDES];
	uint64_t memo[SIDES], memo_mask[SIDES], who = tlb->who;
	uint32_t clock = tlb->clock;
	size_t i;

	for (unsigned side = 0; side < SIDES; side++) {
		match[side] = side_array(tlb, side)->match;
		stamp[side] = side_array(tlb, side)->stamp;
		memo[side] = tlb->memo[side];
		memo_mask[side] = tlb->memo_mask[side];
	}
	for (i = 0; i < n; i++) {
		uint64_t record = records[i], query;
		unsigned side = (unsigned)(record >> 49) & 1, slot;
		struct tlb_match m;

		if ((record & memo_mask[side]) == memo[side])
			continue;
		query = query_of(who, record);
		slot = tlb->predict[side][predict_hash(query & ~KEY_WRITE)];
		m = match[side][slot];
		if ((query & m.mask) != m.match)
			break;
		stamp[side][slot] = ++clock;
		memo_mask[side] = (m.mask & KEY_QUERY) << 12;
		memo[side] = (m.match & KEY_QUERY) << 12;
	}
	for (unsigned side = 0; side < SIDES; side++) {
		tlb->memo[side] = memo[side];
		tlb->memo_mask[side] = memo_mask[side];
	}
	tlb->clock = clock;
	return i;
}

static uint32_t find_l1(const struct tlb_array *a, const struct tlb_counts *counts, uint64_t query)
{
	unsigned near = 0;

	if (a->sets > 1)
		return tlb_array_find(a, query);
	for (unsigned c = 1; a->used >> c; c++)
		if (a->used >> c & 1)
			near |= counts->near[tlb_near(a, query, c)];
	if (!near)
		return NO_SLOT;
	/* Fully associative: one sweep over all sizes; at most one entry matches. */
	for (uint32_t i = 0; i < a->entries; i++) {
		uint64_t mask = a->match[i].mask & ~(KEY_WRITE | KEY_STALE);

		if (!((query ^ a->match[i].match) & mask))
			return i;
	}
	return NO_SLOT;
}

void tlb_note_stale(struct dvmi_tlb *tlb, uint64_t record, uint64_t version, enum tlb_use use,
		    uint64_t now_ps)
{
	tlb->stats.stale_uses++;
	if (tlb->has_stale)
		return;
	tlb->has_stale = 1;
	tlb->stale = (struct dvmi_tlb_stale){
		.va = record & ((UINT64_C(1) << 51) - 1),
		.asid = (uint16_t)((tlb->who & KEY_ASID) >> KEY_ASID_SHIFT),
		.vmid = (uint8_t)((tlb->who & KEY_VMID) >> KEY_VMID_SHIFT),
		.walk = use == TLB_USE_WALK,
		.stage2 = use == TLB_USE_STAGE2,
		.version = version,
		.time_ps = now_ps,
	};
}

/* L1 missed: L2, else a walk that fills L2. Returns 0 when the address is not mapped. */
static int refill(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context, uint64_t record,
		  uint64_t query, uint64_t now_ps, struct tlb_fill *fill, struct dvmi_tlb_result *result)
{
	struct tlb_array *l2 = &tlb->part[DVMI_PART_L2];
	uint32_t slot = tlb_array_find(l2, query);

	if (l2->entries)
		result->cost_ps += tlb->geometry.l2_hit_ps;
	if (slot != NO_SLOT) {
		tlb->stats.l2_hits++;
		result->level = DVMI_TLB_L2;
		l2->stamp[slot] = ++tlb->clock;
		fill->key = l2->key[slot];
		fill->version = l2->version[slot];
		fill->whole = l2->whole ? l2->whole[slot] : key_class(fill->key);
		return 1;
	}
	if (!tlb_walk(tlb, context, record, query, now_ps, fill, result))
		return 0;
	if (l2->entries) {
		slot = tlb_array_victim(l2, fill->key);
		tlb_array_put(l2, slot, fill->key, fill->version, ++tlb->clock, &tlb->counts);
		tlb_array_set_whole(l2, slot, fill->whole);
	}
	return 1;
}

/* Everything the fast path does not know. */
static void access_slow(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context,
			uint64_t record, uint64_t now_ps, struct dvmi_tlb_result *result)
{
	unsigned side = (unsigned)(record >> 49) & 1;
	struct tlb_array *a = side_array(tlb, side);
	uint64_t query = query_of(tlb->who, record), key;
	uint32_t slot = find_l1(a, &tlb->counts, query);
	struct tlb_fill fill;

	*result = (struct dvmi_tlb_result){ .level = DVMI_TLB_L1 };
	tlb->memo_mask[side] = 0;
	tlb->memo[side] = 1;
	if (slot == NO_SLOT) {
		if (side == SIDE_FETCH)
			tlb->stats.l1i_misses++;
		else
			tlb->stats.l1d_misses++;
		if (!refill(tlb, context, record, query, now_ps, &fill, result)) {
			tlb->stats.unmapped++;
			result->flags |= DVMI_TLB_UNMAPPED;
			return;
		}
		tlb_array_make_room(a, fill.key, &tlb->counts);
		slot = tlb_array_victim(a, fill.key);
		tlb_array_put(a, slot, fill.key, fill.version, 0, &tlb->counts);
		tlb_array_set_whole(a, slot, fill.whole);
	}
	a->stamp[slot] = ++tlb->clock;
	tlb->predict[side][predict_hash(query & ~KEY_WRITE)] = (uint16_t)slot;
	key = a->key[slot];
	if (key & KEY_STALE) {
		result->flags |= DVMI_TLB_STALE;
		tlb_note_stale(tlb, record, a->version[slot], TLB_USE_LEAF, now_ps);
	}
	if ((query & KEY_WRITE) && !(key & KEY_WRITE)) {
		tlb->stats.writes_refused++;
		result->flags |= DVMI_TLB_READONLY;
	}
	if (key & KEY_STALE)
		return;
	tlb->memo_mask[side] = (a->match[slot].mask & KEY_QUERY) << 12;
	/* From the entry: a refused write must not become a remembered one. */
	tlb->memo[side] = (a->match[slot].match & KEY_QUERY) << 12;
}

/* Room for @n more records in the 32-bit LRU clock; a record takes at most 16 stamps: an
   entry of each L1 and L2, 4 of the walk cache, 5 of stage 2. */
#define STAMPS_PER_RECORD 16

static void make_stamps(struct dvmi_tlb *tlb, size_t n)
{
	uint32_t most = 0;

	if (tlb->clock <= UINT32_MAX - STAMPS_PER_RECORD - n * STAMPS_PER_RECORD)
		return;
	for (int i = 0; i < DVMI_PARTS; i++) {
		tlb_array_restamp(&tlb->part[i]);
		if (tlb->part[i].ways > most)
			most = tlb->part[i].ways;
	}
	tlb->clock = most;
}

static void install(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context)
{
	uint64_t who = (uint64_t)(context->vmid % DVMI_TLB_VMIDS) << KEY_VMID_SHIFT |
		       (uint64_t)context->asid << KEY_ASID_SHIFT;

	if (who == tlb->who)
		return;
	tlb->who = who;
	memo_clear(tlb);
}

void dvmi_tlb_access(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context, uint64_t record,
		     uint64_t now_ps, struct dvmi_tlb_result *result)
{
	install(tlb, context);
	dvmi_tlb_settle(tlb, now_ps);
	make_stamps(tlb, 1);
	tlb->stats.accesses++;
	if (run_fast(tlb, &record, 1) == 1)
		*result = (struct dvmi_tlb_result){ .level = DVMI_TLB_L1 };
	else
		access_slow(tlb, context, record, now_ps, result);
}

/* Records that may start before the limit and before anything changes this TLB. */
static size_t chunk(const struct dvmi_tlb *tlb, const struct dvmi_tlb_clock *clock, size_t left)
{
	uint64_t limit = dvmi_tlb_next_due(tlb), room;
	const size_t most = (size_t)1 << 26;

	if (clock->limit_ps < limit)
		limit = clock->limit_ps;
	if (left > most)
		left = most;
	if (!clock->access_ps || limit == UINT64_MAX)
		return left;
	room = (limit - clock->now_ps - 1) / clock->access_ps + 1;
	return room < left ? (size_t)room : left;
}

size_t dvmi_tlb_run(struct dvmi_tlb *tlb, const struct dvmi_tlb_context *context,
		    const uint64_t *records, size_t n, struct dvmi_tlb_clock *clock,
		    enum dvmi_tlb_stop *stop)
{
	struct dvmi_tlb_result result;
	size_t done = 0;

	install(tlb, context);
	*stop = DVMI_TLB_END;
	while (done < n) {
		size_t todo, hits;

		if (clock->now_ps >= clock->limit_ps) {
			*stop = DVMI_TLB_LIMIT;
			break;
		}
		dvmi_tlb_settle(tlb, clock->now_ps);
		todo = chunk(tlb, clock, n - done);
		make_stamps(tlb, todo);
		hits = run_fast(tlb, records + done, todo);
		tlb->stats.accesses += hits;
		clock->starts_ps += hits * clock->now_ps +
				    clock->access_ps * (hits * (hits - 1) / 2);
		clock->now_ps += hits * clock->access_ps;
		done += hits;
		if (hits == todo)
			continue;
		tlb->stats.accesses++;
		clock->starts_ps += clock->now_ps;
		access_slow(tlb, context, records[done], clock->now_ps, &result);
		clock->now_ps += clock->access_ps + result.cost_ps;
		if (result.flags & (DVMI_TLB_READONLY | DVMI_TLB_UNMAPPED)) {
			*stop = DVMI_TLB_FAULT;
			break;
		}
		done++;
		if (result.flags & DVMI_TLB_STALE) {
			*stop = DVMI_TLB_USED_STALE;
			break;
		}
	}
	return done;
}

const struct dvmi_tlb_stats *dvmi_tlb_stats(const struct dvmi_tlb *tlb)
{
	return &tlb->stats;
}

const struct dvmi_tlb_stale *dvmi_tlb_stale(const struct dvmi_tlb *tlb)
{
	return tlb->has_stale ? &tlb->stale : NULL;
}

size_t dvmi_tlb_bytes(const struct dvmi_tlb *tlb)
{
	return tlb->bytes + tlb->own_capacity * sizeof(*tlb->own);
}

size_t dvmi_tlb_entries(const struct dvmi_tlb *tlb)
{
	return tlb->counts.present[BUCKET_ANY];
}
