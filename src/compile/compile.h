// SPDX-License-Identifier: Apache-2.0
// The compiler's inside. Passes, in order, each one file with one entry point and a text dump:
//   simplify   legal rewrites, dead values              graph -> list of live values
//   schedule   groups (map, row, contract, opaque, ...)  values -> groups
//   plan       lifetimes -> offsets in one arena
//   write      groups -> kernel text (OpenCL) or loop nests with descriptions (host)
//   record     launches with arguments, replayed
// The host path is the same pipeline without fusion: one group an operation, loop nests as code.
#ifndef WEIR_COMPILE_COMPILE_H
#define WEIR_COMPILE_COMPILE_H

#include "base/strbuf.h"
#include "graph/op.h"
#include "graph/view.h"
#include "weir/program.h"

struct weir_state {
    weir_device *dev;
    enum weir_dtype dtype;
    struct weir_shape shape;
    char *name;
    weir_buf *buf;
};

enum weir_group_kind {
    WEIR_GROUP_MAP,      // elementwise over one iteration space, views as index arithmetic
    WEIR_GROUP_ROW,      // reductions along inner axes with the maps around them
    WEIR_GROUP_CONTRACT, // matmul or convolution, with fused epilogue
    WEIR_GROUP_OPAQUE,   // an op with a skeleton of its own
    WEIR_GROUP_COPY,     // makes a view contiguous
    WEIR_GROUP_CALL,     // host call
    WEIR_GROUP_LOOP,
};

struct weir_group {
    enum weir_group_kind kind;
    int id;
    weir_value **nodes;   // in order; the last ones may be outputs
    int n_nodes;
    weir_value **inputs;  // materialised values read (through layouts)
    int n_inputs;
    weir_value **outputs; // values that get memory
    int n_outputs;
    size_t scratch;       // bytes the launches want beside
};

#endif
