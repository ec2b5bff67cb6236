/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_SCENARIO_H
#define DVMI_CHECK_SCENARIO_H

#include "base/buf.h"
#include "program/program.h"

#include <dvmsim/scenario.h>

/*
 * From a strategy program and a scenario to litmus tests. A test has one column per CPU; hooks are
 * translated instruction by instruction (scenario_xlat.c), and the kernel's own steps around them
 * are added (scenario_build.c). docs/checker-scenarios.md says what each scenario stands for.
 */
enum {
	DVMI_SCN_CPUS = 3,
	DVMI_SCN_LINES = 64, /* of one column: what the litmus front end takes */
	DVMI_SCN_LABELS = 64,
	DVMI_SCN_LOCS = 16,
	DVMI_SCN_WORD_REGS = 9,	 /* X22 .. X30 hold addresses of words */
	DVMI_SCN_FIRST_REG = 10, /* register r of the strategy is X(10 + r) */
	DVMI_SCN_WHY = 240,
	DVMI_SCN_STEPS = 4096, /* of one hook, when the test is made */
};

/* Which mm a hook's `mm`, `prev` and `next` are. */
enum dvmi_scn_mm { DVMI_SCN_THE_MM, DVMI_SCN_OTHER_MM };

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
	uint8_t loc[DVMI_SCN_WORD_REGS];
	unsigned locs;
	const char *title;
	bool away; /* the mm is never installed here */
};

struct dvmi_scn_test {
	const struct dvmi_program *p;
	struct dvmi_scn_words words;
	struct dvmi_scn_column col[DVMI_SCN_CPUS];
	unsigned cols;
	uint16_t origin; /* of the lines being added */
	bool moves;	 /* the flusher changes CPUs */
	struct {
		char name[32];
		uint64_t init;
	} loc[DVMI_SCN_LOCS];
	unsigned locs;
	char name[96], what[DVMI_SCN_WHY];
	char condition[96];
	char why[DVMI_SCN_WHY]; /* not empty: this can not be translated, and why */
};

/* What is known at one point of a translation. */
struct dvmi_scn_state {
	uint64_t value[DVMI_REGS];
	uint16_t known; /* one bit per register */
	uint16_t pc, section, restarts;
	uint8_t pinned[3]; /* depth of each protection */
	uint8_t pad;
};

struct dvmi_scn_move {
	unsigned at; /* instruction before which it happens */
	bool reached;
	uint16_t save; /* registers that go through memory */
	struct dvmi_scn_state state;
};

/* One run of a hook in a column. */
struct dvmi_scn_hook {
	enum dvmi_hook hook;
	unsigned column, cpu, task;
	enum dvmi_scn_mm mm; /* the other one is prev of switch-in, next of switch-out */
	bool whole_mm;	     /* the request is for the mm, not for a page */
	uint64_t fields[DVMI_FIELDS];
	/* Where the task is switched out, and the label it then goes to; NULL: nowhere. */
	struct dvmi_scn_move *move;
	int moved_label;
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
void dvmi_scn_unsupported(struct dvmi_scn_test *t, const struct dvmi_insn *insn, const char *what);
/* The finished test in litmus syntax. */
int dvmi_scn_text(const struct dvmi_scn_test *t, char **text);
/* Where its lines come from, for witnesses (check/witness.h); freed with dvmi_free(). */
struct dvmi_origins;
int dvmi_scn_origins(const struct dvmi_scn_test *t, struct dvmi_origins **origins);

/* ---- scenario_xlat.c ---- */
/* Append @h to its column; where it returns, the column goes on. */
void dvmi_scn_hook(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h);

/* ---- scenario_words.c ---- */
/* Storage of the word an access means, and its name in the test. */
uint64_t *dvmi_scn_word(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h,
			const struct dvmi_insn *insn, unsigned cpu, char *name, size_t size);
/* Registers that instruction @pc and what follows may still read. */
uint16_t dvmi_scn_live(const struct dvmi_program *p, unsigned pc);
void dvmi_scn_words_init(const struct dvmi_program *p, struct dvmi_scn_words *w);
/* Carry a hook out on @t->words alone: what happened before the test begins. */
void dvmi_scn_before(struct dvmi_scn_test *t, const struct dvmi_scn_hook *h);

/* ---- scenario_build.c ---- */
/* Make test @index, from 0. 1: made; 0: there is none, try the next; -1: there are no more. */
int dvmi_scn_build(const struct dvmi_program *p, unsigned scenario, unsigned index,
		   struct dvmi_scn_test *t);
extern const struct dvmi_scn_info {
	const char *name, *text;
} dvmi_scn_info[];
unsigned dvmi_scn_count(void);

#endif
