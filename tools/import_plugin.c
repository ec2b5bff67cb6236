/* SPDX-License-Identifier: MIT */
/* The stream of tools/capture/plugin.c: 40-byte records, in the order they happened. */
#include "import_plugin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 40

static const struct {
	const char *name;
	enum hook hook;
} known[] = {
	{ "__arm64_sys_sethostname", HOOK_MARK }, { "__switch_to", HOOK_SWITCH },
	{ "check_and_switch_context", HOOK_MM_SWITCH }, { "try_to_wake_up", HOOK_TRY_WAKE },
	{ "ttwu_do_activate", HOOK_WOKEN }, { "wake_up_new_task", HOOK_NEW_TASK },
	{ "mm_init", HOOK_NEW_MM }, { "begin_new_exec", HOOK_EXEC },
	{ "__set_task_comm", HOOK_COMM }, { "do_exit", HOOK_EXIT },
	{ "exit_mmap", HOOK_EXIT_MMAP }, { "ret_to_user", HOOK_USER },
	{ "handle_mm_fault", HOOK_FAULT }, { "ptep_clear_flush", HOOK_CLEAR_FLUSH },
	{ "__ptep_set_access_flags", HOOK_ACCESS }, { "pmdp_invalidate", HOOK_PMD },
	{ "contpte_convert", HOOK_CONTPTE }, { "tlb_flush", HOOK_FLUSH },
	{ "tlb_finish_mmu", HOOK_FINISH }, { "set_tlb_ubc_flush_pending", HOOK_BATCH_ADD },
	{ "try_to_unmap_flush", HOOK_BATCH_FLUSH }, { "__arm64_sys_mmap", HOOK_MMAP },
	{ "__arm64_sys_munmap", HOOK_MUNMAP }, { "__arm64_sys_mprotect", HOOK_MPROTECT },
	{ "__arm64_sys_madvise", HOOK_MADVISE }, { "__arm64_sys_mremap", HOOK_MREMAP },
	{ "__arm64_sys_brk", HOOK_BRK }, { "__arm64_sys_epoll_pwait", HOOK_EPOLL },
	{ "__arm64_sys_prctl", HOOK_WORK }, { "ptep_set_access_flags", HOOK_ACCESS },
	{ "do_anonymous_page", HOOK_FAULT_ANON },
	{ "do_huge_pmd_anonymous_page", HOOK_FAULT_ANON }, { "do_swap_page", HOOK_FAULT_ANON },
	{ "do_fault", HOOK_FAULT_FILE }, { "pmdp_collapse_flush", HOOK_COLLAPSE },
	{ "__split_huge_pmd", HOOK_SPLIT }, { "folio_referenced_one", HOOK_YOUNG },
	{ "try_to_unmap_flush_dirty", HOOK_BATCH_DIRTY },
	{ "try_to_unmap_one", HOOK_UNMAP_ONE }, { "try_to_migrate_one", HOOK_MIGRATE_ONE },
	{ "page_vma_mkclean_one", HOOK_CLEAN_ONE }, { "change_prot_numa", HOOK_NUMA },
};

/* ---- the stream ---- */

static int fail(struct dvm_error *err, int code, const char *where, uint64_t record,
		const char *fmt, ...)
{
	va_list ap;

	*err = (struct dvm_error){ .code = code, .record = record };
	snprintf(err->where, sizeof(err->where), "%s", where);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

/* "address name arguments [register+offset ...]", in the order of the plugin's hook numbers */
static int read_hooks(struct import *im, struct dvm_error *err)
{
	const char *name = im->opt->hooks;
	FILE *f = fopen(name, "r");
	char line[256], word[64];
	bool has_switch = false;

	if (!f)
		return fail(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, name, UINT64_MAX, "%s",
			    strerror(errno));
	while (im->nhooks < HOOKS && fgets(line, sizeof(line), f)) {
		int args = 0, used = 0, minor;

		if (sscanf(line, "kernel 6.%d", &minor) == 1)
			im->old_gather = minor < 2;
		if (sscanf(line, "%*x %63s %d%n", word, &args, &used) < 2 || args < 0 || args > 5)
			continue;
		for (const char *p = line + used; (p = strchr(p, '+')); p++)
			args++;
		im->hooks[im->nhooks].pieces = args ? (unsigned)args : 1;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!strcmp(known[i].name, word))
				im->hooks[im->nhooks].hook = known[i].hook;
		has_switch |= im->hooks[im->nhooks].hook == HOOK_SWITCH;
		im->nhooks++;
	}
	fclose(f);
	return has_switch ? 0 :
		fail(err, DVM_EFORMAT, name, UINT64_MAX, "has no __switch_to; without it nobody "
		     "knows which task runs on which CPU. Capture with tools/capture/hooks");
}

static uint64_t get(const unsigned char *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void take_piece(struct import *im, const struct event *e)
{
	uint32_t number = e->word >> 8;

	if (number >= im->nhooks) {
		im->counts.unknown++;
		return;
	}
	if (e->arg < 4)
		im->args[e->arg] = e->value;
	else if (e->arg >= 16 && e->arg < 20)
		im->memory[e->arg - 16] = e->value;
	if (++im->got < im->hooks[number].pieces)
		return;
	im->got = 0;
	import_hook(im, e->cpu, im->hooks[number].hook);
	memset(im->memory, 0, sizeof(im->memory));
}

/* arg: 0 a read, 1 a write, 2 a fetch; the page is what a TLB knows */
static void take_access(struct import *im, const struct event *e)
{
	uint64_t access = e->value & ~(PAGE - 1);

	if (e->value & ~DVM_TRACE_ACCESS_VA || e->arg > 2) {
		im->counts.unknown++;
		return;
	}
	if (e->arg)
		access |= e->arg == 1 ? DVM_TRACE_ACCESS_WRITE : DVM_TRACE_ACCESS_FETCH;
	im->counts.accesses += im->world.active;
	world_access(&im->world, e->cpu, access);
}

static const char *take_event(struct import *im, const unsigned char *p)
{
	struct event e = { get(p, 8), get(p + 8, 8), get(p + 24, 8), (unsigned)get(p + 32, 2),
			   p[34], p[35], (uint32_t)get(p + 36, 4) };
	struct world_cpu *c;

	if (e.cpu >= WORLD_CPUS)
		return "CPU number too large";
	c = &im->world.cpus[e.cpu];
	if (e.time_ns < im->world.now || e.time_ns >> 60)
		return "time goes back: not a stream of tools/capture/plugin.c";
	if (e.insns < c->insns)
		return "an instruction count goes back: not a stream of tools/capture/plugin.c";
	im->world.now = e.time_ns;
	c->insns = e.insns;
	if (e.cpu >= im->world.ncpus)
		im->world.ncpus = e.cpu + 1;
	if (e.kind == TLBI)
		import_tlbi(im, &e);
	else if (e.kind == DSB)
		import_dsb(im, &e);
	else if (e.kind == MSR)
		import_msr(im, &e);
	else if (e.kind == HOOK)
		take_piece(im, &e);
	else if (e.kind == ACCESS)
		take_access(im, &e);
	else
		im->counts.unknown++;
	return NULL;
}

static int read_stream(struct import *im, const char *path, struct dvm_error *err)
{
	enum { BATCH = 4096 };
	static unsigned char buf[BATCH * RECORD_BYTES];
	FILE *f = fopen(path, "rb");
	uint64_t record = 0;
	const char *bad = NULL;
	size_t n = 0;

	if (!f)
		return fail(err, errno == ENOENT ? DVM_ENOENT : DVM_EIO, path, UINT64_MAX, "%s",
			    strerror(errno));
	while (!bad && (n = fread(buf, 1, sizeof(buf), f)) > 0) {
		for (size_t i = 0; i + RECORD_BYTES <= n && !bad; i += RECORD_BYTES, record++)
			bad = take_event(im, buf + i);
		if (!bad && n % RECORD_BYTES)
			bad = "the stream ends in the middle of a record";
	}
	if (ferror(f))
		bad = strerror(errno);
	fclose(f);
	if (bad)
		return fail(err, DVM_EFORMAT, path, record, "%s", bad);
	for (unsigned i = 0; i < im->world.ncpus; i++)
		import_group_close(im, i, false);
	if (!im->world.nrecords)
		return fail(err, DVM_ENOENT, path, UINT64_MAX,
			    "the window is empty: the stream has %u marks", im->marks);
	return 0;
}

/* ---- the trace ---- */

static void put_text(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 7 < size; text++) {
		if ((unsigned char)*text < 0x20)
			continue;
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n] = '\0';
}

static void put_key(FILE *f, const char *key, const char *text)
{
	char escaped[4096];

	if (!text)
		return;
	put_text(escaped, sizeof(escaped), text);
	fprintf(f, "\"%s\":\"%s\",", key, escaped);
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

static void put_counts(FILE *f, const struct counts *c, const char *begin, const char *end,
		       const char *sep)
{
	fprintf(f, "%s%" PRIu64 " TLBIs: %" PRIu64 " of user addresses, %" PRIu64 " of kernel "
		"addresses, %" PRIu64 " dummies of the repeated-TLBI workaround (dropped), %" PRIu64
		" local (dropped), %" PRIu64 " not of EL1 (dropped)%s%s", begin, c->tlbis, c->user,
		c->kernel, c->dummies, c->local, c->other, end, sep);
	fprintf(f, "%suser TLBIs attributed to an mm: %" PRIu64 " (%.2f %%), to a cause: %" PRIu64
		" (%.2f %%); %" PRIu64 " requests whose ASID and hook name different mms%s%s", begin,
		c->user_mm, share(c->user_mm, c->user), c->user_cause,
		share(c->user_cause, c->user), c->disagree, end, sep);
	fprintf(f, "%s%" PRIu64 " flush requests, %" PRIu64 " accesses, %" PRIu64
		" records of unknown kind (passed over)%s", begin, c->requests, c->accesses,
		c->unknown, end);
}

static const char fixed_keys[] =
"\"clock\":\"virtual time of the emulator: 8 ns per instruction, shared by all CPUs, of which one "
"runs at a time; information only\","
"\"recorded\":[\"every TLBI with its operand, every DSB\",\"task switches, wake-ups with waker, "
"births and ends of tasks and mms, exec\",\"operations: fault, fork, exec, exit, mmap, munmap, "
"mprotect, madvise, mremap, brk; of a flush: reclaim, migration, NUMA balancing, huge pages\",\"per CPU, instructions executed; those of the flush sequences "
"are part of RUN\"],"
"\"not_recorded\":["
"{\"what\":\"true compute time\",\"filled\":\"RUN holds instruction counts (exact to one translated "
"block, CPU changes to 64 instructions); the simulated CPU turns them into time\"},"
"{\"what\":\"why an idle CPU took an interrupt\",\"filled\":\"when an idle CPU wakes a task, it "
"SLEEPs for the virtual time since it became idle (or since its last such wake-up): a timer or a "
"device\"},"
"{\"what\":\"why a task starts on an idle CPU without a wake-up (balancing)\",\"filled\":\"a SLEEP, "
"flagged inferred, of the virtual time since the CPU became idle\"},"
"{\"what\":\"interrupts and work done by idle CPUs\",\"filled\":\"not in the trace; an interrupt's "
"instructions count for the task it interrupts\"},"
"{\"what\":\"ends of faults taken by the kernel itself\",\"filled\":\"OP_END at the next event, "
"flagged inferred\"},"
"{\"what\":\"kinds of faults that neither flush nor map a page\",\"filled\":\"operation fault\"},"
"{\"what\":\"true concurrency\",\"filled\":\"one CPU runs at a time under -icount; the records of "
"one CPU are exact, their order against those of others is that of the emulator\"},";

static const char *yes_no(bool yes)
{
	return yes ? "true" : "false";
}

static bool wanted(const struct import *im, unsigned mark)
{
	const char *const *list = im->opt->marks;

	if (!list || !*list)
		return true;
	for (; *list; list++)
		if (!strcmp(*list, im->mark_names[mark]))
			return true;
	return false;
}

/* Keep the marks that are wanted and occur, numbered anew; @f gets their names. */
static void select_marks(struct import *im, FILE *f)
{
	struct world *w = &im->world;
	unsigned number[MARKS], n = 0;
	bool occurs[MARKS] = { false };
	size_t kept = 0;

	for (size_t i = 0; i < w->nrecords; i++)
		if (w->records[i].kind == DVM_TRACE_MARK)
			occurs[w->records[i].id] = true;
	fputs("\"marks\":[", f);
	for (unsigned i = 0; i < im->nmarks; i++) {
		number[i] = n;
		if (occurs[i] && wanted(im, i))
			fprintf(f, "%s\"%s\"", n++ ? "," : "", im->mark_names[i]);
		else
			number[i] = MARKS;
	}
	fputs("],", f);
	for (size_t i = 0; i < w->nrecords; i++) {
		struct dvm_trace_record r = w->records[i];

		if (r.kind == DVM_TRACE_MARK) {
			r.id = number[r.id];
			if (r.id == MARKS)
				continue;
		}
		w->records[kept++] = r;
	}
	w->nrecords = kept;
}

static char *make_header(struct import *im)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "{\"format\":\"dvmsim.trace/1\",\"source\":\"emulated arm64 system, TCG plugin "
		"tools/capture/plugin.c\",\"ncpus\":%u,", im->world.ncpus);
	put_key(f, "kernel", im->opt->kernel);
	put_key(f, "machine", im->opt->machine);
	put_key(f, "command", im->opt->command);
	put_key(f, "window", im->opt->window);
	put_key(f, "recipe", im->opt->recipe);
	fprintf(f, "\"page_bytes\":4096,\"va_bits\":48,\"features\":{\"tlbi_range\":%s,"
		"\"kpti\":%s,\"cnp\":%s,\"repeat_tlbi\":%s},", yes_no(im->range),
		yes_no(im->kpti), yes_no(im->cnp), yes_no(im->repeat));
	fputs(fixed_keys, f);
	fprintf(f, "{\"what\":\"memory accesses\",\"filled\":\"%s\"}],", im->world.naccesses ?
		"only the first of each page after a switch of address spaces, a TLBI, or 63 other "
		"pages with other low bits; rounded down to the page" : "none");
	select_marks(im, f);
	fputs("\"import\":[", f);
	put_counts(f, &im->counts, "\"", "\"", ",");
	fputs("]}", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int make_trace(struct import *im, struct dvm_trace **trace, struct dvm_error *err)
{
	char *header = make_header(im);
	struct dvm_trace *t = NULL;
	int ret;

	if (!header)
		longjmp(*im->world.nomem, 1);
	ret = dvm_trace_new(header, &t, err);
	free(header);
	if (!ret)
		ret = dvm_trace_append_accesses(t, im->world.accesses, im->world.naccesses, err);
	if (!ret)
		ret = dvm_trace_append(t, im->world.initial, im->world.ninitial, err);
	if (!ret)
		ret = dvm_trace_append(t, im->world.records, im->world.nrecords, err);
	if (ret)
		dvm_trace_free(t);
	else
		*trace = t;
	return ret;
}

int import_plugin(const char *path, const struct import_options *options, FILE *report,
		  struct dvm_trace **trace, struct dvm_error *err)
{
	struct import *im = calloc(1, sizeof(*im));
	jmp_buf nomem;
	int ret;

	if (!im)
		return fail(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
	im->opt = options;
	im->world.nomem = &nomem;
	if (setjmp(nomem)) {
		ret = fail(err, DVM_ENOMEM, path, UINT64_MAX, "out of memory");
		goto out;
	}
	if (!options->from)
		world_begin(&im->world);
	ret = read_hooks(im, err);
	if (!ret)
		ret = read_stream(im, path, err);
	if (!ret) {
		world_end(&im->world);
		ret = make_trace(im, trace, err);
	}
	if (!ret && report)
		put_counts(report, &im->counts, "", "\n", "");
out:
	world_fini(&im->world);
	free(im);
	return ret;
}
