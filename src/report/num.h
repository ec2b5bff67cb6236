/* SPDX-License-Identifier: MIT */
#ifndef DVMI_REPORT_NUM_H
#define DVMI_REPORT_NUM_H

#include <stddef.h>
#include <stdint.h>

/* Numbers for people: three significant digits, a unit that keeps them short. Return @buf. */
#define DVMI_NUM_MAX 32

/* Picoseconds: "850 ps", "1.25 us". */
const char *dvmi_num_time(char buf[DVMI_NUM_MAX], double ps);
/* "1,234", from 100,000 on "123 k", "1.23 M". */
const char *dvmi_num_count(char buf[DVMI_NUM_MAX], uint64_t n);
/* "950 /s", "12.3 k/s". */
const char *dvmi_num_rate(char buf[DVMI_NUM_MAX], double per_second);
/*
 * A change with its sign: "+3.25 %". One unit of the last digit is about a tenth of
 * @uncertainty, and at least 0.01.
 */
const char *dvmi_num_change(char buf[DVMI_NUM_MAX], double pct, double uncertainty);
/* A share of a whole: "12 %", "0.3 %", "<0.1 %", "-" when there is no whole. */
const char *dvmi_num_share(char buf[DVMI_NUM_MAX], double part, double whole);

#endif
