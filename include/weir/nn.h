// SPDX-License-Identifier: Apache-2.0
// Parameters and layers. A network is a C function that builds values; the parameters it asks for by
// name make the parameter table, one row a tensor. Count, initialise, save, load, differentiate and
// update all walk that table.
//
// The first trace of a network declares the rows, in order; weir_params_allocate then makes the
// states; later traces look the rows up. Initial values depend on (seed, name) only: the same on
// every device.
#ifndef WEIR_NN_H
#define WEIR_NN_H

#include "weir/ops.h"
#include "weir/program.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir_init_kind {
    WEIR_INIT_ZEROS,
    WEIR_INIT_ONES,
    WEIR_INIT_UNIFORM, // in (-scale, scale)
    WEIR_INIT_NORMAL,  // standard deviation scale
};
struct weir_init {
    enum weir_init_kind kind;
    double scale;
};

// How a tensor lies in files: PyTorch's layout.
enum weir_file_layout {
    WEIR_FILE_SAME, // as in memory
    WEIR_FILE_OIHW, // a convolution weight: O, kernel.., I in memory; O, I, kernel.. in files
};

// One row of the table.
struct weir_param {
    char name[128];           // PyTorch's or diffusers' name
    struct weir_shape shape;  // in memory
    enum weir_file_layout layout;
    struct weir_init init;
    bool decay;               // weight decay applies (matrices and kernels, not biases and gains)
    weir_state *state;        // the parameter
    weir_state *ema;          // its moving average, or NULL
    weir_state *slot[4];      // optimizer state
};

typedef struct weir_params weir_params;

enum weir_status weir_params_create(const struct weir_log *log, weir_params **out);
void weir_params_destroy(weir_params **params); // frees its states too; programs first
int weir_params_count(const weir_params *params);                  // rows
int64_t weir_params_elements(const weir_params *params);           // numbers in all rows
struct weir_param *weir_params_row(weir_params *params, int i);
struct weir_param *weir_params_find(weir_params *params, const char *name); // or NULL

// Makes every row's state (and ema, and n_slots zeroed optimizer slots) on a device and writes the
// initial values; ema starts as a copy of them.
enum weir_status weir_params_allocate(weir_params *params, weir_device *dev, uint64_t seed, bool ema, int n_slots);

// A trace of a network: which table, which graph, parameters or their moving averages.
struct weir_nn {
    weir_params *params;
    weir_graph *graph;
    bool use_ema;
    enum weir_dtype precision; // of what contractions take and give: WEIR_F32 (0), WEIR_BF16 or WEIR_F16
};

// What linear layers, convolutions and attention take and give, for a model that makes contractions of
// its own: x rounded to nn->precision, still of that type; y rounded to it, as f32 again.
weir_value *weir_nn_operand(const struct weir_nn *nn, weir_value *x);
weir_value *weir_nn_result(const struct weir_nn *nn, weir_value *y);

// The parameter as a value of nn->graph; declares the row on the first trace. Asking for a known name
// with another shape poisons the graph.
weir_value *weir_nn_param(struct weir_nn *nn, const char *name, struct weir_shape shape, struct weir_init init,
                          enum weir_file_layout layout, bool decay);

// Layers. `name` is the prefix of the parameter names. Initial values: PyTorch's defaults (uniform,
// 1/sqrt(fan_in), weights and biases) unless `init` is given.
struct weir_layer_params {
    const struct weir_init *init; // of the weight; the bias is then zero (NULL = PyTorch's default)
    bool no_bias;
};
// x (.., in) -> (.., out):  x·Wᵀ + b,  W (out, in).
weir_value *weir_nn_linear(struct weir_nn *nn, const char *name, weir_value *x, int64_t out, const struct weir_layer_params *p);
// x (N, H, W, C) -> (N, H', W', out), square kernel and stride, padding on both sides.
weir_value *weir_nn_conv2d(struct weir_nn *nn, const char *name, weir_value *x, int64_t out, int kernel, int stride, int pad,
                           const struct weir_layer_params *p);
weir_value *weir_nn_group_norm(struct weir_nn *nn, const char *name, weir_value *x, int groups, double eps);
// Rows of a table (n, width): idx i32 (..) -> (.., width).
weir_value *weir_nn_embedding(struct weir_nn *nn, const char *name, weir_value *idx, int64_t n, int64_t width, double std);

// Sinusoidal features of t (n): (n, width) = [cos(scale t f_i), sin(scale t f_i)], f_i = 10000^(-i/half)
// (Vaswani et al. 2017, in the order of diffusers' flip_sin_to_cos).
weir_value *weir_nn_time_features(weir_value *t, int64_t width, double scale);

// Multi-head attention over tokens: q, k, v (n, tokens, width) -> (n, tokens, width).
weir_value *weir_nn_heads_attention(const struct weir_nn *nn, weir_value *q, weir_value *k, weir_value *v, int heads);

#ifdef __cplusplus
}
#endif
#endif
