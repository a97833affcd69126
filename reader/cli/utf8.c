/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/utf8.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_decode(const char *text, uint32_t *ret)
{
	/* The smallest code point of each length: a longer form of it is not well-formed. */
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)*text;
	if (lead < 0x80) {
		*ret = lead;
		return lead != 0;
	}

	size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	uint32_t code = lead & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (!is_continuation(text[i]))
			return 0;
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret = code;
	return length;
}

bool utf8_is_control(uint32_t code)
{
	if (code < 0x20)
		return code != '\t' && code != '\n' && code != '\r';
	return (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0x200e ||
	       code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

void utf8_use_locale(void)
{
	static bool used;

	if (used)
		return;
	used = true;
	/* Not LC_ALL: numbers are written the same way everywhere. */
	setlocale(LC_CTYPE, "");
}

/* How much of text is the printable part of ASCII, which is the same in each locale. */
static size_t count_ascii(const char *text)
{
	size_t count = 0;

	while (text[count] >= ' ' && text[count] < 0x7f)
		count++;
	return count;
}

void utf8_write_printable(struct output *output, const char *text)
{
	mbstate_t state = { 0 };
	size_t left = strlen(text);

	while (left > 0) {
		size_t ascii = count_ascii(text);
		output_write(output, text, ascii);
		text += ascii;
		left -= ascii;
		if (left == 0)
			break;
		utf8_use_locale();
		wchar_t character;
		size_t length = mbrtowc(&character, text, left, &state);
		bool valid = length != 0 && length <= left;
		if (valid && iswprint((wint_t)character) && !utf8_is_control((uint32_t)character)) {
			output_write(output, text, length);
		} else {
			if (!valid) {
				length = 1;
				state = (mbstate_t){ 0 };
			}
			for (size_t i = 0; i < length; i++)
				output_printf(output, "\\x%02x", (unsigned char)text[i]);
		}
		text += length;
		left -= length;
	}
}
