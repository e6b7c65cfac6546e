// SPDX-License-Identifier: Apache-2.0
// One argument of concat: p0 (outer, n) goes to rows of p1 (outer, m), whose offset already counts
// the arguments before. One work-item copies up to 16 neighbours of a row: whole vectors on a CPU.
#include "opaque_knobs.cl"

kernel void OP_NAME(global const OP_T *p0, ulong o0, global OP_T *p1, ulong o1)
{
    const OP_INT strips = (OP_N + 15) / 16;
    const OP_INT t = get_global_id(0);
    if (t >= OP_ITEMS)
        return;
    const OP_INT row = t / strips, first = t % strips * 16;
    const OP_INT n = min((OP_INT)16, (OP_INT)OP_N - first);
    global const OP_T *src = p0 + o0 + row * OP_N + first;
    global OP_T *dst = p1 + o1 + row * OP_M + first;
    if (n == 16)
        for (int i = 0; i < 16; i++)
            dst[i] = src[i];
    else
        for (int i = 0; i < n; i++)
            dst[i] = src[i];
}
#include "opaque_end.cl"
