// SPDX-License-Identifier: Apache-2.0
// Layers: values and named parameters, nothing else. precision.c says what of them is 16 bits wide.
#include <math.h>
#include <stdio.h>

#include "base/dmath.h"
#include "weir/nn.h"

// PyTorch's default for linear and convolution layers: uniform with bound 1/sqrt(fan_in).
static struct weir_init default_init(int64_t fan_in)
{
    return (struct weir_init) { WEIR_INIT_UNIFORM, 1 / sqrt((double)fan_in) };
}

static const char *join(char *dst, size_t n, const char *name, const char *leaf)
{
    snprintf(dst, n, "%s.%s", name, leaf);
    return dst;
}

// What a contraction gave, with the bias.
static weir_value *add_bias(struct weir_nn *nn, const char *name, weir_value *x, int64_t out, int64_t fan_in,
                            const struct weir_layer_params *p)
{
    char path[160];
    if (p && p->no_bias)
        return weir_nn_result(nn, x);
    struct weir_init init = p && p->init ? (struct weir_init) { WEIR_INIT_ZEROS, 0 } : default_init(fan_in);
    return weir_nn_result(nn, weir_add(x, weir_nn_param(nn, join(path, sizeof(path), name, "bias"), weir_shape(out),
                                                        init, WEIR_FILE_SAME, false)));
}

weir_value *weir_nn_linear(struct weir_nn *nn, const char *name, weir_value *x, int64_t out,
                           const struct weir_layer_params *p)
{
    char path[160];
    const struct weir_shape *shape = weir_value_shape(x);
    int64_t in = weir_dim(x, -1);
    struct weir_init init = p && p->init ? *p->init : default_init(in);
    weir_value *w = weir_nn_param(nn, join(path, sizeof(path), name, "weight"), weir_shape(out, in), init,
                                  WEIR_FILE_SAME, true);
    struct weir_shape result = *shape;
    if (result.rank > 0)
        result.dim[result.rank - 1] = out;
    weir_value *rows = weir_nn_operand(nn, weir_reshape(x, weir_shape(-1, in)));
    weir_value *y = weir_matmul(rows, weir_nn_operand(nn, w), false, true);
    return weir_reshape(add_bias(nn, name, y, out, in, p), result);
}

weir_value *weir_nn_conv2d(struct weir_nn *nn, const char *name, weir_value *x, int64_t out, int kernel, int stride,
                           int pad, const struct weir_layer_params *p)
{
    char path[160];
    int64_t in = weir_dim(x, -1), fan_in = in * kernel * kernel;
    struct weir_init init = p && p->init ? *p->init : default_init(fan_in);
    weir_value *w = weir_nn_param(nn, join(path, sizeof(path), name, "weight"), weir_shape(out, kernel, kernel, in),
                                  init, WEIR_FILE_OIHW, true);
    struct weir_conv_params conv = { .stride = { stride, stride }, .pad_lo = { pad, pad }, .pad_hi = { pad, pad } };
    weir_value *y = weir_conv(weir_nn_operand(nn, x), weir_nn_operand(nn, w), &conv);
    return add_bias(nn, name, y, out, fan_in, p);
}

weir_value *weir_nn_group_norm(struct weir_nn *nn, const char *name, weir_value *x, int groups, double eps)
{
    char path[160];
    struct weir_shape shape = weir_shape(weir_dim(x, -1));
    weir_value *gamma = weir_nn_param(nn, join(path, sizeof(path), name, "weight"), shape,
                                      (struct weir_init) { WEIR_INIT_ONES, 0 }, WEIR_FILE_SAME, false);
    weir_value *beta = weir_nn_param(nn, join(path, sizeof(path), name, "bias"), shape,
                                     (struct weir_init) { WEIR_INIT_ZEROS, 0 }, WEIR_FILE_SAME, false);
    return weir_group_norm(x, groups, gamma, beta, eps);
}

weir_value *weir_nn_embedding(struct weir_nn *nn, const char *name, weir_value *idx, int64_t n, int64_t width,
                              double std)
{
    char path[160];
    weir_value *table = weir_nn_param(nn, join(path, sizeof(path), name, "weight"), weir_shape(n, width),
                                      (struct weir_init) { WEIR_INIT_NORMAL, std }, WEIR_FILE_SAME, false);
    return weir_take(table, idx, 0);
}

weir_value *weir_nn_time_features(weir_value *t, int64_t width, double scale)
{
    enum { MAX_HALF = 1024 };
    float freq[MAX_HALF];
    int64_t half = width / 2;
    if (width % 2 || half < 1 || half > MAX_HALF)
        return weir_reshape(t, weir_shape(width, -1, -1)); // poisons: the width is out of range
    for (int64_t i = 0; i < half; i++)
        freq[i] = (float)(scale * weir_d_exp(-9.210340371976184 * (double)i / (double)half)); // ln 10000
    weir_value *f = weir_constant(weir_value_graph(t), WEIR_F32, weir_shape(1, half), freq);
    weir_value *angle = weir_mul(weir_reshape(t, weir_shape(-1, 1)), f);
    weir_value *parts[2] = { weir_cos(angle), weir_sin(angle) };
    return weir_concat(parts, 2, 1);
}

weir_value *weir_nn_heads_attention(const struct weir_nn *nn, weir_value *q, weir_value *k, weir_value *v,
                                    int heads)
{
    weir_value *in[3] = { q, k, v };
    int64_t n = weir_dim(q, 0), tokens = weir_dim(q, 1), width = weir_dim(q, 2);
    for (int i = 0; i < 3; i++)
        in[i] = weir_permute(weir_reshape(weir_nn_operand(nn, in[i]), weir_shape(n, weir_dim(in[i], 1), heads, width / heads)),
                             (int[]) { 0, 2, 1, 3 });
    weir_value *y = weir_nn_result(nn, weir_attention(in[0], in[1], in[2], NULL, 0));
    return weir_reshape(weir_permute(y, (int[]) { 0, 2, 1, 3 }), weir_shape(n, tokens, width));
}
