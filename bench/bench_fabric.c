/* SPDX-License-Identifier: MIT */
/*
 * Host time of a broadcast flush (one TLBI, one DSB ISH) for 8 ... 1,024 CPUs, and memory per CPU.
 * One line per point, fields separated by blanks:
 *   fabric CASE cpus N ns_per_flush T bytes_per_cpu B
 * CASE: "one" - CPUs flush in turn, one at a time; "all" - every CPU flushes all the time, so the
 * node's queue is never empty; "target" - as "all", but targets are slower than the node, so that
 * no closed form applies. T is the median of five repetitions.
 */
#include "hw/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEATS 5

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static struct dvmi_hw machine(uint64_t cpus)
{
	struct dvmi_hw hw;

	memset(&hw, 0, sizeof(hw));
	hw.topology_sockets = hw.topology_dies = hw.topology_threads = 1;
	hw.topology_clusters = cpus / 8;
	hw.topology_cores = 8;
	hw.tlbi_issue_broadcast_ps = 11000;
	hw.tlbi_post_depth = 16;
	hw.dvm_request_ps = 20000;
	hw.dvm_snoop_ps = hw.dvm_response_ps = hw.dvm_comp_ps = 15000;
	hw.dvm_node_op_ps = hw.dvm_node_sync_ps = 2000;
	hw.dvm_snoop_part_ps = 500;
	hw.dvm_target_op_ps = 5000;
	hw.dvm_target_sync_ps = 200000;
	hw.dvm_bystander_op_ps = 2000;
	hw.dvm_bystander_sync_ps = 20000;
	hw.dvm_node_entries = 16;
	hw.barrier_dsb_ish_ps = 20000;
	return hw;
}

/* Each CPU in turn: TLBI, DSB, and when that is over the TLBI again (or the next CPU's). */
static double flushes(const struct dvmi_hw *hw, uint32_t cpus, unsigned long count, int all)
{
	struct dvmi_fabric *f;
	struct dvmi_core core;
	struct dvmi_evq q;
	struct dvmi_event ev;
	unsigned char *waits = calloc(cpus, 1);
	uint64_t t = 0;
	double start;

	if (!waits || dvmi_evq_init(&q, cpus) || dvmi_fabric_new(hw, &q, &f) ||
	    dvmi_core_init(&core, hw, f))
		exit(2);
	for (uint32_t c = 0; c < cpus; c++)
		dvmi_fabric_set_idle(f, c, false);
	for (uint32_t c = 0; c < (all ? cpus : 1); c++)
		dvmi_evq_cpu_set(&q, c, c);
	start = now_ns();
	while (count && dvmi_evq_pop(&q, &ev)) {
		uint32_t cpu = ev.who;

		if (dvmi_fabric_owns(ev.kind)) {
			if (dvmi_fabric_message(f, &ev))
				exit(2);
			continue;
		}
		if (waits[cpu]) {
			waits[cpu] = 0;
			count--;
			t = dvmi_core_dsb_end(&core, cpu, ev.time_ps);
			dvmi_evq_cpu_set(&q, all ? cpu : (cpu + 1) % cpus, t);
			continue;
		}
		waits[cpu] = 1;
		if (dvmi_core_tlbi_broadcast(&core, cpu, ev.time_ps, 0, &t) ||
		    dvmi_core_dsb(&core, cpu, t, DVMI_DSB_ALL, DVMI_DSB_ISH, &t) !=
			    DVMI_FABRIC_BLOCKED)
			exit(2);
	}
	t = 0;
	start = now_ns() - start;
	dvmi_core_fini(&core);
	dvmi_fabric_free(f);
	dvmi_evq_fini(&q);
	free(waits);
	return start;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void point(const char *name, uint32_t cpus, int all, uint64_t target_op_ps)
{
	unsigned long count = 20000000 / (cpus + 400);
	struct dvmi_hw hw = machine(cpus);
	struct dvmi_fabric *f;
	struct dvmi_evq q;
	double ns[REPEATS];
	size_t bytes;

	hw.dvm_target_op_ps = target_op_ps;
	for (int i = 0; i < REPEATS; i++)
		ns[i] = flushes(&hw, cpus, count, all) / (double)count;
	qsort(ns, REPEATS, sizeof(*ns), ascending);
	if (dvmi_evq_init(&q, cpus) || dvmi_fabric_new(&hw, &q, &f))
		exit(2);
	bytes = dvmi_fabric_bytes(f) + dvmi_evq_bytes(&q) + cpus * sizeof(struct dvmi_core_cpu);
	printf("fabric %s cpus %u ns_per_flush %.0f bytes_per_cpu %zu\n", name, cpus,
	       ns[REPEATS / 2], bytes / cpus);
	dvmi_fabric_free(f);
	dvmi_evq_fini(&q);
}

int main(void)
{
	for (uint32_t cpus = 8; cpus <= 1024; cpus *= 2) {
		point("one", cpus, 0, 5000);
		point("all", cpus, 1, 5000);
		point("target", cpus, 1, 2000000);
	}
	return 0;
}
