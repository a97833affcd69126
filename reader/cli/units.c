/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/units.h"

#include <stdio.h>
#include <string.h>

struct units units_bytes(uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct units units;

	if (bytes < 1024) {
		snprintf(units.text, sizeof(units.text), "%u B", (unsigned int)bytes);
		return units;
	}
	/* Tenths of the unit, rounded; what rounds up to 1024.0 is 1.0 of the next one. */
	unsigned int unit = 0;
	unsigned int shift = 10;
	uint64_t tenths;
	for (;;) {
		uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);
		/* No overflow: above 2^60 rest is cut down first, far below the precision shown. */
		uint64_t fraction = shift > 20 ? (rest >> (shift - 20)) * 10 + (1 << 19)
					       : ((rest * 10) << (20 - shift)) + (1 << 19);
		tenths = (bytes >> shift) * 10 + (fraction >> 20);
		if (tenths < 10240 || unit + 1 == sizeof(names) / sizeof(names[0]))
			break;
		unit++;
		shift += 10;
	}
	snprintf(units.text, sizeof(units.text), "%u.%u %s", (unsigned int)(tenths / 10),
		 (unsigned int)(tenths % 10), names[unit]);
	return units;
}

struct units units_count(uint64_t count)
{
	struct units units;
	char reversed[sizeof(units.text)];
	unsigned int length = 0;

	for (unsigned int digits = 0; digits == 0 || count > 0; digits++, count /= 10) {
		if (digits > 0 && digits % 3 == 0)
			reversed[length++] = ',';
		reversed[length++] = (char)('0' + count % 10);
	}
	for (unsigned int i = 0; i < length; i++)
		units.text[i] = reversed[length - 1 - i];
	units.text[length] = '\0';
	return units;
}

struct units units_share(uint64_t part, uint64_t whole)
{
	struct units units = { "-" };

	if (whole > 0)
		snprintf(units.text, sizeof(units.text), "%.1f%%",
			 (double)part * 100 / (double)whole);
	return units;
}

/* The digits at the start of *text, which is moved behind them. */
static bool parse_digits(const char **text, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	}
	if (p == *text)
		return false;
	*text = p;
	*ret = value;
	return true;
}

bool units_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (!parse_digits(&text, &value) || *text != '\0' || value > max)
		return false;
	*ret = value;
	return true;
}

bool units_parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "KkMmGg";
	unsigned int shift = 0;
	uint64_t value;

	if (!parse_digits(&text, &value))
		return false;
	if (*text != '\0') {
		const char *suffix = strchr(suffixes, *text);
		if (!suffix || text[1] != '\0')
			return false;
		shift = 10 * (unsigned int)((suffix - suffixes) / 2 + 1);
	}
	if (value > UINT64_MAX >> shift)
		return false;
	*ret = value << shift;
	return true;
}

bool units_parse_address(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
		return units_parse_number(text, UINT64_MAX, ret);
	text += 2;
	if (*text == '\0')
		return false;
	for (; *text; text++) {
		static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
		const char *digit = strchr(digits, *text);
		if (!digit || value >> 60)
			return false;
		value = value << 4 | (uint64_t)(digit - digits) / 2;
	}
	*ret = value;
	return true;
}
