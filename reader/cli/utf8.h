/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from the system (thread names, paths) are bytes; what we write must be text.
 */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include "cli/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The length of the well-formed UTF-8 sequence (RFC 3629) at the start of text, a string, and its
 * code point in *ret; 0 at the end of text and where there is none.
 */
size_t utf8_decode(const char *text, uint32_t *ret);

/*
 * Whether a terminal may act on it rather than show it: C0 but for tabs and line ends, DEL, C1, and
 * what changes the direction of text (Unicode's Bidi_Control).
 */
bool utf8_is_control(uint32_t code);

/* U+FFFD, which stands for a byte that belongs to no sequence. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/*
 * Takes the character encoding from the environment, once. Not done at the start: it reads some
 * files, and ASCII needs none of them.
 */
void utf8_use_locale(void);

/*
 * For a person at a terminal: what is not printable in our locale is shown as \xNN, byte by byte,
 * so that a name can neither move the cursor nor forge a line.
 */
void utf8_write_printable(struct output *output, const char *text);

#endif
