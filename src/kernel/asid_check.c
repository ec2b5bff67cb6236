/* SPDX-License-Identifier: MIT */
#include "kernel/asid_check.h"

#include "base/mem.h"

#include <dvmsim/error.h>

#define ASIDS 65536
#define LEAF 256 /* entries are made a leaf at a time: few ASIDs ever meet one CPU */

/* Translations under one ASID in one TLB. */
struct entry {
	uint32_t mm;
	uint32_t epoch;	  /* of the CPU when filled; another one: they are gone */
	uint32_t version; /* of the page tables when the oldest was filled */
};

struct cpu {
	uint32_t mm; /* in TTBR; 0: none */
	uint32_t epoch;
	uint16_t asid;
	bool runs;
	bool due; /* it flushes itself before it uses another ASID */
	struct entry **leaves; /* ASIDS / LEAF, or NULL */
};

struct running {
	uint32_t cpus, other; /* how many run it; the ASID of an mm, the mm of an ASID */
};

struct dvmi_asid_check {
	unsigned cpus;
	struct cpu *cpu;
	struct running *by_mm, *by_asid;
	uint32_t *version, *completed; /* per mm: changes made, changes whose flush is over */
};

const char *const dvmi_asid_rule_names[DVMI_ASID_FLUSHED + 1] = {
	"all rules hold",
	"a TLB holds one ASID for two address spaces",
	"CPUs run one address space with different ASIDs",
	"two running address spaces have the same ASID",
	"a translation outlives a completed flush of its address space",
};

int dvmi_asid_check_new(unsigned cpus, uint32_t mms, struct dvmi_asid_check **check)
{
	struct dvmi_asid_check *k = dvmi_zalloc(sizeof(*k));

	if (!k)
		return -DVM_ENOMEM;
	k->cpus = cpus;
	k->cpu = dvmi_calloc(cpus, sizeof(*k->cpu));
	k->by_mm = dvmi_calloc(mms, sizeof(*k->by_mm));
	k->by_asid = dvmi_calloc(ASIDS, sizeof(*k->by_asid));
	k->version = dvmi_calloc(mms, sizeof(*k->version));
	k->completed = dvmi_calloc(mms, sizeof(*k->completed));
	if (!k->cpu || !k->by_mm || !k->by_asid || !k->version || !k->completed) {
		dvmi_asid_check_free(k);
		return -DVM_ENOMEM;
	}
	for (unsigned c = 0; c < cpus; c++)
		k->cpu[c].epoch = 1;
	*check = k;
	return 0;
}

void dvmi_asid_check_free(struct dvmi_asid_check *k)
{
	if (!k)
		return;
	for (unsigned c = 0; k->cpu && c < k->cpus; c++) {
		for (unsigned n = 0; k->cpu[c].leaves && n < ASIDS / LEAF; n++)
			dvmi_free(k->cpu[c].leaves[n]);
		dvmi_free(k->cpu[c].leaves);
	}
	dvmi_free(k->cpu);
	dvmi_free(k->by_mm);
	dvmi_free(k->by_asid);
	dvmi_free(k->version);
	dvmi_free(k->completed);
	dvmi_free(k);
}

/* ---- what a TLB holds ---- */

/* NULL: nothing was ever filled near there. */
static struct entry *look(const struct cpu *c, uint16_t asid)
{
	if (!c->leaves || !c->leaves[asid / LEAF])
		return NULL;
	return &c->leaves[asid / LEAF][asid % LEAF];
}

static struct entry *make(struct cpu *c, uint16_t asid)
{
	if (!c->leaves)
		c->leaves = dvmi_calloc(ASIDS / LEAF, sizeof(struct entry *));
	if (!c->leaves)
		return NULL;
	if (!c->leaves[asid / LEAF])
		c->leaves[asid / LEAF] = dvmi_calloc(LEAF, sizeof(struct entry));
	return look(c, asid);
}

static bool valid(const struct cpu *c, const struct entry *e)
{
	return e && e->epoch == c->epoch;
}

/* The walker fills for what TTBR holds, whatever the CPU does. */
static void refill(const struct dvmi_asid_check *k, struct cpu *c)
{
	struct entry *e = c->mm ? look(c, c->asid) : NULL;

	if (e)
		*e = (struct entry){ c->mm, c->epoch, k->version[c->mm] };
}

/* ---- switches ---- */

static void stop(struct running *r)
{
	if (r->cpus)
		r->cpus--;
}

void dvmi_asid_check_leave(struct dvmi_asid_check *k, unsigned cpu)
{
	struct cpu *c = &k->cpu[cpu];

	if (!c->runs)
		return;
	c->runs = false;
	stop(&k->by_mm[c->mm]);
	stop(&k->by_asid[c->asid]);
}

/* One more CPU runs @r with @other; false when another runs it with something else. */
static bool start(struct running *r, uint32_t other)
{
	bool ok = !r->cpus || r->other == other;

	r->cpus++;
	r->other = other;
	return ok;
}

int dvmi_asid_check_install(struct dvmi_asid_check *k, unsigned cpu, uint32_t mm, uint16_t asid)
{
	struct cpu *c = &k->cpu[cpu];
	struct entry *e = make(c, asid);
	bool same, unique, held, old;

	if (!e)
		return -DVM_ENOMEM;
	dvmi_asid_check_leave(k, cpu);
	c->mm = mm;
	c->asid = asid;
	c->runs = true;
	same = start(&k->by_mm[mm], asid);
	unique = start(&k->by_asid[asid], mm);
	held = valid(c, e) && e->mm != mm;
	old = valid(c, e) && e->version < k->completed[mm];
	if (!valid(c, e) || held)
		refill(k, c);
	if (!same)
		return DVMI_ASID_SAME_ACTIVE;
	if (!unique)
		return DVMI_ASID_UNIQUE_ACTIVE;
	if (held)
		return DVMI_ASID_UNIQUE_PER_CPU;
	return old ? DVMI_ASID_FLUSHED : DVMI_ASID_HOLDS;
}

void dvmi_asid_check_rollover(struct dvmi_asid_check *k)
{
	for (unsigned c = 0; c < k->cpus; c++)
		k->cpu[c].due = true;
}

void dvmi_asid_check_flush(struct dvmi_asid_check *k, unsigned cpu)
{
	k->cpu[cpu].epoch++;
	k->cpu[cpu].due = false;
	refill(k, &k->cpu[cpu]);
}

/* ---- flushes ---- */

uint32_t dvmi_asid_check_change(struct dvmi_asid_check *k, uint32_t mm)
{
	return ++k->version[mm];
}

void dvmi_asid_check_tlbi(struct dvmi_asid_check *k, uint16_t asid)
{
	for (unsigned n = 0; n < k->cpus; n++) {
		struct cpu *c = &k->cpu[n];
		struct entry *e = look(c, asid);

		if (!valid(c, e))
			continue;
		e->epoch = c->epoch - 1;
		if (c->asid == asid)
			refill(k, c);
	}
}

enum dvmi_asid_rule dvmi_asid_check_completed(struct dvmi_asid_check *k, uint32_t mm, uint16_t asid,
					      uint32_t number)
{
	if (k->completed[mm] < number)
		k->completed[mm] = number;
	for (unsigned n = 0; n < k->cpus; n++) {
		const struct cpu *c = &k->cpu[n];
		const struct entry *e = look(c, asid);

		if (c->due && !(c->mm == mm && c->asid == asid))
			continue;
		if (valid(c, e) && e->mm == mm && e->version < number)
			return DVMI_ASID_FLUSHED;
	}
	return DVMI_ASID_HOLDS;
}
