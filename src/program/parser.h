/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_PARSER_H
#define DVMI_PROGRAM_PARSER_H

#include "program/lex.h"
#include "program/parse.h"

/* A branch whose label may come later in the hook's body. */
struct dvmi_fixup {
	char name[DVMI_NAME];
	unsigned insn, body, line, column;
};

/* What the parser knows of a register: where it was seen first, where it is set. */
struct dvmi_reg_use {
	unsigned line, column; /* first seen */
	bool set;
};

struct dvmi_parser {
	struct dvmi_lexer lx;
	struct dvm_error *err;
	struct dvmi_program *p;
	unsigned at; /* token in lx.tok */
	size_t insns_cap, labels_cap, fixups_cap, bodies_cap;
	struct dvmi_fixup *fixups;
	unsigned *bodies; /* of each label */
	unsigned fixups_count;
	unsigned body;	  /* number of the current hook body, from 1; 0 in the header */
	bool body_empty;  /* the current body has no instruction or label yet */
	bool const_used[DVMI_CONSTS_MAX];
	struct dvmi_reg_use regs[DVMI_REGS], mask_regs[DVMI_MASK_REGS];
};

static inline const struct dvmi_token *dvmi_peek(const struct dvmi_parser *ps)
{
	return &ps->lx.tok[ps->at];
}

bool dvmi_token_is(const struct dvmi_token *t, const char *text);
/* Consume the token when it is of @kind. */
bool dvmi_take(struct dvmi_parser *ps, unsigned kind);
/* "where:line:column: text", at a token. Returns -DVM_EFORMAT. */
int dvmi_parse_fail(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *fmt, ...)
	DVMI_PRINTF(3, 4);
/* "<what> '<token>'[; did you mean 'x'?][; <cure>]" with candidates as in dvmi_suggest(). */
int dvmi_parse_unknown(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *what,
		       const char *(*next)(const void *arg, size_t i), const void *arg,
		       const char *cure);
/* Copy a name of at most DVMI_NAME - 1 bytes; a longer one is an error. */
int dvmi_parse_name(const struct dvmi_parser *ps, const struct dvmi_token *t, char *name);
/* Index of a constant, declared or built in (then added on first use), or -1; -2: too many. */
int dvmi_parse_const(struct dvmi_parser *ps, const struct dvmi_token *t);
/* "more than @limit @what". Returns -DVM_ELIMIT. */
int dvmi_parse_over(const struct dvmi_parser *ps, const struct dvmi_token *t, const char *what,
		    unsigned limit);
/* Copy a name without dots or hyphens that means nothing else yet. */
int dvmi_parse_fresh(struct dvmi_parser *ps, const struct dvmi_token *t, char *name);
/* A declaration (decl.c): is it one; the rest of its line, @t being its first word. */
bool dvmi_is_header(const struct dvmi_token *t);
int dvmi_parse_header(struct dvmi_parser *ps, const struct dvmi_token *t);
/* One instruction, the mnemonic being the current token (insn.c). */
int dvmi_parse_insn(struct dvmi_parser *ps);
/* What a barrier, sync, asid, tlbi or section has after its operands (forms.c). */
int dvmi_parse_form(struct dvmi_parser *ps, struct dvmi_insn *insn);
/* A register, number, constant, field or self. */
int dvmi_parse_value(struct dvmi_parser *ps, struct dvmi_operand *v);
/* "mm.x" split at its dot: the base; *@name is what follows. -1: no such base. */
int dvmi_parse_base(const struct dvmi_token *t, const char **name, size_t *len);
/* Names that mean something everywhere and can not be declared. */
bool dvmi_name_reserved(const char *name);

#endif
