// SPDX-License-Identifier: Apache-2.0
// dynamic_slice (OP_KIND 0): p0 data, p1 start, p2 result. dynamic_update (1): p0 data, p1 update,
// p2 start, p3 result. OP_DIM are the extents of the data, OP_BOX of the slice or update; the start
// clamps. One work-item a result element.
#include "opaque_knobs.cl"

#if OP_KIND == 0
kernel void OP_NAME(global const OP_T *p0, ulong o0, global const int *p1, ulong o1,
                    global OP_T *p2, ulong o2)
{
    const OP_INT dim[] = OP_DIM, box[] = OP_BOX, stride[] = OP_STRIDE;
    OP_INT t = get_global_id(0), from = 0;
    if (t >= OP_ITEMS)
        return;
    for (int a = OP_RANK - 1; a >= 0; a--) {
        from += (t % box[a] + clamp((OP_INT)p1[o1 + a], (OP_INT)0, dim[a] - box[a])) * stride[a];
        t /= box[a];
    }
    p2[o2 + get_global_id(0)] = p0[o0 + from];
}
#else
kernel void OP_NAME(global const OP_T *p0, ulong o0, global const OP_T *p1, ulong o1,
                    global const int *p2, ulong o2, global OP_T *p3, ulong o3)
{
    const OP_INT dim[] = OP_DIM, box[] = OP_BOX;
    OP_INT t = get_global_id(0), from = 0, size = 1;
    if (t >= OP_ITEMS)
        return;
    bool inside = true;
    for (int a = OP_RANK - 1; a >= 0; a--) {
        const OP_INT i = t % dim[a] - clamp((OP_INT)p2[o2 + a], (OP_INT)0, dim[a] - box[a]);
        inside = inside && i >= 0 && i < box[a];
        from += i * size;
        size *= box[a];
        t /= dim[a];
    }
    p3[o3 + get_global_id(0)] = inside ? p1[o1 + from] : p0[o0 + get_global_id(0)];
}
#endif
#include "opaque_end.cl"
