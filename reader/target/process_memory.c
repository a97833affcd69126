/* SPDX-License-Identifier: Apache-2.0 */
#include "target/process_memory.h"

#include "target/pagemap.h"
#include "target/procfs.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pieces that stay in the cache of a core while they are copied; larger ones are slower. */
#define PIECE ((size_t)2 << 20)

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

bool process_memory_is_there(const struct process *process)
{
	char byte;

	/* 0: the last user of that address space has gone. Unmapped, this would be EIO. */
	return pread(process->mem_fd, &byte, 1, process->start_stack) != 0;
}

struct memtool_error *process_gone(const struct process *process)
{
	return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS,
				    "process %d ended, or runs another program by now",
				    process->pid);
}

/* What could be read, up to a hole; errno of the first piece if that is none, else 0. */
static int read_by_vm_readv(pid_t tid, uint64_t address, char *buffer, size_t length, size_t *ret)
{
	size_t done = 0;
	ssize_t count = 0;

	/*
	 * A piece with a hole in it is copied up to the hole, page by page, although
	 * process_vm_readv(2) says that an iovec is copied whole or not at all.
	 */
	while (done < length) {
		struct iovec local = { buffer + done, smaller(length - done, PIECE) };
		struct iovec remote = { (void *)(address + done), local.iov_len };
		count = process_vm_readv(tid, &local, 1, &remote, 1, 0);
		if (count <= 0)
			break;
		done += count;
	}
	*ret = done;
	return done == 0 && count < 0 ? errno : 0;
}

/*
 * /proc/PID/mem reads what is PROT_NONE, too (the kernel takes it for a debugger's), so that file
 * alone does not tell what is readable. While the target runs, its mappings change: look each time.
 * While it is held, they are read once, by the first of the threads that need them.
 */
static struct memtool_error *update_maps(struct process *process)
{
	struct memtool_error *error = NULL;

	pthread_mutex_lock(&process->maps_lock);
	if (!process->held || process->maps.count == 0) {
		maps_deinit(&process->maps);
		error = maps_read(process->held ? process->held : process->pid, &process->maps);
	}
	pthread_mutex_unlock(&process->maps_lock);
	return error;
}

static struct memtool_error *read_from_file(struct process *process, uint64_t address, char *buffer,
					    size_t length, size_t *ret)
{
	size_t done = 0;
	if (!process_memory_is_there(process))
		return process_gone(process);
	struct memtool_error *error = update_maps(process);
	if (error)
		return error;

	while (done < length) {
		uint64_t from = address + done;
		const struct mapping *mapping = maps_find(&process->maps, from);
		/* pread(2) takes no offset beyond that; only the vsyscall page lies there. */
		if (!mapping || !mapping->readable || from > INT64_MAX)
			break;
		ssize_t count = pread(
			process->mem_fd, buffer + done,
			smaller(smaller(length - done, mapping->range.end - from), PIECE), from);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		done += count;
	}
	*ret = done;
	return NULL;
}

/* What read_by_vm_readv() does, by a thread that has memory: a leader that has exited has none. */
static int read_by_thread(struct process *process, uint64_t address, char *buffer, size_t length,
			  size_t *ret)
{
	if (process->held)
		return read_by_vm_readv(process->held, address, buffer, length, ret);
	int errnum = read_by_vm_readv(process->reader, address, buffer, length, ret);
	if (errnum != ESRCH)
		return errnum;
	pid_t tid = procfs_live_thread(process->pid);
	if (tid == 0 || tid == process->reader)
		return errnum;
	process->reader = tid;
	return read_by_vm_readv(tid, address, buffer, length, ret);
}

static struct memtool_error *read_any(struct process *process, uint64_t address, void *buffer,
				      size_t length, size_t *ret)
{
	size_t count = 0;
	int errnum = EPERM;

	if (!process->by_file)
		errnum = read_by_thread(process, address, buffer, length, &count);
	struct memtool_error *error = NULL;
	switch (errnum) {
	case 0:
	case EFAULT:
		break;
	case EPERM:
	case ENOSYS:
		process->by_file = true;
		__attribute__((__fallthrough__));
	case ESRCH: /* the thread has gone, with or without the process */
		error = read_from_file(process, address, buffer, length, &count);
		break;
	default:
		error = memtool_error_os(errnum, "memory of process %d could not be read",
					 process->pid);
	}
	if (error)
		return error;
	/* Nothing may look like a hole only because the process ended. */
	if ((!process->held || errnum) && !process_memory_is_there(process))
		return process_gone(process);
	*ret = count;
	return NULL;
}

static struct memtool_error *process_memory_read(struct memory *memory, uint64_t address,
						 void *buffer, size_t length, size_t *ret)
{
	struct process *process = (struct process *)memory;
	size_t count;

	atomic_fetch_add(&process->reads_begun, 1);
	struct memtool_error *error = read_any(process, address, buffer, length, &count);
	atomic_fetch_add(&process->reads_ended, 1);
	if (error)
		return error;
	if (process->held && atomic_load(&process->let_go))
		return memtool_error_create(
			MEMTOOL_ERROR_TOO_LONG,
			"process %d was let go, since a page of it did not come as long as it "
			"stood still: one of its own threads may have to provide it (userfaultfd), "
			"or a file server; use --no-stop",
			process->pid);
	*ret = count;
	return NULL;
}

/*
 * All may be there where the page map does not tell; that of a process that has gone, reading does.
 */
static struct memtool_error *process_memory_find_present(struct memory *memory, struct range within,
							 struct range *ret)
{
	struct process *process = (struct process *)memory;

	if (!pagemap_find(process->pagemap_fd, within, ret))
		*ret = within;
	return NULL;
}

const struct memory_ops process_memory_ops = {
	.read = process_memory_read,
	.find_present = process_memory_find_present,
};
