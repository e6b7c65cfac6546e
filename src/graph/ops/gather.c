// SPDX-License-Identifier: Apache-2.0
// Rows of indexed moves: take, scatter and their kin, dynamic slices. Indices are i32 data: reads
// clamp them into range, writes out of range are dropped. Storage types move as bits.
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(take)
WEIR_NEST_DECLARE(take_along)
WEIR_NEST_DECLARE(scatter)
WEIR_NEST_DECLARE(scatter_add)
WEIR_NEST_DECLARE(scatter_add_along)
WEIR_NEST_DECLARE(dynamic_slice)
WEIR_NEST_DECLARE(dynamic_update)

// --- types ---

// The shape of x with its axis replaced by idx's axes; NULL or what is wrong.
static const char *take_shape(const weir_value *v, const struct weir_shape *idx,
                              struct weir_shape *out)
{
    const struct weir_shape *x = &v->arg[0]->type.shape;
    int axis = v->attrs.axis.axis, rank = x->rank - 1 + idx->rank;
    if (rank > WEIR_MAX_RANK)
        return "the result would have more than 8 axes";
    out->rank = rank;
    for (int a = 0; a < rank; a++)
        out->dim[a] = a < axis               ? x->dim[a]
                      : a < axis + idx->rank ? idx->dim[a - axis]
                                             : x->dim[a - idx->rank + 1];
    return NULL;
}

// idx has x's rank and, except along the axis, x's extents.
static const char *check_along(const weir_value *v)
{
    const struct weir_shape *x = &v->arg[0]->type.shape, *idx = &v->arg[1]->type.shape;
    if (idx->rank != x->rank)
        return "indices need as many axes as the data";
    for (int a = 0; a < x->rank; a++)
        if (a != v->attrs.axis.axis && idx->dim[a] != x->dim[a])
            return "indices may differ from the data in the chosen axis only";
    return NULL;
}

static const char *check_axis(const weir_value *v)
{
    if (v->attrs.axis.axis < 0)
        return "no such axis";
    return v->arg[1]->type.dtype != WEIR_I32 ? "indices must be i32" : NULL;
}

static const char *infer_take(weir_value *v)
{
    const char *why = check_axis(v);
    if (why)
        return why;
    const struct weir_shape *x = &v->arg[0]->type.shape, *idx = &v->arg[1]->type.shape;
    v->type.dtype = v->arg[0]->type.dtype;
    if (v->attrs.axis.along) {
        why = check_along(v);
        v->type.shape = *idx;
    } else {
        why = take_shape(v, idx, &v->type.shape);
    }
    if (!why && x->dim[v->attrs.axis.axis] == 0 && weir_shape_size(&v->type.shape) > 0)
        return "there is nothing to take from an empty axis";
    return why;
}

static const char *infer_scatter(weir_value *v)
{
    const char *why = check_axis(v);
    if (why)
        return why;
    const struct weir_shape *idx = &v->arg[1]->type.shape;
    struct weir_shape want = {0};
    why = v->attrs.axis.along ? check_along(v) : take_shape(v, idx, &want);
    if (why)
        return why;
    if (!weir_shape_equal(&v->arg[2]->type.shape, v->attrs.axis.along ? idx : &want))
        return "updates need the shape that taking at the indices would give";
    if (v->arg[2]->type.dtype != v->arg[0]->type.dtype)
        return "updates need the dtype of the base";
    v->type = v->arg[0]->type;
    return NULL;
}

static const char *infer_scatter_add(weir_value *v)
{
    enum weir_dtype t = v->arg[0]->type.dtype;
    if (t != WEIR_F32 && t != WEIR_I32 && t != WEIR_U32)
        return "the base must be f32, i32 or u32";
    return infer_scatter(v);
}

// start: i32, one entry an axis of x. box fits into x.
static const char *check_box(const struct weir_shape *x, const struct weir_type *start,
                             const struct weir_shape *box)
{
    if (start->dtype != WEIR_I32 || start->shape.rank != 1 || start->shape.dim[0] != x->rank)
        return "start must be i32 with one entry an axis";
    for (int a = 0; a < x->rank; a++)
        if (box->dim[a] < 0 || box->dim[a] > x->dim[a])
            return "the slice is larger than the data";
    return NULL;
}

static const char *infer_dynamic_slice(weir_value *v)
{
    const struct weir_shape *x = &v->arg[0]->type.shape;
    v->type.dtype = v->arg[0]->type.dtype;
    v->type.shape.rank = x->rank;
    memcpy(v->type.shape.dim, v->attrs.any.l, (size_t)x->rank * sizeof(int64_t));
    return check_box(x, &v->arg[1]->type, &v->type.shape);
}

static const char *infer_dynamic_update(weir_value *v)
{
    const struct weir_type *x = &v->arg[0]->type, *update = &v->arg[1]->type;
    v->type = *x;
    if (update->dtype != x->dtype || update->shape.rank != x->shape.rank)
        return "the update needs the dtype and as many axes as the data";
    return check_box(&x->shape, &v->arg[2]->type, &update->shape);
}

// --- calls ---

static weir_value *make_axis(const struct weir_op *op, weir_value *const *args, int n, int axis,
                             bool along)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.axis.axis = weir_is_poison(args[0]) ? 0 : weir_axis_of(args[0], axis);
    attrs.axis.along = along;
    return weir_op_make(NULL, op, args, n, &attrs);
}

weir_value *weir_take(weir_value *x, weir_value *idx, int axis)
{
    return make_axis(&weir_op_take, (weir_value *[]){x, idx}, 2, axis, false);
}

weir_value *weir_take_along(weir_value *x, weir_value *idx, int axis)
{
    return make_axis(&weir_op_take_along, (weir_value *[]){x, idx}, 2, axis, true);
}

weir_value *weir_scatter(weir_value *base, weir_value *idx, weir_value *updates, int axis)
{
    return make_axis(&weir_op_scatter, (weir_value *[]){base, idx, updates}, 3, axis, false);
}

weir_value *weir_scatter_add(weir_value *base, weir_value *idx, weir_value *updates, int axis)
{
    return make_axis(&weir_op_scatter_add, (weir_value *[]){base, idx, updates}, 3, axis, false);
}

weir_value *weir_scatter_add_along(weir_value *base, weir_value *idx, weir_value *updates, int axis)
{
    return make_axis(&weir_op_scatter_add_along, (weir_value *[]){base, idx, updates}, 3, axis,
                     true);
}

weir_value *weir_dynamic_slice(weir_value *x, weir_value *start, const int64_t *size)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    if (!weir_is_poison(x))
        memcpy(attrs.any.l, size, (size_t)x->type.shape.rank * sizeof(int64_t));
    return weir_op_make(NULL, &weir_op_dynamic_slice, (weir_value *[]){x, start}, 2, &attrs);
}

weir_value *weir_dynamic_update(weir_value *x, weir_value *update, weir_value *start)
{
    return weir_op_make(NULL, &weir_op_dynamic_update, (weir_value *[]){x, update, start}, 3, NULL);
}

// --- kernels: one work-item an element read, one a column written (its updates are in order) ---

static int64_t items_result(const weir_value *v)
{
    return weir_shape_size(&v->type.shape);
}

static int64_t items_columns(const weir_value *v)
{
    int64_t n = 1;
    for (int a = 0; a < v->type.shape.rank; a++)
        n *= a == v->attrs.axis.axis ? 1 : v->type.shape.dim[a];
    return n;
}

// --- cases ---

// p[0] = axis, p[1] = which call.
enum { TAKE, TAKE_ALONG, SCATTER, SCATTER_ADD, SCATTER_ADD_ALONG };

static weir_value *build_axis(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    int axis = (int)c->p[0];
    switch (c->p[1]) {
    case TAKE:
        return weir_take(in[0], in[1], axis);
    case TAKE_ALONG:
        return weir_take_along(in[0], in[1], axis);
    case SCATTER:
        return weir_scatter(in[0], in[1], in[2], axis);
    case SCATTER_ADD:
        return weir_scatter_add(in[0], in[1], in[2], axis);
    default:
        return weir_scatter_add_along(in[0], in[1], in[2], axis);
    }
}

// Indices at random in [-2, n + 2): repeated, out of range on both sides. Extents end at -1.
static const struct axis_case {
    int64_t x[4], idx[4], taken[6]; // the data, the indices, what taking gives
    int axis;
    enum weir_dtype dtype;
    enum weir_fill fill;
} plain_rows[] = {
    {{1, -1}, {1, -1}, {1, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{7, -1}, {-1}, {-1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{10, 3, -1}, {17, -1}, {17, 3, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{5, 11, -1}, {2, 3, -1}, {5, 2, 3, -1}, -1, WEIR_F32, WEIR_FILL_NORMAL},
    {{3, 4, 5, -1}, {9, -1}, {3, 9, 5, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
    {{3, 4, 5, -1}, {9, -1}, {3, 9, 5, -1}, -2, WEIR_F32, WEIR_FILL_EXTREME},
    {{4, 3, -1}, {0, -1}, {0, 3, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{4, 0, -1}, {3, -1}, {3, 0, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{257, -1}, {1031, -1}, {1031, -1}, 0, WEIR_I32, WEIR_FILL_NORMAL},
    {{2, 13, -1}, {31, -1}, {2, 31, -1}, 1, WEIR_U32, WEIR_FILL_INTS},
};
static const struct axis_case bit_rows[] = {
    // what moves but does not add
    {{6, 5, -1}, {13, -1}, {13, 5, -1}, 0, WEIR_BOOL, WEIR_FILL_NORMAL},
    {{2, 7, 3, -1}, {5, -1}, {2, 5, 3, -1}, 1, WEIR_F16, WEIR_FILL_NORMAL},
    {{3, 9, -1}, {4, -1}, {3, 4, -1}, 1, WEIR_BF16, WEIR_FILL_NORMAL},
    {{9, 3, -1}, {11, -1}, {11, 3, -1}, 0, WEIR_I8, WEIR_FILL_INTS},
};
static const struct axis_case along_rows[] = {
    {{1, -1}, {1, -1}, {1, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{13, -1}, {37, -1}, {37, -1}, 0, WEIR_F32, WEIR_FILL_NORMAL},
    {{5, 11, -1}, {5, 3, -1}, {5, 3, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
    {{5, 11, -1}, {7, 11, -1}, {7, 11, -1}, 0, WEIR_F32, WEIR_FILL_EXTREME},
    {{3, 4, 5, -1}, {3, 9, 5, -1}, {3, 9, 5, -1}, -2, WEIR_F32, WEIR_FILL_NORMAL},
    {{3, 4, 5, -1}, {3, 0, 5, -1}, {3, 0, 5, -1}, 1, WEIR_F32, WEIR_FILL_NORMAL},
    {{2, 13, -1}, {2, 31, -1}, {2, 31, -1}, 1, WEIR_I32, WEIR_FILL_NORMAL},
};

static bool axis_case(const struct axis_case *r, struct weir_op_case *c, int call)
{
    int axis = r->axis, rank = 0;
    while (r->x[rank] >= 0)
        rank++;
    weir_case_input(c, r->dtype, r->fill, r->x);
    weir_case_input(c, WEIR_I32, WEIR_FILL_INDEX, r->idx);
    if (call >= SCATTER)
        weir_case_input(c, r->dtype, r->fill, r->taken);
    c->index_range = r->x[axis < 0 ? axis + rank : axis];
    c->p[0] = axis;
    c->p[1] = call;
    c->build = build_axis;
    c->no_grad = r->dtype != WEIR_F32 || r->fill == WEIR_FILL_EXTREME;
    snprintf(c->label, sizeof(c->label), "%s rank %d axis %d of %d", weir_dtype_name(r->dtype),
             rank, axis, (int)c->index_range);
    return true;
}

static bool plain_cases(int idx, struct weir_op_case *c, int call)
{
    int n = (int)WEIR_COUNT(plain_rows);
    if (idx < n)
        return axis_case(&plain_rows[idx], c, call);
    if (call == SCATTER_ADD || idx - n >= (int)WEIR_COUNT(bit_rows))
        return false;
    return axis_case(&bit_rows[idx - n], c, call);
}

static bool along_cases(int idx, struct weir_op_case *c, int call)
{
    return idx < (int)WEIR_COUNT(along_rows) && axis_case(&along_rows[idx], c, call);
}

static bool take_cases(int idx, struct weir_op_case *c)
{
    return plain_cases(idx, c, TAKE);
}

static bool take_along_cases(int idx, struct weir_op_case *c)
{
    return along_cases(idx, c, TAKE_ALONG);
}

static bool scatter_cases(int idx, struct weir_op_case *c)
{
    return plain_cases(idx, c, SCATTER);
}

static bool scatter_add_cases(int idx, struct weir_op_case *c)
{
    return plain_cases(idx, c, SCATTER_ADD);
}

static bool scatter_add_along_cases(int idx, struct weir_op_case *c)
{
    return along_cases(idx, c, SCATTER_ADD_ALONG);
}

static const struct box_case {
    int64_t x[5], box[5];
    enum weir_dtype dtype;
} box_rows[] = {
    {{1, -1}, {1, -1}, WEIR_F32},
    {{17, -1}, {5, -1}, WEIR_F32},
    {{17, -1}, {0, -1}, WEIR_F32},
    {{7, 5, -1}, {3, 5, -1}, WEIR_F32},
    {{4, 6, 5, -1}, {2, 1, 3, -1}, WEIR_F32},
    {{3, 2, 4, 5, -1}, {1, 2, 3, 5, -1}, WEIR_F32},
    {{6, 6, -1}, {6, 6, -1}, WEIR_I32},
    {{9, 7, -1}, {4, 3, -1}, WEIR_F16},
    {{9, 7, -1}, {2, 7, -1}, WEIR_BOOL},
};

static weir_value *build_dynamic_slice(weir_graph *g, weir_value *const *in,
                                       const struct weir_op_case *c)
{
    return weir_dynamic_slice(in[0], in[1], c->p);
}

static weir_value *build_dynamic_update(weir_graph *g, weir_value *const *in,
                                        const struct weir_op_case *c)
{
    return weir_dynamic_update(in[0], in[1], in[2]);
}

static bool box_case(int idx, struct weir_op_case *c, bool update)
{
    if (idx >= (int)WEIR_COUNT(box_rows))
        return false;
    const struct box_case *r = &box_rows[idx];
    int rank = 0;
    while (r->x[rank] >= 0)
        rank++;
    weir_case_input(c, r->dtype, WEIR_FILL_NORMAL, r->x);
    if (update)
        weir_case_input(c, r->dtype, WEIR_FILL_NORMAL, r->box);
    weir_case_input(c, WEIR_I32, WEIR_FILL_INDEX, weir_dims(rank));
    c->index_range = 4;
    memcpy(c->p, r->box, sizeof(r->box));
    c->build = update ? build_dynamic_update : build_dynamic_slice;
    c->no_grad = r->dtype != WEIR_F32;
    snprintf(c->label, sizeof(c->label), "%s rank %d case %d", weir_dtype_name(r->dtype), rank,
             idx);
    return true;
}

static bool dynamic_slice_cases(int idx, struct weir_op_case *c)
{
    return box_case(idx, c, false);
}

static bool dynamic_update_cases(int idx, struct weir_op_case *c)
{
    return box_case(idx, c, true);
}

// --- rows ---

const struct weir_op weir_op_take = {
    .name = "take",
    .desc = "slices of x at indices; indices clamp",
    .arity = 2,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_take,
    .host = WEIR_NESTS(take),
    .skeleton = "gather",
    .items = items_result,
    .vjp = weir_vjp_take,
    .jvp = weir_jvp_take,
    .cases = take_cases,
};

const struct weir_op weir_op_take_along = {
    .name = "take_along",
    .desc = "an element of x an index, along an axis; indices clamp",
    .arity = 2,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_take,
    .host = WEIR_NESTS(take_along),
    .skeleton = "gather",
    .items = items_result,
    .vjp = weir_vjp_take_along,
    .jvp = weir_jvp_take_along,
    .cases = take_along_cases,
};

const struct weir_op weir_op_scatter = {
    .name = "scatter",
    .desc = "base with updates stored in index order; out of range drops",
    .arity = 3,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_scatter,
    .host = WEIR_NESTS(scatter),
    .skeleton = "scatter",
    .items = items_columns,
    .vjp = weir_vjp_scatter,
    .jvp = weir_jvp_scatter,
    .cases = scatter_cases,
};

const struct weir_op weir_op_scatter_add = {
    .name = "scatter_add",
    .desc = "base with updates added in index order; out of range drops",
    .arity = 3,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_scatter_add,
    .host = WEIR_NESTS(scatter_add),
    .skeleton = "scatter",
    .items = items_columns,
    .vjp = weir_vjp_scatter_add,
    .jvp = weir_jvp_scatter_add,
    .cases = scatter_add_cases,
};

const struct weir_op weir_op_scatter_add_along = {
    .name = "scatter_add_along",
    .desc = "scatter_add with an index an element, along an axis",
    .arity = 3,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_scatter_add,
    .host = WEIR_NESTS(scatter_add_along),
    .skeleton = "scatter",
    .items = items_columns,
    .vjp = weir_vjp_scatter_add_along,
    .jvp = weir_jvp_scatter_add_along,
    .cases = scatter_add_along_cases,
};

const struct weir_op weir_op_dynamic_slice = {
    .name = "dynamic_slice",
    .desc = "a box of x at a start that is data; the start clamps",
    .arity = 2,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_dynamic_slice,
    .host = WEIR_NESTS(dynamic_slice),
    .skeleton = "dynamic",
    .items = items_result,
    .vjp = weir_vjp_dynamic_slice,
    .jvp = weir_jvp_dynamic_slice,
    .cases = dynamic_slice_cases,
};

const struct weir_op weir_op_dynamic_update = {
    .name = "dynamic_update",
    .desc = "x with a box replaced at a start that is data",
    .arity = 3,
    .cls = WEIR_OP_OPAQUE,
    .infer = infer_dynamic_update,
    .host = WEIR_NESTS(dynamic_update),
    .skeleton = "dynamic",
    .items = items_result,
    .vjp = weir_vjp_dynamic_update,
    .jvp = weir_jvp_dynamic_update,
    .cases = dynamic_update_cases,
};
