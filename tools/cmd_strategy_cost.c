/* SPDX-License-Identifier: MIT */
/* dvmsim strategy cost: what a strategy keeps, and what its steps take, in situations of a few records. */
#include "cli.h"

#include <dvmsim/model.h>
#include <dvmsim/sim.h>
#include <dvmsim/strategy.h>
#include <dvmsim/trace.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RECORDS 4096
#define PS_PER_NS 1000

struct records {
	struct dvm_trace_record list[MAX_RECORDS];
	size_t count;
};

static void add(struct records *r, struct dvm_trace_record record)
{
	if (r->count < MAX_RECORDS)
		r->list[r->count++] = record;
}

static void add_mm(struct records *r, uint32_t mm)
{
	add(r, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_NEW, .mm = mm,
					  .flags = DVM_TRACE_F_INITIAL });
}

static void add_task(struct records *r, uint16_t cpu, uint32_t task, uint32_t mm)
{
	add(r, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .cpu = cpu, .task = task, .mm = mm,
					  .flags = DVM_TRACE_F_INITIAL |
						   (task != mm ? DVM_TRACE_F_THREAD : 0) });
}

/* Task 0: idle. */
static void add_switch(struct records *r, uint16_t cpu, uint32_t task, uint32_t mm)
{
	add(r, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .cpu = cpu, .task = task,
					  .mm = mm });
}

static void add_run(struct records *r, uint16_t cpu, uint32_t task, uint64_t ns)
{
	add(r, (struct dvm_trace_record){ .kind = DVM_TRACE_RUN, .cpu = cpu, .task = task, .amount = ns,
					  .flags = DVM_TRACE_F_TIME });
}

/* One page, unmapped; the page tables stay. */
static void add_flush(struct records *r, uint16_t cpu)
{
	add(r, (struct dvm_trace_record){ .kind = DVM_TRACE_FLUSH, .cpu = cpu, .task = 1, .mm = 1,
					  .op = DVM_TRACE_OP_MUNMAP, .request = DVM_TRACE_REQ_RANGE,
					  .level = 3, .va = 0x10000000, .amount = 1,
					  .stride_shift = 12, .flags = DVM_TRACE_F_LEAF });
}

/*
 * The situations. Each is run twice, the second time with one event more; the difference is the cost of
 * that event where all lines are warm and nothing is left of how it began.
 */
static void again(struct records *r, unsigned events, unsigned cpus)
{
	(void)cpus;
	for (uint32_t t = 1; t <= 2; t++) {
		add_mm(r, t);
		add_task(r, 0, t, t);
	}
	for (unsigned i = 0; i < 6 + events; i++) {
		add_switch(r, 0, 1 + i % 2, 1 + i % 2);
		add_run(r, 0, 1 + i % 2, 100000);
	}
}

static void begin_one(struct records *r)
{
	add_mm(r, 1);
	add_task(r, 0, 1, 1);
	add_switch(r, 0, 1, 1);
	add_run(r, 0, 1, 100000);
}

static void move(struct records *r, uint16_t to)
{
	add_switch(r, (uint16_t)(to - 1), 0, 0);
	add_switch(r, to, 1, 1);
	add_run(r, to, 1, 100000);
}

static void elsewhere(struct records *r, unsigned events, unsigned cpus)
{
	(void)cpus;
	begin_one(r);
	if (events)
		move(r, 1);
	else
		add_switch(r, 0, 0, 0);
}

static void add_flushes(struct records *r, uint16_t cpu, unsigned events)
{
	for (unsigned i = 0; i < 3 + events; i++) {
		add_flush(r, cpu);
		add_run(r, cpu, 1, 100000);
	}
}

static void alone(struct records *r, unsigned events, unsigned cpus)
{
	(void)cpus;
	begin_one(r);
	add_flushes(r, 0, events);
}

static void moved(struct records *r, unsigned events, unsigned cpus)
{
	(void)cpus;
	begin_one(r);
	move(r, 1);
	add_flushes(r, 1, events);
}

static void everywhere(struct records *r, unsigned events, unsigned cpus)
{
	begin_one(r);
	for (uint16_t c = 1; c < cpus; c++) {
		add_task(r, 0, c + 1u, 1);
		add_switch(r, c, c + 1u, 1);
		add_run(r, c, c + 1u, 3000000);
	}
	add_run(r, 0, 1, 1000000);
	add_flushes(r, 0, events);
}

static const struct situation {
	void (*make)(struct records *r, unsigned events, unsigned cpus);
	bool flush; /* else a switch */
	unsigned least_cpus;
} situations[] = {
	{ again, false, 1 }, { elsewhere, false, 2 }, { alone, true, 1 }, { moved, true, 2 },
	{ everywhere, true, 1 },
};
#define SITUATIONS (sizeof(situations) / sizeof(situations[0]))

struct setting {
	struct dvm_model *hw, *kernel;
	unsigned cpus;
};

static int run(const struct setting *at, const struct dvm_strategy *strategy,
	       const struct situation *situation, unsigned events, struct dvm_stats *stats)
{
	struct records *r = calloc(1, sizeof(*r));
	struct dvm_sim_options o = { .size = sizeof(o), .hw = at->hw, .kernel = at->kernel,
				     .strategy = strategy, .copies = 1, .seed = 1,
				     .schedule = DVM_SIM_RECORDED, .without_ticks = true };
	struct dvm_trace *trace = NULL;
	struct dvm_sim *sim = NULL;
	struct dvm_error err;
	char header[256];
	int ret;

	if (!r)
		return cli_usage("out of memory");
	situation->make(r, events, at->cpus);
	snprintf(header, sizeof(header), "{\"format\":\"dvmsim.trace/1\",\"source\":\"strategy cost\","
		 "\"ncpus\":%u,\"page_bytes\":4096,\"va_bits\":48,\"marks\":[\"done\"]}", at->cpus);
	ret = dvm_trace_new(header, &trace, &err);
	if (!ret)
		ret = dvm_trace_append(trace, r->list, r->count, &err);
	free(r);
	o.trace = trace;
	if (!ret)
		ret = dvm_sim_new(&o, &sim, &err);
	if (!ret)
		ret = dvm_sim_run(sim, &err);
	if (sim)
		*stats = *dvm_sim_stats(sim);
	dvm_sim_free(sim);
	dvm_trace_free(trace);
	if (ret && ret != -DVM_EUNSAFE)
		return cli_fail(&err);
	return ret ? CLI_FAILED : CLI_OK;
}

/* "178 L": nanoseconds, and by which means; "stale": the oracle stopped the run. */
static int cell(FILE *out, const struct setting *at, const struct dvm_strategy *strategy,
		const struct situation *situation)
{
	struct dvm_stats a, b;
	uint64_t ps;
	int status;

	if (at->cpus < situation->least_cpus) {
		fputs(" - |", out);
		return CLI_OK;
	}
	status = run(at, strategy, situation, 0, &a);
	if (status == CLI_OK)
		status = run(at, strategy, situation, 1, &b);
	if (status == CLI_FAILED) {
		fputs(" stale |", out);
		return CLI_OK;
	}
	if (status)
		return status;
	ps = situation->flush ? b.flush_ps - a.flush_ps : b.switch_ps - a.switch_ps;
	fprintf(out, " %" PRIu64, (ps + PS_PER_NS / 2) / PS_PER_NS);
	if (situation->flush)
		fprintf(out, " %s%s%s", b.tlbi_local != a.tlbi_local ? "L" : "",
			b.flushes_ipi != a.flushes_ipi ? "I" : "",
			b.tlbi_broadcast != a.tlbi_broadcast ? "B" : "");
	fputs(" |", out);
	return CLI_OK;
}

/* ---- what it keeps ---- */

enum { PER_MM, PER_CPU, PER_TASK, IN_ALL, PLACES };

static void count_bytes(const struct dvm_strategy *s, unsigned cpus, size_t bytes[PLACES])
{
	static const char *const bases[] = { [PER_MM] = "mm.", [PER_CPU] = "cpu.", [PER_TASK] = "task." };
	const size_t mask = (cpus + 63) / 64 * 8;

	memset(bytes, 0, PLACES * sizeof(*bytes));
	for (size_t i = 0; i < dvm_strategy_words(s); i++) {
		struct dvm_strategy_word w;
		unsigned place = PER_MM;

		if (dvm_strategy_get_word(s, i, &w))
			continue;
		while (place < IN_ALL && strncmp(w.name, bases[place], strlen(bases[place])) != 0)
			place++;
		bytes[place] += w.mask ? mask : 8;
	}
}

static int row(FILE *out, const struct setting *at, const char *name)
{
	struct dvm_strategy *s;
	size_t bytes[PLACES];
	int status = cli_load_strategy(name, &s);

	if (status)
		return status;
	count_bytes(s, at->cpus, bytes);
	fprintf(out, "| %s | %zu | %zu | %zu |", dvm_strategy_name(s), bytes[PER_MM], bytes[PER_CPU],
		bytes[PER_TASK] + bytes[IN_ALL]);
	for (size_t i = 0; i < SITUATIONS && !status; i++)
		status = cell(out, at, s, &situations[i]);
	fputc('\n', out);
	dvm_strategy_free(s);
	return status;
}

static unsigned cpus_of(const struct dvm_model *hw)
{
	static const char *const paths[] = { "topology.sockets", "topology.dies", "topology.clusters",
					     "topology.cores", "topology.threads" };
	struct dvm_param p = { .size = sizeof(p) };
	uint64_t n = 1;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!dvm_model_param_find(hw, paths[i], &p, NULL))
			n *= p.value;
	return n > 1024 ? 1024 : (unsigned)n;
}

static int load_setting(const struct cli_args *args, struct setting *at)
{
	const char *hw = cli_value(args, "model"), *kernel = cli_value(args, "kernel");
	struct dvm_error err;
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s/models", cli_data_dir());
	*at = (struct setting){ 0 };
	if (dvm_model_find(DVM_MODEL_HW, hw ? hw : "phytium-ftc862-8", dir, &at->hw, &err) ||
	    dvm_model_find(DVM_MODEL_KERNEL, kernel ? kernel : "linux-7.1", dir, &at->kernel, &err))
		return cli_fail(&err);
	at->cpus = cpus_of(at->hw);
	return CLI_OK;
}

static int print(FILE *out, const struct cli_args *args, const struct setting *at)
{
	size_t count = args->count;
	char **names = NULL;
	int status = count ? CLI_OK : cli_strategy_names(&names, &count);

	if (status)
		return status;
	fprintf(out, "Part %s, %u CPUs; kernel %s. Bytes kept; times in ns.\n\n",
		dvm_model_name(at->hw), at->cpus, dvm_model_name(at->kernel));
	fputs("| strategy | per mm | per CPU | other | switch | to a new CPU | flush, alone | "
	      "moved once | on all CPUs |\n", out);
	fputs("|---|---|---|---|---|---|---|---|---|\n", out);
	for (size_t i = 0; i < count && !status; i++)
		status = row(out, at, names ? names[i] : args->operands[i]);
	if (names)
		cli_free_names(names, count);
	return status;
}

static int run_cost(const struct cli_args *args)
{
	struct setting at;
	char *text = NULL;
	size_t size;
	int status = load_setting(args, &at);
	FILE *out = status ? NULL : open_memstream(&text, &size);

	if (!status && !out)
		status = cli_usage("out of memory");
	if (!status)
		status = print(out, args, &at);
	if (out && fclose(out) && !status)
		status = cli_usage("out of memory");
	if (!status)
		status = cli_write(NULL, text, size);
	free(text);
	dvm_model_free(at.hw);
	dvm_model_free(at.kernel);
	return status;
}

static const struct cli_option cost_options[] = {
	{ "model", 'm', "MODEL", "The part: a name or a file (default phytium-ftc862-8).", false },
	{ "kernel", 'k', "KERNEL", "The kernel configuration: a name or a file (default linux-7.1).",
	  false },
	{ 0 },
};

const struct cli_command cmd_strategy_cost = {
	.name = "strategy cost",
	.operands = "[STRATEGY]...",
	.summary = "Measure what strategies keep, and what a switch and a flush cost",
	.details =
		"Prints a table, in Markdown, of the strategies given or else of all that ship: the "
		"bytes each keeps per mm, per CPU and otherwise (per task, or once), from its "
		"declarations and the part's number of CPUs; and the simulated time of single events with "
		"warm caches on one part.\n\n"
		"Switch: the strategy's hooks when a CPU switches to an mm that ran there before. To a "
		"new CPU: when an mm comes to its second CPU. Flush: one page, unmapped by a "
		"thread of the mm, call to return: the mm ran on this CPU only; on another one before; "
		"its threads run on all CPUs. L, I and B say that local TLBIs, interrupts, broadcast "
		"TLBIs were used; \"stale\" that the oracle stopped the run. What a flush takes from "
		"other CPUs is not in it; 'dvmsim compare' has that.",
	.examples = "  dvmsim strategy cost\n"
		    "  dvmsim strategy cost -m neoverse-n1-80 always-broadcast active-cpu-v2",
	.options = cost_options,
	.max_operands = 1000,
	.run = run_cost,
};
