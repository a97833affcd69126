/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap COUNT [MIN MAX [ARENAS]]
 *
 * What is measured: a process with COUNT blocks of MIN to MAX bytes (24 to 351: chunks of about 190
 * bytes), every twentieth freed again. With ARENAS that many threads have them, and with that
 * arenas, evenly. Prints "ready", and ends when standard input does.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENAS_MAX 16

static size_t count, least = 24, most = 351;
static pthread_barrier_t filled;

/* The same sequence on every run: Knuth's MMIX generator. */
static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void fill(void)
{
	char **blocks = calloc(count + 1, sizeof(*blocks));
	uint64_t state = 1;

	if (!blocks)
		exit(1);
	for (size_t i = 0; i < count; i++) {
		size_t size = least + next_random(&state) % (most - least + 1);
		blocks[i] = malloc(size);
		if (!blocks[i])
			exit(1);
		memset(blocks[i], (int)i, size);
	}
	for (size_t i = 0; i < count; i += 20)
		free(blocks[i]);
}

static void *run(void *argument)
{
	fill();
	pthread_barrier_wait(&filled);
	pause();
	return argument;
}

static void fill_arenas(unsigned int arenas)
{
	pthread_t thread;

	if (arenas > ARENAS_MAX || pthread_barrier_init(&filled, NULL, arenas + 1) != 0)
		exit(1);
	for (unsigned int i = 0; i < arenas; i++) {
		if (pthread_create(&thread, NULL, run, NULL) != 0)
			exit(1);
	}
	pthread_barrier_wait(&filled);
}

int main(int argc, char **argv)
{
	unsigned int arenas = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 0) : 0;
	char end;

	count = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	if (argc > 3) {
		least = strtoul(argv[2], NULL, 0);
		most = strtoul(argv[3], NULL, 0);
	}
	if (most < least)
		return 1;
	if (arenas) {
		count /= arenas;
		fill_arenas(arenas);
	} else {
		fill();
	}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
