/* SPDX-License-Identifier: MIT */
#include "kernel/extent.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#define NODES_MAX (UINT32_C(1) << 28)

void dvmi_extents_fini(struct dvmi_extents *pool)
{
	dvmi_free(pool->nodes);
	*pool = (struct dvmi_extents){ 0 };
}

int dvmi_extents_reserve(struct dvmi_extents *pool, uint32_t count)
{
	size_t need;

	if (pool->free_count >= count)
		return 0;
	need = (size_t)pool->used + 1 + (count - pool->free_count);
	if (need > NODES_MAX)
		return -DVM_ELIMIT;
	return dvmi_grow((void **)&pool->nodes, &pool->capacity, need, sizeof(*pool->nodes));
}

static uint32_t make(struct dvmi_extents *pool, uint64_t first, uint64_t end, uint64_t value,
		     uint32_t flags)
{
	uint32_t n = pool->free;

	if (n) {
		pool->free = pool->nodes[n].right;
		pool->free_count--;
	} else {
		n = ++pool->used;
	}
	pool->nodes[n] = (struct dvmi_extent){ .first = first, .end = end, .value = value,
					       .flags = flags };
	return n;
}

static void put(struct dvmi_extents *pool, uint32_t n)
{
	pool->nodes[n].right = pool->free;
	pool->free = n;
	pool->free_count++;
}

/* Node numbers in any order make a balanced tree: a multiplicative hash of 32 bits. */
static uint32_t priority(uint32_t n)
{
	n ^= n >> 16;
	n *= UINT32_C(0x7feb352d);
	n ^= n >> 15;
	n *= UINT32_C(0x846ca68b);
	return n ^ n >> 16;
}

/* ---- trees of whole nodes; loops, as a workload chooses the shape ---- */

static void split(struct dvmi_extents *pool, uint32_t t, uint64_t key, uint32_t *left,
		  uint32_t *right)
{
	uint32_t *l = left, *r = right;

	while (t) {
		struct dvmi_extent *e = &pool->nodes[t];

		if (e->first < key) {
			*l = t;
			l = &e->right;
			t = *l;
		} else {
			*r = t;
			r = &e->left;
			t = *r;
		}
	}
	*l = *r = 0;
}

static uint32_t merge(struct dvmi_extents *pool, uint32_t left, uint32_t right)
{
	uint32_t root = 0, *at = &root;

	while (left && right) {
		if (priority(left) > priority(right)) {
			*at = left;
			at = &pool->nodes[left].right;
			left = *at;
		} else {
			*at = right;
			at = &pool->nodes[right].left;
			right = *at;
		}
	}
	*at = left ? left : right;
	return root;
}

static void put_all(struct dvmi_extents *pool, uint32_t t)
{
	while (t) {
		uint32_t l = pool->nodes[t].left, right;

		if (l) { /* turn right, until nothing is on the left */
			pool->nodes[t].left = pool->nodes[l].right;
			pool->nodes[l].right = t;
			t = l;
			continue;
		}
		right = pool->nodes[t].right;
		put(pool, t);
		t = right;
	}
}

/* ---- looking ---- */

static uint32_t find_next(const struct dvmi_extents *pool, uint32_t t, uint64_t at)
{
	uint32_t best = 0;

	while (t) {
		const struct dvmi_extent *e = &pool->nodes[t];

		if (e->end > at) {
			best = t;
			t = e->left;
		} else {
			t = e->right;
		}
	}
	return best;
}

static uint32_t find_before(const struct dvmi_extents *pool, uint32_t t, uint64_t at)
{
	uint32_t best = 0;

	while (t) {
		const struct dvmi_extent *e = &pool->nodes[t];

		if (e->first < at) {
			best = t;
			t = e->right;
		} else {
			t = e->left;
		}
	}
	return best;
}

bool dvmi_extent_next(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
		      struct dvmi_extent *extent)
{
	uint32_t n = find_next(pool, tree->root, at);

	if (n)
		*extent = pool->nodes[n];
	return n;
}

bool dvmi_extent_before(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
			struct dvmi_extent *extent)
{
	uint32_t n = find_before(pool, tree->root, at);

	if (n)
		*extent = pool->nodes[n];
	return n;
}

bool dvmi_extent_within(const struct dvmi_extents *pool, const struct dvmi_tree *tree, uint64_t at,
			uint64_t end, struct dvmi_extent *extent)
{
	if (at >= end || !dvmi_extent_next(pool, tree, at, extent) || extent->first >= end)
		return false;
	if (extent->first < at) {
		if (tree->linear)
			extent->value += at - extent->first;
		extent->first = at;
	}
	if (extent->end > end)
		extent->end = end;
	return true;
}

/* ---- changing ---- */

/* No extent begins before @key and ends after it. */
static void cut(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t key)
{
	uint32_t n = find_before(pool, tree->root, key), more, left, right;
	uint64_t value;

	if (!n || pool->nodes[n].end <= key)
		return;
	value = pool->nodes[n].value + (tree->linear ? key - pool->nodes[n].first : 0);
	more = make(pool, key, pool->nodes[n].end, value, pool->nodes[n].flags);
	pool->nodes[n].end = key;
	split(pool, tree->root, key, &left, &right);
	tree->root = merge(pool, merge(pool, left, more), right);
}

/* Take [first, end) out; left and right of it remain. */
static void take_out(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t first,
		     uint64_t end, uint32_t *left, uint32_t *right)
{
	uint32_t middle;

	cut(pool, tree, first);
	cut(pool, tree, end);
	split(pool, tree->root, first, left, &middle);
	split(pool, middle, end, &middle, right);
	put_all(pool, middle);
}

void dvmi_extent_clear(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t first,
		       uint64_t end)
{
	uint32_t left, right;

	if (first >= end)
		return;
	take_out(pool, tree, first, end, &left, &right);
	tree->root = merge(pool, left, right);
}

static bool continues(const struct dvmi_tree *tree, const struct dvmi_extent *e,
		      const struct dvmi_extent *next)
{
	return e->end == next->first && e->flags == next->flags &&
	       next->value == e->value + (tree->linear ? e->end - e->first : 0);
}

void dvmi_extent_set(struct dvmi_extents *pool, struct dvmi_tree *tree, uint64_t first,
		     uint64_t end, uint64_t value, uint32_t flags)
{
	struct dvmi_extent e = { .first = first, .end = end, .value = value, .flags = flags };
	uint32_t left, right, gone, n;

	if (first >= end)
		return;
	take_out(pool, tree, first, end, &left, &right);
	n = find_before(pool, left, first);
	if (n && continues(tree, &pool->nodes[n], &e)) {
		e.first = pool->nodes[n].first;
		e.value = pool->nodes[n].value;
		split(pool, left, e.first, &left, &gone);
		put_all(pool, gone);
	}
	n = find_next(pool, right, end);
	if (n && continues(tree, &e, &pool->nodes[n])) {
		e.end = pool->nodes[n].end;
		split(pool, right, e.end, &gone, &right);
		put_all(pool, gone);
	}
	n = make(pool, e.first, e.end, e.value, e.flags);
	tree->root = merge(pool, merge(pool, left, n), right);
}

void dvmi_extent_drop(struct dvmi_extents *pool, struct dvmi_tree *tree)
{
	put_all(pool, tree->root);
	tree->root = 0;
}
