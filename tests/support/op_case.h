// SPDX-License-Identifier: Apache-2.0
// One case of an op row made concrete: its graph, inputs filled from a seed, and the same inputs as
// the double oracle wants them.
#ifndef WEIR_TESTS_OP_CASE_H
#define WEIR_TESTS_OP_CASE_H

#include "graph/eval.h"
#include "graph/op.h"

#define TEST_MAX_IN 6

struct test_op_case {
    const struct weir_op *op;
    int idx;
    struct weir_op_case c;
    weir_graph *g;
    bool own_graph;
    weir_value *in[TEST_MAX_IN];
    weir_value *out;
    void *data[TEST_MAX_IN];   // as in device memory
    void *data64[TEST_MAX_IN]; // floats as doubles
    struct weir_eval_leaf leaves[TEST_MAX_IN], leaves64[TEST_MAX_IN];
};

// Builds case `idx` of the row; false when there are no more. Aborts the test when the graph fails.
bool test_op_case_make(const struct weir_op *op, int idx, struct test_op_case *t);
// As above in a graph that has other cases too (NULL: one of its own).
bool test_op_case_make_in(const struct weir_op *op, int idx, weir_graph *g, struct test_op_case *t);
void test_op_case_free(struct test_op_case *t);

bool test_is_real(enum weir_dtype t);

// Compares n elements of device memory, all NaNs being one value. Returns the first that differs,
// or -1; `text` receives both values.
int64_t test_first_difference(enum weir_dtype t, const void *a, const void *b, int64_t n,
                              char *text, size_t text_size);

#endif
