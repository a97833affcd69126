/* SPDX-License-Identifier: Apache-2.0 */
/*
 * churn COUNT own|one|shared
 *
 * A heap that changes while it is looked at: COUNT blocks of 24 to 351 bytes, every twentieth freed
 * again, as in heap.c, and then two threads that free a block and allocate another one, without a
 * pause: any of 4096 of their own. "own": each has its arena. "one": there is one arena for all.
 * "shared": likewise, and each takes turns between those blocks and any of its half of the COUNT.
 * What was freed at first stays so, and a block makes room for another one, so that the totals stay
 * what they are, but for a little.
 *
 * Prints "ready", then for each line of standard input "mallinfo2" and what that says as of then:
 * arena, hblkhd, uordblks and fordblks. Ends when standard input does.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 2
#define OWN     4096
#define LEAST   24
#define MOST    351
#define STRIDE  7368787 /* a prime */

struct churner {
	uint64_t random;
	char *own[OWN];
	size_t number; /* its blocks of all are those from here on, in steps of THREADS */
};

static char **blocks;
static size_t count;
static bool shared;

/* Knuth's MMIX generator: the same sequence on every run. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Bytes that are no header and no pointer. */
static char *allocate(uint64_t *random)
{
	size_t size = LEAST + next_random(random) % (MOST - LEAST + 1);
	char *block = malloc(size);

	if (!block)
		abort();
	memset(block, (int)size | 1, size);
	return block;
}

static void replace(char **block, uint64_t *random)
{
	if (!*block)
		return;
	free(*block);
	*block = allocate(random);
}

static void *churn(void *argument)
{
	struct churner *self = argument;

	for (size_t i = 0; i < OWN; i++)
		self->own[i] = allocate(&self->random);
	for (;;) {
		replace(&self->own[next_random(&self->random) % OWN], &self->random);
		if (shared)
			replace(&blocks[next_random(&self->random) % (count / THREADS) * THREADS +
					self->number],
				&self->random);
	}
	return NULL;
}

static void fill(void)
{
	uint64_t random = 1;

	blocks = calloc(count, sizeof(*blocks));
	if (!blocks)
		abort();
	for (size_t i = 0; i < count; i++)
		blocks[i] = allocate(&random);
	/* In no order of addresses, lest malloc take them in that. */
	for (size_t i = 0; i < count / 20; i++) {
		size_t freed = i * STRIDE % (count / 20) * 20;
		free(blocks[freed]);
		blocks[freed] = NULL;
	}
}

int main(int argc, char **argv)
{
	static struct churner churners[THREADS];
	char request, line[128];
	pthread_t thread;

	if (argc != 3 || (count = strtoul(argv[1], NULL, 0)) < THREADS)
		return 1;
	shared = strcmp(argv[2], "shared") == 0;
	if (strcmp(argv[2], "own") != 0 && !mallopt(M_ARENA_MAX, 1))
		return 1;
	fill();
	for (size_t i = 0; i < THREADS; i++) {
		churners[i].random = churners[i].number = i;
		if (pthread_create(&thread, NULL, churn, &churners[i]))
			return 1;
	}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &request, 1) == 1) {
		if (request != '\n')
			continue;
		const struct mallinfo2 info = mallinfo2();
		int length = snprintf(line, sizeof(line), "mallinfo2 %zu %zu %zu %zu\n", info.arena,
				      info.hblkhd, info.uordblks, info.fordblks);
		if (write(STDOUT_FILENO, line, (size_t)length) != length)
			return 1;
	}
	return 0;
}
