// SPDX-License-Identifier: Apache-2.0
// Loop nest of cumsum: y_i = x_0 + .. + x_i by chains in blocks of 64 (docs/numerics.md). Inside a
// block a chain adds in order, from its first term; the totals of complete blocks are scanned by
// the same rule; y = (scanned total of the blocks before) + (chain in the block), the first block's
// y is its chain. One pass: level l holds the chain over the totals of level l - 1.
#include "graph/ops/nest_iter.h"

enum { RUN = 64, LEVELS = 7 }; // 64^7 terms

struct scan {
    weir_real chain[LEVELS], before[LEVELS]; // before: scanned total of what precedes the chain
    int n[LEVELS];                           // terms in the chain
    bool any[LEVELS];                        // something precedes it
};

static weir_real scan_push(struct scan *s, weir_real x)
{
    int top = 0;
    while (s->n[top] == RUN)
        top++;
    for (int l = top; l > 0; l--) { // full chains become terms of the level above, highest first
        s->chain[l] = s->n[l]++ ? s->chain[l] + s->chain[l - 1] : s->chain[l - 1];
        s->before[l - 1] = s->any[l] ? s->before[l] + s->chain[l] : s->chain[l];
        s->any[l - 1] = true;
        s->n[l - 1] = 0;
    }
    s->chain[0] = s->n[0]++ ? s->chain[0] + x : x;
    return s->any[0] ? s->before[0] + s->chain[0] : s->chain[0];
}

WEIR_NEST(cumsum)
{
    const struct weir_nest_call *c = desc;
    const struct weir_nd *x = &c->in[0];
    const int64_t n = x->dim[c->attrs.axis.axis];
    int64_t inner = 1;
    for (int a = c->attrs.axis.axis + 1; a < x->rank; a++)
        inner *= x->dim[a];
    const int64_t rows = n ? nest_count(x) / n : 0;
#pragma omp parallel for num_threads(nest_threads(c, nest_count(x)))
    for (int64_t r = 0; r < rows; r++) {
        const int64_t first = r / inner * n * inner + r % inner;
        if (x->dtype == WEIR_F32) {
            const weir_real *src = (const weir_real *)ptr[0] + first;
            weir_real *dst = (weir_real *)ptr[1] + first;
            struct scan s = {0};
            for (int64_t i = 0; i < n; i++)
                dst[i * inner] = scan_push(&s, src[i * inner]);
        } else {
            const uint32_t *src = (const uint32_t *)ptr[0] + first;
            uint32_t *dst = (uint32_t *)ptr[1] + first, sum = 0;
            for (int64_t i = 0; i < n; i++)
                dst[i * inner] = sum += src[i * inner];
        }
    }
}
