// SPDX-License-Identifier: Apache-2.0
// Composites where golden values do not reach: masked rows, infinities, ties, padding, labels out
// of range, draws, what the backward pass is made of, and the messages of bad calls. Evaluated in
// float by the host's loop nests.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compile/simplify.h"
#include "graph/diff.h"
#include "graph/eval.h"
#include "graph/ops/rows.h"
#include "support/support.h"

static weir_graph *graph;
static weir_arena *arena;

static void setup(void)
{
    test_ok(weir_graph_create(&test_log, &graph));
    arena = weir_arena_create();
}

static void teardown(void)
{
    weir_arena_destroy(&arena);
    weir_graph_destroy(&graph);
}

// A constant; the tests need no inputs.
static weir_value *f32s(struct weir_shape shape, const float *data)
{
    return weir_constant(graph, WEIR_F32, shape, data);
}

static weir_value *vector(int n, const float *data)
{
    return f32s(weir_shape(n), data);
}

static weir_value *normals(struct weir_shape shape, const char *stream)
{
    uint32_t seed[] = {5, 0};
    weir_value *zero = weir_u32(graph, 0);
    return weir_random_normal(weir_constant(graph, WEIR_U32, weir_shape(2), seed), zero, zero,
                              shape, stream);
}

// The elements of v (4 bytes each), owned by the test's arena.
static const void *evaluate(weir_value *v)
{
    ck_assert_msg(!weir_is_poison(v), "%s", weir_graph_message(graph));
    void *out = weir_arena_array(arena, (size_t)weir_shape_size(&v->type.shape) + 1, 4);
    test_ok(weir_eval(&v, 1, weir_isa_best(), 1, NULL, 0, (void *[]){out}));
    return out;
}

static void expect(weir_value *v, const float *want)
{
    const float *got = evaluate(v);
    for (int64_t i = 0; i < weir_shape_size(&v->type.shape); i++)
        ck_assert_msg(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])),
                      "element %lld: %.9g, not %.9g", (long long)i, (double)got[i],
                      (double)want[i]);
}

static void expect_near(weir_value *v, const float *want, float bound)
{
    const float *got = evaluate(v);
    for (int64_t i = 0; i < weir_shape_size(&v->type.shape); i++)
        ck_assert_msg(fabsf(got[i] - want[i]) <= bound, "element %lld: %.9g, not %.9g",
                      (long long)i, (double)got[i], (double)want[i]);
}

static weir_value *gradient(weir_value *y, weir_value *x)
{
    weir_value *dx;
    weir_grad(weir_sum(y, weir_all_axes, false), &x, &dx, 1);
    return dx;
}

static int count_live(weir_value *const *y, int n, const char *op)
{
    weir_value **live, *out[4];
    int n_live, count = 0;
    test_ok(weir_simplify(graph, y, n, arena, &live, &n_live, out, NULL));
    for (int i = 0; i < n_live; i++)
        count += strcmp(live[i]->op->name, op) == 0;
    return count;
}

// --- softmax family ---

START_TEST(softmax_of_large_and_infinite)
{
    const float big[] = {1e30f, 1e30f, -1e30f, 0}, empty[] = {-INFINITY, -INFINITY};
    expect(weir_softmax(vector(4, big), 0), (const float[]){0.5f, 0.5f, 0, 0});
    expect(weir_softmax(vector(2, empty), 0), (const float[]){NAN, NAN});
    expect_near(weir_log_softmax(vector(4, big), 0),
                (const float[]){-0.6931472f, -0.6931472f, -2e30f, -1e30f}, 1e24f);
    weir_value *x = vector(2, empty);
    expect(weir_logsumexp(x, 0, false), (const float[]){-INFINITY});
    expect(gradient(weir_logsumexp(x, 0, false), x), (const float[]){0, 0});
    expect(weir_logsumexp(vector(2, (const float[]){INFINITY, 1}), 0, true),
           (const float[]){INFINITY});
    expect(weir_logsumexp(vector(3, (const float[]){-INFINITY, 2, -INFINITY}), 0, true),
           (const float[]){2});
}
END_TEST

START_TEST(a_rule_is_used_instead_of_the_body)
{
    weir_value *x = normals(weir_shape(3, 5), "x"), *y = weir_softmax(x, 1);
    int before = graph->n_values;
    gradient(y, x);
    for (int i = before; i < graph->n_values; i++)
        ck_assert_msg(graph->values[i]->op != &weir_op_exp &&
                          graph->values[i]->op != &weir_op_reduce_max,
                      "the body was walked: %s", graph->values[i]->op->name);
}
END_TEST

START_TEST(cross_entropy_of_extreme_logits)
{
    const float x[] = {1e38f, -1e38f, 0, 1, 2, 3};
    const int32_t label[] = {1, 1};
    weir_value *logits = f32s(weir_shape(2, 3), x),
               *i = weir_constant(graph, WEIR_I32, weir_shape(2), label);
    expect_near(weir_cross_entropy(logits, i), (const float[]){2e38f, 1.4076059f}, 1e-6f);
    expect_near(gradient(weir_cross_entropy(logits, i), logits),
                (const float[]){1, -1, 0, 0.09003057f, -0.75527152f, 0.66524097f}, 1e-6f);
}
END_TEST

START_TEST(one_hot_outside_is_zero)
{
    const int32_t label[] = {0, 2, -1, 3};
    weir_value *y = weir_one_hot(weir_constant(graph, WEIR_I32, weir_shape(4), label), 3);
    expect(y, (const float[]){1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0});
}
END_TEST

// --- activations ---

START_TEST(activations_at_their_ends)
{
    const float x[] = {0, -0.0f, 100, -100, INFINITY, NAN};
    expect(weir_relu(vector(6, x)), (const float[]){0, 0, 100, 0, INFINITY, NAN});
    weir_value *v = vector(6, x);
    expect(gradient(weir_relu(v), v), (const float[]){0, 0, 1, 0, 1, 0});
    expect(weir_gelu(vector(4, x)), (const float[]){0, 0, 100, 0});
    expect(weir_gelu_tanh(vector(4, x)), (const float[]){0, 0, 100, 0});
    weir_value *s = vector(4, x);
    expect_near(gradient(weir_silu(s), s), (const float[]){0.5f, 0.5f, 1, 0},
                1e-41f); // -100 e^-100 = -3.7e-42
    weir_value *i = vector(4, (const float[]){0, 1, -1, 30});
    expect_near(weir_i1e(i), (const float[]){0, 0.20791042f, -0.20791042f, 0.07191633f}, 1e-7f);
}
END_TEST

// --- norms ---

START_TEST(a_constant_input_gives_beta)
{
    weir_value *x = weir_broadcast(weir_f32(graph, 3.5), weir_shape(2, 4, 4, 8));
    weir_value *gamma = normals(weir_shape(8), "gamma"), *beta = normals(weir_shape(8), "beta");
    weir_value *want = weir_broadcast(beta, weir_shape(2, 4, 4, 8));
    expect(weir_group_norm(x, 4, gamma, beta, 1e-5), evaluate(want));
    expect(weir_layer_norm(x, gamma, beta, 1e-5), evaluate(want));
    expect(weir_instance_norm(x, gamma, beta, 1e-5), evaluate(want));
}
END_TEST

// One group of all channels is a layer norm over everything; a group a channel is an instance norm,
// bit for bit, for both sum the spatial axes by the column rule.
START_TEST(norms_agree_where_they_coincide)
{
    weir_value *x = normals(weir_shape(2, 5, 7, 6), "x"), *gamma = normals(weir_shape(6), "gamma");
    expect(weir_instance_norm(x, gamma, NULL, 1e-5),
           evaluate(weir_group_norm(x, 6, gamma, NULL, 1e-5)));
    weir_value *flat = weir_reshape(x, weir_shape(2, 210));
    weir_value *want =
        weir_reshape(weir_layer_norm(flat, NULL, NULL, 1e-5), weir_shape(2, 5, 7, 6));
    expect_near(weir_group_norm(x, 1, NULL, NULL, 1e-5), evaluate(want), 2e-6f);
}
END_TEST

// Forward and backward share mean and 1/deviation; the gradient adds two row sums and two column
// sums, each of these in two parts: the pixels, then the batch.
START_TEST(a_norm_and_its_gradient_are_few_sums)
{
    weir_value *x = normals(weir_shape(2, 4, 4, 8), "x"), *gamma = normals(weir_shape(8), "gamma");
    weir_value *beta = normals(weir_shape(8), "beta"), *u = normals(weir_shape(2, 4, 4, 8), "u");
    weir_value *y = weir_group_norm(x, 2, gamma, beta, 1e-5), *wrt[] = {x, gamma, beta},
               *out[4] = {y};
    weir_vjp(&y, &u, 1, wrt, out + 1, 3);
    ck_assert_int_eq(count_live(out, 4, "sum"), 8);
    ck_assert_int_eq(count_live(out, 4, "rsqrt"), 1);
}
END_TEST

// --- attention ---

START_TEST(a_masked_row_gives_zero)
{
    weir_value *q = normals(weir_shape(2, 3), "q"), *k = normals(weir_shape(4, 3), "k"),
               *v = normals(weir_shape(4, 2), "v");
    const uint8_t open[] = {0, 0, 0, 0, 0, 1, 0, 0};
    weir_value *mask = weir_constant(graph, WEIR_BOOL, weir_shape(2, 4), open);
    weir_value *y = weir_attention(q, k, v, mask, 0.0);
    const float *values = evaluate(v), *got = evaluate(y);
    ck_assert(got[0] == 0 && got[1] == 0);
    ck_assert(got[2] == values[2] && got[3] == values[3]); // one key: its value itself
    expect(gradient(y, v), (const float[]){0, 0, 1, 1, 0, 0, 0, 0});
    expect(gradient(y, q), (const float[]){0, 0, 0, 0, 0, 0});
}
END_TEST

START_TEST(attention_is_its_decompose)
{
    weir_value *q = normals(weir_shape(2, 9, 8), "q"), *k = normals(weir_shape(2, 11, 8), "k");
    weir_value *v = normals(weir_shape(2, 11, 4), "v");
    weir_value *s = weir_mul_c(weir_matmul(q, k, false, true), 0.25);
    weir_value *p = weir_exp(weir_sub(s, weir_reduce_max(s, weir_axes(-1), true)));
    weir_value *want = weir_div(weir_matmul(p, v, false, false), weir_sum(p, weir_axes(-1), true));
    expect(weir_attention(q, k, v, NULL, 0.25), evaluate(want));
}
END_TEST

// What is rebuilt: the scores' product and their exponential; what is kept: maximum and sum.
START_TEST(attention_keeps_two_columns)
{
    weir_value *in[] = {normals(weir_shape(9, 8), "q"), normals(weir_shape(11, 8), "k"),
                        normals(weir_shape(11, 4), "v")};
    weir_value *y = weir_attention(in[0], in[1], in[2], NULL, 0.0),
               *u = normals(weir_shape(9, 4), "u"), *out[4] = {y};
    weir_vjp(&y, &u, 1, in, out + 1, 3);
    ck_assert_int_eq(count_live(out, 4, "matmul"), 2 + 1 + 4);
    ck_assert_int_eq(count_live(out, 4, "exp"), 2);
    ck_assert_int_eq(count_live(out, 4, "reduce_max"), 1);
    ck_assert_int_eq(count_live(out, 4, "sum"), 2); // sum p, D
}
END_TEST

// --- pooling ---

START_TEST(pooling_pads_and_ties)
{
    const float x[] = {1, 5, 5, -2, 5, 0, 3, 3, -7};
    weir_value *v = f32s(weir_shape(1, 3, 3, 1), x);
    const int64_t window[] = {2, 2}, one[] = {1, 1}, stride[] = {2, 2};
    expect(weir_max_pool(v, window, one, NULL), (const float[]){5, 5, 5, 5});
    // The first of a tie in the window's row-major order takes all.
    expect(gradient(weir_max_pool(v, window, one, NULL), v),
           (const float[]){0, 2, 0, 0, 2, 0, 0, 0, 0});
    expect(weir_max_pool(v, window, stride, one), (const float[]){1, 5, 3, 5});
    expect(weir_mean_pool(v, window, stride, one), (const float[]){0.25f, 2.5f, 0.25f, 0.25f});
    expect(weir_mean_pool(v, window, NULL, NULL), (const float[]){2.25f});
}
END_TEST

// --- categorical ---

// 20000 draws from four weights (seed 5): the counts' chi-square with 3 degrees of freedom stays
// below 16.3 (one chance in a thousand); a part of the rows drawn alone gives the same draws.
START_TEST(categorical_draws)
{
    enum { ROWS = 20000, PART = 7, AT = 4321 };
    const float logits[] = {0, 1, -1, 2};
    const uint32_t seed_data[] = {5, 0};
    weir_value *seed = weir_constant(graph, WEIR_U32, weir_shape(2), seed_data),
               *zero = weir_u32(graph, 0);
    weir_value *row = vector(4, logits);
    const int32_t *all = evaluate(
        weir_categorical(weir_broadcast(row, weir_shape(ROWS, 4)), seed, zero, zero, "draw"));
    const int32_t *part = evaluate(weir_categorical(weir_broadcast(row, weir_shape(PART, 4)), seed,
                                                    zero, weir_u32(graph, AT), "draw"));
    ck_assert_int_eq(memcmp(all + AT, part, PART * sizeof(*part)), 0);
    double counts[4] = {0}, total = 0, chi = 0;
    for (int i = 0; i < ROWS; i++) {
        ck_assert(all[i] >= 0 && all[i] < 4);
        counts[all[i]]++;
    }
    for (int k = 0; k < 4; k++)
        total += exp((double)logits[k]);
    for (int k = 0; k < 4; k++) {
        double want = ROWS * exp((double)logits[k]) / total;
        chi += (counts[k] - want) * (counts[k] - want) / want;
    }
    ck_assert_double_lt(chi, 16.3);
    ck_assert_double_gt(chi, 0.02); // and they are draws, not quotas
}
END_TEST

// --- bad calls ---

static weir_value *bad_softmax(weir_value *x)
{
    return weir_softmax(x, 2);
}

static weir_value *bad_layer_norm(weir_value *x)
{
    return weir_layer_norm(x, weir_slice(weir_slice(x, 0, 0, 1, 1), 1, 0, 2, 1), NULL, 1e-5);
}

static weir_value *bad_group_norm(weir_value *x)
{
    return weir_group_norm(x, 4, NULL, NULL, 1e-5);
}

static weir_value *bad_attention(weir_value *x)
{
    return weir_attention(x, weir_transpose(x, 0, 1), x, NULL, 0);
}

static weir_value *bad_one_hot(weir_value *x)
{
    return weir_one_hot(x, 3);
}

static weir_value *bad_cross_entropy(weir_value *x)
{
    return weir_cross_entropy(x, weir_iota(x->graph, WEIR_I32, weir_shape(4), 0));
}

static weir_value *bad_pool(weir_value *x)
{
    return weir_max_pool(weir_reshape(x, weir_shape(1, 5, 3, 1)), (const int64_t[]){6, 1}, NULL,
                         NULL);
}

static weir_value *bad_mse(weir_value *x)
{
    return weir_mse(x, weir_transpose(x, 0, 1));
}

static weir_value *bad_categorical(weir_value *x)
{
    weir_value *zero = weir_u32(x->graph, 0);
    return weir_categorical(weir_reshape(x, weir_shape(15)), zero, zero, zero, "draw");
}

static const struct {
    weir_value *(*build)(weir_value *x); // x (5, 3)
    const char *says;
} bad[] = {
    {bad_softmax, "softmax: no axis 2 in rank 2"},
    {bad_layer_norm, "gamma and beta must have the last axis's 3 elements"},
    {bad_group_norm, "3 channels do not split into 4 groups"},
    {bad_attention, "matmul"},
    {bad_one_hot, "one_hot: needs i32 labels"},
    {bad_cross_entropy, "cross_entropy: needs logits (rows, n), i32 labels (rows)"},
    {bad_pool, "the window is larger than the padded input"},
    {bad_mse, "do not broadcast"},
    {bad_categorical, "categorical: needs logits (rows, n)"},
};

START_TEST(bad_calls_are_named)
{
    weir_value *x = normals(weir_shape(5, 3), "x"), *y = bad[_i].build(x);
    ck_assert(weir_is_poison(y));
    ck_assert_msg(strstr(weir_graph_message(graph), bad[_i].says), "'%s' lacks '%s'",
                  weir_graph_message(graph), bad[_i].says);
    // Poison passes through every composite and derivative.
    weir_value *dx;
    ck_assert(weir_is_poison(weir_silu(weir_softmax(y, 0))));
    ck_assert(weir_is_poison(weir_attention(x, y, x, NULL, 0)));
    ck_assert(weir_is_poison(weir_group_norm(x, 1, y, NULL, 1e-5)));
    weir_grad(weir_mse(y, x), &x, &dx, 1);
    ck_assert(weir_is_poison(dx));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("composite");
    TCase *t = tcase_create("composites");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, softmax_of_large_and_infinite);
    tcase_add_test(t, a_rule_is_used_instead_of_the_body);
    tcase_add_test(t, cross_entropy_of_extreme_logits);
    tcase_add_test(t, one_hot_outside_is_zero);
    tcase_add_test(t, activations_at_their_ends);
    tcase_add_test(t, a_constant_input_gives_beta);
    tcase_add_test(t, norms_agree_where_they_coincide);
    tcase_add_test(t, a_norm_and_its_gradient_are_few_sums);
    tcase_add_test(t, a_masked_row_gives_zero);
    tcase_add_test(t, attention_is_its_decompose);
    tcase_add_test(t, attention_keeps_two_columns);
    tcase_add_test(t, pooling_pads_and_ties);
    tcase_add_test(t, categorical_draws);
    tcase_add_loop_test(t, bad_calls_are_named, 0, (int)WEIR_COUNT(bad));
    suite_add_tcase(s, t);
    return test_main(s);
}
