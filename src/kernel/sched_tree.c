/* SPDX-License-Identifier: MIT */
#include "kernel/sched_impl.h"

/*
 * A treap: a search tree by (deadline, id) that is also a heap by a hash of the id, and so has the
 * shape that random insertion would give. Depth O(log n); nothing is allocated. Each node knows the
 * least vruntime of its subtree, as in the kernel's augmented red-black tree.
 */

static uint32_t rank(uint32_t task)
{
	uint32_t x = task * 0x9e3779b9u;

	x = (x ^ x >> 16) * 0x85ebca6bu;
	return (x ^ x >> 13) * 0xc2b2ae35u;
}

static bool above(uint32_t a, uint32_t b)
{
	uint32_t ra = rank(a), rb = rank(b);

	return ra != rb ? ra > rb : a > b;
}

static bool before(const struct dvmi_sched *s, uint32_t a, uint32_t b)
{
	int64_t da = s->tasks[a].deadline_ns, db = s->tasks[b].deadline_ns;

	return da != db ? da < db : a < b;
}

static void update(struct dvmi_sched *s, uint32_t node)
{
	struct dvmi_sched_task *t = &s->tasks[node];
	int64_t least = t->vruntime_ns;

	if (s->omit & DVMI_SCHED_OMIT_HEAP) {
		t->min_vruntime_ns = least;
		return;
	}
	if (t->left && s->tasks[t->left].min_vruntime_ns < least)
		least = s->tasks[t->left].min_vruntime_ns;
	if (t->right && s->tasks[t->right].min_vruntime_ns < least)
		least = s->tasks[t->right].min_vruntime_ns;
	t->min_vruntime_ns = least;
}

/* Nodes of @root before @key to *@left, the others to *@right. */
static void split(struct dvmi_sched *s, uint32_t root, uint32_t key, uint32_t *left,
		  uint32_t *right)
{
	struct dvmi_sched_task *t = &s->tasks[root];

	if (!root) {
		*left = *right = 0;
	} else if (before(s, root, key)) {
		split(s, t->right, key, &t->right, right);
		update(s, root);
		*left = root;
	} else {
		split(s, t->left, key, left, &t->left);
		update(s, root);
		*right = root;
	}
}

/* All of @left come before all of @right. */
static uint32_t merge(struct dvmi_sched *s, uint32_t left, uint32_t right)
{
	if (!left || !right)
		return left ? left : right;
	if (above(left, right)) {
		s->tasks[left].right = merge(s, s->tasks[left].right, right);
		update(s, left);
		return left;
	}
	s->tasks[right].left = merge(s, left, s->tasks[right].left);
	update(s, right);
	return right;
}

void dvmi_sched_tree_add(struct dvmi_sched *s, uint32_t *root, uint32_t task)
{
	struct dvmi_sched_task *t = &s->tasks[task];
	uint32_t node = *root;

	if (!node || above(task, node)) {
		split(s, node, task, &t->left, &t->right);
		update(s, task);
		*root = task;
		return;
	}
	dvmi_sched_tree_add(s, before(s, task, node) ? &s->tasks[node].left : &s->tasks[node].right,
			    task);
	update(s, node);
}

void dvmi_sched_tree_del(struct dvmi_sched *s, uint32_t *root, uint32_t task)
{
	uint32_t node = *root;

	if (!node)
		return;
	if (node == task) {
		*root = merge(s, s->tasks[task].left, s->tasks[task].right);
		s->tasks[task].left = s->tasks[task].right = 0;
		return;
	}
	dvmi_sched_tree_del(s, before(s, task, node) ? &s->tasks[node].left : &s->tasks[node].right,
			    task);
	update(s, node);
}

uint32_t dvmi_sched_tree_first(const struct dvmi_sched *s, uint32_t root)
{
	while (root && s->tasks[root].left)
		root = s->tasks[root].left;
	return root;
}
