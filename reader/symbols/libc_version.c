/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/libc_version.h"

#include <string.h>

#define PIECE      (64 << 10)
#define BANNER_MAX 256 /* of its first line */
#define RANGE_MAX  (UINT64_C(32) << 20) /* libc's largest segment has some 2 MiB */

/* The version in the banner that begins at text, if it is one. */
static bool parse_banner(const char *text, size_t length, char ret[16])
{
	static const char mark[] = "release version ";
	const char *line_end = memchr(text, '\n', length);
	const char *end = line_end ? line_end : text + length;
	const char *at = memmem(text, end - text, mark, strlen(mark));
	size_t digits = 0;

	if (!at)
		return false;
	at += strlen(mark);
	while (at + digits < end && digits < 15 &&
	       ((at[digits] >= '0' && at[digits] <= '9') || at[digits] == '.'))
		digits++;
	while (digits > 0 && at[digits - 1] == '.')
		digits--;
	memcpy(ret, at, digits);
	ret[digits] = '\0';
	return digits > 0;
}

/* Looks through [start, end) in pieces that overlap by a banner; stops at what is unreadable. */
static struct memtool_error *search_range(struct memory *memory, struct range range, char *buffer,
					  char ret[16], bool *ret_found)
{
	static const char start[] = "GNU C Library ";
	size_t kept = 0;

	while (range.start < range.end) {
		size_t size = range_size(range) < PIECE ? range_size(range) : PIECE;
		size_t count;
		struct memtool_error *error =
			memory_read_some(memory, range.start, buffer + kept, size, &count);
		if (error)
			return error;

		const char *at = memmem(buffer, kept + count, start, strlen(start));
		const char *end = buffer + kept + count;
		bool last = count < size || range_size(range) == size;
		if (at && (last || end - at >= BANNER_MAX) && parse_banner(at, end - at, ret)) {
			*ret_found = true;
			return NULL;
		}
		if (last)
			return NULL;
		memmove(buffer, end - BANNER_MAX, BANNER_MAX);
		kept = BANNER_MAX;
		range.start += count;
	}
	return NULL;
}

/* Whether the text may lie there: older linkers put read-only data beside the code. */
static bool is_read_only(const struct mapping *mapping, bool executable)
{
	return mapping->inode != 0 && mapping->readable && !mapping->writable &&
	       mapping->executable == executable && range_size(mapping->range) <= RANGE_MAX;
}

struct memtool_error *libc_version_read(const struct module *module, const struct maps *maps,
					struct memory *memory, char ret[16])
{
	_cleanup_free_ char *buffer = malloc(PIECE + BANNER_MAX);
	bool found = false;

	if (!buffer)
		return memtool_error_no_memory;
	for (int executable = 0; executable <= 1; executable++) {
		/* From the top down: the other read-only data, and much of it, is in front. */
		for (size_t i = maps->count; i > 0 && !found; i--) {
			const struct mapping *m = &maps->data[i - 1];
			if (!range_contains(module->range, m->range.start) ||
			    !is_read_only(m, executable))
				continue;
			struct memtool_error *error =
				search_range(memory, m->range, buffer, ret, &found);
			if (error)
				return error;
		}
	}
	if (!found)
		ret[0] = '\0';
	return NULL;
}
