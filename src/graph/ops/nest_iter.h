// SPDX-License-Identifier: Apache-2.0
// Walks strided operands in row-major order a block at a time: a loop nest sees contiguous blocks
// whatever the views on its arguments. What already lies so is not copied.
#ifndef WEIR_GRAPH_OPS_NEST_ITER_H
#define WEIR_GRAPH_OPS_NEST_ITER_H

#include <string.h>

#include "graph/nest.h"

enum { WEIR_BLOCK = 1024 }; // elements staged at once: a few operands stay in the first cache

// An operand with its axes merged as far as strides allow; size-1 axes are gone.
struct nest_walk {
    unsigned char *base;
    size_t size; // bytes of an element
    int rank;
    int64_t dim[WEIR_MAX_RANK], stride[WEIR_MAX_RANK];
};

static inline size_t nest_elem_size(enum weir_dtype dtype)
{
#ifdef WEIR_REAL_DOUBLE
    if (dtype == WEIR_F32 || dtype == WEIR_F16 || dtype == WEIR_BF16)
        return sizeof(double);
#endif
    switch (dtype) {
    case WEIR_F32:
    case WEIR_I32:
    case WEIR_U32:
        return 4;
    case WEIR_F16:
    case WEIR_BF16:
        return 2;
    default:
        return 1;
    }
}

static inline int64_t nest_count(const struct weir_nd *nd)
{
    int64_t n = 1;
    for (int i = 0; i < nd->rank; i++)
        n *= nd->dim[i];
    return n;
}

static inline struct nest_walk nest_walk(const struct weir_nd *nd, void *base)
{
    struct nest_walk w = { .base = base, .size = nest_elem_size(nd->dtype) };
    for (int i = 0; i < nd->rank; i++) {
        if (nd->dim[i] == 1)
            continue;
        if (w.rank > 0 && w.stride[w.rank - 1] == nd->stride[i] * nd->dim[i]) {
            w.dim[w.rank - 1] *= nd->dim[i];
            w.stride[w.rank - 1] = nd->stride[i];
        } else {
            w.dim[w.rank] = nd->dim[i];
            w.stride[w.rank++] = nd->stride[i];
        }
    }
    if (w.rank == 0) {
        w.rank = 1;
        w.dim[0] = w.stride[0] = 1;
    }
    return w;
}

// The offset of flat element `first` and its indices.
static inline int64_t nest_seek(const struct nest_walk *w, int64_t first, int64_t *idx)
{
    int64_t at = 0;
    for (int i = w->rank - 1; i > 0; i--) {
        idx[i] = first % w->dim[i];
        first /= w->dim[i];
        at += idx[i] * w->stride[i];
    }
    idx[0] = first;
    return at + first * w->stride[0];
}

static inline void nest_copy_run(unsigned char *dst, int64_t ds, const unsigned char *src,
                                 int64_t ss, int64_t n, size_t size)
{
    if (ds == 1 && ss == 1) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
#define RUN(type)                                                                                \
    do {                                                                                         \
        type *d = (type *)(void *)dst;                                                           \
        const type *s = (const type *)(const void *)src;                                         \
        for (int64_t i = 0; i < n; i++)                                                          \
            d[i * ds] = s[i * ss];                                                               \
    } while (0)
    if (size == 4)
        RUN(uint32_t);
    else if (size == 8)
        RUN(uint64_t);
    else if (size == 2)
        RUN(uint16_t);
    else
        RUN(uint8_t);
#undef RUN
}

// Copies n elements from flat index `first` between the strided operand and a contiguous block.
static inline void nest_transfer(const struct nest_walk *w, int64_t first, int64_t n,
                                 unsigned char *block, bool to_block)
{
    int64_t idx[WEIR_MAX_RANK], at = nest_seek(w, first, idx);
    int last = w->rank - 1;
    while (n > 0) {
        int64_t run = w->dim[last] - idx[last];
        run = run < n ? run : n;
        unsigned char *p = w->base + at * (int64_t)w->size;
        if (to_block)
            nest_copy_run(block, 1, p, w->stride[last], run, w->size);
        else
            nest_copy_run(p, w->stride[last], block, 1, run, w->size);
        block += (size_t)run * w->size;
        n -= run;
        at += run * w->stride[last];
        idx[last] += run;
        for (int i = last; i > 0 && idx[i] == w->dim[i]; i--) {
            at += w->stride[i - 1] - w->dim[i] * w->stride[i];
            idx[i] = 0;
            idx[i - 1]++;
        }
    }
}

// n elements from flat index `first`: in place where they lie contiguous, else copied to `block`.
static inline void *nest_read(const struct nest_walk *w, int64_t first, int64_t n, void *block)
{
    if (w->rank == 1 && w->stride[0] == 1)
        return w->base + first * (int64_t)w->size;
    if (w->stride[w->rank - 1] == 1 && first % w->dim[w->rank - 1] + n <= w->dim[w->rank - 1]) {
        int64_t idx[WEIR_MAX_RANK];
        return w->base + nest_seek(w, first, idx) * (int64_t)w->size;
    }
    nest_transfer(w, first, n, block, true);
    return block;
}

// Where to write n elements from flat index `first`: in place, or the block that nest_flush copies.
static inline void *nest_target(const struct nest_walk *w, int64_t first, void *block)
{
    return w->rank == 1 && w->stride[0] == 1 ? w->base + first * (int64_t)w->size
                                             : (unsigned char *)block;
}

static inline void nest_flush(const struct nest_walk *w, int64_t first, int64_t n, void *block)
{
    if (!(w->rank == 1 && w->stride[0] == 1))
        nest_transfer(w, first, n, block, false);
}

// Threads worth starting for n elements of work.
static inline int nest_threads(const struct weir_nest_call *c, int64_t n)
{
    return c->threads > 1 && n >= 16384 ? c->threads : 1;
}

#endif
