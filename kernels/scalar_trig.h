// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): sin, cos, atan2. Angles are reduced with as much of 2 / pi as needed,
// in integers, for every input.

// sin and cos of (f + fl) quarter turns, |f| <= 1/2.
WEIR_FN void VN(sin_and_cos)(VF f, VF fl, VF *sine, VF *cosine)
{
    // r + rl = (f + fl) pi / 2
    VF r = f * 0x1.921fb6p+0f;
    VF rl = WEIR_FMA(f, KF(0x1.921fb6p+0f), -r);
    rl = WEIR_FMA(f, KF(-0x1.777a5cp-25f), WEIR_FMA(fl, KF(0x1.921fb6p+0f), rl));
    VF t = r * r;
    VF s = WEIR_FMA(KF(0x1.7cd00ep-19f), t, KF(-0x1.a05baap-13f));
    s = WEIR_FMA(s, t, KF(0x1.111176p-7f));
    s = WEIR_FMA(s, t, KF(-0x1.555556p-3f));
    VF h = 0.5f * r * r, hl = WEIR_FMA(0.5f * r, r, -h);
    *sine = r + WEIR_FMA(r * t, s, WEIR_FMA(-rl, h, rl));
    VF c = WEIR_FMA(KF(-0x1.371c86p-22f), t, KF(0x1.a075d8p-16f));
    c = WEIR_FMA(c, t, KF(-0x1.6c1762p-10f));
    c = WEIR_FMA(c, t, KF(0x1.555556p-5f));
    VF u = 1.0f - h;
    *cosine = u + (((1.0f - u) - h) + (WEIR_FMA(t * t, c, -hl) - r * rl));
}

// sin of an angle `quadrant` quarter turns further than those of sine and cosine.
WEIR_FN VF VN(turned)(VF sine, VF cosine, VU quadrant)
{
    VF y = (quadrant & 1u) != 0u ? cosine : sine;
    return AS_F(AS_U(y) ^ ((quadrant & 2u) << 30));
}

// sin of (quadrant + f + fl) quarter turns, |f| <= 1/2.
WEIR_FN VF VN(sin_quadrant)(VF f, VF fl, VU quadrant)
{
    VF sine, cosine;
    VN(sin_and_cos)(f, fl, &sine, &cosine);
    return VN(turned)(sine, cosine, quadrant);
}

// x = (quadrant + f + fl) pi / 2 + a multiple of 2 pi, |f| <= 1/2, for finite x of at least 2^-30.
WEIR_FN VF VN(angle_reduce)(VF x, VF *fl, VU *quadrant)
{
    VU a = AS_U(x) & 0x7fffffffu;
    VU e = a >> 23;
    VU m = ((a & 0x7fffffu) | 0x800000u) << 8;
    // Bits of 2 / pi of a weight that makes whole turns with m are left out: 96 bits from bit `at`
    // of (64 zeros, 2 / pi) on give the angle mod 4 quadrants with 62 bits behind the point.
    VU at = (e < 126u ? KU(126) : e) - 96u;
    VU w = at >> 5, sh = at & 31u;
    // Word w + j of the table by masks (mk: all bits where w >= k): GCC would turn a chain of
    // selects into jumps, and the loop would not vectorise.
    VI v = U_TO_I(w);
    VU m1 = I_TO_U(-v >> 31), m2 = I_TO_U((1 - v) >> 31), m3 = I_TO_U((2 - v) >> 31);
    VU m4 = I_TO_U((3 - v) >> 31);
    VU t0 = (0xa2f9836eu & m2) ^ (0xecbd9647u & m3) ^ (0xb26342f8u & m4);
    VU t1 = (0xa2f9836eu & m1) ^ (0xecbd9647u & m2) ^ (0xb26342f8u & m3) ^ (0x09138a11u & m4);
    VU t2 = 0xa2f9836eu ^ (0xecbd9647u & m1) ^ (0xb26342f8u & m2) ^ (0x09138a11u & m3) ^
            (0x2e564859u & m4);
    VU t3 = 0x4e441529u ^ (0xb26342f8u & m1) ^ (0x09138a11u & m2) ^ (0x2e564859u & m3) ^
            (0xe72105d8u & m4);
    VU b0 = (t0 << sh) | ((t1 >> 1) >> (31u - sh));
    VU b1 = (t1 << sh) | ((t2 >> 1) >> (31u - sh));
    VU b2 = (t2 << sh) | ((t3 >> 1) >> (31u - sh));
    // The upper 64 of the low 96 bits of m * (b0, b1, b2).
    VU mid = m * b1 + weir_mulhi(m, b2);
    VU high = m * b0 + weir_mulhi(m, b1) + (mid < m * b1 ? KU(1) : KU(0));
    VU q = (high + 0x20000000u) >> 30;
    VI part = U_TO_I(high - (q << 30));
    // Three exact pieces of the fraction: 24, 24 and 16 bits.
    VF f0 = TO_F(part >> 8) * 0x1p-22f;
    VF f1 = TO_F(U_TO_I((I_TO_U(part & 255) << 16) | (mid >> 16))) * 0x1p-46f;
    VF f2 = TO_F(U_TO_I(mid & 0xffffu)) * 0x1p-62f;
    VF s = f0 + f1, d = s - f0;
    VF l = ((f0 - (s - d)) + (f1 - d)) + f2;
    VF f = s + l;
    // Below 1/2 the angle is x (2 / pi) in two floats.
    VI small = x < 0.5f;
    VF g = x * 0x1.45f306p-1f;
    VF gl = WEIR_FMA(x, KF(0x1.45f306p-1f), -g) + x * 0x1.b9391p-26f;
    *quadrant = small ? KU(0) : q;
    *fl = small ? gl : (s - f) + l;
    return small ? g : f;
}

WEIR_FN VF VN(sin_f)(VF x)
{
    VF a = VN(abs_f)(x), fl;
    VI tiny = a < 0x1p-12f, ok = VN(is_finite_f)(x);
    VU q;
    VF f = VN(angle_reduce)((ok & (tiny == 0)) ? a : KF(1.0f), &fl, &q);
    VF y = VN(sin_quadrant)(f, fl, q);
    y = AS_F(AS_U(y) ^ (AS_U(x) & 0x80000000u));
    y = tiny ? x : y;
    return ok ? y : VN(nan_f)();
}

WEIR_FN VF VN(cos_f)(VF x)
{
    VF a = VN(abs_f)(x), fl;
    VI tiny = a < 0x1p-12f, ok = VN(is_finite_f)(x);
    VU q;
    VF f = VN(angle_reduce)((ok & (tiny == 0)) ? a : KF(1.0f), &fl, &q);
    VF y = VN(sin_quadrant)(f, fl, q + 1u);
    y = tiny ? KF(1.0f) : y;
    return ok ? y : VN(nan_f)();
}

// atan(q) for 0 <= q <= 1.
WEIR_FN VF VN(atan_unit)(VF q)
{
    VF t = q * q;
    VF p = WEIR_FMA(KF(-0x1.17d94cp-11f), t, KF(0x1.098d10p-8f));
    p = WEIR_FMA(p, t, KF(-0x1.d475b2p-7f));
    p = WEIR_FMA(p, t, KF(0x1.054716p-5f));
    p = WEIR_FMA(p, t, KF(-0x1.adc476p-5f));
    p = WEIR_FMA(p, t, KF(0x1.2513e8p-4f));
    p = WEIR_FMA(p, t, KF(-0x1.6eaa9cp-4f));
    p = WEIR_FMA(p, t, KF(0x1.c6286ap-4f));
    p = WEIR_FMA(p, t, KF(-0x1.24863ap-3f));
    p = WEIR_FMA(p, t, KF(0x1.999900p-3f));
    p = WEIR_FMA(p, t, KF(-0x1.555554p-2f));
    return WEIR_FMA(q * t, p, q);
}

WEIR_FN VF VN(atan2_f)(VF y, VF x)
{
    VF ax = VN(abs_f)(x), ay = VN(abs_f)(y);
    VI steep = ay > ax;
    VF num = steep ? ax : ay, den = steep ? ay : ax;
    VI same = (num == den);
    VF q = WEIR_DIV(num, (same | (den == 0.0f)) ? KF(1.0f) : den);
    q = same ? KF(1.0f) : q;
    q = den == 0.0f ? KF(0.0f) : q;
    VF r = q == 1.0f ? KF(0x1.921fb6p-1f) : VN(atan_unit)(q);
    // pi/2 - r, pi/2 + r or pi - r, with pi/2 in two floats.
    VI left = AS_I(x) < 0;
    VF from = steep ? KF(0x1.921fb6p+0f) : KF(0x1.921fb6p+1f);
    VF less = steep ? KF(0x1.777a5cp-25f) : KF(0x1.777a5cp-24f);
    VF turned = from + (((steep & left) != 0 ? r : -r) - less);
    r = (steep | left) != 0 ? turned : r;
    r = VN(copysign_f)(r, y);
    return ((x != x) | (y != y)) ? VN(nan_f)() : r;
}
