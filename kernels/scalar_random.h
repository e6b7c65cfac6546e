// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): random words, Philox 4x32-10 (Salmon et al., SC 2011).
//
// A value is a function of (element in its row, row, step, stream) and a 64 bit key alone:
// counter = (element >> 2, row, step, stream), key = (low, high), word number element & 3.

WEIR_FN void VN(philox)(VU c0, VU c1, VU c2, VU c3, VU k0, VU k1, VU *w0, VU *w1, VU *w2, VU *w3)
{
    for (int round = 0; round < 10; round++) {
        VU hi0 = weir_mulhi(c0, KU(0xd2511f53u)), lo0 = c0 * KU(0xd2511f53u);
        VU hi1 = weir_mulhi(c2, KU(0xcd9e8d57u)), lo1 = c2 * KU(0xcd9e8d57u);
        c0 = hi1 ^ c1 ^ k0;
        c1 = lo1;
        c2 = hi0 ^ c3 ^ k1;
        c3 = lo0;
        k0 += KU(0x9e3779b9u);
        k1 += KU(0xbb67ae85u);
    }
    *w0 = c0;
    *w1 = c1;
    *w2 = c2;
    *w3 = c3;
}

// The word of one element (of 16 lanes: any elements, rows and keys, a block each).
WEIR_FN VU VN(random_word)(VU elem, VU row, VU step, VU stream, VU k0, VU k1)
{
    VU w0, w1, w2, w3;
    VN(philox)(elem >> 2, row, step, stream, k0, k1, &w0, &w1, &w2, &w3);
    VU even = (elem & 2u) != 0u ? w2 : w0;
    VU odd = (elem & 2u) != 0u ? w3 : w1;
    return (elem & 1u) != 0u ? odd : even;
}

#if WEIR_V == 16

// The words of elements elem .. elem + 15 of one row; elem is a multiple of 4, so four blocks do.
WEIR_FN uint16 weir_random_word16(uint elem, uint row, uint step, uint stream, uint k0, uint k1)
{
    uint4 c0 = (uint4)(elem >> 2) + (uint4)(0u, 1u, 2u, 3u);
    uint4 c1 = (uint4)(row), c2 = (uint4)(step), c3 = (uint4)(stream);
    for (int round = 0; round < 10; round++) {
        uint4 hi0 = mul_hi(c0, (uint4)(0xd2511f53u)), lo0 = c0 * 0xd2511f53u;
        uint4 hi1 = mul_hi(c2, (uint4)(0xcd9e8d57u)), lo1 = c2 * 0xcd9e8d57u;
        c0 = hi1 ^ c1 ^ k0;
        c1 = lo1;
        c2 = hi0 ^ c3 ^ k1;
        c3 = lo0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return (uint16)(c0.x, c1.x, c2.x, c3.x, c0.y, c1.y, c2.y, c3.y, c0.z, c1.z, c2.z, c3.z, c0.w,
                    c1.w, c2.w, c3.w);
}

#endif
