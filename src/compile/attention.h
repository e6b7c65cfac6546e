// SPDX-License-Identifier: Apache-2.0
// Attention as a kernel of its own: which composites are claimed, what they become in the list of
// values, and who writes that. attention.c claims, write_attention.c writes.
#ifndef WEIR_COMPILE_ATTENTION_H
#define WEIR_COMPILE_ATTENTION_H

#include "compile/compile.h"

// What claimed composites become; both contract, and read their arguments by strides.
//   attention (q, k, v, [mask])                   → o, m, l
//   attention_grad (q, k, v, [mask], t, m, l, D)  → dq, dk, dv
extern const struct weir_op weir_op_attention_kernel, weir_op_attention_grad_kernel;

// weir_simplify of g into c->scope; on devices that have kernels for them, attentions stay whole.
enum weir_status weir_values_make(struct weir_emit_state *c, weir_graph *g,
                                  weir_value *const *outputs, int n_outputs,
                                  struct weir_strbuf *dump);

enum weir_status weir_attention_emit(struct weir_emit *e);

// What the kernels know of an attention; batches are all leading axes of its result.
struct weir_attention {
    int64_t queries, keys, depth, width, batches;
    bool masked;
    float scale;
};

// Of the composite, or of a kernel (its first result is the output, backward dq).
struct weir_attention weir_attention_of(const weir_value *v);

// Whether the kernel of grouped devices, or those of its gradients, fit this one.
bool weir_attention_room(const weir_device *dev, const struct weir_attention *a, bool gradients);

// What a strip of scores may take of a work-item's own memory.
#define WEIR_ATTENTION_STRIP (128 << 10)

// Vectors of queries in the strips of this many keys on a wide device; 0 = none fit.
static inline int weir_attention_vecs(int64_t keys)
{
    return keys * 128 <= WEIR_ATTENTION_STRIP ? 2 : keys * 64 <= WEIR_ATTENTION_STRIP ? 1 : 0;
}

#endif
