// SPDX-License-Identifier: Apache-2.0
// Non-cryptographic hashes (xxHash): cache keys, digests of checkpoints, names of random streams.
// The values are the same on every machine and never change: they are stored in files.
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#define XXH_STATIC_LINKING_ONLY // the state's layout, so that a hasher needs no allocation
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

// XXH64 of `size` bytes. `data` may be NULL when size is 0.
uint64_t weir_hash64(const void *data, size_t size, uint64_t seed);

// XXH32 with seed 0 of the characters of `name`: the id of a random stream.
uint32_t weir_hash32(const char *name);

// The same XXH64, fed in pieces of any size.
struct weir_hasher {
    XXH64_state_t state;
};

void weir_hasher_init(struct weir_hasher *hasher, uint64_t seed);
void weir_hasher_add(struct weir_hasher *hasher, const void *data, size_t size);
void weir_hasher_add_text(struct weir_hasher *hasher, const char *text); // with its final 0
uint64_t weir_hasher_digest(const struct weir_hasher *hasher); // may be asked for at any time

#endif
