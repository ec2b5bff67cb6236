/* SPDX-License-Identifier: MIT */
#include "report/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct scale {
	double unit;
	const char *name;
};

/* Three digits: 9.995 and more shows as "10.0", not as "9.99" or "10.00". */
static const char *scaled(char buf[DVMI_NUM_MAX], double x, const struct scale *s)
{
	double v;
	int digits;

	while (s[1].name && fabs(x) >= s[1].unit * 0.9995)
		s++;
	v = x / s->unit;
	digits = s->unit == 1 && v == floor(v) ? 0 : fabs(v) < 9.995 ? 2 : fabs(v) < 99.95 ? 1 : 0;
	snprintf(buf, DVMI_NUM_MAX, "%.*f%s", digits, v, s->name);
	return buf;
}

const char *dvmi_num_time(char buf[DVMI_NUM_MAX], double ps)
{
	static const struct scale scales[] = {
		{ 1, " ps" }, { 1e3, " ns" }, { 1e6, " us" }, { 1e9, " ms" }, { 1e12, " s" }, { 0, NULL },
	};

	if (ps == 0)
		return strcpy(buf, "0");
	return scaled(buf, ps, scales);
}

const char *dvmi_num_count(char buf[DVMI_NUM_MAX], uint64_t n)
{
	static const struct scale scales[] = {
		{ 1, "" }, { 1e3, " k" }, { 1e6, " M" }, { 1e9, " G" }, { 1e12, " T" }, { 0, NULL },
	};

	if (n >= 100000)
		return scaled(buf, (double)n, scales);
	if (n >= 1000)
		snprintf(buf, DVMI_NUM_MAX, "%" PRIu64 ",%03" PRIu64, n / 1000, n % 1000);
	else
		snprintf(buf, DVMI_NUM_MAX, "%" PRIu64, n);
	return buf;
}

const char *dvmi_num_rate(char buf[DVMI_NUM_MAX], double per_second)
{
	static const struct scale scales[] = {
		{ 1, " /s" }, { 1e3, " k/s" }, { 1e6, " M/s" }, { 1e9, " G/s" }, { 0, NULL },
	};

	return scaled(buf, per_second, scales);
}

const char *dvmi_num_change(char buf[DVMI_NUM_MAX], double pct, double uncertainty)
{
	int digits = uncertainty >= 10 ? 0 : uncertainty >= 1 ? 1 : 2;

	if (fabs(pct) >= 100)
		digits = 0;
	/* A change that is one must not look like none. */
	while (digits < 2 && pct != 0 && fabs(pct) < 0.5 * pow(10, -digits))
		digits++;
	if (pct != 0 && fabs(pct) < 0.005)
		snprintf(buf, DVMI_NUM_MAX, "%s0.01 %%", pct < 0 ? ">-" : "<+");
	else
		snprintf(buf, DVMI_NUM_MAX, "%+.*f %%", digits, pct + 0.0);
	return buf;
}

const char *dvmi_num_share(char buf[DVMI_NUM_MAX], double part, double whole)
{
	double pct = whole > 0 ? part / whole * 100 : 0;

	if (!(whole > 0))
		return strcpy(buf, "-");
	if (part == 0 || part == whole)
		snprintf(buf, DVMI_NUM_MAX, "%.0f %%", pct);
	else if (pct < 0.1)
		strcpy(buf, "<0.1 %");
	else if (pct > 99.9 && pct < 100)
		strcpy(buf, ">99.9 %");
	else
		snprintf(buf, DVMI_NUM_MAX, "%.1f %%", pct);
	return buf;
}
