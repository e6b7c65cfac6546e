// SPDX-License-Identifier: Apache-2.0
// Loop nest of fft for lengths that are powers of two: radix-2 Stockham, decimation in frequency.
// With w_k = exp(-+2 pi i k / n) (the second argument), a pass over sequences of length m at stride
// s does
//
//   y[q, 2p] = a + b    y[q, 2p + 1] = (a - b) w_ps    a = x[q, p]  b = x[q, p + m/2]  q < s
//
// (d w).re = fma(d.re, w.re, -(d.im w.im)); (d w).im = fma(d.re, w.im, d.im w.re). The result and
// the scratch take turns; the inverse multiplies by 1/n at the end, which is exact but for
// subnormals.
#include "graph/ops/nest_iter.h"
#include "graph/ops/nest_math.h"

static void fft_pass(const weir_real *x, weir_real *y, const weir_real *w, int64_t m, int64_t s)
{
    for (int64_t p = 0; p < m / 2; p++)
        for (int64_t q = 0; q < s; q++) {
            const weir_real *a = x + 2 * (q + s * p), *b = x + 2 * (q + s * (p + m / 2));
            const weir_real re = a[0] - b[0], im = a[1] - b[1];
            weir_real *sum = y + 2 * (q + s * 2 * p), *turned = sum + 2 * s;
            const weir_real wre = w[2 * p * s], wim = w[2 * p * s + 1];
            sum[0] = a[0] + b[0];
            sum[1] = a[1] + b[1];
            turned[0] = real_fma(re, wre, -(im * wim));
            turned[1] = real_fma(re, wim, im * wre);
        }
}

WEIR_NEST(fft)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *x = &c->in[0];
    const int64_t n = x->dim[x->rank - 2], rows = nest_count(x) / (2 * n);
    int passes = 0;
    while ((int64_t)1 << passes < n)
        passes++;
#pragma omp parallel for num_threads(nest_threads(c, nest_count(x)))
    for (int64_t r = 0; r < rows; r++) {
        weir_real *turn[2] = {(weir_real *)ptr[2] + 2 * n * r, (weir_real *)ptr[3] + 2 * n * r};
        int at = passes % 2; // so that the last pass writes the result
        memcpy(turn[at], (const weir_real *)ptr[0] + 2 * n * r,
               (size_t)(2 * n) * sizeof(weir_real));
        for (int64_t s = 1; s < n; s *= 2, at = !at)
            fft_pass(turn[at], turn[!at], ptr[1], n / s, s);
        for (int64_t i = 0; c->attrs.fft.inverse && i < 2 * n; i++)
            turn[0][i] *= (weir_real)1 / (weir_real)n;
    }
}
