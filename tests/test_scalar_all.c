// SPDX-License-Identifier: Apache-2.0
// All 2^32 inputs of each unary function of kernels/scalar.h against its bound. Slow: minutes a
// function.
//
//   test-scalar-all [NAME...]     these functions only
#include <stdio.h>
#include <string.h>

#include "scalar.h"
#include "support/scalar_rows.h"
#include "support/support.h"

static char **only; // NULL-ended names; none: all

static int wanted(const char *name)
{
    if (!*only)
        return 1;
    for (char **o = only; *o; o++)
        if (strcmp(*o, name) == 0)
            return 1;
    return 0;
}

START_TEST(every_input)
{
    const struct scalar_row *row = &scalar_rows[_i];
    struct scalar_worst worst[2];
    if (!wanted(row->name))
        return;
    scalar_sweep(_i, 0, worst);
    for (int half = 0; half < 2; half++) {
        float x = weir_as_f(worst[half].bits);
        printf("# %s, %s: %.4f ulp at %a\n", row->name, half ? "x < 0" : "x >= 0",
               worst[half].error, (double)x);
        fflush(stdout);
        ck_assert_msg(worst[half].error <= row->bound[half], "%s(%a) = %a, exact %a: %.4f ulp",
                      row->name, (double)x, (double)scalar_got(_i, x), scalar_exact(_i, x),
                      worst[half].error);
    }
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    only = argv + 1;
    Suite *suite = suite_create("scalar-all");
    TCase *tcase = tcase_create("every input");
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, every_input, 0, scalar_row_count);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
