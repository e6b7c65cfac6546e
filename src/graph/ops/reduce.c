// SPDX-License-Identifier: Apache-2.0
// Reductions over a set of axes. Rows keep reduced axes with size 1; dropping them is a reshape.
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/reduce_plan.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

// The same elements without the reduced axes.
static weir_value *drop_axes(weir_value *v, uint32_t axes)
{
    struct weir_shape shape = { 0 };
    if (weir_is_poison(v))
        return v;
    for (int i = 0; i < v->type.shape.rank; i++)
        if (!(axes >> i & 1))
            shape.dim[shape.rank++] = v->type.shape.dim[i];
    return weir_reshape(v, shape);
}

static weir_value *make_reduce(const struct weir_op *op, weir_value *x,
                               const struct weir_axes *axes, bool keep)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    if (weir_is_poison(x))
        return weir_op_make(NULL, op, &x, 1, &attrs);
    if (axes->n < 0)
        attrs.reduce.axes = (1u << x->type.shape.rank) - 1;
    for (int i = 0; i < axes->n && i < WEIR_MAX_RANK; i++) {
        int axis = weir_axis_of(x, axes->axis[i]);
        if (axis < 0)
            return weir_graph_fail(x->graph, "%s: no axis %d in rank %d", op->name, axes->axis[i],
                                   x->type.shape.rank);
        attrs.reduce.axes |= 1u << axis;
    }
    weir_value *v = weir_op_make(NULL, op, &x, 1, &attrs);
    return keep ? v : drop_axes(v, attrs.reduce.axes);
}

weir_value *weir_sum(weir_value *x, struct weir_axes axes, bool keep)
{
    return make_reduce(&weir_op_sum, x, &axes, keep);
}

weir_value *weir_reduce_max(weir_value *x, struct weir_axes axes, bool keep)
{
    return make_reduce(&weir_op_reduce_max, x, &axes, keep);
}

weir_value *weir_reduce_min(weir_value *x, struct weir_axes axes, bool keep)
{
    return make_reduce(&weir_op_reduce_min, x, &axes, keep);
}

weir_value *weir_any(weir_value *x, struct weir_axes axes, bool keep)
{
    return make_reduce(&weir_op_any, x, &axes, keep);
}

weir_value *weir_all(weir_value *x, struct weir_axes axes, bool keep)
{
    return make_reduce(&weir_op_all, x, &axes, keep);
}

weir_value *weir_argmax(weir_value *x, int axis, bool keep)
{
    struct weir_axes axes = { 1, { axis } };
    return make_reduce(&weir_op_argmax, x, &axes, keep);
}

weir_value *weir_argmin(weir_value *x, int axis, bool keep)
{
    struct weir_axes axes = { 1, { axis } };
    return make_reduce(&weir_op_argmin, x, &axes, keep);
}

weir_value *weir_mean(weir_value *x, struct weir_axes axes, bool keep)
{
    weir_value *sum = weir_sum(x, axes, keep);
    if (weir_is_poison(sum))
        return sum;
    int64_t n = weir_shape_size(&x->type.shape), m = weir_shape_size(&sum->type.shape);
    return weir_mul_c(sum, m > 0 && n > 0 ? 1.0 / (double)(n / m) : 0.0);
}

static const char *infer_reduce(weir_value *v)
{
    const struct weir_type *t = &v->arg[0]->type;
    v->type = *t;
    for (int i = 0; i < t->shape.rank; i++)
        if (v->attrs.reduce.axes >> i & 1)
            v->type.shape.dim[i] = 1;
    return NULL;
}

static const char *infer_number(weir_value *v)
{
    enum weir_dtype t = v->arg[0]->type.dtype;
    if (t != WEIR_F32 && t != WEIR_I32 && t != WEIR_U32)
        return "only f32, i32 or u32";
    return infer_reduce(v);
}

static const char *infer_truth(weir_value *v)
{
    return v->arg[0]->type.dtype == WEIR_BOOL ? infer_reduce(v) : "only bool";
}

static const char *infer_arg(weir_value *v)
{
    const struct weir_shape *s = &v->arg[0]->type.shape;
    const char *why = infer_number(v);
    v->type.dtype = WEIR_I32;
    for (int i = 0; i < s->rank; i++)
        if (v->attrs.reduce.axes >> i & 1 && s->dim[i] == 0)
            return "the axis has no elements";
    return why;
}

static size_t scratch_reduce(const weir_value *v)
{
    const struct weir_shape *s = &v->arg[0]->type.shape;
    struct reduce_plan p = reduce_plan(s->rank, s->dim, v->attrs.reduce.axes);
    return (size_t)reduce_scratch(&p) * weir_dtype_size(v->type.dtype);
}

// Cases: shapes and axes around the borders of the orders (64 lanes or terms, 4096 a chunk).
struct reduce_case {
    int64_t dims[6]; // ended by -1
    unsigned axes;   // a mask
    enum { PLAIN, TURNED, CUT } layout;
    bool big; // sums only: slow through the derivative checks
};

static const struct reduce_case shapes[] = {
    { { 1, -1 }, 1, PLAIN, false },
    { { 63, -1 }, 1, PLAIN, false },
    { { 65, -1 }, 1, PLAIN, false },
    { { 7, 130, -1 }, 2, PLAIN, false },
    { { 130, 7, -1 }, 1, PLAIN, false },
    { { 3, 4, 5, 6, -1 }, 7, PLAIN, false }, // columns 2, 1, 0
    { { 3, 4, 5, 6, -1 }, 10, PLAIN, false }, // column 1, then the row
    { { 3, 4, 5, 6, -1 }, 15, PLAIN, false },
    { { 5, 1, 9, 1, -1 }, 11, PLAIN, false }, // axes of size 1
    { { 4, 0, 3, -1 }, 2, PLAIN, false },     // empty: +0 or the identity
    { { 0, 4, -1 }, 2, PLAIN, false },
    { { 17, 33, -1 }, 1, TURNED, false },
    { { 17, 33, -1 }, 2, TURNED, false },
    { { 9, 41, -1 }, 2, CUT, false },
    { { 9, 41, -1 }, 1, CUT, false },
    { { 6, 21, -1 }, 0, PLAIN, false }, // no axes: a copy
    { { 4095, -1 }, 1, PLAIN, true },
    { { 4097, -1 }, 1, PLAIN, true },
    { { 3, 8209, -1 }, 2, PLAIN, true },
    { { 20000, -1 }, 1, PLAIN, true },
    { { 4096, 3, -1 }, 1, PLAIN, true },
    { { 4161, 5, -1 }, 1, PLAIN, true },
    { { 2, 67, 131, 5, -1 }, 6, PLAIN, true },
    { { 300, 33, -1 }, 1, TURNED, true },
};

static weir_value *case_view(weir_value *x, const struct weir_op_case *c)
{
    if (c->p[1] == TURNED)
        return weir_transpose(x, 0, 1);
    if (c->p[1] == CUT)
        return weir_flip(weir_slice(x, 1, 2, INT64_MAX, 3), 1);
    return x;
}

static struct weir_axes case_axes(const struct weir_op_case *c)
{
    struct weir_axes axes = { 0 };
    for (int i = 0; i < WEIR_MAX_RANK; i++)
        if (c->p[0] >> i & 1)
            axes.axis[axes.n++] = i;
    return axes;
}

static bool reduce_case(int idx, struct weir_op_case *c, const enum weir_dtype *dtypes,
                        int n_dtypes, bool smooth)
{
    int n = (int)WEIR_COUNT(shapes), d = idx / (2 * n), k = idx % n;
    bool edges = idx / n % 2;
    if (d >= n_dtypes)
        return false;
    const struct reduce_case *s = &shapes[k];
    snprintf(c->label, sizeof(c->label), "%s shape %d%s", weir_dtype_name(dtypes[d]), k,
             edges ? ", extreme values" : "");
    c->p[0] = s->axes;
    c->p[1] = s->layout;
    c->p[2] = idx & 1; // keep
    c->no_grad = !smooth || edges || s->big || dtypes[d] != WEIR_F32;
    weir_case_input(c, dtypes[d], edges ? WEIR_FILL_EXTREME : WEIR_FILL_NORMAL, s->dims);
    return true;
}

static const enum weir_dtype numbers[] = { WEIR_F32, WEIR_I32, WEIR_U32 };
static const enum weir_dtype truths[] = { WEIR_BOOL };

#define ROW(name_, infer_, dtypes_, smooth_, rules_, desc_)                                      \
    WEIR_NEST_DECLARE(name_)                                                                     \
    static weir_value *build_##name_(weir_graph *g, weir_value *const *in,                       \
                                     const struct weir_op_case *c)                               \
    {                                                                                            \
        return weir_##name_(case_view(in[0], c), case_axes(c), c->p[2]);                         \
    }                                                                                            \
    static bool cases_##name_(int idx, struct weir_op_case *c)                                   \
    {                                                                                            \
        c->build = build_##name_;                                                                \
        return reduce_case(idx, c, dtypes_, (int)WEIR_COUNT(dtypes_), smooth_);                  \
    }                                                                                            \
    const struct weir_op weir_op_##name_ = {                                                     \
        .name = #name_, .desc = desc_, .arity = 1, .cls = WEIR_OP_REDUCE, .infer = infer_,       \
        .host = WEIR_NESTS(name_), .scratch = scratch_reduce, rules_(name_)                      \
        .cases = cases_##name_ };
#define WITH_RULES(name) .vjp = weir_vjp_##name, .jvp = weir_jvp_##name,
#define NO_RULES(name)

ROW(sum, infer_number, numbers, true, WITH_RULES, "sum in the canonical order")
ROW(reduce_max, infer_number, numbers, true, WITH_RULES, "the largest; NaN wins, -0 < +0")
ROW(reduce_min, infer_number, numbers, true, WITH_RULES, "the smallest; NaN wins, -0 < +0")
ROW(any, infer_truth, truths, false, NO_RULES, "whether any is true")
ROW(all, infer_truth, truths, false, NO_RULES, "whether all are true")

// Arg cases take the first axis of the mask, of arguments that have one with elements.
static bool arg_case(int idx, struct weir_op_case *c)
{
    static const unsigned axis_of[16] = { 0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0 };
    if (!reduce_case(idx, c, numbers, (int)WEIR_COUNT(numbers), false))
        return false;
    c->p[3] = axis_of[c->p[0] & 15];
    for (int i = 0; i < c->in[0].shape.rank; i++)
        if (c->in[0].shape.dim[i] == 0 && i == c->p[3])
            c->p[3] = i == 0 ? 1 : 0;
    return true;
}

#define ARG_ROW(name_, desc_)                                                                    \
    WEIR_NEST_DECLARE(name_)                                                                     \
    static weir_value *build_##name_(weir_graph *g, weir_value *const *in,                       \
                                     const struct weir_op_case *c)                               \
    {                                                                                            \
        return weir_##name_(case_view(in[0], c), (int)c->p[3], c->p[2]);                         \
    }                                                                                            \
    static bool cases_##name_(int idx, struct weir_op_case *c)                                   \
    {                                                                                            \
        c->build = build_##name_;                                                                \
        return arg_case(idx, c);                                                                 \
    }                                                                                            \
    const struct weir_op weir_op_##name_ = {                                                     \
        .name = #name_, .desc = desc_, .arity = 1, .cls = WEIR_OP_REDUCE, .infer = infer_arg,    \
        .host = WEIR_NESTS(name_), .cases = cases_##name_ };
ARG_ROW(argmax, "index of the largest, the lowest of equals; NaN wins, -0 < +0")
ARG_ROW(argmin, "index of the smallest, the lowest of equals; NaN wins, -0 < +0")
