// SPDX-License-Identifier: Apache-2.0
// Rows and public functions of the elementwise operations, made from map.def. Two-argument
// functions broadcast as NumPy does; add and sub may make an fma (docs/numerics.md, contraction).
#include <stdio.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

enum {
    F = 1 << WEIR_F32,
    FI = F | 1 << WEIR_I32,
    FIU = FI | 1 << WEIR_U32,
    FIUB = FIU | 1 << WEIR_BOOL,
    IU = 1 << WEIR_I32 | 1 << WEIR_U32,
    IUB = IU | 1 << WEIR_BOOL,
};

// Checks arguments `from`.. to have one dtype out of `types`, and all to have one shape.
static const char *infer_map(weir_value *v, unsigned types, int from)
{
    const struct weir_type *t = &v->arg[from]->type;
    if (!(types >> t->dtype & 1))
        return "not for this dtype (cast first)";
    for (int i = 0; i < v->arity; i++) {
        if (i >= from && v->arg[i]->type.dtype != t->dtype)
            return "dtypes differ (cast first)";
        if (!weir_shape_equal(&v->arg[i]->type.shape, &t->shape))
            return "shapes differ";
    }
    v->type = *t;
    return NULL;
}

bool weir_broadcast_shapes(const struct weir_shape *a, const struct weir_shape *b,
                           struct weir_shape *out)
{
    memset(out, 0, sizeof(*out));
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        int ia = i - (out->rank - a->rank), ib = i - (out->rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        out->dim[i] = da == 1 ? db : da;
    }
    return true;
}

weir_value *weir_broadcast_to(weir_value *x, const struct weir_shape *shape)
{
    if (weir_is_poison(x) || weir_shape_equal(&x->type.shape, shape))
        return x;
    return weir_broadcast(x, *shape);
}

// Makes the node over arguments broadcast to one shape.
static weir_value *make_map(const struct weir_op *op, weir_value *const *x, int n)
{
    struct weir_shape shape = { 0 }, sum;
    weir_value *arg[3];
    for (int i = 0; i < n; i++) {
        if (weir_is_poison(x[i])) // the constructor passes it on, or reports a NULL
            return weir_op_make(NULL, op, x, n, NULL);
        if (!weir_broadcast_shapes(&shape, &x[i]->type.shape, &sum)) {
            char a[128], b[128];
            return weir_graph_fail(x[i]->graph, "%s: shapes %s and %s do not broadcast", op->name,
                                   weir_shape_text(&shape, a, sizeof(a)),
                                   weir_shape_text(&x[i]->type.shape, b, sizeof(b)));
        }
        shape = sum;
    }
    for (int i = 0; i < n; i++)
        arg[i] = weir_broadcast_to(x[i], &shape);
    return weir_op_make(NULL, op, arg, n, NULL);
}

// Whether adding `x` to something of `shape` contracts: x is a product of floats, not seen through
// a view, so it must have the sum's shape already.
static bool is_product(const weir_value *x, const struct weir_shape *shape)
{
    return x->op == &weir_op_mul && x->type.dtype == WEIR_F32 &&
           weir_shape_equal(&x->type.shape, shape);
}

weir_value *weir_add(weir_value *a, weir_value *b)
{
    struct weir_shape shape;
    if (!weir_is_poison(a) && !weir_is_poison(b) &&
        a->type.dtype == b->type.dtype &&
        weir_broadcast_shapes(&a->type.shape, &b->type.shape, &shape)) {
        if (is_product(b, &shape))
            return weir_fma(b->arg[0], b->arg[1], a);
        if (is_product(a, &shape))
            return weir_fma(a->arg[0], a->arg[1], b);
    }
    return make_map(&weir_op_add, (weir_value *[]) { a, b }, 2);
}

weir_value *weir_sub(weir_value *a, weir_value *b)
{
    struct weir_shape shape;
    if (!weir_is_poison(a) && !weir_is_poison(b) &&
        a->type.dtype == b->type.dtype &&
        weir_broadcast_shapes(&a->type.shape, &b->type.shape, &shape)) {
        if (is_product(b, &shape))
            return weir_fma(weir_neg(b->arg[0]), b->arg[1], a);
        if (is_product(a, &shape))
            return weir_fma(a->arg[0], a->arg[1], weir_neg(b));
    }
    return make_map(&weir_op_sub, (weir_value *[]) { a, b }, 2);
}

weir_value *weir_add_c(weir_value *x, double c)
{
    return weir_is_poison(x) ? x : weir_add(x, weir_f32(x->graph, c));
}

weir_value *weir_mul_c(weir_value *x, double c)
{
    return weir_is_poison(x) ? x : weir_mul(x, weir_f32(x->graph, c));
}

// Test cases: each dtype of the row over these layouts; leaves are larger than what `build` uses of
// them where a layout cuts or turns them.
enum layout { ONE, PRIME, EMPTY, BROADCAST, TURNED, CUT, EDGES, N_LAYOUTS };

static bool map_case(int idx, struct weir_op_case *c, int n_in, unsigned types, enum weir_fill fill,
                     bool no_rules)
{
    static const char *const names[] = { "one", "prime", "empty", "broadcast", "turned", "cut",
                                         "edges" };
    static const enum weir_dtype dtypes[] = { WEIR_F32, WEIR_I32, WEIR_U32, WEIR_BOOL };
    enum layout layout = (enum layout)(idx % N_LAYOUTS);
    int k = idx / N_LAYOUTS, d = 0;
    for (; d < 4; d++)
        if (types >> dtypes[d] & 1 && k-- == 0)
            break;
    if (d == 4)
        return false;
    enum weir_fill f = layout == EDGES ? WEIR_FILL_EXTREME : fill;
    snprintf(c->label, sizeof(c->label), "%s %s", weir_dtype_name(dtypes[d]), names[layout]);
    c->p[0] = layout;
    c->no_grad = no_rules || dtypes[d] != WEIR_F32 || layout == EDGES;
    for (int i = 0; i < n_in; i++) {
        static const int64_t dims[N_LAYOUTS][4] = {
            [ONE] = { 1, -1 }, [PRIME] = { 257, -1 }, [EMPTY] = { 3, 0, -1 },
            [BROADCAST] = { 5, 3, 26, -1 }, [TURNED] = { 13, 7, -1 }, [CUT] = { 9, 36, -1 },
            [EDGES] = { 2311, -1 } };
        static const int64_t column[] = { 3, 1, -1 }, last[] = { 26, -1 };
        const int64_t *shape = dims[layout];
        if (layout == BROADCAST && i > 0)
            shape = i == 1 ? column : last;
        weir_case_input(c, dtypes[d], f, shape);
    }
    return true;
}

// The i-th argument as the case's layout wants it.
static weir_value *laid_out(weir_value *x, int i, const struct weir_op_case *c)
{
    if (c->p[0] == TURNED && i == 0)
        return weir_transpose(weir_reshape(x, weir_shape(7, 13)), 0, 1);
    if (c->p[0] == CUT)
        return i == 1 ? weir_slice(x, 1, 3, 21, 1)
                      : weir_flip(weir_slice(x, 1, 1, INT64_MAX, 2), i > 1);
    return x;
}

#define WITH_RULES(name) .vjp = weir_vjp_##name, .jvp = weir_jvp_##name,
#define NO_RULES(name)
#define SMOOTH_WITH_RULES false
#define SMOOTH_NO_RULES true
#define SAME
#define TRUTH v->type.dtype = WEIR_BOOL;

#define ROW(name_, n, types_, result_, fill_, rules_, cost_, desc_)                              \
    WEIR_NEST_DECLARE(name_)                                                                     \
    static const char *infer_##name_(weir_value *v)                                              \
    {                                                                                            \
        const char *why = infer_map(v, types_, 0);                                               \
        result_                                                                                  \
        return why;                                                                              \
    }                                                                                            \
    static bool cases_##name_(int idx, struct weir_op_case *c)                                   \
    {                                                                                            \
        c->build = build_##name_;                                                                \
        c->fixed = &weir_op_##name_ == &weir_op_igamma; /* differentiable in x alone */          \
        return map_case(idx, c, n, types_, WEIR_FILL_##fill_, SMOOTH_##rules_);                  \
    }                                                                                            \
    const struct weir_op weir_op_##name_ = {                                                     \
        .name = #name_, .desc = desc_, .arity = n, .cls = WEIR_OP_MAP, .scalar = #name_,         \
        .instructions = cost_, .infer = infer_##name_, .host = WEIR_NESTS(name_), rules_(name_)  \
        .cases = cases_##name_ };

#define BUILD1(name)                                                                             \
    static weir_value *build_##name(weir_graph *g, weir_value *const *in,                        \
                                    const struct weir_op_case *c)                                \
    {                                                                                            \
        return weir_##name(laid_out(in[0], 0, c));                                               \
    }
#define BUILD2(name)                                                                             \
    static weir_value *build_##name(weir_graph *g, weir_value *const *in,                        \
                                    const struct weir_op_case *c)                                \
    {                                                                                            \
        return weir_##name(laid_out(in[0], 0, c), laid_out(in[1], 1, c));                        \
    }
#define BUILD3(name)                                                                             \
    static weir_value *build_##name(weir_graph *g, weir_value *const *in,                        \
                                    const struct weir_op_case *c)                                \
    {                                                                                            \
        return weir_##name(laid_out(in[0], 0, c), laid_out(in[1], 1, c), laid_out(in[2], 2, c)); \
    }

#define WEIR_MAP1(name, types, result, fill, rules, cost, desc)                                   \
    weir_value *weir_##name(weir_value *x)                                                       \
    {                                                                                            \
        return make_map(&weir_op_##name, &x, 1);                                                 \
    }                                                                                            \
    BUILD1(name)                                                                                 \
    ROW(name, 1, types, result, fill, rules, cost, desc)
#define WEIR_MAP2(name, types, result, fill, rules, cost, desc)                                   \
    weir_value *weir_##name(weir_value *a, weir_value *b)                                        \
    {                                                                                            \
        return make_map(&weir_op_##name, (weir_value *[]) { a, b }, 2);                          \
    }                                                                                            \
    BUILD2(name)                                                                                 \
    ROW(name, 2, types, result, fill, rules, cost, desc)
#define WEIR_MAP2_CONTRACTING(name, types, result, fill, rules, cost, desc)                       \
    BUILD2(name)                                                                                 \
    ROW(name, 2, types, result, fill, rules, cost, desc)
#define WEIR_MAP3(name, types, result, fill, rules, cost, desc)                                   \
    weir_value *weir_##name(weir_value *a, weir_value *b, weir_value *c)                         \
    {                                                                                            \
        return make_map(&weir_op_##name, (weir_value *[]) { a, b, c }, 3);                       \
    }                                                                                            \
    BUILD3(name)                                                                                 \
    ROW(name, 3, types, result, fill, rules, cost, desc)
#include "graph/ops/map.def"

weir_value *weir_select(weir_value *cond, weir_value *a, weir_value *b)
{
    return make_map(&weir_op_select, (weir_value *[]) { cond, a, b }, 3);
}

static const char *infer_select(weir_value *v)
{
    if (v->arg[0]->type.dtype != WEIR_BOOL)
        return "the condition must be bool";
    return infer_map(v, FIUB, 1);
}

static weir_value *build_select(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_select(laid_out(in[0], 0, c), laid_out(in[1], 1, c), laid_out(in[2], 2, c));
}

static bool cases_select(int idx, struct weir_op_case *c)
{
    c->build = build_select;
    if (!map_case(idx, c, 3, FIUB, WEIR_FILL_NORMAL, false))
        return false;
    c->in[0].dtype = WEIR_BOOL;
    return true;
}

WEIR_NEST_DECLARE(select)
const struct weir_op weir_op_select = {
    .name = "select", .desc = "c ? a : b", .arity = 3, .cls = WEIR_OP_MAP, .scalar = "select",
    .instructions = 2, .infer = infer_select, .host = WEIR_NESTS(select),
    WITH_RULES(select) .cases = cases_select };

weir_value *weir_cast(weir_value *x, enum weir_dtype dtype)
{
    if (weir_is_poison(x) || x->type.dtype == dtype)
        return x;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.cast.dtype = dtype;
    return weir_op_make(NULL, &weir_op_cast, &x, 1, &attrs);
}

static const char *infer_cast(weir_value *v)
{
    v->type = v->arg[0]->type;
    v->type.dtype = v->attrs.cast.dtype;
    return NULL;
}

static weir_value *build_cast(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *x = weir_cast(in[0], (enum weir_dtype)c->p[1]);
    return weir_cast(laid_out(x, 0, c), (enum weir_dtype)c->p[2]);
}

// From every dtype to every other, over ordinary and extreme values. Inputs have computing dtypes;
// a storage dtype is reached by a first cast.
static bool cases_cast(int idx, struct weir_op_case *c)
{
    int from = idx % WEIR_N_DTYPES, to = idx / WEIR_N_DTYPES % WEIR_N_DTYPES;
    int layout = idx / (WEIR_N_DTYPES * WEIR_N_DTYPES);
    static const enum layout layouts[] = { EDGES, CUT, PRIME };
    if (layout == 3)
        return false;
    c->build = build_cast;
    c->p[0] = layouts[layout];
    c->p[1] = from;
    c->p[2] = to;
    bool real = from == WEIR_F32 || from == WEIR_F16 || from == WEIR_BF16;
    enum weir_dtype dtype = real ? WEIR_F32 : from == WEIR_I8 ? WEIR_I32 : (enum weir_dtype)from;
    snprintf(c->label, sizeof(c->label), "%s to %s, layout %d",
             weir_dtype_name((enum weir_dtype)from), weir_dtype_name((enum weir_dtype)to), layout);
    c->no_grad = true; // storage casts are steps; the rule is checked where both ends are f32
    weir_case_input(c, dtype, layout ? WEIR_FILL_NORMAL : WEIR_FILL_EXTREME,
                    layout == 0   ? weir_dims(2311)
                    : layout == 1 ? weir_dims(9, 36)
                                  : weir_dims(257));
    return true;
}

WEIR_NEST_DECLARE(cast)
const struct weir_op weir_op_cast = {
    .name = "cast", .desc = "another dtype; to float16 and bfloat16 rounds to nearest even",
    .arity = 1, .cls = WEIR_OP_MAP, .scalar = "cast", .instructions = 8, .infer = infer_cast,
    .host = WEIR_NESTS(cast),
    WITH_RULES(cast) .cases = cases_cast };
