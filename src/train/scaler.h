// SPDX-License-Identifier: Apache-2.0
// Loss scaling for f16, as PyTorch's GradScaler does it, on the device: the loss is multiplied by `scale`
// before the backward pass and the gradients divided by it. A gradient that is not finite skips the step
// and halves the scale; 2000 steps in a row without one double it.
#ifndef WEIR_TRAIN_SCALER_H
#define WEIR_TRAIN_SCALER_H

#include "weir/program.h"
#include "weir/ops.h"

#define WEIR_SCALER_GROWS_AFTER 2000
// A gradient that is not finite at this scale or below is no matter of scaling: half of the smallest normal
// f16 of the loss is no gradient any more.
#define WEIR_SCALER_LEAST 0x1p-14

struct weir_scaler_state {
    float scale;
    uint32_t good;    // steps since the scale changed
    uint32_t skipped; // steps skipped since the run began
};

struct weir_scaler {
    weir_state *scale, *good, *skipped;
};

// `out` is finished on errors too.
enum weir_status weir_scaler_init(weir_device *dev, const struct weir_scaler_state *start, struct weir_scaler *out);
void weir_scaler_finish(struct weir_scaler *s); // programs first
enum weir_status weir_scaler_write(const struct weir_scaler *s, const struct weir_scaler_state *from);
enum weir_status weir_scaler_read(const struct weir_scaler *s, struct weir_scaler_state *out); // waits

weir_value *weir_scaler_scale(const struct weir_scaler *s, weir_graph *g); // f32 scalar
// Whether a smaller scale may help.
weir_value *weir_scaler_may_shrink(const struct weir_scaler *s, weir_graph *g);
// Assigns the next state: `going`, training goes on (else nothing changes); `finite`, the gradients are.
void weir_scaler_update(const struct weir_scaler *s, weir_value *going, weir_value *finite);

#endif
