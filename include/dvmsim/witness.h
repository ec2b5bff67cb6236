/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_WITNESS_H
#define DVMSIM_WITNESS_H

#include <dvmsim/check.h>
#include <dvmsim/scenario.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Witnesses: the shortest execution of a litmus test, or of a test made from a strategy, that
 * reaches what its condition asks for, step by step. docs/checker.md ("Witnesses") says how to
 * read one.
 */

/** struct dvm_witness - one execution; opaque. */
struct dvm_witness;

/**
 * dvm_litmus_witness() - the shortest execution that shows a test's condition.
 * @test:    must live as long as the witness
 * @options: as for dvm_litmus_run(); max_states bounds this search on its own
 * @witness: out, freed with dvm_witness_free()
 * @err:     out on failure; may be NULL
 *
 * For exists and ~exists: an execution in which the proposition holds; for forall: one in which it
 * does not. Its length is the number of machine steps after which every register and location that
 * the condition names has its last value; no execution gets there in fewer. Among equally short ones
 * the choice is always the same.
 *
 * Return: 0, -DVM_ENOENT (there is none), -DVM_EBUDGET (a limit was met first), or as
 * dvm_litmus_run().
 */
DVM_API int dvm_litmus_witness(const struct dvm_litmus *test,
			       const struct dvm_check_options *options,
			       struct dvm_witness **witness, struct dvm_error *err);

/**
 * dvm_scenario_witness() - the shortest stale use in test @index of a scenario.
 * @result:  from dvm_scenario_check(); must live as long as the witness
 * @index:   0 .. dvm_scenario_tests() - 1
 * @witness: out, freed with dvm_witness_free()
 * @err:     out on failure; may be NULL
 *
 * Return: as dvm_litmus_witness(); -DVM_EINVAL when there is no such test.
 */
DVM_API int dvm_scenario_witness(const struct dvm_scenario_result *result, size_t index,
				 struct dvm_witness **witness, struct dvm_error *err);

/**
 * dvm_scenario_witness_of() - the shortest stale use in test @index that breaks safety rule @rule.
 * @result:  as for dvm_scenario_witness()
 * @index:   as for dvm_scenario_witness()
 * @rule:    1 is R1; 0: any
 * @witness: out, freed with dvm_witness_free()
 * @err:     out on failure; may be NULL
 *
 * Return: as dvm_scenario_witness(); -DVM_ENOENT also when no stale use of the test breaks the rule
 * (dvm_scenario_test_rules()), -DVM_EINVAL when there is no such rule.
 */
DVM_API int dvm_scenario_witness_of(const struct dvm_scenario_result *result, size_t index,
				    unsigned rule, struct dvm_witness **witness,
				    struct dvm_error *err);

/** dvm_witness_free() - free a witness; NULL is allowed. */
DVM_API void dvm_witness_free(struct dvm_witness *witness);

/** dvm_witness_steps() - machine steps until the condition is decided. */
DVM_API unsigned dvm_witness_steps(const struct dvm_witness *witness);
/** dvm_witness_wrong() - what went wrong, in one sentence; borrowed. */
DVM_API const char *dvm_witness_wrong(const struct dvm_witness *witness);
/** dvm_witness_rules() - how many safety rules were broken on the way. */
DVM_API unsigned dvm_witness_rules(const struct dvm_witness *witness);
/** dvm_witness_rule() - number of broken rule @index, as in docs/checker.md: 3 is R3; 0: none. */
DVM_API unsigned dvm_witness_rule(const struct dvm_witness *witness, unsigned index);
/** dvm_witness_rule_text() - where and how rule @index was broken; borrowed; NULL: no such. */
DVM_API const char *dvm_witness_rule_text(const struct dvm_witness *witness, unsigned index);
/** dvm_safety_rule_text() - what safety rule @rule (1 is R1) says; NULL: there is none. */
DVM_API const char *dvm_safety_rule_text(unsigned rule);

/**
 * dvm_witness_replay() - execute the steps again from the initial state.
 *
 * Return: 0 when each step can happen, and the state after dvm_witness_steps() of them shows what
 * the condition asks for, and the rest lead to the end; else -DVM_EINVAL.
 */
DVM_API int dvm_witness_replay(const struct dvm_witness *witness);

/**
 * dvm_witness_text() - numbered steps in one column per CPU.
 * @text: out, freed with dvm_free()
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_witness_text(const struct dvm_witness *witness, char **text);
/** dvm_witness_json() - the same as one JSON object (docs/checker.md); as dvm_witness_text(). */
DVM_API int dvm_witness_json(const struct dvm_witness *witness, char **json);

#ifdef __cplusplus
}
#endif
#endif
