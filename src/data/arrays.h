// SPDX-License-Identifier: Apache-2.0
// Data sets read from files: rows of the registry, and what their readers share.
#ifndef WEIR_DATA_ARRAYS_H
#define WEIR_DATA_ARRAYS_H

#include "weir/data.h"

extern const struct weir_dataset_kind weir_data_fashion_mnist, weir_data_idx, weir_data_npz,
    weir_data_folder;

// A byte of an image as f32: v / 127.5 - 1, in that order.
static inline float weir_pixel(unsigned char v)
{
    return (float)v / 127.5f - 1.0f;
}

#endif
