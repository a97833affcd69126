/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

#include "cli/units.h"
#include "symbols/symbols_by_name.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool place_parse(const char *text, struct place *ret)
{
	const char *plus = strrchr(text, '+');
	size_t length = plus ? (size_t)(plus - text) : strlen(text);
	struct place place = { 0 };
	uint64_t base = 0;
	char number[32];

	if (length == 0 || (plus && !units_parse_address(plus + 1, &place.offset)))
		return false;
	if (!is_digit(text[0])) {
		place.symbol = text;
		place.symbol_length = length;
	} else {
		if (length >= sizeof(number))
			return false;
		memcpy(number, text, length);
		number[length] = '\0';
		if (!units_parse_address(number, &base) || base > UINT64_MAX - place.offset)
			return false;
	}
	place.offset += base;
	*ret = place;
	return true;
}

error_t place_operands_parse(int key, const char *argument, struct argp_state *state,
			     const struct common_options *common, struct place_operands *operands)
{
	switch (key) {
	case ARGP_KEY_ARG:
		/* The first operand is the pid. */
		if (!common->pid)
			return ARGP_ERR_UNKNOWN;
		if (operands->count == operands->max)
			argp_error(state, "too many operands: '%s'", argument);
		if (!place_parse(argument, &operands->data[operands->count]))
			argp_error(state, "'%s' is not an address", argument);
		operands->count++;
		return 0;
	case ARGP_KEY_END:
		if (common->pid && !operands->count)
			argp_error(state, "an address is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* How good a match it is; the highest is meant. */
static int rank(const struct symbol *symbol)
{
	if (symbol->version && !symbol->default_version)
		return 0;
	if (symbol->binding == SYMBOL_BOUND_LOCAL)
		return symbol->module->executable ? 2 : 1;
	return symbol->module->executable ? 4 : 3;
}

static struct memtool_error *choose(const struct symbol_array *symbols, const char *name, pid_t pid,
				    const struct symbol **ret)
{
	const struct symbol *best = NULL;
	size_t rivals = 0;

	for (size_t i = 0; i < symbols->count; i++) {
		const struct symbol *symbol = &symbols->data[i];
		if (!best || rank(symbol) > rank(best)) {
			best = symbol;
			rivals = 0;
		} else if (rank(symbol) == rank(best) && symbol->address != best->address) {
			rivals++;
		}
	}
	if (!best)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "no module of process %d has a symbol %s", (int)pid,
					    name);
	if (rivals)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "there are %zu symbols %s in process %d; give the "
					    "address of one, as memtool symbol %d %s lists them",
					    rivals + 1, name, (int)pid, (int)pid, name);
	if (best->type == SYMBOL_TLS)
		return memtool_error_create(MEMTOOL_ERROR_INVALID,
					    "%s is thread-local; give the address in one thread, "
					    "as memtool symbol %d %s lists them",
					    name, (int)pid, name);
	*ret = best;
	return NULL;
}

struct memtool_error *place_find(const struct place *place, struct inspection *inspection,
				 uint64_t *ret)
{
	_cleanup_(symbols_deinit) struct symbol_array symbols = { 0 };
	const struct symbol *symbol;

	if (!place->symbol) {
		*ret = place->offset;
		return NULL;
	}
	_cleanup_free_ char *name = strndup(place->symbol, place->symbol_length);
	if (!name)
		return memtool_error_no_memory;
	struct memtool_error *error = inspection_load_modules(inspection);
	if (!error)
		error = symbols_by_name(inspection->modules, name, &symbols);
	if (!error)
		error = choose(&symbols, name, inspection->process->pid, &symbol);
	if (!error)
		*ret = symbol->address + place->offset;
	return error;
}
