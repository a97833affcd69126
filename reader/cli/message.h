/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said on standard error: one line each, "memtool: " in front. What is not printable in a
 * message (it may quote a file's name) is shown as \xNN.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "support/error.h"

void message_error(const struct memtool_error *error);

void message_note(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

#endif
