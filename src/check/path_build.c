/* SPDX-License-Identifier: MIT */
#include "check/litmus.h"

#include <string.h>

/* From a chosen path to events and values of one PE. */

struct builder {
	const struct dvm_litmus *test;
	const struct dvmi_thread *t;
	struct dvmi_program *prog;
	struct dvmi_pe *pe;
	unsigned pe_index;
	struct dvmi_built *built;
	uint64_t ctrl, addrpo; /* reads that branches and addresses so far depend on */
	uint64_t fresh_addr;   /* reads of this instruction's address, for the ones after it */
	uint16_t asid, next_asid;
	uint8_t mm, next_mm;
	bool asid_waits;
	struct dvmi_left *leaving; /* its walks may be in progress still */
	bool left_seen;		   /* a context synchronisation event came after the write */
	uint8_t monitor; /* event of the last load-exclusive */
	uint8_t insn;
	bool full, contradiction;
	struct dvm_error *err;
};

static uint16_t new_node(struct builder *b, struct dvmi_node n)
{
	struct dvmi_program *prog = b->prog;

	if (prog->nodes == DVMI_NODES_MAX) {
		b->full = true;
		return 0;
	}
	if (n.kind != DVMI_N_CONST && n.kind != DVMI_N_READ) {
		n.reads = prog->node[n.a].reads;
		n.picks |= prog->node[n.a].picks;
		if (n.b != DVMI_NO_NODE) {
			n.reads |= prog->node[n.b].reads;
			n.picks |= prog->node[n.b].picks;
		}
	}
	prog->node[prog->nodes] = n;
	return (uint16_t)prog->nodes++;
}

static uint16_t constant(struct builder *b, uint64_t k)
{
	return new_node(b, (struct dvmi_node){.kind = DVMI_N_CONST,
					      .width = 8,
					      .k = k,
					      .a = DVMI_NO_NODE,
					      .b = DVMI_NO_NODE});
}

static uint16_t operation(struct builder *b, uint8_t kind, uint8_t width, uint16_t x, uint16_t y,
			  uint64_t k)
{
	uint16_t n = new_node(
		b, (struct dvmi_node){.kind = kind, .width = width, .a = x, .b = y, .k = k});
	uint64_t v;

	/* What depends on nothing is a constant at once. */
	if (!b->full && !b->prog->node[n].reads && dvmi_eval(b->prog, NULL, n, &v)) {
		b->prog->node[n].kind = DVMI_N_CONST;
		b->prog->node[n].k = v;
	}
	return n;
}

static uint16_t get(struct builder *b, uint8_t r)
{
	return r == DVMI_REG_ZR || r >= DVMI_REGS ? constant(b, 0) : b->built->reg[r];
}

static void put(struct builder *b, uint8_t r, uint16_t node)
{
	if (r != DVMI_REG_ZR && r < DVMI_REGS)
		b->built->reg[r] = node;
}

/* The last operand of an instruction: an immediate, or a register widened and shifted. */
static uint16_t operand(struct builder *b, const struct dvmi_insn *in)
{
	uint16_t n;

	if (in->rm == DVMI_REG_NONE)
		return constant(b, (uint64_t)in->imm);
	n = get(b, in->rm);
	if (in->ext != DVMI_EXT_NONE)
		n = operation(b, in->ext == DVMI_EXT_SXTW ? DVMI_N_SXTW : DVMI_N_UXTW, 8, n,
			      DVMI_NO_NODE, 0);
	if (in->shift)
		n = operation(b, in->shift_kind, in->width, n, constant(b, in->shift), 0);
	return n;
}

/* ---- events ---- */

static struct dvmi_ev *event(struct builder *b, enum dvmi_ev_kind kind)
{
	struct dvmi_ev *e;

	if (b->pe->events == DVMI_EVENTS_MAX) {
		b->full = true;
		return &b->pe->ev[0];
	}
	e = &b->pe->ev[b->pe->events++];
	memset(e, 0, sizeof(*e));
	e->kind = (uint8_t)kind;
	e->insn = b->insn;
	e->pair = e->rmw = DVMI_NONE;
	e->addr = e->data = DVMI_NO_NODE;
	e->width = 8;
	e->asid = b->asid;
	e->mm = b->mm;
	e->ctrl_reads = b->ctrl;
	e->addrpo_reads = b->addrpo;
	return e;
}

static uint8_t index_of(const struct builder *b, const struct dvmi_ev *e)
{
	return (uint8_t)(e - b->pe->ev);
}

static void number(struct builder *b, struct dvmi_ev *e, struct dvmi_ref *refs, unsigned *count,
		   unsigned max)
{
	if (*count == max) {
		b->full = true;
		return;
	}
	refs[*count].pe = (uint8_t)b->pe_index;
	refs[*count].ev = index_of(b, e);
	e->id = (uint8_t)(*count)++;
}

static void set_address(struct builder *b, struct dvmi_ev *e, uint16_t addr)
{
	const struct dvmi_node *n = &b->prog->node[addr];

	e->addr = addr;
	e->addr_reads = n->reads;
	/* pick-addr-dep orders writes and TLBIs only, as a branch would. */
	e->ctrl_reads |= n->picks;
	b->fresh_addr |= n->reads | n->picks;
}

static void check(struct builder *b, uint16_t node, bool nonzero)
{
	uint64_t v;

	if (!b->prog->node[node].reads) {
		if (dvmi_eval(b->prog, NULL, node, &v) && (v != 0) != nonzero)
			b->contradiction = true;
		return;
	}
	/* Two branches on one value go the same way. */
	for (unsigned i = 0; i < b->pe->checks; i++)
		if (b->pe->check[i].node == node && b->pe->check[i].nonzero != nonzero)
			b->contradiction = true;
	if (b->pe->checks == DVMI_CHECKS_MAX) {
		b->full = true;
		return;
	}
	b->pe->check[b->pe->checks++] = (struct dvmi_check){
		.node = node, .nonzero = nonzero, .reads = b->prog->node[node].reads};
}

static struct dvmi_ev *walk_event(struct builder *b, uint16_t addr, uint8_t outcome, bool write,
				  bool update)
{
	struct dvmi_ev *e = event(b, DVMI_EV_WALK);

	e->outcome = outcome;
	e->flags = (uint8_t)((write ? DVMI_F_WRITES : 0) | (b->t->el0 ? DVMI_F_EL0 : 0));
	e->hw = b->t->hw | (update ? DVMI_HW_UPDATE : 0);
	set_address(b, e, addr);
	number(b, e, b->prog->walk, &b->prog->walks, DVMI_WALKS_MAX);
	return e;
}

/* The table walker's own write, which sets AF or dirty state in what walk @pair has read. */
static void update(struct builder *b, uint8_t pair, uint16_t addr)
{
	struct dvmi_ev *e = event(b, DVMI_EV_WRITE);

	e->pair = pair;
	e->walker = true;
	e->flags = b->pe->ev[pair].flags & DVMI_F_WRITES;
	set_address(b, e, addr);
	number(b, e, b->prog->write, &b->prog->writes, DVMI_WRITES_MAX);
}

/* The walk of an access to @addr; DVMI_NONE when that address plainly needs none. */
static uint8_t walk(struct builder *b, uint16_t addr, const struct dvmi_path_step *s, bool write)
{
	uint64_t a;
	uint8_t pair;

	if (!b->prog->node[addr].reads && dvmi_eval(b->prog, NULL, addr, &a) &&
	    !dvmi_is_va(a, b->test->space.pages)) {
		if (s->outcome != dvmi_untranslated(a, b->test->space.pages, b->t->el0) || s->update)
			b->contradiction = true;
		if (s->outcome == DVMI_OUT_OK)
			return DVMI_NONE;
	}
	pair = index_of(b, walk_event(b, addr, s->outcome, write, s->update));
	if (s->update)
		update(b, pair, addr);
	return pair;
}

static void fault(struct builder *b, uint8_t pair, uint16_t addr, uint8_t outcome, uint8_t pc)
{
	struct dvmi_ev *e = event(b, DVMI_EV_FAULT);
	struct dvmi_built *out = b->built;

	e->pair = pair;
	/* Exception entry is a context synchronisation event (no FEAT_ExS). */
	e = event(b, DVMI_EV_CSE);
	if (out->faults == DVMI_PATH_FAULTS) {
		b->full = true;
		return;
	}
	out->fault[out->faults].insn = pc;
	out->fault[out->faults].outcome = outcome;
	out->fault[out->faults++].addr = addr;
}

static struct dvmi_ev *read(struct builder *b, const struct dvmi_insn *in, uint8_t pair,
			    uint16_t addr, uint8_t flags, uint16_t *value)
{
	struct dvmi_ev *e = event(b, DVMI_EV_READ);

	e->pair = pair;
	e->width = in->width;
	e->flags = flags;
	set_address(b, e, addr);
	number(b, e, b->prog->read, &b->prog->reads, DVMI_READS_MAX);
	*value = new_node(b, (struct dvmi_node){.kind = DVMI_N_READ,
						.width = in->width,
						.k = e->id,
						.a = DVMI_NO_NODE,
						.b = DVMI_NO_NODE,
						.reads = UINT64_C(1) << index_of(b, e)});
	return e;
}

static void write(struct builder *b, const struct dvmi_insn *in, uint8_t pair, uint8_t rmw,
		  uint16_t addr, uint16_t data, uint8_t flags)
{
	struct dvmi_ev *e = event(b, DVMI_EV_WRITE);

	e->pair = pair;
	e->rmw = rmw;
	e->width = in->width;
	e->flags = flags;
	set_address(b, e, addr);
	e->data = data;
	e->data_reads = b->prog->node[data].reads;
	e->ctrl_reads |= b->prog->node[data].picks;
	number(b, e, b->prog->write, &b->prog->writes, DVMI_WRITES_MAX);
}

/* ---- instructions ---- */

static void atomic(struct builder *b, const struct dvmi_insn *in, uint8_t pair, uint16_t addr)
{
	static const uint8_t ops[] = {[DVMI_AMO_ADD] = DVMI_N_ADD,
				      [DVMI_AMO_CLR] = DVMI_N_BIC,
				      [DVMI_AMO_EOR] = DVMI_N_EOR,
				      [DVMI_AMO_SET] = DVMI_N_ORR};
	uint8_t flags = in->flags | DVMI_F_RMW | DVMI_F_AMO;
	uint16_t old, data = get(b, in->rs);
	struct dvmi_ev *r;

	/* Without a result there is no acquire, and DMB LD does not see the read. */
	if (in->rd == DVMI_REG_ZR)
		flags = (uint8_t)((flags & ~DVMI_F_ACQ) | DVMI_F_NORET);
	r = read(b, in, pair, addr, flags & (uint8_t)~DVMI_F_REL, &old);
	if (in->alu != DVMI_AMO_SWP)
		data = operation(b, ops[in->alu], in->width, old, data, 0);
	write(b, in, pair, index_of(b, r), addr, data, flags);
	put(b, in->rd, old);
}

static void compare_and_swap(struct builder *b, const struct dvmi_insn *in, uint8_t pair,
			     uint16_t addr, bool success)
{
	uint8_t flags = in->flags | DVMI_F_RMW | DVMI_F_AMO;
	uint16_t old;
	struct dvmi_ev *r = read(b, in, pair, addr, flags & (uint8_t)~DVMI_F_REL, &old);

	check(b, operation(b, DVMI_N_EQ, in->width, old, get(b, in->rs), 0), success);
	if (success)
		write(b, in, pair, index_of(b, r), addr, get(b, in->rd), flags);
	put(b, in->rs, old);
}

static void access(struct builder *b, const struct dvmi_insn *in, const struct dvmi_path_step *s)
{
	bool stores = in->op != DVMI_OP_LD && in->op != DVMI_OP_LDX && in->op != DVMI_OP_WALK;
	uint16_t addr = get(b, in->rn), value;
	uint8_t pair;

	if (in->op == DVMI_OP_STX && !s->taken) {
		put(b, in->rs, constant(b, 1));
		return;
	}
	if (in->op == DVMI_OP_STX && b->monitor == DVMI_NONE) {
		b->contradiction = true;
		return;
	}
	if (in->rm != DVMI_REG_NONE || in->imm)
		addr = operation(b, DVMI_N_ADD, 8, addr, operand(b, in), 0);
	pair = walk(b, addr, s, stores);
	if (s->outcome != DVMI_OUT_OK) {
		fault(b, pair, addr, s->outcome, s->insn);
		return;
	}
	switch (in->op) {
	case DVMI_OP_WALK:
		read(b, in, pair, addr, 0, &value)->walker = true;
		if (pair != DVMI_NONE)
			b->pe->ev[pair].walker = true;
		put(b, in->rd, value);
		break;
	case DVMI_OP_LD:
	case DVMI_OP_LDX:
		b->monitor = index_of(b, read(b, in, pair, addr, in->flags, &value));
		if (in->op == DVMI_OP_LD)
			b->monitor = DVMI_NONE;
		put(b, in->rd, value);
		break;
	case DVMI_OP_ST:
		write(b, in, pair, DVMI_NONE, addr, get(b, in->rd), in->flags);
		break;
	case DVMI_OP_STX:
		write(b, in, pair, b->monitor, addr, get(b, in->rd), in->flags | DVMI_F_RMW);
		b->monitor = DVMI_NONE;
		/* The status register carries no dependency (dtrm excludes range(lxsx)). */
		put(b, in->rs, constant(b, 0));
		break;
	case DVMI_OP_CAS:
		compare_and_swap(b, in, pair, addr, s->taken);
		break;
	default:
		atomic(b, in, pair, addr);
	}
}

static void branch(struct builder *b, const struct dvmi_insn *in, bool taken)
{
	uint16_t n;

	if (in->op == DVMI_OP_BCC) {
		n = operation(b, DVMI_N_COND, 8, get(b, DVMI_REG_NZCV), DVMI_NO_NODE, in->cond);
		check(b, n, taken);
	} else {
		n = get(b, in->rn);
		if (in->width == 4 && b->prog->node[n].width != 4)
			n = operation(b, DVMI_N_UXTW, 4, n, DVMI_NO_NODE, 0);
		check(b, n, taken == (in->op == DVMI_OP_CBNZ));
	}
	b->ctrl |= b->prog->node[n].reads | b->prog->node[n].picks;
}

static void select(struct builder *b, const struct dvmi_insn *in, bool first)
{
	uint16_t c = operation(b, DVMI_N_COND, 8, get(b, DVMI_REG_NZCV), DVMI_NO_NODE, in->cond);
	uint16_t v = !first			? get(b, in->rm) :
		     in->rn == DVMI_REG_NONE ? constant(b, (uint64_t)in->imm) :
					       get(b, in->rn);
	struct dvmi_node n = {.kind = in->width == 4 ? DVMI_N_UXTW : DVMI_N_ADD,
			      .width = in->width,
			      .a = v,
			      .b = DVMI_NO_NODE};

	check(b, c, first);
	n.b = in->width == 4 ? DVMI_NO_NODE : constant(b, 0);
	n.picks = b->prog->node[c].reads | b->prog->node[c].picks;
	put(b, in->rd, new_node(b, n));
}

static void tlbi(struct builder *b, const struct dvmi_insn *in)
{
	struct dvmi_ev *e = event(b, DVMI_EV_TLBI);
	const struct dvmi_node *n;

	e->what = in->what;
	e->range = in->range;
	e->leaf = in->leaf;
	e->domain = in->domain;
	if (in->rn != DVMI_REG_NONE) {
		e->addr = get(b, in->rn);
		n = &b->prog->node[e->addr];
		e->addr_reads = n->reads;
		e->ctrl_reads |= n->picks;
	}
	number(b, e, b->prog->tlbi, &b->prog->tlbis, DVMI_TLBIS_MAX);
}

/* The base address in TTBR0: not 0 for the second mm. */
static uint8_t mm_of(uint64_t ttbr)
{
	return (ttbr & UINT64_C(0xffffffffffff)) != 0;
}

static void install(struct builder *b)
{
	if (b->asid_waits) {
		b->asid = b->next_asid;
		b->mm = b->next_mm;
	}
	b->asid_waits = false;
}

/* TTBR0 is given another address space: what may be cached of this one stays. */
static void leave(struct builder *b)
{
	struct dvmi_program *prog = b->prog;

	if (prog->lefts == DVMI_LEFTS_MAX) {
		b->full = true;
		return;
	}
	b->leaving = &prog->left[prog->lefts++];
	b->left_seen = false;
	*b->leaving = (struct dvmi_left){.pe = (uint8_t)b->pe_index,
					 .at = (uint8_t)b->pe->events,
					 .until = DVMI_NONE,
					 .mm = b->mm,
					 .asid = b->asid};
}

/* A DSB ends walks in progress of an address space that was left before the last CSE. */
static void leaving_done(struct builder *b, const struct dvmi_ev *dsb)
{
	if (!b->leaving || !b->left_seen || dsb->barrier != DVMI_BARRIER_FULL ||
	    !dvmi_rule_on(&b->prog->rules, DVMI_R_DSB_WALKER))
		return;
	b->leaving->until = index_of(b, dsb);
	b->leaving = NULL;
}

static int msr(struct builder *b, const struct dvmi_insn *in, bool at_once)
{
	uint16_t v = get(b, in->rn);
	uint64_t ttbr;

	put(b, in->sysreg, v);
	if (in->sysreg != DVMI_REG_TTBR)
		return 0;
	if (b->prog->node[v].reads || !dvmi_eval(b->prog, NULL, v, &ttbr))
		return dvmi_error_at(b->err, DVM_EFORMAT, b->test->file, in->line, 1,
				     "TTBR0_EL1 takes a value that does not depend on memory");
	if (b->test->second_mm)
		leave(b);
	b->next_asid = (uint16_t)(ttbr >> 48);
	b->next_mm = mm_of(ttbr);
	b->asid_waits = true;
	/* In force at once, or from the next context synchronisation event: the path says. */
	if (at_once)
		install(b);
	return 0;
}

static void synchronise(struct builder *b)
{
	(void)event(b, DVMI_EV_CSE);
	install(b);
	b->left_seen = true;
}

/*
 * A walk for no access: it may set AF. It may not set the dirty state, whatever store was guessed
 * (hw-dirty-late).
 */
static void age(struct builder *b, const struct dvmi_insn *in)
{
	struct dvmi_ev *e;
	uint16_t addr = get(b, in->rn);
	bool write = !dvmi_rule_on(&b->prog->rules, DVMI_R_HW_DIRTY_LATE);

	if (!dvmi_rule_on(&b->prog->rules, DVMI_R_HW_AF_EARLY) && !write) {
		b->contradiction = true;
		return;
	}
	e = walk_event(b, addr, DVMI_OUT_OK, write, true);
	e->walker = true;
	update(b, index_of(b, e), addr);
}

static int build_step(struct builder *b, const struct dvmi_path_step *s)
{
	const struct dvmi_insn *in = &b->t->insn[s->insn];
	struct dvmi_ev *e;
	uint16_t x;

	switch (in->op) {
	case DVMI_OP_AGE:
		if (s->taken)
			age(b, in);
		break;
	case DVMI_OP_WALK:
		if (!s->taken)
			break;
		access(b, in, s);
		break;
	case DVMI_OP_LD:
	case DVMI_OP_ST:
	case DVMI_OP_AMO:
	case DVMI_OP_CAS:
	case DVMI_OP_LDX:
	case DVMI_OP_STX:
		access(b, in, s);
		break;
	case DVMI_OP_MOV:
		x = in->rn == DVMI_REG_NONE ? constant(b, (uint64_t)in->imm) : get(b, in->rn);
		if (in->width == 4)
			x = operation(b, DVMI_N_UXTW, 4, x, DVMI_NO_NODE, 0);
		put(b, in->rd, x);
		break;
	case DVMI_OP_ALU:
		put(b, in->rd, operation(b, in->alu, in->width, get(b, in->rn), operand(b, in), 0));
		break;
	case DVMI_OP_CMP:
		b->built->reg[DVMI_REG_NZCV] =
			operation(b, DVMI_N_NZCV, in->width, get(b, in->rn), operand(b, in), 0);
		break;
	case DVMI_OP_CBZ:
	case DVMI_OP_CBNZ:
	case DVMI_OP_BCC:
		branch(b, in, s->taken);
		break;
	case DVMI_OP_CSEL:
		select(b, in, s->taken);
		break;
	case DVMI_OP_DMB:
	case DVMI_OP_DSB:
		e = event(b, in->op == DVMI_OP_DMB ? DVMI_EV_DMB : DVMI_EV_DSB);
		e->barrier = in->barrier;
		e->domain = in->domain;
		if (in->op == DVMI_OP_DSB)
			leaving_done(b, e);
		break;
	case DVMI_OP_ISB:
	case DVMI_OP_ERET:
		synchronise(b);
		break;
	case DVMI_OP_TLBI:
		tlbi(b, in);
		break;
	case DVMI_OP_MSR:
		return msr(b, in, s->taken);
	case DVMI_OP_MRS:
		put(b, in->rd, get(b, in->sysreg));
		break;
	case DVMI_OP_ADR:
		put(b, in->rd,
		    constant(b, DVMI_CODE_BASE + ((uint64_t)b->t->number << 20) + 0x1000 +
					4 * (uint64_t)b->t->label[in->target].at));
		break;
	default:
		break;
	}
	return 0;
}

int dvmi_path_build(const struct dvm_litmus *test, unsigned t, const struct dvmi_path *path,
		    struct dvmi_program *prog, struct dvmi_built *built, struct dvm_error *err)
{
	struct builder b = {.test = test,
			    .t = &test->thread[t],
			    .prog = prog,
			    .err = err,
			    .built = built,
			    .monitor = DVMI_NONE};
	int rc = 0;

	b.pe_index = prog->pes++;
	b.pe = &prog->pe[b.pe_index];
	b.pe->events = b.pe->checks = 0;
	built->faults = 0;
	for (unsigned r = 0; r < DVMI_REGS; r++)
		built->reg[r] = constant(&b, b.t->reg[r]);
	b.asid = b.next_asid = (uint16_t)(b.t->reg[DVMI_REG_TTBR] >> 48);
	b.mm = b.next_mm = mm_of(b.t->reg[DVMI_REG_TTBR]);
	for (unsigned i = 0; i < path->length && !rc && !b.full; i++) {
		b.insn = (uint8_t)i;
		b.fresh_addr = 0;
		rc = build_step(&b, &path->step[i]);
		b.addrpo |= b.fresh_addr;
		/* A handler sees where the fault happened. */
		if (path->step[i].outcome != DVMI_OUT_OK)
			built->reg[DVMI_REG_ELR] =
				constant(&b, DVMI_CODE_BASE + ((uint64_t)b.t->number << 20) +
						     0x1000 + 4u * path->step[i].insn);
	}
	if (rc)
		return rc;
	if (b.full)
		return dvmi_error(err, DVM_ELIMIT, test->file,
				  "the test is too large: at most %d events in a thread, %d reads, "
				  "%d writes and %d translations in all",
				  DVMI_EVENTS_MAX, DVMI_READS_MAX, DVMI_WRITES_MAX, DVMI_WALKS_MAX);
	return b.contradiction ? 1 : 0;
}
