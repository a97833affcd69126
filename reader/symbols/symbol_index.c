/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/symbol_index.h"

#include "support/array.h"

#include <string.h>

#define SYMBOLS_MAX ((size_t)8 << 20)
#define NAME_SEEN   255 /* names that are longer are all of one length */
#define NO_SYMBOL   UINT32_MAX

/* A stretch lasts from its start to that of the next one. */
struct symbol_index {
	uint64_t *starts;
	uint32_t *symbols; /* indexes into the table, or NO_SYMBOL */
	size_t count;
};

/* Bits of entry.rank above the one for the name's length, by weight. */
enum {
	RANK_CURRENT = 1 << 8,
	RANK_TYPED = 1 << 9,
	RANK_GLOBAL = 1 << 10,
	RANK_SIZED = 1 << 11,
};

struct entry {
	uint64_t start;
	uint64_t end; /* of one without a size: of its section */
	uint32_t symbol;
	uint32_t rank;
};

DEFINE_ARRAY(entry_array, struct entry)

void symbol_index_destroy(struct symbol_index *index)
{
	if (!index)
		return;
	free(index->starts);
	free(index->symbols);
	free(index);
}

static bool is_wanted(const Elf64_Sym *symbol, enum symbol_index_kind kind)
{
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS)
		return false;
	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_TLS:
		return kind == INDEX_TLS && symbol->st_size;
	case STT_NOTYPE:
	case STT_OBJECT:
	case STT_FUNC:
	case STT_COMMON:
	case STT_GNU_IFUNC:
		return kind == INDEX_ADDRESSES;
	default:
		return false;
	}
}

/* Ends of sections by their index, as symbols without a size ask for them again and again. */
struct sections {
	const struct elf_file *file;
	size_t last;
	uint64_t end;
};

static uint64_t section_end(struct sections *sections, size_t index)
{
	if (index != sections->last) {
		const struct elf_section *section = elf_file_section(sections->file, index);
		const Elf64_Shdr *header = section ? &section->header : NULL;
		sections->last = index;
		sections->end =
			header && (header->sh_flags & SHF_ALLOC) && !(header->sh_flags & SHF_TLS)
				? header->sh_addr + header->sh_size
				: 0;
	}
	return sections->end;
}

static uint32_t rank_of(const struct symtab *table, size_t index, const char *name, size_t length)
{
	const Elf64_Sym *symbol = &table->symbols[index];
	uint32_t rank = NAME_SEEN - (uint32_t)length;

	if (!symtab_is_old_version(table, index, name, length))
		rank |= RANK_CURRENT;
	if (ELF64_ST_TYPE(symbol->st_info) != STT_NOTYPE)
		rank |= RANK_TYPED;
	if (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL)
		rank |= RANK_GLOBAL;
	if (symbol->st_size)
		rank |= RANK_SIZED;
	return rank;
}

/* False if the symbol covers nothing in range, or has no name to be told. */
static bool make_entry(const struct symtab *table, size_t index, struct sections *sections,
		       struct range range, struct entry *ret)
{
	const Elf64_Sym *symbol = &table->symbols[index];
	size_t length;
	const char *name = symtab_name(table, symbol, NAME_SEEN, &length);

	/* Assemblers leave out labels that begin so, unless they are told not to. */
	if (!name || (length >= 2 && memcmp(name, ".L", 2) == 0) ||
	    !range_contains(range, symbol->st_value))
		return false;
	uint64_t end = section_end(sections, symbol->st_shndx);
	if (symbol->st_size && __builtin_add_overflow(symbol->st_value, symbol->st_size, &end))
		end = range.end;
	*ret = (struct entry){
		.start = symbol->st_value,
		.end = end < range.end ? end : range.end,
		.symbol = (uint32_t)index,
		.rank = rank_of(table, index, name, length),
	};
	return ret->end > ret->start;
}

/* By start; what counts most last. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->symbol < y->symbol) - (x->symbol > y->symbol);
}

static bool list_entries(const struct elf_file *file, const struct symtab *table,
			 enum symbol_index_kind kind, struct range range, struct entry_array *ret)
{
	struct sections sections = { file, SHN_UNDEF, 0 };
	struct entry entry;

	for (size_t i = 0; i < table->count && i < SYMBOLS_MAX; i++) {
		if (is_wanted(&table->symbols[i], kind) &&
		    make_entry(table, i, &sections, range, &entry) &&
		    !entry_array_append(ret, &entry))
			return false;
	}
	if (ret->count)
		qsort(ret->data, ret->count, sizeof(*ret->data), compare_entries);
	return true;
}

/* A symbol without a size ends where the next one begins. */
static void limit_unsized(struct entry_array *entries)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = entries->count; i-- > 0;) {
		struct entry *entry = &entries->data[i];
		bool last_there =
			i + 1 == entries->count || entries->data[i + 1].start != entry->start;
		if (last_there && i + 1 < entries->count)
			next = entries->data[i + 1].start;
		if (!(entry->rank & RANK_SIZED) && entry->end > next)
			entry->end = next;
	}
}

/* The sweep: entries that cover where it is now, the one that counts on top. */
struct sweep {
	struct symbol_index *index;
	const struct entry **open;
	size_t depth;
};

static void emit(struct sweep *sweep, uint64_t start)
{
	struct symbol_index *index = sweep->index;
	uint32_t symbol = sweep->depth ? sweep->open[sweep->depth - 1]->symbol : NO_SYMBOL;

	if (index->count && index->starts[index->count - 1] == start)
		index->count--;
	if (index->count && index->symbols[index->count - 1] == symbol)
		return;
	index->starts[index->count] = start;
	index->symbols[index->count++] = symbol;
}

/* Closes what ends at limit or before. */
static void close_until(struct sweep *sweep, uint64_t limit)
{
	while (sweep->depth && sweep->open[sweep->depth - 1]->end <= limit) {
		uint64_t end = sweep->open[--sweep->depth]->end;
		while (sweep->depth && sweep->open[sweep->depth - 1]->end <= end)
			sweep->depth--;
		emit(sweep, end);
	}
}

static void run_sweep(struct sweep *sweep, const struct entry_array *entries)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct entry *entry = &entries->data[i];
		close_until(sweep, entry->start);
		/* A label inside of a function. */
		if (!(entry->rank & RANK_SIZED) && sweep->depth &&
		    (sweep->open[sweep->depth - 1]->rank & RANK_SIZED))
			continue;
		sweep->open[sweep->depth++] = entry;
		emit(sweep, entry->start);
	}
	close_until(sweep, UINT64_MAX);
}

static bool make_stretches(const struct entry_array *entries, struct symbol_index *index)
{
	size_t most = 2 * entries->count + 1;
	_cleanup_free_ const struct entry **open = calloc(entries->count + 1, sizeof(*open));
	struct sweep sweep = { index, open, 0 };

	index->starts = calloc(most, sizeof(*index->starts));
	index->symbols = calloc(most, sizeof(*index->symbols));
	if (!open || !index->starts || !index->symbols)
		return false;
	run_sweep(&sweep, entries);

	/* Shrinking: if that fails all is as it was. */
	void *starts = reallocarray(index->starts, index->count + 1, sizeof(*index->starts));
	if (starts)
		index->starts = starts;
	void *symbols = reallocarray(index->symbols, index->count + 1, sizeof(*index->symbols));
	if (symbols)
		index->symbols = symbols;
	return true;
}

struct symbol_index *symbol_index_create(const struct elf_file *file, const struct symtab *table,
					 enum symbol_index_kind kind, struct range range)
{
	_cleanup_(entry_array_deinit) struct entry_array entries = { 0 };
	struct symbol_index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	if (list_entries(file, table, kind, range, &entries)) {
		limit_unsized(&entries);
		if (make_stretches(&entries, index))
			return index;
	}
	symbol_index_destroy(index);
	return NULL;
}

bool symbol_index_find(const struct symbol_index *index, uint64_t value, size_t *ret)
{
	size_t low = 0, high = index->count;

	/* The last stretch that starts at or before value. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->starts[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || index->symbols[low - 1] == NO_SYMBOL)
		return false;
	*ret = index->symbols[low - 1];
	return true;
}
