/* SPDX-License-Identifier: MIT */
#include "program/lex.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == '.';
}

static int fail(const struct dvmi_lexer *lx, struct dvm_error *err, unsigned column,
		const char *text)
{
	return dvmi_error_at(err, DVM_EFORMAT, lx->where, lx->line, column, "%s", text);
}

/* A hyphen belongs to a name when it joins two parts of it: batch-add, active-cpu-v2. */
static size_t name_length(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && (is_name(*q) || (*q == '-' && q > p && q + 1 < end && is_name(q[1]))))
		q++;
	return (size_t)(q - p);
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool number(const char *p, size_t len, uint64_t *value)
{
	unsigned base = 10;
	uint64_t n = 0;

	if (len > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		int d = hex_digit(p[i]);

		if (d < 0 || (unsigned)d >= base || n > (UINT64_MAX - (unsigned)d) / base)
			return false;
		n = n * base + (unsigned)d;
	}
	*value = n;
	return true;
}

static int punctuation(char c)
{
	switch (c) {
	case ',':
		return DVMI_T_COMMA;
	case ':':
		return DVMI_T_COLON;
	case '=':
		return DVMI_T_EQUALS;
	case '[':
		return DVMI_T_OPEN;
	case ']':
		return DVMI_T_CLOSE;
	default:
		return -1;
	}
}

static int string(const struct dvmi_lexer *lx, struct dvmi_token *t, const char *end,
		  struct dvm_error *err)
{
	const char *q = ++t->text;

	while (q < end && *q != '"') {
		if ((unsigned char)*q < ' ' || (unsigned char)*q >= 127 || *q == '\\')
			return fail(lx, err, t->column + (unsigned)(q - t->text) + 1,
				    "a string holds printable ASCII without backslashes; "
				    "rewrite this character");
		q++;
	}
	if (q == end)
		return fail(lx, err, t->column, "the string does not end; close it with \"");
	t->len = (size_t)(q - t->text);
	t->kind = DVMI_T_STRING;
	return 0;
}

/* One token at @p; returns the bytes it takes, or a negative code. */
static long token(const struct dvmi_lexer *lx, struct dvmi_token *t, const char *p,
		  const char *end, struct dvm_error *err)
{
	int kind = punctuation(*p), rc;

	t->text = p;
	t->len = 1;
	if (kind >= 0) {
		t->kind = (uint8_t)kind;
		return 1;
	}
	if (*p == '"') {
		rc = string(lx, t, end, err);
		return rc ? rc : (long)t->len + 2;
	}
	if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127)
		return fail(lx, err, t->column,
			    "a control or non-ASCII character outside a comment; remove it");
	if (!is_name(*p))
		return dvmi_error_at(err, DVM_EFORMAT, lx->where, lx->line, t->column,
				     "'%c' has no meaning here; a comment begins with #", *p);
	t->len = name_length(p, end);
	t->kind = DVMI_T_NAME;
	if (is_digit(*p)) {
		t->kind = DVMI_T_NUMBER;
		if (!number(p, t->len, &t->number))
			return fail(lx, err, t->column,
				    "not a number; write decimal digits or 0x and hexadecimal "
				    "digits, below 2^64");
	}
	return (long)t->len;
}

int dvmi_lex_line(struct dvmi_lexer *lx, struct dvm_error *err)
{
	const char *start = lx->next, *p = start, *eol;
	unsigned n = 0;

	if (p == lx->end)
		return 0;
	lx->line++;
	eol = memchr(p, '\n', (size_t)(lx->end - p));
	lx->next = eol ? eol + 1 : lx->end;
	if (!eol)
		eol = lx->end;
	if (eol > p && eol[-1] == '\r')
		eol--;
	while (p < eol && *p != '#') {
		struct dvmi_token *t = &lx->tok[n];
		long len = 1;

		if (*p != ' ' && *p != '\t') {
			t->column = (unsigned)(p - start) + 1;
			if (n++ == DVMI_TOKENS_MAX)
				return fail(lx, err, t->column,
					    "too many words on one line; one instruction a line");
			len = token(lx, t, p, eol, err);
			if (len < 0)
				return (int)len;
		}
		p += len;
	}
	lx->tok[n] = (struct dvmi_token){ .kind = DVMI_T_END, .text = p,
					  .column = (unsigned)(p - start) + 1 };
	return 1;
}
