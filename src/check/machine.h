/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_MACHINE_H
#define DVMI_CHECK_MACHINE_H

#include "base/error.h"
#include "check/rules.h"
#include "check/space.h"

/*
 * The checking machine. It runs straight-line programs, one per PE: whoever makes a program (the
 * litmus front end, a strategy scenario) has already chosen the way through its branches and
 * faults, and says with constraints which values that choice requires. Events of a PE happen in
 * any order that the rules (rules.h) allow; memory is one coherent store that all observers see
 * at once, with its whole history, because a TLB may hold what memory held earlier.
 * docs/checker.md states the model; Arm's cat model is the reference.
 */
enum {
	DVMI_PES_MAX = 8,
	DVMI_EVENTS_MAX = 64,  /* per PE: one bit each */
	DVMI_READS_MAX = 40,   /* per program */
	DVMI_WRITES_MAX = 32,  /* per program: one bit each */
	DVMI_WALKS_MAX = 48,   /* per program */
	DVMI_TLBIS_MAX = 12,   /* per program */
	DVMI_NODES_MAX = 1024, /* per program */
	DVMI_CHECKS_MAX = 32,  /* constraints per PE */
	DVMI_LEFTS_MAX = 8,    /* address spaces left, per program: one bit each */
};

enum dvmi_ev_kind {
	DVMI_EV_WALK,  /* implicit read of a descriptor ("T") */
	DVMI_EV_READ,  /* explicit */
	DVMI_EV_WRITE, /* explicit */
	DVMI_EV_FAULT, /* MMU fault: takes the place of the access */
	DVMI_EV_DMB,
	DVMI_EV_DSB,
	DVMI_EV_CSE, /* ISB, exception entry, exception return */
	DVMI_EV_TLBI,
};

enum dvmi_barrier { DVMI_BARRIER_FULL, DVMI_BARRIER_LD, DVMI_BARRIER_ST };
enum dvmi_domain { DVMI_DOMAIN_NSH, DVMI_DOMAIN_ISH, DVMI_DOMAIN_OSH, DVMI_DOMAIN_SY };

/* What a walk of the chosen path ends in. */
enum dvmi_outcome {
	DVMI_OUT_OK,
	DVMI_OUT_TRANSLATION,
	DVMI_OUT_ACCESS_FLAG,
	DVMI_OUT_PERMISSION,
	DVMI_OUT_COUNT,
};

enum {
	DVMI_F_ACQ = 1 << 0,	/* acquire (A) */
	DVMI_F_ACQPC = 1 << 1,	/* acquirePC (Q) */
	DVMI_F_REL = 1 << 2,	/* release (L) */
	DVMI_F_RMW = 1 << 3,	/* half of an atomic instruction or of an exclusive pair */
	DVMI_F_NORET = 1 << 4,	/* read whose destination is the zero register */
	DVMI_F_WRITES = 1 << 5, /* the walk is for a write */
	DVMI_F_EL0 = 1 << 6,	/* the walk is for an unprivileged access */
	DVMI_F_AMO = 1 << 7,	/* of one atomic instruction (not an exclusive pair) */
};

/* Hardware update of descriptors (FEAT_HAFDBS), as a walk has it. */
enum {
	DVMI_HW_AF = 1 << 0,	 /* sets the access flag */
	DVMI_HW_DIRTY = 1 << 1,	 /* and the dirty state, where DBM lets it */
	DVMI_HW_UPDATE = 1 << 2, /* the chosen way: this walk has something to set */
};

enum dvmi_tlbi_what { DVMI_TLBI_ALL, DVMI_TLBI_ASID, DVMI_TLBI_VA, DVMI_TLBI_VAA };

#define DVMI_NONE UINT8_MAX
#define DVMI_NO_NODE UINT16_MAX

struct dvmi_ev {
	uint8_t kind;
	uint8_t insn;  /* index of its instruction in program order */
	uint8_t pair;  /* event of the walk of an access or fault, or DVMI_NONE */
	uint8_t rmw;   /* event of the read that an atomic's write belongs to */
	uint8_t id;    /* number among the program's walks, reads, writes or TLBIs */
	uint8_t width; /* bytes */
	uint8_t flags;
	uint8_t outcome;     /* of a walk */
	uint8_t barrier;     /* enum dvmi_barrier */
	uint8_t domain;	     /* enum dvmi_domain; of a TLBI: NSH is local, ISH and up broadcast */
	uint8_t what;	     /* enum dvmi_tlbi_what */
	uint8_t range;	     /* TLBI of the range form */
	uint8_t leaf;	     /* TLBI of the last level only */
	/*
	 * Made by the table walker: walk or read of a table walk in progress, which is no
	 * instruction's access, or the write that updates a descriptor.
	 */
	uint8_t walker;
	uint8_t hw;	     /* of a walk: DVMI_HW_ bits */
	uint16_t asid;	     /* context of a walk */
	uint8_t mm;	     /* the same: 0, or 1 for the tables of the second mm */
	uint16_t addr, data; /* nodes */
	uint64_t addr_reads; /* reads this event's address depends on */
	uint64_t data_reads;
	uint64_t ctrl_reads;   /* reads that branches before it depend on */
	uint64_t addrpo_reads; /* reads that addresses of accesses before it depend on */
	uint64_t pred;	  /* events of this PE that come before it: filled by dvmi_rules_apply() */
	uint64_t touches; /* location classes it may read or write */
	uint64_t completes; /* of a DSB: TLBIs (by id) that it completes */
	bool ends_walks;    /* of a DSB: it is the `until` of a left address space */
	/* Of a DSB: completed TLBIs after which another broadcast TLBI was completed (erratum). */
	uint64_t repeats;
};

/* Values: a node is a constant, what a read returned, or an operation on nodes. */
enum dvmi_node_kind {
	DVMI_N_CONST,
	DVMI_N_READ,
	DVMI_N_ADD,
	DVMI_N_SUB,
	DVMI_N_AND,
	DVMI_N_ORR,
	DVMI_N_EOR,
	DVMI_N_BIC,
	DVMI_N_LSL,
	DVMI_N_LSR,
	DVMI_N_ASR,
	DVMI_N_SXTW,
	DVMI_N_UXTW,
	DVMI_N_NZCV, /* flags of a - b */
	DVMI_N_COND, /* condition k (constant) of flags a */
	DVMI_N_EQ,
};

struct dvmi_node {
	uint8_t kind;
	uint8_t width; /* result is cut to 4 bytes or kept at 8 */
	uint16_t a, b;
	uint64_t k;	/* constant, or number of the read */
	uint64_t reads; /* reads of the same PE it depends on, as event bits */
	uint64_t picks; /* reads that decided which of two values it is (CSEL) */
};

/* The chosen path requires node != 0 (or == 0), once its reads are done. */
struct dvmi_check {
	uint16_t node;
	bool nonzero;
	uint64_t reads;
};

/*
 * An address space that a PE has left: TTBR0 was given another one after the first @at events. Walks
 * of it may be in progress until event @until is done: the DSB after the context synchronisation event
 * after that write. DVMI_NONE: there is no such DSB.
 */
struct dvmi_left {
	uint8_t pe, at, until, mm;
	uint16_t asid;
};

struct dvmi_pe {
	unsigned events;
	struct dvmi_ev ev[DVMI_EVENTS_MAX];
	unsigned checks;
	struct dvmi_check check[DVMI_CHECKS_MAX];
};

struct dvmi_program {
	unsigned pages, pes;
	uint32_t tables; /* bit per page: its descriptor stands for a table entry */
	/*
	 * Second-mm=: 1 + the variable whose descriptor translates this page in the second mm; and
	 * the other way round, 1 + the page that this descriptor translates there. 0: none.
	 */
	uint8_t twin[DVMI_PAGES_MAX], home[DVMI_PAGES_MAX];
	unsigned lefts;
	struct dvmi_left left[DVMI_LEFTS_MAX];
	uint32_t watch; /* bit per page: note a use of two translations side by side (state.clash) */
	bool tlbid;	 /* FEAT_TLBID: each PE is in the TLBI domain of that number, 0: in none */
	uint16_t tlbi_domain[DVMI_PES_MAX];
	struct dvmi_pe pe[DVMI_PES_MAX];
	unsigned nodes, reads, writes, walks, tlbis;
	struct dvmi_node node[DVMI_NODES_MAX];
	struct dvmi_ref {
		uint8_t pe, ev;
	} read[DVMI_READS_MAX], write[DVMI_WRITES_MAX], walk[DVMI_WALKS_MAX], tlbi[DVMI_TLBIS_MAX];
	uint64_t completed_by[DVMI_TLBIS_MAX]; /* DSBs of the TLBI's PE, as event bits */
	uint64_t init[DVMI_LOCS_MAX];	       /* initial memory */
	struct dvmi_rules rules;
	/* How many bits a state's key has for each (dvmi_state_layout()). */
	struct dvmi_layout {
		uint8_t read[DVMI_READS_MAX], walk[DVMI_WALKS_MAX], rank[DVMI_WRITES_MAX];
		uint64_t descs; /* writes that may be to a descriptor */
	} layout;
};

/* Write numbers in a state: a program write, or the initial value. */
#define DVMI_INIT 0xfe

/* Everything that can still matter. Fields of events not done are zero. */
struct dvmi_state {
	uint64_t done[DVMI_PES_MAX];
	uint8_t order_len;
	uint8_t order[DVMI_WRITES_MAX]; /* writes in the order memory took them */
	uint8_t pos[DVMI_WRITES_MAX];	/* place in order, when done */
	uint8_t rank[DVMI_WRITES_MAX];	/* place among the writes of its location, from 1 */
	uint16_t wloc[DVMI_WRITES_MAX];
	uint64_t wval[DVMI_WRITES_MAX];
	uint8_t rsrc[DVMI_READS_MAX]; /* the write it reads */
	uint16_t rloc[DVMI_READS_MAX];
	uint64_t rval[DVMI_READS_MAX];
	uint8_t tsrc[DVMI_WALKS_MAX];
	uint16_t tloc[DVMI_WALKS_MAX]; /* DVMI_LOC_NONE: the address needed no walk */
	uint64_t tval[DVMI_WALKS_MAX];
	uint8_t snap[DVMI_TLBIS_MAX]; /* order_len when the TLBI was executed */
	uint8_t shut[DVMI_TLBIS_MAX]; /* and whose walks were over then: bit per left address space */
	uint32_t clash; /* bit per page: see dvmi_clashes() */
};

/* Finish a program: fill pred (dvmi_rules_apply()), touches and completes. */
void dvmi_program_prepare(struct dvmi_program *prog);
/* The same for a program whose pred is filled: that depends on nothing outside a PE. */
void dvmi_program_link(struct dvmi_program *prog);

void dvmi_state_init(const struct dvmi_program *prog, struct dvmi_state *st);
bool dvmi_state_final(const struct dvmi_program *prog, const struct dvmi_state *st);
/* The value of @node; false when it depends on a read that is not done. */
bool dvmi_eval(const struct dvmi_program *prog, const struct dvmi_state *st, uint16_t node,
	       uint64_t *value);
/* What @loc holds at the end. */
uint64_t dvmi_state_memory(const struct dvmi_program *prog, const struct dvmi_state *st,
			   uint16_t loc);

/*
 * The ways event @ev of @pe can happen in @st: @emit(arg, next) gets each successor. Returns how
 * many there were (0: the event can not happen now).
 */
typedef void dvmi_emit_fn(void *arg, const struct dvmi_state *next);
unsigned dvmi_step(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		   unsigned ev, dvmi_emit_fn *emit, void *arg);

/*
 * May everything else wait for this enabled event, without losing a final state? (Partial-order
 * reduction; docs/checker.md gives the argument, a test compares with the full search.)
 */
bool dvmi_step_safe(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		    unsigned ev);

/* Does TLBI @t of the program remove entries for descriptor @loc and @asid on PE @pe? */
bool dvmi_tlbi_hits(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t,
		    unsigned pe, uint16_t loc, uint16_t asid);

/* What an access with @flags gets from a descriptor. */
enum dvmi_outcome dvmi_outcome_of(uint64_t desc, unsigned flags);
/*
 * ... of an access to address @a that is no virtual one: descriptors and physical addresses are
 * reached without translation, but the pages that hold descriptors are the kernel's alone.
 */
enum dvmi_outcome dvmi_untranslated(uint64_t a, unsigned pages, bool el0);
/* Does @desc lead walk @e to what its chosen way says? */
bool dvmi_walk_fits(uint64_t desc, const struct dvmi_ev *e);
/* What the table walker makes of @desc for walk @e; the same value: there is nothing to set. */
uint64_t dvmi_hw_updated(uint64_t desc, unsigned flags, unsigned hw);
/* May a walk of @pe still return write @src of descriptor @loc, TLBIs being what they are? */
bool dvmi_walk_allowed(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned pe,
		       uint8_t src, uint16_t loc, uint16_t asid);

/* ---- machine_mm.c: a second mm; break-before-make ---- */

/* The descriptor that translates page @page of a walk's own address space. */
uint16_t dvmi_walk_desc(const struct dvmi_program *prog, const struct dvmi_ev *walk, unsigned page);
/* The page that descriptor @loc translates. */
uint16_t dvmi_page_of_desc(const struct dvmi_program *prog, uint16_t loc);
/* The descriptor of the other mm for the page of @loc; DVMI_LOC_NONE: there is one mm. */
uint16_t dvmi_other_desc(const struct dvmi_program *prog, uint16_t loc);
/* The address spaces, as bits of left[], from which walk @ev of @pe may still find entries. */
unsigned dvmi_lefts_of(const struct dvmi_program *prog, unsigned pe, unsigned ev);
/*
 * May the TLB of left space @l hold write @src of descriptor @loc? As dvmi_walk_allowed(); but
 * nothing refills what a TLBI removes that was executed after the space's walks were over.
 */
bool dvmi_left_allowed(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned l,
		       uint8_t src, uint16_t loc);
/* Left spaces whose walks are over. */
uint8_t dvmi_shut_now(const struct dvmi_program *prog, const struct dvmi_state *st);
/*
 * A walk returns @value of @loc while memory holds another valid descriptor that may not stand beside
 * it: may a TLB hold both only after break-before-make (architecture rule, docs/checker.md)?
 */
bool dvmi_clashes(const struct dvmi_program *prog, const struct dvmi_state *st, uint16_t loc,
		  uint64_t value);

#endif
