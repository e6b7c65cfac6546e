// SPDX-License-Identifier: Apache-2.0
// The list of model families and what they share.
#include <string.h>

#include "weir/models.h"

const struct weir_model *const weir_models[] = {
    &weir_model_mlp,
    &weir_model_unet,
    &weir_model_dit,
    NULL,
};

const struct weir_model *weir_model_find(const char *name)
{
    for (const struct weir_model *const *m = weir_models; *m; m++)
        if (!strcmp((*m)->name, name))
            return *m;
    return NULL;
}

enum weir_status weir_model_declare(const struct weir_model *model,
                                    const struct weir_model_config *config,
                                    const struct weir_log *log, weir_params *params)
{
    weir_graph *g = NULL;
    enum weir_status status = weir_graph_create(log, &g);
    if (status)
        return status;
    struct weir_nn nn = { .params = params, .graph = g };
    struct weir_shape x = { .rank = config->item.rank + 1, .dim = { 1 } };
    memcpy(&x.dim[1], config->item.dim, (size_t)config->item.rank * sizeof(x.dim[0]));
    model->build(&nn, config, weir_input(g, WEIR_F32, x, "x"),
                 weir_input(g, WEIR_F32, weir_shape(1), "t"),
                 config->classes ? weir_input(g, WEIR_I32, weir_shape(1), "label") : NULL);
    status = weir_graph_status(g);
    weir_graph_destroy(&g);
    return status;
}
