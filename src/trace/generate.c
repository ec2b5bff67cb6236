/* SPDX-License-Identifier: MIT */
#include "trace/generate.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WHERE "workload"
#define PARAMS_MAX 16
#define NAME_MAX_LEN 63

static const struct dvmi_generator *const generators[] = {
	&dvmi_gen_arrivals, &dvmi_gen_clients, &dvmi_gen_compaction, &dvmi_gen_exec_storm,
	&dvmi_gen_fork, &dvmi_gen_gc,
	&dvmi_gen_khugepaged, &dvmi_gen_ksm, &dvmi_gen_madvise, &dvmi_gen_mmap,
	&dvmi_gen_mprotect, &dvmi_gen_mremap, &dvmi_gen_numa_balance, &dvmi_gen_oom_reap,
	&dvmi_gen_process_madvise, &dvmi_gen_ptrace, &dvmi_gen_reclaim, &dvmi_gen_redis,
	&dvmi_gen_sva, &dvmi_gen_thp_split, &dvmi_gen_tlb_shootdown, &dvmi_gen_writeback,
};
#define GENERATORS (sizeof(generators) / sizeof(generators[0]))

const struct dvm_workload_info *dvm_workload_get(size_t index)
{
	return index < GENERATORS ? &generators[index]->info : NULL;
}

/* ---- the verbs ---- */

static void put(struct dvmi_gen *g, const struct dvm_trace_record *r)
{
	if (!g->ret && g->count++ == DVM_WORKLOAD_MAX_RECORDS)
		g->ret = dvmi_error(g->err, DVM_ELIMIT, WHERE,
				    "this makes more than %u records; choose smaller parameters",
				    DVM_WORKLOAD_MAX_RECORDS);
	if (!g->ret)
		g->ret = dvm_trace_append(g->trace, r, 1, g->err);
}

static struct dvm_trace_record record(unsigned kind, const struct dvmi_gen_task *t)
{
	return (struct dvm_trace_record){ .kind = (uint8_t)kind, .cpu = t->cpu, .task = t->task };
}

static unsigned sme(const struct dvmi_gen *g)
{
	return g->sme ? DVM_TRACE_F_SME : 0;
}

static struct dvmi_gen_task birth(struct dvmi_gen *g, uint16_t on, uint16_t cpu,
				  const struct dvmi_gen_task *parent, uint16_t flags)
{
	struct dvmi_gen_task t = { ++g->next_task, ++g->next_mm, cpu };
	struct dvm_trace_record mm = { .kind = DVM_TRACE_MM_NEW, .cpu = on, .mm = t.mm,
				       .id = parent ? parent->mm : 0, .flags = flags };
	struct dvm_trace_record task = { .kind = DVM_TRACE_TASK_NEW, .cpu = on, .task = t.task,
					 .mm = t.mm, .id = parent ? parent->task : 0,
					 .flags = (uint16_t)(flags | sme(g)) };

	put(g, &mm);
	put(g, &task);
	return t;
}

struct dvmi_gen_task dvmi_gen_process(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
				      uint16_t cpu)
{
	return birth(g, parent->cpu, cpu, parent, 0);
}

struct dvmi_gen_task dvmi_gen_initial(struct dvmi_gen *g, uint16_t cpu)
{
	struct dvmi_gen_task t = birth(g, cpu, cpu, NULL, DVM_TRACE_F_INITIAL);
	struct dvm_trace_record on = record(DVM_TRACE_SWITCH, &t);

	on.mm = t.mm;
	on.flags = DVM_TRACE_F_INITIAL;
	put(g, &on);
	return t;
}

struct dvmi_gen_task dvmi_gen_present(struct dvmi_gen *g, uint16_t cpu)
{
	return birth(g, cpu, cpu, NULL, DVM_TRACE_F_INITIAL);
}

struct dvmi_gen_task dvmi_gen_thread(struct dvmi_gen *g, const struct dvmi_gen_task *process,
				     uint16_t cpu)
{
	struct dvmi_gen_task t = { ++g->next_task, process->mm, cpu };
	struct dvm_trace_record r = record(DVM_TRACE_TASK_NEW, &t);

	r.mm = t.mm;
	r.id = process->task;
	r.flags = DVM_TRACE_F_INITIAL | DVM_TRACE_F_THREAD;
	put(g, &r);
	return t;
}

void dvmi_gen_run(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns)
{
	struct dvm_trace_record r = record(DVM_TRACE_RUN, t);

	r.flags = DVM_TRACE_F_TIME;
	r.amount = ns;
	if (ns)
		put(g, &r);
}

void dvmi_gen_switch(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t wake)
{
	struct dvm_trace_record r = record(DVM_TRACE_SWITCH, t);

	r.mm = t->mm;
	r.id = wake;
	put(g, &r);
}

void dvmi_gen_idle(struct dvmi_gen *g, uint16_t cpu)
{
	struct dvm_trace_record r = { .kind = DVM_TRACE_SWITCH, .cpu = cpu };

	put(g, &r);
}

uint32_t dvmi_gen_wake(struct dvmi_gen *g, const struct dvmi_gen_task *t,
		       const struct dvmi_gen_task *target)
{
	struct dvm_trace_record r = record(DVM_TRACE_WAKE, t);

	r.task = target->task;
	r.target = target->cpu;
	r.id = ++g->next_wake;
	put(g, &r);
	return r.id;
}

void dvmi_gen_migrate(struct dvmi_gen *g, struct dvmi_gen_task *t, unsigned cpu)
{
	struct dvm_trace_record r = { .kind = DVM_TRACE_MIGRATE, .task = t->task, .id = t->cpu,
				      .cpu = (uint16_t)cpu, .target = (uint16_t)cpu };

	put(g, &r);
	t->cpu = (uint16_t)cpu;
}

void dvmi_gen_sleep(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns)
{
	struct dvm_trace_record r = { .kind = DVM_TRACE_SLEEP, .cpu = t->cpu, .amount = ns };

	if (!ns)
		return;
	dvmi_gen_idle(g, t->cpu);
	put(g, &r);
	dvmi_gen_switch(g, t, 0);
}

struct dvmi_gen_task dvmi_gen_spawn(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
				     uint16_t cpu)
{
	struct dvmi_gen_task t = { ++g->next_task, parent->mm, cpu };
	struct dvm_trace_record task = { .kind = DVM_TRACE_TASK_NEW, .cpu = parent->cpu,
					 .task = t.task, .mm = t.mm, .id = parent->task,
					 .flags = (uint16_t)(DVM_TRACE_F_THREAD | sme(g)) };

	put(g, &task);
	return t;
}

struct dvmi_gen_task dvmi_gen_kthread(struct dvmi_gen *g, uint16_t cpu)
{
	struct dvmi_gen_task t = { ++g->next_task, 0, cpu };
	struct dvm_trace_record task = { .kind = DVM_TRACE_TASK_NEW, .cpu = cpu, .task = t.task,
					 .flags = DVM_TRACE_F_KTHREAD | DVM_TRACE_F_INITIAL };
	struct dvm_trace_record on = record(DVM_TRACE_SWITCH, &t);

	on.flags = DVM_TRACE_F_INITIAL;
	put(g, &task);
	put(g, &on);
	return t;
}

static struct dvm_trace_record operation(const struct dvmi_gen *g, const struct dvmi_gen_task *t,
					 uint32_t mm, unsigned op, uint64_t va, uint64_t pages)
{
	struct dvm_trace_record r = record(DVM_TRACE_OP_BEGIN, t);

	r.mm = mm;
	r.op = (uint8_t)op;
	r.va = va;
	r.amount = pages * g->page_bytes;
	r.flags = DVM_TRACE_F_MODELLED | DVM_TRACE_F_SIMULATED;
	return r;
}

static void op_end(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mm, unsigned op,
		   unsigned flags)
{
	struct dvm_trace_record r = record(DVM_TRACE_OP_END, t);

	r.mm = mm;
	r.op = (uint8_t)op;
	r.flags = (uint16_t)flags;
	put(g, &r);
}

void dvmi_gen_region(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages,
		     unsigned detail)
{
	struct dvm_trace_record r = operation(g, t, t->mm, DVM_TRACE_OP_MMAP, va, pages);

	r.flags = DVM_TRACE_F_SIMULATED | DVM_TRACE_F_INITIAL;
	r.id = detail;
	put(g, &r);
}

void dvmi_gen_op_on(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mm, unsigned op,
		    uint64_t va, uint64_t pages, unsigned detail)
{
	struct dvm_trace_record r = operation(g, t, mm, op, va, pages);

	r.id = detail;
	put(g, &r);
	op_end(g, t, mm, op, 0);
}

void dvmi_gen_op(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned op, uint64_t va,
		 uint64_t pages, unsigned detail)
{
	dvmi_gen_op_on(g, t, t->mm, op, va, pages, detail);
}

void dvmi_gen_write(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages)
{
	dvmi_gen_op(g, t, DVM_TRACE_OP_FAULT, va, pages, DVM_TRACE_D_WRITE);
}

void dvmi_gen_read(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t va, uint64_t pages)
{
	dvmi_gen_op(g, t, DVM_TRACE_OP_FAULT, va, pages, 0);
}

struct dvmi_gen_task dvmi_gen_fork_child(struct dvmi_gen *g, const struct dvmi_gen_task *parent,
					 uint16_t cpu)
{
	struct dvm_trace_record r = operation(g, parent, parent->mm, DVM_TRACE_OP_FORK, 0, 0);
	struct dvmi_gen_task child;

	put(g, &r);
	child = dvmi_gen_process(g, parent, cpu);
	op_end(g, parent, parent->mm, DVM_TRACE_OP_FORK, DVM_TRACE_F_SIMULATED);
	return child;
}

static void mm_exit(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mm)
{
	struct dvm_trace_record gone = record(DVM_TRACE_MM_EXIT, t);

	dvmi_gen_op_on(g, t, mm, DVM_TRACE_OP_EXIT, 0, 0, 0);
	gone.task = 0;
	gone.mm = mm;
	put(g, &gone);
}

void dvmi_gen_exec(struct dvmi_gen *g, struct dvmi_gen_task *t)
{
	struct dvm_trace_record begin = operation(g, t, t->mm, DVM_TRACE_OP_EXEC, 0, 0);
	struct dvm_trace_record mm = { .kind = DVM_TRACE_MM_NEW, .cpu = t->cpu, .mm = ++g->next_mm };
	struct dvm_trace_record exec = record(DVM_TRACE_EXEC, t);
	struct dvm_trace_record end = record(DVM_TRACE_OP_END, t);
	uint32_t old = t->mm;

	put(g, &begin);
	put(g, &mm);
	t->mm = exec.mm = end.mm = mm.mm;
	put(g, &exec);
	/* The stack's place is drawn: it moves in the new mm. */
	end.op = DVM_TRACE_OP_EXEC;
	end.flags = DVM_TRACE_F_SIMULATED;
	end.va = (UINT64_C(1) << 48) - 4 * g->page_bytes;
	end.amount = g->page_bytes;
	end.id = DVM_TRACE_D_SHIFT;
	put(g, &end);
	mm_exit(g, t, old);
}

void dvmi_gen_exit(struct dvmi_gen *g, const struct dvmi_gen_task *t)
{
	struct dvm_trace_record task = record(DVM_TRACE_TASK_EXIT, t);

	mm_exit(g, t, t->mm);
	put(g, &task);
}

void dvmi_gen_mark(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mark)
{
	struct dvm_trace_record r = record(DVM_TRACE_MARK, t);

	r.id = mark;
	r.amount = 1;
	put(g, &r);
}

static void queueing(struct dvmi_gen *g, const struct dvmi_gen_task *t, unsigned kind, uint32_t id,
		     uint64_t amount)
{
	struct dvm_trace_record r = record(kind, t);

	r.id = id;
	r.amount = amount;
	put(g, &r);
}

void dvmi_gen_think(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint64_t ns)
{
	if (ns)
		queueing(g, t, DVM_TRACE_THINK, 0, ns);
}

void dvmi_gen_unit_begin(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t reply)
{
	queueing(g, t, DVM_TRACE_UNIT_BEGIN, reply, 0);
}

void dvmi_gen_unit_end(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t mark)
{
	queueing(g, t, DVM_TRACE_UNIT_END, mark, 0);
}

void dvmi_gen_put(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t queue)
{
	queueing(g, t, DVM_TRACE_PUT, queue, 0);
}

void dvmi_gen_get(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t queue)
{
	queueing(g, t, DVM_TRACE_GET, queue, 0);
}

void dvmi_gen_arrive(struct dvmi_gen *g, uint16_t cpu, uint32_t queue, uint64_t ns)
{
	struct dvm_trace_record r = { .kind = DVM_TRACE_ARRIVE, .cpu = cpu, .id = queue,
				      .amount = ns, .flags = DVM_TRACE_F_INITIAL };

	put(g, &r);
}

void dvmi_gen_loop(struct dvmi_gen *g, const struct dvmi_gen_task *t, uint32_t count)
{
	queueing(g, t, DVM_TRACE_LOOP, 0, g->count - count);
}

uint64_t dvmi_gen_spread(struct dvmi_gen *g, uint64_t mean, uint64_t percent)
{
	uint64_t spread = mean / 100 * percent + mean % 100 * percent / 100;

	return spread ? mean - spread + dvmi_rng_below(&g->rng, 2 * spread + 1) : mean;
}

/* 2^32 * log2(@x / 2^32) below 0, of 0 < @x < 2^32, by repeated squaring: no floating point. */
static uint64_t minus_log2(uint64_t x)
{
	uint64_t whole = 0, part = 0;

	while (!(x >> 31)) {
		x <<= 1;
		whole++;
	}
	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
		x = x * x >> 31; /* 1 <= x / 2^31 < 2 */
		if (x >> 32) {
			part |= bit;
			x >>= 1;
		}
	}
	return (whole + 1) * (UINT64_C(1) << 32) - part;
}

uint64_t dvmi_gen_exponential(struct dvmi_gen *g, uint64_t mean)
{
	uint64_t u = 1 + dvmi_rng_below(&g->rng, UINT32_MAX - 1);
	/* -ln(u) = ln 2 * -log2(u), in 2^-20; at most 23 */
	uint64_t ln = (minus_log2(u) >> 12) * 2977044472u >> 32;

	return (mean >> 20) * ln + ((mean & 0xfffff) * ln >> 20);
}

/* ---- "NAME:param=value,..." ---- */

static const char *generator_name(const void *arg, size_t i)
{
	(void)arg;
	return i < GENERATORS ? generators[i]->info.name : NULL;
}

static const char *param_name(const void *arg, size_t i)
{
	return ((const struct dvm_workload_param *)arg)[i].name;
}

static const struct dvmi_generator *find(const char *name, struct dvm_error *err)
{
	const char *near;

	for (size_t i = 0; i < GENERATORS; i++)
		if (!strcmp(generators[i]->info.name, name))
			return generators[i];
	near = dvmi_suggest(name, generator_name, NULL);
	dvmi_error(err, DVM_ENOENT, WHERE, "no generator is called \"%s\"%s%s%s", name,
		   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return NULL;
}

static int set_param(const struct dvmi_generator *gen, char *text, uint64_t *values,
		     bool *given, struct dvm_error *err)
{
	const struct dvm_workload_param *p = gen->info.params;
	char *eq = strchr(text, '='), *end = NULL;
	const char *near;
	uint64_t n;

	if (!eq || !eq[1])
		return dvmi_error(err, DVM_EFORMAT, WHERE, "\"%s\": write param=value", text);
	*eq = '\0';
	for (size_t i = 0; p[i].name; i++) {
		if (strcmp(p[i].name, text) != 0)
			continue;
		n = strtoull(eq + 1, &end, 10);
		if (eq[1] < '0' || eq[1] > '9' || *end || n < p[i].min || n > p[i].max)
			return dvmi_error(err, DVM_EFORMAT, WHERE,
					  "%s: \"%s\" is not a whole number from %" PRIu64
					  " to %" PRIu64, text, eq + 1, p[i].min, p[i].max);
		if (given[i])
			return dvmi_error(err, DVM_EFORMAT, WHERE, "%s is given twice", text);
		given[i] = true;
		values[i] = n;
		return 0;
	}
	near = dvmi_suggest(text, param_name, p);
	return dvmi_error(err, DVM_EFORMAT, WHERE, "%s has no parameter \"%s\"%s%s%s",
			  gen->info.name, text, near ? "; did you mean \"" : "", near ? near : "",
			  near ? "\"?" : "");
}

static int parse(const char *spec, const struct dvmi_generator **gen, uint64_t *values,
		 struct dvm_error *err)
{
	char name[NAME_MAX_LEN + 1], *text, *word, *comma;
	bool given[PARAMS_MAX] = { false };
	size_t len = strcspn(spec, ":");
	int ret = 0;

	if (len > NAME_MAX_LEN)
		return dvmi_error(err, DVM_ENOENT, WHERE, "no generator has so long a name");
	memcpy(name, spec, len);
	name[len] = '\0';
	*gen = find(name, err);
	if (!*gen)
		return -DVM_ENOENT;
	for (size_t i = 0; (*gen)->info.params[i].name; i++)
		values[i] = (*gen)->info.params[i].value;
	if (!spec[len])
		return 0;
	text = dvmi_strdup(spec + len + 1);
	if (!text)
		return dvmi_error_nomem(err);
	for (word = text; word && !ret; word = comma ? comma + 1 : NULL) {
		comma = strchr(word, ',');
		if (comma)
			*comma = '\0';
		ret = set_param(*gen, word, values, given, err);
	}
	dvmi_free(text);
	return ret;
}

static int header(const struct dvmi_generator *gen, const uint64_t *values, char **text,
		  struct dvm_error *err)
{
	uint64_t ncpus = gen->ncpus ? gen->ncpus : values[0] + gen->extra_cpus;
	struct dvmi_buf b = { 0 };

	dvmi_buf_printf(&b, "{\"format\":\"dvmsim.trace/1\",\"source\":\"generator %s",
			gen->info.name);
	for (size_t i = 0; gen->info.params[i].name; i++)
		dvmi_buf_printf(&b, "%c%s=%" PRIu64, i ? ',' : ':', gen->info.params[i].name,
				values[i]);
	dvmi_buf_printf(&b,
			"\",\"ncpus\":%" PRIu64 ",\"page_bytes\":4096,\"va_bits\":48,"
			"\"clock\":\"none: the workload has order, not times\",\"marks\":%s}",
			ncpus, gen->marks);
	return dvmi_buf_take(&b, text) ? dvmi_error_nomem(err) : 0;
}

int dvm_workload_generate(const char *spec, uint64_t seed, struct dvm_trace **trace,
			  struct dvm_error *err)
{
	uint64_t values[PARAMS_MAX];
	const struct dvmi_generator *gen = NULL;
	struct dvmi_gen g = { .values = values, .page_bytes = 4096, .err = err };
	char *text;
	int ret = parse(spec, &gen, values, err);

	if (ret)
		return ret;
	ret = header(gen, values, &text, err);
	if (ret)
		return ret;
	ret = dvm_trace_new(text, &g.trace, err);
	dvmi_free(text);
	if (ret)
		return ret;
	g.kind = gen->kind;
	dvmi_rng_init(&g.rng, seed, 1);
	gen->write(&g);
	if (g.ret) {
		dvm_trace_free(g.trace);
		return g.ret;
	}
	*trace = g.trace;
	return 0;
}
