/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define IMAGE_MAGIC_AT 56 /* Documentation/arch/arm64/booting.rst */

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("arm64-probes: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

void *must(void *p)
{
	if (!p)
		fail("out of memory");
	return p;
}

/* ---- symbols ---- */

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct symbol *const *)a)->name, (*(struct symbol *const *)b)->name);
}

static void mark_unique(struct kernel *k)
{
	struct symbol **list = must(calloc(k->nsymbols + 1, sizeof(*list)));

	for (size_t i = 0; i < k->nsymbols; i++)
		list[i] = &k->symbols[i];
	qsort(list, k->nsymbols, sizeof(*list), by_name);
	for (size_t i = 0; i < k->nsymbols; i++)
		list[i]->unique = (i == 0 || strcmp(list[i]->name, list[i - 1]->name)) &&
			(i + 1 == k->nsymbols || strcmp(list[i]->name, list[i + 1]->name));
	free(list);
}

static void add_symbol(struct kernel *k, uint64_t address, const char *name)
{
	struct symbol *s;

	if (k->nsymbols == k->capacity) {
		k->capacity = k->capacity ? 2 * k->capacity : 1 << 16;
		k->symbols = must(realloc(k->symbols, k->capacity * sizeof(*k->symbols)));
	}
	s = &k->symbols[k->nsymbols++];
	memset(s, 0, sizeof(*s));
	s->address = address;
	snprintf(s->name, sizeof(s->name), "%.*s", NAME - 1, name);
}

void kernel_read_symbols(struct kernel *k, const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned long long address;
	char line[512], name[256], type;

	if (!f)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '[') || sscanf(line, "%llx %c %255s", &address, &type, name) != 3)
			continue;
		if (!strcmp(name, "_text"))
			k->text = address;
		else if (!strcmp(name, "_stext"))
			k->stext = address;
		else if (!strcmp(name, "_etext"))
			k->etext = address;
		else if (strchr("tTwW", type) && name[0] != '$')
			add_symbol(k, address, name);
	}
	fclose(f);
	if (!k->stext || k->etext <= k->stext)
		fail("%s: has no addresses; run as root, and with kernel.kptr_restrict below 2", path);
	if ((k->etext - k->stext) >> 28)
		fail("%s: _stext and _etext are too far apart", path);
	qsort(k->symbols, k->nsymbols, sizeof(*k->symbols), by_address);
	mark_unique(k);
}

struct symbol *symbol_at(struct kernel *k, uint64_t address)
{
	size_t low = 0, high = k->nsymbols;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (k->symbols[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	/* the first of several names of one place */
	while (low > 1 && k->symbols[low - 2].address == k->symbols[low - 1].address)
		low--;
	return low ? &k->symbols[low - 1] : NULL;
}

struct symbol *symbol_named(struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->nsymbols; i++)
		if (!strcmp(k->symbols[i].name, name))
			return &k->symbols[i];
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_traceable(const struct kernel *k, const char *name)
{
	return k->nfunctions &&
	       bsearch(&name, k->functions, k->nfunctions, sizeof(*k->functions), by_text);
}

void kernel_read_functions(struct kernel *k, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t capacity = 0;
	char line[512];

	if (!f)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (strchr(line, '['))
			continue;
		line[strcspn(line, " \n")] = '\0';
		if (k->nfunctions == capacity) {
			capacity = capacity ? 2 * capacity : 1 << 16;
			k->functions = must(realloc(k->functions, capacity * sizeof(char *)));
		}
		k->functions[k->nfunctions++] = must(strdup(line));
	}
	fclose(f);
	if (!k->nfunctions)
		fail("%s: is empty; probes can not be placed without it", path);
	qsort(k->functions, k->nfunctions, sizeof(char *), by_text);
	for (size_t i = 0; i < k->nsymbols; i++)
		k->symbols[i].traceable = is_traceable(k, k->symbols[i].name);
}

/* ---- text: a core (/proc/kcore), an ELF vmlinux, or a raw arm64 Image ---- */

static uint64_t get(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static bool read_at(FILE *f, uint64_t offset, void *to, size_t size)
{
	return offset <= INT64_MAX && !fseeko(f, (off_t)offset, SEEK_SET) &&
	       fread(to, 1, size, f) == size;
}

static bool find_in_elf(FILE *f, const unsigned char *h, uint64_t address, uint64_t size,
			uint64_t *offset)
{
	uint64_t at = get(h + 32, 8);
	unsigned entry = (unsigned)get(h + 54, 2), count = (unsigned)get(h + 56, 2);
	unsigned char p[56];

	for (unsigned i = 0; i < count && entry >= sizeof(p); i++) {
		if (!read_at(f, at + (uint64_t)entry * i, p, sizeof(p)))
			return false;
		if (get(p, 4) != 1 || address < get(p + 16, 8) ||
		    address - get(p + 16, 8) + size > get(p + 32, 8))
			continue;
		*offset = get(p + 8, 8) + (address - get(p + 16, 8));
		return true;
	}
	return false;
}

void kernel_read_text(struct kernel *k, const char *path)
{
	size_t size = (size_t)(k->etext - k->stext) & ~(size_t)3;
	unsigned char h[64], *bytes = must(malloc(size + 1));
	FILE *f = fopen(path, "rb");
	uint64_t offset = 0;

	if (!f || !read_at(f, 0, h, sizeof(h)))
		fail("%s: %s", path, f ? "too short" : strerror(errno));
	if (!memcmp(h, "\177ELF\2\1", 6)) {
		if (!find_in_elf(f, h, k->stext, size, &offset))
			fail("%s: does not hold the kernel's text", path);
	} else if (!memcmp(h + IMAGE_MAGIC_AT, "ARM\x64", 4) && k->text) {
		offset = k->stext - k->text;
	} else {
		fail("%s: is neither ELF nor an uncompressed arm64 Image", path);
	}
	if (!read_at(f, offset, bytes, size))
		fail("%s: the kernel's text can not be read", path);
	fclose(f);
	k->nwords = size / 4;
	k->words = must(malloc(size + 4));
	for (size_t i = 0; i < k->nwords; i++)
		k->words[i] = (uint32_t)get(bytes + 4 * i, 4);
	free(bytes);
}

unsigned char *read_whole(const char *path, size_t *size)
{
	size_t capacity = 1 << 20, n;
	unsigned char *data = must(malloc(capacity));
	FILE *f = fopen(path, "rb");

	*size = 0;
	if (!f) {
		free(data);
		return NULL;
	}
	while ((n = fread(data + *size, 1, capacity - *size, f)) > 0) {
		*size += n;
		if (*size == capacity)
			data = must(realloc(data, capacity *= 2));
	}
	fclose(f);
	return data;
}
