/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CALIBRATE_CALIBRATE_H
#define DVMI_CALIBRATE_CALIBRATE_H

#include "base/error.h"

#include <dvmsim/calibrate.h>
#include <dvmsim/model.h>
#include <dvmsim/strategy.h>

#define DVMI_CAL_FREE_MAX 16
#define DVMI_CAL_SUM_MAX 8

/* ---- data.c: the measurements ---- */

struct dvmi_measurement {
	char *id, *platform, *workload, *x, *unit;
	double value;
	double number; /* of x; NAN when x is a label */
	bool used;
};

struct dvmi_data {
	struct dvmi_measurement *rows;
	size_t count, capacity;
};

int dvmi_data_load(const char *path, struct dvmi_data *data, struct dvm_error *err);
int dvmi_data_parse(const char *name, char *text, struct dvmi_data *data, struct dvm_error *err);
void dvmi_data_fini(struct dvmi_data *data);

/* ---- experiment.c: how a measurement is simulated ---- */

enum dvmi_experiment_kind {
	DVMI_EXP_TLBI_BATCH, /* x * per_x TLBIs, one DSB, an ISB, on one CPU */
	DVMI_EXP_FLUSH,      /* one flush call of x * per_x pages */
	DVMI_EXP_SYSCALL,    /* mprotect, munmap or madvise of x * per_x pages */
	DVMI_EXP_ISSUERS,    /* CPUs in a loop of work and flushes at the same time */
	DVMI_EXP_SWITCHES,   /* processes on one CPU switching round */
	DVMI_EXP_BYSTANDER,  /* the rate of work of one CPU while another loops over mprotect */
	DVMI_EXP_SUM,        /* a sum of parameters */
	DVMI_EXPERIMENTS
};

/* What an experiment takes; DVMI_CAL_NONE: it has no such unknown. */
#define DVMI_CAL_NONE SIZE_MAX
struct dvmi_experiment {
	enum dvmi_experiment_kind kind;
	bool local;             /* TLBI_BATCH: local TLBIs and DSB NSH */
	double per_x;
	unsigned op;            /* SYSCALL: enum dvm_trace_op */
	uint64_t flush_pages;   /* SYSCALL: pages per flush; 0: all in one */
	uint64_t cpus, loops, flushes, pages; /* ISSUERS, SWITCHES */
	uint64_t batch;         /* ISSUERS: flushes left to one barrier at their end; 0: none */
	double scale;           /* measured operations per simulated one; for ISSUERS, SWITCHES */
	const struct dvm_strategy *strategy;
	bool noise;             /* BYSTANDER */
	bool rate;              /* SUM: 1 / sum */
	size_t work, factor;    /* unknowns: time per operation; a factor of the result */
	const char *sum[DVMI_CAL_SUM_MAX];
	size_t nsum;
};

extern const char *const dvmi_experiment_names[DVMI_EXPERIMENTS];

/* What is simulated for @x (0 for a label), in @unit; @unknowns in picoseconds or as they are. */
int dvmi_experiment_run(const struct dvmi_experiment *e, const struct dvm_model *hw,
			const struct dvm_model *kernel, const double *unknowns, double x,
			const char *unit, double *value, struct dvm_error *err);
/* Whether values in @unit can come from @e. */
bool dvmi_experiment_unit(const struct dvmi_experiment *e, const char *unit);

/* ---- fit.c: least squares ---- */

struct dvmi_fit_param {
	double value, min, max;
	int state; /* enum dvm_calibration_state */
};

/* out[i] = simulated / measured - 1 of row i, for rows that @skip does not name. */
struct dvmi_fit_problem {
	size_t rows, params;
	int (*run)(void *arg, const double *params, size_t skip, double *out);
	void *arg;
};

/* Start from the values in @params and leave the fitted ones there. @skip: a row left out, or SIZE_MAX. */
int dvmi_fit(const struct dvmi_fit_problem *problem, struct dvmi_fit_param *params, size_t skip);

/* ---- sets.c: which measurement is simulated how ---- */

struct dvmi_cal_row {
	struct dvmi_measurement *measurement;
	struct dvmi_experiment experiment;
	const char *note;
	int use;
	double shipped, fitted, left_out;
};

struct dvmi_cal_param {
	const char *path, *unit;
	bool unknown; /* of the fit, not of the model */
	struct dvmi_fit_param fit;
	double shipped;
};

struct dvmi_cal_fit {
	const char *name, *kernel_name, *note;
	struct dvm_model *hw, *kernel;
	struct dvmi_cal_param params[DVMI_CAL_FREE_MAX];
	size_t nparams;
	struct dvmi_cal_row *rows;
	size_t nrows, capacity;
	bool fitted;
	double worst;
};

struct dvmi_json;

struct dvm_calibration {
	struct dvmi_data data;
	struct dvmi_json *doc; /* owns the strings of the sets file */
	const char *models, *strategy_dir, *model; /* while loading */
	struct dvmi_cal_fit *fits;
	size_t nfits, capacity;
	struct dvm_strategy **strategies; /* one per name */
	size_t nstrategies, cap_strategies;
	struct dvm_strategy *bare_is, *bare_local;
};

int dvmi_sets_load(struct dvm_calibration *cal, const char *path, struct dvm_error *err);

#endif
