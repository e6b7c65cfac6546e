// SPDX-License-Identifier: Apache-2.0
// weir bench op: what memory bounds: softmax, norms with their activations, activations, the
// optimizer, random numbers. Bandwidth counts operands and results once, so extra passes show as a
// lower figure. A row "and gradients" has the result and, from its gradient, those of all operands
// in one program.
#include "bench.h"
#include "weir/optim.h"

static void softmax(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, bench_shape(r));
    bench_finish(b, r, x ? weir_softmax(x, -1) : NULL, &x, 1);
}

static void gelu(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, bench_shape(r));
    bench_finish(b, r, x ? weir_gelu(x) : NULL, &x, 1);
}

static void gelu_tanh(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *x = bench_operand(b, bench_shape(r));
    bench_finish(b, r, x ? weir_gelu_tanh(x) : NULL, &x, 1);
}

// The operand, scale and shift of a norm; false if there are none.
static bool norm_operands(struct bench_graph *b, const struct bench_row *r, weir_value **in)
{
    struct weir_shape s = bench_shape(r), channels = weir_shape(s.dim[s.rank - 1]);
    in[0] = bench_operand(b, s);
    in[1] = bench_operand(b, channels);
    in[2] = bench_operand(b, channels);
    return !b->status;
}

static void layer_norm(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *in[3];
    if (norm_operands(b, r, in))
        bench_finish(b, r, weir_layer_norm(in[0], in[1], in[2], 1e-5), in, 3);
}

static void group_norm_silu(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *in[3];
    if (norm_operands(b, r, in))
        bench_finish(b, r, weir_silu(weir_group_norm(in[0], 8, in[1], in[2], 1e-5)), in, 3);
}

static void normal(struct bench_graph *b, const struct bench_row *r)
{
    weir_value *seed = weir_constant(b->g, WEIR_U32, weir_shape(2), (uint32_t[]) { 1, 2 }),
               *zero = weir_u32(b->g, 0);
    bench_result(b, weir_random_normal(seed, zero, zero, bench_shape(r), "bench"));
}

// Parameter, gradient, two moments, moving average: five read, four written; the gradient once more
// for its norm, which scales it.
static void adamw(struct bench_graph *b, const struct bench_row *r)
{
    const struct weir_optimizer *o = &weir_optimizer_adamw;
    double exact[WEIR_OPTIM_MAX_SCALARS] = { 0 };
    weir_value *v[5], *scalar[WEIR_OPTIM_MAX_SCALARS], *new_p, *slot[2];
    for (int i = 0; i < 5; i++)
        v[i] = bench_operand(b, bench_shape(r));
    if (b->status)
        return;
    o->scalars(&o->defaults, 10, 1e-3, exact);
    for (int i = 0; i < WEIR_OPTIM_MAX_SCALARS; i++)
        scalar[i] = weir_f32(b->g, exact[i]);
    weir_value *norm = weir_sqrt(weir_sum(weir_mul(v[1], v[1]), weir_all_axes, false));
    weir_value *clip = weir_min(weir_reciprocal(weir_add_c(norm, 1e-6)), weir_f32(b->g, 1));
    weir_value *old[] = { v[2], weir_mul(v[3], v[3]) }; // the second moment is never negative
    o->update(&o->defaults, v[0], weir_mul(v[1], clip), old, scalar, true, &new_p, slot);
    bench_update(b, 0, new_p);
    bench_update(b, 2, slot[0]);
    bench_update(b, 3, slot[1]);
    bench_update(b, 4, weir_add(v[4], weir_mul_c(weir_sub(new_p, v[4]), 1e-3)));
    bench_result(b, weir_f32(b->g, 0)); // a program has an output
}

#define TOKENS { 12544, 768 }
#define BOTH(kind, format, ...)                    \
    { #kind format, kind, NULL, __VA_ARGS__ },     \
    { #kind "_and_gradients" format, kind, NULL, __VA_ARGS__, .gradients = true }
const struct bench_row bench_memory_rows[] = {
    BOTH(softmax, " %dx%d", TOKENS),
    BOTH(softmax, " %dx%d", { 37632, 196 }),
    BOTH(layer_norm, " %dx%d", TOKENS),
    BOTH(layer_norm, " %dx%d", { 12544, 192 }),
    BOTH(group_norm_silu, " %dx%dx%dx%d", { 64, 28, 28, 32 }),
    BOTH(group_norm_silu, " %dx%dx%dx%d", { 64, 7, 7, 128 }),
    BOTH(gelu, " %dx%d", TOKENS),
    BOTH(gelu_tanh, " %dx%d", TOKENS),
    { "adamw_ema_clip %d", adamw, NULL, { 10000000 } },
    { "random_normal %dx%d", normal, NULL, TOKENS },
    { 0 },
};
