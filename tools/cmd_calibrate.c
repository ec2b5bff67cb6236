/* SPDX-License-Identifier: MIT */
/* dvmsim calibrate */
#include "cli.h"

#include <dvmsim/calibrate.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const uses[] = { "fit", "check", "none" };
static const char *const states[] = { "determined", "no effect", "only a sum", "at its bound" };

/* The fits that were asked for, by number. */
struct choice {
	struct dvm_calibration *cal;
	size_t *fits, count;
};

static const char *percent(double value, double measured, char *buf, size_t size)
{
	if (isnan(value))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%+.1f %%", (value / measured - 1) * 100);
	return buf;
}

static const char *number(double value, char *buf, size_t size)
{
	if (isnan(value))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%.5g", value);
	return buf;
}

/* ---- text ---- */

static void text_params(FILE *out, const struct choice *c, size_t fit)
{
	struct dvm_calibration_param p;

	for (size_t i = 0; !dvm_calibration_get_param(c->cal, fit, i, &p); i++) {
		if (!i)
			fprintf(out, "  %-28s %-7s %12s %12s\n", "free parameter", "unit", "model",
				"fitted");
		fprintf(out, "  %-28s %-7s %12.0f %12.0f  %s\n", p.path, p.unit, p.shipped, p.fitted,
			states[p.state]);
	}
}

static void text_rows(FILE *out, const struct choice *c, size_t fit)
{
	struct dvm_calibration_row r;
	char a[32], b[32], d[32], e[32];

	fprintf(out, "  %-4s %-34s %-13s %-7s %10s %9s %9s %9s  %s\n", "set", "workload", "x", "unit",
		"measured", "model", "fitted", "left out", "use");
	for (size_t i = 0; !dvm_calibration_get_row(c->cal, fit, i, &r); i++) {
		fprintf(out, "  %-4s %-34.34s %-13s %-7s %10s %9s %9s %9s  %s\n", r.id, r.workload, r.x,
			r.unit, number(r.measured, e, sizeof(e)),
			percent(r.shipped, r.measured, a, sizeof(a)),
			percent(r.fitted, r.measured, b, sizeof(b)),
			percent(r.left_out, r.measured, d, sizeof(d)), uses[r.use]);
		if (r.note)
			fprintf(out, "       %s\n", r.note);
	}
}

static void print_text(FILE *out, const struct choice *c)
{
	struct dvm_calibration_info info;

	for (size_t i = 0; i < c->count; i++) {
		dvm_calibration_get(c->cal, c->fits[i], &info);
		fprintf(out, "%s%s: %s, %s\n  ", i ? "\n" : "", info.name, info.model, info.kernel);
		cli_wrap(out, info.note, 2, 2);
		text_params(out, c, c->fits[i]);
		text_rows(out, c, c->fits[i]);
	}
	fprintf(out, "\nColumns: \"model\" is the deviation of the model as it ships, \"fitted\" that "
		"after the fit, \"left out\"\nthat of the row predicted from the other rows. A row \"fit\" "
		"agrees because it was fitted to; only\n\"check\" and \"left out\" predict.\n");
}

/* ---- markdown: docs/validation.md ---- */

static const char intro[] =
"# What was measured, what is simulated\n"
"\n"
"This page is the output of `dvmsim calibrate --markdown`; a test compares them. It sets every\n"
"published measurement that the project knows (models/calibration/published.csv, with sources)\n"
"beside what the simulator says, and shows how the models were fitted.\n"
"\n"
"Read it with three things in mind.\n"
"\n"
"- A row marked *fit* agrees because a parameter was fitted to it. Agreement there says that the\n"
"  form of the model can follow the data, and nothing more. *Left out* is a real prediction: the\n"
"  same fit, made without that row.\n"
"- A row marked *check* was not used in its fit.\n"
"- *Model* is the model as it ships. Its values were rounded and split by hand\n"
"  (provenance.md); *fitted* is what least squares makes of the same data.\n"
"\n"
"What no row here validates:\n"
"\n"
"- how the time of one DSB grows with the number of cores on a part with 64 or more: nobody has\n"
"  published it;\n"
"- several issuers on any part, but for one AmpereOne and one eMAG, each with one number that is\n"
"  an upper bound;\n"
"- how a sum of latencies splits over the messages of the fabric;\n"
"- what bystanders lose, but for one ratio on one part;\n"
"- TLB refill costs, cache effects, the scheduler's costs on anything but one board;\n"
"- where the scheduler places and preempts tasks: its rules are the kernel's, averages of load are\n"
"  simpler (model.md), and no placement was compared with a trace of an arm64 machine here;\n"
"- preempt_disable, migrate_disable and RT's sleeping locks: C9 was measured on x86, the rest is\n"
"  estimated;\n"
"- virtual machines: what HCR_EL2.FB and BSU do is architecture, but the cost of an exit, of\n"
"  vcpu_load and of a vCPU's move, stage 2 and its TLB entries are estimates. C5 measures a\n"
"  hypervisor's own stage-2 flushes, not a guest's;\n"
"- SMMU, with notifier and command queue or with BTM: estimates;\n"
"- TLBI domains, filters, clusters that are snooped as one: no product's are published;\n"
"- the repeated TLBI, the SME work-around, range TLBI, contiguous entries: rules of the kernel and\n"
"  the architecture with the costs of the operations above; no measurement shows them alone;\n"
"- the IPI: C11 is from x86 and second-hand;\n"
"- generators: synthetic, their work and rates are choices. Captured traces come from virtual\n"
"  machines; traces/README.md says what that leaves out;\n"
"- any end-to-end result. Improvements quoted in the review thread were not used; they stand beside\n"
"  what is simulated of like workloads in 'dvmsim study published'.\n";

static void cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void markdown_fit(FILE *out, const struct choice *c, size_t fit)
{
	struct dvm_calibration_info info;
	struct dvm_calibration_param p;
	struct dvm_calibration_row r;
	char a[32], b[32], d[32], e[32];

	dvm_calibration_get(c->cal, fit, &info);
	fprintf(out, "\n## %s\n\nModel %s, kernel configuration %s. %s\n\n", info.name, info.model,
		info.kernel, info.note);
	for (size_t i = 0; !dvm_calibration_get_param(c->cal, fit, i, &p); i++) {
		if (!i)
			fprintf(out, "| free parameter | unit | model | fitted | |\n|---|---|---|---|---|\n");
		fprintf(out, "| %s | %s | %.0f | %.0f | %s |\n", p.path, p.unit, p.shipped, p.fitted,
			states[p.state]);
	}
	fprintf(out, "%s| set | workload | x | measured | model | fitted | left out | use |\n"
		"|---|---|---|---|---|---|---|---|\n", info.params ? "\n" : "");
	for (size_t i = 0; !dvm_calibration_get_row(c->cal, fit, i, &r); i++) {
		fprintf(out, "| %s | ", r.id);
		cell(out, r.workload);
		fprintf(out, " | %s | %s %s | %s | %s | %s | %s%s", r.x,
			number(r.measured, e, sizeof(e)), r.unit,
			percent(r.shipped, r.measured, a, sizeof(a)),
			percent(r.fitted, r.measured, b, sizeof(b)),
			percent(r.left_out, r.measured, d, sizeof(d)), uses[r.use], r.note ? ": " : "");
		if (r.note)
			cell(out, r.note);
		fprintf(out, " |\n");
	}
}

static void print_markdown(FILE *out, const struct choice *c)
{
	fputs(intro, out);
	for (size_t i = 0; i < c->count; i++)
		markdown_fit(out, c, c->fits[i]);
}

/* ---- JSON ---- */

static void json_number(FILE *out, const char *key, double value)
{
	if (isfinite(value))
		fprintf(out, ", \"%s\": %.9g", key, value);
	else
		fprintf(out, ", \"%s\": null", key);
}

static void json_fit(FILE *out, const struct choice *c, size_t fit)
{
	struct dvm_calibration_info info;
	struct dvm_calibration_param p;
	struct dvm_calibration_row r;

	dvm_calibration_get(c->cal, fit, &info);
	fprintf(out, "\t\t{\n\t\t\t\"name\": ");
	cli_json_string(out, info.name);
	fprintf(out, ",\n\t\t\t\"model\": ");
	cli_json_string(out, info.model);
	fprintf(out, ",\n\t\t\t\"kernel\": ");
	cli_json_string(out, info.kernel);
	fprintf(out, ",\n\t\t\t\"params\": [");
	for (size_t i = 0; !dvm_calibration_get_param(c->cal, fit, i, &p); i++) {
		fprintf(out, "%s\n\t\t\t\t{ \"path\": ", i ? "," : "");
		cli_json_string(out, p.path);
		fprintf(out, ", \"unit\": ");
		cli_json_string(out, p.unit);
		json_number(out, "model", p.shipped);
		json_number(out, "fitted", p.fitted);
		fprintf(out, ", \"state\": \"%s\" }", states[p.state]);
	}
	fprintf(out, "\n\t\t\t],\n\t\t\t\"rows\": [");
	for (size_t i = 0; !dvm_calibration_get_row(c->cal, fit, i, &r); i++) {
		fprintf(out, "%s\n\t\t\t\t{ \"id\": ", i ? "," : "");
		cli_json_string(out, r.id);
		fprintf(out, ", \"workload\": ");
		cli_json_string(out, r.workload);
		fprintf(out, ", \"x\": ");
		cli_json_string(out, r.x);
		fprintf(out, ", \"unit\": ");
		cli_json_string(out, r.unit);
		fprintf(out, ", \"use\": \"%s\"", uses[r.use]);
		json_number(out, "measured", r.measured);
		json_number(out, "model", r.shipped);
		json_number(out, "fitted", r.fitted);
		json_number(out, "left_out", r.left_out);
		fprintf(out, " }");
	}
	fprintf(out, "\n\t\t\t]\n\t\t}");
}

static void print_json(FILE *out, const struct choice *c)
{
	fprintf(out, "{\n\t\"schema\": \"dvmsim.calibration-result/1\",\n\t\"fits\": [\n");
	for (size_t i = 0; i < c->count; i++) {
		fputs(i ? ",\n" : "", out);
		json_fit(out, c, c->fits[i]);
	}
	fprintf(out, "\n\t]\n}\n");
}

/* ---- the command ---- */

static int print(const struct cli_args *args, const struct choice *c)
{
	char *data = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&data, &len);
	int status;

	if (!out)
		return cli_usage("out of memory");
	if (cli_flag(args, "json"))
		print_json(out, c);
	else if (cli_flag(args, "markdown"))
		print_markdown(out, c);
	else
		print_text(out, c);
	if (fclose(out)) {
		free(data);
		return cli_usage("out of memory");
	}
	status = cli_write(NULL, data, len);
	free(data);
	return status;
}

/* "models/hw/my-part.json" is called my-part. */
static int write_model(const struct cli_args *args, const struct choice *c)
{
	const char *path = cli_value(args, "output"), *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	char name[128], *text;
	struct dvm_error err;
	int status;

	if (c->count != 1)
		return cli_usage("calibrate: --output writes one model; choose one fit with --fit");
	if (!dot || strcmp(dot, ".json") != 0 || dot == base ||
	    (size_t)(dot - base) >= sizeof(name))
		return cli_usage("calibrate: --output: a model's file is called NAME.json");
	memcpy(name, base, (size_t)(dot - base));
	name[dot - base] = '\0';
	if (dvm_calibration_model(c->cal, c->fits[0], name, &text, &err))
		return cli_fail(&err);
	status = cli_write(path, text, strlen(text));
	dvm_free(text);
	return status;
}

static int choose(const struct cli_args *args, struct choice *c)
{
	const char **names = cli_values(args, "fit");
	struct dvm_calibration_info info;
	size_t all = 0;

	while (!dvm_calibration_get(c->cal, all, &info))
		all++;
	c->fits = calloc(all + 1, sizeof(*c->fits));
	if (!c->fits)
		return cli_usage("out of memory");
	for (size_t i = 0; names[i]; i++) {
		bool found = false;

		for (size_t k = 0; k < all && !found; k++) {
			dvm_calibration_get(c->cal, k, &info);
			found = !strcmp(info.name, names[i]);
		}
		if (!found)
			return cli_usage("calibrate: there is no fit \"%s\" with rows in the data; "
					 "'dvmsim calibrate' without --fit shows all", names[i]);
	}
	for (size_t k = 0; k < all; k++) {
		bool wanted = !names[0];

		dvm_calibration_get(c->cal, k, &info);
		for (size_t i = 0; names[i]; i++)
			wanted = wanted || !strcmp(info.name, names[i]);
		if (wanted)
			c->fits[c->count++] = k;
	}
	return CLI_OK;
}

static int fit_all(const struct choice *c, bool left_out)
{
	struct dvm_error err;

	for (size_t i = 0; i < c->count; i++)
		if (dvm_calibration_fit(c->cal, c->fits[i], left_out, &err))
			return cli_fail(&err);
	return CLI_OK;
}

static int run_calibrate(const struct cli_args *args)
{
	const char *data = cli_value(args, "data"), *sets = cli_value(args, "sets");
	char dir[3][4096], path[2][4160];
	struct choice c = { 0 };
	struct dvm_error err;
	int status;

	if (cli_flag(args, "json") && cli_flag(args, "markdown"))
		return cli_usage("calibrate: choose one of --json and --markdown");
	snprintf(dir[0], sizeof(dir[0]), "%s/models", cli_data_dir());
	snprintf(dir[1], sizeof(dir[1]), "%s/models/strategies", cli_data_dir());
	snprintf(path[0], sizeof(path[0]), "%s/calibration/published.csv", dir[0]);
	snprintf(path[1], sizeof(path[1]), "%s/calibration/%s.json", dir[0],
		 cli_value(args, "model") ? "measured" : "sets");
	if (dvm_calibration_load(data ? data : path[0], sets ? sets : path[1], dir[0], dir[1],
				 cli_value(args, "model"), &c.cal, &err))
		return cli_fail(&err);
	status = choose(args, &c);
	if (!status)
		status = fit_all(&c, !cli_flag(args, "no-left-out"));
	if (!status && cli_value(args, "output"))
		status = write_model(args, &c);
	if (!status)
		status = print(args, &c);
	free(c.fits);
	dvm_calibration_free(c.cal);
	return status;
}

static const struct cli_option options[] = {
	{ "data", 'd', "FILE", "Measurements, a CSV file (default: the published ones).", false },
	{ "sets", 0, "FILE", "How each row is simulated and what is free, a JSON file.", false },
	{ "fit", 'f', "NAME", "Only this fit.", true },
	{ "model", 'm', "MODEL",
	  "Fit this part instead; the rows are then those that tools/measure writes.", false },
	{ "output", 'o', "FILE", "Write the fitted model there; its name is the file's.", false },
	{ "no-left-out", 0, NULL, "Skip predicting each row from the others, which takes longest.",
	  false },
	{ "markdown", 0, NULL, "Print docs/validation.md.", false },
	{ "json", 'j', NULL, "Print one JSON document.", false },
	{ 0 },
};

const struct cli_command cmd_calibrate = {
	.name = "calibrate",
	.operands = "",
	.summary = "Fit models to measurements, and show how far they agree",
	.details =
		"Simulates every measurement with the model as it is, fits the free parameters of each "
		"set by least squares on the relative deviations, and simulates again; then fits once "
		"more without each row in turn and predicts it. A parameter that the rows do not "
		"determine is marked: \"only a sum\" when another free parameter could take its place, "
		"\"no effect\", or \"at its bound\".\n\n"
		"With --model and --data it fits a part to measurements of your own machine, made with "
		"tools/measure; --output writes the fitted model, all of it in one file.\n\n"
		"docs/model-author.md describes both files, docs/validation.md is the output for the "
		"published measurements.",
	.examples = "  dvmsim calibrate\n"
		    "  dvmsim calibrate --fit huawei-a -o huawei-fitted.json\n",
	.options = options,
	.max_operands = 0,
	.run = run_calibrate,
};
