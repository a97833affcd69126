/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as hexadecimal digits, two each, without anything between.
 */
#ifndef CLI_HEX_H
#define CLI_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* To be freed; NULL when out of memory. */
static inline char *hex_of_bytes(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * length + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * length] = '\0';
	return text;
}

#endif
