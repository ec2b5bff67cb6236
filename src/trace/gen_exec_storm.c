/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* A build: processes that fork, exec, work a little and exit. */
enum { CPUS, PROCESSES, PARENT_PAGES, PAGES, WORK_NS };

static const struct dvm_workload_param params[] = {
	{ "cpus", "", "CPUs: the first half parents', the second half their children's", 4, 2, 64 },
	{ "processes", "", "how many processes each parent starts", 50, 1, 100000 },
	{ "parent_pages", "pages", "what a parent has mapped and written", 512, 1, 1048576 },
	{ "pages", "pages", "what each child touches after its exec", 256, 1, 1048576 },
	{ "work_ns", "ns", "a child's own work", 200000, 0, 1000000000 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static void once(struct dvmi_gen *g, const struct dvmi_gen_task *parent)
{
	const uint64_t *v = g->values;
	uint16_t cpu = (uint16_t)(parent->cpu + v[CPUS] / 2);
	struct dvmi_gen_task child = dvmi_gen_fork_child(g, parent, cpu);
	uint32_t wake = dvmi_gen_wake(g, parent, &child);

	dvmi_gen_idle(g, parent->cpu);
	dvmi_gen_switch(g, &child, wake);
	dvmi_gen_write(g, &child, DVMI_GEN_VA, 1);
	dvmi_gen_exec(g, &child);
	dvmi_gen_op(g, &child, DVM_TRACE_OP_MMAP, DVMI_GEN_VA, v[PAGES], DVM_TRACE_D_WRITE);
	dvmi_gen_write(g, &child, DVMI_GEN_VA, v[PAGES]);
	dvmi_gen_run(g, &child, v[WORK_NS]);
	wake = dvmi_gen_wake(g, &child, parent);
	dvmi_gen_exit(g, &child);
	dvmi_gen_idle(g, cpu);
	dvmi_gen_switch(g, parent, wake);
	dvmi_gen_mark(g, parent, 0);
}

static void write_exec_storm(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;

	for (uint64_t j = 0; j < v[CPUS] / 2 && !g->ret; j++) {
		struct dvmi_gen_task parent = dvmi_gen_initial(g, (uint16_t)j);

		dvmi_gen_region(g, &parent, DVMI_GEN_VA, v[PARENT_PAGES],
				DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
		for (uint64_t i = 0; i < v[PROCESSES] && !g->ret; i++)
			once(g, &parent);
	}
}

const struct dvmi_generator dvmi_gen_exec_storm = {
	.info = {
		.name = "exec-storm",
		.summary = "short-lived processes: fork, exec, a little work, exit",
		.details =
"Shell scripts, builds. Each parent forks a child on another CPU and waits for it. The child writes "
"one page of its stack (a copy), execs (the old mm goes, with a flush of its ASID; the new mm's stack "
"moves, with two small flushes), touches its pages, works and exits (a flush of its ASID). Every mm is "
"new: trackers start from nothing, and exec is where the scheduler may move the task.",
		.params = params,
	},
	.ncpus = 0,
	.marks = "[\"processes\"]",
	.write = write_exec_storm,
};
