// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): floats from random words.

// Uniform in [0, 1) on a grid of 2^-24.
WEIR_FN VF VN(word_uniform)(VU w)
{
    return TO_F(w >> 8) * KF(0x1p-24f);
}

// Box-Muller. w0 and w1 are the words of elements 2j and 2j + 1: u1 = ((w0 >> 8) + 1) 2^-24 lies in
// (0, 1] and u2 = (w1 >> 8) 2^-24; with r = sqrt(-2 log u1) the even element is r cos(2 pi u2) and
// the odd one r sin(2 pi u2). odd: not 0 for the odd element.
WEIR_FN VF VN(normal_pair)(VU w0, VU w1, VU odd)
{
    VF u1 = TO_F((w0 >> 8) + 1u) * KF(0x1p-24f);
    VF r = WEIR_SQRT(VN(abs_f)(KF(-2.0f) * VN(log_f)(u1)));
    // 2 pi u2 is quadrant + fraction, in quarter turns, exactly: 24 bits, the last 22 a fraction.
    VU turn = w1 >> 8;
    VU quadrant = (turn + 0x200000u) >> 22;
    VF fraction = TO_F(U_TO_I(turn - (quadrant << 22))) * KF(0x1p-22f);
    // cos is sin a quarter turn on.
    quadrant += odd != 0u ? KU(0) : KU(1);
    return r * VN(sin_quadrant)(fraction, KF(0.0f), quadrant);
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

#endif
