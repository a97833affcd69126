/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page that only the target itself can provide: it is let go, lest both wait for ever.
 */
#include "stop_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define PAGE 4096

/* A file descriptor by which page's faults come, also those of the kernel; -1 without the right. */
static int open_faults(void *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)page, PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &range) < 0)
		return -1;
	return fd;
}

static void *provide(void *argument)
{
	const int fd = *(int *)argument;
	struct uffd_msg message;

	while (read(fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_zeropage zeros = {
			.range = { message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), PAGE },
		};
		ioctl(fd, UFFDIO_ZEROPAGE, &zeros);
	}
	return NULL;
}

static void provide_page(struct shared *shared)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open_faults(page);
	pthread_t thread;

	atomic_store(&shared->value[0], (unsigned long)page);
	atomic_store(&shared->failed, fd < 0 || pthread_create(&thread, NULL, provide, &fd) != 0);
	for (;;) {
		child_ready(shared);
		atomic_fetch_add(&shared->counter, 1);
	}
}

static void read_page(uint64_t limit_ns)
{
	struct child child = child_start(provide_page);
	struct process *process = open_child(&child);
	uint64_t page = atomic_load(&child.shared->value[0]), word;
	struct stop *stop;

	if (atomic_load(&child.shared->failed)) {
		process_close(process);
		child_end(&child);
		skip();
	}
	assert_success(stop_threads_within(process, limit_ns, &stop));
	assert_error(memory_read_u64(&process->memory, page, "page", &word), MEMTOOL_ERROR_TOO_LONG,
		     "userfaultfd");
	await_progress(&child.shared->counter);
	/* Nor is anything else read as if it stood still. */
	assert_error(memory_read_u64(&process->memory, process->start_stack & ~7UL, "stack", &word),
		     MEMTOOL_ERROR_TOO_LONG, "let go");
	stop_resume(stop, NULL);
	await_progress(&child.shared->counter);

	assert_success(stop_threads(process, &stop));
	assert_success(memory_read_u64(&process->memory, page, "page", &word));
	assert_int_equal(word, 0);
	stop_resume(stop, NULL);
	process_close(process);
	child_end(&child);
}

static void test_no_limit(void **state)
{
	(void)state;
	read_page(UINT64_MAX);
}

static void test_limit(void **state)
{
	(void)state;
	read_page(100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),
		cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
