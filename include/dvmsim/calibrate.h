/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_CALIBRATE_H
#define DVMSIM_CALIBRATE_H

#include <dvmsim/error.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct dvm_calibration - measurements, the experiments that reproduce them in the simulator, and
 * the models fitted to them.
 *
 * Measurements come from a CSV file (docs/model-author.md); a sets file (JSON) says for each of its
 * fits which rows belong to it, how each is simulated, and which parameters are free. One thread.
 */
struct dvm_calibration;

/** enum dvm_calibration_use - what a measurement is used for. */
enum dvm_calibration_use {
	DVM_CALIBRATION_FIT,   /* the free parameters are fitted to it: agreement predicts nothing */
	DVM_CALIBRATION_CHECK, /* simulated with what was fitted to other rows */
	DVM_CALIBRATION_NONE,  /* not simulated; @note says why */
};

/**
 * struct dvm_calibration_row - one measurement and what the simulator says. Strings belong to the
 * calibration.
 * @id, @platform, @workload, @x, @unit: as in the data file
 * @use:       enum dvm_calibration_use
 * @note:      why it is not used, or what to keep in mind; NULL for nothing
 * @measured:  in @unit
 * @shipped:   simulated with the model as it is, in @unit; NAN for NONE
 * @fitted:    simulated with the fitted parameters; NAN for NONE and before dvm_calibration_fit()
 * @left_out:  of a row that is fitted: simulated with the parameters fitted to the other rows;
 *             NAN where these are fewer than the free parameters
 */
struct dvm_calibration_row {
	const char *id, *platform, *workload, *x, *unit, *note;
	int use;
	double measured, shipped, fitted, left_out;
};

/** enum dvm_calibration_state - how well the rows determine a parameter. */
enum dvm_calibration_state {
	DVM_CALIBRATION_DETERMINED,
	DVM_CALIBRATION_NO_EFFECT, /* no row depends on it; it kept its value */
	DVM_CALIBRATION_SUM,       /* only a sum with another free parameter is determined */
	DVM_CALIBRATION_BOUND,     /* the fit ended at the least or the greatest value allowed */
};

/**
 * struct dvm_calibration_param - one free parameter of a fit.
 * @path:    of the hardware model, or "@name" for a quantity that no model has
 * @unit:    "ps" or the parameter's own
 * @state:   enum dvm_calibration_state
 * @shipped: the model's value, or the starting value
 * @fitted:  the fitted value
 */
struct dvm_calibration_param {
	const char *path, *unit;
	int state;
	double shipped, fitted;
};

/**
 * struct dvm_calibration_info - one fit of the sets file.
 * @name, @model, @kernel: its name, the hardware model and the kernel configuration it starts from
 * @note:   what the data fix and what they leave open
 * @rows:   measurements, see dvm_calibration_get_row()
 * @params: free parameters, see dvm_calibration_get_param()
 * @worst:  largest |fitted - measured| / measured of the fitted rows; NAN before the fit
 */
struct dvm_calibration_info {
	const char *name, *model, *kernel, *note;
	size_t rows, params;
	double worst;
};

/**
 * dvm_calibration_load() - read measurements and what to do with them.
 * @data:   CSV file; columns id, platform, workload, metric, x, value, unit, grade, origin, source
 * @sets:   JSON file of the fits
 * @models: the models folder, in which the fits' models are found
 * @strategies: the folder of strategy programs
 * @model:  stands in for the model that a fit names; NULL for none. Then only fits whose rows are
 *          in @data are kept.
 * @cal:    out, freed with dvm_calibration_free()
 * @err:    out, may be NULL
 *
 * Return: 0, -DVM_ENOENT, -DVM_EIO, -DVM_EFORMAT, -DVM_ELIMIT or -DVM_ENOMEM.
 */
DVM_API int dvm_calibration_load(const char *data, const char *sets, const char *models,
				 const char *strategies, const char *model,
				 struct dvm_calibration **cal, struct dvm_error *err);

/** dvm_calibration_free() - NULL is allowed. */
DVM_API void dvm_calibration_free(struct dvm_calibration *cal);

/** dvm_calibration_get() - fit number @fit; 0, or -DVM_ENOENT past the last. */
DVM_API int dvm_calibration_get(const struct dvm_calibration *cal, size_t fit,
				struct dvm_calibration_info *info);

/** dvm_calibration_unused() - rows of the data file that no fit mentions. */
DVM_API size_t dvm_calibration_unused(const struct dvm_calibration *cal);

/** dvm_calibration_get_row() - row @row of fit @fit; 0, or -DVM_ENOENT. */
DVM_API int dvm_calibration_get_row(const struct dvm_calibration *cal, size_t fit, size_t row,
				    struct dvm_calibration_row *out);

/** dvm_calibration_get_param() - free parameter @param of fit @fit; 0, or -DVM_ENOENT. */
DVM_API int dvm_calibration_get_param(const struct dvm_calibration *cal, size_t fit, size_t param,
				      struct dvm_calibration_param *out);

/**
 * dvm_calibration_fit() - fit one set, simulate all its rows.
 * @cal:       the calibration
 * @fit:       which one
 * @left_out:  also fit without each row in turn, and predict it
 * @err:       out, may be NULL
 *
 * Levenberg-Marquardt on the relative deviations, within the bounds that the models accept. The same
 * input gives the same bits.
 *
 * Return: 0; -DVM_ENOENT past the last; -DVM_EINVAL (the model can not run an experiment);
 * -DVM_EUNSAFE (a strategy of an experiment is unsafe in it); -DVM_ENOMEM.
 */
DVM_API int dvm_calibration_fit(struct dvm_calibration *cal, size_t fit, bool left_out,
				struct dvm_error *err);

/**
 * dvm_calibration_model() - the model with the fitted values, as a file.
 * @cal:  the calibration; dvm_calibration_fit() was called for @fit
 * @fit:  which one
 * @name: of the new model; it inherits from the fit's model
 * @text: out, JSON, freed with dvm_free()
 * @err:  out, may be NULL
 *
 * Each fitted value has the source "derived". A value of which only a sum is determined, or on which
 * nothing depends, is left out.
 *
 * Return: 0, -DVM_ENOENT, -DVM_EINVAL (not fitted yet) or -DVM_ENOMEM.
 */
DVM_API int dvm_calibration_model(const struct dvm_calibration *cal, size_t fit, const char *name,
				  char **text, struct dvm_error *err);

#ifdef __cplusplus
}
#endif
#endif
