/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for people, and from people.
 */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* Large enough for any of these. */
struct units {
	char text[32];
};

/* "512 B", "1.5 KiB": powers of 1024, rounded to one decimal. */
struct units units_bytes(uint64_t bytes);

/* "1,234,567" */
struct units units_count(uint64_t count);

/* "61.2%" of whole; "-" of 0. */
struct units units_share(uint64_t part, uint64_t whole);

/* Decimal digits and nothing else; false for what is none, or above max. */
bool units_parse_number(const char *text, uint64_t max, uint64_t *ret);

/* The same with K, M or G (or the small letter) behind: 1024, 1024^2, 1024^3 bytes. */
bool units_parse_size(const char *text, uint64_t *ret);

/* An address: hexadecimal behind 0x, else decimal. */
bool units_parse_address(const char *text, uint64_t *ret);

#endif
