/* SPDX-License-Identifier: MIT */
#ifndef DVMI_SIM_STAGE2_H
#define DVMI_SIM_STAGE2_H

#include "hw/stage2.h"
#include "model/params.h"

/* The second stage of translation that a guest's kernel configuration describes (vm_stage2). */
int dvmi_sim_stage2(const struct dvmi_kernel_cfg *cfg, struct dvmi_stage2 *stage2,
		    struct dvm_error *err);

/*
 * What one TLB refill of a working set of @pages costs (sim/workset.h). One descriptor of stage 1: the
 * walk cache has the rest, and knows where its table lies. With a second stage, the address in it is
 * translated: by the stage-2 cache, or with n2 more reads. @pages touched evenly lie in L stage-2
 * leaves; a cache of E entries with least recent use serves min(1, E / L) of such translations.
 */
uint64_t dvmi_sim_refill_ps(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
			    const struct dvmi_stage2 *stage2, uint64_t pages);

#endif
