/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/error.h"
#include "base/mem.h"

/*
 * check_and_switch_context() up to its step for the strategy: the fast path, or the slow path under
 * cpu_asid_lock (kernel/asid.h has the steps). What it costs beyond kernel.mm_switch: the lock's
 * cache line, on which CPUs take turns in the order they came (a queued spinlock); the load of
 * mm.context.id under it; the TLB flush that a rollover left pending; the exchange of each CPU's
 * active ASID in a rollover; the strategy's hooks. The stores of mm.context.id and of the active
 * ASID leave for the store buffer.
 */
enum { ASID_FAST, ASID_ARRIVE, ASID_GRANTED, ASID_READ, ASID_FIND, ASID_ROLLED, ASID_WRITE, ASID_PENDING,
       ASID_FLUSHED, ASID_UNLOCK };

static int touch(struct dvm_sim *s, const struct dvmi_cpu *c, struct dvmi_line *line,
		 enum dvmi_access access, uint64_t now, uint64_t *done)
{
	int ret = dvmi_line_access(line, dvmi_fabric_topology(s->fabric), s->hw, c->pcpu, access, now,
				   done);

	if (!ret && access == DVMI_STORE)
		dvmi_core_store_until(&s->core, c->pcpu, *done);
	return ret;
}

/* mm.context.id is on the line of the mm's words. */
static struct dvmi_line *mm_line(struct dvm_sim *s, const struct dvmi_cpu *c)
{
	return dvmi_words_line(&s->words, DVMI_BASE_MM, c->in_mm);
}

/* ---- setting up ---- */

static int guest_init(struct dvm_sim *s, struct dvmi_guest *g, struct dvm_error *err)
{
	struct dvmi_asid_rules rules = { .bits = (unsigned)s->hw->feature_asid_bits,
					 .cpus = g->cpus_count, .kpti = s->rules.kpti,
					 .kpti_at_boot = true };
	const struct dvmi_topology *topology = dvmi_fabric_topology(s->fabric);
	int ret = dvmi_asids_init(&g->asids, &rules, s->mms_count);

	if (ret == -DVM_ELIMIT)
		return dvmi_error(err, DVM_ELIMIT, "simulation",
				  "%u CPUs need more ASIDs than %u bits give, half of them under"
				  " KPTI and at boot; set feature.asid_bits to 16", rules.cpus,
				  rules.bits);
	if (!ret)
		ret = dvmi_asid_check_new(g->cpus_count, s->mms_count, &g->asid_check);
	if (!ret) {
		g->asid_active = dvmi_calloc(g->cpus_count, sizeof(*g->asid_active));
		ret = g->asid_active ? 0 : -DVM_ENOMEM;
	}
	if (ret)
		return dvmi_error_nomem(err);
	for (unsigned c = 0; c < g->cpus_count; c++)
		dvmi_line_init_owned(&g->asid_active[c], topology,
				     (g->first_cpu + c) % s->cpus_count);
	dvmi_line_init(&g->asid_lock.line);
	g->asid_lock.first = g->asid_lock.last = DVMI_NONE32;
	return 0;
}

int dvmi_sim_asids_init(struct dvm_sim *s, struct dvm_error *err)
{
	int ret = 0;

	for (unsigned n = 0; n < s->guests_count && !ret; n++)
		ret = guest_init(s, &s->guests[n], err);
	return ret;
}

static void guest_fini(struct dvm_sim *s, struct dvmi_guest *g)
{
	for (unsigned c = 0; g->asid_active && c < g->cpus_count; c++)
		dvmi_line_fini(&g->asid_active[c], dvmi_fabric_topology(s->fabric));
	if (g->asid_active)
		dvmi_line_fini(&g->asid_lock.line, dvmi_fabric_topology(s->fabric));
	dvmi_free(g->asid_active);
	dvmi_asid_check_free(g->asid_check);
	dvmi_asids_fini(&g->asids);
}

void dvmi_sim_asids_fini(struct dvm_sim *s)
{
	for (unsigned n = 0; s->guests && n < s->guests_count; n++)
		guest_fini(s, &s->guests[n]);
}

/* ---- the lock ---- */

static int arrive(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t *next)
{
	struct dvmi_asid_lock *l = &c->guest->asid_lock;

	if (!l->held) {
		l->held = true;
		c->asid_stage = ASID_READ;
		return 0;
	}
	c->next_waiter = DVMI_NONE32;
	if (l->first == DVMI_NONE32)
		l->first = c->id;
	else
		s->cpus[l->last].next_waiter = c->id;
	l->last = c->id;
	c->waiting = c->spins = true;
	c->asid_stage = ASID_GRANTED;
	*next = DVMI_NEVER;
	return 0;
}

static int unlock(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_asid_lock *l = &c->guest->asid_lock;
	uint64_t stored, granted;
	int ret = touch(s, c, &l->line, DVMI_STORE, now, &stored);

	*next = now + s->hw->line_local_ps;
	if (ret)
		return ret;
	l->held = l->first != DVMI_NONE32;
	if (l->held) {
		struct dvmi_cpu *to = &s->cpus[l->first];

		l->first = to->next_waiter;
		ret = touch(s, to, &l->line, DVMI_ATOMIC, stored, &granted);
		if (!ret)
			dvmi_cpu_resume(s, to, granted);
	}
	return ret;
}

/* ---- the allocator ---- */

static void alloc_hook(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	c->asid_stage = ASID_WRITE;
	dvmi_switch_hook(s, c, s->program, DVMI_HOOK_ASID_ALLOC, c->in_mm, now);
}

/* flush_context(): an exchange on every CPU's line, one after the other. */
static int rollover(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	int ret = 0;

	s->stats.asid_rollovers++;
	dvmi_asid_rollover(&c->guest->asids);
	dvmi_asid_check_rollover(c->guest->asid_check);
	*next = now;
	for (unsigned n = 0; n < c->guest->cpus_count && !ret; n++)
		ret = touch(s, c, &c->guest->asid_active[n], DVMI_ATOMIC, *next, next);
	c->asid_stage = ASID_ROLLED;
	dvmi_switch_hook(s, c, s->program, DVMI_HOOK_ROLLOVER, 0, *next);
	return ret;
}

static int find(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	c->asid_id = dvmi_asid_id(&c->guest->asids, c->in_mm);
	if (dvmi_asid_current(&c->guest->asids, c->asid_id)) {
		c->asid_stage = ASID_PENDING;
		return 0;
	}
	if (!dvmi_asid_find(&c->guest->asids, c->in_mm, &c->asid_id, &c->asid_path))
		return rollover(s, c, now, next);
	alloc_hook(s, c, now);
	return 0;
}

static int write_id(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	uint64_t done;

	dvmi_asid_write(&c->guest->asids, c->in_mm, c->asid_id);
	if (s->tlbs)
		dvmi_tlbs_assign(s->tlbs, dvmi_cpu_vmid(c), c->in_mm);
	c->asid_stage = ASID_PENDING;
	return touch(s, c, mm_line(s, c), DVMI_STORE, now, &done);
}

static void pending(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	c->asid_stage = ASID_UNLOCK;
	if (!dvmi_asid_take_flush(&c->guest->asids, c->vcpu))
		return;
	c->asid_stage = ASID_FLUSHED;
	dvmi_switch_hook(s, c, s->kernel_flush_all, DVMI_HOOK_SWITCH_IN, 0, now);
}

static void flushed(struct dvm_sim *s, struct dvmi_cpu *c)
{
	struct dvmi_mm_group group = dvmi_guest_mms(s, c->guest);

	s->stats.asid_flushes++;
	c->tlb_flushed = true;
	c->asid_stage = ASID_UNLOCK;
	dvmi_asid_check_flush(c->guest->asid_check, c->vcpu);
	dvmi_oracle_flush_cpu(s->oracle, c->pcpu, &group);
}

static int slow(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	uint64_t done;
	int ret;

	switch (c->asid_stage) {
	case ASID_ARRIVE:
		return arrive(s, c, next);
	case ASID_GRANTED:
		c->waiting = false;
		c->asid_stage = ASID_READ;
		return 0;
	case ASID_READ:
		c->asid_stage = ASID_FIND;
		return touch(s, c, mm_line(s, c), DVMI_LOAD, now, next);
	case ASID_FIND:
		return find(s, c, now, next);
	case ASID_ROLLED:
		dvmi_asid_find_after(&c->guest->asids, &c->asid_id, &c->asid_path);
		alloc_hook(s, c, now);
		return 0;
	case ASID_WRITE:
		return write_id(s, c, now);
	case ASID_PENDING:
		pending(s, c, now);
		return 0;
	case ASID_FLUSHED:
		flushed(s, c);
		return 0;
	default:
		c->asid_stage = ASID_FAST;
		dvmi_asid_activate(&c->guest->asids, c->vcpu, c->asid_id);
		ret = touch(s, c, &c->guest->asid_active[c->vcpu], DVMI_STORE, now, &done);
		if (!ret)
			ret = unlock(s, c, now, next);
		return ret ? ret : 1;
	}
}

int dvmi_switch_asid(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	if (c->asid_stage != ASID_FAST)
		return slow(s, c, now, next);
	c->tlb_flushed = false;
	/* Only switch_mm() between two address spaces gets here in the kernel. */
	if (!c->in_mm || c->in_mm == c->active_mm)
		return 1;
	dvmi_asid_check_leave(c->guest->asid_check, c->vcpu);
	if (dvmi_asid_fast(&c->guest->asids, c->vcpu, c->in_mm))
		return 1;
	s->stats.asid_slow_paths++;
	c->asid_stage = ASID_ARRIVE;
	return touch(s, c, &c->guest->asid_lock.line, DVMI_ATOMIC, now, next);
}

int dvmi_switch_ttbr(struct dvm_sim *s, struct dvmi_cpu *c)
{
	int rule;

	c->asid = dvmi_asid_number(&c->guest->asids, dvmi_asid_id(&c->guest->asids, c->in_mm));
	rule = dvmi_asid_check_install(c->guest->asid_check, c->vcpu, c->in_mm, c->asid);
	if (rule > 0)
		return dvmi_error(s->err, DVM_EUNSAFE, "ASIDs",
				  "CPU %u installs address space %u with ASID %u: %s; this is a"
				  " fault of the simulator, please report it", c->id, c->in_mm,
				  c->asid, dvmi_asid_rule_names[rule]);
	return rule;
}
