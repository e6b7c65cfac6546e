// SPDX-License-Identifier: Apache-2.0
// The op rows by name, and what the files of rows share: axis checks and case tables.
#ifndef WEIR_GRAPH_OPS_ROWS_H
#define WEIR_GRAPH_OPS_ROWS_H

#include "graph/op.h"

#define WEIR_MAP1(name, types, result, fill, rules, n, desc)                                       \
    extern const struct weir_op weir_op_##name;
#define WEIR_MAP2(name, types, result, fill, rules, n, desc)                                       \
    extern const struct weir_op weir_op_##name;
#define WEIR_MAP3(name, types, result, fill, rules, n, desc)                                       \
    extern const struct weir_op weir_op_##name;
#include "graph/ops/map.def"
extern const struct weir_op weir_op_select, weir_op_cast;

extern const struct weir_op weir_op_input, weir_op_constant, weir_op_state, weir_op_assign,
    weir_op_part, weir_op_param, weir_op_loop;
extern const struct weir_op weir_op_reshape, weir_op_permute, weir_op_broadcast, weir_op_slice,
    weir_op_stop_gradient;
extern const struct weir_op weir_op_sum, weir_op_reduce_max, weir_op_reduce_min, weir_op_any,
    weir_op_all, weir_op_argmax, weir_op_argmin;
extern const struct weir_op weir_op_pad, weir_op_concat;
extern const struct weir_op weir_op_iota, weir_op_random_bits, weir_op_random_normal;
extern const struct weir_op weir_op_matmul, weir_op_conv, weir_op_conv_input_grad,
    weir_op_conv_weight_grad;
extern const struct weir_op weir_op_take, weir_op_take_along, weir_op_scatter, weir_op_scatter_add,
    weir_op_scatter_add_along, weir_op_dynamic_slice, weir_op_dynamic_update;
extern const struct weir_op weir_op_cumsum, weir_op_sort, weir_op_argsort;
extern const struct weir_op weir_op_cholesky, weir_op_triangular_solve, weir_op_lu, weir_op_fft;
extern const struct weir_op weir_op_host_call;

// A 16-bit float: computed with as f32.
static inline bool weir_is_storage(enum weir_dtype t)
{
    return t == WEIR_F16 || t == WEIR_BF16;
}

// The axis counted from the front, or -1 when there is none such.
static inline int weir_axis_of(const weir_value *x, int axis)
{
    int rank = x->type.shape.rank;
    if (axis < 0)
        axis += rank;
    return axis >= 0 && axis < rank ? axis : -1;
}

// The shape that operands broadcast to as in NumPy; false if they do not.
bool weir_broadcast_shapes(const struct weir_shape *a, const struct weir_shape *b,
                           struct weir_shape *out);
// x as `shape`: x itself, or a broadcast view of it.
weir_value *weir_broadcast_to(weir_value *x, const struct weir_shape *shape);

// Writes the case's label and types. dims are terminated by -1.
void weir_case_input(struct weir_op_case *c, enum weir_dtype dtype, enum weir_fill fill,
                     const int64_t *dims);
#define weir_dims(...) ((const int64_t[]) { __VA_ARGS__, -1 })

#endif
