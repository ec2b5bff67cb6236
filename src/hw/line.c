/* SPDX-License-Identifier: MIT */
#include "hw/line.h"

#include "base/mem.h"

#include <dvmsim/error.h>
#include <string.h>

static bool wide(const struct dvmi_topology *topo)
{
	return topo->cores > 64;
}

static size_t words(const struct dvmi_topology *topo)
{
	return (topo->cores + 63u) / 64;
}

void dvmi_line_init(struct dvmi_line *line)
{
	memset(line, 0, sizeof(*line));
	line->owner = DVMI_LINE_NONE;
}

void dvmi_line_init_owned(struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t cpu)
{
	dvmi_line_init(line);
	line->owner = dvmi_cpu_core(topo, cpu);
}

void dvmi_line_fini(struct dvmi_line *line, const struct dvmi_topology *topo)
{
	if (wide(topo))
		dvmi_free(line->sharers.words);
	dvmi_line_init(line);
}

static const uint64_t *bits_of(const struct dvmi_line *line, const struct dvmi_topology *topo)
{
	return wide(topo) ? line->sharers.words : &line->sharers.bits;
}

static bool shares(const struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t core)
{
	return line->count && (bits_of(line, topo)[core / 64] >> core % 64 & 1);
}

/* Sharers among the cores [first, end). */
static uint32_t sharers_in(const struct dvmi_line *line, const struct dvmi_topology *topo,
			   uint32_t first, uint32_t end)
{
	uint32_t n = 0;

	for (uint32_t w = first / 64; w * 64 < end; w++) {
		uint64_t mask = UINT64_MAX, bits;

		if (w * 64 < first)
			mask <<= first % 64;
		if ((w + 1) * 64 > end)
			mask &= UINT64_MAX >> ((w + 1) * 64 - end);
		for (bits = bits_of(line, topo)[w] & mask; bits; bits &= bits - 1)
			n++;
	}
	return n;
}

/* The cores at @distance or nearer are the aligned group of this many around @core. */
static uint32_t sharers_within(const struct dvmi_line *line, const struct dvmi_topology *topo,
			       uint32_t core, enum dvmi_distance distance)
{
	const uint32_t cpus[] = {topo->core_cpus, topo->cluster_cpus, topo->die_cpus,
				 topo->socket_cpus, topo->cpus};
	uint32_t n = cpus[distance] / topo->core_cpus, first = core - core % n;

	return sharers_in(line, topo, first, first + n);
}

static enum dvmi_distance nearest(const struct dvmi_line *line, const struct dvmi_topology *topo,
				  uint32_t core)
{
	enum dvmi_distance d = DVMI_SAME_CORE;

	while (d < DVMI_OTHER_SOCKET && !sharers_within(line, topo, core, d))
		d++;
	return d;
}

static enum dvmi_distance farthest(const struct dvmi_line *line, const struct dvmi_topology *topo,
				   uint32_t core)
{
	enum dvmi_distance d = DVMI_SAME_CORE;

	while (d < DVMI_OTHER_SOCKET && sharers_within(line, topo, core, d) < line->count)
		d++;
	return d;
}

static uint64_t transfer_ps(const struct dvmi_hw *hw, enum dvmi_distance distance)
{
	switch (distance) {
	case DVMI_SAME_CORE:
		return hw->line_local_ps;
	case DVMI_SAME_CLUSTER:
		return hw->line_cluster_ps;
	case DVMI_SAME_DIE:
		return hw->line_die_ps;
	case DVMI_SAME_SOCKET:
		return hw->line_socket_ps;
	default:
		return hw->line_remote_ps;
	}
}

static int reserve(struct dvmi_line *line, const struct dvmi_topology *topo)
{
	if (!wide(topo) || line->sharers.words)
		return 0;
	line->sharers.words = dvmi_calloc(words(topo), sizeof(uint64_t));
	return line->sharers.words ? 0 : -DVM_ENOMEM;
}

static void share(struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t core)
{
	uint64_t *bits = wide(topo) ? line->sharers.words : &line->sharers.bits;

	bits[core / 64] |= UINT64_C(1) << core % 64;
	line->count++;
}

static void own(struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t core)
{
	if (line->count) {
		if (wide(topo))
			memset(line->sharers.words, 0, words(topo) * sizeof(uint64_t));
		else
			line->sharers.bits = 0;
		line->count = 0;
	}
	line->owner = core;
}

bool dvmi_line_held(const struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t cpu)
{
	uint32_t core = dvmi_cpu_core(topo, cpu);

	return line->owner == core || shares(line, topo, core);
}

/* The cost by the table in line.h, and whether the line has to travel. */
static uint64_t cost(const struct dvmi_line *line, const struct dvmi_topology *topo,
		     const struct dvmi_hw *hw, uint32_t cpu, enum dvmi_access access, bool *moves)
{
	uint32_t core = dvmi_cpu_core(topo, cpu);
	enum dvmi_distance d;

	*moves = true;
	if (line->owner != DVMI_LINE_NONE)
		d = dvmi_distance(topo, cpu, line->owner * topo->core_cpus);
	else if (!line->count)
		return hw->line_die_ps;
	else if (access == DVMI_LOAD)
		d = nearest(line, topo, core);
	else
		d = farthest(line, topo, core);
	*moves = d != DVMI_SAME_CORE;
	return transfer_ps(hw, d);
}

int dvmi_line_access(struct dvmi_line *line, const struct dvmi_topology *topo,
		     const struct dvmi_hw *hw, uint32_t cpu, enum dvmi_access access,
		     uint64_t now_ps, uint64_t *done_ps)
{
	uint32_t core = dvmi_cpu_core(topo, cpu), owner = line->owner;
	uint64_t start = now_ps > line->busy_ps ? now_ps : line->busy_ps;
	bool moves;
	uint64_t t = cost(line, topo, hw, cpu, access, &moves);

	if (access != DVMI_LOAD) {
		own(line, topo, core);
	} else if (moves && owner == DVMI_LINE_NONE && !line->count) {
		line->owner = core;
	} else if (moves) {
		if (reserve(line, topo))
			return -DVM_ENOMEM;
		if (owner != DVMI_LINE_NONE)
			share(line, topo, owner);
		line->owner = DVMI_LINE_NONE;
		share(line, topo, core);
	}
	if (access == DVMI_ATOMIC)
		t += hw->line_atomic_ps;
	*done_ps = start + t;
	if (moves || access == DVMI_ATOMIC)
		line->busy_ps = start + t;
	return 0;
}
