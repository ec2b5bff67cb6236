/* SPDX-License-Identifier: MIT */
#include "run.h"

#include "check_main.h"

#include <dvmsim/workload.h>

#include <stdio.h>
#include <string.h>

static void must(int ret, const struct dvm_error *err)
{
	char text[1024] = "";

	if (ret)
		dvm_error_format(err, text, sizeof(text));
	ck_assert_msg(!ret, "%s", text);
}

void run_init(struct run *r)
{
	memset(r, 0, sizeof(*r));
	must(dvm_model_find(DVM_MODEL_HW, "teaching-4", DVMSIM_SOURCE_DIR "/models", &r->hw,
			    &r->err), &r->err);
	must(dvm_model_find(DVM_MODEL_KERNEL, "linux-7.1", DVMSIM_SOURCE_DIR "/models", &r->kernel,
			    &r->err), &r->err);
}

void run_hw(struct run *r, const char *part)
{
	dvm_model_free(r->hw);
	must(dvm_model_find(DVM_MODEL_HW, part, DVMSIM_SOURCE_DIR "/models", &r->hw, &r->err),
	     &r->err);
}

void run_set(struct run *r, const char *path, uint64_t value)
{
	must(dvm_model_set(r->hw, path, value, &r->err), &r->err);
}

void run_set_kernel(struct run *r, const char *path, uint64_t value)
{
	must(dvm_model_set(r->kernel, path, value, &r->err), &r->err);
}

void run_strategy(struct run *r, const char *text)
{
	must(dvm_strategy_parse(text, "test", &r->strategy, &r->err), &r->err);
}

void run_shipped(struct run *r, const char *strategy)
{
	char path[512];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/models/strategies/%s.strategy", strategy);
	must(dvm_strategy_load(path, &r->strategy, &r->err), &r->err);
}

void run_trace(struct run *r, unsigned ncpus, const struct dvm_trace_record *records, size_t count)
{
	char header[256];

	snprintf(header, sizeof(header),
		 "{\"format\":\"dvmsim.trace/1\",\"source\":\"test\",\"ncpus\":%u,"
		 "\"page_bytes\":4096,\"va_bits\":48,\"marks\":[\"done\"]}", ncpus);
	must(dvm_trace_new(header, &r->trace, &r->err), &r->err);
	must(dvm_trace_append(r->trace, records, count, &r->err), &r->err);
}

void run_workload(struct run *r, const char *spec)
{
	must(dvm_workload_generate(spec, 1, &r->trace, &r->err), &r->err);
}

void run_load(struct run *r, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), DVMSIM_SOURCE_DIR "/traces/%s.dvt", name);
	must(dvm_trace_load(path, 0, &r->trace, &r->err), &r->err);
}

void run_kernel(struct run *r, const char *kernel)
{
	dvm_model_free(r->kernel);
	must(dvm_model_find(DVM_MODEL_KERNEL, kernel, DVMSIM_SOURCE_DIR "/models", &r->kernel,
			    &r->err), &r->err);
}

void run_go(struct run *r, unsigned copies, uint64_t seed)
{
	struct dvm_sim_options o = r->options;

	o.size = sizeof(o);
	o.hw = r->hw;
	o.kernel = r->kernel;
	o.strategy = r->strategy;
	o.trace = r->trace;
	o.copies = copies;
	o.seed = seed;
	must(dvm_sim_new(&o, &r->sim, &r->err), &r->err);
	r->ret = dvm_sim_run(r->sim, &r->err);
	r->stats = dvm_sim_stats(r->sim);
}

void run_fini(struct run *r)
{
	dvm_sim_free(r->sim);
	dvm_trace_free(r->trace);
	dvm_strategy_free(r->strategy);
	dvm_model_free(r->kernel);
	dvm_model_free(r->hw);
}

const struct dvmi_hw *run_params(const struct run *r)
{
	return dvmi_model_hw(r->hw);
}
