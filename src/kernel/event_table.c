/* SPDX-License-Identifier: MIT */
#include "kernel/event.h"

/*
 * Every kind of flush call that memory management makes on arm64, docs/model.md prints this table.
 * "read": the named source, or the commit, was read for the row; the others are from knowledge of
 * the source and were not looked up again.
 */
#define LEAF DVMI_REQUEST_LEAF
#define NOSYNC DVMI_REQUEST_NOSYNC
#define LOCAL DVMI_REQUEST_NOBROADCAST
#define QUIET DVMI_REQUEST_NONOTIFY
#define RELAX DVMI_REQUEST_PERMISSIVE
#define FREED DVMI_REQUEST_FREED_TABLES
#define PTL DVMI_REQUEST_PTL
#define ANY DVMI_LEVEL_UNKNOWN

#define NOTHING(id, name, era, read, source) \
	[id] = { name, DVMI_CALL_NONE, 0, 0, DVMI_STRIDE_PAGE, ANY, era, read, source }
#define WHOLE(id, name, flags, era, read, source) \
	[id] = { name, DVMI_CALL_FLUSH, DVMI_REQUEST_ASID, flags, DVMI_STRIDE_PAGE, ANY, era, read, source }
#define PAGE(id, name, flags, era, read, source) \
	[id] = { name, DVMI_CALL_FLUSH, DVMI_REQUEST_PAGE, LEAF | (flags), DVMI_STRIDE_PAGE, 3, era, \
		 read, source }
#define GATHER(id, name, flags, era, read, source) \
	[id] = { name, DVMI_CALL_FLUSH, DVMI_REQUEST_RANGE, flags, DVMI_STRIDE_GATHER, ANY, era, read, \
		 source }
#define RANGE(id, name, flags, stride, level, era, read, source) \
	[id] = { name, DVMI_CALL_FLUSH, DVMI_REQUEST_RANGE, flags, stride, level, era, read, source }

#define TLB_H "arch/arm64/include/asm/tlb.h tlb_flush(), asm-generic/tlb.h"
#define TLBFLUSH_H "arch/arm64/include/asm/tlbflush.h"

const struct dvmi_row_def dvmi_rows[DVMI_ROWS] = {
	GATHER(DVMI_ROW_ZAP, "munmap, brk shrink, MADV_DONTNEED, truncate: the pages of one VMA", LEAF,
	       DVMI_ERA_ALWAYS, true, TLB_H " tlb_end_vma()"),
	GATHER(DVMI_ROW_ZAP_FULL, "the same, gather batch full", LEAF | PTL, DVMI_ERA_ALWAYS, false,
	       "mm/memory.c zap_pte_range(), mm/mmu_gather.c tlb_next_batch()"),
	GATHER(DVMI_ROW_ZAP_DIRTY, "the same, dirty file-backed pages of one PTE table", LEAF | PTL,
	       DVMI_ERA_ALWAYS, false, "mm/memory.c zap_pte_range(), delayed rmap"),
	GATHER(DVMI_ROW_ZAP_FREES, "MADV_DONTNEED of a whole PTE table", FREED,
	       DVMI_ERA_PT_RECLAIM, false, "mm/pt_reclaim.c"),
	GATHER(DVMI_ROW_TABLES, "munmap, mremap, brk shrink: page tables freed", FREED, DVMI_ERA_ALWAYS, true,
	       TLB_H "; mm/memory.c free_pgd_range()"),
	GATHER(DVMI_ROW_HUGETLB_UNSHARE, "munmap of a shared hugetlb PMD table", 0,
	       DVMI_ERA_UNSHARED_WALK, true, "commit c2ff4764e03e"),
	GATHER(DVMI_ROW_HUGETLB_UNSHARE_LEAF, "munmap of a shared hugetlb PMD table", LEAF,
	       DVMI_ERA_UNSHARED_LEAF, true, "commit c2ff4764e03e, which changed it"),
	GATHER(DVMI_ROW_MADV_FREE, "MADV_FREE", LEAF, DVMI_ERA_ALWAYS, true,
	       "mm/madvise.c madvise_free_single_vma()"),
	GATHER(DVMI_ROW_MADV_COLD, "MADV_COLD", LEAF, DVMI_ERA_ALWAYS, false,
	       "mm/madvise.c madvise_cold_or_pageout_pte_range()"),
	GATHER(DVMI_ROW_OOM_REAP, "oom reaper, one VMA", LEAF, DVMI_ERA_ALWAYS, false,
	       "mm/oom_kill.c __oom_reap_task_mm()"),
	WHOLE(DVMI_ROW_EXIT, "exit_mmap, old mm of execve: tables freed", FREED, DVMI_ERA_ALWAYS, true,
	      "arch/arm64/include/asm/tlb.h tlb_flush(): fullmm"),
	NOTHING(DVMI_ROW_EXIT_EMPTY, "exit_mmap, no table", DVMI_ERA_ALWAYS, true,
		"arch/arm64/include/asm/tlb.h tlb_flush(): fullmm"),
	RANGE(DVMI_ROW_EXEC_STACK, "execve: the stack moves in the new mm", PTL, DVMI_STRIDE_PAGE, ANY,
	      DVMI_ERA_ALWAYS, true, "mm/mremap.c move_page_tables()"),
	GATHER(DVMI_ROW_EXEC_STACK_TABLES, "execve: tables of the stack's old place", FREED,
	       DVMI_ERA_ALWAYS, true, "mm/vma_exec.c relocate_vma_down()"),
	WHOLE(DVMI_ROW_FORK, "fork: the parent", 0, DVMI_ERA_ALWAYS, true, "mm/mmap.c dup_mmap()"),
	NOTHING(DVMI_ROW_FAULT_MAP, "fault that maps a page, anonymous or file", DVMI_ERA_ALWAYS, true,
		"invalid to valid"),
	PAGE(DVMI_ROW_COW, "COW fault with copy (ptrace writes too)", PTL, DVMI_ERA_ALWAYS, true,
	     "mm/memory.c wp_page_copy(): ptep_clear_flush()"),
	PAGE(DVMI_ROW_REUSE_LOCAL, "write fault on an exclusive page, access flag, dirty", LOCAL | RELAX | PTL,
	     DVMI_ERA_SPURIOUS_LOCAL, true, "commit cb1fa2e99955"),
	PAGE(DVMI_ROW_REUSE_BROADCAST, "write fault on an exclusive page, access flag, dirty", RELAX | PTL,
	     DVMI_ERA_SPURIOUS_BROADCAST, true, "commit cb1fa2e99955, which changed it"),
	PAGE(DVMI_ROW_SPURIOUS_LOCAL, "spurious fault", LOCAL | QUIET | RELAX | PTL,
	     DVMI_ERA_SPURIOUS_LOCAL, true, "commit cb1fa2e99955"),
	NOTHING(DVMI_ROW_SPURIOUS_NONE, "spurious fault", DVMI_ERA_SPURIOUS_BROADCAST, false,
		"asm/pgtable.h flush_tlb_fix_spurious_fault(): empty"),
	GATHER(DVMI_ROW_MPROTECT, "mprotect: changed entries of one VMA, upgrades included", LEAF,
	       DVMI_ERA_ALWAYS, true, "mm/mprotect.c change_pte_range()"),
	GATHER(DVMI_ROW_NUMA, "NUMA balancing: hinting entries, own mm", LEAF, DVMI_ERA_ALWAYS, true,
	       "mm/mempolicy.c change_prot_numa()"),
	GATHER(DVMI_ROW_UFFD_WP, "userfaultfd write-protect", LEAF, DVMI_ERA_ALWAYS, false,
	       "mm/userfaultfd.c uffd_wp_range()"),
	WHOLE(DVMI_ROW_CLEAR_REFS, "soft-dirty cleared (clear_refs)", 0, DVMI_ERA_ALWAYS, false,
	      "fs/proc/task_mmu.c clear_refs_write()"),
	RANGE(DVMI_ROW_MREMAP, "mremap: the old place, one PMD at most", PTL, DVMI_STRIDE_PAGE, ANY,
	      DVMI_ERA_ALWAYS, true, "mm/mremap.c move_ptes(), move_normal_pmd()"),
	PAGE(DVMI_ROW_BATCH_ADD, "reclaim unmap, migration unmap: one page", NOSYNC | PTL, DVMI_ERA_BATCH, true,
	     TLBFLUSH_H " arch_tlbbatch_add_pending()"),
	[DVMI_ROW_BATCH_SYNC] = { "reclaim, migration: the batch is complete", DVMI_CALL_BATCH, 0, 0,
				 DVMI_STRIDE_PAGE, ANY, DVMI_ERA_BATCH, true,
				 TLBFLUSH_H " arch_tlbbatch_flush()" },
	PAGE(DVMI_ROW_UNBATCHED, "reclaim unmap, migration unmap: one page", PTL, DVMI_ERA_NO_BATCH, true,
	     "mm/rmap.c ptep_clear_flush()"),
	WHOLE(DVMI_ROW_PENDING_MM, "zap, mprotect, mremap while a batch holds the mm", PTL,
	      DVMI_ERA_PENDING_MM, true, "mm/rmap.c flush_tlb_batched_pending()"),
	[DVMI_ROW_PENDING_DSB] = { "zap, mprotect, mremap while a batch holds the mm", DVMI_CALL_BATCH, 0, PTL,
				  DVMI_STRIDE_PAGE, ANY, DVMI_ERA_PENDING_DSB, true,
				  "20220707125242.425242-5-21cnbao@gmail.com" },
	PAGE(DVMI_ROW_YOUNG, "page aging (young clear)", NOSYNC | PTL, DVMI_ERA_NO_MGLRU, true,
	     "asm/pgtable.h ptep_clear_flush_young()"),
	RANGE(DVMI_ROW_YOUNG_CONT, "page aging of a contpte block", LEAF | NOSYNC | PTL, DVMI_STRIDE_PAGE, 3,
	      DVMI_ERA_NO_MGLRU, false, "arch/arm64/mm/contpte.c"),
	NOTHING(DVMI_ROW_YOUNG_NONE, "page aging (young clear)", DVMI_ERA_MGLRU, false,
		"mm/rmap.c folio_referenced_one(): lru_gen_look_around()"),
	PAGE(DVMI_ROW_MKCLEAN, "write-back mkclean: one dirty mapping", PTL, DVMI_ERA_ALWAYS, true,
	     "mm/rmap.c page_vma_mkclean_one()"),
	PAGE(DVMI_ROW_KSM_PROTECT, "KSM: a writable page is write-protected", PTL, DVMI_ERA_ALWAYS, false,
	     "mm/ksm.c write_protect_page()"),
	PAGE(DVMI_ROW_KSM_REPLACE, "KSM: a page is replaced", PTL, DVMI_ERA_ALWAYS, false,
	     "mm/ksm.c replace_page()"),
	RANGE(DVMI_ROW_THP_SPLIT, "THP split, PMD migration entry", PTL, DVMI_STRIDE_BLOCK, 2,
	      DVMI_ERA_ALWAYS, true, "asm/pgtable.h flush_pmd_tlb_range()"),
	RANGE(DVMI_ROW_THP_COLLAPSE, "khugepaged collapse", PTL, DVMI_STRIDE_PAGE, ANY, DVMI_ERA_ALWAYS, true,
	      "mm/pgtable-generic.c pmdp_collapse_flush()"),
	[DVMI_ROW_WALKERS] = { "khugepaged collapse: lockless walkers", DVMI_CALL_WALKERS, 0, 0,
			      DVMI_STRIDE_PAGE, ANY, DVMI_ERA_ALWAYS, true,
			      "mm/mmu_gather.c tlb_remove_table_sync_one()" },
	RANGE(DVMI_ROW_CONTPTE, "contpte fold, unfold: the block", LEAF | PTL, DVMI_STRIDE_PAGE, 3,
	      DVMI_ERA_CONTPTE_FLUSH, true, "arch/arm64/mm/contpte.c contpte_convert()"),
	NOTHING(DVMI_ROW_CONTPTE_NONE, "contpte fold, unfold: the block", DVMI_ERA_CONTPTE_SKIP, true,
		"arch/arm64/mm/contpte.c contpte_convert()"),
	[DVMI_ROW_KERNEL] = { "kernel vunmap, module and BPF text, set_memory_*", DVMI_CALL_KERNEL,
			     DVMI_REQUEST_RANGE, 0, DVMI_STRIDE_PAGE, ANY, DVMI_ERA_ALWAYS, true,
			     TLBFLUSH_H " flush_tlb_kernel_range()" },
};

static const char *const eras[DVMI_ERAS] = {
	[DVMI_ERA_ALWAYS] = "always",
	[DVMI_ERA_SPURIOUS_LOCAL] = "`spurious_local` (6.19)",
	[DVMI_ERA_SPURIOUS_BROADCAST] = "not `spurious_local`",
	[DVMI_ERA_BATCH] = "`deferred_batch` (6.6)",
	[DVMI_ERA_NO_BATCH] = "not `deferred_batch`",
	[DVMI_ERA_PENDING_MM] = "`batched_pending` is mm",
	[DVMI_ERA_PENDING_DSB] = "`batched_pending` is dsb",
	[DVMI_ERA_PT_RECLAIM] = "`pt_reclaim`",
	[DVMI_ERA_UNSHARED_WALK] = "`unshared_walk` (May 2026)",
	[DVMI_ERA_UNSHARED_LEAF] = "not `unshared_walk`",
	[DVMI_ERA_MGLRU] = "`mglru`",
	[DVMI_ERA_NO_MGLRU] = "not `mglru`",
	[DVMI_ERA_CONTPTE_FLUSH] = "part without `feature.bbml2`, or not `contpte_bbml2`",
	[DVMI_ERA_CONTPTE_SKIP] = "part with `feature.bbml2`, and `contpte_bbml2`",
};

const char *dvmi_era_text(enum dvmi_era era)
{
	return eras[era];
}

bool dvmi_era_holds(enum dvmi_era era, const struct dvmi_event_rules *r)
{
	switch (era) {
	case DVMI_ERA_SPURIOUS_LOCAL:
		return r->spurious_local;
	case DVMI_ERA_SPURIOUS_BROADCAST:
		return !r->spurious_local;
	case DVMI_ERA_BATCH:
		return r->batch;
	case DVMI_ERA_NO_BATCH:
		return !r->batch;
	case DVMI_ERA_PENDING_MM:
		return r->pending_mm;
	case DVMI_ERA_PENDING_DSB:
		return !r->pending_mm;
	case DVMI_ERA_PT_RECLAIM:
		return r->pt_reclaim;
	case DVMI_ERA_UNSHARED_WALK:
		return r->unshared_walk;
	case DVMI_ERA_UNSHARED_LEAF:
		return !r->unshared_walk;
	case DVMI_ERA_MGLRU:
		return r->mglru;
	case DVMI_ERA_NO_MGLRU:
		return !r->mglru;
	case DVMI_ERA_CONTPTE_FLUSH:
		return !r->contpte_skip;
	case DVMI_ERA_CONTPTE_SKIP:
		return r->contpte_skip;
	default:
		return true;
	}
}

/* PTE batching in mprotect(), which keeps whole contpte blocks folded; before, each is unfolded. */
#define MPROTECT_BATCHES 617

void dvmi_event_rules(struct dvmi_event_rules *rules, const struct dvmi_flush_rules *flush,
		      const struct dvmi_kernel_cfg *cfg, const struct dvmi_hw *hw)
{
	*rules = (struct dvmi_event_rules){
		.flush = *flush,
		.spurious_local = cfg->spurious_local,
		/* arch_tlbbatch_should_defer(): not where the old form repeats every TLBI */
		.batch = cfg->deferred_batch &&
			 !(hw->erratum_repeat_tlbi && cfg->repeat_tlbi == DVMI_REPEAT_OLD),
		.pending_mm = cfg->batched_pending == DVMI_PENDING_MM,
		.pt_reclaim = cfg->pt_reclaim,
		.unshared_walk = cfg->unshared_walk,
		.mglru = cfg->mglru,
		.contpte = cfg->contpte,
		.contpte_skip = hw->feature_bbml2 && cfg->contpte_bbml2,
		.contpte_batch = cfg->version >= MPROTECT_BATCHES,
		.gather_pages = cfg->gather_pages,
		.reclaim_batch = cfg->reclaim_batch,
		.migrate_batch = cfg->migrate_batch,
	};
}
