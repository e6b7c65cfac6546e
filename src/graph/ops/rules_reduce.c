// SPDX-License-Identifier: Apache-2.0
// Derivatives of the reductions, scans and sorts.
#include "graph/diff.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

void weir_vjp_sum(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_broadcast(dy[0], v->arg[0]->type.shape);
}

void weir_jvp_sum(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_sum(dx[0], weir_axes_of(v->attrs.reduce.axes), true);
}

// True at the element that a max or min took: the first one of a tie, in row-major order of the
// reduced axes. NaN wins, so the first NaN is it where there is one.
static weir_value *taken(weir_value *v)
{
    weir_value *x = v->arg[0];
    const struct weir_shape *shape = &x->type.shape;
    struct weir_axes axes = weir_axes_of(v->attrs.reduce.axes);
    if (axes.n == 1 && weir_shape_size(shape) > 0) {
        int axis = axes.axis[0];
        bool max = v->op == &weir_op_reduce_max;
        weir_value *at = max ? weir_argmax(x, axis, true) : weir_argmin(x, axis, true);
        return weir_eq(weir_iota(v->graph, WEIR_I32, *shape, axis), at);
    }
    weir_value *place = weir_i32(v->graph, 0);
    for (int i = 0; i < axes.n; i++) {
        weir_value *extent = weir_i32(v->graph, (int32_t)shape->dim[axes.axis[i]]);
        place =
            weir_add(weir_mul(place, extent), weir_iota(v->graph, WEIR_I32, *shape, axes.axis[i]));
    }
    weir_value *candidate = weir_or(weir_eq(x, v), weir_ne(x, x));
    weir_value *none = weir_i32(v->graph, INT32_MAX);
    weir_value *first = weir_reduce_min(weir_select(candidate, place, none), axes, true);
    return weir_eq(place, first);
}

static void extremum_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_select(taken(v), dy[0], weir_f32(v->graph, 0.0));
}

static void extremum_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *kept = weir_select(taken(v), dx[0], weir_f32(v->graph, 0.0));
    dy[0] = weir_sum(kept, weir_axes_of(v->attrs.reduce.axes), true);
}

void weir_vjp_reduce_max(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    extremum_vjp(v, dy, dx);
}

void weir_jvp_reduce_max(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    extremum_jvp(v, dx, dy);
}

void weir_vjp_reduce_min(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    extremum_vjp(v, dy, dx);
}

void weir_jvp_reduce_min(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    extremum_jvp(v, dx, dy);
}

void weir_vjp_cumsum(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    int axis = v->attrs.axis.axis;
    dx[0] = weir_flip(weir_cumsum(weir_flip(dy[0], axis), axis), axis);
}

void weir_jvp_cumsum(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_cumsum(dx[0], v->attrs.axis.axis);
}

void weir_vjp_sort(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    int axis = v->attrs.axis.axis;
    weir_value *x = v->arg[0];
    weir_value *base = weir_zeros(v->graph, x->type.shape);
    dx[0] = weir_scatter_add_along(base, weir_argsort(x, axis), dy[0], axis);
}

void weir_jvp_sort(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    int axis = v->attrs.axis.axis;
    dy[0] = weir_take_along(dx[0], weir_argsort(v->arg[0], axis), axis);
}
