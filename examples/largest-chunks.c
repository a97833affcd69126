/* SPDX-License-Identifier: Apache-2.0 */
/*
 * largest-chunks PID: the ten largest allocations of a process.
 *
 *	cc largest-chunks.c $(pkg-config --cflags --libs memtool)
 */
#include <memtool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN 10

struct largest {
	struct memtool_chunk chunks[SHOWN]; /* by size, the largest first */
	size_t count;
};

static bool consider(void *context, const struct memtool_chunk *chunk)
{
	struct largest *largest = context;
	size_t at = largest->count < SHOWN ? largest->count++ : SHOWN;

	for (; at > 0 && largest->chunks[at - 1].usable < chunk->usable; at--)
		if (at < SHOWN)
			largest->chunks[at] = largest->chunks[at - 1];
	if (at < SHOWN)
		largest->chunks[at] = *chunk;
	return true;
}

int main(int argc, char **argv)
{
	struct largest largest = { .count = 0 };
	struct memtool_target *target = NULL;
	struct memtool_heap *heap = NULL;
	struct memtool_error *error;

	if (argc != 2)
		return fprintf(stderr, "usage: %s PID\n", argv[0]), 64;
	error = memtool_open(atoi(argv[1]), NULL, &target);
	if (!error)
		error = memtool_read_heap(target, NULL, &heap);
	memtool_close(target);
	if (error)
		return fprintf(stderr, "%s\n", memtool_error_message(error)), 2;

	memtool_heap_chunks(heap, MEMTOOL_STATES_LIVE, consider, &largest);
	for (size_t i = 0; i < largest.count; i++)
		printf("0x%" PRIx64 " %" PRIu64 "\n", largest.chunks[i].user,
		       largest.chunks[i].usable);
	memtool_heap_destroy(heap);
	return 0;
}
