// SPDX-License-Identifier: Apache-2.0
// A bump allocator: many small things that die together (a graph's values, names, shapes).
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "base/compiler.h"

typedef struct weir_arena weir_arena;

// NULL when out of memory, like malloc. Not thread-safe: one arena, one thread at a time.
weir_arena *weir_arena_create(void);

// Frees the arena and everything in it; clears *arena. Accepts a pointer to NULL.
void weir_arena_destroy(weir_arena **arena);

// Ends the life of everything in it; the arena goes on. Accepts NULL.
void weir_arena_reset(weir_arena *arena);

// `size` bytes, zeroed, aligned for any type and for 32-byte vectors; size 0 gives a valid pointer.
// Lives until the arena is destroyed. NULL when out of memory; an arena of NULL gives NULL.
void *weir_arena_alloc(weir_arena *arena, size_t size);

// n * size bytes as above; NULL when the product overflows.
void *weir_arena_array(weir_arena *arena, size_t n, size_t size);

// Copies into the arena. NULL when out of memory or `text`/`data` is NULL.
char *weir_arena_strdup(weir_arena *arena, const char *text);
void *weir_arena_memdup(weir_arena *arena, const void *data, size_t size);
char *weir_arena_printf(weir_arena *arena, const char *format, ...) WEIR_PRINTF(2, 3);

// Bytes handed out so far.
size_t weir_arena_used(const weir_arena *arena);

#endif
