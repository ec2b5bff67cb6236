/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_RULES_H
#define DVMI_CHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Every rule of the machine has a number, a name, a source and a switch. The ones up to
 * DVMI_RULES_ORDER say "this event of a PE comes before that one" and live in one table
 * (rules.c); the others are conditions in the transitions (machine.c).
 */
enum dvmi_rule {
	DVMI_R_DSB_FULL,
	DVMI_R_DSB_LD,
	DVMI_R_DSB_ST,
	DVMI_R_DSB_ST_READ,
	DVMI_R_DSB_WALK,
	DVMI_R_DSB_WALKER,
	DVMI_R_CSE_DSB,
	DVMI_R_CSE_CTRL,
	DVMI_R_CSE_ADDR,
	DVMI_R_CSE_WALK,
	DVMI_R_CSE_LATER,
	DVMI_R_DMB_FULL,
	DVMI_R_DMB_LD,
	DVMI_R_DMB_ST,
	DVMI_R_ACQUIRE,
	DVMI_R_RELEASE,
	DVMI_R_RELEASE_ACQUIRE,
	DVMI_R_AMO_FULL,
	DVMI_R_DEP_CTRL,
	DVMI_R_DEP_ADDR_PO,
	DVMI_R_WALK_WRITE,
	DVMI_R_HW_WALK,
	DVMI_R_ETS_FAULT,
	DVMI_R_HW_DSB,
	DVMI_R_HW_CTRL,
	DVMI_R_HW_ADDR_PO,
	DVMI_RULES_ORDER,
	DVMI_R_COHERENCE_WRITE = DVMI_RULES_ORDER,
	DVMI_R_COHERENCE_WR,
	DVMI_R_COHERENCE_RR,
	DVMI_R_FORWARD,
	DVMI_R_RMW_FORWARD,
	DVMI_R_ATOMIC,
	DVMI_R_WALK_MEMORY,
	DVMI_R_WALK_FRESH,
	DVMI_R_STALE,
	DVMI_R_TLBI,
	DVMI_R_TLBI_TYPE,
	DVMI_R_TLBI_DOMAIN,
	DVMI_R_TLBI_LOCAL,
	DVMI_R_TLBI_MATCH,
	DVMI_R_TLBI_LEVEL,
	DVMI_R_TLBI_DRAIN,
	DVMI_R_TLBI_DRAIN_WRITE,
	DVMI_R_TLBI_SAME_VA,
	DVMI_R_HW_ATOMIC,
	DVMI_R_HW_AF_EARLY,
	DVMI_R_HW_DIRTY_LATE,
	DVMI_RULES,
};

struct dvmi_rules {
	uint64_t off; /* bit per rule */
	bool ets2;
};

static inline bool dvmi_rule_on(const struct dvmi_rules *rules, enum dvmi_rule rule)
{
	return !(rules->off >> rule & 1);
}

struct dvmi_pe;
/* Fill pred of every event of a PE from the ordering rules that are on. */
void dvmi_rules_apply(const struct dvmi_rules *rules, struct dvmi_pe *pe);

#endif
