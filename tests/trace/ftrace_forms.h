/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_TRACE_FTRACE_FORMS_H
#define DVMSIM_TESTS_TRACE_FTRACE_FORMS_H

#include <stddef.h>
#include <stdint.h>

/* One event of the kernel, written in each form that has to mean the same. */
struct form_event {
	uint64_t us;
	unsigned cpu;
	int pid;
	const char *system, *name, *fields; /* "key=value key=value" */
	int lost; /* events lost on this CPU before it */
};

enum form { FORM_TRACEFS, FORM_PERF, FORM_DAT, FORMS };

/* Write @count events, in order of time, as @form to @path; returns the size. */
size_t form_write(const char *path, enum form form, const struct form_event *events, size_t count);

#endif
