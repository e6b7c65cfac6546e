// SPDX-License-Identifier: Apache-2.0
// Evaluates values on the host by their loop nests, one by one and without a device: constant
// folding, and the tests' reference in float and in double.
#ifndef WEIR_GRAPH_EVAL_H
#define WEIR_GRAPH_EVAL_H

#include "graph/nest.h"

// The data of a leaf (an input or a state), row-major, elements as weir_isa_elem_size says.
struct weir_eval_leaf {
    const weir_value *value;
    const void *data;
};

// out[i] receives values[i], row-major, elements as weir_isa_elem_size says (F64: doubles for
// floats, also from constants). threads 0 = 1. Host calls run, except under F64. Errors: the
// graph's own, NOMEM, INVALID (a leaf without data), UNSUPPORTED (no loop nest).
enum weir_status weir_eval(weir_value *const *values, int n, enum weir_isa isa, int threads,
                           const struct weir_eval_leaf *leaves, int n_leaves, void *const *out);

#endif
