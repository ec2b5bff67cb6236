/* SPDX-License-Identifier: MIT */
/* Which events of a kernel event trace mean something, and how their fields are called. */
#include "import_ftrace.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS(...) { __VA_ARGS__ }
static const struct {
	const char *name;
	enum ft_id id;
	uint8_t op;
	unsigned hex;
	const char *fields[FT_FIELDS];
} known[] = {
	{ "sched_switch", FT_SWITCH, 0, 0, FIELDS("next_pid") },
	{ "switch", FT_NEXT, 0, 0, FIELDS("pid", "tgid", "mm") },
	{ "cpu_switch_mm", FT_CPU_MM, 0, 0, FIELDS("mm", "ctx") },
	{ "switch_mm", FT_SWITCH_MM, 0, 0, FIELDS("mm") },
	{ "sched_waking", FT_WAKING, 0, 0, FIELDS("pid", "target_cpu") },
	{ "sched_wakeup", FT_WAKEUP, 0, 0, FIELDS("pid", "target_cpu") },
	{ "sched_wakeup_new", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "sched_migrate_task", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "sched_process_fork", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "sched_process_free", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "task_rename", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "task_newtask", FT_NEWTASK, 0, 2, FIELDS("pid", "clone_flags") },
	{ "new_task", FT_NEW_TASK, 0, 0, FIELDS("pid", "tgid", "mm") },
	{ "mm_init", FT_MM_INIT, 0, 0, FIELDS("mm", "taskmm") },
	{ "exec_mm", FT_EXEC_MM, 0, 0, FIELDS("mm") },
	{ "sched_process_exec", FT_EXEC, 0, 0, FIELDS("pid", "old_pid") },
	{ "sched_process_exit", FT_EXIT, 0, 0, FIELDS("pid") },
	{ "exit", FT_DO_EXIT, 0, 0, FIELDS(NULL) },
	{ "exit_mmap", FT_EXIT_MMAP, 0, 0, FIELDS("mm") },
	{ "exit_mmap_end", FT_EXIT_MMAP_END, 0, 0, FIELDS(NULL) },
	{ "finish", FT_FINISH, 0, 0, FIELDS(NULL) },
	{ "gather", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "gather_full", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "fork_pt", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "mprot", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "mremap", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "fault", FT_FAULT, 0, 0, FIELDS("mm", "addr", "flags") },
	{ "page_fault_user", FT_PAGE_FAULT, 0, 0, FIELDS("address") },
	{ "page_fault_kernel", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "ptep_clear_flush", FT_CLEAR_FLUSH, 0, 0, FIELDS("mm", "addr") },
	{ "batch_flush", FT_BATCH_FLUSH, 0, 0, FIELDS(NULL) },
	{ "mm_migrate_pages_start", FT_MIGRATE_START, 0, 0, FIELDS(NULL) },
	{ "mm_migrate_pages", FT_MIGRATE_END, 0, 0, FIELDS(NULL) },
	{ "sys_enter_mmap", FT_SYS_ENTER, DVM_TRACE_OP_MMAP, 3, FIELDS("addr", "len") },
	{ "sys_enter_munmap", FT_SYS_ENTER, DVM_TRACE_OP_MUNMAP, 3, FIELDS("addr", "len") },
	{ "sys_enter_mprotect", FT_SYS_ENTER, DVM_TRACE_OP_MPROTECT, 3, FIELDS("start", "len") },
	{ "sys_enter_madvise", FT_SYS_ENTER, DVM_TRACE_OP_MADVISE, 3, FIELDS("start", "len_in") },
	{ "sys_enter_mremap", FT_SYS_ENTER, DVM_TRACE_OP_MREMAP, 3, FIELDS("addr", "old_len") },
	{ "sys_enter_brk", FT_SYS_ENTER, DVM_TRACE_OP_BRK, 3, FIELDS("brk") },
	{ "sys_exit_mmap", FT_SYS_EXIT, DVM_TRACE_OP_MMAP, 0, FIELDS(NULL) },
	{ "sys_exit_munmap", FT_SYS_EXIT, DVM_TRACE_OP_MUNMAP, 0, FIELDS(NULL) },
	{ "sys_exit_mprotect", FT_SYS_EXIT, DVM_TRACE_OP_MPROTECT, 0, FIELDS(NULL) },
	{ "sys_exit_madvise", FT_SYS_EXIT, DVM_TRACE_OP_MADVISE, 0, FIELDS(NULL) },
	{ "sys_exit_mremap", FT_SYS_EXIT, DVM_TRACE_OP_MREMAP, 0, FIELDS(NULL) },
	{ "sys_exit_brk", FT_SYS_EXIT, DVM_TRACE_OP_BRK, 0, FIELDS(NULL) },
	{ "sys_enter_exit_group", FT_SILENT, 0, 0, FIELDS(NULL) },
	{ "sys_enter_prctl", FT_PRCTL, 0, 15, FIELDS("option", "arg2", "arg3", "arg4") },
	{ "sys_enter_sethostname", FT_HOSTNAME, 0, 0, FIELDS(NULL) },
	{ "tlb_flush", FT_X86_FLUSH, 0, 0, FIELDS("pages", "reason") },
	{ "print", FT_PRINT, 0, 0, FIELDS(NULL) },
	{ "tracing_mark_write", FT_PRINT, 0, 0, FIELDS(NULL) },
};

/*
 * Functions that hold a TLBI, or call one that does: the cause where the function tells it, and what
 * it asks for (Linux 6.12: mm/pgtable-generic.c, arch/arm64/mm/{fault,contpte}.c, mm/rmap.c,
 * arch/arm64/include/asm/{pgtable,tlbflush}.h, kernel/fork.c, mm/mremap.c). Level 4: not known.
 */
static const struct {
	const char *prefix;
	uint8_t op;
	bool single, leaf;
	uint8_t level;
	bool nosync; /* its completion is another function's */
} functions[] = {
	{ "ptep_clear_flush", DVM_TRACE_OP_FAULT_COW, true, true, 4, false },
	{ "__ptep_set_access_flags", DVM_TRACE_OP_FAULT_WP_REUSE, true, true, 4, false },
	{ "ptep_set_access_flags", DVM_TRACE_OP_FAULT_WP_REUSE, true, true, 4, false },
	{ "set_tlb_ubc_flush_pending", DVM_TRACE_OP_RECLAIM, true, true, 4, true },
	{ "copy_process", DVM_TRACE_OP_FORK, false, false, 4, false },
	{ "dup_mm", DVM_TRACE_OP_FORK, false, false, 4, false },
	{ "pmdp_invalidate", DVM_TRACE_OP_THP_SPLIT, false, false, 2, false },
	{ "pmdp_huge_clear_flush", DVM_TRACE_OP_THP_SPLIT, false, false, 2, false },
	{ "pmdp_collapse_flush", DVM_TRACE_OP_THP_COLLAPSE, false, false, 4, false },
	{ "contpte", DVM_TRACE_OP_CONTPTE, false, true, 3, false },
};

int ft_error(struct dvm_error *err, int code, const char *where, uint64_t record, const char *fmt,
	     ...)
{
	va_list ap;

	*err = (struct dvm_error){ .code = code, .record = record };
	snprintf(err->where, sizeof(err->where), "%s", where);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

static void *grow(struct ft *ft, void *array, size_t *capacity, size_t used, size_t size)
{
	size_t n = *capacity ? 2 * *capacity : 256;

	if (used < *capacity)
		return array;
	array = n < SIZE_MAX / size ? realloc(array, n * size) : NULL;
	if (!array)
		longjmp(*ft->world.nomem, 1);
	*capacity = n;
	return array;
}

struct ft_event *ft_push(struct ft *ft, struct ft_kind *kind)
{
	struct ft_event *e;

	ft->events = grow(ft, ft->events, &ft->capacity, ft->nevents, sizeof(*ft->events));
	e = &ft->events[ft->nevents++];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->tgid = -1;
	return e;
}

static uint32_t function_id(struct ft *ft, const char *name)
{
	size_t i, length = strlen(name);
	const char *end = strrchr(name, '_'); /* the site's offset follows */

	length = end && end > name ? (size_t)(end - name) : length;
	for (i = 0; i < ft->functions.n; i++)
		if (!strncmp(ft->functions.names[i], name, length) &&
		    !ft->functions.names[i][length])
			return (uint32_t)i;
	ft->functions.names = grow(ft, ft->functions.names, &ft->functions.capacity,
				   ft->functions.n, sizeof(char *));
	ft->functions.names[i] = strndup(name, length);
	if (!ft->functions.names[i])
		longjmp(*ft->world.nomem, 1);
	ft->functions.n++;
	return (uint32_t)i;
}

static void know_function(struct ft *ft, struct ft_kind *k, const char *function)
{
	k->function = function_id(ft, function);
	k->level = DVM_TRACE_LEVEL_UNKNOWN;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strncmp(functions[i].prefix, function, strlen(functions[i].prefix))) {
			k->op = functions[i].op;
			k->single = functions[i].single;
			k->leaf = functions[i].leaf;
			k->level = functions[i].level;
			k->nosync |= functions[i].nosync;
			return;
		}
}

/* The instruction of a mnemonic such as "rvale1is", with operand register x0; 0 when it is none. */
static uint32_t word_of(const char *name, size_t length)
{
	static const char *const ops[8] = { "vmalle1", "vae1", "aside1", "vaae1", "", "vale1", "",
					    "vaale1" };
	bool range = name[0] == 'r';
	unsigned crm = range ? 6 : 7, crn = 8, op2 = 0;
	size_t n;

	name += range;
	length -= range;
	if (length > 3 && !strncmp(name + length - 3, "nxs", 3)) {
		length -= 3;
		crn = 9;
	}
	if (length > 2 && !strncmp(name + length - 2, "is", 2)) {
		length -= 2;
		crm = range ? 2 : 3;
	} else if (length > 2 && !strncmp(name + length - 2, "os", 2)) {
		length -= 2;
		crm = range ? 5 : 1;
	}
	for (; op2 < 8; op2++) {
		n = strlen(ops[op2]);
		if (n && n == length && !strncmp(ops[op2], name, n))
			return 0xd5080000u | crn << 12 | crm << 8 | op2 << 5;
	}
	return 0;
}

/* Names that tools/capture/record-arm64 makes: "vale1is_FUNCTION_OFFSET", "tf__...", "ftr__..." */
static void know_probe(struct ft *ft, struct ft_kind *k, const char *name)
{
	static const char *const gather[FT_FIELDS] = { "mm", "start", "end", "fullmm", "freed_tables",
						       "cleared_ptes", "cleared_pmds", "cleared_puds",
						       "bits" };
	static const char *const range[FT_FIELDS] = { "a0", "start", "end", "stride", "vmmm",
						      "a1", "a2", "a3" };
	const char *end = strchr(name, '_');

	if (!strncmp(name, "tf__", 4) || !strncmp(name, "ftr__", 5)) {
		bool is_gather = name[0] == 't';

		k->id = is_gather ? FT_GATHER : FT_RANGE;
		memcpy(k->fields, is_gather ? gather : range, sizeof(k->fields));
		know_function(ft, k, name + (is_gather ? 4 : 5));
		return;
	}
	k->word = end ? word_of(name, (size_t)(end - name)) : 0;
	if (!k->word)
		return;
	k->id = FT_TLBI;
	k->fields[0] = "op";
	know_function(ft, k, end + 1);
}

static void know(struct ft *ft, struct ft_kind *k)
{
	const char *name = strchr(k->name, ':');
	size_t system = name ? (size_t)(name - k->name) : 0;

	name = name ? name + 1 : k->name;
	for (unsigned i = 0; i < ft->nworks; i++)
		if (!strcmp(ft->works[i].event, name) || !strcmp(ft->works[i].event, k->name))
			k->work = (int)i;
	k->nosync = system > 7 && !strncmp(k->name + system - 7, "_nosync", 7);
	if (!system || !strncmp(k->name, "tlb", 3))
		know_probe(ft, k, name);
	if (!strcmp(k->name, "mmap:exit_mmap")) /* the tracepoint, after the probe of that name */
		k->id = FT_SILENT;
	for (size_t i = 0; k->id == FT_OTHER && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		k->id = known[i].id;
		k->op = known[i].op;
		k->hex = known[i].hex;
		memcpy(k->fields, known[i].fields, sizeof(k->fields));
	}
}

static size_t kind_slot(const struct ft *ft, const char *name, size_t length)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (size_t n = 0; n < length; n++)
		h = (h ^ (unsigned char)name[n]) * UINT64_C(0x100000001b3);
	for (i = (size_t)(h >> 20) % FT_SLOTS; ft->slots[i]; i = (i + 1) % FT_SLOTS) {
		const char *other = ft->kinds[ft->slots[i] - 1]->name;

		if (!strncmp(other, name, length) && !other[length])
			break;
	}
	return i;
}

struct ft_kind *ft_kind(struct ft *ft, const char *name, size_t length)
{
	struct ft_kind *k;
	size_t i;

	if (length >= FT_NAME)
		length = FT_NAME - 1;
	i = kind_slot(ft, name, length);
	if (ft->slots[i])
		return ft->kinds[ft->slots[i] - 1];
	if (ft->nkinds >= FT_KINDS) { /* no system has so many: a damaged file */
		name = "(more)";
		length = strlen(name);
		i = kind_slot(ft, name, length);
		if (ft->slots[i])
			return ft->kinds[ft->slots[i] - 1];
	}
	ft->kinds = grow(ft, ft->kinds, &ft->kinds_capacity, ft->nkinds, sizeof(struct ft_kind *));
	k = calloc(1, sizeof(*k));
	if (!k)
		longjmp(*ft->world.nomem, 1);
	ft->kinds[ft->nkinds++] = k;
	ft->slots[i] = (uint16_t)ft->nkinds;
	memcpy(k->name, name, length);
	k->work = -1;
	know(ft, k);
	return k;
}

/* ---- text that the recorder left in the trace ---- */

static bool value_of(const char *text, size_t length, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	if (length <= n || strncmp(text, key, n) != 0 || text[n] != '=')
		return false;
	text += n + 1;
	length -= n + 1;
	while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	if (length >= size)
		length = size - 1;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

static void add_lack(struct ft *ft, const char *text)
{
	size_t n = strlen(text);
	char *p = ft->lacks_bytes + n < 60000 ? realloc(ft->lacks, ft->lacks_bytes + n + 2) : NULL;

	if (!p)
		return;
	memcpy(p + ft->lacks_bytes, text, n);
	memcpy(p + ft->lacks_bytes + n, "\n", 2);
	ft->lacks = p;
	ft->lacks_bytes += n + 1;
}

void ft_about(struct ft *ft, const char *text, size_t length)
{
	const struct { const char *key; int *value; } switches[] = {
		{ "tlbi_range", &ft->tlbi_range }, { "kpti", &ft->kpti }, { "cnp", &ft->cnp },
		{ "repeat_tlbi", &ft->repeat },
	};
	char value[512];

	if (value_of(text, length, "kernel", value, sizeof(value)))
		snprintf(ft->kernel, sizeof(ft->kernel), "%.*s", 127, value);
	else if (value_of(text, length, "machine", value, sizeof(value)))
		snprintf(ft->machine, sizeof(ft->machine), "%.*s", 127, value);
	else if (value_of(text, length, "command", value, sizeof(value)))
		snprintf(ft->command, sizeof(ft->command), "%s", value);
	else if (value_of(text, length, "lacks", value, sizeof(value)))
		add_lack(ft, value);
	else if (value_of(text, length, "page_bytes", value, sizeof(value)))
		ft->page = strtoull(value, NULL, 10);
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (value_of(text, length, switches[i].key, value, sizeof(value)))
			*switches[i].value = value[0] == '1';
}

static bool is_mark_name(const char *text, size_t length)
{
	if (!length || length >= sizeof(((struct ft_work *)NULL)->name))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", text[i]) || !text[i])
			return false;
	return true;
}

int ft_mark(struct ft *ft, const char *text, size_t length)
{
	size_t n = 0;

	while (n < length && text[n] > ' ')
		n++;
	if (!is_mark_name(text, n))
		return -1;
	for (unsigned i = 0; i < ft->nworks; i++)
		if (!strncmp(ft->works[i].name, text, n) && !ft->works[i].name[n])
			return (int)i;
	if (ft->nworks == FT_MARKS)
		return -1;
	snprintf(ft->works[ft->nworks].name, sizeof(ft->works[0].name), "%.*s", (int)n, text);
	return (int)ft->nworks++;
}
