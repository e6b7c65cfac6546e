// SPDX-License-Identifier: Apache-2.0
// take and take_along: p0 data (outer, n, inner), p1 indices (m, or (outer, m, inner) along), p2
// result (outer, m, inner). Indices clamp. One work-item a result element.
#include "opaque_knobs.cl"

kernel void OP_NAME(global const OP_T *p0, ulong o0, global const int *p1, ulong o1,
                    global OP_T *p2, ulong o2)
{
    const OP_INT t = get_global_id(0);
    if (t >= OP_ITEMS)
        return;
    const OP_INT inner = t % OP_INNER, j = t / OP_INNER % OP_M, outer = t / OP_INNER / OP_M;
    const OP_INT at = clamp(p1[o1 + (OP_ALONG ? t : j)], 0, (int)(OP_N - 1));
    p2[o2 + t] = p0[o0 + (outer * OP_N + at) * OP_INNER + inner];
}
#include "opaque_end.cl"
