// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): floats from random words.

// Uniform in [0, 1) on a grid of 2^-24.
WEIR_FN VF VN(word_uniform)(VU w)
{
    return TO_F(w >> 8) * KF(0x1p-24f);
}

// Box-Muller. w0 and w1 are the words of elements 2j and 2j + 1: u1 = ((w0 >> 8) + 1) 2^-24 lies in
// (0, 1] and u2 = (w1 >> 8) 2^-24; with r = sqrt(-2 log u1) the even element is r cos(2 pi u2) and
// the odd one r sin(2 pi u2).
WEIR_FN VF VN(normal_radius)(VU w0)
{
    VF u1 = TO_F((w0 >> 8) + 1u) * KF(0x1p-24f);
    return WEIR_SQRT(VN(abs_f)(KF(-2.0f) * VN(log_f)(u1)));
}

// 2 pi u2 is quadrant + fraction, in quarter turns, exactly: 24 bits, the last 22 a fraction.
WEIR_FN VF VN(normal_angle)(VU w1, VU *quadrant)
{
    VU turn = w1 >> 8;
    *quadrant = (turn + 0x200000u) >> 22;
    return TO_F(U_TO_I(turn - (*quadrant << 22))) * KF(0x1p-22f);
}

// odd: not 0 for the odd element. cos is sin a quarter turn on.
WEIR_FN VF VN(normal_pair)(VU w0, VU w1, VU odd)
{
    VU quadrant;
    VF fraction = VN(normal_angle)(w1, &quadrant);
    quadrant += odd != 0u ? KU(0) : KU(1);
    return VN(normal_radius)(w0) * VN(sin_quadrant)(fraction, KF(0.0f), quadrant);
}

WEIR_FN VF VN(random_normal_f)(VU elem, VU row, VU step, VU stream, VU k0, VU k1)
{
    VU w0, w1, w2, w3;
    VN(philox)(elem >> 2, row, step, stream, k0, k1, &w0, &w1, &w2, &w3);
    return VN(normal_pair)((elem & 2u) != 0u ? w2 : w0, (elem & 2u) != 0u ? w3 : w1, elem & 1u);
}

#if WEIR_V == 16

#ifndef WEIR_ODD16
#define WEIR_ODD16(w) (w).s1133557799bbddff
#endif

// The normals of elements elem .. elem + 15 of one row; elem is a multiple of 4.
WEIR_FN float16 weir_random_normal16(uint elem, uint row, uint step, uint stream, uint k0, uint k1)
{
    uint16 w = weir_random_word16(elem, row, step, stream, k0, k1);
    uint16 lane = (uint16)(0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u, 13u, 14u, 15u);
    return weir_normal_pairv(w.s0022446688aaccee, WEIR_ODD16(w), lane & 1u);
}

// Lanes 0 to 7 (8 to 15) of a and b in turn, and the same by twos.
#define WEIR_WEAVE_LOW(a, b)                                                                     \
    (float16)((a).s0, (b).s0, (a).s1, (b).s1, (a).s2, (b).s2, (a).s3, (b).s3, (a).s4, (b).s4,    \
              (a).s5, (b).s5, (a).s6, (b).s6, (a).s7, (b).s7)
#define WEIR_WEAVE_HIGH(a, b)                                                                    \
    (float16)((a).s8, (b).s8, (a).s9, (b).s9, (a).sa, (b).sa, (a).sb, (b).sb, (a).sc, (b).sc,    \
              (a).sd, (b).sd, (a).se, (b).se, (a).sf, (b).sf)
#define WEIR_WEAVE2_LOW(a, b)                                                                    \
    (float16)((a).s0, (a).s1, (b).s0, (b).s1, (a).s2, (a).s3, (b).s2, (b).s3, (a).s4, (a).s5,    \
              (b).s4, (b).s5, (a).s6, (a).s7, (b).s6, (b).s7)
#define WEIR_WEAVE2_HIGH(a, b)                                                                   \
    (float16)((a).s8, (a).s9, (b).s8, (b).s9, (a).sa, (a).sb, (b).sa, (b).sb, (a).sc, (a).sd,    \
              (b).sc, (b).sd, (a).se, (a).sf, (b).se, (b).sf)

// The normals of elements elem .. elem + 63 of one row; elem is a multiple of 4. A lane has a block
// of four words, so each logarithm, root and angle is computed once for the two elements it is for.
WEIR_FN void weir_random_normal64(uint elem, uint row, uint step, uint stream, uint k0, uint k1,
                                  float16 *x)
{
    const uint16 lane = (uint16)(0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u, 13u, 14u, 15u);
    uint16 w[4];
    weir_philoxv((uint16)(elem >> 2) + lane, (uint16)(row), (uint16)(step), (uint16)(stream),
                 (uint16)(k0), (uint16)(k1), &w[0], &w[1], &w[2], &w[3]);
    float16 n[4];
    for (int i = 0; i < 4; i += 2) {
        uint16 quadrant;
        float16 sine, cosine;
        const float16 fraction = weir_normal_anglev(w[i + 1], &quadrant);
        const float16 r = weir_normal_radiusv(w[i]);
        weir_sin_and_cosv(fraction, (float16)(0.0f), &sine, &cosine);
        n[i] = r * weir_turnedv(sine, cosine, quadrant + 1u);
        n[i + 1] = r * weir_turnedv(sine, cosine, quadrant);
    }
    const float16 a = WEIR_WEAVE_LOW(n[0], n[1]), b = WEIR_WEAVE_LOW(n[2], n[3]);
    const float16 c = WEIR_WEAVE_HIGH(n[0], n[1]), d = WEIR_WEAVE_HIGH(n[2], n[3]);
    x[0] = WEIR_WEAVE2_LOW(a, b);
    x[1] = WEIR_WEAVE2_HIGH(a, b);
    x[2] = WEIR_WEAVE2_LOW(c, d);
    x[3] = WEIR_WEAVE2_HIGH(c, d);
}

// Sixteen at a time of 64 that are made together, for a loop over neighbours. `begin`: the place
// of the first among all elements; -1 to begin with.
typedef struct {
    float16 x[4];
    int begin;
} weir_normals;

// Elements elem .. elem + 15 of the row, which are elements `at` on of all; elem is a multiple of 16.
WEIR_FN float16 weir_random_normals(weir_normals *kept, int at, uint elem, uint row, uint step,
                                    uint stream, uint k0, uint k1)
{
    const int begin = at - (int)(elem & 63u);
    if (begin != kept->begin) {
        weir_random_normal64(elem & ~63u, row, step, stream, k0, k1, kept->x);
        kept->begin = begin;
    }
    return kept->x[elem >> 4 & 3u];
}

#endif
