// SPDX-License-Identifier: Apache-2.0
// From a recipe to data and parameters on a device.
#include <string.h>

#include "base/log.h"
#include "device/device.h"
#include "train/train.h"

static enum weir_status make_params(const struct weir_log *log, weir_device *dev, bool training,
                                    struct weir_run_state *out)
{
    const struct weir_recipe *recipe = &out->setup.recipe;
    enum weir_status status = weir_device_check_numerics(dev, out->setup.numerics);
    if (!status)
        status = weir_params_create(log, &out->params);
    if (!status)
        status = weir_model_declare(out->setup.model, &out->setup.config, log, out->params);
    if (!status)
        status = weir_params_allocate(out->params, dev, (uint64_t)recipe->train.seed,
                                      recipe->train.ema > 0,
                                      training ? out->setup.optimizer->n_slots : 0);
    return status;
}

enum weir_status weir_run_init(const struct weir_log *log, weir_device *dev,
                               const struct weir_recipe *recipe, bool training,
                               struct weir_run_state *out)
{
    memset(out, 0, sizeof(*out));
    struct weir_dataset_params dp = {
        .name = recipe->data.name,
        .path = *recipe->data.path ? recipe->data.path : NULL,
        .labels = *recipe->data.labels ? recipe->data.labels : NULL,
        .seed = (uint64_t)recipe->train.seed,
    };
    enum weir_status status = weir_dataset_open(log, &dp, &out->data);
    if (!status)
        status = weir_setup_init(log, recipe, &out->data->item, out->data->n_classes, &out->setup);
    if (!status)
        status = make_params(log, dev, training, out);
    if (status)
        weir_run_finish(out);
    return status;
}

enum weir_status weir_run_init_sampling(const struct weir_log *log, weir_device *dev,
                                        const struct weir_recipe *recipe,
                                        const struct weir_checkpoint_info *info,
                                        struct weir_run_state *out)
{
    if (info->item.rank == 0)
        return weir_run_init(log, dev, recipe, false, out);
    memset(out, 0, sizeof(*out));
    enum weir_status status = weir_setup_init(log, recipe, &info->item, info->classes, &out->setup);
    if (!status)
        status = make_params(log, dev, false, out);
    if (status)
        weir_run_finish(out);
    return status;
}

void weir_run_finish(struct weir_run_state *run)
{
    weir_params_destroy(&run->params);
    weir_dataset_destroy(&run->data);
}
