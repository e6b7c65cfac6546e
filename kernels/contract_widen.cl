// SPDX-License-Identifier: Apache-2.0
// A 16-bit operand of a contraction as f32: p1 = p0's WD_N elements in order, element i lying at
// WD_AT(i). For kernels of wide devices that read an operand many times; the type is WD_LOAD's, one
// element, and WD_LOAD16's, sixteen neighbours (prelude.cl).
//
// WD_VECTOR 1: sixteen elements from a multiple of sixteen on are neighbours in p0 (the last ones are
// taken one by one). Geometry: local 1; global = WD_N / WD_STEP, rounded up.
#ifndef WD_NAME
#include "prelude.cl"
#define WD_NAME contract_widen
#define WD_INT int
#define WD_N 1
#define WD_AT(i) (i)
#define WD_LOAD weir_ld_bf16
#define WD_LOAD16 weir_ldv_bf16
#define WD_VECTOR 1
#define WD_STEP 4096
#endif

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void WD_NAME(global const ushort *p0, ulong o0, global float *p1, ulong o1)
{
    WD_INT i = (WD_INT)get_global_id(0) * WD_STEP;
    const WD_INT end = min((WD_INT)(i + WD_STEP), (WD_INT)WD_N);
    p0 += o0;
    p1 += o1;
#if WD_VECTOR
    for (; i + 16 <= end; i += 16)
        WEIR_STORE16(p1 + i, WD_LOAD16(p0 + WD_AT(i)));
#endif
    for (; i < end; i++)
        p1[i] = WD_LOAD(p0 + WD_AT(i));
}
#undef WD_NAME
#undef WD_INT
#undef WD_N
#undef WD_AT
#undef WD_LOAD
#undef WD_LOAD16
#undef WD_VECTOR
#undef WD_STEP
