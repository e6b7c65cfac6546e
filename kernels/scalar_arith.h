// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): float arithmetic, compares, rounding, casts and storage conversions.

WEIR_FN VF VN(nan_f)(void)
{
    return AS_F(KU(0x7fc00000u));
}

WEIR_FN VF VN(inf_f)(void)
{
    return AS_F(KU(0x7f800000u));
}

// Every NaN becomes the one that is stored, compared and hashed. By its bits: a compiler may hold
// that x != x is false.
WEIR_FN VF VN(canon_f)(VF x)
{
    return (AS_U(x) & 0x7fffffffu) > 0x7f800000u ? VN(nan_f)() : x;
}

WEIR_FN VF VN(abs_f)(VF x)
{
    return AS_F(AS_U(x) & 0x7fffffffu);
}

WEIR_FN VF VN(neg_f)(VF x)
{
    return AS_F(AS_U(x) ^ 0x80000000u);
}

// |x| with the sign of s.
WEIR_FN VF VN(copysign_f)(VF x, VF s)
{
    return AS_F((AS_U(x) & 0x7fffffffu) | (AS_U(s) & 0x80000000u));
}

WEIR_FN VF VN(add_f)(VF a, VF b)
{
    return a + b;
}

WEIR_FN VF VN(sub_f)(VF a, VF b)
{
    return a - b;
}

WEIR_FN VF VN(mul_f)(VF a, VF b)
{
    return a * b;
}

WEIR_FN VF VN(div_f)(VF a, VF b)
{
    return WEIR_DIV(a, b);
}

WEIR_FN VF VN(fma_f)(VF a, VF b, VF c)
{
    return WEIR_FMA(a, b, c);
}

// The NaN is made here, not by sqrt: Intel's OpenCL compiler (2026.2) takes it that sqrt never
// returns one, and drops later tests for it.
WEIR_FN VF VN(sqrt_f)(VF x)
{
    VI ok = x >= 0.0f;
    VF r = WEIR_SQRT(ok ? x : KF(0.0f));
    return ok ? r : VN(nan_f)();
}

// 1 / sqrt(x), rounded twice.
WEIR_FN VF VN(rsqrt_f)(VF x)
{
    return WEIR_DIV(KF(1.0f), VN(sqrt_f)(x));
}

WEIR_FN VF VN(square_f)(VF x)
{
    return x * x;
}

WEIR_FN VF VN(reciprocal_f)(VF x)
{
    return WEIR_DIV(KF(1.0f), x);
}

WEIR_FN VF VN(rint_f)(VF x)
{
    return weir_hw_rint(x);
}

// The sign bit is carried over: rint of (0, 1) may be +1, and ceil of (-1, 0) is -0.
WEIR_FN VF VN(floor_f)(VF x)
{
    VF t = weir_hw_rint(x);
    return VN(copysign_f)(t > x ? t - 1.0f : t, x);
}

WEIR_FN VF VN(ceil_f)(VF x)
{
    VF t = weir_hw_rint(x);
    return VN(copysign_f)(t < x ? t + 1.0f : t, x);
}

// -1, 1, or x itself where it is 0 (of either sign) or NaN.
WEIR_FN VF VN(sign_f)(VF x)
{
    return x > 0.0f ? KF(1.0f) : (x < 0.0f ? KF(-1.0f) : x);
}

WEIR_FN VI VN(is_finite_f)(VF x)
{
    return (AS_U(x) & 0x7fffffffu) < 0x7f800000u;
}

// NaN wins; -0 < +0.
WEIR_FN VF VN(min_f)(VF a, VF b)
{
    VF r = a < b ? a : b;
    r = a == b ? AS_F(AS_U(a) | AS_U(b)) : r;
    return a != a ? a : r;
}

WEIR_FN VF VN(max_f)(VF a, VF b)
{
    VF r = a > b ? a : b;
    r = a == b ? AS_F(AS_U(a) & AS_U(b)) : r;
    return a != a ? a : r;
}

WEIR_FN VI VN(eq_f)(VF a, VF b)
{
    return a == b;
}

WEIR_FN VI VN(ne_f)(VF a, VF b)
{
    return a != b;
}

WEIR_FN VI VN(lt_f)(VF a, VF b)
{
    return a < b;
}

WEIR_FN VI VN(le_f)(VF a, VF b)
{
    return a <= b;
}

WEIR_FN VI VN(gt_f)(VF a, VF b)
{
    return a > b;
}

WEIR_FN VI VN(ge_f)(VF a, VF b)
{
    return a >= b;
}

WEIR_FN VF VN(select_f)(VI c, VF a, VF b)
{
    return c ? a : b;
}

// |b| = m 2^e with 2^23 <= m < 2^24 (an integer in a float), for finite b that is not 0.
WEIR_FN VF VN(integer_f)(VF b, VI *e)
{
    VF a = VN(abs_f)(b);
    VI small = a < 0x1p-126f;
    a = small ? a * 0x1p24f : a;
    VI biased = AS_I(a) >> 23;
    *e = biased - 150 - (small ? KI(24) : KI(0));
    return AS_F((AS_U(a) & 0x007fffffu) | 0x4b000000u);
}

// 2^k for -126 <= k <= 127.
WEIR_FN VF VN(pow2_i)(VI k)
{
    return AS_F(I_TO_U(k + 127) << 23);
}

// x 2^k rounded once, for |x| in [2^-1, 2^24) and -252 <= k <= 254.
WEIR_FN VF VN(scale_f)(VF x, VI k)
{
    VI k1 = k >> 1;
    return x * VN(pow2_i)(k1) * VN(pow2_i)(k - k1);
}

// Floored remainder, exact but for one rounding where the signs differ: r = a - b floor(a / b) has
// the sign of b. x mod 0 and inf mod x are NaN; a mod inf is a, or inf where the signs differ.
WEIR_FN VF VN(mod_f)(VF a, VF b)
{
    VF aa = VN(abs_f)(a), ab = VN(abs_f)(b);
    VI ok = VN(is_finite_f)(a) & VN(is_finite_f)(b) & (b != 0.0f);
    VI ea, eb;
    VF m = VN(integer_f)(ok ? ab : KF(1.0f), &eb);
    VF r = VN(integer_f)((ok & (a != 0.0f)) ? aa : KF(1.0f), &ea);
    // Long division of the fractions, up to 23 bits of the quotient a step; 277 bits at most.
    VI left = ea - eb;
    VI whole = ok & (left >= 0);
    left = whole ? left : KI(0);
    for (int step = 0; step < 13; step++) {
        VI n = left < 23 ? left : KI(23);
        left -= n;
        VF t = r * VN(pow2_i)(n);
        VF q = weir_hw_rint(WEIR_DIV(t, m));
        t = WEIR_FMA(-q, m, t);
        r = t < 0.0f ? t + m : t;
    }
    // r < m is a multiple of the last bit of b, so scaling back is exact, subnormal or not.
    VI e1 = eb >> 1;
    r = r * VN(pow2_i)(e1) * VN(pow2_i)(eb - e1);
    r = whole ? r : aa;
    r = a == 0.0f ? KF(0.0f) : r;
    r = VN(copysign_f)(r, a);
    VI differ = (AS_I(a) ^ AS_I(b)) < 0;
    r = (differ & (r != 0.0f)) ? r + b : r;
    r = r == 0.0f ? VN(copysign_f)(r, b) : r;
    VI bad = (b == 0.0f) | (aa == VN(inf_f)()) | (a != a) | (b != b);
    return bad ? VN(nan_f)() : r;
}

WEIR_FN VF VN(i2f)(VI x)
{
    return TO_F(x);
}

WEIR_FN VF VN(u2f)(VU x)
{
    return TO_F(x);
}

WEIR_FN VF VN(b2f)(VI b)
{
    return b ? KF(1.0f) : KF(0.0f);
}

WEIR_FN VI VN(f2b)(VF x)
{
    return x != 0.0f;
}

// Toward zero; out of range saturates, NaN gives 0.
WEIR_FN VI VN(f2i)(VF x)
{
    VI fits = (x >= -0x1p31f) & (x < 0x1p31f);
    VI r = TO_I(fits ? x : KF(0.0f));
    r = x >= 0x1p31f ? KI(0x7fffffff) : r;
    return x < -0x1p31f ? KI(-0x7fffffff - 1) : r;
}

WEIR_FN VU VN(f2u)(VF x)
{
    VI fits = (x >= 0.0f) & (x < 0x1p32f);
    VU r = TO_U(fits ? x : KF(0.0f));
    return x >= 0x1p32f ? KU(0xffffffffu) : r;
}

// Storage types: round to nearest even; above the largest value infinity; NaN the canonical one.
WEIR_FN VH VN(f32_to_bf16)(VF x)
{
    VU u = AS_U(x);
    VU r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    return TO_H(x != x ? KU(0x7fc0u) : r);
}

WEIR_FN VF VN(bf16_to_f32)(VH x)
{
    return VN(canon_f)(AS_F(TO_U(x) << 16));
}

WEIR_FN VH VN(f32_to_f16)(VF x)
{
    VU u = AS_U(x), a = u & 0x7fffffffu;
    // At 2^-14 and above 13 bits are dropped; below, the last bit is 2^-24 and more are.
    VU normal = (a + 0xfffu + ((a >> 13) & 1u) - 0x38000000u) >> 13;
    VU drop = 126u - (a >> 23);
    drop = a < 0x38800000u ? (drop < 30u ? drop : KU(30)) : KU(1);
    VU m = (a & 0x7fffffu) | 0x800000u;
    VU small = (m + (KU(1) << (drop - 1u)) - 1u + ((m >> drop) & 1u)) >> drop;
    VU r = a < 0x38800000u ? small : normal;
    r = a >= 0x477ff000u ? KU(0x7c00) : r;
    r = a > 0x7f800000u ? KU(0x7e00) : r | ((u >> 16) & 0x8000u);
    return TO_H(r);
}

WEIR_FN VF VN(f16_to_f32)(VH x)
{
    VU h = TO_U(x), a = h & 0x7fffu, s = (h & 0x8000u) << 16;
    VU bits = (a << 13) + 0x38000000u;
    bits = a >= 0x7c00u ? (a << 13) | 0x7f800000u : bits;
    bits = a < 0x0400u ? AS_U(TO_F(a) * 0x1p-24f) : bits;
    return VN(canon_f)(AS_F(bits | s));
}

WEIR_FN VF VN(round_bf16)(VF x)
{
    return VN(bf16_to_f32)(VN(f32_to_bf16)(x));
}

WEIR_FN VF VN(round_f16)(VF x)
{
    return VN(f16_to_f32)(VN(f32_to_f16)(x));
}
