// SPDX-License-Identifier: Apache-2.0
// Adds the chunk sums that a split contraction stored: out = ((s + P_0) + P_1) + ..., where s is +0
// for the first batch of chunks and what the previous batch left for the others.
//
// p0 (CT_CHUNKS, CT_PARTIAL) chunk sums   ps (CT_PARTIAL) the running sum, where there are several
// batches (else unused). first: this is the first batch; last: results go to the epilogue, else to
// ps. chunks: how many chunk sums this batch has. Innermost columns: CT_COL3. Knobs:
// contract_knobs.cl; CT_PARTIAL and CT_COL3 may be parameters, which CT_FOLD_INTS declares. CT_STEP 256:
// a work-item takes 256 results by vectors (wide, local 1); 1: one result (grouped). Geometry: global =
// CT_PARTIAL / CT_STEP, rounded up.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "place.cl"
#include "contract_knobs.cl"
#ifndef CT_STEP
#define CT_STEP 256
#endif
#ifndef CT_FOLD_INTS
#define CT_FOLD_INTS
#endif

WEIR_KERNEL void CT_NAME(global const float *p0, ulong o0, global float *ps, ulong os CT_PARAMS,
                    int chunks, int first, int last CT_FOLD_INTS WEIR_PLACE)
{
    const CT_INT start = (CT_INT)WEIR_AT(0) * CT_STEP;
    const CT_INT end = min(start + CT_STEP, (CT_INT)CT_PARTIAL);
    p0 += o0;
    ps += os;
    CT_INT o = start;
#if CT_STEP == 256
    if (end - start == 256) { // whole blocks: a kilobyte of each chunk in turn
        float16 sum[16];
        for (int v = 0; v < 16; v++)
            sum[v] = first ? (float16)(0.0f) : WEIR_LOAD16(ps + start + 16 * v);
        for (int c = 0; c < chunks; c++) {
            global const float *p = p0 + c * (CT_INT)CT_PARTIAL + start;
#pragma unroll
            for (int v = 0; v < 16; v++)
                sum[v] = sum[v] + WEIR_LOAD16(p + 16 * v);
        }
        for (int v = 0; v < 16; v++, o += 16) {
            if (!last) {
                WEIR_STORE16(ps + o, sum[v]);
            } else if (CT_COL3 % 16 == 0) { // sixteen results never straddle two rows
                CT_PUT16(sum[v], o);
            } else {
                union {
                    float16 v;
                    float s[16];
                } lanes;
                lanes.v = sum[v];
                for (int l = 0; l < 16; l++) {
                    CT_PUT(lanes.s[l], o + l);
                }
            }
        }
    }
#endif
    for (; o < end; o++) {
        float sum = first ? 0.0f : ps[o];
        for (int c = 0; c < chunks; c++)
            sum = sum + p0[c * (CT_INT)CT_PARTIAL + o];
        if (last) {
            CT_PUT(sum, o);
        } else {
            ps[o] = sum;
        }
    }
}
#undef CT_FOLD_INTS
#include "contract_end.cl"
