// SPDX-License-Identifier: Apache-2.0
// What a device can do at most, for tools/bench_roofline.c: WEIR_T is the type of a work-item's
// registers (float16 on wide devices, float on grouped ones). No local memory.
//
// bench_fma: 12 chains of n fused multiply-adds in each work-item. bench_copy: each work-item
// copies n elements that lie `step` apart, `times` times over. bench_nothing: what a launch costs.
kernel void bench_fma(global WEIR_T *p0, ulong o0, int n)
{
    const WEIR_T a = p0[o0], b = p0[o0 + 1];
    WEIR_T c[12];
#pragma unroll
    for (int i = 0; i < 12; i++)
        c[i] = p0[o0 + i];
    for (int k = 0; k < n; k++)
#pragma unroll
        for (int i = 0; i < 12; i++)
            c[i] = fma(c[i], a, b);
#pragma unroll
    for (int i = 1; i < 12; i++)
        c[0] += c[i];
    p0[o0 + 16 + get_global_id(0)] = c[0];
}

kernel void bench_copy(global const WEIR_T *p0, ulong o0, global WEIR_T *p1, ulong o1, int n,
                       int step, int first, int times)
{
    const ulong at = get_global_id(0) * (ulong)first;
    for (int t = 0; t < times; t++)
        for (int k = 0; k < n; k++)
            p1[o1 + at + k * (ulong)step] = p0[o0 + at + k * (ulong)step];
}

kernel void bench_nothing(global WEIR_T *p0, ulong o0)
{
    if (get_global_id(0) == 0x7fffffff)
        p0[o0] = 0;
}
