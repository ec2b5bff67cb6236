/* SPDX-License-Identifier: MIT */
#ifndef DVMI_BASE_FILE_H
#define DVMI_BASE_FILE_H

#include "base/error.h"

#include <stddef.h>

/*
 * Read a whole file of at most @max bytes. *@data is NUL-terminated (not counted in *@size) and
 * freed by the caller with dvmi_free().
 */
int dvmi_file_load(const char *path, size_t max, char **data, size_t *size, struct dvm_error *err);

/* Write atomically: a temporary file beside @path, fsync, rename. Nothing is left on failure. */
int dvmi_file_save(const char *path, const void *data, size_t size, struct dvm_error *err);

#endif
