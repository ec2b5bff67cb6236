/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* "perf bench syscall fork": fork, the child exits at once, the parent waits; again. */
enum { FORKS, PAGES, CHILD_COW, PARENT_COW, CHILD_NS, PARENT_NS, SAME_CPU };

static const struct dvm_workload_param params[] = {
	{ "forks", "", "how often the parent forks", 200, 1, 100000 },
	{ "pages", "pages", "mapped and written pages of the parent, copied as PTEs by fork", 128, 1,
	  1048576 },
	{ "child_cow", "pages", "pages the child writes before it exits, each copied", 6, 0, 1024 },
	{ "parent_cow", "pages", "pages the parent writes after the child is gone, each reused", 4,
	  0, 1024 },
	{ "child_ns", "ns", "the child's own work", 2000, 0, 1000000000 },
	{ "parent_ns", "ns", "the parent's own work per fork", 2000, 0, 1000000000 },
	{ "same_cpu", "", "1: the child runs on the parent's CPU; 0: on the next one", 0, 0, 1 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static uint64_t at_most(uint64_t n, uint64_t most)
{
	return n < most ? n : most;
}

static void once(struct dvmi_gen *g, const struct dvmi_gen_task *parent)
{
	const uint64_t *v = g->values;
	uint16_t cpu = v[SAME_CPU] ? parent->cpu : (uint16_t)(parent->cpu + 1);
	struct dvmi_gen_task child = dvmi_gen_fork_child(g, parent, cpu);
	uint32_t wake = dvmi_gen_wake(g, parent, &child);

	if (!v[SAME_CPU])
		dvmi_gen_idle(g, parent->cpu);

	dvmi_gen_switch(g, &child, wake);
	if (v[CHILD_COW])
		dvmi_gen_write(g, &child, DVMI_GEN_VA, at_most(v[CHILD_COW], v[PAGES]));
	dvmi_gen_run(g, &child, v[CHILD_NS]);
	wake = dvmi_gen_wake(g, &child, parent);
	dvmi_gen_exit(g, &child);
	if (!v[SAME_CPU])
		dvmi_gen_idle(g, cpu);

	dvmi_gen_switch(g, parent, wake);
	if (v[PARENT_COW])
		dvmi_gen_write(g, parent, DVMI_GEN_VA, at_most(v[PARENT_COW], v[PAGES]));
	dvmi_gen_run(g, parent, v[PARENT_NS]);
	dvmi_gen_mark(g, parent, 0);
}

static void write_fork(struct dvmi_gen *g)
{
	struct dvmi_gen_task parent = dvmi_gen_initial(g, 0);

	dvmi_gen_region(g, &parent, DVMI_GEN_VA, g->values[PAGES],
			DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	for (uint64_t i = 0; i < g->values[FORKS] && !g->ret; i++)
		once(g, &parent);
}

const struct dvmi_generator dvmi_gen_fork = {
	.info = {
		.name = "fork",
		.summary = "one process forks, the child exits at once, the parent waits",
		.details =
"After perf bench syscall fork. Per iteration: the parent copies its page tables (fork_ps + "
"fork_page_ps per page of the part), flushes its own ASID because its writable pages became "
"read-only, wakes the child and sleeps. The child, on the next CPU (same_cpu=1: on the parent's), "
"writes child_cow pages, each a copy-on-write fault with a page flush of the child's mm, works, "
"wakes its parent and exits: page tables are freed, so its ASID is flushed. The parent writes "
"parent_cow pages that it owns alone again (write-protect reuse: a local fix-up since Linux 6.19, a "
"broadcast page flush before), works, and counts one fork. Which writes copy and which reuse is "
"decided by the simulated kernel, by who shares the page at that moment.",
		.params = params,
	},
	.ncpus = 2,
	.marks = "[\"forks\"]",
	.write = write_fork,
};
