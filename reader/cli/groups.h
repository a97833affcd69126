/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorts numbered things into numbered groups: which threads, or segments, belong to each arena.
 */
#ifndef CLI_GROUPS_H
#define CLI_GROUPS_H

#include "support/error.h"

#include <stddef.h>
#include <stdint.h>

struct groups {
	size_t *starts; /* members of group g: members[starts[g] .. starts[g + 1]) */
	uint32_t *members; /* ascending in each group */
};

/* group_of[i] is the group of thing i; one that is group_count or more is in none. */
struct memtool_error *groups_make(const uint32_t *group_of, size_t count, size_t group_count,
				  struct groups *ret);

void groups_deinit(struct groups *groups);

static inline size_t groups_size(const struct groups *groups, size_t group)
{
	return groups->starts[group + 1] - groups->starts[group];
}

static inline uint32_t groups_member(const struct groups *groups, size_t group, size_t index)
{
	return groups->members[groups->starts[group] + index];
}

#endif
