/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/bitmap.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "hw/tlb.h"

#include <dvmsim/model.h>

/*
 * How many copies of the workload there are, the kernels they run on, and those kernels' CPUs: the
 * part's own, or vCPUs of virtual machines.
 */

#define COPIES_MAX 4096
#define IDS_MAX (UINT32_C(1) << 26)
#define VCPUS_MAX 16384

/* Copies start within this time of one another, so that they are not in step. */
#define PHASE_PS UINT64_C(1000000000)

/* ---- copies ---- */

static int native_copies(struct dvm_sim *s, struct dvm_error *err)
{
	unsigned need = s->env->ncpus;

	if (need > s->cpus_count)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "the workload needs %u CPUs, the part %s has %u", need,
				  dvm_model_name(s->options.hw), s->cpus_count);
	s->copies = s->options.copies ? s->options.copies : s->cpus_count / need;
	if ((uint64_t)s->copies * need > s->cpus_count)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "%u copies of %u CPUs each do not fit the %u CPUs of %s",
				  s->copies, need, s->cpus_count, dvm_model_name(s->options.hw));
	s->guests_count = 1;
	s->cpus_used = s->simulated ? s->cpus_count : s->copies * need;
	return 0;
}

static int machine_copies(struct dvm_sim *s, unsigned *vcpus, struct dvm_error *err)
{
	unsigned need = s->env->ncpus, vms = (unsigned)s->cfg->vm_count, n;

	n = s->cfg->vm_vcpus ? (unsigned)s->cfg->vm_vcpus : s->cpus_count / vms;
	n = n ? n : 1;
	if (vms * n > VCPUS_MAX)
		return dvmi_error(err, DVM_ELIMIT, "simulation",
				  "%u machines of %u vCPUs are more than %u vCPUs", vms, n, VCPUS_MAX);
	if (need > n)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "the workload needs %u CPUs, a virtual machine has %u (vm_vcpus)",
				  need, n);
	s->copies = s->options.copies ? s->options.copies : n / need * vms;
	if ((s->copies + vms - 1) / vms * (uint64_t)need > n)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "%u copies of %u CPUs each do not fit %u virtual machines of %u"
				  " vCPUs", s->copies, need, vms, n);
	s->guests_count = vms;
	s->cpus_used = vms * n;
	*vcpus = n;
	return 0;
}

static int set_copies(struct dvm_sim *s, unsigned *vcpus, struct dvm_error *err)
{
	uint64_t ids;
	int ret;

	s->cpus_count = *vcpus = (unsigned)dvmi_hw_cpus(s->hw);
	ret = s->cfg->vm_count ? machine_copies(s, vcpus, err) : native_copies(s, err);
	if (ret)
		return ret;
	ids = s->ids.mms > s->ids.tasks ? s->ids.mms : s->ids.tasks;
	ids = ids > s->ids.wakes ? ids : s->ids.wakes;
	if (s->copies > COPIES_MAX || ids * s->copies > IDS_MAX)
		return dvmi_error(err, DVM_ELIMIT, "simulation",
				  "%u copies make more tasks, address spaces or wake-ups than %u",
				  s->copies, IDS_MAX);
	if (s->options.offline_ps && s->options.offline_cpu >= s->cpus_count)
		return dvmi_error(err, DVM_EINVAL, "simulation", "%s has no CPU %u to go offline",
				  dvm_model_name(s->options.hw), s->options.offline_cpu);
	s->mms_count = s->copies * s->ids.mms + 1;
	s->tasks_count = s->copies * s->ids.tasks + 1;
	return 0;
}

int dvmi_guests_init(struct dvm_sim *s, struct dvm_error *err)
{
	unsigned vcpus;
	size_t accesses;
	int ret = set_copies(s, &vcpus, err);

	if (ret)
		return ret;
	dvm_trace_accesses(s->options.trace, &accesses);
	if (accesses && s->cfg->vm_count >= DVMI_TLB_VMIDS)
		return dvmi_error(err, DVM_ELIMIT, "simulation",
				  "exact TLBs tell at most %u virtual machines apart",
				  DVMI_TLB_VMIDS - 1);
	s->injecting = DVMI_NONE32;
	s->guests = dvmi_calloc(s->guests_count, sizeof(*s->guests));
	if (!s->guests)
		return dvmi_error_nomem(err);
	for (unsigned n = 0; n < s->guests_count; n++) {
		s->guests[n].vm = n;
		s->guests[n].first_cpu = n * vcpus;
		s->guests[n].cpus_count = vcpus;
		s->guests[n].vmid = (uint8_t)(s->cfg->vm_count && accesses ? n + 1 : 0);
	}
	return 0;
}

/* ---- CPUs ---- */

static void start_natively(struct dvm_sim *s, struct dvmi_rng *rng)
{
	uint64_t phase = 0;

	for (unsigned n = 0; n < s->cpus_used; n++) {
		struct dvmi_cpu *c = &s->cpus[n];

		if (s->copies > 1 && n % s->env->ncpus == 0 && n / s->env->ncpus < s->copies)
			phase = dvmi_rng_below(rng, PHASE_PS);
		c->copy = n / s->env->ncpus;
		c->start_ps = c->idle_since_ps = phase;
		dvmi_evq_cpu_set(&s->evq, n, phase);
	}
}

static void start_in_machines(struct dvm_sim *s, struct dvmi_rng *rng)
{
	for (unsigned k = 0; k < s->copies; k++) {
		uint64_t phase = s->copies > 1 ? dvmi_rng_below(rng, PHASE_PS) : 0;

		for (unsigned n = 0; n < s->env->ncpus; n++) {
			struct dvmi_cpu *c = &s->cpus[dvmi_copy_cpu(s, k, n)];

			c->copy = k;
			c->start_ps = c->idle_since_ps = phase;
		}
	}
}

int dvmi_cpus_init(struct dvm_sim *s)
{
	struct dvmi_rng rng;
	size_t words = dvmi_bitmap_words(s->guests->cpus_count) * DVMI_MASK_REGS;

	s->cpus = dvmi_calloc(s->cpus_used, sizeof(*s->cpus));
	s->mask_storage = dvmi_calloc(s->cpus_used * words, sizeof(*s->mask_storage));
	s->tick_masks = dvmi_calloc(words, sizeof(*s->tick_masks));
	if (!s->cpus || !s->mask_storage || !s->tick_masks)
		return -DVM_ENOMEM;
	dvmi_rng_init(&rng, s->options.seed, 2);
	for (unsigned n = 0; n < s->cpus_used; n++) {
		struct dvmi_cpu *c = &s->cpus[n];

		c->id = n;
		c->guest = &s->guests[n / s->guests->cpus_count];
		c->vcpu = n - c->guest->first_cpu;
		c->pcpu = n % s->cpus_count;
		c->idle = true;
		c->masks = s->mask_storage + n * words;
		c->phase = DVMI_PHASE_RECORD;
	}
	if (s->cfg->vm_count)
		start_in_machines(s, &rng);
	else
		start_natively(s, &rng);
	return 0;
}
