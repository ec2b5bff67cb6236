/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_SIM_RANDOM_RUN_H
#define DVMSIM_TESTS_SIM_RANDOM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One random simulation, all of it from @seed: part, kernel, strategy, workload. @text gets its
 * whole outcome: the statistics, the works, the time of each line of the strategy, a hash of what
 * the observer was told, or the failure. How many events the engine took is left out when
 * @events is false: a plainer fabric has more of them.
 */
#define RANDOM_RUN_TEXT 8192

void random_run(uint64_t seed, bool strict, bool events, char text[RANDOM_RUN_TEXT]);
/* What it was about, for a person: "seed 3: cpus 4, ..., strategy cpumask-ipi". */
const char *random_run_about(void);

#endif
