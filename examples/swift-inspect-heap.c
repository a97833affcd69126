/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swift-inspect-heap PID: what swift-inspect needs of a process, on Linux.
 *
 * Its RemoteProcess asks for a data layout, bytes, the length of a string, the address of a symbol
 * whose name is counted and not terminated, and for every live allocation with its usable size. The
 * functions below have the shape that it wants; main() shows each. The allocations are collected
 * before the first is processed, and by then nothing is attached to the process any more, so that
 * swift-inspect may attach itself.
 */
#include <memtool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t swift_addr_t;

enum data_layout { POINTER_SIZE, SIZE_SIZE, LEAST_VALID_POINTER };

static bool query_data_layout(enum data_layout what, uint64_t *ret)
{
	static const uint64_t values[] = {
		[POINTER_SIZE] = 8,
		[SIZE_SIZE] = 8,
		[LEAST_VALID_POINTER] = 0x1000,
	};

	*ret = values[what];
	return true;
}

/* Nothing here prints: what cannot be had is NULL or 0, as swift-inspect expects. */
static bool succeeded(struct memtool_error *error)
{
	bool success = !error;

	memtool_error_destroy(error);
	return success;
}

static const void *read_bytes(void *context, swift_addr_t address, uint64_t size)
{
	void *bytes = malloc(size ? size : 1);

	if (bytes && succeeded(memtool_read(context, address, bytes, size)))
		return bytes;
	free(bytes);
	return NULL;
}

static uint64_t get_string_length(void *context, swift_addr_t address)
{
	uint64_t length;
	bool ended;

	if (!succeeded(memtool_string_length(context, address, UINT64_MAX, &length, &ended)))
		return 0;
	return ended ? length : 0;
}

static swift_addr_t get_symbol_address(void *context, const char *name, uint64_t name_length)
{
	uint64_t address;

	return succeeded(memtool_symbol_address(context, name, name_length, &address)) ? address
										       : 0;
}

struct allocations {
	struct memtool_chunk *chunks;
	size_t count;
};

static bool collect(void *context, const struct memtool_chunk *chunk)
{
	struct allocations *allocations = context;

	allocations->chunks[allocations->count++] = *chunk;
	return true;
}

/* All live allocations, and then body() for each: (user pointer, usable size). */
static struct memtool_error *
iterate_heap(struct memtool_target *target,
	     void (*body)(void *context, swift_addr_t address, uint64_t size), void *context)
{
	struct allocations allocations = { NULL, 0 };
	struct memtool_heap *heap;
	struct memtool_error *error = memtool_read_heap(target, NULL, &heap);

	if (error)
		return error;
	/* At least one, since malloc(0) may be NULL. */
	allocations.chunks =
		malloc((memtool_heap_chunk_count(heap) + 1) * sizeof(*allocations.chunks));
	if (!allocations.chunks)
		abort();
	memtool_heap_chunks(heap, MEMTOOL_STATES_LIVE, collect, &allocations);
	memtool_heap_destroy(heap);
	for (size_t i = 0; i < allocations.count; i++)
		body(context, allocations.chunks[i].user, allocations.chunks[i].usable);
	free(allocations.chunks);
	return NULL;
}

static void print(void *context, swift_addr_t address, uint64_t size)
{
	(void)context;
	printf("0x%" PRIx64 " %" PRIu64 "\n", address, size);
}

int main(int argc, char **argv)
{
	static const char name[] = "gnu_get_libc_version, and what follows";
	struct memtool_target *target = NULL;
	uint64_t pointer_size;

	if (argc != 2)
		return fprintf(stderr, "usage: %s PID\n", argv[0]), 64;
	struct memtool_error *error = memtool_open(atoi(argv[1]), NULL, &target);
	if (!error) {
		swift_addr_t symbol = get_symbol_address(target, name, strcspn(name, ","));
		const void *code = symbol ? read_bytes(target, symbol, 16) : NULL;
		query_data_layout(POINTER_SIZE, &pointer_size);
		printf("pointer %" PRIu64 ", symbol 0x%" PRIx64 "%s, string at 8: %" PRIu64 "\n",
		       pointer_size, symbol, code ? " readable" : "", get_string_length(target, 8));
		free((void *)code);
		error = iterate_heap(target, print, NULL);
	}
	memtool_close(target);
	if (error) {
		fprintf(stderr, "%s\n", memtool_error_message(error));
		memtool_error_destroy(error);
		return 2;
	}
	return 0;
}
