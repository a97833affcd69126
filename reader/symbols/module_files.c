/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/module_files.h"

#include "symbols/debug_file.h"
#include "symbols/memory_symbols.h"
#include "symbols/open_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct module_files {
	struct process *process;
	const struct maps *maps;
	const struct mapping *mapping;
	struct elf_file file;
	struct elf_file memory; /* what stands in for file */
	struct elf_file debug;
	char missing[64]; /* why there is no file by its path */
	bool file_tried;
	bool memory_tried;
	bool debug_tried; /* among what is installed */
	bool debug_asked; /* debuginfod */
};

struct module_files *module_files_create(struct process *process, const struct maps *maps,
					 const struct mapping *mapping)
{
	struct module_files *files = malloc(sizeof(*files));

	if (files)
		*files = (struct module_files){
			.process = process,
			.maps = maps,
			.mapping = mapping,
			.file = ELF_FILE_NONE,
			.memory = ELF_FILE_NONE,
			.debug = ELF_FILE_NONE,
		};
	return files;
}

void module_files_destroy(struct module_files *files)
{
	if (!files)
		return;
	elf_file_close(&files->file);
	elf_file_close(&files->memory);
	elf_file_close(&files->debug);
	free(files);
}

static bool is_mapped_file(const struct module_files *files, int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && status.st_dev == files->mapping->device &&
	       status.st_ino == files->mapping->inode;
}

/*
 * Takes over fd, which may be -1. The build-id decides, where there is one in memory: it also tells
 * a file that was overwritten in place, and holds on file systems that show one device in
 * /proc/PID/maps and another one to stat(2).
 */
static bool open_candidate(const struct module *module, int fd)
{
	_cleanup_elf_file_ struct elf_file file = ELF_FILE_NONE;

	if (!elf_file_open(fd, &file))
		return false;
	bool same = module->build_id_size ? elf_file_match(&file, module->build_id,
							   module->build_id_size) == BUILD_ID_SAME
					  : is_mapped_file(module->files, file.fd);
	if (!same)
		return false;
	module->files->file = file;
	file = (struct elf_file)ELF_FILE_NONE;
	return true;
}

/* Needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE; the kernel wants the mapping's exact range. */
static int open_map_file(const struct module_files *files)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)files->process->pid, files->mapping->range.start, files->mapping->range.end);
	return open_regular(path);
}

static int open_exe(const struct module_files *files)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)files->process->pid);
	return open_regular(path);
}

/* Where the target itself looks: whoever wants the file can do something about what fails there. */
static bool open_by_path(const struct module *module)
{
	struct module_files *files = module->files;
	char text[sizeof(files->missing)];

	errno = 0;
	int fd = open_regular_of(files->process->pid, module->name);
	int refused = fd < 0 ? errno : 0;
	snprintf(files->missing, sizeof(files->missing), "%s",
		 refused ? strerror_r(refused, text, sizeof(text)) : "another file is there now");
	return open_candidate(module, fd);
}

/*
 * The kernel names a file as the target sees it, unless it can be reached from our own root: the
 * path of a file of a chroot(2) is ours, that of a file of a container its own.
 */
static bool open_file(const struct module *module)
{
	const struct module_files *files = module->files;

	return open_candidate(module, open_map_file(files)) || open_by_path(module) ||
	       open_candidate(module, open_regular(module->name)) ||
	       (module->executable && open_candidate(module, open_exe(files)));
}

const struct elf_file *module_file(struct module *module)
{
	struct module_files *files = module->files;

	if (!files->file_tried) {
		files->file_tried = true;
		open_file(module);
	}
	return elf_file_is_open(&files->file) ? &files->file : NULL;
}

const char *module_file_missing(struct module *module)
{
	if (module_file(module))
		return NULL;
	return module->deleted ? "deleted" : module->files->missing;
}

/* Where memory cannot be read, whoever reads it next tells that. */
static void make_stand_in(const struct module *module, struct module_files *files)
{
	bool found;

	memtool_error_destroy(memory_symbols_make(module, files->maps, &files->process->memory,
						  &found, &files->memory));
}

const struct elf_file *module_symbol_file(struct module *module)
{
	struct module_files *files = module->files;
	const struct elf_file *file = module_file(module);

	if (file)
		return file;
	if (!files->memory_tried) {
		files->memory_tried = true;
		make_stand_in(module, files);
	}
	return elf_file_is_open(&files->memory) ? &files->memory : NULL;
}

const struct elf_file *module_installed_debug_file(struct module *module)
{
	struct module_files *files = module->files;

	if (!files->debug_tried) {
		module_file(module);
		files->debug_tried = true;
		debug_file_find(module, files->process->pid, &files->file, &files->debug);
	}
	return elf_file_is_open(&files->debug) ? &files->debug : NULL;
}

const struct elf_file *module_debug_file(struct module *module)
{
	struct module_files *files = module->files;

	if (!module_installed_debug_file(module) && !files->debug_asked) {
		files->debug_asked = true;
		debug_file_fetch(module, &files->debug);
	}
	return elf_file_is_open(&files->debug) ? &files->debug : NULL;
}
