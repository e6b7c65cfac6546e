// SPDX-License-Identifier: Apache-2.0
// Derivatives of every row against mathematics, in double: the tangent against central differences,
// the cotangent against the tangent (<u, J v> = <Jᵀ u, v>), second derivatives three ways against
// each other and against differences of the gradient. Seeds are fixed: 1 + the case's index.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops/rows.h"
#include "support/oracle.h"

// Central differences with step h err by about h² of the third derivative and 1e-16 / h of the
// value: at 1e-5 some 1e-10 for values and derivatives of order 1. Steep functions get the rest of
// the bound.
#define STEP 1e-5
#define BOUND 2e-6
// Both sides are sums of the same products in another order.
#define ADJOINT_BOUND 1e-10

struct exception {
    const char *op;
    uint32_t fixed; // bit i: no derivative by argument i
    bool no_second; // the derivative itself has no derivative rule
    double bound;   // instead of BOUND
    double adjoint; // instead of ADJOINT_BOUND
};

static const struct exception exceptions[] = {
    // Products of twiddles that are rounded to f32: symmetric but for 8 roundings (n = 256).
    {"fft", 0, false, 1e-5, 8 * 0x1p-24},
    {"igamma", 1, true, 1e-5},  // differentiable in x; lgamma(a) stands in the slope
    {"lgamma", 0, true, 0},     // digamma has no rule
    {"erfinv", 0, false, 1e-4}, // steep at the ends: the differences err
    {"i0e", 0, false, 1e-5},    // i1e's series has single precision,
    {"i1e", 0, false, 1e-3},    // and its slope divides that error by x
};

static const struct exception *exception_of(const struct weir_op *op)
{
    static const struct exception none;
    for (size_t i = 0; i < WEIR_COUNT(exceptions); i++)
        if (strcmp(exceptions[i].op, op->name) == 0)
            return &exceptions[i];
    return &none;
}

// One case of one row: x, a direction v of each float input, a cotangent u of y.
struct trial {
    struct oracle o;
    const struct weir_op *op;
    weir_value *y, *u;
    int n;                 // float inputs
    int at[ORACLE_MAX_IN]; // which inputs they are
    weir_value *x[ORACLE_MAX_IN], *v[ORACLE_MAX_IN];
};

static bool trial_init(struct trial *t, const struct weir_op *op, const struct weir_op_case *c,
                       int idx)
{
    uint64_t seed = 1 + (uint64_t)idx;
    memset(t, 0, sizeof(*t));
    oracle_init(&t->o, c, seed);
    t->op = op;
    t->y = c->build(t->o.g, t->o.in, c);
    ck_assert_msg(!weir_is_poison(t->y), "%s %s: %s", op->name, c->label,
                  weir_graph_message(t->o.g));
    for (int i = 0; i < c->n_in; i++)
        if (oracle_is_float(t->o.in[i]) && !(exception_of(op)->fixed >> i & 1)) {
            t->at[t->n] = i;
            t->x[t->n++] = t->o.in[i];
        }
    if (!oracle_is_float(t->y) || t->n == 0)
        return false;
    seed += 1000;
    for (int i = 0; i < t->n; i++)
        t->v[i] = oracle_input(&t->o, t->x[i]->type.shape, &seed);
    t->u = oracle_input(&t->o, t->y->type.shape, &seed);
    return true;
}

static int64_t size_of(const weir_value *v)
{
    return weir_shape_size(&v->type.shape);
}

static void *data_of(struct trial *t, const weir_value *v)
{
    for (int i = 0; i < t->o.n; i++)
        if (t->o.in[i] == v)
            return t->o.data[i];
    ck_abort_msg("not an input");
    return NULL;
}

static void move(struct trial *t, double step)
{
    for (int i = 0; i < t->n; i++) {
        double *x = t->o.data[t->at[i]], *v = data_of(t, t->v[i]);
        for (int64_t k = 0; k < size_of(t->x[i]); k++)
            x[k] += step * v[k];
    }
}

// (f(x + h v) - f(x - h v)) / 2h
static double *difference(struct trial *t, weir_value *f)
{
    move(t, STEP);
    double *up = oracle_eval(&t->o, f);
    move(t, -2 * STEP);
    double *down = oracle_eval(&t->o, f);
    move(t, STEP);
    for (int64_t i = 0; i < size_of(f); i++)
        up[i] = (up[i] - down[i]) / (2 * STEP);
    free(down);
    return up;
}

static double largest(const double *x, int64_t n)
{
    double m = 0;
    for (int64_t i = 0; i < n; i++)
        m = fmax(m, fabs(x[i]));
    return m;
}

static void compare(struct trial *t, const char *what, const double *got, const double *want,
                    int64_t n, double scale)
{
    double bound = exception_of(t->op)->bound > 0 ? exception_of(t->op)->bound : BOUND;
    scale = fmax(scale, 1.0);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= bound * scale,
                      "%s, %s: %s, element %lld: got %.12g, differences say %.12g (scale %g)",
                      t->op->name, t->o.c.label, what, (long long)i, got[i], want[i], scale);
}

static double dot(struct trial *t, weir_value *const *a, weir_value *const *b, int n,
                  double *absolute)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double *p = oracle_eval(&t->o, a[i]), *q = oracle_eval(&t->o, b[i]);
        for (int64_t k = 0; k < size_of(a[i]); k++) {
            sum += p[k] * q[k];
            *absolute += fabs(p[k] * q[k]);
        }
        free(p);
        free(q);
    }
    return sum;
}

static void check_first(struct trial *t)
{
    weir_value *jv, *ju[ORACLE_MAX_IN];
    weir_jvp(&t->y, &jv, 1, t->x, t->v, t->n);
    weir_vjp(&t->y, &t->u, 1, t->x, ju, t->n);
    double *got = oracle_eval(&t->o, jv), *want = difference(t, t->y);
    compare(t, "tangent", got, want, size_of(t->y), largest(want, size_of(t->y)));
    free(got);
    free(want);
    double absolute = 1.0;
    double left = dot(t, &t->u, &jv, 1, &absolute), right = dot(t, ju, t->v, t->n, &absolute);
    double bound = exception_of(t->op)->adjoint > 0 ? exception_of(t->op)->adjoint : ADJOINT_BOUND;
    ck_assert_msg(fabs(left - right) <= bound * absolute,
                  "%s, %s: <u, J v> = %.15g but <Jᵀ u, v> = %.15g", t->op->name, t->o.c.label, left,
                  right);
}

static weir_value *inner(weir_value *a, weir_value *b)
{
    return weir_sum(weir_mul(a, b), weir_all_axes, false);
}

static weir_value *inner_all(weir_value *const *a, weir_value *const *b, int n)
{
    weir_value *sum = inner(a[0], b[0]);
    for (int i = 1; i < n; i++)
        sum = weir_add(sum, inner(a[i], b[i]));
    return sum;
}

// With L = <u, y(x)> and H its Hessian: H v by differences of the gradient, by forward over
// reverse, by reverse over reverse and by reverse over forward.
static void check_second(struct trial *t)
{
    weir_value *loss = inner(t->u, t->y), *slope;
    weir_value *grad[ORACLE_MAX_IN], *forward[ORACLE_MAX_IN], *reverse[ORACLE_MAX_IN],
        *mixed[ORACLE_MAX_IN];
    weir_grad(loss, t->x, grad, t->n);
    weir_jvp(grad, forward, t->n, t->x, t->v, t->n);
    weir_grad(inner_all(grad, t->v, t->n), t->x, reverse, t->n);
    weir_jvp(&loss, &slope, 1, t->x, t->v, t->n);
    weir_grad(slope, t->x, mixed, t->n);
    for (int i = 0; i < t->n; i++) {
        int64_t n = size_of(t->x[i]);
        double *want = difference(t, grad[i]), *g = oracle_eval(&t->o, grad[i]);
        double scale = largest(want, n) + largest(g, n);
        weir_value *const all[] = {forward[i], reverse[i], mixed[i]};
        static const char *const names[] = {"jvp of grad", "grad of grad", "grad of jvp"};
        for (int k = 0; k < 3; k++) {
            double *got = oracle_eval(&t->o, all[k]);
            compare(t, names[k], got, want, n, scale);
            free(got);
        }
        free(want);
        free(g);
    }
}

#define MAX_FIRST 60000 // elements of inputs and result together
#define MAX_SECOND 3000

// Elements of the inputs and the result; INT64_MAX where there is nothing to compare (the maximum
// of nothing is -inf: no number to take differences of).
static int64_t work(const struct trial *t)
{
    int64_t n = size_of(t->y);
    for (int i = 0; i < t->o.c.n_in; i++) {
        if (size_of(t->o.in[i]) == 0 && t->op->cls == WEIR_OP_REDUCE)
            return INT64_MAX;
        n += size_of(t->o.in[i]);
    }
    return n > 0 ? n : INT64_MAX;
}

// Runs the cases of a row; returns how many had a derivative to check.
static int check_row(const struct weir_op *op, bool second)
{
    int checked = 0;
    for (int idx = 0;; idx++) {
        struct weir_op_case c;
        struct trial t;
        memset(&c, 0, sizeof(c));
        if (!op->cases(idx, &c))
            return checked;
        if (c.no_grad)
            continue;
        if (trial_init(&t, op, &c, idx) && work(&t) <= (second ? MAX_SECOND : MAX_FIRST)) {
            if (second)
                check_second(&t);
            else
                check_first(&t);
            checked++;
        }
        oracle_finish(&t.o);
    }
}

static bool has_derivative(const struct weir_op *op)
{
    bool composite = op->cls == WEIR_OP_COMPOSITE && strcmp(op->name, "one_hot") &&
                     strcmp(op->name, "categorical");
    return op->vjp || op->jvp || composite;
}

static int n_rows(void)
{
    int n = 0;
    while (weir_ops[n])
        n++;
    return n;
}

START_TEST(first_order)
{
    const struct weir_op *op = weir_ops[_i];
    if (!has_derivative(op) || op == &weir_op_cast)
        return; // cast: storage_types below
    ck_assert_msg(op->vjp || op->cls == WEIR_OP_COMPOSITE, "%s has a jvp but no vjp", op->name);
    ck_assert_msg(op->jvp || op->cls == WEIR_OP_COMPOSITE, "%s has a vjp but no jvp", op->name);
    ck_assert_msg(op->cases != NULL, "%s has no cases", op->name);
    ck_assert_msg(check_row(op, false) > 0, "%s: no case checks its derivative", op->name);
}
END_TEST

START_TEST(second_order)
{
    const struct weir_op *op = weir_ops[_i];
    if (has_derivative(op) && op != &weir_op_cast && !exception_of(op)->no_second)
        ck_assert_msg(check_row(op, true) > 0, "%s: no case is small enough", op->name);
}
END_TEST

// --- the walks themselves ---

static struct oracle scratch(int n)
{
    struct oracle o;
    struct weir_op_case c;
    memset(&c, 0, sizeof(c));
    c.n_in = n;
    for (int i = 0; i < n; i++)
        c.in[i] = (struct weir_type){WEIR_F32, weir_shape(3, 5)};
    snprintf(c.label, sizeof(c.label), "scratch");
    oracle_init(&o, &c, 7);
    return o;
}

static void expect_equal(struct oracle *o, weir_value *a, weir_value *b, double bound)
{
    double *p = oracle_eval(o, a), *q = oracle_eval(o, b);
    ck_assert(weir_shape_equal(&a->type.shape, &b->type.shape));
    for (int64_t i = 0; i < size_of(a); i++)
        ck_assert_msg(fabs(p[i] - q[i]) <= bound * fmax(1.0, fabs(q[i])),
                      "element %lld: %.15g, %.15g", (long long)i, p[i], q[i]);
    free(p);
    free(q);
}

START_TEST(any_value_can_be_wrt)
{
    struct oracle o = scratch(2);
    weir_value *h = weir_mul(o.in[0], o.in[1]),
               *y = weir_sum(weir_mul(weir_sin(h), o.in[0]), weir_all_axes, false);
    weir_value *wrt[] = {h, o.in[0], o.in[1], h}, *dx[4];
    weir_grad(y, wrt, dx, 4);
    weir_value *dh = weir_mul(weir_cos(h), o.in[0]);
    expect_equal(&o, dx[0], dh, 1e-14);
    expect_equal(&o, dx[1], weir_add(weir_sin(h), weir_mul(dh, o.in[1])), 1e-14);
    expect_equal(&o, dx[2], weir_mul(dh, o.in[0]), 1e-14);
    ck_assert_ptr_eq(dx[0], dx[3]);
    oracle_finish(&o);
}
END_TEST

START_TEST(absent_gradients)
{
    struct oracle o = scratch(2);
    weir_value *stopped = weir_stop_gradient(weir_exp(o.in[0]));
    weir_value *y = weir_sum(weir_mul(stopped, weir_floor(o.in[1])), weir_all_axes, false);
    weir_value *dx[2], *dy;
    int before = o.g->n_values;
    weir_grad(y, o.in, dx, 2);
    // Two broadcast zeros and their constants: nothing was walked.
    ck_assert_int_le(o.g->n_values - before, 6);
    weir_value *zero = weir_broadcast(weir_f32(o.g, 0.0), weir_shape(3, 5));
    expect_equal(&o, dx[0], zero, 0);
    expect_equal(&o, dx[1], zero, 0);
    weir_jvp(&y, &dy, 1, o.in, o.in, 2);
    expect_equal(&o, dy, weir_f32(o.g, 0.0), 0);
    oracle_finish(&o);
}
END_TEST

// The definition of the order: consumers from the last to the first, products contracted by
// weir_add.
START_TEST(cotangents_are_added_in_descending_order)
{
    struct oracle o = scratch(1);
    weir_value *x = o.in[0], *dx;
    weir_value *a = weir_exp(x), *b = weir_mul(x, a), *c = weir_tanh(x);
    weir_value *y = weir_sum(weir_add(weir_add(a, b), c), weir_all_axes, false);
    weir_grad(y, &x, &dx, 1);
    // a + b became fma(x, a, a), the last consumer of x; then tanh; then exp, which ends in a
    // product with a. Each later product is contracted with the sum so far.
    ck_assert_ptr_eq(dx->op, &weir_op_fma);
    ck_assert_ptr_eq(dx->arg[1], a);
    weir_value *first_two = dx->arg[2];
    ck_assert_ptr_eq(first_two->op, &weir_op_fma);
    ck_assert_ptr_eq(first_two->arg[1]->op, &weir_op_fma); // 1 - tanh²
    ck_assert_ptr_eq(first_two->arg[2]->op, &weir_op_mul);
    ck_assert_ptr_eq(first_two->arg[2]->arg[1], a);
    oracle_finish(&o);
}
END_TEST

START_TEST(only_what_depends_is_walked)
{
    struct oracle o = scratch(2);
    weir_value *far = o.in[1];
    for (int i = 0; i < 100; i++)
        far = weir_sin(far);
    weir_value *y = weir_sum(weir_mul(o.in[0], far), weir_all_axes, false), *dx;
    int before = o.g->n_values;
    weir_grad(y, o.in, &dx, 1);
    ck_assert_int_lt(o.g->n_values - before, 10);
    oracle_finish(&o);
}
END_TEST

static weir_value *chain(void *ctx, weir_value *const *in)
{
    weir_value *captured = ctx;
    return weir_sin(weir_mul(weir_exp(in[0]), captured));
}

START_TEST(checkpoint_recomputes)
{
    struct oracle o = scratch(2);
    weir_value *kept = weir_checkpoint(chain, o.in[1], o.in, 1), *plain = chain(o.in[1], o.in);
    weir_value *dx[2], *want[2];
    int before = o.g->n_values;
    weir_grad(weir_sum(kept, weir_all_axes, false), o.in, dx, 2);
    int recomputed = 0;
    for (int i = before; i < o.g->n_values; i++)
        recomputed += o.g->values[i]->recompute != 0 && o.g->values[i]->op == &weir_op_exp;
    ck_assert_int_eq(recomputed, 1);
    weir_grad(weir_sum(plain, weir_all_axes, false), o.in, want, 2);
    expect_equal(&o, dx[0], want[0], 0);
    expect_equal(&o, dx[1], want[1], 0); // a captured value has its gradient too
    oracle_finish(&o);
}
END_TEST

// What a checkpoint is given may be built from what it captures: that path is walked once.
START_TEST(checkpoint_of_what_it_captures)
{
    struct oracle o = scratch(2);
    weir_value *given = weir_mul(o.in[0], weir_cos(o.in[1])), *dx[2], *want[2];
    weir_value *kept = weir_checkpoint(chain, o.in[1], &given, 1), *plain = chain(o.in[1], &given);
    weir_grad(weir_sum(kept, weir_all_axes, false), o.in, dx, 2);
    weir_grad(weir_sum(plain, weir_all_axes, false), o.in, want, 2);
    expect_equal(&o, dx[0], want[0], 0);
    expect_equal(&o, dx[1], want[1], 1e-13);
    oracle_finish(&o);
}
END_TEST

static void doubled_vjp(void *ctx, weir_value *const *in, weir_value *out, weir_value *dout,
                        weir_value **din)
{
    din[0] = weir_mul_c(dout, 2.0);
}

static weir_value *identity_body(void *ctx, weir_value *const *in)
{
    return weir_mul_c(in[0], 1.0);
}

START_TEST(custom_rule_is_used)
{
    struct oracle o = scratch(1);
    weir_value *y = weir_custom_vjp(identity_body, doubled_vjp, NULL, o.in, 1), *dx, *dy;
    weir_vjp(&y, o.in, 1, o.in, &dx, 1);
    weir_jvp(&y, &dy, 1, o.in, o.in, 1);
    expect_equal(&o, dx, weir_mul_c(o.in[0], 2.0), 0); // the rule, wrong on purpose
    expect_equal(&o, dy, o.in[0], 0);                  // the body
    oracle_finish(&o);
}
END_TEST

START_TEST(storage_types_round_forward_only)
{
    struct oracle o = scratch(2);
    weir_value *half = weir_cast(o.in[0], WEIR_BF16);
    weir_value *y =
        weir_mul(weir_cast(weir_transpose(half, 0, 1), WEIR_F32), weir_transpose(o.in[1], 0, 1));
    weir_value *dx[2], *dy, *u = weir_transpose(o.in[1], 0, 1);
    weir_value *const wrt[] = {o.in[0], half};
    weir_vjp(&y, &u, 1, wrt, dx, 2);
    ck_assert_int_eq(dx[1]->type.dtype, WEIR_F32);
    expect_equal(&o, dx[0], weir_mul(o.in[1], o.in[1]), 1e-15);
    expect_equal(&o, dx[1], dx[0], 0);
    weir_jvp(&y, &dy, 1, o.in, o.in, 1);
    expect_equal(&o, dy, weir_transpose(weir_mul(o.in[0], o.in[1]), 0, 1), 1e-15);
    oracle_finish(&o);
}
END_TEST

START_TEST(ties_go_to_the_first)
{
    struct oracle o = scratch(1);
    double *x = o.data[0];
    for (int i = 0; i < 15; i++)
        x[i] = i % 3; // columns 2, 5, 8, .. hold the maximum
    weir_value *rows = weir_reduce_max(o.in[0], weir_axes(1), false),
               *all = weir_reduce_max(o.in[0], weir_all_axes, false);
    weir_value *dx, *one = weir_broadcast(weir_f32(o.g, 1.0), weir_shape(3));
    weir_vjp(&rows, &one, 1, o.in, &dx, 1);
    double *got = oracle_eval(&o, dx);
    for (int i = 0; i < 15; i++)
        ck_assert_double_eq(got[i], i == 2 || i == 5 || i == 11 ? 1.0 : 0.0);
    free(got);
    weir_grad(all, o.in, &dx, 1);
    got = oracle_eval(&o, dx);
    for (int i = 0; i < 15; i++)
        ck_assert_double_eq(got[i], i == 2 ? 1.0 : 0.0);
    free(got);
    oracle_finish(&o);
}
END_TEST

START_TEST(errors_are_named)
{
    struct oracle o = scratch(1);
    weir_value *dx;
    weir_grad(o.in[0], o.in, &dx, 1);
    ck_assert(weir_is_poison(dx));
    ck_assert_ptr_nonnull(strstr(weir_graph_message(o.g), "not a scalar"));
    oracle_finish(&o);
    o = scratch(1);
    weir_value *bad = weir_f32(o.g, 1.0);
    weir_vjp(o.in, &bad, 1, o.in, &dx, 1);
    ck_assert(weir_is_poison(dx));
    ck_assert_ptr_nonnull(strstr(weir_graph_message(o.g), "cotangent's shape"));
    oracle_finish(&o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("grad");
    TCase *rows = tcase_create("rows"), *walks = tcase_create("walks");
    tcase_set_timeout(rows, 120);
    tcase_add_loop_test(rows, first_order, 0, n_rows());
    tcase_add_loop_test(rows, second_order, 0, n_rows());
    tcase_add_test(walks, any_value_can_be_wrt);
    tcase_add_test(walks, absent_gradients);
    tcase_add_test(walks, cotangents_are_added_in_descending_order);
    tcase_add_test(walks, only_what_depends_is_walked);
    tcase_add_test(walks, checkpoint_recomputes);
    tcase_add_test(walks, checkpoint_of_what_it_captures);
    tcase_add_test(walks, custom_rule_is_used);
    tcase_add_test(walks, storage_types_round_forward_only);
    tcase_add_test(walks, ties_go_to_the_first);
    tcase_add_test(walks, errors_are_named);
    suite_add_tcase(s, rows);
    suite_add_tcase(s, walks);
    return test_main(s);
}
