/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void dvmi_buf_fini(struct dvmi_buf *buf)
{
	dvmi_free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

void dvmi_buf_add(struct dvmi_buf *buf, const char *data, size_t len)
{
	void *p = buf->data;

	if (buf->failed)
		return;
	if (dvmi_grow(&p, &buf->capacity, buf->len + len + 1, 1)) {
		buf->failed = 1;
		return;
	}
	buf->data = p;
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void dvmi_buf_puts(struct dvmi_buf *buf, const char *text)
{
	dvmi_buf_add(buf, text, strlen(text));
}

void dvmi_buf_printf(struct dvmi_buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	char small[256];
	char *big;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		dvmi_buf_add(buf, small, (size_t)n);
	} else if (n >= 0) {
		big = dvmi_alloc((size_t)n + 1);
		if (big) {
			vsnprintf(big, (size_t)n + 1, fmt, again);
			dvmi_buf_add(buf, big, (size_t)n);
		} else {
			buf->failed = 1;
		}
		dvmi_free(big);
	}
	va_end(again);
}

int dvmi_buf_take(struct dvmi_buf *buf, char **text)
{
	dvmi_buf_puts(buf, "");
	if (buf->failed) {
		dvmi_buf_fini(buf);
		return -DVM_ENOMEM;
	}
	*text = buf->data;
	memset(buf, 0, sizeof(*buf));
	return 0;
}
