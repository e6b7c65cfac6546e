// SPDX-License-Identifier: Apache-2.0
// Evaluates a value node by node with the loop nests for double, and beside each element keeps a
// bound on how far a float evaluation may be from it (a running forward error analysis).
#ifndef WEIR_TESTS_ERROR_BOUND_H
#define WEIR_TESTS_ERROR_BOUND_H

#include "graph/eval.h"

struct test_bound {
    int64_t n;
    enum weir_dtype dtype;
    double *value; // of a float result
    double *bound; // absolute; infinite where nothing can be said
    void *exact;   // of an integer or bool result
    bool unsure;   // an integer result that hangs on rounded floats: not comparable
};

// Whether the bounds are those of fast mode (docs/numerics.md, section 15), not of exact mode.
extern bool test_bound_fast;

// In fast mode: the matrix engine that contractions may go to, by whether it takes floats as they
// are.
enum test_engine { TEST_ENGINE_NONE, TEST_ENGINE_EXACT, TEST_ENGINE_TF32 };
extern enum test_engine test_bound_engine;
enum test_engine test_engine_of(const weir_device *dev);

// Whether casts to 16 bits round the oracle's numbers and leave no error behind them: the float evaluation is taken
// to round the same way, and one that does not is out of bounds.
extern bool test_bound_rounds;

// leaves: as weir_eval takes them under F64. Aborts the test on failure.
void test_bound_run(weir_value *v, const struct weir_eval_leaf *leaves, int n_leaves,
                    struct test_bound *out);
void test_bound_free(struct test_bound *o);

// The first element of device memory `got` (of the value's dtype) that is out of bounds, or -1;
// *worst receives the largest error / bound seen, `text` what was wrong.
int64_t test_bound_check(const struct test_bound *o, const void *got, double *worst, char *text,
                         size_t text_size);

#endif
