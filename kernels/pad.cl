// SPDX-License-Identifier: Apache-2.0
// pad: p0 data of extents OP_BOX, p1 result of extents OP_DIM. Element i of the data's axis a lies
// at OP_LO[a] + i OP_STEP[a] of the result's; the rest is OP_VALUE. One work-item a result element.
#include "opaque_knobs.cl"

kernel void OP_NAME(global const OP_T *p0, ulong o0, global OP_T *p1, ulong o1)
{
    const OP_INT dim[] = OP_DIM, box[] = OP_BOX, lo[] = OP_LO, step[] = OP_STEP;
    OP_INT t = get_global_id(0), from = 0, size = 1;
    if (t >= OP_ITEMS)
        return;
    bool inside = true;
    for (int a = OP_RANK - 1; a >= 0; a--) {
        const OP_INT i = t % dim[a] - lo[a];
        inside = inside && i >= 0 && i % step[a] == 0 && i / step[a] < box[a];
        from += i / step[a] * size;
        size *= box[a];
        t /= dim[a];
    }
    p1[o1 + get_global_id(0)] = inside ? p0[o0 + from] : (OP_T)OP_VALUE;
}
#include "opaque_end.cl"
