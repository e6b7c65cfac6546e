// SPDX-License-Identifier: Apache-2.0
// The legal rewrites, one row each. A rewrite is legal only if the bits agree for every input (±0,
// subnormals, infinities; NaN as one class); tests/test_simplify.c has its edge test.
#ifndef WEIR_COMPILE_REWRITE_H
#define WEIR_COMPILE_REWRITE_H

#include "graph/graph.h"

struct weir_rewriter; // simplify.c

struct weir_rewrite {
    const char *name, *desc;
    // What v may be replaced by (one of the values made so far, or a new one), or NULL.
    weir_value *(*apply)(struct weir_rewriter *r, weir_value *v);
};
extern const struct weir_rewrite *const weir_rewrites[]; // NULL-ended, tried in order

// A new value in place of `like` (whose origin, name and recompute region it takes), itself
// rewritten and merged with an equal one. NULL when out of memory.
weir_value *weir_rewrite_make(struct weir_rewriter *r, const struct weir_op *op,
                              weir_value *const *arg, int arity, const union weir_attrs *attrs,
                              const struct weir_type *type, const weir_value *like);
// The same for a constant (data is copied).
weir_value *weir_rewrite_constant(struct weir_rewriter *r, const struct weir_type *type,
                                  const void *data, const weir_value *like);

// The constant of one element that v repeats, looking through views; NULL if it is none.
const weir_value *weir_uniform(const weir_value *v);

// fold.c: v's elements if all its arguments are constants and it is small; NULL otherwise. The data
// lies in `arena`.
const void *weir_fold(weir_value *v, weir_arena *arena);

#endif
