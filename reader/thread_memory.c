/* SPDX-License-Identifier: Apache-2.0 */
#include "thread_memory.h"

#include "symbols/thread_db.h"
#include "symbols/tls_variable.h"

#include <stdlib.h>

DEFINE_ARRAY(thread_block_array, struct thread_block)

/* What makes no answer impossible is passed over. */
static struct memtool_error *only_fatal(struct memtool_error *error)
{
	if (error && error->code != MEMTOOL_ERROR_NO_MEMORY &&
	    error->code != MEMTOOL_ERROR_NO_PROCESS) {
		memtool_error_destroy(error);
		return NULL;
	}
	return error;
}

static struct memtool_error *add_block(struct thread_block_array *blocks, uint64_t start,
				       uint64_t size, pid_t tid, struct module *module)
{
	const struct thread_block block = { { start, start + size }, tid, module };

	if (size == 0 || size > UINT64_MAX - start)
		return NULL;
	return thread_block_array_append(blocks, &block) ? NULL : memtool_error_no_memory;
}

static struct memtool_error *add_module(struct process *process, const struct modules *modules,
					const struct libc *libc, struct module *module,
					const struct root_threads *threads,
					struct thread_block_array *blocks)
{
	struct tls_module tls;
	struct memtool_error *error =
		tls_module_find(modules, libc, module, &process->memory, &tls);

	if (error)
		return only_fatal(error);
	for (size_t i = 0; i < threads->count && !error; i++) {
		const struct root_thread *thread = &threads->data[i];
		uint64_t start;
		bool allocated;

		if (!thread->fs_base)
			continue;
		error = tls_block_find(&tls, &process->memory, thread->fs_base, &allocated, &start);
		if (!error && allocated)
			error = add_block(blocks, start, module->tls_size, thread->tid, module);
		error = only_fatal(error);
	}
	return error;
}

static struct memtool_error *add_tcbs(struct process *process, const struct libc *libc,
				      const struct root_threads *threads,
				      struct thread_block_array *blocks)
{
	uint32_t size = 0;
	struct memtool_error *error = only_fatal(
		thread_db_word(libc->module, &process->memory, "_thread_db_sizeof_pthread", &size));

	for (size_t i = 0; i < threads->count && !error && size; i++) {
		if (threads->data[i].fs_base)
			error = add_block(blocks, threads->data[i].fs_base, size,
					  threads->data[i].tid, NULL);
	}
	return error;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct thread_block *x = a, *y = b;

	if (x->range.start != y->range.start)
		return x->range.start < y->range.start ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Threads of raw clone(2) can share one; and what was read may be a lie. */
static void drop_overlaps(struct thread_block_array *blocks)
{
	size_t kept = 0;

	for (size_t i = 0; i < blocks->count; i++) {
		if (kept == 0 || blocks->data[i].range.start >= blocks->data[kept - 1].range.end)
			blocks->data[kept++] = blocks->data[i];
	}
	blocks->count = kept;
}

struct memtool_error *thread_memory_find(struct process *process, const struct modules *modules,
					 const struct libc *libc,
					 const struct root_threads *threads,
					 struct thread_memory *ret)
{
	_cleanup_(thread_block_array_deinit) struct thread_block_array blocks = { 0 };
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < modules->count && !error; i++) {
		if (modules->data[i]->tls_size)
			error = add_module(process, modules, libc, modules->data[i], threads,
					   &blocks);
	}
	if (!error && libc)
		error = add_tcbs(process, libc, threads, &blocks);
	if (error)
		return error;
	if (blocks.count)
		qsort(blocks.data, blocks.count, sizeof(*blocks.data), compare_blocks);
	drop_overlaps(&blocks);
	*ret = (struct thread_memory){ no_cleanup_ptr(blocks.data), blocks.count };
	return NULL;
}

void thread_memory_deinit(struct thread_memory *memory)
{
	free(memory->data);
	*memory = (struct thread_memory){ 0 };
}

const struct thread_block *thread_memory_at(const struct thread_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct thread_block *block = &memory->data[middle];
		if (range_contains(block->range, address))
			return block;
		if (address < block->range.start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
