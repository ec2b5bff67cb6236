/* SPDX-License-Identifier: MIT */
#include "model/model.h"

#include <string.h>

/* Rules that no single row of the table can say. Each: what must hold, whose fault, the sentence. */
struct rule {
	bool broken;
	const char *path, *text;
};

static bool split_badly(uint64_t entries, uint64_t ways)
{
	return ways && (ways > entries || entries % ways);
}

/* In steps, as 16 * 16 * 4096 * 4096 * 8 is far from overflowing. */
static bool too_many_cpus(const struct dvmi_hw *hw)
{
	return dvmi_hw_cpus(hw) > 4096;
}

static const char *blame(const struct dvm_model *m, const struct rule *rules, size_t count,
			 size_t *index)
{
	for (size_t i = 0; i < count; i++) {
		if (!rules[i].broken)
			continue;
		*index = dvmi_param_index(m, rules[i].path);
		return rules[i].text;
	}
	return NULL;
}

/* TLBIDIDR_EL1: with NIS 1 to 8, NVIS is at most 5; with 9 to 16, at most 4. */
static bool too_many_virtual(const struct dvmi_hw *hw)
{
	return hw->tlbid_nvis > (hw->tlbid_nis == 0 ? 0u : hw->tlbid_nis <= 8 ? 5u : 4u);
}

static const char *check_hw(const struct dvm_model *m, size_t *index)
{
	const struct dvmi_hw *hw = &m->hw;
	const struct rule rules[] = {
		{ too_many_cpus(hw), "topology.cores",
		  "sockets * dies * clusters * cores * threads is more than 4096 CPUs" },
		{ split_badly(hw->tlb_l1i_entries, hw->tlb_l1i_ways), "tlb.l1i_ways",
		  "l1i_entries is not a multiple of l1i_ways" },
		{ split_badly(hw->tlb_l1d_entries, hw->tlb_l1d_ways), "tlb.l1d_ways",
		  "l1d_entries is not a multiple of l1d_ways" },
		{ split_badly(hw->tlb_l2_entries, hw->tlb_l2_ways), "tlb.l2_ways",
		  "l2_entries is not a multiple of l2_ways" },
		{ hw->topology_llc == DVMI_LLC_SOCKET && hw->topology_node == DVMI_NODE_DIE &&
		  hw->topology_dies > 1, "topology.llc",
		  "a last-level cache reaches no farther than a NUMA node" },
		{ too_many_virtual(hw), "tlbid.nvis",
		  "TLBIDIDR_EL1 allows NVIS up to 5 with NIS 1 to 8, up to 4 with NIS 9 to 16, else 0" },
		{ hw->feature_asid_bits != 8 && hw->feature_asid_bits != 16, "feature.asid_bits",
		  "an ASID has 8 or 16 bits" },
	};

	return blame(m, rules, sizeof(rules) / sizeof(rules[0]), index);
}

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Pages, contiguous groups and blocks of each granule: Arm ARM DDI 0487, D8. */
static bool is_leaf(uint64_t page, uint64_t bytes)
{
	static const uint8_t shifts[3][6] = {
		{ 12, 16, 21, 25, 30, 34 }, { 14, 21, 25, 30 }, { 16, 21, 29, 34 },
	};
	const uint8_t *row = shifts[page == 4096 ? 0 : page == 16384 ? 1 : 2];

	for (int i = 0; i < 6; i++)
		if (row[i] && bytes == UINT64_C(1) << row[i])
			return true;
	return false;
}

static const char *check_kernel(const struct dvm_model *m, size_t *index)
{
	uint64_t page2 = m->kernel.vm_stage2_page_bytes;
	const struct dvmi_kernel_cfg *k = &m->kernel;
	uint64_t page = k->page_bytes;
	const struct rule rules[] = {
		{ page != 4096 && page != 16384 && page != 65536, "page_bytes",
		  "a page has 4096, 16384 or 65536 bytes" },
		/* Arm ARM: FEAT_LPA2 is about the 4 KiB and 16 KiB granules. */
		{ k->lpa2 && page == 65536, "lpa2", "LPA2 is for pages of 4096 or 16384 bytes" },
		{ k->preempt >= DVMI_PREEMPT_LAZY && !k->preempt_count, "preempt_count",
		  "the lazy, full and rt models count preemption" },
		{ k->vm == DVMI_VM_NATIVE && k->vm_fb, "vm_fb",
		  "HCR_EL2.FB acts on guests; set vm to \"guest\" or vm_fb to false" },
		{ k->vm == DVMI_VM_NATIVE && k->vm_bsu != DVMI_BSU_NONE, "vm_bsu",
		  "HCR_EL2.BSU acts on guests; set vm to \"guest\" or vm_bsu to \"none\"" },
		{ k->vm == DVMI_VM_NATIVE && k->vm_stage2, "vm_stage2",
		  "HCR_EL2.VM acts on guests; set vm to \"guest\" or vm_stage2 to false" },
		{ page2 != 4096 && page2 != 16384 && page2 != 65536, "vm_stage2_page_bytes",
		  "a page has 4096, 16384 or 65536 bytes" },
		{ !is_leaf(page2, k->vm_stage2_block_bytes), "vm_stage2_block_bytes",
		  "no page, contiguous group or block of vm_stage2_page_bytes has this size" },
		{ k->vm_stage2 && k->vm_stage2_block_bytes < page, "vm_stage2_block_bytes",
		  "leaves of stage 2 smaller than page_bytes are not simulated" },
		{ k->vm_memory_mib << 20 > UINT64_C(1) << k->vm_ipa_bits, "vm_memory_mib",
		  "vm_ipa_bits can not address so much" },
		{ !power_of_two(k->vm_run_bytes), "vm_run_bytes", "must be a power of two" },
		{ k->vm == DVMI_VM_NATIVE && k->vm_count, "vm_count",
		  "virtual machines need vm \"guest\"" },
		{ k->vm_fnb && !k->vm_count, "vm_fnb",
		  "HCRX_EL2.FnB acts on machines that a host schedules; set vm_count" },
		{ k->vm_fnb && k->vm_fb, "vm_fnb",
		  "HCRX_EL2.FnB and HCR_EL2.FB ask for opposite things; set one to false" },
		{ k->vm == DVMI_VM_NATIVE && k->vm_tlbid, "vm_tlbid",
		  "HCRX_EL2.VTLBIDEn acts on guests; set vm to \"guest\" or vm_tlbid to false" },
		{ k->version % 100 > 40, "version", "a version is major*100 + minor: 6.12 is 612" },
	};

	return blame(m, rules, sizeof(rules) / sizeof(rules[0]), index);
}

const char *dvmi_model_contradiction(const struct dvm_model *m, size_t *index)
{
	return m->kind == DVM_MODEL_HW ? check_hw(m, index) : check_kernel(m, index);
}
