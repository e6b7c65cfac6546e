// SPDX-License-Identifier: Apache-2.0
// The loop nest of views: copies a strided operand to a contiguous one (or the reverse).
#include "graph/ops/nest_iter.h"

WEIR_NEST(copy)
{
    const struct weir_nest_call *c = desc;
    struct nest_walk in = nest_walk(&c->in[0], ptr[0]), out = nest_walk(&c->out[0], ptr[1]);
    int64_t n = nest_count(&c->out[0]), blocks = (n + WEIR_BLOCK - 1) / WEIR_BLOCK;
#pragma omp parallel for schedule(static) num_threads(nest_threads(c, n))
    for (int64_t b = 0; b < blocks; b++) {
        double stage[WEIR_BLOCK];
        int64_t first = b * WEIR_BLOCK, count = n - first < WEIR_BLOCK ? n - first : WEIR_BLOCK;
        bool direct = out.rank == 1 && out.stride[0] == 1;
        if (direct) {
            nest_transfer(&in, first, count, out.base + first * (int64_t)out.size, true);
        } else {
            nest_transfer(&in, first, count, (unsigned char *)stage, true);
            nest_transfer(&out, first, count, (unsigned char *)stage, false);
        }
    }
}
