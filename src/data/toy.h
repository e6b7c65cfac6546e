// SPDX-License-Identifier: Apache-2.0
// The eight toy densities in the plane, as rows of the registry of data sets.
#ifndef WEIR_DATA_TOY_H
#define WEIR_DATA_TOY_H

#include "weir/data.h"

extern const struct weir_dataset_kind weir_toy_8gaussians, weir_toy_checkerboard, weir_toy_circles,
    weir_toy_moons, weir_toy_pinwheel, weir_toy_rings, weir_toy_2spirals, weir_toy_swissroll;

#endif
