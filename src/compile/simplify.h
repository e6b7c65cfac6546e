// SPDX-License-Identifier: Apache-2.0
// The first pass: legal rewrites (docs/numerics.md), composites replaced by their bodies, dead
// values dropped. It runs once, before any backend, and knows nothing of devices.
#ifndef WEIR_COMPILE_SIMPLIFY_H
#define WEIR_COMPILE_SIMPLIFY_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "graph/graph.h"

// Zeroed = everything on, nothing claimed, no text.
struct weir_simplify_params {
    bool (*claims)(const void *ctx, const weir_value *v); // composites to keep whole (NULL = none)
    const void *ctx;
    bool no_rewrites;           // only replace composites and drop dead values
    struct weir_strbuf *dump;   // the live values as text (NULL = no)
};

// Copies what `outputs` and the assigns of g depend on into `arena`, rewritten. g itself is not
// changed and is not needed by the copies afterwards (names, constants and attributes are copied
// too; value->graph still points at g, for messages during compilation).
//   live         the values in an order of execution: arguments come before their users.
//   live[i]->id == i.
//                Leaves are the first mention of their kind; every ASSIGN of g is among them.
//   new_outputs  n_outputs entries of the caller: the live value of each output. Two outputs may
//   share
//                one, and an output may be a leaf or a view.
// An input keeps attrs.input.index, a state its pointer. Composites do not appear unless claimed.
// Errors: NOMEM; the graph's own sticky error. Deterministic.
enum weir_status weir_simplify(weir_graph *g, weir_value *const *outputs, int n_outputs,
                               weir_arena *arena, weir_value ***live, int *n_live,
                               weir_value **new_outputs, const struct weir_simplify_params *params);

// Cuts a loop of a list to what its live parts need (prune.c). False when out of memory.
bool weir_prune_loop(weir_arena *arena, weir_value *v, weir_value *const *list, int n, const bool *live);

// A live list as text, one value a line: "%12 = mul f32 (64, 32) %3 %11".
void weir_simplify_dump(weir_value *const *live, int n_live, struct weir_strbuf *out);

#endif
