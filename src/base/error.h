/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_ERROR_H
#define DVMI_BASE_ERROR_H

#include <dvmsim/error.h>

#if defined(__GNUC__)
#define DVMI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define DVMI_PRINTF(f, a)
#endif

/*
 * Each of these fills @err (which may be NULL) and returns -code, so that a failing function ends
 * in one line: return dvmi_error_at(err, DVM_EFORMAT, name, line, col, "...").
 */
int dvmi_error(struct dvm_error *err, int code, const char *where, const char *fmt, ...)
	DVMI_PRINTF(4, 5);
int dvmi_error_at(struct dvm_error *err, int code, const char *where, unsigned line,
		  unsigned column, const char *fmt, ...) DVMI_PRINTF(6, 7);
int dvmi_error_record(struct dvm_error *err, int code, const char *where, uint64_t record,
		      const char *fmt, ...) DVMI_PRINTF(5, 6);
int dvmi_error_nomem(struct dvm_error *err);

#endif
