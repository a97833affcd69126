/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as text, for output of millions of rows: printf would be most of the time there.
 *
 * Each function writes at p, without a terminating NUL byte, and returns the place behind. The
 * caller has room: DECIMAL_MAX or HEX_MAX bytes.
 */
#ifndef CLI_DIGITS_H
#define CLI_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DECIMAL_MAX 20
#define HEX_MAX     18

static inline char *put_text(char *p, const char *text, size_t length)
{
	memcpy(p, text, length);
	return p + length;
}

#define put_literal(p, literal) put_text((p), (literal), sizeof(literal) - 1)

static inline char *put_decimal(char *p, uint64_t value)
{
	char digits[DECIMAL_MAX];
	char *start = digits + sizeof(digits);

	do {
		*--start = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return put_text(p, start, (size_t)(digits + sizeof(digits) - start));
}

/* With "0x" in front. */
static inline char *put_hex(char *p, uint64_t value)
{
	unsigned int nibbles = value ? (67 - (unsigned int)__builtin_clzll(value)) / 4 : 1;

	p = put_literal(p, "0x");
	for (unsigned int i = nibbles; i-- > 0;)
		*p++ = "0123456789abcdef"[value >> (4 * i) & 15];
	return p;
}

#endif
