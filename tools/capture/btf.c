/* SPDX-License-Identifier: MIT */
#include "btf.h"

#include <stdlib.h>
#include <string.h>

enum { INT = 1, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC,
       FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 };

#define HEADER_BYTES 24
#define TYPE_BYTES 12
#define DEPTH 16 /* of anonymous structures and of type chains: input is not believed */

static uint32_t get(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t info(const unsigned char *t) { return get(t + 4); }
static unsigned kind(const unsigned char *t) { return info(t) >> 24 & 31; }
static uint32_t vlen(const unsigned char *t) { return info(t) & 0xffff; }

static size_t extra_bytes(const unsigned char *t)
{
	switch (kind(t)) {
	case INT: case VAR: case DECL_TAG: return 4;
	case ARRAY: return 12;
	case STRUCT: case UNION: case DATASEC: case ENUM64: return (size_t)12 * vlen(t);
	case ENUM: case FUNC_PROTO: return (size_t)8 * vlen(t);
	default: return 0;
	}
}

static const char *string(const struct btf *btf, uint32_t offset)
{
	return offset < btf->strings_bytes ? (const char *)btf->strings + offset : "";
}

bool btf_open(struct btf *btf, const unsigned char *data, size_t size)
{
	size_t header, types, strings;

	*btf = (struct btf){ .data = data };
	if (size < HEADER_BYTES || data[0] != 0x9f || data[1] != 0xeb)
		return false;
	header = get(data + 4);
	types = get(data + 8);
	btf->types_bytes = get(data + 12);
	strings = get(data + 16);
	btf->strings_bytes = get(data + 20);
	if (header > size || types > size - header || btf->types_bytes > size - header - types ||
	    strings > size - header || btf->strings_bytes > size - header - strings ||
	    !btf->strings_bytes)
		return false;
	btf->types = data + header + types;
	btf->strings = data + header + strings;
	if (btf->strings[btf->strings_bytes - 1])
		return false;
	btf->type = calloc(btf->types_bytes / TYPE_BYTES + 2, sizeof(*btf->type));
	if (!btf->type)
		return false;
	for (size_t at = 0; btf->types_bytes - at >= TYPE_BYTES;) {
		const unsigned char *t = btf->types + at;

		if (extra_bytes(t) > btf->types_bytes - at - TYPE_BYTES)
			break;
		btf->type[++btf->ntypes] = t;
		at += TYPE_BYTES + extra_bytes(t);
	}
	return true;
}

void btf_close(struct btf *btf)
{
	free(btf->type);
	btf->type = NULL;
}

/* What @id is once names and qualifiers are taken off. */
static const unsigned char *resolve(const struct btf *btf, uint32_t id)
{
	for (int i = 0; i < DEPTH; i++) {
		const unsigned char *t = id && id <= btf->ntypes ? btf->type[id] : NULL;

		if (!t || !(kind(t) == TYPEDEF || kind(t) == VOLATILE || kind(t) == CONST ||
			    kind(t) == RESTRICT || kind(t) == TYPE_TAG))
			return t;
		id = get(t + 8);
	}
	return NULL;
}

static bool is_struct(const unsigned char *t)
{
	return t && (kind(t) == STRUCT || kind(t) == UNION);
}

static const unsigned char *find(const struct btf *btf, unsigned wanted, const char *name)
{
	for (uint32_t i = 1; i <= btf->ntypes; i++)
		if (kind(btf->type[i]) == wanted && !strcmp(string(btf, get(btf->type[i])), name))
			return btf->type[i];
	return NULL;
}

static bool member(const struct btf *btf, const unsigned char *t, const char *path, uint32_t base,
		   int depth, struct btf_field *field)
{
	size_t length = strcspn(path, ".");

	if (!is_struct(t) || depth == DEPTH)
		return false;
	for (uint32_t i = 0; i < vlen(t); i++) {
		const unsigned char *m = t + TYPE_BYTES + (size_t)12 * i;
		const char *name = string(btf, get(m));
		bool flag = info(t) >> 31; /* the offset holds the width of a bit-field as well */
		uint32_t at = base + (flag ? get(m + 8) & 0xffffff : get(m + 8));

		if (!*name && member(btf, resolve(btf, get(m + 4)), path, at, depth + 1, field))
			return true;
		if (strncmp(name, path, length) || name[length])
			continue;
		if (path[length])
			return member(btf, resolve(btf, get(m + 4)), path + length + 1, at,
				      depth + 1, field);
		*field = (struct btf_field){ at, flag ? get(m + 8) >> 24 : 0 };
		return true;
	}
	return false;
}

bool btf_field(const struct btf *btf, const char *name, const char *path, struct btf_field *field)
{
	return member(btf, find(btf, STRUCT, name), path, 0, 0, field);
}

const char *btf_parameter(const struct btf *btf, const char *name, unsigned number)
{
	const unsigned char *t = find(btf, FUNC, name);

	t = t ? resolve(btf, get(t + 8)) : NULL;
	if (!t || kind(t) != FUNC_PROTO || number >= vlen(t))
		return NULL;
	t = resolve(btf, get(t + TYPE_BYTES + (size_t)8 * number + 4));
	if (!t || kind(t) != PTR)
		return NULL;
	t = resolve(btf, get(t + 8));
	return is_struct(t) ? string(btf, get(t)) : NULL;
}
