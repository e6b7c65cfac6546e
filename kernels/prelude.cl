// SPDX-License-Identifier: Apache-2.0
// What every program begins with: the maths of scalar.h and loads and stores of one and of sixteen
// elements of each type. In registers f16 and bf16 are float, i8 is int, a bool is an int of 0 and 1
// (lanes: 0 and -1).
#include "scalar.h"
#include "vector16.cl"
#include "place.cl"

#ifdef WEIR_NO_VECTOR_DEREF
#define WEIR_LOADI16(p) vload16(0, (p))
#define WEIR_LOADU16(p) vload16(0, (p))
#define WEIR_STOREI16(p, x) vstore16((x), 0, (p))
#define WEIR_STOREU16(p, x) vstore16((x), 0, (p))
#else
typedef int16 weir_i16u __attribute__((aligned(4)));
typedef uint16 weir_u16u __attribute__((aligned(4)));
#define WEIR_LOADI16(p) (*(global const weir_i16u *)(p))
#define WEIR_LOADU16(p) (*(global const weir_u16u *)(p))
#define WEIR_STOREI16(p, x) (*(global weir_i16u *)(p) = (x))
#define WEIR_STOREU16(p, x) (*(global weir_u16u *)(p) = (x))
#endif

#define weir_ld_f32(p) (*(p))
#define weir_ld_i32(p) (*(p))
#define weir_ld_u32(p) (*(p))
#define weir_ld_bool(p) weir_load_bool(*(p))
#define weir_ld_f16(p) weir_f16_to_f32(*(p))
#define weir_ld_bf16(p) weir_bf16_to_f32(*(p))
#define weir_ld_i8(p) weir_i8_to_i32(*(p))

#define weir_ldv_f32(p) WEIR_LOAD16(p)
#define weir_ldv_i32(p) WEIR_LOADI16(p)
#define weir_ldv_u32(p) WEIR_LOADU16(p)
#define weir_ldv_bool(p) weir_load_boolv(vload16(0, (p)))
#define weir_ldv_f16(p) weir_f16_to_f32v(vload16(0, (p)))
#define weir_ldv_bf16(p) weir_bf16_to_f32v(vload16(0, (p)))
#define weir_ldv_i8(p) weir_i8_to_i32v(vload16(0, (p)))

#define weir_st_f32(p, x) (*(p) = (x))
#define weir_st_i32(p, x) (*(p) = (x))
#define weir_st_u32(p, x) (*(p) = (x))
#define weir_st_bool(p, x) (*(p) = weir_store_bool(x))
#define weir_st_f16(p, x) (*(p) = weir_f32_to_f16(x))
#define weir_st_bf16(p, x) (*(p) = weir_f32_to_bf16(x))
#define weir_st_i8(p, x) (*(p) = weir_i32_to_i8(x))

#define weir_stv_f32(p, x) WEIR_STORE16(p, x)
#define weir_stv_i32(p, x) WEIR_STOREI16(p, x)
#define weir_stv_u32(p, x) WEIR_STOREU16(p, x)
#define weir_stv_bool(p, x) vstore16(weir_store_boolv(x), 0, (p))
#define weir_stv_f16(p, x) vstore16(weir_f32_to_f16v(x), 0, (p))
#define weir_stv_bf16(p, x) vstore16(weir_f32_to_bf16v(x), 0, (p))
#define weir_stv_i8(p, x) vstore16(weir_i32_to_i8v(x), 0, (p))

// Four elements at an aligned address.
#define WEIR_WIDEN4(widen, h) (float4)(widen((h).s0), widen((h).s1), widen((h).s2), widen((h).s3))
#define weir_ld4_f16(p) WEIR_WIDEN4(weir_f16_to_f32, *(global const ushort4 *)(p))
#define weir_ld4_bf16(p) WEIR_WIDEN4(weir_bf16_to_f32, *(global const ushort4 *)(p))

// Sixteen elements s apart.
#define WEIR_GATHER16(V, p, s)                                                                   \
    (V)((p)[0], (p)[(s)], (p)[2 * (s)], (p)[3 * (s)], (p)[4 * (s)], (p)[5 * (s)], (p)[6 * (s)],  \
        (p)[7 * (s)], (p)[8 * (s)], (p)[9 * (s)], (p)[10 * (s)], (p)[11 * (s)], (p)[12 * (s)],   \
        (p)[13 * (s)], (p)[14 * (s)], (p)[15 * (s)])
#define weir_ldg_f32(p, s) WEIR_GATHER16(float16, p, s)
#define weir_ldg_i32(p, s) WEIR_GATHER16(int16, p, s)
#define weir_ldg_u32(p, s) WEIR_GATHER16(uint16, p, s)
#define weir_ldg_bool(p, s) weir_load_boolv(WEIR_GATHER16(uchar16, p, s))
#define weir_ldg_f16(p, s) weir_f16_to_f32v(WEIR_GATHER16(ushort16, p, s))
#define weir_ldg_bf16(p, s) weir_bf16_to_f32v(WEIR_GATHER16(ushort16, p, s))
#define weir_ldg_i8(p, s) weir_i8_to_i32v(WEIR_GATHER16(char16, p, s))

#define WEIR_LANES ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

// The order of argmax as ints: -0 below +0, every NaN on top.
static inline int weir_order_f(float x)
{
    const int i = as_int(x);
    return x != x ? 0x7fffffff : (i < 0 ? i ^ 0x7fffffff : i);
}

static inline int weir_order_i(int x)
{
    return x;
}

static inline int weir_order_u(uint x)
{
    return as_int(x ^ 0x80000000u);
}

// 64 lanes of a row, as vectors and one by one; the fold is the tree 32, 16, .. 1.
typedef union {
    float16 v[4];
    float s[64];
} weir_lanes_f;

typedef union {
    int16 v[4];
    int s[64];
} weir_lanes_i;

typedef union {
    uint16 v[4];
    uint s[64];
} weir_lanes_u;

#ifndef WEIR_UPPER8
#define WEIR_UPPER8(a) (a).hi
#endif
static inline float weir_fold_add_f(const float16 *v)
{
    const float16 a = (v[0] + v[2]) + (v[1] + v[3]);
    const float8 b = a.lo + WEIR_UPPER8(a);
    const float4 c = b.lo + b.hi;
    const float2 d = c.lo + c.hi;
    return d.lo + d.hi;
}

#define WEIR_FOLD(name, letter, V, T)                                                            \
    static inline T weir_fold_##name##_##letter(const V *v)                                      \
    {                                                                                            \
        union {                                                                                  \
            V v;                                                                                 \
            T s[16];                                                                             \
        } a;                                                                                     \
        a.v = weir_##name##_##letter##v(weir_##name##_##letter##v(v[0], v[2]),                   \
                                        weir_##name##_##letter##v(v[1], v[3]));                  \
        for (int apart = 8; apart > 0; apart /= 2)                                               \
            for (int l = 0; l < apart; l++)                                                      \
                a.s[l] = weir_##name##_##letter(a.s[l], a.s[l + apart]);                         \
        return a.s[0];                                                                           \
    }
WEIR_FOLD(add, i, int16, int)
WEIR_FOLD(add, u, uint16, uint)
WEIR_FOLD(max, f, float16, float)
WEIR_FOLD(max, i, int16, int)
WEIR_FOLD(max, u, uint16, uint)
WEIR_FOLD(min, f, float16, float)
WEIR_FOLD(min, i, int16, int)
WEIR_FOLD(min, u, uint16, uint)

// At most 64 terms of a row: the same tree, without the lanes that nothing went to.
#define WEIR_FOLD_RUN(name, letter, T)                                                           \
    static inline T weir_fold_run_##name##_##letter(const T *x, int n, T none)                   \
    {                                                                                            \
        T lane[64];                                                                              \
        int width = 1;                                                                           \
        while (width < n)                                                                        \
            width *= 2;                                                                          \
        for (int l = 0; l < width; l++)                                                          \
            lane[l] = l < n ? x[l] : none;                                                       \
        for (int apart = width / 2; apart > 0; apart /= 2)                                       \
            for (int l = 0; l < apart; l++)                                                      \
                lane[l] = weir_##name##_##letter(lane[l], lane[l + apart]);                      \
        return lane[0];                                                                          \
    }
WEIR_FOLD_RUN(add, f, float)
WEIR_FOLD_RUN(add, i, int)
WEIR_FOLD_RUN(add, u, uint)
WEIR_FOLD_RUN(max, f, float)
WEIR_FOLD_RUN(max, i, int)
WEIR_FOLD_RUN(max, u, uint)
WEIR_FOLD_RUN(min, f, float)
WEIR_FOLD_RUN(min, i, int)
WEIR_FOLD_RUN(min, u, uint)
