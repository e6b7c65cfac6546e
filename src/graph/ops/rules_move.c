// SPDX-License-Identifier: Apache-2.0
// Derivatives of views and of the operations that move elements. All are linear in what they move,
// so the tangent goes through the operation itself and the cotangent through its transpose.
#include "graph/diff.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

void weir_vjp_reshape(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_reshape(dy[0], v->arg[0]->type.shape);
}

void weir_jvp_reshape(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_reshape(dx[0], v->type.shape);
}

void weir_vjp_permute(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    int inverse[WEIR_MAX_RANK] = {0};
    for (int a = 0; a < v->type.shape.rank; a++)
        inverse[v->attrs.permute.perm[a]] = a;
    dx[0] = weir_permute(dy[0], inverse);
}

void weir_jvp_permute(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_permute(dx[0], v->attrs.permute.perm);
}

void weir_vjp_broadcast(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_unbroadcast(dy[0], &v->arg[0]->type.shape);
}

void weir_jvp_broadcast(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_broadcast(dx[0], v->type.shape);
}

// The elements that a slice left out are filled with 0: flip back, then pad with `step - 1`
// between.
void weir_vjp_slice(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    const struct weir_shape *in = &v->arg[0]->type.shape, *out = &v->type.shape;
    int64_t lo[WEIR_MAX_RANK], hi[WEIR_MAX_RANK], interior[WEIR_MAX_RANK];
    weir_value *t = dy[0];
    for (int a = 0; a < in->rank; a++) {
        int64_t step = v->attrs.slice.step[a], n = out->dim[a];
        int64_t stride = step < 0 ? -step : step, span = n > 0 ? (n - 1) * stride + 1 : 0;
        lo[a] = n == 0     ? 0
                : step < 0 ? v->attrs.slice.start[a] - (span - 1)
                           : v->attrs.slice.start[a];
        hi[a] = in->dim[a] - lo[a] - span;
        interior[a] = n > 1 ? stride - 1 : 0;
        if (step < 0)
            t = weir_flip(t, a);
    }
    dx[0] = weir_pad(t, lo, hi, interior, 0.0);
}

void weir_jvp_slice(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    const struct weir_shape *out = &v->type.shape;
    weir_value *t = dx[0];
    for (int a = 0; a < out->rank; a++) {
        int64_t step = v->attrs.slice.step[a], n = out->dim[a], start = v->attrs.slice.start[a];
        int64_t stride = step < 0 ? -step : step, span = n > 0 ? (n - 1) * stride + 1 : 0;
        int64_t first = n == 0 ? 0 : step < 0 ? start - (span - 1) : start;
        if (span != t->type.shape.dim[a])
            t = weir_slice(t, a, first, first + span, stride > 0 ? stride : 1);
        else if (stride > 1)
            t = weir_slice(t, a, first, first + span, stride);
        if (step < 0)
            t = weir_flip(t, a);
    }
    dy[0] = t;
}

void weir_vjp_pad(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    const struct weir_shape *in = &v->arg[0]->type.shape;
    weir_value *t = dy[0];
    for (int a = 0; a < in->rank; a++) {
        int64_t n = in->dim[a], step = v->attrs.pad.interior[a] + 1, lo = v->attrs.pad.lo[a];
        int64_t span = n > 0 ? (n - 1) * step + 1 : 0;
        if (lo != 0 || span != t->type.shape.dim[a] || step != 1)
            t = weir_slice(t, a, lo, lo + span, step);
    }
    dx[0] = t;
}

void weir_jvp_pad(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_pad(dx[0], v->attrs.pad.lo, v->attrs.pad.hi, v->attrs.pad.interior, 0.0);
}

void weir_vjp_concat(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    int axis = v->attrs.axis.axis;
    int64_t at = 0;
    for (int i = 0; i < v->arity; i++) {
        int64_t n = v->arg[i]->type.shape.dim[axis];
        dx[i] = weir_slice(dy[0], axis, at, at + n, 1);
        at += n;
    }
}

void weir_jvp_concat(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value **t = weir_arena_array(v->graph->arena, (size_t)v->arity, sizeof(*t));
    if (!t) {
        weir_graph_fail(v->graph, "out of memory");
        return;
    }
    for (int i = 0; i < v->arity; i++)
        t[i] = weir_or_zeros(dx[i], v->arg[i]);
    dy[0] = weir_concat(t, v->arity, v->attrs.axis.axis);
}

// A gather clamps its indices, a scatter drops those out of range: the transpose of a gather
// scatters to the clamped ones.
static weir_value *clamped(weir_value *idx, int64_t n)
{
    weir_value *last = weir_i32(idx->graph, (int32_t)(n - 1));
    return weir_min(weir_max(idx, weir_i32(idx->graph, 0)), last);
}

void weir_vjp_take(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *x = v->arg[0];
    int axis = v->attrs.axis.axis;
    weir_value *idx = clamped(v->arg[1], x->type.shape.dim[axis]);
    dx[0] = weir_scatter_add(weir_zeros(v->graph, x->type.shape), idx, dy[0], axis);
}

void weir_jvp_take(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_take(dx[0], v->arg[1], v->attrs.axis.axis);
}

void weir_vjp_take_along(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *x = v->arg[0];
    int axis = v->attrs.axis.axis;
    weir_value *idx = clamped(v->arg[1], x->type.shape.dim[axis]);
    dx[0] = weir_scatter_add_along(weir_zeros(v->graph, x->type.shape), idx, dy[0], axis);
}

void weir_jvp_take_along(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_take_along(dx[0], v->arg[1], v->attrs.axis.axis);
}

// idx's axes stand at `axis` of the updates: one extent 1 for every other axis.
static weir_value *as_updates(weir_value *idx, const weir_value *updates, int axis)
{
    const struct weir_shape *in = &idx->type.shape, *out = &updates->type.shape;
    struct weir_shape shape = {.rank = out->rank};
    for (int a = 0; a < out->rank; a++)
        shape.dim[a] = a >= axis && a < axis + in->rank ? in->dim[a - axis] : 1;
    return weir_reshape(idx, shape);
}

static weir_value *in_range(weir_value *idx, int64_t n)
{
    weir_value *zero = weir_i32(idx->graph, 0), *end = weir_i32(idx->graph, (int32_t)n);
    return weir_and(weir_ge(idx, zero), weir_lt(idx, end));
}

void weir_vjp_scatter_add(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *idx = v->arg[1], *updates = v->arg[2];
    int axis = v->attrs.axis.axis;
    weir_value *kept = in_range(as_updates(idx, updates, axis), v->type.shape.dim[axis]);
    dx[0] = dy[0];
    dx[2] = weir_select(kept, weir_take(dy[0], idx, axis), weir_f32(v->graph, 0.0));
}

void weir_jvp_scatter_add(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_scatter_add(weir_or_zeros(dx[0], v), v->arg[1], weir_or_zeros(dx[2], v->arg[2]),
                             v->attrs.axis.axis);
}

void weir_vjp_scatter_add_along(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *idx = v->arg[1];
    int axis = v->attrs.axis.axis;
    weir_value *kept = in_range(idx, v->type.shape.dim[axis]);
    dx[0] = dy[0];
    dx[2] = weir_select(kept, weir_take_along(dy[0], idx, axis), weir_f32(v->graph, 0.0));
}

void weir_jvp_scatter_add_along(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_scatter_add_along(weir_or_zeros(dx[0], v), v->arg[1],
                                   weir_or_zeros(dx[2], v->arg[2]), v->attrs.axis.axis);
}

// Of several updates to one place the last one stands: it alone has a gradient. Which one that is
// comes from scattering the updates' own numbers.
void weir_vjp_scatter(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *idx = v->arg[1], *updates = v->arg[2];
    int axis = v->attrs.axis.axis;
    const struct weir_shape *shape = &updates->type.shape;
    int64_t n = weir_shape_size(&idx->type.shape);
    struct weir_shape flat = {.rank = 1, .dim = {n}};
    weir_value *number = weir_reshape(weir_iota(v->graph, WEIR_I32, flat, 0), idx->type.shape);
    number = weir_broadcast(as_updates(number, updates, axis), *shape);
    weir_value *nobody = weir_broadcast(weir_i32(v->graph, -1), v->type.shape);
    weir_value *winner = weir_take(weir_scatter(nobody, idx, number, axis), idx, axis);
    weir_value *kept = weir_and(in_range(as_updates(idx, updates, axis), v->type.shape.dim[axis]),
                                weir_eq(winner, number));
    dx[0] = weir_scatter(dy[0], idx, weir_zeros(v->graph, *shape), axis);
    dx[2] = weir_select(kept, weir_take(dy[0], idx, axis), weir_f32(v->graph, 0.0));
}

void weir_jvp_scatter(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_scatter(weir_or_zeros(dx[0], v), v->arg[1], weir_or_zeros(dx[2], v->arg[2]),
                         v->attrs.axis.axis);
}

void weir_vjp_dynamic_slice(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_dynamic_update(weir_zeros(v->graph, v->arg[0]->type.shape), dy[0], v->arg[1]);
}

void weir_jvp_dynamic_slice(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_dynamic_slice(dx[0], v->arg[1], v->type.shape.dim);
}

void weir_vjp_dynamic_update(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *update = v->arg[1], *start = v->arg[2];
    dx[0] = weir_dynamic_update(dy[0], weir_zeros(v->graph, update->type.shape), start);
    dx[1] = weir_dynamic_slice(dy[0], start, update->type.shape.dim);
}

void weir_jvp_dynamic_update(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] =
        weir_dynamic_update(weir_or_zeros(dx[0], v), weir_or_zeros(dx[1], v->arg[1]), v->arg[2]);
}
