/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_CAMPAIGN_H
#define DVMSIM_CAMPAIGN_H

#include <dvmsim/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_campaign - a study file: questions, each a grid of workloads, parts, kernels,
 * environments, CPU counts and parameter values, on every point of which ("site") strategies are
 * compared as <dvmsim/study.h> does.
 *
 * Load it, run it, print it. What a site gave is one text, which the caller may keep and hand back in
 * a later run: so a campaign can be interrupted and resumed.
 */
struct dvm_campaign;

/**
 * struct dvm_campaign_options - where things are, and how to run.
 * @size:       sizeof(struct dvm_campaign_options)
 * @models:     the models folder
 * @strategies: the folder of strategy programs
 * @traces:     the traces folder
 * @threads:    sites at a time; 0: one per CPU of the host. Results do not depend on it.
 * @question:   only the question of this name; NULL for all
 * @lookup:     asked for a site's result by its key (16 hexadecimal digits): the text that @keep was
 *              given for it, allocated with malloc(), or NULL; from any thread. May be NULL.
 * @keep:       given a site's key and its result as soon as it is known, from any thread; a return
 *              other than 0 stops the campaign. May be NULL.
 * @progress:   told how many sites are done, from dvm_campaign_run()'s thread; a return other than
 *              0 stops the campaign. May be NULL.
 * @arg:        handed to all three
 * @commands:   print the command that repeats each site
 */
struct dvm_campaign_options {
	size_t size;
	const char *models, *strategies, *traces;
	unsigned threads;
	const char *question;
	char *(*lookup)(void *arg, const char *key);
	int (*keep)(void *arg, const char *key, const char *result);
	int (*progress)(void *arg, size_t done, size_t sites);
	void *arg;
	bool commands;
};

/**
 * dvm_campaign_load() - read a study file; docs/study.md describes it.
 * @path:     the file
 * @options:  copied; the strings must stay as long as the campaign
 * @campaign: out, freed with dvm_campaign_free()
 *
 * Return: 0, -DVM_ENOENT, -DVM_EIO, -DVM_EFORMAT (anything wrong in the file, with its place),
 * -DVM_ELIMIT (more than 100,000 sites), -DVM_ENOMEM.
 */
DVM_API int dvm_campaign_load(const char *path, const struct dvm_campaign_options *options,
			      struct dvm_campaign **campaign, struct dvm_error *err);

/** dvm_campaign_free() - NULL is allowed. */
DVM_API void dvm_campaign_free(struct dvm_campaign *campaign);

/** dvm_campaign_name() - as in the file. */
DVM_API const char *dvm_campaign_name(const struct dvm_campaign *campaign);

/** dvm_campaign_sites() - how many points the questions have; a search adds more as it runs. */
DVM_API size_t dvm_campaign_sites(const struct dvm_campaign *campaign);

/**
 * dvm_campaign_run() - run every site that has no result yet.
 *
 * Return: 0; -DVM_EBUDGET when @progress or @keep stopped it: what is finished can be printed;
 * -DVM_ENOMEM; or what a site can not be run for.
 */
DVM_API int dvm_campaign_run(struct dvm_campaign *campaign, struct dvm_error *err);

/** enum dvm_campaign_format - how to print it. */
enum dvm_campaign_format {
	DVM_CAMPAIGN_TEXT, /* answers, then a table per question */
	DVM_CAMPAIGN_CSV,  /* a line per site, strategy and metric */
	DVM_CAMPAIGN_JSON, /* schema "dvmsim.study-result/1" */
	DVM_CAMPAIGN_MARKDOWN, /* the text, in Markdown */
};

/**
 * dvm_campaign_print() - the results so far.
 * @format: enum dvm_campaign_format
 * @text:   out, freed with dvm_free()
 *
 * The same results give the same bytes.
 *
 * Return: 0, -DVM_EINVAL or -DVM_ENOMEM.
 */
DVM_API int dvm_campaign_print(const struct dvm_campaign *campaign, int format, char **text,
			       struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
