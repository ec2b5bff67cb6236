/* SPDX-License-Identifier: MIT */
#include "report/table.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void dvmi_table_init(struct dvmi_table *t, size_t columns, bool grid)
{
	*t = (struct dvmi_table){ .columns = columns, .grid = grid };
	t->right = dvmi_calloc(columns, sizeof(*t->right));
	t->failed = !t->right;
}

void dvmi_table_fini(struct dvmi_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		dvmi_free(t->cells[i]);
	dvmi_free(t->cells);
	dvmi_free(t->rules);
	dvmi_free(t->right);
}

void dvmi_table_right(struct dvmi_table *t, size_t column)
{
	if (t->right)
		t->right[column] = true;
}

void dvmi_table_add(struct dvmi_table *t, const char *fmt, ...)
{
	char text[512], *copy;
	va_list ap;

	if (t->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	copy = dvmi_strdup(text);
	if (!copy || dvmi_grow((void **)&t->cells, &t->capacity, t->count + 1, sizeof(*t->cells))) {
		dvmi_free(copy);
		t->failed = 1;
		return;
	}
	t->cells[t->count++] = copy;
}

void dvmi_table_rule(struct dvmi_table *t, bool twice)
{
	size_t row = t->count ? (t->count - 1) / t->columns : 0;
	unsigned char *more;

	if (t->failed)
		return;
	if (row >= t->nrules) {
		more = dvmi_realloc(t->rules, row + 1, 1);
		if (!more) {
			t->failed = 1;
			return;
		}
		memset(more + t->nrules, 0, row + 1 - t->nrules);
		t->rules = more;
		t->nrules = row + 1;
	}
	t->rules[row] = twice ? 2 : 1;
}

static size_t width_of(const struct dvmi_table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->count; i += t->columns)
		if (strlen(t->cells[i]) > width)
			width = strlen(t->cells[i]);
	return width;
}

static void fill(struct dvmi_buf *out, char c, size_t n)
{
	while (n--)
		dvmi_buf_add(out, &c, 1);
}

static void print_rule(const struct dvmi_table *t, char c, const char *indent, struct dvmi_buf *out)
{
	dvmi_buf_puts(out, indent);
	for (size_t i = 0; i < t->columns; i++) {
		if (t->grid)
			dvmi_buf_puts(out, "+");
		else if (i)
			dvmi_buf_puts(out, "  ");
		fill(out, c, width_of(t, i) + (t->grid ? 2 : 0));
	}
	dvmi_buf_puts(out, t->grid ? "+\n" : "\n");
}

static void print_row(const struct dvmi_table *t, size_t row, const char *indent,
		      struct dvmi_buf *out)
{
	dvmi_buf_puts(out, indent);
	for (size_t i = 0; i < t->columns; i++) {
		size_t at = row * t->columns + i;
		const char *text = at < t->count ? t->cells[at] : "";
		size_t pad = width_of(t, i) - strlen(text);
		bool last = i + 1 == t->columns;

		dvmi_buf_puts(out, t->grid ? i ? " | " : "| " : i ? "  " : "");
		if (t->right[i])
			fill(out, ' ', pad);
		dvmi_buf_puts(out, text);
		if (!t->right[i] && (t->grid || !last)) /* no blanks at the end of a line */
			fill(out, ' ', pad);
	}
	dvmi_buf_puts(out, t->grid ? " |\n" : "\n");
}

void dvmi_table_print(const struct dvmi_table *t, const char *indent, struct dvmi_buf *out)
{
	size_t rows = (t->count + t->columns - 1) / t->columns;

	if (t->failed) {
		out->failed = 1;
		return;
	}
	if (t->grid)
		print_rule(t, '-', indent, out);
	for (size_t row = 0; row < rows; row++) {
		int rule = row < t->nrules ? t->rules[row] : 0;

		print_row(t, row, indent, out);
		if (rule || (t->grid && row + 1 == rows))
			print_rule(t, rule == 2 ? '=' : '-', indent, out);
	}
}
