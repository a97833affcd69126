/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/thread_list.h"

#include "symbols/thread_db.h"

#include <string.h>

/* As many as the kernel can have (PID_MAX_LIMIT). */
#define THREADS_MAX (UINT32_C(4) << 20)

struct thread_offsets {
	uint64_t list; /* of the list node in struct pthread */
	uint64_t tid;
	uint64_t heads[2]; /* addresses of _dl_stack_used and _dl_stack_user */
	uint64_t cache; /* and of _dl_stack_cache */
};

static struct memtool_error *read_offset(struct module *module, struct memory *memory,
					 const char *name, uint64_t *ret)
{
	struct thread_db_field field;
	struct memtool_error *error = thread_db_field(module, memory, name, &field);

	if (!error)
		*ret = field.offset;
	return error;
}

/* The lists of ld.so, from 2.33 on; owner, libc or libpthread, has the descriptors. */
static struct memtool_error *find_heads(const struct libc *libc, const struct modules *modules,
					struct module *owner, struct memory *memory,
					struct thread_offsets *ret)
{
	static const char *const fields[] = { "_thread_db_rtld_global__dl_stack_used",
					      "_thread_db_rtld_global__dl_stack_user" };
	static const char *const variables[] = { "_dl_stack_used", "_dl_stack_user" };
	struct module *linker = thread_db_linker(modules, libc->module);
	uint64_t global = 0, offset = 0;
	struct memtool_error *error = NULL;

	if (!linker)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "no ld.so is among the modules, so where glibc's list "
					    "of threads is cannot be told");
	/* In a static executable the members of _rtld_global are variables of their own. */
	if (linker == libc->module) {
		for (size_t i = 0; i < 2 && !error; i++)
			error = thread_db_symbol(linker, variables[i], &ret->heads[i]);
		return error ? error : thread_db_symbol(linker, "_dl_stack_cache", &ret->cache);
	}
	error = thread_db_symbol(linker, "_rtld_global", &global);
	for (size_t i = 0; i < 2 && !error; i++) {
		error = read_offset(owner, memory, fields[i], &offset);
		ret->heads[i] = global + offset;
	}
	/* No descriptor tells of it, but it is the member behind (sysdeps/generic/ldsodefs.h). */
	ret->cache = ret->heads[1] + 16;
	return error;
}

/* Up to 2.32 they are variables of libpthread. In 2.33 only the one of cached stacks still is. */
static struct memtool_error *find_heads_of_libpthread(const struct libc *libc,
						      const struct modules *modules,
						      struct module *libpthread,
						      struct memory *memory,
						      struct thread_offsets *ret)
{
	struct memtool_error *error = thread_db_symbol(libpthread, "stack_used", &ret->heads[0]);

	if (!error)
		error = thread_db_symbol(libpthread, "__stack_user", &ret->heads[1]);
	else if (memtool_error_catch(&error, MEMTOOL_ERROR_UNSUPPORTED))
		error = find_heads(libc, modules, libpthread, memory, ret);
	return error ? error : thread_db_symbol(libpthread, "stack_cache", &ret->cache);
}

/* libpthread, where it is not a part of libc and the program has threads; or NULL. */
static struct module *find_libpthread(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		const char *slash = strrchr(modules->data[i]->name, '/');
		const char *name = slash ? slash + 1 : modules->data[i]->name;
		if (strncmp(name, "libpthread", strlen("libpthread")) == 0)
			return modules->data[i];
	}
	return NULL;
}

static struct memtool_error *find_offsets(const struct libc *libc, const struct modules *modules,
					  struct memory *memory, struct thread_offsets *ret)
{
	struct module *libpthread = find_libpthread(modules), *owner = libc->module;
	struct memtool_error *error =
		read_offset(owner, memory, "_thread_db_pthread_list", &ret->list);

	if (libpthread && memtool_error_catch(&error, MEMTOOL_ERROR_UNSUPPORTED)) {
		owner = libpthread;
		error = read_offset(owner, memory, "_thread_db_pthread_list", &ret->list);
	}
	if (!error)
		error = read_offset(owner, memory, "_thread_db_pthread_tid", &ret->tid);
	if (error)
		return error;
	if (owner == libpthread)
		return find_heads_of_libpthread(libc, modules, libpthread, memory, ret);
	return find_heads(libc, modules, owner, memory, ret);
}

/*
 * Follows one circular list from its head. As each node's prev must be the node before it, no node
 * is met twice.
 */
static struct memtool_error *follow_list(const struct thread_offsets *offsets, uint64_t head,
					 struct memory *memory, struct listed_threads *threads)
{
	uint64_t links[2], before = head;

	struct memtool_error *error =
		memory_read(memory, head, links, sizeof(links), "list of threads");
	for (uint64_t node = error ? head : links[0]; node != head; node = links[0]) {
		struct listed_thread thread = { .fs_base = node - offsets->list };

		error = memory_read(memory, node, links, sizeof(links), "list of threads");
		if (!error)
			error = memory_read(memory, thread.fs_base + offsets->tid, &thread.tid,
					    sizeof(thread.tid), "struct pthread");
		if (error)
			break;
		if (links[1] != before || threads->count >= THREADS_MAX)
			return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
						    "glibc's list of threads is broken, or it "
						    "changed while it was read");
		if (!listed_threads_append(threads, &thread))
			return memtool_error_no_memory;
		before = node;
	}
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT))
		error = memtool_error_create(MEMTOOL_ERROR_CORRUPT,
					     "glibc's list of threads leads to unreadable memory");
	return error;
}

static struct memtool_error *follow_lists(const struct thread_offsets *offsets,
					  const uint64_t *heads, size_t count,
					  struct memory *memory, struct listed_threads *ret)
{
	_cleanup_(listed_threads_deinit) struct listed_threads threads = { 0 };
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = follow_list(offsets, heads[i], memory, &threads);
	if (error)
		return error;
	*ret = threads;
	threads = (struct listed_threads){ 0 };
	return NULL;
}

struct memtool_error *libc_list_threads(const struct libc *libc, const struct modules *modules,
					struct memory *memory, struct listed_threads *ret)
{
	struct thread_offsets offsets = { 0 };

	struct memtool_error *error = find_offsets(libc, modules, memory, &offsets);
	return error ? error : follow_lists(&offsets, offsets.heads, 2, memory, ret);
}

struct memtool_error *libc_list_cached_stacks(const struct libc *libc,
					      const struct modules *modules, struct memory *memory,
					      struct listed_threads *ret)
{
	struct thread_offsets offsets = { 0 };

	struct memtool_error *error = find_offsets(libc, modules, memory, &offsets);
	return error ? error : follow_lists(&offsets, &offsets.cache, 1, memory, ret);
}
