/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_IMPORT_FTRACE_H
#define DVMSIM_TOOLS_IMPORT_FTRACE_H

#include "import.h"
#include "import_tlbi.h"
#include "import_world.h"

/*
 * What the parts of the importer of kernel event traces share: the readers (import_dat.c,
 * import_fttext.c) make events of the input; import_ftkinds.c knows which events mean something;
 * import_ftrace.c and import_ftworld.c say what they mean; import_ftflush.c makes flush requests of
 * TLBIs and calls.
 */
enum ft_id {
	FT_OTHER, /* counted and passed over */
	FT_SILENT, /* known, and known to say nothing more than another event */
	FT_SWITCH, FT_NEXT, FT_CPU_MM, FT_SWITCH_MM, FT_WAKING, FT_WAKEUP, FT_NEWTASK, FT_NEW_TASK,
	FT_MM_INIT, FT_EXEC_MM, FT_EXEC, FT_EXIT, FT_DO_EXIT, FT_EXIT_MMAP, FT_EXIT_MMAP_END, FT_FINISH,
	FT_FAULT, FT_PAGE_FAULT, FT_CLEAR_FLUSH, FT_BATCH_FLUSH, FT_MIGRATE_START, FT_MIGRATE_END,
	FT_SYS_ENTER, FT_SYS_EXIT, FT_TLBI, FT_GATHER, FT_RANGE, FT_PRINT, FT_HOSTNAME,
	FT_PRCTL,
	FT_X86_FLUSH,
};

enum { FT_FIELDS = 9, FT_NAME = 96, FT_KINDS = 4096, FT_SLOTS = 4 * FT_KINDS };

/* One name of event. */
struct ft_kind {
	enum ft_id id;
	const char *fields[FT_FIELDS]; /* by place in ft_event.v; NULL: no more */
	unsigned hex;	  /* bit per field: the text form has no 0x */
	uint8_t op;	  /* FT_SYS_*: the operation; others: the cause of the flush, or 0 */
	uint32_t word;	  /* FT_TLBI: an instruction of this operation */
	bool nosync;	  /* no DSB in the function that has the TLBI */
	bool single;	  /* a function that flushes one page: its TLBIs are requests of their own */
	bool leaf;	  /* FT_RANGE: what the kernel's source says of this caller */
	uint8_t level;
	uint32_t function; /* equal for probes in one function */
	int work;	  /* the work mark it counts for, or -1 */
	uint64_t seen, used;
	char name[FT_NAME]; /* "system:event" or "event" */
};

/* v[] has the fields of the kind, in its order; has is a bit per field that was there. */
struct ft_event {
	uint64_t time_ns, v[FT_FIELDS];
	struct ft_kind *kind;
	int32_t pid, tgid; /* the task that ran; tgid -1: not told */
	uint32_t lost;	   /* events of this CPU that the source lost just before this one */
	uint16_t cpu, has;
	int mark; /* FT_PRINT: the work mark it names, from 1; 0: none */
};

#define FT_MARKS 32

struct ft_work {
	char name[64], event[FT_NAME];
};

struct ft_group {
	bool open, leaf, mixed;
	const struct ft_kind *kind;
	enum tlbi_scope scope;
	uint64_t low, high, last, step, operand, count;
	uint16_t asid;
	uint8_t level;
	size_t at;
	struct world_task *task;
	struct world_mm *mm;
};

struct ft_counts {
	uint64_t events, unknown, lost, tlbis, calls, folded, local, kernel, user, user_mm, user_cause,
		 requests, inferred_mm, resync, rollovers, disagree, filled, x86, x86_used,
		 malformed;
};

struct ft {
	struct world world;
	const struct import_options *opt;
	struct ft_event *events;
	size_t nevents, capacity;
	struct ft_kind **kinds;
	size_t nkinds, kinds_capacity;
	uint16_t slots[FT_SLOTS]; /* of the names: a number of kinds[], from 1 */
	struct { char **names; size_t n, capacity; } functions;
	struct ft_work works[FT_MARKS];
	unsigned nworks;
	int next_mark; /* ft_read_dat(): told by the text before the event */
	bool salvaged;
	struct ft_kind **bindings;
	FILE *input;
	/* what the source says of itself */
	char kernel[128], machine[128], command[512], source[64];
	char *lacks; /* lines */
	size_t lacks_bytes;
	uint64_t page;
	unsigned page_shift, va_bits;
	int tlbi_range, kpti, cnp, repeat; /* -1: not told */
	bool shape; /* no event tells mms: they are made up from forks, execs and thread groups */
	bool tells_batches; /* try_to_unmap_flush() was seen */
	uint64_t last_mm; /* the number of the last mm made up */
	/* of the CPUs and tasks */
	struct ft_cpu {
		struct world_task *pending; /* sched_switch told; which mm it has is to come */
		bool begun;
		int32_t next_pid; /* first pass: sched_switch told */
		struct ft_group group;
		uint64_t about_mm; /* FT_CLEAR_FLUSH: of the next TLBI */
	} *cpus;
	struct ft_task *tasks; /* by pid, what the first pass learned */
	size_t ntasks;
	struct world_mm *asids[65536];
	uint64_t owners[65536]; /* first pass: addresses. An ASID has one owner in a generation. */
	uint64_t generation;
	unsigned marks;
	struct ft_counts counts;
};

/* What the first pass learned of a pid that existed when the trace began. */
struct ft_task {
	int32_t pid, tgid;
	uint64_t mm;
	bool known, user, born;
};

/* ---- import_ftkinds.c ---- */
/* The kind of @name ("event" or "system:event"); made when new. Leaves through nomem. */
struct ft_kind *ft_kind(struct ft *ft, const char *name, size_t length);
/* One more event, with no fields; leaves through nomem. */
struct ft_event *ft_push(struct ft *ft, struct ft_kind *kind);
/* A text of the trace itself: "dvmsim: key=value". */
void ft_about(struct ft *ft, const char *text, size_t length);
/* "dvmsim: mark NAME" -> the number of the mark, or -1. */
int ft_mark(struct ft *ft, const char *text, size_t length);
int ft_error(struct dvm_error *err, int code, const char *where, uint64_t record, const char *fmt,
	     ...);

/* ---- readers; each fills ft->events; -DVM_ETRUNC: they hold what precedes the damage ---- */
int ft_read_dat(struct ft *ft, const char *path, struct dvm_error *err);
int ft_read_text(struct ft *ft, const char *path, struct dvm_error *err);

/* ---- import_ftflush.c ---- */
void ft_close_group(struct ft *ft, unsigned cpu);
void ft_tlbi(struct ft *ft, const struct ft_event *e);
void ft_call(struct ft *ft, const struct ft_event *e);
void ft_x86_flush(struct ft *ft, const struct ft_event *e);

/* ---- import_ftrace.c: what the first pass learned of @pid, or NULL ---- */
struct ft_task *ft_learned(const struct ft *ft, int32_t pid);

/* ---- import_ftworld.c ---- */
#define FT_KEY(pid) (((uint64_t)(uint32_t)(pid) + 1) << 4) /* instead of a task's address */
struct world_mm *ft_mm(struct ft *ft, uint64_t address); /* made as existing before; 0: NULL */
struct world_mm *ft_nameless_mm(struct ft *ft); /* one of which only the ASID is known */
struct world_task *ft_task(struct ft *ft, int32_t pid, unsigned cpu); /* pid 0: @cpu's idle task */
struct world_task *ft_current(struct ft *ft, unsigned cpu);
uint8_t ft_know_fault(struct ft *ft, struct world_task *t, uint8_t op);
void ft_end_all(struct ft *ft, unsigned cpu);
void ft_end_op(struct ft *ft, unsigned cpu, uint8_t op);
void ft_begin_fault(struct ft *ft, unsigned cpu, struct world_mm *mm, uint64_t va, bool user);
void ft_begin_call(struct ft *ft, const struct ft_event *e);
void ft_count_work(struct ft *ft, unsigned cpu, uint32_t which, uint64_t amount);
void ft_on_mm_init(struct ft *ft, const struct ft_event *e);
void ft_on_new_task(struct ft *ft, unsigned cpu, int32_t pid, unsigned flags);
void ft_exec_to(struct ft *ft, unsigned cpu, struct world_mm *mm);
void ft_on_exec(struct ft *ft, const struct ft_event *e);
void ft_on_exit(struct ft *ft, unsigned cpu);
void ft_on_exit_mmap(struct ft *ft, const struct ft_event *e);
void ft_on_exit_mmap_end(struct ft *ft, unsigned cpu);

/* ---- import_ftheader.c ---- */
int ft_make_trace(struct ft *ft, struct dvm_trace **trace, struct dvm_error *err);
void ft_report(const struct ft *ft, FILE *f);

#endif
