/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_CHECKER_H
#define DVMI_PROGRAM_CHECKER_H

#include "base/error.h"
#include "program/parse.h"

/* What is known on every path to an instruction. */
struct dvmi_flow {
	uint32_t regs, masks; /* set on every path */
	uint16_t section;     /* 1 + index of the armed section, or 0 */
	uint8_t depth[3];     /* of migrate_disable, preempt_disable, irq_disable */
	uint8_t asid;	      /* sampled on every path */
	uint8_t reached;
};

struct dvmi_checker {
	const struct dvmi_program *p;
	const char *where;
	struct dvm_error *err;
	struct dvmi_flow *flow; /* of each instruction, from the hook being followed */
	uint16_t *work;		/* instructions to visit again */
	uint8_t *queued, *seen; /* seen: reached from any hook */
	unsigned work_count;
	unsigned first, end; /* body of that hook */
	enum dvmi_hook hook;
};

int dvmi_check_fail(const struct dvmi_checker *c, const struct dvmi_insn *insn, const char *fmt,
		    ...) DVMI_PRINTF(3, 4);
/* Does this hook have what the instruction asks for: an mm, a request, prev, ... (context.c). */
int dvmi_check_context(const struct dvmi_checker *c, const struct dvmi_insn *insn);

#endif
