/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which words of the TLS are `tcache` and `thread_arena`, by what the threads have in them: where
 * no symbol and no code tells, and to see that what they told is right.
 *
 * An arena is unmistakable: main_arena, or behind a heap_info that names it. A tcache is a chunk of
 * few possible sizes, whose lists begin with chunks of the sizes they are for. Neither is looked
 * for in the ring or by the layout: both come later.
 */
#include "common/glibc_scan.h"
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <stdlib.h>

/* Of a block, next to the thread pointer: the linker puts libc's variables behind the program's. */
#define BLOCK_MAX (UINT64_C(64) << 10)
#define WORD      8

/* So many threads that have both suffice. */
#define ENOUGH 16
/* So many lists of a tcache are looked into. */
#define LISTS 4

/* What a word was in the threads looked at so far; nothing where it is 0. */
struct word {
	uint32_t arena; /* in so many threads */
	uint32_t tcache; /* likewise, and once more for each list that proved right */
	uint32_t no_arena;
	uint32_t no_tcache;
};

struct search {
	struct heap_copy *copy;
	struct tls_block block;
	struct word *words;
	uint64_t *values; /* of the thread in hand */
	bool all_seen; /* no thread was left out */
	bool any_alike; /* some word led to a chunk of a tcache's size, whose lists are wrong */
};

static struct memtool_error *is_arena(const struct search *search, uint64_t value, bool *ret)
{
	uint64_t heap = align_down(value, 4096), owner;

	*ret = value == search->copy->heap->roots.main_arena.value;
	/* heap_info has one of two sizes; a heap begins with its page, at least. */
	if (*ret || (value - heap != 32 && value - heap != 48) ||
	    !copy_anonymous(search->copy, value))
		return NULL;
	struct memtool_error *error =
		memory_peek(search->copy->memory, heap, &owner, sizeof(owner), ret);
	*ret = *ret && owner == value;
	return error;
}

/* tcache_perthread_struct by the size of its chunk: 2.26 to 2.29, to 2.41, from 2.42 on. */
struct tcache_kind {
	uint64_t chunk_size;
	uint32_t bins;
	uint32_t count_size;
	bool counts_down;
};

static const struct tcache_kind *kind_of(uint64_t size_field)
{
	static const struct tcache_kind kinds[] = {
		{ 0x300, 76, 2, true },
		{ 0x290, 64, 2, false },
		{ 0x250, 64, 1, false },
	};

	if (!glibc_is_tcache_chunk(size_field))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (raw_size(size_field) >= kinds[i].chunk_size)
			return &kinds[i];
	}
	return NULL;
}

static uint32_t counter(const struct tcache_kind *kind, const uint8_t *tcache, uint32_t bin)
{
	return kind->count_size == 1 ? tcache[bin]
				     : (uint32_t)(tcache[2 * bin] | tcache[2 * bin + 1] << 8);
}

/* Whether a list that begins with this entry can be that of bin. */
static struct memtool_error *check_list(const struct search *search, uint64_t entry, uint32_t bin,
					bool *ret)
{
	uint64_t size_field;

	*ret = entry % GLIBC_MALLOC_ALIGNMENT == 0 && copy_anonymous(search->copy, entry);
	if (!*ret)
		return NULL;
	struct memtool_error *error = memory_peek(search->copy->memory, entry - GLIBC_SIZE_SZ,
						  &size_field, sizeof(size_field), ret);
	*ret = *ret && raw_size(size_field) >= GLIBC_MINSIZE &&
	       tcache_bin_of_size(raw_size(size_field)) == bin;
	return error;
}

/*
 * Of the lists of a tcache that have chunks, or a counter that says so: how many can be, or cannot.
 */
static struct memtool_error *check_lists(const struct search *search,
					 const struct tcache_kind *kind, const uint8_t *tcache,
					 uint32_t *ret_right, uint32_t *ret_wrong)
{
	uint32_t right = 0, wrong = 0;

	for (uint32_t bin = 0; bin < kind->bins && right + wrong < LISTS; bin++) {
		uint64_t entry = load_u64(tcache + kind->bins * kind->count_size + 8 * bin);
		bool counted = counter(kind, tcache, bin) != 0, ok = false;

		/* Of a running thread the two need not be of one moment. */
		if (kind->counts_down || search->copy->live)
			counted = entry != 0;
		if (entry == 0 && !counted)
			continue;
		struct memtool_error *error =
			entry && counted ? check_list(search, entry, bin, &ok) : NULL;
		if (error)
			return error;
		right += ok;
		wrong += !ok;
	}
	*ret_right = right;
	*ret_wrong = wrong;
	return NULL;
}

/* How sure it is that a tcache is at value: 0 if it is none, more with each list that is right. */
static struct memtool_error *weigh_tcache(struct search *search, uint64_t value, uint32_t *ret)
{
	uint8_t bytes[GLIBC_TCACHE_STRUCT_MAX];
	uint64_t size_field = 0;
	uint32_t right, wrong;
	bool ok;

	*ret = 0;
	if (value % GLIBC_MALLOC_ALIGNMENT || !copy_anonymous(search->copy, value))
		return NULL;
	struct memtool_error *error = memory_peek(search->copy->memory, value - GLIBC_SIZE_SZ,
						  &size_field, sizeof(size_field), &ok);
	const struct tcache_kind *kind = ok ? kind_of(size_field) : NULL;
	if (error || !kind)
		return error;
	error = memory_peek(search->copy->memory, value, bytes, kind->bins * (kind->count_size + 8),
			    &ok);
	if (error || !ok)
		return error;
	error = check_lists(search, kind, bytes, &right, &wrong);
	if (error)
		return error;
	if (wrong <= right)
		*ret = 1 + right;
	else
		search->any_alike = true;
	return NULL;
}

static struct memtool_error *look_at_word(struct search *search, size_t index)
{
	uint64_t value = search->values[index];
	struct word *word = &search->words[index];
	uint32_t weight = 0;
	bool arena = false;

	if (value == 0)
		return NULL;
	struct memtool_error *error = is_arena(search, value, &arena);
	if (!error && !arena)
		error = weigh_tcache(search, value, &weight);
	if (error)
		return error;
	word->arena += arena;
	word->no_arena += !arena;
	word->tcache += weight;
	/* Without a tcache, from 2.43 on, it leads to __tcache_dummy in libc. */
	word->no_tcache += weight == 0 && !(search->copy->layout->tcache.dummy && !arena &&
					    !copy_anonymous(search->copy, value));
	return NULL;
}

/* *ret_both: it has an arena and a tcache, as far as its words tell. */
static struct memtool_error *look_at_thread(struct search *search, const struct root_thread *thread,
					    bool *ret_both)
{
	size_t count = search->block.size / WORD;
	bool ok = false, arena = false, tcache = false;

	*ret_both = false;
	struct memtool_error *error =
		thread->fs_base
			? memory_peek(search->copy->memory, thread->fs_base + search->block.offset,
				      search->values, count * WORD, &ok)
			: NULL;
	if (error || !ok) {
		search->all_seen &= thread->fs_base == 0 && !thread->unknown;
		return error;
	}
	for (size_t i = 0; i < count && !error; i++) {
		const struct word before = search->words[i];
		error = look_at_word(search, i);
		arena |= search->words[i].arena > before.arena;
		tcache |= search->words[i].tcache > before.tcache;
	}
	*ret_both = arena && tcache;
	return error;
}

static struct memtool_error *look_at_threads(struct search *search)
{
	const struct malloc_roots *roots = &search->copy->heap->roots;
	struct memtool_error *error = NULL;
	size_t both = 0;

	search->all_seen = true;
	for (size_t i = 0; i < roots->thread_count && !error; i++) {
		bool has_both;
		if (both == ENOUGH) {
			search->all_seen = false;
			break;
		}
		error = look_at_thread(search, &roots->threads[i], &has_both);
		both += has_both;
	}
	return error;
}

/* A thread whose TLS is damaged does not outweigh the others. */
static bool is_mostly(uint32_t yes, uint32_t no)
{
	return yes > 0 && no <= yes / 8;
}

static uint64_t offset_of(const struct search *search, size_t index)
{
	return search->block.offset + index * WORD;
}

/* Answers of the search other than an offset. */
#define IN_NO_THREAD 0
#define IN_DOUBT     UINT64_MAX

/* The only word that has arenas. */
static uint64_t choose_thread_arena(const struct search *search)
{
	uint64_t found = IN_NO_THREAD;

	for (size_t i = 0; i < search->block.size / WORD; i++) {
		const struct word *word = &search->words[i];

		if (word->arena == 0)
			continue;
		if (found != IN_NO_THREAD || !is_mostly(word->arena, word->no_arena))
			return IN_DOUBT;
		found = offset_of(search, i);
	}
	return found;
}

/* tcache, tcache_shutting_down and thread_arena are neighbours in .tbss of malloc.o, up to 2.42. */
#define TCACHE_BEFORE_ARENA 16

/* The word that is most like a tcache. */
static uint64_t choose_tcache(const struct search *search, uint64_t thread_arena)
{
	uint64_t found = IN_NO_THREAD;
	uint32_t best = 0;

	for (size_t i = 0; i < search->block.size / WORD; i++) {
		const struct word *word = &search->words[i];
		uint64_t offset = offset_of(search, i);

		if (word->tcache == 0 || word->tcache < best)
			continue;
		if (!is_mostly(word->tcache, word->no_tcache)) {
			if (found == IN_NO_THREAD)
				found = IN_DOUBT;
			continue;
		}
		if (word->tcache > best || offset == thread_arena - TCACHE_BEFORE_ARENA)
			found = offset;
		else if (found != thread_arena - TCACHE_BEFORE_ARENA)
			found = IN_DOUBT;
		best = word->tcache;
	}
	if (found == IN_NO_THREAD && search->any_alike)
		return IN_DOUBT;
	return found;
}

/*
 * Whether a root that the code told is wrong: no thread has there what must be there, but one else.
 */
static bool is_refuted(const struct search *search, const struct root *root)
{
	uint64_t at = root->value - search->block.offset;

	return at < search->block.size && search->words[at / WORD].tcache == 0 &&
	       search->words[at / WORD].no_tcache > 0;
}

/*
 * Takes what the threads show for a root that is not known; and what they do not show, if all do
 * not.
 */
static void take(const struct search *search, uint64_t offset, struct root *root)
{
	if (offset != IN_DOUBT && (offset != IN_NO_THREAD || search->all_seen))
		*root = (struct root){ offset, ROOT_STRUCTURE };
}

static void choose(const struct search *search, struct malloc_roots *roots)
{
	if (roots->thread_arena.source == ROOT_UNKNOWN)
		take(search, choose_thread_arena(search), &roots->thread_arena);
	uint64_t tcache = choose_tcache(search, roots->thread_arena.value);
	if (roots->tcache.source == ROOT_UNKNOWN ||
	    (roots->tcache.source == ROOT_STRUCTURE && tcache != IN_NO_THREAD &&
	     is_refuted(search, &roots->tcache)))
		take(search, tcache, &roots->tcache);
}

struct memtool_error *copy_tls(struct heap_copy *copy)
{
	struct malloc_roots *roots = &copy->heap->roots;
	struct search search = { .copy = copy, .block = roots->tls };

	if (search.block.size > BLOCK_MAX) {
		uint64_t left_out = align_up(search.block.size - BLOCK_MAX, WORD);
		search.block.offset += left_out;
		search.block.size -= left_out;
	}
	search.block.size &= ~(uint64_t)(WORD - 1);
	if (search.block.size == 0 || roots->thread_count == 0)
		return NULL;
	_cleanup_free_ struct word *words = calloc(search.block.size / WORD, sizeof(*words));
	_cleanup_free_ uint64_t *values = malloc(search.block.size);
	if (!words || !values)
		return memtool_error_no_memory;
	search.words = words;
	search.values = values;
	struct memtool_error *error = look_at_threads(&search);
	if (!error)
		choose(&search, roots);
	return error;
}
