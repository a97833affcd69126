/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/copy.h"

#include "bench/bench.h"
#include "support/cleanup.h"
#include "target/maps.h"

#include <string.h>
#include <sys/uio.h>

#define PIECE    ((size_t)2 << 20)
#define HEAP_MAX (UINT64_C(64) << 20)

static char buffer[PIECE];

/* The bytes that were copied. */
static size_t copy_mapping(pid_t pid, const struct range *range)
{
	for (uint64_t at = range->start; at < range->end; at += PIECE) {
		size_t length = range->end - at < PIECE ? range->end - at : PIECE;
		struct iovec local = { buffer, length };
		struct iovec remote = { (void *)(uintptr_t)at, length };
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)length)
			bench_fail("the heap could not be copied");
	}
	return range->end - range->start;
}

/* brk's, or another arena's: its heaps start at multiples of HEAP_MAX_SIZE (malloc/arena.c). */
static bool is_heap(const struct mapping *mapping)
{
	if (strcmp(mapping->name, "[heap]") == 0)
		return true;
	return mapping->name[0] == '\0' && mapping->readable && !mapping->shared &&
	       mapping->range.start % HEAP_MAX == 0;
}

double copy_heap(pid_t pid, double *ret_bytes)
{
	_cleanup_(maps_deinit) struct maps maps = { 0 };
	size_t total = 0;

	struct memtool_error *error = maps_read(pid, &maps);
	if (error)
		bench_fail("%s", error->message);
	memset(buffer, 1, sizeof(buffer));
	double before = bench_now_ms();
	for (size_t i = 0; i < maps.count; i++) {
		if (is_heap(&maps.data[i]))
			total += copy_mapping(pid, &maps.data[i].range);
	}
	*ret_bytes = (double)total;
	return bench_now_ms() - before;
}
