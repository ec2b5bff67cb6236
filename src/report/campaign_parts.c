/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include "report/text.h"

#include <stdio.h>
#include <string.h>

/* Of each part: what of the cost of a flush was measured, what was fitted, what is a guess. */

/* Groups a flush is paid in; the rest of a part is its size, its caches and its switches. */
static const char *const groups[] = { "tlbi.", "barrier.", "dvm.", "line.", "ipi.", "kernel." };

static bool in_a_flush(const char *path)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (!strncmp(path, groups[i], strlen(groups[i])))
			return true;
	return false;
}

static bool is_grounded(const char *source)
{
	return !strcmp(source, "derived") || !strcmp(source, "measured") || !strcmp(source, "paper") ||
	       !strcmp(source, "manual") || !strcmp(source, "architecture");
}

static void part(const struct dvm_model *model, const struct dvmi_doc *d)
{
	struct dvm_param p = { .size = sizeof(p) };
	const char *sets = dvm_model_calibrated_by(model), *note = dvm_model_note(model);
	size_t guessed = 0;
	char names[1024] = "none";
	size_t len = 0;

	for (size_t i = 0; i < dvm_model_param_count(model); i++) {
		if (dvm_model_param(model, i, &p) || !in_a_flush(p.path))
			continue;
		guessed += !strcmp(p.source, "estimate");
		if (!is_grounded(p.source))
			continue;
		if (len < sizeof(names) - 96)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.80s",
						len ? ", " : "", p.path);
	}
	dvmi_doc_item(d, "%s: %s%s%s. %s Of the numbers that flushes and the kernel's work are made "
		      "of, these have a source or a fit of their own: %s; the other %zu are estimates "
		      "with a range.",
		      dvm_model_name(model), dvm_model_status_name(model), *sets ? " by " : "", sets,
		      note ? note : "", names, guessed);
}

void dvmi_campaign_parts(const struct dvm_campaign *c, const struct dvmi_doc *d)
{
	char **values;

	if (dvmi_axis_values(c, SIZE_MAX, DVMI_AXIS_HW, &values)) {
		d->out->failed = 1;
		return;
	}
	dvmi_doc_heading(d, 2, "Parts: what is fitted, what is estimated");
	for (size_t i = 0; values && values[i]; i++) {
		struct dvm_model *model;

		if (dvm_model_find(DVM_MODEL_HW, values[i], c->options.models, &model, NULL))
			continue;
		part(model, d);
		dvm_model_free(model);
	}
	dvmi_axis_free(values);
	dvmi_doc_paragraph(d, "'dvmsim model show PART' gives each number with its source; "
			   "docs/validation.md sets what was measured beside what is simulated.");
}
