// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): igamma, the regularised lower incomplete gamma function P(a, x).

// x^a e^-x / gamma(a + 1) for 0 < a < 33 and x > 0.
WEIR_FN VF VN(igamma_factor)(VF a, VF x)
{
    VI large = a >= 1.0f;
    VF b = large ? a : KF(1.0f);
    VF xl, al;
    VF xh = VN(log_parts)(x, &xl), ah = VN(log_parts)(b, &al);
    // e^-a phi with a phi = u - a log(x / b), u = x - a; below 1, e^(a log x - u) with
    // u = x + lgamma(1 + a).
    VF d = xh - ah, e = d - xh;
    VF dl = ((xh - (d - e)) - (ah + e)) + (xl - al);
    VF v = large ? -a : VN(lgamma_positive)(1.0f + (large ? KF(0.0f) : a));
    VF u = x + v, w = u - x;
    VF ul = (x - (u - w)) + (v - w);
    VF p = a * d, pl = WEIR_FMA(a, d, -p) + a * dl;
    VF t = p - u, r = t - p;
    VF tl = ((p - (t - r)) - (u + r)) + (pl - ul);
    VF y = VN(exp_two)(t, tl);
    // 1 / gamma*(a), gamma* = gamma(a) (e / a)^a sqrt(a / 2 pi), as a polynomial in 1 / a.
    VF z = WEIR_DIV(KF(1.0f), b);
    VF g = WEIR_FMA(KF(-0x1.1b8dd2p-13f), z, KF(0x1.3f8afap-11f));
    g = WEIR_FMA(g, z, KF(-0x1.e827a6p-11f));
    g = WEIR_FMA(g, z, KF(-0x1.f0022ap-13f));
    g = WEIR_FMA(g, z, KF(0x1.610bf2p-9f));
    g = WEIR_FMA(g, z, KF(0x1.c6d2bap-9f));
    g = WEIR_FMA(g, z, KF(-0x1.555538p-4f));
    g = WEIR_FMA(g, z, KF(1.0f));
    VF scale = g * 0x1.988454p-2f * WEIR_SQRT(z);
    return large ? y * scale : y;
}

// Series below the turning point, continued fraction above; a < 32.
WEIR_FN VF VN(igamma_small)(VF a, VF x)
{
    VF f = VN(igamma_factor)(a, x);
    VI low = (x < a + 1.0f) | (x < 2.0f);
    VF sx = low ? x : KF(0.0f);
    VF term = KF(1.0f), sum = KF(1.0f), n = KF(1.0f);
    for (int i = 0; i < 42; i++) {
        term = WEIR_DIV(term * sx, a + n);
        sum += term;
        n += 1.0f;
    }
    VF cx = low ? a + 2.0f : x;
    n = KF(20.0f);
    VF c = cx - a + 41.0f;
    for (int i = 0; i < 20; i++) {
        c = (cx - a + (2.0f * n - 1.0f)) - WEIR_DIV(n * (n - a), c);
        n -= 1.0f;
    }
    VF high = 1.0f - WEIR_DIV(f * a, c);
    VF y = low ? f * sum : high;
    return y > 1.0f ? KF(1.0f) : y;
}

// Temme's uniform expansion: erfc(-eta sqrt(a / 2)) / 2 - e^(-a eta^2 / 2) S(eta, a) / sqrt(2 pi a)
// with eta^2 / 2 = m - log(1 + m), m = x / a - 1; a >= 32.
WEIR_FN VF VN(igamma_large)(VF a, VF x)
{
    // Outside [.3, 2.5] the result is 0 or 1.
    VF h = WEIR_DIV(x, a);
    VI far = (h < 0.3f) | (h > 2.5f);
    h = h < 0.3f ? KF(0.3f) : (h > 2.5f ? KF(2.5f) : h);
    VF hl = far ? KF(0.0f) : WEIR_DIV(WEIR_FMA(-h, a, x), a);
    VF ll;
    VF l = VN(log_parts)(h, &ll);
    VF m = h - 1.0f;
    VF phi = (m - l) + (hl - (ll + WEIR_DIV(hl, h)));
    // Near 0 the series, free of cancellation.
    VF d = far ? m : WEIR_DIV(x - a, a);
    VF q = WEIR_FMA(WEIR_FMA(WEIR_FMA(KF(0x1.99999ap-3f), -d, KF(0.25f)), -d, KF(0x1.555556p-2f)),
                    -d, KF(0.5f));
    phi = VN(abs_f)(d) < 0x1p-6f ? d * d * q : phi;
    phi = phi > 0.0f ? phi : KF(0.0f);
    VF eta = VN(copysign_f)(WEIR_SQRT(2.0f * phi), d);
    VF s = WEIR_FMA(KF(0x1.20446ap-15f), eta, KF(-0x1.7b01c6p-13f));
    s = WEIR_FMA(s, eta, KF(0x1.7593d2p-12f));
    s = WEIR_FMA(s, eta, KF(0x1.2f95eep-10f));
    s = WEIR_FMA(s, eta, KF(-0x1.e57a3ep-7f));
    s = WEIR_FMA(s, eta, KF(0x1.555544p-4f));
    s = WEIR_FMA(s, eta, KF(-0x1.555554p-2f));
    VF z = WEIR_DIV(KF(1.0f), a);
    // The 1 / a and 1 / a^2 terms: -1/540 - eta/288 + eta^2/378 - ..., 25/6048.
    VF s1 = WEIR_FMA(KF(-9.9022634e-4f), eta, KF(2.6455026e-3f));
    s1 = WEIR_FMA(s1, eta, KF(-3.4722222e-3f));
    s1 = WEIR_FMA(s1, eta, KF(-1.8518519e-3f));
    s = WEIR_FMA(WEIR_FMA(KF(4.1335979e-3f), z, s1), z, s);
    s *= far ? KF(0.0f) : KF(1.0f);
    VF g = 0x1.988454p-2f * WEIR_SQRT(z) * VN(exp_f)(-(a * phi)) * s;
    VF y = (0.5f + 0.5f * VN(erf_f)(VN(copysign_f)(far ? KF(4.0f) : WEIR_SQRT(a * phi), d))) - g;
    return y < 0.0f ? KF(0.0f) : (y > 1.0f ? KF(1.0f) : y);
}

// NaN for a < 0, x < 0, a = x = 0 and a = x = inf.
WEIR_FN VF VN(igamma_f)(VF a, VF x)
{
    VF inf = VN(inf_f)();
    VI plain = (a > 0.0f) & (a < inf) & (x > 0.0f) & (x < inf);
    VI large = plain & (a >= 32.0f), small = plain & (a < 32.0f);
    VF y = VN(igamma_small)(small ? a : KF(1.0f), small ? x : KF(1.0f));
    VF z = VN(igamma_large)(large ? a : KF(32.0f), large ? x : KF(32.0f));
    VF r = large ? z : y;
    r = ((x == 0.0f) | (a == inf)) ? KF(0.0f) : (plain ? r : KF(1.0f));
    VI bad = ((a >= 0.0f) & (x >= 0.0f)) == 0;
    return (bad | ((a == x) & ((a == 0.0f) | (a == inf)))) ? VN(nan_f)() : r;
}
