/* SPDX-License-Identifier: Apache-2.0 */
/* The page map of this process, by the kernel's scan and by the table, which must agree. */
#include "target/pagemap.h"

#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#define PAGE  UINT64_C(4096)
#define PAGES 3000

typedef bool (*find_fn)(int fd, struct range within, struct range *ret);

static void check(int fd, find_fn find, uint64_t base)
{
	const struct range all = { base, base + PAGES * PAGE };
	struct range run;

	assert_true(find(fd, all, &run));
	assert_int_equal(run.start, base + 3 * PAGE);
	assert_int_equal(run.end, base + 5 * PAGE);
	/* Within a run, and not by whole pages. */
	assert_true(find(fd, (struct range){ base + 3 * PAGE + 16, base + 4 * PAGE + 48 }, &run));
	assert_int_equal(run.start, base + 3 * PAGE + 16);
	assert_int_equal(run.end, base + 4 * PAGE + 48);
	/* Far away, up to the end. */
	assert_true(find(fd, (struct range){ run.end + PAGE, all.end }, &run));
	assert_int_equal(run.start, all.end - PAGE);
	assert_int_equal(run.end, all.end);
	/* Nothing. */
	assert_true(find(fd, (struct range){ base + 6 * PAGE, all.end - PAGE }, &run));
	assert_int_equal(run.start, all.end - PAGE);
	assert_int_equal(range_size(run), 0);
}

static void test_find(void **state)
{
	_cleanup_close_ int fd = pagemap_open(getpid(), gettid());
	char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	(void)state;
	if (fd < 0)
		skip();
	assert_ptr_not_equal(pages, MAP_FAILED);
	madvise(pages, PAGES * PAGE, MADV_NOHUGEPAGE);
	pages[3 * PAGE] = pages[4 * PAGE] = pages[(PAGES - 1) * PAGE] = 1;
	check(fd, pagemap_find, (uintptr_t)pages);
	check(fd, pagemap_find_in_table, (uintptr_t)pages);
	munmap(pages, PAGES * PAGE);
}

static void test_not_told(void **state)
{
	struct range run;

	(void)state;
	assert_false(pagemap_find(-1, (struct range){ PAGE, 2 * PAGE }, &run));
	assert_int_equal(pagemap_open(0, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_not_told),
	};

	return cmocka_run_group_tests_name("pagemap", tests, NULL, NULL);
}
