/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_PARSE_H
#define DVMI_PROGRAM_PARSE_H

#include "base/buf.h"
#include "program/program.h"

/*
 * Read and check the text of a strategy; docs/strategy-author.md is its grammar. @where names the
 * text in errors, which carry line and column. The caller frees *@program.
 */
int dvmi_program_parse(const char *text, size_t len, const char *where,
		       struct dvmi_program **program, struct dvm_error *err);

/*
 * The static checks alone (check.c): a path without ret, unbalanced pairs, registers read before
 * they are set, unreachable code, pure endless loops, things a hook does not have.
 * dvmi_program_parse() has run them; a program built by hand in C must pass them before a machine
 * runs it.
 */
int dvmi_program_check(const struct dvmi_program *program, const char *where,
		       struct dvm_error *err);

/* Canonical text (print.c): parsing it gives the same instructions. Comments are not kept. */
void dvmi_program_print(const struct dvmi_program *program, struct dvmi_buf *buf);
void dvmi_insn_print(const struct dvmi_program *program, const struct dvmi_insn *insn,
		     struct dvmi_buf *buf);

/* ---- Shared by parse.c, operands.c, print.c ---- */

/*
 * What follows a mnemonic, one letter per operand:
 *	d  scalar register that is set, or _        v  value: register, number, constant, field, self
 *	w  scalar word                              k  mask word
 *	m  mask register that is read               M  mask register that is set as a whole
 *	L  label                                    ?  the next operand may be left out
 */
struct dvmi_syntax {
	const char *operands;
	const char *orders; /* suffixes it takes: any of "a" .acq, "r" .rel, "f" .full */
};

extern const struct dvmi_syntax dvmi_syntax[DVMI_OPS];
extern const char *const dvmi_barrier_names[3][4]; /* [type][domain] */

#endif
