// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): exp, log and what is made of them.
//
// Polynomials are minimax fits with coefficients rounded to float one by one. "hi, lo" is a number
// in two floats. ln 2 = LN2_HI + LN2_LO, where LN2_HI has 15 bits: its product with an exponent is
// exact.
#define WEIR_LN2_HI 0x1.62e4p-1f
#define WEIR_LN2_LO 0x1.7f7d1cp-20f
#define WEIR_LOG2E 0x1.715476p+0f

// x = k ln 2 + hi + lo, |hi| < .3475, for |x| < 128; a NaN gives NaN and any k.
WEIR_FN VF VN(exp_split)(VF x, VI *k, VF *lo)
{
    // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
    VF t = WEIR_FMA(x, KF(WEIR_LOG2E), KF(0x1.8p23f));
    VF n = t - 0x1.8p23f;
    *k = AS_I(t) - 0x4b400000;
    VF r = WEIR_FMA(n, KF(-WEIR_LN2_HI), x);
    VF hi = WEIR_FMA(n, KF(-WEIR_LN2_LO), r);
    *lo = WEIR_FMA(n, KF(-WEIR_LN2_LO), r - hi);
    return hi;
}

// The same; a NaN gives k = 0.
WEIR_FN VF VN(exp_reduce)(VF x, VI *k, VF *lo)
{
    VF hi = VN(exp_split)(x, k, lo);
    *k = x != x ? KI(0) : *k;
    return hi;
}

// (e^r - 1 - r) / r^2
WEIR_FN VF VN(exp_tail)(VF r)
{
    VF p = WEIR_FMA(KF(0x1.a23eccp-13f), r, KF(0x1.6d4d1ep-10f));
    p = WEIR_FMA(p, r, KF(0x1.111006p-7f));
    p = WEIR_FMA(p, r, KF(0x1.5554e8p-5f));
    p = WEIR_FMA(p, r, KF(0x1.555556p-3f));
    return WEIR_FMA(p, r, KF(0.5f));
}

// 1 + r + tail, in two floats.
WEIR_FN VF VN(exp_sum)(VF r, VF tail, VF *lo)
{
    VF s = r + tail, sl = (r - s) + tail;
    VF hi = 1.0f + s;
    *lo = ((1.0f - hi) + s) + sl;
    return hi;
}

// e^x = (hi + lo) 2^k with hi in [.7, 1.42), relative error about 2^-28. |x| < 128; a NaN gives NaN
// and any k.
WEIR_FN VF VN(exp_pair)(VF x, VF *lo, VI *k)
{
    VF rl;
    VF r = VN(exp_split)(x, k, &rl);
    return VN(exp_sum)(r, WEIR_FMA(r * r, VN(exp_tail)(r), rl), lo);
}

// e^(x + xl) = (hi + lo) 2^k with hi in [.7, 1.42), relative error about 2^-28. |x| < 128.
WEIR_FN VF VN(exp_parts)(VF x, VF xl, VF *lo, VI *k)
{
    VF rl;
    VF r0 = VN(exp_reduce)(x, k, &rl);
    VF r = r0 + xl;
    VF tail = WEIR_FMA(r * r, VN(exp_tail)(r), ((r0 - r) + xl) + rl);
    return VN(exp_sum)(r, tail, lo);
}

WEIR_FN VF VN(exp_f)(VF x)
{
    VF a = x > 89.0f ? KF(89.0f) : x;
    a = a < -105.0f ? KF(-105.0f) : a;
    VI k;
    VF rl;
    VF r = VN(exp_reduce)(a, &k, &rl);
    VF p = 1.0f + (r + WEIR_FMA(r * r, VN(exp_tail)(r), rl));
    return VN(scale_f)(p, k);
}

WEIR_FN VF VN(expm1_f)(VF x)
{
    VF a = x > 89.0f ? KF(89.0f) : x;
    a = a < -20.0f ? KF(-20.0f) : a;
    VI k;
    VF rl;
    VF r = VN(exp_reduce)(a, &k, &rl);
    VF tail = WEIR_FMA(r * r, VN(exp_tail)(r), rl);
    // e^r - 1 = p + pl; the result is 2 (h p + (h - 1/2)) with h = 2^(k-1), which cannot overflow
    // early.
    VF p = r + tail, pl = (r - p) + tail;
    VF h = VN(pow2_i)(k - 1);
    VF u = h - 0.5f, v = h * p;
    VF s = u + v, w = s - u;
    VF l = (u - (s - w)) + (v - w) + ((h - u) - 0.5f);
    VF y = (s + WEIR_FMA(h, pl, l)) * 2.0f;
    return VN(abs_f)(x) < 0x1p-25f ? x : y;
}

// log(2^n (1 + f)) + c for 1 + f in [sqrt(1/2), sqrt(2)) and a small correction c.
WEIR_FN VF VN(log_core)(VF n, VF f, VF c)
{
    VF p = WEIR_FMA(KF(0x1.1b5baep-4f), f, KF(-0x1.e2ffe4p-4f));
    p = WEIR_FMA(p, f, KF(0x1.e65246p-4f));
    p = WEIR_FMA(p, f, KF(-0x1.fb4092p-4f));
    p = WEIR_FMA(p, f, KF(0x1.233290p-3f));
    p = WEIR_FMA(p, f, KF(-0x1.5562ecp-3f));
    p = WEIR_FMA(p, f, KF(0x1.99a546p-3f));
    p = WEIR_FMA(p, f, KF(-0x1.ffffeep-3f));
    p = WEIR_FMA(p, f, KF(0x1.555546p-2f));
    // n ln 2 + f - f^2 / 2 + f^3 p, the first three terms in two floats.
    VF g = 0.5f * f;
    VF h = g * f, hl = WEIR_FMA(g, f, -h);
    VF low = WEIR_FMA(f * f * f, p, WEIR_FMA(n, KF(WEIR_LN2_LO), c) - hl);
    VF base = n * WEIR_LN2_HI;
    VF s = base + f, sl = (base - s) + f;
    VF t = s - h, tl = (s - t) - h;
    return t + (low + (sl + tl));
}

// u = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); u is positive and normal.
WEIR_FN VF VN(log_split)(VF u, VI *n)
{
    VI i = U_TO_I(AS_U(u) - 0x3f3504f3u);
    *n = i >> 23;
    return AS_F((i & 0x007fffff) + 0x3f3504f3) - 1.0f;
}

// log of 0 is -inf, of a negative number NaN, of inf inf; y otherwise.
WEIR_FN VF VN(log_edges)(VF u, VF y)
{
    y = u == VN(inf_f)() ? u : y;
    y = u == 0.0f ? -VN(inf_f)() : y;
    return u >= 0.0f ? y : VN(nan_f)();
}

WEIR_FN VF VN(log_f)(VF x)
{
    VI small = x < 0x1p-126f;
    VF u = small ? x * 0x1p25f : x;
    VI n;
    VF f = VN(log_split)(u, &n);
    n -= small ? KI(25) : KI(0);
    return VN(log_edges)(x, VN(log_core)(TO_F(n), f, KF(0.0f)));
}

WEIR_FN VF VN(log1p_f)(VF x)
{
    // 1 + x = u + c exactly.
    VF u = 1.0f + x, d = u - 1.0f;
    VF c = (1.0f - (u - d)) + (x - d);
    VI n;
    VF f = VN(log_split)(u, &n);
    VF cl = c * VN(pow2_i)(n < 100 ? -n : KI(-100));
    VF g = f + cl, gl = (f - g) + cl;
    VF fix = gl * WEIR_FMA(g, g - 1.0f, KF(1.0f));
    VF y = VN(log_edges)(u, VN(log_core)(TO_F(n), g, fix));
    return VN(abs_f)(x) < 0x1p-25f ? x : y;
}

WEIR_FN VF VN(sigmoid_f)(VF x)
{
    // With e = e^-|x|: 1 / (1 + e), or e / (1 + e) for negative x. Of powers of two below 2^-60 the
    // rest goes last, so that a subnormal result is rounded once.
    VF a = VN(abs_f)(x);
    a = a > 105.0f ? KF(105.0f) : a;
    VI k;
    VF pl;
    VF p = VN(exp_pair)(-a, &pl, &k);
    VI near = k < -60 ? KI(-60) : k;
    VF s = VN(pow2_i)(near);
    VF e = p * s, el = pl * s;
    VF d = 1.0f + e, dl = ((1.0f - d) + e) + el;
    VF r = WEIR_DIV(KF(1.0f), d);
    VI neg = x < 0.0f;
    VF num = neg ? e : KF(1.0f), numl = neg ? el : KF(0.0f);
    VF q = num * r;
    VF rem = WEIR_FMA(-q, d, num) + WEIR_FMA(-q, dl, numl);
    return WEIR_FMA(rem, r, q) * VN(pow2_i)(neg ? k - near : KI(0));
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
WEIR_FN VF VN(softplus_f)(VF x)
{
    VF y = VN(log1p_f)(VN(exp_f)(-VN(abs_f)(x)));
    return x > 0.0f ? x + y : y;
}

WEIR_FN VF VN(tanh_f)(VF x)
{
    VF a = VN(abs_f)(x);
    // Below .625: a + a^3 P(a^2).
    VF t = a * a;
    VF q = WEIR_FMA(KF(0x1.1ace3ep-9f), t, KF(-0x1.0c895ep-7f));
    q = WEIR_FMA(q, t, KF(0x1.63ad18p-6f));
    q = WEIR_FMA(q, t, KF(-0x1.b9f220p-5f));
    q = WEIR_FMA(q, t, KF(0x1.11107cp-3f));
    q = WEIR_FMA(q, t, KF(-0x1.555554p-2f));
    VF small = WEIR_FMA(a * t, q, a);
    // Above: 1 - 2 / (e^2a + 1), the quotient in two floats.
    VF b = a > 10.0f ? KF(10.0f) : a;
    VI k;
    VF pl;
    VF p = VN(exp_pair)(2.0f * b, &pl, &k);
    VF s = VN(pow2_i)(k);
    VF e = p * s, d = e + 1.0f;
    VF dl = ((e - d) + 1.0f) + pl * s;
    VF r = WEIR_DIV(KF(2.0f), d);
    VF rem = WEIR_FMA(-r, dl, WEIR_FMA(-r, d, KF(2.0f)));
    VF h = 1.0f - r;
    VF big = h + (((1.0f - h) - r) - rem * (0.5f * r));
    return VN(copysign_f)(a < 0.625f ? small : big, x);
}
