/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_LITMUS_H
#define DVMI_CHECK_LITMUS_H

#include "base/error.h"
#include "check/machine.h"
#include "check/space.h"

/* A parsed litmus test: AArch64 with virtual memory, herd's syntax. */
enum {
	DVMI_REG_ZR = 31,
	DVMI_REG_NZCV,
	DVMI_REG_ELR,
	DVMI_REG_TTBR,
	DVMI_REGS,
	DVMI_INSNS_MAX = 128, /* per column */
	DVMI_LABELS_MAX = 64,
	DVMI_NAME_MAX = 32,
	DVMI_ATOMS_MAX = 64, /* observed registers, locations and faults */
};

enum dvmi_op {
	DVMI_OP_NOP,
	DVMI_OP_MOV, /* rd = rn or imm */
	DVMI_OP_ALU, /* rd = rn alu (rm shifted, or imm) */
	DVMI_OP_CMP,
	DVMI_OP_LD,
	DVMI_OP_WALK, /* a table walk in progress reads */
	DVMI_OP_AGE, /* a walk for no access, which may set the access flag */
	DVMI_OP_ST,
	DVMI_OP_AMO,
	DVMI_OP_CAS,
	DVMI_OP_LDX,
	DVMI_OP_STX,
	DVMI_OP_CBZ,
	DVMI_OP_CBNZ,
	DVMI_OP_B,
	DVMI_OP_BCC,
	DVMI_OP_CSEL, /* rd = rn (or imm), or rm */
	DVMI_OP_DMB,
	DVMI_OP_DSB,
	DVMI_OP_ISB,
	DVMI_OP_TLBI,
	DVMI_OP_ERET,
	DVMI_OP_MSR,
	DVMI_OP_MRS,
	DVMI_OP_ADR,
};

enum dvmi_amo { DVMI_AMO_SWP, DVMI_AMO_ADD, DVMI_AMO_CLR, DVMI_AMO_EOR, DVMI_AMO_SET };
enum dvmi_ext { DVMI_EXT_NONE, DVMI_EXT_SXTW, DVMI_EXT_UXTW };
#define DVMI_REG_NONE 255

struct dvmi_insn {
	uint8_t op, alu; /* alu: enum dvmi_node_kind, or enum dvmi_amo */
	uint8_t rd, rn, rm, rs;
	uint8_t width; /* 4 or 8 */
	uint8_t flags; /* DVMI_F_ACQ and so on */
	uint8_t ext, shift_kind, shift;
	uint8_t barrier, domain, what, range, leaf;
	uint8_t cond;
	uint8_t sysreg;
	int64_t imm;
	uint16_t target; /* label number */
	uint16_t line;
	char text[44]; /* as it was written, cut if longer */
};

struct dvmi_label {
	char name[DVMI_NAME_MAX];
	int at; /* index of the instruction it precedes; -1: used, not defined */
	unsigned line, column;
};

struct dvmi_thread {
	int number; /* of P<n> */
	bool el0;
	uint8_t hw; /* DVMI_HW_ bits: TTHM= */
	unsigned insns, handler; /* the handler column starts at insn[handler], if has_handler */
	bool has_handler;
	struct dvmi_insn insn[DVMI_INSNS_MAX * 2];
	unsigned labels;
	struct dvmi_label label[DVMI_LABELS_MAX];
	uint64_t reg[DVMI_REGS];
};

enum dvmi_atom_kind { DVMI_ATOM_REG, DVMI_ATOM_LOC, DVMI_ATOM_FAULT, DVMI_ATOM_CLASH };

/* Something a final state is asked for; each distinct one once. A clash has its page alone. */
struct dvmi_atom {
	uint8_t kind;
	uint8_t thread, reg;
	uint16_t loc;
	/* fault: any label when label[0] is 0; any address when page is 255; kind 0: any */
	char label[DVMI_NAME_MAX];
	uint8_t page;
	bool desc;     /* fault: about the page's descriptor */
	uint8_t fault; /* enum dvmi_outcome, or DVMI_OUT_OK for any */
	bool w_reg;    /* written as Wn */
};

enum dvmi_cond_kind {
	DVMI_COND_TRUE,
	DVMI_COND_FALSE,
	DVMI_COND_EQ,	   /* atom == value */
	DVMI_COND_ATOM_EQ, /* atom == other atom */
	DVMI_COND_FAULT,
	DVMI_COND_NOT,
	DVMI_COND_AND,
	DVMI_COND_OR,
	DVMI_COND_IMPLIES,
};

struct dvmi_cond {
	uint8_t kind;
	uint16_t atom, other;
	uint64_t value;
	int a, b; /* operands: indexes */
};

enum dvmi_quantifier { DVMI_EXISTS, DVMI_NOT_EXISTS, DVMI_FORALL };
#define DVMI_CONDS_MAX 256

struct dvm_litmus {
	char file[256];
	char name[128];
	bool tlbid;			  /* TLBID=: PEs are in TLBI domains */
	uint16_t domain[DVMI_PES_MAX];	  /* their numbers; 0: in none */
	bool erratum; /* Erratum=repeat-tlbi: broadcast TLBIs complete without writes */
	uint32_t tables; /* pages whose descriptor stands for a table entry */
	bool second_mm;  /* Second-mm=x:y: there x is translated by the descriptor of y */
	uint8_t twin[DVMI_PAGES_MAX]; /* 1 + y; 0: none */
	uint32_t watch; /* pages whose clash (machine.h) is asked for */
	bool skip; /* Variant=skip: a fault skips its instruction, the thread goes on */
	struct dvmi_space space;
	unsigned threads;
	struct dvmi_thread thread[DVMI_PES_MAX];
	uint64_t init[DVMI_LOCS_MAX];
	unsigned atoms;
	struct dvmi_atom atom[DVMI_ATOMS_MAX];
	uint8_t quantifier;
	unsigned conds;
	struct dvmi_cond cond[DVMI_CONDS_MAX];
	int root;	    /* of the condition */
	int filter;	    /* executions that do not satisfy it do not count; -1: none */
	bool narrow_domain; /* a barrier names a shareability domain */
};

/* ---- reading: a cursor over the text ---- */
struct dvmi_lex {
	const char *p, *end, *line_start;
	const char *file;
	unsigned line;
	bool bad; /* an error was reported: later ones are its consequence */
	struct dvm_error *err;
};

void dvmi_lex_init(struct dvmi_lex *lex, const char *file, const char *text, size_t size,
		   struct dvm_error *err);
/* Skip blanks, newlines and comments. Returns 0, or an error for a comment without an end. */
int dvmi_lex_blank(struct dvmi_lex *lex);
int dvmi_lex_peek(const struct dvmi_lex *lex); /* the next character; -1 at the end */
unsigned dvmi_lex_column(const struct dvmi_lex *lex);
bool dvmi_lex_eat(struct dvmi_lex *lex, const char *text); /* blanks after it too */
/* A word of letters, digits, '_', '.', and "-" when @dash; empty: returns 0 characters. */
size_t dvmi_lex_word(struct dvmi_lex *lex, char *word, size_t size, bool dash);
bool dvmi_lex_number(struct dvmi_lex *lex, uint64_t *value);
int dvmi_lex_fail(struct dvmi_lex *lex, const char *fmt, ...) DVMI_PRINTF(2, 3);

struct dvmi_litmus_parser {
	struct dvmi_lex lex;
	struct dvm_litmus *test;
};

/* litmus_value.c: variables, registers, values */
int dvmi_litmus_var(struct dvmi_litmus_parser *p, const char *name, unsigned *page);
/* What a fault may be about: x, or *@desc: pte_x, PTE(x). The word is already read. */
int dvmi_litmus_fault_place(struct dvmi_litmus_parser *p, const char *word, unsigned *page, bool *desc);
bool dvmi_litmus_reg(const char *word, uint8_t *reg, uint8_t *width);
int dvmi_litmus_value(struct dvmi_litmus_parser *p, unsigned own_page, uint64_t *value);
/* A memory location: x, [x], x[1], [x+8], pte_x, PTE(x), TTD(x), phy_x, PA(x). */
int dvmi_litmus_loc(struct dvmi_litmus_parser *p, uint16_t *loc);
/* litmus_tthm.c: hardware update of descriptors */
int dvmi_litmus_tthm(struct dvmi_litmus_parser *p, const char *list);
int dvmi_litmus_age(struct dvmi_litmus_parser *p);
int dvmi_litmus_thread(struct dvmi_litmus_parser *p, const char *word, unsigned *thread);
/* litmus_insn.c: one cell of the program */
int dvmi_litmus_cell(struct dvmi_litmus_parser *p, struct dvmi_thread *t);
/* litmus_cond.c */
int dvmi_litmus_condition(struct dvmi_litmus_parser *p);
int dvmi_litmus_filter(struct dvmi_litmus_parser *p);
int dvmi_litmus_locations(struct dvmi_litmus_parser *p);

/*
 * @shown: what one finished execution shows of each atom: a value, or the outcome of a fault that
 * happened (0: it did not).
 */
bool dvmi_cond_holds(const struct dvm_litmus *test, int cond, const uint64_t *shown);
void dvmi_cond_print(struct dvmi_buf *buf, const struct dvm_litmus *test, int cond);
void dvmi_atom_print(struct dvmi_buf *buf, const struct dvm_litmus *test, unsigned atom);
/* ",x" or ",PTE(x)": what a fault is about, when the test says it. */
void dvmi_fault_place_print(struct dvmi_buf *buf, const struct dvm_litmus *test,
			    const struct dvmi_atom *a);

/* ---- paths: the ways a thread can go ---- */
#define DVMI_PATH_MAX 128
#define DVMI_PATH_FAULTS 8
struct dvmi_path {
	unsigned length;
	struct dvmi_path_step {
		uint8_t insn;
		uint8_t outcome; /* of an access: enum dvmi_outcome */
		bool update;	 /* the walk sets AF or dirty state */
		bool taken;	 /* branch taken, exclusive or compare succeeded, MSR delayed */
	} step[DVMI_PATH_MAX];
};

struct dvmi_paths {
	struct dvmi_path *path;
	size_t count, capacity;
	bool cut;
};

/* Every path of thread @t in which no instruction runs more than @unroll times. */
int dvmi_paths_enumerate(const struct dvm_litmus *test, unsigned t, unsigned unroll,
			 struct dvmi_paths *paths, struct dvm_error *err);
void dvmi_paths_fini(struct dvmi_paths *paths);

/* Where registers and faults of a built thread are found. */
struct dvmi_built {
	uint16_t reg[DVMI_REGS]; /* node */
	unsigned faults;
	struct {
		uint8_t insn, outcome;
		uint16_t addr;
	} fault[DVMI_PATH_FAULTS];
};

/* Append thread @t, going path @path, as a PE of @prog. 1: the path contradicts itself. */
int dvmi_path_build(const struct dvm_litmus *test, unsigned t, const struct dvmi_path *path,
		    struct dvmi_program *prog, struct dvmi_built *built, struct dvm_error *err);

#endif
