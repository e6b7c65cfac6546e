// SPDX-License-Identifier: Apache-2.0
// Loop nests of iota and of the random words and normals.
#include "graph/ops/nest_iter.h"

#include <scalar.h>

// Fills [at, at + n) of the output, all of one index along the first axis ("row").
typedef void row_fn(const struct weir_nest_call *c, void *const *ptr, void *out, uint32_t row,
                    uint32_t first, int64_t n);

// Calls fill for pieces of at most WEIR_BLOCK elements, none across rows. Outputs are contiguous.
static void by_rows(const struct weir_nest_call *c, void *const *ptr, row_fn *fill)
{
    const struct weir_nd *nd = &c->out[0];
    int64_t rows = nd->rank > 0 ? nd->dim[0] : 1, n = nest_count(nd), per_row = rows ? n / rows : 0;
    int64_t pieces = (per_row + WEIR_BLOCK - 1) / WEIR_BLOCK;
    unsigned char *out = ptr[c->n_in];
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, n))
    for (int64_t k = 0; k < rows * pieces; k++) {
        int64_t row = k / pieces, first = k % pieces * WEIR_BLOCK;
        int64_t count = per_row - first < WEIR_BLOCK ? per_row - first : WEIR_BLOCK;
        fill(c, ptr, out + (size_t)(row * per_row + first) * nest_elem_size(nd->dtype),
             (uint32_t)row, (uint32_t)first, count);
    }
}

struct key {
    uint32_t row, step, stream, k0, k1;
};

static struct key key_of(const struct weir_nest_call *c, void *const *ptr, uint32_t row)
{
    const uint32_t *seed = ptr[0], *step = ptr[1], *row0 = ptr[2];
    const struct weir_nd *nd = &c->in[0];
    bool per_row = c->attrs.gen.per_row; // then a row does not depend on its place in the batch
    int64_t at = per_row ? row * nd->stride[0] : 0;
    return (struct key) { per_row ? *row0 : *row0 + row, *step, c->attrs.gen.stream, seed[at],
                          seed[at + nd->stride[nd->rank - 1]] };
}

static void fill_bits(const struct weir_nest_call *c, void *const *ptr, void *out, uint32_t row,
                      uint32_t first, int64_t n)
{
    struct key k = key_of(c, ptr, row);
    uint32_t *o = out;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        o[i] = weir_random_word(first + (uint32_t)i, k.row, k.step, k.stream, k.k0, k.k1);
}

static void fill_normal(const struct weir_nest_call *c, void *const *ptr, void *out, uint32_t row,
                        uint32_t first, int64_t n)
{
    struct key k = key_of(c, ptr, row);
    weir_real *o = out;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        o[i] = weir_random_normal_f(first + (uint32_t)i, k.row, k.step, k.stream, k.k0, k.k1);
}

WEIR_NEST(random_bits)
{
    by_rows(desc, ptr, fill_bits);
}

WEIR_NEST(random_normal)
{
    by_rows(desc, ptr, fill_normal);
}

WEIR_NEST(iota)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *nd = &c->out[0];
    int64_t inner = 1, n = nest_count(nd), dim = nd->dim[c->attrs.gen.axis];
    for (int i = c->attrs.gen.axis + 1; i < nd->rank; i++)
        inner *= nd->dim[i];
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, n))
    for (int64_t i = 0; i < n; i++) {
        int64_t index = i / inner % dim;
        if (nd->dtype == WEIR_F32)
            ((weir_real *)ptr[0])[i] = (weir_real)index;
        else
            ((uint32_t *)ptr[0])[i] = (uint32_t)index;
    }
}
