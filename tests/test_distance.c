// SPDX-License-Identifier: Apache-2.0
// Distances of point sets: the assignment against all pairings and closed forms, slices of a shift, bad input.
#include <math.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "support/support.h"
#include "train/distance.h"

enum { D = 2 };

static double w2(const float *a, const float *b, int64_t n, int64_t d)
{
    double out = -1;
    test_ok(weir_w2(&test_log, a, b, n, d, &out));
    return out;
}

// On a line the sorted pairing is the best one. Neither the order given nor the nearest pair first (2 with 2,
// then 5 with 6, then 0 with 3) finds it.
START_TEST(w2_of_three_points)
{
    const float a[] = { 0, 2, 5 }, b[] = { 6, 2, 3 };
    ck_assert_double_eq(w2(a, b, 3, 1), sqrt((4 + 1 + 1) / 3.));
    ck_assert_double_eq(w2(b, a, 3, 1), sqrt((4 + 1 + 1) / 3.));
    // The corners of a triangle, moved by (3, 4), in another order: a shift's distance is its length.
    const float p[] = { 0, 0, 8, 0, 0, 16 }, q[] = { 3, 20, 3, 4, 11, 4 };
    ck_assert_double_eq(w2(p, q, 3, D), 5);
    ck_assert_double_eq(w2(p, p, 3, D), 0);
    ck_assert_double_eq(w2(p, q, 1, D), sqrt(3 * 3 + 20 * 20));
}
END_TEST

static double squared_distance(const float *a, const float *b)
{
    return (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]);
}

// Small integers: every sum is exact, so the least of the six is what comes out.
START_TEST(w2_is_the_best_of_all_pairings)
{
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    uint64_t seed = 3;
    int best[6] = { 0 };
    for (int k = 0; k < 200; k++) {
        float a[3 * D], b[3 * D];
        double least = INFINITY;
        int which = 0;
        for (int i = 0; i < 3 * D; i++) {
            a[i] = (float)(test_next(&seed) >> 59);
            b[i] = (float)(test_next(&seed) >> 59);
        }
        for (int o = 0; o < 6; o++) {
            double sum = 0;
            for (int i = 0; i < 3; i++)
                sum += squared_distance(a + D * i, b + D * orders[o][i]);
            which = sum < least ? o : which;
            least = fmin(least, sum);
        }
        best[which]++;
        ck_assert_double_eq(w2(a, b, 3, D), sqrt(least / 3));
    }
    for (int o = 0; o < 6; o++)
        ck_assert_int_gt(best[o], 0);
}
END_TEST

static double swd(const float *a, const float *b, int64_t n, int64_t d, int directions, uint64_t seed)
{
    double out = -1;
    test_ok(weir_sliced_w2(&test_log, a, b, n, d, directions, seed, &out));
    return out;
}

// Along a unit direction u a set moved by t moves by t·u. So on a line a shift's distance is its length,
// and in the plane the squares of what a shift by 3 along either axis gives sum to 9, direction by direction.
START_TEST(swd_of_a_shift)
{
    enum { N = 5, DIRECTIONS = 256 };
    const double tolerance = 1e-12; // some tens of roundings in double
    float a[N * D], moved[D][N * D];
    uint64_t seed = 4;
    for (int i = 0; i < N * D; i++)
        a[i] = (float)(test_next(&seed) >> 56);
    for (int axis = 0; axis < D; axis++)
        for (int i = 0; i < N; i++) // in another order
            for (int k = 0; k < D; k++)
                moved[axis][D * i + k] = a[D * ((i + 2) % N) + k] + (k == axis ? 3.f : 0.f);
    const float line[] = { 1, 7, -2 }, line_moved[] = { 2.5f, -7, -4 };
    ck_assert_double_eq_tol(swd(line, line_moved, 3, 1, 7, 1), sqrt((5. * 5 + 5 * 5 + 4.5 * 4.5) / 3), tolerance);
    ck_assert_double_eq(swd(a, a, N, D, DIRECTIONS, 1), 0);
    for (int n = 1; n <= DIRECTIONS; n += DIRECTIONS - 1) {
        double x = swd(a, moved[0], N, D, n, 1), y = swd(a, moved[1], N, D, n, 1);
        ck_assert_double_eq_tol(x * x + y * y, 9, 9 * tolerance);
    }
    // The squared cosine of a random direction: mean 1/2, variance 1/8; within four standard errors.
    double x = swd(a, moved[0], N, D, DIRECTIONS, 1) / 3;
    ck_assert_double_eq_tol(x * x, .5, 4 * sqrt(1. / 8 / DIRECTIONS));
    ck_assert_double_ne(swd(a, moved[0], N, D, DIRECTIONS, 2) / 3, x);
}
END_TEST

START_TEST(bad_input)
{
    const float good[] = { 1, 2, 3, 4 };
    double out = 7;
    test_status(weir_w2(&test_log, good, good, 0, D, &out), WEIR_INVALID, "w2: 0 points");
    test_status(weir_w2(&test_log, good, good, WEIR_W2_MOST + 1, D, &out), WEIR_INVALID, "1 to 2000 (use swd)");
    test_status(weir_w2(&test_log, good, good, 2, 0, &out), WEIR_INVALID, "w2: 2 points of 0 numbers");
    test_status(weir_sliced_w2(&test_log, good, good, 0, D, 5, 1, &out), WEIR_INVALID, "swd: 0 points");
    test_status(weir_sliced_w2(&test_log, good, good, 2, 0, 5, 1, &out), WEIR_INVALID, "swd: 2 points of 0 numbers");
    test_status(weir_sliced_w2(&test_log, good, good, 2, D, 0, 1, &out), WEIR_INVALID, "swd: 0 directions");
    const float bad[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < WEIR_COUNT(bad); i++) {
        const float x[] = { 1, 2, bad[i], 4 };
        test_status(weir_w2(&test_log, x, good, 2, D, &out), WEIR_NONFINITE, "w2: point 1 of the first set");
        test_status(weir_w2(&test_log, good, x, 2, D, &out), WEIR_NONFINITE, "w2: point 1 of the second set");
        test_status(weir_sliced_w2(&test_log, x, good, 2, D, 5, 1, &out), WEIR_NONFINITE, "swd: point 1 of the first set");
        test_status(weir_sliced_w2(&test_log, good, x, 2, D, 5, 1, &out), WEIR_NONFINITE, "swd: point 1 of the second set");
    }
    ck_assert_double_eq(out, 7);
}
END_TEST

int main(void)
{
    return test_run("distance", TEST_SECONDS, w2_of_three_points, w2_is_the_best_of_all_pairings, swd_of_a_shift,
                    bad_input);
}
