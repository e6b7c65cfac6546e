// SPDX-License-Identifier: Apache-2.0
// Iteration spaces: the common refinement of shapes with the same number of elements.
#include "compile/body.h"

// Boundaries of a shape are the products of its trailing axes; two shapes refine each other when
// the union of their boundaries is a chain of divisors.
bool weir_space_refine(struct weir_space *space, const struct weir_shape *shape)
{
    int64_t at[WEIR_SPACE_MAX + 1], a = 1, b = 1;
    int n = 0, i = space->rank - 1, k = shape->rank - 1;
    at[n++] = 1;
    while (i >= 0 || k >= 0) {
        int64_t na = i >= 0 ? a * space->dim[i] : 0, nb = k >= 0 ? b * shape->dim[k] : 0;
        int64_t next = na && (!nb || na <= nb) ? na : nb;
        if (next == na) {
            a = na;
            i--;
        }
        if (next == nb) {
            b = nb;
            k--;
        }
        if (next == at[n - 1])
            continue; // an axis of size 1
        if (next == 0 || next % at[n - 1] != 0 || n > WEIR_SPACE_MAX)
            return false;
        at[n++] = next;
    }
    if (a != b)
        return false;
    space->rank = n - 1;
    for (int d = 0; d < n - 1; d++)
        space->dim[d] = at[n - 1 - d] / at[n - 2 - d];
    return true;
}

void weir_space_strides(const struct weir_space *space, const struct weir_shape *shape,
                        const int64_t *stride, int64_t *out)
{
    int axis = shape->rank - 1;
    int64_t inside = 1; // elements of the current axis that finer axes already cover
    for (int d = space->rank - 1; d >= 0; d--) {
        while (axis >= 0 && shape->dim[axis] == inside) {
            axis--;
            inside = 1;
        }
        out[d] = axis >= 0 ? stride[axis] * inside : 0;
        inside *= space->dim[d];
    }
}
