/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an answer is written: standard output or a file, through one large buffer.
 *
 * Writing never fails on the spot. The first failure is kept, everything after it is dropped, and
 * output_finish() reports it; who writes a lot asks output_failed() now and then. Knows nothing of
 * formats.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "support/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What output_reserve() can give at most. */
#define OUTPUT_RESERVE_MAX 4096

struct output;

/*
 * Creates or truncates the file at path; standard output if path is NULL. path must outlive the
 * result.
 */
struct memtool_error *output_open(const char *path, struct output **ret);

/* The same for a descriptor, which stays open; name is for messages and must outlive the result. */
struct memtool_error *output_of_fd(int fd, const char *name, struct output **ret);

/* Drops what was not written out yet. NULL is fine. */
void output_destroy(struct output *output);

/* Writes out and closes. output is still to be destroyed. */
struct memtool_error *output_finish(struct output *output);

bool output_failed(const struct output *output);

/* Whether a person reads along, on a terminal that may show colours (see NO_COLOR). */
bool output_is_terminal(const struct output *output);
bool output_has_colors(const struct output *output);

/* Columns of the terminal; of anything else 80. */
unsigned int output_width(const struct output *output);

void output_write(struct output *output, const void *bytes, size_t length);
void output_text(struct output *output, const char *text);
void output_char(struct output *output, char c);
void output_decimal(struct output *output, uint64_t value);
void output_hex(struct output *output, uint64_t value);
void output_printf(struct output *output, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* Milliseconds with three decimals, of nanoseconds. */
void output_milliseconds(struct output *output, uint64_t nanoseconds);

/*
 * Room for length bytes (at most OUTPUT_RESERVE_MAX) to be filled in place; output_commit() says up
 * to where they were.
 */
char *output_reserve(struct output *output, size_t length) __attribute__((__returns_nonnull__));
void output_commit(struct output *output, const char *end);

#define _cleanup_output_ _cleanup_(cleanup_output)
static inline void cleanup_output(struct output **output)
{
	output_destroy(*output);
}

#endif
