/* SPDX-License-Identifier: MIT */
/* The header of a trace imported from kernel events, and the report. */
#include "import_ftrace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_escaped(FILE *f, const char *text, size_t length)
{
	for (size_t i = 0; i < length && i < 2000; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x7f)
			continue;
		if (c == '"' || c == '\\')
			fputc('\\', f);
		fputc(c, f);
	}
}

static void put_key(FILE *f, const char *key, const char *text, const char *otherwise)
{
	if (!text || !*text)
		text = otherwise;
	if (!text || !*text)
		return;
	fprintf(f, "\"%s\":\"", key);
	put_escaped(f, text, strlen(text));
	fputs("\",", f);
}

static void put_features(const struct ft *ft, FILE *f)
{
	const struct { const char *key; int value; } list[] = {
		{ "tlbi_range", ft->tlbi_range }, { "kpti", ft->kpti }, { "cnp", ft->cnp },
		{ "repeat_tlbi", ft->repeat },
	};
	const char *sep = "";

	fputs("\"features\":{", f);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i].value < 0)
			continue;
		fprintf(f, "%s\"%s\":%s", sep, list[i].key, list[i].value ? "true" : "false");
		sep = ",";
	}
	fputs("},", f);
}

static const char fixed[] =
"\"clock\":\"monotonic clock of the recorded system; information only\",";

static const char gaps[] =
"{\"what\":\"compute time alone\",\"filled\":\"RUN is the time between two events of a CPU, in ns; it "
"holds the recorded system's own flushes, its interrupts and the cost of the probes\"},"
"{\"what\":\"why an idle CPU took an interrupt\",\"filled\":\"when an idle CPU wakes a task, it SLEEPs "
"for the time since it became idle: a timer or a device\"},"
"{\"what\":\"why a task starts on an idle CPU without a wake-up\",\"filled\":\"a SLEEP, flagged "
"inferred, of the time since the CPU became idle\"},"
"{\"what\":\"ends of faults, kinds of faults that flush nothing\",\"filled\":\"OP_END at the task's next "
"operation, flagged inferred; operation fault\"},"
"{\"what\":\"memory accesses\",\"filled\":\"none\"}";

static const char arm64_gaps[] =
",{\"what\":\"TLBIs of functions that take no probe (tlb_flush, __flush_tlb_range)\",\"filled\":\"the "
"request, from the arguments of the call\"}";

static const char shape_gaps[] =
",{\"what\":\"mms\",\"filled\":\"one per thread group (or task, where the source does not tell groups), "
"one per fork and exec; ended by the last known task\"}"
",{\"what\":\"which mm and range a flush is of\",\"filled\":\"the mm that runs; the operation's address "
"and the pages told; flagged inferred\"}";

static void put_lacks(const struct ft *ft, FILE *f)
{
	const char *p = ft->lacks;

	fputs("\"not_recorded\":[", f);
	fputs(gaps, f);
	fputs(ft->shape ? shape_gaps : arm64_gaps, f);
	while (p && *p) {
		size_t n = strcspn(p, "\n");

		fputs(",{\"what\":\"", f);
		put_escaped(f, p, n);
		fprintf(f, "\",\"filled\":\"%s\"}", strstr(p, "/aside1is_dup_mm") &&
			strstr(p, "/aside1is_dup_mm") < p + n ?
			"the flush of each fork, which dup_mmap() always does; flagged inferred" : "not");
		p += n + (p[n] == '\n');
	}
	fputs("],", f);
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static void put_counts(const struct ft *ft, FILE *f, const char *begin, const char *end,
		       const char *sep)
{
	const struct ft_counts *c = &ft->counts;

	fprintf(f, "%s%" PRIu64 " events, of which %" PRIu64 " of kinds that are passed over; %" PRIu64
		" lost, %" PRIu64 " lines malformed%s%s", begin, c->events, c->unknown, c->lost,
		c->malformed, end, sep);
	if (c->x86)
		fprintf(f, "%s%" PRIu64 " x86 flush events, %" PRIu64 " of them made into requests%s%s",
			begin, c->x86, c->x86_used, end, sep);
	fprintf(f, "%s%" PRIu64 " TLBI instructions and %" PRIu64 " calls of flush functions recorded: "
		"%" PRIu64 " of user addresses, %" PRIu64 " of kernel addresses or of everything, %" PRIu64
		" local, %" PRIu64 " KPTI twins folded%s%s", begin, c->tlbis, c->calls, c->user,
		c->kernel, c->local, c->folded, end, sep);
	fprintf(f, "%sof the user ones, %.2f %% attributed to an operation and %.2f %% to an mm (%" PRIu64
		" of them inferred)%s%s", begin, share(c->user_cause, c->user),
		share(c->user_mm, c->user), c->inferred_mm, end, sep);
	fprintf(f, "%s%" PRIu64 " flush requests; %" PRIu64 " flushes of forks filled in%s%s", begin,
		c->requests, c->filled, end, sep);
	fprintf(f, "%s%" PRIu64 " switches inferred, %" PRIu64 " ASID rollovers, %" PRIu64
		" disagreements about a task's mm%s", begin, c->resync, c->rollovers, c->disagree, end);
}

void ft_report(const struct ft *ft, FILE *f)
{
	put_counts(ft, f, "", "\n", "");
	for (size_t i = 0; i < ft->nkinds; i++)
		if (ft->kinds[i]->id == FT_OTHER && ft->kinds[i]->work < 0 && ft->kinds[i]->used)
			fprintf(f, "passed over: %s %" PRIu64 "\n", ft->kinds[i]->name,
				ft->kinds[i]->used);
	if (ft->shape)
		fputs("no event tells mms: a trace of the shape of a workload, not of its flushes\n", f);
}

/* Marks that occur, numbered anew. */
static void put_marks(struct ft *ft, FILE *f)
{
	struct world *w = &ft->world;
	bool occurs[FT_MARKS] = { false };
	uint32_t number[FT_MARKS], n = 0;

	for (size_t i = 0; i < w->nrecords; i++)
		if (w->records[i].kind == DVM_TRACE_MARK)
			occurs[w->records[i].id] = true;
	fputs("\"marks\":[", f);
	for (unsigned i = 0; i < ft->nworks; i++) {
		number[i] = n;
		if (occurs[i])
			fprintf(f, "%s\"%s\"", n++ ? "," : "", ft->works[i].name);
	}
	fputs("],", f);
	for (size_t i = 0; i < w->nrecords; i++)
		if (w->records[i].kind == DVM_TRACE_MARK)
			w->records[i].id = number[w->records[i].id];
}

static char *make_header(struct ft *ft)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "{\"format\":\"dvmsim.trace/1\",\"source\":\"%s\",", ft->shape ?
		"kernel tracepoints (tools/capture/record-x86): workload shape only" :
		"kernel probes and tracepoints (tools/capture/record-arm64)");
	put_key(f, "kernel", ft->opt->kernel, ft->kernel);
	put_key(f, "machine", ft->opt->machine, ft->machine);
	put_key(f, "command", ft->opt->command, ft->command);
	put_key(f, "window", ft->opt->window, NULL);
	put_key(f, "recipe", ft->opt->recipe, NULL);
	fprintf(f, "\"ncpus\":%u,\"page_bytes\":%" PRIu64 ",\"va_bits\":%u,", ft->world.ncpus, ft->page,
		ft->va_bits);
	put_features(ft, f);
	fputs(fixed, f);
	put_lacks(ft, f);
	put_marks(ft, f);
	fputs("\"import\":[", f);
	put_counts(ft, f, "\"", "\"", ",");
	fputs("]}", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int ft_make_trace(struct ft *ft, struct dvm_trace **trace, struct dvm_error *err)
{
	char *header = make_header(ft);
	struct dvm_trace *t = NULL;
	int ret;

	if (!header)
		longjmp(*ft->world.nomem, 1);
	ret = dvm_trace_new(header, &t, err);
	free(header);
	if (!ret)
		ret = dvm_trace_append(t, ft->world.initial, ft->world.ninitial, err);
	if (!ret)
		ret = dvm_trace_append(t, ft->world.records, ft->world.nrecords, err);
	if (ret)
		dvm_trace_free(t);
	else
		*trace = t;
	return ret;
}
