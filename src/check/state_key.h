/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_STATE_KEY_H
#define DVMI_CHECK_STATE_KEY_H

#include "check/machine.h"

/* States as bytes, to keep and compare them whole. */
#define DVMI_KEY_MAX 512

/* Fill the layout of a program whose events are complete: dvmi_program_link() does. */
void dvmi_state_layout(struct dvmi_program *prog);

/*
 * The state as bytes, equal exactly when the states are, and for one program always of one size;
 * @key holds DVMI_KEY_MAX.
 */
size_t dvmi_state_key(const struct dvmi_program *prog, const struct dvmi_state *st,
		      unsigned char *key);

#endif
