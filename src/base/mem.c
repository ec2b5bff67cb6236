/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <dvmsim/error.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Per thread, so that parallel simulations in a test do not disturb each other. */
static _Thread_local unsigned long fail_at, count;

void dvmi_mem_fail_at(unsigned long n)
{
	fail_at = n;
	count = 0;
}

unsigned long dvmi_mem_count(void)
{
	return count;
}

static int refuse(void)
{
	count++;
	return fail_at && count >= fail_at;
}

void *dvmi_alloc(size_t size)
{
	return refuse() ? NULL : malloc(size ? size : 1);
}

void *dvmi_zalloc(size_t size)
{
	return refuse() ? NULL : calloc(1, size ? size : 1);
}

void *dvmi_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : calloc(n ? n : 1, size ? size : 1);
}

void *dvmi_realloc(void *ptr, size_t n, size_t size)
{
	size_t bytes = n * size;

	if (size && n > SIZE_MAX / size)
		return NULL;
	return refuse() ? NULL : realloc(ptr, bytes > 0 ? bytes : 1);
}

char *dvmi_strdup(const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = dvmi_alloc(len);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

void dvmi_free(void *ptr)
{
	free(ptr);
}

void dvm_free(void *ptr)
{
	free(ptr);
}

int dvmi_grow(void **array, size_t *capacity, size_t need, size_t size)
{
	size_t cap = *capacity ? *capacity : 16;
	void *p;

	if (need <= *capacity)
		return 0;
	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return -DVM_ENOMEM;
		cap *= 2;
	}
	p = dvmi_realloc(*array, cap, size);
	if (!p)
		return -DVM_ENOMEM;
	*array = p;
	*capacity = cap;
	return 0;
}
