// SPDX-License-Identifier: Apache-2.0
// Loop nests of linear algebra. Every element is (given - sum of products by the contraction rule),
// then divided or rooted; the sums run over k in rising order (docs/numerics.md).
#include "graph/ops/nest_iter.h"
#include "graph/ops/nest_math.h"

static int64_t matrices(const struct weir_nd *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->rank - 2; i++)
        n *= a->dim[i];
    return n;
}

// a = l lᵀ. Reads the lower triangle of a. l_ij = (a_ij - sum_k<j l_ik l_jk) / l_jj.
WEIR_NEST(cholesky)
{
    const struct weir_nest_call *c = desc;
    const int64_t n = c->in[0].dim[c->in[0].rank - 1], batch = matrices(&c->in[0]);
#pragma omp parallel for num_threads(nest_threads(c, nest_count(&c->in[0])))
    for (int64_t t = 0; t < batch; t++) {
        const weir_real *a = (const weir_real *)ptr[0] + t * n * n;
        weir_real *l = (weir_real *)ptr[1] + t * n * n;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                if (j > i) {
                    l[i * n + j] = 0;
                    continue;
                }
                weir_real rest = a[i * n + j] - real_dot(l + i * n, 1, l + j * n, 1, j);
                l[i * n + j] = i == j ? real_sqrt(rest) : rest / l[j * n + j];
            }
    }
}

// op(a) x = b with op(a) lower (forward) or upper (backward), a column of b at a time.
WEIR_NEST(triangular_solve)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *b = &c->in[1];
    const int64_t n = b->dim[b->rank - 2], m = b->dim[b->rank - 1], batch = matrices(b);
    const bool transpose = c->attrs.solve.transpose, forward = c->attrs.solve.lower != transpose;
    const int64_t row = transpose ? 1 : n, col = transpose ? n : 1; // strides of op(a)
#pragma omp parallel for num_threads(nest_threads(c, nest_count(b)))
    for (int64_t t = 0; t < batch * m; t++) {
        const weir_real *a = (const weir_real *)ptr[0] + t / m * n * n;
        const weir_real *rhs = (const weir_real *)ptr[1] + t / m * n * m + t % m;
        weir_real *x = (weir_real *)ptr[2] + t / m * n * m + t % m;
        for (int64_t s = 0; s < n; s++) {
            int64_t i = forward ? s : n - 1 - s, k = forward ? 0 : i + 1;
            weir_real rest = rhs[i * m] - real_dot(a + i * row + k * col, col, x + k * m, m, s);
            x[i * m] = c->attrs.solve.unit ? rest : rest / a[i * (n + 1)];
        }
    }
}

// A candidate takes the pivot from the best so far: greater magnitude, NaN greatest, ties stay.
static bool better_pivot(weir_real v, weir_real best)
{
    return v != v ? best == best : (v < 0 ? -v : v) > (best < 0 ? -best : best);
}

static void swap_rows(weir_real *a, int64_t n, int64_t i, int64_t j)
{
    for (int64_t k = 0; i != j && k < n; k++) {
        weir_real x = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = x;
    }
}

// Column j of the factors: u_ij = a_ij - sum_k<i l_ik u_kj, then below the diagonal v_ij likewise
// over k < j, the pivot among them, and l_ij = v_ij / u_jj (v_ij where the pivot is 0).
static void lu_column(weir_real *a, int64_t n, int64_t j, int32_t *pivot)
{
    int64_t best = j;
    for (int64_t i = 0; i < n; i++) {
        a[i * n + j] -= real_dot(a + i * n, 1, a + j, n, i < j ? i : j);
        if (i > j && better_pivot(a[i * n + j], a[best * n + j]))
            best = i;
    }
    *pivot = (int32_t)best;
    swap_rows(a, n, j, best);
    for (int64_t i = j + 1; i < n && a[j * n + j] != 0; i++)
        a[i * n + j] /= a[j * n + j];
}

// Packed L\U of the matrix with rows swapped; pivots[k] = the row that row k was swapped with.
WEIR_NEST(lu)
{
    const struct weir_nest_call *c = desc;
    const int64_t n = c->in[0].dim[c->in[0].rank - 1], batch = matrices(&c->in[0]);
#pragma omp parallel for num_threads(nest_threads(c, nest_count(&c->in[0])))
    for (int64_t t = 0; t < batch; t++) {
        weir_real *a = (weir_real *)ptr[1] + t * n * n;
        memcpy(a, (const weir_real *)ptr[0] + t * n * n, (size_t)(n * n) * sizeof(*a));
        for (int64_t j = 0; j < n; j++)
            lu_column(a, n, j, (int32_t *)ptr[2] + t * n + j);
    }
}
