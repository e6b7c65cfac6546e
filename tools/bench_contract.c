// SPDX-License-Identifier: Apache-2.0
// weir bench op: matrix products, convolutions and attention, in the shapes of the recipes and
// those people compare.
#include "bench.h"

// (m, n, k): (m, k) (k, n), the first or the second operand transposed in memory.
static void matmul_nn(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, weir_shape(r->size[0], r->size[2]));
    weir_value *y = bench_operand(b, weir_shape(r->size[2], r->size[1]));
    if (!b->status)
        bench_result(b, weir_matmul(x, y, false, false));
}

static void matmul_nt(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, weir_shape(r->size[0], r->size[2]));
    weir_value *y = bench_operand(b, weir_shape(r->size[1], r->size[2]));
    if (!b->status)
        bench_result(b, weir_matmul(x, y, false, true));
}

static void matmul_tn(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, weir_shape(r->size[2], r->size[0]));
    weir_value *y = bench_operand(b, weir_shape(r->size[2], r->size[1]));
    if (!b->status)
        bench_result(b, weir_matmul(x, y, true, false));
}

static double matmul_flop(const struct bench_row *r)
{
    return 2. * r->size[0] * r->size[1] * r->size[2];
}

// (batch, side, channels in, channels out, kernel, stride), padded so that stride 1 keeps the side.
enum { BATCH, SIDE, IN, OUT, KERNEL, STRIDE };

static int side_out(const struct bench_row *r)
{
    return (r->size[SIDE] - 1) / r->size[STRIDE] + 1;
}

static struct weir_conv_params conv_params(const struct bench_row *r)
{
    int pad = r->size[KERNEL] / 2;
    return (struct weir_conv_params) { .stride = { r->size[STRIDE], r->size[STRIDE] },
                                       .pad_lo = { pad, pad }, .pad_hi = { pad, pad } };
}

static weir_value *image(struct bench_graph *b, const struct bench_row *r)
{
    return bench_operand(b, weir_shape(r->size[BATCH], r->size[SIDE], r->size[SIDE], r->size[IN]));
}

static weir_value *result(struct bench_graph *b, const struct bench_row *r)
{
    return bench_operand(b, weir_shape(r->size[BATCH], side_out(r), side_out(r), r->size[OUT]));
}

static weir_value *weight(struct bench_graph *b, const struct bench_row *r)
{
    const int *s = r->size;
    return bench_operand(b, weir_shape(s[OUT], s[KERNEL], s[KERNEL], s[IN]));
}

static void conv(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    weir_value *in[] = { image(b, r), weight(b, r) };
    if (!b->status)
        bench_finish(b, r, weir_conv(in[0], in[1], &p), in, 2);
}

static void conv_input_grad(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    int64_t side[] = { r->size[SIDE], r->size[SIDE] };
    weir_value *dy = result(b, r), *w = weight(b, r);
    if (!b->status)
        bench_result(b, weir_conv_input_grad(dy, w, side, &p));
}

static void conv_weight_grad(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    int64_t kernel[] = { r->size[KERNEL], r->size[KERNEL] };
    weir_value *x = image(b, r), *dy = result(b, r);
    if (!b->status)
        bench_result(b, weir_conv_weight_grad(x, dy, kernel, &p));
}

// Each gradient is as much work as the result.
static double conv_flop(const struct bench_row *r)
{
    const int *s = r->size;
    double one = 2. * s[BATCH] * side_out(r) * side_out(r) * s[IN] * s[OUT] * s[KERNEL] * s[KERNEL];
    return r->gradients ? 3 * one : one;
}

// (batch, heads, tokens, head size)
static void attention(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = bench_operand(b, bench_shape(r));
    if (!b->status)
        bench_finish(b, r, weir_attention(in[0], in[1], in[2], NULL, 0), in, 3);
}

// Two products forward, five backward; what is computed twice counts once.
static double attention_flop(const struct bench_row *r)
{
    double product = 2. * r->size[0] * r->size[1] * r->size[2] * r->size[2] * r->size[3];
    return (r->gradients ? 7 : 2) * product;
}

#define MATMUL(kind, ...) \
    { "matmul_" #kind " %dx%dx%d", matmul_##kind, matmul_flop, { __VA_ARGS__ } }
#define SQUARE(n) MATMUL(nn, n, n, n), MATMUL(nt, n, n, n), MATMUL(tn, n, n, n)
// A layer of a network on m rows, k features to n: forward, gradient of its input, gradient of its
// weights.
#define LAYER(m, n, k) MATMUL(nt, m, n, k), MATMUL(nn, m, k, n), MATMUL(tn, n, k, m)
const struct bench_row bench_gemm_rows[] = {
    SQUARE(384), SQUARE(512), SQUARE(1024), SQUARE(2048),
    // dit: tokens; output, conditions
    LAYER(12544, 576, 192), LAYER(12544, 192, 192), LAYER(12544, 768, 192), LAYER(12544, 192, 768),
    LAYER(12544, 4, 192), LAYER(64, 192, 256), LAYER(64, 192, 192), LAYER(64, 1152, 192),
    // unet
    LAYER(3136, 384, 128), LAYER(3136, 128, 128), LAYER(64, 128, 32), LAYER(64, 128, 128),
    { 0 },
};

#define SHAPE " %dx%d^2 %d->%d %d/%d"
#define CONV(...)                                           \
    { "conv" SHAPE, conv, conv_flop, { __VA_ARGS__ } },  \
    { "conv_and_gradients" SHAPE, conv, conv_flop, { __VA_ARGS__ }, .gradients = true }
#define CONV_PARTS(...)                                                            \
    { "conv_input_grad" SHAPE, conv_input_grad, conv_flop, { __VA_ARGS__ } },   \
    { "conv_weight_grad" SHAPE, conv_weight_grad, conv_flop, { __VA_ARGS__ } }
const struct bench_row bench_conv_rows[] = {
    CONV(64, 28, 32, 32, 3, 1), CONV(64, 14, 64, 64, 3, 1), CONV(64, 7, 128, 128, 3, 1),
    CONV(64, 32, 128, 128, 3, 1), CONV(64, 28, 32, 32, 3, 2), CONV(64, 14, 64, 128, 1, 1),
    CONV(64, 28, 1, 32, 3, 1),
    CONV_PARTS(64, 28, 32, 32, 3, 1), CONV_PARTS(64, 14, 64, 64, 3, 1),
    CONV_PARTS(64, 7, 128, 128, 3, 1), CONV_PARTS(64, 28, 32, 32, 3, 2),
    CONV_PARTS(64, 14, 64, 128, 1, 1), CONV_PARTS(64, 28, 1, 32, 3, 1),
    CONV_PARTS(64, 28, 32, 1, 3, 1),
    { 0 },
};

#define ATTENTION_SHAPE " %dx%dx%dx%d"
#define ATTENTION(...)                                                                  \
    { "attention" ATTENTION_SHAPE, attention, attention_flop, { __VA_ARGS__ } },     \
    { "attention_and_gradients" ATTENTION_SHAPE, attention, attention_flop, { __VA_ARGS__ }, \
      .gradients = true }
const struct bench_row bench_attention_rows[] = {
    ATTENTION(64, 3, 196, 64), // dit
    ATTENTION(64, 4, 49, 32),  // unet
    { 0 },
};
