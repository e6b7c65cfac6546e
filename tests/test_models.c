// SPDX-License-Identifier: Apache-2.0
// The networks whole against PyTorch in double (the unet: diffusers' UNet2DModel;
// tools/parity/models.py): output and every gradient from given weights. The graph
// runs on the double oracle, so what is left is the rounding of constants to f32 (frequencies, 1/n,
// scales: relative 2^-24 each), at most a few dozen of them on any path: 64 * 2^-24 of the largest
// magnitude of the tensor is the bound. A gradient that is zero in exact arithmetic (the bias of
// the
// keys: softmax does not see it) is left with the rounding of sums of terms as large as any
// gradient of the network: 2^-40 of that is allowed for (a few thousand terms of 2^-53).
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "support/support.h"
#include "weir/formats.h"
#include "weir/models.h"

enum { MAX_LEAVES = 512 };
static const double BOUND = 64 * 0x1p-24, CANCELLED = 0x1p-40;

struct network {
    weir_graph *graph;
    weir_params *params;
    struct weir_safetensors *golden;
    weir_value *x, *t, *label, *c, *y;
    weir_value *weight[MAX_LEAVES], *grad[MAX_LEAVES];
    int n;
};

// A golden tensor as doubles in memory order (O, kernel.., I for convolution weights).
static double *in_memory_order(const struct weir_file_array *a, enum weir_file_layout layout)
{
    int64_t n = weir_shape_size(&a->shape);
    double *disk = malloc((size_t)n * sizeof(double)), *memory = malloc((size_t)n * sizeof(double));
    memcpy(disk, a->data, (size_t)n * sizeof(double));
    memcpy(memory, disk, (size_t)n * sizeof(double));
    if (layout == WEIR_FILE_OIHW) {
        int64_t o = a->shape.dim[0], in = a->shape.dim[1], kernel = n / o / in;
        for (int64_t p = 0; p < n; p++)
            memory[(p / (in * kernel) * kernel + p % kernel) * in + p / kernel % in] = disk[p];
    }
    free(disk);
    return memory;
}

static void build(struct network *w, const char *file, const struct weir_model *model,
                  struct weir_model_config *config)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", WEIR_TEST_DATA, file);
    ck_assert_int_eq(weir_safetensors_read(NULL, path, &w->golden), WEIR_OK);
    ck_assert_ptr_null(model->configure(config));
    ck_assert_int_eq(weir_params_create(NULL, &w->params), WEIR_OK);
    ck_assert_int_eq(weir_graph_create(NULL, &w->graph), WEIR_OK);
    struct weir_shape shape =
        weir_shape(2, config->item.dim[0], config->item.dim[1], config->item.dim[2]);
    w->x = weir_input(w->graph, WEIR_F32, shape, "in.x");
    w->t = weir_input(w->graph, WEIR_F32, weir_shape(2), "in.t");
    w->label = weir_input(w->graph, WEIR_I32, weir_shape(2), "in.label");
    w->c = weir_input(w->graph, WEIR_F32, shape, "in.c");
    struct weir_nn nn = { w->params, w->graph, false };
    int first = w->graph->n_values;
    w->y = model->build(&nn, config, w->x, w->t, w->label);
    weir_value *loss = weir_sum(weir_mul(w->y, w->c), weir_all_axes, false);
    for (int i = first; i < w->graph->n_values && w->n < MAX_LEAVES; i++)
        if (w->graph->values[i]->op == weir_op_find("input"))
            w->weight[w->n++] = w->graph->values[i];
    weir_grad(loss, w->weight, w->grad, w->n);
    ck_assert_msg(!weir_graph_status(w->graph), "%s", weir_graph_message(w->graph));
}

static void compare(const char *name, const double *got, const double *want, int64_t n,
                    double network)
{
    double most = 0, worst = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= worst)) {
            worst = fabs(got[i] - want[i]);
            at = i;
        }
    ck_assert_msg(worst <= BOUND * most + CANCELLED * network,
                  "%s[%lld]: %.12g, PyTorch %.12g, largest %.6g", name, (long long)at, got[at],
                  want[at], most);
}

static const struct weir_file_array *find(const struct network *w, const char *prefix,
                                          const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", prefix, name);
    const struct weir_file_array *a = weir_safetensors_find(w->golden, path);
    ck_assert_msg(a != NULL, "the golden file has no %s", path);
    return a;
}

static enum weir_file_layout layout_of(const struct network *w, int i)
{
    return weir_params_find(w->params, w->weight[i]->name)->layout;
}

// The largest magnitude in any tensor of the file.
static double largest(const struct network *w)
{
    double most = 0;
    for (size_t k = 0; k < w->golden->n; k++) {
        const struct weir_file_array *a = &w->golden->arrays[k];
        if (a->dtype != WEIR_FILE_F64)
            continue;
        double *v = in_memory_order(a, WEIR_FILE_SAME);
        for (int64_t i = 0; i < weir_shape_size(&a->shape); i++)
            most = fmax(most, fabs(v[i]));
        free(v);
    }
    return most;
}

static void finish(struct network *w)
{
    weir_graph_destroy(&w->graph);
    weir_params_destroy(&w->params);
    weir_safetensors_destroy(&w->golden);
}

static void check(struct network *w)
{
    double network = largest(w);
    struct weir_eval_leaf leaves[MAX_LEAVES + 4] = {
        { w->x, find(w, "", "in.x")->data }, { w->t, find(w, "", "in.t")->data },
        { w->label, find(w, "", "in.label")->data }, { w->c, find(w, "", "in.c")->data },
    };
    weir_value *values[MAX_LEAVES + 1] = { w->y };
    void *out[MAX_LEAVES + 1];
    for (int i = 0; i < w->n; i++) {
        leaves[i + 4] =
            (struct weir_eval_leaf) { w->weight[i], in_memory_order(find(w, "", w->weight[i]->name),
                                                                    layout_of(w, i)) };
        values[i + 1] = w->grad[i];
    }
    for (int i = 0; i <= w->n; i++)
        out[i] = calloc((size_t)weir_shape_size(weir_value_shape(values[i])) + 1, sizeof(double));
    ck_assert_int_eq(weir_eval(values, w->n + 1, WEIR_ISA_F64, 1, leaves, w->n + 4, out), WEIR_OK);
    const struct weir_file_array *y = find(w, "", "out.y");
    double *want_y = in_memory_order(y, WEIR_FILE_SAME);
    compare("out.y", out[0], want_y, weir_shape_size(&y->shape), network);
    free(want_y);
    for (int i = 0; i < w->n; i++) {
        double *want = in_memory_order(find(w, "grad.", w->weight[i]->name), layout_of(w, i));
        compare(w->weight[i]->name, out[i + 1], want, weir_shape_size(weir_value_shape(w->grad[i])),
                network);
        free(want);
        free((void *)leaves[i + 4].data);
    }
    for (int i = 0; i <= w->n; i++)
        free(out[i]);
    // Every tensor of the file was used: 4 inputs, 1 output, and a weight and its gradient each.
    ck_assert_uint_eq(w->golden->n, 5 + 2 * (size_t)w->n);
}

START_TEST(unet_matches_diffusers)
{
    struct network w = { 0 };
    struct weir_model_config config = { .item = weir_shape(8, 8, 2),
                                        .classes = 3,
                                        .width = 4,
                                        .mult = { 1, 2, 4 },
                                        .layers = 2,
                                        .groups = 2,
                                        .heads = 2 };
    build(&w, "unet.safetensors", &weir_model_unet, &config);
    check(&w);
    finish(&w);
}
END_TEST

START_TEST(dit_matches_pytorch)
{
    struct network w = { 0 };
    struct weir_model_config config = {
        .item = weir_shape(8, 8, 1), .classes = 3, .width = 16, .depth = 2, .heads = 2, .patch = 2
    };
    build(&w, "dit.safetensors", &weir_model_dit, &config);
    check(&w);
    finish(&w);
}
END_TEST

int main(void)
{
    return test_run("models", 120, unet_matches_diffusers, dit_matches_pytorch);
}
