// SPDX-License-Identifier: Apache-2.0
// The error bounds of kernels/scalar.h, in C: each unary function over 2^24 stratified inputs, the
// binary ones over seeded inputs, against the same mathematics in double.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "scalar.h"
#include "support/scalar_ref.h"
#include "support/scalar_rows.h"
#include "support/support.h"

enum { STEP = 8 }; // one input in 2^8

START_TEST(unary_bounds)
{
    const struct scalar_row *row = &scalar_rows[_i];
    struct scalar_worst worst[2];
    scalar_sweep(_i, STEP, worst);
    for (int half = 0; half < 2; half++) {
        float x = weir_as_f(worst[half].bits);
        printf("# %s, %s: %.4f ulp at %a\n", row->name, half ? "x < 0" : "x >= 0",
               worst[half].error, (double)x);
        ck_assert_msg(worst[half].error <= row->bound[half],
                      "%s(%a) = %a, exact %a: %.4f ulp, bound %.4f", row->name, (double)x,
                      (double)scalar_got(_i, x), scalar_exact(_i, x), worst[half].error,
                      row->bound[half]);
    }
}
END_TEST

static float random_bits(uint64_t *state)
{
    return weir_as_f((uint32_t)(test_next(state) >> 32));
}

// A number in [low, high), evenly.
static float random_in(uint64_t *state, double low, double high)
{
    return (float)(low + (high - low) * (double)(test_next(state) >> 11) * 0x1p-53);
}

// Seeded pairs: any bits, near 1 with any exponent, and moderate.
static void random_pair(uint64_t *state, int i, float *a, float *b)
{
    *a = random_bits(state);
    *b = random_bits(state);
    if (i % 3 == 1) {
        *a = random_in(state, 0.9, 1.1);
        *b = random_in(state, -1000, 1000);
    } else if (i % 3 == 2) {
        *a = random_in(state, 0, 1000);
        *b = random_in(state, -30, 30);
    }
}

static void check_binary(const char *name, float (*f)(float, float),
                         double (*exact)(double, double), double bound)
{
    uint64_t state = 0x9a1f;
    double worst = -1;
    float wa = 0, wb = 0;
    for (int i = 0; i < 6000000; i++) {
        float a, b;
        random_pair(&state, i, &a, &b);
        double want = exact(a, b), error = scalar_error(f(a, b), want, fabs(want));
        if (error > worst) {
            worst = error;
            wa = a;
            wb = b;
        }
    }
    printf("# %s: %.4f ulp at %a, %a\n", name, worst, (double)wa, (double)wb);
    ck_assert_msg(worst <= bound, "%s(%a, %a) = %a, exact %a: %.4f ulp", name, (double)wa,
                  (double)wb, (double)f(wa, wb), exact(wa, wb), worst);
}

START_TEST(binary_bounds)
{
    check_binary("pow", weir_pow_f, scalar_pow, 1.0);
    check_binary("atan2", weir_atan2_f, scalar_atan2, 2.0);
}
END_TEST

// The floored remainder is the exact one rounded once.
START_TEST(mod_is_exact)
{
    uint64_t state = 0x30d;
    for (int i = 0; i < 3000000; i++) {
        float a, b;
        random_pair(&state, i, &a, &b);
        float got = weir_mod_f(a, b), want = (float)scalar_mod(a, b);
        if (weir_as_u(weir_canon_f(got)) != weir_as_u(weir_canon_f(want)))
            ck_abort_msg("%a mod %a = %a, want %a", (double)a, (double)b, (double)got,
                         (double)want);
    }
}
END_TEST

// igamma: an absolute bound, in units of 2^-24, for each region of a.
START_TEST(igamma_bounds)
{
    static const struct {
        double low, high, bound;
    } regions[] = {{0, 1, 8}, {1, 32, 10}, {32, 1000, 3}, {1000, 1e6, 3}};
    uint64_t state = 0x16a;
    double worst = -1;
    float wa = 0, wx = 0;
    for (int i = 0; i < 100000; i++) {
        float a = random_in(&state, regions[_i].low, regions[_i].high);
        float spread = random_in(&state, -6, 6) * sqrtf(a + 1);
        float x = i & 1 ? fabsf(a + spread) : a * exp2f(random_in(&state, -5, 5));
        double error = fabs(weir_igamma_f(a, x) - scalar_igamma(a, x)) * 0x1p24;
        if (!(error <= worst)) {
            worst = error;
            wa = a;
            wx = x;
        }
    }
    printf("# igamma, a in [%g, %g): %.3f 2^-24 at %a, %a\n", regions[_i].low, regions[_i].high,
           worst, (double)wa, (double)wx);
    ck_assert_msg(worst <= regions[_i].bound, "igamma(%a, %a) = %a, exact %a", (double)wa,
                  (double)wx, (double)weir_igamma_f(wa, wx), scalar_igamma(wa, wx));
}
END_TEST

// The oracle itself, where it is not libm's: known answers from mpmath at 200 bits.
static const struct {
    const char *name;
    double a, b, want;
} known[] = {
    // clang-format off
    {"digamma", 0.001, 0.0, -1000.5755719318102797},
    {"digamma", 0.5, 0.0, -1.9635100260214234794},
    {"digamma", 1.25, 0.0, -0.22745353337626540809},
    {"digamma", 3.75, 0.0, 1.1825373886117962286},
    {"digamma", 11.5, 0.0, 2.3982391295357816134},
    {"digamma", 300.0, 0.0, 5.702114882064637268},
    {"digamma", -0.25, 0.0, 2.9141391202135278304},
    {"digamma", -3.7, 0.0, -0.84507685887041935462},
    {"i0e", 0.01, 0.0, 0.9900745851497074988},
    {"i0e", 1.0, 0.0, 0.4657596075936404365},
    {"i0e", 4.5, 0.0, 0.19419827762838228494},
    {"i0e", 12.0, 0.0, 0.11642622121344044298},
    {"i0e", 24.9, 0.0, 0.080359332611532213624},
    {"i0e", 25.0, 0.0, 0.080196773547436708422},
    {"i0e", 80.0, 0.0, 0.044673291782275277952},
    {"i0e", -3.0, 0.0, 0.24300035416182539847},
    {"erfinv", 1e-06, 0.0, 8.8622692545298998721e-7},
    {"erfinv", 0.1, 0.0, 0.088855990494257691974},
    {"erfinv", 0.5, 0.0, 0.47693627620446987338},
    {"erfinv", -0.75, 0.0, -0.81341984759761854169},
    {"erfinv", 0.99, 0.0, 1.8213863677184494559},
    {"erfinv", 0.999999, 0.0, 3.4589107372754987775},
    {"erfinv", 0.9999999403953552, 0.0, 3.8325068569007109095},
    {"igamma", 0.01, 0.5, 0.99437324380603281585},
    {"igamma", 0.5, 0.2, 0.47291074313446192633},
    {"igamma", 1.0, 3.0, 0.95021293163213605702},
    {"igamma", 3.0, 2.0, 0.32332358381693654053},
    {"igamma", 7.5, 20.0, 0.99954650186489776541},
    {"igamma", 32.0, 30.0, 0.38135701019151615915},
    {"igamma", 200.0, 210.0, 0.76396967450115385408},
    {"igamma", 5000.0, 4900.0, 0.077944956226513913903},
    // clang-format on
};

START_TEST(oracle)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        int row = 0;
        while (row < scalar_row_count && strcmp(scalar_rows[row].name, known[i].name))
            row++;
        double got = row < scalar_row_count ? scalar_exact(row, known[i].a)
                                            : scalar_igamma(known[i].a, known[i].b);
        // A float's ulp is 2^-24 at least: the oracle is a thousand times better.
        ck_assert_msg(fabs(got - known[i].want) <= 0x1p-34 * fabs(known[i].want),
                      "%s(%.17g, %.17g) = %.17g, want %.17g", known[i].name, known[i].a, known[i].b,
                      got, known[i].want);
    }
}
END_TEST

// Moments of the normals, and each against Box-Muller in double on the same words.
START_TEST(normals)
{
    enum { COUNT = 1 << 20 };
    double sum = 0, square = 0, worst = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        float x = weir_random_normal_f(i, 3, 5, 7, 11, 13);
        double want = scalar_random_normal(i, 3, 5, 7, 11, 13);
        worst = fmax(worst, fabs(x - want) / fmax(fabs(want), 0x1p-20));
        sum += x;
        square += x * (double)x;
    }
    // Five standard deviations: 5 / sqrt(n) and 5 sqrt(2 / n).
    ck_assert_double_le(fabs(sum / COUNT), 5.0 / 1024);
    ck_assert_double_le(fabs(square / COUNT - 1), 7.1 / 1024);
    // log, root, sine and product: three roundings and the bounds of log and sine.
    ck_assert_double_le(worst, 3 * 0x1p-23);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scalar");
    TCase *tcase = tcase_create("bounds");
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, oracle);
    tcase_add_loop_test(tcase, unary_bounds, 0, scalar_row_count);
    tcase_add_test(tcase, binary_bounds);
    tcase_add_test(tcase, mod_is_exact);
    tcase_add_loop_test(tcase, igamma_bounds, 0, 4);
    tcase_add_test(tcase, normals);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
