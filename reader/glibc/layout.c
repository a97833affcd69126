/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the layouts that may be meant is the one in memory.
 *
 * What tells them apart: where main_arena's bins begin, how far behind the start of its heap
 * another arena lies, the size of the chunk that a tcache is in, and how a list of a tcache or a
 * fastbin ends. Of each a few are looked at, since the target stands still meanwhile, and what most
 * of them say counts: a heap may be damaged.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <inttypes.h>

#define THREADS 16 /* with a tcache, to be looked at */
#define LINKS   32

/* Votes; of damaged memory there may be a few wrong ones. */
struct votes {
	uint32_t yes, no;
};

static bool is_carried(const struct votes *votes)
{
	return votes->yes > 0 && votes->no <= votes->yes / 8;
}

struct evidence {
	uint64_t heap_info; /* where an arena lies behind the start of its heap; 0: there is none */
	bool odd_heap; /* that heap does not begin at a multiple of 64 MiB */
	uint64_t tcache_sizes[THREADS]; /* of their chunks */
	uint64_t tcaches[THREADS]; /* their addresses */
	size_t tcache_count;
};

/* By the second arena of the ring. */
static struct memtool_error *look_at_ring(const struct heap_copy *copy, struct evidence *ret)
{
	uint64_t main_arena = copy->heap->roots.main_arena.value, next, owner;
	bool ok;

	struct memtool_error *error =
		memory_peek(copy->memory, main_arena + copy->layout->malloc_state.next, &next,
			    sizeof(next), &ok);
	if (error || !ok || next == main_arena || !copy_anonymous(copy, next))
		return error;
	error = memory_peek(copy->memory, align_down(next, 4096), &owner, sizeof(owner), &ok);
	if (error || !ok || owner != next)
		return error;
	ret->heap_info = next % 4096;
	ret->odd_heap = align_down(next, 4096) % GLIBC_DEFAULT_HEAP_MAX != 0;
	return NULL;
}

static struct memtool_error *look_at_tcaches(const struct heap_copy *copy, struct evidence *ret)
{
	const struct malloc_roots *roots = &copy->heap->roots;
	struct memtool_error *error = NULL;

	if (roots->tcache.source == ROOT_UNKNOWN || roots->tcache.value == 0)
		return NULL;
	for (size_t i = 0; i < roots->thread_count && !error && ret->tcache_count < THREADS; i++) {
		uint64_t tcache, size_field;
		bool ok;

		if (roots->threads[i].fs_base == 0)
			continue;
		error = memory_peek(copy->memory, roots->threads[i].fs_base + roots->tcache.value,
				    &tcache, sizeof(tcache), &ok);
		if (error || !ok || tcache % GLIBC_MALLOC_ALIGNMENT ||
		    !copy_anonymous(copy, tcache))
			continue;
		error = memory_peek(copy->memory, tcache - GLIBC_SIZE_SZ, &size_field,
				    sizeof(size_field), &ok);
		if (error || !ok)
			continue;
		ret->tcaches[ret->tcache_count] = tcache;
		ret->tcache_sizes[ret->tcache_count++] = raw_size(size_field);
	}
	return error;
}

/* malloc may give 16 bytes more than it must; 2.43 rounds the size up itself before it asks. */
static bool is_tcache_size(const struct glibc_layout *layout, uint64_t chunk_size)
{
	uint64_t size = align_up(layout->tcache.size + GLIBC_SIZE_SZ, GLIBC_MALLOC_ALIGNMENT);

	return chunk_size - size <= 2 * GLIBC_MALLOC_ALIGNMENT;
}

/* *ret_size: one that fits, or 0. */
static struct votes vote_tcache(const struct evidence *evidence, const struct glibc_layout *layout,
				uint16_t *ret_size)
{
	struct votes votes = { 0 };

	*ret_size = 0;
	for (size_t i = 0; i < evidence->tcache_count; i++) {
		bool fits = is_tcache_size(layout, evidence->tcache_sizes[i]);
		votes.yes += fits;
		votes.no += !fits;
		if (fits)
			*ret_size = (uint16_t)evidence->tcache_sizes[i];
	}
	return votes;
}

/* Whether a link can lead there: to another chunk, or nowhere. */
static bool is_next(const struct heap_copy *copy, uint64_t next)
{
	return next == 0 || (next % GLIBC_MALLOC_ALIGNMENT == 0 && copy_anonymous(copy, next));
}

/*
 * yes: what is stored at position, as a link to the next one, is mangled. In a heap at a low
 * address mangling changes so little that a link may be possible either way; that one does not
 * vote.
 */
static struct memtool_error *vote_link(const struct heap_copy *copy, uint64_t position,
				       struct votes *votes)
{
	uint64_t stored;
	bool ok;

	if (position % GLIBC_MALLOC_ALIGNMENT || !copy_anonymous(copy, position))
		return NULL;
	struct memtool_error *error =
		memory_peek(copy->memory, position, &stored, sizeof(stored), &ok);
	if (error || !ok)
		return error;
	bool mangled = is_next(copy, reveal_pointer(position, stored));
	bool plain = is_next(copy, stored);
	votes->yes += mangled && !plain;
	votes->no += plain && !mangled;
	return NULL;
}

/* The heads of count lists at address; skipped: from what a head leads to up to the link there. */
static struct memtool_error *vote_heads(const struct heap_copy *copy, uint64_t address,
					size_t count, uint64_t skipped, struct votes *votes)
{
	uint64_t heads[GLIBC_TCACHE_MAX_BINS];
	bool ok;

	struct memtool_error *error =
		memory_peek(copy->memory, address, heads, count * sizeof(heads[0]), &ok);
	for (size_t i = 0; i < count && !error && ok && votes->yes + votes->no < LINKS; i++) {
		if (heads[i])
			error = vote_link(copy, heads[i] + skipped, votes);
	}
	return error;
}

static struct memtool_error *vote_links(const struct heap_copy *copy,
					const struct evidence *evidence,
					const struct glibc_layout *layout, struct votes *ret)
{
	uint64_t main_arena = copy->heap->roots.main_arena.value;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < evidence->tcache_count && !error; i++) {
		if (is_tcache_size(layout, evidence->tcache_sizes[i]))
			error = vote_heads(copy, evidence->tcaches[i] + layout->tcache.entries,
					   layout->tcache.bins, 0, ret);
	}
	if (!error && layout->malloc_state.fastbinsY != GLIBC_ABSENT)
		error = vote_heads(copy, main_arena + layout->malloc_state.fastbinsY,
				   GLIBC_NFASTBINS, GLIBC_CHUNK_HDR_SZ, ret);
	return error;
}

/* By the last bin, which is always empty. *ret_fits also where no bin is set yet. */
static struct memtool_error *look_at_bins(const struct heap_copy *copy,
					  const struct glibc_layout *layout, bool *ret_fits,
					  bool *ret_set)
{
	uint64_t bin = copy->heap->roots.main_arena.value + layout->malloc_state.bins +
		       (GLIBC_NBINS - 2) * UINT64_C(16) - GLIBC_CHUNK_HDR_SZ;
	uint64_t links[2];
	bool ok;

	struct memtool_error *error =
		memory_peek(copy->memory, bin + GLIBC_CHUNK_HDR_SZ, links, sizeof(links), &ok);
	*ret_set = ok && links[0] == bin && links[1] == bin;
	*ret_fits = *ret_set || (ok && links[0] == 0 && links[1] == 0);
	return error;
}

/* Whether nothing in memory contradicts layout; and what bears it out. */
static struct memtool_error *check_layout(const struct heap_copy *copy,
					  const struct evidence *evidence,
					  const struct glibc_layout *layout, bool *ret_fits,
					  struct layout_evidence *ret)
{
	uint16_t chunk_size;
	struct votes tcache = vote_tcache(evidence, layout, &chunk_size), links = { 0 };
	bool bins_fit, bins_set;

	struct memtool_error *error = look_at_bins(copy, layout, &bins_fit, &bins_set);
	if (!error)
		error = vote_links(copy, evidence, layout, &links);
	if (error)
		return error;
	const struct votes plain = { links.no, links.yes };
	const struct votes *right = layout->safe_linking ? &links : &plain;
	const struct votes *wrong = layout->safe_linking ? &plain : &links;
	*ret_fits = bins_fit && (tcache.no == 0 || is_carried(&tcache)) &&
		    wrong->yes <= wrong->no &&
		    (!evidence->heap_info || evidence->heap_info == layout->heap_info.size) &&
		    (!evidence->odd_heap || layout->heap_max_follows_hugetlb);
	*ret = (struct layout_evidence){
		.bins = bins_set,
		.heap_info = (uint16_t)evidence->heap_info,
		.tcache_chunk = chunk_size,
		.links = is_carried(right),
	};
	return NULL;
}

static struct memtool_error *contradicted(const struct evidence *evidence)
{
	if (evidence->tcache_count)
		return memtool_error_create(
			MEMTOOL_ERROR_UNSUPPORTED,
			"what lies in memory (a tcache in a chunk of %" PRIu64
			" bytes, say) fits no layout of glibc's malloc that memtool knows",
			evidence->tcache_sizes[0]);
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "what lies in memory fits no layout of glibc's malloc that "
				    "memtool knows");
}

struct memtool_error *copy_layout(struct heap_copy *copy, const struct heap_source *source)
{
	struct evidence evidence = { 0 };
	bool fits;

	if (source->other_count == 0 && !source->layout_unconfirmed)
		return NULL;
	struct memtool_error *error = look_at_ring(copy, &evidence);
	if (!error)
		error = look_at_tcaches(copy, &evidence);
	for (size_t i = 0; i <= source->other_count && !error; i++) {
		const struct glibc_layout *layout =
			i == 0 ? source->layout : source->other_layouts[i - 1];
		struct layout_evidence found;

		error = check_layout(copy, &evidence, layout, &fits, &found);
		if (error || !fits)
			continue;
		copy->heap->layout = *layout;
		copy->heap->evidence = found;
		return NULL;
	}
	if (!error && source->layout_unconfirmed)
		error = contradicted(&evidence);
	return error;
}
