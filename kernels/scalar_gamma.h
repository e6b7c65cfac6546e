// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): pow, and the functions around gamma and Bessel: lgamma, digamma,
// igamma, i0e.

// log x = hi + lo, relative error about 2^-36, for x > 0 and finite.
WEIR_FN VF VN(log_parts)(VF x, VF *lo)
{
    VI tiny = x < 0x1p-126f;
    VI n;
    VF f = VN(log_split)(tiny ? x * 0x1p25f : x, &n);
    n -= tiny ? KI(25) : KI(0);
    // s + sl = f / (2 + f); log(1 + f) = 2 atanh(s).
    VF d = 2.0f + f, dl = f - (d - 2.0f);
    VF rc = WEIR_DIV(KF(1.0f), d);
    VF s = f * rc;
    VF sl = WEIR_FMA(-s, dl, WEIR_FMA(-s, d, f)) * rc;
    VF t = s * s, tl = WEIR_FMA(s, s, -t) + 2.0f * s * sl;
    // c + cl = 1/3 + t / 5 + ..., then w + wl = s t (c + cl).
    VF p = WEIR_FMA(KF(0x1.9086f0p-4f), t, KF(0x1.c63d9cp-4f));
    p = WEIR_FMA(p, t, KF(0x1.2493b6p-3f));
    p = t * WEIR_FMA(p, t, KF(0x1.999998p-3f));
    VF c = 0x1.555556p-2f + p, cl = ((0x1.555556p-2f - c) + p) - 0x1.555556p-27f;
    VF v = t * c, vl = WEIR_FMA(t, c, -v) + WEIR_FMA(t, cl, tl * c);
    VF w = s * v, wl = WEIR_FMA(s, v, -w) + WEIR_FMA(s, vl, sl * v);
    VF m = s + w, ml = ((s - m) + w) + (wl + sl);
    VF e = TO_F(n), base = e * WEIR_LN2_HI, m2 = 2.0f * m;
    VF h = base + m2, l = ((base - h) + m2) + WEIR_FMA(e, KF(WEIR_LN2_LO), 2.0f * ml);
    VF hi = h + l;
    *lo = (h - hi) + l;
    return hi;
}

// e^(x + xl), one rounding at the end; saturates.
WEIR_FN VF VN(exp_two)(VF x, VF xl)
{
    VI high = x > 100.0f, low = x < -110.0f;
    VF a = high ? KF(100.0f) : (low ? KF(-110.0f) : x);
    VF lo;
    VI k;
    VF hi = VN(exp_parts)(a, high | low ? KF(0.0f) : xl, &lo, &k);
    return VN(scale_f)(hi + lo, k);
}

WEIR_FN VF VN(pow_f)(VF x, VF y)
{
    VF a = VN(abs_f)(x), inf = VN(inf_f)();
    VI normal = (a > 0.0f) & (a < inf);
    VF ll;
    VF l = VN(log_parts)(normal ? a : KF(1.0f), &ll);
    // |y| is held below 2^60: the result has long saturated, unless x is 1.
    VF b = VN(abs_f)(y) < 0x1p60f ? y : VN(copysign_f)(KF(0x1p60f), y);
    VF p = b * l;
    VF r = VN(exp_two)(p, WEIR_FMA(b, l, -p) + b * ll);
    VI negative = AS_I(x) < 0, integer = weir_hw_rint(y) == y;
    VF y2 = 0.5f * y;
    VI odd = integer & (weir_hw_rint(y2) != y2);
    r = a == 0.0f ? (y < 0.0f ? inf : KF(0.0f)) : r;
    r = a == inf ? (y < 0.0f ? KF(0.0f) : inf) : r;
    r = (negative & odd) ? -r : r;
    r = ((x < 0.0f) & (a < inf) & (integer == 0)) ? VN(nan_f)() : r;
    r = ((x != x) | (y != y)) ? VN(nan_f)() : r;
    r = ((a == 1.0f) & (VN(abs_f)(y) == inf)) ? KF(1.0f) : r;
    return ((x == 1.0f) | (y == 0.0f)) ? KF(1.0f) : r;
}

// lgamma(1 + y) for |y| <= 1/2.
WEIR_FN VF VN(lgamma_near1)(VF y)
{
    VF p = WEIR_FMA(KF(0x1.945cc2p-3f), y, KF(-0x1.c397a6p-3f));
    p = WEIR_FMA(p, y, KF(0x1.9cd46cp-6f));
    p = WEIR_FMA(p, y, KF(-0x1.3698fap-6f));
    p = WEIR_FMA(p, y, KF(0x1.c8b5eap-4f));
    p = WEIR_FMA(p, y, KF(-0x1.05062cp-3f));
    p = WEIR_FMA(p, y, KF(0x1.fe0db0p-4f));
    p = WEIR_FMA(p, y, KF(-0x1.23602ap-3f));
    p = WEIR_FMA(p, y, KF(0x1.5b4f58p-3f));
    p = WEIR_FMA(p, y, KF(-0x1.a8e9c4p-3f));
    p = WEIR_FMA(p, y, KF(0x1.151334p-2f));
    p = WEIR_FMA(p, y, KF(-0x1.9a4cdep-2f));
    p = WEIR_FMA(p, y, KF(0x1.a51a66p-1f));
    // The last step, p y - 0.577..., in two floats.
    VF h = p * y, l = WEIR_FMA(p, y, -h);
    VF s = h - 0x1.2788dp-1f, d = s - h;
    l += (h - (s - d)) - (0x1.2788dp-1f + d) + 0x1.c824f4p-28f;
    return WEIR_FMA(s, y, l * y);
}

// lgamma(2 + y) for -.6 <= y <= 1.
WEIR_FN VF VN(lgamma_near2)(VF y)
{
    VF p = WEIR_FMA(KF(-0x1.09c968p-15f), y, KF(0x1.147b94p-13f));
    p = WEIR_FMA(p, y, KF(-0x1.14d06ap-12f));
    p = WEIR_FMA(p, y, KF(0x1.056f7ep-11f));
    p = WEIR_FMA(p, y, KF(-0x1.3211c4p-10f));
    p = WEIR_FMA(p, y, KF(0x1.7aea40p-9f));
    p = WEIR_FMA(p, y, KF(-0x1.e46834p-8f));
    p = WEIR_FMA(p, y, KF(0x1.5132d4p-6f));
    p = WEIR_FMA(p, y, KF(-0x1.13df7ep-4f));
    p = WEIR_FMA(p, y, KF(0x1.4a34ccp-2f));
    VF h = p * y, l = WEIR_FMA(p, y, -h);
    VF s = h + 0x1.b0ee6p-2f, d = s - h;
    l += (h - (s - d)) + (0x1.b0ee6p-2f - d) + 0x1.c824f4p-28f;
    return WEIR_FMA(s, y, l * y);
}

// lgamma for x > 0: polynomials to 3, then Stirling's series.
WEIR_FN VF VN(lgamma_positive)(VF x)
{
    // Below 1/2: lgamma(1 + x) - log x.
    VI less = x < 0.5f, one = x < 1.41f, two = x < 3.0f;
    VF y1 = less ? x : x - 1.0f;
    VF near1 = VN(lgamma_near1)(one ? y1 : KF(0.0f));
    VF near2 = VN(lgamma_near2)((two & (one == 0)) ? x - 2.0f : KF(0.0f));
    VF big = (two | (x == VN(inf_f)())) ? KF(3.0f) : x;
    VF ll;
    VF l = VN(log_parts)((less & (x > 0.0f)) ? x : big, &ll);
    VF small = near1 - l;
    // (x - 1/2) (log x - 1) + (log(2 pi) - 1) / 2 + S(1/x^2) / x
    VF z = WEIR_DIV(KF(1.0f), big), zz = z * z;
    VF s = WEIR_FMA(KF(-0x1.b8ad26p-12f), zz, KF(0x1.981572p-11f));
    s = WEIR_FMA(s, zz, KF(-0x1.6c0520p-9f));
    s = WEIR_FMA(s, zz, KF(0x1.555554p-4f));
    VF m = l - 1.0f, ml = ((l - m) - 1.0f) + ll;
    VF b = big - 0.5f;
    VF p = b * m, pl = WEIR_FMA(b, m, -p) + b * ml;
    VF stirling = p + (WEIR_FMA(s, z, KF(0x1.acfe3ap-2f)) + pl);
    stirling = p == VN(inf_f)() ? p : stirling;
    VF y = one ? near1 : (two ? near2 : stirling);
    y = less ? small : y;
    return x == VN(inf_f)() ? x : y;
}

// sin(pi (x + more / 2)) for finite x; exactly 0 where it is.
WEIR_FN VF VN(sin_pi)(VF x, VU more)
{
    VF turns = 2.0f * (VN(abs_f)(x) < 0x1p23f ? x : KF(0.0f));
    VF q = weir_hw_rint(turns);
    return VN(sin_quadrant)(turns - q, KF(0.0f), I_TO_U(TO_I(q)) + more);
}

// At negative x: log(pi / |x sin(pi x)|) - lgamma(-x); the absolute error grows with lgamma(-x).
WEIR_FN VF VN(lgamma_f)(VF x)
{
    VF a = VN(abs_f)(x);
    VI finite = VN(is_finite_f)(x);
    VI reflect = x < -0.5f;
    VF pos = VN(lgamma_positive)(finite ? a : KF(1.0f));
    // From -1/2 to 0: lgamma(1 + x) - log |x|.
    VI near0 = a <= 0.5f;
    VF y0 = VN(lgamma_near1)(near0 ? x : KF(0.0f)) - VN(log_f)(a);
    VF s = VN(abs_f)(VN(sin_pi)((reflect & finite) ? x : KF(0.5f), KU(0)));
    VF r = (0x1.250d04p+0f - VN(log_f)(a * s)) - pos;
    r = s == 0.0f ? VN(inf_f)() : r;
    VF y = reflect ? r : (near0 ? y0 : pos);
    y = x == 0.0f ? VN(inf_f)() : y;
    return finite ? y : (x != x ? VN(nan_f)() : VN(inf_f)());
}

// digamma for x >= 1: about its root 1.4616..., or by the asymptotic series from 3 on.
WEIR_FN VF VN(digamma_from1)(VF x)
{
    VI near = x < 3.0f;
    VF y = (near ? x : KF(2.0f)) - 2.0f;
    VF p = WEIR_FMA(KF(-0x1.c0687ep-14f), y, KF(0x1.ac3a60p-13f));
    p = WEIR_FMA(p, y, KF(-0x1.1b18b8p-14f));
    p = WEIR_FMA(p, y, KF(0x1.599240p-13f));
    p = WEIR_FMA(p, y, KF(-0x1.857ea8p-11f));
    p = WEIR_FMA(p, y, KF(0x1.7f1a0ap-10f));
    p = WEIR_FMA(p, y, KF(-0x1.6461ecp-9f));
    p = WEIR_FMA(p, y, KF(0x1.6a3118p-8f));
    p = WEIR_FMA(p, y, KF(-0x1.739b2ap-7f));
    p = WEIR_FMA(p, y, KF(0x1.802e24p-6f));
    p = WEIR_FMA(p, y, KF(-0x1.95ec48p-5f));
    p = WEIR_FMA(p, y, KF(0x1.be76fep-4f));
    p = WEIR_FMA(p, y, KF(-0x1.0aff26p-2f));
    p = WEIR_FMA(p, y, KF(0x1.9213d4p-1f));
    VF root = p * ((y + 0x1.13a4f4p-1f) - 0x1.ab5f2p-27f);
    VF b = near ? KF(3.0f) : x;
    VF z = WEIR_DIV(KF(1.0f), b), zz = z * z;
    VF s = WEIR_FMA(KF(0x1.cb9e56p-9f), zz, KF(-0x1.e8e9acp-9f));
    s = WEIR_FMA(s, zz, KF(0x1.027ea6p-8f));
    s = WEIR_FMA(s, zz, KF(-0x1.110c0ap-7f));
    s = WEIR_FMA(s, zz, KF(0x1.555554p-4f));
    VF series = VN(log_f)(b) - WEIR_FMA(zz, s, 0.5f * z);
    return near ? root : series;
}

// Poles at 0, -1, -2, ... give NaN, but digamma(+-0) = -+inf.
WEIR_FN VF VN(digamma_f)(VF x)
{
    VI finite = VN(is_finite_f)(x);
    VF a = finite ? x : KF(1.0f);
    // Below 1: psi(x) = psi(1 + x) - 1 / x. Below 0: psi(x) = psi(1 - x) - pi / tan(pi x).
    VI below = a < 0.0f, low = a < 1.0f;
    VF shifted = below ? 1.0f - a : (low ? 1.0f + a : a);
    VF y = VN(digamma_from1)(shifted);
    VF s = VN(sin_pi)(a, KU(0)), c = VN(sin_pi)(a, KU(1));
    VF cot = WEIR_DIV(0x1.921fb6p+1f * c, (below & (s != 0.0f)) ? s : KF(1.0f));
    VF inverse = WEIR_DIV(KF(1.0f), (low & (below == 0)) ? a : KF(1.0f));
    y = below ? y - cot : (low ? y - inverse : y);
    y = (below & (s == 0.0f)) ? VN(nan_f)() : y;
    return finite ? y : (x > 0.0f ? x : VN(nan_f)());
}

// I0(x) e^-|x|
WEIR_FN VF VN(i0e_f)(VF x)
{
    VF a = VN(abs_f)(x);
    VI near = a < 5.0f;
    // I0 = 1 + t P(t), t = (x / 2)^2: all terms are positive.
    VF y = near ? 0.5f * a : KF(0.0f), t = y * y;
    VF p = WEIR_FMA(KF(0x1.526c38p-45f), t, KF(0x1.398d46p-37f));
    p = WEIR_FMA(p, t, KF(0x1.4992dep-31f));
    p = WEIR_FMA(p, t, KF(0x1.52fa0ep-25f));
    p = WEIR_FMA(p, t, KF(0x1.02dd66p-19f));
    p = WEIR_FMA(p, t, KF(0x1.23460cp-14f));
    p = WEIR_FMA(p, t, KF(0x1.c71c68p-10f));
    p = WEIR_FMA(p, t, KF(0x1.c71c72p-6f));
    p = WEIR_FMA(p, t, KF(0.25f));
    p = WEIR_FMA(p, t, KF(1.0f));
    p = WEIR_FMA(p, t, KF(1.0f));
    VF lo;
    VI k;
    VF hi = VN(exp_parts)(-(near ? a : KF(0.0f)), KF(0.0f), &lo, &k);
    p = VN(scale_f)(WEIR_FMA(p, hi, p * lo), k);
    // From 5 on: P(1/x) / sqrt(x)
    VF b = near ? KF(5.0f) : a;
    VF z = WEIR_DIV(KF(1.0f), b);
    VF r = WEIR_FMA(KF(-0x1.a76fe0p+4f), z, KF(0x1.09b468p+4f));
    r = WEIR_FMA(r, z, KF(-0x1.c4b71ap+1f));
    r = WEIR_FMA(r, z, KF(0x1.bd619cp-2f));
    r = WEIR_FMA(r, z, KF(0x1.fe0a36p-8f));
    r = WEIR_FMA(r, z, KF(0x1.d4d29ep-6f));
    r = WEIR_FMA(r, z, KF(0x1.987854p-5f));
    r = WEIR_FMA(r, z, KF(0x1.988454p-2f));
    VF far = WEIR_DIV(r, WEIR_SQRT(b));
    return near ? p : far;
}
