// SPDX-License-Identifier: Apache-2.0
// Rows of linear algebra, batched over leading axes: Cholesky, triangular solve, LU with partial
// pivoting. Each element is a contraction, then a division or root (docs/numerics.md).
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(cholesky)
WEIR_NEST_DECLARE(triangular_solve)
WEIR_NEST_DECLARE(lu)

static const char *check_square(const struct weir_type *a)
{
    int rank = a->shape.rank;
    if (a->dtype != WEIR_F32)
        return "the matrices must be f32";
    if (rank < 2 || a->shape.dim[rank - 1] != a->shape.dim[rank - 2])
        return "the matrices must be square";
    return NULL;
}

static const char *infer_cholesky(weir_value *v)
{
    v->type = v->arg[0]->type;
    return check_square(&v->type);
}

static const char *infer_triangular_solve(weir_value *v)
{
    const struct weir_type *a = &v->arg[0]->type, *b = &v->arg[1]->type;
    const char *why = check_square(a);
    if (why)
        return why;
    int rank = a->shape.rank;
    if (b->dtype != WEIR_F32 || b->shape.rank != rank)
        return "the right side must be f32 with as many axes as the matrices";
    for (int i = 0; i < rank - 1; i++)
        if (a->shape.dim[i] != b->shape.dim[i])
            return "the right side does not fit the matrices";
    v->type = *b;
    return NULL;
}

static const char *infer_lu(weir_value *v)
{
    const char *why = check_square(&v->arg[0]->type);
    if (why)
        return why;
    v->parts = weir_arena_array(v->graph->arena, 2, sizeof(*v->parts));
    if (!v->parts)
        return "out of memory";
    v->n_parts = 2;
    v->type = v->parts[0] = v->parts[1] = v->arg[0]->type;
    v->parts[1].dtype = WEIR_I32;
    v->parts[1].shape.dim[--v->parts[1].shape.rank] = 0;
    return NULL;
}

weir_value *weir_cholesky(weir_value *a)
{
    return weir_op_make(NULL, &weir_op_cholesky, &a, 1, NULL);
}

weir_value *weir_triangular_solve(weir_value *a, weir_value *b, bool lower, bool transpose,
                                  bool unit)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.solve.lower = lower;
    attrs.solve.transpose = transpose;
    attrs.solve.unit = unit;
    return weir_op_make(NULL, &weir_op_triangular_solve, (weir_value *[]){a, b}, 2, &attrs);
}

weir_value *weir_lu(weir_value *a, weir_value **pivots)
{
    weir_value *lu = weir_op_make(NULL, &weir_op_lu, &a, 1, NULL);
    if (pivots)
        *pivots = weir_is_poison(lu) ? lu : weir_part(lu, 1);
    return weir_is_poison(lu) ? lu : weir_part(lu, 0);
}

// The diagonal of (.., n, n) as (.., n): a view.
static weir_value *diagonal(weir_value *a)
{
    struct weir_shape s = a->type.shape;
    int64_t n = s.dim[s.rank - 1];
    s.dim[--s.rank] = 0;
    s.dim[s.rank - 1] = n * n;
    return weir_slice(weir_reshape(a, s), -1, 0, INT64_MAX, n + 1);
}

weir_value *weir_log_det(weir_value *a, weir_value **sign)
{
    weir_value *pivots, *lu = weir_lu(a, &pivots);
    if (weir_is_poison(lu)) {
        if (sign)
            *sign = lu;
        return lu;
    }
    weir_graph *g = lu->graph;
    weir_value *d = diagonal(lu);
    if (sign) { // negative entries and rows that moved, counted mod 2; 0 where an entry is 0
        weir_value *zero = weir_f32(g, 0), *one = weir_i32(g, 1);
        weir_value *here = weir_iota(g, WEIR_I32, pivots->type.shape, -1);
        weir_value *flips = weir_add(weir_cast(weir_lt(d, zero), WEIR_I32),
                                     weir_cast(weir_ne(pivots, here), WEIR_I32));
        weir_value *odd = weir_cast(weir_and(weir_sum(flips, weir_axes(-1), false), one), WEIR_F32);
        weir_value *singular = weir_any(weir_eq(d, zero), weir_axes(-1), false);
        *sign = weir_select(singular, zero, weir_add_c(weir_mul_c(odd, -2), 1));
    }
    return weir_sum(weir_log(weir_abs(d)), weir_axes(-1), false);
}

// --- kernels: a work-item a matrix, or a column of the right side ---

static int64_t items_matrices(const weir_value *v)
{
    int64_t n = 1;
    for (int a = 0; a < v->type.shape.rank - 2; a++)
        n *= v->type.shape.dim[a];
    return n;
}

static int64_t items_columns(const weir_value *v)
{
    return items_matrices(v) * v->type.shape.dim[v->type.shape.rank - 1];
}

// --- cases: well-conditioned matrices are made from the inputs ---

// x xᵀ / n + 1 on the diagonal.
static weir_value *eye(weir_graph *g, int64_t n)
{
    weir_value *row = weir_iota(g, WEIR_I32, weir_shape(n, n), 0);
    weir_value *col = weir_iota(g, WEIR_I32, weir_shape(n, n), 1);
    return weir_cast(weir_eq(row, col), WEIR_F32);
}

static weir_value *positive(weir_value *x)
{
    int64_t n = weir_dim(x, -1);
    weir_value *a = weir_mul_c(weir_matmul(x, x, false, true), n > 0 ? 1.0 / (double)n : 1);
    return weir_add(a, eye(weir_value_graph(x), n));
}

static weir_value *build_cholesky(weir_graph *g, weir_value *const *in,
                                  const struct weir_op_case *c)
{
    return weir_cholesky(c->p[3] ? in[0] : positive(in[0]));
}

static weir_value *build_solve(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    int64_t n = weir_dim(in[0], -1);
    weir_value *a = weir_mul_c(in[0], 0.25);
    a = c->p[3] ? in[0] : weir_add(a, weir_mul_c(eye(g, n), 2));
    return weir_triangular_solve(a, in[1], c->p[0], c->p[1], c->p[2]);
}

static weir_value *build_lu(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *pivots, *lu = weir_lu(in[0], &pivots);
    return c->p[1] ? pivots : lu;
}

static const struct matrix_case {
    int64_t a[4];
    enum weir_fill fill;
} matrix_rows[] = {
    {{1, 1, -1}, WEIR_FILL_NORMAL},    {{2, 2, -1}, WEIR_FILL_NORMAL},
    {{7, 7, -1}, WEIR_FILL_NORMAL},    {{3, 5, 5, -1}, WEIR_FILL_NORMAL},
    {{17, 17, -1}, WEIR_FILL_NORMAL},  {{0, 3, 3, -1}, WEIR_FILL_NORMAL},
    {{2, 0, 0, -1}, WEIR_FILL_NORMAL}, {{4, 6, 6, -1}, WEIR_FILL_EXTREME},
    {{6, 6, -1}, WEIR_FILL_INTS}, // ties between pivots
};

static bool matrix_case(int idx, struct weir_op_case *c, bool second)
{
    const struct matrix_case *r = &matrix_rows[idx];
    weir_case_input(c, WEIR_F32, r->fill, r->a);
    c->p[1] = second;
    c->p[3] = r->fill == WEIR_FILL_EXTREME;
    c->no_grad = r->fill != WEIR_FILL_NORMAL || second;
    snprintf(c->label, sizeof(c->label), "case %d%s", idx, second ? " pivots" : "");
    return true;
}

static bool cholesky_cases(int idx, struct weir_op_case *c)
{
    c->build = build_cholesky;
    return idx < (int)WEIR_COUNT(matrix_rows) && matrix_case(idx, c, false);
}

static bool lu_cases(int idx, struct weir_op_case *c)
{
    int n = (int)WEIR_COUNT(matrix_rows);
    c->build = build_lu;
    return idx < 2 * n && matrix_case(idx % n, c, idx >= n);
}

static bool triangular_solve_cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int64_t a[4], b[4];
        enum weir_fill fill;
    } rows[] = {
        {{1, 1, -1}, {1, 1, -1}, WEIR_FILL_NORMAL},
        {{5, 5, -1}, {5, 3, -1}, WEIR_FILL_NORMAL},
        {{2, 7, 7, -1}, {2, 7, 1, -1}, WEIR_FILL_NORMAL},
        {{19, 19, -1}, {19, 17, -1}, WEIR_FILL_NORMAL},
        {{3, 3, -1}, {3, 0, -1}, WEIR_FILL_NORMAL},
        {{0, 0, -1}, {0, 2, -1}, WEIR_FILL_NORMAL},
        {{4, 4, -1}, {4, 9, -1}, WEIR_FILL_EXTREME},
    };
    if (idx >= 8 * (int)WEIR_COUNT(rows)) // every row in every combination of the three flags
        return false;
    weir_case_input(c, WEIR_F32, rows[idx / 8].fill, rows[idx / 8].a);
    weir_case_input(c, WEIR_F32, rows[idx / 8].fill, rows[idx / 8].b);
    for (int bit = 0; bit < 3; bit++)
        c->p[bit] = idx >> bit & 1;
    c->p[3] = c->no_grad = rows[idx / 8].fill == WEIR_FILL_EXTREME;
    c->build = build_solve;
    snprintf(c->label, sizeof(c->label), "case %d%s%s%s", idx / 8, c->p[0] ? " lower" : " upper",
             c->p[1] ? " transposed" : "", c->p[2] ? " unit" : "");
    return true;
}

const struct weir_op weir_op_cholesky = {
    .name = "cholesky",
    .desc = "lower l with l times its transpose = a; reads a's lower triangle",
    .arity = 1,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_cholesky,
    .host = WEIR_NESTS(cholesky),
    .skeleton = "linalg",
    .items = items_matrices,
    .vjp = weir_vjp_cholesky,
    .jvp = weir_jvp_cholesky,
    .cases = cholesky_cases,
};

const struct weir_op weir_op_triangular_solve = {
    .name = "triangular_solve",
    .desc = "x with op(a) x = b",
    .arity = 2,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_triangular_solve,
    .host = WEIR_NESTS(triangular_solve),
    .skeleton = "linalg",
    .items = items_columns,
    .vjp = weir_vjp_triangular_solve,
    .jvp = weir_jvp_triangular_solve,
    .cases = triangular_solve_cases,
};

const struct weir_op weir_op_lu = {
    .name = "lu",
    .desc = "packed L and U of a with rows swapped, and the swaps",
    .arity = 1,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_lu,
    .host = WEIR_NESTS(lu),
    .skeleton = "linalg",
    .items = items_matrices,
    .vjp = weir_vjp_lu,
    .jvp = weir_jvp_lu,
    .cases = lu_cases,
};
