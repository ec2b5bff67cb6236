/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_DOC_H
#define DVMI_REPORT_DOC_H

#include "base/buf.h"
#include "report/table.h"

#include <stdbool.h>

/*
 * A report as text for a terminal, or as Markdown. Lines of text are wrapped; a Markdown line is one
 * paragraph or one item.
 */
struct dvmi_doc {
	struct dvmi_buf *out;
	bool markdown;
};

/* @level: 1 the report, 2 a part of it, 3 a part of that */
void dvmi_doc_heading(const struct dvmi_doc *d, unsigned level, const char *text);
void dvmi_doc_paragraph(const struct dvmi_doc *d, const char *fmt, ...) DVMI_PRINTF(2, 3);
void dvmi_doc_item(const struct dvmi_doc *d, const char *fmt, ...) DVMI_PRINTF(2, 3);
/* A command, never wrapped. */
void dvmi_doc_command(const struct dvmi_doc *d, const char *command);
/* The first row is the head. Takes the table. In text, "\n" in a cell begins a second line. */
void dvmi_doc_table(const struct dvmi_doc *d, struct dvmi_table *t);

#endif
