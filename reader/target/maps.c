/* SPDX-License-Identifier: Apache-2.0 */
#include "target/maps.h"

#include "support/array.h"
#include "target/diagnose.h"
#include "target/procfs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

DEFINE_ARRAY(mapping_array, struct mapping)

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return UINT8_MAX;
}

/* A number of at least one digit, and the character after it. */
static inline bool take_number(char **cursor, unsigned base, char after, uint64_t *ret)
{
	char *p = *cursor;
	uint64_t value = 0;

	for (unsigned digit; (digit = digit_value(*p)) < base; p++)
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	if (p == *cursor || *p != after)
		return false;
	*cursor = p + 1;
	*ret = value;
	return true;
}

static inline bool take_flag(char **cursor, char set, char unset, bool *ret)
{
	if (**cursor != set && **cursor != unset)
		return false;
	*ret = **cursor == set;
	++*cursor;
	return true;
}

/*
 * The kernel writes a newline in a path as \012, and a backslash as it is, so a path that holds
 * those four characters is undone too: the text does not tell the two apart.
 */
static void unescape(char *name)
{
	char *to = strstr(name, "\\012");

	if (!to)
		return;
	for (char *from = to; *from; to++) {
		bool escaped = strncmp(from, "\\012", 4) == 0;
		*to = escaped ? '\n' : *from;
		from += escaped ? 4 : 1;
	}
	*to = '\0';
}

static void take_name(char *name, struct mapping *ret)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(name);

	/* Names in brackets are the kernel's own; whoever named "[anon:x (deleted)" meant it. */
	if (length >= sizeof(suffix) && name[0] != '[' &&
	    strcmp(name + length - strlen(suffix), suffix) == 0) {
		ret->deleted = true;
		name[length - strlen(suffix)] = '\0';
	}
	unescape(name);
	ret->name = name;
}

/* start-end rwxp offset major:minor inode name; changes line only if it is one. */
static bool parse_line(char *line, struct mapping *ret)
{
	uint64_t device_major, device_minor;
	char *p = line;

	*ret = (struct mapping){ 0 };
	if (!take_number(&p, 16, '-', &ret->range.start) ||
	    !take_number(&p, 16, ' ', &ret->range.end) || ret->range.start >= ret->range.end)
		return false;
	if (!take_flag(&p, 'r', '-', &ret->readable) || !take_flag(&p, 'w', '-', &ret->writable) ||
	    !take_flag(&p, 'x', '-', &ret->executable) || !take_flag(&p, 's', 'p', &ret->shared) ||
	    *p++ != ' ')
		return false;
	if (!take_number(&p, 16, ' ', &ret->offset) || !take_number(&p, 16, ':', &device_major) ||
	    !take_number(&p, 16, ' ', &device_minor) || device_major > UINT32_MAX ||
	    device_minor > UINT32_MAX)
		return false;
	ret->device = makedev(device_major, device_minor);
	/* The kernel leaves a blank behind the inode of a mapping without a name. */
	if (!take_number(&p, 10, ' ', &ret->inode))
		return false;
	take_name(p + strspn(p, " "), ret);
	return true;
}

static struct memtool_error *bad_line(size_t number, const char *line)
{
	char excerpt[96];

	snprintf(excerpt, sizeof(excerpt), "%s", line);
	for (char *c = excerpt; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	return memtool_error_create(MEMTOOL_ERROR_CORRUPT,
				    "line %zu of the list of mappings makes no sense: \"%s\"",
				    number, excerpt);
}

static void cut_front(struct mapping *mapping, uint64_t start)
{
	if (mapping->inode != 0)
		mapping->offset += start - mapping->range.start;
	mapping->range.start = start;
}

struct memtool_error *maps_parse(char *text, struct maps *ret)
{
	_cleanup_free_ char *owned = text;
	_cleanup_(mapping_array_deinit) struct mapping_array mappings = { 0 };
	uint64_t previous_end = 0;
	size_t number = 0;

	for (char *line = text; *line;) {
		char *newline = strchr(line, '\n');
		struct mapping mapping;
		if (newline)
			*newline = '\0';
		/* Without its newline it was cut short, and who knows what its name was. */
		number++;
		if (!newline || !parse_line(line, &mapping) || mapping.range.end <= previous_end)
			return bad_line(number, line);
		line = newline + 1;
		/*
		 * The kernel lists a running process page by page, and goes on with whatever
		 * mapping lies behind the last one listed: one that grew meanwhile comes a second
		 * time.
		 */
		if (mapping.range.start < previous_end)
			cut_front(&mapping, previous_end);
		if (!mapping_array_append(&mappings, &mapping))
			return memtool_error_no_memory;
		previous_end = mapping.range.end;
	}
	*ret = (struct maps){
		.data = no_cleanup_ptr(mappings.data),
		.count = mappings.count,
		.text = no_cleanup_ptr(owned),
	};
	return NULL;
}

struct memtool_error *maps_read(pid_t pid, struct maps *ret)
{
	char *text;
	size_t length;
	struct memtool_error *error = procfs_read(pid, "maps", &text, &length);
	pid_t tid;

	/* The leader may have exited before its threads: then its own list is empty. */
	if (!error && length == 0 && (tid = procfs_live_thread(pid)) && tid != pid) {
		free(text);
		error = procfs_read(tid, "maps", &text, &length);
	}
	if (memtool_error_catch(&error, MEMTOOL_ERROR_NOT_PERMITTED))
		return diagnose_refusal(pid, REFUSED_READ);
	if (error)
		return error;
	return maps_parse(text, ret);
}

void maps_deinit(struct maps *maps)
{
	free(maps->data);
	free(maps->text);
	*maps = (struct maps){ 0 };
}

const struct mapping *maps_find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mapping *mapping = &maps->data[middle];
		if (range_contains(mapping->range, address))
			return mapping;
		if (address < mapping->range.start)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
