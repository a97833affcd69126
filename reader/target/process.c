/* SPDX-License-Identifier: Apache-2.0 */
#include "target/process.h"

#include "target/diagnose.h"
#include "target/pagemap.h"
#include "target/process_memory.h"
#include "target/procfs.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The thread group of a thread: the number that users call its pid. */
static struct memtool_error *find_group(pid_t tid, pid_t *ret)
{
	_cleanup_free_ char *status = NULL;
	size_t length;
	struct memtool_error *error = procfs_read(tid, "status", &status, &length);
	if (error)
		return error;

	const char *group = procfs_status_field(status, "Tgid");
	if (!group || atoi(group) <= 0)
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT, "/proc/%d/status makes no sense",
					    tid);
	*ret = atoi(group);
	return NULL;
}

static struct memtool_error *open_pidfd(struct process *process)
{
	process->pidfd = syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd >= 0)
		return NULL;
	switch (errno) {
	case ENOSYS:
	case EPERM: /* a seccomp filter that does not know it */
		return NULL;
	case ESRCH:
		return procfs_error(errno, process->pid, "stat");
	default:
		return memtool_error_os(errno, "no pidfd of process %d", process->pid);
	}
}

/* A pidfd is to be had of the leader of a thread group alone: most often pid is that already. */
static struct memtool_error *open_group(struct process *process, pid_t pid)
{
	process->pid = pid;
	process->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (process->pidfd >= 0)
		return NULL;
	struct memtool_error *error = find_group(pid, &process->pid);
	return error ? error : open_pidfd(process);
}

/* Fills in what tells the process from any other, with tid one of its threads that lives. */
static struct memtool_error *identify(struct process *process, pid_t *ret_tid)
{
	pid_t tid = process->pid;
	struct procfs_stat stat;
	struct memtool_error *error = procfs_stat(process->pid, &stat);
	if (error)
		return error;
	process->start_time = stat.start_time;
	/* A leader that has exited shows none of the rest. */
	if (!procfs_stat_is_alive(&stat)) {
		tid = procfs_live_thread(process->pid);
		if (!tid)
			return diagnose_zombie(process->pid);
		error = procfs_stat(tid, &stat);
	}
	if (error)
		return error;
	if (stat.flags & PROCFS_FLAG_KTHREAD)
		return diagnose_kernel_thread(process->pid);
	process->start_stack = stat.start_stack;
	process->forked = stat.flags & PROCFS_FLAG_FORKNOEXEC;
	process->reader = tid;
	*ret_tid = tid;
	return NULL;
}

static struct memtool_error *open_memory(struct process *process, pid_t tid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", process->pid, tid);
	process->mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (process->mem_fd >= 0)
		return NULL;
	if (errno == EACCES || errno == EPERM)
		return diagnose_refusal(process->pid, REFUSED_READ);
	return procfs_error(errno, process->pid, "mem");
}

/*
 * The auxiliary vector tells the ELF class that the kernel loaded, and needs no right to read the
 * program's file: its entries are pairs of 64-bit words for ELFCLASS64, and of 32-bit words
 * for i386 and x32, where AT_PHENT is never followed by the size of an Elf64_Phdr.
 */
static struct memtool_error *check_class(const struct process *process, pid_t tid)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	struct memtool_error *error = procfs_read(tid, "auxv", &text, &length);
	if (memtool_error_catch(&error, MEMTOOL_ERROR_NOT_PERMITTED))
		return diagnose_refusal(process->pid, REFUSED_READ);
	if (error)
		return error;

	/* An exec fills it in last. */
	if (length < sizeof(uint32_t) || memcmp(text, "\0\0\0\0", sizeof(uint32_t)) == 0)
		return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS,
					    "process %d is about to run another program: try again",
					    process->pid);
	for (size_t i = 0; i + sizeof(Elf64_auxv_t) <= length; i += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t entry;
		memcpy(&entry, text + i, sizeof(entry));
		if (entry.a_type == AT_PHENT && entry.a_un.a_val == sizeof(Elf64_Phdr))
			return NULL;
	}
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "process %d is not a 64-bit program (it is i386 or x32 code): "
				    "memtool reads x86-64 alone",
				    process->pid);
}

/* Whether it has ended, or is about to, and nobody has waited for it. */
static bool is_zombie(pid_t pid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(pid, &stat);

	return !error && !procfs_live_thread(pid);
}

/*
 * Of one that ends while it is opened, the files of /proc are empty or gone one by one. And with
 * hidepid, /proc shows others' processes to nobody: then they only seem not to be there.
 */
static struct memtool_error *explain_absence(pid_t pid, struct memtool_error *error)
{
	if (error->code != MEMTOOL_ERROR_NO_PROCESS)
		return error;
	bool zombie = is_zombie(pid);
	if (!zombie && (kill(pid, 0) == 0 || errno != EPERM))
		return error;
	memtool_error_destroy(error);
	return zombie ? diagnose_zombie(pid) : diagnose_refusal(pid, REFUSED_READ);
}

struct memtool_error *process_open(pid_t pid, struct process **ret)
{
	if (pid <= 0)
		return memtool_error_create(MEMTOOL_ERROR_INVALID, "%d is not a process id", pid);

	_cleanup_process_ struct process *process = calloc(1, sizeof(*process));
	if (!process)
		return memtool_error_no_memory;
	process->memory.ops = &process_memory_ops;
	pthread_mutex_init(&process->maps_lock, NULL);
	process->pidfd = process->mem_fd = process->pagemap_fd = -1;

	pid_t tid;
	struct memtool_error *error = open_group(process, pid);
	if (!error)
		error = identify(process, &tid);
	if (!error)
		error = open_memory(process, tid);
	if (!error)
		process->pagemap_fd = pagemap_open(process->pid, tid);
	if (!error)
		error = check_class(process, tid);
	/* All this was about one process, and one program, only if they are still there. */
	if (!error)
		error = process_check(process);
	if (error)
		return explain_absence(process->pid, error);
	*ret = no_cleanup_ptr(process);
	return NULL;
}

void process_close(struct process *process)
{
	if (!process)
		return;
	maps_deinit(&process->maps);
	pthread_mutex_destroy(&process->maps_lock);
	if (process->pidfd >= 0)
		close(process->pidfd);
	if (process->mem_fd >= 0)
		close(process->mem_fd);
	if (process->pagemap_fd >= 0)
		close(process->pagemap_fd);
	free(process);
}

static bool has_ended(const struct process *process)
{
	struct pollfd event = { .fd = process->pidfd, .events = POLLIN };

	/* A negative descriptor is passed over. */
	return poll(&event, 1, 0) > 0;
}

struct memtool_error *process_check(const struct process *process)
{
	if (has_ended(process) || !process_memory_is_there(process))
		return process_gone(process);

	struct procfs_stat stat;
	struct memtool_error *error = procfs_stat(process->pid, &stat);
	if (memtool_error_catch(&error, MEMTOOL_ERROR_NO_PROCESS))
		return process_gone(process);
	if (error)
		return error;
	/*
	 * After an exec the old address space lives on if a vfork child still runs in it: the new
	 * one has its stack elsewhere. A leader that has exited shows none.
	 */
	if (stat.start_time != process->start_time ||
	    (stat.start_stack != 0 && stat.start_stack != process->start_stack))
		return process_gone(process);
	return NULL;
}

void process_set_held(struct process *process, pid_t tid)
{
	process->held = tid;
	atomic_store(&process->let_go, false);
	maps_deinit(&process->maps);
}

uint64_t process_resident_bytes(const struct process *process)
{
	_cleanup_free_ char *text = NULL;
	unsigned long long pages;
	size_t length;

	struct memtool_error *error = procfs_read(process->pid, "statm", &text, &length);
	memtool_error_destroy(error);
	if (error || sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void process_thread_name(const struct process *process, pid_t tid, char ret[16])
{
	procfs_comm(process->pid, tid, ret);
}
