/* SPDX-License-Identifier: MIT */
/*
 * Strategies under the checker. The expected verdicts were derived by hand from the protocols
 * (docs/checker-scenarios.md gives the arguments), not taken from a run.
 */
#include "check_main.h"
#include "scenario_util.h"

#include "base/mem.h"
#include "check/scenario.h"
#include "program/strategy.h"

#include <dvmsim/scenario.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Scenarios in which a strategy is UNSAFE: under Arm's model, and besides if DSB ST is read as
 * ordering no later loads. In all others it is SAFE. Why is said in docs/strategies.md.
 */
#define LOCAL "vm-no-fb, smmu-btm" /* local TLBIs need HCR_EL2.FB, and reach no SMMU */
#define ASID "new-asid"		   /* DSB ISHST, then the load of mm->context.id: asm/mmu.h */
/* DSB ISHST, then the load of the word that decides. */
#define LOAD                                                                                       \
	"arrive, preempted, foreign, fork, reuse, rollover, new-asid, kpti, remap, erratum, "        \
	"erratum-vm"
/* Wherever another CPU, or this one, could still use what the flush should have removed. */
#define ALL                                                                                        \
	"arrive, second-thread, stay, return, migrate, migrate-twice, preempted, foreign, "        \
	"foreign-migrate, fork, batch, fixup, tables, lazy, reuse, rollover, new-asid, kpti, remap, " \
	"vm, vm-no-fb, smmu-btm, smmu-sva, erratum, erratum-vm"
static const struct {
	const char *strategy, *cat, *prose;
	bool slow; /* many CPUs to ask: the default run leaves most scenarios out */
} shipped[] = {
	/* Decides by a load after a full DSB, which orders the load of the ASID too. */
	{"active-cpu-dsb-ish", LOCAL, "-", false},
	{"active-cpu-preempt-disable", LOCAL, ASID, false},
	{"active-cpu-skip-unused", LOCAL, LOAD, false},
	/* Its completion is a bare DSB ISH: the erratum's repeat is missing. */
	{"active-cpu-v1", LOCAL ", erratum, erratum-vm", ASID, false},
	{"active-cpu-v2", LOCAL, ASID, false},
	{"active-cpu-v2-plain-load", LOCAL, LOAD, false},
	{"active-cpu-v2-reset", LOCAL, ASID, false},
	{"always-broadcast", "-", ASID, false},
	/* DSB ISH before the mask is read. */
	{"cpumask-ipi", LOCAL, "-", true},
	/* No barrier between the bit and TTBR0: the flusher misses a CPU that walks already. */
	{"global-asid", LOCAL, "-", true},
	{"hybrid-cost", LOCAL, "-", true},
	{"hybrid-load", LOCAL, "-", true},
	{"ipi-always",
	 "arrive, preempted, foreign, fork, reuse, rollover, new-asid, kpti, remap, " LOCAL
	 ", erratum, erratum-vm",
	 "-", true},
	/* As ipi-always; a CPU that comes back sets its bit anew, again without a barrier. */
	{"ipi-switch",
	 "arrive, return, preempted, foreign, fork, reuse, rollover, new-asid, kpti, remap, " LOCAL
	 ", erratum, erratum-vm",
	 "-", true},
	/* Whatever is not freed is broadcast; a CPU whose tick is stopped never sweeps. */
	{"latr", "tickless", ASID, false},
	/* The ASID is read before the barrier; completion by DSB ISH alone. */
	{"nr-active-v2-dsb", "new-asid, " LOCAL ", erratum, erratum-vm", "-", true},
	/* The count goes down while walks of the context just left are in progress. */
	{"nr-active-v2", "tables, new-asid, " LOCAL ", erratum, erratum-vm", "-", true},
	/* Section 22 of the protocols: must be caught wherever the mm was installed. */
	{"null", ALL, "-", false},
	/* A kernel thread moves, the mm does not: the word still names the old CPU. */
	{"recheck", "foreign-migrate, batch, " LOCAL, ASID, false},
	{"recheck-optimistic", "foreign-migrate, batch, " LOCAL, ASID, false},
	{"recheck-own", LOCAL, ASID, false},
	{"restartable", LOCAL, LOAD, false},
	/* Whole-mm requests, fork's among them, have no hint; a fix-up's is of no use here. */
	{"selftest-bad-ttl",
	 "arrive, second-thread, stay, return, migrate, migrate-twice, preempted, foreign, "
	 "foreign-migrate, batch, tables, lazy, reuse, rollover, new-asid, kpti, remap, vm, "
	 "vm-no-fb, smmu-btm, erratum, erratum-vm",
	 "-", false},
	/* A CPU walks before a flusher can see its domain. A guest has no domains. */
	{"selftest-domains-unseen",
	 "arrive, preempted, foreign, fork, reuse, rollover, new-asid, kpti, remap, erratum", "-", false},
	{"selftest-leaf-after-free", "tables", ASID, false},
	/* Fix-ups and batches have their completion; the notifier has its own. */
	{"selftest-no-post",
	 "arrive, second-thread, stay, return, migrate, migrate-twice, preempted, foreign, "
	 "foreign-migrate, fork, tables, lazy, reuse, rollover, new-asid, kpti, remap, vm, vm-no-fb, "
	 "smmu-btm, erratum, erratum-vm",
	 "-", false},
	{"selftest-no-pre",
	 "arrive, second-thread, stay, return, migrate, migrate-twice, preempted, foreign, "
	 "foreign-migrate, fork, batch, tables, lazy, reuse, rollover, new-asid, kpti, remap, vm, "
	 "vm-no-fb, smmu-btm, erratum, erratum-vm",
	 "-", false},
	{"selftest-no-twin", "kpti", ASID, false},
	/* mm_users says one although a CPU keeps the mm; the ASID is read before the barrier. */
	/* A CPU that comes back from idle to the mm it kept has had no tick. */
	{"selftest-no-sweep", "quarantine, tickless", ASID, false},
	{"stale-mask-v1", "tables, new-asid, " LOCAL ", erratum, erratum-vm", "-", false},
	{"tlb-modes", LOCAL, "-", true},
	{"tlbi-domains", "-", ASID, false},
	{"x86-generations", LOCAL, "-", true},
};
#define SHIPPED (sizeof(shipped) / sizeof(shipped[0]))

static const char letters[] = {[DVM_SCENARIO_SAFE] = 'S',
			       [DVM_SCENARIO_UNSAFE] = 'U',
			       [DVM_SCENARIO_INCONCLUSIVE] = '?',
			       [DVM_SCENARIO_UNSUPPORTED] = '-',
			       [DVM_SCENARIO_NOT_APPLICABLE] = 'n'};

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static char *strategy_text(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", name);
	return read_text(path);
}

static struct dvm_strategy *parse(const char *text)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char why[1024] = "";

	if (dvm_strategy_parse(text, "test", &s, &err))
		dvm_error_format(&err, why, sizeof(why));
	ck_assert_msg(s != NULL, "%s", why);
	return s;
}

static struct dvm_scenario_result *run(const struct dvm_strategy *s, unsigned scenario,
				       uint64_t without)
{
	struct dvm_check_options o = {.size = sizeof(o), .without = without};
	struct dvm_scenario_result *r;
	struct dvm_error err;

	ck_assert_int_eq(dvm_scenario_check(s, scenario, &o, &r, &err), 0);
	return r;
}

static char verdict(const struct dvm_strategy *s, unsigned scenario, bool prose)
{
	uint64_t without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	struct dvm_scenario_result *r = run(s, scenario, prose ? without : 0);
	char c = letters[dvm_scenario_verdict(r)];

	dvm_scenario_free(r);
	return c;
}

/* Is @name in the list "a, b"? */
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == 0 || at[n] == ','))
			return true;
	return false;
}

/* The line that dvmsim check --markdown --reading all prints. */
START_TEST(the_documented_table_has_the_verdicts_derived_by_hand)
{
	char *doc = read_text(DVMSIM_SOURCE_DIR "/docs/strategies.md"), row[1024];

	snprintf(row, sizeof(row), "\n| %s | %s | %s | - |\n", shipped[_i].strategy, shipped[_i].cat,
		 shipped[_i].prose);
	ck_assert_msg(strstr(doc, row) != NULL, "docs/strategies.md lacks%s", row);
	free(doc);
}
END_TEST

/* The default run: what takes little time. DVMSIM_SCENARIOS=all: everything, both readings. */
static bool chosen(unsigned scenario, bool slow, bool prose)
{
	static const char *const few = "arrive, second-thread, tables, fixup, migrate, fork";
	const char *name = dvm_scenario_name(scenario), *env = getenv("DVMSIM_SCENARIOS");

	if (env && !strcmp(env, "all"))
		return true;
	if (slow || prose)
		return listed(prose ? "arrive, foreign, new-asid" : few, name) && !(slow && prose);
	return dvm_scenario_quick(scenario) || listed(LOCAL ", quarantine, tickless", name);
}

START_TEST(shipped_strategies_have_the_verdicts_derived_by_hand)
{
	char *text = strategy_text(shipped[_i].strategy);
	struct dvm_strategy *s = parse(text);

	for (unsigned i = 0; i < dvm_scenarios(); i++) {
		const char *name = dvm_scenario_name(i);
		bool cat = listed(shipped[_i].cat, name), prose = listed(shipped[_i].prose, name);
		char want = cat ? 'U' : 'S', got;

		if (!dvm_scenario_concerns(s, i))
			continue;
		if (chosen(i, shipped[_i].slow, false)) {
			got = verdict(s, i, false);
			ck_assert_msg(got == want, "%s: %c", name, got);
		}
		want = cat || prose ? 'U' : 'S';
		if (chosen(i, shipped[_i].slow, true)) {
			got = verdict(s, i, true);
			ck_assert_msg(got == want, "%s, prose: %c", name, got);
		}
	}
	dvm_strategy_free(s);
	free(text);
}
END_TEST

/* Those about a quarantine ask nothing of a strategy without one; KPTI changes nothing about latr. */
START_TEST(a_quarantine_is_asked_of_those_that_declare_one)
{
	static const char *const names[] = {"quarantine", "tickless"};
	char *none = strategy_text("always-broadcast"), *text = strategy_text("latr");
	struct dvm_strategy *without = parse(none), *with = parse(text);
	struct dvm_check_options o = {.size = sizeof(o), .env = DVM_SCENARIO_ENV_KPTI}, vm = {.size = 0};
	struct dvm_scenario_result *r;

	for (unsigned i = 0; i < 2; i++) {
		unsigned n = util_scenario(names[i]);

		ck_assert_int_eq(dvm_scenario_concerns(without, n), 0);
		ck_assert_int_ne(dvm_scenario_concerns(with, n), 0);
		ck_assert_int_eq(verdict(without, n, false), 'n');
		ck_assert_int_eq(dvm_scenario_check(with, n, &o, &r, NULL), 0);
		ck_assert_int_eq(dvm_scenario_verdict(r),
				 i ? DVM_SCENARIO_UNSAFE : DVM_SCENARIO_SAFE);
		dvm_scenario_free(r);
		/* HCR_EL2.FB broadcasts the flusher's own TLBI: nobody is left to tick. */
		vm.size = sizeof(vm);
		vm.env = DVM_SCENARIO_ENV_VM;
		ck_assert_int_eq(dvm_scenario_check(with, n, &vm, &r, NULL), 0);
		ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_SAFE);
		dvm_scenario_free(r);
	}
	ck_assert_int_ne(dvm_scenario_concerns(without, util_scenario("arrive")), 0);
	ck_assert_int_eq(dvm_scenario_concerns(with, dvm_scenarios()), 0);
	dvm_strategy_free(without);
	dvm_strategy_free(with);
	free(none);
	free(text);
}
END_TEST

/* FEAT_ETS2 orders walks after a DSB; a load that hits the TLB has none to wait for. */
START_TEST(ets2_does_not_change_what_prose_says_of_a_load)
{
	static const char *const names[] = {"active-cpu-v2-plain-load", "active-cpu-v2"};
	struct dvm_check_options o = {.size = sizeof(o), .ets2 = 1};

	o.without = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	for (unsigned i = 0; i < 2; i++) {
		char *text = strategy_text(names[i]);
		struct dvm_strategy *s = parse(text);
		struct dvm_scenario_result *r;

		ck_assert_int_eq(dvm_scenario_check(s, util_scenario("arrive"), &o, &r, NULL), 0);
		ck_assert_int_eq(dvm_scenario_verdict(r),
				 i ? DVM_SCENARIO_SAFE : DVM_SCENARIO_UNSAFE);
		dvm_scenario_free(r);
		dvm_strategy_free(s);
		free(text);
	}
}
END_TEST

/* One change to a safe strategy, the scenario it breaks, and one it does not (if there is one). */
static const struct {
	const char *strategy, *from, *to;
	const char *broken, *intact;
} mutants[] = {
	/* The word is not ordered before TTBR0: the flusher may miss a CPU that walks already. */
	{"active-cpu-v2", "publish:\n\tdsb     ishst", "publish:", "arrive", "stay"},
	/* A DMB orders neither the write of TTBR0 nor walks. */
	{"active-cpu-v2", "publish:\n\tdsb     ishst", "publish:\n\tdmb     ish", "arrive", "stay"},
	/* The decision stays with the load that came before the barrier. */
	{"active-cpu-v2",
	 "\tld      a, mm.active_cpu\n\tbne     a, cpu_now, wide                # PRE2 5\n", "",
	 "arrive", "stay"},
	/* A DMB of stores orders the page-table store before neither load nor TLBI. */
	{"active-cpu-v2", "upgrade:\n\tdsb     ish ", "upgrade:\n\tdmb     ishst ", "stay", "second-thread"},
	/* DSB ST completes no TLBI. */
	{"active-cpu-v2", "local_quiet:\n\tbif     req.nosync, local_done\n\tdsb     nsh ",
	 "local_quiet:\n\tbif     req.nosync, local_done\n\tdsb     nshst ", "stay", "second-thread"},
	/* Nothing keeps the task on the CPU that it sampled. */
	{"active-cpu-v2", "migrate_", NULL, "migrate", "arrive"},
	/* Protected, but not up to the TLBI. */
	{"active-cpu-v2-plain-load", "cpu_now, wide\n\n\tasid",
	 "cpu_now, wide\n\tmigrate_enable\n\tmigrate_disable\n\tasid", "migrate", "arrive"},
	/* Without restart the decision of one CPU is carried out on another. */
	{"restartable", "section", NULL, "migrate", "arrive"},
	/* A DSB of the local domain does not complete a broadcast. */
	{"always-broadcast", "sync    ish", "dsb     nsh", "second-thread", NULL},
	/* Always local. */
	{"always-broadcast", "tlbi    is", "tlbi    local", "second-thread", "stay"},
	/* Marked, but the mark is not looked at. */
	{"stale-mask-v1", "tlbi    local asid", NULL, "return", "second-thread"},
	/* It clears its own mark on one CPU, flushes another, and comes back. */
	{"stale-mask-v1", "preempt_", NULL, "migrate-twice", "migrate"},
	/* A CPU that comes back from idle is not counted. */
	{"nr-active-v2-dsb", "\tfadd    _, mm.nr_active, 1\n", "", "lazy", "arrive"},
	/* On the reserved path the mm still runs elsewhere with the same ASID. */
	{"active-cpu-v2-reset", "PATH_RESERVED", NULL, "rollover", "arrive"},
	/* The ASID is read before the page-table store is ordered (Linux commit 5e10f9887ed8). */
	{"always-broadcast",
	 "\tdsb     ishst                           # 1: page-table stores before the TLBI\n\tasid",
	 "\tasid\n\tdsb     ishst", "new-asid", "second-thread"},
	/* The batch is complete here only. */
	{"always-broadcast", "on batch-flush:\n\tsync    ish ", "on batch-flush:\n\tdsb     nsh ",
	 "batch", "second-thread"},
	{"always-broadcast", "tlbi    local", NULL, "fixup", "second-thread"},
	{"always-broadcast", "tlbi    is ", "tlbi    is leaf ", "tables", "second-thread"},
	{"always-broadcast", "tlbi    is ", "tlbi    is notwin ", "kpti", "second-thread"},
	/* DSB ISH without the erratum's repeat. */
	{"always-broadcast", "sync    ish ", "dsb     ish ", "erratum", "second-thread"},
	{"always-broadcast", "\tnotify ", "", "smmu-sva", "second-thread"},
	/* One tick may begin as the flush returns and end after the reuse. */
	{"latr", "param Q = 2", "param Q = 1", "quarantine", "second-thread"},
	{"latr", "on tick:\n", "", "quarantine", "second-thread"},
	/* The bit is seen, and the page table walked again, before the page-table store. */
	{"latr", "# page-table stores before the bits", NULL, "quarantine", "second-thread"},
	/* A second request between the TLBI and the clearing of the bit is lost. */
	{"latr",
	 "\ttclrbit due, mm.sweep, self\n\tbifnot  due, out\n\tasid\n\tdsb     nshst\n"
	 "\ttlbi    local asid\n\tdsb     nsh\n",
	 "\ttstbit  due, mm.sweep, self\n\tbifnot  due, out\n\tasid\n\tdsb     nshst\n"
	 "\ttlbi    local asid\n\tdsb     nsh\n\tclrbit  mm.sweep, self\n",
	 "quarantine", "second-thread"},
	/* The tick ends before the TLBI is complete. */
	{"latr", "\ttlbi    local asid\n\tdsb     nsh\n", "\ttlbi    local asid\n", "quarantine",
	 "second-thread"},
	/* An IPI that is not waited for, and one whose target does not complete. */
	{"cpumask-ipi", "\tipi     m\n", "", "second-thread", "stay"},
	{"cpumask-ipi", "on ipi:\n\tdsb     nshst\n\ttlbi    local\n\tdsb     nsh",
	 "on ipi:\n\tdsb     nshst\n\ttlbi    local\n\tdsb     nshst", "second-thread", "stay"},
};

/* @text with all of @from replaced; @to NULL: all lines with it removed. */
static char *mutate(const char *text, const char *from, const char *to)
{
	char *out = calloc(1, 1 << 20), *o = out;
	bool changed = false;

	while (*text) {
		const char *eol = strchr(text, '\n'), *at = strstr(text, from);

		eol = eol ? eol + 1 : text + strlen(text);
		if (to && at == text) {
			o += sprintf(o, "%s", to);
			text += strlen(from);
			changed = true;
		} else if (!to && at && at < eol && text[0] == '\t') {
			text = eol;
			changed = true;
		} else if (to) {
			*o++ = *text++;
		} else {
			memcpy(o, text, (size_t)(eol - text));
			o += eol - text;
			text = eol;
		}
	}
	ck_assert_msg(changed, "nothing to change: %s", from);
	return out;
}

START_TEST(a_weakened_strategy_fails_where_its_argument_breaks)
{
	char *text = strategy_text(mutants[_i].strategy);
	char *weak = mutate(text, mutants[_i].from, mutants[_i].to);
	struct dvm_strategy *s = parse(weak);

	ck_assert_int_eq(verdict(s, util_scenario(mutants[_i].broken), false), 'U');
	if (mutants[_i].intact)
		ck_assert_int_eq(verdict(s, util_scenario(mutants[_i].intact), false), 'S');
	dvm_strategy_free(s);
	free(weak);
	free(text);
}
END_TEST

/*
 * A flush that gives up restarting broadcasts. With a limit of 1 a single move is enough for that; were
 * it local there, it would act on the wrong CPU.
 */
START_TEST(giving_up_restarts_is_as_safe_as_restarting)
{
	static const char *const names[] = {"migrate", "migrate-twice", "preempted", "arrive", "tables"};
	char *text = strategy_text("restartable");
	char *once = mutate(text, "MAX_RESTARTS = 8", "MAX_RESTARTS = 1");
	char *wrong = mutate(once, "\tasid\n\ttlbi    is\n\tb ", "\tasid\n\ttlbi    local\n\tb ");
	struct dvm_strategy *s = parse(once), *weak = parse(wrong);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(verdict(s, util_scenario(names[i]), false) == 'S', "%s", names[i]);
	ck_assert_int_eq(verdict(weak, util_scenario("migrate"), false), 'U');
	dvm_strategy_free(weak);
	dvm_strategy_free(s);
	free(wrong);
	free(once);
	free(text);
}
END_TEST

START_TEST(every_unsafe_test_names_its_final_state_and_says_the_same_as_a_litmus_file)
{
	char *text = strategy_text("recheck");
	struct dvm_strategy *s = parse(text);
	struct dvm_scenario_result *r = run(s, util_scenario("foreign-migrate"), 0);
	size_t unsafe = 0;

	for (size_t i = 0; i < dvm_scenario_tests(r); i++) {
		const char *litmus = dvm_scenario_test_text(r, i);
		bool stale = dvm_scenario_test_verdict(r, i) == DVM_SCENARIO_UNSAFE;
		struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
		struct dvm_litmus_result *res;
		struct dvm_litmus *test;

		ck_assert_int_eq(dvm_litmus_parse("t", litmus, strlen(litmus), &test, NULL), 0);
		ck_assert_int_eq(dvm_litmus_run(test, &o, &res, NULL), 0);
		ck_assert_int_eq(dvm_litmus_verdict(res) == DVM_CHECK_SOMETIMES, stale);
		ck_assert_int_eq(strstr(dvm_scenario_test_why(r, i), "final state") != NULL, stale);
		unsafe += stale;
		dvm_litmus_result_free(res);
		dvm_litmus_free(test);
	}
	ck_assert_uint_gt(unsafe, 0);
	ck_assert_int_eq(dvm_scenario_test_verdict(r, dvm_scenario_worst(r)), DVM_SCENARIO_UNSAFE);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(text);
}
END_TEST

/* What was not explored is never SAFE. */
/*
 * TLBI domains: tlbi-domains with one line changed. Of two rules of the protocol each variant breaks one:
 * a CPU's domain is in the mask before the CPU can walk and stays there while entries may; all domains in
 * it are named. Devices are in none.
 */
static const struct {
	const char *line, *instead, *scenario;
	char want;
} domain_variants[] = {
	{"", "", "second-thread", 'S'},
	{"	add     d, d, 1", "	add     d, d, 2", "second-thread", 'U'},
	{"	add     d, d, 1", "	add     d, d, 2", "stay", 'S'},
	{"	mov     d, 0\n", "	mov     d, 1\n", "stay", 'U'}, /* the own CPU is not exempt */
	{"	tlbi    is asid domain d", "	tlbi    is asid", "second-thread", 'S'},
	{"	bif     env.smmu_btm, wide", "	bif     env.vm, wide", "smmu-btm", 'U'},
	{"	bifnot  env.domains, wide", "	bif     env.vm, wide", "second-thread", 'U'},
	{"out:\n	ret", "out:\n	ret\non switch-out:\n	bifnot env.domains, gone\n	domain d, self\n"
		      "	clrbit prev.domains, d\ngone:\n	ret",
	 "return", 'U'},
	{"	setbit  next.domains, d", "	setbit  prev.domains, d", "arrive", 'U'},
	{"	dsb     ish  ", "	isb", "arrive", 'U'},
};

START_TEST(each_domain_must_be_known_kept_and_named)
{
	char *text = strategy_text("tlbi-domains"), changed[8192];
	const char *at = strstr(text, domain_variants[_i].line);
	struct dvm_strategy *s;

	ck_assert_ptr_nonnull(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
		 domain_variants[_i].instead, at + strlen(domain_variants[_i].line));
	s = parse(changed);
	ck_assert_int_eq(verdict(s, util_scenario(domain_variants[_i].scenario), false),
			 domain_variants[_i].want);
	dvm_strategy_free(s);
	free(text);
}
END_TEST

START_TEST(a_limit_a_loop_and_what_can_not_be_translated_are_not_safe)
{
	static const char head[] = "strategy t\n";
	static const struct {
		const char *body;
		char want;
	} rows[] = {
		{"word mm.w = 0\non flush:\nagain:\n\tld a, mm.w\n\tbne a, 1, again\n\tdsb "
		 "ishst\n\tasid\n\ttlbi is\n"
		 "\tsync ish\n\tret\n",
		 '?'}, /* waits for what nobody writes */
		{"on flush:\n\tbifnot env.domains, out\n\tdsb ishst\n\tasid\n"
		 "\ttlbi is asid domain 7\nout:\n\tdsb ishst\n\tasid\n\ttlbi is\n\tsync ish\n\tret\n",
		 '-'}, /* no machine of a scenario has so many domains */
		/* Which CPU's bit is known at run time only. */
		{"word mm.w = 0\nmask mm.m = none\non flush:\n\tld a, mm.w\n\tsetbit mm.m, a\n\tret\n",
		 '-'},
	};
	struct dvm_check_options o = {.size = sizeof(o), .max_states = 1};
	struct dvm_scenario_result *r;
	struct dvm_strategy *s;
	char text[512];
	char *safe;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head, rows[i].body);
		s = parse(text);
		ck_assert_msg(verdict(s, util_scenario("stay"), false) == rows[i].want, "row %zu: %c", i,
			      verdict(s, util_scenario("stay"), false));
		dvm_strategy_free(s);
	}
	safe = strategy_text("always-broadcast");
	s = parse(safe);
	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("stay"), &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(safe);
}
END_TEST

/* What surrounds a strategy, and what that makes of it. */
static const struct {
	const char *strategy, *scenario;
	unsigned preempt, env;
	char want;
} surroundings[] = {
	/* Flush routines do not sleep. */
	{"active-cpu-v2", "migrate", DVM_PREEMPT_NONE, 0, 'n'},
	{"active-cpu-v2", "preempted", DVM_PREEMPT_VOLUNTARY, 0, 'n'},
	{"recheck", "foreign-migrate", DVM_PREEMPT_NONE, 0, 'n'},
	{"recheck", "foreign-migrate", DVM_PREEMPT_LAZY, 0, 'U'},
	/* Moved between add and flush, recheck fails; staying, it does not. */
	{"recheck", "batch", DVM_PREEMPT_FULL, 0, 'U'},
	{"recheck", "batch", DVM_PREEMPT_NONE, 0, 'S'},
	/* Under the page-table lock: PREEMPT_RT switches out, nobody migrates. */
	{"recheck", "foreign-migrate", DVM_PREEMPT_RT, DVM_SCENARIO_ENV_PTL, 'n'},
	{"always-broadcast", "preempted", DVM_PREEMPT_RT, DVM_SCENARIO_ENV_PTL, 'S'},
	{"always-broadcast", "preempted", DVM_PREEMPT_FULL, DVM_SCENARIO_ENV_PTL, 'n'},
	{"selftest-no-twin", "second-thread", 0, 0, 'S'},
	{"selftest-no-twin", "second-thread", 0, DVM_SCENARIO_ENV_KPTI, 'U'},
	{"active-cpu-v1", "second-thread", 0, 0, 'S'},
	{"active-cpu-v1", "second-thread", 0, DVM_SCENARIO_ENV_ERRATUM, 'U'},
	{"active-cpu-v2", "second-thread", 0, DVM_SCENARIO_ENV_ERRATUM, 'S'},
	/* A device needs a broadcast; in a guest with FB every TLBI is one. */
	{"active-cpu-v2", "smmu-btm", 0, 0, 'U'},
	{"active-cpu-v2", "smmu-btm", 0, DVM_SCENARIO_ENV_VM, 'S'},
};

START_TEST(surroundings_decide_what_can_happen)
{
	struct dvm_check_options o = {.size = sizeof(o),
				      .preempt = surroundings[_i].preempt,
				      .env = surroundings[_i].env};
	struct dvm_strategy *s = util_strategy(surroundings[_i].strategy);
	struct dvm_scenario_result *r;
	char got;

	ck_assert_int_eq(
		dvm_scenario_check(s, util_scenario(surroundings[_i].scenario), &o, &r, NULL), 0);
	got = letters[dvm_scenario_verdict(r)];
	ck_assert_msg(got == surroundings[_i].want, "%c", got);
	ck_assert_int_eq(dvm_scenario_reason(r) != NULL, got == 'n');
	ck_assert_int_eq(dvm_scenario_tests(r) == 0, got == 'n');
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

/* A strategy with words per CPU and per mm, in scenarios in which the mm is left for another. */
static const struct {
	const char *strategy, *scenario;
} folding[] = {
	{"active-cpu-v2", "return"},	{"active-cpu-v2", "tables"}, {"stale-mask-v1", "return"},
	{"nr-active-v2", "tables"},	{"nr-active-v2", "lazy"},    {"nr-active-v2-dsb", "tables"},
	{"nr-active-v2-dsb", "return"}, {"ipi-always", "return"},
};

struct said {
	enum dvm_check_verdict of[256];
	unsigned count;
	uint64_t states;
};

static int explore(void *arg, const struct dvmi_scn_test *t)
{
	struct dvm_check_options o = {.size = sizeof(o), .dsb_domain = 1};
	struct dvm_litmus_result *res;
	struct dvm_litmus *test;
	struct said *said = arg;
	char *text;

	ck_assert_msg(!t->why[0], "%s", t->why);
	ck_assert_int_eq(dvmi_scn_text(t, &text), 0);
	ck_assert_int_eq(dvm_litmus_parse("t", text, strlen(text), &test, NULL), 0);
	ck_assert_int_eq(dvm_litmus_run(test, &o, &res, NULL), 0);
	ck_assert_uint_lt(said->count, 256);
	said->of[said->count++] = dvm_litmus_verdict(res);
	said->states += dvm_litmus_states(res);
	dvm_litmus_result_free(res);
	dvm_litmus_free(test);
	dvm_free(text);
	return 0;
}

START_TEST(words_that_one_cpu_reads_may_be_folded_or_memory)
{
	struct dvm_strategy *s = util_strategy(folding[_i].strategy);
	struct dvmi_scn_choice choice = {.unfolded = true};
	struct dvmi_scn_test *t = calloc(1, sizeof(*t));
	struct said memory = {.count = 0}, folded = {.count = 0};
	unsigned scenario = util_scenario(folding[_i].scenario);
	const struct dvmi_program *p = dvmi_strategy_program(s);
	const char *why;

	ck_assert_int_eq(dvmi_scn_make(p, scenario, &choice, t, explore, &memory, &why), 0);
	choice.unfolded = false;
	ck_assert_int_eq(dvmi_scn_make(p, scenario, &choice, t, explore, &folded, &why), 0);
	ck_assert_uint_eq(memory.count, folded.count);
	for (unsigned i = 0; i < memory.count; i++)
		ck_assert_int_eq(memory.of[i], folded.of[i]);
	ck_assert_uint_lt(folded.states, memory.states);
	free(t);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(budgets_and_the_first_unsafe_test_end_a_scenario)
{
	struct dvm_check_options o = {.size = sizeof(o), .total_states = 20};
	struct dvm_strategy *good = util_strategy("always-broadcast"), *bad = util_strategy("null");
	unsigned arrive = util_scenario("arrive");
	struct dvm_scenario_result *r;

	ck_assert_int_eq(dvm_scenario_check(good, arrive, &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	ck_assert_ptr_nonnull(dvm_scenario_reason(r));
	dvm_scenario_free(r);
	o.total_states = 0;
	o.first_unsafe = 1;
	ck_assert_int_eq(dvm_scenario_check(bad, arrive, &o, &r, NULL), 0);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_UNSAFE);
	ck_assert_uint_eq(dvm_scenario_tests(r), 1);
	dvm_scenario_free(r);
	o.preempt = DVM_PREEMPT_NONE + 1;
	ck_assert_int_eq(dvm_scenario_check(bad, arrive, &o, &r, NULL), -DVM_EINVAL);
	dvm_strategy_free(good);
	dvm_strategy_free(bad);
}
END_TEST

/* Counts how often it was asked; says "stop" from the @from-th time on. */
struct stopper {
	unsigned asked, from;
};

static int stops(void *arg)
{
	struct stopper *s = arg;

	return ++s->asked >= s->from;
}

/* The time may be up between two tests (small ones), or within one; something says so each time. */
static const struct {
	const char *strategy, *scenario;
	unsigned from;
	bool within;
} stopped[] = {
	{"active-cpu-v2", "arrive", 1, false},
	{"active-cpu-v2", "arrive", 2, false},
	{"nr-active-v2", "rollover", 40, true},
};

START_TEST(a_scenario_that_time_ended_says_so)
{
	struct stopper stopper = {.from = stopped[_i].from};
	struct dvm_check_options o = {.size = sizeof(o), .stop = stops, .stop_arg = &stopper};
	struct dvm_strategy *s = util_strategy(stopped[_i].strategy);
	struct dvm_scenario_result *r;
	const char *why;

	ck_assert_int_eq(dvm_scenario_check(s, util_scenario(stopped[_i].scenario), &o, &r, NULL), 0);
	ck_assert_uint_ge(stopper.asked, stopper.from);
	ck_assert_int_eq(dvm_scenario_verdict(r), DVM_SCENARIO_INCONCLUSIVE);
	why = stopped[_i].within ? dvm_scenario_test_why(r, dvm_scenario_worst(r))
				 : dvm_scenario_reason(r);
	ck_assert(why && why[0]);
	ck_assert_int_eq(dvm_scenario_reason(r) == NULL, stopped[_i].within);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
}
END_TEST

START_TEST(misuse_and_lack_of_memory_are_errors)
{
	char *text = strategy_text("null");
	struct dvm_strategy *s = parse(text);
	struct dvm_check_options small = {.size = 1};
	struct dvm_scenario_result *r = NULL;
	struct dvm_error err;
	unsigned long n = 1;
	int rc;

	ck_assert_ptr_null(dvm_scenario_name(dvm_scenarios()));
	ck_assert_ptr_null(dvm_scenario_text(dvm_scenarios()));
	ck_assert_int_eq(dvm_scenario_check(s, dvm_scenarios(), NULL, &r, &err), -DVM_EINVAL);
	ck_assert_int_eq(dvm_scenario_check(s, util_scenario("stay"), &small, &r, &err), -DVM_EINVAL);
	do {
		dvmi_mem_fail_at(n++);
		rc = dvm_scenario_check(s, util_scenario("stay"), NULL, &r, NULL);
		dvmi_mem_fail_at(0);
		/* The search itself may say that it had no room: a limit, not an error. */
		ck_assert(rc == 0 || rc == -DVM_ENOMEM);
		if (rc == 0 && dvm_scenario_verdict(r) != DVM_SCENARIO_UNSAFE) {
			dvm_scenario_free(r);
			rc = 1;
		}
	} while (rc);
	ck_assert_uint_gt(n, 3);
	dvm_scenario_free(r);
	dvm_strategy_free(s);
	free(text);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *tc = check_case(suite, "scenarios");

	tcase_add_loop_test(tc, shipped_strategies_have_the_verdicts_derived_by_hand, 0,
			    (int)SHIPPED);
	tcase_add_loop_test(tc, the_documented_table_has_the_verdicts_derived_by_hand, 0,
			    (int)SHIPPED);
	tcase_add_test(tc, a_quarantine_is_asked_of_those_that_declare_one);
	tcase_add_test(tc, ets2_does_not_change_what_prose_says_of_a_load);
	tcase_add_loop_test(tc, a_weakened_strategy_fails_where_its_argument_breaks, 0,
			    (int)(sizeof(mutants) / sizeof(mutants[0])));
	tcase_add_test(tc, giving_up_restarts_is_as_safe_as_restarting);
	tcase_add_test(tc,
		       every_unsafe_test_names_its_final_state_and_says_the_same_as_a_litmus_file);
	tcase_add_loop_test(tc, each_domain_must_be_known_kept_and_named, 0,
			    (int)(sizeof(domain_variants) / sizeof(domain_variants[0])));
	tcase_add_test(tc, a_limit_a_loop_and_what_can_not_be_translated_are_not_safe);
	tcase_add_loop_test(tc, surroundings_decide_what_can_happen, 0,
			    (int)(sizeof(surroundings) / sizeof(surroundings[0])));
	tcase_add_loop_test(tc, words_that_one_cpu_reads_may_be_folded_or_memory, 0,
			    (int)(sizeof(folding) / sizeof(folding[0])));
	tcase_add_test(tc, budgets_and_the_first_unsafe_test_end_a_scenario);
	tcase_add_loop_test(tc, a_scenario_that_time_ended_says_so, 0,
			    sizeof(stopped) / sizeof(stopped[0]));
	tcase_add_test(tc, misuse_and_lack_of_memory_are_errors);
}

CHECK_MAIN("scenario", add_cases)
