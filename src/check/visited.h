/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_VISITED_H
#define DVMI_CHECK_VISITED_H

#include <stddef.h>
#include <stdint.h>

/*
 * A set of byte strings of one length, that of the first. Whole strings are kept and compared: two
 * states never pass for one.
 */
struct dvmi_visited {
	uint64_t *slots; /* hash bits, and 1 + number of the entry in the low 32 bits; 0: free */
	size_t mask, count;
	size_t least; /* slots that so many entries need, in a table that begins small */
	size_t size; /* of each string */
	unsigned char *bytes;
	size_t bytes_capacity;
};

void dvmi_visited_fini(struct dvmi_visited *set);
/* Forget all entries, keep the memory. */
void dvmi_visited_clear(struct dvmi_visited *set);
/* 1: added; 0: was there; -DVM_ENOMEM. */
int dvmi_visited_add(struct dvmi_visited *set, const unsigned char *key, size_t size);
size_t dvmi_visited_memory(const struct dvmi_visited *set);

#endif
