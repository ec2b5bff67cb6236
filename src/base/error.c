/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <dvmsim/version.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int fill(struct dvm_error *err, int code, const char *where, unsigned line, unsigned column,
		uint64_t record, const char *fmt, va_list ap) DVMI_PRINTF(7, 0);

static int fill(struct dvm_error *err, int code, const char *where, unsigned line, unsigned column,
		uint64_t record, const char *fmt, va_list ap)
{
	if (err) {
		err->code = code;
		err->line = line;
		err->column = column;
		err->record = record;
		snprintf(err->where, sizeof(err->where), "%s", where ? where : "");
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
	}
	return -code;
}

int dvmi_error(struct dvm_error *err, int code, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, where, 0, 0, UINT64_MAX, fmt, ap);
	va_end(ap);
	return -code;
}

int dvmi_error_at(struct dvm_error *err, int code, const char *where, unsigned line,
		  unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, where, line, column, UINT64_MAX, fmt, ap);
	va_end(ap);
	return -code;
}

int dvmi_error_record(struct dvm_error *err, int code, const char *where, uint64_t record,
		      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, where, 0, 0, record, fmt, ap);
	va_end(ap);
	return -code;
}

int dvmi_error_nomem(struct dvm_error *err)
{
	return dvmi_error(err, DVM_ENOMEM, "", "out of memory");
}

int dvm_error_format(const struct dvm_error *err, char *buf, size_t size)
{
	const char *sep = err->where[0] ? ": " : "";

	if (err->line && err->column)
		return snprintf(buf, size, "%s:%u:%u: %s", err->where, err->line, err->column,
				err->text);
	if (err->line)
		return snprintf(buf, size, "%s:%u: %s", err->where, err->line, err->text);
	if (err->record != UINT64_MAX)
		return snprintf(buf, size, "%s: record %" PRIu64 ": %s", err->where, err->record,
				err->text);
	return snprintf(buf, size, "%s%s%s", err->where, sep, err->text);
}

const char *dvm_strerror(int code)
{
	switch (code < 0 ? -code : code) {
	case 0:
		return "success";
	case DVM_ENOMEM:
		return "out of memory";
	case DVM_EINVAL:
		return "invalid argument";
	case DVM_EIO:
		return "input/output error";
	case DVM_EFORMAT:
		return "malformed input";
	case DVM_ENOENT:
		return "not found";
	case DVM_ELIMIT:
		return "limit exceeded";
	case DVM_ETRUNC:
		return "input ends early";
	case DVM_EUNSAFE:
		return "stale translation used";
	case DVM_EBUDGET:
		return "budget spent";
	default:
		return "unknown error";
	}
}

const char *dvm_version(void)
{
	return DVM_VERSION;
}
