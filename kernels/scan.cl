// SPDX-License-Identifier: Apache-2.0
// cumsum: p0 data, p1 result, both (outer, n, inner). Chains in blocks of 64; totals of complete
// blocks are scanned by the same rule (level l holds the chain over the totals of level l - 1); a
// result is the scanned total before its block plus the chain in it. One work-item a row (outer,
// inner).
#include "opaque_knobs.cl"

#define OP_LEVELS 7

kernel void OP_NAME(global const OP_T *p0, ulong o0, global OP_T *p1, ulong o1)
{
    const OP_INT t = get_global_id(0);
    if (t >= OP_ITEMS)
        return;
    const OP_INT first = t / OP_INNER * OP_N * OP_INNER + t % OP_INNER;
    global const OP_T *src = p0 + o0 + first;
    global OP_T *dst = p1 + o1 + first;
    OP_T chain[OP_LEVELS], before[OP_LEVELS];
    int count[OP_LEVELS], any[OP_LEVELS];
    for (int l = 0; l < OP_LEVELS; l++) {
        chain[l] = before[l] = 0;
        count[l] = any[l] = 0;
    }
    for (OP_INT i = 0; i < OP_N; i++) {
        int top = 0;
        while (count[top] == 64)
            top++;
        for (int l = top; l > 0; l--) { // full chains become terms above, highest first
            chain[l] = count[l] ? chain[l] + chain[l - 1] : chain[l - 1];
            count[l]++;
            before[l - 1] = any[l] ? before[l] + chain[l] : chain[l];
            any[l - 1] = 1;
            count[l - 1] = 0;
        }
        chain[0] = count[0] ? chain[0] + src[i * OP_INNER] : src[i * OP_INNER];
        count[0]++;
        dst[i * OP_INNER] = any[0] ? before[0] + chain[0] : chain[0];
    }
}
#undef OP_LEVELS
#include "opaque_end.cl"
