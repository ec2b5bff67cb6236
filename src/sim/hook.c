/* SPDX-License-Identifier: MIT */
#include "sim/engine.h"

#include "base/bitmap.h"
#include "base/error.h"

/*
 * A strategy's hook on the timing machine: what each instruction with an effect costs and does.
 * An instruction is over when its function leaves stage 0 behind it with `finish`; until then it is
 * entered again at the time it asked for.
 */

static void fill_fields(struct dvm_sim *s, const struct dvmi_cpu *c, struct dvmi_hook_run *h)
{
	const struct dvmi_request *r = &h->request;
	uint64_t *f = h->fields;

	memset(f, 0, sizeof(h->fields));
	f[DVMI_REQ_NOSYNC] = !!(r->flags & DVMI_REQUEST_NOSYNC);
	f[DVMI_REQ_NOBROADCAST] = !!(r->flags & DVMI_REQUEST_NOBROADCAST);
	f[DVMI_REQ_NONOTIFY] = !!(r->flags & DVMI_REQUEST_NONOTIFY);
	f[DVMI_REQ_FOREIGN] = !!(r->flags & DVMI_REQUEST_FOREIGN);
	f[DVMI_REQ_FREED_TABLES] = !!(r->flags & DVMI_REQUEST_FREED_TABLES);
	f[DVMI_REQ_FULLASID] = r->kind == DVMI_REQUEST_ASID;
	f[DVMI_REQ_KIND] = r->kind == DVMI_REQUEST_ASID ? DVMI_KIND_MM :
			   r->kind == DVMI_REQUEST_PAGE ? DVMI_KIND_PAGE : DVMI_KIND_RANGE;
	if (h->user) {
		struct dvmi_flush_rules once = s->rules;

		once.kpti = false;
		f[DVMI_REQ_OPS] = dvmi_request_ops(r, &once);
	}
	if (r->kind != DVMI_REQUEST_ASID)
		f[DVMI_REQ_PAGES] = (r->end - r->start) >> s->rules.page_shift;
	f[DVMI_CUR_IS_MM] = h->mm && c->mm == h->mm;
	f[DVMI_ACTIVE_IS_MM] = h->mm && c->active_mm == h->mm;
	f[DVMI_ENV_REPEAT_TLBI] = s->repeat_new || s->repeat_old;
	f[DVMI_ENV_VM] = s->cfg->vm == DVMI_VM_GUEST;
	f[DVMI_ENV_KPTI] = s->rules.kpti;
	f[DVMI_ENV_LAZY] = !c->mm && c->active_mm;
	f[DVMI_ENV_IDLE] = h->frame.hook == DVMI_HOOK_IDLE && !c->in_task;
	f[DVMI_ENV_CPUS] = s->cpus_count;
}

void dvmi_hook_begin(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_program *program,
		     enum dvmi_hook hook, uint64_t now, enum dvmi_phase after)
{
	struct dvmi_hook_run *h = &c->hook;

	c->after = after;
	if (program->hooks[hook] < 0) {
		c->phase = after;
		return;
	}
	h->program = program;
	h->env = (struct dvmi_prog_env){ .program = program, .fields = h->fields,
					 .masks = c->masks, .cpus = s->cpus_count, .self = c->id,
					 .mask_words = (unsigned)dvmi_bitmap_words(s->cpus_count) };
	dvmi_frame_start(&h->frame, program, hook);
	fill_fields(s, c, h);
	h->stage = 0;
	h->ops_begun = false;
	h->begin_ps = h->insn_ps = now;
	h->local = h->broadcast = h->ipi = false;
	c->phase = DVMI_PHASE_HOOK;
}

/* ---- barriers ---- */

static enum dvmi_dsb_domain raise_domain(const struct dvm_sim *s, enum dvmi_dsb_domain domain)
{
	enum dvmi_dsb_domain least = DVMI_DSB_NSH;

	if (s->cfg->vm != DVMI_VM_GUEST)
		return domain;
	switch (s->cfg->vm_bsu) { /* HCR_EL2.BSU */
	case DVMI_BSU_IS:
		least = DVMI_DSB_ISH;
		break;
	case DVMI_BSU_OS:
		least = DVMI_DSB_OSH;
		break;
	case DVMI_BSU_SY:
		least = DVMI_DSB_SY;
		break;
	default:
		break;
	}
	return domain > least ? domain : least;
}

enum { DSB_BEGIN, DSB_SYNCING, DSB_ENDS };

int dvmi_dsb_act(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
		 enum dvmi_dsb_domain domain, uint64_t now, unsigned *stage, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret;

	domain = raise_domain(s, domain);
	*next = now;
	if (*stage == DSB_BEGIN) {
		h->dsb_ps = now;
		h->dsb_waits_tlbi = type == DVMI_DSB_ALL && domain != DVMI_DSB_NSH &&
				    dvmi_fabric_pending(s->fabric, c->id);
		ret = dvmi_core_dsb(&s->core, c->id, now, type, domain, next);
		if (ret < 0)
			return ret;
		*stage = ret == DVMI_FABRIC_BLOCKED ? DSB_SYNCING : DSB_ENDS;
		if (ret == DVMI_FABRIC_BLOCKED)
			*next = DVMI_NEVER;
		if (*next != now)
			return 0;
	}
	if (*stage == DSB_SYNCING) {
		*next = dvmi_core_dsb_end(&s->core, c->id, now);
		*stage = DSB_ENDS;
		if (*next != now)
			return 0;
	}
	*stage = DSB_BEGIN;
	if (h->dsb_waits_tlbi)
		dvmi_latency_add(&s->dsb_latency, now - h->dsb_ps);
	if (type == DVMI_DSB_ALL)
		dvmi_oracle_dsb(s->oracle, c->id, domain != DVMI_DSB_NSH);
	return 0;
}

static enum dvmi_dsb_type dsb_type(const struct dvmi_insn *i)
{
	return i->type == DVMI_BARRIER_ST ? DVMI_DSB_ST :
	       i->type == DVMI_BARRIER_LD ? DVMI_DSB_LD : DVMI_DSB_ALL;
}

static enum dvmi_dsb_domain dsb_domain(const struct dvmi_insn *i)
{
	static const enum dvmi_dsb_domain domains[] = {
		[DVMI_DOMAIN_NSH] = DVMI_DSB_NSH, [DVMI_DOMAIN_ISH] = DVMI_DSB_ISH,
		[DVMI_DOMAIN_OSH] = DVMI_DSB_OSH, [DVMI_DOMAIN_SY] = DVMI_DSB_SY,
	};

	return domains[i->domain];
}

/* stage / 8: where in the sequence; stage % 8: where in its barrier. */
static int sequence_dsb(struct dvm_sim *s, struct dvmi_cpu *c, enum dvmi_dsb_type type,
			enum dvmi_dsb_domain domain, uint64_t now, uint64_t *next)
{
	unsigned sub = c->hook.stage % 8, at = c->hook.stage - sub;
	int ret = dvmi_dsb_act(s, c, type, domain, now, &sub, next);

	c->hook.stage = sub ? at + sub : at + 8;
	return ret;
}

/* ---- words ---- */

static struct dvmi_line *locate(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
				uint64_t **cell)
{
	struct dvmi_hook_run *h = &c->hook;
	enum dvmi_base base = i->base == DVMI_BASE_PREV || i->base == DVMI_BASE_NEXT ?
			      DVMI_BASE_MM : (enum dvmi_base)i->base;
	uint32_t index = 0;
	unsigned cpu;

	switch (i->base) {
	case DVMI_BASE_MM:
		index = h->mm;
		break;
	case DVMI_BASE_PREV:
		index = h->prev;
		break;
	case DVMI_BASE_NEXT:
		index = h->next;
		break;
	case DVMI_BASE_TASK:
		index = c->task;
		break;
	case DVMI_BASE_CPU:
		if (!dvmi_frame_cpu(&h->frame, i, &h->env, &cpu))
			return NULL;
		index = cpu;
		break;
	default:
		break;
	}
	*cell = i->op == DVMI_ASID ? NULL : dvmi_words_cell(&s->words, i->word, index);
	return dvmi_words_line(&s->words, base, index);
}

static uint64_t access_mask(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			    uint64_t *cell)
{
	struct dvmi_hook_run *h = &c->hook;
	uint64_t bit, old = 0;
	size_t bytes = h->env.mask_words * sizeof(*cell);

	switch (i->op) {
	case DVMI_LDMASK:
		memcpy(dvmi_frame_mask(&i->src[0], &h->env), cell, bytes);
		return 0;
	case DVMI_STMASK:
		memcpy(cell, dvmi_frame_mask(&i->src[0], &h->env), bytes);
		return 0;
	case DVMI_SETALL:
	case DVMI_CLRALL:
		memset(cell, 0, bytes);
		for (unsigned n = 0; i->op == DVMI_SETALL && n < s->cpus_count; n++)
			dvmi_bitmap_set(cell, n);
		return 0;
	default:
		break;
	}
	bit = dvmi_frame_value(&h->frame, &i->src[0], &h->env);
	if (bit < s->cpus_count) {
		old = dvmi_bitmap_test(cell, bit);
		if (i->op == DVMI_SETBIT || i->op == DVMI_TSETBIT)
			dvmi_bitmap_set(cell, bit);
		else if (i->op == DVMI_CLRBIT || i->op == DVMI_TCLRBIT)
			dvmi_bitmap_clear(cell, bit);
	}
	return old;
}

static uint64_t access_cell(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			    uint64_t *cell)
{
	struct dvmi_hook_run *h = &c->hook;
	uint64_t old, value;

	if (!cell)
		return h->mm; /* the ASID: one per mm, see docs/model.md */
	if (i->op >= DVMI_LDMASK)
		return access_mask(s, c, i, cell);
	old = *cell;
	if (i->op != DVMI_LD && dvmi_frame_store(&h->frame, i, old, &h->env, &value))
		*cell = value;
	return old;
}

static enum dvmi_access access_kind(unsigned op)
{
	switch (op) {
	case DVMI_LD:
	case DVMI_LDMASK:
	case DVMI_TSTBIT:
	case DVMI_ASID:
		return DVMI_LOAD;
	case DVMI_ST:
	case DVMI_STMASK:
	case DVMI_SETALL:
	case DVMI_CLRALL:
		return DVMI_STORE;
	default:
		return DVMI_ATOMIC;
	}
}

/* Cache lines of a whole-mask access: 512 CPUs in each. */
static uint64_t lines_of(const struct dvm_sim *s, unsigned op)
{
	bool whole = op == DVMI_LDMASK || op == DVMI_STMASK || op == DVMI_SETALL ||
		     op == DVMI_CLRALL;

	return whole ? (s->cpus_count + 511) / 512 : 1;
}

/* A load waits for its value; a store leaves for the store buffer; an atomic waits. */
static int memory(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		  uint64_t *next)
{
	enum dvmi_access kind = access_kind(i->op);
	struct dvmi_line *line;
	uint64_t *cell, value, done;
	int ret;

	line = locate(s, c, i, &cell);
	if (!line)
		return dvmi_error_at(s->err, DVM_EFORMAT, c->hook.program->name, i->line, i->column,
				     "names a CPU that does not exist");
	ret = dvmi_line_access(line, dvmi_fabric_topology(s->fabric), s->hw, c->id, kind, now,
			       &done);
	if (ret)
		return ret;
	done += (lines_of(s, i->op) - 1) * (done - now);
	if (kind == DVMI_STORE) {
		dvmi_core_store_until(&s->core, c->id, done);
		done = now + s->hw->line_local_ps;
	}
	if (i->order == DVMI_FULL)
		done += 2 * s->hw->barrier_dmb_ps;
	value = access_cell(s, c, i, cell);
	dvmi_frame_result(&c->hook.frame, value, &c->hook.env);
	*next = done;
	return 0;
}

/* ---- TLBIs ---- */

/* Set out the operations of one `tlbi`. */
static void begin_ops(const struct dvm_sim *s, struct dvmi_hook_run *h, const struct dvmi_insn *i)
{
	struct dvmi_request r = h->request;
	struct dvmi_flush_rules rules = s->rules;

	if (i->what != DVMI_TLBI_REQUEST)
		r.kind = DVMI_REQUEST_ASID;
	if (i->flags & DVMI_TLBI_LEAF)
		r.flags |= DVMI_REQUEST_LEAF;
	/* Kernel mappings and VMALLE1 have no user-side twin. */
	if (!h->mm || i->what == DVMI_TLBI_ALL || (i->flags & DVMI_TLBI_NOTWIN))
		rules.kpti = false;
	dvmi_expand(&h->ops, &r, &rules);
}

enum { OP_NEXT, OP_ISSUE, OP_REPEAT_DSB = 8, OP_REPEAT = 16, OP_OVER = 24 };

/*
 * Each operation in turn. The old form of the erratum workaround makes it TLBI; DSB ISH; TLBI,
 * local ones too (kernels before 7.0).
 */
static int tlbi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	bool broadcast = i->scope == DVMI_TLBI_IS;
	int ret = 0;

	*next = now;
	if (h->stage == OP_NEXT) {
		if (!h->ops_begun)
			begin_ops(s, h, i);
		h->ops_begun = true;
		h->stage = dvmi_expand_next(&h->ops, &h->op) ? OP_ISSUE : OP_OVER;
	}
	if (h->stage == OP_ISSUE) {
		ret = dvmi_tlbi_issue(s, c, h, &h->op, broadcast, now, next);
		if (!ret && *next != DVMI_NEVER)
			h->stage = s->repeat_old ? OP_REPEAT_DSB : OP_NEXT;
		return ret;
	}
	if (h->stage >= OP_REPEAT_DSB && h->stage < OP_REPEAT) {
		ret = sequence_dsb(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < OP_REPEAT)
			return ret;
	}
	if (h->stage == OP_REPEAT) {
		ret = dvmi_tlbi_issue(s, c, h, &h->op, broadcast, now, next);
		if (!ret && *next != DVMI_NEVER)
			h->stage = OP_NEXT;
		return ret;
	}
	if (h->stage == OP_OVER) {
		h->ops_begun = false;
		h->stage = 0;
		dvmi_frame_result(&h->frame, 0, &h->env);
	}
	return 0;
}

enum { SYNC_DSB = 0, SYNC_REPEAT = 8, SYNC_REPEAT_DSB = 16, SYNC_OVER = 24 };

/* The kernel's sync: DSB ISH, and on affected parts one more TLBI VALE1IS, XZR with its DSB. */
static int sync_ish(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret;

	*next = now;
	if (h->stage < SYNC_REPEAT) {
		ret = sequence_dsb(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < SYNC_REPEAT)
			return ret;
		if (!s->repeat_new)
			h->stage = SYNC_OVER;
	}
	if (h->stage == SYNC_REPEAT) {
		ret = dvmi_core_tlbi_broadcast(&s->core, c->id, now, 0, next);
		if (ret == DVMI_FABRIC_BLOCKED)
			*next = DVMI_NEVER;
		if (ret)
			return ret < 0 ? ret : 0;
		s->stats.tlbi_broadcast++;
		h->stage = SYNC_REPEAT_DSB;
		if (*next != now)
			return 0;
	}
	if (h->stage >= SYNC_REPEAT_DSB && h->stage < SYNC_OVER) {
		ret = sequence_dsb(s, c, DVMI_DSB_ALL, DVMI_DSB_ISH, now, next);
		if (ret || h->stage < SYNC_OVER)
			return ret;
	}
	h->stage = 0;
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}

/* ---- protections ---- */

static uint64_t protect_ps(const struct dvm_sim *s, unsigned op)
{
	const struct dvmi_hw *hw = s->hw;
	uint64_t call = s->cfg->migrate_inline ? 0 : hw->kernel_migrate_call_ps;
	/* Without a counter preempt_disable() is a compiler barrier only. */
	bool counts = s->cfg->preempt_count || s->cfg->preempt >= DVMI_PREEMPT_LAZY;

	switch (op) {
	case DVMI_MIGRATE_DISABLE:
		return hw->kernel_migrate_disable_ps + call;
	case DVMI_MIGRATE_ENABLE:
		return hw->kernel_migrate_enable_ps + call;
	case DVMI_PREEMPT_DISABLE:
		return counts ? hw->kernel_preempt_disable_ps : 0;
	case DVMI_PREEMPT_ENABLE:
		return counts ? hw->kernel_preempt_enable_ps : 0;
	default:
		return 0;
	}
}

/* ---- IPIs ---- */

/* One target's handler: it touches only its own TLB, and words, so it runs to its end at once. */
static int run_handler(struct dvm_sim *s, struct dvmi_cpu *from, unsigned target, uint64_t arrive,
		       uint64_t arg, uint64_t *end)
{
	struct dvmi_cpu self = { .id = target, .hook = from->hook };
	struct dvmi_hook_run *h = &self.hook;
	const struct dvmi_insn *i;
	uint64_t t = arrive;

	dvmi_frame_start(&h->frame, h->program, DVMI_HOOK_IPI);
	h->frame.asid = from->hook.frame.asid;
	h->env.self = target;
	h->env.fields = h->fields;
	h->fields[DVMI_IPI_ARG] = arg;
	h->stage = 0;
	h->ops_begun = false;
	h->flush = NULL; /* the sender's; covered as a whole when the handler ends */
	while ((i = dvmi_frame_next(&h->frame, &h->env))) {
		uint64_t next = t;
		int ret = 0;

		if (dvmi_op_is_memory(i->op) || i->op == DVMI_ASID) {
			ret = memory(s, &self, i, t, &next);
		} else if (i->op == DVMI_TLBI && i->scope == DVMI_TLBI_LOCAL) {
			ret = tlbi(s, &self, i, t, &next);
		} else if (i->op == DVMI_DSB && i->domain == DVMI_DOMAIN_NSH) {
			ret = dvmi_core_dsb(&s->core, target, t, dsb_type(i), DVMI_DSB_NSH, &next);
			dvmi_frame_result(&h->frame, 0, &h->env);
		} else if (dvmi_op_is_computed(i->op)) {
			dvmi_frame_result(&h->frame, 0, &h->env);
		} else {
			return dvmi_error_at(s->err, DVM_EFORMAT, h->program->name, i->line,
					     i->column, "an ipi hook may use words, local TLBIs and"
					     " DSB NSH only");
		}
		if (ret < 0)
			return ret;
		t = next == DVMI_NEVER ? t : next;
	}
	*end = t;
	return 0;
}

static int ipi(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
	       uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	const uint64_t *mask = dvmi_frame_mask(&i->src[0], &h->env);
	uint64_t arg = i->src[1].kind == DVMI_NONE ? 0 :
		       dvmi_frame_value(&h->frame, &i->src[1], &h->env);
	uint64_t last = now;

	if (dvmi_sim_guest_fb(s))
		return dvmi_error_at(s->err, DVM_EINVAL, h->program->name, i->line, i->column,
				     "IPIs are not modelled in a guest whose local TLBIs are"
				     " broadcast (vm_fb)");
	for (unsigned t = 0; t < s->cpus_count; t++) {
		struct dvmi_ipi_times times;
		uint64_t arrive, end;
		int ret;

		if (t == c->id || !dvmi_bitmap_test(mask, t))
			continue;
		times = dvmi_ipi_send(&s->ipi, now, &t, 1, &arrive);
		now = times.sent_ps;
		ret = run_handler(s, c, t, times.done_ps, arg, &end);
		if (ret)
			return ret;
		if (t < s->cpus_used)
			s->cpus[t].handler_lost_ps += s->hw->ipi_handle_ps + end - times.done_ps;
		dvmi_oracle_ipi(s->oracle, h->flush, t);
		last = end > last ? end : last;
		h->ipi = true;
	}
	*next = last > now ? last : now;
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}

/* ---- the hook ---- */

static int effect(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		  uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	int ret;

	*next = now;
	if (dvmi_op_is_memory(i->op) || i->op == DVMI_ASID)
		return memory(s, c, i, now, next);
	switch (i->op) {
	case DVMI_TLBI:
		return tlbi(s, c, i, now, next);
	case DVMI_SYNC:
		return sync_ish(s, c, now, next);
	case DVMI_IPI:
		return ipi(s, c, i, now, next);
	case DVMI_DSB:
		ret = dvmi_dsb_act(s, c, dsb_type(i), dsb_domain(i), now, &h->stage, next);
		if (ret || h->stage)
			return ret;
		break;
	case DVMI_DMB:
		*next = dvmi_core_dmb(&s->core, now);
		break;
	case DVMI_ISB:
		*next = dvmi_core_isb(&s->core, now);
		break;
	default:
		*next = now + protect_ps(s, i->op);
		break;
	}
	dvmi_frame_result(&h->frame, 0, &h->env);
	return 0;
}

static void count_flush(struct dvm_sim *s, const struct dvmi_hook_run *h, uint64_t now)
{
	s->stats.flushes++;
	s->stats.flush_ps += now - h->begin_ps;
	s->stats.flushes_local += h->local && !h->broadcast && !h->ipi;
	s->stats.flushes_broadcast += h->broadcast;
	s->stats.flushes_both += h->broadcast && h->local;
	s->stats.flushes_ipi += h->ipi;
	s->stats.flushes_none += !h->local && !h->broadcast && !h->ipi;
	dvmi_latency_add(&s->flush_latency, now - h->begin_ps);
}

static void hook_over(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now)
{
	struct dvmi_hook_run *h = &c->hook;
	bool deferred = h->request.flags & DVMI_REQUEST_NOSYNC;

	c->phase = c->after;
	switch (h->frame.hook) {
	case DVMI_HOOK_FLUSH:
	case DVMI_HOOK_BATCH_ADD:
		if (!h->user) {
			s->stats.flushes_kernel++;
			break;
		}
		count_flush(s, h, now);
		if (deferred)
			dvmi_oracle_defer(s->oracle, h->flush, c->task);
		dvmi_oracle_end(s->oracle, h->flush, deferred);
		h->flush = NULL;
		break;
	case DVMI_HOOK_BATCH_FLUSH:
		s->stats.flush_ps += now - h->begin_ps;
		break;
	default:
		s->stats.switch_ps += now - h->begin_ps;
		break;
	}
}

static void step_over(struct dvm_sim *s, const struct dvmi_hook_run *h, const struct dvmi_insn *i,
		      uint64_t until)
{
	if (h->program != s->program)
		return;
	s->steps[i - s->program->insns].count++;
	s->steps[i - s->program->insns].total_ps += until - h->insn_ps;
}

int dvmi_hook_act(struct dvm_sim *s, struct dvmi_cpu *c, uint64_t now, uint64_t *next)
{
	struct dvmi_hook_run *h = &c->hook;
	const struct dvmi_insn *i = dvmi_frame_next(&h->frame, &h->env);
	uint16_t pc = h->frame.pc;
	int ret;

	*next = now;
	if (!i) {
		if (h->frame.state == DVMI_RUNAWAY)
			return dvmi_error(s->err, DVM_EBUDGET, h->program->name,
					  "the %s hook runs away: %u instructions without an"
					  " effect", dvmi_hook_names[h->frame.hook], DVMI_PURE_MAX);
		hook_over(s, c, now);
		return 0;
	}
	ret = effect(s, c, i, now, next);
	if (ret)
		return ret;
	/* The frame has moved on, or has returned: the instruction is over at *next. */
	if (h->frame.pc != pc || h->frame.state != DVMI_RUNNING) {
		step_over(s, h, i, *next);
		h->insn_ps = *next;
	}
	return 0;
}
