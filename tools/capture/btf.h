/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_CAPTURE_BTF_H
#define DVMSIM_CAPTURE_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's own description of its types (Documentation/bpf/btf.rst), as much as probes need. */
struct btf {
	const unsigned char *data, *types, *strings;
	size_t types_bytes, strings_bytes;
	const unsigned char **type; /* by id, from 1 */
	uint32_t ntypes;
};

/* False when @data is not BTF of this byte order; @data must stay. */
bool btf_open(struct btf *btf, const unsigned char *data, size_t size);
void btf_close(struct btf *btf);

struct btf_field {
	uint32_t bit, bits; /* from the start of the structure; bits is 0 unless a bit-field */
};

/*
 * The place of @path ("context.id") in structure @name; members of anonymous structures count as the
 * outer one's.
 */
bool btf_field(const struct btf *btf, const char *name, const char *path, struct btf_field *field);

/* The structure that parameter @number of function @name points to; NULL when not known. */
const char *btf_parameter(const struct btf *btf, const char *name, unsigned number);

#endif
