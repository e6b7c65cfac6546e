// SPDX-License-Identifier: Apache-2.0
// What kernels/scalar.h returns at the edges, exactly: zeros of both signs, subnormals, infinities,
// NaN, the last input before overflow and underflow; known answers of Philox; storage types over
// all their values.
#include <math.h>

#include "scalar.h"
#include "support/support.h"

#define INF INFINITY
#define MIN 0x1p-149f // the least subnormal
#define MAX 0x1.fffffep+127f
#define PI 0x1.921fb6p+1f
#define HALF_PI 0x1.921fb6p+0f

// clang-format off
static const struct {
    const char *name;
    float (*f)(float);
    struct {
        float x, y;
    } at[14];
    int n;
} unary[] = {
    { "exp", weir_exp_f, { { 0, 1 }, { -0.0f, 1 }, { INF, INF }, { -INF, 0 }, { MIN, 1 },
        { NAN, NAN },
        { 0x1.62e42ep+6f, 0x1.ffff08p+127f }, { 0x1.62e43p+6f, INF }, { MAX, INF }, { -MAX, 0 },
        { -0x1.9fe368p+6f, MIN }, { -0x1.9fe36ap+6f, 0 } }, 12 },
    { "expm1", weir_expm1_f, { { 0, 0 }, { -0.0f, -0.0f }, { INF, INF }, { -INF, -1 }, { MIN, MIN },
        { -MIN, -MIN }, { NAN, NAN }, { 0x1.62e43p+6f, INF }, { -18, -1 }, { -MAX, -1 },
        { 0x1p-126f, 0x1p-126f } }, 11 },
    { "log", weir_log_f, { { 0, -INF }, { -0.0f, -INF }, { 1, 0 }, { INF, INF }, { -1, NAN },
        { -MIN, NAN }, { -INF, NAN }, { NAN, NAN }, { MIN, -0x1.9d1dap+6f },
        { MAX, 0x1.62e43p+6f } },
        10 },
    { "log1p", weir_log1p_f, { { 0, 0 }, { -0.0f, -0.0f }, { -1, -INF }, { -0x1.000002p0f, NAN },
        { INF, INF }, { -INF, NAN }, { NAN, NAN }, { MIN, MIN }, { -MIN, -MIN },
        { MAX, 0x1.62e43p+6f }, { 0x1p-126f, 0x1p-126f } }, 11 },
    { "sin", weir_sin_f, { { 0, 0 }, { -0.0f, -0.0f }, { MIN, MIN }, { -MIN, -MIN }, { INF, NAN },
        { -INF, NAN }, { NAN, NAN }, { MAX, -0x1.0b3366p-1f }, { PI, -0x1.777a5cp-24f },
        { 0x1p-126f, 0x1p-126f } }, 10 },
    { "cos", weir_cos_f, { { 0, 1 }, { -0.0f, 1 }, { MIN, 1 }, { INF, NAN }, { -INF, NAN },
        { NAN, NAN },
        { MAX, 0x1.b4bf2cp-1f }, { HALF_PI, -0x1.777a5cp-25f }, { PI, -1 } }, 9 },
    { "tanh", weir_tanh_f, { { 0, 0 }, { -0.0f, -0.0f }, { MIN, MIN }, { -MIN, -MIN }, { INF, 1 },
        { -INF, -1 }, { NAN, NAN }, { 10, 1 }, { -MAX, -1 }, { 0x1p-126f, 0x1p-126f } }, 10 },
    { "erf", weir_erf_f, { { 0, 0 }, { -0.0f, -0.0f }, { INF, 1 }, { -INF, -1 }, { NAN, NAN },
        { 4, 1 },
        { -MAX, -1 }, { MIN, MIN } }, 8 },
    { "erfinv", weir_erfinv_f, { { 0, 0 }, { -0.0f, -0.0f }, { 1, INF }, { -1, -INF }, { 2, NAN },
        { -INF, NAN }, { NAN, NAN }, { MIN, MIN } }, 8 },
    { "sigmoid", weir_sigmoid_f, { { 0, 0.5f }, { -0.0f, 0.5f }, { INF, 1 }, { -INF, 0 },
        { NAN, NAN },
        { 17.5f, 1 }, { -104, 0 }, { MAX, 1 }, { -0x1.9fe368p+6f, MIN } }, 9 },
    { "softplus", weir_softplus_f, { { INF, INF }, { -INF, 0 }, { NAN, NAN }, { MAX, MAX },
        { -104, 0 },
        { -0x1.9fe368p+6f, MIN }, { 0, 0x1.62e43p-1f }, { 100, 100 } }, 8 },
    { "sqrt", weir_sqrt_f, { { 0, 0 }, { -0.0f, -0.0f }, { MIN, 0x1.6a09e6p-75f }, { INF, INF },
        { -MIN, NAN }, { -INF, NAN }, { NAN, NAN }, { MAX, 0x1.fffffep+63f } }, 8 },
    { "rsqrt", weir_rsqrt_f, { { 0, INF }, { -0.0f, -INF }, { INF, 0 }, { -1, NAN }, { NAN, NAN },
        { 4, 0.5f }, { 0x1p-148f, 0x1p74f } }, 7 },
    { "reciprocal", weir_reciprocal_f, { { 0, INF }, { -0.0f, -INF }, { INF, 0 }, { -INF, -0.0f },
        { NAN, NAN }, { 0x1p127f, 0x1p-127f }, { MIN, INF } }, 7 },
    { "square", weir_square_f, { { -0.0f, 0 }, { MIN, 0 }, { MAX, INF }, { -INF, INF },
        { NAN, NAN } },
        5 },
    { "abs", weir_abs_f, { { -0.0f, 0 }, { -MIN, MIN }, { -INF, INF }, { NAN, NAN } }, 4 },
    { "neg", weir_neg_f, { { 0, -0.0f }, { -0.0f, 0 }, { INF, -INF }, { NAN, NAN } }, 4 },
    { "floor", weir_floor_f, { { 0, 0 }, { -0.0f, -0.0f }, { 0.7f, 0 }, { -MIN, -1 }, { MIN, 0 },
        { -0.5f, -1 }, { 2.5f, 2 }, { 0x1.fffffep22f, 0x1.fffffcp22f }, { MAX, MAX }, { INF, INF },
        { -INF, -INF }, { NAN, NAN } }, 12 },
    { "ceil", weir_ceil_f, { { 0, 0 }, { -0.0f, -0.0f }, { -0.7f, -0.0f }, { MIN, 1 },
        { -MIN, -0.0f },
        { 0.5f, 1 }, { 2.5f, 3 }, { -0x1.fffffep22f, -0x1.fffffcp22f }, { MAX, MAX }, { INF, INF },
        { NAN, NAN } }, 11 },
    { "rint", weir_rint_f, { { 0.5f, 0 }, { -0.5f, -0.0f }, { 1.5f, 2 }, { 2.5f, 2 }, { -2.5f, -2 },
        { -0.0f, -0.0f }, { 0x1.fffffep22f, 0x1p23f }, { INF, INF }, { NAN, NAN } }, 9 },
    { "sign", weir_sign_f, { { 0, 0 }, { -0.0f, -0.0f }, { MIN, 1 }, { -MIN, -1 }, { INF, 1 },
        { -INF, -1 }, { NAN, NAN } }, 7 },
    { "lgamma", weir_lgamma_f, { { -0.5f, 0x1.43f89ap+0f }, { 0, INF }, { -0.0f, INF },
        { 1, 0 }, { 2, 0 }, { -1, INF },
        { -0x1p23f, INF }, { -MAX, INF }, { INF, INF }, { -INF, INF }, { NAN, NAN }, { MAX, INF },
        { MIN, 0x1.9d1dap+6f }, { -MIN, 0x1.9d1dap+6f } }, 14 },
    { "digamma", weir_digamma_f, { { 0, -INF }, { -0.0f, INF }, { -1, NAN }, { -MAX, NAN },
        { INF, INF },
        { -INF, NAN }, { NAN, NAN }, { MIN, -INF }, { MAX, 0x1.62e43p+6f } }, 9 },
    { "i0e", weir_i0e_f, { { 0, 1 }, { -0.0f, 1 }, { INF, 0 }, { -INF, 0 }, { NAN, NAN },
        { MIN, 1 } },
        6 },
    { "canon", weir_canon_f, { { 0, 0 }, { -0.0f, -0.0f }, { INF, INF }, { NAN, NAN } }, 4 },
    { "round_f16", weir_round_f16, { { 0, 0 }, { -0.0f, -0.0f }, { 65519, 65504 }, { 65520, INF },
        { -MAX, -INF }, { 0x1p-25f, 0 }, { 0x1.000002p-25f, 0x1p-24f }, { -0x1.8p-24f, -0x1p-23f },
        { 0x1.002p0f, 1 }, { 0x1.006p0f, 0x1.008p0f }, { INF, INF }, { NAN, NAN },
        { MIN, 0 } }, 13 },
    { "round_bf16", weir_round_bf16, { { 0, 0 }, { -0.0f, -0.0f }, { 0x1.01p0f, 1 },
        { 0x1.03p0f, 0x1.04p0f }, { 0x1.fe8p127f, 0x1.fep127f }, { 0x1.ffp127f, INF }, { INF, INF },
        { NAN, NAN }, { 0x1p-134f, 0 }, { 0x1.8p-133f, 0x1p-132f } }, 10 },
};

static const struct {
    const char *name;
    float (*f)(float, float);
    struct {
        float a, b, y;
    } at[20];
    int n;
} binary[] = {
    { "min", weir_min_f, { { 0, -0.0f, -0.0f }, { -0.0f, 0, -0.0f }, { NAN, 1, NAN },
        { 1, NAN, NAN },
        { -INF, INF, -INF }, { 2, 1, 1 } }, 6 },
    { "max", weir_max_f, { { 0, -0.0f, 0 }, { -0.0f, 0, 0 }, { NAN, 1, NAN }, { 1, NAN, NAN },
        { -INF, INF, INF }, { 2, 1, 2 } }, 6 },
    { "mod", weir_mod_f, { { 7, 3, 1 }, { -7, 3, 2 }, { 7, -3, -2 }, { -7, -3, -1 },
        { 6, -3, -0.0f },
        { -6, 3, 0 }, { 1, 0, NAN }, { INF, 1, NAN }, { 1, INF, 1 }, { -1, INF, INF },
        { NAN, 1, NAN },
        { 1, NAN, NAN }, { MAX, MIN, 0 }, { 0x1.8p-148f, 0x1p-148f, MIN }, { -0.0f, 5, 0 },
        { 5.5f, 1, 0.5f }, { 0x1p100f, 3, 1 } }, 17 },
    { "pow", weir_pow_f, { { 0, 0, 1 }, { NAN, 0, 1 }, { 1, NAN, 1 }, { -1, INF, 1 },
        { -1, -INF, 1 },
        { 0, -1, INF }, { -0.0f, -1, -INF }, { -0.0f, -2, INF }, { -0.0f, 3, -0.0f },
        { -0.0f, 0.5f, 0 },
        { -2, 0.5f, NAN }, { -2, 3, -8 }, { -2, 0x1p24f, INF }, { 0.5f, INF, 0 }, { 2, -INF, 0 },
        { -INF, 3, -INF }, { -INF, -3, -0.0f }, { -INF, 0.5f, INF }, { 2, 0x1.2ap7f, INF },
        { 2, -149, MIN } }, 20 },
    { "pow (more)", weir_pow_f, { { 2, -150, 0 }, { 2, 127, 0x1p127f }, { INF, -1, 0 },
        { NAN, 1, NAN },
        { 2, NAN, NAN }, { MIN, 0.5f, 0x1.6a09e6p-75f }, { 0x1.fffffep-1f, MAX, 0 },
        { 10, 38, 1e38f },
        { 3, 20, 3486784401.0f }, { 0x1.000002p0f, MAX, INF }, { -MAX, 1, -MAX },
        { -0.5f, 149, -MIN } },
        12 },
    { "atan2", weir_atan2_f, { { 0, 0, 0 }, { -0.0f, 0, -0.0f }, { 0, -0.0f, PI },
        { -0.0f, -0.0f, -PI },
        { 0, 1, 0 }, { 0, -1, PI }, { 1, 0, HALF_PI }, { -1, -0.0f, -HALF_PI },
        { INF, INF, PI / 4 },
        { INF, -INF, 0x1.2d97c8p+1f }, { 1, INF, 0 }, { 1, -INF, PI }, { INF, 1, HALF_PI },
        { NAN, 1, NAN }, { 1, NAN, NAN }, { MIN, 1, MIN }, { MIN, MIN, PI / 4 }, { 1, 1, PI / 4 },
        { MAX, MIN, HALF_PI }, { -MIN, MAX, -0.0f } }, 20 },
    { "igamma", weir_igamma_f, { { 0, 1, 1 }, { 1, 0, 0 }, { 0, 0, NAN }, { -1, 1, NAN },
        { 1, -1, NAN },
        { 1, INF, 1 }, { INF, 1, 0 }, { INF, INF, NAN }, { NAN, 1, NAN }, { 1, NAN, NAN },
        { 100, MAX, 1 }, { 100, MIN, 0 }, { 1, MAX, 1 }, { MAX, 1, 0 } }, 14 },
};

// clang-format on

START_TEST(unary_edges)
{
    for (int i = 0; i < unary[_i].n; i++) {
        float x = unary[_i].at[i].x, want = unary[_i].at[i].y, got = unary[_i].f(x);
        ck_assert_msg(weir_as_u(weir_canon_f(got)) == weir_as_u(weir_canon_f(want)),
                      "%s(%a) = %a, want %a", unary[_i].name, (double)x, (double)got, (double)want);
    }
}
END_TEST

START_TEST(binary_edges)
{
    for (int i = 0; i < binary[_i].n; i++) {
        float a = binary[_i].at[i].a, b = binary[_i].at[i].b, want = binary[_i].at[i].y;
        float got = binary[_i].f(a, b);
        ck_assert_msg(weir_as_u(weir_canon_f(got)) == weir_as_u(weir_canon_f(want)),
                      "%s(%a, %a) = %a, want %a", binary[_i].name, (double)a, (double)b,
                      (double)got, (double)want);
    }
}
END_TEST

START_TEST(integers)
{
    ck_assert_int_eq(weir_div_i(7, -2), -3);
    ck_assert_int_eq(weir_div_i(5, 0), 0);
    ck_assert_int_eq(weir_div_i(INT32_MIN, -1), INT32_MIN);
    ck_assert_int_eq(weir_mod_i(-7, 3), 2);
    ck_assert_int_eq(weir_mod_i(7, -3), -2);
    ck_assert_int_eq(weir_mod_i(5, 0), 0);
    ck_assert_int_eq(weir_mod_i(INT32_MIN, -1), 0);
    ck_assert_int_eq(weir_neg_i(INT32_MIN), INT32_MIN);
    ck_assert_int_eq(weir_abs_i(INT32_MIN), INT32_MIN);
    ck_assert_int_eq(weir_add_i(INT32_MAX, 1), INT32_MIN);
    ck_assert_int_eq(weir_mul_i(0x10001, 0x10001), 0x20001);
    ck_assert_int_eq(weir_shl_i(1, 33), 2);
    ck_assert_int_eq(weir_shr_i(-8, 33), -4);
    ck_assert_uint_eq(weir_shr_u(0x80000000u, 63), 1);
    ck_assert_uint_eq(weir_div_u(5, 0), 0);
    ck_assert_uint_eq(weir_mod_u(5, 0), 0);
    ck_assert_int_eq(weir_i8_to_i32(weir_i32_to_i8(200)), -56);
    ck_assert_int_eq(weir_i8_to_i32(weir_i32_to_i8(-129)), 127);
}
END_TEST

START_TEST(casts)
{
    ck_assert_int_eq(weir_f2i(0x1p31f), INT32_MAX);
    ck_assert_int_eq(weir_f2i(0x1.fffffep30f), 2147483520);
    ck_assert_int_eq(weir_f2i(-0x1p31f), INT32_MIN);
    ck_assert_int_eq(weir_f2i(-INF), INT32_MIN);
    ck_assert_int_eq(weir_f2i(NAN), 0);
    ck_assert_int_eq(weir_f2i(-1.9f), -1);
    ck_assert_uint_eq(weir_f2u(0x1p32f), UINT32_MAX);
    ck_assert_uint_eq(weir_f2u(0x1.fffffep31f), 0xffffff00u);
    ck_assert_uint_eq(weir_f2u(-0.5f), 0);
    ck_assert_uint_eq(weir_f2u(-1e9f), 0);
    ck_assert_uint_eq(weir_f2u(NAN), 0);
    ck_assert_float_eq(weir_i2f(0x01000001), 0x1p24f);
    ck_assert_float_eq(weir_u2f(0xffffffffu), 0x1p32f);
    ck_assert_int_eq(weir_f2b(-0.0f), 0);
    ck_assert_int_eq(weir_f2b(NAN), 1);
    ck_assert_int_eq(weir_load_bool(7), 1);
    ck_assert_int_eq(weir_store_bool(1), 1);
}
END_TEST

// Every f16 and bf16 widens to itself and back; f16's value is rebuilt from its fields.
START_TEST(storage)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = weir_f16_to_f32((uint16_t)h), b = weir_bf16_to_f32((uint16_t)h);
        int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
        float size =
            e == 31 ? (m ? NAN : INF) : ldexpf((float)(e ? m + 1024 : m), (e ? e : 1) - 25);
        float want = h & 0x8000u ? -size : size;
        ck_assert(f != f ? want != want : f == want && !signbit(f) == !(h & 0x8000u));
        ck_assert_uint_eq(weir_f32_to_f16(f), f != f ? 0x7e00 : h);
        ck_assert_uint_eq(weir_f32_to_bf16(b), b != b ? 0x7fc0 : h);
    }
    // Between neighbours: the nearer, at the middle the even one.
    for (uint32_t h = 0; h < 0x7bff; h++) {
        float low = weir_f16_to_f32((uint16_t)h), high = weir_f16_to_f32((uint16_t)(h + 1));
        float middle = 0.5f * low + 0.5f * high;
        ck_assert_uint_eq(weir_f32_to_f16(nextafterf(middle, 0)), h);
        ck_assert_uint_eq(weir_f32_to_f16(middle), h + (h & 1));
        ck_assert_uint_eq(weir_f32_to_f16(nextafterf(middle, 1e9f)), h + 1);
    }
}
END_TEST

// Known answers of the Random123 distribution (kat_vectors, philox4x32 10).
START_TEST(philox)
{
    static const uint32_t kat[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        const uint32_t *k = kat[i];
        uint32_t w[4];
        weir_philox(k[0], k[1], k[2], k[3], k[4], k[5], &w[0], &w[1], &w[2], &w[3]);
        for (uint32_t j = 0; j < 4; j++)
            ck_assert_uint_eq(w[j], k[6 + j]);
    }
    // Element e is word e & 3 of block e >> 2.
    uint32_t w[4];
    weir_philox(5, 6, 7, 8, 9, 10, &w[0], &w[1], &w[2], &w[3]);
    for (uint32_t j = 0; j < 4; j++)
        ck_assert_uint_eq(weir_random_word(20 + j, 6, 7, 8, 9, 10), w[j]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scalar-edges");
    TCase *tcase = tcase_create("edges");
    tcase_add_loop_test(tcase, unary_edges, 0, sizeof(unary) / sizeof(unary[0]));
    tcase_add_loop_test(tcase, binary_edges, 0, sizeof(binary) / sizeof(binary[0]));
    tcase_add_test(tcase, integers);
    tcase_add_test(tcase, casts);
    tcase_add_test(tcase, storage);
    tcase_add_test(tcase, philox);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
