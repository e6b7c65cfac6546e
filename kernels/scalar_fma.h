// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): the exact fma of a device whose own is not, from + - * and bits alone.
// (Mesa's llvmpipe calls a library's integer code for fma, which takes subnormals for 0; this is
// faster, and compiles in a fraction of the time.)
//
// Operands are brought to 1 <= |x|, |y| < 2 and z = c 2^-e, with e the exponent of the product: no
// step below can overflow or lose bits. x y + z is then known exactly as a sum of floats, whose
// lower part is rounded to odd, so that the one sum that is left rounds as if it had them all
// (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). No branches:
// compilers for such devices run both sides anyway.

// x = result 2^e with 1 <= |result| < 2, for finite x other than 0.
WEIR_FN VF VN(unscaled_f)(VF x, VI *e)
{
    VI low = (AS_U(x) & 0x7f800000u) == 0u;
    VU u = AS_U(low ? x * 0x1p24f : x);
    *e = U_TO_I((u >> 23) & 255u) - (low ? KI(151) : KI(127));
    return AS_F((u & 0x807fffffu) | 0x3f800000u);
}

// a + b = result + err, exactly.
WEIR_FN VF VN(two_sum_f)(VF a, VF b, VF *err)
{
    VF s = a + b, part = s - a;
    *err = (a - (s - part)) + (b - part);
    return s;
}

// a + b rounded to odd: the neighbor with an odd last bit where the sum is not a float.
WEIR_FN VF VN(odd_sum_f)(VF a, VF b)
{
    VF err, s = VN(two_sum_f)(a, b, &err);
    VU away = 1u - (((AS_U(s) ^ AS_U(err)) >> 31) << 1); // 1, or -1
    return AS_F(AS_U(s) + (((err != 0.0f) & ((AS_U(s) & 1u) == 0u)) != 0 ? away : KU(0)));
}

WEIR_FN VF VN(soft_fma_f)(VF a, VF b, VF c)
{
    VU ua = AS_U(a) & 0x7fffffffu, ub = AS_U(b) & 0x7fffffffu, uc = AS_U(c) & 0x7fffffffu;
    VI ea, eb, ec;
    VF x = VN(unscaled_f)(a, &ea), y = VN(unscaled_f)(b, &eb), z = VN(unscaled_f)(c, &ec);
    // A product below 2^-198 has the effect of any other; so have the ratios of c to it beyond
    // 2^60.
    VI e = ea + eb;
    e = e < -200 ? KI(-200) : e;
    VI d = ec - e;
    VI only_c = (d > 60) | (uc >= 0x7f800000u);
    d = d < -60 ? KI(-60) : (d > 60 ? KI(60) : d);
    z = AS_F((AS_U(z) & 0x807fffffu) | (I_TO_U(d + 127) << 23));
    z = uc == 0u ? KF(0.0f) : z;
    // x y = p + q (Dekker, with halves of 12 bits).
    VF xh = AS_F(AS_U(x) & 0xfffff000u), yh = AS_F(AS_U(y) & 0xfffff000u);
    VF xl = x - xh, yl = y - yh, p = x * y;
    VF q = xl * yl - (((p - xh * yh) - xl * yh) - xh * yl);
    // p + q + z = s + rest, rest to odd; = r + rest_r, r rounded to nearest.
    VF err_t, err_s;
    VF t = VN(two_sum_f)(z, q, &err_t), s = VN(two_sum_f)(p, t, &err_s);
    VF rest = VN(odd_sum_f)(err_t, err_s);
    VF r = s + rest, rest_r = rest - (r - s);
    VU sign = AS_U(r) & 0x80000000u;
    // A subnormal result is rounded to a multiple of 2^-149: to the last bit of m = 2^-126, here.
    VU um = I_TO_U(1 - (e > -60 ? KI(-60) : e)) << 23;
    VF m = AS_F(um | sign), h = m + r;
    VF fine = (h + VN(odd_sum_f)(r - (h - m), rest_r)) - m;
    r = (AS_U(r) & 0x7fffffffu) <= um ? fine : r;
    VI e1 = e >> 1;
    r = r * AS_F(I_TO_U(e1 + 127) << 23) * AS_F(I_TO_U(e - e1 + 127) << 23);
    r = AS_F((AS_U(r) & 0x7fffffffu) | sign);
    r = only_c ? c : r;
    // Of 0, infinities and NaN the device makes the right thing.
    VI edge = (ua - 1u >= 0x7f7fffffu) | (ub - 1u >= 0x7f7fffffu);
    return edge ? a * b + c : r;
}
