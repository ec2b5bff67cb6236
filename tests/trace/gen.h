/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_TRACE_GEN_H
#define DVMSIM_TESTS_TRACE_GEN_H

#include <dvmsim/trace.h>

#include "base/rng.h"

/* A header with every key, marks "forks" and "batches", 4 CPUs, 4 KiB pages, 48 VA bits. */
extern const char gen_header[];

/* A record that is right by itself; every kind, every field, extreme values included. */
struct dvm_trace_record gen_record(struct dvmi_rng *rng, uint64_t naccesses);

/* A trace of @count such records, with accesses. */
struct dvm_trace *gen_trace(uint64_t seed, size_t count);

int gen_equal(const struct dvm_trace *a, const struct dvm_trace *b);

#endif
