/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TOOLS_STORE_H
#define DVMSIM_TOOLS_STORE_H

#include <dvmsim/error.h>

#include <stddef.h>

/*
 * Results of a study that are finished, in an SQLite file, so that a kill loses nothing. Usable from
 * several threads. Results that another build of the program made are not taken.
 */
struct store;

/* 0; -DVM_EINVAL when the program was built without SQLite; -DVM_EIO. @kept: results found. */
int store_open(const char *path, struct store **store, size_t *kept, struct dvm_error *err);
void store_close(struct store *store);
/* As dvm_campaign_options has them; @arg is the store. */
char *store_lookup(void *arg, const char *key);
int store_keep(void *arg, const char *key, const char *result);

#endif
