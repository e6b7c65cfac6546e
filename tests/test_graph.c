// SPDX-License-Identifier: Apache-2.0
// Graphs: sticky errors with op, shapes, file and line; types; contraction of add and sub; views
// resolved to strides; the canonical order of sums against a plain transcription of its definition.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "graph/flop.h"
#include "graph/ops/rows.h"
#include "graph/view.h"
#include "support/support.h"
#include "weir/weir.h"

static weir_graph *g;

static void setup(void)
{
    test_log_clear();
    ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
}

static void teardown(void)
{
    weir_graph_destroy(&g);
    ck_assert_ptr_null(g);
    weir_graph_destroy(&g); // NULL is fine
}

static weir_value *input(struct weir_shape shape)
{
    return weir_input(g, WEIR_F32, shape, "x");
}

static void failed_with(weir_value *v, const char *fragment)
{
    ck_assert(weir_is_poison(v));
    ck_assert_int_eq(weir_graph_status(g), WEIR_INVALID);
    ck_assert_msg(strstr(weir_graph_message(g), fragment), "'%s' lacks '%s'", weir_graph_message(g),
                  fragment);
    ck_assert_ptr_nonnull(strstr(test_log_text(), fragment));
}

START_TEST(an_error_names_op_shapes_file_and_line)
{
    weir_value *a = input(weir_shape(2, 3)), *b = input(weir_shape(4));
    const int line = __LINE__ + 1;
    weir_value *bad = weir_add(a, b);
    char site[128];
    snprintf(site, sizeof(site), "test_graph.c:%d: ", line);
    failed_with(bad, site);
    failed_with(bad, "add: shapes (2, 3) and (4) do not broadcast");
}
END_TEST

START_TEST(leaves_name_their_line_too)
{
    const int line = __LINE__ + 1;
    weir_value *bad = weir_input(g, WEIR_F32, weir_shape(3, -2), "x");
    char text[128];
    snprintf(text, sizeof(text), "test_graph.c:%d: input: bad shape (3, -2)", line);
    failed_with(bad, text);
}
END_TEST

START_TEST(the_first_error_stays)
{
    weir_value *a = input(weir_shape(2, 3));
    weir_value *bad = weir_exp(weir_cast(a, WEIR_I32));
    failed_with(bad, "exp(i32 (2, 3)): not for this dtype");
    test_log_clear();
    weir_value *later = weir_reshape(weir_add(bad, a), weir_shape(7));
    ck_assert(weir_is_poison(later));
    ck_assert(weir_is_poison(weir_sum(a, weir_all_axes, false))); // nothing is built any more
    ck_assert_str_eq(test_log_text(), "");
    ck_assert_ptr_nonnull(strstr(weir_graph_message(g), "exp"));
}
END_TEST

START_TEST(mistakes_are_named)
{
    static const char *const fragments[] = {
        "fma(f32 (2, 3), i32 (2, 3), f32 (2, 3)): dtypes differ",
        "reshape: (2, 3) does not fit (4)",
        "permute(f32 (2, 3)): not a permutation",
        "slice: [1, 9) by 1 of axis 0 with 2",
        "broadcast: (2, 3) does not broadcast to (2, 4)",
        "sum: no axis 2 in rank 2",
        "any(f32 (2, 3)): only bool",
        "pad(f32 (2, 3)): negative padding",
        "concat(f32 (2, 3), f32 (2, 4)): extents differ",
        "select(f32 (2, 3), ",
        "input: bad shape (-1)",
        "iota(): no such axis",
        "argmax(f32 (2, 0)): the axis has no elements",
        "random_bits(u32 (3), u32 (), u32 ()): seed must",
        "mul: arguments belong to different graphs",
        "constant: data is NULL"};
    const size_t i = (size_t)_i;
    weir_value *x = input(weir_shape(2, 3)), *n = weir_cast(x, WEIR_I32), *z = weir_u32(g, 0);
    weir_graph *other;
    test_ok(weir_graph_create(NULL, &other));
    weir_value *bad[] = {
        i == 0 ? weir_fma(x, n, x) : NULL,
        i == 1 ? weir_reshape(x, weir_shape(4)) : NULL,
        i == 2 ? weir_permute(x, (int[]){1, 1}) : NULL,
        i == 3 ? weir_slice(x, 0, 1, 9, 1) : NULL,
        i == 4 ? weir_broadcast(x, weir_shape(2, 4)) : NULL,
        i == 5 ? weir_sum(x, weir_axes(2), true) : NULL,
        i == 6 ? weir_any(x, weir_all_axes, true) : NULL,
        i == 7 ? weir_pad(x, (int64_t[]){-1, 0}, NULL, NULL, 0) : NULL,
        i == 8 ? weir_concat((weir_value *[]){x, input(weir_shape(2, 4))}, 2, 0) : NULL,
        i == 9 ? weir_select(x, x, x) : NULL,
        i == 10 ? input(weir_shape(-1)) : NULL,
        i == 11 ? weir_iota(g, WEIR_F32, weir_shape(3), 1) : NULL,
        i == 12 ? weir_argmax(input(weir_shape(2, 0)), 1, true) : NULL,
        i == 13 ? weir_random_bits(weir_broadcast(z, weir_shape(3)), z, z, weir_shape(4), "s")
                : NULL,
        i == 14 ? weir_mul(x, weir_f32(other, 1)) : NULL,
        i == 15 ? weir_constant(g, WEIR_F32, weir_shape(2), NULL) : NULL};
    ck_assert_int_eq(WEIR_COUNT(bad), WEIR_COUNT(fragments));
    failed_with(bad[i], fragments[i]);
    weir_graph_destroy(&other);
}
END_TEST

START_TEST(null_is_passed_on)
{
    ck_assert_ptr_null(weir_add(NULL, NULL));
    ck_assert_ptr_null(weir_input(NULL, WEIR_F32, weir_scalar_shape, "x"));
    weir_value *bad = weir_mul(input(weir_shape(2)), NULL);
    failed_with(bad, "mul: an argument is NULL");
}
END_TEST

START_TEST(broadcasting_is_numpys)
{
    weir_value *y = weir_mul(input(weir_shape(5, 1, 4)), input(weir_shape(3, 1)));
    ck_assert(weir_shape_equal(weir_value_shape(y), &weir_shape(5, 3, 4)));
    y = weir_mul(input(weir_scalar_shape), input(weir_shape(0, 7)));
    ck_assert(weir_shape_equal(weir_value_shape(y), &weir_shape(0, 7)));
    ck_assert_int_eq(weir_dim(y, -1), 7);
}
END_TEST

// --- contraction ---

START_TEST(add_contracts_products)
{
    weir_value *a = input(weir_shape(4)), *b = input(weir_shape(4)), *c = input(weir_shape(4));
    weir_value *ab = weir_mul(a, b), *bc = weir_mul(b, c);
    weir_value *y = weir_add(c, ab); // the second operand is a product
    ck_assert_ptr_eq(y->op, &weir_op_fma);
    ck_assert(y->arg[0] == a && y->arg[1] == b && y->arg[2] == c);
    y = weir_add(ab, c); // else the first
    ck_assert(y->op == &weir_op_fma && y->arg[0] == a && y->arg[2] == c);
    y = weir_add(ab, bc); // both: the second goes
    ck_assert(y->op == &weir_op_fma && y->arg[0] == b && y->arg[1] == c && y->arg[2] == ab);
    y = weir_sub(c, ab); // c - ab = fma(-a, b, c)
    ck_assert(y->op == &weir_op_fma && y->arg[0]->op == &weir_op_neg && y->arg[0]->arg[0] == a);
    y = weir_sub(ab, c); // ab - c = fma(a, b, -c)
    ck_assert(y->op == &weir_op_fma && y->arg[0] == a && y->arg[2]->op == &weir_op_neg);
    y = weir_add(weir_f32(g, 1.0), ab); // the other operand may broadcast
    ck_assert_ptr_eq(y->op, &weir_op_fma);
}
END_TEST

START_TEST(add_does_not_contract_through)
{
    weir_value *a = input(weir_shape(4)), *c = input(weir_shape(3, 4)), *ab = weir_mul(a, a);
    ck_assert_ptr_eq(weir_add(c, ab)->op, &weir_op_add); // an implicit broadcast view
    ck_assert_ptr_eq(weir_add(a, weir_flip(ab, 0))->op, &weir_op_add);
    ck_assert_ptr_eq(weir_add(a, weir_stop_gradient(ab))->op, &weir_op_add);
    ck_assert_ptr_eq(weir_add(a, weir_square(a))->op, &weir_op_add); // not a product node
    weir_value *bf = weir_cast(weir_cast(ab, WEIR_BF16), WEIR_F32);
    ck_assert_ptr_eq(weir_add(a, bf)->op, &weir_op_add);
    weir_value *n = weir_cast(a, WEIR_I32);
    ck_assert_ptr_eq(weir_add(n, weir_mul(n, n))->op, &weir_op_add); // integers
}
END_TEST

// --- views ---

static void layout_is(weir_value *v, weir_value *base, int64_t offset, const int64_t *stride)
{
    struct weir_layout l;
    weir_layout_of(v, NULL, NULL, &l);
    ck_assert_ptr_eq(l.base, base);
    ck_assert_int_eq(l.offset, offset);
    for (int i = 0; i < v->type.shape.rank; i++)
        if (v->type.shape.dim[i] > 1) // the stride of the others says nothing
            ck_assert_int_eq(l.stride[i], stride[i]);
}

START_TEST(views_cost_nothing)
{
    weir_value *x = input(weir_shape(6, 4, 5));
    layout_is(weir_permute(x, (int[]) { 2, 0, 1 }), x, 0, (int64_t[]) { 1, 20, 5 });
    layout_is(weir_flip(x, 1), x, 15, (int64_t[]) { 20, -5, 1 });
    layout_is(weir_slice(weir_flip(x, 0), 0, 1, 6, 2), x, 80, (int64_t[]) { -40, 5, 1 });
    layout_is(weir_broadcast(weir_slice(x, 2, 3, 4, 1), weir_shape(2, 6, 4, 9)), x, 3,
              (int64_t[]) { 0, 20, 5, 0 });
    weir_value *t = weir_transpose(x, 0, 1); // (4, 6, 5) strides 5, 20, 1
    layout_is(weir_reshape(t, weir_shape(2, 2, 3, 2, 1, 5)), x, 0,
              (int64_t[]) { 10, 5, 40, 20, 5, 1 });
    layout_is(weir_reshape(weir_slice(x, 0, 1, 5, 1), weir_shape(80)), x, 20, (int64_t[]) { 1 });
    layout_is(weir_reshape(weir_flip(weir_reshape(x, weir_shape(-1)), 0), weir_shape(6, 4, 5)), x,
              119, (int64_t[]){-20, -5, -1});
    weir_value *rows = weir_broadcast(weir_slice(x, 2, 0, 1, 1), weir_shape(6, 4, 8));
    layout_is(weir_reshape(rows, weir_shape(24, 2, 4)), x, 0, (int64_t[]) { 5, 0, 0 });
}
END_TEST

START_TEST(a_reshape_that_strides_cannot_express_stops)
{
    weir_value *x = input(weir_shape(6, 4)), *t = weir_transpose(x, 0, 1);
    weir_value *flat = weir_reshape(t, weir_shape(24));
    layout_is(flat, t, 0, (int64_t[]) { 1 });
    layout_is(weir_flip(flat, 0), t, 23, (int64_t[]) { -1 });
}
END_TEST

// --- sums ---

static float row_sum(const float *x, int64_t n)
{
    if (n == 0)
        return 0.0f;
    int64_t chunks = (n + 4095) / 4096;
    float *sums = malloc((size_t)chunks * sizeof(*sums));
    for (int64_t c = 0; c < chunks; c++) {
        float lane[64];
        for (int l = 0; l < 64; l++)
            lane[l] = -0.0f;
        for (int64_t i = c * 4096; i < n && i < (c + 1) * 4096; i++)
            lane[i % 64] += x[i];
        for (int half = 32; half > 0; half /= 2)
            for (int l = 0; l < half; l++)
                lane[l] += lane[l + half];
        sums[c] = lane[0];
    }
    float sum = chunks == 1 ? sums[0] : row_sum(sums, chunks);
    free(sums);
    return sum;
}

static float column_sum(const float *x, int64_t n)
{
    if (n == 1)
        return x[0];
    int64_t runs = (n + 63) / 64;
    float *sums = malloc((size_t)runs * sizeof(*sums));
    for (int64_t r = 0; r < runs; r++) {
        sums[r] = x[r * 64];
        for (int64_t i = r * 64 + 1; i < n && i < (r + 1) * 64; i++)
            sums[r] += x[i];
    }
    float sum = column_sum(sums, runs);
    free(sums);
    return sum;
}

static float *uniform(int64_t n, uint64_t seed)
{
    float *x = malloc((size_t)n * sizeof(*x));
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)(int64_t)test_next(&seed) * 0x1p-63);
    return x;
}

static void evaluate(weir_value *v, weir_value *x, const float *data, float *out)
{
    struct weir_eval_leaf leaf = { x, data };
    void *to = out;
    test_ok(weir_eval(&v, 1, weir_isa_best(), 2, &leaf, 1, &to));
}

START_TEST(row_sums_have_the_canonical_order)
{
    static const int64_t sizes[] = { 1, 2, 63, 64, 65, 1000, 4095, 4096, 4097, 100003 };
    int64_t n = sizes[_i];
    float *data = uniform(3 * n, 7), got[3];
    weir_value *x = input(weir_shape(3, n));
    evaluate(weir_sum(x, weir_axes(1), false), x, data, got);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(got[i] == row_sum(data + i * n, n), "row of %lld: %a, not %a", (long long)n,
                      got[i], row_sum(data + i * n, n));
    free(data);
}
END_TEST

START_TEST(a_long_row_alone_too)
{
    const int64_t n = 4096 * 4096 + 777; // three levels
    float *data = uniform(n, 8), got;
    weir_value *x = input(weir_shape(n));
    evaluate(weir_sum(x, weir_all_axes, false), x, data, &got);
    ck_assert(got == row_sum(data, n));
    free(data);
}
END_TEST

START_TEST(column_sums_have_the_canonical_order)
{
    static const int64_t sizes[] = { 2, 63, 64, 65, 127, 129, 4096, 4097, 5000, 262145 };
    int64_t n = sizes[_i];
    float *data = uniform(2 * n, 9), got[2], *column = malloc((size_t)n * sizeof(*column));
    weir_value *x = input(weir_shape(n, 2));
    evaluate(weir_sum(x, weir_axes(0), false), x, data, got);
    for (int j = 0; j < 2; j++) {
        for (int64_t i = 0; i < n; i++)
            column[i] = data[2 * i + j];
        ck_assert_msg(got[j] == column_sum(column, n), "column of %lld: %a, not %a", (long long)n,
                      got[j], column_sum(column, n));
    }
    free(column);
    free(data);
}
END_TEST

// x (n, h, w, c, 1) over n, h, w: columns w, then h, then n; the axis of size 1 counts for nothing.
START_TEST(several_axes_go_from_the_innermost)
{
    enum { N = 3, H = 67, W = 130, C = 2 };
    float *data = uniform(N * H * W * C, 10), got[C];
    weir_value *x = input(weir_shape(N, H, W, C, 1));
    evaluate(weir_sum(x, weir_axes(0, 1, 2, 4), false), x, data, got);
    for (int c = 0; c < C; c++) {
        float by_n[N], by_h[H], by_w[W];
        for (int n = 0; n < N; n++) {
            for (int h = 0; h < H; h++) {
                for (int w = 0; w < W; w++)
                    by_w[w] = data[((n * H + h) * W + w) * C + c];
                by_h[h] = column_sum(by_w, W);
            }
            by_n[n] = column_sum(by_h, H);
        }
        ck_assert(got[c] == column_sum(by_n, N));
    }
    free(data);
}
END_TEST

START_TEST(columns_come_before_the_row)
{
    enum { A = 70, B = 3, C = 200 }; // over the first and the last axis
    float *data = uniform(A * B * C, 11), got[B];
    weir_value *x = input(weir_shape(A, B, C));
    evaluate(weir_sum(x, weir_axes(0, 2), false), x, data, got);
    for (int b = 0; b < B; b++) {
        float row[C], column[A];
        for (int c = 0; c < C; c++) {
            for (int a = 0; a < A; a++)
                column[a] = data[(a * B + b) * C + c];
            row[c] = column_sum(column, A);
        }
        ck_assert(got[b] == row_sum(row, C));
    }
    free(data);
}
END_TEST

START_TEST(signed_zeros_and_nothing)
{
    const float zeros[4] = { -0.0f, -0.0f, -0.0f, -0.0f };
    float got[2];
    weir_value *x = input(weir_shape(2, 2)), *none = input(weir_shape(2, 0));
    evaluate(weir_sum(x, weir_axes(1), false), x, zeros, got);
    ck_assert(signbit(got[0]) && signbit(got[1]));
    evaluate(weir_sum(x, weir_axes(0), false), x, zeros, got);
    ck_assert(signbit(got[0]) && signbit(got[1]));
    evaluate(weir_sum(none, weir_axes(1), false), none, zeros, got);
    ck_assert(got[0] == 0 && !signbit(got[0]));
    evaluate(weir_reduce_max(none, weir_axes(1), false), none, zeros, got);
    ck_assert(got[1] == -INFINITY);
}
END_TEST

START_TEST(nan_wins_and_ties_are_lowest)
{
    const float data[2][4] = { { 1.0f, NAN, 3.0f, NAN }, { -0.0f, 0.0f, 0.0f, -0.0f } };
    float most[2], least[2];
    int32_t at[2], low[2];
    weir_value *x = input(weir_shape(2, 4));
    evaluate(weir_reduce_max(x, weir_axes(1), false), x, data[0], most);
    evaluate(weir_reduce_min(x, weir_axes(1), false), x, data[0], least);
    evaluate(weir_argmax(x, 1, false), x, data[0], (float *)(void *)at);
    evaluate(weir_argmin(x, 1, false), x, data[0], (float *)(void *)low);
    ck_assert(isnan(most[0]) && isnan(least[0]));
    ck_assert(!signbit(most[1]) && signbit(least[1]));
    ck_assert(at[0] == 1 && low[0] == 1 && at[1] == 1 && low[1] == 0);
}
END_TEST

// The known answers of Philox 4x32-10 (Random123's kat_vectors): counter and key zero.
START_TEST(random_words_are_philox)
{
    const uint32_t seed[2] = { 0, 0 }, zero = 0;
    uint32_t got[4];
    weir_value *s = weir_input(g, WEIR_U32, weir_shape(2), "seed");
    weir_value *step = weir_input(g, WEIR_U32, weir_scalar_shape, "step");
    weir_value *row = weir_input(g, WEIR_U32, weir_scalar_shape, "row0");
    weir_value *v = weir_random_bits(s, step, row, weir_shape(1, 4), "x");
    ck_assert(!weir_is_poison(v));
    v->attrs.gen.stream = 0; // the counter's last word, here without a name behind it
    struct weir_eval_leaf leaves[] = { { s, seed }, { step, &zero }, { row, &zero } };
    void *to = got;
    test_ok(weir_eval(&v, 1, weir_isa_best(), 1, leaves, 3, &to));
    static const uint32_t known[4] = { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u };
    ck_assert_mem_eq(got, known, sizeof(known));
}
END_TEST

// Terms counted by hand: of products 2 each, of a sum 1, of a map its instructions, of a view
// nothing.
START_TEST(arithmetic_is_counted)
{
    const struct weir_conv_params p = { .stride = { 2, 2 }, .pad_lo = { 1, 1 }, .pad_hi = { 1, 1 },
                                        .groups = 2 };
    weir_value *a = input(weir_shape(3, 5, 7)), *b = input(weir_shape(3, 11, 7));
    weir_value *x = input(weir_shape(2, 8, 8, 6)), *w = input(weir_shape(10, 3, 3, 3));
    weir_value *y = weir_conv(x, w, &p); // (2, 4, 4, 10), 3 channels of a group by 3 x 3
    const double conv = 2. * 2 * 4 * 4 * 10 * 27;
    const struct { weir_value *v; double flop; } cases[] = {
        { weir_matmul(a, b, false, true), 2. * 3 * 5 * 11 * 7 },
        { weir_matmul(a, input(weir_shape(3, 5, 2)), true, false), 2. * 3 * 7 * 2 * 5 },
        { y, conv },
        { weir_conv_input_grad(y, w, (int64_t[]) { 8, 8 }, &p), conv },
        { weir_conv_weight_grad(x, y, (int64_t[]) { 3, 3 }, &p), conv },
        { weir_sum(a, weir_axes(1), true), 3. * 5 * 7 },
        { weir_exp(a), 3. * 5 * 7 * weir_op_exp.instructions },
        { weir_transpose(a, 0, 1), 0 },
        { a, 0 },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        ck_assert(!weir_is_poison(cases[i].v));
        ck_assert_double_eq(weir_value_flop(cases[i].v), cases[i].flop);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_error_names_op_shapes_file_and_line);
    tcase_add_test(t, leaves_name_their_line_too);
    tcase_add_test(t, the_first_error_stays);
    tcase_add_loop_test(t, mistakes_are_named, 0, 16);
    tcase_add_test(t, null_is_passed_on);
    tcase_add_test(t, broadcasting_is_numpys);
    tcase_add_test(t, add_contracts_products);
    tcase_add_test(t, add_does_not_contract_through);
    tcase_add_test(t, views_cost_nothing);
    tcase_add_test(t, a_reshape_that_strides_cannot_express_stops);
    tcase_add_loop_test(t, row_sums_have_the_canonical_order, 0, 10);
    tcase_add_test(t, a_long_row_alone_too);
    tcase_add_loop_test(t, column_sums_have_the_canonical_order, 0, 10);
    tcase_add_test(t, several_axes_go_from_the_innermost);
    tcase_add_test(t, columns_come_before_the_row);
    tcase_add_test(t, signed_zeros_and_nothing);
    tcase_add_test(t, nan_wins_and_ties_are_lowest);
    tcase_add_test(t, random_words_are_philox);
    tcase_add_test(t, arithmetic_is_counted);
    suite_add_tcase(suite, t);
    return test_main(suite);
}
