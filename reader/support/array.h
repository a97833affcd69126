/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable arrays.
 *
 * DEFINE_ARRAY(name, type) defines `struct name { type *data; size_t count; ... }` and static
 * inline functions on it. A zeroed struct is an empty array. Elements lie in data[0 .. count) and
 * move when the array grows, so keep indexes, not pointers. Big arrays grow by mremap inside
 * realloc: growing neither copies pages nor touches the ones not used yet.
 *
 *	DEFINE_ARRAY(tid_array, pid_t)
 *
 *	_cleanup_(tid_array_deinit) struct tid_array tids = { 0 };
 *	if (!tid_array_append(&tids, &tid))
 *		return memtool_error_no_memory;
 */
#ifndef SUPPORT_ARRAY_H
#define SUPPORT_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define DEFINE_ARRAY(name, type)                                                          \
	struct name {                                                                     \
		type *data;                                                               \
		size_t count;                                                             \
		size_t capacity;                                                          \
	};                                                                                \
                                                                                          \
	__attribute__((__unused__)) static inline void name##_deinit(struct name *array)  \
	{                                                                                 \
		free(array->data);                                                        \
		*array = (struct name){ 0 };                                              \
	}                                                                                 \
                                                                                          \
	/* Makes room for capacity elements in all; false when out of memory. */          \
	__attribute__((__unused__)) static inline bool name##_reserve(struct name *array, \
								      size_t capacity)    \
	{                                                                                 \
		if (capacity <= array->capacity)                                          \
			return true;                                                      \
		type *data = reallocarray(array->data, capacity, sizeof(type));           \
		if (!data)                                                                \
			return false;                                                     \
		array->data = data;                                                       \
		array->capacity = capacity;                                               \
		return true;                                                              \
	}                                                                                 \
                                                                                          \
	/* Appends a copy of *element; false when out of memory. */                       \
	__attribute__((__unused__)) static inline bool name##_append(struct name *array,  \
								     type const *element) \
	{                                                                                 \
		if (array->count == array->capacity &&                                    \
		    !name##_reserve(array, array->capacity ? array->capacity * 2 : 16))   \
			return false;                                                     \
		array->data[array->count++] = *element;                                   \
		return true;                                                              \
	}

#endif
