// SPDX-License-Identifier: Apache-2.0
// Rows of the contractions: batched matmul and the three convolutions. The order of their sums is
// in docs/numerics.md; nest_contract.c is the definition.
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

WEIR_NEST_DECLARE(matmul)
WEIR_NEST_DECLARE(conv)
WEIR_NEST_DECLARE(conv_input_grad)
WEIR_NEST_DECLARE(conv_weight_grad)

// f16 and bf16 operands widen exactly; an f32 operand beside one is rounded to its type. So the
// gradients of a contraction of such operands are contractions of such operands too.
static void meet(weir_value **a, weir_value **b)
{
    if (weir_is_poison(*a) || weir_is_poison(*b))
        return;
    enum weir_dtype ta = (*a)->type.dtype, tb = (*b)->type.dtype;
    if (ta == WEIR_F32 && weir_is_storage(tb))
        *a = weir_cast(*a, tb);
    else if (tb == WEIR_F32 && weir_is_storage(ta))
        *b = weir_cast(*b, ta);
}

// Floats, both of one type.
static bool are_floats(const struct weir_type *a, const struct weir_type *b)
{
    return a->dtype == b->dtype && weir_is_float(a->dtype);
}

// For 16-bit operands the loop nests take copies of them as f32.
static size_t widened(const weir_value *v)
{
    size_t n = 0;
    for (int i = 0; i < 2; i++)
        if (weir_is_storage(v->arg[i]->type.dtype))
            n += (size_t)weir_shape_size(&v->arg[i]->type.shape) * sizeof(float);
    return n;
}

// --- matmul ---

static const char *infer_matmul(weir_value *v)
{
    const struct weir_type *a = &v->arg[0]->type, *b = &v->arg[1]->type;
    bool ta = v->attrs.matmul.ta, tb = v->attrs.matmul.tb;
    if (!are_floats(a, b) && !(a->dtype == WEIR_I8 && b->dtype == WEIR_I8))
        return "operands must be floats of one type, or both i8";
    int ar = a->shape.rank, br = b->shape.rank, rank = ar > br ? ar : br;
    if (ar < 2 || br < 2)
        return "operands need at least two axes";
    if (a->shape.dim[ar - 1 - ta] != b->shape.dim[br - 2 + tb])
        return "the summed extents differ";
    struct weir_shape *out = &v->type.shape;
    out->rank = rank;
    for (int i = 1; i <= rank - 2; i++) { // from the innermost batch axis outwards
        int64_t da = i <= ar - 2 ? a->shape.dim[ar - 2 - i] : 1;
        int64_t db = i <= br - 2 ? b->shape.dim[br - 2 - i] : 1;
        if (da != db && da != 1 && db != 1)
            return "the batch axes do not broadcast";
        out->dim[rank - 2 - i] = da == 1 ? db : da;
    }
    out->dim[rank - 2] = a->shape.dim[ar - 2 + ta];
    out->dim[rank - 1] = b->shape.dim[br - 1 - tb];
    v->type.dtype = a->dtype == WEIR_I8 ? WEIR_I32 : WEIR_F32;
    return NULL;
}

weir_value *weir_matmul(weir_value *a, weir_value *b, bool ta, bool tb)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.matmul.ta = ta;
    attrs.matmul.tb = tb;
    meet(&a, &b);
    return weir_op_make(NULL, &weir_op_matmul, (weir_value *[]){a, b}, 2, &attrs);
}

static weir_value *build_matmul(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_matmul(in[0], in[1], c->p[0], c->p[1]);
}

static bool matmul_cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int batch_a[2], batch_b[2]; // 0 = the axis is absent
        int m, k, n;
        bool ta, tb;
        enum weir_fill fill;
        enum weir_dtype dtype;
    } rows[] = {
        {{0}, {0}, 1, 1, 1, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 2, 3, 4, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 13, 17, 11, true, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 7, 31, 37, false, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 5, 3, 2, true, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 3, 512, 5, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 5, 513, 33, false, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 2, 1537, 3, true, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 65, 64, 67, false, false, WEIR_FILL_INTS, WEIR_F32},
        {{0}, {0}, 127, 40, 1, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 1, 40, 129, false, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0, 3}, {0, 3}, 6, 5, 4, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{2, 1}, {0, 3}, 4, 5, 3, false, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0, 0}, {2, 3}, 3, 2, 5, true, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 0, 3, 4, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 3, 0, 4, false, false, WEIR_FILL_NORMAL, WEIR_F32},
        {{0, 0}, {0, 0}, 3, 4, 0, false, true, WEIR_FILL_NORMAL, WEIR_F32},
        {{0}, {0}, 5, 7, 9, false, false, WEIR_FILL_EXTREME, WEIR_F32},
        {{0}, {0}, 9, 600, 5, false, true, WEIR_FILL_EXTREME, WEIR_F32},
        {{0}, {0}, 33, 517, 50, false, true, WEIR_FILL_NORMAL, WEIR_BF16},
        {{0}, {0}, 37, 600, 33, true, false, WEIR_FILL_NORMAL, WEIR_F16},
        {{2, 1}, {0, 3}, 4, 5, 3, true, true, WEIR_FILL_NORMAL, WEIR_F16},
        {{0}, {0}, 5, 7, 9, false, false, WEIR_FILL_EXTREME, WEIR_BF16},
        {{0}, {0}, 9, 7, 5, false, true, WEIR_FILL_EXTREME, WEIR_F16},
        {{0}, {0}, 5, 33, 7, false, false, WEIR_FILL_NORMAL, WEIR_I8},
        {{0, 2}, {0, 1}, 3, 130, 17, true, true, WEIR_FILL_NORMAL, WEIR_I8},
    };
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    const struct weir_type zero = {0};
    for (int side = 0; side < 2; side++) {
        struct weir_type *t = &c->in[side];
        *t = zero;
        t->dtype = rows[idx].dtype;
        for (int a = 0; a < 2; a++) {
            int d = side ? rows[idx].batch_b[a] : rows[idx].batch_a[a];
            if (d > 0)
                t->shape.dim[t->shape.rank++] = d;
        }
        int64_t rc[2] = {side ? rows[idx].k : rows[idx].m, side ? rows[idx].n : rows[idx].k};
        bool swap = side ? rows[idx].tb : rows[idx].ta;
        t->shape.dim[t->shape.rank++] = rc[swap];
        t->shape.dim[t->shape.rank++] = rc[!swap];
        c->fill[side] = rows[idx].fill;
    }
    c->n_in = 2;
    c->p[0] = rows[idx].ta;
    c->p[1] = rows[idx].tb;
    c->build = build_matmul;
    c->no_grad = rows[idx].dtype != WEIR_F32 || rows[idx].fill == WEIR_FILL_EXTREME;
    snprintf(c->label, sizeof(c->label), "%dx%dx%d%s%s %s", rows[idx].m, rows[idx].k, rows[idx].n,
             rows[idx].ta ? " ta" : "", rows[idx].tb ? " tb" : "",
             rows[idx].dtype == WEIR_F32 ? "" : weir_dtype_name(rows[idx].dtype));
    return true;
}

const struct weir_op weir_op_matmul = {
    .name = "matmul",
    .desc = "batched matrix product, sums by the contraction rule",
    .arity = 2,
    .cls = WEIR_OP_CONTRACT,
    .infer = infer_matmul,
    .host = WEIR_NESTS(matmul),
    .scratch = widened,
    .vjp = weir_vjp_matmul,
    .jvp = weir_jvp_matmul,
    .cases = matmul_cases,
};

// --- convolutions ---

// Extent of a convolution's output along one spatial axis; -1 where the kernel does not fit.
static int64_t conv_extent(const struct weir_conv_attrs *p, int axis, int64_t in, int64_t kernel)
{
    int64_t room = in + p->pad_lo[axis] + p->pad_hi[axis] - p->dilation[axis] * (kernel - 1) - 1;
    return room < 0 ? -1 : room / p->stride[axis] + 1;
}

// Checks x, w, y (shapes of a forward convolution, one of them deduced) against each other.
static const char *check_conv(const struct weir_conv_attrs *p, const struct weir_shape *x,
                              const struct weir_shape *w, const struct weir_shape *y)
{
    int last = p->nd + 1;
    if (w->dim[last] * p->groups != x->dim[last])
        return "x's channels are not w's times groups";
    if (w->dim[0] % p->groups)
        return "groups does not divide the output channels";
    if (y->dim[0] != x->dim[0] || y->dim[last] != w->dim[0])
        return "batch or output channels differ";
    for (int a = 0; a < p->nd; a++) {
        if (w->dim[a + 1] < 1)
            return "the kernel is empty";
        int64_t extent = conv_extent(p, a, x->dim[a + 1], w->dim[a + 1]);
        if (extent < 0)
            return "the kernel is larger than the padded input";
        if (extent != y->dim[a + 1])
            return "spatial extents do not fit stride, padding and kernel";
    }
    return NULL;
}

// Both arguments floats with 1 to 3 spatial axes; sets attrs.nd. `out` is zeroed and gets the rank.
static const char *conv_begin(weir_value *v)
{
    const struct weir_type *a = &v->arg[0]->type, *b = &v->arg[1]->type;
    if (!are_floats(a, b))
        return "arguments must be floats of one type";
    if (a->shape.rank != b->shape.rank || a->shape.rank < 3 || a->shape.rank > 5)
        return "arguments need 1 to 3 spatial axes, the same number each";
    struct weir_conv_attrs *p = &v->attrs.conv;
    p->nd = a->shape.rank - 2;
    for (int i = 0; i < 3; i++)
        if (p->stride[i] < 1 || p->dilation[i] < 1 || p->pad_lo[i] < 0 || p->pad_hi[i] < 0)
            return "stride, dilation and padding may not be negative";
    if (p->groups < 1)
        return "groups may not be negative";
    for (int i = p->nd; i < 3;
         i++) { // unused entries are normal, so that equal calls compare equal
        p->stride[i] = p->dilation[i] = 1;
        p->pad_lo[i] = p->pad_hi[i] = p->size[i] = 0;
    }
    v->type.dtype = WEIR_F32;
    v->type.shape.rank = a->shape.rank;
    return NULL;
}

static const char *infer_conv(weir_value *v)
{
    const char *why = conv_begin(v);
    if (why)
        return why;
    const struct weir_conv_attrs *p = &v->attrs.conv;
    const struct weir_shape *x = &v->arg[0]->type.shape, *w = &v->arg[1]->type.shape;
    struct weir_shape *y = &v->type.shape;
    y->dim[0] = x->dim[0];
    y->dim[p->nd + 1] = w->dim[0];
    for (int a = 0; a < p->nd; a++)
        y->dim[a + 1] = conv_extent(p, a, x->dim[a + 1], w->dim[a + 1]);
    return check_conv(p, x, w, y);
}

static const char *infer_conv_input_grad(weir_value *v)
{
    const char *why = conv_begin(v);
    if (why)
        return why;
    const struct weir_conv_attrs *p = &v->attrs.conv;
    const struct weir_shape *y = &v->arg[0]->type.shape, *w = &v->arg[1]->type.shape;
    struct weir_shape *x = &v->type.shape;
    x->dim[0] = y->dim[0];
    x->dim[p->nd + 1] = w->dim[p->nd + 1] * p->groups;
    for (int a = 0; a < p->nd; a++)
        x->dim[a + 1] = p->size[a];
    return check_conv(p, x, w, y);
}

static const char *infer_conv_weight_grad(weir_value *v)
{
    const char *why = conv_begin(v);
    if (why)
        return why;
    const struct weir_conv_attrs *p = &v->attrs.conv;
    const struct weir_shape *x = &v->arg[0]->type.shape, *y = &v->arg[1]->type.shape;
    struct weir_shape *w = &v->type.shape;
    w->dim[0] = y->dim[p->nd + 1];
    w->dim[p->nd + 1] = x->dim[p->nd + 1] / p->groups;
    for (int a = 0; a < p->nd; a++)
        w->dim[a + 1] = p->size[a];
    return check_conv(p, x, w, y);
}

static weir_value *make_conv(const struct weir_op *op, weir_value *a, weir_value *b,
                             const int64_t *size, const struct weir_conv_params *params)
{
    const struct weir_conv_params none = {0}, *p = params ? params : &none;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    int nd = weir_is_poison(a) ? 0 : a->type.shape.rank - 2;
    for (int i = 0; i < 3; i++) {
        attrs.conv.stride[i] = p->stride[i] ? p->stride[i] : 1;
        attrs.conv.dilation[i] = p->dilation[i] ? p->dilation[i] : 1;
        attrs.conv.pad_lo[i] = p->pad_lo[i];
        attrs.conv.pad_hi[i] = p->pad_hi[i];
        attrs.conv.size[i] = size && i < nd ? size[i] : 0;
    }
    attrs.conv.groups = p->groups ? p->groups : 1;
    meet(&a, &b);
    return weir_op_make(NULL, op, (weir_value *[]){a, b}, 2, &attrs);
}

weir_value *weir_conv(weir_value *x, weir_value *w, const struct weir_conv_params *params)
{
    return make_conv(&weir_op_conv, x, w, NULL, params);
}

weir_value *weir_conv_input_grad(weir_value *dy, weir_value *w, const int64_t *size,
                                 const struct weir_conv_params *params)
{
    return make_conv(&weir_op_conv_input_grad, dy, w, size, params);
}

weir_value *weir_conv_weight_grad(weir_value *x, weir_value *dy, const int64_t *kernel,
                                  const struct weir_conv_params *params)
{
    return make_conv(&weir_op_conv_weight_grad, x, dy, kernel, params);
}

// One list of geometries serves the three rows. p: kind, nd, size[3], then the params.
enum { CASE_FORWARD, CASE_INPUT_GRAD, CASE_WEIGHT_GRAD };

static weir_value *build_conv(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    struct weir_conv_params p = {.groups = c->p[17]};
    for (int i = 0; i < 3; i++) {
        p.stride[i] = c->p[5 + i];
        p.dilation[i] = c->p[8 + i];
        p.pad_lo[i] = c->p[11 + i];
        p.pad_hi[i] = c->p[14 + i];
    }
    if (c->p[0] == CASE_INPUT_GRAD)
        return weir_conv_input_grad(in[0], in[1], c->p + 2, &p);
    if (c->p[0] == CASE_WEIGHT_GRAD)
        return weir_conv_weight_grad(in[0], in[1], c->p + 2, &p);
    return weir_conv(in[0], in[1], &p);
}

// clang-format off
static const struct conv_case {
    int n, in[3], cin, cout, ker[3]; // in[a] = 0: the axis is absent
    struct weir_conv_params p;
    enum weir_fill fill;
    enum weir_dtype dtype; // F32 is 0
} conv_rows[] = {
    {1, {1}, 1, 1, {1}, {{0}}, WEIR_FILL_NORMAL},
    {2, {9}, 3, 5, {3}, {.stride = {2}, .pad_lo = {1}, .pad_hi = {1}}, WEIR_FILL_NORMAL},
    {1, {23}, 2, 3, {4}, {.dilation = {3}, .pad_lo = {2}, .pad_hi = {5}}, WEIR_FILL_NORMAL},
    {2, {7, 5}, 3, 4, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {1, {8, 8}, 4, 6, {3, 3}, {.stride = {2, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1}},
     WEIR_FILL_NORMAL},
    {1, {8, 9}, 4, 6, {2, 3}, {.stride = {2, 3}, .dilation = {2, 1}, .pad_hi = {1, 2}, .groups = 2},
     WEIR_FILL_NORMAL},
    {2, {5, 6}, 6, 6, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}, .groups = 6}, WEIR_FILL_NORMAL},
    {3, {4, 4}, 17, 33, {1, 1}, {{0}}, WEIR_FILL_NORMAL},
    // 549 terms forward, then 783 for dw
    {1, {3, 5}, 61, 35, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {1, {27, 29}, 2, 3, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {2, {14, 14}, 32, 32, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_INTS},
    {1, {7, 7}, 1, 32, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {1, {7, 7}, 32, 1, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {1, {3, 4, 5}, 2, 3, {2, 3, 2}, {.stride = {1, 2, 1}, .pad_lo = {1, 0, 1}, .pad_hi = {0, 1, 1}},
     WEIR_FILL_NORMAL},
    {1, {4, 4, 4}, 4, 2, {3, 3, 3},
     {.stride = {2, 2, 2}, .dilation = {1, 2, 1}, .pad_lo = {1, 2, 1}, .pad_hi = {1, 2, 1},
      .groups = 2},
     WEIR_FILL_NORMAL},
    // whole taps in the padding
    {1, {5, 5}, 2, 2, {2, 2}, {.stride = {4, 4}, .pad_lo = {3, 0}, .pad_hi = {0, 3}},
     WEIR_FILL_NORMAL},
    {0, {4, 4}, 2, 3, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {2, {4, 4}, 0, 3, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL},
    {2, {4, 6}, 3, 2, {1, 2}, {.stride = {1, 2}}, WEIR_FILL_EXTREME}, // no absent terms
    {3, {14, 9}, 32, 40, {3, 3}, {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, WEIR_FILL_NORMAL, WEIR_BF16},
    {2, {7, 8}, 5, 33, {3, 2}, {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 0}},
     WEIR_FILL_NORMAL, WEIR_F16},
    {2, {6, 5}, 16, 6, {1, 1}, {.groups = 2}, WEIR_FILL_NORMAL, WEIR_F16},
};
// clang-format on

static void conv_types(const struct conv_case *r, struct weir_type *x, struct weir_type *w,
                       struct weir_type *y)
{
    const struct weir_type zero = {.dtype = r->dtype};
    *x = *w = *y = zero;
    int nd = 0, groups = r->p.groups ? (int)r->p.groups : 1;
    x->shape.dim[0] = y->shape.dim[0] = r->n;
    w->shape.dim[0] = r->cout;
    for (; nd < 3 && r->in[nd]; nd++) {
        int64_t stride = r->p.stride[nd] ? r->p.stride[nd] : 1,
                dilation = r->p.dilation[nd] ? r->p.dilation[nd] : 1;
        int64_t room =
            r->in[nd] + r->p.pad_lo[nd] + r->p.pad_hi[nd] - dilation * (r->ker[nd] - 1) - 1;
        x->shape.dim[nd + 1] = r->in[nd];
        w->shape.dim[nd + 1] = r->ker[nd];
        y->shape.dim[nd + 1] = room / stride + 1;
    }
    x->shape.dim[nd + 1] = r->cin;
    w->shape.dim[nd + 1] = r->cin / groups;
    y->shape.dim[nd + 1] = r->cout;
    x->shape.rank = w->shape.rank = y->shape.rank = nd + 2;
}

static bool conv_case(int idx, struct weir_op_case *c, int kind)
{
    if (idx >= (int)WEIR_COUNT(conv_rows))
        return false;
    const struct conv_case *r = &conv_rows[idx];
    struct weir_type x, w, y;
    conv_types(r, &x, &w, &y);
    c->in[0] = kind == CASE_INPUT_GRAD ? y : x;
    c->in[1] = kind == CASE_WEIGHT_GRAD ? y : w;
    c->fill[0] = c->fill[1] = r->fill;
    c->n_in = 2;
    c->build = build_conv;
    c->no_grad = r->fill == WEIR_FILL_EXTREME || r->dtype != WEIR_F32;
    c->p[0] = kind;
    c->p[1] = x.shape.rank - 2;
    for (int i = 0; i < 3; i++) {
        c->p[2 + i] = kind == CASE_INPUT_GRAD ? r->in[i] : r->ker[i];
        c->p[5 + i] = r->p.stride[i];
        c->p[8 + i] = r->p.dilation[i];
        c->p[11 + i] = r->p.pad_lo[i];
        c->p[14 + i] = r->p.pad_hi[i];
    }
    c->p[17] = r->p.groups;
    snprintf(c->label, sizeof(c->label), "n%d %dx%dx%d %d->%d k%dx%dx%d g%d %s", r->n, r->in[0],
             r->in[1], r->in[2], r->cin, r->cout, r->ker[0], r->ker[1], r->ker[2],
             (int)r->p.groups, r->dtype == WEIR_F32 ? "" : weir_dtype_name(r->dtype));
    return true;
}

static bool conv_cases(int idx, struct weir_op_case *c)
{
    return conv_case(idx, c, CASE_FORWARD);
}

static bool conv_input_grad_cases(int idx, struct weir_op_case *c)
{
    return conv_case(idx, c, CASE_INPUT_GRAD);
}

static bool conv_weight_grad_cases(int idx, struct weir_op_case *c)
{
    return conv_case(idx, c, CASE_WEIGHT_GRAD);
}

const struct weir_op weir_op_conv = {
    .name = "conv",
    .desc = "convolution, 1 to 3 spatial axes, sums over (tap.., ci)",
    .arity = 2,
    .cls = WEIR_OP_CONTRACT,
    .infer = infer_conv,
    .host = WEIR_NESTS(conv),
    .scratch = widened,
    .vjp = weir_vjp_conv,
    .jvp = weir_jvp_conv,
    .cases = conv_cases,
};

const struct weir_op weir_op_conv_input_grad = {
    .name = "conv_input_grad",
    .desc = "its gradient for x (transposed convolution), sums over (tap.., co)",
    .arity = 2,
    .cls = WEIR_OP_CONTRACT,
    .infer = infer_conv_input_grad,
    .host = WEIR_NESTS(conv_input_grad),
    .scratch = widened,
    .vjp = weir_vjp_conv_input_grad,
    .jvp = weir_jvp_conv_input_grad,
    .cases = conv_input_grad_cases,
};

const struct weir_op weir_op_conv_weight_grad = {
    .name = "conv_weight_grad",
    .desc = "its gradient for w, sums over (n, out..)",
    .arity = 2,
    .cls = WEIR_OP_CONTRACT,
    .infer = infer_conv_weight_grad,
    .host = WEIR_NESTS(conv_weight_grad),
    .scratch = widened,
    .vjp = weir_vjp_conv_weight_grad,
    .jvp = weir_jvp_conv_weight_grad,
    .cases = conv_weight_grad_cases,
};
