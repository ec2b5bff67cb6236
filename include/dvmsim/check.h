/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_CHECK_H
#define DVMSIM_CHECK_H

#include <dvmsim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The checker: explores every execution of a small program that the Arm memory model, with virtual
 * memory, allows. docs/checker.md states the model. This header: litmus tests in herd's syntax.
 */

/** enum dvm_check_verdict - what exploring a test's executions showed of its condition. */
enum dvm_check_verdict {
	DVM_CHECK_NEVER = 0,	/* no execution satisfies the condition ("Forbidden") */
	DVM_CHECK_SOMETIMES,	/* some do ("Allowed") */
	DVM_CHECK_ALWAYS,	/* all do */
	DVM_CHECK_INCONCLUSIVE, /* a limit ended the search before that was known */
};

/**
 * struct dvm_check_options - how to explore; all zero is Arm's cat model without FEAT_ETS2.
 * @size:             sizeof(struct dvm_check_options)
 * @ets2:             not 0: FEAT_ETS2 is implemented
 * @dsb_domain:       not 0: a DSB NSH does not complete a broadcast TLBI (Arm ARM D8; the cat model
 *                    has no shareability domains)
 * @unreduced:        not 0: without partial-order reduction, to compare
 * @without:          set of rules (bit n: rule n of dvm_check_rule_name()) that are switched off
 * @unroll:           how often an instruction may run in a loop, 1..8; 0: 2, as herd does
 * @max_states:       states to explore at most; 0: 50 million
 * @max_memory_bytes: memory for states at most; 0: 1 GiB
 * @stop:             asked every few thousand states; not 0 ends the search as a limit does; may be
 *                    NULL
 * @stop_arg:         handed to @stop
 * @threads:          of dvm_litmus_run(): threads that explore, 0..64; 0: 1. Of dvm_minimise() and
 *                    dvm_diff(): scenarios checked at a time. Changes no result
 * @preempt:          of dvm_scenario_check(): enum dvm_preempt, when tasks are switched out
 * @env:              of dvm_scenario_check(): DVM_SCENARIO_ENV_..., for every scenario
 * @total_states:     of dvm_scenario_check(): states of all tests of a scenario at most; 0: no limit
 * @first_unsafe:     of dvm_scenario_check(): not 0: the first UNSAFE test is the last one
 * @bbm:              of dvm_litmus_run(): not 0: the result's text has herd's flag
 *                    Warning-BBM-expected when some access of the test can meet an old and a new
 *                    translation side by side (docs/checker.md, "Break-before-make")
 * @without_symmetry: not 0: threads that are the same are not taken for one another, to compare
 */
struct dvm_check_options {
	size_t size;
	int ets2;
	int dsb_domain;
	int unreduced;
	uint64_t without;
	unsigned unroll;
	uint64_t max_states;
	uint64_t max_memory_bytes;
	int (*stop)(void *arg);
	void *stop_arg;
	unsigned threads;
	unsigned preempt;
	unsigned env;
	uint64_t total_states;
	int first_unsafe;
	int without_symmetry;
	int bbm;
};

/** struct dvm_litmus - a parsed test; opaque. */
struct dvm_litmus;

/** struct dvm_litmus_result - what exploring a test gave; opaque. */
struct dvm_litmus_result;

/**
 * dvm_litmus_parse() - read a litmus test from memory.
 * @file: name for messages; never NULL
 * @text: @size bytes, no terminator needed
 * @size: at most 256 KiB is meant; larger is accepted
 * @test: out, freed with dvm_litmus_free()
 * @err:  out on failure: line, column, what is supported; may be NULL
 *
 * Return: 0, -DVM_EFORMAT or -DVM_ENOMEM.
 */
DVM_API int dvm_litmus_parse(const char *file, const char *text, size_t size,
			     struct dvm_litmus **test, struct dvm_error *err);

/** dvm_litmus_load() - dvm_litmus_parse() of a file of at most 256 KiB; also -DVM_EIO. */
DVM_API int dvm_litmus_load(const char *path, struct dvm_litmus **test, struct dvm_error *err);

/** dvm_litmus_free() - free a test; NULL is allowed. */
DVM_API void dvm_litmus_free(struct dvm_litmus *test);

/** dvm_litmus_name() - the name in the test's first line; borrowed. */
DVM_API const char *dvm_litmus_name(const struct dvm_litmus *test);

/**
 * dvm_litmus_run() - explore all executions of @test.
 * @test:    a parsed test; not changed
 * @options: NULL: all defaults
 * @result:  out, freed with dvm_litmus_result_free()
 * @err:     out on failure; may be NULL
 *
 * A limit is not a failure: the result then says DVM_CHECK_INCONCLUSIVE. The same test and options
 * always give the same result.
 *
 * Return: 0, -DVM_EINVAL (an option out of range), -DVM_ELIMIT (the test is too large),
 * -DVM_EFORMAT (it needs what is not supported), -DVM_ENOMEM.
 */
DVM_API int dvm_litmus_run(const struct dvm_litmus *test, const struct dvm_check_options *options,
			   struct dvm_litmus_result **result, struct dvm_error *err);

/** dvm_litmus_result_free() - free a result; NULL is allowed. */
DVM_API void dvm_litmus_result_free(struct dvm_litmus_result *result);

/** dvm_litmus_verdict() - whether the condition's proposition holds never, sometimes or always. */
DVM_API enum dvm_check_verdict dvm_litmus_verdict(const struct dvm_litmus_result *result);

/** dvm_litmus_ok() - not 0 when the quantified condition holds (herd's "Ok"). */
DVM_API int dvm_litmus_ok(const struct dvm_litmus_result *result);

/** dvm_litmus_states() - machine states explored. */
DVM_API uint64_t dvm_litmus_states(const struct dvm_litmus_result *result);

/** dvm_litmus_memory() - bytes that the table of states took, at its largest. */
DVM_API uint64_t dvm_litmus_memory(const struct dvm_litmus_result *result);

/** dvm_litmus_outcomes() - number of different final states, as the condition sees them. */
DVM_API size_t dvm_litmus_outcomes(const struct dvm_litmus_result *result);

/** dvm_litmus_outcome() - final state @index as a line, "0:X1=1; [x]=0;"; borrowed; NULL: no such.
 */
DVM_API const char *dvm_litmus_outcome(const struct dvm_litmus_result *result, size_t index);

/**
 * dvm_litmus_result_text() - the result in herd's line grammar, without the Time line.
 * @text: out, freed with dvm_free()
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_litmus_result_text(const struct dvm_litmus_result *result, char **text);

/** dvm_check_rules() - how many rules the machine has. */
DVM_API unsigned dvm_check_rules(void);
/** dvm_check_rule_name() - name of rule @rule, as in --without; NULL when there is none. */
DVM_API const char *dvm_check_rule_name(unsigned rule);
/** dvm_check_rule_source() - the relation of Arm's cat model, or section, that states it. */
DVM_API const char *dvm_check_rule_source(unsigned rule);
/** dvm_check_rule_text() - what it says, in one sentence. */
DVM_API const char *dvm_check_rule_text(unsigned rule);
/** dvm_check_rule_find() - number of the rule with this name, or -DVM_ENOENT. */
DVM_API int dvm_check_rule_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
