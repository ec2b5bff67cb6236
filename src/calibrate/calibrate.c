/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int dvm_calibration_load(const char *data, const char *sets, const char *models,
			 const char *strategies, const char *model, struct dvm_calibration **out,
			 struct dvm_error *err)
{
	struct dvm_calibration *cal;
	int ret;

	if (!data || !sets || !models || !strategies)
		return dvmi_error(err, DVM_EINVAL, "calibration",
				  "data, sets, models and strategies must be given");
	cal = dvmi_zalloc(sizeof(*cal));
	if (!cal)
		return dvmi_error_nomem(err);
	cal->models = models;
	cal->strategy_dir = strategies;
	cal->model = model;
	ret = dvmi_data_load(data, &cal->data, err);
	if (!ret)
		ret = dvmi_sets_load(cal, sets, err);
	cal->models = cal->strategy_dir = cal->model = NULL;
	if (ret) {
		dvm_calibration_free(cal);
		return ret;
	}
	*out = cal;
	return 0;
}

void dvm_calibration_free(struct dvm_calibration *cal)
{
	if (!cal)
		return;
	for (size_t i = 0; i < cal->nfits; i++) {
		dvm_model_free(cal->fits[i].hw);
		dvm_model_free(cal->fits[i].kernel);
		dvmi_free(cal->fits[i].rows);
	}
	for (size_t i = 0; i < cal->nstrategies; i++)
		dvm_strategy_free(cal->strategies[i]);
	dvm_strategy_free(cal->bare_is);
	dvm_strategy_free(cal->bare_local);
	dvmi_free(cal->fits);
	dvmi_free(cal->strategies);
	dvmi_data_fini(&cal->data);
	dvmi_json_free(cal->doc);
	dvmi_free(cal);
}

int dvm_calibration_get(const struct dvm_calibration *cal, size_t fit,
			struct dvm_calibration_info *info)
{
	const struct dvmi_cal_fit *f;

	if (fit >= cal->nfits)
		return -DVM_ENOENT;
	f = &cal->fits[fit];
	*info = (struct dvm_calibration_info){ .name = f->name, .model = dvm_model_name(f->hw),
					       .kernel = dvm_model_name(f->kernel),
					       .note = f->note, .rows = f->nrows,
					       .params = f->nparams, .worst = f->worst };
	return 0;
}

size_t dvm_calibration_unused(const struct dvm_calibration *cal)
{
	size_t n = 0;

	for (size_t i = 0; i < cal->data.count; i++)
		n += !cal->data.rows[i].used;
	return n;
}

int dvm_calibration_get_row(const struct dvm_calibration *cal, size_t fit, size_t row,
			    struct dvm_calibration_row *out)
{
	const struct dvmi_cal_row *r;

	if (fit >= cal->nfits || row >= cal->fits[fit].nrows)
		return -DVM_ENOENT;
	r = &cal->fits[fit].rows[row];
	*out = (struct dvm_calibration_row){
		.id = r->measurement->id, .platform = r->measurement->platform,
		.workload = r->measurement->workload, .x = r->measurement->x,
		.unit = r->measurement->unit, .note = r->note, .use = r->use,
		.measured = r->measurement->value, .shipped = r->shipped, .fitted = r->fitted,
		.left_out = r->left_out,
	};
	return 0;
}

int dvm_calibration_get_param(const struct dvm_calibration *cal, size_t fit, size_t param,
			      struct dvm_calibration_param *out)
{
	const struct dvmi_cal_param *p;

	if (fit >= cal->nfits || param >= cal->fits[fit].nparams)
		return -DVM_ENOENT;
	p = &cal->fits[fit].params[param];
	*out = (struct dvm_calibration_param){ .path = p->path, .unit = p->unit,
					       .state = p->fit.state, .shipped = p->shipped,
					       .fitted = p->fit.value };
	return 0;
}

/* ---- fitting ---- */

struct run {
	struct dvmi_cal_fit *fit;
	struct dvm_model *hw; /* a clone, set to the trial values */
	size_t *fitted;       /* row numbers of those that are fitted */
	struct dvm_error *err;
};

static int set_params(struct run *r, const double *values)
{
	for (size_t p = 0; p < r->fit->nparams; p++) {
		const struct dvmi_cal_param *param = &r->fit->params[p];
		int ret;

		if (param->unknown)
			continue;
		ret = dvm_model_set(r->hw, param->path, (uint64_t)(values[p] + 0.5), r->err);
		if (ret)
			return ret;
	}
	return 0;
}

static int simulate(struct run *r, const struct dvmi_cal_row *row, const double *values,
		    double *value)
{
	double x = isnan(row->measurement->number) ? 0 : row->measurement->number;

	return dvmi_experiment_run(&row->experiment, r->hw, r->fit->kernel, values, x,
				   row->measurement->unit, value, r->err);
}

static int deviations(void *arg, const double *values, size_t skip, double *out)
{
	struct run *r = arg;
	int ret = set_params(r, values);

	for (size_t i = 0; !ret && r->fitted[i] != SIZE_MAX; i++) {
		const struct dvmi_cal_row *row = &r->fit->rows[r->fitted[i]];
		double value;

		if (i == skip)
			continue;
		ret = simulate(r, row, values, &value);
		if (!ret)
			out[i] = value / row->measurement->value - 1;
	}
	return ret;
}

static void get_values(const struct dvmi_cal_fit *f, double *values)
{
	for (size_t p = 0; p < f->nparams; p++)
		values[p] = f->params[p].fit.value;
}

/* Every row that is not NONE, with the parameters as they are, into its field at @offset. */
static int simulate_all(struct run *r, size_t offset)
{
	double values[DVMI_CAL_FREE_MAX] = { 0 };
	int ret;

	get_values(r->fit, values);
	ret = set_params(r, values);
	for (size_t i = 0; i < r->fit->nrows && !ret; i++) {
		struct dvmi_cal_row *row = &r->fit->rows[i];

		if (row->use != DVM_CALIBRATION_NONE)
			ret = simulate(r, row, values, (double *)(void *)((char *)row + offset));
	}
	return ret;
}

static int leave_out(struct run *r, const struct dvmi_fit_problem *problem)
{
	struct dvmi_fit_param params[DVMI_CAL_FREE_MAX];
	double values[DVMI_CAL_FREE_MAX] = { 0 };
	int ret = 0;

	for (size_t i = 0; i < problem->rows && problem->rows > problem->params && !ret; i++) {
		struct dvmi_cal_row *row = &r->fit->rows[r->fitted[i]];

		for (size_t p = 0; p < problem->params; p++)
			params[p] = r->fit->params[p].fit;
		ret = dvmi_fit(problem, params, i);
		for (size_t p = 0; p < problem->params; p++)
			values[p] = params[p].value;
		if (!ret)
			ret = set_params(r, values);
		if (!ret)
			ret = simulate(r, row, values, &row->left_out);
	}
	return ret;
}

/* What no model has is fitted even when the model stays as it is. */
static int fit_unknowns(struct run *r, const struct dvmi_fit_problem *problem)
{
	struct dvmi_cal_fit *f = r->fit;
	struct dvmi_fit_param params[DVMI_CAL_FREE_MAX];
	bool any = false;
	int ret;

	for (size_t p = 0; p < f->nparams; p++) {
		params[p] = f->params[p].fit;
		any = any || f->params[p].unknown;
		if (!f->params[p].unknown)
			params[p].min = params[p].max = params[p].value;
	}
	if (!any || !problem->rows)
		return 0;
	ret = dvmi_fit(problem, params, SIZE_MAX);
	for (size_t p = 0; p < f->nparams && !ret; p++)
		f->params[p].shipped = f->params[p].fit.value = params[p].value;
	return ret;
}

static int fit(struct run *r, bool left_out)
{
	struct dvmi_cal_fit *f = r->fit;
	struct dvmi_fit_problem problem = { .params = f->nparams, .run = deviations, .arg = r };
	struct dvmi_fit_param params[DVMI_CAL_FREE_MAX];
	int ret;

	for (size_t i = 0; i < f->nrows; i++)
		if (f->rows[i].use == DVM_CALIBRATION_FIT)
			r->fitted[problem.rows++] = i;
	r->fitted[problem.rows] = SIZE_MAX;
	for (size_t p = 0; p < f->nparams; p++)
		f->params[p].fit.value = f->params[p].shipped;
	ret = fit_unknowns(r, &problem);
	if (!ret)
		ret = simulate_all(r, offsetof(struct dvmi_cal_row, shipped));
	for (size_t p = 0; p < f->nparams; p++)
		params[p] = f->params[p].fit;
	if (!ret && problem.rows)
		ret = dvmi_fit(&problem, params, SIZE_MAX);
	if (ret)
		return ret;
	for (size_t p = 0; p < f->nparams && problem.rows; p++)
		f->params[p].fit = params[p];
	ret = simulate_all(r, offsetof(struct dvmi_cal_row, fitted));
	if (!ret && left_out)
		ret = leave_out(r, &problem);
	return ret;
}

int dvm_calibration_fit(struct dvm_calibration *cal, size_t number, bool left_out,
			struct dvm_error *err)
{
	struct run r = { .err = err };
	int ret = 0;

	if (number >= cal->nfits)
		return dvmi_error(err, DVM_ENOENT, "calibration", "there are %zu fits", cal->nfits);
	r.fit = &cal->fits[number];
	r.fitted = dvmi_calloc(r.fit->nrows + 1, sizeof(*r.fitted));
	if (!r.fitted || dvm_model_clone(r.fit->hw, &r.hw))
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = fit(&r, left_out);
	if (ret == -DVM_ENOMEM)
		dvmi_error_nomem(err);
	dvm_model_free(r.hw);
	dvmi_free(r.fitted);
	if (ret)
		return ret;
	r.fit->fitted = true;
	r.fit->worst = 0;
	for (size_t i = 0; i < r.fit->nrows; i++) {
		const struct dvmi_cal_row *row = &r.fit->rows[i];
		double off = fabs(row->fitted / row->measurement->value - 1);

		if (row->use == DVM_CALIBRATION_FIT && off > r.fit->worst)
			r.fit->worst = off;
	}
	return 0;
}

/* ---- the result as a model ---- */

static bool writable(const struct dvmi_cal_param *p)
{
	return !p->unknown && (p->fit.state == DVM_CALIBRATION_DETERMINED ||
			       p->fit.state == DVM_CALIBRATION_BOUND);
}

/* A sentence that replaces one of the model's strings; false when memory ran out. */
static bool replace(char **text, const char *by)
{
	char *copy = dvmi_strdup(by);

	if (!copy)
		return false;
	dvmi_free(*text);
	*text = copy;
	return true;
}

static int derive(struct dvm_model *model, const struct dvmi_cal_fit *f,
		  const struct dvmi_cal_param *p, const char *ids, struct dvm_error *err)
{
	struct dvmi_leaf *leaf = &model->leaves[dvmi_param_index(model, p->path)];
	char formula[128];
	int ret = dvm_model_set(model, p->path, (uint64_t)(p->fit.value + 0.5), err);

	if (ret)
		return ret;
	snprintf(formula, sizeof(formula), "least squares, worst relative deviation %.4f%s",
		 f->worst, p->fit.state == DVM_CALIBRATION_BOUND ? "; ended at a bound" : "");
	if (!replace(&leaf->ref, ids) || !replace(&leaf->formula, formula))
		return dvmi_error_nomem(err);
	leaf->source = DVMI_SOURCE_DERIVED;
	return 0;
}

/* "C1, C2": what was fitted to. */
static void list_ids(const struct dvmi_cal_fit *f, struct dvmi_buf *b)
{
	for (size_t i = 0; i < f->nrows; i++) {
		bool seen = f->rows[i].use != DVM_CALIBRATION_FIT;

		for (size_t j = 0; j < i && !seen; j++)
			seen = f->rows[j].use == DVM_CALIBRATION_FIT &&
			       !strcmp(f->rows[j].measurement->id, f->rows[i].measurement->id);
		if (!seen)
			dvmi_buf_printf(b, "%s%s", b->len ? ", " : "", f->rows[i].measurement->id);
	}
}

static int describe(struct dvm_model *model, const struct dvmi_cal_fit *f, const char *name,
		    const char *ids)
{
	char note[320], summary[200];

	snprintf(summary, sizeof(summary), "%s, fitted", f->rows[0].measurement->platform);
	snprintf(note, sizeof(note),
		 "%zu parameters fitted, worst relative deviation %.4f of the fitted rows. All else "
		 "is that of %s.", f->nparams, f->worst, dvm_model_name(f->hw));
	model->status = DVM_MODEL_CALIBRATED;
	return replace(&model->name, name) && replace(&model->summary, summary) &&
	       replace(&model->calibrated_by, ids) && replace(&model->note, note) ? 0 :
	       -DVM_ENOMEM;
}

static int make_model(const struct dvmi_cal_fit *f, const char *name, const char *ids,
		      struct dvm_model **out, struct dvm_error *err)
{
	struct dvm_model *model = NULL;
	int ret = dvm_model_clone(f->hw, &model);

	if (!ret)
		ret = describe(model, f, name, ids);
	if (ret)
		ret = dvmi_error_nomem(err);
	for (size_t p = 0; p < f->nparams && !ret; p++)
		if (writable(&f->params[p]))
			ret = derive(model, f, &f->params[p], ids, err);
	if (ret)
		dvm_model_free(model);
	else
		*out = model;
	return ret;
}

int dvm_calibration_model(const struct dvm_calibration *cal, size_t number, const char *name,
			  char **text, struct dvm_error *err)
{
	const struct dvmi_cal_fit *f;
	struct dvm_model *model = NULL;
	struct dvmi_buf ids = { 0 };
	char *list;
	int ret;

	if (number >= cal->nfits)
		return dvmi_error(err, DVM_ENOENT, "calibration", "there are %zu fits", cal->nfits);
	f = &cal->fits[number];
	if (!f->fitted || !f->nrows)
		return dvmi_error(err, DVM_EINVAL, f->name, "there is nothing fitted to write");
	list_ids(f, &ids);
	if (dvmi_buf_take(&ids, &list))
		return dvmi_error_nomem(err);
	ret = make_model(f, name, list, &model, err);
	dvmi_free(list);
	if (ret)
		return ret;
	if (dvm_model_to_json(model, text))
		ret = dvmi_error_nomem(err);
	dvm_model_free(model);
	return ret;
}
