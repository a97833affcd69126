/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the public header lets see of an error.
 */
#include "support/error.h"

#include "memtool.h"

enum memtool_error_code memtool_error_code(const struct memtool_error *error)
{
	return error->code;
}

const char *memtool_error_message(const struct memtool_error *error)
{
	return error->message;
}

int memtool_error_errno(const struct memtool_error *error)
{
	return error->errnum;
}

uint64_t memtool_error_address(const struct memtool_error *error)
{
	return error->address;
}
