// SPDX-License-Identifier: Apache-2.0
// The rows of rewrite.h. None moves a factor through a sum or a contraction, none reorders a sum, none
// makes or splits an fma, none drops a cast that rounds: those change bits.
#include "compile/rewrite.h"

#include <math.h>
#include <string.h>

#include "graph/ops/rows.h"

const weir_value *weir_uniform(const weir_value *v)
{
    if (weir_shape_size(&v->type.shape) == 0)
        return NULL;
    while (v->op->cls == WEIR_OP_VIEW)
        v = v->arg[0];
    return v->op == &weir_op_constant && weir_shape_size(&v->type.shape) == 1 ? v : NULL;
}

// Whether v repeats the f32 (or, where `integer` is not NULL, the 32-bit integer) with these bits.
static bool is_f32(const weir_value *v, float c)
{
    const weir_value *k = weir_uniform(v);
    return k && k->type.dtype == WEIR_F32 && memcmp(k->attrs.constant.data, &c, sizeof(c)) == 0;
}

static bool is_int(const weir_value *v, uint32_t c)
{
    const weir_value *k = weir_uniform(v);
    return k && (k->type.dtype == WEIR_I32 || k->type.dtype == WEIR_U32) &&
           memcmp(k->attrs.constant.data, &c, sizeof(c)) == 0;
}

// --- arithmetic with a neutral operand ---

static weir_value *mul_one(struct weir_rewriter *r, weir_value *v)
{
    if (v->op != &weir_op_mul)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (is_f32(v->arg[i], 1.0f) || is_int(v->arg[i], 1))
            return v->arg[1 - i];
    return NULL;
}

// Rounds the same number, and is no product for anything: Intel's CPU compiler (2026.2) makes this
// addition of it too, but contracts it then with a product among its operands.
static weir_value *fma_one(struct weir_rewriter *r, weir_value *v)
{
    if (v->op != &weir_op_fma)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (is_f32(v->arg[i], 1.0f))
            return weir_rewrite_make(r, &weir_op_add, (weir_value *[]){v->arg[1 - i], v->arg[2]}, 2,
                                     NULL, &v->type, v);
    return NULL;
}

static weir_value *sub_zero(struct weir_rewriter *r, weir_value *v)
{
    bool legal = v->op == &weir_op_sub && (is_f32(v->arg[1], 0.0f) || is_int(v->arg[1], 0));
    return legal ? v->arg[0] : NULL;
}

static weir_value *add_minus_zero(struct weir_rewriter *r, weir_value *v)
{
    if (v->op != &weir_op_add)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (is_f32(v->arg[i], -0.0f) || is_int(v->arg[i], 0))
            return v->arg[1 - i];
    return NULL;
}

static weir_value *neg_neg(struct weir_rewriter *r, weir_value *v)
{
    bool legal = v->op == &weir_op_neg && v->arg[0]->op == &weir_op_neg;
    return legal ? v->arg[0]->arg[0] : NULL;
}

static weir_value *twice(struct weir_rewriter *r, weir_value *v)
{
    if (v->op != &weir_op_mul)
        return NULL;
    for (int i = 0; i < 2; i++) {
        weir_value *x = v->arg[1 - i];
        if (is_f32(v->arg[i], 2.0f))
            return weir_rewrite_make(r, &weir_op_add, (weir_value *[]){x, x}, 2, NULL, &v->type, v);
    }
    return NULL;
}

// x / ±2^k: the reciprocal is exact, so both round the same number. Only normal reciprocals are
// taken.
static weir_value *div_power_of_two(struct weir_rewriter *r, weir_value *v)
{
    const weir_value *k = v->op == &weir_op_div ? weir_uniform(v->arg[1]) : NULL;
    if (!k || k->type.dtype != WEIR_F32)
        return NULL;
    float c;
    int exponent;
    memcpy(&c, k->attrs.constant.data, sizeof(c));
    if (!isfinite(c) || fabsf(frexpf(c, &exponent)) != 0.5f || exponent < -126 || exponent > 127)
        return NULL;
    float inverse = 1.0f / c;
    weir_value *factor = weir_rewrite_constant(r, &k->type, &inverse, v->arg[1]);
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.shape = v->type.shape;
    if (factor && !weir_shape_equal(&factor->type.shape, &v->type.shape))
        factor = weir_rewrite_make(r, &weir_op_broadcast, &factor, 1, &attrs, &v->type, v);
    if (!factor)
        return NULL;
    return weir_rewrite_make(r, &weir_op_mul, (weir_value *[]){v->arg[0], factor}, 2, NULL,
                             &v->type, v);
}

static weir_value *select_known(struct weir_rewriter *r, weir_value *v)
{
    const weir_value *k = v->op == &weir_op_select ? weir_uniform(v->arg[0]) : NULL;
    return k ? v->arg[*(const unsigned char *)k->attrs.constant.data ? 1 : 2] : NULL;
}

// --- views ---

static weir_value *view_nothing(struct weir_rewriter *r, weir_value *v)
{
    if (v->op == &weir_op_stop_gradient)
        return v->arg[0];
    if (v->op->cls != WEIR_OP_VIEW || !weir_shape_equal(&v->type.shape, &v->arg[0]->type.shape))
        return NULL;
    for (int a = 0; a < v->type.shape.rank; a++) {
        if (v->op == &weir_op_permute && v->attrs.permute.perm[a] != a)
            return NULL;
        if (v->op == &weir_op_slice && v->type.shape.dim[a] > 0 &&
            (v->attrs.slice.start[a] != 0 ||
             (v->attrs.slice.step[a] != 1 && v->type.shape.dim[a] > 1)))
            return NULL;
    }
    return v->arg[0];
}

// A view of one repeated constant is that constant, broadcast.
static weir_value *view_of_uniform(struct weir_rewriter *r, weir_value *v)
{
    if (v->op->cls != WEIR_OP_VIEW ||
        (v->op == &weir_op_broadcast && v->arg[0]->type.shape.rank == 0))
        return NULL;
    const weir_value *k = weir_uniform(v);
    if (!k)
        return NULL;
    struct weir_type scalar = {.dtype = v->type.dtype};
    weir_value *c = weir_rewrite_constant(r, &scalar, k->attrs.constant.data, k);
    if (!c || v->type.shape.rank == 0)
        return c;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.shape = v->type.shape;
    return weir_rewrite_make(r, &weir_op_broadcast, &c, 1, &attrs, &v->type, v);
}

static weir_value *view_on_view(struct weir_rewriter *r, weir_value *v)
{
    if (v->op->cls != WEIR_OP_VIEW || v->arg[0]->op != v->op)
        return NULL;
    const weir_value *u = v->arg[0];
    weir_value *x = u->arg[0];
    union weir_attrs attrs = v->attrs; // reshape, broadcast: the outer shape stands
    for (int a = 0; a < v->type.shape.rank; a++) {
        if (v->op == &weir_op_permute)
            attrs.permute.perm[a] = u->attrs.permute.perm[v->attrs.permute.perm[a]];
        if (v->op == &weir_op_slice) {
            attrs.slice.start[a] =
                u->attrs.slice.start[a] + v->attrs.slice.start[a] * u->attrs.slice.step[a];
            attrs.slice.step[a] = u->attrs.slice.step[a] * v->attrs.slice.step[a];
        }
    }
    return weir_rewrite_make(r, v->op, &x, 1, &attrs, &v->type, v);
}

// --- storage types ---

// f32 of f16 or bf16, which is exact.
static bool widens(const weir_value *v)
{
    return v->op == &weir_op_cast && v->type.dtype == WEIR_F32 && weir_is_storage(v->arg[0]->type.dtype);
}

static weir_value *narrow_widened(struct weir_rewriter *r, weir_value *v)
{
    bool back = v->op == &weir_op_cast && widens(v->arg[0]) && v->arg[0]->arg[0]->type.dtype == v->type.dtype;
    return back ? v->arg[0]->arg[0] : NULL;
}

// The views come first, so that whoever reads them reads the 16 bits.
static weir_value *view_widened(struct weir_rewriter *r, weir_value *v)
{
    if (v->op->cls != WEIR_OP_VIEW || !widens(v->arg[0]))
        return NULL;
    weir_value *x = v->arg[0]->arg[0];
    struct weir_type type = {.dtype = x->type.dtype, .shape = v->type.shape};
    x = weir_rewrite_make(r, v->op, &x, 1, &v->attrs, &type, v);
    return x ? weir_rewrite_make(r, &weir_op_cast, &x, 1, &v->arg[0]->attrs, &v->type, v) : NULL;
}

static weir_value *concat_widened(struct weir_rewriter *r, weir_value *v)
{
    weir_value *x[4];
    if (v->op != &weir_op_concat || v->arity < 1 || v->arity > 4)
        return NULL;
    for (int i = 0; i < v->arity; i++) {
        if (!widens(v->arg[i]) || v->arg[i]->arg[0]->type.dtype != v->arg[0]->arg[0]->type.dtype)
            return NULL;
        x[i] = v->arg[i]->arg[0];
    }
    struct weir_type type = {.dtype = x[0]->type.dtype, .shape = v->type.shape};
    weir_value *y = weir_rewrite_make(r, v->op, x, v->arity, &v->attrs, &type, v);
    return y ? weir_rewrite_make(r, &weir_op_cast, &y, 1, &v->arg[0]->attrs, &v->type, v) : NULL;
}

// --- sums ---

// Column axes are summed one at a time, the outermost last: that last step may as well be an operation
// of its own. So the sum over a batch's pixels can join the kernel that made them, image by image.
static weir_value *sum_batch_last(struct weir_rewriter *r, weir_value *v)
{
    if (v->op != &weir_op_sum)
        return NULL;
    const struct weir_shape *s = &v->arg[0]->type.shape;
    uint32_t axes = v->attrs.reduce.axes;
    int inner = s->rank - 1, columns = 0;
    if (s->rank < 2 || !(axes & 1) || s->dim[0] < 2 || weir_shape_size(s) == 0)
        return NULL;
    while (inner > 0 && s->dim[inner] == 1)
        inner--;
    if (axes >> inner & 1)
        return NULL; // innermost axes are summed as rows, after the columns
    for (int i = 1; i < inner; i++)
        columns += (axes >> i & 1) && s->dim[i] > 1;
    if (columns == 0)
        return NULL;
    union weir_attrs rest = v->attrs, batch = v->attrs;
    rest.reduce.axes = axes & ~1u;
    batch.reduce.axes = 1;
    struct weir_type type = v->type;
    type.shape.dim[0] = s->dim[0];
    weir_value *each = weir_rewrite_make(r, v->op, v->arg, 1, &rest, &type, v);
    return each ? weir_rewrite_make(r, v->op, &each, 1, &batch, &v->type, v) : NULL;
}

// --- constants ---

// An elementwise operation on repeated constants: computed once, broadcast. Anything else on small
// constants: computed by its loop nest.
static weir_value *fold_uniform(struct weir_rewriter *r, weir_value *v)
{
    weir_value *scalar[3];
    if (v->op->cls != WEIR_OP_MAP || v->arity > 3 || v->type.shape.rank == 0 ||
        weir_shape_size(&v->type.shape) == 0)
        return NULL;
    for (int i = 0; i < v->arity; i++) {
        const weir_value *k = weir_uniform(v->arg[i]);
        struct weir_type type = {.dtype = v->arg[i]->type.dtype};
        scalar[i] = k ? weir_rewrite_constant(r, &type, k->attrs.constant.data, k) : NULL;
        if (!scalar[i])
            return NULL;
    }
    struct weir_type type = {.dtype = v->type.dtype};
    weir_value *y = weir_rewrite_make(r, v->op, scalar, v->arity, &v->attrs, &type, v);
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.shape = v->type.shape;
    return y ? weir_rewrite_make(r, &weir_op_broadcast, &y, 1, &attrs, &v->type, v) : NULL;
}

// --- rows ---

#define ROW(name_, desc_)                                                                          \
    static const struct weir_rewrite row_##name_ = {.name = #name_, .desc = desc_, .apply = name_}
ROW(mul_one, "x 1 = x");
ROW(fma_one, "fma(x, 1, y) = x + y");
ROW(sub_zero, "x - (+0) = x");
ROW(add_minus_zero, "x + (-0) = x; integers: x + 0 = x");
ROW(neg_neg, "--x = x");
ROW(twice, "x 2 = x + x");
ROW(div_power_of_two, "x / 2^k = x 2^-k");
ROW(select_known, "select(true, a, b) = a");
ROW(view_nothing, "a view that changes nothing; stop_gradient");
ROW(view_of_uniform, "a view of a repeated constant is a broadcast");
ROW(view_on_view, "reshape, permute, broadcast or slice of the same kind");
ROW(narrow_widened, "widening a storage type and rounding back");
ROW(view_widened, "a view of a widened value is a widened view");
ROW(concat_widened, "widened values side by side are what lies side by side, widened");
ROW(sum_batch_last, "sum over axis 0 and others before a kept axis: first the others, then axis 0");
ROW(fold_uniform, "elementwise on repeated constants: once, then broadcast");

const struct weir_rewrite *const weir_rewrites[] = {
    &row_view_nothing, &row_view_of_uniform,  &row_view_on_view,   &row_fold_uniform,
    &row_mul_one,      &row_fma_one,          &row_sub_zero,       &row_add_minus_zero,
    &row_neg_neg,      &row_twice,            &row_div_power_of_two, &row_select_known,
    &row_narrow_widened, &row_view_widened,   &row_concat_widened,
    &row_sum_batch_last,   NULL,
};
