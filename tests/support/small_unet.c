// SPDX-License-Identifier: Apache-2.0
#include "support/small_unet.h"

#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support/support.h"

enum { STEPS = 2, ITEMS = 3 * 8 * 8 };

static const char text[] =
    "{\"model\": {\"name\": \"unet\", \"width\": 8, \"mult\": [1, 2], \"layers\": 1, \"groups\": "
    "4, \"heads\": 2,"
    " \"class_conditional\": true, \"zero_init\": false}, \"data\": {\"name\": \"fashion-mnist\"},"
    " \"objective\": {\"label_drop\": 0.5}, \"train\": {\"batch\": 3, \"accumulate\": 2, \"ema\": "
    "0.9}}";

enum weir_status small_unet_create_as(weir_device *dev, const struct weir_compile_params *params,
                                      const char *const *sets, struct small_unet *out)
{
    *out = (struct small_unet){0};
    test_ok(weir_recipe_parse(&test_log, "small unet", text, strlen(text), &out->recipe));
    for (; *sets; sets++)
        test_ok(weir_recipe_set(&test_log, &out->recipe, *sets));
    test_ok(weir_setup_init(&test_log, &out->recipe, &weir_shape(8, 8, 1), 3, &out->setup));
    test_ok(weir_params_create(&test_log, &out->params));
    test_ok(weir_model_declare(out->setup.model, &out->setup.config, &test_log, out->params));
    test_ok(weir_params_allocate(out->params, dev, 1, true, out->setup.optimizer->n_slots));
    enum weir_status status =
        weir_step_create(&test_log, dev, &out->setup, out->params, params, &out->step);
    if (status)
        weir_params_destroy(&out->params);
    return status;
}

enum weir_status small_unet_create(weir_device *dev, const struct weir_compile_params *params,
                                   struct small_unet *out)
{
    return small_unet_create_as(dev, params, (const char *const[]){NULL}, out);
}

void small_unet_finish(struct small_unet *u)
{
    weir_step_destroy(&u->step);
    weir_params_destroy(&u->params);
}

void small_unet_check_memory(const struct small_unet *u, const weir_device *dev)
{
    const struct weir_program_info *info = weir_step_info(u->step);
    ck_assert_uint_eq(info->allocated, info->peak + info->inputs + info->constants);
    ck_assert_uint_eq(dev->bytes_live, info->allocated + info->states);
}

size_t small_unet_run(struct small_unet *u, char **bits)
{
    struct weir_step_result result;
    float data[2][ITEMS];
    const int32_t label[2][3] = {{0, 1, 2}, {2, 1, 0}};
    uint64_t state = 5;
    size_t size = 0;
    for (int i = 0; i < 2 * ITEMS; i++)
        data[i / ITEMS][i % ITEMS] = (float)(int64_t)(test_next(&state) >> 40) * 0x1p-23f - 1.0f;
    for (int i = 0; i < STEPS; i++) {
        test_ok(weir_step_run(u->step, i, (const float *[]){data[0], data[1]},
                              (const int32_t *[]){label[0], label[1]}));
        test_ok(weir_step_result(u->step, &result));
        ck_assert(result.ok);
    }
    *bits = NULL;
    for (int i = 0; i < weir_params_count(u->params); i++) {
        const struct weir_param *row = weir_params_row(u->params, i);
        weir_state *states[4] = {row->state, row->ema, row->slot[0], row->slot[1]};
        for (int k = 0; k < 4; k++) {
            size_t n = 4 * (size_t)weir_shape_size(weir_state_shape(states[k]));
            *bits = realloc(*bits, size + n);
            test_ok(weir_state_read(states[k], *bits + size));
            size += n;
        }
    }
    return size;
}

size_t small_unet_train(weir_device *dev, const struct weir_compile_params *params, char **bits)
{
    struct small_unet u;
    test_ok(small_unet_create(dev, params, &u));
    size_t size = small_unet_run(&u, bits);
    small_unet_finish(&u);
    return size;
}
