// SPDX-License-Identifier: Apache-2.0
// Moves that need memory of their own: padding (also between elements) and concatenation.
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(pad)
WEIR_NEST_DECLARE(concat)

weir_value *weir_pad(weir_value *x, const int64_t *lo, const int64_t *hi, const int64_t *interior,
                     double value)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.pad.value = value;
    bool nothing = true;
    for (int i = 0; !weir_is_poison(x) && i < x->type.shape.rank; i++) {
        attrs.pad.lo[i] = lo ? lo[i] : 0;
        attrs.pad.hi[i] = hi ? hi[i] : 0;
        attrs.pad.interior[i] = interior ? interior[i] : 0;
        nothing &= !attrs.pad.lo[i] && !attrs.pad.hi[i] && !attrs.pad.interior[i];
    }
    return nothing && !weir_is_poison(x) ? x : weir_op_make(NULL, &weir_op_pad, &x, 1, &attrs);
}

static const char *infer_pad(weir_value *v)
{
    v->type = v->arg[0]->type;
    for (int i = 0; i < v->type.shape.rank; i++) {
        int64_t lo = v->attrs.pad.lo[i], hi = v->attrs.pad.hi[i], in = v->attrs.pad.interior[i];
        int64_t *n = &v->type.shape.dim[i], limit = (int64_t)1 << 40;
        if (lo < 0 || hi < 0 || in < 0)
            return "negative padding (slice instead)";
        if (lo > limit || hi > limit || in > limit)
            return "too many elements";
        *n = lo + hi + (*n > 0 ? *n + (*n - 1) * in : 0);
    }
    return NULL;
}

static weir_value *build_pad(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    switch (c->p[0]) {
    case 0:
        return weir_pad(in[0], (int64_t[]) { 1, 0 }, (int64_t[]) { 2, 3 }, NULL, 0.0);
    case 1:
        return weir_pad(in[0], NULL, NULL, (int64_t[]) { 1, 2 }, -1.5);
    case 2:
        return weir_pad(weir_transpose(in[0], 0, 1), (int64_t[]) { 0, 4 }, NULL,
                        (int64_t[]) { 0, 1 }, 7.0);
    default:
        return weir_pad(weir_slice(in[0], 1, 0, 0, 1), NULL, (int64_t[]) { 0, 5 }, NULL, 2.0);
    }
}

static const enum weir_dtype move_dtypes[] = { WEIR_F32, WEIR_I32, WEIR_BOOL };

static bool cases_pad(int idx, struct weir_op_case *c)
{
    if (idx >= 12)
        return false;
    c->build = build_pad;
    c->p[0] = idx % 4;
    c->no_grad = idx >= 4;
    snprintf(c->label, sizeof(c->label), "%s variant %d", weir_dtype_name(move_dtypes[idx / 4]),
             idx % 4);
    weir_case_input(c, move_dtypes[idx / 4], WEIR_FILL_NORMAL, weir_dims(5, 19));
    return true;
}

static int64_t items_all(const weir_value *v)
{
    return weir_shape_size(&v->type.shape);
}

const struct weir_op weir_op_pad = {
    .name = "pad", .desc = "constant elements before, after and between", .arity = 1,
    .cls = WEIR_OP_OPAQUE, .infer = infer_pad, .host = WEIR_NESTS(pad), .skeleton = "pad",
    .items = items_all, .vjp = weir_vjp_pad, .jvp = weir_jvp_pad, .cases = cases_pad };

weir_value *weir_concat(weir_value *const *x, int n, int axis)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    if (n < 1)
        return NULL;
    if (n == 1)
        return x[0];
    if (!weir_is_poison(x[0])) {
        attrs.axis.axis = weir_axis_of(x[0], axis);
        if (attrs.axis.axis < 0)
            return weir_graph_fail(x[0]->graph, "concat: no axis %d in rank %d", axis,
                                   x[0]->type.shape.rank);
    }
    enum { MOST = 32 }; // arguments of one launch are limited
    if (n <= MOST)
        return weir_op_make(NULL, &weir_op_concat, x, n, &attrs);
    weir_value *part[MOST];
    int size = (n + MOST - 1) / MOST, k = 0;
    for (int i = 0; i < n; i += size)
        part[k++] = weir_concat(x + i, n - i < size ? n - i : size, axis);
    return weir_concat(part, k, axis);
}

static const char *infer_concat(weir_value *v)
{
    int axis = v->attrs.axis.axis;
    v->type = v->arg[0]->type;
    if (axis < 0 || axis >= v->type.shape.rank)
        return "no such axis";
    for (int i = 1; i < v->arity; i++) {
        const struct weir_type *t = &v->arg[i]->type;
        if (t->dtype != v->type.dtype)
            return "dtypes differ (cast first)";
        if (t->shape.rank != v->type.shape.rank)
            return "ranks differ";
        for (int k = 0; k < t->shape.rank; k++)
            if (k != axis && t->shape.dim[k] != v->type.shape.dim[k])
                return "extents differ off the axis";
        v->type.shape.dim[axis] += t->shape.dim[axis];
    }
    return NULL;
}

static weir_value *build_concat(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *x[] = { in[0], weir_slice(in[1], 0, 1, INT64_MAX, 2), weir_flip(in[0], 1), in[2] };
    if (c->p[0] == 0)
        return weir_concat(x, 4, 0);
    if (c->p[0] == 1)
        return weir_concat((weir_value *[]) { weir_transpose(in[0], 0, 1),
                                              weir_transpose(in[1], 0, 1) }, 2, -1);
    weir_value *many[70];
    for (int i = 0; i < 70; i++)
        many[i] = weir_slice(in[0], 0, i % 3, i % 3 + 1 + i % 2, 1);
    return weir_concat(many, 70, 0);
}

static bool cases_concat(int idx, struct weir_op_case *c)
{
    if (idx >= 9)
        return false;
    enum weir_dtype t = move_dtypes[idx / 3];
    c->build = build_concat;
    c->p[0] = idx % 3;
    c->no_grad = idx >= 3;
    snprintf(c->label, sizeof(c->label), "%s variant %d", weir_dtype_name(t), idx % 3);
    weir_case_input(c, t, WEIR_FILL_NORMAL, weir_dims(4, 7));
    weir_case_input(c, t, WEIR_FILL_NORMAL, weir_dims(9, 7));
    weir_case_input(c, t, WEIR_FILL_NORMAL, weir_dims(0, 7));
    return true;
}

const struct weir_op weir_op_concat = {
    .name = "concat", .desc = "arguments one after another along an axis", .arity = -1,
    .cls = WEIR_OP_OPAQUE, .infer = infer_concat, .host = WEIR_NESTS(concat), .skeleton = "concat",
    .items = items_all, .vjp = weir_vjp_concat, .jvp = weir_jvp_concat, .cases = cases_concat };
