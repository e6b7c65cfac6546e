// SPDX-License-Identifier: Apache-2.0
// Matrix product of signed bytes with i32 sums that wrap, one work-item an output element. The
// order of such sums cannot show, so there is nothing to chunk. Knobs: contract_knobs.cl (columns
// and terms in their innermost loop only; CT_CHUNKS 0: no terms). Geometry: global = columns, rows,
// batches.
#include "vector16.cl"
#include "contract_knobs.cl"

kernel void CT_NAME(global const char *p0, ulong o0, global const char *p1, ulong o1,
                    global int *p2, ulong o2)
{
    const CT_INT n = get_global_id(0), m = get_global_id(1), z = get_global_id(2);
    const CT_INT r3 = m % CT_ROW3, r2 = m / CT_ROW3 % CT_ROW2;
    const CT_INT r1 = m / (CT_ROW3 * CT_ROW2) % CT_ROW1, r0 = m / (CT_ROW3 * CT_ROW2 * CT_ROW1);
    CT_BATCH_OF(z);
    global const char *a = p0 + o0 + CT_A + r0 * CT_A_ROW0 + r1 * CT_A_ROW1 + r2 * CT_A_ROW2 +
        r3 * CT_A_ROW3 + CT_AT_BATCH(A);
    global const char *b = p1 + o1 + CT_B + n * CT_B_COL3 + CT_AT_BATCH(B);
    uint sum = 0;
    for (int k = 0; CT_CHUNKS && k < CT_TERM3; k++)
        sum += (uint)((int)a[k * CT_A_TERM3] * (int)b[k * CT_B_TERM3]);
    p2[o2 + CT_O + r0 * CT_O_ROW0 + r1 * CT_O_ROW1 + r2 * CT_O_ROW2 + r3 * CT_O_ROW3 + n +
       CT_AT_BATCH(O)] = (int)sum;
}
#include "contract_end.cl"
