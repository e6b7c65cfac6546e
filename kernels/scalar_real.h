// SPDX-License-Identifier: Apache-2.0
// The f functions of scalar.h in double, for the tests' oracle (C only). Same names, same edges, no
// claim of the same bits on every CPU. Roundings to storage types are the identity here: the oracle
// is mathematics, and the tests' bounds account for the rounding.

typedef double weir_f;

WEIR_FN double weir_nan_f(void)
{
    return (double)NAN;
}
WEIR_FN double weir_inf_f(void)
{
    return (double)INFINITY;
}
WEIR_FN double weir_canon_f(double x)
{
    return x;
}
WEIR_FN double weir_abs_f(double x)
{
    return fabs(x);
}
WEIR_FN double weir_neg_f(double x)
{
    return -x;
}
WEIR_FN double weir_copysign_f(double x, double s)
{
    return copysign(x, s);
}
WEIR_FN double weir_add_f(double a, double b)
{
    return a + b;
}
WEIR_FN double weir_sub_f(double a, double b)
{
    return a - b;
}
WEIR_FN double weir_mul_f(double a, double b)
{
    return a * b;
}
WEIR_FN double weir_div_f(double a, double b)
{
    return a / b;
}
WEIR_FN double weir_fma_f(double a, double b, double c)
{
    return fma(a, b, c);
}
WEIR_FN double weir_sqrt_f(double x)
{
    return sqrt(x);
}
WEIR_FN double weir_rsqrt_f(double x)
{
    return 1.0 / sqrt(x);
}
WEIR_FN double weir_square_f(double x)
{
    return x * x;
}
WEIR_FN double weir_reciprocal_f(double x)
{
    return 1.0 / x;
}
WEIR_FN double weir_rint_f(double x)
{
    return rint(x);
}
WEIR_FN double weir_floor_f(double x)
{
    return floor(x);
}
WEIR_FN double weir_ceil_f(double x)
{
    return ceil(x);
}
WEIR_FN double weir_sign_f(double x)
{
    return x > 0 ? 1 : (x < 0 ? -1 : x);
}
WEIR_FN int weir_is_finite_f(double x)
{
    return isfinite(x);
}
WEIR_FN int weir_eq_f(double a, double b)
{
    return a == b;
}
WEIR_FN int weir_ne_f(double a, double b)
{
    return a != b;
}
WEIR_FN int weir_lt_f(double a, double b)
{
    return a < b;
}
WEIR_FN int weir_le_f(double a, double b)
{
    return a <= b;
}
WEIR_FN int weir_gt_f(double a, double b)
{
    return a > b;
}
WEIR_FN int weir_ge_f(double a, double b)
{
    return a >= b;
}
WEIR_FN double weir_select_f(int c, double a, double b)
{
    return c ? a : b;
}

WEIR_FN double weir_exp_f(double x)
{
    return exp(x);
}
WEIR_FN double weir_expm1_f(double x)
{
    return expm1(x);
}
WEIR_FN double weir_log_f(double x)
{
    return log(x);
}
WEIR_FN double weir_log1p_f(double x)
{
    return log1p(x);
}
WEIR_FN double weir_sin_f(double x)
{
    return sin(x);
}
WEIR_FN double weir_cos_f(double x)
{
    return cos(x);
}
WEIR_FN double weir_tanh_f(double x)
{
    return tanh(x);
}
WEIR_FN double weir_erf_f(double x)
{
    return erf(x);
}
WEIR_FN double weir_pow_f(double x, double y)
{
    return pow(x, y);
}
WEIR_FN double weir_atan2_f(double y, double x)
{
    return atan2(y, x);
}

WEIR_FN double weir_i2f(weir_i x)
{
    return x;
}
WEIR_FN double weir_u2f(weir_u x)
{
    return x;
}
WEIR_FN double weir_b2f(int b)
{
    return b != 0;
}
WEIR_FN int weir_f2b(double x)
{
    return x != 0;
}
WEIR_FN double weir_round_bf16(double x)
{
    return x;
}
WEIR_FN double weir_round_f16(double x)
{
    return x;
}

WEIR_FN double weir_sigmoid_f(double x)
{
    double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

WEIR_FN double weir_softplus_f(double x)
{
    double y = log1p(exp(-fabs(x)));
    return x > 0 ? x + y : y;
}

// NaN wins; -0 < +0.
WEIR_FN double weir_min_f(double a, double b)
{
    if (a != a || b != b)
        return (double)NAN;
    return a < b || (a == b && signbit(a)) ? a : b;
}

WEIR_FN double weir_max_f(double a, double b)
{
    if (a != a || b != b)
        return (double)NAN;
    return a > b || (a == b && !signbit(a)) ? a : b;
}

WEIR_FN double weir_mod_f(double a, double b)
{
    double r = fmod(a, b);
    if (r == 0)
        return copysign(r, b);
    return r != r || signbit(r) == signbit(b) ? r : r + b;
}

WEIR_FN weir_i weir_f2i(double x)
{
    if (x != x)
        return 0;
    return x >= 0x1p31 ? INT32_MAX : (x <= -0x1p31 ? INT32_MIN : (weir_i)x);
}

WEIR_FN weir_u weir_f2u(double x)
{
    return x >= 0x1p32 ? UINT32_MAX : (x > 0 ? (weir_u)x : 0u);
}

static inline double weir_erfinv_f(double x)
{
    double a = fabs(x);
    if (!(a < 1))
        return a == 1 ? copysign((double)INFINITY, x) : (double)NAN;
    // Winitzki's closed form, then Newton steps on erf, or on erfc where erf is flat.
    double l = log1p(-a * a), t = 2 / (3.14159265358979323846 * 0.147) + 0.5 * l;
    double y = sqrt(sqrt(t * t - l / 0.147) - t);
    for (int i = 0; i < 4; i++) {
        double miss = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
        y -= miss * 0.88622692545275801365 * exp(y * y);
    }
    return copysign(y, x);
}

static inline double weir_lgamma_f(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static inline double weir_digamma_f(double x)
{
    if (x != x || x == -INFINITY || (x < 0 && x == rint(x)))
        return (double)NAN;
    if (x == 0)
        return -1 / x;
    double y = 0;
    if (x < 0) {
        double f = (x - rint(x)) * 3.14159265358979323846;
        y = -3.14159265358979323846 * cos(f) / sin(f);
        x = 1 - x;
    }
    for (; x < 12; x += 1)
        y -= 1 / x;
    if (isinf(x))
        return x;
    double z = 1 / (x * x);
    double s = 1. / 12 -
               z * (1. / 120 -
                    z * (1. / 252 - z * (1. / 240 - z * (1. / 132 - z * (691. / 32760 - z / 12)))));
    return y + log(x) - 0.5 / x - z * s;
}

static inline double weir_i0e_f(double x)
{
    double a = fabs(x), sum = 1, term = 1;
    if (a != a)
        return a;
    if (isinf(a))
        return 0;
    if (a < 25) {
        for (int k = 1; k < 120; k++)
            sum += term *= a * a / (4.0 * k * k);
        return sum * exp(-a);
    }
    for (int k = 1; k < 30; k++)
        sum += term *= (2.0 * k - 1) * (2 * k - 1) / (8 * a * k);
    return sum / sqrt(2 * 3.14159265358979323846 * a);
}

static inline double weir_igamma_f(double a, double x)
{
    if (!(a >= 0 && x >= 0) || (a == x && (a == 0 || isinf(a))))
        return (double)NAN;
    if (x == 0 || isinf(a))
        return 0;
    if (a == 0 || isinf(x))
        return 1;
    double f = exp(a * log(x) - x - weir_lgamma_f(a + 1));
    if (x < a + 1 || x < 2) {
        double sum = 1, term = 1;
        for (int n = 1; n < 1000000 && term > sum * 1e-17; n++)
            sum += term *= x / (a + n);
        return f * sum;
    }
    // The continued fraction, from a depth that grows with sqrt(a).
    int n = 100 + 10 * (int)fmin(fmax(sqrt(a), 0), 1e5);
    double c = x - a + 2 * n + 1;
    for (; n > 0; n--)
        c = x - a + 2 * n - 1 - n * (n - a) / c;
    return 1 - f * a / c;
}

WEIR_FN double weir_word_uniform(weir_u w)
{
    return (w >> 8) * 0x1p-24;
}

WEIR_FN double weir_normal_pair(weir_u w0, weir_u w1, weir_u odd)
{
    double r = sqrt(-2 * log(((w0 >> 8) + 1) * 0x1p-24));
    double t = 2 * 3.14159265358979323846 * (w1 >> 8) * 0x1p-24;
    return r * (odd ? sin(t) : cos(t));
}

WEIR_FN double weir_random_normal_f(weir_u elem, weir_u row, weir_u step, weir_u stream, weir_u k0,
                                    weir_u k1)
{
    weir_u w0, w1, w2, w3;
    weir_philox(elem >> 2, row, step, stream, k0, k1, &w0, &w1, &w2, &w3);
    return weir_normal_pair(elem & 2 ? w2 : w0, elem & 2 ? w3 : w1, elem & 1);
}
