/* SPDX-License-Identifier: MIT */
#include "cli.h"

/* In the order the help lists them. */
const struct cli_command *const cli_commands[] = {
	NULL,
};
