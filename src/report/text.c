/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include "base/error.h"
#include "base/mem.h"
#include "study/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void print_wrapped(struct dvmi_buf *out, const char *indent, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > 96 - strlen(indent)) {
			dvmi_buf_puts(out, "\n");
			column = 0;
		}
		dvmi_buf_puts(out, column ? " " : indent);
		dvmi_buf_add(out, text, len);
		column += len + (column != 0);
		text += len;
		text += strspn(text, " ");
	}
	if (column)
		dvmi_buf_puts(out, "\n");
}

static void count_params(const struct dvm_model *model, size_t *estimates, size_t *ranged)
{
	struct dvm_param p = { .size = sizeof(p) };

	*estimates = *ranged = 0;
	for (size_t i = 0; i < dvm_model_param_count(model); i++) {
		if (dvm_model_param(model, i, &p))
			continue;
		*estimates += !strcmp(p.source, "estimate");
		*ranged += p.ranged && p.lo != p.hi;
	}
}

void dvmi_report_hw(struct dvmi_buf *out, const struct dvm_study *s, size_t hw)
{
	const struct dvm_model *model = s->hw[hw];
	const char *sets = dvm_model_calibrated_by(model), *note = dvm_model_note(model);
	size_t estimates, ranged;

	count_params(model, &estimates, &ranged);
	dvmi_buf_printf(out, "Part %s: %s\n", dvm_model_name(model), dvm_model_summary(model));
	dvmi_buf_printf(out, "  Model: %s%s%s; %zu of %zu parameters are estimates, %zu have a range\n",
			dvm_model_status_name(model), *sets ? " by " : "", sets,
			estimates, dvm_model_param_count(model), ranged);
	if (note && *note)
		print_wrapped(out, "  ", note);
}

static void add_site_rows(struct dvmi_table *table, const struct dvm_study *s, size_t first,
			  bool ranges)
{
	struct dvm_metric m;
	struct dvm_cell c;
	char text[96];

	dvm_study_cell(s, first + s->baseline, &c);
	for (size_t metric = 0; metric < c.primary; metric++) {
		dvm_study_metric(s, first + s->baseline, metric, &m);
		dvmi_table_add(table, "%s", metric ? "" : c.workload);
		dvmi_table_add(table, "%s", dvmi_class_text(text, &m));
		for (size_t i = 0; i < s->nstrategies; i++) {
			struct dvm_cell cell;

			dvm_study_cell(s, first + i, &cell);
			dvm_study_metric(s, first + i, metric, &m);
			dvmi_table_add(table, "%s", cell.baseline && cell.status == DVM_RUN_OK ?
				       dvmi_value_text(text, &m) : dvmi_change_text(text, &cell, &m));
		}
		dvmi_table_add(table, "%s", "");
		dvmi_table_add(table, c.random ? "  n=%u" : "  deterministic, n=%u", c.n);
		for (size_t i = 0; i < s->nstrategies; i++) {
			dvm_study_metric(s, first + i, metric, &m);
			dvmi_table_add(table, "%s", i == s->baseline || !m.ranges.examined ? "" :
				       ranges ? dvmi_ranges_text(text, &m) : "");
		}
		dvmi_table_rule(table, false);
	}
}

/* The table of one part and kernel: all workloads. */
static void print_table(struct dvmi_buf *out, const struct dvm_study *s, size_t hw, size_t kernel)
{
	struct dvmi_table table;

	dvmi_table_init(&table, s->nstrategies + 2, true);
	dvmi_table_add(&table, "Benchmark");
	dvmi_table_add(&table, "Result Class");
	for (size_t i = 0; i < s->nstrategies; i++)
		dvmi_table_add(&table, "%s", dvm_strategy_name(s->strategies[i]));
	dvmi_table_rule(&table, true);
	for (size_t w = 0; w < s->nworkloads; w++)
		add_site_rows(&table, s, ((w * s->nhw + hw) * s->nkernels + kernel) * s->nstrategies,
			      s->options.sensitivity != DVM_SENSITIVITY_OFF);
	dvmi_table_print(&table, "", out);
	dvmi_table_fini(&table);
}

/*
 * The points that @wanted picks, those furthest from the models' own change first, at most @most;
 * how many there were.
 */
static size_t print_points(struct dvmi_buf *out, const struct dvm_study *s, size_t cell,
			 size_t metric, const struct dvm_metric *m,
			 bool (*wanted)(const struct dvm_point *p), size_t most)
{
	double limit = INFINITY;
	size_t after = 0; /* among equals, those behind this one */

	for (size_t n = 0; n < most; n++) {
		char change[DVMI_NUM_MAX], place[192];
		struct dvm_point p, best = { 0 };
		size_t at = 0;
		double far = -1;

		for (size_t i = 0; !dvm_study_point(s, cell, metric, i, &p); i++) {
			double d = fabs(p.change_pct - m->change_pct);

			if (!wanted(&p) || d <= far || d > limit || (d == limit && i <= after))
				continue;
			far = d;
			best = p;
			at = i;
		}
		if (!best.at || far < fabs(m->change_pct) / 20)
			return n;
		limit = far;
		after = at;
		dvmi_buf_printf(out, "    %9s at %s\n",
				dvmi_num_change(change, dvmi_improvement(m, best.change_pct), 1),
				dvmi_place_text(place, sizeof(place), best.at));
	}
	return most;
}

static bool turns(const struct dvm_point *p)
{
	return p->turns;
}

static bool is_single(const struct dvm_point *p)
{
	return p->single;
}

/* Where one cell's sign turns: the three places at which it turns furthest. */
static void print_turns(struct dvmi_buf *out, const struct dvm_study *s, size_t cell, size_t metric,
			const struct dvm_cell *c, const struct dvm_metric *m)
{
	char change[DVMI_NUM_MAX];

	dvmi_buf_printf(out, "  (?) %s, %s: %s as modelled; the sign turns at %zu of %zu points:\n",
			c->workload, c->strategy,
			dvmi_num_change(change, dvmi_improvement(m, m->change_pct), 1),
			m->ranges.turns, m->ranges.runs);
	print_points(out, s, cell, metric, m, turns, 3);
}

/* The single parameters that move a workload's first compared strategy most. */
static void print_levers(struct dvmi_buf *out, const struct dvm_study *s, size_t hw, size_t kernel)
{
	size_t strategy = s->baseline == 0 ? 1 : 0;

	if (strategy >= s->nstrategies)
		return;
	for (size_t w = 0; w < s->nworkloads; w++) {
		size_t cell = ((w * s->nhw + hw) * s->nkernels + kernel) * s->nstrategies + strategy;
		char change[DVMI_NUM_MAX];
		struct dvm_metric m;
		struct dvm_cell c;

		dvm_study_cell(s, cell, &c);
		dvm_study_metric(s, cell, 0, &m);
		if (c.status != DVM_RUN_OK || !m.ranges.runs || m.verdict == DVM_VERDICT_NONE)
			continue;
		dvmi_buf_printf(out, "  %s, %s: %s as modelled; single estimates that move it most:\n",
				c.workload, c.strategy,
				dvmi_num_change(change, dvmi_improvement(&m, m.change_pct), 1));
		if (!print_points(out, s, cell, 0, &m, is_single, 3))
			dvmi_buf_puts(out, "    none by a twentieth of it\n");
	}
}

static bool is_site(const struct dvm_cell *c, size_t hw, size_t kernel)
{
	return c->hw_index == hw && c->kernel_index == kernel;
}

static void print_doubts(struct dvmi_buf *out, const struct dvm_study *s, size_t hw, size_t kernel)
{
	struct dvm_metric m;
	struct dvm_cell c;

	for (size_t cell = 0; !dvm_study_cell(s, cell, &c); cell++) {
		if (!is_site(&c, hw, kernel))
			continue;
		if (c.status != DVM_RUN_OK)
			dvmi_buf_printf(out, "  %s, %s: %s: %s\n", c.workload, c.strategy,
					dvm_run_status_name((unsigned)c.status), c.message);
		for (size_t i = 0; i < c.primary; i++) {
			dvm_study_metric(s, cell, i, &m);
			if (c.status == DVM_RUN_OK && m.ranges.stale_at)
				dvmi_buf_printf(out, "  %s, %s: stale at %s\n", c.workload,
						c.strategy, m.ranges.stale_at);
			else if (dvmi_mark_of(&c, &m) == DVMI_MARK_SIGN)
				print_turns(out, s, cell, i, &c, &m);
		}
	}
}

/* What was looked at to be able to say that a sign holds; the fewest, over the workloads. */
static void print_box(struct dvmi_buf *out, const struct dvm_study *s, size_t hw, size_t kernel)
{
	size_t params = 0, runs = SIZE_MAX, varied = SIZE_MAX;
	struct dvm_metric m;
	struct dvm_cell c;

	if (s->options.sensitivity == DVM_SENSITIVITY_OFF) {
		dvmi_buf_puts(out, "  Ranges: NOT EXAMINED (--sensitivity=off): any sign below may "
				   "depend on estimates.\n");
		return;
	}
	for (size_t cell = 0; !dvm_study_cell(s, cell, &c); cell++) {
		if (!is_site(&c, hw, kernel) || dvm_study_metric(s, cell, 0, &m) ||
		    !m.ranges.examined)
			continue;
		params = m.ranges.params;
		runs = m.ranges.runs < runs ? m.ranges.runs : runs;
		varied = m.ranges.varied < varied ? m.ranges.varied : varied;
	}
	if (!params)
		dvmi_buf_puts(out, "  Ranges: no parameter has one\n");
	else
		dvmi_buf_printf(out, "  Ranges: %zu parameters of part and kernel have one; each "
				     "workload was run at %zu or more points\n  of that box: corners, the "
				     "%zu or more strongest parameters one at a time, the others "
				     "together\n", params, runs, varied);
}

static void print_where(struct dvmi_buf *out, const struct dvm_study *s, size_t hw, size_t kernel)
{
	for (size_t w = 0; w < s->nworkloads; w++) {
		size_t first = ((w * s->nhw + hw) * s->nkernels + kernel) * s->nstrategies;
		struct dvm_cell c;

		dvm_study_cell(s, first, &c);
		dvmi_buf_printf(out, "\nWhere the time went: %s on %s", c.workload, c.hw);
		if (c.stats)
			dvmi_buf_printf(out, ", %llu %s on %llu of %llu CPUs",
					(unsigned long long)c.stats->copies,
					c.stats->copies == 1 ? "copy" : "copies",
					(unsigned long long)c.stats->cpus_used,
					(unsigned long long)c.stats->cpus);
		dvmi_buf_printf(out, c.random ? " (seed %llu)\n" : "\n",
				(unsigned long long)s->options.first_seed);
		dvmi_report_where(out, s, first, false);
		for (size_t i = 0; i < s->nstrategies; i++) {
			dvm_study_cell(s, first + i, &c);
			if (c.status != DVM_RUN_OK || !c.nsteps)
				continue;
			dvmi_buf_printf(out, "  %s, its dearest lines:\n", c.strategy);
			dvmi_report_steps(out, &c, 4);
		}
	}
}

static void print_head(struct dvmi_buf *out, const struct dvm_study *s)
{
	dvmi_buf_printf(out, "dvmsim %s: %zu workload%s x %zu part%s x %zu kernel%s x %zu "
			     "strateg%s; baseline %s\n", dvm_version(), s->nworkloads,
			s->nworkloads == 1 ? "" : "s", s->nhw, s->nhw == 1 ? "" : "s", s->nkernels,
			s->nkernels == 1 ? "" : "s", s->nstrategies,
			s->nstrategies == 1 ? "y" : "ies",
			dvm_strategy_name(s->strategies[s->baseline]));
}

static const char legend[] =
	"(I) improved, (R) regressed: the 95 % interval of the paired change excludes zero; a cell\n"
	"in which nothing is random has no interval. Unmarked: it includes zero. Positive is better,\n"
	"whatever the metric. Second line: least and greatest change when the estimated parameters\n"
	"move over their ranges. (?): the interval excludes zero, but the sign turns somewhere in\n"
	"them. STALE: a CPU used a translation after its flush had completed; no number is given.\n";

static void print_all(struct dvmi_buf *out, const struct dvm_study *s, bool details)
{
	print_head(out, s);
	dvmi_buf_puts(out, "\n");
	dvmi_report_summary(out, s);
	dvmi_buf_puts(out, "\n");
	dvmi_report_safety(out, s);
	dvmi_buf_puts(out, "\n");
	dvmi_buf_puts(out, legend);
	for (size_t hw = 0; hw < s->nhw; hw++) {
		for (size_t kernel = 0; kernel < s->nkernels; kernel++) {
			const struct dvm_model *k = s->kernels[kernel];

			dvmi_buf_puts(out, "\n");
			dvmi_report_hw(out, s, hw);
			dvmi_buf_printf(out, "  Kernel %s: %s\n", dvm_model_name(k),
					dvm_model_summary(k));
			print_box(out, s, hw, kernel);
			print_table(out, s, hw, kernel);
			print_doubts(out, s, hw, kernel);
			if (details)
				print_levers(out, s, hw, kernel);
			if (details)
				print_where(out, s, hw, kernel);
		}
	}
}

int dvm_report_text(const struct dvm_study *s, const struct dvm_report_options *options,
		    char **text, struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };

	if (!dvm_study_cell_count(s))
		return dvmi_error(err, DVM_EINVAL, "report", "the study has not run");
	print_all(&out, s, !options || options->details);
	return dvmi_buf_take(&out, text) ? dvmi_error_nomem(err) : 0;
}

/* What the latencies of work units are taken from, or why there are none. */
static void print_units(struct dvmi_buf *out, const struct dvm_cell *c)
{
	for (size_t i = 0; i < c->nwork; i++) {
		const struct dvm_unit_latency *l = &c->work[i].latency;
		char time[DVMI_NUM_MAX];

		if (!l->units)
			continue;
		dvmi_buf_printf(out, "  %s: %llu units; rate and latencies of the %llu of them done in "
				     "%s, without the\n  first and the last %d %%\n", c->work[i].name,
				(unsigned long long)l->units, (unsigned long long)l->count,
				dvmi_num_time(time, (double)l->window_ps), DVM_SIM_TRIM_PERCENT);
		if (l->unstable)
			dvmi_buf_printf(out, "  %s: unstable: they come faster than they are done, and "
					     "%llu were not done when\n  the last one came; a latency "
					     "would only say how long the workload is\n",
					c->work[i].name, (unsigned long long)l->backlog);
	}
}

int dvm_report_run_text(const struct dvm_study *s, char **text, struct dvm_error *err)
{
	struct dvmi_buf out = { 0 };
	struct dvm_metric m;
	struct dvm_cell c;
	char value[DVMI_NUM_MAX], class[96];

	if (dvm_study_cell(s, 0, &c))
		return dvmi_error(err, DVM_EINVAL, "report", "the study has not run");
	dvmi_buf_printf(&out, "%s under %s, seed %llu%s\n", c.workload, c.strategy,
			(unsigned long long)s->options.first_seed,
			c.random ? "" : " (deterministic)");
	dvmi_report_hw(&out, s, 0);
	dvmi_buf_printf(&out, "Kernel %s: %s\n", dvm_model_name(s->kernels[0]),
			dvm_model_summary(s->kernels[0]));
	if (c.status != DVM_RUN_OK)
		dvmi_buf_printf(&out, "\n%s: %s\nStatistics up to there:\n",
				dvm_run_status_name((unsigned)c.status), c.message);
	dvmi_buf_puts(&out, "\n");
	for (size_t i = 0; i < c.metrics; i++) {
		dvm_study_metric(s, 0, i, &m);
		if (m.n || m.unstable)
			dvmi_buf_printf(&out, "  %-28s %s\n", dvmi_class_text(class, &m),
					dvmi_value_text(value, &m));
	}
	print_units(&out, &c);
	dvmi_buf_puts(&out, "\n");
	dvmi_report_where(&out, s, 0, true);
	dvmi_buf_puts(&out, "\nTime by line of the strategy\n");
	dvmi_report_steps(&out, &c, 0);
	return dvmi_buf_take(&out, text) ? dvmi_error_nomem(err) : 0;
}
