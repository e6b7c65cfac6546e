// SPDX-License-Identifier: Apache-2.0
// Folding of constants through the host loop nests: the same code that defines the operation, so
// the same bits as if it ran on the device.
#include <string.h>

#include "compile/rewrite.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "graph/view.h"

#define MAX_ELEMENTS 4096 // a larger result is cheaper to compute than to store and upload
#define MAX_ARGS 4

// Fills nd and a pointer to element 0 of constant v, which may be seen through views.
static bool operand(weir_value *v, struct weir_nd *nd, void **ptr)
{
    struct weir_layout l;
    weir_layout_of(v, NULL, NULL, &l);
    if (l.base->op != &weir_op_constant)
        return false;
    nd->dtype = v->type.dtype;
    nd->rank = v->type.shape.rank;
    memcpy(nd->dim, v->type.shape.dim, sizeof(nd->dim));
    memcpy(nd->stride, l.stride, sizeof(nd->stride));
    // Loop nests take all operands as void *; they do not write inputs.
    *ptr = (char *)(uintptr_t)l.base->attrs.constant.data +
           l.offset * (int64_t)weir_dtype_size(nd->dtype);
    return true;
}

static int64_t operand_size(const weir_value *v)
{
    while (v->op->cls == WEIR_OP_VIEW)
        v = v->arg[0];
    return weir_shape_size(&v->type.shape);
}

// Only operations that take strided operands are worth it: constants meet maps (coefficients) and
// reductions (counts).
static bool foldable(const weir_value *v)
{
    bool simple = v->op->cls == WEIR_OP_MAP || v->op->cls == WEIR_OP_REDUCE;
    if (!simple || v->arity < 1 || v->arity > MAX_ARGS || v->n_parts != 1)
        return false;
    int64_t n = weir_shape_size(&v->type.shape), stored = 0;
    for (int i = 0; i < v->arity; i++)
        stored += operand_size(v->arg[i]);
    return n > 0 && n <= MAX_ELEMENTS && n <= stored;
}

const void *weir_fold(weir_value *v, weir_arena *arena)
{
    struct weir_nd nd[MAX_ARGS + 1];
    void *ptr[MAX_ARGS + 2]; // arguments, result, scratch
    weir_host_fn *fn = v->op->host.isa[weir_isa_best()];
    if (!foldable(v) || !fn)
        return NULL;
    for (int i = 0; i < v->arity; i++)
        if (!operand(v->arg[i], &nd[i], &ptr[i]))
            return NULL;
    struct weir_nd *out = &nd[v->arity];
    out->dtype = v->type.dtype;
    out->rank = v->type.shape.rank;
    memcpy(out->dim, v->type.shape.dim, sizeof(out->dim));
    weir_strides(&v->type.shape, out->stride);
    size_t size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
    ptr[v->arity] = weir_arena_alloc(arena, size);
    size_t scratch = v->op->scratch ? v->op->scratch(v) : 0;
    ptr[v->arity + 1] = weir_arena_alloc(arena, scratch);
    if (!ptr[v->arity] || !ptr[v->arity + 1])
        return NULL;
    struct weir_nest_call call = {
        .n_in = v->arity, .n_out = 1, .in = nd, .out = out, .attrs = v->attrs, .threads = 1};
    fn(&call, ptr);
    return ptr[v->arity];
}
