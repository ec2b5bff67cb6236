/* SPDX-License-Identifier: MIT */
#include "campaign/campaign.h"

#include "model/params.h"

#include <dvmsim/sim.h>

#include <inttypes.h>
#include <string.h>

/* The command that repeats one site, from the top of the tree or with what is installed. */

static void word(struct dvmi_buf *out, const char *option, const char *text)
{
	bool plain = text[strcspn(text, " '\"$&;|<>()*?!\\`")] == '\0';

	dvmi_buf_printf(out, plain ? " %s %s" : " %s '%s'", option, text);
}

static void set(struct dvmi_buf *out, const char *path, bool kernel, uint64_t value)
{
	const struct dvmi_param_def *defs = kernel ? dvmi_kernel_defs : dvmi_hw_defs;
	size_t i = 0, n = kernel ? dvmi_kernel_def_count : dvmi_hw_def_count;
	char buf[DVMI_PARAM_WORD_MAX];

	while (i + 1 < n && strcmp(defs[i].path, path) != 0)
		i++;
	if (defs[i].type == DVMI_PARAM_INT)
		dvmi_buf_printf(out, " --set %s=%" PRIu64, path, value);
	else
		dvmi_buf_printf(out, " --set %s=%s", path, dvmi_param_word(&defs[i], value, buf));
}

static void models(const struct dvmi_question *q, const struct dvmi_site *site,
		   struct dvmi_buf *out)
{
	const struct dvmi_environment *env = &q->environments[site->environment];

	word(out, "-m", q->hw.names[site->hw]);
	word(out, "-k", q->kernels.names[site->kernel]);
	for (size_t i = 0; i < env->count; i++)
		set(out, env->settings[i].path, env->settings[i].kernel, env->settings[i].value);
	if (q->vary_path)
		set(out, q->vary_path, q->vary_kernel, q->vary[site->vary]);
	if (q->cpus && q->cpus[site->cpus])
		dvmi_buf_printf(out, " --cpus %" PRIu64, q->cpus[site->cpus]);
}

/* compare puts its baseline first and takes its models' names as they are. */
void dvmi_site_command(const struct dvm_campaign *c, const struct dvmi_site *site,
		       struct dvmi_buf *out)
{
	static const char *const sensitivities[] = { "signs", "off", "all" };
	const struct dvmi_question *q = &c->questions[site->question];

	dvmi_buf_puts(out, "dvmsim compare");
	if (!strncmp(site->workload, "trace:", 6))
		word(out, "-t", site->workload + 6);
	else
		word(out, "-w", site->workload);
	models(q, site, out);
	if (strcmp(q->baseline, "always-broadcast") != 0)
		word(out, "-b", q->baseline);
	for (size_t i = 0; i < q->strategies.count; i++)
		if (strcmp(q->strategies.names[i], q->baseline) != 0)
			word(out, "-s", q->strategies.names[i]);
	dvmi_buf_printf(out, " -n %" PRIu64, q->seeds);
	if (q->first_seed != 1)
		dvmi_buf_printf(out, " --seed %" PRIu64, q->first_seed);
	if (q->copies)
		dvmi_buf_printf(out, " -c %" PRIu64, q->copies);
	if (q->schedule == DVM_SIM_RECORDED)
		dvmi_buf_puts(out, " --schedule recorded");
	if (q->migrate_hz && q->migrate_hz[site->migrate])
		dvmi_buf_printf(out, " --migrate %" PRIu64, q->migrate_hz[site->migrate]);
	if (q->sensitivity)
		dvmi_buf_printf(out, " --sensitivity %s", sensitivities[q->sensitivity]);
	if (q->budget)
		dvmi_buf_printf(out, " --budget %" PRIu64, q->budget);
}

const char *dvmi_question_subject(const struct dvmi_question *q)
{
	if (q->subject)
		return q->subject;
	return q->strategies.names[!strcmp(q->strategies.names[0], q->baseline)];
}
