// SPDX-License-Identifier: Apache-2.0
// Row of cumsum: running sums along an axis by chains in blocks of 64 (docs/numerics.md).
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(cumsum)

static const char *infer_cumsum(weir_value *v)
{
    v->type = v->arg[0]->type;
    if (v->attrs.axis.axis < 0)
        return "no such axis";
    if (v->type.dtype != WEIR_F32 && v->type.dtype != WEIR_I32 && v->type.dtype != WEIR_U32)
        return "the argument must be f32, i32 or u32";
    return NULL;
}

weir_value *weir_cumsum(weir_value *x, int axis)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.axis.axis = weir_is_poison(x) ? 0 : weir_axis_of(x, axis);
    return weir_op_make(NULL, &weir_op_cumsum, &x, 1, &attrs);
}

// A work-item a row along the axis.
static int64_t items_cumsum(const weir_value *v)
{
    int64_t n = 1;
    for (int a = 0; a < v->type.shape.rank; a++)
        n *= a == v->attrs.axis.axis ? 1 : v->type.shape.dim[a];
    return n;
}

static weir_value *build_cumsum(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_cumsum(in[0], (int)c->p[0]);
}

static bool cumsum_cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int64_t x[4];
        int axis;
        enum weir_dtype dtype;
        enum weir_fill fill;
    } rows[] = {
        {{1, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{0, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{64, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{65, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{4097, -1}, -1, WEIR_F32, WEIR_FILL_NORMAL}, // a third level begins
        {{8500, -1}, 0, WEIR_F32, WEIR_FILL_INTS},
        {{3, 127, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
        {{131, 5, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
        {{2, 67, 3, -1}, -2, WEIR_F32, WEIR_FILL_NORMAL},
        {{3, 0, 2, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
        {{4, 70, -1}, 1, WEIR_F32, WEIR_FILL_EXTREME},
        {{193, 2, -1}, 0, WEIR_I32, WEIR_FILL_NORMAL},
        {{2, 193, -1}, 1, WEIR_U32, WEIR_FILL_NORMAL},
    };
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    weir_case_input(c, rows[idx].dtype, rows[idx].fill, rows[idx].x);
    c->p[0] = rows[idx].axis;
    c->build = build_cumsum;
    c->no_grad = rows[idx].dtype != WEIR_F32 || rows[idx].fill == WEIR_FILL_EXTREME;
    snprintf(c->label, sizeof(c->label), "%s axis %d case %d", weir_dtype_name(rows[idx].dtype),
             rows[idx].axis, idx);
    return true;
}

const struct weir_op weir_op_cumsum = {
    .name = "cumsum",
    .desc = "running sums along an axis, chains in blocks of 64",
    .arity = 1,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_cumsum,
    .host = WEIR_NESTS(cumsum),
    .skeleton = "scan",
    .items = items_cumsum,
    .vjp = weir_vjp_cumsum,
    .jvp = weir_jvp_cumsum,
    .cases = cumsum_cases,
};
