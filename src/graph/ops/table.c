// SPDX-License-Identifier: Apache-2.0
// Every op row. To add one: its file, its name here.
#include <string.h>

#include "graph/ops/rows.h"

const struct weir_op *const weir_ops[] = {
    &weir_op_input, &weir_op_constant, &weir_op_state, &weir_op_assign, &weir_op_part,
#define WEIR_MAP1(name, types, result, fill, rules, desc) &weir_op_##name,
#define WEIR_MAP2(name, types, result, fill, rules, desc) &weir_op_##name,
#define WEIR_MAP3(name, types, result, fill, rules, desc) &weir_op_##name,
#include "graph/ops/map.def"
    &weir_op_select, &weir_op_cast,
    &weir_op_reshape, &weir_op_permute, &weir_op_broadcast, &weir_op_slice, &weir_op_stop_gradient,
    &weir_op_iota, &weir_op_random_bits, &weir_op_random_normal,
    &weir_op_matmul, &weir_op_conv, &weir_op_conv_input_grad, &weir_op_conv_weight_grad,
    NULL,
};

const struct weir_op *weir_op_find(const char *name)
{
    for (const struct weir_op *const *op = weir_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0)
            return *op;
    return NULL;
}
