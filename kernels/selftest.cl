// SPDX-License-Identifier: Apache-2.0
// Arithmetic that exact mode stands on, a plane of results for each operation, for
// device/selftest.c to compare with C.
//
// selftest_arith, selftest_arith16: src holds planes x, y, z of n floats; dst gets 9 planes of n.
// One element a work-item, or a strip of 16 (compilers take vectors by other paths); n is a
// multiple of 16. selftest_convert: src holds n ints; dst gets 3 planes. No local memory.
#pragma OPENCL FP_CONTRACT OFF

#define WEIR_SELFTEST_ARITH(x, y, z, put) \
    put(0, (x) + (y))                     \
    put(1, (x) - (y))                     \
    put(2, (x) * (y))                     \
    put(3, (x) * (y) + (z))               \
    put(4, (z) - (x) * (y))               \
    put(5, rint(x))                       \
    put(6, fma((x), (y), (z)))            \
    put(7, (x) / (y))                     \
    put(8, sqrt(fabs(x)))

kernel void selftest_arith(global const float *src, ulong o_src, global float *dst, ulong o_dst,
                           int n)
{
    ulong i = get_global_id(0), plane = (ulong)n;
    float x = src[o_src + i], y = src[o_src + plane + i], z = src[o_src + 2 * plane + i];
#define WEIR_PUT(p, value) dst[o_dst + p * plane + i] = (value);
    WEIR_SELFTEST_ARITH(x, y, z, WEIR_PUT)
#undef WEIR_PUT
}

kernel void selftest_arith16(global const float *src, ulong o_src, global float *dst, ulong o_dst,
                             int n)
{
    ulong i = get_global_id(0), plane = (ulong)n;
    float16 x = vload16(i, src + o_src);
    float16 y = vload16(i, src + o_src + plane);
    float16 z = vload16(i, src + o_src + 2 * plane);
#define WEIR_PUT(p, value) vstore16((value), i, dst + o_dst + p * plane);
    WEIR_SELFTEST_ARITH(x, y, z, WEIR_PUT)
#undef WEIR_PUT
}

// The bits of int to float, uint to float, and float to int for floats in the range of int; outside
// it, and for NaN, conversion is undefined in C.
kernel void selftest_convert(global const int *src, ulong o_src, global int *dst, ulong o_dst,
                             int n)
{
    ulong i = get_global_id(0), plane = (ulong)n;
    int bits = src[o_src + i];
    float f = as_float(bits);
    dst[o_dst + i] = as_int((float)bits);
    dst[o_dst + plane + i] = as_int((float)as_uint(bits));
    dst[o_dst + 2 * plane + i] = (int)(fabs(f) < 2147483648.0f ? f : 0.0f);
}
