/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_ORACLE_H
#define DVMI_SIM_ORACLE_H

#include "base/error.h"
#include "sim/group.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The oracle: has any CPU used a translation after a flush of it completed?
 *
 * Per address space it keeps the CPUs that may hold translations (those that installed it, since
 * their entries were last removed). A flush takes that set as it begins. Its TLBIs cover CPUs: a
 * local one the issuing CPU, a broadcast all, an IPI its targets; but only once a DSB of sufficient
 * type and domain, executed after them by the same CPU, has completed (Arm ARM DDI 0487, "Ordering
 * and completion of TLB maintenance instructions"). CPUs that the set names and that are not covered
 * when the flush returns are stale for that address space, and the next instruction of it there
 * stops the run.
 *
 * It knows sets of CPUs, not of pages: where a trace carries no accesses, running the address space
 * counts as using whatever a CPU may hold. That is what speculation permits (entries may be used at
 * any time), so it never excuses a strategy, and a strategy that covers the set never trips it.
 */
struct dvmi_oracle;

/* A flush in flight, or one whose completion was left to a later barrier (NOSYNC). */
struct dvmi_oracle_flush;

int dvmi_oracle_new(unsigned cpus, uint32_t mms, struct dvmi_oracle **oracle);
void dvmi_oracle_free(struct dvmi_oracle *oracle);
/*
 * Each @threads CPUs in a row share their translations (FEAT_TTCNP; 1 unless said): what one may hold all
 * may hold, and what one removes is removed for all.
 */
void dvmi_oracle_share(struct dvmi_oracle *oracle, unsigned threads);

/* @mm is installed on @cpu (TTBR0 written): it may hold translations from now on. */
void dvmi_oracle_install(struct dvmi_oracle *o, unsigned cpu, uint32_t mm);
/* What runs on @cpu uses no address space: the host beneath virtual machines. */
void dvmi_oracle_leave(struct dvmi_oracle *o, unsigned cpu);
/* @mm ran on @cpu: of the CPUs its kernel knows. */
void dvmi_oracle_ran(struct dvmi_oracle *o, unsigned cpu, uint32_t mm);
/* @cpu removed everything of @group from its TLB: also what flushes under way are after. */
void dvmi_oracle_flush_cpu(struct dvmi_oracle *o, unsigned cpu, const struct dvmi_mm_group *group);

/*
 * @mm's page tables changed and a flush begins. @checked is false for requests that need no
 * completion (young-clear) or whose staleness is harmless (the PTE became more permissive).
 */
struct dvmi_oracle_flush *dvmi_oracle_begin(struct dvmi_oracle *o, uint32_t mm, bool checked,
					    bool whole_asid, uint64_t record);
/* TLBIs were issued on @cpu for @f; they cover once a DSB there completes. */
void dvmi_oracle_local(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu);
void dvmi_oracle_broadcast(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu);
/* A broadcast to the CPUs [first, end) only (a TLBI domain's); no device hears it. */
void dvmi_oracle_broadcast_to(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned cpu,
			      unsigned first, unsigned end);
/* A TLBI of the whole ASID that belongs to no flush (a switch hook makes up for one it skipped). */
void dvmi_oracle_whole(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, bool broadcast);
void dvmi_oracle_whole_to(struct dvmi_oracle *o, uint32_t mm, unsigned cpu, unsigned first,
			  unsigned end);
/* @target handled an IPI: its local TLBI and DSB are done. */
void dvmi_oracle_ipi(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, unsigned target);
/* The same, and the TLBIs were broadcast (HCR_EL2.FB): no CPU holds anything any more. */
void dvmi_oracle_ipi_all(struct dvmi_oracle *o, struct dvmi_oracle_flush *f);
/* A full-access DSB completed on @cpu; @inner: its domain is inner shareable or wider. */
void dvmi_oracle_dsb(struct dvmi_oracle *o, unsigned cpu, bool inner);
/* The flush returned to its caller: it is judged. */
void dvmi_oracle_end(struct dvmi_oracle *o, struct dvmi_oracle_flush *f);
/* It returned with its completion left to its owner (a task), who is told later that all is done. */
void dvmi_oracle_defer(struct dvmi_oracle *o, struct dvmi_oracle_flush *f, uint32_t owner);
void dvmi_oracle_batch(struct dvmi_oracle *o, uint32_t owner);

/* Instructions of @mm run on @cpu: 0, or -DVM_EUNSAFE with the sentence filled in. */
int dvmi_oracle_use(struct dvmi_oracle *o, unsigned cpu, uint32_t mm, struct dvm_error *err);

/*
 * A device shares @mm's translations, or does so no longer. It may use them at any time. A flush must
 * cover it: by a broadcast and its DSB where it @hears them (BTM), by the notifier in any case.
 */
void dvmi_oracle_device(struct dvmi_oracle *o, uint32_t mm, bool bound, bool hears);
void dvmi_oracle_notified(struct dvmi_oracle *o, struct dvmi_oracle_flush *f);
/* 0, or -DVM_EUNSAFE: a flush that was judged has left the device behind. */
int dvmi_oracle_device_use(const struct dvmi_oracle *o, struct dvm_error *err);

/* CPUs @mm ever ran on; whether that is no other than @cpu (or none). */
unsigned dvmi_oracle_cpus_of(const struct dvmi_oracle *o, uint32_t mm);
bool dvmi_oracle_only_cpu(const struct dvmi_oracle *o, uint32_t mm, unsigned cpu);
/* Allocation failed somewhere above; checked once, at the end. */
bool dvmi_oracle_failed(const struct dvmi_oracle *o);

#endif
