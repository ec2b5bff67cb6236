/* SPDX-License-Identifier: MIT */
/*
 * arm64-probes: print kprobe events (Documentation/trace/kprobetrace.rst) for the running arm64 kernel
 * from its symbols, its live text and its BTF. record-arm64 installs them. It needs root to read
 * /proc/kcore and the symbols' addresses; a kernel image can be given instead. Build it with
 *
 *	cc -O2 -o arm64-probes arm64-probes.c kernel.c btf.c
 *
 * Lines of the output: "p..." and "r..." are probes; "# ..." say what was found and what was not.
 */
#define _GNU_SOURCE
#include "kernel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EVENT 64 /* MAX_EVENT_NAME_LEN of the kernel */
#define DSB_ISH 0xd5033b9fu
#define DSB_NSH 0xd503379fu
#define DSB_SY 0xd5033f9fu
#define CALLERS 3 /* how far up a TLBI is looked for in callers that can be probed */

/* ---- instructions ---- */

/* TLBI of EL1&0 (SYS, op1 0, CRn 8, or 9 for nXS; Arm ARM C5.5); register 31 of an operation that
 * takes an operand is the dummy of an erratum's workaround. */
static bool is_tlbi(uint32_t w)
{
	return (w & 0xffff0000u) == 0xd5080000u && ((w >> 12 & 15) == 8 || (w >> 12 & 15) == 9);
}

static bool is_dummy(uint32_t w)
{
	return (w & 31) == 31 && (w >> 5 & 7) != 0;
}

static const char *tlbi_name(uint32_t w, char *out)
{
	static const char *const page[8] = { "vmalle1", "vae1", "aside1", "vaae1", "x4", "vale1", "x6",
					     "vaale1" };
	static const char *const range[8] = { "x0", "rvae1", "x2", "rvaae1", "x4", "rvale1", "x6",
					      "rvaale1" };
	unsigned crm = w >> 8 & 15, op2 = w >> 5 & 7;
	bool is_range = crm == 2 || crm == 5 || crm == 6;

	snprintf(out, 24, "%s%s%s", (is_range ? range : page)[op2],
		 crm == 2 || crm == 3 ? "is" : crm == 1 || crm == 5 ? "os" : "",
		 (w >> 12 & 15) == 9 ? "nxs" : "");
	return out;
}

/* The next symbol's word after that of @s. */
static size_t end_of(struct kernel *k, const struct symbol *s)
{
	const struct symbol *last = k->symbols + k->nsymbols;

	while (s < last && s[0].address == (s + 1 < last ? s[1].address : 0))
		s++;
	if (s + 1 >= last || s[1].address >= k->etext)
		return k->nwords;
	return (size_t)((s[1].address - k->stext) / 4);
}

/* Whether a DSB that completes what word @i begins follows it in the same function. */
static bool is_synced(struct kernel *k, const struct symbol *s, size_t i)
{
	bool local = is_tlbi(k->words[i]) && (k->words[i] >> 8 & 15) == 7;
	size_t end = end_of(k, s);

	for (i++; i < end && i < k->nwords; i++)
		if (k->words[i] == DSB_ISH || k->words[i] == DSB_SY ||
		    (local && k->words[i] == DSB_NSH))
			return true;
	return false;
}

static bool branch_target(struct kernel *k, size_t i, uint64_t *target)
{
	uint32_t w = k->words[i];
	int64_t imm = w & 0x3ffffff;

	if ((w & 0x7c000000u) != 0x14000000u) /* B, BL */
		return false;
	if (imm & 0x2000000)
		imm -= 0x4000000;
	*target = k->stext + 4 * i + (uint64_t)(4 * imm);
	return true;
}

/* ---- output ---- */

/* "prefix_function_offset", unique and no longer than the kernel takes */
static void event_name(char *out, const char *prefix, const struct symbol *s, uint64_t offset)
{
	char tail[24];
	int room;

	snprintf(tail, sizeof(tail), "_%llx", (unsigned long long)offset);
	room = EVENT - 1 - (int)strlen(prefix) - 1 - (int)strlen(tail);
	snprintf(out, EVENT, "%s_%.*s%s", prefix, room, s->name, tail);
	for (; *out; out++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *out))
			*out = '_';
}

static void put_place(const struct kernel *k, const struct symbol *s, uint64_t offset)
{
	if (s->unique)
		printf("%s+0x%llx", s->name, (unsigned long long)offset);
	else
		printf("_stext+0x%llx", (unsigned long long)(s->address + offset - k->stext));
}

static bool offset_of(const struct kernel *k, const char *type, const char *path, uint32_t *bytes)
{
	struct btf_field field;

	if (!k->btf.ntypes || !btf_field(&k->btf, type, path, &field) || field.bits ||
	    field.bit % 8)
		return false;
	*bytes = field.bit / 8;
	return true;
}

static void put_word(const struct kernel *k, const char *name, const char *type, const char *path,
		     const char *reg, const char *as)
{
	uint32_t at;

	if (offset_of(k, type, path, &at))
		printf(" %s=+%u(%s):%s", name, at, reg, as);
}

static void put_bit(const struct kernel *k, const char *name)
{
	struct btf_field f;

	if (btf_field(&k->btf, "mmu_gather", name, &f) && f.bits)
		printf(" %s=+%u(%%x0):b%u@%u/32", name, f.bit / 32 * 4, f.bits, f.bit % 32);
}

static void put_gather(const struct kernel *k)
{
	put_word(k, "mm", "mmu_gather", "mm", "%x0", "x64");
	put_word(k, "start", "mmu_gather", "start", "%x0", "x64");
	put_word(k, "end", "mmu_gather", "end", "%x0", "x64");
	put_bit(k, "fullmm");
	put_bit(k, "need_flush_all");
	put_bit(k, "freed_tables");
	put_bit(k, "cleared_ptes");
	put_bit(k, "cleared_pmds");
	put_bit(k, "cleared_puds");
}

/* The first argument of the range functions is a vma or an mm; BTF may know, else both are told. */
static void put_range(const struct kernel *k)
{
	printf(" a0=%%x0:x64 start=%%x1:x64 end=%%x2:x64 stride=%%x3:x64");
	put_word(k, "vmmm", "vm_area_struct", "vm_mm", "%x0", "x64");
}

static void put_site(struct kernel *k, struct symbol *s, size_t i)
{
	uint64_t offset = k->stext + 4 * i - s->address;
	uint32_t w = k->words[i];
	char name[EVENT], mnemonic[24];

	event_name(name, tlbi_name(w, mnemonic), s, offset);
	printf("p:tlbi%s/%s ", is_synced(k, s, i) ? "" : "_nosync", name);
	put_place(k, s, offset);
	if ((w & 31) != 31)
		printf(" op=%%x%u:x64", w & 31);
	putchar('\n');
}

/* A call of a function that has TLBIs and takes no probe. */
static void put_call(struct kernel *k, struct symbol *caller, size_t i, const struct symbol *callee)
{
	const struct symbol *origin = &k->symbols[callee->origin];
	uint64_t offset = k->stext + 4 * i - caller->address;
	bool gather = !strncmp(callee->name, "tlb_", 4);
	char name[EVENT];

	event_name(name, gather ? "tf_" : "ftr_", caller, offset);
	printf("p:tlbcall%s/%s ", origin->sync || is_synced(k, caller, i) ? "" : "_nosync", name);
	put_place(k, caller, offset);
	if (gather)
		put_gather(k);
	else
		put_range(k);
	putchar('\n');
}

/* ---- TLBIs and the calls of functions that hold them ---- */

/* Code that does not run while a workload does, or that may not be touched. */
static bool is_out_of_scope(const char *name)
{
	static const char *const prefixes[] = { "__kvm_nvhe_", "__kvm", "kvm_", "__hyp", "__pi_",
						"cpu_", "__cpu_", "idmap_", "__primary", "__secondary",
						"__enable_mmu", "swsusp_", "machine_kexec", "__init" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

struct totals {
	unsigned sites, calls, dummies, inner, uncovered;
};

static void put_sites(struct kernel *k, struct totals *n)
{
	for (size_t i = 0; i < k->nwords; i++) {
		struct symbol *s;

		if (!is_tlbi(k->words[i]))
			continue;
		s = symbol_at(k, k->stext + 4 * i);
		if (!s || is_out_of_scope(s->name))
			continue;
		if (is_dummy(k->words[i])) {
			n->dummies++;
		} else if (s->traceable) {
			n->sites++;
			put_site(k, s, i);
		} else if (!s->inner) {
			n->inner++;
			printf("# inner: %llx %s\n", (unsigned long long)s->address, s->name);
			s->inner = 1;
			s->origin = (uint32_t)(s - k->symbols);
			s->sync = is_synced(k, s, i);
		}
	}
}

static void put_calls(struct kernel *k, uint8_t depth, struct totals *n)
{
	for (size_t i = 0; i < k->nwords; i++) {
		struct symbol *caller, *callee;
		uint64_t target;

		if (!branch_target(k, i, &target))
			continue;
		callee = symbol_at(k, target);
		if (!callee || callee->inner != depth || callee->address != target)
			continue;
		caller = symbol_at(k, k->stext + 4 * i);
		if (!caller || caller == callee || is_out_of_scope(caller->name))
			continue;
		if (caller->traceable) {
			n->calls++;
			put_call(k, caller, i, callee);
		} else if (!caller->inner && depth < CALLERS) {
			caller->inner = (uint8_t)(depth + 1);
			caller->origin = callee->origin;
			caller->sync = is_synced(k, caller, i);
			k->symbols[callee->origin].sync |= caller->sync;
		} else if (!caller->inner) {
			n->uncovered++;
			printf("# uncovered: %s calls %s\n", caller->name, callee->name);
		}
	}
}

/* ---- functions whose entry says what happens ---- */

static bool begin_entry(struct kernel *k, const char *kind, const char *event, const char *function)
{
	const struct symbol *s = symbol_named(k, function);

	if (!s || !s->traceable || !s->unique) {
		printf("# no probe: mmx/%s: %s %s\n", event, function,
		       !s ? "is not in this kernel" : !s->unique ? "exists more than once" :
		       "takes no probe");
		return false;
	}
	printf("%s:mmx/%s %s", kind, event, function);
	return true;
}

static void put_entries(struct kernel *k, bool faults)
{
	uint32_t mm;

	/* called by __switch_to(), which takes no probe, with the next task */
	if (begin_entry(k, "p", "switch", "fpsimd_thread_switch")) {
		put_word(k, "pid", "task_struct", "pid", "%x0", "s32");
		put_word(k, "tgid", "task_struct", "tgid", "%x0", "s32");
		put_word(k, "mm", "task_struct", "mm", "%x0", "x64");
		putchar('\n');
	}
	if (begin_entry(k, "p", "cpu_switch_mm", "cpu_do_switch_mm")) {
		printf(" mm=%%x1:x64");
		put_word(k, "ctx", "mm_struct", "context.id", "%x1", "x64");
		putchar('\n');
	}
	if (begin_entry(k, "p", "new_task", "wake_up_new_task")) {
		put_word(k, "pid", "task_struct", "pid", "%x0", "s32");
		put_word(k, "tgid", "task_struct", "tgid", "%x0", "s32");
		put_word(k, "mm", "task_struct", "mm", "%x0", "x64");
		putchar('\n');
	}
	if (begin_entry(k, "p", "mm_init", "mm_init")) {
		printf(" mm=%%x0:x64");
		put_word(k, "taskmm", "task_struct", "mm", "%x1", "x64");
		putchar('\n');
	}
	if (begin_entry(k, "p", "exec_mm", "begin_new_exec")) {
		put_word(k, "mm", "linux_binprm", "mm", "%x0", "x64");
		putchar('\n');
	}
	if (begin_entry(k, "p", "exit_mmap", "exit_mmap"))
		printf(" mm=%%x0:x64\n");
	if (begin_entry(k, "r", "exit_mmap_end", "exit_mmap"))
		putchar('\n');
	if (begin_entry(k, "p", "batch_flush", "try_to_unmap_flush"))
		putchar('\n');
	if (faults && offset_of(k, "vm_area_struct", "vm_mm", &mm) &&
	    begin_entry(k, "p", "fault", "handle_mm_fault"))
		printf(" mm=+%u(%%x0):x64 addr=%%x1:x64 flags=%%x2:x32\n", mm);
}

/* ---- times, for the report of record-arm64 ---- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Not stdio: opening for append seeks, and kprobe_events does not. */
static bool put_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	return !close(fd) && n == (ssize_t)strlen(text);
}

static uint64_t time_calls(void)
{
	enum { CALLS = 50000 };
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < 3; round++) {
		uint64_t t = now_ns();

		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		t = now_ns() - t;
		best = t < best ? t : best;
	}
	return best / CALLS;
}

/* The difference that a probe on a short system call makes to it. */
static int print_hit_cost(const char *tracefs)
{
	uint64_t bare = time_calls(), probed = 0;

	if (!put_file(tracefs, "kprobe_events", "p:mmx/cost __arm64_sys_getppid op=%x0:x64\n"))
		return perror("arm64-probes: kprobe_events"), 1;
	if (put_file(tracefs, "events/mmx/cost/enable", "1") &&
	    put_file(tracefs, "tracing_on", "1"))
		probed = time_calls();
	put_file(tracefs, "tracing_on", "0");
	put_file(tracefs, "events/mmx/cost/enable", "0");
	put_file(tracefs, "kprobe_events", "-:mmx/cost\n");
	if (probed < bare)
		return 1;
	printf("%llu\n", (unsigned long long)(probed - bare));
	return 0;
}

static const char usage[] =
	"usage: arm64-probes [--text FILE] [--kallsyms FILE] [--btf FILE] [--functions FILE]\n"
	"                    [--no-faults]\n"
	"       arm64-probes --now | --hit-cost TRACEFS\n"
	"Defaults: /proc/kcore, /proc/kallsyms, /sys/kernel/btf/vmlinux and\n"
	"/sys/kernel/tracing/available_filter_functions. FILE of --text may be an ELF vmlinux or an\n"
	"uncompressed Image, which lack what the kernel changed in itself when it booted.\n";

int main(int argc, char **argv)
{
	const char *files[4] = { "/proc/kcore", "/proc/kallsyms", "/sys/kernel/btf/vmlinux",
				 "/sys/kernel/tracing/available_filter_functions" };
	static const char *const options[4] = { "--text", "--kallsyms", "--btf", "--functions" };
	struct totals n = { 0 };
	struct kernel k = { 0 };
	unsigned char *btf;
	bool faults = true;
	size_t size;

	for (int i = 1; i < argc; i++) {
		int option = 0;

		while (option < 4 && strcmp(argv[i], options[option]))
			option++;
		if (option < 4 && i + 1 < argc)
			files[option] = argv[++i];
		else if (!strcmp(argv[i], "--no-faults"))
			faults = false;
		else if (!strcmp(argv[i], "--now"))
			return printf("%llu\n", (unsigned long long)now_ns()) < 0;
		else if (!strcmp(argv[i], "--hit-cost") && i + 1 < argc)
			return print_hit_cost(argv[i + 1]);
		else
			return fputs(usage, stderr), 2;
	}
	kernel_read_symbols(&k, files[1]);
	kernel_read_functions(&k, files[3]);
	kernel_read_text(&k, files[0]);
	btf = read_whole(files[2], &size);
	if (!btf || !btf_open(&k.btf, btf, size))
		printf("# no BTF in %s: structures are not known, mms and pids are missing\n",
		       files[2]);
	put_sites(&k, &n);
	for (uint8_t depth = 1; depth <= CALLERS; depth++)
		put_calls(&k, depth, &n);
	put_entries(&k, faults);
	printf("# found: %u TLBI instructions that take a probe, %u functions with TLBIs that do not, "
	       "%u calls of those, %u calls uncovered, %u dummies of the repeat erratum\n", n.sites,
	       n.inner, n.calls, n.uncovered, n.dummies);
	btf_close(&k.btf);
	free(btf);
	for (size_t i = 0; i < k.nfunctions; i++)
		free(k.functions[i]);
	free(k.functions);
	free(k.symbols);
	free(k.words);
	return ferror(stdout) || fflush(stdout) ? 2 : 0;
}
