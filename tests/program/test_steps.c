/* SPDX-License-Identifier: MIT */
/*
 * The shipped programs take exactly the steps that their sources give. Each row is one branch: what
 * the task finds in active_cpu, what was asked, and the sentence of effects expected. The expected
 * steps are those of:
 *   V0   arch/arm64/include/asm/tlbflush.h, 7.x: dsb(ishst); asid; tlbi; notifier; sync(mm)
 *   WR   the switch-in hunk of 20250829153510.2401161-3-ryan.roberts@arm.com
 *   V1   the same message; V2 20260523134710.3827956-1-linu.cherian@arm.com
 *   V2W  Will Deacon's, V3 Ryan Roberts' proposal in the review of version 2, 15 Jun 2026
 *   V2I  aLcZ93VeOYa4ilZb@arm.com; the others: the message-ids in docs/strategies.md
 */
#include "check_main.h"

#include "script.h"

#include <stdio.h>
#include <string.h>

#define NONE 0xffffffff
#define MULTIPLE 0xfffffffe
#define R "R:mm.active_cpu"

#define M "RM:mm.ran_on"
#define U "R:mm.mm_users"
#define N "R:mm.nr_active"

#define V1 "active-cpu-v1"
#define V2 "active-cpu-v2"
#define V2W "active-cpu-v2-plain-load"
#define V2I "active-cpu-dsb-ish"
#define V2P "active-cpu-preempt-disable"
#define OWN "cur_is_mm"

/* The flusher runs on CPU 3. */
static const struct {
	const char *strategy, *hook, *fields;
	uint64_t values[5];
	const char *effects;
} rows[] = {
	/* V0 */
	{ "always-broadcast", "flush", "", { 0 }, "dsb.ishst asid tlbi.is notify sync.ish" },
	{ "always-broadcast", "flush", "req.fullasid", { 0 },
	  "dsb.ishst asid tlbi.is sync.ish notify" },
	{ "always-broadcast", "flush", "req.nosync", { 0 }, "dsb.ishst asid tlbi.is notify" },
	{ "always-broadcast", "flush", "req.nonotify", { 0 }, "dsb.ishst asid tlbi.is sync.ish" },
	{ "always-broadcast", "flush", "req.nobroadcast", { 0 },
	  "dsb.nshst asid tlbi.local notify dsb.nsh" },
	{ "always-broadcast", "flush", "req.nobroadcast req.nonotify", { 0 },
	  "dsb.nshst asid tlbi.local dsb.nsh" },
	{ "always-broadcast", "flush", "req.nobroadcast req.nosync", { 0 },
	  "dsb.nshst asid tlbi.local notify" },
	{ "always-broadcast", "batch-add", "req.nosync", { 0 }, "dsb.ishst asid tlbi.is notify" },
	{ "always-broadcast", "batch-flush", "", { 0 }, "sync.ish" },
	{ "always-broadcast", "switch-in", "", { 0 }, "" },
	/* V1: PRE1, then OPS, ME if local, notifier and DSB ISH in the order of the call */
	{ V1, "flush", "", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local ME notify dsb.ish" },
	{ V1, "flush", "", { 4 }, "MD " R " dsb.ishst ME asid tlbi.is notify dsb.ish" },
	{ V1, "flush", "", { NONE }, "MD " R " dsb.ishst ME asid tlbi.is notify dsb.ish" },
	{ V1, "flush", "", { 3, MULTIPLE },
	  "MD " R " dsb.ish " R " ME asid tlbi.is notify dsb.ish" },
	{ V1, "flush", "req.fullasid", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local ME dsb.ish notify" },
	{ V1, "flush", "req.fullasid", { MULTIPLE },
	  "MD " R " dsb.ishst ME asid tlbi.is dsb.ish notify" },
	{ V1, "flush", "req.nosync", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local ME notify" },
	{ V1, "batch-add", "req.nosync", { 4 }, "MD " R " dsb.ishst ME asid tlbi.is notify" },
	{ V1, "batch-flush", "", { 0 }, "dsb.ish" },
	{ V1, "flush", "req.nobroadcast", { 0 }, "dsb.nshst asid tlbi.local notify dsb.nsh" },
	/* V2: PRE2; local completion DSB NSH, ME after it; broadcast completion SYNC */
	{ V2, "flush", "", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local notify dsb.nsh ME" },
	{ V2, "flush", "", { 4 }, "MD " R " dsb.ishst ME asid tlbi.is notify sync.ish" },
	{ V2, "flush", "", { MULTIPLE }, "MD " R " dsb.ishst ME asid tlbi.is notify sync.ish" },
	{ V2, "flush", "", { NONE }, "MD " R " dsb.ishst ME asid tlbi.is notify sync.ish" },
	{ V2, "flush", "", { 3, MULTIPLE },
	  "MD " R " dsb.ish " R " ME asid tlbi.is notify sync.ish" },
	{ V2, "flush", "req.fullasid", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local dsb.nsh ME notify" },
	{ V2, "flush", "req.fullasid", { MULTIPLE },
	  "MD " R " dsb.ishst ME asid tlbi.is sync.ish notify" },
	{ V2, "flush", "req.nosync", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local notify ME" },
	{ V2, "flush", "req.nonotify", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local dsb.nsh ME" },
	{ V2, "flush", "req.nonotify", { 4 }, "MD " R " dsb.ishst ME asid tlbi.is sync.ish" },
	{ V2, "flush", "req.nobroadcast", { 0 },
	  "MD dsb.nshst asid tlbi.local notify dsb.nsh ME" },
	{ V2, "flush", "req.nobroadcast req.nonotify", { 0 },
	  "MD dsb.nshst asid tlbi.local dsb.nsh ME" },
	{ V2, "batch-add", "req.nosync", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local notify ME" },
	{ V2, "batch-add", "req.nosync", { 4 }, "MD " R " dsb.ishst ME asid tlbi.is notify" },
	{ V2, "batch-flush", "", { 0 }, "sync.ish" },
	/* V2W: self, DSB ISHST, one load */
	{ V2W, "flush", "", { 3 }, "MD dsb.ishst " R " asid tlbi.local notify dsb.nsh ME" },
	{ V2W, "flush", "", { 4 }, "MD dsb.ishst " R " ME asid tlbi.is notify sync.ish" },
	{ V2W, "flush", "req.fullasid", { 3 }, "MD dsb.ishst " R " asid tlbi.local dsb.nsh ME notify" },
	{ V2W, "flush", "req.nobroadcast", { 0 },
	  "MD dsb.nshst asid tlbi.local notify dsb.nsh ME" },
	{ V2W, "batch-flush", "", { 0 }, "sync.ish" },
	/* V2I: the same with DSB ISH */
	{ V2I, "flush", "", { 3 }, "MD dsb.ish " R " asid tlbi.local notify dsb.nsh ME" },
	{ V2I, "flush", "", { MULTIPLE }, "MD dsb.ish " R " ME asid tlbi.is notify sync.ish" },
	{ V2I, "batch-add", "req.nosync", { 3 }, "MD dsb.ish " R " asid tlbi.local notify ME" },
	/* V2P: V2 with PDIS and PENA */
	{ V2P, "flush", "", { 3, 3 },
	  "PDIS " R " dsb.ish " R " asid tlbi.local notify dsb.nsh PENA" },
	{ V2P, "flush", "", { 4 }, "PDIS " R " dsb.ishst PENA asid tlbi.is notify sync.ish" },
	{ V2P, "flush", "", { 3, MULTIPLE },
	  "PDIS " R " dsb.ish " R " PENA asid tlbi.is notify sync.ish" },
	{ V2P, "flush", "req.nobroadcast", { 0 },
	  "PDIS dsb.nshst asid tlbi.local notify dsb.nsh PENA" },
	/* V3: no protection; post barrier DSB NSH, then the second look; notifier at the end */
	{ "recheck", "flush", "", { 3, 3, 3 },
	  R " dsb.ish " R " asid tlbi.local dsb.nsh " R " notify" },
	{ "recheck", "flush", "", { 3, 3, MULTIPLE },
	  R " dsb.ish " R " asid tlbi.local dsb.nsh " R " tlbi.is sync.ish notify" },
	{ "recheck", "flush", "", { 3, MULTIPLE },
	  R " dsb.ish " R " asid tlbi.is notify sync.ish" },
	{ "recheck", "flush", "", { 4 }, R " dsb.ishst asid tlbi.is notify sync.ish" },
	{ "recheck", "flush", "req.fullasid", { 4 }, R " dsb.ishst asid tlbi.is sync.ish notify" },
	{ "recheck", "flush", "req.nosync", { 3, 3, 3 },
	  R " dsb.ish " R " asid tlbi.local " R " notify" },
	{ "recheck", "flush", "req.nosync", { 3, 3, MULTIPLE },
	  R " dsb.ish " R " asid tlbi.local " R " tlbi.is notify" },
	{ "recheck", "flush", "req.nonotify", { 3, 3, 3 },
	  R " dsb.ish " R " asid tlbi.local dsb.nsh " R },
	{ "recheck", "flush", "req.nobroadcast", { 0 }, "dsb.nshst asid tlbi.local notify dsb.nsh" },
	{ "recheck", "batch-flush", "", { 0 }, "sync.ish" },
	/* V3T: V3 for own threads, V0 for others */
	{ "recheck-own", "flush", OWN, { 3, 3, 3 },
	  R " dsb.ish " R " asid tlbi.local dsb.nsh " R " notify" },
	{ "recheck-own", "flush", OWN, { 3, 3, MULTIPLE },
	  R " dsb.ish " R " asid tlbi.local dsb.nsh " R " tlbi.is sync.ish notify" },
	{ "recheck-own", "flush", "req.foreign", { 3, 3, 3 },
	  "dsb.ishst asid tlbi.is notify sync.ish" },
	{ "recheck-own", "flush", "req.foreign req.fullasid", { 3 },
	  "dsb.ishst asid tlbi.is sync.ish notify" },
	{ "recheck-own", "batch-add", "req.nosync req.foreign", { 3 },
	  "dsb.ishst asid tlbi.is notify" },
	/* V3O */
	{ "recheck-optimistic", "flush", "", { 3, 3 },
	  R " dsb.ishst asid tlbi.local dsb.nsh " R " notify" },
	{ "recheck-optimistic", "flush", "", { 3, MULTIPLE },
	  R " dsb.ishst asid tlbi.local dsb.nsh " R " tlbi.is sync.ish notify" },
	{ "recheck-optimistic", "flush", "", { 4 }, R " dsb.ishst asid tlbi.is notify sync.ish" },
	/* V4: sample, barrier, load, ASID and TLBIs inside the section */
	{ "restartable", "flush", "", { 3 },
	  "section dsb.ishst " R " asid tlbi.local section_end notify dsb.nsh" },
	{ "restartable", "flush", "", { 4 },
	  "section dsb.ishst " R " asid tlbi.is section_end notify sync.ish" },
	{ "restartable", "flush", "req.fullasid", { 3 },
	  "section dsb.ishst " R " asid tlbi.local section_end dsb.nsh notify" },
	/* V5: the mask says only CPU 3; CPUs 1 and 3; CPU 1; five CPUs; none */
	{ "cpumask-ipi", "flush", "", { 0x08 }, "MD dsb.ish " M " asid tlbi.local dsb.nsh ME notify" },
	{ "cpumask-ipi", "flush", "", { 0x0a },
	  "MD dsb.ish " M " asid ipi:2 dsb.nshst tlbi.local dsb.nsh ME notify" },
	{ "cpumask-ipi", "flush", "", { 0x02 },
	  "MD dsb.ish " M " asid ipi:2 dsb.nshst tlbi.local dsb.nsh ME notify" },
	{ "cpumask-ipi", "flush", "", { 0x1f },
	  "MD dsb.ish " M " ME asid tlbi.is notify sync.ish" },
	{ "cpumask-ipi", "flush", "", { 0 }, "MD dsb.ish " M " ME notify" },
	{ "cpumask-ipi", "ipi", "", { 0 }, "dsb.nshst tlbi.local dsb.nsh" },
	{ "cpumask-ipi", "switch-in", "", { 1 }, "BIT:mm.ran_on[3]?" },
	{ "cpumask-ipi", "switch-in", "", { 0 },
	  "BIT:mm.ran_on[3]? BIT:mm.ran_on[3]=1 dsb.ishst" },
	/* V6 */
	{ "active-cpu-v2-reset", "asid-alloc", "alloc.path=3", { 0 },
	  "W:mm.active_cpu=4294967295" },
	{ "active-cpu-v2-reset", "asid-alloc", "alloc.path=0", { 0 }, "" }, /* PATH_RESERVED */
	{ "active-cpu-v2-reset", "flush", "", { 3, 3 },
	  "MD " R " dsb.ish " R " asid tlbi.local notify dsb.nsh ME" },
	/* V7 */
	{ "active-cpu-skip-unused", "flush", "", { NONE }, "MD dsb.ishst " R " ME notify" },
	{ "active-cpu-skip-unused", "flush", "", { 3 },
	  "MD dsb.ishst " R " asid tlbi.local notify dsb.nsh ME" },
	{ "active-cpu-skip-unused", "flush", "", { 4 },
	  "MD dsb.ishst " R " ME asid tlbi.is notify sync.ish" },
	/* Arcangeli, first version: mm_users, own bit (old value not used), mm_users again */
	{ "stale-mask-v1", "flush", OWN, { 1, 0, 1 },
	  "asid " U " PDIS WM:mm.stale=ff BIT:mm.stale[3]=0 dmb.ish " U
	  " dsb.nshst tlbi.local dsb.nsh PENA notify" },
	{ "stale-mask-v1", "flush", OWN, { 1, 0, 2 },
	  "asid " U " PDIS WM:mm.stale=ff BIT:mm.stale[3]=0 dmb.ish " U
	  " PENA dsb.ishst tlbi.is dsb.ish notify" },
	{ "stale-mask-v1", "flush", OWN, { 2 },
	  "asid " U " dsb.ishst tlbi.is dsb.ish notify" },
	{ "stale-mask-v1", "flush", "", { 1 }, "asid dsb.ishst tlbi.is dsb.ish notify" },
	{ "stale-mask-v1", "flush", OWN " req.nosync", { 1 }, "asid dsb.ishst tlbi.is notify" },
	{ "stale-mask-v1", "switch-in", "", { 1 },
	  "dmb.ish BIT:mm.stale[3]=0 dsb.nshst asid tlbi.local.asid dsb.nsh" },
	{ "stale-mask-v1", "switch-in", "env.tlb_flushed", { 1 }, "dmb.ish BIT:mm.stale[3]=0" },
	{ "stale-mask-v1", "switch-in", "", { 0 }, "dmb.ish BIT:mm.stale[3]=0" },
	{ "stale-mask-v1", "switch-same", "", { 1 },
	  "BIT:mm.stale[3]=0 dsb.nshst asid tlbi.local.asid dsb.nsh" },
	/* Arcangeli, second version: count, not_lazy, mask, barrier, count */
	{ "nr-active-v2", "flush", "active_is_mm", { 1, 1, 0xff, 1, 0 },
	  "asid PDIS " N " R:cpu.not_lazy RM:mm.stale dmb.ish " N
	  " BIT:mm.stale[3]? dsb.nshst tlbi.local dsb.nsh PENA notify" },
	{ "nr-active-v2", "flush", "active_is_mm", { 1, 1, 0, 1, 1 },
	  "asid PDIS " N " R:cpu.not_lazy RM:mm.stale WM:mm.stale=ff dmb.ish " N
	  " BIT:mm.stale[3]? BIT:mm.stale[3]=0 dsb.nshst tlbi.local dsb.nsh PENA notify" },
	{ "nr-active-v2", "flush", "", { 0, 1, 0xff, 0 },
	  "asid PDIS " N " R:cpu.not_lazy RM:mm.stale dmb.ish " N " PENA notify" },
	{ "nr-active-v2", "flush", "", { 1, 1, 0xff, 1 },
	  "asid PDIS " N " R:cpu.not_lazy RM:mm.stale dmb.ish " N
	  " PENA dsb.ishst tlbi.is dsb.ish notify" },
	{ "nr-active-v2", "flush", "active_is_mm", { 2 },
	  "asid PDIS " N " PENA dsb.ishst tlbi.is dsb.ish notify" },
	{ "nr-active-v2", "asid-alloc", "", { 0 }, "WM:mm.stale=0" },
	{ "nr-active-v2", "idle", "env.idle", { 1 },
	  "R:cpu.not_lazy W:cpu.not_lazy=0 park FADD:mm.nr_active+-1" },
	{ "nr-active-v2", "idle", "", { 1 }, "" },
	{ "nr-active-v2-dsb", "idle", "env.idle", { 1 },
	  "R:cpu.not_lazy W:cpu.not_lazy=0 park dsb.ish FADD:mm.nr_active+-1" },
	{ "nr-active-v2", "switch-in", "", { 0, 0, 0 },
	  "R:cpu.not_lazy W:cpu.came_from_lazy=1 W:cpu.not_lazy=1 FADD:next.nr_active+1 dmb.ish "
	  "BIT:next.stale[3]?" },
	{ "nr-active-v2", "switch-out", "", { 0 },
	  "R:cpu.came_from_lazy FADD:prev.nr_active+-1" },
	{ "nr-active-v2", "switch-out", "", { 1 }, "R:cpu.came_from_lazy" },
	{ "nr-active-v2-dsb", "switch-out", "", { 0 },
	  "R:cpu.came_from_lazy dsb.ish FADD:prev.nr_active+-1" },
	/* Fujitsu: no barrier before the IPI; own part only if in the mask */
	{ "ipi-always", "flush", "", { 0x0a },
	  "asid PDIS " M " ipi:2 dsb.nshst tlbi.local dsb.nsh PENA notify" },
	{ "ipi-always", "flush", "", { 0x02 }, "asid PDIS " M " ipi:2 PENA notify" },
	{ "ipi-always", "ipi", "", { 0 }, "dsb.nshst tlbi.local dsb.nsh" },
	{ "ipi-switch", "switch-out", "", { 0 },
	  "asid.prev dsb.nshst tlbi.local.asid dsb.nsh BIT:prev.ran_on[3]=0" },
	/* LATR: the bits after the page-table store, the own CPU at once; the others sweep later */
	{ "latr", "flush", "req.frees", { 0 },
	  "dsb.ishst WM:mm.sweep=ff asid tlbi.local dsb.nsh notify" },
	{ "latr", "flush", "req.frees req.fullasid", { 0 },
	  "dsb.ishst WM:mm.sweep=ff asid tlbi.local dsb.nsh notify" },
	{ "latr", "flush", "req.frees env.smmu_btm", { 0 },
	  "dsb.ishst asid tlbi.is notify sync.ish" },
	{ "latr", "flush", "", { 0 }, "dsb.ishst asid tlbi.is notify sync.ish" },
	{ "latr", "flush", "req.nosync", { 0 }, "dsb.ishst asid tlbi.is notify" },
	{ "latr", "tick", "", { 1 },
	  "BIT:mm.sweep[3]=0 asid dsb.nshst tlbi.local.asid dsb.nsh" },
	{ "latr", "tick", "", { 0 }, "BIT:mm.sweep[3]=0" },
	{ "latr", "switch-same", "", { 1 },
	  "BIT:mm.sweep[3]=0 asid dsb.nshst tlbi.local.asid dsb.nsh" },
	{ "selftest-no-sweep", "switch-same", "", { 1 }, "" },
	/* Lameter: by weight */
	{ "tlb-modes", "flush", "", { 0 }, "MD dsb.ish " M " ME notify" },
	{ "tlb-modes", "flush", "", { 0x08 }, "MD dsb.ish " M " asid tlbi.local ME dsb.ish notify" },
	{ "tlb-modes", "flush", "", { 0x06 }, "MD dsb.ish " M " asid ipi:6 ME notify" },
	{ "tlb-modes", "flush", "", { 0x1f }, "MD dsb.ish " M " ME asid tlbi.is notify sync.ish" },
	/*
	 * By load, 2 targets: IPI 2512 ns, broadcast load + 256 a request's operation. Without a
	 * measurement 1000. The other branch must be cheaper by an eighth: of 2512 (2826) when the last was
	 * a broadcast, of the broadcast's when it was an IPI. After 64 IPIs one broadcast.
	 */
#define LOAD "MD dsb.ish " M " R:cpu.ipis_in_a_row "
#define BY_DVM "W:cpu.ipis_in_a_row=0 ME asid tlbi.is notify sync.ish"
	{ "hybrid-load", "flush", "req.ops=1", { 0x06, 0 }, LOAD BY_DVM },
	{ "hybrid-load", "flush", "req.ops=1 env.dvm_load=2570", { 0x06, 0 }, LOAD BY_DVM },
	{ "hybrid-load", "flush", "req.ops=1 env.dvm_load=2571", { 0x06, 0 },
	  LOAD "W:cpu.ipis_in_a_row=1 asid ipi:6 ME notify" },
	{ "hybrid-load", "flush", "req.ops=1 env.dvm_load=1978", { 0x06, 5 },
	  LOAD "W:cpu.ipis_in_a_row=6 asid ipi:6 ME notify" },
	{ "hybrid-load", "flush", "req.ops=1 env.dvm_load=1977", { 0x06, 5 }, LOAD BY_DVM },
	{ "hybrid-load", "flush", "req.ops=1 env.dvm_load=9000", { 0x06, 64 }, LOAD BY_DVM },
	{ "hybrid-load", "flush", "env.dvm_load=9000", { 0x08 },
	  "MD dsb.ish " M " asid tlbi.local dsb.nsh ME notify" },
	/* TLBI domains, two CPUs each: bit(domain(c)), DSB ISHST; DSB, mask, ASIDE1IS per domain */
	{ "tlbi-domains", "switch-in", "env.domains=4", { 0 },
	  "BIT:next.domains[1]? BIT:next.domains[1]=1 dsb.ishst" },
	{ "tlbi-domains", "switch-in", "env.domains=4", { 1 }, "BIT:next.domains[1]?" },
	{ "tlbi-domains", "switch-in", "", { 0 }, "" },
	{ "tlbi-domains", "flush", "env.domains=4 req.fullasid", { 0x09 },
	  "dsb.ish RM:mm.domains asid tlbi.is.asid.domain0 tlbi.is.asid.domain3 sync.ish notify" },
	{ "tlbi-domains", "flush", "env.domains=4 req.fullasid", { 0 },
	  "dsb.ish RM:mm.domains asid sync.ish notify" },
	{ "tlbi-domains", "flush", "env.domains=4 req.ops=65", { 0x02 },
	  "dsb.ish RM:mm.domains asid tlbi.is.asid.domain1 sync.ish notify" },
	{ "tlbi-domains", "flush", "env.domains=4 req.ops=64", { 0 },
	  "dsb.ishst asid tlbi.is sync.ish notify" },
	{ "tlbi-domains", "flush", "env.domains=4 req.fullasid env.smmu_btm", { 0x09 },
	  "dsb.ishst asid tlbi.is sync.ish notify" },
	{ "tlbi-domains", "flush", "req.fullasid", { 0x09 }, "dsb.ishst asid tlbi.is sync.ish notify" },
	{ "tlbi-domains", "batch-add", "env.domains=4 req.nosync", { 0x09 },
	  "dsb.ishst asid tlbi.is notify" },
	{ "selftest-domains-unseen", "switch-in", "env.domains=4", { 0 },
	  "BIT:next.domains[1]? BIT:next.domains[1]=1" },
	/* Self-tests: V0 with one fault */
	{ "selftest-no-pre", "flush", "", { 0 }, "asid tlbi.is notify sync.ish" },
	{ "selftest-no-post", "flush", "", { 0 }, "dsb.ishst asid tlbi.is notify" },
	{ "selftest-no-post", "flush", "req.fullasid", { 0 }, "dsb.ishst asid tlbi.is notify" },
	{ "selftest-bad-ttl", "flush", "", { 0 }, "dsb.ishst asid tlbi.is.badttl notify sync.ish" },
	{ "selftest-no-twin", "flush", "", { 0 }, "dsb.ishst asid tlbi.is.notwin notify sync.ish" },
	{ "selftest-leaf-after-free", "flush", "", { 0 },
	  "dsb.ishst asid tlbi.is.leaf notify sync.ish" },
	/* NULL */
	{ "null", "flush", "", { 3 }, "" },
	{ "null", "batch-add", "", { 3 }, "" },
	{ "null", "batch-flush", "", { 3 }, "" },
};

static struct dvm_strategy *load(const char *name)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char path[512];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	ck_assert_msg(!dvm_strategy_load(path, &s, &err), "%s", err.text);
	return s;
}

static void runs_as(const char *strategy, const char *hook, struct script *script,
		    const char *effects)
{
	struct dvm_strategy_env env = script_env(script);
	struct dvm_strategy *s = load(strategy);

	ck_assert_int_eq(dvm_strategy_run(s, hook, &env, 0, 100, NULL), 0);
	ck_assert_str_eq(script->text, effects);
	dvm_strategy_free(s);
}

START_TEST(shipped_program_takes_the_steps_of_its_source)
{
	struct script script = { .self = 3, .fields = rows[_i].fields };

	memcpy(script.values, rows[_i].values, sizeof(rows[_i].values));
	runs_as(rows[_i].strategy, rows[_i].hook, &script, rows[_i].effects);
}
END_TEST

static const char *const family[] = {
	V1, V2, V2W, V2I, V2P, "recheck", "recheck-own", "recheck-optimistic", "restartable",
	"active-cpu-v2-reset", "active-cpu-skip-unused",
};

/* WR on CPU 3: what it finds in active_cpu, what the CAS finds, the effects */
static const struct {
	uint64_t values[2];
	const char *effects;
} writer[] = {
	{ { 3 }, R },		/* step 2: own number: no store, no barrier */
	{ { MULTIPLE }, R },	/* step 2 */
	{ { NONE, NONE }, R " CAS:mm.active_cpu:4294967295>3 dsb.ishst" },
	{ { NONE, 5 }, R " CAS:mm.active_cpu:4294967295>3 W:mm.active_cpu=4294967294 dsb.ishst" },
	{ { 5 }, R " W:mm.active_cpu=4294967294 dsb.ishst" }, /* step 4 without a CAS */
};

START_TEST(switch_in_publishes_the_cpu_before_ttbr0)
{
	const int n = (int)(sizeof(writer) / sizeof(writer[0]));
	struct script script = { .self = 3 };

	memcpy(script.values, writer[_i % n].values, sizeof(writer[0].values));
	runs_as(family[_i / n], "switch-in", &script, writer[_i % n].effects);
}
END_TEST

/* V3 step 1 samples the CPU once: after a move the comparison is with the old number. */
START_TEST(recheck_compares_with_the_cpu_of_its_first_step)
{
	struct script script = { .self = 3, .values = { 3, 3, 3 }, .move_at = 5, .move_to = 6 };

	runs_as("recheck", "flush", &script,
		R " dsb.ish " R " asid tlbi.local dsb.nsh " R " notify");
}
END_TEST

#define ROWS(t) ((int)(sizeof(t) / sizeof((t)[0])))

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "steps");

	tcase_add_loop_test(tc, shipped_program_takes_the_steps_of_its_source, 0, ROWS(rows));
	tcase_add_loop_test(tc, switch_in_publishes_the_cpu_before_ttbr0, 0,
			    ROWS(family) * ROWS(writer));
	tcase_add_test(tc, recheck_compares_with_the_cpu_of_its_first_step);
}

CHECK_MAIN("program_steps", add_cases)
