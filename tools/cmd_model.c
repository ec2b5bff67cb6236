/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <dvmsim/model.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option json_option[] = {
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ NULL, 0, NULL, NULL, false },
};
static const struct cli_option no_options[] = {
	{ NULL, 0, NULL, NULL, false },
};

/* A growing text, so that output is whole or absent. */
struct text {
	char *data;
	size_t len;
	FILE *stream;
};

static int text_open(struct text *t)
{
	t->data = NULL;
	t->stream = open_memstream(&t->data, &t->len);
	return t->stream ? 0 : cli_usage("out of memory");
}

static int text_write(struct text *t)
{
	int status;

	if (fclose(t->stream)) {
		free(t->data);
		return cli_usage("out of memory");
	}
	status = cli_write(NULL, t->data, t->len);
	free(t->data);
	return status;
}

static const char *models_dir(void)
{
	static char dir[4096];

	snprintf(dir, sizeof(dir), "%s/models", cli_data_dir());
	return dir;
}

/* Names of the models that ship are short; their files are long and the same for everyone. */
static const char *short_file(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

static int open_model(const char *name, struct dvm_model **model)
{
	struct dvm_error err;

	return dvm_model_find(DVM_MODEL_ANY, name, models_dir(), model, &err) ? cli_fail(&err) : 0;
}

/* The value as the file spells it. */
static const char *spell(const struct dvm_param *p, uint64_t value, char *buf, size_t size)
{
	const char *word = p->type == DVM_PARAM_BOOL ? "false|true" : p->words;

	if (p->type == DVM_PARAM_INT) {
		snprintf(buf, size, "%" PRIu64, value);
		return buf;
	}
	while (value-- && strchr(word, '|'))
		word = strchr(word, '|') + 1;
	snprintf(buf, size, "%.*s", (int)strcspn(word, "|"), word);
	return buf;
}

static const char *range(const struct dvm_param *p, char *buf, size_t size)
{
	char lo[64], hi[64];

	buf[0] = '\0';
	if (p->ranged)
		snprintf(buf, size, "%s..%s", spell(p, p->lo, lo, sizeof(lo)),
			 spell(p, p->hi, hi, sizeof(hi)));
	return buf;
}

static const char *unit(const struct dvm_param *p)
{
	return p->type == DVM_PARAM_INT ? p->unit : "";
}

static void json_member(FILE *f, const char *key, const char *text)
{
	fprintf(f, "\"%s\": ", key);
	cli_json_string(f, text);
}

/* model list */

static void list_one(FILE *f, bool json, bool first, enum dvm_model_kind kind,
		     const struct dvm_model *m)
{
	if (!json) {
		fprintf(f, "%-24s %-11s %s\n", dvm_model_name(m), dvm_model_status_name(m),
			dvm_model_summary(m));
		return;
	}
	fprintf(f, "%s\n    { \"kind\": \"%s\", ", first ? "" : ",",
		kind == DVM_MODEL_HW ? "hw" : "kernel");
	json_member(f, "name", dvm_model_name(m));
	fputs(", ", f);
	json_member(f, "status", dvm_model_status_name(m));
	fputs(", ", f);
	json_member(f, "calibrated_by", dvm_model_calibrated_by(m));
	fputs(", ", f);
	json_member(f, "summary", dvm_model_summary(m));
	fputs(" }", f);
}

static int list_kind(FILE *f, bool json, enum dvm_model_kind kind, bool *first)
{
	struct dvm_model *model;
	struct dvm_error err;
	char *names, *save = NULL;
	int status = CLI_OK;

	if (dvm_model_names(kind, models_dir(), &names, &err))
		return cli_fail(&err);
	if (!json)
		fprintf(f, "%s:\n", kind == DVM_MODEL_HW ? "Hardware models" :
							   "\nKernel configurations");
	for (char *name = strtok_r(names, "\n", &save); name && !status;
	     name = strtok_r(NULL, "\n", &save)) {
		if (dvm_model_find(kind, name, models_dir(), &model, &err)) {
			status = cli_fail(&err);
			continue;
		}
		list_one(f, json, *first, kind, model);
		*first = false;
		dvm_model_free(model);
	}
	dvm_free(names);
	return status;
}

static int run_list(const struct cli_args *args)
{
	bool json = cli_flag(args, "json"), first = true;
	struct text t;
	int status = text_open(&t);

	if (status)
		return status;
	if (json)
		fputs("{\n  \"schema\": \"dvmsim.model-list/1\",\n  \"models\": [", t.stream);
	status = list_kind(t.stream, json, DVM_MODEL_HW, &first);
	if (!status)
		status = list_kind(t.stream, json, DVM_MODEL_KERNEL, &first);
	if (json)
		fputs("\n  ]\n}\n", t.stream);
	if (status) {
		fclose(t.stream);
		free(t.data);
		return status;
	}
	return text_write(&t);
}

/* model show */

static void show_text(FILE *f, const struct dvm_model *m)
{
	char value[64], bounds[160];

	fprintf(f, "name           %s\nsummary        %s\nfile           %s\nstatus         %s\n",
		dvm_model_name(m), dvm_model_summary(m), dvm_model_file(m),
		dvm_model_status_name(m));
	if (*dvm_model_calibrated_by(m))
		fprintf(f, "calibrated by  %s\n", dvm_model_calibrated_by(m));
	fprintf(f, "note           %s\n\n", dvm_model_note(m));
	fprintf(f, "%-26s %12s %-12s %-22s %-12s %-22s %s\n", "PARAMETER", "VALUE", "UNIT", "RANGE",
		"SOURCE", "FROM", "REFERENCE");
	for (size_t i = 0; i < dvm_model_param_count(m); i++) {
		struct dvm_param p = { .size = sizeof(p) };

		dvm_model_param(m, i, &p);
		fprintf(f, "%-26s %12s %-12s %-22s %-12s %-22s %s\n", p.path,
			spell(&p, p.value, value, sizeof(value)), unit(&p),
			range(&p, bounds, sizeof(bounds)), p.source, short_file(p.file), p.ref);
	}
}

static int run_show(const struct cli_args *args)
{
	struct dvm_model *model;
	struct text t;
	char *json;
	int status = open_model(args->operands[0], &model);

	if (status)
		return status;
	if (cli_flag(args, "json")) {
		if (dvm_model_to_json(model, &json)) {
			status = cli_usage("out of memory");
		} else {
			status = cli_write(NULL, json, strlen(json));
			dvm_free(json);
		}
	} else {
		status = text_open(&t);
		if (!status) {
			show_text(t.stream, model);
			status = text_write(&t);
		}
	}
	dvm_model_free(model);
	return status;
}

/* model lint */

struct lint {
	FILE *f;
	bool json;
	unsigned long count;
};

static void lint_finding(void *arg, const struct dvm_error *finding)
{
	struct lint *l = arg;
	char text[1024];

	if (!l->json) {
		dvm_error_format(finding, text, sizeof(text));
		fprintf(l->f, "%s\n", text);
	} else {
		fprintf(l->f, "%s\n    { ", l->count ? "," : "");
		json_member(l->f, "where", finding->where);
		fprintf(l->f, ", \"line\": %u, \"column\": %u, ", finding->line, finding->column);
		json_member(l->f, "text", finding->text);
		fputs(" }", l->f);
	}
	l->count++;
}

static int run_lint(const struct cli_args *args)
{
	struct lint l = { .json = cli_flag(args, "json") };
	struct dvm_error err;
	struct text t;
	int status = text_open(&t), worst = CLI_OK;

	if (status)
		return status;
	l.f = t.stream;
	if (l.json)
		fputs("{\n  \"schema\": \"dvmsim.lint/1\",\n  \"findings\": [", l.f);
	for (size_t i = 0; i < args->count; i++) {
		int n = dvm_model_lint(DVM_MODEL_ANY, args->operands[i], lint_finding, &l, &err);

		if (n < 0)
			worst = cli_fail(&err);
		else if (n > 0 && worst == CLI_OK)
			worst = CLI_FAILED;
	}
	if (l.json)
		fputs("\n  ]\n}\n", l.f);
	status = text_write(&t);
	return status ? status : worst;
}

/* model diff */

static bool same(const struct dvm_param *a, const struct dvm_param *b)
{
	return a->value == b->value && a->ranged == b->ranged &&
	       (!a->ranged || (a->lo == b->lo && a->hi == b->hi)) &&
	       !strcmp(a->source, b->source) && !strcmp(a->ref, b->ref);
}

static void diff_text(FILE *f, const struct dvm_param *p, const struct dvm_param *q)
{
	const struct dvm_param *both[] = { p, q };
	char value[64], bounds[160];

	for (int i = 0; i < 2; i++)
		fprintf(f, "%c %-26s %12s %-12s %-22s %-12s %s\n", i ? '+' : '-', both[i]->path,
			spell(both[i], both[i]->value, value, sizeof(value)), unit(both[i]),
			range(both[i], bounds, sizeof(bounds)), both[i]->source, both[i]->ref);
}

static void diff_side(FILE *f, const char *key, const struct dvm_param *p)
{
	char value[64];
	bool quote = p->type == DVM_PARAM_ENUM;

	fprintf(f, "\"%s\": { \"value\": %s%s%s, ", key, quote ? "\"" : "",
		spell(p, p->value, value, sizeof(value)), quote ? "\"" : "");
	if (p->ranged) {
		fprintf(f, "\"range\": [%s%s%s, ", quote ? "\"" : "",
			spell(p, p->lo, value, sizeof(value)), quote ? "\"" : "");
		fprintf(f, "%s%s%s], ", quote ? "\"" : "", spell(p, p->hi, value, sizeof(value)),
			quote ? "\"" : "");
	}
	json_member(f, "source", p->source);
	fputs(", ", f);
	json_member(f, "ref", p->ref);
	fputs(" }", f);
}

static void diff_json(FILE *f, bool first, const struct dvm_param *p, const struct dvm_param *q)
{
	fprintf(f, "%s\n    { \"path\": \"%s\", \"unit\": \"%s\", ", first ? "" : ",", p->path,
		p->unit);
	diff_side(f, "a", p);
	fputs(", ", f);
	diff_side(f, "b", q);
	fputs(" }", f);
}

static int diff_models(const struct dvm_model *a, const struct dvm_model *b, bool json)
{
	size_t count = dvm_model_param_count(a), differ = 0;
	struct text t;
	int status = text_open(&t);

	if (status)
		return status;
	if (json) {
		fputs("{\n  \"schema\": \"dvmsim.model-diff/1\",\n  ", t.stream);
		json_member(t.stream, "a", dvm_model_name(a));
		fputs(",\n  ", t.stream);
		json_member(t.stream, "b", dvm_model_name(b));
		fputs(",\n  \"params\": [", t.stream);
	} else {
		fprintf(t.stream, "--- %s\n+++ %s\n", dvm_model_name(a), dvm_model_name(b));
	}
	for (size_t i = 0; i < count; i++) {
		struct dvm_param p = { .size = sizeof(p) }, q = { .size = sizeof(q) };

		dvm_model_param(a, i, &p);
		dvm_model_param(b, i, &q);
		if (same(&p, &q))
			continue;
		if (json)
			diff_json(t.stream, !differ, &p, &q);
		else
			diff_text(t.stream, &p, &q);
		differ++;
	}
	if (json)
		fputs("\n  ]\n}\n", t.stream);
	status = text_write(&t);
	return status ? status : differ ? CLI_FAILED : CLI_OK;
}

static int run_diff(const struct cli_args *args)
{
	struct dvm_model *a, *b;
	int status = open_model(args->operands[0], &a);

	if (status)
		return status;
	status = open_model(args->operands[1], &b);
	if (!status) {
		if (dvm_model_kind(a) != dvm_model_kind(b))
			status = cli_usage("model diff: one is a hardware model, the other a "
					   "kernel configuration");
		else
			status = diff_models(a, b, cli_flag(args, "json"));
		dvm_model_free(b);
	}
	dvm_model_free(a);
	return status;
}

/* model schema */

static int run_schema(const struct cli_args *args)
{
	const char *kind = args->operands[0];
	char *text;
	int status;

	if (strcmp(kind, "hw") != 0 && strcmp(kind, "kernel") != 0)
		return cli_usage("model schema: '%s' is neither hw nor kernel", kind);
	if (dvm_model_schema(!strcmp(kind, "hw") ? DVM_MODEL_HW : DVM_MODEL_KERNEL, &text))
		return cli_usage("out of memory");
	status = cli_write(NULL, text, strlen(text));
	dvm_free(text);
	return status;
}

const struct cli_command cmd_model_list = {
	.name = "model list",
	.operands = "",
	.summary = "List the hardware models and kernel configurations that ship",
	.details = "One line for each: name, status (calibrated, estimated, teaching) and summary.",
	.examples = "  dvmsim model list",
	.options = json_option,
	.run = run_list,
};

const struct cli_command cmd_model_show = {
	.name = "model show",
	.operands = "NAME|FILE",
	.summary = "Show every parameter of a model with its source",
	.details = "One line for each parameter: value, unit, range where it has one, source, the "
		   "file that gave it (the model's own or one it inherits), and reference.\n\n"
		   "With -j, the resolved model, which can be read back as a file.",
	.examples = "  dvmsim model show neoverse-n1-80\n"
		    "  dvmsim model show linux-7.1 -j",
	.options = json_option,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_show,
};

const struct cli_command cmd_model_lint = {
	.name = "model lint",
	.operands = "FILE...",
	.summary = "Report everything that is wrong with model files",
	.details = "One line for each finding: file, JSON pointer, sentence. The exit status is 1 "
		   "when there are findings, 2 when a file can not be read.",
	.examples = "  dvmsim model lint models/hw/*.json",
	.options = json_option,
	.min_operands = 1,
	.max_operands = 4096,
	.run = run_lint,
};

const struct cli_command cmd_model_diff = {
	.name = "model diff",
	.operands = "NAME|FILE NAME|FILE",
	.summary = "Show where two models of one kind differ",
	.details = "Parameters whose value, range, source or reference differ. The exit status is "
		   "1 when there are any, 0 when there are none.",
	.examples = "  dvmsim model diff neoverse-n1-80 neoverse-n1-128",
	.options = json_option,
	.min_operands = 2,
	.max_operands = 2,
	.run = run_diff,
};

const struct cli_command cmd_model_schema = {
	.name = "model schema",
	.operands = "hw|kernel",
	.summary = "Print the JSON Schema of a kind of model",
	.details = "The same text ships as models/hw.schema.json and models/kernel.schema.json.",
	.examples = "  dvmsim model schema hw",
	.options = no_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_schema,
};
