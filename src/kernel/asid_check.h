/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_ASID_CHECK_H
#define DVMI_KERNEL_ASID_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the ASID allocator must guarantee, checked against an abstract machine in which anything the
 * architecture permits has happened: a CPU's TLB holds translations of every (address space, ASID)
 * that was installed there since its last flush, and goes on filling for what TTBR holds. The rules
 * are those of the TLA+ model of the allocator (kernel-tla, asidalloc). Its fifth, that no two
 * address spaces share an ASID across CPUs whose TLBs are shared (CnP), has no place here: TLBs are
 * not shared. leave(), install() and flush() cost O(1), the others O(CPUs).
 */
enum dvmi_asid_rule {
	DVMI_ASID_HOLDS,	  /* no rule is broken */
	DVMI_ASID_UNIQUE_PER_CPU, /* no TLB holds one ASID for two address spaces */
	DVMI_ASID_SAME_ACTIVE,	  /* CPUs that run one address space use one ASID */
	DVMI_ASID_UNIQUE_ACTIVE,  /* different ones that run have different ASIDs */
	DVMI_ASID_FLUSHED,	  /* once a flush is over nothing older can be used by the mm */
};
extern const char *const dvmi_asid_rule_names[DVMI_ASID_FLUSHED + 1];

struct dvmi_asid_check;

int dvmi_asid_check_new(unsigned cpus, uint32_t mms, struct dvmi_asid_check **check);
void dvmi_asid_check_free(struct dvmi_asid_check *k);

/* @cpu enters the switch code: it does not run anything, but its TTBR still holds the old one. */
void dvmi_asid_check_leave(struct dvmi_asid_check *k, unsigned cpu);
/* TTBR := (@mm, @asid): @cpu runs it from now on. An enum dvmi_asid_rule, or -DVM_ENOMEM. */
int dvmi_asid_check_install(struct dvmi_asid_check *k, unsigned cpu, uint32_t mm, uint16_t asid);
/* A generation begins: each CPU flushes itself before it installs anything by the slow path. */
void dvmi_asid_check_rollover(struct dvmi_asid_check *k);
/* @cpu removes everything from its TLB. */
void dvmi_asid_check_flush(struct dvmi_asid_check *k, unsigned cpu);

/* @mm's page tables change: the number of the change. */
uint32_t dvmi_asid_check_change(struct dvmi_asid_check *k, uint32_t mm);
/* A broadcast removes all of @asid everywhere. */
void dvmi_asid_check_tlbi(struct dvmi_asid_check *k, uint16_t asid);
/*
 * The flush of change @number of @mm, whose ASID is @asid now, is over. A CPU that has yet to flush
 * itself may hold what it wants under ASIDs it does not run: it can not get at them any more.
 */
enum dvmi_asid_rule dvmi_asid_check_completed(struct dvmi_asid_check *k, uint32_t mm, uint16_t asid,
					      uint32_t number);

#endif
