/* SPDX-License-Identifier: MIT */
#include "sim/effect.h"

#include "base/bitmap.h"
#include "base/error.h"

/* Loads, stores and atomics of a strategy's words, and the read of mm.context.id. */

/* *@asid is what an `asid` instruction reads; 0 for kernel mappings. */
static struct dvmi_line *locate(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
				uint64_t **cell, uint64_t *asid)
{
	struct dvmi_hook_run *h = &c->hook;
	enum dvmi_base base = i->base == DVMI_BASE_PREV || i->base == DVMI_BASE_NEXT ?
			      DVMI_BASE_MM : (enum dvmi_base)i->base;
	uint32_t index = c->guest->vm;
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
		index = c->guest->first_cpu + cpu;
		break;
	default:
		break;
	}
	*cell = i->op == DVMI_ASID ? NULL : dvmi_words_cell(&s->words, i->word, index);
	*asid = i->op == DVMI_ASID ? dvmi_asid_number(&c->guest->asids,
						      dvmi_asid_id(&c->guest->asids, index)) : 0;
	return dvmi_words_line(&s->words, base, index);
}

static uint64_t access_mask(const struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			    uint64_t *cell)
{
	struct dvmi_hook_run *h = &c->hook;
	uint64_t bit, old = 0;
	unsigned bits = dvmi_words_bits(&s->words, i->word);
	size_t bytes = dvmi_words_cells(&s->words, i->word) * sizeof(*cell);

	switch (i->op) {
	case DVMI_LDMASK:
		memset(dvmi_frame_mask(&i->src[0], &h->env), 0,
		       h->env.mask_words * sizeof(*cell));
		memcpy(dvmi_frame_mask(&i->src[0], &h->env), cell, bytes);
		return 0;
	case DVMI_STMASK:
		memcpy(cell, dvmi_frame_mask(&i->src[0], &h->env), bytes);
		return 0;
	case DVMI_SETALL:
	case DVMI_CLRALL:
		memset(cell, 0, bytes);
		for (unsigned n = 0; i->op == DVMI_SETALL && n < bits; n++)
			dvmi_bitmap_set(cell, n);
		return 0;
	default:
		break;
	}
	bit = dvmi_frame_value(&h->frame, &i->src[0], &h->env);
	if (bit < bits) {
		old = dvmi_bitmap_test(cell, bit);
		if (i->op == DVMI_SETBIT || i->op == DVMI_TSETBIT)
			dvmi_bitmap_set(cell, bit);
		else if (i->op == DVMI_CLRBIT || i->op == DVMI_TCLRBIT)
			dvmi_bitmap_clear(cell, bit);
	}
	return old;
}

static uint64_t access_cell(const struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i,
			    uint64_t *cell)
{
	struct dvmi_hook_run *h = &c->hook;
	uint64_t old, value;

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

/* Cache lines of a whole-mask access: 512 bits in each. */
static uint64_t lines_of(const struct dvm_sim *s, const struct dvmi_insn *i)
{
	bool whole = i->op == DVMI_LDMASK || i->op == DVMI_STMASK || i->op == DVMI_SETALL ||
		     i->op == DVMI_CLRALL;
	unsigned bits = whole ? dvmi_words_bits(&s->words, i->word) : 0;

	return bits ? (bits + 511) / 512 : 1;
}

/* A load waits for its value; a store leaves for the store buffer; an atomic waits. */
int dvmi_effect_memory(struct dvm_sim *s, struct dvmi_cpu *c, const struct dvmi_insn *i, uint64_t now,
		  uint64_t *next)
{
	enum dvmi_access kind = access_kind(i->op);
	struct dvmi_line *line;
	uint64_t *cell, asid, value, done;
	int ret;

	line = locate(s, c, i, &cell, &asid);
	if (!line)
		return dvmi_error_at(s->err, DVM_EFORMAT, c->hook.program->name, i->line, i->column,
				     "names a CPU that does not exist");
	ret = dvmi_line_access(line, dvmi_fabric_topology(s->fabric), s->hw, c->pcpu, kind, now,
			       &done);
	if (ret)
		return ret;
	done += (lines_of(s, i) - 1) * (done - now);
	if (kind == DVMI_STORE) {
		dvmi_core_store_until(&s->core, c->pcpu, done);
		done = now + s->hw->line_local_ps;
	}
	if (i->order == DVMI_FULL)
		done += 2 * s->hw->barrier_dmb_ps;
	value = cell ? access_cell(s, c, i, cell) : asid;
	dvmi_frame_result(&c->hook.frame, value, &c->hook.env);
	*next = done;
	return 0;
}
