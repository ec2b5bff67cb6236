/* SPDX-License-Identifier: MIT */
#ifndef DVMI_MODEL_PARAMS_H
#define DVMI_MODEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dvm_model;

/* A resolved hardware model: hw->dvm_request_ps is /params/dvm/request_ps of the file. */
struct dvmi_hw {
#define INT(group, name, unit, min, max, doc) uint64_t group##_##name;
#define BOOL(group, name, doc) uint64_t group##_##name;
#define ENUM(group, name, words, doc) uint64_t group##_##name;
#include "model/hw_params.def"
#undef INT
#undef BOOL
#undef ENUM
};

/* A resolved kernel configuration: cfg->page_bytes is /params/page_bytes of the file. */
struct dvmi_kernel_cfg {
#define INT(name, unit, min, max, doc) uint64_t name;
#define BOOL(name, doc) uint64_t name;
#define ENUM(name, words, doc) uint64_t name;
#include "model/kernel_params.def"
#undef INT
#undef BOOL
#undef ENUM
};

/* The words of the enums, in the tables' order. */
enum dvmi_llc { DVMI_LLC_CORE, DVMI_LLC_CLUSTER, DVMI_LLC_DIE, DVMI_LLC_SOCKET };
enum dvmi_node { DVMI_NODE_DIE, DVMI_NODE_SOCKET };
enum dvmi_snoop_unit { DVMI_SNOOP_CORE, DVMI_SNOOP_CLUSTER };
enum dvmi_filter { DVMI_FILTER_NONE, DVMI_FILTER_IDLE_CLUSTER };
enum dvmi_smt { DVMI_SMT_PRIVATE, DVMI_SMT_PARTITIONED };
enum dvmi_tlbid_unit { DVMI_TLBID_CORE, DVMI_TLBID_CLUSTER, DVMI_TLBID_DIE, DVMI_TLBID_SOCKET };
enum dvmi_tlbid_sync { DVMI_TLBID_SYNC_ALL, DVMI_TLBID_SYNC_DOMAINS };
enum dvmi_pending { DVMI_PENDING_DSB, DVMI_PENDING_MM };
enum dvmi_sme_batch { DVMI_SME_BATCH_MASK, DVMI_SME_BATCH_ACTIVE };
enum dvmi_smmu { DVMI_SMMU_NONE, DVMI_SMMU_NOTIFIER, DVMI_SMMU_BTM };
enum dvmi_repeat { DVMI_REPEAT_NONE, DVMI_REPEAT_OLD, DVMI_REPEAT_NEW };
enum dvmi_preempt {
	DVMI_PREEMPT_NONE,
	DVMI_PREEMPT_VOLUNTARY,
	DVMI_PREEMPT_LAZY,
	DVMI_PREEMPT_FULL,
	DVMI_PREEMPT_RT,
};
enum dvmi_vm { DVMI_VM_NATIVE, DVMI_VM_GUEST };
enum dvmi_vm_filter { DVMI_VM_FILTER_NONE, DVMI_VM_FILTER_ALLOWED, DVMI_VM_FILTER_RAN };
enum dvmi_bsu { DVMI_BSU_NONE, DVMI_BSU_IS, DVMI_BSU_OS, DVMI_BSU_SY };

enum dvmi_param_type { DVMI_PARAM_INT, DVMI_PARAM_BOOL, DVMI_PARAM_ENUM };

/* One row of a table, as the reader, the writer and the schema see it. */
struct dvmi_param_def {
	const char *path;  /* "dvm.request_ps" */
	const char *group; /* "dvm"; "" in a kernel configuration */
	const char *name;  /* "request_ps" */
	enum dvmi_param_type type;
	const char *unit;  /* "ps"; "bool"; "enum" */
	uint64_t min, max; /* an enum's words bound it: dvmi_param_max() */
	const char *words; /* of an enum: "core|cluster" */
	const char *doc;
};

extern const struct dvmi_param_def dvmi_hw_defs[], dvmi_kernel_defs[];
extern const size_t dvmi_hw_def_count, dvmi_kernel_def_count;

/* The largest value: max, or an enum's last word's number. */
uint64_t dvmi_param_max(const struct dvmi_param_def *def);
/* Word number @value of an enum ("true" and "false" of a bool) into @buf; returns @buf. */
#define DVMI_PARAM_WORD_MAX 32
const char *dvmi_param_word(const struct dvmi_param_def *def, uint64_t value,
			    char buf[DVMI_PARAM_WORD_MAX]);
/* The number of a word; false when there is no such word. */
bool dvmi_param_number(const struct dvmi_param_def *def, const char *word, uint64_t *value);

/* The resolved values; NULL when @model is of the other kind. */
const struct dvmi_hw *dvmi_model_hw(const struct dvm_model *model);
const struct dvmi_kernel_cfg *dvmi_model_kernel(const struct dvm_model *model);

static inline uint64_t dvmi_hw_cores(const struct dvmi_hw *hw)
{
	return hw->topology_sockets * hw->topology_dies * hw->topology_clusters *
	       hw->topology_cores;
}

static inline uint64_t dvmi_hw_cpus(const struct dvmi_hw *hw)
{
	return dvmi_hw_cores(hw) * hw->topology_threads;
}

#endif
