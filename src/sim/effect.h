/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_EFFECT_H
#define DVMI_SIM_EFFECT_H

#include "sim/engine.h"

#include <string.h>

/*
 * What one instruction of a strategy does on the timing machine. Each function either finishes the
 * instruction (dvmi_frame_result) or leaves hook.stage for the next call; *@next is the time of that
 * call, @now for at once, DVMI_NEVER when the fabric will wake the CPU.
 */
int dvmi_effect_memory(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
		       uint64_t now, uint64_t *next);
int dvmi_effect_tlbi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		     uint64_t *next);
int dvmi_effect_sync(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
void dvmi_effect_notify(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next);
int dvmi_effect_ipi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		    uint64_t *next);

/* A DSB within a longer sequence: hook.stage / 8 counts the sequence, hook.stage % 8 the DSB. */
int dvmi_effect_dsb_in(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
		       enum dvmi_dsb_domain domain, uint64_t now, uint64_t *next);
enum dvmi_dsb_type dvmi_insn_dsb_type(const struct dvmi_insn *i);
enum dvmi_dsb_domain dvmi_insn_dsb_domain(const struct dvmi_insn *i);

#endif
