/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/*
 * Processes whose mm somebody else flushes: the flusher on CPU 0, one victim on each further CPU.
 * What the generators differ in is in `struct kind`.
 */
enum { VICTIMS, PAGES, ROUNDS, BATCH, PERIOD_NS, UNITS, UNIT_NS, TOUCH, OPTION };

#define COMMON(rounds, batch, period)                                                              \
	{ "victims", "", "processes, each on a CPU of its own", 4, 1, 63 },                        \
	{ "pages", "pages", "what each of them has mapped and written", 2048, 1, 1048576 },        \
	{ "rounds", "", "how often the flusher goes through all victims", rounds, 1, 100000 },     \
	{ "batch", "pages", "pages it takes of each victim in a round", batch, 1, 1048576 },       \
	{ "period_ns", "ns", "its sleep before each round, and 1 us", period, 0, 1000000000000 }, \
	{ "units", "", "units of work of each victim", 200, 1, 1000000 },                          \
	{ "unit_ns", "ns", "length of such a unit, undisturbed", 20000, 1, 1000000000 },           \
	{ "touch", "pages", "random pages a victim writes per unit", 4, 0, 4096 }
#define LAST { NULL, NULL, NULL, 0, 0, 0 }

struct foreign;

struct kind {
	bool process;        /* the flusher has an mm of its own; else it is a kernel thread */
	bool mapped_by_read; /* what the victims have: mapped as they read it; else populated, writable */
	bool ages;           /* the flusher clears the young bits first */
	bool option;         /* the parameter OPTION chooses between the details */
	unsigned region;     /* enum dvm_trace_detail of what the victims have */
	unsigned op, detail[2]; /* what the flusher does to a batch of pages */
	void (*unit)(struct foreign *f, const struct dvmi_gen_task *victim); /* after a unit's work */
};

struct foreign {
	struct dvmi_gen *g;
	const struct kind *kind;
	struct dvmi_gen_task flusher, victims[64];
	uint64_t at; /* page of the region where the round begins */
};

static uint64_t value(const struct foreign *f, unsigned which)
{
	return f->g->values[which];
}

static uint64_t page_va(const struct foreign *f, uint64_t page)
{
	return DVMI_GEN_VA + page * f->g->page_bytes;
}

/* ---- the victims ---- */

static void write_pages(struct foreign *f, const struct dvmi_gen_task *victim)
{
	for (uint64_t i = 0; i < value(f, TOUCH); i++)
		dvmi_gen_write(f->g, victim,
			       page_va(f, dvmi_rng_below(&f->g->rng, value(f, PAGES))), 1);
}

/* Freeing one page splits the huge one again, so that there is something to collapse. */
static void free_and_write(struct foreign *f, const struct dvmi_gen_task *victim)
{
	dvmi_gen_op(f->g, victim, DVM_TRACE_OP_MADVISE,
		    page_va(f, dvmi_rng_below(&f->g->rng, value(f, PAGES))), 1, 0);
	write_pages(f, victim);
}

/* Dropping pages gives them back to the file, so that the debugger's next write copies again. */
static void drop_and_read(struct foreign *f, const struct dvmi_gen_task *victim)
{
	uint64_t page = dvmi_rng_below(&f->g->rng, value(f, PAGES)), n = value(f, TOUCH);

	if (!n)
		return;
	if (page + n > value(f, PAGES))
		page = 0;
	n = n < value(f, PAGES) ? n : value(f, PAGES);
	dvmi_gen_op(f->g, victim, DVM_TRACE_OP_MADVISE, page_va(f, page), n, 0);
	dvmi_gen_read(f->g, victim, page_va(f, page), n);
}

static void have_region(struct foreign *f, const struct dvmi_gen_task *victim)
{
	unsigned populated = DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE;

	dvmi_gen_region(f->g, victim, DVMI_GEN_VA, value(f, PAGES),
			f->kind->region | (f->kind->mapped_by_read ? 0 : populated));
}

static void work(struct foreign *f, const struct dvmi_gen_task *victim)
{
	if (f->kind->mapped_by_read)
		dvmi_gen_read(f->g, victim, DVMI_GEN_VA, value(f, PAGES));
	for (uint64_t u = 0; u < value(f, UNITS) && !f->g->ret; u++) {
		dvmi_gen_run(f->g, victim, value(f, UNIT_NS));
		f->kind->unit(f, victim);
		dvmi_gen_mark(f->g, victim, 0);
	}
}

/* ---- the flusher ---- */

static void flush_victim(struct foreign *f, const struct dvmi_gen_task *victim, uint64_t pages)
{
	const struct kind *k = f->kind;

	if (k->ages)
		dvmi_gen_op_on(f->g, &f->flusher, victim->mm, DVM_TRACE_OP_YOUNG_CLEAR,
			       page_va(f, f->at), pages, 0);
	dvmi_gen_op_on(f->g, &f->flusher, victim->mm, k->op, page_va(f, f->at), pages,
		       k->detail[k->option && value(f, OPTION)]);
}

static void flush_round(struct foreign *f)
{
	uint64_t pages = value(f, PAGES), n = value(f, BATCH);

	dvmi_gen_sleep(f->g, &f->flusher, value(f, PERIOD_NS) + 1000);
	if (f->at + n > pages)
		f->at = 0;
	for (uint64_t i = 0; i < value(f, VICTIMS); i++)
		flush_victim(f, &f->victims[i], n < pages ? n : pages);
	f->at += n;
	dvmi_gen_mark(f->g, &f->flusher, 1);
}

static void write_foreign(struct dvmi_gen *g)
{
	struct foreign f = { .g = g, .kind = g->kind };

	f.flusher = f.kind->process ? dvmi_gen_initial(g, 0) : dvmi_gen_kthread(g, 0);
	for (uint64_t i = 0; i < value(&f, VICTIMS); i++) {
		f.victims[i] = dvmi_gen_initial(g, (uint16_t)(i + 1));
		have_region(&f, &f.victims[i]);
	}
	for (uint64_t i = 0; i < value(&f, VICTIMS); i++)
		work(&f, &f.victims[i]);
	for (uint64_t r = 0; r < value(&f, ROUNDS) && !g->ret; r++)
		flush_round(&f);
}

#define GENERATOR                                                                                  \
	.extra_cpus = 1, .marks = "[\"victim_units\", \"rounds\"]", .write = write_foreign

/* ---- reclaim ---- */

static const struct kind reclaim_kind = {
	.ages = true,
	.option = true,
	.op = DVM_TRACE_OP_RECLAIM,
	.detail = { 0, DVM_TRACE_D_DIRTY },
	.unit = write_pages,
};

static const struct dvm_workload_param reclaim_params[] = {
	COMMON(20, 64, 200000),
	{ "dirty", "", "1: each page is written out, with a barrier of its own", 1, 0, 1 },
	LAST,
};

const struct dvmi_generator dvmi_gen_reclaim = {
	.info = {
		.name = "reclaim",
		.summary = "kswapd ages and reclaims pages of processes that work on other CPUs",
		.details =
"Memory pressure. In each round a kernel thread on CPU 0 ages a batch of pages of every victim "
"(young clear: one NOSYNC page operation each; nothing with MGLRU) and unmaps them: one deferred "
"operation per page, and a barrier per batch of clean pages or, with dirty=1 (anonymous memory that "
"goes to swap), before each page. All flushes are of another process's mm. Victims work, and write "
"random pages; those that were reclaimed fault.",
		.params = reclaim_params,
	},
	.kind = &reclaim_kind,
	GENERATOR,
};

/* ---- compaction ---- */

static const struct kind compaction_kind = {
	.op = DVM_TRACE_OP_MIGRATE_PAGE, .unit = write_pages,
};

static const struct dvm_workload_param compaction_params[] = { COMMON(20, 64, 200000), LAST };

const struct dvmi_generator dvmi_gen_compaction = {
	.info = {
		.name = "compaction",
		.summary = "kcompactd migrates pages of processes that work on other CPUs",
		.details =
"Page migration (compaction, CMA, hot-unplug). In each round a kernel thread on CPU 0 unmaps a batch "
"of pages of every victim, one deferred operation per page and one barrier per migrate_batch pages, "
"copies them and maps the copies: invalid to valid, no flush.",
		.params = compaction_params,
	},
	.kind = &compaction_kind,
	GENERATOR,
};

/* ---- khugepaged ---- */

static const struct kind khugepaged_kind = {
	.op = DVM_TRACE_OP_THP_COLLAPSE, .unit = free_and_write,
};

static const struct dvm_workload_param khugepaged_params[] = { COMMON(20, 512, 200000), LAST };

const struct dvmi_generator dvmi_gen_khugepaged = {
	.info = {
		.name = "khugepaged",
		.summary = "khugepaged collapses pages that their processes split again",
		.details =
"In each round a kernel thread on CPU 0 collapses one batch (512 pages: one huge page of 2 MiB) of "
"every victim: the pages are copied, the old table's range is flushed without a level hint, and an "
"interrupt to every CPU waits for lockless walkers. Victims work, free one random page per unit "
"(which splits the huge page: a flush with the PMD's stride) and write random pages.",
		.params = khugepaged_params,
	},
	.kind = &khugepaged_kind,
	GENERATOR,
};

/* ---- ksmd ---- */

static const struct kind ksm_kind = {
	.op = DVM_TRACE_OP_KSM, .unit = write_pages,
};

static const struct dvm_workload_param ksm_params[] = { COMMON(20, 32, 200000), LAST };

const struct dvmi_generator dvmi_gen_ksm = {
	.info = {
		.name = "ksm",
		.summary = "ksmd merges pages of processes that write them again",
		.details =
"In each round a kernel thread on CPU 0 replaces a batch of pages of every victim by shared ones, "
"with two page flushes each (write-protect, replace). Victims write random pages; a merged one is "
"copied, with a page flush of their own.",
		.params = ksm_params,
	},
	.kind = &ksm_kind,
	GENERATOR,
};

/* ---- write-back ---- */

static const struct kind writeback_kind = {
	.region = DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED,
	.op = DVM_TRACE_OP_MKCLEAN,
	.unit = write_pages,
};

static const struct dvm_workload_param writeback_params[] = { COMMON(20, 64, 200000), LAST };

const struct dvmi_generator dvmi_gen_writeback = {
	.info = {
		.name = "writeback",
		.summary = "a flusher thread cleans shared file mappings that are written again",
		.details =
"In each round a kernel thread on CPU 0 makes the dirty pages of a batch of every victim clean and "
"read-only (page_mkclean), with a page flush for each mapping. The victim's next write to such a "
"page makes it writable again: a local fix-up since 6.19, a broadcast page flush before.",
		.params = writeback_params,
	},
	.kind = &writeback_kind,
	GENERATOR,
};

/* ---- process_madvise ---- */

static const struct kind process_madvise_kind = {
	.process = true,
	.option = true,
	.op = DVM_TRACE_OP_MADVISE,
	.detail = { DVM_TRACE_D_COLD, DVM_TRACE_D_PAGEOUT | DVM_TRACE_D_DIRTY },
	.unit = write_pages,
};

static const struct dvm_workload_param process_madvise_params[] = {
	COMMON(20, 256, 200000),
	{ "pageout", "", "1: MADV_PAGEOUT; 0: MADV_COLD", 1, 0, 1 },
	LAST,
};

const struct dvmi_generator dvmi_gen_process_madvise = {
	.info = {
		.name = "process-madvise",
		.summary = "a memory manager calls process_madvise() on other processes",
		.details =
"In each round a process on CPU 0 advises a batch of pages of every victim: MADV_PAGEOUT reclaims "
"them (a deferred operation and a barrier per page), MADV_COLD ages them (one range flush). The "
"caller has an mm of its own; all flushes are of another one.",
		.params = process_madvise_params,
	},
	.kind = &process_madvise_kind,
	GENERATOR,
};

/* ---- ptrace ---- */

static const struct kind ptrace_kind = {
	.process = true,
	.mapped_by_read = true,
	.region = DVM_TRACE_D_FILE,
	.op = DVM_TRACE_OP_PTRACE,
	.unit = drop_and_read,
};

static const struct dvm_workload_param ptrace_params[] = { COMMON(50, 8, 100000), LAST };

const struct dvmi_generator dvmi_gen_ptrace = {
	.info = {
		.name = "ptrace",
		.summary = "a debugger writes into the code of running processes",
		.details =
"Breakpoints: in each round a process on CPU 0 writes pages of a private, read-only file mapping of "
"every victim (ptrace, process_vm_writev with FOLL_FORCE): copy-on-write in another process's mm, one "
"page flush each. Victims drop and read pages again (touch per unit), so that there is something to "
"copy.",
		.params = ptrace_params,
	},
	.kind = &ptrace_kind,
	GENERATOR,
};

/* ---- the oom reaper ---- */

static const struct kind oom_reap_kind = {
	.op = DVM_TRACE_OP_OOM_REAP, .unit = write_pages,
};

static const struct dvm_workload_param oom_reap_params[] = { COMMON(5, 2048, 1000000), LAST };

const struct dvmi_generator dvmi_gen_oom_reap = {
	.info = {
		.name = "oom-reap",
		.summary = "the oom reaper empties processes while they still run",
		.details =
"In each round a kernel thread on CPU 0 unmaps a batch of pages of every victim: one last-level range "
"flush per VMA, of another process's mm. A real victim is dying; here it goes on, so that the cost "
"for both sides can be seen.",
		.params = oom_reap_params,
	},
	.kind = &oom_reap_kind,
	GENERATOR,
};
