/* SPDX-License-Identifier: MIT */
#ifndef DVMI_HW_CORE_H
#define DVMI_HW_CORE_H

#include "hw/fabric.h"

/*
 * What each CPU has outstanding, and what a barrier waits for.
 *
 *   barrier            stores  loads  local TLBIs  broadcast TLBIs  then costs
 *   DSB (any) ST       yes     -      -            -                dsb_st_ps
 *   DSB (any) LD       -       yes    -            -                dsb_st_ps
 *   DSB NSH            yes     yes    yes          -                dsb_nsh_ps
 *   DSB ISH, OSH, SY   yes     yes    yes          Sync round       dsb_ish_ps
 *   DMB                -       -      -            -                dmb_ps
 *   ISB                -       -      -            -                isb_ps
 *
 * Local TLBIs are done dsb_nsh_ps after the DSB begins, and not before stores and loads are: a
 * DSB NSH therefore costs dsb_nsh_ps once, and a wider DSB waits that long only when one is
 * pending. A DSB completes every TLBI of its CPU that is still pending, however long ago it was
 * issued (Arm ARM DDI 0487, B2 "Data Synchronization Barrier"; D8 "Completion of TLB
 * maintenance").
 */
enum dvmi_dsb_type { DVMI_DSB_ALL, DVMI_DSB_ST, DVMI_DSB_LD };
enum dvmi_dsb_domain { DVMI_DSB_NSH, DVMI_DSB_ISH, DVMI_DSB_OSH, DVMI_DSB_SY };

struct dvmi_core_cpu {
	uint64_t stores_ps, loads_ps; /* the last one is done then */
	uint64_t dsb_ps;	      /* of a DSB that waits for its Sync: done no earlier */
	bool local;		      /* local TLBIs pending */
};

struct dvmi_core {
	const struct dvmi_hw *hw;
	struct dvmi_fabric *fabric;
	struct dvmi_core_cpu *cpus;
};

/* @hw and @fabric are borrowed. Returns 0 or -DVM_ENOMEM. */
int dvmi_core_init(struct dvmi_core *core, const struct dvmi_hw *hw, struct dvmi_fabric *fabric);
void dvmi_core_fini(struct dvmi_core *core);

/* A store enters the store buffer at @now_ps and is visible store_drain_ps later. */
void dvmi_core_store(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps);
/* A store, a load, that will be done at @done_ps (dvmi_line_store() and the like say when). */
void dvmi_core_store_until(struct dvmi_core *core, uint32_t cpu, uint64_t done_ps);
void dvmi_core_load_until(struct dvmi_core *core, uint32_t cpu, uint64_t done_ps);

/* A local TLBI; the CPU goes on at the returned time. */
uint64_t dvmi_core_tlbi_local(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps);
/* A broadcast TLBI: as dvmi_fabric_tlbi(). */
int dvmi_core_tlbi_broadcast(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, uint64_t tag,
			     uint64_t *free_ps);
/* To one TLBI domain: as dvmi_fabric_tlbi_in(). */
int dvmi_core_tlbi_in(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, uint64_t tag,
		      uint32_t domain, uint64_t *free_ps);

/*
 * DVMI_FABRIC_DONE: the DSB is over at *@done_ps. DVMI_FABRIC_BLOCKED: it waits for its Sync round;
 * when the event queue runs the CPU again, dvmi_core_dsb_end() says when the DSB is over.
 * Or -DVM_ENOMEM.
 */
int dvmi_core_dsb(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps, enum dvmi_dsb_type type,
		  enum dvmi_dsb_domain domain, uint64_t *done_ps);
uint64_t dvmi_core_dsb_end(struct dvmi_core *core, uint32_t cpu, uint64_t now_ps);

uint64_t dvmi_core_dmb(const struct dvmi_core *core, uint64_t now_ps);
uint64_t dvmi_core_isb(const struct dvmi_core *core, uint64_t now_ps);

#endif
