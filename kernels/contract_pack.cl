// SPDX-License-Identifier: Apache-2.0
// Packs the right operand of a contraction into panels that the wide kernel streams:
//   dst[batch][panel][term][16 CT_VECS], columns beyond CT_COL3 zero.
// Knobs (contract_knobs.cl): CT_COL3, CT_TERM*, CT_BATCH* with their strides in b. They may be names of
// parameters, which CT_PACK_INTS declares; only CT_B_COL3 says 1 by its text. CT_TURN: terms lie next to
// each other, and no square of 16 terms is in two of their runs.
// Geometry: local 1, global = blocks of CT_STEP terms, panels, batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "turn16.cl"
#include "place.cl"
#include "contract_knobs.cl"
#ifndef CT_STEP
#define CT_STEP 16
#endif
#ifndef CT_PACK_INTS
#define CT_PACK_INTS
#endif
#define CT_TERM_AT(k)                                                                      \
    ((k) % CT_TERM3 * CT_B_TERM3 + (k) / CT_TERM3 % CT_TERM2 * CT_B_TERM2 +                \
     (k) / (CT_TERM3 * CT_TERM2) % CT_TERM1 * CT_B_TERM1 +                                 \
     (k) / (CT_TERM3 * CT_TERM2 * CT_TERM1) * CT_B_TERM0)

WEIR_KERNEL_ALONE
void CT_NAME(global const CT_B_T *p0, ulong o0, global float *p1, ulong o1 CT_PACK_INTS WEIR_PLACE)
{
    const CT_INT k = (CT_INT)WEIR_AT(0) * CT_STEP;
    const CT_INT panel = WEIR_AT(1), z = WEIR_AT(2);
    CT_BATCH_OF(z);
    global const CT_B_T *src = p0 + o0 + CT_B + CT_AT_BATCH(B) +
        panel * (16 * CT_VECS) * CT_B_COL3;
    global float *dst = p1 + o1 +
        ((z * CT_PANELS + panel) * CT_TERMS + k) * (16 * CT_VECS);
    const int left = min((CT_INT)(16 * CT_VECS), CT_COL3 - panel * (16 * CT_VECS));
    const int terms = min((CT_INT)CT_STEP, CT_TERMS - k);

#if CT_B_COL3 == 1
    CT_INT at = CT_TERM_AT(k);
    int run = CT_TERM3 - (int)(k % CT_TERM3); // terms until the next one is elsewhere
    for (int i = 0; i < terms; i++) {
        global const CT_B_T *s = src + at;
        at += CT_B_TERM3;
        if (--run == 0) {
            run = CT_TERM3;
            at = CT_TERM_AT(k + i + 1);
        }
        if (left == 16 * CT_VECS) {
#pragma unroll
            for (int v = 0; v < CT_VECS; v++)
                WEIR_STORE16(dst + 16 * (i * CT_VECS + v), CT_B_LOAD16(s + 16 * v));
        } else {
            for (int n = 0; n < 16 * CT_VECS; n++)
                dst[i * (16 * CT_VECS) + n] = n < left ? CT_B_LOAD(s + n) : 0.0f;
        }
    }
#else
    float square[CT_STEP * 16]; // stays in L1
    for (int v = 0; v < CT_VECS; v++) {
#ifdef CT_TURN
        if (terms == 16) { // terms lie next to each other: a square is turned round in registers
            float16 r[16];
#pragma unroll
            for (int n = 0; n < 16; n++)
                r[n] = 16 * v + n < left
                    ? CT_B_LOAD16(src + (16 * v + n) * CT_B_COL3 + CT_TERM_AT(k))
                    : (float16)(0.0f);
            weir_turn16(r);
#pragma unroll
            for (int i = 0; i < 16; i++)
                WEIR_STORE16(dst + 16 * (i * CT_VECS + v), r[i]);
            continue;
        }
#endif
        for (int n = 0; n < 16; n++) {
            global const CT_B_T *s = src + (16 * v + n) * CT_B_COL3;
            if (16 * v + n >= left) {
                for (int i = 0; i < CT_STEP; i++)
                    square[i * 16 + n] = 0.0f;
            } else if (terms == CT_STEP) {
#pragma unroll
                for (int i = 0; i < CT_STEP; i++)
                    square[i * 16 + n] = CT_B_LOAD(s + CT_TERM_AT(k + i));
            } else {
                for (int i = 0; i < terms; i++)
                    square[i * 16 + n] = CT_B_LOAD(s + CT_TERM_AT(k + i));
            }
        }
        for (int i = 0; i < terms; i++)
            for (int n = 0; n < 16; n++)
                dst[16 * (i * CT_VECS + v) + n] = square[i * 16 + n];
    }
#endif
}
#undef CT_TERM_AT
#undef CT_PACK_INTS
#undef CT_TURN
#include "contract_end.cl"
