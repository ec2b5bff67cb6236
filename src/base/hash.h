/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_HASH_H
#define DVMI_BASE_HASH_H

/*
 * The one place that includes uthash: its default reaction to a failed allocation is exit(), and
 * its iteration order is insertion order, which keeps results independent of pointers.
 */
#include "base/mem.h"

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(sz) dvmi_alloc(sz)
#define uthash_free(ptr, sz) dvmi_free(ptr)
#define uthash_nonfatal_oom(obj)                                                                   \
	do {                                                                                       \
		(void)(obj);                                                                       \
	} while (0)

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <uthash.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <stdint.h>

/* FNV-1a, 64 bits: names the content of models, strategies and traces in results. Not a defence. */
#define DVMI_HASH_INIT UINT64_C(0xcbf29ce484222325)
static inline uint64_t dvmi_hash_bytes(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

#endif
