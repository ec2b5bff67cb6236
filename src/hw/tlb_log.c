/* SPDX-License-Identifier: MIT */
#include "hw/tlb_log.h"

#include "base/mem.h"
#include "hw/tlb_bulk.h"
#include "hw/tlb_impl.h"

#include <string.h>

#define RECORDS_MAX ((size_t)1 << 24)
/* An index of records (tlb_bulk.h) pays for so many TLBs that slept through so many records. */
#define BULK_SLEEPERS 4
#define BULK_LEAST 256

/*
 * Records in order of base time. A TLB's cursor counts the records it has applied, so a record
 * may be forgotten when every cursor is past it, or when a later record does all it does and both
 * are due before anybody acts again (the horizon): applying the later one alone leaves the same.
 */
struct op_list {
	struct tlb_op *ops;
	size_t n, capacity;
	size_t applied; /* the largest cursor */
};

struct dvmi_tlb_log {
	struct dvmi_granule granule;
	struct op_list list[OP_LISTS];
	struct dvmi_tlb *attached;
	size_t tlbs;
	uint64_t horizon_ps, hop_max_ps;
	/* Scratch of compact(): newest record of each identity; new positions. */
	uint32_t *index;
	size_t index_size;
	uint32_t *position;
	size_t position_size;
	int no_bulk; /* an index of the present records did not fit */
};

int dvmi_tlb_log_new(struct dvmi_tlb_log **out, const struct dvmi_granule *g, struct dvm_error *err)
{
	struct dvmi_tlb_log *log = dvmi_zalloc(sizeof(*log));

	if (!log)
		return dvmi_error_nomem(err);
	log->granule = *g;
	*out = log;
	return 0;
}

void dvmi_tlb_log_free(struct dvmi_tlb_log *log)
{
	if (!log)
		return;
	for (int i = 0; i < OP_LISTS; i++)
		dvmi_free(log->list[i].ops);
	dvmi_free(log->index);
	dvmi_free(log->position);
	dvmi_free(log);
}

int tlb_log_attach(struct dvmi_tlb_log *log, struct dvmi_tlb *tlb, struct dvm_error *err)
{
	if (log->granule.bits != tlb->granule.bits ||
	    log->granule.start_level != tlb->granule.start_level)
		return dvmi_error(err, DVM_EINVAL, "tlb", "the log is for another granule");
	tlb->log = log;
	/* Empty: nothing posted so far concerns it. */
	for (int i = 0; i < OP_LISTS; i++)
		tlb->cursor[i] = log->list[i].applied;
	tlb->next_attached = log->attached;
	log->attached = tlb;
	log->tlbs++;
	if (tlb->hop_ps > log->hop_max_ps)
		log->hop_max_ps = tlb->hop_ps;
	return 0;
}

void tlb_log_detach(struct dvmi_tlb_log *log, struct dvmi_tlb *tlb)
{
	struct dvmi_tlb **link = &log->attached;

	while (*link && *link != tlb)
		link = &(*link)->next_attached;
	if (!*link)
		return;
	*link = tlb->next_attached;
	log->tlbs--;
}

static uint64_t hop_of(const struct dvmi_tlb *tlb, int which)
{
	return which == OP_INVAL ? tlb->hop_ps : 0;
}

/* The first record, from @from, whose base time is after @base_ps. */
static size_t first_after(const struct op_list *list, size_t from, uint64_t base_ps)
{
	size_t lo = from, hi = list->n, step = 1;

	/* Usually it is one of the next few. */
	while (lo + step < hi && list->ops[lo + step].base_ps <= base_ps) {
		lo += step;
		step *= 2;
	}
	if (lo + step < hi)
		hi = lo + step;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->ops[mid].base_ps <= base_ps)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * Has @tlb slept through more records (of those before @due) than looking at its entries costs? An
 * entry costs about a quarter of a record.
 */
static int sleeper(const struct dvmi_tlb *tlb, size_t due)
{
	size_t cursor = tlb->cursor[OP_INVAL], entries = dvmi_tlb_entries(tlb);

	/* An empty TLB skips its backlog without looking. */
	return entries && cursor < due && due - cursor > BULK_LEAST && due - cursor > entries / 4;
}

/* Let the sleepers catch up with what is due before the horizon, if there are enough of them. */
static void bulk(struct dvmi_tlb_log *log)
{
	struct op_list *list = &log->list[OP_INVAL];
	size_t due = 0, least = list->n, sleepers = 0;
	struct tlb_bulk *index;

	if (log->no_bulk || log->horizon_ps < log->hop_max_ps)
		return;
	due = first_after(list, 0, log->horizon_ps - log->hop_max_ps);
	for (struct dvmi_tlb *tlb = log->attached; tlb; tlb = tlb->next_attached) {
		if (!sleeper(tlb, due))
			continue;
		sleepers++;
		if (tlb->cursor[OP_INVAL] < least)
			least = tlb->cursor[OP_INVAL];
	}
	if (sleepers < BULK_SLEEPERS)
		return;
	index = tlb_bulk_new(list->ops, least, due, log->attached);
	log->no_bulk = !index;
	for (struct dvmi_tlb *tlb = log->attached; tlb && index; tlb = tlb->next_attached) {
		if (!sleeper(tlb, due))
			continue;
		tlb_bulk_apply(index, tlb);
		tlb->cursor[OP_INVAL] = due;
		if (due > list->applied)
			list->applied = due;
	}
	tlb_bulk_free(index);
}

static void settle_list(struct dvmi_tlb *tlb, int which, uint64_t now_ps)
{
	struct op_list *list = &tlb->log->list[which];
	uint64_t hop = hop_of(tlb, which);
	size_t i = tlb->cursor[which], end;

	if (i == list->n || now_ps < hop || list->ops[i].base_ps > now_ps - hop)
		return;
	end = first_after(list, i, now_ps - hop);
	if (which == OP_INVAL && sleeper(tlb, end)) {
		bulk(tlb->log);
		i = tlb->cursor[which];
	}
	for (; i < end && tlb->counts.present[BUCKET_ANY]; i++)
		tlb_op_apply(tlb, &list->ops[i], which == OP_WATCH);
	tlb->cursor[which] = end;
	if (end > list->applied)
		list->applied = end;
}

void dvmi_tlb_settle(struct dvmi_tlb *tlb, uint64_t now_ps)
{
	if (tlb->own_n)
		tlb_own_settle(tlb, now_ps);
	if (!tlb->log)
		return;
	/*
	 * Invalidations first: nothing was used since the last settling, so that an entry which a
	 * watch would have marked before an invalidation removed it makes no difference.
	 */
	settle_list(tlb, OP_INVAL, now_ps);
	settle_list(tlb, OP_WATCH, now_ps);
}

uint64_t dvmi_tlb_next_due(const struct dvmi_tlb *tlb)
{
	uint64_t due = tlb->own_n ? tlb->own[0].base_ps : UINT64_MAX;

	for (int which = 0; which < OP_LISTS && tlb->log; which++) {
		const struct op_list *list = &tlb->log->list[which];
		uint64_t hop = hop_of(tlb, which), base;

		if (tlb->cursor[which] == list->n)
			continue;
		base = list->ops[tlb->cursor[which]].base_ps;
		if (base <= UINT64_MAX - hop && base + hop < due)
			due = base + hop;
	}
	return due;
}

/* What a record does, its time and version apart. */
static int same_effect(const struct tlb_op *a, const struct tlb_op *b)
{
	return a->want == b->want && a->fixed == b->fixed && a->asid_mask == b->asid_mask &&
	       a->first == b->first && a->last == b->last && a->leaf_classes == b->leaf_classes &&
	       a->walk_classes == b->walk_classes && a->hit_global == b->hit_global &&
	       a->stage2_classes == b->stage2_classes;
}

static size_t effect_hash(const struct tlb_op *op)
{
	uint64_t h = op->want * UINT64_C(0x9e3779b97f4a7c15) ^ op->fixed;

	h = (h ^ (h >> 32) ^ op->first) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ (h >> 29) ^ op->last ^ op->asid_mask >> 7) * UINT64_C(0x94d049bb133111eb);
	h ^= (uint64_t)op->leaf_classes << 8 ^ op->walk_classes ^ (uint64_t)op->hit_global << 16 ^
	     (uint64_t)op->stage2_classes << 24;
	return (size_t)(h ^ (h >> 31));
}

/*
 * One pass of compact(), newest record first: what the records seen so far make superfluous.
 * @global: bit h is set when some TLB holds a global entry in half h.
 */
struct covered {
	struct dvmi_tlb_log *log;
	struct op_list *list;
	uint32_t vmids, both; /* VMIDs whose stage 1, whose both stages have been cleared */
	int all;
	unsigned global;
};

/* The slot of @op's identity in the index: its newest record, or free (UINT32_MAX). */
static uint32_t *index_slot(const struct covered *c, const struct tlb_op *op)
{
	size_t mask = c->log->index_size - 1, i = effect_hash(op) & mask;

	while (c->log->index[i] != UINT32_MAX &&
	       !same_effect(&c->list->ops[c->log->index[i]], op))
		i = (i + 1) & mask;
	return &c->log->index[i];
}

/* Does @newer mark whatever @op would, of what both look at? */
static int judges(const struct tlb_op *newer, const struct tlb_op *op)
{
	return newer->version > op->version ||
	       (newer->version == op->version && newer->by >= op->by);
}

/* Does an ASIDE1 seen before do all of the VA operation @op? Only if that removes nothing global. */
static int covered_by_asid(const struct covered *c, const struct tlb_op *op)
{
	struct tlb_op whole = *op;
	uint32_t newer;

	if (op->kind != DVMI_INVAL_VA)
		return 0;
	if (op->hit_global && (c->global >> ((op->want & KEY_UPPER) ? 1 : 0) & 1))
		return 0;
	whole.want &= ~KEY_UPPER;
	whole.fixed = KEY_VMID;
	whole.first = 0;
	whole.last = KEY_VA;
	whole.leaf_classes = whole.walk_classes = 0xfe;
	whole.hit_global = 0;
	newer = *index_slot(c, &whole);
	return newer != UINT32_MAX && judges(&c->list->ops[newer], op);
}

static int superfluous(struct covered *c, uint32_t i)
{
	const struct tlb_op *op = &c->list->ops[i];
	unsigned vmid = (unsigned)((op->want & KEY_VMID) >> KEY_VMID_SHIFT);
	uint32_t *slot;

	if (c->all || ((c->both >> vmid & 1) && op->kind != DVMI_INVAL_ALL) ||
	    ((c->vmids >> vmid & 1) && !op->stage2_classes) || covered_by_asid(c, op))
		return 1;
	slot = index_slot(c, op);
	if (*slot != UINT32_MAX && judges(&c->list->ops[*slot], op))
		return 1;
	*slot = i;
	/* Watches of these kinds are rare and carry versions: not worth covering more with. */
	if (c->list == &c->log->list[OP_INVAL]) {
		c->all |= op->kind == DVMI_INVAL_ALL;
		if (op->kind == DVMI_INVAL_VMALL)
			c->vmids |= UINT32_C(1) << vmid;
		if (op->kind == DVMI_INVAL_VMALLS12)
			c->both |= UINT32_C(1) << vmid;
	}
	return 0;
}

/* Scratch memory for @n records. */
static int reserve(struct dvmi_tlb_log *log, size_t n)
{
	size_t size = 64;

	while (size < 2 * n)
		size *= 2;
	if (size > log->index_size) {
		uint32_t *index = dvmi_realloc(log->index, size, sizeof(*index));

		if (!index)
			return -DVM_ENOMEM;
		log->index = index;
		log->index_size = size;
	}
	if (n + 1 > log->position_size) {
		uint32_t *position = dvmi_realloc(log->position, n + 1, sizeof(*position));

		if (!position)
			return -DVM_ENOMEM;
		log->position = position;
		log->position_size = n + 1;
	}
	memset(log->index, 0xff, log->index_size * sizeof(*log->index));
	return 0;
}

/* Forget superfluous records and those that every TLB has applied; move the cursors along. */
static int compact(struct dvmi_tlb_log *log, int which)
{
	struct op_list *list = &log->list[which];
	struct covered c = { .log = log, .list = list };
	uint64_t hop = which == OP_INVAL ? log->hop_max_ps : 0;
	size_t least = list->n, due = 0, kept = 0;
	int ret = reserve(log, list->n);

	if (ret)
		return ret;
	for (struct dvmi_tlb *tlb = log->attached; tlb; tlb = tlb->next_attached) {
		if (!tlb->counts.present[BUCKET_ANY])
			dvmi_tlb_settle(tlb, log->horizon_ps);
		for (unsigned half = 0; half < 2; half++)
			c.global |= (tlb->counts.present[BUCKET_GLOBAL + half] ? 1u : 0u) << half;
		if (tlb->cursor[which] < least)
			least = tlb->cursor[which];
	}
	if (log->horizon_ps > hop)
		due = first_after(list, 0, log->horizon_ps - hop - 1);
	for (size_t i = due; i-- > least;)
		log->position[i] = !superfluous(&c, (uint32_t)i);
	for (size_t i = 0; i <= list->n; i++) {
		int keep = i < list->n && i >= least && (i >= due || log->position[i]);

		log->position[i] = (uint32_t)kept;
		if (keep)
			list->ops[kept++] = list->ops[i];
	}
	for (struct dvmi_tlb *tlb = log->attached; tlb; tlb = tlb->next_attached)
		tlb->cursor[which] = log->position[tlb->cursor[which]];
	list->applied = log->position[list->applied];
	list->n = kept;
	log->no_bulk = 0;
	return 0;
}

/* Let every TLB apply what is due before the horizon. */
static void catch_up(struct dvmi_tlb_log *log)
{
	bulk(log);
	for (struct dvmi_tlb *tlb = log->attached; tlb; tlb = tlb->next_attached)
		dvmi_tlb_settle(tlb, log->horizon_ps);
}

/*
 * The list is full. Forget what can be forgotten; if that is less than half, grow; past a size in
 * proportion to the number of TLBs, let the laggards catch up. That costs a constant per TLB and
 * entry; as the log holds a constant number of records per TLB, it is a constant per post.
 */
static int make_space(struct dvmi_tlb_log *log, int which)
{
	struct op_list *list = &log->list[which];
	size_t least = 256 + 16 * log->tlbs, most = 256 + 64 * log->tlbs;
	int ret = 0;

	if (list->capacity >= least)
		ret = compact(log, which);
	if (!ret && list->n > list->capacity / 2 && list->capacity >= most) {
		catch_up(log);
		ret = compact(log, which);
	}
	if (ret || (list->capacity && list->n <= list->capacity / 2))
		return ret;
	if (list->n >= RECORDS_MAX)
		return -DVM_ELIMIT;
	if (list->capacity * 2 > least)
		least = list->capacity * 2;
	return dvmi_grow((void **)&list->ops, &list->capacity, least, sizeof(*list->ops));
}

static int post(struct dvmi_tlb_log *log, int which, const struct tlb_op *op, struct dvm_error *err)
{
	struct op_list *list = &log->list[which];
	size_t at;
	int ret = 0;

	if (list->n == list->capacity)
		ret = make_space(log, which);
	if (ret == -DVM_ELIMIT)
		return dvmi_error(err, DVM_ELIMIT, "tlb log",
				  "%zu operations wait to take effect; is the horizon moved on?",
				  list->n);
	if (ret)
		return dvmi_error_nomem(err);
	for (at = list->n; at > 0 && list->ops[at - 1].base_ps > op->base_ps; at--)
		;
	if (at < list->applied)
		return dvmi_error(err, DVM_EINVAL, "tlb log",
				  "posted in the past: a CPU has applied a later operation");
	memmove(list->ops + at + 1, list->ops + at, (list->n - at) * sizeof(*list->ops));
	list->ops[at] = *op;
	list->n++;
	return 0;
}

int dvmi_tlb_log_post(struct dvmi_tlb_log *log, const struct dvmi_inval *inval, uint64_t base_ps,
		      struct dvm_error *err)
{
	struct tlb_op op;
	int ret = tlb_op_init(&op, &log->granule, inval, err);

	if (ret)
		return ret;
	op.base_ps = base_ps;
	return post(log, OP_INVAL, &op, err);
}

int dvmi_tlb_log_watch(struct dvmi_tlb_log *log, const struct dvmi_inval *range, uint64_t version,
		       uint64_t at_ps, struct dvm_error *err)
{
	return dvmi_tlb_log_watch_by(log, range, version, 0, at_ps, err);
}

int dvmi_tlb_log_watch_by(struct dvmi_tlb_log *log, const struct dvmi_inval *range,
			  uint64_t version, uint32_t by, uint64_t at_ps, struct dvm_error *err)
{
	struct tlb_op op;
	int ret = tlb_op_init(&op, &log->granule, range, err);

	if (ret)
		return ret;
	op.base_ps = at_ps;
	op.version = version;
	op.by = by;
	if (range->kind == DVMI_INVAL_VA) {
		op.hit_global = 0;
		op.bucket[1] = BUCKET_NONE;
	}
	if (range->leaf_only)
		op.walk_classes = 0;
	return post(log, OP_WATCH, &op, err);
}

void dvmi_tlb_log_horizon(struct dvmi_tlb_log *log, uint64_t horizon_ps)
{
	if (horizon_ps > log->horizon_ps)
		log->horizon_ps = horizon_ps;
}

size_t dvmi_tlb_log_bytes(const struct dvmi_tlb_log *log)
{
	size_t bytes = sizeof(*log) + log->index_size * sizeof(*log->index) +
		       log->position_size * sizeof(*log->position);

	for (int i = 0; i < OP_LISTS; i++)
		bytes += log->list[i].capacity * sizeof(*log->list[i].ops);
	return bytes;
}

size_t dvmi_tlb_log_records(const struct dvmi_tlb_log *log)
{
	return log->list[OP_INVAL].n + log->list[OP_WATCH].n;
}
