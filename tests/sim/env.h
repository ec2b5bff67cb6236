/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SIM_ENV_H
#define DVMSIM_TESTS_SIM_ENV_H

#include "run.h"

/*
 * Tests of the mechanisms that docs/model.md, "Environments", lists. Operations of the simulated
 * kernel on one region; addresses are in pages of 4 KiB, whatever the kernel's pages are.
 */
#define ENV_VA UINT64_C(0x40000000)
#define ENV_OP(c, n, owner, what, first, pages, more) \
	{ .kind = DVM_TRACE_OP_BEGIN, .cpu = (c), .task = (n), .mm = (owner), .op = (what), \
	  .va = ENV_VA + (uint64_t)(first) * 4096, .amount = (uint64_t)(pages) * 4096, \
	  .id = (more), .flags = DVM_TRACE_F_SIMULATED | DVM_TRACE_F_MODELLED }
#define ENV_END(c, n, owner, what) \
	{ .kind = DVM_TRACE_OP_END, .cpu = (c), .task = (n), .mm = (owner), .op = (what) }
/* Pages that mm @n has and has written before the trace begins. */
#define ENV_HAS(n, first, pages, more) \
	{ .kind = DVM_TRACE_OP_BEGIN, .mm = (n), .op = DVM_TRACE_OP_MMAP, \
	  .va = ENV_VA + (uint64_t)(first) * 4096, .amount = (uint64_t)(pages) * 4096, \
	  .id = DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE | (more), \
	  .flags = DVM_TRACE_F_SIMULATED | DVM_TRACE_F_INITIAL }

/* Honours NOSYNC and NOBROADCAST as the kernel does. */
#define ENV_KERNEL \
	"strategy k\non flush:\n bif req.nobroadcast, l\n dsb ishst\n asid\n tlbi is\n" \
	" bif req.nosync, out\n sync ish\nout:\n ret\n" \
	"l:\n dsb nshst\n asid\n tlbi local\n dsb nsh\n ret\n"

#endif
