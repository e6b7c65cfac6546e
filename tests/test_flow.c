// SPDX-License-Identifier: Apache-2.0
// Solvers and optimizers on the double oracle: measured orders of convergence on y' = -2 s y², y(0)
// = 1, whose solution is 1/(1 + s²); update rules against PyTorch; guidance and divergence in
// closed form.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "support/support.h"
#include "weir/flow.h"
#include "weir/formats.h"
#include "weir/optim.h"

static weir_value *riccati(void *ctx, weir_value *y, weir_value *s)
{
    weir_value *s2 = weir_reshape(weir_mul_c(s, -2), weir_shape(-1, 1));
    return weir_mul(s2, weir_mul(y, y));
}

// |error| at s = 2 after n steps; n is a power of two, so s and h are exact.
static double error_after(const struct weir_solver *solver, int n)
{
    weir_graph *g = NULL;
    double y0 = 1, y = 0;
    ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
    weir_value *start = weir_input(g, WEIR_F32, weir_shape(1, 1), "y"), *v = start;
    for (int i = 0; i < n; i++)
        v = weir_rk_step(solver->tableau, &(struct weir_ode) { riccati }, v,
                         weir_f32(g, 2.0 * i / n), weir_f32(g, 2.0 / n));
    struct weir_eval_leaf leaf = { start, &y0 };
    ck_assert_int_eq(weir_eval(&v, 1, WEIR_ISA_F64, 1, &leaf, 1, (void *const[]) { &y }), WEIR_OK);
    weir_graph_destroy(&g);
    return fabs(y - 1.0 / 5);
}

// The steps are chosen so that the error is far above rounding and the next term of its expansion
// is small beside it.
static const struct {
    const char *name;
    int order, n;
} orders[] = {
    { "euler", 1, 256 }, { "midpoint", 2, 128 }, { "heun", 2, 128 },
    { "rk4", 4, 64 },    { "dopri5", 5, 128 },
};

START_TEST(solvers_have_their_order)
{
    const struct weir_solver *solver = weir_solver_find(orders[_i].name);
    ck_assert_ptr_nonnull(solver);
    double coarse = error_after(solver, orders[_i].n), fine = error_after(solver, 2 * orders[_i].n);
    double order = log2(coarse / fine);
    ck_assert_msg(fabs(order - orders[_i].order) <= .15, "%s: order %.3f (errors %.3g, %.3g)",
                  orders[_i].name, order, coarse, fine);
}
END_TEST

// Every solver of the list is in the table above, or shares the tableau of one that is.
START_TEST(every_solver_is_measured)
{
    for (int k = 0; weir_solvers[k]; k++) {
        bool found = false;
        for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
            found |= weir_solver_find(orders[i].name)->tableau == weir_solvers[k]->tableau;
        ck_assert_msg(found, "solver %s is not measured", weir_solvers[k]->name);
    }
}
END_TEST

// Adaptive steps reach the end, meet the tolerance, and rows do not influence each other.
START_TEST(adaptive_rows_are_independent)
{
    enum { ROWS = 3 };
    const struct weir_adaptive_config config = { .s0 = 0, .s1 = 2, .rtol = 1e-6, .atol = 1e-6 };
    double y[ROWS] = { 1, .01, 30 }, s[ROWS] = { 0 }, h[ROWS] = { .1, .1, .1 }, err[ROWS],
           rejected[ROWS] = { 0 }, k1[ROWS];
    double alone[ROWS];
    for (int pass = 0; pass < 2; pass++)
        for (int first = 0; first < (pass ? ROWS : 1); first++) {
            int rows = pass ? 1 : ROWS;
            double yy[ROWS] = { 1, .01, 30 };
            memcpy(y, yy + first, sizeof(double) * (size_t)rows);
            for (int i = 0; i < rows; i++) {
                s[i] = rejected[i] = k1[i] = 0; // f(y, 0) = 0
                h[i] = .1;
                err[i] = 1e-4;
            }
            weir_graph *g = NULL;
            ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
            struct weir_shape r = weir_shape(rows), rr = weir_shape(rows, 1);
            struct weir_adaptive in = {
                weir_input(g, WEIR_F32, rr, "y"),  weir_input(g, WEIR_F32, r, "s"),
                weir_input(g, WEIR_F32, r, "h"),   weir_input(g, WEIR_F32, rr, "k1"),
                weir_input(g, WEIR_F32, r, "err"), weir_input(g, WEIR_F32, r, "rej")
            };
            struct weir_adaptive out = weir_adaptive_step(
                weir_solver_find("dopri5")->tableau, &(struct weir_ode) { riccati }, &config, in);
            struct weir_eval_leaf leaves[] = { { in.y, y },     { in.s, s },
                                               { in.h, h },     { in.k1, k1 },
                                               { in.err, err }, { in.rejected, rejected } };
            weir_value *values[] = { out.y, out.s, out.h, out.k1, out.err, out.rejected };
            for (int step = 0; step < 200; step++) {
                double n[6][ROWS];
                void *to[6] = { n[0], n[1], n[2], n[3], n[4], n[5] };
                test_ok(weir_eval(values, 6, WEIR_ISA_F64, 1, leaves, 6, to));
                for (int k = 0; k < 6; k++)
                    memcpy((void *)leaves[k].data, n[k], sizeof(double) * (size_t)rows);
            }
            weir_graph_destroy(&g);
            for (int i = 0; i < rows; i++) {
                double y0 = yy[first + i];
                ck_assert_double_eq(s[i], 2);
                // exact: 1/(1/y0 + s²); the local tolerance 1e-6 over some tens of steps
                ck_assert_double_eq_tol(y[i], 1 / (1 / y0 + 4), 1e-4);
                if (pass)
                    ck_assert_double_eq(y[i], alone[first]);
                else
                    alone[i] = y[i];
            }
        }
}
END_TEST

static weir_value *field_2d(void *ctx, weir_value *x, weir_value *s)
{
    // v = (x0² x1, sin(x0) + x1³): divergence 2 x0 x1 + 3 x1²
    weir_value *a = weir_slice(x, 1, 0, 1, 1), *b = weir_slice(x, 1, 1, 2, 1);
    weir_value *parts[2] = { weir_mul(weir_mul(a, a), b),
                             weir_add(weir_sin(a), weir_mul(b, weir_mul(b, b))) };
    return weir_concat(parts, 2, 1);
}

START_TEST(divergence_is_exact)
{
    weir_graph *g = NULL;
    double x[6] = { .5, -1, 2, .25, -3, .125 }, s[3] = { 0 }, got[3];
    ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(3, 2), "x"),
               *at = weir_input(g, WEIR_F32, weir_shape(3), "s");
    weir_value *div = weir_divergence(&(struct weir_ode) { field_2d }, in, at, NULL, NULL);
    struct weir_eval_leaf leaves[] = { { in, x }, { at, s } };
    ck_assert_int_eq(weir_eval(&div, 1, WEIR_ISA_F64, 1, leaves, 2, (void *const[]) { got }),
                     WEIR_OK);
    for (int i = 0; i < 3; i++) // a few operations in double on exact inputs
        ck_assert_double_eq_tol(
            got[i], 2 * x[2 * i] * x[2 * i + 1] + 3 * x[2 * i + 1] * x[2 * i + 1], 1e-12);
    weir_graph_destroy(&g);
}
END_TEST

static weir_value *label_net(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    return weir_mul(x, weir_reshape(weir_cast(label, WEIR_F32), weir_shape(-1, 1)));
}

START_TEST(guidance_mixes_both_predictions)
{
    weir_graph *g = NULL;
    double x[2] = { 3, 5 }, t[2] = { 0 }, got[2];
    int32_t label[2] = { 2, 4 };
    ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
    weir_value *in[3] = { weir_input(g, WEIR_F32, weir_shape(2, 1), "x"),
                          weir_input(g, WEIR_F32, weir_shape(2), "t"),
                          weir_input(g, WEIR_I32, weir_shape(2), "label") };
    weir_value *y = weir_guided(&(struct weir_net) { label_net }, in[0], in[1], in[2], 10, 3);
    struct weir_eval_leaf leaves[] = { { in[0], x }, { in[1], t }, { in[2], label } };
    ck_assert_int_eq(weir_eval(&y, 1, WEIR_ISA_F64, 1, leaves, 3, (void *const[]) { got }),
                     WEIR_OK);
    for (int i = 0; i < 2; i++) // u + 3 (c - u) with c = x label, u = 10 x: small integers
        ck_assert_double_eq(got[i], 10 * x[i] + 3 * (x[i] * label[i] - 10 * x[i]));
    weir_graph_destroy(&g);
}
END_TEST

// 20 updates from given gradients. Hyperparameters are powers of two or exact in f32, scalars are
// rounded to f32 (2^-24 relative each, a handful a step): 20 * 8 * 2^-24 of the values is the
// bound.
static void check_rule(const struct weir_safetensors *golden, const char *name,
                       const struct weir_optimizer *rule,
                       const struct weir_optimizer_config *config)
{
    enum { N = 37, UPDATES = 20 };
    double p[N], grads[UPDATES][N], slot[4][N] = { { 0 } }, want[N],
                                    scalars[WEIR_OPTIM_MAX_SCALARS];
    memcpy(p, weir_safetensors_find(golden, "p0")->data, sizeof(p));
    memcpy(grads, weir_safetensors_find(golden, "grads")->data, sizeof(grads));
    memcpy(want, weir_safetensors_find(golden, name)->data, sizeof(want));
    for (int u = 0; u < UPDATES; u++) {
        weir_graph *g = NULL;
        ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
        weir_value *in[2] = { weir_input(g, WEIR_F32, weir_shape(N), "p"),
                              weir_input(g, WEIR_F32, weir_shape(N), "g") };
        weir_value *sv[4] = { NULL }, *kv[4] = { NULL }, *out[5] = { NULL };
        struct weir_eval_leaf leaves[12] = { { in[0], p }, { in[1], grads[u] } };
        int n = 2;
        rule->scalars(config, u, 0x1p-7, scalars);
        for (int k = 0; k < rule->n_slots; k++) {
            sv[k] = weir_input(g, WEIR_F32, weir_shape(N), "slot");
            leaves[n++] = (struct weir_eval_leaf) { sv[k], slot[k] };
        }
        for (int k = 0; k < rule->n_scalars; k++)
            kv[k] = weir_f32(g, scalars[k]);
        rule->update(config, in[0], in[1], sv, kv, true, &out[0], &out[1]);
        double next[5][N];
        void *to[5] = { next[0], next[1], next[2], next[3], next[4] };
        ck_assert_int_eq(weir_eval(out, 1 + rule->n_slots, WEIR_ISA_F64, 1, leaves, n, to),
                         WEIR_OK);
        memcpy(p, next[0], sizeof(p));
        for (int k = 0; k < rule->n_slots; k++)
            memcpy(slot[k], next[1 + k], sizeof(slot[k]));
        weir_graph_destroy(&g);
    }
    for (int i = 0; i < N; i++)
        ck_assert_msg(fabs(p[i] - want[i]) <= UPDATES * 8 * 0x1p-24 * fmax(1, fabs(want[i])),
                      "%s[%d]: %.12g, PyTorch %.12g", name, i, p[i], want[i]);
}

START_TEST(optimizers_match_pytorch)
{
    struct weir_safetensors *golden = NULL;
    ck_assert_int_eq(weir_safetensors_read(&test_log, WEIR_TEST_DATA "/optim.safetensors", &golden),
                     WEIR_OK);
    struct weir_optimizer_config c = {
        .beta1 = .875, .beta2 = .96875, .eps = 0x1p-20, .weight_decay = .125, .momentum = .875
    };
    check_rule(golden, "adamw", &weir_optimizer_adamw, &c);
    check_rule(golden, "sgd", &weir_optimizer_sgd, &c);
    c.nesterov = true;
    check_rule(golden, "nesterov", &weir_optimizer_sgd, &c);
    weir_safetensors_destroy(&golden);
}
END_TEST

START_TEST(schedule_warms_up_and_falls)
{
    ck_assert_double_eq(weir_schedule_factor(WEIR_SCHEDULE_COSINE, 0, 100, 10, 0), .1);
    ck_assert_double_eq(weir_schedule_factor(WEIR_SCHEDULE_COSINE, 10, 110, 10, 0), 1);
    ck_assert_double_eq_tol(weir_schedule_factor(WEIR_SCHEDULE_COSINE, 60, 110, 10, .2), .6, 1e-15);
    ck_assert_double_eq_tol(weir_schedule_factor(WEIR_SCHEDULE_COSINE, 110, 110, 10, .2), .2,
                            1e-15);
    ck_assert_double_eq(weir_schedule_factor(WEIR_SCHEDULE_CONSTANT, 50, 100, 10, 0), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *tcase = tcase_create("flow");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, solvers_have_their_order, 0, sizeof(orders) / sizeof(orders[0]));
    tcase_add_test(tcase, every_solver_is_measured);
    tcase_add_test(tcase, adaptive_rows_are_independent);
    tcase_add_test(tcase, divergence_is_exact);
    tcase_add_test(tcase, guidance_mixes_both_predictions);
    tcase_add_test(tcase, optimizers_match_pytorch);
    tcase_add_test(tcase, schedule_warms_up_and_falls);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
