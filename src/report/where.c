/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef const char *(*printer)(char buf[128], const struct dvm_stats *st);

static const char *print_latency(char buf[128], const struct dvm_latency *l)
{
	char p50[DVMI_NUM_MAX], p99[DVMI_NUM_MAX], max[DVMI_NUM_MAX];

	if (!l->count)
		return strcpy(buf, "-");
	snprintf(buf, 128, "%s / %s / %s", dvmi_num_time(p50, (double)l->p50_ps),
		 dvmi_num_time(p99, (double)l->p99_ps), dvmi_num_time(max, (double)l->max_ps));
	return buf;
}

static const char *flush_latency(char buf[128], const struct dvm_stats *st)
{
	return print_latency(buf, &st->flush);
}

static const char *dsb_latency(char buf[128], const struct dvm_stats *st)
{
	return print_latency(buf, &st->dsb);
}

static const char *no_preemption(char buf[128], const struct dvm_stats *st)
{
	return print_latency(buf, &st->no_preemption.length);
}

static const char *no_interrupts(char buf[128], const struct dvm_stats *st)
{
	return print_latency(buf, &st->no_interrupts.length);
}

/* "flush:27, preempt_disable": where the longest one began, and why. */
static const char *print_longest(char buf[128], const struct dvm_section *of)
{
	if (!of->length.count)
		return strcpy(buf, "-");
	if (of->line)
		snprintf(buf, 128, "%s:%u, %s", of->hook, of->line,
			 dvm_section_cause_name(of->cause));
	else
		snprintf(buf, 128, "%s, %s", of->hook, dvm_section_cause_name(of->cause));
	return buf;
}

static const char *longest_no_preemption(char buf[128], const struct dvm_stats *st)
{
	return print_longest(buf, &st->no_preemption);
}

static const char *longest_no_interrupts(char buf[128], const struct dvm_stats *st)
{
	return print_longest(buf, &st->no_interrupts);
}

static const char *print_count(char buf[128], uint64_t n)
{
	char text[DVMI_NUM_MAX];

	return strcpy(buf, dvmi_num_count(text, n));
}

/* A count and its share of the flushes. */
static const char *print_part(char buf[128], const struct dvm_stats *st, uint64_t n)
{
	char count[DVMI_NUM_MAX], share[DVMI_NUM_MAX];

	snprintf(buf, 128, "%s (%s)", dvmi_num_count(count, n),
		 dvmi_num_share(share, (double)n, (double)st->flushes));
	return n ? buf : strcpy(buf, "0");
}

/* A time summed over CPUs, and its share of the CPUs' time. */
static const char *print_spent(char buf[128], const struct dvm_stats *st, uint64_t ps)
{
	char time[DVMI_NUM_MAX], share[DVMI_NUM_MAX];
	double whole = (double)st->elapsed_ps * (double)st->cpus_used;

	snprintf(buf, 128, "%s (%s)", dvmi_num_time(time, (double)ps),
		 dvmi_num_share(share, (double)ps, whole));
	return ps ? buf : strcpy(buf, "0");
}

#define COUNT(name)                                                                                \
	static const char *count_##name(char buf[128], const struct dvm_stats *st)                 \
	{                                                                                          \
		return print_count(buf, st->name);                                                 \
	}
#define PART(name)                                                                                 \
	static const char *part_##name(char buf[128], const struct dvm_stats *st)                  \
	{                                                                                          \
		return print_part(buf, st, st->name);                                              \
	}
#define SPENT(name)                                                                                \
	static const char *spent_##name(char buf[128], const struct dvm_stats *st)                 \
	{                                                                                          \
		return print_spent(buf, st, st->name);                                             \
	}
COUNT(flushes)
COUNT(flushes_kernel)
COUNT(tlbi_local)
COUNT(tlbi_broadcast)
COUNT(migrations)
COUNT(tlb_refills)
COUNT(asid_rollovers)
COUNT(migrations_flush)
COUNT(restarts)
COUNT(migrate_slow)
COUNT(notifier_calls)
COUNT(sme_interrupts)
COUNT(lock_waits)
COUNT(vm_exits)
COUNT(vm_load_flushes)
COUNT(quarantined)
COUNT(quarantine_pages)
PART(flushes_local)
PART(flushes_broadcast)
PART(flushes_one_cpu)
PART(flushes_both)
PART(flushes_ipi)
PART(flushes_none)
SPENT(run_ps)
SPENT(flush_ps)
SPENT(switch_ps)
SPENT(bystander_ps)
SPENT(refill_ps)
SPENT(idle_ps)

static const char *print_elapsed(char buf[128], const struct dvm_stats *st)
{
	char text[DVMI_NUM_MAX];

	return strcpy(buf, dvmi_num_time(text, (double)st->elapsed_ps));
}

static const char *print_dvm(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX], c[DVMI_NUM_MAX];

	snprintf(buf, 128, "%s / %s / %s", dvmi_num_count(a, st->dvm_nonsyncs),
		 dvmi_num_count(b, st->dvm_syncs), dvmi_num_count(c, st->dvm_snoops));
	return buf;
}

static const char *print_switches(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->switches),
		 dvmi_num_count(b, st->mm_switches));
	return buf;
}

static const char *print_mms(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->mms),
		 dvmi_num_count(b, st->mms_one_cpu));
	return buf;
}

/* Counts by reason, the most frequent first: "idle-sibling 31, fork 2". */
static const char *print_reasons(char buf[128], const uint64_t counts[DVM_SIM_REASONS])
{
	uint64_t last = UINT64_MAX, most;
	unsigned last_reason = 0;
	size_t len = 0;

	strcpy(buf, "0");
	for (unsigned n = 0; n < 3; n++) {
		unsigned reason = DVM_SIM_REASONS;
		char text[DVMI_NUM_MAX];

		most = 0;
		for (unsigned i = 0; i < DVM_SIM_REASONS; i++) {
			bool behind = counts[i] < last || (counts[i] == last && i > last_reason);

			if (n && !behind)
				continue;
			if (counts[i] > most) {
				most = counts[i];
				reason = i;
			}
		}
		if (reason == DVM_SIM_REASONS)
			break;
		len += (size_t)snprintf(buf + len, 128 - len, "%s%s %s", n ? ", " : "",
					dvm_sim_reason_name(reason), dvmi_num_count(text, most));
		last = most;
		last_reason = reason;
	}
	return buf;
}

static const char *print_moves(char buf[128], const struct dvm_stats *st)
{
	return st->moves[DVM_SIM_RECORDED_PLACE] ? strcpy(buf, "0") :
						   print_reasons(buf, st->moves);
}

static const char *print_lost(char buf[128], const struct dvm_stats *st)
{
	return st->lost[DVM_SIM_RECORDED_PLACE] ? strcpy(buf, "0") :
						  print_reasons(buf, st->lost);
}

static const char *wake_latency(char buf[128], const struct dvm_stats *st)
{
	return print_latency(buf, &st->wake_latency);
}

static const char *print_preemptions(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	if (!st->preemptions)
		return strcpy(buf, "0");
	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->preemptions),
		 dvmi_num_count(b, st->preemptions_flush));
	return buf;
}

/* What the strategy's book-keeping adds to a switch. */
static const char *print_per_switch(char buf[128], const struct dvm_stats *st)
{
	char text[DVMI_NUM_MAX];

	if (!st->switches || !st->switch_ps)
		return strcpy(buf, "0");
	return strcpy(buf, dvmi_num_time(text, (double)st->switch_ps / (double)st->switches));
}

/* Machines, and the vCPUs of all. */
static const char *print_machines(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	if (!st->vms)
		return strcpy(buf, "0");
	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->vms), dvmi_num_count(b, st->vcpus));
	return buf;
}

/* A time of vCPUs, and its share of all their time. */
static const char *print_vcpu_time(char buf[128], const struct dvm_stats *st, uint64_t ps)
{
	char time[DVMI_NUM_MAX], share[DVMI_NUM_MAX];
	uint64_t whole = st->vcpu_run_ps + st->vcpu_host_ps + st->vcpu_steal_ps +
			 st->vcpu_blocked_ps;

	snprintf(buf, 128, "%s (%s)", dvmi_num_time(time, (double)ps),
		 dvmi_num_share(share, (double)ps, (double)whole));
	return ps ? buf : strcpy(buf, "0");
}

#define VCPU(name)                                                                                 \
	static const char *print_##name(char buf[128], const struct dvm_stats *st)                 \
	{                                                                                          \
		return print_vcpu_time(buf, st, st->name);                                         \
	}
VCPU(vcpu_run_ps)
VCPU(vcpu_host_ps)
VCPU(vcpu_steal_ps)
VCPU(vcpu_blocked_ps)

static const char *print_vm_switches(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	if (!st->vm_switches)
		return strcpy(buf, "0");
	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->vm_switches),
		 dvmi_num_count(b, st->vm_moves));
	return buf;
}

static const char *print_vm_interrupts(char buf[128], const struct dvm_stats *st)
{
	char a[DVMI_NUM_MAX], b[DVMI_NUM_MAX];

	if (!st->vm_interrupts)
		return strcpy(buf, "0");
	snprintf(buf, 128, "%s (%s)", dvmi_num_count(a, st->vm_interrupts),
		 dvmi_num_count(b, st->vm_interrupts_waited));
	return buf;
}

/* @hide: leave the row out when every strategy shows "0" or "-". */
static const struct {
	const char *label;
	printer print;
	bool hide;
} rows[] = {
	{ "elapsed", print_elapsed, false },
	{ "flushes of user mms", count_flushes, false },
	{ "  of mms on this CPU only", part_flushes_one_cpu, false },
	{ "  local only", part_flushes_local, false },
	{ "  broadcast", part_flushes_broadcast, false },
	{ "    local list wasted first", part_flushes_both, true },
	{ "  by IPI", part_flushes_ipi, true },
	{ "  no TLBI at all", part_flushes_none, true },
	{ "flushes of kernel ranges", count_flushes_kernel, true },
	{ "  with a quarantine", count_quarantined, true },
	{ "    most pages in it at once", count_quarantine_pages, true },
	{ "flush, p50 / p99 / max", flush_latency, false },
	{ "DSB of a broadcast, p50/p99/max", dsb_latency, false },
	{ "unpreemptible, p50 / p99 / max", no_preemption, true },
	{ "  the longest", longest_no_preemption, true },
	{ "interrupts off, p50 / p99 / max", no_interrupts, true },
	{ "  the longest", longest_no_interrupts, true },
	{ "CPU time: work", spent_run_ps, false },
	{ "  in flushes", spent_flush_ps, false },
	{ "  in switch hooks", spent_switch_ps, false },
	{ "  lost to arriving DVM ops", spent_bystander_ps, false },
	{ "  TLB refills", spent_refill_ps, false },
	{ "  idle", spent_idle_ps, false },
	{ "TLBIs, local", count_tlbi_local, false },
	{ "TLBIs, broadcast", count_tlbi_broadcast, false },
	{ "DVM Non-Syncs / Syncs / snoops", print_dvm, false },
	{ "TLB refills", count_tlb_refills, false },
	{ "switches (to another mm)", print_switches, false },
	{ "  switch hooks, per switch", print_per_switch, true },
	{ "task migrations", count_migrations, false },
	{ "  by", print_moves, true },
	{ "preemptions (inside a flush)", print_preemptions, true },
	{ "  flushes moved by one", count_migrations_flush, true },
	{ "  restarted sections", count_restarts, true },
	{ "migrate_enable, slow path", count_migrate_slow, true },
	{ "flushes that waited for a lock", count_lock_waits, true },
	{ "wake-up to run, p50 / p99 / max", wake_latency, true },
	{ "mms (that ran on one CPU only)", print_mms, false },
	{ "  came to a second CPU by", print_lost, true },
	{ "ASID rollovers", count_asid_rollovers, true },
	{ "calls of the notifier", count_notifier_calls, true },
	{ "interrupts for SME", count_sme_interrupts, true },
	{ "virtual machines (vCPUs)", print_machines, true },
	{ "  vCPU time: in the guest", print_vcpu_run_ps, true },
	{ "    the host's switching", print_vcpu_host_ps, true },
	{ "    steal: no CPU for it", print_vcpu_steal_ps, true },
	{ "    in WFI", print_vcpu_blocked_ps, true },
	{ "  exits from guests", count_vm_exits, true },
	{ "  host switches (vCPU moves)", print_vm_switches, true },
	{ "  flushes at vcpu_load", count_vm_load_flushes, true },
	{ "  interrupts (that had to wait)", print_vm_interrupts, true },
};

static bool is_nothing(const char *text)
{
	return !strcmp(text, "0") || !strcmp(text, "-");
}

static bool same_site(const struct dvm_cell *a, const struct dvm_cell *b)
{
	return a->workload_index == b->workload_index && a->hw_index == b->hw_index &&
	       a->kernel_index == b->kernel_index;
}

static bool row_is_empty(const struct dvm_study *s, size_t first, printer print)
{
	struct dvm_cell c, site;
	char text[128];

	dvm_study_cell(s, first, &site);
	for (size_t i = first; !dvm_study_cell(s, i, &c) && same_site(&c, &site); i++)
		if (c.stats && !is_nothing(print(text, c.stats)))
			return false;
	return true;
}

static size_t site_cells(const struct dvm_study *s, size_t first)
{
	struct dvm_cell c, site;
	size_t n = 0;

	dvm_study_cell(s, first, &site);
	while (!dvm_study_cell(s, first + n, &c) && same_site(&c, &site))
		n++;
	return n;
}

void dvmi_report_where(struct dvmi_buf *out, const struct dvm_study *s, size_t first, bool broken)
{
	size_t cells = site_cells(s, first);
	struct dvmi_table table;
	struct dvm_cell c;
	char text[128];

	dvmi_table_init(&table, cells + 1, false);
	dvmi_table_add(&table, "%s", "");
	for (size_t i = 0; i < cells; i++) {
		dvm_study_cell(s, first + i, &c);
		dvmi_table_right(&table, i + 1);
		dvmi_table_add(&table, "%s", c.strategy);
	}
	dvmi_table_rule(&table, false);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		if (rows[r].hide && row_is_empty(s, first, rows[r].print))
			continue;
		dvmi_table_add(&table, "%s", rows[r].label);
		for (size_t i = 0; i < cells; i++) {
			dvm_study_cell(s, first + i, &c);
			dvmi_table_add(&table, "%s",
				       c.stats && (broken || c.status == DVM_RUN_OK) ?
				       rows[r].print(text, c.stats) :
				       c.status == DVM_RUN_STALE ? "STALE" : "-");
		}
	}
	dvmi_table_print(&table, "  ", out);
	dvmi_table_fini(&table);
}

static int dearest_first(const void *a, const void *b)
{
	const struct dvm_step *x = *(const struct dvm_step *const *)a;
	const struct dvm_step *y = *(const struct dvm_step *const *)b;

	if (x->total_ps != y->total_ps)
		return x->total_ps < y->total_ps ? 1 : -1;
	return (x > y) - (x < y);
}

void dvmi_report_steps(struct dvmi_buf *out, const struct dvm_cell *c, size_t most)
{
	const struct dvm_step **order = dvmi_calloc(c->nsteps ? c->nsteps : 1, sizeof(*order));
	uint64_t total = 0;
	struct dvmi_table table;

	if (!order) {
		out->failed = 1;
		return;
	}
	for (size_t i = 0; i < c->nsteps; i++) {
		order[i] = &c->steps[i];
		total += c->steps[i].total_ps;
	}
	if (most)
		qsort(order, c->nsteps, sizeof(*order), dearest_first);
	dvmi_table_init(&table, 5, false);
	for (size_t i = 1; i < 4; i++)
		dvmi_table_right(&table, i);
	for (size_t i = 0; i < c->nsteps && (!most || i < most); i++) {
		char share[DVMI_NUM_MAX], count[DVMI_NUM_MAX], each[DVMI_NUM_MAX];
		const struct dvm_step *st = order[i];

		if (!st->count || (most && !st->total_ps))
			continue;
		dvmi_table_add(&table, "%s:%u", st->hook, st->line);
		dvmi_table_add(&table, "%s",
			       dvmi_num_share(share, (double)st->total_ps, (double)total));
		dvmi_table_add(&table, "%s", dvmi_num_count(count, st->count));
		dvmi_table_add(&table, "x %s",
			       dvmi_num_time(each, (double)st->total_ps / (double)st->count));
		dvmi_table_add(&table, "%s", st->text);
	}
	dvmi_table_print(&table, "    ", out);
	dvmi_table_fini(&table);
	dvmi_free(order);
}
