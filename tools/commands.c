/* SPDX-License-Identifier: MIT */
#include "cli.h"

/* In the order the help lists them. */
const struct cli_command *const cli_commands[] = {
	NULL,
};

const struct cli_family cli_families[] = {
	{ "model", "Hardware models and kernel configurations" },
	{ "strategy", "Strategy programs: what a kernel does to flush" },
	{ "trace", "Recorded workloads (.dvt files)" },
	{ 0 },
};
