/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_SCENARIO_H
#define DVMSIM_SCENARIO_H

#include <dvmsim/check.h>
#include <dvmsim/strategy.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Strategies under the checker: a strategy program and a scenario make litmus tests, whose
 * conditions say "a page was used through its old translation after the flush had returned and
 * the page had a new use". docs/checker-scenarios.md describes scenarios, bounds and limits.
 */

/** enum dvm_scenario_verdict - what the tests of one scenario showed. */
enum dvm_scenario_verdict {
	DVM_SCENARIO_SAFE = 0,	   /* every test explored to the end, none showed a stale use */
	DVM_SCENARIO_UNSAFE,	   /* an execution with a stale use exists */
	DVM_SCENARIO_INCONCLUSIVE, /* a limit ended a search, none showed a stale use */
	DVM_SCENARIO_UNSUPPORTED,  /* the program does what can not be translated */
	DVM_SCENARIO_NOT_APPLICABLE, /* it has no meaning here: dvm_scenario_reason() */
};

/** enum dvm_preempt - the kernel's preemption model: may a flush routine be switched out? */
enum dvm_preempt {
	DVM_PREEMPT_FULL = 0,  /* wherever the program does not prevent it */
	DVM_PREEMPT_LAZY,      /* the same: a real-time task preempts at once */
	DVM_PREEMPT_RT,	       /* the same, also under the page-table lock */
	DVM_PREEMPT_VOLUNTARY, /* never: flush routines do not sleep */
	DVM_PREEMPT_NONE,      /* never */
};

/** What surrounds the strategy in every scenario; bits of dvm_check_options.env. */
enum {
	DVM_SCENARIO_ENV_KPTI = 1,    /* kernel page-table isolation */
	DVM_SCENARIO_ENV_ERRATUM = 2, /* erratum 4118414, and the kernel's workaround */
	DVM_SCENARIO_ENV_VM = 4,      /* a guest, HCR_EL2.FB and BSU as KVM sets them */
	DVM_SCENARIO_ENV_PTL = 8,     /* the caller holds the page-table lock */
	/* What no kernel does, to see what it is for: */
	DVM_SCENARIO_ENV_NO_BREAK = 16, /* remap: the new descriptor goes over the old one */
	DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH = 32, /* asid-reuse: only the rollover hook flushes */
	DVM_SCENARIO_ENV_NO_DEPENDENCY = 64, /* TTBR0 does not depend on the load of mm->pgd */
};

/** struct dvm_scenario_result - what checking one strategy in one scenario gave; opaque. */
struct dvm_scenario_result;

/** dvm_scenarios() - how many scenarios there are. */
DVM_API unsigned dvm_scenarios(void);
/** dvm_scenario_name() - name of scenario @index; NULL when there is none. */
DVM_API const char *dvm_scenario_name(unsigned index);
/** dvm_scenario_text() - what it is about, in one sentence; NULL when there is none. */
DVM_API const char *dvm_scenario_text(unsigned index);
/**
 * dvm_scenario_quick() - not 0: it takes little time and is about what mainline and KVM do; a
 * comparison of times repeats the verdicts of these.
 */
DVM_API int dvm_scenario_quick(unsigned index);
/**
 * dvm_scenario_concerns() - not 0: scenario @index asks something of @s. Those about a quarantine say
 * nothing of a strategy that declares none; checking it there gives "n/a".
 */
DVM_API int dvm_scenario_concerns(const struct dvm_strategy *s, unsigned index);
/** dvm_scenario_verdict_name() - "SAFE", "UNSAFE", "INCONCLUSIVE", "UNSUPPORTED", "n/a". */
DVM_API const char *dvm_scenario_verdict_name(enum dvm_scenario_verdict verdict);

/**
 * dvm_scenario_check() - explore all tests of a scenario.
 * @s:        the strategy; not changed
 * @scenario: 0 .. dvm_scenarios() - 1
 * @options:  limits and model, per test; NULL: all defaults. dsb_domain is always on here. Rule
 *            "dsb-st-read" in @without is the prose reading of DSB ST.
 * @result:   out, freed with dvm_scenario_free()
 * @err:      out on failure; may be NULL
 *
 * All tests run, also after one was found UNSAFE. Limits and programs that can not be translated
 * are no failures: the verdict says so. The same input always gives the same result.
 *
 * Return: 0, -DVM_EINVAL (no such scenario, an option out of range) or -DVM_ENOMEM.
 */
DVM_API int dvm_scenario_check(const struct dvm_strategy *s, unsigned scenario,
			       const struct dvm_check_options *options,
			       struct dvm_scenario_result **result, struct dvm_error *err);

/** struct dvm_scenario_job - one scenario to check, and how. */
struct dvm_scenario_job {
	unsigned scenario;
	struct dvm_check_options options; /* stop() may be called from another thread */
};

/**
 * dvm_scenario_check_many() - dvm_scenario_check() of several scenarios, on several threads.
 * @s:       the strategy; not changed
 * @jobs:    @count of them
 * @count:   may be 0
 * @threads: 1 .. 64; 0 is 1
 * @results: out, in the order of @jobs, each freed with dvm_scenario_free(); all NULL on failure
 * @seconds: out, what each took; may be NULL
 * @err:     out on failure; may be NULL
 *
 * The results are those of dvm_scenario_check(), whatever @threads is.
 *
 * Return: as dvm_scenario_check().
 */
DVM_API int dvm_scenario_check_many(const struct dvm_strategy *s, const struct dvm_scenario_job *jobs,
				    size_t count, unsigned threads,
				    struct dvm_scenario_result **results, double *seconds,
				    struct dvm_error *err);

/** dvm_scenario_free() - free a result; NULL is allowed. */
DVM_API void dvm_scenario_free(struct dvm_scenario_result *result);
/** dvm_scenario_verdict() - of the whole scenario: the worst of its tests. */
DVM_API enum dvm_scenario_verdict dvm_scenario_verdict(const struct dvm_scenario_result *result);
/**
 * dvm_scenario_reason() - why it is not applicable, or which limit left tests of an inconclusive one
 * out; NULL when the tests say it all; static.
 */
DVM_API const char *dvm_scenario_reason(const struct dvm_scenario_result *result);
/** dvm_scenario_states() - machine states explored by all tests. */
DVM_API uint64_t dvm_scenario_states(const struct dvm_scenario_result *result);
/** dvm_scenario_tests() - how many tests were made. */
DVM_API size_t dvm_scenario_tests(const struct dvm_scenario_result *result);
/** dvm_scenario_worst() - index of the first test that gave the verdict. */
DVM_API size_t dvm_scenario_worst(const struct dvm_scenario_result *result);

/** dvm_scenario_test_name() - its name, also of a file; borrowed; NULL: no such test. */
DVM_API const char *dvm_scenario_test_name(const struct dvm_scenario_result *r, size_t index);
/** dvm_scenario_test_what() - who does what in it, in one sentence; borrowed. */
DVM_API const char *dvm_scenario_test_what(const struct dvm_scenario_result *r, size_t index);
/** dvm_scenario_test_text() - the test in litmus syntax; "" if there is none; borrowed. */
DVM_API const char *dvm_scenario_test_text(const struct dvm_scenario_result *r, size_t index);
/** dvm_scenario_test_verdict() - its own verdict. */
DVM_API enum dvm_scenario_verdict dvm_scenario_test_verdict(const struct dvm_scenario_result *r,
							    size_t index);
/**
 * dvm_scenario_test_rules() - safety rules that some stale use of an UNSAFE test breaks.
 *
 * Bit n: Rn (dvm_safety_rule_text()). All stale uses are asked, unless a limit of the options is met
 * first. 0 for other verdicts, and with dvm_check_options.first_unsafe, where nobody asks.
 */
DVM_API unsigned dvm_scenario_test_rules(const struct dvm_scenario_result *r, size_t index);
/**
 * dvm_scenario_test_why() - what the verdict rests on: the final state of a stale use, the
 * instruction that can not be translated, the limit that was met. "" when SAFE. Borrowed.
 */
DVM_API const char *dvm_scenario_test_why(const struct dvm_scenario_result *r, size_t index);

#ifdef __cplusplus
}
#endif
#endif
