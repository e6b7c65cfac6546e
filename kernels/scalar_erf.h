// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): erf and its inverse.

WEIR_FN VF VN(erf_f)(VF x)
{
    VF a = VN(abs_f)(x);
    // Below 7/8: a + a P(a^2).
    VF t = a * a;
    VF p = WEIR_FMA(KF(0x1.4c344ep-14f), t, KF(-0x1.a50b0ep-11f));
    p = WEIR_FMA(p, t, KF(0x1.542e10p-8f));
    p = WEIR_FMA(p, t, KF(-0x1.b7fe90p-6f));
    p = WEIR_FMA(p, t, KF(0x1.ce2d50p-4f));
    p = WEIR_FMA(p, t, KF(-0x1.812740p-2f));
    p = WEIR_FMA(p, t, KF(0x1.06eba8p-3f));
    VF small = WEIR_FMA(a, p, a);
    // Above: 1 - e^-Q(a); from 4 on the result is 1.
    VF b = a > 4.0f ? KF(4.0f) : a;
    VF q = WEIR_FMA(KF(-0x1.68ad3ep-20f), b, KF(0x1.6a6050p-16f));
    q = WEIR_FMA(q, b, KF(-0x1.0f7f6cp-13f));
    q = WEIR_FMA(q, b, KF(0x1.561148p-13f));
    q = WEIR_FMA(q, b, KF(0x1.5f8084p-9f));
    q = WEIR_FMA(q, b, KF(-0x1.73ee32p-6f));
    q = WEIR_FMA(q, b, KF(0x1.b10662p-4f));
    q = WEIR_FMA(q, b, KF(0x1.4525bap-1f));
    q = WEIR_FMA(q, b, KF(0x1.20fd4ep+0f));
    // The last step, q b - 6.7e-05, in two floats.
    VF h = q * b, l = WEIR_FMA(q, b, -h), el;
    VF s = h - 0x1.1875b6p-14f, sl = ((h - s) - 0x1.1875b6p-14f) + l;
    VI k;
    VF e = VN(exp_parts)(-s, -sl, &el, &k);
    VF big = 1.0f - VN(scale_f)(e + el, k);
    return VN(copysign_f)(a < 0.875f ? small : big, x);
}

// x P(w), w = -log(1 - x^2), in two pieces (Giles, GPU Computing Gems 2, 2011, with new fits).
WEIR_FN VF VN(erfinv_f)(VF x)
{
    VF a = VN(abs_f)(x);
    VF w = -VN(log_f)(WEIR_FMA(-a, a, KF(1.0f)));
    VI low = w < 5.0f;
    VF u = (low ? w : KF(2.5f)) - 2.5f;
    VF p = WEIR_FMA(KF(-0x1.1b901ap-27f), u, KF(0x1.e1bf10p-26f));
    p = WEIR_FMA(p, u, KF(0x1.ee1064p-22f));
    p = WEIR_FMA(p, u, KF(-0x1.d8bc1ap-19f));
    p = WEIR_FMA(p, u, KF(-0x1.4bcae2p-18f));
    p = WEIR_FMA(p, u, KF(0x1.ca617cp-13f));
    p = WEIR_FMA(p, u, KF(-0x1.4866fap-10f));
    p = WEIR_FMA(p, u, KF(-0x1.11c99ap-8f));
    p = WEIR_FMA(p, u, KF(0x1.f91e8ap-3f));
    p = WEIR_FMA(p, u, KF(0x1.805c5ep+0f));
    VI in = a < 1.0f;
    VF v = WEIR_SQRT((in & (low == 0)) ? w : KF(9.0f)) - 3.0f;
    VF r = WEIR_FMA(KF(0x1.12403ap-13f), v, KF(-0x1.4bfee0p-12f));
    r = WEIR_FMA(r, v, KF(-0x1.5ab54cp-14f));
    r = WEIR_FMA(r, v, KF(0x1.875e00p-10f));
    r = WEIR_FMA(r, v, KF(-0x1.d57184p-9f));
    r = WEIR_FMA(r, v, KF(0x1.748d24p-8f));
    r = WEIR_FMA(r, v, KF(-0x1.f4c518p-8f));
    r = WEIR_FMA(r, v, KF(0x1.358154p-7f));
    r = WEIR_FMA(r, v, KF(0x1.006dcap+0f));
    r = WEIR_FMA(r, v, KF(0x1.6a9efcp+1f));
    VF y = (low ? p : r) * x;
    y = a == 1.0f ? VN(copysign_f)(VN(inf_f)(), x) : y;
    return a <= 1.0f ? y : VN(nan_f)();
}
