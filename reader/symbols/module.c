/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/module.h"

#include "support/array.h"
#include "symbols/dynamic.h"
#include "symbols/elf_image.h"
#include "symbols/module_files.h"
#include "symbols/symbol_at.h"
#include "target/procfs.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>

DEFINE_ARRAY(module_array, struct module *)

static void module_destroy(struct module *module)
{
	if (!module)
		return;
	symbol_cache_destroy(module->symbols);
	module_files_destroy(module->files);
	free(module);
}

#define _cleanup_module_ _cleanup_(cleanup_module)
static void cleanup_module(struct module **module)
{
	module_destroy(*module);
}

#define _cleanup_module_array_ _cleanup_(cleanup_module_array)
static void cleanup_module_array(struct module_array *array)
{
	for (size_t i = 0; i < array->count; i++)
		module_destroy(array->data[i]);
	module_array_deinit(array);
}

/*
 * Whether an image may begin here. The offset is that of the ELF header; loaders map privately, and
 * a shared mapping can be a device, whose memory is not ours to read.
 */
static bool may_begin_module(const struct mapping *mapping)
{
	return mapping->inode != 0 && mapping->offset == 0 && mapping->readable && !mapping->shared;
}

static struct memtool_error *add_module(struct module_array *array, struct process *process,
					const struct maps *maps, size_t first)
{
	const struct mapping *mapping = &maps->data[first];
	_cleanup_module_ struct module *module = calloc(1, sizeof(*module));
	bool found;

	if (!module)
		return memtool_error_no_memory;
	module->name = mapping->name;
	module->deleted = mapping->deleted;
	struct memtool_error *error = elf_image_read(&process->memory, maps, first, &found, module);
	if (error || !found)
		return error;

	module->files = module_files_create(process, maps, mapping);
	if (!module->files || !module_array_append(array, &module))
		return memtool_error_no_memory;
	module = NULL;
	return NULL;
}

/* An entry of the auxiliary vector that the kernel gave the program; 0 if it cannot be had. */
static uint64_t auxiliary_value(pid_t pid, uint64_t type)
{
	Elf64_auxv_t vector[64];
	char path[64];

	/* A leader that exited before its threads shows none. */
	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)procfs_live_thread(pid));
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, vector, sizeof(vector));
	for (ssize_t i = 0; i < size / (ssize_t)sizeof(vector[0]); i++) {
		if (vector[i].a_type == type)
			return vector[i].a_un.a_val;
	}
	return 0;
}

/* The first module with a DT_DEBUG, or NULL. */
static struct memtool_error *find_with_debug_tag(const struct modules *modules, struct module **ret)
{
	struct dynamic dynamic;

	for (size_t i = 0; i < modules->count; i++) {
		struct memtool_error *error =
			dynamic_read(modules->data[i], &modules->process->memory, &dynamic);
		if (error)
			return error;
		if (dynamic.executable) {
			*ret = modules->data[i];
			return NULL;
		}
	}
	*ret = NULL;
	return NULL;
}

/* AT_BASE is where the kernel has loaded what PT_INTERP names. */
static void mark_linker(struct modules *modules)
{
	struct module *module =
		modules_find(modules, auxiliary_value(modules->process->pid, AT_BASE));

	if (module)
		module->linker = true;
}

/*
 * The kernel tells what it loaded. That is not the program where it was started by hand as an
 * argument of ld.so, which has no PT_INTERP, but, unlike a static program, a SONAME; then it is the
 * one that ld.so left its address in.
 */
static struct memtool_error *mark_executable(struct modules *modules)
{
	struct module *module =
		modules_find(modules, auxiliary_value(modules->process->pid, AT_PHDR));
	struct module *program = NULL;
	struct memtool_error *error = NULL;

	if (!module)
		return NULL;
	if (!module->interpreted) {
		struct dynamic dynamic;
		error = dynamic_read(module, &modules->process->memory, &dynamic);
		if (!error && *dynamic.soname)
			error = find_with_debug_tag(modules, &program);
	}
	if (error)
		return error;
	(program ? program : module)->executable = true;
	if (program)
		module->linker = true;
	else
		mark_linker(modules);
	return NULL;
}

struct memtool_error *modules_load(struct process *process, const struct maps *maps,
				   struct modules **ret)
{
	_cleanup_module_array_ struct module_array array = { 0 };
	uint64_t end = 0; /* of the last module: a second segment can be of offset 0 too */

	for (size_t i = 0; i < maps->count; i++) {
		if (maps->data[i].range.start < end || !may_begin_module(&maps->data[i]))
			continue;
		struct memtool_error *error = add_module(&array, process, maps, i);
		if (error)
			return error;
		if (array.count > 0)
			end = array.data[array.count - 1]->range.end;
	}

	struct modules *modules = calloc(1, sizeof(*modules));
	if (!modules)
		return memtool_error_no_memory;
	*modules = (struct modules){ array.data, array.count, process, maps };
	array = (struct module_array){ 0 };
	struct memtool_error *error = mark_executable(modules);
	if (error) {
		modules_destroy(modules);
		return error;
	}
	*ret = modules;
	return NULL;
}

void modules_destroy(struct modules *modules)
{
	if (!modules)
		return;
	for (size_t i = 0; i < modules->count; i++)
		module_destroy(modules->data[i]);
	free(modules->data);
	free(modules);
}

struct module *modules_find(const struct modules *modules, uint64_t address)
{
	size_t low = 0, high = modules->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct module *module = modules->data[middle];
		if (address < module->range.start)
			high = middle;
		else if (address >= module->range.end)
			low = middle + 1;
		else
			return module;
	}
	return NULL;
}
