/* SPDX-License-Identifier: MIT */
#ifndef DVMI_KERNEL_EXTENT_H
#define DVMI_KERNEL_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Disjoint ranges of numbers, each with a value and flags: VMAs, populated pages, page tables,
 * shared frames. Trees (treaps, the priority a hash of the node's number) over one pool of nodes;
 * neighbours that continue one another are one extent. The pool grows in dvmi_extents_reserve()
 * only, so nothing else here can fail.
 */
struct dvmi_extent {
	uint64_t first, end; /* [first, end) */
	uint64_t value;	     /* of @first; in a linear tree it advances with the number */
	uint32_t flags;
	uint32_t left, right; /* private */
};

struct dvmi_extents {
	struct dvmi_extent *nodes; /* number 0 is no node */
	size_t capacity;
	uint32_t used, free;	   /* nodes ever used; list of free ones, through right */
	uint32_t free_count;
};

struct dvmi_tree {
	uint32_t root;
	bool linear;
};

void dvmi_extents_fini(struct dvmi_extents *pool);
/* From now on @count nodes can be made. Returns 0, -DVM_ENOMEM or -DVM_ELIMIT. */
int dvmi_extents_reserve(struct dvmi_extents *pool, uint32_t count);

/* What a change of one range may take: two cuts and the new extent. */
#define DVMI_EXTENT_NODES 3

/* The first extent that ends after @at; false when there is none. @extent is a copy. */
bool dvmi_extent_next(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
		      struct dvmi_extent *extent);
/* The same, cut to [@at, @end). */
bool dvmi_extent_within(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
			uint64_t end, struct dvmi_extent *extent);
/* The last extent that begins before @at. */
bool dvmi_extent_before(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
			struct dvmi_extent *extent);
void dvmi_extent_set(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t first,
		     uint64_t end, uint64_t value, uint32_t flags);
void dvmi_extent_clear(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t first,
		       uint64_t end);
/* Everything. */
void dvmi_extent_drop(struct dvmi_extents *pool, struct dvmi_tree *tree);

#endif
