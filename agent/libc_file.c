/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc_file.h"

#include "agent/system.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The ELF header, program headers and build-id lie in it, and ld.so changes none of it. */
#define COMPARED 1024

/* Whether it is still the file that libc was loaded from. */
static bool is_same(const struct image *libc, const void *file, size_t size)
{
	const struct image_segment *first = &libc->segments[0];

	return size >= COMPARED && first->file_size >= COMPARED && !(first->flags & PF_W) &&
	       memcmp(first->bytes, file, COMPARED) == 0;
}

static bool scan(const struct image *libc, const void *file, size_t size,
		 struct glibc_scan_arena *ret_arena, struct glibc_scan_par *ret_par)
{
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	struct image image;

	if (!is_same(libc, file, size) || !image_of_file(file, size, &image) ||
	    !glibc_scan_main_arena(&image, &arena) || !glibc_scan_mp(&image, &par))
		return false;
	arena.address += libc->bias;
	par.address += libc->bias;
	*ret_arena = arena;
	*ret_par = par;
	return true;
}

bool libc_file_scan(const struct objects *objects, struct glibc_scan_arena *ret_arena,
		    struct glibc_scan_par *ret_par)
{
	long fd = system_call(SYS_open, (long)objects->libc_path, O_RDONLY | O_CLOEXEC, 0, 0, 0, 0);

	if (system_failed(fd))
		return false;
	long size = system_call(SYS_lseek, fd, 0, SEEK_END, 0, 0, 0);
	void *file =
		size > 0 ? system_mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, (int)fd) : NULL;
	system_close((int)fd);
	if (!file)
		return false;
	bool found = scan(&objects->libc, file, (size_t)size, ret_arena, ret_par);
	system_munmap(file, (size_t)size);
	return found;
}
