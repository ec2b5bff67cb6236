/* SPDX-License-Identifier: MIT */
#include "check_main.h"

#include "base/rng.h"
#include "kernel/event.h"
#include "ref_mm.h"

#include <dvmsim/trace.h>

#include <stdio.h>
#include <string.h>

/*
 * What each event of memory management flushes, by kernel configuration. The expectations are those
 * of the kernel's source as docs/model.md#events cites it; 4 KiB pages: a PTE table maps 512 pages,
 * a contpte block has 16.
 */
#define L DVMI_REQUEST_LEAF
#define NOSYNC DVMI_REQUEST_NOSYNC
#define LOCAL DVMI_REQUEST_NOBROADCAST
#define QUIET DVMI_REQUEST_NONOTIFY
#define RELAX DVMI_REQUEST_PERMISSIVE
#define FREED DVMI_REQUEST_FREED_TABLES
#define FOREIGN DVMI_REQUEST_FOREIGN
#define PTL DVMI_REQUEST_PTL
#define ANY DVMI_LEVEL_UNKNOWN

#define MAPPED DVM_TRACE_D_WRITE
#define NEW 6

/* How a kernel differs from the one of most cases: 7.1 without contpte, MGLRU or PT_RECLAIM. */
enum { K_71, K_BEFORE_619, K_NO_BATCH, K_MGLRU, K_BBML2, K_SMALL_GATHER, K_PT_RECLAIM, K_OLD_UNSHARE,
       K_BATCH_3, K_BEFORE_617 };

struct op {
	unsigned op;
	uint64_t first, pages;
	uint32_t detail;
	uint64_t to;
	bool foreign;
};

struct want {
	unsigned call; /* enum dvmi_call_kind; 0 ends the list */
	unsigned kind, flags;
	uint64_t first, pages;
	unsigned stride, level; /* stride in log2 of pages */
};

#define RANGE(flags, first, pages, stride, level) \
	{ DVMI_CALL_FLUSH, DVMI_REQUEST_RANGE, flags, first, pages, stride, level }
#define PAGE(flags, at) { DVMI_CALL_FLUSH, DVMI_REQUEST_PAGE, L | (flags), at, 1, 0, 3 }
#define ASID(flags) { DVMI_CALL_FLUSH, DVMI_REQUEST_ASID, flags, 0, 0, 0, ANY }
#define BATCH { DVMI_CALL_BATCH, 0, 0, 0, 0, 0, ANY }
#define MAP(first, pages, detail) { DVM_TRACE_OP_MMAP, first, pages, detail, 0, false }
#define ANON(first, pages) MAP(first, pages, MAPPED | DVM_TRACE_D_POPULATE)
#define DO(op, first, pages, detail) { DVM_TRACE_OP_##op, first, pages, detail, 0, false }
#define FORK { DVM_TRACE_OP_FORK, 0, 0, 0, 0, false }

static const struct {
	const char *name;
	unsigned kernel;
	struct op before[5], op;
	struct want want[6];
} cases[] = {
	{ "munmap beside a neighbour leaves the table: last level only", K_71,
	  { ANON(0x1000, 64), ANON(0x1080, 64) }, DO(MUNMAP, 0x1000, 64, 0),
	  { RANGE(L, 0x1000, 64, 0, 3) } },
	{ "munmap of a lone VMA: its pages, then the freed table, walk caches too", K_71,
	  { ANON(0x1000, 64) }, DO(MUNMAP, 0x1000, 64, 0),
	  { RANGE(L, 0x1000, 64, 0, 3),
	    /* a PTE table at 0x1000 and the PMD table of its 1 GiB: the smaller unit counts */
	    RANGE(FREED, 0, 0x1001, 9, ANY) } },
	{ "munmap of two VMAs: one flush for each", K_71,
	  { ANON(0x1000, 8), MAP(0x1010, 8, MAPPED | DVM_TRACE_D_POPULATE | DVM_TRACE_D_LARGE),
	    ANON(0x1080, 8) }, DO(MUNMAP, 0x1000, 64, 0),
	  { RANGE(L, 0x1000, 8, 0, 3), RANGE(L, 0x1010, 8, 0, 3) } },
	{ "munmap of what nobody touched: no flush", K_71,
	  { MAP(0x1000, 64, MAPPED) }, DO(MUNMAP, 0x1000, 64, 0), { { 0 } } },
	{ "munmap spans the hole between its first and last page", K_71,
	  { MAP(0x1000, 64, MAPPED), DO(FAULT, 0x1000, 1, MAPPED), DO(FAULT, 0x1030, 1, MAPPED),
	    ANON(0x1080, 1) }, DO(MUNMAP, 0x1000, 64, 0), { RANGE(L, 0x1000, 0x31, 0, 3) } },
	{ "munmap of dirty file pages: one flush per PTE table, under its lock", K_71,
	  { MAP(0x1100, 0x300, MAPPED | DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED | DVM_TRACE_D_POPULATE),
	    ANON(0x1000, 1), ANON(0x1580, 1) }, DO(MUNMAP, 0x1100, 0x300, 0),
	  { RANGE(L | PTL, 0x1100, 0x100, 0, 3), RANGE(L | PTL, 0x1200, 0x200, 0, 3),
	    RANGE(FREED, 0x1200, 1, 9, ANY) } },
	{ "a full gather flushes under the lock, and goes on", K_SMALL_GATHER,
	  { ANON(0x1000, 64), ANON(0x1080, 1) }, DO(MUNMAP, 0x1000, 64, 0),
	  { RANGE(L | PTL, 0x1000, 40, 0, 3), RANGE(L, 0x1028, 24, 0, 3) } },
	{ "brk shrinks as munmap does", K_71,
	  { ANON(0x1000, 64), ANON(0x1080, 1) }, DO(BRK, 0x1020, 32, 0),
	  { RANGE(L, 0x1020, 32, 0, 3) } },
	{ "munmap of THPs: stride and level of the PMD", K_71,
	  { MAP(0x2000, 1024, MAPPED | DVM_TRACE_D_THP | DVM_TRACE_D_POPULATE), ANON(0x1000, 1),
	    ANON(0x40000, 1) }, DO(MUNMAP, 0x2000, 1024, 0), { RANGE(L, 0x2000, 1024, 9, 2) } },
	{ "munmap of a part of a THP splits it first", K_71,
	  { MAP(0x2000, 512, MAPPED | DVM_TRACE_D_THP | DVM_TRACE_D_POPULATE) },
	  DO(MUNMAP, 0x2000, 16, 0),
	  { RANGE(PTL, 0x2000, 512, 9, 2), RANGE(L, 0x2000, 16, 0, 3) } },
	{ "hugetlb: stride and level of the huge page", K_71,
	  { MAP(0x2000, 1024, MAPPED | DVM_TRACE_D_HUGETLB | DVM_TRACE_D_POPULATE), ANON(0x1000, 1),
	    ANON(0x40000, 1) }, DO(MUNMAP, 0x2000, 1024, 0), { RANGE(L, 0x2000, 1024, 9, 2) } },
	{ "a shared hugetlb table: walk caches too since May 2026", K_71,
	  { MAP(0x40000, 0x40000, MAPPED | DVM_TRACE_D_HUGETLB | DVM_TRACE_D_SHARED), ANON(0x1000, 1),
	    ANON(0x90000, 1), DO(FAULT, 0x40000, 1, MAPPED) }, DO(MUNMAP, 0x40000, 0x40000, 0),
	  { RANGE(0, 0x40000, 0x40000, 9, ANY), RANGE(FREED, 0x40000, 1, 18, ANY) } },
	{ "and last level only before", K_OLD_UNSHARE,
	  { MAP(0x40000, 0x40000, MAPPED | DVM_TRACE_D_HUGETLB | DVM_TRACE_D_SHARED), ANON(0x1000, 1),
	    ANON(0x90000, 1), DO(FAULT, 0x40000, 1, MAPPED) }, DO(MUNMAP, 0x40000, 0x40000, 0),
	  { RANGE(L, 0x40000, 0x40000, 9, ANY), RANGE(FREED, 0x40000, 1, 18, ANY) } },

	{ "MADV_DONTNEED frees no table", K_71,
	  { ANON(0x1000, 512) }, DO(MADVISE, 0x1000, 512, 0), { RANGE(L, 0x1000, 512, 0, 3) } },
	{ "MADV_DONTNEED of a whole table, where it is freed", K_PT_RECLAIM,
	  { ANON(0x1000, 512) }, DO(MADVISE, 0x1000, 512, 0), { RANGE(FREED, 0x1000, 512, 0, ANY) } },
	{ "MADV_FREE: the entries stay, the flush is a range", K_71,
	  { ANON(0x1000, 64) }, DO(MADVISE, 0x1010, 16, DVM_TRACE_D_FREE),
	  { RANGE(L, 0x1010, 16, 0, 3) } },
	{ "MADV_COLD: the same", K_71,
	  { ANON(0x1000, 64) }, DO(MADVISE, 0x1010, 16, DVM_TRACE_D_COLD),
	  { RANGE(L, 0x1010, 16, 0, 3) } },
	{ "process_madvise(MADV_PAGEOUT): foreign, a batch and its barrier", K_BATCH_3,
	  { ANON(0x1000, 2) },
	  { DVM_TRACE_OP_MADVISE, 0x1000, 2, DVM_TRACE_D_PAGEOUT, 0, true },
	  { PAGE(NOSYNC | PTL | FOREIGN, 0x1000), PAGE(NOSYNC | PTL | FOREIGN, 0x1001), BATCH } },
	{ "the oom reaper: a range per VMA, foreign", K_71,
	  { ANON(0x1000, 8), MAP(0x1010, 8, DVM_TRACE_D_NONE) },
	  { DVM_TRACE_OP_OOM_REAP, 0, 0x10000, 0, 0, true }, { RANGE(L | FOREIGN, 0x1000, 8, 0, 3) } },

	{ "exit with tables: the ASID", K_71, { ANON(0x1000, 64) }, DO(EXIT, 0, 0, 0),
	  { ASID(FREED) } },
	{ "exit without a table: nothing", K_71, { MAP(0x1000, 64, MAPPED) }, DO(EXIT, 0, 0, 0), { { 0 } } },
	{ "exit of more pages than a gather holds, dirty ones too: still one", K_SMALL_GATHER,
	  { ANON(0x1000, 640), MAP(0x4000, 64, MAPPED | DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED |
				   DVM_TRACE_D_POPULATE) }, DO(EXIT, 0, 0, 0), { ASID(FREED) } },
	{ "exec: the new stack moves", K_71, { { 0 } }, DO(EXEC, 0x7fff0, 1, DVM_TRACE_D_SHIFT),
	  { RANGE(PTL, 0x7fff0, 1, 0, ANY), RANGE(FREED, 0x7fff0, 1, 9, ANY) } },
	{ "exec without ASLR: nothing", K_71, { { 0 } }, DO(EXEC, 0x7fff0, 1, 0), { { 0 } } },
	{ "fork: the parent's ASID, once, at the end", K_71, { ANON(0x1000, 64) }, FORK, { ASID(0) } },

	{ "a fault that maps: nothing", K_71, { MAP(0x1000, 8, MAPPED) },
	  DO(FAULT, 0x1000, 8, MAPPED), { { 0 } } },
	{ "a write to a page shared by fork: COW, one page, under the lock", K_71,
	  { ANON(0x1000, 8), FORK }, DO(FAULT, 0x1003, 1, MAPPED), { PAGE(PTL, 0x1003) } },
	{ "a read of it: nothing", K_71, { ANON(0x1000, 8), FORK }, DO(FAULT, 0x1003, 1, 0), { { 0 } } },
	{ "reuse, when the child is gone: local since 6.19", K_71,
	  { ANON(0x1000, 8), FORK, { DVM_TRACE_OP_OTHER, 0, 0, 0, 0, false } },
	  DO(FAULT, 0x1003, 1, MAPPED), { PAGE(PTL | RELAX | LOCAL, 0x1003) } },
	{ "and broadcast before", K_BEFORE_619,
	  { ANON(0x1000, 8), FORK, { DVM_TRACE_OP_OTHER, 0, 0, 0, 0, false } },
	  DO(FAULT, 0x1003, 1, MAPPED), { PAGE(PTL | RELAX, 0x1003) } },
	{ "a write to a private file page: COW", K_71,
	  { MAP(0x1000, 8, MAPPED | DVM_TRACE_D_FILE), DO(FAULT, 0x1000, 8, 0) },
	  DO(FAULT, 0x1002, 1, MAPPED), { PAGE(PTL, 0x1002) } },
	{ "ptrace: COW by another process", K_71, { ANON(0x1000, 8), FORK },
	  { DVM_TRACE_OP_PTRACE, 0x1003, 1, 0, 0, true }, { PAGE(PTL | FOREIGN, 0x1003) } },
	{ "a spurious fault: local and without notifier since 6.19", K_71, { ANON(0x1000, 8) },
	  DO(FAULT_SPURIOUS, 0x1001, 1, 0), { PAGE(PTL | RELAX | LOCAL | QUIET, 0x1001) } },
	{ "and nothing before", K_BEFORE_619, { ANON(0x1000, 8) },
	  DO(FAULT_SPURIOUS, 0x1001, 1, 0), { { 0 } } },
	{ "COW within a THP splits it first", K_71,
	  { MAP(0x2000, 512, MAPPED | DVM_TRACE_D_THP | DVM_TRACE_D_POPULATE), FORK },
	  DO(FAULT, 0x2005, 1, MAPPED), { RANGE(PTL, 0x2000, 512, 9, 2), PAGE(PTL, 0x2005) } },
	{ "COW within a contpte block unfolds it first", K_71,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE), FORK },
	  DO(FAULT, 0x1012, 1, MAPPED), { RANGE(L | PTL, 0x1010, 16, 0, 3), PAGE(PTL, 0x1012) } },
	{ "which needs no flush with BBM level 2", K_BBML2,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE), FORK },
	  DO(FAULT, 0x1012, 1, MAPPED), { PAGE(PTL, 0x1012) } },

	{ "mprotect to read-only: the range of what changed", K_71, { ANON(0x1000, 64) },
	  DO(MPROTECT, 0x1010, 16, 0), { RANGE(L, 0x1010, 16, 0, 3) } },
	{ "mprotect to writable again flushes too", K_71,
	  { ANON(0x1000, 64), DO(MPROTECT, 0x1000, 64, 0) }, DO(MPROTECT, 0x1000, 64, MAPPED),
	  { RANGE(L, 0x1000, 64, 0, 3) } },
	{ "but not entries that stay read-only for COW", K_71,
	  { ANON(0x1000, 64), FORK, DO(MPROTECT, 0x1000, 64, 0) }, DO(MPROTECT, 0x1000, 64, MAPPED),
	  { { 0 } } },
	{ "mprotect from PROT_NONE: invalid to valid, nothing", K_71,
	  { ANON(0x1000, 64), DO(MPROTECT, 0x1000, 64, DVM_TRACE_D_NONE) },
	  DO(MPROTECT, 0x1000, 64, MAPPED), { { 0 } } },
	{ "mprotect to what it is: nothing", K_71, { ANON(0x1000, 64) },
	  DO(MPROTECT, 0x1000, 64, MAPPED), { { 0 } } },
	{ "before 6.17 mprotect unfolds each contpte block", K_BEFORE_617,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE) },
	  DO(MPROTECT, 0x1000, 32, 0),
	  { RANGE(L | PTL, 0x1000, 16, 0, 3), RANGE(L | PTL, 0x1010, 16, 0, 3),
	    RANGE(L, 0x1000, 32, 0, 3) } },
	{ "then whole blocks stay folded", K_71,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE) },
	  DO(MPROTECT, 0x1000, 32, 0), { RANGE(L, 0x1000, 32, 0, 3) } },
	{ "a block that the range cuts is unfolded", K_71,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE) },
	  DO(MPROTECT, 0x1008, 24, 0),
	  { RANGE(L | PTL, 0x1000, 16, 0, 3), RANGE(L, 0x1008, 24, 0, 3) } },
	{ "NUMA balancing: a range", K_71, { ANON(0x1000, 64) }, DO(NUMA_HINT, 0x1000, 64, 0),
	  { RANGE(L, 0x1000, 64, 0, 3) } },
	{ "a NUMA hint fault: invalid to valid, nothing", K_71,
	  { ANON(0x1000, 64), DO(NUMA_HINT, 0x1000, 64, 0) }, DO(FAULT, 0x1000, 64, MAPPED), { { 0 } } },
	{ "userfaultfd write-protect: a range", K_71, { ANON(0x1000, 64) }, DO(UFFD_WP, 0x1000, 64, 0),
	  { RANGE(L, 0x1000, 64, 0, 3) } },
	{ "clear_refs of soft-dirty: the ASID", K_71, { ANON(0x1000, 64) }, DO(CLEAR_REFS, 0, 0, 0),
	  { ASID(0) } },

	{ "mremap: per PMD, walk caches too, under both locks; then the old tables", K_71,
	  { ANON(0x1100, 0x180) }, { DVM_TRACE_OP_MREMAP, 0x1100, 0x180, 0, 0x8100, false },
	  { RANGE(PTL, 0x1100, 0x100, 0, ANY), RANGE(PTL, 0x1200, 0x80, 0, ANY),
	    RANGE(FREED, 0x1000, 0x201, 9, ANY) } },
	{ "mremap to an odd place: the destination's PMDs cut too", K_71,
	  { ANON(0x1000, 0x200), ANON(0x1200, 1) },
	  { DVM_TRACE_OP_MREMAP, 0x1000, 0x200, 0, 0x8100, false },
	  { RANGE(PTL, 0x1000, 0x100, 0, ANY), RANGE(PTL, 0x1100, 0x100, 0, ANY),
	    RANGE(FREED, 0x1000, 1, 9, ANY) } },

	{ "reclaim of clean pages: adds, one barrier per batch", K_BATCH_3, { ANON(0x1000, 4) },
	  { DVM_TRACE_OP_RECLAIM, 0x1000, 4, 0, 0, true },
	  { PAGE(NOSYNC | PTL | FOREIGN, 0x1000), PAGE(NOSYNC | PTL | FOREIGN, 0x1001),
	    PAGE(NOSYNC | PTL | FOREIGN, 0x1002), BATCH, PAGE(NOSYNC | PTL | FOREIGN, 0x1003), BATCH } },
	{ "of dirty pages: a barrier before each is written", K_71, { ANON(0x1000, 2) },
	  DO(RECLAIM, 0x1000, 2, DVM_TRACE_D_DIRTY),
	  { PAGE(NOSYNC | PTL, 0x1000), BATCH, PAGE(NOSYNC | PTL, 0x1001), BATCH } },
	{ "without batching: page by page", K_NO_BATCH, { ANON(0x1000, 2) },
	  DO(RECLAIM, 0x1000, 2, 0), { PAGE(PTL, 0x1000), PAGE(PTL, 0x1001) } },
	{ "page migration: the same", K_71, { ANON(0x1000, 2) }, DO(MIGRATE_PAGE, 0x1000, 2, 0),
	  { PAGE(NOSYNC | PTL, 0x1000), PAGE(NOSYNC | PTL, 0x1001), BATCH } },
	{ "of NUMA-hinted pages: no TLB holds them", K_71,
	  { ANON(0x1000, 2), DO(NUMA_HINT, 0x1000, 2, 0) }, DO(MIGRATE_PAGE, 0x1000, 2, 0), { { 0 } } },
	{ "page aging: no barrier at all", K_71, { ANON(0x1000, 2) }, DO(YOUNG_CLEAR, 0x1000, 2, 0),
	  { PAGE(NOSYNC | PTL, 0x1000), PAGE(NOSYNC | PTL, 0x1001) } },
	{ "of a contpte block", K_71,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE) },
	  DO(YOUNG_CLEAR, 0x1010, 16, 0), { RANGE(L | NOSYNC | PTL, 0x1010, 16, 0, 3) } },
	{ "with MGLRU: no flush", K_MGLRU, { ANON(0x1000, 2) }, DO(YOUNG_CLEAR, 0x1000, 2, 0), { { 0 } } },
	{ "mkclean: one flush per dirty mapping", K_71,
	  { MAP(0x1000, 8, MAPPED | DVM_TRACE_D_FILE | DVM_TRACE_D_SHARED),
	    DO(FAULT, 0x1001, 2, MAPPED), DO(FAULT, 0x1003, 1, 0) },
	  { DVM_TRACE_OP_MKCLEAN, 0x1000, 8, 0, 0, true },
	  { PAGE(PTL | FOREIGN, 0x1001), PAGE(PTL | FOREIGN, 0x1002) } },
	{ "KSM: write-protect, then replace", K_71, { ANON(0x1000, 1) },
	  { DVM_TRACE_OP_KSM, 0x1000, 1, 0, 0, true },
	  { PAGE(PTL | FOREIGN, 0x1000), PAGE(PTL | FOREIGN, 0x1000) } },
	{ "a write to a KSM page: COW", K_71, { ANON(0x1000, 1), DO(KSM, 0x1000, 1, 0) },
	  DO(FAULT, 0x1000, 1, MAPPED), { PAGE(PTL, 0x1000) } },

	{ "THP split: stride PMD, level 2, walk caches too", K_71,
	  { MAP(0x2000, 1024, MAPPED | DVM_TRACE_D_THP | DVM_TRACE_D_POPULATE) },
	  DO(THP_SPLIT, 0x2200, 512, 0), { RANGE(PTL, 0x2200, 512, 9, 2) } },
	{ "khugepaged: page stride, level unknown, and an interrupt for lockless walkers", K_71,
	  { MAP(0x2000, 512, MAPPED), DO(FAULT, 0x2000, 64, MAPPED) },
	  { DVM_TRACE_OP_THP_COLLAPSE, 0x2000, 512, 0, 0, true },
	  { RANGE(PTL | FOREIGN, 0x2000, 512, 0, ANY), { DVMI_CALL_WALKERS, 0, 0, 0, 0, 0, ANY } } },
	{ "contpte unfold: the block", K_71,
	  { MAP(0x1000, 32, MAPPED | DVM_TRACE_D_LARGE | DVM_TRACE_D_POPULATE) },
	  DO(CONTPTE, 0x1010, 16, 0), { RANGE(L | PTL, 0x1010, 16, 0, 3) } },
	{ "kernel mappings", K_71, { { 0 } }, DO(KERNEL_MAP, 0x8000, 32, 0),
	  { { DVMI_CALL_KERNEL, DVMI_REQUEST_RANGE, 0, 0x8000, 32, 0, ANY } } },
};
#define CASES ((int)(sizeof(cases) / sizeof(cases[0])))

static struct dvmi_event_rules rules_of(unsigned kernel)
{
	return (struct dvmi_event_rules){
		.flush = { .page_shift = 12, .max_dvm_ops = 512, .range_limit_pages = 2097152 },
		.spurious_local = kernel != K_BEFORE_619,
		.batch = kernel != K_NO_BATCH,
		.pending_mm = kernel != K_BEFORE_619,
		.pt_reclaim = kernel == K_PT_RECLAIM,
		.unshared_walk = kernel != K_OLD_UNSHARE,
		.mglru = kernel == K_MGLRU,
		.contpte = true,
		.contpte_skip = kernel == K_BBML2,
		.contpte_batch = kernel != K_BEFORE_617,
		.gather_pages = kernel == K_SMALL_GATHER ? 40 : 9698,
		.reclaim_batch = kernel == K_BATCH_3 ? 3 : 32,
		.migrate_batch = 32,
	};
}

struct world {
	struct dvmi_mms mms;
	struct dvmi_event_rules rules;
};

static void world_init(struct world *w, unsigned kernel)
{
	ck_assert_int_eq(dvmi_mms_init(&w->mms, NEW + 1, 12), 0);
	w->rules = rules_of(kernel);
}

static void begin(struct dvmi_mm_event *e, const struct op *op, uint32_t mm)
{
	struct dvmi_operation o = { .op = op->op, .mm = mm, .detail = op->detail,
				    .first = op->first, .end = op->first + op->pages, .to = op->to,
				    .foreign = op->foreign,
				    .ending = op->op == DVM_TRACE_OP_FORK || op->op == DVM_TRACE_OP_EXEC };

	dvmi_mm_event_begin(e, &o);
}

static void next(struct world *w, struct dvmi_mm_event *e, struct dvmi_call *call)
{
	ck_assert_int_eq(dvmi_mm_event_next(e, &w->mms, &w->rules, call), 0);
}

/* mm 2 is the child of every fork; OTHER stands for its end. */
static void perform(struct world *w, const struct op *op)
{
	struct dvmi_mm_event e;
	struct dvmi_call call;
	uint64_t pages;

	if (op->op == DVM_TRACE_OP_FORK)
		ck_assert_int_eq(dvmi_mm_event_dup(&w->mms, 1, 2, &pages), 0);
	if (op->op == DVM_TRACE_OP_OTHER)
		ck_assert_int_eq(dvmi_mm_event_drop(&w->mms, 2), 0);
	begin(&e, op, 1);
	do
		next(w, &e, &call);
	while (call.kind != DVMI_CALL_NONE);
}

static void assert_call(const char *name, int number, const struct dvmi_call *call,
			const struct want *want)
{
	const struct dvmi_request *r = &call->request;
	char got[160], expected[160];

	snprintf(got, sizeof(got), "call %d kind %d flags %x first %llx pages %llx stride %u level %u",
		 call->kind, r->kind, r->flags, (unsigned long long)r->start >> 12,
		 (unsigned long long)(r->end - r->start) >> 12,
		 r->stride_shift ? r->stride_shift - 12 : 0, r->level);
	snprintf(expected, sizeof(expected),
		 "call %u kind %u flags %x first %llx pages %llx stride %u level %u", want->call,
		 want->kind, want->flags, (unsigned long long)want->first,
		 (unsigned long long)want->pages, want->stride, want->level);
	ck_assert_msg(!strcmp(got, expected), "%s, call %d:\n got %s\nwant %s", name, number, got,
		      expected);
}

START_TEST(each_event_makes_the_calls_of_its_row)
{
	struct world w;
	struct dvmi_mm_event e;
	struct dvmi_call call;
	int n = 0;

	world_init(&w, cases[_i].kernel);
	for (size_t i = 0; i < 5 && cases[_i].before[i].op; i++)
		perform(&w, &cases[_i].before[i]);
	begin(&e, &cases[_i].op, 1);
	for (next(&w, &e, &call); call.kind != DVMI_CALL_NONE; next(&w, &e, &call), n++)
		assert_call(cases[_i].name, n, &call,
			    n < 6 ? &cases[_i].want[n] : &(struct want){ 0 });
	ck_assert_msg(n == 6 || !cases[_i].want[n].call, "%s: call %d does not come",
		      cases[_i].name, n);
	dvmi_mms_fini(&w.mms);
}
END_TEST

/* A batch that another CPU holds open makes zap, mprotect and mremap flush first. */
START_TEST(an_open_batch_is_flushed_by_whoever_changes_the_mm)
{
	static const struct op before = ANON(0x1000, 64);
	static const struct op ops[] = { DO(MUNMAP, 0x1020, 8, 0), DO(MPROTECT, 0x1020, 8, 0),
					 DO(MADVISE, 0x1020, 8, 0),
					 { DVM_TRACE_OP_MREMAP, 0x1020, 8, 0, 0x9000, false } };
	static const struct op reclaim = { DVM_TRACE_OP_RECLAIM, 0x1000, 4, 0, 0, true };
	struct world w;
	struct dvmi_mm_event other, e;
	struct dvmi_call call;

	for (unsigned old = 0; old < 2; old++) {
		world_init(&w, old ? K_BEFORE_619 : K_71);
		perform(&w, &before);
		begin(&other, &reclaim, 1);
		next(&w, &other, &call); /* one page is added, no barrier yet */
		begin(&e, &ops[_i], 1);
		next(&w, &e, &call);
		if (old) {
			ck_assert_int_eq(call.kind, DVMI_CALL_BATCH);
		} else {
			ck_assert_int_eq(call.request.kind, DVMI_REQUEST_ASID);
			ck_assert_uint_eq(call.request.flags, PTL);
		}
		while (call.kind != DVMI_CALL_NONE)
			next(&w, &e, &call);
		do
			next(&w, &other, &call);
		while (call.kind != DVMI_CALL_NONE);
		begin(&e, &ops[_i], 1);
		ck_assert_uint_eq(w.mms.mms[1].batches, 0);
		dvmi_mms_fini(&w.mms);
	}
}
END_TEST

/* Every row is reached by a case above, or by the test of open batches. */
START_TEST(every_row_of_the_table_is_made_by_some_operation)
{
	bool seen[DVMI_ROWS] = { [DVMI_ROW_PENDING_MM] = true, [DVMI_ROW_PENDING_DSB] = true };
	struct world w;
	struct dvmi_mm_event e;
	struct dvmi_call call;

	for (int c = 0; c < CASES; c++) {
		world_init(&w, cases[c].kernel);
		for (size_t i = 0; i < 5 && cases[c].before[i].op; i++)
			perform(&w, &cases[c].before[i]);
		begin(&e, &cases[c].op, 1);
		for (next(&w, &e, &call); call.kind != DVMI_CALL_NONE; next(&w, &e, &call)) {
			seen[call.id] = true;
			ck_assert(dvmi_era_holds((enum dvmi_era)dvmi_rows[call.id].era, &w.rules));
		}
		dvmi_mms_fini(&w.mms);
	}
	for (int r = 0; r < DVMI_ROWS; r++)
		if (dvmi_rows[r].call != DVMI_CALL_NONE)
			ck_assert_msg(seen[r], "no case for \"%s\"", dvmi_rows[r].event);
}
END_TEST

START_TEST(every_row_has_a_source)
{
	for (int r = 0; r < DVMI_ROWS; r++) {
		ck_assert_ptr_nonnull(dvmi_rows[r].event);
		ck_assert_ptr_nonnull(dvmi_rows[r].source);
	}
}
END_TEST

/* ---- the documentation's table is the code's ---- */

static void row_text(const struct dvmi_row_def *row, char *text, size_t size)
{
	static const char *const kinds[] = { "ASID", "range", "page" };
	const char *call = row->call == DVMI_CALL_NONE ? "none" :
			   row->call == DVMI_CALL_BATCH ? "barrier" :
			   row->call == DVMI_CALL_WALKERS ? "interrupt" :
			   row->call == DVMI_CALL_KERNEL ? "kernel range" : kinds[row->kind];
	bool pages = row->call == DVMI_CALL_FLUSH && row->kind != DVMI_REQUEST_ASID;
	char level[32] = "";

	if (pages && row->stride == DVMI_STRIDE_GATHER)
		snprintf(level, sizeof(level), "; as gathered");
	else if (pages && row->level != DVMI_LEVEL_UNKNOWN)
		snprintf(level, sizeof(level), "%s; level %u",
			 row->stride == DVMI_STRIDE_BLOCK ? "; stride PMD" : "", row->level);
	else if (pages)
		snprintf(level, sizeof(level), "; level unknown");
	snprintf(text, size, "| %s | %s%s%s%s%s%s%s | %s | %s | %s%s |", row->event, call,
		 row->flags & L && pages ? "; leaf" : "", level,
		 row->flags & FREED ? "; tables" : "", row->flags & NOSYNC ? "; no barrier" : "",
		 row->flags & LOCAL ? "; local" : "", row->flags & QUIET ? "; no notifier" : "",
		 row->flags & PTL ? "yes" : "no", dvmi_era_text((enum dvmi_era)row->era), row->source,
		 row->read ? "" : " (recalled)");
}

/* With DVMSIM_PRINT_EVENTS set, print the table of docs/model.md. */
START_TEST(the_documentation_has_every_row)
{
	char text[512];
	FILE *f = fopen(DVMSIM_SOURCE_DIR "/docs/model.md", "r");
	static char page[1 << 18];
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	ck_assert_uint_lt(n, sizeof(page) - 1);
	page[n] = '\0';
	for (int r = 0; r < DVMI_ROWS; r++) {
		row_text(&dvmi_rows[r], text, sizeof(text));
		if (getenv("DVMSIM_PRINT_EVENTS"))
			puts(text);
		else
			ck_assert_msg(strstr(page, text), "docs/model.md lacks this row:\n%s", text);
	}
}
END_TEST

/* ---- against one array element per page ---- */

#define SPAN 4096u /* pages: eight PTE tables */
#define FIRST 0x3f800u /* across the boundary of two PMD tables */

static struct op random_op(struct dvmi_rng *rng)
{
	static const unsigned ops[] = {
		DVM_TRACE_OP_MMAP, DVM_TRACE_OP_MMAP, DVM_TRACE_OP_MUNMAP, DVM_TRACE_OP_FAULT,
		DVM_TRACE_OP_FAULT, DVM_TRACE_OP_FAULT, DVM_TRACE_OP_FORK, DVM_TRACE_OP_OTHER,
		DVM_TRACE_OP_MPROTECT, DVM_TRACE_OP_MADVISE, DVM_TRACE_OP_RECLAIM,
	};
	struct op o = { .op = ops[dvmi_rng_below(rng, sizeof(ops) / sizeof(ops[0]))] };
	uint64_t most = dvmi_rng_below(rng, 2) ? 16 : 700;

	o.first = FIRST + dvmi_rng_below(rng, SPAN - 1);
	o.pages = 1 + dvmi_rng_below(rng, most);
	if (o.first + o.pages > FIRST + SPAN)
		o.pages = FIRST + SPAN - o.first;
	if (o.op != DVM_TRACE_OP_RECLAIM && o.op != DVM_TRACE_OP_MADVISE)
		o.detail = dvmi_rng_below(rng, 3) ? DVM_TRACE_D_WRITE : 0;
	return o;
}

/* The calls of one operation as the reference expects them: the same ones, in order. */
static void compare(struct world *w, struct ref_mm *ref, const struct op *op, unsigned step)
{
	struct ref_calls calls = { .count = 0 };
	struct dvmi_mm_event e;
	struct dvmi_call call;
	size_t n = 0;

	ref_mm_do(ref, op->op, op->first, op->pages, op->detail, &calls);
	begin(&e, op, 1);
	for (next(w, &e, &call); call.kind != DVMI_CALL_NONE; next(w, &e, &call), n++) {
		const struct ref_call *c = &calls.call[n];
		const struct dvmi_request *r = &call.request;

		ck_assert_msg(n < calls.count, "step %u: more calls than the reference's", step);
		ck_assert_msg(c->batch == (call.kind == DVMI_CALL_BATCH) &&
			      (c->batch || (c->kind == r->kind && c->flags == r->flags &&
					    c->first == r->start >> 12 && c->end == r->end >> 12 &&
					    c->level == r->level && c->stride + 12 == r->stride_shift)),
			      "step %u op %u [%llx, +%llx): call %zu: kind %d flags %x [%llx, %llx) level %u"
			      " stride %u, the reference has kind %d flags %x [%llx, %llx) level %u stride"
			      " %u", step, op->op, (unsigned long long)op->first,
			      (unsigned long long)op->pages, n, r->kind, r->flags,
			      (unsigned long long)r->start >> 12, (unsigned long long)r->end >> 12,
			      r->level, r->stride_shift - 12, c->kind, c->flags,
			      (unsigned long long)c->first, (unsigned long long)c->end, c->level, c->stride);
	}
	ck_assert_uint_eq(n, calls.count);
}

START_TEST(random_operations_flush_as_a_plain_page_table_says)
{
	struct dvmi_rng rng;
	struct world w;
	struct ref_mm *ref = ref_mm_new(FIRST, SPAN);
	uint64_t pages;

	dvmi_rng_init(&rng, (uint64_t)_i, 7);
	world_init(&w, K_71);
	for (unsigned s = 0; s < 400; s++) {
		struct op op = random_op(&rng);

		if (op.op == DVM_TRACE_OP_FORK || op.op == DVM_TRACE_OP_OTHER)
			ck_assert_int_eq(dvmi_mm_event_drop(&w.mms, 2), 0);
		if (op.op == DVM_TRACE_OP_FORK)
			ck_assert_int_eq(dvmi_mm_event_dup(&w.mms, 1, 2, &pages), 0);
		compare(&w, ref, &op, s);
		if (s % 8 == 0)
			ref_mm_assert_equal(ref, &w.mms, 1);
	}
	ck_assert_int_eq(dvmi_mm_event_drop(&w.mms, 1), 0);
	ck_assert_int_eq(dvmi_mm_event_drop(&w.mms, 2), 0);
	ck_assert_uint_eq(w.mms.shared.root, 0); /* nothing is mapped any more */
	ck_assert_uint_eq(w.mms.pool.free_count, w.mms.pool.used);
	dvmi_mms_fini(&w.mms);
	ref_mm_free(ref);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "event");

	tcase_add_loop_test(tc, each_event_makes_the_calls_of_its_row, 0, CASES);
	tcase_add_loop_test(tc, an_open_batch_is_flushed_by_whoever_changes_the_mm, 0, 4);
	tcase_add_test(tc, every_row_of_the_table_is_made_by_some_operation);
	tcase_add_test(tc, every_row_has_a_source);
	tcase_add_test(tc, the_documentation_has_every_row);
	tcase_add_loop_test(tc, random_operations_flush_as_a_plain_page_table_says, 0, 40);
}

CHECK_MAIN("event", add_cases)
