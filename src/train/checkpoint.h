// SPDX-License-Identifier: Apache-2.0
// Checkpoints: a folder runs/NAME/checkpoints/SSSSSSSSS with model.safetensors, ema.safetensors,
// optimizer.safetensors (PyTorch's names and layouts) and state.json. The folder is written under
// another name and renamed when complete, so one that is there is whole.
#ifndef WEIR_TRAIN_CHECKPOINT_H
#define WEIR_TRAIN_CHECKPOINT_H

#include "train/recipe.h"
#include "train/scaler.h"

// Version of docs/numerics.md that the bits follow. A run is only resumed under the same version.
#define WEIR_NUMERICS_VERSION 1

struct weir_checkpoint_info {
    int64_t step;      // updates done
    int64_t position;  // of the loader
    uint64_t digest;   // of all tensors (and of the scaler): equal runs have equal digests
    struct weir_shape item; // of the data; rank 0 = not known (a checkpoint written before it was kept)
    int classes;       // of the data; 0 = no labels
    struct weir_scaler_state scaler; // of an f16 run; scale 0 = none
    char path[512];    // the folder
};

// Writes a checkpoint under run_dir and removes the oldest beyond `keep`.
enum weir_status weir_checkpoint_save(const struct weir_log *log, const char *run_dir, const struct weir_recipe *recipe,
                                      weir_params *params, int64_t keep, struct weir_checkpoint_info *info);
// Removes what saves that were cut short left in a run's folder.
void weir_checkpoint_sweep(const struct weir_log *log, const char *run_dir);
// The newest complete checkpoint of a run. Errors: IO (there is none).
enum weir_status weir_checkpoint_find(const struct weir_log *log, const char *run_dir, struct weir_checkpoint_info *info);
// Reads state.json's counters, the data's shape and the recipe. Errors: FORMAT, UNSUPPORTED (another numerics version,
// unless any_numerics).
enum weir_status weir_checkpoint_read_state(const struct weir_log *log, struct weir_checkpoint_info *info,
                                            bool any_numerics, struct weir_recipe *recipe);
// Fills the allocated table. `training`: optimizer state too, otherwise model and ema only.
enum weir_status weir_checkpoint_load(const struct weir_log *log, const struct weir_checkpoint_info *info,
                                      weir_params *params, bool training);

#endif
