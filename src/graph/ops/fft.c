// SPDX-License-Identifier: Apache-2.0
// fft over the axis before the last, complex numbers being a trailing axis of 2. Lengths that are
// powers of two have a row (radix-2 Stockham); others are a product with the real form of the
// Fourier matrix, (2n, 2n), by the contraction rule. Twiddles are rounded to f32 from base/dmath,
// so they are the same everywhere.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dmath.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

enum { MATRIX_MAX = 4096 }; // 256 MiB of matrix

WEIR_NEST_DECLARE(fft)

// exp(2 pi i k / n) from an angle in [0, pi/4]: symmetric to the last bit.
static void unit_root(int64_t k, int64_t n, double *re, double *im)
{
    int64_t eighth = 8 * (k % n) / n, rest = 8 * (k % n) - eighth * n;
    double t = 0.78539816339744830962 * (double)(eighth % 2 ? n - rest : rest) / (double)n;
    double c = weir_d_cos(t), s = weir_d_sin(t);
    bool swap = eighth == 1 || eighth == 2 || eighth == 5 || eighth == 6;
    *re = (swap ? s : c) * (eighth >= 2 && eighth <= 5 ? -1 : 1);
    *im = (swap ? c : s) * (eighth >= 4 ? -1 : 1);
}

static const char *infer_fft(weir_value *v)
{
    const struct weir_shape *x = &v->arg[0]->type.shape, *w = &v->arg[1]->type.shape;
    int64_t n = x->rank >= 2 ? x->dim[x->rank - 2] : 0;
    v->type = v->arg[0]->type;
    if (n < 2 || (n & (n - 1)) || w->rank != 2 || w->dim[0] != n / 2 || w->dim[1] != 2)
        return "the length is not a power of two";
    return NULL;
}

static weir_value *stockham(weir_value *x, int64_t n, bool inverse)
{
    float *w = malloc((size_t)n * sizeof(*w));
    if (!w)
        return weir_graph_fail(x->graph, "fft: out of memory");
    for (int64_t k = 0; k < n / 2; k++) {
        double re, im;
        unit_root(k, n, &re, &im);
        w[2 * k] = (float)re;
        w[2 * k + 1] = (float)(inverse ? im : -im);
    }
    weir_value *roots = weir_constant(x->graph, WEIR_F32, weir_shape(n / 2, 2), w);
    free(w);
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.fft.inverse = inverse;
    return weir_op_make(NULL, &weir_op_fft, (weir_value *[]){x, roots}, 2, &attrs);
}

// y_k = sum_j x_j e^(-+2 pi i j k / n) as a product of real rows (.., 2n) with a (2n, 2n) matrix.
static weir_value *fourier_matrix(weir_value *x, int64_t n, bool inverse)
{
    float *m = malloc((size_t)(4 * n * n) * sizeof(*m));
    if (!m)
        return weir_graph_fail(x->graph, "fft: out of memory");
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < n; k++) {
            double re, im;
            unit_root(j * k, n, &re, &im);
            im = inverse ? im : -im;
            float *at = m + 4 * n * j + 2 * k; // rows 2j (real part) and 2j + 1 (imaginary part)
            at[0] = at[2 * n + 1] = (float)re;
            at[1] = (float)im;
            at[2 * n] = (float)-im;
        }
    weir_value *matrix = weir_constant(x->graph, WEIR_F32, weir_shape(2 * n, 2 * n), m);
    free(m);
    int64_t rows = weir_shape_size(&x->type.shape) / (2 * n);
    weir_value *y = weir_matmul(weir_reshape(x, weir_shape(rows, 2 * n)), matrix, false, false);
    y = weir_reshape(y, x->type.shape);
    return inverse ? weir_div(y, weir_f32(x->graph, (double)n)) : y;
}

weir_value *weir_fft(weir_value *x, bool inverse)
{
    if (weir_is_poison(x))
        return x;
    const struct weir_shape *s = &x->type.shape;
    if (x->type.dtype != WEIR_F32 || s->rank < 2 || s->dim[s->rank - 1] != 2)
        return weir_graph_fail(x->graph, "fft: the argument must be f32 with a trailing axis of 2");
    int64_t n = s->dim[s->rank - 2];
    if (n < 2)
        return x;
    if ((n & (n - 1)) == 0)
        return stockham(x, n, inverse);
    if (n > MATRIX_MAX)
        return weir_graph_fail(x->graph, "fft: lengths over %d must be powers of two", MATRIX_MAX);
    return fourier_matrix(x, n, inverse);
}

// A work-item a row.
static int64_t items_fft(const weir_value *v)
{
    const struct weir_shape *s = &v->type.shape;
    return weir_shape_size(s) / (2 * s->dim[s->rank - 2]);
}

static size_t scratch_fft(const weir_value *v)
{
    return (size_t)weir_shape_size(&v->type.shape) * sizeof(double);
}

static weir_value *build_fft(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_fft(in[0], c->p[0]);
}

static bool fft_cases(int idx, struct weir_op_case *c)
{
    static const int64_t shapes[][4] = {
        {1, 2, -1}, {2, 2, -1},    {4, 2, -1},    {3, 8, 2, -1}, {256, 2, -1},
        {3, 2, -1}, {2, 5, 2, -1}, {0, 4, 2, -1}, {31, 2, -1},   {3, 64, 2, -1},
    };
    int n = (int)WEIR_COUNT(shapes);
    if (idx >= 2 * n)
        return false;
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, shapes[idx % n]);
    c->p[0] = idx >= n;
    c->build = build_fft;
    snprintf(c->label, sizeof(c->label), "case %d%s", idx % n, idx >= n ? " inverse" : "");
    return true;
}

const struct weir_op weir_op_fft = {
    .name = "fft",
    .desc = "Fourier transform of a power-of-two length, radix-2 Stockham; arguments x, twiddles",
    .arity = 2,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_fft,
    .host = WEIR_NESTS(fft),
    .skeleton = "fft",
    .items = items_fft,
    .scratch = scratch_fft,
    .vjp = weir_vjp_fft,
    .jvp = weir_jvp_fft,
    .cases = fft_cases,
};
