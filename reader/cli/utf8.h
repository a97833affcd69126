/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from the system (thread names, paths) are bytes; what we write must be text.
 */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include "cli/output.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The length of the well-formed UTF-8 sequence (RFC 3629) at the start of text, a string, and its
 * code point in *ret; 0 at the end of text and where there is none.
 */
size_t utf8_decode(const char *text, uint32_t *ret);

/* U+FFFD, which stands for a byte that belongs to no sequence. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * For a person at a terminal: what is not printable in our locale is shown as \xNN, byte by byte,
 * so that a name can neither move the cursor nor forge a line.
 */
void utf8_write_printable(struct output *output, const char *text);

#endif
