// SPDX-License-Identifier: Apache-2.0
// Whether sub-groups have SG_LANES work-items, those of a row of the work-group in their order, and
// broadcast what they should. p[o] = 1: every work-item found it so. Geometry: one group of SG_LANES, 2, 1.
#include "subgroup.cl"

kernel SG_ATTRIBUTES __attribute__((reqd_work_group_size(SG_LANES, 2, 1)))
void probe(global float *p, ulong o)
{
    local int wrong[2 * SG_LANES];
    const int lane = SG_LANE, sub = SG_SUB;
    const int id = (int)get_local_id(0) + SG_LANES * (int)get_local_id(1);
    int bad = lane != (int)get_local_id(0) || sub != (int)get_local_id(1);
#if SG_LANES > 1
    bad |= get_sub_group_size() != SG_LANES || get_max_sub_group_size() != SG_LANES;
#endif
    const float mine = p[o + 1] + (float)(3 * lane + 100 * sub);
    for (int i = 0; i < SG_LANES; i++)
        bad |= SG_BROADCAST(mine, i) != 1.0f + (float)(3 * i + 100 * sub);
    wrong[id] = bad;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id == 0) {
        int any = 0;
        for (int i = 0; i < 2 * SG_LANES; i++)
            any |= wrong[i];
        p[o] = any ? 0.0f : 1.0f;
    }
}
#undef SG_LANES
