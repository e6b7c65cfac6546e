// SPDX-License-Identifier: Apache-2.0
// weir bench op: one row or more of each other family of kernels, so that none is slow unseen.
#include <math.h>
#include <stdlib.h>

#include "bench.h"
#include "weir/loop.h"

static weir_value *one(struct bench_graph *b, const struct bench_row *r)
{
    return bench_operand(b, bench_shape(r));
}

// UNARY(name, value of x): a row's builder for one operand.
#define UNARY(name, value)                                              \
    static void name(struct bench_graph *b, const struct bench_row *r) \
    {                                                                   \
        weir_value *x = one(b, r);                                      \
        if (x)                                                          \
            bench_result(b, value);                                     \
    }
UNARY(exp_, weir_exp(x))
UNARY(sum_all, weir_sum(x, weir_all_axes, false))
UNARY(sum_columns, weir_sum(x, weir_axes(0), false))
UNARY(argmax, weir_argmax(x, -1, false))
UNARY(transpose, weir_transpose(x, 0, 1))
UNARY(cumsum, weir_cumsum(x, -1))
UNARY(sort, weir_sort(x, -1))
UNARY(fft, weir_fft(x, false))
UNARY(max_pool, weir_max_pool(x, (int64_t[]) { 2, 2 }, (int64_t[]) { 2, 2 }, (int64_t[]) { 0, 0 }))
UNARY(bf16, weir_cast(weir_cast(x, WEIR_BF16), WEIR_F32))

// As the literature counts it, of complex rows.
static double fft_flop(const struct bench_row *r)
{
    return 5. * r->size[0] * r->size[1] * log2(r->size[1]);
}

static void add(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = one(b, r), *y = one(b, r);
    if (!b->status)
        bench_result(b, weir_add(x, y));
}

static void concat(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x[] = { one(b, r), one(b, r) };
    if (!b->status)
        bench_result(b, weir_concat(x, 2, -1));
}

static void pad(struct bench_graph *b, const struct bench_row *r)
{
    static const int64_t around[] = { 0, 1, 1, 0 };
    weir_value *x = one(b, r);
    if (x)
        bench_result(b, weir_pad(x, around, around, NULL, 0));
}

// (rows, features, table): `rows` rows of the table by index, and added into it.
static weir_value *table_of(struct bench_graph *b, const struct bench_row *r)
{
    return bench_operand(b, weir_shape(r->size[2], r->size[1]));
}

static void take(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *table = table_of(b, r);
    weir_value *index = bench_indices(b, weir_shape(r->size[0]), r->size[2]);
    if (!b->status)
        bench_result(b, weir_take(table, index, 0));
}

static void scatter_add(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *table = table_of(b, r);
    weir_value *index = bench_indices(b, weir_shape(r->size[0]), r->size[2]);
    weir_value *updates = bench_operand(b, weir_shape(r->size[0], r->size[1]));
    if (!b->status)
        bench_result(b, weir_scatter_add(table, index, updates, 0));
}

static void dynamic_slice(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = one(b, r), *start = bench_indices(b, weir_shape(2), 2);
    if (!b->status)
        bench_result(b,
                     weir_dynamic_slice(x, start, (int64_t[]) { r->size[0] / 2, r->size[1] / 2 }));
}

// (matrices, n): symmetric, what is beside the diagonal smaller than 1, n + 1 on it: positive
// definite. It is an operand, so that no more than the operation on it is timed.
static weir_value *definite(struct bench_graph *b, const struct bench_row *r)
{
    int64_t n = r->size[1], all = r->size[0] * n * n;
    float *x = malloc((size_t)all * sizeof(*x));
    for (int64_t k = 0; k < all && x; k++) {
        int64_t i = k / n % n, j = k % n;
        x[k] = i == j ? (float)(n + 1) : (float)((i + j) * 40503 % 1999) * .001f - 1;
    }
    return bench_given(b, WEIR_F32, weir_shape(r->size[0], n, n), x);
}

static void cholesky(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *a = definite(b, r);
    if (!b->status)
        bench_result(b, weir_cholesky(a));
}

static void lu(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *a = definite(b, r), *pivots;
    if (!b->status)
        bench_result(b, weir_lu(a, &pivots));
}

// As many right sides as rows.
static void solve(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *a = definite(b, r);
    weir_value *x = bench_operand(b, weir_shape(r->size[0], r->size[1], r->size[1]));
    if (!b->status)
        bench_result(b, weir_triangular_solve(a, x, true, false, false));
}

static double cube(const struct bench_row *r)
{
    return (double)r->size[0] * r->size[1] * r->size[1] * r->size[1];
}

static double cholesky_flop(const struct bench_row *r)
{
    return cube(r) / 3;
}

static double lu_flop(const struct bench_row *r)
{
    return 2 * cube(r) / 3;
}

static double solve_flop(const struct bench_row *r)
{
    return cube(r);
}

static void iteration(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                      weir_value **y)
{
    (void)ctx;
    (void)x;
    (void)y;
    next[0] = weir_fma(carry[0], carry[0], carry[0]);
}

// (iterations, elements): what a launch inside a loop costs.
static void loop(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, weir_shape(r->size[1])), *end;
    if (b->status)
        return;
    weir_loop(
        &(struct weir_loop_params) {
            .n = r->size[0], .carry = &x, .n_carry = 1, .body = iteration },
        &end, NULL);
    bench_result(b, end);
}

static double loop_flop(const struct bench_row *r)
{
    return 2. * r->size[0] * r->size[1];
}

// (batch, m, n, k)
static void matmul_batched(struct bench_graph *b, const struct bench_row *r)
{
    const int *s = r->size;
    weir_value *x = bench_operand(b, weir_shape(s[0], s[1], s[3])),
               *y = bench_operand(b, weir_shape(s[0], s[3], s[2]));
    if (!b->status)
        bench_result(b, weir_matmul(x, y, false, false));
}

static double matmul_batched_flop(const struct bench_row *r)
{
    return 2. * r->size[0] * r->size[1] * r->size[2] * r->size[3];
}

// (m, n, k), sums in i32
static void matmul_i8(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_bytes(b, weir_shape(r->size[0], r->size[2]));
    weir_value *y = bench_bytes(b, weir_shape(r->size[2], r->size[1]));
    if (!b->status)
        bench_result(b, weir_matmul(x, y, false, false));
}

static double matmul_i8_flop(const struct bench_row *r)
{
    return 2. * r->size[0] * r->size[1] * r->size[2];
}

// (batch, heads, tokens, head size): a token sees those before it. What is masked counts as work.
static void attention_causal(struct bench_graph *b, const struct bench_row *r)
{
    int n = r->size[2];
    weir_value *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = one(b, r);
    if (b->status)
        return;
    weir_value *row = weir_iota(b->g, WEIR_I32, weir_shape(n, n), 0);
    weir_value *column = weir_iota(b->g, WEIR_I32, weir_shape(n, n), 1);
    weir_value *mask =
        weir_broadcast(weir_ge(row, column), weir_shape(r->size[0], r->size[1], n, n));
    bench_result(b, weir_attention(in[0], in[1], in[2], mask, 0));
}

static double attention_causal_flop(const struct bench_row *r)
{
    return 4. * r->size[0] * r->size[1] * r->size[2] * r->size[2] * r->size[3];
}

// (batch, side, channels), 3x3x3
static void conv_3d(struct bench_graph *b, const struct bench_row *r)
{
    const int *s = r->size;
    struct weir_conv_params p = { .pad_lo = { 1, 1, 1 }, .pad_hi = { 1, 1, 1 } };
    weir_value *x = bench_operand(b, weir_shape(s[0], s[1], s[1], s[1], s[2]));
    weir_value *w = bench_operand(b, weir_shape(s[2], 3, 3, 3, s[2]));
    if (!b->status)
        bench_result(b, weir_conv(x, w, &p));
}

static double conv_3d_flop(const struct bench_row *r)
{
    const int *s = r->size;
    return 2. * 27 * s[0] * s[1] * s[1] * s[1] * s[2] * s[2];
}

// (batch, side, channels, groups), 3x3
static void conv_grouped(struct bench_graph *b, const struct bench_row *r)
{
    const int *s = r->size;
    struct weir_conv_params p = { .pad_lo = { 1, 1 }, .pad_hi = { 1, 1 }, .groups = s[3] };
    weir_value *x = bench_operand(b, weir_shape(s[0], s[1], s[1], s[2]));
    weir_value *w = bench_operand(b, weir_shape(s[2], 3, 3, s[2] / s[3]));
    if (!b->status)
        bench_result(b, weir_conv(x, w, &p));
}

static double conv_grouped_flop(const struct bench_row *r)
{
    const int *s = r->size;
    return 2. * 9 * s[0] * s[1] * s[1] * s[2] * s[2] / s[3];
}

#define TOKENS { 12544, 768 }
const struct bench_row bench_other_rows[] = {
    { "add %dx%d", add, NULL, TOKENS },
    { "exp %dx%d", exp_, NULL, TOKENS },
    { "bf16_and_back %dx%d", bf16, NULL, TOKENS },
    { "sum %dx%d", sum_all, NULL, TOKENS },
    { "sum_columns %dx%d", sum_columns, NULL, TOKENS },
    { "argmax %dx%d", argmax, NULL, TOKENS },
    { "transpose %dx%d", transpose, NULL, TOKENS },
    { "concat %dx%dx%dx%d", concat, NULL, { 64, 28, 28, 32 } },
    { "pad %dx%dx%dx%d", pad, NULL, { 64, 28, 28, 32 } },
    { "max_pool %dx%dx%dx%d", max_pool, NULL, { 64, 28, 28, 32 } },
    { "take %dx%d of %d", take, NULL, { 12544, 192, 1000 } },
    { "scatter_add %dx%d into %d", scatter_add, NULL, { 12544, 192, 1000 } },
    { "dynamic_slice %dx%d", dynamic_slice, NULL, TOKENS },
    { "cumsum %dx%d", cumsum, NULL, TOKENS },
    { "sort %dx%d", sort, NULL, { 1024, 1024 } },
    { "fft %dx%dx%d", fft, fft_flop, { 1024, 1024, 2 } },
    { "cholesky %d of %d", cholesky, cholesky_flop, { 64, 64 } },
    { "lu %d of %d", lu, lu_flop, { 64, 64 } },
    { "triangular_solve %d of %d", solve, solve_flop, { 64, 64 } },
    { "loop %d of %d", loop, loop_flop, { 100, 4096 } },
    { "matmul_batched %dx%dx%dx%d", matmul_batched, matmul_batched_flop, { 192, 196, 196, 64 } },
    { "matmul_batched %dx%dx%dx%d", matmul_batched, matmul_batched_flop, { 1, 4096, 256, 256 } },
    { "matmul_batched %dx%dx%dx%d", matmul_batched, matmul_batched_flop, { 1, 256, 256, 256 } },
    { "matmul_i8 %dx%dx%d", matmul_i8, matmul_i8_flop, { 256, 256, 256 } },
    { "attention_causal %dx%dx%dx%d", attention_causal, attention_causal_flop, { 64, 3, 196, 64 } },
    { "conv_3d %dx%d^3 %d", conv_3d, conv_3d_flop, { 8, 16, 32 } },
    { "conv_grouped %dx%d^2 %d/%d", conv_grouped, conv_grouped_flop, { 64, 28, 32, 32 } },
    { 0 },
};
