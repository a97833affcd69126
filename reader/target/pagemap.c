/* SPDX-License-Identifier: Apache-2.0 */
#include "target/pagemap.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* One word for each page (Documentation/admin-guide/mm/pagemap.rst). */
#define ENTRY_THERE (UINT64_C(1) << 63 | UINT64_C(1) << 62) /* present, or swapped */
#define ENTRIES     512
#define ADDRESS_END (UINT64_C(1) << 47) /* user space ends there, unless a program asks for more */

/* include/uapi/linux/fs.h of 6.7, which the headers of Debian 12 lack. */
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct scan_argument {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t regions;
	uint64_t region_count;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN         _IOWR('f', 16, struct scan_argument)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)

int pagemap_open(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/pagemap", (int)pid, (int)tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static struct range whole_pages(struct range within)
{
	return (struct range){ align_down(within.start, PAGE), align_up(within.end, PAGE) };
}

/* What of the run lies in within. */
static struct range clip(struct range run, struct range within)
{
	if (run.start < within.start)
		run.start = within.start;
	if (run.end > within.end)
		run.end = within.end;
	return run.start < run.end ? run : (struct range){ within.end, within.end };
}

/* False on a kernel that does not know that ioctl. */
static bool scan(int fd, struct range within, struct range *ret)
{
	const struct range pages = whole_pages(within);
	struct scan_region region;
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = pages.start,
		.end = pages.end,
		.regions = (uintptr_t)&region,
		.region_count = 1,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		/* Nothing is asked of a page but that: a run ends where anything else changes. */
		.return_mask = 0,
	};

	int count = ioctl(fd, SCAN, &argument);
	if (count < 0)
		return false;
	*ret = count ? clip((struct range){ region.start, region.end }, within)
		     : (struct range){ within.end, within.end };
	return true;
}

bool pagemap_find_in_table(int fd, struct range within, struct range *ret)
{
	const struct range pages = whole_pages(within);
	struct range run = { 0 };
	uint64_t entries[ENTRIES];
	uint64_t page = pages.start;

	while (page < pages.end) {
		size_t wanted = (pages.end - page) / PAGE;
		ssize_t count =
			pread(fd, entries, (wanted < ENTRIES ? wanted : ENTRIES) * sizeof(*entries),
			      (off_t)(page / PAGE * sizeof(*entries)));
		/* Less than a whole entry: the address space has gone. */
		if (count < (ssize_t)sizeof(*entries))
			return false;
		for (size_t i = 0; i < (size_t)count / sizeof(*entries); i++, page += PAGE) {
			bool there = entries[i] & ENTRY_THERE;
			if (!there && run.end) {
				*ret = clip(run, within);
				return true;
			}
			if (there && !run.end)
				run.start = page;
			if (there)
				run.end = page + PAGE;
		}
	}
	*ret = run.end ? clip(run, within) : (struct range){ within.end, within.end };
	return true;
}

bool pagemap_find(int fd, struct range within, struct range *ret)
{
	if (fd < 0 || within.start >= within.end || within.end > ADDRESS_END)
		return false;
	return scan(fd, within, ret) || pagemap_find_in_table(fd, within, ret);
}
