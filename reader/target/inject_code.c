/* SPDX-License-Identifier: Apache-2.0 */
#include "target/inject_code.h"

#include <stdlib.h>
#include <string.h>

static bool has_bytes(struct memory *memory, uint64_t address, const void *bytes, size_t length)
{
	uint8_t found[16];
	_cleanup_error_ struct memtool_error *error =
		memory_read(memory, address, found, length, "code");

	return !error && memcmp(found, bytes, length) == 0;
}

static const uint8_t syscall_ret[INJECT_SYSCALL_RET] = { 0x0f, 0x05, 0xc3 };
/* mov $15, %rax; syscall: unwinders know it by these bytes, so that every libc has them. */
static const uint8_t restorer[] = { 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05 };

#define SCAN_PIECE ((size_t)1 << 20)
#define SCAN_MAX   ((uint64_t)256 << 20) /* of code, in all */

static void scan_code(const uint8_t *bytes, size_t length, uint64_t address,
		      struct inject_code *code)
{
	const uint8_t *found;

	found = memmem(bytes, length, syscall_ret, sizeof(syscall_ret));
	if (found && !code->syscall_ret)
		code->syscall_ret = address + (uint64_t)(found - bytes);
	found = memmem(bytes, length, restorer, sizeof(restorer));
	if (found && !code->restorer)
		code->restorer = address + (uint64_t)(found - bytes);
}

static bool is_complete(const struct inject_code *code)
{
	return code->syscall_ret && code->restorer;
}

/* Code that can be written to, or is of no file, may be another by then. */
static bool is_lasting_code(const struct mapping *mapping)
{
	return mapping->executable && mapping->readable && !mapping->writable && !mapping->shared &&
	       mapping->inode != 0;
}

/* Where it is, as a rule; what is big, and nobody has read yet, need not be read for us. */
static bool is_libc(const struct mapping *mapping)
{
	const char *slash = strrchr(mapping->name, '/');

	return slash && strncmp(slash, "/libc", strlen("/libc")) == 0;
}

/* Stops when all is found, or at *limit bytes. */
static struct memtool_error *scan_mapping(struct memory *memory, struct range range, uint8_t *piece,
					  uint64_t *limit, struct inject_code *code)
{
	while (range_size(range) > 0 && *limit > 0 && !is_complete(code)) {
		uint64_t length = range_size(range) < SCAN_PIECE ? range_size(range) : SCAN_PIECE;
		size_t count;

		struct memtool_error *error =
			memory_read_some(memory, range.start, piece, length, &count);
		if (error)
			return error;
		scan_code(piece, count, range.start, code);
		range.start += length;
		*limit -= length < *limit ? length : *limit;
	}
	return NULL;
}

struct memtool_error *inject_find_code(struct memory *memory, const struct maps *maps,
				       struct inject_code *ret)
{
	_cleanup_free_ uint8_t *piece = malloc(SCAN_PIECE);
	struct inject_code code = { 0 };
	uint64_t limit = SCAN_MAX;

	if (!piece)
		return memtool_error_no_memory;
	for (size_t i = 0; i < 2 * maps->count && !is_complete(&code); i++) {
		const struct mapping *mapping = &maps->data[i % maps->count];
		bool libc = i < maps->count;

		if (!is_lasting_code(mapping) || is_libc(mapping) != libc)
			continue;
		struct memtool_error *error =
			scan_mapping(memory, mapping->range, piece, &limit, &code);
		if (error)
			return error;
	}
	if (!is_complete(&code))
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "the program has no system call instruction that could "
					    "be used");
	*ret = code;
	return NULL;
}

bool inject_code_is_there(struct memory *memory, const struct inject_code *code)
{
	return has_bytes(memory, code->syscall_ret, syscall_ret, sizeof(syscall_ret)) &&
	       has_bytes(memory, code->restorer, restorer, sizeof(restorer));
}

bool inject_is_syscall(struct memory *memory, uint64_t address)
{
	return has_bytes(memory, address, syscall_ret, 2);
}
