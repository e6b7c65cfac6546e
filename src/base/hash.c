// SPDX-License-Identifier: Apache-2.0
// Thin wrappers, so that the choice of hash stands in one file.
#include "base/hash.h"

#include <string.h>

uint64_t weir_hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH64(size ? data : "", size, seed);
}

uint32_t weir_hash32(const char *name)
{
    return XXH32(name, strlen(name), 0);
}

void weir_hasher_init(struct weir_hasher *hasher, uint64_t seed)
{
    XXH64_reset(&hasher->state, seed);
}

void weir_hasher_add(struct weir_hasher *hasher, const void *data, size_t size)
{
    if (size)
        XXH64_update(&hasher->state, data, size);
}

void weir_hasher_add_text(struct weir_hasher *hasher, const char *text)
{
    XXH64_update(&hasher->state, text, strlen(text) + 1);
}

uint64_t weir_hasher_digest(const struct weir_hasher *hasher)
{
    return XXH64_digest(&hasher->state);
}
