/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_LATENCY_H
#define DVMI_SIM_LATENCY_H

#include <dvmsim/sim.h>

/*
 * A histogram of times with buckets 1/64 wide, relative: exact below 64 ps, and integers only, so
 * that quantiles are the same on every machine.
 */
#define DVMI_LATENCY_BUCKETS (64 * 59)

struct dvmi_latency {
	uint64_t count, total_ps, max_ps;
	uint32_t buckets[DVMI_LATENCY_BUCKETS];
};

void dvmi_latency_add(struct dvmi_latency *h, uint64_t ps);
/* The least upper edge that at least @permille of 1000 values do not exceed; 0 when empty. */
uint64_t dvmi_latency_quantile(const struct dvmi_latency *h, unsigned permille);
void dvmi_latency_summary(const struct dvmi_latency *h, struct dvm_latency *out);

#endif
