/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SCENARIO_H
#define DVMI_CHECK_SCENARIO_H

#include "base/buf.h"
#include "program/program.h"

#include <dvmsim/scenario.h>

/*
 * From a strategy program and a scenario to litmus tests. A test has one column per CPU; hooks are
 * translated instruction by instruction (scenario_xlat.c, scenario_insn.c, scenario_mask.c), and the
 * kernel's own steps around them are added (scenario_parts.c). The scenarios themselves are in
 * scenario_build.c, scenario_moves.c and scenario_special.c. docs/checker-scenarios.md says what each
 * stands for.
 */
enum {
	DVMI_SCN_CPUS = 3,
	DVMI_SCN_COLUMNS = 4,
	DVMI_SCN_LINES = 128, /* of one column: what the litmus front end takes */
	DVMI_SCN_LABELS = 64,
	DVMI_SCN_LOCS = 20,
	DVMI_SCN_WHY = 240,
	DVMI_SCN_STEPS = 4096, /* of one hook, when the test is made */
	DVMI_SCN_MOVES = 2,
	DVMI_SCN_LOAD = 1 << 20, /* ns: more than any cost that is compared with it */
	DVMI_SCN_FOLDED = 8, /* words that are folded: the other mm's, the CPU's own */
	/* What a hook remembers: scalar registers, mask registers, the sampled ASID. */
	DVMI_SCN_MASK0 = DVMI_REGS,
	DVMI_SCN_ASID = DVMI_REGS + DVMI_MASK_REGS,
	DVMI_SCN_SLOTS,
	/* X registers with a fixed use: x, PTE(x), what unmap stores, what was read, PA(x), the
	 * new contents, two for scratch, the operand of TLBIs by address. X10 and up: the strategy. */
	DVMI_SCN_X_FIRST = 10,
	DVMI_SCN_X_COUNT = 21,
	/* ASIDs: of the mm (and its KPTI twin), of the other mm, of the mm after it got a new one,
	 * of the SMMU's private context. */
	DVMI_SCN_ASID_MM = 0,
	DVMI_SCN_ASID_USER = 1,
	DVMI_SCN_ASID_OTHER = 2,
	DVMI_SCN_ASID_NEW = 4,
	DVMI_SCN_ASID_SMMU = 6,
	DVMI_SCN_TABLES_2 = 0x1000, /* base address in TTBR0 of a second mm */
};

/* Which mm a hook's `mm`, `prev` and `next` are. */
enum dvmi_scn_mm { DVMI_SCN_THE_MM, DVMI_SCN_OTHER_MM };

/* What surrounds the strategy: the kernel's configuration and the machine. */
struct dvmi_scn_env {
	bool kpti;
	bool erratum; /* the part has erratum 4118414, the kernel its workaround */
	bool vm, fb;  /* a guest; HCR_EL2.FB and BSU as KVM sets them */
	/*
	 * TLBI domains (FEAT_TLBID) that TLBIs may name; 0: none. As many as CPUs: each has its own; 1: all
	 * are in one.
	 */
	unsigned domains;
	bool loaded;   /* env.dvm_load is high, else 0: it may be anything */
	bool btm, sva; /* an SMMU that listens to broadcasts; one with notifier and private ASID */
	bool no_break; /* a descriptor is replaced while it is valid */
	bool no_dependency; /* from mm->pgd to TTBR0 */
};

/* Values of all words when the test begins; every CPU's, both mms', two tasks'. */
struct dvmi_scn_words {
	uint64_t mm[2][DVMI_WORDS_MAX];
	uint64_t cpu[DVMI_SCN_CPUS][DVMI_WORDS_MAX];
	uint64_t task[DVMI_SCN_CPUS + 1][DVMI_WORDS_MAX];
	uint64_t global[DVMI_WORDS_MAX];
};

struct dvmi_scn_line {
	char text[40];
	int label;	  /* -1: none */
	uint16_t origin;  /* 1 + the strategy's instruction it is made from; 0: a step of the kernel */
	bool installs;	  /* a TLBI in the place of the write of TTBR0_EL1 */
	const char *note; /* what a kernel step stands for; may be NULL */
};

struct dvmi_scn_column {
	struct dvmi_scn_line line[DVMI_SCN_LINES];
	unsigned lines, labels;
	bool used[DVMI_SCN_LABELS]; /* labels that something branches to */
	int pending;		    /* label of the next line; -1: none */
	uint8_t slot[DVMI_SCN_SLOTS]; /* its X register; 0: none yet */
	uint8_t loc[DVMI_SCN_LOCS];   /* X register that holds its address; 0: none yet */
	unsigned registers;	      /* X registers given away */
	unsigned asid;		      /* installed at the start */
	unsigned domain;	      /* TLBI domain, from 1; 0: none (a device) */
	/*
	 * Words that nobody else reads: of the other mm (each CPU has one of its own) and of the
	 * CPU. By number of the word.
	 */
	uint64_t folded[DVMI_SCN_FOLDED];
	int cpu; /* whose these are; -1: no hook was run yet */
	int stop;		      /* label at the end of the column */
	const char *title;
	bool away; /* the mm is never installed here */
};

struct dvmi_scn_test {
	const struct dvmi_program *p;
	struct dvmi_scn_env env;
	struct dvmi_scn_words words;
	struct dvmi_scn_column col[DVMI_SCN_COLUMNS];
	unsigned cols;
	uint16_t origin; /* of the lines being added */
	bool moves;	 /* the flusher changes CPUs */
	struct {
		char name[32];
		uint64_t init;
	} loc[DVMI_SCN_LOCS];
	unsigned locs;
	unsigned ipi_cpus;	  /* bit c: CPU c has a column and takes IPIs */
	bool tables;		  /* x is a table entry */
	bool remaps;		  /* X6 holds a descriptor of x that points to page y */
	bool second_mm;		  /* where x is translated by the descriptor of y */
	bool domains;		  /* the program's TLBIs name TLBI domains */
	bool asid_in_memory;	  /* mm->context.id changes during the test */
	bool unfolded;		  /* private words are memory like all others */
	bool unfold;		  /* they must be: their values depend on the way taken */
	const char *first, *stored; /* descriptor of x at first, and what X3 holds */
	char name[96], what[DVMI_SCN_WHY];
	char condition[96];
	const char *harm; /* what it means when the condition holds */
	/* Found in the line of a final state exactly when the condition holds there. */
	char mark[2][24];
	char why[DVMI_SCN_WHY]; /* not empty: this can not be translated, and why */
};

/* What is known at one point of a translation. */
struct dvmi_scn_state {
	uint64_t value[DVMI_SCN_SLOTS];
	uint64_t folded[DVMI_SCN_FOLDED];
	uint32_t known; /* one bit per slot */
	uint16_t pc, section, restarts;
	uint8_t pinned[3]; /* depth of each protection */
	uint8_t sent;	   /* an IPI was sent */
	uint8_t pad[2];
};

enum dvmi_scn_move_kind {
	DVMI_SCN_MIGRATES,  /* the task goes on on another CPU */
	DVMI_SCN_PREEMPTED, /* switched out, then goes on on the same CPU */
	DVMI_SCN_HOST,	    /* the vCPU is moved: no protection of the guest prevents that */
};

struct dvmi_scn_move {
	enum dvmi_scn_move_kind kind;
	unsigned at; /* instruction before which it happens */
	unsigned number;
	bool reached;
	unsigned hook; /* in which of the flusher's hooks */
	uint32_t save; /* slots that go through memory */
	struct dvmi_scn_state state;
};

/* One run of a hook in a column. */
struct dvmi_scn_hook {
	enum dvmi_hook hook;
	unsigned column, cpu, task;
	enum dvmi_scn_mm mm; /* the other one is prev of switch-in, next of switch-out */
	bool whole_mm;	     /* the request is for the mm, not for a page */
	bool walker;	     /* `park` meets a walk in progress */
	uint64_t fields[DVMI_FIELDS];
	/* Where the task is switched out, and the label it then goes to; NULL: nowhere. */
	struct dvmi_scn_move *move;
	int moved_label;
	unsigned number;			/* of the flusher's hooks */
	const struct dvmi_scn_move *from_move; /* it goes on after this move; NULL: begins */
};

/* ---- scenario_text.c ---- */
void dvmi_scn_line(struct dvmi_scn_test *t, unsigned column, const char *fmt, ...)
	DVMI_PRINTF(3, 4);
/* Say what the last line of a column stands for; @note is not copied. */
void dvmi_scn_note(struct dvmi_scn_test *t, unsigned column, const char *note);
int dvmi_scn_new_label(struct dvmi_scn_test *t, unsigned column);
void dvmi_scn_put_label(struct dvmi_scn_test *t, unsigned column, int label);
void dvmi_scn_use_label(struct dvmi_scn_test *t, unsigned column, int label);
/* The register that holds the address of location @name in this column; declares both. */
unsigned dvmi_scn_loc(struct dvmi_scn_test *t, unsigned column, const char *name, uint64_t init);
/* The X register of a slot in this column. */
unsigned dvmi_scn_reg(struct dvmi_scn_test *t, unsigned column, unsigned slot);
void dvmi_scn_unsupported(struct dvmi_scn_test *t, const struct dvmi_insn *insn, const char *what);
/* The finished test in litmus syntax. */
int dvmi_scn_text(const struct dvmi_scn_test *t, char **text);
/* Where its lines come from, for witnesses (check/witness.h); freed with dvmi_free(). */
struct dvmi_origins;
int dvmi_scn_origins(const struct dvmi_scn_test *t, struct dvmi_origins **origins);

/* ---- scenario_xlat.c ---- */
/* Append @h to its column; where it returns, the column goes on. */
void dvmi_scn_hook(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h);

/* ---- scenario_insn.c ---- */
/* The kernel's sync(mm): DSB ISH, and what the erratum's workaround adds. */
void dvmi_scn_sync(struct dvmi_scn_test *t, unsigned column);

struct dvmi_scn_xlat;
bool dvmi_scn_known(const struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
		    const struct dvmi_operand *o, uint64_t *value);
/* The X register that holds an operand; @scratch is loaded when it is a known value. */
unsigned dvmi_scn_in_reg(struct dvmi_scn_xlat *x, const struct dvmi_scn_state *s,
			 const struct dvmi_operand *o, unsigned scratch);
/* The TLBI domain of a CPU of the scenario, from 0. */
unsigned dvmi_scn_domain(const struct dvmi_scn_test *t, unsigned cpu);
void dvmi_scn_set_known(struct dvmi_scn_state *s, unsigned slot, uint64_t value);
void dvmi_scn_set_unknown(struct dvmi_scn_state *s, unsigned slot);
/* Append what is no branch, and go on to the next instruction. */
void dvmi_scn_effect(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		     const struct dvmi_insn *insn);

/* ---- scenario_mask.c: mask registers, masks in memory (the address is in X@reg), IPIs ---- */
enum { DVMI_SCN_SCRATCH = 7, DVMI_SCN_SCRATCH2 = 8, DVMI_SCN_PAGE_X = 9 };
enum { DVMI_SCN_POINTS = 48 };
struct dvmi_scn_xlat {
	struct dvmi_scn_test *t;
	const struct dvmi_scn_hook *h;
	const struct dvmi_program *p;
	unsigned column;
	int end; /* label after the hook */
	struct dvmi_scn_point {
		struct dvmi_scn_state state;
		int label;
		bool done;
	} point[DVMI_SCN_POINTS];
	unsigned points, steps;
	bool ended;		/* once: with these private words */
	uint64_t folded[DVMI_SCN_FOLDED];
};
void dvmi_scn_mask_reg(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
		       const struct dvmi_insn *insn);
void dvmi_scn_mask_memory(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s,
			  const struct dvmi_insn *insn, unsigned reg);
void dvmi_scn_ipi(struct dvmi_scn_xlat *x, struct dvmi_scn_state *s, const struct dvmi_insn *insn);

/* ---- scenario_words.c ---- */
/* Storage of the word an access means, and its name in the test. */
uint64_t *dvmi_scn_word(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			const struct dvmi_insn *insn, unsigned cpu, char *name, size_t size);
/* Slots that instruction @pc and what follows may still read. */
uint32_t dvmi_scn_live(const struct dvmi_program *p, unsigned pc);
/* @users: of the mm. */
void dvmi_scn_words_init(const struct dvmi_program *p, unsigned users, struct dvmi_scn_words *w);
/* Carry a hook out on @t->words alone: what happened before the test begins. */
void dvmi_scn_before(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h);

/* ---- scenario_build.c ---- */
struct dvmi_scn_choice {
	unsigned preempt; /* enum dvm_preempt */
	unsigned env;	  /* DVM_SCENARIO_ENV_* */
	bool unfolded;	  /* private words are memory too: to compare */
};
/* Takes one finished test; not 0 ends the making with that value. */
typedef int dvmi_scn_emit_fn(void *arg, const struct dvmi_scn_test *t);
/*
 * Make all tests of a scenario. @t is working memory. When there is none, @why says why the
 * scenario means nothing for this strategy. 0, or what @emit returned.
 */
int dvmi_scn_make(const struct dvmi_program *p, unsigned scenario,
		  const struct dvmi_scn_choice *choice, struct dvmi_scn_test *t,
		  dvmi_scn_emit_fn *emit, void *arg, const char **why);
extern const struct dvmi_scn_info {
	const char *name, *text;
	bool quick; /* cheap, and about what mainline has: part of every comparison */
} dvmi_scn_info[];
unsigned dvmi_scn_count(void);

#endif
