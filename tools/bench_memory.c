// SPDX-License-Identifier: Apache-2.0
// weir bench op: what memory bounds: softmax, norms with their activations, activations, the optimizer,
// random numbers. Bandwidth counts operands and results once, so extra passes show as a lower figure.
#include "bench.h"
#include "weir/grad.h"
#include "weir/optim.h"

static struct weir_shape shape_of(const struct bench_row *r)
{
    struct weir_shape s = { 0 };
    while (s.rank < 4 && r->size[s.rank] > 0) {
        s.dim[s.rank] = r->size[s.rank];
        s.rank++;
    }
    return s;
}

// Gradients of y to x[0 .. n), given the gradient of y as one more operand.
static void backward(struct bench_graph *b, weir_value *y, weir_value *const *x, int n)
{
    weir_value *dy = bench_operand(b, *weir_value_shape(y)), *dx[BENCH_OUTPUTS];
    if (b->status)
        return;
    weir_vjp(&y, &dy, 1, x, dx, n);
    for (int i = 0; i < n; i++)
        bench_result(b, dx[i]);
}

static void finish(struct bench_graph *b, weir_value *y, weir_value *const *x, int n, bool gradients)
{
    if (b->status)
        return;
    if (gradients)
        backward(b, y, x, n);
    else
        bench_result(b, y);
}

static void softmax(struct bench_graph *b, const struct bench_row *r, bool gradients)
{
    weir_value *x = bench_operand(b, shape_of(r));
    finish(b, x ? weir_softmax(x, -1) : NULL, &x, 1, gradients);
}

static void gelu(struct bench_graph *b, const struct bench_row *r, bool gradients)
{
    weir_value *x = bench_operand(b, shape_of(r));
    finish(b, x ? weir_gelu(x) : NULL, &x, 1, gradients);
}

static void norm(struct bench_graph *b, const struct bench_row *r, bool gradients, bool group)
{
    struct weir_shape s = shape_of(r), channels = weir_shape(s.dim[s.rank - 1]);
    weir_value *in[] = { bench_operand(b, s), bench_operand(b, channels), bench_operand(b, channels) };
    if (b->status)
        return;
    weir_value *y = group ? weir_silu(weir_group_norm(in[0], 8, in[1], in[2], 1e-5))
                          : weir_layer_norm(in[0], in[1], in[2], 1e-5);
    finish(b, y, in, 3, gradients);
}

static void softmax_forward(struct bench_graph *b, const struct bench_row *r)
{
    softmax(b, r, false);
}

static void softmax_backward(struct bench_graph *b, const struct bench_row *r)
{
    softmax(b, r, true);
}

static void gelu_forward(struct bench_graph *b, const struct bench_row *r)
{
    gelu(b, r, false);
}

static void gelu_backward(struct bench_graph *b, const struct bench_row *r)
{
    gelu(b, r, true);
}

static void layer_norm_forward(struct bench_graph *b, const struct bench_row *r)
{
    norm(b, r, false, false);
}

static void layer_norm_backward(struct bench_graph *b, const struct bench_row *r)
{
    norm(b, r, true, false);
}

static void group_norm_forward(struct bench_graph *b, const struct bench_row *r)
{
    norm(b, r, false, true);
}

static void group_norm_backward(struct bench_graph *b, const struct bench_row *r)
{
    norm(b, r, true, true);
}

static void add(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, shape_of(r)), *y = bench_operand(b, shape_of(r));
    if (!b->status)
        bench_result(b, weir_add(x, y));
}

static void sum(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, shape_of(r));
    if (!b->status)
        bench_result(b, weir_sum(x, weir_all_axes, false));
}

static void normal(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *seed = weir_constant(b->g, WEIR_U32, weir_shape(2), (uint32_t[]) { 1, 2 }), *zero = weir_u32(b->g, 0);
    bench_result(b, weir_random_normal(seed, zero, zero, shape_of(r), "bench"));
}

// Parameter, gradient, two moments, moving average: five read, four written.
static void adamw(struct bench_graph *b, const struct bench_row *r)
{
    const struct weir_optimizer *o = &weir_optimizer_adamw;
    double exact[WEIR_OPTIM_MAX_SCALARS] = { 0 };
    weir_value *v[5], *scalar[WEIR_OPTIM_MAX_SCALARS], *new_p, *slot[2];
    for (int i = 0; i < 5; i++)
        v[i] = bench_operand(b, shape_of(r));
    if (b->status)
        return;
    o->scalars(&o->defaults, 10, 1e-3, exact);
    for (int i = 0; i < WEIR_OPTIM_MAX_SCALARS; i++)
        scalar[i] = weir_f32(b->g, exact[i]);
    o->update(&o->defaults, v[0], v[1], (weir_value *[]) { v[2], weir_mul(v[3], v[3]) }, scalar, true, &new_p, slot);
    bench_update(b, 0, new_p);
    bench_update(b, 2, slot[0]);
    bench_update(b, 3, slot[1]);
    bench_update(b, 4, weir_add(v[4], weir_mul_c(weir_sub(new_p, v[4]), 1e-3)));
    bench_result(b, weir_f32(b->g, 0)); // a program has an output
}

#define TOKENS { 12544, 768 }
#define IMAGES { 64, 28, 28, 32 }
const struct bench_row bench_memory_rows[] = {
    { "softmax %dx%d", softmax_forward, NULL, TOKENS },
    { "softmax gradient %dx%d", softmax_backward, NULL, TOKENS },
    { "layer_norm %dx%d", layer_norm_forward, NULL, TOKENS },
    { "layer_norm gradient %dx%d", layer_norm_backward, NULL, TOKENS },
    { "group_norm_silu %dx%dx%dx%d", group_norm_forward, NULL, IMAGES },
    { "group_norm_silu gradient %dx%dx%dx%d", group_norm_backward, NULL, IMAGES },
    { "gelu %dx%d", gelu_forward, NULL, TOKENS },
    { "gelu gradient %dx%d", gelu_backward, NULL, TOKENS },
    { "add %dx%d", add, NULL, TOKENS },
    { "sum %dx%d", sum, NULL, TOKENS },
    { "adamw_ema %d", adamw, NULL, { 10000000 } },
    { "random_normal %dx%d", normal, NULL, TOKENS },
    { 0 },
};
