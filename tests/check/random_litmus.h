/* SPDX-License-Identifier: MIT */
#ifndef DVMSIM_TESTS_RANDOM_LITMUS_H
#define DVMSIM_TESTS_RANDOM_LITMUS_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdio.h>

static const char *const random_pool[] = {
	"LDR W%u,[X10]",
	"LDR W%u,[X11]",
	"STR W1,[X10]",
	"STR W2,[X11]",
	"STR X14,[X13]",
	"STR X15,[X13]",
	"LDR X%u,[X13]",
	"DMB SY",
	"DMB ST",
	"DMB LD",
	"DSB ISH",
	"DSB ST",
	"DSB LD",
	"ISB",
	"TLBI VAAE1IS,X12",
	"TLBI VMALLE1",
	"LDAR W%u,[X11]",
	"STLR W1,[X11]",
	"SWP W1,W%u,[X11]",
	"LDR W%u,[X10,X3]",
	"EOR X3,X4,X4",
	"CBNZ X4,L%u",
	"STR X15,[X13]",
	"LDR W%u,[X10]",
	"CAS W4,W2,[X11]",
	"TLBI VAE1IS,X12",
	"LDR W4,[X11]",
	"STR X14,[X13]",
	/* two ASIDs; walks in progress; what an IPI is made of: a release, an acquire, an ISB */
	"MSR TTBR0_EL1,X16",
	"TLBI ASIDE1IS,X16",
	"WALK X%u,[X10]",
	"LDAR W4,[X11]",
	"STR W2,[X10]",
};

/* In some, table walkers update descriptors. */
static const char *const random_tthm[8] = {
	"", "", "", "", "", "TTHM=P0:HA\n", "TTHM=P0:HD\n", "TTHM=HD\n"};
static const char *const random_entry[8] = {"",
					    "",
					    "",
					    "",
					    "",
					    " [PTE(x)]=(af:0);",
					    " [PTE(x)]=(db:0,dbm:1);",
					    " [PTE(x)]=(af:0,db:0,dbm:1);"};

/* What a random program looks like. */
struct random_shape {
	unsigned threads, rows, hw;
	unsigned equal; /* so many threads, from the first on, have the same instructions */
	bool odd;	/* though the second of them stores another value */
	bool swap;	/* and has y where the others have x */
};

static inline size_t random_threads(const struct random_shape *s, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned t = 0; t < s->threads; t++) {
		char x = s->swap && t == 1 ? 'y' : 'x', y = s->swap && t == 1 ? 'x' : 'y';

		n += (size_t)snprintf(text + n, size - n,
				      "%u:X10=%c; %u:X11=%c; %u:X13=PTE(%c); %u:X1=%u; %u:X2=2; "
				      "%u:X12=%c; %u:X16=0x0001000000000000; "
				      "%u:X14=(oa:PA(%c),valid:0); %u:X15=(oa:PA(z));\n",
				      t, x, t, y, t, x, t, s->odd && !s->swap && t == 1 ? 3u : 1u,
				      t, t, x, t, t, x, t);
	}
	return n;
}

static inline size_t random_cell(unsigned thread, unsigned row, uint64_t pick, char *text,
				 size_t size)
{
	const char *op = random_pool[pick];
	size_t n = (size_t)snprintf(text, size, "%s ", thread ? "|" : "");

	/* %u: a register of its own, or the label at the end. */
	return n + (size_t)snprintf(text + n, size - n, op,
				    op[0] == 'C' && op[1] == 'B' ? thread : 5 + row);
}

static inline void random_litmus_of(struct dvmi_rng *rng, const struct random_shape *s, char *text,
				    size_t size)
{
	size_t n = 0;

	n += (size_t)snprintf(text + n, size - n, "AArch64 random\n%s{ %sy=5; z=6;%s\n",
			      random_tthm[s->hw], s->swap && !s->odd ? "x=5; " : "",
			      random_entry[s->hw]);
	n += random_threads(s, text + n, size - n);
	n += (size_t)snprintf(text + n, size - n, "}\n");
	for (unsigned t = 0; t < s->threads; t++)
		n += (size_t)snprintf(text + n, size - n, "%s P%u ", t ? "|" : "", t);
	n += (size_t)snprintf(text + n, size - n, ";\n");
	for (unsigned r = 0; r < s->rows; r++) {
		uint64_t pick = 0;

		for (unsigned t = 0; t < s->threads; t++) {
			if (!t || t >= s->equal)
				pick = dvmi_rng_below(rng,
						      sizeof(random_pool) / sizeof(random_pool[0]));
			n += random_cell(t, r, pick, text + n, size - n);
		}
		n += (size_t)snprintf(text + n, size - n, ";\n");
	}
	for (unsigned t = 0; t < s->threads; t++)
		n += (size_t)snprintf(text + n, size - n, "%sL%u: NOP ", t ? "|" : "", t);
	n += (size_t)snprintf(text + n, size - n, ";\nlocations [x; y; z; PTE(x);%s",
			      s->swap ? " PTE(y);" : "");
	for (unsigned t = 0; t < s->threads; t++)
		n += (size_t)snprintf(text + n, size - n,
				      "%u:X4; %u:X5; %u:X6; %u:X7; fault(P%u,x);", t, t, t, t, t);
	(void)snprintf(text + n, size - n, "]\nexists (true)\n");
}

/* A small program over descriptors, data, barriers and TLBIs; @rows instructions a thread, 0: 3
 * or 4. */
static inline void random_litmus(struct dvmi_rng *rng, unsigned rows, char *text, size_t size)
{
	struct random_shape s = {.threads = 2 + (unsigned)dvmi_rng_below(rng, 2), .rows = rows};

	s.hw = (unsigned)dvmi_rng_below(rng, 8);
	if (!rows)
		s.rows = (s.threads == 2 ? 4u : 3u) - (s.hw > 4); /* which adds a thread */
	random_litmus_of(rng, &s, text, size);
}

/* Two or three threads of two to four are the same, one with x and y swapped, or nearly so. */
static inline void random_equal(struct dvmi_rng *rng, char *text, size_t size)
{
	struct random_shape s = {.threads = 2 + (unsigned)dvmi_rng_below(rng, 3)};

	s.equal = 2 + (unsigned)dvmi_rng_below(rng, s.threads > 2 ? 2 : 1);
	s.hw = s.threads < 4 ? (unsigned)dvmi_rng_below(rng, 8) : 0;
	s.rows = 6 - s.threads - (s.hw > 4);
	s.swap = !s.hw && dvmi_rng_below(rng, 2);
	s.odd = dvmi_rng_below(rng, s.swap ? 3 : 8) == 0;
	random_litmus_of(rng, &s, text, size);
}

#endif
