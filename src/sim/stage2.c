/* SPDX-License-Identifier: MIT */
#include "sim/stage2.h"

static unsigned log2_of(uint64_t bytes)
{
	unsigned shift = 0;

	while (bytes >> shift > 1)
		shift++;
	return shift;
}

int dvmi_sim_stage2(const struct dvmi_kernel_cfg *cfg, struct dvmi_stage2 *stage2,
		    struct dvm_error *err)
{
	const struct dvmi_stage2_shape shape = {
		.granule_bits = (int)log2_of(cfg->vm_stage2_page_bytes),
		.ipa_bits = (int)cfg->vm_ipa_bits,
		.block_shift = log2_of(cfg->vm_stage2_block_bytes),
		.run_shift = log2_of(cfg->vm_run_bytes),
		.memory_bytes = cfg->vm_memory_mib << 20,
	};

	return dvmi_stage2_init(stage2, &shape, err);
}

/* How many stage-2 leaves @pages pages lie in. */
static uint64_t leaves(const struct dvmi_kernel_cfg *cfg, const struct dvmi_stage2 *s,
		       uint64_t pages)
{
	uint64_t bytes = pages * cfg->page_bytes, all = s->memory_bytes >> s->block_shift;
	/* Small runs lie in leaves of their own, a long one takes several. */
	unsigned shift = s->run_shift < s->block_shift ? s->run_shift : s->block_shift;
	uint64_t n = (bytes >> shift) + ((bytes & ((UINT64_C(1) << shift) - 1)) != 0);

	if (!all)
		all = 1;
	return n < all ? n : all;
}

uint64_t dvmi_sim_refill_ps(const struct dvmi_hw *hw, const struct dvmi_kernel_cfg *cfg,
			    const struct dvmi_stage2 *stage2, uint64_t pages)
{
	uint64_t l, missing;

	if (!stage2)
		return hw->tlb_walk_step_ps;
	l = leaves(cfg, stage2, pages);
	missing = l > hw->tlb_stage2_entries ? l - hw->tlb_stage2_entries : 0;
	return hw->tlb_walk_step_ps + hw->tlb_walk_step_ps * stage2->reads * missing / (l ? l : 1);
}
