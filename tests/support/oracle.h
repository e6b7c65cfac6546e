// SPDX-License-Identifier: Apache-2.0
// The double oracle: builds a row's test case with inputs of its own and evaluates values of it
// with the loop nests compiled for double.
#ifndef WEIR_TESTS_ORACLE_H
#define WEIR_TESTS_ORACLE_H

#include "graph/eval.h"
#include "support.h"

#define ORACLE_MAX_IN 6

// A graph with the case's inputs and their data (doubles for floats). Aborts when out of memory.
struct oracle {
    weir_graph *g;
    int n; // inputs, and values bound later
    weir_value *in[2 * ORACLE_MAX_IN + 2];
    void *data[2 * ORACLE_MAX_IN + 2];
    struct weir_op_case c;
};

// Builds the case's inputs, filled as the case says from the seed (extreme fills become normal
// ones).
void oracle_init(struct oracle *o, const struct weir_op_case *c, uint64_t seed);
// One more f32 input, standard normal.
weir_value *oracle_input(struct oracle *o, struct weir_shape shape, uint64_t *seed);
void oracle_finish(struct oracle *o);

// The f32 value v as doubles, malloc'd. Fails the test with the graph's message where it cannot.
double *oracle_eval(struct oracle *o, weir_value *v);

// True where v's elements are floats, so that it can have a derivative.
bool oracle_is_float(const weir_value *v);

double test_normal(uint64_t *state);  // standard normal, from test_next
double test_uniform(uint64_t *state); // (0, 1)

#endif
