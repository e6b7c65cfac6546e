// SPDX-License-Identifier: Apache-2.0
// Two training steps of a small unet, of two microbatches each: every kind of kernel that training
// uses, in a second or so.
#ifndef WEIR_TESTS_SMALL_UNET_H
#define WEIR_TESTS_SMALL_UNET_H

#include "train/step.h"

// A step with its parameters, made but not run; `params` NULL = defaults. Errors leave nothing
// behind.
struct small_unet {
    struct weir_recipe recipe;
    struct weir_setup setup;
    weir_params *params;
    weir_step *step;
};
enum weir_status small_unet_create(weir_device *dev, const struct weir_compile_params *params,
                                   struct small_unet *out);
// The same with assignments to the recipe's keys (NULL-ended), another network among them.
enum weir_status small_unet_create_as(weir_device *dev, const struct weir_compile_params *params,
                                      const char *const *sets, struct small_unet *out);
void small_unet_finish(struct small_unet *u);
// Every byte of buffers on the device is in the plan of the step, the one program on it.
void small_unet_check_memory(const struct small_unet *u, const weir_device *dev);
// Runs both steps; *bits receives every parameter, moment and average, malloc'd. Returns its size.
size_t small_unet_run(struct small_unet *u, char **bits);
// All of the above.
size_t small_unet_train(weir_device *dev, const struct weir_compile_params *params, char **bits);

#endif
