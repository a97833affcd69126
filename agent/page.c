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
#define F_SEAL_WRITE  0x0008
#endif
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif

static struct inventory_header *page; /* NULL: not mapped */
static bool page_is_shared; /* with children that are copies of the process */

static struct inventory_header *published; /* page, once it is whole */
static pid_t owner; /* the process that published it */
static uint64_t taken[BITMAP_WORDS(INVENTORY_THREADS)];

bool page_is_ours(void)
{
	return __atomic_load_n(&published, __ATOMIC_ACQUIRE) && system_getpid() == owner;
}

/*
 * Whether a seccomp filter is in force: it may answer to a system call that it does not know by
 * ending the process. So might it to this one, but that is in more lists of those allowed.
 */
static bool is_filtered(void)
{
	return system_call(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) != 0;
}

/* A memfd grows by ftruncate(2), which sends SIGXFSZ where that is more than RLIMIT_FSIZE. */
static bool may_have_files(void)
{
	struct rlimit limit;

	return system_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) == 0 &&
	       limit.rlim_cur >= INVENTORY_SIZE;
}

/*
 * Private, so that fork(2) copies it. Of the file there is nothing but its name in /proc/PID/maps,
 * and nobody shall change it, not even root through /proc/PID/map_files.
 */
static void *map_memfd(void)
{
	const long flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const long seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	const long name = (long)INVENTORY_NAME;
	void *map = NULL;

	if (is_filtered() || !may_have_files())
		return NULL;
	long fd = system_call(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL, 0, 0, 0, 0);
	if (system_failed(fd))
		fd = system_call(SYS_memfd_create, name, flags, 0, 0, 0, 0);
	if (system_failed(fd))
		return NULL;
	if (!system_failed(system_call(SYS_ftruncate, fd, INVENTORY_SIZE, 0, 0, 0, 0)) &&
	    !system_failed(system_call(SYS_fcntl, fd, F_ADD_SEALS, seals, 0, 0, 0)))
		map = system_mmap(NULL, INVENTORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				  (int)fd);
	system_close((int)fd);
	return map;
}

/* Shared, so that it is a mapping of its own in /proc/PID/maps, never joined to another. */
static void *map_anonymous(void *place)
{
	return system_mmap(place, INVENTORY_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | (place ? MAP_FIXED : 0), -1);
}

/*
 * Maps a page, or in a child of fork(2) makes its parent's its own; a sandbox may have come up
 * since that was mapped, so no system call is made for it but the mmap(2) of a shared one.
 */
static bool have_page(void)
{
	if (page && page_is_shared) {
		page = map_anonymous(page);
	} else if (!page) {
		page = map_memfd();
		page_is_shared = !page;
		if (!page)
			page = map_anonymous(NULL);
	}
	return page != NULL;
}

static struct inventory_thread *entry_of(struct inventory_header *header, unsigned int entry)
{
	return (struct inventory_thread *)(header + 1) + entry;
}

/* Takes out of it what the parent had in it, if anything. */
static void empty(struct inventory_header *header)
{
	__atomic_store_n(&header->magic, 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < (uint16_t)header->thread_high; i++)
		entry_of(header, i)->state = INVENTORY_THREAD_FREE;
	memset(taken, 0, sizeof(taken));
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
	if (!have_page())
		return false;
	empty(page);
	fill_header(page, located, flags);
	fill_entry(page, bitmap_claim(taken, INVENTORY_THREADS));
	__atomic_store_n(&page->magic, INVENTORY_MAGIC, __ATOMIC_RELEASE);
	owner = page->pid;
	__atomic_store_n(&published, page, __ATOMIC_RELEASE);
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
