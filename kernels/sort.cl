// SPDX-License-Identifier: Apache-2.0
// sort (OP_KIND 0) and argsort (1): p0 data, p1 result, p2 scratch, rows of n elements OP_INNER
// apart in (outer, n, inner). A stable bottom-up merge sort of integer keys (NaN last and one
// value, -0 before +0); p1 and p2 take turns so that the last merge ends in p1. OP_T: float, int or
// uint data as bits (OP_M 0, 1, 2). One work-item a row.
#include "opaque_knobs.cl"

static inline uint OP_FN(_key)(uint u)
{
#if OP_M == 0
    return (u & 0x7fffffffu) > 0x7f800000u ? 0xffffffffu : u >> 31 ? ~u : u | 0x80000000u;
#elif OP_M == 1
    return u ^ 0x80000000u;
#else
    return u;
#endif
}

static inline uint OP_FN(_word)(uint key)
{
#if OP_M == 0
    return key == 0xffffffffu ? 0x7fc00000u : key >> 31 ? key & 0x7fffffffu : ~key;
#elif OP_M == 1
    return key ^ 0x80000000u;
#else
    return key;
#endif
}

#if OP_KIND == 1
#define OP_KEY(i) OP_FN(_key)(data[(i) * OP_INNER]) // turns hold indices
#else
#define OP_KEY(i) (i) // turns hold keys
#endif

kernel void OP_NAME(global const uint *p0, ulong o0, global uint *p1, ulong o1,
                    global uint *p2, ulong o2)
{
    const OP_INT t = get_global_id(0), n = OP_N, step = OP_INNER;
    if (t >= OP_ITEMS)
        return;
    const OP_INT first = t / OP_INNER * OP_N * OP_INNER + t % OP_INNER;
    global const uint *data = p0 + o0 + first;
    global uint *out = p1 + o1 + first, *src = out, *dst = p2 + o2 + first, *swap;
    for (OP_INT width = 1; width < n; width *= 2) {
        swap = src;
        src = dst;
        dst = swap;
    }
    for (OP_INT i = 0; i < n; i++)
        src[i * step] = OP_KIND == 1 ? (uint)i : OP_FN(_key)(data[i * step]);
    for (OP_INT width = 1; width < n; width *= 2) {
        for (OP_INT lo = 0; lo < n; lo += 2 * width) {
            const OP_INT mid = min(lo + width, n), hi = min(lo + 2 * width, n);
            OP_INT i = lo, j = mid;
            for (OP_INT k = lo; k < hi; k++) {
                const bool second = i == mid ||
                    (j < hi && OP_KEY(src[j * step]) < OP_KEY(src[i * step]));
                dst[k * step] = second ? src[j * step] : src[i * step];
                j += second;
                i += !second;
            }
        }
        swap = src;
        src = dst;
        dst = swap;
    }
    for (OP_INT i = 0; OP_KIND == 0 && i < n; i++)
        out[i * step] = OP_FN(_word)(out[i * step]);
}
#undef OP_KEY
#include "opaque_end.cl"
