/* SPDX-License-Identifier: MIT */
/* Making the tests of a scenario, the list of scenarios, and those in which nobody moves. */
#include "check/scenario_plan.h"

#include <stdio.h>
#include <string.h>

static const char *const use_names[] = {"load", "store", "own-load", "own-store", "walk"};
static const char *const use_texts[] = {
	"the other thread loads", "the other thread stores", "the same thread loads",
	"the same thread stores", "the walker of the other CPU reads the freed table"};

/* ---- making tests ---- */

static void describe(struct dvmi_plan *pl)
{
	static const char *const suffix[] = {"", "-domain", "-domains"};
	static const char *const machine[] = {"", "; all CPUs are one TLBI domain",
					      "; each CPU is a TLBI domain"};
	unsigned d = pl->env.domains < 2 ? pl->env.domains : 2;
	const char *load = pl->env.loaded ? "-loaded" : "";
	struct dvmi_scn_test *t = pl->t;
	char at[40] = "";
	size_t n = 0;

	for (unsigned c = 0; c < DVMI_SCN_CPUS; c++)
		if (pl->ipi_points[c] > 1)
			n += (size_t)snprintf(at + n, sizeof(at) - n, "-irq%u.%u", c, pl->ipi_at[c]);
	if (pl->reissue) { /* nothing is flushed by the strategy's flush */
		snprintf(t->name, sizeof(t->name), "%s-%s%s%s", pl->scenario, use_names[pl->use],
			 suffix[d], load);
		snprintf(t->what, sizeof(t->what), "%s; its thread %s%s", pl->story,
			 pl->use == DVMI_USE_STORE ? "stores" : "loads", machine[d]);
		return;
	}
	snprintf(t->name, sizeof(t->name), "%s%s%s-%s-%s%s%s%s", pl->scenario,
		 pl->sub[0] ? "-" : "", pl->sub, pl->whole_mm ? "mm" : "page", use_names[pl->use], at,
		 suffix[d], load);
	snprintf(t->what, sizeof(t->what), "%s; %s is flushed; %s%s", pl->story,
		 pl->whole_mm ? "the whole mm" : "one page", use_texts[pl->use], machine[d]);
}

static void begin(struct dvmi_plan *pl)
{
	struct dvmi_scn_test *t = pl->t;

	memset(t, 0, sizeof(*t));
	t->p = pl->p;
	t->env = pl->env;
	t->moves = pl->moves != 0;
	t->asid_in_memory = pl->asid_in_memory;
	t->remaps = pl->remap;
	t->second_mm = pl->reissue;
	t->tables = pl->freed;
	t->unfolded = pl->unfolded;
	dvmi_scn_words_init(pl->p, pl->users, &t->words);
	memset(pl->ipi_points, 0, sizeof(pl->ipi_points));
	for (unsigned i = 0; i < pl->moves; i++)
		pl->move[i].reached = false;
}

static void finish(struct dvmi_scn_test *t)
{
	for (unsigned c = 0; c < t->cols; c++) {
		dvmi_scn_put_label(t, c, t->col[c].stop);
		dvmi_scn_line(t, c, "NOP");
	}
}

/* What the flusher knows at its moves decides what it must save, so moves take two rounds. */
static bool two_rounds(struct dvmi_plan *pl, dvmi_columns_fn *columns)
{
	for (unsigned i = 0; i < pl->moves; i++)
		pl->move[i].save = 0;
	begin(pl);
	columns(pl);
	for (unsigned i = 0; i < pl->moves; i++) {
		struct dvmi_scn_move *m = &pl->move[i];
		const struct dvmi_scn_state *s = &m->state;
		unsigned next = m->at;

		if (!m->reached)
			return pl->t->why[0] != 0;
		if (s->section)
			next = pl->p->insns[s->section - 1].target;
		m->save = (dvmi_scn_live(pl->p, next) | dvmi_scn_live(pl->p, m->at)) & ~s->known;
	}
	if (pl->moves && !pl->t->why[0]) {
		begin(pl);
		columns(pl);
	}
	return true;
}

static bool build(struct dvmi_plan *pl, dvmi_columns_fn *columns)
{
	bool made;

	pl->unfolded = pl->choice->unfolded;
	made = two_rounds(pl, columns);
	if (!made || !pl->t->unfold)
		return made;
	pl->unfolded = true;
	return two_rounds(pl, columns);
}

int dvmi_plan_run(struct dvmi_plan *pl, dvmi_columns_fn *columns)
{
	unsigned c;
	int rc;

	memset(pl->ipi_at, 0, sizeof(pl->ipi_at));
	do {
		if (!build(pl, columns))
			return 0;
		finish(pl->t);
		describe(pl);
		rc = pl->emit(pl->arg, pl->t);
		if (rc)
			return rc;
		for (c = 0; c < DVMI_SCN_CPUS; c++) {
			if (++pl->ipi_at[c] < pl->ipi_points[c])
				break;
			pl->ipi_at[c] = 0;
		}
	} while (c < DVMI_SCN_CPUS);
	return 0;
}

int dvmi_plan_uses(struct dvmi_plan *pl, unsigned uses, dvmi_columns_fn *columns)
{
	int rc = 0;

	for (unsigned u = 0; u <= DVMI_USE_WALK; u++)
		for (unsigned mm = 0; mm < 2 && !rc; mm++) {
			if (!(uses >> u & 1) || (pl->batch && mm))
				continue;
			pl->use = (enum dvmi_use)u;
			pl->whole_mm = mm;
			rc = dvmi_plan_run(pl, columns);
		}
	return rc;
}

#define LOAD_STORE (DVMI_USES(DVMI_USE_LOAD) | DVMI_USES(DVMI_USE_STORE))

/* ---- arrive ---- */

/* variant: the flusher's CPU, 0 or 2 */
static void arrive_columns(struct dvmi_plan *pl)
{
	unsigned cpu = pl->variant, f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (pl->foreign && !cpu)
		dvmi_plan_before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM); /* lazy TLB */
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = 1 << 1;
	f = dvmi_plan_column(pl, cpu ? "CPU 2, the flusher" : "CPU 0, the flusher");
	pl->t->col[f].away = cpu != 0;
	v = dvmi_plan_column(pl, "CPU 1, where the mm arrives");
	dvmi_plan_flush(pl, f, cpu, cpu == 0);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_switch_in(pl, v, 1, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_condition(pl, v, pl->remote ? dvmi_plan_taker(pl) : f);
}

int dvmi_scn_arrive(struct dvmi_plan *pl)
{
	pl->users = 2;
	pl->story = "the mm ran on CPU 0 only and arrives on CPU 1 during the flush";
	return dvmi_plan_uses(pl, LOAD_STORE, arrive_columns);
}

/* ---- second-thread ---- */

/* variant: 0 the flusher is a thread on CPU 0, the user on CPU 1; 1: foreign, CPU 2 and CPU 0 */
static void second_columns(struct dvmi_plan *pl)
{
	unsigned flusher = pl->variant ? 2 : 0, user = pl->variant ? 0 : 1, f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (user)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, user, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = 1u << user;
	f = dvmi_plan_column(pl, flusher ? "CPU 2, the flusher" : "CPU 0, the flusher");
	pl->t->col[f].away = flusher != 0;
	v = dvmi_plan_column(pl, user ? "CPU 1, where the mm runs" : "CPU 0, where the mm runs");
	dvmi_plan_flush(pl, f, flusher, flusher == 0);
	dvmi_plan_irq(pl, v, user);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, user);
	dvmi_plan_condition(pl, v, pl->remote ? dvmi_plan_taker(pl) : f);
}

int dvmi_scn_second(struct dvmi_plan *pl)
{
	pl->users = 2;
	pl->story = "another thread of the mm runs on CPU 1";
	return dvmi_plan_uses(pl, LOAD_STORE, second_columns);
}

/* ---- stay ---- */

static void stay_columns(struct dvmi_plan *pl)
{
	unsigned c;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	c = dvmi_plan_column(pl, "CPU 0, the flusher and user");
	dvmi_plan_flush(pl, c, 0, true);
	dvmi_plan_to_user(pl, c);
	dvmi_plan_use(pl, c);
	dvmi_plan_condition(pl, c, c);
}

int dvmi_scn_stay(struct dvmi_plan *pl)
{
	pl->users = 1;
	pl->story = "the mm runs on CPU 0 only";
	return dvmi_plan_uses(pl, DVMI_USES(DVMI_USE_OWN_LOAD), stay_columns);
}

/* ---- return ---- */

/* variant bit 0: CPU 0 idled with the mm (else another mm ran); bit 1: the flusher itself returns */
static void return_columns(struct dvmi_plan *pl)
{
	bool idled = pl->variant & 1, self = pl->variant & 2;
	unsigned f, v;

	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->lazy_is_idle = true;
	if (idled)
		dvmi_plan_before(pl, DVMI_HOOK_IDLE, 0, DVMI_SCN_THE_MM);
	else
		dvmi_plan_left(pl, 0);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_SWITCH_OUT, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = self ? 0 : 1;
	f = dvmi_plan_column(pl, "CPU 1, the flusher");
	v = dvmi_plan_column(pl, "CPU 0, to which the mm returns");
	pl->t->ipi_cpus = 1;
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_flush(pl, f, 1, true);
	if (self) {
		dvmi_plan_switch_away(pl, f, 1);
		dvmi_plan_give(pl, f, "off_cpu");
		dvmi_plan_wait(pl, v, "off_cpu");
	}
	if (idled)
		dvmi_plan_come_back(pl, v, 0);
	else
		dvmi_plan_switch_in(pl, v, 0, DVMI_AGAIN);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_return(struct dvmi_plan *pl)
{
	static const struct {
		const char *sub, *story;
	} v[] = {
		{"other", "the mm ran on CPU 0, then another mm; it runs on CPU 1 and returns"},
		{"idle", "the mm ran on CPU 0, which idles with it; it runs on CPU 1 and returns"},
		{"self-other", "the only thread moved from CPU 0 to CPU 1, flushes there and "
			       "returns; another mm was on CPU 0"},
		{"self-idle", "the only thread moved from CPU 0 to CPU 1, flushes there and "
			      "returns; CPU 0 idled with the mm"},
	};
	int rc = 0;

	for (unsigned i = 0; i < 4 && !rc; i++) {
		pl->variant = i;
		pl->users = i & 2 ? 1 : 2;
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		rc = dvmi_plan_uses(pl,
				    i & 2 ? DVMI_USES(DVMI_USE_OWN_LOAD) : LOAD_STORE,
				    return_columns);
	}
	return rc;
}

/* ---- foreign ---- */

/* The mm has not run anywhere; the flusher is on CPU 2 (exec's stack shift, a fork that fails). */
static void unused_columns(struct dvmi_plan *pl)
{
	unsigned f, v;

	dvmi_plan_before(pl, DVMI_HOOK_MM_NEW, 0, DVMI_SCN_THE_MM);
	dvmi_plan_before(pl, DVMI_HOOK_ASID_ALLOC, 0, DVMI_SCN_THE_MM);
	dvmi_plan_first_run(pl, 1, DVMI_SCN_OTHER_MM);
	pl->t->ipi_cpus = 1 << 1;
	f = dvmi_plan_column(pl, "CPU 2, the flusher");
	pl->t->col[f].away = true;
	v = dvmi_plan_column(pl, "CPU 1, where the mm runs for the first time");
	dvmi_plan_flush(pl, f, 2, false);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_switch_in(pl, v, 1, DVMI_FIRST_TIME);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 1);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_foreign(struct dvmi_plan *pl)
{
	static const struct {
		const char *sub, *story;
		dvmi_columns_fn *columns;
		unsigned variant;
	} v[] = {
		{"remote", "a kernel thread on CPU 2 flushes, the mm runs on CPU 0",
		 second_columns, 1},
		{"same-cpu", "a kernel thread on CPU 0 flushes, where the mm ran; the mm arrives on CPU 1",
		 arrive_columns, 0},
		{"remote-arrive", "a kernel thread on CPU 2 flushes, the mm ran on CPU 0 and "
				  "arrives on CPU 1",
		 arrive_columns, 2},
		{"unused", "a task on CPU 2 flushes an mm that has not run yet and arrives on CPU 1",
		 unused_columns, 0},
	};
	int rc = 0;

	pl->foreign = true;
	pl->users = 1;
	for (unsigned i = 0; i < 4 && !rc; i++) {
		pl->variant = v[i].variant;
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		rc = dvmi_plan_uses(pl, LOAD_STORE, v[i].columns);
	}
	return rc;
}

/* ---- fork ---- */

int dvmi_scn_fork(struct dvmi_plan *pl)
{
	static const struct {
		const char *sub, *story;
		dvmi_columns_fn *columns;
		enum dvmi_use use;
		unsigned users;
	} v[] = {
		{"second", "the parent forks on CPU 0, another thread of it runs on CPU 1",
		 second_columns, DVMI_USE_STORE, 2},
		{"arrive", "the parent forks on CPU 0, another thread of it arrives on CPU 1",
		 arrive_columns, DVMI_USE_STORE, 2},
		{"own", "the parent forks on CPU 0 and stores itself", stay_columns,
		 DVMI_USE_OWN_STORE, 1},
	};
	int rc = 0;

	pl->frees = false; /* less is allowed, nothing is given up */
	pl->whole_mm = true; /* dup_mmap(): one flush_tlb_mm() */
	pl->harm = "the parent's store through the writable entry lands after the child's copy";
	for (unsigned i = 0; i < 3 && !rc; i++) {
		pl->sub = v[i].sub;
		pl->story = v[i].story;
		pl->use = v[i].use;
		pl->users = v[i].users;
		rc = dvmi_plan_run(pl, v[i].columns);
	}
	return rc;
}

/* ---- lazy ---- */

/* variant bit 0: the flusher is foreign, on CPU 2; bit 1: the idle task comes, else a kernel thread */
static void lazy_columns(struct dvmi_plan *pl)
{
	unsigned cpu = pl->variant & 1 ? 2 : 1, f, v;

	pl->lazy_is_idle = pl->variant & 2;
	dvmi_plan_first_run(pl, 0, DVMI_SCN_THE_MM);
	if (cpu == 1)
		dvmi_plan_before(pl, DVMI_HOOK_SWITCH_IN, 1, DVMI_SCN_THE_MM);
	pl->t->ipi_cpus = 1;
	f = dvmi_plan_column(pl, cpu == 2 ? "CPU 2, the flusher" : "CPU 1, the flusher");
	v = dvmi_plan_column(pl, "CPU 0, which keeps the mm while its thread sleeps");
	dvmi_plan_flush(pl, f, cpu, cpu == 1);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_go_lazy(pl, v, 0);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_come_back(pl, v, 0);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_to_user(pl, v);
	dvmi_plan_use(pl, v);
	dvmi_plan_irq(pl, v, 0);
	dvmi_plan_condition(pl, v, f);
}

int dvmi_scn_lazy(struct dvmi_plan *pl)
{
	static const char *const sub[] = {"kthread", "kthread-foreign", "idle", "idle-foreign"};
	static const char *const story[] = {
		"a kernel thread runs on CPU 0 for a while, the mm stays; its thread on CPU 1 flushes",
		"a kernel thread runs on CPU 0 for a while, the mm stays; a task on CPU 2 flushes",
		"CPU 0 idles for a while, the mm stays; its thread on CPU 1 flushes",
		"CPU 0 idles for a while, the mm stays; a task on CPU 2 flushes"};
	int rc = 0;

	for (unsigned i = 0; i < 4 && !rc; i++) {
		pl->variant = i;
		pl->foreign = i & 1;
		pl->users = i & 1 ? 1 : 2;
		pl->sub = sub[i];
		pl->story = story[i];
		rc = dvmi_plan_uses(pl, LOAD_STORE, lazy_columns);
	}
	return rc;
}

/* ---- reuse ---- */

int dvmi_scn_reuse(struct dvmi_plan *pl)
{
	int rc;

	pl->remote = true;
	pl->users = 2;
	pl->sub = "second";
	pl->story = "another thread runs on CPU 1; another mm gets the page, on another CPU";
	rc = dvmi_plan_uses(pl, LOAD_STORE, second_columns);
	pl->sub = "arrive";
	pl->story = "the mm arrives on CPU 1; another mm gets the page, on another CPU";
	return rc ? rc : dvmi_plan_uses(pl, LOAD_STORE, arrive_columns);
}

/* ---- the list ---- */

const struct dvmi_scn_info dvmi_scn_info[] = {
	{"arrive",
	 "The mm ran on CPU 0 only; its thread there flushes while another thread of it "
	 "arrives on CPU 1.", true},
	{"second-thread",
	 "The mm runs on CPUs 0 and 1; the thread on CPU 0 flushes.", true},
	{"stay",
	 "The mm runs on CPU 0 only; its thread there flushes, returns and uses the page.", true},
	{"return",
	 "The mm ran on CPU 0, then on CPU 1, where it is flushed; it returns to CPU 0, "
	 "whose TLB still has entries of it.", true},
	{"migrate",
	 "The flusher, a thread of the mm, moves once from CPU 0 to CPU 1, at every "
	 "step where the strategy permits it.", true},
	{"migrate-twice",
	 "The flusher moves twice, to a third CPU or back, at every pair of steps.", false},
	{"preempted",
	 "The flusher is switched out for another mm at every step and goes on on the "
	 "same CPU.", false},
	{"foreign",
	 "A kernel thread flushes: on CPU 2 while the mm runs on CPU 0, on CPU 0 or 2 "
	 "while the mm arrives on CPU 1, or an mm that never ran.", true},
	{"foreign-migrate",
	 "A kernel thread flushes and moves once from CPU 0, where the mm stays, "
	 "to CPU 1, at every step where the strategy permits it.", true},
	{"fork",
	 "The parent's page becomes read-only and the parent is flushed; then the child's "
	 "copy must not change.", true},
	{"batch",
	 "A page is added to a deferred batch, which is completed later, also after a "
	 "move to another CPU at every step.", true},
	{"fixup",
	 "NOBROADCAST: a descriptor became more permissive; the retried access must not "
	 "fault again on the CPU that executed the fix-up.", true},
	{"tables",
	 "Page tables are freed; no walker may read them after their reuse: of running "
	 "threads, of lazy CPUs, of CPUs that just leave the mm.", true},
	{"lazy",
	 "CPU 0 idles or runs a kernel thread with the mm kept, and comes back to it.", true},
	{"reuse",
	 "After the flush the page goes to another mm on a third CPU.", true},
	{"rollover",
	 "A new ASID generation has begun; CPUs flush on their way through the "
	 "allocator's slow path, and the mm keeps its ASID or gets another one.", true},
	{"new-asid",
	 "A foreign flush reads the ASID while another CPU gives the mm a new one and "
	 "switches to it.", true},
	{"kpti",
	 "Kernel page-table isolation: user mode has an ASID of its own.", true},
	{"remap",
	 "Break-before-make: x is unmapped, flushed and mapped to another page, as for copy on "
	 "write, page migration, hugepage splits and contiguous entries.", true},
	{"asid-reuse",
	 "An mm has exited; after a rollover another mm gets its ASID and arrives on a CPU whose "
	 "TLB still has entries of the first.", false},
	{"vm",
	 "A guest with HCR_EL2.FB and BSU as KVM sets them; the vCPU moves at every step.", true},
	{"vm-no-fb",
	 "The same without FB and BSU, which no KVM does: what they are for.", false},
	{"smmu-btm",
	 "An SMMU that listens to broadcast TLBIs (BTM) uses the page.", false},
	{"smmu-sva",
	 "An SMMU with a context of its own and a notifier uses the page.", true},
	{"erratum",
	 "The part has erratum 4118414, the kernel repeats TLBIs in sync().", true},
	{"erratum-vm",
	 "The same in a guest whose vCPU moves.", false},
	{"quarantine",
	 "The flush returns early and what it frees waits for ticks: running, arriving, idle and "
	 "returning CPUs.", false},
	{"tickless",
	 "The same with a CPU that runs the mm and has its tick stopped (nohz_full).", false},
};

unsigned dvmi_scn_count(void)
{
	return sizeof(dvmi_scn_info) / sizeof(dvmi_scn_info[0]);
}

static bool reads_field(const struct dvmi_program *p, unsigned field)
{
	for (unsigned i = 0; i < p->insns_count; i++)
		for (unsigned k = 0; k < 2; k++)
			if (p->insns[i].src[k].kind == DVMI_FIELD && p->insns[i].src[k].n == field)
				return true;
	return false;
}

/* Does it matter to the program what TLBI domains there are? */
static bool names_domains(const struct dvmi_program *p)
{
	for (unsigned i = 0; i < p->insns_count; i++)
		if (p->insns[i].op == DVMI_CPU_DOMAIN)
			return true;
	return reads_field(p, DVMI_ENV_DOMAINS);
}

int dvmi_scn_make(const struct dvmi_program *p, unsigned scenario,
		  const struct dvmi_scn_choice *choice, struct dvmi_scn_test *t,
		  dvmi_scn_emit_fn *emit, void *arg, const char **why)
{
	static dvmi_scenario_fn *const make[] = {
		dvmi_scn_arrive,    dvmi_scn_second,	      dvmi_scn_stay,
		dvmi_scn_return,    dvmi_scn_migrate,	      dvmi_scn_migrate_twice,
		dvmi_scn_preempted, dvmi_scn_foreign,	      dvmi_scn_foreign_migrate,
		dvmi_scn_fork,	    dvmi_scn_batch,	      dvmi_scn_fixup,
		dvmi_scn_tables,    dvmi_scn_lazy,	      dvmi_scn_reuse,
		dvmi_scn_rollover,  dvmi_scn_new_asid,	      dvmi_scn_kpti,
		dvmi_scn_remap,	    dvmi_scn_asid_reuse,      dvmi_scn_vm,
		dvmi_scn_vm_no_fb,  dvmi_scn_btm,	      dvmi_scn_sva,
		dvmi_scn_erratum,   dvmi_scn_erratum_vm,
		dvmi_scn_quarantine, dvmi_scn_tickless,
	};
	/* A part without TLBI domains, with one of all CPUs, with one of each CPU. */
	static const unsigned domains[] = {0, 1, DVMI_SCN_CPUS};
	const struct dvmi_plan none = {.t = t,
				       .p = p,
				       .choice = choice,
				       .alloc_path = DVMI_PATH_FRESH,
				       .users = 1,
				       .scenario = dvmi_scn_info[scenario].name,
				       .sub = "",
				       .emit = emit,
				       .arg = arg};
	struct dvmi_plan pl;
	int rc = 0;

	unsigned loads = reads_field(p, DVMI_ENV_DVM_LOAD) ? 2 : 1;

	for (unsigned d = 0; d < (names_domains(p) ? 3 : 1) * loads && !rc; d++) {
		pl = none;
		pl.env.domains = domains[d / loads];
		pl.env.loaded = d % loads;
		pl.env.kpti = choice->env & DVM_SCENARIO_ENV_KPTI;
		pl.env.erratum = choice->env & DVM_SCENARIO_ENV_ERRATUM;
		pl.env.vm = pl.env.fb = choice->env & DVM_SCENARIO_ENV_VM;
		pl.env.no_dependency = choice->env & DVM_SCENARIO_ENV_NO_DEPENDENCY;
		pl.env.no_break = choice->env & DVM_SCENARIO_ENV_NO_BREAK;
		/* What is reused as soon as a flush returns is nothing that a quarantine is for. */
		pl.frees = !p->quarantine;
		rc = make[scenario](&pl);
		*why = pl.why;
		if (pl.env.vm && d + 1 == loads)
			break; /* a guest has no domains */
	}
	return rc;
}
