// SPDX-License-Identifier: Apache-2.0
// base/dmath against MPFR: errors below 1 ulp over seeded inputs, edges, and a digest of results,
// which must not change with the CPU or the compiler.
#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <string.h>

#include "base/dmath.h"
#include "support/support.h"

enum { DRAWS = 100000 };

static int mpfr_sinpi_(mpfr_t y, const mpfr_t x, mpfr_rnd_t rnd)
{
    mpfr_t pi;
    mpfr_init2(pi, 2400);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpfr_mul(pi, pi, x, MPFR_RNDN);
    int t = mpfr_sin(y, pi, rnd);
    mpfr_clear(pi);
    return t;
}

static int mpfr_cospi_(mpfr_t y, const mpfr_t x, mpfr_rnd_t rnd)
{
    mpfr_t pi;
    mpfr_init2(pi, 2400);
    mpfr_const_pi(pi, MPFR_RNDN);
    mpfr_mul(pi, pi, x, MPFR_RNDN);
    int t = mpfr_cos(y, pi, rnd);
    mpfr_clear(pi);
    return t;
}

// Newton on erf at 400 bits, from the double's own answer; checks it without trusting it.
static int mpfr_erfinv_(mpfr_t y, const mpfr_t x, mpfr_rnd_t rnd)
{
    mpfr_t e, d;
    mpfr_inits2(400, e, d, (mpfr_ptr)0);
    mpfr_set_d(y, weir_d_erfinv(mpfr_get_d(x, MPFR_RNDN)), MPFR_RNDN);
    for (int i = 0; i < 6; i++) {
        mpfr_erf(e, y, MPFR_RNDN);
        mpfr_sub(e, e, x, MPFR_RNDN);
        mpfr_sqr(d, y, MPFR_RNDN);
        mpfr_exp(d, d, MPFR_RNDN);
        mpfr_mul(e, e, d, MPFR_RNDN);
        mpfr_const_pi(d, MPFR_RNDN);
        mpfr_sqrt(d, d, MPFR_RNDN);
        mpfr_mul(e, e, d, MPFR_RNDN);
        mpfr_div_2ui(e, e, 1, MPFR_RNDN);
        mpfr_sub(y, y, e, MPFR_RNDN);
    }
    mpfr_clears(e, d, (mpfr_ptr)0);
    return (int)rnd;
}

// |got - exact| in ulp of exact, which has at least 200 bits.
static double ulp_error(double got, const mpfr_t exact)
{
    double nearest = mpfr_get_d(exact, MPFR_RNDN);
    if (!(fabs(nearest) < INFINITY) || nearest == 0 || got != got || isinf(got))
        return got == nearest || (got != got && nearest != nearest) ? 0 : (double)INFINITY;
    mpfr_t miss;
    mpfr_init2(miss, 200);
    mpfr_sub_d(miss, exact, got, MPFR_RNDN);
    int e = ilogb(nearest);
    mpfr_mul_2si(miss, miss, 52 - (e < -1022 ? -1022 : e), MPFR_RNDN);
    double error = fabs(mpfr_get_d(miss, MPFR_RNDN));
    mpfr_clear(miss);
    return error;
}

static const struct {
    const char *name;
    double (*f)(double);
    int (*exact)(mpfr_t, const mpfr_t, mpfr_rnd_t);
    double low, high; // the range of half of the inputs; the other half are any bits
} unary[] = {
    {"exp", weir_d_exp, mpfr_exp, -745, 710},       {"expm1", weir_d_expm1, mpfr_expm1, -2, 2},
    {"log", weir_d_log, mpfr_log, 0.5, 2},          {"log1p", weir_d_log1p, mpfr_log1p, -1, 1},
    {"sin", weir_d_sin, mpfr_sin, -100, 100},       {"cos", weir_d_cos, mpfr_cos, -100, 100},
    {"sinpi", weir_d_sinpi, mpfr_sinpi_, -4, 4},    {"cospi", weir_d_cospi, mpfr_cospi_, -4, 4},
    {"tanh", weir_d_tanh, mpfr_tanh, -3, 3},        {"erf", weir_d_erf, mpfr_erf, -6, 6},
    {"erfinv", weir_d_erfinv, mpfr_erfinv_, -1, 1},
};

static double any_bits(uint64_t *state)
{
    uint64_t u = test_next(state);
    double x;
    memcpy(&x, &u, sizeof(x));
    return x;
}

static double between(uint64_t *state, double low, double high)
{
    return low + (high - low) * (double)(test_next(state) >> 11) * 0x1p-53;
}

// 1 - n 2^-53 for an n > 0 of any length.
static double close_to_one(uint64_t *state)
{
    int shift = 12 + (int)(test_next(state) % 52);
    return 1 - 0x1p-53 * (double)(test_next(state) >> shift | 1);
}

START_TEST(unary_bounds)
{
    uint64_t state = 0xd3a7;
    double worst = -1, at = 0;
    mpfr_t x, y;
    mpfr_init2(x, 53);
    mpfr_init2(y, 200);
    int draws = unary[_i].exact == mpfr_erfinv_ ? DRAWS / 50 : DRAWS / 2;
    for (int i = 0; i < draws; i++) {
        double in = i & 1 ? between(&state, unary[_i].low, unary[_i].high) : any_bits(&state);
        if (unary[_i].exact == mpfr_erfinv_ && !(fabs(in) < 1))
            in = close_to_one(&state);
        if ((unary[_i].exact == mpfr_sinpi_ || unary[_i].exact == mpfr_cospi_) && fabs(in) > 0x1p60)
            continue;
        mpfr_set_d(x, in, MPFR_RNDN);
        unary[_i].exact(y, x, MPFR_RNDN);
        double error = ulp_error(unary[_i].f(in), y);
        if (error > worst) {
            worst = error;
            at = in;
        }
    }
    printf("# %s: %.4f ulp at %a\n", unary[_i].name, worst, at);
    ck_assert_msg(worst < 1, "%s(%a) = %a: %.4f ulp", unary[_i].name, at, unary[_i].f(at), worst);
    mpfr_clears(x, y, (mpfr_ptr)0);
}
END_TEST

START_TEST(pow_bound)
{
    uint64_t state = 0x90a;
    double worst = -1, wa = 0, wb = 0;
    mpfr_t x, y, z;
    mpfr_inits2(53, x, y, (mpfr_ptr)0);
    mpfr_init2(z, 200);
    for (int i = 0; i < DRAWS; i++) {
        double a = any_bits(&state), b = any_bits(&state);
        if (i % 3 == 1)
            a = between(&state, 0, 10), b = between(&state, -300, 300);
        if (i % 3 == 2)
            a = between(&state, 0.99, 1.01), b = between(&state, -70000, 70000);
        mpfr_set_d(x, a, MPFR_RNDN);
        mpfr_set_d(y, b, MPFR_RNDN);
        mpfr_pow(z, x, y, MPFR_RNDN);
        double error = ulp_error(weir_d_pow(a, b), z);
        if (error > worst) {
            worst = error;
            wa = a;
            wb = b;
        }
    }
    printf("# pow: %.4f ulp at %a, %a\n", worst, wa, wb);
    ck_assert_msg(worst < 1, "pow(%a, %a) = %a: %.4f ulp", wa, wb, weir_d_pow(wa, wb), worst);
    mpfr_clears(x, y, z, (mpfr_ptr)0);
}
END_TEST

static void same(const char *what, double got, double want)
{
    ck_assert_msg((got != got && want != want) || (got == want && !signbit(got) == !signbit(want)),
                  "%s: %a, want %a", what, got, want);
}

START_TEST(edges)
{
    const double inf = INFINITY, least = 0x1p-1074;
#define SAME(call, want) same(#call, weir_d_##call, want)
    SAME(exp(0), 1);
    SAME(exp(-inf), 0);
    SAME(exp(inf), inf);
    SAME(exp(NAN), NAN);
    SAME(exp(-745.2), 0);
    SAME(exp(-745.13), least);
    SAME(exp(709.79), inf);
    SAME(expm1(-0.0), -0.0);
    SAME(expm1(-inf), -1);
    SAME(expm1(inf), inf);
    SAME(expm1(least), least);
    SAME(log(0), -inf);
    SAME(log(-0.0), -inf);
    SAME(log(1), 0);
    SAME(log(-1), NAN);
    SAME(log(inf), inf);
    SAME(log1p(-0.0), -0.0);
    SAME(log1p(-1), -inf);
    SAME(log1p(-2), NAN);
    SAME(log1p(inf), inf);
    SAME(pow(0, 0), 1);
    SAME(pow(-0.0, -3), -inf);
    SAME(pow(-2, 3), -8);
    SAME(pow(-2, 0.5), NAN);
    SAME(pow(-1, inf), 1);
    SAME(pow(NAN, 0), 1);
    SAME(pow(1, NAN), 1);
    SAME(pow(2, 1024), inf);
    SAME(pow(2, -1074), least);
    SAME(pow(2, -1076), 0);
    SAME(pow(-inf, 3), -inf);
    SAME(pow(10, 2), 100);
    SAME(sin(-0.0), -0.0);
    SAME(sin(inf), NAN);
    SAME(cos(0), 1);
    SAME(cos(-inf), NAN);
    SAME(sinpi(1), 0);
    SAME(sinpi(0.5), 1);
    SAME(sinpi(-1.5), 1);
    SAME(cospi(0.5), 0);
    SAME(cospi(1), -1);
    SAME(cospi(0x1p60), 1);
    SAME(tanh(-0.0), -0.0);
    SAME(tanh(inf), 1);
    SAME(tanh(-50), -1);
    SAME(erf(-0.0), -0.0);
    SAME(erf(inf), 1);
    SAME(erf(-7), -1);
    SAME(erfinv(1), inf);
    SAME(erfinv(-1), -inf);
    SAME(erfinv(1.5), NAN);
    SAME(erfinv(-0.0), -0.0);
}
END_TEST

// FNV-1a of the bits of 20,000 results of each function: the same on every CPU and compiler.
START_TEST(same_bits_everywhere)
{
    uint64_t state = 0xb175, digest = 0xcbf29ce484222325;
    for (size_t k = 0; k < sizeof(unary) / sizeof(unary[0]); k++)
        for (int i = 0; i < 20000; i++) {
            double y = unary[k].f(between(&state, unary[k].low, unary[k].high));
            uint64_t u;
            memcpy(&u, &y, sizeof(u));
            digest = (digest ^ (y != y ? 0 : u)) * 0x100000001b3;
        }
    ck_assert_msg(digest == 0x2971f6b309b123a5, "digest %016llx", (unsigned long long)digest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dmath");
    TCase *tcase = tcase_create("dmath");
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, unary_bounds, 0, sizeof(unary) / sizeof(unary[0]));
    tcase_add_test(tcase, pow_bound);
    tcase_add_test(tcase, edges);
    tcase_add_test(tcase, same_bits_everywhere);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
