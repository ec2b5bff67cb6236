/* SPDX-License-Identifier: MIT */
/*
 * The reference engine: the timing machine in strict order on a plain event queue, a plain fabric,
 * plain TLBs, a plain oracle and plain working sets. sim_plain FIRST COUNT prints the outcomes of so many random runs; test_sim_ref
 * holds those of the engine against them.
 */
#include "random_run.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	static char text[RANDOM_RUN_TEXT];
	uint64_t seed, end;

	if (argc != 3)
		return 2;
	seed = strtoull(argv[1], NULL, 10);
	for (end = seed + strtoull(argv[2], NULL, 10); seed < end; seed++) {
		random_run(seed, true, false, text);
		printf("%s;\n", text);
	}
	return 0;
}
