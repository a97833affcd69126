/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/image.h and common/glibc_scan.h on the libc of this machine, on objects made up here, and
 * on damaged ones.
 */
#include "common/glibc_scan.h"
#include "symbols/libc.h"
#include "symbols/libc_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The libc that this test runs with: its image in memory, and the path of its file. */
struct own_libc {
	struct image image;
	char path[512];
};

static int take_libc(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct own_libc *libc = argument;
	struct image image;

	(void)size;
	if (!image_of_loaded(info->dlpi_phdr, info->dlpi_phnum, info->dlpi_addr, &image) ||
	    !image_soname_is(&image, "libc.so.6"))
		return 0;
	libc->image = image;
	snprintf(libc->path, sizeof(libc->path), "%s", info->dlpi_name);
	return 1;
}

static struct own_libc find_libc(void)
{
	struct own_libc libc;

	assert_int_equal(dl_iterate_phdr(take_libc, &libc), 1);
	return libc;
}

/* All of a file; the caller frees it. */
static uint8_t *read_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	size_t size = (size_t)status.st_size;
	uint8_t *bytes = malloc(size);
	assert_non_null(bytes);
	for (size_t done = 0; done < size;) {
		ssize_t count = read(fd, bytes + done, size - done);
		assert_true(count > 0);
		done += (size_t)count;
	}
	close(fd);
	*ret_size = size;
	return bytes;
}

/* libc's own function, whatever a sanitizer puts in its place. */
static void *own_function(const struct own_libc *libc, const char *name)
{
	struct image_symbol symbol;

	assert_true(image_find_function(&libc->image, name, &symbol));
	return (void *)symbol.address;
}

static void test_own_symbols(void **state)
{
	(void)state;
	struct own_libc libc = find_libc();
	struct image_symbol symbol;
	void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	assert_non_null(handle);
	void *truth = dlsym(handle, "mallopt");
	dlclose(handle);
	assert_ptr_equal(own_function(&libc, "mallopt"), truth);
	assert_true(image_find_function(&libc.image, "mallopt", &symbol));
	assert_true(symbol.size > 0);
	assert_false(image_find_function(&libc.image, "no_such_function", &symbol));
	/* In .dynsym, but not as a function. */
	assert_false(image_find_function(&libc.image, "stdout", &symbol));

	/* The same by DT_HASH, where there is one. */
	struct image by_hash = libc.image;
	by_hash.gnu_hash = 0;
	if (by_hash.hash) {
		assert_true(image_find_function(&by_hash, "mallopt", &symbol));
		assert_ptr_equal((void *)symbol.address, truth);
		assert_false(image_find_function(&by_hash, "no_such_function", &symbol));
	}
	by_hash.hash = 0;
	assert_false(image_find_function(&by_hash, "mallopt", &symbol));
}

typedef void *malloc_function(size_t);
typedef void free_function(void *);
typedef int mallopt_function(int, int);

/* What the file shows is what malloc uses. */
static void test_own_file(void **state)
{
	(void)state;
	struct own_libc libc = find_libc();
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	struct image image;
	size_t size;
	uint8_t *file = read_file(libc.path, &size);

	assert_true(image_of_file(file, size, &image));
	assert_true(glibc_scan_main_arena(&image, &arena));
	assert_true(glibc_scan_mp(&image, &par));
	/*
	 * A lone free chunk's link points to the first bin, 2048 bytes before next, less a header.
	 */
	malloc_function *own_malloc = (malloc_function *)own_function(&libc, "malloc");
	free_function *own_free = (free_function *)own_function(&libc, "free");
	mallopt_function *own_mallopt = (mallopt_function *)own_function(&libc, "mallopt");
	void *volatile large = own_malloc(5000), *volatile guard = own_malloc(24);
	own_free(large);
	uint64_t bin = *(volatile uint64_t *)large;
	assert_int_equal(libc.image.bias + arena.address + arena.next - 2048 - 16, bin);
	own_free(guard);
	assert_int_equal(own_mallopt(M_MMAP_MAX, 12345), 1);
	const uint32_t *n_mmaps_max =
		image_bytes(&libc.image, libc.image.bias + par.address + par.n_mmaps_max, 4);
	assert_non_null(n_mmaps_max);
	assert_int_equal(*n_mmaps_max, 12345);
	/* Which memory no longer shows, so it is not found there. */
	assert_false(glibc_scan_mp(&libc.image, &par));
	/* But as the mp_ of a malloc in use; and the arena by its bins, though this one is free. */
	struct glibc_scan_arena used_arena;
	struct glibc_scan_par used_par;
	assert_true(glibc_scan_used_arena(&libc.image, &used_arena));
	assert_int_equal(used_arena.address, libc.image.bias + arena.address);
	assert_int_equal(used_arena.next, arena.next);
	assert_true(glibc_scan_used_mp(&libc.image, &used_arena, 0, &used_par));
	assert_int_equal(used_par.address, libc.image.bias + par.address);
	assert_int_equal(used_par.n_mmaps_max, par.n_mmaps_max);
	assert_int_equal(own_mallopt(M_MMAP_MAX, 65536), 1);
	free(file);
}

/* The slot's word in the GOT is where this thread's tcache is: a freed block's address is in it. */
static void test_own_tcache(void **state)
{
	(void)state;
	struct own_libc libc = find_libc();
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	size_t count = glibc_scan_tls(&libc.image, slots), index;
	int64_t offset;

	assert_in_range(count, 2, GLIBC_TLS_SLOTS);
	assert_true(glibc_scan_tcache(&libc.image, slots, count, &index));
	assert_true(image_read(&libc.image, slots[index].got, &offset, sizeof(offset)));
	void *volatile block = ((malloc_function *)own_function(&libc, "malloc"))(24);
	((free_function *)own_function(&libc, "free"))(block);
	const uint64_t *tcache =
		*(uint64_t *const *)((const char *)__builtin_thread_pointer() + offset);
	bool found = false;
	for (size_t i = 0; i < 608 / 8; i++)
		found = found || tcache[i] == (uintptr_t)block;
	assert_true(found);
	assert_true(glibc_is_tcache_chunk(tcache[-1]));

	/* In the file it is the same, and without that slot there is none. */
	struct glibc_tls_slot rest[GLIBC_TLS_SLOTS], found_in_file[GLIBC_TLS_SLOTS];
	struct image image;
	size_t size, in_file;
	uint8_t *file = read_file(libc.path, &size);
	assert_true(image_of_file(file, size, &image));
	assert_int_equal(glibc_scan_tls(&image, found_in_file), count);
	assert_true(glibc_scan_tcache(&image, found_in_file, count, &in_file));
	assert_int_equal(in_file, index);
	assert_int_equal(found_in_file[index].offset, slots[index].offset);
	memcpy(rest, found_in_file, sizeof(rest));
	rest[index] = rest[count - 1];
	if (glibc_scan_tcache(&image, rest, count - 1, &in_file))
		assert_int_not_equal(rest[in_file].offset, slots[index].offset);
	free(file);
}

/* Addresses of libc6-dbg's symbols, for the one build that they are known of. */
static void test_known_build(void **state)
{
	(void)state;
	static const uint8_t build_id[] = { 0x93, 0xac, 0x61, 0xec, 0x5a, 0x8e, 0xb1,
					    0x39, 0x6f, 0x9f, 0xbd, 0x35, 0x0e, 0x31,
					    0x69, 0xa5, 0x58, 0x52, 0x8a, 0x40 };
	struct own_libc libc = find_libc();
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;
	struct image image;
	size_t size;
	uint8_t *file = read_file(libc.path, &size);

	if (!memmem(file, 4096, build_id, sizeof(build_id))) {
		free(file);
		skip();
	}
	assert_true(image_of_file(file, size, &image));
	assert_true(glibc_scan_main_arena(&image, &arena));
	assert_true(glibc_scan_mp(&image, &par));
	assert_int_equal(arena.address, 0x1d3c60);
	assert_int_equal(arena.next, 2160);
	assert_int_equal(par.address, 0x1d3340);
	assert_int_equal(par.n_mmaps_max, 64);
	free(file);
}

/* An object made up here: one writable segment of words, at that address, and its relocations. */
#define BASE UINT64_C(0x100000)

struct made_up {
	uint64_t words[1024];
	Elf64_Rela rela[8];
	uint64_t relr[8];
	struct image image;
};

static void make_up(struct made_up *object)
{
	memset(object, 0, sizeof(*object));
	image_add_segment(&object->image, &(struct image_segment){
						  .address = BASE,
						  .size = sizeof(object->words),
						  .file_size = sizeof(object->words),
						  .bytes = (const uint8_t *)object->words,
						  .flags = PF_R | PF_W,
					  });
	image_add_segment(&object->image, &(struct image_segment){
						  .address = 0x1000,
						  .size = sizeof(object->rela),
						  .bytes = (const uint8_t *)object->rela,
						  .flags = PF_R,
					  });
	image_add_segment(&object->image, &(struct image_segment){
						  .address = 0x2000,
						  .size = sizeof(object->relr),
						  .bytes = (const uint8_t *)object->relr,
						  .flags = PF_R,
					  });
	object->image.rela = 0x1000;
	object->image.relr = 0x2000;
}

static void add_rela(struct made_up *object, uint64_t target, uint64_t value)
{
	size_t i = object->image.rela_size / sizeof(object->rela[0]);

	object->rela[i] =
		(Elf64_Rela){ target, ELF64_R_INFO(0, R_X86_64_RELATIVE), (int64_t)value };
	object->image.rela_size += sizeof(object->rela[0]);
}

static void test_arena_offsets(void **state)
{
	(void)state;
	static const uint32_t nexts[] = { 2152, 2160, 2072 };
	struct glibc_scan_arena arena;
	struct made_up object;

	for (size_t i = 0; i < 3; i++) {
		make_up(&object);
		add_rela(&object, BASE + 512 + nexts[i], BASE + 512);
		object.words[(512 + nexts[i] + 16) / 8] = 1;
		assert_true(glibc_scan_main_arena(&object.image, &arena));
		assert_int_equal(arena.address, BASE + 512);
		assert_int_equal(arena.next, nexts[i]);
	}
	/* Another distance is none. */
	make_up(&object);
	add_rela(&object, BASE + 512 + 2168, BASE + 512);
	assert_false(glibc_scan_main_arena(&object.image, &arena));
}

static void test_arena_relr(void **state)
{
	(void)state;
	struct glibc_scan_arena arena;
	struct made_up object;

	make_up(&object);
	/* An address, then a bitmap of the words behind it: the 2nd and the 12th. */
	object.relr[0] = BASE + 512 + 2072 - 12 * 8;
	object.relr[1] = 1 | UINT64_C(1) << 2 | UINT64_C(1) << 12;
	object.image.relr_size = 16;
	object.words[(512 + 2072) / 8] = BASE + 512;
	assert_true(glibc_scan_main_arena(&object.image, &arena));
	assert_int_equal(arena.address, BASE + 512);
	/* In memory: its `next` leads to a second arena. */
	object.words[(512 + 2072) / 8] = BASE + 0x1000;
	assert_false(glibc_scan_main_arena(&object.image, &arena));
}

static void test_no_arena(void **state)
{
	(void)state;
	struct glibc_scan_arena arena = { 7, 7 };
	struct made_up object;

	/* Two of them. */
	make_up(&object);
	add_rela(&object, BASE + 2160, BASE);
	add_rela(&object, BASE + 4096 + 2160, BASE + 4096);
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	/* Not whole in the segment. */
	make_up(&object);
	add_rela(&object, BASE + sizeof(object.words) - 8, BASE + sizeof(object.words) - 8 - 2160);
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	/* A bin with one link only. */
	make_up(&object);
	add_rela(&object, BASE + 2160, BASE);
	object.words[(112 + 64) / 8] = BASE;
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	/* Read-only. */
	make_up(&object);
	add_rela(&object, BASE + 2160, BASE);
	object.image.segments[0].flags = PF_R;
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	/* It has a symbol. */
	make_up(&object);
	add_rela(&object, BASE + 2160, BASE);
	object.rela[0].r_info = ELF64_R_INFO(1, R_X86_64_RELATIVE);
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	assert_int_equal(arena.address, 7);
	assert_int_equal(arena.next, 7);
}

/* A program that is not PIE: no relocation, but a word that leads there. */
static void test_arena_without_relocations(void **state)
{
	(void)state;
	struct glibc_scan_arena arena;
	struct made_up object;

	make_up(&object);
	object.words[(512 + 2160) / 8] = BASE + 512;
	object.words[(512 + 2160 + 16) / 8] = 1;
	assert_true(glibc_scan_main_arena(&object.image, &arena));
	assert_int_equal(arena.address, BASE + 512);
	assert_int_equal(arena.next, 2160);
	/* Where there are relocations, a word alone is none. */
	add_rela(&object, BASE, BASE + 8);
	assert_false(glibc_scan_main_arena(&object.image, &arena));
	/* A second one. */
	make_up(&object);
	object.words[(512 + 2160) / 8] = BASE + 512;
	object.words[(4096 + 2072) / 8] = BASE + 4096;
	assert_false(glibc_scan_main_arena(&object.image, &arena));
}

#define HEAP UINT64_C(0x7f0000000000)

/* An arena in use at 512, which gcc would align so, with next at that offset. */
static void put_used_arena(struct made_up *object, uint32_t next)
{
	const uint64_t at = 512, bins = at + next - 2048;

	for (unsigned int bin = 1; bin < 128; bin++) {
		uint64_t links = bins + (bin - 1) * UINT64_C(16);
		object->words[links / 8] = object->words[links / 8 + 1] = BASE + links - 16;
	}
	object->words[(bins - 16) / 8] = HEAP + 0x1000;
	object->words[(at + next) / 8] = HEAP + 0x30;
	object->words[(at + next + 16) / 8] = 1;
}

/* Bin number bin of that arena has a chunk; its bit in the binmap says so. */
static void fill_bin(struct made_up *object, uint32_t next, unsigned int bin, bool marked)
{
	const uint64_t bins = 512 + next - 2048, map = bins + 2032;

	object->words[(bins + (bin - 1) * UINT64_C(16)) / 8] = HEAP + 0x4000;
	object->words[(bins + (bin - 1) * UINT64_C(16)) / 8 + 1] = HEAP + 0x5000;
	if (marked)
		object->words[map / 8 + bin / 64] |= UINT64_C(1) << bin % 64;
}

static void test_used_arena(void **state)
{
	(void)state;
	static const uint32_t nexts[] = { 2152, 2160, 2072 };
	struct glibc_scan_arena arena;
	struct made_up object;

	for (size_t i = 0; i < 3; i++) {
		make_up(&object);
		put_used_arena(&object, nexts[i]);
		assert_false(glibc_scan_main_arena(&object.image, &arena));
		assert_true(glibc_scan_used_arena(&object.image, &arena));
		assert_int_equal(arena.address, BASE + 512);
		assert_int_equal(arena.next, nexts[i]);
		/* Chunks in bins: all but the last may have some. */
		for (unsigned int bin = 1; bin < 127; bin++)
			fill_bin(&object, nexts[i], bin, bin > 1);
		assert_true(glibc_scan_used_arena(&object.image, &arena));
		assert_int_equal(arena.address, BASE + 512);
		fill_bin(&object, nexts[i], 127, true);
		assert_false(glibc_scan_used_arena(&object.image, &arena));
	}
	/* One that the binmap does not know of. */
	make_up(&object);
	put_used_arena(&object, 2160);
	fill_bin(&object, 2160, 70, false);
	assert_false(glibc_scan_used_arena(&object.image, &arena));
	/* A link back into libc. */
	make_up(&object);
	put_used_arena(&object, 2160);
	fill_bin(&object, 2160, 70, true);
	object.words[(512 + 112 + 69 * 16) / 8] = BASE + 0x100;
	assert_false(glibc_scan_used_arena(&object.image, &arena));
	/* A `next` that leads to no arena. */
	make_up(&object);
	put_used_arena(&object, 2160);
	object.words[(512 + 2160) / 8] = HEAP + 0x40;
	assert_false(glibc_scan_used_arena(&object.image, &arena));
	/* Two arenas. */
	make_up(&object);
	put_used_arena(&object, 2072);
	for (size_t i = 0; i < 270; i++)
		object.words[512 + i] = object.words[64 + i];
	for (size_t i = 0; i < 254; i++)
		object.words[512 + 3 + i] += 512 * 8 - 512;
	assert_false(glibc_scan_used_arena(&object.image, &arena));
}

static void put_par(struct made_up *object, size_t word, size_t n_mmaps_max)
{
	static const uint64_t start[] = { 0x20000, 0x20000, 0x20000, 8, 0 };
	const uint32_t most = 65536;

	memcpy(&object->words[word], start, sizeof(start));
	memcpy((uint8_t *)&object->words[word] + n_mmaps_max, &most, sizeof(most));
}

static void test_par(void **state)
{
	(void)state;
	static const uint32_t offsets[] = { 44, 64, 72 };
	struct glibc_scan_par par;
	struct made_up object;

	for (size_t i = 0; i < 3; i++) {
		make_up(&object);
		put_par(&object, 100, offsets[i]);
		assert_true(glibc_scan_mp(&object.image, &par));
		assert_int_equal(par.address, BASE + 800);
		assert_int_equal(par.n_mmaps_max, offsets[i]);
		/* A second one. */
		put_par(&object, 200, offsets[i]);
		assert_false(glibc_scan_mp(&object.image, &par));
	}
	make_up(&object);
	put_par(&object, 100, 56);
	assert_false(glibc_scan_mp(&object.image, &par));
	/* At the very end of the segment, and beyond. */
	make_up(&object);
	put_par(&object, 1024 - 10, 72);
	assert_true(glibc_scan_mp(&object.image, &par));
	object.image.segments[0].size -= 8;
	assert_false(glibc_scan_mp(&object.image, &par));
	/* In .bss. */
	make_up(&object);
	put_par(&object, 100, 64);
	object.image.segments[0].file_size = 400;
	assert_false(glibc_scan_mp(&object.image, &par));
}

/* mp_ of a program that has used malloc, with n_mmaps_max at that offset. */
static void put_used_par(struct made_up *object, size_t word, uint32_t n_mmaps_max)
{
	const uint64_t start[] = { 0x60000, 0x20000, 0x30000, 8, 0 };
	const uint32_t counts[] = { 3, 65536, 5, 0 };
	/* mmapped_mem, max_mmapped_mem, sbrk_base, tcache_bins, tcache_max_bytes, tcache_count */
	const uint64_t tail[] = { 0x93000, 0xa0000, HEAP + 0x2a0, 64, 0x408, 7 };
	uint8_t *bytes = (uint8_t *)&object->words[word];

	memset(bytes, 0, 144);
	memcpy(bytes, start, sizeof(start));
	memcpy(bytes + n_mmaps_max - 4, counts, sizeof(counts));
	memcpy(bytes + ((n_mmaps_max + 12 + 7) & ~7U), tail, sizeof(tail));
}

static void test_used_par(void **state)
{
	(void)state;
	static const uint32_t offsets[] = { 44, 64, 72 };
	static const struct glibc_scan_arena arenas[] = { { 0, 2160 }, { 0, 2160 }, { 0, 2072 } };
	const struct glibc_scan_arena *arena = &arenas[1];
	struct glibc_scan_par par;
	struct made_up object;

	for (size_t i = 0; i < 3; i++) {
		arena = &arenas[i];
		make_up(&object);
		put_used_par(&object, 100, offsets[i]);
		assert_false(glibc_scan_mp(&object.image, &par));
		for (int known = 0; known <= 1; known++) {
			assert_true(glibc_scan_used_mp(&object.image, arena,
						       known ? HEAP + 0x2a0 : 0, &par));
			assert_int_equal(par.address, BASE + 800);
			assert_int_equal(par.n_mmaps_max, offsets[i]);
		}
		/* A second one, which is as good, unless it is known where the heap begins. */
		put_used_par(&object, 200, offsets[i]);
		assert_false(glibc_scan_used_mp(&object.image, arena, 0, &par));
		object.words[200 + ((offsets[i] + 12 + 7) & ~7U) / 8 + 2] += 0x1000;
		assert_true(glibc_scan_used_mp(&object.image, arena, HEAP + 0x2a0, &par));
		assert_int_equal(par.address, BASE + 800);
	}
	arena = &arenas[1];
	/* Of everything tuned, sbrk_base and one initial value are left. */
	make_up(&object);
	put_used_par(&object, 100, 64);
	object.words[100 + 1] = 0x10000;
	object.words[100 + 3] = 3;
	object.words[100 + 4] = 4;
	object.words[100 + 8] = 1000 | UINT64_C(5) << 32;
	object.words[100 + 14] = 0x200;
	object.words[100 + 15] = 20;
	assert_true(glibc_scan_used_mp(&object.image, arena, HEAP + 0x2a0, &par));
	assert_int_equal(par.address, BASE + 800);
	assert_false(glibc_scan_used_mp(&object.image, arena, HEAP + 0x2b0, &par));
	assert_false(glibc_scan_used_mp(&object.image, arena, 0, &par));
	/* More mappings than there ever were. */
	make_up(&object);
	put_used_par(&object, 100, 64);
	object.words[100 + 7] = UINT64_C(6) << 32;
	assert_false(glibc_scan_used_mp(&object.image, arena, HEAP + 0x2a0, &par));
	/* Zeroes are none. */
	make_up(&object);
	assert_false(glibc_scan_used_mp(&object.image, arena, 0, &par));
}

/* mmap_threshold may be anything since 2.35, up to 32 MiB before. */
static void test_used_par_threshold(void **state)
{
	(void)state;
	static const uint32_t offsets[] = { 44, 64, 72 };
	static const struct glibc_scan_arena arenas[] = { { 0, 2160 }, { 0, 2160 }, { 0, 2072 } };
	struct glibc_scan_par par;
	struct made_up object;

	for (size_t i = 0; i < 3; i++) {
		make_up(&object);
		put_used_par(&object, 100, offsets[i]);
		object.words[100 + 2] = UINT64_MAX;
		assert_int_equal(glibc_scan_used_mp(&object.image, &arenas[i], 0, &par), i > 0);
	}
}

/*
 * The TLS image begins at word 8; its words lead to zeroes in a segment that is read-only, or not.
 */
static void test_tcache_dummy(void **state)
{
	(void)state;
	static const uint8_t zeroes[1024];
	static uint8_t other[1024] = { [100] = 1 };
	struct made_up object;
	uint64_t offset;

	for (int relocated = 0; relocated <= 1; relocated++) {
		make_up(&object);
		image_add_segment(&object.image, &(struct image_segment){ .address = 0x8000,
									  .size = sizeof(zeroes),
									  .bytes = zeroes,
									  .flags = PF_R });
		image_add_segment(&object.image, &(struct image_segment){ .address = 0xa000,
									  .size = sizeof(other),
									  .bytes = other,
									  .flags = PF_R });
		object.image.tls = BASE + 64;
		object.image.tls_file_size = 32;
		object.image.tls_size = 128;
		assert_false(glibc_scan_tcache_dummy(&object.image, &offset));
		if (relocated) {
			add_rela(&object, BASE + 64, 0xa000);
			add_rela(&object, BASE + 64 + 16, 0x8080);
			add_rela(&object, BASE + 64 + 32, 0x8000); /* behind it */
		} else {
			object.words[8] = 0xa000;
			object.words[10] = 0x8080;
			object.words[12] = 0x8000;
		}
		assert_true(glibc_scan_tcache_dummy(&object.image, &offset));
		assert_int_equal(offset, 16);
		/* A second one, or one that may be written to. */
		if (relocated)
			add_rela(&object, BASE + 64 + 24, 0x8000);
		else
			object.words[11] = 0x8000;
		assert_false(glibc_scan_tcache_dummy(&object.image, &offset));
		object.image.tls_file_size = 24;
		assert_true(glibc_scan_tcache_dummy(&object.image, &offset));
		object.image.segments[3].flags = PF_R | PF_W;
		assert_false(glibc_scan_tcache_dummy(&object.image, &offset));
	}
}

static void test_tcache_chunk(void **state)
{
	(void)state;
	assert_true(glibc_is_tcache_chunk(0x251));
	assert_true(glibc_is_tcache_chunk(0x291));
	assert_true(glibc_is_tcache_chunk(0x295));
	assert_true(glibc_is_tcache_chunk(0x311));
	assert_false(glibc_is_tcache_chunk(0));
	assert_false(glibc_is_tcache_chunk(0x281));
	assert_false(glibc_is_tcache_chunk(0x292));
	assert_false(glibc_is_tcache_chunk(UINT64_C(1) << 32 | 0x291));
}

static void scan_all(const struct image *image)
{
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	struct glibc_scan_arena arena = { 0 };
	struct glibc_scan_par par;
	struct image_symbol symbol;
	uint64_t offset;
	size_t index;

	glibc_scan_main_arena(image, &arena);
	glibc_scan_mp(image, &par);
	glibc_scan_used_arena(image, &arena);
	glibc_scan_used_mp(image, &arena, 0, &par);
	glibc_scan_tcache_dummy(image, &offset);
	size_t count = glibc_scan_tls(image, slots);
	assert_in_range(count, 0, GLIBC_TLS_SLOTS);
	if (glibc_scan_tcache(image, slots, count, &index))
		assert_in_range(index, 0, count - 1);
	image_find_function(image, "malloc", &symbol);
	struct image by_hash = *image;
	by_hash.gnu_hash = 0;
	image_find_function(&by_hash, "malloc", &symbol);
}

/*
 * A copy with its end just behind the last byte, so that a sanitizer sees each byte read too far.
 */
static void scan_cut(const uint8_t *file, size_t size)
{
	uint8_t *cut = malloc(size ? size : 1);
	struct image image;

	assert_non_null(cut);
	memcpy(cut, file, size);
	if (image_of_file(cut, size, &image))
		scan_all(&image);
	free(cut);
}

static void test_truncated(void **state)
{
	(void)state;
	struct own_libc libc = find_libc();
	size_t size;
	uint8_t *file = read_file(libc.path, &size);

	for (size_t length = 0; length < 2048; length += 7)
		scan_cut(file, length);
	for (size_t length = 2048; length < size; length += 40961)
		scan_cut(file, length);
	free(file);
}

/* Pseudo-random; the same in each run. */
static uint64_t next_random(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *random >> 33;
}

static void damage(uint8_t *bytes, size_t size, uint64_t *random)
{
	uint8_t *byte = &bytes[next_random(random) % size];

	*byte = next_random(random) % 3 ? (uint8_t)next_random(random) : 0xff;
}

/* Headers, dynamic section, hash tables and relocations of nonsense: nothing crashes or hangs. */
static void test_damaged(void **state)
{
	(void)state;
	struct own_libc libc = find_libc();
	struct image whole, image;
	uint64_t random = 1;
	size_t size;
	uint8_t *file = read_file(libc.path, &size), *copy = malloc(size);

	assert_non_null(copy);
	assert_true(image_of_file(file, size, &whole));
	const uint64_t places[][2] = {
		{ 0, 1024 },
		{ whole.gnu_hash, 64 },
		{ whole.hash, 64 },
		{ whole.rela, whole.rela_size },
		{ whole.relr, whole.relr_size },
		{ whole.symtab, 4096 },
	};
	memcpy(copy, file, size);
	for (int i = 0; i < 300; i++) {
		const uint64_t *place = places[(size_t)i % (sizeof(places) / sizeof(places[0]))];
		const uint8_t *bytes = place[1] ? image_bytes(&whole, place[0], place[1]) : NULL;
		if (!bytes)
			continue;
		size_t at = (size_t)(bytes - file);
		for (int changes = 0; changes < 4; changes++)
			damage(copy + at, place[1], &random);
		if (image_of_file(copy, size, &image))
			scan_all(&image);
		memcpy(copy + at, bytes, place[1]);
	}
	free(copy);
	free(file);
}

/* A chain of DT_HASH that leads back to itself, and a DT_GNU_HASH without an end. */
static void test_endless_tables(void **state)
{
	(void)state;
	static uint32_t words[1024];
	static const char strings[] = "\0malloc";
	struct image_symbol symbol;
	struct image image = { 0 };

	memset(words, 0, sizeof(words));
	image_add_segment(&image, &(struct image_segment){ .address = 0x1000,
							   .size = sizeof(words),
							   .bytes = (const uint8_t *)words,
							   .flags = PF_R });
	image_add_segment(&image, &(struct image_segment){ .address = 0x9000,
							   .size = sizeof(strings),
							   .bytes = (const uint8_t *)strings,
							   .flags = PF_R });
	image.strtab = 0x9000;
	image.strtab_size = sizeof(strings);
	image.symtab = 0x1800;
	image.hash = 0x1000;
	words[0] = 1; /* one bucket, which leads to symbol 2, and that to itself */
	words[1] = 100;
	words[2] = 2;
	words[3 + 2] = 2;
	assert_false(image_find_function(&image, "malloc", &symbol));
	words[1] = UINT32_MAX;
	assert_false(image_find_function(&image, "malloc", &symbol));

	memset(words, 0, sizeof(words));
	image.gnu_hash = 0x1000;
	words[0] = 1; /* buckets, first symbol, words of the filter, its shift */
	words[2] = 1;
	words[4] = words[5] = UINT32_MAX;
	words[6] = 0;
	assert_false(image_find_function(&image, "malloc", &symbol));
}

static void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

/* What the reader takes of the file: all but most of the code, and it shows the same. */
static void test_without_code(void **state)
{
	(void)state;
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS], expected[GLIBC_TLS_SLOTS];
	struct own_libc own = find_libc();
	struct image_symbol symbol;
	struct libc_image image;
	struct process *process;
	struct modules *modules;
	size_t size, index, truth;
	struct image whole;
	struct libc libc;
	struct maps maps;
	bool found;
	uint8_t *file = read_file(own.path, &size);

	assert_true(image_of_file(file, size, &whole));
	no_error(process_open(getpid(), &process));
	no_error(maps_read(getpid(), &maps));
	no_error(modules_load(process, &maps, &modules));
	no_error(libc_find(modules, &process->memory, &libc));
	no_error(libc_image_of_file(libc.module, &found, &image));
	assert_true(found);

	assert_true(image_find_function(&image.image, "qsort", &symbol));
	assert_non_null(image_bytes(&whole, symbol.address, symbol.size));
	assert_null(image_bytes(&image.image, symbol.address, symbol.size));
	size_t count = glibc_scan_tls(&whole, expected);
	assert_int_equal(glibc_scan_tls(&image.image, slots), count);
	assert_memory_equal(slots, expected, count * sizeof(slots[0]));
	assert_true(glibc_scan_tcache(&whole, slots, count, &truth));
	assert_true(glibc_scan_tcache(&image.image, slots, count, &index));
	assert_int_equal(index, truth);

	libc_image_deinit(&image);
	modules_destroy(modules);
	maps_deinit(&maps);
	process_close(process);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_symbols),
		cmocka_unit_test(test_own_file),
		cmocka_unit_test(test_own_tcache),
		cmocka_unit_test(test_without_code),
		cmocka_unit_test(test_known_build),
		cmocka_unit_test(test_arena_offsets),
		cmocka_unit_test(test_arena_relr),
		cmocka_unit_test(test_no_arena),
		cmocka_unit_test(test_par),
		cmocka_unit_test(test_tcache_chunk),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_arena_without_relocations),
		cmocka_unit_test(test_used_arena),
		cmocka_unit_test(test_used_par),
		cmocka_unit_test(test_used_par_threshold),
		cmocka_unit_test(test_tcache_dummy),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_endless_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
