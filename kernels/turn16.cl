// SPDX-License-Identifier: Apache-2.0
// A 16 x 16 square of floats in sixteen registers turned round: rows d apart exchange blocks of d.
#ifndef WEIR_TURN16_FN
#define WEIR_TURN16_FN
#ifndef WEIR_TURN16
#define WEIR_TURN8(a, b) x = (float16)(a.lo, b.lo), y = (float16)(a.hi, b.hi)
#define WEIR_TURN4(a, b)                                      \
    x = (float16)(a.s0123, b.s0123, a.s89ab, b.s89ab),        \
    y = (float16)(a.s4567, b.s4567, a.scdef, b.scdef)
#define WEIR_TURN2(a, b)                                                                     \
    x = (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd),                   \
    y = (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)
#define WEIR_TURN1(a, b)                                                                     \
    x = (float16)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6, a.s8, b.s8, a.sa, b.sa,    \
                  a.sc, b.sc, a.se, b.se),                                                   \
    y = (float16)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7, a.s9, b.s9, a.sb, b.sb,    \
                  a.sd, b.sd, a.sf, b.sf)
#define WEIR_TURN16(r, d)                                     \
    for (int i = 0; i < 16; i++)                              \
        if (!(i & d)) {                                       \
            float16 x, y;                                     \
            WEIR_TURN##d(r[i], r[i + d]);                     \
            r[i] = x;                                         \
            r[i + d] = y;                                     \
        }
#endif

static inline void weir_turn16(float16 *r)
{
#pragma unroll
    WEIR_TURN16(r, 8)
#pragma unroll
    WEIR_TURN16(r, 4)
#pragma unroll
    WEIR_TURN16(r, 2)
#pragma unroll
    WEIR_TURN16(r, 1)
}
#endif
