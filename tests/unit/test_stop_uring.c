/* SPDX-License-Identifier: Apache-2.0 */
/* target/stop.h: io_uring's workers, which are threads without a user space. */
#include "stop_child.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *submissions;
	char *completions;
	struct io_uring_sqe *entries;
};

static bool open_ring(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	if (ring->fd < 0)
		return false;
	const struct io_uring_params *p = &ring->params;
	ring->submissions = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(unsigned),
				 PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->completions = mmap(NULL, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
				 PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->entries = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe),
			     PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQES);
	return ring->submissions != MAP_FAILED && ring->completions != MAP_FAILED &&
	       ring->entries != MAP_FAILED;
}

/* Has a worker read one byte, and blocks until it has. */
static int read_in_worker(struct ring *ring, int fd, char *byte)
{
	ring->entries[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_READ,
		.flags = IOSQE_ASYNC,
		.fd = fd,
		.off = UINT64_MAX,
		.addr = (uint64_t)(uintptr_t)byte,
		.len = 1,
	};
	*(unsigned *)(ring->submissions + ring->params.sq_off.array) = 0;
	*(unsigned *)(ring->submissions + ring->params.sq_off.tail) = 1;
	syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0);
	/* This wait is one of those that a stop ends with EINTR. */
	while (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		;
	struct io_uring_cqe *done =
		(struct io_uring_cqe *)(ring->completions + ring->params.cq_off.cqes);
	return done->res;
}

static void read_by_ring(struct shared *shared)
{
	struct ring ring;
	char byte = 0;

	if (!open_ring(&ring)) {
		atomic_store(&shared->value[0], 1);
		wait_for_ever(shared);
	}
	child_ready(shared);
	int count = read_in_worker(&ring, shared->pipe[0], &byte);
	atomic_store(&shared->failed, count != 1 || byte != 'x');
	atomic_store(&shared->value[1], 1);
	wait_for_ever(shared);
}

static void test_worker(void **state)
{
	(void)state;
	struct child child = child_start(read_by_ring);
	struct process *process = open_child(&child);
	const struct stopped_thread *threads;
	size_t count = 0;

	/* Forbidden, or not there. */
	if (atomic_load(&child.shared->value[0])) {
		process_close(process);
		child_end(&child);
		skip();
	}
	while (count < 2) {
		struct stop *stop;
		assert_success(stop_threads(process, &stop));
		threads = stop_list(stop, &count);
		for (size_t i = 0; i < count; i++) {
			bool user = threads[i].tid == child.pid;
			assert_int_equal(threads[i].fs_base != 0, user);
			assert_int_equal(threads[i].pc != 0, user);
		}
		check_complete(&child, stop);
		stop_resume(stop, NULL);
	}
	/* The read that it was in the middle of is none the worse. */
	assert_int_equal(write(child.shared->pipe[1], "x", 1), 1);
	while (!atomic_load(&child.shared->value[1]))
		sched_yield();
	process_close(process);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worker),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
