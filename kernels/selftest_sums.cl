// SPDX-License-Identifier: Apache-2.0
// Sums of floats in loops, in the shapes that kernels have them, for device/selftest_sums.c to
// compare with C: a compiler must add in the order of the text, vectorizing or not.
//
// src: planes x, y of `plane` floats, each SUM_ITEMS x SUM_ROWS rows of `terms` floats. dst:
// (SUM_FORMS, SUM_ITEMS, SUM_ROWS). One work-item takes SUM_ROWS rows. terms is SUM_TERMS, but
// compilers know it in some loops only.
#pragma OPENCL FP_CONTRACT OFF
#include "loops.h"
#define SUM_ROWS 12
#define SUM_TERMS 67
#ifndef SUM_ADD // a test puts a wrong one in its place
#define SUM_ADD(a, b) ((a) + (b))
#endif

kernel void selftest_sums(global const float *src, ulong o_src, global float *dst, ulong o_dst,
                          int plane, int terms)
{
    const int item = get_global_id(0), forms = get_global_size(0) * SUM_ROWS;
    global const float *x = src + o_src + item * SUM_ROWS * terms, *y = x + plane;
    dst += o_dst + item * SUM_ROWS;

    // 0: neighbours, their number unknown.
    for (int r = 0; r < SUM_ROWS; r++) {
        float sum = -0.0f;
        for (int t = 0; t < terms; t++)
            sum = SUM_ADD(sum, x[r * SUM_TERMS + t]);
        dst[r] = sum;
    }
    dst += forms;

    // 1: several sums side by side, all extents known.
    float sums[16];
    for (int r = 0; r < SUM_ROWS; r++)
        sums[r] = -0.0f;
    for (int t = 0; t < SUM_TERMS; t++)
        for (int r = 0; r < SUM_ROWS; r++)
            sums[r] = SUM_ADD(sums[r], x[r * SUM_TERMS + t]);
    for (int r = 0; r < SUM_ROWS; r++)
        dst[r] = sums[r];
    dst += forms;

    // 2: products.
    for (int r = 0; r < SUM_ROWS; r++) {
        float sum = -0.0f;
        for (int t = 0; t < terms; t++)
            sum = SUM_ADD(sum, x[r * terms + t] * y[r * terms + t]);
        dst[r] = sum;
    }
    dst += forms;

    // 3: a chain of fma.
    for (int r = 0; r < SUM_ROWS; r++) {
        float sum = -0.0f;
        for (int t = 0; t < terms; t++)
            sum = fma(x[r * terms + t], y[r * terms + t], sum);
        dst[r] = sum;
    }
    dst += forms;

    // 4: from a stride, without a counted loop.
    for (int r = 0; r < SUM_ROWS; r++) {
        float sum = -0.0f;
        int t = 0;
        while (t < terms) {
            sum = SUM_ADD(sum, x[t * SUM_ROWS + r]);
            t++;
        }
        dst[r] = sum;
    }
    dst += forms;

    // 5: lanes of a vector.
    float16 lanes = (float16)(-0.0f);
    for (int t = 0; t < terms; t++)
        lanes = SUM_ADD(lanes, vload16(0, x + t * SUM_ROWS));
    vstore8(lanes.lo, 0, dst);
    vstore4(lanes.s89ab, 0, dst + 8);
}
