/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which places of a fixed array are taken; without a lock, so also from a signal handler, and in
 * the child of a fork(2) that another thread made. The lowest free place is given first.
 */
#ifndef AGENT_BITMAP_H
#define AGENT_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITMAP_WORDS(places) (((places) + 63) / 64)

/* places, or more, if none of them is free. */
static inline unsigned int bitmap_claim(uint64_t *words, unsigned int places)
{
	for (unsigned int i = 0; i < BITMAP_WORDS(places); i++) {
		uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
		while (~word) {
			unsigned int bit = (unsigned int)__builtin_ctzll(~word);
			if (i * 64 + bit >= places)
				return places;
			if (__atomic_compare_exchange_n(&words[i], &word, word | UINT64_C(1) << bit,
							true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				return i * 64 + bit;
		}
	}
	return places;
}

static inline void bitmap_release(uint64_t *words, unsigned int place)
{
	__atomic_fetch_and(&words[place / 64], ~(UINT64_C(1) << place % 64), __ATOMIC_RELEASE);
}

#endif
