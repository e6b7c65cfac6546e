// SPDX-License-Identifier: Apache-2.0
// weir_loop: its values against a loop in C bit for bit, its derivatives against closed forms whose
// every number is exact in f32, nesting, and bad arguments.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "graph/graph.h"
#include "support/support.h"
#include "weir/loop.h"
#include "weir/ops.h"

static weir_graph *g;

static void setup(void)
{
    test_ok(weir_graph_create(&test_log, &g));
}

static void teardown(void)
{
    weir_graph_destroy(&g);
}

static void evaluate(weir_value **values, int n, void *const *out)
{
    for (int i = 0; i < n; i++)
        ck_assert_msg(!weir_is_poison(values[i]), "%s", weir_graph_message(g));
    test_ok(weir_eval(values, n, WEIR_ISA_BASE, 1, NULL, 0, out));
}

// y = carry + x, next = w (carry + x y): the carry is a product, and may not contract into y's sum.
static void body(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                 weir_value **y)
{
    y[0] = weir_add(x[0], carry[0]);
    next[0] = weir_mul(ctx, weir_add(carry[0], weir_mul(x[0], y[0])));
}

START_TEST(follows_a_loop_in_c)
{
    enum { N = 41, M = 5 }; // more than two rounds of stacking
    float xs[N * M], ys[N * M], last[M], w = 0.7f;
    uint64_t seed = 51;
    for (int i = 0; i < N * M; i++)
        xs[i] = (float)((double)(int64_t)test_next(&seed) * 0x1p-63);
    weir_value *start = weir_constant(g, WEIR_F32, weir_shape(M), (float[M]){1, 2, 3, 4, 5});
    weir_value *vx = weir_constant(g, WEIR_F32, weir_shape(N, M), xs), *out[2];
    weir_loop(&(struct weir_loop_params){.n = N,
                                         .carry = &start,
                                         .n_carry = 1,
                                         .xs = &vx,
                                         .n_xs = 1,
                                         .n_ys = 1,
                                         .body = body,
                                         .ctx = weir_f32(g, w)},
              &out[0], &out[1]);
    evaluate(out, 2, (void *[]){last, ys});
    int contracted = 0;
    for (int m = 0; m < M; m++) {
        float carry = (float)(m + 1), before = 0;
        for (int i = 0; i < N; i++) {
            float y = carry + xs[i * M + m];
            contracted += i > 0 && y != fmaf(w, before, xs[i * M + m]);
            ck_assert_float_eq(ys[i * M + m], y);
            before = fmaf(xs[i * M + m], y, carry);
            carry = w * before;
        }
        ck_assert_float_eq(last[m], carry);
    }
    ck_assert_int_gt(contracted, 0); // the data could have shown a contraction
}
END_TEST

// c' = a c: c_n = a^n c_0.
static void power(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                  weir_value **y)
{
    next[0] = weir_mul(ctx, carry[0]);
}

START_TEST(differentiates_to_any_order)
{
    enum { N = 6 };
    weir_value *a = weir_input(g, WEIR_F32, weir_scalar_shape, "a");
    weir_value *c0 = weir_input(g, WEIR_F32, weir_scalar_shape, "c");
    weir_value *x[2] = {a, c0}, *v[6];
    weir_loop(
        &(struct weir_loop_params){.n = N, .carry = &c0, .n_carry = 1, .body = power, .ctx = a},
        &v[0], NULL);
    weir_grad(v[0], x, &v[1], 2);
    weir_grad(v[1], &a, &v[3], 1);
    weir_jvp(&v[0], &v[4], 1, &a, (weir_value *[]){weir_f32(g, 1)}, 1);
    weir_jvp(&v[1], &v[5], 1, &a, (weir_value *[]){weir_f32(g, 1)}, 1);
    float got[6], av = 0.5f, cv = 3;
    struct weir_eval_leaf leaves[2] = {{a, &av}, {c0, &cv}};
    test_ok(weir_eval(v, 6, WEIR_ISA_BASE, 1, leaves, 2,
                      (void *[]){&got[0], &got[1], &got[2], &got[3], &got[4], &got[5]}));
    ck_assert_float_eq(got[0], 3.0f / 64);      // a^6 c
    ck_assert_float_eq(got[1], 6 * 3.0f / 32);  // 6 a^5 c
    ck_assert_float_eq(got[2], 1.0f / 64);      // a^6
    ck_assert_float_eq(got[3], 30 * 3.0f / 16); // 30 a^4 c
    ck_assert_float_eq(got[4], got[1]);
    ck_assert_float_eq(got[5], got[3]);
}
END_TEST

// The gradient of stacked results reaches the xs that made them: y_i = c_i x_i, c' = c + x_i.
static void running(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                    weir_value **y)
{
    y[0] = weir_mul(carry[0], x[0]);
    next[0] = weir_add(carry[0], x[0]);
}

START_TEST(gradient_of_stacked_results)
{
    enum { N = 20 };
    float xs[N], grad[N], sum;
    for (int i = 0; i < N; i++)
        xs[i] = (float)(i % 5 - 2);
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(N), "x"), *zero = weir_f32(g, 0), *v[2],
               *end;
    weir_loop(
        &(struct weir_loop_params){
            .n = N, .carry = &zero, .n_carry = 1, .xs = &x, .n_xs = 1, .n_ys = 1, .body = running},
        &end, &v[0]);
    v[0] = weir_sum(v[0], weir_all_axes, false); // sum over i > j of x_i x_j
    weir_grad(v[0], &x, &v[1], 1);
    struct weir_eval_leaf leaf = {x, xs};
    test_ok(weir_eval(v, 2, WEIR_ISA_BASE, 1, &leaf, 1, (void *[]){&sum, grad}));
    float total = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        total += xs[i];
        squares += xs[i] * xs[i];
    }
    ck_assert_float_eq(sum, (total * total - squares) / 2);
    for (int i = 0; i < N; i++)
        ck_assert_float_eq(grad[i], total - xs[i]);
}
END_TEST

// A loop in a loop: 3 times (c' = 2 times (c' = a c)).
static void outer(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                  weir_value **y)
{
    weir_loop(
        &(struct weir_loop_params){.n = 2, .carry = carry, .n_carry = 1, .body = power, .ctx = ctx},
        next, NULL);
}

START_TEST(nests)
{
    weir_value *c = weir_f32(g, 5), *v;
    weir_loop(
        &(struct weir_loop_params){
            .n = 3, .carry = &c, .n_carry = 1, .body = outer, .ctx = weir_f32(g, 2)},
        &v, NULL);
    float got;
    evaluate(&v, 1, (void *[]){&got});
    ck_assert_float_eq(got, 5 * 64);
}
END_TEST

static void forgetful(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                      weir_value **y)
{
}

static void growing(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                    weir_value **y)
{
    next[0] = weir_concat((weir_value *[]){carry[0], carry[0]}, 2, 0);
}

START_TEST(errors_say_what_is_wrong)
{
    static const struct {
        int64_t n;
        weir_loop_fn *body;
        const char *fragment;
    } rows[] = {
        {-1, power, "a number of iterations"},
        {3, power, "not the number of iterations"},
        {4, forgetful, "left a result unset"},
        {4, growing, "changes the type of carry 0"},
        {4, NULL, "a body"},
    };
    for (size_t i = 0; i < WEIR_COUNT(rows); i++) {
        weir_graph_destroy(&g);
        setup();
        weir_value *c = weir_input(g, WEIR_F32, weir_shape(2), "c"), *v;
        weir_value *x = weir_input(g, WEIR_F32, weir_shape(4, 2), "x");
        weir_loop(&(struct weir_loop_params){.n = rows[i].n,
                                             .carry = &c,
                                             .n_carry = 1,
                                             .xs = &x,
                                             .n_xs = 1,
                                             .body = rows[i].body,
                                             .ctx = c},
                  &v, NULL);
        ck_assert(weir_is_poison(v));
        ck_assert_int_eq(weir_graph_status(g), WEIR_INVALID);
        ck_assert_msg(strstr(weir_graph_message(g), rows[i].fragment), "%s", weir_graph_message(g));
    }
    weir_value *none;
    weir_loop(&(struct weir_loop_params){.n = 1, .n_ys = 1, .body = power}, NULL, &none);
    ck_assert_ptr_null(none);
}
END_TEST

static weir_value *leaked;

static void leak(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                 weir_value **y)
{
    next[0] = leaked = weir_sin(carry[0]);
}

static void asks_outside(void *ctx, weir_value *const *carry, weir_value *const *x,
                         weir_value **next, weir_value **y)
{
    next[0] = weir_mul(carry[0], weir_cast(weir_loop_index(ctx), WEIR_F32));
}

START_TEST(bodies_are_closed)
{
    static const struct {
        weir_loop_fn *body;
        const char *fragment;
    } rows[] = {
        {leak, "used outside of it"},
        {asks_outside, "not a value of the body"},
    };
    for (size_t i = 0; i < WEIR_COUNT(rows); i++) {
        weir_graph_destroy(&g);
        setup();
        weir_value *c = weir_input(g, WEIR_F32, weir_scalar_shape, "c"), *v;
        weir_loop(
            &(struct weir_loop_params){
                .n = 3, .carry = &c, .n_carry = 1, .body = rows[i].body, .ctx = c},
            &v, NULL);
        if (rows[i].body == leak)
            v = weir_add(v, leaked);
        ck_assert(weir_is_poison(v));
        ck_assert_msg(strstr(weir_graph_message(g), rows[i].fragment), "%s", weir_graph_message(g));
        ck_assert_ptr_eq(weir_exp(c), v); // the graph is closed too: errors stick
    }
}
END_TEST

// What is made outside, and captured, is one value: its gradient sums over iterations, then passes
// on.
static void captures(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                     weir_value **y)
{
    weir_value **outer = ctx;
    weir_value *b = weir_broadcast(outer[1], weir_shape(3)); // a view of an outer value, made
                                                             // inside
    next[0] = weir_add(weir_mul(carry[0], outer[0]), b);
}

START_TEST(captured_values)
{
    weir_value *a = weir_input(g, WEIR_F32, weir_scalar_shape, "a");
    weir_value *outer[2] = {weir_square(a), weir_mul_c(a, 3)}, *c = weir_f32(g, 1), *v[2];
    c = weir_broadcast(c, weir_shape(3));
    weir_loop(
        &(struct weir_loop_params){
            .n = 3, .carry = &c, .n_carry = 1, .body = captures, .ctx = outer},
        &v[0], NULL);
    v[0] = weir_sum(v[0], weir_all_axes, false); // 3 (a^6 + 3 a (a^4 + a^2 + 1))
    weir_grad(v[0], &a, &v[1], 1);
    float got[2], at = 2;
    struct weir_eval_leaf leaf = {a, &at};
    test_ok(weir_eval(v, 2, WEIR_ISA_BASE, 1, &leaf, 1, (void *[]){&got[0], &got[1]}));
    ck_assert_float_eq(got[0], 3 * (64 + 6 * 21));
    ck_assert_float_eq(got[1], 3 * (6 * 32 + 3 * (5 * 16 + 3 * 4 + 1)));
}
END_TEST

// Derivatives taken inside with respect to values outside: d carry' / d a through a captured value,
// one built from it, a view and an input that the body makes itself.
static weir_value *late;

static void differentiates(void *ctx, weir_value *const *carry, weir_value *const *x,
                           weir_value **next, weir_value **y)
{
    weir_value **outer = ctx, *d[3], *t; // a, a^2, (a, a)
    late = weir_input(g, WEIR_F32, weir_scalar_shape, "late");
    // a^3 + c a^2
    weir_value *v = weir_add(weir_mul(outer[0], outer[1]), weir_mul(carry[0], outer[1]));
    // (a^3 + c a^2 + 2 a) l
    v = weir_mul(weir_add(v, weir_sum(outer[2], weir_all_axes, false)), late);
    weir_grad(v, (weir_value *[]){outer[0], carry[0], outer[2]}, d, 3);
    weir_jvp(&v, &t, 1, outer, (weir_value *[]){weir_f32(g, 1)}, 1);
    y[0] = d[0];
    y[1] = t;
    y[2] = d[1];
    y[3] = weir_slice(d[2], 0, 1, 2, 1);
    next[0] = weir_add(carry[0], weir_f32(g, 1));
}

START_TEST(derivatives_inside_of_values_outside)
{
    weir_value *a = weir_input(g, WEIR_F32, weir_scalar_shape, "a"), *c = weir_f32(g, 1), *v[6],
               *end;
    weir_value *outer[3] = {a, weir_square(a), weir_broadcast(a, weir_shape(2))};
    weir_loop(
        &(struct weir_loop_params){
            .n = 3, .carry = &c, .n_carry = 1, .n_ys = 4, .body = differentiates, .ctx = outer},
        &end, v);
    weir_grad(weir_sum(v[0], weir_all_axes, false), &a, &v[4], 1); // and once more, outside
    weir_grad(weir_sum(v[1], weir_all_axes, false), &a, &v[5], 1);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(!weir_is_poison(v[i]), "%s", weir_graph_message(g));
    float out[6][3], at = 2, l = 5;
    struct weir_eval_leaf leaves[2] = {{a, &at}, {late, &l}};
    test_ok(weir_eval(v, 6, WEIR_ISA_BASE, 1, leaves, 2,
                      (void *[]){out[0], out[1], out[2], out[3], out[4], out[5]}));
    for (int i = 0; i < 3; i++) {
        float carry = (float)(i + 1);
        ck_assert_float_eq(out[0][i], (3 * at * at + 2 * carry * at + 2) * l);
        ck_assert_float_eq(out[1][i], out[0][i]);
        ck_assert_float_eq(out[2][i], at * at * l);
        ck_assert_float_eq(out[3][i], l);
    }
    ck_assert_float_eq(out[4][0], (3 * 6 * at + 2 * (1 + 2 + 3)) * l);
    ck_assert_float_eq(out[5][0], out[4][0]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *t = tcase_create("loop");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, follows_a_loop_in_c);
    tcase_add_test(t, differentiates_to_any_order);
    tcase_add_test(t, gradient_of_stacked_results);
    tcase_add_test(t, nests);
    tcase_add_test(t, captured_values);
    tcase_add_test(t, derivatives_inside_of_values_outside);
    tcase_add_test(t, bodies_are_closed);
    tcase_add_test(t, errors_say_what_is_wrong);
    suite_add_tcase(s, t);
    return test_main(s);
}
