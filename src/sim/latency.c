/* SPDX-License-Identifier: MIT */
#include "sim/latency.h"

static unsigned bucket_of(uint64_t ps)
{
	unsigned exponent;

	if (ps < 128)
		return (unsigned)ps;
	exponent = 63 - (unsigned)__builtin_clzll(ps); /* 7..63 */
	return (exponent - 5) * 64 + (unsigned)(ps >> (exponent - 6) & 63);
}

/* Largest value of a bucket. */
static uint64_t upper_edge(unsigned bucket)
{
	unsigned exponent = bucket / 64 + 5;

	if (bucket < 128)
		return bucket;
	return (((UINT64_C(64) | (bucket & 63)) + 1) << (exponent - 6)) - 1;
}

void dvmi_latency_add(struct dvmi_latency *h, uint64_t ps)
{
	h->count++;
	h->total_ps += ps;
	if (ps > h->max_ps)
		h->max_ps = ps;
	h->buckets[bucket_of(ps)]++;
}

uint64_t dvmi_latency_quantile(const struct dvmi_latency *h, unsigned permille)
{
	uint64_t want = (h->count * permille + 999) / 1000, seen = 0;

	for (unsigned b = 0; b < DVMI_LATENCY_BUCKETS && h->count; b++) {
		seen += h->buckets[b];
		if (seen >= want && seen) {
			uint64_t edge = upper_edge(b);

			return edge < h->max_ps ? edge : h->max_ps;
		}
	}
	return 0;
}

void dvmi_latency_summary(const struct dvmi_latency *h, struct dvm_latency *out)
{
	out->count = h->count;
	out->total_ps = h->total_ps;
	out->p50_ps = dvmi_latency_quantile(h, 500);
	out->p99_ps = dvmi_latency_quantile(h, 990);
	out->max_ps = h->max_ps;
}
