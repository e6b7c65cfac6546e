// SPDX-License-Identifier: Apache-2.0
// Rows of sort and argsort: ascending and stable along an axis; NaN last, -0 before +0.
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(sort)
WEIR_NEST_DECLARE(argsort)

static const char *infer_sort(weir_value *v)
{
    v->type = v->arg[0]->type;
    if (v->attrs.axis.axis < 0)
        return "no such axis";
    if (v->type.dtype != WEIR_F32 && v->type.dtype != WEIR_I32 && v->type.dtype != WEIR_U32)
        return "the argument must be f32, i32 or u32";
    if (v->type.shape.dim[v->attrs.axis.axis] > INT32_MAX)
        return "the axis is too long";
    if (v->op == &weir_op_argsort)
        v->type.dtype = WEIR_I32;
    return NULL;
}

static weir_value *make_sort(const struct weir_op *op, weir_value *x, int axis)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.axis.axis = weir_is_poison(x) ? 0 : weir_axis_of(x, axis);
    return weir_op_make(NULL, op, &x, 1, &attrs);
}

weir_value *weir_sort(weir_value *x, int axis)
{
    return make_sort(&weir_op_sort, x, axis);
}

weir_value *weir_argsort(weir_value *x, int axis)
{
    return make_sort(&weir_op_argsort, x, axis);
}

// A work-item a row along the axis.
static int64_t items_sort(const weir_value *v)
{
    int64_t n = 1;
    for (int a = 0; a < v->type.shape.rank; a++)
        n *= a == v->attrs.axis.axis ? 1 : v->type.shape.dim[a];
    return n;
}

// Two turns of keys, which are 8 bytes wide in the double oracle.
static size_t scratch_sort(const weir_value *v)
{
    return (size_t)weir_shape_size(&v->type.shape) * 2 * sizeof(uint64_t);
}

static size_t scratch_argsort(const weir_value *v)
{
    return (size_t)weir_shape_size(&v->type.shape) * sizeof(int32_t);
}

static weir_value *build_sort(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return c->p[1] ? weir_argsort(in[0], (int)c->p[0]) : weir_sort(in[0], (int)c->p[0]);
}

static bool case_of(int idx, struct weir_op_case *c, bool arg)
{
    static const struct {
        int64_t x[4];
        int axis;
        enum weir_dtype dtype;
        enum weir_fill fill;
    } rows[] = {
        {{1, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{0, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{2, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{64, -1}, -1, WEIR_F32, WEIR_FILL_NORMAL},
        {{257, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{5, 31, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
        {{31, 5, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{3, 17, 4, -1}, -2, WEIR_F32, WEIR_FILL_NORMAL},
        {{3, 4, 0, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
        {{7, 129, -1}, 1, WEIR_F32, WEIR_FILL_EXTREME}, // -0, +0, NaN among them
        {{3, 100, -1}, 1, WEIR_F32, WEIR_FILL_INTS},    // ties
        {{3, 100, -1}, 1, WEIR_I32, WEIR_FILL_INTS},
        {{41, 3, -1}, 0, WEIR_U32, WEIR_FILL_NORMAL},
    };
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    weir_case_input(c, rows[idx].dtype, rows[idx].fill, rows[idx].x);
    c->p[0] = rows[idx].axis;
    c->p[1] = arg;
    c->build = build_sort;
    c->no_grad = arg || rows[idx].dtype != WEIR_F32 || rows[idx].fill != WEIR_FILL_NORMAL;
    snprintf(c->label, sizeof(c->label), "%s axis %d case %d", weir_dtype_name(rows[idx].dtype),
             rows[idx].axis, idx);
    return true;
}

static bool sort_cases(int idx, struct weir_op_case *c)
{
    return case_of(idx, c, false);
}

static bool argsort_cases(int idx, struct weir_op_case *c)
{
    return case_of(idx, c, true);
}

const struct weir_op weir_op_sort = {
    .name = "sort",
    .desc = "ascending along an axis; NaN last, -0 before +0",
    .arity = 1,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_sort,
    .host = WEIR_NESTS(sort),
    .skeleton = "sort",
    .items = items_sort,
    .scratch = scratch_sort,
    .vjp = weir_vjp_sort,
    .jvp = weir_jvp_sort,
    .cases = sort_cases,
};

const struct weir_op weir_op_argsort = {
    .name = "argsort",
    .desc = "the stable order that sorts an axis",
    .arity = 1,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_sort,
    .host = WEIR_NESTS(argsort),
    .skeleton = "sort",
    .items = items_sort,
    .scratch = scratch_argsort,
    .cases = argsort_cases,
};
