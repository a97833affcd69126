/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address ranges, half-open everywhere: [start, end). An empty range has start == end.
 */
#ifndef SUPPORT_RANGE_H
#define SUPPORT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
	uint64_t start;
	uint64_t end;
};

static inline uint64_t range_size(struct range r)
{
	return r.end - r.start;
}

static inline bool range_contains(struct range r, uint64_t address)
{
	return address >= r.start && address < r.end;
}

/* Whether all of [address, address + length) lies in r; never overflows. */
static inline bool range_covers(struct range r, uint64_t address, uint64_t length)
{
	return address >= r.start && address <= r.end && length <= r.end - address;
}

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

static inline uint64_t align_down(uint64_t value, uint64_t power_of_two)
{
	return value & ~(power_of_two - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
