// SPDX-License-Identifier: Apache-2.0
// Blocks in a list, the newest first; a request that does not fit starts a new block.
#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 32, BLOCK_SIZE = 16 * 1024 };

struct block {
    struct block *next;
    unsigned char *data; // aligned start
    size_t used, size;
};

struct weir_arena {
    struct block *blocks;
    size_t used;
};

weir_arena *weir_arena_create(void)
{
    return calloc(1, sizeof(weir_arena));
}

void weir_arena_destroy(weir_arena **arena)
{
    if (!arena || !*arena)
        return;
    struct block *block = (*arena)->blocks;
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(*arena);
    *arena = NULL;
}

// One block of ordinary size stays for what comes next.
void weir_arena_reset(weir_arena *arena)
{
    struct block *kept = NULL;
    while (arena && arena->blocks) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        if (!kept && block->size == BLOCK_SIZE)
            kept = block;
        else
            free(block);
    }
    if (kept) {
        memset(kept->data, 0, kept->used);
        kept->used = 0;
        kept->next = NULL;
        arena->blocks = kept;
    }
    if (arena)
        arena->used = 0;
}

static struct block *block_create(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct block) - ALIGN)
        return NULL;
    struct block *block = calloc(1, sizeof(struct block) + size + ALIGN);
    if (!block)
        return NULL;
    uintptr_t start = (uintptr_t)(block + 1);
    block->data = (unsigned char *)(block + 1) + (ALIGN - start % ALIGN) % ALIGN;
    block->size = size;
    return block;
}

void *weir_arena_alloc(weir_arena *arena, size_t size)
{
    if (!arena || size > SIZE_MAX - ALIGN)
        return NULL;
    size_t padded = (size ? size + ALIGN - 1 : ALIGN) / ALIGN * ALIGN;
    struct block *block = arena->blocks;
    if (!block || block->size - block->used < padded) {
        bool big = padded > BLOCK_SIZE / 4;
        struct block *fresh = block_create(big ? padded : BLOCK_SIZE);
        if (!fresh)
            return NULL;
        if (big && block) { // keep filling the current block
            fresh->next = block->next;
            block->next = fresh;
        } else {
            fresh->next = block;
            arena->blocks = fresh;
        }
        block = fresh;
    }
    void *out = block->data + block->used;
    block->used += padded;
    arena->used += padded;
    return out;
}

void *weir_arena_array(weir_arena *arena, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    return weir_arena_alloc(arena, n * size);
}

void *weir_arena_memdup(weir_arena *arena, const void *data, size_t size)
{
    void *out = data ? weir_arena_alloc(arena, size) : NULL;
    if (out && size)
        memcpy(out, data, size);
    return out;
}

char *weir_arena_strdup(weir_arena *arena, const char *text)
{
    return text ? weir_arena_memdup(arena, text, strlen(text) + 1) : NULL;
}

char *weir_arena_printf(weir_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *out = n < 0 ? NULL : weir_arena_alloc(arena, (size_t)n + 1);
    if (out)
        vsnprintf(out, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return out;
}

size_t weir_arena_used(const weir_arena *arena)
{
    return arena ? arena->used : 0;
}
