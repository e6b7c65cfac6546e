// SPDX-License-Identifier: Apache-2.0
// Distances between two equally large sets of points, in double on the host.
#ifndef WEIR_TRAIN_DISTANCE_H
#define WEIR_TRAIN_DISTANCE_H

#include <stdint.h>

#include "weir/log.h"
#include "weir/status.h"

#define WEIR_W2_MOST 2000 // points that weir_w2 takes

// 2-Wasserstein distance sqrt(min over pairings of the mean squared distance): a (n, d), b (n, d).
// The assignment problem is solved exactly (Jonker & Volgenant 1987, shortest augmenting paths),
// O(n³). Errors: INVALID (n or d is no number of points, or n too large), NONFINITE (a point is not), NOMEM.
enum weir_status weir_w2(const struct weir_log *log, const float *a, const float *b, int64_t n,
                         int64_t d, double *out);

// Sliced: root of the mean over random directions of the squared 1-d distance (Bonneel et al.
// 2015). Errors: INVALID (no points, no directions), NONFINITE, NOMEM.
enum weir_status weir_sliced_w2(const struct weir_log *log, const float *a, const float *b,
                                int64_t n, int64_t d, int directions, uint64_t seed, double *out);

#endif
