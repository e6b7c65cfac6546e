// SPDX-License-Identifier: Apache-2.0
// The order of an epoch as a function: a Feistel network over Philox permutes 0 .. 4^h - 1, and a
// value outside 0 .. n - 1 is permuted again until it falls inside (cycle walking: still a
// bijection, 4 rounds on average at most). Nothing is stored, any place can be asked for.
#include <assert.h>

#include "base/hash.h"
#include "scalar.h"
#include "weir/data.h"

enum { ROUNDS = 6 };

struct cipher {
    uint32_t key[2], epoch[2], stream;
    int half; // bits
};

static uint64_t permute(const struct cipher *c, uint64_t v)
{
    uint64_t mask = ((uint64_t)1 << c->half) - 1;
    uint64_t left = v >> c->half, right = v & mask;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t w[4]; // half <= 32 bits, so `right` is one word
        weir_philox((uint32_t)right, round, c->epoch[0], c->stream ^ c->epoch[1], c->key[0],
                    c->key[1], &w[0], &w[1], &w[2], &w[3]);
        uint64_t next = left ^ (w[0] & mask);
        left = right;
        right = next;
    }
    return left << c->half | right;
}

int64_t weir_loader_index(uint64_t seed, int64_t n, int64_t p)
{
    assert(n >= 0 && p >= 0);
    if (n == 0)
        return p;
    uint64_t epoch = (uint64_t)(p / n), v = (uint64_t)(p % n);
    struct cipher c = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                       .epoch = {(uint32_t)epoch, (uint32_t)(epoch >> 32)},
                       .stream = weir_hash32("data.shuffle"),
                       .half = 1};
    while (c.half < 32 && (uint64_t)1 << 2 * c.half < (uint64_t)n)
        c.half++;
    do
        v = permute(&c, v);
    while (v >= (uint64_t)n);
    return (int64_t)v;
}
