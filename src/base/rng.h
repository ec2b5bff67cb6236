/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_RNG_H
#define DVMI_BASE_RNG_H

#include <stdint.h>

/*
 * One stream per component, keyed by (seed, component id), so that adding a draw in one place
 * never moves the draws of another. SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
 */
struct dvmi_rng {
	uint64_t state;
};

static inline uint64_t dvmi_rng_next(struct dvmi_rng *rng)
{
	uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline void dvmi_rng_init(struct dvmi_rng *rng, uint64_t seed, uint64_t component)
{
	rng->state = seed;
	rng->state = dvmi_rng_next(rng) ^ (component * UINT64_C(0xd1342543de82ef95));
	(void)dvmi_rng_next(rng);
}

/* Uniform in [0, bound); @bound > 0. Lemire's multiply-shift without rejection would be biased. */
static inline uint64_t dvmi_rng_below(struct dvmi_rng *rng, uint64_t bound)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;

	do
		x = dvmi_rng_next(rng);
	while (x >= limit);
	return x % bound;
}

#endif
