/* SPDX-License-Identifier: MIT */
#include "cli.h"

extern const struct cli_command cmd_calibrate;
extern const struct cli_command cmd_check;
extern const struct cli_command cmd_compare;
extern const struct cli_command cmd_litmus;
extern const struct cli_command cmd_model_diff;
extern const struct cli_command cmd_model_lint;
extern const struct cli_command cmd_model_list;
extern const struct cli_command cmd_model_schema;
extern const struct cli_command cmd_model_show;
extern const struct cli_command cmd_run;
extern const struct cli_command cmd_strategy_cost;
extern const struct cli_command cmd_strategy_lint;
extern const struct cli_command cmd_strategy_list;
extern const struct cli_command cmd_strategy_show;
extern const struct cli_command cmd_study;
extern const struct cli_command cmd_trace_cat;
extern const struct cli_command cmd_trace_import;
extern const struct cli_command cmd_trace_info;
extern const struct cli_command cmd_trace_validate;
extern const struct cli_command cmd_workload_cat;
extern const struct cli_command cmd_workload_list;
extern const struct cli_command cmd_workload_show;

/* In the order the help lists them. */
const struct cli_command *const cli_commands[] = {
	&cmd_compare,
	&cmd_run,
	&cmd_study,
	&cmd_model_list,
	&cmd_model_show,
	&cmd_model_lint,
	&cmd_model_diff,
	&cmd_model_schema,
	&cmd_strategy_list,
	&cmd_strategy_show,
	&cmd_strategy_lint,
	&cmd_strategy_cost,
	&cmd_trace_info,
	&cmd_trace_cat,
	&cmd_trace_validate,
	&cmd_trace_import,
	&cmd_workload_list,
	&cmd_workload_show,
	&cmd_workload_cat,
	&cmd_calibrate,
	&cmd_check,
	&cmd_litmus,
	NULL,
};

const struct cli_family cli_families[] = {
	{ "model", "Hardware models and kernel configurations" },
	{ "strategy", "Strategy programs: what a kernel does to flush" },
	{ "workload", "Generated workloads" },
	{ "trace", "Recorded workloads (.dvt files)" },
	{ 0 },
};
