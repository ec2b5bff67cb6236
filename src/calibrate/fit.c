/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/*
 * Levenberg-Marquardt on relative deviations. Parameters are scaled by their size, so that one step
 * of damping suits them all. Only + - * / and sqrt are used: the same bits everywhere.
 * Source: Marquardt 1963, doi:10.1137/0111030; damping as in Nielsen 1999 reduced to factors.
 */
#define ROUNDS 60
#define P DVMI_CAL_FREE_MAX
#define NO_EFFECT 1e-7 /* a parameter's whole size changes no row by more, relative */
#define COLLINEAR 0.99999
#define SETTLED 1e-12

struct work {
	const struct dvmi_fit_problem *problem;
	struct dvmi_fit_param *params;
	size_t skip;
	double *r, *trial, *columns; /* residuals; columns[p * rows + i] = dr_i / ds_p */
	double scale[P];
};

static double sum_squares(const double *r, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += r[i] * r[i];
	return sum;
}

static int residuals(const struct work *w, const double *values, double *out)
{
	size_t n = w->problem->rows;
	int ret = w->problem->run(w->problem->arg, values, w->skip, out);

	if (!ret && w->skip < n)
		out[w->skip] = 0;
	return ret;
}

static double clamp(double x, const struct dvmi_fit_param *p)
{
	return x < p->min ? p->min : x > p->max ? p->max : x;
}

/* One-sided differences, a hundredth of the parameter's scale, inwards at a bound. */
static int derive(struct work *w, const double *values)
{
	size_t n = w->problem->rows;

	for (size_t p = 0; p < w->problem->params; p++) {
		double at[P], step = w->scale[p] / 100;
		double *column = w->columns + p * n;
		int ret;

		memcpy(at, values, sizeof(at));
		if (at[p] + step > w->params[p].max)
			step = -step;
		at[p] = clamp(at[p] + step, &w->params[p]);
		ret = residuals(w, at, column);
		if (ret)
			return ret;
		step = (at[p] - values[p]) / w->scale[p];
		for (size_t i = 0; i < n; i++)
			column[i] = step != 0 ? (column[i] - w->r[i]) / step : 0;
	}
	return 0;
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* At a bound, and the sum of squares falls only beyond it. */
static bool held(const struct work *w, const double *values, size_t p)
{
	size_t n = w->problem->rows;
	double slope = dot(w->columns + p * n, w->r, n);

	return (!(values[p] > w->params[p].min) && slope > 0) ||
	       (!(values[p] < w->params[p].max) && slope < 0);
}

/* What a parameter that is held by its bound would do is left out of the step. */
static void drop_held(struct work *w, const double *values)
{
	size_t n = w->problem->rows;

	for (size_t p = 0; p < w->problem->params; p++)
		if (held(w, values, p))
			memset(w->columns + p * n, 0, n * sizeof(double));
}

/* Solve (JtJ + damping * diag) step = -Jt r by Cholesky; parameters without effect stay. */
static void solve(const struct work *w, double damping, double *step)
{
	size_t n = w->problem->rows, k = w->problem->params;
	double a[P][P], y[P];

	for (size_t i = 0; i < k; i++) {
		for (size_t j = 0; j <= i; j++)
			a[i][j] = dot(w->columns + i * n, w->columns + j * n, n);
		y[i] = -dot(w->columns + i * n, w->r, n);
		a[i][i] += damping * a[i][i] + (a[i][i] < NO_EFFECT * NO_EFFECT ? 1 : 1e-14);
	}
	for (size_t i = 0; i < k; i++) {
		for (size_t j = 0; j <= i; j++) {
			double s = a[i][j];

			for (size_t m = 0; m < j; m++)
				s -= a[i][m] * a[j][m];
			if (i == j)
				a[i][i] = sqrt(s > 1e-30 ? s : 1e-30);
			else
				a[i][j] = s / a[j][j];
		}
		for (size_t m = 0; m < i; m++)
			y[i] -= a[i][m] * y[m];
		y[i] /= a[i][i];
	}
	for (size_t i = k; i-- > 0;) {
		step[i] = y[i];
		for (size_t m = i + 1; m < k; m++)
			step[i] -= a[m][i] * step[m];
		step[i] /= a[i][i];
	}
}

static int iterate(struct work *w, double *values)
{
	size_t n = w->problem->rows, k = w->problem->params;
	double damping = 1e-3, now, then;
	int ret = residuals(w, values, w->r);

	now = sum_squares(w->r, n);
	for (unsigned round = 0; !ret && round < ROUNDS; round++) {
		double step[P], next[P], moved = 0;

		ret = derive(w, values);
		if (ret)
			break;
		drop_held(w, values);
		for (;;) {
			solve(w, damping, step);
			moved = 0;
			memcpy(next, values, sizeof(next));
			for (size_t p = 0; p < k; p++) {
				next[p] = clamp(values[p] + step[p] * w->scale[p], &w->params[p]);
				moved += (next[p] - values[p]) / w->scale[p] *
					 ((next[p] - values[p]) / w->scale[p]);
			}
			ret = residuals(w, next, w->trial);
			then = sum_squares(w->trial, n);
			if (ret || then < now || damping > 1e8)
				break;
			damping *= 10;
		}
		if (ret || !(then < now))
			break;
		memcpy(values, next, sizeof(next));
		memcpy(w->r, w->trial, n * sizeof(*w->r));
		damping = damping > 1e-9 ? damping / 10 : damping;
		if (now - then <= SETTLED * now || moved < SETTLED)
			break;
		now = then;
	}
	return ret;
}

/* What the rows say about each parameter, from the derivatives at the end. */
static void judge(const struct work *w, const double *values)
{
	size_t n = w->problem->rows, k = w->problem->params;

	for (size_t p = 0; p < k; p++) {
		const double *a = w->columns + p * n;
		double size = sqrt(dot(a, a, n));
		struct dvmi_fit_param *param = &w->params[p];

		param->state = DVM_CALIBRATION_DETERMINED;
		if (size < NO_EFFECT)
			param->state = DVM_CALIBRATION_NO_EFFECT;
		else if (!(values[p] > param->min) || !(values[p] < param->max))
			param->state = DVM_CALIBRATION_BOUND;
		for (size_t q = 0; q < k && size >= NO_EFFECT; q++) {
			const double *b = w->columns + q * n;
			double other = sqrt(dot(b, b, n)), cosine;

			if (q == p || other < NO_EFFECT)
				continue;
			cosine = dot(a, b, n) / size / other;
			if (cosine > COLLINEAR || cosine < -COLLINEAR)
				param->state = DVM_CALIBRATION_SUM;
		}
	}
}

int dvmi_fit(const struct dvmi_fit_problem *problem, struct dvmi_fit_param *params, size_t skip)
{
	size_t n = problem->rows, k = problem->params;
	struct work w = { .problem = problem, .params = params, .skip = skip };
	double values[P] = { 0 };
	int ret = 0;

	w.r = dvmi_calloc(n ? n : 1, sizeof(double));
	w.trial = dvmi_calloc(n ? n : 1, sizeof(double));
	w.columns = dvmi_calloc((n ? n : 1) * (k ? k : 1), sizeof(double));
	if (!w.r || !w.trial || !w.columns)
		ret = -DVM_ENOMEM;
	for (size_t p = 0; p < k; p++) {
		values[p] = params[p].value;
		/* A parameter that begins at 0 is measured against a hundredth of its greatest value. */
		w.scale[p] = params[p].value > 0 ? params[p].value : params[p].max / 100;
	}
	if (!ret)
		ret = iterate(&w, values);
	if (!ret)
		ret = residuals(&w, values, w.r);
	if (!ret)
		ret = derive(&w, values);
	if (!ret) {
		judge(&w, values);
		for (size_t p = 0; p < k; p++)
			params[p].value = values[p];
	}
	dvmi_free(w.r);
	dvmi_free(w.trial);
	dvmi_free(w.columns);
	return ret;
}
