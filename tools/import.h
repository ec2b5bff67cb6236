/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_IMPORT_H
#define DVMSIM_TOOLS_IMPORT_H

#include <dvmsim/trace.h>

#include <stdio.h>

/* What the caller knows about a capture and the importer does not. */
struct import_options {
	const char *hooks;		/* the hooks file the plugin was given */
	unsigned long long from, to;	/* marks (sethostname calls, from 1); 0: begin, end */
	const char *const *marks;	/* which work marks to keep, ends with NULL; none: all there are */
	const char *const *works;	/* "NAME=EVENT" of a kernel event trace, ends with NULL */
	const char *kernel, *machine, *command, *window, *recipe;
};

/*
 * Read the stream of tools/capture/plugin.c. On success *@trace is the caller's, and a report is
 * printed to @report.
 */
int import_plugin(const char *path, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err);

/*
 * Read a kernel event trace: a trace.dat of trace-cmd, or with @text what perf script or the trace file
 * of tracefs prints. 1 when the file was damaged and what precedes the damage was used; -DVM_EINVAL
 * when this build has no libtracecmd.
 */
int import_ftrace(const char *path, bool text, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err);

/* Read memory accesses of one program: valgrind lackey's text, or 8-byte words (docs/capture.md). */
int import_lackey(const char *path, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err);
int import_accesses(const char *path, const struct import_options *options, FILE *report,
		    struct dvm_trace **trace, struct dvm_error *err);

#endif
