/* SPDX-License-Identifier: MIT */
#include "study/stat.h"

#include <dvmsim/study.h>

#include <math.h>

/*
 * P(|T| <= t) for whole degrees of freedom: the finite sums of Abramowitz and Stegun, Handbook of
 * Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even), with theta = atan(t / sqrt(df)).
 */
static double t_within(double t, unsigned df)
{
	const double half_pi = 1.57079632679489661923;
	double theta = atan(t / sqrt(df)), c2 = cos(theta) * cos(theta), term, sum;

	if (df % 2) {
		if (df == 1)
			return theta / half_pi;
		term = sum = cos(theta);
		for (unsigned k = 3; k < df; k += 2)
			sum += term *= c2 * (k - 1) / k;
		return (theta + sin(theta) * sum) / half_pi;
	}
	term = sum = 1;
	for (unsigned k = 2; k < df; k += 2)
		sum += term *= c2 * (k - 1) / k;
	return sin(theta) * sum;
}

double dvmi_stat_t95(unsigned df)
{
	double lo = 1.9, hi = 12.8; /* from the normal quantile 1.960 to that of one degree, 12.706 */

	for (int i = 0; i < 60; i++) {
		double mid = (lo + hi) / 2;

		if (t_within(mid, df) < 0.95)
			lo = mid;
		else
			hi = mid;
	}
	return round((lo + hi) / 2 * 1e6) / 1e6;
}

struct dvmi_mean dvmi_stat_mean(const double *x, size_t n)
{
	struct dvmi_mean m = { 0, 0 };
	double sum = 0, squares = 0;

	/* Around the first value: equal values then have exactly no spread. */
	for (size_t i = 0; i < n; i++)
		sum += x[i] - x[0];
	m.mean = x[0] + sum / (double)n;
	if (n < 2)
		return m;
	for (size_t i = 0; i < n; i++)
		squares += (x[i] - m.mean) * (x[i] - m.mean);
	m.ci95 = dvmi_stat_t95((unsigned)n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
	return m;
}

static double change_of(double x, double base)
{
	return x == base ? 0 : (x - base) / base * 100;
}

bool dvmi_stat_change(const double *x, const double *base, size_t n, struct dvmi_mean *change)
{
	double first = change_of(x[0], base[0]), sum = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		if (base[i] == 0 && x[i] != 0)
			return false;
		sum += change_of(x[i], base[i]) - first;
	}
	change->mean = first + sum / (double)n;
	change->ci95 = 0;
	if (n < 2)
		return true;
	for (size_t i = 0; i < n; i++) {
		double d = change_of(x[i], base[i]) - change->mean;

		squares += d * d;
	}
	change->ci95 = dvmi_stat_t95((unsigned)n - 1) * sqrt(squares / (double)(n - 1) / (double)n);
	return true;
}

int dvmi_stat_verdict(const double *x, const double *base, size_t n, bool higher_is_better)
{
	struct dvmi_mean change;
	bool equal = true;

	for (size_t i = 0; i < n; i++)
		equal = equal && x[i] == base[i];
	if (equal)
		return DVM_VERDICT_UNCHANGED;
	if (!dvmi_stat_change(x, base, n, &change))
		return DVM_VERDICT_NONE;
	if (fabs(change.mean) <= change.ci95) /* touching zero is including it */
		return DVM_VERDICT_UNDECIDED;
	return (change.mean > 0) == higher_is_better ? DVM_VERDICT_IMPROVED : DVM_VERDICT_REGRESSED;
}
