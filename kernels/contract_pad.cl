// SPDX-License-Identifier: Apache-2.0
// Copies an image (any strides) into a dense one with a border of zeros, so that a convolution
// reads its window without a test: dst (N, PAD_OUT0, PAD_OUT1, PAD_OUT2, C) from src (N, PAD_IN0..,
// C), the source's first pixel at PAD_LO0.. of the copy and the next ones PAD_STEP0.. apart, zeros
// between. The source's elements are of type PAD_T, which PAD_LOAD and PAD_LOAD16 read as float.
//
// PAD_FLAT 0: one work-item a row of the copy (wide); global = rows PAD_OUT1, PAD_OUT0, N; local 1.
// PAD_FLAT 1: one work-item an element of a row (grouped); global = PAD_OUT2 C rounded up,
//             PAD_OUT1 PAD_OUT0, N.
#include "vector16.cl"
#include "place.cl"
#ifndef PAD_NAME
#define PAD_NAME contract_pad
#define PAD_FLAT 0
#define PAD_C 1
#define PAD_IN0 1
#define PAD_IN1 1
#define PAD_IN2 1
#define PAD_STEP0 1
#define PAD_STEP1 1
#define PAD_STEP2 1
#define PAD_LO0 0
#define PAD_LO1 0
#define PAD_LO2 0
#define PAD_OUT0 1
#define PAD_OUT1 1
#define PAD_OUT2 1
#define PAD_STRIDE_N 1
#define PAD_STRIDE0 1
#define PAD_STRIDE1 1
#define PAD_STRIDE2 1
#define PAD_STRIDE_C 1
#define PAD_START 0
#define PAD_INT int
#define PAD_T float
#define PAD_LOAD(p) (*(p))
#define PAD_LOAD16(p) WEIR_LOAD16(p)
#endif

#define PAD_INSIDE(i, k) ((i) >= 0 && (i) % PAD_STEP##k == 0 && (i) / PAD_STEP##k < PAD_IN##k)

#if PAD_FLAT
WEIR_KERNEL void PAD_NAME(global const PAD_T *p0, ulong o0, global float *p1, ulong o1 WEIR_PLACE)
{
    const PAD_INT i = WEIR_AT(0), z = WEIR_AT(1), n = WEIR_AT(2);
    if (i >= PAD_OUT2 * PAD_C)
        return;
    const PAD_INT d = z / PAD_OUT1 - PAD_LO0, h = z % PAD_OUT1 - PAD_LO1, w = i / PAD_C - PAD_LO2;
    float x = 0.0f;
    if (PAD_INSIDE(d, 0) && PAD_INSIDE(h, 1) && PAD_INSIDE(w, 2))
        x = PAD_LOAD(p0 + o0 + PAD_START + n * PAD_STRIDE_N + d / PAD_STEP0 * PAD_STRIDE0 +
                     h / PAD_STEP1 * PAD_STRIDE1 + w / PAD_STEP2 * PAD_STRIDE2 +
                     i % PAD_C * PAD_STRIDE_C);
    p1[o1 + (n * (PAD_OUT0 * PAD_OUT1) + z) * (PAD_OUT2 * PAD_C) + i] = x;
}
#else
WEIR_KERNEL_ALONE
void PAD_NAME(global const PAD_T *p0, ulong o0, global float *p1, ulong o1 WEIR_PLACE)
{
    const PAD_INT h = (PAD_INT)WEIR_AT(0) - PAD_LO1, d = (PAD_INT)WEIR_AT(1) - PAD_LO0;
    const PAD_INT n = WEIR_AT(2);
    global float *dst = p1 + o1 +
        ((n * PAD_OUT0 + WEIR_AT(1)) * PAD_OUT1 + WEIR_AT(0)) * (PAD_OUT2 * PAD_C);
    const bool inside = PAD_INSIDE(d, 0) && PAD_INSIDE(h, 1);
    global const PAD_T *src = p0 + o0 + PAD_START + n * PAD_STRIDE_N;
    if (inside)
        src += d / PAD_STEP0 * PAD_STRIDE0 + h / PAD_STEP1 * PAD_STRIDE1;
#if PAD_STEP2 == 1 && PAD_STRIDE_C == 1 && PAD_STRIDE2 == PAD_C
    const int from = PAD_LO2 * PAD_C, to = inside ? from + PAD_IN2 * PAD_C : from;
    int i = 0;
    for (; i < from; i++)
        dst[i] = 0.0f;
    for (; i + 16 <= to; i += 16)
        WEIR_STORE16(dst + i, PAD_LOAD16(src + (i - from)));
    for (; i < to; i++)
        dst[i] = PAD_LOAD(src + (i - from));
    for (; i < PAD_OUT2 * PAD_C; i++)
        dst[i] = 0.0f;
#else
    for (int i = 0; i < PAD_OUT2; i++) {
        const int w = i - PAD_LO2;
        const bool here = inside && PAD_INSIDE(w, 2);
        for (int c = 0; c < PAD_C; c++)
            dst[i * PAD_C + c] =
                here ? PAD_LOAD(src + w / PAD_STEP2 * PAD_STRIDE2 + c * PAD_STRIDE_C) : 0.0f;
    }
#endif
}
#endif
#undef PAD_NAME
#undef PAD_FLAT
#undef PAD_C
#undef PAD_IN0
#undef PAD_IN1
#undef PAD_IN2
#undef PAD_STEP0
#undef PAD_STEP1
#undef PAD_STEP2
#undef PAD_INSIDE
#undef PAD_LO0
#undef PAD_LO1
#undef PAD_LO2
#undef PAD_OUT0
#undef PAD_OUT1
#undef PAD_OUT2
#undef PAD_STRIDE_N
#undef PAD_STRIDE0
#undef PAD_STRIDE1
#undef PAD_STRIDE2
#undef PAD_STRIDE_C
#undef PAD_START
#undef PAD_INT
#undef PAD_T
#undef PAD_LOAD
#undef PAD_LOAD16
