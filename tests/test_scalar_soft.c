// SPDX-License-Identifier: Apache-2.0
// The fma of kernels/scalar_fma.h and the division and root of scalar_soft.h, on devices worse than
// any, against the processor's (or the C library's, both correctly rounded), over the cases that
// are hard: subnormals in and out, ties, cancellation, overflow, far exponents.
#include <math.h>
#include <stdint.h>

// A device whose quotients and roots are 3 ulp off, either way.
static float roughen(float x)
{
    static uint32_t turn;
    return x + (float)((int)(turn++ % 7) - 3) * (x == 0 ? 0 : nextafterf(x, 2 * x) - x);
}
#define WEIR_ROUGH_DIV(a, b) roughen((a) / (b))
#define WEIR_ROUGH_SQRT(x) roughen(sqrtf(x))

#include "scalar.h"
#include "support/support.h"

// Failures abort by hand below: each ck_assert writes a mark, which is slow by the million.
static int same(float a, float b)
{
    return (a != a && b != b) || weir_as_u(a) == weir_as_u(b);
}

static void check_fma(float a, float b, float c)
{
    float got = weir_soft_fma_f(a, b, c), want = fmaf(a, b, c);
    if (!same(got, want))
        ck_abort_msg("fma(%a, %a, %a) = %a, want %a", (double)a, (double)b, (double)c, (double)got,
                     (double)want);
}

static const float edges[] = {0.0f,
                              -0.0f,
                              0x1p-149f,
                              -0x1p-149f,
                              0x1.8p-148f,
                              0x1.fffffcp-127f,
                              -0x1.fffffcp-127f,
                              0x1p-126f,
                              -0x1p-126f,
                              0x1.000002p-126f,
                              0x1p-75f,
                              0x1.000002p-75f,
                              0x1p-74f,
                              0x1p-24f,
                              0x1.fffffep-25f,
                              1.0f,
                              -1.0f,
                              0x1.000002p0f,
                              -0x1.fffffep-1f,
                              1.5f,
                              3.0f,
                              0x1p23f,
                              0x1.000002p23f,
                              0x1p24f,
                              0x1p63f,
                              0x1.fffffep63f,
                              -0x1p64f,
                              0x1p126f,
                              0x1p127f,
                              0x1.fffffep127f,
                              -0x1.fffffep127f,
                              INFINITY,
                              -INFINITY,
                              NAN};
enum { EDGES = sizeof(edges) / sizeof(edges[0]) };

START_TEST(fma_edges)
{
    for (int i = 0; i < EDGES; i++)
        for (int j = 0; j < EDGES; j++)
            for (int k = 0; k < EDGES; k++)
                check_fma(edges[i], edges[j], edges[k]);
}
END_TEST

// Bits with the exponent drawn near `around`, or any.
static float draw(uint64_t *state, int around)
{
    uint32_t u = (uint32_t)(test_next(state) >> 32);
    if (around >= 0) {
        int e = around + (int)(test_next(state) % 64) - 32;
        e = e < 0 ? 0 : (e > 254 ? 254 : e);
        u = (u & 0x807fffffu) | (uint32_t)e << 23;
    }
    // Short fractions give ties.
    if (test_next(state) % 4 == 0)
        u &= 0xfffff000u;
    return weir_as_f(u);
}

START_TEST(fma_random)
{
    uint64_t state = 0xf3a;
    // A product about the least normal number, and c about the subnormals.
    for (int i = 0; i < 4000000; i++) {
        float a = draw(&state, -1);
        int e = 128 - (int)(weir_as_u(a) >> 23 & 255) + 24 - (int)(test_next(&state) % 64);
        float b = draw(&state, e < 0 ? 0 : e);
        float c = weir_as_f(weir_as_u(draw(&state, -1)) & (i & 1 ? 0x81ffffffu : 0x8fffffffu));
        check_fma(a, b, i % 16 ? c : copysignf(0, c));
    }
    for (int i = 0; i < 2000000; i++) {
        float a = draw(&state, i % 3 ? 127 : -1), b = draw(&state, i % 3 == 2 ? 0 : -1);
        float c = draw(&state, -1);
        if (i % 2) {
            // Near -a b: cancellation to the last bits.
            uint32_t u = weir_as_u(-(a * b)) + (uint32_t)(test_next(&state) % 5) - 2;
            c = weir_as_f(u);
        } else if (i % 4 == 0) {
            // The product's exponent, give or take 32.
            c = draw(&state, (int)(weir_as_u(a * b) >> 23 & 255));
        }
        check_fma(a, b, c);
    }
    // Cancellation that leaves a result about the least normal number, of any sign.
    for (int i = 0; i < 2000000; i++) {
        float a = draw(&state, 75), b = draw(&state, 75);
        uint32_t u = weir_as_u(-(a * b)) + (uint32_t)(test_next(&state) % 7) - 3;
        check_fma(a, b, weir_as_f(u));
    }
}
END_TEST

static void check_div(float a, float b)
{
    float got = weir_soft_div_f(a, b), want = a / b;
    if (!same(got, want))
        ck_abort_msg("%a / %a = %a, want %a", (double)a, (double)b, (double)got, (double)want);
}

static void check_sqrt(float x)
{
    float got = weir_soft_sqrt_f(x), want = sqrtf(x);
    if (!same(got, want))
        ck_abort_msg("sqrt(%a) = %a, want %a", (double)x, (double)got, (double)want);
}

START_TEST(div_and_sqrt)
{
    for (int i = 0; i < EDGES; i++) {
        check_sqrt(edges[i]);
        for (int j = 0; j < EDGES; j++)
            check_div(edges[i], edges[j]);
    }
    uint64_t state = 0xd1f;
    for (int i = 0; i < 2000000; i++) {
        float a = draw(&state, -1);
        float b = draw(&state, i % 2 ? (int)(weir_as_u(a) >> 23 & 255) : -1);
        check_div(a, b);
        check_sqrt(a);
        // Quotients and roots that are exact, or next to a tie.
        check_div(a * b, b);
        check_sqrt(b * b);
    }
}
END_TEST

int main(void)
{
    return test_run("scalar-soft", 0, fma_edges, fma_random, div_and_sqrt);
}
