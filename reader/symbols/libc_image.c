/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/libc_image.h"

#include "common/glibc_scan.h"
#include "support/range.h"
#include "symbols/elf_file.h"
#include "symbols/module_files.h"

#include <string.h>
#include <unistd.h>

#define PHDR_MAX 64 /* no linker makes more than some 20 */
/* libc.so.6 has 2 MB in all; a static program may have much more around it. */
#define SEGMENT_MAX (UINT64_C(256) << 20)

/* Reads up to size bytes at place, of the file or of memory; *ret of them. */
struct origin {
	struct memtool_error *(*read)(const struct origin *origin, uint64_t place, void *buffer,
				      size_t size, size_t *ret);
	int fd;
	struct memory *memory;
};

static struct memtool_error *read_file(const struct origin *origin, uint64_t place, void *buffer,
				       size_t size, size_t *ret)
{
	size_t done = 0;

	while (done < size && place <= INT64_MAX - size) {
		ssize_t count = pread(origin->fd, (uint8_t *)buffer + done, size - done,
				      (off_t)(place + done));
		if (count <= 0)
			break;
		done += (size_t)count;
	}
	*ret = done;
	return NULL;
}

static struct memtool_error *read_memory(const struct origin *origin, uint64_t place, void *buffer,
					 size_t size, size_t *ret)
{
	return memory_read_some(origin->memory, place, buffer, size, ret);
}

/* The bytes of a segment from offset on, which lie at place. */
static struct memtool_error *add_part(const struct origin *origin, const Elf64_Phdr *header,
				      uint64_t offset, uint64_t size, uint64_t place,
				      struct libc_image *ret)
{
	size_t index = ret->image.segment_count, count;

	if (size == 0 || size > SEGMENT_MAX || index == IMAGE_SEGMENTS)
		return NULL;
	ret->bytes[index] = malloc(size);
	if (!ret->bytes[index])
		return memtool_error_no_memory;
	struct memtool_error *error = origin->read(origin, place, ret->bytes[index], size, &count);
	if (error)
		return error;
	image_add_segment(&ret->image,
			  &(struct image_segment){
				  .address = ret->image.bias + header->p_vaddr + offset,
				  .size = count,
				  .file_size = count,
				  .bytes = ret->bytes[index],
				  .flags = header->p_flags,
			  });
	return NULL;
}

/*
 * Most of a libc is code, of which only some functions are looked at. The segment that has the
 * headers may have all else that is not written to, too.
 */
static bool is_code(const Elf64_Phdr *header)
{
	return header->p_flags & PF_X && header->p_offset != 0;
}

static struct memtool_error *add_function(const struct origin *origin, const Elf64_Phdr *headers,
					  size_t count, const char *name, struct libc_image *ret)
{
	struct image_symbol symbol;

	if (!image_find_function(&ret->image, name, &symbol))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *header = &headers[i];
		uint64_t offset = symbol.address - header->p_vaddr;

		if (header->p_type == PT_LOAD && is_code(header) && offset < header->p_filesz &&
		    symbol.size <= header->p_filesz - offset)
			return add_part(origin, header, offset, symbol.size,
					header->p_offset + offset, ret);
	}
	return NULL;
}

/* base: where the ELF header lies. The module was seen to be of our kind when it was found. */
static struct memtool_error *make(const struct origin *origin, uint64_t base, bool *ret_found,
				  struct libc_image *ret)
{
	bool in_file = origin->memory == NULL;
	Elf64_Phdr headers[PHDR_MAX];
	Elf64_Ehdr header;
	size_t count;

	*ret_found = false;
	struct memtool_error *error = origin->read(origin, base, &header, sizeof(header), &count);
	if (error || count < sizeof(header) || header.e_phentsize != sizeof(headers[0]) ||
	    header.e_phnum > PHDR_MAX)
		return error;
	size_t size = header.e_phnum * sizeof(headers[0]);
	error = origin->read(origin, base + header.e_phoff, headers, size, &count);
	if (error || count < size)
		return error;
	for (size_t i = 0; i < header.e_phnum && !error; i++) {
		uint64_t place =
			in_file ? headers[i].p_offset : ret->image.bias + headers[i].p_vaddr;
		if (headers[i].p_type == PT_LOAD && headers[i].p_flags & PF_R &&
		    !(in_file && is_code(&headers[i])))
			error = add_part(origin, &headers[i], 0, headers[i].p_filesz, place, ret);
	}
	if (error)
		return error;
	*ret_found = image_read_headers(&ret->image, headers, header.e_phnum);
	for (size_t i = 0; i < GLIBC_SCAN_FUNCTIONS && in_file && *ret_found && !error; i++)
		error = add_function(origin, headers, header.e_phnum, glibc_scan_functions[i], ret);
	return error;
}

struct memtool_error *libc_image_of_file(struct module *module, bool *ret_found,
					 struct libc_image *ret)
{
	_cleanup_libc_image_ struct libc_image image = { .bias = module->bias };
	const struct elf_file *file = module_file(module);

	*ret_found = false;
	if (!file)
		return NULL;
	const struct origin origin = { .read = read_file, .fd = file->fd };
	struct memtool_error *error = make(&origin, 0, ret_found, &image);
	if (error || !*ret_found)
		return error;
	*ret = image;
	image = (struct libc_image){ 0 };
	return NULL;
}

struct memtool_error *libc_image_of_memory(const struct module *module, struct memory *memory,
					   bool *ret_found, struct libc_image *ret)
{
	_cleanup_libc_image_ struct libc_image image = { .image.bias = module->bias };
	const struct origin origin = { .read = read_memory, .memory = memory };

	struct memtool_error *error = make(&origin, module->range.start, ret_found, &image);
	if (error || !*ret_found)
		return error;
	*ret = image;
	image = (struct libc_image){ 0 };
	return NULL;
}
