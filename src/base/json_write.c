/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void indent(struct dvmi_jw *w)
{
	dvmi_buf_puts(&w->buf, "\n");
	for (unsigned i = 0; i < w->depth; i++)
		dvmi_buf_puts(&w->buf, "\t");
}

static void quoted(struct dvmi_buf *buf, const char *text)
{
	dvmi_buf_puts(buf, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			dvmi_buf_printf(buf, "\\%c", c);
		else if (c == '\n')
			dvmi_buf_puts(buf, "\\n");
		else if (c == '\t')
			dvmi_buf_puts(buf, "\\t");
		else if (c < 0x20)
			dvmi_buf_printf(buf, "\\u%04x", c);
		else
			dvmi_buf_add(buf, text, 1);
	}
	dvmi_buf_puts(buf, "\"");
}

/* Comma, place and key of the next value. */
static void begin(struct dvmi_jw *w, const char *key)
{
	if (w->depth && !w->first)
		dvmi_buf_puts(&w->buf, w->flat ? ", " : ",");
	if (w->depth && !w->flat)
		indent(w);
	w->first = false;
	if (key) {
		quoted(&w->buf, key);
		dvmi_buf_puts(&w->buf, ": ");
	}
}

static void open(struct dvmi_jw *w, const char *key, const char *bracket, bool line)
{
	begin(w, key);
	dvmi_buf_puts(&w->buf, bracket);
	w->depth++;
	if (line && !w->flat)
		w->flat = w->depth;
	w->first = true;
}

static void end(struct dvmi_jw *w, const char *bracket)
{
	bool flat = w->flat != 0;

	if (w->flat == w->depth)
		w->flat = 0;
	w->depth--;
	if (!w->first && !flat)
		indent(w);
	w->first = false;
	dvmi_buf_puts(&w->buf, bracket);
}

void dvmi_jw_object(struct dvmi_jw *w, const char *key)
{
	open(w, key, "{", false);
}

void dvmi_jw_array(struct dvmi_jw *w, const char *key)
{
	open(w, key, "[", false);
}

void dvmi_jw_object_line(struct dvmi_jw *w, const char *key)
{
	open(w, key, "{", true);
}

void dvmi_jw_array_line(struct dvmi_jw *w, const char *key)
{
	open(w, key, "[", true);
}

void dvmi_jw_end_object(struct dvmi_jw *w)
{
	end(w, "}");
}

void dvmi_jw_end_array(struct dvmi_jw *w)
{
	end(w, "]");
}

void dvmi_jw_string(struct dvmi_jw *w, const char *key, const char *text)
{
	begin(w, key);
	quoted(&w->buf, text);
}

void dvmi_jw_u64(struct dvmi_jw *w, const char *key, uint64_t value)
{
	begin(w, key);
	dvmi_buf_printf(&w->buf, "%" PRIu64, value);
}

void dvmi_jw_i64(struct dvmi_jw *w, const char *key, int64_t value)
{
	begin(w, key);
	dvmi_buf_printf(&w->buf, "%" PRId64, value);
}

/* printf and strtod follow the locale's decimal point; JSON has one. */
static void add_double(struct dvmi_buf *buf, const char *text)
{
	while (*text) {
		size_t plain = strspn(text, "0123456789+-eE");

		dvmi_buf_add(buf, text, plain);
		text += plain;
		if (*text) {
			dvmi_buf_puts(buf, ".");
			text += strcspn(text, "0123456789");
		}
	}
}

void dvmi_jw_double(struct dvmi_jw *w, const char *key, double value)
{
	char text[64];

	if (!isfinite(value)) {
		dvmi_jw_null(w, key);
		return;
	}
	begin(w, key);
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		/* The same bits, not nearly the same: the shortest text that reads back. */
		if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value))
			break;
	}
	add_double(&w->buf, text);
}

void dvmi_jw_hex(struct dvmi_jw *w, const char *key, uint64_t value)
{
	begin(w, key);
	dvmi_buf_printf(&w->buf, "\"0x%016" PRIx64 "\"", value);
}

void dvmi_jw_bool(struct dvmi_jw *w, const char *key, bool value)
{
	begin(w, key);
	dvmi_buf_puts(&w->buf, value ? "true" : "false");
}

void dvmi_jw_null(struct dvmi_jw *w, const char *key)
{
	begin(w, key);
	dvmi_buf_puts(&w->buf, "null");
}

void dvmi_jw_raw(struct dvmi_jw *w, const char *key, const char *json)
{
	size_t len = strlen(json);

	begin(w, key);
	while (len && json[len - 1] == '\n')
		len--;
	/* A newline outside a string is the only one there can be. */
	for (size_t i = 0; i < len; i++) {
		if (json[i] == '\n')
			indent(w);
		else
			dvmi_buf_add(&w->buf, json + i, 1);
	}
}

int dvmi_jw_take(struct dvmi_jw *w, char **text)
{
	dvmi_buf_puts(&w->buf, "\n");
	return dvmi_buf_take(&w->buf, text);
}

void dvmi_jw_fini(struct dvmi_jw *w)
{
	dvmi_buf_fini(&w->buf);
}
