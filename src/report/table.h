/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_TABLE_H
#define DVMI_REPORT_TABLE_H

#include "base/buf.h"

#include <stdbool.h>

/* A table of text, printed once it is complete, as columns must know their widest cell. */
struct dvmi_table {
	char **cells;
	size_t columns, count, capacity;
	unsigned char *rules; /* by row: 1 = a line below it, 2 = a double one */
	size_t nrules;
	bool grid;     /* boxes of + - |, as reports on the mailing lists draw them */
	bool *right;   /* by column: align to the right */
	int failed;
};

/* @columns at least 1; nothing is right-aligned yet. */
void dvmi_table_init(struct dvmi_table *t, size_t columns, bool grid);
void dvmi_table_fini(struct dvmi_table *t);
void dvmi_table_right(struct dvmi_table *t, size_t column);
/* The next cell, row by row. */
void dvmi_table_add(struct dvmi_table *t, const char *fmt, ...) DVMI_PRINTF(2, 3);
/* Draw a line below the row that is being filled, or was filled last. */
void dvmi_table_rule(struct dvmi_table *t, bool twice);
/* Append the table to @out, each line after @indent. Failures end up in @out. */
void dvmi_table_print(const struct dvmi_table *t, const char *indent, struct dvmi_buf *out);

#endif
