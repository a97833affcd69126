/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutations of single words, as heaps and ELF files take offence at them: other pointers, sizes off
 * by one step, flag bits. For fuzz targets that are linked with libFuzzer.
 */
#ifndef TESTS_FUZZ_MUTATE_H
#define TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_random {
	uint64_t state;
};

struct fuzz_random fuzz_random(unsigned int seed);

/* Below bound, which is not 0. */
uint64_t fuzz_below(struct fuzz_random *random, uint64_t bound);

/* What may stand instead of word at address; other is a word or an address from the same input. */
uint64_t fuzz_mutate_word(struct fuzz_random *random, uint64_t word, uint64_t address,
			  uint64_t other);

/*
 * The index of a word of length bytes at bytes: one that is not 0 if it finds one from a random
 * place on, else any.
 */
size_t fuzz_pick_word(struct fuzz_random *random, const uint8_t *bytes, size_t length);

#endif
