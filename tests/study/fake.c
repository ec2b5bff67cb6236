/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_result (*fake_rule)(const struct dvm_sim_options *options);

struct dvm_sim {
	struct fake_result result;
	struct dvm_stats stats;
};

static int failure(int code, struct dvm_error *err)
{
	if (code && err) {
		memset(err, 0, sizeof(*err));
		err->code = -code;
		strcpy(err->text, "stale: as the test wanted");
	}
	return code;
}

static int fake_new(const struct dvm_sim_options *options, struct dvm_sim **out,
		    struct dvm_error *err)
{
	struct fake_result r = fake_rule(options);
	struct dvm_sim *sim;

	if (r.new_code)
		return failure(r.new_code, err);
	sim = calloc(1, sizeof(*sim));
	sim->result = r;
	sim->stats.elapsed_ps = r.elapsed_ps ? r.elapsed_ps : 1000;
	sim->stats.events = 1000;
	sim->stats.copies = options->copies ? options->copies : 8;
	sim->stats.flush = r.flush;
	sim->stats.cpus_used = r.cpus_used;
	sim->stats.idle_ps = r.idle_ps;
	sim->stats.run_ps = r.run_ps;
	*out = sim;
	return 0;
}

static void fake_free(struct dvm_sim *sim)
{
	free(sim);
}

static int fake_run(struct dvm_sim *sim, struct dvm_error *err)
{
	return failure(sim->result.run_code, err);
}

static bool fake_is_random(const struct dvm_sim *sim)
{
	return sim->result.random;
}

static const struct dvm_stats *fake_stats(const struct dvm_sim *sim)
{
	return &sim->stats;
}

static int fake_work(const struct dvm_sim *sim, size_t index, struct dvm_work *work)
{
	if (index || sim->result.per_second == 0)
		return -DVM_ENOENT;
	*work = (struct dvm_work){ .name = "jobs", .count = 10,
				  .per_second = sim->result.per_second };
	return 0;
}

static int fake_step(const struct dvm_sim *sim, size_t index, struct dvm_step *step)
{
	(void)sim;
	if (index)
		return -DVM_ENOENT;
	*step = (struct dvm_step){ "flush", 7, "tlbi is", 3, 3000 };
	return 0;
}

const struct dvmi_engine fake_engine = { fake_new,   fake_free, fake_run, fake_is_random,
					 fake_stats, fake_work, fake_step };

struct dvm_model *fake_model(enum dvm_model_kind kind, const char *name)
{
	struct dvm_model *model = NULL;

	ck_assert_int_eq(dvm_model_find(kind, name, DVMSIM_SOURCE_DIR "/models", &model, NULL), 0);
	return model;
}

struct dvm_strategy *fake_strategy(const char *name)
{
	struct dvm_strategy *s = NULL;
	struct dvm_error err;
	char text[256];

	snprintf(text, sizeof(text), "strategy %s\non flush:\n\tdsb ishst\n\tasid\n\ttlbi is\n\tsync ish\n"
		 "\tret\n", name);
	ck_assert_msg(!dvm_strategy_parse(text, name, &s, &err), "%s", err.text);
	return s;
}

struct dvm_study *fake_study(const struct dvm_study_options *options, const char *const *names)
{
	struct dvm_trace *trace = NULL;
	struct dvm_study *s = NULL;

	ck_assert_int_eq(dvm_study_new(options, &s, NULL), 0);
	s->engine = &fake_engine;
	for (; *names; names++)
		ck_assert_int_eq(dvm_study_take_strategy(s, fake_strategy(*names), NULL), 0);
	ck_assert_int_eq(dvm_study_take_model(s, fake_model(DVM_MODEL_HW, "generic-64"), NULL), 0);
	ck_assert_int_eq(dvm_study_take_model(s, fake_model(DVM_MODEL_KERNEL, "linux-7.1"), NULL),
			 0);
	ck_assert_int_eq(dvm_workload_generate("fork", 1, &trace, NULL), 0);
	ck_assert_int_eq(dvm_study_take_trace(s, "dir/fork.dvt", trace, NULL), 0);
	return s;
}

uint64_t fake_param(const struct dvm_sim_options *options, const char *path)
{
	struct dvm_param p = { .size = sizeof(p) };

	ck_assert_int_eq(dvm_model_param_find(options->hw, path, &p, NULL), 0);
	return p.value;
}
