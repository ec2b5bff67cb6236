/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_BUF_H
#define DVMI_BASE_BUF_H

#include "base/error.h"

#include <stddef.h>

/*
 * A growing text buffer, always NUL-terminated once something was added. A failed allocation is
 * remembered, so that a printer checks once, at the end (dvmi_buf_take).
 */
struct dvmi_buf {
	char *data;
	size_t len, capacity;
	int failed;
};

void dvmi_buf_fini(struct dvmi_buf *buf);
void dvmi_buf_add(struct dvmi_buf *buf, const char *data, size_t len);
void dvmi_buf_puts(struct dvmi_buf *buf, const char *text);
void dvmi_buf_printf(struct dvmi_buf *buf, const char *fmt, ...) DVMI_PRINTF(2, 3);
/* Hand the text (never NULL on success) to the caller, who frees it with dvmi_free(). */
int dvmi_buf_take(struct dvmi_buf *buf, char **text);

#endif
