// SPDX-License-Identifier: Apache-2.0
// Every op row. To add one: its file, its name here.
#include <string.h>

#include "graph/ops/composite.h"
#include "graph/ops/rows.h"

const struct weir_op *const weir_ops[] = {
    &weir_op_input, &weir_op_constant, &weir_op_state, &weir_op_assign, &weir_op_part,
    &weir_op_param,
#define WEIR_MAP1(name, types, result, fill, rules, n, desc) &weir_op_##name,
#define WEIR_MAP2(name, types, result, fill, rules, n, desc) &weir_op_##name,
#define WEIR_MAP3(name, types, result, fill, rules, n, desc) &weir_op_##name,
#include "graph/ops/map.def"
    &weir_op_select, &weir_op_cast,
    &weir_op_reshape, &weir_op_permute, &weir_op_broadcast, &weir_op_slice, &weir_op_stop_gradient,
    &weir_op_sum, &weir_op_reduce_max, &weir_op_reduce_min, &weir_op_any, &weir_op_all,
    &weir_op_argmax, &weir_op_argmin,
    &weir_op_pad, &weir_op_concat,
    &weir_op_iota, &weir_op_random_bits, &weir_op_random_normal,
    &weir_op_matmul, &weir_op_conv, &weir_op_conv_input_grad, &weir_op_conv_weight_grad,
    &weir_op_take, &weir_op_take_along, &weir_op_scatter, &weir_op_scatter_add,
    &weir_op_scatter_add_along, &weir_op_dynamic_slice, &weir_op_dynamic_update,
    &weir_op_cumsum, &weir_op_sort, &weir_op_argsort,
    &weir_op_cholesky, &weir_op_triangular_solve, &weir_op_lu, &weir_op_fft, &weir_op_host_call,
    &weir_op_loop,
#define X(name) &weir_op_##name,
    WEIR_COMPOSITE_ROWS(X)
#undef X
    NULL,
};

const struct weir_op *weir_op_find(const char *name)
{
    for (const struct weir_op *const *op = weir_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0)
            return *op;
    return NULL;
}
