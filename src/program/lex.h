/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_LEX_H
#define DVMI_PROGRAM_LEX_H

#include "base/error.h"
#include "program/program.h"

enum dvmi_token_kind {
	DVMI_T_END, /* of the line */
	DVMI_T_NAME,
	DVMI_T_NUMBER,
	DVMI_T_STRING,
	DVMI_T_COMMA,
	DVMI_T_COLON,
	DVMI_T_EQUALS,
	DVMI_T_OPEN,
	DVMI_T_CLOSE,
};

/* @text points into the source and is not terminated; a string's is without its quotes. */
struct dvmi_token {
	const char *text;
	size_t len;
	uint64_t number;
	unsigned column;
	uint8_t kind;
};

enum { DVMI_TOKENS_MAX = 16 }; /* on one line, without the end */

struct dvmi_lexer {
	const char *where;
	const char *next, *end;
	unsigned line;
	struct dvmi_token tok[DVMI_TOKENS_MAX + 1]; /* the last is DVMI_T_END */
};

/* Read the tokens of one more line. Return: 1, 0 after the last line, or a negative code. */
int dvmi_lex_line(struct dvmi_lexer *lx, struct dvm_error *err);

#endif
