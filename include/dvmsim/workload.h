/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_WORKLOAD_H
#define DVMSIM_WORKLOAD_H

#include <dvmsim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dvm_trace;

/**
 * struct dvm_workload_param - one parameter of a generator.
 * @name: e.g. "pages"
 * @unit: e.g. "pages", "ns", "" for a count
 * @help: one sentence
 * @value: default
 * @min:  smallest value accepted
 * @max:  largest value accepted
 */
struct dvm_workload_param {
	const char *name, *unit, *help;
	uint64_t value, min, max;
};

/**
 * struct dvm_workload_info - a generator: a documented synthetic workload.
 * @name:    e.g. "fork"
 * @summary: one line
 * @details: what it does, step by step
 * @params:  its parameters; ends with a name of NULL
 *
 * All constant, static.
 */
struct dvm_workload_info {
	const char *name, *summary, *details;
	const struct dvm_workload_param *params;
};

/** dvm_workload_get() - generator @index, or NULL past the last. */
DVM_API const struct dvm_workload_info *dvm_workload_get(size_t index);

#define DVM_WORKLOAD_MAX_RECORDS (1u << 24) /* 768 MiB */

/**
 * dvm_workload_generate() - make a trace from "NAME" or "NAME:param=value,param=value".
 * @spec:  the generator and its parameters
 * @seed:  keys its random draws (think times); the same seed gives the same trace
 * @trace: out, freed with dvm_trace_free()
 *
 * Return: 0; -DVM_ENOENT (no such generator; the error suggests one); -DVM_EFORMAT (unknown or
 * ill-formed parameter, or one given twice); -DVM_ELIMIT (more than DVM_WORKLOAD_MAX_RECORDS);
 * -DVM_ENOMEM.
 */
DVM_API int dvm_workload_generate(const char *spec, uint64_t seed, struct dvm_trace **trace,
				  struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
