/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SIM_VM_H
#define DVMSIM_TESTS_SIM_VM_H

#include "run.h"

#include "sim/host.h"

/* A guest as KVM has it: FB, and BSU Inner Shareable. */
static inline void vm_init(struct run *r, unsigned machines, unsigned vcpus, bool pinned)
{
	run_init(r);
	r->options.schedule = DVM_SIM_SIMULATED;
	run_set_kernel(r, "vm", DVMI_VM_GUEST);
	run_set_kernel(r, "vm_fb", 1);
	run_set_kernel(r, "vm_bsu", DVMI_BSU_IS);
	run_set_kernel(r, "vm_count", machines);
	run_set_kernel(r, "vm_vcpus", vcpus);
	run_set_kernel(r, "vm_pinned", pinned);
}

static inline void vm_local_only(struct run *r)
{
	run_set_kernel(r, "vm_fb", 0);
	run_set_kernel(r, "vm_bsu", DVMI_BSU_NONE);
}

#endif
