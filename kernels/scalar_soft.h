// SPDX-License-Identifier: Apache-2.0
// Scalar only (scalar.h): division and square root in integers, for devices whose own are not
// correctly rounded. These are, for every input, subnormals included.

// The device's own, within 3 ulp on normal numbers. A test puts worse ones in their place.
#ifndef WEIR_ROUGH_DIV
#define WEIR_ROUGH_DIV(a, b) ((a) / (b))
#define WEIR_ROUGH_SQRT(x) weir_hw_sqrt(x)
#endif

// Leading zeros of x > 0. A builtin where there is one: chains of shifts in its place took Mesa's
// llvmpipe minutes to compile.
#ifdef WEIR_OPENCL
#define weir_clz(x) ((weir_i)clz(x))
#else
WEIR_FN weir_i weir_clz(weir_u x)
{
    weir_i n = 0;
    for (int step = 16; step; step >>= 1) {
        int low = x >> (32 - step) == 0;
        x = low ? x << step : x;
        n = low ? n + step : n;
    }
    return n;
}
#endif

// Rounds m * 2^e (m > 0, its last bit sticky) to nearest even, with sign bit s. e is at least
// -3000.
WEIR_FN weir_f weir_soft_pack(weir_u s, weir_i e, weir_u64 m)
{
    // Bring the top bit to 63.
    weir_u high = (weir_u)(m >> 32);
    weir_i zeros = high ? weir_clz(high) : 32 + weir_clz((weir_u)m);
    m <<= zeros;
    weir_i biased = e - zeros + 63 + 127;
    // A normal keeps 24 bits; a subnormal's last bit is 2^-149, so it keeps fewer.
    weir_i drop = biased >= 1 ? 40 : 41 - biased;
    drop = drop > 63 ? 63 : drop;
    weir_u64 tie = (weir_u64)1 << (drop - 1);
    weir_u64 kept = m >> drop, rest = m & (2 * tie - 1);
    // Below the least subnormal: more than half of it rounds up, the rest to 0.
    kept = biased < -22 ? 0 : kept;
    rest = biased < -22 ? (biased == -23 ? m : 0) : rest;
    tie = biased < -22 ? (weir_u64)1 << 63 : tie;
    kept += rest > tie || (rest == tie && (kept & 1));
    // A carry out of the fraction moves into the exponent field by itself.
    weir_u field = biased >= 1 ? (weir_u)(biased - 1) : 0u;
    weir_u bits = (field << 23) + (weir_u)kept;
    bits = biased > 254 || bits > 0x7f800000u ? 0x7f800000u : bits;
    return weir_as_f(s | bits);
}

// |x| = m * 2^e with 2^23 <= m < 2^24; x is finite and not 0.
WEIR_FN weir_u weir_soft_unpack(weir_f x, weir_i *e)
{
    weir_u a = weir_as_u(x) & 0x7fffffffu;
    weir_i biased = (weir_i)(a >> 23);
    weir_u m = biased ? (a & 0x7fffffu) | 0x800000u : a;
    biased = biased ? biased : 1;
    weir_i zeros = weir_clz(m) - 8;
    m <<= zeros;
    *e = biased - zeros - 150;
    return m;
}

// a / b. The device's quotient of the two fractions (within 3 ulp) gives 26 bits to within a few
// units; the exact remainder, small enough for 32 wrapped bits, puts that right.
WEIR_FN weir_f weir_soft_div_f(weir_f a, weir_f b)
{
    weir_u ua = weir_as_u(a) & 0x7fffffffu, ub = weir_as_u(b) & 0x7fffffffu;
    weir_u s = (weir_as_u(a) ^ weir_as_u(b)) & 0x80000000u;
    if (ua > 0x7f800000u || ub > 0x7f800000u || (ua == ub && (ua == 0u || ua == 0x7f800000u)))
        return weir_as_f(0x7fc00000u);
    if (ua == 0x7f800000u || ub == 0u)
        return weir_as_f(s | 0x7f800000u);
    if (ua == 0u || ub == 0x7f800000u)
        return weir_as_f(s);
    weir_i ea, eb;
    weir_u ma = weir_soft_unpack(a, &ea), mb = weir_soft_unpack(b, &eb);
    weir_u q = (weir_u)(WEIR_ROUGH_DIV((weir_f)ma, (weir_f)mb) * 0x1p26f);
    weir_i r = (weir_i)((ma << 26) - q * mb);
    weir_i fix = (weir_i)WEIR_ROUGH_DIV((weir_f)r, (weir_f)mb);
    q += (weir_u)fix;
    r -= fix * (weir_i)mb;
    q = r < 0 ? q - 1u : (r >= (weir_i)mb ? q + 1u : q);
    r = r < 0 ? r + (weir_i)mb : (r >= (weir_i)mb ? r - (weir_i)mb : r);
    return weir_soft_pack(s, ea - eb - 28, ((weir_u64)q << 2) | (r != 0));
}

WEIR_FN weir_f weir_soft_sqrt_f(weir_f x)
{
    weir_u u = weir_as_u(x);
    if (u > 0x7f800000u && u != 0x80000000u)
        return weir_as_f(0x7fc00000u);
    if (u == 0u || u == 0x80000000u || u == 0x7f800000u)
        return x;
    weir_i e;
    weir_u m = weir_soft_unpack(x, &e);
    m = (e & 1) ? m << 1 : m;
    e = (e & 1) ? e - 1 : e;
    // The root of m * 2^26, 25 or 26 bits, and its remainder.
    weir_u root = (weir_u)(WEIR_ROUGH_SQRT((weir_f)m) * 0x1p13f);
    weir_i r = (weir_i)((m << 26) - root * root);
    weir_i fix = (weir_i)WEIR_ROUGH_DIV((weir_f)r, 2.0f * (weir_f)root);
    r = (weir_i)((weir_u)r - (weir_u)fix * (2u * root + (weir_u)fix));
    root += (weir_u)fix;
    for (int i = 0; i < 2; i++) {
        int low = r<0, high = r>(weir_i)(2u * root);
        weir_i step = low ? 2 * (weir_i)root - 1 : -(2 * (weir_i)root + 1);
        r = low || high ? r + step : r;
        root = low ? root - 1u : (high ? root + 1u : root);
    }
    return weir_soft_pack(0u, e / 2 - 15, ((weir_u64)root << 2) | (r != 0));
}

#ifdef WEIR_OPENCL

// One lane at a time: only devices that fail the self-test come here.
#define WEIR_EACH16(f)                                                                             \
    (float16)(f(s0), f(s1), f(s2), f(s3), f(s4), f(s5), f(s6), f(s7), f(s8), f(s9), f(sa), f(sb),  \
              f(sc), f(sd), f(se), f(sf))

WEIR_FN float16 weir_soft_div_fv(float16 a, float16 b)
{
#define WEIR_LANE(n) weir_soft_div_f(a.n, b.n)
    return WEIR_EACH16(WEIR_LANE);
#undef WEIR_LANE
}

WEIR_FN float16 weir_soft_sqrt_fv(float16 x)
{
#define WEIR_LANE(n) weir_soft_sqrt_f(x.n)
    return WEIR_EACH16(WEIR_LANE);
#undef WEIR_LANE
}

#endif
