/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/progress.h"

/* Between two calls of the function; some 0.3 ms of reading. */
#define INTERVAL (UINT64_C(2) << 20)

static struct memtool_error *count(struct progress_memory *self, uint64_t bytes)
{
	self->progress.bytes_read += bytes;
	if (self->progress.bytes_read - self->told < INTERVAL)
		return NULL;
	self->told = self->progress.bytes_read;
	self->progress.chunks = *self->chunk_count;
	return self->function(self->context, &self->progress)
		       ? NULL
		       : memtool_error_create(MEMTOOL_ERROR_INTERRUPTED, "interrupted");
}

static struct memtool_error *read_counted(struct memory *memory, uint64_t address, void *buffer,
					  size_t length, size_t *ret)
{
	struct progress_memory *self = (struct progress_memory *)memory;
	struct memtool_error *error = memory_read_some(self->inner, address, buffer, length, ret);

	return error ? error : count(self, *ret);
}

static struct memtool_error *find_present(struct memory *memory, struct range within,
					  struct range *ret)
{
	return memory_find_present(((struct progress_memory *)memory)->inner, within, ret);
}

static void read_ahead(struct memory *memory, struct range range)
{
	memory_read_ahead(((struct progress_memory *)memory)->inner, range);
}

static struct memtool_error *take_counted(struct memory *memory, uint64_t address, size_t length,
					  struct range *ret_range, const uint8_t **ret)
{
	struct progress_memory *self = (struct progress_memory *)memory;
	struct memtool_error *error =
		memory_take_ahead(self->inner, address, length, ret_range, ret);

	return error || !*ret ? error : count(self, range_size(*ret_range));
}

struct progress_memory progress_memory(struct memory *inner, const size_t *chunk_count,
				       memtool_progress_fn function, void *context)
{
	static const struct memory_ops ops = {
		.read = read_counted,
		.find_present = find_present,
		.read_ahead = read_ahead,
		.take_ahead = take_counted,
	};

	return (struct progress_memory){
		.memory = { &ops },
		.inner = inner,
		.chunk_count = chunk_count,
		.function = function,
		.context = context,
	};
}
