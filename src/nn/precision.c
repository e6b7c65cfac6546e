// SPDX-License-Identifier: Apache-2.0
// What of a network is 16 bits wide where weir_nn.precision says so. The one place that decides it, after
// PyTorch's autocast lists:
//
//   16 bits  what linear layers, convolutions and attention take (weights are rounded each step, their
//            masters stay f32), and what they give, once the bias is added
//   f32      norms, softmax, activations, embeddings, time features, biases, losses; sums of branches, unless
//            the model says otherwise, as the unet does, whose branches are all of 16 bits
//
// All arithmetic is f32; a value of 16 bits is rounded to nearest even and widened where it is used, so what
// is kept for the backward pass is half as large. Gradients pass through rounding unchanged and reach the
// weights in f32; those that are operands of a contraction are rounded like the others.
#include "weir/nn.h"

weir_value *weir_nn_operand(const struct weir_nn *nn, weir_value *x)
{
    return weir_cast(x, nn->precision);
}

weir_value *weir_nn_result(const struct weir_nn *nn, weir_value *y)
{
    return weir_cast(weir_cast(y, nn->precision), WEIR_F32);
}
