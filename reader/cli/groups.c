/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/groups.h"

#include <stdlib.h>

/* starts[g + 2] counts group g; summed up, starts[g + 1] is where its members begin. */
static void count_groups(const uint32_t *group_of, size_t count, size_t group_count, size_t *starts)
{
	for (size_t i = 0; i < count; i++)
		if (group_of[i] < group_count)
			starts[group_of[i] + 2]++;
	for (size_t group = 0; group < group_count; group++)
		starts[group + 2] += starts[group + 1];
}

struct memtool_error *groups_make(const uint32_t *group_of, size_t count, size_t group_count,
				  struct groups *ret)
{
	_cleanup_free_ size_t *starts = calloc(group_count + 2, sizeof(*starts));
	_cleanup_free_ uint32_t *members = calloc(count ? count : 1, sizeof(*members));
	if (!starts || !members)
		return memtool_error_no_memory;

	count_groups(group_of, count, group_count, starts);
	/* Filling a group moves its starts[g + 1] on to where the next begins: its end. */
	for (size_t i = 0; i < count; i++)
		if (group_of[i] < group_count)
			members[starts[group_of[i] + 1]++] = (uint32_t)i;
	ret->starts = no_cleanup_ptr(starts);
	ret->members = no_cleanup_ptr(members);
	return NULL;
}

void groups_deinit(struct groups *groups)
{
	free(groups->starts);
	free(groups->members);
	*groups = (struct groups){ 0 };
}
