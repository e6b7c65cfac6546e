// SPDX-License-Identifier: Apache-2.0
// Resolves chains of views to an offset and strides over memory, so that views cost nothing.
#include "graph/view.h"

#include "graph/ops/rows.h"

void weir_strides(const struct weir_shape *shape, int64_t *stride)
{
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape->dim[i];
    }
}

static void contiguous(weir_value *base, const struct weir_shape *shape, struct weir_layout *out)
{
    out->base = base;
    out->offset = 0;
    weir_strides(shape, out->stride);
}

// Axes of size 1 dropped, neighbours merged where strides allow: the fewest axes that lie so.
static int merge(const struct weir_shape *shape, const int64_t *stride, int64_t *dim, int64_t *step)
{
    int n = 0;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] == 1)
            continue;
        if (n > 0 && step[n - 1] == stride[i] * shape->dim[i]) {
            dim[n - 1] *= shape->dim[i];
            step[n - 1] = stride[i];
        } else {
            dim[n] = shape->dim[i];
            step[n++] = stride[i];
        }
    }
    return n;
}

// The strides of `to` over the elements that `from` with `stride` walks in order; false if there
// are none. Every merged axis of `from` must be a product of consecutive axes of `to`.
static bool reshape_strides(const struct weir_shape *from, const int64_t *stride,
                            const struct weir_shape *to, int64_t *out)
{
    int64_t dim[WEIR_MAX_RANK], step[WEIR_MAX_RANK];
    if (weir_shape_size(from) == 0) {
        weir_strides(to, out);
        return true;
    }
    int n = merge(from, stride, dim, step), axis = to->rank - 1;
    for (int k = n - 1; k >= 0; k--) {
        int64_t left = dim[k], at = step[k];
        while (left > 1) {
            if (axis < 0 || left % to->dim[axis] != 0)
                return false;
            out[axis] = at;
            at *= to->dim[axis];
            left /= to->dim[axis--];
        }
    }
    for (; axis >= 0; axis--)
        out[axis] = 0; // only axes of size 1 are left
    return true;
}

static void apply_broadcast(const weir_value *v, struct weir_layout *l)
{
    const struct weir_shape *from = &v->arg[0]->type.shape, *to = &v->type.shape;
    int64_t old[WEIR_MAX_RANK];
    for (int i = 0; i < from->rank; i++)
        old[i] = l->stride[i];
    for (int i = 0; i < to->rank; i++) {
        int k = i - (to->rank - from->rank);
        l->stride[i] = k < 0 || from->dim[k] != to->dim[i] ? 0 : old[k];
    }
}

static void apply_permute(const weir_value *v, struct weir_layout *l)
{
    int64_t old[WEIR_MAX_RANK];
    for (int i = 0; i < v->type.shape.rank; i++)
        old[i] = l->stride[i];
    for (int i = 0; i < v->type.shape.rank; i++)
        l->stride[i] = old[v->attrs.permute.perm[i]];
}

static void apply_slice(const weir_value *v, struct weir_layout *l)
{
    bool empty = weir_shape_size(&v->type.shape) == 0; // an empty slice may start past the end
    for (int i = 0; i < v->type.shape.rank; i++) {
        if (!empty)
            l->offset += v->attrs.slice.start[i] * l->stride[i];
        l->stride[i] *= v->attrs.slice.step[i];
    }
}

void weir_layout_of(weir_value *v, bool (*stop)(void *ctx, const weir_value *v), void *ctx,
                    struct weir_layout *out)
{
    if (v->op->cls != WEIR_OP_VIEW || (stop && stop(ctx, v))) {
        contiguous(v, &v->type.shape, out);
        return;
    }
    weir_value *x = v->arg[0];
    weir_layout_of(x, stop, ctx, out);
    if (v->op == &weir_op_broadcast) {
        apply_broadcast(v, out);
    } else if (v->op == &weir_op_permute) {
        apply_permute(v, out);
    } else if (v->op == &weir_op_slice) {
        apply_slice(v, out);
    } else if (v->op == &weir_op_reshape) {
        int64_t stride[WEIR_MAX_RANK];
        if (reshape_strides(&x->type.shape, out->stride, &v->type.shape, stride))
            for (int i = 0; i < v->type.shape.rank; i++)
                out->stride[i] = stride[i];
        else
            contiguous(x, &v->type.shape, out);
    }
}
