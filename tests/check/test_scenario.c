/* SPDX-License-Identifier: MIT */
/*
 * Strategies under the checker. The expected verdicts were derived by hand from the protocols
 * (docs/checker-scenarios.md gives the arguments), not taken from a run.
 */
#include "check_main.h"
#include "scenario_util.h"

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
	char *doc = util_file(DVMSIM_SOURCE_DIR "/docs/strategies.md"), row[1024];

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
	char *text = util_strategy_text(shipped[_i].strategy);
	struct dvm_strategy *s = util_parse(text);

	for (unsigned i = 0; i < dvm_scenarios(); i++) {
		const char *name = dvm_scenario_name(i);
		bool cat = listed(shipped[_i].cat, name), prose = listed(shipped[_i].prose, name);
		char want = cat ? 'U' : 'S', got;

		if (!dvm_scenario_concerns(s, i))
			continue;
		if (chosen(i, shipped[_i].slow, false)) {
			got = util_verdict(s, i, false);
			ck_assert_msg(got == want, "%s: %c", name, got);
		}
		want = cat || prose ? 'U' : 'S';
		if (chosen(i, shipped[_i].slow, true)) {
			got = util_verdict(s, i, true);
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
	char *none = util_strategy_text("always-broadcast"), *text = util_strategy_text("latr");
	struct dvm_strategy *without = util_parse(none), *with = util_parse(text);
	struct dvm_check_options o = {.size = sizeof(o), .env = DVM_SCENARIO_ENV_KPTI}, vm = {.size = 0};
	struct dvm_scenario_result *r;

	for (unsigned i = 0; i < 2; i++) {
		unsigned n = util_scenario(names[i]);

		ck_assert_int_eq(dvm_scenario_concerns(without, n), 0);
		ck_assert_int_ne(dvm_scenario_concerns(with, n), 0);
		ck_assert_int_eq(util_verdict(without, n, false), 'n');
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
		char *text = util_strategy_text(names[i]);
		struct dvm_strategy *s = util_parse(text);
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
	char *text = util_strategy_text(mutants[_i].strategy);
	char *weak = mutate(text, mutants[_i].from, mutants[_i].to);
	struct dvm_strategy *s = util_parse(weak);

	ck_assert_int_eq(util_verdict(s, util_scenario(mutants[_i].broken), false), 'U');
	if (mutants[_i].intact)
		ck_assert_int_eq(util_verdict(s, util_scenario(mutants[_i].intact), false), 'S');
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
	char *text = util_strategy_text("restartable");
	char *once = mutate(text, "MAX_RESTARTS = 8", "MAX_RESTARTS = 1");
	char *wrong = mutate(once, "\tasid\n\ttlbi    is\n\tb ", "\tasid\n\ttlbi    local\n\tb ");
	struct dvm_strategy *s = util_parse(once), *weak = util_parse(wrong);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(util_verdict(s, util_scenario(names[i]), false) == 'S', "%s", names[i]);
	ck_assert_int_eq(util_verdict(weak, util_scenario("migrate"), false), 'U');
	dvm_strategy_free(weak);
	dvm_strategy_free(s);
	free(wrong);
	free(once);
	free(text);
}
END_TEST

START_TEST(every_unsafe_test_names_its_final_state_and_says_the_same_as_a_litmus_file)
{
	char *text = util_strategy_text("recheck");
	struct dvm_strategy *s = util_parse(text);
	struct dvm_scenario_result *r = util_run(s, util_scenario("foreign-migrate"), 0);
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
	char *text = util_strategy_text("tlbi-domains"), changed[8192];
	const char *at = strstr(text, domain_variants[_i].line);
	struct dvm_strategy *s;

	ck_assert_ptr_nonnull(at);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text,
		 domain_variants[_i].instead, at + strlen(domain_variants[_i].line));
	s = util_parse(changed);
	ck_assert_int_eq(util_verdict(s, util_scenario(domain_variants[_i].scenario), false),
			 domain_variants[_i].want);
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
}

CHECK_MAIN("scenario", add_cases)
