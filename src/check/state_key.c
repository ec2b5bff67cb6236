/* SPDX-License-Identifier: MIT */
/*
 * Values follow from who reads whom and from the order of writes per location, so a key holds only
 * those: events done, sources, the order of writes of each location, and which writes each TLBI
 * found in memory. Each takes the bits that the program leaves open: the walk of a page whose
 * descriptor nobody writes takes none.
 */
#include "check/state_key.h"

#include <string.h>

#define ALL_DESCS UINT64_C(0x00000000ffffffff)

/* ---- layout ---- */

/* Bits that tell @values values apart. */
static uint8_t bits_for(unsigned values)
{
	uint8_t n = 0;

	while (1u << n < values)
		n++;
	return n;
}

static const struct dvmi_ev *event(const struct dvmi_program *prog, struct dvmi_ref r)
{
	return &prog->pe[r.pe].ev[r.ev];
}

/* Writes that may be to a location that @e may touch, itself included. */
static unsigned writes_to(const struct dvmi_program *prog, const struct dvmi_ev *e)
{
	unsigned n = 0;

	for (unsigned w = 0; w < prog->writes; w++)
		n += (event(prog, prog->write[w])->touches & e->touches) != 0;
	return n;
}

void dvmi_state_layout(struct dvmi_program *prog)
{
	struct dvmi_layout *l = &prog->layout;
	uint8_t any = bits_for(prog->writes + 1);

	for (unsigned r = 0; r < prog->reads; r++)
		l->read[r] = writes_to(prog, event(prog, prog->read[r])) ? any : 0;
	for (unsigned w = 0; w < prog->walks; w++)
		l->walk[w] = writes_to(prog, event(prog, prog->walk[w])) ? any : 0;
	l->descs = 0;
	for (unsigned w = 0; w < prog->writes; w++) {
		const struct dvmi_ev *e = event(prog, prog->write[w]);

		l->rank[w] = bits_for(writes_to(prog, e));
		if (e->touches & ALL_DESCS)
			l->descs |= UINT64_C(1) << w;
	}
}

/* ---- keys ---- */

struct writer {
	unsigned char *key;
	size_t bytes;
	uint64_t held; /* fewer than 32 bits between two calls */
	unsigned bits;
};

static void flush(struct writer *w, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		w->key[w->bytes++] = (unsigned char)(w->held >> 8 * i);
}

/* At most 32 bits. */
static void put(struct writer *w, uint64_t value, unsigned bits)
{
	w->held |= value << w->bits;
	w->bits += bits;
	if (w->bits < 32)
		return;
	flush(w, 4);
	w->held >>= 32;
	w->bits -= 32;
}

static void put_done(struct writer *w, uint64_t done, unsigned events)
{
	if (events > 32) {
		put(w, done & UINT32_MAX, 32);
		done >>= 32;
		events -= 32;
	}
	put(w, done, events);
}

static void put_sources(struct writer *w, const uint8_t *source, const uint8_t *bits,
			unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (bits[i])
			put(w, source[i] == DVMI_INIT ? 0 : source[i] + 1u, bits[i]);
}

/* Writes to descriptors that were in memory when TLBI @t was executed. */
static uint64_t found_by(const struct dvmi_program *prog, const struct dvmi_state *st, unsigned t)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < st->snap[t]; i++)
		if (st->wloc[st->order[i]] < DVMI_PAGES_MAX)
			found |= UINT64_C(1) << st->order[i];
	return found & prog->layout.descs;
}

/* Whose entry each walk used, and which address spaces were left when each TLBI was executed. */
static void put_lefts(struct writer *w, const struct dvmi_program *prog, const struct dvmi_state *st)
{
	for (unsigned k = 0; k < prog->walks; k++) {
		const struct dvmi_ev *e = event(prog, prog->walk[k]);
		uint16_t loc = st->tloc[k];

		put(w, loc < DVMI_PAGES_MAX &&
			       loc != dvmi_walk_desc(prog, e, dvmi_page_of_desc(prog, loc)), 1);
	}
	for (unsigned t = 0; t < prog->tlbis; t++)
		put(w, st->shut[t], prog->lefts);
}

size_t dvmi_state_key(const struct dvmi_program *prog, const struct dvmi_state *st,
		      unsigned char *key)
{
	const struct dvmi_layout *l = &prog->layout;
	struct writer w = {.key = key};

	for (unsigned p = 0; p < prog->pes; p++)
		put_done(&w, st->done[p], prog->pe[p].events);
	/* Fields of events that are not done are zero. */
	put_sources(&w, st->rsrc, l->read, prog->reads);
	put_sources(&w, st->tsrc, l->walk, prog->walks);
	/* Rank, not place in memory's order: the order of different locations is nothing. */
	for (unsigned i = 0; i < prog->writes; i++)
		if (l->rank[i])
			put(&w, st->rank[i] ? st->rank[i] - 1u : 0, l->rank[i]);
	for (unsigned t = 0; t < prog->tlbis; t++) {
		uint64_t found = found_by(prog, st, t);

		for (unsigned i = 0; i < prog->writes; i++)
			if (l->descs >> i & 1)
				put(&w, found >> i & 1, 1);
	}
	if (prog->lefts)
		put_lefts(&w, prog, st);
	if (prog->watch)
		put(&w, st->clash, prog->pages);
	flush(&w, (w.bits + 7) / 8);
	return w.bytes;
}

/* ---- images ---- */

static bool is_done(const struct dvmi_state *st, struct dvmi_ref r)
{
	return st->done[r.pe] >> r.ev & 1;
}

static unsigned source_in(const struct dvmi_image *im, uint8_t src)
{
	return src == DVMI_INIT ? 0 : im->write_to[src] + 1u;
}

/* What dvmi_state_key() would give for the image: the same order, each part from where it was. */
size_t dvmi_state_image_key(const struct dvmi_program *prog, const struct dvmi_state *st,
			    const struct dvmi_image *im, unsigned char *key)
{
	const struct dvmi_layout *l = &prog->layout;
	struct writer w = {.key = key};

	for (unsigned p = 0; p < prog->pes; p++)
		put_done(&w, st->done[im->pe[p]], prog->pe[p].events);
	for (unsigned i = 0; i < prog->reads; i++) {
		unsigned r = im->read[i];

		if (l->read[i])
			put(&w, is_done(st, prog->read[r]) ? source_in(im, st->rsrc[r]) : 1,
			    l->read[i]);
	}
	for (unsigned i = 0; i < prog->walks; i++) {
		unsigned k = im->walk[i];
		bool has = is_done(st, prog->walk[k]) && st->tloc[k] != DVMI_LOC_NONE;

		if (l->walk[i])
			put(&w, has ? source_in(im, st->tsrc[k]) : 1, l->walk[i]);
	}
	for (unsigned i = 0; i < prog->writes; i++)
		if (l->rank[i])
			put(&w, st->rank[im->write[i]] ? st->rank[im->write[i]] - 1u : 0,
			    l->rank[i]);
	for (unsigned t = 0; t < prog->tlbis; t++) {
		uint64_t found = found_by(prog, st, im->tlbi[t]);

		for (unsigned i = 0; i < prog->writes; i++)
			if (l->descs >> i & 1)
				put(&w, found >> im->write[i] & 1, 1);
	}
	if (prog->watch) /* pages stay where they are; a test with two mms has no images */
		put(&w, st->clash, prog->pages);
	flush(&w, (w.bits + 7) / 8);
	return w.bytes;
}

static int compare_done(const struct dvmi_program *prog, const struct dvmi_state *st,
			const struct dvmi_image *a, const struct dvmi_image *b)
{
	for (unsigned p = 0; p < prog->pes; p++)
		if (st->done[a->pe[p]] != st->done[b->pe[p]])
			return st->done[a->pe[p]] < st->done[b->pe[p]] ? -1 : 1;
	return 0;
}

/* The least by what is done, among these the least key: the first settles most states. */
size_t dvmi_state_least_key(const struct dvmi_program *prog, const struct dvmi_state *st,
			    const struct dvmi_images *images, unsigned char *key)
{
	unsigned char other[DVMI_KEY_MAX];
	const struct dvmi_image *least;
	size_t size;

	if (!images || images->count == 1)
		return dvmi_state_key(prog, st, key);
	least = &images->one[0];
	for (unsigned i = 1; i < images->count; i++)
		if (compare_done(prog, st, &images->one[i], least) < 0)
			least = &images->one[i];
	size = dvmi_state_image_key(prog, st, least, key);
	for (unsigned i = 0; i < images->count; i++) {
		if (&images->one[i] == least || compare_done(prog, st, &images->one[i], least) != 0)
			continue;
		(void)dvmi_state_image_key(prog, st, &images->one[i], other);
		if (memcmp(other, key, size) < 0)
			memcpy(key, other, size);
	}
	return size;
}
