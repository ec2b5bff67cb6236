/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include "base/bitmap.h"
#include "base/error.h"
#include "base/mem.h"

/*
 * What lies beyond the CPUs: devices that share address spaces through an SMMU (SVA), and the
 * work-around for SME accesses that a DVM Sync does not wait for (4193714).
 */

int dvmi_devices_init(struct dvm_sim *s)
{
	bool masks = dvmi_sme_applies(s) && s->cfg->sme_batch == DVMI_SME_BATCH_MASK;

	s->bound = dvmi_calloc(s->mms_count, sizeof(*s->bound));
	if (masks)
		s->sme_batches = dvmi_calloc((size_t)s->tasks_count *
					     dvmi_bitmap_words(s->cpus_count), sizeof(uint64_t));
	return s->bound && (s->sme_batches || !masks) ? 0 : -DVM_ENOMEM;
}

void dvmi_devices_fini(struct dvm_sim *s)
{
	dvmi_free(s->bound);
	dvmi_free(s->sme_batches);
}

/* ---- SVA ---- */

/*
 * iommu_sva_bind_device(). A kernel that lets the SMMU use the CPU's ASID pins it; in BTM it must.
 * The mm has run by then, so it has an ASID unless a rollover took it (arm64_mm_context_get()).
 */
int dvmi_device_bind(struct dvm_sim *s, uint32_t mm, bool bind)
{
	bool pins = s->cfg->sva_pins || s->cfg->smmu == DVMI_SMMU_BTM;

	if (s->cfg->smmu == DVMI_SMMU_NONE || s->bound[mm] == bind)
		return 0;
	s->bound[mm] = bind;
	dvmi_oracle_device(s->oracle, mm, bind, s->cfg->smmu == DVMI_SMMU_BTM);
	if (pins && !bind)
		dvmi_asid_unpin(&dvmi_guest_of_mm(s, mm)->asids, mm);
	else if (pins && !dvmi_asid_pin(&dvmi_guest_of_mm(s, mm)->asids, mm))
		return dvmi_error(s->err, DVM_ELIMIT, "simulation",
				  "no more ASIDs can be pinned (SVA)");
	return 0;
}

/* ---- the notifier ---- */

/*
 * arm_smmu_mm_arch_invalidate_secondary_tlbs(): one command per operand, or one range command where
 * the SMMU has them; from a table's worth of pages on one for the whole ASID; then CMD_SYNC.
 */
static uint64_t commands(const struct dvm_sim *s, const struct dvmi_request *r)
{
	struct dvmi_flush_rules ril = s->rules;
	uint64_t pages = (r->end - r->start) >> s->rules.page_shift;

	if (r->kind == DVMI_REQUEST_ASID)
		return 1;
	if (s->hw->smmu_range) {
		ril.range = true;
		ril.kpti = ril.ascending = ril.lpa2 = false;
		return dvmi_request_ops(r, &ril);
	}
	return pages >= s->cfg->page_bytes / 8 ? 1 : pages;
}

uint64_t dvmi_notifier_ps(struct dvm_sim *s, const struct dvmi_request *r, uint64_t now)
{
	uint64_t n = commands(s, r), written = now + (n + 1) * s->hw->smmu_command_ps;
	uint64_t begin = written > s->smmu_free_ps ? written : s->smmu_free_ps;

	s->smmu_free_ps = begin + n * s->hw->smmu_tlbi_ps;
	return s->smmu_free_ps + s->hw->smmu_sync_ps - now;
}

void dvmi_effect_notify(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;

	*next = now;
	if (h->mm && s->bound[h->mm] && s->cfg->smmu == DVMI_SMMU_NOTIFIER) {
		*next = now + dvmi_notifier_ps(s, &h->request, now);
		s->stats.notifier_calls++;
		s->stats.notifier_ps += *next - now;
		dvmi_oracle_notified(s->oracle, h->flush);
	}
	dvmi_frame_result(&h->frame, 0, &h->env);
}

/* ---- SME ---- */

bool dvmi_sme_applies(const struct dvm_sim *s)
{
	return s->hw->erratum_sme_dvmsync && s->cfg->sme_workaround;
}

/* mm_cpumask: the CPUs at EL0 with SME state; the bit is cleared on entry to the kernel. */
static bool at_el0_with_sme(const struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t mm)
{
	const struct dvmi_task *t = &s->tasks[c->task];

	return c->task && t->sme && !t->ops && c->phase == DVMI_PHASE_RECORD && !c->idle &&
	       !c->waiting && (!mm || c->mm == mm);
}

void dvmi_sme_note(struct dvm_sim *s, const struct dvmi_cpu *c, uint32_t mm)
{
	uint64_t *mask = s->sme_batches ? s->sme_batches + (size_t)c->task *
					  dvmi_bitmap_words(s->cpus_count) : NULL;

	for (unsigned n = 0; mask && n < s->cpus_used; n++)
		if (n != c->id && at_el0_with_sme(s, &s->cpus[n], mm))
			dvmi_bitmap_set(mask, n);
}

/* sync_batch: the mask that the adds made, or all that are at EL0 with SME state now. */
static bool in_batch(struct dvm_sim *s, const struct dvmi_cpu *c, unsigned n)
{
	uint64_t *mask;
	bool in;

	if (!s->sme_batches)
		return at_el0_with_sme(s, &s->cpus[n], 0);
	mask = s->sme_batches + (size_t)c->task * dvmi_bitmap_words(s->cpus_count);
	in = dvmi_bitmap_test(mask, n);
	dvmi_bitmap_clear(mask, n);
	return in;
}

/* Step 3 of sync(mm) and sync_batch; none for kernel mappings. */
int dvmi_sme_wait(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	const struct dvmi_hook_run *h = &c->hook;
	bool batch = h->frame.hook == DVMI_HOOK_BATCH_FLUSH;
	uint32_t count = 0;

	*next = now;
	if (!dvmi_sme_applies(s) || (!batch && !h->mm))
		return 0;
	for (unsigned n = 0; n < s->cpus_used; n++)
		if (n != c->id && (batch ? in_batch(s, c, n) :
				   at_el0_with_sme(s, &s->cpus[n], h->mm)))
			s->targets[count++] = n;
	if (!count)
		return 0;
	s->stats.sme_interrupts += count;
	return dvmi_interrupt_wait(s, c, count, now, next);
}
