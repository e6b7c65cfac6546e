// SPDX-License-Identifier: Apache-2.0
// The legal rewrites: each applies where it should, keeps the bits at the edges (±0, subnormals,
// huge, infinities, NaN as one class), and does not apply to its illegal neighbours. CSE, dead
// values, composites, recompute regions and folding.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/rewrite.h"
#include "compile/simplify.h"
#include "graph/diff.h"
#include "graph/eval.h"
#include "graph/ops/rows.h"
#include "support/support.h"

static const float edges[] = {0.0f,
                              -0.0f,
                              0x1p-149f,
                              -0x1p-149f,
                              0x1.fffffcp-127f,
                              0x1p-126f,
                              -0x1p-126f,
                              1.0f,
                              -1.0f,
                              3.0f,
                              0x1.fffffep-1f,
                              0x1.000002p0f,
                              0x1.921fb6p1f,
                              0x1p127f,
                              0x1.fffffep127f,
                              -0x1.fffffep127f,
                              INFINITY,
                              -INFINITY,
                              NAN,
                              0x1.555556p-120f};
#define N ((int64_t)WEIR_COUNT(edges))

// A graph with one f32 input of the edge values and one of the same values in another order.
struct bench {
    weir_graph *g;
    weir_value *x, *z;
    float z_data[WEIR_COUNT(edges)];
    weir_arena *arena;
    weir_value **live, *out;
    int n_live;
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    test_ok(weir_graph_create(&test_log, &b->g));
    b->x = weir_input(b->g, WEIR_F32, weir_shape(N), "x");
    b->z = weir_input(b->g, WEIR_F32, weir_shape(N), "z");
    for (int64_t i = 0; i < N; i++)
        b->z_data[i] = edges[(7 * i + 3) % N];
    b->arena = weir_arena_create();
}

static void bench_finish(struct bench *b)
{
    weir_arena_destroy(&b->arena);
    weir_graph_destroy(&b->g);
}

static void simplify(struct bench *b, weir_value *y, const struct weir_simplify_params *params)
{
    ck_assert_msg(!weir_is_poison(y), "%s", weir_graph_message(b->g));
    test_ok(weir_simplify(b->g, &y, 1, b->arena, &b->live, &b->n_live, &b->out, params));
    for (int i = 0; i < b->n_live; i++) {
        ck_assert_int_eq(b->live[i]->id, i);
        for (int k = 0; k < b->live[i]->arity; k++) {
            ck_assert_int_lt(b->live[i]->arg[k]->id, i);
            ck_assert_ptr_eq(b->live[i]->arg[k], b->live[b->live[i]->arg[k]->id]);
        }
    }
}

static int count(const struct bench *b, const char *op)
{
    int n = 0;
    for (int i = 0; i < b->n_live; i++)
        n += strcmp(b->live[i]->op->name, op) == 0;
    return n;
}

// Evaluates by the loop nests for float; live values are looked up in a graph of their own.
static uint32_t *evaluate(struct bench *b, weir_value *y, weir_value *const *values, int n_values)
{
    weir_graph own = *b->g;
    if (values) {
        own.values = (weir_value **)(uintptr_t)values;
        own.n_values = n_values;
        for (int i = 0; i < n_values; i++)
            values[i]->graph = &own;
    }
    struct weir_eval_leaf leaves[2];
    int n = 0;
    for (int i = 0; i < (values ? n_values : b->g->n_values); i++) {
        weir_value *v = (values ? values : b->g->values)[i];
        if (v->op == &weir_op_input)
            leaves[n++] = (struct weir_eval_leaf){v, v->attrs.input.index == 0 ? edges : b->z_data};
    }
    uint32_t *out = calloc((size_t)weir_shape_size(&y->type.shape) + 1, 4);
    test_ok(weir_eval(&y, 1, weir_isa_best(), 1, leaves, n, (void *[]){out}));
    return out;
}

static bool is_nan_bits(uint32_t u)
{
    return (u & 0x7fffffffu) > 0x7f800000u;
}

// y and what simplify makes of it have the same bits.
static void same_bits(struct bench *b, const char *name, weir_value *y)
{
    uint32_t *want = evaluate(b, y, NULL, 0), *got = evaluate(b, b->out, b->live, b->n_live);
    for (int64_t i = 0; i < weir_shape_size(&y->type.shape); i++)
        ck_assert_msg(got[i] == want[i] || (y->type.dtype == WEIR_F32 && is_nan_bits(got[i]) &&
                                            is_nan_bits(want[i])),
                      "%s, element %lld: %08x, should be %08x", name, (long long)i, got[i],
                      want[i]);
    free(want);
    free(got);
}

// --- one entry a rewrite: what to build, which op disappears, how many values stay ---

static weir_value *c(struct bench *b, double value)
{
    return weir_f32(b->g, value);
}

static weir_value *build_mul_one(struct bench *b)
{
    return weir_mul(weir_mul(b->x, c(b, 1.0)), weir_mul(c(b, 1.0), b->z));
}

static weir_value *build_fma_one(struct bench *b)
{
    return weir_fma(weir_fma(b->x, c(b, 1.0), b->z), c(b, 1.0), b->x);
}

static weir_value *build_sub_zero(struct bench *b)
{
    return weir_exp(weir_sub(b->x, c(b, 0.0)));
}

static weir_value *build_sub_zero_bits(struct bench *b)
{
    return weir_sub(b->x, c(b, 0.0));
}

static weir_value *build_add_minus_zero(struct bench *b)
{
    return weir_add(weir_add(b->x, c(b, -0.0)), c(b, -0.0));
}

static weir_value *build_neg_neg(struct bench *b)
{
    return weir_neg(weir_neg(b->x));
}

static weir_value *build_twice(struct bench *b)
{
    return weir_mul(c(b, 2.0), b->x);
}

static weir_value *build_div_power_of_two(struct bench *b)
{
    return weir_div(b->x, c(b, 0x1p-20));
}

static weir_value *build_div_minus_power(struct bench *b)
{
    return weir_div(b->x, c(b, -0x1p126));
}

static weir_value *build_select_known(struct bench *b)
{
    return weir_select(weir_lt(c(b, 1.0), c(b, 2.0)), b->x, b->z);
}

static weir_value *build_view_nothing(struct bench *b)
{
    return weir_stop_gradient(weir_flip(weir_flip(b->x, 0), 0));
}

static weir_value *build_view_on_view(struct bench *b)
{
    weir_value *cut = weir_flip(weir_slice(weir_slice(b->x, 0, 1, 19, 2), 0, 2, 8, 3), 0);
    return weir_neg(cut);
}

static weir_value *build_permutes(struct bench *b)
{
    weir_value *y =
        weir_reshape(weir_reshape(b->x, weir_shape(2, 2, N / 4)), weir_shape(1, 4, N / 4));
    return weir_neg(weir_permute(weir_permute(y, (int[]){1, 2, 0}), (int[]){1, 2, 0}));
}

static weir_value *build_view_of_uniform(struct bench *b)
{
    weir_value *k = weir_reshape(weir_broadcast(c(b, -0.0), weir_shape(2, N / 2)), weir_shape(N));
    return weir_mul(b->x, weir_flip(k, 0));
}

static weir_value *build_fold_uniform(struct bench *b)
{
    weir_value *k = weir_broadcast(c(b, 3.0), weir_shape(N));
    return weir_mul(b->x, weir_exp(weir_neg(weir_div(k, c(b, 7.0)))));
}

static weir_value *build_fold_reduce(struct bench *b)
{
    float data[] = {1.5f, -2.25f, 0x1p-140f, 8.0f};
    weir_value *k = weir_constant(b->g, WEIR_F32, weir_shape(2, 2), data);
    return weir_mul(b->x, weir_sum(weir_transpose(k, 0, 1), weir_all_axes, false));
}

static weir_value *rounded(weir_value *x, enum weir_dtype t)
{
    return weir_cast(weir_cast(x, t), WEIR_F32);
}

static weir_value *build_narrow_widened(struct bench *b)
{
    return rounded(rounded(b->x, WEIR_BF16), WEIR_BF16);
}

static weir_value *build_narrow_widened_f16(struct bench *b)
{
    return weir_neg(rounded(rounded(rounded(b->x, WEIR_F16), WEIR_F16), WEIR_F16));
}

static weir_value *build_view_widened(struct bench *b)
{
    weir_value *x = weir_reshape(rounded(b->x, WEIR_F16), weir_shape(4, N / 4));
    return rounded(weir_transpose(x, 0, 1), WEIR_F16);
}

static weir_value *build_concat_widened(struct bench *b)
{
    weir_value *both[2] = {rounded(b->x, WEIR_BF16), rounded(b->z, WEIR_BF16)};
    return rounded(weir_concat(both, 2, 0), WEIR_BF16);
}

static weir_value *build_sum_batch_last(struct bench *b)
{
    weir_value *x = weir_reshape(b->x, weir_shape(N / 4, 2, 1, 2));
    return weir_sum(x, (struct weir_axes) { 3, { 0, 1, 2 } }, false);
}

static const struct {
    const char *rewrite;
    weir_value *(*build)(struct bench *b);
    const char *gone; // this op is not among the live values
    int n_live;
} applied[] = {
    {"mul_one", build_mul_one, "constant", 3},
    {"fma_one", build_fma_one, "fma", 4},
    {"sub_zero", build_sub_zero, "sub", 2},
    {"sub_zero", build_sub_zero_bits, "sub", 1},
    {"add_minus_zero", build_add_minus_zero, "add", 1},
    {"neg_neg", build_neg_neg, "neg", 1},
    {"twice", build_twice, "mul", 2},
    {"div_power_of_two", build_div_power_of_two, "div", 4},
    {"div_power_of_two", build_div_minus_power, "div", 4},
    {"select_known", build_select_known, "select", 1},
    {"view_nothing", build_view_nothing, "slice", 1},
    {"view_on_view", build_view_on_view, "reshape", 3},
    {"view_on_view", build_permutes, "slice", 4},
    {"view_of_uniform", build_view_of_uniform, "slice", 4},
    {"fold_uniform", build_fold_uniform, "exp", 4},
    {"fold", build_fold_reduce, "sum", 4},
    {"narrow_widened", build_narrow_widened, "constant", 3},
    {"narrow_widened", build_narrow_widened_f16, "constant", 4},
    {"view_widened", build_view_widened, "constant", 5}, // x, f16, two views, f32
    {"concat_widened", build_concat_widened, "constant", 6}, // x, z, bf16 of both, concat, f32
    {"sum_batch_last", build_sum_batch_last, "mul", 5}, // two sums instead of one
};

START_TEST(a_rewrite_keeps_the_bits)
{
    struct bench b;
    bench_init(&b);
    weir_value *y = applied[_i].build(&b);
    simplify(&b, y, NULL);
    struct weir_strbuf text = {0};
    weir_simplify_dump(b.live, b.n_live, &text);
    ck_assert_msg(count(&b, applied[_i].gone) == 0, "%s: %s is still there:\n%s",
                  applied[_i].rewrite, applied[_i].gone, text.s);
    ck_assert_msg(b.n_live == applied[_i].n_live, "%s: %d values:\n%s", applied[_i].rewrite,
                  b.n_live, text.s);
    same_bits(&b, applied[_i].rewrite, y);
    weir_strbuf_free(&text);
    bench_finish(&b);
}
END_TEST

START_TEST(every_rewrite_has_its_edge_test)
{
    for (int i = 0; weir_rewrites[i]; i++) {
        int n = 0;
        for (size_t k = 0; k < WEIR_COUNT(applied); k++)
            n += strcmp(applied[k].rewrite, weir_rewrites[i]->name) == 0;
        ck_assert_msg(n > 0, "%s has no entry", weir_rewrites[i]->name);
    }
}
END_TEST

// --- what must stay ---

static weir_value *keep_add_zero(struct bench *b)
{
    return weir_add(b->x, c(b, 0.0)); // -0 + 0 is +0
}

static weir_value *keep_sub_minus_zero(struct bench *b)
{
    return weir_sub(b->x, c(b, -0.0));
}

static weir_value *keep_mul_zero(struct bench *b)
{
    return weir_mul(b->x, c(b, 0.0)); // the sign, and NaN from infinity
}

static weir_value *keep_sub_self(struct bench *b)
{
    return weir_sub(b->x, b->x);
}

static weir_value *keep_div_three(struct bench *b)
{
    return weir_div(b->x, c(b, 3.0));
}

static weir_value *keep_div_tiny(struct bench *b)
{
    return weir_div(b->x, c(b, 0x1p-149)); // the reciprocal overflows
}

static weir_value *keep_div_huge(struct bench *b)
{
    return weir_div(b->x, c(b, 0x1p127)); // the reciprocal is subnormal
}

static weir_value *keep_cast(struct bench *b)
{
    return weir_cast(weir_cast(b->x, WEIR_BF16), WEIR_F32);
}

static weir_value *keep_other_storage(struct bench *b)
{
    return rounded(rounded(b->x, WEIR_BF16), WEIR_F16);
}

static weir_value *keep_reassociation(struct bench *b)
{
    return weir_mul(weir_mul(b->x, c(b, 3.0)), c(b, 5.0));
}

static weir_value *keep_factor(struct bench *b)
{
    return weir_sum(weir_mul(b->x, c(b, 3.0)), weir_all_axes, false);
}

static weir_value *keep_row_sum(struct bench *b)
{
    weir_value *x = weir_reshape(b->x, weir_shape(N / 4, 2, 2));
    return weir_sum(x, (struct weir_axes) { 2, { 0, 2 } }, false); // axis 2 comes after axis 0
}

static weir_value *keep_one_column(struct bench *b)
{
    return weir_sum(weir_reshape(b->x, weir_shape(N / 2, 1, 2)), (struct weir_axes) { 2, { 0, 1 } }, false);
}

static weir_value *keep_contraction(struct bench *b)
{
    weir_value *p = weir_mul(b->x, b->z);
    return weir_add(weir_reshape(p, weir_shape(2, N / 2)),
                    weir_reshape(b->x, weir_shape(2, N / 2)));
}

static const struct {
    weir_value *(*build)(struct bench *b);
    const char *stays;
    int times;
} kept[] = {
    {keep_add_zero, "add", 1}, {keep_sub_minus_zero, "sub", 1}, {keep_mul_zero, "mul", 1},
    {keep_sub_self, "sub", 1}, {keep_div_three, "div", 1},      {keep_div_tiny, "div", 1},
    {keep_div_huge, "div", 1}, {keep_cast, "cast", 2},          {keep_reassociation, "mul", 2},
    {keep_other_storage, "cast", 4}, {keep_factor, "mul", 1},   {keep_contraction, "add", 1},
    {keep_row_sum, "sum", 1},  {keep_one_column, "sum", 1},
};

START_TEST(illegal_rewrites_do_not_happen)
{
    struct bench b;
    bench_init(&b);
    weir_value *y = kept[_i].build(&b);
    simplify(&b, y, NULL);
    ck_assert_int_eq(count(&b, kept[_i].stays), kept[_i].times);
    same_bits(&b, kept[_i].stays, y);
    bench_finish(&b);
}
END_TEST

START_TEST(integers)
{
    struct bench b;
    bench_init(&b);
    weir_value *i = weir_cast(b.x, WEIR_I32);
    weir_value *y =
        weir_add(weir_sub(weir_mul(i, weir_i32(b.g, 1)), weir_i32(b.g, 0)), weir_i32(b.g, 0));
    simplify(&b, weir_neg(weir_neg(y)), NULL);
    ck_assert_int_eq(b.n_live, 2);
    same_bits(&b, "integers", y);
    bench_finish(&b);
}
END_TEST

// --- CSE, dead values, composites ---

START_TEST(equal_values_merge)
{
    struct bench b;
    bench_init(&b);
    weir_value *y = weir_add(weir_exp(weir_add_c(b.x, 2.0)), weir_exp(weir_add_c(b.x, 2.0)));
    weir_exp(b.z); // dead
    simplify(&b, y, NULL);
    ck_assert_int_eq(b.n_live, 6); // x, 2, broadcast, add, exp, add
    ck_assert_ptr_eq(b.out->arg[0], b.out->arg[1]);
    same_bits(&b, "cse", y);
    simplify(&b, y, &(struct weir_simplify_params){.no_rewrites = true});
    ck_assert_int_eq(count(&b, "exp"), 2);
    simplify(&b, weir_sub(weir_mul(b.x, c(&b, 0.0)), weir_mul(b.x, c(&b, -0.0))), NULL);
    ck_assert_int_eq(count(&b, "constant"), 2); // +0 and -0 differ
    bench_finish(&b);
}
END_TEST

static weir_value *expensive(void *ctx, weir_value *const *in)
{
    return weir_sin(weir_exp(in[0]));
}

START_TEST(recomputed_values_stay_apart)
{
    struct bench b;
    bench_init(&b);
    weir_value *dx, *y = weir_checkpoint(expensive, NULL, &b.x, 1);
    weir_vjp(&y, &b.z, 1, &b.x, &dx, 1);
    weir_value *both = weir_add(y, dx);
    simplify(&b, both, NULL);
    ck_assert_int_eq(count(&b, "exp"), 2);
    ck_assert_int_eq(count(&b, "custom"), 0);
    same_bits(&b, "checkpoint", both);
    bench_finish(&b);
}
END_TEST

START_TEST(composites_share_with_their_gradient)
{
    struct bench b;
    bench_init(&b);
    weir_value *x = weir_reshape(b.x, weir_shape(4, N / 4)),
               *y = weir_layer_norm(x, NULL, NULL, 1e-5), *dx;
    weir_value *u = weir_reshape(b.z, weir_shape(4, N / 4));
    weir_vjp(&y, &u, 1, &x, &dx, 1);
    weir_value *both = weir_add(y, dx);
    simplify(&b, both, NULL);
    ck_assert_int_eq(count(&b, "rsqrt"), 1); // the statistics are the forward's own
    ck_assert_int_eq(count(&b, "sum"), 4);   // mean, variance, and two of the gradient
    ck_assert_int_eq(count(&b, "layer_norm"), 0);
    same_bits(&b, "layer_norm", both);
    bench_finish(&b);
}
END_TEST

static bool has_name(const void *ctx, const weir_value *v)
{
    return strcmp(ctx, v->op->name) == 0;
}

START_TEST(claimed_composites_stay)
{
    struct bench b;
    bench_init(&b);
    weir_value *y = weir_softmax(weir_silu(b.x), 0);
    simplify(&b, y, &(struct weir_simplify_params){.claims = has_name, .ctx = "softmax"});
    ck_assert_int_eq(count(&b, "softmax"), 1);
    ck_assert_int_eq(count(&b, "reduce_max"), 0);
    ck_assert_int_eq(count(&b, "sigmoid"), 1);
    bench_finish(&b);
}
END_TEST

START_TEST(the_graph_is_not_changed)
{
    struct bench b;
    bench_init(&b);
    weir_value *y = weir_mul(weir_div(b.x, c(&b, 4.0)), c(&b, 1.0));
    int n = b.g->n_values;
    simplify(&b, y, NULL);
    ck_assert_int_eq(b.g->n_values, n);
    ck_assert_ptr_eq(y->op, &weir_op_mul);
    ck_assert_ptr_eq(y->arg[0]->op, &weir_op_div);
    struct weir_strbuf text = {0};
    simplify(&b, weir_name(y, "quarter"), &(struct weir_simplify_params){.dump = &text});
    ck_assert_ptr_nonnull(strstr(text.s, "mul f32 (20) %0 %2"));
    weir_strbuf_free(&text);
    bench_finish(&b);
}
END_TEST

START_TEST(parts_are_kept)
{
    struct bench b;
    bench_init(&b);
    weir_value *a = weir_reshape(weir_slice(b.z, 0, 0, 16, 1), weir_shape(4, 4)), *pivots;
    weir_value *lu = weir_lu(a, &pivots);
    weir_value *y = weir_mul(lu, weir_cast(weir_reshape(pivots, weir_shape(1, 4)), WEIR_F32));
    simplify(&b, y, NULL);
    ck_assert_int_eq(count(&b, "lu"), 1);
    ck_assert_int_eq(count(&b, "part"), 2);
    same_bits(&b, "lu", y);
    bench_finish(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("simplify");
    TCase *t = tcase_create("rewrites"), *p = tcase_create("pass");
    tcase_add_loop_test(t, a_rewrite_keeps_the_bits, 0, (int)WEIR_COUNT(applied));
    tcase_add_loop_test(t, illegal_rewrites_do_not_happen, 0, (int)WEIR_COUNT(kept));
    tcase_add_test(t, every_rewrite_has_its_edge_test);
    tcase_add_test(t, integers);
    tcase_add_test(p, equal_values_merge);
    tcase_add_test(p, recomputed_values_stay_apart);
    tcase_add_test(p, composites_share_with_their_gradient);
    tcase_add_test(p, claimed_composites_stay);
    tcase_add_test(p, the_graph_is_not_changed);
    tcase_add_test(p, parts_are_kept);
    suite_add_tcase(s, t);
    suite_add_tcase(s, p);
    return test_main(s);
}
