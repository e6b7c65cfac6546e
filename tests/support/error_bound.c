// SPDX-License-Identifier: Apache-2.0
// The bounds of error_bound.h. u = 2^-24, e is the bound of an argument x:
//
//   map       ulps(op) ulp(y) + sum_i max |f(x_i +- e_i) - f(x)|; f is the double loop nest itself
//   sum       n u sum |x| + sum e                      (any order: Higham, 4.2)
//   contract  (K + 2) u |a||b| + (|a| + e)(|b| + e) - |a||b|, by the loop nest on those
//   moves     e moves as x does
//
// Fast mode (test_bound_fast): a function of the device has the ulps that OpenCL 1.2 allows it
// (table 7.4.1), or those that follow for what is made of it; in sums and contractions, whose
// bounds hold for any order and any mix of fma, nothing changes; an fma may be a product and a sum,
// each rounded; any result below 2^-126 may be 0. With a matrix engine (test_bound_engine) a
// contraction has, in place of u, 5/2 u and (K + 16) terms, and of floats rounded to tf32 (2 2^-11
// + 2^-22) |a||b| more.
//
//   others    8 times the largest change that random changes of 4 n u max |x| make (backward
//   stable)
//
// A result that no float holds is +-infinity; one that may or may not be has an infinite bound.
#include "support/error_bound.h"

#include <float.h>
#include <math.h>
#include <scalar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/engine.h"
#include "graph/ops/rows.h"
#include "graph/view.h"
#include "support/op_case.h"
#include "support/support.h"

#define U 0x1p-24
enum { MAX_PARTS = 4, MAX_ARGS = 48 };

bool test_bound_fast, test_bound_rounds;
enum test_engine test_bound_engine;

struct node {
    void *val[MAX_PARTS];
    double *err[MAX_PARTS]; // floats only
    bool unsure;            // integers that hang on rounded floats
};

static const struct weir_type *type_of(const weir_value *v, int part)
{
    return v->parts ? &v->parts[part] : &v->type;
}

static int64_t count(const struct weir_type *t)
{
    return weir_shape_size(&t->shape);
}

static void *new_array(const struct weir_type *t)
{
    void *p = calloc((size_t)count(t) + 1, sizeof(double));
    ck_assert_ptr_nonnull(p);
    return p;
}

// Runs the double loop nest of v on arrays for its arguments.
static void call(weir_value *v, void *const *in, void *const *out, const union weir_attrs *attrs)
{
    struct weir_nd nd[MAX_ARGS + MAX_PARTS];
    void *ptr[MAX_ARGS + MAX_PARTS + 1];
    int n = v->arity;
    ck_assert_int_le(n, MAX_ARGS);
    ck_assert_msg(v->op->host.isa[WEIR_ISA_F64] != NULL, "%s has no loop nest", v->op->name);
    for (int i = 0; i < n + v->n_parts; i++) {
        const struct weir_type *t = i < n ? &v->arg[i]->type : type_of(v, i - n);
        nd[i].dtype = t->dtype;
        nd[i].rank = t->shape.rank;
        memcpy(nd[i].dim, t->shape.dim, sizeof(nd[i].dim));
        weir_strides(&t->shape, nd[i].stride);
        ptr[i] = i < n ? in[i] : out[i - n];
    }
    ptr[n + v->n_parts] = malloc((v->op->scratch ? 2 * v->op->scratch(v) : 0) + 64);
    struct weir_nest_call c = {n, v->n_parts, nd, nd + n, attrs ? *attrs : v->attrs, 1};
    if (v->n_parts > 1 || count(&v->type) > 0)
        v->op->host.isa[WEIR_ISA_F64](&c, ptr);
    free(ptr[n + v->n_parts]);
}

static bool is_argument(void *ctx, const weir_value *v)
{
    return v == ctx;
}

// A view moves values and bounds alike, by its strides over its argument.
static void move_view(weir_value *v, const void *src, void *dst, size_t size)
{
    struct weir_layout l;
    int64_t n = count(&v->type), idx[WEIR_MAX_RANK] = {0};
    weir_layout_of(v, is_argument, v->arg[0], &l);
    for (int64_t k = 0; k < n; k++) {
        int64_t at = l.offset;
        for (int i = 0; i < v->type.shape.rank; i++)
            at += idx[i] * l.stride[i];
        memcpy((char *)dst + (size_t)k * size, (const char *)src + (size_t)at * size, size);
        for (int i = v->type.shape.rank - 1; i >= 0 && ++idx[i] == v->type.shape.dim[i]; i--)
            idx[i] = 0;
    }
}

static double ulp(double x)
{
    int e;
    if (!isfinite(x))
        return 0;
    frexp(x, &e);
    return ldexp(1.0, (x == 0 || e < -125 ? -125 : e) - 24);
}

// Ulps of a float function, as docs/numerics.md promises; half an ulp is correct rounding. A
// relative error of k ulp of one value is at most 2 k ulp of another; the last column has, by that,
//   sigmoid    2 (3 for exp) + 1 for the sum + 2 2.5 for the quotient
//   softplus   2 (3 for exp) + 2 for log1p + .5 for the sum
//   erfinv, digamma, lgamma, i0e, igamma    as in exact mode and, for each division and root on
//   their
//              way (1, 2, 1, 3, 8), 2 2.5 more; in pow the remainder makes up for its division
static double ulps_of(const weir_value *v)
{
    static const struct {
        const char *name;
        double ulps, fast;
    } rows[] = {
        {"neg", 0, 0},           {"abs", 0, 0},      {"sign", 0, 0},    {"floor", 0, 0},
        {"ceil", 0, 0},          {"rint", 0, 0},     {"min", 0, 0},     {"max", 0, 0},
        {"select", 0, 0},        {"add", 0.5, 0.5},  {"sub", 0.5, 0.5}, {"mul", 0.5, 0.5},
        {"div", 0.5, 2.5},       {"fma", 0.5, 0.5},  {"sqrt", 0.5, 3},  {"square", 0.5, 0.5},
        {"reciprocal", .5, 2.5}, {"mod", 0.5, 0.5},  {"rsqrt", 1.5, 2}, {"exp", 1, 3},
        {"expm1", 1, 1},         {"log", 1, 3},      {"log1p", 1, 1},   {"sin", 1, 4},
        {"cos", 1, 4},           {"tanh", 1, 5},     {"erf", 1, 1},     {"sigmoid", 1, 12},
        {"softplus", 2, 8.5},    {"pow", 2, 2},      {"atan2", 2, 6},   {"lgamma", 2, 7},
        {"erfinv", 4, 9},        {"digamma", 4, 14}, {"i0e", 4, 19},    {"igamma", 16, 56}};
    for (size_t i = 0; i < WEIR_COUNT(rows); i++)
        if (strcmp(rows[i].name, v->op->name) == 0)
            return test_bound_fast ? rows[i].fast : rows[i].ulps;
    ck_abort_msg("%s: a map row needs its error bound in tests/support/error_bound.c", v->op->name);
    return 0;
}

// lgamma and digamma at x < 0 are a difference (reflection), so their bound is of its terms.
static double reflected(const weir_value *v, double x)
{
    if (strcmp(v->op->name, "lgamma") == 0 && x < 0)
        return 4 * ulp(-x * log(2 - x) + 2);
    return strcmp(v->op->name, "digamma") == 0 && x < 0 ? 4 * ulp(log(2 - x) + 2) : 0;
}

static double rounding_of_cast(const weir_value *v, double y)
{
    enum weir_dtype from = v->arg[0]->type.dtype, to = v->type.dtype;
    if (to == WEIR_F16)
        return fmax(fabs(y) * 0x1p-11, 0x1p-25) * (from != WEIR_F16);
    if (to == WEIR_BF16)
        return fmax(fabs(y) * 0x1p-8, 0x1p-134) * (from != WEIR_BF16);
    return test_is_real(from) ? 0 : 0.5 * ulp(y);
}

// What a store does: beyond the largest float there is infinity.
static void store(enum weir_dtype t, double *y, double *e)
{
    double limit = t == WEIR_F16 ? 65520.0 : t == WEIR_BF16 ? 0x1.ffp127 : 0x1.ffffffp127;
    if (isnan(*e))
        *e = INFINITY;
    if (isnan(*y) || isinf(*y))
        return;
    if (fabs(*y) - *e >= limit) {
        *y = copysign(INFINITY, *y);
        *e = 0;
    } else if (fabs(*y) + *e >= limit) {
        *e = INFINITY;
    }
}

// What fast mode may add to the rounding of element k of a map's result.
static double looser(const weir_value *v, struct node *const *arg, int64_t k)
{
    double e = 0;
    if (!test_bound_fast)
        return 0;
    if (strcmp(v->op->name, "fma") == 0)
        e = U * fabs(((double *)arg[0]->val[0])[k] * ((double *)arg[1]->val[0])[k]);
    return e + FLT_MIN * (ulps_of(v) > 0);
}

static bool any_error(const weir_value *v, struct node *const *arg)
{
    for (int i = 0; i < v->arity; i++) {
        if (arg[i]->unsure)
            return true;
        int64_t n = test_is_real(v->arg[i]->type.dtype) ? count(&v->arg[i]->type) : 0;
        for (int64_t k = 0; k < n; k++)
            if (arg[i]->err[0][k] != 0)
                return true;
    }
    return false;
}

// err += max over signs of |f(.., x_i +- e_i, ..) - f(x)|, for one argument at a time.
static void add_propagated(weir_value *v, struct node *const *arg, struct node *out)
{
    void *in[MAX_ARGS];
    double *moved = new_array(&v->type), *most = new_array(&v->type), *y = out->val[0];
    int64_t n = count(&v->type);
    for (int i = 0; i < v->arity; i++)
        in[i] = arg[i]->val[0];
    for (int i = 0; i < v->arity; i++) {
        if (!test_is_real(v->arg[i]->type.dtype))
            continue;
        double *x = in[i] = new_array(&v->arg[i]->type);
        memset(most, 0, (size_t)n * sizeof(*most));
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int64_t k = 0; k < count(&v->arg[i]->type); k++)
                x[k] = ((double *)arg[i]->val[0])[k] + sign * arg[i]->err[0][k];
            call(v, in, (void *[]){moved}, NULL);
            for (int64_t k = 0; k < n; k++) {
                double d = moved[k] == y[k] ? 0 : fabs(moved[k] - y[k]);
                most[k] = isnan(d) && !isnan(y[k]) ? INFINITY : fmax(most[k], d);
            }
        }
        for (int64_t k = 0; k < n; k++)
            out->err[0][k] += most[k];
        in[i] = arg[i]->val[0];
        free(x);
    }
    free(most);
    free(moved);
}

// A cast to 16 bits under test_bound_rounds.
static void round_oracle(weir_value *v, struct node *out)
{
    double *y = out->val[0];
    for (int64_t k = 0; k < count(&v->type); k++)
        y[k] = v->type.dtype == WEIR_F16 ? weir_f16_to_f32(weir_f32_to_f16((float)y[k]))
                                         : weir_bf16_to_f32(weir_f32_to_bf16((float)y[k]));
}

static void bound_map(weir_value *v, struct node *const *arg, struct node *out)
{
    bool cast = v->op == &weir_op_cast;
    if (cast && test_bound_rounds && (v->type.dtype == WEIR_F16 || v->type.dtype == WEIR_BF16)) {
        round_oracle(v, out);
        return;
    }
    double ulps = cast ? 0 : ulps_of(v), *x = arg[0]->val[0], *y = out->val[0];
    if (any_error(v, arg))
        add_propagated(v, arg, out);
    for (int64_t k = 0; k < count(&v->type); k++)
        out->err[0][k] += cast ? rounding_of_cast(v, y[k])
                               : ulps * ulp(fabs(y[k]) + out->err[0][k]) +
                                     (v->arity == 1 ? reflected(v, x[k]) : 0) + looser(v, arg, k);
}

// |x| + c e of a float argument.
static double *magnitude(const weir_value *x, const struct node *n, double c)
{
    double *m = new_array(&x->type);
    for (int64_t k = 0; k < count(&x->type); k++)
        m[k] = fabs(((double *)n->val[0])[k]) + (c != 0 ? c * n->err[0][k] : 0);
    return m;
}

static double *ones_of(const weir_value *x)
{
    double *one = new_array(&x->type);
    for (int64_t k = 0; k < count(&x->type); k++)
        one[k] = 1;
    return one;
}

enum test_engine test_engine_of(const weir_device *dev)
{
    const uint32_t tf32 = WEIR_CAP_MMA_SYNC | WEIR_CAP_XMX_TF32, // an MFMA of f32 rounds nothing
        has = weir_device_info(dev)->caps.features;
    return has & tf32                 ? TEST_ENGINE_TF32
           : has & weir_engine_caps() ? TEST_ENGINE_EXACT
                                      : TEST_ENGINE_NONE;
}

static bool is_contraction(const weir_value *v)
{
    return v->op == &weir_op_matmul || v->op == &weir_op_conv ||
           v->op == &weir_op_conv_input_grad || v->op == &weir_op_conv_weight_grad;
}

// The error of a contraction of `terms` products over sum |a||b|. An engine adds k products and a
// sum at a time, all aligned to the largest and cut there, at 24 bits or behind (Fasi et al.,
// Numerical behavior of NVIDIA tensor cores, 2021): k + 1 times 2u of sum |a||b|, of which k is 4
// to 16, the last ones absent.
static double contraction_error(const weir_value *v, double terms)
{
    if (!test_bound_fast || test_bound_engine == TEST_ENGINE_NONE || !is_contraction(v))
        return (terms + 2) * U / (1 - (terms + 2) * U);
    double gamma = 2.5 * (terms + 16) * U;
    bool rounded = test_bound_engine == TEST_ENGINE_TF32 && v->arg[0]->type.dtype == WEIR_F32;
    return gamma / (1 - gamma) + (rounded ? 2 * 0x1p-11 + 0x1p-22 : 0);
}

// Sums of products or of terms: linear in each float argument, with `terms` of them in a result.
static void bound_linear(weir_value *v, struct node *const *arg, struct node *out)
{
    void *plain[MAX_ARGS], *grown[MAX_ARGS], *ones[MAX_ARGS];
    double *a = new_array(&v->type), *b = new_array(&v->type), *terms = new_array(&v->type);
    for (int i = 0; i < v->arity; i++) {
        bool real = test_is_real(v->arg[i]->type.dtype);
        plain[i] = real ? magnitude(v->arg[i], arg[i], 0) : arg[i]->val[0];
        grown[i] = real ? magnitude(v->arg[i], arg[i], 1) : arg[i]->val[0];
        ones[i] = real ? ones_of(v->arg[i]) : arg[i]->val[0];
    }
    call(v, plain, (void *[]){a}, NULL);
    call(v, grown, (void *[]){b}, NULL);
    call(v, ones, (void *[]){terms}, NULL);
    for (int64_t k = 0; k < count(&v->type); k++) {
        double *e = &out->err[0][k];
        *e = contraction_error(v, terms[k]) * b[k] + (b[k] - a[k]) + terms[k] * 0x1p-149;
        if (isnan(*e) || b[k] >= FLT_MAX) // a partial sum may overflow
            *e = INFINITY;
    }
    for (int i = 0; i < v->arity; i++)
        if (plain[i] != arg[i]->val[0]) {
            free(plain[i]);
            free(grown[i]);
            free(ones[i]);
        }
    free(a);
    free(b);
    free(terms);
}

// Bounds go where the values go.
static void bound_move(weir_value *v, struct node *const *arg, struct node *out)
{
    void *in[MAX_ARGS], *to[1] = {out->err[0]};
    union weir_attrs attrs = v->attrs;
    if (v->op == &weir_op_pad)
        attrs.pad.value = 0;
    for (int i = 0; i < v->arity; i++)
        in[i] = test_is_real(v->arg[i]->type.dtype) ? (void *)arg[i]->err[0] : arg[i]->val[0];
    call(v, in, to, &attrs);
    for (int64_t k = 0; k < count(&v->type); k++)
        out->err[0][k] = fmax(out->err[0][k], 0); // the maximum of nothing is -inf
}

static void bound_largest(weir_value *v, struct node *const *arg, struct node *out)
{
    double most = 0;
    for (int64_t k = 0; k < count(&v->arg[0]->type); k++)
        most = fmax(most, arg[0]->err[0][k]);
    for (int64_t k = 0; k < count(&v->type); k++)
        out->err[0][k] = most;
}

// A float argument moved by errors of the size that a backward stable algorithm answers for.
static double *jittered(const weir_value *x, const struct node *n, uint64_t *state)
{
    const struct weir_shape *s = &x->type.shape;
    double *to = new_array(&x->type), *from = n->val[0], big = 0;
    int64_t last = s->rank ? s->dim[s->rank - 1] : 1;
    last = s->rank > 1 && s->dim[s->rank - 2] > last ? s->dim[s->rank - 2] : last;
    for (int64_t k = 0; k < count(&x->type); k++)
        big = fmax(big, fabs(from[k]));
    for (int64_t k = 0; k < count(&x->type); k++)
        to[k] =
            from[k] + (test_next(state) & 1 ? 1 : -1) * (4 * (double)last * U * big + n->err[0][k]);
    return to;
}

static void bound_stable(weir_value *v, struct node *const *arg, struct node *out)
{
    uint64_t state = 5;
    void *in[MAX_ARGS], *moved[MAX_PARTS];
    for (int p = 0; p < v->n_parts; p++)
        moved[p] = new_array(type_of(v, p));
    for (int try = 0; try < 8; try++) {
        for (int i = 0; i < v->arity; i++)
            in[i] = test_is_real(v->arg[i]->type.dtype) ? jittered(v->arg[i], arg[i], &state)
                                                        : arg[i]->val[0];
        call(v, in, moved, NULL);
        for (int p = 0; p < v->n_parts; p++)
            for (int64_t k = 0; out->err[p] && k < count(type_of(v, p)); k++) {
                double d = 8 * fabs(((double *)moved[p])[k] - ((double *)out->val[p])[k]);
                double *e = &out->err[p][k];
                *e = isnan(d) || d > fabs(((double *)out->val[p])[k]) + 1e20 ? INFINITY
                                                                             : fmax(*e, d);
            }
        for (int i = 0; i < v->arity; i++)
            if (in[i] != arg[i]->val[0])
                free(in[i]);
    }
    for (int p = 0; p < v->n_parts; p++)
        free(moved[p]);
}

static bool named(const weir_value *v, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(v->op->name, *names) == 0)
            return true;
    return false;
}

static void bound(weir_value *v, struct node *const *arg, struct node *out)
{
    static const char *const moves[] = {
        "pad",           "concat",         "take",       "take_along", "scatter",
        "dynamic_slice", "dynamic_update", "reduce_max", "reduce_min", NULL};
    static const char *const linear[] = {"sum",    "cumsum", "scatter_add",     "scatter_add_along",
                                         "matmul", "conv",   "conv_input_grad", "conv_weight_grad",
                                         NULL};
    if (v->op->cls == WEIR_OP_MAP) {
        bound_map(v, arg, out);
    } else if (named(v, moves)) {
        bound_move(v, arg, out);
    } else if (named(v, linear)) {
        bound_linear(v, arg, out);
    } else if (strcmp(v->op->name, "sort") == 0) {
        bound_largest(v, arg, out);
    } else if (v->op == &weir_op_random_normal) {
        // log 1, sqrt 1, sin 1, product 1/2; |z| < 6. Fast: sqrt 3, relative to the product.
        for (int64_t k = 0; k < count(&v->type); k++)
            out->err[0][k] = (test_bound_fast ? 10 : 4) * ulp(((double *)out->val[0])[k]) + 0x1p-40;
    } else if (v->op != &weir_op_iota) {
        bound_stable(v, arg, out);
    }
}

static void run_view(weir_value *v, const struct node *arg, struct node *out)
{
    move_view(v, arg->val[0], out->val[0], weir_isa_elem_size(WEIR_ISA_F64, v->type.dtype));
    out->unsure = arg->unsure;
    if (out->err[0])
        move_view(v, arg->err[0], out->err[0], sizeof(double));
}

static void run_node(weir_value *v, struct node *nodes)
{
    struct node *out = &nodes[v->id], *arg[MAX_ARGS];
    void *in[MAX_ARGS];
    for (int p = 0; p < v->n_parts; p++) {
        out->val[p] = new_array(type_of(v, p));
        if (test_is_real(type_of(v, p)->dtype))
            out->err[p] = new_array(type_of(v, p));
    }
    for (int i = 0; i < v->arity; i++) {
        arg[i] = &nodes[v->arg[i]->id];
        in[i] = arg[i]->val[0];
    }
    if (v->op->cls == WEIR_OP_VIEW) {
        run_view(v, arg[0], out);
        return;
    }
    call(v, in, out->val, NULL);
    out->unsure = any_error(v, arg); // of integer results only
    if (test_is_real(v->type.dtype))
        bound(v, arg, out);
    for (int p = 0; p < v->n_parts; p++)
        for (int64_t k = 0; out->err[p] && k < count(type_of(v, p)); k++)
            store(type_of(v, p)->dtype, &((double *)out->val[p])[k], &out->err[p][k]);
    for (int i = 0; i < v->arity; i++)
        for (int64_t k = 0; arg[i]->unsure && !arg[i]->err[0] && out->err[0] && k < count(&v->type);
             k++)
            out->err[0][k] = INFINITY;
}

static void run_leaf(weir_value *v, const struct weir_eval_leaf *leaves, int n, struct node *out)
{
    out->val[0] = new_array(&v->type);
    ck_assert_int_eq(weir_eval(&v, 1, WEIR_ISA_F64, 1, leaves, n, out->val), WEIR_OK);
    if (test_is_real(v->type.dtype))
        out->err[0] = new_array(&v->type);
    if (v->op == &weir_op_constant && v->attrs.constant.has_exact) // the oracle has it unrounded
        out->err[0][0] = fabs(*(double *)out->val[0] - *(const float *)v->attrs.constant.data);
}

static void share(struct node *to, const struct node *from, int part)
{
    to->val[0] = from->val[part];
    to->err[0] = from->err[part];
    to->unsure = from->unsure;
}

static bool owns(const weir_value *v)
{
    return v->op->cls != WEIR_OP_COMPOSITE && v->op->cls != WEIR_OP_PART;
}

static void run_all(weir_graph *g, int n, const struct weir_eval_leaf *leaves, int n_leaves,
                    struct node *nodes, bool *needed)
{
    needed[n - 1] = true;
    for (int id = n - 1; id >= 0; id--) {
        weir_value *x = g->values[id];
        bool composite = x->op->cls == WEIR_OP_COMPOSITE;
        for (int i = 0; needed[id] && i < (composite ? 1 : x->arity); i++)
            needed[composite ? x->body->id : x->arg[i]->id] = true;
    }
    for (int id = 0; id < n; id++) {
        weir_value *x = g->values[id];
        if (!needed[id])
            continue;
        if (x->op->cls == WEIR_OP_COMPOSITE)
            share(&nodes[id], &nodes[x->body->id], 0);
        else if (x->op->cls == WEIR_OP_PART)
            share(&nodes[id], &nodes[x->arg[0]->id], x->attrs.part.index);
        else if (x->op->cls == WEIR_OP_LEAF)
            run_leaf(x, leaves, n_leaves, &nodes[id]);
        else
            run_node(x, nodes);
    }
}

void test_bound_run(weir_value *v, const struct weir_eval_leaf *leaves, int n_leaves,
                    struct test_bound *out)
{
    int n = v->id + 1;
    struct node *nodes = calloc((size_t)n, sizeof(*nodes)), *result = &nodes[v->id];
    bool *needed = calloc((size_t)n, sizeof(*needed)), real = test_is_real(v->type.dtype);
    ck_assert(nodes && needed);
    run_all(v->graph, n, leaves, n_leaves, nodes, needed);
    *out = (struct test_bound){
        .n = count(&v->type), .dtype = v->type.dtype, .unsure = !real && result->unsure};
    void *copy = new_array(&v->type);
    memcpy(copy, result->val[0], (size_t)out->n * weir_isa_elem_size(WEIR_ISA_F64, v->type.dtype));
    out->value = real ? copy : NULL;
    out->exact = real ? NULL : copy;
    if (real) {
        out->bound = new_array(&v->type);
        memcpy(out->bound, result->err[0], (size_t)out->n * sizeof(double));
    }
    for (int id = 0; id < n; id++)
        for (int p = 0; owns(v->graph->values[id]) && p < MAX_PARTS; p++) {
            free(nodes[id].val[p]);
            free(nodes[id].err[p]);
        }
    free(needed);
    free(nodes);
}

void test_bound_free(struct test_bound *o)
{
    free(o->value);
    free(o->bound);
    free(o->exact);
}

static double to_double(enum weir_dtype t, const void *data, int64_t i)
{
    if (t == WEIR_F32)
        return ((const float *)data)[i];
    return t == WEIR_F16 ? weir_f16_to_f32(((const uint16_t *)data)[i])
                         : weir_bf16_to_f32(((const uint16_t *)data)[i]);
}

int64_t test_bound_check(const struct test_bound *o, const void *got, double *worst, char *text,
                         size_t text_size)
{
    size_t size = weir_dtype_size(o->dtype);
    for (int64_t i = 0; i < o->n; i++) {
        if (!o->value) {
            const unsigned char *a = (const unsigned char *)got + (size_t)i * size;
            const unsigned char *b = (const unsigned char *)o->exact + (size_t)i * size;
            if (o->unsure || memcmp(a, b, size) == 0)
                continue;
            snprintf(text, text_size, "got 0x%02x.., wanted 0x%02x..", a[0], b[0]);
            return i;
        }
        double y = to_double(o->dtype, got, i), want = o->value[i];
        double slack = o->bound[i] + fabs(want) * 0x1p-38; // the double functions' own errors
        if ((isnan(y) && isnan(want)) || y == want || isinf(o->bound[i]))
            continue;
        if (fabs(y - want) <= slack) {
            *worst = fmax(*worst, fabs(y - want) / slack);
            continue;
        }
        snprintf(text, text_size, "got %.9g, wanted %.17g +- %.3g", y, want, slack);
        return i;
    }
    return -1;
}
