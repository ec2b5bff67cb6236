/* SPDX-License-Identifier: MIT */
/* The scenarios: who runs where, which kernel steps stand around the strategy's hooks. */
#include "check/scenario.h"

#include <stdio.h>
#include <string.h>

/* How the page is used by the thread that must not use its old translation. */
enum use { USE_LOAD, USE_STORE, USE_OWN_LOAD };
static const char *const use_names[] = {"load", "store", "own-load"};

struct plan {
	struct dvmi_scn_test *t;
	bool whole_mm, foreign;
	enum use use;
	const char *request; /* "page" or "mm" */
};

static void fields(const struct plan *pl, uint64_t *f, bool active_is_mm)
{
	f[DVMI_ENV_CPUS] = DVMI_SCN_CPUS;
	f[DVMI_REQ_KIND] = pl->whole_mm ? DVMI_KIND_MM : DVMI_KIND_PAGE;
	f[DVMI_REQ_FULLASID] = pl->whole_mm;
	f[DVMI_REQ_PAGES] = !pl->whole_mm;
	f[DVMI_REQ_OPS] = 1;
	f[DVMI_REQ_FOREIGN] = pl->foreign;
	f[DVMI_CUR_IS_MM] = !pl->foreign;
	f[DVMI_ACTIVE_IS_MM] = active_is_mm;
	f[DVMI_ENV_LAZY] = pl->foreign;
	f[DVMI_ALLOC_PATH] = DVMI_PATH_FRESH;
}

static struct dvmi_scn_hook hook(const struct plan *pl, enum dvmi_hook which, unsigned column,
				 unsigned cpu, enum dvmi_scn_mm mm)
{
	struct dvmi_scn_hook h = {.hook = which,
				  .column = column,
				  .cpu = cpu,
				  .task = cpu,
				  .mm = mm,
				  .whole_mm = pl->whole_mm};

	fields(pl, h.fields, true);
	return h;
}

static void before(const struct plan *pl, enum dvmi_hook which, unsigned cpu, enum dvmi_scn_mm mm)
{
	struct dvmi_scn_hook h = hook(pl, which, 0, cpu, mm);

	dvmi_scn_before(pl->t, &h);
}

/* An mm is made, gets its ASID and is installed for the first time. */
static void first_run(const struct plan *pl, unsigned cpu, enum dvmi_scn_mm mm)
{
	before(pl, DVMI_HOOK_MM_NEW, cpu, mm);
	before(pl, DVMI_HOOK_ASID_ALLOC, cpu, mm);
	before(pl, DVMI_HOOK_SWITCH_IN, cpu, mm);
}

/* ---- pieces of columns ---- */

static unsigned column(struct dvmi_scn_test *t, const char *title)
{
	unsigned c = t->cols++;

	t->col[c].pending = -1;
	t->col[c].title = title;
	dvmi_scn_line(t, c, "LSR X9,X1,#12"); /* operand of TLBIs by address */
	return c;
}

/* The page-table store that makes the flush necessary. */
static void unmap(struct dvmi_scn_test *t, unsigned c)
{
	dvmi_scn_line(t, c, "STR X3,[X2]");
	dvmi_scn_note(t, c, "kernel: unmap x");
}

/* The flush has returned: the page gets new contents, through another mapping. */
static void reuse(struct dvmi_scn_test *t, unsigned c)
{
	dvmi_scn_line(t, c, "MOV X6,#2");
	dvmi_scn_line(t, c, "STR W6,[X5]");
	dvmi_scn_note(t, c, "kernel: the page has a new use");
}

static void use_page(const struct plan *pl, unsigned c)
{
	if (pl->use == USE_STORE) {
		dvmi_scn_line(pl->t, c, "MOV X4,#1");
		dvmi_scn_line(pl->t, c, "STR W4,[X1]");
	} else {
		dvmi_scn_line(pl->t, c, "LDR W4,[X1]");
	}
	dvmi_scn_note(pl->t, c, pl->use == USE_STORE ? "user: store to x" : "user: load of x");
}

static void condition(const struct plan *pl, unsigned user, unsigned reuser)
{
	struct dvmi_scn_test *t = pl->t;

	if (pl->use == USE_STORE)
		snprintf(t->condition, sizeof(t->condition), "[x]=1 /\\ %u:X6=2", reuser);
	else
		snprintf(t->condition, sizeof(t->condition), "%u:X4=2", user);
}

static void switch_to(struct dvmi_scn_test *t, unsigned c)
{
	dvmi_scn_line(t, c, "DSB ISH");
	dvmi_scn_note(t, c, "kernel: DSB ISH in __switch_to()");
}

/*
 * CPU @cpu installs the mm for the first time: nothing of it is in this TLB. The local TLBI stands
 * for that; it is where MSR TTBR0_EL1 is, ordered as an MSR is, and completed by a DSB the kernel
 * has there anyway.
 */
static void switch_to_the_mm(const struct plan *pl, unsigned c, unsigned cpu)
{
	struct dvmi_scn_hook in = hook(pl, DVMI_HOOK_SWITCH_IN, c, cpu, DVMI_SCN_THE_MM);
	struct dvmi_scn_hook out = hook(pl, DVMI_HOOK_SWITCH_OUT, c, cpu, DVMI_SCN_OTHER_MM);

	dvmi_scn_hook(pl->t, &in);
	dvmi_scn_line(pl->t, c, "TLBI VAAE1,X9");
	dvmi_scn_note(pl->t, c, "kernel: MSR TTBR0_EL1, the mm is installed");
	pl->t->col[c].line[pl->t->col[c].lines - 1].installs = true;
	dvmi_scn_line(pl->t, c, "ISB");
	dvmi_scn_note(pl->t, c, "kernel: ISB, after the write of TTBR0_EL1");
	dvmi_scn_hook(pl->t, &out);
	switch_to(pl->t, c);
}

static void return_to_user(struct dvmi_scn_test *t, unsigned c)
{
	dvmi_scn_line(t, c, "ISB");
	dvmi_scn_note(t, c, "kernel: return to user mode");
}

static void flush(const struct plan *pl, unsigned c, unsigned cpu, bool active_is_mm)
{
	struct dvmi_scn_hook h = hook(pl, DVMI_HOOK_FLUSH, c, cpu, DVMI_SCN_THE_MM);

	fields(pl, h.fields, active_is_mm);
	unmap(pl->t, c);
	dvmi_scn_hook(pl->t, &h);
	reuse(pl->t, c);
}

static void describe(const struct plan *pl, const char *scenario, const char *sub,
		     const char *story)
{
	struct dvmi_scn_test *t = pl->t;

	snprintf(t->name, sizeof(t->name), "%s%s%s-%s-%s", scenario, sub[0] ? "-" : "", sub,
		 pl->request, use_names[pl->use]);
	snprintf(t->what, sizeof(t->what), "%s; %s is flushed; %s", story,
		 pl->whole_mm ? "the whole mm" : "one page",
		 pl->use == USE_LOAD	? "the other thread loads"
		 : pl->use == USE_STORE ? "the other thread stores"
					: "the same thread loads");
}

/* ---- scenarios without migration ---- */

static int arrive(struct plan *pl, unsigned flusher_cpu, const char *scenario, const char *sub,
		  const char *story)
{
	struct dvmi_scn_test *t = pl->t;
	unsigned f, v;

	describe(pl, scenario, sub, story);
	first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->foreign && !flusher_cpu)
		before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM); /* lazy TLB keeps the mm */
	first_run(pl, 1, DVMI_SCN_OTHER_MM);
	f = column(t, flusher_cpu ? "CPU 2, the flusher" : "CPU 0, the flusher");
	v = column(t, "CPU 1, where the mm arrives");
	t->col[f].away = flusher_cpu != 0;
	flush(pl, f, flusher_cpu, flusher_cpu == 0);
	switch_to_the_mm(pl, v, 1);
	return_to_user(t, v);
	use_page(pl, v);
	condition(pl, v, f);
	return 1;
}

static int build_arrive(struct plan *pl, unsigned variant)
{
	if (variant > USE_STORE)
		return -1;
	pl->use = (enum use)variant;
	return arrive(pl, 0, "arrive", "",
		      "the mm ran on CPU 0 only and arrives on CPU 1 during "
		      "the flush");
}

static int running(struct plan *pl, unsigned flusher_cpu, unsigned user_cpu, const char *scenario,
		   const char *sub, const char *story)
{
	struct dvmi_scn_test *t = pl->t;
	unsigned f, v;

	describe(pl, scenario, sub, story);
	first_run(pl, 0, DVMI_SCN_THE_MM);
	if (user_cpu)
		before(pl, DVMI_HOOK_SWITCH_IN, user_cpu, DVMI_SCN_THE_MM);
	f = column(t, flusher_cpu ? "CPU 2, the flusher" : "CPU 0, the flusher");
	v = column(t, user_cpu ? "CPU 1, where the mm runs" : "CPU 0, where the mm runs");
	t->col[f].away = flusher_cpu != 0;
	flush(pl, f, flusher_cpu, flusher_cpu == 0);
	use_page(pl, v);
	condition(pl, v, f);
	return 1;
}

static int build_second(struct plan *pl, unsigned variant)
{
	if (variant > USE_STORE)
		return -1;
	pl->use = (enum use)variant;
	return running(pl, 0, 1, "second-thread", "", "another thread of the mm runs on CPU 1");
}

static int build_stay(struct plan *pl, unsigned variant)
{
	struct dvmi_scn_test *t = pl->t;
	unsigned c;

	if (variant)
		return -1;
	pl->use = USE_OWN_LOAD;
	describe(pl, "stay", "", "the mm runs on CPU 0 only");
	first_run(pl, 0, DVMI_SCN_THE_MM);
	c = column(t, "CPU 0, the flusher and user");
	flush(pl, c, 0, true);
	return_to_user(t, c);
	use_page(pl, c);
	condition(pl, c, c);
	return 1;
}

static int build_foreign(struct plan *pl, unsigned variant)
{
	pl->foreign = true;
	pl->use = (enum use)(variant % 2);
	switch (variant / 2) {
	case 0:
		return running(pl, 2, 0, "foreign", "remote",
			       "a kernel thread on CPU 2 flushes, the "
			       "mm runs on CPU 0");
	case 1:
		return arrive(pl, 0, "foreign", "same-cpu",
			      "a kernel thread on CPU 0 flushes, where "
			      "the mm ran; the mm arrives on CPU 1");
	case 2:
		return arrive(pl, 2, "foreign", "remote-arrive",
			      "a kernel thread on CPU 2 flushes, "
			      "the mm ran on CPU 0 and arrives on CPU 1");
	default:
		return -1;
	}
}

/* ---- migration ---- */

/* CPU 0 until the flusher has left it, then the mm's other thread. */
static void leave_column(const struct plan *pl, unsigned c, struct dvmi_scn_move *move)
{
	struct dvmi_scn_hook h = hook(pl, DVMI_HOOK_FLUSH, c, 0, DVMI_SCN_THE_MM);
	struct dvmi_scn_hook same = hook(pl, DVMI_HOOK_SWITCH_SAME, c, 0, DVMI_SCN_THE_MM);
	struct dvmi_scn_test *t = pl->t;
	unsigned on_cpu = dvmi_scn_loc(t, c, "off_cpu", 0);
	int stop = dvmi_scn_new_label(t, c);

	h.move = move;
	h.moved_label = dvmi_scn_new_label(t, c);
	unmap(t, c);
	dvmi_scn_hook(t, &h);
	dvmi_scn_use_label(t, c, stop);
	dvmi_scn_line(t, c, "B L%d", stop); /* it returned without a move: the other scenarios */
	dvmi_scn_put_label(t, c, h.moved_label);
	dvmi_scn_hook(t, &same);
	switch_to(t, c);
	dvmi_scn_line(t, c, "MOV X8,#1");
	dvmi_scn_line(t, c, "STLR X8,[X%u]", on_cpu);
	dvmi_scn_note(t, c, "kernel: finish_task() clears on_cpu; the flusher may run elsewhere");
	return_to_user(t, c);
	if (pl->use != USE_OWN_LOAD)
		use_page(pl, c);
	dvmi_scn_put_label(t, c, stop);
	dvmi_scn_line(t, c, "NOP");
}

/* CPU 1 from the moment the flusher may run there. */
static void join_column(const struct plan *pl, unsigned c, const struct dvmi_scn_move *move)
{
	struct dvmi_scn_hook h = hook(pl, DVMI_HOOK_FLUSH, c, 1, DVMI_SCN_THE_MM);
	struct dvmi_scn_test *t = pl->t;
	unsigned on_cpu = dvmi_scn_loc(t, c, "off_cpu", 0);
	int stop = dvmi_scn_new_label(t, c);

	h.task = 0;
	h.from_move = move;
	fields(pl, h.fields, !pl->foreign);
	t->col[c].away = pl->foreign;
	dvmi_scn_line(t, c, "LDAR X8,[X%u]", on_cpu);
	dvmi_scn_note(t, c, "kernel: the scheduler takes the flusher here");
	dvmi_scn_use_label(t, c, stop);
	dvmi_scn_line(t, c, "CBZ X8,L%d", stop);
	if (pl->foreign)
		switch_to(t, c); /* the mm does not come along */
	else
		switch_to_the_mm(pl, c, 1);
	dvmi_scn_hook(t, &h);
	reuse(t, c);
	if (pl->use == USE_OWN_LOAD) {
		return_to_user(t, c);
		use_page(pl, c);
	}
	dvmi_scn_put_label(t, c, stop);
	dvmi_scn_line(t, c, "NOP");
}

static void both_columns(const struct plan *pl, struct dvmi_scn_move *move)
{
	struct dvmi_scn_test *t = pl->t;
	const struct dvmi_program *p = t->p;

	memset(t, 0, sizeof(*t));
	t->p = p;
	t->moves = true;
	dvmi_scn_words_init(p, &t->words);
	first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->foreign)
		before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM);
	first_run(pl, 1, DVMI_SCN_OTHER_MM);
	move->reached = false;
	leave_column(pl, column(t, "CPU 0, the flusher until it moves; then the mm's other thread"),
		     move);
	if (move->reached)
		join_column(pl, column(t, "CPU 1, the flusher after its move"), move);
}

static int migrate(struct plan *pl, unsigned at, const char *scenario)
{
	struct dvmi_scn_move move = {.at = at};
	const struct dvmi_program *p = pl->t->p;
	const struct dvmi_insn *insn = &p->insns[at];
	char sub[32], story[128];
	unsigned next;

	if (insn->pure && insn->op != DVMI_RET)
		return 0;	 /* the same as moving before the next effect */
	both_columns(pl, &move); /* what is known when it moves? */
	if (!move.reached && !pl->t->why[0])
		return 0;
	next = move.state.section ? p->insns[move.state.section - 1].target : at;
	move.save = dvmi_scn_live(p, next) & (uint16_t)~move.state.known;
	both_columns(pl, &move);
	snprintf(sub, sizeof(sub), "line%u", (unsigned)insn->line);
	snprintf(story, sizeof(story),
		 "the flusher moves from CPU 0 to CPU 1 before line %u ('%s')%s",
		 (unsigned)insn->line, dvmi_op_names[insn->op],
		 move.state.section ? ", which restarts its section" : "");
	describe(pl, scenario, sub, story);
	condition(pl, pl->use == USE_OWN_LOAD ? 1 : 0, 1);
	return 1;
}

static int build_migrate(struct plan *pl, unsigned variant)
{
	if (variant / 3 >= pl->t->p->insns_count)
		return -1;
	pl->use = (enum use)(variant % 3);
	return migrate(pl, variant / 3, "migrate");
}

static int build_foreign_migrate(struct plan *pl, unsigned variant)
{
	if (variant / 2 >= pl->t->p->insns_count)
		return -1;
	pl->foreign = true;
	pl->use = (enum use)(variant % 2);
	return migrate(pl, variant / 2, "foreign-migrate");
}

/* ---- the list ---- */

const struct dvmi_scn_info dvmi_scn_info[] = {
	{"arrive", "The mm ran on CPU 0 only; its thread there flushes while another thread of it "
		   "arrives on CPU 1."},
	{"second-thread", "The mm runs on CPUs 0 and 1; the thread on CPU 0 flushes."},
	{"stay", "The mm runs on CPU 0 only; its thread there flushes, returns and uses the page."},
	{"migrate", "The flusher, a thread of the mm, moves once from CPU 0 to CPU 1, at every "
		    "step where the strategy permits it."},
	{"foreign", "A kernel thread flushes: on CPU 2 while the mm runs on CPU 0, on CPU 0 or 2 "
		    "while the mm arrives on CPU 1."},
	{"foreign-migrate",
	 "A kernel thread flushes and moves once from CPU 0, where the mm stays, "
	 "to CPU 1, at every step where the strategy permits it."},
};

unsigned dvmi_scn_count(void)
{
	return sizeof(dvmi_scn_info) / sizeof(dvmi_scn_info[0]);
}

int dvmi_scn_build(const struct dvmi_program *p, unsigned scenario, unsigned index,
		   struct dvmi_scn_test *t)
{
	static int (*const build[])(struct plan * pl, unsigned variant) = {
		build_arrive,  build_second,  build_stay,
		build_migrate, build_foreign, build_foreign_migrate,
	};
	struct plan pl = {.t = t, .whole_mm = index % 2, .request = index % 2 ? "mm" : "page"};

	memset(t, 0, sizeof(*t));
	t->p = p;
	dvmi_scn_words_init(p, &t->words);
	return build[scenario](&pl, index / 2);
}
