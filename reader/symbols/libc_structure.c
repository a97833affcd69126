/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/libc_structure.h"

#include "common/glibc_scan.h"
#include "symbols/elf_file.h"
#include "symbols/module_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* libc.so.6 has 2 MB; a static program may have more around it. */
#define FILE_SIZE_MAX ((off_t)1 << 30)

/* The whole file of the module, to be freed. */
static struct memtool_error *read_file(struct module *module, uint8_t **ret, size_t *ret_size)
{
	const struct elf_file *file = module_file(module);
	struct stat status;
	size_t done = 0;

	if (!file)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "the file of %s is gone or may not be read, and its "
					    "structure shows in that only; run memtool as root",
					    module->name);
	if (fstat(file->fd, &status) < 0 || status.st_size <= 0 || status.st_size > FILE_SIZE_MAX)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "%s is of no use in its size", module->name);
	_cleanup_free_ uint8_t *bytes = malloc((size_t)status.st_size);
	if (!bytes)
		return memtool_error_no_memory;
	while (done < (size_t)status.st_size) {
		ssize_t count =
			pread(file->fd, bytes + done, (size_t)status.st_size - done, (off_t)done);
		if (count < 0)
			return memtool_error_os(errno, "%s could not be read", module->name);
		if (count == 0)
			break;
		done += (size_t)count;
	}
	*ret = no_cleanup_ptr(bytes);
	*ret_size = done;
	return NULL;
}

static struct memtool_error *not_recognised(const struct module *module, const char *what)
{
	return memtool_error_create(
		MEMTOOL_ERROR_UNSUPPORTED,
		"%s could not be recognised in %s, whose glibc may be newer than "
		"this memtool; install its debug package, and leave out "
		"--source=structure",
		what, module->name);
}

/* `tcache` as its offset from fs_base, which ld.so has put into the GOT; unknown if in doubt. */
static struct memtool_error *find_tcache(const struct module *module, const struct image *image,
					 struct memory *memory, struct root *ret)
{
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	size_t count = glibc_scan_tls(image, slots), index;
	int64_t offset;

	if (!glibc_scan_tcache(image, slots, count, &index))
		return NULL;
	struct memtool_error *error = memory_read(memory, module->bias + slots[index].got, &offset,
						  sizeof(offset), "GOT");
	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || error)
		return error;
	/* Static TLS lies below the thread pointer (x86-64: TLS variant II). */
	if (offset < 0 && offset >= INT32_MIN && offset % 8 == 0)
		*ret = (struct root){ (uint64_t)offset, ROOT_STRUCTURE };
	return NULL;
}

struct memtool_error *libc_find_structure(struct libc *libc, struct memory *memory,
					  struct malloc_roots *ret)
{
	const struct module *module = libc->module;
	_cleanup_free_ uint8_t *bytes = NULL;
	struct malloc_roots roots = *ret;
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	struct image image;
	size_t size;

	struct memtool_error *error = read_file(libc->module, &bytes, &size);
	if (error)
		return error;
	if (!image_of_file(bytes, size, &image))
		return not_recognised(module, "ELF");
	if (!glibc_scan_main_arena(&image, &arena))
		return not_recognised(module, "main_arena");
	if (!glibc_scan_mp(&image, &par))
		return not_recognised(module, "mp_");
	error = find_tcache(module, &image, memory, &roots.tcache);
	if (error)
		return error;
	roots.main_arena = (struct root){ module->bias + arena.address, ROOT_STRUCTURE };
	roots.mp = (struct root){ module->bias + par.address, ROOT_STRUCTURE };
	libc->traits.malloc_state_next = arena.next;
	libc->traits.malloc_par_n_mmaps_max = par.n_mmaps_max;
	*ret = roots;
	return NULL;
}
