// SPDX-License-Identifier: Apache-2.0
// weir bench op: matrix products and convolutions, in the shapes of the recipes and those people compare.
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
    return (struct weir_conv_params) { .stride = { r->size[STRIDE], r->size[STRIDE] }, .pad_lo = { pad, pad },
                                       .pad_hi = { pad, pad } };
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
    return bench_operand(b, weir_shape(r->size[OUT], r->size[KERNEL], r->size[KERNEL], r->size[IN]));
}

static void conv(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    weir_value *x = image(b, r), *w = weight(b, r);
    if (!b->status)
        bench_result(b, weir_conv(x, w, &p));
}

static void conv_input_grad(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    weir_value *dy = result(b, r), *w = weight(b, r);
    if (!b->status)
        bench_result(b, weir_conv_input_grad(dy, w, (int64_t[]) { r->size[SIDE], r->size[SIDE] }, &p));
}

static void conv_weight_grad(struct bench_graph *b, const struct bench_row *r)
{
    struct weir_conv_params p = conv_params(r);
    weir_value *x = image(b, r), *dy = result(b, r);
    if (!b->status)
        bench_result(b, weir_conv_weight_grad(x, dy, (int64_t[]) { r->size[KERNEL], r->size[KERNEL] }, &p));
}

static double conv_flop(const struct bench_row *r)
{
    const int *s = r->size;
    return 2. * s[BATCH] * side_out(r) * side_out(r) * s[IN] * s[OUT] * s[KERNEL] * s[KERNEL];
}

#define MATMULS(...)                                                  \
    { "matmul_nn %dx%dx%d", matmul_nn, matmul_flop, { __VA_ARGS__ } }, \
    { "matmul_nt %dx%dx%d", matmul_nt, matmul_flop, { __VA_ARGS__ } }, \
    { "matmul_tn %dx%dx%d", matmul_tn, matmul_flop, { __VA_ARGS__ } }
#define SHAPE " %dx%d^2 %d->%d %d/%d"
#define CONVS(...)                                                              \
    { "conv" SHAPE, conv, conv_flop, { __VA_ARGS__ } },                         \
    { "conv_input_grad" SHAPE, conv_input_grad, conv_flop, { __VA_ARGS__ } },   \
    { "conv_weight_grad" SHAPE, conv_weight_grad, conv_flop, { __VA_ARGS__ } }
const struct bench_row bench_contract_rows[] = {
    MATMULS(384, 384, 384), MATMULS(512, 512, 512), MATMULS(1024, 1024, 1024), MATMULS(2048, 2048, 2048),
    MATMULS(12544, 192, 192), MATMULS(12544, 768, 192), MATMULS(12544, 192, 768), MATMULS(4096, 256, 256),
    MATMULS(256, 256, 256),
    CONVS(64, 28, 32, 32, 3, 1), CONVS(64, 14, 64, 64, 3, 1), CONVS(64, 7, 128, 128, 3, 1),
    CONVS(64, 32, 128, 128, 3, 1), CONVS(64, 28, 32, 32, 3, 2), CONVS(64, 14, 64, 128, 1, 1),
    CONVS(64, 28, 1, 32, 3, 1), CONVS(64, 28, 32, 1, 3, 1),
    { 0 },
};
