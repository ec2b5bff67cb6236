/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_LITMUS_OPERAND_H
#define DVMI_CHECK_LITMUS_OPERAND_H

#include "check/litmus.h"

/* Operands of instructions: each reads what comes next; 0, or the error that it has reported. */
int dvmi_operand_reg(struct dvmi_litmus_parser *p, uint8_t *r, uint8_t *width);
int dvmi_operand_comma(struct dvmi_litmus_parser *p);
int dvmi_operand_label_ref(struct dvmi_litmus_parser *p, struct dvmi_thread *t, uint16_t *target);
int dvmi_operand_rd_address(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool offset);
/* SWP Ws, Wt, [Xn]; CAS Ws, Wt, [Xn]; STADD Ws, [Xn] */
int dvmi_operand_atomic(struct dvmi_litmus_parser *p, struct dvmi_insn *in, bool no_result);
int dvmi_operand_stxr(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_alu(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_mov(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_cmp(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_condition_code(struct dvmi_litmus_parser *p, const char *word, uint8_t *code);
int dvmi_operand_csel(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_cset(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_barrier(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
/* TLBI {R}{V|VA|VAA|VAL|VAAL|ASID|VMALL}E1{IS|OS}{NXS} */
int dvmi_operand_tlbi(struct dvmi_litmus_parser *p, struct dvmi_insn *in);
int dvmi_operand_sysreg(struct dvmi_litmus_parser *p, uint8_t *r);

#endif
