// SPDX-License-Identifier: Apache-2.0
// Numbers in two doubles ("dd": hi + lo, |lo| <= ulp(hi) / 2) carry every function to about 100
// bits where that is cheap, and to 60 or more otherwise, so that one rounding at the end decides.
#include "base/dmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

struct dd {
    double hi, lo;
};

static const struct dd LN2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
static const struct dd HALF_PI = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};
static const struct dd TWO_OVER_SQRT_PI = {0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56};

static uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof(u));
    return u;
}

static double from_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof(x));
    return x;
}

static double pow2(int k)
{
    return from_bits((uint64_t)(k + 1023) << 52);
}

// a + b for |a| >= |b|.
static struct dd fast_sum(double a, double b)
{
    double s = a + b;
    return (struct dd){s, (a - s) + b};
}

static struct dd two_sum(double a, double b)
{
    double s = a + b, d = s - a;
    return (struct dd){s, (a - (s - d)) + (b - d)};
}

static struct dd two_product(double a, double b)
{
    double p = a * b;
    return (struct dd){p, fma(a, b, -p)};
}

static struct dd dd_add(struct dd a, struct dd b)
{
    struct dd s = two_sum(a.hi, b.hi), t = two_sum(a.lo, b.lo);
    s = fast_sum(s.hi, s.lo + t.hi);
    return fast_sum(s.hi, s.lo + t.lo);
}

static struct dd dd_mul(struct dd a, struct dd b)
{
    struct dd p = two_product(a.hi, b.hi);
    return fast_sum(p.hi, p.lo + fma(a.hi, b.lo, a.lo * b.hi));
}

static struct dd dd_div(struct dd a, struct dd b)
{
    double q = a.hi / b.hi;
    double r = fma(-q, b.hi, a.hi) + fma(-q, b.lo, a.lo);
    return fast_sum(q, r / b.hi);
}

// x 2^k rounded once; |x| in [1/4, 4).
static double scale(double x, int k)
{
    int first = k / 2;
    return x * pow2(first) * pow2(k - first);
}

// e^(x + xl) = (hi + lo) 2^k, hi near 1, relative error about 2^-60; |x| < 800.
static struct dd exp_parts(double x, double xl, int *k)
{
    // Adding 1.5 * 2^52 rounds to an integer. The first part of ln 2 has 21 bits: n times it is
    // exact.
    double n = fma(x, 0x1.71547652b82fep+0, 0x1.8p52) - 0x1.8p52;
    double r0 = fma(n, -0x1.62e42p-1, x);
    struct dd r = two_sum(r0, n * -0x1.fdf473de6af28p-22);
    r.lo += fma(n, -0x1.fdf473de6af28p-22, n * 0x1.fdf473de6af28p-22) + n * 0x1.c4c67fc0d0951p-76;
    r = two_sum(r.hi, r.lo + xl);
    // e^r - 1 - r - r^2 / 2 by its series: the next term is below 2^-66.
    double p = 0;
    for (int i = 15; i >= 3; i--)
        p = (p + 1) * (r.hi / i);
    struct dd square = two_product(r.hi, r.hi);
    struct dd tail = {0.5 * square.hi, 0.5 * square.lo};
    tail = fast_sum(tail.hi, tail.lo + tail.hi * p + r.lo * r.hi);
    struct dd s = fast_sum(r.hi, tail.hi);
    s = fast_sum(s.hi, s.lo + (r.lo + tail.lo));
    *k = (int)n;
    struct dd one = fast_sum(1.0, s.hi);
    return fast_sum(one.hi, one.lo + s.lo);
}

static double exp_two(double x, double xl)
{
    if (x > 800)
        return INFINITY;
    if (x < -800)
        return 0;
    int k;
    struct dd y = exp_parts(x, xl, &k);
    return scale(y.hi + y.lo, k);
}

double weir_d_exp(double x)
{
    return x != x ? x : exp_two(x, 0);
}

// e^x - 1 for |x| <= 40.
static struct dd expm1_parts(double x)
{
    if (fabs(x) < 0.25) {
        // The series in dd: the terms lost are below 2^-110 of the sum.
        struct dd sum = {1, 0};
        for (int i = 22; i >= 2; i--)
            sum = dd_add((struct dd){1, 0},
                         dd_div(dd_mul(sum, (struct dd){x, 0}), (struct dd){i, 0}));
        return dd_mul(sum, (struct dd){x, 0});
    }
    int k;
    struct dd y = exp_parts(x, 0, &k);
    y.hi *= pow2(k);
    y.lo *= pow2(k);
    return dd_add(y, (struct dd){-1, 0});
}

double weir_d_expm1(double x)
{
    if (x != x || fabs(x) < 0x1p-60)
        return x;
    if (x < -40)
        return -1;
    if (x > 40)
        return exp_two(x, 0);
    struct dd y = expm1_parts(x);
    return y.hi + y.lo;
}

// log of x + more, for finite x > 0 and |more| <= ulp(x) / 2.
static struct dd log_parts(double x, double more)
{
    int k = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        more *= 0x1p54;
        k = -54;
    }
    uint64_t u = bits_of(x) - 0x3fe6a09e667f3bcd;
    int e = (int)((int64_t)u >> 52);
    double m = from_bits((u & 0xfffffffffffff) + 0x3fe6a09e667f3bcd);
    k += e;
    // s = f / (2 + f) with f = m - 1; log m = 2 atanh s.
    struct dd f = two_sum(m - 1, e > -1000 && e < 1000 ? more * pow2(-e) : 0);
    struct dd s = dd_div(f, dd_add((struct dd){2, 0}, f)), t = dd_mul(s, s);
    double p = 0;
    for (int i = 31; i >= 5; i -= 2)
        p = p * t.hi + 1.0 / i;
    struct dd third = {0x1.5555555555555p-2, 0x1.5555555555555p-56};
    struct dd c = dd_add(third, two_product(t.hi, p));
    struct dd w = dd_add(s, dd_mul(dd_mul(t, c), s));
    struct dd n = {k, 0};
    return dd_add(dd_mul(n, LN2), (struct dd){2 * w.hi, 2 * w.lo});
}

double weir_d_log(double x)
{
    if (!(x > 0 && x < INFINITY))
        return x == 0 ? -INFINITY : (x > 0 ? x : NAN);
    struct dd y = log_parts(x, 0);
    return y.hi + y.lo;
}

double weir_d_log1p(double x)
{
    if (!(x > -1 && x < INFINITY))
        return x == -1 ? -INFINITY : (x > 0 ? x : NAN);
    if (fabs(x) < 0x1p-60)
        return x;
    struct dd u = two_sum(1, x);
    struct dd y = log_parts(u.hi, u.lo);
    return y.hi + y.lo;
}

double weir_d_sqrt(double x)
{
    return sqrt(x); // correctly rounded everywhere
}

double weir_d_pow(double x, double y)
{
    double a = fabs(x);
    if (x == 1 || y == 0 || (a == 1 && fabs(y) == INFINITY))
        return 1;
    if (x != x || y != y)
        return NAN;
    int integer = rint(y) == y, odd = integer && fabs(y) < 0x1p53 && rint(y / 2) != y / 2;
    double r;
    if (a == 0 || a == INFINITY) {
        r = (a == 0) == (y < 0) ? INFINITY : 0;
    } else {
        if (x < 0 && !integer)
            return NAN;
        // |y| is held below 2^64: the result has long saturated.
        double b = fabs(y) < 0x1p64 ? y : copysign(0x1p64, y);
        struct dd l = log_parts(a, 0), p = two_product(b, l.hi);
        r = exp_two(p.hi, p.lo + b * l.lo);
    }
    return odd && signbit(x) ? -r : r;
}

// sin of (quadrant + f) quarter turns, |f| <= 1/2.
static double sin_quadrant(struct dd f, unsigned quadrant)
{
    struct dd r = dd_mul(f, HALF_PI), t = dd_mul(r, r);
    double y;
    // 1 - t/2 (1 - t/12 (1 - ...)) or r (1 - t/6 (1 - t/20 (1 - ...))); what is lost is below
    // 2^-70.
    int first = quadrant & 1 ? 2 : 3;
    double p = 0;
    for (int i = first + 16; i > first; i -= 2)
        p = (p + 1) * (-t.hi / ((double)i * (i - 1)));
    struct dd c = dd_div(t, (struct dd){first == 2 ? -2 : -6, 0});
    c = fast_sum(c.hi, c.lo + c.hi * p);
    struct dd one = dd_add((struct dd){1, 0}, c);
    if (quadrant & 1) {
        y = one.hi + one.lo;
    } else {
        one = dd_mul(r, one);
        y = one.hi + one.lo;
    }
    return quadrant & 2 ? -y : y;
}

static const uint32_t TWO_OVER_PI[] = {
    0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561,
    0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e, 0xe88235f5, 0x2ebb4484,
    0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b, 0x1ff897ff, 0xde05980f,
    0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d, 0x7527bac7, 0xebe5f17b,
    0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab, 0xf0cfbc20, 0x9af4361d,
};

// 32 bits of 2 / pi from bit `at` behind the point on (negative: in front of it, zeros).
static uint32_t two_over_pi(int at)
{
    int word = (at + 128) / 32 - 4, shift = (at + 128) % 32;
    uint64_t hi = word >= 0 ? TWO_OVER_PI[word] : 0, lo = word >= -1 ? TWO_OVER_PI[word + 1] : 0;
    return (uint32_t)((hi << 32 | lo) << shift >> 32);
}

// |x| in quarter turns mod 4: the fraction in [-1/2, 1/2] and the quadrant; |x| >= 1/2 and finite.
static struct dd angle_reduce(double x, unsigned *quadrant)
{
    uint64_t u = bits_of(fabs(x));
    uint64_t m = (u & 0xfffffffffffff) | (uint64_t)1 << 52;
    int e = (int)(u >> 52) - 1075; // |x| = m 2^e
    // Bits of 2 / pi of weight 2^(2 - e) and more give whole turns. Of the product of m with the
    // next 224 bits, modulo 2^224, the upper 128 are kept.
    uint32_t product[7] = {0};
    uint32_t half[2] = {(uint32_t)m, (uint32_t)(m >> 32)};
    for (int h = 0; h < 2; h++) {
        uint64_t carry = 0;
        for (int i = 6; i - h >= 0; i--) {
            carry += (uint64_t)half[h] * two_over_pi(e - 2 + 32 * i) + product[i - h];
            product[i - h] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    uint64_t high = (uint64_t)product[0] << 32 | product[1];
    uint64_t low = (uint64_t)product[2] << 32 | product[3];
    *quadrant = (unsigned)((high + ((uint64_t)1 << 61)) >> 62);
    int64_t part = (int64_t)(high - ((uint64_t)*quadrant << 62));
    // Exact pieces of at most 32 bits.
    struct dd f = two_sum((double)(part >> 32) * 0x1p-30, (double)(part & 0xffffffff) * 0x1p-62);
    struct dd g = two_sum((double)(low >> 32) * 0x1p-94, (double)(low & 0xffffffff) * 0x1p-126);
    return dd_add(f, g);
}

static double sin_or_cos(double x, unsigned quarter)
{
    if (!(fabs(x) < INFINITY))
        return NAN;
    unsigned quadrant = 0;
    struct dd f;
    if (fabs(x) < 0.5)
        f = dd_div((struct dd){fabs(x), 0}, HALF_PI);
    else
        f = angle_reduce(x, &quadrant);
    double y = sin_quadrant(f, quadrant + quarter);
    return quarter ? y : copysign(1, x) * y;
}

double weir_d_sin(double x)
{
    return fabs(x) < 0x1p-30 ? x : sin_or_cos(x, 0);
}

double weir_d_cos(double x)
{
    return fabs(x) < 0x1p-30 ? 1 : sin_or_cos(x, 1);
}

static double sin_turns(double x, unsigned quarter)
{
    if (!(fabs(x) < INFINITY))
        return NAN;
    double turns = 2 * (x - 2 * rint(x / 2)), q = rint(turns); // exact: |turns| <= 2
    return sin_quadrant((struct dd){turns - q, 0}, (unsigned)(int)q + quarter);
}

double weir_d_sinpi(double x)
{
    double y = sin_turns(fabs(x), 0);
    return y == 0 ? copysign(0, x) : copysign(1, x) * y;
}

double weir_d_cospi(double x)
{
    double y = sin_turns(fabs(x), 1);
    return y == 0 ? 0 : y;
}

double weir_d_tanh(double x)
{
    double a = fabs(x);
    if (x != x || a < 0x1p-40)
        return x;
    if (a > 20)
        return copysign(1, x);
    // E / (E + 2), E = e^2a - 1
    struct dd e = expm1_parts(2 * a), y = dd_div(e, dd_add(e, (struct dd){2, 0}));
    return copysign(y.hi + y.lo, x);
}

// e^-x^2
static struct dd gauss(double x)
{
    struct dd s = two_product(x, x);
    int k;
    struct dd y = exp_parts(-s.hi, -s.lo, &k);
    return (struct dd){y.hi * pow2(k), y.lo * pow2(k)};
}

// 2 / sqrt(pi) e^-x^2 (x + 2/3 x^3 + 4/15 x^5 + ...), for 0 <= x < 6: all terms are positive.
static struct dd erf_parts(double x)
{
    struct dd t = two_product(x, x);
    t = (struct dd){2 * t.hi, 2 * t.lo};
    struct dd term = {x, 0}, sum = term;
    for (int n = 1; n < 200 && term.hi > sum.hi * 0x1p-80; n++) {
        term = dd_div(dd_mul(term, t), (struct dd){2 * n + 1, 0});
        sum = dd_add(sum, term);
    }
    return dd_mul(dd_mul(TWO_OVER_SQRT_PI, gauss(x)), sum);
}

double weir_d_erf(double x)
{
    double a = fabs(x);
    if (x != x || x == 0)
        return x;
    if (a >= 6)
        return copysign(1, x);
    if (a < 0x1p-1000) {
        // Away from the subnormals, where products would lose their low parts.
        struct dd y = dd_mul((struct dd){x * 0x1p200, 0}, TWO_OVER_SQRT_PI);
        return (y.hi + y.lo) * 0x1p-200;
    }
    struct dd y = erf_parts(a);
    return copysign(y.hi + y.lo, x);
}

// erfc(x) for x >= 1.7, by its continued fraction; relative error a few 2^-53.
static double erfc_tail(double x)
{
    double z = x * x, f = 0;
    for (int n = 150; n > 0; n--)
        f = (0.5 * n) / (n & 1 ? 1 + f : z + f);
    struct dd g = gauss(x);
    return (g.hi + g.lo) * (0.5 * TWO_OVER_SQRT_PI.hi) * x / (z + f);
}

double weir_d_erfinv(double x)
{
    double a = fabs(x);
    if (!(a < 1))
        return a == 1 ? copysign(INFINITY, x) : NAN;
    if (x == 0)
        return x;
    if (a < 0x1p-60) {
        struct dd y = dd_div((struct dd){x * 0x1p100, 0}, TWO_OVER_SQRT_PI);
        return (y.hi + y.lo) * 0x1p-100;
    }
    // A closed form by Winitzki, then Newton steps with the miss in more than double precision.
    double l = weir_d_log1p(-a * a), t = 4.3307467508 + 0.5 * l;
    double y = sqrt(sqrt(t * t - l * 6.8027210884) - t);
    for (int i = 0; i < 5; i++) {
        struct dd g = gauss(y), e = erf_parts(y);
        double miss = a < 0.99 ? (e.hi - a) + e.lo : (1 - a) - erfc_tail(y);
        y -= miss / (TWO_OVER_SQRT_PI.hi * g.hi);
    }
    return copysign(y, x);
}
