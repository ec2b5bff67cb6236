/* SPDX-License-Identifier: MIT */
#include "cmd_check.h"

#include <dvmsim/model.h>
#include <dvmsim/witness.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct cli_option options[] = {
	{"scenario", 0, "NAME", "One of the scenarios below, or all (the default).", true},
	{"reading", 0, "NAME",
	 "How to read DSB ST: cat (the default, Arm's model), prose (it orders no loads), all.",
	 false},
	{"ets2", 0, NULL, "FEAT_ETS2 is implemented.", false},
	{"threads", 'T', "N",
	 "Scenarios checked at a time (default: one per CPU); changes no verdict and no witness.",
	 false},
	{"preempt", 0, "MODEL",
	 "When the kernel switches tasks out: full (the default), lazy, rt, voluntary, none.", false},
	{"env", 0, "NAME",
	 "What surrounds every scenario: kpti, erratum (4118414 and its workaround), vm (a guest, FB "
	 "and BSU as KVM sets them), ptl (the caller holds the page-table lock). And what no kernel "
	 "does, to see what it is for: no-break (remap without the break), no-rollover-flush "
	 "(asid-reuse with no flush but the strategy's rollover hook), no-dependency (what is written to "
	 "TTBR0 does not depend on the load of mm->pgd). May be given again.",
	 true},
	{"kernel", 'k', "KERNEL",
	 "Take --preempt and --env from this kernel configuration: a name or a file.", false},
	{"emit-litmus", 0, "DIR", "Write every test that was made into DIR.", false},
	{"max-states", 0, "N", "Stop a test after N states (verdict: INCONCLUSIVE).", false},
	{"max-memory", 0, "MIB", "Stop a test when its states fill MIB mebibytes; default 1024.",
	 false},
	{"timeout", 0, "SECONDS", "Stop a scenario after SECONDS.", false},
	{"witness", 0, "WHICH",
	 "Steps of the shortest stale use: short (the default: one for each UNSAFE scenario), all "
	 "(one for each UNSAFE test), none.",
	 false},
	{"rule", 0, "RULE",
	 "Steps of the shortest stale use that breaks this safety rule (R1 to R12; all: one for each "
	 "rule that is broken), instead of the shortest of all.",
	 false},
	{"minimise", 0, NULL,
	 "Weaken each barrier, domain, protection and second look; say which are needed.", false},
	{"diff", 0, NULL, "Say which difference between two strategies changes a verdict.", false},
	{"markdown", 0, NULL, "Print the verdicts as the table of docs/strategies.md.", false},
	{"json", 'j', NULL, "Print one JSON document.", false},
	{NULL, 0, NULL, NULL, false},
};

enum { READING_CAT, READING_PROSE, READINGS };
static const char *const reading_names[READINGS] = {"cat", "prose"};

struct check {
	struct dvm_check_options model;
	struct cli_clock clock; /* of the scenario under way */
	const char *emit;
	bool markdown;
	struct witnesses witness;
	cJSON *json;
	bool scenario[32], reading[READINGS];
	bool all; /* scenarios: those that concern a strategy */
	bool unsafe, unknown;
	unsigned threads;
};

static int choose_scenario(struct check *c, const char *name)
{
	unsigned n = dvm_scenarios();

	if (!strcmp(name, "all")) {
		for (unsigned i = 0; i < n; i++)
			c->scenario[i] = true;
		c->all = true;
		return CLI_OK;
	}
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(name, dvm_scenario_name(i))) {
			c->scenario[i] = true;
			return CLI_OK;
		}
	return cli_usage("--scenario: no scenario '%s'; dvmsim check --help lists them", name);
}

static int choose_witness(struct check *c, const char *which)
{
	static const char *const names[] = {"short", "all", "none"};

	for (int i = WITNESS_SHORT; i <= WITNESS_NONE; i++)
		if (!which || !strcmp(which, names[i])) {
			c->witness.which = (enum witness)i;
			return CLI_OK;
		}
	return cli_usage("--witness: '%s' is none of short, all, none", which);
}

/* R1, R2, ... or all. */
static int choose_rule(struct check *c, const char *name)
{
	char *end;
	unsigned long n;

	if (!name)
		return CLI_OK;
	if (!strcmp(name, "all")) {
		c->witness.rules = WITNESS_RULES;
		return CLI_OK;
	}
	n = name[0] == 'R' || name[0] == 'r' ? strtoul(name + 1, &end, 10) : 0;
	if (!n || *end || n > 31 || !dvm_safety_rule_text((unsigned)n))
		return cli_usage("--rule: '%s' is none of R1 to R12, all", name);
	c->witness.rules = 1u << n;
	return CLI_OK;
}

static int choose_preempt(struct check *c, const char *name)
{
	static const char *const names[] = {[DVM_PREEMPT_FULL] = "full",
					    [DVM_PREEMPT_LAZY] = "lazy",
					    [DVM_PREEMPT_RT] = "rt",
					    [DVM_PREEMPT_VOLUNTARY] = "voluntary",
					    [DVM_PREEMPT_NONE] = "none"};

	for (unsigned i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i])) {
			c->model.preempt = i;
			return CLI_OK;
		}
	return name ? cli_usage("--preempt: '%s' is none of full, lazy, rt, voluntary, none", name)
		    : CLI_OK;
}

static int choose_env(struct check *c, const char **names)
{
	static const struct {
		const char *name;
		unsigned bit;
	} envs[] = {{"kpti", DVM_SCENARIO_ENV_KPTI},
		    {"erratum", DVM_SCENARIO_ENV_ERRATUM},
		    {"vm", DVM_SCENARIO_ENV_VM},
		    {"ptl", DVM_SCENARIO_ENV_PTL},
		    {"no-break", DVM_SCENARIO_ENV_NO_BREAK},
		    {"no-rollover-flush", DVM_SCENARIO_ENV_NO_ROLLOVER_FLUSH},
		    {"no-dependency", DVM_SCENARIO_ENV_NO_DEPENDENCY}};
	const unsigned count = sizeof(envs) / sizeof(envs[0]);

	for (; *names; names++) {
		unsigned i = 0;

		while (i < count && strcmp(*names, envs[i].name) != 0)
			i++;
		if (i == count)
			return cli_usage("--env: '%s' is none of kpti, erratum, vm, ptl, no-break, "
					 "no-rollover-flush, no-dependency", *names);
		c->model.env |= envs[i].bit;
	}
	return CLI_OK;
}

/* The word or number of one parameter of a kernel configuration; false: it has none such. */
static bool kernel_word(const struct dvm_model *m, const char *path, char *word, size_t size)
{
	struct dvm_param p = {.size = sizeof(p)};
	const char *w;

	if (dvm_model_param_find(m, path, &p, NULL))
		return false;
	w = p.words;
	for (uint64_t i = 0; w && i < p.value; i++) {
		w = strpbrk(w, " ,|");
		w = w ? w + strspn(w, " ,|") : NULL;
	}
	if (w)
		snprintf(word, size, "%.*s", (int)strcspn(w, " ,|"), w);
	else
		snprintf(word, size, "%" PRIu64, p.value);
	return true;
}

static int choose_kernel(struct check *c, const char *name)
{
	struct dvm_model *m;
	struct dvm_error err;
	char dir[4096], word[64];
	int rc = CLI_OK;

	if (!name)
		return CLI_OK;
	snprintf(dir, sizeof(dir), "%s/models", cli_data_dir());
	if (dvm_model_find(DVM_MODEL_KERNEL, name, dir, &m, &err))
		return cli_fail(&err);
	if (kernel_word(m, "preempt", word, sizeof(word)))
		rc = choose_preempt(c, word);
	if (kernel_word(m, "kpti", word, sizeof(word)) && strcmp(word, "0") && strcmp(word, "false"))
		c->model.env |= DVM_SCENARIO_ENV_KPTI;
	/* "new": once per sync(). The old form repeats each TLBI and is not modelled. */
	if (kernel_word(m, "repeat_tlbi", word, sizeof(word)) && !strcmp(word, "new"))
		c->model.env |= DVM_SCENARIO_ENV_ERRATUM;
	if (kernel_word(m, "vm_fb", word, sizeof(word)) && strcmp(word, "0") && strcmp(word, "false"))
		c->model.env |= DVM_SCENARIO_ENV_VM;
	dvm_model_free(m);
	return rc;
}

static int read_options(const struct cli_args *args, struct check *c)
{
	unsigned long long states = 0, memory = 0, seconds = 0, threads = 0;
	const char *reading = cli_value(args, "reading");
	const char **names = cli_values(args, "scenario");

	if (!*names && choose_scenario(c, "all"))
		return CLI_USAGE;
	for (; *names; names++)
		if (choose_scenario(c, *names))
			return CLI_USAGE;
	reading = reading ? reading : "cat";
	for (int i = 0; i < READINGS; i++)
		c->reading[i] = !strcmp(reading, "all") || !strcmp(reading, reading_names[i]);
	if (!c->reading[READING_CAT] && !c->reading[READING_PROSE])
		return cli_usage("--reading: '%s' is none of cat, prose, all", reading);
	if (choose_witness(c, cli_value(args, "witness")) ||
	    choose_rule(c, cli_value(args, "rule")) ||
	    !cli_number(args, "threads", 1, 64, &threads) ||
	    !cli_number(args, "max-states", 1, 1ULL << 40, &states) ||
	    !cli_number(args, "max-memory", 1, 1ULL << 20, &memory) ||
	    !cli_number(args, "timeout", 1, 1000000, &seconds))
		return CLI_USAGE;
	if (!threads && sysconf(_SC_NPROCESSORS_ONLN) > 0)
		threads = (unsigned long long)sysconf(_SC_NPROCESSORS_ONLN);
	c->threads = (unsigned)(threads > 64 ? 64 : threads);
	c->model.size = sizeof(c->model);
	c->model.threads = c->threads;
	if (choose_kernel(c, cli_value(args, "kernel")) ||
	    choose_preempt(c, cli_value(args, "preempt")) || choose_env(c, cli_values(args, "env")))
		return CLI_USAGE;
	c->model.ets2 = cli_flag(args, "ets2");
	c->model.max_states = states;
	c->model.max_memory_bytes = memory << 20;
	c->model.stop = cli_clock_expired;
	c->model.stop_arg = &c->clock;
	c->clock.limit = (double)seconds;
	c->emit = cli_value(args, "emit-litmus");
	c->markdown = cli_flag(args, "markdown");
	c->json = cli_flag(args, "json") ? cJSON_CreateArray() : NULL;
	if (c->emit && mkdir(c->emit, 0777) && errno != EEXIST)
		return cli_usage("--emit-litmus: can not make directory '%s': %s", c->emit,
				 strerror(errno));
	return CLI_OK;
}

static int emit(const struct check *c, const char *strategy, const struct dvm_scenario_result *res)
{
	char path[4096];

	for (size_t i = 0; i < dvm_scenario_tests(res); i++) {
		const char *text = dvm_scenario_test_text(res, i);
		int rc;

		if (!text[0])
			continue;
		snprintf(path, sizeof(path), "%s/%s-%s.litmus", c->emit, strategy,
			 dvm_scenario_test_name(res, i));
		rc = cli_write(path, text, strlen(text));
		if (rc)
			return rc;
	}
	return CLI_OK;
}

/* ---- one row ---- */

static void add_json(const struct check *c, const char *strategy, unsigned scenario, int reading,
		     const struct dvm_scenario_result *res, double seconds)
{
	cJSON *o = cJSON_CreateObject(), *tests = cJSON_CreateArray();
	size_t best = 0;

	if (c->witness.which == WITNESS_SHORT)
		best = witness_shortest(res, c->witness.rules);
	cJSON_AddStringToObject(o, "strategy", strategy);
	cJSON_AddStringToObject(o, "scenario", dvm_scenario_name(scenario));
	cJSON_AddStringToObject(o, "reading", reading_names[reading]);
	cJSON_AddStringToObject(o, "verdict", dvm_scenario_verdict_name(dvm_scenario_verdict(res)));
	if (dvm_scenario_reason(res))
		cJSON_AddStringToObject(o, "reason", dvm_scenario_reason(res));
	cJSON_AddNumberToObject(o, "states", (double)dvm_scenario_states(res));
	cJSON_AddNumberToObject(o, "seconds", seconds);
	for (size_t i = 0; i < dvm_scenario_tests(res); i++) {
		cJSON *t = cJSON_CreateObject();

		cJSON_AddStringToObject(t, "name", dvm_scenario_test_name(res, i));
		cJSON_AddStringToObject(t, "what", dvm_scenario_test_what(res, i));
		cJSON_AddStringToObject(
			t, "verdict", dvm_scenario_verdict_name(dvm_scenario_test_verdict(res, i)));
		cJSON_AddStringToObject(t, "why", dvm_scenario_test_why(res, i));
		if (dvm_scenario_test_rules(res, i))
			cJSON_AddItemToObject(t, "rules",
					      witness_rules_json(dvm_scenario_test_rules(res, i)));
		if (c->witness.which == WITNESS_ALL ||
		    (c->witness.which == WITNESS_SHORT && i == best))
			witness_add(t, res, i, c->witness.rules);
		cJSON_AddItemToArray(tests, t);
	}
	cJSON_AddItemToObject(o, "tests", tests);
	cJSON_AddItemToArray(c->json, o);
}

static void print_row(const char *strategy, unsigned scenario, int reading,
		      const struct dvm_scenario_result *res, double seconds)
{
	size_t worst = dvm_scenario_worst(res);

	printf("%-28s %-16s %-6s %-12s %6zu %10" PRIu64 " %8.2f\n", strategy,
	       dvm_scenario_name(scenario), reading_names[reading],
	       dvm_scenario_verdict_name(dvm_scenario_verdict(res)), dvm_scenario_tests(res),
	       dvm_scenario_states(res), seconds);
	if (dvm_scenario_reason(res))
		printf("    %s\n", dvm_scenario_reason(res));
	else if (dvm_scenario_verdict(res) != DVM_SCENARIO_SAFE && dvm_scenario_tests(res))
		printf("    %s: %s;\n    %s\n", dvm_scenario_test_name(res, worst),
		       dvm_scenario_test_what(res, worst), dvm_scenario_test_why(res, worst));
	if (witness_rules(res)) {
		printf("    safety rules broken in this scenario:");
		witness_print_rules(witness_rules(res));
		printf("\n");
	}
}

/* ---- one strategy ---- */

/* The chosen scenarios under the chosen readings, in the order in which they are printed. */
struct batch {
	struct dvm_scenario_job job[32 * READINGS];
	struct dvm_scenario_result *result[32 * READINGS];
	double seconds[32 * READINGS];
	int reading[32 * READINGS];
	struct late_clock {
		struct cli_clock clock;
		bool runs;
	} clock[32 * READINGS];
	size_t count;
};

/* A scenario's time begins when it does, which is when it first asks. */
static int expired(void *arg)
{
	struct late_clock *late = arg;

	if (!late->runs)
		cli_clock_start(&late->clock);
	late->runs = true;
	return cli_clock_expired(&late->clock);
}

static int check_batch(const struct check *c, const struct dvm_strategy *s, struct batch *b)
{
	int rule = dvm_check_rule_find("dsb-st-read");
	struct dvm_error err;

	for (unsigned i = 0; i < dvm_scenarios(); i++)
		for (int r = 0; r < READINGS; r++) {
			struct dvm_scenario_job *job = &b->job[b->count];

			if (!c->scenario[i] || !c->reading[r] ||
			    (c->all && !dvm_scenario_concerns(s, i)))
				continue;
			job->scenario = i;
			job->options = c->model;
			job->options.without = r == READING_PROSE ? UINT64_C(1) << rule : 0;
			job->options.stop = expired;
			job->options.stop_arg = &b->clock[b->count];
			b->clock[b->count].clock.limit = c->clock.limit;
			b->reading[b->count++] = r;
		}
	if (dvm_scenario_check_many(s, b->job, b->count, c->threads, b->result, b->seconds, &err))
		return cli_fail(&err);
	return CLI_OK;
}

static int show(struct check *c, const struct dvm_strategy *s, const struct batch *b, size_t i)
{
	const struct dvm_scenario_result *res = b->result[i];
	enum dvm_scenario_verdict verdict = dvm_scenario_verdict(res);
	int rc = CLI_OK;

	c->unsafe |= verdict == DVM_SCENARIO_UNSAFE;
	c->unknown |= verdict == DVM_SCENARIO_INCONCLUSIVE || verdict == DVM_SCENARIO_UNSUPPORTED;
	if (c->emit)
		rc = emit(c, dvm_strategy_name(s), res);
	if (c->json) {
		add_json(c, dvm_strategy_name(s), b->job[i].scenario, b->reading[i], res,
			 b->seconds[i]);
	} else if (!c->markdown) {
		print_row(dvm_strategy_name(s), b->job[i].scenario, b->reading[i], res,
			  b->seconds[i]);
		rc = rc ? rc : witness_print(&c->witness, res);
	}
	return rc;
}

/* " name, name" of the scenarios in a set, " -" if there is none. */
static void put_set(uint32_t set)
{
	const char *sep = " ";

	for (unsigned i = 0; i < dvm_scenarios(); i++) {
		if (!(set >> i & 1))
			continue;
		printf("%s%s", sep, dvm_scenario_name(i));
		sep = ", ";
	}
	printf("%s |", set ? "" : " -");
}

/* One line of the table: the scenarios by verdict, under the readings that were chosen. */
static void markdown_row(const struct check *c, const struct dvm_strategy *s, const struct batch *b)
{
	uint32_t of[READINGS][DVM_SCENARIO_NOT_APPLICABLE + 1] = {{0}}, rest = 0;
	int first = c->reading[READING_CAT] ? READING_CAT : READING_PROSE;

	for (size_t i = 0; i < b->count; i++)
		of[b->reading[i]][dvm_scenario_verdict(b->result[i])] |= UINT32_C(1)
									 << b->job[i].scenario;
	printf("| %s |", dvm_strategy_name(s));
	put_set(of[first][DVM_SCENARIO_UNSAFE]);
	if (c->reading[READING_CAT] && c->reading[READING_PROSE])
		put_set(of[READING_PROSE][DVM_SCENARIO_UNSAFE] &
			~of[READING_CAT][DVM_SCENARIO_UNSAFE]);
	for (int k = DVM_SCENARIO_INCONCLUSIVE; k <= DVM_SCENARIO_NOT_APPLICABLE; k++)
		rest |= of[READING_CAT][k] | of[READING_PROSE][k];
	put_set(rest);
	putchar('\n');
	fflush(stdout);
}

static int one_strategy(struct check *c, const struct dvm_strategy *s)
{
	struct batch *b = calloc(1, sizeof(*b));
	int rc = b ? check_batch(c, s, b) : cli_usage("out of memory");

	for (size_t i = 0; !rc && i < b->count; i++)
		rc = show(c, s, b, i);
	if (!rc && c->markdown)
		markdown_row(c, s, b);
	for (size_t i = 0; b && i < b->count; i++)
		dvm_scenario_free(b->result[i]);
	free(b);
	return rc;
}

static void heading(const struct check *c)
{
	if (c->json)
		return;
	if (!c->markdown) {
		printf("%-28s %-16s %-6s %-12s %6s %10s %8s\n", "strategy", "scenario", "reading",
		       "verdict", "tests", "states", "seconds");
		return;
	}
	printf("| strategy | UNSAFE in |%s not known, or n/a, in |\n|---|---|%s---|\n",
	       c->reading[READING_CAT] && c->reading[READING_PROSE]
		       ? " if DSB ST is read as prose, also in |"
		       : "",
	       c->reading[READING_CAT] && c->reading[READING_PROSE] ? "---|" : "");
}

static int print_json(cJSON *checks)
{
	cJSON *doc = cJSON_CreateObject();
	char *text;

	cJSON_AddItemToObject(doc, "checks", checks);
	text = cJSON_Print(doc);
	cJSON_Delete(doc);
	if (!text)
		return cli_usage("out of memory");
	puts(text);
	cJSON_free(text);
	return CLI_OK;
}

static int check_all(struct check *c, struct dvm_strategy *const *s, size_t count)
{
	int rc = CLI_OK;

	heading(c);
	for (size_t i = 0; i < count && !rc; i++)
		rc = one_strategy(c, s[i]);
	if (c->json && rc)
		cJSON_Delete(c->json);
	else if (c->json)
		rc = print_json(c->json);
	if (rc)
		return rc;
	return c->unsafe ? CLI_FAILED : c->unknown ? CLI_PARTIAL : CLI_OK;
}

/* ---- --minimise and --diff ---- */

static int weaken(struct check *c, bool diff, struct dvm_strategy *const *s, size_t count)
{
	uint64_t no_load_order = UINT64_C(1) << dvm_check_rule_find("dsb-st-read");
	unsigned scenarios[32];
	struct weaken how = {.model = &c->model, .scenarios = scenarios, .json = c->json};
	int rc = CLI_OK;

	for (unsigned i = 0; i < dvm_scenarios(); i++)
		if (c->scenario[i])
			scenarios[how.count++] = i;
	cli_clock_start(&c->clock);
	for (int r = 0; r < READINGS && !rc; r++) {
		if (!c->reading[r])
			continue;
		how.reading = reading_names[r];
		c->model.without = r == READING_PROSE ? no_load_order : 0;
		for (size_t i = 0; !diff && i < count && !rc; i++)
			rc = check_minimise(&how, s[i]);
		if (diff)
			rc = check_diff(&how, s[0], s[1]);
	}
	if (c->json && rc)
		cJSON_Delete(c->json);
	else if (c->json)
		rc = print_json(c->json);
	return rc;
}

static int run(const struct cli_args *args)
{
	bool diff = cli_flag(args, "diff"), minimise = cli_flag(args, "minimise");
	struct check c = {.clock = {.limit = 0}};
	struct dvm_strategy **s;
	size_t loaded = 0;
	int rc = read_options(args, &c);

	if (rc)
		return rc;
	if (diff && (minimise || args->count != 2)) {
		cJSON_Delete(c.json);
		return cli_usage("--diff takes two strategies, and no --minimise");
	}
	s = calloc(args->count, sizeof(struct dvm_strategy *));
	if (!s)
		return cli_usage("out of memory");
	while (!rc && loaded < args->count) {
		rc = cli_load_strategy(args->operands[loaded], &s[loaded]);
		loaded += !rc;
	}
	if (!rc)
		rc = diff || minimise ? weaken(&c, diff, s, loaded) : check_all(&c, s, loaded);
	else
		cJSON_Delete(c.json);
	while (loaded)
		dvm_strategy_free(s[--loaded]);
	free(s);
	return rc;
}

const struct cli_command cmd_check = {
	.name = "check",
	.operands = "STRATEGY...",
	.summary = "Look for executions in which a strategy leaves a stale translation in use",
	.details =
		"Makes litmus tests from the strategy program, the same that is timed, and from "
		"the "
		"kernel's steps around it, and explores every execution of each. UNSAFE: a page "
		"was used through its old translation after the flush had returned and the page "
		"had a new use; the test and its final state are named. SAFE: no execution within "
		"the bounds that docs/checker-scenarios.md states. INCONCLUSIVE: a limit ended the "
		"search. UNSUPPORTED: the program does something that can not be translated. n/a: the "
		"scenario means nothing here; the reason is printed.\n\n"
		"An UNSAFE scenario is followed by all safety rules that its stale uses break and by the "
		"steps of its shortest stale use, in one column per CPU, with the rules that this one "
		"breaks; --rule shows the shortest for another.\n\n"
		"Scenarios: arrive, second-thread, stay, return, migrate, migrate-twice, preempted, "
		"foreign, foreign-migrate, fork, batch, fixup, tables, lazy, reuse, rollover, new-asid, "
		"kpti, remap, asid-reuse, vm, vm-no-fb, smmu-btm, smmu-sva, erratum, erratum-vm; and of "
		"strategies with a quarantine: quarantine, tickless.\n\n"
		"The status is 0 when all is SAFE, 1 when something is UNSAFE, 3 when nothing is "
		"UNSAFE but something is not known, 2 for bad input.",
	.examples = "  dvmsim check active-cpu-v2\n"
		    "  dvmsim check --reading all --scenario arrive active-cpu-v2-plain-load\n"
		    "  dvmsim check --rule R2 --scenario second-thread selftest-no-post\n"
		    "  dvmsim check --minimise --scenario arrive active-cpu-v2\n"
		    "  dvmsim check --diff --reading prose active-cpu-v2-plain-load active-cpu-v2\n"
		    "  dvmsim check --emit-litmus tests recheck; dvmsim litmus tests/*.litmus\n",
	.options = options,
	.min_operands = 1,
	.max_operands = SIZE_MAX,
	.run = run,
};
