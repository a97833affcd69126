/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/sparse.h"

#include <string.h>

#define WORD     sizeof(uint64_t)
#define MAX_SKIP UINT16_MAX
#define MAX_RUN  UINT8_MAX

uint64_t fuzz_take(struct fuzz_input *input, size_t size)
{
	uint64_t value = 0;
	size_t count = size < input->left ? size : input->left;

	if (count)
		memcpy(&value, input->bytes, count);
	input->bytes += count;
	input->left -= count;
	return value;
}

void fuzz_take_runs(struct fuzz_input *input, uint8_t *to, size_t length)
{
	size_t at = 0;

	for (;;) {
		size_t skip = fuzz_take(input, 2), count = fuzz_take(input, 1);
		if (!skip && !count)
			return;
		at += skip * WORD;
		for (; count; count--, at += WORD) {
			uint64_t word = fuzz_take(input, WORD);
			if (at < length && length - at >= WORD)
				memcpy(to + at, &word, WORD);
		}
	}
}

void fuzz_put(struct fuzz_output *output, uint64_t value, size_t size)
{
	if (size > output->capacity - output->size) {
		output->full = true;
		return;
	}
	memcpy(output->bytes + output->size, &value, size);
	output->size += size;
}

static uint64_t word_at(const uint8_t *from, size_t index)
{
	uint64_t word;

	memcpy(&word, from + index * WORD, WORD);
	return word;
}

size_t fuzz_next_word(const uint8_t *bytes, size_t at, size_t count)
{
	static const uint8_t zeros[512];
	const size_t block = sizeof(zeros) / WORD;

	while (at < count) {
		if (count - at >= block && memcmp(bytes + at * WORD, zeros, sizeof(zeros)) == 0) {
			at += block;
			continue;
		}
		for (size_t i = 0; i < block && at < count; i++, at++) {
			if (word_at(bytes, at))
				return at;
		}
	}
	return count;
}

void fuzz_put_runs(struct fuzz_output *output, const uint8_t *from, size_t length)
{
	size_t words = length / WORD, at = 0, next;

	while ((next = fuzz_next_word(from, at, words)) < words) {
		size_t count = 0;
		for (; next - at > MAX_SKIP; at += MAX_SKIP)
			fuzz_put(output, MAX_SKIP, 3);
		while (next + count < words && count < MAX_RUN && word_at(from, next + count))
			count++;
		fuzz_put(output, next - at, 2);
		fuzz_put(output, count, 1);
		for (size_t i = 0; i < count; i++)
			fuzz_put(output, word_at(from, next + i), WORD);
		at = next + count;
	}
	fuzz_put(output, 0, 3);
}
