/* SPDX-License-Identifier: MIT */
#include "kernel/words.h"

#include "base/bitmap.h"
#include "base/mem.h"

/* Where a word is stored: prev and next are mms too. */
static enum dvmi_base block_of(const struct dvmi_word *word)
{
	return word->base == DVMI_BASE_PREV || word->base == DVMI_BASE_NEXT ? DVMI_BASE_MM :
	       (enum dvmi_base)word->base;
}

static void lay_out(struct dvmi_words *w)
{
	for (unsigned i = 0; i < w->program->words_count; i++) {
		const struct dvmi_word *word = &w->program->words[i];
		enum dvmi_base base = block_of(word);

		w->offsets[i] = w->sizes[base];
		w->sizes[base] += word->mask ? dvmi_words_cells(w, i) : 1;
	}
}

int dvmi_words_init(struct dvmi_words *w, const struct dvmi_program *program,
		    const struct dvmi_topology *topology, const struct dvmi_words_size *size)
{
	memset(w, 0, sizeof(*w));
	w->program = program;
	w->topology = topology;
	w->cpus = size->cpus;
	w->domains = size->domains;
	w->mask_words = (unsigned)dvmi_bitmap_words(size->cpus);
	w->counts[DVMI_BASE_GLOBAL] = size->kernels;
	w->counts[DVMI_BASE_MM] = size->mms;
	w->counts[DVMI_BASE_CPU] = size->kernels * size->cpus;
	w->counts[DVMI_BASE_TASK] = size->tasks;
	lay_out(w);
	for (unsigned b = 0; b <= DVMI_BASE_TASK; b++) {
		if (!w->counts[b])
			continue;
		w->cells[b] = dvmi_calloc((size_t)w->counts[b] * w->sizes[b], sizeof(uint64_t));
		w->lines[b] = dvmi_calloc(w->counts[b], sizeof(struct dvmi_line));
		if (!w->cells[b] || !w->lines[b]) {
			dvmi_words_fini(w);
			return -DVM_ENOMEM;
		}
		for (uint32_t i = 0; i < w->counts[b]; i++)
			dvmi_line_init(&w->lines[b][i]);
	}
	for (uint32_t k = 0; k < size->kernels; k++)
		dvmi_words_reset(w, DVMI_BASE_GLOBAL, k, k * size->cpus % topology->cpus);
	for (uint32_t c = 0; c < w->counts[DVMI_BASE_CPU]; c++)
		dvmi_words_reset(w, DVMI_BASE_CPU, c, c % topology->cpus);
	return 0;
}

void dvmi_words_fini(struct dvmi_words *w)
{
	for (unsigned b = 0; b <= DVMI_BASE_TASK; b++) {
		for (uint32_t i = 0; w->lines[b] && i < w->counts[b]; i++)
			dvmi_line_fini(&w->lines[b][i], w->topology);
		dvmi_free(w->cells[b]);
		dvmi_free(w->lines[b]);
	}
	memset(w, 0, sizeof(*w));
}

static void fill_mask(const struct dvmi_words *w, unsigned word, uint64_t *cell, bool all)
{
	memset(cell, 0, dvmi_words_cells(w, word) * sizeof(*cell));
	for (unsigned n = 0; all && n < dvmi_words_bits(w, word); n++)
		dvmi_bitmap_set(cell, n);
}

void dvmi_words_reset(struct dvmi_words *w, enum dvmi_base base, uint32_t index, unsigned cpu)
{
	for (unsigned i = 0; i < w->program->words_count; i++) {
		const struct dvmi_word *word = &w->program->words[i];

		if (block_of(word) != base)
			continue;
		if (word->mask)
			fill_mask(w, i, dvmi_words_cell(w, i, index), word->init);
		else
			*dvmi_words_cell(w, i, index) = word->init;
	}
	dvmi_line_fini(&w->lines[base][index], w->topology);
	dvmi_line_init_owned(&w->lines[base][index], w->topology, cpu);
}

uint64_t *dvmi_words_cell(struct dvmi_words *w, unsigned word, uint32_t index)
{
	enum dvmi_base base = block_of(&w->program->words[word]);

	return w->cells[base] + (size_t)index * w->sizes[base] + w->offsets[word];
}

struct dvmi_line *dvmi_words_line(struct dvmi_words *w, enum dvmi_base base, uint32_t index)
{
	return &w->lines[base][index];
}

void dvmi_words_mm_users(struct dvmi_words *w, uint32_t mm, int delta)
{
	for (unsigned i = 0; i < w->program->words_count; i++)
		if (w->program->words[i].kernel)
			*dvmi_words_cell(w, i, mm) += (uint64_t)(int64_t)delta;
}
