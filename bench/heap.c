/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap COUNT [MIN MAX]
 *
 * What is measured: a process with COUNT blocks of MIN to MAX bytes (24 to 351: chunks of about 190
 * bytes), every twentieth freed again. Prints "ready", and ends when standard input does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The same sequence on every run: Knuth's MMIX generator. */
static uint64_t next_random(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state >> 33;
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	size_t least = argc > 3 ? strtoul(argv[2], NULL, 0) : 24;
	size_t most = argc > 3 ? strtoul(argv[3], NULL, 0) : 351;
	char **blocks = calloc(count + 1, sizeof(*blocks));
	char end;

	if (!blocks || most < least)
		return 1;
	for (size_t i = 0; i < count; i++) {
		size_t size = least + next_random() % (most - least + 1);
		blocks[i] = malloc(size);
		if (!blocks[i])
			return 1;
		memset(blocks[i], (int)i, size);
	}
	for (size_t i = 0; i < count; i += 20)
		free(blocks[i]);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
