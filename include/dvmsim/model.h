/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_MODEL_H
#define DVMSIM_MODEL_H

#include <dvmsim/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_model - a hardware model or a kernel configuration, resolved.
 *
 * What a file of models/hw or models/kernel says after its inheritance is applied: every parameter
 * has a value, and every value a source. It does not change while it is used; dvm_model_set() is
 * for copies, between runs. One thread at a time may change a model; any number may read it.
 */
struct dvm_model;

/**
 * enum dvm_model_kind - what a model describes.
 * @DVM_MODEL_HW:     a part: topology, TLBs, DVM fabric, barriers, costs (models/hw)
 * @DVM_MODEL_KERNEL: a kernel configuration: version, page size, KPTI, errata (models/kernel)
 * @DVM_MODEL_ANY:    for readers: whichever of the two the file says it is
 */
enum dvm_model_kind {
	DVM_MODEL_HW,
	DVM_MODEL_KERNEL,
	DVM_MODEL_ANY,
};

/**
 * enum dvm_model_status - how far a model can be trusted.
 * @DVM_MODEL_ESTIMATED:  the cost of a flush is not fitted to a published measurement of this part
 * @DVM_MODEL_CALIBRATED: what the note says is fitted reproduces the sets in calibrated_by
 * @DVM_MODEL_TEACHING:   round numbers, no part
 */
enum dvm_model_status {
	DVM_MODEL_ESTIMATED,
	DVM_MODEL_CALIBRATED,
	DVM_MODEL_TEACHING,
};

/** enum dvm_param_type - the type of a parameter. A bool is 0 or 1, an enum its word's number. */
enum dvm_param_type {
	DVM_PARAM_INT,
	DVM_PARAM_BOOL,
	DVM_PARAM_ENUM,
};

/**
 * struct dvm_param - one parameter of a model and where its value comes from.
 * @size:    in, sizeof(struct dvm_param); the call fills no more than that
 * @type:    enum dvm_param_type
 * @path:    "dvm.request_ps", or "page_bytes" in a kernel configuration
 * @unit:    "ps", "entries", ...; "bool" and "enum" for those types
 * @doc:     one line
 * @words:   of an enum, its words with bars between them; otherwise NULL
 * @value:   the value
 * @min:     least value dvm_model_set() takes
 * @max:     greatest value dvm_model_set() takes
 * @ranged:  1 when @lo and @hi are given (always for an estimate), else 0
 * @lo:      least plausible value, where @ranged
 * @hi:      greatest plausible value, where @ranged
 * @source:  "architecture", "manual", "measured", "paper", "derived", "estimate", or "set" after
 *           dvm_model_set()
 * @ref:     where the value can be looked up
 * @formula: of a derived value, otherwise NULL
 * @note:    a remark, or NULL
 * @file:    the file that gave the value: the model's own, or one it inherits
 *
 * All strings belong to the model, and are valid until it is changed or freed.
 */
struct dvm_param {
	size_t size;
	int type;
	const char *path;
	const char *unit;
	const char *doc;
	const char *words;
	uint64_t value;
	uint64_t min;
	uint64_t max;
	int ranged;
	uint64_t lo;
	uint64_t hi;
	const char *source;
	const char *ref;
	const char *formula;
	const char *note;
	const char *file;
};

/**
 * dvm_model_load() - read a model from a file.
 * @kind:  what the file must describe
 * @path:  the file; what it inherits is looked for beside it
 * @model: out, freed by the caller with dvm_model_free()
 * @err:   out, may be NULL
 *
 * Reading is strict: an unknown, duplicate, missing or out-of-range key, a wrong unit, a value
 * without source and reference, and an estimate without a range are all errors.
 *
 * Return: 0, -DVM_ENOENT, -DVM_EIO, -DVM_EFORMAT, -DVM_ELIMIT or -DVM_ENOMEM.
 */
DVM_API int dvm_model_load(enum dvm_model_kind kind, const char *path, struct dvm_model **model,
			   struct dvm_error *err);

/**
 * dvm_model_find() - read a model by name.
 * @kind:  what it must describe
 * @name:  "neoverse-n1-80", looked for as @dir/hw/NAME.json or @dir/kernel/NAME.json; a name with a
 *         slash or ending in ".json" is a path and read as it is
 * @dir:   the models folder, usually the one that is installed
 * @model: out, freed by the caller with dvm_model_free()
 * @err:   out, may be NULL; an unknown name is answered with the nearest one there is
 *
 * Return: as dvm_model_load().
 */
DVM_API int dvm_model_find(enum dvm_model_kind kind, const char *name, const char *dir,
			   struct dvm_model **model, struct dvm_error *err);

/**
 * dvm_model_parse() - read a model from memory.
 * @kind:  what the text must describe
 * @label: stands for the file name in messages; what the text inherits is looked for beside it
 * @text:  JSON, as a file holds it or dvm_model_to_json() writes it
 * @size:  bytes at @text
 * @model: out, freed by the caller with dvm_model_free()
 * @err:   out, may be NULL
 *
 * Return: as dvm_model_load().
 */
DVM_API int dvm_model_parse(enum dvm_model_kind kind, const char *label, const char *text,
			    size_t size, struct dvm_model **model, struct dvm_error *err);

/**
 * dvm_model_lint() - report everything that is wrong with a file, not only the first thing.
 * @kind:   what it must describe
 * @path:   the file
 * @report: called with each finding, in the file's order
 * @arg:    passed to @report
 * @err:    out, may be NULL; written when the file can not be read at all
 *
 * Beyond what dvm_model_load() refuses it reports a name that is not the file's name, and values
 * left over from dvm_model_set().
 *
 * Return: the number of findings, or -DVM_ENOENT, -DVM_EIO or -DVM_ENOMEM.
 */
DVM_API int dvm_model_lint(enum dvm_model_kind kind, const char *path,
			   void (*report)(void *arg, const struct dvm_error *finding), void *arg,
			   struct dvm_error *err);

/**
 * dvm_model_names() - the models of a folder.
 * @kind:  DVM_MODEL_HW or DVM_MODEL_KERNEL
 * @dir:   the models folder
 * @names: out, the names in byte order, each followed by a newline; freed with dvm_free()
 * @err:   out, may be NULL
 *
 * Return: 0, -DVM_EINVAL, -DVM_ENOENT, -DVM_EIO or -DVM_ENOMEM.
 */
DVM_API int dvm_model_names(enum dvm_model_kind kind, const char *dir, char **names,
			    struct dvm_error *err);

/** dvm_model_clone() - a copy of @model in *@copy; freed by the caller. Return: 0 or -DVM_ENOMEM. */
DVM_API int dvm_model_clone(const struct dvm_model *model, struct dvm_model **copy);

/** dvm_model_free() - free a model. NULL is legal. */
DVM_API void dvm_model_free(struct dvm_model *model);

/** dvm_model_kind() - what @model describes. */
DVM_API enum dvm_model_kind dvm_model_kind(const struct dvm_model *model);

/** dvm_model_status() - how far @model can be trusted. */
DVM_API enum dvm_model_status dvm_model_status(const struct dvm_model *model);

/** dvm_model_status_name() - "estimated", "calibrated" or "teaching". */
DVM_API const char *dvm_model_status_name(const struct dvm_model *model);

/** dvm_model_name() - the model's name, owned by the model. */
DVM_API const char *dvm_model_name(const struct dvm_model *model);

/** dvm_model_summary() - one line on what it is, owned by the model. */
DVM_API const char *dvm_model_summary(const struct dvm_model *model);

/** dvm_model_calibrated_by() - the calibration sets, "C1, C2", or "" for none; owned by the model. */
DVM_API const char *dvm_model_calibrated_by(const struct dvm_model *model);

/** dvm_model_note() - what the calibration covers and what is estimated; owned by the model. */
DVM_API const char *dvm_model_note(const struct dvm_model *model);

/** dvm_model_file() - the file or label it was read from, owned by the model. */
DVM_API const char *dvm_model_file(const struct dvm_model *model);

/** dvm_model_param_count() - how many parameters @model has; the same for all of one kind. */
DVM_API size_t dvm_model_param_count(const struct dvm_model *model);

/**
 * dvm_model_param() - one parameter by number.
 * @model: the model
 * @index: from 0 to dvm_model_param_count() - 1, in the order of the documentation
 * @param: in/out, with its size set
 *
 * Return: 0 or -DVM_EINVAL (no such number, or @param->size is not set).
 */
DVM_API int dvm_model_param(const struct dvm_model *model, size_t index, struct dvm_param *param);

/**
 * dvm_model_param_find() - one parameter by path.
 * @model: the model
 * @path:  "dvm.request_ps"
 * @param: in/out, with its size set
 * @err:   out, may be NULL; names the nearest path
 *
 * Return: 0, -DVM_ENOENT or -DVM_EINVAL.
 */
DVM_API int dvm_model_param_find(const struct dvm_model *model, const char *path,
				 struct dvm_param *param, struct dvm_error *err);

/**
 * dvm_model_set() - change one value, for a study of how the answer depends on it.
 * @model: the model; usually a clone
 * @path:  "dvm.request_ps"
 * @value: from the parameter's min to its max
 * @err:   out, may be NULL
 *
 * The value's source becomes "set", and the model's hash changes. Nothing changes on failure.
 *
 * Return: 0, -DVM_ENOENT (no such path), -DVM_EINVAL (out of range, or the model as a whole would
 * contradict itself) or -DVM_ENOMEM.
 */
DVM_API int dvm_model_set(struct dvm_model *model, const char *path, uint64_t value,
			  struct dvm_error *err);

/**
 * dvm_model_set_text() - dvm_model_set() with the value as a file writes it.
 * @text: a number, "true" or "false", or one of an enum's words
 *
 * Return: as dvm_model_set(); -DVM_EINVAL also for text that is no value of the parameter.
 */
DVM_API int dvm_model_set_text(struct dvm_model *model, const char *path, const char *text,
			       struct dvm_error *err);

/**
 * dvm_model_set_cpus() - give a part so many CPUs: as many clusters as make them, or else one cluster
 * of fewer cores.
 * @model: of a part
 * @cpus:  at least 1
 *
 * Return: 0, -DVM_EINVAL (a kernel configuration, or its sockets, dies and threads can not make that
 * number) or -DVM_ENOMEM.
 */
DVM_API int dvm_model_set_cpus(struct dvm_model *model, uint64_t cpus, struct dvm_error *err);

/**
 * dvm_model_to_json() - the resolved model as JSON, without inheritance.
 * @model: the model
 * @text:  out, NUL-terminated; freed by the caller with dvm_free()
 *
 * The same model always gives the same bytes, and dvm_model_parse() reads them back.
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_model_to_json(const struct dvm_model *model, char **text);

/**
 * dvm_model_hash() - FNV-1a (64 bits) of dvm_model_to_json()'s bytes: names the content in results.
 * @model: the model
 * @hash:  out
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_model_hash(const struct dvm_model *model, uint64_t *hash);

/**
 * dvm_model_schema() - the published JSON Schema (draft 2020-12) of a kind of model.
 * @kind: the kind
 * @text: out, NUL-terminated; freed by the caller with dvm_free()
 *
 * A schema can not say everything the reader checks (inheritance, sums, duplicate keys); it is
 * there for editors and for tools that write models.
 *
 * Return: 0 or -DVM_ENOMEM.
 */
DVM_API int dvm_model_schema(enum dvm_model_kind kind, char **text);

#ifdef __cplusplus
}
#endif
#endif
