/* SPDX-License-Identifier: MIT */
#include "sim/host.h"

#include "base/bitmap.h"
#include "base/error.h"
#include "base/mem.h"

/*
 * A physical CPU goes from one vCPU to another in KVM's order: exit; the scheduler's choice; vcpu_put
 * (preempt notifier of the old thread); __switch_to with its DSB ISH; vcpu_load (notifier of the new
 * thread) with the flush of what another vCPU of the machine left; entry. Source: virt/kvm/
 * kvm_main.c kvm_sched_in(), kvm_sched_out(); arch/arm64/kvm/arm.c kvm_arch_vcpu_load().
 */

static struct dvmi_cpu *cpu_on(struct dvm_sim *s, uint32_t p)
{
	return &s->cpus[s->host->pcpus[p].vcpu];
}

/* Host scheduler: thread n is vCPU n - 1. */
static uint32_t thread_of(const struct dvmi_cpu *c)
{
	return c->id + 1;
}

static void enter_state(struct dvmi_vcpu *v, enum dvmi_vcpu_state state, uint64_t now)
{
	v->spent_ps[v->state] += now - v->since_ps;
	v->since_ps = now;
	v->state = (uint8_t)state;
}

static void act_at(struct dvm_sim *s, uint32_t p, uint64_t at)
{
	dvmi_evq_cpu_set(&s->evq, p, at);
}

/* ---- a vCPU's own action ---- */

void dvmi_host_suspend(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_vcpu *v = &s->host->vcpus[c->id];
	uint64_t due = dvmi_evq_cpu_get(&s->evq, dvmi_slot(s, c));

	v->left_ps = due == DVMI_NEVER ? DVMI_NEVER :
					 due - now + dvmi_cpu_take_lost(s, c, now);
	v->resume_ps = DVMI_NEVER;
	dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), DVMI_NEVER);
}

void dvmi_host_resume(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_vcpu *v = &s->host->vcpus[c->id];
	uint64_t at = v->left_ps == DVMI_NEVER ? DVMI_NEVER : now + v->left_ps;

	/* Work was lost where it was, by who ran there. */
	c->lost_seen_ps = dvmi_fabric_lost_ps(s->fabric, c->pcpu) + c->handler_lost_ps;
	if (v->resume_ps != DVMI_NEVER)
		at = v->resume_ps > now ? v->resume_ps : now;
	c->run_end_ps = at;
	v->left_ps = v->resume_ps = DVMI_NEVER;
	if (at != DVMI_NEVER)
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), at);
}

void dvmi_cpu_resume(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t at_ps)
{
	const struct dvmi_host *h = s->host;

	if (h && (h->vcpus[c->id].state != DVMI_VCPU_RUNS ||
		  h->pcpus[c->pcpu].step != DVMI_PCPU_GUEST))
		h->vcpus[c->id].resume_ps = at_ps;
	else
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, c), at_ps);
}

/* ---- leaving ---- */

int dvmi_host_leave(struct dvm_sim *s, uint32_t p, unsigned how, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	struct dvmi_cpu *c = cpu_on(s, p);

	dvmi_host_suspend(s, c, now);
	enter_state(&s->host->vcpus[c->id], DVMI_VCPU_HOST, now);
	pc->how = (uint8_t)how;
	pc->step = DVMI_PCPU_EXIT;
	pc->late = false;
	s->stats.vm_exits++;
	act_at(s, p, now + s->cfg->vm_exit_ns * 1000);
	return 0;
}

int dvmi_host_resched(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];

	if (pc->step == DVMI_PCPU_IDLE) {
		pc->how = DVMI_SCHED_PREEMPTED;
		pc->step = DVMI_PCPU_EXIT;
		dvmi_fabric_set_idle(s->fabric, p, false);
		act_at(s, p, now);
		return 0;
	}
	if (!dvmi_sched_may_switch(&s->host->sched, p, DVMI_SCHED_AT_USER))
		return 0;
	if (!dvmi_host_interruptible(s, p)) {
		pc->late = true;
		return 0;
	}
	return dvmi_host_leave(s, p, DVMI_SCHED_PREEMPTED, now);
}

/* ---- coming ---- */

/* __kvm_flush_cpu_context(): VMALLE1 of the machine's VMID, on this CPU. */
static int flush_vmid(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *ps)
{
	const struct dvmi_tlbi_op all = { .form = DVMI_FORM_VMALL };
	struct dvmi_mm_group group = dvmi_guest_mms(s, c->guest);

	s->stats.vm_load_flushes++;
	*ps += s->hw->tlbi_issue_local_ps + s->hw->barrier_dsb_nsh_ps + s->hw->barrier_isb_ps;
	dvmi_oracle_flush_cpu(s->oracle, c->pcpu, &group);
	dvmi_workset_flush_cpu(s->workset, c->pcpu, &group);
	if (!s->tlbs)
		return 0;
	return dvmi_tlbs_local(s->tlbs, c->pcpu, dvmi_cpu_vmid(c), 0, 0, &all, now, now);
}

static bool must_flush(const struct dvm_sim *s, const struct dvmi_vcpu *v, const struct dvmi_cpu *c,
		       uint32_t last)
{
	if (last != DVMI_NONE32 && last != c->id)
		return true;
	return s->cfg->vm_fnb && v->last_pcpu != c->pcpu;
}

/* vcpu_load: *@ps is what it takes. */
static int load(struct dvm_sim *s, uint32_t p, struct dvmi_cpu *c, uint64_t now, uint64_t *ps)
{
	struct dvmi_host *h = s->host;
	struct dvmi_vcpu *v = &h->vcpus[c->id];
	uint32_t *last = &h->last_ran[(size_t)p * s->guests_count + c->guest->vm];
	int ret = 0;

	c->pcpu = p;
	*ps = s->cfg->vm_load_ns * 1000;
	if (must_flush(s, v, c, *last))
		ret = flush_vmid(s, c, now, ps);
	s->stats.vm_moves += v->last_pcpu != DVMI_NONE32 && v->last_pcpu != p;
	*last = c->id;
	v->last_pcpu = p;
	if (c->active_mm)
		dvmi_oracle_install(s->oracle, p, c->active_mm);
	if (s->cfg->vm_filter == DVMI_VM_FILTER_RAN)
		dvmi_bitmap_set(h->members + c->guest->vm * dvmi_bitmap_words(s->cpus_count), p);
	if (h->members)
		dvmi_fabric_filter(s->fabric, p, h->members + c->guest->vm *
						 dvmi_bitmap_words(s->cpus_count));
	return ret;
}

/* The new thread is @p's: its vCPU comes, or the CPU idles. */
static int switched(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_host *h = s->host;
	struct dvmi_pcpu *pc = &h->pcpus[p];
	struct dvmi_sched_note note = dvmi_sched_switched(&h->sched, p, pc->prev, now);
	uint64_t ps = 0;
	int ret = dvmi_host_note(s, &note, now);

	if (ret)
		return ret;
	if (!pc->next) {
		pc->step = DVMI_PCPU_IDLE;
		dvmi_fabric_set_idle(s->fabric, p, true);
		/* Somebody may have come meanwhile. */
		return dvmi_sched_may_switch(&h->sched, p, DVMI_SCHED_AT_USER) ?
		       dvmi_host_resched(s, p, now) : 0;
	}
	pc->vcpu = pc->next - 1;
	ret = load(s, p, cpu_on(s, p), now, &ps);
	enter_state(&h->vcpus[pc->vcpu], DVMI_VCPU_HOST, now);
	pc->step = DVMI_PCPU_LOAD;
	act_at(s, p, now + ps + s->cfg->vm_entry_ns * 1000);
	if (!ret && h->vcpus[pc->vcpu].forced) {
		struct dvmi_sched_allowed a = dvmi_sched_set_allowed(&h->sched, pc->next, 0,
								     s->cpus_count - 1, now);

		h->vcpus[pc->vcpu].forced = false;
		ret = dvmi_host_note(s, &a.note, now);
	}
	return ret ? ret : dvmi_host_tick_arm(s, p, now);
}

/* The vCPU is in the guest: it goes on, where others may have left or taken translations. */
static int entered(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	struct dvmi_cpu *c = cpu_on(s, p);
	struct dvmi_vcpu *v = &s->host->vcpus[c->id];
	int ret = 0;

	enter_state(v, DVMI_VCPU_RUNS, now);
	pc->step = DVMI_PCPU_GUEST;
	if (c->running && v->left_ps != DVMI_NEVER)
		ret = dvmi_run_elsewhere(s, c, &v->left_ps);
	dvmi_host_resume(s, c, now);
	if (!ret)
		ret = dvmi_host_inject(s, p, now);
	if (ret || pc->step != DVMI_PCPU_GUEST)
		return ret;
	/* Nothing that waited has woken it. */
	if (c->parked)
		return dvmi_host_leave(s, p, DVMI_SCHED_SLEPT, now);
	return dvmi_host_resched(s, p, now);
}

/* ---- the switch ---- */

/* A reason not to leave has come while it exited; or the scheduler leaves it where it is. */
static int stay(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	s->host->pcpus[p].step = DVMI_PCPU_LOAD;
	act_at(s, p, now + s->cfg->vm_entry_ns * 1000);
	return 0;
}

static int pick(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_host *h = s->host;
	struct dvmi_pcpu *pc = &h->pcpus[p];
	bool from = pc->vcpu != DVMI_NONE32, sleeps = from && pc->how == DVMI_SCHED_SLEPT;
	struct dvmi_vcpu *v = from ? &h->vcpus[pc->vcpu] : NULL;
	struct dvmi_sched_pick got;
	uint64_t at;

	if (sleeps && v->pending_count)
		return stay(s, p, now);
	got = dvmi_sched_pick(&h->sched, p, (enum dvmi_sched_how)pc->how, now);
	at = now + got.scanned * s->hw->kernel_scan_cpu_ps;
	pc->prev = from ? pc->vcpu + 1 : 0;
	pc->next = got.task;
	if (pc->next == pc->prev) {
		if (from)
			return stay(s, p, at);
		pc->step = DVMI_PCPU_IDLE;
		dvmi_fabric_set_idle(s->fabric, p, true);
		return 0;
	}
	if (from) {
		enter_state(v, sleeps ? DVMI_VCPU_BLOCKED : DVMI_VCPU_READY, now);
		dvmi_oracle_leave(s->oracle, p);
		at += s->cfg->vm_put_ns * 1000;
		pc->vcpu = DVMI_NONE32;
	}
	s->stats.vm_switches++;
	pc->step = DVMI_PCPU_SWITCH;
	act_at(s, p, at + s->hw->kernel_context_switch_ps);
	return 0;
}

/* The DSB ISH of __switch_to completes what the guest left behind. */
static int barrier(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	uint64_t done = now;
	int ret;

	if (pc->step == DVMI_PCPU_SWITCH) {
		pc->step = DVMI_PCPU_DSB;
		pc->dsb = 0;
		ret = dvmi_core_dsb(&s->core, p, now, DVMI_DSB_ALL, DVMI_DSB_ISH, &done);
		if (ret == DVMI_FABRIC_BLOCKED || ret < 0)
			return ret < 0 ? ret : 0; /* the fabric runs @p again */
		pc->dsb = 1;
	} else if (!pc->dsb) {
		done = dvmi_core_dsb_end(&s->core, p, now);
		pc->dsb = 1;
	}
	if (done > now) {
		act_at(s, p, done);
		return 0;
	}
	dvmi_oracle_dsb(s->oracle, p, true);
	return switched(s, p, now);
}

int dvmi_host_act(struct dvm_sim *s, uint32_t p, uint64_t now)
{
	struct dvmi_pcpu *pc = &s->host->pcpus[p];

	switch (pc->step) {
	case DVMI_PCPU_GUEST: /* the fabric, for the vCPU */
		return dvmi_host_vcpu_act(s, cpu_on(s, p), now);
	case DVMI_PCPU_HANDLER:
		return dvmi_host_handler(s, p, now);
	case DVMI_PCPU_EXIT:
		return pick(s, p, now);
	case DVMI_PCPU_SWITCH:
	case DVMI_PCPU_DSB:
		return barrier(s, p, now);
	case DVMI_PCPU_LOAD:
		return entered(s, p, now);
	default:
		return 0;
	}
}

int dvmi_host_vcpu_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint32_t p = c->pcpu;
	struct dvmi_pcpu *pc = &s->host->pcpus[p];
	int ret;

	c->spins = false;
	ret = dvmi_cpu_act(s, c, now);
	if (!ret && c->parked)
		return dvmi_host_leave(s, p, DVMI_SCHED_SLEPT, now);
	if (ret || !pc->late || !dvmi_host_interruptible(s, p))
		return ret;
	/* What had to wait for the fabric. */
	pc->late = false;
	ret = dvmi_host_inject(s, p, now);
	if (!ret && pc->step == DVMI_PCPU_GUEST)
		ret = dvmi_host_resched(s, p, now);
	return ret;
}

/* ---- wake-ups ---- */

int dvmi_host_note(struct dvm_sim *s, const struct dvmi_sched_note *note, uint64_t now)
{
	uint64_t at = now;

	if (note->cpu == DVMI_SCHED_NONE || note->need == DVMI_SCHED_NEED_NONE)
		return 0;
	if (note->ipi)
		at += s->hw->ipi_deliver_ps;
	if (s->host->pcpus[note->cpu].step == DVMI_PCPU_IDLE)
		at += s->hw->kernel_idle_exit_ps;
	return dvmi_evq_post(&s->evq, at, 0, DVMI_EV_HOST_RESCHED, note->cpu, 0);
}

int dvmi_host_wake(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_host *h = s->host;
	struct dvmi_sched_place place;
	struct dvmi_sched_note note = dvmi_sched_wake(&h->sched, thread_of(c), c->pcpu,
						      DVMI_SCHED_WAKE_IRQ, now, &place);
	uint64_t ps = s->hw->kernel_wakeup_ps + place.scanned * s->hw->kernel_scan_cpu_ps;
	int ret = dvmi_host_note(s, &note, now + ps);

	enter_state(&h->vcpus[c->id], DVMI_VCPU_READY, now);
	return ret ? ret : dvmi_host_tick_arm(s, place.cpu, now);
}

/* ---- setting up ---- */

static int refuse(const struct dvm_sim *s, struct dvm_error *err)
{
	const struct dvmi_kernel_cfg *k = s->cfg;

	if (!s->simulated)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "virtual machines (vm_count) need '--schedule simulated': a recorded"
				  " schedule says what each CPU did when, not what waits for a vCPU");
	if (s->options.offline_ps)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "no CPU goes offline beneath virtual machines (vm_count)");
	if (dvmi_sme_applies(s))
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "the work-around for 4193714 (erratum.sme_dvmsync) is not modelled"
				  " in virtual machines (vm_count)");
	if (k->vm_fnb && s->guests->cpus_count != 1)
		return dvmi_error(err, DVM_EINVAL, "simulation",
				  "HCRX_EL2.FnB makes a guest's broadcasts act on one CPU: it is for"
				  " machines of one vCPU, these have %u; set vm_vcpus to 1",
				  s->guests->cpus_count);
	return 0;
}

static void set_filter(struct dvm_sim *s, size_t words)
{
	struct dvmi_host *h = s->host;

	for (unsigned n = 0; n < s->cpus_used; n++) {
		uint64_t *members = h->members + s->cpus[n].guest->vm * words;

		for (unsigned p = 0; p < s->cpus_count; p++)
			if (s->cfg->vm_filter == DVMI_VM_FILTER_ALLOWED &&
			    (!s->cfg->vm_pinned || p == n % s->cpus_count))
				dvmi_bitmap_set(members, p);
	}
}

static int set_threads(struct dvm_sim *s, struct dvm_error *err)
{
	struct dvmi_host *h = s->host;
	struct dvmi_sched_rules rules;
	int ret;

	dvmi_sched_rules_get(&rules, s->hw, s->cfg, s->cpus_count);
	ret = dvmi_sched_init(&h->sched, &rules, s->cpus_used);
	if (ret)
		return ret == -DVM_ENOMEM ? dvmi_error_nomem(err) :
			dvmi_error(err, -ret, "simulation", "the part's scheduling domains do not nest");
	for (unsigned n = 0; n < s->cpus_used; n++) {
		struct dvmi_sched_attr attr = { .cpu = n % s->cpus_count,
						.last_cpu = s->cpus_count - 1 };

		if (s->cfg->vm_pinned)
			attr.first_cpu = attr.last_cpu = attr.cpu;
		dvmi_sched_task_new(&h->sched, n + 1, &attr);
		h->vcpus[n].last_pcpu = DVMI_NONE32;
		h->vcpus[n].left_ps = h->vcpus[n].resume_ps = DVMI_NEVER;
		s->cpus[n].pcpu = attr.cpu;
		dvmi_evq_cpu_set(&s->evq, dvmi_slot(s, &s->cpus[n]), DVMI_NEVER);
		if (s->cpus[n].parked)
			continue;
		/* It brings its copy into being. */
		h->vcpus[n].left_ps = 0;
		h->vcpus[n].boots = true;
		if (dvmi_evq_post(&s->evq, s->cpus[n].start_ps, 0, DVMI_EV_HOST_BOOT, n, 0))
			return dvmi_error_nomem(err);
	}
	return 0;
}

int dvmi_host_init(struct dvm_sim *s, struct dvm_error *err)
{
	size_t words = dvmi_bitmap_words(s->cpus_count);
	bool filter = s->cfg->vm_filter != DVMI_VM_FILTER_NONE;
	struct dvmi_host *h;
	int ret;

	if (!s->cfg->vm_count)
		return 0;
	ret = refuse(s, err);
	if (ret)
		return ret;
	s->host = h = dvmi_zalloc(sizeof(*h));
	if (!h)
		return dvmi_error_nomem(err);
	h->vcpus = dvmi_calloc(s->cpus_used, sizeof(*h->vcpus));
	h->pcpus = dvmi_calloc(s->cpus_count, sizeof(*h->pcpus));
	h->last_ran = dvmi_calloc((size_t)s->cpus_count * s->guests_count, sizeof(*h->last_ran));
	if (filter)
		h->members = dvmi_calloc(s->guests_count * words, sizeof(*h->members));
	if (!h->vcpus || !h->pcpus || !h->last_ran || (filter && !h->members))
		return dvmi_error_nomem(err);
	for (size_t i = 0; i < (size_t)s->cpus_count * s->guests_count; i++)
		h->last_ran[i] = DVMI_NONE32;
	for (unsigned p = 0; p < s->cpus_count; p++) {
		h->pcpus[p].vcpu = DVMI_NONE32;
		h->pcpus[p].tick_ps = h->pcpus[p].move_ps = DVMI_NEVER;
		dvmi_evq_cpu_set(&s->evq, p, DVMI_NEVER);
	}
	if (filter)
		set_filter(s, words);
	dvmi_rng_init(&h->move_rng, s->options.seed, 4);
	s->options.strict_order = true;
	return set_threads(s, err);
}

/* Each vCPU's time, up to a moment that is the same for all. */
void dvmi_host_collect(struct dvm_sim *s)
{
	struct dvm_stats *st = &s->stats;
	uint64_t end = st->elapsed_ps;

	st->vms = s->guests_count;
	st->vcpus = s->cpus_used;
	for (unsigned n = 0; n < s->cpus_used; n++)
		if (s->host->vcpus[n].since_ps > end)
			end = s->host->vcpus[n].since_ps;
	for (unsigned n = 0; n < s->cpus_used; n++) {
		struct dvmi_vcpu *v = &s->host->vcpus[n];

		enter_state(v, (enum dvmi_vcpu_state)v->state, end);
		st->vcpu_run_ps += v->spent_ps[DVMI_VCPU_RUNS];
		st->vcpu_host_ps += v->spent_ps[DVMI_VCPU_HOST];
		st->vcpu_steal_ps += v->spent_ps[DVMI_VCPU_READY];
		st->vcpu_blocked_ps += v->spent_ps[DVMI_VCPU_BLOCKED];
	}
}

void dvmi_host_fini(struct dvm_sim *s)
{
	struct dvmi_host *h = s->host;

	if (!h)
		return;
	for (unsigned n = 0; h->vcpus && n < s->cpus_used; n++)
		dvmi_free(h->vcpus[n].pending);
	dvmi_sched_fini(&h->sched);
	dvmi_free(h->vcpus);
	dvmi_free(h->pcpus);
	dvmi_free(h->last_ran);
	dvmi_free(h->members);
	dvmi_free(h);
}
