/* SPDX-License-Identifier: MIT */
#ifndef DVMI_TRACE_INTERNAL_H
#define DVMI_TRACE_INTERNAL_H

#include <dvmsim/trace.h>

#include "base/error.h"

/* Longest RUN or SLEEP: 2^40 ns is 18 minutes; sums in picoseconds stay far below 2^64. */
#define DVMI_TRACE_MAX_SPAN (UINT64_C(1) << 40)
#define DVMI_TRACE_MAX_TIME (UINT64_C(1) << 62)

/* The header: canonical text, the numbers in it, and the mark names (pointers into one block). */
struct dvmi_trace_header {
	char *text;
	struct dvm_trace_env env;
	char **marks;
};

int dvmi_trace_header_parse(const char *json, struct dvmi_trace_header *header,
			    struct dvm_error *err);
void dvmi_trace_header_fini(struct dvmi_trace_header *header);

struct dvm_trace {
	struct dvmi_trace_header header;
	struct dvm_trace_record *records;
	size_t nrecords, records_capacity;
	uint64_t *accesses;
	size_t naccesses, accesses_capacity;
	struct dvm_trace_ids ids;
};

/* What is wrong with one record by itself, or NULL. */
const char *dvmi_trace_record_check(const struct dvm_trace_record *rec,
				    const struct dvm_trace_env *env, uint64_t naccesses);
const char *dvmi_trace_access_check(uint64_t access);

/* Append records that were checked; for the readers. */
int dvmi_trace_push(struct dvm_trace *trace, const struct dvm_trace_record *records, size_t count,
		    struct dvm_error *err);
int dvmi_trace_push_accesses(struct dvm_trace *trace, const uint64_t *accesses, size_t count,
			     struct dvm_error *err);

uint32_t dvmi_crc32c(uint32_t crc, const void *data, size_t size);

#endif
