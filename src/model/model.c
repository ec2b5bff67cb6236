/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include "base/hash.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const dvmi_source_names[] = { "architecture", "manual",   "measured", "paper",
					  "derived",	  "estimate", "set",	  NULL };
const char *const dvmi_status_names[] = { "estimated", "calibrated", "teaching", NULL };

const char *dvmi_model_schema_name(enum dvm_model_kind kind)
{
	return kind == DVM_MODEL_HW ? "dvmsim.hw/1" : "dvmsim.kernel/1";
}

int dvmi_model_new(enum dvm_model_kind kind, struct dvm_model **model)
{
	struct dvm_model *m = dvmi_zalloc(sizeof(*m));

	if (!m)
		return -DVM_ENOMEM;
	m->kind = kind;
	if (kind == DVM_MODEL_HW) {
		m->defs = dvmi_hw_defs;
		m->count = dvmi_hw_def_count;
		m->values = (uint64_t *)&m->hw;
	} else {
		m->defs = dvmi_kernel_defs;
		m->count = dvmi_kernel_def_count;
		m->values = (uint64_t *)&m->kernel;
	}
	m->leaves = dvmi_calloc(m->count, sizeof(*m->leaves));
	if (!m->leaves) {
		dvmi_free(m);
		return -DVM_ENOMEM;
	}
	*model = m;
	return 0;
}

void dvmi_leaf_fini(struct dvmi_leaf *leaf)
{
	dvmi_free(leaf->ref);
	dvmi_free(leaf->formula);
	dvmi_free(leaf->note);
	dvmi_free(leaf->file);
}

void dvm_model_free(struct dvm_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->count; i++)
		dvmi_leaf_fini(&model->leaves[i]);
	dvmi_free(model->leaves);
	dvmi_free(model->file);
	dvmi_free(model->name);
	dvmi_free(model->summary);
	dvmi_free(model->calibrated_by);
	dvmi_free(model->note);
	dvmi_free(model);
}

int dvm_model_load(enum dvm_model_kind kind, const char *path, struct dvm_model **model,
		   struct dvm_error *err)
{
	return dvmi_model_read(kind, path, NULL, 0, NULL, model, err);
}

int dvm_model_parse(enum dvm_model_kind kind, const char *label, const char *text, size_t size,
		    struct dvm_model **model, struct dvm_error *err)
{
	if (size > DVMI_MODEL_FILE_MAX)
		return dvmi_error(err, DVM_ELIMIT, label, "larger than the limit of %u bytes",
				  DVMI_MODEL_FILE_MAX);
	return dvmi_model_read(kind, label, text, size, NULL, model, err);
}

/* A copy of a string that may be absent; false when memory ran out. */
static bool dup(char **to, const char *from)
{
	*to = from ? dvmi_strdup(from) : NULL;
	return *to || !from;
}

static bool dup_leaf(struct dvmi_leaf *to, const struct dvmi_leaf *from)
{
	*to = *from;
	to->ref = to->formula = to->note = to->file = NULL;
	return dup(&to->ref, from->ref) && dup(&to->formula, from->formula) &&
	       dup(&to->note, from->note) && dup(&to->file, from->file);
}

int dvm_model_clone(const struct dvm_model *model, struct dvm_model **copy)
{
	struct dvm_model *m;
	bool ok;

	if (dvmi_model_new(model->kind, &m))
		return -DVM_ENOMEM;
	m->status = model->status;
	memcpy(m->values, model->values, m->count * sizeof(m->values[0]));
	ok = dup(&m->file, model->file) && dup(&m->name, model->name) &&
	     dup(&m->summary, model->summary) && dup(&m->calibrated_by, model->calibrated_by) &&
	     dup(&m->note, model->note);
	for (size_t i = 0; i < m->count && ok; i++)
		ok = dup_leaf(&m->leaves[i], &model->leaves[i]);
	if (!ok) {
		dvm_model_free(m);
		return -DVM_ENOMEM;
	}
	*copy = m;
	return 0;
}

enum dvm_model_kind dvm_model_kind(const struct dvm_model *model)
{
	return model->kind;
}

enum dvm_model_status dvm_model_status(const struct dvm_model *model)
{
	return model->status;
}

const char *dvm_model_status_name(const struct dvm_model *model)
{
	return dvmi_status_names[model->status];
}

const char *dvm_model_name(const struct dvm_model *model)
{
	return model->name;
}

const char *dvm_model_summary(const struct dvm_model *model)
{
	return model->summary;
}

const char *dvm_model_calibrated_by(const struct dvm_model *model)
{
	return model->calibrated_by;
}

const char *dvm_model_note(const struct dvm_model *model)
{
	return model->note;
}

const char *dvm_model_file(const struct dvm_model *model)
{
	return model->file;
}

size_t dvm_model_param_count(const struct dvm_model *model)
{
	return model->count;
}

const struct dvmi_hw *dvmi_model_hw(const struct dvm_model *model)
{
	return model->kind == DVM_MODEL_HW ? &model->hw : NULL;
}

const struct dvmi_kernel_cfg *dvmi_model_kernel(const struct dvm_model *model)
{
	return model->kind == DVM_MODEL_KERNEL ? &model->kernel : NULL;
}

size_t dvmi_param_index(const struct dvm_model *model, const char *path)
{
	size_t i = 0;

	while (i < model->count && strcmp(model->defs[i].path, path) != 0)
		i++;
	return i;
}

int dvm_model_param(const struct dvm_model *model, size_t index, struct dvm_param *param)
{
	const struct dvmi_param_def *def;
	const struct dvmi_leaf *leaf;
	struct dvm_param p = { 0 };

	if (index >= model->count || param->size < sizeof(param->size))
		return -DVM_EINVAL;
	def = &model->defs[index];
	leaf = &model->leaves[index];
	p.size = param->size < sizeof(p) ? param->size : sizeof(p);
	p.type = (int)def->type;
	p.path = def->path;
	p.unit = def->unit;
	p.doc = def->doc;
	p.words = def->words;
	p.value = model->values[index];
	p.min = def->min;
	p.max = dvmi_param_max(def);
	p.ranged = leaf->ranged;
	p.lo = leaf->lo;
	p.hi = leaf->hi;
	p.source = dvmi_source_names[leaf->source];
	p.ref = leaf->ref;
	p.formula = leaf->formula;
	p.note = leaf->note;
	p.file = leaf->file;
	memcpy(param, &p, p.size);
	return 0;
}

static const char *path_item(const void *arg, size_t i)
{
	const struct dvm_model *m = arg;

	return i < m->count ? m->defs[i].path : NULL;
}

static int no_such_path(const struct dvm_model *model, const char *path, struct dvm_error *err)
{
	char mean[128];

	return dvmi_error(err, DVM_ENOENT, model->name, "no parameter \"%s\"%s", path,
			  dvmi_json_mean(path, path_item, model, mean, sizeof(mean)));
}

int dvm_model_param_find(const struct dvm_model *model, const char *path, struct dvm_param *param,
			 struct dvm_error *err)
{
	size_t i = dvmi_param_index(model, path);

	if (i == model->count)
		return no_such_path(model, path, err);
	if (dvm_model_param(model, i, param))
		return dvmi_error(err, DVM_EINVAL, "", "struct dvm_param's size is not set");
	return 0;
}

int dvm_model_set(struct dvm_model *model, const char *path, uint64_t value,
		  struct dvm_error *err)
{
	size_t i = dvmi_param_index(model, path), blamed;
	const struct dvmi_param_def *def;
	uint64_t old;
	const char *text;
	char *ref;

	if (i == model->count)
		return no_such_path(model, path, err);
	def = &model->defs[i];
	if (value < def->min || value > dvmi_param_max(def))
		return dvmi_error(err, DVM_EINVAL, path,
				  "%" PRIu64 " is outside %" PRIu64 " to %" PRIu64, value, def->min,
				  dvmi_param_max(def));
	old = model->values[i];
	model->values[i] = value;
	text = dvmi_model_contradiction(model, &blamed);
	ref = text ? NULL : dvmi_strdup("dvm_model_set()");
	if (!ref) {
		model->values[i] = old;
		return text ? dvmi_error(err, DVM_EINVAL, path, "%s", text) : dvmi_error_nomem(err);
	}
	dvmi_free(model->leaves[i].ref);
	dvmi_free(model->leaves[i].formula);
	dvmi_free(model->leaves[i].note);
	model->leaves[i].ref = ref;
	model->leaves[i].formula = model->leaves[i].note = NULL;
	model->leaves[i].source = DVMI_SOURCE_SET;
	model->leaves[i].ranged = false;
	return 0;
}

static int read_number(const char *text, uint64_t *value)
{
	*value = 0;
	if (!*text || strlen(text) > 19 || text[strspn(text, "0123456789")])
		return -DVM_EINVAL;
	for (; *text; text++)
		*value = *value * 10 + (uint64_t)(*text - '0');
	return 0;
}

int dvm_model_set_text(struct dvm_model *model, const char *path, const char *text,
		       struct dvm_error *err)
{
	size_t i = dvmi_param_index(model, path);
	const struct dvmi_param_def *def;
	uint64_t value;

	if (i == model->count)
		return no_such_path(model, path, err);
	def = &model->defs[i];
	if (def->type == DVMI_PARAM_INT ? read_number(text, &value) :
					  !dvmi_param_number(def, text, &value))
		return dvmi_error(err, DVM_EINVAL, path, "\"%s\" is %s", text,
				  def->type == DVMI_PARAM_INT  ? "no whole number" :
				  def->type == DVMI_PARAM_BOOL ? "neither true nor false" : "none of its words");
	return dvm_model_set(model, path, value, err);
}

int dvm_model_set_cpus(struct dvm_model *model, uint64_t cpus, struct dvm_error *err)
{
	const struct dvmi_hw *p = dvmi_model_hw(model);
	uint64_t fixed, clusters;
	int ret;

	if (!p)
		return dvmi_error(err, DVM_EINVAL, model->name, "it is not a part");
	clusters = cpus / (dvmi_hw_cpus(p) / p->topology_clusters);
	if (clusters && clusters * (dvmi_hw_cpus(p) / p->topology_clusters) == cpus)
		return dvm_model_set(model, "topology.clusters", clusters, err);
	fixed = dvmi_hw_cpus(p) / p->topology_clusters / p->topology_cores;
	if (!cpus || cpus % fixed)
		return dvmi_error(err, DVM_EINVAL, model->name,
				  "its sockets, dies and threads can not make %" PRIu64 " CPUs", cpus);
	ret = dvm_model_set(model, "topology.clusters", 1, err);
	return ret ? ret : dvm_model_set(model, "topology.cores", cpus / fixed, err);
}

int dvm_model_hash(const struct dvm_model *model, uint64_t *hash)
{
	char *text;
	int ret = dvm_model_to_json(model, &text);

	if (ret)
		return ret;
	*hash = dvmi_hash_bytes(DVMI_HASH_INIT, text, strlen(text));
	dvm_free(text);
	return 0;
}
