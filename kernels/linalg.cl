// SPDX-License-Identifier: Apache-2.0
// cholesky (OP_KIND 0): p0 a, p1 l. triangular_solve (1): p0 a, p1 b, p2 x. lu (2): p0 a, p1 packed
// factors, p2 pivots. Matrices are n x n, right sides n x m. Every element is (given - sum of
// products by the contraction rule), then divided or rooted. One work-item a matrix, or a column of
// b.
#include "opaque_knobs.cl"
#ifndef WEIR_SCALAR_H // standing alone
#define weir_fma_f fma
#define weir_div_f(a, b) ((a) / (b))
#define weir_sqrt_f sqrt
#endif

static inline float OP_FN(_dot)(global const float *a, OP_INT sa, global const float *b, OP_INT sb,
                                OP_INT n)
{
    float sum = 0;
    for (OP_INT i0 = 0; i0 < n; i0 += 512) {
        const OP_INT end = min(i0 + 512, n);
        float chain = 0;
        for (OP_INT i = i0; i < end; i++)
            chain = weir_fma_f(a[i * sa], b[i * sb], chain);
        sum += chain;
    }
    return sum;
}

#if OP_KIND == 0
kernel void OP_NAME(global const float *p0, ulong o0, global float *p1, ulong o1)
{
    const OP_INT t = get_global_id(0), n = OP_N;
    if (t >= OP_ITEMS)
        return;
    global const float *a = p0 + o0 + t * n * n;
    global float *l = p1 + o1 + t * n * n;
    for (OP_INT i = 0; i < n; i++)
        for (OP_INT j = 0; j < n; j++) {
            if (j > i) {
                l[i * n + j] = 0;
                continue;
            }
            const float rest = a[i * n + j] - OP_FN(_dot)(l + i * n, 1, l + j * n, 1, j);
            l[i * n + j] = i == j ? weir_sqrt_f(rest) : weir_div_f(rest, l[j * n + j]);
        }
}
#elif OP_KIND == 1
kernel void OP_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
                    global float *p2, ulong o2)
{
    const OP_INT t = get_global_id(0), n = OP_N, m = OP_M;
    if (t >= OP_ITEMS)
        return;
    const int forward = OP_LOWER != OP_TRANSPOSE;
    const OP_INT row = OP_TRANSPOSE ? 1 : n, col = OP_TRANSPOSE ? n : 1; // strides of op(a)
    global const float *a = p0 + o0 + t / m * n * n, *rhs = p1 + o1 + t / m * n * m + t % m;
    global float *x = p2 + o2 + t / m * n * m + t % m;
    for (OP_INT s = 0; s < n; s++) {
        const OP_INT i = forward ? s : n - 1 - s, k = forward ? 0 : i + 1;
        const float rest = rhs[i * m] - OP_FN(_dot)(a + i * row + k * col, col, x + k * m, m, s);
        x[i * m] = OP_UNIT ? rest : weir_div_f(rest, a[i * (n + 1)]);
    }
}
#else
kernel void OP_NAME(global const float *p0, ulong o0, global float *p1, ulong o1,
                    global int *p2, ulong o2)
{
    const OP_INT t = get_global_id(0), n = OP_N;
    if (t >= OP_ITEMS)
        return;
    global float *a = p1 + o1 + t * n * n;
    for (OP_INT i = 0; i < n * n; i++)
        a[i] = p0[o0 + t * n * n + i];
    for (OP_INT j = 0; j < n; j++) {
        OP_INT best = j;
        for (OP_INT i = 0; i < n; i++) {
            const float v = a[i * n + j] - OP_FN(_dot)(a + i * n, 1, a + j, n, min(i, j));
            a[i * n + j] = v;
            // greater magnitude, NaN greatest, ties stay: as integers, every NaN being the same
            const uint key = min(as_uint(v) & 0x7fffffffu, 0x7f800001u);
            if (i > j && key > min(as_uint(a[best * n + j]) & 0x7fffffffu, 0x7f800001u))
                best = i;
        }
        p2[o2 + t * n + j] = best;
        for (OP_INT k = 0; best != j && k < n; k++) {
            const float x = a[j * n + k];
            a[j * n + k] = a[best * n + k];
            a[best * n + k] = x;
        }
        const float pivot = a[j * n + j];
        for (OP_INT i = j + 1; i < n && pivot != 0; i++)
            a[i * n + j] = weir_div_f(a[i * n + j], pivot);
    }
}
#endif
#include "opaque_end.cl"
