// SPDX-License-Identifier: Apache-2.0
// scatter (OP_KIND 0), scatter_add (1) and its along form: p0 base (outer, n, inner), p1 indices
// (m, or (outer, m, inner) along), p2 updates (outer, m, inner), p3 result. Out of range drops. One
// work-item a column (outer, inner), which copies its base and takes its updates in index order.
#include "opaque_knobs.cl"

kernel void OP_NAME(global const OP_T *p0, ulong o0, global const int *p1, ulong o1,
                    global const OP_T *p2, ulong o2, global OP_T *p3, ulong o3)
{
    const OP_INT t = get_global_id(0);
    if (t >= OP_ITEMS)
        return;
    const OP_INT inner = t % OP_INNER, outer = t / OP_INNER;
    global const OP_T *base = p0 + o0 + outer * OP_N * OP_INNER + inner;
    global const OP_T *update = p2 + o2 + outer * OP_M * OP_INNER + inner;
    global OP_T *out = p3 + o3 + outer * OP_N * OP_INNER + inner;
    for (OP_INT i = 0; i < OP_N; i++)
        out[i * OP_INNER] = base[i * OP_INNER];
    for (OP_INT j = 0; j < OP_M; j++) {
        const OP_INT at = p1[o1 + (OP_ALONG ? (outer * OP_M + j) * OP_INNER + inner : j)];
        if (at >= 0 && at < OP_N)
#if OP_KIND == 1
            out[at * OP_INNER] += update[j * OP_INNER];
#else
            out[at * OP_INNER] = update[j * OP_INNER];
#endif
    }
}
#include "opaque_end.cl"
