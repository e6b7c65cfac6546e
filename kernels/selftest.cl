// SPDX-License-Identifier: Apache-2.0
// Arithmetic that exact mode stands on, one result a plane, for device/selftest.c to compare with C.
//
// src holds three planes of n floats (x, y, z); dst gets WEIR_SELFTEST_PLANES planes of n floats.
// selftest_arith takes one element a work-item; selftest_arith16 a strip of 16, because compilers
// treat vectors by other paths. n is a multiple of 16. No local memory.
#pragma OPENCL FP_CONTRACT OFF

#define WEIR_SELFTEST_ARITH(T, x, y, z, put)  \
    put(0, (x) + (y))                         \
    put(1, (x) - (y))                         \
    put(2, (x) * (y))                         \
    put(3, (x) * (y) + (z))                   \
    put(4, (z) - (x) * (y))                   \
    put(5, (x) / (y))                         \
    put(6, sqrt(fabs(x)))                     \
    put(7, fma((x), (y), (z)))                \
    put(8, rint(x))

kernel void selftest_arith(global const float *src, ulong o_src, global float *dst, ulong o_dst,
                           int n)
{
    size_t i = get_global_id(0);
    float x = src[o_src + i], y = src[o_src + n + i], z = src[o_src + 2 * (ulong)n + i];
#define WEIR_PUT(plane, value) dst[o_dst + (ulong)plane * (ulong)n + i] = (value);
    WEIR_SELFTEST_ARITH(float, x, y, z, WEIR_PUT)
#undef WEIR_PUT
}

kernel void selftest_arith16(global const float *src, ulong o_src, global float *dst, ulong o_dst,
                             int n)
{
    size_t i = get_global_id(0);
    float16 x = vload16(i, src + o_src), y = vload16(i, src + o_src + n);
    float16 z = vload16(i, src + o_src + 2 * (ulong)n);
#define WEIR_PUT(plane, value) vstore16((value), i, dst + o_dst + (ulong)plane * (ulong)n);
    WEIR_SELFTEST_ARITH(float16, x, y, z, WEIR_PUT)
#undef WEIR_PUT
}

// int -> float, uint -> float, and float -> int inside the range of int (outside it is undefined).
kernel void selftest_convert(global const int *src, ulong o_src, global float *dst, ulong o_dst,
                             int n)
{
    size_t i = get_global_id(0);
    int v = src[o_src + i];
    float f = clamp(as_float(v), -2147483520.0f, 2147483520.0f);
    dst[o_dst + i] = (float)v;
    dst[o_dst + n + i] = (float)(uint)v;
    dst[o_dst + 2 * (ulong)n + i] = as_float((int)(isnan(f) ? 0.0f : f));
}
