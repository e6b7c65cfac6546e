// SPDX-License-Identifier: Apache-2.0
// dit: diffusion transformer with adaLN-zero (Peebles & Xie 2023), parameter names of the authors' code.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dmath.h"
#include "weir/models.h"

enum { FREQ_WIDTH = 256 };
static const double EPS = 1e-6;

static const char *configure(struct weir_model_config *c)
{
    c->width = c->width ? c->width : 192;
    c->depth = c->depth ? c->depth : 6;
    c->heads = c->heads ? c->heads : 3;
    c->patch = c->patch ? c->patch : 2;
    if (c->item.rank != 3)
        return "the dit takes images: its data must have axes height, width, channels";
    if (c->width < 1 || c->depth < 1 || c->heads < 1 || c->patch < 1)
        return "width, depth, heads and patch of the dit must be at least 1";
    if (c->width % c->heads || c->width % 4)
        return "the dit's width must be a multiple of heads and of 4";
    if (c->item.dim[0] % c->patch || c->item.dim[1] % c->patch)
        return "the image's height and width must be multiples of the dit's patch";
    return NULL;
}

static struct weir_init xavier(int64_t in, int64_t out)
{
    return (struct weir_init) { WEIR_INIT_UNIFORM, sqrt(6.0 / (double)(in + out)) };
}

static weir_value *linear(struct weir_nn *nn, const char *name, weir_value *x, int64_t out, bool zero)
{
    struct weir_init init = zero ? (struct weir_init) { WEIR_INIT_ZEROS, 0 } : xavier(weir_dim(x, -1), out);
    return weir_nn_linear(nn, name, x, out, &(struct weir_layer_params) { .init = &init });
}

// 2-d sin-cos positions (MAE): half the width for the column, half for the row, sin before cos.
static weir_value *sincos_positions(weir_graph *g, int64_t h, int64_t w, int64_t width)
{
    int64_t quarter = width / 4;
    float *table = calloc((size_t)(h * w * width), sizeof(float));
    if (!table)
        return weir_f32(g, 0);
    for (int64_t p = 0; p < h * w; p++)
        for (int64_t i = 0; i < quarter; i++) {
            double f = weir_d_exp(-9.210340371976184 * (double)i / (double)quarter);
            double at[2] = { f * (double)(p % w), f * (double)(p / w) };
            for (int a = 0; a < 2; a++) {
                table[p * width + a * 2 * quarter + i] = (float)weir_d_sin(at[a]);
                table[p * width + a * 2 * quarter + quarter + i] = (float)weir_d_cos(at[a]);
            }
        }
    weir_value *v = weir_constant(g, WEIR_F32, weir_shape(1, h * w, width), table);
    free(table);
    return v;
}

// The k-th of `n` equal parts of c (rows, n width) as (rows, 1, width).
static weir_value *chunk(weir_value *c, int k, int n)
{
    int64_t width = weir_dim(c, 1) / n;
    return weir_reshape(weir_slice(c, 1, k * width, (k + 1) * width, 1), weir_shape(weir_dim(c, 0), 1, width));
}

// (norm x) (1 + scale) + shift
static weir_value *modulate(weir_value *x, weir_value *shift, weir_value *scale)
{
    weir_value *y = weir_layer_norm(x, NULL, NULL, EPS);
    return weir_add(weir_mul(y, weir_add_c(scale, 1)), shift);
}

static weir_value *block(struct weir_nn *nn, const struct weir_model_config *c, int i, weir_value *x, weir_value *cond)
{
    char name[64];
#define PATH(leaf) (snprintf(name, sizeof(name), "blocks.%d." leaf, i), name)
    weir_value *m = linear(nn, PATH("adaLN_modulation.1"), cond, 6 * c->width, true);
    weir_value *qkv = linear(nn, PATH("attn.qkv"), modulate(x, chunk(m, 0, 6), chunk(m, 1, 6)), 3 * c->width, false);
    weir_value *part[3];
    for (int k = 0; k < 3; k++)
        part[k] = weir_slice(qkv, 2, k * c->width, (k + 1) * c->width, 1);
    weir_value *y = weir_nn_heads_attention(nn, part[0], part[1], part[2], c->heads);
    y = linear(nn, PATH("attn.proj"), y, c->width, false);
    x = weir_add(x, weir_mul(chunk(m, 2, 6), y));
    y = modulate(x, chunk(m, 3, 6), chunk(m, 4, 6));
    y = weir_gelu_tanh(linear(nn, PATH("mlp.fc1"), y, 4 * c->width, false));
    y = linear(nn, PATH("mlp.fc2"), y, c->width, false);
    return weir_add(x, weir_mul(chunk(m, 5, 6), y));
#undef PATH
}

static weir_value *build(struct weir_nn *nn, const struct weir_model_config *c, weir_value *x, weir_value *t,
                         weir_value *label)
{
    int64_t n = weir_dim(x, 0), h = c->item.dim[0] / c->patch, w = c->item.dim[1] / c->patch, channels = c->item.dim[2];
    struct weir_init embed = xavier(c->patch * c->patch * channels, c->width);
    x = weir_nn_conv2d(nn, "x_embedder.proj", x, c->width, c->patch, c->patch, 0,
                       &(struct weir_layer_params) { .init = &embed });
    x = weir_reshape(x, weir_shape(n, h * w, c->width));
    weir_value *pos = c->learned_positions
        ? weir_nn_param(nn, "pos_embed", weir_shape(1, h * w, c->width),
                        (struct weir_init) { WEIR_INIT_NORMAL, .02 }, WEIR_FILE_SAME, false)
        : sincos_positions(nn->graph, h, w, c->width);
    x = weir_add(x, pos);
    const struct weir_init small = { WEIR_INIT_NORMAL, .02 };
    const struct weir_layer_params time = { .init = &small };
    weir_value *cond = weir_nn_time_features(t, FREQ_WIDTH, 1000);
    cond = weir_silu(weir_nn_linear(nn, "t_embedder.mlp.0", cond, c->width, &time));
    cond = weir_nn_linear(nn, "t_embedder.mlp.2", cond, c->width, &time);
    if (label)
        cond = weir_add(cond, weir_nn_embedding(nn, "y_embedder.embedding_table", label, c->classes + 1, c->width, .02));
    cond = weir_silu(cond);
    for (int i = 0; i < c->depth; i++)
        x = block(nn, c, i, x, cond);
    weir_value *m = linear(nn, "final_layer.adaLN_modulation.1", cond, 2 * c->width, true);
    x = linear(nn, "final_layer.linear", modulate(x, chunk(m, 0, 2), chunk(m, 1, 2)),
               c->patch * c->patch * channels, true);
    x = weir_reshape(x, weir_shape(n, h, w, c->patch, c->patch, channels));
    return weir_reshape(weir_permute(x, (int[]) { 0, 1, 3, 2, 4, 5 }),
                        weir_shape(n, c->item.dim[0], c->item.dim[1], channels));
}

const struct weir_model weir_model_dit = {
    .name = "dit",
    .desc = "diffusion transformer with adaLN-zero; width, depth, heads, patch, learned_positions",
    .configure = configure,
    .build = build,
};
