/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_REPORT_H
#define DVMSIM_REPORT_H

#include <dvmsim/study.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_report_options - what a text report holds.
 * @size:    sizeof(struct dvm_report_options)
 * @details: also print where the time went
 */
struct dvm_report_options {
	size_t size;
	bool details;
};

/**
 * dvm_report_text() - the results of a study as tables.
 * @study:   a study that has run
 * @options: NULL for everything
 * @text:    out, freed with dvm_free(); lines of UTF-8, ASCII only
 *
 * docs/compare.md explains every column. The same results always give the same text.
 *
 * Return: 0, -DVM_EINVAL (the study has not run) or -DVM_ENOMEM.
 */
DVM_API int dvm_report_text(const struct dvm_study *study,
			    const struct dvm_report_options *options, char **text,
			    struct dvm_error *err);

/**
 * dvm_report_json() - results and manifest as one document, schema "dvmsim.compare/1".
 *
 * docs/compare.schema.json is its schema. Numbers are exact; nothing in it depends on the date, the
 * host or the number of threads. dvm_study_from_json() reads it back to repeat the study.
 *
 * Return: as dvm_report_text().
 */
DVM_API int dvm_report_json(const struct dvm_study *study, char **text, struct dvm_error *err);

/** dvm_report_run_text() - the first cell alone, with every statistic; as dvm_report_text(). */
DVM_API int dvm_report_run_text(const struct dvm_study *study, char **text, struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
