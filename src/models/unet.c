// SPDX-License-Identifier: Apache-2.0
// unet: the structure and parameter names of diffusers' UNet2DModel (DownBlock2D / AttnDownBlock2D and
// their mirror images): residual blocks of group norm, SiLU, 3x3 convolution, stride-2 convolutions
// down, nearest-neighbour upsampling and a convolution up, attention at the lowest level.
#include <stdio.h>

#include "weir/models.h"

enum { MAX_SKIPS = 64 };
static const double EPS = 1e-5;

struct unet {
    struct weir_nn *nn;
    const struct weir_model_config *c;
    weir_value *emb;               // (n, 4 width), before its SiLU
    weir_value *skip[MAX_SKIPS];
    int n_skips;
};

static int levels_of(const struct weir_model_config *c)
{
    int n = 0;
    while (n < 8 && c->mult[n])
        n++;
    return n;
}

static const char *configure(struct weir_model_config *c)
{
    if (!c->width)
        c->width = 32;
    if (!c->mult[0]) {
        c->mult[0] = 1;
        c->mult[1] = 2;
        c->mult[2] = 4;
    }
    c->layers = c->layers ? c->layers : 2;
    c->groups = c->groups ? c->groups : 8;
    c->heads = c->heads ? c->heads : 4;
    int n = levels_of(c);
    if (c->item.rank != 3)
        return "the unet takes images: its data must have axes height, width, channels";
    if (c->width < 1 || c->layers < 1 || c->groups < 1 || c->heads < 1)
        return "width, layers, groups and heads of the unet must be at least 1";
    if (n * (c->layers + 1) + 1 > MAX_SKIPS)
        return "the unet has too many levels or layers";
    for (int i = 0; i < n; i++)
        if (c->mult[i] < 1 || (c->width * c->mult[i]) % c->groups || c->width * c->mult[i] % c->heads)
            return "width times mult must be a multiple of groups and of heads at every level of the unet";
    if (c->item.dim[0] % (1 << (n - 1)) || c->item.dim[1] % (1 << (n - 1)))
        return "the image's height and width must be divisible by 2 for each level of the unet but the last";
    return NULL;
}

static weir_value *resnet(struct unet *u, const char *name, weir_value *x, int out)
{
    char path[96];
#define PATH(leaf) (snprintf(path, sizeof(path), "%s." leaf, name), path)
    const struct weir_init zero = { WEIR_INIT_ZEROS, 0 };
    const struct weir_layer_params last = { .init = u->c->zero_init ? &zero : NULL };
    int64_t in = weir_dim(x, -1), n = weir_dim(x, 0);
    weir_value *h = weir_silu(weir_nn_group_norm(u->nn, PATH("norm1"), x, u->c->groups, EPS));
    h = weir_nn_conv2d(u->nn, PATH("conv1"), h, out, 3, 1, 1, NULL);
    weir_value *e = weir_nn_linear(u->nn, PATH("time_emb_proj"), weir_silu(u->emb), out, NULL);
    h = weir_add(h, weir_reshape(e, weir_shape(n, 1, 1, out)));
    h = weir_silu(weir_nn_group_norm(u->nn, PATH("norm2"), h, u->c->groups, EPS));
    h = weir_nn_conv2d(u->nn, PATH("conv2"), h, out, 3, 1, 1, &last);
    if (in != out)
        x = weir_nn_conv2d(u->nn, PATH("conv_shortcut"), x, out, 1, 1, 0, NULL);
    return weir_nn_result(u->nn, weir_add(x, h)); // a sum of 16-bit branches is stored as they are
}

static weir_value *attention(struct unet *u, const char *name, weir_value *x)
{
    char path[96];
    struct weir_shape shape = *weir_value_shape(x);
    weir_value *h = weir_nn_group_norm(u->nn, PATH("group_norm"), x, u->c->groups, EPS);
    h = weir_reshape(h, weir_shape(shape.dim[0], shape.dim[1] * shape.dim[2], shape.dim[3]));
    weir_value *q = weir_nn_linear(u->nn, PATH("to_q"), h, shape.dim[3], NULL);
    weir_value *k = weir_nn_linear(u->nn, PATH("to_k"), h, shape.dim[3], NULL);
    weir_value *v = weir_nn_linear(u->nn, PATH("to_v"), h, shape.dim[3], NULL);
    h = weir_nn_heads_attention(u->nn, q, k, v, u->c->heads);
    h = weir_nn_linear(u->nn, PATH("to_out.0"), h, shape.dim[3], NULL);
    return weir_nn_result(u->nn, weir_add(x, weir_reshape(h, shape)));
#undef PATH
}

static void push(struct unet *u, weir_value *x)
{
    u->skip[u->n_skips++] = x;
}

static weir_value *down(struct unet *u, weir_value *x, int level, bool last)
{
    char name[64];
    int out = u->c->width * u->c->mult[level];
    for (int j = 0; j < u->c->layers; j++) {
        snprintf(name, sizeof(name), "down_blocks.%d.resnets.%d", level, j);
        x = resnet(u, name, x, out);
        if (last) {
            snprintf(name, sizeof(name), "down_blocks.%d.attentions.%d", level, j);
            x = attention(u, name, x);
        }
        push(u, x);
    }
    if (!last) {
        snprintf(name, sizeof(name), "down_blocks.%d.downsamplers.0.conv", level);
        x = weir_nn_conv2d(u->nn, name, x, out, 3, 2, 1, NULL);
        push(u, x);
    }
    return x;
}

static weir_value *upsample(weir_value *x)
{
    struct weir_shape s = *weir_value_shape(x);
    x = weir_reshape(x, weir_shape(s.dim[0], s.dim[1], 1, s.dim[2], 1, s.dim[3]));
    x = weir_broadcast(x, weir_shape(s.dim[0], s.dim[1], 2, s.dim[2], 2, s.dim[3]));
    return weir_reshape(x, weir_shape(s.dim[0], 2 * s.dim[1], 2 * s.dim[2], s.dim[3]));
}

static weir_value *up(struct unet *u, weir_value *x, int block, int level, bool attend)
{
    char name[64];
    int out = u->c->width * u->c->mult[level];
    for (int j = 0; j <= u->c->layers; j++) {
        weir_value *both[2] = { x, u->skip[--u->n_skips] };
        snprintf(name, sizeof(name), "up_blocks.%d.resnets.%d", block, j);
        x = resnet(u, name, weir_concat(both, 2, 3), out);
        if (attend) {
            snprintf(name, sizeof(name), "up_blocks.%d.attentions.%d", block, j);
            x = attention(u, name, x);
        }
    }
    if (level > 0) {
        snprintf(name, sizeof(name), "up_blocks.%d.upsamplers.0.conv", block);
        x = weir_nn_conv2d(u->nn, name, upsample(x), out, 3, 1, 1, NULL);
    }
    return x;
}

static weir_value *build(struct weir_nn *nn, const struct weir_model_config *c, weir_value *x, weir_value *t,
                         weir_value *label)
{
    struct unet u = { .nn = nn, .c = c };
    int n = levels_of(c), lowest = c->width * c->mult[n - 1];
    weir_value *e = weir_nn_time_features(t, c->width, 1000);
    e = weir_silu(weir_nn_linear(nn, "time_embedding.linear_1", e, 4 * c->width, NULL));
    e = weir_nn_linear(nn, "time_embedding.linear_2", e, 4 * c->width, NULL);
    if (label)
        e = weir_add(e, weir_nn_embedding(nn, "class_embedding", label, c->classes + 1, 4 * c->width, 1));
    u.emb = e;
    x = weir_nn_conv2d(nn, "conv_in", x, c->width, 3, 1, 1, NULL);
    push(&u, x);
    for (int i = 0; i < n; i++)
        x = down(&u, x, i, i == n - 1);
    x = resnet(&u, "mid_block.resnets.0", x, lowest);
    x = attention(&u, "mid_block.attentions.0", x);
    x = resnet(&u, "mid_block.resnets.1", x, lowest);
    for (int i = 0; i < n; i++)
        x = up(&u, x, i, n - 1 - i, i == 0);
    x = weir_silu(weir_nn_group_norm(nn, "conv_norm_out", x, c->groups, EPS));
    const struct weir_init zero = { WEIR_INIT_ZEROS, 0 };
    const struct weir_layer_params last = { .init = c->zero_init ? &zero : NULL };
    return weir_nn_conv2d(nn, "conv_out", x, c->item.dim[2], 3, 1, 1, &last);
}

const struct weir_model weir_model_unet = {
    .name = "unet",
    .desc = "convolutional U-net as diffusers' UNet2DModel; width, mult, layers, groups, heads, zero_init",
    .configure = configure,
    .build = build,
};
