// SPDX-License-Identifier: Apache-2.0
// Model families: networks net(x, t, label) with PyTorch's or diffusers' parameter names.
#ifndef WEIR_MODELS_H
#define WEIR_MODELS_H

#include "weir/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

// One config for all families; each family's row says which fields it reads. Zero = the default.
struct weir_model_config {
    struct weir_shape item; // shape of one datum without the row axis: (2), (28, 28, 1)
    int classes;            // 0 = unconditional; label `classes` is the null label of guidance
    int width;              // mlp 256, unet 32 (first level), dit 192
    int depth;              // mlp: hidden layers (4); dit: blocks (6)
    int mult[8];            // unet: width multiplier of each level (1 2 4); ends at the first 0
    int layers;             // unet: residual blocks a level on the way down (2)
    int groups;             // unet: of the group norms (8)
    int heads;              // unet 4, dit 3
    int patch;              // dit: patch edge (2)
    bool learned_positions; // dit: learned instead of sin-cos positions
    bool zero_init;         // unet: zero-initialised last convolution of each residual block
};

struct weir_model {
    const char *name, *desc;
    // Fills zero fields with defaults and checks the rest; returns NULL or what is wrong.
    const char *(*configure)(struct weir_model_config *config);
    // x (n, item..), t (n) in [0, 1] or any scale the objective feeds, label i32 (n) or NULL -> (n,
    // item..).
    weir_value *(*build)(struct weir_nn *nn, const struct weir_model_config *config, weir_value *x,
                         weir_value *t, weir_value *label);
};

extern const struct weir_model weir_model_mlp;
extern const struct weir_model weir_model_unet; // diffusers' UNet2DModel
extern const struct weir_model weir_model_dit;  // Peebles & Xie 2023, adaLN-zero
extern const struct weir_model *const weir_models[]; // NULL-ended
const struct weir_model *weir_model_find(const char *name); // or NULL

// Declares the model's parameters in a table by tracing it once (batch of 1) in a graph of its own.
enum weir_status weir_model_declare(const struct weir_model *model,
                                    const struct weir_model_config *config,
                                    const struct weir_log *log, weir_params *params);

#ifdef __cplusplus
}
#endif
#endif
