/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_CAPTURE_KERNEL_H
#define DVMSIM_CAPTURE_KERNEL_H

#include "btf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel that arm64-probes looks at: its symbols, and the instructions of its text. */

#define NAME 128

struct symbol {
	uint64_t address;
	char name[NAME];
	bool unique, traceable; /* kprobes take functions that ftrace knows */
	uint8_t inner; /* holds TLBIs but takes no probe: 1, its callers that take none: 2, ... */
	bool sync;     /* a DSB ISH follows the TLBI within it */
	uint32_t origin; /* the function with the TLBI */
};

struct kernel {
	struct symbol *symbols;
	size_t nsymbols, capacity;
	uint64_t text, stext, etext;
	uint32_t *words; /* [stext, etext) */
	size_t nwords;
	struct btf btf;
	char **functions; /* traceable, sorted */
	size_t nfunctions;
};

/* Say why on standard error, and exit with 2. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* @p, which must not be NULL for want of memory. */
void *must(void *p);

/* System.map or /proc/kallsyms; available_filter_functions; /proc/kcore, a vmlinux or an Image. */
void kernel_read_symbols(struct kernel *k, const char *path);
void kernel_read_functions(struct kernel *k, const char *path);
void kernel_read_text(struct kernel *k, const char *path);
/* The function that holds @address; NULL when there is none. */
struct symbol *symbol_at(struct kernel *k, uint64_t address);
struct symbol *symbol_named(struct kernel *k, const char *name);
/* A whole file, NULL when it can not be read; the caller frees it. */
unsigned char *read_whole(const char *path, size_t *size);

#endif
