// SPDX-License-Identifier: Apache-2.0
// The canonical order of a reduction over several axes (docs/numerics.md): axes of size 1 dropped;
// first the reduced axes that have a kept axis inside, one at a time from the innermost outwards;
// then the trailing block as one row.
#ifndef WEIR_GRAPH_OPS_REDUCE_PLAN_H
#define WEIR_GRAPH_OPS_REDUCE_PLAN_H

#include "graph/op.h"

// What is left when a stage begins is (a, n, b) with n reduced.
struct reduce_column {
    int64_t a, n, b;
};

struct reduce_plan {
    int n_columns;
    struct reduce_column column[WEIR_MAX_RANK];
    int64_t rows, row; // after the columns: rows of `row` terms (row 1: nothing is left to do)
};

static inline struct reduce_plan reduce_plan(int rank, const int64_t *extent, uint32_t axes)
{
    struct reduce_plan p = { .rows = 1, .row = 1 };
    int64_t dim[WEIR_MAX_RANK];
    bool reduced[WEIR_MAX_RANK];
    int n = 0;
    for (int i = 0; i < rank; i++)
        if (extent[i] != 1) {
            dim[n] = extent[i];
            reduced[n++] = axes >> i & 1;
        }
    while (n > 0 && reduced[n - 1])
        p.row *= dim[--n];
    for (int i = n - 1; i >= 0; i--) { // axes i + 1 .. n - 1 are kept or done with
        if (!reduced[i]) {
            p.rows *= dim[i];
            continue;
        }
        struct reduce_column *c = &p.column[p.n_columns++];
        *c = (struct reduce_column) { 1, dim[i], p.rows * p.row };
        for (int k = 0; k < i; k++)
            c->a *= dim[k];
    }
    return p;
}

// Elements that every stage but the last one leaves, together.
static inline int64_t reduce_scratch(const struct reduce_plan *p)
{
    int64_t n = 0;
    for (int i = 0; i + (p->row == 1) < p->n_columns; i++)
        n += p->column[i].a * p->column[i].b;
    return n;
}

#endif
