// SPDX-License-Identifier: Apache-2.0
// Divergence, guidance and optimizers on the double oracle: closed forms, and update rules against PyTorch.
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

// v = x A with rows of x: the Jacobian is A's transpose, whatever x.
static weir_value *linear_field(void *ctx, weir_value *x, weir_value *s)
{
    return weir_matmul(x, ctx, false, false);
}

// eᵀ J e for all 8 probes of +-1 in three dimensions: each in closed form, and their mean is the trace, since
// every product of two different signs is there as often with + as with -. Small integers: exact.
START_TEST(probes_average_to_the_trace)
{
    enum { D = 3, PROBES = 1 << D };
    const double a[D][D] = { { 2, 3, -1 }, { 7, -4, 5 }, { 11, -6, 13 } };
    double x[PROBES][D], e[PROBES][D], s[PROBES] = { 0 }, got[PROBES], v[PROBES][D], sum = 0;
    for (int p = 0; p < PROBES; p++)
        for (int i = 0; i < D; i++) {
            e[p][i] = p >> i & 1 ? 1 : -1;
            x[p][i] = p - 2 * i;
        }
    weir_graph *g = NULL;
    test_ok(weir_graph_create(&test_log, &g));
    struct weir_shape rows = weir_shape(PROBES, D);
    weir_value *in[4] = { weir_input(g, WEIR_F32, rows, "x"), weir_input(g, WEIR_F32, weir_shape(PROBES), "s"),
                          weir_input(g, WEIR_F32, rows, "e"), weir_input(g, WEIR_F32, weir_shape(D, D), "a") };
    weir_value *out[2];
    out[0] = weir_divergence(&(struct weir_ode) { linear_field, in[3] }, in[0], in[1], in[2], &out[1]);
    struct weir_eval_leaf leaves[] = { { in[0], x }, { in[1], s }, { in[2], e }, { in[3], a } };
    test_ok(weir_eval(out, 2, WEIR_ISA_F64, 1, leaves, 4, (void *const[]) { got, v }));
    for (int p = 0; p < PROBES; p++) {
        double want = 0;
        for (int j = 0; j < D; j++) {
            double y = 0;
            for (int i = 0; i < D; i++) {
                y += x[p][i] * a[i][j];
                want += e[p][i] * a[i][j] * e[p][j];
            }
            ck_assert_double_eq(v[p][j], y);
        }
        ck_assert_double_eq(got[p], want);
        sum += got[p];
    }
    ck_assert_double_eq(sum / PROBES, a[0][0] + a[1][1] + a[2][2]);
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
    tcase_add_test(tcase, divergence_is_exact);
    tcase_add_test(tcase, probes_average_to_the_trace);
    tcase_add_test(tcase, guidance_mixes_both_predictions);
    tcase_add_test(tcase, optimizers_match_pytorch);
    tcase_add_test(tcase, schedule_warms_up_and_falls);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
