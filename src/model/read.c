/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One file being read, and the files that asked for it. */
struct frame {
	const struct frame *child;
	const char *path;
	unsigned depth;
};

struct reader {
	struct dvm_model *model;
	struct dvmi_findings *findings;
	struct dvm_error *err;
};

/*
 * What to do about a malformed part: with a reporter note it and go on, else stop. Everything else
 * (memory, the operating system) always stops.
 */
static int finding(struct reader *r, int ret, const struct dvm_error *err)
{
	if (ret != -DVM_EFORMAT || !r->findings || !r->findings->report) {
		if (ret && r->err && r->err != err)
			*r->err = *err;
		return ret;
	}
	r->findings->count++;
	r->findings->report(r->findings->arg, err);
	return 0;
}

static const char *list_item(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

/* A string that must be one of a list; *@number is its place. */
static int one_of(const struct dvmi_json_at *at, const char *const names[], unsigned *number,
		  struct dvm_error *err)
{
	const char *text;
	char mean[128], all[256] = "";
	int ret = dvmi_json_string(at, &text, err);

	if (ret)
		return ret;
	for (unsigned i = 0; names[i]; i++) {
		size_t len = strlen(all);

		if (!strcmp(names[i], text)) {
			*number = i;
			return 0;
		}
		snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "", names[i]);
	}
	return dvmi_json_fail(at, err, "\"%s\" is none of %s%s", text, all,
			      dvmi_json_mean(text, list_item, names, mean, sizeof(mean)));
}

static int copy_text(char **to, const char *text, struct dvm_error *err)
{
	char *copy = dvmi_strdup(text);

	if (!copy)
		return dvmi_error_nomem(err);
	dvmi_free(*to);
	*to = copy;
	return 0;
}

/* A required string that is not empty. */
static int need_text(const struct dvmi_json_at *at, const char *key, char **to,
		     struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *text;
	int ret = dvmi_json_need(at, key, &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &text, err);
	if (!ret && !*text)
		ret = dvmi_json_fail(&child, err, "must not be empty");
	return ret ? ret : copy_text(to, text, err);
}

static int optional_text(const struct dvmi_json_at *at, const char *key, char **to,
			 struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? need_text(at, key, to, err) : 0;
}

/* A value or a range's bound, in the way its type spells it. */
static int read_value(const struct dvmi_param_def *def, const struct dvmi_json_at *at,
		      uint64_t *value, struct dvm_error *err)
{
	const char *words[16];
	char buf[16][DVMI_PARAM_WORD_MAX];
	unsigned number;
	size_t n = 0;
	bool yes;
	int ret;

	if (def->type == DVMI_PARAM_INT)
		return dvmi_json_u64(at, def->min, def->max, value, err);
	if (def->type == DVMI_PARAM_BOOL) {
		ret = dvmi_json_bool(at, &yes, err);
		if (!ret)
			*value = yes;
		return ret;
	}
	for (; n <= dvmi_param_max(def) && n < 15; n++)
		words[n] = dvmi_param_word(def, n, buf[n]);
	words[n] = NULL;
	ret = one_of(at, words, &number, err);
	if (!ret)
		*value = number;
	return ret;
}

static int read_unit(const struct dvmi_param_def *def, const struct dvmi_json_at *at,
		     struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *text;
	int ret;

	/* The unit of a bool or an enum says nothing, and may be left out. */
	if (def->type != DVMI_PARAM_INT && !dvmi_json_find(at, "unit", &child))
		return 0;
	ret = dvmi_json_need(at, "unit", &child, err);
	if (!ret)
		ret = dvmi_json_string(&child, &text, err);
	if (!ret && strcmp(text, def->unit) != 0)
		ret = dvmi_json_fail(&child, err, "the unit must be \"%s\", not \"%s\"", def->unit,
				     text);
	return ret;
}

static int read_range(const struct dvmi_param_def *def, const struct dvmi_json_at *at,
		      uint64_t value, struct dvmi_leaf *leaf, struct dvm_error *err)
{
	struct dvmi_json_at range, lo, hi;
	char a[DVMI_PARAM_WORD_MAX];
	int ret;

	if (!dvmi_json_find(at, "range", &range))
		return leaf->source != DVMI_SOURCE_ESTIMATE ? 0 :
		       dvmi_json_fail(at, err, "an estimate needs a \"range\": [least, greatest]");
	ret = dvmi_json_want(&range, DVMI_JSON_ARRAY, err);
	if (ret)
		return ret;
	if (dvmi_json_count(&range) != 2)
		return dvmi_json_fail(&range, err, "a range is [least, greatest]");
	dvmi_json_first(&range, &lo);
	hi = lo;
	dvmi_json_next(&hi);
	ret = read_value(def, &lo, &leaf->lo, err);
	if (!ret)
		ret = read_value(def, &hi, &leaf->hi, err);
	if (ret)
		return ret;
	if (leaf->lo > value || value > leaf->hi) {
		if (def->type == DVMI_PARAM_INT)
			return dvmi_json_fail(&range, err,
					      "the range %" PRIu64 " to %" PRIu64
					      " does not contain the value %" PRIu64,
					      leaf->lo, leaf->hi, value);
		return dvmi_json_fail(&range, err, "the range does not contain the value %s",
				      dvmi_param_word(def, value, a));
	}
	leaf->ranged = true;
	return 0;
}

static int read_sources(const struct dvmi_json_at *at, struct dvmi_leaf *leaf,
			struct dvm_error *err)
{
	struct dvmi_json_at child;
	unsigned number;
	int ret = dvmi_json_need(at, "source", &child, err);

	if (!ret)
		ret = one_of(&child, dvmi_source_names, &number, err);
	if (ret)
		return ret;
	leaf->source = (enum dvmi_source)number;
	ret = need_text(at, "ref", &leaf->ref, err);
	if (!ret)
		ret = optional_text(at, "formula", &leaf->formula, err);
	if (!ret)
		ret = optional_text(at, "note", &leaf->note, err);
	if (!ret && leaf->source == DVMI_SOURCE_DERIVED && !leaf->formula)
		ret = dvmi_json_fail(at, err, "a derived value needs its \"formula\"");
	return ret;
}

/* On success *@leaf and *@value replace what an inherited file gave. */
static int read_leaf(const struct dvmi_param_def *def, const struct dvmi_json_at *at,
		     uint64_t *value, struct dvmi_leaf *leaf, struct dvm_error *err)
{
	static const char *const keys[] = { "value", "unit", "source", "ref",
					    "range", "formula", "note", NULL };
	struct dvmi_leaf new = { .given = true };
	struct dvmi_json_at child;
	uint64_t v;
	int ret = dvmi_json_only_keys(at, keys, err);

	if (!ret)
		ret = dvmi_json_need(at, "value", &child, err);
	if (!ret)
		ret = read_value(def, &child, &v, err);
	if (!ret)
		ret = read_unit(def, at, err);
	if (!ret)
		ret = read_sources(at, &new, err);
	if (!ret)
		ret = read_range(def, at, v, &new, err);
	if (!ret)
		ret = copy_text(&new.file, dvmi_json_name(at->doc), err);
	if (ret) {
		dvmi_leaf_fini(&new);
		return ret;
	}
	dvmi_leaf_fini(leaf);
	*leaf = new;
	*value = v;
	return 0;
}

/* What may stand in one group: arg for a list of names. */
struct group {
	const struct dvm_model *model;
	const char *name;
};

static const char *group_item(const void *arg, size_t i)
{
	const struct group *g = arg;

	for (size_t k = 0; k < g->model->count; k++) {
		if (!strcmp(g->model->defs[k].group, g->name) && !i--)
			return g->model->defs[k].name;
	}
	return NULL;
}

/* The groups; a group's rows stand together in the table. */
static const char *groups_item(const void *arg, size_t i)
{
	const struct dvm_model *m = arg;

	for (size_t k = 0; k < m->count; k++) {
		if ((!k || strcmp(m->defs[k].group, m->defs[k - 1].group) != 0) && !i--)
			return m->defs[k].group;
	}
	return NULL;
}

static int unknown_key(const struct dvmi_json_at *at,
		       const char *(*next)(const void *arg, size_t i), const void *arg,
		       struct dvm_error *err)
{
	char mean[128];

	return dvmi_json_fail(at, err, "unknown key%s",
			      dvmi_json_mean(at->key, next, arg, mean, sizeof(mean)));
}

static int read_group(struct reader *r, const struct dvmi_json_at *at, const char *name)
{
	const struct group group = { r->model, name };
	struct dvm_error err;
	struct dvmi_json_at child;
	int ret = dvmi_json_want(at, DVMI_JSON_OBJECT, &err);

	if (ret)
		return finding(r, ret, &err);
	for (bool more = dvmi_json_first(at, &child); more; more = dvmi_json_next(&child)) {
		struct dvm_model *m = r->model;
		size_t i = 0;

		while (i < m->count && (strcmp(m->defs[i].group, name) != 0 ||
					strcmp(m->defs[i].name, child.key) != 0))
			i++;
		if (i == m->count) {
			ret = unknown_key(&child, group_item, &group, &err);
		} else {
			ret = read_leaf(&m->defs[i], &child, &m->values[i], &m->leaves[i], &err);
			/* A value that is wrong is not also missing. */
			m->leaves[i].given = true;
		}
		ret = finding(r, ret, &err);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_params(struct reader *r, const struct dvmi_json_at *root)
{
	struct dvmi_json_at params, child;
	struct dvm_error err;
	int ret = 0;

	if (!dvmi_json_find(root, "params", &params))
		return 0;
	if (r->model->kind == DVM_MODEL_KERNEL)
		return read_group(r, &params, "");
	ret = dvmi_json_want(&params, DVMI_JSON_OBJECT, &err);
	if (ret)
		return finding(r, ret, &err);
	for (bool more = dvmi_json_first(&params, &child); more && !ret;
	     more = dvmi_json_next(&child)) {
		const char *group;
		size_t i = 0;

		while ((group = groups_item(r->model, i)) && strcmp(group, child.key) != 0)
			i++;
		if (group)
			ret = read_group(r, &child, group);
		else
			ret = finding(r, unknown_key(&child, groups_item, r->model, &err), &err);
	}
	return ret;
}

/* ["C1", "C2"] becomes "C1, C2". */
static int read_sets(const struct dvmi_json_at *root, char **sets, struct dvm_error *err)
{
	struct dvmi_json_at list, child;
	struct dvmi_buf buf = { 0 };
	char *text;
	int ret = 0;

	if (dvmi_json_find(root, "calibrated_by", &list)) {
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, err);
		for (bool more = !ret && dvmi_json_first(&list, &child); more && !ret;
		     more = dvmi_json_next(&child)) {
			const char *set;

			ret = dvmi_json_string(&child, &set, err);
			if (!ret)
				dvmi_buf_printf(&buf, "%s%s", buf.len ? ", " : "", set);
		}
	}
	if (ret) {
		dvmi_buf_fini(&buf);
		return ret;
	}
	if (dvmi_buf_take(&buf, &text))
		return dvmi_error_nomem(err);
	dvmi_free(*sets);
	*sets = text;
	return 0;
}

static int read_status(struct dvm_model *m, const struct dvmi_json_at *root,
		       struct dvm_error *err)
{
	struct dvmi_json_at child;
	unsigned number = 0;
	int ret = dvmi_json_need(root, "status", &child, err);

	if (!ret)
		ret = one_of(&child, dvmi_status_names, &number, err);
	if (ret)
		return ret;
	m->status = (enum dvm_model_status)number;
	/* An estimated model may name the measurement behind one of its values. */
	if (m->status == DVM_MODEL_CALIBRATED && !m->calibrated_by[0])
		return dvmi_json_fail(&child, err, "a calibrated model names its measurements in "
						   "\"calibrated_by\"");
	return 0;
}

/* The head of the file; that of a file it inherits is replaced. */
static int read_head(struct reader *r, const struct dvmi_json_at *root)
{
	struct dvm_model *m = r->model;
	struct dvm_error err;
	int ret = finding(r, need_text(root, "name", &m->name, &err), &err);

	if (!ret)
		ret = finding(r, need_text(root, "summary", &m->summary, &err), &err);
	if (!ret)
		ret = finding(r, read_sets(root, &m->calibrated_by, &err), &err);
	if (!ret && m->calibrated_by)
		ret = finding(r, read_status(m, root, &err), &err);
	if (!ret)
		ret = finding(r, need_text(root, "calibration_note", &m->note, &err), &err);
	return ret;
}

static int read_kind(const struct dvmi_json_at *root, enum dvm_model_kind *kind,
		     struct dvm_error *err)
{
	const char *names[3] = { dvmi_model_schema_name(DVM_MODEL_HW),
				 dvmi_model_schema_name(DVM_MODEL_KERNEL), NULL };
	struct dvmi_json_at child;
	unsigned number = 0;
	int ret = dvmi_json_need(root, "schema", &child, err);

	if (!ret)
		ret = one_of(&child, names, &number, err);
	if (ret)
		return ret;
	if (*kind != DVM_MODEL_ANY && *kind != (enum dvm_model_kind)number)
		return dvmi_json_fail(&child, err, "this is a %s; a %s was expected", names[number],
				      names[*kind]);
	*kind = (enum dvm_model_kind)number;
	return 0;
}

static int read_doc(struct reader *r, enum dvm_model_kind kind, const struct dvmi_json *doc,
		    const struct frame *frame);

/* @name is a file beside the one of @frame: no path, so that a model stays what it was reviewed as. */
static int read_base(struct reader *r, const struct dvmi_json_at *at, const struct frame *frame)
{
	const char *name, *slash = strrchr(frame->path, '/');
	struct frame base = { frame, NULL, frame->depth + 1 };
	struct dvmi_json *doc = NULL;
	char path[4096];
	int ret = dvmi_json_string(at, &name, r->err);

	if (ret)
		return ret;
	if (strchr(name, '/') || strlen(name) < 6 || strcmp(name + strlen(name) - 5, ".json") != 0)
		return dvmi_json_fail(at, r->err,
				      "must be the name of a file beside this one: NAME.json");
	if (base.depth == DVMI_MODEL_CHAIN_MAX)
		return dvmi_json_fail(at, r->err, "more than %d files inherit one from another",
				      DVMI_MODEL_CHAIN_MAX);
	if (snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - frame->path) + 1 : 0,
		     frame->path, name) >= (int)sizeof(path))
		return dvmi_json_fail(at, r->err, "the path is too long");
	base.path = path;
	for (const struct frame *f = frame; f; f = f->child) {
		if (!strcmp(f->path, path))
			return dvmi_json_fail(at, r->err, "%s inherits itself", path);
	}
	ret = dvmi_json_load(path, DVMI_MODEL_FILE_MAX, &doc, r->err);
	if (ret == -DVM_ENOENT)
		ret = dvmi_json_fail(at, r->err, "there is no %s", path);
	if (!ret)
		ret = read_doc(r, r->model->kind, doc, &base);
	dvmi_json_free(doc);
	return ret;
}

static int read_doc(struct reader *r, enum dvm_model_kind kind, const struct dvmi_json *doc,
		    const struct frame *frame)
{
	static const char *const keys[] = { "$schema",	"schema",	 "name",
					    "summary",	"inherits",	 "status",
					    "calibrated_by", "calibration_note", "params", NULL };
	struct dvmi_json_at root = dvmi_json_root(doc), base;
	struct dvm_error err;
	int ret = dvmi_json_want(&root, DVMI_JSON_OBJECT, r->err);

	if (!ret)
		ret = read_kind(&root, &kind, r->err);
	if (!ret && !r->model)
		ret = dvmi_model_new(kind, &r->model) ? dvmi_error_nomem(r->err) : 0;
	if (!ret)
		ret = finding(r, dvmi_json_only_keys(&root, keys, &err), &err);
	if (!ret && dvmi_json_find(&root, "inherits", &base))
		ret = read_base(r, &base, frame);
	if (!ret)
		ret = read_head(r, &root);
	if (!ret)
		ret = read_params(r, &root);
	return ret;
}

static int missing(const struct dvm_model *m, const char *path, size_t i, struct dvm_error *err)
{
	const struct dvmi_param_def *def = &m->defs[i];
	char where[256];

	snprintf(where, sizeof(where), "%.150s: /params%s%s", path, *def->group ? "/" : "",
		 def->group);
	return dvmi_error(err, DVM_EFORMAT, where, "\"%s\" is missing (%s)", def->name, def->doc);
}

static int contradicts(const struct dvm_model *m, struct dvm_error *err)
{
	size_t i = 0;
	const char *text = dvmi_model_contradiction(m, &i);
	char where[256];

	if (!text)
		return 0;
	snprintf(where, sizeof(where), "%.150s: /params/%s%s%s", m->leaves[i].file,
		 m->defs[i].group, *m->defs[i].group ? "/" : "", m->defs[i].name);
	return dvmi_error(err, DVM_EFORMAT, where, "%s", text);
}

/* What can be said only about the whole. */
static int check_whole(struct reader *r, const char *path)
{
	struct dvm_model *m = r->model;
	struct dvm_error err;
	int ret = 0, before;

	for (size_t i = 0; i < m->count && !ret; i++) {
		if (!m->leaves[i].given)
			ret = finding(r, missing(m, path, i, &err), &err);
	}
	before = r->findings ? r->findings->count : 0;
	if (!ret && !before)
		ret = finding(r, contradicts(m, &err), &err);
	return ret;
}

int dvmi_model_read(enum dvm_model_kind kind, const char *path, const char *text, size_t size,
		    struct dvmi_findings *findings, struct dvm_model **model,
		    struct dvm_error *err)
{
	struct frame top = { NULL, path, 0 };
	struct dvm_error own;
	struct reader r = { NULL, findings, err ? err : &own };
	struct dvmi_json *doc = NULL;
	int ret;

	if (text)
		ret = dvmi_json_parse(path, text, size, &doc, r.err);
	else
		ret = dvmi_json_load(path, DVMI_MODEL_FILE_MAX, &doc, r.err);
	if (!ret)
		ret = read_doc(&r, kind, doc, &top);
	if (!ret)
		ret = check_whole(&r, path);
	if (!ret)
		ret = copy_text(&r.model->file, path, r.err);
	dvmi_json_free(doc);
	if (ret || (findings && findings->count))
		dvm_model_free(r.model);
	else
		*model = r.model;
	return ret;
}
