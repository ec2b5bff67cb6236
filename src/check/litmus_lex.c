/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void dvmi_lex_init(struct dvmi_lex *lex, const char *file, const char *text, size_t size,
		   struct dvm_error *err)
{
	lex->p = lex->line_start = text;
	lex->end = text + size;
	lex->file = file;
	lex->line = 1;
	lex->bad = false;
	lex->err = err;
}

unsigned dvmi_lex_column(const struct dvmi_lex *lex)
{
	return (unsigned)(lex->p - lex->line_start) + 1;
}

int dvmi_lex_fail(struct dvmi_lex *lex, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (lex->bad)
		return -DVM_EFORMAT;
	lex->bad = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return dvmi_error_at(lex->err, DVM_EFORMAT, lex->file, lex->line, dvmi_lex_column(lex),
			     "%s", text);
}

int dvmi_lex_peek(const struct dvmi_lex *lex)
{
	return lex->p < lex->end ? (unsigned char)*lex->p : -1;
}

static void step(struct dvmi_lex *lex)
{
	if (*lex->p++ == '\n') {
		lex->line++;
		lex->line_start = lex->p;
	}
}

/* herd's comments are OCaml's: they nest. */
static int comment(struct dvmi_lex *lex)
{
	struct dvmi_lex start = *lex;
	unsigned depth = 0;

	do {
		if (lex->end - lex->p < 2) {
			*lex = start;
			lex->bad = false;
			return dvmi_lex_fail(lex, "comment without an end; close it with *)");
		}
		if (lex->p[0] == '(' && lex->p[1] == '*') {
			depth++;
			step(lex);
		} else if (lex->p[0] == '*' && lex->p[1] == ')') {
			depth--;
			step(lex);
		}
		step(lex);
	} while (depth);
	return 0;
}

int dvmi_lex_blank(struct dvmi_lex *lex)
{
	while (lex->p < lex->end) {
		if (isspace((unsigned char)*lex->p)) {
			step(lex);
		} else if (lex->end - lex->p >= 2 && lex->p[0] == '(' && lex->p[1] == '*') {
			int rc = comment(lex);

			if (rc)
				return rc;
		} else if (lex->end - lex->p >= 2 && lex->p[0] == '/' && lex->p[1] == '/') {
			while (lex->p < lex->end && *lex->p != '\n')
				step(lex);
		} else {
			break;
		}
	}
	return 0;
}

bool dvmi_lex_eat(struct dvmi_lex *lex, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(lex->end - lex->p) < n || strncasecmp(lex->p, text, n) != 0)
		return false;
	/* A word must not go on. */
	if (isalnum((unsigned char)text[n - 1]) && lex->p + n < lex->end &&
	    (isalnum((unsigned char)lex->p[n]) || lex->p[n] == '_'))
		return false;
	while (n--)
		step(lex);
	return dvmi_lex_blank(lex) == 0;
}

size_t dvmi_lex_word(struct dvmi_lex *lex, char *word, size_t size, bool dash)
{
	size_t n = 0;

	while (lex->p < lex->end && n + 1 < size) {
		char c = *lex->p;

		if (!isalnum((unsigned char)c) && c != '_' && c != '.' && !(dash && c == '-'))
			break;
		word[n++] = c;
		step(lex);
	}
	word[n] = '\0';
	if (n)
		(void)dvmi_lex_blank(lex);
	return n;
}

static int digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

bool dvmi_lex_number(struct dvmi_lex *lex, uint64_t *value)
{
	struct dvmi_lex save = *lex;
	bool negative = false;
	int base = 10, n = 0;
	uint64_t v = 0;

	if (dvmi_lex_peek(lex) == '-') {
		negative = true;
		step(lex);
	}
	if (lex->end - lex->p > 2 && lex->p[0] == '0' && (lex->p[1] == 'x' || lex->p[1] == 'X')) {
		base = 16;
		step(lex);
		step(lex);
	} else if (lex->end - lex->p > 2 && lex->p[0] == '0' && lex->p[1] == 'b') {
		base = 2;
		step(lex);
		step(lex);
	}
	while (lex->p < lex->end && digit(*lex->p) < base) {
		v = v * (uint64_t)base + (uint64_t)digit(*lex->p);
		step(lex);
		n++;
	}
	if (!n || n > 20 || isalpha(dvmi_lex_peek(lex)) || dvmi_lex_peek(lex) == '_') {
		*lex = save;
		return false;
	}
	(void)dvmi_lex_blank(lex);
	*value = negative ? 0 - v : v;
	return true;
}
