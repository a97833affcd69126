/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing fuzz inputs: little-endian numbers, and memory that is mostly zero as runs of
 * the words that are not.
 *
 * A run is how many zero words to skip (2 bytes), how many words follow (1 byte), and those. A run
 * that skips nothing and has no words is the last. Input that ends early goes on as zeros, so every
 * byte string can be read.
 */
#ifndef TESTS_FUZZ_SPARSE_H
#define TESTS_FUZZ_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_input {
	const uint8_t *bytes;
	size_t left;
};

uint64_t fuzz_take(struct fuzz_input *input, size_t size);

/* Into length bytes at to, which are zero. Words that lie beyond are read and dropped. */
void fuzz_take_runs(struct fuzz_input *input, uint8_t *to, size_t length);

struct fuzz_output {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
	bool full; /* something did not fit */
};

void fuzz_put(struct fuzz_output *output, uint64_t value, size_t size);

/* length is a multiple of 8. */
void fuzz_put_runs(struct fuzz_output *output, const uint8_t *from, size_t length);

/*
 * The index of the first word that is not 0, of words [at, count) at bytes; count if all are.
 * Passes over zeros quickly also where a sanitizer watches every access.
 */
size_t fuzz_next_word(const uint8_t *bytes, size_t at, size_t count);

#endif
