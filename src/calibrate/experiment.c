/* SPDX-License-Identifier: MIT */
#include "calibrate/calibrate.h"

#include "base/mem.h"
#include "model/params.h"

#include <dvmsim/sim.h>
#include <dvmsim/trace.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * Each experiment is what was timed, written as a short trace and run by the timing machine; SUM
 * alone adds parameters up. Loops are steady after a few turns, so fewer turns are simulated than
 * were measured, and `scale` makes up for it.
 */
const char *const dvmi_experiment_names[DVMI_EXPERIMENTS] = {
	"tlbi-batch", "flush", "syscall", "issuers", "switches", "bystander", "sum",
};

#define VA UINT64_C(0x10000000)
#define PAGE 4096
#define CPUS_MAX 512
#define RECORDS_MAX 4000000

/* ---- a workload, record by record ---- */

struct script {
	struct dvm_trace *trace;
	size_t count;
	int ret;
	struct dvm_error *err;
};

static void put(struct script *s, struct dvm_trace_record r)
{
	if (!s->ret && s->count++ == RECORDS_MAX)
		s->ret = dvmi_error(s->err, DVM_ELIMIT, "calibration",
				    "an experiment needs more than %d records; use fewer loops",
				    RECORDS_MAX);
	if (!s->ret)
		s->ret = dvm_trace_append(s->trace, &r, 1, s->err);
}

static int script_begin(struct script *s, uint64_t cpus, struct dvm_error *err)
{
	char header[256];

	*s = (struct script){ .err = err };
	if (!cpus || cpus > CPUS_MAX)
		return dvmi_error(err, DVM_EINVAL, "calibration",
				  "an experiment needs %" PRIu64 " CPUs; from 1 to %d can be simulated",
				  cpus, CPUS_MAX);
	snprintf(header, sizeof(header),
		 "{\"format\":\"dvmsim.trace/1\",\"source\":\"experiment\",\"ncpus\":%" PRIu64
		 ",\"page_bytes\":%d,\"va_bits\":48,\"clock\":\"none\",\"marks\":[\"units\"]}",
		 cpus, PAGE);
	return dvm_trace_new(header, &s->trace, err);
}

/* Task and address space @n exist, and run on @cpu when @on. */
static void process(struct script *s, uint32_t n, uint16_t cpu, bool on)
{
	put(s, (struct dvm_trace_record){ .kind = DVM_TRACE_MM_NEW, .cpu = cpu, .mm = n,
					  .flags = DVM_TRACE_F_INITIAL });
	put(s, (struct dvm_trace_record){ .kind = DVM_TRACE_TASK_NEW, .cpu = cpu, .task = n,
					  .mm = n, .flags = DVM_TRACE_F_INITIAL });
	if (on)
		put(s, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .cpu = cpu, .task = n,
						  .mm = n, .flags = DVM_TRACE_F_INITIAL });
}

static void run(struct script *s, uint32_t n, uint16_t cpu, uint64_t ns)
{
	if (ns)
		put(s, (struct dvm_trace_record){ .kind = DVM_TRACE_RUN, .cpu = cpu, .task = n,
						  .amount = ns, .flags = DVM_TRACE_F_TIME });
}

static void flush(struct script *s, uint32_t n, uint16_t cpu, unsigned op, uint64_t pages,
		  unsigned flags)
{
	put(s, (struct dvm_trace_record){
		.kind = DVM_TRACE_FLUSH, .cpu = cpu, .task = n, .mm = n, .va = VA, .amount = pages,
		.op = (uint8_t)op, .request = DVM_TRACE_REQ_RANGE, .stride_shift = 12,
		.level = flags & DVM_TRACE_F_LEAF ? 3 : DVM_TRACE_LEVEL_UNKNOWN,
		.flags = (uint16_t)flags });
}

static void operation(struct script *s, uint32_t n, uint16_t cpu, unsigned op, uint64_t pages,
		      uint64_t flush_pages)
{
	struct dvm_trace_record r = { .kind = DVM_TRACE_OP_BEGIN, .cpu = cpu, .task = n, .mm = n,
				      .op = (uint8_t)op, .va = VA, .amount = pages * PAGE,
				      .flags = DVM_TRACE_F_MODELLED };
	uint64_t left = pages;

	put(s, r);
	if (op == DVM_TRACE_OP_FORK) {
		put(s, (struct dvm_trace_record){
			.kind = DVM_TRACE_FLUSH, .cpu = cpu, .task = n, .mm = n, .op = (uint8_t)op,
			.request = DVM_TRACE_REQ_ASID, .level = DVM_TRACE_LEVEL_UNKNOWN });
		left = 0;
	}
	while (left) {
		uint64_t now = flush_pages && left > flush_pages ? flush_pages : left;

		flush(s, n, cpu, op, now, DVM_TRACE_F_LEAF);
		left -= now;
	}
	r.kind = DVM_TRACE_OP_END;
	r.va = r.amount = 0;
	r.flags = 0;
	put(s, r);
}

/* ---- running it ---- */

struct result {
	struct dvm_stats stats;
	struct dvm_work units;
};

static int simulate(struct script *s, const struct dvmi_experiment *e, const struct dvm_model *hw,
		    const struct dvm_model *kernel, struct result *result)
{
	struct dvm_sim_options options = { .size = sizeof(options), .hw = hw, .kernel = kernel,
					   .strategy = e->strategy, .trace = s->trace, .copies = 1,
					   .working_set_pages = 1 };
	struct dvm_sim *sim = NULL;
	int ret = s->ret;

	if (!ret)
		ret = dvm_sim_new(&options, &sim, s->err);
	if (!ret)
		ret = dvm_sim_run(sim, s->err);
	if (!ret) {
		result->stats = *dvm_sim_stats(sim);
		if (dvm_sim_work(sim, 0, &result->units))
			result->units = (struct dvm_work){ 0 };
	}
	dvm_sim_free(sim);
	dvm_trace_free(s->trace);
	return ret;
}

static uint64_t ns_of(const struct dvmi_experiment *e, const double *unknowns)
{
	return e->work == DVMI_CAL_NONE ? 0 : (uint64_t)(unknowns[e->work] / 1000);
}

/* What is lost by writing the work in whole nanoseconds. */
static double ps_rest(const struct dvmi_experiment *e, const double *unknowns)
{
	return e->work == DVMI_CAL_NONE ? 0 :
	       unknowns[e->work] - (double)(uint64_t)(unknowns[e->work] / 1000) * 1000;
}

static uint64_t pages_of(const struct dvmi_experiment *e, double x)
{
	double pages = x * e->per_x;

	return pages >= 1 ? (uint64_t)pages : 1;
}

/* One task on one CPU; @times 0: what a run takes that does nothing but begin. */
static int lone_run(const struct dvmi_experiment *e, const struct dvm_model *hw,
		    const struct dvm_model *kernel, uint64_t pages, unsigned times, double *ps,
		    struct dvm_error *err)
{
	struct result result;
	struct script s;
	int ret = script_begin(&s, 1, err);

	if (ret)
		return ret;
	process(&s, 1, 0, true);
	for (unsigned i = 0; i < times; i++) {
		if (e->kind == DVMI_EXP_SYSCALL)
			operation(&s, 1, 0, e->op, pages, e->flush_pages);
		else
			flush(&s, 1, 0, DVM_TRACE_OP_OTHER, pages, 0);
	}
	ret = simulate(&s, e, hw, kernel, &result);
	if (!ret)
		*ps = (double)result.stats.elapsed_ps;
	return ret;
}

static int lone(const struct dvmi_experiment *e, const struct dvm_model *hw,
		const struct dvm_model *kernel, double x, double *ps, struct dvm_error *err)
{
	double begin = 0, end = 0;
	int ret = lone_run(e, hw, kernel, pages_of(e, x), 0, &begin, err);

	if (!ret)
		ret = lone_run(e, hw, kernel, pages_of(e, x), 1, &end, err);
	if (!ret)
		*ps = end - begin;
	return ret;
}

/* Without the call and without a limit on the number of operations: bare instructions. */
static int tlbi_batch(const struct dvmi_experiment *e, const struct dvm_model *hw,
		      const struct dvm_model *kernel, double x, double *ps, struct dvm_error *err)
{
	struct dvm_model *bare_hw = NULL, *bare = NULL;
	int ret = dvm_model_clone(kernel, &bare);

	if (!ret)
		ret = dvm_model_clone(hw, &bare_hw);
	if (ret)
		ret = dvmi_error_nomem(err);
	if (!ret)
		ret = dvm_model_set(bare, "max_dvm_ops", 65536, err);
	if (!ret)
		ret = dvm_model_set(bare, "range_tlbi", 0, err);
	if (!ret)
		ret = dvm_model_set(bare, "kpti", 0, err);
	if (!ret)
		ret = dvm_model_set(bare_hw, "kernel.flush_call_ps", 0, err);
	if (!ret)
		ret = lone(e, bare_hw, bare, x, ps, err);
	dvm_model_free(bare);
	dvm_model_free(bare_hw);
	return ret;
}

/* One turn of process @n's loop on @cpu. */
static void turn(struct script *s, const struct dvmi_experiment *e, uint32_t n, uint16_t cpu,
		 uint64_t i)
{
	unsigned flags = DVM_TRACE_F_LEAF | (e->batch ? DVM_TRACE_F_NOSYNC : 0);

	for (uint64_t f = 0; f < e->flushes; f++) {
		if (e->op)
			operation(s, n, cpu, e->op, e->pages, 0);
		else
			flush(s, n, cpu, DVM_TRACE_OP_OTHER, e->pages, flags);
	}
	if (e->batch && (i + 1) % e->batch == 0)
		put(s, (struct dvm_trace_record){ .kind = DVM_TRACE_BATCH_FLUSH, .cpu = cpu,
						  .task = n });
}

/* CPUs 0 to n-1, a process each, all in the same loop. */
static int issuers_run(const struct dvmi_experiment *e, const struct dvm_model *hw,
		       const struct dvm_model *kernel, uint64_t cpus, uint64_t work,
		       uint64_t loops, double *ps, struct dvm_error *err)
{
	struct result result;
	struct script s;
	int ret = script_begin(&s, cpus, err);

	if (ret)
		return ret;
	for (uint64_t c = 0; c < cpus; c++) {
		process(&s, (uint32_t)c + 1, (uint16_t)c, true);
		for (uint64_t i = 0; i < loops && !s.ret; i++) {
			run(&s, (uint32_t)c + 1, (uint16_t)c, work);
			turn(&s, e, (uint32_t)c + 1, (uint16_t)c, i);
		}
	}
	ret = simulate(&s, e, hw, kernel, &result);
	if (!ret)
		*ps = (double)result.stats.elapsed_ps;
	return ret;
}

/* The measured loops; the work's rest below a nanosecond is added again. */
static double scaled(const struct dvmi_experiment *e, const double *unknowns, double ps)
{
	return (ps + (double)e->loops * ps_rest(e, unknowns)) * e->scale;
}

static int issuers(const struct dvmi_experiment *e, const struct dvm_model *hw,
		   const struct dvm_model *kernel, const double *unknowns, double x, double *ps,
		   struct dvm_error *err)
{
	uint64_t cpus = e->cpus ? e->cpus : (uint64_t)x, work = ns_of(e, unknowns);
	double begin = 0, end = 0;
	int ret = issuers_run(e, hw, kernel, cpus, work, 0, &begin, err);

	if (!ret)
		ret = issuers_run(e, hw, kernel, cpus, work, e->loops, &end, err);
	if (!ret)
		*ps = scaled(e, unknowns, end - begin);
	return ret;
}

static int switches_run(const struct dvmi_experiment *e, const struct dvm_model *hw,
			const struct dvm_model *kernel, uint64_t work, uint64_t loops, double *ps,
			struct dvm_error *err)
{
	struct result result;
	struct script s;
	int ret = script_begin(&s, 1, err);

	if (ret)
		return ret;
	for (uint32_t n = 1; n <= e->cpus; n++)
		process(&s, n, 0, n == 1);
	for (uint64_t i = 0; i < loops && !s.ret; i++) {
		uint32_t n = (uint32_t)((i + 1) % e->cpus) + 1;

		run(&s, (uint32_t)(i % e->cpus) + 1, 0, work);
		put(&s, (struct dvm_trace_record){ .kind = DVM_TRACE_SWITCH, .task = n, .mm = n });
	}
	ret = simulate(&s, e, hw, kernel, &result);
	if (!ret)
		*ps = (double)result.stats.elapsed_ps;
	return ret;
}

static int switches(const struct dvmi_experiment *e, const struct dvm_model *hw,
		    const struct dvm_model *kernel, const double *unknowns, double *ps,
		    struct dvm_error *err)
{
	uint64_t work = ns_of(e, unknowns);
	double begin = 0, end = 0;
	int ret = switches_run(e, hw, kernel, work, 0, &begin, err);

	if (!ret)
		ret = switches_run(e, hw, kernel, work, e->loops, &end, err);
	if (!ret)
		*ps = scaled(e, unknowns, end - begin);
	return ret;
}

/* Units of work per second of CPU 0 while CPU 1, with noise, loops over mprotect of one page. */
static int bystander(const struct dvmi_experiment *e, const struct dvm_model *hw,
		     const struct dvm_model *kernel, double *rate, struct dvm_error *err)
{
	enum { UNITS = 2000, UNIT_NS = 1000, LOOPS = 1000 };
	struct result result;
	struct script s;
	int ret = script_begin(&s, 2, err);

	if (ret)
		return ret;
	process(&s, 1, 0, true);
	process(&s, 2, 1, true);
	for (unsigned i = 0; i < UNITS; i++) {
		run(&s, 1, 0, UNIT_NS);
		put(&s, (struct dvm_trace_record){ .kind = DVM_TRACE_MARK, .task = 1, .amount = 1 });
	}
	for (unsigned i = 0; i < LOOPS && e->noise; i++)
		operation(&s, 2, 1, DVM_TRACE_OP_MPROTECT, 1, 0);
	ret = simulate(&s, e, hw, kernel, &result);
	if (!ret)
		*rate = result.units.per_second * UNIT_NS / 1e9;
	return ret;
}

static int sum(const struct dvmi_experiment *e, const struct dvm_model *hw,
	       const struct dvm_model *kernel, const double *unknowns, double *ps,
	       struct dvm_error *err)
{
	struct dvm_param param = { .size = sizeof(param) };

	*ps = e->work == DVMI_CAL_NONE ? 0 : unknowns[e->work];
	for (size_t i = 0; i < e->nsum; i++) {
		int ret = dvm_model_param_find(hw, e->sum[i], &param, err);

		if (ret)
			return ret;
		*ps += (double)param.value;
	}
	(void)kernel;
	return 0;
}

/* ---- units ---- */

static const struct {
	const char *name;
	double ps;
} times[] = { { "ns", 1e3 }, { "us", 1e6 }, { "ms", 1e9 }, { "s", 1e12 } };

static bool is_time(const char *unit)
{
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (!strcmp(unit, times[i].name))
			return true;
	return !strcmp(unit, "cycles") || !strcmp(unit, "Mcycles");
}

bool dvmi_experiment_unit(const struct dvmi_experiment *e, const char *unit)
{
	if (e->kind == DVMI_EXP_BYSTANDER)
		return e->factor != DVMI_CAL_NONE;
	return e->rate ? !strcmp(unit, "M/s") : is_time(unit);
}

static double convert(double ps, const char *unit, const struct dvm_model *hw)
{
	double cycles = ps * (double)dvmi_model_hw(hw)->clock_core_khz / 1e9;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (!strcmp(unit, times[i].name))
			return ps / times[i].ps;
	return !strcmp(unit, "Mcycles") ? cycles / 1e6 : cycles;
}

int dvmi_experiment_run(const struct dvmi_experiment *e, const struct dvm_model *hw,
			const struct dvm_model *kernel, const double *unknowns, double x,
			const char *unit, double *value, struct dvm_error *err)
{
	double result = 0;
	int ret;

	switch (e->kind) {
	case DVMI_EXP_TLBI_BATCH:
		ret = tlbi_batch(e, hw, kernel, x, &result, err);
		break;
	case DVMI_EXP_FLUSH:
	case DVMI_EXP_SYSCALL:
		ret = lone(e, hw, kernel, x, &result, err);
		if (e->work != DVMI_CAL_NONE)
			result += unknowns[e->work];
		break;
	case DVMI_EXP_ISSUERS:
		ret = issuers(e, hw, kernel, unknowns, x, &result, err);
		break;
	case DVMI_EXP_SWITCHES:
		ret = switches(e, hw, kernel, unknowns, &result, err);
		break;
	case DVMI_EXP_BYSTANDER:
		ret = bystander(e, hw, kernel, &result, err);
		break;
	default:
		ret = sum(e, hw, kernel, unknowns, &result, err);
		break;
	}
	if (ret)
		return ret;
	if (e->kind == DVMI_EXP_BYSTANDER)
		*value = result * unknowns[e->factor];
	else if (e->rate)
		*value = result > 0 ? 1e6 / result : 0; /* picoseconds to millions per second */
	else
		*value = convert(result, unit, hw);
	return 0;
}
