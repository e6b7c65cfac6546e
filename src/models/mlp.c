// SPDX-License-Identifier: Apache-2.0
// mlp: [x, sinusoidal features of t, class embedding] through SiLU layers. For points.
#include <stdio.h>

#include "weir/models.h"

enum { TIME_WIDTH = 64 };

static const char *configure(struct weir_model_config *c)
{
    if (!c->width)
        c->width = 256;
    if (!c->depth)
        c->depth = 4;
    if (c->item.rank != 1)
        return "the mlp takes points: its data must have one axis";
    if (c->width < 1 || c->depth < 1)
        return "width and depth of the mlp must be at least 1";
    return NULL;
}

static weir_value *build(struct weir_nn *nn, const struct weir_model_config *c, weir_value *x,
                         weir_value *t, weir_value *label)
{
    weir_value *in[3] = { x, weir_nn_time_features(t, TIME_WIDTH, 1000) };
    int n = 2;
    if (label)
        in[n++] = weir_nn_embedding(nn, "class_embedding", label, c->classes + 1, TIME_WIDTH, 1);
    weir_value *h = weir_concat(in, n, 1);
    for (int i = 0; i < c->depth; i++) {
        char name[32];
        snprintf(name, sizeof(name), "layers.%d", i);
        h = weir_silu(weir_nn_linear(nn, name, h, c->width, NULL));
    }
    return weir_nn_linear(nn, "out", h, c->item.dim[0], NULL);
}

const struct weir_model weir_model_mlp = {
    .name = "mlp",
    .desc = "fully connected SiLU layers with sinusoidal time features; width, depth",
    .configure = configure,
    .build = build,
};
