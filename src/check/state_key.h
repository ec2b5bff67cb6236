/* SPDX-License-Identifier: MIT */
#ifndef DVMI_CHECK_STATE_KEY_H
#define DVMI_CHECK_STATE_KEY_H

#include "check/machine.h"

/* States as bytes, to keep and compare them whole. */
#define DVMI_KEY_MAX 512
#define DVMI_IMAGES_MAX 120

/* Fill the layout of a program whose events are complete: dvmi_program_link() does. */
void dvmi_state_layout(struct dvmi_program *prog);

/*
 * The state as bytes, equal exactly when the states are, and for one program always of one size;
 * @key holds DVMI_KEY_MAX.
 */
size_t dvmi_state_key(const struct dvmi_program *prog, const struct dvmi_state *st,
		      unsigned char *key);

/*
 * A program whose threads change places and stay the same program: what each part of the image is
 * made from.
 */
struct dvmi_image {
	uint8_t symmetry; /* its number among those of the test */
	uint8_t pe[DVMI_PES_MAX];
	uint8_t read[DVMI_READS_MAX], write[DVMI_WRITES_MAX];
	uint8_t walk[DVMI_WALKS_MAX], tlbi[DVMI_TLBIS_MAX];
	uint8_t write_to[DVMI_WRITES_MAX]; /* the other way round */
};

struct dvmi_images {
	unsigned count;
	struct dvmi_image one[DVMI_IMAGES_MAX]; /* the first changes nothing */
};

/* The key of the image of @st. */
size_t dvmi_state_image_key(const struct dvmi_program *prog, const struct dvmi_state *st,
			    const struct dvmi_image *image, unsigned char *key);
/* A key that all images of @st have in common, and no other state. @images may be NULL: none. */
size_t dvmi_state_least_key(const struct dvmi_program *prog, const struct dvmi_state *st,
			    const struct dvmi_images *images, unsigned char *key);

#endif
