/* SPDX-License-Identifier: MIT */
#include "hw/targets.h"

#include "base/bitmap.h"
#include "base/mem.h"

#include <dvmsim/error.h>
#include <string.h>

int dvmi_targets_init(struct dvmi_targets *t, const struct dvmi_hw *hw, uint32_t count,
		      uint32_t die_count)
{
	*t = (struct dvmi_targets){
		.count = count,
		.step = 2 * hw->dvm_snoop_part_ps,
		.snoop = hw->dvm_snoop_ps,
		.response = hw->dvm_response_ps,
		.op = hw->dvm_target_op_ps,
		.sync = hw->dvm_target_sync_ps,
		.busy = dvmi_calloc(count, sizeof(uint64_t)),
		.sync_free = dvmi_calloc(count, sizeof(uint64_t)),
		.hop = dvmi_calloc(count, sizeof(uint64_t)),
		.rank = dvmi_calloc(count, sizeof(uint32_t)),
		.spared = dvmi_calloc(count, 1),
	};
	if (!t->busy || !t->sync_free || !t->hop || !t->rank || !t->spared) {
		dvmi_targets_fini(t);
		return -DVM_ENOMEM;
	}
	for (uint32_t j = die_count; j < count; j++)
		t->hop[j] = hw->dvm_die_link_ps;
	return 0;
}

void dvmi_targets_fini(struct dvmi_targets *t)
{
	dvmi_free(t->busy);
	dvmi_free(t->sync_free);
	dvmi_free(t->hop);
	dvmi_free(t->rank);
	dvmi_free(t->spared);
	memset(t, 0, sizeof(*t));
}

size_t dvmi_targets_bytes(const struct dvmi_targets *t)
{
	return t->count * (3 * sizeof(uint64_t) + sizeof(uint32_t) + 1);
}

/* ---- lines ---- */

static uint64_t line_x(const struct dvmi_targets *t, const struct dvmi_target_line *line,
		       uint32_t j)
{
	return line->x + t->step * (j - DVMI_LINE_FIRST + 1 - (j > line->gap));
}

static uint64_t busy_of(const struct dvmi_targets *t, uint32_t j)
{
	const struct dvmi_target_line *line = &t->busy_line;

	if (!line->on)
		return t->busy[j];
	if (j == line->except)
		return line->except_ps;
	return line_x(t, line, j) + t->snoop + t->hop[j] + t->op;
}

static uint64_t sync_free_of(const struct dvmi_targets *t, uint32_t j)
{
	const struct dvmi_target_line *line = &t->sync_line;

	if (!line->on)
		return t->sync_free[j];
	if (j == line->except)
		return line->except_ps;
	return line_x(t, line, j) + t->snoop + 2 * t->hop[j] + t->sync + t->response;
}

static void spell_out_busy(struct dvmi_targets *t)
{
	if (t->busy_line.on)
		for (uint32_t j = DVMI_LINE_FIRST; j < t->count; j++)
			t->busy[j] = busy_of(t, j);
}

static void spell_out_sync(struct dvmi_targets *t)
{
	if (t->sync_line.on)
		for (uint32_t j = DVMI_LINE_FIRST; j < t->count; j++)
			t->sync_free[j] = sync_free_of(t, j);
}

static void draw(struct dvmi_target_line *line, uint64_t x, uint32_t gap, uint32_t skip,
		 uint64_t skip_ps)
{
	bool behind = skip != DVMI_TARGET_NONE && skip >= DVMI_LINE_FIRST;

	*line = (struct dvmi_target_line){x, skip_ps, gap, behind ? skip : DVMI_TARGET_NONE, 1};
}

/* A line needs two targets, so that one is left when the requester's own is not snooped. */
static bool lines_apply(const struct dvmi_targets *t)
{
	return !t->plain && !t->spared_count && t->count >= DVMI_LINE_FIRST + 2;
}

/* The gap the requester's own target leaves in a line. */
static uint32_t gap_of(const struct dvmi_targets *t, uint32_t skip)
{
	return skip == DVMI_TARGET_NONE || skip < DVMI_LINE_FIRST ? t->count : skip;
}

/*
 * Is every target through with earlier Non-Syncs when its second part arrives along (@x, @gap)?
 * May say no where the truth is yes: then the loop finds out.
 */
static bool all_ready(const struct dvmi_targets *t, uint64_t x, uint32_t gap)
{
	const struct dvmi_target_line *busy = &t->busy_line;

	/* Parts between an earlier gap and the old one leave a step sooner than last time. */
	if (!busy->on || x < busy->x + t->op + (gap < busy->gap ? t->step : 0))
		return false;
	return busy->except == DVMI_TARGET_NONE || busy->except == gap ||
	       busy->except_ps <= x + t->step + t->snoop;
}

/*
 * The line along which a Sync's parts leave, when the last Sync left along one.
 *
 * Target j takes its second part from sync_free[j] on; seen from the front of the line, that is
 * v[j] = sync_free[j] - step * (targets up to j), and x[j] follows max(X, v[0..j]). With
 * c = x(old) + snoop + sync + response, v[j] is c + 2 * hop[j], one step more behind the
 * new gap r, one step less behind the old gap q. So nobody waits when X is at least the greatest
 * of these. And when X is c (the usual case under load: the targets before the line waited as
 * long), all hops are alike and r < q, the parts behind r wait for one step: the gap closes.
 */
static bool sync_line(const struct dvmi_targets *t, uint64_t begin, uint32_t skip, uint64_t *x,
		      uint32_t *gap)
{
	const struct dvmi_target_line *old = &t->sync_line;
	uint32_t r = gap_of(t, skip);
	uint64_t hop = t->hop[t->count - 1], c;

	if (!old->on)
		return false;
	if (old->except != DVMI_TARGET_NONE && old->except != skip &&
	    old->except_ps > begin + t->step)
		return false;
	c = old->x + t->snoop + t->sync + t->response;
	*x = begin;
	*gap = r;
	if (begin >= c + 2 * hop + (r < old->gap ? t->step : 0))
		return true;
	/* A lone target between the gaps that the old line left out does not wait. */
	if (hop || begin != c || old->except == r + 1)
		return false;
	*gap = t->count;
	return true;
}

/* The last target of a line has the latest times. */
static void along(const struct dvmi_targets *t, const struct dvmi_target_line *line, uint32_t skip,
		  uint64_t target_ps, struct dvmi_distribution *d)
{
	uint32_t last = t->count - 1 - (skip == t->count - 1);
	uint64_t x = line_x(t, line, last);
	uint64_t answer = x + t->snoop + target_ps + t->response + 2 * t->hop[last];

	d->free_ps = x;
	d->answer_ps = answer > d->answer_ps ? answer : d->answer_ps;
	d->snooped += t->count - DVMI_LINE_FIRST - (gap_of(t, skip) != t->count);
}

/* ---- target by target ---- */

/*
 * [first, end) without anyone left out. Both return true when no target was busy with something
 * earlier. (Costs in locals: the compiler must not fear that the arrays overlap them.)
 */
static bool op_run(struct dvmi_targets *t, uint32_t first, uint32_t end,
		   struct dvmi_distribution *d)
{
	const uint64_t step = t->step, snoop = t->snoop, op = t->op, response = t->response;
	uint64_t x = d->free_ps, answer = d->answer_ps, late = 0;
	const uint64_t *hop = t->hop;
	uint64_t *busy = t->busy;

	for (uint32_t j = first; j < end; j++) {
		uint64_t at, done;

		x += step;
		at = x + snoop + hop[j];
		done = at > busy[j] ? at : busy[j];
		late |= done ^ at;
		done += op;
		busy[j] = done;
		done += response + hop[j];
		answer = done > answer ? done : answer;
	}
	d->free_ps = x;
	d->answer_ps = answer;
	d->snooped += end - first;
	return !late;
}

static bool sync_run(struct dvmi_targets *t, uint32_t first, uint32_t end,
		     struct dvmi_distribution *d)
{
	const uint64_t step = t->step, snoop = t->snoop, rest = t->sync + t->response;
	uint64_t x = d->free_ps, answer = d->answer_ps, late = 0;
	const uint64_t *hop = t->hop, *busy = t->busy;
	uint64_t *sync_free = t->sync_free;

	for (uint32_t j = first; j < end; j++) {
		uint64_t at, done;

		x += step;
		x = x > sync_free[j] ? x : sync_free[j];
		at = x + snoop + hop[j];
		done = at > busy[j] ? at : busy[j];
		late |= done ^ at;
		done += rest + hop[j];
		sync_free[j] = done;
		answer = done > answer ? done : answer;
	}
	d->free_ps = x;
	d->answer_ps = answer;
	d->snooped += end - first;
	return !late;
}

/* [first, end) without the requester's own and those that are spared. */
static bool range(struct dvmi_targets *t, uint32_t first, uint32_t end, uint32_t skip, bool sync,
		  struct dvmi_distribution *d)
{
	bool ready = true;

	while (first < end) {
		uint32_t stop = first;

		if (t->spared_count)
			while (stop < end && stop != skip && !t->spared[stop])
				stop++;
		else
			stop = skip >= first && skip < end ? skip : end;
		if (stop > first)
			ready &= sync ? sync_run(t, first, stop, d) : op_run(t, first, stop, d);
		first = stop + 1;
	}
	return ready;
}

static struct dvmi_distribution finished(struct dvmi_distribution d)
{
	if (d.answer_ps < d.free_ps)
		d.answer_ps = d.free_ps; /* nobody to wait for */
	return d;
}

/* The filter's set is fixed while a distribution is told: number the targets it leaves. */
static void count_ranks(struct dvmi_targets *t)
{
	uint32_t rank = 0;

	for (uint32_t j = 0; !t->ranked && j < t->count; j++) {
		t->rank[j] = rank;
		rank += !t->spared[j];
	}
	t->ranked = 1;
}

struct dvmi_distribution dvmi_targets_op(struct dvmi_targets *t, uint64_t begin_ps, uint32_t skip)
{
	struct dvmi_distribution d = {.free_ps = begin_ps};
	uint32_t gap = gap_of(t, skip), front = DVMI_LINE_FIRST;
	uint64_t x, own;

	if (!lines_apply(t)) {
		count_ranks(t);
		range(t, 0, t->count, skip, false, &d);
		return finished(d);
	}
	range(t, 0, front, skip, false, &d);
	x = d.free_ps;
	own = gap == t->count ? 0 : busy_of(t, skip);
	if (all_ready(t, x, gap)) {
		draw(&t->busy_line, x, gap, skip, own);
		along(t, &t->busy_line, skip, t->op, &d);
		return d;
	}
	spell_out_busy(t);
	t->busy_line.on = 0;
	if (range(t, front, t->count, skip, false, &d))
		draw(&t->busy_line, x, gap, skip, own);
	return d;
}

struct dvmi_distribution dvmi_targets_sync(struct dvmi_targets *t, uint64_t begin_ps, uint32_t skip)
{
	struct dvmi_distribution d = {.free_ps = begin_ps};
	uint32_t gap = gap_of(t, skip), front = DVMI_LINE_FIRST, snooped;
	uint64_t x, own;

	if (!lines_apply(t)) {
		range(t, 0, t->count, skip, true, &d);
		return finished(d);
	}
	range(t, 0, front, skip, true, &d);
	x = d.free_ps;
	snooped = d.snooped;
	own = gap == t->count ? 0 : sync_free_of(t, skip);
	if (sync_line(t, x, skip, &x, &gap) && all_ready(t, x, gap)) {
		draw(&t->sync_line, x, gap, skip, own);
		along(t, &t->sync_line, skip, t->sync, &d);
		return d;
	}
	x = d.free_ps;
	gap = gap_of(t, skip);
	spell_out_busy(t);
	spell_out_sync(t);
	t->sync_line.on = 0;
	if (range(t, front, t->count, skip, true, &d) &&
	    d.free_ps == x + t->step * (d.snooped - snooped))
		draw(&t->sync_line, x, gap, skip, own);
	return d;
}

/* A domain is not worth a line of its own; the next distribution to all draws them again. */
struct dvmi_distribution dvmi_targets_some(struct dvmi_targets *t, uint64_t begin_ps, uint32_t skip,
					   const uint64_t *chosen, bool sync, uint32_t *spared)
{
	struct dvmi_distribution d = {.free_ps = begin_ps};

	*spared = 0;
	count_ranks(t);
	spell_out_busy(t);
	spell_out_sync(t);
	t->busy_line.on = t->sync_line.on = 0;
	for (uint32_t j = 0; j < t->count; j++) {
		if (!dvmi_bitmap_test(chosen, j) || j == skip)
			continue;
		if (t->spared[j])
			++*spared;
		else if (sync)
			sync_run(t, j, j + 1, &d);
		else
			op_run(t, j, j + 1, &d);
	}
	return finished(d);
}

/* ---- the filter ---- */

void dvmi_targets_spare(struct dvmi_targets *t, uint32_t first, uint32_t n, uint8_t spared)
{
	spell_out_busy(t);
	spell_out_sync(t);
	t->busy_line.on = t->sync_line.on = 0;
	memset(&t->spared[first], spared, n);
	t->spared_count = spared ? t->spared_count + n : t->spared_count - n;
	t->ranked = 0;
}

uint32_t dvmi_targets_rank(const struct dvmi_targets *t, uint32_t first, uint32_t target,
			   uint32_t skip)
{
	uint32_t rank = t->spared_count ? t->rank[target] - t->rank[first] : target - first;

	return rank - (skip >= first && skip < target && !t->spared[skip]);
}
