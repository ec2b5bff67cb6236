/* SPDX-License-Identifier: MIT */
#include "report/campaign.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A study's results for other programs. */

static const char *const words[] = { "none", "wins", "loses", "undecided", "same",
				     "open", "stale" };

static void field(struct dvmi_buf *out, const char *text)
{
	if (!strpbrk(text, "\",\n")) {
		dvmi_buf_printf(out, "%s,", text);
		return;
	}
	dvmi_buf_puts(out, "\"");
	for (; *text; text++)
		dvmi_buf_printf(out, *text == '"' ? "\"\"" : "%c", *text == '\n' ? ' ' : *text);
	dvmi_buf_puts(out, "\",");
}

static void number(struct dvmi_buf *out, double x)
{
	if (isfinite(x))
		dvmi_buf_printf(out, "%.9g", x);
	dvmi_buf_puts(out, ",");
}

static void command(struct dvmi_buf *out, const struct dvm_campaign *c, const struct dvmi_site *site)
{
	struct dvmi_buf text = { 0 };
	char *line;

	dvmi_site_command(c, site, &text);
	if (dvmi_buf_take(&text, &line)) {
		out->failed = 1;
		return;
	}
	field(out, line);
	dvm_free(line);
}

static void csv_outcome(const struct dvm_campaign *c, const struct dvmi_site *site, size_t strategy,
			const struct dvmi_outcome *o, struct dvmi_buf *out)
{
	const struct dvmi_question *q = &c->questions[site->question];
	const struct dvmi_strategy_result *r = &site->result.strategies[strategy];

	field(out, q->name);
	field(out, site->workload);
	field(out, q->hw.names[site->hw]);
	field(out, q->kernels.names[site->kernel]);
	field(out, q->environments[site->environment].name);
	dvmi_buf_printf(out, "%" PRIu64 ",", q->cpus ? q->cpus[site->cpus] : 0);
	dvmi_buf_printf(out, "%" PRIu64 ",", q->migrate_hz ? q->migrate_hz[site->migrate] : 0);
	field(out, q->vary_path ? q->vary_path : "");
	dvmi_buf_printf(out, "%" PRIu64 ",", q->vary_path ? q->vary[site->vary] : 0);
	field(out, q->strategies.names[strategy]);
	field(out, dvm_run_status_name((unsigned)r->status));
	field(out, o->metric);
	field(out, o->unit);
	number(out, o->mean);
	dvmi_buf_printf(out, "%u,", o->n);
	number(out, o->change_pct);
	number(out, o->ci95_pct);
	number(out, o->examined ? o->lo_pct : NAN);
	number(out, o->examined ? o->hi_pct : NAN);
	field(out, words[dvmi_outcome_word(r, o)]);
	field(out, o->flip_at ? o->flip_at : "");
	dvmi_buf_printf(out, "%" PRIu64 ",%" PRIu64 ",", o->flip_from, o->flip_to);
	number(out, r->local_share);
	number(out, r->one_cpu_share);
	dvmi_buf_printf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", r->flush_p99_ps,
			r->flush_max_ps, r->unpreemptible_max_ps, r->interrupts_off_max_ps);
	dvmi_buf_printf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",",
			r->run_ps, r->flush_ps, r->switch_ps, r->bystander_ps, r->refill_ps,
			r->interrupt_ps);
	command(out, c, site);
	if (!out->failed)
		out->data[out->len - 1] = '\n'; /* field() ends with a comma */
}

void dvmi_campaign_csv(const struct dvm_campaign *c, struct dvmi_buf *out)
{
	dvmi_buf_puts(out, "question,workload,hardware,kernel,environment,cpus,migrate_hz,varied,value,strategy,"
			   "status,metric,unit,mean,n,change_pct,ci95_pct,lo_pct,hi_pct,word,flip_at,"
			   "flip_from,flip_to,local_share,one_cpu_share,flush_p99_ps,flush_max_ps,"
			   "unpreemptible_max_ps,interrupts_off_max_ps,run_ps,"
			   "flush_ps,switch_ps,bystander_ps,refill_ps,interrupt_ps,command\n");
	for (size_t i = 0; i < c->nsites; i++) {
		const struct dvmi_site *site = &c->sites[i];

		for (size_t k = 0; k < site->result.count; k++)
			for (size_t m = 0; m < site->result.strategies[k].count; m++)
				csv_outcome(c, site, k, &site->result.strategies[k].outcomes[m], out);
	}
}

static int json_command(struct dvmi_jw *w, const struct dvm_campaign *c,
			const struct dvmi_site *site)
{
	struct dvmi_buf text = { 0 };
	char *line;

	dvmi_site_command(c, site, &text);
	if (dvmi_buf_take(&text, &line))
		return -DVM_ENOMEM;
	dvmi_jw_string(w, "command", line);
	dvm_free(line);
	return 0;
}

int dvmi_campaign_json(const struct dvm_campaign *c, char **text)
{
	struct dvmi_jw w = { .first = true };
	int ret = 0;

	dvmi_jw_object(&w, NULL);
	dvmi_jw_string(&w, "schema", "dvmsim.study-result/1");
	dvmi_jw_string(&w, "name", c->name);
	dvmi_jw_array(&w, "sites");
	for (size_t i = 0; i < c->nsites && !ret; i++) {
		const struct dvmi_site *site = &c->sites[i];
		const struct dvmi_question *q = &c->questions[site->question];
		char *result;

		dvmi_jw_object(&w, NULL);
		dvmi_jw_string(&w, "question", q->name);
		dvmi_jw_string(&w, "workload", site->workload);
		dvmi_jw_string(&w, "hardware", q->hw.names[site->hw]);
		dvmi_jw_string(&w, "kernel", q->kernels.names[site->kernel]);
		dvmi_jw_string(&w, "environment", q->environments[site->environment].name);
		if (q->cpus)
			dvmi_jw_u64(&w, "cpus", q->cpus[site->cpus]);
		if (q->migrate_hz)
			dvmi_jw_u64(&w, "migrate_hz", q->migrate_hz[site->migrate]);
		if (q->vary_path) {
			dvmi_jw_string(&w, "varied", q->vary_path);
			dvmi_jw_u64(&w, "value", q->vary[site->vary]);
		}
		ret = json_command(&w, c, site);
		dvmi_jw_array_line(&w, "names");
		for (size_t k = 0; k < q->strategies.count; k++)
			dvmi_jw_string(&w, NULL, q->strategies.names[k]);
		dvmi_jw_end_array(&w);
		if (ret) {
			break;
		} else if (site->result.known) {
			ret = dvmi_result_write(&site->result, &result);
			if (!ret)
				dvmi_jw_raw(&w, "result", result);
			if (!ret)
				dvm_free(result);
		} else {
			dvmi_jw_null(&w, "result");
		}
		dvmi_jw_end_object(&w);
	}
	dvmi_jw_end_array(&w);
	dvmi_jw_end_object(&w);
	if (ret) {
		dvmi_jw_fini(&w);
		return ret;
	}
	return dvmi_jw_take(&w, text);
}
