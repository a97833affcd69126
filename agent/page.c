/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/page.h"

#include "agent/bitmap.h"
#include "agent/system.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Newer than the oldest headers that we build with. */
#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC       0x0001U
#define MFD_ALLOW_SEALING 0x0002U
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS   1033
#define F_SEAL_SEAL   0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW   0x0004
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif

#define SMALLEST_PAGE 4096

static struct inventory_header *published; /* NULL: no page yet */
static uint64_t taken[BITMAP_WORDS(INVENTORY_THREADS)];

/*
 * How a copy of the process knows that it is one, and has no page: in a mapping of its own, a word
 * that the kernel clears in the child of any fork or clone that copies memory. Kernels before 4.14
 * cannot; there the pid has to do, which in another pid namespace may be the same.
 */
static uint32_t *owner;
static pid_t owner_pid;

bool page_is_ours(void)
{
	if (!__atomic_load_n(&published, __ATOMIC_ACQUIRE))
		return false;
	return owner ? *owner != 0 : system_getpid() == owner_pid;
}

static void become_owner(void)
{
	if (!owner) {
		uint32_t *word = system_mmap(SMALLEST_PAGE, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1);
		if (word && system_madvise(word, SMALLEST_PAGE, MADV_WIPEONFORK))
			owner = word;
		else if (word)
			system_munmap(word, SMALLEST_PAGE);
	}
	if (owner)
		*owner = 1;
	owner_pid = system_getpid();
}

/* A memfd grows by ftruncate(2), which sends SIGXFSZ where that is more than RLIMIT_FSIZE. */
static bool may_have_files(void)
{
	struct rlimit limit;

	return system_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) == 0 &&
	       limit.rlim_cur >= INVENTORY_SIZE;
}

/* Nobody shall change its size or map it for writing, not even root through /proc/PID/map_files. */
static void seal(long fd)
{
	const long seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	system_call(SYS_fchmod, fd, 0400, 0, 0, 0, 0);
	if (system_failed(
		    system_call(SYS_fcntl, fd, F_ADD_SEALS, seals | F_SEAL_FUTURE_WRITE, 0, 0, 0)))
		system_call(SYS_fcntl, fd, F_ADD_SEALS, seals, 0, 0, 0);
}

static void *map_memfd(void)
{
	const long flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const long name = (long)INVENTORY_NAME;
	void *map = NULL;

	if (!may_have_files())
		return NULL;
	long fd = system_call(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL, 0, 0, 0, 0);
	if (system_failed(fd))
		fd = system_call(SYS_memfd_create, name, flags, 0, 0, 0, 0);
	if (system_failed(fd))
		return NULL;
	if (!system_failed(system_call(SYS_ftruncate, fd, INVENTORY_SIZE, 0, 0, 0, 0)))
		map = system_mmap(INVENTORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd);
	if (map)
		seal(fd);
	system_close((int)fd);
	return map;
}

/* Shared, so that it is a mapping of its own in /proc/PID/maps, never joined to another. */
static void *map_anonymous(void)
{
	void *map =
		system_mmap(INVENTORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);

	if (map)
		system_call(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)map, INVENTORY_SIZE,
			    (long)INVENTORY_NAME, 0);
	return map;
}

static struct inventory_header *map_page(void)
{
	void *map = map_memfd();

	if (!map)
		map = map_anonymous();
	/* Or else a child of fork(2) would have it too, and write to the parent's. */
	if (map && !system_madvise(map, INVENTORY_SIZE, MADV_DONTFORK)) {
		system_munmap(map, INVENTORY_SIZE);
		return NULL;
	}
	return map;
}

static void fill_header(struct inventory_header *header, const struct located *located,
			uint16_t flags)
{
	header->abi_major = INVENTORY_ABI_MAJOR;
	header->abi_minor = INVENTORY_ABI_MINOR;
	header->header_size = sizeof(*header);
	header->map_size = INVENTORY_SIZE;
	header->thread_size = sizeof(struct inventory_thread);
	header->thread_capacity = INVENTORY_THREADS;
	header->pid = system_getpid();
	header->address = (uintptr_t)header;
	header->main_arena = located->main_arena;
	header->mp = located->mp;
	header->tcache_offset = located->tcache_offset;
	header->thread_arena_offset = located->thread_arena_offset;
	header->malloc_state_next = located->malloc_state_next;
	header->malloc_par_n_mmaps_max = located->malloc_par_n_mmaps_max;
	memcpy(header->glibc_version, located->version, sizeof(header->glibc_version));
	header->flags = inventory_guard(flags);
	header->thread_high = inventory_guard(0);
	/* The check covers magic, which is not there yet. */
	struct inventory_header whole = *header;
	whole.magic = INVENTORY_MAGIC;
	header->check = inventory_header_check(&whole);
}

static void raise_high(struct inventory_header *header, unsigned int high)
{
	uint32_t old = __atomic_load_n(&header->thread_high, __ATOMIC_RELAXED);

	while ((uint16_t)old < high &&
	       !__atomic_compare_exchange_n(&header->thread_high, &old,
					    inventory_guard((uint16_t)high), true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

static struct inventory_thread *entry_of(struct inventory_header *header, unsigned int entry)
{
	return (struct inventory_thread *)(header + 1) + entry;
}

static void fill_entry(struct inventory_header *header, unsigned int entry)
{
	struct inventory_thread *thread = entry_of(header, entry);

	thread->tid = system_gettid();
	thread->fs_base = thread_pointer();
	thread->tcache_slot =
		header->tcache_offset ? thread->fs_base + (uint64_t)header->tcache_offset : 0;
	thread->check = inventory_thread_check(thread);
	__atomic_store_n(&thread->state, INVENTORY_THREAD_LIVE, __ATOMIC_RELEASE);
	raise_high(header, entry + 1);
}

bool page_publish(const struct located *located, uint16_t flags)
{
	__atomic_store_n(&published, NULL, __ATOMIC_RELAXED);
	struct inventory_header *header = map_page();
	if (!header)
		return false;

	fill_header(header, located, flags);
	memset(taken, 0, sizeof(taken));
	fill_entry(header, bitmap_claim(taken, INVENTORY_THREADS));
	__atomic_store_n(&header->magic, INVENTORY_MAGIC, __ATOMIC_RELEASE);
	become_owner();
	__atomic_store_n(&published, header, __ATOMIC_RELEASE);
	return true;
}

unsigned int page_enter(void)
{
	if (!page_is_ours())
		return PAGE_NO_ENTRY;
	unsigned int entry = bitmap_claim(taken, INVENTORY_THREADS);
	if (entry >= INVENTORY_THREADS) {
		page_overflow();
		return PAGE_NO_ENTRY;
	}
	fill_entry(published, entry);
	return entry;
}

void page_leave(unsigned int entry)
{
	if (!page_is_ours() || entry >= INVENTORY_THREADS)
		return;
	__atomic_store_n(&entry_of(published, entry)->state, INVENTORY_THREAD_FREE,
			 __ATOMIC_RELEASE);
	bitmap_release(taken, entry);
}

void page_overflow(void)
{
	if (!page_is_ours())
		return;
	uint32_t *flags = &published->flags;
	uint32_t old = __atomic_load_n(flags, __ATOMIC_RELAXED);
	while (!((uint16_t)old & INVENTORY_OVERFLOW) &&
	       !__atomic_compare_exchange_n(
		       flags, &old, inventory_guard((uint16_t)((uint16_t)old | INVENTORY_OVERFLOW)),
		       true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}
