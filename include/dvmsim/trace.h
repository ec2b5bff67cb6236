/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TRACE_H
#define DVMSIM_TRACE_H

#include <dvmsim/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A trace is what the CPUs of one system did to their address spaces: which task ran where, what it
 * executed, which flushes it asked for and why. docs/trace-format.md specifies the file; this header
 * specifies the meaning.
 *
 * Replay contract. Each CPU executes its own records in the order they have in the trace. The only
 * time that passes by itself is what RUN and SLEEP say; everything else takes the time the simulated
 * machine needs for it. time_ns is the clock of the source: information, never a schedule, because a
 * faster flush moves everything after it. A CPU waits in three places only:
 *
 * - SWITCH waits until the wake-up @id was executed (WAKE with the same id on another CPU, or
 *   earlier on this one), until every earlier SWITCH of the trace to its task was executed and the
 *   task was switched out again, and until its TASK_NEW was executed;
 * - MIGRATE waits for nothing: the SWITCH that follows it does;
 * - SLEEP waits for its own length.
 *
 * State that existed when the trace begins is given by records flagged INITIAL. They precede all
 * others of their CPU and take no time.
 */

/** Limits. A file that exceeds one is refused with -DVM_ELIMIT. */
#define DVM_TRACE_MAX_CPUS 8192u
#define DVM_TRACE_MAX_TASKS (1u << 24) /* task and mm ids are from 1 up to this */
#define DVM_TRACE_MAX_RECORDS (UINT64_C(1) << 28)
#define DVM_TRACE_MAX_ACCESSES (UINT64_C(1) << 32)
#define DVM_TRACE_MAX_MARKS 256u
#define DVM_TRACE_MAX_QUEUES (1u << 20) /* queues of work are from 1 up to this */
#define DVM_TRACE_MAX_HEADER_BYTES (1u << 20)

/**
 * enum dvm_trace_kind - what a record says. Fields not named for a kind are 0.
 * @DVM_TRACE_TASK_NEW:    @task starts to exist, with @mm (0: kernel thread) and parent task @id
 *                         (0: unknown); flags THREAD (shares its parent's mm), KTHREAD, INITIAL
 * @DVM_TRACE_TASK_EXIT:   @task ends; the SWITCH that takes it off its CPU may follow
 * @DVM_TRACE_MM_NEW:      @mm starts to exist; @id = parent mm it was copied from, 0 for an empty
 *                         one; flag INITIAL
 * @DVM_TRACE_MM_EXIT:     @mm is torn down; no flush of it may follow
 * @DVM_TRACE_EXEC:        @task goes on with the new @mm
 * @DVM_TRACE_SWITCH:      @task (0: idle) is switched in; @mm = its mm, 0 for a kernel thread and
 *                         idle, which keep the mm that was active (lazy TLB); @id = wake-up to wait
 *                         for, 0: none; flags INITIAL, INFERRED
 * @DVM_TRACE_MIGRATE:     @task moves from CPU @id to CPU @target; stands in the stream of the CPU
 *                         it moves to, before the SWITCH
 * @DVM_TRACE_WAKE:        the CPU wakes @task (0: unknown), to run on CPU @target; @id = wake-up
 *                         number, unique in the trace, from 1; flag INFERRED
 * @DVM_TRACE_RUN:         @task (0: idle) executed @amount instructions since the last record of
 *                         this CPU; with flag TIME, @amount is nanoseconds instead
 * @DVM_TRACE_SLEEP:       the CPU is idle for @amount nanoseconds: a timer, a device, or an unknown
 *                         waker; flag INFERRED
 * @DVM_TRACE_OP_BEGIN:    @task begins operation @op on @mm, [@va, @va + @amount) bytes; flag MODELLED
 * @DVM_TRACE_OP_END:      the operation of the last OP_BEGIN of @task ends; flag INFERRED when the
 *                         source does not record ends
 * @DVM_TRACE_FLUSH:       @task asks for a flush of @mm: @request, @amount pages from @va,
 *                         @stride_shift, @level (4: unknown), @op = cause; flags LEAF, NOSYNC,
 *                         NOBROADCAST, NONOTIFY, FREED_TABLES, FOREIGN, FULLMM
 * @DVM_TRACE_BATCH_FLUSH: @task completes the FLUSH records with NOSYNC that it made before; those
 *                         with cause YOUNG_CLEAR need none
 * @DVM_TRACE_ACCESS_RUN:  @task makes accesses number [@va, @va + @amount) of the trace's array
 * @DVM_TRACE_MARK:        work done: @amount more of the mark number @id (dvm_trace_mark_name())
 * @DVM_TRACE_LOST:        the source lost @amount events of this CPU here
 * @DVM_TRACE_THINK:       @task sleeps for @amount nanoseconds; its CPU is free for others
 * @DVM_TRACE_UNIT_BEGIN:  @task begins a work unit, from which its latency counts; the answer is to go
 *                         to queue @id (0: there is none)
 * @DVM_TRACE_UNIT_END:    the work unit that @task works on is done: one more of the mark @id, with
 *                         its latency
 * @DVM_TRACE_PUT:         @task puts the work unit it works on into queue @id, for whoever gets it; 0:
 *                         into the queue that the unit's beginning named, as the answer
 * @DVM_TRACE_GET:         @task takes the oldest work unit from queue @id and works on it; while the
 *                         queue is empty, it sleeps
 * @DVM_TRACE_ARRIVE:      a work unit begins and is put into queue @id by an interrupt of this CPU,
 *                         @amount nanoseconds after the run began; flag INITIAL
 * @DVM_TRACE_LOOP:        @task goes on with its record @amount before this one. When nothing else is
 *                         left to do, a task that loops and waits in a GET is done
 *
 * The kinds from THINK on have a meaning only where a scheduler places tasks: DVM_SIM_SIMULATED.
 */
enum dvm_trace_kind {
	DVM_TRACE_TASK_NEW = 1,
	DVM_TRACE_TASK_EXIT,
	DVM_TRACE_MM_NEW,
	DVM_TRACE_MM_EXIT,
	DVM_TRACE_EXEC,
	DVM_TRACE_SWITCH,
	DVM_TRACE_MIGRATE,
	DVM_TRACE_WAKE,
	DVM_TRACE_RUN,
	DVM_TRACE_SLEEP,
	DVM_TRACE_OP_BEGIN,
	DVM_TRACE_OP_END,
	DVM_TRACE_FLUSH,
	DVM_TRACE_BATCH_FLUSH,
	DVM_TRACE_ACCESS_RUN,
	DVM_TRACE_MARK,
	DVM_TRACE_LOST,
	DVM_TRACE_THINK,
	DVM_TRACE_UNIT_BEGIN,
	DVM_TRACE_UNIT_END,
	DVM_TRACE_PUT,
	DVM_TRACE_GET,
	DVM_TRACE_ARRIVE,
	DVM_TRACE_LOOP,
	DVM_TRACE_KINDS /* one more than the last */
};

/** enum dvm_trace_flag - bits of dvm_trace_record.flags; FREED_TABLES to FULLMM are of FLUSH. */
enum dvm_trace_flag {
	DVM_TRACE_F_INITIAL = 1 << 0,  /* state that existed when the trace begins */
	DVM_TRACE_F_INFERRED = 1 << 1, /* not recorded by the source; the header says how it came about */
	DVM_TRACE_F_THREAD = 1 << 2,
	DVM_TRACE_F_KTHREAD = 1 << 3,
	DVM_TRACE_F_TIME = 1 << 4,
	DVM_TRACE_F_LEAF = 1 << 5,	  /* only last-level entries are invalidated */
	DVM_TRACE_F_NOSYNC = 1 << 6,	  /* no completing DSB of its own; a BATCH_FLUSH follows */
	DVM_TRACE_F_NOBROADCAST = 1 << 7, /* local TLBI in every strategy */
	DVM_TRACE_F_NONOTIFY = 1 << 8,	  /* no MMU notifier (SMMU, KVM) */
	DVM_TRACE_F_FREED_TABLES = 1 << 9,
	DVM_TRACE_F_FOREIGN = 1 << 10, /* asked for by a task that does not own the mm */
	DVM_TRACE_F_FULLMM = 1 << 11,  /* the whole address space goes away (exit, exec) */
	DVM_TRACE_F_MODELLED = 1 << 12, /* OP_BEGIN: its work is not in RUN records; the part's
					   kernel costs are charged for it */
	DVM_TRACE_F_SIMULATED = 1 << 13, /* OP_BEGIN and OP_END: its flushes are not in the trace; the
					    simulated kernel makes them, by its configuration */
	DVM_TRACE_F_SME = 1 << 14, /* TASK_NEW: uses SME in user mode */
};

/**
 * enum dvm_trace_detail - bits of dvm_trace_record.id of an OP_BEGIN flagged SIMULATED. MREMAP has
 * none: there @id is the distance to the new place in pages, a signed number of 32 bits.
 */
enum dvm_trace_detail {
	DVM_TRACE_D_WRITE = 1 << 0,    /* MMAP, MPROTECT: writable; FAULT: a write */
	DVM_TRACE_D_NONE = 1 << 1,     /* MMAP, MPROTECT: no access */
	DVM_TRACE_D_FILE = 1 << 2,     /* MMAP: of a file; otherwise anonymous */
	DVM_TRACE_D_SHARED = 1 << 3,   /* MMAP: MAP_SHARED */
	DVM_TRACE_D_HUGETLB = 1 << 4,  /* MMAP: of huge pages (one PMD each) */
	DVM_TRACE_D_THP = 1 << 5,      /* MMAP: faults map whole PMDs where they fit */
	DVM_TRACE_D_LARGE = 1 << 6,    /* MMAP: faults map contpte blocks where the kernel has them */
	DVM_TRACE_D_POPULATE = 1 << 7, /* MMAP: every page is mapped at once */
	DVM_TRACE_D_FREE = 1 << 8,     /* MADVISE: MADV_FREE; without one of these MADV_DONTNEED */
	DVM_TRACE_D_COLD = 1 << 9,     /* MADVISE: MADV_COLD */
	DVM_TRACE_D_PAGEOUT = 1 << 10, /* MADVISE: MADV_PAGEOUT */
	DVM_TRACE_D_DIRTY = 1 << 11,   /* RECLAIM, PAGEOUT: each page is written out by itself */
	DVM_TRACE_D_SHIFT = 1 << 12,   /* EXEC, on its OP_END: the new stack moves (ASLR) */
	DVM_TRACE_D_ALL = (1 << 13) - 1,
};

/** enum dvm_trace_request - what a FLUSH asks for. KERNEL and ALL belong to no mm. */
enum dvm_trace_request {
	DVM_TRACE_REQ_NONE,
	DVM_TRACE_REQ_ASID,   /* everything of the mm; va and amount are 0 */
	DVM_TRACE_REQ_RANGE,  /* a range of user pages */
	DVM_TRACE_REQ_PAGE,   /* one user page (flush_tlb_page) */
	DVM_TRACE_REQ_KERNEL, /* a range of kernel pages */
	DVM_TRACE_REQ_ALL,    /* every entry of every CPU */
	DVM_TRACE_REQUESTS
};

/** enum dvm_trace_op - a memory-management operation, or the cause of a flush. */
enum dvm_trace_op {
	DVM_TRACE_OP_NONE,
	DVM_TRACE_OP_FORK,
	DVM_TRACE_OP_EXEC,
	DVM_TRACE_OP_EXIT,
	DVM_TRACE_OP_MMAP,
	DVM_TRACE_OP_MUNMAP,
	DVM_TRACE_OP_MPROTECT,
	DVM_TRACE_OP_MADVISE,
	DVM_TRACE_OP_MREMAP,
	DVM_TRACE_OP_BRK,
	DVM_TRACE_OP_FAULT,	     /* a fault whose kind is not known */
	DVM_TRACE_OP_FAULT_ANON,
	DVM_TRACE_OP_FAULT_FILE,
	DVM_TRACE_OP_FAULT_COW,
	DVM_TRACE_OP_FAULT_WP_REUSE, /* write fault on an exclusively owned page, access flag, dirty */
	DVM_TRACE_OP_FAULT_SPURIOUS,
	DVM_TRACE_OP_RECLAIM,
	DVM_TRACE_OP_MIGRATE_PAGE,
	DVM_TRACE_OP_YOUNG_CLEAR,
	DVM_TRACE_OP_CONTPTE,
	DVM_TRACE_OP_THP_SPLIT,
	DVM_TRACE_OP_THP_COLLAPSE,
	DVM_TRACE_OP_KERNEL_MAP,     /* vmalloc, fixmap, module mappings */
	DVM_TRACE_OP_ROLLOVER,	     /* ASID rollover */
	DVM_TRACE_OP_OTHER,
	DVM_TRACE_OP_NUMA_HINT,	     /* NUMA balancing takes access away, to see who uses a page */
	DVM_TRACE_OP_MKCLEAN,	     /* write-back makes dirty mappings clean and read-only */
	DVM_TRACE_OP_KSM,	     /* pages are replaced by a shared one */
	DVM_TRACE_OP_UFFD_WP,	     /* userfaultfd write-protection */
	DVM_TRACE_OP_CLEAR_REFS,     /* /proc/PID/clear_refs, soft-dirty */
	DVM_TRACE_OP_PTRACE,	     /* another process writes (ptrace, process_vm_writev) */
	DVM_TRACE_OP_OOM_REAP,
	DVM_TRACE_OP_SVA_BIND,	     /* a device shares the address space */
	DVM_TRACE_OP_SVA_UNBIND,
	DVM_TRACE_OPS
};

/** DVM_TRACE_LEVEL_UNKNOWN - level of a FLUSH that gives no hint (TTL 0). */
#define DVM_TRACE_LEVEL_UNKNOWN 4

/**
 * struct dvm_trace_record - one record; 48 bytes; what a field means depends on @kind.
 * @time_ns:      source clock; information only
 * @va:           start address, or index of the first access
 * @amount:       instructions, nanoseconds, bytes, pages, accesses or counts, by kind
 * @task:         task id, from 1, never reused; 0 = idle
 * @mm:           mm id, from 1, never reused; 0 = none
 * @id:           parent, CPU, wake-up or mark number, by kind
 * @cpu:          CPU whose stream this record belongs to, below the header's ncpus
 * @target:       target CPU of WAKE and MIGRATE
 * @flags:        enum dvm_trace_flag
 * @kind:         enum dvm_trace_kind
 * @op:           enum dvm_trace_op
 * @request:      enum dvm_trace_request
 * @level:        0 to 3, or DVM_TRACE_LEVEL_UNKNOWN
 * @stride_shift: log2 of the bytes between two operands, 12 to 39; 0 where it has no meaning
 * @reserved:     0
 */
struct dvm_trace_record {
	uint64_t time_ns;
	uint64_t va;
	uint64_t amount;
	uint32_t task;
	uint32_t mm;
	uint32_t id;
	uint16_t cpu;
	uint16_t target;
	uint16_t flags;
	uint8_t kind;
	uint8_t op;
	uint8_t request;
	uint8_t level;
	uint8_t stride_shift;
	uint8_t reserved;
};

/*
 * One memory access, 8 bytes: VA[47:0], a write, an instruction fetch. Addresses are user
 * addresses (VA[63:48] = 0).
 */
#define DVM_TRACE_ACCESS_VA ((UINT64_C(1) << 48) - 1)
#define DVM_TRACE_ACCESS_WRITE (UINT64_C(1) << 48)
#define DVM_TRACE_ACCESS_FETCH (UINT64_C(1) << 49)

/**
 * struct dvm_trace_env - the numbers of the header, for programs.
 * @ncpus:       CPUs of the source, from 1
 * @page_bytes:  4096, 16384 or 65536
 * @va_bits:     user address width, 36 to 52
 * @tlbi_range:  the source's kernel used range TLBI
 * @kpti:        kernel page-table isolation was on (two TLBIs per user operand)
 * @cnp:         TTBR.CnP was set
 * @repeat_tlbi: the repeated-TLBI erratum workaround was on (its dummies are not in the trace)
 * @nmarks:      number of work-mark names
 */
struct dvm_trace_env {
	uint32_t ncpus;
	uint32_t page_bytes;
	uint32_t va_bits;
	bool tlbi_range;
	bool kpti;
	bool cnp;
	bool repeat_tlbi;
	uint32_t nmarks;
};

/** struct dvm_trace - a trace in memory; opaque. One writer, or any number of readers. */
struct dvm_trace;

/**
 * dvm_trace_new() - an empty trace.
 * @header: JSON text, one object; see docs/trace-format.md for its keys. "format"
 *          ("dvmsim.trace/1"), "source", "ncpus", "page_bytes" and "va_bits" are required.
 *          Unknown and duplicate keys are errors.
 * @trace:  out, freed by the caller with dvm_trace_free()
 * @err:    out on failure; may be NULL
 *
 * Return: 0, -DVM_EFORMAT (err names the key), -DVM_ELIMIT or -DVM_ENOMEM.
 */
DVM_API int dvm_trace_new(const char *header, struct dvm_trace **trace, struct dvm_error *err);

/** dvm_trace_free() - NULL is allowed. Everything borrowed from @trace becomes invalid. */
DVM_API void dvm_trace_free(struct dvm_trace *trace);

/**
 * dvm_trace_set_header() - replace the header; records are kept.
 *
 * Return: as dvm_trace_new(), or -DVM_EINVAL when a record refers to a CPU or a mark that the new
 * header does not have. @trace is unchanged on failure.
 */
DVM_API int dvm_trace_set_header(struct dvm_trace *trace, const char *header,
				 struct dvm_error *err);

/** dvm_trace_header() - the header as canonical JSON text (fixed key order); borrowed. */
DVM_API const char *dvm_trace_header(const struct dvm_trace *trace);

/** dvm_trace_env() - the header's numbers; borrowed, never NULL. */
DVM_API const struct dvm_trace_env *dvm_trace_get_env(const struct dvm_trace *trace);

/** dvm_trace_mark_name() - name of work mark @mark ("forks"), or NULL; borrowed. */
DVM_API const char *dvm_trace_mark_name(const struct dvm_trace *trace, uint32_t mark);

/**
 * dvm_trace_append() - append a copy of @count records.
 *
 * Each record is checked by itself (known kind, CPU below ncpus, only the flags and fields of its
 * kind, accesses that exist); dvm_trace_validate() checks how records fit together.
 *
 * Return: 0, -DVM_EINVAL (err->record is the index in @records; none was appended), -DVM_ELIMIT,
 * -DVM_ENOMEM.
 */
DVM_API int dvm_trace_append(struct dvm_trace *trace, const struct dvm_trace_record *records,
			     size_t count, struct dvm_error *err);

/** dvm_trace_append_accesses() - append a copy of @count accesses; -DVM_EINVAL on unknown bits. */
DVM_API int dvm_trace_append_accesses(struct dvm_trace *trace, const uint64_t *accesses,
				      size_t count, struct dvm_error *err);

/** dvm_trace_records() - all records, in order; borrowed until the next append. @count is out. */
DVM_API const struct dvm_trace_record *dvm_trace_records(const struct dvm_trace *trace,
							 size_t *count);

/** dvm_trace_accesses() - all accesses; borrowed until the next append. @count is out. */
DVM_API const uint64_t *dvm_trace_accesses(const struct dvm_trace *trace, size_t *count);

/**
 * struct dvm_trace_ids - highest ids in use: arrays indexed by id need one element more.
 * @tasks, @mms, @wakes, @queues: highest task, mm, wake-up and queue number; 0 when there is none
 */
struct dvm_trace_ids {
	uint32_t tasks;
	uint32_t mms;
	uint32_t wakes;
	uint32_t queues;
};

/** dvm_trace_get_ids() - highest ids of @trace; kept while appending, so this is O(1). */
DVM_API struct dvm_trace_ids dvm_trace_get_ids(const struct dvm_trace *trace);

/** dvm_trace_hash() - 64 bits naming the content (header, records, accesses); not a defence. */
DVM_API uint64_t dvm_trace_hash(const struct dvm_trace *trace);

/** enum dvm_trace_load_flag - how dvm_trace_load() treats damage. */
enum dvm_trace_load_flag {
	DVM_TRACE_LOAD_SALVAGE = 1, /* give what precedes the damage */
};

/**
 * dvm_trace_load() - read a binary trace.
 * @path:  file; "-" is not special
 * @flags: 0 or DVM_TRACE_LOAD_SALVAGE
 * @trace: out, freed by the caller with dvm_trace_free()
 * @err:   out on failure; may be NULL
 *
 * Return: 0; -DVM_ETRUNC when the file is damaged or ends early after a whole header, err says
 * where, and with LOAD_SALVAGE *@trace holds the records up to the last good chunk (this is the one
 * case in which @trace is written although an error is returned); -DVM_EFORMAT, -DVM_ELIMIT,
 * -DVM_ENOENT, -DVM_EIO, -DVM_ENOMEM otherwise.
 */
DVM_API int dvm_trace_load(const char *path, unsigned flags, struct dvm_trace **trace,
			   struct dvm_error *err);

/**
 * dvm_trace_save() - write a binary trace: the file appears whole or not at all.
 *
 * Return: 0, -DVM_EIO or -DVM_ENOMEM.
 */
DVM_API int dvm_trace_save(const struct dvm_trace *trace, const char *path, struct dvm_error *err);

/** struct dvm_trace_reader - a binary trace read chunk by chunk, in bounded memory; opaque. */
struct dvm_trace_reader;

/** dvm_trace_reader_open() - open @path and read its header; errors as dvm_trace_load(). */
DVM_API int dvm_trace_reader_open(const char *path, struct dvm_trace_reader **reader,
				  struct dvm_error *err);

/** dvm_trace_reader_header() - the header as canonical JSON text; borrowed. */
DVM_API const char *dvm_trace_reader_header(const struct dvm_trace_reader *reader);

/**
 * struct dvm_trace_chunk - what one call of dvm_trace_reader_next() yields: one of the two arrays.
 * @records, @nrecords:   records, borrowed until the next call
 * @accesses, @naccesses: accesses, borrowed until the next call
 */
struct dvm_trace_chunk {
	const struct dvm_trace_record *records;
	size_t nrecords;
	const uint64_t *accesses;
	size_t naccesses;
};

/**
 * dvm_trace_reader_next() - the next chunk.
 *
 * Return: 1 and *@chunk; 0 after the last chunk, when the totals agreed; or an error as
 * dvm_trace_load(). After an error every further call returns the same error.
 */
DVM_API int dvm_trace_reader_next(struct dvm_trace_reader *reader, struct dvm_trace_chunk *chunk,
				  struct dvm_error *err);

/** dvm_trace_reader_close() - NULL is allowed. */
DVM_API void dvm_trace_reader_close(struct dvm_trace_reader *reader);

/** struct dvm_trace_writer - a binary trace written chunk by chunk, in bounded memory; opaque. */
struct dvm_trace_writer;

/** dvm_trace_writer_open() - begin to write @path (through a temporary file beside it). */
DVM_API int dvm_trace_writer_open(const char *path, const char *header,
				  struct dvm_trace_writer **writer, struct dvm_error *err);

/** dvm_trace_writer_append() - as dvm_trace_append(), to the file. */
DVM_API int dvm_trace_writer_append(struct dvm_trace_writer *writer,
				    const struct dvm_trace_record *records, size_t count,
				    struct dvm_error *err);

/** dvm_trace_writer_append_accesses() - as dvm_trace_append_accesses(), to the file. */
DVM_API int dvm_trace_writer_append_accesses(struct dvm_trace_writer *writer,
					     const uint64_t *accesses, size_t count,
					     struct dvm_error *err);

/** dvm_trace_writer_commit() - write the end, put the file in place and free @writer, always. */
DVM_API int dvm_trace_writer_commit(struct dvm_trace_writer *writer, struct dvm_error *err);

/** dvm_trace_writer_abort() - leave nothing behind and free @writer; NULL is allowed. */
DVM_API void dvm_trace_writer_abort(struct dvm_trace_writer *writer);

/**
 * dvm_trace_print_text() - the text form; dvm_trace_parse_text() of it gives an equal trace.
 * @text, @size: out, NUL-terminated, freed by the caller with dvm_trace_text_free()
 */
DVM_API int dvm_trace_print_text(const struct dvm_trace *trace, char **text, size_t *size,
				 struct dvm_error *err);

/** dvm_trace_text_free() - free what dvm_trace_print_text() gave; NULL is allowed. */
DVM_API void dvm_trace_text_free(char *text);

/**
 * dvm_trace_parse_text() - read the text form.
 * @name: what to call the input in errors
 *
 * Return: 0, -DVM_EFORMAT with line and column, -DVM_ELIMIT, -DVM_ENOMEM.
 */
DVM_API int dvm_trace_parse_text(const char *name, const char *text, size_t size,
				 struct dvm_trace **trace, struct dvm_error *err);

/** Names as the text form writes them ("flush", "range", "munmap", "leaf"); NULL beyond the end. */
DVM_API const char *dvm_trace_kind_name(unsigned kind);
DVM_API const char *dvm_trace_request_name(unsigned request);
DVM_API const char *dvm_trace_op_name(unsigned op);
DVM_API const char *dvm_trace_flag_name(unsigned bit);

/**
 * struct dvm_trace_info - what a trace holds, counted.
 * @records, @accesses:   totals
 * @kinds:                records by kind
 * @tasks, @threads, @kthreads, @mms: of them, those the trace names; INITIAL ones included
 * @flushes:              FLUSH records of an mm (requests ASID, RANGE, PAGE)
 * @requests:             FLUSH records by request
 * @causes:               FLUSH records by cause
 * @flushed_pages:        sum of the pages of RANGE and PAGE flushes
 * @one_cpu_so_far:       flushes of an mm that had run on at most one CPU since the trace began
 * @one_cpu_ever:         flushes of an mm that runs on at most one CPU in the whole trace
 * @own_cpu_so_far:       of one_cpu_so_far, those executed on that very CPU
 * @foreign:              flushes flagged FOREIGN
 * @switches, @migrations, @wakes, @inferred_wakes: of them
 * @run_insns, @run_ns, @sleep_ns: sums of RUN without TIME, RUN with TIME, and SLEEP, all CPUs
 * @first_ns, @last_ns:   source clock of the first and the last record
 * @marks:                work marks by number
 */
struct dvm_trace_info {
	uint64_t records, accesses;
	uint64_t kinds[DVM_TRACE_KINDS];
	uint64_t tasks, threads, kthreads, mms;
	uint64_t flushes;
	uint64_t requests[DVM_TRACE_REQUESTS];
	uint64_t causes[DVM_TRACE_OPS];
	uint64_t flushed_pages;
	uint64_t one_cpu_so_far, one_cpu_ever, own_cpu_so_far, foreign;
	uint64_t switches, migrations, wakes, inferred_wakes;
	uint64_t run_insns, run_ns, sleep_ns;
	uint64_t first_ns, last_ns;
	uint64_t marks[DVM_TRACE_MAX_MARKS];
};

/** dvm_trace_get_info() - count; 0 or -DVM_ENOMEM. */
DVM_API int dvm_trace_get_info(const struct dvm_trace *trace, struct dvm_trace_info *info,
			       struct dvm_error *err);

/**
 * dvm_trace_validate() - check that the records fit together.
 *
 * Rules, in docs/trace-format.md: tasks and mms exist when they are used and are not born twice; a
 * task is on one CPU at a time; a SWITCH names the mm its task has; time does not go back on a CPU;
 * wake-ups are numbered once and every wait has its WAKE, earlier in the trace; operations nest;
 * a NOSYNC flush is completed; a flush without FOREIGN is of the mm of the task that runs there.
 *
 * Return: 0; -DVM_EFORMAT, err->record is the first offending record; -DVM_ENOMEM.
 */
DVM_API int dvm_trace_validate(const struct dvm_trace *trace, struct dvm_error *err);

/**
 * dvm_trace_replicate() - @copies of a trace side by side on disjoint CPUs.
 * @trace:      source
 * @copies:     from 1; CPUs, tasks, mms and wake-ups of copy k are those of the source plus k times
 *              the source's ncpus and highest ids
 * @stagger_ns: copy k sleeps k * @stagger_ns before its first record, so that copies are not in step
 * @out:        freed by the caller with dvm_trace_free(); accesses are stored once
 *
 * Records are ordered by source record, then copy. Work marks are the source's: their sum over all
 * copies is the work done.
 *
 * Return: 0, -DVM_EINVAL (copies is 0), -DVM_ELIMIT (more than DVM_TRACE_MAX_REPLICATED records, or
 * a limit on CPUs or ids), -DVM_ENOMEM.
 */
#define DVM_TRACE_MAX_REPLICATED (UINT64_C(1) << 25) /* 1.5 GiB */
DVM_API int dvm_trace_replicate(const struct dvm_trace *trace, uint32_t copies,
				uint64_t stagger_ns, struct dvm_trace **out,
				struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
