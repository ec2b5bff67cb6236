/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_TARGETS_H
#define DVMI_HW_TARGETS_H

#include "model/params.h"

#include <stdbool.h>

/*
 * The targets of one DVM node, and what a distribution does to them. Target j of n has
 *   busy[j]       applying Non-Syncs until then
 *   sync_free[j]  its one outstanding Sync is answered then, as seen at the node
 *   hop[j]        crossing to its die; does not fall with j, 0 for the first
 * A distribution that begins at X sends two parts to one target after the other, leaving out the
 * requester's own (skip) and those the filter answers for. With step = 2 * snoop_part_ps, the
 * second part to target j leaves at x[j], where x before the first target is X:
 *   Non-Sync  x[j] = x[j-1] + step
 *             busy[j] = max(busy[j], x[j] + snoop + hop[j]) + target_op
 *             answer at busy[j] + response + hop[j]
 *   Sync      x[j] = max(x[j-1] + step, sync_free[j])
 *             sync_free[j] = max(busy[j], x[j] + snoop + hop[j]) + target_sync + response + hop[j]
 *             answer at sync_free[j]
 *
 * Most distributions find every target ready, or all late by the same time. Then x[j] is a
 * straight line over j and need not be written down target by target: a line is kept for all
 * targets but the first few, and spelt out into the arrays when something comes that no line
 * describes. Both ways give the same times (tests/hw/test_targets.c).
 */
#define DVMI_TARGET_NONE UINT32_MAX

/*
 * x[j] = x + step * (j - DVMI_LINE_FIRST + 1), one step less for j > gap, for every target from
 * DVMI_LINE_FIRST on but "except", whose own value (busy or sync_free) is except_ps. Without a
 * gap, gap is count; without an exception, except is DVMI_TARGET_NONE.
 */
#define DVMI_LINE_FIRST 8u
struct dvmi_target_line {
	uint64_t x, except_ps;
	uint32_t gap, except;
	uint8_t on; /* the arrays are out of date */
};

struct dvmi_targets {
	uint32_t count, spared_count;
	uint8_t plain;				  /* tests: never use a line */
	uint8_t ranked;				  /* rank[] is up to date */
	uint64_t step, snoop, response, op, sync; /* costs */
	uint64_t *busy, *sync_free, *hop;
	uint32_t *rank; /* targets before this one that are not spared */
	uint8_t *spared;
	struct dvmi_target_line busy_line, sync_line;
};

/* Targets from @die_count on are on other dies than the node. Returns 0 or -DVM_ENOMEM. */
int dvmi_targets_init(struct dvmi_targets *t, const struct dvmi_hw *hw, uint32_t count,
		      uint32_t die_count);
void dvmi_targets_fini(struct dvmi_targets *t);
size_t dvmi_targets_bytes(const struct dvmi_targets *t);

/* The filter answers for targets [first, first + n), or does so no longer. */
void dvmi_targets_spare(struct dvmi_targets *t, uint32_t first, uint32_t n, uint8_t spared);

struct dvmi_distribution {
	uint64_t free_ps;   /* the distributor is free again */
	uint64_t answer_ps; /* the last answer is at the node; free_ps when nobody is snooped */
	uint32_t snooped;
};

/* Distribute from @begin_ps on; @skip is the requester's own target or DVMI_TARGET_NONE. */
struct dvmi_distribution dvmi_targets_op(struct dvmi_targets *t, uint64_t begin_ps, uint32_t skip);
struct dvmi_distribution dvmi_targets_sync(struct dvmi_targets *t, uint64_t begin_ps,
					   uint32_t skip);

/*
 * The same to chosen targets only (bit j of @chosen), target by target; *@spared counts those of
 * them that the filter answers for.
 */
struct dvmi_distribution dvmi_targets_some(struct dvmi_targets *t, uint64_t begin_ps, uint32_t skip,
					   const uint64_t *chosen, bool sync, uint32_t *spared);

/* How many targets from @first on the Non-Sync just distributed was sent to before @target. */
uint32_t dvmi_targets_rank(const struct dvmi_targets *t, uint32_t first, uint32_t target,
			   uint32_t skip);

#endif
