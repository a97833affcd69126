/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/demangle_rust.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HASH_LENGTH 17 /* h and 16 digits */

struct part {
	const char *text;
	size_t length;
};

/* The identifier at *name, which is moved behind it. */
static bool take_part(const char **name, struct part *ret)
{
	const char *p = *name;
	size_t length = 0;

	for (; *p >= '0' && *p <= '9' && length < SIZE_MAX / 16; p++)
		length = length * 10 + (size_t)(*p - '0');
	if (length == 0 || strnlen(p, length) < length)
		return false;
	*ret = (struct part){ p, length };
	*name = p + length;
	return true;
}

static bool is_hash(struct part part)
{
	return part.length == HASH_LENGTH && part.text[0] == 'h' &&
	       strspn(part.text + 1, "0123456789abcdef") >= HASH_LENGTH - 1;
}

/* What "$...$" at text stands for: its length in *ret_length, or 0 if it is none. */
static char unescape(const char *text, size_t left, size_t *ret_length)
{
	static const struct {
		const char *escape;
		char character;
	} escapes[] = {
		{ "$SP$", '@' }, { "$BP$", '*' }, { "$RF$", '&' }, { "$LT$", '<' },
		{ "$GT$", '>' }, { "$LP$", '(' }, { "$RP$", ')' }, { "$C$", ',' },
	};
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		size_t length = strlen(escapes[i].escape);
		if (length <= left && memcmp(text, escapes[i].escape, length) == 0) {
			*ret_length = length;
			return escapes[i].character;
		}
	}
	/* $u20$: a character by its number; the printable ones of ASCII are all that occur. */
	const char *high = left >= 5 && text[1] == 'u' ? strchr(digits, text[2]) : NULL;
	const char *low = high && text[4] == '$' ? strchr(digits, text[3]) : NULL;
	if (high && *high && low && *low) {
		char character = (char)((high - digits) << 4 | (low - digits));
		*ret_length = character >= ' ' && character < 0x7f ? 5 : 0;
		return character;
	}
	*ret_length = 0;
	return 0;
}

/* Writes the part at p; never more than it is long. */
static char *put_part(char *p, struct part part)
{
	const char *text = part.text;
	size_t left = part.length;

	/* An identifier cannot begin with $. */
	if (left >= 2 && text[0] == '_' && text[1] == '$') {
		text++;
		left--;
	}
	while (left > 0) {
		size_t used = 1;
		if (*text == '$') {
			char character = unescape(text, left, &used);
			*p++ = used ? character : *text;
			used = used ? used : 1;
		} else if (left >= 2 && text[0] == '.' && text[1] == '.') {
			*p++ = ':';
			*p++ = ':';
			used = 2;
		} else {
			*p++ = *text;
		}
		text += used;
		left -= used;
	}
	return p;
}

char *demangle_rust_legacy(const char *name)
{
	const char *at = name + 3;
	struct part part = { NULL, 0 }, next;

	if (strncmp(name, "_ZN", 3) != 0)
		return NULL;
	/* Each part's length takes a digit at least, and "::" two characters. */
	char *text = malloc(2 * strlen(name) + 1), *p = text;
	while (text && take_part(&at, &next)) {
		if (part.text) {
			p = put_part(p, part);
			*p++ = ':';
			*p++ = ':';
		}
		part = next;
	}
	/* LLVM appends ".llvm.1234" and the like to what it clones. */
	if (!text || !part.text || !is_hash(part) || p == text || *at != 'E' ||
	    (at[1] != '\0' && at[1] != '.')) {
		free(text);
		return NULL;
	}
	p[-2] = '\0';
	return text;
}
