/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* stress-ng --tlb-shootdown 1: a parent and forked children change a shared region's protection. */
enum { CPUS, LOOPS, PAGES, TOUCH_NS, JITTER_NS };

static const struct dvm_workload_param params[] = {
	{ "cpus", "", "CPUs: the parent's and one per forked child", 8, 2, 64 },
	{ "loops", "", "iterations of each child", 25, 1, 100000 },
	{ "pages", "pages", "length of the shared region", 512, 1, 1048576 },
	{ "touch_ns", "ns", "reading or writing every cache line of one page", 60, 0, 1000000 },
	{ "jitter_ns", "ns", "a child's phase: a random time up to this, once", 200000, 0,
	  1000000000 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

#define VA DVMI_GEN_VA
#define MEMFD (VA - (UINT64_C(1) << 40))
#define MEMFD_PAGES 4
#define SHARED (DVM_TRACE_D_WRITE | DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED)

/* Four mprotects with a full read or write of the region after each. */
static void child_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t)
{
	const uint64_t *v = g->values;

	for (unsigned i = 0; i < 4; i++) {
		dvmi_gen_op(g, t, DVM_TRACE_OP_MPROTECT, VA, v[PAGES],
			    i % 2 ? DVM_TRACE_D_WRITE : 0);
		if (i % 2)
			dvmi_gen_write(g, t, VA, v[PAGES]);
		dvmi_gen_run(g, t, v[PAGES] * v[TOUCH_NS]);
	}
	dvmi_gen_mark(g, t, 0);
}

/* Four madvise(MADV_DONTNEED), each followed by a touch of the region. */
static void parent_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t)
{
	const uint64_t *v = g->values;

	for (int i = 0; i < 4; i++) {
		uint64_t pages = i < 2 ? MEMFD_PAGES : v[PAGES], va = i < 2 ? MEMFD : VA;

		dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, va, pages, 0);
		dvmi_gen_write(g, t, va, pages);
		dvmi_gen_run(g, t, pages * v[TOUCH_NS]);
	}
}

static void write_tlb_shootdown(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;
	struct dvmi_gen_task parent = dvmi_gen_initial(g, 0);

	dvmi_gen_region(g, &parent, VA, v[PAGES], SHARED | DVM_TRACE_D_POPULATE);
	dvmi_gen_region(g, &parent, MEMFD, MEMFD_PAGES, SHARED | DVM_TRACE_D_POPULATE);
	for (uint16_t c = 1; c < v[CPUS]; c++) {
		struct dvmi_gen_task child;
		uint32_t wake;

		child = dvmi_gen_fork_child(g, &parent, c);
		wake = dvmi_gen_wake(g, &parent, &child);
		dvmi_gen_switch(g, &child, wake);
		dvmi_gen_write(g, &child, VA, v[PAGES]);
		if (v[JITTER_NS])
			dvmi_gen_run(g, &child, 1 + dvmi_rng_below(&g->rng, v[JITTER_NS]));
		for (uint64_t i = 0; i < v[LOOPS] && !g->ret; i++)
			child_loop(g, &child);
	}
	for (uint64_t i = 0; i < v[LOOPS] && !g->ret; i++)
		parent_loop(g, &parent);
}

const struct dvmi_generator dvmi_gen_tlb_shootdown = {
	.info = {
		.name = "tlb-shootdown",
		.summary = "forked children, one per CPU, mprotect a shared region at the same time",
		.details =
"After stress-ng --tlb-shootdown 1 (stress-tlb-shootdown.c). The parent forks cpus-1 children; each "
"fork flushes the parent's ASID. Every child loops on its own CPU: four times mprotect of the whole "
"shared region (512 pages: from there on a part without range TLBI flushes the ASID) followed by "
"touching all of it. The parent meanwhile does madvise(MADV_DONTNEED) on a 4-page file mapping and "
"on the region, and touches them again, which faults. All of them flush at once, so the broadcasts queue at the DVM node. Each process "
"has an mm of its own that runs on one CPU. touch_ns stands for 64 loads or stores that miss the "
"first-level cache.",
		.params = params,
	},
	.ncpus = 0,
	.marks = "[\"shootdown_loops\"]",
	.write = write_tlb_shootdown,
};
