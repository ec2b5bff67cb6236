/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* One thread loops over mprotect, another process computes: what the first costs the second. */
enum { LOOPS, PAGES, WRITE_NS, BYSTANDER_UNITS, UNIT_NS };

static const struct dvm_workload_param params[] = {
	{ "loops", "", "pairs of mprotect(PROT_READ), mprotect(PROT_READ | PROT_WRITE)", 1000, 1,
	  1000000 },
	{ "pages", "pages", "length of the region", 1, 1, 1048576 },
	{ "write_ns", "ns", "work between the calls", 200, 0, 1000000000 },
	{ "bystander_units", "", "units of work of the bystander on the other CPU", 500, 0, 1000000 },
	{ "unit_ns", "ns", "length of such a unit, undisturbed", 10000, 1, 1000000000 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

#define VA DVMI_GEN_VA

static void write_mprotect(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;
	struct dvmi_gen_task t = dvmi_gen_initial(g, 0), bystander = dvmi_gen_initial(g, 1);

	dvmi_gen_region(g, &t, VA, v[PAGES], DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	for (uint64_t i = 0; i < v[LOOPS] && !g->ret; i++) {
		dvmi_gen_op(g, &t, DVM_TRACE_OP_MPROTECT, VA, v[PAGES], 0);
		dvmi_gen_run(g, &t, v[WRITE_NS]);
		dvmi_gen_op(g, &t, DVM_TRACE_OP_MPROTECT, VA, v[PAGES], DVM_TRACE_D_WRITE);
		dvmi_gen_run(g, &t, v[WRITE_NS]);
		dvmi_gen_mark(g, &t, 0);
	}
	for (uint64_t i = 0; i < v[BYSTANDER_UNITS] && !g->ret; i++) {
		dvmi_gen_run(g, &bystander, v[UNIT_NS]);
		dvmi_gen_mark(g, &bystander, 1);
	}
}

const struct dvmi_generator dvmi_gen_mprotect = {
	.info = {
		.name = "mprotect",
		.summary = "one thread loops over mprotect, a bystander computes on the next CPU",
		.details =
"After the mprotect loops with which earlier proposals were measured (eMAG, ThunderX2). The thread "
"on CPU 0 makes a region read-only and writable again, one range flush each (an upgrade flushes "
"too: mprotect records a flush for any change of an old valid entry). The bystander on CPU 1 never "
"flushes; what its units take longer than unit_ns is the delay by arriving DVM operations.",
		.params = params,
	},
	.ncpus = 2,
	.marks = "[\"mprotects\", \"bystander_units\"]",
	.write = write_mprotect,
};
