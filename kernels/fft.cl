// SPDX-License-Identifier: Apache-2.0
// fft of rows of n complex numbers, n a power of two: radix-2 Stockham, decimation in frequency. p0
// data, p1 twiddles w_k = exp(-+2 pi i k / n), p2 result, p3 scratch, which take turns. One
// work-item a row. A pass over sequences of length m at stride s:
//   y[q, 2p] = a + b    y[q, 2p + 1] = (a - b) w_ps    a = x[q, p]  b = x[q, p + m/2]  q < s
#include "opaque_knobs.cl"
#ifndef WEIR_SCALAR_H // standing alone
#define weir_fma_f fma
#endif

kernel void OP_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
                    global float *p2, ulong o2, global float *p3, ulong o3)
{
    const OP_INT t = get_global_id(0), n = OP_N;
    if (t >= OP_ITEMS)
        return;
    global float *out = p2 + o2 + t * n * 2, *x = out, *y = p3 + o3 + t * n * 2, *swap;
    for (OP_INT s = 1; s < n; s *= 2) {
        swap = x;
        x = y;
        y = swap;
    }
    for (OP_INT i = 0; i < 2 * n; i++)
        x[i] = p0[o0 + t * n * 2 + i];
    for (OP_INT s = 1; s < n; s *= 2) {
        const OP_INT half_m = n / s / 2;
        for (OP_INT p = 0; p < half_m; p++)
            for (OP_INT q = 0; q < s; q++) {
                const OP_INT a = 2 * (q + s * p), b = 2 * (q + s * (p + half_m));
                const OP_INT sum = 2 * (q + s * 2 * p), turned = sum + 2 * s;
                const float wre = p1[o1 + 2 * p * s], wim = p1[o1 + 2 * p * s + 1];
                const float re = x[a] - x[b], im = x[a + 1] - x[b + 1];
                y[sum] = x[a] + x[b];
                y[sum + 1] = x[a + 1] + x[b + 1];
                y[turned] = weir_fma_f(re, wre, -(im * wim));
                y[turned + 1] = weir_fma_f(re, wim, im * wre);
            }
        swap = x;
        x = y;
        y = swap;
    }
    for (OP_INT i = 0; OP_INVERSE && i < 2 * n; i++)
        out[i] *= 1.0f / (float)n; // a power of two: exact
}
#include "opaque_end.cl"
