// SPDX-License-Identifier: Apache-2.0
// Golden digests of numerics version 1: 20 operations on fixed inputs. A digest that changes means
// other bits for everybody, so a new numerics version (docs/numerics.md): never edit one alone.
// `test-golden print` prints the table.
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "graph/eval.h"
#include "support/support.h"
#include "train/checkpoint.h"

enum { ROWS = 24, COLS = 700, SIDE = 12, CHANNELS = 6 };

struct inputs {
    weir_value *x, *y; // (ROWS, COLS), normal-like
    weir_value *w;     // (COLS, ROWS)
    weir_value *image; // (2, SIDE, SIDE, CHANNELS)
    weir_value *kernel; // (8, 3, 3, CHANNELS)
    weir_value *square; // (8, 8), diagonally dominant
};

#define OP(name, expression)                             \
    static weir_value *op_##name(const struct inputs *i) \
    {                                                    \
        return expression;                               \
    }
OP(exp, weir_exp(i->x))
OP(log, weir_log(weir_abs(i->x)))
OP(sin, weir_sin(weir_mul_c(i->x, 1e4)))
OP(tanh, weir_tanh(i->x))
OP(erf, weir_erf(i->x))
OP(pow, weir_pow(weir_abs(i->x), i->y))
OP(softplus, weir_softplus(i->x))
OP(lgamma, weir_lgamma(weir_abs(i->x)))
OP(fma, weir_fma(i->x, i->y, i->x))
OP(sum_rows, weir_sum(i->x, weir_axes(1), false))
OP(sum_columns, weir_sum(i->x, weir_axes(0), false))
OP(sum_all, weir_sum(i->image, weir_axes(0, 1, 2), false))
OP(cumsum, weir_cumsum(i->x, 1))
OP(matmul, weir_matmul(i->x, i->w, false, false))
OP(conv, weir_conv(i->image, i->kernel, NULL))
OP(softmax, weir_softmax(i->x, -1))
OP(group_norm, weir_group_norm(i->image, 3, NULL, NULL, 1e-5))
OP(attention, weir_attention(i->x, i->y, i->x, NULL, 0))
OP(cholesky, weir_cholesky(weir_matmul(i->square, i->square, false, true)))
OP(normal,
   weir_random_normal(weir_constant(weir_value_graph(i->x), WEIR_U32, weir_shape(2),
                                    (uint32_t[]) { 1, 2 }),
                      weir_u32(weir_value_graph(i->x), 3), weir_u32(weir_value_graph(i->x), 4),
                      weir_shape(ROWS, COLS), "golden"))

static const struct {
    const char *name;
    weir_value *(*build)(const struct inputs *i);
    uint64_t digest;
} golden[] = {
#include "golden.inc"
};

// A constant of values in about (-3, 3): sums of three words of the stream.
static weir_value *fill(weir_graph *g, struct weir_shape shape, uint64_t *state)
{
    int64_t n = weir_shape_size(&shape);
    float *v = calloc((size_t)n, sizeof(*v));
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 3; k++)
            v[i] += (float)(int32_t)(test_next(state) >> 32) * 0x1p-31f;
    weir_value *c = weir_constant(g, WEIR_F32, shape, v);
    free(v);
    return c;
}

static uint64_t digest_of(size_t k, enum weir_isa isa)
{
    weir_graph *g = NULL;
    uint64_t state = 20261123; // the seed of all inputs
    if (weir_graph_create(&test_log, &g))
        abort();
    struct inputs in = { .x = fill(g, weir_shape(ROWS, COLS), &state) };
    in.y = fill(g, weir_shape(ROWS, COLS), &state);
    in.w = fill(g, weir_shape(COLS, ROWS), &state);
    in.image = fill(g, weir_shape(2, SIDE, SIDE, CHANNELS), &state);
    in.kernel = fill(g, weir_shape(8, 3, 3, CHANNELS), &state);
    weir_value *row = weir_iota(g, WEIR_I32, weir_shape(8, 8), 0),
               *column = weir_iota(g, WEIR_I32, weir_shape(8, 8), 1);
    in.square = weir_add(fill(g, weir_shape(8, 8), &state),
                         weir_mul_c(weir_cast(weir_eq(row, column), WEIR_F32), 16));
    weir_value *v = golden[k].build(&in);
    size_t size = (size_t)weir_shape_size(weir_value_shape(v)) * sizeof(float);
    float *out = malloc(size);
    bool ok = !weir_eval(&v, 1, isa, 2, NULL, 0, (void *const[]) { out });
    uint64_t digest = ok ? weir_hash64(out, size, 0) : 0;
    free(out);
    weir_graph_destroy(&g);
    return digest;
}

START_TEST(digests_of_version_1)
{
    ck_assert_int_eq(WEIR_NUMERICS_VERSION, 1);
    // Every instruction set this CPU has, and the one without any.
    for (int isa = WEIR_ISA_BASE; isa <= (int)weir_isa_best(); isa++) {
        uint64_t got = digest_of((size_t)_i, (enum weir_isa)isa);
        ck_assert_msg(got == golden[_i].digest,
                      "%s under instruction set %d: %016" PRIx64 ", version 1 has %016" PRIx64,
                      golden[_i].name, isa, got, golden[_i].digest);
    }
}
END_TEST

int main(int argc, char **argv)
{
    size_t n = sizeof(golden) / sizeof(golden[0]);
    if (argc > 1 && !strcmp(argv[1], "print")) {
        for (size_t k = 0; k < n; k++)
            printf("    { \"%s\", op_%s, 0x%016" PRIx64 " },\n", golden[k].name, golden[k].name,
                   digest_of(k, weir_isa_best()));
        return 0;
    }
    Suite *suite = suite_create("golden");
    TCase *tcase = tcase_create("golden");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, digests_of_version_1, 0, (int)n);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
