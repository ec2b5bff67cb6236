/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/json.h"
#include "base/mem.h"

#include <dvmsim/trace.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The sets file: docs/model-author.md, "Calibration". */
#define SETS_MAX (1u << 20)

/* A fit while it is read. */
struct reading {
	struct dvm_calibration *cal;
	struct dvmi_cal_fit *fit;
	struct dvm_error *err;
};

static int optional_u64(const struct dvmi_json_at *at, const char *key, uint64_t min, uint64_t max,
			uint64_t *value, struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? dvmi_json_u64(&child, min, max, value, err) : 0;
}

static int optional_bool(const struct dvmi_json_at *at, const char *key, bool *value,
			 struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? dvmi_json_bool(&child, value, err) : 0;
}

static int optional_string(const struct dvmi_json_at *at, const char *key, const char **text,
			   struct dvm_error *err)
{
	struct dvmi_json_at child;

	return dvmi_json_find(at, key, &child) ? dvmi_json_string(&child, text, err) : 0;
}

static int need_string(const struct dvmi_json_at *at, const char *key, const char **text,
		       struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = dvmi_json_need(at, key, &child, err);

	return ret ? ret : dvmi_json_string(&child, text, err);
}

/* ---- strategies ---- */

static int take(struct dvm_calibration *cal, struct dvm_strategy *strategy, struct dvm_error *err)
{
	if (dvmi_grow((void **)&cal->strategies, &cal->cap_strategies, cal->nstrategies + 1,
		      sizeof(strategy))) {
		dvm_strategy_free(strategy);
		return dvmi_error_nomem(err);
	}
	cal->strategies[cal->nstrategies++] = strategy;
	return 0;
}

static int find_strategy(struct dvm_calibration *cal, const char *name,
			 const struct dvm_strategy **out, struct dvm_error *err)
{
	struct dvm_strategy *strategy;
	char path[4096];
	int ret;

	for (size_t i = 0; i < cal->nstrategies; i++) {
		if (!strcmp(dvm_strategy_name(cal->strategies[i]), name)) {
			*out = cal->strategies[i];
			return 0;
		}
	}
	snprintf(path, sizeof(path), "%s/%s.strategy", cal->strategy_dir, name);
	ret = dvm_strategy_load(path, &strategy, err);
	if (!ret)
		ret = take(cal, strategy, err);
	if (!ret)
		*out = strategy;
	return ret;
}

/* Bare instructions, as a kernel module executes them; an ISB after the DSB is counted in it. */
static int bare(struct dvm_calibration *cal, bool local, const struct dvm_strategy **out,
		struct dvm_error *err)
{
	static const char is[] = "strategy bare-is\non flush:\n\tasid\n\ttlbi is\n\tdsb ish\n"
				 "\tret\n";
	static const char nsh[] = "strategy bare-local\non flush:\n\tasid\n\ttlbi local\n"
				  "\tdsb nsh\n\tret\n";
	struct dvm_strategy **slot = local ? &cal->bare_local : &cal->bare_is;
	int ret = *slot ? 0 : dvm_strategy_parse(local ? nsh : is, "bare", slot, err);

	*out = *slot;
	return ret;
}

/* ---- one experiment ---- */

static int unknown(const struct reading *r, const struct dvmi_json_at *at, const char *key,
		   size_t *index)
{
	struct dvmi_json_at child;
	const char *name;
	int ret;

	*index = DVMI_CAL_NONE;
	if (!dvmi_json_find(at, key, &child))
		return 0;
	ret = dvmi_json_string(&child, &name, r->err);
	for (size_t i = 0; i < r->fit->nparams && !ret; i++) {
		if (r->fit->params[i].unknown && !strcmp(r->fit->params[i].path, name)) {
			*index = i;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, r->err, "\"%s\" is not among this fit's unknowns",
					  name);
}

static int read_sum(const struct reading *r, const struct dvmi_json_at *at,
		    struct dvmi_experiment *e)
{
	struct dvm_param param = { .size = sizeof(param) };
	struct dvmi_json_at list, item;
	int ret;

	if (!dvmi_json_find(at, "sum", &list))
		return 0;
	ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, r->err);
	if (ret || !dvmi_json_first(&list, &item))
		return ret;
	do {
		if (e->nsum == DVMI_CAL_SUM_MAX)
			return dvmi_json_fail(&item, r->err, "more than %d parameters in a sum",
					      DVMI_CAL_SUM_MAX);
		ret = dvmi_json_string(&item, &e->sum[e->nsum], r->err);
		if (!ret && dvm_model_param_find(r->fit->hw, e->sum[e->nsum], &param, NULL))
			ret = dvmi_json_fail(&item, r->err, "the hardware model has no parameter"
					     " \"%s\"", e->sum[e->nsum]);
		e->nsum++;
	} while (!ret && dvmi_json_next(&item));
	return ret;
}

static int read_kind(const struct dvmi_json_at *at, enum dvmi_experiment_kind *kind,
		     struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *name;
	int ret = dvmi_json_need(at, "experiment", &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &name, err);
	for (unsigned k = 0; k < DVMI_EXPERIMENTS && !ret; k++) {
		if (!strcmp(name, dvmi_experiment_names[k])) {
			*kind = (enum dvmi_experiment_kind)k;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, err, "there is no experiment \"%s\"", name);
}

static int read_op(const struct dvmi_json_at *at, unsigned *op, struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *name;
	int ret;

	if (!dvmi_json_find(at, "op", &child))
		return 0;
	ret = dvmi_json_string(&child, &name, err);
	for (unsigned o = 1; o < DVM_TRACE_OPS && !ret; o++) {
		if (!strcmp(name, dvm_trace_op_name(o))) {
			*op = o;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, err, "there is no operation \"%s\"", name);
}

static int read_numbers(const struct dvmi_json_at *at, struct dvmi_experiment *e,
			struct dvm_error *err)
{
	struct dvmi_json_at child;
	int ret = optional_u64(at, "flush_pages", 1, 1 << 20, &e->flush_pages, err);

	e->per_x = 1;
	e->scale = 1;
	e->loops = e->flushes = e->pages = 1;
	if (!ret)
		ret = optional_u64(at, "cpus", 1, 4096, &e->cpus, err);
	if (!ret)
		ret = optional_u64(at, "loops", 1, 1000000, &e->loops, err);
	if (!ret)
		ret = optional_u64(at, "flushes", 1, 1000, &e->flushes, err);
	if (!ret)
		ret = optional_u64(at, "pages", 1, 1 << 20, &e->pages, err);
	if (!ret)
		ret = optional_u64(at, "batch", 1, 1 << 20, &e->batch, err);
	if (!ret && dvmi_json_find(at, "per_x", &child))
		ret = dvmi_json_double(&child, &e->per_x, err);
	if (!ret && dvmi_json_find(at, "measured_loops", &child)) {
		ret = dvmi_json_double(&child, &e->scale, err);
		e->scale /= (double)e->loops;
	}
	if (!ret && (!(e->per_x > 0) || !(e->per_x <= 1e6) || !(e->scale > 0)))
		ret = dvmi_json_fail(at, err, "per_x and measured_loops must be positive");
	return ret;
}

static int read_experiment(const struct reading *r, const struct dvmi_json_at *at,
			   struct dvmi_experiment *e)
{
	const char *strategy = "always-broadcast";
	int ret = read_kind(at, &e->kind, r->err);

	if (!ret)
		ret = read_numbers(at, e, r->err);
	if (!ret)
		ret = optional_bool(at, "local", &e->local, r->err);
	if (!ret)
		ret = optional_bool(at, "noise", &e->noise, r->err);
	if (!ret)
		ret = optional_bool(at, "rate", &e->rate, r->err);
	if (!ret)
		ret = read_op(at, &e->op, r->err);
	if (!ret)
		ret = unknown(r, at, "work", &e->work);
	if (!ret)
		ret = unknown(r, at, "factor", &e->factor);
	if (!ret)
		ret = read_sum(r, at, e);
	if (!ret)
		ret = optional_string(at, "strategy", &strategy, r->err);
	if (ret)
		return ret;
	return e->kind == DVMI_EXP_TLBI_BATCH ?
		bare(r->cal, e->local, &e->strategy, r->err) :
		find_strategy(r->cal, strategy, &e->strategy, r->err);
}

/* ---- rows ---- */

static const char *const use_names[] = { "fit", "check", "none", NULL };

static int read_use(const struct dvmi_json_at *at, int *use, struct dvm_error *err)
{
	struct dvmi_json_at child;
	const char *name;
	int ret = dvmi_json_need(at, "use", &child, err);

	if (!ret)
		ret = dvmi_json_string(&child, &name, err);
	for (int i = 0; use_names[i] && !ret; i++) {
		if (!strcmp(name, use_names[i])) {
			*use = i;
			return 0;
		}
	}
	return ret ? ret : dvmi_json_fail(&child, err, "\"%s\" is not fit, check or none", name);
}

static int add_row(const struct reading *r, const struct dvmi_json_at *at,
		   struct dvmi_measurement *m, const struct dvmi_cal_row *row)
{
	struct dvmi_cal_fit *f = r->fit;

	if (row->use != DVM_CALIBRATION_NONE && !dvmi_experiment_unit(&row->experiment, m->unit))
		return dvmi_json_fail(at, r->err, "this experiment gives no \"%s\"", m->unit);
	if (row->use != DVM_CALIBRATION_NONE && isnan(m->number) && row->experiment.per_x == 1 &&
	    (row->experiment.kind == DVMI_EXP_TLBI_BATCH || row->experiment.kind == DVMI_EXP_FLUSH ||
	     row->experiment.kind == DVMI_EXP_SYSCALL ||
	     (row->experiment.kind == DVMI_EXP_ISSUERS && !row->experiment.cpus)))
		return dvmi_json_fail(at, r->err, "this experiment needs a number as x, not \"%s\"",
				      m->x);
	if (dvmi_grow((void **)&f->rows, &f->capacity, f->nrows + 1, sizeof(*row)))
		return dvmi_error_nomem(r->err);
	f->rows[f->nrows] = *row;
	f->rows[f->nrows].measurement = m;
	f->nrows++;
	m->used = true;
	return 0;
}

static int read_row(const struct reading *r, const struct dvmi_json_at *at)
{
	static const char *const keys[] = {
		"id", "workload", "x", "experiment", "use", "note", "flush_pages", "cpus", "loops",
		"flushes", "pages", "batch", "per_x", "measured_loops", "local", "noise", "rate", "op",
		"work", "factor", "sum", "strategy", NULL,
	};
	struct dvmi_cal_row row = { .shipped = NAN, .fitted = NAN, .left_out = NAN };
	const char *id, *workload, *x = NULL;
	struct dvmi_data *data = &r->cal->data;
	size_t found = 0;
	int ret = dvmi_json_only_keys(at, keys, r->err);

	if (!ret)
		ret = need_string(at, "id", &id, r->err);
	if (!ret)
		ret = need_string(at, "workload", &workload, r->err);
	if (!ret)
		ret = optional_string(at, "x", &x, r->err);
	if (!ret)
		ret = optional_string(at, "note", &row.note, r->err);
	if (!ret)
		ret = read_use(at, &row.use, r->err);
	if (!ret && row.use != DVM_CALIBRATION_NONE)
		ret = read_experiment(r, at, &row.experiment);
	for (size_t i = 0; i < data->count && !ret; i++) {
		struct dvmi_measurement *m = &data->rows[i];

		if (strcmp(m->id, id) != 0 || strcmp(m->workload, workload) != 0 ||
		    (x && strcmp(m->x, x) != 0))
			continue;
		found++;
		ret = add_row(r, at, m, &row);
	}
	if (!ret && !found && !r->cal->model)
		ret = dvmi_json_fail(at, r->err, "the data have no such row");
	return ret;
}

/* ---- free parameters ---- */

static int add_param(const struct reading *r, const struct dvmi_json_at *at,
		     const struct dvmi_cal_param *param)
{
	struct dvmi_cal_fit *f = r->fit;

	for (size_t i = 0; i < f->nparams; i++)
		if (!strcmp(f->params[i].path, param->path))
			return dvmi_json_fail(at, r->err, "\"%s\" is there twice", param->path);
	if (f->nparams == DVMI_CAL_FREE_MAX)
		return dvmi_json_fail(at, r->err, "more than %d free parameters", DVMI_CAL_FREE_MAX);
	f->params[f->nparams] = *param;
	f->params[f->nparams++].fit.value = param->shipped;
	return 0;
}

static int read_free(const struct reading *r, const struct dvmi_json_at *at)
{
	struct dvm_param found = { .size = sizeof(found) };
	struct dvmi_cal_param param = { 0 };
	int ret = dvmi_json_string(at, &param.path, r->err);

	if (ret)
		return ret;
	if (dvm_model_param_find(r->fit->hw, param.path, &found, NULL) ||
	    found.type != DVM_PARAM_INT)
		return dvmi_json_fail(at, r->err, "the hardware model has no number \"%s\"",
				      param.path);
	param.unit = found.unit;
	param.shipped = (double)found.value;
	param.fit.min = (double)found.min;
	/* Beyond a hundred times the value or a microsecond, no fit is of any use. */
	param.fit.max = 100 * param.shipped > 1e6 ? 100 * param.shipped : 1e6;
	if (param.fit.max > (double)found.max)
		param.fit.max = (double)found.max;
	return add_param(r, at, &param);
}

static int read_unknown(const struct reading *r, const struct dvmi_json_at *at)
{
	static const char *const keys[] = { "name", "unit", "start", "min", "max", "doc", NULL };
	struct dvmi_cal_param param = { .unknown = true };
	struct dvmi_json_at child;
	int ret = dvmi_json_only_keys(at, keys, r->err);

	if (!ret)
		ret = need_string(at, "name", &param.path, r->err);
	if (!ret)
		ret = need_string(at, "unit", &param.unit, r->err);
	if (!ret)
		ret = dvmi_json_need(at, "start", &child, r->err);
	if (!ret)
		ret = dvmi_json_double(&child, &param.shipped, r->err);
	if (!ret)
		ret = dvmi_json_need(at, "max", &child, r->err);
	if (!ret)
		ret = dvmi_json_double(&child, &param.fit.max, r->err);
	if (!ret && (*param.path != '@' || !(param.shipped >= 0) || !(param.fit.max > 0) ||
		     !(param.shipped <= param.fit.max)))
		ret = dvmi_json_fail(at, r->err, "an unknown is called \"@...\" and starts from 0 to"
				     " its max");
	return ret ? ret : add_param(r, at, &param);
}

static int read_list(const struct reading *r, const struct dvmi_json_at *at, const char *key,
		     bool needed, int (*read)(const struct reading *r, const struct dvmi_json_at *at))
{
	struct dvmi_json_at list, item;
	int ret;

	if (!needed && !dvmi_json_find(at, key, &list))
		return 0;
	ret = dvmi_json_need(at, key, &list, r->err);
	if (!ret)
		ret = dvmi_json_want(&list, DVMI_JSON_ARRAY, r->err);
	if (ret || !dvmi_json_first(&list, &item))
		return ret;
	do
		ret = read(r, &item);
	while (!ret && dvmi_json_next(&item));
	return ret;
}

/* ---- fits ---- */

static int read_models(const struct reading *r, const struct dvmi_json_at *at)
{
	const char *hw, *kernel;
	int ret = need_string(at, "model", &hw, r->err);

	if (!ret)
		ret = need_string(at, "kernel", &kernel, r->err);
	if (!ret)
		ret = dvm_model_find(DVM_MODEL_HW, r->cal->model ? r->cal->model : hw,
				     r->cal->models, &r->fit->hw, r->err);
	if (!ret)
		ret = dvm_model_find(DVM_MODEL_KERNEL, kernel, r->cal->models, &r->fit->kernel,
				     r->err);
	return ret;
}

static int read_fit(const struct reading *outer, const struct dvmi_json_at *at)
{
	static const char *const keys[] = { "name", "model", "kernel", "note", "free", "unknowns",
					    "rows", NULL };
	struct dvm_calibration *cal = outer->cal;
	struct reading r = *outer;
	int ret;

	if (dvmi_grow((void **)&cal->fits, &cal->capacity, cal->nfits + 1, sizeof(*cal->fits)))
		return dvmi_error_nomem(r.err);
	r.fit = &cal->fits[cal->nfits++];
	*r.fit = (struct dvmi_cal_fit){ .worst = NAN };
	ret = dvmi_json_only_keys(at, keys, r.err);
	if (!ret)
		ret = need_string(at, "name", &r.fit->name, r.err);
	if (!ret)
		ret = need_string(at, "note", &r.fit->note, r.err);
	if (!ret)
		ret = read_models(&r, at);
	if (!ret)
		ret = read_list(&r, at, "free", true, read_free);
	if (!ret)
		ret = read_list(&r, at, "unknowns", false, read_unknown);
	if (!ret)
		ret = read_list(&r, at, "rows", true, read_row);
	if (!ret && !r.fit->nrows && cal->model) {
		dvm_model_free(r.fit->hw);
		dvm_model_free(r.fit->kernel);
		cal->nfits--;
	}
	return ret;
}

int dvmi_sets_load(struct dvm_calibration *cal, const char *path, struct dvm_error *err)
{
	struct reading r = { .cal = cal, .err = err };
	struct dvmi_json_at root;
	const char *schema;
	int ret = dvmi_json_load(path, SETS_MAX, &cal->doc, err);

	if (ret)
		return ret;
	root = dvmi_json_root(cal->doc);
	ret = dvmi_json_only_keys(&root, (const char *const[]){ "schema", "fits", NULL }, err);
	if (!ret)
		ret = need_string(&root, "schema", &schema, err);
	if (!ret && strcmp(schema, "dvmsim.calibration/1") != 0)
		ret = dvmi_json_fail(&root, err, "schema must be \"dvmsim.calibration/1\"");
	if (!ret)
		ret = read_list(&r, &root, "fits", true, read_fit);
	if (!ret && !cal->nfits)
		ret = dvmi_json_fail(&root, err, "no fit has a row in the data");
	return ret;
}
