/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_WORKSET_H
#define DVMI_SIM_WORKSET_H

#include "sim/group.h"

/*
 * What a flush costs later: the TLB refills. A trace without memory accesses does not say which
 * pages a task uses, so each address space is taken to use `pages` pages, all of them touched evenly
 * in every `period_ps` of running. Each CPU remembers how many translations of the last few address
 * spaces it still holds; running one walks for those that are missing. A flush takes away as many as
 * it names and the address space goes on using; another address space's refills push out those of the
 * ones that ran longest ago, once the second-level TLB is full.
 */
struct dvmi_workset;

struct dvmi_workset_rules {
	uint64_t pages;      /* of one address space */
	uint64_t period_ps;  /* in which it touches all of them once */
	uint64_t capacity;   /* second-level TLB entries of one TLB */
	unsigned sharers;    /* CPUs, in a row, that have one together; 0: 1 */
};

int dvmi_workset_new(unsigned cpus, uint32_t mms, const struct dvmi_workset_rules *rules,
		     struct dvmi_workset **ws);
void dvmi_workset_free(struct dvmi_workset *ws);

/* @mm runs on @cpu for @ps: how many translations it walks for. */
uint64_t dvmi_workset_run(struct dvmi_workset *ws, unsigned cpu, uint32_t mm, uint64_t ps);

/* @pages of @mm (UINT64_MAX: all) leave the TLB of @cpu, or of every CPU. */
void dvmi_workset_flush_local(struct dvmi_workset *ws, unsigned cpu, uint32_t mm, uint64_t pages);
void dvmi_workset_flush_all(struct dvmi_workset *ws, uint32_t mm, uint64_t pages);
/* Everything of @group leaves the TLB of @cpu. */
void dvmi_workset_flush_cpu(struct dvmi_workset *ws, unsigned cpu,
			    const struct dvmi_mm_group *group);

#endif
