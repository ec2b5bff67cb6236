/* SPDX-License-Identifier: MIT */
#include "ref_tlb.h"

#include <stdlib.h>
#include <string.h>

#define LOW48 0xffffffffffffull

/* ---- page tables: a list of paints, the last one counts ---- */

struct paint {
	uint64_t start, end;
	struct dvmi_xlate x;
};

struct ref_pt {
	int granule, upper;
	uint64_t version;
	struct paint *paints;
	size_t n;
};

/* The leaf sizes of a granule from small to large, with their level: DDI 0487, D8. */
struct leaf {
	unsigned shift, level;
};

static unsigned level_shift(int granule, unsigned level)
{
	return (unsigned)granule + (3 - level) * ((unsigned)granule - 3);
}

static unsigned leaves(int granule, struct leaf *out)
{
	/* log2 of the entries in a contiguous group, at levels 3, 2, 1. */
	unsigned group[3], blocks = granule == 12 ? 3 : 2, n = 0;

	if (granule == 12)
		group[0] = group[1] = group[2] = 4;
	else if (granule == 14)
		group[0] = 7, group[1] = 5;
	else
		group[0] = group[1] = 5;
	for (unsigned i = 0; i < blocks; i++) {
		unsigned shift = level_shift(granule, 3 - i);

		out[n++] = (struct leaf){shift, 3 - i};
		out[n++] = (struct leaf){shift + group[i], 3 - i};
	}
	return n;
}

struct ref_pt *ref_pt_new(int granule_bits, int upper)
{
	struct ref_pt *pt = calloc(1, sizeof(*pt));

	pt->granule = granule_bits;
	pt->upper = upper;
	return pt;
}

void ref_pt_free(struct ref_pt *pt)
{
	free(pt->paints);
	free(pt);
}

void ref_pt_set(struct ref_pt *pt, uint64_t va, uint64_t pages, struct dvmi_xlate x)
{
	pt->paints = realloc(pt->paints, (pt->n + 1) * sizeof(*pt->paints));
	va &= LOW48;
	pt->paints[pt->n++] = (struct paint){va, va + (pages << pt->granule), x};
}

void ref_pt_change(struct ref_pt *pt, uint64_t version)
{
	pt->version = version;
}

struct dvmi_xlate ref_pt_lookup(const struct ref_pt *pt, uint64_t va)
{
	struct dvmi_xlate x = {(uint8_t)pt->granule, 1, (uint8_t)pt->upper};
	struct leaf leaf[8];
	unsigned n = leaves(pt->granule, leaf);
	size_t top = pt->n;

	va &= LOW48;
	while (top > 0 && (va < pt->paints[top - 1].start || va >= pt->paints[top - 1].end))
		top--;
	if (!top)
		return x;
	x = pt->paints[top - 1].x;
	if (!x.size_bits)
		return x;
	/* The largest allowed unit around va that is this paint's alone. */
	while (n-- > 1) {
		uint64_t size = 1ull << leaf[n].shift, start = va & ~(size - 1);
		int whole = leaf[n].shift <= x.size_bits && start >= pt->paints[top - 1].start &&
			    start + size <= pt->paints[top - 1].end;

		for (size_t i = top; i < pt->n; i++)
			if (pt->paints[i].start < start + size && pt->paints[i].end > start)
				whole = 0;
		if (whole) {
			x.size_bits = (uint8_t)leaf[n].shift;
			return x;
		}
	}
	x.size_bits = (uint8_t)pt->granule;
	return x;
}

/* ---- the TLBs ---- */

struct list {
	struct dvmi_tlb_entry *e; /* most recently used first */
	size_t n;
	unsigned entries, ways, sets;
};

struct pending {
	struct dvmi_inval inval;
	uint64_t due;
	int watch;
	uint64_t version;
};

struct ref_tlb {
	struct dvmi_tlb_geometry g;
	struct list part[DVMI_PARTS];
	struct dvmi_tlb_stats stats;
	struct dvmi_tlb_stale stale;
	int has_stale;
	uint64_t hop;
	struct pending *pending;
	size_t npending;
};

struct ref_tlb *ref_tlb_new(const struct dvmi_tlb_geometry *g, uint64_t hop_ps)
{
	struct ref_tlb *t = calloc(1, sizeof(*t));
	int entries[DVMI_PARTS] = {g->l1i_entries, g->l1d_entries, g->l2_entries,
				   g->walk_cache_entries, g->stage2_entries};
	int ways[DVMI_PARTS] = {g->l1i_ways, g->l1d_ways, g->l2_ways, 0, 0};

	t->g = *g;
	t->hop = hop_ps;
	for (int i = 0; i < DVMI_PARTS; i++) {
		t->part[i].entries = (unsigned)entries[i];
		t->part[i].ways = (unsigned)(ways[i] ? ways[i] : entries[i]);
		t->part[i].sets = entries[i] ? t->part[i].entries / t->part[i].ways : 1;
		t->part[i].e = calloc((size_t)entries[i] + 1, sizeof(struct dvmi_tlb_entry));
	}
	return t;
}

void ref_tlb_free(struct ref_tlb *t)
{
	for (int i = 0; i < DVMI_PARTS; i++)
		free(t->part[i].e);
	free(t->pending);
	free(t);
}

static int covers(const struct dvmi_tlb_entry *e, uint64_t va)
{
	return e->va <= va && va < e->va + (1ull << e->shift);
}

static int serves(const struct dvmi_tlb_entry *e, uint64_t va, int upper, uint16_t asid,
		  uint8_t vmid)
{
	return covers(e, va) && e->upper == upper && e->vmid == vmid &&
	       (e->global || e->asid == asid);
}

static void erase(struct list *l, size_t i)
{
	memmove(l->e + i, l->e + i + 1, (l->n - i - 1) * sizeof(*l->e));
	l->n--;
}

static void to_front(struct list *l, size_t i)
{
	struct dvmi_tlb_entry e = l->e[i];

	memmove(l->e + 1, l->e, i * sizeof(*l->e));
	l->e[0] = e;
}

static void insert(struct list *l, struct dvmi_tlb_entry e)
{
	size_t same = 0, oldest = 0;

	e.set = (uint32_t)((e.va >> e.shift) % l->sets);
	for (size_t i = 0; i < l->n; i++) {
		if (l->e[i].set == e.set) {
			same++;
			oldest = i;
		}
	}
	if (same == l->ways)
		erase(l, oldest);
	memmove(l->e + 1, l->e, l->n * sizeof(e));
	l->e[0] = e;
	l->n++;
}

/* The serving entry to use: smallest first, non-global first. -1: none. */
static long choose(const struct list *l, uint64_t va, int upper, uint16_t asid, uint8_t vmid)
{
	long best = -1;

	for (size_t i = 0; i < l->n; i++) {
		const struct dvmi_tlb_entry *e = &l->e[i], *b = best < 0 ? NULL : &l->e[best];

		if (!serves(e, va, upper, asid, vmid))
			continue;
		if (!b || e->shift < b->shift || (e->shift == b->shift && e->global < b->global))
			best = (long)i;
	}
	return best;
}

/* An access on its way. */
struct ref_access {
	struct ref_tlb *t;
	const struct ref_context *c;
	uint64_t record, now;
	struct dvmi_tlb_result *r;
};

static void used_stale(const struct ref_access *a, const struct dvmi_tlb_entry *e, int walk,
		       int stage2)
{
	a->r->flags |= DVMI_TLB_STALE;
	a->t->stats.stale_uses++;
	if (!a->t->has_stale)
		a->t->stale = (struct dvmi_tlb_stale){a->record, a->c->asid, a->c->vmid, walk, stage2,
						      e->version, a->now};
	a->t->has_stale = 1;
}

/* splitmix64's finaliser. */
static uint64_t scramble(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t draw(const struct ref_access *a, unsigned kind, uint64_t number, uint64_t places)
{
	uint64_t space = a->c->space;

	kind += a->record & DVMI_ACCESS_UPPER ? 128 : 0;
	return places ? scramble(scramble(space * 256 + kind) ^ number) % places : 0;
}

/* Pages: in runs, or in one as large as the leaf. */
static uint64_t page_ipa(const struct ref_access *a, unsigned leaf_shift)
{
	unsigned run = a->c->stage2->run_shift;
	uint64_t va = a->record & LOW48;

	if (leaf_shift > run)
		run = leaf_shift;
	return draw(a, 0, va >> run, a->c->stage2->memory_bytes >> run) * (1ull << run) +
	       va % (1ull << run);
}

/* Tables: each by itself, in the first 64th. */
static uint64_t table_ipa(const struct ref_access *a, unsigned level, unsigned start)
{
	unsigned g = (unsigned)a->t->g.granule_bits;
	uint64_t number = level == start ? 0 : (a->record & LOW48) >> level_shift((int)g, level - 1);

	return draw(a, 1 + level, number, a->c->stage2->memory_bytes / 64 >> g) << g;
}

/* One translation by stage 2: descriptors read. */
static unsigned ref_stage2(const struct ref_access *a, uint64_t ipa)
{
	struct list *l = &a->t->part[DVMI_PART_STAGE2];
	const struct dvmi_stage2 *s = a->c->stage2;
	struct leaf leaf[8];
	unsigned n = leaves(s->granule_bits, leaf);
	struct dvmi_tlb_entry e = {.vmid = a->c->vmid, .shift = s->block_shift,
				   .version = a->c->stage2_version};

	for (size_t i = 0; i < l->n; i++) {
		if (!covers(&l->e[i], ipa) || l->e[i].vmid != a->c->vmid)
			continue;
		a->t->stats.stage2_hits++;
		if (l->e[i].stale)
			used_stale(a, &l->e[i], 0, 1);
		to_front(l, i);
		return 0;
	}
	a->t->stats.stage2_walks++;
	e.va = ipa >> s->block_shift << s->block_shift;
	for (unsigned i = 0; i < n; i++)
		if (leaf[i].shift == s->block_shift)
			e.level = (uint8_t)leaf[i].level;
	if (l->entries)
		insert(l, e);
	return s->reads;
}

/* Walk: returns 0 if not mapped. */
static int ref_walk(const struct ref_access *a, const struct ref_pt *pt, struct dvmi_tlb_entry *out)
{
	struct ref_tlb *t = a->t;
	struct list *wc = &t->part[DVMI_PART_WALK];
	struct dvmi_xlate x = ref_pt_lookup(pt, a->record);
	struct leaf leaf[8];
	unsigned n = leaves(t->g.granule_bits, leaf), level = 3, first, start = 0;
	uint64_t va = a->record & LOW48;
	uint16_t asid = a->c->asid;
	uint8_t vmid = a->c->vmid;
	int upper = (a->record & DVMI_ACCESS_UPPER) != 0, known = 0;

	while (level_shift(t->g.granule_bits, start) >= (unsigned)t->g.va_bits)
		start++;
	first = start;
	for (unsigned i = 0; i < n; i++)
		if (leaf[i].shift == x.size_bits)
			level = leaf[i].level;
	/* The deepest table descriptor above the leaf; of two, the non-global one. */
	for (int l = (int)level - 1; l >= (int)start; l--) {
		long best = -1;

		for (size_t i = 0; i < wc->n; i++)
			if (wc->e[i].level == l && serves(&wc->e[i], va, upper, asid, vmid) &&
			    (best < 0 || !wc->e[i].global))
				best = (long)i;
		if (best < 0)
			continue;
		if (wc->e[best].stale)
			used_stale(a, &wc->e[best], 1, 0);
		to_front(wc, (size_t)best);
		first = (unsigned)l + 1;
		known = 1;
		break;
	}
	*out = (struct dvmi_tlb_entry){.upper = (uint8_t)upper,
				       .vmid = vmid,
				       .global = x.global,
				       .asid = x.global ? 0 : asid,
				       .version = pt->version};
	a->r->level = DVMI_TLB_WALK;
	for (unsigned l = first; l <= level; l++) {
		struct dvmi_tlb_entry e = *out;

		/* Where is the table? A walk-cache entry has said so. */
		if (a->c->stage2 && !(l == first && known))
			a->r->fetches += ref_stage2(a, table_ipa(a, l, start));
		a->r->fetches++;
		/* The descriptor above is kept when it is known where it leads. */
		if (l == first || !wc->entries || !x.size_bits)
			continue;
		e.level = (uint8_t)(l - 1);
		e.shift = e.stage1_shift = (uint8_t)level_shift(t->g.granule_bits, l - 1);
		e.va = va & ~((1ull << e.shift) - 1);
		insert(wc, e);
	}
	if (x.size_bits && a->c->stage2)
		a->r->fetches += ref_stage2(a, page_ipa(a, x.size_bits));
	a->r->cost_ps += a->r->fetches * t->g.walk_step_ps;
	t->stats.walks++;
	t->stats.descriptors += a->r->fetches;
	if (!x.size_bits)
		return 0;
	out->writable = x.writable;
	out->shift = out->stage1_shift = x.size_bits;
	/* The largest size that both leaves hold. */
	for (unsigned i = 0; i < n && a->c->stage2; i++)
		if (leaf[i].shift <= x.size_bits &&
		    (!i || leaf[i].shift <= a->c->stage2->block_shift))
			out->shift = (uint8_t)leaf[i].shift;
	out->level = (uint8_t)level;
	out->va = va & ~((1ull << out->shift) - 1);
	return 1;
}

static int overlap(const struct dvmi_tlb_entry *a, const struct dvmi_tlb_entry *b)
{
	return a->upper == b->upper && a->vmid == b->vmid &&
	       (a->global || b->global || a->asid == b->asid) &&
	       a->va < b->va + (1ull << b->shift) && b->va < a->va + (1ull << a->shift);
}

void ref_tlb_access(struct ref_tlb *t, const struct ref_context *c, uint64_t record,
		    uint64_t now_ps, struct dvmi_tlb_result *r)
{
	int fetch = (record & DVMI_ACCESS_FETCH) != 0, up = (record & DVMI_ACCESS_UPPER) != 0;
	struct list *l1 = &t->part[fetch ? DVMI_PART_L1I : DVMI_PART_L1D];
	struct ref_access a = {t, c, record, now_ps, r};
	struct list *l2 = &t->part[DVMI_PART_L2];
	uint64_t va = record & LOW48;
	struct dvmi_tlb_entry e;
	long i;

	ref_tlb_settle(t, now_ps);
	t->stats.accesses++;
	*r = (struct dvmi_tlb_result){.level = DVMI_TLB_L1};
	i = choose(l1, va, up, c->asid, c->vmid);
	if (i >= 0) {
		to_front(l1, (size_t)i);
	} else {
		if (fetch)
			t->stats.l1i_misses++;
		else
			t->stats.l1d_misses++;
		if (l2->entries)
			r->cost_ps += t->g.l2_hit_ps;
		i = choose(l2, va, up, c->asid, c->vmid);
		if (i >= 0) {
			t->stats.l2_hits++;
			r->level = DVMI_TLB_L2;
			to_front(l2, (size_t)i);
			e = l2->e[0];
		} else {
			if (!ref_walk(&a, up ? c->upper : c->lower, &e)) {
				t->stats.unmapped++;
				r->flags |= DVMI_TLB_UNMAPPED;
				return;
			}
			if (l2->entries)
				insert(l2, e);
		}
		for (size_t j = l1->n; j-- > 0;)
			if (overlap(&l1->e[j], &e))
				erase(l1, j);
		insert(l1, e);
	}
	if (l1->e[0].stale)
		used_stale(&a, &l1->e[0], 0, 0);
	if ((record & DVMI_ACCESS_WRITE) && !l1->e[0].writable) {
		r->flags |= DVMI_TLB_READONLY;
		t->stats.writes_refused++;
	}
}

/* Is @e of @part removed by @inval? One clause per rule of architecture. */
static int removes(const struct ref_tlb *t, const struct dvmi_inval *inval,
		   const struct dvmi_tlb_entry *e, int part, int watch)
{
	uint64_t start = (inval->va & LOW48) >> t->g.granule_bits << t->g.granule_bits, end, va;
	int upper = (int)(inval->va >> 55 & 1), hint = inval->ttl, table = part == DVMI_PART_WALK;

	if (watch && table && inval->leaf_only)
		return 0;
	if (inval->kind == DVMI_INVAL_ALL)
		return 1;
	if (e->vmid != inval->vmid)
		return 0;
	if (inval->kind == DVMI_INVAL_VMALLS12)
		return 1;
	if (inval->kind == DVMI_INVAL_IPA) {
		start = (inval->va & LOW48) >> 12 << 12;
		end = start + (inval->pages ? inval->pages : 1) * 4096;
		return part == DVMI_PART_STAGE2 && e->va < end && e->va + (1ull << e->shift) > start;
	}
	/* What follows is about stage 1, or both in one. */
	if (part == DVMI_PART_STAGE2)
		return 0;
	if (inval->kind == DVMI_INVAL_VMALL)
		return 1;
	if (inval->kind == DVMI_INVAL_ASID)
		return !e->global && e->asid == inval->asid;
	/* By address. */
	if (inval->kind == DVMI_INVAL_VA && !e->global && e->asid != inval->asid)
		return 0;
	if (inval->kind == DVMI_INVAL_VA && e->global && watch)
		return 0;
	end = start + ((inval->pages ? inval->pages : 1) << t->g.granule_bits);
	if (end > LOW48 + 1)
		end = LOW48 + 1;
	/* The leaf it was made from is named, not the piece of it. */
	va = e->va >> e->stage1_shift << e->stage1_shift;
	if (e->upper != upper || va >= end || va + (1ull << e->stage1_shift) <= start)
		return 0;
	/* Level 0, and level 1 with 16K granules, are reserved hints without 52-bit addresses. */
	if (hint == 0 || (hint == 1 && t->g.granule_bits == 14))
		hint = DVMI_TTL_NONE;
	if (table)
		return !inval->leaf_only && (hint < 0 || e->level < hint);
	return hint < 0 || e->level == hint;
}

static void apply(struct ref_tlb *t, const struct pending *p)
{
	for (int part = 0; part < DVMI_PARTS; part++) {
		struct list *l = &t->part[part];

		for (size_t i = l->n; i-- > 0;) {
			if (!removes(t, &p->inval, &l->e[i], part, p->watch))
				continue;
			if (!p->watch) {
				erase(l, i);
				t->stats.invalidated++;
			} else if (l->e[i].version < p->version) {
				l->e[i].stale = 1;
			}
		}
	}
}

void ref_tlb_apply(struct ref_tlb *t, const struct dvmi_inval *inval)
{
	struct pending p = {.inval = *inval};

	apply(t, &p);
}

static void add(struct ref_tlb *t, struct pending p)
{
	t->pending = realloc(t->pending, (t->npending + 1) * sizeof(p));
	t->pending[t->npending++] = p;
}

void ref_tlb_post(struct ref_tlb *t, const struct dvmi_inval *inval, uint64_t base_ps)
{
	add(t, (struct pending){*inval, base_ps + t->hop, 0, 0});
}

void ref_tlb_watch(struct ref_tlb *t, const struct dvmi_inval *range, uint64_t version,
		   uint64_t at_ps)
{
	add(t, (struct pending){*range, at_ps, 1, version});
}

/* In order of time; at the same time invalidations before watches. */
void ref_tlb_settle(struct ref_tlb *t, uint64_t now_ps)
{
	for (;;) {
		size_t next = t->npending;

		for (size_t i = 0; i < t->npending; i++) {
			const struct pending *p = &t->pending[i], *q = &t->pending[next];

			if (p->due <= now_ps && (next == t->npending || p->due < q->due ||
						 (p->due == q->due && p->watch < q->watch)))
				next = i;
		}
		if (next == t->npending)
			return;
		apply(t, &t->pending[next]);
		t->pending[next] = t->pending[--t->npending];
	}
}

const struct dvmi_tlb_stats *ref_tlb_stats(const struct ref_tlb *t)
{
	return &t->stats;
}

const struct dvmi_tlb_stale *ref_tlb_stale(const struct ref_tlb *t)
{
	return t->has_stale ? &t->stale : NULL;
}

size_t ref_tlb_dump(const struct ref_tlb *t, enum dvmi_tlb_part part,
		    struct dvmi_tlb_entry *entries, size_t max)
{
	const struct list *l = &t->part[part];
	size_t n = 0;

	for (unsigned set = 0; set < l->sets; set++)
		for (size_t i = 0; i < l->n; i++)
			if (l->e[i].set == set && n < max)
				entries[n++] = l->e[i];
	return n;
}
