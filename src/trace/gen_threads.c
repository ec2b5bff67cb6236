/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

/* Threads of one process that change its address space: the flushes are of the caller's own mm. */
enum { THREADS, PAGES, LOOPS, CHANGE, WORK_NS, OPTION, SME };

#define COMMON(threads, loops, change)                                                             \
	{ "threads", "", "threads, each on a CPU of its own", threads, 1, 64 },                    \
	{ "pages", "pages", "what each thread has of the address space", 2048, 1, 65536 },         \
	{ "loops", "", "loops of each thread", loops, 1, 1000000 },                                \
	{ "change", "pages", "pages that one operation changes", change, 1, 65536 },               \
	{ "work_ns", "ns", "work between two operations", 5000, 0, 1000000000 }
#define LAST { NULL, NULL, NULL, 0, 0, 0 }

typedef void (*loop_fn)(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i);

static void gc_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i);

/* Each thread's part begins at a PMD of its own. */
static uint64_t part_va(const struct dvmi_gen *g, uint64_t thread)
{
	uint64_t pages = (g->values[PAGES] + 511) / 512 * 512 + 512;

	return DVMI_GEN_VA + thread * pages * g->page_bytes;
}

static uint64_t change_of(const struct dvmi_gen *g)
{
	return g->values[CHANGE] < g->values[PAGES] ? g->values[CHANGE] : g->values[PAGES];
}

/* Where loop @i changes something: one place after the other. */
static uint64_t place(const struct dvmi_gen *g, uint64_t va, uint64_t i)
{
	uint64_t n = g->values[PAGES] / change_of(g);

	return va + i % n * change_of(g) * g->page_bytes;
}

static void write_threads(struct dvmi_gen *g, unsigned detail, loop_fn loop)
{
	struct dvmi_gen_task t[64];

	g->sme = loop == gc_loop && g->values[SME];
	t[0] = dvmi_gen_initial(g, 0);
	for (uint64_t i = 0; i < g->values[THREADS]; i++)
		dvmi_gen_region(g, &t[0], part_va(g, i), g->values[PAGES],
				detail | DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
	for (uint64_t i = 1; i < g->values[THREADS]; i++) {
		uint32_t wake;

		t[i] = dvmi_gen_spawn(g, &t[0], (uint16_t)i);
		wake = dvmi_gen_wake(g, &t[0], &t[i]);
		dvmi_gen_switch(g, &t[i], wake);
	}
	for (uint64_t i = 0; i < g->values[THREADS]; i++) {
		for (uint64_t n = 0; n < g->values[LOOPS] && !g->ret; n++) {
			loop(g, &t[i], part_va(g, i), n);
			dvmi_gen_run(g, &t[i], g->values[WORK_NS]);
			dvmi_gen_mark(g, &t[i], 0);
		}
	}
}

/* ---- madvise ---- */

static void madvise_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint64_t at = place(g, va, i);

	dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, at, change_of(g),
		    g->values[OPTION] ? DVM_TRACE_D_FREE : 0);
	dvmi_gen_write(g, t, at, change_of(g));
}

static void write_madvise(struct dvmi_gen *g)
{
	write_threads(g, 0, madvise_loop);
}

static const struct dvm_workload_param madvise_params[] = {
	COMMON(1, 500, 32),
	{ "free", "", "1: MADV_FREE; 0: MADV_DONTNEED", 0, 0, 1 },
	LAST,
};

const struct dvmi_generator dvmi_gen_madvise = {
	.info = {
		.name = "madvise",
		.summary = "threads give memory back and use it again, as allocators do",
		.details =
"Per loop: madvise of `change` pages (MADV_DONTNEED: they are unmapped, one range flush; MADV_FREE: "
"they become clean, one range flush), then every page is written (a fault each after MADV_DONTNEED), "
"and work. With one thread the mm stays on one CPU; with several it never does.",
		.params = madvise_params,
	},
	.marks = "[\"loops\"]",
	.write = write_madvise,
};

/* ---- a garbage collector ---- */

static void gc_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint64_t at = place(g, va, i);

	dvmi_gen_op(g, t, DVM_TRACE_OP_MPROTECT, at, change_of(g), DVM_TRACE_D_NONE);
	dvmi_gen_run(g, t, g->values[WORK_NS]);
	dvmi_gen_op(g, t, DVM_TRACE_OP_MPROTECT, at, change_of(g), DVM_TRACE_D_WRITE);
	if (g->values[OPTION] && i % g->values[OPTION] == 0)
		dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, at, change_of(g), 0);
	dvmi_gen_write(g, t, at, change_of(g));
}

static void write_gc(struct dvmi_gen *g)
{
	write_threads(g, 0, gc_loop);
}

static const struct dvm_workload_param gc_params[] = {
	COMMON(4, 200, 64),
	{ "free_every", "", "a freed block is given back every so many loops; 0: never", 4, 0,
	  1000000 },
	{ "sme", "", "1: the threads use SME (matters on parts with erratum.sme_dvmsync)", 0, 0, 1 },
	LAST,
};

const struct dvmi_generator dvmi_gen_gc = {
	.info = {
		.name = "gc",
		.summary = "threads of one process protect, move and free blocks of its heap",
		.details =
"After concurrent garbage collectors. Each thread takes access to a block away (mprotect PROT_NONE: a "
"range flush), works on it, gives access back (invalid to valid: no flush), gives some blocks back to "
"the kernel (MADV_DONTNEED: a range flush) and writes them again. All threads share the mm, which is "
"active on as many CPUs: local-only strategies must broadcast.",
		.params = gc_params,
	},
	.marks = "[\"loops\"]",
	.write = write_gc,
};

/* ---- mremap ---- */

/* A growing array: the block moves to a new place and back. */
static void mremap_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint32_t away = UINT32_C(1) << 24; /* pages: 64 GiB down */

	(void)i;
	dvmi_gen_op(g, t, DVM_TRACE_OP_MREMAP, va, g->values[PAGES], 0 - away);
	dvmi_gen_run(g, t, g->values[WORK_NS]);
	dvmi_gen_op(g, t, DVM_TRACE_OP_MREMAP, va - away * g->page_bytes, g->values[PAGES], away);
}

static void write_mremap(struct dvmi_gen *g)
{
	write_threads(g, 0, mremap_loop);
}

static const struct dvm_workload_param mremap_params[] = { COMMON(1, 200, 1), LAST };

const struct dvmi_generator dvmi_gen_mremap = {
	.info = {
		.name = "mremap",
		.summary = "threads move their part of the address space to and fro",
		.details =
"realloc() of large blocks. Per loop the thread's part moves to another place and back: for each PMD "
"(2 MiB) one flush of the old place under both page-table locks, walk caches included, and one more "
"for the page tables that are empty then. `change` has no meaning here.",
		.params = mremap_params,
	},
	.marks = "[\"loops\"]",
	.write = write_mremap,
};

/* ---- NUMA balancing ---- */

static void numa_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint64_t at = place(g, va, i);

	dvmi_gen_op(g, t, DVM_TRACE_OP_NUMA_HINT, at, change_of(g), 0);
	for (uint64_t n = 0; n < g->values[OPTION]; n++) {
		uint64_t page = dvmi_rng_below(&g->rng, change_of(g));

		dvmi_gen_write(g, t, at + page * g->page_bytes, 1);
		dvmi_gen_run(g, t, g->values[WORK_NS] / 8);
	}
}

static void write_numa_balance(struct dvmi_gen *g)
{
	write_threads(g, 0, numa_loop);
}

static const struct dvm_workload_param numa_balance_params[] = {
	COMMON(4, 50, 512),
	{ "faults", "", "writes to the hinted pages, per loop", 32, 0, 65536 },
	LAST,
};

const struct dvmi_generator dvmi_gen_numa_balance = {
	.info = {
		.name = "numa-balance",
		.summary = "NUMA balancing takes access to pages away to see who uses them",
		.details =
"Task work of each thread (so the flushes are of its own mm) makes `change` pages inaccessible, with "
"one range flush; writes to them fault, without a flush. A real scan covers up to 256 MiB.",
		.params = numa_balance_params,
	},
	.marks = "[\"loops\"]",
	.write = write_numa_balance,
};

/* ---- huge pages that are split ---- */

static void split_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint64_t blocks = (g->values[PAGES] + 511) / 512, at = va + i % blocks * 512 * g->page_bytes;

	dvmi_gen_op(g, t, DVM_TRACE_OP_MUNMAP, at, 512, 0);
	dvmi_gen_op(g, t, DVM_TRACE_OP_MMAP, at, 512, DVM_TRACE_D_WRITE | DVM_TRACE_D_THP);
	dvmi_gen_write(g, t, at, 512);
	dvmi_gen_run(g, t, g->values[WORK_NS]);
	dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, at, change_of(g), 0);
}

static void write_thp_split(struct dvmi_gen *g)
{
	write_threads(g, DVM_TRACE_D_THP, split_loop);
}

static const struct dvm_workload_param thp_split_params[] = { COMMON(1, 200, 16), LAST };

const struct dvmi_generator dvmi_gen_thp_split = {
	.info = {
		.name = "thp-split",
		.summary = "huge pages are mapped, split by a partial free, and unmapped",
		.details =
"Per loop: a huge page of 512 pages is mapped by one fault, used, and a part of it (`change` pages) is "
"given back: the huge page is split (a flush with the PMD's stride and level, walk caches included, "
"under the page-table lock), then the part is flushed. Later the rest is unmapped, with its table.",
		.params = thp_split_params,
	},
	.marks = "[\"loops\"]",
	.write = write_thp_split,
};

/* ---- an address space that a device shares ---- */

static void sva_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t i)
{
	uint64_t at = place(g, va, i);

	dvmi_gen_op(g, t, DVM_TRACE_OP_MADVISE, at, change_of(g), 0);
	dvmi_gen_write(g, t, at, change_of(g));
}

static void write_sva(struct dvmi_gen *g)
{
	const uint64_t *v = g->values;

	/* Processes, not threads: each may be bound to the device or not. */
	for (uint64_t i = 0; i < v[THREADS] && !g->ret; i++) {
		struct dvmi_gen_task t = dvmi_gen_initial(g, (uint16_t)i);

		dvmi_gen_region(g, &t, DVMI_GEN_VA, v[PAGES],
				DVM_TRACE_D_WRITE | DVM_TRACE_D_POPULATE);
		if (i < v[OPTION])
			dvmi_gen_op(g, &t, DVM_TRACE_OP_SVA_BIND, 0, 0, 0);
		for (uint64_t n = 0; n < v[LOOPS] && !g->ret; n++) {
			sva_loop(g, &t, DVMI_GEN_VA, n);
			dvmi_gen_run(g, &t, v[WORK_NS]);
			dvmi_gen_mark(g, &t, 0);
		}
		if (i < v[OPTION])
			dvmi_gen_op(g, &t, DVM_TRACE_OP_SVA_UNBIND, 0, 0, 0);
	}
}

static const struct dvm_workload_param sva_params[] = {
	{ "processes", "", "processes, each on a CPU of its own", 4, 1, 64 },
	{ "pages", "pages", "what each of them has mapped and written", 2048, 1, 65536 },
	{ "loops", "", "loops of each process", 200, 1, 1000000 },
	{ "change", "pages", "pages that one operation changes", 32, 1, 65536 },
	{ "work_ns", "ns", "work between two operations", 5000, 0, 1000000000 },
	{ "bound", "", "so many of the processes share their address space with a device", 2, 0, 64 },
	LAST,
};

const struct dvmi_generator dvmi_gen_sva = {
	.info = {
		.name = "sva",
		.summary = "processes that give memory back, some bound to a device (SVA)",
		.details =
"Per loop: MADV_DONTNEED of `change` pages, then each is written again, and work. The first `bound` "
"processes are bound to a device behind an SMMU: their ASIDs are pinned where the kernel does that "
"(sva_pins), and what their flushes cost more depends on the kernel configuration's `smmu`: none, a "
"notifier with its command queue, or an SMMU that takes part in broadcasts.",
		.params = sva_params,
	},
	.marks = "[\"loops\"]",
	.write = write_sva,
};
