/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_STRATEGY_H
#define DVMI_PROGRAM_STRATEGY_H

#include "program/program.h"

#include <dvmsim/strategy.h>

/* The program behind a public strategy: what the machines run. Borrowed. */
const struct dvmi_program *dvmi_strategy_program(const struct dvm_strategy *s);
/* A strategy of @program, which it owns then; on failure the caller keeps it. -DVM_ENOMEM. */
int dvmi_strategy_wrap(struct dvmi_program *program, struct dvm_strategy **s);

#endif
