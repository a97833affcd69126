/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/mutate.h"

#include "tests/fuzz/sparse.h"

struct fuzz_random fuzz_random(unsigned int seed)
{
	return (struct fuzz_random){ seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
}

/* xorshift64* */
static uint64_t next(struct fuzz_random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t fuzz_below(struct fuzz_random *random, uint64_t bound)
{
	return (next(random) >> 8) % bound;
}

static uint64_t step(struct fuzz_random *random)
{
	static const uint64_t steps[] = { 1, 4, 8, 16, 32, 64, 4096, 65536, UINT64_C(64) << 20 };
	uint64_t size = steps[fuzz_below(random, sizeof(steps) / sizeof(steps[0]))];

	return fuzz_below(random, 2) ? size : -size;
}

uint64_t fuzz_mutate_word(struct fuzz_random *random, uint64_t word, uint64_t address,
			  uint64_t other)
{
	switch (fuzz_below(random, 13)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return word ^ (UINT64_C(1) << fuzz_below(random, 3));
	case 3:
		return word ^ (UINT64_C(1) << fuzz_below(random, 64));
	case 4:
		return word + step(random);
	case 5:
	case 6:
		return other;
	case 7:
		return other + step(random);
	case 8:
		/* As safe-linking stores it. */
		return other ^ address >> 12;
	case 9:
		return address + (fuzz_below(random, 3) * 8 - 16);
	case 10:
		/* A small size with its flags. */
		return fuzz_below(random, 0x1000);
	case 11:
		return UINT64_C(1) << fuzz_below(random, 64);
	default:
		return next(random);
	}
}

size_t fuzz_pick_word(struct fuzz_random *random, const uint8_t *bytes, size_t length)
{
	size_t words = length / sizeof(uint64_t), at = fuzz_below(random, words);

	if (fuzz_below(random, 8) == 0)
		return at;
	size_t found = fuzz_next_word(bytes, at, words);
	if (found == words)
		found = fuzz_next_word(bytes, 0, at);
	return found;
}
