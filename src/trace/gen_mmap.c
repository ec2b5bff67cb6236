/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* lmbench lat_mmap: map, touch, unmap; again. */
enum { LOOPS, PAGES, TOUCH_NS, MOVE_EVERY };

static const struct dvm_workload_param params[] = {
	{ "loops", "", "how often a region is mapped and unmapped", 500, 1, 1000000 },
	{ "pages", "pages", "length of the region; every page is touched", 32, 1, 65536 },
	{ "touch_ns", "ns", "work per touched page, beyond its fault", 20, 0, 1000000 },
	{ "move_every", "", "the task moves to the other CPU after so many loops; 0: never", 0, 0,
	  1000000 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* What is mapped beside the region, so that its page table stays (as in a real process). */
#define VA (DVMI_GEN_VA + 0x1000)

static void once(struct dvmi_gen *g, const struct dvmi_gen_task *t)
{
	const uint64_t *v = g->values;

	dvmi_gen_op(g, t, DVM_TRACE_OP_MMAP, VA, v[PAGES], DVM_TRACE_D_WRITE);
	dvmi_gen_write(g, t, VA, v[PAGES]);
	dvmi_gen_run(g, t, v[PAGES] * v[TOUCH_NS]);
	dvmi_gen_op(g, t, DVM_TRACE_OP_MUNMAP, VA, v[PAGES], 0);
	dvmi_gen_mark(g, t, 0);
}

static void write_mmap(struct dvmi_gen *g)
{
	struct dvmi_gen_task t = dvmi_gen_initial(g, 0);
	uint64_t every = g->values[MOVE_EVERY];

	dvmi_gen_region(g, &t, VA - g->page_bytes, 1, DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	dvmi_gen_region(g, &t, VA + g->values[PAGES] * g->page_bytes, 1, DVM_TRACE_D_WRITE);
	for (uint64_t i = 0; i < g->values[LOOPS] && !g->ret; i++) {
		if (every && i && i % every == 0) {
			dvmi_gen_idle(g, t.cpu);
			dvmi_gen_migrate(g, &t, t.cpu ^ 1);
			dvmi_gen_switch(g, &t, 0);
		}
		once(g, &t);
	}
}

const struct dvmi_generator dvmi_gen_mmap = {
	.info = {
		.name = "mmap",
		.summary = "one thread maps, touches and unmaps a region over and over",
		.details =
"After lmbench lat_mmap, which the change log of the active-CPU patch names. Per loop: mmap (one "
"system call), one anonymous fault per page (no flush: nothing was mapped), touch_ns of work per "
"page, munmap (one system call, zap_page_ps per page, one last-level range flush; page tables of "
"longer regions go too, with a flush of walk caches). With move_every and a recorded schedule the task "
"runs on CPU 0 and 1 in turn, which ends the one-CPU property of its mm at the first move.",
		.params = params,
	},
	.ncpus = 2,
	.marks = "[\"munmaps\"]",
	.write = write_mmap,
};
