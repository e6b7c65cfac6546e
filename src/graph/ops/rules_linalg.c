// SPDX-License-Identifier: Apache-2.0
// Derivatives of Cholesky, triangular solve, LU and fft, batched over leading axes. Φ below halves
// the diagonal of a lower triangle.
#include "graph/diff.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

static weir_value *transposed(weir_value *x)
{
    return weir_transpose(x, -1, -2);
}

static weir_value *index_along(weir_value *x, int axis)
{
    const struct weir_shape *s = &x->type.shape;
    return weir_iota(x->graph, WEIR_I32, weir_shape(s->dim[s->rank - 2], s->dim[s->rank - 1]),
                     axis);
}

// x with everything but a triangle set to 0.
static weir_value *triangle(weir_value *x, bool lower, bool strict)
{
    weir_value *a = index_along(x, lower ? 0 : 1), *b = index_along(x, lower ? 1 : 0);
    return weir_select(strict ? weir_gt(a, b) : weir_ge(a, b), x, weir_f32(x->graph, 0.0));
}

// The lower triangle with half the diagonal.
static weir_value *phi(weir_value *x)
{
    weir_value *on_diagonal = weir_eq(index_along(x, 0), index_along(x, 1));
    return weir_select(on_diagonal, weir_mul_c(x, 0.5), triangle(x, true, true));
}

// The operation reads the lower triangle only, and so says its gradient: with S = L^-T Φ(Lᵀ dL)
// L^-1, dA = Φ(S + Sᵀ).
void weir_vjp_cholesky(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *p = phi(weir_matmul(v, dy[0], true, false));
    weir_value *half = weir_triangular_solve(v, p, true, true, false);
    weir_value *s = weir_triangular_solve(v, transposed(half), true, true, false);
    dx[0] = phi(weir_add(s, transposed(s)));
}

// dL = L Φ(L^-1 dA L^-T), dA being the symmetric matrix of the lower triangle.
void weir_jvp_cholesky(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *half = phi(dx[0]);
    weir_value *da = weir_add(half, transposed(half));
    weir_value *left = weir_triangular_solve(v, da, true, false, false);
    weir_value *m = weir_triangular_solve(v, transposed(left), true, false, false);
    dy[0] = weir_matmul(v, phi(m), false, false);
}

// op(T) x = b: db = op(T)^-T dx, dT = -db xᵀ (or its transpose), in the triangle that is read.
void weir_vjp_triangular_solve(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    bool lower = v->attrs.solve.lower, transpose = v->attrs.solve.transpose,
         unit = v->attrs.solve.unit;
    weir_value *db = weir_triangular_solve(v->arg[0], dy[0], lower, !transpose, unit);
    weir_value *outer =
        transpose ? weir_matmul(v, db, false, true) : weir_matmul(db, v, false, true);
    dx[0] = triangle(weir_neg(outer), lower, unit);
    dx[1] = db;
}

void weir_jvp_triangular_solve(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    bool lower = v->attrs.solve.lower, transpose = v->attrs.solve.transpose,
         unit = v->attrs.solve.unit;
    weir_value *b = dx[1];
    if (dx[0]) {
        weir_value *moved = weir_matmul(triangle(dx[0], lower, unit), v, transpose, false);
        b = b ? weir_sub(b, moved) : weir_neg(moved);
    }
    dy[0] = weir_triangular_solve(v->arg[0], b, lower, transpose, unit);
}

// The row of A that became row i, as i32 (.., n): the swaps of the pivots applied to 0, 1, 2, ..
static weir_value *row_order(weir_value *pivots)
{
    weir_graph *g = pivots->graph;
    int64_t n = weir_dim(pivots, -1);
    weir_value *zero = weir_i32(g, 0), *here = weir_iota(g, WEIR_I32, pivots->type.shape, -1);
    weir_value *order = here;
    for (int64_t k = 0; k < n; k++) {
        weir_value *with = weir_slice(pivots, -1, k, k + 1, 1);
        weir_value *is_other = weir_eq(here, with);
        weir_value *mine = weir_slice(order, -1, k, k + 1, 1);
        weir_value *other = weir_sum(weir_select(is_other, order, zero), weir_axes(-1), true);
        order = weir_select(weir_eq(here, weir_i32(g, (int32_t)k)), other,
                            weir_select(is_other, mine, order));
    }
    return order;
}

// Row i of a matrix of `like`'s shape is row idx[.., i, :] of another.
static weir_value *row_index(weir_value *v, const weir_value *like)
{
    weir_value *order = row_order(weir_part(v, 1));
    struct weir_shape shape = order->type.shape;
    shape.dim[shape.rank++] = 1;
    return weir_broadcast(weir_reshape(order, shape), like->type.shape);
}

static weir_value *unit_lower(weir_value *lu)
{
    weir_value *on_diagonal = weir_eq(index_along(lu, 0), index_along(lu, 1));
    return weir_select(on_diagonal, weir_f32(lu->graph, 1.0), triangle(lu, true, true));
}

// P A = L U, packed. dA = Pᵀ L^-T (stril(Lᵀ dL) + triu(dU Uᵀ)) U^-T
void weir_vjp_lu(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    if (!dy[0])
        return;
    weir_value *lu = weir_part(v, 0), *l = unit_lower(lu), *u = triangle(lu, false, false);
    weir_value *dl = triangle(dy[0], true, true), *du = triangle(dy[0], false, false);
    weir_value *inner = weir_add(triangle(weir_matmul(l, dl, true, false), true, true),
                                 triangle(weir_matmul(du, u, false, true), false, false));
    weir_value *left = weir_triangular_solve(lu, inner, true, true, true);
    weir_value *rows = weir_triangular_solve(lu, transposed(left), false, false, false);
    weir_value *zeros = weir_zeros(v->graph, lu->type.shape);
    dx[0] =
        weir_scatter_add_along(zeros, row_index(v, lu), transposed(rows), lu->type.shape.rank - 2);
}

// With M = L^-1 P dA U^-1: dL = L stril(M), dU = triu(M) U.
void weir_jvp_lu(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *lu = weir_part(v, 0), *l = unit_lower(lu), *u = triangle(lu, false, false);
    weir_value *moved = weir_take_along(dx[0], row_index(v, lu), lu->type.shape.rank - 2);
    weir_value *left = weir_triangular_solve(lu, moved, true, false, true);
    weir_value *m = transposed(weir_triangular_solve(lu, transposed(left), false, true, false));
    dy[0] = weir_add(weir_matmul(l, triangle(m, true, true), false, false),
                     weir_matmul(triangle(m, false, false), u, false, false));
}

// The complex conjugate of x (.., 2).
static weir_value *conjugate(weir_value *x)
{
    static const float signs[] = {1.0f, -1.0f};
    return weir_mul(x, weir_constant(x->graph, WEIR_F32, weir_shape(2), signs));
}

// The DFT matrix F is symmetric, so its adjoint is conj(F): dx = conj(F conj(dy)), with the 1/n of
// the inverse where it was.
void weir_vjp_fft(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = conjugate(weir_fft(conjugate(dy[0]), v->attrs.fft.inverse));
}

void weir_jvp_fft(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_fft(dx[0], v->attrs.fft.inverse);
}
