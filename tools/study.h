/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_STUDY_H
#define DVMSIM_TOOLS_STUDY_H

#include "cli.h"

#include <dvmsim/study.h>

/* What the commands that run studies share. Every function returns an exit status. */

/* What is used for an axis that no option names; lists end with NULL. */
struct cli_study_defaults {
	const char *const *strategies, *const *models, *const *kernels;
};

/*
 * Options that fill @options; a study that runs shows its progress on stderr when that is a terminal.
 * An interrupt (SIGINT, SIGTERM) lets the runs that have started end; a second one kills.
 */
int cli_study_options(const struct cli_args *args, struct dvm_study_options *options);

/*
 * Fill the axes from --strategy, --trace, --workload, --model and --kernel. @baseline, if not NULL,
 * is a strategy that @study has already: it is left out where it is named again.
 */
int cli_study_fill(const struct cli_args *args, const struct cli_study_defaults *defaults,
		   const char *baseline, struct dvm_study *study);

/* Run it; ends with CLI_PARTIAL when interrupted. */
int cli_study_run(struct dvm_study *study);

/* CLI_FAILED, CLI_PARTIAL or CLI_OK for the worst status among the cells, and a line on stderr. */
int cli_study_status(const struct dvm_study *study);

#endif
