/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Injecting a system call (target/inject.h): which instructions are used, and where the frames are
 * by which a thread finds back. That it does is for test_snapshot_kill.
 */
#include "stop_child.h"

#include "target/inject.h"
#include "target/tracer.h"

#define CODE  UINT64_C(0x7f0000001000)
#define STACK UINT64_C(0x7ffffff01234)

static struct mapping mapping(uint64_t start, uint64_t length)
{
	return (struct mapping){
		.range = { start, start + length },
		.inode = 1,
		.readable = true,
		.executable = true,
		.name = "/lib/libc.so.6",
	};
}

static struct memtool_error *find(const uint8_t *bytes, size_t length, struct mapping from,
				  struct inject_code *ret)
{
	const struct memory_region region = { CODE, length, bytes };
	struct memory_buffer memory = memory_buffer(&region, 1);
	const struct maps maps = { &from, 1, NULL };

	return inject_find_code(&memory.memory, &maps, ret);
}

/* getpid's end, and __restore_rt. */
static const uint8_t code[] = { 0x90, 0x0f, 0x05, 0xc3, 0x90, 0x48, 0xc7, 0xc0,
				0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x90 };

static void test_code_is_found(void **state __attribute__((__unused__)))
{
	struct inject_code found;

	assert_success(find(code, sizeof(code), mapping(CODE, sizeof(code)), &found));
	assert_int_equal(found.syscall_ret, CODE + 1);
	assert_int_equal(found.restorer, CODE + 5);
}

static void test_no_code(void **state __attribute__((__unused__)))
{
	struct inject_code found;
	struct mapping data = mapping(CODE, sizeof(code)), writable = data, anonymous = data;

	/* One of the two alone. */
	assert_error(find(code, 5, mapping(CODE, 5), &found), MEMTOOL_ERROR_UNSUPPORTED,
		     "no system call instruction");
	assert_error(find(code + 4, sizeof(code) - 4, mapping(CODE, sizeof(code) - 4), &found),
		     MEMTOOL_ERROR_UNSUPPORTED, "no system call instruction");
	/* Both, where no code may be run, or not for long. */
	data.executable = false;
	assert_error(find(code, sizeof(code), data, &found), MEMTOOL_ERROR_UNSUPPORTED,
		     "no system call instruction");
	writable.writable = true;
	assert_error(find(code, sizeof(code), writable, &found), MEMTOOL_ERROR_UNSUPPORTED,
		     "no system call instruction");
	anonymous.inode = 0;
	assert_error(find(code, sizeof(code), anonymous, &found), MEMTOOL_ERROR_UNSUPPORTED,
		     "no system call instruction");
}

static void test_frames(void **state __attribute__((__unused__)))
{
	static struct inject_state thread = { .xstate_length = 576 };
	static struct inject_frames frames;
	const struct inject_code where = { CODE + 1, CODE + 5 };
	uint64_t word;

	thread.registers.rsp = STACK;
	assert_true(inject_frames_build(&where, &thread, &frames));
	/* Below the red zone, and the FPU's state where the kernel wants it. */
	assert_true(frames.address + frames.length <= STACK - 128);
	assert_int_equal(frames.address % 64, 0);
	/* Each begins with the way to the restorer, and lies above the ones passed before. */
	assert_true(frames.collect < frames.restore);
	const uint64_t starts[] = { frames.collect, frames.restore, frames.leave };
	for (size_t i = 0; i < 3; i++) {
		assert_in_range(starts[i], frames.address, frames.address + frames.length - 312);
		memcpy(&word, frames.bytes + (starts[i] - frames.address), sizeof(word));
		assert_int_equal(word, CODE + 5);
	}
	/* Until the kernel writes there which child it is, it is none that exists. */
	memcpy(&word, frames.bytes + (frames.child - frames.address), sizeof(word));
	assert_int_equal(word, INT32_MAX);
}

static void test_strange_fpu(void **state __attribute__((__unused__)))
{
	static struct inject_state thread;
	static struct inject_frames frames;
	const struct inject_code where = { CODE + 1, CODE + 5 };
	const uint64_t unknown = UINT64_C(1) << 62;

	thread.registers.rsp = STACK;
	thread.xstate_length = 512;
	assert_false(inject_frames_build(&where, &thread, &frames));
	thread.xstate_length = sizeof(thread.xstate);
	assert_false(inject_frames_build(&where, &thread, &frames));
	/* A part of it that this processor does not have. */
	thread.xstate_length = 576;
	memcpy(thread.xstate + 512, &unknown, sizeof(unknown));
	assert_false(inject_frames_build(&where, &thread, &frames));
}

static void *end_at_once(void *argument)
{
	return argument;
}

static void start_threads(struct shared *shared)
{
	pthread_t thread;

	for (;;) {
		if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
			pthread_join(thread, NULL);
		atomic_fetch_add(&shared->counter, 1);
		child_ready(shared);
	}
}

/* Where no mapping is known, no thread is on a stack of the kernel's. */
static struct memtool_error *inject_in_vain(struct tracer *tracer, void *context)
{
	static struct injection injection;
	const struct maps maps = { 0 };
	pid_t clone, namespace_pid;

	injection.tid = tracer->pid;
	injection.memory = context;
	injection.maps = &maps;
	return inject_clone(&injection, &clone, &namespace_pid);
}

/* A thread that was left alone makes threads as before, and is stopped as before. */
static void test_left_alone(void **state __attribute__((__unused__)))
{
	struct child child = child_start(start_threads);
	struct process *process = open_child(&child);
	const bool runs[16] = { true, true, true };
	struct stop *stop;

	assert_success(stop_threads(process, &stop));
	assert_error(stop_call(stop, inject_in_vain, &process->memory), MEMTOOL_ERROR_UNSUPPORTED,
		     "its main thread");
	unsigned long before = atomic_load(&child.shared->counter);
	while (atomic_load(&child.shared->counter) < before + 3) {
		assert_success(stop_again(stop, runs, 100000));
		check_complete(&child, stop);
	}
	stop_resume(stop, NULL);
	await_progress(&child.shared->counter);
	process_close(process);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_is_found), cmocka_unit_test(test_no_code),
		cmocka_unit_test(test_frames),        cmocka_unit_test(test_strange_fpu),
		cmocka_unit_test(test_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
