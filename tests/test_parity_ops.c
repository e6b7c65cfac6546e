// SPDX-License-Identifier: Apache-2.0
// Operations and composites against PyTorch in double (tools/parity/ops.py): value, gradients, and
// the Hessian of <u, y> applied to a direction by grad of grad and by jvp of grad. The graph runs
// on the double oracle, so what is left is the rounding of constants to f32 (eps, 1/n, scales):
// 2^-24 each. 64 of them, relative to the tensor's largest magnitude, is the bound; rows whose
// oracle is a series of single precision (i1e) or that cancel have their own.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "support/support.h"
#include "weir/formats.h"

#define BOUND (64 * 0x1p-24)
#define MAX_X 3
#define MAX_LEAVES (2 * MAX_X + 2)

static struct weir_safetensors *golden;

static weir_value *conv(weir_value *const *x, struct weir_conv_params p)
{
    return weir_conv(x[0], x[1], &p);
}

static weir_value *transposed(weir_value *const *x, const int64_t *size, struct weir_conv_params p)
{
    return weir_conv_input_grad(x[0], x[1], size, &p);
}

#define BUILD(name, expression)                                                                    \
    static weir_value *build_##name(weir_value *const *x, weir_value *i)                           \
    {                                                                                              \
        return expression;                                                                         \
    }
#define P(...) ((struct weir_conv_params){__VA_ARGS__})
BUILD(conv, conv(x, P(0)))
BUILD(conv_stride, conv(x, P(.stride = {2, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1})))
BUILD(conv_dilation, conv(x, P(.dilation = {2, 3}, .pad_lo = {2, 1}, .pad_hi = {2, 1})))
BUILD(conv_groups, conv(x, P(.groups = 2, .stride = {1, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1})))
BUILD(conv_depthwise, conv(x, P(.groups = 4, .pad_lo = {2, 2}, .pad_hi = {2, 2})))
BUILD(conv_1d, conv(x, P(.stride = {3}, .pad_lo = {2}, .pad_hi = {2})))
BUILD(conv_3d, conv(x, P(.pad_lo = {1, 1, 1}, .pad_hi = {1, 1, 1})))
BUILD(conv_transposed, transposed(x, (const int64_t[]){8, 10},
                                  P(.stride = {2, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1})))
BUILD(conv_transposed_groups,
      transposed(x, (const int64_t[]){8, 11}, P(.stride = {3, 2}, .groups = 2, .dilation = {1, 2})))
BUILD(layer_norm, weir_layer_norm(x[0], x[1], x[2], 1e-5))
BUILD(rms_norm, weir_rms_norm(x[0], x[1], 1e-5))
BUILD(group_norm, weir_group_norm(x[0], 4, x[1], x[2], 1e-5))
BUILD(instance_norm, weir_instance_norm(x[0], x[1], x[2], 1e-5))
BUILD(attention, weir_attention(x[0], x[1], x[2], NULL, 0.0))
BUILD(attention_mask, weir_attention(x[0], x[1], x[2], i, 0.3))
BUILD(softmax, weir_softmax(x[0], 1))
BUILD(log_softmax, weir_log_softmax(x[0], -1))
BUILD(logsumexp, weir_logsumexp(x[0], 0, false))
BUILD(silu, weir_silu(x[0]))
BUILD(gelu, weir_gelu(x[0]))
BUILD(gelu_tanh, weir_gelu_tanh(x[0]))
BUILD(softplus, weir_softplus(x[0]))
BUILD(sigmoid, weir_sigmoid(x[0]))
BUILD(tanh, weir_tanh(x[0]))
BUILD(relu, weir_relu(x[0]))
BUILD(mse, weir_mse(x[0], x[1]))
BUILD(cross_entropy, weir_cross_entropy(x[0], i))
BUILD(max_pool, weir_max_pool(x[0], (const int64_t[]){3, 2}, (const int64_t[]){2, 1},
                              (const int64_t[]){1, 0}))
BUILD(mean_pool, weir_mean_pool(x[0], (const int64_t[]){3, 2}, (const int64_t[]){2, 1},
                                (const int64_t[]){1, 0}))
BUILD(embedding, weir_take(x[0], i, 0))
BUILD(scatter_add, weir_scatter_add(x[0], weir_reshape(i, weir_shape(12)), x[1], 1))
BUILD(cumsum, weir_cumsum(x[0], 1))
BUILD(sort, weir_sort(x[0], 0))
BUILD(cholesky, weir_cholesky(weir_mul_c(weir_add(x[0], weir_transpose(x[0], -1, -2)), 0.5)))
BUILD(slogdet, weir_log_det(x[0], NULL))
BUILD(triangular_solve, weir_triangular_solve(x[0], x[1], true, false, false))
BUILD(fft, weir_fft(x[0], false))
BUILD(ifft, weir_fft(x[0], true))
BUILD(erf, weir_erf(x[0]))
BUILD(expm1, weir_expm1(x[0]))
BUILD(log1p, weir_log1p(x[0]))
BUILD(rsqrt, weir_rsqrt(x[0]))
BUILD(lgamma, weir_lgamma(x[0]))
BUILD(erfinv, weir_erfinv(x[0]))
BUILD(i0e, weir_i0e(x[0]))
BUILD(pow, weir_pow(x[0], x[1]))
BUILD(atan2, weir_atan2(x[0], x[1]))
BUILD(max, weir_max(x[0], x[1]))

static const struct {
    const char *name;
    weir_value *(*build)(weir_value *const *x, weir_value *i);
    double bound; // 0 = BOUND
} cases[] = {
    {"conv", build_conv, 0},
    {"conv-stride", build_conv_stride, 0},
    {"conv-dilation", build_conv_dilation, 0},
    {"conv-groups", build_conv_groups, 0},
    {"conv-depthwise", build_conv_depthwise, 0},
    {"conv-1d", build_conv_1d, 0},
    {"conv-3d", build_conv_3d, 0},
    {"conv-transposed", build_conv_transposed, 0},
    {"conv-transposed-groups", build_conv_transposed_groups, 0},
    {"layer-norm", build_layer_norm, 0},
    {"rms-norm", build_rms_norm, 0},
    {"group-norm", build_group_norm, 0},
    {"instance-norm", build_instance_norm, 0},
    {"attention", build_attention, 0},
    {"attention-mask", build_attention_mask, 0},
    {"softmax", build_softmax, 0},
    {"log-softmax", build_log_softmax, 0},
    {"logsumexp", build_logsumexp, 0},
    {"silu", build_silu, 0},
    {"gelu", build_gelu, 0},
    {"gelu-tanh", build_gelu_tanh, 0},
    {"softplus", build_softplus, 0},
    {"sigmoid", build_sigmoid, 0},
    {"tanh", build_tanh, 0},
    {"relu", build_relu, 0},
    {"mse", build_mse, 0},
    {"cross-entropy", build_cross_entropy, 0},
    {"max-pool", build_max_pool, 0},
    {"mean-pool", build_mean_pool, 0},
    {"embedding", build_embedding, 0},
    {"scatter-add", build_scatter_add, 0},
    {"cumsum", build_cumsum, 0},
    {"sort", build_sort, 0},
    {"cholesky", build_cholesky, 0},
    {"slogdet", build_slogdet, 0},
    {"triangular-solve", build_triangular_solve, 0},
    {"fft", build_fft, 0},
    {"ifft", build_ifft, 0},
    {"erf", build_erf, 0},
    {"expm1", build_expm1, 0},
    {"log1p", build_log1p, 0},
    {"rsqrt", build_rsqrt, 0},
    {"lgamma", build_lgamma, 0},
    {"erfinv", build_erfinv, 0},
    {"i0e", build_i0e, 1e-5}, // i1e's series, and its slope divides that error by x
    {"pow", build_pow, 0},
    {"atan2", build_atan2, 0},
    {"max", build_max, 0},
};

// The graph of one case and the data of its leaves.
struct bench {
    weir_graph *g;
    const char *name;
    double bound;
    struct weir_eval_leaf leaves[MAX_LEAVES];
    void *owned[MAX_LEAVES];
    int n_leaves;
};

static const struct weir_file_array *find(const struct bench *b, char kind, int i)
{
    char name[64];
    snprintf(name, sizeof(name), kind == 'y' || kind == 'u' ? "%s.%c" : "%s.%c%d", b->name, kind,
             i);
    return weir_safetensors_find(golden, name);
}

static weir_value *leaf(struct bench *b, const struct weir_file_array *a)
{
    enum weir_dtype t = a->dtype == WEIR_FILE_F64    ? WEIR_F32
                        : a->dtype == WEIR_FILE_BOOL ? WEIR_BOOL
                                                     : WEIR_I32;
    weir_value *v = weir_input(b->g, t, a->shape, a->name);
    ck_assert_int_lt(b->n_leaves, MAX_LEAVES);
    void *data = malloc(a->size + 1);
    memcpy(data, a->data, a->size);
    b->owned[b->n_leaves] = data;
    b->leaves[b->n_leaves++] = (struct weir_eval_leaf){v, data};
    return v;
}

static void compare(struct bench *b, const char *what, weir_value *v,
                    const struct weir_file_array *a)
{
    ck_assert_msg(!weir_is_poison(v), "%s %s: %s", b->name, what, weir_graph_message(b->g));
    ck_assert_msg(a && weir_shape_equal(&a->shape, &v->type.shape), "%s %s: shapes differ", b->name,
                  what);
    int64_t n = weir_shape_size(&a->shape);
    double *got = malloc((size_t)n * sizeof(double) + 1), *want = malloc(a->size + 1), scale = 0;
    memcpy(want, a->data, a->size);
    test_ok(weir_eval(&v, 1, WEIR_ISA_F64, 1, b->leaves, b->n_leaves, (void *[]){got}));
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= b->bound * fmax(scale, 1e-3),
                      "%s %s, element %lld: %.12g, PyTorch %.12g", b->name, what, (long long)i,
                      got[i], want[i]);
    free(got);
    free(want);
}

static void compare_second(struct bench *b, weir_value *const *x, weir_value *const *g, int n)
{
    weir_value *v[MAX_X], *along = NULL, *reverse[MAX_X], *forward[MAX_X];
    for (int i = 0; i < n; i++) {
        v[i] = leaf(b, find(b, 'v', i));
        weir_value *term = weir_sum(weir_mul(g[i], v[i]), weir_all_axes, false);
        along = along ? weir_add(along, term) : term;
    }
    weir_grad(along, x, reverse, n);
    weir_jvp(g, forward, n, x, v, n);
    for (int i = 0; i < n; i++) {
        compare(b, "grad of grad", reverse[i], find(b, 'h', i));
        compare(b, "jvp of grad", forward[i], find(b, 'h', i));
    }
}

START_TEST(matches_pytorch)
{
    struct bench b = {.name = cases[_i].name,
                      .bound = cases[_i].bound > 0 ? cases[_i].bound : BOUND};
    test_ok(weir_graph_create(&test_log, &b.g));
    weir_value *x[MAX_X], *g[MAX_X], *index = NULL;
    int n = 0;
    for (; n < MAX_X && find(&b, 'x', n); n++)
        x[n] = leaf(&b, find(&b, 'x', n));
    ck_assert_msg(n > 0, "%s is not in the file", b.name);
    if (find(&b, 'i', 0))
        index = leaf(&b, find(&b, 'i', 0));
    weir_value *y = cases[_i].build(x, index), *u = leaf(&b, find(&b, 'u', 0));
    compare(&b, "value", y, find(&b, 'y', 0));
    weir_vjp(&y, &u, 1, x, g, n);
    for (int i = 0; i < n; i++)
        compare(&b, "gradient", g[i], find(&b, 'g', i));
    if (find(&b, 'v', 0))
        compare_second(&b, x, g, n);
    for (int i = 0; i < b.n_leaves; i++)
        free(b.owned[i]);
    weir_graph_destroy(&b.g);
}
END_TEST

START_TEST(every_case_of_the_file_is_run)
{
    size_t n = 0;
    for (size_t i = 0; i < golden->n; i++) {
        const char *dot = strrchr(golden->arrays[i].name, '.');
        n += strcmp(dot, ".y") == 0;
    }
    ck_assert_uint_eq(n, WEIR_COUNT(cases));
}
END_TEST

int main(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/ops.safetensors", WEIR_TEST_DATA);
    if (weir_safetensors_read(&test_log, path, &golden) != WEIR_OK) {
        fprintf(stderr, "%s\n", test_log_text());
        return EXIT_FAILURE;
    }
    Suite *s = suite_create("parity-ops");
    TCase *t = tcase_create("cases");
    tcase_add_loop_test(t, matches_pytorch, 0, (int)WEIR_COUNT(cases));
    tcase_add_test(t, every_case_of_the_file_is_run);
    suite_add_tcase(s, t);
    int status = test_main(s);
    weir_safetensors_destroy(&golden);
    return status;
}
