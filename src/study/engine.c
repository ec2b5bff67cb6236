/* SPDX-License-Identifier: MIT */
#include "study/study.h"

const struct dvmi_engine dvmi_engine_sim = {
	.new = dvm_sim_new,
	.free = dvm_sim_free,
	.run = dvm_sim_run,
	.is_random = dvm_sim_is_random,
	.stats = dvm_sim_stats,
	.work = dvm_sim_work,
	.step = dvm_sim_step,
};
