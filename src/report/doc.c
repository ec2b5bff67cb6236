/* SPDX-License-Identifier: MIT */
#include "report/doc.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 98

/* Words of @text within WIDTH columns; the first line after @first, the others after @indent. */
static void wrap(struct dvmi_buf *out, const char *first, const char *indent, const char *text)
{
	size_t column = strlen(first);
	bool begin = true;

	dvmi_buf_puts(out, first);
	while (*text) {
		size_t len = strcspn(text, " ");

		if (!begin && column + 1 + len > WIDTH) {
			dvmi_buf_printf(out, "\n%s", indent);
			column = strlen(indent);
			begin = true;
		}
		if (!begin)
			dvmi_buf_puts(out, " ");
		dvmi_buf_add(out, text, len);
		column += len + !begin;
		begin = false;
		text += len;
		text += strspn(text, " ");
	}
	dvmi_buf_puts(out, "\n");
}

/* Markdown: what comes next begins after an empty line. */
static void blank(const struct dvmi_doc *d)
{
	const struct dvmi_buf *out = d->out;

	if (!d->markdown || out->len < 2 || out->failed)
		return;
	if (out->data[out->len - 1] != '\n')
		dvmi_buf_puts(d->out, "\n");
	if (out->data[out->len - 2] != '\n')
		dvmi_buf_puts(d->out, "\n");
}

void dvmi_doc_heading(const struct dvmi_doc *d, unsigned level, const char *text)
{
	blank(d);
	if (d->markdown)
		dvmi_buf_printf(d->out, "%.*s %s\n\n", (int)level, "###", text);
	else if (level == 1)
		dvmi_buf_printf(d->out, "%s\n", text);
	else
		dvmi_buf_printf(d->out, level == 2 ? "\n== %s ==\n" : "\n%s\n", text);
}

static void text_of(const struct dvmi_doc *d, const char *first, const char *indent,
		    const char *after, const char *fmt, va_list ap)
{
	char buf[4096];

	vsnprintf(buf, sizeof(buf), fmt, ap);
	if (d->markdown)
		dvmi_buf_printf(d->out, "%s%s\n%s", first, buf, after);
	else
		wrap(d->out, first, indent, buf);
}

void dvmi_doc_paragraph(const struct dvmi_doc *d, const char *fmt, ...)
{
	va_list ap;

	blank(d);
	va_start(ap, fmt);
	text_of(d, d->markdown ? "" : "  ", "  ", "\n", fmt, ap);
	va_end(ap);
}

void dvmi_doc_item(const struct dvmi_doc *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_of(d, d->markdown ? "- " : "  - ", "    ", "", fmt, ap);
	va_end(ap);
}

void dvmi_doc_command(const struct dvmi_doc *d, const char *command)
{
	blank(d);
	dvmi_buf_printf(d->out, d->markdown ? "      %s\n\n" : "      $ %s\n", command);
}

/* ---- tables ---- */

static void markdown_cell(struct dvmi_buf *out, const char *text)
{
	dvmi_buf_puts(out, "| ");
	for (; *text; text++) {
		if (*text == '|')
			dvmi_buf_puts(out, "\\");
		if (*text == '\n')
			dvmi_buf_puts(out, "<br>");
		else
			dvmi_buf_add(out, text, 1);
	}
	dvmi_buf_puts(out, " ");
}

static void markdown_table(struct dvmi_buf *out, const struct dvmi_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		markdown_cell(out, t->cells[i]);
		if ((i + 1) % t->columns)
			continue;
		dvmi_buf_puts(out, "|\n");
		if (i + 1 != t->columns)
			continue;
		for (size_t k = 0; k < t->columns; k++)
			dvmi_buf_puts(out, t->right[k] ? "|--:" : "|---");
		dvmi_buf_puts(out, "|\n");
	}
	dvmi_buf_puts(out, "\n");
}

/* Line @n of a cell. */
static void add_line(struct dvmi_table *to, const char *text, unsigned n)
{
	const char *end = strchr(text, '\n');

	if (n)
		dvmi_table_add(to, "%s", end ? end + 1 : "");
	else
		dvmi_table_add(to, "%.*s", (int)(end ? (size_t)(end - text) : strlen(text)), text);
}

static void split_row(const struct dvmi_table *t, size_t row, struct dvmi_table *to)
{
	char **cells = &t->cells[row * t->columns];
	unsigned lines = 1;

	for (size_t i = 0; i < t->columns; i++)
		if (strchr(cells[i], '\n'))
			lines = 2;
	for (unsigned n = 0; n < lines; n++)
		for (size_t i = 0; i < t->columns; i++)
			add_line(to, cells[i], n);
	if (!row)
		dvmi_table_rule(to, false);
}

static void text_table(struct dvmi_buf *out, const struct dvmi_table *t)
{
	struct dvmi_table split;

	dvmi_table_init(&split, t->columns, false);
	if (!split.failed)
		memcpy(split.right, t->right, t->columns * sizeof(*t->right));
	for (size_t row = 0; row < t->count / t->columns; row++)
		split_row(t, row, &split);
	dvmi_table_print(&split, "  ", out);
	dvmi_table_fini(&split);
}

void dvmi_doc_table(const struct dvmi_doc *d, struct dvmi_table *t)
{
	blank(d);
	if (t->failed)
		d->out->failed = 1;
	else if (d->markdown)
		markdown_table(d->out, t);
	else
		text_table(d->out, t);
	dvmi_table_fini(t);
}
