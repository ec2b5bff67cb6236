/* SPDX-License-Identifier: MIT */
/*
 * A TCG plugin for QEMU 10 (plugin API version 4), AArch64 system emulation with
 * "-accel tcg,thread=single -icount shift=3,sleep=off": the stream of TLB maintenance, translation
 * table switches and chosen kernel functions that 'dvmsim trace import --from plugin' reads.
 *
 *	-plugin ./plugin.so,out=FILE,hooks=FILE[,accesses=on]
 *
 * A record has 40 bytes, little endian: u64 virtual time (ns), u64 instructions this CPU has
 * executed, u64 pc, u64 value, u16 kind, u8 cpu, u8 argument number, u32 instruction word or
 * (hook number << 8 | argument number).
 *
 * With accesses=on, accesses of user addresses between the first two marks (sethostname calls) are
 * recorded too, by user and kernel: value = address, argument 0 read, 1 write, 2 fetch, and in place
 * of the instruction word the page frame (0 for a fetch: QEMU does not say). A filter drops those of
 * a page that the same CPU accessed shortly before: FILTER pages by their low bits, a read being
 * covered by a write. A write to TTBR0 or TTBR1 clears the CPU's filter, a TLBI that of every CPU it
 * is for: whatever could miss in a TLB because of them is in the stream.
 *
 * Which CPU: with thread=single QEMU compiles the index of the vCPU that translated a block into the
 * call of a plugin's callback, so the index passed is not that of the vCPU executing it. The kernel
 * keeps the per-CPU offset in TPIDR_EL1, which is different on each CPU: that is what is used here.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* From qemu-plugin.h, what is used; glib's two array types are public and stable. */
typedef struct { char *data; unsigned len; } GArray;
typedef struct { uint8_t *data; unsigned len; } GByteArray;
GByteArray *g_byte_array_new(void);
GByteArray *g_byte_array_set_size(GByteArray *array, unsigned length);
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;
typedef struct {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
} qemu_plugin_reg_descriptor;
enum { CB_NO_REGS, CB_R_REGS };
void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, unsigned));
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t,
					   void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *),
					  int, void *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *),
					    int, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_hwaddr;
enum { MEM_RW = 3 };
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *,
				      void (*)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *),
				      int, int, void *);
_Bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t);
_Bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);
GArray *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *, GByteArray *);
_Bool qemu_plugin_read_memory_vaddr(uint64_t, GByteArray *, size_t);

EXPORT int qemu_plugin_version = 4;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

enum { TLBI = 1, DSB, MSR = 5, HOOK, ACCESS };
enum { READ, WRITE, FETCH };
enum { FILTER = 64, PAGE_SHIFT = 12 };
enum { CPUS = 64, HOOKS = 256, DEREFS = 4, COUNTER_PERIOD_NS = 16, INSN_NS = 8 };
/* Instructions between two looks at who is executing. */
#define LOOK_INTERVAL 64

#pragma pack(push, 1)
struct record {
	uint64_t time_ns, insns, pc, value;
	uint16_t kind;
	uint8_t cpu, arg;
	uint32_t word;
};
#pragma pack(pop)

/* "address name arguments [register+offset ...]": registers to log, and memory behind them. */
static struct hook {
	uint64_t address;
	char name[64];
	int args, derefs;
	struct { int reg; unsigned offset; } deref[DEREFS];
} hooks[HOOKS];
static int nhooks;

static struct qemu_plugin_register *x[31], *tpidr;
static GByteArray *bytes;
static FILE *out;
static uint64_t offsets[CPUS], insns[CPUS];
static int ncpus, cpu;
static uint64_t total, looked, counted, counter_ns, last_ns;
static int counter_reg = -1;
static uint64_t counter_pc; /* of the MRS that reads the counter */

/* Page number + 1 of recent accesses, and whether it was written; fetches have a filter of their own. */
static struct { uint64_t data[FILTER], fetch[FILTER]; uint8_t written[FILTER]; } filters[CPUS];
static int accesses, marks;
static int mark_hook = -1;

static uint64_t read_register(struct qemu_plugin_register *reg)
{
	uint64_t v = 0;
	int n;

	g_byte_array_set_size(bytes, 0);
	n = qemu_plugin_read_register(reg, bytes);
	if (n > 0)
		memcpy(&v, bytes->data, n > 8 ? 8 : (size_t)n);
	return v;
}

/* Secondary CPUs come up in order, each with its own offset; before that, TPIDR_EL1 is no address. */
static void look(void)
{
	uint64_t offset = read_register(tpidr);
	int i = 0;

	insns[cpu] += total - looked;
	looked = total;
	while (i < ncpus && offsets[i] != offset)
		i++;
	if (i == ncpus && ncpus < CPUS && offset >> 52 == 0xfff)
		offsets[ncpus++] = offset;
	cpu = i < ncpus ? i : 0;
}

static uint64_t now(void)
{
	uint64_t ns = counter_ns + (total - counted) * INSN_NS;

	if (ns > last_ns)
		last_ns = ns;
	return last_ns;
}

static void put(int kind, uint64_t pc, uint64_t value, int arg, uint32_t word)
{
	struct record r = { now(), insns[cpu], pc, value, (uint16_t)kind, (uint8_t)cpu,
			    (uint8_t)arg, word };

	fwrite(&r, sizeof(r), 1, out);
}

struct site {
	uint64_t pc;
	uint32_t word; /* the instruction; of a block: how many it has */
	int kind, hook;
};

static int recording_accesses(void)
{
	return accesses && marks == 1;
}

static void clear_filter(int which)
{
	memset(&filters[which], 0, sizeof(filters[which]));
}

static void clear_filters(const struct site *s)
{
	unsigned crm = s->word >> 8 & 15;

	if (s->kind == MSR || (s->kind == TLBI && crm >= 6)) {
		clear_filter(cpu);
	} else if (s->kind == TLBI) {
		for (int i = 0; i < CPUS; i++)
			clear_filter(i);
	}
}

static void on_access(unsigned index, qemu_plugin_meminfo_t info, uint64_t address, void *arg)
{
	uint64_t page = address >> PAGE_SHIFT;
	int write, slot = (int)(page % FILTER);
	struct qemu_plugin_hwaddr *hw;

	(void)index;
	if (!recording_accesses() || address >> 48)
		return;
	write = qemu_plugin_mem_is_store(info);
	if (filters[cpu].data[slot] == page + 1 && filters[cpu].written[slot] >= write)
		return;
	filters[cpu].data[slot] = page + 1;
	filters[cpu].written[slot] = (uint8_t)write;
	hw = qemu_plugin_get_hwaddr(info, address);
	if (hw && qemu_plugin_hwaddr_is_io(hw))
		hw = NULL;
	put(ACCESS, ((const struct site *)arg)->pc, address, write ? WRITE : READ,
	    hw ? (uint32_t)(qemu_plugin_hwaddr_phys_addr(hw) >> PAGE_SHIFT) : 0);
}

static void fetched(uint64_t pc)
{
	uint64_t page = pc >> PAGE_SHIFT;

	if (pc >> 48 || filters[cpu].fetch[page % FILTER] == page + 1)
		return;
	filters[cpu].fetch[page % FILTER] = page + 1;
	put(ACCESS, pc, pc, FETCH, 0);
}

static void on_insn(unsigned index, void *arg)
{
	const struct site *s = arg;

	(void)index;
	look();
	if (accesses)
		clear_filters(s);
	put(s->kind, s->pc, (s->word & 31) == 31 || s->kind == DSB ? 0 : read_register(x[s->word & 31]),
	    0, s->word);
}

static void on_hook(unsigned index, void *arg)
{
	const struct site *s = arg;
	const struct hook *h = &hooks[s->hook];
	uint32_t id = (uint32_t)s->hook << 8;

	(void)index;
	look();
	marks += s->hook == mark_hook;
	for (int i = 0; i < h->args; i++)
		put(HOOK, s->pc, read_register(x[i]), i, id | (uint32_t)i);
	for (int i = 0; i < h->derefs; i++) {
		uint64_t v = 0, at = read_register(x[h->deref[i].reg]) + h->deref[i].offset;

		if (qemu_plugin_read_memory_vaddr(at, bytes, 8))
			memcpy(&v, bytes->data, 8);
		put(HOOK, s->pc, v, 16 + i, id | (uint32_t)(16 + i));
	}
	if (!h->args && !h->derefs)
		put(HOOK, s->pc, 0, 255, id | 255);
}

/*
 * The counter's value stands in its register when the next block begins, if that is the instruction
 * after the MRS: QEMU may translate the MRS again, by itself and without callbacks, or take an
 * interrupt first.
 */
static void on_counter(unsigned index, void *arg)
{
	const struct site *s = arg;

	(void)index;
	counter_reg = (int)(s->word & 31);
	counter_pc = s->pc;
}

static void on_block(unsigned index, void *arg)
{
	const struct site *s = arg;

	(void)index;
	if (total - looked >= LOOK_INTERVAL || recording_accesses())
		look();
	if (recording_accesses())
		fetched(s->pc);
	if (counter_reg >= 0 && s->pc != counter_pc) {
		if (s->pc == counter_pc + 4) {
			counter_ns = read_register(x[counter_reg]) * COUNTER_PERIOD_NS;
			counted = total;
		}
		counter_reg = -1;
	}
	total += s->word;
}

static int classify(uint32_t w)
{
	uint32_t sysreg = w >> 5 & 0x7fff;

	if ((w & 0xfff80000) == 0xd5080000 && ((w >> 12 & 15) == 8 || (w >> 12 & 15) == 9))
		return TLBI;
	if ((w & 0xfffff0ff) == 0xd503309f)
		return DSB;
	/* TTBR0_EL1, TTBR1_EL1, CONTEXTIDR_EL1 */
	if ((w & 0xfff00000) == 0xd5100000 &&
	    (sysreg == 0x4100 || sysreg == 0x4101 || sysreg == 0x4681))
		return MSR;
	return 0;
}

static struct site *new_site(uint64_t pc, uint32_t word, int kind, int hook)
{
	struct site *s = malloc(sizeof(*s));

	if (!s)
		abort();
	*s = (struct site){ pc, word, kind, hook };
	return s;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(
		tb, on_block, CB_R_REGS,
		new_site(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)), (uint32_t)n, 0, 0));
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t pc = qemu_plugin_insn_vaddr(insn);
		uint32_t word = 0;
		int kind;

		qemu_plugin_insn_data(insn, &word, 4);
		kind = classify(word);
		for (int h = 0; h < nhooks && pc >> 48; h++)
			if (hooks[h].address == pc)
				qemu_plugin_register_vcpu_insn_exec_cb(insn, on_hook, CB_R_REGS,
								       new_site(pc, word, HOOK, h));
		if (kind)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, CB_R_REGS,
							       new_site(pc, word, kind, 0));
		if (accesses)
			qemu_plugin_register_vcpu_mem_cb(insn, on_access, CB_NO_REGS, MEM_RW,
							 new_site(pc, word, 0, 0));
		/* MRS Xt, CNTVCT_EL0 and CNTVCTSS_EL0 end their block under -icount. */
		if (((word & ~31u) == 0xd53be040 || (word & ~31u) == 0xd53be0c0) &&
		    (word & 31) != 31 && i == n - 1)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_counter, CB_NO_REGS,
							       new_site(pc, word, 0, 0));
	}
}

static void on_vcpu(qemu_plugin_id_t id, unsigned index)
{
	GArray *regs = qemu_plugin_get_registers();
	const qemu_plugin_reg_descriptor *d = (const void *)regs->data;

	(void)id;
	for (unsigned i = 0; i < regs->len && !index; i++) {
		unsigned r;

		if (d[i].name[0] == 'x' && sscanf(d[i].name + 1, "%u", &r) == 1 && r < 31)
			x[r] = d[i].handle;
		else if (!strcmp(d[i].name, "TPIDR_EL1"))
			tpidr = d[i].handle;
	}
	if (!tpidr)
		abort();
}

static void on_exit_qemu(qemu_plugin_id_t id, void *arg)
{
	(void)id;
	(void)arg;
	fclose(out);
}

static int read_hooks(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[256];

	while (f && nhooks < HOOKS && fgets(line, sizeof(line), f)) {
		struct hook *h = &hooks[nhooks];
		unsigned long address;
		int used = 0, more, reg;
		unsigned offset;
		char *p = line;

		if (sscanf(p, "%lx %63s %d%n", &address, h->name, &h->args, &used) < 3)
			continue;
		h->address = address;
		if (!strcmp(h->name, "__arm64_sys_sethostname"))
			mark_hook = nhooks;
		for (p += used; h->derefs < DEREFS &&
		     sscanf(p, " %d+%u%n", &reg, &offset, &more) == 2; p += more) {
			h->deref[h->derefs].reg = reg;
			h->deref[h->derefs++].offset = offset;
		}
		nhooks++;
	}
	return f ? fclose(f) : -1;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "wb");
		else if (!strcmp(argv[i], "accesses=on"))
			accesses = 1;
		else if (!strncmp(argv[i], "hooks=", 6) && read_hooks(argv[i] + 6))
			return -1;
	}
	if (!out)
		return -1;
	setvbuf(out, NULL, _IOFBF, 1 << 20);
	bytes = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
	qemu_plugin_register_atexit_cb(id, on_exit_qemu, NULL);
	return 0;
}
