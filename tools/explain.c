/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include <dvmsim/trace.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Flushes in a row that look alike are one line. */
struct row {
	struct dvm_sim_event first;
	uint64_t count, least_ps, most_ps;
};

/* An address space, for the list. */
struct life {
	uint32_t parent, cpus;
	uint64_t born_ps, second_cpu_ps; /* UINT64_MAX: never */
	uint64_t flushes, local, broadcast;
	uint32_t reason; /* why its second CPU */
	bool seen;
};

struct explain {
	uint32_t mm;
	struct row row;
	struct life *lives;
	size_t nlives;
	char *text;
	size_t size;
	FILE *out;
	bool failed;
};

struct explain *explain_new(uint32_t mm)
{
	struct explain *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->mm = mm;
	x->out = open_memstream(&x->text, &x->size);
	if (!x->out) {
		free(x);
		return NULL;
	}
	return x;
}

void explain_free(struct explain *x)
{
	if (!x)
		return;
	if (x->out)
		fclose(x->out);
	free(x->text);
	free(x->lives);
	free(x);
}

static const char *how(uint32_t tlbi)
{
	switch (tlbi) {
	case 0:
		return "no TLBI";
	case DVM_SIM_TLBI_LOCAL:
		return "local";
	case DVM_SIM_TLBI_BROADCAST:
		return "broadcast";
	case DVM_SIM_TLBI_LOCAL | DVM_SIM_TLBI_BROADCAST:
		return "local, then broadcast";
	default:
		return "by IPI";
	}
}

/* Picoseconds below 1 ns are left out; no time here is known that well. */
static const char *time_text(uint64_t ps, char text[32])
{
	if (ps < 10000000)
		snprintf(text, 32, "%" PRIu64 " ns", (ps + 500) / 1000);
	else
		snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " us", ps / 1000000, ps % 1000000 / 100000);
	return text;
}

static void begin_line(struct explain *x, const struct dvm_sim_event *e)
{
	fprintf(x->out, "%8" PRIu64 ".%03" PRIu64 " us  cpu %-3u  ", e->time_ps / 1000000,
		e->time_ps % 1000000 / 1000, e->cpu);
}

static void end_row(struct explain *x)
{
	const struct row *r = &x->row;
	char least[32], most[32];

	if (!r->count)
		return;
	begin_line(x, &r->first);
	fprintf(x->out, "flush, %s, ", dvm_trace_op_name(r->first.op));
	if (r->first.pages)
		fprintf(x->out, "%" PRIu64 " page%s: ", r->first.pages,
			r->first.pages > 1 ? "s" : "");
	else
		fputs("whole ASID: ", x->out);
	fprintf(x->out, "%s, %s", how(r->first.tlbi), time_text(r->least_ps, least));
	if (strcmp(least, time_text(r->most_ps, most)) != 0)
		fprintf(x->out, " to %s", most);
	if (r->count > 1)
		fprintf(x->out, "; %" PRIu64 " such flushes in a row", r->count);
	fputc('\n', x->out);
	x->row.count = 0;
}

static bool alike(const struct dvm_sim_event *a, const struct dvm_sim_event *b)
{
	return a->op == b->op && a->pages == b->pages && a->tlbi == b->tlbi && a->cpu == b->cpu;
}

static void flush(struct explain *x, const struct dvm_sim_event *e)
{
	struct row *r = &x->row;

	if (r->count && !alike(&r->first, e))
		end_row(x);
	if (!r->count)
		*r = (struct row){ .first = *e, .least_ps = e->took_ps };
	r->count++;
	r->least_ps = e->took_ps < r->least_ps ? e->took_ps : r->least_ps;
	r->most_ps = e->took_ps > r->most_ps ? e->took_ps : r->most_ps;
}

static const char *const reasons[DVM_SIM_REASONS] = {
	[DVM_SIM_WAKE_PREV] = "woken where it last was",
	[DVM_SIM_WAKE_AFFINE] = "woken on its waker's CPU",
	[DVM_SIM_IDLE_SIBLING] = "woken on an idle CPU near its last or its waker's",
	[DVM_SIM_WAKE_ON_CPU] = "woken before it had left its CPU",
	[DVM_SIM_WAKE_QUEUED] = "woken before it had left its queue",
	[DVM_SIM_WAKE_BOUND] = "woken on the only CPU it may use",
	[DVM_SIM_FORK] = "placed there by fork",
	[DVM_SIM_EXEC] = "placed there by exec",
	[DVM_SIM_NEWIDLE] = "pulled by a CPU that ran out of work",
	[DVM_SIM_PERIODIC] = "pulled by periodic balancing",
	[DVM_SIM_NOHZ] = "pulled by balancing on behalf of an idle CPU",
	[DVM_SIM_ACTIVE] = "pushed off its CPU by balancing that had failed before",
	[DVM_SIM_NUMA] = "moved to the node of its memory",
	[DVM_SIM_AFFINITY] = "sent there by a change of its allowed CPUs",
	[DVM_SIM_HOTPLUG] = "driven off a CPU that went offline",
	[DVM_SIM_RT_PUSH] = "pushed to a CPU of lower priority",
	[DVM_SIM_RT_PULL] = "pulled by a CPU of lower priority",
};

/* How the task came to this CPU. */
static void why(struct explain *x, const struct dvm_sim_event *e)
{
	if (e->reason < DVM_SIM_REASONS && reasons[e->reason])
		fprintf(x->out, "; %s", reasons[e->reason]);
	if (e->from_cpu != UINT32_MAX && e->from_cpu != e->cpu)
		fprintf(x->out, "; the task ran on cpu %u before", e->from_cpu);
	if (e->waker)
		fprintf(x->out, "; task %u on cpu %u woke it", e->waker, e->waker_cpu);
	fputc('\n', x->out);
}

static void install(struct explain *x, const struct dvm_sim_event *e)
{
	/* Coming back to a CPU it knows changes nothing for anybody. */
	if (!e->first)
		return;
	end_row(x);
	begin_line(x, e);
	fprintf(x->out, "task %u installs it, ", e->task);
	if (e->cpus == 1)
		fputs("on its first CPU", x->out);
	else
		fprintf(x->out, "on CPU number %u%s", e->cpus,
			e->cpus == 2 ? ": no longer an mm of one CPU" : "");
	why(x, e);
}

static void line(struct explain *x, const struct dvm_sim_event *e)
{
	switch (e->kind) {
	case DVM_SIM_MM_NEW:
		begin_line(x, e);
		fputs("begins", x->out);
		if (e->parent)
			fprintf(x->out, ", a copy of mm %u", e->parent);
		fputc('\n', x->out);
		break;
	case DVM_SIM_MM_INSTALL:
		install(x, e);
		break;
	case DVM_SIM_MM_FLUSH:
		flush(x, e);
		break;
	case DVM_SIM_MM_EXIT:
		end_row(x);
		begin_line(x, e);
		fputs("ends\n", x->out);
		break;
	default:
		break;
	}
}

static struct life *life_of(struct explain *x, uint32_t mm)
{
	struct life *grown;
	size_t n = x->nlives ? x->nlives : 64;

	while (n <= mm)
		n *= 2;
	if (n > x->nlives) {
		grown = realloc(x->lives, n * sizeof(*grown));
		if (!grown) {
			x->failed = true;
			return NULL;
		}
		memset(grown + x->nlives, 0, (n - x->nlives) * sizeof(*grown));
		x->lives = grown;
		x->nlives = n;
	}
	return &x->lives[mm];
}

static void sum_up(struct explain *x, const struct dvm_sim_event *e)
{
	struct life *l = life_of(x, e->mm);

	if (!l)
		return;
	if (!l->seen)
		*l = (struct life){ .seen = true, .born_ps = e->time_ps, .parent = e->parent,
				    .second_cpu_ps = UINT64_MAX };
	l->cpus = e->cpus;
	if (e->kind == DVM_SIM_MM_INSTALL && e->first && e->cpus == 2) {
		l->second_cpu_ps = e->time_ps;
		l->reason = e->reason;
	}
	if (e->kind != DVM_SIM_MM_FLUSH)
		return;
	l->flushes++;
	l->local += e->tlbi == DVM_SIM_TLBI_LOCAL;
	l->broadcast += (e->tlbi & DVM_SIM_TLBI_BROADCAST) != 0;
}

void explain_event(void *arg, const struct dvm_sim_event *e)
{
	struct explain *x = arg;

	if (e->kind == DVM_SIM_RECORD)
		return;
	if (!x->mm)
		sum_up(x, e);
	else if (e->mm == x->mm)
		line(x, e);
}

static void list(struct explain *x)
{
	fputs("     mm  copy of  begins (us)  CPUs  second CPU (us)   flushes     local  broadcast"
	      "  moved by\n", x->out);
	for (size_t i = 0; i < x->nlives; i++) {
		const struct life *l = &x->lives[i];
		char second[32] = "never";

		if (!l->seen)
			continue;
		if (l->second_cpu_ps != UINT64_MAX)
			snprintf(second, sizeof(second), "%" PRIu64, l->second_cpu_ps / 1000000);
		fprintf(x->out, "%7zu  %7u  %11" PRIu64 "  %4u  %15s  %8" PRIu64 "  %8" PRIu64
			"  %9" PRIu64 "%s%s\n", i, l->parent, l->born_ps / 1000000, l->cpus, second,
			l->flushes, l->local, l->broadcast,
			l->second_cpu_ps == UINT64_MAX ? "" : "  ",
			l->second_cpu_ps == UINT64_MAX ? "" : dvm_sim_reason_name(l->reason));
	}
}

char *explain_text(struct explain *x)
{
	char *text;

	if (x->mm)
		end_row(x);
	else
		list(x);
	if (fclose(x->out) || x->failed) {
		x->out = NULL;
		return NULL;
	}
	x->out = NULL;
	text = x->text;
	x->text = NULL;
	return text;
}
