// SPDX-License-Identifier: Apache-2.0
// Initial values, made on the host in exact double arithmetic.
#ifndef WEIR_NN_INIT_H
#define WEIR_NN_INIT_H

#include "weir/nn.h"

// Fills dst (n floats) for the row called `name`. Element i depends on (seed, name, i) only.
void weir_init_fill(const struct weir_init *init, uint64_t seed, const char *name, float *dst,
                    int64_t n);

#endif
