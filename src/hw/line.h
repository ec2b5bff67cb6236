/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_LINE_H
#define DVMI_HW_LINE_H

#include "hw/topology.h"

#include <stdbool.h>

/*
 * One hot cache line of the kernel (mm.active_cpu, a mask word, a generation), as MESI sees it:
 * no holder; one holder that may write it (M or E); or sharers that may read it (S). Holders are
 * cores: threads of a core share its caches.
 *
 *   access   the line is                 costs                                   afterwards
 *   load     here (M, E or S)            local_ps                                same
 *   load     M or E in another core      transfer from the owner                 S: both
 *   load     S, not here                 transfer from the nearest sharer        S: and this one
 *   load     nowhere                     die_ps (from the home node)             E: this one
 *   store    here, M or E                local_ps                                M: this one
 *   store    M or E in another core      transfer from the owner                 M: this one
 *   store    S, others share             transfer from / ack of the farthest     M: this one
 *   store    S, only here                local_ps                                M: this one
 *   store    nowhere                     die_ps                                  M: this one
 *   atomic                               as a store, + atomic_ps                 M: this one
 *
 * A transfer costs cluster_ps, die_ps, socket_ps or remote_ps by distance. Accesses to one line
 * take turns: each begins when the transfers and atomics before it are done; a hit that is no
 * atomic holds up nobody.
 */
struct dvmi_line {
	uint64_t busy_ps; /* the line is on its way, or held by an atomic, until then */
	union {
		uint64_t bits;	 /* holders, when the machine has at most 64 cores */
		uint64_t *words; /* otherwise; NULL: no sharers */
	} sharers;
	uint32_t owner; /* core that may write; DVMI_LINE_NONE */
	uint32_t count; /* sharers */
};

#define DVMI_LINE_NONE UINT32_MAX

/* A line nobody holds; needs no memory until it is shared. */
void dvmi_line_init(struct dvmi_line *line);
/* A line that @cpu has just written (a new mm's first line). */
void dvmi_line_init_owned(struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t cpu);
void dvmi_line_fini(struct dvmi_line *line, const struct dvmi_topology *topo);

enum dvmi_access { DVMI_LOAD, DVMI_STORE, DVMI_ATOMIC };

/*
 * @cpu accesses the line at @now_ps; *@done_ps is when the access is done. What the CPU does
 * meanwhile is the caller's affair: it waits for a load or an atomic, and hands a store's time to
 * dvmi_core_store_until(). Returns 0 or -DVM_ENOMEM (only above 64 cores), and then nothing
 * has changed.
 */
int dvmi_line_access(struct dvmi_line *line, const struct dvmi_topology *topo,
		     const struct dvmi_hw *hw, uint32_t cpu, enum dvmi_access access,
		     uint64_t now_ps, uint64_t *done_ps);

/* True when @cpu's core holds the line (a load would hit). */
bool dvmi_line_held(const struct dvmi_line *line, const struct dvmi_topology *topo, uint32_t cpu);

#endif
