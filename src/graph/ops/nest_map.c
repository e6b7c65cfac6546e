// SPDX-License-Identifier: Apache-2.0
// Loop nests of the elementwise operations, made from map.def: one contiguous inner loop an
// operation and type; nest_iter.h stages strided arguments.
#include "graph/ops/nest_iter.h"

#include <scalar.h>

#define BLOCK_ARGS const struct weir_nest_call *call, void *const *in, void *out, int64_t n
typedef void block_fn(BLOCK_ARGS);

static void run(const struct weir_nest_call *c, void *const *ptr, block_fn *block)
{
    struct nest_walk in[3], out = nest_walk(&c->out[0], ptr[c->n_in]);
    for (int i = 0; i < c->n_in; i++)
        in[i] = nest_walk(&c->in[i], ptr[i]);
    int64_t n = nest_count(&c->out[0]), blocks = (n + WEIR_BLOCK - 1) / WEIR_BLOCK;
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, n))
    for (int64_t b = 0; b < blocks; b++) {
        double stage[4][WEIR_BLOCK];
        void *arg[3];
        int64_t first = b * WEIR_BLOCK, count = n - first < WEIR_BLOCK ? n - first : WEIR_BLOCK;
        for (int i = 0; i < c->n_in; i++)
            arg[i] = nest_read(&in[i], first, count, stage[i]);
        block(c, arg, nest_target(&out, first, stage[3]), count);
        nest_flush(&out, first, count, stage[3]);
    }
}

// What an element of each type letter is in memory. A bool is a byte of 0 or 1.
typedef weir_real mem_f;
typedef int32_t mem_i;
typedef uint32_t mem_u;
typedef uint8_t mem_b;

#define BLOCK1(name, t, out_t)                                                                   \
    static void name##_##t(BLOCK_ARGS)                                                     \
    {                                                                                            \
        const mem_##t *a = in[0];                                                                \
        mem_##out_t *o = out;                                                                    \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            o[i] = (mem_##out_t)weir_##name##_##t(a[i]);                                         \
    }
#define BLOCK2(name, t, out_t)                                                                   \
    static void name##_##t(BLOCK_ARGS)                                                     \
    {                                                                                            \
        const mem_##t *a = in[0], *b = in[1];                                                    \
        mem_##out_t *o = out;                                                                    \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            o[i] = (mem_##out_t)weir_##name##_##t(a[i], b[i]);                                   \
    }
#define BLOCK3(name, t, out_t)                                                                   \
    static void name##_##t(BLOCK_ARGS)                                                     \
    {                                                                                            \
        const mem_##t *a = in[0], *b = in[1], *c = in[2];                                        \
        mem_##out_t *o = out;                                                                    \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            o[i] = (mem_##out_t)weir_##name##_##t(a[i], b[i], c[i]);                             \
    }

#define SAME(block, name, t) block(name, t, t)
#define TRUTH(block, name, t) block(name, t, b)
#define BLOCKS_F(result, block, name) result(block, name, f)
#define BLOCKS_FI(result, block, name) result(block, name, f) result(block, name, i)
#define BLOCKS_FIU(result, block, name) BLOCKS_FI(result, block, name) result(block, name, u)
#define BLOCKS_FIUB(result, block, name) BLOCKS_FIU(result, block, name) result(block, name, b)
#define BLOCKS_IU(result, block, name) result(block, name, i) result(block, name, u)
#define BLOCKS_IUB(result, block, name) BLOCKS_IU(result, block, name) result(block, name, b)
#define PICK_F(name) name##_f
#define PICK_FI(name) t == WEIR_F32 ? name##_f : name##_i
#define PICK_FIU(name) t == WEIR_F32 ? name##_f : t == WEIR_I32 ? name##_i : name##_u
#define PICK_FIUB(name) t == WEIR_BOOL ? name##_b : PICK_FIU(name)
#define PICK_IU(name) t == WEIR_I32 ? name##_i : name##_u
#define PICK_IUB(name) t == WEIR_BOOL ? name##_b : PICK_IU(name)

#define NEST(name, types)                                                                        \
    WEIR_NEST(name)                                                                              \
    {                                                                                            \
        const struct weir_nest_call *c = desc;                                                   \
        const enum weir_dtype t WEIR_UNUSED = c->in[0].dtype;                                    \
        run(c, ptr, PICK_##types(name));                                                         \
    }
#define WEIR_MAP1(name, types, result, fill, rules, n, text)                                     \
    BLOCKS_##types(result, BLOCK1, name) NEST(name, types)
#define WEIR_MAP2(name, types, result, fill, rules, n, text)                                     \
    BLOCKS_##types(result, BLOCK2, name) NEST(name, types)
#define WEIR_MAP3(name, types, result, fill, rules, n, text)                                     \
    BLOCKS_##types(result, BLOCK3, name) NEST(name, types)
#include "graph/ops/map.def"

#define SELECT(t)                                                                                \
    static void select_##t(BLOCK_ARGS)                                                     \
    {                                                                                            \
        const uint8_t *c = in[0];                                                                \
        const mem_##t *a = in[1], *b = in[2];                                                    \
        mem_##t *o = out;                                                                        \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            o[i] = (mem_##t)weir_select_##t(c[i], a[i], b[i]);                                   \
    }
SELECT(f)
SELECT(i)
SELECT(u)
SELECT(b)

WEIR_NEST(select)
{
    const struct weir_nest_call *c = desc;
    const enum weir_dtype t = c->in[1].dtype;
    run(c, ptr, PICK_FIUB(select));
}

// Casts go through the computing type of the source, then of the result: f16 and bf16 through f32,
// i8 through i32 (which wraps on the way back).
static const void *widen(enum weir_dtype t, const void *src, void *dst, int64_t n)
{
#ifndef WEIR_REAL_DOUBLE
    if (t == WEIR_F16 || t == WEIR_BF16) {
        const uint16_t *s = src;
        float *d = dst;
        if (t == WEIR_F16)
            for (int64_t i = 0; i < n; i++)
                d[i] = weir_f16_to_f32(s[i]);
        else
            for (int64_t i = 0; i < n; i++)
                d[i] = weir_bf16_to_f32(s[i]);
        return dst;
    }
#endif
    if (t != WEIR_I8)
        return src;
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)dst)[i] = weir_i8_to_i32(((const int8_t *)src)[i]);
    return dst;
}

static void narrow(enum weir_dtype t, const void *src, void *dst, int64_t n)
{
#ifndef WEIR_REAL_DOUBLE
    if (t == WEIR_F16 || t == WEIR_BF16) {
        const float *s = src;
        uint16_t *d = dst;
        if (t == WEIR_F16)
            for (int64_t i = 0; i < n; i++)
                d[i] = weir_f32_to_f16(s[i]);
        else
            for (int64_t i = 0; i < n; i++)
                d[i] = weir_f32_to_bf16(s[i]);
        return;
    }
#endif
    if (t == WEIR_I8)
        for (int64_t i = 0; i < n; i++)
            ((int8_t *)dst)[i] = weir_i32_to_i8(((const int32_t *)src)[i]);
    else
        memcpy(dst, src, (size_t)n * nest_elem_size(t));
}

#define CONVERT(from, to)                                                                        \
    static void from##2##to(BLOCK_ARGS)                                                     \
    {                                                                                            \
        const mem_##from *s = in[0];                                                             \
        mem_##to *d = out;                                                                       \
        for (int64_t i = 0; i < n; i++)                                                          \
            d[i] = (mem_##to)weir_##from##2##to(s[i]);                                           \
    }
CONVERT(f, i)
CONVERT(f, u)
CONVERT(f, b)
CONVERT(i, f)
CONVERT(i, u)
CONVERT(i, b)
CONVERT(u, f)
CONVERT(u, i)
CONVERT(u, b)
CONVERT(b, f)
CONVERT(b, i)
CONVERT(b, u)

static enum weir_dtype computing(enum weir_dtype t)
{
    return t == WEIR_F16 || t == WEIR_BF16 ? WEIR_F32 : t == WEIR_I8 ? WEIR_I32 : t;
}

static void cast_block(const struct weir_nest_call *c, void *const *in, void *out, int64_t n)
{
    static block_fn *const convert[4][4] = { // by F32, I32, U32, BOOL
        { NULL, f2i, f2u, f2b }, { i2f, NULL, i2u, i2b }, { u2f, u2i, NULL, u2b },
        { b2f, b2i, b2u, NULL } };
    double wide[WEIR_BLOCK], result[WEIR_BLOCK];
    enum weir_dtype from = c->in[0].dtype, to = c->out[0].dtype;
    const void *src = widen(from, in[0], wide, n);
    block_fn *f = convert[computing(from)][computing(to)];
    if (f) {
        f(c, (void *[]) { (void *)(uintptr_t)src }, result, n);
        src = result;
    }
    narrow(to, src, out, n);
}

WEIR_NEST(cast)
{
    const struct weir_nest_call *c = desc;
    run(c, ptr, cast_block);
}
