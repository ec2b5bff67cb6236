/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_MEM_H
#define DVMI_BASE_MEM_H

#include <stddef.h>

/*
 * The library's only door to the heap. Sizes are checked for overflow; NULL means out of memory.
 * Tests make the n-th allocation of the calling thread fail (dvmi_mem_fail_at), for every n.
 */
void *dvmi_alloc(size_t size);
void *dvmi_zalloc(size_t size);
void *dvmi_calloc(size_t count, size_t size);
void *dvmi_realloc(void *ptr, size_t count, size_t size);
char *dvmi_strdup(const char *text);
void dvmi_free(void *ptr);

/* Make allocation number @n (from 1) of this thread fail, and all after it; 0 switches off. */
void dvmi_mem_fail_at(unsigned long n);
/* Allocations of this thread since the last dvmi_mem_fail_at(). */
unsigned long dvmi_mem_count(void);

/* Grow *@array (elements of @size) so that it holds @need; doubles. Returns 0 or -DVM_ENOMEM. */
int dvmi_grow(void **array, size_t *capacity, size_t need, size_t size);

#endif
