/* SPDX-License-Identifier: Apache-2.0 */
#include "support/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

struct memtool_error memtool_error_no_memory[1] = { {
	.code = MEMTOOL_ERROR_NO_MEMORY,
	.message = (char *)"memtool ran out of memory",
} };

/* Takes ownership of message, which may be NULL for an allocation that failed. */
static struct memtool_error *error_of_message(enum memtool_error_code code, char *message)
{
	struct memtool_error *error = message ? calloc(1, sizeof(*error)) : NULL;
	if (!error) {
		free(message);
		return memtool_error_no_memory;
	}
	error->code = code;
	error->message = message;
	return error;
}

struct memtool_error *memtool_error_create(enum memtool_error_code code, const char *format, ...)
{
	va_list arguments;
	char *message;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	return error_of_message(code, message);
}

struct memtool_error *memtool_error_os(int errnum, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list arguments;
	char *message;

	va_start(arguments, format);
	if (vasprintf(&what, format, arguments) < 0)
		what = NULL;
	va_end(arguments);
	char description[128];
	if (!what || asprintf(&message, "%s: %s", what,
			      strerror_r(errnum, description, sizeof(description))) < 0)
		return memtool_error_no_memory;

	struct memtool_error *error = error_of_message(MEMTOOL_ERROR_OS, message);
	if (error != memtool_error_no_memory)
		error->errnum = errnum;
	return error;
}

struct memtool_error *memtool_error_fault(uint64_t address, const char *what)
{
	struct memtool_error *error = memtool_error_create(
		MEMTOOL_ERROR_FAULT, "%s at 0x%" PRIx64 " could not be read", what, address);
	if (error != memtool_error_no_memory)
		error->address = address;
	return error;
}

void memtool_error_destroy(struct memtool_error *error)
{
	/* A module of the command has one of its own, which is static, too. */
	if (!error || error->code == MEMTOOL_ERROR_NO_MEMORY)
		return;
	free(error->message);
	free(error);
}

bool memtool_error_catch(struct memtool_error **error, enum memtool_error_code code)
{
	if (!*error || (*error)->code != code)
		return false;
	memtool_error_destroy(*error);
	*error = NULL;
	return true;
}
