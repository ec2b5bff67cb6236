/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_IMPORT_PLUGIN_H
#define DVMSIM_TOOLS_IMPORT_PLUGIN_H

#include "import.h"
#include "import_tlbi.h"
#include "import_world.h"

/*
 * What the parts of the plugin-stream importer share: the stream (import_plugin.c), what its events
 * mean (import_events.c), and how TLBIs become flush requests (import_flush.c).
 */
#define PAGE UINT64_C(4096)
#define HOOKS 256
#define DSB_ISH 0xd5033b9fu
#define DSB_ISHST 0xd5033a9fu

enum { TLBI = 1, DSB, MSR = 5, HOOK, ACCESS };

/* prctl(MARK_OPTION, amount, name, name): work done, as tools/capture/workload.c counts it */
#define MARK_OPTION 0x44564d53

/* Functions that mean something here; HOOK_OTHER are passed over. */
enum hook {
	HOOK_OTHER, HOOK_MARK, HOOK_SWITCH, HOOK_MM_SWITCH, HOOK_TRY_WAKE, HOOK_WOKEN,
	HOOK_NEW_TASK, HOOK_NEW_MM, HOOK_EXEC, HOOK_COMM, HOOK_EXIT, HOOK_EXIT_MMAP, HOOK_USER,
	HOOK_FAULT, HOOK_CLEAR_FLUSH, HOOK_ACCESS, HOOK_PMD, HOOK_CONTPTE, HOOK_FLUSH,
	HOOK_FINISH, HOOK_BATCH_ADD, HOOK_BATCH_FLUSH, HOOK_MMAP,
	HOOK_MUNMAP, HOOK_MPROTECT, HOOK_MADVISE, HOOK_MREMAP, HOOK_BRK, HOOK_EPOLL,
	HOOK_WORK, HOOK_FAULT_ANON, HOOK_FAULT_FILE, HOOK_COLLAPSE, HOOK_SPLIT, HOOK_YOUNG,
	HOOK_UNMAP_ONE, HOOK_BATCH_DIRTY, HOOK_MIGRATE_ONE, HOOK_CLEAN_ONE, HOOK_NUMA,
};

/* What the next flush of a task is about (world_about.what). */
enum { ABOUT_NOTHING, ABOUT_CLEAR_FLUSH, ABOUT_ACCESS, ABOUT_PMD, ABOUT_CONTPTE, ABOUT_GATHER,
       ABOUT_BATCH, ABOUT_COLLAPSE, ABOUT_YOUNG };

/* struct mmu_gather since 6.2, the word after start and end; before, PTES and above are a bit lower. */
enum { GATHER_FULLMM = 1 << 0, GATHER_FREED_TABLES = 1 << 2, GATHER_PTES = 1 << 4,
       GATHER_PMDS = 1 << 5, GATHER_PUDS = 1 << 6 };

enum { MARKS = 32, MARK_NAME = 17 };

struct event {
	uint64_t time_ns, insns, value;
	unsigned kind, cpu, arg;
	uint32_t word;
};

/* TLBIs of one request, from the first to the DSB that completes them. */
struct group {
	bool open, leaf, asid_wide;
	bool fenced; /* a DSB ISHST came after its last TLBI */
	enum tlbi_scope scope;
	size_t at; /* its FLUSH record */
	uint64_t low, high, count;
	uint64_t operand; /* of the last one */
	uint16_t asid;
	uint8_t level;
	struct world_task *task;
};

/* Of tasks that were switched out between a TLBI and its DSB. */
#define HELD 64

struct counts {
	uint64_t tlbis, dummies, local, other, user, user_mm, user_cause, kernel, requests;
	uint64_t disagree; /* the hook's mm and the ASID's differ */
	uint64_t unknown, accesses;
};

struct import {
	struct world world;
	const struct import_options *opt;
	struct { enum hook hook; unsigned pieces; } hooks[HOOKS];
	unsigned nhooks;
	uint64_t args[4], memory[4]; /* of the hook being collected */
	unsigned got, marks;
	char mark_names[MARKS][MARK_NAME];
	unsigned nmarks;
	bool old_gather; /* a kernel before 6.2 */
	bool range, repeat, kpti, cnp; /* seen in the stream */
	struct {
		struct world_task *switch_to;
		struct world_mm *installing;
		struct group group;
	} cpus[WORLD_CPUS];
	struct group held[HELD];
	unsigned nheld;
	struct world_mm *asids[65536];
	struct counts counts;
};

/* ---- import_flush.c ---- */
struct world_task *import_current(struct import *im, unsigned cpu);
uint8_t import_know_fault(struct import *im, struct world_task *t, uint8_t op);
/* The task of @cpu is switched out, or @task in: an open group goes with it. */
void import_group_hold(struct import *im, unsigned cpu);
void import_group_resume(struct import *im, unsigned cpu, const struct world_task *task);
void import_group_close(struct import *im, unsigned cpu, bool synced);
void import_tlbi(struct import *im, const struct event *e);
void import_dsb(struct import *im, const struct event *e);

/* ---- import_events.c ---- */
void import_msr(struct import *im, const struct event *e);
void import_batch_flush(struct import *im, unsigned cpu);
void import_hook(struct import *im, unsigned cpu, enum hook hook);

#endif
