/* SPDX-License-Identifier: Apache-2.0 */
/* Mutates an input of fuzz_image by the words of its file, and by halves and bytes of them. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/image_file.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

static void change_word(struct fuzz_random *random, struct image_file *file)
{
	size_t at = 8 * fuzz_pick_word(random, file->bytes, file->size);
	size_t from = 8 * fuzz_pick_word(random, file->bytes, file->size);
	size_t size = (size_t)8 >> fuzz_below(random, 4);
	uint64_t word, other;

	memcpy(&word, file->bytes + at, sizeof(word));
	memcpy(&other, file->bytes + from, sizeof(other));
	if (fuzz_below(random, 3) == 0)
		other = from;
	word = fuzz_mutate_word(random, word, at, other);
	memcpy(file->bytes + at + fuzz_below(random, 8 / size) * size, &word, size);
}

static void copy_words(struct fuzz_random *random, struct image_file *file)
{
	size_t from = 8 * fuzz_pick_word(random, file->bytes, file->size);
	size_t to = 8 * fuzz_pick_word(random, file->bytes, file->size);
	size_t length = 8 * (1 + fuzz_below(random, 16));

	if (length <= file->size - from && length <= file->size - to)
		memmove(file->bytes + to, file->bytes + from, length);
}

static void cut(struct fuzz_random *random, struct image_file *file)
{
	size_t pages = file->size / IMAGE_FILE_PAGE;
	size_t size = (1 + fuzz_below(random, pages)) * IMAGE_FILE_PAGE;

	memset(file->bytes + size, 0, file->size - size);
	file->size = size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static struct image_file file;
	struct fuzz_random random = fuzz_random(seed);
	size_t encoded;

	if (fuzz_below(&random, 32) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	image_file_decode(&file, data, size);
	for (uint64_t steps = 1 + fuzz_below(&random, 4); steps; steps--) {
		if (fuzz_below(&random, 10) == 0)
			copy_words(&random, &file);
		else
			change_word(&random, &file);
	}
	if (fuzz_below(&random, 40) == 0)
		cut(&random, &file);
	encoded = image_file_encode(&file, data, max_size);
	return encoded ? encoded : LLVMFuzzerMutate(data, size, max_size);
}
