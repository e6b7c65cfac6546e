// SPDX-License-Identifier: Apache-2.0
// Views: reshape, permute, broadcast, slice (which also flips) and stop-gradient. They have no code
// of their own; graph/view.c resolves them to strides. Their loop nest makes a layout contiguous.
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(copy)

weir_value *weir_reshape(weir_value *x, struct weir_shape shape)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_reshape, &x, 1, NULL);
    char from[128], to[128];
    int64_t known = 1, n = weir_shape_size(&x->type.shape);
    int free_axis = -1, n_free = 0;
    for (int i = 0; i < shape.rank && i < WEIR_MAX_RANK; i++) {
        if (shape.dim[i] == -1) {
            free_axis = i;
            n_free++;
        } else {
            known *= shape.dim[i];
        }
    }
    if (n_free == 1 && known > 0 && n % known == 0) {
        shape.dim[free_axis] = n / known;
        known = n;
    }
    if (n_free > 1 || known != n || (n_free == 1 && shape.dim[free_axis] < 0))
        return weir_graph_fail(x->graph, "reshape: %s does not fit %s",
                               weir_shape_text(&x->type.shape, from, sizeof(from)),
                               weir_shape_text(&shape, to, sizeof(to)));
    if (weir_shape_equal(&x->type.shape, &shape))
        return x;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.shape = shape;
    return weir_op_make(NULL, &weir_op_reshape, &x, 1, &attrs);
}

static const char *infer_shape(weir_value *v)
{
    v->type.dtype = v->arg[0]->type.dtype;
    v->type.shape.rank = v->attrs.shape.rank;
    for (int i = 0; i < v->type.shape.rank && i < WEIR_MAX_RANK; i++)
        v->type.shape.dim[i] = v->attrs.shape.dim[i];
    return NULL;
}

weir_value *weir_broadcast(weir_value *x, struct weir_shape shape)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_broadcast, &x, 1, NULL);
    struct weir_shape both;
    char from[128], to[128];
    if (!weir_broadcast_shapes(&x->type.shape, &shape, &both) || !weir_shape_equal(&both, &shape))
        return weir_graph_fail(x->graph, "broadcast: %s does not broadcast to %s",
                               weir_shape_text(&x->type.shape, from, sizeof(from)),
                               weir_shape_text(&shape, to, sizeof(to)));
    if (weir_shape_equal(&x->type.shape, &shape))
        return x;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.shape = shape;
    return weir_op_make(NULL, &weir_op_broadcast, &x, 1, &attrs);
}

weir_value *weir_permute(weir_value *x, const int *perm)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_permute, &x, 1, NULL);
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    bool same = true;
    for (int i = 0; i < x->type.shape.rank; i++) {
        attrs.permute.perm[i] = perm[i];
        same &= perm[i] == i;
    }
    return same ? x : weir_op_make(NULL, &weir_op_permute, &x, 1, &attrs);
}

static const char *infer_permute(weir_value *v)
{
    const struct weir_type *t = &v->arg[0]->type;
    unsigned seen = 0;
    v->type.dtype = t->dtype;
    v->type.shape.rank = t->shape.rank;
    for (int i = 0; i < t->shape.rank; i++) {
        int axis = v->attrs.permute.perm[i];
        if (axis < 0 || axis >= t->shape.rank || seen >> axis & 1)
            return "not a permutation of the axes";
        seen |= 1u << axis;
        v->type.shape.dim[i] = t->shape.dim[axis];
    }
    return NULL;
}

weir_value *weir_transpose(weir_value *x, int a, int b)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_permute, &x, 1, NULL);
    int perm[WEIR_MAX_RANK], i = weir_axis_of(x, a), j = weir_axis_of(x, b);
    if (i < 0 || j < 0)
        return weir_graph_fail(x->graph, "transpose: no axes %d and %d in rank %d", a, b,
                               x->type.shape.rank);
    for (int k = 0; k < x->type.shape.rank; k++)
        perm[k] = k == i ? j : k == j ? i : k;
    return weir_permute(x, perm);
}

// The slice whose axis k has n elements start, start + step, ..; the other axes are whole.
static weir_value *make_slice(weir_value *x, int k, int64_t start, int64_t n, int64_t step)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    for (int i = 0; i < x->type.shape.rank; i++) {
        attrs.slice.step[i] = 1;
        attrs.slice.n[i] = x->type.shape.dim[i];
    }
    attrs.slice.start[k] = start;
    attrs.slice.step[k] = step;
    attrs.slice.n[k] = n;
    return weir_op_make(NULL, &weir_op_slice, &x, 1, &attrs);
}

weir_value *weir_slice(weir_value *x, int axis, int64_t start, int64_t stop, int64_t step)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_slice, &x, 1, NULL);
    int k = weir_axis_of(x, axis);
    if (k < 0)
        return weir_graph_fail(x->graph, "slice: no axis %d in rank %d", axis, x->type.shape.rank);
    int64_t n = x->type.shape.dim[k];
    if (stop == INT64_MAX)
        stop = n;
    if (step < 1 || start < 0 || stop < start || stop > n)
        return weir_graph_fail(
            x->graph, "slice: [%lld, %lld) by %lld of axis %d with %lld elements", (long long)start,
            (long long)stop, (long long)step, axis, (long long)n);
    if (start == 0 && stop == n && step == 1)
        return x;
    return make_slice(x, k, start, (stop - start + step - 1) / step, step);
}

weir_value *weir_flip(weir_value *x, int axis)
{
    if (weir_is_poison(x))
        return weir_op_make(NULL, &weir_op_slice, &x, 1, NULL);
    int k = weir_axis_of(x, axis);
    if (k < 0)
        return weir_graph_fail(x->graph, "flip: no axis %d in rank %d", axis, x->type.shape.rank);
    int64_t n = x->type.shape.dim[k];
    return n < 2 ? x : make_slice(x, k, n - 1, n, -1);
}

static const char *infer_slice(weir_value *v)
{
    const struct weir_type *t = &v->arg[0]->type;
    v->type.dtype = t->dtype;
    v->type.shape.rank = t->shape.rank;
    for (int i = 0; i < t->shape.rank; i++) {
        int64_t n = v->attrs.slice.n[i], first = v->attrs.slice.start[i];
        int64_t last = first + (n - 1) * v->attrs.slice.step[i];
        if (n < 0 || (n > 0 && (first < 0 || last < 0 || first >= t->shape.dim[i] ||
                                last >= t->shape.dim[i])))
            return "reaches outside its argument";
        v->type.shape.dim[i] = n;
    }
    return NULL;
}

static const char *infer_same(weir_value *v)
{
    v->type = v->arg[0]->type;
    return NULL;
}

weir_value *weir_stop_gradient(weir_value *x)
{
    return weir_op_make(NULL, &weir_op_stop_gradient, &x, 1, NULL);
}

// Cases: every view alone, and chains whose reshape strides can (and cannot) express. p[0] picks.
static weir_value *build_reshape(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *x = in[0]; // (6, 4, 5)
    switch (c->p[0]) {
    case 0:
        return weir_reshape(x, weir_shape(3, 2, 20));
    case 1:
        return weir_reshape(x, weir_shape(-1));
    case 2: // splits a strided axis
        return weir_reshape(weir_permute(x, (int[]) { 1, 0, 2 }), weir_shape(4, 3, 1, 2, 5));
    case 3: // merges what lies apart: a copy
        return weir_reshape(weir_permute(x, (int[]) { 1, 0, 2 }), weir_shape(24, 5));
    case 4: // a copy, cut and turned afterwards
        return weir_flip(weir_slice(weir_reshape(weir_transpose(x, 0, 2), weir_shape(20, 6)), 0, 2,
                                    17, 3), 1);
    case 5: // merges broadcast axes
        return weir_reshape(weir_broadcast(weir_slice(x, 2, 1, 2, 1), weir_shape(6, 4, 7)),
                            weir_shape(24, 7));
    default:
        return weir_reshape(weir_slice(x, 0, 0, 0, 1), weir_shape(5, 0));
    }
}

static bool cases_reshape(int idx, struct weir_op_case *c)
{
    if (idx >= 7)
        return false;
    c->build = build_reshape;
    c->p[0] = idx;
    snprintf(c->label, sizeof(c->label), "chain %d", idx);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(6, 4, 5));
    return true;
}

static weir_value *build_permute(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    static const int perms[][4] = { { 0, 2, 1, 3 }, { 3, 2, 1, 0 }, { 1, 2, 3, 0 } };
    weir_value *y = weir_permute(in[0], perms[c->p[0]]);
    return c->p[0] == 2 ? weir_transpose(y, 0, -1) : y;
}

static const enum weir_dtype view_dtypes[] = { WEIR_F32, WEIR_BOOL, WEIR_I32 };

static bool cases_permute(int idx, struct weir_op_case *c)
{
    if (idx >= 3)
        return false;
    c->build = build_permute;
    c->p[0] = idx;
    c->no_grad = idx > 0;
    snprintf(c->label, sizeof(c->label), "permutation %d %s", idx,
             weir_dtype_name(view_dtypes[idx]));
    weir_case_input(c, view_dtypes[idx], WEIR_FILL_NORMAL, weir_dims(3, 5, 2, 17));
    return true;
}

static weir_value *build_broadcast(weir_graph *g, weir_value *const *in,
                                   const struct weir_op_case *c)
{
    return weir_broadcast(in[0], c->p[0] == 2 ? weir_shape(0, 3, 1) : weir_shape(4, 3, 18));
}

static bool cases_broadcast(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][4] = { { 3, 1, -1 }, { -1 }, { 3, 1, -1 }, { 4, 1, 18, -1 } };
    if (idx >= 4)
        return false;
    c->build = build_broadcast;
    c->p[0] = idx;
    snprintf(c->label, sizeof(c->label), "to a larger shape %d", idx);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, dims[idx]);
    return true;
}

static weir_value *build_slice(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *x = in[0]; // (5, 37)
    switch (c->p[0]) {
    case 0:
        return weir_slice(x, 1, 3, 20, 1);
    case 1:
        return weir_slice(x, -1, 1, INT64_MAX, 3);
    case 2:
        return weir_flip(x, 1);
    case 3:
        return weir_flip(weir_slice(weir_flip(weir_slice(x, 0, 1, 5, 2), 1), 1, 2, 31, 4), 0);
    default:
        return weir_slice(x, 1, 37, 37, 1);
    }
}

static bool cases_slice(int idx, struct weir_op_case *c)
{
    if (idx >= 5)
        return false;
    c->build = build_slice;
    c->p[0] = idx;
    snprintf(c->label, sizeof(c->label), "cut %d", idx);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(5, 37));
    return true;
}

static weir_value *build_stop(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_stop_gradient(weir_transpose(in[0], 0, 1));
}

static bool cases_stop(int idx, struct weir_op_case *c)
{
    if (idx >= 1)
        return false;
    c->build = build_stop;
    c->no_grad = true;
    snprintf(c->label, sizeof(c->label), "identity");
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(4, 9));
    return true;
}

#define VIEW(name_, infer_, desc_)                                                               \
    const struct weir_op weir_op_##name_ = {                                                     \
        .name = #name_, .desc = desc_, .arity = 1, .cls = WEIR_OP_VIEW, .infer = infer_,         \
        .host = WEIR_NESTS(copy), .vjp = weir_vjp_##name_, .jvp = weir_jvp_##name_,              \
        .cases = cases_##name_ };
VIEW(reshape, infer_shape, "the same elements in another shape")
VIEW(permute, infer_permute, "axes in another order")
VIEW(broadcast, infer_shape, "axes of size 1 repeated, as NumPy")
VIEW(slice, infer_slice, "elements start, start + step, .. of each axis; negative steps flip")
const struct weir_op weir_op_stop_gradient = {
    .name = "stop_gradient", .desc = "x, with derivative 0", .arity = 1, .cls = WEIR_OP_VIEW,
    .infer = infer_same, .host = WEIR_NESTS(copy), .cases = cases_stop };
