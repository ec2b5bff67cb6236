/* SPDX-License-Identifier: MIT */
#ifndef DVMI_STUDY_STAT_H
#define DVMI_STUDY_STAT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The statistics of a study. Sums run in the order of the seeds and every operation used is rounded
 * exactly by IEEE 754 (+ - * / sqrt), so that results are the same everywhere; the quantile, which
 * is not, is rounded to six decimals.
 */

/* Quantile of Student's t, two-sided 95 %, @df >= 1 degrees of freedom. */
double dvmi_stat_t95(unsigned df);

struct dvmi_mean {
	double mean, ci95; /* half of the interval; 0 for one value */
};

/* @n >= 1 */
struct dvmi_mean dvmi_stat_mean(const double *x, size_t n);

/*
 * The change of @x against @base in percent: the mean of (x[i] - base[i]) / base[i], and its
 * interval. Pairing by seed takes out what both runs share. False when some base[i] is 0 while x[i]
 * is not: there is no percentage of nothing.
 */
bool dvmi_stat_change(const double *x, const double *base, size_t n, struct dvmi_mean *change);

/* enum dvm_verdict of such a change; @higher_is_better is the metric's direction. */
int dvmi_stat_verdict(const double *x, const double *base, size_t n, bool higher_is_better);

#endif
