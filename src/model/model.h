/* SPDX-License-Identifier: MIT */
#ifndef DVMI_MODEL_MODEL_H
#define DVMI_MODEL_MODEL_H

#include "base/error.h"
#include "base/json.h"
#include "model/params.h"

#include <dvmsim/model.h>

#define DVMI_MODEL_FILE_MAX (1u << 20)
#define DVMI_MODEL_CHAIN_MAX 8 /* files in one line of inheritance */

enum dvmi_source {
	DVMI_SOURCE_ARCHITECTURE,
	DVMI_SOURCE_MANUAL,
	DVMI_SOURCE_MEASURED,
	DVMI_SOURCE_PAPER,
	DVMI_SOURCE_DERIVED,
	DVMI_SOURCE_ESTIMATE,
	DVMI_SOURCE_SET, /* only in models that were changed by dvm_model_set() */
};
extern const char *const dvmi_source_names[]; /* ends with NULL */

/* Where one value comes from. The strings are owned. */
struct dvmi_leaf {
	bool given, ranged;
	enum dvmi_source source;
	uint64_t lo, hi;
	char *ref, *formula, *note, *file;
};

struct dvm_model {
	enum dvm_model_kind kind;
	enum dvm_model_status status;
	char *file, *name, *summary, *calibrated_by, *note;
	const struct dvmi_param_def *defs;
	size_t count;
	uint64_t *values; /* value i is field i of the union below */
	union {
		struct dvmi_hw hw;
		struct dvmi_kernel_cfg kernel;
	};
	struct dvmi_leaf *leaves;
};

extern const char *const dvmi_status_names[]; /* ends with NULL */
/* "dvmsim.hw/1": what the key "schema" of a file must say. */
const char *dvmi_model_schema_name(enum dvm_model_kind kind);

/* An empty model of @kind, all values missing. */
int dvmi_model_new(enum dvm_model_kind kind, struct dvm_model **model);
void dvmi_leaf_fini(struct dvmi_leaf *leaf);

/* Rules between parameters. Returns NULL, or the sentence; *@index is the parameter to blame. */
const char *dvmi_model_contradiction(const struct dvm_model *model, size_t *index);

/* Number of the row with @path (or @group and @name); @count when there is none. */
size_t dvmi_param_index(const struct dvm_model *model, const char *path);

/* Findings that do not stop a reader; @report may be NULL, then the first one does. */
struct dvmi_findings {
	void (*report)(void *arg, const struct dvm_error *finding);
	void *arg;
	int count;
};

/* Read @text (or, when it is NULL, the file) with all it inherits. */
int dvmi_model_read(enum dvm_model_kind kind, const char *path, const char *text, size_t size,
		    struct dvmi_findings *findings, struct dvm_model **model,
		    struct dvm_error *err);

#endif
