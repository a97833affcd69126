/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the agent's page, as a process maps it, with whatever follows it in memory.
 *
 * The first byte says which of the page's checksums are made to hold, without which nearly nothing
 * would get past them; then the page, whose main_arena is taken to be in it, too.
 */
#include "glibc/inventory.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define ADDRESS    UINT64_C(0x7f2a10000000)
#define PID        4242
#define START_TIME 123456789
#define PAGE_MAX   (128 << 10)

/* The reader takes a copy of the page, of the size that it says it has, and a table of threads. */
#define MEMORY_MAX (40u << 20)

enum seals {
	SEAL_MAGIC = 1,
	SEAL_GUARDS = 2,
	SEAL_HEADER = 4,
	SEAL_THREADS = 8,
	SEAL_IDENTITY = 16,
};

const char fuzz_target[] = "inventory";

static void seal_threads(uint8_t *page, size_t size, const struct inventory_header *header)
{
	struct inventory_thread thread;

	for (uint32_t i = 0; i < (uint16_t)header->thread_high; i++) {
		uint64_t at = header->header_size + (uint64_t)i * header->thread_size;
		if (at > size || sizeof(thread) > size - at)
			return;
		memcpy(&thread, page + at, sizeof(thread));
		if (thread.state != INVENTORY_THREAD_FREE)
			thread.state = INVENTORY_THREAD_LIVE;
		thread.check = inventory_thread_check(&thread);
		memcpy(page + at, &thread, sizeof(thread));
	}
}

static void seal(uint8_t *page, size_t size, unsigned int seals)
{
	struct inventory_header header;

	if (size < sizeof(header))
		return;
	memcpy(&header, page, sizeof(header));
	if (seals & SEAL_MAGIC) {
		header.magic = INVENTORY_MAGIC;
		header.abi_major = INVENTORY_ABI_MAJOR;
	}
	if (seals & SEAL_IDENTITY) {
		header.address = ADDRESS;
		header.pid = PID;
		header.start_time = START_TIME;
		header.main_arena = ADDRESS + header.main_arena % size;
	}
	if (seals & SEAL_GUARDS) {
		header.flags = inventory_guard((uint16_t)header.flags);
		header.thread_high = inventory_guard((uint16_t)header.thread_high);
	}
	if (seals & SEAL_THREADS)
		seal_threads(page, size, &header);
	if (seals & SEAL_HEADER)
		header.check = inventory_header_check(&header);
	memcpy(page, &header, sizeof(header));
}

static void check_inventory(const struct inventory *inventory)
{
	const struct inventory_header *header = &inventory->header;

	if (header->address != ADDRESS || header->pid != PID || header->magic != INVENTORY_MAGIC ||
	    header->check != inventory_header_check(header))
		fuzz_fail("a page that is not the process's was taken");
	if (inventory->threads.count > header->thread_capacity ||
	    inventory->threads.count > UINT16_MAX)
		fuzz_fail("there are more threads than the table has room for");
	for (size_t i = 0; i < inventory->threads.count; i++) {
		const struct inventory_thread *thread = &inventory->threads.data[i];
		if (thread->state != INVENTORY_THREAD_LIVE ||
		    thread->check != inventory_thread_check(thread))
			fuzz_fail("a thread was taken whose entry does not hold");
	}
	struct glibc_traits traits = inventory_traits(inventory);
	if (traits.version > 299)
		fuzz_fail("%u is no version of glibc", traits.version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t page[PAGE_MAX];
	struct inventory inventory;

	if (size < 2 || size > sizeof(page))
		return 0;
	const struct memory_region region = { ADDRESS, size - 1, page };
	memcpy(page, data + 1, region.length);
	seal(page, region.length, data[0]);
	struct memory_buffer buffer = memory_buffer(&region, 1);
	fuzz_meter_start();
	struct memtool_error *error =
		inventory_read(&buffer.memory, ADDRESS, PID, START_TIME, &inventory);
	if (fuzz_meter_peak() > MEMORY_MAX)
		fuzz_fail("a page of %zu bytes takes too much memory", region.length);
	if (error) {
		memtool_error_destroy(error);
		return 0;
	}
	check_inventory(&inventory);
	inventory_deinit(&inventory);
	return 0;
}
