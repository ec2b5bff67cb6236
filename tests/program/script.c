/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(struct script *s, const char *fmt, ...)
{
	size_t len = strlen(s->text);
	va_list ap;

	s->effects++;
	if (s->restart_at && s->effects == s->restart_at)
		return DVM_STRATEGY_RESTART;
	if (len + 64 > sizeof(s->text))
		return 0;
	if (len)
		s->text[len++] = ' ';
	va_start(ap, fmt);
	vsnprintf(s->text + len, sizeof(s->text) - len, fmt, ap);
	va_end(ap);
	return 0;
}

static uint64_t value(struct script *s)
{
	static const uint64_t likely[] = { 0, 1, 2, 3, 4, 5, 6, 7, 0xfffffffe, 0xffffffff };

	if (s->rng)
		return likely[dvmi_rng_below(s->rng, 10)];
	return s->values[s->reads < 15 ? s->reads++ : 15];
}

static unsigned cpu(void *arg)
{
	struct script *s = arg;

	if (s->rng)
		return (unsigned)dvmi_rng_below(s->rng, 8);
	return s->move_at && s->effects + 1 >= s->move_at ? s->move_to : s->self;
}

static uint64_t field(void *arg, const char *name)
{
	struct script *s = arg;
	size_t len = strlen(name);

	if (s->rng)
		return dvmi_rng_below(s->rng, 2);
	if (!strcmp(name, "req.kind"))
		return s->kind;
	for (const char *p = s->fields; p && *p; p += strcspn(p, " ") + (p[strcspn(p, " ")] == ' '))
		if (strcspn(p, " =") == len && !strncmp(p, name, len))
			return p[len] == '=' ? strtoull(p + len + 1, NULL, 10) : 1;
	return 0;
}

static const char *order(const struct dvm_strategy_ref *ref)
{
	static const char *const names[] = { "", ".acq", ".rel", ".full" };

	return names[ref->order];
}

static int load(void *arg, const struct dvm_strategy_ref *ref, uint64_t *v)
{
	struct script *s = arg;
	int rc = say(s, "R%s:%s.%s", order(ref), ref->place, ref->name);

	if (!rc)
		*v = value(s);
	return rc;
}

static int store(void *arg, const struct dvm_strategy_ref *ref, uint64_t v)
{
	return say(arg, "W%s:%s.%s=%" PRIu64, order(ref), ref->place, ref->name, v);
}

static int cas(void *arg, const struct dvm_strategy_ref *ref, uint64_t expected, uint64_t desired,
	       uint64_t *old)
{
	struct script *s = arg;
	int rc = say(s, "CAS%s:%s.%s:%" PRIu64 ">%" PRIu64, order(ref), ref->place, ref->name,
		     expected, desired);

	if (!rc)
		*old = value(s);
	return rc;
}

static int xchg(void *arg, const struct dvm_strategy_ref *ref, uint64_t v, uint64_t *old)
{
	struct script *s = arg;
	int rc = say(s, "XCHG%s:%s.%s=%" PRIu64, order(ref), ref->place, ref->name, v);

	if (!rc)
		*old = value(s);
	return rc;
}

static int fadd(void *arg, const struct dvm_strategy_ref *ref, uint64_t v, uint64_t *old)
{
	struct script *s = arg;
	int rc = say(s, "FADD%s:%s.%s+%" PRId64, order(ref), ref->place, ref->name, (int64_t)v);

	if (!rc)
		*old = value(s);
	return rc;
}

static int bit(void *arg, const struct dvm_strategy_ref *ref, unsigned n, int set, bool *old)
{
	struct script *s = arg;
	int rc = say(s, "BIT%s:%s.%s[%u]%s", order(ref), ref->place, ref->name, n,
		     set < 0 ? "?" : set ? "=1" : "=0");

	if (!rc)
		*old = value(s) & 1;
	return rc;
}

static int mask_load(void *arg, const struct dvm_strategy_ref *ref, uint64_t *mask, size_t words)
{
	struct script *s = arg;
	int rc = say(s, "RM:%s.%s", ref->place, ref->name);

	memset(mask, 0, words * sizeof(*mask));
	mask[0] = value(s) & 0xff;
	return rc;
}

static int mask_store(void *arg, const struct dvm_strategy_ref *ref, const uint64_t *mask,
		      size_t words)
{
	(void)words;
	return say(arg, "WM:%s.%s=%" PRIx64, ref->place, ref->name, mask[0]);
}

static int barrier(void *arg, enum dvm_barrier_kind kind, const char *option)
{
	static const char *const names[] = { "dsb.", "dmb.", "isb", "sync." };

	return say(arg, "%s%s", names[kind], option);
}

static int asid(void *arg, const char *place, uint64_t *v)
{
	int rc = say(arg, "asid%s%s", strcmp(place, "mm") ? "." : "",
		     strcmp(place, "mm") ? place : "");

	if (!rc)
		*v = 42;
	return rc;
}

static int tlbi(void *arg, const struct dvm_strategy_tlbi *t)
{
	char domain[32] = "";

	if (t->has_domain)
		snprintf(domain, sizeof(domain), ".domain%" PRIu64, t->domain);
	return say(arg, "tlbi.%s%s%s%s%s%s%s", t->broadcast ? "is" : "local",
		   strcmp(t->what, "request") ? "." : "",
		   strcmp(t->what, "request") ? t->what : "", domain,
		   t->no_twin ? ".notwin" : "", t->leaf ? ".leaf" : "",
		   t->bad_ttl ? ".badttl" : "");
}

static int ipi(void *arg, const uint64_t *mask, size_t words, uint64_t v, uint64_t sampled)
{
	(void)words;
	(void)v;
	(void)sampled;
	return say(arg, "ipi:%" PRIx64, mask[0]);
}

static int notify(void *arg)
{
	return say(arg, "notify");
}

static int park(void *arg)
{
	return say(arg, "park");
}

static int protect(void *arg, enum dvm_protection what, bool enter)
{
	static const char *const names[][2] = { { "ME", "MD" }, { "PENA", "PDIS" },
						{ "IENA", "IDIS" } };

	return say(arg, "%s", names[what][enter]);
}

static int section(void *arg, bool begin, bool on_migrate)
{
	return say(arg, begin ? on_migrate ? "section.migrate" : "section" : "section_end");
}

/* TLBI domains of two CPUs each; a script says with "env.domains=4" that there are any. */
static const uint16_t domains[] = { 0, 0, 1, 1, 2, 2, 3, 3 };

struct dvm_strategy_env script_env(struct script *s)
{
	return (struct dvm_strategy_env){
		.size = sizeof(struct dvm_strategy_env), .arg = s, .cpus = 8, .cpu = cpu,
		.field = field, .load = load, .store = store, .cas = cas, .xchg = xchg,
		.fadd = fadd, .bit = bit, .mask_load = mask_load, .mask_store = mask_store,
		.barrier = barrier, .asid = asid, .tlbi = tlbi, .ipi = ipi, .notify = notify,
		.park = park, .protect = protect, .section = section, .domain_of = domains,
	};
}
