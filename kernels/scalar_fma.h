// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): the exact fma of a device whose own is right while its inputs and
// result are normal. (Mesa's llvmpipe takes subnormal inputs for 0, gives 0 for subnormal results,
// and gets the sign of an exact 0 wrong.) Powers of two bring the rest into range. No branches:
// compilers for such devices run both sides anyway, and integer code took them minutes to compile.

WEIR_FN VF VN(soft_fma_f)(VF a, VF b, VF c)
{
    VU ua = AS_U(a) & 0x7fffffffu, ub = AS_U(b) & 0x7fffffffu, uc = AS_U(c) & 0x7fffffffu;
    VI low_a = ua - 1u < 0x007fffffu, low_b = ub - 1u < 0x007fffffu;
    VI low_c = uc - 1u < 0x007fffffu, zero = (ua == 0u) | (ub == 0u);
    // A subnormal factor times 2^24, the other times 2^-24. Where that one is below 2^-102 the
    // product is below 2^-228, and any other that small, here 2^-200, has the same effect.
    VI none = (low_a & (ub < 0x0c800000u)) | (low_b & (ua < 0x0c800000u));
    VF x = a * (low_a ? KF(0x1p24f) : (low_b ? KF(0x1p-24f) : KF(1.0f)));
    VF y = b * (low_b ? KF(0x1p24f) : (low_a ? KF(0x1p-24f) : KF(1.0f)));
    x = none ? AS_F((AS_U(a) & 0x80000000u) | 0x0d800000u) : x;
    y = none ? AS_F((AS_U(b) & 0x80000000u) | 0x0d800000u) : y;
    // From 2^-60 on either term makes the result normal, or 0 exactly; a subnormal c then acts as
    // 2^-126 would. Below, the smaller factor and c are multiplied by 2^96.
    VI scaled = (uc < 0x21800000u) & ((AS_U(x * y) & 0x7fffffffu) < 0x21800000u);
    VI x_smaller = (AS_U(x) & 0x7fffffffu) < (AS_U(y) & 0x7fffffffu);
    x = (scaled & x_smaller) != 0 ? x * 0x1p96f : x;
    y = (scaled & (x_smaller == 0)) != 0 ? y * 0x1p96f : y;
    VF z = low_c ? AS_F((AS_U(c) & 0x80000000u) | 0x00800000u) : c;
    z = scaled ? c * 0x1p96f : z;
    VF r = weir_hw_fma(x, y, z);
    VU ur = AS_U(r) & 0x7fffffffu;
    VU sign = ur == 0u ? KU(0) : AS_U(r) & 0x80000000u;
    sign = (scaled & (uc == 0u)) != 0 ? (AS_U(a) ^ AS_U(b)) & 0x80000000u : sign;
    // Below 2^-30 the scaled result is subnormal when scaled back, a multiple of 2^-53 here, to
    // which a sum of 2^-30 to 2^-29 in size is rounded. (z + m is exact up to z = 2^-6; beyond, r
    // is.)
    VI alike = (z != 0.0f) & (((AS_U(z) ^ sign) & 0x80000000u) == 0u);
    VF m = AS_F(sign ^ (alike ? KU(0xb1000000u) : KU(0x30800000u)));
    VF s = weir_hw_fma(x, y, z + m) - m;
    VI fine = (ur >= 0x30800000u) | ((AS_U(z) & 0x7fffffffu) >= 0x3c800000u);
    VF t = (fine ? r : s) * 0x1p-96f;
    t = AS_F((AS_U(scaled ? t : r) & 0x7fffffffu) | sign);
    return zero ? a * b + c : t;
}
