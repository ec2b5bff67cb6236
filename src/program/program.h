/* SPDX-License-Identifier: MIT */
#ifndef DVMI_PROGRAM_PROGRAM_H
#define DVMI_PROGRAM_PROGRAM_H

#include <dvmsim/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A strategy program in the one form that is timed and checked. It is built by the parser (parse.h)
 * or by hand, passes dvmi_program_check(), and never changes afterwards: any number of machines and
 * threads may run it at once.
 *
 * A machine runs a hook like this:
 *
 *	dvmi_frame_start(&f, program, DVMI_HOOK_FLUSH);
 *	while ((insn = dvmi_frame_next(&f, &env))) {
 *		... charge time, or let other CPUs act; then do what insn says, reading operands
 *		    with dvmi_frame_value(&f, &insn->src[i], &env) ...
 *		dvmi_frame_result(&f, value, &env);
 *	}
 *
 * The frame is plain data without pointers or padding: copy it with memcpy, hash its bytes. What
 * the machine knows and may change between two steps (the CPU the task is on now, the storage of
 * mask registers) is in struct dvmi_prog_env.
 */

/* Limits of one program; the parser names them in its errors. */
enum {
	DVMI_TEXT_MAX = 65536, /* bytes of source */
	DVMI_INSNS_MAX = 1024,
	DVMI_WORDS_MAX = 32,
	DVMI_LABELS_MAX = 256,
	DVMI_CONSTS_MAX = 64,
	DVMI_REGS = 12,	     /* scalar registers */
	DVMI_MASK_REGS = 4,  /* CPU-mask registers */
	DVMI_NAME = 32,	     /* bytes of a name, with the NUL */
	DVMI_QUARANTINE_MAX = 1000, /* ticks */
	DVMI_CPUS_MAX = 4096,
	DVMI_PURE_MAX = 4096, /* pure instructions between two effects */
};

/*
 * When each hook runs, on which CPU, in which context, and what "mm" is there. Steps of the kernel
 * are those of check_and_switch_context(), new_context() and flush_context() in
 * arch/arm64/mm/context.c.
 *
 * flush        A flush of user mappings of mm was asked for; runs on the asking task's CPU, which
 *              may change between any two instructions unless the program or the caller's context
 *              forbids it. The page-table stores precede it in program order. One run per call of
 *              flush_tlb_mm / _range / _page: a range over the limit arrives as a whole-mm
 *              request with no flags set, as in the kernel. At ret the caller takes the flush as
 *              complete (unless req.nosync).
 * batch-add    One page is added to a deferred batch (reclaim, page migration); req.nosync is
 *              set. Without this hook `flush` runs, also with req.nosync set.
 * batch-flush  Completes everything this task has added; runs once for a batch that may span
 *              several mms (no mm, no request), possibly on another CPU than some of its batch-
 *              adds. Without batch-add and batch-flush: sync ish, as the kernel does.
 * switch-in    check_and_switch_context() step 6: interrupts off, after the ASID fast or slow
 *              path, before TTBR0 of the new mm is installed. Only when prev != next and next is
 *              a user mm; also for a kernel thread that adopts a user mm (kthread_use_mm), not
 *              for lazy TLB. mm = next = the mm being installed, prev = the one being left.
 * switch-out   After the switch part (TTBR0 of the next mm, or the reserved table, is installed
 *              and the ISB executed), before switch_to. mm = prev = the mm just left; next as
 *              above. Runs only if the CPU had a user mm installed before and prev != next.
 * switch-same  switch_mm() was called with prev == next: the CPU comes back to the mm it kept
 *              through idle or a kernel thread. mm = that mm.
 * idle         enter_lazy_tlb(): a kernel thread or the idle task is next and the CPU keeps mm
 *              installed. env.idle says that it is the idle task. mm = the mm that stays.
 * mm-new       A new mm (fork child, exec) exists, its words have their initial values, nobody
 *              runs it.
 * asid-alloc   new_context(mm) has chosen the ASID, under cpu_asid_lock, before mm.id is written;
 *              alloc.path says which path. switch-in follows on the same CPU.
 * rollover     flush_context(): a new ASID generation begins; under cpu_asid_lock, no mm.
 * tick         The scheduler tick, interrupts off; mm = the mm installed on this CPU.
 * ipi          On each target of an `ipi` instruction, interrupts off; mm, the request fields and
 *              the sampled ASID are the sender's. The sender continues when all targets have
 *              returned.
 *
 * A machine that can not run a hook refuses a program that has it (dvmi_program_hooks()).
 */
enum dvmi_hook {
	DVMI_HOOK_FLUSH,
	DVMI_HOOK_BATCH_ADD,
	DVMI_HOOK_BATCH_FLUSH,
	DVMI_HOOK_SWITCH_IN,
	DVMI_HOOK_SWITCH_OUT,
	DVMI_HOOK_SWITCH_SAME,
	DVMI_HOOK_IDLE,
	DVMI_HOOK_MM_NEW,
	DVMI_HOOK_ASID_ALLOC,
	DVMI_HOOK_ROLLOVER,
	DVMI_HOOK_TICK,
	DVMI_HOOK_IPI,
	DVMI_HOOKS
};

/*
 * What a program may ask about the request and its surroundings. The machine fills an array of
 * values, by this index, when the hook starts; flags are 0 or 1. Reading one costs a register test.
 */
enum dvmi_field {
	DVMI_REQ_NOSYNC,       /* caller asks for no completing barrier */
	DVMI_REQ_NOBROADCAST,  /* fix-up of the executing CPU only (TLBF_NOBROADCAST) */
	DVMI_REQ_NONOTIFY,     /* no secondary-TLB notifier (TLBF_NONOTIFY) */
	DVMI_REQ_FOREIGN,      /* the task that asks is no thread of mm: !(current->mm == mm) */
	DVMI_REQ_FULLASID,     /* whole mm: flush_tlb_mm, or a range over the limit */
	DVMI_REQ_FREED_TABLES, /* page tables were freed: walk-cache entries must go too */
	DVMI_REQ_PAGES,	       /* pages in the range, after rounding; 0 for a whole mm */
	DVMI_REQ_OPS,	       /* TLBI instructions the request expands to, without KPTI twins */
	DVMI_REQ_FREES,	       /* pages or addresses are given up; no table, no mere reduction of rights */
	DVMI_REQ_KIND,	       /* enum dvmi_kind */
	DVMI_CUR_IS_MM,	       /* current->mm == mm; 0 for kernel threads */
	DVMI_ACTIVE_IS_MM,     /* current->active_mm == mm */
	DVMI_ENV_REPEAT_TLBI,  /* capability REPEAT_TLBI is on in this kernel */
	DVMI_ENV_SMMU_BTM,     /* an SMMU listens to broadcast TLBIs of this mm */
	DVMI_ENV_VM,	       /* this kernel is a guest */
	DVMI_ENV_KPTI,
	DVMI_ENV_LAZY,	    /* this CPU runs a kernel thread or idle on a borrowed mm */
	DVMI_ENV_IDLE,	    /* idle hook: the idle task is next */
	DVMI_ENV_TLB_FLUSHED, /* switch-in: the slow path has just flushed this CPU's whole TLB */
	DVMI_ENV_CPUS,	    /* number of possible CPUs */
	DVMI_ENV_DOMAINS,   /* number of TLBI domains a TLBI may name; 0 without FEAT_TLBID */
	DVMI_ENV_DVM_LOAD,  /* ns: moving average (1/8) of this CPU's syncs that waited for broadcasts */
	DVMI_ALLOC_PATH,    /* asid-alloc: enum dvmi_alloc_path */
	DVMI_IPI_ARG,	    /* ipi hook: second operand of the `ipi` instruction, else 0 */
	DVMI_RESTARTS,	    /* restarts of the section in this run; kept by the frame */
	DVMI_FIELDS
};

enum dvmi_kind { /* values of req.kind; constants KIND_MM ... in the text */
	DVMI_KIND_MM,
	DVMI_KIND_RANGE,
	DVMI_KIND_PAGE,
};

enum dvmi_alloc_path { /* new_context(); constants PATH_RESERVED ... in the text */
	DVMI_PATH_RESERVED,
	DVMI_PATH_PINNED,
	DVMI_PATH_BIT_FREE,
	DVMI_PATH_FRESH,
	DVMI_PATH_ROLLOVER,
};

/* Pure instructions change registers and the program counter only; the rest are effects. */
enum dvmi_op {
	DVMI_MOV, /* dst = src0 */
	DVMI_ADD, /* dst = src0 op src1; 64-bit, wrapping, unsigned */
	DVMI_SUB,
	DVMI_AND,
	DVMI_OR,
	DVMI_XOR,
	DVMI_LSL, /* a shift by 64 or more gives 0 */
	DVMI_LSR,
	DVMI_B,	  /* to target */
	DVMI_BEQ, /* src0, src1, unsigned */
	DVMI_BNE,
	DVMI_BLT,
	DVMI_BGE,
	DVMI_BLE,
	DVMI_BGT,
	DVMI_BIF, /* src0 != 0 */
	DVMI_BIFNOT,
	DVMI_RET,
	DVMI_CPU_DOMAIN, /* dst = TLBI domain of CPU src0; 0 without domains or without that CPU */
	/* Mask registers: src0 is a DVMI_MASK operand. Bits from env.cpus up are never set. */
	DVMI_MASK_NONE,	 /* src0 = {} */
	DVMI_MASK_ALL,	 /* src0 = all possible CPUs */
	DVMI_MASK_SET,	 /* src0 |= {src1} */
	DVMI_MASK_CLR,	 /* src0 &= ~{src1} */
	DVMI_MASK_AND,	 /* src0 &= src1 (mask) */
	DVMI_MASK_OR,	 /* src0 |= src1 (mask) */
	DVMI_MASK_TEST,	 /* dst = src1 in src0 */
	DVMI_MASK_COUNT, /* dst = |src0| */
	DVMI_MASK_ONLY,	 /* dst = (src0 == {src1}) */
	DVMI_MASK_NEXT,	 /* dst = least member of src0 that is >= src1, or env.cpus */
	/* Memory: word, base, index and order say what is accessed and how. */
	DVMI_LD,      /* dst = word */
	DVMI_ST,      /* word = src0 */
	DVMI_CAS,     /* dst = word; if it was src0: word = src1 */
	DVMI_XCHG,    /* dst = word; word = src0 */
	DVMI_FADD,    /* dst = word; word += src0 */
	DVMI_LDMASK,  /* src0 (mask register) = mask word; not atomic as a whole */
	DVMI_STMASK,  /* mask word = src0; not atomic as a whole */
	DVMI_SETBIT,  /* atomically set bit src0 of the mask word */
	DVMI_CLRBIT,
	DVMI_TSTBIT,  /* dst = bit src0: one load */
	DVMI_TSETBIT, /* dst = old value of bit src0, which is now set */
	DVMI_TCLRBIT,
	DVMI_SETALL,  /* plain stores: every possible CPU */
	DVMI_CLRALL,
	/* Order */
	DVMI_DSB,  /* type, domain */
	DVMI_DMB,
	DVMI_ISB,
	DVMI_SYNC, /* the kernel's sync(mm): DSB ISH plus the errata repeats and IPIs switched on */
	/* The rest of the machine */
	DVMI_ASID,   /* read mm.context.id of `base`'s mm; later TLBIs use this sample */
	DVMI_TLBI,   /* scope, what, flags; src0 = domain operand or DVMI_NONE */
	DVMI_IPI,    /* run the ipi hook on the CPUs of mask src0 except this one, wait; src1 = argument */
	DVMI_NOTIFY, /* mmu_notifier_arch_invalidate_secondary_tlbs() for the request */
	DVMI_PARK,   /* TTBR0 := reserved table (idle hook) */
	DVMI_MIGRATE_DISABLE, /* these six: pairs, in the order of enum dvm_protection */
	DVMI_MIGRATE_ENABLE,
	DVMI_PREEMPT_DISABLE,
	DVMI_PREEMPT_ENABLE,
	DVMI_IRQ_DISABLE,
	DVMI_IRQ_ENABLE,
	DVMI_SECTION, /* arm: when switched out before section_end, continue at target */
	DVMI_SECTION_END,
	DVMI_OPS
};

enum dvmi_operand_kind {
	DVMI_NONE,  /* absent */
	DVMI_REG,   /* n = register */
	DVMI_MASK,  /* n = mask register */
	DVMI_IMM,   /* imm; n = 1 + index in consts when it was written by name, else 0 */
	DVMI_SELF,  /* CPU that executes this step */
	DVMI_FIELD, /* n = enum dvmi_field */
};

struct dvmi_operand {
	uint64_t imm;
	uint8_t kind;
	uint8_t n;
};

/* Whose copy of a word. */
enum dvmi_base {
	DVMI_BASE_GLOBAL,
	DVMI_BASE_MM,	/* the mm the hook is about */
	DVMI_BASE_PREV, /* switch hooks: the mm being left */
	DVMI_BASE_NEXT, /* switch hooks: the mm being installed */
	DVMI_BASE_CPU,	/* cpu.x: this CPU's; with insn->index: cpu[r].x */
	DVMI_BASE_TASK, /* current */
};

enum dvmi_order { /* of a memory access */
	DVMI_RELAXED,
	DVMI_ACQUIRE,
	DVMI_RELEASE,
	DVMI_FULL, /* as the kernel's value-returning atomics: full barrier (DMB ISH) before and after */
};

enum dvmi_barrier_type { DVMI_BARRIER_ALL, DVMI_BARRIER_ST, DVMI_BARRIER_LD };
enum dvmi_domain { DVMI_DOMAIN_NSH, DVMI_DOMAIN_ISH, DVMI_DOMAIN_OSH, DVMI_DOMAIN_SY };
enum dvmi_tlbi_scope { DVMI_TLBI_LOCAL, DVMI_TLBI_IS };
enum dvmi_tlbi_what {
	DVMI_TLBI_REQUEST, /* the request's list: page ops, range ops or one ASID op; KPTI twins */
	DVMI_TLBI_ASID,	   /* ASIDE1 of the sampled ASID, KPTI twin */
	DVMI_TLBI_ALL,	   /* VMALLE1 */
};
enum { /* flags of DVMI_TLBI: deliberately broken forms for the checker's self-tests */
	DVMI_TLBI_NOTWIN = 1, /* leave out the KPTI twin */
	DVMI_TLBI_LEAF = 2,   /* last-level form whatever the request says */
	DVMI_TLBI_BADTTL = 4, /* level hint one off */
};
enum { /* flags of DVMI_SECTION: what restarts it */
	DVMI_SECTION_ON_SWITCH,	 /* every switch-out */
	DVMI_SECTION_ON_MIGRATE, /* only when the task comes back on another CPU */
};

#define DVMI_NOREG 0xff /* dst: the result is dropped ("_" in the text) */

struct dvmi_insn {
	struct dvmi_operand src[2];
	struct dvmi_operand index; /* CPU number of cpu[r].x, else DVMI_NONE */
	uint8_t op;		   /* enum dvmi_op */
	uint8_t dst;		   /* scalar register or DVMI_NOREG */
	uint8_t base;		   /* enum dvmi_base: memory and DVMI_ASID */
	uint8_t order;		   /* enum dvmi_order */
	uint8_t type;		   /* enum dvmi_barrier_type */
	uint8_t domain;		   /* enum dvmi_domain */
	uint8_t scope;		   /* enum dvmi_tlbi_scope */
	uint8_t what;		   /* enum dvmi_tlbi_what */
	uint8_t flags;
	uint8_t pure;		   /* next() runs it without stopping */
	uint16_t word;		   /* index in words */
	uint16_t target;	   /* instruction a branch or a restart goes to */
	uint32_t line, column;	   /* in the text, from 1 */
};

struct dvmi_word {
	char name[DVMI_NAME]; /* without its base */
	uint64_t init;	      /* value in a new mm, task or at boot; masks: 0 empty, 1 all CPUs */
	uint8_t init_const;   /* 1 + index in consts when it was written by name, else 0 */
	uint8_t base;	      /* DVMI_BASE_GLOBAL, _MM, _CPU or _TASK */
	uint8_t mask;	      /* one bit per possible CPU instead of 64 bits */
	uint8_t domains;      /* a mask with one bit per TLBI domain instead */
	uint8_t kernel;	      /* the kernel keeps it; a program may only read it (mm.mm_users) */
	uint32_t line, column;
};

struct dvmi_label {
	char name[DVMI_NAME];
	uint16_t insn;
	uint32_t line, column;
};

struct dvmi_const {
	char name[DVMI_NAME];
	uint64_t value;
	uint8_t builtin; /* KIND_MM and the like: known without a declaration */
	uint8_t param;	 /* a parameter: dvm_strategy_set() may change it */
	uint32_t line, column;
};

struct dvmi_program {
	char *name, *summary, *source; /* never NULL, may be empty; several sources: one a line */
	char *text;		       /* exact source it was read from */
	size_t text_len;
	uint64_t hash; /* of text, dvmi_hash_bytes() */
	struct dvmi_word words[DVMI_WORDS_MAX];
	struct dvmi_const consts[DVMI_CONSTS_MAX];
	struct dvmi_label *labels;
	struct dvmi_insn *insns;
	char regs[DVMI_REGS][DVMI_NAME];
	char mask_regs[DVMI_MASK_REGS][DVMI_NAME];
	/* A request that frees promises nothing at its return: what it gave up is reused no sooner than
	   so many ticks later. 0: all flushes are complete at their return. */
	uint32_t quarantine;
	uint8_t quarantine_const; /* 1 + index in consts when it was written by name, else 0 */
	uint32_t hook_lines[DVMI_HOOKS];
	int hooks[DVMI_HOOKS]; /* first instruction, or -1; two hooks may share a body */
	unsigned words_count, consts_count, labels_count, insns_count;
	unsigned regs_count, mask_regs_count;
};

void dvmi_program_free(struct dvmi_program *program);

/*
 * A copy to change instructions in, for instance to weaken a barrier. Afterwards call
 * dvmi_insn_classify() on the changed ones and dvmi_program_check() on the whole; to drop
 * instruction i, make it DVMI_B to i + 1. The copy keeps text and hash of the original. NULL: out of memory.
 */
struct dvmi_program *dvmi_program_clone(const struct dvmi_program *program);

/* The hooks a program has, one bit each: 1u << DVMI_HOOK_FLUSH, ... */
unsigned dvmi_program_hooks(const struct dvmi_program *program);

/* Index of a word, or -1; @base as in struct dvmi_word. */
int dvmi_program_word(const struct dvmi_program *program, enum dvmi_base base, const char *name);

/* Names as the text has them: "flush", "req.nosync", "ld", ... */
extern const char *const dvmi_hook_names[DVMI_HOOKS];
extern const char *const dvmi_field_names[DVMI_FIELDS];
extern const char *const dvmi_op_names[DVMI_OPS];
extern const char *const dvmi_base_names[DVMI_BASE_TASK + 1]; /* without a dot */

static inline bool dvmi_op_is_memory(unsigned op)
{
	return op >= DVMI_LD && op <= DVMI_CLRALL;
}

static inline bool dvmi_op_is_branch(unsigned op)
{
	return op >= DVMI_B && op <= DVMI_BIFNOT;
}

/* True when the interpreter alone can carry the instruction out (it may still sample self). */
static inline bool dvmi_op_is_computed(unsigned op)
{
	return op <= DVMI_MASK_NEXT;
}

/*
 * The one meaning of arithmetic (DVMI_MOV .. DVMI_LSR) and of branches (DVMI_B .. DVMI_BIFNOT), for
 * the machine that times and the one that checks.
 */
uint64_t dvmi_op_compute(unsigned op, uint64_t a, uint64_t b);
bool dvmi_op_taken(unsigned op, uint64_t a, uint64_t b);

/* Set insn->pure; a builder calls it once the operands are in place. */
void dvmi_insn_classify(struct dvmi_insn *insn);

/* ---- Running ---- */

enum dvmi_frame_state {
	DVMI_RUNNING,
	DVMI_RETURNED,
	DVMI_RUNAWAY, /* DVMI_PURE_MAX pure instructions without an effect, or pc out of the program */
};

struct dvmi_frame {
	uint64_t regs[DVMI_REGS];
	uint64_t asid; /* last sample of DVMI_ASID */
	uint16_t pc;
	uint16_t section;  /* 1 + index of the armed DVMI_SECTION, or 0 */
	uint16_t restarts; /* of sections, in this run */
	uint8_t hook;	   /* enum dvmi_hook */
	uint8_t state;	   /* enum dvmi_frame_state */
};

struct dvmi_prog_env {
	const struct dvmi_program *program;
	const uint64_t *fields; /* DVMI_FIELDS values */
	/*
	 * Mask registers of this frame: program->mask_regs_count masks of mask_words 64-bit words,
	 * CPU c at bit c % 64 of word c / 64. May be NULL for a program without mask registers. The
	 * machine copies and hashes them along with the frame.
	 */
	uint64_t *masks;
	unsigned mask_words; /* (cpus + 63) / 64 */
	unsigned cpus;	     /* possible CPUs, 1 .. DVMI_CPUS_MAX */
	unsigned self;	     /* CPU the task is on at this step */
	/* TLBI domain of each CPU, all below fields[DVMI_ENV_DOMAINS]; NULL: there are none. */
	const uint16_t *domain_of;
};

/*
 * Begin @hook. A program without it gives a frame that has returned already; batch-add falls back
 * to flush (the machine sets req.nosync). For the ipi hook the machine then copies f->asid from the
 * sender's frame. Mask registers need no initialisation: a program never reads one it has not set.
 */
void dvmi_frame_start(struct dvmi_frame *f, const struct dvmi_program *program,
		      enum dvmi_hook hook);

/*
 * Run pure instructions up to the next one that has an effect or that samples self, and return that
 * one, not yet executed; NULL when the hook has returned or runs away (f->state says which).
 * Calling it again without dvmi_frame_result() returns the same instruction.
 */
const struct dvmi_insn *dvmi_frame_next(struct dvmi_frame *f, const struct dvmi_prog_env *env);

/* The instruction at pc, of any kind, not executed: to step singly, alternate with _result(). */
const struct dvmi_insn *dvmi_frame_peek(const struct dvmi_frame *f,
					const struct dvmi_prog_env *env);

/*
 * Finish the current instruction and advance. @value is what a load, an atomic, a bit test (old
 * value) or DVMI_ASID read; it is ignored by all others. A computed instruction (moves, branches,
 * mask registers, with or without self) is carried out here. DVMI_LDMASK: the machine has filled
 * dvmi_frame_mask() before.
 */
void dvmi_frame_result(struct dvmi_frame *f, uint64_t value, const struct dvmi_prog_env *env);

uint64_t dvmi_frame_value(const struct dvmi_frame *f, const struct dvmi_operand *operand,
			  const struct dvmi_prog_env *env);
/* Storage of a DVMI_MASK operand: env->mask_words words. */
uint64_t *dvmi_frame_mask(const struct dvmi_operand *operand, const struct dvmi_prog_env *env);

/* CPU whose word a DVMI_BASE_CPU access means; false when cpu[r] names no CPU (a program error). */
bool dvmi_frame_cpu(const struct dvmi_frame *f, const struct dvmi_insn *insn,
		    const struct dvmi_prog_env *env, unsigned *cpu);

/*
 * The one definition of the scalar stores and atomics: given the word's @old value, does the
 * instruction (DVMI_ST, _CAS, _XCHG, _FADD) write, and what? false: nothing is written.
 */
bool dvmi_frame_store(const struct dvmi_frame *f, const struct dvmi_insn *insn, uint64_t old,
		      const struct dvmi_prog_env *env, uint64_t *value);

/*
 * The task was switched out (or, with the on-migrate trigger, has come back on another CPU): if a
 * section is armed, go back to its restart label. Registers keep their values.
 */
bool dvmi_frame_restart(struct dvmi_frame *f, const struct dvmi_prog_env *env);
/* The armed DVMI_SECTION (flags = its trigger), or NULL. */
const struct dvmi_insn *dvmi_frame_section(const struct dvmi_frame *f,
					   const struct dvmi_prog_env *env);

#endif
