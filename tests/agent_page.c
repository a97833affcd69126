/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/agent_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

const char *agent_path(void)
{
	static char *path;

	if (!path)
		path = realpath(spawn_path("agent/.libs/libmemtool-agent.so"), NULL);
	if (!path)
		path = realpath(spawn_path("agent/libmemtool-agent.so"), NULL);
	if (!path)
		fail_msg("the agent is not built");
	return path;
}

const char *agent_preload(const char *before, const char *behind)
{
	static char variable[2048];

	snprintf(variable, sizeof(variable), "LD_PRELOAD=%s%s%s%s%s", before ? before : "",
		 before ? ":" : "", agent_path(), behind ? ":" : "", behind ? behind : "");
	return variable;
}

struct spawned *agent_subject(void)
{
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("tests/fixtures/subject"), NULL },
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL },
	});

	spawn_expect(child, "subject ");
	return child;
}

const char *agent_command(struct spawned *child, const char *command)
{
	char line[1024], answer[64];

	/* What came before must not be taken for the answer. */
	child->length = 0;
	child->text[0] = '\0';
	snprintf(line, sizeof(line), "%s\n", command);
	snprintf(answer, sizeof(answer), "%.*s", (int)strcspn(command, " "), command);
	spawn_write(child, line);
	spawn_expect(child, answer);
	return child->text;
}

uint64_t agent_number(const char *text, const char *word, int base)
{
	size_t length = strlen(word);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += line != text;
		if (strncmp(line, word, length) == 0 && line[length] == ' ')
			return strtoull(line + length, NULL, base);
	}
	fail_msg("no \"%s\" in:\n%s", word, text);
	return 0;
}

/*
 * Whether the line of /proc/PID/maps can be that of a page; *ret_anonymous: of one without memfd.
 */
static bool is_page_line(const char *line, uint64_t size, bool *ret_anonymous)
{
	const char *name = strchr(line, '/');

	*ret_anonymous = name && strcmp(name, INVENTORY_ZERO_NAME " (deleted)\n") == 0;
	if (*ret_anonymous)
		return size == INVENTORY_SIZE;
	return name && strcmp(name, INVENTORY_MAPS_NAME " (deleted)\n") == 0;
}

static bool has_magic(pid_t pid, uint64_t address)
{
	return agent_word(pid, address) == INVENTORY_MAGIC;
}

/* Its address, or 0. */
static uint64_t find_page(pid_t pid, bool *ret_anonymous)
{
	char path[64], line[1024], permissions[5];
	uint64_t found = 0, start, end;
	bool anonymous;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) != 3 ||
		    !is_page_line(line, end - start, &anonymous) || !has_magic(pid, start))
			continue;
		assert_int_equal(end - start, INVENTORY_SIZE);
		assert_string_equal(permissions, anonymous ? "rw-s" : "rw-p");
		if (found)
			fail_msg("process %d has more than one page", pid);
		found = start;
		*ret_anonymous = anonymous;
	}
	fclose(maps);
	return found;
}

bool agent_has_page(pid_t pid)
{
	bool anonymous;

	return find_page(pid, &anonymous) != 0;
}

bool agent_is_filtered(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}

void agent_peek(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = { buffer, size }, remote = { (void *)address, size };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		fail_msg("process %d: cannot read %zu bytes at %lx", pid, size, address);
}

uint64_t agent_word(pid_t pid, uint64_t address)
{
	uint64_t word;

	agent_peek(pid, address, &word, sizeof(word));
	return word;
}

void agent_poke(pid_t pid, uint64_t address, const void *bytes, size_t size)
{
	struct iovec local = { (void *)bytes, size }, remote = { (void *)address, size };

	assert_int_equal(process_vm_writev(pid, &local, 1, &remote, 1, 0), (ssize_t)size);
}

static void check_header(pid_t pid, const struct inventory_header *header, uint64_t address)
{
	assert_int_equal(header->magic, INVENTORY_MAGIC);
	assert_int_equal(header->abi_major, INVENTORY_ABI_MAJOR);
	assert_int_equal(header->abi_minor, INVENTORY_ABI_MINOR);
	assert_int_equal(header->header_size, sizeof(*header));
	assert_int_equal(header->map_size, INVENTORY_SIZE);
	assert_int_equal(header->thread_size, sizeof(struct inventory_thread));
	assert_int_equal(header->thread_capacity, INVENTORY_THREADS);
	assert_int_equal(header->pid, pid);
	assert_int_equal(header->address, address);
	assert_int_equal(header->check, inventory_header_check(header));
	assert_true(inventory_guard_holds(header->flags));
	assert_true(inventory_guard_holds(header->thread_high));
}

/* False if an entry changed while it was read. */
static bool take_threads(struct agent_page *page, const struct inventory_thread *table)
{
	page->count = 0;
	for (size_t i = 0; i < INVENTORY_THREADS; i++) {
		if (table[i].state == INVENTORY_THREAD_FREE)
			continue;
		assert_int_equal(table[i].state, INVENTORY_THREAD_LIVE);
		if (table[i].check != inventory_thread_check(&table[i]))
			return false;
		page->threads[page->count++] = table[i];
	}
	return true;
}

void agent_read_page_of(pid_t pid, pid_t tid, struct agent_page *ret)
{
	static union {
		struct inventory_header header;
		uint8_t bytes[INVENTORY_SIZE];
	} map;
	uint64_t address = find_page(tid, &ret->anonymous);

	if (!address)
		fail_msg("process %d has no page", pid);
	for (int tries = 0; tries < 1000; tries++) {
		agent_peek(tid, address, &map, sizeof(map));
		check_header(pid, &map.header, address);
		ret->header = map.header;
		if (take_threads(ret, (struct inventory_thread *)(&map.header + 1)))
			return;
	}
	fail_msg("process %d: an entry of the page never holds", pid);
}

const struct inventory_thread *agent_thread(const struct agent_page *page, pid_t tid)
{
	for (size_t i = 0; i < page->count; i++) {
		if (page->threads[i].tid == tid)
			return &page->threads[i];
	}
	return NULL;
}

void agent_read_page(pid_t pid, struct agent_page *ret)
{
	agent_read_page_of(pid, pid, ret);
}

void agent_unlist(pid_t pid, pid_t tid)
{
	static struct agent_page page;
	static struct inventory_thread table[INVENTORY_THREADS];

	agent_read_page(pid, &page);
	const uint64_t address = page.header.address + sizeof(page.header);
	agent_peek(pid, address, table, sizeof(table));
	for (size_t i = 0; i < INVENTORY_THREADS; i++) {
		if (table[i].state == INVENTORY_THREAD_LIVE && table[i].tid == tid) {
			table[i].state = INVENTORY_THREAD_FREE;
			agent_poke(pid, address + i * sizeof(table[i]), &table[i],
				   sizeof(table[i]));
			return;
		}
	}
	fail_msg("thread %d is not in the page", tid);
}

void agent_list(pid_t pid, pid_t tid, uint64_t fs_base)
{
	static struct agent_page page;
	struct inventory_thread thread = {
		.state = INVENTORY_THREAD_LIVE,
		.tid = tid,
		.fs_base = fs_base,
	};

	agent_read_page(pid, &page);
	uint16_t high = (uint16_t)page.header.thread_high;
	const uint64_t address = page.header.address;
	const uint32_t guarded = inventory_guard((uint16_t)(high + 1));
	thread.check = inventory_thread_check(&thread);
	agent_poke(pid, address + sizeof(page.header) + high * sizeof(thread), &thread,
		   sizeof(thread));
	agent_poke(pid, address + offsetof(struct inventory_header, thread_high), &guarded,
		   sizeof(guarded));
}

static void expect_thread(const struct agent_page *page, pid_t tid, uint64_t fs_base)
{
	const struct inventory_thread *thread = agent_thread(page, tid);

	if (!thread)
		fail_msg("thread %d is not in the page", tid);
	assert_int_equal(thread->fs_base, fs_base);
	/* Both are in the thread's static TLS, where no two are in the same place. */
	assert_int_equal(thread->tcache_slot, fs_base + (uint64_t)page->header.tcache_offset);
}

void agent_expect_threads(pid_t pid, const char *text, bool first)
{
	struct agent_page *page = malloc(sizeof(*page));
	size_t count = first;
	const char *line = text;
	unsigned long fs_base;
	int tid;

	assert_non_null(page);
	agent_read_page(pid, page);
	if (first)
		assert_non_null(agent_thread(page, pid));
	else
		assert_null(agent_thread(page, pid));
	for (; (line = strstr(line, "thread ")); line++) {
		if (sscanf(line, "thread %d %lx\n", &tid, &fs_base) != 2)
			continue;
		expect_thread(page, tid, fs_base);
		count++;
	}
	assert_int_equal(page->count, count);
	free(page);
}
